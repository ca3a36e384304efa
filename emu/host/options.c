/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rdrlabd's command line. Every refusal names the option, what was given, and what would do. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"

#define PASSWORD_SIZE (OPTIONS_PASSWORD_MAX + 2)

struct complaint {
    char *text;
    size_t size;
};

static bool refuse(const struct complaint *complaint, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(const struct complaint *complaint, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(complaint->text, complaint->size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- one option each ---- */

static bool read_defect(struct options *options, const char *value, const struct complaint *complaint)
{
    size_t digits = value[0] == 'Q' ? strspn(value + 1, "0123456789") : 0;
    const char *rest = value + 1 + digits;

    if (digits == 0 || (strcmp(rest, "=on") != 0 && strcmp(rest, "=off") != 0))
        return refuse(complaint, "--defect %s: expected a KB number and a switch, as in Q235425=off", value);
    if (options->defect_count == OPTION_REPEATS_MAX)
        return refuse(complaint, "--defect %s: more than %d of them", value, OPTION_REPEATS_MAX);
    options->defects[options->defect_count++] = value;
    return true;
}

/* NAME=HOST:PORT, NAME=HOST, NAME=[v6 address]:PORT */
static bool read_server(struct options *options, const char *value, const struct complaint *complaint)
{
    EMU_SERVER_ADDRESS *server = &options->servers[options->server_count];
    char *copy, *host, *port = NULL, *end;
    unsigned long number = 0;

    if (options->server_count == OPTION_REPEATS_MAX)
        return refuse(complaint, "--server %s: more than %d of them", value, OPTION_REPEATS_MAX);
    copy = strdup(value);
    if (!copy)
        return refuse(complaint, "--server %s: out of memory", value);
    options->server_text[options->server_count] = copy;
    host = strchr(copy, '=');
    if (!host || host == copy || strpbrk(copy, "\\/") || host[1] == '\0')
        goto malformed;
    *host++ = '\0';
    if (*host == '[') {
        end = strchr(++host, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            goto malformed;
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
    } else if ((end = strchr(host, ':')) != NULL) {
        *end = '\0';
        port = end + 1;
    }
    if (*host == '\0')
        goto malformed;
    if (port) {
        errno = 0;
        number = strtoul(port, &end, 10);
        if (!isdigit((unsigned char)*port) || *end || errno || number == 0 || number > 65535) {
            refuse(complaint, "--server %s: a port is a number from 1 to 65535", value);
            goto failed;
        }
    }
    *server = (EMU_SERVER_ADDRESS){.Name = copy, .Host = host, .Port = (USHORT)number};
    options->server_count++;
    return true;

malformed:
    refuse(complaint, "--server %s: expected NAME=HOST:PORT", value);
failed:
    options->server_text[options->server_count] = NULL;
    free(copy);
    return false;
}

static bool read_dialect(struct options *options, const char *value, const struct complaint *complaint)
{
    static const char *const dialects[] = {"NT1",  "SMB2",    "SMB2_02", "SMB2_10",
                                           "SMB3", "SMB3_00", "SMB3_02", "SMB3_11"};

    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        if (strcmp(value, dialects[i]) == 0) {
            options->dialect = value;
            return true;
        }
    }
    return refuse(complaint, "--dialect %s: known are NT1, SMB2, SMB2_02, SMB2_10, SMB3, SMB3_00, SMB3_02, SMB3_11",
                  value);
}

static bool read_seconds(const char *option, const char *value, ULONG *ret_ms, const struct complaint *complaint)
{
    char *end;
    double seconds = strtod(value, &end);

    if (end == value || *end || !isfinite(seconds) || seconds < 0.1 || seconds > 3600)
        return refuse(complaint, "--%s %s: expected seconds, from 0.1 to 3600", option, value);
    *ret_ms = (ULONG)(seconds * 1000 + 0.5);
    return true;
}

static bool read_timeout(struct options *options, const char *value, const struct complaint *complaint)
{
    return read_seconds("timeout", value, &options->timeout_ms, complaint);
}

static bool read_peer_timeout(struct options *options, const char *value, const struct complaint *complaint)
{
    return read_seconds("peer-timeout", value, &options->peer_timeout_ms, complaint);
}

static bool read_listen(struct options *options, const char *value, const struct complaint *complaint)
{
    options->listen = value; /* the socket knows what an address is */
    return *value || refuse(complaint, "--listen: expected HOST:PORT");
}

static bool read_secret_file(struct options *options, const char *value, const struct complaint *complaint)
{
    options->secret_file = value;
    return *value || refuse(complaint, "--secret-file: expected the path of a file");
}

static bool read_paged_limit(struct options *options, const char *value, const struct complaint *complaint)
{
    static const char units[] = "KMG";
    unsigned long long bytes;
    unsigned shift = 0;
    const char *unit;
    char *end;

    errno = 0;
    bytes = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)*value) || errno)
        end = (char *)value;
    else if (*end && (unit = strchr(units, toupper((unsigned char)*end))) != NULL) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (end == value || *end)
        return refuse(complaint, "--paged-limit %s: expected bytes, or a number with K, M or G, as in 64M", value);
    if (bytes > (1ull << 40) >> shift || bytes << shift < 65536)
        return refuse(complaint, "--paged-limit %s: expected at least 64K and at most 1024G", value);
    options->paged_limit = (SIZE_T)(bytes << shift);
    return true;
}

