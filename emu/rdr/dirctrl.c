/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_DIRECTORY_CONTROL, IRP_MN_QUERY_DIRECTORY. Structures: MS-FSCC 2.4; which status when: MS-FSA 2.1.5.5.3.
 * The server is asked for a batch of entries at a time; what does not fit the caller's buffer waits for the next query.
 */
#include "rdr.h"

#include <string.h>

#define BATCH_BYTES 32768u
#define PATTERN_MAX 255u /* units */

/* A directory handle's place in its listing; serialized by the file object's lock, which NtQueryDirectoryFile takes. */
typedef struct _RDR_LISTING {
    USHORT PatternLength; /* units; upper case. 0: everything */
    BOOLEAN FirstQuery;   /* nothing has been answered yet: finding nothing is an error of the pattern's */
    BOOLEAN End;          /* the server has no more */
    BOOLEAN Restart;      /* the next batch is the first */
    BOOLEAN OneName;      /* the pattern has no wildcard */
    ULONG Filled, Next;   /* bytes in Batch, and where its next entry begins */
    ULONG Taken;          /* entries that the server has listed */
    ULONG Reopened;       /* SRV_OPEN.Reopened when it did. Since then it begins anew, and ... */
    ULONG Skip;           /* ... so many are known already */
    WCHAR Pattern[PATTERN_MAX];
    __attribute__((aligned(8))) UCHAR Batch[BATCH_BYTES];
} RDR_LISTING;

void RdrFreeListing(PRDR_LISTING Listing)
{
    if (Listing)
        ExFreePoolWithTag(Listing, RDR_TAG_LISTING);
}

static const struct smb_dirent *current_entry(const RDR_LISTING *listing)
{
    return listing->Next < listing->Filled ? (const struct smb_dirent *)(listing->Batch + listing->Next) : NULL;
}

static void advance(PRDR_LISTING listing, const struct smb_dirent *entry)
{
    listing->Next = entry->next_offset ? listing->Next + entry->next_offset : listing->Filled;
}

static BOOLEAN matches(const RDR_LISTING *listing, const struct smb_dirent *entry)
{
    UNICODE_STRING pattern = {(USHORT)(listing->PatternLength * sizeof(WCHAR)), 0, (PWSTR)listing->Pattern};
    UNICODE_STRING name = {(USHORT)entry->name_length, 0, (PWSTR)(entry + 1)};

    return !listing->PatternLength || FsRtlIsNameInExpression(&pattern, &name, TRUE, NULL);
}

/* Where the name begins, by class; 0: a class that is not listed. */
static ULONG name_offset(FILE_INFORMATION_CLASS class)
{
    switch (class) {
    case FileDirectoryInformation:
        return offsetof(FILE_DIRECTORY_INFORMATION, FileName);
    case FileFullDirectoryInformation:
        return offsetof(FILE_FULL_DIRECTORY_INFORMATION, FileName);
    case FileBothDirectoryInformation:
        return offsetof(FILE_BOTH_DIRECTORY_INFORMATION, FileName);
    case FileIdBothDirectoryInformation:
        return offsetof(FILE_ID_BOTH_DIRECTORY_INFORMATION, FileName);
    case FileIdFullDirectoryInformation:
        return offsetof(FILE_ID_FULL_DIRECTORY_INFORMATION, FileName);
    case FileNamesInformation:
        return offsetof(FILE_NAMES_INFORMATION, FileName);
    default:
        return 0;
    }
}

_Static_assert(offsetof(FILE_DIRECTORY_INFORMATION, FileNameLength) ==
                       offsetof(FILE_ID_BOTH_DIRECTORY_INFORMATION, FileNameLength) &&
                   offsetof(FILE_DIRECTORY_INFORMATION, FileNameLength) ==
                       offsetof(FILE_ID_FULL_DIRECTORY_INFORMATION, FileNameLength),
               "the classes begin alike");

/* "." and ".." have none here. */
static LONGLONG file_id(const FCB *directory, const struct smb_dirent *entry)
{
    const WCHAR *name = (const WCHAR *)(entry + 1);
    const USHORT length = (USHORT)entry->name_length;
    const UNICODE_STRING whole = {length, length, (WCHAR *)name};
    const BOOLEAN dots = name[0] == '.' && (length == sizeof(WCHAR) || (length == 2 * sizeof(WCHAR) && name[1] == '.'));

    return dots ? 0 : (LONGLONG)RdrIndexNumber(directory, &whole);
}

