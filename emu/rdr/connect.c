/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers, shares and who is connected to them as whom: SRV_CALL, NET_ROOT, V_NET_ROOT; tree connections; FCBs. */
#include "rdr.h"

#include <ntemu/trace.h>
#include <string.h>
#include <strings.h>

FAST_MUTEX RdrMutex;

static LIST_ENTRY net_roots, v_net_roots;
static LIST_ENTRY zombies; /* NET_ROOTs without references, waiting for RdrReapConnections */
static LONG zombie_count;  /* atomic: looked at without the mutex */
static EMU_MACHINE_OPTIONS options;
static char transport[96]; /* under RdrMutex: smb_describe of the last connection */

void RdrInitializeConnections(const EMU_MACHINE_OPTIONS *Options)
{
    ExInitializeFastMutex(&RdrMutex);
    RdrInitializeFcbs();
    RdrInitializeDormant();
    RdrInitializeServers();
    InitializeListHead(&net_roots);
    InitializeListHead(&v_net_roots);
    InitializeListHead(&zombies);
    zombie_count = 0;
    options = *Options;
    transport[0] = 0;
}

void EmuRdrDescribeTransport(char *Text, SIZE_T Size)
{
    SIZE_T n;

    if (!Size)
        return;
    ExAcquireFastMutex(&RdrMutex);
    n = strnlen(transport, Size - 1);
    memcpy(Text, transport, n);
    Text[n] = 0;
    ExReleaseFastMutex(&RdrMutex);
}

/* ---- the tree of connections; RdrMutex is held ---- */

static ULONG current_session(void)
{
    return PsGetProcessSessionId(PsGetCurrentProcess());
}

static void put_name(PUNICODE_STRING to, PUCHAR at, const UNICODE_STRING *name)
{
    to->Buffer = (PWSTR)at;
    to->Length = to->MaximumLength = name->Length;
    if (name->Length)
        memcpy(at, name->Buffer, name->Length);
}

/* With a reference. Nobody else's yet, although the session may have another to the same share: share_net_root. */
static PNET_ROOT make_net_root(const RDR_NAME *name, const UNICODE_STRING *user)
{
    PNET_ROOT root =
        ExAllocatePoolWithTag(NonPagedPool, sizeof *root + user->Length + name->Share.Length, RDR_TAG_NET_ROOT);

    if (!root)
        return NULL;
    memset(root, 0, sizeof *root);
    root->SrvCall = RdrReferenceServer(&name->Server);
    if (!root->SrvCall) {
        ExFreePoolWithTag(root, RDR_TAG_NET_ROOT);
        return NULL;
    }
    root->References = 1;
    root->SessionId = current_session();
    root->IdleSince = KeQueryInterruptTime();
    put_name(&root->User, (PUCHAR)(root + 1), user);
    put_name(&root->Name, (PUCHAR)(root + 1) + user->Length, &name->Share);
    InsertTailList(&net_roots, &root->Links);
    return root;
}

static void dereference_net_root(PNET_ROOT root)
{
    if (--root->References)
        return;
    RemoveEntryList(&root->Links);
    InsertTailList(&zombies, &root->Links);
    __atomic_add_fetch(&zombie_count, 1, __ATOMIC_SEQ_CST);
}

static ULONG opens_of(const V_NET_ROOT *v)
{
    return __atomic_load_n(&v->Opens, __ATOMIC_ACQUIRE);
}

static void dereference_v_net_root(PV_NET_ROOT v)
{
    if (__atomic_sub_fetch(&v->References, 1, __ATOMIC_ACQ_REL))
        return;
    RemoveEntryList(&v->Links);
    dereference_net_root(v->NetRoot);
    ExFreePoolWithTag(v, RDR_TAG_V_NET);
}

/* A session has one connection to a share, however many letters lead to it: the one that proved this one's credentials
 * is not needed then. */
static void share_net_root(PV_NET_ROOT v)
{
    PNET_ROOT root = v->NetRoot;

    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *other = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        const NET_ROOT *its = other->NetRoot;
        if (!other->Connected || other->Deleted || its == root || its->SrvCall != root->SrvCall ||
            its->SessionId != root->SessionId || !RtlEqualUnicodeString(&its->Name, &root->Name, TRUE) ||
            !RtlEqualUnicodeString(&its->User, &root->User, TRUE))
            continue;
        v->NetRoot = other->NetRoot;
        v->NetRoot->References++;
        dereference_net_root(root);
        return;
    }
}

