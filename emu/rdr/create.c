/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * IRP_MJ_CREATE. The way of a create: take what it needs (RDR_CREATE_CONTEXT), check the name, find connection and
 * file, check share access on this machine, ask the server, and make the result a file object's.
 */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>

/*
 * What a create carries from its dispatch to its completion: the parameters and a copy of the name. That NT's
 * redirector allocates before it checks the name is implied by Q235425; what it allocates, how large and with which tag
 * is our guess.
 */
typedef struct _RDR_CREATE_CONTEXT {
    RDR_EXCHANGE Exchange;
    PFILE_OBJECT FileObject;
    RDR_NAME Name;             /* its parts point into Buffer */
    ACCESS_MASK DesiredAccess; /* MAXIMUM_ALLOWED is the server's to say what it comes to */
    ACCESS_MASK GrantedAccess; /* from the answer on */
    ULONG Disposition, Options, FileAttributes, ShareAccess;
    PV_NET_ROOT VNetRoot; /* with a reference, and an open counted */
    PFCB Fcb;             /* with a reference, and the turn: RdrBeginCreate */
    PSRV_OPEN SrvOpen;    /* made before the server is asked: afterwards nothing can fail for want of memory */
    PFOBX Fobx;
    USHORT Length;
    WCHAR Buffer[]; /* the whole name as the I/O manager gave it */
} RDR_CREATE_CONTEXT, *PRDR_CREATE_CONTEXT;

static void append(PRDR_CREATE_CONTEXT context, const void *characters, USHORT length)
{
    if (!length)
        return;
    memcpy((char *)context->Buffer + context->Length, characters, length);
    context->Length = (USHORT)(context->Length + length);
}

/* \X:\server\share\path of the file that a relative name begins at: its own name may have been relative too. */
static void append_base(PRDR_CREATE_CONTEXT context, const V_NET_ROOT *v, const UNICODE_STRING *path)
{
    const WCHAR drive[3] = {'\\', v->Letter, ':'};

    if (v->Letter)
        append(context, drive, sizeof drive);
    append(context, u"\\", sizeof(WCHAR));
    append(context, v->NetRoot->SrvCall->Name.Buffer, v->NetRoot->SrvCall->Name.Length);
    append(context, u"\\", sizeof(WCHAR));
    append(context, v->NetRoot->Name.Buffer, v->NetRoot->Name.Length);
    if (path->Length) {
        append(context, u"\\", sizeof(WCHAR));
        append(context, path->Buffer, path->Length);
    }
}

#define BASE_SEPARATORS 7 /* "\X:", and a backslash before server, share, path and tail */

static ULONG name_length(const FILE_OBJECT *file, const FCB *base, const UNICODE_STRING *path)
{
    ULONG length = file->FileName.Length;

    if (base)
        length += BASE_SEPARATORS * sizeof(WCHAR) + base->NetRoot->SrvCall->Name.Length + base->NetRoot->Name.Length +
                  path->Length;
    return length;
}

static PRDR_CREATE_CONTEXT allocate_context(PIRP irp, PFILE_OBJECT file, NTSTATUS *status)
{
    const FCB *base = file->RelatedFileObject ? file->RelatedFileObject->FsContext : NULL;
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
    const UNICODE_STRING base_path = base ? RdrPathOf(base) : (UNICODE_STRING){0};
    ULONG length = name_length(file, base, &base_path);
    PRDR_CREATE_CONTEXT context;

    if (file->RelatedFileObject && !base) {
        /* Observed: ReactOS rdbss. */
        *status = EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "relative to the redirector itself, or to a tree");
        return NULL;
    }
    if (length > 0xfffc) {
        *status = EMU_DECIDE("Rdr", STATUS_NAME_TOO_LONG, "the whole name has %u bytes", length);
        return NULL;
    }
    context = ExAllocatePoolWithTag(PagedPool, sizeof *context + length, RDR_TAG_CREATE);
    if (!context) {
        *status = EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no paged pool for the create context");
        return NULL;
    }
    memset(context, 0, sizeof *context);
    context->Exchange.Irp = irp;
    context->FileObject = file;
    context->DesiredAccess = stack->Parameters.Create.SecurityContext->DesiredAccess;
    context->Disposition = stack->Parameters.Create.Options >> 24;
    context->Options = stack->Parameters.Create.Options & 0x00ffffff;
    context->FileAttributes = stack->Parameters.Create.FileAttributes;
    context->ShareAccess = stack->Parameters.Create.ShareAccess;
    if (base) {
        append_base(context, ((PFOBX)file->RelatedFileObject->FsContext2)->VNetRoot, &base_path);
        if (file->FileName.Length)
            append(context, u"\\", sizeof(WCHAR));
    }
    append(context, file->FileName.Buffer, file->FileName.Length);
    return context;
}

