/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* use.c - "rdrlab use": connections of a live machine, as "net use" has them. */
#include "arguments.h"
#include "inspect.h"
#include "password.h"
#include "rdrlab.h"
#include "uses.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: rdrlab use [X:] [--json]\n"
    "       rdrlab use [X:|*] \\\\server\\share [--user NAME] [--password-file FILE | --password-fd N | --ask]\n"
    "                  [--persistent yes|no]\n"
    "       rdrlab use X:|\\\\server\\share|* --delete [--force]\n"
    "       rdrlab use --restore\n\n"
    "Connections of a live machine: without a share, which there are; with one, map the letter to it, or connect\n"
    "without a letter, for UNC names. //server/share is understood, too: fewer backslashes for a shell. '*' is the\n"
    "next free letter from Z: downwards, and with --delete all connections.\n\n"
    "  --user NAME           connect as this user; default: the machine's own account\n"
    "  --password-file FILE  the first line of FILE is the password\n"
    "  --password-fd N       the same from an open descriptor\n"
    "  --ask                 ask for it at the terminal, which does not show it\n"
    "  --persistent yes      remember the letter, without the password: the next machine in the same folder maps it "
    "again\n"
    "  --restore             map what is remembered and was not to be had\n"
    "  -d, --delete          disconnect, and forget the letter; not while files are open on it, unless with\n"
    "  --force               which makes them fail\n"
    "  --json                the list as an object for programs\n"
    "  --session N           the connections of this session of a Terminal Server; default 0\n"
    "  --machine DIR         the machine's folder; default: RDRLAB_MACHINE\n\n"
    "exit status: 0 done; 1 the machine or the server refuses, with the error that Windows gives; 2, 3 as ever.\n";

#define ALL_LETTERS '*'

struct use_options {
    const char *machine, *user;
    struct password_source source;
    char letter; /* 0: none given; ALL_LETTERS */
    char remote[PATH_MAX];
    bool has_source, persistent, restore, delete, force, json;
    uint64_t session;
};

enum {
    OPTION_USER = 256,
    OPTION_PERSISTENT,
    OPTION_RESTORE,
    OPTION_FILE,
    OPTION_FD,
    OPTION_ASK,
    OPTION_FORCE,
    OPTION_JSON,
    OPTION_SESSION,
    OPTION_MACHINE
};

