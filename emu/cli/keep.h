/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keep.h - "--keep": a lab stays up after the command has ended. The work is done in a child from the start, so that
 * it owns smbd, Wine and the machines; the parent waits for its result and leaves.
 */
#ifndef RDRLAB_KEEP_H
#define RDRLAB_KEEP_H

/*
 * keep_fork - go on as the child, in a session of its own.
 *   Returns  in the child: the descriptor for keep_detach. In the parent it does not return: it exits with what the
 *            child hands to keep_detach, or exits with itself. Negative: an exit status, negated, having complained.
 */
int keep_fork(void);

/* In the child: let the parent leave with this status, and give the terminal up. */
void keep_detach(int fd, int status);

/* In the child: wait for SIGTERM (as "rdrlab stop" sends) or another interrupting signal. */
void keep_wait(void);

#endif
