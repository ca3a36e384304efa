/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine_fixture.c - a machine, and a client that looks on. See machine_fixture.h. */
#include "machine_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void fixture_begin(struct fixture *fixture, const char *const *arguments)
{
    daemon_start(&fixture->daemon, arguments);
    fixture->way = (struct way){daemon_connect(&fixture->daemon, 1), NULL};
    assert_status(way_map(&fixture->way, LETTER_X, u"\\\\mem\\lab", NULL, NULL), STATUS_SUCCESS);
    fixture->before = way_machine(&fixture->way);
}

void fixture_end(struct fixture *fixture)
{
    await_machine(&fixture->way, 1, 0);
    assert_int_equal(way_machine(&fixture->way).handles, fixture->before.handles);
    wire_disconnect(fixture->way.client);
    assert_int_equal(daemon_stop(&fixture->daemon), 0);
}

int raw_connect(const struct daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", daemon->folder);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

struct hello_message good_hello(void)
{
    struct hello_message message = {.header = {WIRE_MAGIC, WIRE_VERSION, WIRE_HELLO, sizeof(message), 0}};

    strcpy(message.hello.program, "raw");
    return message;
}
