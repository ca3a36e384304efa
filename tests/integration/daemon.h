/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon.h - a real rdrlabd for a test, and requests to it. Everything here fails the test when it cannot do its part.
 */
#ifndef RDRLAB_TESTS_DAEMON_H
#define RDRLAB_TESTS_DAEMON_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <sys/types.h>

#include <ntemu/nt.h>

#include "wire/client.h"

#define LETTER_X 23

struct daemon {
    pid_t pid;
    char parent[64];  /* a folder of the test's own, made by mkdtemp */
    char folder[80];  /* the machine's, in it */
    pid_t behind;     /* behind a relay: the machine, while pid and folder are the relay's. Otherwise 0 */
    char address[64]; /* behind a relay: where the machine listens */
    int restarted;    /* its folder was there before it, and stays */
};

/* From now on daemon_start puts an rdrlab-relay in front of each machine. */
void daemon_use_relays(void);
int daemon_uses_relays(void);

/* A machine that listens for relays, with the secret in the file `secret` of daemon->parent; address is filled in. */
void daemon_start_listening(struct daemon *daemon, const char *const *arguments);

/* A relay to it in daemon->parent/`name`, as a daemon of its own, which shares the parent. */
void daemon_start_relay(const struct daemon *machine, const char *name, const char *const *arguments,
                        struct daemon *relay);

/* SIGTERM and the exit status of a relay. Its folder must be gone, the parent stays. */
int daemon_stop_relay(struct daemon *relay);

/* The relay has been waited for already; its folder goes with the parent. */
void daemon_forget_relay(struct daemon *relay);

/* Runs rdrlabd to its end: its exit status, or 1000 and more for a signal. output: stderr, at most size - 1 bytes. */
int daemon_run(const char *const *arguments, char *output, size_t size);

/* --backend mem, the folder, and more arguments (NULL-terminated, may be NULL). Returns once it listens. */
void daemon_start(struct daemon *daemon, const char *const *arguments);

/* SIGTERM; returns the exit status, and fails unless the machine's folder is gone. Removes the test's folder. */
int daemon_stop(struct daemon *daemon);

/* Waits for it to end by itself, at most 20 s, with the same checks. */
int daemon_wait(struct daemon *daemon);

/* The same, but the folder may hold bugcheck.txt and nothing else: its text, or "" if there is none. */
int daemon_wait_bug_check(struct daemon *daemon, char *text, size_t size);

/* kill -9, and it is waited for; what is left in its folder stays. Then daemon_restart or daemon_kill. */
void daemon_crash(struct daemon *daemon);

/* Another machine in the folder of one that has crashed. Not behind a relay. */
void daemon_restart(struct daemon *daemon, const char *const *arguments);

/* kill -9, and the leftovers with it. */
void daemon_kill(struct daemon *daemon);

struct wire_client *daemon_connect(const struct daemon *daemon, int with_region);

/* ---- requests: over `line` if it is not NULL, otherwise over the client's socket ---- */

struct way {
    struct wire_client *client;
    struct wire_line *line;
};

int way_call(const struct way *way, uint16_t op, const void *fixed, size_t fixed_size, const void *data,
             size_t data_size, struct wire_reply *reply);

/* X: -> \\mem\lab */
NTSTATUS way_map(const struct way *way, uint32_t letter, const WCHAR *remote, const WCHAR *user, const WCHAR *password);
/* force: WIRE_CANCEL_... */
NTSTATUS way_unmap(const struct way *way, uint32_t letter, int force);

#define WITHOUT_FILE 1
struct opening {
    const WCHAR *name;
    uint32_t access, share, disposition, options;
    uint32_t no_token_file;
    uint64_t root;
    uint64_t spare;    /* to be used for the file, 0: none */
    uint64_t *offered; /* NULL, or where the token goes that the machine offers */
};
NTSTATUS way_open(const struct way *way, const struct opening *opening, uint64_t *token);
/* To read, sharing all. */
NTSTATUS way_open_read(const struct way *way, const WCHAR *name, uint64_t *token);
NTSTATUS way_close(const struct way *way, uint64_t token);
struct wire_machine way_machine(const struct way *way);

/* Opens the token's file as a client would. */
int token_open(const struct wire_client *client, uint64_t token);

/* Waits, 30 s at most, until the machine has so many clients, besides a relay, and open tokens. */
void await_machine(const struct way *way, uint32_t clients, uint32_t tokens);

size_t utf16_bytes(const WCHAR *text);

/*
 * daemon_main - main's work. With the argument "relay" each machine is behind a relay, and the first `own` tests, of
 * what is not true of a relay as well, are left out.
 */
int daemon_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count, size_t own);

#define assert_status(actual, expected)                                                                                \
    do {                                                                                                               \
        NTSTATUS actual_ = (actual);                                                                                   \
        if (actual_ != (NTSTATUS)(expected))                                                                           \
            fail_msg("%s is 0x%08X, not %s", #actual, (unsigned)actual_, #expected);                                   \
    } while (0)

#endif
