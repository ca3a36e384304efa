/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* name.h - names on their way between NT (UTF-16, '\') and libsmbclient (UTF-8 in a URL, '/'). Internal to emu/smb/. */
#ifndef NTEMU_SMB_NAME_H
#define NTEMU_SMB_NAME_H

#include <ntemu/nt.h>

/*
 * smb_name_to_url - append a path to a URL, escaped; '\' becomes '/', a leading '\' is dropped.
 *   length  bytes of path
 *   url     out, terminated; room for smb_name_url_size(length) bytes
 *   Returns STATUS_SUCCESS; STATUS_OBJECT_NAME_INVALID for an unpaired surrogate, a NUL or a '/': libsmbclient would
 *           send another name than the one asked for (it ends a name at %00 and takes %2F for a separator).
 */
NTSTATUS smb_name_to_url(const WCHAR *path, ULONG length, char *url);

/* Bytes that smb_name_to_url can need, terminator included: every UTF-16 unit at most 3 bytes of UTF-8, escaped. */
size_t smb_name_url_size(ULONG length);

/*
 * smb_name_from_utf8 - convert a file name from a listing.
 *   name     out; room for strlen(text) units
 *   Returns  the length in bytes, or 0 if text is not UTF-8 (overlong forms, surrogates, beyond U+10FFFF).
 */
ULONG smb_name_from_utf8(const char *text, WCHAR *name);

/* Escape a plain UTF-8 string, such as a share's name, as one component of a URL. url has room for 3n + 1 bytes. */
void smb_name_escape(const char *text, char *url);

/* Whether two names or paths are the same but for case, as NT has it. Lengths in bytes. */
BOOLEAN smb_name_equal(const WCHAR *a, ULONG a_length, const WCHAR *b, ULONG b_length);

/* A hash that equal names have in common. */
ULONG smb_name_hash(const WCHAR *name, ULONG length);

#endif
