/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb_mem - what the server in memory lets two threads do, against one: creates of files of their own, each closed.
 *
 *   smb_mem [ROUNDS [PAIRS]]
 *
 * One thread makes PAIRS creates and closes, then two threads make as many each at the same time, each on its own
 * processor; over ROUNDS, interleaved, the median of the ratios of what was done in a second is printed, and beside it
 * the processor time of a pair: on a machine that others use, the latter says how much of a ratio is the machine's. So
 * does "two backends", where the threads have nothing in common: more than that the processors do not give.
 */
#include "mem.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_ROUNDS 101

struct worker {
    struct smb_connection *connection;
    UNICODE_STRING path, missing;
    ULONG disposition;
    unsigned processor;
    long pairs;
    double seconds, processor_seconds;
    BOOLEAN failed;
};

struct workload {
    const char *name;
    ULONG disposition;
    enum { OWN_BACKEND, OWN_CONNECTION, OWN_FILE } own; /* the most that a thread has to itself */
    BOOLEAN fails;
};

static pthread_barrier_t start;

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static UNICODE_STRING string(const WCHAR *text)
{
    UNICODE_STRING result = {.Buffer = (WCHAR *)(uintptr_t)text};

    while (text[result.Length / 2] != 0)
        result.Length += 2;
    return result;
}

static void *work(void *context)
{
    struct worker *worker = context;
    double from, processor_from;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(worker->processor, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    pthread_barrier_wait(&start);
    from = now(CLOCK_MONOTONIC);
    processor_from = now(CLOCK_THREAD_CPUTIME_ID);
    for (long i = 0; i < worker->pairs; i++) {
        struct smb_request create = {.op = SMB_CREATE, .path = worker->path}, close = {.op = SMB_CLOSE};

        create.in.create.access = FILE_READ_DATA | FILE_WRITE_DATA;
        create.in.create.disposition = worker->disposition;
        if (smb_perform(worker->connection, &create) != STATUS_SUCCESS) {
            worker->failed |= worker->path.Buffer != worker->missing.Buffer;
            continue;
        }
        close.file = create.out.create.file;
        worker->failed |= smb_perform(worker->connection, &close) != STATUS_SUCCESS;
    }
    worker->seconds = now(CLOCK_MONOTONIC) - from;
    worker->processor_seconds = now(CLOCK_THREAD_CPUTIME_ID) - processor_from;
    return NULL;
}

/* Pairs a second of `count` threads together; *cost gets the processor time of a pair in nanoseconds. */
static double run(struct worker *workers, int count, double *cost)
{
    double rate = 0, spent = 0, done = 0;
    pthread_t threads[2];

    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, work, &workers[i]);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
    for (int i = 0; i < count; i++) {
        rate += (double)workers[i].pairs / workers[i].seconds;
        spent += workers[i].processor_seconds;
        done += (double)workers[i].pairs;
    }
    *cost = spent / done * 1e9;
    return rate;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return values[count / 2];
}

static int measure(struct smb_backend **backends, const struct workload *load, int rounds, long pairs)
{
    const struct smb_target target = {.host = "server", .share = "share"};
    double ratios[MAX_ROUNDS], costs[2][MAX_ROUNDS], processor_ratios[MAX_ROUNDS];
    struct smb_connection *connections[2];
    struct worker workers[2];
    int failed = 0;

    for (int i = 0; i < 2; i++) {
        if (smb_connect(backends[load->own == OWN_BACKEND ? i : 0], &target, &connections[i]) != STATUS_SUCCESS)
            return 1;
    }
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (struct worker){.connection = connections[load->own == OWN_FILE ? 0 : i], .pairs = pairs};
        workers[i].missing = string(i == 0 ? u"one\\no" : u"two\\no");
        workers[i].path = load->fails ? workers[i].missing : string(i == 0 ? u"one\\file" : u"two\\file");
        workers[i].disposition = load->disposition;
        workers[i].processor = i;
    }
    for (int i = 0; i < rounds; i++) {
        double one = run(workers, 1, &costs[0][i]), two = run(workers, 2, &costs[1][i]);

        ratios[i] = two / one;
        processor_ratios[i] = 2 * costs[0][i] / costs[1][i];
        failed |= workers[0].failed | workers[1].failed;
    }
    printf("%-32s two_to_one=%.2f by_processor_time=%.2f ns_one=%.0f ns_two=%.0f\n", load->name, median(ratios, rounds),
           median(processor_ratios, rounds), median(costs[0], rounds), median(costs[1], rounds));
    for (int i = 0; i < 2; i++)
        smb_disconnect(connections[i]);
    return failed;
}

static struct smb_backend *make_backend(void)
{
    static const WCHAR *const directories[] = {u"one", u"two"}, *const files[] = {u"one\\file", u"two\\file"};
    struct smb_backend *backend = smb_mem_backend();

    if (backend == NULL || smb_mem_add_share(backend, "server", 0, "share", FALSE) != STATUS_SUCCESS)
        return NULL;
    for (int i = 0; i < 2; i++) {
        UNICODE_STRING directory = string(directories[i]), file = string(files[i]);

        if (smb_mem_add(backend, "share", &directory, NULL, 0) != STATUS_SUCCESS ||
            smb_mem_add(backend, "share", &file, "", 0) != STATUS_SUCCESS)
            return NULL;
    }
    return backend;
}

int main(int argc, char **argv)
{
    static const struct workload loads[] = {
        {"open, two backends", FILE_OPEN, OWN_BACKEND, FALSE},
        {"open, two connections", FILE_OPEN, OWN_CONNECTION, FALSE},
        {"open, one connection", FILE_OPEN, OWN_FILE, FALSE},
        {"overwrite, two backends", FILE_OVERWRITE_IF, OWN_BACKEND, FALSE},
        {"overwrite, one connection", FILE_OVERWRITE_IF, OWN_FILE, FALSE},
        {"not there, two backends", FILE_OPEN, OWN_BACKEND, TRUE},
        {"not there, one connection", FILE_OPEN, OWN_FILE, TRUE},
    };
    int rounds = argc > 1 ? atoi(argv[1]) : 21, rc = 0;
    long pairs = argc > 2 ? atol(argv[2]) : 200000;
    struct smb_backend *backends[2];

    if (rounds < 1 || rounds > MAX_ROUNDS || pairs < 1)
        return 2;
    for (int i = 0; i < 2; i++) {
        backends[i] = make_backend();
        if (backends[i] == NULL)
            return 2;
    }
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        rc |= measure(backends, &loads[i], rounds, pairs);
    smb_backend_free(backends[0]);
    smb_backend_free(backends[1]);
    return rc;
}
