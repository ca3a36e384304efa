/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_cli.c - rdrlab's command line, its understanding of createleak.exe, its verdicts and reports: without peers. */
#include "command.h"
#include "createleak.h"
#include "files.h"
#include "report_json.h"
#include "report_text.h"
#include "results.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

static struct command command;

/* ---- arguments ---- */

#define BUILDS "nt3.51-sp5 nt4-sp2 nt4-sp3 nt4-sp4 nt4-sp5 nt4-sp6 nt4-sp6a tse-sp4 tse-sp5 tse-sp6"

static const struct {
    const char *arguments[10];
    int status;
    const char *says; /* somewhere in what it prints */
} mistakes[] = {
    {{NULL}, 2, "usage: rdrlab"},
    {{"fly"}, 2, "no command \"fly\""},
    {{"repro", "--build", "nt5"}, 2, "--build nt5: no build \"nt5\"; there are " BUILDS},
    {{"repro", "--build", ""}, 2, "no build \"\""},
    {{"repro", "--build", "nt4-sp6a+Q235425"}, 2, "nt4-sp6a has nothing that Q235425 would fix"},
    {{"repro", "Q000000"}, 2, "no case Q000000"},
    {{"repro", "Q235425", "Q235425"}, 2, "Q235425: given twice"},
    {{"repro", "--all", "Q235425"}, 2, "--all, or numbers"},
    {{"repro", "--all", "--opens", "3"}, 2, "there is no option --opens"},
    {{"repro", "--all", "--html", "/no such folder/page.html"},
     3,
     "--html /no such folder/page.html: /no such folder/"},
    {{"cases", "Q000000"}, 2, "no case Q000000"},
    {{"cases", "Q235425", "more"}, 2, "cases takes no argument more"},
    {{"cases", "--fast"}, 2, "there is no option --fast"},
    {{"repro", "--build", "nt4-sp5", "--build", "nt4-sp5"}, 2, "--build nt4-sp5: given twice"},
    {{"repro", "--build"}, 2, "--build needs a value"},
    {{"repro", "--opens", "0"}, 2, "--opens 0: a number from 1 to 4294967295"},
    {{"repro", "--opens", "-1"}, 2, "--opens -1: a number"},
    {{"repro", "--opens", "1e4"}, 2, "--opens 1e4: a number"},
    {{"repro", "--opens", "99999999999999999999999"}, 2, "a number from 1"},
    {{"repro", "--opens", ""}, 2, "--opens : a number"},
    {{"repro", "--name", "a|b"}, 2, "--name a|b: a name on a mapped letter"},
    {{"repro", "--name", ""}, 2, "a name on a mapped letter"},
    {{"repro", "--name", "C:\\a|b"}, 2, "C: is already a drive of Wine's own"},
    {{"repro", "--dialect", "SMB9"}, 2, "--dialect SMB9: NT1, SMB2_02"},
    {{"repro", "--port", "65536"}, 2, "--port 65536: a number from 1 to 65535"},
    {{"repro", "--paged-limit", "192M"}, 2, "--paged-limit 192M: a number"},
    {{"repro", "--fast"}, 2, "there is no option --fast"},
    {{"repro", "-x"}, 2, "there is no option -x"},
    {{"repro", "more"}, 2, "takes no argument more"},
    {{"repro", "--json", "/nowhere/at/all.json"}, 3, "--json /nowhere/at/all.json: /nowhere/at/: No such file"},
    {{"repro", "--json", "/dev/null/x"}, 3, "/dev/null/: Not a directory"},
    {{"repro", "--chart", "/nowhere/chart"}, 3, "--chart /nowhere/chart: /nowhere/: No such file"},
    {{"repro", "--machine", "/nowhere"}, 2, "--machine and --share belong together"},
    {{"repro", "--machine", "/nowhere", "--share", "/tmp"}, 2, "--share /tmp: \\\\server\\share is wanted"},
    {{"repro", "--machine", "/nowhere", "--share", "\\\\a\\b", "--keep"}, 2, "are for new machines"},
    {{"repro", "--together", "/tmp"}, 2, "--together and --of belong together"},
    {{"repro", "--together", "/tmp", "--of", "2"}, 2, "--together is for a --machine that is there"},
    {{"repro", "--together", "/tmp", "--of", "21"}, 2, "--of 21: a number from 1 to 20"},
    {{"run"}, 2, "which program?"},
    {{"run", "--letter", "1", "--", "a.exe"}, 2, "--letter 1: a drive letter is wanted"},
    {{"run", "--letter", "z", "--", "a.exe"}, 2, "Z: is already a drive of Wine's own"},
    {{"run", "--share", "/nowhere/at/all", "--", "a.exe"}, 3, "the folder to share, /nowhere/at/all: No such file"},
    {{"run", "--share", "/dev/null", "--", "a.exe"}, 3, "the folder to share, /dev/null: not a folder"},
    {{"run", "--build", "nt4-sp9", "--", "a.exe"}, 2, BUILDS},
    {{"run", "--user", "bob", "--", "a.exe"}, 2, "--user and --password-file belong together"},
    {{"run", "--user", "bob", "--password-file", "/nowhere", "--", "a.exe"},
     3,
     "--password-file /nowhere: No such file"},
    {{"run", "--machine", "/nowhere", "--build", "nt4-sp5", "--", "a.exe"}, 2, "--machine names one that runs"},
    {{"run", "--", "/nowhere/a.exe"}, 3, "/nowhere/a.exe: No such file"},
    {{"run", "--", "/bin/sh"}, 3, "not a Windows program"},
    {{"run", "--machine", "/nowhere", "--audit", "--", "a.exe"}, 2, "--machine names one that runs"},
    {{"run", "--machine", "/nowhere", "--", "a.exe"}, 3, "/nowhere: no machine lives there"},
    {{"run", "--machine", "/", "--", "a.exe"}, 3, "/: no machine lives there"},
    {{"use"}, 2, "which machine?"},
    {{"use", "1:"}, 2, "use 1:: a drive letter is wanted"},
    {{"use", "C:", "//a/b"}, 2, "C: is already a drive of Wine's own"},
    {{"use", "X:", "/a/b"}, 2, "use: /a/b: \\\\server\\share is wanted"},
    {{"use", "X:", "//a/b/c"}, 2, "\\\\server\\share is wanted"},
    {{"use", "X:", "//a/b", "c"}, 2, "use takes no argument c"},
    {{"use", "X:", "//a/b", "--password", "c"}, 2, "use: there is no option --password"},
    {{"use", "X:", "//a/b", "--ask"}, 2, "whose password is it?"},
    {{"use", "X:", "//a/b", "--user", "c", "--ask", "--password-fd", "0"}, 2, "exclude each other"},
    {{"use", "X:", "//a/b", "--delete"}, 2, "of a share without one?"},
    {{"use", "X:", "--force"}, 2, "--force is for --delete"},
    {{"use", "--delete"}, 2, "--delete of which letter or share?"},
    {{"use", "X:", "//a/b", "--persistent", "maybe"}, 2, "--persistent maybe: yes or no"},
    {{"use", "X:", "--persistent", "yes"}, 2, "are for a share to connect"},
    {{"use", "X:", "--restore"}, 2, "--restore goes alone"},
    {{"use", "X:", "//a/b", "--json"}, 2, "--json and --restore go without a share"},
    {{"use", "//a/b", "--persistent", "yes"}, 2, "--persistent is for a letter"},
    {{"use", "*"}, 2, "* stands for a letter to map or delete"},
    {{"use", "X:", "--user", "c"}, 2, "are for a share to connect"},
    {{"trace"}, 2, "which name?"},
    {{"trace", "--follow"}, 2, "which machine?"},
    {{"trace", "--follow", "X:"}, 2, "no names, no files"},
    {{"trace", "--failed", "X:"}, 2, "--failed is for --follow"},
    {{"trace", "--machine", "/nowhere", "--build", "nt4-sp5", "X:"}, 2, "--machine names one that runs"},
    {{"trace", "--machine", "/nowhere", "X:"}, 3, "there is no machine in /nowhere"},
    {{"trace", "--access", "READ_DATA|FLY", "X:"}, 2, "--access READ_DATA|FLY: there are GENERIC_READ, "},
    {{"trace", "--disposition", "OPEN|CREATE", "X:"}, 2, "--disposition OPEN|CREATE: there are SUPERSEDE, "},
    {{"trace", "--file", "no\\such", "X:"}, 3, "no\\such: STATUS_OBJECT_PATH_NOT_FOUND"},
    {{"trace", "X:\\\xff"}, 2, "no UTF-8"},
    {{"poolmon"}, 2, "which machine?"},
    {{"poolmon", "--once", "--machine", "/nowhere"}, 3, "/nowhere"},
    {{"poolmon", "all"}, 2, "poolmon takes no argument all"},
    {{"poolmon", "-z"}, 2, "poolmon: there is no option -z"},
    {{"poolmon", "-i"}, 2, "-i needs a value"},
    {{"poolmon", "/i"}, 2, "-i needs a tag"},
    {{"poolmon", "/bb"}, 2, "takes no argument /bb"},
    {{"poolmon", "--csv", "--json"}, 2, "exclude each other"},
    {{"poolmon", "--interval", "0"}, 2, "--interval 0: seconds from 0.1"},
    {{"poolmon", "--interval", "1s"}, 2, "--interval 1s: seconds"},
    {{"poolmon", "--count", "0"}, 2, "--count 0: a number from 1"},
    {{"events"}, 2, "which machine?"},
    {{"events", "--machine"}, 2, "--machine needs a value"},
    {{"clock"}, 2, "which machine?"},
    {{"clock", "now"}, 2, "clock takes no argument now"},
    {{"clock", "--advance", "10"}, 2, "--advance 10: a time is wanted"},
    {{"clock", "--advance", "-1s"}, 2, "--advance -1s: a time is wanted"},
    {{"clock", "--advance", "721h"}, 2, "at most 30 days"},
    {{"clock", "--next", "--advance", "1s"}, 2, "exclude each other"},
    {{"registry", "a", "b"}, 2, "registry takes no argument b"},
    {{"registry", "/nowhere"}, 2, "/nowhere: No such file"},
    {{"registry", "/proc/version"}, 2, "/proc/version:1: "},
    {{"repro", "--registry", "/nowhere"}, 2, "--registry /nowhere: No such file"},
    {{"run", "--registry", "/proc/version", "--", "a.exe"}, 2, "--registry /proc/version:1: "},
    {{"stop"}, 2, "stop which machine?"},
    {{"stop", "--machine", "/nowhere"}, 3, "/nowhere: no machine lives there"},
    {{"wineprefix", "now"}, 2, "takes no argument now"},
};

