/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_use.c - "rdrlab use" over a real rdrlabd and two real servers, whose users are two: connections, refusals, the
 * prompt in a pseudo terminal, and that a password is nowhere but where it must be.
 */
#include "command.h"
#include "daemon.h"
#include "files.h"
#include "process.h"
#include "smbserver.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SECOND_USER "rdrlabtest" /* on the second server, which maps it to who runs this */

static struct command command;
static struct smbserver *servers[2];
static char top[64];

/* ---- servers ---- */

static int start_server(int number)
{
    char dir[80], share[96], map[96], line[128], text[128], error[4096];
    struct smbserver_options options = {.dir = dir, .share_dir = share, .extra = line};
    const struct passwd *me = getpwuid(geteuid());
    int rc;

    snprintf(dir, sizeof(dir), "%s/%d", top, number);
    snprintf(share, sizeof(share), "%s/share", dir);
    snprintf(map, sizeof(map), "%s/map", dir);
    snprintf(line, sizeof(line), "username map = %s\n", map);
    snprintf(text, sizeof(text), "%s = " SECOND_USER "\n", me != NULL ? me->pw_name : "nobody");
    if (mkdir(dir, 0700) != 0 || mkdir(share, 0700) != 0 || file_write(map, text) != 0)
        return 1;
    rc = smbserver_start(&options, &servers[number], error, sizeof(error));
    if (rc == -ENOENT || rc == -ENOTSUP)
        return skip_or_fail(error);
    if (rc != 0)
        fprintf(stderr, "%s\n", error);
    return rc != 0;
}

/* ---- a machine that knows both servers ---- */

struct fixture {
    struct daemon daemon;
    struct way way;
    char addresses[2][64], passwords[2][96];
};

static void begin(struct fixture *fixture, const char *const *more)
{
    const char *arguments[24] = {"--backend", "smbc", "--worker", SMBWORKER, "--timeout", "10"};
    int count = 6;

    *fixture = (struct fixture){0};
    for (int i = 0; i < 2; i++) {
        snprintf(fixture->addresses[i], sizeof(fixture->addresses[i]), "%s=127.0.0.1:%u", i == 0 ? "one" : "two",
                 smbserver_port(servers[i]));
        snprintf(fixture->passwords[i], sizeof(fixture->passwords[i]), "%s", smbserver_password_file(servers[i]));
        arguments[count++] = "--server";
        arguments[count++] = fixture->addresses[i];
    }
    while (more != NULL && *more != NULL)
        arguments[count++] = *more++;
    daemon_start(&fixture->daemon, arguments);
    fixture->way.client = daemon_connect(&fixture->daemon, 0);
}

static void end(struct fixture *fixture)
{
    wire_disconnect(fixture->way.client);
    assert_int_equal(daemon_stop(&fixture->daemon), 0);
}

/* "rdrlab use" with these arguments, and how it must end; `says` is somewhere in what it prints. */
static void use_at(const struct fixture *fixture, const char *const *arguments, int status, const char *says, int line)
{
    const char *argv[24] = {RDRLAB, "use", "--machine", fixture->daemon.folder};

    for (int i = 0; arguments[i] != NULL; i++)
        argv[4 + i] = arguments[i];
    run_command(&command, argv, NULL, 60);
    if (command.status != status || (strstr(command.out, says) == NULL && strstr(command.err, says) == NULL))
        fail_msg("line %d: status %d, not %d, or no \"%s\" in: %s%s", line, command.status, status, says, command.out,
                 command.err);
}

