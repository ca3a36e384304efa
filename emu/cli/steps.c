/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c - what both ways of reproducing do: boot, call, look, shut down. See repro.h. */
#include "audit.h"
#include "createleak.h"
#include "elsewhere.h"
#include "process.h"
#include "rdrlab.h"
#include "report_text.h"
#include "repro.h"
#include "switches.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Without a line for so long, the program hangs: samples come far more often. */
#define SILENCE_MS 120000

#define SAMPLES 40

/* No function sets it: bit 29 is for applications. */
#define NEVER_AN_ERROR (1u << 29)

/* ---- progress ---- */

static bool progress_open; /* a line without its end stands on the terminal */

void progress(const char *format, ...)
{
    bool terminal = isatty(2);
    va_list arguments;

    fputs(terminal ? "\r\033[K" : "", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (!terminal)
        fputc('\n', stderr);
    progress_open = terminal;
    fflush(stderr);
}

void progress_end(void)
{
    if (progress_open)
        fputs("\r\033[K", stderr);
    progress_open = false;
}

/* ---- the file on the share ---- */

static int write_file(const char *folder, const struct probe *probe)
{
    char path[PATH_MAX + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, probe->name);
    file = fopen(path, "wxe");
    if (file == NULL || fprintf(file, "%s\n", probe->text) < 0 || fclose(file) != 0)
        return complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(errno));
    return 0;
}

static int write_through_machine(const struct lab *lab, char letter, const struct probe *probe)
{
    struct wire_client *client;
    char line[sizeof(probe->text) + 1];
    int rc = inspect_connect(lab->options.machine, &client);

    if (rc != 0)
        return rc;
    snprintf(line, sizeof(line), "%s\n", probe->text);
    rc = elsewhere_write(client, letter, lab->share_name, probe->name, line);
    wire_disconnect(client);
    return rc;
}