static void test_mistakes_are_one_clear_line_each(void **state)
{
    static const char *const environment[] = {"RDRLAB_MACHINE", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const char *argv[12] = {RDRLAB};

        memcpy(argv + 1, mistakes[i].arguments, sizeof(mistakes[i].arguments));
        run_command(&command, argv, environment, 20);
        if (command.status != mistakes[i].status || strstr(command.err, mistakes[i].says) == NULL)
            fail_msg("row %zu: status %d, not %d, or not \"%s\" in: %s", i, command.status, mistakes[i].status,
                     mistakes[i].says, command.err);
        if (i > 0 && (strncmp(command.err, "rdrlab: ", 8) != 0 || strchr(command.err, '\n')[1] != '\0'))
            fail_msg("row %zu: not one line: %s", i, command.err);
        if (command.out[0] != '\0')
            fail_msg("row %zu: on standard output: %s", i, command.out);
    }
}

static void test_name_of_40000_characters_is_refused_in_words(void **state)
{
    static char name[40001];
    const char *argv[] = {RDRLAB, "repro", "--name", name, NULL};

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    memcpy(name, "X:\\", 3);
    run_command(&command, argv, NULL, 20);
    assert_int_equal(command.status, 2);
    assert_non_null(strstr(command.err, "40000 bytes; a command line takes 32000"));
}

