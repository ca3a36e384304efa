/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ntclient_wire.h - what the files of ntclient share. */
#ifndef TESTS_NTCLIENT_WIRE_H
#define TESTS_NTCLIENT_WIRE_H

#include "ntclient.h"

#include <stddef.h>
#include <string.h>

#define NT_MESSAGE_MAX 69632 /* the largest message of either side: a name of 32 KiB, and room for the rest */
#define NT_NAME_MAX    32768

/* A message being written or read. Writing beyond the end is dropped and remembered; reading beyond it gives zeros. */
struct nt_message {
    UCHAR data[NT_MESSAGE_MAX];
    size_t length;
    BOOLEAN overflow;
};

typedef NTSTATUS nt_create_fn(struct nt_client *client, const UNICODE_STRING *path, const struct nt_create *create,
                              struct nt_opened *ret_opened);
typedef NTSTATUS nt_set_information_fn(struct nt_client *client, const struct nt_file *file, UCHAR file_class,
                                       const UCHAR *data, size_t length);

struct nt_client_ops {
    /* Negotiate, log on and connect the tree. */
    NTSTATUS (*connect)(struct nt_client *client, const struct nt_client_target *target);
    nt_create_fn *create;
    NTSTATUS (*close)(struct nt_client *client, const struct nt_file *file);
    nt_set_information_fn *set_information;
};

extern const struct nt_client_ops nt_smb1_ops, nt_smb2_ops;

struct nt_client {
    const struct nt_client_ops *ops;
    int fd; /* -1: lost */
    struct nt_message out, in, scratch;

    /* SMB1 */
    USHORT uid, tid, mid;

    /* SMB2 */
    ULONGLONG message_id, session_id;
    ULONG tree_id;
    UCHAR preauth[64];     /* SHA-512 over negotiation and session setup, as MS-SMB2 3.1.4.4.1 has it */
    UCHAR signing_key[16]; /* of the one request that must be signed */
};

void nt_put(struct nt_message *message, const void *data, size_t length);
void nt_put_zero(struct nt_message *message, size_t length);
void nt_put8(struct nt_message *message, UCHAR value);
void nt_put16(struct nt_message *message, USHORT value);
void nt_put32(struct nt_message *message, ULONG value);
void nt_put64(struct nt_message *message, ULONGLONG value);
/* UTF-8 of the basic plane as UTF-16; returns the bytes written. */
size_t nt_put_utf16(struct nt_message *message, const char *text, BOOLEAN upper_case);
void nt_set16(struct nt_message *message, size_t offset, USHORT value);
void nt_set32(struct nt_message *message, size_t offset, ULONG value);
USHORT nt_get16(const struct nt_message *message, size_t offset);
ULONG nt_get32(const struct nt_message *message, size_t offset);
ULONGLONG nt_get64(const struct nt_message *message, size_t offset);

/* Send client->out, and receive client->in. FALSE: the server is lost. */
BOOLEAN nt_send(struct nt_client *client);
BOOLEAN nt_receive(struct nt_client *client);

/* NTLMSSP's messages 1 and 3 (MS-NLMP). The second needs the server's message 2; FALSE: it is none. */
void nt_ntlm_negotiate(struct nt_message *message);
BOOLEAN nt_ntlm_authenticate(struct nt_message *message, const UCHAR *challenge, size_t length,
                             const struct nt_client_target *target, UCHAR session_key[16]);

#endif
