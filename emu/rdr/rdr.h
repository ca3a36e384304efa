/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdr.h - the redirector: structures and who owns them.
 *
 * The objects have the names that are documented for RDBSS, the redirected drive buffering subsystem, which is the
 * successor of NT 4.0's rdr; rdr's own vocabulary is known only from fault reports ("server list entry").
 *
 *   SRV_CALL    a server. Held by its NET_ROOTs; stays for a while if it could not be reached (server.c).
 *   NET_ROOT    a share on it as one user in one session: the SMB connection, and the files that are open on it. Two
 *               letters that lead to one share have one connection, one FCB a file and one set of share accesses. Held
 *               by its V_NET_ROOTs; its FCBs are in use only while one of those is.
 *   V_NET_ROOT  a use of a NET_ROOT: a letter's, or one that a name without a letter made. Held by its tree connection
 *               (or by the list), by each FOBX and by each create in progress.
 *   FCB         a file of a NET_ROOT. Held by each FOBX, and by each create in progress.
 *   SRV_OPEN    a file open at the server, which creates that ask for the same share ("collapsed"; srvopen.c). Held by
 *               its FOBXs, and by its close until that is answered. Closed at the server when the last of its file
 *               objects is cleaned up.
 *   FOBX        what a file object has open: FILE_OBJECT.FsContext2; FsContext is the FCB.
 *
 * A file object with FsContext2 and no FsContext is a tree connection: FsContext2 is its V_NET_ROOT.
 *
 * Locks: RdrMutex guards the connections' lists and counts of references, a bucket's its FCBs; FCB.Mutex guards the
 * FCB's share access and SRV_OPENs. Neither is held while anything is waited for (one create of an FCB at a time is
 * what FCB.Creating is for); a close is submitted under FCB.Mutex, before the share access of who had the file open is
 * given back: so nobody here meets it at the server. Pool tags "Rd.." are invented: no public list has those of
 * NT 4.0's rdr.sys.
 */
#ifndef NTEMU_RDR_RDR_H
#define NTEMU_RDR_RDR_H

#include <ntemu/builds.h>
#include <ntemu/filelock.h>
#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

#include "smb/smb.h"

#define RDR_TAG_CREATE     POOL_TAG('R', 'd', 'C', 'c') /* RDR_CREATE_CONTEXT; paged */
#define RDR_TAG_EXCHANGE   POOL_TAG('R', 'd', 'E', 'x')
#define RDR_TAG_SRV_CALL   POOL_TAG('R', 'd', 'S', 'c')
#define RDR_TAG_NET_ROOT   POOL_TAG('R', 'd', 'N', 'r')
#define RDR_TAG_V_NET      POOL_TAG('R', 'd', 'V', 'n')
#define RDR_TAG_FCB        POOL_TAG('R', 'd', 'F', 'c')
#define RDR_TAG_SRV_OPEN   POOL_TAG('R', 'd', 'S', 'o')
#define RDR_TAG_FOBX       POOL_TAG('R', 'd', 'F', 'x') /* paged */
#define RDR_TAG_LISTING    POOL_TAG('R', 'd', 'D', 'i') /* paged: a directory's entries */
#define RDR_TAG_WATCH      POOL_TAG('R', 'd', 'W', 't') /* nonpaged: changes that nobody has asked for yet */
#define RDR_TAG_SMB        POOL_TAG('R', 'd', 'S', 'm') /* a request's message */
#define RDR_TAG_PARAMETERS POOL_TAG('R', 'd', 'P', 'm') /* paged */
#define RDR_TAG_USE        POOL_TAG('R', 'd', 'U', 's') /* paged: the workstation service's list of uses */

#define RDR_SECOND 10000000ULL /* the machine's time */

typedef struct _SRV_CALL {
    LIST_ENTRY Links; /* all servers */
    ULONG References;
    BOOLEAN System;            /* the redirector's own context has it, for \\server\ipc$; no NET_ROOT is on it */
    ULONGLONG LastConnectTime; /* interrupt time at which a connect timed out; 0: none did, or it has been forgotten */
    UNICODE_STRING Name;       /* follows the structure */
} SRV_CALL, *PSRV_CALL;

