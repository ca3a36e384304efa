/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - NtCreateUserProcess: a child belongs to its parent's machine, so it gets the provider before it runs; and
 * its program may be a file of the machine, of which Wine then runs a copy.
 */
#include <string.h>

#include "child.h"
#include "copy.h"
#include "environment.h"
#include "guard.h"
#include "handle.h"
#include "inject.h"
#include "provider.h"
#include "report.h"
#include "services.h"
#include "target.h"
#include "writable.h"

#define IMAGE_NAME      0x20005 /* PS_ATTRIBUTE_IMAGE_NAME */
#define INHERIT_HANDLES 0x4     /* PROCESS_CREATE_FLAGS_INHERIT_HANDLES */
#define MOST_ATTRIBUTES 32

/* PS_ATTRIBUTE_LIST */
struct attribute_list {
    SIZE_T bytes;
    struct {
        ULONG_PTR attribute;
        SIZE_T size;
        void *value;
        SIZE_T *ret_size;
    } attributes[MOST_ATTRIBUTES];
};

struct program {
    WCHAR path[COPY_PATH_MAX]; /* the copy's */
    HANDLE copy;               /* NULL: the program is Wine's */
    struct attribute_list list;
};

/* As Wine opens a program. */
static NTSTATUS open_program(UNICODE_STRING *name, HANDLE *ret_file)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;

    InitializeObjectAttributes(&attributes, name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return hooked_NtOpenFile(ret_file, GENERIC_READ | SYNCHRONIZE, &attributes, &io,
                             FILE_SHARE_READ | FILE_SHARE_DELETE,
                             FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE);
}

static NTSTATUS copy_program(struct program *program, UNICODE_STRING *name)
{
    HANDLE file;
    NTSTATUS status = open_program(name, &file);

    if (!NT_SUCCESS(status))
        return status;
    status = copy_make_program(handle_token(file), program->path, &program->copy);
    hooked_NtClose(file);
    return status;
}

/* A redirected program is copied, and *list becomes one that names the copy. */
static NTSTATUS find_program(struct program *program, void **list)
{
    SIZE_T bytes, count;

    program->copy = NULL;
    if (!guarded_copy(&bytes, *list, sizeof(bytes)) || bytes < sizeof(bytes) || bytes > sizeof(program->list) ||
        !guarded_copy(&program->list, *list, bytes))
        return STATUS_SUCCESS; /* for Wine to judge */
    count = (bytes - sizeof(bytes)) / sizeof(program->list.attributes[0]);
    for (SIZE_T i = 0; i < count; i++) {
        UNICODE_STRING name = {(USHORT)program->list.attributes[i].size, (USHORT)program->list.attributes[i].size,
                               program->list.attributes[i].value};
        NTSTATUS status;

        if (program->list.attributes[i].attribute != IMAGE_NAME || !target_name_redirected(name.Buffer, name.Length))
            continue;
        status = copy_program(program, &name);
        if (!NT_SUCCESS(status))
            return status;
        program->list.attributes[i].value = program->path;
        program->list.attributes[i].size = wcslen(program->path) * sizeof(WCHAR);
        *list = &program->list;
        break;
    }
    return STATUS_SUCCESS;
}

