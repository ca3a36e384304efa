/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run.c - "rdrlab run": any Win32 program on a machine, with a drive letter on a share. */
#include "arguments.h"
#include "inspect.h"
#include "lab.h"
#include "process.h"
#include "rdrlab.h"
#include "runaudit.h"

#include <ntemu/builds.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: rdrlab run [OPTION]... -- PROGRAM.EXE [ARGUMENT]...\n\n"
    "Boot a machine over a private smbd, map a drive letter, run the program on it. Arguments, standard streams and\n"
    "exit status are the program's own; 125: it could not be started on the machine, 127: there is no such program.\n\n"
    "  --build NAME          what the machine boots as; default nt4-sp6\n"
    "  --share DIR           the folder behind the letter; default: a new one that is removed afterwards\n"
    "  --letter X            the letter; default X\n"
    "  --directory DIR       the directory that the program begins in, as it is called there: X:\\folder; default: "
    "this "
    "one\n"
    "  --session N           run in this session of a Terminal Server (--build tse-*), with its own letters; default "
    "0\n"
    "  --dialect NAME        the one SMB dialect to speak: NT1 ... SMB3_11; default: the best both sides know\n"
    "  --port N              for smbd; default: a free one\n"
    "  --user NAME           connect the letter as this user, with the password in --password-file\n"
    "  --password-file FILE\n"
    "  --verifier FLAGS,...  Driver Verifier's options from the machine's boot on, as in 0x9 (docs/verifier.md)\n"
    "  --registry FILE       the machine's registry settings (docs/registry.md)\n"
    "  --provider NwRdr      a second redirector that MUP asks, which finds no server\n"
    "  --machine DIR         no new machine, but one that --keep left running; the letter must be free there. With\n"
    "                        --share \\\\server\\share: any machine, an rdrlab-relay's perhaps, over that share\n"
    "  --audit               complain, and exit with 1, if the program has left an open file, a process or a block of "
    "pool\n"
    "  --stacks              keep the stack of each pool allocation, for \"rdrlab poolmon\"\n"
    "  -v, --verbose         let the machine keep a log, and say where things are\n";

#define DEFAULT_BUILD "nt4-sp6"

struct run_options {
    struct lab_options lab;
    const char *build, *machine, *user, *password_file, *verifier, *registry, *provider, *directory;
    char program[PATH_MAX];
    char letter;
    uint64_t session;
    bool in_session; /* --session was given */
    bool mapped;     /* it is already, to this share */
    bool audit;
};

enum {
    OPTION_BUILD = 256,
    OPTION_SHARE,
    OPTION_LETTER,
    OPTION_DIRECTORY,
    OPTION_SESSION,
    OPTION_DIALECT,
    OPTION_PORT,
    OPTION_USER,
    OPTION_PASSWORD,
    OPTION_MACHINE,
    OPTION_VERIFIER,
    OPTION_REGISTRY,
    OPTION_PROVIDER,
    OPTION_AUDIT,
    OPTION_STACKS
};

