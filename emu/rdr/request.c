/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request that asks for a file's attributes by its path: SMB_COM_QUERY_INFORMATION (documented: MS-CIFS 2.2.4.9.1),
 * in a buffer of nonpaged pool as NT's redirector has it. A backend makes a message of its own; the path that it is
 * given is the one in this buffer.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

#define SMB_COM_QUERY_INFORMATION 0x08
#define SMB_FLAGS2_UNICODE        0x8000
#define BUFFER_FORMAT_STRING      0x04

/* Our guess: what fits into a page of pool. A message that NT's own server takes may have 4,356 bytes (documented:
 * LanmanServer's SizReqBuf). */
#define REQUEST_BYTES 4080u

typedef struct _QUERY_INFORMATION_REQUEST {
    UCHAR Protocol[4];
    UCHAR Command;
    ULONG Status;
    UCHAR Flags;
    USHORT Flags2;
    UCHAR Rest[20]; /* of the header: process, tree, user, multiplex */
    UCHAR WordCount;
    USHORT ByteCount;
    UCHAR BufferFormat;
    WCHAR FileName[]; /* ends in a 0 */
} __attribute__((packed)) QUERY_INFORMATION_REQUEST;

C_ASSERT(sizeof(QUERY_INFORMATION_REQUEST) == 32 + 4);

#define LONGEST_PATH (REQUEST_BYTES - sizeof(QUERY_INFORMATION_REQUEST) - sizeof(WCHAR)) /* bytes */

/* From front to back, so that the first character that does not fit is the one that is met. */
static void put_path(PUCHAR to, const UNICODE_STRING *path)
{
    const volatile WCHAR *from = path->Buffer;

    for (ULONG i = 0; i < path->Length / sizeof(WCHAR); i++, to += sizeof(WCHAR)) {
        const WCHAR c = from[i];
        memcpy(to, &c, sizeof c);
    }
    memset(to, 0, sizeof(WCHAR));
}

NTSTATUS RdrBuildQueryInformation(PRDR_EXCHANGE Exchange)
{
    UNICODE_STRING *path = &Exchange->Request.path;
    QUERY_INFORMATION_REQUEST *request;

    /* Q163620: the redirector did not check the path before it sent a Query_Information SMB. Fixed in Service Pack 3.
     */
    if (path->Length > LONGEST_PATH && !EmuHasDefect(EMU_Q163620))
        return EMU_DECIDE("Rdr", STATUS_NAME_TOO_LONG, "a path of %u characters, %u fit into the request",
                          path->Length / (unsigned)sizeof(WCHAR), (unsigned)(LONGEST_PATH / sizeof(WCHAR)));
    request = ExAllocatePoolWithTag(NonPagedPool, REQUEST_BYTES, RDR_TAG_SMB);
    if (!request)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for the request");
    Exchange->Message = request;
    *request = (QUERY_INFORMATION_REQUEST){
        .Protocol = {0xff, 'S', 'M', 'B'},
        .Command = SMB_COM_QUERY_INFORMATION,
        .Flags2 = SMB_FLAGS2_UNICODE,
        .ByteCount = (USHORT)(1 + path->Length + sizeof(WCHAR)),
        .BufferFormat = BUFFER_FORMAT_STRING,
    };
    put_path((PUCHAR)request + sizeof *request, path);
    path->Buffer = (PWSTR)((PUCHAR)request + sizeof *request);
    return STATUS_SUCCESS;
}
