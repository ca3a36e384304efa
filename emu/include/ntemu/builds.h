/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * builds.h - the builds a machine can boot as, and which documented defects each has.
 *
 * The list of builds is fixed. Which defects a build has is derived from each defect's own data (products it applies
 * to, build it was fixed in) and written nowhere else; what else tells products apart, from the product line in its
 * name.
 */
#ifndef NTEMU_BUILDS_H
#define NTEMU_BUILDS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum _EMU_DEFECT {
    EMU_Q235425, /* a create that fails for its name keeps what the redirector had allocated for it */
    EMU_DEFECT_COUNT
} EMU_DEFECT;

typedef struct _EMU_DEFECT_INFO {
    const char *Article;    /* "Q235425" */
    const char *Title;      /* the article's */
    const char *FixedIn[3]; /* first build with the fix, one per product line the article applies to; NULL ends */
    const char *Source;     /* what of this is documented, and what is our guess */
} EMU_DEFECT_INFO;

extern const EMU_DEFECT_INFO EmuDefects[EMU_DEFECT_COUNT];

/* NULL-terminated, oldest first within a product line. */
const char *const *EmuBuildNames(void);

/* Whether the build exists; whether it has the defect (both names as in the tables; unknown ones have none). */
bool EmuBuildExists(const char *Build);
bool EmuBuildHasDefect(const char *Build, const char *Article);

/* Whether the build is Terminal Server: its sessions have drive letters of their own. */
bool EmuBuildHasSessions(const char *Build);

/* Sets every switch as of Build. False: no such build. */
bool EmuSelectBuild(const char *Build);

/* "Q235425=on" or "=off" over the build's own. False: no such article, or neither on nor off. */
bool EmuOverrideDefect(const char *Override);

/* The switch that the code asks. */
extern bool EmuDefectSwitches[EMU_DEFECT_COUNT];

static inline bool EmuHasDefect(EMU_DEFECT Defect)
{
    return EmuDefectSwitches[Defect];
}

#endif