static const struct option names[] = {{"build", required_argument, NULL, OPTION_BUILD},
                                      {"share", required_argument, NULL, OPTION_SHARE},
                                      {"letter", required_argument, NULL, OPTION_LETTER},
                                      {"directory", required_argument, NULL, OPTION_DIRECTORY},
                                      {"session", required_argument, NULL, OPTION_SESSION},
                                      {"dialect", required_argument, NULL, OPTION_DIALECT},
                                      {"port", required_argument, NULL, OPTION_PORT},
                                      {"user", required_argument, NULL, OPTION_USER},
                                      {"password-file", required_argument, NULL, OPTION_PASSWORD},
                                      {"machine", required_argument, NULL, OPTION_MACHINE},
                                      {"verifier", required_argument, NULL, OPTION_VERIFIER},
                                      {"registry", required_argument, NULL, OPTION_REGISTRY},
                                      {"provider", required_argument, NULL, OPTION_PROVIDER},
                                      {"audit", no_argument, NULL, OPTION_AUDIT},
                                      {"stacks", no_argument, NULL, OPTION_STACKS},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static int take_option(int found, struct run_options *options, char **argv)
{
    uint64_t number = 0;
    int rc = 0;

    switch (found) {
    case OPTION_BUILD:
        options->build = optarg;
        return argument_build(optarg);
    case OPTION_SHARE:
        options->lab.share_dir = optarg;
        return 0;
    case OPTION_LETTER:
        return argument_letter("--letter", optarg, &options->letter);
    case OPTION_DIRECTORY:
        options->directory = optarg;
        return 0;
    case OPTION_SESSION:
        options->in_session = true;
        return argument_number("--session", optarg, 0, WIRE_SESSION_MOST, &options->session);
    case OPTION_DIALECT:
        options->lab.dialect = optarg;
        return argument_dialect(optarg);
    case OPTION_PORT:
        rc = argument_number("--port", optarg, 1, 65535, &number);
        options->lab.port = (uint16_t)number;
        return rc;
    case OPTION_USER:
        options->user = optarg;
        return 0;
    case OPTION_PASSWORD:
        options->password_file = optarg;
        return 0;
    case OPTION_MACHINE:
        options->machine = optarg;
        return 0;
    case OPTION_VERIFIER:
        options->verifier = optarg;
        return 0;
    case OPTION_REGISTRY:
        options->registry = optarg;
        return argument_registry(optarg);
    case OPTION_PROVIDER:
        options->provider = optarg;
        return 0;
    case OPTION_AUDIT:
        options->audit = true;
        return 0;
    case OPTION_STACKS:
        options->lab.stacks = true;
        return 0;
    case 'v':
        options->lab.verbose = true;
        return 0;
    default:
        return argument_refuse("run", found, argv);
    }
}

/* build NULL: the default. */
static int check_session(const struct run_options *options, const char *build)
{
    if (options->session == 0 || EmuBuildHasSessions(build != NULL ? build : DEFAULT_BUILD))
        return 0;
    return complain(EXIT_USAGE, "--session %u: %s has no sessions; builds of Terminal Server (tse-*) have",
                    (unsigned)options->session, build != NULL ? build : DEFAULT_BUILD);
}

/* A machine that is there already says itself what it is. */
static int check_session_of(const struct run_options *options)
{
    struct wire_client *client;
    int rc;

    if (options->session == 0)
        return 0;
    rc = inspect_connect(options->machine, &client);
    if (rc != 0)
        return rc;
    rc = check_session(options, wire_welcome_of(client)->build);
    wire_disconnect(client);
    return rc;
}

/* Wine would start a Linux program all the same, beside the machine. */
static bool is_linux_program(const char *path)
{
    char start[4] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    if (fread(start, 1, sizeof(start), file) != sizeof(start))
        start[0] = '\0';
    fclose(file);
    return memcmp(start, "\177ELF", 4) == 0 || memcmp(start, "#!", 2) == 0;
}

/* A file of this system by its absolute path; a name without any slash may be one that Wine finds. */
static int find_program(const char *name, char *path, size_t size)
{
    char real[PATH_MAX];
    struct stat info;

    if (realpath(name, real) != NULL &&
        (strchr(name, '/') != NULL || (stat(real, &info) == 0 && S_ISREG(info.st_mode))))
        snprintf(path, size, "%s", real);
    else if (strchr(name, '/') != NULL)
        return complain(EXIT_ENVIRONMENT, "%s: %s", name, strerror(errno));
    else
        snprintf(path, size, "%s", name);
    return is_linux_program(path) ? complain(EXIT_ENVIRONMENT, "%s: not a Windows program", path) : 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, struct run_options *options)
{
    int found, rc;

    opterr = 0;
    /* '+': options behind the program's name are the program's. */
    while ((found = getopt_long(argc, argv, "+:vh", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), -1;
        rc = take_option(found, options, argv);
        if (rc != 0)
            return rc;
    }
    if (optind == argc)
        return complain(EXIT_USAGE, "run: which program? \"rdrlab run --help\" says how");
    if ((options->user == NULL) != (options->password_file == NULL))
        return complain(EXIT_USAGE, "run: --user and --password-file belong together");
    if (options->password_file != NULL && access(options->password_file, R_OK) != 0)
        return complain(EXIT_ENVIRONMENT, "--password-file %s: %s", options->password_file, strerror(errno));
    if (options->machine != NULL && options->lab.share_dir != NULL && strncmp(options->lab.share_dir, "\\\\", 2) == 0) {
        options->lab.machine = options->machine;
        options->lab.share = options->lab.share_dir;
        options->lab.share_dir = NULL;
    }
    if (options->machine != NULL &&
        (options->lab.share_dir != NULL || options->build != NULL || options->lab.dialect != NULL ||
         options->lab.port != 0 || options->verifier != NULL || options->registry != NULL ||
         options->provider != NULL || options->audit))
        return complain(
            EXIT_USAGE,
            "run: --machine names one that runs; --build, --share, --dialect, --port, --verifier, --registry, "
            "--provider and --audit are for a new one");
    rc = options->machine == NULL ? check_session(options, options->build) : 0;
    return rc != 0 ? rc : find_program(argv[optind], options->program, sizeof(options->program));
}

static int run_program(const struct lab *lab, struct machine *machine, const struct run_options *options, int count,
                       char **argv)
{
    char share[64], map[96], user[300], directory[PATH_MAX];
    char **line = calloc((size_t)count + 9, sizeof(*line));
    int argc = 0, status = EXIT_ENVIRONMENT, rc;
    pid_t pid;

    if (line == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    lab_share_name(lab, share, sizeof(share));
    snprintf(map, sizeof(map), "/map:%c:=%s", options->letter, share);
    snprintf(user, sizeof(user), "/user:%s", options->user != NULL ? options->user : "");
    if (options->password_file != NULL)
        machine_use_password(machine, options->password_file);
    line[argc++] = (char *)lab->places.launcher;
    if (!options->mapped)
        line[argc++] = map;
    if (options->in_session)
        machine_use_session(machine, (uint32_t)options->session);
    if (options->user != NULL)
        line[argc++] = user;
    snprintf(directory, sizeof(directory), "/in:%s", options->directory != NULL ? options->directory : "");
    if (options->directory != NULL)
        line[argc++] = directory;
    line[argc++] = (char *)options->program;
    for (int i = 1; i < count; i++)
        line[argc++] = argv[i];
    rc = lab_start_program(lab, machine, line, 0, 1, 2, false, &pid);
    if (rc != 0)
        goto exit;
    if (process_wait(pid, -1, &status) != 0) {
        process_stop(pid, 3000);
        rc = EXIT_INTERRUPTED;
    }
exit:
    free(line);
    return rc != 0 ? rc : status;
}

/* On a machine that others have used, the letter may be mapped already: that is fine if it is to the same share. */
static int check_letter(const struct lab *lab, const struct machine *machine, struct run_options *options)
{
    struct wire_client *client;
    char remote[512], share[64];
    int rc = inspect_connect_session(machine->dir, (uint32_t)options->session, &client);

    if (rc != 0)
        return rc;
    lab_share_name(lab, share, sizeof(share));
    rc = inspect_letter(client, options->letter, remote, sizeof(remote));
    wire_disconnect(client);
    options->mapped = rc == 0 && strcasecmp(remote, share) == 0 && options->user == NULL;
    if (rc == 0 && remote[0] != '\0' && !options->mapped)
        rc = complain(EXIT_ENVIRONMENT, "--letter %c: already mapped to %s on %s", options->letter, remote,
                      options->machine);
    return rc;
}

int command_run(int argc, char **argv)
{
    struct run_options options = {.letter = 'X'};
    struct machine_options machine_options = {0};
    struct machine machine = {0};
    struct lab lab = {0};
    int rc = read_options(argc, argv, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    if (options.machine != NULL && (rc = check_session_of(&options)) != 0)
        return rc;
    if (options.machine != NULL && options.lab.machine == NULL) {
        rc = lab_attach(&lab, options.machine, &machine);
        if (rc == 0)
            rc = check_letter(&lab, &machine, &options);
        return rc != 0 ? rc : run_program(&lab, &machine, &options, argc - optind, argv + optind);
    }
    machine_options.verifier = options.verifier;
    machine_options.registry = options.registry;
    machine_options.provider = options.provider;
    machine_options.build = options.build != NULL ? options.build : DEFAULT_BUILD;
    rc = lab_open(&lab, &options.lab);
    if (rc == 0)
        rc = machine_boot(&lab, &machine_options, &machine);
    if (rc == 0 && options.lab.verbose)
        fprintf(stderr, "rdrlab: machine %s, share %s\n", machine.dir, lab.share_dir);
    if (rc == 0)
        rc = run_program(&lab, &machine, &options, argc - optind, argv + optind);
    if ((options.audit ? run_audit(&machine) : machine_shut_down(&machine, NULL)) != 0 && rc == 0)
        rc = EXIT_NOT_AS_EXPECTED;
    lab_close(&lab);
    return rc;
}
