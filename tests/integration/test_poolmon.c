/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_poolmon.c - "rdrlab poolmon" over a real rdrlabd: in a window, which is tmux's, each key with its effect; and
 * printed, with exact numbers.
 */
#include "command.h"
#include "daemon.h"
#include "files.h"
#include "process.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PICTURE_MAX 32768

struct fixture {
    struct daemon daemon;
    char folder[64], socket[96]; /* tmux's */
    pid_t server;
    char picture[PICTURE_MAX];
};

static struct command command;
static char program[256]; /* tmux */

/* ---- the terminal ---- */

/* tmux of the fixture's own server; what it prints goes into the picture. */
static void tmux(struct fixture *fixture, const char *const *arguments)
{
    const char *argv[16] = {program, "-S", fixture->socket, "-f", "/dev/null"};
    static const char *const environment[] = {"TMUX", NULL};
    int argc = 5;

    while (*arguments != NULL)
        argv[argc++] = *arguments++;
    process_output((char *const *)argv, environment, fixture->picture, sizeof(fixture->picture));
}

#define TMUX(fixture, ...) tmux(fixture, (const char *const[]){__VA_ARGS__, NULL})

static void press(struct fixture *fixture, const char *key)
{
    TMUX(fixture, "send-keys", "-t", "poolmon", key);
}

static bool sees(struct fixture *fixture, const char *text, bool wanted)
{
    for (int i = 0; i < 4000; i++) {
        TMUX(fixture, "capture-pane", "-p", "-e", "-t", "poolmon");
        if ((strstr(fixture->picture, text) != NULL) == wanted)
            return true;
        process_pause(5);
    }
    return false;
}

static void see(struct fixture *fixture, const char *text)
{
    if (!sees(fixture, text, true))
        fail_msg("no \"%s\" in\n%s", text, fixture->picture);
}

static void see_gone(struct fixture *fixture, const char *text)
{
    if (!sees(fixture, text, false))
        fail_msg("still \"%s\" in\n%s", text, fixture->picture);
}

/* A shell that runs poolmon with these options and then says how it ended, and whether the terminal is as before. */
static void open_window(struct fixture *fixture, const char *options, const char *size[2])
{
    char line[1024];

    snprintf(line, sizeof(line),
             "before=$(stty -g); '%s' poolmon --machine '%s' %s; echo status $?; "
             "[ \"$(stty -g)\" = \"$before\" ] && echo terminal as before; exec sleep 1000",
             RDRLAB, fixture->daemon.folder, options);
    TMUX(fixture, "new-session", "-d", "-s", "poolmon", "-x", size[0], "-y", size[1], line);
}

static const char *small[2] = {"80", "24"}, *large[2] = {"132", "40"};

static int begin(void **state)
{
    static const char *const arguments[] = {"--stacks", NULL};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *argv[] = {program, "-S", fixture->socket, "-f", "/dev/null", "-D", NULL};
    const char *const environment[] = {"TMUX", NULL};
    struct process_spec spec = {.argv = (char *const *)argv,
                                .environment = environment,
                                .in = -1,
                                .out = -1,
                                .err = -1,
                                .keep = -1,
                                .death_signal = SIGKILL};

    *state = fixture;
    make_folder(fixture->folder);
    snprintf(fixture->socket, sizeof(fixture->socket), "%s/tmux", fixture->folder);
    daemon_start(&fixture->daemon, arguments);
    assert_int_equal(process_start(&spec, &fixture->server), 0);
    for (int i = 0; i < 2000 && access(fixture->socket, F_OK) != 0; i++)
        process_pause(5);
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;

    process_stop(fixture->server, 5000);
    tree_remove(fixture->folder);
    if (fixture->daemon.pid != 0)
        daemon_stop(&fixture->daemon);
    free(fixture);
    return 0;
}

/* Run "rdrlab poolmon" to its end without a terminal. */
static void print(struct fixture *fixture, const char *const *options)
{
    const char *argv[16] = {RDRLAB, "poolmon", "--machine", fixture->daemon.folder};
    int argc = 4;

    while (*options != NULL)
        argv[argc++] = *options++;
    run_command(&command, argv, NULL, 30);
}

