/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - what a client process and the emulated machine say to each other: one message, one NT service call.
 *
 * Compiled natively (rdrlabd, rdrlab, tests) and by mingw-w64 for both word sizes (rdrlabnp.dll), hence fixed
 * widths, explicit padding and asserted sizes; little-endian, as every machine that Wine runs on here is.
 *
 * A machine's folder (mode 0700, RDRLAB_MACHINE names it) holds
 *   socket    AF_UNIX, SOCK_SEQPACKET: HELLO first; then any request, answered in order
 *   tokens/   one file per open file a client holds, named by the token in 16 hex digits. A client turns a token
 *             into a handle by opening the file; the last close of it is NtClose of the last handle. A section has
 *             one, too: CREATE_SECTION
 *   attach/   shared regions for clients that cannot use sockets: they open and map one, and say HELLO in it
 *   images/   the clients' own: copies of files that they write by mappings, or run, gone when nobody uses them any
 * longer mappings  letters that are remembered, for the next machine; stays when it has ended bugcheck.txt  the report
 * of the bug check that stopped the machine, for people; stays when it has ended
 *
 * A message is a struct wire_header, the request's or reply's fixed part, and bytes whose counts stand in the fixed
 * part. length is the whole. A reply repeats op and carries an NTSTATUS; with an error status (0xC0000000 and up;
 * warnings such as STATUS_BUFFER_OVERFLOW and STATUS_NO_MORE_FILES are none) it has no fixed part, unless said
 * otherwise. The machine copies a request once, out of the client's reach, and validates the copy.
 * Names and strings are UTF-16 without terminator, counts are in bytes.
 */
#ifndef RDRLAB_WIRE_H
#define RDRLAB_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC        0x424C4452u /* "RDLB" */
#define WIRE_VERSION      4
#define WIRE_DATA_MAX     65536u /* bytes after the fixed part, at most */
#define WIRE_MESSAGE_MAX  (WIRE_DATA_MAX + 1024u)
#define WIRE_SLOT_COUNT   64u /* threads of one process that can be inside a call at once */
#define WIRE_LETTERS      26
#define WIRE_NO_LETTER    WIRE_LETTERS
#define WIRE_SESSION_MOST 0xffffu /* that a client can ask for; those above are the machine's to give */

#ifdef __cplusplus
#define WIRE_ASSERT(x) static_assert(x, #x)
#else
#define WIRE_ASSERT(x) _Static_assert(x, #x)
#endif

