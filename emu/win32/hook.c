/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "hook.h"
#include "report.h"

struct services wine;

struct service_entry {
    const char *name;
    void **original;
    void *replacement; /* NULL: called, not hooked */
    bool optional;
};

#define HOOKED_ENTRY(name, parameters)   {#name, (void **)&wine.name, (void *)hooked_##name, false},
#define OPTIONAL_ENTRY(name, parameters) {#name, (void **)&wine.name, (void *)hooked_##name, true},
#define PLAIN_ENTRY(name, parameters)    {#name, (void **)&wine.name, NULL, false},

static const struct service_entry services[] = {REDIRECTED_SERVICES(HOOKED_ENTRY) OPTIONAL_SERVICES(OPTIONAL_ENTRY)
                                                    PLAIN_SERVICES(PLAIN_ENTRY)};

#define SERVICE_COUNT (sizeof(services) / sizeof(services[0]))

static const char *wine_version(void)
{
    const char *(*get_version)(void) = (void *)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version");

    return get_version ? get_version() : "not Wine";
}

bool hook_verify_stub(const unsigned char *stub)
{
    /* mov r10,rcx; mov eax,NUMBER; test byte [7ffe0308],1; jne +3; syscall; ret; jmp +1; ret; call [7ffe1000] */
    static const unsigned char layout[HOOK_STUB_SIZE] = {
        0x4c, 0x8b, 0xd1, 0xb8, 0,    0,    0,    0,    0xf6, 0x04, 0x25, 0x08, 0x03, 0xfe, 0x7f, 0x01,
        0x75, 0x03, 0x0f, 0x05, 0xc3, 0xeb, 0x01, 0xc3, 0xff, 0x14, 0x25, 0x00, 0x10, 0xfe, 0x7f, 0xc3};

    return memcmp(stub, layout, 4) == 0 && memcmp(stub + 8, layout + 8, HOOK_STUB_SIZE - 8) == 0;
}

bool hook_resolve(void)
{
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");

    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        *services[i].original = (void *)GetProcAddress(ntdll, services[i].name);
        if (!*services[i].original && !services[i].optional) {
            if (wine.NtWriteFile)
                report("this Wine (%s) has no %s: redirected drives are not available", wine_version(),
                       services[i].name);
            return false;
        }
    }
    return true;
}

/* A hook that is there already may be that of another copy of this DLL: the provider's and an injected one. */
static HMODULE find_other_copy(const unsigned char *stub)
{
    static const unsigned char jump[6] = {0xff, 0x25};
    HMODULE module;
    void *target;

    if (memcmp(stub, jump, sizeof(jump)) != 0)
        return NULL;
    memcpy(&target, stub + sizeof(jump), sizeof(target));
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            target, &module))
        return NULL;
    return GetProcAddress(module, "RdrlabProvider") ? module : NULL;
}

static void refuse_stub(const struct service_entry *service)
{
    const unsigned char *stub = *service->original;
    char bytes[3 * HOOK_STUB_SIZE + 1];

    for (int i = 0; i < HOOK_STUB_SIZE; i++) {
        bytes[3 * i] = "0123456789abcdef"[stub[i] >> 4];
        bytes[3 * i + 1] = "0123456789abcdef"[stub[i] & 15];
        bytes[3 * i + 2] = ' ';
    }
    bytes[sizeof(bytes) - 2] = '\0';
    report("unknown Wine (%s): %s is %s; redirected drives are not available", wine_version(), service->name, bytes);
}

