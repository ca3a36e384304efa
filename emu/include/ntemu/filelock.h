/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filelock.h - byte-range locks, as file systems keep them: one FILE_LOCK a file. Documented: WDK
 * (FsRtlInitializeFileLock and its siblings); which ranges conflict: MS-FSA 2.1.4.10, and LockFileEx for those of one
 * owner.
 *
 * A lock belongs to a file object, a process and a key together. Ranges are unsigned; one of length 0 covers no byte,
 * and conflicts with a lock only inside of it, behind its first byte's beginning.
 *   An exclusive lock shares its bytes with no other, not even its owner's. A shared one lets others be shared, and may
 *   be taken by the owner of an exclusive one over that.
 *   Bytes that are locked exclusively are read by the owner only; those that are locked at all are written only by
 *   the owner of an exclusive lock, and by nobody where there is a shared one.
 * Requests that wait are looked at in the order in which they came, whenever a lock goes; one that must wait on holds
 * up no later one.
 *
 * Any IRQL <= DISPATCH_LEVEL, but for what unlocks or cleans up: PASSIVE_LEVEL. Locks are in nonpaged pool.
 */
#ifndef NTEMU_FILELOCK_H
#define NTEMU_FILELOCK_H

#include <ntemu/wdm.h>

typedef struct _FILE_LOCK_INFO {
    LARGE_INTEGER StartingByte;
    LARGE_INTEGER Length;
    BOOLEAN ExclusiveLock;
    ULONG Key;
    PFILE_OBJECT FileObject;
    PVOID ProcessId; /* a PEPROCESS, only compared */
    LARGE_INTEGER EndingByte;
} FILE_LOCK_INFO, *PFILE_LOCK_INFO;
_Static_assert(sizeof(FILE_LOCK_INFO) == 48, "FILE_LOCK_INFO of x64");

/* Completes the IRP, whose IoStatus.Status is set. */
typedef NTSTATUS(NTAPI *PCOMPLETE_LOCK_IRP_ROUTINE)(PVOID Context, PIRP Irp);
/* Told of each lock that has gone. */
typedef void(NTAPI *PUNLOCK_ROUTINE)(PVOID Context, PFILE_LOCK_INFO FileLockInfo);

typedef struct _FILE_LOCK {
    PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine;
    PUNLOCK_ROUTINE UnlockRoutine;
    BOOLEAN FastIoIsQuestionable; /* there are locks, or have been */
    BOOLEAN SpareC[3];
    PVOID LockInformation; /* made for the first lock */
    FILE_LOCK_INFO LastReturnedLockInfo;
    PVOID LastReturnedLock;
} FILE_LOCK, *PFILE_LOCK;

/* Both routines may be NULL: IRPs are then completed here. */
void NTAPI FsRtlInitializeFileLock(PFILE_LOCK FileLock, PCOMPLETE_LOCK_IRP_ROUTINE CompleteLockIrpRoutine,
                                   PUNLOCK_ROUTINE UnlockRoutine);
/* Frees what is left, without telling anybody. Nobody waits for a lock any more. */
void NTAPI FsRtlUninitializeFileLock(PFILE_LOCK FileLock);

/*
 * FsRtlProcessFileLock - does IRP_MJ_LOCK_CONTROL, and completes the IRP unless it has to wait.
 *   Context  for the two routines.
 *   Returns  STATUS_SUCCESS; STATUS_PENDING: it waits, and can be cancelled; STATUS_LOCK_NOT_GRANTED (with
 *            SL_FAIL_IMMEDIATELY); STATUS_RANGE_NOT_LOCKED; STATUS_INVALID_LOCK_RANGE: it ends beyond 64 bits;
 *            STATUS_FILE_CLOSED: the file object is being cleaned up, or has been; STATUS_INSUFFICIENT_RESOURCES;
 *            STATUS_INVALID_DEVICE_REQUEST: another minor function.
 */
NTSTATUS NTAPI FsRtlProcessFileLock(PFILE_LOCK FileLock, PIRP Irp, PVOID Context);

/* Whether locks let an IRP_MJ_READ or IRP_MJ_WRITE happen; FALSE is STATUS_FILE_LOCK_CONFLICT. Its offset is set. */
BOOLEAN NTAPI FsRtlCheckLockForReadAccess(PFILE_LOCK FileLock, PIRP Irp);
BOOLEAN NTAPI FsRtlCheckLockForWriteAccess(PFILE_LOCK FileLock, PIRP Irp);
BOOLEAN NTAPI FsRtlFastCheckLockForRead(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
                                        ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId);
BOOLEAN NTAPI FsRtlFastCheckLockForWrite(PFILE_LOCK FileLock, PLARGE_INTEGER StartingByte, PLARGE_INTEGER Length,
                                         ULONG Key, PFILE_OBJECT FileObject, PVOID ProcessId);

/* One lock of exactly that range, an exclusive one first. AlreadySynchronized is accepted and not used.
 * STATUS_SUCCESS, STATUS_RANGE_NOT_LOCKED. */
NTSTATUS NTAPI FsRtlFastUnlockSingle(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PLARGE_INTEGER FileOffset,
                                     PLARGE_INTEGER Length, PEPROCESS Process, ULONG Key, PVOID Context,
                                     BOOLEAN AlreadySynchronized);
/* All that the process has by the file object, whatever their keys, or with that key. STATUS_SUCCESS;
 * STATUS_RANGE_NOT_LOCKED: none. */
NTSTATUS NTAPI FsRtlFastUnlockAll(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS Process, PVOID Context);
NTSTATUS NTAPI FsRtlFastUnlockAllByKey(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PEPROCESS Process, ULONG Key,
                                       PVOID Context);

/* For IRP_MJ_CLEANUP: the file object's locks go, of whatever process, and its requests that wait are cancelled. Its
 * FO_CLEANUP_COMPLETE is set already (sequentially consistent), so that no lock of it comes behind this. NT's I/O
 * manager unlocks for each process that closes its last handle; here only the last handle of all is known. */
void EmuFileLockCleanup(PFILE_LOCK FileLock, PFILE_OBJECT FileObject, PVOID Context);

/* How many requests wait for a lock. */
ULONG EmuFileLockWaiters(PFILE_LOCK FileLock);

#endif
