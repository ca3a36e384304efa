/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* password.c - see password.h. */
#include "password.h"
#include "process.h"
#include "rdrlab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

static void close_to_others(struct password *password)
{
    const struct rlimit no_core = {0, 0};

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)mlock(password, sizeof(*password));
}

/* Up to a line end, or to the end. Byte by byte: what is behind the line is not ours. Returns 0 or a negative errno. */
static int read_line(int fd, struct password *password)
{
    size_t length = 0;

    for (;;) {
        int rc = process_wait_readable(fd, -1);
        ssize_t got = rc == 0 ? read(fd, password->text + length, 1) : -1;

        if (rc != 0)
            return rc;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0 || password->text[length] == '\n')
            break;
        if (password->text[length] == '\0')
            return -EILSEQ;
        if (++length > PASSWORD_MAX)
            return -EMSGSIZE;
    }
    password->text[length] = '\0';
    password->length = length;
    password->given = true;
    return 0;
}

static int complain_of(const char *option, const char *what, int rc)
{
    if (rc == -EINTR)
        return EXIT_INTERRUPTED;
    if (rc == -EILSEQ || rc == -EMSGSIZE)
        return complain(EXIT_ENVIRONMENT, "%s%s: no line of at most %d bytes", option, what, PASSWORD_MAX);
    return complain(EXIT_ENVIRONMENT, "%s%s: %s", option, what, strerror(-rc));
}

static int read_file(const char *path, struct password *password)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : read_line(fd, password);

    if (fd >= 0)
        close(fd);
    return rc != 0 ? complain_of("--password-file ", path, rc) : 0;
}

/* The keys that would stop or kill this process without a word are let be: the terminal would stay without echo. Ctrl+C
 * ends the wait (process_watch_interrupts), as SIGTERM and SIGHUP do. */
static int read_silently(int terminal, const char *prompt, struct password *password)
{
    struct termios before, silent;
    int rc;

    if (tcgetattr(terminal, &before) != 0)
        return -errno;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
    silent.c_lflag |= ECHONL | ICANON | ISIG;
    silent.c_cc[VSUSP] = silent.c_cc[VQUIT] = _POSIX_VDISABLE;
    if (tcsetattr(terminal, TCSAFLUSH, &silent) != 0)
        return -errno;
    /* Only now: what is typed at once, too, is neither shown nor thrown away. */
    rc = dprintf(terminal, "%s", prompt) < 0 ? -errno : read_line(terminal, password);
    tcsetattr(terminal, TCSAFLUSH, &before);
    return rc;
}

static int ask(const char *prompt, struct password *password)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rc;

    if (terminal < 0)
        return complain(EXIT_ENVIRONMENT, "--ask: there is no terminal; --password-file and --password-fd need none");
    rc = read_silently(terminal, prompt, password);
    if (rc == -EINTR)
        (void)dprintf(terminal, "\n");
    close(terminal);
    return rc != 0 ? complain_of("--ask", "", rc) : 0;
}

int password_read(const struct password_source *source, const char *prompt, struct password *ret_password)
{
    int rc;

    *ret_password = (struct password){0};
    close_to_others(ret_password);
    if (source->file != NULL)
        return read_file(source->file, ret_password);
    if (source->ask)
        return ask(prompt, ret_password);
    if (source->fd < 0)
        return 0;
    rc = read_line(source->fd, ret_password);
    return rc != 0 ? complain_of("--password-fd", "", rc) : 0;
}

bool password_can_ask(void)
{
    return isatty(STDIN_FILENO) == 1;
}

void password_wipe(struct password *password)
{
    explicit_bzero(password, sizeof(*password));
}
