/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdrlabuse.exe - connections from inside Wine, as "net use" has them; Wine's own net.exe has none. Only mpr.dll's
 * functions are called, so it would do the same on Windows.
 *
 * Exit status: 0 done; 1 refused, with the error; 2 wrong usage.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>
#include <winnetwk.h>

#include "password.h"
#include "remembered.h"

static const char usage[] =
    "usage: rdrlabuse [X:]\n"
    "       rdrlabuse [X:|*] \\\\server\\share [/user:NAME] [/passwordfile:FILE | /ask] [/persistent:yes|no]\n"
    "       rdrlabuse X:|\\\\server\\share /delete [/force]\n"
    "       rdrlabuse /restore\n\n"
    "Lists connections; maps a letter to a share (* is the next free one from Z: downwards), or connects without one, "
    "for\n"
    "UNC names; disconnects. The first line of FILE is the password; - is standard input. /ask asks for it at the "
    "console,\n"
    "which does not show it. /persistent:yes remembers the letter, without the password; /restore connects what is\n"
    "remembered.\n";

struct request {
    WCHAR local[4]; /* "X:", "*", or "" */
    WCHAR remote[512], user[256], file[MAX_PATH];
    bool has_user, ask, persistent, delete, force, restore;
};

/* ---- arguments ---- */

static bool refuse(const WCHAR *argument)
{
    fprintf(stderr, "rdrlabuse: %ls: not understood\n%s", argument, usage);
    return false;
}

static bool put(WCHAR *to, size_t size, const WCHAR *from)
{
    if (wcslen(from) >= size || !from[0])
        return false;
    wcscpy(to, from);
    return true;
}

static bool take_option(const WCHAR *option, struct request *request)
{
    if (_wcsnicmp(option, L"/user:", 6) == 0)
        return request->has_user = put(request->user, ARRAYSIZE(request->user), option + 6);
    if (_wcsnicmp(option, L"/passwordfile:", 14) == 0)
        return put(request->file, ARRAYSIZE(request->file), option + 14);
    if (_wcsicmp(option, L"/persistent:yes") == 0 || _wcsicmp(option, L"/persistent:no") == 0) {
        request->persistent = option[12] == 'y' || option[12] == 'Y';
        return true;
    }
    if (_wcsicmp(option, L"/ask") == 0)
        return request->ask = true;
    if (_wcsicmp(option, L"/delete") == 0 || _wcsicmp(option, L"/d") == 0)
        return request->delete = true;
    if (_wcsicmp(option, L"/force") == 0)
        return request->force = true;
    if (_wcsicmp(option, L"/restore") == 0)
        return request->restore = true;
    return false;
}

static bool is_letter(const WCHAR *text)
{
    return text[0] && text[1] == ':' && !text[2] && ((text[0] & ~0x20) >= 'A' && (text[0] & ~0x20) <= 'Z');
}

static bool take_place(const WCHAR *text, struct request *request)
{
    if (!request->local[0] && (is_letter(text) || wcscmp(text, L"*") == 0)) {
        wcscpy(request->local, text);
        if (text[1])
            request->local[0] &= ~0x20;
        return true;
    }
    if (request->remote[0] || !put(request->remote, ARRAYSIZE(request->remote), text))
        return false;
    /* Slashes are taken for backslashes: fewer of them get lost in shells. */
    for (WCHAR *at = request->remote; *at; at++)
        if (*at == '/')
            *at = '\\';
    return wcsncmp(request->remote, L"\\\\", 2) == 0;
}

static bool check(const struct request *request)
{
    bool named = request->remote[0], letter = request->local[0], any = request->local[0] == '*';
    bool password = request->ask || request->file[0];

    if (request->restore)
        return !letter && !named && !request->has_user && !request->delete;
    if (request->delete)
        return !any && letter != named && !request->has_user && !password && !request->persistent;
    return (named || !(any || request->has_user || request->persistent)) && !(request->ask && request->file[0]) &&
           !request->force && !(request->persistent && !letter) && !(password && !request->has_user);
}

