/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_differential.c - random sequences of opens on the machine, and the same on smbd with a client that gives
 * its NTSTATUS: what differs must be explained, and when all is closed the machine has nothing left.
 * usage: test_create_differential PEER [WORKER [SEED]]   RDRLAB_SOAK: with 100,000 calls, the first seed is the time
 *        test_create_differential documented FILE        whether every reason for a difference stands in the document
 */
#include "differential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lab.h"

static enum peer peer;
static unsigned long long first_seed = 235425; /* what was green stays green; the long form looks for what is new */
static unsigned long long calls, differences;

/* Where a sequence went wrong. */
struct failure {
    bool failed;
    struct step step;
    struct outcome machine, server;
    unsigned left, expected; /* pool blocks, if it was the shutdown */
};

static bool asks_to_delete(const struct step *step)
{
    return step->kind == STEP_DISPOSITION ? step->flag : (step->options & FILE_DELETE_ON_CLOSE) != 0;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->played == b->played && a->status == b->status && a->information == b->information;
}

/* FALSE: the two shares are not the same any more, so there is nothing more to compare. */
static bool go_on_after(const struct step *step, const struct outcome *machine, const struct outcome *server)
{
    const struct outcome *done = NT_SUCCESS(machine->status) ? machine : server;

    if (NT_SUCCESS(machine->status) == NT_SUCCESS(server->status) || step->kind == STEP_CLOSE)
        return true;
    if (step->kind != STEP_CREATE || done->information != FILE_OPENED || (step->options & FILE_DELETE_ON_CLOSE) != 0)
        return false;
    players_forget(step->number);
    return true;
}

/* Plays the steps from the beginning. count_them: they are part of the test, and not of looking for its reason. */
static struct failure play(const struct step *steps, unsigned count, const char *build, bool count_them)
{
    const bool defect = strcmp(build, "nt4-sp5") == 0;
    struct failure failure = {0};
    bool deletes = false; /* something may be open to be deleted on close */

    players_begin(build);
    for (unsigned i = 0; i < count && !failure.failed; i++) {
        struct outcome machine = play_on_machine(&steps[i]), server = play_on_server(&steps[i]);

        if (!machine.played && !server.played)
            continue;
        calls += count_them;
        failure.expected += defect && leaves_a_block(&steps[i], &machine);
        deletes |= NT_SUCCESS(machine.status) && asks_to_delete(&steps[i]);
        /* The machine deletes by the name a file was opened by, after it has closed it, and smbd by handle, and forgets
         * about it when it is renamed: they come to different ends. */
        if (deletes && disturbs_deleting(&steps[i]) && NT_SUCCESS(machine.status))
            break;
        if (same(&machine, &server))
            continue;
        differences += count_them;
        failure.step = steps[i];
        failure.machine = machine;
        failure.server = server;
        failure.failed = explain(peer, &steps[i], &machine, &server) == NULL;
        if (!failure.failed && !go_on_after(&steps[i], &machine, &server))
            break;
    }
    failure.left = players_end(failure.failed ? ~0u : failure.expected);
    if (!failure.failed && failure.left != failure.expected)
        failure = (struct failure){.failed = true, .left = failure.left, .expected = failure.expected};
    return failure;
}

/* Whether it is the same thing that goes wrong. */
static bool same_failure(const struct failure *a, const struct failure *b)
{
    return a->failed == b->failed && a->step.kind == b->step.kind && a->machine.status == b->machine.status &&
           a->server.status == b->server.status && a->machine.information == b->machine.information &&
           a->server.information == b->server.information;
}

