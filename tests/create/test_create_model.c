/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_create_model.c - the rows of the table of creates that a server answers, asked of a server without a machine in
 * between: of the one in memory, which is to answer as NT does, and of smbd, by a client that gives its NTSTATUS. So
 * the model that everything else is tested with is itself held to the table, and the table to a server that is nobody's
 * model. Arguments: the folder with the table, a peer (smb_fixture.h).
 *
 * Left out: what the object and I/O managers and the redirector answer by themselves.
 */
#include "files.h"
#include "table.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MAX_OPENED 8
/*
 * In NT1 smbd would wait a second, as NT does, whether who has it open goes away. And who may read a file may execute
 * it, as with NT's usual rights: the files here have no x bit, which counts for anyone but root. Beside MAXIMUM_ALLOWED
 * it counts all the same, so GENERIC_ALL with that is not asked.
 */
#define SETTINGS "defer sharing violations = no\nacl allow execute always = yes\n"
#define NOT_NT   "not-nt"
#define MEASURED "smbd 4.17 measured"
/* Of which smbd grants root more than NT, and others less. */
#define CONTRADICTORY ((ACCESS_MASK)(MAXIMUM_ALLOWED | GENERIC_ALL))
#define OF_SHARE      "\\??\\"

static struct {
    const char *peer;
    struct create_table table;
    struct smb_fixture fixture;
    struct client lab, other, ro;
    struct client_file opened[MAX_OPENED];
    struct client *openers[MAX_OPENED];
    int count;
} run;

static bool is_mem(void)
{
    return strcmp(run.peer, "mem") == 0;
}

/* ---- which rows ---- */

/* The part of the name that a server sees, and whose share it is on; NULL: it would never see it. */
static const char *server_name(const char *name, bool *read_only)
{
    static const char *const shares[] = {"X:", "Y:", "R:", "UNC\\srv\\lab", "UNC\\srv\\ro"};

    *read_only = false;
    if (name[0] != '\\')
        return name;
    if (strncmp(name, OF_SHARE, strlen(OF_SHARE)) != 0)
        return NULL;
    name += strlen(OF_SHARE);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        size_t length = strlen(shares[i]);
        if (strncmp(name, shares[i], length) == 0 && (!name[length] || name[length] == '\\')) {
            *read_only = i == 2 || i == 4;
            return name + length + (name[length] == '\\');
        }
    }
    return NULL;
}

static bool is_a_servers(const struct create_row *row)
{
    const char *name = row->root[0] ? row->root : row->name;
    bool measured = strstr(row->source, MEASURED) != NULL;
    size_t length = strlen(row->name);
    bool read_only;

    return server_name(name, &read_only) && (measured || (!row->by[0] && !row->kept)) &&
           row->status != STATUS_OBJECT_PATH_SYNTAX_BAD &&
           (length == 0 || row->name[length - 1] != '\\' || !*server_name(row->name, &read_only)) &&
           (row->access & CONTRADICTORY) != CONTRADICTORY && row->allocation == -1 && !row->ea[0] &&
           row->object == OBJ_CASE_INSENSITIVE && row->source[0];
}

/* ---- one row ---- */

static ACCESS_MASK map_access(ACCESS_MASK access)
{
    const ACCESS_MASK generic = GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL;

    return (access & ~generic) | (access & GENERIC_READ ? FILE_GENERIC_READ : 0) |
           (access & GENERIC_WRITE ? FILE_GENERIC_WRITE : 0) | (access & GENERIC_EXECUTE ? FILE_GENERIC_EXECUTE : 0) |
           (access & GENERIC_ALL ? FILE_ALL_ACCESS : 0);
}

static void open_it(struct client *client, const struct nt_create *create)
{
    const UNICODE_STRING name = smb_path(u"t");

    assert_int_equal(client_create(client, &name, create, &run.opened[run.count]), STATUS_SUCCESS);
    run.openers[run.count++] = client;
}

static void open_before(struct client *client, const char *how)
{
    struct nt_create create = {.disposition = FILE_OPEN};

    files_access_and_share(how, &create.access, &create.share);
    open_it(client, &create);
}

/* When it is closed: what is doomed. At once: what is pending. */
static void open_to_delete(struct client *client, bool at_once)
{
    const UNICODE_STRING name = smb_path(u"t");
    const struct nt_create create = {.access = DELETE,
                                     .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                     .disposition = FILE_OPEN,
                                     .options = at_once ? 0 : FILE_DELETE_ON_CLOSE};

    open_it(client, &create);
    if (at_once)
        assert_int_equal(client_delete(client, &run.opened[run.count - 1], &name), STATUS_SUCCESS);
}

static void prepare(const struct create_row *row)
{
    char copy[sizeof row->state], *rest = copy, *word, *colon;

    memcpy(copy, row->state, sizeof copy);
    while ((word = strsep(&rest, ",")) != NULL)
        if (strcmp(word, "doomed") == 0 || strcmp(word, "pending") == 0) {
            open_to_delete(&run.lab, word[0] == 'p');
        } else if (*word && !files_make(&run.fixture, &run.other, word)) {
            colon = strchr(word, ':');
            open_before(strncmp(word, "other", 5) == 0 ? &run.other : &run.lab, colon ? colon + 1 : "");
        }
}

