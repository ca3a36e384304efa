/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntifs.h - what a file system driver or redirector uses beyond wdm.h, and the kernel's own object services.
 * Ours, from public documentation (WDK reference, MS-FSA, MS-FSCC).
 */
#ifndef NTEMU_NTIFS_H
#define NTEMU_NTIFS_H

#include <ntemu/wdm.h>

#define OBJ_KERNEL_HANDLE 0x00000200 /* documented from Windows 2000 on: the handle lives in the System process */

#ifndef DUPLICATE_SAME_ATTRIBUTES
#define DUPLICATE_SAME_ATTRIBUTES 0x00000004 /* documented: WDK, ZwDuplicateObject */
#endif

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
/* Counts an open that IoCheckShareAccess let through without Update. */
void NTAPI IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);
/* Takes a counted open back, once: at its cleanup, or when its create failed after all. */
void NTAPI IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess);

/* ---- creating files from drivers ---- */

typedef enum _CREATE_FILE_TYPE { CreateFileTypeNone, CreateFileTypeNamedPipe, CreateFileTypeMailslot } CREATE_FILE_TYPE;

#define IO_FORCE_ACCESS_CHECK    0x0001
#define IO_OPEN_TARGET_DIRECTORY 0x0004 /* the driver sees SL_OPEN_TARGET_DIRECTORY */
#define IO_NO_PARAMETER_CHECKING 0x0100

/*
 * IoCreateFile - NtCreateFile with options. CreateFileTypeNone only, else STATUS_INVALID_PARAMETER;
 * ExtraCreateParameters is not used; there are no security descriptors to be checked for IO_FORCE_ACCESS_CHECK, of
 * which the driver is told. Documented: WDK.
 */
NTSTATUS NTAPI IoCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength,
                            CREATE_FILE_TYPE CreateFileType, PVOID ExtraCreateParameters, ULONG Options);

/*
 * IoCheckEaBufferValidity - whether a list of extended attributes lies in its buffer, entry by entry, each aligned and
 * with a terminated name.
 *   ErrorOffset  out, with STATUS_EA_LIST_INCONSISTENT: of the entry that is wrong.
 *   Returns      STATUS_SUCCESS, STATUS_EA_LIST_INCONSISTENT. Documented: WDK.
 */
NTSTATUS NTAPI IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION EaBuffer, ULONG EaLength, PULONG ErrorOffset);

/* ---- sections of files ---- */

/*
 * NtCreateSection is here for files: who asks for it maps by other means. Of AllocationAttributes, SEC_IMAGE counts.
 * The file must have SectionObjectPointer, or STATUS_INVALID_FILE_FOR_SECTION, which a directory is, too, and an empty
 * file as an image; STATUS_MAPPED_FILE_SIZE_ZERO: an empty file, and no size; STATUS_SECTION_TOO_BIG: longer than the
 * file, which the section does not write and so does not make longer; STATUS_INVALID_PAGE_PROTECTION, _NOT_SUPPORTED
 * (no file), _ACCESS_DENIED (the handle has not what the protection takes), _INVALID_HANDLE, _OBJECT_TYPE_MISMATCH,
 * _INSUFFICIENT_RESOURCES, those of a named object, and what the driver says to a query. The section keeps the file
 * object, but no handle of it. PASSIVE_LEVEL. Documented: WDK, ZwCreateSection.
 */

typedef enum _MMFLUSH_TYPE { MmFlushForDelete, MmFlushForWrite } MMFLUSH_TYPE;

/*
 * MmFlushImageSection - whether a file may be opened to be written, or be deleted: FALSE, somebody has it as an image,
 *   or, MmFlushForDelete, mapped in any way.
 * MmCanFileBeTruncated - whether it may end at NewFileSize (NULL: at 0): FALSE, it is an image, or there is a section
 *   that would reach beyond.
 * What is kept only for its own sake and could be thrown away, there is not. IRQL <= APC_LEVEL. Documented: WDK; how
 * the new size is compared is observed (ReactOS).
 */