static void test_help_is_on_standard_output(void **state)
{
    static const char *const commands[] = {"repro",  "run",   "use",      "trace", "poolmon",
                                           "events", "clock", "registry", "stop",  "wineprefix"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const char *argv[] = {RDRLAB, commands[i], "--help", NULL};

        run_command(&command, argv, NULL, 20);
        if (command.status != 0 || strncmp(command.out, "usage: rdrlab", 13) != 0 || command.err[0] != '\0')
            fail_msg("%s --help: status %d, %s%s", commands[i], command.status, command.out, command.err);
    }
}

static void test_trace_tells_of_a_failing_create_on_both_builds(void **state)
{
    static const char *const parts[] = {
        "NtCreateFile \"\\??\\X:\\\"",
        "-> STATUS_OBJECT_NAME_INVALID\n",
        "(C0000033), error 123; decided by Rdr, rdr/name.c:",
    };
    static const char *const builds[] = {"nt4-sp5", "nt4-sp6"};

    (void)state;
    for (size_t b = 0; b < 2; b++) {
        const char *argv[] = {RDRLAB, "trace", "--build", builds[b], "X:", NULL};

        run_command(&command, argv, NULL, 20);
        assert_int_equal(command.status, 0);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            if (strstr(command.out, parts[i]) == NULL)
                fail_msg("no \"%s\" in:\n%s", parts[i], command.out);
        assert_int_equal(strstr(command.out, "paged RdCc rdr/create.c:") != NULL, b == 0);
        assert_string_equal(command.err, "");
    }
}

