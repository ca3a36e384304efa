/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sessions.h - which processes of a private smbd serve a connected client. Internal to smbserver/. */
#ifndef SMBSERVER_SESSIONS_H
#define SMBSERVER_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether somebody listens on 127.0.0.1:port. Asks the kernel: a connection to try it out would be a session itself. */
bool smbserver_is_listening(uint16_t port);

/*
 * smbserver_find_sessions - the processes of a group that hold a connection to the port.
 *   server   the listening process, which is none of them
 *   Returns  how many were written to pids, at most max.
 */
int smbserver_find_sessions(pid_t server, uint16_t port, pid_t *pids, int max);

/* Regular files below a folder that a process has open; -1 if its list cannot be read. */
int smbserver_files_of(pid_t pid, const char *folder);

#endif