/* Only the last reference is given back under the mutex: until then the list is not touched. */
void RdrDereferenceVNetRoot(PV_NET_ROOT VNetRoot)
{
    ULONG count = __atomic_load_n(&VNetRoot->References, __ATOMIC_RELAXED);

    while (count > 1)
        if (__atomic_compare_exchange_n(&VNetRoot->References, &count, count - 1, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return;
    ExAcquireFastMutex(&RdrMutex);
    dereference_v_net_root(VNetRoot);
    ExReleaseFastMutex(&RdrMutex);
}

/* ---- the end of a connection: never on a completion's thread, for it waits for completions ---- */

void RdrReapConnections(void)
{
    while (__atomic_load_n(&zombie_count, __ATOMIC_SEQ_CST)) {
        PLIST_ENTRY e;
        PNET_ROOT root;
        ExAcquireFastMutex(&RdrMutex);
        e = IsListEmpty(&zombies) ? NULL : RemoveHeadList(&zombies);
        if (e)
            __atomic_sub_fetch(&zombie_count, 1, __ATOMIC_SEQ_CST);
        ExReleaseFastMutex(&RdrMutex);
        if (!e)
            return;
        root = CONTAINING_RECORD(e, NET_ROOT, Links);
        RdrCloseDormantFiles(root, NULL);
        smb_disconnect(root->Connection); /* closes that are still under way complete now */
        ExAcquireFastMutex(&RdrMutex);
        RdrDereferenceServer(root->SrvCall);
        ExReleaseFastMutex(&RdrMutex);
        ExFreePoolWithTag(root, RDR_TAG_NET_ROOT);
    }
}

/* ---- connections that nobody asked for by a letter ---- */

#define MOST_UNUSED 16 /* our guess; each is a session at a server, and may be a process here */

/* Takes it out of use; RdrReapConnections ends it. RdrMutex is held. */
static void drop_implicit(PV_NET_ROOT v)
{
    v->Implicit = FALSE;
    dereference_v_net_root(v);
}

/* Those that nobody has a file on: all, or the oldest until no more than `most` are left. RdrMutex is held. */
static void drop_unused(ULONG most)
{
    ULONG unused = 0;

    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        unused += v->Implicit && !opens_of(v);
    }
    for (PLIST_ENTRY e = v_net_roots.Flink, next; e != &v_net_roots && unused > most; e = next) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        next = e->Flink;
        if (v->Implicit && !opens_of(v)) {
            drop_implicit(v);
            unused--;
        }
    }
}

void RdrShutdownConnections(void)
{
    RdrStopTimer();
    RdrCloseDormantFiles(NULL, NULL);
    ExAcquireFastMutex(&RdrMutex);
    drop_unused(0);
    ExReleaseFastMutex(&RdrMutex);
    RdrReapConnections();
    RdrForgetTimer();
    RdrForgetServers();
}

/* ---- finding ---- */

static BOOLEAN is_on_server(const V_NET_ROOT *v, const UNICODE_STRING *server)
{
    return v->Connected && !v->Deleted && v->NetRoot->SessionId == current_session() &&
           RtlEqualUnicodeString(&v->NetRoot->SrvCall->Name, server, TRUE);
}

/*
 * RdrMutex is held. With a reference and an open. A letter that is reached through another session's directory of
 * letters leads to that one's connection; the caller's own comes first. For a name without a letter, so does the
 * connection that has none.
 */
static PV_NET_ROOT find_connection(const RDR_NAME *name)
{
    ULONG session = current_session();
    PV_NET_ROOT found = NULL;

    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (!v->Connected || v->Deleted ||
            (name->Letter ? v->Letter != name->Letter : v->NetRoot->SessionId != session) ||
            !RtlEqualUnicodeString(&v->NetRoot->Name, &name->Share, TRUE) ||
            !RtlEqualUnicodeString(&v->NetRoot->SrvCall->Name, &name->Server, TRUE))
            continue;
        if (!found)
            found = v;
        if (v->NetRoot->SessionId == session && (name->Letter || !v->Letter)) {
            found = v;
            break;
        }
    }
    if (found) {
        __atomic_add_fetch(&found->References, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&found->Opens, 1, __ATOMIC_RELAXED);
        found->NetRoot->Uses++;
        found->NetRoot->Dormant = FALSE;
    }
    return found;
}

