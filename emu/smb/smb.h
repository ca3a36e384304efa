/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * smb.h - what a redirector asks of an SMB client: NT-shaped, asynchronous, cancellable.
 *
 * A redirector speaks in NT's terms (disposition, share access, create options, NTSTATUS). A backend translates
 * *down* to what its client can say, so that no NT semantics get lost above this line unnoticed. Backends:
 *   smb_mem_backend()   an SMB server in memory: for unit tests, and to inject faults    (emu/smb/mem.c)
 *   smb_smbc_backend()  libsmbclient against a real server, a worker process a connection (emu/smb/smbc.c)
 *   smb_fault_backend() either of them, with requests that fail or hang on demand        (emu/smb/fault.c)
 * The first two pass tests/integration/test_smb_contract.c.
 *
 * Memory here is the host's (malloc), never the emulated pool: the pool counts nothing that NT would not have.
 *
 * Names are counted UTF-16 strings relative to the share's root, components separated by '\'. Leading '\' is
 * optional; "" and "\" are the root. No backend sees a trailing backslash, "." or ".." component, wildcard or
 * control character: those are decided above (docs/fidelity.md, "names"). A '/' or an unpaired surrogate is
 * STATUS_OBJECT_NAME_INVALID here, as no server could be asked for it.
 *
 * What libsmbclient cannot say, and the smbc backend therefore does not (observed with 4.17, no option changes it):
 *   - FILE_SHARE_DELETE is never granted to others.
 *   - An open for neither reading, writing nor executing data (attributes, DELETE) is a query of the path: nothing
 *     is open at the server, so it excludes nobody and nobody excludes it. An open directory is the same.
 *   - Of an access mask only reading, writing or both gets there: nothing beyond that is asked for, denied or granted
 *     (DELETE beside data, FILE_APPEND_DATA alone, WRITE_DAC, bits that mean nothing, no bits at all).
 *   - MAXIMUM_ALLOWED is found out: for reading and writing, or for reading if that is denied, or for attributes. The
 *     rights that nobody asked the server for count as granted.
 *   - FILE_SUPERSEDE overwrites: the old file's attributes and identity stay, and DELETE is not needed.
 *   - Attributes of a new file other than READONLY, HIDDEN and SYSTEM are the server's choice; those are set after the
 *     open, and are not known to the server when it decides about overwriting a hidden file.
 *   - Every open of data has FILE_NON_DIRECTORY_FILE, so overwriting a directory is STATUS_FILE_IS_A_DIRECTORY without
 *     that option, too.
 *   - FILE_DELETE_ON_CLOSE, and all other options. A delete or rename is one by path (see SMB_DELETE, SMB_RENAME), and
 *     refused while the file is open for data anywhere.
 *
 * Threads: every function may be called from any thread. A completion routine runs on a thread of the
 * backend's, or inside smb_submit, smb_perform, smb_cancel or smb_disconnect on any thread that calls them: it must
 * not block, and it may submit further requests.
 */
#ifndef NTEMU_SMB_H
#define NTEMU_SMB_H

#include <ntemu/nt.h>

struct smb_backend;
struct smb_connection;
typedef uint64_t smb_file; /* an open file or directory of one connection; 0 is none */

/* Who is asked, as whom. The strings are the caller's and are copied by smb_connect. */
struct smb_target {
    const char *host;     /* name or address to connect to */
    uint16_t port;        /* TCP port, host byte order; 0 means 445 */
    const char *share;    /* share name, UTF-8 */
    const char *user;     /* UTF-8; NULL or "" asks for an anonymous session */
    const char *domain;   /* may be NULL */
    const char *password; /* may be NULL; kept until smb_disconnect, as a lost server is logged on to again; never
                             in a dump, an argument or an environment, and wiped then */
    const struct smb_connection *like; /* NULL, or one of the same backend: user, domain and password are its, not those
                                          above, so that nobody else has to keep them */
    const char *dialect;               /* "NT1" .. "SMB3_11", exactly that; NULL negotiates from NT1 up to SMB3_11 */
    unsigned timeout_ms; /* for one exchange with the server; 0 means 20,000. A request may need two of them */
};