/* The jump goes in with one store of 16 bytes, so that a thread that enters the stub meets the old code or the new. */
static void store_jump(unsigned char *stub, void *replacement)
{
    union {
        unsigned char bytes[16];
        __int128 whole;
    } old, new;

    memcpy(old.bytes, stub, sizeof(old.bytes));
    new = old;
    memcpy(new.bytes, "\xff\x25\0\0\0\0", 6);
    memcpy(new.bytes + 6, &replacement, sizeof(replacement));
    if ((ULONG_PTR)stub % 16 == 0) {
        uint64_t new_low, new_high, old_low, old_high;

        memcpy(&new_low, new.bytes, 8);
        memcpy(&new_high, new.bytes + 8, 8);
        memcpy(&old_low, old.bytes, 8);
        memcpy(&old_high, old.bytes + 8, 8);
        __asm__ volatile("lock cmpxchg16b %0"
                         : "+m"(*(__int128 *)stub), "+a"(old_low), "+d"(old_high)
                         : "b"(new_low), "c"(new_high)
                         : "cc", "memory");
    } else {
        memcpy(stub, new.bytes, sizeof(new.bytes));
    }
}

static bool put_jump(unsigned char *code, void *replacement)
{
    DWORD protection;

    if (!VirtualProtect(code, 16, PAGE_EXECUTE_READWRITE, &protection))
        return false;
    store_jump(code, replacement);
    VirtualProtect(code, 16, protection, &protection);
    FlushInstructionCache(GetCurrentProcess(), code, 16);
    return true;
}

void hook_replace(void *function, void *replacement)
{
    if (memcmp((unsigned char *)function + 6, &replacement, sizeof(replacement)) != 0)
        put_jump(function, replacement);
}

bool hook_stub(void *stub, void *replacement, void **ret_original)
{
    void *trampoline, *before = *ret_original;
    DWORD protection;

    if (!hook_verify_stub(stub))
        return false;
    trampoline = VirtualAlloc(NULL, HOOK_STUB_SIZE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!trampoline)
        return false;
    memcpy(trampoline, stub, HOOK_STUB_SIZE);
    VirtualProtect(trampoline, HOOK_STUB_SIZE, PAGE_EXECUTE_READ, &protection);
    *ret_original = trampoline;
    if (put_jump(stub, replacement))
        return true;
    *ret_original = before;
    VirtualFree(trampoline, 0, MEM_RELEASE);
    return false;
}

static bool divert(const struct service_entry *service, unsigned char *trampoline)
{
    unsigned char *stub = *service->original;

    /* Before the jump: a thread that is in there already needs it. */
    *service->original = trampoline;
    if (put_jump(stub, service->replacement))
        return true;
    *service->original = stub;
    return false;
}

/* An optional service without a stub of its own calls others, which are hooked. */
static bool is_to_be_hooked(const struct service_entry *service)
{
    return service->replacement && *service->original && (!service->optional || hook_verify_stub(*service->original));
}

enum hook_result hook_install(HMODULE *ret_other)
{
    unsigned char *trampolines;
    DWORD protection;

    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        HMODULE other;

        if (!is_to_be_hooked(&services[i]) || hook_verify_stub(*services[i].original))
            continue;
        other = find_other_copy(*services[i].original);
        if (other) {
            *ret_other = other;
            return HOOK_OTHER_COPY;
        }
        refuse_stub(&services[i]);
        return HOOK_REFUSED;
    }
    trampolines = VirtualAlloc(NULL, SERVICE_COUNT * HOOK_STUB_SIZE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    if (!trampolines) {
        report("no memory for the trampolines: redirected drives are not available");
        return HOOK_REFUSED;
    }
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (*services[i].original)
            memcpy(trampolines + i * HOOK_STUB_SIZE, *services[i].original, HOOK_STUB_SIZE);
    VirtualProtect(trampolines, SERVICE_COUNT * HOOK_STUB_SIZE, PAGE_EXECUTE_READ, &protection);
    for (size_t i = 0; i < SERVICE_COUNT; i++) {
        if (!is_to_be_hooked(&services[i]))
            continue;
        if (!divert(&services[i], trampolines + i * HOOK_STUB_SIZE)) {
            /* Those diverted so far work as pass-through only: the provider stays unavailable. */
            report("%s cannot be changed: redirected drives are not available", services[i].name);
            return HOOK_REFUSED;
        }
    }
    return HOOK_DONE;
}