static void test_trace_opens_with_what_it_is_told(void **state)
{
    static const char *const argv[] = {
        RDRLAB,    "trace",      "--dir",         "a",           "--access",  "FILE_WRITE_DATA|SYNCHRONIZE",
        "--share", "READ,WRITE", "--disposition", "FILE_CREATE", "--options", "DIRECTORY_FILE",
        "X:\\a",   NULL};

    (void)state;
    run_command(&command, argv, NULL, 20);
    assert_int_equal(command.status, 0);
    assert_non_null(
        strstr(command.out, "access WRITE_DATA|SYNCHRONIZE  share READ|WRITE  CREATE  options DIRECTORY_FILE"));
    assert_non_null(strstr(command.out, "STATUS_OBJECT_NAME_COLLISION (C0000035), error 183"));
}

static struct json_object *inside(struct json_object *object, const char *first, const char *second)
{
    struct json_object *value = NULL;

    assert_true(json_object_object_get_ex(object, first, &value));
    if (second != NULL)
        return inside(value, second, NULL);
    return value;
}

static void test_trace_as_json_is_one_object_a_line(void **state)
{
    static const char *const argv[] = {RDRLAB, "trace", "--json", "X:\\a\"b", "X:\\f.txt", NULL};
    struct json_object *object;
    char *second;

    (void)state;
    run_command(&command, argv, NULL, 20);
    assert_int_equal(command.status, 0);
    second = strchr(command.out, '\n');
    assert_non_null(second);
    *second++ = '\0';
    object = json_tokener_parse(command.out);
    assert_non_null(object);
    assert_string_equal(json_object_get_string(inside(object, "create", "status_name")), "STATUS_OBJECT_NAME_INVALID");
    assert_int_equal(json_object_get_int(inside(object, "create", "error")), 123);
    assert_string_equal(json_object_get_string(inside(inside(object, "create", NULL), "decided_by", "layer")), "Rdr");
    assert_string_equal(json_object_get_string(
                            inside(json_object_array_get_idx(inside(object, "create", "events"), 0), "function", NULL)),
                        "NtCreateFile");
    assert_null(inside(object, "closed", NULL));
    json_object_put(object);
    object = json_tokener_parse(second);
    assert_non_null(object);
    assert_string_equal(json_object_get_string(inside(object, "create", "status")), "00000000");
    assert_non_null(strstr(second, "create \\\"f.txt\\\" to the server: access READ_DATA|"));
    assert_null(inside(object, "create", "decided_by"));
    inside(inside(object, "closed", "kept"), "blocks", NULL);
    json_object_put(object);
}

static void test_registry_lists_what_is_documented(void **state)
{
    const char *argv[] = {RDRLAB, "registry", NULL};

    (void)state;
    run_command(&command, argv, NULL, 20);
    assert_int_equal(command.status, 0);
    assert_string_equal(command.err, "");
    assert_non_null(strstr(command.out, "HKLM\\System\\CurrentControlSet\\Services\\LanmanWorkstation\\Parameters\n"));
    assert_non_null(strstr(command.out, "  DormantFileLimit          45          files "));
    assert_non_null(strstr(command.out, "  FailedConnectTimeout   45 (guess)  seconds "));
}