enum smb_op {
    SMB_TREE_CONNECT,    /* negotiate, log on, connect the tree: proves host, credentials and share */
    SMB_CREATE,          /* open or create: path, create.* -> file, create.action, info */
    SMB_CLOSE,           /* file. Frees the id whatever the status says. May complete together with the next request */
    SMB_READ,            /* file, io.* -> io.done; STATUS_END_OF_FILE if nothing was left at offset */
    SMB_WRITE,           /* file, io.* -> io.done */
    SMB_FLUSH,           /* file. A completed write is at the server already; libsmbclient can ask for no more */
    SMB_QUERY_PATH,      /* path -> info */
    SMB_QUERY_FILE,      /* file -> info */
    SMB_QUERY_VOLUME,    /* -> volume */
    SMB_QUERY_DIRECTORY, /* file (a directory), io.buffer -> io.done bytes of struct smb_dirent; see there */
    SMB_DELETE,          /* path, remove.directory; see there */
    SMB_RENAME,          /* path, rename.*; see there */
    SMB_TREE_DISCONNECT, /* leave the share: the server closes all that is open in it (MS-CIFS 2.2.4.51) */
    SMB_SET_SIZE,        /* file (open to write), size: it ends there from now on, and what is added is 0 */
    SMB_SET_BASIC,       /* path, file or 0, basic.*; see there */
    SMB_NOTIFY,          /* path, notify.* -> io.done; see there */
    SMB_OP_COUNT
};

/* What the server knows of a file. Times in NT's units: 100 ns since 1601, UTC; 0 is unknown. Sizes in bytes. */
struct smb_info {
    LONGLONG creation_time, last_access_time, last_write_time, change_time;
    ULONGLONG allocation_size, end_of_file, index_number;
    ULONG attributes; /* FILE_ATTRIBUTE_*; FILE_ATTRIBUTE_DIRECTORY is always right */
    ULONG links;
    ULONG left_out; /* bytes of basic information (MS-FSCC 2.4.7: 40) that the answer had not at its end: 0, or the 4 of
                     * padding, which no field needs */
    /* FALSE: only FILE_ATTRIBUTE_DIRECTORY is known. TRUE: the server was asked; what a client cannot learn is 0:
     * creation_time of a query, index_number in NT1 (there libsmbclient makes one up from the name). The redirector
     * makes index numbers of its own: RdrIndexNumber. */
    BOOLEAN complete;
};

struct smb_volume {
    ULONGLONG total_units, free_units; /* allocation units */
    ULONG sectors_per_unit, bytes_per_sector;
    ULONG serial, max_component; /* max_component in UTF-16 units; serial 0: unknown */
};

/*
 * One entry of a listing; entries follow each other at next_offset (0: last). 8-byte aligned, so io.buffer must be.
 * "." and ".." are not listed, the order is the server's. A request gives as many entries as fit and the next one
 * goes on from there; STATUS_NO_MORE_FILES when none is left, also at once for an empty directory;
 * STATUS_BUFFER_TOO_SMALL if not even one entry fits, which then stays the next.
 */
struct smb_dirent {
    ULONG next_offset;
    ULONG name_length; /* bytes of UTF-16 that follow the structure */
    struct smb_info info;
};

