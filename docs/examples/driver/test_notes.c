/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver on a machine in process. Each test boots one; its last assertion is that the driver holds no pool. */
#include "notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ntemu/cmocka.h>
#include <ntemu/machine.h>

static EMU_POOL_SNAPSHOT before;

static NTSTATUS open_note(const WCHAR *text, HANDLE *handle)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    IO_STATUS_BLOCK io;

    RtlInitUnicodeString(&name, text);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtCreateFile(handle, FILE_READ_DATA, &attributes, &io, NULL, 0, 0, FILE_OPEN, 0, NULL, 0);
}

static int boot(void **state)
{
    static UNICODE_STRING driver = NT_STRING(u"\\Driver\\Notes");
    char error[256] = "";

    (void)state;
    if (!NT_SUCCESS(EmuMachineBoot(NULL, error, sizeof(error))))
        fail_msg("no machine: %s", error);
    assert_int_equal(IoCreateDriver(&driver, NotesDriverEntry), STATUS_SUCCESS);
    return EmuPoolTakeSnapshot(&before) == STATUS_SUCCESS ? 0 : -1;
}

/* Of the driver's own: the machine keeps a handle table for its System process from the first open on. */
static void assert_nothing_kept(void)
{
    EMU_POOL_SNAPSHOT after, kept;

    assert_int_equal(EmuPoolTakeSnapshot(&after), STATUS_SUCCESS);
    assert_int_equal(EmuPoolCompare(&before, &after, &kept), STATUS_SUCCESS);
    for (ULONG i = 0; i < kept.Count; i++) {
        const EMU_POOL_USE *use = &kept.Uses[i];
        if (use->Tag == NOTES_TAG && use->LiveBlocks != 0)
            fail_msg("%ld blocks, tag %.4s, at %s:%u", (long)use->LiveBlocks, (const char *)&use->Tag,
                     EmuPoolSiteFile(use->Site), use->Site->Line);
    }
    EmuPoolFreeSnapshot(&kept);
    EmuPoolFreeSnapshot(&after);
}

static int shut_down(void **state)
{
    (void)state;
    EmuPoolFreeSnapshot(&before);
    return EmuMachineShutdown(NULL) == STATUS_INVALID_DEVICE_STATE ? -1 : 0;
}

static void test_a_closed_note_is_given_back(void **state)
{
    HANDLE handle;

    (void)state;
    assert_int_equal(open_note(u"\\Device\\Notes\\milk", &handle), STATUS_SUCCESS);
    assert_int_equal(NtClose(handle), STATUS_SUCCESS);
    assert_nothing_kept();
}

static void test_a_refused_name_is_given_back(void **state)
{
    HANDLE handle;

    (void)state;
    /* One call's verdict: the driver decided this, and the call kept nothing. If not, its whole trace is printed. */
    emu_assert_call("Nts", STATUS_OBJECT_NAME_INVALID, 0, 0,
                    open_note(u"\\Device\\Notes\\milk, eggs, flour, butter, sugar, salt", &handle));
}

/* Each allocation on the way refused once, until a run meets no refusal. */
static void test_no_refused_allocation_costs_anything(void **state)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    ULONG64 n = 0;
    HANDLE handle;

    (void)state;
    while (status == STATUS_INSUFFICIENT_RESOURCES) {
        EmuPoolFailAllocations(++n, 1);
        status = open_note(u"\\Device\\Notes\\milk", &handle);
        EmuPoolFailAllocations(0, 0);
        if (status == STATUS_INSUFFICIENT_RESOURCES)
            assert_nothing_kept();
    }
    assert_int_equal(status, STATUS_SUCCESS);
    assert_true(n > 1);
    assert_int_equal(NtClose(handle), STATUS_SUCCESS);
    assert_nothing_kept();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_closed_note_is_given_back, boot, shut_down),
        cmocka_unit_test_setup_teardown(test_a_refused_name_is_given_back, boot, shut_down),
        cmocka_unit_test_setup_teardown(test_no_refused_allocation_costs_anything, boot, shut_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