static void free_context(PRDR_CREATE_CONTEXT context)
{
    ExFreePoolWithTag(context, RDR_TAG_CREATE);
}

static NTSTATUS check_name(PRDR_CREATE_CONTEXT context)
{
    UNICODE_STRING full = {context->Length, context->Length, context->Buffer};

    return RdrParseName(&full, context->Options, &context->Name);
}

/* Gives back what a create that failed later on had taken. */
static void undo(PRDR_CREATE_CONTEXT context)
{
    if (context->Fobx)
        ExFreePoolWithTag(context->Fobx, RDR_TAG_FOBX);
    if (context->SrvOpen)
        RdrDereferenceSrvOpen(context->SrvOpen);
    if (context->Fcb) {
        ExAcquireFastMutex(&context->Fcb->Mutex);
        RdrEndCreate(context->Fcb);
        ExReleaseFastMutex(&context->Fcb->Mutex);
        RdrDereferenceFcb(context->Fcb);
    }
    if (context->VNetRoot) {
        RdrEndOpen(context->VNetRoot);
        RdrDereferenceVNetRoot(context->VNetRoot);
    }
}

static NTSTATUS fail_create(PRDR_CREATE_CONTEXT context, NTSTATUS status)
{
    PIRP irp = context->Exchange.Irp;

    undo(context);
    free_context(context);
    RdrCountCreate(status);
    return RdrCompleteIrp(irp, status, 0);
}

static NTSTATUS succeed(PRDR_CREATE_CONTEXT context, ULONG action)
{
    PFILE_OBJECT file = context->FileObject;
    PIRP irp = context->Exchange.Irp;
    PACCESS_STATE access = IoGetCurrentIrpStackLocation(irp)->Parameters.Create.SecurityContext->AccessState;

    context->Fobx->VNetRoot = context->VNetRoot;
    context->Fobx->SrvOpen = context->SrvOpen;
    context->Fobx->GrantedAccess = context->GrantedAccess;
    access->PreviouslyGrantedAccess |= context->GrantedAccess;
    access->RemainingDesiredAccess = 0;
    context->Fobx->Options = context->Options;
    context->Fobx->Directory = context->SrvOpen->Directory;
    file->FsContext = context->Fcb;
    file->FsContext2 = context->Fobx;
    if (!context->Fobx->Directory)
        file->SectionObjectPointer = &context->Fcb->Sections;
    free_context(context);
    RdrCountCreate(STATUS_SUCCESS);
    return RdrCompleteIrp(irp, STATUS_SUCCESS, action);
}

#define DECLARED (FILE_READ_DATA | FILE_WRITE_DATA | DELETE) /* stand for what share access is about */

/*
 * What MAXIMUM_ALLOWED will certainly be, as far as share access goes: reading, and what an overwriting disposition
 * needs. The rest is known from the answer, and checked then.
 */
static ACCESS_MASK least_access(const RDR_CREATE_CONTEXT *context)
{
    ACCESS_MASK access = context->DesiredAccess;

    if (!(access & MAXIMUM_ALLOWED))
        return access;
    return access |
           (context->Disposition == FILE_OPEN || context->Disposition == FILE_OPEN_IF ? FILE_READ_DATA : DECLARED);
}

/* What somebody has mapped is not written over, and what runs is not opened to be written or to go (observed: fastfat,
 * FatOpenExistingFcb). */
static NTSTATUS check_sections(const RDR_CREATE_CONTEXT *context)
{
    const BOOLEAN goes = (context->Options & FILE_DELETE_ON_CLOSE) != 0;
    PSECTION_OBJECT_POINTERS sections = &context->Fcb->Sections;
    LARGE_INTEGER nothing = {.QuadPart = 0};

    if ((goes || (context->DesiredAccess & FILE_WRITE_DATA)) && !MmFlushImageSection(sections, MmFlushForWrite))
        return EMU_DECIDE("Rdr", goes ? STATUS_CANNOT_DELETE : STATUS_SHARING_VIOLATION, "it is mapped as an image");
    if (context->Disposition != FILE_OPEN && context->Disposition != FILE_OPEN_IF &&
        context->Disposition != FILE_CREATE && !MmCanFileBeTruncated(sections, &nothing))
        return EMU_DECIDE("Rdr", STATUS_USER_MAPPED_FILE, "it is mapped, and would be overwritten");
    return STATUS_SUCCESS;
}

