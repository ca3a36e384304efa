/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The services on an open file: read, write, flush, query, set, list. All wait for their request here, also on a file
 * that was opened for asynchronous I/O: no caller in this machine can do anything else meanwhile (fidelity.md).
 */
#include "iop.h"

#include <ntemu/trace.h>
#include <string.h>

NTSTATUS IopSend(PFILE_OBJECT FileObject, PIRP Irp, PIO_STATUS_BLOCK IoStatusBlock)
{
    IO_STATUS_BLOCK result = {{0}, 0};
    NTSTATUS status = IopCallAndWait(IopTopOfStack(FileObject->DeviceObject), Irp, &result, TRUE);

    IoFreeIrp(Irp);
    if (!NT_ERROR(status)) {
        IoStatusBlock->Status = status;
        IoStatusBlock->Information = result.Information;
    }
    return status;
}

NTSTATUS IopReferenceFile(HANDLE Handle, ACCESS_MASK Any, PFILE_OBJECT *FileObject, ACCESS_MASK *Granted)
{
    OBJECT_HANDLE_INFORMATION information;
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, 0, &IopFileType, UserMode, &object, &information);

    if (!NT_SUCCESS(status))
        return status;
    if (Any && !(information.GrantedAccess & Any)) {
        ObDereferenceObject(object);
        return STATUS_ACCESS_DENIED;
    }
    *FileObject = object;
    if (Granted)
        *Granted = information.GrantedAccess;
    return STATUS_SUCCESS;
}

NTSTATUS IopReferenceFileForAll(HANDLE Handle, ACCESS_MASK All, PFILE_OBJECT *FileObject)
{
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, All, &IopFileType, UserMode, &object, NULL);

    if (NT_SUCCESS(status))
        *FileObject = object;
    return status;
}

/* ---- data ---- */

static NTSTATUS resolve_offset(const FILE_OBJECT *file, const LARGE_INTEGER *given, BOOLEAN write, LONGLONG *offset)
{
    BOOLEAN special = given && given->u.HighPart == -1;

    if (!given || (special && given->u.LowPart == FILE_USE_FILE_POINTER_POSITION)) {
        if (!(IopFileFlags(file) & FO_SYNCHRONOUS_IO))
            return STATUS_INVALID_PARAMETER; /* nobody keeps a position for it */
        *offset = __atomic_load_n(&file->CurrentByteOffset.QuadPart, __ATOMIC_RELAXED);
        return STATUS_SUCCESS;
    }
    if (special && write && given->u.LowPart == FILE_WRITE_TO_END_OF_FILE) {
        *offset = -1; /* the driver finds the end */
        return STATUS_SUCCESS;
    }
    if (given->QuadPart < 0)
        return STATUS_INVALID_PARAMETER;
    *offset = given->QuadPart;
    return STATUS_SUCCESS;
}

static NTSTATUS transfer(HANDLE handle, UCHAR major, PIO_STATUS_BLOCK io_status, PVOID buffer, ULONG length,
                         const LARGE_INTEGER *given, const ULONG *key)
{
    static const LARGE_INTEGER to_end = {.u = {FILE_WRITE_TO_END_OF_FILE, -1}};
    BOOLEAN write = major == IRP_MJ_WRITE, locked;
    ACCESS_MASK granted;
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    LONGLONG offset;
    PIRP irp;
    NTSTATUS status =
        IopReferenceFile(handle, write ? FILE_WRITE_DATA | FILE_APPEND_DATA : FILE_READ_DATA, &file, &granted);

    if (!NT_SUCCESS(status))
        return status;
    /* A handle that may only append writes to the end whatever offset is given (documented: WDK, NtWriteFile). */
    if (write && !(granted & FILE_WRITE_DATA))
        given = &to_end;
    locked = IopLockFileObject(file, FALSE);
    status = resolve_offset(file, given, write, &offset);
    if (NT_SUCCESS(status) && offset > MAXLONGLONG - (LONGLONG)length)
        status = STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(status))
        goto exit;
    irp = IopBuildRequest(file, major, &stack);
    if (!irp) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    irp->UserBuffer = buffer;
    /* The two have one layout (documented). */
    stack->Parameters.Read.Length = length;
    stack->Parameters.Read.ByteOffset.QuadPart = offset;
    stack->Parameters.Read.Key = key ? *key : 0;
    status = IopSend(file, irp, io_status);
exit:
    IopUnlockFileObject(file, locked);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                          PULONG Key)
{
    return transfer(FileHandle, IRP_MJ_READ, IoStatusBlock, Buffer, Length, ByteOffset, Key);
}

