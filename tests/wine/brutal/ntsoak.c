/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ntsoak.exe - file work without end, for tests that kill it, or what it works with.
 *
 *   ntsoak FOLDER NUMBER [THREADS]    FOLDER is on a letter that is there; default 4 threads
 *
 * Every thread has a folder of its own below FOLDER\NUMBER, removes what it finds there first, and knows at any time
 * what is in it: there every call must do what it is told. All threads of all such programs share FOLDER\shared, where
 * others may be in the way: an error must be one that they explain.
 *
 * Orders are lines of standard input; each is answered by a line:
 *   hold         open FOLDER\NUMBER\held, and write to it            ERROR MILLISECONDS
 *   use          write to it, read from it                           ERROR MILLISECONDS
 *   drop         close it                                            ERROR MILLISECONDS
 *   open         make a file, read it, delete it                     ERROR MILLISECONDS
 *   work         start the threads                                   0 0
 *   failure      wait until a thread fails                           ERROR MILLISECONDS
 *   terminate    TerminateProcess on itself, in the midst of it      no answer
 * At the end of its input it lets the threads end and says: calls=N errors=N slowest=MILLISECONDS, and the first error.
 * Exit status: 0, 1 a thread had an error, 2 wrong usage.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>
#include <winnetwk.h>

#define THREADS_MAX  16
#define FILES        4
#define TRANSFER_MAX 100000
#define PATH_UNITS   MAX_PATH

static const WCHAR *top;
static unsigned number, thread_count = 4;
static HANDLE threads[THREADS_MAX], held = INVALID_HANDLE_VALUE, failed;
static volatile LONG stopping;
static volatile LONG64 calls;

static CRITICAL_SECTION lock; /* the first error, and how many there were */
static unsigned errors;
static DWORD first_error, first_duration, slowest;
static char first_call[256];

/* ---- calls, with what they take ---- */

struct worker {
    WCHAR folder[PATH_UNITS];
    uint64_t chance;
    bool there[FILES]; /* which files, and how long and of which bytes they are */
    DWORD size[FILES];
    unsigned char seed[FILES];
    unsigned char *buffer;
    DWORD started;
};

static DWORD below(struct worker *worker, DWORD limit)
{
    worker->chance = worker->chance * 6364136223846793005 + 1442695040888963407;
    return (DWORD)(worker->chance >> 33) % limit;
}

static void begin(struct worker *worker)
{
    InterlockedIncrement64(&calls);
    worker->started = GetTickCount();
}

static void fail(struct worker *worker, const char *call, DWORD error, DWORD duration)
{
    EnterCriticalSection(&lock);
    if (errors++ == 0) {
        first_error = error;
        first_duration = duration;
        snprintf(first_call, sizeof(first_call), "%s in %ls", call, worker->folder);
        SetEvent(failed);
    }
    LeaveCriticalSection(&lock);
    stopping = 1; /* what this thread knows of its folder may be wrong from now on */
}

/* Whether the call that began did what it should. */
static bool end(struct worker *worker, const char *call, BOOL success)
{
    DWORD error = GetLastError(), duration = GetTickCount() - worker->started;

    if (duration > slowest)
        slowest = duration;
    if (!success)
        fail(worker, call, error, duration);
    return success;
}

/* The same where others may be in the way. */
static bool end_shared(struct worker *worker, const char *call, BOOL success)
{
    static const DWORD explained[] = {ERROR_FILE_NOT_FOUND, ERROR_ACCESS_DENIED,  ERROR_SHARING_VIOLATION,
                                      ERROR_FILE_EXISTS,    ERROR_ALREADY_EXISTS, ERROR_LOCK_VIOLATION};
    DWORD error = GetLastError();

    for (size_t i = 0; !success && i < ARRAYSIZE(explained); i++)
        if (error == explained[i])
            return false;
    SetLastError(error);
    return end(worker, call, success);
}

#define CALL(worker, call)        (begin(worker), end(worker, #call, call))
#define SHARED_CALL(worker, call) (begin(worker), end_shared(worker, #call, call))

/* ---- a folder of one's own ---- */