static bool parse(int argc, WCHAR **argv, struct request *request)
{
    for (int i = 1; i < argc; i++) {
        bool option = argv[i][0] == '/' && argv[i][1] != '/';

        if (!(option ? take_option(argv[i], request) : take_place(argv[i], request)))
            return refuse(argv[i]);
    }
    if (check(request))
        return true;
    fputs(usage, stderr);
    return false;
}

/* ---- what is said ---- */

static const struct {
    DWORD error;
    const char *text;
} refusals[] = {
    {ERROR_ALREADY_ASSIGNED, "the letter is in use already; rdrlabuse lists it, /delete frees it"},
    {ERROR_NOT_CONNECTED, "there is no such connection; rdrlabuse lists those there are"},
    {ERROR_LOGON_FAILURE, "the server does not know that user with that password"},
    {ERROR_SESSION_CREDENTIAL_CONFLICT, "this machine is another user to that server already, and can be one only"},
    {ERROR_BAD_NETPATH, "no server of that name answers"},
    {ERROR_BAD_NET_NAME, "the server has no such share"},
    {ERROR_ACCESS_DENIED, "the server does not let that user have the share"},
    {ERROR_OPEN_FILES, "files are open on it; close them, or take it away from them with /force"},
    {ERROR_DEVICE_IN_USE, "it is still in use, though no file is open; /force takes it away"},
    {ERROR_NO_NETWORK, "no machine answers: RDRLAB_MACHINE names its folder"},
};

static int tell(const WCHAR *local, DWORD error)
{
    const char *text = "unknown";

    for (size_t i = 0; i < ARRAYSIZE(refusals); i++)
        if (refusals[i].error == error)
            text = refusals[i].text;
    fprintf(stderr, "rdrlabuse: %ls error %lu: %s\n", local, error, text);
    return 1;
}

/* What a connection is called by. */
static const WCHAR *place(const struct request *request)
{
    return request->local[0] ? request->local : request->remote;
}

/* ---- the list ---- */

struct listed {
    const WCHAR *only; /* a letter, "" for all */
    int shown;
    DWORD connected; /* bit 0 for A: */
};

static void show(struct listed *listed, const char *status, const WCHAR *local, const WCHAR *remote, const WCHAR *user)
{
    if (listed->only[0] && _wcsicmp(listed->only, local) != 0)
        return;
    if (listed->shown++ == 0)
        printf("%-13s %-6s %-30s %s\n", "Status", "Local", "Remote", "User");
    printf("%-13s %-6ls %-30ls %ls\n", status, local, remote, user);
}

static void show_remembered(WCHAR *local, WCHAR *remote, void *context)
{
    struct listed *listed = context;

    if (!(listed->connected >> ((local[0] & ~0x20) - 'A') & 1))
        show(listed, "Unavailable", local, remote, L"");
}

static void show_connected(struct listed *listed, const NETRESOURCEW *row)
{
    WCHAR user[257] = L"";
    const WCHAR *local = row->lpLocalName ? row->lpLocalName : L"";
    DWORD length = ARRAYSIZE(user);

    WNetGetUserW(local[0] ? local : row->lpRemoteName, user, &length);
    if (local[0])
        listed->connected |= 1u << ((local[0] & ~0x20) - 'A');
    show(listed, "OK", local, row->lpRemoteName, user[0] ? user : L"(anonymous)");
}

