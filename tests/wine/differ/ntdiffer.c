/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntdiffer.exe - plays the same random Win32 calls in two folders and compares what comes of them.
 *
 *   ntdiffer LEFT RIGHT [OPTIONS]     LEFT is the one to compare with: a folder of a local drive
 *
 *   --calls N       go on until so many were played in each folder; default 20000
 *   --seed N        the first sequence's seed; default: the time. Every further sequence has the next one
 *   --threads N     so many at once, each with folders of its own; default 1
 *   --replay SEED   play this sequence only, and print its calls with their results
 *   --until N       ... up to its call N
 *   --soak          an explanation that served not once is an error, unless it is marked as rare
 *   --survey        count unexplained differences by class, with an example of each, and go on
 *
 * The two folders' names are equally long, so that what depends on a path's length does so in both; RIGHT is made if it
 * is not there. Exit status: 0 if all differences are explained, 1 if not, 2 for wrong usage.
 */
#include "differ_side.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define THREADS_MAX  8
#define FAILURES_MAX 5
#define CLASSES_MAX  256
#define LAST_CALLS   20

/* Attributes that one folder may have lost. */
#define STATE_OF_EITHER (STATE_HIDDEN | STATE_READ_ONLY)

static struct {
    const WCHAR *parents[2];
    uint64_t calls, seed, until;
    unsigned threads;
    bool replay, soak, survey;
} options = {.calls = 20000, .threads = 1, .until = UINT64_MAX};

static volatile LONG64 next_sequence, played_calls, differences;
static volatile LONG failures;
static CRITICAL_SECTION print_lock;

/* ---- one call on both sides ---- */

/* The two folders of a thread. */
struct pair {
    struct side sides[2];
};

/* The first unexplained difference of a sequence. */
struct failure {
    bool failed;
    struct call call;
    enum value value; /* VALUES: the outcome */
    unsigned state;
    struct result results[2];
    char texts[2][1024]; /* names that the calls gave */
};

static bool same_outcome(const struct result *left, const struct result *right)
{
    return left->played == right->played && left->error == right->error;
}

/* Of a call that did something in one folder and not in the other, both must forget. */
static bool changes_files(const struct call *call)
{
    switch (call->kind) {
    case CALL_CREATE:
        return call->disposition != OPEN_EXISTING || call->flags & FILE_FLAG_DELETE_ON_CLOSE;
    case CALL_CLOSE:
    case CALL_WRITE:
    case CALL_WRITE_AT:
    case CALL_SET_END:
    case CALL_LOCK:
    case CALL_UNLOCK:
    case CALL_SET_ATTRIBUTES:
    case CALL_MOVE:
    case CALL_COPY:
    case CALL_DELETE:
    case CALL_MAKE_FOLDER:
    case CALL_REMOVE_FOLDER:
        return true;
    default:
        return false;
    }
}

/* Play it and look for unexplained differences. False: the folders are not to be compared further. */
static bool play_both(struct pair *pair, const struct call *call, struct failure *failure)
{
    struct result left = side_play(&pair->sides[0], call), right = side_play(&pair->sides[1], call);
    const bool outcomes = same_outcome(&left, &right);
    unsigned state = 0;
    bool go_on = true;

    if ((left.played || right.played) && call->kind != CALL_CLEAN)
        InterlockedIncrement64(&played_calls);
    failure->results[0] = left;
    failure->results[1] = right;
    for (enum value value = 0; value <= VALUES; value++) {
        int reason;

        if (value < VALUES ? !outcomes || left.value[value] == right.value[value] : outcomes)
            continue;
        InterlockedIncrement64(&differences);
        if (!state)
            state = side_state(&pair->sides[0], call) |
                    (side_state(&pair->sides[1], call) & (STATE_OF_EITHER | STATE_OF_EITHER * STATE_SECOND));
        reason = explain(call, state, &left, &right, value);
        if (reason < 0) {
            *failure = (struct failure){true, *call, value, state, {left, right}, {"", ""}};
            for (int i = 0; i < 2; i++)
                snprintf(failure->texts[i], sizeof(failure->texts[i]), "%s", pair->sides[i].text);
            return false;
        }
        go_on &= !explanation_ends(reason);
        if (value == VALUE_POSITION)
            side_follow(&pair->sides[1], &pair->sides[0], call->slot);
        if (value == VALUE_TEXT || value == VALUE_COUNT) /* and with it the rest of what is told */
            break;
    }
    if (pair->sides[0].incomparable)
        return false;
    if (outcomes)
        return go_on;
    if (call->kind == CALL_CREATE || call->kind == CALL_DUPLICATE)
        for (int i = 0; i < 2; i++)
            side_drop(&pair->sides[i], call->kind == CALL_CREATE ? call->slot : call->slot2);
    /* Wine deletes a directory on close even if it refuses to open it. */
    if (call->kind == CALL_CREATE && call->flags & FILE_FLAG_DELETE_ON_CLOSE)
        return false;
    return go_on && ((left.error != 0 && right.error != 0) || !changes_files(call));
}

/* ---- telling ---- */

