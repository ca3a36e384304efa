/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe_files.c - claims about what is done with a file. */
#include "probe.h"

#include <mswsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static bool holds_text(const WCHAR *name)
{
    HANDLE file = open_read(name);
    bool holds = file != INVALID_HANDLE_VALUE && reads_text(file);

    CloseHandle(file);
    return holds;
}

/* What is written is read back, in one transfer larger than a message as well. */
void claim_write(void)
{
    enum { SIZE = 300000 };
    unsigned char *out = malloc(SIZE), *in = calloc(1, SIZE);
    HANDLE file = open_with(on_share(L"written.bin"), GENERIC_READ | GENERIC_WRITE, 0, CREATE_ALWAYS, 0);
    WIN32_FILE_ATTRIBUTE_DATA attributes;
    OVERLAPPED at = {.Offset = 10};
    DWORD done;

    for (int i = 0; i < SIZE; i++)
        out[i] = (unsigned char)(i * 7 + i / 251);
    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(WriteFile(file, out, SIZE, &done, NULL) && done == SIZE);
    CHECK(SetFilePointer(file, 0, NULL, FILE_CURRENT) == SIZE);
    CHECK(FlushFileBuffers(file));
    CHECK(SetFilePointer(file, 1, NULL, FILE_BEGIN) == 1);
    CHECK(ReadFile(file, in, SIZE, &done, NULL) && done == SIZE - 1 && memcmp(in, out + 1, SIZE - 1) == 0);
    CHECK(ReadFile(file, in, 1, &done, NULL) && done == 0);
    CHECK(ReadFile(file, in, SIZE - 10, &done, &at) && done == SIZE - 10 && memcmp(in, out + 10, SIZE - 10) == 0);
    CHECK(CloseHandle(file));
    CHECK_ERROR(CloseHandle(file), ERROR_INVALID_HANDLE);
    CHECK(GetFileAttributesExW(on_share(L"written.bin"), GetFileExInfoStandard, &attributes) &&
          attributes.nFileSizeLow == SIZE);
    free(out);
    free(in);
}

static bool make_file(const WCHAR *name)
{
    HANDLE file = open_with(name, GENERIC_WRITE, 0, CREATE_NEW, 0);
    DWORD done;

    return file != INVALID_HANDLE_VALUE && WriteFile(file, TEXT_ON_SHARE, sizeof(TEXT_ON_SHARE) - 1, &done, NULL) &&
           CloseHandle(file);
}

static bool is_gone(const WCHAR *name)
{
    return GetFileAttributesW(name) == INVALID_FILE_ATTRIBUTES && GetLastError() == ERROR_FILE_NOT_FOUND;
}

static void check_delete(const WCHAR *(*path)(const WCHAR *name))
{
    const DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE file;

    CHECK(make_file(path(L"gone.txt")));
    CHECK(DeleteFileW(path(L"gone.txt")));
    CHECK(is_gone(path(L"gone.txt")));
    CHECK_ERROR(DeleteFileW(path(L"gone.txt")), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(DeleteFileW(path(L"missing\\gone.txt")), ERROR_PATH_NOT_FOUND);
    CHECK_ERROR(DeleteFileW(path(L"a|b")), ERROR_INVALID_NAME);
    CHECK_ERROR(DeleteFileW(path(L"dir")), ERROR_ACCESS_DENIED);

    CHECK(make_file(path(L"held.txt")));
    file = open_read(path(L"held.txt"));
    CHECK_ERROR(DeleteFileW(path(L"held.txt")), ERROR_SHARING_VIOLATION);
    CloseHandle(file);
    file = open_with(path(L"held.txt"), GENERIC_READ, share_all, OPEN_EXISTING, 0);
    CHECK(DeleteFileW(path(L"held.txt")));
    CHECK_ERROR(opens(path(L"held.txt"), GENERIC_READ, share_all), ERROR_ACCESS_DENIED);
    CHECK(reads_text(file));
    CloseHandle(file);
    CHECK(is_gone(path(L"held.txt")));

    file = open_with(path(L"temporary"), GENERIC_WRITE, 0, CREATE_NEW, FILE_FLAG_DELETE_ON_CLOSE);
    CHECK(file != INVALID_HANDLE_VALUE);
    CloseHandle(file);
    CHECK(is_gone(path(L"temporary")));

    CHECK(CreateDirectoryW(path(L"folder"), NULL));
    CHECK(make_file(path(L"folder\\inside")));
    CHECK_ERROR(RemoveDirectoryW(path(L"folder")), ERROR_DIR_NOT_EMPTY);
    CHECK(DeleteFileW(path(L"folder\\inside")));
    CHECK(RemoveDirectoryW(path(L"folder")));
    CHECK(is_gone(path(L"folder")));
    CHECK_ERROR(RemoveDirectoryW(path(L"folder")), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(RemoveDirectoryW(path(L"probe.txt")), ERROR_DIRECTORY);
}

/* Files and directories are deleted by name, by the handle that says so, and not before the last handle is closed. */
void claim_delete(void)
{
    check_delete(on_share);
    check_delete(on_unc);
}

static void check_rename(const WCHAR *(*path)(const WCHAR *name))
{
    CHECK(make_file(path(L"old.txt")));
    CHECK(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0));
    CHECK(is_gone(path(L"old.txt")));
    CHECK(make_file(path(L"old.txt")));
    CHECK_ERROR(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0), ERROR_ALREADY_EXISTS);
    CHECK(MoveFileExW(path(L"old.txt"), path(L"new.txt"), MOVEFILE_REPLACE_EXISTING));
    CHECK_ERROR(MoveFileExW(path(L"old.txt"), path(L"new.txt"), 0), ERROR_FILE_NOT_FOUND);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), path(L"missing\\new.txt"), 0), ERROR_PATH_NOT_FOUND);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), path(L"a|b"), 0), ERROR_INVALID_NAME);
    CHECK_ERROR(MoveFileExW(path(L"new.txt"), L"C:\\new.txt", 0), ERROR_NOT_SAME_DEVICE);
    CHECK(MoveFileExW(path(L"new.txt"), path(L"dir\\new.txt"), 0));
    CHECK(is_gone(path(L"new.txt")));
    CHECK(DeleteFileW(path(L"dir\\new.txt")));

    CHECK(CreateDirectoryW(path(L"folder"), NULL));
    CHECK(make_file(path(L"folder\\inside")));
    CHECK(MoveFileExW(path(L"folder"), path(L"renamed"), 0));
    CHECK(is_gone(path(L"folder")));
    CHECK(DeleteFileW(path(L"renamed\\inside")));
    CHECK(RemoveDirectoryW(path(L"renamed")));
}

