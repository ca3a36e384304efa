/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client.h"
#include "connections.h"

/* Of the machine's rows only so many: more than letters and connections without one that it keeps unused. */
#define ROWS_MOST 128

/* The bytes of one part of the listing are appended to what there is. */
static NTSTATUS append(void **text, size_t *length, const unsigned char *rows, size_t bytes)
{
    HANDLE heap = GetProcessHeap();
    void *longer = *text ? HeapReAlloc(heap, 0, *text, *length + bytes) : HeapAlloc(heap, 0, *length + bytes);

    if (!longer)
        return STATUS_NO_MEMORY;
    memcpy((char *)longer + *length, rows, bytes);
    *text = longer;
    *length += bytes;
    return STATUS_SUCCESS;
}

static bool is_row(const struct wire_connection *row, size_t left)
{
    return row->length <= left && row->length >= sizeof(*row) && row->length % 8 == 0 &&
           row->remote_length <= row->length - sizeof(*row) &&
           row->user_length <= row->length - sizeof(*row) - row->remote_length;
}

/* One request. *next is what asks for the rest, 0: that was all. */
static NTSTATUS list_part(uint32_t *next, void **text, size_t *length)
{
    struct wire_list_connections request = {*next, 0};
    struct wire_done done;
    struct wire_connection row;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_LIST_CONNECTIONS);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), sizeof(done));
    *next = 0;
    if (NT_SUCCESS(status)) {
        const unsigned char *rows = call.body + sizeof(done);
        size_t bytes = call.reply_bytes - sizeof(done);

        for (size_t at = 0; bytes - at >= sizeof(row); at += row.length) {
            memcpy(&row, rows + at, sizeof(row));
            if (!is_row(&row, bytes - at)) {
                status = STATUS_UNEXPECTED_NETWORK_ERROR;
                break;
            }
            *next = row.number + 1;
        }
        if (NT_SUCCESS(status))
            status = append(text, length, rows, bytes);
    }
    call_end(&call);
    return status;
}

/* And not only remembered, or about to be. */
static bool is_connected(const struct wire_connection *row)
{
    return row->status == WIRE_USE_OK || row->status == WIRE_USE_DISCONNECTED;
}

/* Both names are moved towards the front of their row, where there is room for terminators: the row was read already.
 */
static void take_row(struct connection *ret, unsigned char *place, const struct wire_connection *row)
{
    WCHAR *remote = (WCHAR *)(void *)place;
    size_t count = row->remote_length / sizeof(WCHAR), user = row->user_length / sizeof(WCHAR);

    memmove(remote, place + sizeof(*row), row->remote_length);
    remote[count] = '\0';
    ret->user = remote + count + 1;
    memmove(ret->user, place + sizeof(*row) + row->remote_length, row->user_length);
    ret->user[user] = '\0';
    ret->letter = row->letter < WIRE_LETTERS ? (WCHAR)('A' + row->letter) : 0;
    ret->remote = remote;
    for (ret->server = count < 2 ? count : 2; ret->server < count && remote[ret->server] != '\\';)
        ret->server++;
}

NTSTATUS connections_list(struct connections *ret_list)
{
    struct connections list = {0};
    struct wire_connection row;
    size_t length = 0;
    uint32_t next = 0;
    NTSTATUS status;

    do {
        status = list_part(&next, &list.text, &length);
    } while (NT_SUCCESS(status) && next);
    if (NT_SUCCESS(status) && !(list.rows = HeapAlloc(GetProcessHeap(), 0, ROWS_MOST * sizeof(*list.rows))))
        status = STATUS_NO_MEMORY;
    if (!NT_SUCCESS(status)) {
        connections_free(&list);
        return status;
    }
    for (size_t at = 0; at < length && list.count < ROWS_MOST; at += row.length) {
        memcpy(&row, (unsigned char *)list.text + at, sizeof(row));
        if (is_connected(&row))
            take_row(&list.rows[list.count++], (unsigned char *)list.text + at, &row);
    }
    *ret_list = list;
    return STATUS_SUCCESS;
}

void connections_free(struct connections *list)
{
    if (list->rows)
        HeapFree(GetProcessHeap(), 0, list->rows);
    if (list->text)
        HeapFree(GetProcessHeap(), 0, list->text);
    *list = (struct connections){0};
}