PV_NET_ROOT RdrFindConnection(const RDR_NAME *Name)
{
    PV_NET_ROOT found;

    ExAcquireFastMutex(&RdrMutex);
    found = find_connection(Name);
    ExReleaseFastMutex(&RdrMutex);
    return found;
}

void RdrEndOpen(PV_NET_ROOT VNetRoot)
{
    __atomic_sub_fetch(&VNetRoot->Opens, 1, __ATOMIC_RELEASE);
}

void RdrEndFile(PV_NET_ROOT VNetRoot, ACCESS_MASK GrantedAccess)
{
    if (GrantedAccess & (FILE_READ_DATA | FILE_WRITE_DATA | FILE_EXECUTE))
        __atomic_add_fetch(&VNetRoot->Cached, 1, __ATOMIC_RELAXED);
    RdrEndOpen(VNetRoot);
}

/* ---- tree connections ---- */

#define MAX_VALUE 256 /* UTF-16 units; NT's user names and passwords end there (documented: lmcons.h) */
#define UTF8_MAX  (3 * MAX_VALUE + 4)

/*
 * A value of the create's extended attributes, UTF-16 (observed: ReactOS's rdbss takes UserName, Password so). Copied:
 * in the list it may lie at an odd address. FALSE: it is too long. Not there: empty.
 */
static BOOLEAN ea_value(const void *list, const char *name, WCHAR buffer[MAX_VALUE], UNICODE_STRING *value)
{
    const UCHAR *p = list;

    *value = (UNICODE_STRING){0, MAX_VALUE * sizeof(WCHAR), buffer};
    for (;;) {
        const FILE_FULL_EA_INFORMATION *ea = (const void *)p;
        if (!p)
            return TRUE;
        if (!strcasecmp(ea->EaName, name)) {
            if (ea->EaValueLength > value->MaximumLength)
                return FALSE;
            value->Length = ea->EaValueLength & ~(USHORT)1;
            /* Q325045: a fixed length is used for a string, and the buffer that it comes in may be smaller than that
             * and end at a page's end. Fixed by a hotfix only. */
            memcpy(buffer, ea->EaName + ea->EaNameLength + 1,
                   EmuHasDefect(EMU_Q325045) ? value->MaximumLength : value->Length);
            return TRUE;
        }
        p = ea->NextEntryOffset ? p + ea->NextEntryOffset : NULL;
    }
}

static BOOLEAN to_utf8(const UNICODE_STRING *s, char text[UTF8_MAX])
{
    DWORD n;

    if (s->Length > MAX_VALUE * sizeof(WCHAR) ||
        RtlUnicodeToUTF8N(text, UTF8_MAX - 1, &n, s->Buffer, s->Length) != STATUS_SUCCESS)
        return FALSE;
    text[n] = 0;
    return strlen(text) == n;
}

/* With the credentials of `like`, if it is given. */
static NTSTATUS connect_transport(const NET_ROOT *root, const UNICODE_STRING *password,
                                  const struct smb_connection *like, struct smb_connection **connection)
{
    char server[UTF8_MAX], share[UTF8_MAX], user[UTF8_MAX], secret[UTF8_MAX];
    struct smb_target target = {.host = server,
                                .share = share,
                                .user = user,
                                .password = secret,
                                .like = like,
                                .dialect = options.Dialect,
                                .timeout_ms = options.SmbTimeoutMs};
    NTSTATUS status;

    if (!options.Smb)
        return EMU_DECIDE("Rdr", STATUS_BAD_NETWORK_PATH, "the machine has no network");
    if (to_utf8(&root->SrvCall->Name, server) && to_utf8(&root->Name, share) && to_utf8(&root->User, user) &&
        to_utf8(password, secret)) {
        for (ULONG i = 0; i < options.ServerCount; i++)
            if (!strcasecmp(options.Servers[i].Name, server)) {
                target.host = options.Servers[i].Host;
                target.port = options.Servers[i].Port;
                break;
            }
        status = smb_connect(options.Smb, &target, connection);
    } else {
        status =
            EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "server, share, user or password: too long, or with a NUL");
    }
    explicit_bzero(secret, sizeof secret);
    return status;
}

