/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* info.c - what a file, its volume, its directory and its handle are asked for and told. */
#include <string.h>

#include "client.h"
#include "fileobject.h"
#include "guard.h"
#include "handle.h"
#include "info.h"
#include "later.h"
#include "request.h"
#include "rw.h"
#include "target.h"

/* FILE_INFORMATION_CLASS; mingw-w64 names a part of them. */
enum {
    CLASS_ACCESS = 8,
    CLASS_NAME = 9,
    CLASS_RENAME = 10,
    CLASS_LINK = 11,
    CLASS_DISPOSITION = 13,
    CLASS_COMPLETION = 30,
    CLASS_COMPLETION_NOTIFICATION = 41,
    CLASS_DISPOSITION_EX = 64,
    CLASS_RENAME_EX = 65,
    CLASS_LINK_EX = 72,
};
#define VOLUME_CLASS_DEVICE 4
#define OBJECT_CLASS_BASIC  0
#define OBJECT_CLASS_NAME   1

#define DEVICE_NETWORK_FILE_SYSTEM 0x14
#define DEVICE_REMOTE              0x10
#define DEVICE_MOUNTED             0x20

/* FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION on x64. */
struct rename_information {
    ULONG flags; /* the plain classes: BOOLEAN ReplaceIfExists */
    ULONG pad;
    uint64_t root; /* RootDirectory; on the wire its token */
    ULONG name_length;
};
#define RENAME_NAME_OFFSET 20

static uint32_t clamp(ULONG length)
{
    return length < WIRE_DATA_MAX ? length : WIRE_DATA_MAX;
}

NTSTATUS info_take_bytes(const struct call *call, NTSTATUS status, void *buffer, ULONG length, uint64_t *ret_done)
{
    struct wire_done done;

    *ret_done = 0;
    if (NT_ERROR(status) || call->reply_bytes < sizeof(done))
        return status;
    memcpy(&done, call->body, sizeof(done));
    if (done.information > length || done.information > call->reply_bytes - sizeof(done))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    if (!guarded_copy(buffer, call->body + sizeof(done), (size_t)done.information))
        return STATUS_ACCESS_VIOLATION;
    *ret_done = done.information;
    return status;
}

static NTSTATUS query(enum wire_op op, uint64_t token, ULONG class, void *buffer, ULONG length, uint64_t *ret_done)
{
    struct wire_information request = {token, class, clamp(length)};
    struct call call;
    NTSTATUS status = call_begin(&call, op);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), sizeof(struct wire_done));
    status = info_take_bytes(&call, status, buffer, length, ret_done);
    call_end(&call);
    return status;
}

/*
 * By name, which the machine tells alike for all that have a file open, \\server\share included. Not by
 * FileInternalInformation: smbd 4.17 gives files that were made in the same tick of its clock the same number.
 */
NTSTATUS info_object_id(uint64_t token, unsigned char id[16])
{
    struct {
        ULONG length;
        WCHAR name[32767];
    } *answer = HeapAlloc(GetProcessHeap(), 0, sizeof(*answer));
    uint64_t hashes[2] = {0xcbf29ce484222325, 0x84222325cbf29ce4}, done = 0; /* FNV-1a, from two beginnings */
    NTSTATUS status;

    if (!answer)
        return STATUS_NO_MEMORY;
    status = query(WIRE_QUERY_FILE, token, CLASS_NAME, answer, sizeof(*answer), &done);
    for (uint64_t i = 0; i < done; i++)
        for (int half = 0; half < 2; half++)
            hashes[half] = (hashes[half] ^ ((const unsigned char *)answer)[i]) * 0x100000001b3;
    HeapFree(GetProcessHeap(), 0, answer);
    memcpy(id, hashes, sizeof(hashes));
    return status;
}

NTSTATUS NTAPI hooked_NtQueryInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class)
{
    uint64_t token = handle_token(file);
    uint64_t done = 0;
    NTSTATUS status;

    if (!token)
        return wine.NtQueryInformationFile(file, io, buffer, length, class);
    if (!later_query(token, class, buffer, length, &status, &done))
        status = query(WIRE_QUERY_FILE, token, class, buffer, length, &done);
    return io_complete(io, status, done);
}

