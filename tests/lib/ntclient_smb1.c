/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ntclient_smb1.c - the NT LM 0.12 dialect (MS-CIFS, MS-SMB), as far as ntclient.h needs it. */
#include "ntclient_wire.h"

#include <stdio.h>

#define HEADER 32

enum {
    CLOSE = 0x04,
    TRANSACTION2 = 0x32,
    NEGOTIATE = 0x72,
    SESSION_SETUP_ANDX = 0x73,
    TREE_CONNECT_ANDX = 0x75,
    NT_CREATE_ANDX = 0xA2
};

#define FLAGS2 0xC841u /* Unicode, NTSTATUS, extended security, long names */
/* Unicode, large files, NT SMBs, NTSTATUS, extended security. */
#define CAPABILITIES 0x8000005Cu

#define TRANS2_SET_FILE_INFORMATION 8
#define PASS_THROUGH                1000 /* added to NT's own information classes */

/* The header, and the number of parameter words that follow. */
static struct nt_message *begin(struct nt_client *client, UCHAR command, UCHAR words)
{
    struct nt_message *out = &client->out;

    out->length = 0;
    out->overflow = FALSE;
    nt_put(out, "\xFFSMB", 4);
    nt_put8(out, command);
    nt_put32(out, 0);
    nt_put8(out, 0x18); /* names are case-insensitive and canonical */
    nt_put16(out, FLAGS2);
    nt_put_zero(out, 12);
    nt_put16(out, client->tid);
    nt_put16(out, 1); /* the process */
    nt_put16(out, client->uid);
    nt_put16(out, ++client->mid);
    nt_put8(out, words);
    return out;
}

static void put_no_andx(struct nt_message *out)
{
    nt_put32(out, 0xFF);
}

/* The byte count, of bytes that are to follow; returns where it is, for end_bytes. */
static size_t begin_bytes(struct nt_message *out)
{
    nt_put16(out, 0);
    return out->length;
}

static void end_bytes(struct nt_message *out, size_t start)
{
    nt_set16(out, start - 2, (USHORT)(out->length - start));
}

/* Unicode strings begin at an even offset of the message. */
static void align(struct nt_message *out)
{
    nt_put_zero(out, out->length % 2);
}

static NTSTATUS exchange(struct nt_client *client)
{
    const struct nt_message *in = &client->in;

    if (!nt_send(client) || !nt_receive(client) || in->length < HEADER + 3 || nt_get16(in, 30) != client->mid)
        return STATUS_CONNECTION_DISCONNECTED;
    return (NTSTATUS)nt_get32(in, 5);
}

/* ---- logging on ---- */

static NTSTATUS negotiate(struct nt_client *client)
{
    struct nt_message *out = begin(client, NEGOTIATE, 0);
    size_t start = begin_bytes(out);
    NTSTATUS status;

    nt_put(out, "\2NT LM 0.12", 12);
    end_bytes(out, start);
    status = exchange(client);
    if (status == STATUS_SUCCESS && (client->in.data[HEADER] != 17 || nt_get16(&client->in, HEADER + 1) != 0))
        return STATUS_NOT_SUPPORTED;
    return status;
}

static NTSTATUS session_setup(struct nt_client *client, const struct nt_message *token, const UCHAR **ret_token,
                              size_t *ret_length)
{
    struct nt_message *out = begin(client, SESSION_SETUP_ANDX, 12);
    size_t start, offset = HEADER + 1 + 8 + 2;
    NTSTATUS status;

    put_no_andx(out);
    nt_put16(out, 0xFFFF); /* largest message */
    nt_put16(out, 1);      /* at once */
    nt_put16(out, 1);      /* this connection; 0 would end the others */
    nt_put32(out, 0);
    nt_put16(out, (USHORT)token->length);
    nt_put32(out, 0);
    nt_put32(out, CAPABILITIES);
    start = begin_bytes(out);
    nt_put(out, token->data, token->length);
    align(out);
    nt_put_zero(out, 4); /* system and client have no name */
    end_bytes(out, start);
    status = exchange(client);
    client->uid = nt_get16(&client->in, 28);
    *ret_length = nt_get16(&client->in, HEADER + 1 + 6);
    if (client->in.data[HEADER] != 4)
        *ret_length = 0;
    if (offset > client->in.length || *ret_length > client->in.length - offset)
        *ret_length = 0;
    *ret_token = client->in.data + offset;
    return status;
}

static NTSTATUS log_on(struct nt_client *client, const struct nt_client_target *target)
{
    struct nt_message *token = &client->scratch;
    UCHAR session_key[16]; /* nothing is signed with it */
    const UCHAR *challenge;
    size_t length;
    NTSTATUS status;

    token->length = 0;
    nt_ntlm_negotiate(token);
    status = session_setup(client, token, &challenge, &length);
    if (status != STATUS_MORE_PROCESSING_REQUIRED)
        return status == STATUS_SUCCESS ? STATUS_LOGON_FAILURE : status;
    token->length = 0;
    if (!nt_ntlm_authenticate(token, challenge, length, target, session_key))
        return STATUS_LOGON_FAILURE;
    return session_setup(client, token, &challenge, &length);
}

