/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Traces of a live machine. See follow.h. */
#include "follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect.h"
#include "process.h"
#include "rdrlab.h"

#define LOOK_EVERY_MS 100

static int ask(struct wire_client *client, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
               size_t data_size, struct wire_reply *reply)
{
    int rc = wire_call(client, op, fixed, fixed_size, data, data_size, reply);

    if (rc != 0)
        return complain(EXIT_ENVIRONMENT, "the machine does not answer: %s", strerror(-rc));
    return 0;
}

/* Prints what there is from *next on, and asks on from there. Tells of what came and went between two looks. */
static int print_traces(struct wire_client *client, uint64_t *next, uint32_t flags, struct wire_reply *reply, FILE *out)
{
    struct wire_follow request = {.next = *next, .flags = flags};
    struct wire_followed followed;
    uint64_t before;
    int rc;

    do {
        before = request.next;
        rc = ask(client, WIRE_FOLLOW, &request, sizeof(request), NULL, 0, reply);
        if (rc != 0)
            return rc;
        if (reply->status != 0 || reply->length < sizeof(followed))
            return complain(EXIT_ENVIRONMENT, "the machine does not trace: status %08" PRIX32, reply->status);
        memcpy(&followed, reply->body, sizeof(followed));
        if (followed.dropped > 0)
            fprintf(stderr, "rdrlab: %" PRIu64 " traces came too fast to be read\n", followed.dropped);
        fwrite(reply->body + sizeof(followed), 1, reply->length - sizeof(followed), out);
        request.next = followed.next;
    } while (before != 0 && followed.next != before && followed.length > 0);
    *next = followed.next;
    return fflush(out) != 0 ? EXIT_ENVIRONMENT : 0;
}

static int connect_to(const char *machine, struct wire_client **ret_client, struct wire_reply **ret_reply)
{
    int rc;

    *ret_reply = malloc(sizeof(**ret_reply));
    if (*ret_reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    rc = inspect_connect(machine, ret_client);
    if (rc != 0)
        free(*ret_reply);
    return rc;
}

int follow(const char *machine, uint32_t flags)
{
    const struct timespec pause = {0, LOOK_EVERY_MS * 1000000L};
    struct wire_client *client = NULL;
    struct wire_reply *reply;
    uint64_t next = 0;
    int rc = connect_to(machine, &client, &reply);

    if (rc != 0)
        return rc;
    while (rc == 0 && !process_interrupted()) {
        rc = print_traces(client, &next, flags, reply, stdout);
        nanosleep(&pause, NULL);
    }
    free(reply);
    wire_disconnect(client);
    return process_interrupted() ? 0 : rc;
}

static int open_and_close(struct wire_client *client, const struct wire_create *request, const void *name,
                          struct wire_reply *reply)
{
    struct wire_created created;
    struct wire_token close = {0};
    int rc = ask(client, WIRE_CREATE, request, sizeof(*request), name, request->name_length, reply);

    if (rc != 0 || reply->length < sizeof(created))
        return rc;
    memcpy(&created, reply->body, sizeof(created));
    close.token = created.token;
    return close.token != 0 ? ask(client, WIRE_CLOSE, &close, sizeof(close), NULL, 0, reply) : 0;
}

int follow_create(struct wire_client *client, const struct wire_create *request, const void *name, uint32_t length,
                  FILE *text, FILE *json)
{
    struct wire_create create = *request;
    struct wire_reply *reply = malloc(sizeof(*reply));
    uint64_t next = 0, again;
    int rc;

    if (reply == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    create.name_length = length;
    create.no_token_file = 1;
    rc = print_traces(client, &next, WIRE_FOLLOW_MINE, reply, stdout);
    again = next;
    if (rc == 0)
        rc = open_and_close(client, &create, name, reply);
    if (rc == 0 && text != NULL)
        rc = print_traces(client, &next, WIRE_FOLLOW_MINE, reply, text);
    if (rc == 0 && json != NULL)
        rc = print_traces(client, &again, WIRE_FOLLOW_MINE | WIRE_FOLLOW_JSON, reply, json);
    free(reply);
    return rc;
}
