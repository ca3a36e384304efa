/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* builds.c - names of builds, and which defects they have. The tables are made of tests/cases: see cases.py. */
#include <ntemu/builds.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builds.h"

bool EmuDefectSwitches[EMU_DEFECT_COUNT];

const char *const *EmuBuildNames(void)
{
    return EmuBuildList;
}

/* Of the name without its hotfixes. */
static int index_of(const char *build)
{
    size_t length = strcspn(build, "+");

    for (int i = 0; EmuBuildList[i]; i++)
        if (strlen(EmuBuildList[i]) == length && !strncmp(EmuBuildList[i], build, length))
            return i;
    return -1;
}

/* The line is what stands before the last '-'. */
static bool same_line(const char *a, const char *b)
{
    size_t n = (size_t)(strrchr(a, '-') - a);
    return !strncmp(a, b, n + 1);
}

static const EMU_DEFECT_SPAN *span_of(const EMU_DEFECT_INFO *defect, const char *build)
{
    for (const EMU_DEFECT_SPAN *span = defect->Spans; span < defect->Spans + EMU_PRODUCT_LINES; span++)
        if (span->Introduced && same_line(span->Introduced, build))
            return span;
    return NULL;
}

/* Whatever hotfixes there are. */
static bool has_without_hotfix(const EMU_DEFECT_INFO *defect, const char *build)
{
    const EMU_DEFECT_SPAN *span = span_of(defect, build);
    int index = index_of(build);

    return !defect->ByNumber && span && index >= index_of(span->Introduced) &&
           (!span->FixedIn || index < index_of(span->FixedIn));
}

/* The hotfix's name behind a '+', and how long it is; NULL: no more. */
static const char *next_hotfix(const char *build, size_t *length)
{
    const char *plus = strchr(build, '+');

    *length = plus ? strcspn(plus + 1, "+") : 0;
    return plus ? plus + 1 : NULL;
}

static bool is_article(const EMU_DEFECT_INFO *defect, const char *name, size_t length)
{
    return strlen(defect->Article) == length && !strncmp(defect->Article, name, length);
}

static bool has_hotfix(const char *build, const EMU_DEFECT_INFO *defect)
{
    size_t length;

    for (const char *fix = next_hotfix(build, &length); fix; fix = next_hotfix(fix, &length))
        if (is_article(defect, fix, length))
            return true;
    return false;
}

static bool refuse(char *error, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(char *error, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (size > 0)
        vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_name(const char *build, char *error, size_t size)
{
    size_t used;

    refuse(error, size, "no build \"%.*s\"; there are", (int)strcspn(build, "+"), build);
    for (const char *const *name = EmuBuildList; *name && size > 0; name++) {
        used = strlen(error);
        snprintf(error + used, size - used, " %s", *name);
    }
    return false;
}

static bool check_hotfix(const char *build, const char *fix, size_t length, char *error, size_t size)
{
    for (const EMU_DEFECT_INFO *defect = EmuDefects; defect < EmuDefects + EMU_DEFECT_COUNT; defect++) {
        const EMU_DEFECT_SPAN *span = span_of(defect, build);
        if (!is_article(defect, fix, length))
            continue;
        if (!has_without_hotfix(defect, build))
            return refuse(error, size, "no build \"%s\": %.*s has nothing that %s would fix", build,
                          (int)strcspn(build, "+"), build, defect->Article);
        if (!span->HotfixOn)
            return refuse(error, size, "no build \"%s\": the article %s has no hotfix", build, defect->Article);
        if (index_of(build) < index_of(span->HotfixOn))
            return refuse(error, size, "no build \"%s\": %s installs on %s", build, defect->Article, span->HotfixOn);
        return strstr(fix + length, defect->Article)
                   ? refuse(error, size, "no build \"%s\": %s is there twice", build, defect->Article)
                   : true;
    }
    return refuse(error, size, "no build \"%s\": no article \"%.*s\" in the catalogue", build, (int)length, fix);
}

bool EmuBuildCheck(const char *Build, char *Error, size_t Size)
{
    size_t length;

    if (index_of(Build) < 0)
        return refuse_name(Build, Error, Size);
    if (strlen(Build) >= EMU_BUILD_NAME_SIZE)
        return refuse(Error, Size, "no build \"%s\": longer than %d characters", Build, EMU_BUILD_NAME_SIZE - 1);
    for (const char *fix = next_hotfix(Build, &length); fix; fix = next_hotfix(fix, &length))
        if (!check_hotfix(Build, fix, length, Error, Size))
            return false;
    return true;
}

bool EmuBuildExists(const char *Build)
{
    return EmuBuildCheck(Build, NULL, 0);
}

static bool has_defect(const EMU_DEFECT_INFO *defect, const char *build)
{
    return has_without_hotfix(defect, build) && !has_hotfix(build, defect);
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

unsigned EmuBuildServicePack(const char *Build)
{
    const char *pack = EmuBuildExists(Build) ? strstr(Build, "-sp") : NULL;

    return pack ? (unsigned)strtoul(pack + 3, NULL, 10) : 0;
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
        if (is_article(&EmuDefects[d], Override, (size_t)(equals - Override))) {
            EmuDefectSwitches[d] = on;
            return true;
        }
    }
    return false;
}
