/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* switches.h - a machine with one defect and no other, or with none of those its build has. */
#ifndef RDRLAB_SWITCHES_H
#define RDRLAB_SWITCHES_H

#include <stdbool.h>

#include <ntemu/builds.h>

struct switches {
    char text[EMU_DEFECT_COUNT][16];
    const char
        *defects[EMU_DEFECT_COUNT + 1]; /* for machine_options; valid as long as the structure stays where it is */
};

/* A reproduction shows its own article's defect, or that it is not there: the build's other ones are off. */
void switches_alone(const char *build, const char *article, bool on, struct switches *ret_switches);

#endif