/* A full name of Wine's: the machine would not know what it is, and MoveFileEx copies if it is told this. */
static bool leads_away(const unsigned char *data, ULONG length, const struct rename_information *rename)
{
    const WCHAR *name = (const WCHAR *)(data + RENAME_NAME_OFFSET);

    return rename->name_length >= sizeof(WCHAR) && rename->name_length <= length - RENAME_NAME_OFFSET &&
           name[0] == '\\' && !target_name_redirected(name, rename->name_length);
}

/* The classes of NT 4.0 that the younger *Ex ones can be said in. */
static NTSTATUS translate_set(unsigned char *data, ULONG length, ULONG *class)
{
    struct rename_information rename;
    ULONG flags;

    if (*class == CLASS_DISPOSITION_EX || *class == CLASS_RENAME_EX || *class == CLASS_LINK_EX) {
        if (length < sizeof(flags))
            return STATUS_INFO_LENGTH_MISMATCH;
        memcpy(&flags, data, sizeof(flags));
        if (flags & ~1u)
            return STATUS_NOT_SUPPORTED;
        *class = *class == CLASS_DISPOSITION_EX ? CLASS_DISPOSITION
                 : *class == CLASS_RENAME_EX    ? CLASS_RENAME
                                                : CLASS_LINK;
    }
    if (*class == CLASS_RENAME || *class == CLASS_LINK) {
        if (length < RENAME_NAME_OFFSET)
            return STATUS_INFO_LENGTH_MISMATCH;
        memcpy(&rename, data, RENAME_NAME_OFFSET);
        if (rename.root) {
            rename.root = handle_token((HANDLE)(ULONG_PTR)rename.root);
            if (!rename.root)
                return STATUS_NOT_SAME_DEVICE;
            memcpy(data, &rename, RENAME_NAME_OFFSET);
        } else if (leads_away(data, length, &rename)) {
            return STATUS_NOT_SAME_DEVICE;
        }
    }
    return STATUS_SUCCESS;
}

static NTSTATUS set_information(enum wire_op op, uint64_t token, void *buffer, ULONG length, ULONG class)
{
    struct wire_information request;
    unsigned char *data;
    struct call call;
    NTSTATUS status;

    if (length > WIRE_DATA_MAX)
        return STATUS_INVALID_PARAMETER;
    status = call_begin(&call, op);
    if (status != STATUS_SUCCESS)
        return status;
    data = call.body + sizeof(request);
    status = guarded_copy(data, buffer, length) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
    if (status == STATUS_SUCCESS && op == WIRE_SET_FILE)
        status = translate_set(data, length, &class);
    if (status == STATUS_SUCCESS) {
        request = (struct wire_information){token, class, length};
        memcpy(call.body, &request, sizeof(request));
        status = call_exchange(&call, sizeof(request) + length, 0);
    }
    call_end(&call);
    return status;
}

NTSTATUS info_query(uint64_t token, ULONG class, void *buffer, ULONG length, uint64_t *ret_done)
{
    return query(WIRE_QUERY_FILE, token, class, buffer, length, ret_done);
}

NTSTATUS info_query_volume(uint64_t token, ULONG class, void *buffer, ULONG length, uint64_t *ret_done)
{
    return query(WIRE_QUERY_VOLUME, token, class, buffer, length, ret_done);
}

NTSTATUS info_set(uint64_t token, ULONG class, void *buffer, ULONG length)
{
    return set_information(WIRE_SET_FILE, token, buffer, length, class);
}

/* A file of Wine's can not be renamed onto the machine; told so, MoveFileEx copies. */
static bool renames_onto_machine(const void *buffer, ULONG length, ULONG class)
{
    struct rename_information rename;

    if ((class != CLASS_RENAME && class != CLASS_LINK && class != CLASS_RENAME_EX && class != CLASS_LINK_EX) ||
        length < RENAME_NAME_OFFSET || !guarded_copy(&rename, buffer, RENAME_NAME_OFFSET) ||
        rename.name_length > length - RENAME_NAME_OFFSET)
        return false;
    if (rename.root)
        return handle_token((HANDLE)(ULONG_PTR)rename.root) != 0;
    return target_name_redirected((const WCHAR *)((const char *)buffer + RENAME_NAME_OFFSET), rename.name_length);
}