BOOLEAN NTAPI MmFlushImageSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, MMFLUSH_TYPE FlushType);
BOOLEAN NTAPI MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER NewFileSize);

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

/* ---- processes ---- */

/* A multiple of four, of no other process until the machine shuts down. Any IRQL. */
HANDLE NTAPI PsGetProcessId(PEPROCESS Process);
/* The session that a process is in, whose letters and connections it uses: 0 in a build without sessions. Any IRQL. */
ULONG NTAPI PsGetProcessSessionId(PEPROCESS Process);

/* ---- objects by pointer ---- */

/*
 * ObReferenceObjectByPointer - a reference if the object is of the type; a type of NULL is any with KernelMode.
 *   STATUS_SUCCESS, _OBJECT_TYPE_MISMATCH.
 * ObOpenObjectByPointer - a handle of the calling process, or a kernel handle. ObjectType may be NULL;
 *   PassedAccessState is not used. STATUS_SUCCESS, _OBJECT_TYPE_MISMATCH, _INSUFFICIENT_RESOURCES, and those of
 *   OBJ_EXCLUSIVE: _ACCESS_DENIED, _INVALID_PARAMETER.
 * ObQueryNameString - the full name, behind the structure and terminated; empty without one. A file's is that of its
 *   device and its own. STATUS_SUCCESS; _INFO_LENGTH_MISMATCH: less than the structure; _BUFFER_OVERFLOW:
 *   ReturnLength says how much it takes.
 * IRQL: PASSIVE_LEVEL. Documented: WDK.
 */
NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                          KPROCESSOR_MODE AccessMode);
NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                     ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                     PHANDLE Handle);
NTSTATUS NTAPI ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION ObjectNameInfo, ULONG Length,
                                 PULONG ReturnLength);

/* ---- object namespace: kernel-mode creation ---- */

/*
 * IoCreateSymbolicLink, IoDeleteSymbolicLink - permanent links, as a driver or the session manager makes them.
 *   STATUS_SUCCESS, _OBJECT_NAME_COLLISION, _OBJECT_NAME_NOT_FOUND, _OBJECT_PATH_NOT_FOUND, _OBJECT_PATH_SYNTAX_BAD,
 *   _INSUFFICIENT_RESOURCES.
 */
NTSTATUS NTAPI IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName);
NTSTATUS NTAPI IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName);

/* ---- UNC providers: redirectors that \Device\Mup asks ---- */

/*
 * FsRtlRegisterUncProvider - MUP asks the redirector from now on, behind those that have registered before it.
 *   MupHandle             out: a kernel handle, for FsRtlDeregisterUncProvider. The redirector is registered as long as
 *                         it is open.
 *   RedirectorDeviceName  its device's full name, to which it answers IRP_MJ_CREATE with an empty name.
 *   MailslotsSupported    it is asked for \server\mailslot\... too.
 *   Returns  STATUS_SUCCESS, _INSUFFICIENT_RESOURCES, _OBJECT_NAME_NOT_FOUND (no MUP, no such device), or what the
 *            redirector says to being opened. Documented: WDK.
 */
NTSTATUS NTAPI FsRtlRegisterUncProvider(PHANDLE MupHandle, PUNICODE_STRING RedirectorDeviceName,
                                        BOOLEAN MailslotsSupported);
void NTAPI FsRtlDeregisterUncProvider(HANDLE Handle);