enum wire_op {
    WIRE_HELLO = 1,
    WIRE_ATTACH_SLOT,       /* socket only, no reply: serve this slot from now on */
    WIRE_CREATE,            /* NtCreateFile, NtOpenFile */
    WIRE_CLOSE,             /* NtClose, for clients that open no token files */
    WIRE_QUERY_ATTRIBUTES,  /* NtQueryAttributesFile, NtQueryFullAttributesFile */
    WIRE_READ,              /* NtReadFile */
    WIRE_WRITE,             /* NtWriteFile */
    WIRE_FLUSH,             /* NtFlushBuffersFile */
    WIRE_QUERY_FILE,        /* NtQueryInformationFile */
    WIRE_SET_FILE,          /* NtSetInformationFile */
    WIRE_QUERY_VOLUME,      /* NtQueryVolumeInformationFile */
    WIRE_QUERY_DIRECTORY,   /* NtQueryDirectoryFile */
    WIRE_QUERY_SYSTEM,      /* NtQuerySystemInformation, classes 2 and 22 */
    WIRE_ADD_CONNECTION,    /* the workstation service's "net use X: \\server\share" */
    WIRE_CANCEL_CONNECTION, /* ... /delete */
    WIRE_GET_CONNECTION,    /* what a letter is connected to */
    WIRE_MACHINE,           /* rdrlab's own: build, counters */
    WIRE_POOL_SITES,        /* rdrlab's own: pool use by tag and call site */
    WIRE_POOL_STACKS,       /* rdrlab's own: pool use of one such row by stack */
    WIRE_EVENTS,            /* rdrlab's own: the machine's event log */
    WIRE_JOIN,              /* over TCP only, in HELLO's place */
    WIRE_WATCH_LETTERS,     /* over TCP only: wait until drive letters have changed */
    WIRE_VERIFIER,          /* rdrlab's own: what the verifier does and has done; sets it */
    WIRE_CRASH,             /* rdrlab's own: bug check 0xE2, as by Ctrl+Scroll Lock; nobody is left to answer */
    WIRE_CLOCK,             /* rdrlab's own: what time it is; lets time pass on a virtual clock */
    WIRE_FOLLOW,            /* rdrlab's own: traces of the clients' creates */
    WIRE_LIST_CONNECTIONS,  /* "net use" without arguments */
    WIRE_LOCK,              /* NtLockFile: the reply comes when the lock is granted, or surely not */
    WIRE_UNLOCK,            /* NtUnlockFile */
    WIRE_CANCEL,            /* NtCancelIoFile: a request of the same client ends, soon, with STATUS_CANCELLED or done */
    WIRE_CONTROL,           /* NtFsControlFile, NtDeviceIoControlFile */
    WIRE_QUERY_EA,          /* NtQueryEaFile */
    WIRE_SET_EA,            /* NtSetEaFile */
    WIRE_QUERY_SECURITY,    /* NtQuerySecurityObject */
    WIRE_SET_SECURITY,      /* NtSetSecurityObject */
    WIRE_SET_VOLUME,        /* NtSetVolumeInformationFile */
    WIRE_NOTIFY,            /* NtNotifyChangeDirectoryFile: the reply comes when something has changed */
    WIRE_LOST_HANDLES,      /* the client has closed handles of another one: all are to look. Has no fixed part */
    WIRE_READ_PAGES,        /* what memory management reads for a section, past all byte-range locks */
    WIRE_WRITE_PAGES,       /* ... and writes */
    WIRE_PUT_PART,          /* what a WRITE is to write and does not hold itself */
    WIRE_GET_PART,          /* what a READ has read and its reply does not hold */
    WIRE_CREATE_SECTION,    /* NtCreateSection of a file, of which the client maps a copy of its own */
    WIRE_END_SECTIONS,      /* those that the client has made end: it is about to, too. Has no fixed part */
    WIRE_OP_LIMIT
};

struct wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint32_t length; /* whole message in bytes, header included */
    uint32_t status; /* replies: NTSTATUS. Requests: a number for WIRE_CANCEL, that no other request of the client has
                        at the time, or 0 */
};
WIRE_ASSERT(sizeof(struct wire_header) == 16);

/* The first message. A machine of another version answers STATUS_REVISION_MISMATCH (with its own version in the
 * header) and hangs up; so does one that is full, with STATUS_TOO_MANY_SESSIONS and without waiting for the hello, and
 * one that gets another message first, with STATUS_INVALID_DEVICE_STATE. */
struct wire_hello {
    uint32_t process_id;   /* the client's own number for itself (Win32 process id), for reports */
    uint32_t session;      /* Terminal Server session; 0 on a Workstation, or STATUS_NOT_SUPPORTED */
    uint32_t wants_region; /* 1: the reply carries a region's descriptor (SCM_RIGHTS) */
    uint32_t pad;
    char program[64]; /* for reports, NUL-terminated UTF-8 */
};
WIRE_ASSERT(sizeof(struct wire_hello) == 80);

struct wire_welcome {
    uint32_t machine_pid;
    uint32_t slot_count;
    uint64_t region_size;
    char build[32];         /* "nt4-sp5", NUL-terminated */
    char token_folder[192]; /* absolute Linux path, NUL-terminated */
};
WIRE_ASSERT(sizeof(struct wire_welcome) == 240);