static void fill_entry(PUCHAR at, FILE_INFORMATION_CLASS class, const FCB *directory, const struct smb_dirent *entry)
{
    FILE_DIRECTORY_INFORMATION *d = (FILE_DIRECTORY_INFORMATION *)at;
    const struct smb_info *info = &entry->info;

    memset(at, 0, name_offset(class));
    if (class == FileNamesInformation) {
        ((FILE_NAMES_INFORMATION *)at)->FileNameLength = entry->name_length;
        return;
    }
    d->CreationTime.QuadPart = info->creation_time;
    d->LastAccessTime.QuadPart = info->last_access_time;
    d->LastWriteTime.QuadPart = info->last_write_time;
    d->ChangeTime.QuadPart = info->change_time;
    d->EndOfFile.QuadPart = (LONGLONG)info->end_of_file;
    d->AllocationSize.QuadPart = (LONGLONG)info->allocation_size;
    d->FileAttributes = RdrAttributes(info);
    d->FileNameLength = entry->name_length;
    if (class == FileIdBothDirectoryInformation)
        ((FILE_ID_BOTH_DIRECTORY_INFORMATION *)at)->FileId.QuadPart = file_id(directory, entry);
    if (class == FileIdFullDirectoryInformation)
        ((FILE_ID_FULL_DIRECTORY_INFORMATION *)at)->FileId.QuadPart = file_id(directory, entry);
}

/* How far a query's buffer is filled. */
typedef struct _FILL {
    const FCB *Directory;
    PUCHAR Buffer;
    ULONG Length, Used;
    PULONG LastNext; /* NextEntryOffset of the entry before */
    ULONG LastAt;
} FILL;

/* FALSE: it does not fit. The first entry of a query is cut instead, and *status says so. */
static BOOLEAN append_entry(FILL *fill, FILE_INFORMATION_CLASS class, const struct smb_dirent *entry, NTSTATUS *status)
{
    ULONG at = (fill->Used + 7) & ~7u, fixed = name_offset(class), n = entry->name_length;

    if (at + fixed + n > fill->Length) {
        if (fill->LastNext)
            return FALSE;
        n = (fill->Length - fixed) & ~1u;
        *status = STATUS_BUFFER_OVERFLOW;
    }
    fill_entry(fill->Buffer + at, class, fill->Directory, entry);
    memcpy(fill->Buffer + at + fixed, entry + 1, n);
    if (fill->LastNext)
        *fill->LastNext = at - fill->LastAt;
    fill->LastNext = (PULONG)(fill->Buffer + at);
    fill->LastAt = at;
    fill->Used = at + fixed + n;
    return TRUE;
}

/* Takes what it can from the batch. TRUE: the query is answered; FALSE: another batch is needed. */
static BOOLEAN take_entries(PRDR_LISTING listing, const IO_STACK_LOCATION *stack, FILL *fill, NTSTATUS *status)
{
    FILE_INFORMATION_CLASS class = stack->Parameters.QueryDirectory.FileInformationClass;
    const struct smb_dirent *entry;

    while ((entry = current_entry(listing))) {
        if (matches(listing, entry)) {
            if (!append_entry(fill, class, entry, status))
                return TRUE;
        }
        advance(listing, entry);
        if (*status == STATUS_BUFFER_OVERFLOW || (fill->LastNext && (stack->Flags & SL_RETURN_SINGLE_ENTRY)))
            return TRUE;
    }
    return fill->LastNext || listing->End;
}

static void request_batch(PRDR_EXCHANGE exchange, PRDR_LISTING listing)
{
    exchange->Request.in.io.buffer = listing->Batch;
    exchange->Request.in.io.length = BATCH_BYTES;
    exchange->Request.in.io.restart = listing->Restart;
    if (listing->Restart)
        listing->Taken = listing->Skip = 0;
    listing->Restart = FALSE;
}

/* The place in the listing is that of what is open at the server, which a rename of the directory opens anew. */
static void keep_place(PRDR_LISTING listing, const SRV_OPEN *open)
{
    if (listing->Reopened == open->Reopened)
        return;
    listing->Reopened = open->Reopened;
    listing->Skip = listing->Taken;
    listing->Taken = 0;
}

/* Counts the batch's entries, and leaves those for the caller that it has not had. */
static void take_batch(PRDR_LISTING listing, ULONG bytes)
{
    const struct smb_dirent *entry;
    ULONG next = 0;

    listing->Next = 0;
    listing->Filled = bytes;
    listing->End = !bytes;
    for (; (entry = current_entry(listing)); listing->Taken++) {
        advance(listing, entry);
        if (listing->Skip) {
            listing->Skip--;
            next = listing->Next;
        }
    }
    listing->Next = next;
}

