/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.c - "rdrlab trace": one create of a name, on a machine of its own with a share in memory, told layer by layer.
 * Nothing but this program is needed. Or the same on a live machine, for one name or for all that its clients open.
 */
#include <ntemu/createtext.h>
#include <ntemu/machine.h>
#include <ntemu/ntifs.h>
#include <ntemu/trace.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "createfile.h"
#include "follow.h"
#include "rdrlab.h"
#include "smb/mem.h"

#define TRACE_TEXT  ((size_t)256 * 1024)
#define FILES_MAX   64
#define SERVER_PORT 445

struct trace_file {
    const char *path;
    bool directory;
};

struct trace_options {
    const char *build, *machine;
    bool json, follow, failed, for_a_fresh_machine;
    ULONG access, share, disposition, options;
    struct trace_file files[FILES_MAX];
    size_t file_count;
};

static const char help[] =
    "usage: rdrlab trace [OPTION]... NAME...\n"
    "       rdrlab trace --follow [--failed] [--json] [--machine DIR]\n\n"
    "Opens each NAME on a fresh machine, whose X: is \\\\mem\\lab, a share in memory, and tells what happened: which "
    "layer\n"
    "decided the status and why, and what of the pool the call took, gave back and kept.\n\n"
    "NAME is a Win32 name as CreateFile passes it on (X:\\a, \\\\mem\\lab\\a; \"X:\" is the drive's root), or begins "
    "with\n"
    "\\??\\ or \\Device\\ and is taken as it is. Without other options it is CreateFile(NAME, GENERIC_READ,\n"
    "FILE_SHARE_READ, ..., OPEN_EXISTING).\n\n"
    "  --build B           the machine's build; default nt4-sp6\n"
    "  --file PATH         a file on the share, --dir PATH a directory; repeatable, parents first. Default: f.txt, "
    "dir,\n"
    "                      dir\\g.txt\n"
    "  --access A          GENERIC_READ, READ_DATA|SYNCHRONIZE, 0x80, ...\n"
    "  --share S           READ, WRITE, DELETE, none\n"
    "  --disposition D     OPEN, CREATE, OPEN_IF, OVERWRITE, OVERWRITE_IF, SUPERSEDE\n"
    "  --options O         NON_DIRECTORY_FILE|SYNCHRONOUS_IO_NONALERT, ...\n"
    "  --json              one JSON object a line (docs/trace.md)\n\n"
    "Of a live machine:\n"
    "  --machine DIR       open the names on the machine of this folder, as it sees them\n"
    "  --follow            tell of every create of its clients as it happens; of --failed only those that fail.\n"
    "                      Default machine: RDRLAB_MACHINE\n";

/* ---- options ---- */

static int read_field(EMU_CREATE_FIELD field, const char *option, ULONG *value)
{
    char names[600];

    if (EmuCreateParse(field, optarg, value))
        return 0;
    return complain(EXIT_USAGE, "--%s %s: there are %s, joined by |, and numbers", option, optarg,
                    EmuCreateNames(field, names, sizeof(names)));
}

static int add_file(struct trace_options *o, const char *path, bool directory)
{
    if (o->file_count == FILES_MAX)
        return complain(EXIT_USAGE, "more than %d files", FILES_MAX);
    o->files[o->file_count++] = (struct trace_file){path, directory};
    return 0;
}

static int take_option(struct trace_options *o, int found)
{
    switch (found) {
    case 'm':
        o->machine = optarg;
        return 0;
    case 'F':
        o->follow = true;
        return 0;
    case 'x':
        o->failed = true;
        return 0;
    case 'b':
        o->for_a_fresh_machine = true;
        o->build = optarg;
        return argument_build(optarg);
    case 'a':
        return read_field(EmuCreateAccess, "access", &o->access);
    case 's':
        return read_field(EmuCreateShare, "share", &o->share);
    case 'd':
        return read_field(EmuCreateDisposition, "disposition", &o->disposition);
    case 'o':
        return read_field(EmuCreateOptions, "options", &o->options);
    case 'f':
    case 'D':
        o->for_a_fresh_machine = true;
        return add_file(o, optarg, found == 'D');
    default:
        o->json = true;
        return 0;
    }
}

static int check_together(int argc, const struct trace_options *o)
{
    if (o->machine != NULL && o->for_a_fresh_machine)
        return complain(EXIT_USAGE, "--machine names one that runs: --build, --file and --dir are for a fresh one");
    if (o->follow && (o->for_a_fresh_machine || optind < argc))
        return complain(EXIT_USAGE, "--follow tells of what a machine's clients open: no names, no files");
    if (o->failed && !o->follow)
        return complain(EXIT_USAGE, "--failed is for --follow");
    if (!o->follow && optind == argc)
        return complain(EXIT_USAGE, "which name? \"rdrlab trace --help\" says more");
    return 0;
}

