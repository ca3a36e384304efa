/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* name.c - names on their way between NT and libsmbclient. See name.h. */
#include "name.h"

#include <string.h>

/* RFC 3986's unreserved characters. Escaping more than a URL needs is harmless, less is not: '?' would cut the name. */
static BOOLEAN is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static char *put_byte(char *url, unsigned char byte)
{
    static const char digits[] = "0123456789ABCDEF";

    if (is_plain(byte)) {
        *url++ = (char)byte;
    } else {
        *url++ = '%';
        *url++ = digits[byte >> 4];
        *url++ = digits[byte & 15];
    }
    return url;
}

static char *put_code_point(char *url, uint32_t c)
{
    if (c < 0x80)
        return put_byte(url, (unsigned char)c);
    if (c < 0x800) {
        url = put_byte(url, (unsigned char)(0xC0 | c >> 6));
    } else if (c < 0x10000) {
        url = put_byte(url, (unsigned char)(0xE0 | c >> 12));
        url = put_byte(url, (unsigned char)(0x80 | (c >> 6 & 0x3F)));
    } else {
        url = put_byte(url, (unsigned char)(0xF0 | c >> 18));
        url = put_byte(url, (unsigned char)(0x80 | (c >> 12 & 0x3F)));
        url = put_byte(url, (unsigned char)(0x80 | (c >> 6 & 0x3F)));
    }
    return put_byte(url, (unsigned char)(0x80 | (c & 0x3F)));
}

size_t smb_name_url_size(ULONG length)
{
    return (size_t)(length / sizeof(WCHAR)) * 9 + 1;
}

NTSTATUS smb_name_to_url(const WCHAR *path, ULONG length, char *url)
{
    ULONG count = length / sizeof(WCHAR), i = 0;

    if (count > 0 && path[0] == '\\')
        i = 1;
    while (i < count) {
        uint32_t c = path[i++];

        if (c == '\0' || c == '/')
            return STATUS_OBJECT_NAME_INVALID;
        if (c >= 0xD800 && c <= 0xDFFF) {
            if (c >= 0xDC00 || i == count || path[i] < 0xDC00 || path[i] > 0xDFFF)
                return STATUS_OBJECT_NAME_INVALID;
            c = 0x10000 + ((c - 0xD800) << 10) + (path[i++] - 0xDC00u);
        }
        if (c == '\\')
            *url++ = '/';
        else
            url = put_code_point(url, c);
    }
    *url = '\0';
    return STATUS_SUCCESS;
}

/* Decode one code point. Returns its length in bytes, or 0 if there is none. */
static unsigned take_code_point(const unsigned char *text, uint32_t *ret_c)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned length = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;
    uint32_t c;

    if (length == 0)
        return 0;
    c = length == 1 ? text[0] : text[0] & (0x7Fu >> length);
    for (unsigned i = 1; i < length; i++) {
        /* The terminator is no continuation byte, so this never reads beyond it. */
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3F);
    }
    if (c < smallest[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *ret_c = c;
    return length;
}

ULONG smb_name_from_utf8(const char *text, WCHAR *name)
{
    const unsigned char *from = (const unsigned char *)text;
    ULONG count = 0;

    while (*from != '\0') {
        uint32_t c;
        unsigned length = take_code_point(from, &c);

        if (length == 0)
            return 0;
        from += length;
        if (c >= 0x10000) {
            name[count++] = (WCHAR)(0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        name[count++] = (WCHAR)c;
    }
    return count * (ULONG)sizeof(WCHAR);
}

void smb_name_escape(const char *text, char *url)
{
    for (; *text != '\0'; text++)
        url = put_byte(url, (unsigned char)*text);
    *url = '\0';
}

BOOLEAN smb_name_equal(const WCHAR *a, ULONG a_length, const WCHAR *b, ULONG b_length)
{
    if (a_length != b_length)
        return FALSE;
    for (ULONG i = 0; i < a_length / sizeof(WCHAR); i++) {
        if (RtlUpcaseUnicodeChar(a[i]) != RtlUpcaseUnicodeChar(b[i]))
            return FALSE;
    }
    return TRUE;
}

ULONG smb_name_hash(const WCHAR *name, ULONG length)
{
    ULONG hash = 2166136261u;

    for (ULONG i = 0; i < length / sizeof(WCHAR); i++)
        hash = (hash ^ RtlUpcaseUnicodeChar(name[i])) * 16777619u;
    return hash;
}