/* What the I/O manager keeps itself. */
static NTSTATUS set_completion(HANDLE file, uint64_t token, const void *buffer, ULONG length, ULONG class)
{
    struct {
        HANDLE port;
        ULONG_PTR key;
    } completion;
    uint32_t flags;

    if (class == CLASS_COMPLETION_NOTIFICATION) {
        if (length < sizeof(flags))
            return STATUS_INFO_LENGTH_MISMATCH;
        return guarded_copy(&flags, buffer, sizeof(flags)) ? fileobject_set_flags(token, flags)
                                                           : STATUS_ACCESS_VIOLATION;
    }
    if (length < sizeof(completion))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (handle_is_synchronous(file, token))
        return STATUS_INVALID_PARAMETER;
    return guarded_copy(&completion, buffer, sizeof(completion))
               ? fileobject_set_port(token, completion.port, completion.key)
               : STATUS_ACCESS_VIOLATION;
}

NTSTATUS NTAPI hooked_NtSetInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class)
{
    uint64_t token = handle_token(file);

    if (!token && renames_onto_machine(buffer, length, class))
        return STATUS_NOT_SAME_DEVICE;
    if (!token)
        return wine.NtSetInformationFile(file, io, buffer, length, class);
    if (class == CLASS_COMPLETION || class == CLASS_COMPLETION_NOTIFICATION)
        return io_complete(io, set_completion(file, token, buffer, length, class), 0);
    return io_complete(io, set_information(WIRE_SET_FILE, token, buffer, length, class), 0);
}

NTSTATUS NTAPI hooked_NtQueryVolumeInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                                   ULONG class)
{
    uint64_t token = handle_token(file);
    uint64_t done = 0;
    NTSTATUS status;

    if (!token)
        return wine.NtQueryVolumeInformationFile(file, io, buffer, length, class);
    if (class == VOLUME_CLASS_DEVICE) {
        /* The I/O manager answers this from the device object, without an IRP. GetFileType and GetDriveType ask. */
        ULONG device[2] = {DEVICE_NETWORK_FILE_SYSTEM, DEVICE_REMOTE | DEVICE_MOUNTED};

        if (length < sizeof(device))
            return STATUS_INFO_LENGTH_MISMATCH;
        status = guarded_copy(buffer, device, sizeof(device)) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
        done = sizeof(device);
    } else {
        status = query(WIRE_QUERY_VOLUME, token, class, buffer, length, &done);
    }
    return io_complete(io, status, done);
}

NTSTATUS NTAPI hooked_NtSetVolumeInformationFile(HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length,
                                                 ULONG class)
{
    uint64_t token = handle_token(file);

    if (!token)
        return wine.NtSetVolumeInformationFile(file, io, buffer, length, class);
    return io_complete(io, set_information(WIRE_SET_VOLUME, token, buffer, length, class), 0);
}

/*
 * NT's FindFirstFile says what DOS meant by a pattern in wildcards of their own: ? as > (DOS_QM), a period in front of
 * ? or * as " (DOS_DOT), * in front of a period as < (DOS_STAR) (documented: MS-CIFS 2.2.1.1.3). Wine's leaves the
 * pattern as it is, and to its own NtQueryDirectoryFile. Done last to first, so that none is changed twice.
 */
static void say_in_dos_wildcards(WCHAR *pattern, size_t length)
{
    if (length == 3 && memcmp(pattern, L"*.*", 3 * sizeof(WCHAR)) == 0)
        return;
    for (size_t i = 0; i < length; i++)
        if (pattern[i] == '<' || pattern[i] == '>' || pattern[i] == '"')
            return;
    for (size_t i = length; i-- > 0;) {
        WCHAR next = i + 1 < length ? pattern[i + 1] : 0;

        if (pattern[i] == '?')
            pattern[i] = '>';
        else if (pattern[i] == '.' && (next == '>' || next == '*' || next == '<'))
            pattern[i] = '"';
        else if (pattern[i] == '*' && (next == '.' || next == '"'))
            pattern[i] = '<';
    }
}

static NTSTATUS query_directory(uint64_t token, void *buffer, ULONG length, ULONG class, uint32_t flags,
                                const UNICODE_STRING *pattern, uint64_t *ret_done)
{
    struct wire_query_directory request = {token, class, clamp(length), flags, 0};
    UNICODE_STRING name = {0};
    struct call call;
    NTSTATUS status;

    if (pattern && !guarded_copy(&name, pattern, sizeof(name)))
        return STATUS_ACCESS_VIOLATION;
    if (name.Length > 65534)
        return STATUS_OBJECT_NAME_INVALID;
    request.pattern_length = name.Length;
    status = call_begin(&call, WIRE_QUERY_DIRECTORY);
    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    if (guarded_copy(call.body + sizeof(request), name.Buffer, name.Length)) {
        say_in_dos_wildcards((WCHAR *)(call.body + sizeof(request)), name.Length / sizeof(WCHAR));
        status = call_exchange(&call, sizeof(request) + name.Length, sizeof(struct wire_done));
        status = info_take_bytes(&call, status, buffer, length, ret_done);
    } else {
        status = STATUS_ACCESS_VIOLATION;
    }
    call_end(&call);
    return status;
}

