/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.h - the emulated machine: one per process. What NT never had is prefixed Emu.
 *
 * Boot order is NT's: pool, object manager, I/O manager, processes, then the drivers. A thread that calls NT
 * services or driver code is a thread of that machine once it has entered a process of it (EmuEnterProcess);
 * EmuMachineBoot enters the System process for the calling thread.
 */
#ifndef NTEMU_MACHINE_H
#define NTEMU_MACHINE_H

#include <ntemu/builds.h>
#include <ntemu/clock.h>
#include <ntemu/nt.h>
#include <ntemu/pool.h>
#include <ntemu/registry.h>
#include <ntemu/verifier.h>

struct smb_backend;

typedef struct _EPROCESS *PEPROCESS;

/* Maps a server name of a UNC path to where it really listens, as an lmhosts file would. */
typedef struct _EMU_SERVER_ADDRESS {
    const char *Name; /* as in \\NAME\share; compared without case */
    const char *Host; /* what to connect to */
    USHORT Port;      /* 0: 445 */
} EMU_SERVER_ADDRESS;

typedef struct _EMU_MACHINE_OPTIONS {
    const char *Build;          /* "nt4-sp5"; NULL: "nt4-sp6". See EmuBuildNames */
    const char *const *Defects; /* NULL-terminated "Q235425=on|off" overrides; may be NULL */
    SIZE_T PagedPoolLimit;      /* bytes; 0: the registry's PagedPoolSize, or NT 4.0's maximum, 192 MB (Q126401) */
    SIZE_T NonPagedPoolLimit;   /* bytes; 0: 128 MB (documented: Q248747) */
    struct smb_backend *Smb;    /* what the redirector talks through; NULL: the machine has no network. Borrowed */
    const EMU_SERVER_ADDRESS *Servers; /* ServerCount of them; borrowed until shutdown */
    ULONG ServerCount;
    const char *Dialect;                  /* "NT1" .. "SMB3_11", NULL: best. Borrowed until shutdown */
    ULONG SmbTimeoutMs;                   /* for one request; 0: 20,000 */
    const EMU_VERIFIER_OPTIONS *Verifier; /* on from boot, low resources simulation from its end; NULL: off */
    EMU_CLOCK Clock;                      /* default: real */
    LONGLONG ClockStart;                  /* a virtual clock's system time at boot; 0: EMU_CLOCK_START */
    const char *RegistryFile;             /* EmuRegistryReadFile's; NULL: none. Read at boot */
    const char *const *Registry; /* NULL-terminated settings, EmuRegistryParse's, after the file; may be NULL */
    BOOLEAN NetWare;             /* a second redirector is loaded behind the first, \Device\NwRdr: it finds no server */
} EMU_MACHINE_OPTIONS;

/*
 * EmuMachineBoot - start the machine. The calling thread is then a thread of its System process.
 *   Error      out on failure: one sentence saying what was wrong and where ("no build \"nt4-sp9\"; ...").
 *   Returns    STATUS_SUCCESS, STATUS_INVALID_PARAMETER (an option is wrong), STATUS_INSUFFICIENT_RESOURCES,
 *              STATUS_DEVICE_ALREADY_ATTACHED (a machine runs in this process already).
 */
NTSTATUS EmuMachineBoot(const EMU_MACHINE_OPTIONS *Options, char *Error, SIZE_T ErrorSize);

/* A handle that was left open. */
typedef struct _EMU_LEFT_HANDLE {
    ULONG ProcessId; /* 4 is the System process's, whose handles are kernel handles too */
    ULONG SessionId;
    HANDLE Handle;
    ACCESS_MASK GrantedAccess;
    char Type[16];
    char Name[160]; /* UTF-8, cut off where there is no room for more; "" without a name */
} EMU_LEFT_HANDLE;

/* An object that somebody still holds a reference on. */
typedef struct _EMU_LEFT_OBJECT {
    ULONG References;
    char Type[16];
    char Name[160]; /* as far as it still has one: a file's own, without its device's */
} EMU_LEFT_OBJECT;

#define EMU_LEFT_MOST 16

/* What shutdown found. All zero on a clean machine. */
typedef struct _EMU_MACHINE_AUDIT {
    ULONG Handles;                              /* open in any process, before rundown */
    ULONG Processes;                            /* not deleted */
    ULONG Objects;                              /* alive after every handle was closed and the namespace torn down */
    ULONG Irps;                                 /* allocated and not freed */
    ULONG Threads;                              /* system threads that had not ended; they were made to */
    ULONG WorkItems;                            /* queued, or being done by a worker that waits */
    ULONG Timers;                               /* set, and not cancelled */
    ULONG Dpcs;                                 /* in a queue */
    EMU_LEFT_HANDLE Left[EMU_LEFT_MOST];        /* the first of Handles */
    EMU_LEFT_OBJECT LeftObjects[EMU_LEFT_MOST]; /* the first of Objects; no References: none */
    EMU_POOL_SNAPSHOT Pool;                     /* every (tag, site) with a live block; free with EmuPoolFreeSnapshot */
} EMU_MACHINE_AUDIT;