static NTSTATUS check_share_access(PRDR_CREATE_CONTEXT context)
{
    PFCB fcb = context->Fcb;
    NTSTATUS status;

    ExAcquireFastMutex(&fcb->Mutex);
    /* Whatever is asked for, FILE_CREATE too (documented: fastfat, FatCommonCreate). */
    if (fcb->DeletePending)
        status = EMU_DECIDE("Rdr", STATUS_DELETE_PENDING, "it goes with the last handle that is open on it");
    else
        status = IoCheckShareAccess(least_access(context), context->ShareAccess, context->FileObject, &fcb->ShareAccess,
                                    FALSE);
    ExReleaseFastMutex(&fcb->Mutex);
    /* Somebody has it open, so it exists: that comes first (documented: MS-FSA 2.1.5.1). */
    if (status == STATUS_SHARING_VIOLATION && context->Disposition == FILE_CREATE)
        status = EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_COLLISION, "FILE_CREATE of a file that is open: it exists");
    return status;
}

/* The file is the file object's, unless it was opened for more than was known, which others do not share. FCB.Mutex is
 * held. */
static NTSTATUS count_open(PRDR_CREATE_CONTEXT context, ACCESS_MASK granted)
{
    PFCB fcb = context->Fcb;
    NTSTATUS status = IoCheckShareAccess(granted, context->ShareAccess, context->FileObject, &fcb->ShareAccess, TRUE);

    if (NT_SUCCESS(status))
        fcb->OpenFiles++;
    context->GrantedAccess = granted;
    return status;
}