static NTSTATUS connect_tree(struct nt_client *client, const char *share)
{
    struct nt_message *out = begin(client, TREE_CONNECT_ANDX, 4);
    char unc[300];
    NTSTATUS status;
    size_t start;

    snprintf(unc, sizeof(unc), "\\\\127.0.0.1\\%s", share);
    put_no_andx(out);
    nt_put16(out, 0);
    nt_put16(out, 1); /* a password of one zero */
    start = begin_bytes(out);
    nt_put8(out, 0);
    align(out);
    nt_put_utf16(out, unc, FALSE);
    nt_put16(out, 0);
    nt_put(out, "?????", 6);
    end_bytes(out, start);
    status = exchange(client);
    client->tid = nt_get16(&client->in, 24);
    return status;
}

static NTSTATUS smb1_connect(struct nt_client *client, const struct nt_client_target *target)
{
    NTSTATUS status = negotiate(client);

    if (status == STATUS_SUCCESS)
        status = log_on(client, target);
    if (status == STATUS_SUCCESS)
        status = connect_tree(client, target->share);
    return status;
}

/* ---- files ---- */

static NTSTATUS smb1_create(struct nt_client *client, const UNICODE_STRING *path, const struct nt_create *create,
                            struct nt_opened *ret_opened)
{
    struct nt_message *out = begin(client, NT_CREATE_ANDX, 24);
    const struct nt_message *in = &client->in;
    const size_t words = HEADER + 1;
    NTSTATUS status;
    size_t start;

    put_no_andx(out);
    nt_put8(out, 0);
    nt_put16(out, (USHORT)(path->Length + 2));
    nt_put32(out, 0); /* no oplock */
    nt_put32(out, 0); /* relative to the share's root */
    nt_put32(out, create->access);
    nt_put64(out, create->allocation_size);
    nt_put32(out, create->attributes);
    nt_put32(out, create->share);
    nt_put32(out, create->disposition);
    nt_put32(out, create->options);
    nt_put32(out, 2); /* impersonation */
    nt_put8(out, 0);
    start = begin_bytes(out);
    align(out);
    nt_put16(out, '\\'); /* as NT's clients begin a path */
    nt_put(out, path->Buffer, path->Length);
    nt_put16(out, 0);
    end_bytes(out, start);
    status = exchange(client);
    if (!NT_SUCCESS(status))
        return status;
    if (in->data[HEADER] < 34 || in->length < words + 68)
        return STATUS_CONNECTION_DISCONNECTED;
    *ret_opened = (struct nt_opened){
        .file = {.id = {in->data[words + 5], in->data[words + 6]}},
        .action = nt_get32(in, words + 7),
        .creation_time = (LONGLONG)nt_get64(in, words + 11),
        .last_write_time = (LONGLONG)nt_get64(in, words + 27),
        .attributes = nt_get32(in, words + 43),
        .allocation_size = nt_get64(in, words + 47),
        .end_of_file = nt_get64(in, words + 55),
    };
    return status;
}

static NTSTATUS smb1_close(struct nt_client *client, const struct nt_file *file)
{
    struct nt_message *out = begin(client, CLOSE, 3);

    nt_put(out, file->id, 2);
    nt_put32(out, 0xFFFFFFFF); /* leave the time of the last write alone */
    nt_put16(out, 0);
    return exchange(client);
}

static NTSTATUS smb1_set_information(struct nt_client *client, const struct nt_file *file, UCHAR file_class,
                                     const UCHAR *data, size_t length)
{
    enum { WORDS = 15, PARAMETERS = 6 };
    struct nt_message *out = begin(client, TRANSACTION2, WORDS);
    const size_t parameters = HEADER + 1 + 2 * WORDS + 2 + 3; /* the name's zero, and up to a multiple of four */
    const size_t at = parameters + PARAMETERS + 2;

    nt_put16(out, PARAMETERS);
    nt_put16(out, (USHORT)length);
    nt_put16(out, 2); /* most parameter bytes of the answer */
    nt_put16(out, 0);
    nt_put16(out, 0);
    nt_put16(out, 0);
    nt_put32(out, 0);
    nt_put16(out, 0);
    nt_put16(out, PARAMETERS);
    nt_put16(out, (USHORT)parameters);
    nt_put16(out, (USHORT)length);
    nt_put16(out, (USHORT)at);
    nt_put16(out, 1);
    nt_put16(out, TRANS2_SET_FILE_INFORMATION);
    nt_put16(out, (USHORT)(at + length - (parameters - 3)));
    nt_put_zero(out, 3);
    nt_put(out, file->id, 2);
    nt_put16(out, (USHORT)(PASS_THROUGH + file_class));
    nt_put16(out, 0);
    nt_put16(out, 0);
    nt_put(out, data, length);
    return exchange(client);
}

const struct nt_client_ops nt_smb1_ops = {
    .connect = smb1_connect,
    .create = smb1_create,
    .close = smb1_close,
    .set_information = smb1_set_information,
};
