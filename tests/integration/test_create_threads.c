/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_threads.c - random sequences of opens, each of a thread of its own, at once on one machine and on the
 * same files. What a step answers depends on the others' then; but it is an answer to such a step, and when all is
 * closed the machine has nothing left but what the build's defect leaves. usage: test_create_threads [SEED]
 * RDRLAB_SOAK: with 1,000,000 calls, the first seed is the time
 */
#include "differential.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lab.h"

#define THREADS 2

static unsigned long long first_seed = 235425; /* what was green stays green; the long form looks for what is new */

struct player {
    pthread_t thread;
    pthread_barrier_t *start;
    unsigned long long seed, calls;
    unsigned leaked;
    struct step refused; /* the step whose status is none of those that there are */
    NTSTATUS status;     /* of it; STATUS_SUCCESS: there was none */
};

static bool is_an_answer(NTSTATUS status)
{
    static const NTSTATUS answers[] = {
        STATUS_SUCCESS,
        STATUS_ACCESS_DENIED,
        STATUS_CANNOT_DELETE,
        STATUS_DELETE_PENDING,
        STATUS_DIRECTORY_NOT_EMPTY,
        STATUS_FILE_IS_A_DIRECTORY,
        STATUS_INVALID_PARAMETER,
        STATUS_NOT_A_DIRECTORY,
        STATUS_OBJECT_NAME_COLLISION,
        STATUS_OBJECT_NAME_INVALID,
        STATUS_OBJECT_NAME_NOT_FOUND,
        STATUS_OBJECT_PATH_NOT_FOUND,
        STATUS_OBJECT_PATH_SYNTAX_BAD,
        STATUS_SHARING_VIOLATION,
        STATUS_UNEXPECTED_NETWORK_ERROR, /* a rename could not open it again */
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (answers[i] == status)
            return true;
    }
    return false;
}

static void *play(void *context)
{
    struct player *player = context;
    HANDLE handles[MAX_STEPS] = {NULL};
    struct step steps[MAX_STEPS];
    const unsigned count = make_steps(player->seed, steps);

    pthread_barrier_wait(player->start);
    for (unsigned i = 0; i < count; i++) {
        const struct outcome outcome = play_with(handles, &steps[i]);

        if (!outcome.played)
            continue;
        player->calls++;
        player->leaked += leaves_a_block(&steps[i], &outcome);
        if (!is_an_answer(outcome.status)) {
            player->refused = steps[i];
            player->status = outcome.status;
        }
    }
    for (unsigned i = 0; i < MAX_STEPS; i++) {
        if (handles[i] != NULL)
            NtClose(handles[i]);
    }
    return NULL;
}

/* Returns the calls. */
static unsigned long long play_at_once(unsigned long long seed, const char *build, bool defect)
{
    struct player players[THREADS] = {0};
    unsigned long long calls = 0;
    pthread_barrier_t start;
    unsigned expected = 0;

    players_begin_alone(build);
    assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        players[i].start = &start;
        players[i].seed = seed * THREADS + i;
        assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(players[i].thread, NULL), 0);
        calls += players[i].calls;
        expected += defect ? players[i].leaked : 0;
        if (players[i].status != STATUS_SUCCESS) {
            print_message("seed %llu, %s, thread %u: ", seed, build, i);
            print_step(&players[i].refused);
            print_message("\n");
            assert_status(players[i].status, STATUS_SUCCESS);
        }
    }
    pthread_barrier_destroy(&start);
    if (players_end(expected) != expected)
        fail_msg("seed %llu, %s: not the %u pool blocks that the defect leaves", seed, build, expected);
    return calls;
}

static void test_threads_leave_nothing(void **state)
{
    const unsigned long long wanted = getenv("RDRLAB_SOAK") != NULL ? 1000000 : 20000;
    unsigned long long calls = 0;

    (void)state;
    print_message("seed %llu\n", first_seed);
    for (unsigned long long seed = first_seed; calls < wanted; seed++) {
        const bool defect = seed % 2 != 0;

        calls += play_at_once(seed, defect ? "nt4-sp5" : "nt4-sp6", defect);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_leave_nothing),
    };

    if (getenv("RDRLAB_SOAK") != NULL)
        first_seed = (unsigned long long)time(NULL);
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
