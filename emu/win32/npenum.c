/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * npenum.c - the network provider: what mpr.dll calls for WNetOpenEnum and WNetGetResourceInformation.
 *
 * There is no browsing, and no list of servers on a network: the network is what is in use. Its servers are containers
 * of the shares that are connected, by a letter or without one. RESOURCE_CONNECTED is the connections: letters, and
 * those without one.
 */
#include <string.h>

#ifndef UNICODE
#define UNICODE /* npapi.h has passwords as LPTSTR */
#endif
#include "services.h"
#include <npapi.h>

#include "client.h"
#include "connections.h"
#include "provider.h"

#define OTHER_COPY(name) ((__typeof__(name) *)(void *)GetProcAddress(provider_other_copy(), #name))

/* The name that mpr knows this provider by: Services\rdrlabnp\NetworkProvider!Name. */
#define PROVIDER_NAME L"Microsoft Windows Network"

/* mingw-w64's npapi.h has these two, but not for who implements them. */
DWORD WINAPI NPCloseEnum(HANDLE handle);

enum kind { CONNECTIONS, SERVERS, SHARES };

struct enumeration {
    enum kind kind;
    size_t next; /* row */
    struct connections list;
    size_t server_length;
    WCHAR server[MAX_PATH]; /* of SHARES: \\server */
};

static bool same_name(const WCHAR *left, size_t left_length, const WCHAR *right, size_t right_length)
{
    return CompareStringOrdinal(left, (int)left_length, right, (int)right_length, TRUE) == CSTR_EQUAL;
}

static bool is_on(const struct connection *row, const WCHAR *server, size_t length)
{
    return same_name(row->remote, row->server, server, length);
}

/* Whether the row is the first of its server, or of its share. */
static bool is_first(const struct enumeration *all, size_t row)
{
    const struct connection *it = &all->list.rows[row];
    size_t length = all->kind == SERVERS ? it->server : wcslen(it->remote);

    for (size_t i = 0; i < row; i++) {
        const struct connection *other = &all->list.rows[i];
        size_t its = all->kind == SERVERS ? other->server : wcslen(other->remote);

        if (same_name(it->remote, length, other->remote, its))
            return false;
    }
    return true;
}

static bool belongs(const struct enumeration *all, size_t row)
{
    const struct connection *it = &all->list.rows[row];

    if (all->kind == CONNECTIONS)
        return true;
    return is_first(all, row) && (all->kind == SERVERS || is_on(it, all->server, all->server_length));
}

/* ---- opening ---- */

/* \\server of `name`, with nothing behind it but perhaps a backslash. 0: it is no server's name. */
static size_t server_of(const WCHAR *name)
{
    size_t length = 2;

    if (name[0] != '\\' || name[1] != '\\')
        return 0;
    while (name[length] && name[length] != '\\')
        length++;
    return length == 2 || (name[length] && name[length + 1]) ? 0 : length;
}

static bool has_server(const struct enumeration *all)
{
    for (size_t i = 0; i < all->list.count; i++)
        if (is_on(&all->list.rows[i], all->server, all->server_length))
            return true;
    return false;
}

static DWORD choose_kind(struct enumeration *all, DWORD scope, const NETRESOURCEW *from)
{
    const WCHAR *name = from ? from->lpRemoteName : NULL;

    if (scope == RESOURCE_CONNECTED) {
        all->kind = CONNECTIONS;
        return WN_SUCCESS;
    }
    /* Wine asks for it all the same, and puts what it gets where its caller does not look. */
    if (scope == RESOURCE_CONTEXT)
        return WN_NO_MORE_ENTRIES;
    if (scope != RESOURCE_GLOBALNET)
        return WN_NOT_SUPPORTED;
    if (!name || !name[0] || wcscmp(name, PROVIDER_NAME) == 0) {
        all->kind = SERVERS;
        return WN_SUCCESS;
    }
    all->kind = SHARES;
    all->server_length = server_of(name);
    if (all->server_length == 0)
        return name[0] == '\\' && name[1] == '\\' ? WN_NOT_CONTAINER : WN_BAD_NETNAME;
    if (all->server_length >= ARRAYSIZE(all->server))
        return WN_BAD_NETNAME;
    memcpy(all->server, name, all->server_length * sizeof(WCHAR));
    return has_server(all) ? WN_SUCCESS : WN_BAD_NETNAME;
}

