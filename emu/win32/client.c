/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client.h"
#include "report.h"
#include "transport.h"

#ifndef CP_UNIXCP
#define CP_UNIXCP 65010 /* Wine's: the code page of file names on the Linux side */
#endif

#define SPIN_MICROSECONDS  25  /* before a sleep: about what sleeping and being woken costs */
#define YIELD_MICROSECONDS 300 /* after that: an open at a server nearby takes one or two hundred */
#define MOST_SKIPPED       255u
#define SPIN_MEASURED      2000

enum connection_state { CONNECTION_UNTRIED = 0, CONNECTION_MADE = 1, CONNECTION_FAILED = 2 };

/* How many waits to come are not to be spent yielding: twice as many after each one in vain. */
struct yielding {
    uint32_t skip, penalty;
};

static struct {
    WCHAR folder[MAX_PATH];
    WCHAR wanted_transport[16];
    uint32_t session;
    WCHAR environment[2 * MAX_PATH]; /* room for all that can be configured */
    char program[64];
    uint32_t spin_limit;

    SRWLOCK lock;   /* making the connection; the rest is written before `state` says MADE, and constant after it */
    uint32_t state; /* atomic, enum connection_state */
    NTSTATUS failure;
    const struct transport *transport;
    struct wire_region *region;
    struct wire_welcome welcome;
    WCHAR token_folder_name[12 + sizeof(((struct wire_welcome *)0)->token_folder)];
    UNICODE_STRING token_folder;
    WCHAR image_folder_name[12 + sizeof(((struct wire_welcome *)0)->token_folder) + 8];
    UNICODE_STRING image_folder;

    uint32_t dead;                      /* atomic: the machine is gone */
    uint32_t attached[WIRE_SLOT_COUNT]; /* changed only by the slot's claimant */
    uint32_t numbers[WIRE_SLOT_COUNT];  /* atomic: of the calls in the slots; 0: none, or not to be cancelled */
    uint32_t next_number;               /* atomic */
    struct wire_patience patience[WIRE_SLOT_COUNT];
    struct yielding yielding[WIRE_SLOT_COUNT];
    int64_t yield_ticks; /* of the performance counter; 0: never */
} client;

/* In rounds: a pause takes 5 ns on some processors and 50 on others. On one processor the machine cannot answer while
 * we spin. */
static uint32_t measure_spin_limit(void)
{
    struct wire_patience probe = {SPIN_MEASURED, SPIN_MEASURED};
    LARGE_INTEGER frequency, start, end;
    DWORD_PTR ours, all;
    uint32_t word = 0;
    int64_t nanoseconds;

    if (GetProcessAffinityMask(GetCurrentProcess(), &ours, &all) && !(ours & (ours - 1)))
        return 0;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&start);
    wire_spin(&probe, &word, 0);
    QueryPerformanceCounter(&end);
    client.yield_ticks = frequency.QuadPart * YIELD_MICROSECONDS / 1000000;
    nanoseconds = (end.QuadPart - start.QuadPart) * 1000000000 / frequency.QuadPart;
    return (uint32_t)((int64_t)SPIN_MICROSECONDS * 1000 * SPIN_MEASURED / (nanoseconds > 0 ? nanoseconds : 1));
}

/* Appends NAME=value to our block, unless there is no value. */
static void keep_variable(const WCHAR *name, const WCHAR *value)
{
    WCHAR *end = client.environment;

    while (*end)
        end += wcslen(end) + 1;
    if (!value[0])
        return;
    wcscpy(end, name);
    wcscat(end, L"=");
    wcscat(end, value);
}

