/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lab.h - one lab: a private smbd over a folder, a Wine of its own, and emulated machines, one per build.
 *
 * Everything lies below one folder rdrlab-XXXXXX, in TMPDIR or else in /dev/shm if that is roomy or else in /tmp. Every
 * process is a child of this one, known by its id; lab_close ends and removes all of it, and must be reached on every
 * way out. A killed owner's processes get SIGTERM from the kernel; its folder is found and removed by lab_remove_stale.
 */
#ifndef RDRLAB_LAB_H
#define RDRLAB_LAB_H

#include "places.h"
#include "wineprefix.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct machine_audit;
struct smbserver;

struct lab_options {
    const char *share_dir; /* folder to share; NULL: an empty one below the lab's folder */
    const char *dialect;   /* the only one spoken: "NT1", "SMB3_11"; NULL: whatever the two agree on */
    uint16_t port;         /* for smbd; 0: a free one */
    bool verbose;
    const char *machine; /* the folder of a machine that is there already, and is used instead of booting one */
    const char *share;   /* ... over this share, \\server\\share, instead of a private smbd's */
    bool stacks;         /* machines keep those of pool allocations */
    bool no_wine;        /* no program will be started */
    bool no_server;      /* no smbd: machines have their server in memory */
};

struct lab {
    struct places places;
    struct lab_options options;
    char dir[64];
    char share_dir[PATH_MAX];
    char share_name[64];    /* \\127.0.0.1\lab */
    struct smbserver *smbd; /* NULL: not started */
    struct wineprefix prefix;
    int owner; /* descriptor of the locked file that says who owns the folder */
    int log;   /* what Wine and its services say */
};

#define MACHINE_DEFECTS 64

struct machine_options {
    const char *build;
    uint64_t paged_limit_mb;    /* 0: NT 4.0's own */
    const char *verifier;       /* rdrlabd's --verifier; NULL: off */
    const char *registry;       /* rdrlabd's --registry; NULL: none */
    const char *clock;          /* rdrlabd's --clock; NULL: the host's */
    const char *const *defects; /* rdrlabd's --defect, at most MACHINE_DEFECTS, NULL-terminated; NULL: the build's */
    const char *provider;       /* rdrlabd's --provider; NULL: none */
    bool locked;                /* a server in memory refuses every logon */
    const char *folder;         /* the machine's name below the lab's folder; NULL: the build's */
};

struct machine {
    const struct lab *lab;
    char build[32];
    char dir[96]; /* what RDRLAB_MACHINE is set to */
    pid_t pid;    /* 0: it does not run */
    char variable[128];
    char password_variable[PATH_MAX + 32];
    char session_variable[32]; /* "": programs are in session 0, or in the one that the environment says */
};

/*
 * lab_open - make the folder, start smbd and Wine.
 *   Returns  0, or an exit status having complained. lab_close in every case.
 */
int lab_open(struct lab *lab, const struct lab_options *options);

/* End what runs, remove the folder. Accepts one that is zeroed or half open. */
void lab_close(struct lab *lab);

/*
 * lab_attach - fill in a lab and machine that another process keeps, so that programs can be started there. There is
 * nothing to close afterwards.
 *   Returns  0, or an exit status having complained.
 */
int lab_attach(struct lab *lab, const char *machine_dir, struct machine *machine);

/* The file with the password of programs on this machine: the lab's own user's, unless this says otherwise. */
void machine_use_password(struct machine *machine, const char *file);

/* The session that programs on this machine are in from now on: of a build that has any. */
void machine_use_session(struct machine *machine, uint32_t session);

/* What a letter is connected to. */
void lab_share_name(const struct lab *lab, char *name, size_t size);

/* Samba's version, as reports want it: "4.17.12"; "" for a server of somebody else's. */
void lab_samba_version(const struct lab *lab, char *version, size_t size);

/*
 * machine_boot - start a machine and wait until it serves, at most half a minute.
 *   Returns  0, or an exit status having complained. machine_shut_down in every case.
 */
int machine_boot(struct lab *lab, const struct machine_options *options, struct machine *machine);

/*
 * machine_shut_down - end it, and learn what it found then. A bug check's report is kept where charts go, and the place
 * is said on standard error.
 *   ret_audit  out, may be NULL (audit.h); written only with 0.
 *   Returns    0, or an exit status having complained: without ret_audit also for a bug check. Accepts one that is
 *              zeroed.
 */
int machine_shut_down(struct machine *machine, struct machine_audit *ret_audit);

/* The same where a bug check is expected, and told by who expects it. Returns 0, also if the machine left no report. */
int machine_shut_down_quietly(struct machine *machine, struct machine_audit *ret_audit);

/*
 * lab_start_program - start a Win32 program on a machine; argv[0] is a Linux path or a Win32 name.
 *   out      its standard output, err its standard error; in: -1 for none.
 *   Returns  0 with ret_pid set (process_wait, process_stop), or an exit status having complained.
 */
int lab_start_program(const struct lab *lab, const struct machine *machine, char *const argv[], int in, int out,
                      int err, bool own_group, pid_t *ret_pid);

/* Remove folders of labs whose owner is gone. Returns how many. */
unsigned lab_remove_stale(void);

/*
 * lab_owner - the process that keeps a lab, from the lab's folder or a machine's.
 *   Returns  its id, 0 if it is gone, -ENOENT if that is no such folder.
 */
int lab_owner(const char *dir, char *lab_dir, size_t size);

/* From now on the lab stays although its command has ended: "rdrlab stop --all" ends such labs only. */
void lab_mark_kept(const struct lab *lab);
bool lab_is_kept(const char *lab_dir);

/* Call fn for every lab folder of this user. */
void lab_each(void (*fn)(const char *dir, void *context), void *context);

#endif
