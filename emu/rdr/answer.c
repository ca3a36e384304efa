/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a server says of a file, SMB_QUERY_FILE_BASIC_INFO, on its way from the answer to who asked. */
#include "rdr.h"

#include <string.h>

typedef struct _BASIC_ANSWER {
    ULONG Length; /* what follows, of which a server may leave the padding away at the end */
    FILE_BASIC_INFORMATION Information;
} __attribute__((packed)) BASIC_ANSWER;

/* All 40 bytes: the padding at the end, too, if the server left it away. */
static void copy_answer(BASIC_ANSWER *to, const struct smb_info *info, ULONG length)
{
    FILE_BASIC_INFORMATION whole;

    memset(&whole, 0, sizeof whole);
    whole.CreationTime.QuadPart = info->creation_time;
    whole.LastAccessTime.QuadPart = info->last_access_time;
    whole.LastWriteTime.QuadPart = info->last_write_time;
    whole.ChangeTime.QuadPart = info->change_time;
    whole.FileAttributes = RdrAttributes(info);
    to->Length = length;
    memcpy(&to->Information, &whole, sizeof whole);
}

NTSTATUS RdrTakeBasicInformation(const struct smb_info *Info, FILE_BASIC_INFORMATION *Basic)
{
    const ULONG length = (ULONG)sizeof(FILE_BASIC_INFORMATION) - Info->left_out;
    BASIC_ANSWER *answer;

    /* Q244922: typically the buffer has 40 bytes. A server returns 36, and the redirector writes 4 bytes past what it
     * has allocated. Fixed in Terminal Server's Service Pack 6. */
    answer = ExAllocatePoolWithTag(
        NonPagedPool, EmuHasDefect(EMU_Q244922) ? offsetof(BASIC_ANSWER, Information) + length : sizeof(BASIC_ANSWER),
        RDR_TAG_SMB);
    if (!answer)
        return STATUS_INSUFFICIENT_RESOURCES;
    copy_answer(answer, Info, length);
    memset(Basic, 0, sizeof *Basic);
    memcpy(Basic, &answer->Information, answer->Length);
    ExFreePoolWithTag(answer, RDR_TAG_SMB);
    return STATUS_SUCCESS;
}
