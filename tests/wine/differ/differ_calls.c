/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* differ_calls.c - random calls. Few names and few handles, so that calls meet each other's files. */
#include "differ.h"

#include <stdio.h>
#include <string.h>

#define ARRAYSIZE_OF(array) (sizeof(array) / sizeof(*(array)))

/* ---- names ---- */

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const char *const folders[] = {"", "d", "e", "d\\s"};
#define ROOT 0

/* Those at the end are rare. */
static const struct {
    const char *name;
    unsigned traits;
} leaves[] = {
    {"f", 0},
    {"g.txt", 0},
    {"F", 0},
    {"G.Txt", 0},
    {"d", 0},
    {"e", 0},
    {"s", 0},
    {"D", 0},
    {"a name of twelve+one, [parts]; it's 100% {odd} & (long) - ~#$^=_@!.y", 0},
    {"\xc3\xbc\xce\xa9\xe2\x82\xac\xf0\x9f\x98\x80.dat", 0},
    {HUNDRED HUNDRED, 0},
    {"f.", PLACE_STRIPPED},
    {"g.txt ", PLACE_STRIPPED},
    {"a|b", PLACE_ILLEGAL},
    {"a*", PLACE_ILLEGAL},
    {"f\\x", PLACE_BELOW},
    {"no\\x", PLACE_BELOW},
    {"xy:z", PLACE_STREAM},
    {HUNDRED HUNDRED HUNDRED, PLACE_LONG},
};
#define FREQUENT_LEAVES 8
#define USUAL_LEAVES    11

static const char *const patterns[] = {"*", "*.*", "f*", "?", "*.txt", "G*.T?T", "f", "no*", "*.", "?????", "d"};

unsigned place_traits(struct place place)
{
    return place.leaf ? leaves[place.leaf - 1].traits : 0;
}

void place_name(struct place place, char *text, size_t size)
{
    const char *folder = folders[place.folder], *leaf = place.leaf ? leaves[place.leaf - 1].name : "";

    snprintf(text, size, "%s%s%s", folder, *folder && *leaf ? "\\" : "", leaf);
}

uint8_t place_parent(uint8_t folder)
{
    return folder == 3 ? 1 : ROOT;
}

const char *find_pattern(unsigned index)
{
    return patterns[index];
}

/* ---- chance ---- */

struct chance {
    uint64_t state;
};

