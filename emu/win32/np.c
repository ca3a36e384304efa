/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * np.c - the network provider: what mpr.dll calls for WNetAddConnection2 and WNetCancelConnection2.
 *
 * Connecting is the machine's doing. Here names are checked, statuses become Win32 errors, and Wine is told
 * of the letter.
 */
#include <string.h>

#ifndef UNICODE
#define UNICODE /* npapi.h has passwords as LPTSTR */
#endif
#include "services.h"
#include <npapi.h>

#include "client.h"
#include "drives.h"
#include "info.h"
#include "mpr.h"
#include "provider.h"
#include "report.h"

#define DEVICE_PREFIX L"\\Device\\LanmanRedirector\\"

DWORD WINAPI NPAddConnection(LPNETRESOURCEW resource, LPWSTR password, LPWSTR user);

#define OTHER_COPY(name) ((__typeof__(name) *)(void *)GetProcAddress(provider_other_copy(), #name))

DWORD WINAPI NPGetCaps(DWORD index)
{
    if (provider_other_copy())
        return OTHER_COPY(NPGetCaps)(index);
    if (provider_available())
        mpr_complete();
    switch (index) {
    case WNNC_SPEC_VERSION:
        return WNNC_SPEC_VERSION51;
    case WNNC_NET_TYPE:
        return WNNC_NET_LANMAN;
    case WNNC_DRIVER_VERSION:
        return 1;
    case WNNC_CONNECTION:
        /* Also when it can do nothing: a provider without connections gives ERROR_BAD_PROVIDER, which misleads. */
        return WNNC_CON_ADDCONNECTION | WNNC_CON_CANCELCONNECTION | WNNC_CON_GETCONNECTIONS | WNNC_CON_ADDCONNECTION3;
    case WNNC_ENUMERATION:
        return WNNC_ENUM_GLOBAL | WNNC_ENUM_LOCAL;
    case WNNC_DIALOG:
        return WNNC_DLG_GETRESOURCEINFORMATION;
    case WNNC_START:
        return provider_available() ? 1 : 0;
    default:
        return 0;
    }
}

static DWORD win32_error(NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS:
        return WN_SUCCESS;
    case STATUS_OBJECT_NAME_COLLISION:
        return ERROR_ALREADY_ASSIGNED;
    case STATUS_OBJECT_NAME_NOT_FOUND:
        return ERROR_NOT_CONNECTED;
    case STATUS_REVISION_MISMATCH:
        return ERROR_NO_NETWORK;
    default:
        return RtlNtStatusToDosError(status);
    }
}

/* X: in either case, with nothing behind it but perhaps a backslash. */
static bool parse_letter(const WCHAR *name, ULONG *ret_letter)
{
    WCHAR upper;

    if (!name || !name[0] || name[1] != ':' || (name[2] && (name[2] != '\\' || name[3])))
        return false;
    upper = name[0] & ~0x20;
    if (upper < 'A' || upper > 'Z')
        return false;
    *ret_letter = upper - 'A';
    return true;
}

/* \\server\share, both parts there, nothing behind them but perhaps a backslash, which is not counted. */
static bool parse_remote(const WCHAR *name, size_t *ret_length)
{
    size_t length, separator = 2;

    if (!name || name[0] != '\\' || name[1] != '\\')
        return false;
    while (name[separator] && name[separator] != '\\')
        separator++;
    if (separator == 2 || name[separator] != '\\')
        return false;
    length = separator + 1;
    while (name[length] && name[length] != '\\')
        length++;
    if (length == separator + 1 || (name[length] && name[length + 1]))
        return false;
    *ret_length = length;
    return true;
}

/* A letter of Wine's own, C: say. One that a machine which has ended left behind is not. */
static bool letter_is_local(ULONG letter)
{
    static const WCHAR prefix[] = DEVICE_PREFIX;
    WCHAR name[] = {(WCHAR)('A' + letter), ':', 0};
    WCHAR target[MAX_PATH];

    if (!QueryDosDeviceW(name, target, MAX_PATH))
        return GetLogicalDrives() >> letter & 1;
    return wcsncmp(target, prefix, ARRAYSIZE(prefix) - 1) != 0;
}

static NTSTATUS add_connection(ULONG letter, const WCHAR *remote, size_t remote_length, const WCHAR *user,
                               const WCHAR *password)
{
    struct wire_add_connection request = {.letter = letter,
                                          .remote_length = (uint32_t)(remote_length * sizeof(WCHAR)),
                                          .user_length = user ? (uint32_t)(wcslen(user) * sizeof(WCHAR)) : 0,
                                          .password_length =
                                              password ? (uint32_t)(wcslen(password) * sizeof(WCHAR)) : 0,
                                          .has_password = password != NULL};
    struct call call;
    unsigned char *at;
    NTSTATUS status;

    if (request.remote_length > 2048 || request.user_length > 2048 || request.password_length > 2048)
        return STATUS_INVALID_PARAMETER;
    status = call_begin(&call, WIRE_ADD_CONNECTION);
    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    at = call.body + sizeof(request);
    memcpy(at, remote, request.remote_length);
    at += request.remote_length;
    if (request.user_length)
        memcpy(at, user, request.user_length);
    at += request.user_length;
    if (request.password_length)
        memcpy(at, password, request.password_length);
    status = call_exchange(&call, (size_t)(at - call.body) + request.password_length, 0);
    /* The slot's memory stays; the password does not. */
    SecureZeroMemory(at, request.password_length);
    call_end(&call);
    return status;
}

