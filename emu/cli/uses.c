/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uses.c - see uses.h. */
#include "uses.h"
#include "createfile.h"
#include "rdrlab.h"
#include "table.h"

#include <json-c/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntemu/trace.h>

#define PART_MOST 16384 /* bytes of UTF-8 that remote, user or password may have here */

/* One request; what the machine says of it is in reply. */
static int ask(struct wire_client *client, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
               size_t data_size, struct wire_reply *reply)
{
    int rc = wire_call(client, op, fixed, fixed_size, data, data_size, reply);

    if (rc == -EMSGSIZE)
        return complain(EXIT_USAGE, "use: more text than the machine takes");
    return rc != 0 ? complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc)) : 0;
}

/* ---- listing ---- */

static char *narrow(const unsigned char *text, uint32_t bytes)
{
    DWORD length, most = bytes / sizeof(WCHAR) * 3;
    char *narrowed = calloc(1, (size_t)most + 1);

    if (narrowed != NULL)
        RtlUnicodeToUTF8N(narrowed, most, &length, (const WCHAR *)(const void *)text, bytes);
    return narrowed;
}

static int take_row(struct uses *uses, const unsigned char *place, const struct wire_connection *from)
{
    struct uses_row *rows = realloc(uses->rows, (uses->count + 1) * sizeof(*rows)), *row;

    if (rows == NULL)
        return -ENOMEM;
    uses->rows = rows;
    row = &rows[uses->count++];
    *row = (struct uses_row){.letter = from->letter < WIRE_LETTERS ? (char)('A' + from->letter) : 0,
                             .status = from->status,
                             .open_files = from->open_files,
                             .remembered = from->remembered != 0};
    row->remote = narrow(place + sizeof(*from), from->remote_length);
    row->user = narrow(place + sizeof(*from) + from->remote_length, from->user_length);
    return row->remote != NULL && row->user != NULL ? 0 : -ENOMEM;
}

/* The rows of one reply; *ret_next is what asks for the next part. */
static int take_rows(struct uses *uses, const struct wire_reply *reply, uint32_t *ret_next)
{
    struct wire_connection row;
    int rc = 0;

    for (size_t at = sizeof(struct wire_done); rc == 0 && at + sizeof(row) <= reply->length; at += row.length) {
        memcpy(&row, reply->body + at, sizeof(row));
        if (row.length > reply->length - at || row.length < sizeof(row) ||
            row.remote_length > row.length - sizeof(row) ||
            row.user_length > row.length - sizeof(row) - row.remote_length)
            return -EPROTO;
        rc = take_row(uses, reply->body + at, &row);
        *ret_next = row.number + 1;
    }
    return rc;
}

int uses_list(struct wire_client *client, struct uses *ret_uses)
{
    struct wire_list_connections request = {0};
    struct wire_reply *reply = malloc(sizeof(*reply));
    size_t before;
    int rc;

    *ret_uses = (struct uses){0};
    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    do {
        before = ret_uses->count;
        rc = ask(client, WIRE_LIST_CONNECTIONS, &request, sizeof(request), NULL, 0, reply);
        if (rc == 0 && reply->status != 0)
            rc =
                complain(EXIT_ENVIRONMENT, "the machine refuses to list its letters with status 0x%08X", reply->status);
        else if (rc == 0 && (rc = take_rows(ret_uses, reply, &request.first)) != 0)
            rc = complain(EXIT_ENVIRONMENT, "the list of letters: %s", strerror(-rc));
    } while (rc == 0 && ret_uses->count > before);
    free(reply);
    if (rc != 0)
        uses_free(ret_uses);
    return rc;
}

void uses_free(struct uses *uses)
{
    for (size_t i = 0; i < uses->count; i++) {
        free(uses->rows[i].remote);
        free(uses->rows[i].user);
    }
    free(uses->rows);
    *uses = (struct uses){0};
}

const char *uses_status(uint32_t status)
{
    switch (status) {
    case WIRE_USE_OK:
        return "OK";
    case WIRE_USE_DISCONNECTED:
        return "Disconnected";
    case WIRE_USE_CONNECTING:
        return "Connecting";
    case WIRE_USE_RECONNECTING:
        return "Reconnecting";
    case WIRE_USE_UNAVAILABLE:
        return "Unavailable";
    default:
        return "Unknown";
    }
}

static bool is_wanted(const struct uses_row *row, char letter)
{
    return letter == 0 || row->letter == letter;
}

void uses_print(const struct uses *uses, char letter, FILE *file)
{
    struct table table = {.columns = 5, .right = "llllr"};

    table_row(&table, (const char *const[]){"Status", "Local", "Remote", "User", "Open files"});
    for (size_t i = 0; i < uses->count; i++) {
        const struct uses_row *row = &uses->rows[i];
        const char local[] = {row->letter, row->letter != 0 ? ':' : '\0', '\0'};
        char files[16];

        snprintf(files, sizeof(files), "%u", row->open_files);
        if (is_wanted(row, letter))
            table_row(&table, (const char *const[]){uses_status(row->status), local, row->remote,
                                                    row->user[0] != '\0' ? row->user : "(anonymous)", files});
    }
    table_print(&table, file);
}

void uses_print_json(const struct uses *uses, char letter, FILE *file)
{
    struct json_object *whole = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < uses->count; i++) {
        const struct uses_row *row = &uses->rows[i];
        struct json_object *object = json_object_new_object();
        const char local[] = {row->letter, ':', '\0'};

        json_object_object_add(object, "local", row->letter != 0 ? json_object_new_string(local) : NULL);
        json_object_object_add(object, "remote", json_object_new_string(row->remote));
        json_object_object_add(object, "user", row->user[0] != '\0' ? json_object_new_string(row->user) : NULL);
        json_object_object_add(object, "status", json_object_new_string(uses_status(row->status)));
        json_object_object_add(object, "persistent", json_object_new_boolean(row->remembered));
        json_object_object_add(object, "open_files", json_object_new_int64(row->open_files));
        if (is_wanted(row, letter))
            json_object_array_add(list, object);
        else
            json_object_put(object);
    }
    json_object_object_add(whole, "connections", list);
    fprintf(file, "%s\n",
            json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(whole);
}

