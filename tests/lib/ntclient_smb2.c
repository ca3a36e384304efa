/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ntclient_smb2.c - SMB 3.1.1 (MS-SMB2), as far as ntclient.h needs it. */
#include "ntclient_wire.h"

#include <gnutls/crypto.h>
#include <stdio.h>

#define HEADER 64

enum { NEGOTIATE, SESSION_SETUP, TREE_CONNECT = 3, CREATE = 5, CLOSE = 6, SET_INFO = 17 };

#define FLAG_ASYNC  0x02u
#define FLAG_SIGNED 0x08u

static struct nt_message *begin(struct nt_client *client, USHORT command)
{
    struct nt_message *out = &client->out;

    out->length = 0;
    out->overflow = FALSE;
    nt_put(out, "\xFESMB", 4);
    nt_put16(out, HEADER);
    nt_put16(out, command == NEGOTIATE ? 0 : 1); /* credit charge */
    nt_put32(out, 0);
    nt_put16(out, command);
    nt_put16(out, 64); /* credits wanted */
    nt_put32(out, 0);
    nt_put32(out, 0);
    nt_put64(out, client->message_id++);
    nt_put32(out, 0);
    nt_put32(out, client->tree_id);
    nt_put64(out, client->session_id);
    nt_put_zero(out, 16);
    return out;
}

/* The answer to what is in client->out, in client->in. An interim answer only says that another one follows. */
static NTSTATUS exchange(struct nt_client *client)
{
    const struct nt_message *in = &client->in;

    if (!nt_send(client))
        return STATUS_CONNECTION_DISCONNECTED;
    do {
        if (!nt_receive(client) || in->length < HEADER + 2 || nt_get64(in, 24) != client->message_id - 1)
            return STATUS_CONNECTION_DISCONNECTED;
    } while (nt_get32(in, 8) == (ULONG)STATUS_PENDING && (nt_get32(in, 16) & FLAG_ASYNC) != 0);
    return (NTSTATUS)nt_get32(in, 8);
}

/* ---- logging on ---- */

static void hash_preauth(struct nt_client *client, const struct nt_message *message)
{
    gnutls_hash_hd_t hash;

    gnutls_hash_init(&hash, GNUTLS_DIG_SHA512);
    gnutls_hash(hash, client->preauth, sizeof(client->preauth));
    gnutls_hash(hash, message->data, message->length);
    gnutls_hash_deinit(hash, client->preauth);
}

static NTSTATUS negotiate(struct nt_client *client)
{
    struct nt_message *out = begin(client, NEGOTIATE);
    NTSTATUS status;

    nt_put16(out, 36);
    nt_put16(out, 1); /* dialects */
    nt_put16(out, 1); /* signing enabled, not required */
    nt_put_zero(out, 6);
    nt_put(out, "ntclient-rdrlab!", 16);
    nt_put32(out, 104); /* where the contexts are */
    nt_put16(out, 2);
    nt_put16(out, 0);
    nt_put16(out, 0x0311);
    nt_put16(out, 0);
    nt_put16(out, 1); /* SMB2_PREAUTH_INTEGRITY_CAPABILITIES: SHA-512, no salt */
    nt_put16(out, 6);
    nt_put32(out, 0);
    nt_put16(out, 1);
    nt_put16(out, 0);
    nt_put16(out, 1);
    nt_put16(out, 0);
    nt_put16(out, 8); /* SMB2_SIGNING_CAPABILITIES: AES-CMAC */
    nt_put16(out, 4);
    nt_put32(out, 0);
    nt_put16(out, 1);
    nt_put16(out, 1);
    status = exchange(client);
    hash_preauth(client, out);
    hash_preauth(client, &client->in);
    if (status == STATUS_SUCCESS && nt_get16(&client->in, HEADER + 4) != 0x0311)
        return STATUS_NOT_SUPPORTED;
    return status;
}

