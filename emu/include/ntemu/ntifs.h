/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntifs.h - what a file system driver or redirector uses beyond wdm.h, and the kernel's own object services.
 * Ours, from public documentation (WDK reference, MS-FSA, MS-FSCC).
 */
#ifndef NTEMU_NTIFS_H
#define NTEMU_NTIFS_H

#include <ntemu/wdm.h>

#define OBJ_KERNEL_HANDLE 0x00000200 /* documented from Windows 2000 on: the handle lives in the System process */

/* Wine's winternl.h leaves these out. Documented: WDK, MS-FSCC. */
#ifndef FILE_USE_FILE_POINTER_POSITION
#define FILE_USE_FILE_POINTER_POSITION 0xfffffffe
#endif
#ifndef FILE_WRITE_TO_END_OF_FILE
#define FILE_WRITE_TO_END_OF_FILE 0xffffffff
#endif

/* ---- share access: who has a file open how, kept by the file system with the file ---- */

typedef struct _SHARE_ACCESS {
    ULONG OpenCount, Readers, Writers, Deleters, SharedRead, SharedWrite, SharedDelete;
} SHARE_ACCESS, *PSHARE_ACCESS;
_Static_assert(sizeof(SHARE_ACCESS) == 28, "SHARE_ACCESS");

/* Returns STATUS_SUCCESS or STATUS_SHARING_VIOLATION; with Update the open is counted on success. The caller
 * serializes (here: the FCB's mutex). An open without read, write or delete access never conflicts. */
NTSTATUS NTAPI IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                                  PSHARE_ACCESS ShareAccess, BOOLEAN Update);
/* The first open of a file: as above, without a check. */
void NTAPI IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject,
                            PSHARE_ACCESS ShareAccess);
/* Takes a counted open back, once: at its cleanup, or when its create failed after all. */
void NTAPI IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);

/* ---- names ---- */

/*
 * Splits off the first component: "\a\b\c" gives "a" and "b\c"; RemainingName is empty at the end. Both point into
 * Path. Documented: FsRtlDissectName.
 */
void NTAPI FsRtlDissectName(UNICODE_STRING Path, PUNICODE_STRING FirstName, PUNICODE_STRING RemainingName);

/*
 * FsRtlIsNameInExpression - whether Name matches Expression, in which * ? and the DOS forms < > " are wildcards
 * (documented: WDK, MS-FSA 2.1.4.4). With IgnoreCase, Expression is in upper case already, as documented. UpcaseTable
 * is accepted and not used. Time is Name times Expression at worst; an expression over 1,024 units matches nothing.
 */
BOOLEAN NTAPI FsRtlIsNameInExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
                                      PWCHAR UpcaseTable);

/* ---- object namespace: kernel-mode creation ---- */

/*
 * IoCreateSymbolicLink, IoDeleteSymbolicLink - permanent links, as a driver or the session manager makes them.
 *   STATUS_SUCCESS, _OBJECT_NAME_COLLISION, _OBJECT_NAME_NOT_FOUND, _OBJECT_PATH_NOT_FOUND, _OBJECT_PATH_SYNTAX_BAD,
 *   _INSUFFICIENT_RESOURCES.
 */
NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName);
NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName);

/* Writes to the machine's event log; the block is the caller's. Emulates IoWriteErrorLogEntry's outcome, not its form.
 */
void EmuWriteEvent(ULONG Id, ULONG Severity, const char *Source, const char *Text);

/* ---- tests: bug checks become events ---- */

typedef struct _EMU_BUG_CHECK {
    ULONG Code;
    ULONG_PTR Parameters[4];
} EMU_BUG_CHECK;

/* The routine is called on the thread that bug checked and must not return. NULL restores the default. */
typedef void EMU_BUG_CHECK_ROUTINE(const EMU_BUG_CHECK *BugCheck);
EMU_BUG_CHECK_ROUTINE *EmuSetBugCheckRoutine(EMU_BUG_CHECK_ROUTINE *Routine);

#endif
