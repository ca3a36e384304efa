/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* psp.h - thread objects. */
#ifndef NTEMU_PS_PSP_H
#define NTEMU_PS_PSP_H

#include "ob/obp.h"

extern OBJECT_TYPE PspThreadType;

#endif
