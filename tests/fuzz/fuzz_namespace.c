/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NtCreateFile with any name: object namespace, I/O manager, redirector, server in memory. Input: bytes for the
 * object's attributes, the disposition and the options, then the name. Whatever comes out, the machine gets everything
 * back.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ULONG options[] = {0, FILE_NON_DIRECTORY_FILE, FILE_DIRECTORY_FILE, FILE_DELETE_ON_CLOSE};
    ULONG attributes = fuzz_byte(&data, &size) & 1 ? OBJ_CASE_INSENSITIVE : 0;
    ULONG disposition = fuzz_byte(&data, &size) % 7, option = options[fuzz_byte(&data, &size) % 4];
    UNICODE_STRING name = fuzz_string(&data, &size, size);
    OBJECT_ATTRIBUTES object;
    IO_STATUS_BLOCK io;
    HANDLE handle = (HANDLE)(ULONG_PTR)0x5a5a;
    NTSTATUS status;

    fuzz_boot();
    InitializeObjectAttributes(&object, &name, attributes, NULL, NULL);
    status = NtCreateFile(&handle, GENERIC_READ | DELETE | SYNCHRONIZE, &object, &io, NULL, 0, FILE_SHARE_READ,
                          disposition, option | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    if (NT_SUCCESS(status))
        fuzz_require(NtClose(handle) == STATUS_SUCCESS);
    else
        fuzz_require(handle == (HANDLE)(ULONG_PTR)0x5a5a);
    fuzz_shut_down();
    free(name.Buffer);
    return 0;
}