/*
 * Without a letter nothing is remembered, whatever CONNECT_UPDATE_PROFILE says (documented: WNetAddConnection2). Wine's
 * mpr reads the local name all the same, which may be NULL, and puts what it finds there into the registry; a printer's
 * connection it leaves alone (observed: 8.0; 10.0 by its disassembly). The structure is its own copy.
 */
static void keep_out_of_profile(NETRESOURCEW *resource)
{
    resource->dwType = RESOURCETYPE_PRINT;
}

DWORD WINAPI NPAddConnection3(HWND owner, LPNETRESOURCEW resource, LPWSTR password, LPWSTR user, DWORD flags)
{
    ULONG letter = WIRE_NO_LETTER;
    size_t remote_length;
    NTSTATUS status;

    if (provider_other_copy())
        return OTHER_COPY(NPAddConnection3)(owner, resource, password, user, flags);
    if (!provider_available())
        return WN_NO_NETWORK;
    if (!resource)
        return WN_BAD_POINTER;
    if (resource->dwType != RESOURCETYPE_DISK && resource->dwType != RESOURCETYPE_ANY)
        return WN_BAD_DEV_TYPE;
    if (resource->lpLocalName && resource->lpLocalName[0] && !parse_letter(resource->lpLocalName, &letter))
        return WN_BAD_LOCALNAME;
    if (!parse_remote(resource->lpRemoteName, &remote_length))
        return WN_BAD_NETNAME;
    if (client_connect(true) != STATUS_SUCCESS)
        return WN_NO_NETWORK;
    if (letter != WIRE_NO_LETTER && (client_redirects((WCHAR)('A' + letter)) || letter_is_local(letter)))
        return WN_ALREADY_CONNECTED;
    status = add_connection(letter, resource->lpRemoteName, remote_length, user, password);
    if (status == STATUS_SUCCESS && letter == WIRE_NO_LETTER)
        keep_out_of_profile(resource);
    else if (status == STATUS_SUCCESS)
        drives_show(); /* also for programs without a machine: they see the letter, and cannot open it */
    return win32_error(status);
}

DWORD WINAPI NPAddConnection(LPNETRESOURCEW resource, LPWSTR password, LPWSTR user)
{
    return NPAddConnection3(NULL, resource, password, user, 0);
}

/* A letter's, or with WIRE_NO_LETTER what is connected to `remote` without one. */
static NTSTATUS cancel_connection(ULONG letter, const WCHAR *remote, size_t remote_length, BOOL force)
{
    struct wire_cancel_connection request = {
        .letter = letter, .force = force != FALSE, .remote_length = (uint32_t)(remote_length * sizeof(WCHAR))};
    struct call call;
    NTSTATUS status;

    if (request.remote_length > 2048)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    status = call_begin(&call, WIRE_CANCEL_CONNECTION);
    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    if (request.remote_length)
        memcpy(call.body + sizeof(request), remote, request.remote_length);
    status = call_exchange(&call, sizeof(request) + request.remote_length, 0);
    call_end(&call);
    return status;
}

DWORD WINAPI NPCancelConnection(LPWSTR name, BOOL force)
{
    size_t remote_length;
    NTSTATUS status;
    ULONG letter;

    if (provider_other_copy())
        return OTHER_COPY(NPCancelConnection)(name, force);
    if (!provider_available())
        return WN_NO_NETWORK;
    if (parse_remote(name, &remote_length))
        return client_connect(true) == STATUS_SUCCESS
                   ? win32_error(cancel_connection(WIRE_NO_LETTER, name, remote_length, force))
                   : WN_NO_NETWORK;
    if (!parse_letter(name, &letter) || client_connect(false) != STATUS_SUCCESS ||
        !client_redirects((WCHAR)('A' + letter)))
        return WN_NOT_CONNECTED;
    status = cancel_connection(letter, NULL, 0, force);
    if (status == STATUS_SUCCESS)
        drives_show();
    return win32_error(status);
}

DWORD WINAPI NPGetConnection(LPWSTR local, LPWSTR remote, LPDWORD length)
{
    WCHAR name[1024];
    ULONG letter;
    size_t bytes;
    DWORD needed;

    if (provider_other_copy())
        return OTHER_COPY(NPGetConnection)(local, remote, length);
    if (!length)
        return WN_BAD_POINTER;
    if (!provider_available() || !parse_letter(local, &letter) || client_connect(false) != STATUS_SUCCESS ||
        !client_redirects((WCHAR)('A' + letter)) ||
        info_connection(letter, name, sizeof(name), &bytes) != STATUS_SUCCESS)
        return WN_NOT_CONNECTED;
    needed = (DWORD)(bytes / sizeof(WCHAR)) + 1;
    if (*length < needed || !remote) {
        *length = needed;
        return WN_MORE_DATA;
    }
    memcpy(remote, name, bytes);
    remote[needed - 1] = '\0';
    return WN_SUCCESS;
}