typedef struct _NET_ROOT {
    LIST_ENTRY Links; /* all NET_ROOTs, or those without references that RdrReapConnections will end */
    ULONG References;
    PSRV_CALL SrvCall;
    ULONG SessionId; /* whose it is; 0 on Workstation */
    struct smb_connection *Connection;
    LONG Losses;    /* atomic: how often the server was found lost. What was opened before is not shared any more */
    ULONG Uses;     /* how often a create has found it */
    ULONG UsesSeen; /* by the scavenger; IdleSince: interrupt time since which it has not changed */
    ULONGLONG IdleSince;
    ULONG DormantFiles;  /* dormant.c's */
    BOOLEAN Dormant;     /* nobody has used it since its session at the server was given up */
    BOOLEAN Lost;        /* atomic: the last answer was that there is no server any more */
    BOOLEAN Absent;      /* atomic: the last look for one name in a directory found nothing; dirctrl.c's */
    UNICODE_STRING User; /* "": anonymous; follows the structure, and Name follows it */
    UNICODE_STRING Name; /* the share */
} NET_ROOT, *PNET_ROOT;

typedef struct _V_NET_ROOT {
    LIST_ENTRY Links; /* all V_NET_ROOTs */
    ULONG References; /* atomic; the last one goes under RdrMutex */
    PNET_ROOT NetRoot;
    WCHAR Letter;       /* upper case; 0: connected without a letter */
    BOOLEAN Connected;  /* the tree connect has succeeded: creates may use it */
    BOOLEAN Deleted;    /* its letter was taken away: no create finds it, and its files get nothing but their close */
    BOOLEAN Implicit;   /* made for a name without a letter: the list has a reference, nobody else owns it */
    BOOLEAN Connecting; /* for such a name; until the server has answered, others who want the share wait */
    LIST_ENTRY Waiters; /* those: RDR_WAITERs */
    ULONG Opens;        /* atomic: creates in progress, and files that have not been cleaned up */
    ULONG Cached;       /* atomic: files with data that have been, and whose FCB the cache may still refer to */
} V_NET_ROOT, *PV_NET_ROOT;

typedef struct _FCB {
    LIST_ENTRY Links;           /* of the bucket, whose lock guards it, References and Replaced; see fcb.c */
    struct _RDR_BUCKET *Bucket; /* atomic */
    ULONG References;
    BOOLEAN Replaced; /* a rename has given its name to another: no create finds it any more */
    PNET_ROOT NetRoot;
    FAST_MUTEX Mutex;                 /* guards what follows */
    BOOLEAN Creating;                 /* a create has it, from before its share access is checked until it is counted */
    LIST_ENTRY Creators;              /* the next ones: RDR_WAITERs */
    SHARE_ACCESS ShareAccess;         /* of the opens on this machine */
    ULONG OpenFiles;                  /* file objects that have not been cleaned up */
    SECTION_OBJECT_POINTERS Sections; /* memory management's */
    BOOLEAN DeletePending;            /* the last cleanup deletes it; until then no create gets it */
    LIST_ENTRY SrvOpens;              /* those with users */
    BOOLEAN MadeReadOnly;             /* by a create here: whoever was let in to write before, nobody is any more */
    UNICODE_STRING Path;              /* relative to the share, "" is the root; the bucket's lock, see RdrPathOf */
    struct _RDR_PATH *Paths;          /* the buffers of names that it was given later */
    FILE_LOCK FileLock;               /* byte ranges; its own lock. Only this machine's programs know of them */
    BOOLEAN Appending;                /* a write to the end is under way, from the question where that is */
    LIST_ENTRY Appenders;             /* the next ones: RDR_WAITERs */
    ULONG Transfers;                  /* reads and writes under way */
    ULONG Renames;                    /* the one under way, and those that wait for their turn: no transfer begins */
    BOOLEAN Renaming;                 /* one is under way: there are no transfers */
    LIST_ENTRY Transferrers;          /* who waits for there to be no renames, and ... */
    LIST_ENTRY Renamers;              /* ... for its turn to rename: RDR_WAITERs */
} FCB, *PFCB;

