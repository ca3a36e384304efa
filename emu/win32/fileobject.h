/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fileobject.h - what NT keeps with a file object for those who wait: its event, and its completion port. Here it is
 * kept by token, in each process that asks for it: a port is not seen by another process with a handle of the same
 * file.
 *
 * An entry is made by the first port, or the first request that takes its time, and goes with this process's last known
 * handle of the token; not before its requests have completed, as those tell the port, too.
 */
#ifndef RDRLAB_FILEOBJECT_H
#define RDRLAB_FILEOBJECT_H

#include "services.h"

#define FILE_SKIP_COMPLETION_PORT_ON_SUCCESS_ 1u
#define FILE_SKIP_SET_EVENT_ON_HANDLE_        2u

/* Whether there is any entry: cheap, for services that are not about files. */
bool fileobject_any(void);

/*
 * fileobject_set_port - FileCompletionInformation. The port's handle is duplicated.
 *   Returns  STATUS_SUCCESS; STATUS_INVALID_PARAMETER: there is a port already; NtDuplicateObject's;
 *            STATUS_INSUFFICIENT_RESOURCES: more than 4,096 entries.
 */
NTSTATUS fileobject_set_port(uint64_t token, HANDLE port, ULONG_PTR key);
bool fileobject_has_port(uint64_t token);

/* fileobject_set_flags - FileIoCompletionNotificationInformation: FILE_SKIP_..., which are never taken back
 * (documented: SetFileCompletionNotificationModes). STATUS_SUCCESS, STATUS_INVALID_PARAMETER,
 * STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS fileobject_set_flags(uint64_t token, uint32_t flags);

/*
 * fileobject_begin - a request has begun and will take its time. Pair with fileobject_complete, not at once.
 *   own_event  it has one; otherwise the file is not signalled any more.
 */
void fileobject_begin(uint64_t token, bool own_event);

/*
 * fileobject_complete - signals the file, and posts to the port if there is one.
 *   context  the request's; NULL: it wants no packet.
 *   at_once  it completes within its service: FILE_SKIP_COMPLETION_PORT_ON_SUCCESS is about that.
 *   own_event  the request had one: the file is not signalled.
 */
void fileobject_complete(uint64_t token, PVOID context, NTSTATUS status, uint64_t information, bool at_once,
                         bool own_event);

/* fileobject_event - what to wait for in place of the file's handle. NULL: the handle itself, which is signalled. */
HANDLE fileobject_event(uint64_t token);

/* This process's last known handle is gone; what is still to complete is told to the port all the same. */
void fileobject_forget(uint64_t token);

#endif
