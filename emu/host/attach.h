/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.h - clients without sockets: they open and map a file in attach/ and say hello in it (channel.h).
 *
 * The files are numbered from 0 without a gap, and at any time two of them are unclaimed. Nobody tells the machine that
 * such a client has ended: it asks for a write lease on the file, which Linux grants as soon as nobody else has it open
 * or mapped. A fresh file then takes its number.
 */
#ifndef RDRLAB_HOST_ATTACH_H
#define RDRLAB_HOST_ATTACH_H

#include "host.h"

struct attachments;

/* NULL with error set: no inotify, no thread, or the files cannot be made. */
struct attachments *attach_start(struct host *host, int folder, char *error, size_t error_size);

/* Takes no more clients and frees the files nobody has claimed; those who are in stay. Accepts NULL. */
void attach_stop(struct attachments *attachments);

#endif
