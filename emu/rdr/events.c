/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What comes out after the program has been told otherwise, in the event log. Identifiers: netevent.h of the Windows
 * SDK, EVENT_RDR_CLOSE_BEHIND and EVENT_RDR_DELETEONCLOSE_FAILED; the texts are ours.
 */
#include "rdr.h"

#include <stdio.h>

#define EVENT_CLOSE_BEHIND         3011
#define EVENT_DELETEONCLOSE_FAILED 3031
#define SEVERITY_WARNING           2
#define SOURCE                     "Rdr"
#define NAME_BYTES                 100

void RdrReportClose(NTSTATUS Status)
{
    char text[128];

    /* Of a server that is gone, everybody hears. */
    if (NT_SUCCESS(Status) || Status == STATUS_CONNECTION_DISCONNECTED || Status == STATUS_INVALID_HANDLE)
        return;
    snprintf(text, sizeof text,
             "A file was closed, and the server answered with %08x: data that was written may be lost.",
             (unsigned)Status);
    EmuWriteEvent(EVENT_CLOSE_BEHIND, SEVERITY_WARNING, SOURCE, text);
}

void RdrReportDelete(const UNICODE_STRING *Path, NTSTATUS Status)
{
    char name[NAME_BYTES + 1], text[192];
    ULONG length = 0;

    if (NT_SUCCESS(Status) || Status == STATUS_OBJECT_NAME_NOT_FOUND)
        return;
    RtlUnicodeToUTF8N(name, NAME_BYTES, &length, Path->Buffer, Path->Length);
    name[length] = '\0';
    snprintf(text, sizeof text, "\"%s\" was to be deleted on close, and is there still: the server answered %08x.",
             name, (unsigned)Status);
    EmuWriteEvent(EVENT_DELETEONCLOSE_FAILED, SEVERITY_WARNING, SOURCE, text);
}
