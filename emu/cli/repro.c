/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repro.c - "rdrlab repro": Q235425 on one machine per build. See repro.h. */
#include "repro.h"
#include "arguments.h"
#include "chart.h"
#include "keep.h"
#include "process.h"
#include "rdrlab.h"
#include "report_json.h"
#include "report_text.h"
#include "reprocases.h"

#include <ntemu/builds.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What createleak.exe takes on its command line, of which Windows allows 32,767 characters. */
#define NAME_LENGTH_MAX 32000

static const char help[] =
    "usage: rdrlab repro [OPTION]...\n"
    "       rdrlab repro Qnnnnnn... | --all [OPTION]...   cases of the catalogue; --all --help says more\n\n"
    "Call CreateFile with a name that cannot be opened, many times, from a Win32 program on a machine per build, and\n"
    "compare the machine's exact paged pool and the program's own reading with what the build should do.\n\n"
    "  --opens N           calls per name; default 10000\n"
    "  --build NAME        repeatable; default nt4-sp5 and nt4-sp6\n"
    "  --name NAME         what CreateFile is given, repeatable; default X: and X:\\a|b\n"
    "  --dialect NAME      the one SMB dialect that both sides are to speak: NT1 ... SMB3_11, which is the default\n"
    "  --port N            for smbd; default: a free one\n"
    "  --paged-limit MB    most paged pool; default 192, NT 4.0's own\n"
    "  --verifier FLAGS,.. Driver Verifier's options from boot on, as in 0x9 (docs/verifier.md)\n"
    "  --registry FILE     the machines' registry settings (docs/registry.md)\n"
    "  --exhaust           call until the paged pool is used up: error 1450, event 2020\n"
    "  --json FILE         write the results for programs; -: standard output, and the table to standard error\n"
    "  --chart BASENAME    where BASENAME.svg and BASENAME.png go; default: the build folder\n"
    "  --keep              leave the machines up, and say how to look at them\n"
    "  --machine DIR       no new machine, but the one of this folder, an rdrlab-relay's perhaps\n"
    "  --share NAME        what it is to connect to, \\\\server\\share, with its own account; with --machine\n"
    "  --together DIR      others on that machine wait in this empty folder: all call at once, each with a letter of\n"
    "                      its own, and the figures are those of all\n"
    "  --of N              how many there are\n"
    "  --stacks            keep the stack of each pool allocation, for \"rdrlab poolmon\"\n"
    "  -v, --verbose       show what the program prints; let the machines keep logs\n";

enum {
    OPTION_OPENS = 256,
    OPTION_BUILD,
    OPTION_NAME,
    OPTION_DIALECT,
    OPTION_PORT,
    OPTION_LIMIT,
    OPTION_EXHAUST,
    OPTION_JSON,
    OPTION_CHART,
    OPTION_KEEP,
    OPTION_MACHINE,
    OPTION_SHARE,
    OPTION_TOGETHER,
    OPTION_OF,
    OPTION_VERIFIER,
    OPTION_REGISTRY,
    OPTION_STACKS
};

