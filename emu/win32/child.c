/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "begin.h"
#include "child.h"
#include "inject.h"
#include "target.h"

/* PEB and PEB_LDR_DATA on x64, as far as they matter here. */
struct peb {
    void *flags[2];
    char *image;
    void *loader;
    struct process_parameters *parameters;
};
struct loader_data {
    ULONG length, initialized;
    void *handle;
    LIST_ENTRY modules; /* in load order, of struct module */
};
struct module {
    LIST_ENTRY link, links[2];
    char *base;
};

static bool get(HANDLE process, const void *from, void *to, size_t bytes)
{
    SIZE_T done;

    return ReadProcessMemory(process, from, to, bytes, &done) && done == bytes;
}

static bool put(HANDLE process, void *to, const void *from, size_t bytes)
{
    DWORD protection;
    SIZE_T done;
    bool good;

    if (!VirtualProtectEx(process, to, bytes, PAGE_READWRITE, &protection))
        return false;
    good = WriteProcessMemory(process, to, from, bytes, &done) && done == bytes;
    VirtualProtectEx(process, to, bytes, protection, &protection);
    return good;
}

static bool get_peb(HANDLE process, struct peb *peb)
{
    PROCESS_BASIC_INFORMATION basic;

    return wine.NtQueryInformationProcess(process, 0, &basic, sizeof(basic), NULL) == STATUS_SUCCESS &&
           get(process, basic.PebBaseAddress, peb, sizeof(*peb));
}

static void *new_memory(HANDLE process, const void *content, size_t bytes)
{
    void *memory = VirtualAllocEx(process, NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);

    if (memory && !put(process, memory, content, bytes)) {
        VirtualFreeEx(process, memory, 0, MEM_RELEASE);
        memory = NULL;
    }
    return memory;
}