/* splitmix64: https://prng.di.unimi.it/splitmix64.c describes it. */
static uint64_t draw(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(struct chance *chance, size_t limit)
{
    return (unsigned)(draw(chance) % limit);
}

static bool one_in(struct chance *chance, unsigned times)
{
    return below(chance, times) == 0;
}

static uint32_t one_of(struct chance *chance, const uint32_t *values, size_t count)
{
    return values[below(chance, count)];
}
#define ONE_OF(chance, ...)                                                                                            \
    one_of(chance, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static struct place make_place(struct chance *chance)
{
    struct place place = {.folder = (uint8_t)(one_in(chance, 2) ? ROOT : below(chance, ARRAYSIZE_OF(folders)))};

    if (one_in(chance, 24))
        place.leaf = (uint8_t)(1 + below(chance, ARRAYSIZE_OF(leaves)));
    else if (one_in(chance, 5))
        place.leaf = (uint8_t)(1 + below(chance, USUAL_LEAVES));
    else if (!one_in(chance, 16))
        place.leaf = (uint8_t)(1 + below(chance, FREQUENT_LEAVES));
    return place;
}

static struct place make_file_place(struct chance *chance)
{
    struct place place = make_place(chance);

    if (!place.leaf || one_in(chance, 2))
        place.leaf = (uint8_t)(1 + below(chance, 4));
    return place;
}

static struct place make_folder_place(struct chance *chance)
{
    struct place place = make_place(chance);

    if (one_in(chance, 2))
        place.leaf = (uint8_t)(5 + below(chance, 4));
    return place;
}

/* ---- values that Win32 gives names to; this file is compiled where there are none ---- */

#define READ_ACCESS      0x80000000u
#define WRITE_ACCESS     0x40000000u
#define ALL_ACCESS       0x10000000u
#define DELETE_ACCESS    0x00010000u
#define APPEND_ACCESS    0x00000004u
#define READ_ATTRIBUTES  0x00000080u
#define WRITE_ATTRIBUTES 0x00000100u
#define MAXIMUM_ACCESS   0x02000000u

#define FLAG_BACKUP    0x02000000u
#define FLAG_DELETE    0x04000000u
#define FLAG_SEQUENCE  0x08000000u
#define FLAG_RANDOM    0x10000000u
#define FLAG_THROUGH   0x80000000u
#define ATTRIBUTE_RO   0x01u
#define ATTRIBUTE_HIDE 0x02u
#define ATTRIBUTE_SYS  0x04u
#define ATTRIBUTE_ARCH 0x20u
#define ATTRIBUTE_NORM 0x80u

#define MOVE_REPLACE 1u
#define MOVE_COPY    2u

#define LOCK_AT_ONCE   1u
#define LOCK_EXCLUSIVE 2u

static uint64_t make_offset(struct chance *chance)
{
    return ONE_OF(chance, 0, 0, 0, 1, 3, 10, 100, 511, 512, 4095, 4096, 5000, 65535, 65536, 70000, 131072, 200000);
}

static uint32_t make_size(struct chance *chance)
{
    if (one_in(chance, 40))
        return ONE_OF(chance, 65535, 65536, 65537, 100000, 131072, 150001, 262144);
    return ONE_OF(chance, 0, 1, 2, 7, 10, 64, 100, 511, 512, 513, 4095, 4096, 4097, 9000);
}

/* ---- the calls ---- */

static void make_create(struct chance *chance, struct call *call)
{
    call->place = make_file_place(chance);
    call->access =
        ONE_OF(chance, READ_ACCESS, READ_ACCESS, WRITE_ACCESS, READ_ACCESS | WRITE_ACCESS, READ_ACCESS | WRITE_ACCESS,
               READ_ACCESS | WRITE_ACCESS, READ_ACCESS | WRITE_ACCESS, READ_ACCESS | WRITE_ACCESS | DELETE_ACCESS,
               READ_ACCESS | DELETE_ACCESS, APPEND_ACCESS, APPEND_ACCESS | READ_ACCESS, READ_ATTRIBUTES, 0,
               DELETE_ACCESS, WRITE_ATTRIBUTES, MAXIMUM_ACCESS, ALL_ACCESS);
    call->share = one_in(chance, 3) ? below(chance, 8) : ONE_OF(chance, 3, 7);
    call->disposition = 1 + below(chance, 5);
    if (one_in(chance, 200))
        call->disposition = ONE_OF(chance, 0, 6);
    call->flags = one_in(chance, 2)   ? 0
                  : one_in(chance, 3) ? ONE_OF(chance, FLAG_SEQUENCE, FLAG_RANDOM, FLAG_THROUGH)
                                      : ONE_OF(chance, FLAG_BACKUP, ATTRIBUTE_NORM, ATTRIBUTE_ARCH);
    if (one_in(chance, 10))
        call->flags |= ONE_OF(chance, FLAG_DELETE, ATTRIBUTE_HIDE, ATTRIBUTE_RO, ATTRIBUTE_SYS);
    if (one_in(chance, 6)) {
        call->place = make_folder_place(chance);
        call->flags |= FLAG_BACKUP;
        call->disposition = 3;
    }
}

static void make_seek(struct chance *chance, struct call *call)
{
    call->how = below(chance, 3);
    call->offset = make_offset(chance);
    if (one_in(chance, 4))
        call->offset = (uint64_t) - (int64_t)call->offset;
    if (one_in(chance, 100))
        call->how = 3;
}

static void make_move(struct chance *chance, struct call *call)
{
    call->flags = ONE_OF(chance, 0, MOVE_REPLACE, MOVE_REPLACE, MOVE_COPY, MOVE_REPLACE | MOVE_COPY);
    call->place = one_in(chance, 4) ? make_folder_place(chance) : make_file_place(chance);
    call->place2 = make_place(chance);
}

static void make_lock(struct chance *chance, struct call *call)
{
    call->offset = make_offset(chance);
    call->size = ONE_OF(chance, 1, 1, 10, 100, 4096, 100000, 0);
    call->flags = LOCK_AT_ONCE | (one_in(chance, 2) ? LOCK_EXCLUSIVE : 0);
}

static void fill(struct chance *chance, struct call *call)
{
    call->slot = below(chance, DIFFER_SLOTS);
    call->slot2 = below(chance, DIFFER_SLOTS);
    call->place = make_file_place(chance);
    call->relative = one_in(chance, 8);
    switch (call->kind) {
    case CALL_CREATE:
        make_create(chance, call);
        break;
    case CALL_READ_AT:
    case CALL_WRITE_AT:
        call->offset = make_offset(chance);
        call->size = make_size(chance);
        break;
    case CALL_READ:
    case CALL_WRITE:
        call->size = make_size(chance);
        break;
    case CALL_SEEK:
        make_seek(chance, call);
        break;
    case CALL_SET_TIME:
        call->how = below(chance, 1000000);
        break;
    case CALL_LOCK:
    case CALL_UNLOCK:
        make_lock(chance, call);
        break;
    case CALL_SET_ATTRIBUTES:
        call->flags = ONE_OF(chance, ATTRIBUTE_NORM, ATTRIBUTE_NORM, ATTRIBUTE_RO, ATTRIBUTE_HIDE, ATTRIBUTE_SYS,
                             ATTRIBUTE_ARCH, ATTRIBUTE_RO | ATTRIBUTE_ARCH, ATTRIBUTE_HIDE | ATTRIBUTE_SYS);
        if (one_in(chance, 4))
            call->place = make_folder_place(chance);
        break;
    case CALL_MOVE:
        make_move(chance, call);
        break;
    case CALL_COPY:
        call->place2 = make_file_place(chance);
        call->flags = below(chance, 2);
        break;
    case CALL_ATTRIBUTES:
    case CALL_FULL_NAME:
        call->place = make_place(chance);
        break;
    case CALL_MAKE_FOLDER:
    case CALL_REMOVE_FOLDER:
    case CALL_CURRENT:
        call->place = make_folder_place(chance);
        break;
    case CALL_FIND:
        call->place = (struct place){.folder = (uint8_t)below(chance, ARRAYSIZE_OF(folders))};
        call->how = below(chance, ARRAYSIZE_OF(patterns));
        break;
    default:
        break;
    }
}

static enum call_kind make_kind(struct chance *chance)
{
    static const struct {
        enum call_kind kind;
        unsigned weight;
    } weights[] = {
        {CALL_CREATE, 26},  {CALL_CLOSE, 9},          {CALL_READ, 9},        {CALL_READ_AT, 6},
        {CALL_WRITE, 12},   {CALL_WRITE_AT, 6},       {CALL_SEEK, 5},        {CALL_FLUSH, 2},
        {CALL_SIZE, 4},     {CALL_INFORMATION, 3},    {CALL_TYPE, 1},        {CALL_FINAL_NAME, 2},
        {CALL_GET_TIME, 1}, {CALL_DUPLICATE, 2},      {CALL_ATTRIBUTES, 5},  {CALL_MOVE, 6},
        {CALL_COPY, 3},     {CALL_DELETE, 4},         {CALL_MAKE_FOLDER, 5}, {CALL_REMOVE_FOLDER, 3},
        {CALL_FIND, 5},     {CALL_CURRENT, 2},        {CALL_FULL_NAME, 1},   {CALL_SET_END, 4},
        {CALL_SET_TIME, 2}, {CALL_SET_ATTRIBUTES, 3}, {CALL_LOCK, 4},        {CALL_UNLOCK, 3},
    };
    unsigned total = 0, at;

    for (size_t i = 0; i < ARRAYSIZE_OF(weights); i++)
        total += weights[i].weight;
    at = below(chance, total);
    for (size_t i = 0;; i++) {
        if (at < weights[i].weight)
            return weights[i].kind;
        at -= weights[i].weight;
    }
}

unsigned calls_make(uint64_t seed, struct call calls[DIFFER_CALLS_MAX])
{
    struct chance chance = {seed * 0xd1342543de82ef95 + 1};
    unsigned count = 16 + below(&chance, DIFFER_CALLS_MAX - 16 - 1);

    for (unsigned i = 0; i < count; i++) {
        calls[i] = (struct call){.kind = make_kind(&chance), .number = i};
        /* A beginning with something in it. */
        if (i < 6)
            calls[i].kind = i < 2 ? CALL_MAKE_FOLDER : CALL_CREATE;
        fill(&chance, &calls[i]);
    }
    calls[count] = (struct call){.kind = CALL_TREE, .number = count};
    return count + 1;
}

/* ---- in words ---- */

const char *call_name(enum call_kind kind)
{
    static const char *const names[CALL_KINDS] = {
#define X(kind, name) [CALL_##kind] = (name),
        DIFFER_KINDS(X)
#undef X
    };

    return names[kind];
}

void call_print(const struct call *call, char *text, size_t size)
{
    char name[512], name2[512];

    place_name(call->place, name, sizeof(name));
    place_name(call->place2, name2, sizeof(name2));
    switch (call->kind) {
    case CALL_CREATE:
        snprintf(text, size, "%3u  #%u = CreateFile(%s\"%s\", access %08x, share %x, disposition %u, flags %08x)",
                 call->number, call->slot, call->relative ? "relative " : "", name, call->access, call->share,
                 call->disposition, call->flags);
        break;
    case CALL_READ:
    case CALL_WRITE:
        snprintf(text, size, "%3u  %s(#%u, %u bytes)", call->number, call_name(call->kind), call->slot, call->size);
        break;
    case CALL_READ_AT:
    case CALL_WRITE_AT:
    case CALL_LOCK:
    case CALL_UNLOCK:
        snprintf(text, size, "%3u  %s(#%u, %u bytes at %lld, flags %x)", call->number, call_name(call->kind),
                 call->slot, call->size, (long long)call->offset, call->flags);
        break;
    case CALL_SEEK:
        snprintf(text, size, "%3u  SetFilePointerEx(#%u, %lld, method %u)", call->number, call->slot,
                 (long long)call->offset, call->how);
        break;
    case CALL_DUPLICATE:
        snprintf(text, size, "%3u  #%u = DuplicateHandle(#%u)", call->number, call->slot2, call->slot);
        break;
    case CALL_CLOSE:
    case CALL_SET_END:
    case CALL_FLUSH:
    case CALL_SIZE:
    case CALL_INFORMATION:
    case CALL_TYPE:
    case CALL_FINAL_NAME:
    case CALL_SET_TIME:
    case CALL_GET_TIME:
        snprintf(text, size, "%3u  %s(#%u)", call->number, call_name(call->kind), call->slot);
        break;
    case CALL_MOVE:
    case CALL_COPY:
        snprintf(text, size, "%3u  %s(\"%s\", \"%s\", %x)", call->number, call_name(call->kind), name, name2,
                 call->flags);
        break;
    case CALL_FIND:
        snprintf(text, size, "%3u  FindFirstFile(\"%s\", \"%s\")", call->number, name, find_pattern(call->how));
        break;
    case CALL_TREE:
    case CALL_CLEAN:
        snprintf(text, size, "%3u  %s", call->number, call_name(call->kind));
        break;
    default:
        snprintf(text, size, "%3u  %s(%s\"%s\", %x)", call->number, call_name(call->kind),
                 call->relative ? "relative " : "", name, call->flags);
        break;
    }
}