/* What the caller wants none of is not listed: printers always, and of servers and shares what is not as he uses it. */
static void choose_rows(struct enumeration *all, DWORD type, DWORD usage)
{
    DWORD its = all->kind == SERVERS ? RESOURCEUSAGE_CONTAINER : RESOURCEUSAGE_CONNECTABLE;
    DWORD asked = usage & (RESOURCEUSAGE_CONTAINER | RESOURCEUSAGE_CONNECTABLE);

    if ((type != RESOURCETYPE_ANY && !(type & RESOURCETYPE_DISK)) ||
        (all->kind != CONNECTIONS && asked && !(asked & its)))
        all->next = all->list.count;
}

DWORD WINAPI NPOpenEnum(DWORD scope, DWORD type, DWORD usage, LPNETRESOURCEW from, LPHANDLE ret_handle)
{
    struct enumeration *all;
    NTSTATUS status;
    DWORD error;

    if (provider_other_copy())
        return OTHER_COPY(NPOpenEnum)(scope, type, usage, from, ret_handle);
    if (!ret_handle)
        return WN_BAD_POINTER;
    if (!provider_available() || client_connect(true) != STATUS_SUCCESS)
        return WN_NO_NETWORK;
    all = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*all));
    if (!all)
        return WN_OUT_OF_MEMORY;
    status = connections_list(&all->list);
    error = NT_SUCCESS(status) ? choose_kind(all, scope, from) : RtlNtStatusToDosError(status);
    if (error != WN_SUCCESS) {
        NPCloseEnum(all);
        return error;
    }
    choose_rows(all, type, usage);
    *ret_handle = all;
    return WN_SUCCESS;
}

DWORD WINAPI NPCloseEnum(HANDLE handle)
{
    struct enumeration *all = handle;

    if (provider_other_copy())
        return OTHER_COPY(NPCloseEnum)(handle);
    if (!all)
        return WN_BAD_HANDLE;
    connections_free(&all->list);
    HeapFree(GetProcessHeap(), 0, all);
    return WN_SUCCESS;
}

/* ---- rows ---- */

/* A caller's buffer: structures from its front, strings from its end. */
struct output {
    NETRESOURCEW *row;
    char *end;
};

static bool has_room(const struct output *output, size_t bytes)
{
    return (size_t)(output->end - (char *)output->row) >= bytes;
}

static WCHAR *put_text(struct output *output, const WCHAR *text, size_t length)
{
    WCHAR *place = (WCHAR *)(void *)(output->end - (length + 1) * sizeof(WCHAR));

    memcpy(place, text, length * sizeof(WCHAR));
    place[length] = '\0';
    output->end = (char *)place;
    return place;
}

#define NAME_BYTES(length) (((length) + 1) * sizeof(WCHAR))

/* False: there is no room; *needed says how much it takes. */
static bool put_resource(struct output *output, const NETRESOURCEW *resource, size_t remote_length, size_t *needed)
{
    size_t provider = ARRAYSIZE(PROVIDER_NAME) - 1, local = resource->lpLocalName ? wcslen(resource->lpLocalName) : 0;
    NETRESOURCEW *row = output->row;

    *needed = sizeof(*row) + NAME_BYTES(remote_length) + NAME_BYTES(provider) +
              (resource->lpLocalName ? NAME_BYTES(local) : 0);
    if (!has_room(output, *needed))
        return false;
    *row = *resource;
    if (resource->lpLocalName)
        row->lpLocalName = put_text(output, resource->lpLocalName, local);
    row->lpRemoteName = put_text(output, resource->lpRemoteName, remote_length);
    row->lpProvider = put_text(output, PROVIDER_NAME, provider);
    output->row++;
    return true;
}

static bool put_row(const struct enumeration *all, struct output *output, size_t *needed)
{
    const struct connection *it = &all->list.rows[all->next];
    /* "" of a connection without a letter: Wine's mpr reads the name of each (measured: 8.0), and NULL, which it is
     * documented to be, makes it crash. */
    WCHAR local[] = {it->letter, it->letter ? ':' : '\0', 0};
    NETRESOURCEW resource = {.dwScope = all->kind == CONNECTIONS ? RESOURCE_CONNECTED : RESOURCE_GLOBALNET,
                             .dwType = all->kind == SERVERS ? RESOURCETYPE_ANY : RESOURCETYPE_DISK,
                             .dwDisplayType =
                                 all->kind == SERVERS ? RESOURCEDISPLAYTYPE_SERVER : RESOURCEDISPLAYTYPE_SHARE,
                             .dwUsage = all->kind == SERVERS ? RESOURCEUSAGE_CONTAINER : RESOURCEUSAGE_CONNECTABLE,
                             .lpLocalName = all->kind == CONNECTIONS ? local : NULL,
                             .lpRemoteName = it->remote};

    return put_resource(output, &resource, all->kind == SERVERS ? it->server : wcslen(it->remote), needed);
}