typedef struct _RDR_DORMANT { /* dormant.c */
    struct _RDR_DORMANT *Next;
    struct _SRV_OPEN *SrvOpen; /* with a reference, as the FCB */
    PFCB Fcb;
    ULONGLONG Since; /* interrupt time */
    BOOLEAN Queued;
} RDR_DORMANT, *PRDR_DORMANT;

/* Who has none of these holds nothing open at a server. */
#define RDR_DATA (FILE_READ_DATA | FILE_EXECUTE | FILE_WRITE_DATA | FILE_APPEND_DATA)

typedef struct _SRV_OPEN {
    LIST_ENTRY Links;   /* FCB.SrvOpens */
    ULONG Users;        /* file objects that have not been cleaned up; under FCB.Mutex */
    LONG References;    /* atomic: FOBXs, a close or a rename under way */
    smb_file File;      /* 0: it asks for no data, and nothing is open at the server */
    ACCESS_MASK Access; /* as the server was asked for it, like the next two */
    ULONG ShareAccess, Options;
    LONG Losses;        /* NET_ROOT.Losses when it was opened */
    LONGLONG WriteTime; /* 0, or the time of the last write that a handle has set: stays when it is closed. FCB.Mutex */
    BOOLEAN Directory;
    BOOLEAN Away;             /* closed for a rename, to be opened again; under FCB.Mutex */
    BOOLEAN Lost;             /* a rename could not open it again; atomic */
    ULONG Reopened;           /* how often one has; changes during renames only */
    RDR_DORMANT Dormant;      /* in use while it has no users */
    struct _SRV_OPEN *Next;   /* of those that a rename closed: the renamer's */
    struct smb_request Close; /* allocated with the open: a close needs no memory */
} SRV_OPEN, *PSRV_OPEN;

typedef struct _RDR_LISTING *PRDR_LISTING;
typedef struct _RDR_WATCH *PRDR_WATCH;

typedef struct _FOBX {
    PV_NET_ROOT VNetRoot; /* what its name led through */
    PSRV_OPEN SrvOpen;
    ACCESS_MASK GrantedAccess;
    ULONG Options; /* of the create */
    BOOLEAN Directory;
    PRDR_LISTING Listing; /* NULL before the first query */
    PRDR_WATCH Watch;     /* NULL before the first request for changes; atomic */
} FOBX, *PFOBX;

extern FAST_MUTEX RdrMutex;
extern PDEVICE_OBJECT RdrDevice;

/* ---- exchange.c: one IRP, one SMB request, cancellable ---- */

typedef struct _RDR_EXCHANGE {
    struct smb_request Request;
    PIRP Irp;
    PNET_ROOT NetRoot;
    PVOID Message;            /* NULL, or what the request's path lies in: freed with the exchange */
    struct _FCB *Appended;    /* NULL, or whose end it writes to: once it is freed, it is the next one's turn */
    struct _FCB *Transferred; /* NULL, or what it reads or writes: once it is freed, that may be renamed */
    void (*Finish)(
        struct _RDR_EXCHANGE *Exchange); /* called once per start, when nobody touches the exchange any more */
    LONG References;                     /* starter, completion, armed cancel routine; atomic */
    LONG Done;                           /* atomic: the request has completed */
} RDR_EXCHANGE, *PRDR_EXCHANGE;

/* The exchange with Irp, Finish and an empty request of Op; nonpaged. NULL: no pool. */
PRDR_EXCHANGE RdrAllocateExchange(PIRP Irp, PNET_ROOT NetRoot, enum smb_op Op, void (*Finish)(PRDR_EXCHANGE Exchange));
void RdrFreeExchange(PRDR_EXCHANGE Exchange);
/* Marks the IRP pending and submits; waits for the answer here if the IRP is for a synchronous service. Finish may run
 * before this returns. Returns STATUS_PENDING. */
NTSTATUS RdrStartExchange(PRDR_EXCHANGE Exchange);
/* A request on behalf of Irp, which it neither completes nor marks pending; returns with the answer. Cancelling the IRP
 * cancels it. */
