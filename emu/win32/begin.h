/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * begin.h - what a parent has taken out of its child, for the provider in the child to put in again.
 */
#ifndef RDRLAB_BEGIN_H
#define RDRLAB_BEGIN_H

#include "services.h"

struct begin {
    DWORD imports;         /* the program's import directory, an address in the image; 0: it has not been taken out */
    ULONGLONG callbacks;   /* its array of TLS callbacks, an address in the process; 0: none */
    WCHAR directory[1024]; /* the working directory; "": not on the machine */
};

/*
 * RdrlabBegin - a thread's start routine, run in the child by its parent (child_finish).
 *   Returns  1. If the program lacks a DLL, the process ends as Wine ends it then, with STATUS_DLL_NOT_FOUND.
 */
DWORD WINAPI RdrlabBegin(void *begin);

#endif
