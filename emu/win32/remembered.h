/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_REMEMBERED_H
#define RDRLAB_REMEMBERED_H

#include <windows.h>

/*
 * remembered_each - calls connect for every letter that was mapped to be remembered (CONNECT_UPDATE_PROFILE): mpr keeps
 * them in HKEY_CURRENT_USER\Network, without passwords, as it does on Windows, where they are connected at logon.
 *   local, remote  L"X:" and \\server\share, for the time of the call.
 */
void remembered_each(void (*connect)(WCHAR *local, WCHAR *remote, void *context), void *context);

#endif
