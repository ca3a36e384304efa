/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntclient.h - an SMB client that hides nothing: NtCreateFile's parameters go to the server as they are, and its
 * NTSTATUS comes back as it was sent. Tests check with it what a real server says, where libsmbclient translates.
 *
 * It speaks NT1 and SMB3_11 with the messages and in the order of MS-CIFS and MS-SMB2, logs on with NTLMv2, and asks
 * for exactly one thing at a time: no oplocks, no compounds, no retries, no reconnecting, no caching. That is all it is
 * for. A create and a close take two round trips; some 5,000 pairs a second to a smbd on the same machine.
 *
 * Why not a library: libsmbclient has open flags and errno; the Python binding of Samba 4.17 has NT's parameters but
 * takes no port, and tells no create action; python3-impacket is refused in SMB3_11 and does 600 opens a second.
 *
 * Names are counted UTF-16 relative to the share's root, without a leading backslash, and whatever else is wrong with
 * them is the server's to say. A name of more than 32 KiB is STATUS_NAME_TOO_LONG here.
 *
 * When the server is lost, or answers something that is no answer, every further call is
 * STATUS_CONNECTION_DISCONNECTED; after 20 seconds without an answer too. Threads: one client belongs to one thread at
 * a time.
 */
#ifndef TESTS_NTCLIENT_H
#define TESTS_NTCLIENT_H

#include <ntemu/nt.h>

struct nt_client;

struct nt_client_target {
    uint16_t port;                       /* of 127.0.0.1, host byte order */
    const char *share, *user, *password; /* UTF-8 of the basic plane, at most 255 bytes */
    const char *dialect;                 /* "NT1" or "SMB3_11" */
};

struct nt_file {
    UCHAR id[16]; /* NT1 uses two of them */
};

/* NtCreateFile's parameters; a member that is 0 is sent as 0. */
struct nt_create {
    ACCESS_MASK access;
    ULONG share, disposition, options;
    ULONG attributes;
    ULONGLONG allocation_size; /* of a new file; in SMB3_11 sent only if not 0 */
};

/* What the server said of a file that was opened. Times in NT's units. */
struct nt_opened {
    struct nt_file file;
    ULONG action; /* FILE_OPENED, FILE_CREATED, ...: IoStatus.Information */
    ULONG attributes;
    ULONGLONG end_of_file, allocation_size;
    LONGLONG creation_time, last_write_time;
};

/*
 * nt_client_connect - connect, log on and connect the tree.
 *   ret_client  out, only on success. Ends with nt_client_disconnect.
 *   Returns     what the server said at the step where it refused, STATUS_CONNECTION_REFUSED if nobody listens,
 *               STATUS_NOT_SUPPORTED for another dialect, or STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS nt_client_connect(const struct nt_client_target *target, struct nt_client **ret_client);

/* Close the connection; the server closes what is open. Accepts NULL. */
void nt_client_disconnect(struct nt_client *client);

/* One request each. ret_opened is written only on success; a successful status may also be a warning of the server's.
 */
NTSTATUS nt_client_create(struct nt_client *client, const UNICODE_STRING *path, const struct nt_create *create,
                          struct nt_opened *ret_opened);
NTSTATUS nt_client_close(struct nt_client *client, const struct nt_file *file);

/* FileDispositionInformation. */
NTSTATUS nt_client_set_disposition(struct nt_client *client, const struct nt_file *file, BOOLEAN delete_it);

/*
 * FileRenameInformation. target is relative to the share in SMB3_11; in NT1 smbd takes a name within the same directory
 * only, without a backslash, and says STATUS_NOT_SUPPORTED otherwise.
 */
NTSTATUS nt_client_rename(struct nt_client *client, const struct nt_file *file, const UNICODE_STRING *target,
                          BOOLEAN replace);

#endif
