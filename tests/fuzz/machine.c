/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <string.h>

#include "smb/mem.h"

static struct smb_backend *server;

UNICODE_STRING fuzz_string(const uint8_t **data, size_t *size, size_t bytes)
{
    UNICODE_STRING string;

    if (bytes > *size)
        bytes = *size;
    if (bytes > 0xfffe)
        bytes = 0xfffe;
    bytes -= bytes % sizeof(WCHAR);
    string.Buffer = malloc(bytes);
    fuzz_require(string.Buffer != NULL || bytes == 0);
    if (bytes != 0)
        memcpy(string.Buffer, *data, bytes);
    string.Length = string.MaximumLength = (USHORT)bytes;
    *data += bytes;
    *size -= bytes;
    return string;
}

void fuzz_boot(void)
{
    static const UNICODE_STRING file = NT_STRING(u"f.txt"), folder = NT_STRING(u"dir"),
                                remote = NT_STRING(u"\\\\mem\\lab");
    EMU_MACHINE_OPTIONS options = {.Build = "nt4-sp6"};
    char error[256];

    server = smb_mem_backend();
    fuzz_require(server != NULL);
    fuzz_require(smb_mem_add_share(server, "mem", 445, "lab", FALSE) == STATUS_SUCCESS);
    fuzz_require(smb_mem_add(server, "lab", &file, "text", 4) == STATUS_SUCCESS);
    fuzz_require(smb_mem_add(server, "lab", &folder, NULL, 0) == STATUS_SUCCESS);
    options.Smb = server;
    fuzz_require(EmuMachineBoot(&options, error, sizeof(error)) == STATUS_SUCCESS);
    fuzz_require(EmuUseAdd('X' - 'A', &remote, NULL, NULL) == STATUS_SUCCESS);
}

void fuzz_shut_down(void)
{
    EMU_MACHINE_AUDIT audit;
    NTSTATUS status = EmuMachineShutdown(&audit);

    for (ULONG i = 0; i < audit.Pool.Count; i++)
        fprintf(stderr, "left: %.4s, %ld blocks, %s:%u\n", (const char *)&audit.Pool.Uses[i].Tag,
                (long)audit.Pool.Uses[i].LiveBlocks, EmuPoolSiteFile(audit.Pool.Uses[i].Site),
                audit.Pool.Uses[i].Site->Line);
    EmuPoolFreeSnapshot(&audit.Pool);
    fuzz_require(status == STATUS_SUCCESS);
    fuzz_require(smb_mem_open_files(server) == 0);
    smb_backend_free(server);
}
