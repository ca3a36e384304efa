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
#include <ntemu/trace.h>

/* What threads do each on their own, so that they share few cache lines: the thread's slot, and a counter by slots. */
#define OBP_SLOTS 8
typedef struct _OBP_COUNTER {
    struct {
        LONG64 Value; /* atomic; the sum is what is counted */
    } __attribute__((aligned(64))) Slots[OBP_SLOTS];
} OBP_COUNTER;

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
    /* The object whose name comes first in this one's, and what comes behind it; NULL: it has a name of its own. */
    PVOID (*Base)(PVOID Object, UNICODE_STRING *Tail);
    OBP_COUNTER Count; /* live objects of the type */
} OBJECT_TYPE;

/* What a lookup carries to a parse procedure. */
typedef struct _OBP_PARSE {
    ULONG Attributes; /* OBJ_* */
    ACCESS_MASK DesiredAccess;
    POBJECT_TYPE WantedType;       /* NULL: any */
    PVOID Packet;                  /* the caller's: the I/O manager's open packet */
    struct _OBJECT_HEADER *Insert; /* to be entered where nothing has the name, or NULL; WantedType is NULL then */
    UNICODE_STRING Reparse;        /* out with STATUS_REPARSE: pool of any tag, the lookup's from then on */
} OBP_PARSE;

