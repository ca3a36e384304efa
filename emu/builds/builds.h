/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* builds.h - what cases.py makes of builds.list, for builds.c. */
#ifndef EMU_BUILDS_H
#define EMU_BUILDS_H

/* NULL-terminated. */
extern const char *const EmuBuildList[];

#endif
