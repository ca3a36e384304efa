/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * begin.c - the rest of a program's start, now that its files are within reach: what Wine's loader would have done, had
 * the parent let it see what there is to do.
 */
#include "begin.h"
#include "report.h"

#define EXCEPTION_WINE_STUB 0x80000100

static IMAGE_NT_HEADERS64 *headers_of(char *base)
{
    return (IMAGE_NT_HEADERS64 *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
}

static void end_process(NTSTATUS status)
{
    TerminateProcess(GetCurrentProcess(), (UINT)status);
}

/* Wine lets programs run that want more of a DLL than Wine has, until they call it. */
static void missing_function(void)
{
    RaiseException(EXCEPTION_WINE_STUB, EXCEPTION_NONCONTINUABLE, 0, NULL);
}

static void *find_function(HMODULE library, const char *base, ULONGLONG thunk)
{
    const char *name = IMAGE_SNAP_BY_ORDINAL64(thunk) ? (const char *)(ULONG_PTR)IMAGE_ORDINAL64(thunk)
                                                      : ((IMAGE_IMPORT_BY_NAME *)(base + thunk))->Name;
    void *function = (void *)GetProcAddress(library, name);

    return function ? function : (void *)missing_function;
}

static void import_from(HMODULE library, char *base, const IMAGE_IMPORT_DESCRIPTOR *import)
{
    ULONGLONG *functions = (ULONGLONG *)(base + import->FirstThunk);
    const ULONGLONG *names =
        import->OriginalFirstThunk ? (const ULONGLONG *)(base + import->OriginalFirstThunk) : functions;
    SIZE_T count = 0;
    DWORD protection;

    while (names[count])
        count++;
    VirtualProtect(functions, count * sizeof(*functions), PAGE_READWRITE, &protection);
    for (SIZE_T i = 0; i < count; i++)
        functions[i] = (ULONGLONG)(ULONG_PTR)find_function(library, base, names[i]);
    VirtualProtect(functions, count * sizeof(*functions), protection, &protection);
}

static void import_all(char *base)
{
    const IMAGE_DATA_DIRECTORY *directory =
        &headers_of(base)->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    const IMAGE_IMPORT_DESCRIPTOR *import = (const IMAGE_IMPORT_DESCRIPTOR *)(base + directory->VirtualAddress);

    for (; import->Name && import->FirstThunk; import++) {
        const char *name = base + import->Name;
        HMODULE library = LoadLibraryA(name);

        if (!library) {
            report("this program needs %s, which cannot be loaded (error %lu)", name, GetLastError());
            end_process(STATUS_DLL_NOT_FOUND);
        }
        import_from(library, base, import);
    }
}

static void put_in_imports(char *base, DWORD address)
{
    DWORD *field = &headers_of(base)->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress;
    DWORD protection;

    VirtualProtect(field, sizeof(*field), PAGE_READWRITE, &protection);
    *field = address;
    VirtualProtect(field, sizeof(*field), protection, &protection);
    import_all(base);
}

/* To this thread as the loader does to the first one. */
static void put_in_callbacks(char *base, ULONGLONG address)
{
    IMAGE_TLS_DIRECTORY64 *tls =
        (IMAGE_TLS_DIRECTORY64
             *)(base + headers_of(base)->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_TLS].VirtualAddress);
    DWORD protection;

    VirtualProtect(&tls->AddressOfCallBacks, sizeof(tls->AddressOfCallBacks), PAGE_READWRITE, &protection);
    tls->AddressOfCallBacks = address;
    VirtualProtect(&tls->AddressOfCallBacks, sizeof(tls->AddressOfCallBacks), protection, &protection);
    for (PIMAGE_TLS_CALLBACK *callback = (PIMAGE_TLS_CALLBACK *)(ULONG_PTR)address; *callback; callback++)
        (*callback)(base, DLL_PROCESS_ATTACH, NULL);
}

DWORD WINAPI RdrlabBegin(void *parameter)
{
    const struct begin *begin = parameter;
    char *base = (char *)GetModuleHandleW(NULL);

    if (begin->directory[0] && !SetCurrentDirectoryW(begin->directory))
        report("the working directory %ls cannot be opened (error %lu)", begin->directory, GetLastError());
    if (begin->imports)
        put_in_imports(base, begin->imports);
    if (begin->callbacks)
        put_in_callbacks(base, begin->callbacks);
    return 1;
}
