/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differential_players.c - the two sides, and the shares they play on. */
#include "differential.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"
#include "ntclient.h"
#include "smbserver.h"

#define LETTER 'X'

static struct {
    char dir[48], lab[64], twin[64]; /* everything; the machine's share, and the other one that begins the same */
    struct smbserver *server;
    struct smb_backend *smbc; /* NULL: the machine's server is in memory */
    const char *dialect;
    struct nt_client *client;

    /* of one sequence */
    struct smb_backend *mem;
    HANDLE handles[MAX_STEPS];
    struct nt_file files[MAX_STEPS];
    bool open[MAX_STEPS]; /* files[i] */
} all;

/* ---- folders ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level > 0 ? remove(path) : 0;
}

static void empty_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Whose the share is, his is what is in it. */
static void give_to_owner(int fd)
{
    struct stat st;

    assert_int_equal(stat(all.lab, &st), 0);
    assert_int_equal(fchown(fd, st.st_uid, st.st_gid), 0);
}

static void write_file(const char *folder, const char *name, mode_t mode)
{
    char path[128];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, LAB_TEXT, sizeof LAB_TEXT - 1), sizeof LAB_TEXT - 1);
    assert_int_equal(fchmod(fd, mode), 0);
    give_to_owner(fd);
    close(fd);
}

static void fill_folder(const char *path)
{
    char dir[128];
    int fd;

    empty_folder(path);
    snprintf(dir, sizeof dir, "%s/dir", path);
    assert_int_equal(mkdir(dir, 0755), 0);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    give_to_owner(fd);
    close(fd);
    write_file(path, "f.txt", 0644);
    write_file(path, "g.txt", 0644);
    write_file(path, "ro.txt", 0444); /* "map readonly": who may not write has it read only */
    write_file(dir, "g.txt", 0644);
}

static void add_to_memory(const WCHAR *path, bool file)
{
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, path);
    assert_status(smb_mem_add(all.mem, "lab", &name, file ? LAB_TEXT : NULL, file ? sizeof LAB_TEXT - 1 : 0),
                  STATUS_SUCCESS);
}

static void add_read_only_to_memory(const struct smb_target *target)
{
    struct smb_request request = {.op = SMB_CREATE, .path = NT_STRING(u"ro.txt")};
    struct smb_connection *connection;

    request.in.create.access = FILE_WRITE_DATA;
    request.in.create.disposition = FILE_CREATE;
    request.in.create.attributes = FILE_ATTRIBUTE_READONLY;
    assert_status(smb_connect(all.mem, target, &connection), STATUS_SUCCESS);
    assert_status(smb_perform(connection, &request), STATUS_SUCCESS);
    smb_disconnect(connection);
}

static void fill_memory(void)
{
    const struct smb_target target = {.host = "mem", .share = "lab", .user = "lab", .password = "secret"};

    all.mem = smb_mem_backend();
    assert_non_null(all.mem);
    assert_status(smb_mem_add_share(all.mem, target.host, target.port, target.share, FALSE), STATUS_SUCCESS);
    assert_status(smb_mem_set_user(all.mem, target.user, target.password), STATUS_SUCCESS);
    add_to_memory(u"f.txt", true);
    add_to_memory(u"g.txt", true);
    add_to_memory(u"dir", false);
    add_to_memory(u"dir\\g.txt", true);
    add_read_only_to_memory(&target);
}

/* ---- up and down ---- */

static int skip_or_fail(const char *reason)
{
    const char *require = getenv("RDRLAB_REQUIRE_ALL");

    fprintf(stderr, "%s\n", reason);
    return require != NULL && require[0] != '\0' ? 1 : 77;
}

/*
 * Attributes are what mode bits say: not every file system has extended attributes for them. A sharing violation is
 * answered at once: smbd keeps SMB1's clients waiting a second for it, and says the same then. Root may write what is
 * read only, so for root the files are somebody else's.
 */
static int start_server(void)
{
    const struct passwd *owner = geteuid() == 0 ? getpwnam("nobody") : NULL;
    char extra[400], error[4096];
    struct smbserver_options options = {.dir = all.dir, .share_dir = all.lab, .extra = extra};
    int rc;

    if (owner != NULL && (chmod(all.dir, 0711) != 0 || chown(all.lab, owner->pw_uid, owner->pw_gid) != 0 ||
                          chown(all.twin, owner->pw_uid, owner->pw_gid) != 0))
        return 1;
    snprintf(extra, sizeof extra,
             "store dos attributes = no\nmap readonly = yes\nmap archive = yes\nmap hidden = yes\nmap system = yes\n"
             "create mask = 0777\ndefer sharing violations = no\nacl allow execute always = yes\n%s"
             "[twin]\npath = %s\nread only = no\n",
             owner != NULL ? "force user = nobody\n" : "", all.twin);
    rc = smbserver_start(&options, &all.server, error, sizeof error);
    if (rc == -ENOENT || rc == -ENOTSUP)
        return skip_or_fail(error);
    if (rc != 0)
        fprintf(stderr, "%s\n", error);
    return rc != 0;
}