static const struct option names[] = {{"opens", required_argument, NULL, OPTION_OPENS},
                                      {"build", required_argument, NULL, OPTION_BUILD},
                                      {"name", required_argument, NULL, OPTION_NAME},
                                      {"dialect", required_argument, NULL, OPTION_DIALECT},
                                      {"port", required_argument, NULL, OPTION_PORT},
                                      {"paged-limit", required_argument, NULL, OPTION_LIMIT},
                                      {"exhaust", no_argument, NULL, OPTION_EXHAUST},
                                      {"json", required_argument, NULL, OPTION_JSON},
                                      {"chart", required_argument, NULL, OPTION_CHART},
                                      {"keep", no_argument, NULL, OPTION_KEEP},
                                      {"machine", required_argument, NULL, OPTION_MACHINE},
                                      {"share", required_argument, NULL, OPTION_SHARE},
                                      {"together", required_argument, NULL, OPTION_TOGETHER},
                                      {"of", required_argument, NULL, OPTION_OF},
                                      {"verifier", required_argument, NULL, OPTION_VERIFIER},
                                      {"registry", required_argument, NULL, OPTION_REGISTRY},
                                      {"stacks", no_argument, NULL, OPTION_STACKS},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

/* ---- options ---- */

static int add_build(struct repro_options *options, const char *build)
{
    int rc = argument_build(build);

    for (size_t i = 0; i < options->build_count && rc == 0; i++) {
        if (strcmp(options->builds[i], build) == 0)
            return complain(EXIT_USAGE, "--build %s: given twice", build);
    }
    if (rc == 0)
        options->builds[options->build_count++] = build; /* there are fewer builds than places */
    return rc;
}

static int add_name(struct repro_options *options, const char *name)
{
    char letter[3] = {name[0], name[0] != '\0' ? name[1] : '\0', '\0'}, unused;

    if (letter[0] == '\0' || letter[1] != ':')
        return complain(EXIT_USAGE, "--name %.60s: a name on a mapped letter is wanted, as in X:\\a|b", name);
    if (strlen(name) > NAME_LENGTH_MAX)
        return complain(EXIT_USAGE, "--name %.20s...: %zu bytes; a command line takes %d", name, strlen(name),
                        NAME_LENGTH_MAX);
    if (options->name_count == NAMES_MAX)
        return complain(EXIT_USAGE, "--name %.60s: more than %d names", name, NAMES_MAX);
    options->names[options->name_count++] = name;
    return argument_letter("--name", letter, &unused);
}

static int take_option(int found, struct repro_options *options, char **argv)
{
    uint64_t number = 0;
    int rc;

    switch (found) {
    case OPTION_OPENS:
        return argument_number("--opens", optarg, 1, 4294967295u, &options->opens);
    case OPTION_BUILD:
        return add_build(options, optarg);
    case OPTION_NAME:
        return add_name(options, optarg);
    case OPTION_DIALECT:
        options->lab.dialect = optarg;
        return argument_dialect(optarg);
    case OPTION_PORT:
        rc = argument_number("--port", optarg, 1, 65535, &number);
        options->lab.port = (uint16_t)number;
        return rc;
    case OPTION_LIMIT:
        return argument_number("--paged-limit", optarg, 1, 65536, &options->paged_limit_mb);
    case OPTION_EXHAUST:
        options->exhaust = true;
        return 0;
    case OPTION_JSON:
        options->json = optarg;
        return 0;
    case OPTION_CHART:
        options->chart = optarg;
        return 0;
    case OPTION_KEEP:
        options->keep = true;
        return 0;
    case OPTION_MACHINE:
        options->lab.machine = optarg;
        return 0;
    case OPTION_SHARE:
        options->lab.share = optarg;
        return 0;
    case OPTION_TOGETHER:
        options->together = optarg;
        return 0;
    case OPTION_OF:
        return argument_number("--of", optarg, 1, TOGETHER_MAX, &options->together_count);
    case OPTION_VERIFIER:
        options->verifier = optarg;
        return 0;
    case OPTION_REGISTRY:
        options->registry = optarg;
        return argument_registry(optarg);
    case OPTION_STACKS:
        options->lab.stacks = true;
        return 0;
    case 'v':
        options->lab.verbose = true;
        return 0;
    default:
        return argument_refuse("repro", found, argv);
    }
}

/* A machine that is there has its build, its server and its limit already. */
static int check_elsewhere(const struct repro_options *options)
{
    bool elsewhere = options->lab.machine != NULL;

    if (elsewhere != (options->lab.share != NULL))
        return complain(EXIT_USAGE, "repro: --machine and --share belong together");
    if (elsewhere && strncmp(options->lab.share, "\\\\", 2) != 0)
        return complain(EXIT_USAGE, "--share %s: \\\\server\\share is wanted", options->lab.share);
    if (elsewhere &&
        (options->build_count > 0 || options->lab.dialect != NULL || options->lab.port != 0 ||
         options->paged_limit_mb != 0 || options->keep || options->verifier != NULL || options->registry != NULL))
        return complain(
            EXIT_USAGE,
            "repro: --build, --dialect, --port, --paged-limit, --keep, --verifier and --registry are for new "
            "machines");
    if ((options->together != NULL) != (options->together_count != 0))
        return complain(EXIT_USAGE, "repro: --together and --of belong together");
    if (options->together != NULL && !elsewhere)
        return complain(EXIT_USAGE, "repro: --together is for a --machine that is there");
    if (options->together != NULL && options->exhaust)
        return complain(EXIT_USAGE, "repro: --exhaust is for one client alone");
    return 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, struct repro_options *options)
{
    int found, rc;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":vh", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), -1;
        rc = take_option(found, options, argv);
        if (rc != 0)
            return rc;
    }
    if (optind < argc)
        return complain(EXIT_USAGE, "repro takes no argument %s", argv[optind]);
    rc = check_elsewhere(options);
    if (rc != 0)
        return rc;
    if (options->lab.machine == NULL && options->build_count == 0) {
        options->builds[options->build_count++] = "nt4-sp5";
        options->builds[options->build_count++] = "nt4-sp6";
    }
    if (options->name_count == 0) {
        options->names[options->name_count++] = "X:";
        options->names[options->name_count++] = "X:\\a|b";
    }
    if (options->opens == 0 && !options->exhaust)
        options->opens = 10000;
    /* One and no other, so that the report names what was really spoken: libsmbclient does not tell what it chose. */
    if (options->lab.machine == NULL && options->lab.dialect == NULL)
        options->lab.dialect = "SMB3_11";
    rc = argument_output("--json", options->json);
    return rc != 0 ? rc : argument_output("--chart", options->chart);
}

