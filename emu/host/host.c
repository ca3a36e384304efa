/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host says, and how a thread gets the main loop's attention. */
#include "host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>

void host_prepare(struct host *host)
{
    pthread_condattr_t clock;

    pthread_mutex_init(&host->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&host->letters_changed, &clock);
    pthread_condattr_destroy(&clock);
}

void host_kick(struct host *host)
{
    eventfd_write(host->kick, 1);
}

long long host_milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *format, va_list arguments)
{
    char line[512];

    vsnprintf(line, sizeof(line), format, arguments);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
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
