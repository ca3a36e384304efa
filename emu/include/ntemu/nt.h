/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nt.h - NT base types, status values and native services, for native Linux code.
 *
 * The types come from Wine's headers (libwine-dev), which know NT's sizes on an LP64 system. Three things keep
 * them from being usable as they are, and all are settled here, once:
 *   - windef.h makes __stdcall mean the Microsoft x64 calling convention. NTAPI would then be a different
 *     function type from a plain C function, and a driver's dispatch routine could not be called natively.
 *     The emulated kernel is native code, so all three conventions become empty.
 *   - what ntdll exports is declared hidden outside of it. The emulated kernel is where these functions are, and
 *     libntemu.so exports them: _NTSYSTEM_ is how Wine's own ntdll says so.
 *   - winnt.h declares RtlGetProductInfo before that can be undone; it is renamed out of sight.
 * Build with Wine's include folder as a *system* include folder: -Wundef does not hold in it.
 *
 * WCHAR is 16 bits wide: write u"" literals, never L"".
 */
#ifndef NTEMU_NT_H
#define NTEMU_NT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define WIN32_NO_STATUS
#ifndef _NTSYSTEM_
#define _NTSYSTEM_
#endif
#define RtlGetProductInfo RtlGetProductInfoMsAbi_
#include <windef.h>
#undef RtlGetProductInfo
#undef __stdcall
#undef __cdecl
#undef __fastcall
#define __stdcall
#define __cdecl
#define __fastcall

#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>

/* Wine 8's winternl.h has it, Wine 10's has not (nor has anything in between been looked at): said again, the same. */
NTSYSAPI BOOLEAN WINAPI RtlPrefixUnicodeString(const UNICODE_STRING *, const UNICODE_STRING *, BOOLEAN);

/* Wine 8 calls this class ObjectDataInformation, Wine 10 as the WDK's documents do; it is the fifth everywhere. */
#define EMU_OBJECT_HANDLE_FLAG_INFORMATION ((OBJECT_INFORMATION_CLASS)4)
typedef struct _EMU_HANDLE_FLAGS {
    BOOLEAN Inherit;
    BOOLEAN ProtectFromClose;
} EMU_HANDLE_FLAGS;

_Static_assert(sizeof(ULONG) == 4 && sizeof(LONG) == 4, "NT's LONG is 32 bits");
_Static_assert(sizeof(WCHAR) == 2, "NT's WCHAR is UTF-16");
_Static_assert(sizeof(ULONG_PTR) == sizeof(void *), "ULONG_PTR holds a pointer");
_Static_assert(sizeof(UNICODE_STRING) == 16 && sizeof(IO_STATUS_BLOCK) == 16, "x64 layouts");

/* A counted string over a u"" literal; the terminator is not part of Length. */
#define NT_STRING(Literal)                                                                                             \
    {                                                                                                                  \
        sizeof(Literal) - sizeof(WCHAR), sizeof(Literal), (WCHAR *)(Literal)                                           \
    }

#endif
