/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sections of files: what keeps a file from being cut off, overwritten or deleted while somebody has it mapped. There
 * are no views: the machine's clients map on their own side, and read and write by paging I/O (io/paging.c). A section
 * refers to its file object, so the file's close waits for it, and counts in the file's SECTION_OBJECT_POINTERS: in a
 * control area for data and one for images, which is there as long as somebody is counted.
 */
#include "mmp.h"

#include <ntemu/machine.h>
#include <ntemu/trace.h>

typedef struct _CONTROL_AREA {
    ULONG Sections;
    LONGLONG Size; /* of the longest that there was */
} CONTROL_AREA, *PCONTROL_AREA;

typedef struct _SECTION {
    LIST_ENTRY Links;    /* all sections */
    PFILE_OBJECT File;   /* with a reference; NULL: it has ended */
    const void *Creator; /* the process; only compared */
    PVOID *Area;         /* the one of File's two pointers that it counts in */
} SECTION, *PSECTION;

static FAST_MUTEX mutex; /* guards the list, the control areas and who refers to them, and which sections have ended */
static LIST_ENTRY sections;

static void delete_section(PVOID object);

OBJECT_TYPE MmpSectionType = {
    .Name = "Section",
    .PoolType = PagedPool,
    .Tag = MMP_TAG_SECTION,
    .GenericMapping = {STANDARD_RIGHTS_READ | SECTION_QUERY | SECTION_MAP_READ,
                       STANDARD_RIGHTS_WRITE | SECTION_MAP_WRITE, STANDARD_RIGHTS_EXECUTE | SECTION_MAP_EXECUTE,
                       SECTION_ALL_ACCESS},
    .Delete = delete_section,
};

void MmpInitializeSections(void)
{
    ExInitializeFastMutex(&mutex);
    InitializeListHead(&sections);
}

/* ---- counting; the mutex is held ---- */

static NTSTATUS count_section(PSECTION section, LONGLONG size)
{
    PCONTROL_AREA area = *section->Area;

    if (!area) {
        area = ExAllocatePoolWithTag(NonPagedPool, sizeof *area, MMP_TAG_CONTROL);
        if (!area)
            return EMU_DECIDE("Mm", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a control area");
        *area = (CONTROL_AREA){0, 0};
        __atomic_store_n(section->Area, area, __ATOMIC_RELEASE);
    }
    area->Sections++;
    if (area->Size < size)
        area->Size = size;
    InsertTailList(&sections, &section->Links);
    return STATUS_SUCCESS;
}

/* The file object, whose reference is the caller's now. NULL: the section has ended before. */
static PFILE_OBJECT end_section(PSECTION section)
{
    PFILE_OBJECT file = section->File;
    PCONTROL_AREA area;

    if (!file)
        return NULL;
    area = *section->Area;
    if (!--area->Sections) {
        __atomic_store_n(section->Area, NULL, __ATOMIC_RELEASE);
        ExFreePoolWithTag(area, MMP_TAG_CONTROL);
    }
    RemoveEntryList(&section->Links);
    section->File = NULL;
    return file;
}

static void delete_section(PVOID object)
{
    PFILE_OBJECT file;

    ExAcquireFastMutex(&mutex);
    file = end_section(object);
    ExReleaseFastMutex(&mutex);
    if (file)
        ObDereferenceObject(file);
}

void EmuEndSections(void)
{
    const void *process = PsGetCurrentProcess();
    PFILE_OBJECT file;

    do {
        file = NULL;
        ExAcquireFastMutex(&mutex);
        for (PLIST_ENTRY e = sections.Flink; e != &sections && !file; e = e->Flink) {
            PSECTION section = CONTAINING_RECORD(e, SECTION, Links);
            if (section->Creator == process)
                file = end_section(section);
        }
        ExReleaseFastMutex(&mutex);
        if (file)
            ObDereferenceObject(file);
    } while (file);
}

/* ---- what a file system asks ---- */

/* Most files are: their creates do not meet here. */
static BOOLEAN is_unmapped(const SECTION_OBJECT_POINTERS *pointers)
{
    return !__atomic_load_n(&pointers->DataSectionObject, __ATOMIC_ACQUIRE) &&
           !__atomic_load_n(&pointers->ImageSectionObject, __ATOMIC_ACQUIRE);
}

BOOLEAN NTAPI MmFlushImageSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, MMFLUSH_TYPE FlushType)
{
    BOOLEAN nobody;

    if (is_unmapped(SectionObjectPointer))
        return TRUE;
    ExAcquireFastMutex(&mutex);
    nobody = !SectionObjectPointer->ImageSectionObject &&
             (FlushType != MmFlushForDelete || !SectionObjectPointer->DataSectionObject);
    ExReleaseFastMutex(&mutex);
    return nobody;
}

BOOLEAN NTAPI MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionObjectPointer, PLARGE_INTEGER NewFileSize)
{
    const CONTROL_AREA *area;
    BOOLEAN can;

    if (is_unmapped(SectionObjectPointer))
        return TRUE;
    ExAcquireFastMutex(&mutex);
    area = SectionObjectPointer->DataSectionObject;
    can = !SectionObjectPointer->ImageSectionObject && (!area || (NewFileSize && NewFileSize->QuadPart >= area->Size));
    ExReleaseFastMutex(&mutex);
    return can;
}