static int start_libsmbclient(const char *worker)
{
    char state[64];

    snprintf(state, sizeof state, "%s/client", all.dir);
    if (mkdir(state, 0700) != 0)
        return 1;
    all.smbc = smb_smbc_backend(worker, state);
    return all.smbc != NULL ? 0 : skip_or_fail("no worker program: built without libsmbclient");
}

static int start_client(void)
{
    const struct nt_client_target target = {.port = smbserver_port(all.server),
                                            .share = "twin",
                                            .user = smbserver_user(all.server),
                                            .password = smbserver_password(all.server),
                                            /* SMB1 knows renames of handles within their directory only. */
                                            .dialect = "SMB3_11"};
    const NTSTATUS status = nt_client_connect(&target, &all.client);

    if (status != STATUS_SUCCESS)
        fprintf(stderr, "the test's client is refused: 0x%08x\n", (unsigned)status);
    return status != STATUS_SUCCESS;
}

int players_start(const char *peer, const char *worker)
{
    int rc;

    all.dialect = strcmp(peer, "NT1") == 0 ? "NT1" : "SMB3_11";
    snprintf(all.dir, sizeof all.dir, "/tmp/rdrlab-test.XXXXXX");
    if (mkdtemp(all.dir) == NULL)
        return 1;
    snprintf(all.lab, sizeof all.lab, "%s/lab", all.dir);
    snprintf(all.twin, sizeof all.twin, "%s/twin", all.dir);
    rc = mkdir(all.lab, 0700) != 0 || mkdir(all.twin, 0700) != 0;
    if (rc == 0)
        rc = start_server();
    if (rc == 0)
        rc = start_client();
    if (rc == 0 && strcmp(peer, "mem") != 0)
        rc = start_libsmbclient(worker);
    if (rc != 0)
        players_stop();
    return rc;
}

void players_stop(void)
{
    nt_client_disconnect(all.client);
    smb_backend_free(all.smbc);
    smbserver_stop(all.server);
    empty_folder(all.dir);
    rmdir(all.dir);
}

/* ---- a sequence ---- */

static void map_letter(void)
{
    static const UNICODE_STRING remote = NT_STRING(u"\\\\mem\\lab");
    const char *texts[2] = {"lab", "secret"};
    WCHAR buffers[2][128];
    UNICODE_STRING strings[2];

    if (all.smbc != NULL) {
        texts[0] = smbserver_user(all.server);
        texts[1] = smbserver_password(all.server);
    }
    for (int i = 0; i < 2; i++) {
        size_t length = 0;

        for (; texts[i][length] != '\0'; length++)
            buffers[i][length] = (UCHAR)texts[i][length];
        buffers[i][length] = 0;
        RtlInitUnicodeString(&strings[i], buffers[i]);
    }
    assert_status(EmuUseAdd(LETTER - 'A', &remote, &strings[0], &strings[1]), STATUS_SUCCESS);
}

static void boot(const char *build)
{
    /* Borrowed until the machine is shut down. */
    static EMU_SERVER_ADDRESS address;
    EMU_MACHINE_OPTIONS options = {.Build = build, .Smb = all.mem};
    char error[256];

    if (all.smbc != NULL) {
        address = (EMU_SERVER_ADDRESS){.Name = "mem", .Host = "127.0.0.1", .Port = smbserver_port(all.server)};
        options.Smb = all.smbc;
        options.Servers = &address;
        options.ServerCount = 1;
        options.Dialect = all.dialect;
    }
    if (EmuMachineBoot(&options, error, sizeof error) != STATUS_SUCCESS)
        fail_msg("%s", error);
    map_letter();
}

void players_begin(const char *build)
{
    memset(all.handles, 0, sizeof all.handles);
    memset(all.open, 0, sizeof all.open);
    fill_folder(all.twin);
    if (all.smbc != NULL)
        fill_folder(all.lab);
    else
        fill_memory();
    boot(build);
}

void players_begin_alone(const char *build)
{
    fill_memory();
    boot(build);
}

void players_forget(unsigned number)
{
    if (all.handles[number] != NULL)
        assert_status(NtClose(all.handles[number]), STATUS_SUCCESS);
    if (all.open[number])
        nt_client_close(all.client, &all.files[number]);
    all.handles[number] = NULL;
    all.open[number] = false;
}

