/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wdm.h - the kernel's structures and routines that a driver is written against.
 *
 * Ours, from public documentation (the Windows Driver Kit's reference; layouts of x64 as debuggers publish them, sizes
 * and offsets asserted below). Wine's own ddk/wdm.h lacks half of what a file system driver needs.
 * Fields that the emulation does not use are kept for their offsets and named as documented.
 */
#ifndef NTEMU_WDM_H
#define NTEMU_WDM_H

#include <ntemu/nt.h>
#include <ntemu/pool.h>

#include <winioctl.h>

#define PAGE_SIZE 0x1000u

typedef UCHAR KIRQL, *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
enum { KernelMode = 0, UserMode = 1 };

#define PASSIVE_LEVEL  0
#define APC_LEVEL      1
#define DISPATCH_LEVEL 2

typedef struct _EPROCESS *PEPROCESS;
typedef struct _ACCESS_STATE *PACCESS_STATE;
typedef struct _ETHREAD *PETHREAD;
typedef struct _OBJECT_TYPE *POBJECT_TYPE;
typedef struct _VPB *PVPB;
typedef struct _MDL *PMDL;
typedef struct _DEVICE_OBJECT DEVICE_OBJECT, *PDEVICE_OBJECT;
typedef struct _DRIVER_OBJECT DRIVER_OBJECT, *PDRIVER_OBJECT;
typedef struct _FILE_OBJECT FILE_OBJECT, *PFILE_OBJECT;
typedef struct _IRP IRP, *PIRP;

/* ---- Ke: IRQL, spin locks, events, bug checks ---- */

/*
 * IRQL is the calling thread's: every thread of the machine is a processor of its own. KfRaiseIrql to a lower level
 * bug checks 0xC4/0x30, KeLowerIrql to a higher one 0xC4/0x31 (documented: Driver Verifier).
 */
KIRQL NTAPI KeGetCurrentIrql(void);
KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql);
void NTAPI KeLowerIrql(KIRQL NewIrql);
#define KeRaiseIrql(NewIrql, OldIrql) (*(OldIrql) = KfRaiseIrql(NewIrql))

typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;
/* Any IRQL; the lock is free afterwards. */
void NTAPI KeInitializeSpinLock(PKSPIN_LOCK SpinLock);
/* Raises to DISPATCH_LEVEL and takes the lock. Nonpaged lock; IRQL <= DISPATCH_LEVEL. */
KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock);
/* Frees the lock, then lowers to NewIrql. Not at DISPATCH_LEVEL: bug check 0xC4/0x32 (documented: Driver Verifier). */
void NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);
#define KeAcquireSpinLock(SpinLock, OldIrql) (*(OldIrql) = KeAcquireSpinLockRaiseToDpc(SpinLock))

typedef enum _KWAIT_REASON { Executive = 0 } KWAIT_REASON;

typedef struct _DISPATCHER_HEADER {
    UCHAR Type; /* enum _EVENT_TYPE, and ke.h */
    UCHAR Absolute;
    UCHAR Size;
    UCHAR Inserted;
    LONG SignalState; /* the word that waiters sleep on */
    LIST_ENTRY WaitListHead;
} DISPATCHER_HEADER;

typedef struct _KEVENT {
    DISPATCHER_HEADER Header;
} KEVENT, *PKEVENT;

typedef LONG KPRIORITY;

/*
 * Events; any IRQL. The caller owns the memory; it may be freed as soon as a waiter has returned. A notification event
 * stays signalled until it is reset, a synchronization event lets one waiter through. Set, reset and read return the
 * state before. Unlike on NT, on the real clock setting does not itself satisfy the waiters of that moment: a reset
 * right behind it may send them back to sleep (docs/fidelity.md). Increment and Wait are accepted and do nothing.
 */
void NTAPI KeInitializeEvent(PKEVENT Event, EVENT_TYPE Type, BOOLEAN State);
LONG NTAPI KeSetEvent(PKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);
LONG NTAPI KeResetEvent(PKEVENT Event);
LONG NTAPI KeReadStateEvent(PKEVENT Event);
/* Object is a KEVENT, or one of ke.h's. Timeout: 100 ns, negative is relative, NULL waits for ever; zero never sleeps.
 * Returns STATUS_SUCCESS, STATUS_TIMEOUT. IRQL < DISPATCH_LEVEL unless Timeout is zero (else bug check 0xA). A system
 * thread that waits when the machine shuts down ends there. */
NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout);
void NTAPI KeQuerySystemTime(PLARGE_INTEGER CurrentTime); /* 100 ns since 1601, UTC */

/*
 * KeBugCheckEx - stop the machine. In a process where EmuSetBugCheckRoutine gave a routine (a test), that routine is
 * called and must not return (longjmp); otherwise the report goes to standard error and the process aborts.
 */
DECLSPEC_NORETURN void NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);

#define IRQL_NOT_LESS_OR_EQUAL                  0x0000000A
#define REFERENCE_BY_POINTER                    0x00000018
#define BAD_POOL_HEADER                         0x00000019
#define MEMORY_MANAGEMENT                       0x0000001A
#define KMODE_EXCEPTION_NOT_HANDLED             0x0000001E
#define QUOTA_UNDERFLOW                         0x00000021
#define NO_MORE_IRP_STACK_LOCATIONS             0x00000035
#define MUST_SUCCEED_POOL_EMPTY                 0x00000041
#define MULTIPLE_IRP_COMPLETE_REQUESTS          0x00000044
#define PAGE_FAULT_IN_NONPAGED_AREA             0x00000050
#define SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION 0x000000C1
#define BAD_POOL_CALLER                         0x000000C2
#define DRIVER_VERIFIER_DETECTED_VIOLATION      0x000000C4
#define PAGE_FAULT_IN_FREED_SPECIAL_POOL        0x000000CC
#define PAGE_FAULT_BEYOND_END_OF_ALLOCATION     0x000000CD
#define MANUALLY_INITIATED_CRASH                0x000000E2

#include <ntemu/ke.h>

/* ---- Ex: fast mutex ---- */

typedef struct _FAST_MUTEX {
    LONG Count; /* 0 free, 1 held, 2 held with waiters; the word that waiters sleep on */
    PVOID Owner;
    ULONG Contention;
    KEVENT Event;
    ULONG OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;

void NTAPI ExInitializeFastMutex(PFAST_MUTEX FastMutex);
/* Raises to APC_LEVEL; at most APC_LEVEL on entry; not recursive (documented: DDK). */
void NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex);
void NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex);

#include <ntemu/ex.h>

/* ---- Ob ---- */

extern POBJECT_TYPE *IoFileObjectType, *IoDeviceObjectType, *PsProcessType;

/* Any IRQL <= DISPATCH_LEVEL to take a reference; PASSIVE_LEVEL to drop one that may be the last: its delete procedure
 * may send IRP_MJ_CLOSE. Both return the count after; of a device 1 as long as it is not deleted. */
LONG_PTR NTAPI ObfReferenceObject(PVOID Object);
LONG_PTR NTAPI ObfDereferenceObject(PVOID Object); /* the last one deletes; at 0 already: bug check 0x18 */
#define ObReferenceObject   ObfReferenceObject
#define ObDereferenceObject ObfDereferenceObject

typedef struct _OBJECT_HANDLE_INFORMATION {
    ULONG HandleAttributes;
    ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;

/* Returns STATUS_SUCCESS, _INVALID_HANDLE, _OBJECT_TYPE_MISMATCH, _ACCESS_DENIED. *Object carries a reference. */
NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                         KPROCESSOR_MODE AccessMode, PVOID *Object,
                                         POBJECT_HANDLE_INFORMATION HandleInformation);

/* ---- Io: IRPs and the objects they travel through ---- */

#define IRP_MJ_CREATE                   0x00
#define IRP_MJ_CREATE_NAMED_PIPE        0x01
#define IRP_MJ_CLOSE                    0x02
#define IRP_MJ_READ                     0x03
#define IRP_MJ_WRITE                    0x04
#define IRP_MJ_QUERY_INFORMATION        0x05
#define IRP_MJ_SET_INFORMATION          0x06
#define IRP_MJ_QUERY_EA                 0x07
#define IRP_MJ_SET_EA                   0x08
#define IRP_MJ_FLUSH_BUFFERS            0x09
#define IRP_MJ_QUERY_VOLUME_INFORMATION 0x0a
#define IRP_MJ_SET_VOLUME_INFORMATION   0x0b
#define IRP_MJ_DIRECTORY_CONTROL        0x0c
#define IRP_MJ_FILE_SYSTEM_CONTROL      0x0d
#define IRP_MJ_DEVICE_CONTROL           0x0e
#define IRP_MJ_INTERNAL_DEVICE_CONTROL  0x0f
#define IRP_MJ_SHUTDOWN                 0x10
#define IRP_MJ_LOCK_CONTROL             0x11
#define IRP_MJ_CLEANUP                  0x12
#define IRP_MJ_CREATE_MAILSLOT          0x13
#define IRP_MJ_QUERY_SECURITY           0x14
#define IRP_MJ_SET_SECURITY             0x15
#define IRP_MJ_MAXIMUM_FUNCTION         0x1b

