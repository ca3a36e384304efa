/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iop.h - the I/O manager's own. */
#ifndef NTEMU_IO_IOP_H
#define NTEMU_IO_IOP_H

#include "ob/obp.h"

#include <ntemu/trace.h>

#define IOP_TAG_IRP    POOL_TAG('I', 'r', 'p', ' ')
#define IOP_TAG_DEVICE POOL_TAG('D', 'e', 'v', 'i')
#define IOP_TAG_DRIVER POOL_TAG('D', 'r', 'i', 'v')
#define IOP_TAG_FILE   POOL_TAG('F', 'i', 'l', 'e')
#define IOP_TAG_NAME   POOL_TAG('I', 'o', 'N', 'm') /* FILE_OBJECT.FileName.Buffer */
#define IOP_TAG_BUFFER POOL_TAG('I', 'o', 'S', 'B') /* system buffers */

#define IO_TYPE_DEVICE 3
#define IO_TYPE_DRIVER 4
#define IO_TYPE_FILE   5
#define IO_TYPE_IRP    6

extern OBJECT_TYPE IopDeviceType, IopDriverType, IopFileType;

/* What NtCreateFile asks of the parse procedure of a device or a file. */
typedef struct _OPEN_PACKET {
    ULONG Disposition, Options, FileAttributes, ShareAccess;
    LARGE_INTEGER AllocationSize;
    PVOID EaBuffer; /* the I/O manager's checked copy; nonpaged */
    ULONG EaLength;
    UCHAR StackFlags;          /* SL_* that IoCreateFile's options make */
    IO_STATUS_BLOCK IoStatus;  /* out: what the driver said */
    ACCESS_MASK GrantedAccess; /* out: a handle's */
} OPEN_PACKET;

/* irp.c. A request is queued to the current process while it is in progress, so that it can be cancelled. */
/* Like IoAllocateIrp, but from the must-succeed pool: bug check 0x41 instead of NULL. */
PIRP IopAllocateIrpMustSucceed(CCHAR StackSize);
NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK IoStatus, BOOLEAN Cancellable);
ULONG IopIrpCount(void);
void IopForgetIrps(void); /* the pool they lived in is gone */

/* trace.c. What a trace is told of a create, and of a request on its way to a driver. */
/* A place whose function is the service by its own name, whatever the function is called that serves it. */
#define IOP_SERVICE(Name)                                                                                              \
    __extension__({                                                                                                    \
        static const EMU_TRACE_PLACE Service_ = {"Io", __FILE__, Name, __LINE__};                                      \
        &Service_;                                                                                                     \
    })
void IopTraceCreate(const EMU_TRACE_PLACE *Service, const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access,
                    const OPEN_PACKET *Packet);
void IopTraceIrp(const DEVICE_OBJECT *Device, const IO_STACK_LOCATION *Stack);
/* create.c */
/* As IoCreateFile without a handle; *FileObject: with a reference. */
NTSTATUS IopOpenFileObject(const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, OPEN_PACKET *Packet,
                           PFILE_OBJECT *FileObject);

/* device.c */
PDEVICE_OBJECT IopTopOfStack(PDEVICE_OBJECT Device);

/* file.c */
NTSTATUS IopCreateFileObject(PDEVICE_OBJECT Device, const UNICODE_STRING *Name, PFILE_OBJECT Related,
                             PFILE_OBJECT *FileObject);
NTSTATUS IopParseDevice(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject);
NTSTATUS IopParseFile(PVOID Object, const UNICODE_STRING *RemainingName, OBP_PARSE *Parse, PVOID *FileObject);
void IopCloseFile(PVOID Object, LONG HandlesLeft);
void IopDeleteFile(PVOID Object);
/* FILE_OBJECT.Flags changes while requests look at it: a mode is set, the last handle goes. */
static inline ULONG IopFileFlags(const FILE_OBJECT *FileObject)
{
    return __atomic_load_n(&FileObject->Flags, __ATOMIC_RELAXED);
}
void IopChangeFileFlags(PFILE_OBJECT FileObject, ULONG Clear, ULONG Set);
/* Synchronous file objects do one request at a time, and any does with Always. Returns whether the lock was taken. */
BOOLEAN IopLockFileObject(PFILE_OBJECT FileObject, BOOLEAN Always);
void IopUnlockFileObject(PFILE_OBJECT FileObject, BOOLEAN Locked);

/* services.c */
/* Sends the request and frees it. IoStatusBlock stays untouched when the request fails, as on NT. */
NTSTATUS IopSend(PFILE_OBJECT FileObject, PIRP Irp, PIO_STATUS_BLOCK IoStatusBlock);
/* Any one of the rights in Any will do; 0 asks for none. *Granted may be NULL. */
NTSTATUS IopReferenceFile(HANDLE Handle, ACCESS_MASK Any, PFILE_OBJECT *FileObject, ACCESS_MASK *Granted);
/* Takes all of the rights in All. */
NTSTATUS IopReferenceFileForAll(HANDLE Handle, ACCESS_MASK All, PFILE_OBJECT *FileObject);
#define IOP_LARGEST_QUERY 65536u /* bytes that a system buffer may have */

/* information.c: what the I/O manager itself knows of information classes. */
/* What asking takes. Returns FALSE: no class that can be asked for. */
typedef struct _IOP_QUERY_RULE {
    ULONG Length;       /* bytes that the buffer must have; 0: cannot be asked */
    ACCESS_MASK Access; /* any of these; 0: none */
} IOP_QUERY_RULE;
BOOLEAN IopQueryRule(FILE_INFORMATION_CLASS Class, IOP_QUERY_RULE *Rule);
BOOLEAN IopQueryVolumeRule(FS_INFORMATION_CLASS Class, IOP_QUERY_RULE *Rule);
/* The classes that no driver is asked for: bytes written, 0 for another class. */
ULONG IopQueryLocally(PFILE_OBJECT FileObject, ACCESS_MASK Granted, FILE_INFORMATION_CLASS Class, PVOID Buffer);
/* FileModeInformation. Returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER: it cannot be changed so. */
NTSTATUS IopSetMode(PFILE_OBJECT FileObject, ULONG Mode);

/* rename.c: what FileRenameInformation and FileLinkInformation ask for. */
typedef struct _IOP_TARGET {
    PFILE_OBJECT Directory; /* NULL: the file's own */
    HANDLE Handle;          /* of it, open until the rename is done */
} IOP_TARGET;
/*
 * IopOpenTarget - finds the directory of a name that is a full one or relative to another directory.
 *   Returns  STATUS_SUCCESS; STATUS_INFO_LENGTH_MISMATCH, _INVALID_PARAMETER (the name does not lie in the buffer);
 *            STATUS_NOT_SAME_DEVICE; STATUS_OBJECT_PATH_NOT_FOUND, or what opening the directory said.
 */
NTSTATUS IopOpenTarget(PFILE_OBJECT FileObject, const void *Information, ULONG Length, IOP_TARGET *Target);
void IopCloseTarget(IOP_TARGET *Target);

/* A request for FileObject with one stack location filled by the caller; NULL when nonpaged pool is empty. */
PIRP IopBuildRequest(PFILE_OBJECT FileObject, UCHAR MajorFunction, PIO_STACK_LOCATION *Stack);

#endif
