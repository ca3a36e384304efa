/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe.h - what the claims of probe.exe share, and the claims. */
#ifndef RDRLAB_TESTS_PROBE_H
#define RDRLAB_TESTS_PROBE_H

#include <stdbool.h>

#define UNICODE
#define WIN32_NO_STATUS
#include <winsock2.h>
#include <windows.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#include "claim.h"

#define TEXT_ON_SHARE "rdrlab probe\n"

/* From the command line. */
extern WCHAR letter;
extern const WCHAR *remote, *argument;

/* X:\name. One of 8 buffers, used in turn. */
const WCHAR *on_share(const WCHAR *name);

/* \\server\share\name; nothing behind the share for NULL. One of 8 buffers of its own. */
const WCHAR *on_unc(const WCHAR *name);

HANDLE open_with(const WCHAR *name, DWORD access, DWORD share, DWORD disposition, DWORD flags);
HANDLE open_read(const WCHAR *name);

/* False, not INVALID_HANDLE_VALUE, for the macros; closes what did open. */
bool opens(const WCHAR *name, DWORD access, DWORD share);

/* Whether it is probe.txt's, from the file's beginning to its end. */
bool reads_text(HANDLE file);

/* NULL if there is none. */
void *function_of(const WCHAR *module, const char *name);

/* What mpr returns. */
DWORD map_letter(WCHAR which);
DWORD unmap_letter(WCHAR which, BOOL force);

/* probe_names.c */
void claim_names(void);
void claim_unc(void);
void claim_unc_alone(void);
void claim_bare_letter(void);
void claim_drive(void);
void claim_connections(void);

/* probe_files.c */
void claim_write(void);
void claim_delete(void);
void claim_rename(void);
void claim_copy(void);
void claim_last_error(void);
void claim_overlapped(void);
void claim_refusals(void);
void claim_transmit(void);

/* probe_calls.c */
void claim_pointers(void);
void claim_relative(void);
void claim_long_name(void);
void claim_duplicate(void);
void claim_inherit(void);
void claim_inherited(void);
void claim_child(void);
void claim_is_child(void);
void claim_threads(void);
void claim_terminated_threads(void);

#endif
