/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - what others need of the services by name. */
#ifndef RDRLAB_FILE_H
#define RDRLAB_FILE_H

#include <stdint.h>

/* file_close_token - WIRE_CLOSE of a token whose file could not be opened. */
void file_close_token(uint64_t token);

#endif
