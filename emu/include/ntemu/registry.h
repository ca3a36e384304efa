/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * registry.h - the machine's registry: what it was booted with, and the parameters that are documented.
 *
 * There is \Registry\Machine\System\CurrentControlSet, filled when the machine boots and not written afterwards. It
 * lives in host memory: reading it costs the pool no more than the key objects. docs/registry.md has the list.
 */
#ifndef NTEMU_REGISTRY_H
#define NTEMU_REGISTRY_H

#include <ntemu/nt.h>

/* ---- settings: one value each, as text ---- */

#define EMU_REGISTRY_KEY  256
#define EMU_REGISTRY_NAME 64
#define EMU_REGISTRY_TEXT 256

typedef struct _EMU_REGISTRY_SETTING {
    char Key[EMU_REGISTRY_KEY]; /* below \Registry\Machine: "System\\CurrentControlSet\\..." */
    char Name[EMU_REGISTRY_NAME];
    ULONG Type; /* REG_DWORD, REG_SZ */
    ULONG Number;
    char Text[EMU_REGISTRY_TEXT];
} EMU_REGISTRY_SETTING;

/*
 * EmuRegistryParse - "Key\Value=dword:N" or "Key\Value=sz:text", all of it ASCII. N is decimal, or hexadecimal with 0x.
 * The key begins with HKLM, HKEY_LOCAL_MACHINE or \Registry\Machine, or is one below Services: "Rdr\Parameters".
 *   Error    out on failure: one line, what is wrong.
 *   Returns  FALSE also for a value that its documentation forbids, and for one of an undocumented name among those of
 *            the redirector. Setting is written on success only.
 */
BOOLEAN EmuRegistryParse(const char *Text, EMU_REGISTRY_SETTING *Setting, char *Error, SIZE_T ErrorSize);

/*
 * EmuRegistryReadFile - a file in the manner of regedit's exports: lines [key], "name"=dword:0000002d, "name"="text",
 * ; comments, REGEDIT4 first if at all. A dword has eight hexadecimal digits, as regedit writes them, or begins with
 * 0x: "dword:45" would be 69 to regedit and 45 to its reader, and is refused.
 *   Settings  out, *Count of them; free() when done. NULL if there are none.
 *   Error     out on failure: "FILE:LINE: what is wrong".
 *   Returns   FALSE: the file cannot be read, or a line is wrong.
 */
BOOLEAN EmuRegistryReadFile(const char *Path, EMU_REGISTRY_SETTING **Settings, ULONG *Count, char *Error,
                            SIZE_T ErrorSize);

/* ---- documented parameters ---- */

typedef struct _EMU_REGISTRY_PARAMETER {
    const char *Key; /* as EMU_REGISTRY_SETTING.Key */
    const char *Name;
    ULONG Type;
    const char *Unit; /* "seconds"; "": a number, "bool": 0 or 1 */
    ULONG Default, Minimum, Maximum;
    BOOLEAN Guessed; /* the default is our guess: no public text tells it */
    const char *Source;
    const char *Meaning;
} EMU_REGISTRY_PARAMETER;

/* All of them, in order of key and name; the last has Name NULL. */
const EMU_REGISTRY_PARAMETER *EmuRegistryParameters(void);

/*
 * EmuQueryParameter - what a documented REG_DWORD parameter is on this machine: as set, else its default. Names are
 * unique, case does not matter. PASSIVE_LEVEL.
 *   Returns  STATUS_SUCCESS; STATUS_OBJECT_NAME_NOT_FOUND (no such parameter is documented).
 */
NTSTATUS EmuQueryParameter(const char *Name, ULONG *Value);

/* ---- the kernel's routines; PASSIVE_LEVEL ---- */

extern struct _OBJECT_TYPE **CmKeyObjectType;

/*
 * NtOpenKey            STATUS_SUCCESS, _OBJECT_NAME_NOT_FOUND, _OBJECT_PATH_SYNTAX_BAD, _INSUFFICIENT_RESOURCES.
 * NtQueryValueKey      classes basic, full and partial. STATUS_SUCCESS, _OBJECT_NAME_NOT_FOUND, _BUFFER_TOO_SMALL (not
 *                      even the fixed part fits), _BUFFER_OVERFLOW (what fits was written), _INVALID_PARAMETER (class),
 *                      _INVALID_HANDLE, _OBJECT_TYPE_MISMATCH. ResultLength: what is needed.
 * NtEnumerateValueKey  the same by number; behind the last STATUS_NO_MORE_ENTRIES.
 * RtlCheckRegistryKey  STATUS_SUCCESS: there is such a key.
 * RtlQueryRegistryValues  as documented (WDK), with QueryRoutine, RTL_QUERY_REGISTRY_DIRECT (a REG_DWORD, or a string),
 *                      _SUBKEY, _TOPKEY, _REQUIRED, _NOVALUE, _NOEXPAND and defaults; RelativeTo ABSOLUTE, SERVICES,
 *                      CONTROL, HANDLE, with OPTIONAL. Others: STATUS_INVALID_PARAMETER. A missing required value:
 *                      STATUS_OBJECT_NAME_NOT_FOUND. A direct string without a buffer gets one from paged pool, which
 *                      is the caller's.
 * All documented; prototypes are Wine's.
 */
#define ZwOpenKey           NtOpenKey
#define ZwQueryValueKey     NtQueryValueKey
#define ZwEnumerateValueKey NtEnumerateValueKey
#define ZwClose             NtClose

#endif