static NTSTATUS directory_service(struct request *request, PVOID buffer, ULONG length, ULONG class, uint32_t flags,
                                  const UNICODE_STRING *pattern)
{
    NTSTATUS status = request_begin(request);

    if (status != STATUS_SUCCESS)
        return status;
    status = query_directory(request->token, buffer, length, class, flags, pattern, &request->information);
    return request_tell(request, status, true, GetCurrentThread());
}

NTSTATUS NTAPI hooked_NtQueryDirectoryFile(HANDLE file, HANDLE event, apc_routine apc, PVOID context,
                                           PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class, BOOLEAN single,
                                           PUNICODE_STRING pattern, BOOLEAN restart)
{
    struct request request = {
        .file = file, .token = handle_token(file), .event = event, .apc = apc, .context = context, .io = io};

    if (!request.token)
        return wine.NtQueryDirectoryFile(file, event, apc, context, io, buffer, length, class, single, pattern,
                                         restart);
    return directory_service(&request, buffer, length, class,
                             (restart ? WIRE_RESTART_SCAN : 0) | (single ? WIRE_SINGLE_ENTRY : 0), pattern);
}

NTSTATUS NTAPI hooked_NtQueryDirectoryFileEx(HANDLE file, HANDLE event, apc_routine apc, PVOID context,
                                             PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class, ULONG flags,
                                             PUNICODE_STRING pattern)
{
    struct request request = {
        .file = file, .token = handle_token(file), .event = event, .apc = apc, .context = context, .io = io};

    if (!request.token)
        return wine.NtQueryDirectoryFileEx(file, event, apc, context, io, buffer, length, class, flags, pattern);
    /* SL_RESTART_SCAN and SL_RETURN_SINGLE_ENTRY have the wire's values. */
    return directory_service(&request, buffer, length, class, flags & (WIRE_RESTART_SCAN | WIRE_SINGLE_ENTRY), pattern);
}

static WCHAR fold(WCHAR c)
{
    return c >= 'a' && c <= 'z' ? (WCHAR)(c - 'a' + 'A') : c;
}

/* Characters of name that are `\server\share`, given `\\server\share`; 0: it is on another one. */
static size_t match_remote(const WCHAR *name, size_t length, const WCHAR *remote, size_t remote_length)
{
    if (remote_length < 2 || length < remote_length - 1)
        return 0;
    for (size_t i = 1; i < remote_length; i++)
        if (fold(name[i - 1]) != fold(remote[i]))
            return 0;
    return length == remote_length - 1 || name[remote_length - 1] == '\\' ? remote_length - 1 : 0;
}

NTSTATUS info_connection(ULONG letter, WCHAR *buffer, size_t bytes, size_t *ret_bytes)
{
    struct wire_letter request = {letter, 0};
    struct wire_done done;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_GET_CONNECTION);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = call_exchange(&call, sizeof(request), sizeof(done));
    if (!NT_SUCCESS(status))
        goto exit;
    memcpy(&done, call.body, sizeof(done));
    if (done.information > call.reply_bytes - sizeof(done)) {
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    } else if (done.information > bytes) {
        status = STATUS_BUFFER_TOO_SMALL;
    } else {
        memcpy(buffer, call.body + sizeof(done), (size_t)done.information);
        *ret_bytes = (size_t)done.information;
    }
exit:
    call_end(&call);
    return status;
}

/*
 * The machine names a file as the redirector does, \server\share\path; a Win32 program wants a letter, if one leads
 * there, or UNC. A share that two letters lead to is named by the first. *prefix gets what is to stand in front of the
 * name, whose first characters it replaces: returns how many.
 */
static size_t find_drive(const WCHAR *name, size_t length, WCHAR prefix[8])
{
    WCHAR remote[MAX_PATH];
    size_t bytes, skip;

    for (WCHAR letter = 'A'; letter <= 'Z'; letter++) {
        if (!client_redirects(letter) ||
            info_connection(letter - 'A', remote, sizeof(remote), &bytes) != STATUS_SUCCESS)
            continue;
        skip = match_remote(name, length, remote, bytes / sizeof(WCHAR));
        if (skip) {
            wcscpy(prefix, L"\\??\\X:");
            prefix[4] = letter;
            return skip;
        }
    }
    wcscpy(prefix, L"\\??\\UNC");
    return 0;
}