static bool read_verifier(struct options *options, const char *value, const struct complaint *complaint)
{
    char error[256];

    return EmuVerifierParse(value, &options->verifier, error, sizeof(error)) ||
           refuse(complaint, "--verifier %s", error);
}

static bool read_registry(struct options *options, const char *value, const struct complaint *complaint)
{
    options->registry = value; /* EmuMachineBoot reads it */
    return *value || refuse(complaint, "--registry: expected the path of a file");
}

static bool read_clock(struct options *options, const char *value, const struct complaint *complaint)
{
    if (strcmp(value, "real") == 0)
        options->clock = EmuClockReal;
    else if (strcmp(value, "virtual") == 0)
        options->clock = EmuClockVirtual;
    else if (strcmp(value, "idle") == 0)
        options->clock = EmuClockVirtualIdle;
    else
        return refuse(complaint, "--clock %s: known are real, virtual and idle", value);
    return true;
}

static bool read_backend(struct options *options, const char *value, const struct complaint *complaint)
{
    if (strcmp(value, "smbc") == 0)
        options->backend = BACKEND_SMBC;
    else if (strcmp(value, "mem") == 0)
        options->backend = BACKEND_MEM;
    else if (strcmp(value, "locked") == 0)
        options->backend = BACKEND_LOCKED;
    else
        return refuse(complaint, "--backend %s: known are smbc, mem and locked", value);
    return true;
}

static bool read_worker(struct options *options, const char *value, const struct complaint *complaint)
{
    if (access(value, X_OK) != 0)
        return refuse(complaint, "--worker %s: %s", value, strerror(errno));
    options->worker = value;
    return true;
}

static bool read_user(struct options *options, const char *value, const struct complaint *complaint)
{
    if (*value == '\0' || strlen(value) > 256)
        return refuse(complaint, "--user %s: expected a name of 1 to 256 bytes", value);
    free(options->user);
    options->user = strdup(value);
    return options->user || refuse(complaint, "--user %s: out of memory", value);
}

