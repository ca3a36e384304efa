/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session.c - NT's requests in libsmbclient's words. See session.h.
 *
 * What libsmbclient sends for an open (observed in 4.17, the same in every dialect): exactly one Create, with
 * FILE_NON_DIRECTORY_FILE always set, the disposition from O_CREAT, O_EXCL and O_TRUNC, the access from the mode, the
 * share access from an option. A disposition that POSIX flags cannot say with a truthful answer (opened or created?)
 * is made of two that can. Directories are never open at the server: they are a path that was looked at.
 */
#include "session_private.h"
#include "name.h"
#include "smb_backend.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/in.h>
#include <unistd.h>

#define READS    (FILE_READ_DATA | FILE_EXECUTE)
#define WRITES   (FILE_WRITE_DATA | FILE_APPEND_DATA)
#define SETTABLE (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM)

/* How often two halves of a disposition may miss each other because another client creates and deletes the file. */
#define RACE_RETRIES 8

/* How long a look at the connection's socket is good for. A server that went away for less is noticed the usual way. */
#define LOOK_INTERVAL_NS 2000000u

/* A file's id: its place in the table, and how often that place has been used, so that an old id is noticed. */
#define ID_INDEX_BITS 20
#define MAX_FILES     (1u << ID_INDEX_BITS)

/* An entry of a listing that did not fit the last buffer. */
struct pending_entry {
    BOOLEAN valid;
    ULONG length;
    WCHAR name[1024];
    struct smb_info info;
};

struct open_file {
    uint32_t id;
    unsigned connection; /* the one it was opened on; see session.connection */
    BOOLEAN directory;
    ACCESS_MASK access;
    SMBCFILE *handle;  /* NULL: nothing is open at the server */
    SMBCFILE *listing; /* NULL: not begun */
    BOOLEAN at_end;
    struct pending_entry *pending; /* has room from the first listing on */
    char url[];
};

/* ---- libsmbclient's ways ---- */

static void on_log(void *context, int level, const char *message)
{
    (void)level;
    smb_log_read(context, message);
}

static void on_auth(SMBCCTX *context, const char *server, const char *share, char *domain, int domain_size, char *user,
                    int user_size, char *password, int password_size)
{
    const struct session *session = smbc_getOptionUserData(context);

    (void)server;
    (void)share;
    if (session->hello.domain[0] != '\0')
        snprintf(domain, (size_t)domain_size, "%s", session->hello.domain);
    snprintf(user, (size_t)user_size, "%s", session->hello.user);
    snprintf(password, (size_t)password_size, "%s", session->hello.password);
}

void session_begin_call(struct session *session)
{
    memset(&session->log, 0, sizeof(session->log));
    errno = 0;
}

NTSTATUS session_failed_call(struct session *session)
{
    NTSTATUS status = smb_status_of_call(&session->log, errno);

    if (session->log.status == STATUS_SUCCESS)
        session->mapped = status;
    return status;
}

NTSTATUS session_stat(struct session *session, const char *url, struct stat *st)
{
    session_begin_call(session);
    if (smbc_getFunctionStat(session->context)(session->context, url, st) == 0)
        return STATUS_SUCCESS;
    return session_failed_call(session);
}

NTSTATUS session_stat_open(struct session *session, SMBCFILE *handle, struct stat *st)
{
    session_begin_call(session);
    if (smbc_getFunctionFstat(session->context)(session->context, handle, st) == 0)
        return STATUS_SUCCESS;
    return session_failed_call(session);
}

NTSTATUS session_make_url(struct session *session, const void *path, uint32_t length, char *url)
{
    size_t root_length = strlen(session->root);

    if (length > UINT16_MAX) /* a slot holds more, but no name is longer, and url has no room for one */
        return STATUS_NAME_TOO_LONG;
    memcpy(url, session->root, root_length);
    return smb_name_to_url(path, length, url + root_length);
}

BOOLEAN session_is_root(const struct session *session, const char *url)
{
    return url[strlen(session->root)] == '\0';
}

/* The connection is of no use any more. */
static BOOLEAN is_loss(NTSTATUS status)
{
    return status == STATUS_CONNECTION_DISCONNECTED || status == STATUS_IO_TIMEOUT;
}

static NTSTATUS call_open(struct session *session, const char *url, int flags, SMBCFILE **ret_handle)
{
    SMBCFILE *handle;

    session_begin_call(session);
    handle = smbc_getFunctionOpen(session->context)(session->context, url, flags, 0666);
    if (handle == NULL)
        return session_failed_call(session);
    *ret_handle = handle;
    return STATUS_SUCCESS;
}

static NTSTATUS call_close(struct session *session, SMBCFILE *handle)
{
    session_begin_call(session);
    return smbc_getFunctionClose(session->context)(session->context, handle) == 0 ? STATUS_SUCCESS
                                                                                  : session_failed_call(session);
}

