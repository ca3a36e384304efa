/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What rdrlabd says, and how a thread gets the main loop's attention. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>

void host_kick(struct host *host)
{
    eventfd_write(host->kick, 1);
}

static void say(const char *format, va_list arguments)
{
    char line[512];

    vsnprintf(line, sizeof(line), format, arguments);
    fprintf(stderr, "rdrlabd: %s\n", line);
}

void host_log(const struct host *host, const char *format, ...)
{
    va_list arguments;

    if (!host->verbose)
        return;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void host_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}