bool client_configure(void)
{
    WCHAR path[MAX_PATH] = L"";
    const WCHAR *base = path;
    DWORD length = GetEnvironmentVariableW(L"RDRLAB_MACHINE", client.folder, MAX_PATH);

    if (length == 0)
        return false;
    if (length >= MAX_PATH || client.folder[0] != '/') {
        report("RDRLAB_MACHINE must be an absolute Linux path of at most %d characters", MAX_PATH - 1);
        return false;
    }
    GetEnvironmentVariableW(L"RDRLAB_TRANSPORT", client.wanted_transport, 16);
    if (GetEnvironmentVariableW(L"RDRLAB_SESSION", path, 16) < 16)
        client.session = wcstoul(path, NULL, 10);
    else
        path[0] = '\0';
    keep_variable(L"RDRLAB_MACHINE", client.folder);
    keep_variable(L"RDRLAB_TRANSPORT", client.wanted_transport);
    keep_variable(L"RDRLAB_SESSION", path);
    GetModuleFileNameW(NULL, path, MAX_PATH);
    path[MAX_PATH - 1] = '\0';
    for (const WCHAR *at = path; *at; at++)
        if (*at == '\\' || *at == '/')
            base = at + 1;
    WideCharToMultiByte(CP_UTF8, 0, base, -1, client.program, sizeof(client.program) - 1, NULL, NULL);
    client.spin_limit = measure_spin_limit();
    return true;
}

uint32_t client_hello(void *message, bool wants_region)
{
    struct {
        struct wire_header header;
        struct wire_hello hello;
    } hello = {.header = {WIRE_MAGIC, WIRE_VERSION, WIRE_HELLO, sizeof(hello), 0},
               .hello = {.process_id = GetCurrentProcessId(), .session = client.session, .wants_region = wants_region}};

    memcpy(hello.hello.program, client.program, sizeof(hello.hello.program));
    memcpy(message, &hello, sizeof(hello));
    return sizeof(hello);
}

NTSTATUS client_check_welcome(const void *message, size_t length, struct wire_welcome *ret_welcome)
{
    struct wire_header header;
    struct wire_welcome welcome;

    if (length < sizeof(header))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    memcpy(&header, message, sizeof(header));
    if (header.magic != WIRE_MAGIC) {
        report("%ls is not the folder of an rdrlab machine: the answer there is no message of ours", client.folder);
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    }
    if (header.version != WIRE_VERSION || header.status == (uint32_t)STATUS_REVISION_MISMATCH) {
        report("the machine in %ls speaks version %u of the protocol, this provider version %u: use the two from one "
               "build",
               client.folder, header.version, WIRE_VERSION);
        return STATUS_REVISION_MISMATCH;
    }
    if (header.status == (uint32_t)STATUS_NOT_SUPPORTED && client.session) {
        report(
            "the machine in %ls has no session %u: only builds of Terminal Server (tse-*) have sessions, and a relay "
            "is one itself; RDRLAB_SESSION must not be set here",
            client.folder, client.session);
        return STATUS_NOT_SUPPORTED;
    }
    if (header.status != STATUS_SUCCESS) {
        report("the machine in %ls refused this process with status %08x", client.folder, header.status);
        return (NTSTATUS)header.status;
    }
    if (header.op != WIRE_HELLO || length < sizeof(header) + sizeof(welcome))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    memcpy(&welcome, (const unsigned char *)message + sizeof(header), sizeof(welcome));
    welcome.build[sizeof(welcome.build) - 1] = '\0';
    welcome.token_folder[sizeof(welcome.token_folder) - 1] = '\0';
    if (welcome.token_folder[0] != '/' || welcome.region_size < sizeof(struct wire_region) || welcome.slot_count == 0 ||
        welcome.slot_count > WIRE_SLOT_COUNT)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    *ret_welcome = welcome;
    return STATUS_SUCCESS;
}

static void name_token_folder(void)
{
    static const WCHAR prefix[] = L"\\??\\unix";
    WCHAR *at = client.token_folder_name + ARRAYSIZE(prefix) - 1;
    int length;

    memcpy(client.token_folder_name, prefix, sizeof(prefix));
    length = MultiByteToWideChar(CP_UNIXCP, 0, client.welcome.token_folder, -1, at,
                                 (int)ARRAYSIZE(client.token_folder_name) - (int)ARRAYSIZE(prefix));
    for (; *at; at++)
        if (*at == '/')
            *at = '\\';
    while (length > 0 && at[-1] == '\\')
        *--at = '\0';
    client.token_folder.Buffer = client.token_folder_name;
    client.token_folder.Length = (USHORT)((at - client.token_folder_name) * sizeof(WCHAR));
    client.token_folder.MaximumLength = client.token_folder.Length + sizeof(WCHAR);
}

