/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Traces of a live machine: WIRE_FOLLOW, and that nobody waits for who reads them. */
#include "daemon.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct daemon daemon;
    struct way client, other;
};

struct answer {
    struct wire_followed followed;
    char text[WIRE_DATA_MAX + 1];
};

static struct answer answer; /* of the last look */

static void begin(struct fixture *fixture)
{
    daemon_start(&fixture->daemon, (const char *const[]){"--build", "nt4-sp5", NULL});
    fixture->client = (struct way){daemon_connect(&fixture->daemon, 1), NULL};
    fixture->other = (struct way){daemon_connect(&fixture->daemon, 1), NULL};
    assert_status(way_map(&fixture->client, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
}

/* The pool blocks that failing opens leak on this build make the machine say so. */
static void end(struct fixture *fixture, int leaks)
{
    wire_disconnect(fixture->other.client);
    wire_disconnect(fixture->client.client);
    assert_int_equal(daemon_stop(&fixture->daemon), leaks ? 3 : 0);
}

static uint64_t look(const struct way *way, uint64_t next, uint32_t flags)
{
    static struct wire_reply reply;
    struct wire_follow request = {.next = next, .flags = flags};

    assert_int_equal(way_call(way, WIRE_FOLLOW, &request, sizeof(request), NULL, 0, &reply), 0);
    assert_status(reply.status, STATUS_SUCCESS);
    memcpy(&answer.followed, reply.body, sizeof(answer.followed));
    assert_int_equal(reply.length, sizeof(answer.followed) + answer.followed.length);
    memcpy(answer.text, reply.body + sizeof(answer.followed), answer.followed.length);
    answer.text[answer.followed.length] = '\0';
    return answer.followed.next;
}

static void open_missing(const struct way *way)
{
    uint64_t token;

    assert_status(way_open_read(way, u"\\??\\X:\\missing", &token), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_creates_are_told_from_the_first_look_on(void **state)
{
    struct fixture fixture;
    uint64_t next, token;

    begin(&fixture);
    open_missing(&fixture.client); /* nobody follows */
    next = look(&fixture.client, 0, 0);
    assert_int_equal(answer.followed.length, 0);
    assert_status(way_open_read(&fixture.other, u"\\??\\X:\\a|b", &token), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(look(&fixture.client, next, 0), next + 1);
    assert_non_null(strstr(answer.text, "NtCreateFile \"\\??\\X:\\a|b\""));
    assert_non_null(strstr(answer.text, "decided by Rdr, rdr/name.c:"));
    assert_non_null(strstr(answer.text, "paged RdCc rdr/create.c:"));
    assert_null(strstr(answer.text, "missing"));
    look(&fixture.client, next + 1, 0);
    assert_int_equal(answer.followed.length, 0);
    end(&fixture, 1);
}

static void test_failed_ones_alone_and_ones_own_alone(void **state)
{
    struct fixture fixture;
    uint64_t next, token;

    begin(&fixture);
    next = look(&fixture.client, 0, 0);
    assert_status(way_open_read(&fixture.client, u"\\??\\X:\\", &token), STATUS_SUCCESS);
    way_close(&fixture.client, token);
    open_missing(&fixture.other);
    look(&fixture.client, next, WIRE_FOLLOW_FAILED);
    assert_null(strstr(answer.text, "STATUS_SUCCESS"));
    assert_non_null(strstr(answer.text, "STATUS_OBJECT_NAME_NOT_FOUND"));
    look(&fixture.client, next, WIRE_FOLLOW_MINE);
    assert_non_null(strstr(answer.text, "= "));
    assert_null(strstr(answer.text, "missing"));
    look(&fixture.other, next, WIRE_FOLLOW_MINE);
    assert_non_null(strstr(answer.text, "missing"));
    end(&fixture, 0);
}

static void test_json_is_one_object_a_line(void **state)
{
    struct fixture fixture;
    uint64_t next;
    struct json_object *object, *create, *value;

    begin(&fixture);
    next = look(&fixture.client, 0, 0);
    open_missing(&fixture.other);
    look(&fixture.client, next, WIRE_FOLLOW_JSON);
    object = json_tokener_parse(answer.text);
    assert_non_null(object);
    assert_ptr_equal(strchr(answer.text, '\n'), answer.text + answer.followed.length - 1);
    assert_true(json_object_object_get_ex(object, "create", &create));
    assert_true(json_object_object_get_ex(create, "status", &value));
    assert_string_equal(json_object_get_string(value), "C0000034");
    json_object_put(object);
    end(&fixture, 0);
}

static void test_who_reads_slowly_is_told_how_many_are_gone(void **state)
{
    enum { MANY = 1000 };
    struct fixture fixture;
    uint64_t next, first, seen = 0;

    begin(&fixture);
    first = next = look(&fixture.client, 0, 0);
    for (int i = 0; i < MANY; i++) {
        open_missing(&fixture.other);
        if (i % 100 == 0)
            look(&fixture.other, 0, 0); /* on a slow machine it would end: somebody still wants to know */
    }
    next = look(&fixture.client, next, 0);
    assert_in_range(answer.followed.dropped, 1, MANY - 1);
    seen += answer.followed.dropped;
    for (;;) {
        for (const char *p = answer.text; (p = strstr(p, "missing\"  access")); p++)
            seen++;
        if (answer.followed.length == 0)
            break;
        next = look(&fixture.client, next, 0);
    }
    assert_int_equal(seen, MANY);
    assert_int_equal(next, first + MANY);
    end(&fixture, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creates_are_told_from_the_first_look_on),
        cmocka_unit_test(test_failed_ones_alone_and_ones_own_alone),
        cmocka_unit_test(test_json_is_one_object_a_line),
        cmocka_unit_test(test_who_reads_slowly_is_told_how_many_are_gone),
    };

    return daemon_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]), 0);
}
