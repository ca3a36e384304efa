/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.c - run a command to its end. See command.h. */
#include "command.h"

#include "process.h"
#include "rdrlab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* For sources of the command that are compiled into tests. */
int complain(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

static void read_back(int fd, char *text)
{
    ssize_t length = pread(fd, text, COMMAND_TEXT_MAX - 1, 0);

    text[length > 0 ? length : 0] = '\0';
}

pid_t start_command(const char *const argv[], const char *const environment[], int out, int err)
{
    struct process_spec spec = {.argv = (char *const *)argv,
                                .environment = environment,
                                .in = -1,
                                .out = out,
                                .err = err,
                                .keep = -1,
                                .own_group = true};
    pid_t pid = -1;

    assert_int_equal(process_start(&spec, &pid), 0);
    return pid;
}

void finish_command(struct command *command, pid_t pid, int out, int err, int seconds)
{
    if (process_wait(pid, seconds * 1000, &command->status) != 0) {
        process_stop(pid, 10000);
        command->status = -1;
    }
    read_back(out, command->out);
    read_back(err, command->err);
    if (command->status < 0)
        fail_msg("not done within %d s; it said: %.2000s%.2000s", seconds, command->out, command->err);
}

void run_command(struct command *command, const char *const argv[], const char *const environment[], int seconds)
{
    /* Files, not pipes: whatever a command leaves behind by mistake must not keep us waiting for the end. */
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    uint64_t start = process_now_ms();

    assert_true(out >= 0 && err >= 0);
    finish_command(command, start_command(argv, environment, out, err), out, err, seconds);
    command->seconds = (double)(process_now_ms() - start) / 1000;
    close(out);
    close(err);
}

void make_folder(char path[64])
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, 64, "%s/rdrlab-test-XXXXXX", folder != NULL && strlen(folder) < 40 ? folder : "/tmp");
    assert_non_null(mkdtemp(path));
}

int skip_or_fail(const char *reason)
{
    const char *all = getenv("RDRLAB_REQUIRE_ALL");

    fprintf(stderr, "%s: %s\n", all != NULL && all[0] != '\0' ? "not to be skipped" : "skipped", reason);
    return all != NULL && all[0] != '\0' ? 1 : 77;
}
