/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createfile.h - what CreateFile makes of its arguments, for commands that call the machine without Wine. */
#ifndef RDRLAB_CREATEFILE_H
#define RDRLAB_CREATEFILE_H

#include <ntemu/nt.h>

#include <stdbool.h>

#include "wire/wire.h"

#define CREATEFILE_NAME_MAX 32768 /* UTF-16 units */

/* CreateFile(..., GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL) (observed: Wine). */
extern const struct wire_create createfile_request;

/*
 * createfile_name - the NT name of a Win32 one, UTF-8, that kernelbase has no more work with (no slashes, nothing
 * relative); one that begins with \??\ or \Device is taken as it is. createfile_utf16 - the text alone.
 *   buffer   the name's, of CREATEFILE_NAME_MAX units.
 *   Returns  false: it is no UTF-8, or too long.
 */
bool createfile_name(const char *name, WCHAR *buffer, UNICODE_STRING *ret_name);
bool createfile_utf16(const char *text, WCHAR *buffer, UNICODE_STRING *ret_string);

#endif