struct wire_attach_slot {
    uint32_t slot;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_attach_slot) == 8);

struct wire_create {
    uint64_t root_token; /* RootDirectory, 0 for none */
    uint64_t allocation_size;
    uint32_t object_flags; /* OBJ_CASE_INSENSITIVE, OBJ_INHERIT, ... */
    uint32_t desired_access;
    uint32_t file_attributes;
    uint32_t share_access;
    uint32_t disposition;
    uint32_t options;
    uint32_t name_length;   /* bytes of name that follow; odd, or over 65,534: STATUS_INVALID_PARAMETER */
    uint32_t no_token_file; /* 1: the client closes with WIRE_CLOSE; no file is made in tokens/ */
    uint64_t
        spare_token;     /* a token offered before, whose file this client has open: the opened file gets it. 0: none */
    uint32_t want_spare; /* 1: the reply may offer a token for a later create */
    uint32_t pad;
};
/*
 * Why spare tokens: opening a token's file through Wine takes as long as a hop to the server, and there is nothing to
 * do while the server works. So a client opens a file for its next create then. A spare whose file is closed with
 * nothing behind it is forgotten; one that cannot be used any more is passed over, and token is another.
 */
struct wire_created {
    uint64_t token;       /* 0 with an error status */
    uint64_t information; /* IoStatus.Information; present with every status */
    uint64_t spare_token; /* offered; with every status. 0: none */
};
WIRE_ASSERT(sizeof(struct wire_create) == 64 && sizeof(struct wire_created) == 24);

/* CLOSE closes tokens without a file, and those whose file nobody has open yet; otherwise the last close of the file
 * does, and CLOSE says STATUS_HANDLE_NOT_CLOSABLE. Only the client that opened a token may. */
struct wire_token { /* WIRE_CLOSE, WIRE_FLUSH */
    uint64_t token;
};
WIRE_ASSERT(sizeof(struct wire_token) == 8);

struct wire_query_attributes {
    uint64_t root_token;
    uint32_t object_flags;
    uint32_t name_length;
};
struct wire_attributes { /* FILE_NETWORK_OPEN_INFORMATION; FILE_BASIC_INFORMATION is its times and attributes */
    int64_t creation_time, last_access_time, last_write_time, change_time;
    int64_t allocation_size, end_of_file;
    uint32_t attributes;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_query_attributes) == 16 && sizeof(struct wire_attributes) == 56);

#define WIRE_OFFSET_CURRENT (-2) /* FILE_USE_FILE_POINTER_POSITION */
#define WIRE_OFFSET_APPEND  (-1) /* FILE_WRITE_TO_END_OF_FILE */
/* READ, READ_PAGES: the reply is wire_done and bytes. WRITE, WRITE_PAGES: length bytes follow; the reply is wire_done.
 * What is more than WIRE_DATA_MAX of a READ's or WRITE's bytes, PUT_PART brings before and GET_PART takes afterwards.
 * Pages have an offset and no key, and a handle by which the file could be mapped so on NT: nobody can do more by them.
 */
struct wire_io {
    uint64_t token;
    int64_t offset;
    uint32_t length; /* at most WIRE_TRANSFER_MAX; of pages WIRE_DATA_MAX */
    uint32_t key;    /* of byte-range locks */
};
struct wire_done {
    uint64_t information; /* bytes transferred or returned */
};
WIRE_ASSERT(sizeof(struct wire_io) == 24 && sizeof(struct wire_done) == 8);

/* QUERY_FILE, SET_FILE, QUERY_VOLUME, SET_VOLUME, SET_EA (class 0): the reply is wire_done and information bytes, also
 * with STATUS_BUFFER_OVERFLOW. SET_*: length bytes follow the request; in FileRenameInformation and
 * FileLinkInformation, which have x64's layout, RootDirectory is a token or 0. */
