/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counted UTF-16 strings. Contracts are the documented ones of the WDK's Rtl* reference.
 *
 * Upper case: NT maps one UTF-16 unit to one by a table of its own (l_intl.nls). Ours is the C library's simple mapping
 * for the Basic Multilingual Plane, kept only where it is one to one and stays in the plane (our guess; fidelity.md).
 */
#include <ntemu/nt.h>

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

static WCHAR upcase_table[0x10000];
static pthread_once_t upcase_once = PTHREAD_ONCE_INIT;

static void build_upcase_table(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    for (unsigned c = 0; c < 0x10000; c++) {
        wint_t upper = c;
        if (c < 0x80)
            upper = c >= 'a' && c <= 'z' ? c - 0x20 : c;
        else if (locale && (c < 0xd800 || c > 0xdfff))
            upper = towupper_l(c, locale);
        /* A letter outside ASCII must not become an ASCII one: two names that NT tells apart would meet. */
        upcase_table[c] = upper > 0xffff || (c >= 0x80 && upper < 0x80) ? (WCHAR)c : (WCHAR)upper;
    }
    if (locale)
        freelocale(locale);
}

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR Source)
{
    if (Source < 0x80)
        return Source >= 'a' && Source <= 'z' ? (WCHAR)(Source - 0x20) : Source;
    pthread_once(&upcase_once, build_upcase_table);
    return upcase_table[Source];
}

static USHORT terminated_length(PCWSTR s)
{
    SIZE_T n = 0;
    while (s[n])
        n++;
    return (USHORT)(n < 0x7ffe ? n * sizeof(WCHAR) : 0xfffc);
}

void NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    DestinationString->Buffer = (PWSTR)SourceString;
    DestinationString->Length = SourceString ? terminated_length(SourceString) : 0;
    DestinationString->MaximumLength = SourceString ? (USHORT)(DestinationString->Length + sizeof(WCHAR)) : 0;
}

LONG NTAPI RtlCompareUnicodeString(const UNICODE_STRING *String1, const UNICODE_STRING *String2,
                                   BOOLEAN CaseInSensitive)
{
    USHORT n1 = String1->Length / sizeof(WCHAR), n2 = String2->Length / sizeof(WCHAR);

    for (USHORT i = 0; i < n1 && i < n2; i++) {
        WCHAR a = String1->Buffer[i], b = String2->Buffer[i];
        if (a == b)
            continue;
        if (CaseInSensitive) {
            a = RtlUpcaseUnicodeChar(a);
            b = RtlUpcaseUnicodeChar(b);
        }
        if (a != b)
            return (LONG)a - (LONG)b;
    }
    return (LONG)n1 - (LONG)n2;
}

BOOLEAN NTAPI RtlEqualUnicodeString(const UNICODE_STRING *String1, const UNICODE_STRING *String2,
                                    BOOLEAN CaseInSensitive)
{
    if (String1->Length != String2->Length)
        return FALSE;
    if (!String1->Length || !memcmp(String1->Buffer, String2->Buffer, String1->Length))
        return TRUE;
    return CaseInSensitive && RtlCompareUnicodeString(String1, String2, TRUE) == 0;
}

BOOLEAN NTAPI RtlPrefixUnicodeString(const UNICODE_STRING *String1, const UNICODE_STRING *String2,
                                     BOOLEAN CaseInSensitive)
{
    UNICODE_STRING head = *String2;

    if (String1->Length > String2->Length)
        return FALSE;
    head.Length = String1->Length;
    return RtlCompareUnicodeString(String1, &head, CaseInSensitive) == 0;
}

void NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, const UNICODE_STRING *SourceString)
{
    USHORT length = 0;

    if (SourceString) {
        length = SourceString->Length < DestinationString->MaximumLength ? SourceString->Length
                                                                         : DestinationString->MaximumLength;
        memcpy(DestinationString->Buffer, SourceString->Buffer, length);
    }
    DestinationString->Length = length;
}

NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, const UNICODE_STRING *Source)
{
    if (Source->Length > Destination->MaximumLength - Destination->Length)
        return STATUS_BUFFER_TOO_SMALL;
    if (Source->Length) /* an empty string may have no buffer */
        memcpy((char *)Destination->Buffer + Destination->Length, Source->Buffer, Source->Length);
    Destination->Length = (USHORT)(Destination->Length + Source->Length);
    return STATUS_SUCCESS;
}