/*
 * SMB_DELETE: delete what path names, as an open for DELETE with FILE_DELETE_ON_CLOSE and its close would. Others'
 * opens that share deleting let it happen; the name then goes with the last of them (STATUS_DELETE_PENDING until then).
 *   Statuses  STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_NAME_INVALID;
 *             STATUS_FILE_IS_A_DIRECTORY or STATUS_NOT_A_DIRECTORY: it is not what remove.directory says;
 *             STATUS_CANNOT_DELETE: a read-only file, or the root; STATUS_DIRECTORY_NOT_EMPTY;
 *             STATUS_SHARING_VIOLATION: open without FILE_SHARE_DELETE, which every open by libsmbclient is;
 *             STATUS_DELETE_PENDING; STATUS_ACCESS_DENIED, or STATUS_MEDIA_WRITE_PROTECTED, which smbd says in places
 *             of a share that is read-only.
 */
struct smb_remove {
    BOOLEAN directory; /* TRUE: path is an empty directory. FALSE: it is a file */
};

/*
 * SMB_RENAME: give the file or directory that path names another place on the same share, as an open for DELETE and
 * FileRenameInformation would. Its identity, times and attributes stay; a target that is the same name in other case
 * is no collision.
 *   Statuses  those of SMB_DELETE for path, without STATUS_CANNOT_DELETE and STATUS_DIRECTORY_NOT_EMPTY;
 *             STATUS_OBJECT_NAME_COLLISION: the target exists, and replace is FALSE; STATUS_OBJECT_PATH_NOT_FOUND: its
 *             directory does not; STATUS_ACCESS_DENIED: the target may not be replaced (a directory, read-only, or
 *             open), or something below path is open (smbd knows that of one connection only);
 *             STATUS_INVALID_PARAMETER: path is the root; STATUS_SHARING_VIOLATION: the target is below path.
 * libsmbclient can say neither "replace" nor "do not". So the smbc backend looks first, and deletes the target first:
 * another client may come in between, and a target that was deleted for a rename which then fails is gone.
 */
struct smb_rename {
    UNICODE_STRING target; /* relative to the share's root, as path; its buffer must stay until completion */
    BOOLEAN replace;       /* take the place of an existing file */
};

/*
 * SMB_SET_BASIC: give what path names other times and attributes, as an open for FILE_WRITE_ATTRIBUTES and
 * FileBasicInformation would; who has the file open does not matter. 0 leaves a field as it is. Attributes that a
 * server does not keep are ignored: READONLY, HIDDEN, SYSTEM and ARCHIVE are kept. file, if it is not 0, is what the
 * caller has open at path: a backend may ask that for what stays.
 *   Statuses  STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_NAME_INVALID,
 *             STATUS_DELETE_PENDING, STATUS_ACCESS_DENIED; STATUS_MEDIA_WRITE_PROTECTED as SMB_DELETE.
 * libsmbclient sets a creation time in whole seconds, the others in microseconds, and takes one to three requests of
 * its own for it: others may see what is between, and what others change meanwhile may be set back. Meanwhile includes
 * the last SMB_LEFT_ALONE_MS, if the file's times were set then by the same connection, which has done nothing since
 * but close files: the file is not asked again for what stays. Of a directory it does not tell HIDDEN, SYSTEM and
 * ARCHIVE, so they are lost when its times are set.
 */
#define SMB_LEFT_ALONE_MS 20u

struct smb_basic {
    LONGLONG creation_time, last_access_time, last_write_time; /* as in smb_info; 0: not to be set */
    ULONG attributes; /* FILE_ATTRIBUTE_NORMAL: none of them. FILE_ATTRIBUTE_DIRECTORY is ignored */
};

/*
 * SMB_NOTIFY: what changes in a directory, on a connection that serves nothing else from then on: libsmbclient does not
 * come back from it. The first request begins, and completes with io.done = 0 when the server watches. Each one after
 * it, whose path, filter and tree do not matter, completes with the next changes: io.done bytes of
 * FILE_NOTIFY_INFORMATION (MS-FSCC 2.7.1), names relative to the directory. What changes in between is kept for the
 * next one by the server. Statuses  of a query of the path; STATUS_NOTIFY_ENUM_DIR, a success with io.done = 0: more
 * has changed than fits; STATUS_INVALID_PARAMETER: no filter. STATUS_INVALID_DEVICE_REQUEST: something else on such a
 * connection. It ends with the connection. A request that is cancelled ends the watch as well.
 */
