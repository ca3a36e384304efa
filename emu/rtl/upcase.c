/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Upper case: NT maps one UTF-16 unit to one by a table of its own (l_intl.nls). Ours is the C library's simple mapping
 * for the Basic Multilingual Plane, kept only where it is one to one and stays in the plane (our guess; fidelity.md).
 * The SMB backends, which are outside the machine, have it too: what is one name is so for all of them.
 */
#include <ntemu/nt.h>

#include <locale.h>
#include <pthread.h>
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
