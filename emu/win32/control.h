/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_CONTROL_H
#define RDRLAB_CONTROL_H

#include "request.h"

/* control_file - a control code for a redirected file, with the machine's status. flags: WIRE_CONTROL_... */
NTSTATUS control_file(struct request *request, ULONG code, PVOID input, ULONG input_length, PVOID output,
                      ULONG output_length, uint32_t flags);

#endif
