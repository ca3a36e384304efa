/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * environment.h - the variables by which a process finds its machine, in its children's environment.
 */
#ifndef RDRLAB_ENVIRONMENT_H
#define RDRLAB_ENVIRONMENT_H

#include "services.h"

/*
 * environment_complete - an environment block that names this process's machine. Programs make blocks of their own for
 * their children, and know nothing of machines.
 *   block      in. NAME=value strings, and an empty one. Stays as it is.
 *   ret_bytes  out: the new one's size.
 *   Returns    a copy with the variables, the caller's to VirtualFree; NULL: the block names a machine already, or
 * there is no memory.
 */
WCHAR *environment_complete(const WCHAR *block, SIZE_T *ret_bytes);

#endif
