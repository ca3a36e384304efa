/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See switches.h. */
#include "switches.h"
#include "lab.h"

#include <stdio.h>
#include <string.h>

_Static_assert(EMU_DEFECT_COUNT <= MACHINE_DEFECTS, "more defects than a machine takes");

void switches_alone(const char *build, const char *article, bool on, struct switches *ret_switches)
{
    size_t count = 0;

    for (int i = 0; i < EMU_DEFECT_COUNT; i++) {
        bool wanted = on && strcmp(EmuDefects[i].Article, article) == 0;
        if (EmuBuildHasDefect(build, EmuDefects[i].Article) == wanted)
            continue;
        snprintf(ret_switches->text[count], sizeof(ret_switches->text[0]), "%s=%s", EmuDefects[i].Article,
                 wanted ? "on" : "off");
        ret_switches->defects[count] = ret_switches->text[count];
        count++;
    }
    ret_switches->defects[count] = NULL;
}