#define IRP_MN_QUERY_DIRECTORY         0x01
#define IRP_MN_NOTIFY_CHANGE_DIRECTORY 0x02

#define IRP_MN_LOCK              0x01
#define IRP_MN_UNLOCK_SINGLE     0x02
#define IRP_MN_UNLOCK_ALL        0x03
#define IRP_MN_UNLOCK_ALL_BY_KEY 0x04

typedef NTSTATUS(NTAPI *PDRIVER_DISPATCH)(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef NTSTATUS(NTAPI *PDRIVER_INITIALIZE)(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
typedef void(NTAPI *PDRIVER_UNLOAD)(PDRIVER_OBJECT DriverObject);
typedef void(NTAPI *PDRIVER_CANCEL)(PDEVICE_OBJECT DeviceObject, PIRP Irp);
typedef NTSTATUS(NTAPI *PIO_COMPLETION_ROUTINE)(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context);

struct _DEVICE_OBJECT {
    SHORT Type;
    USHORT Size;
    LONG ReferenceCount;
    PDRIVER_OBJECT DriverObject;
    PDEVICE_OBJECT NextDevice;
    PDEVICE_OBJECT AttachedDevice;
    PIRP CurrentIrp;
    PVOID Timer;
    ULONG Flags;
    ULONG Characteristics;
    PVPB Vpb;
    PVOID DeviceExtension;
    ULONG DeviceType;
    CCHAR StackSize;
    UCHAR Queue[0x48];
    ULONG AlignmentRequirement;
    UCHAR DeviceQueue[0x28];
    UCHAR Dpc[0x40];
    ULONG ActiveThreadCount;
    PVOID SecurityDescriptor;
    KEVENT DeviceLock;
    USHORT SectorSize;
    USHORT Spare1;
    PVOID DeviceObjectExtension;
    PVOID Reserved;
};
_Static_assert(offsetof(DEVICE_OBJECT, DeviceExtension) == 0x40 && offsetof(DEVICE_OBJECT, StackSize) == 0x4c,
               "DEVICE_OBJECT of x64");

#define DO_BUFFERED_IO         0x00000004
#define DO_EXCLUSIVE           0x00000008
#define DO_DIRECT_IO           0x00000010
#define DO_DEVICE_INITIALIZING 0x00000080

struct _DRIVER_OBJECT {
    SHORT Type;
    SHORT Size;
    PDEVICE_OBJECT DeviceObject;
    ULONG Flags;
    PVOID DriverStart;
    ULONG DriverSize;
    PVOID DriverSection;
    PVOID DriverExtension;
    UNICODE_STRING DriverName;
    PUNICODE_STRING HardwareDatabase;
    PVOID FastIoDispatch;
    PDRIVER_INITIALIZE DriverInit;
    PVOID DriverStartIo;
    PDRIVER_UNLOAD DriverUnload;
    PDRIVER_DISPATCH MajorFunction[IRP_MJ_MAXIMUM_FUNCTION + 1];
};
_Static_assert(sizeof(DRIVER_OBJECT) == 0x150 && offsetof(DRIVER_OBJECT, MajorFunction) == 0x70,
               "DRIVER_OBJECT of x64");

/* The I/O manager sets all but FO_TEMPORARY_FILE, which is the file system's to set (documented: WDK, FILE_OBJECT). */
#define FO_SYNCHRONOUS_IO            0x00000002
#define FO_ALERTABLE_IO              0x00000004
#define FO_NO_INTERMEDIATE_BUFFERING 0x00000008
#define FO_WRITE_THROUGH             0x00000010
#define FO_SEQUENTIAL_ONLY           0x00000020
#define FO_DIRECT_DEVICE_OPEN        0x00000800
#define FO_CLEANUP_COMPLETE          0x00004000
#define FO_TEMPORARY_FILE            0x00008000
#define FO_DELETE_ON_CLOSE           0x00010000
#define FO_OPENED_CASE_SENSITIVE     0x00020000
#define FO_HANDLE_CREATED            0x00040000
#define FO_RANDOM_ACCESS             0x00100000

typedef struct _SECTION_OBJECT_POINTERS { /* of a file; the file system's memory, in nonpaged pool */
    PVOID DataSectionObject;
    PVOID SharedCacheMap;
    PVOID ImageSectionObject;
} SECTION_OBJECT_POINTERS, *PSECTION_OBJECT_POINTERS;
_Static_assert(sizeof(SECTION_OBJECT_POINTERS) == 24, "SECTION_OBJECT_POINTERS of x64");

struct _FILE_OBJECT {
    SHORT Type;
    SHORT Size;
    PDEVICE_OBJECT DeviceObject;
    PVPB Vpb;
    PVOID FsContext;
    PVOID FsContext2;
    PSECTION_OBJECT_POINTERS SectionObjectPointer; /* the file system's; NULL: nothing that can be mapped */
    PVOID PrivateCacheMap;
    NTSTATUS FinalStatus;
    PFILE_OBJECT RelatedFileObject;
    BOOLEAN LockOperation;
    BOOLEAN DeletePending;
    BOOLEAN ReadAccess;
    BOOLEAN WriteAccess;
    BOOLEAN DeleteAccess;
    BOOLEAN SharedRead;
    BOOLEAN SharedWrite;
    BOOLEAN SharedDelete;
    ULONG Flags;
    UNICODE_STRING FileName; /* paged pool, the I/O manager's */
    LARGE_INTEGER CurrentByteOffset;
    ULONG Waiters;
    ULONG Busy;
    PVOID LastLock;
    KEVENT Lock;
    KEVENT Event;
    PVOID CompletionContext;
    KSPIN_LOCK IrpListLock;
    LIST_ENTRY IrpList;
    PVOID FileObjectExtension;
};
_Static_assert(sizeof(FILE_OBJECT) == 0xd8 && offsetof(FILE_OBJECT, FileName) == 0x58, "FILE_OBJECT of x64");

typedef struct _ACCESS_STATE { /* shortened: what a create's driver looks at */
    ACCESS_MASK RemainingDesiredAccess;
    ACCESS_MASK PreviouslyGrantedAccess;
    ACCESS_MASK OriginalDesiredAccess;
} ACCESS_STATE, *PACCESS_STATE;

typedef struct _IO_SECURITY_CONTEXT {
    PVOID SecurityQos;
    PACCESS_STATE AccessState;
    ACCESS_MASK DesiredAccess;
    ULONG FullCreateOptions;
} IO_SECURITY_CONTEXT, *PIO_SECURITY_CONTEXT;

#define POINTER_ALIGNMENT __attribute__((aligned(8)))

typedef struct _IO_STACK_LOCATION {
    UCHAR MajorFunction;
    UCHAR MinorFunction;
    UCHAR Flags;
    UCHAR Control;
    union {
        struct {
            PIO_SECURITY_CONTEXT SecurityContext;
            ULONG Options; /* disposition << 24 | create options */
            USHORT POINTER_ALIGNMENT FileAttributes;
            USHORT ShareAccess;
            ULONG POINTER_ALIGNMENT EaLength;
        } Create;
        struct {
            ULONG Length;
            ULONG POINTER_ALIGNMENT Key;
            LARGE_INTEGER ByteOffset;
        } Read;
        struct {
            ULONG Length;
            ULONG POINTER_ALIGNMENT Key;
            LARGE_INTEGER ByteOffset;
        } Write;
        struct {
            ULONG Length;
            FILE_INFORMATION_CLASS POINTER_ALIGNMENT FileInformationClass;
        } QueryFile;
        struct {
            ULONG Length;
            FILE_INFORMATION_CLASS POINTER_ALIGNMENT FileInformationClass;
            PFILE_OBJECT FileObject; /* rename, link: the directory that the name leads to; NULL: the file's own */
            union {
                BOOLEAN ReplaceIfExists;
                ULONG ClusterCount;
            };
        } SetFile;
        struct {
            ULONG Length;
            FS_INFORMATION_CLASS POINTER_ALIGNMENT FsInformationClass;
        } QueryVolume;
        struct {
            ULONG Length;
            PUNICODE_STRING FileName;
            FILE_INFORMATION_CLASS FileInformationClass;
            ULONG POINTER_ALIGNMENT FileIndex;
        } QueryDirectory;
        struct {
            ULONG Length;
            FS_INFORMATION_CLASS POINTER_ALIGNMENT FsInformationClass;
        } SetVolume;
        struct {
            ULONG Length;
            PVOID EaList;
            ULONG EaListLength;
            ULONG POINTER_ALIGNMENT EaIndex;
        } QueryEa;
        struct {
            ULONG Length;
        } SetEa;
        struct {
            SECURITY_INFORMATION SecurityInformation;
            ULONG POINTER_ALIGNMENT Length;
        } QuerySecurity;
        struct {
            SECURITY_INFORMATION SecurityInformation;
            PSECURITY_DESCRIPTOR SecurityDescriptor;
        } SetSecurity;
        struct {
            ULONG Length;
            ULONG POINTER_ALIGNMENT CompletionFilter;
        } NotifyDirectory;
        struct {
            PLARGE_INTEGER Length;
            ULONG POINTER_ALIGNMENT Key;
            LARGE_INTEGER ByteOffset;
        } LockControl;
        struct {
            ULONG OutputBufferLength;
            ULONG POINTER_ALIGNMENT InputBufferLength;
            ULONG POINTER_ALIGNMENT IoControlCode;
            PVOID Type3InputBuffer;
        } DeviceIoControl;
        struct {
            PVOID Argument1, Argument2, Argument3, Argument4;
        } Others;
    } Parameters;
    PDEVICE_OBJECT DeviceObject;
    PFILE_OBJECT FileObject;
    PIO_COMPLETION_ROUTINE CompletionRoutine;
    PVOID Context;
} IO_STACK_LOCATION, *PIO_STACK_LOCATION;
_Static_assert(sizeof(IO_STACK_LOCATION) == 0x48 && offsetof(IO_STACK_LOCATION, FileObject) == 0x30,
               "IO_STACK_LOCATION of x64");

#define SL_FORCE_ACCESS_CHECK    0x01 /* IRP_MJ_CREATE */
#define SL_OPEN_TARGET_DIRECTORY 0x04
#define SL_CASE_SENSITIVE        0x80
#define SL_RESTART_SCAN          0x01 /* IRP_MJ_DIRECTORY_CONTROL */
#define SL_RETURN_SINGLE_ENTRY   0x02
#define SL_INDEX_SPECIFIED       0x04
#define SL_WATCH_TREE            0x01 /* IRP_MN_NOTIFY_CHANGE_DIRECTORY */
#define SL_FAIL_IMMEDIATELY      0x01 /* IRP_MJ_LOCK_CONTROL */
#define SL_EXCLUSIVE_LOCK        0x02

#define SL_PENDING_RETURNED  0x01 /* Control */
#define SL_INVOKE_ON_CANCEL  0x20
#define SL_INVOKE_ON_SUCCESS 0x40
#define SL_INVOKE_ON_ERROR   0x80

struct _IRP {
    SHORT Type;
    USHORT Size;
    USHORT AllocationProcessorNumber;
    USHORT Reserved;
    PMDL MdlAddress;
    ULONG Flags;
    union {
        PIRP MasterIrp;
        LONG IrpCount;
        PVOID SystemBuffer;
    } AssociatedIrp;
    LIST_ENTRY ThreadListEntry;
    IO_STATUS_BLOCK IoStatus;
    KPROCESSOR_MODE RequestorMode;
    BOOLEAN PendingReturned;
    CHAR StackCount;
    CHAR CurrentLocation;
    BOOLEAN Cancel;
    KIRQL CancelIrql;
    CCHAR ApcEnvironment;
    UCHAR AllocationFlags;
    PIO_STATUS_BLOCK UserIosb;
    PKEVENT UserEvent;
    union {
        struct {
            PIO_APC_ROUTINE UserApcRoutine;
            PVOID UserApcContext;
        } AsynchronousParameters;
        LARGE_INTEGER AllocationSize;
    } Overlay;
    PDRIVER_CANCEL CancelRoutine;
    PVOID UserBuffer;
    union {
        struct {
            PVOID DriverContext[4];
            PETHREAD Thread;
            PCHAR AuxiliaryBuffer;
            LIST_ENTRY ListEntry;
            PIO_STACK_LOCATION CurrentStackLocation;
            PFILE_OBJECT OriginalFileObject;
        } Overlay;
        UCHAR Apc[0x58];
    } Tail;
};
_Static_assert(sizeof(IRP) == 0xd0 && offsetof(IRP, CancelRoutine) == 0x68 && offsetof(IRP, Tail) == 0x78,
               "IRP of x64");

#define IRP_NOCACHE               0x00000001
#define IRP_PAGING_IO             0x00000002
#define IRP_SYNCHRONOUS_API       0x00000004
#define IRP_CREATE_OPERATION      0x00000008
#define IRP_BUFFERED_IO           0x00000010
#define IRP_DEALLOCATE_BUFFER     0x00000020
#define IRP_INPUT_OPERATION       0x00000040
#define IRP_SYNCHRONOUS_PAGING_IO 0x00000040 /* of one that says IRP_PAGING_IO */
#define IRP_CLOSE_OPERATION       0x00000400
#define IRP_DEFER_IO_COMPLETION   0x00000800

#define IO_NO_INCREMENT 0

/*
 * What a driver that completes IRP_MJ_CREATE with STATUS_REPARSE says in IoStatus.Information. With IO_REPARSE it has
 * freed FileObject->FileName.Buffer and put there, in pool, a full name from the root of the object namespace; it keeps
 * nothing for the file object, which gets neither cleanup nor close. A bounded number of reparses and symbolic links
 * ends in STATUS_OBJECT_NAME_NOT_FOUND; any other value in STATUS_IO_REPARSE_TAG_NOT_HANDLED.
 */
#define IO_REPARSE 0

static inline PIO_STACK_LOCATION IoGetCurrentIrpStackLocation(PIRP Irp)
{
    return Irp->Tail.Overlay.CurrentStackLocation;
}

static inline PIO_STACK_LOCATION IoGetNextIrpStackLocation(PIRP Irp)
{
    return Irp->Tail.Overlay.CurrentStackLocation - 1;
}

static inline void IoMarkIrpPending(PIRP Irp)
{
    IoGetCurrentIrpStackLocation(Irp)->Control |= SL_PENDING_RETURNED;
}

static inline void IoSkipCurrentIrpStackLocation(PIRP Irp)
{
    Irp->CurrentLocation++;
    Irp->Tail.Overlay.CurrentStackLocation++;
}

static inline void IoCopyCurrentIrpStackLocationToNext(PIRP Irp)
{
    PIO_STACK_LOCATION Current = IoGetCurrentIrpStackLocation(Irp), Next = IoGetNextIrpStackLocation(Irp);
    *Next = *Current;
    Next->Control = 0;
    Next->CompletionRoutine = NULL;
    Next->Context = NULL;
}

static inline void IoSetCompletionRoutine(PIRP Irp, PIO_COMPLETION_ROUTINE Routine, PVOID Context, BOOLEAN OnSuccess,
                                          BOOLEAN OnError, BOOLEAN OnCancel)
{
    PIO_STACK_LOCATION Next = IoGetNextIrpStackLocation(Irp);
    Next->CompletionRoutine = Routine;
    Next->Context = Context;
    Next->Control = (UCHAR)((OnSuccess ? SL_INVOKE_ON_SUCCESS : 0) | (OnError ? SL_INVOKE_ON_ERROR : 0) |
                            (OnCancel ? SL_INVOKE_ON_CANCEL : 0));
}

/*
 * Drivers and devices. IoCreateDriver is how a driver linked into the machine is loaded; it calls Init at once.
 * IoCreateDevice: the device is named in the object namespace if DeviceName is given; its extension is zeroed,
 * nonpaged. Exclusive: one file at a time is open on it, others get STATUS_ACCESS_DENIED. It cannot be opened while it
 * has DO_DEVICE_INITIALIZING, which goes when Init returns; a driver takes it from devices that it makes later itself.
 * Statuses: STATUS_SUCCESS, _INSUFFICIENT_RESOURCES, _OBJECT_NAME_COLLISION, and Init's own.
 */
NTSTATUS NTAPI IoCreateDriver(PUNICODE_STRING DriverName, PDRIVER_INITIALIZE Init);
/* Calls the driver's unload routine, takes its name away, drops the loader's reference. Its devices must be deleted. */
void NTAPI IoDeleteDriver(PDRIVER_OBJECT DriverObject);
NTSTATUS NTAPI IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                              ULONG DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                              PDEVICE_OBJECT *DeviceObject);
/* Takes the name away and drops the creator's reference; files that are open on the device keep it. */
void NTAPI IoDeleteDevice(PDEVICE_OBJECT DeviceObject);
/* Attaches Source above the top of Target's stack and returns what was the top; source's StackSize grows. NULL: the top
 * is still being initialized. */
PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(PDEVICE_OBJECT Source, PDEVICE_OBJECT Target);
/*
 * IoAttachDevice - the same to the device of that name, whose driver sees it opened for FILE_READ_ATTRIBUTES.
 * The close of that comes through SourceDevice already, when AttachedDevice is set.
 *   AttachedDevice  out: what was the top.
 *   Returns         STATUS_SUCCESS, or what opening said; STATUS_NO_SUCH_DEVICE: the top cannot be attached to.
 */
NTSTATUS NTAPI IoAttachDevice(PDEVICE_OBJECT SourceDevice, PUNICODE_STRING TargetDevice,
                              PDEVICE_OBJECT *AttachedDevice);
PDEVICE_OBJECT NTAPI IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject); /* the top of its stack */
/* Detaches whatever is attached to Target, without looking for requests that are under way through it. */
void NTAPI IoDetachDevice(PDEVICE_OBJECT Target);