NTSTATUS RdrConnectLike(const NET_ROOT *NetRoot, struct smb_connection **Connection)
{
    static const UNICODE_STRING none = {0};

    return connect_transport(NetRoot, &none, NetRoot->Connection, Connection);
}

/* Nobody asked for those by name: they give way to somebody who is asked for. RdrMutex is held. */
static void drop_other_users(const UNICODE_STRING *server, const UNICODE_STRING *user)
{
    for (PLIST_ENTRY e = v_net_roots.Flink, next; e != &v_net_roots; e = next) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        next = e->Flink;
        if (v->Implicit && !opens_of(v) && is_on_server(v, server) &&
            !RtlEqualUnicodeString(&v->NetRoot->User, user, TRUE))
            drop_implicit(v);
    }
}

/* One user per server and session (documented: ERROR_SESSION_CREDENTIAL_CONFLICT, 1219). RdrMutex is held. */
static BOOLEAN conflicts(const UNICODE_STRING *server, const UNICODE_STRING *user)
{
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (is_on_server(v, server) && !RtlEqualUnicodeString(&v->NetRoot->User, user, TRUE))
            return TRUE;
    }
    return FALSE;
}

/* RdrMutex is held. */
static NTSTATUS make_v_net_root(const RDR_NAME *name, const UNICODE_STRING *user, PV_NET_ROOT *ret)
{
    PNET_ROOT root;
    PV_NET_ROOT v;

    drop_other_users(&name->Server, user);
    if (conflicts(&name->Server, user))
        return EMU_DECIDE("Rdr", STATUS_NETWORK_CREDENTIAL_CONFLICT, "the session is somebody else to \\\\%wZ already",
                          &name->Server);
    root = make_net_root(name, user);
    if (!root)
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a NET_ROOT or its SRV_CALL");
    v = ExAllocatePoolWithTag(NonPagedPool, sizeof *v, RDR_TAG_V_NET);
    if (!v) {
        dereference_net_root(root);
        return EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for a V_NET_ROOT");
    }
    memset(v, 0, sizeof *v);
    InitializeListHead(&v->Waiters);
    v->References = 1;
    v->NetRoot = root;
    v->Letter = name->Letter;
    InsertTailList(&v_net_roots, &v->Links);
    *ret = v;
    return STATUS_SUCCESS;
}

/* Who the session is to the server, with a reference: somebody's password need not be known for it. NULL: nobody.
 * RdrMutex is held. */
static PV_NET_ROOT reference_any_on(const UNICODE_STRING *server)
{
    PV_NET_ROOT found = NULL;

    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots && !found; e = e->Flink) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (is_on_server(v, server)) {
            __atomic_add_fetch(&v->References, 1, __ATOMIC_RELAXED);
            found = v;
        }
    }
    return found;
}

static void note_transport(PV_NET_ROOT v)
{
    char description[sizeof transport] = "";

    smb_describe(v->NetRoot->Connection, description, sizeof description);
    ExAcquireFastMutex(&RdrMutex);
    memcpy(transport, description, sizeof transport);
    ExReleaseFastMutex(&RdrMutex);
}

/* Somebody of the session is connecting to the share. RdrMutex is held. */
static PV_NET_ROOT find_connecting(const RDR_NAME *name)
{
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (v->Connecting && v->NetRoot->SessionId == current_session() &&
            RtlEqualUnicodeString(&v->NetRoot->Name, &name->Share, TRUE) &&
            RtlEqualUnicodeString(&v->NetRoot->SrvCall->Name, &name->Server, TRUE))
            return v;
    }
    return NULL;
}

typedef struct _CONNECT {
    RDR_NAME Share;
    PV_NET_ROOT New;   /* the caller's to connect */
    PV_NET_ROOT Like;  /* NULL, or with a reference: whose credentials are to be used */
    PV_NET_ROOT Found; /* with a reference, and an open counted */
} CONNECT;

/* A connection that there is; or the answer to one that somebody is making, after which to look again; or, with New, it
 * is the caller's turn to make one. */
