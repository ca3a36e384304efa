/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * builds.h - the builds a machine can boot as, and which documented defects each has.
 *
 * The list of builds is fixed (emu/builds/builds.list). Which defects a build has is derived from each case's own data
 * (tests/cases: the product lines it applies to, the builds it came with and went with) and written nowhere else; what
 * else tells products apart, from the product line in a build's name.
 *
 * A build's name may have hotfixes added, "nt4-sp6a+Q325045": the fix of an article that no service pack has, on the
 * builds that it installs on.
 */
#ifndef NTEMU_BUILDS_H
#define NTEMU_BUILDS_H

#include <stdbool.h>
#include <stddef.h>

#include <ntemu/defects.h>

#define EMU_PRODUCT_LINES   3  /* nt3.51, nt4, tse */
#define EMU_BUILD_NAME_SIZE 32 /* with hotfixes and the terminator; longer names are no builds */

/* The builds of one product line that have a defect. */
typedef struct _EMU_DEFECT_SPAN {
    const char *Introduced; /* the first that has it; NULL: no such span */
    const char *FixedIn;    /* the first behind it that has not; NULL: there is none */
    const char *HotfixOn;   /* the oldest that the article's own hotfix installs on; NULL: the article has none */
} EMU_DEFECT_SPAN;

typedef struct _EMU_DEFECT_INFO {
    const char *Article; /* "Q235425" */
    const char *Title;   /* the article's */
    EMU_DEFECT_SPAN Spans[EMU_PRODUCT_LINES];
    bool ByNumber; /* the article names no fix for any build: none has it unless EmuOverrideDefect says so */
} EMU_DEFECT_INFO;

extern const EMU_DEFECT_INFO EmuDefects[EMU_DEFECT_COUNT];

/* NULL-terminated, oldest first within a product line; without hotfixes. */
const char *const *EmuBuildNames(void);

/*
 * EmuBuildCheck - whether the build exists.
 *   Error    out, if it does not: one sentence without a full stop, with what there is instead. May be NULL with size
 * 0. Returns  false: no such build, no such hotfix, or not for this build.
 */
bool EmuBuildCheck(const char *Build, char *Error, size_t Size);

/* Whether the build exists; whether it has the defect (an unknown build or article: no). */
bool EmuBuildExists(const char *Build);
bool EmuBuildHasDefect(const char *Build, const char *Article);

/* Whether the build is Terminal Server: its sessions have drive letters of their own. */
bool EmuBuildHasSessions(const char *Build);

/* 6 of "nt4-sp6a"; 0: the build has none, or does not exist. */
unsigned EmuBuildServicePack(const char *Build);

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
