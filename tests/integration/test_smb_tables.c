/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test_smb_tables.c - names and statuses on their way to libsmbclient and back; no peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "name.h"
#include "smb_backend.h"
#include "status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static ULONG length_of(const WCHAR *name)
{
    ULONG count = 0;

    while (name[count] != 0)
        count++;
    return count * (ULONG)sizeof(WCHAR);
}

/* ---- names ---- */

static void test_names_become_urls(void **state)
{
    static const struct {
        const WCHAR *name;
        const char *url; /* NULL: refused */
    } rows[] = {
        {u"", ""},
        {u"\\", ""},
        {u"a", "a"},
        {u"\\a\\b.txt", "a/b.txt"},
        {u"a b", "a%20b"},
        {u"100%", "100%25"},
        {u"%41", "%2541"},
        {u"a?b#c:d*e", "a%3Fb%23c%3Ad%2Ae"},
        {u"-._~", "-._~"},
        {u"\x7f\x80", "%7F%C2%80"},
        {u"\u07ff\u0800", "%DF%BF%E0%A0%80"},
        {u"\ud7ff\ue000\uffff", "%ED%9F%BF%EE%80%80%EF%BF%BF"},
        {u"\U00010000\U0010FFFF", "%F0%90%80%80%F4%8F%BF%BF"},
        {u"a/b", NULL},
        {u"\xD800", NULL},
        {u"\xD800"
         u"a",
         NULL},
        {u"\xD800\xD800", NULL},
        {u"\xDC00", NULL},
        {u"\xDC00\xD800", NULL},
    };
    char url[256];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ULONG length = length_of(rows[i].name);
        NTSTATUS status = smb_name_to_url(rows[i].name, length, url);

        if (status != (rows[i].url != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID))
            fail_msg("row %zu: status %08x", i, (unsigned)status);
        if (rows[i].url != NULL && strcmp(url, rows[i].url) != 0)
            fail_msg("row %zu: \"%s\", expected \"%s\"", i, url, rows[i].url);
        if (rows[i].url != NULL && strlen(url) + 1 > smb_name_url_size(length))
            fail_msg("row %zu: longer than smb_name_url_size says", i);
    }
    /* A NUL inside would end the name at libsmbclient: another file's. */
    assert_int_equal(smb_name_to_url(u"a\0b", 6, url), STATUS_OBJECT_NAME_INVALID);
}

static void test_url_size_is_enough_for_the_worst_name(void **state)
{
    enum { UNITS = 32767 };
    WCHAR *name = malloc(UNITS * sizeof(WCHAR));
    size_t size = smb_name_url_size(UNITS * sizeof(WCHAR));
    char *url = malloc(size);

    (void)state;
    assert_non_null(name);
    assert_non_null(url);
    for (int i = 0; i < UNITS; i++)
        name[i] = 0xFFFD;
    assert_int_equal(smb_name_to_url(name, UNITS * sizeof(WCHAR), url), STATUS_SUCCESS);
    assert_int_equal(strlen(url) + 1, size);
    free(url);
    free(name);
}

static void test_utf8_becomes_names(void **state)
{
    static const struct {
        const char *text;
        const WCHAR *name; /* NULL: refused */
    } rows[] = {
        {"a", u"a"},
        {"\x7F", u"\x7f"},
        {"\xC2\x80\xDF\xBF", u"\x80\u07ff"},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", u"\u0800\ud7ff\ue000\uffff"},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", u"\U00010000\U0010FFFF"},
        {"", NULL},
        {"\x80", NULL},
        {"a\xC2", NULL},
        {"\xC0\x80", NULL},             /* overlong */
        {"\xC1\xBF", NULL},             /* overlong */
        {"\xE0\x9F\xBF", NULL},         /* overlong */
        {"\xF0\x8F\xBF\xBF", NULL},     /* overlong */
        {"\xED\xA0\x80", NULL},         /* surrogate */
        {"\xF4\x90\x80\x80", NULL},     /* beyond Unicode */
        {"\xF8\x88\x80\x80\x80", NULL}, /* five bytes */
        {"\xE2\x82", NULL},             /* cut */
        {"\xFF", NULL},
    };
    WCHAR name[64];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        ULONG length = smb_name_from_utf8(rows[i].text, name);
        ULONG expected = rows[i].name != NULL ? length_of(rows[i].name) : 0;

        if (length != expected || memcmp(name, rows[i].name != NULL ? rows[i].name : name, length) != 0)
            fail_msg("row %zu: length %u, expected %u", i, length, expected);
    }
}