/* ---- the service ---- */

/* What a section of this protection takes of the file's handle (observed: ReactOS). 0: there is no such protection. */
static ACCESS_MASK access_for(ULONG protection)
{
    switch (protection) {
    case PAGE_READONLY:
    case PAGE_WRITECOPY:
        return FILE_READ_DATA;
    case PAGE_READWRITE:
        return FILE_READ_DATA | FILE_WRITE_DATA;
    case PAGE_EXECUTE:
        return FILE_EXECUTE;
    case PAGE_EXECUTE_READ:
    case PAGE_EXECUTE_WRITECOPY:
        return FILE_EXECUTE | FILE_READ_DATA;
    case PAGE_EXECUTE_READWRITE:
        return FILE_EXECUTE | FILE_READ_DATA | FILE_WRITE_DATA;
    default:
        return 0;
    }
}

/* How long the section is; a file that is shorter is made longer, by who may. */
static NTSTATUS find_size(HANDLE handle, LONGLONG wanted, ULONG protection, BOOLEAN image, LONGLONG *size)
{
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = wanted};
    FILE_STANDARD_INFORMATION standard;
    IO_STATUS_BLOCK io_status;
    NTSTATUS status = NtQueryInformationFile(handle, &io_status, &standard, sizeof standard, FileStandardInformation);

    if (!NT_SUCCESS(status))
        return status;
    if (standard.Directory || (image && !standard.EndOfFile.QuadPart))
        return EMU_DECIDE("Mm", STATUS_INVALID_FILE_FOR_SECTION, "a directory, or an empty file for an image");
    *size = max(standard.EndOfFile.QuadPart, wanted);
    if (image || (*size && wanted <= standard.EndOfFile.QuadPart))
        return STATUS_SUCCESS;
    if (!wanted)
        return EMU_DECIDE("Mm", STATUS_MAPPED_FILE_SIZE_ZERO, "an empty file, and no size is given");
    if (!(access_for(protection) & FILE_WRITE_DATA))
        return EMU_DECIDE("Mm", STATUS_SECTION_TOO_BIG, "longer than the file, which it does not write");
    return NtSetInformationFile(handle, &io_status, &end, sizeof end, FileEndOfFileInformation);
}

/* *File: with a reference. */
static NTSTATUS reference_file(HANDLE handle, ULONG protection, PFILE_OBJECT *file)
{
    PVOID object;
    NTSTATUS status =
        ObReferenceObjectByHandle(handle, access_for(protection), *IoFileObjectType, UserMode, &object, NULL);

    if (!NT_SUCCESS(status))
        return status;
    *file = object;
    if ((*file)->SectionObjectPointer)
        return STATUS_SUCCESS;
    ObDereferenceObject(object);
    return EMU_DECIDE("Mm", STATUS_INVALID_FILE_FOR_SECTION, "nothing that can be mapped");
}

/* Takes the reference on the file if it succeeds. */
static NTSTATUS make_section(PFILE_OBJECT file, BOOLEAN image, LONGLONG size, PVOID *ret_section)
{
    PSECTION_OBJECT_POINTERS pointers = file->SectionObjectPointer;
    PSECTION section;
    PVOID object;
    NTSTATUS status = ObpCreateObject(&MmpSectionType, sizeof *section, &object);

    if (!NT_SUCCESS(status))
        return status;
    section = object;
    section->Creator = PsGetCurrentProcess();
    section->Area = image ? &pointers->ImageSectionObject : &pointers->DataSectionObject;
    ExAcquireFastMutex(&mutex);
    status = count_section(section, size);
    if (NT_SUCCESS(status))
        section->File = file;
    ExReleaseFastMutex(&mutex);
    if (NT_SUCCESS(status))
        *ret_section = object;
    else
        ObDereferenceObject(object);
    return status;
}

NTSTATUS NTAPI NtCreateSection(HANDLE *SectionHandle, ACCESS_MASK DesiredAccess,
                               const OBJECT_ATTRIBUTES *ObjectAttributes, const LARGE_INTEGER *MaximumSize,
                               ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle)
{
    const BOOLEAN image = (AllocationAttributes & SEC_IMAGE) != 0;
    LONGLONG size;
    PFILE_OBJECT file;
    PVOID section;
    NTSTATUS status;

    if (!access_for(SectionPageProtection))
        return EMU_DECIDE("Mm", STATUS_INVALID_PAGE_PROTECTION, "protection 0x%x", SectionPageProtection);
    if (!FileHandle)
        return EMU_DECIDE("Mm", STATUS_NOT_SUPPORTED, "a section without a file: there is no paging file");
    if (MaximumSize && MaximumSize->QuadPart < 0)
        return EMU_DECIDE("Mm", STATUS_SECTION_TOO_BIG, "a negative size");
    status = reference_file(FileHandle, SectionPageProtection, &file);
    if (!NT_SUCCESS(status))
        return status;
    status = find_size(FileHandle, MaximumSize ? MaximumSize->QuadPart : 0, SectionPageProtection, image, &size);
    if (NT_SUCCESS(status))
        status = make_section(file, image, size, &section);
    if (!NT_SUCCESS(status)) {
        ObDereferenceObject(file);
        return status;
    }
    return ObpInsertObject(section, ObjectAttributes, DesiredAccess, SectionHandle);
}
