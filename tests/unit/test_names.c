/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <string.h>

#include "rdr/rdr.h"

#define ND FILE_NON_DIRECTORY_FILE
#define N  STATUS_OBJECT_NAME_INVALID
#define P  STATUS_OBJECT_PATH_SYNTAX_BAD
#define OK STATUS_SUCCESS

#define A10  u"aaaaaaaaaa"
#define A50  A10 A10 A10 A10 A10
#define A250 A50 A50 A50 A50 A50

static const struct {
    const WCHAR *name;
    ULONG options;
    NTSTATUS status;
    const WCHAR *path;
} rows[] = {
    /* the central row: MS-FSA 2.1.5.1, trailing backslash with FILE_NON_DIRECTORY_FILE */
    {u"\\X:\\s\\lab\\", ND, N, NULL},
    {u"\\X:\\s\\lab\\", 0, OK, u""},
    {u"\\X:\\s\\lab", ND, OK, u""},
    {u"\\X:\\s\\lab", 0, OK, u""},
    {u"\\x:\\s\\lab\\dir\\", 0, OK, u"dir"},
    {u"\\X:\\s\\lab\\dir\\", ND, N, NULL},
    {u"\\X:\\s\\lab\\dir\\f.txt", ND, OK, u"dir\\f.txt"},
    {u"\\s\\lab\\f", ND, OK, u"f"},
    /* characters: observed on smbd 4.17 (samba-side table), and FsRtl's legal characters for a slash */
    {u"\\X:\\s\\lab\\a|b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a*b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a?b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a<b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a>b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a\"b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a/b", ND, N, NULL},
    {u"\\X:\\s\\lab\\a\x01z", ND, N, NULL},
    {u"\\X:\\s\\lab\\a\x1fz", ND, N, NULL},
    {u"\\X:\\s\\lab\\a\x7fz", ND, OK, u"a\x7fz"},
    {u"\\X:\\s\\lab\\a:b", ND, OK, u"a:b"}, /* streams are the server's business */
    {u"\\X:\\s\\lab\\d|r\\f", ND, N, NULL},
    {u"\\X:\\s\\lab\\\xd83d\xde00.txt", ND, OK, u"\xd83d\xde00.txt"},
    {u"\\X:\\s\\lab\\[]+,;=", ND, OK, u"[]+,;="},
    /* lengths: 255 UTF-16 units a component */
    {u"\\X:\\s\\lab\\" A250 u"aaaaa", ND, OK, A250 u"aaaaa"},
    {u"\\X:\\s\\lab\\" A250 u"aaaaaa", ND, N, NULL},
    {u"\\X:\\s\\lab\\" A250 u"aaaaaa\\f", ND, N, NULL},
    /* dots: observed, ReactOS rdbss */
    {u"\\X:\\s\\lab\\.", ND, P, NULL},
    {u"\\X:\\s\\lab\\..", ND, P, NULL},
    {u"\\X:\\s\\lab\\dir\\..\\f", ND, P, NULL},
    {u"\\X:\\s\\lab\\...", ND, OK, u"..."},
    {u"\\X:\\s\\lab\\.f", ND, OK, u".f"},
    {u"\\X:\\s\\lab\\f.", ND, OK, u"f."},
    /* empty components */
    {u"\\X:\\s\\lab\\\\f", ND, N, NULL},
    {u"\\X:\\s\\lab\\dir\\\\f", ND, N, NULL},
    {u"\\X:\\s\\lab\\dir\\\\", 0, N, NULL},
    {u"\\X:\\s\\lab\\\\", 0, N, NULL},
    /* too little */
    {u"\\", 0, N, NULL},
    {u"\\X:", 0, N, NULL},
    {u"\\X:\\", 0, N, NULL},
    {u"\\X:\\s", 0, N, NULL},
    {u"\\X:\\s\\", 0, N, NULL},
    {u"\\s", 0, N, NULL},
    {u"X:\\s\\lab\\f", 0, N, NULL},
    {u"", 0, N, NULL},
};

static void test_every_name_gets_its_status_and_path(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        UNICODE_STRING full, path;
        RDR_NAME name;
        NTSTATUS status;
        memset(&name, 0x5a, sizeof name);
        RtlInitUnicodeString(&full, rows[i].name);
        status = RdrParseName(&full, rows[i].options, &name);
        if (status != rows[i].status)
            fail_msg("row %zu: %s, expected %s", i, status_name(status), status_name(rows[i].status));
        if (!rows[i].path) {
            if (name.Letter != 0x5a5a || name.Path.Length != 0x5a5a)
                fail_msg("row %zu: a refused name was written to", i);
            continue;
        }
        RtlInitUnicodeString(&path, rows[i].path);
        if (!RtlEqualUnicodeString(&name.Path, &path, FALSE))
            fail_msg("row %zu: another path, %u bytes", i, name.Path.Length);
    }
}

static void test_letter_server_and_share_are_told_apart(void **state)
{
    UNICODE_STRING full = NT_STRING(u"\\x:\\Server\\Share\\f"), server = NT_STRING(u"Server"),
                   share = NT_STRING(u"Share");
    RDR_NAME name;

    assert_status(RdrParseName(&full, 0, &name), STATUS_SUCCESS);
    assert_int_equal(name.Letter, 'X');
    assert_true(RtlEqualUnicodeString(&name.Server, &server, FALSE));
    assert_true(RtlEqualUnicodeString(&name.Share, &share, FALSE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name_gets_its_status_and_path),
        cmocka_unit_test(test_letter_server_and_share_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
