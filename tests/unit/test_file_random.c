/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Six threads that open, rename, mark, map, cut off and close four files at random: none waits for ever, nothing stays
 * open at the server, and nothing is left in the pool. What each call says is other tests' matter. The same calls each
 * time, unless a seed is given; a second argument is how many calls a thread makes.
 */
#include "lab.h"
#include "rdr/rdr.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS  6
#define HANDLES  4
#define SECTIONS 2
#define COUNT(a) (sizeof(a) / sizeof *(a))

static const WCHAR *const names[] = {u"\\??\\X:\\a", u"\\??\\X:\\b", u"\\??\\X:\\c", u"\\??\\X:\\dir\\d"};
static unsigned seed = 1, calls = 4000;

struct player {
    unsigned state;
    HANDLE files[HANDLES], sections[SECTIONS]; /* NULL: none */
    pthread_t thread;
};

static unsigned pick(struct player *p, unsigned below)
{
    return (unsigned)rand_r(&p->state) % below;
}

static void let_go(HANDLE *handle)
{
    if (*handle)
        assert_status(NtClose(*handle), STATUS_SUCCESS);
    *handle = NULL;
}

static void set(HANDLE file, void *information, ULONG length, FILE_INFORMATION_CLASS class)
{
    IO_STATUS_BLOCK io_status;

    NtSetInformationFile(file, &io_status, information, length, class);
}

static void open_one(struct player *p, HANDLE *file)
{
    static const ACCESS_MASK access[] = {FILE_READ_DATA | DELETE, FILE_READ_DATA | FILE_WRITE_DATA | DELETE, DELETE,
                                         FILE_READ_DATA | FILE_WRITE_DATA, MAXIMUM_ALLOWED};
    static const ULONG dispositions[] = {FILE_OPEN, FILE_OPEN_IF, FILE_CREATE, FILE_OVERWRITE_IF, FILE_SUPERSEDE};

    lab_create(names[pick(p, COUNT(names))], access[pick(p, COUNT(access))],
               FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, dispositions[pick(p, COUNT(dispositions))],
               pick(p, 6) ? 0 : FILE_DELETE_ON_CLOSE, file);
}

static void rename_one(struct player *p, HANDLE file)
{
    struct {
        FILE_RENAME_INFORMATION information;
        WCHAR more[32];
    } buffer = {.information.ReplaceIfExists = (BOOLEAN)pick(p, 2)};
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, names[pick(p, COUNT(names))]);
    buffer.information.FileNameLength = name.Length;
    memcpy((char *)&buffer + offsetof(FILE_RENAME_INFORMATION, FileName), name.Buffer, name.Length);
    set(file, &buffer, sizeof buffer, FileRenameInformation);
}

static void map_one(struct player *p, HANDLE file, HANDLE *section)
{
    const LARGE_INTEGER size = {.QuadPart = 100};

    if (*section)
        let_go(section);
    else
        NtCreateSection(section, SECTION_ALL_ACCESS, NULL, &size, pick(p, 2) ? PAGE_READWRITE : PAGE_READONLY,
                        pick(p, 4) ? SEC_COMMIT : SEC_IMAGE, file);
}

static void change_one(struct player *p, HANDLE file)
{
    FILE_DISPOSITION_INFORMATION disposition = {(BOOLEAN)pick(p, 2)};
    FILE_END_OF_FILE_INFORMATION end = {.EndOfFile.QuadPart = pick(p, 300)};
    FILE_BASIC_INFORMATION basic = {.LastWriteTime.QuadPart = 125911584000000000};

    switch (pick(p, 3)) {
    case 0:
        set(file, &disposition, sizeof disposition, FileDispositionInformation);
        break;
    case 1:
        set(file, &end, sizeof end, FileEndOfFileInformation);
        break;
    default:
        set(file, &basic, sizeof basic, FileBasicInformation);
    }
}

static void play_once(struct player *p)
{
    HANDLE *file = &p->files[pick(p, HANDLES)];

    if (!*file) {
        open_one(p, file);
        return;
    }
    switch (pick(p, 4)) {
    case 0:
        let_go(file);
        break;
    case 1:
        rename_one(p, *file);
        break;
    case 2:
        map_one(p, *file, &p->sections[pick(p, SECTIONS)]);
        break;
    default:
        change_one(p, *file);
    }
}

static void *play(void *argument)
{
    struct player *p = argument;

    for (unsigned i = 0; i < calls; i++)
        play_once(p);
    for (unsigned i = 0; i < HANDLES; i++)
        let_go(&p->files[i]);
    for (unsigned i = 0; i < SECTIONS; i++)
        let_go(&p->sections[i]);
    return NULL;
}

static void play_all(const char *setting)
{
    const char *const registry[] = {setting, NULL};
    struct player players[THREADS];
    struct lab lab;

    lab_boot_options(&lab, &(EMU_MACHINE_OPTIONS){.Build = "nt4-sp6", .Registry = registry});
    lab_map(&lab);
    for (unsigned i = 0; i < THREADS; i++) {
        players[i] = (struct player){.state = seed + i};
        assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(players[i].thread, NULL);
    RdrCloseDormantFiles(NULL, NULL);
    assert_int_equal(smb_mem_open_files(lab.mem), 0);
    lab_shut_down(&lab, 0);
}

static void test_all_come_to_an_end_and_leave_nothing(void **state)
{
    play_all(NULL);
}

static void test_with_dormant_files(void **state)
{
    play_all("LanmanWorkstation\\Parameters\\DormantFileLimit=dword:3");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_come_to_an_end_and_leave_nothing),
        cmocka_unit_test(test_with_dormant_files),
    };

    if (argc > 1)
        seed = (unsigned)strtoul(argv[1], NULL, 0);
    if (argc > 2)
        calls = (unsigned)strtoul(argv[2], NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
