/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* world.c - a machine, a server and files. See world.h. */
#include "world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TARGET u"\\??\\X:\\t"

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
        files_reset(&world->fixture);
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

static struct client *other_client(struct world *world)
{
    if (!world->other.mem && !world->other.smbd)
        client_connect(&world->other, &world->fixture, "lab");
    return &world->other;
}

static void open_mine(struct world *world, const WCHAR *name, const char *how, ULONG options)
{
    ACCESS_MASK access;
    ULONG share;
    NTSTATUS status;

    files_access_and_share(how, &access, &share);
    status = open_by_name(name, access, share, options, &world->opened[world->count]);
    if (status != STATUS_SUCCESS)
        fail_msg("the state's open \"%s\" fails: 0x%08x", how, (unsigned)status);
    world->count++;
}

static void open_other(struct world *world, const char *how)
{
    const UNICODE_STRING name = NT_STRING(u"t");
    struct nt_create create = {.disposition = FILE_OPEN};

    files_access_and_share(how, &create.access, &create.share);
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
    if (files_make(&world->fixture, other_client(world), word))
        return;
    if (strncmp(word, "mine:", 5) == 0)
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
    else
        fail_msg("no state \"%s\"", word);
}

void world_prepare(struct world *world, const struct create_row *row)
{
    char copy[sizeof row->state], *rest = copy, *word;

    if (!world->fixture.mem)
        files_reset(&world->fixture);
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
                     row->allocation == -1 ? NULL : &allocation, row->attributes, row->share, row->disposition,
                     row->options | (row->bare ? 0 : FILE_SYNCHRONOUS_IO_NONALERT), ea_length ? ea : NULL, ea_length);
    if (root)
        NtClose(root);
    return status;
}

bool world_is(struct world *world, const char *then)
{
    return files_are(other_client(world), then);
}
