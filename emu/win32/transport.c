/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The raw transport. Wine's own sockets cost two requests to its server per exchange; a system call of ours costs
 * none. It stands on the `syscall` instruction reaching Linux from PE code, which is tried before it is used.
 */
#include <string.h>

#include "client.h"
#include "report.h"
#include "transport.h"

#ifndef CP_UNIXCP
#define CP_UNIXCP 65010
#endif

/* Linux x86_64; mingw-w64 has no headers for it. */
enum {
    LINUX_OPEN = 2,
    LINUX_CLOSE = 3,
    LINUX_POLL = 7,
    LINUX_MMAP = 9,
    LINUX_GETPID = 39,
    LINUX_SOCKET = 41,
    LINUX_CONNECT = 42,
    LINUX_SENDTO = 44,
    LINUX_RECVMSG = 47,
    LINUX_GETTID = 186,
    LINUX_FUTEX = 202,
    LINUX_SCHED_SETAFFINITY = 203,
    LINUX_SCHED_GETAFFINITY = 204,
    LINUX_TGKILL = 234,
    LINUX_GETCPU = 309,
    LINUX_GETRANDOM = 318,
};
enum {
    LINUX_EINTR = -4,
    LINUX_ETIMEDOUT = -110,
    LINUX_AF_UNIX = 1,
    LINUX_SOCK_SEQPACKET = 5,
    LINUX_CLOEXEC = 02000000,
    LINUX_O_PATH = 010000000,
    LINUX_MSG_NOSIGNAL = 0x4000,
    LINUX_MSG_CMSG_CLOEXEC = 0x40000000,
    LINUX_SOL_SOCKET = 1,
    LINUX_SCM_RIGHTS = 1,
    LINUX_POLLIN = 1,
    LINUX_POLLERR = 8,
    LINUX_POLLHUP = 16,
    LINUX_PROT_READ_WRITE = 3,
    LINUX_MAP_SHARED = 1,
    LINUX_FUTEX_WAIT = 0,
    LINUX_FUTEX_WAKE = 1,
};

struct linux_sockaddr_un {
    uint16_t family;
    char path[108];
};
struct linux_iovec {
    void *base;
    uint64_t length;
};
struct linux_msghdr {
    void *name;
    uint32_t name_length, pad;
    struct linux_iovec *iov;
    uint64_t iov_count;
    void *control;
    uint64_t control_length;
    int32_t flags, pad2;
};
struct linux_cmsg_fd {
    uint64_t length;
    int32_t level, type;
    int32_t fd, pad;
};
struct linux_pollfd {
    int32_t fd;
    int16_t events, revents;
};
struct linux_timespec {
    int64_t seconds, nanoseconds;
};

#define HANDSHAKE_PATIENCE 5000 /* ms */
#define LIVENESS_INTERVAL  100  /* ms */
#define SHORT_SLEEP        25   /* us: one that spinning should have spared */
#define SHORT_SLEEPS       16   /* in a row, before a thread moves */
#define MOVE_INTERVAL      5000 /* us */

static int32_t machine_socket = -1;

static int64_t linux_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f)
{
    register int64_t r10 __asm__("r10") = d;
    register int64_t r8 __asm__("r8") = e;
    register int64_t r9 __asm__("r9") = f;
    int64_t result;

    __asm__ volatile("syscall"
                     : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "cc", "memory");
    return result;
}

#define POINTER(p) ((int64_t)(ULONG_PTR)(p))

/*
 * A Wine that dispatches `syscall` to its own services would take the number for one of its own. 318 is beyond its
 * table, so the worst answer is an error; and the effect can be seen.
 */
static bool raw_usable(void)
{
    unsigned char random[24] = {0};
    unsigned char any = 0;
    int64_t process;

    if (linux_call(LINUX_GETRANDOM, POINTER(random), 17, 0, 0, 0, 0) != 17)
        return false;
    for (int i = 0; i < 17; i++)
        any |= random[i];
    if (!any || random[17] || random[18] || random[23])
        return false;
    process = linux_call(LINUX_GETPID, 0, 0, 0, 0, 0, 0);
    return process > 1 &&
           linux_call(LINUX_TGKILL, process, linux_call(LINUX_GETTID, 0, 0, 0, 0, 0, 0), 0, 0, 0, 0) == 0;
}

/* Wine interrupts its threads with signals at any time. */
static int64_t poll_socket(int16_t events, int timeout, int16_t *ret_events)
{
    struct linux_pollfd entry = {machine_socket, events, 0};
    int64_t count;

    do
        count = linux_call(LINUX_POLL, POINTER(&entry), 1, timeout, 0, 0, 0);
    while (count == LINUX_EINTR);
    *ret_events = count > 0 ? entry.revents : 0;
    return count;
}