/* ---- mapping ---- */

struct message {
    WCHAR text[CREATEFILE_NAME_MAX];
    uint32_t length; /* bytes */
};

static uint32_t wire_letter(char letter)
{
    return letter != 0 ? (uint32_t)(letter - 'A') : WIRE_NO_LETTER;
}

/* Appends a text; its length is returned in bytes. False: it is no UTF-8, or too long. */
static bool append(struct message *message, const char *text, uint32_t *ret_length)
{
    static struct message part; /* a password may be in it: wiped */
    UNICODE_STRING wide = {0};
    bool good = strlen(text) <= PART_MOST && (text[0] == '\0' || createfile_utf16(text, part.text, &wide)) &&
                message->length + wide.Length <= sizeof(message->text);

    *ret_length = wide.Length;
    if (good && wide.Length != 0)
        memcpy((unsigned char *)message->text + message->length, wide.Buffer, wide.Length);
    message->length += good ? wide.Length : 0;
    explicit_bzero(&part, sizeof(part));
    return good;
}

int uses_add(struct wire_client *client, char letter, const char *remote, const char *user,
             const struct password *password, bool remember, NTSTATUS *ret_status)
{
    static struct message message;
    struct wire_add_connection add = {
        .letter = wire_letter(letter), .has_password = password->given, .remember = remember};
    struct wire_reply *reply = malloc(sizeof(*reply));
    int rc = 0;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    message.length = 0;
    if (!append(&message, remote, &add.remote_length))
        rc = complain(EXIT_USAGE, "%s: no UTF-8, or too long", remote);
    else if (!append(&message, user != NULL ? user : "", &add.user_length))
        rc = complain(EXIT_USAGE, "--user %s: no UTF-8, or too long", user);
    else if (!append(&message, password->given ? password->text : "", &add.password_length))
        rc = complain(EXIT_USAGE, "the password is no UTF-8");
    if (rc == 0)
        rc = ask(client, WIRE_ADD_CONNECTION, &add, sizeof(add), message.text, message.length, reply);
    *ret_status = rc == 0 ? (NTSTATUS)reply->status : STATUS_SUCCESS;
    explicit_bzero(&message, sizeof(message));
    free(reply);
    return rc;
}

int uses_delete(struct wire_client *client, char letter, const char *remote, bool force, NTSTATUS *ret_status)
{
    static struct message message;
    struct wire_cancel_connection request = {.letter = wire_letter(letter),
                                             .force = WIRE_CANCEL_FORGET | (force ? WIRE_CANCEL_FORCE : 0)};
    struct wire_reply *reply = malloc(sizeof(*reply));
    int rc = 0;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    message.length = 0;
    if (letter == 0 && !append(&message, remote, &request.remote_length))
        rc = complain(EXIT_USAGE, "%s: no UTF-8, or too long", remote);
    if (rc == 0)
        rc = ask(client, WIRE_CANCEL_CONNECTION, &request, sizeof(request), message.text, message.length, reply);
    *ret_status = rc == 0 ? (NTSTATUS)reply->status : STATUS_SUCCESS;
    free(reply);
    return rc;
}

/* ---- what is said of a refusal ---- */

/* The errors are those that WNetAddConnection2 and WNetCancelConnection2 give; the words are ours. */
static const struct {
    NTSTATUS status;
    unsigned error;
    const char *text;
} refusals[] = {
    {STATUS_OBJECT_NAME_COLLISION, 85,
     "the letter is in use already; \"rdrlab use\" shows for what, --delete frees it"},
    {STATUS_OBJECT_NAME_NOT_FOUND, 2250, "there is no such connection; \"rdrlab use\" lists those there are"},
    {STATUS_LOGON_FAILURE, 1326, "the server does not know that user with that password"},
    {STATUS_NETWORK_CREDENTIAL_CONFLICT, 1219,
     "this machine is another user to that server already, and can be one only; delete its other connections there "
     "first"},
    {STATUS_BAD_NETWORK_PATH, 53, "no server of that name answers"},
    {STATUS_BAD_NETWORK_NAME, 67, "the server has no such share"},
    {STATUS_ACCESS_DENIED, 5, "the server does not let that user have the share"},
    {STATUS_NOT_SUPPORTED, 50, "a letter of this session is not remembered: behind a relay, or on a Terminal Server"},
    {STATUS_FILES_OPEN, 2401, "files are open on it; close them, or take it away from them with --force"},
    {STATUS_CONNECTION_IN_USE, 2404, "it is still in use, though no file is open (KB Q214563); --force takes it away"},
};

int uses_refused(char letter, const char *remote, const char *user, NTSTATUS status)
{
    const char *text = EmuStatusName(status);
    unsigned error = RtlNtStatusToDosError(status);
    char as[300] = "", local[8] = "";

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].status == status) {
            error = refusals[i].error;
            text = refusals[i].text;
        }
    }
    if (user != NULL)
        snprintf(as, sizeof(as), " as %.256s", user);
    if (letter != 0)
        snprintf(local, sizeof(local), "%c:%s", letter, remote != NULL ? " to " : "");
    return complain(EXIT_NOT_AS_EXPECTED, "%s%s%s%s error %u: %s", local, remote != NULL ? remote : "", as,
                    remote != NULL ? ":" : "", error, text != NULL ? text : "unknown");
}
