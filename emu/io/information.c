/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the I/O manager itself knows of information classes: which ones there are, how large a buffer and which access
 * each takes, and those that it answers from the file object and the handle (documented: WDK, ZwQueryInformationFile
 * and IRP_MJ_QUERY_INFORMATION). The classes are NT 4.0's, and FileAttributeTagInformation, which programs ask of
 * every handle.
 */
#include "iop.h"

#include <ntemu/trace.h>

static const IOP_QUERY_RULE queryable[] = {
    [FileBasicInformation] = {sizeof(FILE_BASIC_INFORMATION), FILE_READ_ATTRIBUTES},
    [FileStandardInformation] = {sizeof(FILE_STANDARD_INFORMATION), 0},
    [FileInternalInformation] = {sizeof(FILE_INTERNAL_INFORMATION), 0},
    [FileEaInformation] = {sizeof(FILE_EA_INFORMATION), 0},
    [FileAccessInformation] = {sizeof(FILE_ACCESS_INFORMATION), 0},
    [FileNameInformation] = {sizeof(FILE_NAME_INFORMATION), 0},
    [FilePositionInformation] = {sizeof(FILE_POSITION_INFORMATION), 0},
    [FileModeInformation] = {sizeof(FILE_MODE_INFORMATION), 0},
    [FileAlignmentInformation] = {sizeof(FILE_ALIGNMENT_INFORMATION), 0},
    [FileAllInformation] = {sizeof(FILE_ALL_INFORMATION), FILE_READ_ATTRIBUTES},
    [FileAlternateNameInformation] = {sizeof(FILE_NAME_INFORMATION), 0},
    [FileStreamInformation] = {sizeof(FILE_STREAM_INFORMATION), 0},
    [FilePipeInformation] = {sizeof(FILE_PIPE_INFORMATION), FILE_READ_ATTRIBUTES},
    [FilePipeLocalInformation] = {sizeof(FILE_PIPE_LOCAL_INFORMATION), FILE_READ_ATTRIBUTES},
    [FileMailslotQueryInformation] = {sizeof(FILE_MAILSLOT_QUERY_INFORMATION), 0},
    [FileCompressionInformation] = {16, 0},
    [FileNetworkOpenInformation] = {sizeof(FILE_NETWORK_OPEN_INFORMATION), FILE_READ_ATTRIBUTES},
    [FileAttributeTagInformation] = {sizeof(FILE_ATTRIBUTE_TAG_INFORMATION), FILE_READ_ATTRIBUTES},
};

static const IOP_QUERY_RULE queryable_volume[] = {
    [FileFsVolumeInformation] = {sizeof(FILE_FS_VOLUME_INFORMATION), 0},
    [FileFsSizeInformation] = {sizeof(FILE_FS_SIZE_INFORMATION), 0},
    [FileFsDeviceInformation] = {sizeof(FILE_FS_DEVICE_INFORMATION), 0},
    [FileFsAttributeInformation] = {sizeof(FILE_FS_ATTRIBUTE_INFORMATION), 0},
    [FileFsControlInformation] = {48, FILE_READ_DATA},
    [FileFsFullSizeInformation] = {sizeof(FILE_FS_FULL_SIZE_INFORMATION), 0},
    [FileFsObjectIdInformation] = {64, 0},
};

static BOOLEAN find_rule(const IOP_QUERY_RULE *rules, ULONG count, ULONG class, IOP_QUERY_RULE *rule)
{
    if (class >= count || !rules[class].Length)
        return FALSE;
    *rule = rules[class];
    return TRUE;
}

BOOLEAN IopQueryRule(FILE_INFORMATION_CLASS Class, IOP_QUERY_RULE *Rule)
{
    return find_rule(queryable, sizeof queryable / sizeof *queryable, (ULONG)Class, Rule);
}

BOOLEAN IopQueryVolumeRule(FS_INFORMATION_CLASS Class, IOP_QUERY_RULE *Rule)
{
    return find_rule(queryable_volume, sizeof queryable_volume / sizeof *queryable_volume, (ULONG)Class, Rule);
}

/* Documented: MS-FSCC 2.4.29. */
static ULONG mode_of(const FILE_OBJECT *file)
{
    ULONG flags = IopFileFlags(file), mode = 0;

    if (flags & FO_WRITE_THROUGH)
        mode |= FILE_WRITE_THROUGH;
    if (flags & FO_SEQUENTIAL_ONLY)
        mode |= FILE_SEQUENTIAL_ONLY;
    if (flags & FO_NO_INTERMEDIATE_BUFFERING)
        mode |= FILE_NO_INTERMEDIATE_BUFFERING;
    if (flags & FO_SYNCHRONOUS_IO)
        mode |= flags & FO_ALERTABLE_IO ? FILE_SYNCHRONOUS_IO_ALERT : FILE_SYNCHRONOUS_IO_NONALERT;
    if (flags & FO_DELETE_ON_CLOSE)
        mode |= FILE_DELETE_ON_CLOSE;
    return mode;
}

ULONG IopQueryLocally(PFILE_OBJECT FileObject, ACCESS_MASK Granted, FILE_INFORMATION_CLASS Class, PVOID Buffer)
{
    FILE_ALL_INFORMATION *all = Buffer;

    switch ((int)Class) {
    case FilePositionInformation:
        ((FILE_POSITION_INFORMATION *)Buffer)->CurrentByteOffset.QuadPart =
            __atomic_load_n(&FileObject->CurrentByteOffset.QuadPart, __ATOMIC_RELAXED);
        return sizeof(FILE_POSITION_INFORMATION);
    case FileAccessInformation:
        ((FILE_ACCESS_INFORMATION *)Buffer)->AccessFlags = Granted;
        return sizeof(FILE_ACCESS_INFORMATION);
    case FileModeInformation:
        ((FILE_MODE_INFORMATION *)Buffer)->Mode = mode_of(FileObject);
        return sizeof(FILE_MODE_INFORMATION);
    case FileAlignmentInformation:
        ((FILE_ALIGNMENT_INFORMATION *)Buffer)->AlignmentRequirement = 0;
        return sizeof(FILE_ALIGNMENT_INFORMATION);
    case FileAllInformation: /* these parts of it; the rest is the driver's */
        all->AccessInformation.AccessFlags = Granted;
        all->ModeInformation.Mode = mode_of(FileObject);
        all->AlignmentInformation.AlignmentRequirement = 0;
        return 0;
    default:
        return 0;
    }
}

/* Documented: MS-FSA 2.1.5.15.8. A file stays synchronous, or not. */
NTSTATUS IopSetMode(PFILE_OBJECT FileObject, ULONG Mode)
{
    const ULONG synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT, way = Mode & synchronous;
    ULONG flags = 0;

    if (Mode & ~(ULONG)(FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | synchronous))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "mode 0x%x", Mode);
    if (way == synchronous || (way != 0) != ((IopFileFlags(FileObject) & FO_SYNCHRONOUS_IO) != 0))
        return EMU_DECIDE("Io", STATUS_INVALID_PARAMETER, "a file stays synchronous, or not");
    if (Mode & FILE_WRITE_THROUGH)
        flags |= FO_WRITE_THROUGH;
    if (Mode & FILE_SEQUENTIAL_ONLY)
        flags |= FO_SEQUENTIAL_ONLY;
    if (Mode & FILE_SYNCHRONOUS_IO_ALERT)
        flags |= FO_ALERTABLE_IO;
    IopChangeFileFlags(FileObject, FO_WRITE_THROUGH | FO_SEQUENTIAL_ONLY | FO_ALERTABLE_IO, flags);
    return STATUS_SUCCESS;
}
