/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client that has been greeted and says anything: rdrlabd's decoder and the services behind it.
 *
 * Input: messages, each a byte with the operation, a byte with flags, two with the length, and that many bytes. They
 * follow a good header, or with RAW are the whole message. With NUMBERED the header has a number, for WIRE_CANCEL. A
 * token that looks like n means the n-th that the machine gave out: nobody guesses a real one.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/process.h"
#include "host/service.h"

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else /* no sanitizers here: there is nobody to tell */
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define RAW          1
#define NUMBERED     2
#define NUMBER       7
#define TOKENS_MAX   16
#define MESSAGES_MAX 64

static struct service_buffers buffers;
static _Alignas(16) unsigned char shared[WIRE_MESSAGE_MAX]; /* every other message's, as in a slot */
static uint64_t tokens[TOKENS_MAX];
static unsigned token_total;

static int make_folder(const char *name)
{
    int fd;

    fuzz_require(mkdir(name, 0700) == 0);
    fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(fd >= 0);
    return fd;
}

/* Two folders that live as long as their descriptors. */
static void open_folders(int *ret_tokens, int *ret_held)
{
    char place[64], name[80];
    const char *top = getenv("TMPDIR");

    snprintf(place, sizeof(place), "%.40s/rdrlab-fuzz-XXXXXX", top != NULL ? top : "/tmp");
    fuzz_require(mkdtemp(place) != NULL);
    snprintf(name, sizeof(name), "%s/tokens", place);
    *ret_tokens = make_folder(name);
    snprintf(name, sizeof(name), "%s/held", place);
    *ret_held = make_folder(name);
}

static void close_folders(int token_folder, int held_folder)
{
    char link[32], path[128];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", held_folder);
    length = readlink(link, path, sizeof(path) - 1);
    fuzz_require(length > 5);
    path[length] = '\0';
    fuzz_require(rmdir(path) == 0);
    strcpy(strrchr(path, '/'), "/tokens");
    fuzz_require(rmdir(path) == 0); /* not while a token's file is left */
    *strrchr(path, '/') = '\0';
    fuzz_require(rmdir(path) == 0);
    close(token_folder);
    close(held_folder);
}

static void put_token(unsigned char *body, size_t length, size_t offset)
{
    uint64_t token;

    if (length < offset + sizeof(token))
        return;
    memcpy(&token, body + offset, sizeof(token));
    if (token >= 1 && token <= token_total)
        memcpy(body + offset, &tokens[token - 1], sizeof(token));
}

static void set_bits(size_t length, size_t offset, uint32_t bits)
{
    uint32_t word;

    offset += sizeof(struct wire_header);
    if (length < offset + sizeof(word))
        return;
    memcpy(&word, buffers.request + offset, sizeof(word));
    word |= bits;
    memcpy(buffers.request + offset, &word, sizeof(word));
}

/* Nobody else is there to unlock or change what a request would wait for. */
static void never_wait(size_t length, uint16_t op)
{
    if (op == WIRE_LOCK)
        set_bits(length, offsetof(struct wire_range, flags), WIRE_LOCK_FAIL_IMMEDIATELY);
    else if (op == WIRE_NOTIFY)
        set_bits(length, offsetof(struct wire_notify, flags), WIRE_WATCH_NOW);
}

static size_t make_request(uint8_t op, uint8_t flags, const uint8_t *body, size_t length)
{
    struct wire_header header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = op};

    if (flags & RAW) {
        memcpy(buffers.request, body, length);
        return length;
    }
    header.length = (uint32_t)(sizeof(header) + length);
    header.status = flags & NUMBERED ? NUMBER : 0;
    memcpy(buffers.request, &header, sizeof(header));
    memcpy(buffers.request + sizeof(header), body, length);
    put_token(buffers.request + sizeof(header), length, 0); /* where all operations have it that have one */
    if (op == WIRE_CREATE)
        put_token(buffers.request + sizeof(header), length, offsetof(struct wire_create, spare_token));
    if (op == WIRE_SET_FILE) /* FILE_RENAME_INFORMATION's RootDirectory */
        put_token(buffers.request + sizeof(header), length, sizeof(struct wire_information) + 8);
    return header.length;
}

static void remember(uint64_t token)
{
    if (token != 0 && token_total < TOKENS_MAX)
        tokens[token_total++] = token;
}

static void check_reply(size_t length, uint16_t op)
{
    struct wire_header header;
    struct wire_created created;

    fuzz_require(length >= sizeof(header) && length <= WIRE_MESSAGE_MAX);
    memcpy(&header, buffers.in_place ? shared : buffers.reply, sizeof(header));
    fuzz_require(header.magic == WIRE_MAGIC && header.version == WIRE_VERSION && header.length == length);
    fuzz_require(header.op == op);
    if (op != WIRE_CREATE) {
        /* Errors say nothing else, but for those that tell how much room is wanted. */
        fuzz_require(header.status >> 30 != 3 || length == sizeof(header) ||
                     (op == WIRE_QUERY_SYSTEM && header.status == (uint32_t)STATUS_INFO_LENGTH_MISMATCH) ||
                     (op == WIRE_QUERY_SECURITY && header.status == (uint32_t)STATUS_BUFFER_TOO_SMALL));
        return;
    }
    if (length < sizeof(header) + sizeof(created))
        return;
    memcpy(&created, buffers.reply + sizeof(header), sizeof(created));
    fuzz_require((header.status >> 30 == 3) == (created.token == 0));
    remember(created.token);
    remember(created.spare_token);
}

static void converse(struct peer *peer, const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < MESSAGES_MAX && size > 0; i++) {
        uint8_t op = fuzz_byte(&data, &size), flags = fuzz_byte(&data, &size);
        size_t length = fuzz_byte(&data, &size), request, reply;
        struct wire_header header;

        length |= (size_t)fuzz_byte(&data, &size) << 8;
        if (length > size)
            length = size;
        request = make_request(op, flags, data, length);
        data += length;
        size -= length;
        memcpy(&header, buffers.request, sizeof(header));
        if (header.op == WIRE_CRASH)
            break; /* it does what it says */
        never_wait(request, header.op);
        buffers.shared = i % 2 ? shared : NULL;
        if (buffers.shared)
            memcpy(shared, buffers.request, request);
        ASAN_POISON_MEMORY_REGION(buffers.request + request, sizeof(buffers.request) - request);
        reply = service_serve(peer, &buffers, request);
        ASAN_UNPOISON_MEMORY_REGION(buffers.request, sizeof(buffers.request));
        if (reply == 0)
            break; /* hung up on */
        check_reply(reply, header.op);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct host host = {.kick = eventfd(0, EFD_CLOEXEC)};
    struct peer peer = {.host = &host, .number = 1, .socket = -1, .owner = &peer, .region = {.fd = -1}};
    int token_folder, held_folder;
    char error[256];

    token_total = 0;
    host_prepare(&host);
    open_folders(&token_folder, &held_folder);
    fuzz_boot();
    host.tokens = token_table_create(token_folder, held_folder, error, sizeof(error));
    fuzz_require(host.kick >= 0 && host.tokens != NULL);
    fuzz_require(process_open(&peer, 0, &peer.process) == STATUS_SUCCESS);

    process_enter(peer.process);
    converse(&peer, data, size);
    process_enter(NULL);

    token_owner_gone(host.tokens, &peer);
    parts_end(&buffers.parts);
    process_close(&peer, peer.process);
    token_table_destroy(host.tokens);
    EmuEnterProcess(EmuSystemProcess());
    fuzz_shut_down();
    close_folders(token_folder, held_folder);
    close(host.kick);
    return 0;
}
