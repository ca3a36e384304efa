/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ntemu/builds.h>

#include <string.h>

/* In order of release within a product line; the line is what stands before the last '-'. */
static const char *const builds[] = {
    "nt4-sp2", "nt4-sp3", "nt4-sp4", "nt4-sp5", "nt4-sp6", "nt4-sp6a", "tse-sp4", "tse-sp5", "tse-sp6", NULL,
};

const EMU_DEFECT_INFO EmuDefects[EMU_DEFECT_COUNT] = {
    [EMU_Q235425] =
        {
            .Article = "Q235425",
            .Title = "CreateFile() can cause leak in paged pool memory",
            .FixedIn = {"nt4-sp6", "tse-sp6"},
            .Source = "Documented: that the redirector did not release memory it had allocated for the attempt, the "
                      "error, the products, the service packs. Our guess: which block, its size and its tag.",
        },
};

bool EmuDefectSwitches[EMU_DEFECT_COUNT];

const char *const *EmuBuildNames(void)
{
    return builds;
}

static int index_of(const char *build)
{
    for (int i = 0; builds[i]; i++)
        if (!strcmp(builds[i], build))
            return i;
    return -1;
}

bool EmuBuildExists(const char *Build)
{
    return index_of(Build) >= 0;
}

static bool same_line(const char *a, const char *b)
{
    size_t n = (size_t)(strrchr(a, '-') - a);
    return !strncmp(a, b, n + 1);
}

static bool has_defect(const EMU_DEFECT_INFO *defect, const char *build)
{
    for (size_t i = 0; i < sizeof defect->FixedIn / sizeof *defect->FixedIn && defect->FixedIn[i]; i++)
        if (same_line(defect->FixedIn[i], build))
            return index_of(build) < index_of(defect->FixedIn[i]);
    return false;
}

bool EmuBuildHasDefect(const char *Build, const char *Article)
{
    if (!EmuBuildExists(Build))
        return false;
    for (int d = 0; d < EMU_DEFECT_COUNT; d++)
        if (!strcmp(EmuDefects[d].Article, Article))
            return has_defect(&EmuDefects[d], Build);
    return false;
}

bool EmuBuildHasSessions(const char *Build)
{
    return EmuBuildExists(Build) && same_line(Build, "tse-");
}

bool EmuSelectBuild(const char *Build)
{
    if (!EmuBuildExists(Build))
        return false;
    for (int d = 0; d < EMU_DEFECT_COUNT; d++)
        EmuDefectSwitches[d] = has_defect(&EmuDefects[d], Build);
    return true;
}

bool EmuOverrideDefect(const char *Override)
{
    const char *equals = strchr(Override, '=');
    bool on = equals && !strcmp(equals + 1, "on");

    if (!equals || (!on && strcmp(equals + 1, "off") != 0))
        return false;
    for (int d = 0; d < EMU_DEFECT_COUNT; d++) {
        size_t n = strlen(EmuDefects[d].Article);
        if ((size_t)(equals - Override) == n && !strncmp(EmuDefects[d].Article, Override, n)) {
            EmuDefectSwitches[d] = on;
            return true;
        }
    }
    return false;
}
