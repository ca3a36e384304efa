/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The report. Names are part of the interface: tests and scripts read them. */
#include "audit.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void audit_collect(struct audit *audit)
{
    snprintf(audit->build, sizeof(audit->build), "%s", EmuMachineBuild());
    EmuRdrDescribeTransport(audit->transport, sizeof(audit->transport));
    EmuRdrCreateCounts(&audit->creates, &audit->failed_creates);
    EmuPoolCounts(&audit->paged, &audit->nonpaged);
}

static const EMU_MACHINE_AUDIT *found(const struct audit *audit)
{
    return audit->shut_down ? &audit->machine : NULL;
}

bool audit_is_clean(const struct audit *audit)
{
    const EMU_MACHINE_AUDIT *machine = found(audit);

    return machine && !audit->bug_check.Code && !machine->Handles && !machine->Processes && !machine->Objects &&
           !machine->Irps && !machine->Pool.Count;
}

static void add_number(struct json_object *object, const char *name, uint64_t value)
{
    json_object_object_add(object, name, json_object_new_int64((int64_t)value));
}

static void add_text(struct json_object *object, const char *name, const char *value)
{
    json_object_object_add(object, name, json_object_new_string(value));
}

static struct json_object *pool_to_json(const EMU_POOL_COUNTS *counts)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "allocations", counts->Allocations);
    add_number(object, "frees", counts->Frees);
    add_number(object, "failures", counts->Failures);
    add_number(object, "live_blocks", counts->LiveBlocks);
    add_number(object, "live_bytes", counts->LiveBytes);
    add_number(object, "peak_bytes", counts->PeakBytes);
    add_number(object, "pages", counts->Pages);
    add_number(object, "peak_pages", counts->PeakPages);
    add_number(object, "limit_pages", counts->LimitPages);
    return object;
}

