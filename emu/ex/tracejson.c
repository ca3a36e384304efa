/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A trace for programs. The shape is documented in docs/trace.md: members are added to it, and none changes. */
#include "tracep.h"

static void print_string(EXP_LINES *l, const char *key, const char *text)
{
    ExpPrint(l, "\"%s\":\"", key);
    for (; *text; text++) /* control characters are pictures already */
        ExpPrint(l, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    ExpPrint(l, "\"");
}

static void print_status(EXP_LINES *l, NTSTATUS status)
{
    const char *name = EmuStatusName(status);

    ExpPrint(l, "\"status\":\"%08X\",\"status_name\":", (ULONG)status);
    ExpPrint(l, name ? "\"%s\"" : "null%s", name ? name : "");
}

static void print_place(EXP_LINES *l, const EMU_TRACE_PLACE *place)
{
    print_string(l, "layer", place->Layer);
    ExpPrint(l, ",");
    print_string(l, "function", place->Function);
    ExpPrint(l, ",");
    print_string(l, "file", ExpPlaceFile(place));
    ExpPrint(l, ",\"line\":%u", place->Line);
}

static void print_event(EXP_LINES *l, const EMU_TRACE_EVENT *e)
{
    static const char *const kinds[] = {"call", "step", "decision"};

    ExpPrint(l, "{\"kind\":\"%s\",", kinds[e->Kind]);
    print_place(l, e->Place);
    if (e->Kind == EmuTraceDecision) {
        ExpPrint(l, ",");
        print_status(l, e->Status);
    }
    ExpPrint(l, ",");
    print_string(l, "text", e->Text);
    ExpPrint(l, "}");
}

static void print_sum(EXP_LINES *l, const char *key, const EMU_TRACE_SUM *sum)
{
    ExpPrint(l, "\"%s\":{\"blocks\":%llu,\"bytes\":%llu}", key, (unsigned long long)sum->Blocks,
             (unsigned long long)sum->Bytes);
}

static void print_sums(EXP_LINES *l, const EMU_TRACE_SUMS *s)
{
    print_sum(l, "took", &s->Taken);
    ExpPrint(l, ",");
    print_sum(l, "gave_back", &s->Returned);
    ExpPrint(l, ",");
    print_sum(l, "kept", &s->Kept);
    ExpPrint(l, ",");
    print_sum(l, "freed_older", &s->Older);
}

static void print_pool(EXP_LINES *l, const char *key, const EMU_TRACE_POOL *pool)
{
    ExpPrint(l, "\"%s\":{", key);
    print_sums(l, &pool->Sums);
    ExpPrint(l, ",\"refused\":%llu,\"pages\":%lld}", (unsigned long long)pool->Refused, (long long)pool->Pages);
}

static void print_use(EXP_LINES *l, const EMU_TRACE_USE *use)
{
    char tag[5] = {0};

    for (ULONG i = 0; i < 4; i++) {
        char c = (char)(use->Tag >> 8 * i & 0xff);
        tag[i] = c >= ' ' && c < 0x7f ? c : '.';
    }
    ExpPrint(l, "{");
    print_string(l, "tag", tag);
    ExpPrint(l, ",\"pool\":\"%s\",", use->Paged ? "paged" : "nonpaged");
    print_string(l, "file", EmuPoolSiteFile(use->Site));
    ExpPrint(l, ",\"line\":%u,", use->Site->Line);
    print_sums(l, &use->Sums);
    ExpPrint(l, "}");
}

SIZE_T EmuTraceJson(const EMU_TRACE *Trace, char *Text, SIZE_T Size)
{
    const EMU_TRACE_EVENT *decider = EmuTraceDecider(Trace);
    EXP_LINES l = {Text, Size, 0};

    if (Size)
        Text[0] = 0;
    ExpPrint(&l, "{");
    print_status(&l, Trace->Status);
    ExpPrint(&l, ",\"error\":%u,\"decided_by\":", RtlNtStatusToDosError(Trace->Status));
    ExpPrint(&l, decider ? "{" : "null");
    if (decider) {
        print_place(&l, decider->Place);
        ExpPrint(&l, "}");
    }
    ExpPrint(&l, ",\"events\":[");
    for (ULONG i = 0; i < Trace->EventCount; i++) {
        ExpPrint(&l, i ? "," : "");
        print_event(&l, &Trace->Events[i]);
    }
    ExpPrint(&l, "],\"events_dropped\":%u,\"pool\":{", Trace->EventsDropped);
    print_pool(&l, "nonpaged", &Trace->Pool[NonPagedPool]);
    ExpPrint(&l, ",");
    print_pool(&l, "paged", &Trace->Pool[PagedPool]);
    ExpPrint(&l, ",\"not_followed\":%llu},\"uses\":[", (unsigned long long)Trace->NotFollowed);
    for (ULONG i = 0; i < Trace->UseCount; i++) {
        ExpPrint(&l, i ? "," : "");
        print_use(&l, &Trace->Uses[i]);
    }
    ExpPrint(&l, "],\"under_way\":%u}", Trace->UnderWay);
    return l.Length;
}