static void test_missing_programs_are_named(void **state)
{
    const char *argv[] = {RDRLAB, "run", "--", "a.exe", NULL};
    const char *const no_provider[] = {"RDRLAB_WIN64=/nowhere", NULL};
    const char *const no_daemon[] = {"RDRLAB_DAEMON=/nowhere/rdrlabd", NULL};

    (void)state;
    run_command(&command, argv, no_provider, 20);
    assert_int_equal(command.status, 3);
    assert_non_null(strstr(command.err, "/nowhere/emu/win32/rdrlabnp.dll: No such file"));
    run_command(&command, argv, no_daemon, 20);
    assert_int_equal(command.status, 3);
    /* A build without the Windows half has yet another program missing, and names that one. */
    if (strstr(command.err, "rdrlabnp.dll: No such file") == NULL)
        assert_non_null(strstr(command.err, "/nowhere/rdrlabd: No such file"));
}

/* ---- what createleak.exe prints ---- */

/* Recorded from createleak.exe on a machine. */
static const char *const recorded[] = {
    "createleak 1",
    "connected X: \\\\127.0.0.1\\lab",
    "file X:\\probe.txt 65 equal",
    "cwd X:\\",
    "name X:\\a|b",
    "before pages=9 page_size=4096 source=performance_info class2=9 allocs=48 frees=26 tagged=3610",
    "sample 500 64",
    "sample 1000 120",
    "error 123 998",
    "error 1450 2",
    "opens 1000",
    "time_us 6677",
    "after pages=120 page_size=4096 source=performance_info class2=120 allocs=3048 frees=2026 tagged=399610",
    "tag RdCc blocks=1000 bytes=396000",
    "reopen 0",
    "disconnected X:",
    "done 0",
};

static void test_recorded_output_is_understood(void **state)
{
    struct createleak output = {.done = -1};
    struct results_run run = {.shape = "X:\\a|b"};

    (void)state;
    for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++)
        createleak_line(&output, &run, recorded[i]);
    assert_true(output.version_known && output.connected && output.file_equal && output.disconnected);
    assert_true(output.before && output.after && output.pages_known && output.reopened);
    assert_int_equal(output.reopen, 0);
    assert_int_equal(output.done, 0);
    assert_int_equal(output.opens, 1000);
    assert_int_equal(output.time_us, 6677);
    assert_string_equal(output.source, "performance_info");
    assert_int_equal(run.pages_before, 9);
    assert_int_equal(run.pages_after, 120);
    assert_int_equal(results_errors(&run, 123), 998);
    assert_int_equal(results_errors(&run, 1450), 2);
    assert_int_equal(results_errors(&run, 5), 0);
    assert_int_equal(run.sample_count, 3);
    assert_int_equal(run.samples[0].opens, 0);
    assert_int_equal(run.samples[0].pages, 9);
    assert_int_equal(run.samples[2].opens, 1000);
    assert_int_equal(run.samples[2].pages, 120);
}