static NTSTATUS answer(PIRP irp, PRDR_LISTING listing, const FILL *fill, NTSTATUS status)
{
    if (NT_SUCCESS(status) && !fill->LastNext)
        status = listing->FirstQuery ? STATUS_NO_SUCH_FILE : STATUS_NO_MORE_FILES;
    if (fill->LastNext || status == STATUS_NO_SUCH_FILE) {
        if (listing->FirstQuery && listing->OneName)
            __atomic_store_n(&fill->Directory->NetRoot->Absent, !fill->LastNext, __ATOMIC_RELAXED);
        listing->FirstQuery = FALSE;
    }
    return RdrCompleteIrp(irp, status, fill->Used);
}

static void finish_batch(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    PRDR_LISTING listing = ((PFOBX)stack->FileObject->FsContext2)->Listing;
    FILL fill = {stack->FileObject->FsContext, irp->UserBuffer, stack->Parameters.QueryDirectory.Length, 0, NULL, 0};
    NTSTATUS status = exchange->Request.status;

    if (status == STATUS_NO_MORE_FILES) {
        listing->End = TRUE;
        status = STATUS_SUCCESS;
    } else if (NT_SUCCESS(status)) {
        take_batch(listing, exchange->Request.out.io.done);
        if (!take_entries(listing, stack, &fill, &status)) {
            request_batch(exchange, listing);
            RdrContinueExchange(exchange);
            return;
        }
    } else if (exchange->Request.in.io.restart) {
        listing->Restart = TRUE; /* the server never began anew */
    }
    RdrFreeExchange(exchange);
    answer(irp, listing, &fill, status);
}

/* "." and "..", which a server's listing begins with and smb.h leaves out. */
static void put_dots(PRDR_LISTING listing)
{
    ULONG at = 0;

    for (ULONG dots = 1; dots <= 2; dots++) {
        struct smb_dirent *entry = (struct smb_dirent *)(listing->Batch + at);
        ULONG length = dots * (ULONG)sizeof(WCHAR), whole = (ULONG)(sizeof *entry + length + 7) & ~7u;
        memset(entry, 0, whole);
        memcpy(entry + 1, u"..", length);
        entry->name_length = length;
        entry->info.attributes = FILE_ATTRIBUTE_DIRECTORY;
        entry->next_offset = dots == 1 ? whole : 0;
        at += whole;
    }
    listing->Next = 0;
    listing->Filled = at;
}

static BOOLEAN is_one_name(const UNICODE_STRING *pattern)
{
    for (ULONG i = 0; i < pattern->Length / sizeof(WCHAR); i++) {
        const WCHAR c = pattern->Buffer[i];
        if (c == '*' || c == '?' || c == '<' || c == '>' || c == '"')
            return FALSE;
    }
    return TRUE;
}

/* The pattern of the first query, or of one that restarts with another, holds for the handle (documented: MS-FSA). */
static NTSTATUS begin_scan(PFOBX fobx, const IO_STACK_LOCATION *stack)
{
    const UNICODE_STRING *pattern = stack->Parameters.QueryDirectory.FileName;
    PRDR_LISTING listing = fobx->Listing;
    USHORT n;

    if (listing && !(stack->Flags & SL_RESTART_SCAN))
        return STATUS_SUCCESS;
    if (pattern && pattern->Length > PATTERN_MAX * sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    if (!listing) {
        listing = ExAllocatePoolWithTag(PagedPool, sizeof *listing, RDR_TAG_LISTING);
        if (!listing)
            return STATUS_INSUFFICIENT_RESOURCES;
        listing->PatternLength = 0;
        listing->OneName = FALSE;
        listing->FirstQuery = TRUE;
        listing->Taken = listing->Skip = listing->Reopened = 0;
        fobx->Listing = listing;
    }
    if (pattern && pattern->Length) {
        n = pattern->Length / sizeof(WCHAR);
        for (USHORT i = 0; i < n; i++)
            listing->Pattern[i] = RtlUpcaseUnicodeChar(pattern->Buffer[i]);
        /* "*.*" means everything, with and without a dot, to every caller since DOS. */
        listing->PatternLength = n == 3 && !memcmp(pattern->Buffer, u"*.*", 6) ? 0 : n;
        listing->OneName = is_one_name(pattern);
    }
    listing->End = FALSE;
    listing->Restart = TRUE;
    put_dots(listing);
    return STATUS_SUCCESS;
}

/* Both get the directory's own times, if they will be listed; whatever the server says, they are. */
static void date_dots(PIRP irp, PFCB fcb, PRDR_LISTING listing)
{
    struct smb_dirent *entry = (struct smb_dirent *)listing->Batch;
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = RdrPathOf(fcb)};

    if (!matches(listing, entry) || !NT_SUCCESS(RdrPerform(irp, fcb->NetRoot, &query)))
        return;
    for (int dots = 1; dots <= 2; dots++) {
        entry->info.creation_time = query.out.info.creation_time;
        entry->info.last_access_time = query.out.info.last_access_time;
        entry->info.last_write_time = query.out.info.last_write_time;
        entry->info.change_time = query.out.info.change_time;
        entry = (struct smb_dirent *)((PUCHAR)entry + entry->next_offset);
    }
}