/* ---- the work ---- */

/* What serves the share, as the machine itself puts it: it has been asked to choose by somebody else. */
static int describe_transport(const struct subject *subject, struct results *results)
{
    struct inspection inspection;
    int rc = inspect(subject->client, &inspection);

    if (rc == 0) {
        snprintf(results->dialect, sizeof(results->dialect), "%.63s", inspection.machine.transport);
        inspection_free(&inspection);
    }
    return rc;
}

static int run_build(struct lab *lab, const struct repro_options *options, const struct probe *probe, size_t build,
                     struct results *results, struct subject *subject)
{
    struct machine_options machine = {.build = options->builds[build],
                                      .paged_limit_mb = options->paged_limit_mb,
                                      .verifier = options->verifier,
                                      .registry = options->registry};
    struct call_plan plan = {.probe = probe, .opens = options->opens};
    char call[CALL_SIZE];
    struct createleak output;
    int rc;

    progress("%s  booting", machine.build);
    rc = repro_boot(lab, &machine, subject);
    subject->together = options->meeting;
    if (rc == 0)
        rc = repro_warm_up(lab, subject, probe, options->names[0][0], // NOLINT(clang-analyzer-core.NullDereference)
                           results);
    if (rc != 0 || results->problems[0] != '\0')
        return rc;
    for (size_t i = 0; i < options->name_count && rc == 0; i++) {
        struct results_run *run = &results->runs[i * options->build_count + build];

        snprintf(run->build, sizeof(run->build), "%s", machine.build);
        run->shape = options->names[i];
        run->letter = options->names[i][0];
        run->has_defect = EmuBuildHasDefect(machine.build, "Q235425");
        progress("%s  %s", machine.build, results_call(run, call));
        rc = repro_calls(lab, subject, &plan, run, &output);
        if (rc == 0)
            results_judge(run);
    }
    for (size_t i = 0; i < options->name_count && rc == 0; i++) {
        struct results_run *run = &results->runs[i * options->build_count + build];

        if (results_errors(run, 123) == run->opens)
            rc = repro_trace(lab, subject, run);
    }
    if (rc == 0 && lab->options.machine != NULL)
        rc = describe_transport(subject, results);
    return rc;
}

void repro_describe(const struct lab *lab, struct results *results)
{
    snprintf(results->client, sizeof(results->client), "createleak.exe");
    snprintf(results->wine, sizeof(results->wine), "%s", lab->prefix.wine.version);
    lab_samba_version(lab, results->samba, sizeof(results->samba));
    lab_share_name(lab, results->share, sizeof(results->share));
    if (lab->options.dialect != NULL)
        snprintf(results->dialect, sizeof(results->dialect), "%s", lab->options.dialect);
}

static int draw(const struct lab *lab, const struct repro_options *options, const struct results *results, FILE *text)
{
    char basename[PATH_MAX + 32];
    int rc;

    if (options->chart != NULL) {
        snprintf(basename, sizeof(basename), "%s", options->chart);
    } else {
        mkdir(lab->places.results, 0755);
        snprintf(basename, sizeof(basename), "%s/Q235425", lab->places.results);
    }
    rc = chart_draw(basename, results);
    if (rc == 0)
        fprintf(text, "\nchart: %s.svg, .png\n", basename);
    return rc;
}

int repro_report(const struct lab *lab, const struct repro_options *options, const struct results *results, FILE *text)
{
    int rc = draw(lab, options, results, text), error;

    if (options->json != NULL && (error = report_json(options->json, results)) != 0)
        rc = complain(EXIT_ENVIRONMENT, "--json %s: %s", options->json, strerror(-error));
    if (rc == 0 && !results_pass(results))
        rc = EXIT_NOT_AS_EXPECTED;
    return rc;
}

static int reproduce(struct lab *lab, const struct repro_options *options, const struct probe *probe,
                     struct results *results, struct subject *subjects, FILE *text)
{
    int rc = 0;

