/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create_machine - what a create costs inside the machine: no Wine, no wire, the server in memory.
 *
 *   create_machine failing|traced|open OPERATIONS   so many, after a tenth of them to warm up: for counting
 * instructions create_machine [ROUNDS [OPERATIONS]]            figures: medians over rounds that take turns
 *
 * failing: NtCreateFile of \??\X:\ with FILE_NON_DIRECTORY_FILE, which is STATUS_OBJECT_NAME_INVALID. traced: the same
 * in a trace. open: NtCreateFile of a file that is there, and NtClose. With two threads each is in a process of its
 * own, has its own file, and its own processor if there are two. Beside the time that a pair takes stands the processor
 * time of it: on a machine that others use, the former is theirs as well.
 */
#include <ntemu/machine.h>
#include <ntemu/ntifs.h>
#include <ntemu/trace.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "smb/mem.h"

#define MAX_ROUNDS 101

typedef struct _WORK {
    const WCHAR *Name;
    BOOLEAN Traced;
    NTSTATUS Expected;
    long Operations;
    unsigned Processor;
    double Seconds, ProcessorSeconds; /* of one operation */
} WORK;

static pthread_barrier_t start;

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void create(const WORK *w, PEMU_TRACE *trace)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    IO_STATUS_BLOCK io;
    HANDLE handle = NULL;
    NTSTATUS status;

    RtlInitUnicodeString(&name, w->Name);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (w->Traced)
        EmuTraceBegin(trace);
    status = NtCreateFile(&handle, GENERIC_READ | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &attributes, &io, NULL, 0,
                          FILE_SHARE_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
    if (w->Traced)
        EmuTraceEnd(*trace, status);
    if (status != w->Expected) {
        fprintf(stderr, "status %08x\n", (unsigned)status);
        exit(1);
    }
    if (handle)
        NtClose(handle);
}

static void run(WORK *w, PEMU_TRACE *trace, long operations)
{
    for (long i = 0; i < operations; i++)
        create(w, trace);
}

static void *work(void *context)
{
    WORK *w = context;
    PEPROCESS process = EmuCreateProcess(0);
    PEMU_TRACE trace = NULL;
    double seconds, processor;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(w->Processor, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set); /* where there is no such processor: anywhere */
    EmuEnterProcess(process);
    run(w, &trace, w->Operations / 10);
    pthread_barrier_wait(&start);
    seconds = now(CLOCK_MONOTONIC);
    processor = now(CLOCK_THREAD_CPUTIME_ID);
    run(w, &trace, w->Operations);
    w->Seconds = (now(CLOCK_MONOTONIC) - seconds) / (double)w->Operations;
    w->ProcessorSeconds = (now(CLOCK_THREAD_CPUTIME_ID) - processor) / (double)w->Operations;
    EmuTraceFree(trace);
    EmuEnterProcess(NULL);
    EmuDeleteProcess(process);
    return NULL;
}

static void together(WORK *works, unsigned count)
{
    pthread_t threads[2];

    pthread_barrier_init(&start, NULL, count);
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, &works[i])) {
            perror("pthread_create");
            exit(1);
        }
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double slower(double a, double b)
{
    return a > b ? a : b;
}

static void figures(unsigned rounds, long operations)
{
    enum { FAILING, TRACED, ONE, TWO, SERIES };
    static const char *const names[] = {"failing create", "failing create, traced", "open and close",
                                        "open and close, two threads"};
    double wall[SERIES][MAX_ROUNDS], processor[SERIES][MAX_ROUNDS], ratio[MAX_ROUNDS], processor_ratio[MAX_ROUNDS];
    const WORK fails = {.Name = u"\\??\\X:\\", .Expected = STATUS_OBJECT_NAME_INVALID, .Operations = operations};
    const WORK opens = {.Name = u"\\??\\X:\\one.txt", .Expected = STATUS_SUCCESS, .Operations = operations};

    for (unsigned r = 0; r < rounds; r++) {
        WORK works[SERIES][2] = {{fails}, {fails}, {opens}, {opens, opens}};
        works[TRACED][0].Traced = TRUE;
        works[TWO][1].Name = u"\\??\\X:\\two.txt";
        works[TWO][1].Processor = 1;
        for (unsigned s = 0; s < SERIES; s++) {
            together(works[s], s == TWO ? 2 : 1);
            wall[s][r] = slower(works[s][0].Seconds, works[s][1].Seconds);
            processor[s][r] = slower(works[s][0].ProcessorSeconds, works[s][1].ProcessorSeconds);
        }
        ratio[r] = 2 * wall[ONE][r] / wall[TWO][r];
        processor_ratio[r] = 2 * processor[ONE][r] / processor[TWO][r];
    }
    for (unsigned s = 0; s < SERIES; s++)
        printf("%-28s %8.0f ns  processor %8.0f ns\n", names[s], median(wall[s], rounds) * 1e9,
               median(processor[s], rounds) * 1e9);
    printf("two threads do %.2f times what one does; by processor time %.2f\n", median(ratio, rounds),
           median(processor_ratio, rounds));
}

static void add_file(struct smb_backend *mem, const WCHAR *path)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, path);
    smb_mem_add(mem, "lab", &name, "twelve bytes", 12);
}

static struct smb_backend *boot(void)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), nobody = NT_STRING(u"");
    struct smb_backend *mem = smb_mem_backend();
    EMU_MACHINE_OPTIONS options = {.Smb = mem};
    char error[256] = "";

    if (!mem || !NT_SUCCESS(smb_mem_add_share(mem, "mem", 445, "lab", FALSE)) ||
        !NT_SUCCESS(EmuMachineBoot(&options, error, sizeof error)) ||
        !NT_SUCCESS(EmuUseAdd('X' - 'A', &remote, &nobody, &nobody))) {
        fprintf(stderr, "no machine: %s\n", error);
        exit(1);
    }
    add_file(mem, u"one.txt");
    add_file(mem, u"two.txt");
    return mem;
}

/* Of one workload alone, on this thread. FALSE: there is none of that name. */
static BOOLEAN one_workload(const char *name, long operations)
{
    BOOLEAN opens = !strcmp(name, "open"), traced = !strcmp(name, "traced");
    WORK w = {.Name = opens ? u"\\??\\X:\\one.txt" : u"\\??\\X:\\",
              .Expected = opens ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID,
              .Traced = traced};
    PEMU_TRACE trace = NULL;

    if (!opens && !traced && strcmp(name, "failing") != 0)
        return FALSE;
    run(&w, &trace, operations + operations / 10);
    EmuTraceFree(trace);
    return TRUE;
}

int main(int argc, char **argv)
{
    struct smb_backend *mem = boot();
    NTSTATUS status;

    if (argc != 3 || !one_workload(argv[1], atol(argv[2]))) {
        unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 15;
        long operations = argc > 2 ? atol(argv[2]) : 50000;
        if (!rounds || rounds > MAX_ROUNDS || operations < 10) {
            fprintf(stderr, "usage: create_machine [ROUNDS [OPERATIONS]] | failing|traced|open OPERATIONS\n");
            return 2;
        }
        figures(rounds, operations);
    }
    status = EmuMachineShutdown(NULL);
    smb_backend_free(mem);
    return status != STATUS_SUCCESS;
}