/* A tag's bytes are anybody's: JSON wants text. */
static void tag_to_text(ULONG tag, char text[5])
{
    memcpy(text, &tag, 4);
    text[4] = '\0';
    for (int i = 0; i < 4; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '.';
}

static struct json_object *sites_to_json(const EMU_POOL_SNAPSHOT *snapshot)
{
    struct json_object *array = json_object_new_array(), *object;
    char tag[5];

    for (ULONG i = 0; i < snapshot->Count; i++) {
        const EMU_POOL_USE *use = &snapshot->Uses[i];
        object = json_object_new_object();
        tag_to_text(use->Tag, tag);
        add_text(object, "tag", tag);
        add_text(object, "pool", use->Paged ? "paged" : "nonpaged");
        add_text(object, "file", EmuPoolSiteFile(use->Site));
        add_text(object, "function", use->Site->Function ? use->Site->Function : "");
        add_number(object, "line", use->Site->Line);
        add_number(object, "blocks", (uint64_t)use->LiveBlocks);
        add_number(object, "bytes", (uint64_t)use->LiveBytes);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *handles_to_json(const EMU_MACHINE_AUDIT *machine)
{
    struct json_object *array = json_object_new_array(), *object;

    for (ULONG i = 0; i < machine->Handles && i < EMU_LEFT_MOST; i++) {
        const EMU_LEFT_HANDLE *left = &machine->Left[i];
        object = json_object_new_object();
        add_number(object, "process", left->ProcessId);
        add_number(object, "session", left->SessionId);
        add_number(object, "handle", (ULONG_PTR)left->Handle);
        add_number(object, "access", left->GrantedAccess);
        add_text(object, "type", left->Type);
        add_text(object, "name", left->Name);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *objects_to_json(const EMU_MACHINE_AUDIT *machine)
{
    struct json_object *array = json_object_new_array(), *object;

    for (ULONG i = 0; i < EMU_LEFT_MOST && machine->LeftObjects[i].References; i++) {
        const EMU_LEFT_OBJECT *left = &machine->LeftObjects[i];
        object = json_object_new_object();
        add_number(object, "references", left->References);
        add_text(object, "type", left->Type);
        add_text(object, "name", left->Name);
        json_object_array_add(array, object);
    }
    return array;
}

static struct json_object *left_to_json(const EMU_MACHINE_AUDIT *machine)
{
    struct json_object *object = json_object_new_object();

    add_number(object, "handles", machine->Handles);
    json_object_object_add(object, "open", handles_to_json(machine));
    json_object_object_add(object, "referenced", objects_to_json(machine));
    add_number(object, "processes", machine->Processes);
    add_number(object, "objects", machine->Objects);
    add_number(object, "irps", machine->Irps);
    add_number(object, "threads", machine->Threads);
    add_number(object, "work_items", machine->WorkItems);
    add_number(object, "timers", machine->Timers);
    add_number(object, "dpcs", machine->Dpcs);
    json_object_object_add(object, "pool", sites_to_json(&machine->Pool));
    return object;
}

static struct json_object *bug_check_to_json(const EMU_BUG_CHECK *bug_check)
{
    struct json_object *object = json_object_new_object(), *parameters = json_object_new_array();
    char text[24];

    snprintf(text, sizeof(text), "0x%08X", bug_check->Code);
    add_text(object, "code", text);
    add_text(object, "name", EmuBugCheckName(bug_check->Code));
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)bug_check->Parameters[i]);
        json_object_array_add(parameters, json_object_new_string(text));
    }
    json_object_object_add(object, "parameters", parameters);
    return object;
}

static struct json_object *requests_to_json(const struct smb_backend *backend)
{
    static const char *const names[SMB_OP_COUNT] = {
        [SMB_TREE_CONNECT] = "tree_connect",
        [SMB_CREATE] = "create",
        [SMB_CLOSE] = "close",
        [SMB_READ] = "read",
        [SMB_WRITE] = "write",
        [SMB_FLUSH] = "flush",
        [SMB_QUERY_PATH] = "query_path",
        [SMB_QUERY_FILE] = "query_file",
        [SMB_QUERY_VOLUME] = "query_volume",
        [SMB_QUERY_DIRECTORY] = "query_directory",
        [SMB_DELETE] = "delete",
        [SMB_RENAME] = "rename",
        [SMB_TREE_DISCONNECT] = "tree_disconnect",
        [SMB_SET_SIZE] = "set_size",
        [SMB_SET_BASIC] = "set_basic",
    };
    struct json_object *object = json_object_new_object();

    for (int op = 0; op < SMB_OP_COUNT; op++)
        if (names[op])
            add_number(object, names[op], smb_backend_count(backend, (enum smb_op)op));
    return object;
}

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    ssize_t written;

    while (left > 0) {
        written = write(fd, text, left);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            left -= (size_t)written;
        }
    }
    return true;
}

bool audit_write(const struct audit *audit, const struct smb_backend *backend, int fd)
{
    struct json_object *report = json_object_new_object();
    bool good;

    add_text(report, "build", audit->build);
    add_text(report, "transport", audit->transport);
    json_object_object_add(report, "clean", json_object_new_boolean(audit_is_clean(audit)));
    add_number(report, "clients", audit->clients);
    add_number(report, "creates", audit->creates);
    add_number(report, "failed_creates", audit->failed_creates);
    if (backend)
        json_object_object_add(report, "smb_requests", requests_to_json(backend));
    json_object_object_add(report, "paged", pool_to_json(&audit->paged));
    json_object_object_add(report, "nonpaged", pool_to_json(&audit->nonpaged));
    json_object_object_add(report, "bug_check", audit->bug_check.Code ? bug_check_to_json(&audit->bug_check) : NULL);
    json_object_object_add(report, "left", found(audit) ? left_to_json(found(audit)) : NULL);
    good = write_all(
               fd, json_object_to_json_string_ext(report, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)) &&
           write_all(fd, "\n");
    json_object_put(report);
    return good;
}