static void test_every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c++) {
        WCHAR name[3] = {0}, back[8];
        char url[32], text[8];
        ULONG units = c >= 0x10000 ? 2 : 1;
        size_t n = 0;

        if ((c >= 0xD800 && c <= 0xDFFF) || c == '/' || c == '\\')
            continue;
        name[0] = (WCHAR)(c >= 0x10000 ? 0xD800 + ((c - 0x10000) >> 10) : c);
        name[1] = (WCHAR)(c >= 0x10000 ? 0xDC00 + (c & 0x3FF) : 0);
        assert_int_equal(smb_name_to_url(name, units * 2, url), STATUS_SUCCESS);
        for (const char *at = url; *at != '\0'; n++) {
            char digits[3] = {at[0], 0, 0};

            if (at[0] == '%') {
                digits[0] = at[1];
                digits[1] = at[2];
                text[n] = (char)strtoul(digits, NULL, 16);
                at += 3;
            } else {
                text[n] = *at++;
            }
        }
        text[n] = '\0';
        if (smb_name_from_utf8(text, back) != units * 2 || memcmp(back, name, units * 2) != 0)
            fail_msg("U+%04X does not come back", c);
    }
}

/* ---- statuses ---- */

static void test_log_lines_are_read(void **state)
{
    static const struct {
        const char *line;
        NTSTATUS call, connect;
    } rows[] = {
        {"cli_status_to_errno: 0xc0000033 -> 22\n", STATUS_OBJECT_NAME_INVALID, 0},
        {"cli_status_to_errno: 0xc000009a -> 22", STATUS_INSUFFICIENT_RESOURCES, 0},
        {"map_errno_from_nt_status: 32 bit codes: code=c00000cc\n", 0, STATUS_BAD_NETWORK_NAME},
        {"cli_status_to_errno: 0x0 -> 0", 0, 0},
        {"cli_status_to_errno: 0x00000103 -> 0", 0, 0},
        {"cli_status_to_errno: 0xffffffffffff -> 0", 0, 0},
        {"cli_status_to_errno: 0x", 0, 0},
        {"cli_status_to_errno: c0000033", 0, 0},
        {"", 0, 0},
        {"something else 0xc0000033", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct smb_log log = {0};

        smb_log_read(&log, rows[i].line);
        if (log.status != rows[i].call || log.connect != rows[i].connect)
            fail_msg("row %zu: %08x %08x", i, (unsigned)log.status, (unsigned)log.connect);
    }
}

/* What is left of a connection attempt's log in 4.22: how far it got. */
static void test_stages_tell_what_errno_leaves_open(void **state)
{
    static const char dialled[] = "Connecting to 127.0.0.1 at port 445\n";
    static const char refused[] = "SPNEGO login failed: The attempted logon is invalid.\n";
    static const char logged_on[] = " session setup ok\n", tree[] = " tconx ok\n";
    static const struct {
        const char *lines[3];
        int error;
        NTSTATUS expected;
    } rows[] = {
        {{NULL}, EINVAL, STATUS_BAD_NETWORK_PATH},
        {{dialled}, EINVAL, STATUS_BAD_NETWORK_PATH},
        {{dialled}, ECONNREFUSED, STATUS_BAD_NETWORK_PATH},
        {{dialled}, ENOMEM, STATUS_CONNECTION_DISCONNECTED},
        {{dialled, refused}, EACCES, STATUS_LOGON_FAILURE},
        {{dialled, refused}, EINVAL, STATUS_LOGON_FAILURE},
        {{dialled, refused}, ECONNABORTED, STATUS_CONNECTION_DISCONNECTED},
        {{dialled, refused}, ETIMEDOUT, STATUS_IO_TIMEOUT},
        {{dialled, logged_on}, EACCES, STATUS_ACCESS_DENIED},
        {{dialled, logged_on}, EPERM, STATUS_ACCESS_DENIED},
        {{dialled, logged_on}, ENOENT, STATUS_BAD_NETWORK_NAME},
        {{dialled, logged_on}, ETIMEDOUT, STATUS_IO_TIMEOUT},
        {{dialled, logged_on, tree}, EACCES, STATUS_ACCESS_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct smb_log log = {0};
        NTSTATUS status;

        for (size_t j = 0; j < 3 && rows[i].lines[j] != NULL; j++)
            smb_log_read(&log, rows[i].lines[j]);
        status = smb_status_of_connect(&log, rows[i].error);
        if (status != rows[i].expected)
            fail_msg("row %zu: %08x, expected %08x", i, (unsigned)status, (unsigned)rows[i].expected);
    }
}

/* A call on a connection that was lost before makes another. */
static void test_a_call_that_is_hung_up_on_was_disconnected(void **state)
{
    struct smb_log log = {0};

    (void)state;
    assert_int_equal(smb_status_of_call(&log, ENOMEM), STATUS_INSUFFICIENT_RESOURCES);
    smb_log_read(&log, "Connecting to 127.0.0.1 at port 445\n");
    assert_int_equal(smb_status_of_call(&log, ENOMEM), STATUS_CONNECTION_DISCONNECTED);
    smb_log_read(&log, " session setup ok\n");
    assert_int_equal(smb_status_of_call(&log, ENOMEM), STATUS_INSUFFICIENT_RESOURCES);
}

static void test_the_last_status_of_a_call_counts(void **state)
{
    struct smb_log log = {0};

    (void)state;
    smb_log_read(&log, "cli_status_to_errno: 0xc000003b -> 2");
    smb_log_read(&log, "cli_status_to_errno: 0xc0000034 -> 2");
    smb_log_read(&log, "chatter");
    assert_int_equal(smb_status_of_call(&log, EINVAL), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_what_the_server_has_ended_is_a_disconnection(void **state)
{
    static const char *const lines[] = {
        "cli_status_to_errno: 0xc000020d -> 104", /* TCP's connection */
        "cli_status_to_errno: 0xc0000203 -> 22",  /* the session */
        "cli_status_to_errno: 0xc00000c9 -> 103", /* the tree */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct smb_log log = {0};
        NTSTATUS status;

        smb_log_read(&log, lines[i]);
        status = smb_status_of_call(&log, EINVAL);
        if (status != STATUS_CONNECTION_DISCONNECTED)
            fail_msg("row %zu: %08x", i, (unsigned)status);
    }
}

static void test_call_errors_without_a_log_line(void **state)
{
    static const struct {
        int error;
        NTSTATUS expected;
    } rows[] = {
        {ENOENT, STATUS_OBJECT_NAME_NOT_FOUND},
        {EINVAL, STATUS_INVALID_PARAMETER},
        {EACCES, STATUS_ACCESS_DENIED},
        {EEXIST, STATUS_OBJECT_NAME_COLLISION},
        {EISDIR, STATUS_FILE_IS_A_DIRECTORY},
        {ENOTDIR, STATUS_NOT_A_DIRECTORY},
        {EBUSY, STATUS_SHARING_VIOLATION},
        {ENOSPC, STATUS_DISK_FULL},
        {ETIMEDOUT, STATUS_IO_TIMEOUT},
        {ECONNABORTED, STATUS_CONNECTION_DISCONNECTED},
        {ENETRESET, STATUS_CONNECTION_DISCONNECTED},
        {0, STATUS_UNSUCCESSFUL},
        {12345, STATUS_UNSUCCESSFUL},
    };
    const struct smb_log none = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        NTSTATUS status = smb_status_of_call(&none, rows[i].error);

        if (status != rows[i].expected)
            fail_msg("row %zu: errno %d: %08x, expected %08x", i, rows[i].error, (unsigned)status,
                     (unsigned)rows[i].expected);
    }
}

static void test_connect_errors(void **state)
{
    static const struct {
        NTSTATUS logged;
        BOOLEAN dialled;
        int error;
        NTSTATUS expected;
    } rows[] = {
        {STATUS_BAD_NETWORK_NAME, TRUE, ENOENT, STATUS_BAD_NETWORK_NAME},
        {STATUS_BAD_NETWORK_NAME, FALSE, EINVAL, STATUS_BAD_NETWORK_PATH},
        {STATUS_UNSUCCESSFUL, FALSE, EINVAL, STATUS_BAD_NETWORK_PATH},
        {STATUS_UNSUCCESSFUL, TRUE, EINVAL, STATUS_UNSUCCESSFUL},
        {STATUS_CONNECTION_REFUSED, TRUE, ECONNREFUSED, STATUS_BAD_NETWORK_PATH},
        {STATUS_HOST_UNREACHABLE, TRUE, EHOSTUNREACH, STATUS_BAD_NETWORK_PATH},
        {STATUS_LOGON_FAILURE, TRUE, EACCES, STATUS_LOGON_FAILURE},
        {STATUS_ACCOUNT_DISABLED, TRUE, EACCES, STATUS_ACCOUNT_DISABLED},
        {STATUS_WRONG_CREDENTIAL_HANDLE, TRUE, EACCES, STATUS_LOGON_FAILURE},
        {STATUS_ACCESS_DENIED, TRUE, EACCES, STATUS_ACCESS_DENIED},
        {STATUS_CONNECTION_RESET, TRUE, ENETRESET, STATUS_CONNECTION_DISCONNECTED},
        {STATUS_IO_TIMEOUT, TRUE, ETIMEDOUT, STATUS_IO_TIMEOUT},
        {STATUS_NO_MEMORY, TRUE, ENOMEM, STATUS_CONNECTION_DISCONNECTED},
        {STATUS_NO_MEMORY, FALSE, ENOMEM, STATUS_NO_MEMORY},
        {0, FALSE, ENOENT, STATUS_BAD_NETWORK_NAME},
        {0, FALSE, EACCES, STATUS_LOGON_FAILURE},
        {0, FALSE, EPERM, STATUS_LOGON_FAILURE},
        {0, FALSE, ECONNREFUSED, STATUS_BAD_NETWORK_PATH},
        {0, FALSE, EINVAL, STATUS_BAD_NETWORK_PATH},
        {0, FALSE, 0, STATUS_BAD_NETWORK_PATH},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct smb_log log = {.connect = rows[i].logged, .dialled = rows[i].dialled};
        NTSTATUS status = smb_status_of_connect(&log, rows[i].error);

        if (status != rows[i].expected)
            fail_msg("row %zu: %08x, expected %08x", i, (unsigned)status, (unsigned)rows[i].expected);
    }
}

/* ---- listings ---- */

static void test_an_entry_that_does_not_fit_changes_nothing(void **state)
{
    _Alignas(8) unsigned char buffer[400];
    const struct smb_dirent *entry = (const struct smb_dirent *)buffer;
    struct smb_info info = {.end_of_file = 5};
    ULONG used = 0, last = 0, kept_used, kept_last;

    (void)state;
    memset(buffer, 0xEE, sizeof(buffer));
    assert_true(smb_put_dirent(buffer, sizeof(buffer), &used, &last, u"abc", 6, &info));
    assert_int_equal(used, sizeof(struct smb_dirent) + 6);
    assert_int_equal(entry->next_offset, 0);
    assert_true(smb_put_dirent(buffer, sizeof(buffer), &used, &last, u"d", 2, &info));
    assert_int_equal(entry->next_offset % 8, 0);
    assert_int_equal(last, entry->next_offset);
    kept_used = used;
    kept_last = last;
    assert_false(smb_put_dirent(buffer, used + 8, &used, &last, u"e", 2, &info));
    assert_int_equal(used, kept_used);
    assert_int_equal(last, kept_last);
    assert_int_equal(((const struct smb_dirent *)(buffer + last))->next_offset, 0);
    used = last = 0;
    assert_false(smb_put_dirent(buffer, sizeof(struct smb_dirent) + 5, &used, &last, u"abc", 6, &info));
    assert_true(smb_put_dirent(buffer, sizeof(struct smb_dirent) + 6, &used, &last, u"abc", 6, &info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_become_urls),
        cmocka_unit_test(test_url_size_is_enough_for_the_worst_name),
        cmocka_unit_test(test_utf8_becomes_names),
        cmocka_unit_test(test_every_code_point_comes_back),
        cmocka_unit_test(test_log_lines_are_read),
        cmocka_unit_test(test_a_call_that_is_hung_up_on_was_disconnected),
        cmocka_unit_test(test_the_last_status_of_a_call_counts),
        cmocka_unit_test(test_what_the_server_has_ended_is_a_disconnection),
        cmocka_unit_test(test_call_errors_without_a_log_line),
        cmocka_unit_test(test_connect_errors),
        cmocka_unit_test(test_stages_tell_what_errno_leaves_open),
        cmocka_unit_test(test_an_entry_that_does_not_fit_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
