/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FsRtlIsNameInExpression. Input: a byte that says how many units the expression has, the expression, the name.
 * There is no second implementation to compare with; the properties follow from the documented meaning of the signs.
 */
#include "fuzz.h"

#include <string.h>

static BOOLEAN is_plain(const UNICODE_STRING *s)
{
    for (ULONG i = 0; i < s->Length / sizeof(WCHAR); i++)
        if (s->Buffer[i] < 128 && strchr("*?<>\"", (char)s->Buffer[i]) != NULL)
            return FALSE;
    return TRUE;
}

static void upcase(UNICODE_STRING *s)
{
    for (ULONG i = 0; i < s->Length / sizeof(WCHAR); i++)
        s->Buffer[i] = RtlUpcaseUnicodeChar(s->Buffer[i]);
}

/* "*" before an expression may stand for nothing. */
static BOOLEAN matches_behind_a_star(const UNICODE_STRING *expression, UNICODE_STRING *name)
{
    WCHAR buffer[257] = u"*";
    UNICODE_STRING longer = {(USHORT)(expression->Length + sizeof(WCHAR)), sizeof(buffer), buffer};

    if (expression->Length != 0)
        memcpy(buffer + 1, expression->Buffer, expression->Length);
    return FsRtlIsNameInExpression(&longer, name, FALSE, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    UNICODE_STRING expression = fuzz_string(&data, &size, 2 * (size_t)fuzz_byte(&data, &size));
    UNICODE_STRING name = fuzz_string(&data, &size, size), star = NT_STRING(u"*");
    BOOLEAN match = FsRtlIsNameInExpression(&expression, &name, FALSE, NULL), folded;

    fuzz_require(FsRtlIsNameInExpression(&star, &name, FALSE, NULL));
    if (is_plain(&expression))
        fuzz_require(match == RtlEqualUnicodeString(&expression, &name, FALSE));
    if (match)
        fuzz_require(matches_behind_a_star(&expression, &name));

    /* With IgnoreCase the expression is in upper case already: documented. */
    upcase(&expression);
    folded = FsRtlIsNameInExpression(&expression, &name, TRUE, NULL);
    upcase(&name);
    fuzz_require(folded == FsRtlIsNameInExpression(&expression, &name, FALSE, NULL));

    free(expression.Buffer);
    free(name.Buffer);
    return 0;
}