NTSTATUS RdrPerform(PIRP Irp, PNET_ROOT NetRoot, struct smb_request *Request);
/* The same where leaving off would leave something behind: nobody cancels it, and the server's time-out bounds it. */
NTSTATUS RdrPerformToTheEnd(PNET_ROOT NetRoot, struct smb_request *Request);
/* Submits once more from Finish: the IRP is pending already. */
void RdrContinueExchange(PRDR_EXCHANGE Exchange);
NTSTATUS RdrCompleteIrp(PIRP Irp, NTSTATUS Status, ULONG_PTR Information);

/* ---- wait.c: one IRP waits for what another one finds out ---- */

typedef struct _RDR_WAITER { /* on its thread's stack */
    LIST_ENTRY Links;
    KEVENT Event;
    NTSTATUS Status; /* STATUS_PENDING until it is woken */
} RDR_WAITER, *PRDR_WAITER;

/* Waits at the end of the list until it is woken: the status it is woken with; STATUS_CANCELLED if the IRP is cancelled
 * before. Mutex guards the list and is held; not during the wait. */
NTSTATUS RdrWait(PIRP Irp, PLIST_ENTRY Waiters, PFAST_MUTEX Mutex);
/* Takes the first off the list and wakes it. FALSE: there is none. The mutex is held. */
BOOLEAN RdrWakeFirst(PLIST_ENTRY Waiters, NTSTATUS Status);
/* How many IRPs wait so, in all lists. */
ULONG RdrCountWaiting(void);

/* ---- name.c ---- */

typedef struct _RDR_NAME { /* all parts point into one buffer */
    WCHAR Letter;          /* upper case, 0 without */
    UNICODE_STRING Server, Share;
    UNICODE_STRING Path; /* no leading and no trailing backslash */
    BOOLEAN TrailingBackslash;
} RDR_NAME;

/* RdrCheckComponent - one component of a path: STATUS_SUCCESS, _OBJECT_NAME_INVALID, _OBJECT_PATH_SYNTAX_BAD. */
NTSTATUS RdrCheckComponent(const UNICODE_STRING *Component);

/*
 * RdrParseName - splits and checks a name as the I/O manager hands it over: \X:\server\share\path or
 * \server\share\path. Options  the create's: a trailing backslash asks for a directory. Returns  STATUS_SUCCESS;
 * STATUS_OBJECT_NAME_INVALID (trailing backslash with FILE_NON_DIRECTORY_FILE, wildcard, character below 32 or one of
 * "/<>|, empty component, component over 255 units; no share); STATUS_OBJECT_PATH_SYNTAX_BAD (a component "." or "..").
 * docs/fidelity.md has the source of each.
 */
NTSTATUS RdrParseName(const UNICODE_STRING *Full, ULONG Options, RDR_NAME *Name);

/* ---- server.c; RdrMutex is held for these ---- */

void RdrInitializeServers(void);
/* Whatever is left, when the machine goes down. */
void RdrForgetServers(void);
BOOLEAN RdrHasServers(void);
/* The server's entry, made if need be, with a reference. NULL: no pool. */
PSRV_CALL RdrReferenceServer(const UNICODE_STRING *Name);
void RdrDereferenceServer(PSRV_CALL Server);

/*
 * RdrReachServer - SMB_TREE_CONNECT, unless the server has lately not been reached.
 *   Irp      on whose behalf: cancelling it ends the wait.
 *   Returns  what the server said; STATUS_BAD_NETWORK_PATH also without asking: a connect has timed out less than
 *            FailedConnectTimeout ago.
 *   IRQL     PASSIVE_LEVEL, without RdrMutex; waits for the server.
 */
NTSTATUS RdrReachServer(PIRP Irp, PNET_ROOT NetRoot);
/* Forgets what has timed out longer ago than FailedConnectTimeout. Without RdrMutex. */
void RdrScavengeServerEntries(void);

/* ---- scavenge.c ---- */

typedef struct _RDR_PARAMETERS {                            /* in paged pool (documented: Q252186) */
    ULONG KeepConn, FailedConnectTimeout, CacheFileTimeout; /* seconds */
    ULONG DormantFileLimit;
    BOOLEAN KeepDormantFiles; /* the registry sets the limit */
} RDR_PARAMETERS, *PRDR_PARAMETERS;

extern PRDR_PARAMETERS RdrParameters; /* while the driver is loaded; not written */