    repro_describe(lab, results);
    results->run_count = options->build_count * options->name_count;
    for (size_t i = 0; i < options->build_count && rc == 0 && results->problems[0] == '\0'; i++) {
        rc = run_build(lab, options, probe, i, results, &subjects[i]);
        if (rc == 0 && !options->keep)
            rc = repro_shut_down(&subjects[i], results->problems);
    }
    progress_end();
    if (rc != 0)
        return rc;
    if (results->runs[results->run_count - 1].build[0] == '\0') {
        complain(EXIT_NOT_AS_EXPECTED, "%s", results->problems);
        return EXIT_NOT_AS_EXPECTED;
    }
    report_text_head(text, results);
    report_text(text, results);
    return repro_report(lab, options, results, text);
}

/* ---- the command ---- */

static void say_how_to_look(const struct subject *subjects, size_t count, FILE *text)
{
    char self[PATH_MAX] = "";

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        snprintf(self, sizeof(self), "rdrlab");
    fprintf(text, "\nleft running:\n");
    for (size_t i = 0; i < count; i++) {
        const char *dir = subjects[i].machine.dir;

        fprintf(text,
                "  %s\n    %s poolmon --once --machine %s\n    %s events --machine %s\n"
                "    %s run --machine %s -- PROGRAM.EXE ARGS...\n",
                subjects[i].machine.build, self, dir, self, dir, self, dir);
    }
    fprintf(text, "  all of it ends with\n    %s stop --machine %s\n", self, subjects[0].machine.dir);
}

/* What a machine that is there boots as, and how much it has. */
static int take_machine(struct repro_options *options)
{
    static char build[sizeof(((struct wire_machine *)0)->build)];
    struct wire_client *client;
    struct inspection inspection;
    int rc = inspect_connect(options->lab.machine, &client);

    if (rc != 0)
        return rc;
    rc = inspect(client, &inspection);
    wire_disconnect(client);
    if (rc != 0)
        return rc;
    snprintf(build, sizeof(build), "%s", inspection.machine.build);
    options->paged_limit_mb = inspection.machine.paged.limit_pages >> 8;
    inspection_free(&inspection);
    rc = argument_build(build);
    options->builds[0] = build;
    options->build_count = 1;
    return rc;
}

/* Letters are one machine's, not one client's: X: down to D: are there to be had. */
static int take_letter(struct repro_options *options)
{
    static char copies[NAMES_MAX][NAME_LENGTH_MAX + 1];
    unsigned index = 0;
    int rc = together_begin(&options->meeting, options->together, (unsigned)options->together_count, &index);

    for (size_t i = 0; i < options->name_count && rc == 0; i++) {
        snprintf(copies[i], sizeof(copies[i]), "%c%s", 'X' - (int)index, options->names[i] + 1);
        options->names[i] = copies[i];
    }
    return rc;
}

static int work(struct lab *lab, struct repro_options *options, struct subject *subjects, FILE *text)
{
    static struct results_run runs[RUNS_MAX];
    struct results results = {.runs = runs};
    struct probe probe;
    int rc;

    progress(options->lab.machine != NULL ? "Wine is starting" : "smbd and Wine are starting");
    rc = lab_open(lab, &options->lab);
    if (rc == 0 && options->lab.machine != NULL)
        rc = take_machine(options);
    if (rc == 0 && options->together != NULL)
        rc = take_letter(options);
    if (rc == 0)                                                   /* there is a name: read_options saw to it */
        rc = repro_write_probe(lab, options->names[0][0], &probe); // NOLINT(clang-analyzer-core.NullDereference)
    if (rc == 0)
        rc = options->exhaust ? repro_exhaust(lab, options, &probe, &results, subjects, text)
                              : reproduce(lab, options, &probe, &results, subjects, text);
    progress_end();
    for (size_t i = 0; i < results.run_count; i++) {
        free(runs[i].trace_text);
        free(runs[i].trace_json);
    }
    return rc;
}

static int repro_q235425(int argc, char **argv)
{
    struct repro_options options = {.opens = 0};
    static struct subject subjects[RUNS_MAX / NAMES_MAX];
    struct lab lab = {0};
    FILE *text = stdout;
    int parent = -1, rc = read_options(argc, argv, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    if (options.json != NULL && strcmp(options.json, "-") == 0)
        text = stderr;
    if (options.keep) {
        parent = keep_fork();
        if (parent < 0)
            return -parent;
    }
    rc = work(&lab, &options, subjects, text);
    if (options.keep && subjects[options.build_count - 1].client != NULL && !process_interrupted()) {
        say_how_to_look(subjects, options.build_count, text);
        lab_mark_kept(&lab);
        keep_detach(parent, rc);
        keep_wait();
    }
    for (size_t i = 0; i < options.build_count; i++)
        repro_shut_down(&subjects[i], NULL);
    lab_close(&lab);
    return rc;
}

int command_repro(int argc, char **argv)
{
    return repro_cases_wanted(argc, argv) ? repro_cases(argc, argv) : repro_q235425(argc, argv);
}
