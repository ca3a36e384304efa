/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FsRtlIsNameInExpression as a walk of all positions in the expression that the name read so far can have reached:
 * no expression, however many stars it has, makes it slow.
 */
#include <ntemu/ntifs.h>

#include <string.h>

#define MAX_EXPRESSION                                                                                                 \
    1024 /* units; a component has at most 255, and no pattern needs more than four signs for each                     \
          */

/* Positions that a position leads to without reading: over stars; at a dot or the end also over > and ". */
static void close_over(UCHAR *at, const WCHAR *expression, ULONG n, BOOLEAN dot, BOOLEAN end)
{
    for (ULONG i = 0; i < n; i++) {
        if (!at[i])
            continue;
        switch (expression[i]) {
        case '*':
        case '<':
            at[i + 1] = 1;
            break;
        case '>':
            if (dot || end)
                at[i + 1] = 1;
            break;
        case '"':
            if (end)
                at[i + 1] = 1;
            break;
        default:
            break;
        }
    }
}

static void read_character(const UCHAR *at, UCHAR *next, const WCHAR *expression, ULONG n, WCHAR c, BOOLEAN last_dot)
{
    memset(next, 0, n + 1);
    for (ULONG i = 0; i < n; i++) {
        if (!at[i])
            continue;
        switch (expression[i]) {
        case '*':
            next[i] = 1;
            break;
        case '<':
            next[last_dot ? i + 1 : i] = 1;
            break;
        case '?':
            next[i + 1] = 1;
            break;
        case '>':
            next[i + 1] |= c != '.';
            break;
        case '"':
            next[i + 1] |= c == '.';
            break;
        default:
            next[i + 1] |= c == expression[i];
        }
    }
}

BOOLEAN NTAPI FsRtlIsNameInExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
                                      PWCHAR UpcaseTable)
{
    ULONG n = Expression->Length / sizeof(WCHAR), length = Name->Length / sizeof(WCHAR), last_dot = length;
    UCHAR a[MAX_EXPRESSION + 1] = {1}, b[MAX_EXPRESSION + 1], *at = a, *next = b, *swap;

    if (n > MAX_EXPRESSION)
        return FALSE;
    for (ULONG i = 0; i < length; i++)
        if (Name->Buffer[i] == '.')
            last_dot = i;
    for (ULONG i = 0; i < length; i++) {
        WCHAR c = IgnoreCase ? RtlUpcaseUnicodeChar(Name->Buffer[i]) : Name->Buffer[i];
        close_over(at, Expression->Buffer, n, c == '.', FALSE);
        read_character(at, next, Expression->Buffer, n, c, i == last_dot);
        swap = at;
        at = next;
        next = swap;
    }
    close_over(at, Expression->Buffer, n, FALSE, TRUE);
    return at[n];
}
