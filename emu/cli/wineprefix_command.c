/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wineprefix_command.c - "rdrlab wineprefix". */
#include "places.h"
#include "rdrlab.h"
#include "wineprefix.h"

#include <stdio.h>
#include <string.h>

int command_wineprefix(int argc, char **argv)
{
    char original[PATH_MAX];
    struct places places;
    struct wine wine;
    int rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return puts("usage: rdrlab wineprefix\n\nMake the Wine prefix that labs start from, if it is not there, and "
                    "print "
                    "its path."),
               0;
    if (argc > 1)
        return complain(EXIT_USAGE, "wineprefix takes no argument %s", argv[1]);
    rc = places_find(&places);
    if (rc == 0)
        rc = places_want_windows(&places);
    if (rc == 0)
        rc = wine_find(&wine);
    if (rc == 0)
        rc = wineprefix_original(&wine, places.wineprefixes, original, sizeof(original));
    if (rc == 0)
        puts(original);
    return rc;
}
