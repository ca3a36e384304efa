/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FsRtl's view of path names. */
#include <ntemu/ntifs.h>

void NTAPI FsRtlDissectName(UNICODE_STRING Path, PUNICODE_STRING FirstName, PUNICODE_STRING RemainingName)
{
    USHORT n = Path.Length / sizeof(WCHAR), first = 0, end;

    if (n && Path.Buffer[0] == '\\')
        first = 1;
    for (end = first; end < n && Path.Buffer[end] != '\\';)
        end++;

    FirstName->Buffer = Path.Buffer + first;
    FirstName->Length = FirstName->MaximumLength = (USHORT)((end - first) * sizeof(WCHAR));
    if (end < n)
        end++;
    RemainingName->Buffer = Path.Buffer + end;
    RemainingName->Length = RemainingName->MaximumLength = (USHORT)((n - end) * sizeof(WCHAR));
}