struct wire_information {
    uint64_t token;
    uint32_t information_class;
    uint32_t length;
};
WIRE_ASSERT(sizeof(struct wire_information) == 16);

#define WIRE_RESTART_SCAN 1u
#define WIRE_SINGLE_ENTRY 2u
struct wire_query_directory { /* the reply is wire_done and bytes */
    uint64_t token;
    uint32_t information_class;
    uint32_t length;
    uint32_t flags;
    uint32_t pattern_length; /* 0: none given */
};
WIRE_ASSERT(sizeof(struct wire_query_directory) == 24);

/* The reply is wire_done and bytes. Too short a length: STATUS_INFO_LENGTH_MISMATCH, with wire_done giving the
 * length needed and no bytes. pointer_size selects the layout of structures that hold SIZE_T: 4 or 8. */
struct wire_query_system {
    uint32_t information_class;
    uint32_t length;
    uint32_t pointer_size;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_query_system) == 16);

/* remote ("\\server\share"), user, password follow in this order. No user: the machine's own account, if it has one. No
 * password: that of the machine's own account, if that is the user. What is remembered, without the password, the next
 * machine of the folder connects again; a relay's clients cannot have that (STATUS_NOT_SUPPORTED). */
struct wire_add_connection {
    uint32_t letter; /* 0 for A:, 25 for Z:, WIRE_NO_LETTER */
    uint32_t remote_length, user_length, password_length;
    uint32_t has_password; /* 0: none given, which is not the empty one */
    uint32_t remember;     /* 1: beyond the machine's end; a letter only */
};
#define WIRE_CANCEL_FORCE  1u /* also with open files */
#define WIRE_CANCEL_FORGET 2u /* it is not remembered any more; may be done to one that is only that */
struct wire_cancel_connection {
    uint32_t letter; /* WIRE_NO_LETTER: remote follows, and what is connected to it without a letter is meant */
    uint32_t force;  /* WIRE_CANCEL_... */
    uint32_t remote_length;
    uint32_t pad;
};
struct wire_letter { /* GET_CONNECTION; the reply is wire_done and the remote name */
    uint32_t letter;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_add_connection) == 24 && sizeof(struct wire_cancel_connection) == 16);
WIRE_ASSERT(sizeof(struct wire_letter) == 8);

struct wire_pool_counts { /* of one pool type */
    uint64_t allocations, frees, live_blocks, live_bytes, block_bytes, peak_bytes;
    uint64_t pages, peak_pages, limit_pages, failures;
};
WIRE_ASSERT(sizeof(struct wire_pool_counts) == 80);

struct wire_machine { /* reply to WIRE_MACHINE */
    char build[32];
    char transport[96]; /* what serves the last connected share, UTF-8: smb_describe */
    struct wire_pool_counts paged, nonpaged;
    uint64_t creates, failed_creates; /* IRP_MJ_CREATE that the redirector completed */
    uint32_t clients; /* processes: a relay is one, and so is each of its clients that has asked for something */
    uint32_t open_tokens, handles, events;
    uint32_t stopped;  /* bug check code, 0 while running */
    uint32_t connects; /* connections to servers that the redirector has tried */
};
WIRE_ASSERT(sizeof(struct wire_machine) == 328);

/* Which row of the pool's use: valid for one machine's life. site is an opaque number, never 0. */
struct wire_pool_key {
    uint64_t site;
    char tag[4];
    uint32_t paged; /* 1 paged, 0 nonpaged */
};
WIRE_ASSERT(sizeof(struct wire_pool_key) == 16);

struct wire_pool_use {
    uint64_t allocations, frees, live_blocks;
    uint64_t live_bytes;  /* asked for */
    uint64_t block_bytes; /* what the blocks take in the pool */
    uint64_t peak_bytes;  /* of a site with several stacks: the sum of theirs, so at most this */
};
WIRE_ASSERT(sizeof(struct wire_pool_use) == 48);

