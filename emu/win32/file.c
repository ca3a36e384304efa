/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.c - services by name: open, create, attributes, delete. */
#include <string.h>

#include "client.h"
#include "file.h"
#include "guard.h"
#include "handle.h"
#include "spare.h"
#include "target.h"

void file_close_token(uint64_t token)
{
    struct wire_token request = {token};
    struct call call;

    if (call_begin(&call, WIRE_CLOSE) != STATUS_SUCCESS)
        return;
    memcpy(call.body, &request, sizeof(request));
    call_exchange(&call, sizeof(request), 0);
    call_end(&call);
}

/* An offer comes with every status. */
static void take_offer(const struct call *call)
{
    struct wire_created created;

    if (call->reply_bytes < sizeof(created))
        return;
    memcpy(&created, call->body, sizeof(created));
    spare_offered(created.spare_token);
}

static NTSTATUS create(const struct target *target, struct wire_create *request, struct wire_created *ret_created)
{
    struct wire_created created;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_CREATE);

    if (status != STATUS_SUCCESS)
        return status;
    request->root_token = target->root_token;
    request->object_flags = target->object_flags;
    request->name_length = target->name.Length;
    memcpy(call.body, request, sizeof(*request));
    if (request->want_spare || request->spare_token)
        call.meanwhile = spare_prepare;
    status = target_copy_name(target, call.body + sizeof(*request));
    if (status != STATUS_SUCCESS)
        goto exit;
    status = call_exchange(&call, sizeof(*request) + target->name.Length, sizeof(created));
    if (request->want_spare)
        take_offer(&call);
    if (!NT_SUCCESS(status))
        goto exit;
    memcpy(&created, call.body, sizeof(created));
    if (created.token == 0 || created.token == UINT64_MAX)
        status = STATUS_UNEXPECTED_NETWORK_ERROR;
    else
        *ret_created = created;
exit:
    call_end(&call);
    return status;
}

/* On success `status` again: a create may succeed with more than STATUS_SUCCESS. */
static NTSTATUS open_token(const struct target *target, const struct wire_create *request, uint64_t token,
                           NTSTATUS status, HANDLE *ret_handle)
{
    NTSTATUS result = handle_open_token(token, target->object_flags, request->options, ret_handle);

    if (result == STATUS_SUCCESS)
        return status;
    file_close_token(token);
    return result;
}

static NTSTATUS open_redirected(const struct target *target, struct wire_create *request, PHANDLE ret_file,
                                PIO_STATUS_BLOCK io)
{
    struct spare spare = {NULL, 0};
    struct wire_created created;
    HANDLE handle;
    NTSTATUS status;
    bool want = false;

    if (spare_fits(target->object_flags, request->options))
        spare = spare_take(&want);
    request->spare_token = spare.token;
    request->want_spare = want;
    status = create(target, request, &created);
    if (NT_SUCCESS(status) && created.token == spare.token) {
        handle = spare.handle;
    } else {
        spare_put_back(&spare);
        if (NT_SUCCESS(status))
            status = open_token(target, request, created.token, status, &handle);
    }
    if (!NT_SUCCESS(status))
        return status;
    if (!guarded_copy(ret_file, &handle, sizeof(handle)) ||
        guarded_status(io, status, (ULONG_PTR)created.information) == STATUS_ACCESS_VIOLATION) {
        hooked_NtClose(handle);
        return STATUS_ACCESS_VIOLATION;
    }
    return status;
}

NTSTATUS NTAPI hooked_NtCreateFile(PHANDLE ret_file, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                                   PIO_STATUS_BLOCK io, PLARGE_INTEGER allocation, ULONG file_attributes, ULONG share,
                                   ULONG disposition, ULONG options, PVOID ea, ULONG ea_length)
{
    /* Wine's GetFileSecurity and SetFileSecurity pass a flag of CreateFile's for an attribute: it would be refused. */
    struct wire_create request = {.desired_access = access,
                                  .file_attributes = file_attributes & ~(ULONG)FILE_FLAG_BACKUP_SEMANTICS,
                                  .share_access = share,
                                  .disposition = disposition,
                                  .options = options};
    LARGE_INTEGER size = {.QuadPart = 0};
    struct target target;

    if (!target_redirected(attributes, &target)) {
        NTSTATUS status = wine.NtCreateFile(ret_file, access, attributes, io, allocation, file_attributes, share,
                                            disposition, options, ea, ea_length);

        if (NT_SUCCESS(status))
            handle_mark_local(*ret_file);
        return status;
    }
    if (ea && ea_length)
        return STATUS_EAS_NOT_SUPPORTED;
    if (allocation && !guarded_copy(&size, allocation, sizeof(size)))
        return STATUS_ACCESS_VIOLATION;
    request.allocation_size = (uint64_t)size.QuadPart;
    return open_redirected(&target, &request, ret_file, io);
}