/* ---- connecting ---- */

static BOOLEAN is_alive(struct session *session)
{
    struct pollfd p = {.fd = session->socket, .events = POLLRDHUP};
    uint64_t now = ring_clock();
    struct stat st;

    if (!session->connected)
        return FALSE;
    /* Not found when it was looked for: libsmbclient will have to notice by itself. The same within a burst. */
    if (session->socket < 0 || now - session->looked < LOOK_INTERVAL_NS)
        return TRUE;
    session->looked = now;
    if (poll(&p, 1, 0) == 0 && fstat(session->socket, &st) == 0 && st.st_ino == session->socket_inode)
        return TRUE;
    session->connected = FALSE;
    session->stale = TRUE;
    return FALSE;
}

/*
 * To leave the share. And after a request that timed out: an answer that comes late is one to nothing, and libsmbclient
 * then fails whatever it is asked next (STATUS_INVALID_NETWORK_RESPONSE). The connection is of no use, so let everybody
 * see that it is lost.
 */
static void drop_connection(struct session *session)
{
    struct stat st;

    if (session->connected && session->socket >= 0 && fstat(session->socket, &st) == 0 &&
        st.st_ino == session->socket_inode)
        (void)shutdown(session->socket, SHUT_RDWR);
}

/* Find the socket that libsmbclient has just connected. It has no function to ask for it. */
static void find_socket(struct session *session)
{
    session->socket = -1;
    for (int fd = RING_SOCKET_FD + 1; fd < 256; fd++) {
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};
        struct sockaddr_in6 peer = {0};
        socklen_t length = sizeof(peer);
        struct stat st;

        /* The port is at the same place in both families' addresses. */
        if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 &&
            (peer.sin6_family == AF_INET || peer.sin6_family == AF_INET6) &&
            ntohs(peer.sin6_port) == session->hello.port && poll(&p, 1, 0) == 0 && fstat(fd, &st) == 0) {
            session->socket = fd;
            session->socket_inode = st.st_ino;
        }
    }
}

/* Whether a failing call leaves its status in the log. A name that is not UTF-8 fails without a packet. */
static void test_statuses(struct session *session)
{
    SMBCFILE *handle = NULL;

    session->tested = TRUE;
    strcpy(session->url, session->root);
    strcat(session->url, "%FF");
    if (call_open(session, session->url, O_RDONLY, &handle) == STATUS_SUCCESS)
        call_close(session, handle);
    else
        session->statuses_logged = session->log.status != STATUS_SUCCESS;
}

static NTSTATUS try_to_connect(struct session *session)
{
    struct stat st;
    NTSTATUS status;

    session_begin_call(session);
    if (smbc_getFunctionStat(session->context)(session->context, session->root, &st) == 0)
        return STATUS_SUCCESS;
    /* The tree stands, and only its root may not be looked at: that is for the requests to find out. */
    if (session->log.tree && session->log.status != STATUS_SUCCESS)
        return STATUS_SUCCESS;
    status = smb_status_of_connect(&session->log, errno);
    if (session->log.connect == STATUS_SUCCESS && session->log.status == STATUS_SUCCESS)
        session->mapped = status;
    return status;
}

NTSTATUS session_connect(struct session *session)
{
    NTSTATUS status;

    if (is_alive(session))
        return STATUS_SUCCESS;
    smbc_setDebug(session->context, SMB_LOG_LEVEL_CONNECTING);
    status = try_to_connect(session);
    /* The first call on a connection that was lost may be spent on finding that out. */
    if (status == STATUS_CONNECTION_DISCONNECTED && session->stale)
        status = try_to_connect(session);
    session->stale = FALSE;
    smbc_setDebug(session->context, SMB_LOG_LEVEL_CALLS);
    if (status != STATUS_SUCCESS)
        return status;
    find_socket(session);
    session->connected = TRUE;
    session->spoiled = FALSE;
    session_free_setter(session);
    session->looked = 0;
    session->connection++;
    if (!session->tested)
        test_statuses(session);
    return STATUS_SUCCESS;
}

/* ---- the table of open files ---- */