static NTSTATUS begin_connect(PIRP irp, CONNECT *connect)
{
    static const UNICODE_STRING nobody = {0};
    NTSTATUS status = STATUS_SUCCESS;
    PV_NET_ROOT other;

    ExAcquireFastMutex(&RdrMutex);
    connect->New = connect->Like = NULL;
    connect->Found = find_connection(&connect->Share);
    other = connect->Found ? NULL : find_connecting(&connect->Share);
    if (other) {
        EMU_STEP("Rdr", "waiting: another create connects to \\\\%wZ\\%wZ", &connect->Share.Server,
                 &connect->Share.Share);
        status = RdrWait(irp, &other->Waiters, &RdrMutex);
    } else if (!connect->Found) {
        connect->Like = reference_any_on(&connect->Share.Server);
        status =
            make_v_net_root(&connect->Share, connect->Like ? &connect->Like->NetRoot->User : &nobody, &connect->New);
        if (connect->New)
            connect->New->Connecting = TRUE;
    }
    ExReleaseFastMutex(&RdrMutex);
    return status;
}

/* What the others get to know is what the server said; that the IRP was cancelled is no reason for theirs to fail. */
static void end_connect(CONNECT *connect, NTSTATUS status)
{
    PV_NET_ROOT v = connect->New;

    if (NT_SUCCESS(status))
        note_transport(v);
    ExAcquireFastMutex(&RdrMutex);
    v->Connecting = FALSE;
    while (RdrWakeFirst(&v->Waiters, status == STATUS_CANCELLED ? STATUS_SUCCESS : status))
        ;
    if (NT_SUCCESS(status))
        connect->Found = find_connection(&connect->Share);
    if (NT_SUCCESS(status) && !connect->Found && !conflicts(&connect->Share.Server, &v->NetRoot->User)) {
        share_net_root(v);
        v->Connected = v->Implicit = TRUE;
        connect->Found = find_connection(&connect->Share);
        drop_unused(MOST_UNUSED);
    } else { /* in vain, or a letter was faster */
        dereference_v_net_root(v);
    }
    ExReleaseFastMutex(&RdrMutex);
}

static NTSTATUS connect_implicitly(PIRP irp, CONNECT *connect)
{
    static const UNICODE_STRING none = {0};
    PNET_ROOT root = connect->New->NetRoot;
    NTSTATUS status;

    EMU_STEP("Rdr", "connecting to \\\\%wZ\\%wZ", &connect->Share.Server, &connect->Share.Share);
    status =
        connect_transport(root, &none, connect->Like ? connect->Like->NetRoot->Connection : NULL, &root->Connection);
    if (NT_SUCCESS(status))
        status = RdrReachServer(irp, root);
    end_connect(connect, status);
    return status;
}

NTSTATUS RdrConnectShare(PIRP Irp, const RDR_NAME *Name, PV_NET_ROOT *VNetRoot)
{
    CONNECT connect = {.Share = {.Server = Name->Server, .Share = Name->Share}};
    NTSTATUS status;

    do {
        status = begin_connect(Irp, &connect);
        if (NT_SUCCESS(status) && connect.New)
            status = connect_implicitly(Irp, &connect);
        if (connect.Like)
            RdrDereferenceVNetRoot(connect.Like);
        RdrReapConnections();
    } while (NT_SUCCESS(status) && !connect.Found);
    if (NT_SUCCESS(status))
        *VNetRoot = connect.Found;
    return status;
}

/* ---- connections that nobody uses ---- */

/* No file is on it, or being opened, nor is it being connected: each has a reference. RdrMutex is held. */
static BOOLEAN is_idle(const NET_ROOT *root)
{
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (v->NetRoot == root && (!v->Connected || __atomic_load_n(&v->References, __ATOMIC_ACQUIRE) > 1))
            return FALSE;
    }
    return TRUE;
}

/* What no letter leads to, nobody will miss. FALSE: there is a letter. RdrMutex is held. */
static BOOLEAN is_dropped(PNET_ROOT root)
{
    for (PLIST_ENTRY e = v_net_roots.Flink, next; e != &v_net_roots; e = next) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        next = e->Flink;
        if (v->NetRoot == root && v->Implicit)
            drop_implicit(v);
    }
    if (root->References > 1)
        return FALSE;
    dereference_net_root(root);
    return TRUE;
}

