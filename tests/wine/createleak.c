/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createleak.exe - opens a name on a mapped drive that cannot be opened, many times, and reads the paged pool as any
 * Windows program can: before, meanwhile, after. An ordinary Win32 console program for NT 4.0 and later: no C runtime,
 * and only imports that stand in createleak.imports. Usage and exit statuses: createleak /?
 *
 * Standard output, one fact per line, fields separated by one space, a field that is not known is "-":
 *
 *   createleak 1                        version of this format
 *   connected X: \\server\share
 *   file PATH BYTES equal|read          /file: opened and read; "equal" with /text, after a comparison
 *   cwd DIRECTORY                       of the letter: what a bare "X:" stands for. To the end of the line
 *   then for every /name, in their order:
 *     name NAME                         to the end of the line
 *     before pages=P page_size=B source=S class2=P allocs=N frees=N tagged=B
 *                                       S: performance_info or class2, where pages and page_size come from;
 *                                       class2, allocs, frees: SystemPerformanceInformation's paged pool pages,
 *                                       allocations, frees; tagged: paged bytes over all tags, class 22
 *     sample OPENS PAGES                /samples: after so many calls
 *     error CODE COUNT                  GetLastError after the calls, ascending; CODE 0: the name did open
 *     opens N                           calls made
 *     time_us N                         of the calls alone, samples not counted
 *     after pages=P ...                 as before
 *     tag TAG blocks=N bytes=N          the tag that grew most in paged bytes, if one grew
 *     reopen CODE                       /file: a valid open of it again
 *   disconnected X:                     /disconnect
 *   done STATUS                         the exit status
 *
 * What goes wrong is said in words on standard error.
 */
#include "createleak_text.h"

#include <winnetwk.h>

#include "createleak_pool.h"

#define NAMES_MAX  16
#define ERRORS_MAX 64
#define ARGS_MAX   64

enum exit_status {
    STATUS_DONE = 0,
    STATUS_USAGE = 1,
    STATUS_NOT_CONNECTED = 2,
    STATUS_FILE_WRONG = 3,
    STATUS_NAME_OPENED = 4,
    STATUS_NO_POOL = 5,
    STATUS_NOT_REOPENED = 6,
    STATUS_NOT_DISCONNECTED = 7,
};

static const char usage[] =
    "usage: createleak LETTER: \\\\server\\share [options]\r\n"
    "  /name:NAME    what is given to CreateFile, up to 16 times; LETTER: itself if there is none\r\n"
    "  /opens:N      calls per name, 1 to 4294967295; 1000 if not given\r\n"
    "  /samples:K    print the paged pool K times meanwhile\r\n"
    "  /until:CODE   stop calling once GetLastError is CODE\r\n"
    "  /file:NAME    a file on the share: opened and read at the start, opened again after each name\r\n"
    "  /text:TEXT    what must stand in the file's first line\r\n"
    "  /cwd:DIR      the letter's current directory; LETTER:\\ if not given\r\n"
    "  /user:NAME    connect as NAME, the password being a line of standard input\r\n"
    "  /disconnect   disconnect the letter at the end\r\n"
    "exit status: 0 done; 1 wrong usage; 2 the letter was not connected; 3 /file was not opened, read or equal;\r\n"
    "  4 a name did open; 5 the paged pool cannot be read; 6 /file did not open again; 7 not disconnected.\r\n"
    "  The first of 2 to 7 that happens, except that 4 to 6 do not end the run.\r\n";

/* ---- the command line ---- */

static struct {
    WCHAR letter[3];
    const WCHAR *remote;
    const WCHAR *names[NAMES_MAX];
    int name_count;
    const WCHAR *file, *text, *user, *cwd;
    DWORD opens, samples, until;
    BOOL has_until, disconnect;
} options;

/* Splits by the rules of every Windows C runtime: backslashes count only before a quote. Writes into `to`. */
static int split_command_line(const WCHAR *from, WCHAR *to, WCHAR **argv, int most)
{
    int argc = 0;

    for (;;) {
        BOOL quoted = FALSE;

        while (*from == ' ' || *from == '\t')
            from++;
        if (!*from)
            return argc;
        if (argc == most)
            return -1;
        argv[argc++] = to;
        while (*from && (quoted || (*from != ' ' && *from != '\t'))) {
            size_t backslashes = 0;

            while (*from == '\\') {
                backslashes++;
                from++;
            }
            if (*from == '"') {
                for (size_t i = 0; i < backslashes / 2; i++)
                    *to++ = '\\';
                if (backslashes % 2)
                    *to++ = '"';
                else
                    quoted = !quoted;
                from++;
                continue;
            }
            while (backslashes--)
                *to++ = '\\';
            if (*from && (quoted || (*from != ' ' && *from != '\t')))
                *to++ = *from++;
        }
        *to++ = '\0';
    }
}

