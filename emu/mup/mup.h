/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mup.h - the multiple UNC provider: who among the redirectors has \\server\share.
 *
 * It has no files of its own. A create that reaches \Device\Mup\server\share\path leaves it again as STATUS_REPARSE,
 * with the name of the redirector's device in front, and MUP never hears of the file any more (documented: what is done
 * with a handle bypasses MUP before Windows Vista). Letters never come here at all.
 *
 *   MUP_PROVIDER  a redirector            held by its registration, by each prefix, by each question under way
 *   MUP_PREFIX    "\server\share" and     held by the table, for a quarter of an hour
 *                 whose it is
 *
 * A file object that is open on \Device\Mup itself has nothing, or, in FsContext, the provider that was registered
 * through it. MupMutex guards the lists and the counts of references, and is not held while anybody is asked.
 */
#ifndef NTEMU_MUP_MUP_H
#define NTEMU_MUP_MUP_H

#include <ntemu/ntifs.h>
#include <ntemu/pool.h>

#define MUP_TAG POOL_TAG('M', 'u', 'p', ' ') /* all of MUP's; documented: pooltag.txt */

typedef struct _MUP_PROVIDER {
    LIST_ENTRY Links; /* the registered ones, in the order in which they are asked */
    ULONG References;
    PFILE_OBJECT FileObject; /* the redirector's device, opened */
    BOOLEAN Mailslots;
    UNICODE_STRING Name; /* \Device\LanmanRedirector; follows the structure */
} MUP_PROVIDER, *PMUP_PROVIDER;

extern FAST_MUTEX MupMutex;
extern PDEVICE_OBJECT MupDevice;

/* ---- provider.c ---- */

void MupInitializeProviders(void);
/*
 * MupRegister - opens the redirector's device, and puts it behind those that are there.
 *   Provider  out: the registration's reference. MupDeregister drops it.
 *   Returns   STATUS_SUCCESS, _INSUFFICIENT_RESOURCES, or what opening the device said.
 */
NTSTATUS MupRegister(const UNICODE_STRING *DeviceName, BOOLEAN Mailslots, PMUP_PROVIDER *Provider);
void MupDeregister(PMUP_PROVIDER Provider);
/* The one behind Previous in the order of registration, NULL for the first. Takes a reference, and drops Previous's;
 * one that was deregistered meanwhile ends the walk. */
PMUP_PROVIDER MupNextProvider(PMUP_PROVIDER Previous);
void MupReferenceProvider(PMUP_PROVIDER Provider);
void MupDereferenceProvider(PMUP_PROVIDER Provider);

/* ---- prefix.c ---- */

/* Documented: Q171386, for NT 4.0. */
#define MUP_PREFIX_LIFETIME (15LL * 60 * 10000000)

/* What time it is, 100 ns; KeQuerySystemTime's unless a test says otherwise. */
extern LONGLONG (*MupClock)(void);

void MupInitializePrefixes(void);
void MupForgetPrefixes(void);
/* Whose the name is as far as is known: with a reference; NULL. */
PMUP_PROVIDER MupFindPrefix(const UNICODE_STRING *Name);
/* Takes a reference of its own. Without memory it is not remembered, and asked again. */
void MupRememberPrefix(const UNICODE_STRING *Prefix, PMUP_PROVIDER Provider);
/* MupMutex is held. The prefixes of one who deregisters. */
void MupForgetPrefixesOf(PMUP_PROVIDER Provider);

/* ---- query.c ---- */

/*
 * MupAsk - asks one redirector whether Name is its own (IOCTL_REDIR_QUERY_PATH), and waits.
 *   Create    the create that wants to know: if it is cancelled, so is the question.
 *   Accepted  out on success: bytes of Name that lead to it, the prefix. At least a component, and whole components.
 *   Returns   STATUS_SUCCESS; the redirector's error; STATUS_BAD_NETWORK_PATH (it claimed what is no prefix),
 *             STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS MupAsk(PIRP Create, PMUP_PROVIDER Provider, const UNICODE_STRING *Name, USHORT *Accepted);

/* ---- clientname.c ---- */

/*
 * MupTranslateClientName - makes a name of the session's own client, \Client\C:\path, the machine's: \Client#2\C:\path.
 * Any other name stays as it is, and every one where the build is not Terminal Server.
 *   Name     in, out: a file object's. Its buffer is exchanged when the name is.
 *   Returns  STATUS_SUCCESS, _NAME_TOO_LONG, _INSUFFICIENT_RESOURCES.
 *   IRQL     below DISPATCH_LEVEL: names are paged.
 *   Source   that there is such a function: documented (Q241392). What it does: our guess, see clientname.c.
 */
NTSTATUS MupTranslateClientName(UNICODE_STRING *Name);
void MupInitializeClientNames(void);

/* ---- driver.c, create.c, fsrtl.c ---- */

NTSTATUS NTAPI MupDriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
NTSTATUS NTAPI MupFsdCreate(PDEVICE_OBJECT DeviceObject, PIRP Irp);
NTSTATUS MupCompleteIrp(PIRP Irp, NTSTATUS Status, ULONG_PTR Information);
/* Which of two failures says more; documented in kind (Q281312), its order is in create.c. */
NTSTATUS MupWorseStatus(NTSTATUS First, NTSTATUS Second);

#define FSCTL_MUP_REGISTER_UNC_PROVIDER CTL_CODE(FILE_DEVICE_MULTI_UNC_PROVIDER, 1, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* Its input; the form is ours. */
typedef struct _MUP_REGISTRATION {
    ULONG MailslotsSupported;
    WCHAR DeviceName[]; /* the rest of the buffer */
} MUP_REGISTRATION;

#endif
