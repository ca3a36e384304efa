/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * services.h - the NT services that the provider stands in front of, and the way to Wine's own ones.
 *
 * mingw-w64's winternl.h declares a part of them and gives the information classes as enums of its own choosing;
 * here a class is a ULONG and a structure is what the service takes on x64.
 */
#ifndef RDRLAB_SERVICES_H
#define RDRLAB_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#define WIN32_NO_STATUS
#include <windows.h>
#include <winternl.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>

#ifndef OBJ_INHERIT
#define OBJ_INHERIT 0x00000002
#endif

/* mingw-w64 has it in its library only. */
BOOLEAN NTAPI RtlDllShutdownInProgress(void);

typedef VOID(NTAPI *apc_routine)(PVOID, PIO_STATUS_BLOCK, ULONG);

/* Every hooked service: SERVICE(name, parameters). One list, so that no table can fall behind another. */
#define FILE_IO_PARAMETERS HANDLE file, HANDLE event, apc_routine apc, PVOID context, PIO_STATUS_BLOCK io
#define REDIRECTED_SERVICES(SERVICE)                                                                                   \
    SERVICE(NtCreateFile, (PHANDLE ret_file, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, PIO_STATUS_BLOCK io,   \
                           PLARGE_INTEGER allocation, ULONG file_attributes, ULONG share, ULONG disposition,           \
                           ULONG options, PVOID ea, ULONG ea_length))                                                  \
    SERVICE(NtOpenFile, (PHANDLE ret_file, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, PIO_STATUS_BLOCK io,     \
                         ULONG share, ULONG options))                                                                  \
    SERVICE(NtClose, (HANDLE handle))                                                                                  \
    SERVICE(NtDuplicateObject, (HANDLE source_process, HANDLE source, HANDLE target_process, PHANDLE ret_target,       \
                                ACCESS_MASK access, ULONG attributes, ULONG options))                                  \
    SERVICE(NtQueryAttributesFile, (POBJECT_ATTRIBUTES attributes, PVOID buffer))                                      \
    SERVICE(NtQueryFullAttributesFile, (POBJECT_ATTRIBUTES attributes, PVOID buffer))                                  \
    SERVICE(NtDeleteFile, (POBJECT_ATTRIBUTES attributes))                                                             \
    SERVICE(NtReadFile, (FILE_IO_PARAMETERS, PVOID buffer, ULONG length, PLARGE_INTEGER offset, PULONG key))           \
    SERVICE(NtWriteFile, (FILE_IO_PARAMETERS, const void *buffer, ULONG length, PLARGE_INTEGER offset, PULONG key))    \
    SERVICE(NtReadFileScatter, (FILE_IO_PARAMETERS, PVOID segments, ULONG length, PLARGE_INTEGER offset, PULONG key))  \
    SERVICE(NtWriteFileGather, (FILE_IO_PARAMETERS, PVOID segments, ULONG length, PLARGE_INTEGER offset, PULONG key))  \
    SERVICE(NtFlushBuffersFile, (HANDLE file, PIO_STATUS_BLOCK io))                                                    \
    SERVICE(NtQueryInformationFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class))       \
    SERVICE(NtSetInformationFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class))         \
    SERVICE(NtQueryVolumeInformationFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class)) \
    SERVICE(NtSetVolumeInformationFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class))   \
    SERVICE(NtQueryDirectoryFile, (FILE_IO_PARAMETERS, PVOID buffer, ULONG length, ULONG class, BOOLEAN single,        \
                                   PUNICODE_STRING pattern, BOOLEAN restart))                                          \
    SERVICE(NtNotifyChangeDirectoryFile, (FILE_IO_PARAMETERS, PVOID buffer, ULONG length, ULONG filter, BOOLEAN tree)) \
    SERVICE(NtQueryEaFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, BOOLEAN single, PVOID list,  \
                            ULONG list_length, PULONG index, BOOLEAN restart))                                         \
    SERVICE(NtSetEaFile, (HANDLE file, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length))                               \
    SERVICE(NtLockFile, (FILE_IO_PARAMETERS, PLARGE_INTEGER offset, PLARGE_INTEGER length, PULONG key,                 \
                         BOOLEAN fail_immediately, BOOLEAN exclusive))                                                 \
    SERVICE(NtUnlockFile,                                                                                              \
            (HANDLE file, PIO_STATUS_BLOCK io, PLARGE_INTEGER offset, PLARGE_INTEGER length, PULONG key))              \
    SERVICE(NtFsControlFile,                                                                                           \
            (FILE_IO_PARAMETERS, ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG output_length))      \
    SERVICE(NtDeviceIoControlFile,                                                                                     \
            (FILE_IO_PARAMETERS, ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG output_length))      \
    SERVICE(NtCancelIoFile, (HANDLE file, PIO_STATUS_BLOCK io))                                                        \
    SERVICE(NtCancelIoFileEx, (HANDLE file, PIO_STATUS_BLOCK which, PIO_STATUS_BLOCK io))                              \
    SERVICE(NtWaitForSingleObject, (HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout))                   \
    SERVICE(NtWaitForMultipleObjects,                                                                                  \
            (ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable, const LARGE_INTEGER *timeout))        \
    SERVICE(NtSignalAndWaitForSingleObject,                                                                            \
            (HANDLE signal, HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout))                           \
    SERVICE(NtCreateSection, (PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes,            \
                              const LARGE_INTEGER *size, ULONG protect, ULONG flags, HANDLE file))                     \
    SERVICE(NtOpenDirectoryObject, (PHANDLE ret_directory, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes))         \
    SERVICE(NtOpenSymbolicLinkObject, (PHANDLE ret_link, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes))           \
    SERVICE(NtMapViewOfSection, (HANDLE section, HANDLE process, PVOID * base, ULONG_PTR zero_bits, SIZE_T commit,     \
                                 LARGE_INTEGER * offset, SIZE_T * size, ULONG inherit, ULONG type, ULONG protect))     \
    SERVICE(NtUnmapViewOfSection, (HANDLE process, PVOID base))                                                        \
    SERVICE(NtFlushVirtualMemory, (HANDLE process, const void **base, SIZE_T *size, IO_STATUS_BLOCK *io))              \
    SERVICE(NtQueryObject, (HANDLE handle, ULONG class, PVOID buffer, ULONG length, PULONG ret_length))                \
    SERVICE(NtQuerySecurityObject, (HANDLE handle, ULONG which, PVOID descriptor, ULONG length, PULONG ret_length))    \
    SERVICE(NtSetSecurityObject, (HANDLE handle, ULONG which, PVOID descriptor))                                       \
    SERVICE(NtQuerySystemInformation, (ULONG class, PVOID buffer, ULONG length, PULONG ret_length))                    \
    SERVICE(NtCreateUserProcess,                                                                                       \
            (PHANDLE ret_process, PHANDLE ret_thread, ACCESS_MASK process_access, ACCESS_MASK thread_access,           \
             POBJECT_ATTRIBUTES process_attributes, POBJECT_ATTRIBUTES thread_attributes, ULONG process_flags,         \
             ULONG thread_flags, PVOID parameters, PVOID info, PVOID list))                                            \
    SERVICE(NtTerminateProcess, (HANDLE process, NTSTATUS status))