/* Files are renamed within their share, by letter and by UNC name, and from one to the other; elsewhere they are
 * copied. */
void claim_rename(void)
{
    check_rename(on_share);
    check_rename(on_unc);
    CHECK(make_file(on_share(L"old.txt")));
    CHECK(MoveFileExW(on_share(L"old.txt"), on_unc(L"new.txt"), 0));
    CHECK(MoveFileExW(on_unc(L"new.txt"), L"C:\\rdrlab moved.txt", MOVEFILE_COPY_ALLOWED));
    CHECK(is_gone(on_share(L"new.txt")));
    CHECK(DeleteFileW(L"C:\\rdrlab moved.txt"));
}

/* Onto itself, by whatever name, nothing is copied and nothing is lost. */
void claim_copy(void)
{
    CHECK(CopyFileW(on_share(L"probe.txt"), on_share(L"copy.txt"), TRUE));
    CHECK_ERROR(CopyFileW(on_share(L"probe.txt"), on_share(L"copy.txt"), TRUE), ERROR_FILE_EXISTS);
    CHECK_ERROR(CopyFileW(on_share(L"copy.txt"), on_share(L"copy.txt"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK_ERROR(CopyFileW(on_share(L"copy.txt"), on_share(L"COPY.TXT"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK_ERROR(CopyFileW(on_unc(L"copy.txt"), on_share(L"copy.txt"), FALSE), ERROR_SHARING_VIOLATION);
    CHECK(holds_text(on_share(L"copy.txt")));
    CHECK(DeleteFileW(on_share(L"copy.txt")));
}

/* A service that succeeds leaves the last error alone, as every NT service does. */
void claim_last_error(void)
{
    HANDLE file = open_read(on_share(L"probe.txt"));
    char byte;
    DWORD got;

    SetLastError(77);
    ReadFile(file, &byte, 1, &got, NULL);
    CloseHandle(file);
    if (GetLastError() != 77)
        failed(__FILE__, __LINE__, "the last error changed", GetLastError());
}

void claim_overlapped(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING, FILE_FLAG_OVERLAPPED);
    OVERLAPPED overlapped = {.Offset = 7, .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    char text[16] = "";
    DWORD got = 0;

    CHECK(file != INVALID_HANDLE_VALUE);
    CHECK(ReadFile(file, text, 5, NULL, &overlapped) || GetLastError() == ERROR_IO_PENDING);
    CHECK(WaitForSingleObject(overlapped.hEvent, 0) == WAIT_OBJECT_0);
    CHECK(GetOverlappedResult(file, &overlapped, &got, FALSE) && got == 5 && memcmp(text, "probe", 5) == 0);
    overlapped.Offset = 1000;
    CHECK_ERROR(ReadFile(file, text, 5, NULL, &overlapped), ERROR_HANDLE_EOF);
    CloseHandle(file);
}

/* What the machine has not is refused, and the file stays as it is. */
void claim_refusals(void)
{
    HANDLE file = open_with(on_share(L"probe.txt"), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                            FILE_FLAG_OVERLAPPED);
    HANDLE folder =
        open_with(on_share(L"dir"), GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    char buffer[512];
    DWORD got;

    CHECK(file != INVALID_HANDLE_VALUE && folder != INVALID_HANDLE_VALUE);
    CHECK_ERROR(DeviceIoControl(file, 0x900c0, NULL, 0, buffer, sizeof(buffer), &got, NULL), ERROR_INVALID_FUNCTION);
    CloseHandle(folder);
    CloseHandle(file);
    file = open_read(on_share(L"probe.txt"));
    CHECK(reads_text(file));
    CloseHandle(file);
}

/* Sending a redirected file down a socket is refused; it must not send the token file, which is empty. */
void claim_transmit(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof(address);
    HANDLE file = open_read(on_share(L"probe.txt"));
    SOCKET listener, client, server;
    WSADATA data;

    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    CHECK(connect(client, (struct sockaddr *)&address, size) == 0);
    CHECK((server = accept(listener, NULL, NULL)) != INVALID_SOCKET);
    CHECK(!TransmitFile(client, file, 0, 0, NULL, NULL, 0));
    closesocket(server);
    closesocket(client);
    closesocket(listener);
    CloseHandle(file);
}
