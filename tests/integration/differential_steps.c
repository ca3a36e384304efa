/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differential_steps.c - random steps, from names and parameters that are likely to meet. */
#include "differential.h"

#include <stdio.h>

#include "lab.h"

#define A16  u"aaaaaaaaaaaaaaaa"
#define A256 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16

/* The shares begin with f.txt, g.txt, ro.txt (read only), dir and dir\g.txt. */
static const struct {
    UNICODE_STRING text;
    unsigned kind;
} names[] = {
#define NAME(text, kind)                                                                                               \
    {                                                                                                                  \
        NT_STRING(text), (kind) != 0 ? (kind) | NAME_SPECIAL : 0                                                       \
    }
    NAME(u"f.txt", 0),
    NAME(u"g.txt", 0),
    NAME(u"ro.txt", 0),
    NAME(u"new", 0),
    NAME(u"dir", 0),
    NAME(u"dir\\g.txt", 0),
    NAME(u"dir\\new", 0),
    NAME(u"sub", 0),
    NAME(u"sub\\x", 0),
    NAME(u"dir\\sub", 0),
    NAME(u"dir\\sub\\x", 0),
    NAME(u"missing\\x", 0),
    NAME(u"F.TXT", 0),
    NAME(u"DIR\\G.txt", 0),
#define PLAIN_NAMES 14
    NAME(u"f.txt\\x", NAME_BELOW_FILE),
    NAME(u"", NAME_ROOT),
    NAME(u"a|b", NAME_ILLEGAL),
    NAME(u"*", NAME_ILLEGAL),
    NAME(u"f?txt", NAME_ILLEGAL),
    NAME(u"dir\\a<b", NAME_ILLEGAL),
    NAME(u"missing\\a\"b", NAME_ILLEGAL),
    NAME(u"a\1b", NAME_ILLEGAL),
    NAME(u"dir/g.txt", NAME_ILLEGAL),
    NAME(u"a\xD800", NAME_UNPAIRED),
    NAME(A256, NAME_ILLEGAL),
    NAME(u"dir\\\\g.txt", NAME_ILLEGAL | NAME_EMPTY),
    NAME(u".", NAME_DOTS),
    NAME(u"..", NAME_DOTS),
    NAME(u"dir\\..\\f.txt", NAME_DOTS),
    NAME(u".\\f.txt", NAME_DOTS),
    NAME(u"f.txt:s", NAME_STREAM),
    NAME(u"f.txt::$DATA", NAME_STREAM),
    NAME(u"dir\\", NAME_TRAILING),
    NAME(u"f.txt\\", NAME_TRAILING),
    NAME(u"new\\", NAME_TRAILING),
    NAME(u"f.txt.", NAME_STRIPPED),
    NAME(u"f.txt ", NAME_STRIPPED),
    NAME(u"new...", NAME_STRIPPED),
    NAME(u"CON", NAME_DEVICE),
    NAME(u"dir\\NUL.txt", NAME_DEVICE),
#undef NAME
};
#define NAMES (sizeof names / sizeof *names)

UNICODE_STRING step_name(const struct step *step)
{
    return names[step->name].text;
}

unsigned step_name_kind(const struct step *step)
{
    return names[step->name].kind;
}

/* Q235425: the one thing that a create may leave behind, on the builds that have the defect. */
bool leaves_a_block(const struct step *step, const struct outcome *machine)
{
    const unsigned kind = step_name_kind(step);

    if (machine->status != STATUS_OBJECT_NAME_INVALID)
        return false;
    if (step->kind == STEP_RENAME) /* opens the directory that the target is to be in */
        return (kind & NAME_EMPTY) != 0;
    return step->kind == STEP_CREATE &&
           ((kind & NAME_ILLEGAL) != 0 ||
            ((kind & (NAME_ROOT | NAME_TRAILING)) != 0 && (step->options & FILE_NON_DIRECTORY_FILE) != 0));
}

/* ---- chance ---- */

