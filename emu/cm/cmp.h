/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmp.h - the configuration manager's own: the tree of keys. It is written while the machine boots, by one thread, and
 * read without a lock from then on.
 */
#ifndef NTEMU_CM_CMP_H
#define NTEMU_CM_CMP_H

#include <ntemu/registry.h>

#include "ob/obp.h"

typedef struct _CMP_VALUE {
    struct _CMP_VALUE *Next;
    UNICODE_STRING Name;
    ULONG Type;
    ULONG Length; /* bytes of Data, a string's terminator included */
    UCHAR *Data;
} CMP_VALUE;

typedef struct _CMP_KEY {
    struct _CMP_KEY *Next, *Children;
    UNICODE_STRING Name;
    CMP_VALUE *Values; /* in the order in which they were set */
} CMP_KEY;

extern OBJECT_TYPE CmpKeyType;

/* ---- store.c ---- */

/* Makes the documented keys and sets what the options say. Returns STATUS_SUCCESS, STATUS_INVALID_PARAMETER (Error says
 * why), STATUS_NO_MEMORY (the host's). */
NTSTATUS CmpFillRegistry(const char *const *Settings, const char *File, char *Error, SIZE_T ErrorSize);
void CmpForgetRegistry(void);
/* Path below \Registry, without a leading backslash; empty: that itself. NULL: there is none. */
CMP_KEY *CmpFindKey(const CMP_KEY *From, UNICODE_STRING Path);
const CMP_VALUE *CmpFindValue(const CMP_KEY *Key, const UNICODE_STRING *Name);
CMP_KEY *CmpRoot(void);

/* ---- key.c ---- */

/* Enters \Registry into the namespace. */
NTSTATUS CmpCreateRoot(void);
void CmpDeleteRoot(void);
/* The key behind a handle, which keeps it: keys are never deleted. */
NTSTATUS CmpKeyOfHandle(HANDLE Handle, CMP_KEY **Key);

#endif
