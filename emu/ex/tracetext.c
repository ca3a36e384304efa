/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a trace says, as text. */
#include "tracep.h"

#include <stdio.h>
#include <string.h>

/* ---- one event ---- */

typedef struct _WRITER {
    char *Text;
    SIZE_T Room; /* with the terminator */
    SIZE_T Used;
    BOOLEAN Cut;
} WRITER;

static void write_bytes(WRITER *w, const char *bytes, SIZE_T length)
{
    if (w->Cut || length >= w->Room - w->Used) {
        w->Cut = TRUE;
        return;
    }
    memcpy(w->Text + w->Used, bytes, length);
    w->Used += length;
}

/* U+2400 and on are pictures of the control characters: nothing in a name reaches a terminal as a command. */
static void write_character(WRITER *w, char c)
{
    const char picture[] = {(char)0xe2, (char)0x90, (char)(c == 0x7f ? 0xa1 : 0x80 | c)};

    if ((c >= 0 && c < ' ') || c == 0x7f)
        write_bytes(w, picture, sizeof picture);
    else
        write_bytes(w, &c, 1);
}

static void write_text(WRITER *w, const char *text, SIZE_T length)
{
    for (SIZE_T i = 0; i < length && !w->Cut; i++)
        write_character(w, text[i]);
}

static void write_unicode(WRITER *w, const UNICODE_STRING *s)
{
    char utf8[3 * EXP_TRACE_LINE];
    USHORT most = EXP_TRACE_LINE * sizeof(WCHAR), length = s && s->Length < most ? s->Length : most;
    DWORD n;

    if (!s)
        return;
    RtlUnicodeToUTF8N(utf8, sizeof utf8, &n, s->Buffer, length);
    write_text(w, utf8, n);
}

/* One conversion but %wZ: a copy of its directive for snprintf, which gets the argument in its own type. */
static void write_converted(WRITER *w, const char *directive, SIZE_T length, va_list *arguments)
{
    char one[16], text[EXP_TRACE_LINE];
    char conversion = directive[length - 1];
    BOOLEAN wide = memchr(directive, 'l', length) || memchr(directive, 'z', length);

    if (length >= sizeof one)
        return;
    memcpy(one, directive, length);
    one[length] = 0;
    text[0] = 0;
    if (conversion == 's' || conversion == 'p') {
        const void *pointer = va_arg(*arguments, const void *);
        snprintf(text, sizeof text, one, pointer);
    } else if (wide) {
        long long number = va_arg(*arguments, long long);
        snprintf(text, sizeof text, one, number);
    } else {
        int number = va_arg(*arguments, int);
        snprintf(text, sizeof text, one, number);
    }
    write_text(w, text, strlen(text));
}

static const char *write_directive(WRITER *w, const char *p, va_list *arguments)
{
    SIZE_T length = 1 + strspn(p + 1, "-+ #0123456789.lhz") + 1;

    if (p[1] == '%') {
        write_bytes(w, "%", 1);
        return p + 2;
    }
    if (p[1] == 'w' && p[2] == 'Z') {
        write_unicode(w, va_arg(*arguments, const UNICODE_STRING *));
        return p + 3;
    }
    write_converted(w, p, length, arguments);
    return p + length;
}

/* Without a last character of which only a part is there. */
static SIZE_T whole_characters(const char *text, SIZE_T length)
{
    SIZE_T start = length, need;
    UCHAR lead;

    while (start && (text[start - 1] & 0xc0) == 0x80)
        start--;
    if (!start)
        return length;
    lead = (UCHAR)text[--start];
    need = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return length - start < need ? start : length;
}

SIZE_T ExpTraceFormat(char *Text, SIZE_T Size, const char *Format, va_list Arguments)
{
    static const char ellipsis[] = "...";
    WRITER w = {Text, Size - sizeof ellipsis, 0, FALSE};
    va_list arguments;

    va_copy(arguments, Arguments);
    for (const char *p = Format; *p && !w.Cut;)
        if (*p == '%')
            p = write_directive(&w, p, &arguments);
        else
            write_bytes(&w, p++, 1);
    va_end(arguments);
    Text[w.Used] = 0;
    if (w.Cut) {
        w.Used = whole_characters(Text, w.Used);
        memcpy(Text + w.Used, ellipsis, sizeof ellipsis);
        w.Used += sizeof ellipsis - 1;
    }
    return w.Used;
}

/* ---- the whole trace ---- */

void ExpPrint(EXP_LINES *Lines, const char *Format, ...)
{
    SIZE_T room = Lines->Size > Lines->Length ? Lines->Size - Lines->Length : 0;
    va_list arguments;
    int n;

    va_start(arguments, Format);
    n = vsnprintf(room ? Lines->Text + Lines->Length : NULL, room, Format, arguments);
    va_end(arguments);
    Lines->Length += (SIZE_T)(n > 0 ? n : 0);
}

