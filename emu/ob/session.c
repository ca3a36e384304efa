/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sessions of Terminal Server. Each has a \?? of its own, \Sessions\N\DosDevices, in front of the machine's, \GLOBAL??:
 * a name that the session does not have is looked for there, and its link Global leads there past the session's own
 * (documented: Q259131, \\.\Global\NAME). That sessions have letters of their own is documented, the directories' names
 * are those of Windows 2000 and XP, and the look behind is XP's, where Windows 2000 copied: our guess for NT 4.0.
 *
 * A session begins with its first process. It ends with the last one if nothing is named in it any more: letters and
 * permanent objects outlive the programs of a session, as they do until a logoff.
 */
#include "obp.h"

#include <ntemu/builds.h>
#include <ntemu/machine.h>

#define TAG_SESSION POOL_TAG('O', 'b', 'S', 'e')

typedef struct _OBP_SESSION {
    LIST_ENTRY Links;
    ULONG Id;
    ULONG Processes;
    POBJECT_DIRECTORY Directory, DosDevices; /* with references */
} OBP_SESSION, *POBP_SESSION;

static FAST_MUTEX mutex; /* guards the list and all in it; taken before the namespace's lock */
static LIST_ENTRY sessions;
static BOOLEAN running; /* the build has sessions, and the namespace is up */

BOOLEAN ObpHaveSessions(void)
{
    return running;
}

/* Text has room for the longest: \Sessions\4294967295\DosDevices\Global. */
#define PATH_UNITS 40

static void build_path(ULONG id, const UNICODE_STRING *tail, WCHAR buffer[PATH_UNITS], PUNICODE_STRING path)
{
    static const UNICODE_STRING sessions_name = NT_STRING(u"\\Sessions\\");
    WCHAR digits[10];
    UNICODE_STRING number = {0, sizeof digits, digits + 10};

    do {
        *--number.Buffer = (WCHAR)('0' + id % 10);
        number.Length += sizeof(WCHAR);
        id /= 10;
    } while (id);
    *path = (UNICODE_STRING){0, PATH_UNITS * sizeof(WCHAR), buffer};
    RtlAppendUnicodeStringToString(path, &sessions_name);
    RtlAppendUnicodeStringToString(path, &number);
    RtlAppendUnicodeStringToString(path, tail);
}

static const UNICODE_STRING no_tail, dos_devices_tail = NT_STRING(u"\\DosDevices"),
                                     global_tail = NT_STRING(u"\\DosDevices\\Global");

NTSTATUS EmuSessionDosDevices(ULONG SessionId, PUNICODE_STRING Path)
{
    static const UNICODE_STRING everybodys = NT_STRING(u"\\??");
    WCHAR buffer[PATH_UNITS];
    UNICODE_STRING path = everybodys;

    if (running)
        build_path(SessionId, &dos_devices_tail, buffer, &path);
    if (path.Length > Path->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    RtlCopyUnicodeString(Path, &path);
    return STATUS_SUCCESS;
}

/* ---- beginning and end; the mutex is held ---- */

static void free_session(POBP_SESSION session)
{
    if (session->DosDevices)
        ObDereferenceObject(session->DosDevices);
    if (session->Directory)
        ObDereferenceObject(session->Directory);
    ExFreePoolWithTag(session, TAG_SESSION);
}

static void remove_names(POBP_SESSION session)
{
    WCHAR buffer[PATH_UNITS];
    UNICODE_STRING path;

    build_path(session->Id, &global_tail, buffer, &path);
    ObpDeleteSymbolicLink(&path);
    if (session->DosDevices)
        ObpRemoveName(session->DosDevices);
    if (session->Directory)
        ObpRemoveName(session->Directory);
}

static NTSTATUS make_names(POBP_SESSION session)
{
    static const UNICODE_STRING global = NT_STRING(u"\\GLOBAL??");
    WCHAR buffer[PATH_UNITS];
    UNICODE_STRING path;
    NTSTATUS status;

    build_path(session->Id, &no_tail, buffer, &path);
    status = ObpCreateDirectory(&path, &session->Directory);
    if (!NT_SUCCESS(status))
        return status;
    build_path(session->Id, &dos_devices_tail, buffer, &path);
    status = ObpCreateDirectory(&path, &session->DosDevices);
    if (!NT_SUCCESS(status))
        return status;
    session->DosDevices->Shadow = ObpGlobalDosDevices;
    build_path(session->Id, &global_tail, buffer, &path);
    return ObpCreateSymbolicLink(&path, &global);
}

static POBP_SESSION find_session(ULONG id)
{
    for (PLIST_ENTRY e = sessions.Flink; e != &sessions; e = e->Flink) {
        POBP_SESSION session = CONTAINING_RECORD(e, OBP_SESSION, Links);
        if (session->Id == id)
            return session;
    }
    return NULL;
}

static POBP_SESSION begin_session(ULONG id)
{
    POBP_SESSION session = ExAllocatePoolWithTag(PagedPool, sizeof *session, TAG_SESSION);

    if (!session)
        return NULL;
    *session = (OBP_SESSION){.Id = id};
    if (!NT_SUCCESS(make_names(session))) {
        remove_names(session);
        free_session(session);
        return NULL;
    }
    InsertTailList(&sessions, &session->Links);
    return session;
}

/* ---- processes come and go ---- */

NTSTATUS ObpEnterSession(PEPROCESS Process)
{
    POBP_SESSION session;

    if (!running)
        return STATUS_SUCCESS;
    ExAcquireFastMutex(&mutex);
    session = find_session(Process->SessionId);
    if (!session)
        session = begin_session(Process->SessionId);
    if (session) {
        session->Processes++;
        Process->DosDevices = session->DosDevices;
    }
    ExReleaseFastMutex(&mutex);
    return session ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void ObpLeaveSession(PEPROCESS Process)
{
    POBP_SESSION session = NULL;

    if (!Process->DosDevices)
        return;
    Process->DosDevices = NULL;
    ExAcquireFastMutex(&mutex);
    session = find_session(Process->SessionId);
    /* DosDevices and its link Global are always there. A directory that lost its name could not be emptied any more. */
    if (!--session->Processes && ObpDirectoryEntries(session->DosDevices) == 1 &&
        ObpDirectoryEntries(session->Directory) == 1) {
        RemoveEntryList(&session->Links);
        remove_names(session);
        free_session(session);
    }
    ExReleaseFastMutex(&mutex);
}

/* ---- the machine's ---- */

NTSTATUS ObpInitializeSessions(void)
{
    static const UNICODE_STRING root = NT_STRING(u"\\Sessions");
    NTSTATUS status;

    ExInitializeFastMutex(&mutex);
    InitializeListHead(&sessions);
    running = FALSE;
    if (!EmuBuildHasSessions(EmuMachineBuild()))
        return STATUS_SUCCESS;
    status = ObpCreateDirectory(&root, NULL);
    if (!NT_SUCCESS(status))
        return status;
    running = TRUE;
    return ObpEnterSession(PsInitialSystemProcess);
}

/* Processes are gone; what is named in a session's directories goes with the namespace. */
void ObpShutdownSessions(void)
{
    if (!running)
        return;
    running = FALSE;
    while (!IsListEmpty(&sessions))
        free_session(CONTAINING_RECORD(RemoveHeadList(&sessions), OBP_SESSION, Links));
}