static bool socket_hung_up(void)
{
    int16_t events;

    poll_socket(0, 0, &events);
    return events & (LINUX_POLLHUP | LINUX_POLLERR);
}

static NTSTATUS send_message(const void *message, uint32_t length)
{
    int64_t sent;

    do
        sent = linux_call(LINUX_SENDTO, machine_socket, POINTER(message), length, LINUX_MSG_NOSIGNAL, 0, 0);
    while (sent == LINUX_EINTR);
    return sent == length ? STATUS_SUCCESS : STATUS_UNEXPECTED_NETWORK_ERROR;
}

static NTSTATUS receive_message(void *message, uint32_t size, uint32_t *ret_length, int32_t *ret_fd)
{
    struct linux_cmsg_fd control = {0};
    struct linux_iovec iov = {message, size};
    struct linux_msghdr header = {.iov = &iov, .iov_count = 1, .control = &control, .control_length = sizeof(control)};
    int16_t events;
    int64_t got;

    if (poll_socket(LINUX_POLLIN, HANDSHAKE_PATIENCE, &events) == 0) {
        report("the machine does not answer");
        return STATUS_IO_TIMEOUT;
    }
    do
        got = linux_call(LINUX_RECVMSG, machine_socket, POINTER(&header), LINUX_MSG_CMSG_CLOEXEC, 0, 0, 0);
    while (got == LINUX_EINTR);
    if (got <= 0)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    *ret_length = (uint32_t)got;
    *ret_fd = -1;
    if (header.control_length >= 20 && control.level == LINUX_SOL_SOCKET && control.type == LINUX_SCM_RIGHTS)
        *ret_fd = control.fd;
    return STATUS_SUCCESS;
}

/* A folder whose socket's name does not fit into an address is reached through a descriptor of it. */
static bool socket_address(const char *folder, struct linux_sockaddr_un *address, int64_t *ret_folder_fd)
{
    static const char name[] = "/socket";
    size_t length = strlen(folder);
    int64_t fd;
    char *at = address->path;

    memset(address, 0, sizeof(*address));
    address->family = LINUX_AF_UNIX;
    *ret_folder_fd = -1;
    if (length + sizeof(name) <= sizeof(address->path)) {
        memcpy(at, folder, length);
        memcpy(at + length, name, sizeof(name));
        return true;
    }
    fd = linux_call(LINUX_OPEN, POINTER(folder), LINUX_O_PATH | LINUX_CLOEXEC, 0, 0, 0, 0);
    if (fd < 0)
        return false;
    memcpy(at, "/proc/self/fd/", 14);
    at += 14;
    for (int64_t divisor = 1000000; divisor; divisor /= 10)
        if (fd >= divisor || divisor == 1)
            *at++ = (char)('0' + fd / divisor % 10);
    memcpy(at, name, sizeof(name));
    *ret_folder_fd = fd;
    return true;
}

static NTSTATUS connect_socket(const WCHAR *folder)
{
    static bool told; /* a program that maps a drive tries twice */
    struct linux_sockaddr_un address;
    int64_t folder_fd, result;
    char path[3 * MAX_PATH];

    if (!WideCharToMultiByte(CP_UNIXCP, 0, folder, -1, path, sizeof(path), NULL, NULL) ||
        !socket_address(path, &address, &folder_fd)) {
        report("RDRLAB_MACHINE=%ls: no such folder", folder);
        return STATUS_BAD_NETWORK_PATH;
    }
    result = linux_call(LINUX_SOCKET, LINUX_AF_UNIX, LINUX_SOCK_SEQPACKET | LINUX_CLOEXEC, 0, 0, 0, 0);
    machine_socket = (int32_t)result;
    if (result >= 0)
        do
            result = linux_call(LINUX_CONNECT, machine_socket, POINTER(&address), sizeof(address), 0, 0, 0);
        while (result == LINUX_EINTR);
    if (folder_fd >= 0)
        linux_call(LINUX_CLOSE, folder_fd, 0, 0, 0, 0, 0);
    if (result == 0)
        return STATUS_SUCCESS;
    if (!told)
        report("no machine answers in %ls (errno %d)", folder, (int)-result);
    told = true;
    return STATUS_BAD_NETWORK_PATH;
}