/* The server has answered. Runs once nobody else holds the exchange. */
static void finish_create(PRDR_EXCHANGE exchange)
{
    PRDR_CREATE_CONTEXT context = CONTAINING_RECORD(exchange, RDR_CREATE_CONTEXT, Exchange);
    const struct smb_request *request = &exchange->Request;
    PSRV_OPEN open = context->SrvOpen;
    PFCB fcb = context->Fcb;
    NTSTATUS status;

    if (!NT_SUCCESS(request->status)) {
        fail_create(context, request->status);
        return;
    }
    open->Directory = (request->out.create.info.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    open->Access = request->out.create.access;
    ExAcquireFastMutex(&fcb->Mutex);
    status = count_open(context, open->Access);
    RdrEnterSrvOpen(fcb, open, request->out.create.file);
    if (!NT_SUCCESS(status))
        RdrLeaveSrvOpen(fcb, open);
    else
        RdrEndCreate(fcb);
    if (request->out.create.action != FILE_OPENED)
        fcb->MadeReadOnly = (request->in.create.attributes & FILE_ATTRIBUTE_READONLY) != 0;
    ExReleaseFastMutex(&fcb->Mutex);
    if (NT_SUCCESS(status))
        succeed(context, request->out.create.action);
    else
        fail_create(context, status);
}

/* The file, and the create's turn on it. A rename that had to be waited for leaves the name to another file, which has
 * another FCB. */
static NTSTATUS find_file(PRDR_CREATE_CONTEXT context)
{
    const UNICODE_STRING *path = &context->Name.Path;

    for (;;) {
        PFCB fcb = RdrReferenceFcb(context->VNetRoot->NetRoot, path);
        NTSTATUS status;
        if (!fcb)
            return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for an FCB");
        status = RdrBeginCreate(context->Exchange.Irp, fcb);
        if (NT_SUCCESS(status) && RdrHasPath(fcb, path)) {
            context->Fcb = fcb;
            return status;
        }
        if (NT_SUCCESS(status)) {
            ExAcquireFastMutex(&fcb->Mutex);
            RdrEndCreate(fcb);
            ExReleaseFastMutex(&fcb->Mutex);
        }
        RdrDereferenceFcb(fcb);
        if (!NT_SUCCESS(status))
            return status;
    }
}

/* Finds everything the create is about. STATUS_SUCCESS: it can be sent. */
static NTSTATUS prepare(PRDR_CREATE_CONTEXT context)
{
    PV_NET_ROOT connection = RdrFindConnection(&context->Name);
    const RDR_NAME *name = &context->Name;
    NTSTATUS status;

    if (!connection && !name->Letter) {
        status = RdrConnectShare(context->Exchange.Irp, name, &connection);
        if (!NT_SUCCESS(status))
            return status;
    }
    if (!connection)
        return EMU_DECIDE("Rdr", STATUS_BAD_NETWORK_PATH, "nobody is connected to \\\\%wZ\\%wZ", &name->Server,
                          &name->Share);
    EMU_STEP("Rdr", "connection to \\\\%wZ\\%wZ found", &name->Server, &name->Share);
    context->VNetRoot = connection; /* from here on undo() knows what was taken */
    status = find_file(context);
    if (NT_SUCCESS(status))
        status = check_share_access(context);
    if (NT_SUCCESS(status))
        status = check_sections(context);
    if (!NT_SUCCESS(status))
        return status;
    context->Exchange.NetRoot = connection->NetRoot;
    context->Fobx = ExAllocatePoolWithTag(PagedPool, sizeof(FOBX), RDR_TAG_FOBX);
    if (!context->Fobx)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no paged pool for a FOBX");
    memset(context->Fobx, 0, sizeof(FOBX));
    return STATUS_SUCCESS;
}

/* Only what the server would surely open, and say FILE_OPENED to. */
static BOOLEAN collapse(PRDR_CREATE_CONTEXT context)
{
    PFCB fcb = context->Fcb;
    BOOLEAN was_dormant;

    if ((context->DesiredAccess & MAXIMUM_ALLOWED) ||
        (context->Disposition != FILE_OPEN && context->Disposition != FILE_OPEN_IF) ||
        (context->Options & (FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE)) || context->Name.TrailingBackslash)
        return FALSE;
    ExAcquireFastMutex(&fcb->Mutex);
    context->SrvOpen =
        RdrShareSrvOpen(fcb, context->DesiredAccess, context->ShareAccess, context->Options, &was_dormant);
    if (context->SrvOpen) {
        (void)count_open(context, context->DesiredAccess); /* checked already, and nobody came in between */
        RdrEndCreate(fcb);
    }
    ExReleaseFastMutex(&fcb->Mutex);
    if (was_dormant)
        RdrDereferenceFcb(fcb);
    if (context->SrvOpen)
        EMU_STEP("Rdr", "collapsed onto an open of \"%wZ\" that the server has granted", &context->Name.Path);
    return context->SrvOpen != NULL;
}

static NTSTATUS make_srv_open(PRDR_CREATE_CONTEXT context)
{
    PSRV_OPEN open = RdrAllocateSrvOpen();

    if (!open)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a SRV_OPEN");
    open->ShareAccess = context->ShareAccess;
    open->Options = context->Options;
    open->Losses = __atomic_load_n(&context->Fcb->NetRoot->Losses, __ATOMIC_RELAXED);
    context->SrvOpen = open;
    return STATUS_SUCCESS;
}

/*
 * Whether FILE_DELETE_ON_CLOSE is what the create fails for. Whatever else there is to say of an existing file is the
 * server's, and comes first. (Documented: MS-FSA 2.1.5.1.1 for a new file, 2.1.5.1.2 for an existing one.)
 */
static BOOLEAN cannot_delete(const RDR_CREATE_CONTEXT *context, const struct smb_request *query)
{
    const ULONG disposition = context->Disposition, attributes = query->out.info.attributes;
    const BOOLEAN directory = (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;

    if (query->status == STATUS_OBJECT_NAME_NOT_FOUND)
        return disposition != FILE_OPEN && disposition != FILE_OVERWRITE &&
               (context->FileAttributes & FILE_ATTRIBUTE_READONLY);
    if (!NT_SUCCESS(query->status) || (disposition != FILE_OPEN && disposition != FILE_OPEN_IF) ||
        (context->Options & (directory ? FILE_NON_DIRECTORY_FILE : FILE_DIRECTORY_FILE)))
        return FALSE;
    if (!directory && (context->DesiredAccess & (FILE_WRITE_DATA | FILE_APPEND_DATA)))
        return FALSE;
    return (attributes & FILE_ATTRIBUTE_READONLY) || !context->Name.Path.Length;
}

/* Asked first: an answer to the create does not tell all attributes. */
static NTSTATUS check_delete_on_close(PRDR_CREATE_CONTEXT context)
{
    struct smb_request query = {.op = SMB_QUERY_PATH, .path = context->Name.Path};

    if (!(context->Options & FILE_DELETE_ON_CLOSE))
        return STATUS_SUCCESS;
    RdrPerform(context->Exchange.Irp, context->Exchange.NetRoot, &query);
    if (cannot_delete(context, &query))
        return EMU_DECIDE("Rdr", STATUS_CANNOT_DELETE,
                          "FILE_DELETE_ON_CLOSE of a read-only file, or of a share's root");
    return query.status == STATUS_CANCELLED ? query.status : STATUS_SUCCESS;
}

/*
 * A file that is overwritten to go with its last handle goes, whatever attributes that gives it (observed: fastfat
 * looks at those that the file had, and at none when it deletes). Deleted by name as it is here, a read-only one would
 * stay.
 */
static ULONG attributes_to_send(const RDR_CREATE_CONTEXT *context)
{
    ULONG never = context->Options & FILE_DELETE_ON_CLOSE ? FILE_ATTRIBUTE_READONLY : 0;

    return context->FileAttributes & ~never;
}

static NTSTATUS send_create(PRDR_CREATE_CONTEXT context)
{
    struct smb_request *request = &context->Exchange.Request;

    request->op = SMB_CREATE;
    request->path = context->Name.Path;
    request->in.create.access = context->DesiredAccess;
    request->in.create.share_access = context->ShareAccess;
    request->in.create.disposition = context->Disposition;
    /* Whoever closes last deletes, by a request of its own. */
    request->in.create.options =
        (context->Options & ~(ULONG)FILE_DELETE_ON_CLOSE) | (context->Name.TrailingBackslash ? FILE_DIRECTORY_FILE : 0);
    request->in.create.attributes = attributes_to_send(context);
    context->Exchange.Finish = finish_create;
    return RdrStartExchange(&context->Exchange);
}

NTSTATUS NTAPI RdrFsdCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PRDR_CREATE_CONTEXT context;
    NTSTATUS status;

    if (!file->FileName.Length && !file->RelatedFileObject)
        return RdrCompleteIrp(Irp, STATUS_SUCCESS, FILE_OPENED); /* the redirector itself: \Device\LanmanRedirector */
    context = allocate_context(Irp, file, &status);
    if (!context) {
        RdrCountCreate(status);
        return RdrCompleteIrp(Irp, status, 0);
    }

    status = check_name(context);
    if (!NT_SUCCESS(status)) {
        /*
         * Q235425: when the name was invalid, the redirector did not release what it had allocated for the attempt. A
         * failed create gets neither cleanup nor close, so nobody else ever will. Fixed in Service Pack 6.
         */
        if (status != STATUS_OBJECT_NAME_INVALID || !EmuHasDefect(EMU_Q235425))
            free_context(context);
        RdrCountCreate(status);
        return RdrCompleteIrp(Irp, status, 0);
    }

    if (context->Options & FILE_CREATE_TREE_CONNECTION) {
        status = RdrCreateTreeConnect(Irp, &context->Name);
        free_context(context);
        return status;
    }
    /* Observed: smbd without "ea support", whatever the disposition. No backend here can set any. */
    if (IoGetCurrentIrpStackLocation(Irp)->Parameters.Create.EaLength)
        return fail_create(context, EMU_DECIDE("Rdr", STATUS_EAS_NOT_SUPPORTED, "extended attributes on a share"));
    if (context->Options & FILE_OPEN_BY_FILE_ID)
        return fail_create(context, EMU_DECIDE("Rdr", STATUS_NOT_SUPPORTED, "open by file id"));
    /* What a server says (observed: Samba, by tests that Windows passes); libsmbclient cannot ask. */
    if (context->Options & FILE_RESERVE_OPFILTER)
        return fail_create(context, EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "no server reserves an oplock filter"));
    /* A name that ends in a backslash is a directory's: it opens one, and makes none unasked (observed: fastfat). */
    if (context->Name.TrailingBackslash && !(context->Options & FILE_DIRECTORY_FILE) &&
        context->Disposition != FILE_OPEN)
        return fail_create(context, EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID,
                                               "trailing backslash, and neither FILE_DIRECTORY_FILE nor FILE_OPEN"));
    status = prepare(context);
    if (NT_SUCCESS(status) && collapse(context))
        return succeed(context, FILE_OPENED);
    if (context->Fcb)
        RdrCloseDormantFiles(context->Fcb->NetRoot, context->Fcb);
    if (NT_SUCCESS(status))
        status = check_delete_on_close(context);
    if (NT_SUCCESS(status))
        status = make_srv_open(context);
    return NT_SUCCESS(status) ? send_create(context) : fail_create(context, status);
}