struct smb_notify {
    void *buffer; /* must stay until completion */
    ULONG length; /* bytes, at most SMB_MAX_IO */
    ULONG filter; /* FILE_NOTIFY_CHANGE_* */
    BOOLEAN tree; /* also below the directory */
};

/*
 * How a backend knows a failed request's status, for who has to judge it. smb_origin_name says it in words: "the
 * server's answer", ...
 */
enum smb_origin {
    SMB_ORIGIN_ANSWER, /* the server said so, or the backend is the server */
    SMB_ORIGIN_LOG,    /* libsmbclient's log told the NTSTATUS */
    SMB_ORIGIN_ERRNO,  /* libsmbclient told errno, and this is what it most probably was */
    SMB_ORIGIN_WORKER  /* concluded from other answers: libsmbclient has no such request */
};
const char *smb_origin_name(enum smb_origin origin);

struct smb_request {
    /* set by the caller, untouched by the backend */
    enum smb_op op;
    smb_file file;
    UNICODE_STRING path; /* its buffer must stay until completion */
    union {
        struct {
            ACCESS_MASK access; /* specific rights, MAXIMUM_ALLOWED; generic bits are mapped already */
            ULONG share_access; /* FILE_SHARE_* */
            ULONG disposition;  /* FILE_SUPERSEDE .. FILE_OVERWRITE_IF */
            /* FILE_DIRECTORY_FILE and FILE_NON_DIRECTORY_FILE matter to every backend. FILE_DELETE_ON_CLOSE only to
             * the server in memory: who serves both keeps it to itself, and asks for SMB_DELETE. */
            ULONG options;
            ULONG attributes; /* FILE_ATTRIBUTE_* for a new or overwritten file */
        } create;
        struct {
            void *buffer; /* must stay until completion, also when cancelled */
            ULONG length; /* bytes, at most SMB_MAX_IO */
            ULONGLONG offset;
            BOOLEAN restart; /* SMB_QUERY_DIRECTORY: from the first entry */
        } io;
        struct smb_notify notify;
        struct smb_remove remove;
        struct smb_rename rename;
        ULONGLONG size; /* bytes */
        struct smb_basic basic;
    } in;
    void (*complete)(struct smb_request *request);
    void *context;

    /* set by the backend before it calls complete */
    NTSTATUS status;
    enum smb_origin origin; /* of a status that is an error */
    union {
        struct {
            smb_file file;
            ACCESS_MASK access;   /* what was granted: MAXIMUM_ALLOWED has become specific rights */
            ULONG action;         /* FILE_OPENED, FILE_CREATED, FILE_OVERWRITTEN, FILE_SUPERSEDED */
            struct smb_info info; /* of an opened file not complete, so that an open is one exchange */
        } create;
        struct {
            ULONG done; /* bytes */
        } io;
        struct smb_info info;
        struct smb_volume volume;
    } out;

    /* the backend's own */
    struct {
        struct smb_request *next;
        uint64_t id;
        unsigned state;
    } backend;
};

#define SMB_MAX_IO 65536u

/*
 * smb_connect - make a connection object for one share. No packet is sent: SMB_TREE_CONNECT does that.
 *   ret_connection  out, only on success. Owned by the caller: smb_disconnect.
 *   Returns  STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES (no memory, no worker process),
 *            STATUS_INVALID_PARAMETER (no host or share; a string of more than 255 bytes; not UTF-8;
 *            a dialect that there is not).
 */
NTSTATUS smb_connect(struct smb_backend *backend, const struct smb_target *target,
                     struct smb_connection **ret_connection);