static void name_image_folder(void)
{
    WCHAR *at;

    wcscpy(client.image_folder_name, client.token_folder_name);
    at = wcsrchr(client.image_folder_name, '\\');
    wcscpy(at + 1, L"images");
    RtlInitUnicodeString(&client.image_folder, client.image_folder_name);
}

static const struct transport *choose_transport(void)
{
    if (wcscmp(client.wanted_transport, L"mapped") == 0)
        return &mapped_transport;
    if (raw_transport.usable())
        return &raw_transport;
    if (wcscmp(client.wanted_transport, L"raw") == 0) {
        report("RDRLAB_TRANSPORT=raw, but this Wine does not let Linux system calls through");
        return NULL;
    }
    return &mapped_transport;
}

static NTSTATUS make_connection(void)
{
    const struct transport *transport = choose_transport();
    struct wire_region *region;
    NTSTATUS status;

    if (!transport)
        return STATUS_NOT_SUPPORTED;
    status = transport->open(client.folder, &region, &client.welcome);
    if (status != STATUS_SUCCESS)
        return status;
    if (region->magic != WIRE_MAGIC || region->version != WIRE_VERSION)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    for (uint32_t i = 0; i < WIRE_SLOT_COUNT; i++)
        client.patience[i] = (struct wire_patience){client.spin_limit, client.spin_limit};
    client.region = region;
    client.transport = transport;
    name_token_folder();
    name_image_folder();
    return STATUS_SUCCESS;
}

NTSTATUS client_connect(bool retry)
{
    uint32_t state = wire_load(&client.state);
    NTSTATUS status;

    if (state == CONNECTION_MADE)
        return STATUS_SUCCESS;
    if (state == CONNECTION_FAILED && !retry)
        return client.failure;
    AcquireSRWLockExclusive(&client.lock);
    state = wire_load(&client.state);
    if (state == CONNECTION_UNTRIED || (state == CONNECTION_FAILED && retry)) {
        client.failure = make_connection();
        wire_store(&client.state, client.failure == STATUS_SUCCESS ? CONNECTION_MADE : CONNECTION_FAILED);
    }
    status = client.failure;
    ReleaseSRWLockExclusive(&client.lock);
    return status;
}

bool client_connected(void)
{
    return wire_load(&client.state) == CONNECTION_MADE;
}

bool client_redirects(WCHAR letter)
{
    if (letter >= 'a' && letter <= 'z')
        letter -= 'a' - 'A';
    return letter >= 'A' && letter <= 'Z' && client_letters() >> (letter - 'A') & 1;
}

uint32_t client_letters(void)
{
    return client_connect(false) == STATUS_SUCCESS ? wire_load(&client.region->letters) : 0;
}

const WCHAR *client_environment(void)
{
    return client.environment;
}

uint32_t client_lost_handles(void)
{
    return client_connected() ? wire_load(&client.region->lost_handles) : 0;
}

const UNICODE_STRING *client_token_folder(void)
{
    return &client.token_folder;
}

const UNICODE_STRING *client_image_folder(void)
{
    return &client.image_folder;
}

const char *client_transport(void)
{
    return client_connected() ? client.transport->name : "none";
}

static bool thread_ended(uint32_t id)
{
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof(attributes)};
    LARGE_INTEGER now = {.QuadPart = 0};
    CLIENT_ID client_id = {NULL, (HANDLE)(ULONG_PTR)id};
    NTSTATUS status;
    HANDLE thread;

    if (!NT_SUCCESS(wine.NtOpenThread(&thread, SYNCHRONIZE, &attributes, &client_id)))
        return true;
    status = wine.NtWaitForSingleObject(thread, FALSE, &now);
    wine.NtClose(thread);
    return status == STATUS_WAIT_0;
}

/* A thread that was terminated inside a call leaves its slot claimed; the machine may still be at work in it. Ours
 * while we look: whoever sees it free may use it. */
