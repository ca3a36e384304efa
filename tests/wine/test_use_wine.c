/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_use_wine.c - connections as Win32 programs see them, whoever maps them. The machine serves \\mem\lab from
 * memory.
 *
 * Environment: as winelab.h.
 */
#include "claims.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct program program; /* large */

static const char *const sp6[] = {"--build", "nt4-sp6", NULL};

/* X: is remembered and not connected, until it is forgotten. */
static void remember(const struct way *way)
{
    static struct wire_reply reply;
    static const WCHAR remote[] = u"\\\\mem\\lab";
    const struct wire_add_connection add = {.letter = LETTER_X, .remote_length = sizeof(remote) - 2, .remember = 1};

    assert_int_equal(wire_call(way->client, WIRE_ADD_CONNECTION, &add, sizeof(add), remote, sizeof(remote) - 2, &reply),
                     0);
    assert_status((NTSTATUS)reply.status, STATUS_SUCCESS);
    assert_status(way_unmap(way, LETTER_X, 0), STATUS_SUCCESS);
}

static void map_as_alice(const struct way *way)
{
    assert_status(way_map(way, LETTER_X, u"\\\\mem\\lab", u"alice", u"secret"), STATUS_SUCCESS);
}

static int unmap(const struct daemon *daemon, const struct way *way)
{
    assert_status(way_unmap(way, LETTER_X, 1), STATUS_SUCCESS);
    return 0;
}

static int forget(const struct daemon *daemon, const struct way *way)
{
    assert_status(way_unmap(way, LETTER_X, WIRE_CANCEL_FORGET), STATUS_SUCCESS);
    return 0;
}

static void check_letter(const char *transport)
{
    static const char *const mapped[] = {"shown",      "connected",  "network",    "information", "universal", "user",
                                         "remembered", "redirected", "deviceless", "open-files",  NULL};
    static const char *const unmapped[] = {"not-shown", NULL};
    static const struct claims claims = {"tests/wine/useprobe.exe", mapped, {"alice"}, map_as_alice, unmap};
    static const struct claims others = {"tests/wine/useprobe.exe", unmapped, {"alice"}, remember, forget};

    check_claims(&claims, transport);
    check_claims(&others, transport);
}

static void test_letters_over_system_calls(void **state)
{
    check_letter("raw");
}

static void test_letters_over_mapped_regions(void **state)
{
    check_letter("mapped");
}

static void ask_where(int to, int from, const char *expected)
{
    assert_int_equal(write(to, "\n", 1), 1);
    expect_line(from, expected);
}