static BOOL parse_number(const WCHAR *text, DWORD least, DWORD *ret_number)
{
    ULONGLONG number = 0;

    if (!*text)
        return FALSE;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return FALSE;
        number = number * 10 + (unsigned)(*text - '0');
        if (number > 0xFFFFFFFFu)
            return FALSE;
    }
    if (number < least)
        return FALSE;
    *ret_number = (DWORD)number;
    return TRUE;
}

static BOOL is_file_name(const WCHAR *name)
{
    if (!*name)
        return FALSE;
    for (; *name; name++)
        if (*name == ':' || *name == '*' || *name == '?')
            return FALSE;
    return TRUE;
}

static BOOL parse_option(const WCHAR *argument)
{
    const WCHAR *value;

    if ((value = after_prefix(argument, "/name:")) != NULL) {
        if (!*value || options.name_count == NAMES_MAX)
            return FALSE;
        options.names[options.name_count++] = value;
        return TRUE;
    }
    if ((value = after_prefix(argument, "/opens:")) != NULL)
        return parse_number(value, 1, &options.opens);
    if ((value = after_prefix(argument, "/samples:")) != NULL)
        return parse_number(value, 1, &options.samples);
    if ((value = after_prefix(argument, "/until:")) != NULL) {
        options.has_until = parse_number(value, 0, &options.until);
        return options.has_until;
    }
    if ((value = after_prefix(argument, "/file:")) != NULL) {
        options.file = value;
        return is_file_name(value);
    }
    if ((value = after_prefix(argument, "/text:")) != NULL) {
        options.text = value;
        return TRUE;
    }
    if ((value = after_prefix(argument, "/cwd:")) != NULL) {
        options.cwd = value;
        return *value != '\0';
    }
    if ((value = after_prefix(argument, "/user:")) != NULL) {
        options.user = value;
        return *value != '\0';
    }
    if ((value = after_prefix(argument, "/disconnect")) != NULL) {
        options.disconnect = TRUE;
        return *value == '\0';
    }
    return FALSE;
}

static BOOL parse_arguments(int argc, WCHAR **argv)
{
    options.opens = 1000;
    if (argc < 3) {
        complain("a letter and a share are needed; createleak /? tells more", NULL, 0);
        return FALSE;
    }
    if (lower(argv[1][0]) < 'a' || lower(argv[1][0]) > 'z' || argv[1][1] != ':' || argv[1][2]) {
        complain("a drive letter and a colon are meant, not", argv[1], 0);
        return FALSE;
    }
    options.letter[0] = argv[1][0];
    options.letter[1] = ':';
    if (argv[2][0] != '\\' || argv[2][1] != '\\') {
        complain("a share like \\\\server\\share is meant, not", argv[2], 0);
        return FALSE;
    }
    options.remote = argv[2];
    for (int i = 3; i < argc; i++) {
        if (!parse_option(argv[i])) {
            complain("no such option, or a bad value in it:", argv[i], 0);
            return FALSE;
        }
    }
    if (options.text && !options.file) {
        complain("/text needs /file", NULL, 0);
        return FALSE;
    }
    if (!options.name_count)
        options.names[options.name_count++] = options.letter;
    return TRUE;
}

/* ---- connecting ---- */

/* A line of standard input, without echo where it is a console. */
static BOOL read_password(WCHAR *password, int size)
{
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    char text[512];
    DWORD mode = 0, got;
    int length = 0;
    BOOL console = GetConsoleMode(in, &mode), any = FALSE, good;

    if (console) {
        put("password: ");
        print_prompt();
        SetConsoleMode(in, mode & ~(DWORD)ENABLE_ECHO_INPUT);
    }
    while (length < (int)sizeof(text) && ReadFile(in, text + length, 1, &got, NULL) && got == 1) {
        any = TRUE;
        if (text[length] == '\n')
            break;
        if (text[length] != '\r')
            length++;
    }
    if (console) {
        SetConsoleMode(in, mode);
        end_prompt();
    }
    if (!any)
        return FALSE;
    password[0] = '\0';
    good = length == 0;
    if (length > 0) {
        int wide = MultiByteToWideChar(CP_UTF8, 0, text, length, password, size - 1);

        password[wide] = '\0';
        good = wide > 0;
    }
    memset(text, 0, sizeof(text));
    return good;
}