static void reclaim(struct wire_slot *slot)
{
    uint32_t owner = wire_load(&slot->owner);

    if (owner == 0 || !thread_ended(owner) || !wire_claim(&slot->owner, owner, GetCurrentThreadId()))
        return;
    if (wire_load(&slot->state) == WIRE_REQUEST) {
        wire_store(&slot->owner, owner);
    } else {
        wire_store(&slot->state, WIRE_IDLE);
        wire_store(&slot->owner, 0);
    }
}

static NTSTATUS claim_slot(struct wire_slot **ret_slot)
{
    uint32_t id = GetCurrentThreadId();
    uint32_t count = client.welcome.slot_count;
    uint32_t first = id / 4 % count; /* Win32 thread ids are multiples of 4 */

    for (;;) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t index = (first + i) % count;
            struct wire_slot *slot = &client.region->slots[index];

            if (wire_load(&slot->owner) != 0 || !wire_claim(&slot->owner, 0, id))
                continue;
            if (!client.attached[index]) {
                NTSTATUS status = client.transport->attach(index);

                if (status != STATUS_SUCCESS) {
                    wire_store(&slot->owner, 0);
                    return status;
                }
                client.attached[index] = 1;
            }
            *ret_slot = slot;
            return STATUS_SUCCESS;
        }
        if (wire_load(&client.dead))
            return STATUS_UNEXPECTED_NETWORK_ERROR;
        for (uint32_t i = 0; i < count; i++)
            reclaim(&client.region->slots[i]);
        wine.NtYieldExecution();
    }
}

uint32_t call_new_number(void)
{
    uint32_t number;

    do
        number = __atomic_add_fetch(&client.next_number, 1, __ATOMIC_RELAXED);
    while (number == 0);
    return number;
}

uint32_t call_awaited(uint32_t thread)
{
    for (uint32_t i = 0; client_connected() && i < client.welcome.slot_count; i++) {
        const struct wire_slot *slot = &client.region->slots[i];
        uint32_t number = wire_load(&client.numbers[i]);

        if (number && wire_load(&slot->owner) == thread && wire_load(&slot->state) == WIRE_REQUEST &&
            wire_load(&client.numbers[i]) == number)
            return number;
    }
    return 0;
}

/* What is an IRP of the calling thread's in NT, but cleanup and close, which nobody cancels. */
static bool is_cancellable(enum wire_op op)
{
    switch (op) {
    case WIRE_CREATE:
    case WIRE_QUERY_ATTRIBUTES:
    case WIRE_READ:
    case WIRE_WRITE:
    case WIRE_FLUSH:
    case WIRE_QUERY_FILE:
    case WIRE_SET_FILE:
    case WIRE_QUERY_VOLUME:
    case WIRE_QUERY_DIRECTORY:
        return true;
    default:
        return false;
    }
}

NTSTATUS call_begin(struct call *call, enum wire_op op)
{
    NTSTATUS status = client_connect(false);

    if (status != STATUS_SUCCESS)
        return status;
    if (wire_load(&client.dead))
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    status = claim_slot(&call->slot);
    if (status != STATUS_SUCCESS)
        return status;
    call->body = call->slot->message + sizeof(struct wire_header);
    call->reply_bytes = 0;
    call->number = 0;
    call->op = op;
    call->meanwhile = NULL;
    return STATUS_SUCCESS;
}

/* Longer than the machine alone takes, and short against any server. */
static bool is_prompt(const struct wire_slot *slot)
{
    for (uint32_t i = client.spin_limit / 8; i > 0; i--) {
        if (wire_load(&slot->state) != WIRE_REQUEST)
            return true;
        __builtin_ia32_pause();
    }
    return false;
}

/*
 * An idle processor takes tens of microseconds to wake up, for each hop on the way to the server and back. A thread
 * that yields keeps it awake, and keeps nobody from it: whoever is on the way runs first.
 */