unsigned players_end(unsigned expected)
{
    EMU_MACHINE_AUDIT audit;
    unsigned left;

    for (unsigned i = 0; i < MAX_STEPS; i++)
        players_forget(i);
    EmuMachineShutdown(&audit);
    left = (unsigned)(audit.Pool.Paged.LiveBlocks + audit.Pool.NonPaged.LiveBlocks);
    for (ULONG i = 0; left != expected && i < audit.Pool.Count; i++) {
        const EMU_POOL_USE *use = &audit.Pool.Uses[i];

        print_message("left: %.4s %ld blocks %ld bytes %s:%u %s\n", (const char *)&use->Tag, (long)use->LiveBlocks,
                      (long)use->LiveBytes, EmuPoolSiteFile(use->Site), use->Site->Line, use->Site->Function);
    }
    EmuPoolFreeSnapshot(&audit.Pool);
    if (all.mem != NULL) {
        assert_int_equal(smb_mem_open_files(all.mem), 0);
        smb_backend_free(all.mem);
        all.mem = NULL;
    }
    assert_int_equal(audit.Irps, 0);
    assert_int_equal(audit.Objects, 0);
    assert_int_equal(audit.Handles, 0);
    return left;
}

/* ---- the machine's side ---- */

static NTSTATUS set_information(HANDLE handle, const struct step *step)
{
    union {
        FILE_RENAME_INFORMATION rename;
        FILE_DISPOSITION_INFORMATION disposition;
        UCHAR room[sizeof(FILE_RENAME_INFORMATION) + 600];
    } information;
    const UNICODE_STRING name = step_name(step);
    IO_STATUS_BLOCK io_status;

    memset(&information, 0, sizeof information);
    if (step->kind == STEP_DISPOSITION) {
        information.disposition.DoDeleteFile = step->flag;
        return NtSetInformationFile(handle, &io_status, &information, sizeof information.disposition,
                                    FileDispositionInformation);
    }
    /* A name of the whole path, as SMB's is one from the share's root. */
    static const WCHAR prefix[] = u"\\??\\X:\\";
    const ULONG before = sizeof prefix - sizeof(WCHAR);

    information.rename.ReplaceIfExists = step->flag;
    information.rename.FileNameLength = before + name.Length;
    memcpy(information.rename.FileName, prefix, before);
    memcpy((char *)information.rename.FileName + before, name.Buffer, name.Length);
    return NtSetInformationFile(handle, &io_status, &information,
                                (ULONG)offsetof(FILE_RENAME_INFORMATION, FileName) + before + name.Length,
                                FileRenameInformation);
}

static struct outcome create_on_machine(const struct step *step, HANDLE *handle)
{
    static const WCHAR prefix[] = u"\\??\\X:\\";
    WCHAR buffer[300 + sizeof prefix];
    UNICODE_STRING name = step_name(step), path = {.Buffer = buffer};
    struct outcome outcome = {.played = true};
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK io_status;

    memcpy(buffer, prefix, sizeof prefix);
    memcpy((char *)buffer + sizeof prefix - sizeof(WCHAR), name.Buffer, name.Length);
    path.Length = path.MaximumLength = (USHORT)(sizeof prefix - sizeof(WCHAR) + name.Length);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    outcome.status = NtCreateFile(handle, step->access, &attributes, &io_status, NULL, step->attributes, step->share,
                                  step->disposition, step->options, NULL, 0);
    if (NT_SUCCESS(outcome.status))
        outcome.information = io_status.Information;
    return outcome;
}

struct outcome play_with(HANDLE handles[MAX_STEPS], const struct step *step)
{
    HANDLE *handle = &handles[step->handle];
    struct outcome outcome = {.played = true};

    if (step->kind == STEP_CREATE)
        return create_on_machine(step, &handles[step->number]);
    outcome.played = *handle != NULL;
    if (!outcome.played)
        return outcome;
    if (step->kind == STEP_CLOSE) {
        outcome.status = NtClose(*handle);
        *handle = NULL;
    } else {
        outcome.status = set_information(*handle, step);
    }
    return outcome;
}

struct outcome play_on_machine(const struct step *step)
{
    return play_with(all.handles, step);
}

/* ---- the server's side ---- */

struct outcome play_on_server(const struct step *step)
{
    const struct nt_create create = {.access = step->access,
                                     .share = step->share,
                                     .disposition = step->disposition,
                                     .options = step->options,
                                     .attributes = step->attributes};
    const UNICODE_STRING name = step_name(step);
    const struct nt_file *file = &all.files[step->handle];
    struct outcome outcome = {.played = true};
    struct nt_opened opened;

    if (step->kind == STEP_CREATE) {
        outcome.status = nt_client_create(all.client, &name, &create, &opened);
        if (NT_SUCCESS(outcome.status)) {
            outcome.information = opened.action;
            all.files[step->number] = opened.file;
            all.open[step->number] = true;
        }
        return outcome;
    }
    outcome.played = all.open[step->handle];
    if (!outcome.played)
        return outcome;
    if (step->kind == STEP_CLOSE) {
        outcome.status = nt_client_close(all.client, file);
        all.open[step->handle] = false;
    } else if (step->kind == STEP_DISPOSITION) {
        outcome.status = nt_client_set_disposition(all.client, file, step->flag);
    } else {
        outcome.status = nt_client_rename(all.client, file, &name, step->flag);
    }
    return outcome;
}
