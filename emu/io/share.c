/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Share access: the routines of the WDK's reference, the rules of MS-FSA 2.1.5.1.2.2 (Algorithm to Check Share Access).
 */
#include <ntemu/ntifs.h>
#include <ntemu/trace.h>

#define READS  (FILE_READ_DATA | FILE_EXECUTE)
#define WRITES (FILE_WRITE_DATA | FILE_APPEND_DATA)

static void note_access(PFILE_OBJECT file, ACCESS_MASK access, ULONG share)
{
    file->ReadAccess = (access & READS) != 0;
    file->WriteAccess = (access & WRITES) != 0;
    file->DeleteAccess = (access & DELETE) != 0;
    if (!file->ReadAccess && !file->WriteAccess && !file->DeleteAccess)
        share = 0;
    file->SharedRead = (share & FILE_SHARE_READ) != 0;
    file->SharedWrite = (share & FILE_SHARE_WRITE) != 0;
    file->SharedDelete = (share & FILE_SHARE_DELETE) != 0;
}

static BOOLEAN counts(const FILE_OBJECT *file)
{
    return file->ReadAccess || file->WriteAccess || file->DeleteAccess;
}

static void add(const FILE_OBJECT *file, PSHARE_ACCESS s)
{
    s->OpenCount++;
    s->Readers += file->ReadAccess;
    s->Writers += file->WriteAccess;
    s->Deleters += file->DeleteAccess;
    s->SharedRead += file->SharedRead;
    s->SharedWrite += file->SharedWrite;
    s->SharedDelete += file->SharedDelete;
}

NTSTATUS NTAPI IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                                  PSHARE_ACCESS ShareAccess, BOOLEAN Update)
{
    const SHARE_ACCESS *s = ShareAccess;

    note_access(FileObject, DesiredAccess, DesiredShareAccess);
    if (!counts(FileObject))
        return STATUS_SUCCESS;
    if ((FileObject->ReadAccess && s->SharedRead < s->OpenCount) ||
        (FileObject->WriteAccess && s->SharedWrite < s->OpenCount) ||
        (FileObject->DeleteAccess && s->SharedDelete < s->OpenCount) || (s->Readers && !FileObject->SharedRead) ||
        (s->Writers && !FileObject->SharedWrite) || (s->Deleters && !FileObject->SharedDelete))
        return EMU_DECIDE("Io", STATUS_SHARING_VIOLATION,
                          "of %u opens %u read, %u write, %u delete; %u, %u, %u of them let others", s->OpenCount,
                          s->Readers, s->Writers, s->Deleters, s->SharedRead, s->SharedWrite, s->SharedDelete);
    if (Update)
        add(FileObject, ShareAccess);
    return STATUS_SUCCESS;
}

void NTAPI IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                            PSHARE_ACCESS ShareAccess)
{
    note_access(FileObject, DesiredAccess, DesiredShareAccess);
    *ShareAccess = (SHARE_ACCESS){0};
    if (counts(FileObject))
        add(FileObject, ShareAccess);
}

void NTAPI IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
    if (counts(FileObject))
        add(FileObject, ShareAccess);
}

void NTAPI IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
    PSHARE_ACCESS s = ShareAccess;

    if (!counts(FileObject))
        return;
    s->OpenCount--;
    s->Readers -= FileObject->ReadAccess;
    s->Writers -= FileObject->WriteAccess;
    s->Deleters -= FileObject->DeleteAccess;
    s->SharedRead -= FileObject->SharedRead;
    s->SharedWrite -= FileObject->SharedWrite;
    s->SharedDelete -= FileObject->SharedDelete;
}