typedef struct _OBJECT_HEADER {
    LONG PointerCount; /* atomic: references, one per handle included; of an object with Spread those since its end */
    LONG HandleCount;  /* atomic */
    POBJECT_TYPE Type;
    struct _OBP_SPREAD *Spread; /* where its references are counted by slots, or NULL */
    PEPROCESS Owner;            /* of an exclusive object that is open */
    BOOLEAN Exclusive;
    /* Below: the namespace lock. */
    struct _OBJECT_DIRECTORY *Directory; /* where the name is entered, or NULL */
    struct _OBJECT_HEADER *NextInBucket;
    UNICODE_STRING Name; /* the last component; paged pool */
    BOOLEAN Permanent;   /* keeps its name without handles */
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

/* Documented: WDK, ZwOpenDirectoryObject, ZwOpenSymbolicLinkObject. */
#define DIRECTORY_QUERY               0x0001
#define DIRECTORY_TRAVERSE            0x0002
#define DIRECTORY_CREATE_OBJECT       0x0004
#define DIRECTORY_CREATE_SUBDIRECTORY 0x0008
#define DIRECTORY_ALL_ACCESS          (STANDARD_RIGHTS_REQUIRED | 0xf)
#define SYMBOLIC_LINK_QUERY           0x0001
#define SYMBOLIC_LINK_ALL_ACCESS      (STANDARD_RIGHTS_REQUIRED | 0x1)

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
/*
 * ObpSpreadReferences - counts the references of a new object by slots: for what every create in every thread takes a
 * reference on. It cannot be deleted until ObpGatherReferences, which its owner calls once, before giving up the first
 * reference. STATUS_SUCCESS, _INSUFFICIENT_RESOURCES.
 */
NTSTATUS ObpSpreadReferences(PVOID Object);
void ObpGatherReferences(PVOID Object);
/* Generic rights and MAXIMUM_ALLOWED become the type's own. */
ACCESS_MASK ObpMapAccess(const OBJECT_TYPE *Type, ACCESS_MASK Access);
/* NtOpen...Object. Attributes may be NULL: STATUS_INVALID_PARAMETER. */
NTSTATUS ObpOpenObject(const OBJECT_ATTRIBUTES *Attributes, POBJECT_TYPE Type, ACCESS_MASK Access, HANDLE *Handle);
/*
 * NtCreate...Object: names the object, if the attributes have a name, and opens it. Consumes the reference on Object.
 * STATUS_OBJECT_NAME_EXISTS, a success: OBJ_OPENIF, and another object of the type, which is opened, has the name.
 */
NTSTATUS ObpInsertObject(PVOID Object, const OBJECT_ATTRIBUTES *Attributes, ACCESS_MASK Access, HANDLE *Handle);

/* slot.c */
ULONG ObpOwnSlot(void); /* below OBP_SLOTS, and the thread's for ever */
void ObpCount(OBP_COUNTER *Counter, LONG Change);
LONG64 ObpSum(const OBP_COUNTER *Counter);
void ObpResetCount(OBP_COUNTER *Counter);

/* directory.c */
extern OBJECT_TYPE ObpDirectoryType;
/* The namespace's lock: shared by lookups, alone with Change. */
void ObpLockNamespace(BOOLEAN Change);
void ObpUnlockNamespace(BOOLEAN Change);
/* The lock is held, to change for the second. The entry's references are its own. */
POBJECT_HEADER ObpFindEntry(POBJECT_DIRECTORY Directory, const UNICODE_STRING *Name, BOOLEAN IgnoreCase);
NTSTATUS ObpInsertEntry(POBJECT_DIRECTORY Directory, const UNICODE_STRING *Name, POBJECT_HEADER Header);
void ObpRemoveName(PVOID Object);
void ObpRemoveNameIfUnused(PVOID Object); /* a temporary object without handles */
/* *Directory, may be NULL: with a reference. */
NTSTATUS ObpCreateDirectory(const UNICODE_STRING *Path, POBJECT_DIRECTORY *Directory);
ULONG ObpDirectoryEntries(POBJECT_DIRECTORY Directory);

/* symlink.c */
extern OBJECT_TYPE ObpSymbolicLinkType;
NTSTATUS ObpCreateSymbolicLink(const UNICODE_STRING *Path, const UNICODE_STRING *Target); /* permanent */
NTSTATUS ObpDeleteSymbolicLink(const UNICODE_STRING *Path);

/* namespace.c */
extern POBJECT_DIRECTORY ObpGlobalDosDevices; /* \??, or \GLOBAL?? where each session has a \?? of its own */
NTSTATUS ObpInitializeNamespace(void);
void ObpShutdownNamespace(void);
PVOID ObpRootDirectory(void);
/* *Object: with a reference. */
NTSTATUS ObpLookupName(const OBJECT_ATTRIBUTES *Attributes, OBP_PARSE *Parse, PVOID *Object);
/* *Found: what has the name now, with a reference. As ObpInsertObject. */
NTSTATUS ObpInsertName(const OBJECT_ATTRIBUTES *Attributes, PVOID Object, PVOID *Found);
NTSTATUS ObpEnterName(const UNICODE_STRING *Path, PVOID Object); /* a permanent one; takes a reference of its own */

/* handle.c */
typedef struct _HANDLE_TABLE *PHANDLE_TABLE;
void ObpInitializeHandles(void);
PHANDLE_TABLE ObpCreateHandleTable(void);
void ObpCloseHandles(PHANDLE_TABLE Table);      /* all, protected ones too; none can be made any more */
void ObpDeleteHandleTable(PHANDLE_TABLE Table); /* closed, or never used. Accepts NULL */
ULONG ObpHandleCountOf(PHANDLE_TABLE Table);
/* Table is new. Handles with OBJ_INHERIT, by their values in Parent. STATUS_SUCCESS, _INSUFFICIENT_RESOURCES. */
NTSTATUS ObpInheritHandles(PHANDLE_TABLE Table, PHANDLE_TABLE Parent);
/* Adds a reference and a handle count. STATUS_SUCCESS, _INSUFFICIENT_RESOURCES, _PROCESS_IS_TERMINATING;
 * _INVALID_PARAMETER: OBJ_EXCLUSIVE, and the object is not; _ACCESS_DENIED: it is, and another process has it open. */
NTSTATUS ObpCreateHandle(PVOID Object, ACCESS_MASK GrantedAccess, ULONG Attributes, HANDLE *Handle);
/* The next object with a handle, from *Index on, with a reference; NULL: no more. */
PVOID ObpNextHandle(PHANDLE_TABLE Table, ULONG *Index, HANDLE *Handle, ACCESS_MASK *GrantedAccess);

/* session.c */
NTSTATUS ObpInitializeSessions(void);
void ObpShutdownSessions(void);
BOOLEAN ObpHaveSessions(void);
NTSTATUS ObpEnterSession(struct _EPROCESS *Process); /* STATUS_SUCCESS, _INSUFFICIENT_RESOURCES */
void ObpLeaveSession(struct _EPROCESS *Process);

/* process.c. An object: its creator has a reference, and there is one more while a quota of it is charged. */
extern OBJECT_TYPE ObpProcessType;
typedef struct _OBP_IRP_LIST {
    FAST_MUTEX Mutex;
    LIST_ENTRY List; /* IRP.ThreadListEntry */
} __attribute__((aligned(64))) OBP_IRP_LIST;
typedef struct _EPROCESS {
    PHANDLE_TABLE Handles;
    ULONG SessionId;              /* 0 in builds without sessions */
    POBJECT_DIRECTORY DosDevices; /* its session's \??; NULL in builds without sessions */
    LIST_ENTRY ProcessLinks;      /* the machine's process list */
    OBP_IRP_LIST *Irps;           /* by slots: requests of the process's threads, in progress */
    FAST_MUTEX RequestMutex;      /* before an IRP list's */
    LIST_ENTRY Requests;          /* EMU_REQUESTs with a number */
    BOOLEAN ExitStarted;          /* atomic: its requests are cancelled from the start */
    ULONG Id;                     /* a multiple of four; the System process's is 4 */
    ULONG64 QuotaUsed[2];         /* atomic: bytes charged, of nonpaged and paged pool */
    ULONG64 QuotaLimit[2];        /* atomic: the most there may be */
} EPROCESS;
NTSTATUS ObpInitializeProcesses(void);
/* Closes every handle and deletes every process but the System process, whose threads may still run. */
void ObpShutdownProcesses(void);
void ObpDeleteSystemProcess(void);
ULONG ObpProcessCount(void); /* System not counted */
/* Calls Visit for each handle of each process. */
void ObpVisitHandles(void (*Visit)(PEPROCESS Process, HANDLE Handle, PVOID Object, ACCESS_MASK Access, PVOID Context),
                     PVOID Context);

#endif