/*
 * WIRE_POOL_SITES: the request is a wire_pool_key, all zero for the first part. The reply is wire_done and an array in
 * the order of the keys, beginning behind the request's, as many rows as fit. The last row's key asks for the next
 * part; an empty array is the end. Rows never go and never change their key, so whatever was there when a listing
 * began is in it exactly once, however many rows appear meanwhile.
 */
struct wire_pool_site {
    struct wire_pool_key key;
    struct wire_pool_use use;
    uint32_t line;
    uint32_t stacks; /* how many the machine keeps for it: WIRE_POOL_STACKS */
    char file[96];   /* "rdr/create.c", NUL-terminated; of a longer path the end, behind "..." */
    char function[64];
};
WIRE_ASSERT(sizeof(struct wire_pool_site) == 232);

/* WIRE_POOL_STACKS: the same with the stacks of one row; stack is 0 for the first part. No such row: an empty array. */
struct wire_pool_stacks {
    struct wire_pool_key key;
    uint64_t stack; /* opaque, like site */
};
WIRE_ASSERT(sizeof(struct wire_pool_stacks) == 24);

#define WIRE_STACK_FRAMES 16
struct wire_pool_stack {
    uint64_t stack;
    struct wire_pool_use use;
    uint32_t depth; /* frames that count, innermost first */
    uint32_t pad;
    struct {
        uint64_t address;
        char text[120]; /* "RdrFsdCreate+0x5f rdr/create.c:82 (rdrlabd)" as far as known, NUL-terminated */
    } frames[WIRE_STACK_FRAMES];
};
WIRE_ASSERT(sizeof(struct wire_pool_stack) == 64 + 16 * 128);

/* length bytes of text follow the request, EmuVerifierParse's: they are set first; none: nothing changes. The reply is
 * followed by text: the options as they are now, or, if the request's were refused, what is wrong with them. */
struct wire_verifier {
    uint32_t length;
    uint32_t pad;
};
struct wire_verified {
    uint64_t raise_irqls, acquire_spin_locks, trim_requests;
    uint64_t allocations_attempted, allocations_succeeded, allocations_failed;
    uint64_t allocations_succeeded_special_pool, allocations_failed_deliberately;
    uint32_t sites_failed;
    uint32_t guard_pages; /* 1: special pool has the kernel's */
    uint32_t refused;     /* NTSTATUS, 0: not */
    uint32_t length;      /* of the text */
};
WIRE_ASSERT(sizeof(struct wire_verifier) == 8 && sizeof(struct wire_verified) == 80);

enum { WIRE_CLOCK_ASK, WIRE_CLOCK_ADVANCE, WIRE_CLOCK_NEXT };
#define WIRE_CLOCK_MOST (INT64_C(30) * 24 * 3600 * 10000000) /* 30 days: an end to what one request can cost */
struct wire_clock {                                          /* first time passes, then the clock is read */
    uint32_t what;                                           /* WIRE_CLOCK_NEXT: as far as the next thing that is due */
    uint32_t pad;
    int64_t time; /* 100 ns units, for WIRE_CLOCK_ADVANCE; else 0 */
};
struct wire_clock_state {
    uint32_t refused;                 /* NTSTATUS, 0: not. STATUS_INVALID_DEVICE_STATE: the clock is real */
    uint32_t is_virtual;              /* 1: it is */
    int64_t system_time;              /* 100 ns since 1601, UTC */
    int64_t interrupt_time, next_due; /* 100 ns since boot; next_due -1: nothing is */
    uint32_t timers, timed_waits;
    uint64_t expirations;
};
WIRE_ASSERT(sizeof(struct wire_clock) == 16 && sizeof(struct wire_clock_state) == 48);