/* One that has been idle for long, with a reference. RdrMutex is held. */
static PNET_ROOT find_long_idle(ULONGLONG time, ULONGLONG now)
{
    for (PLIST_ENTRY e = net_roots.Flink; e != &net_roots; e = e->Flink) {
        PNET_ROOT root = CONTAINING_RECORD(e, NET_ROOT, Links);
        if (root->UsesSeen != root->Uses || !is_idle(root)) {
            root->UsesSeen = root->Uses;
            root->IdleSince = now;
        } else if (!root->Dormant && root->IdleSince + time <= now) {
            root->References++;
            return root;
        }
    }
    return NULL;
}

/*
 * Its session ends; what takes the place of its connection knows the credentials, and connects when it is used
 * (documented: KeepConn; that the letter stays, and connects by itself: net use says "Disconnected" of it).
 */
static void make_dormant(PNET_ROOT root, ULONG uses)
{
    static const UNICODE_STRING none = {0};
    struct smb_connection *dead = NULL;

    RdrCloseDormantFiles(root, NULL);
    if (NT_SUCCESS(connect_transport(root, &none, root->Connection, &dead))) {
        ExAcquireFastMutex(&RdrMutex);
        if (root->Uses == uses && is_idle(root)) {
            struct smb_connection *fresh = dead;
            dead = root->Connection;
            root->Connection = fresh;
        }
        ExReleaseFastMutex(&RdrMutex);
    }
    smb_disconnect(dead);
}

/* FALSE: there is none. */
static BOOLEAN scavenge_one(ULONGLONG time, ULONGLONG now)
{
    BOOLEAN dropped = FALSE;
    ULONG uses = 0;
    PNET_ROOT root;

    ExAcquireFastMutex(&RdrMutex);
    root = find_long_idle(time, now);
    if (root) {
        root->Dormant = TRUE;
        uses = root->Uses;
        dropped = is_dropped(root);
    }
    ExReleaseFastMutex(&RdrMutex);
    if (!root || dropped)
        return dropped;
    make_dormant(root, uses);
    ExAcquireFastMutex(&RdrMutex);
    dereference_net_root(root);
    ExReleaseFastMutex(&RdrMutex);
    return TRUE;
}

void RdrScavengeConnections(ULONG Seconds)
{
    const ULONGLONG now = KeQueryInterruptTime();

    while (scavenge_one(Seconds * RDR_SECOND, now))
        ;
}

/* A connection that a name without a letter made becomes that of the tree connection: its files are open on it. Ours to
 * have, or v. RdrMutex is held. */
static PV_NET_ROOT take_over_implicit(PV_NET_ROOT v)
{
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots && !v->Letter; e = e->Flink) {
        PV_NET_ROOT other = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (other->Implicit && other->NetRoot == v->NetRoot) {
            other->Implicit = FALSE; /* the list's reference is ours */
            dereference_v_net_root(v);
            return other;
        }
    }
    return v;
}

static void finish_tree_connect(PRDR_EXCHANGE exchange)
{
    PIRP irp = exchange->Irp;
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    PV_NET_ROOT v = irp->Tail.Overlay.DriverContext[1];
    NTSTATUS status = exchange->Request.status;

    RdrFreeExchange(exchange);
    if (NT_SUCCESS(status)) {
        note_transport(v);
        ExAcquireFastMutex(&RdrMutex);
        share_net_root(v);
        v->Connected = TRUE;
        v = take_over_implicit(v);
        ExReleaseFastMutex(&RdrMutex);
        file->FsContext2 = v; /* the reference is the tree connection's from here on */
    } else {
        RdrDereferenceVNetRoot(v);
    }
    RdrCountCreate(status);
    RdrCompleteIrp(irp, status, NT_SUCCESS(status) ? FILE_OPENED : 0);
}

static NTSTATUS fail_tree_connect(PIRP irp, NTSTATUS status)
{
    RdrCountCreate(status);
    return RdrCompleteIrp(irp, status, 0);
}