static void name_of(const struct worker *worker, unsigned file, WCHAR *path)
{
    _snwprintf(path, PATH_UNITS, L"%ls\\file %u.bin", worker->folder, file);
}

static void fill(unsigned char *buffer, unsigned char seed, DWORD size)
{
    for (DWORD i = 0; i < size; i++)
        buffer[i] = (unsigned char)(seed + i * 7 + i / 251);
}

static bool is_filled(const unsigned char *buffer, unsigned char seed, DWORD from, DWORD size)
{
    for (DWORD i = from; i < from + size; i++)
        if (buffer[i - from] != (unsigned char)(seed + i * 7 + i / 251))
            return false;
    return true;
}

static void write_anew(struct worker *worker, unsigned file)
{
    DWORD size = below(worker, 8) ? below(worker, 5000) : below(worker, TRANSFER_MAX), done = 0;
    unsigned char seed = (unsigned char)below(worker, 256);
    WCHAR path[PATH_UNITS];
    HANDLE handle;

    name_of(worker, file, path);
    fill(worker->buffer, seed, size);
    if (!CALL(worker, (handle = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL)) !=
                          INVALID_HANDLE_VALUE))
        return;
    CALL(worker, WriteFile(handle, worker->buffer, size, &done, NULL) && done == size);
    if (below(worker, 8) == 0)
        CALL(worker, FlushFileBuffers(handle));
    CALL(worker, CloseHandle(handle));
    worker->there[file] = true;
    worker->size[file] = size;
    worker->seed[file] = seed;
}

static void read_back(struct worker *worker, unsigned file)
{
    DWORD done = 0, from;
    WCHAR path[PATH_UNITS];
    OVERLAPPED at = {0};
    HANDLE handle;

    name_of(worker, file, path);
    if (!CALL(worker, (handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL)) !=
                          INVALID_HANDLE_VALUE))
        return;
    from = worker->size[file] ? below(worker, worker->size[file]) : 0;
    at.Offset = from;
    CALL(worker, GetFileSize(handle, NULL) == worker->size[file]);
    if (worker->size[file] > from) {
        CALL(worker, ReadFile(handle, worker->buffer, TRANSFER_MAX, &done, &at) && done == worker->size[file] - from);
        SetLastError(ERROR_CRC);
        CALL(worker, is_filled(worker->buffer, worker->seed[file], from, done));
    }
    CALL(worker, CloseHandle(handle));
}

static void delete_file(struct worker *worker, unsigned file)
{
    WCHAR path[PATH_UNITS];

    name_of(worker, file, path);
    CALL(worker, DeleteFileW(path));
    worker->there[file] = false;
}

static void rename_file(struct worker *worker, unsigned file)
{
    unsigned other = (file + 1) % FILES;
    WCHAR path[PATH_UNITS], path2[PATH_UNITS];

    name_of(worker, file, path);
    name_of(worker, other, path2);
    if (!CALL(worker, MoveFileExW(path, path2, MOVEFILE_REPLACE_EXISTING)))
        return;
    worker->there[file] = false;
    worker->there[other] = true;
    worker->size[other] = worker->size[file];
    worker->seed[other] = worker->seed[file];
}

static void list_files(struct worker *worker)
{
    unsigned expected = 0, found = 0;
    WIN32_FIND_DATAW data;
    WCHAR path[PATH_UNITS];
    HANDLE find;

    for (unsigned i = 0; i < FILES; i++)
        expected += worker->there[i];
    _snwprintf(path, PATH_UNITS, L"%ls\\*", worker->folder);
    if (!CALL(worker, (find = FindFirstFileW(path, &data)) != INVALID_HANDLE_VALUE))
        return;
    do
        found += data.cFileName[0] != '.';
    while (FindNextFileW(find, &data));
    CALL(worker, GetLastError() == ERROR_NO_MORE_FILES);
    SetLastError(ERROR_CRC);
    CALL(worker, found == expected);
    FindClose(find);
}