/*
 * WIRE_FOLLOW: the machine traces every create of its clients from now on until nobody has asked for five seconds. The
 * request says which trace is wanted first; 0: the next there will be, and nothing is returned but its number. The
 * reply is followed by length bytes of UTF-8: whole traces, as many as fit. dropped: so many were not read in time.
 */
#define WIRE_FOLLOW_JSON   1u
#define WIRE_FOLLOW_FAILED 2u /* only creates that failed */
#define WIRE_FOLLOW_MINE   4u /* only this client's own */
struct wire_follow {
    uint64_t next;
    uint32_t flags;
    uint32_t pad;
};
struct wire_followed {
    uint64_t next; /* to ask for then */
    uint64_t dropped;
    uint32_t length;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_follow) == 16 && sizeof(struct wire_followed) == 24);

struct wire_crash {
    uint32_t code; /* 0xE2, so that no stray message stops a machine */
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_crash) == 8);

/* WIRE_EVENTS has no fixed part; the reply is wire_done and an array, oldest first. */
struct wire_event {
    int64_t time;      /* 100 ns since 1601, UTC */
    uint32_t id;       /* 2020 */
    uint32_t severity; /* 0 success, 1 information, 2 warning, 3 error */
    char source[16];   /* "Srv" */
    char text[168];
};
WIRE_ASSERT(sizeof(struct wire_event) == 200);

/*
 * Over TCP (remote.h) a relay stands for the programs on its system. All its connections are one link, which is one
 * session of the machine: of drive letters and open files it owns those that came through it, and they are closed when
 * it ends. JOIN is a connection's first message. The first connection of a link is its keeper; the link ends with it,
 * or when it has been silent for too long. The reply is wire_welcome, or an error as after HELLO;
 * STATUS_CONNECTION_INVALID: there is no such link, or there is one already.
 * Tokens have no files here (no_token_file), and belong to the link as a whole.
 */
struct wire_join {
    uint8_t link[16];    /* random, of the relay's making */
    uint32_t process_id; /* connections with the same number are one process of the machine */
    uint32_t keeper;     /* 1: the link begins */
    char program[64];    /* as in wire_hello */
};
WIRE_ASSERT(sizeof(struct wire_join) == 88);

#define WIRE_WATCH_MOST 2000u
struct wire_watch { /* the reply comes once serial is not the machine's any more, or patience is over */
    uint32_t serial;
    uint32_t patience; /* ms, at most WIRE_WATCH_MOST */
};
struct wire_letters {
    uint32_t letters; /* as in wire_region */
    uint32_t serial;  /* counts changes; grows */
};
WIRE_ASSERT(sizeof(struct wire_watch) == 8 && sizeof(struct wire_letters) == 8);

/*
 * LIST_CONNECTIONS: those of the client's session, its letters first, also those that are only remembered. The request
 * says with which number to begin, 0 for all. The reply is wire_done and rows, as many as fit: each a wire_connection,
 * then remote and user, then zeroes up to its length, a multiple of 8. One more than the last row's number asks for the
 * next part; no row is the end.
 */
enum { /* NT's lmuse.h has these numbers */
       WIRE_USE_OK = 0,
       WIRE_USE_DISCONNECTED = 2,
       WIRE_USE_CONNECTING = 4,
       WIRE_USE_RECONNECTING = 5,
       WIRE_USE_UNAVAILABLE = 16, /* ours: remembered, and not connected */
};
struct wire_list_connections {
    uint32_t first;
    uint32_t pad;
};
struct wire_connection {
    uint32_t number; /* of the row; a letter's is the letter */
    uint32_t letter; /* WIRE_NO_LETTER: it has none, or a name without one has made it */
    uint32_t status; /* WIRE_USE_... */
    uint32_t open_files;
    uint32_t remote_length, user_length; /* no user: anonymous */
    uint32_t length;                     /* of the row */
    uint32_t remembered;                 /* 1: it is */
};
WIRE_ASSERT(sizeof(struct wire_list_connections) == 8 && sizeof(struct wire_connection) == 32);

