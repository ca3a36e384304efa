/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <string.h>

static UNICODE_STRING s(const WCHAR *text)
{
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, text);
    return string;
}

static void test_strings_compare_by_unit_with_and_without_case(void **state)
{
    UNICODE_STRING a = s(u"Straße"), b = s(u"STRAßE"), c = s(u"Strasse"), prefix = s(u"sTR");

    assert_false(RtlEqualUnicodeString(&a, &b, FALSE));
    assert_true(RtlEqualUnicodeString(&a, &b, TRUE));
    assert_false(RtlEqualUnicodeString(&a, &c, TRUE));
    assert_true(RtlPrefixUnicodeString(&prefix, &a, TRUE));
    assert_false(RtlPrefixUnicodeString(&prefix, &a, FALSE));
    assert_true(RtlCompareUnicodeString(&prefix, &a, TRUE) < 0);
    assert_true(RtlCompareUnicodeString(&a, &c, FALSE) > 0);
}

static void test_upper_case_maps_one_unit_to_one(void **state)
{
    assert_int_equal(RtlUpcaseUnicodeChar('z'), 'Z');
    assert_int_equal(RtlUpcaseUnicodeChar('{'), '{');
    assert_int_equal(RtlUpcaseUnicodeChar(0xe9), 0xc9);
    assert_int_equal(RtlUpcaseUnicodeChar(0xdf), 0xdf);
    assert_int_equal(RtlUpcaseUnicodeChar(0x0131), 0x0131); /* dotless i stays out of ASCII */
    assert_int_equal(RtlUpcaseUnicodeChar(0x017f), 0x017f); /* long s likewise */
    assert_int_equal(RtlUpcaseUnicodeChar(0x03b1), 0x0391);
    assert_int_equal(RtlUpcaseUnicodeChar(0xd800), 0xd800);
}

static void test_copy_and_append_never_write_beyond_the_maximum(void **state)
{
    WCHAR buffer[4] = {0x5a5a, 0x5a5a, 0x5a5a, 0x5a5a};
    UNICODE_STRING to = {0, 3 * sizeof(WCHAR), buffer}, two = s(u"ab"), five = s(u"abcde");

    RtlCopyUnicodeString(&to, &five);
    assert_int_equal(to.Length, 3 * sizeof(WCHAR));
    assert_int_equal(buffer[3], 0x5a5a);
    RtlCopyUnicodeString(&to, &two);
    assert_status(RtlAppendUnicodeStringToString(&to, &two), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(to.Length, 2 * sizeof(WCHAR));
}

static void test_dissect_cuts_one_component(void **state)
{
    static const struct {
        const WCHAR *path, *first, *rest;
    } rows[] = {{u"\\a\\b\\c", u"a", u"b\\c"}, {u"a", u"a", u""}, {u"a\\", u"a", u""}, {u"\\", u"", u""},
                {u"\\\\a", u"", u"a"},         {u"", u"", u""}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        UNICODE_STRING first, rest, want_first = s(rows[i].first), want_rest = s(rows[i].rest);
        FsRtlDissectName(s(rows[i].path), &first, &rest);
        if (!RtlEqualUnicodeString(&first, &want_first, FALSE) || !RtlEqualUnicodeString(&rest, &want_rest, FALSE))
            fail_msg("row %zu", i);
    }
}

static void test_expressions_match_as_documented(void **state)
{
    static const struct {
        const WCHAR *expression, *name;
        BOOLEAN match;
    } rows[] = {
        {u"*", u"a.b", TRUE},
        {u"*", u"", TRUE},
        {u"A?C", u"abc", TRUE},
        {u"A?C", u"ac", FALSE},
        {u"*.TXT", u"a.b.txt", TRUE},
        {u"*.TXT", u"a.txt.b", FALSE},
        {u"<.TXT", u"a.b.txt", TRUE},
        {u"<.TXT", u"a.b", FALSE},
        {u"<", u"noext", TRUE},
        {u"<", u"a.b", FALSE},
        {u"A>>", u"a", TRUE},
        {u"A>>", u"abc", TRUE},
        {u"A>>", u"abcd", FALSE},
        {u"A>>.B", u"a.b", TRUE},
        {u"A\"", u"a", TRUE},
        {u"A\"B", u"a.b", TRUE},
        {u"A\"B", u"ab", FALSE},
        {u"A", u"B", FALSE},
        {u"", u"", TRUE},
        {u"", u"a", FALSE},
        {u"*A*B*C*", u"xxaxxbxxc", TRUE},
        {u"*A*B*C*", u"xxaxxcxxb", FALSE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        UNICODE_STRING expression = s(rows[i].expression), name = s(rows[i].name);
        if (FsRtlIsNameInExpression(&expression, &name, TRUE, NULL) != rows[i].match)
            fail_msg("row %zu", i);
    }
}

static void test_many_stars_take_no_exponential_time(void **state)
{
    WCHAR stars[401], name[256];

    for (int i = 0; i < 400; i += 2) {
        stars[i] = '*';
        stars[i + 1] = 'A';
    }
    stars[400] = 0;
    for (int i = 0; i < 255; i++)
        name[i] = 'a';
    name[255] = 0;
    UNICODE_STRING expression = s(stars), subject = s(name);
    assert_true(FsRtlIsNameInExpression(&expression, &subject, TRUE, NULL));
    subject.Buffer[254] = 'b';
    assert_false(FsRtlIsNameInExpression(&expression, &subject, TRUE, NULL));
}

static void test_utf8_of_surrogates_and_halves_of_them(void **state)
{
    char text[16];
    DWORD n;

    assert_status(RtlUnicodeToUTF8N(text, sizeof text, &n, u"a\xe9\x20ac\xd83d\xde00", 10), STATUS_SUCCESS);
    assert_int_equal(n, 10);
    assert_memory_equal(text, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10);
    assert_status(RtlUnicodeToUTF8N(text, sizeof text, &n, u"\xd83d!", 4), STATUS_SOME_NOT_MAPPED);
    assert_memory_equal(text, "\xef\xbf\xbd!", 4);
    assert_status(RtlUnicodeToUTF8N(text, 2, &n, u"\x20ac", 2), STATUS_BUFFER_TOO_SMALL);
    assert_status(RtlUnicodeToUTF8N(text, sizeof text, &n, NULL, 0), STATUS_SUCCESS);
    assert_int_equal(n, 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_compare_by_unit_with_and_without_case),
        cmocka_unit_test(test_upper_case_maps_one_unit_to_one),
        cmocka_unit_test(test_copy_and_append_never_write_beyond_the_maximum),
        cmocka_unit_test(test_dissect_cuts_one_component),
        cmocka_unit_test(test_expressions_match_as_documented),
        cmocka_unit_test(test_many_stars_take_no_exponential_time),
        cmocka_unit_test(test_utf8_of_surrogates_and_halves_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