DWORD WINAPI NPEnumResource(HANDLE handle, LPDWORD count, LPVOID buffer, LPDWORD size)
{
    struct enumeration *all = handle;
    struct output output;
    DWORD wanted, done = 0;
    size_t needed = 0;
    bool full = false;

    if (provider_other_copy())
        return OTHER_COPY(NPEnumResource)(handle, count, buffer, size);
    if (!all)
        return WN_BAD_HANDLE;
    if (!count || !buffer || !size)
        return WN_BAD_POINTER;
    wanted = *count;
    output = (struct output){buffer, (char *)buffer + (*size & ~(DWORD)1)};
    for (; all->next < all->list.count && done < wanted && !full; all->next += !full) {
        if (!belongs(all, all->next))
            continue;
        full = !put_row(all, &output, &needed);
        done += !full;
    }
    if (full && done == 0) {
        /* The count is left alone: Wine takes one of 0 for the end, whatever is said. */
        *size = (DWORD)needed;
        return WN_MORE_DATA;
    }
    *count = done;
    return done ? WN_SUCCESS : WN_NO_MORE_ENTRIES;
}

/* ---- what a name is ---- */

/* Characters of \\server\share; those of \\server if there is no share, or 0. */
static size_t split(const WCHAR *name, size_t *ret_server)
{
    size_t at = 2;

    *ret_server = 0;
    if (name[0] != '\\' || name[1] != '\\')
        return 0;
    while (name[at] && name[at] != '\\')
        at++;
    *ret_server = at > 2 ? at : 0;
    if (*ret_server == 0 || !name[at] || !name[at + 1])
        return *ret_server;
    for (at++; name[at] && name[at] != '\\';)
        at++;
    return at;
}

static DWORD check_server(const WCHAR *name, size_t length)
{
    struct connections list;
    DWORD error = WN_BAD_NETNAME;

    if (!NT_SUCCESS(connections_list(&list)))
        return WN_NO_NETWORK;
    for (size_t i = 0; i < list.count; i++)
        if (is_on(&list.rows[i], name, length))
            error = WN_SUCCESS;
    connections_free(&list);
    return error;
}

/* By opening it as any program would: the redirector connects, and its error is the answer. */
static DWORD check_share(const WCHAR *name, size_t length)
{
    WCHAR share[MAX_PATH];

    if (length >= ARRAYSIZE(share))
        return WN_BAD_NETNAME;
    memcpy(share, name, length * sizeof(WCHAR));
    share[length] = '\0';
    return GetFileAttributesW(share) != INVALID_FILE_ATTRIBUTES ? WN_SUCCESS : GetLastError();
}

DWORD WINAPI NPGetResourceInformation(LPNETRESOURCEW asked, LPVOID buffer, LPDWORD size, LPWSTR *ret_rest)
{
    struct output output;
    NETRESOURCEW resource;
    size_t server, length, rest, needed;
    DWORD error;

    if (provider_other_copy())
        return OTHER_COPY(NPGetResourceInformation)(asked, buffer, size, ret_rest);
    if (!asked || !buffer || !size || !ret_rest)
        return WN_BAD_POINTER;
    if (!provider_available() || client_connect(true) != STATUS_SUCCESS)
        return WN_NO_NETWORK;
    length = asked->lpRemoteName ? split(asked->lpRemoteName, &server) : 0;
    if (length == 0)
        return WN_BAD_NETNAME;
    error = length == server ? check_server(asked->lpRemoteName, length) : check_share(asked->lpRemoteName, length);
    if (error != WN_SUCCESS)
        return error;
    resource =
        (NETRESOURCEW){.dwType = length == server ? RESOURCETYPE_ANY : RESOURCETYPE_DISK,
                       .dwDisplayType = length == server ? RESOURCEDISPLAYTYPE_SERVER : RESOURCEDISPLAYTYPE_SHARE,
                       .dwUsage = length == server ? RESOURCEUSAGE_CONTAINER : RESOURCEUSAGE_CONNECTABLE,
                       .lpRemoteName = asked->lpRemoteName};
    rest = length == server ? 0 : wcslen(asked->lpRemoteName + length);
    output = (struct output){buffer, (char *)buffer + (*size & ~(DWORD)1)};
    if (!put_resource(&output, &resource, length, &needed) || (rest && !has_room(&output, NAME_BYTES(rest)))) {
        *size = (DWORD)(needed + NAME_BYTES(rest));
        return WN_MORE_DATA;
    }
    *ret_rest = rest ? put_text(&output, asked->lpRemoteName + length, rest) : NULL;
    return WN_SUCCESS;
}