#define WIRE_LOCK_EXCLUSIVE        1u
#define WIRE_LOCK_FAIL_IMMEDIATELY 2u
struct wire_range { /* LOCK, UNLOCK; their replies have no fixed part */
    uint64_t token;
    uint64_t offset, length;
    uint32_t key;
    uint32_t flags; /* LOCK; 0 for UNLOCK */
};
WIRE_ASSERT(sizeof(struct wire_range) == 32);

/* Requests that take their time, and those that a program may want to cancel, have a number in their header. The reply
 * to CANCEL waits for nothing. STATUS_NOT_FOUND: the request has been answered, or has not been taken from its slot
 * yet. */
struct wire_cancel {
    uint32_t number;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_cancel) == 8);

#define WIRE_CONTROL_DEVICE 1u /* NtDeviceIoControlFile */
struct wire_control {          /* input_length bytes follow; the reply is wire_done and bytes */
    uint64_t token;
    uint32_t code;
    uint32_t input_length, output_length;
    uint32_t flags;
};
WIRE_ASSERT(sizeof(struct wire_control) == 24);

#define WIRE_INDEX_SPECIFIED 4u /* beside those of QUERY_DIRECTORY */
struct wire_query_ea { /* list_length bytes follow: FILE_GET_EA_INFORMATION; the reply is wire_done and bytes */
    uint64_t token;
    uint32_t length, list_length;
    uint32_t index;
    uint32_t flags;
};
WIRE_ASSERT(sizeof(struct wire_query_ea) == 24);

/* QUERY_SECURITY: the reply is wire_done and a self-relative descriptor; STATUS_BUFFER_TOO_SMALL comes with a wire_done
 * that gives the length needed, and no bytes. SET_SECURITY: length bytes of one follow the request. */
struct wire_security {
    uint64_t token;
    uint32_t which; /* SECURITY_INFORMATION */
    uint32_t length;
};
WIRE_ASSERT(sizeof(struct wire_security) == 16);
#define WIRE_WATCH_TREE 1u
#define WIRE_WATCH_NOW  2u /* does not wait: STATUS_CANCELLED if nothing has changed. The server watches then */
struct wire_notify {       /* the reply is wire_done and FILE_NOTIFY_INFORMATION */
    uint64_t token;
    uint32_t length; /* at most WIRE_DATA_MAX */
    uint32_t filter; /* FILE_NOTIFY_CHANGE_* */
    uint32_t flags;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_notify) == 24);

/*
 * The parts of a transfer, in their order and by the way that the READ or WRITE takes, a socket or a slot. A message of
 * another kind there forgets them, and so does one that does not go on where the last one ended
 * (STATUS_INVALID_PARAMETER). PUT_PART: bytes follow, as many as the first ones of the WRITE's; the WRITE itself has
 * the rest. GET_PART: the reply is wire_done and bytes, as many as fit.
 */
#define WIRE_TRANSFER_MAX (4u << 20)
struct wire_part {
    uint32_t offset; /* within the transfer; 0: PUT_PART begins one */
    uint32_t length; /* of the whole: the WRITE's, or what the READ said that it has read */
};
WIRE_ASSERT(sizeof(struct wire_part) == 8);

/*
 * CREATE_SECTION: the reply is a wire_token, of the section. Whoever maps by it keeps the token's file open, which is
 * empty, and the clients' to put the copy in that they map; with its last close the section goes. As long as it is
 * there, nobody cuts the file off, overwrites or deletes it. A file that is too short for a section that writes is made
 * longer.
 */
struct wire_create_section {
    uint64_t token;
    int64_t size;        /* 0: the file's */
    uint32_t protection; /* PAGE_* */
    uint32_t attributes; /* SEC_* */
    uint32_t no_token_file;
    uint32_t pad;
};
WIRE_ASSERT(sizeof(struct wire_create_section) == 32);

#endif
