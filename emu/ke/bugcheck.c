/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KeBugCheckEx: the machine stops. Under a test it is an event that the test asserts. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irql.h"
#include "stack.h"

static EMU_BUG_CHECK_ROUTINE *bug_check_routine;
static KI_DESCRIBE_ROUTINE *describe_routine;

EMU_BUG_CHECK_ROUTINE *EmuSetBugCheckRoutine(EMU_BUG_CHECK_ROUTINE *Routine)
{
    return __atomic_exchange_n(&bug_check_routine, Routine, __ATOMIC_SEQ_CST);
}

void KiSetDescribeRoutine(KI_DESCRIBE_ROUTINE *Routine)
{
    __atomic_store_n(&describe_routine, Routine, __ATOMIC_SEQ_CST);
}

/* Describing reads pool blocks: not with paged pool out of reach, and not again if that itself bug checks. */
static void describe(EMU_BUG_CHECK *bug_check)
{
    static _Thread_local BOOLEAN describing;
    KI_DESCRIBE_ROUTINE *routine = __atomic_load_n(&describe_routine, __ATOMIC_SEQ_CST);
    BOOLEAN suspended;

    if (!routine || describing)
        return;
    describing = TRUE;
    suspended = KiSuspendIrqlChecking();
    routine(bug_check);
    KiResumeIrqlChecking(suspended);
    describing = FALSE;
}

void KiBugCheck(ULONG Code, const ULONG_PTR Parameters[4], const PVOID *Frames, ULONG Depth)
{
    EMU_BUG_CHECK bug_check = {.Code = Code, .Irql = KeGetCurrentIrql(), .Stack = {.Depth = Depth}};
    EMU_BUG_CHECK_ROUTINE *routine = __atomic_load_n(&bug_check_routine, __ATOMIC_SEQ_CST);
    char text[EMU_BUG_CHECK_TEXT];

    memcpy(bug_check.Parameters, Parameters, sizeof bug_check.Parameters);
    memcpy(bug_check.Stack.Frames, Frames, Depth * sizeof *Frames);
    describe(&bug_check);
    if (routine)
        routine(&bug_check);
    EmuFormatBugCheck(&bug_check, text, sizeof text);
    fputs(text, stderr);
    abort();
}

DECLSPEC_NORETURN void NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    const ULONG_PTR parameters[4] = {P1, P2, P3, P4};
    PVOID frames[EMU_BUG_CHECK_FRAMES];
    ULONG depth = KiCaptureStack(0, frames, EMU_BUG_CHECK_FRAMES);

    KiBugCheck(BugCheckCode, parameters, frames, depth);
}