int repro_write_probe(const struct lab *lab, char letter, struct probe *probe)
{
    unsigned char noise[sizeof(probe->text) / 2];

    if (getrandom(noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
        return complain(EXIT_ENVIRONMENT, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(noise); i++)
        snprintf(probe->text + 2 * i, 3, "%02x", noise[i]);
    if (lab->options.machine == NULL) {
        snprintf(probe->name, sizeof(probe->name), "probe.txt");
        return write_file(lab->share_dir, probe);
    }
    snprintf(probe->name, sizeof(probe->name), "probe-%.12s.txt", probe->text);
    return write_through_machine(lab, letter, probe);
}

/* ---- machines ---- */

int repro_boot(struct lab *lab, const struct machine_options *options, struct subject *subject)
{
    struct machine_options own = *options;
    struct switches switches;
    int rc;

    switches_alone(own.build, "Q235425", EmuBuildHasDefect(own.build, "Q235425"), &switches);
    own.defects = switches.defects;
    *subject = (struct subject){0};
    rc = machine_boot(lab, &own, &subject->machine);
    return rc != 0 ? rc : inspect_connect(subject->machine.dir, &subject->client);
}

static void check_audit(const struct machine_audit *audit, const struct subject *subject, char *problems)
{
    const char *build = subject->machine.build;

    if (audit->stop_code != 0)
        results_problem(problems, "the %s machine was stopped by bug check 0x%08X", build, audit->stop_code);
    if (audit->handles + audit->processes + audit->objects + audit->irps != 0)
        results_problem(problems,
                        "the %s machine still had %" PRIu64 " handles, %" PRIu64 " processes, %" PRIu64
                        " objects, %" PRIu64 " IRPs when it was shut down",
                        build, audit->handles, audit->processes, audit->objects, audit->irps);
    if (audit->paged_blocks != subject->kept_blocks || audit->paged_bytes != subject->kept_bytes ||
        audit->nonpaged_blocks != 0)
        results_problem(problems,
                        "at shutdown the %s machine had %" PRIu64 " B paged in %" PRIu64 " blocks and %" PRIu64
                        " B nonpaged in %" PRIu64 " blocks left, and the calls had kept %" PRIu64 " B in %" PRIu64
                        " blocks",
                        build, audit->paged_bytes, audit->paged_blocks, audit->nonpaged_bytes, audit->nonpaged_blocks,
                        subject->kept_bytes, subject->kept_blocks);
}

int repro_shut_down(struct subject *subject, char *problems)
{
    struct machine_audit audit;
    bool ran = subject->machine.pid > 0;
    int rc;

    wire_disconnect(subject->client);
    subject->client = NULL;
    rc = machine_shut_down(&subject->machine, problems != NULL ? &audit : NULL);
    if (rc == 0 && ran && problems != NULL)
        check_audit(&audit, subject, problems);
    return rc;
}

/* ---- calls ---- */

static int watch(const struct lab *lab, const char *build, int fd, uint64_t opens, struct createleak *output,
                 struct results_run *run)
{
    struct line_reader reader = {.fd = fd};
    char done[32], all[32], call[CALL_SIZE], *line;
    int got;

    results_call(run, call);
    while ((got = line_read(&reader, SILENCE_MS, &line)) > 0) {
        if (lab->options.verbose)
            fprintf(stderr, "  %s\n", line);
        createleak_line(output, run, line);
        if (strncmp(line, "sample ", 7) == 0 && isatty(2) && run->sample_count > 0)
            progress("%s  %s  %s of %s", build, call, thousands(run->samples[run->sample_count - 1].opens, done),
                     thousands(opens, all));
    }
    if (got == -EINTR)
        return EXIT_INTERRUPTED;
    if (got == -ETIMEDOUT)
        return complain(EXIT_ENVIRONMENT, "createleak.exe on %s, %s: not a word for %d s", build, call,
                        SILENCE_MS / 1000);
    return 0;
}

/* What it said on standard error, as one line. */
static void read_back(int fd, char *text, size_t size)
{
    ssize_t length;

    lseek(fd, 0, SEEK_SET);
    length = read(fd, text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
}

static int run_createleak(const struct lab *lab, const struct subject *subject, const struct call_plan *plan,
                          struct createleak *output, struct results_run *run, int errors)
{
    char share[64], letter[3] = {run->letter, ':', '\0'}, *name = NULL, opens[32], until[32], text[96];
    char samples[32], file[48];
    int out[2], status = -1, rc;
    pid_t pid;

    if (asprintf(&name, "/name:%s", run->shape) < 0 || pipe2(out, O_CLOEXEC) != 0) {
        free(name);
        return complain(EXIT_ENVIRONMENT, "no memory or pipe for createleak.exe: %s", strerror(errno));
    }
    lab_share_name(lab, share, sizeof(share));
    snprintf(opens, sizeof(opens), "/opens:%" PRIu64, plan->opens);
    snprintf(samples, sizeof(samples), "/samples:%" PRIu64, plan->opens < SAMPLES ? plan->opens : SAMPLES);
    snprintf(text, sizeof(text), "/text:%s", plan->probe->text);
    snprintf(file, sizeof(file), "/file:%s", plan->probe->name);
    snprintf(until, sizeof(until), "/until:%u", plan->until != 0 ? plan->until : NEVER_AN_ERROR);
    char *argv[] = {
        (char *)lab->places.createleak, letter, share, name, opens, samples, file, text, until, "/disconnect", NULL};
    rc = lab_start_program(lab, &subject->machine, argv, -1, out[1], errors, true, &pid);
    close(out[1]);
    if (rc != 0)
        goto exit;
    rc = watch(lab, subject->machine.build, out[0], plan->opens, output, run);
    if (rc == 0 && process_wait(pid, 10000, &status) == 0)
        output->done = status;
    else
        process_stop(pid, 3000);
exit:
    close(out[0]);
    free(name);
    return rc;
}

static void judge_program(const struct createleak *output, const struct call_plan *plan, const char *words,
                          struct results_run *run)
{
    int expected = plan->until != 0 && output->reopen != 0 ? 6 : 0; /* exhausted: the file does not open either */

    run->opens = output->opens;
    run->seconds = (double)output->time_us / 1e6;
    run->probe_ok = output->file_equal && output->reopened && (output->reopen == 0 || plan->until != 0);
    if (output->done != expected)
        results_problem(run->problems, "createleak.exe %s (exit status %d)%s%s", createleak_status(output->done),
                        output->done, words[0] != '\0' ? ": " : "", words);
    if (output->after && !output->pages_known)
        results_problem(run->problems, "createleak.exe could not read the paged pool");
    if (plan->until == 0 && output->opens != plan->opens)
        results_problem(run->problems, "%" PRIu64 " of %" PRIu64 " calls were made", output->opens, plan->opens);
}

/* ---- several at once ---- */

/* What the others need of a run: as many facts as fit a line. */
static void tell(const struct results_run *run, char *said, size_t size)
{
    int length = snprintf(said, size, "%" PRIu64 " %.6f %d", run->opens, run->seconds, run->probe_ok);

    for (size_t i = 0; i < run->error_count && length > 0 && (size_t)length < size; i++)
        length += snprintf(said + length, size - (size_t)length, " %" PRIu32 " %" PRIu64, run->errors[i].code,
                           run->errors[i].count);
}

static void add_up(const char *name, const char *said, void *context)
{
    struct results_run *run = context;
    uint64_t opens = 0, count;
    double seconds = 0;
    int probe_ok = 0, at = 0, step;
    uint32_t code;

    if (sscanf(said, "%" SCNu64 " %lf %d%n", &opens, &seconds, &probe_ok, &at) != 3)
        results_problem(run->problems, "%s says nothing of its calls", name);
    for (said += at; sscanf(said, " %" SCNu32 " %" SCNu64 "%n", &code, &count, &step) == 2; said += step)
        results_count_error(run, code, count);
    run->opens += opens;
    run->seconds = seconds > run->seconds ? seconds : run->seconds;
    run->probe_ok = run->probe_ok && probe_ok;
    if (run->client_count < CLIENTS_MAX) {
        snprintf(run->clients[run->client_count].name, sizeof(run->clients[0].name), "%s", name);
        run->clients[run->client_count].opens = opens;
        run->clients[run->client_count++].seconds = seconds;
    }
}

/* Makes of this one's figures those of all. */
static int add_up_all(struct together *together, struct results_run *run)
{
    char said[1024];

    if (together->dir == NULL)
        return 0;
    tell(run, said, sizeof(said));
    run->opens = 0;
    run->error_count = 0;
    run->probe_ok = true;
    return together_meet(together, said, add_up, run);
}

/* A program that reads while others still connect sees their pages come. */
static void use_machines_pages(const struct inspection *before, const struct inspection *after, struct results_run *run)
{
    run->pages_before = before->machine.paged.pages;
    run->pages_after = after->machine.paged.pages;
}

/* The machine is looked at when all are at rest, and nobody goes on before all have looked. */
static int look(struct subject *subject, struct inspection *inspection)
{
    int rc = together_meet(&subject->together, NULL, NULL, NULL);

    if (rc == 0)
        rc = inspect(subject->client, inspection);
    return rc != 0 ? rc : together_meet(&subject->together, NULL, NULL, NULL);
}

int repro_calls(const struct lab *lab, struct subject *subject, const struct call_plan *plan, struct results_run *run,
                struct createleak *output)
{
    struct inspection before = {0}, after = {0};
    char words[512];
    FILE *errors;
    int rc;

    *output = (struct createleak){.done = -1};
    errors = tmpfile();
    if (errors == NULL)
        return complain(EXIT_ENVIRONMENT, "no temporary file: %s", strerror(errno));
    fcntl(fileno(errors), F_SETFD, FD_CLOEXEC);
    rc = look(subject, &before);
    if (rc == 0)
        rc = run_createleak(lab, subject, plan, output, run, fileno(errors));
    if (rc == 0)
        rc = look(subject, &after);
    if (rc == 0) {
        inspect_compare(&before, &after, run);
        subject->kept_blocks += run->blocks_after - run->blocks_before;
        subject->kept_bytes += run->paged_after - run->paged_before;
        read_back(fileno(errors), words, sizeof(words));
        judge_program(output, plan, words, run);
        rc = add_up_all(&subject->together, run);
        if (subject->together.dir != NULL)
            use_machines_pages(&before, &after, run);
    }
    inspection_free(&before);
    inspection_free(&after);
    fclose(errors);
    return rc;
}

/* ---- warming up ---- */

int repro_warm_up(const struct lab *lab, struct subject *subject, const struct probe *probe, char letter,
                  struct results *results)
{
    char name[] = {letter, ':', '\\', 'a', 'b', 's', 'e', 'n', 't', '\0'};
    struct call_plan plan = {.probe = probe, .opens = 1};
    struct results_run run = {.shape = name, .letter = letter};
    struct createleak output;
    int rc = repro_calls(lab, subject, &plan, &run, &output);

    if (rc == 0 && run.problems[0] != '\0')
        results_problem(results->problems, "%s: %s", subject->machine.build, run.problems);
    /* What it kept is the machine's own, and gone when that is shut down. */
    subject->kept_blocks = subject->kept_bytes = 0;
    return rc;
}