/* Send one token; what the server answers is at *ret_token. */
static NTSTATUS session_setup(struct nt_client *client, const struct nt_message *token, const UCHAR **ret_token,
                              size_t *ret_length)
{
    struct nt_message *out = begin(client, SESSION_SETUP);
    size_t offset;
    NTSTATUS status;

    nt_put16(out, 25);
    nt_put16(out, 0x0100); /* no binding; signing enabled */
    nt_put32(out, 0);
    nt_put32(out, 0);
    nt_put16(out, HEADER + 24);
    nt_put16(out, (USHORT)token->length);
    nt_put64(out, 0);
    nt_put(out, token->data, token->length);
    status = exchange(client);
    hash_preauth(client, out);
    client->session_id = nt_get64(&client->in, 40);
    offset = nt_get16(&client->in, HEADER + 4);
    *ret_length = nt_get16(&client->in, HEADER + 6);
    if (offset > client->in.length || *ret_length > client->in.length - offset)
        return STATUS_CONNECTION_DISCONNECTED;
    *ret_token = client->in.data + offset;
    return status;
}

/* SP800-108 in counter mode with HMAC-SHA256, one round (MS-SMB2 3.1.4.2). */
static void derive_signing_key(struct nt_client *client, const UCHAR session_key[16])
{
    static const UCHAR before[] = "\0\0\0\1SMBSigningKey\0"; /* counter, label, separator: two zeros at the end */
    UCHAR input[sizeof(before) + sizeof(client->preauth) + 4], digest[32];

    memcpy(input, before, sizeof(before));
    memcpy(input + sizeof(before), client->preauth, sizeof(client->preauth));
    memcpy(input + sizeof(before) + sizeof(client->preauth), "\0\0\0\x80", 4); /* bits of the key */
    gnutls_hmac_fast(GNUTLS_MAC_SHA256, session_key, 16, input, sizeof(input), digest);
    memcpy(client->signing_key, digest, sizeof(client->signing_key));
}

static NTSTATUS log_on(struct nt_client *client, const struct nt_client_target *target)
{
    struct nt_message *token = &client->scratch;
    UCHAR session_key[16];
    const UCHAR *challenge;
    size_t length;
    NTSTATUS status;

    token->length = 0;
    nt_ntlm_negotiate(token);
    status = session_setup(client, token, &challenge, &length);
    if (status != STATUS_MORE_PROCESSING_REQUIRED)
        return status == STATUS_SUCCESS ? STATUS_LOGON_FAILURE : status;
    hash_preauth(client, &client->in);
    token->length = 0;
    if (!nt_ntlm_authenticate(token, challenge, length, target, session_key))
        return STATUS_LOGON_FAILURE;
    status = session_setup(client, token, &challenge, &length);
    if (status == STATUS_SUCCESS)
        derive_signing_key(client, session_key);
    return status;
}

/* SMB 3.1.1 wants this one request signed, so that nobody in between has changed the negotiation. */
static void sign(struct nt_client *client)
{
    struct nt_message *out = &client->out;
    UCHAR mac[16];

    nt_set32(out, 16, FLAG_SIGNED);
    gnutls_hmac_fast(GNUTLS_MAC_AES_CMAC_128, client->signing_key, 16, out->data, out->length, mac);
    memcpy(out->data + 48, mac, sizeof(mac));
}

static NTSTATUS connect_tree(struct nt_client *client, const char *share)
{
    struct nt_message *out = begin(client, TREE_CONNECT);
    char unc[300];
    size_t length;
    NTSTATUS status;

    snprintf(unc, sizeof(unc), "\\\\127.0.0.1\\%s", share);
    nt_put16(out, 9);
    nt_put16(out, 0);
    nt_put16(out, HEADER + 8);
    nt_put16(out, 0);
    length = nt_put_utf16(out, unc, FALSE);
    nt_set16(out, HEADER + 6, (USHORT)length);
    sign(client);
    status = exchange(client);
    client->tree_id = nt_get32(&client->in, 36);
    return status;
}