NTSTATUS NTAPI hooked_NtOpenFile(PHANDLE ret_file, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                                 PIO_STATUS_BLOCK io, ULONG share, ULONG options)
{
    struct wire_create request = {
        .desired_access = access, .share_access = share, .disposition = FILE_OPEN, .options = options};
    struct target target;

    if (!target_redirected(attributes, &target)) {
        NTSTATUS status = wine.NtOpenFile(ret_file, access, attributes, io, share, options);

        if (NT_SUCCESS(status))
            handle_mark_local(*ret_file);
        return status;
    }
    /* Wine's MoveFileEx asks for attributes without having the right, which its server does not look at. NT's has it.
     */
    if (access == (DELETE | SYNCHRONIZE))
        request.desired_access |= FILE_READ_ATTRIBUTES;
    /* Nor has Wine's SetFileAttributes the right to set them. Other opens like it are for directories alone. */
    if (access == SYNCHRONIZE && options == FILE_SYNCHRONOUS_IO_NONALERT)
        request.desired_access |= FILE_WRITE_ATTRIBUTES;
    return open_redirected(&target, &request, ret_file, io);
}

/* An open with FILE_DELETE_ON_CLOSE and a close, as in NT. */
NTSTATUS NTAPI hooked_NtDeleteFile(POBJECT_ATTRIBUTES attributes)
{
    struct wire_create request = {.desired_access = DELETE,
                                  .share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  .disposition = FILE_OPEN,
                                  .options = FILE_DELETE_ON_CLOSE,
                                  .no_token_file = 1};
    struct wire_created created;
    struct target target;
    NTSTATUS status;

    if (!target_redirected(attributes, &target))
        return wine.NtDeleteFile(attributes);
    status = create(&target, &request, &created);
    if (NT_SUCCESS(status))
        file_close_token(created.token);
    return status;
}

static NTSTATUS query_attributes(const struct target *target, struct wire_attributes *ret_attributes)
{
    struct wire_query_attributes request = {target->root_token, target->object_flags, target->name.Length};
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_QUERY_ATTRIBUTES);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, &request, sizeof(request));
    status = target_copy_name(target, call.body + sizeof(request));
    if (status == STATUS_SUCCESS)
        status = call_exchange(&call, sizeof(request) + target->name.Length, sizeof(*ret_attributes));
    if (NT_SUCCESS(status))
        memcpy(ret_attributes, call.body, sizeof(*ret_attributes));
    call_end(&call);
    return status;
}

NTSTATUS NTAPI hooked_NtQueryAttributesFile(POBJECT_ATTRIBUTES attributes, PVOID buffer)
{
    struct wire_attributes answer;
    struct {
        int64_t times[4];
        uint32_t attributes, pad;
    } basic;
    struct target target;
    NTSTATUS status;

    if (!target_redirected(attributes, &target))
        return wine.NtQueryAttributesFile(attributes, buffer);
    status = query_attributes(&target, &answer);
    if (!NT_SUCCESS(status))
        return status;
    memcpy(basic.times, &answer.creation_time, sizeof(basic.times));
    basic.attributes = answer.attributes;
    basic.pad = 0;
    return guarded_copy(buffer, &basic, sizeof(basic)) ? status : STATUS_ACCESS_VIOLATION;
}

NTSTATUS NTAPI hooked_NtQueryFullAttributesFile(POBJECT_ATTRIBUTES attributes, PVOID buffer)
{
    struct wire_attributes answer;
    struct target target;
    NTSTATUS status;

    if (!target_redirected(attributes, &target))
        return wine.NtQueryFullAttributesFile(attributes, buffer);
    status = query_attributes(&target, &answer);
    if (!NT_SUCCESS(status))
        return status;
    return guarded_copy(buffer, &answer, sizeof(answer)) ? status : STATUS_ACCESS_VIOLATION;
}
