/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - other programs: start, wait with a deadline, end; everything by process id.
 *
 * An interrupt (SIGINT, SIGTERM, SIGHUP) ends every wait here with -EINTR, now and later, so that the caller falls
 * through to its clean-up; during clean-up, process_forget_interrupt lets waits work again.
 */
#ifndef RDRLAB_PROCESS_H
#define RDRLAB_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_spec {
    char *const *argv;              /* argv[0] is looked up in PATH if it has no slash */
    const char *const *environment; /* "NAME=value" sets, "NAME" unsets; NULL-terminated; NULL: nothing changes */
    const char *directory;          /* NULL: the caller's */
    int in, out, err;               /* descriptors, not taken over; -1: /dev/null */
    int keep;                       /* a further descriptor that stays open under its number; -1: none */
    int death_signal;               /* what it gets if this process dies before it; 0: SIGTERM */
    bool own_group;                 /* not reached by the terminal's interrupt */
    bool own_session;               /* a session of its own: outlives the terminal */
};

/* Install the handlers of the interrupting signals. Once, before anything is started. */
void process_watch_interrupts(void);
bool process_interrupted(void);
void process_note_interrupt(void); /* as if such a signal had come */
void process_forget_interrupt(void);

/* Milliseconds of a clock that never jumps. */
uint64_t process_now_ms(void);

/*
 * process_start - start a program.
 *   ret_pid  out, only on success. Ends with process_wait or process_stop, exactly once.
 *   Returns  0, or the negative errno of what failed: -ENOENT, -EACCES say that of the program.
 */
int process_start(const struct process_spec *spec, pid_t *ret_pid);

/*
 * process_wait - wait for a child's end, at most timeout_ms (negative: for ever).
 *   ret_status  out, only on success: the exit status, or 128 + the signal that ended it.
 *   Returns     0, -ETIMEDOUT or -EINTR (it runs on, and is still the caller's).
 */
int process_wait(pid_t pid, int timeout_ms, int *ret_status);

/* Has a child ended? Then its status, as above, else -1. The child is still the caller's. */
int process_peek(pid_t pid);

/* SIGTERM, wait up to grace_ms, SIGKILL, wait. Returns the exit status as above. pid <= 0: nothing, 0. */
int process_stop(pid_t pid, int grace_ms);

/*
 * process_run - start a program and wait for its end; it is stopped when the time is over or after an interrupt.
 *   Returns 0 with ret_status set, or a negative errno.
 */
int process_run(const struct process_spec *spec, int timeout_ms, int *ret_status);

/* Wait until fd can be read, it has ended, or timeout_ms are over. Returns 0, -ETIMEDOUT, -EINTR. */
int process_wait_readable(int fd, int timeout_ms);

/* Sleep inside a loop that waits for a stated condition with a deadline of its own. Returns 0 or -EINTR. */
int process_pause(int ms);

/* Lines out of a descriptor, as they come. */
struct line_reader {
    int fd;
    size_t length, consumed;
    bool ended;
    char buffer[4096];
};

/*
 * line_read - the next line, without its end ("\n" or "\r\n"); longer than the buffer: cut into several.
 *   ret_line  out, only on success; valid until the next call.
 *   Returns   1 a line, 0 the end, -ETIMEDOUT, -EINTR, or a negative errno.
 */
int line_read(struct line_reader *reader, int timeout_ms, char **ret_line);

/* An executable by name in PATH, then in the folders an ordinary user's PATH lacks. Returns 0 or -ENOENT. */
int process_find_program(const char *name, char *path, size_t size);

/* What a program prints on standard output, within ten seconds, cut to size. Returns 0 or a negative errno. */
int process_output(char *const argv[], const char *const environment[], char *text, size_t size);

#endif
