/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.h - whole files and trees. Functions return 0 or a negative errno. */
#ifndef RDRLAB_FILES_H
#define RDRLAB_FILES_H

#include <stddef.h>

/* Make or overwrite a file with a text. */
int file_write(const char *path, const char *text);

/* Copy content and mode; what stood at the target, a link too, is replaced. */
int file_copy(const char *from, const char *to);

/* Last line of a file that is not empty; "" if there is none. */
void file_last_line(const char *path, char *text, size_t size);

/* Remove a folder with all that is in it, following no link. One that does not exist is fine. */
void tree_remove(const char *path);

#endif
