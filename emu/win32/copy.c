/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client.h"
#include "copy.h"
#include "file.h"
#include "info.h"
#include "rw.h"

#define CLASS_STANDARD 5

NTSTATUS copy_size(uint64_t token, int64_t *ret_size)
{
    struct {
        int64_t allocation, end;
        ULONG links;
        UCHAR delete_pending, directory, pad[2];
    } standard;
    uint64_t done;
    NTSTATUS status = info_query(token, CLASS_STANDARD, &standard, sizeof(standard), &done);

    if (!NT_SUCCESS(status))
        return status;
    if (standard.directory)
        return STATUS_INVALID_FILE_FOR_SECTION;
    *ret_size = standard.end;
    return STATUS_SUCCESS;
}

NTSTATUS copy_write(HANDLE file, const unsigned char *buffer, ULONG length, int64_t offset)
{
    while (length) {
        LARGE_INTEGER at = {.QuadPart = offset};
        IO_STATUS_BLOCK io;
        NTSTATUS status = wine.NtWriteFile(file, NULL, NULL, NULL, &io, buffer, length, &at, NULL);

        if (!NT_SUCCESS(status))
            return status;
        if (io.Information == 0)
            return STATUS_DISK_FULL;
        buffer += io.Information;
        offset += (int64_t)io.Information;
        length -= (ULONG)io.Information;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS fill_by(unsigned char *buffer, uint64_t token, HANDLE file, int64_t offset)
{
    uint64_t done;
    NTSTATUS status;

    do {
        done = 0;
        status = rw_read_pages(token, buffer, offset, WIRE_DATA_MAX, &done);
        if (status == STATUS_END_OF_FILE)
            return STATUS_SUCCESS;
        if (NT_SUCCESS(status))
            status = copy_write(file, buffer, (ULONG)done, offset);
        offset += (int64_t)done;
    } while (NT_SUCCESS(status) && done);
    return status;
}

/* Not from the heap: a thread that is terminated while it waits for the machine must not keep the heap's lock. */
NTSTATUS copy_fill(uint64_t token, HANDLE file, int64_t offset)
{
    void *buffer = VirtualAlloc(NULL, WIRE_DATA_MAX, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    NTSTATUS status;

    if (!buffer)
        return STATUS_NO_MEMORY;
    status = fill_by(buffer, token, file, offset);
    VirtualFree(buffer, 0, MEM_RELEASE);
    return status;
}

/* Returns where the name ends. */
static WCHAR *name_in(const UNICODE_STRING *folder, WCHAR *path, uint64_t token)
{
    WCHAR *at = path + folder->Length / sizeof(WCHAR);

    memcpy(path, folder->Buffer, folder->Length);
    *at++ = '\\';
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = L"0123456789abcdef"[token >> shift & 15];
    *at = '\0';
    return at;
}

/* Named by the token, and a number for each copy of the same file. */
static void name_copy(WCHAR *path, uint64_t token, uint32_t number)
{
    WCHAR *at = name_in(client_image_folder(), path, token);

    *at++ = '.';
    for (int shift = 28; shift >= 0; shift -= 4)
        *at++ = L"0123456789abcdef"[number >> shift & 15];
    *at = '\0';
}

static NTSTATUS open_file(const WCHAR *path, ACCESS_MASK access, ULONG disposition, ULONG options, HANDLE *ret_file)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;

    RtlInitUnicodeString(&name, path);
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    return wine.NtCreateFile(ret_file, access | SYNCHRONIZE, &attributes, &io, NULL, 0,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, disposition,
                             options | FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0);
}

NTSTATUS copy_open(const WCHAR *path, ACCESS_MASK access, ULONG disposition, HANDLE *ret_file)
{
    return open_file(path, access | DELETE, disposition, FILE_DELETE_ON_CLOSE, ret_file);
}

NTSTATUS copy_new(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file)
{
    static LONG counter;
    NTSTATUS status;

    do {
        name_copy(path, token, (uint32_t)InterlockedIncrement(&counter));
        status = copy_open(path, GENERIC_READ | GENERIC_WRITE, FILE_CREATE, ret_file);
    } while (status == STATUS_OBJECT_NAME_COLLISION); /* another process has the same file mapped, by the same token */
    return status;
}

/* ---- sections ---- */

static LONG sections_made; /* counted to 1 */

static NTSTATUS ask_for_section(const struct wire_create_section *request, uint64_t *ret_section)
{
    struct wire_token section;
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_CREATE_SECTION);

    if (status != STATUS_SUCCESS)
        return status;
    memcpy(call.body, request, sizeof(*request));
    status = call_exchange(&call, sizeof(*request), sizeof(section));
    memcpy(&section, call.body, sizeof(section));
    call_end(&call);
    if (status == STATUS_SUCCESS)
        *ret_section = section.token;
    return status;
}

NTSTATUS copy_section(uint64_t token, int64_t size, ULONG protection, ULONG attributes, HANDLE *ret_file)
{
    struct wire_create_section request = {
        .token = token, .size = size, .protection = protection, .attributes = attributes};
    WCHAR path[COPY_PATH_MAX];
    uint64_t section;
    NTSTATUS status = ask_for_section(&request, &section);

    if (status != STATUS_SUCCESS)
        return status;
    InterlockedExchange(&sections_made, 1);
    name_in(client_token_folder(), path, section);
    status = open_file(path, GENERIC_READ | GENERIC_WRITE, FILE_OPEN, 0, ret_file);
    if (!NT_SUCCESS(status))
        file_close_token(section);
    return status;
}

NTSTATUS copy_make_section(uint64_t token, int64_t size, ULONG protection, ULONG attributes, HANDLE *ret_file)
{
    HANDLE file;
    NTSTATUS status = copy_section(token, size, protection, attributes, &file);

    if (!NT_SUCCESS(status))
        return status;
    status = copy_fill(token, file, 0);
    if (NT_SUCCESS(status))
        *ret_file = file;
    else
        wine.NtClose(file);
    return status;
}

void copy_end_sections(void)
{
    struct call call;

    if (!sections_made || call_begin(&call, WIRE_END_SECTIONS) != STATUS_SUCCESS)
        return;
    call_exchange(&call, 0, 0);
    call_end(&call);
}

/* ---- programs ---- */

NTSTATUS copy_make_program(uint64_t token, WCHAR path[COPY_PATH_MAX], HANDLE *ret_file)
{
    HANDLE written;
    NTSTATUS status = copy_new(token, path, &written);

    if (!NT_SUCCESS(status))
        return status;
    status = copy_fill(token, written, 0);
    if (NT_SUCCESS(status))
        status = copy_open(path, FILE_READ_ATTRIBUTES, FILE_OPEN, ret_file);
    wine.NtClose(written);
    return status;
}