static NTSTATUS add_file(struct session *session, const char *url, struct open_file **ret_file)
{
    uint32_t index = session->free_hint;
    struct open_file *file;

    while (index < session->file_count && session->files[index] != NULL)
        index++;
    if (index == session->file_count) {
        uint32_t count = session->file_count != 0 ? session->file_count * 2 : 64;
        struct open_file **files = count <= MAX_FILES ? realloc(session->files, count * sizeof(*files)) : NULL;
        uint32_t *uses;

        if (files == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        session->files = files;
        uses = realloc(session->uses, count * sizeof(*uses));
        if (uses == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        session->uses = uses;
        memset(files + session->file_count, 0, (count - session->file_count) * sizeof(*files));
        memset(uses + session->file_count, 0, (count - session->file_count) * sizeof(*uses));
        session->file_count = count;
    }
    file = calloc(1, sizeof(*file) + strlen(url) + 1);
    if (file == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    strcpy(file->url, url);
    file->connection = session->connection;
    file->id = (++session->uses[index] << ID_INDEX_BITS) | index;
    session->files[index] = file;
    session->free_hint = index + 1;
    *ret_file = file;
    return STATUS_SUCCESS;
}

static struct open_file *find_file(const struct session *session, uint64_t id)
{
    uint32_t index = (uint32_t)id & (MAX_FILES - 1);

    if (index >= session->file_count || session->files[index] == NULL || session->files[index]->id != id)
        return NULL;
    return session->files[index];
}

static NTSTATUS remove_file(struct session *session, struct open_file *file)
{
    uint32_t index = file->id & (MAX_FILES - 1);
    NTSTATUS status = STATUS_SUCCESS;

    if (file->listing != NULL)
        smbc_getFunctionClosedir(session->context)(session->context, file->listing);
    if (file->handle != NULL)
        status = call_close(session, file->handle);
    session->files[index] = NULL;
    if (index < session->free_hint)
        session->free_hint = index;
    free(file->pending);
    free(file);
    return status;
}

SMBCFILE *session_readable_handle(const struct session *session, uint64_t id, const char *url)
{
    const struct open_file *file = find_file(session, id);

    return file != NULL && file->connection == session->connection && (file->access & READS) != 0 &&
                   strcmp(file->url, url) == 0
               ? file->handle
               : NULL;
}

/* ---- what libsmbclient knows of a file ---- */

ULONG session_attributes_of_mode(mode_t mode)
{
    ULONG attributes = 0;

    /* libsmbclient puts the attributes into the execute bits, but a directory has all of those anyway. */
    if (S_ISDIR(mode))
        return FILE_ATTRIBUTE_DIRECTORY | (mode & S_IWUSR ? 0 : FILE_ATTRIBUTE_READONLY);
    if (!(mode & S_IWUSR))
        attributes |= FILE_ATTRIBUTE_READONLY;
    if (mode & S_IXUSR)
        attributes |= FILE_ATTRIBUTE_ARCHIVE;
    if (mode & S_IXGRP)
        attributes |= FILE_ATTRIBUTE_SYSTEM;
    if (mode & S_IXOTH)
        attributes |= FILE_ATTRIBUTE_HIDDEN;
    return attributes != 0 ? attributes : FILE_ATTRIBUTE_NORMAL;
}

mode_t session_mode_of_attributes(ULONG attributes)
{
    mode_t mode = S_IRUSR;

    if (!(attributes & FILE_ATTRIBUTE_READONLY))
        mode |= S_IWUSR;
    if (attributes & FILE_ATTRIBUTE_ARCHIVE)
        mode |= S_IXUSR;
    if (attributes & FILE_ATTRIBUTE_SYSTEM)
        mode |= S_IXGRP;
    if (attributes & FILE_ATTRIBUTE_HIDDEN)
        mode |= S_IXOTH;
    return mode;
}

static void info_from_stat(const struct session *session, const struct stat *st, struct smb_info *info)
{
    memset(info, 0, sizeof(*info));
    info->last_access_time = smb_time(st->st_atim.tv_sec, st->st_atim.tv_nsec);
    info->last_write_time = smb_time(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    info->change_time = smb_time(st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    info->end_of_file = S_ISDIR(st->st_mode) ? 0 : (ULONGLONG)st->st_size;
    info->allocation_size = (ULONGLONG)st->st_blocks * 512;
    info->attributes = session_attributes_of_mode(st->st_mode);
    info->links = 1;
    /* In NT1 the number is a hash of the name, and another one in a listing. */
    if (strncmp(session->hello.dialect, "SMB", 3) == 0)
        info->index_number = st->st_ino;
    info->complete = TRUE;
}

/* ---- create ---- */

static void set_share_mode(struct session *session, ULONG share_access)
{
    static const smbc_share_mode modes[] = {
        SMBC_SHAREMODE_DENY_ALL,   /* nothing */
        SMBC_SHAREMODE_DENY_WRITE, /* FILE_SHARE_READ */
        SMBC_SHAREMODE_DENY_READ,  /* FILE_SHARE_WRITE */
        SMBC_SHAREMODE_DENY_NONE,  /* both */
    };

    smbc_setOptionOpenShareMode(session->context, modes[share_access & (FILE_SHARE_READ | FILE_SHARE_WRITE)]);
}

static int open_mode(ACCESS_MASK access)
{
    if ((access & WRITES) == 0)
        return O_RDONLY;
    return (access & READS) != 0 ? O_RDWR : O_WRONLY;
}

static BOOLEAN overwrites(ULONG disposition)
{
    return disposition == FILE_SUPERSEDE || disposition == FILE_OVERWRITE || disposition == FILE_OVERWRITE_IF;
}

static BOOLEAN may_create(ULONG disposition)
{
    return disposition != FILE_OPEN && disposition != FILE_OVERWRITE;
}

/*
 * Open a file's data. FILE_OPEN_IF and the overwriting dispositions with "or create" are tried on what exists first,
 * then with O_EXCL, so that the action is the truth and not a guess.
 */
static NTSTATUS open_or_create(struct session *session, const struct ring_slot *slot, SMBCFILE **ret_handle,
                               ULONG *ret_action)
{
    ULONG disposition = slot->disposition;
    int mode = open_mode(slot->access);
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;

    for (int i = 0; i < RACE_RETRIES; i++) {
        if (disposition != FILE_CREATE) {
            status = call_open(session, session->url, mode | (overwrites(disposition) ? O_TRUNC : 0), ret_handle);
            if (status == STATUS_SUCCESS)
                *ret_action = !overwrites(disposition)        ? FILE_OPENED
                              : disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED
                                                              : FILE_OVERWRITTEN;
            if (status != STATUS_OBJECT_NAME_NOT_FOUND || !may_create(disposition))
                return status;
        }
        status = call_open(session, session->url, mode | O_CREAT | O_EXCL, ret_handle);
        if (status == STATUS_SUCCESS)
            *ret_action = FILE_CREATED;
        /* smbd's answer to a FILE_NON_DIRECTORY_FILE that only libsmbclient has added; the name is taken. */
        if (status == STATUS_FILE_IS_A_DIRECTORY && (slot->options & FILE_NON_DIRECTORY_FILE) == 0)
            status = STATUS_OBJECT_NAME_COLLISION;
        if (status != STATUS_OBJECT_NAME_COLLISION || disposition == FILE_CREATE)
            return status;
    }
    return status;
}

/* Who makes files makes many: then O_EXCL alone does it. Whatever else comes of that is found out in the usual order.
 */
static NTSTATUS open_data(struct session *session, const struct ring_slot *slot, SMBCFILE **ret_handle,
                          ULONG *ret_action)
{
    const BOOLEAN may_be_made = may_create(slot->disposition) && slot->disposition != FILE_CREATE;
    NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;

    *ret_action = FILE_CREATED;
    if (may_be_made && session->made[slot->disposition])
        status = call_open(session, session->url, open_mode(slot->access) | O_CREAT | O_EXCL, ret_handle);
    if (status != STATUS_SUCCESS && !is_loss(status))
        status = open_or_create(session, slot, ret_handle, ret_action);
    if (may_be_made)
        session->made[slot->disposition] = status == STATUS_SUCCESS && *ret_action == FILE_CREATED;
    return status;
}

static NTSTATUS open_file(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status;

    set_share_mode(session, slot->share_access);
    status = open_data(session, slot, &file->handle, &slot->action);
    if (status == STATUS_FILE_IS_A_DIRECTORY && (slot->options & FILE_NON_DIRECTORY_FILE) == 0 &&
        (slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF)) {
        file->directory = TRUE;
        slot->action = FILE_OPENED;
        status = STATUS_SUCCESS;
    }
    /* Best effort: the file is there, and failing a create that created would be the greater lie. */
    if (status == STATUS_SUCCESS && slot->action != FILE_OPENED && (slot->attributes & SETTABLE) != 0)
        (void)smbc_getFunctionChmod(session->context)(
            session->context, session->url, session_mode_of_attributes(slot->attributes | FILE_ATTRIBUTE_ARCHIVE));
    return status;
}

/*
 * Whether url is still the file whose times have just been set: to list it fails, then, which in SMB 2 and 3 is one
 * exchange, and a query three. Only for who does not ask for more than that it is there.
 */
static BOOLEAN is_that_file(struct session *session)
{
    SMBCFILE *listing;

    if (!session_has_set_file(session, session->url) || strcmp(session->hello.dialect, "NT1") == 0)
        return FALSE;
    session_begin_call(session);
    listing = smbc_getFunctionOpendir(session->context)(session->context, session->url);
    if (listing == NULL)
        return session_failed_call(session) == STATUS_NOT_A_DIRECTORY;
    smbc_getFunctionClosedir(session->context)(session->context, listing);
    return FALSE;
}

/* An open for neither reading nor writing data: look at the path, keep nothing open. */
static NTSTATUS open_attributes(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    SMBCFILE *handle;
    struct stat st;

    if (slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF) {
        if ((slot->access & FILE_READ_ATTRIBUTES) == 0 && is_that_file(session)) {
            slot->action = FILE_OPENED;
            return STATUS_SUCCESS;
        }
        status = session_stat(session, session->url, &st);
        if (status == STATUS_SUCCESS) {
            file->directory = S_ISDIR(st.st_mode) != 0;
            slot->action = FILE_OPENED;
            if (file->directory && (slot->options & FILE_NON_DIRECTORY_FILE) != 0)
                return STATUS_FILE_IS_A_DIRECTORY;
            info_from_stat(session, &st, &slot->info);
            return STATUS_SUCCESS;
        }
        if (status != STATUS_OBJECT_NAME_NOT_FOUND || slot->disposition == FILE_OPEN)
            return status;
    }
    status = open_file(session, slot, file);
    if (status == STATUS_SUCCESS && file->handle != NULL) {
        handle = file->handle;
        file->handle = NULL;
        (void)call_close(session, handle);
    }
    return status;
}

/* MAXIMUM_ALLOWED: whatever the server does not deny to somebody who asks for less. */
static NTSTATUS open_most(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    const ACCESS_MASK asked = slot->access & ~(ACCESS_MASK)MAXIMUM_ALLOWED;
    const BOOLEAN opens = slot->disposition == FILE_OPEN || slot->disposition == FILE_OPEN_IF;
    NTSTATUS status;

    slot->access = asked | FILE_ALL_ACCESS;
    status = open_file(session, slot, file);
    if (status == STATUS_ACCESS_DENIED && opens && (asked & WRITES) == 0) {
        slot->access = asked | (FILE_ALL_ACCESS & ~(ACCESS_MASK)(WRITES | FILE_DELETE_CHILD));
        status = open_file(session, slot, file);
    }
    if (status == STATUS_ACCESS_DENIED && opens && (asked & (READS | WRITES)) == 0) {
        slot->access = asked | FILE_READ_ATTRIBUTES | SYNCHRONIZE;
        status = open_attributes(session, slot, file);
    }
    return status;
}

static NTSTATUS call_mkdir(struct session *session)
{
    session_begin_call(session);
    return smbc_getFunctionMkdir(session->context)(session->context, session->url, 0777) == 0
               ? STATUS_SUCCESS
               : session_failed_call(session);
}

static NTSTATUS open_directory(struct session *session, struct ring_slot *slot, struct open_file *file)
{
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    struct stat st;

    file->directory = TRUE;
    for (int i = 0; i < RACE_RETRIES; i++) {
        if (slot->disposition != FILE_CREATE) {
            status = session_stat(session, session->url, &st);
            if (status == STATUS_SUCCESS && !S_ISDIR(st.st_mode))
                return STATUS_NOT_A_DIRECTORY;
            if (status == STATUS_SUCCESS) {
                slot->action = FILE_OPENED;
                info_from_stat(session, &st, &slot->info);
            }
            if (status != STATUS_OBJECT_NAME_NOT_FOUND || slot->disposition == FILE_OPEN)
                return status;
        }
        status = call_mkdir(session);
        if (status == STATUS_SUCCESS)
            slot->action = FILE_CREATED;
        if (status != STATUS_OBJECT_NAME_COLLISION || slot->disposition == FILE_CREATE)
            return status;
    }
    return status;
}

static NTSTATUS check_create(const struct ring_slot *slot)
{
    if (slot->disposition > FILE_MAXIMUM_DISPOSITION)
        return STATUS_INVALID_PARAMETER;
    if ((slot->options & FILE_DIRECTORY_FILE) == 0)
        return STATUS_SUCCESS;
    if ((slot->options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(slot->disposition))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static NTSTATUS open_root(struct ring_slot *slot, struct open_file *file)
{
    if ((slot->options & FILE_NON_DIRECTORY_FILE) != 0 || overwrites(slot->disposition))
        return STATUS_FILE_IS_A_DIRECTORY;
    if (slot->disposition == FILE_CREATE)
        return STATUS_OBJECT_NAME_COLLISION;
    file->directory = TRUE;
    slot->action = FILE_OPENED;
    return STATUS_SUCCESS;
}

static NTSTATUS do_create(struct session *session, struct ring_slot *slot)
{
    struct open_file *file;
    NTSTATUS status = check_create(slot);

    if (status == STATUS_SUCCESS)
        status = session_make_url(session, slot->payload, slot->length, session->url);
    if (status == STATUS_SUCCESS)
        status = add_file(session, session->url, &file);
    if (status != STATUS_SUCCESS)
        return status;
    memset(&slot->info, 0, sizeof(slot->info));
    if (session_is_root(session, session->url))
        status = open_root(slot, file);
    else if ((slot->options & FILE_DIRECTORY_FILE) != 0)
        status = open_directory(session, slot, file);
    else if ((slot->access & MAXIMUM_ALLOWED) != 0)
        status = open_most(session, slot, file);
    else if ((slot->access & (READS | WRITES)) == 0)
        status = open_attributes(session, slot, file);
    else
        status = open_file(session, slot, file);
    if (status != STATUS_SUCCESS) {
        (void)remove_file(session, file);
        return status;
    }
    if (file->directory)
        slot->info.attributes |= FILE_ATTRIBUTE_DIRECTORY;
    if ((slot->access & MAXIMUM_ALLOWED) != 0) /* a directory: nothing is open at the server */
        slot->access = (slot->access & ~(ACCESS_MASK)MAXIMUM_ALLOWED) | FILE_ALL_ACCESS;
    file->access = slot->access;
    slot->result_file = file->id;
    return STATUS_SUCCESS;
}

/* ---- data ---- */

static NTSTATUS seek(struct session *session, struct open_file *file, uint64_t offset)
{
    if (offset > INT64_MAX - SMB_MAX_IO)
        return STATUS_INVALID_PARAMETER;
    session_begin_call(session);
    if (smbc_getFunctionLseek(session->context)(session->context, file->handle, (off_t)offset, SEEK_SET) < 0)
        return session_failed_call(session);
    return STATUS_SUCCESS;
}

static NTSTATUS do_read(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    ssize_t done;

    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & READS) == 0)
        return STATUS_ACCESS_DENIED;
    status = seek(session, file, slot->offset);
    if (status != STATUS_SUCCESS || slot->length == 0)
        return status;
    session_begin_call(session);
    done = smbc_getFunctionRead(session->context)(session->context, file->handle, slot->payload, slot->length);
    if (done < 0)
        return session_failed_call(session);
    if (done == 0)
        return STATUS_END_OF_FILE;
    slot->done = (uint32_t)done;
    return STATUS_SUCCESS;
}

static NTSTATUS do_write(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    ssize_t done;

    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    status = seek(session, file, slot->offset);
    if (status != STATUS_SUCCESS || slot->length == 0)
        return status;
    session_begin_call(session);
    done = smbc_getFunctionWrite(session->context)(session->context, file->handle, slot->payload, slot->length);
    if (done < 0)
        return session_failed_call(session);
    slot->done = (uint32_t)done;
    return STATUS_SUCCESS;
}

static NTSTATUS do_set_size(struct session *session, struct open_file *file, const struct ring_slot *slot)
{
    if (file->directory)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (file->handle == NULL || (file->access & WRITES) == 0)
        return STATUS_ACCESS_DENIED;
    return session_set_size(session, file->handle, slot);
}

/* ---- listings ---- */

static NTSTATUS begin_listing(struct session *session, struct open_file *file)
{
    if (file->pending == NULL)
        file->pending = calloc(1, sizeof(*file->pending));
    if (file->pending == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (file->listing != NULL)
        smbc_getFunctionClosedir(session->context)(session->context, file->listing);
    file->pending->valid = FALSE;
    file->at_end = FALSE;
    session_begin_call(session);
    file->listing = smbc_getFunctionOpendir(session->context)(session->context, file->url);
    return file->listing != NULL ? STATUS_SUCCESS : session_failed_call(session);
}

/* Make the next entry pending. FALSE: there is none. */
static BOOLEAN next_entry(struct session *session, struct open_file *file)
{
    const struct libsmb_file_info *found;
    struct smb_info *info = &file->pending->info;
    struct stat st;

    while (!file->pending->valid && !file->at_end) {
        memset(&st, 0, sizeof(st));
        found = smbc_getFunctionReaddirPlus2(session->context)(session->context, file->listing, &st);
        if (found == NULL) {
            file->at_end = TRUE;
            break;
        }
        if (strcmp(found->name, ".") == 0 || strcmp(found->name, "..") == 0 ||
            strlen(found->name) > sizeof(file->pending->name) / sizeof(WCHAR))
            continue;
        file->pending->length = smb_name_from_utf8(found->name, file->pending->name);
        if (file->pending->length == 0)
            continue;
        info_from_stat(session, &st, info);
        info->creation_time = smb_time(found->btime_ts.tv_sec, found->btime_ts.tv_nsec);
        info->attributes = found->attrs != 0 ? found->attrs : FILE_ATTRIBUTE_NORMAL;
        file->pending->valid = TRUE;
    }
    return file->pending->valid;
}

static NTSTATUS do_query_directory(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG used = 0, last = 0;

    if (!file->directory)
        return STATUS_INVALID_PARAMETER;
    if (file->listing == NULL || slot->restart)
        status = begin_listing(session, file);
    if (status != STATUS_SUCCESS)
        return status;
    while (next_entry(session, file)) {
        if (!smb_put_dirent(slot->payload, slot->length, &used, &last, file->pending->name, file->pending->length,
                            &file->pending->info))
            break;
        file->pending->valid = FALSE;
    }
    if (used == 0)
        return file->pending->valid ? STATUS_BUFFER_TOO_SMALL : STATUS_NO_MORE_FILES;
    slot->done = used;
    return STATUS_SUCCESS;
}

/* ---- queries ---- */

static NTSTATUS do_query_file(struct session *session, struct open_file *file, struct ring_slot *slot)
{
    NTSTATUS status;
    struct stat st;

    /* libsmbclient's open for writing alone has no right to the attributes. */
    if (file->handle != NULL && (file->access & READS) != 0)
        status = session_stat_open(session, file->handle, &st);
    else
        status = session_stat(session, file->url, &st);
    if (status == STATUS_SUCCESS)
        info_from_stat(session, &st, &slot->info);
    return status;
}

static NTSTATUS do_query_path(struct session *session, struct ring_slot *slot)
{
    NTSTATUS status = session_make_url(session, slot->payload, slot->length, session->url);
    struct stat st;

    if (status == STATUS_SUCCESS)
        status = session_stat(session, session->url, &st);
    if (status == STATUS_SUCCESS)
        info_from_stat(session, &st, &slot->info);
    return status;
}

static NTSTATUS do_query_volume(struct session *session, struct ring_slot *slot)
{
    struct statvfs vfs = {0};

    session_begin_call(session);
    if (smbc_getFunctionStatVFS(session->context)(session->context, session->root, &vfs) != 0)
        return session_failed_call(session);
    /* libsmbclient uses f_bsize for bytes in a sector and f_frsize for sectors in a unit; with Unix extensions,
     * f_bsize is the unit and f_frsize 0. */
    slot->volume = (struct smb_volume){
        .total_units = vfs.f_blocks,
        .free_units = vfs.f_bavail,
        .sectors_per_unit = vfs.f_frsize != 0 ? (ULONG)vfs.f_frsize : (ULONG)(vfs.f_bsize / 512),
        .bytes_per_sector = vfs.f_frsize != 0 ? (ULONG)vfs.f_bsize : 512,
        .max_component = vfs.f_namemax != 0 ? (ULONG)vfs.f_namemax : 255,
    };
    return STATUS_SUCCESS;
}

/* ---- session.h ---- */

static NTSTATUS perform_by_path(struct session *session, struct ring_slot *slot)
{
    NTSTATUS status = session_connect(session);

    if (status != STATUS_SUCCESS)
        return status;
    switch (slot->op) {
    case SMB_CREATE:
        return do_create(session, slot);
    case SMB_QUERY_PATH:
        return do_query_path(session, slot);
    case SMB_QUERY_VOLUME:
        return do_query_volume(session, slot);
    case SMB_DELETE:
        return session_delete(session, slot);
    case SMB_RENAME:
        return session_rename(session, slot);
    case SMB_SET_BASIC:
        return session_set_basic(session, slot);
    default:
        return STATUS_SUCCESS;
    }
}

static NTSTATUS perform_by_file(struct session *session, struct ring_slot *slot)
{
    struct open_file *file = find_file(session, slot->file);
    BOOLEAN lost;

    if (file == NULL)
        return STATUS_INVALID_HANDLE;
    lost = file->connection != session->connection || !is_alive(session);
    if (slot->op == SMB_CLOSE) {
        NTSTATUS status = remove_file(session, file);

        return lost ? STATUS_CONNECTION_DISCONNECTED : status;
    }
    if (lost)
        return STATUS_CONNECTION_DISCONNECTED;
    switch (slot->op) {
    case SMB_READ:
        return do_read(session, file, slot);
    case SMB_WRITE:
        return do_write(session, file, slot);
    case SMB_QUERY_FILE:
        return do_query_file(session, file, slot);
    case SMB_QUERY_DIRECTORY:
        return do_query_directory(session, file, slot);
    case SMB_SET_SIZE:
        return do_set_size(session, file, slot);
    default:
        return STATUS_SUCCESS;
    }
}

static enum smb_origin origin_of(const struct session *session, NTSTATUS status)
{
    if (status == session->log.status || status == session->log.connect)
        return SMB_ORIGIN_LOG;
    return status == session->mapped ? SMB_ORIGIN_ERRNO : SMB_ORIGIN_WORKER;
}

void session_perform(struct session *session, struct ring_slot *slot)
{
    session->mapped = STATUS_SUCCESS;
    memset(&session->log, 0, sizeof(session->log));
    slot->origin = SMB_ORIGIN_ANSWER;
    slot->done = 0;
    slot->result_file = 0;
    if (slot->length > RING_PAYLOAD || slot->target_length > RING_PAYLOAD - slot->length) {
        slot->status = STATUS_INVALID_PARAMETER;
        return;
    }
    if (slot->op != SMB_SET_BASIC && slot->op != SMB_CLOSE &&
        (slot->op != SMB_CREATE || slot->disposition != FILE_OPEN))
        session_forget_set(session);
    switch (slot->op) {
    case SMB_TREE_CONNECT:
    case SMB_CREATE:
    case SMB_QUERY_PATH:
    case SMB_QUERY_VOLUME:
    case SMB_DELETE:
    case SMB_RENAME:
    case SMB_SET_BASIC:
        slot->status = perform_by_path(session, slot);
        break;
    case SMB_TREE_DISCONNECT:
        slot->status = STATUS_SUCCESS;
        session_free_setter(session);
        drop_connection(session);
        break;
    default:
        slot->status = perform_by_file(session, slot);
        break;
    }
    if (slot->status != STATUS_SUCCESS)
        slot->origin = origin_of(session, slot->status);
    if (slot->status == STATUS_IO_TIMEOUT)
        drop_connection(session);
    if (is_loss(slot->status) || slot->op == SMB_TREE_DISCONNECT)
        session->looked = 0;
}

void session_undo(struct session *session, const struct ring_slot *slot)
{
    struct open_file *file;

    if (slot->op != SMB_CREATE || slot->status != STATUS_SUCCESS)
        return;
    file = find_file(session, slot->result_file);
    if (file != NULL)
        (void)remove_file(session, file);
}

BOOLEAN session_describe(const struct session *session, char *text, size_t size)
{
    if (!session->tested)
        return FALSE;
    snprintf(text, size, "%s by libsmbclient %s%s", session->hello.dialect[0] != '\0' ? session->hello.dialect : "SMB",
             smbc_version(), !session->statuses_logged ? ", statuses from errno only" : "");
    return TRUE;
}

static BOOLEAN make_root(struct session *session)
{
    const struct ring_hello *hello = &session->hello;
    size_t size = 32 + strlen(hello->host) * 3 + strlen(hello->share) * 3;
    BOOLEAN numeric6 = strchr(hello->host, ':') != NULL;
    char share[3 * HELLO_STRING];

    session->root = malloc(size);
    if (session->root == NULL)
        return FALSE;
    smb_name_escape(hello->share, share);
    snprintf(session->root, size, "smb://%s%s%s:%u/%s/", numeric6 ? "[" : "", hello->host, numeric6 ? "]" : "",
             hello->port, share);
    session->url = malloc(strlen(session->root) + smb_name_url_size(UINT16_MAX));
    session->target_url = malloc(strlen(session->root) + smb_name_url_size(UINT16_MAX));
    session->set_url = calloc(1, strlen(session->root) + smb_name_url_size(UINT16_MAX));
    return session->url != NULL && session->target_url != NULL && session->set_url != NULL;
}

/*
 * libsmbclient makes an event context for every call, which with epoll is six system calls more than with poll, a
 * tenth of an open. tevent's public way to choose is not among libsmbclient's headers, but is there, as it needs
 * tevent.
 */
static void choose_poll(void)
{
    void (*set_default_backend)(const char *name) =
        (void (*)(const char *))dlsym(RTLD_DEFAULT, "tevent_set_default_backend");

    if (set_default_backend != NULL)
        set_default_backend("poll");
}

SMBCCTX *session_new_context(struct session *session)
{
    const struct ring_hello *hello = &session->hello;
    SMBCCTX *context = smbc_new_context();

    if (context == NULL)
        return NULL;
    smbc_setOptionUserData(context, session);
    smbc_setLogCallback(context, &session->log, on_log);
    smbc_setOptionDebugToStderr(context, 0);
    smbc_setDebug(context, SMB_LOG_LEVEL_CALLS);
    smbc_setFunctionAuthDataWithContext(context, on_auth);
    smbc_setUser(context, hello->user);
    if (hello->domain[0] != '\0')
        smbc_setWorkgroup(context, hello->domain);
    smbc_setTimeout(context, (int)hello->timeout_ms);
    smbc_setOptionUseKerberos(context, 0);
    smbc_setOptionFullTimeNames(context, 1);
    /* Otherwise a wrong password would be tried again as nobody, and succeed on a guest share. */
    smbc_setOptionNoAutoAnonymousLogin(context, hello->user[0] != '\0');
    if (smbc_setOptionProtocols(context, hello->dialect[0] != '\0' ? hello->dialect : "NT1",
                                hello->dialect[0] != '\0' ? hello->dialect : "SMB3_11") &&
        smbc_init_context(context) != NULL)
        return context;
    smbc_free_context(context, 1);
    return NULL;
}

struct session *session_new(const struct ring_hello *hello)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return NULL;
    session->hello = *hello;
    session->socket = -1;
    session->statuses_logged = FALSE;
    choose_poll();
    if (make_root(session))
        session->context = session_new_context(session);
    if (session->context != NULL)
        return session;
    session_free(session);
    return NULL;
}

void session_free(struct session *session)
{
    if (session == NULL)
        return;
    for (uint32_t i = 0; i < session->file_count; i++) {
        if (session->files[i] != NULL)
            (void)remove_file(session, session->files[i]);
    }
    session_free_setter(session);
    if (session->context != NULL)
        smbc_free_context(session->context, 1);
    explicit_bzero(&session->hello, sizeof(session->hello));
    free(session->files);
    free(session->uses);
    free(session->root);
    free(session->url);
    free(session->target_url);
    free(session->set_url);
    free(session);
}
