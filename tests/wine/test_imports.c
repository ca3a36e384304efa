/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_imports.c - createleak.exe, as built for both word sizes, is a program that Windows NT 4.0 would load.
 *
 * The programs and the allowlist come from the environment: RDRLAB_WIN64_DIR and RDRLAB_WIN32_DIR (build folders of
 * the Windows halves), RDRLAB_IMPORTS.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "pe.h"
#include "skip.h"

#define ALLOWED_MAX 128

struct allowed {
    char dll[64], function[64];
    double version;
    bool used;
};

static struct allowed allowed[ALLOWED_MAX];
static int allowed_count;

static const struct {
    const char *variable;
    uint16_t machine;
} builds[] = {
    {"RDRLAB_WIN64_DIR", PE_MACHINE_AMD64},
    {"RDRLAB_WIN32_DIR", PE_MACHINE_I386},
};

static void program_path(int build, char *path, size_t size)
{
    snprintf(path, size, "%s/tests/wine/createleak.exe", getenv(builds[build].variable));
}

static int read_allowlist(void **state)
{
    const char *path = getenv("RDRLAB_IMPORTS");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[256];

    if (!file)
        return -1;
    while (allowed_count < ALLOWED_MAX && fgets(line, sizeof(line), file)) {
        struct allowed *entry = &allowed[allowed_count];

        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%63s %63s %lf", entry->dll, entry->function, &entry->version) == 3)
            allowed_count++;
        else
            print_error("%s: not understood: %s", path, line);
    }
    fclose(file);
    return 0;
}

static void test_allowlist_holds_nothing_younger_than_nt4(void **state)
{
    assert_true(allowed_count > 0 && allowed_count < ALLOWED_MAX);
    for (int i = 0; i < allowed_count; i++)
        if (allowed[i].version < 3.1 || allowed[i].version > 4.0)
            fail_msg("row %d: %s came with Windows NT %.2f", i, allowed[i].function, allowed[i].version);
}

static void test_versions_are_4_0(void **state)
{
    char path[PATH_MAX];
    struct pe pe;

    for (int i = 0; i < 2; i++) {
        program_path(i, path, sizeof(path));
        assert_int_equal(pe_read(path, &pe), 0);
        if (pe.machine != builds[i].machine || pe.subsystem != PE_CONSOLE || pe.subsystem_major != 4 ||
            pe.subsystem_minor != 0 || pe.system_major != 4 || pe.system_minor != 0)
            fail_msg("row %d: %s: machine %04x, subsystem %u %u.%u, system %u.%u", i, path, pe.machine, pe.subsystem,
                     pe.subsystem_major, pe.subsystem_minor, pe.system_major, pe.system_minor);
        pe_free(&pe);
    }
}

static int look_up(void *context, const char *dll, const char *function)
{
    int *unknown = context;

    for (int i = 0; i < allowed_count; i++) {
        if (function && strcasecmp(dll, allowed[i].dll) == 0 && strcmp(function, allowed[i].function) == 0) {
            allowed[i].used = true;
            return 0;
        }
    }
    print_error("%s of %s is not on the allowlist\n", function ? function : "an ordinal", dll);
    ++*unknown;
    return 0;
}

static void test_imports_are_on_the_allowlist(void **state)
{
    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX];
        int unknown = 0;
        struct pe pe;

        program_path(i, path, sizeof(path));
        assert_int_equal(pe_read(path, &pe), 0);
        for (int j = 0; j < allowed_count; j++)
            allowed[j].used = false;
        assert_int_equal(pe_each_import(&pe, look_up, &unknown), 0);
        pe_free(&pe);
        if (unknown)
            fail_msg("row %d: %s", i, path);
        /* A reader that found nothing would pass otherwise. */
        for (int j = 0; j < allowed_count; j++)
            if (!allowed[j].used)
                fail_msg("row %d: %s does not import %s: the allowlist has more than is needed", i, path,
                         allowed[j].function);
    }
}

static void test_reader_refuses_what_is_no_program(void **state)
{
    struct pe pe = {.machine = 1};

    assert_int_equal(pe_read(getenv("RDRLAB_IMPORTS"), &pe), -ENOEXEC);
    assert_int_equal(pe_read("/no such file", &pe), -ENOENT);
    assert_int_equal(pe.machine, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowlist_holds_nothing_younger_than_nt4),
        cmocka_unit_test(test_versions_are_4_0),
        cmocka_unit_test(test_imports_are_on_the_allowlist),
        cmocka_unit_test(test_reader_refuses_what_is_no_program),
    };

    for (int i = 0; i < 2; i++) {
        char path[PATH_MAX], reason[PATH_MAX + 64];

        if (!getenv(builds[i].variable) || !*getenv(builds[i].variable)) {
            snprintf(reason, sizeof(reason), "%s is not set: which Windows build?", builds[i].variable);
            return skip_or_fail(reason);
        }
        program_path(i, path, sizeof(path));
        if (access(path, R_OK) != 0) {
            snprintf(reason, sizeof(reason), "%s is not built", path);
            return skip_or_fail(reason);
        }
    }
    return cmocka_run_group_tests(tests, read_allowlist, NULL);
}