static NTSTATUS create(const struct create_row *row, ULONG *action)
{
    static WCHAR buffer[33000];
    char joined[sizeof row->root + sizeof row->name + 2];
    const char *name = row->name;
    bool read_only, below;
    struct nt_create parameters = {
        .access = map_access(row->access) | (row->bare ? 0 : SYNCHRONIZE),
        .share = row->share,
        .disposition = row->disposition,
        /* Synchronous is what an I/O manager does, and NT1 servers refuse to hear of it. */
        .options = row->options & ~(ULONG)(FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT),
        .attributes = row->attributes,
    };
    struct client_file file;
    UNICODE_STRING path;
    NTSTATUS status;

    if (row->root[0]) {
        below = row->name[0] && row->root[strlen(row->root) - 1] != '\\';
        snprintf(joined, sizeof joined, "%s%s%s", row->root, below ? "\\" : "", row->name);
        name = joined;
    }
    name = server_name(name, &read_only);
    path = (UNICODE_STRING){.Buffer = buffer};
    path.Length = path.MaximumLength = (USHORT)create_name_expand(name, buffer, sizeof buffer / sizeof *buffer);
    status = client_create(read_only ? &run.ro : &run.lab, &path, &parameters, &file);
    if (NT_SUCCESS(status)) {
        *action = file.action;
        client_close(read_only ? &run.ro : &run.lab, &file);
    }
    return status;
}

static void close_all(void)
{
    while (run.count) {
        run.count--;
        client_close(run.openers[run.count], &run.opened[run.count]);
    }
}

/* Whether smbd is to answer otherwise than NT. To root it does more often than to others. */
static bool smbd_differs(const struct create_difference *difference)
{
    return !is_mem() && difference->reason[0] && (strcmp(difference->reason, "root") != 0 || geteuid() == 0);
}

static void test_row(void **state)
{
    const struct create_row *row = *state;
    const struct create_difference *difference = &row->smbd;
    bool differs = smbd_differs(difference), then;
    NTSTATUS expected = row->status, status;
    ULONG information = row->information, action = 0;

    if (differs && !difference->then) {
        expected = difference->status;
        information = difference->information;
    }
    prepare(row);
    status = create(row, &action);
    close_all();
    then = !row->then[0] || (differs && !difference->then) || files_are(&run.other, row->then) != difference->then;
    if (status != expected || (NT_SUCCESS(status) && action != information))
        fail_msg("%s:%d: %s: %s %s, expected %s %s%s", row->file, row->line, row->id,
                 create_status_name(&run.table, status), NT_SUCCESS(status) ? create_information_name(action) : "",
                 create_status_name(&run.table, expected),
                 NT_SUCCESS(expected) ? create_information_name(information) : "",
                 differs && status == row->status ? " (a difference that is none)" : "");
    if (!then)
        fail_msg("%s:%d: %s: t is not \"%s\" afterwards", row->file, row->line, row->id, row->then);
}

/* ---- what is said of other peers ---- */

/* "not-nt" and "measured" are shown here. The former says of a machine's answer that smbd itself gives it: shown by a
 * row that is played here, and says so. */
static bool is_shown(const struct create_row *row, const struct create_difference *claim)
{
    const struct create_difference *smbd = &row->smbd;

    return strcmp(claim->reason, NOT_NT) != 0 ||
           (is_a_servers(row) && strcmp(smbd->reason, NOT_NT) == 0 && claim->then == smbd->then &&
            (claim->then || (claim->status == smbd->status && claim->information == smbd->information)));
}

static void test_claims(void **state)
{
    bool good = true;

    (void)state;
    for (size_t i = 0; i < run.table.count; i++) {
        const struct create_row *row = &run.table.rows[i];
        if (!is_shown(row, &row->smbc) || !is_shown(row, &row->nt1)) {
            print_error("%s:%d: %s: no answer of smbd itself stands for this %s\n", row->file, row->line, row->id,
                        NOT_NT);
            good = false;
        }
        if (strstr(row->source, MEASURED) && !is_a_servers(row)) {
            print_error("%s:%d: %s: measured on smbd, and not played there\n", row->file, row->line, row->id);
            good = false;
        }
    }
    assert_true(good);
}

/* ---- the server ---- */

static int connect_all(void)
{
    client_connect(&run.lab, &run.fixture, "lab");
    client_connect(&run.other, &run.fixture, "lab");
    client_connect(&run.ro, &run.fixture, "ro");
    return 0;
}

static void disconnect_all(void)
{
    client_disconnect(&run.lab);
    client_disconnect(&run.other);
    client_disconnect(&run.ro);
}

/* The one in memory is made anew for each row, smbd is put in order. */
static int begin_row(void **state)
{
    (void)state;
    if (is_mem() && (smb_fixture_start(&run.fixture, run.peer, NULL) != 0 || connect_all() != 0))
        return -1;
    files_reset(&run.fixture);
    return 0;
}

static int end_row(void **state)
{
    (void)state;
    close_all();
    if (is_mem()) {
        disconnect_all();
        smb_fixture_stop(&run.fixture);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests;
    size_t count = 0;
    int rc;

    if (argc < 3) {
        fprintf(stderr, "usage: %s FOLDER PEER\n", argv[0]);
        return 2;
    }
    run.peer = argv[2];
    if (!create_table_read(&run.table, argv[1]))
        return 1;
    rc = is_mem() ? 0 : smb_fixture_start_with(&run.fixture, run.peer, NULL, SETTINGS);
    if (rc != 0)
        return rc;
    if (!is_mem())
        connect_all();
    tests = calloc(run.table.count + 1, sizeof *tests);
    if (!tests)
        return 1;
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_claims);
    for (size_t i = 0; i < run.table.count; i++) {
        struct create_row *row = &run.table.rows[i];
        if (is_a_servers(row))
            tests[count++] = (struct CMUnitTest){row->id, test_row, begin_row, end_row, row};
    }
    rc = _cmocka_run_group_tests(run.peer, tests, count, NULL, NULL);
    if (!is_mem()) {
        disconnect_all();
        smb_fixture_stop(&run.fixture);
    }
    free(tests);
    create_table_free(&run.table);
    return rc != 0;
}