static NTSTATUS smb2_connect(struct nt_client *client, const struct nt_client_target *target)
{
    NTSTATUS status = negotiate(client);

    if (status == STATUS_SUCCESS)
        status = log_on(client, target);
    if (status == STATUS_SUCCESS)
        status = connect_tree(client, target->share);
    return status;
}

/* ---- files ---- */

static void put_create_contexts(struct nt_message *out, ULONGLONG allocation_size)
{
    size_t at;

    nt_put_zero(out, (8 - out->length % 8) % 8);
    at = out->length;
    nt_set32(out, HEADER + 48, (ULONG)at);
    nt_set32(out, HEADER + 52, 32);
    nt_put32(out, 0);
    nt_put16(out, 16);
    nt_put16(out, 4);
    nt_put16(out, 0);
    nt_put16(out, 24);
    nt_put32(out, 8);
    nt_put(out, "AlSi", 4); /* SMB2_CREATE_ALLOCATION_SIZE */
    nt_put32(out, 0);
    nt_put64(out, allocation_size);
}

static NTSTATUS smb2_create(struct nt_client *client, const UNICODE_STRING *path, const struct nt_create *create,
                            struct nt_opened *ret_opened)
{
    struct nt_message *out = begin(client, CREATE);
    const struct nt_message *in = &client->in;
    NTSTATUS status;

    nt_put16(out, 57);
    nt_put16(out, 0); /* no oplock */
    nt_put32(out, 2); /* impersonation */
    nt_put64(out, 0);
    nt_put64(out, 0);
    nt_put32(out, create->access);
    nt_put32(out, create->attributes);
    nt_put32(out, create->share);
    nt_put32(out, create->disposition);
    nt_put32(out, create->options);
    nt_put16(out, HEADER + 56);
    nt_put16(out, path->Length);
    nt_put64(out, 0); /* no contexts so far */
    nt_put(out, path->Buffer, path->Length);
    if (create->allocation_size != 0)
        put_create_contexts(out, create->allocation_size);
    else if (path->Length == 0)
        nt_put8(out, 0);
    status = exchange(client);
    if (!NT_SUCCESS(status))
        return status;
    if (nt_get16(in, HEADER) != 89 || in->length < HEADER + 88)
        return STATUS_CONNECTION_DISCONNECTED;
    *ret_opened = (struct nt_opened){
        .action = nt_get32(in, HEADER + 4),
        .creation_time = (LONGLONG)nt_get64(in, HEADER + 8),
        .last_write_time = (LONGLONG)nt_get64(in, HEADER + 24),
        .allocation_size = nt_get64(in, HEADER + 40),
        .end_of_file = nt_get64(in, HEADER + 48),
        .attributes = nt_get32(in, HEADER + 56),
    };
    memcpy(ret_opened->file.id, in->data + HEADER + 64, sizeof(ret_opened->file.id));
    return status;
}

static NTSTATUS smb2_close(struct nt_client *client, const struct nt_file *file)
{
    struct nt_message *out = begin(client, CLOSE);

    nt_put16(out, 24);
    nt_put16(out, 0);
    nt_put32(out, 0);
    nt_put(out, file->id, sizeof(file->id));
    return exchange(client);
}

static NTSTATUS smb2_set_information(struct nt_client *client, const struct nt_file *file, UCHAR file_class,
                                     const UCHAR *data, size_t length)
{
    struct nt_message *out = begin(client, SET_INFO);

    nt_put16(out, 33);
    nt_put8(out, 1); /* of a file */
    nt_put8(out, file_class);
    nt_put32(out, (ULONG)length);
    nt_put16(out, HEADER + 32);
    nt_put16(out, 0);
    nt_put32(out, 0);
    nt_put(out, file->id, sizeof(file->id));
    nt_put(out, data, length);
    return exchange(client);
}

const struct nt_client_ops nt_smb2_ops = {
    .connect = smb2_connect,
    .create = smb2_create,
    .close = smb2_close,
    .set_information = smb2_set_information,
};
