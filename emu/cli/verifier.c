/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verifier.c - "rdrlab verifier" and "rdrlab crash": Driver Verifier of a live machine, and a bug check on purpose. */
#include "arguments.h"
#include "inspect.h"
#include "rdrlab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANUALLY_INITIATED_CRASH 0xE2

static const char help[] =
    "usage: rdrlab verifier [OPTION]... [--machine DIR]\n\n"
    "What Driver Verifier does on a live machine, and what it has found and done since that was set. With one of the\n"
    "options it is set first, all of it: what is not given is off. docs/verifier.md says what each finds.\n\n"
    "  --flags FLAGS        0x1 special pool, 0x2 force IRQL checking, 0x4 low resources simulation, 0x8 pool\n"
    "                       tracking, 0x40000 systematic low resources simulation; or their sum; 0: off\n"
    "  --faults N           low resources: probability in 1/10000; default 600\n"
    "  --tags TAGS          ... of these tags only: \"Rd* Irp?\"\n"
    "  --sites SITES        ... at these call sites only: \"rdr/create.c:82 ob/*\"\n"
    "  --seed N             ... in another order\n"
    "  --by-stack           systematic: every call stack once, not only every call site\n"
    "  --special TAGS       special pool: these tags only\n"
    "  --underruns          ... blocks at the start of their pages\n"
    "  --exact              ... and with --pool-tag: blocks end with their pages to the byte, aligned or not\n"
    "  --pool-tag VALUE     NT 4.0's own special pool: what the registry's PoolTag would hold, 0x2A or Rd*\n"
    "  --overruns 0|1       ... PoolTagOverruns; default 1\n"
    "  --machine DIR        the machine's folder; default: RDRLAB_MACHINE\n";

/* An option of this command and its word in the text that machines understand. */
static const struct {
    const char *name, *word;
    int argument;
} settings[] = {
    {"flags", "", required_argument},
    {"faults", "faults=", required_argument},
    {"tags", "tags=", required_argument},
    {"sites", "sites=", required_argument},
    {"seed", "seed=", required_argument},
    {"by-stack", "bystack", no_argument},
    {"special", "special=", required_argument},
    {"underruns", "underruns", no_argument},
    {"exact", "exact", no_argument},
    {"pool-tag", "pooltag=", required_argument},
    {"overruns", "overruns=", required_argument},
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

struct verifier_options {
    const char *machine;
    char text[512];
};

static int add_setting(struct verifier_options *options, size_t which, const char *value)
{
    size_t length = strlen(options->text);

    if (value != NULL && strchr(value, ',') != NULL)
        return complain(EXIT_USAGE, "--%s %s: a comma cannot be part of it", settings[which].name, value);
    if (length + strlen(settings[which].word) + (value != NULL ? strlen(value) : 0) + 2 > sizeof(options->text))
        return complain(EXIT_USAGE, "--%s: that is too much", settings[which].name);
    snprintf(options->text + length, sizeof(options->text) - length, "%s%s%s", length > 0 ? "," : "",
             settings[which].word, value != NULL ? value : "");
    return 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, const char *usage, size_t setting_count,
                        struct verifier_options *options)
{
    struct option names[SETTINGS + 3] = {{"machine", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'}};
    int found, rc;

    for (size_t i = 0; i < setting_count; i++)
        names[i + 2] = (struct option){settings[i].name, settings[i].argument, NULL, 256 + (int)i};
    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        rc = 0;
        if (found == 'h')
            return fputs(usage, stdout), -1;
        if (found == 'm')
            options->machine = optarg;
        else if (found >= 256)
            rc = add_setting(options, (size_t)found - 256, optarg);
        else
            rc = argument_refuse(argv[0], found, argv);
        if (rc != 0)
            return rc;
    }
    if (optind < argc)
        return complain(EXIT_USAGE, "%s takes no argument %s", argv[0], argv[optind]);
    return 0;
}

static void print_verifier(const struct wire_verified *verified, const char *text)
{
    printf("%.*s\n\n", (int)verified->length, text);
    printf("RaiseIrqls                       %" PRIu64 "\n", verified->raise_irqls);
    printf("AcquireSpinLocks                 %" PRIu64 "\n", verified->acquire_spin_locks);
    printf("TrimRequests                     %" PRIu64 "\n", verified->trim_requests);
    printf("AllocationsAttempted             %" PRIu64 "\n", verified->allocations_attempted);
    printf("AllocationsSucceeded             %" PRIu64 "\n", verified->allocations_succeeded);
    printf("AllocationsSucceededSpecialPool  %" PRIu64 "%s\n", verified->allocations_succeeded_special_pool,
           verified->guard_pages ? "  (guard pages)" : "");
    printf("AllocationsFailed                %" PRIu64 "\n", verified->allocations_failed);
    printf("AllocationsFailedDeliberately    %" PRIu64 "\n", verified->allocations_failed_deliberately);
    printf("SitesFailed                      %u\n", verified->sites_failed);
}

static int ask(struct wire_client *client, const char *text, struct wire_reply *reply)
{
    struct wire_verifier request = {.length = (uint32_t)strlen(text)};
    struct wire_verified verified;
    int rc = wire_call(client, WIRE_VERIFIER, &request, sizeof(request), text, request.length, reply);

    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
    if (reply->status != 0 || reply->length < sizeof(verified))
        return complain(EXIT_ENVIRONMENT, "the machine refuses with status 0x%08X", reply->status);
    memcpy(&verified, reply->body, sizeof(verified));
    if (verified.length > reply->length - sizeof(verified))
        return complain(EXIT_ENVIRONMENT, "the machine's answer makes no sense");
    if (verified.refused)
        return complain(EXIT_USAGE, "verifier: %.*s", (int)verified.length,
                        (const char *)reply->body + sizeof(verified));
    print_verifier(&verified, (const char *)reply->body + sizeof(verified));
    return 0;
}

int command_verifier(int argc, char **argv)
{
    struct verifier_options options = {0};
    struct wire_reply *reply;
    struct wire_client *client;
    int rc = read_options(argc, argv, help, SETTINGS, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    reply = malloc(sizeof(*reply));
    rc = reply != NULL ? ask(client, options.text, reply) : complain(EXIT_ENVIRONMENT, "out of memory");
    free(reply);
    wire_disconnect(client);
    return rc;
}

int command_crash(int argc, char **argv)
{
    static const char usage[] =
        "usage: rdrlab crash [--machine DIR]\n\n"
        "Stop a live machine with bug check 0xE2, MANUALLY_INITIATED_CRASH, as Ctrl and Scroll\n"
        "Lock do on NT: to see what its clients make of it.\n\n"
        "  --machine DIR   the machine's folder; default: RDRLAB_MACHINE\n";
    static const struct wire_crash request = {.code = MANUALLY_INITIATED_CRASH};
    struct verifier_options options = {0};
    struct wire_reply *reply;
    struct wire_client *client;
    int rc = read_options(argc, argv, usage, 0, &options), answer;

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect(options.machine, &client);
    if (rc != 0)
        return rc;
    reply = malloc(sizeof(*reply));
    answer = reply != NULL ? wire_call(client, WIRE_CRASH, &request, sizeof(request), NULL, 0, reply) : 0;
    free(reply);
    wire_disconnect(client);
    /* A machine that answers has not stopped. */
    return answer != 0 ? 0 : complain(EXIT_NOT_AS_EXPECTED, "the machine did not stop");
}
