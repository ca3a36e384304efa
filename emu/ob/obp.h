/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * obp.h - the object manager's own: headers, types, directories, handle tables.
 *
 * Locks: one for the namespace (directories, links, names), shared by lookups; a mutex per handle table. None is held
 * while a parse, close or delete procedure runs.
 */
#ifndef NTEMU_OB_OBP_H
#define NTEMU_OB_OBP_H

#include <ntemu/ntifs.h>

struct _OBP_PARSE;

typedef struct _OBJECT_TYPE {
    const char *Name;
    POOL_TYPE PoolType;
    ULONG Tag;
    GENERIC_MAPPING GenericMapping;
    /* Opens what RemainingName says below the object. Returns the object with a reference; or STATUS_REPARSE, having
     * set Context->Reparse: the lookup begins again at the root with that name. May be NULL. */
    NTSTATUS(*Parse)
    (PVOID ParseObject, const UNICODE_STRING *RemainingName, struct _OBP_PARSE *Context, PVOID *Object);
    /* A handle goes; HandlesLeft are left on the object in the whole machine. May be NULL. */
    void (*Close)(PVOID Object, LONG HandlesLeft);
    /* The last reference is gone. May be NULL. */
    void (*Delete)(PVOID Object);
    LONG ObjectCount; /* live objects of the type; atomic */
} OBJECT_TYPE;

/* What a lookup carries to a parse procedure. */
typedef struct _OBP_PARSE {
    ULONG Attributes; /* OBJ_* */
    ACCESS_MASK DesiredAccess;
    POBJECT_TYPE WantedType; /* NULL: any */
    PVOID Packet;            /* the caller's: the I/O manager's open packet */
    UNICODE_STRING Reparse;  /* out with STATUS_REPARSE: pool of any tag, the lookup's from then on */
} OBP_PARSE;

typedef struct _OBJECT_HEADER {
    LONG PointerCount; /* atomic: references, one per handle included */
    LONG HandleCount;  /* atomic */
    POBJECT_TYPE Type;
    /* Below: the namespace lock. */
    struct _OBJECT_DIRECTORY *Directory; /* where the name is entered, or NULL */
    struct _OBJECT_HEADER *NextInBucket;
    UNICODE_STRING Name; /* the last component; paged pool */
} OBJECT_HEADER, *POBJECT_HEADER;

#define OBP_BUCKETS 37

typedef struct _OBJECT_DIRECTORY {
    POBJECT_HEADER Buckets[OBP_BUCKETS]; /* each entry holds a reference on its object */
    struct _OBJECT_DIRECTORY *Shadow;    /* a session's \??: the machine's, where lookups go on. NULL: nowhere */
    BOOLEAN PerSession;                  /* \?? itself where each session has its own: nothing is ever in it */
} OBJECT_DIRECTORY, *POBJECT_DIRECTORY;

typedef struct _OBJECT_SYMBOLIC_LINK {
    UNICODE_STRING Target; /* follows the structure in the same block */
} OBJECT_SYMBOLIC_LINK, *POBJECT_SYMBOLIC_LINK;

#define OBP_TAG_DIRECTORY POOL_TAG('D', 'i', 'r', 'e')
#define OBP_TAG_LINK      POOL_TAG('S', 'y', 'm', 'b')
#define OBP_TAG_NAME      POOL_TAG('O', 'b', 'N', 'm')
#define OBP_TAG_HANDLES   POOL_TAG('O', 'b', 't', 'b')

static inline POBJECT_HEADER ObpHeader(PVOID object)
{
    return (POBJECT_HEADER)object - 1;
}

static inline PVOID ObpBody(POBJECT_HEADER header)
{
    return header + 1;
}

/* object.c */
NTSTATUS ObpCreateObject(POBJECT_TYPE Type, SIZE_T BodySize, PVOID *Object); /* zeroed, one reference */

/* namespace.c */
extern OBJECT_TYPE ObpDirectoryType, ObpSymbolicLinkType;
NTSTATUS ObpInitializeNamespace(void);
void ObpShutdownNamespace(void);
extern POBJECT_DIRECTORY ObpGlobalDosDevices; /* \??, or \GLOBAL?? where each session has a \?? of its own */
/* *Directory, may be NULL: with a reference. */
NTSTATUS ObpCreateDirectory(const UNICODE_STRING *Path, POBJECT_DIRECTORY *Directory);
ULONG ObpDirectoryEntries(POBJECT_DIRECTORY Directory);
NTSTATUS ObpEnterName(const UNICODE_STRING *Path, PVOID Object); /* takes a reference of its own */
void ObpRemoveName(PVOID Object);
NTSTATUS ObpCreateSymbolicLink(const UNICODE_STRING *Path, const UNICODE_STRING *Target);
NTSTATUS ObpDeleteSymbolicLink(const UNICODE_STRING *Path);
/* *Object: with a reference. */
NTSTATUS ObpLookupName(const OBJECT_ATTRIBUTES *Attributes, OBP_PARSE *Parse, PVOID *Object);

/* handle.c */
typedef struct _HANDLE_TABLE *PHANDLE_TABLE;
PHANDLE_TABLE ObpCreateHandleTable(void);
void ObpDeleteHandleTable(PHANDLE_TABLE Table); /* closes what is open */
ULONG ObpHandleCountOf(PHANDLE_TABLE Table);
/* Adds a reference and a handle count. */
NTSTATUS ObpCreateHandle(PVOID Object, ACCESS_MASK GrantedAccess, ULONG Attributes, HANDLE *Handle);

/* session.c */
NTSTATUS ObpInitializeSessions(void);
void ObpShutdownSessions(void);
BOOLEAN ObpHaveSessions(void);
NTSTATUS ObpEnterSession(struct _EPROCESS *Process); /* STATUS_SUCCESS, _INSUFFICIENT_RESOURCES */
void ObpLeaveSession(struct _EPROCESS *Process);

/* process.c */
typedef struct _EPROCESS {
    PHANDLE_TABLE Handles;
    ULONG SessionId;              /* 0 in builds without sessions */
    POBJECT_DIRECTORY DosDevices; /* its session's \??; NULL in builds without sessions */
    LIST_ENTRY ProcessLinks;      /* the machine's process list */
    FAST_MUTEX IrpMutex;          /* guards IrpList, ExitStarted */
    LIST_ENTRY IrpList;           /* IRP.ThreadListEntry: requests of the process's threads, in progress */
    BOOLEAN ExitStarted;          /* its requests are cancelled from the start */
    LONG References;              /* atomic: its creator's, and one while a quota of it is charged */
    ULONG64 QuotaUsed[2];         /* atomic: bytes charged, of nonpaged and paged pool */
    ULONG64 QuotaLimit[2];        /* atomic: the most there may be */
} EPROCESS;
NTSTATUS ObpInitializeProcesses(void);
void ObpShutdownProcesses(void);
PHANDLE_TABLE ObpHandleTableOf(ULONG Attributes); /* the current process's, or the System process's */
ULONG ObpProcessCount(void);                      /* System not counted */
ULONG ObpAllHandles(void);

#endif