/*
 * EmuMachineShutdown - run processes down, unload the drivers, tear down the namespace, look what is left.
 *   Audit    out, may be NULL. Filled on every return but STATUS_INVALID_DEVICE_STATE.
 *   Returns  STATUS_SUCCESS (nothing left), STATUS_HANDLES_CLOSED (only handles, processes, threads, work items,
 *            timers or DPCs were left, and were ended), STATUS_MEMORY_NOT_ALLOCATED (pool blocks left; the pool is
 * discarded all the same), STATUS_INVALID_DEVICE_STATE (no machine).
 */
NTSTATUS EmuMachineShutdown(EMU_MACHINE_AUDIT *Audit);

/* Name of the running build, "" without a machine. */
const char *EmuMachineBuild(void);

/* Creates of files and trees that the redirector has completed: all, and those with an error status. */
void EmuRdrCreateCounts(ULONG64 *Creates, ULONG64 *Failed);
/* Connections to servers that the redirector has tried, whatever came of them. */
ULONG64 EmuRdrConnectCount(void);

/* What serves the share connected last (smb_describe), "" if none. */
void EmuRdrDescribeTransport(char *Text, SIZE_T Size);

/*
 * Processes. A process is a handle table, a session, and nothing more.
 *   EmuCreateProcess   the caller owns it: EmuDeleteProcess. Only builds of Terminal Server have sessions: in others
 *                      SessionId is ignored, and every process is in session 0. NULL: no pool.
 *   EmuCreateChildProcess  as EmuCreateProcess, in Parent's session; with InheritHandles it has Parent's handles that
 *                      have OBJ_INHERIT, by the same values.
 *   EmuDeleteProcess   runs the handle table down (NtClose of each: cleanup and close are sent) and frees the
 *                      process. Threads must have left it. Accepts NULL.
 *   EmuEnterProcess    makes the calling thread a thread of Process; NULL leaves. Returns the one before.
 *   EmuSystemProcess   the System process of the running machine.
 *   EmuCancelProcessIo  cancels every IRP that threads of Process have pending, and from then on every one they start
 *                      (NtCreateFile waiting for a server returns STATUS_CANCELLED): the process is dying. Cleanup
 *                      and close are not cancelled. From any thread.
 *   EmuBeginRequest    what the calling thread asks of services from here on, until EmuEndRequest, is this request. Not
 *                      within another one. Number is the process's own choice, which two requests at once do not share;
 *                      0: none. The structure is the caller's, and its fields nobody's.
 *   EmuCancelRequest   cancels what a request has pending, and from then on all that it starts. From any thread, while
 *                      the request has not ended; never waits.
 *   EmuCancelRequestByNumber  the same. STATUS_SUCCESS, STATUS_NOT_FOUND: Process has no such request now.
 *   EmuHandleCount     open handles of Process.
 *   EmuSetProcessQuota  what ExAllocatePoolWithQuotaTag may charge to Process, in bytes of one pool; EMU_NO_QUOTA: all.
 *   EmuProcessQuotaUsed  what is charged.
 */
#define EMU_NO_QUOTA (~(ULONG64)0)
PEPROCESS EmuCreateProcess(ULONG SessionId);
PEPROCESS EmuCreateChildProcess(PEPROCESS Parent, BOOLEAN InheritHandles);
void EmuDeleteProcess(PEPROCESS Process);
PEPROCESS EmuEnterProcess(PEPROCESS Process);
PEPROCESS EmuSystemProcess(void);
void EmuCancelProcessIo(PEPROCESS Process);
typedef struct _EMU_REQUEST {
    LIST_ENTRY Links;
    PEPROCESS Process;
    ULONG Number;
    BOOLEAN Cancelled;
} EMU_REQUEST;
void EmuBeginRequest(EMU_REQUEST *Request, ULONG Number);
void EmuEndRequest(EMU_REQUEST *Request);
void EmuCancelRequest(EMU_REQUEST *Request);
NTSTATUS EmuCancelRequestByNumber(PEPROCESS Process, ULONG Number);
ULONG EmuHandleCount(PEPROCESS Process);
void EmuSetProcessQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG64 Limit);
ULONG64 EmuProcessQuotaUsed(PEPROCESS Process, POOL_TYPE PoolType);

/*
 * Paging I/O: what memory management does for sections of a file, which the machine's clients make on their own side.
 * As on NT, byte-range locks do not hold for it, no file position moves, and a write behind the end of the file is cut
 * off there and succeeds (observed: fastfat); a failure is no partial success. At PASSIVE_LEVEL.
 *   EmuReadPages   FileHandle: with FILE_READ_DATA, which a section to read takes. Returns the driver's, as NtReadFile.
 *   EmuWritePages  FileHandle: with FILE_READ_DATA and FILE_WRITE_DATA, which one to write takes. Information: bytes
 *                  that lay within the file. Returns the driver's.
 *   Both           Offset, in bytes, is 0 or more, or STATUS_INVALID_PARAMETER. STATUS_INVALID_HANDLE,
 *                  _OBJECT_TYPE_MISMATCH, _ACCESS_DENIED, _INSUFFICIENT_RESOURCES. IoStatusBlock is untouched when
 *                  they fail.
 */
