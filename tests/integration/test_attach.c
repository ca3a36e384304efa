/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients without sockets: they write their hello and their requests into a file that the machine keeps ready. */
#include "machine_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wire/channel.h"

struct attached {
    struct wire_region *region;
    int fd;
};

/* Waits, 10 s at most, for the machine to make one more ready once others have been claimed. */
static void await_number(const struct daemon *daemon, unsigned number)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/attach/%u", daemon->folder, number);
    for (int i = 0; i < 10000 && access(path, F_OK) != 0; i++)
        usleep(1000);
}

static struct attached attach(const struct daemon *daemon, unsigned number)
{
    struct attached attached;
    char path[160];

    snprintf(path, sizeof(path), "%s/attach/%u", daemon->folder, number);
    attached.fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(attached.fd >= 0);
    attached.region = mmap(NULL, sizeof(struct wire_region), PROT_READ | PROT_WRITE, MAP_SHARED, attached.fd, 0);
    assert_ptr_not_equal(attached.region, MAP_FAILED);
    return attached;
}

static void detach(struct attached *attached)
{
    munmap(attached->region, sizeof(struct wire_region));
    close(attached->fd);
}

/* Waits, 10 s at most, for a word to be no longer what it was. */
static uint32_t await_word(const uint32_t *word, uint32_t unwanted)
{
    for (int i = 0; i < 100000 && wire_load(word) == unwanted; i++)
        usleep(100);
    return wire_load(word);
}

static uint32_t greet(struct attached *attached, uint16_t version)
{
    struct {
        struct wire_header header;
        struct wire_hello hello;
    } message = {.header = {WIRE_MAGIC, version, WIRE_HELLO, sizeof(message), 0}, .hello.program = "attached"};

    assert_true(wire_claim(&attached->region->state, WIRE_REGION_OPEN, WIRE_REGION_CLAIMED));
    memcpy(attached->region->handshake, &message, sizeof(message));
    wire_store(&attached->region->state, WIRE_REGION_HELLO);
    return await_word(&attached->region->state, WIRE_REGION_HELLO);
}

static NTSTATUS attached_machine(struct attached *attached, unsigned slot)
{
    struct wire_header header = {WIRE_MAGIC, WIRE_VERSION, WIRE_MACHINE, sizeof(header), 0};
    struct wire_slot *place = &attached->region->slots[slot];

    assert_true(wire_claim(&place->owner, 0, 1));
    memcpy(place->message, &header, sizeof(header));
    wire_store(&place->state, WIRE_REQUEST);
    assert_int_equal(await_word(&place->state, WIRE_REQUEST), WIRE_REPLY);
    memcpy(&header, place->message, sizeof(header));
    wire_store(&place->state, WIRE_IDLE);
    wire_store(&place->owner, 0);
    return (NTSTATUS)header.status;
}

static void test_a_client_without_a_socket_is_served_from_a_file(void **state)
{
    struct attached attached, second;
    struct wire_header header;
    struct wire_welcome welcome;
    struct fixture fixture;
    uint32_t beat;

    fixture_begin(&fixture, NULL);
    attached = attach(&fixture.daemon, 0);
    assert_int_equal(greet(&attached, WIRE_VERSION), WIRE_REGION_WELCOME);
    memcpy(&header, attached.region->handshake, sizeof(header));
    memcpy(&welcome, attached.region->handshake + sizeof(header), sizeof(welcome));
    assert_int_equal(header.status, STATUS_SUCCESS);
    assert_string_equal(welcome.build, "nt4-sp6");
    assert_int_equal(wire_load(&attached.region->letters), 1u << LETTER_X);
    for (unsigned slot = 0; slot < 5; slot++)
        for (int round = 0; round < 20; round++)
            assert_status(attached_machine(&attached, slot), STATUS_SUCCESS);
    beat = wire_load(&attached.region->heartbeat);
    assert_int_not_equal(await_word(&attached.region->heartbeat, beat), beat);

    second = attach(&fixture.daemon, 1);
    assert_int_equal(greet(&second, WIRE_VERSION), WIRE_REGION_WELCOME);
    await_machine(&fixture.way, 3, 0);
    close(attached.fd); /* the mapping keeps it */
    attached.fd = -1;
    assert_status(attached_machine(&attached, 0), STATUS_SUCCESS);
    detach(&attached);
    await_machine(&fixture.way, 2, 0);
    assert_status(attached_machine(&second, 0), STATUS_SUCCESS);
    detach(&second);
    fixture_end(&fixture);
}