/*
 * smb_submit - start a request. Its complete routine is called exactly once, whatever happens.
 * Requests of one connection are served in the order of submission, so one need not wait for a CLOSE before it opens
 * the same file again; requests that are not waited for are the cheapest. A request by path (TREE_CONNECT, CREATE,
 * QUERY_PATH, QUERY_VOLUME, DELETE, RENAME, SET_BASIC) on a connection that stands no more, or never did, makes one
 * attempt to connect. Nothing is ever sent twice: a server lost while a request is with it is
 * STATUS_CONNECTION_DISCONNECTED, and the next request connects anew. Files that were open then are gone:
 * STATUS_CONNECTION_DISCONNECTED, still to be closed; so they are after a TREE_DISCONNECT, for which libsmbclient,
 * having none, ends its session. Statuses a backend can give, besides what the server says: STATUS_CANCELLED,
 * STATUS_IO_TIMEOUT (b5), STATUS_CONNECTION_DISCONNECTED, STATUS_BAD_NETWORK_PATH (no such host, connection refused),
 *   STATUS_BAD_NETWORK_NAME (no such share), STATUS_LOGON_FAILURE, STATUS_INSUFFICIENT_RESOURCES,
 *   STATUS_INVALID_HANDLE (no such file), STATUS_INVALID_PARAMETER (a disposition, or options, or a length that do
 *   not exist), STATUS_UNEXPECTED_NETWORK_ERROR (the worker died; the next request starts another).
 */
void smb_submit(struct smb_connection *connection, struct smb_request *request);

/*
 * smb_perform - submit a request and wait for it here: the cheapest way for a thread that would wait anyway, as it is
 * woken by the worker itself and not by a completion routine. complete and context are not the caller's meanwhile.
 * smb_cancel from another thread ends it, smb_disconnect does not: nobody may be in here then.
 *   Returns  request->status.
 */
NTSTATUS smb_perform(struct smb_connection *connection, struct smb_request *request);

/*
 * smb_cancel - complete the request with STATUS_CANCELLED now, unless it has completed already. Never waits for
 * a server. What the server had done all the same is undone: a file that a cancelled create opened is closed.
 * The request must still be valid: the caller rules out a completion that frees it meanwhile.
 */
void smb_cancel(struct smb_connection *connection, struct smb_request *request);

/*
 * smb_disconnect - close every file, complete what is outstanding with STATUS_CONNECTION_DISCONNECTED, free the
 * connection. Accepts NULL. Returns after the last completion routine has returned; waits at most a second for
 * a server. Not from a completion routine.
 */
void smb_disconnect(struct smb_connection *connection);

/*
 * What really serves the requests, for reports: "SMB3_11 by libsmbclient 4.17.12-Debian" or "in memory". UTF-8.
 * Only what is known: libsmbclient tells neither the server's version nor, unless one was asked for, the dialect.
 */
void smb_describe(struct smb_connection *connection, char *text, size_t size);

/* How many requests of each kind were submitted over the backend's whole life: tests and reports. */
uint64_t smb_backend_count(const struct smb_backend *backend, enum smb_op op);

/* Frees a backend without connections. Accepts NULL. */
void smb_backend_free(struct smb_backend *backend);

/* smb_mem_backend - a backend whose servers live in memory. NULL: out of memory. See mem.h to give it files. */
struct smb_backend *smb_mem_backend(void);

/*
 * smb_smbc_backend - libsmbclient, in one worker process a connection: libsmbclient is not thread safe, blocks,
 * and cannot be cancelled. This side links no libsmbclient.
 *   worker_path  the rdrlab-smbworker program. NULL: the one of the build or of the installation.
 *   state_dir    an existing private folder for what libsmbclient writes (it reads $HOME/.smb/smb.conf). Copied.
 *   NULL: out of memory, no such program or folder, or it cannot be written to (errno says).
 */
struct smb_backend *smb_smbc_backend(const char *worker_path, const char *state_dir);

#endif