NTSTATUS RdrCreateTreeConnect(PIRP Irp, const RDR_NAME *Name)
{
    WCHAR user_buffer[MAX_VALUE], password_buffer[MAX_VALUE];
    UNICODE_STRING user, password;
    PRDR_EXCHANGE exchange;
    PV_NET_ROOT v;
    NTSTATUS status;

    if (Name->Path.Length || Name->TrailingBackslash)
        return fail_tree_connect(
            Irp, EMU_DECIDE("Rdr", STATUS_OBJECT_NAME_INVALID, "a tree is a share, not something in it"));
    if (!ea_value(Irp->AssociatedIrp.SystemBuffer, "UserName", user_buffer, &user) ||
        !ea_value(Irp->AssociatedIrp.SystemBuffer, "Password", password_buffer, &password))
        return fail_tree_connect(
            Irp, EMU_DECIDE("Rdr", STATUS_INVALID_PARAMETER, "UserName or Password of over %u characters", MAX_VALUE));
    ExAcquireFastMutex(&RdrMutex);
    status = make_v_net_root(Name, &user, &v);
    ExReleaseFastMutex(&RdrMutex);
    if (NT_SUCCESS(status)) {
        status = connect_transport(v->NetRoot, &password, NULL, &v->NetRoot->Connection);
        if (!NT_SUCCESS(status))
            RdrDereferenceVNetRoot(v);
    }
    explicit_bzero(password_buffer, sizeof password_buffer);
    if (!NT_SUCCESS(status)) {
        RdrReapConnections();
        return fail_tree_connect(Irp, status);
    }
    exchange = RdrAllocateExchange(Irp, v->NetRoot, SMB_TREE_CONNECT, finish_tree_connect);
    if (!exchange) {
        RdrDereferenceVNetRoot(v);
        RdrReapConnections();
        return fail_tree_connect(
            Irp, EMU_DECIDE("Rdr", STATUS_INSUFFICIENT_RESOURCES, "no nonpaged pool for the tree connect"));
    }
    Irp->Tail.Overlay.DriverContext[1] = v;
    RdrCountConnect();
    status = RdrStartExchange(exchange);
    RdrReapConnections();
    return status;
}

BOOLEAN RdrIsTreeConnection(const FILE_OBJECT *FileObject)
{
    return !FileObject->FsContext && FileObject->FsContext2;
}

/* ---- what "net use" shows ---- */

/* RdrMutex is held. */
static NTSTATUS describe(const V_NET_ROOT *v, EMU_USE *use, UNICODE_STRING *user)
{
    const NET_ROOT *root = v->NetRoot;
    const BOOLEAN lost = root->Dormant || __atomic_load_n(&root->Lost, __ATOMIC_RELAXED);

    if (root->User.Length > user->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyUnicodeString(user, &root->User);
    use->Status = lost ? EmuUseDisconnected : EmuUseOk;
    use->OpenFiles = opens_of(v);
    return STATUS_SUCCESS;
}

NTSTATUS RdrQueryTree(PFILE_OBJECT FileObject, EMU_USE *Use, UNICODE_STRING *User)
{
    NTSTATUS status;

    ExAcquireFastMutex(&RdrMutex);
    status = describe(FileObject->FsContext2, Use, User);
    ExReleaseFastMutex(&RdrMutex);
    return status;
}

/* RdrMutex is held. */
static NTSTATUS put_remote(const NET_ROOT *root, UNICODE_STRING *remote)
{
    const UNICODE_STRING parts[] = {NT_STRING(u"\\\\"), root->SrvCall->Name, NT_STRING(u"\\"), root->Name};

    remote->Length = 0;
    for (ULONG i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!NT_SUCCESS(RtlAppendUnicodeStringToString(remote, &parts[i])))
            return STATUS_BUFFER_TOO_SMALL;
    return STATUS_SUCCESS;
}

NTSTATUS RdrQueryUnlettered(ULONG Index, EMU_USE *Use, UNICODE_STRING *Remote, UNICODE_STRING *User)
{
    NTSTATUS status = STATUS_NO_MORE_ENTRIES;

    ExAcquireFastMutex(&RdrMutex);
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (v->Letter || !v->Connected || v->Deleted || v->NetRoot->SessionId != current_session() || Index--)
            continue;
        status = put_remote(v->NetRoot, Remote);
        if (NT_SUCCESS(status))
            status = describe(v, Use, User);
        break;
    }
    ExReleaseFastMutex(&RdrMutex);
    return status;
}

