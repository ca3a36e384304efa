/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* winelab.c - Win32 programs under test. */
#include "winelab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "rdrlab.h"
#include "skip.h"

/* The command's own complaints, for its sources that are compiled into this test. */
int complain(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

/* As a sentence; NULL: nothing. windows, other: build folders of the halves for x86_64 and i686. */
static const char *missing(const char *windows, const char *other)
{
    static const char *const programs[] = {
        "emu/win32/rdrlabnp.dll",    "emu/win32/rdrlabrun.exe",    "emu/win32/rdrlabuse.exe",
        "tests/wine/createleak.exe", "tests/wine/createbench.exe", "tests/wine/createtable.exe",
        "tests/wine/probe.exe",      "tests/wine/asyncprobe.exe",  "tests/wine/handleprobe.exe",
        "tests/wine/imageprobe.exe", "tests/wine/infoprobe.exe",   "tests/wine/useprobe.exe",
    };
    static char reason[PATH_MAX + 64];
    struct wine wine;

    if (!windows || !*windows)
        return "no build folder of the Windows half is given: meson option win64_dir";
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        snprintf(reason, sizeof(reason), "%.*s/%s", PATH_MAX - 64, windows, programs[i]);
        if (access(reason, R_OK) != 0) {
            snprintf(reason, sizeof(reason), "%s is not built in %.*s", programs[i], PATH_MAX - 64, windows);
            return reason;
        }
    }
    if (wine_find(&wine) != 0)
        return "no usable Wine";
    snprintf(reason, sizeof(reason), "%.*s/tests/wine/imageprog.exe", PATH_MAX - 64, other ? other : "");
    if (access(reason, R_OK) != 0)
        return "the 32-bit programs are not built: meson option win32_dir";
    if (!getenv("RDRLAB_WINEPREFIXES"))
        return "RDRLAB_WINEPREFIXES is not set";
    return NULL;
}

int winelab_try(void)
{
    const char *reason = missing(getenv("RDRLAB_WIN64_DIR"), getenv("RDRLAB_WIN32_DIR"));

    return reason ? skip_or_fail(reason) : 0;
}

void remove_folder(const char *path)
{
    char *argv[] = {"rm", "-rf", "--", (char *)path, NULL};
    struct process_spec spec = {.argv = argv, .in = -1, .out = -1, .err = -1, .keep = -1};
    int status;

    process_run(&spec, 60000, &status);
}

static bool open_prefix(struct winelab *lab, const char *originals)
{
    char original[PATH_MAX], dir[PATH_MAX], log[PATH_MAX], own[PATH_MAX];
    struct places places = {0};
    struct wine wine;

    /* Another user's build folder: then an original of our own, which takes ten seconds. */
    if (mkdir(originals, 0700) != 0 && access(originals, W_OK) != 0) {
        snprintf(own, sizeof(own), "%s/original", lab->folder);
        originals = own;
    }
    snprintf(log, sizeof(log), "%s/wine.log", lab->folder);
    snprintf(dir, sizeof(dir), "%s/prefix", lab->folder);
    snprintf(places.provider, sizeof(places.provider), "%.*s/emu/win32/rdrlabnp.dll", PATH_MAX - 64, lab->windows);
    lab->log = open(log, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
    return lab->log >= 0 && wine_find(&wine) == 0 &&
           wineprefix_original(&wine, originals, original, sizeof(original)) == 0 &&
           wineprefix_open(&lab->prefix, &wine, original, dir, &places, lab->log) == 0;
}

bool winelab_open(struct winelab *lab)
{
    *lab = (struct winelab){.log = -1};
    snprintf(lab->windows, sizeof(lab->windows), "%s", getenv("RDRLAB_WIN64_DIR"));
    snprintf(lab->folder, sizeof(lab->folder), "/tmp/rdrlab-wine-XXXXXX");
    if (!mkdtemp(lab->folder)) {
        lab->folder[0] = '\0';
        return false;
    }
    return open_prefix(lab, getenv("RDRLAB_WINEPREFIXES"));
}

void winelab_close(struct winelab *lab)
{
    wineprefix_close(&lab->prefix);
    if (lab->log >= 0)
        close(lab->log);
    if (lab->folder[0])
        remove_folder(lab->folder);
}

const char *winelab_program(const struct winelab *lab, const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, PATH_MAX, "%.*s/%s", PATH_MAX - 64, lab->windows, name);
    return path;
}

/* ---- running ---- */

