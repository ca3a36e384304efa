/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_WIN32_PASSWORD_H
#define RDRLAB_WIN32_PASSWORD_H

#include <stdbool.h>

#include <windows.h>

#define PASSWORD_MOST 256 /* characters, with the terminator */

/*
 * password_from_file - the first line, UTF-8.
 *   name      a Win32 name, an absolute Linux path, or "-" for standard input.
 *   password  out: the caller's to wipe.
 *   Returns   0, an error of Win32's; ERROR_INVALID_DATA: it is no line of at most 255 characters.
 */
DWORD password_from_file(const WCHAR *name, WCHAR password[PASSWORD_MOST]);

/* password_from_console - asks there, without an echo. As above; ERROR_CANCELLED: Ctrl+C. */
DWORD password_from_console(const WCHAR *prompt, WCHAR password[PASSWORD_MOST]);

#endif