NTSTATUS NTAPI NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                           PIO_STATUS_BLOCK IoStatusBlock, const void *Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                           PULONG Key)
{
    return transfer(FileHandle, IRP_MJ_WRITE, IoStatusBlock, (PVOID)Buffer, Length, ByteOffset, Key);
}

NTSTATUS NTAPI NtFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PIRP irp;
    NTSTATUS status = IopReferenceFile(FileHandle, FILE_WRITE_DATA | FILE_APPEND_DATA, &file, NULL);

    if (!NT_SUCCESS(status))
        return status;
    irp = IopBuildRequest(file, IRP_MJ_FLUSH_BUFFERS, &stack);
    status = irp ? IopSend(file, irp, IoStatusBlock) : STATUS_INSUFFICIENT_RESOURCES;
    ObDereferenceObject(file);
    return status;
}

/* ---- byte ranges ---- */

/* Documented: WDK, NtLockFile: a handle that may read or write data. */
static NTSTATUS lock_control(HANDLE handle, UCHAR minor, UCHAR flags, PIO_STATUS_BLOCK io_status,
                             const LARGE_INTEGER *offset, PLARGE_INTEGER length, const ULONG *key)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    BOOLEAN locked;
    PIRP irp;
    NTSTATUS status = IopReferenceFile(handle, FILE_READ_DATA | FILE_WRITE_DATA, &file, NULL);

    if (!NT_SUCCESS(status))
        return status;
    locked = IopLockFileObject(file, FALSE);
    irp = IopBuildRequest(file, IRP_MJ_LOCK_CONTROL, &stack);
    if (irp) {
        __atomic_store_n(&file->LockOperation, TRUE, __ATOMIC_RELAXED);
        stack->MinorFunction = minor;
        stack->Flags = flags;
        stack->Parameters.LockControl.Length = length;
        stack->Parameters.LockControl.Key = key ? *key : 0;
        stack->Parameters.LockControl.ByteOffset = *offset;
    }
    status = irp ? IopSend(file, irp, io_status) : STATUS_INSUFFICIENT_RESOURCES;
    IopUnlockFileObject(file, locked);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtLockFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length, PULONG Key,
                          BOOLEAN FailImmediately, BOOLEAN ExclusiveLock)
{
    LARGE_INTEGER length = *Length; /* the driver's until the request is complete */
    UCHAR flags = (UCHAR)((FailImmediately ? SL_FAIL_IMMEDIATELY : 0) | (ExclusiveLock ? SL_EXCLUSIVE_LOCK : 0));

    return lock_control(FileHandle, IRP_MN_LOCK, flags, IoStatusBlock, ByteOffset, &length, Key);
}

NTSTATUS NTAPI NtUnlockFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset,
                            PLARGE_INTEGER Length, PULONG Key)
{
    LARGE_INTEGER length = *Length;

    return lock_control(FileHandle, IRP_MN_UNLOCK_SINGLE, 0, IoStatusBlock, ByteOffset, &length, Key);
}

/* ---- information ---- */

/* A query through a system buffer: the driver never sees the caller's memory. */
static NTSTATUS query(HANDLE handle, UCHAR major, const IOP_QUERY_RULE *rule, PIO_STATUS_BLOCK io_status, PVOID buffer,
                      ULONG length, int class)
{
    IO_STATUS_BLOCK result = {{0}, 0};
    ACCESS_MASK granted;
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PVOID system = NULL;
    PIRP irp = NULL;
    NTSTATUS status;

    if (length < rule->Length)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (length > IOP_LARGEST_QUERY)
        length = IOP_LARGEST_QUERY; /* no answer is longer */
    status = IopReferenceFile(handle, rule->Access, &file, &granted);
    if (!NT_SUCCESS(status))
        return status;
    system = ExAllocatePoolWithTag(NonPagedPool, length, IOP_TAG_BUFFER);
    if (!system) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    RtlZeroMemory(system, length);
    if (major == IRP_MJ_QUERY_INFORMATION)
        result.Information = IopQueryLocally(file, granted, (FILE_INFORMATION_CLASS) class, system);
    if (result.Information) {
        memcpy(buffer, system, result.Information);
        *io_status = result;
        status = STATUS_SUCCESS;
        goto exit;
    }
    irp = IopBuildRequest(file, major, &stack);
    if (!irp) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    irp->AssociatedIrp.SystemBuffer = system;
    /* QueryFile and QueryVolume have one layout (documented). */
    stack->Parameters.QueryFile.Length = length;
    stack->Parameters.QueryFile.FileInformationClass = (FILE_INFORMATION_CLASS) class;
    status = IopSend(file, irp, &result);
    if (!NT_ERROR(status)) {
        memcpy(buffer, system, result.Information < length ? result.Information : length);
        *io_status = result;
    }
exit:
    if (system)
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                      ULONG Length, FILE_INFORMATION_CLASS FileInformationClass)
{
    IOP_QUERY_RULE rule;

    if (!IopQueryRule(FileInformationClass, &rule))
        return EMU_DECIDE("Io", STATUS_INVALID_INFO_CLASS, "class %d cannot be asked for", (int)FileInformationClass);
    return query(FileHandle, IRP_MJ_QUERY_INFORMATION, &rule, IoStatusBlock, FileInformation, Length,
                 (int)FileInformationClass);
}

NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                            ULONG Length, FS_INFORMATION_CLASS FsInformationClass)
{
    IOP_QUERY_RULE rule;

    if (!IopQueryVolumeRule(FsInformationClass, &rule))
        return EMU_DECIDE("Io", STATUS_INVALID_INFO_CLASS, "class %d cannot be asked for", (int)FsInformationClass);
    return query(FileHandle, IRP_MJ_QUERY_VOLUME_INFORMATION, &rule, IoStatusBlock, FsInformation, Length,
                 (int)FsInformationClass);
}

static NTSTATUS set_position(HANDLE handle, PIO_STATUS_BLOCK io_status, const void *buffer, ULONG length)
{
    const FILE_POSITION_INFORMATION *position = buffer;
    PFILE_OBJECT file;
    BOOLEAN locked;
    NTSTATUS status;

    if (length < sizeof *position)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (position->CurrentByteOffset.QuadPart < 0)
        return STATUS_INVALID_PARAMETER;
    status = IopReferenceFile(handle, 0, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    locked = IopLockFileObject(file, FALSE);
    __atomic_store_n(&file->CurrentByteOffset.QuadPart, position->CurrentByteOffset.QuadPart, __ATOMIC_RELAXED);
    IopUnlockFileObject(file, locked);
    io_status->Status = STATUS_SUCCESS;
    io_status->Information = 0;
    ObDereferenceObject(file);
    return STATUS_SUCCESS;
}

static NTSTATUS set_mode(HANDLE handle, PIO_STATUS_BLOCK io_status, const void *buffer, ULONG length)
{
    PFILE_OBJECT file;
    NTSTATUS status;

    if (length < sizeof(FILE_MODE_INFORMATION))
        return STATUS_INFO_LENGTH_MISMATCH;
    status = IopReferenceFile(handle, 0, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = IopSetMode(file, ((const FILE_MODE_INFORMATION *)buffer)->Mode);
    if (NT_SUCCESS(status)) {
        io_status->Status = status;
        io_status->Information = 0;
    }
    ObDereferenceObject(file);
    return status;
}

static BOOLEAN has_target(FILE_INFORMATION_CLASS class)
{
    return class == FileRenameInformation || class == FileLinkInformation;
}

/*
 * What can be set, the handle's access that it takes, and how much there must be of it (documented: WDK,
 * ZwSetInformationFile; MS-FSA 2.1.5.15, class by class).
 */
static const struct settable {
    ACCESS_MASK access;
    ULONG length; /* 0: cannot be set */
} settable[FileMaximumInformation] = {
    [FileBasicInformation] = {FILE_WRITE_ATTRIBUTES, sizeof(FILE_BASIC_INFORMATION)},
    [FileRenameInformation] = {DELETE, offsetof(FILE_RENAME_INFORMATION, FileName)},
    [FileLinkInformation] = {0, offsetof(FILE_LINK_INFORMATION, FileName)},
    [FileDispositionInformation] = {DELETE, sizeof(FILE_DISPOSITION_INFORMATION)},
    [FileAllocationInformation] = {FILE_WRITE_DATA, sizeof(FILE_ALLOCATION_INFORMATION)},
    [FileEndOfFileInformation] = {FILE_WRITE_DATA, sizeof(FILE_END_OF_FILE_INFORMATION)},
    [FilePipeInformation] = {0, sizeof(FILE_PIPE_INFORMATION)},
};

NTSTATUS NTAPI NtSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                    ULONG Length, FILE_INFORMATION_CLASS FileInformationClass)
{
    IOP_TARGET target = {0};
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PVOID system;
    PIRP irp;
    NTSTATUS status;

    if (FileInformationClass == FilePositionInformation)
        return set_position(FileHandle, IoStatusBlock, FileInformation, Length);
    if (FileInformationClass == FileModeInformation)
        return set_mode(FileHandle, IoStatusBlock, FileInformation, Length);
    if (FileInformationClass <= 0 || FileInformationClass >= FileMaximumInformation ||
        !settable[FileInformationClass].length)
        return EMU_DECIDE("Io", STATUS_INVALID_INFO_CLASS, "class %d cannot be set", (int)FileInformationClass);
    if (Length < settable[FileInformationClass].length || Length > IOP_LARGEST_QUERY)
        return EMU_DECIDE("Io", STATUS_INFO_LENGTH_MISMATCH, "%u bytes for class %d", Length,
                          (int)FileInformationClass);
    status = IopReferenceFile(FileHandle, settable[FileInformationClass].access, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = STATUS_INSUFFICIENT_RESOURCES;
    system = ExAllocatePoolWithTag(NonPagedPool, Length, IOP_TAG_BUFFER);
    if (!system)
        goto exit;
    memcpy(system, FileInformation, Length); /* nobody changes it any more */
    if (has_target(FileInformationClass)) {
        status = IopOpenTarget(file, system, Length, &target);
        if (!NT_SUCCESS(status))
            goto exit;
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    irp = IopBuildRequest(file, IRP_MJ_SET_INFORMATION, &stack);
    if (!irp)
        goto exit;
    irp->AssociatedIrp.SystemBuffer = system;
    stack->Parameters.SetFile.Length = Length;
    stack->Parameters.SetFile.FileInformationClass = FileInformationClass;
    stack->Parameters.SetFile.FileObject = target.Directory;
    if (has_target(FileInformationClass)) /* both structures begin with it */
        stack->Parameters.SetFile.ReplaceIfExists = *(const BOOLEAN *)system;
    status = IopSend(file, irp, IoStatusBlock);
exit:
    IopCloseTarget(&target);
    if (system)
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

/* Documented: WDK, ZwSetVolumeInformationFile. The label is set by a handle of the volume, with the right to write. */
NTSTATUS NTAPI NtSetVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                          ULONG Length, FS_INFORMATION_CLASS FsInformationClass)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PVOID system = NULL;
    PIRP irp = NULL;
    NTSTATUS status;

    if (FsInformationClass != FileFsLabelInformation && FsInformationClass != FileFsControlInformation &&
        FsInformationClass != FileFsObjectIdInformation)
        return EMU_DECIDE("Io", STATUS_INVALID_INFO_CLASS, "class %d cannot be set", (int)FsInformationClass);
    if (Length < sizeof(ULONG) + sizeof(WCHAR) || Length > IOP_LARGEST_QUERY)
        return EMU_DECIDE("Io", STATUS_INFO_LENGTH_MISMATCH, "%u bytes for class %d", Length, (int)FsInformationClass);
    status = IopReferenceFile(FileHandle, FILE_WRITE_DATA, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    system = ExAllocatePoolWithTag(NonPagedPool, Length, IOP_TAG_BUFFER);
    if (system)
        irp = IopBuildRequest(file, IRP_MJ_SET_VOLUME_INFORMATION, &stack);
    status = STATUS_INSUFFICIENT_RESOURCES;
    if (irp) {
        memcpy(system, FsInformation, Length);
        irp->AssociatedIrp.SystemBuffer = system;
        stack->Parameters.SetVolume.Length = Length;
        stack->Parameters.SetVolume.FsInformationClass = FsInformationClass;
        status = IopSend(file, irp, IoStatusBlock);
    }
    if (system)
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                    FILE_INFORMATION_CLASS FileInformationClass, BOOLEAN ReturnSingleEntry,
                                    PUNICODE_STRING FileName, BOOLEAN RestartScan)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    BOOLEAN locked;
    PIRP irp;
    NTSTATUS status = IopReferenceFile(FileHandle, FILE_LIST_DIRECTORY, &file, NULL);

    if (!NT_SUCCESS(status))
        return status;
    locked = IopLockFileObject(file, TRUE); /* a handle has one place in its listing, however it was opened */
    irp = IopBuildRequest(file, IRP_MJ_DIRECTORY_CONTROL, &stack);
    if (!irp) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    irp->UserBuffer = FileInformation;
    stack->MinorFunction = IRP_MN_QUERY_DIRECTORY;
    stack->Flags = (UCHAR)((RestartScan ? SL_RESTART_SCAN : 0) | (ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0));
    stack->Parameters.QueryDirectory.Length = Length;
    stack->Parameters.QueryDirectory.FileName = FileName;
    stack->Parameters.QueryDirectory.FileInformationClass = FileInformationClass;
    status = IopSend(file, irp, IoStatusBlock);
exit:
    IopUnlockFileObject(file, locked);
    ObDereferenceObject(file);
    return status;
}

/* Documented: WDK, ZwNotifyChangeDirectoryFile; which filters there are: FILE_NOTIFY_VALID_MASK. */
NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine,
                                           PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                           ULONG CompletionFilter, BOOLEAN WatchTree)
{
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    BOOLEAN locked;
    PIRP irp;
    NTSTATUS status;

    if (!CompletionFilter || (CompletionFilter & ~0xfffu))
        return STATUS_INVALID_PARAMETER;
    status = IopReferenceFile(FileHandle, FILE_LIST_DIRECTORY, &file, NULL);
    if (!NT_SUCCESS(status))
        return status;
    locked = IopLockFileObject(file, FALSE);
    irp = IopBuildRequest(file, IRP_MJ_DIRECTORY_CONTROL, &stack);
    if (irp) {
        irp->UserBuffer = Buffer;
        stack->MinorFunction = IRP_MN_NOTIFY_CHANGE_DIRECTORY;
        stack->Flags = WatchTree ? SL_WATCH_TREE : 0;
        stack->Parameters.NotifyDirectory.Length = Length;
        stack->Parameters.NotifyDirectory.CompletionFilter = CompletionFilter;
    }
    status = irp ? IopSend(file, irp, IoStatusBlock) : STATUS_INSUFFICIENT_RESOURCES;
    IopUnlockFileObject(file, locked);
    ObDereferenceObject(file);
    return status;
}

/* ---- control ---- */

/*
 * METHOD_BUFFERED and METHOD_NEITHER; there are no MDLs for the direct ones. A code's access bits are FILE_READ_DATA
 * and FILE_WRITE_DATA (documented: WDK, "Defining I/O Control Codes").
 */
static NTSTATUS control(HANDLE handle, UCHAR major, PIO_STATUS_BLOCK io_status, ULONG code, PVOID input,
                        ULONG input_length, PVOID output, ULONG output_length)
{
    ULONG method = code & 3, larger = max(input_length, output_length);
    IO_STATUS_BLOCK result = {{0}, 0};
    PIO_STACK_LOCATION stack;
    PFILE_OBJECT file;
    PVOID system = NULL;
    PIRP irp = NULL;
    NTSTATUS status;

    if (method != METHOD_BUFFERED && method != METHOD_NEITHER)
        return STATUS_NOT_SUPPORTED;
    if (method == METHOD_BUFFERED && larger > IOP_LARGEST_QUERY)
        return STATUS_INVALID_PARAMETER;
    status = IopReferenceFileForAll(handle, code >> 14 & (FILE_READ_DATA | FILE_WRITE_DATA), &file);
    if (!NT_SUCCESS(status))
        return status;
    if (method == METHOD_BUFFERED && larger)
        system = ExAllocatePoolWithTag(NonPagedPool, larger, IOP_TAG_BUFFER);
    if (method == METHOD_NEITHER || !larger || system)
        irp = IopBuildRequest(file, major, &stack);
    if (!irp) {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    if (system) {
        if (input_length)
            memcpy(system, input, input_length);
        irp->AssociatedIrp.SystemBuffer = system;
    }
    irp->UserBuffer = output;
    stack->Parameters.DeviceIoControl.IoControlCode = code;
    stack->Parameters.DeviceIoControl.InputBufferLength = input_length;
    stack->Parameters.DeviceIoControl.OutputBufferLength = output_length;
    stack->Parameters.DeviceIoControl.Type3InputBuffer = method == METHOD_NEITHER ? input : NULL;
    status = IopSend(file, irp, &result);
    if (!NT_ERROR(status)) {
        if (system && output)
            memcpy(output, system, min(result.Information, output_length));
        *io_status = result;
    }
exit:
    if (system)
        ExFreePoolWithTag(system, IOP_TAG_BUFFER);
    ObDereferenceObject(file);
    return status;
}

NTSTATUS NTAPI NtFsControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG FsControlCode, PVOID InputBuffer,
                               ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength)
{
    return control(FileHandle, IRP_MJ_FILE_SYSTEM_CONTROL, IoStatusBlock, FsControlCode, InputBuffer, InputBufferLength,
                   OutputBuffer, OutputBufferLength);
}

NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                     PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer,
                                     ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength)
{
    return control(FileHandle, IRP_MJ_DEVICE_CONTROL, IoStatusBlock, IoControlCode, InputBuffer, InputBufferLength,
                   OutputBuffer, OutputBufferLength);
}
