/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arguments.c - values of options, checked. See arguments.h. */
#include "arguments.h"
#include "rdrlab.h"

#include <ntemu/builds.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int argument_number(const char *option, const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number < minimum || number > maximum)
        return complain(EXIT_USAGE, "%s %s: a number from %" PRIu64 " to %" PRIu64 " is wanted", option, text, minimum,
                        maximum);
    *ret_number = number;
    return 0;
}

int argument_build(const char *text)
{
    char error[512];

    if (EmuBuildCheck(text, error, sizeof(error)))
        return 0;
    return complain(EXIT_USAGE, "--build %s: %s", text, error);
}

int argument_dialect(const char *text)
{
    static const char *const dialects[] = {"NT1", "SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"};

    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        if (strcmp(text, dialects[i]) == 0)
            return 0;
    }
    return complain(EXIT_USAGE, "--dialect %s: NT1, SMB2_02, SMB2_10, SMB3_00, SMB3_02 or SMB3_11 is wanted", text);
}

int argument_letter(const char *option, const char *text, char *ret_letter)
{
    int letter = toupper((unsigned char)text[0]);

    if (letter < 'A' || letter > 'Z' || (text[1] != '\0' && strcmp(text + 1, ":") != 0))
        return complain(EXIT_USAGE, "%s %s: a drive letter is wanted, as in X", option, text);
    /* C: is Wine's own drive, Z: its view of this system: programs are found through both. */
    if (letter == 'C' || letter == 'Z')
        return complain(EXIT_USAGE, "%s %s: %c: is already a drive of Wine's own", option, text, letter);
    *ret_letter = (char)letter;
    return 0;
}

int argument_output(const char *option, const char *path)
{
    char folder[PATH_MAX];
    struct stat info;

    if (path == NULL || strcmp(path, "-") == 0)
        return 0;
    if (path[0] == '\0' || strlen(path) >= sizeof(folder) - 8)
        return complain(EXIT_USAGE, "%s: a file name is wanted", option);
    snprintf(folder, sizeof(folder), "%s", strrchr(path, '/') != NULL ? path : ".");
    if (strrchr(folder, '/') != NULL)
        strrchr(folder, '/')[1] = '\0';
    if (stat(folder, &info) != 0)
        return complain(EXIT_ENVIRONMENT, "%s %s: %s: %s", option, path, folder, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return complain(EXIT_ENVIRONMENT, "%s %s: %s: not a folder", option, path, folder);
    return 0;
}

int argument_refuse(const char *command, int found, char **argv)
{
    if (found == ':')
        return complain(EXIT_USAGE, "%s: %s needs a value", command, argv[optind - 1]);
    return complain(EXIT_USAGE, "%s: there is no option %s; \"rdrlab %s --help\" lists them", command, argv[optind - 1],
                    command);
}