/* ---- one name ---- */

/*
 * Whether the server says of a path that there is nothing. Programs look for a name to see whether it is there, and no
 * backend lists less than a whole directory; where the last such look found nothing, this one asks for the name first.
 */
static BOOLEAN is_absent(PIRP irp, PFCB fcb, const UNICODE_STRING *name)
{
    const UNICODE_STRING directory = RdrPathOf(fcb), separator = {sizeof(WCHAR), sizeof(WCHAR), (PWSTR)u"\\"};
    const ULONG length = directory.Length + (ULONG)sizeof(WCHAR) + name->Length;
    struct smb_request query = {.op = SMB_QUERY_PATH};

    if (length > UINT16_MAX)
        return FALSE;
    query.path.Buffer = ExAllocatePoolWithTag(PagedPool, length, RDR_TAG_LISTING);
    if (!query.path.Buffer)
        return FALSE;
    query.path.MaximumLength = (USHORT)length;
    RtlAppendUnicodeStringToString(&query.path, &directory);
    RtlAppendUnicodeStringToString(&query.path, &separator);
    RtlAppendUnicodeStringToString(&query.path, name);
    RdrPerform(irp, fcb->NetRoot, &query);
    ExFreePoolWithTag(query.path.Buffer, RDR_TAG_LISTING);
    return query.status == STATUS_OBJECT_NAME_NOT_FOUND;
}

/* TRUE: that is what the scan that begins looks for. */
static BOOLEAN finds_nothing(PIRP irp, PFCB fcb, const RDR_LISTING *listing)
{
    const UNICODE_STRING *pattern = IoGetCurrentIrpStackLocation(irp)->Parameters.QueryDirectory.FileName;

    return listing->Restart && listing->OneName && pattern && pattern->Length &&
           __atomic_load_n(&fcb->NetRoot->Absent, __ATOMIC_RELAXED) && is_absent(irp, fcb, pattern);
}

NTSTATUS NTAPI RdrFsdDirectoryControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    FILL fill = {stack->FileObject->FsContext, Irp->UserBuffer, stack->Parameters.QueryDirectory.Length, 0, NULL, 0};
    PRDR_EXCHANGE exchange;
    PFOBX fobx;
    PFCB fcb;
    NTSTATUS status;

    if (stack->MinorFunction == IRP_MN_NOTIFY_CHANGE_DIRECTORY)
        return RdrNotifyChangeDirectory(Irp);
    if (stack->MinorFunction != IRP_MN_QUERY_DIRECTORY)
        return RdrCompleteIrp(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    status = RdrDecodeFile(stack->FileObject, &fcb, &fobx);
    if (NT_SUCCESS(status) && !fobx->Directory)
        status = STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(status) && !name_offset(stack->Parameters.QueryDirectory.FileInformationClass))
        status = STATUS_INVALID_INFO_CLASS;
    if (NT_SUCCESS(status) && fill.Length < name_offset(stack->Parameters.QueryDirectory.FileInformationClass))
        status = STATUS_INFO_LENGTH_MISMATCH;
    if (NT_SUCCESS(status))
        status = begin_scan(fobx, stack);
    if (!NT_SUCCESS(status))
        return RdrCompleteIrp(Irp, status, 0);
    if (fobx->Listing->Restart && !fobx->Listing->Next)
        date_dots(Irp, fcb, fobx->Listing);
    if (take_entries(fobx->Listing, stack, &fill, &status))
        return answer(Irp, fobx->Listing, &fill, status);
    if (finds_nothing(Irp, fcb, fobx->Listing)) {
        fobx->Listing->End = TRUE;
        return answer(Irp, fobx->Listing, &fill, STATUS_SUCCESS);
    }

    exchange = RdrAllocateExchange(Irp, fcb->NetRoot, SMB_QUERY_DIRECTORY, finish_batch);
    if (!exchange)
        return RdrCompleteIrp(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    status = RdrBeginTransferBy(exchange, fcb);
    if (!NT_SUCCESS(status)) {
        RdrFreeExchange(exchange);
        return RdrCompleteIrp(Irp, status, 0);
    }
    exchange->Request.file = fobx->SrvOpen->File;
    keep_place(fobx->Listing, fobx->SrvOpen);
    request_batch(exchange, fobx->Listing);
    return RdrStartExchange(exchange);
}
