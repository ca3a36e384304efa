/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verifier's options as one line of text, for command lines. */
#include <ntemu/verifier.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM 128 /* longer ones are no options */

static BOOLEAN refuse(char *error, SIZE_T size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static BOOLEAN refuse(char *error, SIZE_T size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return FALSE;
}

static BOOLEAN read_number(const char *text, ULONG64 most, ULONG64 *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end && !errno && *number <= most;
}

static BOOLEAN read_pattern(const char *text, char pattern[EMU_VERIFIER_PATTERN])
{
    if (strlen(text) >= EMU_VERIFIER_PATTERN)
        return FALSE;
    strcpy(pattern, text);
    return TRUE;
}

/* A number, or one to four characters as they stand in a tag: "Rd*" is 0x2A6452. */
static BOOLEAN read_pool_tag(const char *text, ULONG *tag)
{
    ULONG64 number;

    if (read_number(text, 0xffffffffu, &number)) {
        *tag = (ULONG)number;
        return TRUE;
    }
    if (!*text || strlen(text) > 4)
        return FALSE;
    *tag = 0;
    memcpy(tag, text, strlen(text));
    return TRUE;
}

static BOOLEAN read_item(const char *item, EMU_VERIFIER_OPTIONS *o, char *error, SIZE_T size)
{
    const char *value = strchr(item, '=');
    SIZE_T length = value ? (SIZE_T)(value++ - item) : strlen(item);
    ULONG64 n = 0;

#define IS(key) (length == sizeof(key) - 1 && !memcmp(item, key, length))
    if (!value && read_number(item, 0xffffffffu, &n)) {
        o->Flags = (ULONG)n;
        if (o->Flags & ~(ULONG)EMU_VERIFIER_ALL_FLAGS)
            return refuse(error, size, "%s: known flags are 0x1, 0x2, 0x4, 0x8 and 0x40000, and sums of them", item);
        return TRUE;
    }
    if (!value && IS("bystack"))
        return o->ByStack = TRUE;
    if (!value && IS("underruns"))
        return o->Underruns = TRUE;
    if (!value && IS("exact"))
        return o->Exact = TRUE;
    if (value && IS("faults")) {
        o->Probability = read_number(value, 10000, &n) ? (ULONG)n : 0;
        return o->Probability || refuse(error, size, "%s: a probability from 1 to 10000 is wanted", item);
    }
    if (value && IS("seed"))
        return read_number(value, ~(ULONG64)0, &o->Seed) || refuse(error, size, "%s: a number is wanted", item);
    if (value && IS("overruns")) {
        o->PoolTagOverruns = read_number(value, 1, &n) ? (ULONG)n : 2;
        return o->PoolTagOverruns < 2 || refuse(error, size, "%s: 0 or 1 is wanted", item);
    }
    if (value && IS("pooltag"))
        return read_pool_tag(value, &o->PoolTag) ||
               refuse(error, size, "%s: a number or up to four characters are wanted", item);
    if (value && (IS("tags") || IS("sites") || IS("special")))
        return read_pattern(value, IS("tags")    ? o->FaultTags
                                   : IS("sites") ? o->FaultSites
                                                 : o->SpecialTags) ||
               refuse(error, size, "%.20s...: more than %d characters", item, EMU_VERIFIER_PATTERN - 1);
#undef IS
    return refuse(
        error, size,
        "%s: there are flags as a number, faults=, tags=, sites=, seed=, bystack, special=, underruns, exact, "
        "pooltag= and overruns=",
        item);
}

BOOLEAN EmuVerifierParse(const char *Text, EMU_VERIFIER_OPTIONS *Options, char *Error, SIZE_T ErrorSize)
{
    EMU_VERIFIER_OPTIONS options = {.PoolTagOverruns = 1};
    char item[ITEM];

    for (const char *p = Text; *p;) {
        SIZE_T length = strcspn(p, ",");
        if (length >= sizeof item)
            return refuse(Error, ErrorSize, "%.20s...: too long", p);
        memcpy(item, p, length);
        item[length] = 0;
        if (!read_item(item, &options, Error, ErrorSize))
            return FALSE;
        p += length + (p[length] == ',');
    }
    *Options = options;
    return TRUE;
}

void EmuVerifierFormat(const EMU_VERIFIER_OPTIONS *Options, char *Text, SIZE_T Size)
{
    const EMU_VERIFIER_OPTIONS *o = Options;
    char seed[32] = "", pool_tag[48] = "";

    if (o->Seed)
        snprintf(seed, sizeof seed, ",seed=%llu", (unsigned long long)o->Seed);
    if (o->PoolTag)
        snprintf(pool_tag, sizeof pool_tag, ",pooltag=0x%X,overruns=%u", o->PoolTag, o->PoolTagOverruns);
    snprintf(Text, Size, "0x%X,faults=%u%s%s%s%s%s%s%s%s%s%s%s", o->Flags,
             o->Probability ? o->Probability : EMU_VERIFIER_DEFAULT_PROBABILITY, o->FaultTags[0] ? ",tags=" : "",
             o->FaultTags, o->FaultSites[0] ? ",sites=" : "", o->FaultSites, seed, o->ByStack ? ",bystack" : "",
             o->SpecialTags[0] ? ",special=" : "", o->SpecialTags, o->Underruns ? ",underruns" : "",
             o->Exact ? ",exact" : "", pool_tag);
}