#define PRINT(fixture, ...) print(fixture, (const char *const[]){__VA_ARGS__, NULL})

/* ---- keys ---- */

/* The first row of a list in that order begins with this, as the program's own CSV has it. */
static void first_row(struct fixture *fixture, const char *option, char text[16])
{
    char tag[5] = "", type[6] = "";
    const char *row;

    PRINT(fixture, option, "--csv");
    row = strchr(command.out, '\n');
    assert_non_null(row);
    assert_int_equal(sscanf(row, "\n%*[^,],\"%4c\",%5[^,]", tag, type), 2);
    snprintf(text, 16, "%s %s", tag, type);
}

/* The line after the header's begins so. */
static void see_first(struct fixture *fixture, const char *row)
{
    for (int i = 0; i < 2000; i++) {
        const char *line, *found;

        TMUX(fixture, "capture-pane", "-p", "-t", "poolmon");
        line = strstr(fixture->picture, "Sites\n");
        found = line != NULL ? strstr(line, row) : NULL;
        if (found != NULL && found == line + 6)
            return;
        process_pause(5);
    }
    fail_msg("%s is not the first row of\n%s", row, fixture->picture);
}

static void test_keys_sort(void **state)
{
    static const struct {
        const char *key, *name;
    } rows[] = {{"a", "by allocs"}, {"f", "by frees"},     {"d", "by diff"},
                {"b", "by bytes"},  {"m", "by per alloc"}, {"t", "by tag"}};
    struct fixture *fixture = *state;
    struct way way = {0};
    char option[3], row[16];

    open_window(fixture, "", small);
    see(fixture, "System pool information");
    /* Clients have come and gone: so many frees of processes that the one who asks for the list changes no order. */
    for (int i = 0; i < 4; i++)
        wire_disconnect(daemon_connect(&fixture->daemon, 0));
    way.client = daemon_connect(&fixture->daemon, 0);
    await_machine(&way, 2, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        press(fixture, rows[i].key);
        see(fixture, rows[i].name);
        snprintf(option, sizeof(option), "-%s", rows[i].key);
        first_row(fixture, option, row);
        press(fixture, " ");
        see_first(fixture, row);
    }
    wire_disconnect(way.client);
    press(fixture, "(");
    see(fixture, "by tag, change");
    press(fixture, ")");
    see_gone(fixture, ", change");
    press(fixture, "q");
    see(fixture, "status 0");
    see(fixture, "terminal as before");
}

static void test_keys_choose_pools_totals_and_help(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "", small);
    see(fixture, " Paged ");
    press(fixture, "p");
    see(fixture, "nonpaged");
    see(fixture, " Nonp ");
    see_gone(fixture, " Paged ");
    press(fixture, "e");
    see(fixture, "all  Nonp");
    see_gone(fixture, "all  Paged");
    press(fixture, "e");
    press(fixture, "p");
    see_gone(fixture, " Nonp ");
    see(fixture, " Paged ");
    press(fixture, "p");
    see(fixture, " Nonp ");
    see(fixture, " Paged ");
    press(fixture, "e");
    see(fixture, "all  Nonp");
    see(fixture, "all  Paged");
    press(fixture, "e");
    see_gone(fixture, "all  ");
    press(fixture, "h");
    see(fixture, "sort by the change");
    press(fixture, "x");
    see_gone(fixture, "sort by the change");
    press(fixture, "?");
    see(fixture, "sort by the change");
    press(fixture, "x");
    see_gone(fixture, "sort by the change");
    press(fixture, "Escape");
    see(fixture, "status 0");
}

static void test_changes_are_shown_and_highlighted(void **state)
{
    struct fixture *fixture = *state;
    struct wire_client *client;

    /* Ten minutes: it looks again when told to. */
    open_window(fixture, "--interval 600 -iProc", small);
    see(fixture, "(   0)");
    see_gone(fixture, "(   2)");
    client = daemon_connect(&fixture->daemon, 0);
    press(fixture, "l");
    see_gone(fixture, "\033[33m");
    press(fixture, " ");
    see(fixture, "(   2)"); /* a process, and its lists of requests */
    see(fixture, "33m");
    press(fixture, "l");
    see_gone(fixture, "33m");
    see(fixture, "(   2)");
    wire_disconnect(client);
    press(fixture, "q");
    see(fixture, "status 0");
}