static void lock_range(struct worker *worker, unsigned file)
{
    OVERLAPPED at = {.Offset = below(worker, 1000)};
    WCHAR path[PATH_UNITS];
    HANDLE handle;

    name_of(worker, file, path);
    if (!CALL(worker, (handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL)) !=
                          INVALID_HANDLE_VALUE))
        return;
    CALL(worker, LockFileEx(handle, LOCKFILE_EXCLUSIVE_LOCK, 0, 100, 0, &at));
    if (below(worker, 2)) /* otherwise the close unlocks */
        CALL(worker, UnlockFileEx(handle, 0, 100, 0, &at));
    CALL(worker, CloseHandle(handle));
}

static void work_alone(struct worker *worker)
{
    unsigned file = below(worker, FILES);

    if (!worker->there[file]) {
        write_anew(worker, file);
        return;
    }
    switch (below(worker, 8)) {
    case 0:
        write_anew(worker, file);
        break;
    case 1:
        delete_file(worker, file);
        break;
    case 2:
        rename_file(worker, file);
        break;
    case 3:
        list_files(worker);
        break;
    case 4:
        lock_range(worker, file);
        break;
    default:
        read_back(worker, file);
        break;
    }
}

/* ---- the folder of all ---- */

static void use_shared_file(struct worker *worker, const WCHAR *path)
{
    static const DWORD dispositions[] = {OPEN_EXISTING, OPEN_ALWAYS, CREATE_ALWAYS, CREATE_NEW};
    OVERLAPPED at = {.Offset = below(worker, 4000)};
    DWORD share = below(worker, 8), disposition = dispositions[below(worker, 4)], done;
    HANDLE handle;

    if (!SHARED_CALL(worker, (handle = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, share, NULL, disposition,
                                                   below(worker, 16) ? 0 : FILE_FLAG_DELETE_ON_CLOSE, NULL)) !=
                                 INVALID_HANDLE_VALUE))
        return;
    if (below(worker, 4) == 0)
        SHARED_CALL(worker, LockFileEx(handle, LOCKFILE_FAIL_IMMEDIATELY, 0, 100, 0, &at));
    SHARED_CALL(worker, WriteFile(handle, worker->buffer, below(worker, 3000), &done, &at));
    SHARED_CALL(worker, ReadFile(handle, worker->buffer, below(worker, 3000), &done, &at) ||
                            GetLastError() == ERROR_HANDLE_EOF);
    CALL(worker, CloseHandle(handle));
}

static void work_shared(struct worker *worker)
{
    WCHAR path[PATH_UNITS], path2[PATH_UNITS];

    _snwprintf(path, PATH_UNITS, L"%ls\\shared\\%u", top, below(worker, FILES));
    _snwprintf(path2, PATH_UNITS, L"%ls\\shared\\%u", top, below(worker, FILES));
    switch (below(worker, 8)) {
    case 0:
        SHARED_CALL(worker, DeleteFileW(path));
        break;
    case 1:
        SHARED_CALL(worker, MoveFileExW(path, path2, below(worker, 2) ? MOVEFILE_REPLACE_EXISTING : 0));
        break;
    case 2:
        SHARED_CALL(worker, GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES);
        break;
    default:
        use_shared_file(worker, path);
        break;
    }
}

/* ---- threads ---- */

