/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_INFO_H
#define RDRLAB_INFO_H

#include <stddef.h>

#include "services.h"

/*
 * info_connection - what a letter is connected to, `\\server\share`, without terminator.
 *   letter   0 for A:.
 *   bytes    room in buffer; ret_bytes: written.
 *   Returns  STATUS_SUCCESS, the machine's status, STATUS_BUFFER_TOO_SMALL.
 */
NTSTATUS info_connection(ULONG letter, WCHAR *buffer, size_t bytes, size_t *ret_bytes);

#endif