/* What Windows shows of a letter is where it leads now, also if it was led elsewhere between two looks. */
static void test_a_letter_is_shown_to_lead_where_it_leads(void **state)
{
    struct daemon daemon;
    struct way way = {0};
    int to, from;

    daemon_start(&daemon, sp6);
    way.client = daemon_connect(&daemon, 0);
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/useprobe.exe");
    program.argv[1] = "leads";
    program.machine = daemon.folder;
    assert_true(winelab_talk(&lab, &program, &to, &from));
    ask_where(to, from, "nowhere");
    assert_status(way_map(&way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    ask_where(to, from, "\\Device\\LanmanRedirector\\X:\\mem\\lab");
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    assert_status(way_map(&way, LETTER_X, u"\\\\short\\third", NULL, NULL), STATUS_SUCCESS);
    ask_where(to, from, "\\Device\\LanmanRedirector\\X:\\short\\third");
    assert_status(way_unmap(&way, LETTER_X, 0), STATUS_SUCCESS);
    ask_where(to, from, "nowhere");
    close(to);
    close(from);
    assert_true(winelab_finish(&lab, &program, 30));
    assert_int_equal(program.status, 0);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* ---- rdrlabuse.exe ---- */

/* With these arguments, NULL-terminated; `says` is somewhere in what it prints. */
static void use_at(const struct daemon *daemon, const char *const *arguments, const char *input, int status,
                   const char *says, int line)
{
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "emu/win32/rdrlabuse.exe");
    for (int i = 0; arguments[i]; i++)
        program.argv[i + 1] = arguments[i];
    program.machine = daemon ? daemon->folder : NULL;
    program.input = input;
    if (!winelab_run(&lab, &program, 60) || program.status != status ||
        (!strstr(program.output, says) && !strstr(program.error, says)))
        fail_msg("line %d: exit status %d, not %d, or no \"%s\" in:\n%s%s", line, program.status, status, says,
                 program.output, program.error);
}

#define USE(daemon, input, status, says, ...)                                                                          \
    use_at(daemon, (const char *const[]){"use", ##__VA_ARGS__, NULL} + 1, input, status, says, __LINE__)

/* A machine with an account of its own. */
static void start_with_account(struct daemon *daemon)
{
    char file[96];
    const char *const arguments[] = {"--build", "nt4-sp6", "--user", "alice", "--password-file", file, NULL};
    FILE *password;

    snprintf(file, sizeof(file), "%s/password", lab.folder);
    password = fopen(file, "we");
    assert_non_null(password);
    fputs("s3cret\n", password);
    assert_int_equal(fclose(password), 0);
    daemon_start(daemon, arguments);
}

static void test_rdrlabuse_maps_lists_and_unmaps(void **state)
{
    struct daemon daemon;
    char file[96];

    start_with_account(&daemon);
    snprintf(file, sizeof(file), "/passwordfile:%s/password", lab.folder);
    USE(&daemon, NULL, 0, "There are no connections.\n");
    USE(&daemon, NULL, 0, "X: is \\\\mem\\lab\n", "x:", "//mem/lab", "/user:alice", file);
    USE(&daemon, "s3cret\n", 0, "W: is ", "W:", "\\\\mem\\lab", "/user:alice", "/passwordfile:-");
    USE(&daemon, NULL, 0, "Y: is ", "*", "//mem/lab");
    USE(&daemon, NULL, 0, "OK            W:     \\\\mem\\lab                      alice\n");
    USE(&daemon, NULL, 0, "OK            X:     \\\\mem\\lab ", "X:");
    USE(&daemon, NULL, 1, "X: error 85: ", "X:", "//mem/lab");
    USE(&daemon, NULL, 1, "R: error 2250: ", "R:", "/delete");
    USE(&daemon, NULL, 1, "R: error 2250: ", "R:");
    USE(&daemon, "secret\n", 1, "R: error 1326: ", "R:", "//mem/lab", "/user:alice", "/passwordfile:-");
    USE(&daemon, "secret\n", 1, "R: error 1219: ", "R:", "//mem/lab", "/user:bob", "/passwordfile:-");
    USE(&daemon, NULL, 1, "R: error 67: ", "R:", "//mem/missing");
    USE(&daemon, NULL, 1, "R: error 53: ", "R:", "//nowhere/lab");
    USE(&daemon, NULL, 2, "no password can be read (error 2)", "R:", "//mem/lab", "/user:bob",
        "/passwordfile:/no/file");
    USE(&daemon, NULL, 2, "usage: ", "R:", "//mem/lab", "/ask");
    USE(&daemon, NULL, 2, "/password:s3cret: not understood", "R:", "//mem/lab", "/password:s3cret");
    for (int i = 0; i < 3; i++)
        USE(&daemon, NULL, 0, " is deleted\n", i == 0 ? "W:" : i == 1 ? "X:" : "Y:", "/delete");
    USE(&daemon, NULL, 0, "There are no connections.\n");
    assert_int_equal(daemon_stop(&daemon), 0);
    USE(NULL, NULL, 1, "X: error 1222: no machine answers", "X:", "//mem/lab");
}

static void test_rdrlabuse_connects_without_a_letter(void **state)
{
    struct daemon daemon;

    start_with_account(&daemon);
    USE(&daemon, "s3cret\n", 0, "\\\\mem\\lab is connected\n", "//mem/lab", "/user:alice", "/passwordfile:-");
    USE(&daemon, NULL, 0, "OK                   \\\\mem\\lab                      alice\n");
    USE(&daemon, "secret\n", 1, "\\\\mem\\lab error 1219: ", "//mem/lab", "/user:bob", "/passwordfile:-");
    USE(&daemon, NULL, 1, "\\\\mem\\missing error 67: ", "\\\\mem\\missing");
    USE(&daemon, NULL, 2, "usage: ", "//mem/lab", "/persistent:yes");
    USE(&daemon, NULL, 2, "usage: ", "X:", "//mem/lab", "/delete");
    USE(&daemon, NULL, 0, "\\\\mem\\lab is deleted\n", "\\\\mem\\lab", "/delete");
    USE(&daemon, NULL, 1, "\\\\mem\\lab error 2250: ", "\\\\mem\\lab", "/delete");
    USE(&daemon, NULL, 0, "There are no connections.\n");
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* A letter outlives its machine in the registry, and is there again for whatever the launcher starts on the next one.
 */
static void test_remembered_letters_come_back(void **state)
{
    struct daemon daemon;

    start_with_account(&daemon);
    USE(&daemon, NULL, 0, "R: is ", "R:", "//mem/lab", "/persistent:yes");
    assert_int_equal(daemon_stop(&daemon), 0);

    start_with_account(&daemon);
    USE(&daemon, NULL, 0, "Unavailable   R:     \\\\mem\\lab");
    memset(&program, 0, sizeof(program));
    memcpy(program.argv,
           (const char *[]){winelab_program(&lab, "emu/win32/rdrlabrun.exe"), "cmd", "/c", "type R:\\probe.txt", NULL},
           5 * sizeof(char *));
    program.machine = daemon.folder;
    assert_true(winelab_run(&lab, &program, 60));
    assert_int_equal(program.status, 0);
    assert_string_equal(program.output, "rdrlab probe\n");
    USE(&daemon, NULL, 0, "OK            R: ");
    assert_int_equal(daemon_stop(&daemon), 0);

    /* Without the account, that user is refused, and nobody hindered. */
    daemon_start(&daemon, (const char *const[]){"--backend", "locked", NULL});
    memset(&program, 0, sizeof(program));
    memcpy(program.argv,
           (const char *[]){winelab_program(&lab, "emu/win32/rdrlabrun.exe"), "cmd", "/c", "exit 7", NULL},
           5 * sizeof(char *));
    program.machine = daemon.folder;
    assert_true(winelab_run(&lab, &program, 60));
    assert_int_equal(program.status, 7);
    assert_non_null(strstr(program.error, "R: cannot be connected to \\\\mem\\lab again: error 1326"));
    USE(&daemon, NULL, 1, "R: error 1326: ", "/restore");
    USE(&daemon, NULL, 0, "R: is deleted\n", "R:", "/delete");
    USE(&daemon, NULL, 0, "There are no connections.\n");
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* ---- the pool ---- */

struct tag_use {
    unsigned long long allocs[2], frees[2], bytes[2]; /* nonpaged, paged */
};

/* What the machine itself says of a tag, all its sites together. */
static struct tag_use ask_tag(const struct way *way, uint32_t tag)
{
    static struct wire_reply reply;
    struct wire_pool_site site = {0};
    struct tag_use use = {0};
    size_t count;

    do {
        assert_int_equal(way_call(way, WIRE_POOL_SITES, &site.key, sizeof(site.key), NULL, 0, &reply), 0);
        assert_int_equal(reply.status, 0);
        count = (reply.length - sizeof(struct wire_done)) / sizeof(site);
        for (size_t i = 0; i < count; i++) {
            memcpy(&site, reply.body + sizeof(struct wire_done) + i * sizeof(site), sizeof(site));
            if (memcmp(site.key.tag, &tag, sizeof(tag)) != 0)
                continue;
            use.allocs[site.key.paged] += site.use.allocations;
            use.frees[site.key.paged] += site.use.frees;
            use.bytes[site.key.paged] += site.use.live_bytes;
        }
    } while (count != 0);
    return use;
}

/* One line of the probe's against the machine. */
static void check_line(const struct way *way, const char *line)
{
    const struct wire_machine machine = way_machine(way);
    const struct wire_pool_counts *p = &machine.paged, *n = &machine.nonpaged;
    unsigned long long v[6] = {0};
    char expected[256] = "";
    uint32_t tag;

    if (sscanf(line, "tag %x %llu %llu %llu %llu %llu %llu", &tag, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) == 7) {
        struct tag_use use = ask_tag(way, tag);

        snprintf(expected, sizeof(expected), "tag %08x %llu %llu %llu %llu %llu %llu", tag, use.allocs[1], use.frees[1],
                 use.bytes[1], use.allocs[0], use.frees[0], use.bytes[0]);
    } else if (strncmp(line, "psapi ", 6) == 0) {
        snprintf(expected, sizeof(expected), "psapi %llu %llu", (unsigned long long)p->pages,
                 (unsigned long long)n->pages);
    } else if (strncmp(line, "class2 ", 7) == 0) {
        snprintf(expected, sizeof(expected), "class2 %llu %llu %llu %llu %llu %llu", (unsigned long long)p->pages,
                 (unsigned long long)n->pages, (unsigned long long)p->allocations, (unsigned long long)p->frees,
                 (unsigned long long)n->allocations, (unsigned long long)n->frees);
    } else if (strncmp(line, "counters ", 9) == 0) {
        snprintf(expected, sizeof(expected), "counters %llu %llu %llu %llu", (unsigned long long)p->pages * 4096,
                 (unsigned long long)n->pages * 4096, (unsigned long long)p->allocations,
                 (unsigned long long)n->allocations);
    }
    assert_string_equal(line, expected);
}

/* Through PSAPI, the native service and the performance counters: each figure is the machine's own, to the last one. */
static void test_the_pool_is_the_machines_by_every_door(void **state)
{
    static char text[65536];
    struct daemon daemon;
    struct way way = {0};
    size_t length = 0;
    int to, from, lines = 0;

    daemon_start(&daemon, sp6);
    way.client = daemon_connect(&daemon, 0);
    assert_status(way_map(&way, LETTER_X, u"\\\\mem\\lab", u"alice", u"secret"), STATUS_SUCCESS);
    memset(&program, 0, sizeof(program));
    program.argv[0] = winelab_program(&lab, "tests/wine/useprobe.exe");
    program.argv[1] = "pool";
    program.machine = daemon.folder;
    assert_true(winelab_talk(&lab, &program, &to, &from));
    assert_int_equal(write(to, "\n", 1), 1);
    while (!strstr(text, "end")) {
        ssize_t got = read(from, text + length, sizeof(text) - 1 - length);

        assert_true(got > 0);
        length += (size_t)got;
    }
    for (char *line = strtok(text, "\r\n"); line && strcmp(line, "end") != 0; line = strtok(NULL, "\r\n"), lines++)
        check_line(&way, line);
    assert_true(lines > 10);
    close(to);
    close(from);
    assert_true(winelab_finish(&lab, &program, 30));
    if (program.status != 0)
        fail_msg("useprobe pool: %d\n%s", program.status, program.error);
    assert_status(way_unmap(&way, LETTER_X, 1), STATUS_SUCCESS);
    wire_disconnect(way.client);
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* ---- at a console ---- */

static bool echoes(int master)
{
    struct termios settings;

    assert_int_equal(tcgetattr(master, &settings), 0);
    return settings.c_lflag & ECHO;
}

/* rdrlabuse.exe in a terminal of its own, where `text` is typed when it asks, and when Wine has turned the terminal's
 * own echo off, which it does when it comes to it. What it shows is program.output. */
static void use_at_console(const struct daemon *daemon, const char *const *arguments, const char *text)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status = -1;
    const char *argv[12] = {lab.prefix.wine.loader, winelab_program(&lab, "emu/win32/rdrlabuse.exe")};
    size_t length = 0;
    bool typed = false;
    pid_t pid;

    for (int i = 0; arguments[i]; i++)
        argv[i + 2] = arguments[i];
    memset(&program, 0, sizeof(program));
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    pid = fork();
    if (pid == 0) {
        int slave;

        setsid();
        slave = open(ptsname(master), O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
            _exit(126);
        for (int i = 0; i < 3; i++)
            dup2(slave, i);
        for (size_t i = 0; i < lab.prefix.environment_count; i++)
            putenv((char *)lab.prefix.environment[i]);
        setenv("RDRLAB_MACHINE", daemon->folder, 1);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (;;) {
        bool asked = !typed && strstr(program.output, "Password of");
        struct pollfd p = {.fd = master, .events = POLLIN};
        ssize_t got;

        if (asked && !echoes(master))
            typed = write(master, text, strlen(text)) == (ssize_t)strlen(text);
        if (asked && !typed && poll(&p, 1, 10) == 0)
            continue;
        got = poll(&p, 1, 60000) == 1 ? read(master, program.output + length, OUTPUT_MAX - 1 - length) : -1;

        if (got <= 0)
            break;
        length += (size_t)got;
    }
    kill(pid, SIGKILL); /* it has ended, or hangs */
    waitpid(pid, &status, 0);
    program.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
    close(master);
    assert_true(typed);
}

static void test_a_password_typed_at_the_console_is_not_shown(void **state)
{
    static const char *const arguments[] = {"X:", "//mem/lab", "/user:alice", "/ask", NULL};
    struct daemon daemon;

    start_with_account(&daemon);
    use_at_console(&daemon, arguments, "s3cret\r");
    assert_null(strstr(program.output, "s3c"));
    USE(&daemon, NULL, 0, "OK            X: ");
    assert_int_equal(daemon_stop(&daemon), 0);
}

/* ---- main ---- */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_over_system_calls),
        cmocka_unit_test(test_letters_over_mapped_regions),
        cmocka_unit_test(test_a_letter_is_shown_to_lead_where_it_leads),
        cmocka_unit_test(test_the_pool_is_the_machines_by_every_door),
        cmocka_unit_test(test_rdrlabuse_maps_lists_and_unmaps),
        cmocka_unit_test(test_rdrlabuse_connects_without_a_letter),
        cmocka_unit_test(test_remembered_letters_come_back),
        cmocka_unit_test(test_a_password_typed_at_the_console_is_not_shown),
    };
    int rc = winelab_try();

    if (rc != 0)
        return rc;
    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
