/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - NtCreateUserProcess: a child belongs to its parent's machine, so it gets the provider before it runs. */
#include "inject.h"
#include "provider.h"
#include "report.h"
#include "services.h"

/* kernelbase creates the first thread suspended and resumes it later; between the two there is time. */
NTSTATUS NTAPI hooked_NtCreateUserProcess(PHANDLE ret_process, PHANDLE ret_thread, ACCESS_MASK process_access,
                                          ACCESS_MASK thread_access, POBJECT_ATTRIBUTES process_attributes,
                                          POBJECT_ATTRIBUTES thread_attributes, ULONG process_flags, ULONG thread_flags,
                                          PVOID parameters, PVOID info, PVOID list)
{
    DWORD last_error = GetLastError();
    NTSTATUS status =
        wine.NtCreateUserProcess(ret_process, ret_thread, process_access, thread_access, process_attributes,
                                 thread_attributes, process_flags, thread_flags, parameters, info, list);

    if (!NT_SUCCESS(status))
        return status;
    if (!inject_possible(*ret_process))
        report("process %lu is a 32-bit program: redirected drives are not available in it",
               GetProcessId(*ret_process));
    else if (!inject_library(*ret_process, provider_path()))
        report("process %lu did not load %ls: redirected drives are not available in it", GetProcessId(*ret_process),
               provider_path());
    SetLastError(last_error);
    return status;
}