static void test_the_way_down_to_stacks_and_back(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "/iDire -iObNm", large);
    see(fixture, "+Dire  +ObNm");
    see(fixture, "Largest site");
    press(fixture, "Down");
    press(fixture, "Enter");
    see(fixture, "Call sites of tag ObNm, paged pool");
    see(fixture, "ob/directory.c:");
    press(fixture, "Right");
    see(fixture, "Stacks of tag ObNm");
    see(fixture, "Stack 1 of ");
    see(fixture, "(rdrlabd)");
    press(fixture, "Left");
    see(fixture, "Call sites of tag ObNm");
    press(fixture, "BSpace");
    see(fixture, "System pool information");
    press(fixture, "Home");
    press(fixture, "Enter");
    see(fixture, "Call sites of tag Dire");
    press(fixture, "Escape");
    see(fixture, "System pool information");
    press(fixture, "q");
    see(fixture, "status 0");
}

static void test_a_smaller_window_is_drawn_anew(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "-e", large);
    see(fixture, "Largest site");
    TMUX(fixture, "resize-window", "-t", "poolmon", "-x", "80", "-y", "24");
    see_gone(fixture, "Largest site");
    see(fixture, "Enter: call sites");
    see(fixture, "all  Paged");
    TMUX(fixture, "resize-window", "-t", "poolmon", "-x", "30", "-y", "4");
    see_gone(fixture, "Per Alloc");
    TMUX(fixture, "resize-window", "-t", "poolmon", "-x", "132", "-y", "40");
    see(fixture, "Largest site");
    press(fixture, "q");
    see(fixture, "status 0");
}

static void test_options_as_people_type_them(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "-e -b -p -p -iOb* /xObt*", small);
    see(fixture, "by bytes  paged  +Ob*  -Obt*");
    see(fixture, "ObNm Paged");
    see(fixture, "all  Paged");
    see_gone(fixture, "Dire");
    press(fixture, "q");
    see(fixture, "status 0");
}

static void test_signals_leave_the_terminal_as_it_was(void **state)
{
    static const char *const keys[] = {"C-c", "C-\\"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        open_window(fixture, "", small);
        see(fixture, "System pool information");
        press(fixture, keys[i]);
        see(fixture, "status 130");
        see(fixture, "terminal as before");
        TMUX(fixture, "kill-session", "-t", "poolmon");
    }
}

static void test_a_machine_that_goes_away_is_said(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "--interval 600", small);
    see(fixture, "System pool information");
    daemon_stop(&fixture->daemon);
    fixture->daemon.pid = 0;
    see(fixture, "the machine is gone. Any key ends poolmon.");
    press(fixture, "x");
    see(fixture, "rdrlab: the machine is gone");
    see(fixture, "status 3");
    see(fixture, "terminal as before");
}

static void test_a_machine_that_is_stuck_holds_nobody(void **state)
{
    struct fixture *fixture = *state;

    open_window(fixture, "--interval 600", small);
    see(fixture, "System pool information");
    kill(fixture->daemon.pid, SIGSTOP);
    press(fixture, " ");
    see(fixture, "does not answer in time. Any key");
    kill(fixture->daemon.pid, SIGCONT);
    press(fixture, "x");
    see(fixture, "status 3");
    see(fixture, "terminal as before");
}

static void test_a_terminal_of_no_known_kind_is_one_line(void **state)
{
    struct fixture *fixture = *state;
    char line[512];

    snprintf(line, sizeof(line), "TERM=nosuch '%s' poolmon --machine '%s'; echo status $?; exec sleep 1000", RDRLAB,
             fixture->daemon.folder);
    TMUX(fixture, "new-session", "-d", "-s", "poolmon", "-x", "100", "-y", "24", line);
    see(fixture, "TERM=nosuch, is unknown here");
    see(fixture, "status 3");
}

