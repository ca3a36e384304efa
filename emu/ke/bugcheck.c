/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KeBugCheckEx: the machine stops. Under a test it is an event that the test asserts. */
#include <ntemu/ntifs.h>

#include <stdio.h>
#include <stdlib.h>

static EMU_BUG_CHECK_ROUTINE *bug_check_routine;

EMU_BUG_CHECK_ROUTINE *EmuSetBugCheckRoutine(EMU_BUG_CHECK_ROUTINE *Routine)
{
    return __atomic_exchange_n(&bug_check_routine, Routine, __ATOMIC_SEQ_CST);
}

DECLSPEC_NORETURN void NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    EMU_BUG_CHECK bug_check = {BugCheckCode, {P1, P2, P3, P4}};
    EMU_BUG_CHECK_ROUTINE *routine = __atomic_load_n(&bug_check_routine, __ATOMIC_SEQ_CST);

    if (routine)
        routine(&bug_check);
    fprintf(stderr, "*** STOP: 0x%08X (0x%016lX,0x%016lX,0x%016lX,0x%016lX)\n", BugCheckCode, (unsigned long)P1,
            (unsigned long)P2, (unsigned long)P3, (unsigned long)P4);
    abort();
}