static const struct option names[] = {{"user", required_argument, NULL, OPTION_USER},
                                      {"password-file", required_argument, NULL, OPTION_FILE},
                                      {"password-fd", required_argument, NULL, OPTION_FD},
                                      {"ask", no_argument, NULL, OPTION_ASK},
                                      {"persistent", required_argument, NULL, OPTION_PERSISTENT},
                                      {"restore", no_argument, NULL, OPTION_RESTORE},
                                      {"delete", no_argument, NULL, 'd'},
                                      {"force", no_argument, NULL, OPTION_FORCE},
                                      {"json", no_argument, NULL, OPTION_JSON},
                                      {"session", required_argument, NULL, OPTION_SESSION},
                                      {"machine", required_argument, NULL, OPTION_MACHINE},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static int take_source(int found, struct use_options *options)
{
    uint64_t number = 0;
    int rc = 0;

    if (options->has_source)
        return complain(EXIT_USAGE, "use: --password-file, --password-fd and --ask exclude each other");
    options->has_source = true;
    if (found == OPTION_FILE)
        options->source.file = optarg;
    else if (found == OPTION_ASK)
        options->source.ask = true;
    else if ((rc = argument_number("--password-fd", optarg, 0, INT_MAX, &number)) == 0)
        options->source.fd = (int)number;
    return rc;
}

static int take_option(int found, struct use_options *options, char **argv)
{
    switch (found) {
    case OPTION_USER:
        options->user = optarg;
        return optarg[0] != '\0' ? 0 : complain(EXIT_USAGE, "--user: a name is wanted");
    case OPTION_FILE:
    case OPTION_FD:
    case OPTION_ASK:
        return take_source(found, options);
    case OPTION_PERSISTENT:
        options->persistent = strcmp(optarg, "yes") == 0;
        return options->persistent || strcmp(optarg, "no") == 0
                   ? 0
                   : complain(EXIT_USAGE, "--persistent %s: yes or no is wanted", optarg);
    case OPTION_RESTORE:
        options->restore = true;
        return 0;
    case 'd':
        options->delete = true;
        return 0;
    case OPTION_FORCE:
        options->force = true;
        return 0;
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_SESSION:
        return argument_number("--session", optarg, 0, WIRE_SESSION_MOST, &options->session);
    case OPTION_MACHINE:
        options->machine = optarg;
        return 0;
    case 'h':
        fputs(help, stdout);
        return -1;
    default:
        return argument_refuse("use", found, argv);
    }
}

/* \\server\share, with slashes of either kind. */
static int take_remote(const char *text, struct use_options *options)
{
    size_t server, share;

    if (strlen(text) >= sizeof(options->remote))
        return complain(EXIT_USAGE, "use: a share's name of %zu bytes", strlen(text));
    strcpy(options->remote, text);
    for (char *at = options->remote; *at != '\0'; at++)
        *at = *at == '/' ? '\\' : *at;
    server = strncmp(options->remote, "\\\\", 2) == 0 ? strcspn(options->remote + 2, "\\") : 0;
    share = server != 0 && options->remote[2 + server] == '\\' ? strcspn(options->remote + 3 + server, "\\") : 0;
    if (share == 0 || options->remote[3 + server + share] != '\0')
        return complain(EXIT_USAGE, "use: %s: \\\\server\\share is wanted", text);
    return 0;
}

static bool is_share(const char *text)
{
    return (text[0] == '\\' || text[0] == '/') && text[1] == text[0];
}

static int take_letter(const char *text, struct use_options *options)
{
    if (strcmp(text, "*") != 0)
        return argument_letter("use", text, &options->letter);
    options->letter = ALL_LETTERS;
    return 0;
}

static int check(const struct use_options *options)
{
    if (options->remote[0] != '\0' && (options->json || options->restore))
        return complain(EXIT_USAGE, "use: --json and --restore go without a share");
    if (options->remote[0] != '\0' && options->letter != 0 && options->delete)
        return complain(EXIT_USAGE, "use: --delete of a letter, or of a share without one?");
    if (options->persistent && options->letter == 0)
        return complain(EXIT_USAGE, "use: --persistent is for a letter: nothing else is remembered");
    if ((options->remote[0] == '\0' || options->delete) &&
        (options->user != NULL || options->has_source || options->persistent))
        return complain(EXIT_USAGE, "use: --user, its password and --persistent are for a share to connect");
    if (options->restore && (options->letter != 0 || options->delete || options->json))
        return complain(EXIT_USAGE, "use: --restore goes alone");
    if (options->delete ? (options->letter == 0 && options->remote[0] == '\0') || options->json : options->force)
        return complain(EXIT_USAGE, options->delete ? "use: --delete of which letter or share? And without --json"
                                                    : "use: --force is for --delete");
    if (options->letter == ALL_LETTERS && options->remote[0] == '\0' && !options->delete)
        return complain(EXIT_USAGE, "use: * stands for a letter to map or delete");
    if (options->has_source && options->user == NULL)
        return complain(EXIT_USAGE, "use: whose password is it? --user says");
    return 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, struct use_options *options)
{
    int found, rc = 0;

    opterr = 0;
    while (rc == 0 && (found = getopt_long(argc, argv, ":dh", names, NULL)) != -1)
        rc = take_option(found, options, argv);
    if (rc == 0 && optind < argc && !is_share(argv[optind]))
        rc = take_letter(argv[optind++], options);
    if (rc == 0 && optind < argc)
        rc = take_remote(argv[optind++], options);
    if (rc == 0 && optind < argc)
        rc = complain(EXIT_USAGE, "use takes no argument %s", argv[optind]);
    return rc != 0 ? rc : check(options);
}

static int list(struct wire_client *client, const struct use_options *options)
{
    struct uses uses;
    size_t shown = 0;
    int rc = uses_list(client, &uses);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < uses.count; i++)
        shown += options->letter == 0 || uses.rows[i].letter == options->letter;
    if (options->letter != 0 && shown == 0)
        rc = uses_refused(options->letter, NULL, NULL, STATUS_OBJECT_NAME_NOT_FOUND);
    else if (options->json)
        uses_print_json(&uses, options->letter, stdout);
    else if (shown == 0)
        puts("There are no connections.");
    else
        uses_print(&uses, options->letter, stdout);
    uses_free(&uses);
    return rc;
}

