/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* world.c - a machine, a server and files. See world.h. */
#include "world.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define TARGET u"\\??\\X:\\t"

static const struct {
    const char *path, *text;
} tree[] = {{"file.txt", WORLD_TEXT}, {"dir", NULL}, {"dir/in.txt", WORLD_TEXT}, {"empty", NULL}};

/* ---- life ---- */

static void add_letter(char letter, const WCHAR *remote, const struct smb_target *target)
{
    WCHAR user[64], password[64];
    UNICODE_STRING remote_name, user_name, secret;

    RtlInitUnicodeString(&remote_name, remote);
    user_name = (UNICODE_STRING){(USHORT)create_name_expand(target->user, user, 64), sizeof user, user};
    secret = (UNICODE_STRING){(USHORT)create_name_expand(target->password, password, 64), sizeof password, password};
    if (EmuUseAdd((ULONG)(letter - 'A'), &remote_name, &user_name, &secret) != STATUS_SUCCESS)
        fail_msg("%c: cannot be connected", letter);
}

static void add_tree(struct world *world)
{
    for (size_t i = 0; i < sizeof tree / sizeof *tree; i++)
        smb_fixture_add(&world->fixture, tree[i].path, tree[i].text);
}

static NTSTATUS open_by_name(const WCHAR *name, ACCESS_MASK access, ULONG share, ULONG options, HANDLE *file)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io;
    UNICODE_STRING path;

    RtlInitUnicodeString(&path, name);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return NtCreateFile(file, access | SYNCHRONIZE, &attributes, &io, NULL, 0, share, FILE_OPEN,
                        options | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
}

/* The first UNC name of a share makes connections that stay. In a world that stays too, a row shall find them. */
static void connect_implicitly(void)
{
    static const WCHAR *const shares[] = {u"\\??\\UNC\\srv\\lab\\", u"\\??\\UNC\\srv\\ro\\"};
    HANDLE file;

    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (open_by_name(shares[i], FILE_READ_ATTRIBUTES, 0, 0, &file) == STATUS_SUCCESS)
            NtClose(file);
}

int world_start(struct world *world, const char *peer, const char *worker, const char *build)
{
    EMU_SERVER_ADDRESS address = {.Name = "srv", .Host = "127.0.0.1"};
    static EMU_SERVER_ADDRESS addresses[1]; /* the machine borrows them */
    EMU_MACHINE_OPTIONS options = {.Build = build, .Servers = addresses, .ServerCount = 1};
    char error[256];
    int rc;

    memset(world, 0, sizeof *world);
    rc = smb_fixture_start(&world->fixture, peer, worker);
    if (rc != 0)
        return rc;
    address.Port = world->fixture.target.port;
    addresses[0] = address;
    options.Smb = world->fixture.backend;
    options.Dialect = world->fixture.target.dialect;
    options.SmbTimeoutMs = world->fixture.target.timeout_ms;
    if (EmuMachineBoot(&options, error, sizeof error) != STATUS_SUCCESS)
        fail_msg("%s", error);
    world->running = true;
    if (world->fixture.mem)
        add_tree(world);
    add_letter('X', u"\\\\srv\\lab", &world->fixture.target);
    add_letter('Y', u"\\\\srv\\lab", &world->fixture.target);
    add_letter('R', u"\\\\srv\\ro", &world->fixture.target);
    if (!world->fixture.mem)
        connect_implicitly();
    return 0;
}

void world_stop(struct world *world, int blocks)
{
    EMU_MACHINE_AUDIT audit;
    ULONG64 left;

    EmuMachineShutdown(&audit);
    world->running = false;
    left = audit.Pool.Paged.LiveBlocks + audit.Pool.NonPaged.LiveBlocks;
    for (ULONG i = 0; left != (ULONG64)blocks && i < audit.Pool.Count; i++)
        print_error("left: %.4s %ld blocks %s:%u\n", (const char *)&audit.Pool.Uses[i].Tag,
                    (long)audit.Pool.Uses[i].LiveBlocks, EmuPoolSiteFile(audit.Pool.Uses[i].Site),
                    audit.Pool.Uses[i].Site->Line);
    EmuPoolFreeSnapshot(&audit.Pool);
    client_disconnect(&world->other);
    smb_fixture_stop(&world->fixture);
    assert_int_equal(left, blocks);
    assert_int_equal(audit.Irps, 0);
    assert_int_equal(audit.Objects, 0);
    assert_int_equal(audit.Handles, 0);
}

void world_abandon(struct world *world)
{
    if (!world->running)
        return;
    world->running = false;
    EmuMachineShutdown(NULL);
    client_disconnect(&world->other);
    smb_fixture_stop(&world->fixture);
}

/* ---- the state before a row ---- */

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level > 0 ? remove(path) : 0;
}

static struct client *other_client(struct world *world)
{
    if (!world->other.mem && !world->other.smbd)
        client_connect(&world->other, &world->fixture, "lab");
    return &world->other;
}