/*
 * IoGetDeviceObjectPointer - opens the device of that name and closes the handle again.
 *   FileObject    out: with a reference, which also holds the device.
 *   DeviceObject  out: the top of the device's stack; no reference of its own.
 *   Returns       STATUS_SUCCESS, or what opening said. Documented: WDK.
 */
NTSTATUS NTAPI IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess, PFILE_OBJECT *FileObject,
                                        PDEVICE_OBJECT *DeviceObject);
/* Where a request for the file is sent: the top of its device's stack, as of now. */
PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(PFILE_OBJECT FileObject);

/* IoAllocateIrp: nonpaged pool, tag "Irp "; NULL when it is empty. ChargeQuota is accepted and charges nothing. */
PIRP NTAPI IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota);
/* The IRP must not be anybody's any more: not in a driver, not pending. */
void NTAPI IoFreeIrp(PIRP Irp);
/* Passes the next stack location to the device's driver and returns what its dispatch routine did: STATUS_PENDING only
 * if that one marked the IRP pending. No location left: bug check 0x35. PASSIVE_LEVEL for the file services. */
NTSTATUS NTAPI IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp);
#define IoCallDriver IofCallDriver
/* Runs the completion routines upwards; a second completion of the same IRP bug checks 0x44. */
void NTAPI IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost);
#define IoCompleteRequest IofCompleteRequest
/* Returns the routine before. Atomic: a cancel that has begun has taken the routine away (NULL). */
PDRIVER_CANCEL NTAPI IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine);
void NTAPI IoAcquireCancelSpinLock(PKIRQL Irql);
void NTAPI IoReleaseCancelSpinLock(KIRQL Irql);
/* Any IRQL <= DISPATCH_LEVEL. TRUE if a cancel routine was called. It is called with the cancel spin lock held and must
 * release it. */
BOOLEAN NTAPI IoCancelIrp(PIRP Irp);

/* The process whose thread asked for the IRP; NULL: a driver made it. Documented: WDK. */
PEPROCESS NTAPI IoGetRequestorProcess(PIRP Irp);

/* The process of the calling thread; the System process for a thread that entered none (a backend's own). */
PEPROCESS NTAPI PsGetCurrentProcess(void);
extern PEPROCESS PsInitialSystemProcess; /* NULL while no machine runs */

/*
 * PsChargeProcessPoolQuota - Amount bytes of the pool on the process's account. IRQL <= DISPATCH_LEVEL.
 *   Returns  STATUS_SUCCESS; STATUS_QUOTA_EXCEEDED: nothing was charged. Documented: WDK. A process has no limit until
 *            EmuSetProcessQuota sets one (our choice; NT computes one from the pool's size).
 */
NTSTATUS NTAPI PsChargeProcessPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount);
/* Gives back what was charged. More than that: bug check 0x21, QUOTA_UNDERFLOW (process, pool type, amount charged,
 * amount). */
void NTAPI PsReturnPoolQuota(PEPROCESS Process, POOL_TYPE PoolType, ULONG_PTR Amount);

#endif
