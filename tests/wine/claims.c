/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* claims.c - claims of a Win32 program. See claims.h. */
#include "claims.h"

#include <string.h>
#include <unistd.h>

struct winelab lab;

int open_lab(void **state)
{
    (void)state;
    return winelab_open(&lab) ? 0 : -1;
}

int close_lab(void **state)
{
    (void)state;
    winelab_close(&lab);
    return 0;
}

void claim_prepare(struct program *program, const struct claims *claims, const char *name, const struct daemon *daemon,
                   const char *transport)
{
    memset(program, 0, sizeof(*program));
    program->argv[0] = winelab_program(&lab, claims->program);
    program->argv[1] = name;
    for (int i = 0; claims->arguments[i]; i++)
        program->argv[i + 2] = claims->arguments[i];
    program->machine = daemon ? daemon->folder : NULL;
    program->transport = transport;
}

void expect_line(int from, const char *expected)
{
    char line[64];
    size_t length = 0;

    while (length < sizeof(line) - 1 && read(from, line + length, 1) == 1 && line[length] != '\n')
        length += line[length] != '\r';
    line[length] = '\0';
    assert_string_equal(line, expected);
}

bool claim_holds(const struct claims *claims, const char *name, const struct daemon *daemon, const char *transport)
{
    static struct program program; /* large */

    claim_prepare(&program, claims, name, daemon, transport);
    if (winelab_run(&lab, &program, 120) && program.status == 0)
        return true;
    print_error("%s does not hold (%d):\n%s", name, program.status, program.error);
    return false;
}

int claims_that_fail(const struct claims *claims, const struct daemon *daemon, const struct way *way,
                     const char *transport)
{
    int wrong = 0;

    for (size_t i = 0; claims->names[i]; i++) {
        if (claims->before)
            claims->before(way);
        wrong += !claim_holds(claims, claims->names[i], daemon, transport);
        await_machine(way, 1, 0);
        if (claims->after)
            wrong += claims->after(daemon, way);
    }
    return wrong;
}

void check_claims(const struct claims *claims, const char *transport)
{
    static const char *const build[] = {"--build", "nt4-sp6", NULL};
    struct daemon daemon;
    struct way way = {0};
    int wrong;

    daemon_start(&daemon, build);
    way.client = daemon_connect(&daemon, 0);
    wrong = claims_that_fail(claims, &daemon, &way, transport);
    wire_disconnect(way.client);
    if (daemon_stop(&daemon) != 0)
        fail_msg("something is left in the machine");
    assert_int_equal(wrong, 0);
}

void test_claims_hold_over_system_calls(void **state)
{
    check_claims(*state, "raw");
}

void test_claims_hold_over_mapped_regions(void **state)
{
    check_claims(*state, "mapped");
}

void test_claims_hold_through_a_relay(void **state)
{
    daemon_use_relays();
    check_claims(*state, "raw");
}

int claims_main(const struct claims *claims, const struct CMUnitTest *others, size_t count)
{
    const struct CMUnitTest own[] = {
        CLAIMS_TEST(test_claims_hold_over_system_calls, claims),
        CLAIMS_TEST(test_claims_hold_over_mapped_regions, claims),
        CLAIMS_TEST(test_claims_hold_through_a_relay, claims),
    };
    struct CMUnitTest tests[4 + sizeof(own) / sizeof(own[0])];
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        tests[i] = others[i];
    memcpy(tests + count, own, sizeof(own));
    return _cmocka_run_group_tests(claims->program, tests, count + sizeof(own) / sizeof(own[0]), open_lab, close_lab);
}