/* The worker's part: one tick. */
void NTAPI RdrTimer(PVOID Parameter);
/* Reads the parameters. STATUS_INSUFFICIENT_RESOURCES: no paged pool for them. */
NTSTATUS RdrInitializeTimer(void);
/* RdrMutex is held: there is something to scavenge. */
void RdrStartTimer(void);
/* From then on no tick begins. RdrForgetTimer waits for one that has. */
void RdrStopTimer(void);
void RdrForgetTimer(void);

/* ---- connect.c ---- */

void RdrInitializeConnections(const EMU_MACHINE_OPTIONS *Options);
void RdrShutdownConnections(void);
/* A connected V_NET_ROOT for the name, without a letter of the caller's session, with a reference and an open counted
 * (RdrEndOpen); NULL if there is none. */
PV_NET_ROOT RdrFindConnection(const RDR_NAME *Name);
void RdrEndOpen(PV_NET_ROOT VNetRoot);
/* RdrEndOpen for a file that has been cleaned up. */
void RdrEndFile(PV_NET_ROOT VNetRoot, ACCESS_MASK GrantedAccess);
/*
 * RdrConnectShare - what names without a letter use: a connection of the calling process's session to the share. If
 * there is none, one is made, as the user that the session is connected to the server as already, otherwise
 * anonymously. Who wants the same share meanwhile waits for the answer, and shares connection or failure; not a cancel.
 * It then stays until there are too many that nobody uses, or until somebody else is wanted on that server.
 *   Irp        on whose behalf; cancelling it ends the wait for the server. Not completed here.
 *   Name       its server and share
 *   VNetRoot   out on success: as from RdrFindConnection
 *   Returns    STATUS_SUCCESS; _BAD_NETWORK_PATH (no such server, or nobody answers), _BAD_NETWORK_NAME (no such
 *              share), _LOGON_FAILURE, _ACCESS_DENIED and whatever else the server says to a tree connect; _CANCELLED,
 *              _INSUFFICIENT_RESOURCES.
 *   IRQL       PASSIVE_LEVEL; blocks until the server has answered.
 *   Source     observed: RDBSS connects in the create, on its thread, and keeps unused connections for a while; that
 *              one create at a time does so: ReactOS's rdbss (the condition of a NET_ROOT in transition).
 */
NTSTATUS RdrConnectShare(PIRP Irp, const RDR_NAME *Name, PV_NET_ROOT *VNetRoot);
void RdrDereferenceVNetRoot(PV_NET_ROOT VNetRoot);
/* Another connection to the share of a NET_ROOT that is in use, as the same user; for smb_disconnect. Statuses as
 * smb_connect's. */
NTSTATUS RdrConnectLike(const NET_ROOT *NetRoot, struct smb_connection **Connection);
/*
 * RdrScavengeConnections - gives up, at the server, what nobody has had a file on for Seconds (KeepConn): the next use
 * connects again, with the same credentials, and who uses it sees nothing of that. RdrReapConnections is to follow.
 */
void RdrScavengeConnections(ULONG Seconds);
/* Disconnects what has become unreferenced. Not from a completion routine. */
void RdrReapConnections(void);
/* FILE_CREATE_TREE_CONNECTION. Completes the IRP or returns STATUS_PENDING. */
NTSTATUS RdrCreateTreeConnect(PIRP Irp, const RDR_NAME *Name);
void RdrCloseTreeConnect(PFILE_OBJECT FileObject);
BOOLEAN RdrIsTreeConnection(const FILE_OBJECT *FileObject);
/* What EmuUseEnumerate says of a tree connection, but its number, letter and name; and of the Index-th connection of
 * the caller's session that has no letter, whoever made it: STATUS_NO_MORE_ENTRIES, _BUFFER_TOO_SMALL. */
NTSTATUS RdrQueryTree(PFILE_OBJECT FileObject, EMU_USE *Use, UNICODE_STRING *User);
NTSTATUS RdrQueryUnlettered(ULONG Index, EMU_USE *Use, UNICODE_STRING *Remote, UNICODE_STRING *User);
/* Lets no create find the connection any more. STATUS_FILES_OPEN, _CONNECTION_IN_USE (Q214563 only): it has opens, and
 * Force is FALSE. */