static bool has_ended(HANDLE process)
{
    return WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

static void equip(HANDLE process, HANDLE thread, const struct process_parameters *parameters, bool image, bool input)
{
    void *begin = NULL;
    DWORD provider = 0;
    bool prepared;

    prepared = child_prepare(process, parameters, image, input, &begin);
    if (prepared && !image && inject_at_start(process, thread, provider_path(), child_directory(begin)))
        return;
    if (prepared)
        provider = inject_library(process, provider_path());
    if (!provider)
        report("process %lu did not load %ls: redirected drives are not available in it", GetProcessId(process),
               provider_path());
    else if (!begin || child_finish(process, provider, begin) || has_ended(process))
        return;
    /* It would run into what is missing. */
    if (begin || image) {
        report("process %lu cannot be begun", GetProcessId(process));
        TerminateProcess(process, (UINT)STATUS_UNSUCCESSFUL);
    }
}

/*
 * Wine makes standard input the Linux process's, too, which has it open a moment longer than the Win32 process. So a
 * redirected one is handed over afterwards.
 */
static bool keep_input(struct process_parameters *parameters, ULONG process_flags)
{
    return process_flags & INHERIT_HANDLES && handle_token(parameters->input);
}

/* Whether it lies on the machine, begins there, or has its streams there. */
static bool needs_machine(const struct process_parameters *parameters, bool image, ULONG process_flags)
{
    if (image || child_begins_there(parameters))
        return true;
    return process_flags & INHERIT_HANDLES &&
           (handle_token(parameters->input) || handle_token(parameters->output) || handle_token(parameters->error));
}

/* A 32-bit program cannot have the provider. One that needs it from the beginning does not run: it would take what it
 * finds in Wine for what it was to find. */
static NTSTATUS leave_alone(HANDLE process, HANDLE thread, const struct process_parameters *parameters, bool needs)
{
    if (!needs) {
        report("process %lu is a 32-bit program: redirected drives are not available in it", GetProcessId(process));
        return STATUS_SUCCESS;
    }
    report("%.*ls is a 32-bit program, which cannot run on or with files of a redirected drive",
           (int)(parameters->image.Length / sizeof(WCHAR)), parameters->image.Buffer);
    wine.NtTerminateProcess(process, STATUS_INVALID_IMAGE_WIN_32);
    wine.NtClose(process);
    wine.NtClose(thread);
    return STATUS_INVALID_IMAGE_WIN_32;
}

/* What a child is given otherwise than its parent says. */
struct given {
    HANDLE input;
    WCHAR *environment;
    SIZE_T environment_bytes;
};

static void change(struct process_parameters *parameters, bool keeps_input, struct given *before)
{
    WCHAR *complete;

    *before = (struct given){parameters->input, parameters->environment, parameters->environment_bytes};
    if (keeps_input)
        parameters->input = NULL;
    complete =
        parameters->environment ? environment_complete(parameters->environment, &parameters->environment_bytes) : NULL;
    if (complete)
        parameters->environment = complete;
}

static void change_back(struct process_parameters *parameters, const struct given *before)
{
    if (parameters->environment != before->environment)
        VirtualFree(parameters->environment, 0, MEM_RELEASE);
    parameters->input = before->input;
    parameters->environment = before->environment;
    parameters->environment_bytes = before->environment_bytes;
}

/* kernelbase creates the first thread suspended and resumes it later; between the two there is time. */
NTSTATUS NTAPI hooked_NtCreateUserProcess(PHANDLE ret_process, PHANDLE ret_thread, ACCESS_MASK process_access,
                                          ACCESS_MASK thread_access, POBJECT_ATTRIBUTES process_attributes,
                                          POBJECT_ATTRIBUTES thread_attributes, ULONG process_flags, ULONG thread_flags,
                                          PVOID parameters, PVOID info, PVOID list)
{
    DWORD last_error = GetLastError();
    bool keeps_input = keep_input(parameters, process_flags);
    struct program program;
    struct given given;
    NTSTATUS status = child_check_directory(parameters);

    if (NT_SUCCESS(status))
        status = find_program(&program, &list);
    if (!NT_SUCCESS(status))
        return status;
    change(parameters, keeps_input, &given);
    status = wine.NtCreateUserProcess(ret_process, ret_thread, process_access, thread_access, process_attributes,
                                      thread_attributes, process_flags, thread_flags, parameters, info, list);
    change_back(parameters, &given);
    if (NT_SUCCESS(status) && !inject_possible(*ret_process))
        status = leave_alone(*ret_process, *ret_thread, parameters,
                             needs_machine(parameters, program.copy != NULL, process_flags));
    else if (NT_SUCCESS(status))
        equip(*ret_process, *ret_thread, parameters, program.copy != NULL, keeps_input);
    if (program.copy)
        wine.NtClose(program.copy);
    SetLastError(last_error);
    return status;
}

NTSTATUS NTAPI hooked_NtTerminateProcess(HANDLE process, NTSTATUS status)
{
    if (handle_is_this_process(process)) {
        writable_end();
        copy_end_sections();
        handle_close_all();
    }
    return wine.NtTerminateProcess(process, status);
}
