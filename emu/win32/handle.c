/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "client.h"
#include "fileobject.h"
#include "guard.h"
#include "handle.h"
#include "request.h"
#include "writable.h"

#define TOKEN_DIGITS 16

#define KNOWN_HANDLES 65536 /* values up to 256 Ki; beyond, every use asks anew */
#define UNKNOWN       UINT64_C(0)
#define LOCAL         UINT64_MAX

/* By handle value / 4. Atomic: a handle may be closed by one thread while another uses it. */
static uint64_t known[KNOWN_HANDLES];
static unsigned char modes[KNOWN_HANDLES]; /* enum mode; atomic, too; of no meaning before `known` is */
static uint32_t known_end;                 /* atomic: no entry from here on was ever written */
static uint32_t closes;                    /* atomic: handles that this process has begun to close */
static uint32_t losses;                    /* atomic: client_lost_handles, when it was last looked at */

enum mode { MODE_UNKNOWN, MODE_SYNCHRONOUS, MODE_OVERLAPPED };

static uint64_t *entry_of(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle / 4;

    return index < KNOWN_HANDLES ? &known[index] : NULL;
}

static void note_end(uint32_t index)
{
    uint32_t end = __atomic_load_n(&known_end, __ATOMIC_RELAXED);

    while (index >= end &&
           !__atomic_compare_exchange_n(&known_end, &end, index + 1, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

static void remember_mode(HANDLE handle, uint64_t what, enum mode mode)
{
    uint64_t *entry = entry_of(handle);

    if (!entry)
        return;
    __atomic_store_n(&modes[entry - known], (unsigned char)mode, __ATOMIC_RELAXED);
    __atomic_store_n(entry, what, __ATOMIC_RELEASE);
    note_end((uint32_t)(entry - known));
}

static void remember(HANDLE handle, uint64_t what)
{
    remember_mode(handle, what, MODE_UNKNOWN);
}

/* Before it is closed: afterwards the value may already be another thread's new handle. */
static void forget(HANDLE handle)
{
    __atomic_add_fetch(&closes, 1, __ATOMIC_SEQ_CST);
    remember(handle, UNKNOWN);
}

/*
 * What was found out about a handle while nobody was kept from closing it holds only if nobody has: closing counts
 * first and then forgets, so either this sees the count, or its entry is forgotten.
 *   closes_before  the count before anybody was asked.
 */
static void learn(HANDLE handle, uint64_t what, uint32_t closes_before)
{
    uint64_t *entry = entry_of(handle);

    if (!entry)
        return;
    remember(handle, what);
    if (__atomic_load_n(&closes, __ATOMIC_SEQ_CST) != closes_before)
        __atomic_compare_exchange_n(entry, &what, UNKNOWN, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void learn_mode(HANDLE handle, uint64_t token, enum mode mode, uint32_t closes_before)
{
    uint64_t *entry = entry_of(handle);

    if (!entry || __atomic_load_n(entry, __ATOMIC_RELAXED) != token)
        return;
    __atomic_store_n(&modes[entry - known], (unsigned char)mode, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&closes, __ATOMIC_SEQ_CST) != closes_before)
        __atomic_store_n(&modes[entry - known], MODE_UNKNOWN, __ATOMIC_SEQ_CST);
}

static enum mode recall_mode(HANDLE handle)
{
    uint64_t *entry = entry_of(handle);

    return entry ? __atomic_load_n(&modes[entry - known], __ATOMIC_RELAXED) : MODE_UNKNOWN;
}

static bool has_handle(uint64_t token)
{
    uint32_t end = __atomic_load_n(&known_end, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < end; i++)
        if (__atomic_load_n(&known[i], __ATOMIC_RELAXED) == token)
            return true;
    return false;
}

static uint64_t recall(HANDLE handle)
{
    uint64_t *entry = entry_of(handle);

    return entry ? __atomic_load_n(entry, __ATOMIC_ACQUIRE) : UNKNOWN;
}

static bool parse_token(const WCHAR *digits, uint64_t *ret_token)
{
    uint64_t token = 0;

    for (int i = 0; i < TOKEN_DIGITS; i++) {
        WCHAR c = digits[i];

        if (c >= '0' && c <= '9')
            token = token << 4 | (c - '0');
        else if (c >= 'a' && c <= 'f')
            token = token << 4 | (c - 'a' + 10);
        else
            return false;
    }
    *ret_token = token;
    return true;
}

/*
 * Wine tells a file's name through whichever drive leads there: \??\unix\F\0..42, \??\Z:\F\0..42, or, where a drive
 * points somewhere above F, \??\D:\rest of F\0..42. So: what follows the drive is an end of F, tokens/ at least.
 */
static uint64_t token_of_name(const UNICODE_STRING *name)
{
    static const WCHAR unix_prefix[] = L"\\??\\unix\\";
    const UNICODE_STRING *folder = client_token_folder();
    size_t length = name->Length / sizeof(WCHAR);
    size_t folder_length = folder->Length / sizeof(WCHAR);
    size_t prefix = ARRAYSIZE(unix_prefix) - 2; /* keeps the last backslash */
    const WCHAR *text = name->Buffer;
    uint64_t token;
    size_t part;

    if (length < 7 + 1 + TOKEN_DIGITS || text[length - TOKEN_DIGITS - 1] != '\\' ||
        !parse_token(text + length - TOKEN_DIGITS, &token))
        return UNKNOWN;
    if (length <= prefix || memcmp(text, unix_prefix, prefix * sizeof(WCHAR)) != 0) {
        if (memcmp(text, unix_prefix, 4 * sizeof(WCHAR)) != 0 || text[5] != ':' || text[6] != '\\')
            return UNKNOWN;
        prefix = 6;
    }
    if (length < prefix + 2 + TOKEN_DIGITS)
        return UNKNOWN;
    part = length - TOKEN_DIGITS - 1 - prefix;
    if (part < 2 || part > folder_length ||
        memcmp(text + prefix, folder->Buffer + folder_length - part, part * sizeof(WCHAR)) != 0)
        return UNKNOWN;
    return token;
}

static uint64_t ask(HANDLE handle)
{
    struct {
        UNICODE_STRING name;
        WCHAR text[512];
    } answer;
    uint64_t token = UNKNOWN;
    ULONG length;
    uint32_t before;
    NTSTATUS status;

    if (client_connect(false) != STATUS_SUCCESS)
        return UNKNOWN;
    before = __atomic_load_n(&closes, __ATOMIC_SEQ_CST);
    status = wine.NtQueryObject(handle, 1 /* ObjectNameInformation */, &answer, sizeof(answer), &length);
    if (status == STATUS_SUCCESS && answer.name.Buffer)
        token = token_of_name(&answer.name);
    if (status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW || status == STATUS_INFO_LENGTH_MISMATCH)
        learn(handle, token == UNKNOWN ? LOCAL : token, before);
    return token;
}

/* Another process has closed some of this one's handles: each is looked at again. */
static void look_again(uint32_t now)
{
    uint32_t end = __atomic_load_n(&known_end, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < end; i++) {
        uint64_t what = __atomic_load_n(&known[i], __ATOMIC_ACQUIRE);

        if (what != UNKNOWN &&
            __atomic_compare_exchange_n(&known[i], &what, UNKNOWN, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) &&
            what != LOCAL)
            ask((HANDLE)((ULONG_PTR)i * 4));
    }
    wire_store(&losses, now);
}

static void check_losses(void)
{
    uint32_t now = client_lost_handles();

    if (now != wire_load(&losses))
        look_again(now);
}

uint64_t handle_token(HANDLE handle)
{
    uint64_t what;

    if ((LONG_PTR)handle <= 0) /* none, or this process, this thread, ... */
        return 0;
    check_losses();
    what = recall(handle);
    if (what == UNKNOWN)
        what = ask(handle);
    return what == LOCAL ? 0 : what;
}

uint64_t handle_known_token(HANDLE handle)
{
    uint64_t what;

    if ((LONG_PTR)handle <= 0)
        return 0;
    check_losses();
    what = recall(handle);
    return what == LOCAL ? 0 : what;
}

#define SYNCHRONOUS (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)
#define CLASS_MODE  16
#define MODE_BYTES  4

static enum mode ask_mode(uint64_t token)
{
    struct wire_information request = {token, CLASS_MODE, MODE_BYTES};
    enum mode mode = MODE_UNKNOWN;
    struct call call;
    uint32_t options;

    if (call_begin(&call, WIRE_QUERY_FILE) != STATUS_SUCCESS)
        return mode;
    memcpy(call.body, &request, sizeof(request));
    if (call_exchange(&call, sizeof(request), sizeof(struct wire_done) + MODE_BYTES) == STATUS_SUCCESS) {
        memcpy(&options, call.body + sizeof(struct wire_done), MODE_BYTES);
        mode = options & SYNCHRONOUS ? MODE_SYNCHRONOUS : MODE_OVERLAPPED;
    }
    call_end(&call);
    return mode;
}

bool handle_is_synchronous(HANDLE handle, uint64_t token)
{
    enum mode mode = recall_mode(handle);

    if (mode == MODE_UNKNOWN) {
        uint32_t before = __atomic_load_n(&closes, __ATOMIC_SEQ_CST);

        mode = ask_mode(token);
        learn_mode(handle, token, mode, before);
    }
    return mode != MODE_OVERLAPPED;
}

void handle_mark_local(HANDLE handle)
{
    remember(handle, LOCAL);
}

NTSTATUS handle_open_token(uint64_t token, ULONG object_flags, ULONG options, HANDLE *ret_handle)
{
    const UNICODE_STRING *folder = client_token_folder();
    WCHAR path[256];
    WCHAR *at = path + folder->Length / sizeof(WCHAR);
    UNICODE_STRING name = {.Buffer = path, .MaximumLength = sizeof(path)};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    memcpy(path, folder->Buffer, folder->Length);
    *at++ = '\\';
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = L"0123456789abcdef"[token >> shift & 15];
    name.Length = (USHORT)((at - path) * sizeof(WCHAR));
    InitializeObjectAttributes(&attributes, &name, object_flags & OBJ_INHERIT, NULL, NULL);
    status = wine.NtCreateFile(ret_handle, FILE_READ_DATA | FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE,
                               &attributes, &io, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                               FILE_OPEN, (options & SYNCHRONOUS) | FILE_NON_DIRECTORY_FILE, NULL, 0);
    if (status == STATUS_SUCCESS)
        remember_mode(*ret_handle, token, options & SYNCHRONOUS ? MODE_SYNCHRONOUS : MODE_OVERLAPPED);
    return status;
}

/* The machine, which finds out soon by itself, looks now. False: another process has a handle, or nobody answers. */
static bool is_closed_for_all(uint64_t token)
{
    struct wire_token close = {token};
    struct call call;
    NTSTATUS status = call_begin(&call, WIRE_CLOSE);

    if (status != STATUS_SUCCESS)
        return false;
    memcpy(call.body, &close, sizeof(close));
    status = call_exchange(&call, sizeof(close), 0);
    call_end(&call);
    /* Of a token that another client was given it says the same whether that is closed or not. */
    return status == STATUS_SUCCESS || (status == STATUS_INVALID_HANDLE && ask_mode(token) == MODE_UNKNOWN);
}

/*
 * One of the token's handles is gone; 0: of none. In NT what waits for other programs completes in IRP_MJ_CLEANUP,
 * within NtClose (documented: WDK), and programs free behind that what their completion routine is about.
 */
static void let_go(uint64_t token)
{
    if (!token || !fileobject_any() || has_handle(token))
        return;
    if (request_waits(token) && is_closed_for_all(token))
        request_await_end(token);
    fileobject_forget(token);
}

NTSTATUS NTAPI hooked_NtClose(HANDLE handle)
{
    uint64_t token = handle_known_token(handle);
    NTSTATUS status;

    writable_closing(handle);
    forget(handle);
    status = wine.NtClose(handle);
    if (NT_SUCCESS(status)) /* it may be protected from that */
        let_go(token);
    return status;
}

void handle_close_all(void)
{
    static const DWORD standard[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};

    if (!client_connected())
        return;
    for (size_t i = 0; i < ARRAYSIZE(standard); i++)
        handle_token(GetStdHandle(standard[i]));
    for (ULONG_PTR i = 0; i < KNOWN_HANDLES; i++) {
        uint64_t what = __atomic_load_n(&known[i], __ATOMIC_ACQUIRE);

        /* Past our own hook: a thread that has been ended may have had a lock that it takes. */
        if (what != UNKNOWN && what != LOCAL)
            wine.NtClose((HANDLE)(i * 4));
    }
}

bool handle_is_this_process(HANDLE process)
{
    PROCESS_BASIC_INFORMATION basic;

    if (process == GetCurrentProcess())
        return true;
    return wine.NtQueryInformationProcess(process, 0, &basic, sizeof(basic), NULL) == STATUS_SUCCESS &&
           basic.UniqueProcessId == GetCurrentProcessId();
}

/* Its handles are its own to keep account of, and it cannot know. */
static void tell_of_loss(void)
{
    struct call call;

    if (!client_connected() || call_begin(&call, WIRE_LOST_HANDLES) != STATUS_SUCCESS)
        return;
    call_exchange(&call, 0, 0);
    call_end(&call);
}

/* One that cannot be closed is still there, though nobody was told that it is. */
static void let_go_unless_protected(HANDLE handle, uint64_t token)
{
    if (token && fileobject_any())
        handle_token(handle);
    let_go(token);
}

NTSTATUS NTAPI hooked_NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process, PHANDLE ret_target,
                                        ACCESS_MASK access, ULONG attributes, ULONG options)
{
    bool ours = handle_is_this_process(source_process);
    bool closes_source = options & DUPLICATE_CLOSE_SOURCE; /* it does also if the rest fails */
    uint64_t token = ours ? handle_known_token(source) : 0;
    uint64_t what = ours ? recall(source) : UNKNOWN;
    enum mode mode = what == UNKNOWN ? MODE_UNKNOWN : recall_mode(source);
    bool section = ours && writable_duplicating(source);
    HANDLE target = NULL;
    NTSTATUS status;

    if (closes_source && ours)
        forget(source);
    status = wine.NtDuplicateObject(source_process, source, target_process, ret_target, access, attributes, options);
    if (NT_SUCCESS(status) && ret_target && handle_is_this_process(target_process) &&
        guarded_copy(&target, ret_target, sizeof(target)))
        remember_mode(target, what, mode);
    if (section)
        writable_duplicated(source, target, closes_source);
    if (closes_source && ours)
        let_go_unless_protected(source, token);
    else if (closes_source)
        tell_of_loss();
    return status;
}
