/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * claims.h - what a Win32 program claims, one claim a run (claim.h), and whether it holds on a machine.
 */
#ifndef RDRLAB_TESTS_CLAIMS_H
#define RDRLAB_TESTS_CLAIMS_H

#include "daemon.h"
#include "winelab.h"

/* The test program's lab, and its group's setup and teardown. */
extern struct winelab lab;
int open_lab(void **state);
int close_lab(void **state);

struct claims {
    const char *program;                   /* of the Windows half: "tests/wine/probe.exe" */
    const char *const *names;              /* NULL-terminated */
    const char *arguments[3];              /* that it gets behind the claim's name, NULL-terminated */
    void (*before)(const struct way *way); /* each of them, or NULL */
    /* After each, when the machine has neither its process nor a file of its any more: says what is wrong and how much
     * is, and undoes `before`. Or NULL. */
    int (*after)(const struct daemon *daemon, const struct way *way);
};

/* A run of the program for one claim; everything else in `program` is reset. transport may be NULL. */
void claim_prepare(struct program *program, const struct claims *claims, const char *name, const struct daemon *daemon,
                   const char *transport);

/* That this is the next line of a program that winelab_talk has started. */
void expect_line(int from, const char *expected);

/* Runs it, and complains if it does not hold. */
bool claim_holds(const struct claims *claims, const char *name, const struct daemon *daemon, const char *transport);

/* All of them, over this transport, on a machine whose only other client is way's. Returns how much is wrong. */
int claims_that_fail(const struct claims *claims, const struct daemon *daemon, const struct way *way,
                     const char *transport);

/* The same on an nt4-sp6 of its own with a share in memory, in which nothing may be left at the end; fails the test. */
void check_claims(const struct claims *claims, const char *transport);

/* What main returns for a test that is these claims in memory, on both transports, and through a relay, and before
 * these `count` others, at most 4. */
int claims_main(const struct claims *claims, const struct CMUnitTest *others, size_t count);

/* Tests of all claims of *state, of which the last one makes all later machines be behind a relay. */
void test_claims_hold_over_system_calls(void **state);
void test_claims_hold_over_mapped_regions(void **state);
void test_claims_hold_through_a_relay(void **state);
#define CLAIMS_TEST(test, claims) cmocka_unit_test_prestate(test, (void *)(claims))

#endif