NTSTATUS EmuReadPages(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, LONGLONG Offset);
NTSTATUS EmuWritePages(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, const void *Buffer, ULONG Length,
                       LONGLONG Offset);

/*
 * EmuEndSections - the sections that the calling process has made end, whoever has handles of them: its views are gone,
 * as it is about to be. Handles stay open, and are good for nothing but NtClose. PASSIVE_LEVEL.
 */
void EmuEndSections(void);

/*
 * EmuSessionDosDevices - where a session's letters are named: \Sessions\N\DosDevices on Terminal Server, \?? elsewhere.
 * A process of the session reaches it as \??.
 *   Path     caller's buffer, Length set; 64 bytes hold any.
 *   Returns  STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL.
 */
NTSTATUS EmuSessionDosDevices(ULONG SessionId, UNICODE_STRING *Path);

/*
 * The workstation service ("net use"): a machine process in NT, here functions over the public Nt services.
 * Letter 0 is A:. Letters are those of the calling process's session on Terminal Server, and the machine's, whoever
 * maps them, elsewhere (documented for Workstation: Q180362).
 *   EmuUseAdd      maps Letter to Remote (\\server\share), proving server, credentials and share first. Letter
 *                  EMU_NO_LETTER: a connection without one, which names without a letter use from then on; there is one
 *                  to a share, however often it is made.
 *                  User NULL or empty: an anonymous session. STATUS_OBJECT_NAME_COLLISION: the letter is taken;
 *                  otherwise the redirector's status (STATUS_BAD_NETWORK_PATH, _BAD_NETWORK_NAME, _LOGON_FAILURE,
 *                  _NETWORK_CREDENTIAL_CONFLICT, _OBJECT_NAME_INVALID, _NAME_TOO_LONG, _INSUFFICIENT_RESOURCES,
 *                  _CANCELLED, _INVALID_PARAMETER: no such letter, user or password over 256 characters).
 *   EmuUseDelete   unmaps. STATUS_OBJECT_NAME_NOT_FOUND: not mapped; STATUS_FILES_OPEN: they are, and Force is FALSE;
 *                  STATUS_CONNECTION_IN_USE: what Q214563 tells of.
 *   EmuUseDeleteUnlettered  the same for the connection to Remote that has no letter, also if a name has made it.
 *   EmuUseQuery    Remote: caller's buffer, Length set; STATUS_OBJECT_NAME_NOT_FOUND, _BUFFER_TOO_SMALL.
 *   EmuUseLetters  bit n: letter 'A' + n is mapped.
 * Source: documented (WNetAddConnection2, WNetCancelConnection2); that one is enough for a share is our guess.
 */
#define EMU_NO_LETTER 26
NTSTATUS EmuUseAdd(ULONG Letter, const UNICODE_STRING *Remote, const UNICODE_STRING *User,
                   const UNICODE_STRING *Password);
NTSTATUS EmuUseDelete(ULONG Letter, BOOLEAN Force);
NTSTATUS EmuUseDeleteUnlettered(const UNICODE_STRING *Remote, BOOLEAN Force);
NTSTATUS EmuUseQuery(ULONG Letter, UNICODE_STRING *Remote);
ULONG EmuUseLetters(void);

/*
 * EmuUseEnumerate - "net use" without arguments: the letters of the calling process's session in their order, then its
 * connections without a letter, among them those that names made.
 *   First         0 for the first one; else one more than the Number of the last. Letters have the numbers 0 to 25.
 * What has no letter is counted through anew each time, so one that comes or goes meanwhile may be missed. Use out on
 * success: Status with the numbers of NT's lmuse.h. OpenFiles: files that have not been cleaned up, and creates in
 * progress. Remote, User  caller's buffers, Length set on success; User "": anonymous. A Remote is at most 32,766
 * bytes, a User 512. Returns       STATUS_SUCCESS; _NO_MORE_ENTRIES; _BUFFER_TOO_SMALL: nothing is said of it,
 * Use->Number is set.
 */
typedef enum _EMU_USE_STATUS { EmuUseOk = 0, EmuUseDisconnected = 2, EmuUseConnecting = 4 } EMU_USE_STATUS;
typedef struct _EMU_USE {
    ULONG Number;
    ULONG Letter; /* 0 is A:; EMU_NO_LETTER */
    EMU_USE_STATUS Status;
    ULONG OpenFiles;
} EMU_USE, *PEMU_USE;
NTSTATUS EmuUseEnumerate(ULONG First, EMU_USE *Use, UNICODE_STRING *Remote, UNICODE_STRING *User);

/* The machine's event log, oldest first. Kept in host memory: reading it costs the pool nothing. */
typedef struct _EMU_EVENT {
    LONGLONG Time;  /* 100 ns since 1601, UTC */
    ULONG Id;       /* 2020 */
    ULONG Severity; /* 0 success, 1 information, 2 warning, 3 error */
    char Source[16];
    char Text[168];
} EMU_EVENT;

/* Copies up to Count events from First on; returns how many there are in all. */
ULONG EmuReadEvents(ULONG First, EMU_EVENT *Events, ULONG Count);

#endif