static void print_failure(const struct failure *failure)
{
    static const char *const names[] = {
#define X(value, name) [VALUE_##value] = (name),
        DIFFER_VALUES(X)
#undef X
    };
    const struct result *left = &failure->results[0], *right = &failure->results[1];

    if (failure->value == VALUES)
        printf("     left: error %u, right: error %u, state %x\n", left->error, right->error, failure->state);
    else
        printf("     left: %s %llx, right: %llx, state %x\n", names[failure->value],
               (unsigned long long)left->value[failure->value], (unsigned long long)right->value[failure->value],
               failure->state);
    if (*failure->texts[0] || *failure->texts[1])
        printf("left:\n%s\nright:\n%s\n", failure->texts[0], failure->texts[1]);
}

static void print_call(const struct call *call, const struct failure *results)
{
    char text[2048];

    call_print(call, text, sizeof(text));
    if (results)
        printf("%s -> %u, %u\n", text, results->results[0].error, results->results[1].error);
    else
        printf("%s\n", text);
}

/* ---- sequences ---- */

static bool clean(struct pair *pair, struct failure *failure)
{
    const struct call call = {.kind = CALL_CLEAN};

    return play_both(pair, &call, failure) || !failure->failed;
}

static struct failure play_sequence(struct pair *pair, const struct call *calls, unsigned count, bool aloud)
{
    struct failure failure = {0}, cleaning = {0};

    for (unsigned i = 0; i < count && !failure.failed; i++) {
        bool go_on = play_both(pair, &calls[i], &failure);

        if (aloud && (failure.results[0].played || failure.results[1].played))
            print_call(&calls[i], &failure);
        if (failure.failed && aloud)
            print_failure(&failure);
        if (!go_on)
            break;
    }
    for (unsigned i = 0; i < DIFFER_SLOTS; i++)
        for (int side = 0; side < 2; side++)
            side_drop(&pair->sides[side], i);
    if (!clean(pair, &cleaning) && !failure.failed) {
        failure = cleaning;
        if (aloud)
            print_failure(&failure);
    }
    return failure;
}

static bool same_failure(const struct failure *a, const struct failure *b)
{
    return a->failed == b->failed && a->call.kind == b->call.kind && a->value == b->value &&
           (a->value != VALUES ||
            (a->results[0].error == b->results[0].error && a->results[1].error == b->results[1].error));
}

/* Leaves out whatever it goes wrong without: halves first, single calls last. Returns how many remain. */
static unsigned shrink(struct pair *pair, struct call *calls, unsigned count, const struct failure *failure)
{
    for (unsigned size = count / 2; size > 0; size = size > 1 ? size / 2 : 0) {
        for (unsigned at = 0; at + size <= count;) {
            struct call fewer[DIFFER_CALLS_MAX];
            struct failure again;

            memcpy(fewer, calls, at * sizeof(*calls));
            memcpy(fewer + at, calls + at + size, (count - at - size) * sizeof(*calls));
            again = play_sequence(pair, fewer, count - size, false);
            if (!same_failure(&again, failure)) {
                at += size;
                continue;
            }
            count -= size;
            memcpy(calls, fewer, count * sizeof(*calls));
        }
    }
    return count;
}

static unsigned calls_until(const struct call *calls, unsigned count, const struct failure *failure)
{
    unsigned end = failure->call.kind == CALL_CLEAN ? count : failure->call.number + 1;

    return end < count ? end : count;
}

static void report(struct pair *pair, uint64_t seed, struct call *calls, unsigned count, const struct failure *failure)
{
    unsigned end = calls_until(calls, count, failure);

    EnterCriticalSection(&print_lock);
    printf("seed %llu, call %u: --replay %llu --until %u. The last calls:\n", (unsigned long long)seed,
           failure->call.number, (unsigned long long)seed, end - 1);
    for (unsigned i = end > LAST_CALLS ? end - LAST_CALLS : 0; i < end; i++)
        print_call(&calls[i], NULL);
    print_failure(failure);
    count = shrink(pair, calls, count, failure);
    printf("The shortest sequence that shows it:\n");
    play_sequence(pair, calls, count, true);
    fflush(stdout);
    LeaveCriticalSection(&print_lock);
}

/* ---- a survey ---- */

static struct difference_class {
    struct failure first;
    uint64_t seed;
    unsigned times;
} classes[CLASSES_MAX];

static void survey(uint64_t seed, const struct failure *failure)
{
    EnterCriticalSection(&print_lock);
    for (unsigned i = 0; i < CLASSES_MAX; i++) {
        if (!classes[i].times)
            classes[i] = (struct difference_class){*failure, seed, 0};
        if (same_failure(&classes[i].first, failure) && classes[i].first.state == failure->state) {
            classes[i].times++;
            break;
        }
    }
    LeaveCriticalSection(&print_lock);
}

static void print_survey(void)
{
    for (unsigned i = 0; i < CLASSES_MAX && classes[i].times; i++) {
        printf("%u times, first in seed %llu:\n", classes[i].times, (unsigned long long)classes[i].seed);
        print_call(&classes[i].first.call, NULL);
        print_failure(&classes[i].first);
    }
}