static bool yield_for_reply(const struct wire_slot *slot)
{
    struct yielding *yielding = &client.yielding[slot - client.region->slots];
    LARGE_INTEGER start, now;

    if (!client.yield_ticks)
        return false;
    if (yielding->skip) {
        yielding->skip--;
        return false;
    }
    QueryPerformanceCounter(&start);
    do {
        wine.NtYieldExecution();
        if (wire_load(&slot->state) != WIRE_REQUEST) {
            yielding->penalty /= 2;
            return true;
        }
        QueryPerformanceCounter(&now);
    } while (now.QuadPart - start.QuadPart < client.yield_ticks);
    yielding->penalty = yielding->penalty < MOST_SKIPPED ? yielding->penalty * 2 + 1 : MOST_SKIPPED;
    yielding->skip = yielding->penalty;
    return false;
}

void call_send(struct call *call, size_t bytes)
{
    struct wire_slot *slot = call->slot;
    struct wire_header *header = (struct wire_header *)slot->message;

    if (!call->number && is_cancellable(call->op))
        call->number = call_new_number();
    wire_store(&client.numbers[slot - client.region->slots], call->number);
    *header =
        (struct wire_header){WIRE_MAGIC, WIRE_VERSION, call->op, (uint32_t)(sizeof(*header) + bytes), call->number};
    wire_store(&slot->state, WIRE_REQUEST);
    if (wire_load(&slot->machine_waits))
        client.transport->wake(&slot->state);
}

/* Until the state changes, or for so long at most. An error: the machine is gone. */
static NTSTATUS sleep_for_reply(struct wire_slot *slot, uint32_t milliseconds)
{
    NTSTATUS status = STATUS_SUCCESS;

    wire_store(&slot->client_waits, 1);
    if (wire_load(&slot->state) == WIRE_REQUEST)
        status = client.transport->sleep(&slot->state, WIRE_REQUEST, milliseconds);
    wire_store(&slot->client_waits, 0);
    return status;
}

bool call_wait(struct call *call, uint32_t milliseconds)
{
    struct wire_slot *slot = call->slot;
    struct wire_patience *patience = &client.patience[slot - client.region->slots];
    DWORD start = milliseconds == CALL_FOREVER ? 0 : GetTickCount();

    if (milliseconds == 0)
        return is_prompt(slot);
    if (call->meanwhile && !is_prompt(slot))
        call->meanwhile();
    while (wire_load(&slot->state) == WIRE_REQUEST) {
        if (wire_spin(patience, &slot->state, WIRE_REQUEST) || yield_for_reply(slot))
            break;
        if (sleep_for_reply(slot, milliseconds) != STATUS_SUCCESS) {
            wire_store(&client.dead, 1);
            break;
        }
        if (milliseconds != CALL_FOREVER && GetTickCount() - start >= milliseconds)
            return wire_load(&slot->state) != WIRE_REQUEST;
    }
    return true;
}

NTSTATUS call_reply(struct call *call, size_t reply_fixed)
{
    const struct wire_slot *slot = call->slot;
    const struct wire_header *header = (const struct wire_header *)slot->message;

    if (wire_load(&slot->state) != WIRE_REPLY) {
        wire_store(&client.dead, 1);
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    }
    if (header->magic != WIRE_MAGIC || header->op != call->op || header->length < sizeof(*header) ||
        header->length > WIRE_MESSAGE_MAX)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    call->reply_bytes = header->length - sizeof(*header);
    if (NT_SUCCESS((NTSTATUS)header->status) && call->reply_bytes < reply_fixed)
        return STATUS_UNEXPECTED_NETWORK_ERROR;
    return (NTSTATUS)header->status;
}

NTSTATUS call_exchange(struct call *call, size_t bytes, size_t reply_fixed)
{
    call_send(call, bytes);
    call_wait(call, CALL_FOREVER);
    return call_reply(call, reply_fixed);
}

void call_give(struct call *call, uint32_t thread)
{
    wire_store(&call->slot->owner, thread);
}

void call_end(struct call *call)
{
    wire_store(&client.numbers[call->slot - client.region->slots], 0);
    if (!wire_load(&client.dead))
        wire_store(&call->slot->state, WIRE_IDLE);
    wire_store(&call->slot->owner, 0);
}