/* Leaves out whatever it goes wrong without: halves first, single steps last. Returns how many steps remain. */
static unsigned shrink(struct step *steps, unsigned count, const char *build, const struct failure *failure)
{
    for (unsigned size = count / 2; size > 0; size = size > 1 ? size / 2 : 0) {
        for (unsigned at = 0; at + size <= count;) {
            struct step fewer[MAX_STEPS];
            struct failure again;

            memcpy(fewer, steps, at * sizeof *steps);
            memcpy(fewer + at, steps + at + size, (count - at - size) * sizeof *steps);
            again = play(fewer, count - size, build, false);
            if (!same_failure(&again, failure)) {
                at += size;
                continue;
            }
            count -= size;
            memcpy(steps, fewer, count * sizeof *steps);
        }
    }
    return count;
}

static void report(unsigned long long seed, const char *build, struct step *steps, unsigned count,
                   const struct failure *failure)
{
    print_message("seed %llu, %s; the shortest sequence that shows it:\n", seed, build);
    count = shrink(steps, count, build, failure);
    players_begin(build);
    for (unsigned i = 0; i < count; i++) {
        struct outcome machine = play_on_machine(&steps[i]), server = play_on_server(&steps[i]);

        print_step(&steps[i]);
        print_message("\n     machine %s (0x%08x) %u, server %s (0x%08x) %u\n", status_name(machine.status),
                      (unsigned)machine.status, (unsigned)machine.information, status_name(server.status),
                      (unsigned)server.status, (unsigned)server.information);
    }
    players_end(failure->left);
    if (failure->left != failure->expected)
        print_message("pool blocks left: %u, not %u\n", failure->left, failure->expected);
}

static void test_every_difference_is_explained(void **state)
{
    const unsigned long long wanted = getenv("RDRLAB_SOAK") != NULL ? 100000 : 2000;
    unsigned failures = 0;

    (void)state;
    print_message("seed %llu\n", first_seed);
    for (unsigned long long seed = first_seed; calls < wanted && failures < 5; seed++) {
        const char *build = seed % 4 == 3 ? "nt4-sp5" : "nt4-sp6";
        struct step steps[MAX_STEPS];
        const unsigned count = make_steps(seed, steps);
        const struct failure failure = play(steps, count, build, true);

        if (failure.failed) {
            report(seed, build, steps, count, &failure);
            failures++;
        }
    }
    print_explanations(getenv("RDRLAB_SOAK") != NULL ? "soak: " : "");
    print_message("%s%llu calls, %llu differences\n", getenv("RDRLAB_SOAK") != NULL ? "soak: " : "", calls,
                  differences);
    assert_int_equal(failures, 0);
    if (getenv("RDRLAB_SOAK") != NULL)
        assert_int_equal(count_dead_explanations(peer), 0);
}

/* ---- the document ---- */

static const char *document;

static char *read_document(void)
{
    FILE *file = fopen(document, "r");
    char *text;
    long size;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static void test_every_reason_is_documented(void **state)
{
    char *text = read_document();
    unsigned missing = 0;

    (void)state;
    for (size_t i = 0; explanation(i) != NULL; i++) {
        char line[256];

        assert_in_range(snprintf(line, sizeof line, "\n- %s\n", explanation(i)), 1, sizeof line - 1);
        if (strstr(text, line) != NULL)
            continue;
        print_message("not in %s:%s", document, line);
        missing++;
    }
    free(text);
    assert_int_equal(missing, 0);
}

static int check_document(const char *path)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason_is_documented),
    };

    document = path;
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_difference_is_explained),
    };
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: test_create_differential PEER [WORKER [SEED]]\n"
                        "       test_create_differential documented FILE\n");
        return 2;
    }
    if (strcmp(argv[1], "documented") == 0 && argc > 2)
        return check_document(argv[2]);
    peer = strcmp(argv[1], "mem") == 0 ? PEER_MEM : PEER_LIBSMBCLIENT;
    if (getenv("RDRLAB_SOAK") != NULL)
        first_seed = (unsigned long long)time(NULL);
    if (argc > 3)
        first_seed = strtoull(argv[3], NULL, 0);
    rc = players_start(argv[1], argc > 2 ? argv[2] : NULL);
    if (rc != 0)
        return rc;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    players_stop();
    return rc != 0 ? 1 : 0;
}