/* ---- threads ---- */

static bool open_pair(struct pair *pair, unsigned number)
{
    for (int i = 0; i < 2; i++) {
        if (!side_open(&pair->sides[i], options.parents[i], number)) {
            fprintf(stderr, "%ls: error %lu\n", options.parents[i], GetLastError());
            return false;
        }
    }
    return true;
}

static void play_seed(struct pair *pair, uint64_t seed)
{
    struct call calls[DIFFER_CALLS_MAX];
    unsigned count = calls_make(seed, calls);
    struct failure failure;

    if (options.until < count)
        count = (unsigned)options.until + 1;
    failure = play_sequence(pair, calls, count, options.replay);
    if (!failure.failed)
        return;
    if (options.survey)
        survey(seed, &failure);
    else if (InterlockedIncrement(&failures) <= FAILURES_MAX && !options.replay)
        report(pair, seed, calls, count, &failure);
}

static DWORD WINAPI play(void *argument)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    struct failure failure = {0};

    if (!pair || !open_pair(pair, (unsigned)(ULONG_PTR)argument)) {
        InterlockedIncrement(&failures);
        return 1;
    }
    clean(pair, &failure); /* of what a run before has left */
    if (options.replay)
        play_seed(pair, options.seed);
    while (!options.replay && (uint64_t)played_calls < options.calls && failures < FAILURES_MAX)
        play_seed(pair, options.seed + (uint64_t)InterlockedIncrement64(&next_sequence) - 1);
    for (int i = 0; i < 2; i++)
        side_close(&pair->sides[i]);
    free(pair);
    return 0;
}

static double seconds(void)
{
    LARGE_INTEGER frequency, counter;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    return (double)counter.QuadPart / (double)frequency.QuadPart;
}

static void play_all(void)
{
    HANDLE threads[THREADS_MAX];

    for (unsigned i = 0; i < options.threads; i++)
        threads[i] = CreateThread(NULL, 0, play, (void *)(ULONG_PTR)i, 0, NULL);
    WaitForMultipleObjects(options.threads, threads, TRUE, INFINITE);
    for (unsigned i = 0; i < options.threads; i++)
        CloseHandle(threads[i]);
}

/* ---- the command line ---- */

static bool parse_number(const WCHAR *text, uint64_t *number)
{
    WCHAR *end;

    *number = _wcstoui64(text, &end, 0);
    return *text && !*end;
}

static bool parse_option(WCHAR **argv, int *at)
{
    const WCHAR *option = argv[*at], *value = argv[*at + 1] ? argv[*at + 1] : L"";
    uint64_t number = 0;

    if (wcscmp(option, L"--soak") == 0)
        return options.soak = true;
    if (wcscmp(option, L"--survey") == 0)
        return options.survey = true;
    if (!parse_number(value, &number))
        return false;
    ++*at;
    if (wcscmp(option, L"--calls") == 0)
        options.calls = number;
    else if (wcscmp(option, L"--seed") == 0)
        options.seed = number;
    else if (wcscmp(option, L"--until") == 0)
        options.until = number;
    else if (wcscmp(option, L"--threads") == 0)
        options.threads = (unsigned)number;
    else if (wcscmp(option, L"--replay") == 0)
        options.replay = true, options.seed = number;
    else
        return false;
    return options.threads >= 1 && options.threads <= THREADS_MAX;
}

static bool parse(int argc, WCHAR **argv)
{
    if (argc < 3 || wcslen(argv[1]) != wcslen(argv[2]) || wcslen(argv[1]) > 48)
        return false;
    options.seed = (uint64_t)time(NULL);
    for (int i = 3; i < argc; i++)
        if (!parse_option(argv, &i))
            return false;
    options.threads = options.replay ? 1 : options.threads;
    for (int i = 0; i < 2; i++) {
        options.parents[i] = argv[1 + i];
        CreateDirectoryW(argv[1 + i], NULL);
    }
    return true;
}

int wmain(int argc, WCHAR **argv);
int wmain(int argc, WCHAR **argv)
{
    static char text[65536];
    double start;
    unsigned dead = 0;

    if (!parse(argc, argv)) {
        fprintf(stderr, "usage: ntdiffer LEFT RIGHT [--calls N] [--seed N] [--threads N] [--replay SEED [--until N]] "
                        "[--soak] [--survey]\nLEFT and RIGHT are equally long.\n");
        return 2;
    }
    InitializeCriticalSection(&print_lock);
    printf("seed %llu\n", (unsigned long long)options.seed);
    fflush(stdout);
    start = seconds();
    play_all();
    start = seconds() - start;
    if (options.survey)
        print_survey();
    explanations_print(false, text, sizeof(text));
    fputs(text, stdout);
    printf("%lld calls in each folder, %lld differences, %ld unexplained; %.0f calls a second\n",
           (long long)played_calls, (long long)differences, (long)failures, (double)played_calls / start);
    if (options.soak) {
        dead = explanations_print(true, text, sizeof(text));
        fputs(text, stdout);
    }
    return failures || dead ? 1 : 0;
}