static ULONG attributes_of(const char *letters)
{
    ULONG attributes = 0;

    for (; *letters; letters++)
        attributes |= *letters == 'R'   ? FILE_ATTRIBUTE_READONLY
                      : *letters == 'H' ? FILE_ATTRIBUTE_HIDDEN
                      : *letters == 'S' ? FILE_ATTRIBUTE_SYSTEM
                                        : 0;
    return attributes;
}

/* Twelve bytes, behind smbd's back: it has no objections to what is in a file. */
static void fill(struct world *world, const struct client_file *file, const char *path)
{
    char full[128];
    ULONG done;

    if (world->fixture.mem) {
        assert_int_equal(smb_do_io(world->other.mem, SMB_WRITE, file->mem, (void *)(uintptr_t)WORLD_TEXT, 12, 0, &done),
                         STATUS_SUCCESS);
        return;
    }
    snprintf(full, sizeof full, "%s/%s", world->fixture.share_dir, path);
    FILE *stream = fopen(full, "r+e");
    assert_non_null(stream);
    fputs(WORLD_TEXT, stream);
    assert_int_equal(fclose(stream), 0);
}

static void make(struct world *world, const WCHAR *path, const char *host_path, ULONG options, ULONG attributes)
{
    const struct nt_create create = {.access = FILE_WRITE_DATA,
                                     .disposition = FILE_CREATE,
                                     .options = options,
                                     .attributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL};
    const UNICODE_STRING name = smb_path(path);
    struct client_file file;

    assert_int_equal(client_create(other_client(world), &name, &create, &file), STATUS_SUCCESS);
    if (options & FILE_NON_DIRECTORY_FILE)
        fill(world, &file, host_path);
    client_close(&world->other, &file);
}

/* "RW/rd": the words of the table would need their reader; these are letters. */
static void access_and_share(const char *text, ACCESS_MASK *access, ULONG *share)
{
    *access = *share = 0;
    for (; *text && *text != '/'; text++)
        *access |= *text == 'R'   ? FILE_READ_DATA
                   : *text == 'W' ? FILE_WRITE_DATA
                   : *text == 'A' ? FILE_APPEND_DATA
                   : *text == 'X' ? FILE_EXECUTE
                   : *text == 'D' ? DELETE
                                  : FILE_READ_ATTRIBUTES;
    for (text += *text == '/'; *text; text++)
        *share |= *text == 'r' ? FILE_SHARE_READ : *text == 'w' ? FILE_SHARE_WRITE : FILE_SHARE_DELETE;
}

static void open_mine(struct world *world, const WCHAR *name, const char *how, ULONG options)
{
    ACCESS_MASK access;
    ULONG share;
    NTSTATUS status;

    access_and_share(how, &access, &share);
    status = open_by_name(name, access, share, options, &world->opened[world->count]);
    if (status != STATUS_SUCCESS)
        fail_msg("the state's open \"%s\" fails: 0x%08x", how, (unsigned)status);
    world->count++;
}

static void open_other(struct world *world, const char *how)
{
    const UNICODE_STRING name = NT_STRING(u"t");
    struct nt_create create = {.disposition = FILE_OPEN};

    access_and_share(how, &create.access, &create.share);
    assert_int_equal(client_create(other_client(world), &name, &create, &world->other_opened[world->other_count]),
                     STATUS_SUCCESS);
    world->other_count++;
}

/* This machine has it open, with everything shared, and has said that it shall go. */
static void make_pending(struct world *world)
{
    FILE_DISPOSITION_INFORMATION disposition = {TRUE};
    IO_STATUS_BLOCK io;
    NTSTATUS status;

    open_mine(world, TARGET, "RD/rwd", 0);
    status = NtSetInformationFile(world->opened[world->count - 1], &io, &disposition, sizeof disposition,
                                  FileDispositionInformation);
    if (status != STATUS_SUCCESS)
        fail_msg("the state's delete fails: 0x%08x", (unsigned)status);
}

static void apply(struct world *world, const char *word)
{
    if (strncmp(word, "file", 4) == 0)
        make(world, u"t", "t", FILE_NON_DIRECTORY_FILE, attributes_of(word + 4 + (word[4] == '+')));
    else if (strcmp(word, "directory") == 0)
        make(world, u"t", "t", FILE_DIRECTORY_FILE, 0);
    else if (strcmp(word, "full") == 0)
        make(world, u"t\\in.txt", "t/in.txt", FILE_NON_DIRECTORY_FILE, 0);
    else if (strncmp(word, "mine:", 5) == 0)
        open_mine(world, TARGET, word + 5, 0);
    else if (strncmp(word, "y:", 2) == 0)
        open_mine(world, u"\\??\\Y:\\t", word + 2, 0);
    else if (strncmp(word, "unc:", 4) == 0)
        open_mine(world, u"\\??\\UNC\\srv\\lab\\t", word + 4, 0);
    else if (strncmp(word, "other:", 6) == 0)
        open_other(world, word + 6);
    else if (strcmp(word, "doomed") == 0)
        open_mine(world, TARGET, "RD/rwd", FILE_DELETE_ON_CLOSE);
    else if (strcmp(word, "pending") == 0)
        make_pending(world);
    else if (strcmp(word, "absent") != 0)
        fail_msg("no state \"%s\"", word);
}