/* The name that the program was started by, in place of its copy's. */
static bool name_image(HANDLE process, const struct peb *peb, const UNICODE_STRING *name)
{
    UNICODE_STRING image = {name->Length, (USHORT)(name->Length + sizeof(WCHAR)), NULL};

    /* Fresh memory is zero, so the name is terminated. */
    image.Buffer =
        VirtualAllocEx(process, NULL, name->Length + sizeof(WCHAR), MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    return image.Buffer && put(process, image.Buffer, name->Buffer, name->Length) &&
           put(process, &peb->parameters->image, &image, sizeof(image));
}

/* Wine moves an image after the process has begun, and adds the distance to this field then: to nothing. */
static bool take_callbacks(HANDLE process, char *base, const IMAGE_OPTIONAL_HEADER64 *header, struct begin *begin)
{
    DWORD address = header->DataDirectory[IMAGE_DIRECTORY_ENTRY_TLS].VirtualAddress;
    ULONGLONG *field = &((IMAGE_TLS_DIRECTORY64 *)(base + address))->AddressOfCallBacks;
    ULONGLONG moved = (ULONGLONG)(ULONG_PTR)base - header->ImageBase, callbacks, nothing = 0;

    if (!address)
        return true;
    if (!get(process, field, &callbacks, sizeof(callbacks)))
        return false;
    if (!callbacks)
        return true;
    if (moved && callbacks - header->ImageBase < header->SizeOfImage) {
        callbacks += moved;
        nothing -= moved;
    }
    begin->callbacks = callbacks;
    return put(process, field, &nothing, sizeof(nothing));
}

static bool take_imports(HANDLE process, char *base, struct begin *begin)
{
    IMAGE_DOS_HEADER dos;
    IMAGE_NT_HEADERS64 nt, *at;
    DWORD nothing = 0, *field;

    if (!get(process, base, &dos, sizeof(dos)))
        return false;
    at = (IMAGE_NT_HEADERS64 *)(base + dos.e_lfanew);
    if (!get(process, at, &nt, sizeof(nt)))
        return false;
    field = &at->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    begin->imports = nt.OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    return take_callbacks(process, base, &nt.OptionalHeader, begin) &&
           (!begin->imports || put(process, field, &nothing, sizeof(nothing)));
}

/* A directory that Wine finds takes its place: the root of a drive, which is the shortest name of one. */
static bool take_directory(HANDLE process, const struct peb *peb, const UNICODE_STRING *directory, struct begin *begin)
{
    static const WCHAR substitute[] = L"C:\\";
    UNICODE_STRING there;
    size_t length = directory->Length / sizeof(WCHAR);

    if (length >= ARRAYSIZE(begin->directory) || !get(process, &peb->parameters->directory, &there, sizeof(there)) ||
        there.Length < sizeof(substitute) - sizeof(WCHAR))
        return false;
    memcpy(begin->directory, directory->Buffer, directory->Length);
    there.Length = sizeof(substitute) - sizeof(WCHAR);
    return put(process, there.Buffer, substitute, sizeof(substitute) - sizeof(WCHAR)) &&
           put(process, &peb->parameters->directory, &there, sizeof(there));
}

/* The directory's NT name, if it is on the machine: RtlFreeUnicodeString's. */
static bool redirected_directory(const UNICODE_STRING *directory, UNICODE_STRING *ret_name)
{
    if (!directory->Length || !RtlDosPathNameToNtPathName_U(directory->Buffer, ret_name, NULL, NULL))
        return false;
    if (target_name_redirected(ret_name->Buffer, ret_name->Length))
        return true;
    RtlFreeUnicodeString(ret_name);
    return false;
}

bool child_begins_there(const struct process_parameters *parameters)
{
    UNICODE_STRING name;

    if (!redirected_directory(&parameters->directory, &name))
        return false;
    RtlFreeUnicodeString(&name);
    return true;
}

NTSTATUS child_check_directory(const struct process_parameters *parameters)
{
    struct {
        int64_t times[4];
        ULONG attributes, pad;
    } basic;
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING name;
    NTSTATUS status;

    if (!redirected_directory(&parameters->directory, &name))
        return STATUS_SUCCESS;
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = hooked_NtQueryAttributesFile(&attributes, &basic);
    RtlFreeUnicodeString(&name);
    return NT_SUCCESS(status) && basic.attributes & FILE_ATTRIBUTE_DIRECTORY ? STATUS_SUCCESS : STATUS_NOT_A_DIRECTORY;
}

bool child_prepare(HANDLE process, const struct process_parameters *parameters, bool image, bool input,
                   void **ret_begin)
{
    struct begin begin = {0};
    bool directory = child_begins_there(parameters);
    struct peb peb;

    *ret_begin = NULL;
    if (!image && !directory && !input)
        return true;
    if (!get_peb(process, &peb))
        return false;
    if (input && !put(process, &peb.parameters->input, &parameters->input, sizeof(parameters->input)))
        return false;
    if (directory && !take_directory(process, &peb, &parameters->directory, &begin))
        return false;
    if (image && (!name_image(process, &peb, &parameters->image) || !take_imports(process, peb.image, &begin)))
        return false;
    if (image || directory)
        *ret_begin = new_memory(process, &begin, sizeof(begin));
    return *ret_begin || !(image || directory);
}

const WCHAR *child_directory(const void *begin)
{
    return begin ? ((const struct begin *)begin)->directory : NULL;
}

/* A thread's exit status is half an address: the module there that has it. */
static char *find_module(HANDLE process, DWORD low_half)
{
    struct loader_data *loader;
    struct module module;
    struct peb peb;

    if (!get_peb(process, &peb))
        return NULL;
    loader = peb.loader;
    if (!get(process, &loader->modules.Flink, &module.link.Flink, sizeof(module.link.Flink)))
        return NULL;
    while (module.link.Flink != &loader->modules) {
        if (!get(process, module.link.Flink, &module, sizeof(module)))
            return NULL;
        if ((DWORD)(ULONG_PTR)module.base == low_half)
            return module.base;
    }
    return NULL;
}

bool child_finish(HANDLE process, DWORD provider, void *begin)
{
    const char *own;
    char *base = find_module(process, provider);
    bool good;

    if (!base ||
        !GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                            (const WCHAR *)(void *)RdrlabBegin, (HMODULE *)&own))
        return false;
    good = inject_call(process, base + ((const char *)(void *)RdrlabBegin - own), begin) != 0;
    VirtualFreeEx(process, begin, 0, MEM_RELEASE);
    return good;
}