static int list(const WCHAR *only)
{
    static union {
        NETRESOURCEW first;
        char bytes[16384]; /* what MSDN advises */
    } buffer;
    struct listed listed = {.only = only};
    DWORD count, size, error;
    HANDLE handle;

    error = WNetOpenEnumW(RESOURCE_CONNECTED, RESOURCETYPE_DISK, 0, NULL, &handle);
    if (error != NO_ERROR)
        return tell(L"", error);
    for (;;) {
        count = 1;
        size = sizeof(buffer);
        error = WNetEnumResourceW(handle, &count, &buffer, &size);
        if (error != NO_ERROR)
            break;
        if (count == 1)
            show_connected(&listed, &buffer.first);
    }
    WNetCloseEnum(handle);
    if (error != ERROR_NO_MORE_ITEMS)
        return tell(L"", error);
    remembered_each(show_remembered, &listed);
    if (only[0] && !listed.shown)
        return tell(only, ERROR_NOT_CONNECTED);
    if (!listed.shown)
        puts("There are no connections.");
    return 0;
}

/* ---- mapping ---- */

static DWORD add_connection(const struct request *request, const WCHAR *password, WCHAR *ret_local, DWORD size)
{
    bool any = request->local[0] == '*';
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK,
                             .lpLocalName = any || !request->local[0] ? NULL : (WCHAR *)request->local,
                             .lpRemoteName = (WCHAR *)request->remote};
    DWORD result;

    return WNetUseConnectionW(NULL, &resource, password, request->has_user ? request->user : NULL,
                              (any ? CONNECT_REDIRECT : 0) | (request->persistent ? CONNECT_UPDATE_PROFILE : 0),
                              ret_local, &size, &result);
}

static int map(const struct request *request)
{
    WCHAR password[PASSWORD_MOST], prompt[800], local[MAX_PATH] = L"";
    bool has_password = request->ask || request->file[0];
    DWORD error = 0;

    if (request->ask) {
        _snwprintf(prompt, ARRAYSIZE(prompt), L"Password of %ls for %ls: ", request->user, request->remote);
        error = password_from_console(prompt, password);
    } else if (request->file[0]) {
        error = password_from_file(request->file, password);
    }
    if (error == ERROR_CANCELLED)
        return 1;
    if (error) {
        fprintf(stderr, "rdrlabuse: %ls: no password can be read (error %lu)\n",
                request->ask ? L"the console" : request->file, error);
        return 2;
    }
    error = add_connection(request, has_password ? password : NULL, local, ARRAYSIZE(local));
    SecureZeroMemory(password, sizeof(password));
    if (error)
        return tell(place(request), error);
    if (request->local[0])
        printf("%ls is %ls\n", local, request->remote);
    else
        printf("%ls is connected\n", request->remote);
    return 0;
}

/* A letter that is remembered and not connected is forgotten. */
static int unmap(const struct request *request)
{
    WCHAR key[] = L"Network\\X";
    bool letter = request->local[0];
    DWORD error = WNetCancelConnection2W(place(request), letter ? CONNECT_UPDATE_PROFILE : 0, request->force);

    key[8] = request->local[0];
    if (error == ERROR_NOT_CONNECTED && letter && RegDeleteKeyW(HKEY_CURRENT_USER, key) == ERROR_SUCCESS)
        error = NO_ERROR;
    if (error)
        return tell(place(request), error);
    printf("%ls is deleted\n", place(request));
    return 0;
}

static void restore(WCHAR *local, WCHAR *remote, void *context)
{
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = local, .lpRemoteName = remote};
    DWORD error = WNetAddConnection2W(&resource, NULL, NULL, 0);
    int *status = context;

    if (error == NO_ERROR)
        printf("%ls is %ls\n", local, remote);
    else if (error != ERROR_ALREADY_ASSIGNED)
        *status = tell(local, error);
}

int wmain(int argc, WCHAR **argv);

int wmain(int argc, WCHAR **argv)
{
    static struct request request;
    int status = 0;

    if (!parse(argc, argv, &request))
        return 2;
    if (request.restore) {
        remembered_each(restore, &status);
        return status;
    }
    if (request.delete)
        return unmap(&request);
    return request.remote[0] ? map(&request) : list(request.local);
}
