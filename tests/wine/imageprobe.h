/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imageprobe.h - what the claims of imageprobe.exe share, and the claims. */
#ifndef RDRLAB_TESTS_IMAGEPROBE_H
#define RDRLAB_TESTS_IMAGEPROBE_H

#include <stdbool.h>

#define WIN32_NO_STATUS
#include "letter.h"
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#define TEXT_ON_SHARE "rdrlab probe\n"
#define TEXT_LENGTH   (sizeof(TEXT_ON_SHARE) - 1)

/* Beside this program, which is not on the share. One buffer. */
const WCHAR *beside_program(const WCHAR *name);

/* All shared. */
HANDLE open_file(const WCHAR *name, DWORD access, DWORD disposition);
HANDLE open_probe(DWORD access);

/* An inheritable file. */
HANDLE open_stream(const WCHAR *name, DWORD access, DWORD disposition);

/* A file of this length; byte i is what byte_at says. */
unsigned char byte_at(DWORD i);
bool make_file(const WCHAR *name, DWORD length);
bool has_bytes(const unsigned char *view, DWORD length);

/* The whole of a small text file, without carriage returns. One buffer. */
const char *content(const WCHAR *name);
bool put_text(const WCHAR *name, const char *text);

/* Whether this is what comes next. */
bool reads(HANDLE file, const char *expected);

/* imageprobe_maps.c */
void claim_mapping(void);
void claim_copy_on_write(void);
void claim_mapping_errors(void);
void claim_writable(void);
void claim_coherent(void);
void claim_view_services(void);
void claim_writable_errors(void);
void claim_locked(void);
void claim_shared(void);
void child_sharing(void);

/* imageprobe_images.c */
void claim_library(void);
void claim_program(void);
void claim_shell(void);
void claim_execute(void);
void claim_execute_unc(void);
void claim_other_bits(void);
void claim_no_program(void);

#endif