NTSTATUS RdrDisconnectTree(PFILE_OBJECT FileObject, BOOLEAN Force);
/* The same for a connection that a name without a letter made, in the caller's session; also _OBJECT_NAME_NOT_FOUND. */
NTSTATUS RdrDisconnectImplicit(const RDR_NAME *Name, BOOLEAN Force);

/* MS-FSCC 2.6: a file without any attribute has FILE_ATTRIBUTE_NORMAL. */
static inline ULONG RdrAttributes(const struct smb_info *Info)
{
    return Info->attributes ? Info->attributes : FILE_ATTRIBUTE_NORMAL;
}

/* ---- fcb.c ---- */

typedef struct _RDR_BUCKET *PRDR_BUCKET;

void RdrInitializeFcbs(void);
/* An FCB for the path, made if need be, with a reference. NULL: no pool. The caller has a reference on a V_NET_ROOT of
 * the NET_ROOT, which outlives this one. */
PFCB RdrReferenceFcb(PNET_ROOT NetRoot, const UNICODE_STRING *Path);
void RdrDereferenceFcb(PFCB Fcb);
/* Another reference, by who has one. */
void RdrHoldFcb(PFCB Fcb);
/*
 * RdrBeginCreate - the caller's turn to create or open the file: creates of one name are one after the other, the
 * server's answer included, so that each meets the share access of those that succeeded and of no others (observed:
 * ReactOS's rdbss holds the FCB exclusively meanwhile, checks share access before and counts it behind the server's
 * answer). A create is a transfer, too: the FCB keeps its name, which may be another one than it was found by if there
 * was something to wait for. RdrEndCreate, under Fcb->Mutex, lets the next one go on; it may be another thread's.
 *   Returns  STATUS_SUCCESS; STATUS_CANCELLED: Irp was cancelled while it waited.
 */
NTSTATUS RdrBeginCreate(PIRP Irp, PFCB Fcb);
void RdrEndCreate(PFCB Fcb);
/* The same for writes to a file's end, which must stay the end until they are written. RdrEndAppend takes the mutex. */
NTSTATUS RdrBeginAppend(PIRP Irp, PFCB Fcb);
void RdrEndAppend(PFCB Fcb);
/*
 * RdrBeginTransfer, RdrBeginRename - a rename closes the file at the server for a moment, and gives it another name: a
 * transfer, which is whatever is done by what is open there or by the name, does not begin meanwhile, nor a rename
 * during one. Transfers may be many, renames are one after the other. The Ends take Fcb->Mutex.
 *   Returns  STATUS_SUCCESS; STATUS_CANCELLED: Irp was cancelled while it waited, and there is nothing to end.
 */
NTSTATUS RdrBeginTransfer(PIRP Irp, PFCB Fcb);
void RdrEndTransfer(PFCB Fcb);
/* The same for an exchange, until it is freed; also RdrDecodeFile's: a rename that was waited for may have lost the
 * file. */
NTSTATUS RdrBeginTransferBy(struct _RDR_EXCHANGE *Exchange, PFCB Fcb);
NTSTATUS RdrBeginRename(PIRP Irp, PFCB Fcb);
void RdrEndRename(PFCB Fcb);
/* The path as it is now. A rename gives it another, but the buffer stays as long as the FCB. */
UNICODE_STRING RdrPathOf(const FCB *Fcb);
/* Case aside. FALSE also if a rename has given the path to another FCB. */
BOOLEAN RdrHasPath(const FCB *Fcb, const UNICODE_STRING *Path);
/*
 * RdrIndexNumber - what programs tell files by, in FileInternalInformation and in listings: of a file, or of a Name in
 * the directory, which then is FCB; Name NULL otherwise. Never 0.
 * Made of the name, case aside: another one after a rename, and the same for every open. That it is the redirector's
 * own is observed (ReactOS's rdbss, which takes the FCB's address); a server's is no help, as smbd 4.17 gives files
 * that were made in one tick of its clock the same one, and NT1 has none (observed).
 */
