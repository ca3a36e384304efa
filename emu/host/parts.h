/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parts.h - the bytes of a transfer that is larger than a message. It is one request of the machine's all the same, as
 * its locks, its position and the file's end are looked at once: what is to be written is collected before, what has
 * been read is handed out afterwards. Each thread that serves has one such transfer at a time.
 */
#ifndef RDRLAB_HOST_PARTS_H
#define RDRLAB_HOST_PARTS_H

#include <stdbool.h>
#include <stdint.h>

struct parts {
    unsigned char *bytes; /* NULL: there is no such transfer */
    uint32_t room;        /* that parts_begin made */
    uint32_t length;      /* of the whole: what is to be written, or what has been read */
    uint32_t done;        /* collected, or handed out */
};

/*
 * parts_begin - room for `length` bytes, in the place of what there was. Pair with parts_end.
 *   Returns  false: no memory, or clients have PARTS_MOST of it by now.
 */
#define PARTS_MOST (UINT64_C(1) << 30)
bool parts_begin(struct parts *parts, uint32_t length);

/* parts_end - forgets it. May be called without one. */
void parts_end(struct parts *parts);

#endif