void world_prepare(struct world *world, const struct create_row *row)
{
    char copy[sizeof row->state], *rest = copy, *word;

    if (!world->fixture.mem) {
        nftw(world->fixture.share_dir, remove_below, 16, FTW_DEPTH | FTW_PHYS);
        add_tree(world);
    }
    memcpy(copy, row->state, sizeof copy);
    while ((word = strsep(&rest, ",")) != NULL)
        if (*word)
            apply(world, word);
}

void world_settle(struct world *world)
{
    static const WCHAR *const letters[] = {u"\\??\\X:\\", u"\\??\\Y:\\", u"\\??\\R:\\"};
    OBJECT_ATTRIBUTES attributes;
    FILE_BASIC_INFORMATION basic;
    UNICODE_STRING name;

    while (world->count)
        NtClose(world->opened[--world->count]);
    while (world->other_count)
        client_close(&world->other, &world->other_opened[--world->other_count]);
    if (world->fixture.mem)
        return;
    /* Closes are not waited for, but what comes behind them on the same connection is. */
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        RtlInitUnicodeString(&name, letters[i]);
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        assert_int_equal(NtQueryAttributesFile(&attributes, &basic), STATUS_SUCCESS);
    }
}

/* ---- the row itself ---- */

static void set_ea(const char *kind, FILE_FULL_EA_INFORMATION *ea, ULONG *length)
{
    memset(ea, 0, 32);
    ea->EaNameLength = 2;
    memcpy(ea->EaName, "EA", 3);
    ea->EaValueLength = 4;
    *length = offsetof(FILE_FULL_EA_INFORMATION, EaName) + 3 + 4;
    if (strcmp(kind, "short") == 0)
        (*length)--;
    else if (strcmp(kind, "unterminated") == 0)
        ea->EaName[2] = 'X';
    else if (strcmp(kind, "misaligned") == 0)
        ea->NextEntryOffset = 18;
    else if (strcmp(kind, "beyond") == 0)
        ea->NextEntryOffset = 1024;
}

static int full_name(const struct create_row *row, WCHAR *buffer, size_t units)
{
    char name[sizeof row->name + 8];

    snprintf(name, sizeof name, "%s%s", row->name[0] == '\\' || row->root[0] ? "" : "\\??\\X:\\", row->name);
    return create_name_expand(name, buffer, units);
}

NTSTATUS world_create(const struct create_row *row, HANDLE *file, IO_STATUS_BLOCK *io)
{
    static WCHAR buffer[33000], root_buffer[64];
    __attribute__((aligned(8))) char ea[32];
    LARGE_INTEGER allocation = {.QuadPart = row->allocation};
    int length = full_name(row, buffer, sizeof buffer / sizeof *buffer);
    UNICODE_STRING name = {(USHORT)length, (USHORT)length, buffer};
    OBJECT_ATTRIBUTES attributes;
    ULONG ea_length = 0;
    HANDLE root = NULL;
    NTSTATUS status;

    if (length < 0)
        fail_msg("the name cannot be expanded: %s", row->name);
    if (row->root[0]) {
        create_name_expand(row->root, root_buffer, 64);
        status =
            open_by_name(root_buffer, FILE_READ_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, 0, &root);
        if (status != STATUS_SUCCESS)
            fail_msg("the root %s cannot be opened: 0x%08x", row->root, (unsigned)status);
    }
    if (row->ea[0])
        set_ea(row->ea, (FILE_FULL_EA_INFORMATION *)ea, &ea_length);
    InitializeObjectAttributes(&attributes, &name, row->object, root, NULL);
    status =
        NtCreateFile(file, row->access | (row->bare ? 0 : SYNCHRONIZE), &attributes, io,
                     row->allocation < 0 ? NULL : &allocation, row->attributes, row->share, row->disposition,
                     row->options | (row->bare ? 0 : FILE_SYNCHRONOUS_IO_NONALERT), ea_length ? ea : NULL, ea_length);
    if (root)
        NtClose(root);
    return status;
}

bool world_is(struct world *world, const char *then)
{
    const ULONG told = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM;
    const struct nt_create create = {
        .access = FILE_READ_ATTRIBUTES, .share = FILE_SHARE_READ, .disposition = FILE_OPEN};
    const UNICODE_STRING name = NT_STRING(u"t");
    const char *plus = strchr(then, '+');
    struct client_file file;
    NTSTATUS status = client_create(other_client(world), &name, &create, &file);

    if (strcmp(then, "none") == 0)
        return status == STATUS_OBJECT_NAME_NOT_FOUND;
    if (status != STATUS_SUCCESS)
        return false;
    client_close(&world->other, &file);
    if (plus && (file.attributes & told) != attributes_of(plus + 1))
        return false;
    if (strncmp(then, "directory", 9) == 0)
        return (file.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    return strncmp(then, "same", 4) == 0 ? file.size == 12 : strncmp(then, "empty", 5) == 0 && file.size == 0;
}
