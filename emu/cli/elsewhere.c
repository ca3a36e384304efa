/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See elsewhere.h. */
#include "elsewhere.h"
#include "rdrlab.h"

#include <ntemu/nt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

/* One request; the reply's status, or complains. */
static int ask(struct wire_client *client, const char *what, uint16_t op, const void *fixed, size_t fixed_size,
               const void *data, size_t data_size, struct wire_reply *reply)
{
    int rc = wire_call(client, op, fixed, fixed_size, data, data_size, reply);

    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "%s: the machine does not answer: %s", what, strerror(-rc));
    if (reply->status != 0)
        return complain(EXIT_ENVIRONMENT, "%s: the machine says 0x%08X", what, reply->status);
    return 0;
}

static uint32_t widen(const char *text, WCHAR wide[TEXT_MAX])
{
    uint32_t length = 0;

    for (; length < TEXT_MAX && text[length] != '\0'; length++)
        wide[length] = (unsigned char)text[length];
    return length * (uint32_t)sizeof(WCHAR);
}

static int write_and_close(struct wire_client *client, const char *path, const char *text, struct wire_reply *reply)
{
    WCHAR wide[TEXT_MAX];
    struct wire_create create = {.object_flags = OBJ_CASE_INSENSITIVE,
                                 .desired_access = GENERIC_WRITE | SYNCHRONIZE,
                                 .share_access = FILE_SHARE_READ,
                                 .disposition = FILE_OVERWRITE_IF,
                                 .options = FILE_SYNCHRONOUS_IO_NONALERT,
                                 .name_length = widen(path, wide),
                                 .no_token_file = 1};
    struct wire_io io = {.length = (uint32_t)strlen(text)};
    struct wire_created created;
    int rc = ask(client, path, WIRE_CREATE, &create, sizeof(create), wide, create.name_length, reply), closed;

    if (rc != 0)
        return rc;
    memcpy(&created, reply->body, sizeof(created));
    io.token = created.token;
    rc = ask(client, path, WIRE_WRITE, &io, sizeof(io), text, io.length, reply);
    closed =
        ask(client, path, WIRE_CLOSE, &(struct wire_token){created.token}, sizeof(struct wire_token), NULL, 0, reply);
    return rc != 0 ? rc : closed;
}

int elsewhere_connect(struct wire_client *client, char letter, const char *share)
{
    struct wire_reply *reply = malloc(sizeof(*reply));
    WCHAR wide[TEXT_MAX];
    struct wire_add_connection add = {.letter = (uint32_t)(letter - 'A'), .remote_length = widen(share, wide)};
    int rc;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = ask(client, share, WIRE_ADD_CONNECTION, &add, sizeof(add), wide, add.remote_length, reply);
    free(reply);
    return rc;
}

int elsewhere_disconnect(struct wire_client *client, char letter)
{
    struct wire_reply *reply = malloc(sizeof(*reply));
    struct wire_cancel_connection cancel = {.letter = (uint32_t)(letter - 'A'), .force = 1};
    const char what[] = {letter, ':', '\0'};
    int rc;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = ask(client, what, WIRE_CANCEL_CONNECTION, &cancel, sizeof(cancel), NULL, 0, reply);
    free(reply);
    return rc;
}

int elsewhere_write(struct wire_client *client, char letter, const char *share, const char *name, const char *text)
{
    struct wire_reply *reply = malloc(sizeof(*reply));
    char path[TEXT_MAX];
    int rc, disconnected;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    snprintf(path, sizeof(path), "\\??\\%c:\\%s", letter, name);
    rc = elsewhere_connect(client, letter, share);
    if (rc == 0) {
        rc = write_and_close(client, path, text, reply);
        disconnected = elsewhere_disconnect(client, letter);
        rc = rc != 0 ? rc : disconnected;
    }
    free(reply);
    return rc;
}
