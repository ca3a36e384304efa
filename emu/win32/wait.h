/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wait.h - what is waited for in place of redirected files. */
#ifndef RDRLAB_WAIT_H
#define RDRLAB_WAIT_H

#include "services.h"

/*
 * wait_objects - these handles, with files' events in place of files.
 *   handles  the program's; may be bad.
 *   objects  room for the answer.
 *   Returns  objects, or handles if there is nothing to replace, or too many are given.
 */
const HANDLE *wait_objects(ULONG count, const HANDLE *handles, HANDLE objects[MAXIMUM_WAIT_OBJECTS]);

/*
 * wait_hook_messages - stands in front of MsgWaitForMultipleObjects, whose Linux side calls none of ntdll's services:
 * now, or when win32u.dll comes. From DllMain.
 */
void wait_hook_messages(void);

#endif
