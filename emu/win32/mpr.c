/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mpr.c - WNetGetUniversalName and WNetGetUser.
 *
 * Windows' mpr asks the network provider for both. Wine 8's asks nobody: the first knows no path, or fails whatever it
 * is given, and the second names the Unix user. There is no service below them to stand in front of, so these functions
 * take their place.
 */
#include <string.h>

#include "services.h"
#include <winnetwk.h>

#include "client.h"
#include "connections.h"
#include "hook.h"
#include "info.h"
#include "mpr.h"

#define NAME_MOST 1024 /* characters of a connection, or of what is behind it */

static DWORD fail(DWORD error)
{
    if (error != WN_SUCCESS)
        SetLastError(error);
    return error;
}

/* ---- WNetGetUniversalName ---- */

struct names {
    WCHAR universal[2 * NAME_MOST], connection[NAME_MOST], rest[NAME_MOST];
};

static DWORD find_names(const WCHAR *path, struct names *names)
{
    size_t bytes;

    if (!path || !path[0] || path[1] != ':')
        return WN_BAD_LOCALNAME;
    if (!client_redirects(path[0]))
        return WN_NOT_CONNECTED;
    if (wcslen(path) > NAME_MOST ||
        info_connection((path[0] & ~0x20) - 'A', names->connection, sizeof(names->connection) - sizeof(WCHAR),
                        &bytes) != STATUS_SUCCESS)
        return WN_NOT_CONNECTED;
    names->connection[bytes / sizeof(WCHAR)] = '\0';
    wcscpy(names->rest, path + 2);
    wcscpy(names->universal, names->connection);
    wcscat(names->universal, names->rest);
    return WN_SUCCESS;
}

/* Both structures are pointers to strings, which lie behind them. unit: bytes of a character. */
static DWORD fill(void *buffer, DWORD *size, const void *const texts[], const size_t lengths[], size_t count,
                  size_t unit)
{
    size_t needed = count * sizeof(void *);
    char *place = (char *)buffer + needed;

    for (size_t i = 0; i < count; i++)
        needed += (lengths[i] + 1) * unit;
    if (!buffer || *size < needed) {
        *size = (DWORD)needed;
        return WN_MORE_DATA;
    }
    for (size_t i = 0; i < count; i++) {
        ((void **)buffer)[i] = place;
        memcpy(place, texts[i], (lengths[i] + 1) * unit);
        place += (lengths[i] + 1) * unit;
    }
    return WN_SUCCESS;
}

static DWORD WINAPI get_universal_name_w(const WCHAR *path, DWORD level, void *buffer, DWORD *size)
{
    struct names names;
    const void *const texts[] = {names.universal, names.connection, names.rest};
    size_t lengths[3];
    DWORD error;

    if (!size)
        return fail(WN_BAD_POINTER);
    if (level != UNIVERSAL_NAME_INFO_LEVEL && level != REMOTE_NAME_INFO_LEVEL)
        return fail(WN_BAD_LEVEL);
    error = find_names(path, &names);
    if (error != WN_SUCCESS)
        return fail(error);
    for (int i = 0; i < 3; i++)
        lengths[i] = wcslen(texts[i]);
    return fail(fill(buffer, size, texts, lengths, level == REMOTE_NAME_INFO_LEVEL ? 3 : 1, sizeof(WCHAR)));
}

static DWORD WINAPI get_universal_name_a(const char *path, DWORD level, void *buffer, DWORD *size)
{
    struct names names;
    WCHAR wide[NAME_MOST + 1];
    char narrow[3][4 * NAME_MOST];
    const void *const texts[] = {narrow[0], narrow[1], narrow[2]};
    const WCHAR *const from[] = {names.universal, names.connection, names.rest};
    size_t lengths[3];
    DWORD error;

    if (!size)
        return fail(WN_BAD_POINTER);
    if (level != UNIVERSAL_NAME_INFO_LEVEL && level != REMOTE_NAME_INFO_LEVEL)
        return fail(WN_BAD_LEVEL);
    if (!path || !MultiByteToWideChar(CP_ACP, 0, path, -1, wide, ARRAYSIZE(wide)))
        return fail(WN_BAD_LOCALNAME);
    error = find_names(wide, &names);
    if (error != WN_SUCCESS)
        return fail(error);
    for (int i = 0; i < 3; i++) {
        if (!WideCharToMultiByte(CP_ACP, 0, from[i], -1, narrow[i], sizeof(narrow[i]), NULL, NULL))
            return fail(WN_BAD_LOCALNAME);
        lengths[i] = strlen(narrow[i]);
    }
    return fail(fill(buffer, size, texts, lengths, level == REMOTE_NAME_INFO_LEVEL ? 3 : 1, 1));
}