/* What keeps a letter from being taken away. RdrMutex is held. */
static NTSTATUS check_unused(const V_NET_ROOT *v)
{
    if (opens_of(v))
        return STATUS_FILES_OPEN;
    /* Q214563: Service Pack 4 looks for open references before it tears a connection down (Q179873), and meets those
     * that the cache holds to FCBs of files that nobody has open any more. Fixed in Service Pack 5. */
    if (EmuHasDefect(EMU_Q214563) && __atomic_load_n(&v->Cached, __ATOMIC_RELAXED))
        return STATUS_CONNECTION_IN_USE;
    return STATUS_SUCCESS;
}

NTSTATUS RdrDisconnectTree(PFILE_OBJECT FileObject, BOOLEAN Force)
{
    PV_NET_ROOT v = FileObject->FsContext2;
    NTSTATUS status;

    ExAcquireFastMutex(&RdrMutex);
    status = Force ? STATUS_SUCCESS : check_unused(v);
    if (NT_SUCCESS(status))
        __atomic_store_n(&v->Deleted, TRUE, __ATOMIC_RELAXED);
    ExReleaseFastMutex(&RdrMutex);
    if (NT_SUCCESS(status))
        RdrCloseDormantFiles(v->NetRoot, NULL);
    return status;
}

/* RdrMutex is held. */
static PV_NET_ROOT find_implicit(const RDR_NAME *name)
{
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        PV_NET_ROOT v = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (v->Implicit && is_on_server(v, &name->Server) &&
            RtlEqualUnicodeString(&v->NetRoot->Name, &name->Share, TRUE))
            return v;
    }
    return NULL;
}

NTSTATUS RdrDisconnectImplicit(const RDR_NAME *Name, BOOLEAN Force)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    PV_NET_ROOT v;

    ExAcquireFastMutex(&RdrMutex);
    v = find_implicit(Name);
    if (v)
        status = Force ? STATUS_SUCCESS : check_unused(v);
    if (NT_SUCCESS(status)) {
        __atomic_store_n(&v->Deleted, TRUE, __ATOMIC_RELAXED);
        drop_implicit(v);
    }
    ExReleaseFastMutex(&RdrMutex);
    RdrReapConnections();
    return status;
}

/*
 * Whether the tree is disconnected at the server though others have files open in it. The server has given one tree ID
 * to all of them:
 *   Q163899: deleting one of two letters on a share disturbs the other. 3.51's Service Pack 5 only.
 *   Q179873: deleting a letter closes "even files opened with UNC names". Fixed in Service Pack 4.
 * If so, with a reference on v: the scavenger takes the connection for idle otherwise, and puts another in its place.
 */
static BOOLEAN tears_down(PV_NET_ROOT v)
{
    BOOLEAN others = FALSE, known = FALSE;

    ExAcquireFastMutex(&RdrMutex);
    for (PLIST_ENTRY e = v_net_roots.Flink; e != &v_net_roots; e = e->Flink) {
        const V_NET_ROOT *other = CONTAINING_RECORD(e, V_NET_ROOT, Links);
        if (other == v || other->NetRoot != v->NetRoot || !other->Connected || other->Deleted)
            continue;
        others = TRUE;
        if (!(other->Letter ? EmuHasDefect(EMU_Q163899) : EmuHasDefect(EMU_Q179873)))
            known = TRUE;
    }
    if (others && !known)
        __atomic_add_fetch(&v->References, 1, __ATOMIC_RELAXED);
    ExReleaseFastMutex(&RdrMutex);
    return others && !known;
}

static void disconnect_tree(PNET_ROOT root)
{
    struct smb_request request = {.op = SMB_TREE_DISCONNECT};

    EMU_STEP("Rdr", "disconnecting the tree \\\\%wZ\\%wZ", &root->SrvCall->Name, &root->Name);
    EmuClockHold();
    smb_perform(root->Connection, &request);
    EmuClockRelease();
    __atomic_add_fetch(&root->Losses, 1, __ATOMIC_RELAXED);
}

void RdrCloseTreeConnect(PFILE_OBJECT FileObject)
{
    PV_NET_ROOT v = FileObject->FsContext2;

    if (v->Letter && tears_down(v)) {
        disconnect_tree(v->NetRoot);
        RdrDereferenceVNetRoot(v);
    }
    RdrDereferenceVNetRoot(v);
    FileObject->FsContext2 = NULL;
    RdrReapConnections();
}