static NTSTATUS raw_open(const WCHAR *folder, struct wire_region **ret_region, struct wire_welcome *ret_welcome)
{
    unsigned char message[1024];
    uint32_t length;
    int32_t region_fd = -1;
    int64_t region;
    NTSTATUS status = connect_socket(folder);

    if (status != STATUS_SUCCESS)
        goto exit;
    status = send_message(message, client_hello(message, true));
    if (status != STATUS_SUCCESS)
        goto exit;
    status = receive_message(message, sizeof(message), &length, &region_fd);
    if (status != STATUS_SUCCESS)
        goto exit;
    status = client_check_welcome(message, length, ret_welcome);
    if (status != STATUS_SUCCESS)
        goto exit;
    region =
        linux_call(LINUX_MMAP, 0, sizeof(struct wire_region), LINUX_PROT_READ_WRITE, LINUX_MAP_SHARED, region_fd, 0);
    if (region < 0 && region > -4096) {
        report("the machine's region cannot be mapped (errno %d)", (int)-region);
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto exit;
    }
    *ret_region = (struct wire_region *)(ULONG_PTR)region;
exit:
    if (region_fd >= 0)
        linux_call(LINUX_CLOSE, region_fd, 0, 0, 0, 0, 0);
    if (status != STATUS_SUCCESS && machine_socket >= 0) {
        linux_call(LINUX_CLOSE, machine_socket, 0, 0, 0, 0, 0);
        machine_socket = -1;
    }
    return status;
}

static NTSTATUS raw_attach(uint32_t slot)
{
    struct {
        struct wire_header header;
        struct wire_attach_slot attach;
    } message = {{WIRE_MAGIC, WIRE_VERSION, WIRE_ATTACH_SLOT, sizeof(message), 0}, {slot, 0}};

    return send_message(&message, sizeof(message));
}

static void raw_wake(uint32_t *word)
{
    linux_call(LINUX_FUTEX, POINTER(word), LINUX_FUTEX_WAKE, 1, 0, 0, 0);
}

/*
 * Linux likes to run whoever is woken on the processor of the one who wakes. With the machine's thread there, both
 * sides spin in vain and then take turns through the kernel, some 5 us per call instead of 1, and nothing makes it
 * end. So a thread whose sleeps are all short moves to another processor, once; its affinity stays what it was.
 */
static void change_processor(void)
{
    unsigned char allowed[128], others[128];
    uint32_t processor = 0;
    int64_t size = linux_call(LINUX_SCHED_GETAFFINITY, 0, sizeof(allowed), POINTER(allowed), 0, 0, 0);

    if (size <= 0 || linux_call(LINUX_GETCPU, POINTER(&processor), 0, 0, 0, 0, 0) != 0 || processor / 8 >= size)
        return;
    memcpy(others, allowed, (size_t)size);
    others[processor / 8] &= (unsigned char)~(1u << processor % 8);
    /* Fails, with nothing changed, where no other is allowed. */
    if (linux_call(LINUX_SCHED_SETAFFINITY, 0, size, POINTER(others), 0, 0, 0) == 0)
        linux_call(LINUX_SCHED_SETAFFINITY, 0, size, POINTER(allowed), 0, 0, 0);
}

static int64_t microseconds(void)
{
    LARGE_INTEGER counter, frequency;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&counter);
    return (int64_t)((double)counter.QuadPart * 1e6 / (double)frequency.QuadPart);
}

/* Of the whole process; threads that spoil each other's count only put a move off. */
static struct {
    uint32_t row;
    int64_t last_sleep, last_move;
} short_sleeps;

static void count_sleep(int64_t start, int64_t end)
{
    if (end - start > SHORT_SLEEP || start - short_sleeps.last_sleep > SHORT_SLEEP * 4)
        short_sleeps.row = 0;
    else
        short_sleeps.row++;
    short_sleeps.last_sleep = end;
    if (short_sleeps.row >= SHORT_SLEEPS && end - short_sleeps.last_move > MOVE_INTERVAL) {
        short_sleeps.row = 0;
        short_sleeps.last_move = end;
        change_processor();
    }
}

static NTSTATUS raw_sleep(uint32_t *word, uint32_t value, uint32_t milliseconds)
{
    struct linux_timespec interval = {
        0, (int64_t)(milliseconds < LIVENESS_INTERVAL ? milliseconds : LIVENESS_INTERVAL) * 1000000};
    int64_t start = microseconds();
    int64_t result = linux_call(LINUX_FUTEX, POINTER(word), LINUX_FUTEX_WAIT, value, POINTER(&interval), 0, 0);

    count_sleep(start, microseconds());
    /* A machine that died cannot wake anybody: its socket tells. */
    if (result == LINUX_ETIMEDOUT && wire_load(word) == value && socket_hung_up())
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    return STATUS_SUCCESS;
}

const struct transport raw_transport = {
    .name = "raw",
    .usable = raw_usable,
    .open = raw_open,
    .attach = raw_attach,
    .wake = raw_wake,
    .sleep = raw_sleep,
};