static void test_unknown_pages_and_lines_are_no_figures(void **state)
{
    static const char *const lines[] = {"",
                                        "error",
                                        "error x y",
                                        "sample",
                                        "before pages=- page_size=4096 source=-",
                                        "after pages=- page_size=4096 source=-",
                                        "errors 1 2",
                                        "file X:\\a 1 read"};
    struct createleak output = {.done = -1};
    struct results_run run = {.shape = "X:"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        createleak_line(&output, &run, lines[i]);
    assert_false(output.pages_known);
    assert_false(output.file_equal);
    assert_int_equal(run.error_count, 0);
    assert_int_equal(output.done, -1);
}

/* ---- verdicts ---- */

static const struct {
    bool has_defect;
    int64_t blocks, bytes, pages; /* growth, for 1000 opens */
    int64_t site_blocks, site_bytes;
    uint64_t invalid;
    bool probe_ok;
    enum verdict verdict;
    const char *problem; /* NULL: as expected */
} judged[] = {
    {true, 1000, 328000, 80, 1000, 328000, 1000, true, VERDICT_LEAKS, NULL},
    {false, 0, 0, 0, 0, 0, 1000, true, VERDICT_CLEAN, NULL},
    /* one of the two ways of looking alone is not enough */
    {true, 1000, 328000, 0, 1000, 328000, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    {true, 0, 0, 80, 0, 0, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    {false, 0, 0, 17, 0, 0, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    {false, 1, 16, 0, 1, 16, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    /* not one block for every open, or not all at one site */
    {true, 999, 327672, 80, 999, 327672, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    {true, 1001, 328328, 80, 1000, 328000, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    {true, -1, -328, -1, 0, 0, 1000, true, VERDICT_UNCLEAR, "agree on neither"},
    /* the wrong build */
    {false, 1000, 328000, 80, 1000, 328000, 1000, true, VERDICT_LEAKS, "it leaks, and is a build that has the fix"},
    {true, 0, 0, 0, 0, 0, 1000, true, VERDICT_CLEAN, "it is clean, and is a build that has the defect"},
    /* the calls */
    {false, 0, 0, 0, 0, 0, 999, true, VERDICT_CLEAN, "999 of 1000 calls failed with error 123"},
    {false, 0, 0, 0, 0, 0, 1000, false, VERDICT_CLEAN, "the file on the share"},
};

static void judge(size_t row, struct results_run *run)
{
    *run = (struct results_run){.build = "nt4-sp5", .shape = "X:", .letter = 'X', .opens = 1000};
    run->has_defect = judged[row].has_defect;
    run->paged_before = 41216;
    run->paged_after = 41216 + (uint64_t)judged[row].bytes;
    run->blocks_before = 50;
    run->blocks_after = 50 + (uint64_t)judged[row].blocks;
    run->pages_before = 12;
    run->pages_after = 12 + (uint64_t)judged[row].pages;
    run->probe_ok = judged[row].probe_ok;
    results_count_error(run, 123, judged[row].invalid);
    if (judged[row].invalid != run->opens)
        results_count_error(run, 2, run->opens - judged[row].invalid);
    if (judged[row].site_blocks != 0) {
        run->sites[0] =
            (struct results_site){"RdCc", "rdr/create.c", 47, judged[row].site_blocks, judged[row].site_bytes};
        run->site_count = 1;
    }
    results_judge(run);
}

static void test_verdict_needs_both_ways_of_looking(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        struct results_run run;
        struct results results = {.runs = &run, .run_count = 1};

        judge(i, &run);
        if (run.verdict != judged[i].verdict)
            fail_msg("row %zu: %s, not %s", i, verdict_name(run.verdict), verdict_name(judged[i].verdict));
        if (judged[i].problem == NULL ? run.problems[0] != '\0' : strstr(run.problems, judged[i].problem) == NULL)
            fail_msg("row %zu: \"%s\", not \"%s\"", i, run.problems,
                     judged[i].problem != NULL ? judged[i].problem : "");
        assert_int_equal(results_pass(&results), judged[i].problem == NULL);
    }
}

static void test_nothing_run_is_no_pass(void **state)
{
    struct results results = {0};

    (void)state;
    assert_false(results_pass(&results));
}

/* ---- reports ---- */

static void make_results(struct results *results, struct results_run runs[2])
{
    judge(0, &runs[0]);
    judge(1, &runs[1]);
    strcpy(runs[1].build, "nt4-sp6");
    *results = (struct results){.client = "createleak.exe",
                                .wine = "wine-8.0",
                                .samba = "4.17.12",
                                .dialect = "SMB3_11",
                                .share = "\\\\127.0.0.1\\lab",
                                .runs = runs,
                                .run_count = 2};
}

static struct json_object *key(struct json_object *object, const char *name, enum json_type type)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, name, &value))
        fail_msg("no key \"%s\"", name);
    if (!json_object_is_type(value, type))
        fail_msg("\"%s\" is a %s, not a %s", name, json_type_to_name(json_object_get_type(value)),
                 json_type_to_name(type));
    return value;
}

static void check_run_schema(struct json_object *run)
{
    static const char *const numbers[] = {"opens",       "paged_before",  "paged_after", "pages_before",
                                          "pages_after", "leaked_blocks", "leaked_bytes"};
    struct json_object *sites = key(run, "sites", json_type_array);

    key(run, "build", json_type_string);
    key(run, "shape", json_type_string);
    key(run, "verdict", json_type_string);
    key(run, "errors", json_type_object);
    key(run, "seconds", json_type_double);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        key(run, numbers[i], json_type_int);
    for (size_t i = 0; i < json_object_array_length(sites); i++) {
        struct json_object *site = json_object_array_get_idx(sites, i);

        key(site, "tag", json_type_string);
        key(site, "file", json_type_string);
        key(site, "line", json_type_int);
        key(site, "blocks", json_type_int);
        key(site, "bytes", json_type_int);
        assert_int_equal(json_object_object_length(site), 5);
    }
    assert_int_equal(json_object_object_length(run), 13);
}

static void test_json_has_the_promised_keys(void **state)
{
    static const char *const texts[] = {"case", "client", "wine", "samba", "dialect"};
    struct json_object *report, *runs, *leaking;
    struct results results;
    struct results_run both[2];
    char folder[64], path[96];

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof(path), "%s/report.json", folder);
    make_results(&results, both);
    assert_int_equal(report_json(path, &results), 0);
    report = json_object_from_file(path);
    tree_remove(folder);
    assert_non_null(report);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        key(report, texts[i], json_type_string);
    assert_true(json_object_get_boolean(key(report, "pass", json_type_boolean)));
    assert_int_equal(json_object_object_length(report), 7);
    runs = key(report, "runs", json_type_array);
    assert_int_equal(json_object_array_length(runs), 2);
    for (size_t i = 0; i < 2; i++)
        check_run_schema(json_object_array_get_idx(runs, i));
    leaking = json_object_array_get_idx(runs, 0);
    assert_string_equal(json_object_get_string(key(leaking, "verdict", json_type_string)), "leaks");
    assert_int_equal(json_object_get_int64(key(leaking, "leaked_bytes", json_type_int)), 328000);
    assert_int_equal(json_object_get_int(key(key(leaking, "errors", json_type_object), "123", json_type_int)), 1000);
    json_object_put(report);
}

static void test_json_that_cannot_be_written_leaves_no_part(void **state)
{
    struct results results;
    struct results_run both[2];

    (void)state;
    make_results(&results, both);
    assert_int_equal(report_json("/nowhere/report.json", &results), -2);
    assert_int_equal(access("/nowhere/report.json.part", F_OK), -1);
}

static void test_table_is_aligned(void **state)
{
    static const char expected[] = "build    call              opens  error 123  paged pool, exact (machine)  pages "
                                   "(program)  kept per open  verdict\n"
                                   "nt4-sp5  CreateFile(\"X:\")  1,000  1,000      41,216 -> 369,216 B          12 -> "
                                   "92         328 B          LEAKS"
                                   "  tag RdCc  1,000 blocks  rdr/create.c:47\n"
                                   "nt4-sp6  CreateFile(\"X:\")  1,000  1,000      41,216 -> 41,216 B           12 -> "
                                   "12         0 B            clean\n";
    struct results results;
    struct results_run both[2];
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);

    (void)state;
    make_results(&results, both);
    report_text(file, &results);
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

static void test_numbers_have_separators(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } rows[] = {{0, "0"},
                {999, "999"},
                {1000, "1,000"},
                {123456, "123,456"},
                {3321216, "3,321,216"},
                {UINT64_MAX, "18,446,744,073,709,551,615"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(thousands(rows[i].number, text), rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_are_one_clear_line_each),
        cmocka_unit_test(test_name_of_40000_characters_is_refused_in_words),
        cmocka_unit_test(test_help_is_on_standard_output),
        cmocka_unit_test(test_trace_tells_of_a_failing_create_on_both_builds),
        cmocka_unit_test(test_trace_opens_with_what_it_is_told),
        cmocka_unit_test(test_trace_as_json_is_one_object_a_line),
        cmocka_unit_test(test_registry_lists_what_is_documented),
        cmocka_unit_test(test_missing_programs_are_named),
        cmocka_unit_test(test_recorded_output_is_understood),
        cmocka_unit_test(test_unknown_pages_and_lines_are_no_figures),
        cmocka_unit_test(test_verdict_needs_both_ways_of_looking),
        cmocka_unit_test(test_nothing_run_is_no_pass),
        cmocka_unit_test(test_json_has_the_promised_keys),
        cmocka_unit_test(test_json_that_cannot_be_written_leaves_no_part),
        cmocka_unit_test(test_table_is_aligned),
        cmocka_unit_test(test_numbers_have_separators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