/* splitmix64: the same numbers everywhere. */
static ULONGLONG next(ULONGLONG *state)
{
    ULONGLONG z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static unsigned below(ULONGLONG *state, unsigned limit)
{
    return (unsigned)(next(state) % limit);
}

static ULONG pick(ULONGLONG *state, const ULONG *values, size_t count)
{
    return values[below(state, (unsigned)count)];
}
#define PICK(state, values) pick(state, values, sizeof(values) / sizeof *(values))

static unsigned choose_name(ULONGLONG *state)
{
    return below(state, 4) != 0 ? below(state, PLAIN_NAMES) : below(state, NAMES);
}

static void choose_create(ULONGLONG *state, struct step *step)
{
    static const ULONG accesses[] = {
        FILE_READ_DATA,
        FILE_READ_DATA,
        FILE_WRITE_DATA,
        FILE_READ_DATA | FILE_WRITE_DATA,
        FILE_APPEND_DATA,
        FILE_EXECUTE,
        DELETE,
        DELETE,
        DELETE | FILE_READ_DATA,
        FILE_READ_ATTRIBUTES,
        FILE_WRITE_ATTRIBUTES,
        READ_CONTROL,
        SYNCHRONIZE,
        FILE_READ_EA,
        GENERIC_READ,
        GENERIC_WRITE,
        GENERIC_READ | GENERIC_WRITE,
        GENERIC_ALL,
        MAXIMUM_ALLOWED,
        0,
    };
    static const ULONG options[] = {
        0,
        0,
        0,
        0,
        FILE_NON_DIRECTORY_FILE,
        FILE_NON_DIRECTORY_FILE,
        FILE_DIRECTORY_FILE,
        FILE_DIRECTORY_FILE,
        FILE_DELETE_ON_CLOSE,
        FILE_DELETE_ON_CLOSE | FILE_DIRECTORY_FILE,
        FILE_DELETE_ON_CLOSE | FILE_NON_DIRECTORY_FILE,
        FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE,
        FILE_WRITE_THROUGH,
        FILE_SEQUENTIAL_ONLY,
        FILE_RANDOM_ACCESS,
        FILE_NO_INTERMEDIATE_BUFFERING,
        FILE_OPEN_REPARSE_POINT,
        FILE_OPEN_FOR_BACKUP_INTENT,
        FILE_NO_EA_KNOWLEDGE,
    };
    static const ULONG attributes[] = {
        FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_NORMAL,   0,
        FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_SYSTEM, FILE_ATTRIBUTE_READONLY, FILE_ATTRIBUTE_ARCHIVE,
    };

    step->name = choose_name(state);
    step->access = PICK(state, accesses);
    if (below(state, 4) == 0)
        step->access |= PICK(state, accesses);
    step->share = below(state, 3) == 0 ? below(state, 8) : 7;
    step->disposition = below(state, 50) == 0 ? 6 : below(state, 6);
    step->options = PICK(state, options);
    if ((step->options & FILE_DELETE_ON_CLOSE) && below(state, 8) != 0)
        step->access |= DELETE;
    step->attributes = PICK(state, attributes);
}

/* A look at a name, without wanting anything of it. */
static struct step look(unsigned number, unsigned name)
{
    return (struct step){.kind = STEP_CREATE,
                         .number = number,
                         .name = name,
                         .access = FILE_READ_ATTRIBUTES,
                         .share = 7,
                         .disposition = FILE_OPEN,
                         .attributes = FILE_ATTRIBUTE_NORMAL};
}

unsigned make_steps(ULONGLONG seed, struct step steps[MAX_STEPS])
{
    ULONGLONG state = seed;
    unsigned count = 0;

    while (count < MAX_STEPS - 2 * PLAIN_NAMES) {
        struct step step = {.number = count, .flag = (BOOLEAN)below(&state, 2)};
        const unsigned chance = below(&state, 16);

        step.kind = chance < 10 ? STEP_CREATE : chance < 14 ? STEP_CLOSE : chance < 15 ? STEP_DISPOSITION : STEP_RENAME;
        if (count == 0)
            step.kind = STEP_CREATE;
        if (step.kind == STEP_CREATE)
            choose_create(&state, &step);
        else
            step.handle = below(&state, count);
        if (step.kind == STEP_RENAME)
            step.name = choose_name(&state);
        steps[count++] = step;
    }
    /* What there is while some files are still open, and then when none is. */
    for (unsigned name = 0; name < PLAIN_NAMES - 2; name++, count++)
        steps[count] = look(count, name);
    return count;
}

/* ---- for a person ---- */

static const char *disposition_name(ULONG disposition)
{
    static const char *const texts[] = {"FILE_SUPERSEDE", "FILE_OPEN",      "FILE_CREATE",
                                        "FILE_OPEN_IF",   "FILE_OVERWRITE", "FILE_OVERWRITE_IF"};

    return disposition < sizeof texts / sizeof *texts ? texts[disposition] : "disposition 6";
}

static void print_name(const struct step *step)
{
    const UNICODE_STRING name = names[step->name].text;

    print_message("\"");
    if (name.Length > 100) {
        print_message("%u characters", (unsigned)(name.Length / sizeof(WCHAR)));
    } else {
        for (unsigned i = 0; i < name.Length / sizeof(WCHAR); i++)
            print_message(name.Buffer[i] >= 32 && name.Buffer[i] < 127 ? "%c" : "<%04x>", name.Buffer[i]);
    }
    print_message("\"");
}

void print_step(const struct step *step)
{
    static const char *const verbs[] = {"create", "close", "set disposition", "rename"};

    print_message("%2u %s ", step->number, verbs[step->kind]);
    if (step->kind == STEP_CREATE) {
        print_name(step);
        print_message(" access 0x%x share %u %s options 0x%x attributes 0x%x", (unsigned)step->access,
                      (unsigned)step->share, disposition_name(step->disposition), (unsigned)step->options,
                      (unsigned)step->attributes);
        return;
    }
    print_message("what %u opened", step->handle);
    if (step->kind == STEP_DISPOSITION)
        print_message(", %s", step->flag ? "delete" : "keep");
    if (step->kind == STEP_RENAME) {
        print_message(" to ");
        print_name(step);
        print_message(step->flag ? ", replacing" : ", not replacing");
    }
}