/*
 * IOCTL_REDIR_QUERY_PATH - IRP_MJ_DEVICE_CONTROL, from kernel mode only: is this path yours? Documented: WDK.
 *   Type3InputBuffer  a QUERY_PATH_REQUEST of InputBufferLength bytes. UserBuffer  a QUERY_PATH_RESPONSE.
 *   Answers  STATUS_SUCCESS, LengthAccepted bytes of the name being the prefix that leads to the redirector
 *            (\server\share); or STATUS_BAD_NETWORK_PATH, _BAD_NETWORK_NAME, _LOGON_FAILURE, _ACCESS_DENIED,
 *            _INSUFFICIENT_RESOURCES, _INVALID_PARAMETER, _INVALID_DEVICE_REQUEST.
 */
#define IOCTL_REDIR_QUERY_PATH CTL_CODE(FILE_DEVICE_NETWORK_FILE_SYSTEM, 99, METHOD_NEITHER, FILE_ANY_ACCESS)

typedef struct _QUERY_PATH_REQUEST {
    ULONG PathNameLength;                 /* bytes */
    PIO_SECURITY_CONTEXT SecurityContext; /* of the create that asks */
    WCHAR FilePathName[];                 /* \server\share\path, no terminator. Documented with one element */
} QUERY_PATH_REQUEST, *PQUERY_PATH_REQUEST;

typedef struct _QUERY_PATH_RESPONSE {
    ULONG LengthAccepted;
} QUERY_PATH_RESPONSE, *PQUERY_PATH_RESPONSE;
_Static_assert(offsetof(QUERY_PATH_REQUEST, FilePathName) == 16 && sizeof(QUERY_PATH_RESPONSE) == 4, "as documented");

/* Writes to the machine's event log; the block is the caller's. Emulates IoWriteErrorLogEntry's outcome, not its form.
 */
void EmuWriteEvent(ULONG Id, ULONG Severity, const char *Source, const char *Text);

/* ---- bug checks: events for tests, reports for people ---- */

#define EMU_BUG_CHECK_FRAMES 16
#define EMU_BUG_CHECK_TEXT   8192 /* enough for any report */

/* Return addresses, innermost first. */
typedef struct _EMU_CALL_STACK {
    ULONG Depth;
    PVOID Frames[EMU_BUG_CHECK_FRAMES];
} EMU_CALL_STACK;

typedef struct _EMU_BUG_CHECK {
    ULONG Code;
    ULONG_PTR Parameters[4];
    KIRQL Irql;
    char Build[32];
    char Driver[64];      /* the driver it is about, UTF-8; "": not known */
    EMU_CALL_STACK Stack; /* of the thread that met it */
    /* The pool block that a parameter points to. Block NULL: none does. What special pool or stack tracking did not
     * keep has Depth 0. */
    PVOID Block;
    SIZE_T NumberOfBytes;
    ULONG Tag;
    BOOLEAN Paged, Freed;
    const EMU_POOL_SITE *Site;
    EMU_CALL_STACK Allocated, FreedBy;
} EMU_BUG_CHECK;

/*
 * EmuSetBugCheckRoutine - who is told of a bug check; NULL restores the default, which prints EmuFormatBugCheck's
 * report to standard error and aborts. Returns the routine before. The routine is called on the thread that met the
 * bug check, never in a signal handler, and must not return.
 */
typedef void EMU_BUG_CHECK_ROUTINE(const EMU_BUG_CHECK *BugCheck);
EMU_BUG_CHECK_ROUTINE *EmuSetBugCheckRoutine(EMU_BUG_CHECK_ROUTINE *Routine);

/*
 * EmuFormatBugCheck - the report as text, in the manner of NT 4.0's blue screen: code, parameters and name, then what
 * is known of the pool block, then the stacks with symbols as far as dynamic symbols tell.
 *   Text     out, always terminated if Size is not 0; EMU_BUG_CHECK_TEXT bytes hold any report.
 */
void EmuFormatBugCheck(const EMU_BUG_CHECK *BugCheck, char *Text, SIZE_T Size);

/* EmuBugCheckName - "IRQL_NOT_LESS_OR_EQUAL"; "" for a code that the emulation does not use. */
const char *EmuBugCheckName(ULONG Code);

#endif
