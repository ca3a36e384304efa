/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See casecalls.h. */
#include "casecalls.h"
#include "createfile.h"
#include "inspect.h"
#include "process.h"
#include "rdrlab.h"

#include <ntemu/ntifs.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS_MAX  10
#define HANDLES_MAX 64
#define SILENCE_MS  300000 /* a call that waits for so long on a real clock has been lost */

struct case_caller {
    pid_t pid; /* casesteps.exe's; 0: the calls are done here */
    int to;
    struct line_reader from;
    struct wire_client *client;
    struct wire_reply *reply;
    struct {
        char name[32];
        uint64_t token; /* 0: a free place */
    } handles[HANDLES_MAX];
};

/* ---- through Wine ---- */

static int start_program(const struct lab *lab, struct machine *machine, struct case_caller *caller)
{
    char *argv[] = {(char *)lab->places.launcher, (char *)lab->places.casesteps, NULL};
    int in[2], out[2], rc;

    if (pipe2(in, O_CLOEXEC) != 0)
        return complain(EXIT_ENVIRONMENT, "no pipe: %s", strerror(errno));
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return complain(EXIT_ENVIRONMENT, "no pipe: %s", strerror(errno));
    }
    rc = lab_start_program(lab, machine, argv, in[0], out[1], lab->log, true, &caller->pid);
    close(in[0]);
    close(out[1]);
    caller->to = in[1];
    caller->from = (struct line_reader){.fd = out[0]};
    return rc;
}

static int call_program(struct case_caller *caller, const char *line, struct case_answer *answer)
{
    size_t length = strlen(line);
    char *text;
    int rc;

    if (write(caller->to, line, length) != (ssize_t)length || write(caller->to, "\n", 1) != 1)
        return -ECONNRESET;
    rc = line_read(&caller->from, SILENCE_MS, &text);
    if (rc == -EINTR)
        return EXIT_INTERRUPTED;
    if (rc == -ETIMEDOUT)
        return complain(EXIT_ENVIRONMENT, "casesteps.exe has not answered within %d s: %.60s", SILENCE_MS / 1000, line);
    if (rc <= 0 ||
        sscanf(text, "done\t%" SCNu32 "\t%" SCNu64 "\t%" SCNu32, &answer->error, &answer->others, &answer->other) != 3)
        return -ECONNRESET;
    return 0;
}

/* ---- without it ---- */

static uint64_t *token_of(struct case_caller *caller, const char *name)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (caller->handles[i].token != 0 && strcmp(caller->handles[i].name, name) == 0)
            return &caller->handles[i].token;
    }
    return NULL;
}

/* One request; *error as a program would have it. Returns as case_call. */
static int ask(struct case_caller *caller, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
               size_t data_size, uint32_t *error)
{
    int rc = wire_call(caller->client, op, fixed, fixed_size, data, data_size, caller->reply);

    if (rc == -ECONNRESET)
        return rc;
    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
    *error = NT_SUCCESS((NTSTATUS)caller->reply->status) ? 0 : RtlNtStatusToDosError((NTSTATUS)caller->reply->status);
    return 0;
}

static int map(struct case_caller *caller, char **field, uint32_t *error)
{
    WCHAR buffer[CREATEFILE_NAME_MAX];
    UNICODE_STRING remote;
    struct wire_add_connection add = {.letter = (uint32_t)(field[1][0] - 'A')};

    createfile_utf16(field[2], buffer, &remote);
    add.remote_length = remote.Length;
    return ask(caller, WIRE_ADD_CONNECTION, &add, sizeof(add), buffer, remote.Length, error);
}

static int unmap(struct case_caller *caller, char **field, uint32_t *error)
{
    struct wire_cancel_connection cancel = {.letter = (uint32_t)(field[1][0] - 'A'), .force = field[2][0] == '1'};

    return ask(caller, WIRE_CANCEL_CONNECTION, &cancel, sizeof(cancel), NULL, 0, error);
}