/* ---- printed ---- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    if (!json_object_object_get_ex(object, name, &value))
        fail_msg("no key \"%s\" in %s", name, json_object_to_json_string(object));
    return value;
}

static int64_t number(struct json_object *object, const char *name)
{
    return json_object_get_int64(member(object, name));
}

static int64_t sum(struct json_object *rows, const char *name)
{
    int64_t total = 0;

    for (size_t i = 0; i < json_object_array_length(rows); i++)
        total += number(json_object_array_get_idx(rows, i), name);
    return total;
}

static void test_json_adds_up(void **state)
{
    static const char *const names[] = {"allocs", "frees", "diff", "bytes", "block_bytes"};
    struct json_object *look, *site;

    PRINT(*state, "--json", "--sites");
    assert_int_equal(command.status, 0);
    look = json_tokener_parse(command.out);
    assert_non_null(look);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int64_t pools = number(member(look, "paged"), names[i]) + number(member(look, "nonpaged"), names[i]);

        if (sum(member(look, "tags"), names[i]) != pools || sum(member(look, "sites"), names[i]) != pools)
            fail_msg("%s do not add up in %s", names[i], command.out);
    }
    site = json_object_array_get_idx(member(look, "sites"), 0);
    assert_int_equal(sum(member(site, "stacks"), "bytes"), number(site, "bytes"));
    json_object_put(look);
}

static unsigned lines_in(const char *text)
{
    unsigned count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void test_samples_have_one_head(void **state)
{
    PRINT(*state, "--csv", "-iObNm", "--count", "3", "--interval", "0.1");
    assert_int_equal(command.status, 0);
    assert_int_equal(lines_in(command.out), 4);
    assert_int_equal(strncmp(command.out, "Time,Tag,Type,Allocs,Allocs Delta,Frees,", 40), 0);
    PRINT(*state, "--counters", "--count", "2", "--interval", "0.1");
    assert_int_equal(lines_in(command.out), 3);
    assert_int_equal(strncmp(command.out, "\"(PDH-CSV 4.0)\",\"\\Memory\\Pool Paged Bytes\",", 43), 0);
    PRINT(*state, "--json", "--count", "2", "--interval", "0.1");
    assert_int_equal(lines_in(command.out), 2);
}

static void test_text_lists_tags_then_sites(void **state)
{
    const char *tags, *sites;

    PRINT(*state, "--once", "-e");
    assert_int_equal(command.status, 0);
    tags = strstr(command.out, "Per Alloc  Sites");
    sites = strstr(command.out, "Per Alloc  Site\n");
    assert_true(tags != NULL && sites != NULL && tags < sites);
    assert_non_null(strstr(tags, "all   Paged"));
    PRINT(*state, "--sites");
    assert_null(strstr(command.out, "Per Alloc  Sites"));
    assert_non_null(strstr(command.out, "(rdrlabd)"));
}

static void test_a_snapshot_goes_into_a_file(void **state)
{
    struct fixture *fixture = *state;
    char path[96];

    snprintf(path, sizeof(path), "%s/snapshot", fixture->folder);
    PRINT(fixture, "-n", path, "-b");
    assert_int_equal(command.status, 0);
    assert_string_equal(command.out, "");
    assert_int_equal(access(path, R_OK), 0);
    PRINT(fixture, "-n", "/nowhere/at/all");
    assert_int_equal(command.status, 3);
    assert_non_null(strstr(command.err, "-n /nowhere/at/all: No such file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_sort),
        TEST(test_keys_choose_pools_totals_and_help),
        TEST(test_changes_are_shown_and_highlighted),
        TEST(test_the_way_down_to_stacks_and_back),
        TEST(test_a_smaller_window_is_drawn_anew),
        TEST(test_options_as_people_type_them),
        TEST(test_signals_leave_the_terminal_as_it_was),
        TEST(test_a_machine_that_goes_away_is_said),
        TEST(test_a_machine_that_is_stuck_holds_nobody),
        TEST(test_a_terminal_of_no_known_kind_is_one_line),
        TEST(test_json_adds_up),
        TEST(test_samples_have_one_head),
        TEST(test_text_lists_tags_then_sites),
        TEST(test_a_snapshot_goes_into_a_file),
    };
    process_watch_interrupts();
    if (process_find_program("tmux", program, sizeof(program)) != 0)
        return skip_or_fail("there is no tmux");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