static BOOL connect_letter(void)
{
    WCHAR password[256];
    NETRESOURCEW resource;
    DWORD error;

    if (options.user && !read_password(password, sizeof(password) / sizeof(password[0]))) {
        complain("/user needs the password as a line of standard input", NULL, 0);
        return FALSE;
    }
    memset(&resource, 0, sizeof(resource));
    resource.dwType = RESOURCETYPE_DISK;
    resource.lpLocalName = options.letter;
    resource.lpRemoteName = (WCHAR *)options.remote;
    error = WNetAddConnection2W(&resource, options.user ? password : NULL, options.user, 0);
    memset(password, 0, sizeof(password));
    if (error) {
        complain("the letter cannot be connected to", options.remote, error);
        return FALSE;
    }
    put("connected ");
    put_wide(options.letter);
    put_char(' ');
    put_wide(options.remote);
    print_line();
    return TRUE;
}

static BOOL disconnect_letter(void)
{
    DWORD error = WNetCancelConnection2W(options.letter, 0, FALSE);

    if (error) {
        complain("the letter cannot be disconnected:", options.letter, error);
        return FALSE;
    }
    put("disconnected ");
    put_wide(options.letter);
    print_line();
    return TRUE;
}

/* ---- the file ---- */

static WCHAR file_path[1024];

static BOOL make_file_path(void)
{
    size_t length = 0;
    const WCHAR *name = options.file;

    if (length_of(name) + 4 > sizeof(file_path) / sizeof(file_path[0]))
        return FALSE;
    file_path[length++] = options.letter[0];
    file_path[length++] = ':';
    if (*name != '\\')
        file_path[length++] = '\\';
    while (*name)
        file_path[length++] = *name++;
    file_path[length] = '\0';
    return TRUE;
}

