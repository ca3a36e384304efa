/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* createleak_text.c - text without a C runtime. See createleak_text.h. */
#include "createleak_text.h"

void *memset(void *to, int value, size_t count)
{
    unsigned char *at = to;

    while (count--)
        *at++ = (unsigned char)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
    const unsigned char *source = from;
    unsigned char *at = to;

    while (count--)
        *at++ = *source++;
    return to;
}

size_t length_of(const WCHAR *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

WCHAR lower(WCHAR c)
{
    return c >= 'A' && c <= 'Z' ? (WCHAR)(c + ('a' - 'A')) : c;
}

const WCHAR *after_prefix(const WCHAR *text, const char *prefix)
{
    for (; *prefix; prefix++, text++)
        if (lower(*text) != (WCHAR)*prefix)
            return NULL;
    return text;
}

/* ---- output ---- */

static struct {
    char text[8192];
    size_t length;
} line;

void put_char(char c)
{
    if (line.length < sizeof(line.text))
        line.text[line.length++] = c;
}

void put(const char *text)
{
    while (*text)
        put_char(*text++);
}

void put_number(ULONGLONG number)
{
    char digits[24];
    int count = 0;

    do {
        digits[count++] = (char)('0' + (unsigned)(number % 10));
        number /= 10;
    } while (number);
    while (count)
        put_char(digits[--count]);
}

void put_field(const char *name, BOOL known, ULONGLONG number)
{
    put(name);
    if (known)
        put_number(number);
    else
        put_char('-');
}

void put_wide(const WCHAR *text)
{
    int count = WideCharToMultiByte(CP_UTF8, 0, text, (int)length_of(text), line.text + line.length,
                                    (int)(sizeof(line.text) - line.length), NULL, NULL);

    if (count > 0)
        line.length += (size_t)count;
}

static void write_line(DWORD stream)
{
    DWORD written;

    WriteFile(GetStdHandle(stream), line.text, (DWORD)line.length, &written, NULL);
    line.length = 0;
}

void print_prompt(void)
{
    write_line(STD_ERROR_HANDLE);
}

static void end_line(DWORD stream)
{
    if (line.length > sizeof(line.text) - 2)
        line.length = sizeof(line.text) - 2;
    put("\r\n");
    write_line(stream);
}

void end_prompt(void)
{
    end_line(STD_ERROR_HANDLE);
}

void print_line(void)
{
    end_line(STD_OUTPUT_HANDLE);
}

static void put_error_text(DWORD error)
{
    WCHAR text[256];
    DWORD length;

    put(": error ");
    put_number(error);
    length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, error, 0, text,
                            sizeof(text) / sizeof(text[0]) - 1, NULL);
    while (length && text[length - 1] <= ' ')
        length--;
    text[length] = '\0';
    if (length) {
        put(", ");
        put_wide(text);
    }
}

void complain(const char *what, const WCHAR *subject, DWORD error)
{
    put("createleak: ");
    put(what);
    if (subject) {
        put_char(' ');
        put_wide(subject);
    }
    if (error)
        put_error_text(error);
    end_line(STD_ERROR_HANDLE);
}