/* The content less one line end: an editor's, not the password's. */
static bool read_password_file(struct options *options, const char *value, const struct complaint *complaint)
{
    int fd = open(value, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text = fd >= 0 ? secret_allocate(PASSWORD_SIZE) : NULL;
    ssize_t length = text ? read(fd, text, OPTIONS_PASSWORD_MAX + 1) : -1;
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (length < 0 || length > OPTIONS_PASSWORD_MAX || memchr(text, '\0', (size_t)length)) {
        secret_free(text, PASSWORD_SIZE);
        return length < 0 ? refuse(complaint, "--password-file %s: %s", value, strerror(error))
                          : refuse(complaint, "--password-file %s: not a text of at most %d bytes", value,
                                   OPTIONS_PASSWORD_MAX);
    }
    if (length && text[length - 1] == '\n')
        text[--length] = '\0';
    secret_free(options->password, PASSWORD_SIZE);
    options->password = text;
    return true;
}

static bool read_ready_fd(struct options *options, const char *value, const struct complaint *complaint)
{
    char *end;
    long fd;

    errno = 0;
    fd = strtol(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end || errno || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0)
        return refuse(complaint, "--ready-fd %s: not an open file descriptor", value);
    fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    options->ready_fd = (int)fd;
    return true;
}

static bool read_report(struct options *options, const char *value, const struct complaint *complaint)
{
    int fd = open(value, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return refuse(complaint, "--report %s: %s", value, strerror(errno));
    if (options->report_fd >= 0)
        close(options->report_fd);
    options->report_fd = fd;
    return true;
}

static bool read_build(struct options *options, const char *value, const struct complaint *complaint)
{
    options->build = value; /* EmuMachineBoot knows the names */
    return *value || refuse(complaint, "--build: expected a name such as nt4-sp5");
}

static bool read_dir(struct options *options, const char *value, const struct complaint *complaint)
{
    options->folder = value;
    return *value || refuse(complaint, "--dir: expected the path of the machine's folder");
}

static bool read_verbose(struct options *options, const char *value, const struct complaint *complaint)
{
    options->verbose = true;
    return true;
}

static bool read_die_with_parent(struct options *options, const char *value, const struct complaint *complaint)
{
    options->die_with_parent = true;
    return true;
}

static bool read_stacks(struct options *options, const char *value, const struct complaint *complaint)
{
    options->stacks = true;
    return true;
}

static bool read_provider(struct options *options, const char *value, const struct complaint *complaint)
{
    options->netware = strcasecmp(value, "NwRdr") == 0;
    return options->netware || refuse(complaint, "--provider %s: there is NwRdr", value);
}

static bool read_help(struct options *options, const char *value, const struct complaint *complaint)
{
    options->help = true;
    return true;
}

/* ---- the table ---- */

static const struct {
    const char *name, *argument;
    bool (*read)(struct options *options, const char *value, const struct complaint *complaint);
    const char *help;
} table[] = {
    {"dir", "DIR", read_dir, "the machine's folder; made with mode 0700 if it does not exist. Required"},
    {"build", "NAME", read_build, "which build boots: nt4-sp5, nt4-sp6 (default), tse-sp6, ..."},
    {"defect", "Qn=on|off", read_defect, "override one defect of the build; repeatable"},
    {"server", "NAME=HOST:PORT", read_server, "where \\\\NAME really listens; repeatable"},
    {"dialect", "NAME", read_dialect, "NT1, SMB2 or SMB3_11 and between; default: the best both sides know"},
    {"timeout", "SECONDS", read_timeout, "for one request to a server; default 20"},
    {"paged-limit", "BYTES", read_paged_limit, "most paged pool, as in 64M; default 192M, NT 4.0's own"},
    {"verifier", "FLAGS,...", read_verifier, "Driver Verifier's options from boot on, as in 0x9; docs/verifier.md"},
    {"registry", "FILE", read_registry, "the machine's registry settings; docs/registry.md"},
    {"provider", "NAME", read_provider, "a second one for UNC names: NwRdr, a redirector that finds no server"},
    {"clock", "KIND", read_clock,
     "real, virtual: time passes when rdrlab clock says so, idle: or nobody runs; docs/clock.md"},
    {"stacks", NULL, read_stacks, "keep the stack of each pool allocation, for poolmon"},
    {"backend", "KIND", read_backend,
     "smbc: libsmbclient (default), mem: a server in memory, \\\\mem\\lab, locked: it lets nobody in"},
    {"worker", "PATH", read_worker, "the rdrlab-smbworker to use"},
    {"user", "NAME", read_user, "who connects where a client names nobody"},
    {"password-file", "FILE", read_password_file, "that user's password: the file's only line"},
    {"listen", "HOST:PORT", read_listen, "take rdrlab-relays of other systems over TCP, too; port 0: a free one"},
    {"secret-file", "FILE", read_secret_file, "what they must have: at least 32 bytes"},
    {"peer-timeout", "SECONDS", read_peer_timeout, "until a relay that says nothing is given up; default 10"},
    {"ready-fd", "N", read_ready_fd, "write the socket's path, and --listen's address, a line each, once listening"},
    {"report", "FILE", read_report, "write what shutdown found, as JSON"},
    {"die-with-parent", NULL, read_die_with_parent, "shut down when the parent process ends"},
    {"verbose", NULL, read_verbose, "log to stderr; -v"},
    {"help", NULL, read_help, "this text"},
};
#define TABLE_SIZE (sizeof(table) / sizeof(table[0]))

void options_print_help(FILE *file)
{
    char left[40];

    fprintf(file, "rdrlabd - one emulated NT machine, serving clients through its folder\n"
                  "usage: rdrlabd --dir DIR [OPTION]...\n\n");
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        snprintf(left, sizeof(left), "--%s %s", table[i].name, table[i].argument ? table[i].argument : "");
        fprintf(file, "  %-26s %s\n", left, table[i].help);
    }
    fprintf(file, "\nSIGTERM, SIGINT or SIGHUP shuts the machine down; a second SIGTERM or SIGINT ends it at once.\n"
                  "exit status: 0 nothing was left, 1 could not start, 2 wrong option, 3 pool blocks or objects were\n"
                  "left at shutdown (the report says which), 4 the machine was stopped by a bug check\n");
}

static bool read_all(struct options *options, int argc, char **argv, const struct complaint *complaint)
{
    struct option names[TABLE_SIZE + 1] = {0};
    int found, index;

    for (size_t i = 0; i < TABLE_SIZE; i++)
        names[i] = (struct option){table[i].name, table[i].argument ? required_argument : no_argument, NULL, 0};
    opterr = 0;
    optind = 1;
    for (;;) {
        index = -1;
        found = getopt_long(argc, argv, ":v", names, &index);
        if (found == -1)
            break;
        if (found == 'v')
            options->verbose = true;
        else if (found == ':')
            return refuse(complaint, "%s: needs a value", argv[optind - 1]);
        else if (found != 0)
            return refuse(complaint, "%s: no such option; --help lists them", argv[optind - 1]);
        else if (!table[index].read(options, optarg ? optarg : "", complaint))
            return false;
    }
    if (options->help)
        return true;
    if (optind < argc)
        return refuse(complaint, "%s: no such option; --help lists them", argv[optind]);
    if (!options->folder)
        return refuse(complaint, "--dir: is required");
    if (options->password && !options->user)
        return refuse(complaint, "--password-file: needs --user");
    if (!options->listen != !options->secret_file)
        return refuse(complaint, "--listen and --secret-file: need each other");
    return true;
}

bool options_read(struct options *options, int argc, char **argv, char *error, size_t error_size)
{
    struct complaint complaint = {error, error_size};

    *options = (struct options){.ready_fd = -1, .report_fd = -1, .timeout_ms = 20000, .peer_timeout_ms = 10000};
    return read_all(options, argc, argv, &complaint);
}

void options_free(struct options *options)
{
    for (unsigned i = 0; i < options->server_count; i++)
        free(options->server_text[i]);
    secret_free(options->password, PASSWORD_SIZE);
    free(options->user);
    if (options->report_fd > 0)
        close(options->report_fd);
    *options = (struct options){.ready_fd = -1, .report_fd = -1};
}