/* ---- WNetGetUser ---- */

/* X: or \\server\share, as the connection is named in the list. */
static bool is_named(const struct connection *row, const WCHAR *name)
{
    if (name[0] && name[1] == ':' && (!name[2] || (name[2] == '\\' && !name[3])))
        return row->letter && (name[0] & ~0x20) == row->letter;
    return CompareStringOrdinal(row->remote, -1, name, -1, TRUE) == CSTR_EQUAL;
}

static DWORD find_user(const WCHAR *name, WCHAR *user, size_t size)
{
    struct connections list;
    DWORD error = WN_NOT_CONNECTED;

    if (!NT_SUCCESS(connections_list(&list)))
        return WN_NO_NETWORK;
    for (size_t i = 0; i < list.count && error != WN_SUCCESS; i++) {
        if (!is_named(&list.rows[i], name))
            continue;
        wcsncpy(user, list.rows[i].user, size - 1);
        user[size - 1] = '\0';
        error = WN_SUCCESS;
    }
    connections_free(&list);
    return error;
}

static DWORD WINAPI get_user_w(const WCHAR *name, WCHAR *buffer, DWORD *size)
{
    WCHAR user[257] = L"";
    DWORD length = ARRAYSIZE(user), error = WN_SUCCESS;

    if (!size)
        return fail(WN_BAD_POINTER);
    if (name && name[0])
        error = find_user(name, user, ARRAYSIZE(user));
    else if (!GetUserNameW(user, &length))
        error = GetLastError();
    if (error != WN_SUCCESS)
        return fail(error);
    length = (DWORD)wcslen(user) + 1;
    if (!buffer || *size < length) {
        *size = length;
        return fail(WN_MORE_DATA);
    }
    wcscpy(buffer, user);
    return WN_SUCCESS;
}

static DWORD WINAPI get_user_a(const char *name, char *buffer, DWORD *size)
{
    WCHAR wide[NAME_MOST], user[257];
    DWORD length = ARRAYSIZE(user), error, needed;

    if (!size)
        return fail(WN_BAD_POINTER);
    if (name && !MultiByteToWideChar(CP_ACP, 0, name, -1, wide, ARRAYSIZE(wide)))
        return fail(WN_NOT_CONNECTED);
    error = get_user_w(name ? wide : NULL, user, &length);
    if (error != WN_SUCCESS)
        return error;
    needed = (DWORD)WideCharToMultiByte(CP_ACP, 0, user, -1, NULL, 0, NULL, NULL);
    if (!buffer || *size < needed) {
        *size = needed;
        return fail(WN_MORE_DATA);
    }
    WideCharToMultiByte(CP_ACP, 0, user, -1, buffer, (int)*size, NULL, NULL);
    return WN_SUCCESS;
}

/* ---- in mpr's place ---- */

void mpr_complete(void)
{
    static const struct {
        const char *name;
        void *replacement;
    } functions[] = {{"WNetGetUniversalNameW", (void *)get_universal_name_w},
                     {"WNetGetUniversalNameA", (void *)get_universal_name_a},
                     {"WNetGetUserW", (void *)get_user_w},
                     {"WNetGetUserA", (void *)get_user_a}};
    HMODULE mpr = GetModuleHandleW(L"mpr.dll");

    for (size_t i = 0; mpr && i < ARRAYSIZE(functions); i++) {
        void *function = (void *)GetProcAddress(mpr, functions[i].name);

        if (function)
            hook_replace(function, functions[i].replacement);
    }
}