/* What one that was killed has left is nobody's, and goes at once. */
static void begin_folder(struct worker *worker)
{
    WCHAR path[PATH_UNITS];

    CALL(worker, CreateDirectoryW(worker->folder, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
    for (unsigned i = 0; i < FILES; i++) {
        name_of(worker, i, path);
        CALL(worker, DeleteFileW(path) || GetLastError() == ERROR_FILE_NOT_FOUND);
    }
}

static DWORD WINAPI work(void *argument)
{
    struct worker worker = {.chance = (GetTickCount() ^ (uint64_t)(ULONG_PTR)argument << 40) * 2 + 1,
                            .buffer = malloc(TRANSFER_MAX)};

    _snwprintf(worker.folder, PATH_UNITS, L"%ls\\%u\\%u", top, number, (unsigned)(ULONG_PTR)argument);
    if (!worker.buffer)
        return 1;
    begin_folder(&worker);
    while (!stopping) {
        if (below(&worker, 4))
            work_alone(&worker);
        else
            work_shared(&worker);
    }
    for (unsigned i = 0; !errors && i < FILES; i++)
        if (worker.there[i])
            delete_file(&worker, i);
    if (!errors)
        CALL(&worker, RemoveDirectoryW(worker.folder));
    free(worker.buffer);
    return 0;
}

static void start_threads(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        threads[i] = CreateThread(NULL, 0, work, (void *)(ULONG_PTR)i, 0, NULL);
}

static void stop_threads(void)
{
    stopping = 1;
    for (unsigned i = 0; i < thread_count && threads[i]; i++) {
        WaitForSingleObject(threads[i], INFINITE);
        CloseHandle(threads[i]);
    }
}

/* ---- orders ---- */

static bool hold(void)
{
    WCHAR path[PATH_UNITS];

    _snwprintf(path, PATH_UNITS, L"%ls\\%u\\held", top, number);
    held = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    return held != INVALID_HANDLE_VALUE;
}

static bool use(void)
{
    char text[] = "held";
    OVERLAPPED at = {0};
    DWORD done;

    return WriteFile(held, text, sizeof(text), &done, &at) && ReadFile(held, text, sizeof(text), &done, &at);
}

static bool open_another(void)
{
    WCHAR path[PATH_UNITS];
    char text[] = "another";
    HANDLE file;
    DWORD done;
    bool good;

    _snwprintf(path, PATH_UNITS, L"%ls\\%u\\another", top, number);
    file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return false;
    good = WriteFile(file, text, sizeof(text), &done, NULL) && SetFilePointer(file, 0, NULL, FILE_BEGIN) == 0 &&
           ReadFile(file, text, sizeof(text), &done, NULL) && done == sizeof(text);
    done = GetLastError();
    CloseHandle(file);
    SetLastError(done);
    return good && DeleteFileW(path);
}

static void obey(const char *order)
{
    DWORD started = GetTickCount(), duration;
    bool good = true;

    SetLastError(0);
    if (strcmp(order, "hold\n") == 0)
        good = hold();
    else if (strcmp(order, "use\n") == 0)
        good = use();
    else if (strcmp(order, "drop\n") == 0)
        good = CloseHandle(held);
    else if (strcmp(order, "open\n") == 0)
        good = open_another();
    else if (strcmp(order, "work\n") == 0)
        start_threads();
    else if (strcmp(order, "terminate\n") == 0)
        TerminateProcess(GetCurrentProcess(), 9);
    duration = GetTickCount() - started;
    if (strcmp(order, "failure\n") == 0) {
        WaitForSingleObject(failed, 60000);
        good = first_error == 0;
        duration = slowest;
        SetLastError(first_error);
    }
    printf("%lu %lu\n", good ? 0 : GetLastError(), duration);
    fflush(stdout);
}

static bool begin_top(void)
{
    WCHAR remote[MAX_PATH], letter[] = {top[0], ':', 0}, path[PATH_UNITS];
    DWORD size = ARRAYSIZE(remote);

    /* mpr.dll is what loads the network's provider, and this call what keeps it linked. */
    if (WNetGetConnectionW(letter, remote, &size) != NO_ERROR)
        return false;
    CreateDirectoryW(top, NULL);
    _snwprintf(path, PATH_UNITS, L"%ls\\shared", top);
    CreateDirectoryW(path, NULL);
    _snwprintf(path, PATH_UNITS, L"%ls\\%u", top, number);
    return CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS;
}

int wmain(int argc, WCHAR **argv);
int wmain(int argc, WCHAR **argv)
{
    char order[32];

    if (argc < 3) {
        fputs("usage: ntsoak FOLDER NUMBER [THREADS]\n", stderr);
        return 2;
    }
    top = argv[1];
    number = (unsigned)_wtoi(argv[2]);
    if (argc > 3)
        thread_count = (unsigned)_wtoi(argv[3]) % (THREADS_MAX + 1);
    InitializeCriticalSection(&lock);
    failed = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!begin_top()) {
        printf("%lu 0\n", GetLastError());
        return 1;
    }
    while (fgets(order, sizeof(order), stdin))
        obey(order);
    stop_threads();
    printf("calls=%lld errors=%u slowest=%lu %lu %s\n", (long long)calls, errors, slowest, first_error, first_call);
    return errors != 0;
}
