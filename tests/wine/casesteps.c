/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * casesteps.exe - does the calls of a case's reproduction (tests/cases/README.md) as any Win32 program would, one line
 * of standard input each, and answers each with a line of standard output. Fields are separated by a tab, UTF-8.
 *
 *   map LETTER SHARE | unmap LETTER FORCE
 *   open HANDLE ACCESS SHARE DISPOSITION FLAGS TIMES NAME    numbers as CreateFile takes them; HANDLE "-": closed again
 *   read HANDLE BYTES | write HANDLE TEXT | close HANDLE
 *   make-directory NAME | attributes NAME | delete NAME
 *
 *   done ERROR OTHERS OTHER    GetLastError of the first time, 0 having succeeded; how often it was another one, and
 *                              which one last
 *
 * Exit status: 0 at the end of the input, 1 for a line that it does not understand.
 */
#define WIN32_LEAN_AND_MEAN
#define UNICODE
#include <windows.h>
#include <winnetwk.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX    70000
#define FIELDS_MAX  10
#define HANDLES_MAX 64

static struct {
    char name[32];
    HANDLE handle;
} handles[HANDLES_MAX];

static WCHAR wide[LINE_MAX];

static const WCHAR *widen(const char *text)
{
    if (MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, LINE_MAX) == 0)
        wide[0] = 0;
    return wide;
}

static HANDLE *handle_of(const char *name)
{
    for (int i = 0; i < HANDLES_MAX; i++)
        if (handles[i].handle != NULL && strcmp(handles[i].name, name) == 0)
            return &handles[i].handle;
    return NULL;
}

static DWORD keep(const char *name, HANDLE handle)
{
    for (int i = 0; i < HANDLES_MAX; i++)
        if (handles[i].handle == NULL) {
            snprintf(handles[i].name, sizeof(handles[i].name), "%s", name);
            handles[i].handle = handle;
            return 0;
        }
    CloseHandle(handle);
    return ERROR_TOO_MANY_OPEN_FILES;
}

/* ---- the calls: each returns GetLastError, 0 having succeeded ---- */

static DWORD map(char **field)
{
    WCHAR letter[] = {(WCHAR)(unsigned char)field[1][0], ':', 0};
    NETRESOURCEW resource = {.dwType = RESOURCETYPE_DISK, .lpLocalName = letter};

    resource.lpRemoteName = (WCHAR *)widen(field[2]);
    return WNetAddConnection2W(&resource, NULL, NULL, 0);
}

static DWORD unmap(char **field)
{
    WCHAR letter[] = {(WCHAR)(unsigned char)field[1][0], ':', 0};

    return WNetCancelConnection2W(letter, 0, field[2][0] == '1');
}

static DWORD open_once(char **field)
{
    HANDLE handle = CreateFileW(widen(field[7]), strtoul(field[2], NULL, 0), strtoul(field[3], NULL, 0), NULL,
                                strtoul(field[4], NULL, 0), strtoul(field[5], NULL, 0), NULL);

    if (handle == INVALID_HANDLE_VALUE)
        return GetLastError();
    if (strcmp(field[1], "-") != 0)
        return keep(field[1], handle);
    return CloseHandle(handle) ? 0 : GetLastError();
}

static DWORD read_file(char **field)
{
    static char bytes[65536];
    HANDLE *handle = handle_of(field[1]);
    DWORD count = strtoul(field[2], NULL, 0);

    if (handle == NULL)
        return ERROR_INVALID_HANDLE;
    if (SetFilePointer(*handle, 0, NULL, FILE_BEGIN) == INVALID_SET_FILE_POINTER && GetLastError() != 0)
        return GetLastError();
    return ReadFile(*handle, bytes, count < sizeof(bytes) ? count : sizeof(bytes), &count, NULL) ? 0 : GetLastError();
}

static DWORD write_file(char **field)
{
    HANDLE *handle = handle_of(field[1]);
    DWORD count;

    if (handle == NULL)
        return ERROR_INVALID_HANDLE;
    return WriteFile(*handle, field[2], (DWORD)strlen(field[2]), &count, NULL) ? 0 : GetLastError();
}

static DWORD close_file(char **field)
{
    HANDLE *handle = handle_of(field[1]);
    DWORD error = handle == NULL ? ERROR_INVALID_HANDLE : CloseHandle(*handle) ? 0 : GetLastError();

    if (handle != NULL)
        *handle = NULL;
    return error;
}

static DWORD make_directory(char **field)
{
    return CreateDirectoryW(widen(field[1]), NULL) ? 0 : GetLastError();
}

static DWORD attributes(char **field)
{
    return GetFileAttributesW(widen(field[1])) != INVALID_FILE_ATTRIBUTES ? 0 : GetLastError();
}

static DWORD delete_file(char **field)
{
    return DeleteFileW(widen(field[1])) ? 0 : GetLastError();
}

static const struct {
    const char *name;
    int fields; /* its own */
    int times;  /* which field says how often; 0: once */
    DWORD (*call)(char **field);
} calls[] = {
    {"map", 2, 0, map},
    {"unmap", 2, 0, unmap},
    {"open", 7, 6, open_once},
    {"read", 2, 0, read_file},
    {"write", 2, 0, write_file},
    {"close", 1, 0, close_file},
    {"make-directory", 1, 0, make_directory},
    {"attributes", 1, 0, attributes},
    {"delete", 1, 0, delete_file},
};

static int split(char *line, char **field)
{
    int count = 0;

    line[strcspn(line, "\r\n")] = '\0';
    while (count < FIELDS_MAX) {
        field[count++] = line;
        line = strchr(line, '\t');
        if (line == NULL)
            break;
        *line++ = '\0';
    }
    return count;
}

static int serve(char *line)
{
    char *field[FIELDS_MAX];
    int count = split(line, field);

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        unsigned long times, others = 0, first, other = 0;
        if (strcmp(calls[i].name, field[0]) != 0 || calls[i].fields != count - 1)
            continue;
        times = calls[i].times ? strtoul(field[calls[i].times], NULL, 0) : 1;
        first = calls[i].call(field);
        while (times-- > 1) {
            DWORD error = calls[i].call(field);
            if (error != first) {
                others++;
                other = error;
            }
        }
        printf("done\t%lu\t%lu\t%lu\n", first, others, other);
        fflush(stdout);
        return 0;
    }
    fprintf(stderr, "casesteps: not understood: %s, with %d fields\n", field[0], count - 1);
    return 1;
}

int main(void)
{
    static char line[LINE_MAX];

    setvbuf(stdin, NULL, _IONBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL)
        if (serve(line) != 0)
            return 1;
    return 0;
}