/* Returns 0, -1 for help, or an exit status having complained. */
static int read_options(int argc, char **argv, struct trace_options *o)
{
    static const struct option names[] = {{"build", required_argument, NULL, 'b'},
                                          {"access", required_argument, NULL, 'a'},
                                          {"share", required_argument, NULL, 's'},
                                          {"disposition", required_argument, NULL, 'd'},
                                          {"options", required_argument, NULL, 'o'},
                                          {"file", required_argument, NULL, 'f'},
                                          {"dir", required_argument, NULL, 'D'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"machine", required_argument, NULL, 'm'},
                                          {"follow", no_argument, NULL, 'F'},
                                          {"failed", no_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int found, rc = 0;

    opterr = 0;
    while (rc == 0 && (found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), -1;
        if (found == '?' || found == ':')
            return argument_refuse(argv[0], found, argv);
        rc = take_option(o, found);
    }
    if (rc == 0)
        rc = check_together(argc, o);
    if (rc == 0 && o->file_count == 0) {
        add_file(o, "f.txt", false);
        add_file(o, "dir", true);
        add_file(o, "dir\\g.txt", false);
    }
    return rc;
}

/* ---- the machine ---- */

static int complain_status(const char *what, NTSTATUS status)
{
    const char *name = EmuStatusName(status);

    return complain(EXIT_ENVIRONMENT, "%s: %s (%08X)", what, name != NULL ? name : "status", (unsigned)status);
}

static int make_share(struct smb_backend *mem, const struct trace_options *o)
{
    NTSTATUS status = smb_mem_add_share(mem, "mem", SERVER_PORT, "lab", FALSE);
    WCHAR buffer[CREATEFILE_NAME_MAX];

    if (!NT_SUCCESS(status))
        return complain_status("\\\\mem\\lab", status);
    for (size_t i = 0; i < o->file_count; i++) {
        UNICODE_STRING path;

        if (!createfile_utf16(o->files[i].path, buffer, &path))
            return complain(EXIT_USAGE, "%s: no UTF-8, or too long", o->files[i].path);
        status = smb_mem_add(mem, "lab", &path, o->files[i].directory ? NULL : "twelve bytes",
                             o->files[i].directory ? 0 : 12);
        if (!NT_SUCCESS(status))
            return complain_status(o->files[i].path, status);
    }
    return 0;
}

static int boot(struct smb_backend *mem, const struct trace_options *o)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab"), nobody = {0, 0, NULL};
    EMU_MACHINE_OPTIONS options = {.Build = o->build, .Smb = mem};
    char error[256] = "";
    NTSTATUS status;

    if (!NT_SUCCESS(EmuMachineBoot(&options, error, sizeof(error))))
        return complain(EXIT_ENVIRONMENT, "the machine does not boot: %s", error);
    status = EmuUseAdd('X' - 'A', &remote, &nobody, &nobody);
    return NT_SUCCESS(status) ? 0 : complain_status("X:", status);
}

/* The create, and with it what is left once a handle that it gave is closed. */
struct traces {
    PEMU_TRACE create, with_close;
    bool opened;
};

static void print_json(const struct traces *t, char *text)
{
    EMU_TRACE_SUM kept = EmuTraceKept(t->with_close);

    EmuTraceJson(t->create, text, TRACE_TEXT);
    printf("{\"create\":%s,\"closed\":", text);
    if (t->opened)
        printf("{\"kept\":{\"blocks\":%llu,\"bytes\":%llu}}}\n", (unsigned long long)kept.Blocks,
               (unsigned long long)kept.Bytes);
    else
        puts("null}");
}

static void print_text(const struct traces *t, char *text)
{
    EmuTraceText(t->create, text, TRACE_TEXT);
    fputs(text, stdout);
    if (!t->opened)
        return;
    printf("  closed again: kept %llu\n", (unsigned long long)EmuTraceKept(t->with_close).Blocks);
    for (ULONG i = 0; i < t->with_close->UseCount; i++) {
        const EMU_TRACE_USE *use = &t->with_close->Uses[i];

        if (use->Sums.Kept.Blocks != 0)
            printf("       kept %llu: %llu bytes %s %.4s %s:%u\n", (unsigned long long)use->Sums.Kept.Blocks,
                   (unsigned long long)use->Sums.Kept.Bytes, use->Paged ? "paged" : "nonpaged", (const char *)&use->Tag,
                   EmuPoolSiteFile(use->Site), use->Site->Line);
    }
}

static int trace_one(const struct trace_options *o, const char *name, struct traces *t, char *text)
{
    OBJECT_ATTRIBUTES attributes;
    WCHAR buffer[CREATEFILE_NAME_MAX];
    UNICODE_STRING string;
    IO_STATUS_BLOCK io;
    HANDLE handle = NULL;
    NTSTATUS status;

    if (!createfile_name(name, buffer, &string))
        return complain(EXIT_USAGE, "%s: no UTF-8, or too long", name);
    InitializeObjectAttributes(&attributes, &string, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (EmuTraceBegin(&t->with_close) != STATUS_SUCCESS)
        return complain(EXIT_ENVIRONMENT, "no memory for a trace");
    if (EmuTraceBegin(&t->create) != STATUS_SUCCESS) {
        EmuTraceEnd(t->with_close, STATUS_NO_MEMORY);
        return complain(EXIT_ENVIRONMENT, "no memory for a trace");
    }
    status = NtCreateFile(&handle, o->access, &attributes, &io, NULL, FILE_ATTRIBUTE_NORMAL, o->share, o->disposition,
                          o->options, NULL, 0);
    EmuTraceEnd(t->create, status);
    t->opened = handle != NULL;
    if (t->opened)
        NtClose(handle);
    EmuTraceEnd(t->with_close, status);
    if (o->json)
        print_json(t, text);
    else
        print_text(t, text);
    return 0;
}

/* A process gets its handle table with its first handle: that is none of the names'. */
static void make_handle_table(void)
{
    static UNICODE_STRING name = NT_STRING(u"\\Device\\LanmanRedirector");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    HANDLE handle;

    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    if (NT_SUCCESS(NtOpenFile(&handle, FILE_READ_ATTRIBUTES, &attributes, &io, 0, 0)))
        NtClose(handle);
}

static int trace_all(const struct trace_options *o, char **names, char *text)
{
    PEPROCESS process = EmuCreateProcess(0), before;
    struct traces traces = {NULL, NULL, false};
    int rc = 0;

    if (process == NULL)
        return complain(EXIT_ENVIRONMENT, "no pool for a process");
    before = EmuEnterProcess(process);
    make_handle_table();
    for (size_t i = 0; names[i] != NULL && rc == 0; i++) {
        if (i > 0 && !o->json)
            putchar('\n');
        rc = trace_one(o, names[i], &traces, text);
    }
    EmuTraceFree(traces.create);
    EmuTraceFree(traces.with_close);
    EmuEnterProcess(before);
    EmuDeleteProcess(process);
    return rc;
}

static int trace_on_machine(const struct trace_options *o, char **names)
{
    const struct wire_create request = {.object_flags = OBJ_CASE_INSENSITIVE,
                                        .desired_access = o->access,
                                        .file_attributes = FILE_ATTRIBUTE_NORMAL,
                                        .share_access = o->share,
                                        .disposition = o->disposition,
                                        .options = o->options};
    WCHAR buffer[CREATEFILE_NAME_MAX];
    struct wire_client *client;
    UNICODE_STRING name;
    int rc = inspect_connect(o->machine, &client);

    if (rc != 0)
        return rc;
    for (size_t i = 0; names[i] != NULL && rc == 0; i++) {
        rc = createfile_name(names[i], buffer, &name) ? follow_create(client, &request, name.Buffer, name.Length,
                                                                      o->json ? NULL : stdout, o->json ? stdout : NULL)
                                                      : complain(EXIT_USAGE, "%s: no UTF-8, or too long", names[i]);
    }
    wire_disconnect(client);
    return rc;
}

static int trace_on_fresh_machine(const struct trace_options *o, char **names)
{
    struct smb_backend *mem = smb_mem_backend();
    char *text = malloc(TRACE_TEXT);
    int rc = mem != NULL && text != NULL ? 0 : complain(EXIT_ENVIRONMENT, "out of memory");

    if (rc == 0)
        rc = make_share(mem, o);
    if (rc == 0)
        rc = boot(mem, o);
    if (rc == 0)
        rc = trace_all(o, names, text);
    EmuMachineShutdown(NULL); /* of a leaking build it finds something: that is what was traced */
    if (mem != NULL)
        smb_backend_free(mem);
    free(text);
    return rc;
}

int command_trace(int argc, char **argv)
{
    struct trace_options o = {.access = createfile_request.desired_access,
                              .share = createfile_request.share_access,
                              .disposition = createfile_request.disposition,
                              .options = createfile_request.options};
    int rc = read_options(argc, argv, &o);

    if (rc != 0)
        return rc < 0 ? 0 : rc;
    if (o.follow)
        return follow(o.machine, (o.json ? WIRE_FOLLOW_JSON : 0) | (o.failed ? WIRE_FOLLOW_FAILED : 0));
    if (o.machine != NULL)
        return trace_on_machine(&o, argv + optind);
    return trace_on_fresh_machine(&o, argv + optind);
}