ULONGLONG RdrIndexNumber(const FCB *Fcb, const UNICODE_STRING *Name);
/* A name for RdrSetPath; nonpaged, NULL: no pool. */
typedef struct _RDR_PATH {
    struct _RDR_PATH *Next;
    UNICODE_STRING Name; /* follows the structure; its length is the caller's to set, up to MaximumLength */
} RDR_PATH, *PRDR_PATH;
PRDR_PATH RdrAllocatePath(ULONG Length);
void RdrFreePath(PRDR_PATH Path);
/* The FCB owns Path from here on. Between RdrBeginRename and RdrEndRename. Replaced, NULL or the FCB that had the path,
 * which nobody has open: it is the caller's turn to create it. */
void RdrSetPath(PFCB Fcb, PRDR_PATH Path, PFCB Replaced);
/* Whether anything below the directory is open, or being opened, on this machine; not Except, which may be NULL. */
BOOLEAN RdrIsOpenBelow(const FCB *Directory, const FCB *Except);

/* ---- srvopen.c ---- */

/* Zeroed, with one reference and one user. NULL: no pool. */
PSRV_OPEN RdrAllocateSrvOpen(void);
void RdrDereferenceSrvOpen(PSRV_OPEN SrvOpen);
/* FCB.Mutex is held for these three. The server has opened File: it is the FCB's from here on. */
void RdrEnterSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen, smb_file File);
/* A user less; when the last one leaves it is closed at the server, which is not waited for. */
void RdrLeaveSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen);
/* What the last user's leaving does. */
void RdrCloseSrvOpen(PFCB Fcb, PSRV_OPEN SrvOpen);
/* One that serves a create which asks for this, with a reference and a user more. NULL: the server must be asked.
 * *WasDormant: the caller is to give back a reference on the FCB, when it has released the mutex. */
PSRV_OPEN RdrShareSrvOpen(PFCB Fcb, ACCESS_MASK Access, ULONG ShareAccess, ULONG Options, BOOLEAN *WasDormant);
/* After its close has been sent: sets the time of the last write again, if it was set. Waits for the server. */
void RdrKeepWriteTime(PIRP Irp, PFCB Fcb, const SRV_OPEN *SrvOpen);
/* Whether somebody has an open at the server by which a file's data can be changed. Takes FCB.Mutex. */
BOOLEAN RdrIsOpenToWrite(PFCB Fcb);
/* For a rename: closes all that the FCB has at the server, and opens them again by Path, those that still have users.
 * They wait for the server. One that cannot be opened again is lost to its file objects. What the first returns is the
 * second's: each has a reference. */
PSRV_OPEN RdrCloseSrvOpens(PFCB Fcb);
void RdrReopenSrvOpens(PFCB Fcb, PSRV_OPEN First, const UNICODE_STRING *Path);

/* Makes Request a query of the file, SMB_QUERY_FILE of what is open or SMB_QUERY_PATH; its path stays as long as the
 * FCB. */
void RdrAskForFile(PFCB Fcb, PFOBX Fobx, struct smb_request *Request);

/* ---- dormant.c ---- */

void RdrInitializeDormant(void);
/* Before a cleanup takes FCB.Mutex. TRUE: the file may go dormant, and the FCB has a reference for that. */
BOOLEAN RdrMakeRoomForDormant(PFCB Fcb, const SRV_OPEN *SrvOpen);
/* FCB.Mutex is held. TRUE: the last user has left, and the file stays open at the server; it has taken the reference
 * that RdrMakeRoomForDormant made. FALSE: nothing was done. */
BOOLEAN RdrLeaveDormant(PFCB Fcb, PSRV_OPEN SrvOpen);
/* FCB.Mutex is held. TRUE: it is dormant no more, and the references are the caller's. FALSE: somebody closes it. */
BOOLEAN RdrWakeDormant(PSRV_OPEN SrvOpen);
/* Closes what is dormant on the share of NetRoot (NULL: everywhere), with Fcb of the connection only what is that
 * FCB's. No lock is held; the closes are not waited for. */
void RdrCloseDormantFiles(const NET_ROOT *NetRoot, const FCB *Fcb);
/* Closes what has been dormant for Seconds (CacheFileTimeout). */
void RdrScavengeDormantFiles(ULONG Seconds);

