/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RtlUnicodeToUTF8N, as documented: unpaired surrogates become U+FFFD and STATUS_SOME_NOT_MAPPED. */
#include <ntemu/nt.h>

static ULONG next_character(const WCHAR **s, const WCHAR *end, BOOLEAN *bad)
{
    ULONG c = *(*s)++;

    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c < 0xdc00 && *s < end && **s >= 0xdc00 && **s <= 0xdfff)
        return 0x10000 + ((c - 0xd800) << 10) + (*(*s)++ - 0xdc00u);
    *bad = TRUE;
    return 0xfffd;
}

NTSTATUS NTAPI RtlUnicodeToUTF8N(LPSTR UTF8StringDestination, DWORD UTF8StringMaxByteCount,
                                 DWORD *UTF8StringActualByteCount, const WCHAR *UnicodeStringSource,
                                 DWORD UnicodeStringByteCount)
{
    /* An empty UNICODE_STRING may have no buffer, and C adds nothing to a null pointer, not even nothing. */
    static const WCHAR nothing[1];
    const WCHAR *s = UnicodeStringSource ? UnicodeStringSource : nothing;
    const WCHAR *end = s + UnicodeStringByteCount / sizeof(WCHAR);
    BOOLEAN bad = FALSE, full = FALSE;
    ULONG n = 0;

    while (s < end) {
        ULONG c = next_character(&s, end, &bad);
        ULONG length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        static const UCHAR lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
        if (UTF8StringDestination && length > UTF8StringMaxByteCount - n) {
            full = TRUE;
            break;
        }
        for (ULONG i = 0; UTF8StringDestination && i < length; i++) {
            ULONG shift = 6 * (length - 1 - i);
            UTF8StringDestination[n + i] = (char)(i ? 0x80 | (c >> shift & 0x3f) : lead[length] | c >> shift);
        }
        n += length;
    }
    *UTF8StringActualByteCount = n;
    return full ? STATUS_BUFFER_TOO_SMALL : bad ? STATUS_SOME_NOT_MAPPED : STATUS_SUCCESS;
}