const char *ExpPlaceFile(const EMU_TRACE_PLACE *Place)
{
    EMU_POOL_SITE site = {.File = Place->File};

    return EmuPoolSiteFile(&site);
}

static void print_status(EXP_LINES *l, NTSTATUS status)
{
    const char *name = EmuStatusName(status);

    if (name)
        ExpPrint(l, "%s (%08X)", name, (ULONG)status);
    else
        ExpPrint(l, "status %08X", (ULONG)status);
}

static void print_event(EXP_LINES *l, const EMU_TRACE_EVENT *e)
{
    const char *name = EmuStatusName(e->Status);

    if (e->Kind == EmuTraceCall) {
        ExpPrint(l, "%s\n", e->Text);
        return;
    }
    ExpPrint(l, "  %-4s %s", e->Place->Layer, e->Text);
    if (e->Kind == EmuTraceDecision && name)
        ExpPrint(l, " -> %s", name);
    else if (e->Kind == EmuTraceDecision)
        ExpPrint(l, " -> status %08X", (ULONG)e->Status);
    ExpPrint(l, "\n");
}

static void print_result(EXP_LINES *l, const EMU_TRACE *trace)
{
    const EMU_TRACE_EVENT *decider = EmuTraceDecider(trace);
    ULONG error = RtlNtStatusToDosError(trace->Status);

    ExpPrint(l, "  =    ");
    print_status(l, trace->Status);
    if (error)
        ExpPrint(l, ", error %u", error);
    if (decider)
        ExpPrint(l, "; decided by %s, %s:%u", decider->Place->Layer, ExpPlaceFile(decider->Place),
                 decider->Place->Line);
    ExpPrint(l, "\n");
}

static void print_sum(EXP_LINES *l, const char *what, const EMU_TRACE_SUM *sum)
{
    ExpPrint(l, "%s%llu", what, (unsigned long long)sum->Blocks);
    if (sum->Blocks)
        ExpPrint(l, ", %llu bytes", (unsigned long long)sum->Bytes);
}

static void print_pool(EXP_LINES *l, const EMU_TRACE *trace, POOL_TYPE type)
{
    const EMU_TRACE_POOL *pool = &trace->Pool[type];
    const EMU_TRACE_SUMS *s = &pool->Sums;

    if (!s->Taken.Blocks && !s->Older.Blocks && !pool->Refused)
        return;
    print_sum(l, type == PagedPool ? "  pool paged: took " : "  pool nonpaged: took ", &s->Taken);
    print_sum(l, "; gave back ", &s->Returned);
    print_sum(l, "; kept ", &s->Kept);
    if (s->Older.Blocks)
        print_sum(l, "; freed older ", &s->Older);
    if (pool->Refused)
        ExpPrint(l, "; %llu refused", (unsigned long long)pool->Refused);
    if (pool->Pages)
        ExpPrint(l, "; %+lld pages", (long long)pool->Pages);
    ExpPrint(l, "\n");
}

static void print_kept(EXP_LINES *l, const EMU_TRACE_USE *use)
{
    const EMU_TRACE_SUM *kept = &use->Sums.Kept;

    if (kept->Blocks)
        ExpPrint(l, "       kept %llu: %llu bytes %s %.4s %s:%u\n", (unsigned long long)kept->Blocks,
                 (unsigned long long)kept->Bytes, use->Paged ? "paged" : "nonpaged", (const char *)&use->Tag,
                 EmuPoolSiteFile(use->Site), use->Site->Line);
}

SIZE_T EmuTraceText(const EMU_TRACE *Trace, char *Text, SIZE_T Size)
{
    EXP_LINES l = {Text, Size, 0};

    if (Size)
        Text[0] = 0;
    for (ULONG i = 0; i < Trace->EventCount; i++)
        print_event(&l, &Trace->Events[i]);
    if (Trace->EventsDropped)
        ExpPrint(&l, "  ...  %u more\n", Trace->EventsDropped);
    print_result(&l, Trace);
    print_pool(&l, Trace, NonPagedPool);
    print_pool(&l, Trace, PagedPool);
    for (ULONG i = 0; i < Trace->UseCount; i++)
        print_kept(&l, &Trace->Uses[i]);
    if (Trace->UnderWay)
        ExpPrint(&l, "       %u of its requests are still under way: what they hold counts as kept\n", Trace->UnderWay);
    if (Trace->NotFollowed)
        ExpPrint(&l, "       not exact: %llu blocks were too many to follow\n", (unsigned long long)Trace->NotFollowed);
    return l.Length;
}