/* ---- answer.c ---- */

/* A file's basic information out of the server's answer. STATUS_INSUFFICIENT_RESOURCES: no nonpaged pool. */
NTSTATUS RdrTakeBasicInformation(const struct smb_info *Info, FILE_BASIC_INFORMATION *Basic);

/* ---- request.c ---- */

/*
 * RdrBuildQueryInformation - puts the path of an SMB_QUERY_PATH into a message, which is the exchange's from then on.
 *   Returns  STATUS_SUCCESS; _NAME_TOO_LONG: it does not fit (documented: Q163620, that it is checked; which status is
 *            our guess); _INSUFFICIENT_RESOURCES.
 */
NTSTATUS RdrBuildQueryInformation(PRDR_EXCHANGE Exchange);

/* ---- notify.c ---- */

/* IRP_MN_NOTIFY_CHANGE_DIRECTORY. The first one of a file object waits for the server. */
NTSTATUS RdrNotifyChangeDirectory(PIRP Irp);
/* Cleanup: who waits gets STATUS_NOTIFY_CLEANUP, and the connection that the watch had is given up, which takes a
 * second at most, or as long as it takes to make it. Accepts none. */
void RdrEndWatch(PFOBX Fobx);
/* Close: nobody asks any more. */
void RdrFreeWatch(PFOBX Fobx);
/* How many requests wait for a change. */
ULONG RdrCountNotifyWaiting(void);

/* ---- the FSD's entry points, one file each ---- */

NTSTATUS NTAPI RdrFsdCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdClose(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdRead(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdFlushBuffers(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdSetInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdQueryInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdQueryVolumeInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdDirectoryControl(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdLockControl(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdFileSystemControl(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdQueryEa(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdSetEa(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS NTAPI RdrFsdSetVolumeInformation(PDEVICE_OBJECT DeviceObject, PIRP Irp);

/* What every request on an open file begins with. STATUS_UNEXPECTED_NETWORK_ERROR: its connection was deleted by force
 * (observed: an orphaned FCB in ReactOS's rdbss), or it could not be opened again after a rename;
 * STATUS_INVALID_DEVICE_REQUEST: a tree connection is no file; STATUS_FILE_CLOSED: its last handle is gone (observed:
 * fastfat), which a request that began before that may meet. */
NTSTATUS RdrDecodeFile(const FILE_OBJECT *FileObject, PFCB *Fcb, PFOBX *Fobx);
/* What the cleanup says before it does anything else. */
static inline BOOLEAN RdrIsCleanedUp(const FILE_OBJECT *FileObject)
{
    return (__atomic_load_n(&FileObject->Flags, __ATOMIC_RELAXED) & FO_CLEANUP_COMPLETE) != 0;
}
/* The last file object is cleaned up: the file is deleted at the server, in a turn like a create's. Only the event log
 * is told if it is not. Waits for it. */
void RdrDelete(PIRP Irp, PFCB Fcb, BOOLEAN Directory);
/* STATUS_DIRECTORY_NOT_EMPTY, or why the directory could not be looked into; success also if others let nobody list it.
 * Waits for the server. */
NTSTATUS RdrCheckEmpty(PIRP Irp, PFCB Fcb);
/* rename.c: FileRenameInformation. Waits for the server. */
NTSTATUS RdrRename(PIRP Irp, PFCB Fcb, PFOBX Fobx);
void RdrFreeListing(PRDR_LISTING Listing);

/* driver.c: \FileSystem\Rdr. */
NTSTATUS NTAPI RdrDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
NTSTATUS RdrStart(void); /* registers with MUP, as when NT's workstation service starts */
void RdrStop(void);      /* accepts a redirector that never started */
void RdrCountCreate(NTSTATUS Status);
/* A connection to a server is about to be tried. */
void RdrCountConnect(void);

/* events.c: what nobody waits for any more, unless it went as it should. Any thread that may wait for a lock. */
void RdrReportClose(NTSTATUS Status);
void RdrReportDelete(const UNICODE_STRING *Path, NTSTATUS Status);

/* wkssvc.c */
void RdrInitializeUses(void);
void RdrShutdownUses(void);

#endif