static int create(struct case_caller *caller, struct wire_create request, const char *name, uint64_t *token,
                  uint32_t *error)
{
    WCHAR buffer[CREATEFILE_NAME_MAX];
    UNICODE_STRING path;
    int rc;

    *token = 0;
    if (!createfile_name(strncmp(name, "\\\\?\\", 4) == 0 ? name + 4 : name, buffer, &path)) {
        *error = 123;
        return 0;
    }
    request.object_flags = OBJ_CASE_INSENSITIVE;
    request.desired_access |= SYNCHRONIZE | FILE_READ_ATTRIBUTES;
    request.options |= FILE_SYNCHRONOUS_IO_NONALERT;
    request.name_length = path.Length;
    request.no_token_file = 1;
    rc = ask(caller, WIRE_CREATE, &request, sizeof(request), buffer, path.Length, error);
    if (rc == 0 && *error == 0)
        memcpy(token, caller->reply->body, sizeof(*token));
    return rc;
}

static int close_token(struct case_caller *caller, uint64_t token, uint32_t *error)
{
    return ask(caller, WIRE_CLOSE, &(struct wire_token){token}, sizeof(struct wire_token), NULL, 0, error);
}

static int create_and_close(struct case_caller *caller, const struct wire_create *request, const char *name,
                            uint32_t *error)
{
    uint64_t token;
    int rc = create(caller, *request, name, &token, error);

    return token != 0 ? close_token(caller, token, error) : rc;
}

static int open_file(struct case_caller *caller, char **field, uint32_t *error)
{
    static const uint32_t dispositions[] = {0, FILE_CREATE, FILE_OVERWRITE_IF, FILE_OPEN, FILE_OPEN_IF, FILE_OVERWRITE};
    uint32_t access = (uint32_t)strtoul(field[2], NULL, 0), disposition = (uint32_t)strtoul(field[4], NULL, 0);
    bool directory = strtoul(field[5], NULL, 0) != 0;
    struct wire_create request = {.desired_access = access,
                                  .share_access = (uint32_t)strtoul(field[3], NULL, 0),
                                  .disposition = dispositions[disposition % 6],
                                  .options = directory ? 0 : FILE_NON_DIRECTORY_FILE};
    uint64_t token;
    int rc;

    if (strcmp(field[1], "-") == 0)
        return create_and_close(caller, &request, field[7], error);
    rc = create(caller, request, field[7], &token, error);
    for (int i = 0; i < HANDLES_MAX && token != 0; i++) {
        if (caller->handles[i].token != 0)
            continue;
        snprintf(caller->handles[i].name, sizeof(caller->handles[i].name), "%s", field[1]);
        caller->handles[i].token = token;
        token = 0;
    }
    if (token != 0)
        return complain(EXIT_ENVIRONMENT, "%s: more than %d handles are open", field[1], HANDLES_MAX);
    return rc;
}

static int read_file(struct case_caller *caller, char **field, uint32_t *error)
{
    uint64_t *token = token_of(caller, field[1]);
    struct wire_io io = {.token = token != NULL ? *token : 0, .length = (uint32_t)strtoul(field[2], NULL, 0)};

    return ask(caller, WIRE_READ, &io, sizeof(io), NULL, 0, error);
}

static int write_file(struct case_caller *caller, char **field, uint32_t *error)
{
    uint64_t *token = token_of(caller, field[1]);
    struct wire_io io = {
        .token = token != NULL ? *token : 0, .offset = WIRE_OFFSET_CURRENT, .length = (uint32_t)strlen(field[2])};

    return ask(caller, WIRE_WRITE, &io, sizeof(io), field[2], io.length, error);
}

static int close_file(struct case_caller *caller, char **field, uint32_t *error)
{
    uint64_t *place = token_of(caller, field[1]), token = place != NULL ? *place : 0;

    if (place != NULL)
        *place = 0;
    return close_token(caller, token, error);
}

static int make_directory(struct case_caller *caller, char **field, uint32_t *error)
{
    struct wire_create request = {.share_access = FILE_SHARE_READ | FILE_SHARE_WRITE,
                                  .file_attributes = FILE_ATTRIBUTE_NORMAL,
                                  .disposition = FILE_CREATE,
                                  .options = FILE_DIRECTORY_FILE};

    return create_and_close(caller, &request, field[1], error);
}