/* Files and not pipes: whatever Wine leaves running keeps what it was given open. */
static int open_stream(const struct winelab *lab, const char *name, const char *content)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", lab->folder, name);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0 && content) {
        if (write(fd, content, strlen(content)) != (ssize_t)strlen(content) || lseek(fd, 0, SEEK_SET) != 0) {
            close(fd);
            fd = -1;
        }
    }
    return fd;
}

static void read_stream(const struct winelab *lab, const char *name, char *text)
{
    char path[PATH_MAX];
    size_t length = 0, kept = 0;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", lab->folder, name);
    file = fopen(path, "re");
    if (file) {
        length = fread(text, 1, OUTPUT_MAX - 1, file);
        fclose(file);
    }
    for (size_t i = 0; i < length; i++)
        if (text[i] != '\r')
            text[kept++] = text[i];
    text[kept] = '\0';
}

static const char *setting(char *buffer, size_t size, const char *name, const char *value)
{
    snprintf(buffer, size, value ? "%s=%s" : "%s", name, value);
    return buffer;
}

/* With descriptors that stay the caller's; in may be -1. */
static bool start_with(struct winelab *lab, struct program *program, int in, int out)
{
    char machine[PATH_MAX], transport[64], password[PATH_MAX];
    const char *environment[16];
    char *argv[18] = {lab->prefix.wine.loader};
    struct process_spec spec = {
        .argv = argv, .environment = environment, .in = in, .out = out, .keep = -1, .own_group = true};
    size_t count = lab->prefix.environment_count;
    int rc;

    memcpy(environment, lab->prefix.environment, count * sizeof(environment[0]));
    environment[count++] = setting(machine, sizeof(machine), "RDRLAB_MACHINE", program->machine);
    environment[count++] = setting(transport, sizeof(transport), "RDRLAB_TRANSPORT", program->transport);
    environment[count++] = setting(password, sizeof(password), "RDRLAB_PASSWORD_FILE", program->password_file);
    environment[count] = NULL;
    for (int i = 0; program->argv[i]; i++)
        argv[i + 1] = (char *)program->argv[i];
    program->pid = 0;
    spec.err = open_stream(lab, "err", NULL);
    rc = out < 0 || spec.err < 0 ? -errno : process_start(&spec, &program->pid);
    close(spec.err);
    if (rc != 0)
        fprintf(stderr, "%s: %s\n", program->argv[0], strerror(-rc));
    return rc == 0;
}

static bool start(struct winelab *lab, struct program *program)
{
    int in = program->input ? open_stream(lab, "in", program->input) : -1, out = open_stream(lab, "out", NULL);
    bool started = start_with(lab, program, in, out);

    if (in >= 0)
        close(in);
    close(out);
    return started;
}

bool winelab_talk(struct winelab *lab, struct program *program, int *to, int *from)
{
    int input[2] = {-1, -1}, output[2] = {-1, -1};
    bool started =
        pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0 && start_with(lab, program, input[0], output[1]);

    close(input[0]);
    close(output[1]);
    if (!started) {
        close(input[1]);
        close(output[0]);
        return false;
    }
    *to = input[1];
    *from = output[0];
    return true;
}

bool winelab_finish(struct winelab *lab, struct program *program, int seconds)
{
    int rc = process_wait(program->pid, seconds * 1000, &program->status);

    if (rc != 0) {
        process_stop(program->pid, 0);
        fprintf(stderr, "%s %s did not end within %d s: %s\n", program->argv[0],
                program->argv[1] ? program->argv[1] : "", seconds, strerror(-rc));
    }
    program->pid = 0;
    read_stream(lab, "out", program->output);
    read_stream(lab, "err", program->error);
    return rc == 0;
}

bool winelab_run(struct winelab *lab, struct program *program, int seconds)
{
    return start(lab, program) && winelab_finish(lab, program, seconds);
}

bool winelab_start(struct winelab *lab, struct program *program, int seconds)
{
    const struct timespec moment = {.tv_nsec = 2000000};

    if (!start(lab, program))
        return false;
    for (int i = 0; i < seconds * 500; i++) {
        read_stream(lab, "out", program->output);
        if (strchr(program->output, '\n'))
            return true;
        if (process_peek(program->pid) >= 0)
            break;
        nanosleep(&moment, NULL);
    }
    winelab_finish(lab, program, 1);
    fprintf(stderr, "%s %s printed nothing: %s\n", program->argv[0], program->argv[1], program->error);
    return false;
}