/* Hooked where they exist: some do not in Wine 8, some not in Wine 10. */
#define OPTIONAL_SERVICES(SERVICE)                                                                                     \
    SERVICE(NtMapViewOfSectionEx, (HANDLE section, HANDLE process, PVOID * base, const LARGE_INTEGER *offset,          \
                                   SIZE_T *size, ULONG type, ULONG protect, PVOID extra, ULONG extra_count))           \
    SERVICE(NtUnmapViewOfSectionEx, (HANDLE process, PVOID base, ULONG flags))                                         \
    SERVICE(NtQueryDirectoryFileEx,                                                                                    \
            (FILE_IO_PARAMETERS, PVOID buffer, ULONG length, ULONG class, ULONG flags, PUNICODE_STRING pattern))       \
    SERVICE(NtFlushBuffersFileEx, (HANDLE file, ULONG flags, PVOID parameters, ULONG size, PIO_STATUS_BLOCK io))       \
    SERVICE(NtQueryInformationByName,                                                                                  \
            (POBJECT_ATTRIBUTES attributes, PIO_STATUS_BLOCK io, PVOID buffer, ULONG length, ULONG class))             \
    SERVICE(NtCancelSynchronousIoFile, (HANDLE thread, PIO_STATUS_BLOCK which, PIO_STATUS_BLOCK io))                   \
    SERVICE(NtCreateSectionEx,                                                                                         \
            (PHANDLE ret_section, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes, const LARGE_INTEGER *size,  \
             ULONG protect, ULONG flags, HANDLE file, PVOID extra, ULONG extra_count))

/* Called, not hooked. */
#define PLAIN_SERVICES(SERVICE)                                                                                        \
    SERVICE(NtCreateSymbolicLinkObject,                                                                                \
            (PHANDLE ret_link, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, PUNICODE_STRING target))             \
    SERVICE(NtQuerySymbolicLinkObject, (HANDLE link, PUNICODE_STRING target, PULONG length))                           \
    SERVICE(NtMakeTemporaryObject, (HANDLE object))                                                                    \
    SERVICE(RtlMakeSelfRelativeSD, (PVOID absolute, PVOID relative, PULONG length))                                    \
    SERVICE(NtSetEvent, (HANDLE event, PLONG previous))                                                                \
    SERVICE(NtResetEvent, (HANDLE event, PLONG previous))                                                              \
    SERVICE(NtCreateEvent,                                                                                             \
            (PHANDLE ret_event, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes, ULONG type, BOOLEAN state))   \
    SERVICE(NtSetIoCompletion, (HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T information))     \
    SERVICE(NtQueueApcThread,                                                                                          \
            (HANDLE thread, apc_routine routine, PVOID context, PIO_STATUS_BLOCK io, ULONG_PTR zero))                  \
    SERVICE(NtYieldExecution, (void))                                                                                  \
    SERVICE(NtDelayExecution, (BOOLEAN alertable, const LARGE_INTEGER *timeout))                                       \
    SERVICE(NtQueryInformationProcess, (HANDLE process, ULONG class, PVOID buffer, ULONG length, PULONG ret_length))   \
    SERVICE(NtOpenThread,                                                                                              \
            (PHANDLE ret_thread, ACCESS_MASK access, const OBJECT_ATTRIBUTES *attributes, const CLIENT_ID *client))

#define SERVICE_POINTER(name, parameters) NTSTATUS(NTAPI *name) parameters;
#define SERVICE_HOOK(name, parameters)    NTSTATUS NTAPI hooked_##name parameters;

/* Wine's own services: before hook_install ntdll's stubs, afterwards trampolines to them. */
struct services {
    REDIRECTED_SERVICES(SERVICE_POINTER)
    OPTIONAL_SERVICES(SERVICE_POINTER)
    PLAIN_SERVICES(SERVICE_POINTER)
};
extern struct services wine;

/* The replacements: cancel.c, drives.c, file.c, rw.c, lock.c, info.c, control.c, handle.c, notify.c, process.c,
 * section.c, sysinfo.c, refuse.c, wait.c, writable.c. */
REDIRECTED_SERVICES(SERVICE_HOOK)
OPTIONAL_SERVICES(SERVICE_HOOK)

#endif
