/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <wchar.h>

#include "remembered.h"

#define PROVIDER_NAME L"Microsoft Windows Network"

void remembered_each(void (*connect)(WCHAR *local, WCHAR *remote, void *context), void *context)
{
    HKEY network;

    if (RegOpenKeyExW(HKEY_CURRENT_USER, L"Network", 0, KEY_READ, &network) != ERROR_SUCCESS)
        return;
    for (DWORD i = 0;; i++) {
        WCHAR name[8], local[] = L"X:", remote[512], provider[64];
        DWORD length = ARRAYSIZE(name), size = sizeof(remote), provider_size = sizeof(provider);
        LONG error = RegEnumKeyExW(network, i, name, &length, NULL, NULL, NULL, NULL);

        if (error == ERROR_MORE_DATA) /* no letter's */
            continue;
        if (error != ERROR_SUCCESS)
            break;
        if (length != 1 ||
            RegGetValueW(network, name, L"RemotePath", RRF_RT_REG_SZ, NULL, remote, &size) != ERROR_SUCCESS ||
            RegGetValueW(network, name, L"ProviderName", RRF_RT_REG_SZ, NULL, provider, &provider_size) !=
                ERROR_SUCCESS ||
            wcscmp(provider, PROVIDER_NAME) != 0)
            continue;
        local[0] = name[0];
        connect(local, remote, context);
    }
    RegCloseKey(network);
}