/* \server\share, and nothing behind it. */
static bool is_root(const WCHAR *name, size_t length)
{
    size_t separators = 0;

    for (size_t i = 0; i < length; i++)
        separators += name[i] == '\\';
    return separators == 2 && name[length - 1] != '\\';
}

static NTSTATUS query_object_name(uint64_t token, void *buffer, ULONG length, PULONG ret_length)
{
    struct {
        ULONG length;
        WCHAR text[32768];
    } * name;
    UNICODE_STRING header;
    size_t skip, prefix_bytes, bytes;
    WCHAR prefix[8];
    uint64_t done;
    ULONG needed;
    char *to = buffer;
    NTSTATUS status;

    name = HeapAlloc(GetProcessHeap(), 0, sizeof(*name));
    if (!name)
        return STATUS_NO_MEMORY;
    name->length = 0;
    status = query(WIRE_QUERY_FILE, token, CLASS_NAME, name, sizeof(*name), &done);
    if (status != STATUS_SUCCESS)
        goto exit;
    if (name->length > done - sizeof(name->length)) {
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
        goto exit;
    }
    skip = find_drive(name->text, name->length / sizeof(WCHAR), prefix);
    if (name->length < sizeof(name->text) && is_root(name->text, name->length / sizeof(WCHAR))) {
        name->text[name->length / sizeof(WCHAR)] = '\\'; /* X: alone would be the current directory there */
        name->length += sizeof(WCHAR);
    }
    prefix_bytes = wcslen(prefix) * sizeof(WCHAR);
    bytes = prefix_bytes + name->length - skip * sizeof(WCHAR);
    if (bytes > 65532) {
        status = STATUS_NAME_TOO_LONG;
        goto exit;
    }
    needed = (ULONG)(sizeof(header) + bytes + sizeof(WCHAR));
    if (ret_length && !guarded_copy(ret_length, &needed, sizeof(needed))) {
        status = STATUS_ACCESS_VIOLATION;
        goto exit;
    }
    if (length < needed) {
        status = length < sizeof(header) ? STATUS_INFO_LENGTH_MISMATCH : STATUS_BUFFER_OVERFLOW;
        goto exit;
    }
    header.Length = (USHORT)bytes;
    header.MaximumLength = (USHORT)(bytes + sizeof(WCHAR));
    header.Buffer = (WCHAR *)(to + sizeof(header));
    if (!guarded_copy(to, &header, sizeof(header)) || !guarded_copy(header.Buffer, prefix, prefix_bytes) ||
        !guarded_copy((char *)header.Buffer + prefix_bytes, name->text + skip, name->length - skip * sizeof(WCHAR)) ||
        !guarded_copy(to + sizeof(header) + bytes, L"", sizeof(WCHAR)))
        status = STATUS_ACCESS_VIOLATION;
exit:
    HeapFree(GetProcessHeap(), 0, name);
    return status;
}

/* All but the access is Wine's handle's. */
static NTSTATUS query_object_basic(HANDLE handle, uint64_t token, void *buffer, ULONG length, PULONG ret_length)
{
    NTSTATUS status = wine.NtQueryObject(handle, OBJECT_CLASS_BASIC, buffer, length, ret_length);
    ACCESS_MASK access;
    uint64_t done;

    if (status != STATUS_SUCCESS)
        return status;
    status = info_query(token, CLASS_ACCESS, &access, sizeof(access), &done);
    if (status != STATUS_SUCCESS)
        return status;
    return guarded_copy((char *)buffer + sizeof(ULONG), &access, sizeof(access)) ? status : STATUS_ACCESS_VIOLATION;
}

NTSTATUS NTAPI hooked_NtQueryObject(HANDLE handle, ULONG class, PVOID buffer, ULONG length, PULONG ret_length)
{
    uint64_t token = class == OBJECT_CLASS_NAME || class == OBJECT_CLASS_BASIC ? handle_token(handle) : 0;

    if (!token)
        return wine.NtQueryObject(handle, class, buffer, length, ret_length);
    if (class == OBJECT_CLASS_BASIC)
        return query_object_basic(handle, token, buffer, length, ret_length);
    return query_object_name(token, buffer, length, ret_length);
}