static void test_a_number_in_attach_is_given_again_and_none_is_missing(void **state)
{
    struct attached attached[6];
    struct fixture fixture;
    struct wire_region *fresh;

    fixture_begin(&fixture, NULL);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT(attached); i++) {
            attached[i].fd = -1;
            await_number(&fixture.daemon, i);
            for (int try = 0; try < 10000; try++) { /* until the machine has replaced the one used before */
                attached[i] = attach(&fixture.daemon, i);
                fresh = attached[i].region;
                if (wire_load(&fresh->state) == WIRE_REGION_OPEN)
                    break;
                detach(&attached[i]);
                usleep(1000);
            }
            assert_int_equal(greet(&attached[i], WIRE_VERSION), WIRE_REGION_WELCOME);
        }
        await_machine(&fixture.way, 1 + COUNT(attached), 0);
        for (unsigned i = 0; i < COUNT(attached); i++)
            detach(&attached[i]);
        await_machine(&fixture.way, 1, 0);
    }
    fixture_end(&fixture);
}

/* Longer than the machine looks at the regions for nothing. */
static void test_a_client_that_is_late_with_its_hello_is_served(void **state)
{
    struct attached attached;
    struct fixture fixture;

    fixture_begin(&fixture, NULL);
    attached = attach(&fixture.daemon, 0);
    sleep(7);
    assert_int_equal(greet(&attached, WIRE_VERSION), WIRE_REGION_WELCOME);
    assert_status(attached_machine(&attached, 0), STATUS_SUCCESS);
    detach(&attached);
    fixture_end(&fixture);
}

static void test_a_client_without_a_socket_is_refused_like_any_other(void **state)
{
    struct attached attached;
    struct wire_header header;
    struct fixture fixture;

    fixture_begin(&fixture, NULL);
    attached = attach(&fixture.daemon, 0);
    assert_int_equal(greet(&attached, WIRE_VERSION + 1), WIRE_REGION_DEAD);
    memcpy(&header, attached.region->handshake, sizeof(header));
    assert_int_equal(header.status, (uint32_t)STATUS_REVISION_MISMATCH);
    assert_int_equal(header.version, WIRE_VERSION);
    detach(&attached);
    fixture_end(&fixture);
}

static void test_a_region_cut_short_under_the_machine_costs_its_client_only(void **state)
{
    struct attached attached;
    struct fixture fixture;

    fixture_begin(&fixture, NULL);
    attached = attach(&fixture.daemon, 0); /* before its hello */
    assert_int_equal(ftruncate(attached.fd, 0), 0);
    detach(&attached);
    way_machine(&fixture.way);

    attached = attach(&fixture.daemon, 1); /* while it is served */
    assert_int_equal(greet(&attached, WIRE_VERSION), WIRE_REGION_WELCOME);
    assert_status(attached_machine(&attached, 0), STATUS_SUCCESS);
    assert_int_equal(ftruncate(attached.fd, 4096), 0);
    await_machine(&fixture.way, 1, 0);
    detach(&attached);
    fixture_end(&fixture);
}

#define OWN_TESTS 2 /* count clients that have asked for nothing: of those a relay's machine knows nothing */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_client_without_a_socket_is_served_from_a_file),
        cmocka_unit_test(test_a_number_in_attach_is_given_again_and_none_is_missing),
        cmocka_unit_test(test_a_client_that_is_late_with_its_hello_is_served),
        cmocka_unit_test(test_a_client_without_a_socket_is_refused_like_any_other),
        cmocka_unit_test(test_a_region_cut_short_under_the_machine_costs_its_client_only),
    };

    return daemon_main(argc, argv, tests, COUNT(tests), OWN_TESTS);
}
