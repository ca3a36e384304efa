/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmocka.h - for CMocka tests of kernel code: what one call decided and what it kept of the pool. An assertion that
 * fails prints the call's whole trace. Include cmocka.h and what it needs first.
 *
 *   emu_assert_decided("Nts", STATUS_DEVICE_BUSY, NotesEntry(...));   that status, and that layer decided it
 *   emu_assert_keeps(1, 396, NtCreateFile(...));                      so many blocks and bytes are kept afterwards
 *   emu_assert_no_leak(NtCreateFile(...));                            emu_assert_keeps(0, 0, ...)
 *
 * Call is evaluated once; the value of each is its status. In a status's place EMU_ANY_STATUS, in the layer's NULL:
 * whoever. What a call that succeeds is to keep, a handle's file object, counts as kept too.
 */
#ifndef NTEMU_CMOCKA_H
#define NTEMU_CMOCKA_H

#include <ntemu/trace.h>
#include <stdio.h>
#include <string.h>

#define EMU_ANY_STATUS ((NTSTATUS)0xffffffff)
#define EMU_ANY_COUNT  (~(ULONG64)0)

typedef struct _EMU_EXPECTED {
    const char *Layer;
    NTSTATUS Status;
    ULONG64 Blocks, Bytes;
} EMU_EXPECTED;

static inline void EmuPrintTrace(const EMU_TRACE *Trace)
{
    char text[16384];

    EmuTraceText(Trace, text, sizeof text);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        print_error("    %.*s\n", (int)(end - line), line);
}

static inline const char *EmuUnexpected(const EMU_TRACE *Trace, const EMU_EXPECTED *Expected)
{
    const EMU_TRACE_EVENT *decider = EmuTraceDecider(Trace);
    EMU_TRACE_SUM kept = EmuTraceKept(Trace);

    if (Expected->Status != EMU_ANY_STATUS && Trace->Status != Expected->Status)
        return "another status than expected";
    if (Expected->Layer && (!decider || strcmp(decider->Place->Layer, Expected->Layer)))
        return "another layer decided than expected";
    if (Expected->Blocks != EMU_ANY_COUNT && kept.Blocks != Expected->Blocks)
        return "another number of blocks kept than expected";
    if (Expected->Bytes != EMU_ANY_COUNT && kept.Bytes != Expected->Bytes)
        return "another number of bytes kept than expected";
    return NULL;
}

/* Ends the trace, and the test if the call was not as expected. */
static inline NTSTATUS EmuCheckCall(PEMU_TRACE Trace, NTSTATUS Status, const EMU_EXPECTED *Expected, const char *Call,
                                    const char *File, int Line)
{
    const char *unexpected;

    EmuTraceEnd(Trace, Status);
    unexpected = EmuUnexpected(Trace, Expected);
    if (unexpected) {
        print_error("%s: %s\n", Call, unexpected);
        EmuPrintTrace(Trace);
    }
    EmuTraceFree(Trace);
    if (unexpected)
        _fail(File, Line);
    return Status;
}

#define emu_assert_call(layer, status, blocks, bytes, call)                                                            \
    __extension__({                                                                                                    \
        PEMU_TRACE trace_ = NULL;                                                                                      \
        const EMU_EXPECTED expected_ = {layer, status, blocks, bytes};                                                 \
        assert_int_equal(EmuTraceBegin(&trace_), STATUS_SUCCESS);                                                      \
        EmuCheckCall(trace_, (call), &expected_, #call, __FILE__, __LINE__);                                           \
    })
#define emu_assert_decided(layer, status, call) emu_assert_call(layer, status, EMU_ANY_COUNT, EMU_ANY_COUNT, call)
#define emu_assert_keeps(blocks, bytes, call)   emu_assert_call(NULL, EMU_ANY_STATUS, blocks, bytes, call)
#define emu_assert_no_leak(call)                emu_assert_keeps(0, 0, call)

#endif
