/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ntclient.c - messages, the connection, and what callers see. See ntclient.h. */
#include "ntclient_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_SECONDS 20

/* ---- messages: little-endian, whatever the host is ---- */

void nt_put(struct nt_message *message, const void *data, size_t length)
{
    if (length > sizeof(message->data) - message->length) {
        message->overflow = TRUE;
        return;
    }
    memcpy(message->data + message->length, data, length);
    message->length += length;
}

void nt_put_zero(struct nt_message *message, size_t length)
{
    static const UCHAR zero[128];

    nt_put(message, zero, length);
}

void nt_put8(struct nt_message *message, UCHAR value)
{
    nt_put(message, &value, 1);
}

void nt_put16(struct nt_message *message, USHORT value)
{
    const UCHAR bytes[2] = {(UCHAR)value, (UCHAR)(value >> 8)};

    nt_put(message, bytes, sizeof(bytes));
}

void nt_put32(struct nt_message *message, ULONG value)
{
    nt_put16(message, (USHORT)value);
    nt_put16(message, (USHORT)(value >> 16));
}

void nt_put64(struct nt_message *message, ULONGLONG value)
{
    nt_put32(message, (ULONG)value);
    nt_put32(message, (ULONG)(value >> 32));
}

size_t nt_put_utf16(struct nt_message *message, const char *text, BOOLEAN upper_case)
{
    const size_t start = message->length;
    const UCHAR *p = (const UCHAR *)text;

    while (*p != 0) {
        USHORT unit = *p++;

        if (unit >= 0xE0 && p[0] != 0 && p[1] != 0) {
            unit = (USHORT)((unit & 0x0F) << 12 | (p[0] & 0x3F) << 6 | (p[1] & 0x3F));
            p += 2;
        } else if (unit >= 0xC0 && p[0] != 0) {
            unit = (USHORT)((unit & 0x1F) << 6 | (p[0] & 0x3F));
            p++;
        }
        if (upper_case && unit >= 'a' && unit <= 'z')
            unit = (USHORT)(unit - 'a' + 'A');
        nt_put16(message, unit);
    }
    return message->length - start;
}

void nt_set16(struct nt_message *message, size_t offset, USHORT value)
{
    message->data[offset] = (UCHAR)value;
    message->data[offset + 1] = (UCHAR)(value >> 8);
}

void nt_set32(struct nt_message *message, size_t offset, ULONG value)
{
    nt_set16(message, offset, (USHORT)value);
    nt_set16(message, offset + 2, (USHORT)(value >> 16));
}

USHORT nt_get16(const struct nt_message *message, size_t offset)
{
    if (offset + 2 > message->length)
        return 0;
    return (USHORT)(message->data[offset] | message->data[offset + 1] << 8);
}

ULONG nt_get32(const struct nt_message *message, size_t offset)
{
    return nt_get16(message, offset) | (ULONG)nt_get16(message, offset + 2) << 16;
}

ULONGLONG nt_get64(const struct nt_message *message, size_t offset)
{
    return nt_get32(message, offset) | (ULONGLONG)nt_get32(message, offset + 4) << 32;
}

/* ---- the connection ---- */

static void lose(struct nt_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static BOOLEAN send_all(int fd, const UCHAR *data, size_t length, int flags)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL | flags);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return FALSE;
        data += sent;
        length -= (size_t)sent;
    }
    return TRUE;
}

static BOOLEAN receive_all(int fd, UCHAR *data, size_t length)
{
    while (length > 0) {
        ssize_t got = recv(fd, data, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FALSE;
        data += got;
        length -= (size_t)got;
    }
    return TRUE;
}

BOOLEAN nt_send(struct nt_client *client)
{
    const size_t length = client->out.length;
    const UCHAR head[4] = {0, (UCHAR)(length >> 16), (UCHAR)(length >> 8), (UCHAR)length};

    if (client->fd >= 0 && !client->out.overflow && send_all(client->fd, head, sizeof(head), MSG_MORE) &&
        send_all(client->fd, client->out.data, length, 0))
        return TRUE;
    lose(client);
    return FALSE;
}

BOOLEAN nt_receive(struct nt_client *client)
{
    UCHAR head[4];
    size_t length;

    client->in.length = 0;
    if (client->fd < 0)
        return FALSE;
    do { /* a session keep-alive is a head of type 0x85 and nothing else */
        if (!receive_all(client->fd, head, sizeof(head))) {
            lose(client);
            return FALSE;
        }
    } while (head[0] == 0x85);
    length = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (head[0] != 0 || length > sizeof(client->in.data) || !receive_all(client->fd, client->in.data, length)) {
        lose(client);
        return FALSE;
    }
    client->in.length = length;
    return TRUE;
}

static int connect_to(uint16_t port)
{
    const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

NTSTATUS nt_client_connect(const struct nt_client_target *target, struct nt_client **ret_client)
{
    struct nt_client *client;
    NTSTATUS status;

    if (strcmp(target->dialect, "NT1") != 0 && strcmp(target->dialect, "SMB3_11") != 0)
        return STATUS_NOT_SUPPORTED;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    client->ops = strcmp(target->dialect, "NT1") == 0 ? &nt_smb1_ops : &nt_smb2_ops;
    client->fd = connect_to(target->port);
    status = client->fd >= 0 ? client->ops->connect(client, target) : STATUS_CONNECTION_REFUSED;
    if (status != STATUS_SUCCESS) {
        nt_client_disconnect(client);
        return status;
    }
    *ret_client = client;
    return STATUS_SUCCESS;
}

void nt_client_disconnect(struct nt_client *client)
{
    if (client == NULL)
        return;
    lose(client);
    free(client);
}

/* ---- requests ---- */

NTSTATUS nt_client_create(struct nt_client *client, const UNICODE_STRING *path, const struct nt_create *create,
                          struct nt_opened *ret_opened)
{
    if (path->Length > NT_NAME_MAX)
        return STATUS_NAME_TOO_LONG;
    return client->ops->create(client, path, create, ret_opened);
}

NTSTATUS nt_client_close(struct nt_client *client, const struct nt_file *file)
{
    return client->ops->close(client, file);
}

NTSTATUS nt_client_set_disposition(struct nt_client *client, const struct nt_file *file, BOOLEAN delete_it)
{
    const UCHAR information = delete_it != FALSE;

    return client->ops->set_information(client, file, FileDispositionInformation, &information, 1);
}

NTSTATUS nt_client_rename(struct nt_client *client, const struct nt_file *file, const UNICODE_STRING *target,
                          BOOLEAN replace)
{
    struct nt_message *information = &client->scratch;

    if (target->Length > NT_NAME_MAX)
        return STATUS_NAME_TOO_LONG;
    information->length = 0;
    nt_put32(information, replace != FALSE);
    if (client->ops == &nt_smb2_ops) /* there the structure is that of 64 bits (MS-FSCC 2.4.37) */
        nt_put32(information, 0);
    nt_put_zero(information, client->ops == &nt_smb2_ops ? 8 : 4); /* no root directory */
    nt_put32(information, target->Length);
    nt_put(information, target->Buffer, target->Length);
    return client->ops->set_information(client, file, FileRenameInformation, information->data, information->length);
}