static int attributes(struct case_caller *caller, char **field, uint32_t *error)
{
    WCHAR buffer[CREATEFILE_NAME_MAX];
    UNICODE_STRING path;
    struct wire_query_attributes query = {.object_flags = OBJ_CASE_INSENSITIVE};

    if (!createfile_name(strncmp(field[1], "\\\\?\\", 4) == 0 ? field[1] + 4 : field[1], buffer, &path)) {
        *error = 123;
        return 0;
    }
    query.name_length = path.Length;
    return ask(caller, WIRE_QUERY_ATTRIBUTES, &query, sizeof(query), buffer, path.Length, error);
}

static int delete_file(struct case_caller *caller, char **field, uint32_t *error)
{
    struct wire_create request = {.desired_access = DELETE,
                                  .share_access = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  .disposition = FILE_OPEN,
                                  .options = FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE};

    return create_and_close(caller, &request, field[1], error);
}

static const struct {
    const char *name;
    int fields, times; /* as in casesteps.c */
    int (*call)(struct case_caller *caller, char **field, uint32_t *error);
} calls[] = {
    {"map", 2, 0, map},
    {"unmap", 2, 0, unmap},
    {"open", 7, 6, open_file},
    {"read", 2, 0, read_file},
    {"write", 2, 0, write_file},
    {"close", 1, 0, close_file},
    {"make-directory", 1, 0, make_directory},
    {"attributes", 1, 0, attributes},
    {"delete", 1, 0, delete_file},
};

static int split(char *line, char **field)
{
    int count = 0;

    while (count < FIELDS_MAX) {
        field[count++] = line;
        line = strchr(line, '\t');
        if (line == NULL)
            break;
        *line++ = '\0';
    }
    return count;
}

static int call_here(struct case_caller *caller, const char *line, struct case_answer *answer)
{
    char *copy = strdup(line), *field[FIELDS_MAX];
    int count, rc = EXIT_ENVIRONMENT;

    if (copy == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    count = split(copy, field);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        unsigned long times;
        if (strcmp(calls[i].name, field[0]) != 0 || calls[i].fields != count - 1)
            continue;
        times = calls[i].times != 0 ? strtoul(field[calls[i].times], NULL, 0) : 1;
        rc = calls[i].call(caller, field, &answer->error);
        while (rc == 0 && times-- > 1) {
            uint32_t error = 0;
            rc = calls[i].call(caller, field, &error);
            if (error != answer->error) {
                answer->others++;
                answer->other = error;
            }
        }
    }
    free(copy);
    return rc;
}

/* ---- either ---- */

int case_caller_open(const struct lab *lab, struct machine *machine, uint32_t session, struct case_caller **ret_caller)
{
    struct case_caller *caller = calloc(1, sizeof(*caller));
    int rc;

    if (caller == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    caller->to = caller->from.fd = -1;
    *ret_caller = caller;
    if (session != 0)
        machine_use_session(machine, session);
    if (!lab->options.no_wine)
        return start_program(lab, machine, caller);
    caller->reply = malloc(sizeof(*caller->reply));
    rc = inspect_connect_session(machine->dir, session, &caller->client);
    return rc == 0 && caller->reply == NULL ? complain(EXIT_ENVIRONMENT, "out of memory") : rc;
}

void case_caller_close(struct case_caller *caller)
{
    int status;

    if (caller == NULL)
        return;
    if (caller->to >= 0)
        close(caller->to);
    if (caller->pid > 0 && process_wait(caller->pid, 5000, &status) != 0)
        process_stop(caller->pid, 1000);
    if (caller->from.fd >= 0)
        close(caller->from.fd);
    wire_disconnect(caller->client);
    free(caller->reply);
    free(caller);
}

int case_call(struct case_caller *caller, const char *line, struct case_answer *ret_answer)
{
    *ret_answer = (struct case_answer){0};
    return caller->client != NULL ? call_here(caller, line, ret_answer) : call_program(caller, line, ret_answer);
}
