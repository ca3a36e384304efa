/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files.c - the files that rows of the table of creates are about. See files.h. */
#include "files.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct {
    const char *path, *text;
} tree[] = {{"file.txt", FILES_TEXT}, {"dir", NULL}, {"dir/in.txt", FILES_TEXT}, {"empty", NULL}};

static int remove_below(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    return where->level > 0 ? remove(path) : 0;
}

void files_reset(struct smb_fixture *fixture)
{
    if (!fixture->mem)
        nftw(fixture->share_dir, remove_below, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < sizeof tree / sizeof *tree; i++)
        smb_fixture_add(fixture, tree[i].path, tree[i].text);
}

static ULONG attributes_of(const char *letters)
{
    ULONG attributes = 0;

    for (; *letters; letters++)
        attributes |= *letters == 'R'   ? FILE_ATTRIBUTE_READONLY
                      : *letters == 'H' ? FILE_ATTRIBUTE_HIDDEN
                      : *letters == 'S' ? FILE_ATTRIBUTE_SYSTEM
                                        : 0;
    return attributes;
}

/* Twelve bytes, behind smbd's back: it has no objections to what is in a file. */
static void fill(const struct smb_fixture *fixture, struct client *client, const struct client_file *file,
                 const char *path)
{
    char full[128];
    FILE *stream;
    ULONG done;

    if (fixture->mem) {
        assert_int_equal(smb_do_io(client->mem, SMB_WRITE, file->mem, (void *)(uintptr_t)FILES_TEXT, 12, 0, &done),
                         STATUS_SUCCESS);
        return;
    }
    snprintf(full, sizeof full, "%s/%s", fixture->share_dir, path);
    stream = fopen(full, "r+e");
    assert_non_null(stream);
    fputs(FILES_TEXT, stream);
    assert_int_equal(fclose(stream), 0);
}

static void make(const struct smb_fixture *fixture, struct client *client, const WCHAR *path, const char *host_path,
                 ULONG options, ULONG attributes)
{
    const struct nt_create create = {.access = FILE_WRITE_DATA,
                                     .disposition = FILE_CREATE,
                                     .options = options,
                                     .attributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL};
    const UNICODE_STRING name = smb_path(path);
    struct client_file file;

    assert_int_equal(client_create(client, &name, &create, &file), STATUS_SUCCESS);
    if (options & FILE_NON_DIRECTORY_FILE)
        fill(fixture, client, &file, host_path);
    client_close(client, &file);
}

bool files_make(const struct smb_fixture *fixture, struct client *client, const char *word)
{
    if (strncmp(word, "file", 4) == 0)
        make(fixture, client, u"t", "t", FILE_NON_DIRECTORY_FILE, attributes_of(word + 4 + (word[4] == '+')));
    else if (strcmp(word, "directory") == 0)
        make(fixture, client, u"t", "t", FILE_DIRECTORY_FILE, 0);
    else if (strcmp(word, "full") == 0)
        make(fixture, client, u"t\\in.txt", "t/in.txt", FILE_NON_DIRECTORY_FILE, 0);
    else
        return strcmp(word, "absent") == 0;
    return true;
}

/* "RW/rd": the words of the table would need their reader; these are letters. */
void files_access_and_share(const char *text, ACCESS_MASK *access, ULONG *share)
{
    *access = *share = 0;
    for (; *text && *text != '/'; text++)
        *access |= *text == 'R'   ? FILE_READ_DATA
                   : *text == 'W' ? FILE_WRITE_DATA
                   : *text == 'A' ? FILE_APPEND_DATA
                   : *text == 'X' ? FILE_EXECUTE
                   : *text == 'D' ? DELETE
                                  : FILE_READ_ATTRIBUTES;
    for (text += *text == '/'; *text; text++)
        *share |= *text == 'r' ? FILE_SHARE_READ : *text == 'w' ? FILE_SHARE_WRITE : FILE_SHARE_DELETE;
}

bool files_are(struct client *client, const char *then)
{
    const ULONG told = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM;
    const struct nt_create create = {
        .access = FILE_READ_ATTRIBUTES, .share = FILE_SHARE_READ, .disposition = FILE_OPEN};
    const UNICODE_STRING name = NT_STRING(u"t");
    const char *plus = strchr(then, '+');
    struct client_file file;
    NTSTATUS status = client_create(client, &name, &create, &file);

    if (strcmp(then, "none") == 0)
        return status == STATUS_OBJECT_NAME_NOT_FOUND;
    if (status != STATUS_SUCCESS)
        return false;
    client_close(client, &file);
    if (plus && (file.attributes & told) != attributes_of(plus + 1))
        return false;
    if (strncmp(then, "directory", 9) == 0)
        return (file.attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    return strncmp(then, "same", 4) == 0 ? file.size == 12 : strncmp(then, "empty", 5) == 0 && file.size == 0;
}