static HANDLE open_existing(const WCHAR *name)
{
    return CreateFileW(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
}

/* Whether the bytes before the first line end are the text, as UTF-8. */
static BOOL first_line_is(const char *bytes, DWORD count, const WCHAR *text)
{
    static char wanted[4096];
    int length = WideCharToMultiByte(CP_UTF8, 0, text, (int)length_of(text), wanted, sizeof(wanted), NULL, NULL);
    DWORD end = 0;

    while (end < count && bytes[end] != '\n' && bytes[end] != '\r')
        end++;
    if (length < 0 || (DWORD)length != end)
        return FALSE;
    for (DWORD i = 0; i < end; i++)
        if (bytes[i] != wanted[i])
            return FALSE;
    return TRUE;
}

static BOOL check_file(void)
{
    static char bytes[16384];
    HANDLE file;
    DWORD count = 0, part;

    if (!make_file_path()) {
        complain("/file is too long", NULL, 0);
        return FALSE;
    }
    file = open_existing(file_path);
    if (file == INVALID_HANDLE_VALUE) {
        complain("cannot open", file_path, GetLastError());
        return FALSE;
    }
    do {
        if (!ReadFile(file, bytes + count, sizeof(bytes) - count, &part, NULL)) {
            complain("cannot read", file_path, GetLastError());
            CloseHandle(file);
            return FALSE;
        }
        count += part;
    } while (part && count < sizeof(bytes));
    CloseHandle(file);
    if (options.text && !first_line_is(bytes, count, options.text)) {
        complain("another text than expected is in", file_path, 0);
        return FALSE;
    }
    put("file ");
    put_wide(file_path);
    put_char(' ');
    put_number(count);
    put(options.text ? " equal" : " read");
    print_line();
    return TRUE;
}

static BOOL reopen_file(void)
{
    HANDLE file = open_existing(file_path);
    DWORD error = file == INVALID_HANDLE_VALUE ? GetLastError() : 0;

    if (file != INVALID_HANDLE_VALUE)
        CloseHandle(file);
    put("reopen ");
    put_number(error);
    print_line();
    return error == 0;
}

/* ---- the calls ---- */

struct count {
    DWORD error, times;
};

static struct {
    struct count counts[ERRORS_MAX];
    int used;
    DWORD opens;
    ULONGLONG time_us;
} result;

static ULONGLONG now_us(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER counter;
    ULONGLONG seconds;

    if (!frequency.QuadPart && !QueryPerformanceFrequency(&frequency))
        frequency.QuadPart = -1;
    if (frequency.QuadPart <= 0 || !QueryPerformanceCounter(&counter))
        return (ULONGLONG)GetTickCount() * 1000;
    seconds = (ULONGLONG)counter.QuadPart / (ULONGLONG)frequency.QuadPart;
    return seconds * 1000000 +
           ((ULONGLONG)counter.QuadPart % (ULONGLONG)frequency.QuadPart) * 1000000 / (ULONGLONG)frequency.QuadPart;
}

/* Kept in ascending order. More than ERRORS_MAX different ones are counted with the last. */
static void count_error(DWORD error)
{
    int at = 0;

    while (at < result.used && result.counts[at].error < error)
        at++;
    if (at < result.used && result.counts[at].error == error) {
        result.counts[at].times++;
        return;
    }
    if (result.used == ERRORS_MAX) {
        result.counts[ERRORS_MAX - 1].times++;
        return;
    }
    for (int i = result.used; i > at; i--)
        result.counts[i] = result.counts[i - 1];
    result.counts[at].error = error;
    result.counts[at].times = 1;
    result.used++;
}

static DWORD call_once(const WCHAR *name)
{
    HANDLE file = open_existing(name);

    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    CloseHandle(file);
    return 0;
}

static void print_sample(void)
{
    struct pool pool;

    read_pages(&pool);
    put("sample ");
    put_number(result.opens);
    put_field(" ", has_pages(&pool), pages_of(&pool));
    print_line();
}

static void call_many(const WCHAR *name)
{
    DWORD sample_number = 1;
    ULONGLONG start;

    memset(&result, 0, sizeof(result));
    start = now_us();
    while (result.opens < options.opens) {
        DWORD error = call_once(name);

        count_error(error);
        result.opens++;
        if (options.samples && result.opens >= (ULONGLONG)options.opens * sample_number / options.samples) {
            result.time_us += now_us() - start;
            print_sample();
            do
                sample_number++;
            while (sample_number <= options.samples &&
                   result.opens >= (ULONGLONG)options.opens * sample_number / options.samples);
            start = now_us();
        }
        if (options.has_until && error == options.until)
            break;
    }
    result.time_us += now_us() - start;
}

static enum exit_status run_name(const WCHAR *name)
{
    struct pool before, after;
    enum exit_status status = STATUS_DONE;

    put("name ");
    put_wide(name);
    print_line();
    read_pool_before(&before);
    call_many(name);
    for (int i = 0; i < result.used; i++) {
        put("error ");
        put_number(result.counts[i].error);
        put_char(' ');
        put_number(result.counts[i].times);
        print_line();
        if (result.counts[i].error == 0)
            status = STATUS_NAME_OPENED;
    }
    put("opens ");
    put_number(result.opens);
    print_line();
    put("time_us ");
    put_number(result.time_us);
    print_line();
    read_pool_after(&after);
    if (status == STATUS_DONE && (!has_pages(&before) || !has_pages(&after)))
        status = STATUS_NO_POOL;
    if (options.file && !reopen_file() && status == STATUS_DONE)
        status = STATUS_NOT_REOPENED;
    return status;
}

/* "=X:" is where Windows keeps a drive's current directory: with anything but the root there, "X:" is another name. */
static void set_letter_directory(void)
{
    WCHAR variable[] = {'=', options.letter[0], ':', '\0'};
    WCHAR root[] = {options.letter[0], ':', '\\', '\0'};

    if (lower(variable[1]) == variable[1])
        variable[1] = (WCHAR)(variable[1] - ('a' - 'A'));
    SetEnvironmentVariableW(variable, options.cwd ? options.cwd : root);
    put("cwd ");
    put_wide(options.cwd ? options.cwd : root);
    print_line();
}

static enum exit_status run(void)
{
    enum exit_status status = STATUS_DONE;

    put("createleak 1");
    print_line();
    if (!connect_letter())
        return STATUS_NOT_CONNECTED;
    find_pool_functions();
    if (options.file && !check_file())
        status = STATUS_FILE_WRONG;
    if (status == STATUS_DONE) {
        set_letter_directory();
        for (int i = 0; i < options.name_count; i++) {
            enum exit_status one = run_name(options.names[i]);

            if (status == STATUS_DONE)
                status = one;
        }
    }
    if (options.disconnect && !disconnect_letter() && status == STATUS_DONE)
        status = STATUS_NOT_DISCONNECTED;
    return status;
}

static enum exit_status create_leak(void)
{
    static WCHAR text[33000];
    static WCHAR *argv[ARGS_MAX];
    const WCHAR *command_line = GetCommandLineW();
    enum exit_status status;
    int argc;

    if (length_of(command_line) >= sizeof(text) / sizeof(text[0]) - ARGS_MAX) {
        complain("the command line is too long", NULL, 0);
        return STATUS_USAGE;
    }
    argc = split_command_line(command_line, text, argv, ARGS_MAX);
    if (argc < 0) {
        complain("too many arguments", NULL, 0);
        return STATUS_USAGE;
    }
    if (argc > 1 && (after_prefix(argv[1], "/?") || after_prefix(argv[1], "--help"))) {
        DWORD written;

        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), usage, sizeof(usage) - 1, &written, NULL);
        return STATUS_DONE;
    }
    if (!parse_arguments(argc, argv))
        return STATUS_USAGE;
    status = run();
    put("done ");
    put_number(status);
    print_line();
    return status;
}

void mainCRTStartup(void);

/* The linker's entry point of a console program. */
void mainCRTStartup(void)
{
    ExitProcess(create_leak());
}