/* With '*' each letter in turn until one is free. Those of Wine's own (argument_letter) are passed over. */
static int add(struct wire_client *client, const struct use_options *options, const struct password *password,
               char *ret_letter, NTSTATUS *ret_status)
{
    char letter = options->letter == ALL_LETTERS ? 'Y' : options->letter;
    int rc;

    do {
        *ret_letter = letter;
        rc = uses_add(client, letter, options->remote, options->user, password, options->persistent, ret_status);
    } while (rc == 0 && options->letter == ALL_LETTERS && *ret_status == STATUS_OBJECT_NAME_COLLISION &&
             --letter > 'C');
    return rc;
}

/* As "net use": a user without a password is tried, and asked for if the server wants one and somebody is there. */
static int map(struct wire_client *client, const struct use_options *options)
{
    struct password_source source = options->source;
    struct password password;
    char prompt[PATH_MAX + 300], letter = options->letter;
    NTSTATUS status = STATUS_SUCCESS;
    int rc;

    snprintf(prompt, sizeof(prompt), "Password of %.256s for %s: ", options->user != NULL ? options->user : "",
             options->remote);
    rc = password_read(&source, prompt, &password);
    if (rc == 0)
        rc = add(client, options, &password, &letter, &status);
    if (rc == 0 && status == STATUS_LOGON_FAILURE && options->user != NULL && !options->has_source &&
        password_can_ask()) {
        source.ask = true;
        rc = password_read(&source, prompt, &password);
        if (rc == 0)
            rc = add(client, options, &password, &letter, &status);
    }
    password_wipe(&password);
    if (rc == 0 && status != STATUS_SUCCESS)
        rc = uses_refused(letter, options->remote, options->user, status);
    if (rc == 0 && letter != 0)
        printf("%c: is %s\n", letter, options->remote);
    else if (rc == 0)
        printf("%s is connected\n", options->remote);
    return rc;
}

/* remote counts without a letter only. */
static int unmap(struct wire_client *client, char letter, const char *remote, bool force)
{
    NTSTATUS status;
    int rc = uses_delete(client, letter, remote, force, &status);

    if (rc == 0 && status != STATUS_SUCCESS)
        return uses_refused(letter, letter != 0 ? NULL : remote, NULL, status);
    if (rc == 0 && letter != 0)
        printf("%c: is deleted\n", letter);
    else if (rc == 0)
        printf("%s is deleted\n", remote);
    return rc;
}

/* One that cannot be deleted keeps no other. */
static int unmap_all(struct wire_client *client, bool force)
{
    struct uses uses;
    int rc = uses_list(client, &uses), failed = 0;

    for (size_t i = 0; rc == 0 && i < uses.count; i++) {
        rc = unmap(client, uses.rows[i].letter, uses.rows[i].remote, force);
        failed = rc == EXIT_NOT_AS_EXPECTED ? rc : failed;
        rc = rc == EXIT_NOT_AS_EXPECTED ? 0 : rc;
    }
    uses_free(&uses);
    return rc != 0 ? rc : failed;
}

/* As the machine itself does when it starts: with its own account, or as a user who needs no password. */
static int restore(struct wire_client *client)
{
    const struct password none = {0};
    struct uses uses;
    int rc = uses_list(client, &uses), failed = 0;

    for (size_t i = 0; rc == 0 && i < uses.count; i++) {
        const struct uses_row *row = &uses.rows[i];
        const char *user = row->user[0] != '\0' ? row->user : NULL;
        NTSTATUS status = STATUS_SUCCESS;

        if (row->status != WIRE_USE_UNAVAILABLE)
            continue;
        rc = uses_add(client, row->letter, row->remote, user, &none, false, &status);
        if (rc == 0 && status != STATUS_SUCCESS)
            failed = uses_refused(row->letter, row->remote, user, status);
        else if (rc == 0)
            printf("%c: is %s\n", row->letter, row->remote);
    }
    uses_free(&uses);
    return rc != 0 ? rc : failed;
}

int command_use(int argc, char **argv)
{
    struct use_options options = {.source = {.fd = -1}};
    struct wire_client *client;
    int rc = read_options(argc, argv, &options);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    rc = inspect_connect_session(options.machine, (uint32_t)options.session, &client);
    if (rc != 0)
        return rc;
    if (options.delete)
        rc = options.letter == ALL_LETTERS ? unmap_all(client, options.force)
                                           : unmap(client, options.letter, options.remote, options.force);
    else if (options.remote[0] != '\0')
        rc = map(client, &options);
    else if (options.restore)
        rc = restore(client);
    else
        rc = list(client, &options);
    wire_disconnect(client);
    return rc;
}
