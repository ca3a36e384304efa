/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.h - finding, running and watching other programs. Internal to smbserver/. */
#ifndef SMBSERVER_PROCESS_H
#define SMBSERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Milliseconds of a clock that never jumps. */
uint64_t smbserver_now_ms(void);

/* Give the processor away for a moment, inside a loop that waits for a stated condition with a deadline. */
void smbserver_pause_ms(unsigned ms);

/* The same descriptor at 10 or above, close-on-exec: out of the way of what a child gets as 0 to 3. Closes fd. */
int smbserver_move_fd(int fd);

/*
 * smbserver_find_program - look for an executable in PATH, then in the usual system folders.
 *   path  out, only on success.  Returns 0 or -ENOENT.
 */
int smbserver_find_program(const char *name, char *path, size_t size);

/*
 * smbserver_run - run a program to its end, at most half a minute, in its own process group.
 *   input   what it reads; at most 4096 bytes, as it is in the pipe before the program starts
 *   output  its standard output and error, cut to size, always terminated
 *   Returns its exit status, or a negative errno.
 */
int smbserver_run(char *const argv[], const char *input, char *output, size_t size);

struct smbserver_process {
    pid_t pid, parent, group;
    char state; /* as /proc/PID/stat has it: R, S, T, Z ... */
    char name[32];
};

/* Read /proc/PID/stat. False: there is no such process. */
bool smbserver_read_process(pid_t pid, struct smbserver_process *ret_process);

/* Call fn for every process of a process group, until it returns false. */
void smbserver_each_process(pid_t group, bool (*fn)(const struct smbserver_process *process, void *context),
                            void *context);

#endif