#define USE(fixture, status, says, ...)                                                                                \
    use_at(fixture, (const char *const[]){"use", ##__VA_ARGS__, NULL} + 1, status, says, __LINE__)

#define FIRST_USER smbserver_user(servers[0])

static void map_both(const struct fixture *fixture)
{
    USE(fixture, 0, "X: is \\\\one\\lab\n", "X:", "//one/lab", "--user", FIRST_USER, "--password-file",
        fixture->passwords[0]);
    USE(fixture, 0, "Y: is \\\\two\\lab\n", "*", "\\\\two\\lab", "--user", SECOND_USER, "--password-file",
        fixture->passwords[1]);
}

static uint64_t open_a_file(const struct fixture *fixture, const WCHAR *name)
{
    const struct opening opening = {.name = name,
                                    .access = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE,
                                    .share = FILE_SHARE_READ,
                                    .disposition = FILE_OPEN_IF,
                                    .options = FILE_SYNCHRONOUS_IO_NONALERT,
                                    .no_token_file = WITHOUT_FILE};
    uint64_t token;

    assert_status(way_open(&fixture->way, &opening, &token), STATUS_SUCCESS);
    return token;
}

/* ---- letters ---- */

static void test_two_servers_and_two_users_at_once(void **state)
{
    struct json_object *whole, *list, *row;
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    USE(&fixture, 0, "There are no connections.\n");
    map_both(&fixture);
    token = open_a_file(&fixture, u"\\??\\Y:\\open.txt");
    USE(&fixture, 0, "\"connections\"", "--json");
    whole = json_tokener_parse(command.out);
    assert_non_null(whole);
    list = json_object_object_get(whole, "connections");
    assert_int_equal(json_object_array_length(list), 2);
    for (size_t i = 0; i < 2; i++) {
        row = json_object_array_get_idx(list, i);
        assert_string_equal(json_object_get_string(json_object_object_get(row, "local")), i == 0 ? "X:" : "Y:");
        assert_string_equal(json_object_get_string(json_object_object_get(row, "remote")),
                            i == 0 ? "\\\\one\\lab" : "\\\\two\\lab");
        assert_string_equal(json_object_get_string(json_object_object_get(row, "user")),
                            i == 0 ? FIRST_USER : SECOND_USER);
        assert_string_equal(json_object_get_string(json_object_object_get(row, "status")), "OK");
        assert_int_equal(json_object_get_int(json_object_object_get(row, "open_files")), i);
    }
    json_object_put(whole);
    USE(&fixture, 0, "OK      Y:     \\\\two\\lab  " SECOND_USER "           1\n", "Y:");
    assert_null(strstr(command.out, "one"));
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    USE(&fixture, 0, "X: is deleted\nY: is deleted\n", "*", "--delete");
    USE(&fixture, 0, "There are no connections.\n");
    end(&fixture);
}

static void test_refusals_have_windows_errors(void **state)
{
    struct fixture fixture;

    begin(&fixture, NULL);
    map_both(&fixture);
    USE(&fixture, 1, "X: to \\\\two\\lab: error 85: ", "X:", "//two/lab");
    USE(&fixture, 1, "W: error 2250: ", "W:");
    USE(&fixture, 1, "W: error 2250: ", "W:", "--delete");
    USE(&fixture, 1, "error 1219: ", "W:", "//one/ro", "--user", SECOND_USER, "--password-file", fixture.passwords[0]);
    USE(&fixture, 1, "error 53: ", "W:", "//nowhere.invalid/lab");
    USE(&fixture, 1, "error 67: ", "W:", "//one/missing", "--user", FIRST_USER, "--password-file",
        fixture.passwords[0]);
    USE(&fixture, 0, "Y: is deleted\n", "Y:", "-d");
    USE(&fixture, 1, "Y: to \\\\two\\lab as " SECOND_USER ": error 1326: ", "Y:", "//two/lab", "--user", SECOND_USER,
        "--password-file", fixture.passwords[0]);
    end(&fixture);
}

static void test_open_files_keep_a_letter_unless_it_is_forced(void **state)
{
    struct fixture fixture;
    struct wire_reply *reply = malloc(sizeof(*reply));
    struct wire_io read = {.length = 8};

    begin(&fixture, NULL);
    map_both(&fixture);
    read.token = open_a_file(&fixture, u"\\??\\X:\\open.txt");
    USE(&fixture, 1, "X: error 2401: files are open on it", "X:", "--delete");
    /* The others go all the same. */
    USE(&fixture, 1, "Y: is deleted\n", "*", "--delete");
    USE(&fixture, 0, "X: is deleted\n", "X:", "--delete", "--force");
    assert_int_equal(way_call(&fixture.way, WIRE_READ, &read, sizeof(read), NULL, 0, reply), 0);
    assert_int_equal(reply->status, (uint32_t)STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(way_close(&fixture.way, read.token), STATUS_SUCCESS);
    free(reply);
    end(&fixture);
}

/* A server that is lost shows when the letter is used, and is found again by the next use. */
static void test_a_lost_server_is_disconnected(void **state)
{
    struct fixture fixture;
    char error[4096];
    uint64_t token;

    begin(&fixture, NULL);
    map_both(&fixture);
    assert_status(way_close(&fixture.way, open_a_file(&fixture, u"\\??\\X:\\open.txt")), STATUS_SUCCESS);
    smbserver_halt(servers[0]);
    while (way_open_read(&fixture.way, u"\\??\\X:\\open.txt", &token) == STATUS_SUCCESS)
        assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    USE(&fixture, 0, "Disconnected  X: ");
    assert_non_null(strstr(command.out, "OK            Y: "));
    assert_int_equal(smbserver_restart(servers[0], error, sizeof(error)), 0);
    while (way_open_read(&fixture.way, u"\\??\\X:\\open.txt", &token) != STATUS_SUCCESS)
        ;
    USE(&fixture, 0, "OK      X: ", "X:");
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    end(&fixture);
}

static void test_names_without_a_letter_are_listed(void **state)
{
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    map_both(&fixture);
    assert_status(way_open_read(&fixture.way, u"\\??\\UNC\\one\\ro\\nothing", &token), STATUS_OBJECT_NAME_NOT_FOUND);
    USE(&fixture, 0, "OK             \\\\one\\ro ");
    USE(&fixture, 0, "\"local\":null", "--json");
    end(&fixture);
}

/* ---- without a letter ---- */

static void test_a_share_is_connected_without_a_letter(void **state)
{
    struct fixture fixture;
    struct wire_reply *reply = malloc(sizeof(*reply));
    struct wire_io read = {.length = 8};

    begin(&fixture, NULL);
    USE(&fixture, 0, "\\\\one\\lab is connected\n", "//one/lab", "--user", FIRST_USER, "--password-file",
        fixture.passwords[0]);
    USE(&fixture, 0, "\\\\ONE\\Lab is connected\n", "\\\\ONE\\Lab", "--user", FIRST_USER, "--password-file",
        fixture.passwords[0]);
    USE(&fixture, 0, "\"local\":null", "--json");
    USE(&fixture, 1, "\\\\one\\ro as " SECOND_USER ": error 1219: ", "//one/ro", "--user", SECOND_USER,
        "--password-file", fixture.passwords[1]);
    USE(&fixture, 1, "\\\\one\\missing: error 1219: ", "//one/missing"); /* nobody is another user */
    USE(&fixture, 1, "\\\\two\\lab as " SECOND_USER ": error 1326: ", "//two/lab", "--user", SECOND_USER,
        "--password-file", fixture.passwords[0]);
    read.token = open_a_file(&fixture, u"\\??\\UNC\\one\\lab\\open.txt");
    USE(&fixture, 0, "");
    assert_non_null(strstr(command.out, "Local  Remote     User"));
    assert_non_null(strstr(command.out, "OK             \\\\one\\lab  "));
    assert_null(strstr(strstr(command.out, "\\\\one\\lab") + 1, "\\\\one\\lab"));
    USE(&fixture, 1, "\\\\one\\lab: error 2401: ", "//one/lab", "--delete");
    USE(&fixture, 0, "\\\\one\\lab is deleted\n", "//one/lab", "--delete", "--force");
    assert_int_equal(way_call(&fixture.way, WIRE_READ, &read, sizeof(read), NULL, 0, reply), 0);
    assert_int_equal(reply->status, (uint32_t)STATUS_UNEXPECTED_NETWORK_ERROR);
    assert_status(way_close(&fixture.way, read.token), STATUS_SUCCESS);
    USE(&fixture, 1, "\\\\one\\lab: error 2250: ", "//one/lab", "--delete");
    USE(&fixture, 0, "There are no connections.\n");
    USE(&fixture, 2, "nothing else is remembered", "//one/lab", "--persistent", "yes");
    USE(&fixture, 2, "of a letter, or of a share", "X:", "//one/lab", "--delete");
    free(reply);
    end(&fixture);
}

/* As a logon to the server, which names of its shares use. */
static void test_ipc_proves_who_somebody_is(void **state)
{
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    USE(&fixture, 0, "\\\\one\\IPC$ is connected\n", "//one/IPC$", "--user", FIRST_USER, "--password-file",
        fixture.passwords[0]);
    token = open_a_file(&fixture, u"\\??\\UNC\\one\\lab\\open.txt");
    USE(&fixture, 0, "OK             \\\\one\\lab ");
    assert_status(way_close(&fixture.way, token), STATUS_SUCCESS);
    USE(&fixture, 0, "\\\\one\\ipc$ is deleted\n", "//one/ipc$", "--delete");
    end(&fixture);
}

static void test_all_connections_are_deleted_with_those_that_have_no_letter(void **state)
{
    struct fixture fixture;
    uint64_t token;

    begin(&fixture, NULL);
    map_both(&fixture);
    USE(&fixture, 0, "is connected", "//two/lab", "--user", SECOND_USER, "--password-file", fixture.passwords[1]);
    assert_status(way_open_read(&fixture.way, u"\\??\\UNC\\one\\ro\\nothing", &token), STATUS_OBJECT_NAME_NOT_FOUND);
    USE(&fixture, 0, "X: is deleted\nY: is deleted\n", "*", "--delete");
    assert_non_null(strstr(command.out, "\\\\two\\lab is deleted\n"));
    assert_non_null(strstr(command.out, "\\\\one\\ro is deleted\n"));
    USE(&fixture, 0, "There are no connections.\n");
    end(&fixture);
}

/* ---- letters that outlive the machine ---- */

/* A machine in a folder that stays, with the first server's account and without a client; fixture->daemon has its
 * folder and process. */
static void begin_kept(struct fixture *fixture, const char *const *servers_known)
{
    char number[12], line[512];
    const char *argv[24] = {RDRLABD, "--backend", "smbc", "--worker", SMBWORKER, "--timeout", "10", "--dir"};
    int count = 8, ready[2];
    struct process_spec spec = {.argv = (char *const *)argv, .in = -1, .out = -1, .err = 2, .own_group = true};

    *fixture = (struct fixture){0};
    snprintf(fixture->daemon.folder, sizeof(fixture->daemon.folder), "%s/kept", top);
    argv[count++] = fixture->daemon.folder;
    argv[count++] = "--user";
    argv[count++] = FIRST_USER;
    argv[count++] = "--password-file";
    argv[count++] = smbserver_password_file(servers[0]);
    while (servers_known != NULL && *servers_known != NULL) {
        argv[count++] = "--server";
        argv[count++] = *servers_known++;
    }
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    snprintf(number, sizeof(number), "%d", ready[1]);
    argv[count++] = "--ready-fd";
    argv[count++] = number;
    spec.keep = ready[1];
    assert_int_equal(process_start(&spec, &fixture->daemon.pid), 0);
    close(ready[1]);
    assert_true(read(ready[0], line, sizeof(line)) > 0);
    close(ready[0]);
}

static void end_kept(struct fixture *fixture)
{
    assert_int_equal(process_stop(fixture->daemon.pid, 30000), 0);
}

/* Until the machine has done with all that it remembers. */
static void await_restored(const struct fixture *fixture)
{
    do
        USE(fixture, 0, "");
    while (strstr(command.out, "Reconnecting") != NULL);
}

static void test_remembered_letters_come_back_without_passwords(void **state)
{
    char one[64], two[64], file[96], text[512] = "";
    const char *const both[] = {one, two, NULL}, *const none[] = {NULL};
    struct fixture fixture;
    FILE *mappings;

    snprintf(one, sizeof(one), "one=127.0.0.1:%u", smbserver_port(servers[0]));
    snprintf(two, sizeof(two), "two=127.0.0.1:%u", smbserver_port(servers[1]));
    snprintf(file, sizeof(file), "%s/kept/mappings", top);
    begin_kept(&fixture, both);
    USE(&fixture, 0, "X: is ", "X:", "//one/lab", "--persistent", "yes");
    USE(&fixture, 0, "Y: is ", "Y:", "//two/lab", "--persistent", "yes", "--user", SECOND_USER, "--password-file",
        smbserver_password_file(servers[1]));
    USE(&fixture, 0, "W: is ", "W:", "//one/ro", "--persistent", "no");
    USE(&fixture, 0, "\"persistent\":true", "X:", "--json");
    USE(&fixture, 0, "\"persistent\":false", "W:", "--json");
    end_kept(&fixture);
    mappings = fopen(file, "re");
    assert_non_null(mappings);
    assert_true(fread(text, 1, sizeof(text) - 1, mappings) > 0);
    fclose(mappings);
    assert_string_equal(text, "X:\t\\\\one\\lab\t\nY:\t\\\\two\\lab\t" SECOND_USER "\n");

    /* X: as the machine's account; Y: waits for its user. */
    begin_kept(&fixture, both);
    await_restored(&fixture);
    USE(&fixture, 0, "OK           X:     \\\\one\\lab ");
    assert_non_null(strstr(command.out, "Unavailable  Y:     \\\\two\\lab  " SECOND_USER " "));
    assert_null(strstr(command.out, "W:"));
    USE(&fixture, 1, "Y: to \\\\two\\lab as " SECOND_USER ": error 1326: ", "--restore");
    USE(&fixture, 0, "Y: is ", "Y:", "//two/lab", "--user", SECOND_USER, "--password-file",
        smbserver_password_file(servers[1]));
    USE(&fixture, 0, "OK      Y: ", "Y:");
    USE(&fixture, 0, "Y: is deleted", "Y:", "--delete");
    USE(&fixture, 1, "Y: error 2250: ", "Y:", "--delete");
    end_kept(&fixture);

    /* A server that is not there keeps nothing up, and what is not there can be forgotten. */
    begin_kept(&fixture, none);
    await_restored(&fixture);
    USE(&fixture, 0, "Unavailable  X: ", "X:");
    USE(&fixture, 0, "X: is deleted", "X:", "--delete");
    USE(&fixture, 0, "There are no connections.\n");
    end_kept(&fixture);
    assert_int_equal(rmdir(fixture.daemon.folder), 0);
}

static void test_a_mappings_file_of_somebody_elses_is_read_as_far_as_it_makes_sense(void **state)
{
    char folder[80], file[96];
    struct fixture fixture;

    snprintf(folder, sizeof(folder), "%s/kept", top);
    snprintf(file, sizeof(file), "%s/mappings", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(file_write(file, "X\nx:\ta\tb\n\n5:\t\\\\a\\b\t\nV:\t\\\\a\\b\nU:\t\xff\t\nT:\tno share\tme\n"
                                      "S:\t\\\\a\\b\t\xc3\xa4\n"),
                     0);
    begin_kept(&fixture, NULL);
    await_restored(&fixture);
    USE(&fixture, 0, "Unavailable  S:     \\\\a\\b     \xc3\xa4 ");
    assert_non_null(strstr(command.out, "Unavailable  T:     no share  me "));
    assert_null(strstr(command.out, "U:"));
    assert_null(strstr(command.out, "V:"));
    USE(&fixture, 0, "S: is deleted\nT: is deleted\n", "*", "--delete");
    end_kept(&fixture);
    assert_int_equal(rmdir(folder), 0);
}

/* ---- the prompt ---- */

struct terminal {
    int master;
    pid_t pid;
    size_t length;
    char text[8192];
};

/* "rdrlab use" as who sits at a terminal of its own starts it. */
static void open_terminal(struct terminal *terminal, const struct fixture *fixture, const char *const *arguments)
{
    const char *argv[24] = {RDRLAB, "use", "--machine", fixture->daemon.folder};

    for (int i = 0; arguments[i] != NULL; i++)
        argv[4 + i] = arguments[i];
    *terminal = (struct terminal){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    assert_true(terminal->master >= 0 && grantpt(terminal->master) == 0 && unlockpt(terminal->master) == 0);
    terminal->pid = fork();
    if (terminal->pid == 0) {
        int slave;

        setsid();
        slave = open(ptsname(terminal->master), O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
            _exit(126);
        for (int i = 0; i < 3; i++)
            dup2(slave, i);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    assert_true(terminal->pid > 0);
}

/* Until it shows the text; "" for all that comes until it is closed. */
static void see(struct terminal *terminal, const char *text)
{
    while (text[0] == '\0' || strstr(terminal->text, text) == NULL) {
        ssize_t got = -1;

        if (process_wait_readable(terminal->master, 30000) == 0)
            got = read(terminal->master, terminal->text + terminal->length,
                       sizeof(terminal->text) - 1 - terminal->length);
        if (got <= 0 && text[0] == '\0')
            return;
        if (got <= 0)
            fail_msg("no \"%s\" in: %s", text, terminal->text);
        terminal->length += (size_t)got;
    }
}

static void type(const struct terminal *terminal, const char *text)
{
    assert_int_equal(write(terminal->master, text, strlen(text)), strlen(text));
}

static bool echoes(const struct terminal *terminal)
{
    struct termios settings;

    assert_int_equal(tcgetattr(terminal->master, &settings), 0);
    return (settings.c_lflag & ECHO) != 0 && settings.c_cc[VQUIT] != _POSIX_VDISABLE;
}

/* What is left of the terminal is looked at before the last who has it open is gone. */
static int close_terminal(struct terminal *terminal)
{
    int keep = open(ptsname(terminal->master), O_RDWR | O_NOCTTY | O_CLOEXEC), status = -1;

    assert_true(keep >= 0);
    assert_int_equal(process_wait(terminal->pid, 60000, &status), 0);
    assert_true(echoes(terminal));
    close(keep);
    see(terminal, "");
    close(terminal->master);
    return status;
}

static const char *const asking[] = {"X:", "//two/lab", "--user", SECOND_USER, "--ask", NULL};
#define PROMPT "Password of " SECOND_USER " for \\\\two\\lab: "

static void test_the_prompt_shows_nothing(void **state)
{
    struct terminal terminal;
    struct fixture fixture;

    begin(&fixture, NULL);
    open_terminal(&terminal, &fixture, asking);
    see(&terminal, PROMPT);
    assert_false(echoes(&terminal));
    type(&terminal, smbserver_password(servers[1]));
    type(&terminal, "\n");
    see(&terminal, "X: is \\\\two\\lab");
    assert_int_equal(close_terminal(&terminal), 0);
    assert_null(strstr(terminal.text, smbserver_password(servers[1])));
    end(&fixture);
}

/* A user without a password is tried, as by "net use", and then asked for it; a second wrong one is an error. */
static void test_a_password_is_asked_for_where_it_is_missed(void **state)
{
    static const char *const arguments[] = {"X:", "//two/lab", "--user", SECOND_USER, NULL};
    struct terminal terminal;
    struct fixture fixture;

    begin(&fixture, NULL);
    open_terminal(&terminal, &fixture, arguments);
    see(&terminal, PROMPT);
    type(&terminal, smbserver_password(servers[1]));
    type(&terminal, "\n");
    assert_int_equal(close_terminal(&terminal), 0);
    USE(&fixture, 0, "X: is deleted\n", "X:", "-d");
    open_terminal(&terminal, &fixture, arguments);
    see(&terminal, PROMPT);
    type(&terminal, "wrong\n");
    see(&terminal, "error 1326");
    assert_int_equal(close_terminal(&terminal), 1);
    USE(&fixture, 1, "error 1326", "X:", "//two/lab", "--user", SECOND_USER); /* nobody is there */
    USE(&fixture, 3, "--ask: there is no terminal", "X:", "//two/lab", "--user", SECOND_USER, "--ask");
    end(&fixture);
}

static void test_a_signal_leaves_the_terminal_as_it_was(void **state)
{
    static const int signals[] = {0, SIGINT, SIGTERM, SIGHUP}; /* 0: Ctrl+C, typed */
    struct terminal terminal;
    struct fixture fixture;

    begin(&fixture, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        open_terminal(&terminal, &fixture, asking);
        see(&terminal, PROMPT);
        type(&terminal, "half a pass");
        if (signals[i] == 0)
            type(&terminal, "\003");
        else
            assert_int_equal(kill(terminal.pid, signals[i]), 0);
        assert_int_equal(close_terminal(&terminal), 130);
        assert_null(strstr(terminal.text, "half a pass"));
    }
    USE(&fixture, 0, "There are no connections.\n");
    end(&fixture);
}

/* ---- where a password is not ---- */

static bool holds(const unsigned char *bytes, size_t length, const char *password)
{
    unsigned char wide[256];
    size_t count = strlen(password);

    for (size_t i = 0; i < count; i++) {
        wide[2 * i] = (unsigned char)password[i];
        wide[2 * i + 1] = 0;
    }
    return memmem(bytes, length, password, count) != NULL || memmem(bytes, length, wide, 2 * count) != NULL;
}

/* From one to the other address of the process's memory. */
static bool memory_holds(int memory, unsigned long from, unsigned long to, const char *password)
{
    unsigned char *bytes = malloc(to - from);
    bool found = false;
    size_t length = 0;
    ssize_t got = 1;

    assert_non_null(bytes);
    while (got > 0 && length < to - from) {
        got = pread(memory, bytes + length, to - from - length, (off_t)(from + length));
        length += got > 0 ? (size_t)got : 0;
    }
    found = holds(bytes, length, password);
    explicit_bzero(bytes, to - from);
    free(bytes);
    return found;
}

/*
 * What a core file of the process would hold (core(5)): mappings that are anonymous, or of files that have no name, and
 * are not marked "dd". Returns in how many of them the password stands; prints them. *ret_marked: the same of those
 * that are marked.
 */
static int core_holds(pid_t pid, const char *password, int *ret_marked)
{
    char path[64], line[512], name[256] = "";
    unsigned long from = 0, to = 0;
    int found = 0, memory;
    FILE *maps;

    *ret_marked = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
    maps = fopen(path, "re");
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(maps != NULL && memory >= 0);
    while (fgets(line, sizeof(line), maps) != NULL) {
        unsigned long first, last;
        char mode[8], rest[256] = "";

        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255[^\n]", &first, &last, mode, rest) >= 3) {
            from = first;
            to = last;
            snprintf(name, sizeof(name), "%s%s", mode[0] == 'r' ? "" : "unreadable ", rest);
        } else if (strncmp(line, "VmFlags:", 8) == 0 && strncmp(name, "unreadable ", 11) != 0 &&
                   to - from < 1ul << 30 && memory_holds(memory, from, to, password)) {
            bool marked = strstr(line, " dd") != NULL;

            if (!marked)
                print_error("the password stands in %lx-%lx %s\n", from, to, name);
            found += !marked;
            *ret_marked += marked;
        }
    }
    fclose(maps);
    close(memory);
    return found;
}

static bool file_holds(const char *path, const char *password)
{
    static unsigned char bytes[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;

    if (fd >= 0)
        close(fd);
    return length > 0 && holds(bytes, (size_t)length, password);
}

/* Nobody can look into the command while it has the password, nor see it where everybody can look. */
static void check_command(const struct terminal *terminal, const char *password)
{
    char path[64];
    int memory;

    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)terminal->pid, i == 0 ? "cmdline" : "environ");
        assert_false(file_holds(path, password));
    }
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)terminal->pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    if (geteuid() != 0)
        assert_true(memory < 0 && errno == EACCES);
    if (memory >= 0)
        close(memory);
}

/* Has the machine trace the creates of its clients, or says what it has traced since. */
static uint64_t follow(const struct fixture *fixture, uint64_t next, const char *const passwords[2])
{
    static struct wire_reply reply;
    const struct wire_follow request = {.next = next};
    struct wire_followed followed;

    assert_int_equal(wire_call(fixture->way.client, WIRE_FOLLOW, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_int_equal(reply.status, 0);
    memcpy(&followed, reply.body, sizeof(followed));
    if (next != 0) {
        assert_non_null(memmem(reply.body, reply.length, "NtCreateFile", 12));
        for (int i = 0; i < 2; i++)
            assert_false(holds(reply.body, reply.length, passwords[i]));
    }
    return followed.next;
}

/* By a letter's password, and by the machine's own account's. */
static void test_a_password_is_in_no_core_file_log_or_trace(void **state)
{
    const char *const passwords[] = {smbserver_password(servers[0]), smbserver_password(servers[1])};
    char log[96];
    const char *const more[] = {"--user",    FIRST_USER, "--password-file", smbserver_password_file(servers[0]),
                                "--verbose", NULL};
    struct terminal terminal;
    struct fixture fixture;
    int marked, saved, file;
    uint64_t next;

    snprintf(log, sizeof(log), "%s/log", top);
    file = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(file >= 0 && saved >= 0);
    dup2(file, STDERR_FILENO);
    begin(&fixture, more);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(file);

    next = follow(&fixture, 0, passwords);
    USE(&fixture, 0, "W: is \\\\one\\lab\n", "W:", "//one/lab");
    open_terminal(&terminal, &fixture, asking);
    see(&terminal, PROMPT);
    type(&terminal, passwords[1]);
    check_command(&terminal, passwords[1]);
    type(&terminal, "\n");
    see(&terminal, "X: is ");
    assert_int_equal(close_terminal(&terminal), 0);
    assert_status(way_close(&fixture.way, open_a_file(&fixture, u"\\??\\X:\\open.txt")), STATUS_SUCCESS);
    follow(&fixture, next, passwords);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(core_holds(fixture.daemon.pid, passwords[i], &marked), 0);
        assert_true(marked > 0); /* or the search finds nothing at all */
        assert_false(file_holds(log, passwords[i]));
    }
    assert_true(file_holds(log, "listens in"));
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_servers_and_two_users_at_once),
        cmocka_unit_test(test_refusals_have_windows_errors),
        cmocka_unit_test(test_open_files_keep_a_letter_unless_it_is_forced),
        cmocka_unit_test(test_a_lost_server_is_disconnected),
        cmocka_unit_test(test_a_share_is_connected_without_a_letter),
        cmocka_unit_test(test_ipc_proves_who_somebody_is),
        cmocka_unit_test(test_all_connections_are_deleted_with_those_that_have_no_letter),
        cmocka_unit_test(test_names_without_a_letter_are_listed),
        cmocka_unit_test(test_remembered_letters_come_back_without_passwords),
        cmocka_unit_test(test_a_mappings_file_of_somebody_elses_is_read_as_far_as_it_makes_sense),
        cmocka_unit_test(test_the_prompt_shows_nothing),
        cmocka_unit_test(test_a_password_is_asked_for_where_it_is_missed),
        cmocka_unit_test(test_a_signal_leaves_the_terminal_as_it_was),
        cmocka_unit_test(test_a_password_is_in_no_core_file_log_or_trace),
    };
    int rc;

    make_folder(top);
    rc = start_server(0);
    if (rc == 0)
        rc = start_server(1);
    if (rc == 0)
        rc = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < 2; i++)
        smbserver_stop(servers[i]);
    tree_remove(top);
    return rc;
}
