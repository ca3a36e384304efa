/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registry: settings as text, files of them, documented parameters, and what a driver asks with. */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ntemu/registry.h>

#define TAG_VALUE  POOL_TAG('R', 'q', 'r', 'v')
#define SERVICES   "System\\CurrentControlSet\\Services\\"
#define PARAMETERS u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\LanmanWorkstation\\Parameters"

/* ---- one setting ---- */

static void test_settings_in_each_way_to_write_a_key(void **state)
{
    static const struct {
        const char *text, *key, *name;
        ULONG number;
    } cases[] = {
        {"Rdr\\Parameters\\FailedConnectTimeout=dword:128", SERVICES "Rdr\\Parameters", "FailedConnectTimeout", 128},
        {"HKLM\\" SERVICES "Rdr\\Parameters\\UseWriteBehind=dword:0", SERVICES "Rdr\\Parameters", "UseWriteBehind", 0},
        {"HKEY_LOCAL_MACHINE\\" SERVICES "Mine\\A=dword:0xffffffff", SERVICES "Mine", "A", 0xffffffff},
        {"\\Registry\\Machine\\Software\\Mine\\A B=DWORD:7", "Software\\Mine", "A B", 7},
    };
    EMU_REGISTRY_SETTING setting;
    char error[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (!EmuRegistryParse(cases[i].text, &setting, error, sizeof error))
            fail_msg("row %zu: %s", i, error);
        assert_string_equal(setting.Key, cases[i].key);
        assert_string_equal(setting.Name, cases[i].name);
        assert_int_equal(setting.Type, REG_DWORD);
        assert_int_equal(setting.Number, cases[i].number);
    }
    assert_true(EmuRegistryParse("Mine\\Text=sz:a=b c", &setting, error, sizeof error));
    assert_int_equal(setting.Type, REG_SZ);
    assert_string_equal(setting.Text, "a=b c");
}

static void test_nonsense_is_refused_and_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"KeepConn", "write KEY"},
        {"KeepConn=dword:1", "write KEY"},
        {"\\KeepConn=dword:1", "is no key"},
        {"Mine\\\\Key\\A=dword:1", "is no key"},
        {"HKEY_USERS\\Mine\\A=dword:1", "only HKEY_LOCAL_MACHINE"},
        {"Mine\\=dword:1", "a value's name"},
        {"Mine\\A=1", "write =dword:NUMBER"},
        {"Mine\\A=dword:", "no number"},
        {"Mine\\A=dword:ten", "no number"},
        {"Mine\\A=dword:-1", "no number"},
        {"Mine\\A=dword:4294967296", "no number"},
        {"M\xc3\xb6in\\A=dword:1", "ASCII"},
        {"LanmanWorkstation\\Parameters\\KeepConn=dword:70000", "from 0 to 65535 seconds (Q102981; 0: Q258837)"},
        {"LanmanWorkstation\\Parameters\\SessTimeout=dword:9", "from 10"},
        {"lanmanworkstation\\PARAMETERS\\maxcmds=dword:256", "from 0 to 255"},
        {"LanmanWorkstation\\Parameters\\KeepConn=sz:long", "is a number"},
        {"LanmanWorkstation\\Parameters\\OtherDomains=dword:1", "is a text"},
        {"LanmanWorkstation\\Parameters\\DormantFilesLimit=dword:1", "no parameter \"DormantFilesLimit\""},
    };
    EMU_REGISTRY_SETTING setting = {.Number = 77};
    char error[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (EmuRegistryParse(cases[i].text, &setting, error, sizeof error))
            fail_msg("row %zu was taken", i);
        if (!strstr(error, cases[i].why))
            fail_msg("row %zu: %s", i, error);
    }
    assert_int_equal(setting.Number, 77);
}

/* ---- files ---- */

static char file_name[] = "/tmp/test_registry.XXXXXX";

static const char *write_file(const char *text)
{
    FILE *file;
    int fd;

    strcpy(file_name + sizeof file_name - 7, "XXXXXX");
    fd = mkstemp(file_name);
    assert_true(fd >= 0);
    file = fdopen(fd, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return file_name;
}

static void test_a_file_as_regedit_writes_it(void **state)
{
    const char *path = write_file("REGEDIT4\r\n"
                                  "\r\n"
                                  "; a comment\r\n"
                                  "[HKEY_LOCAL_MACHINE\\System\\CurrentControlSet\\Services\\Rdr\\Parameters]\r\n"
                                  "\"FailedConnectTimeout\"=dword:00000080\r\n"
                                  "  \"UseWriteBehind\"=dword:0x0  \r\n"
                                  "[Mine]\n"
                                  "\"Say \\\"it\\\"\"=\"C:\\\\a\"");
    EMU_REGISTRY_SETTING *settings;
    char error[256] = "";
    ULONG count;

    if (!EmuRegistryReadFile(path, &settings, &count, error, sizeof error))
        fail_msg("%s", error);
    unlink(path);
    assert_int_equal(count, 3);
    assert_string_equal(settings[0].Key, SERVICES "Rdr\\Parameters");
    assert_int_equal(settings[0].Number, 128);
    assert_int_equal(settings[1].Number, 0);
    assert_string_equal(settings[2].Name, "Say \"it\"");
    assert_string_equal(settings[2].Text, "C:\\a");
    free(settings);
}

static void test_a_bad_file_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"[Mine]\n\"A\"=dword:45\n", ":2: dword:45: write 8 hexadecimal digits"},
        {"\"A\"=dword:00000001\n", ":1: a value before the first [key]"},
        {"[Mine]\n\n\"A=dword:00000001\n", ":3: write \"name\""},
        {"[Mine\n", ":1: a key ends with ]"},
        {"[-Mine]\n", ":1: there is nothing to delete"},
        {"[Mine]\n\"A\"=hex:01,02\n", ":2: write"},
        {"[Mine]\n\"A\"=\"open\n", ":2: a text ends with a quote"},
        {"[HKEY_USERS\\Mine]\n", ":1: HKEY_USERS"},
        {"nothing\n", ":1: \"nothing\" is no [key]"},
        {"\nREGEDIT4\n", ":2: \"REGEDIT4\""},
        {"[LanmanWorkstation\\Parameters]\n\"MaxCmds\"=dword:00000100\n", ":2: MaxCmds is from 0 to 255"},
    };
    EMU_REGISTRY_SETTING *settings;
    char error[512];
    ULONG count;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_file(cases[i].text);
        if (EmuRegistryReadFile(path, &settings, &count, error, sizeof error))
            fail_msg("row %zu was taken", i);
        unlink(path);
        if (strncmp(error, path, strlen(path)) != 0 || !strstr(error, cases[i].why))
            fail_msg("row %zu: %s", i, error);
    }
    assert_false(EmuRegistryReadFile("/nonexistent/file", &settings, &count, error, sizeof error));
    assert_string_equal(error, "/nonexistent/file: No such file or directory");
}

/* ---- the table ---- */

static void test_the_table_is_in_order_and_agrees_with_itself(void **state)
{
    for (const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters(); p->Name; p++) {
        if (p->Type == REG_DWORD && (p->Default < p->Minimum || p->Default > p->Maximum))
            fail_msg("%s: default", p->Name);
        if (!strchr(p->Source, 'Q') || !*p->Meaning)
            fail_msg("%s: source", p->Name);
        for (const EMU_REGISTRY_PARAMETER *q = p + 1; q->Name; q++)
            if (strcasecmp(p->Name, q->Name) == 0)
                fail_msg("%s: twice", p->Name);
        if (p[1].Name && strcmp(p->Key, p[1].Key) == 0 && strcasecmp(p->Name, p[1].Name) > 0)
            fail_msg("%s: order", p->Name);
    }
}

/* ---- on a machine ---- */

static void boot(const char *const *settings, const char *file)
{
    EMU_MACHINE_OPTIONS options = {.Registry = settings, .RegistryFile = file};
    char error[256];

    if (!NT_SUCCESS(EmuMachineBoot(&options, error, sizeof error)))
        fail_msg("%s", error);
}

static int boot_with_settings(void **state)
{
    static const char *const settings[] = {
        "LanmanWorkstation\\Parameters\\DormantFileLimit=dword:0", "LanmanWorkstation\\Parameters\\OtherDomains=sz:ABC",
        "LanmanWorkstation\\Parameters\\MaxCmds=dword:50",         "Mine\\Parameters\\Deep\\A=dword:1",
        "LanmanWorkstation\\Parameters\\MaxCmds=dword:20",         NULL};

    boot(settings, NULL);
    return 0;
}

static int shut_down(void **state)
{
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    return 0;
}

static void test_a_parameter_is_what_was_set_or_its_default(void **state)
{
    ULONG value = 77;

    assert_status(EmuQueryParameter("DormantFileLimit", &value), STATUS_SUCCESS);
    assert_int_equal(value, 0);
    assert_status(EmuQueryParameter("maxcmds", &value), STATUS_SUCCESS);
    assert_int_equal(value, 20); /* set twice */
    assert_status(EmuQueryParameter("KeepConn", &value), STATUS_SUCCESS);
    assert_int_equal(value, 600);
    assert_status(EmuQueryParameter("ReadAheadThroughput", &value), STATUS_SUCCESS);
    assert_int_equal(value, 0xffffffff);
    value = 77;
    assert_status(EmuQueryParameter("OtherDomains", &value), STATUS_OBJECT_NAME_NOT_FOUND); /* a text */
    assert_status(EmuQueryParameter("Nonsense", &value), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(value, 77);
}

static NTSTATUS open_key(HANDLE root, const WCHAR *name, HANDLE *key)
{
    OBJECT_ATTRIBUTES attributes;
    UNICODE_STRING path;

    RtlInitUnicodeString(&path, name);
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE, root, NULL);
    return ZwOpenKey(key, KEY_READ, &attributes);
}

static void test_keys_are_opened_by_full_and_by_relative_name(void **state)
{
    HANDLE parameters, services, key = (HANDLE)77;

    assert_status(open_key(NULL, PARAMETERS, &parameters), STATUS_SUCCESS);
    ZwClose(parameters);
    assert_status(open_key(NULL, u"\\REGISTRY\\machine\\SYSTEM\\currentcontrolset\\services", &services),
                  STATUS_SUCCESS);
    assert_status(open_key(services, u"Mine\\Parameters\\Deep", &parameters), STATUS_SUCCESS);
    ZwClose(parameters);
    assert_status(open_key(services, u"Nothing", &key), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(open_key(NULL, u"\\Registry\\User", &key), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_ptr_equal(key, (HANDLE)77);
    ZwClose(services);
    assert_status(open_key(NULL, u"\\Registry", &key), STATUS_SUCCESS);
    ZwClose(key);
}

static void test_values_by_name_and_by_number(void **state)
{
    UNICODE_STRING name = NT_STRING(u"dormantfilelimit"), text = NT_STRING(u"OtherDomains"),
                   no = NT_STRING(u"KeepConn");
    _Alignas(8) UCHAR buffer[128];
    KEY_VALUE_PARTIAL_INFORMATION *partial = (void *)buffer;
    KEY_VALUE_FULL_INFORMATION *full = (void *)buffer;
    KEY_VALUE_BASIC_INFORMATION *basic = (void *)buffer;
    HANDLE key;
    DWORD needed;
    ULONG count = 0;

    assert_status(open_key(NULL, PARAMETERS, &key), STATUS_SUCCESS);
    assert_status(ZwQueryValueKey(key, &name, KeyValuePartialInformation, buffer, sizeof buffer, &needed),
                  STATUS_SUCCESS);
    assert_int_equal(needed, 16);
    assert_int_equal(partial->Type, REG_DWORD);
    assert_int_equal(partial->DataLength, 4);
    assert_int_equal(*(ULONG *)partial->Data, 0);
    assert_status(ZwQueryValueKey(key, &text, KeyValueFullInformation, buffer, sizeof buffer, &needed), STATUS_SUCCESS);
    assert_int_equal(full->Type, REG_SZ);
    assert_int_equal(full->DataLength, 8);
    assert_memory_equal(buffer + full->DataOffset, u"ABC", 8);
    assert_memory_equal(full->Name, u"OtherDomains", full->NameLength);
    assert_status(ZwQueryValueKey(key, &text, KeyValuePartialInformation, buffer, 14, &needed), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(needed, 20);
    assert_status(ZwQueryValueKey(key, &text, KeyValuePartialInformation, buffer, 11, &needed),
                  STATUS_BUFFER_TOO_SMALL);
    assert_status(ZwQueryValueKey(key, &no, KeyValuePartialInformation, buffer, sizeof buffer, &needed),
                  STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(ZwQueryValueKey(key, &name, (KEY_VALUE_INFORMATION_CLASS)9, buffer, sizeof buffer, &needed),
                  STATUS_INVALID_PARAMETER);
    while (NT_SUCCESS(ZwEnumerateValueKey(key, count, KeyValueBasicInformation, buffer, sizeof buffer, &needed)))
        count++;
    assert_int_equal(count, 3);
    assert_memory_equal(basic->Name, u"MaxCmds", basic->NameLength);
    assert_status(ZwEnumerateValueKey(key, 3, KeyValueBasicInformation, buffer, sizeof buffer, &needed),
                  STATUS_NO_MORE_ENTRIES);
    ZwClose(key);
    assert_status(ZwQueryValueKey(key, &name, KeyValueBasicInformation, buffer, sizeof buffer, &needed),
                  STATUS_INVALID_HANDLE);
}

/* ---- RtlQueryRegistryValues ---- */

static void test_a_table_of_direct_values_with_defaults(void **state)
{
    static WCHAR none[] = u"none";
    ULONG limit = 77, keep = 77, keep_default = 600, untouched = 77;
    UNICODE_STRING domains = {0}, other = {0};
    RTL_QUERY_REGISTRY_TABLE table[] = {
        {NULL, RTL_QUERY_REGISTRY_DIRECT, u"DormantFileLimit", &limit, REG_NONE, NULL, 0},
        {NULL, RTL_QUERY_REGISTRY_DIRECT, u"KeepConn", &keep, REG_DWORD, &keep_default, sizeof keep_default},
        {NULL, RTL_QUERY_REGISTRY_DIRECT, u"CharWait", &untouched, REG_NONE, NULL, 0},
        {NULL, RTL_QUERY_REGISTRY_DIRECT, u"OtherDomains", &domains, REG_NONE, NULL, 0},
        {NULL, RTL_QUERY_REGISTRY_DIRECT, u"Nothing", &other, REG_SZ, none, 0},
        {0},
    };

    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, u"LanmanWorkstation\\Parameters", table, NULL, NULL),
                  STATUS_SUCCESS);
    assert_int_equal(limit, 0);
    assert_int_equal(keep, 600);
    assert_int_equal(untouched, 77);
    assert_int_equal(domains.Length, 6);
    assert_memory_equal(domains.Buffer, u"ABC", 8);
    assert_memory_equal(other.Buffer, u"none", 10);
    ExFreePoolWithTag(other.Buffer, TAG_VALUE);
    domains.MaximumLength = 6; /* one too small for the terminator */
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, PARAMETERS, table + 3, NULL, NULL),
                  STATUS_BUFFER_TOO_SMALL);
    ExFreePoolWithTag(domains.Buffer, TAG_VALUE);
}

static NTSTATUS NTAPI note_value(PCWSTR name, ULONG type, PVOID data, ULONG length, PVOID context, PVOID entry_context)
{
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 200 - used, "%s%c%u:%u ", (const char *)entry_context, name ? (char)name[0] : '-',
             (unsigned)type, (unsigned)length);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI stop_there(PCWSTR name, ULONG type, PVOID data, ULONG length, PVOID context, PVOID entry_context)
{
    return STATUS_CANCELLED;
}

static void test_a_table_of_routines_walks_keys(void **state)
{
    char text[200] = "";
    RTL_QUERY_REGISTRY_TABLE table[] = {
        {note_value, 0, u"MaxCmds", (PVOID) "one ", REG_NONE, NULL, 0},
        {note_value, 0, NULL, (PVOID) "all ", REG_NONE, NULL, 0},
        {note_value, RTL_QUERY_REGISTRY_SUBKEY, u"Static", (PVOID) "sub ", REG_NONE, NULL, 0},
        {note_value, 0, u"MaxCmds", (PVOID) "below ", REG_NONE, NULL, 0},
        {note_value, RTL_QUERY_REGISTRY_TOPKEY, u"MaxCmds", (PVOID) "top ", REG_NONE, NULL, 0},
        {note_value, RTL_QUERY_REGISTRY_NOVALUE, NULL, (PVOID) "no ", REG_NONE, NULL, 0},
        {NULL, RTL_QUERY_REGISTRY_SUBKEY, u"Nowhere", NULL, REG_NONE, NULL, 0},
        {note_value, RTL_QUERY_REGISTRY_REQUIRED, u"MaxCmds", (PVOID) "passed over ", REG_NONE, NULL, 0},
        {0},
    };
    RTL_QUERY_REGISTRY_TABLE stopping[] = {{stop_there, 0, NULL, NULL, REG_NONE, NULL, 0}, table[0], {0}};

    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, PARAMETERS, table, text, NULL), STATUS_SUCCESS);
    assert_string_equal(text, "one M4:4 all D4:4 all O1:8 all M4:4 top M4:4 no -0:0 ");
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_ABSOLUTE, PARAMETERS, stopping, text, NULL), STATUS_CANCELLED);
}

static void test_what_is_required_and_what_is_refused(void **state)
{
    ULONG number = 77;
    RTL_QUERY_REGISTRY_TABLE required[] = {
        {NULL, RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_REQUIRED, u"KeepConn", &number, REG_NONE, NULL, 0}, {0}};
    RTL_QUERY_REGISTRY_TABLE deleting[] = {{note_value, RTL_QUERY_REGISTRY_DELETE, u"A", NULL, REG_NONE, NULL, 0}, {0}};
    RTL_QUERY_REGISTRY_TABLE both[] = {{note_value, RTL_QUERY_REGISTRY_DIRECT, u"A", &number, REG_NONE, NULL, 0}, {0}};
    const PCWSTR path = u"LanmanWorkstation\\Parameters", nowhere = u"Nowhere";

    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, path, required, NULL, NULL),
                  STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, path, deleting, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, path, both, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_USER, path, required, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_status(RtlQueryRegistryValues(RTL_REGISTRY_SERVICES, nowhere, required + 1, NULL, NULL),
                  STATUS_OBJECT_NAME_NOT_FOUND);
    assert_status(
        RtlQueryRegistryValues(RTL_REGISTRY_SERVICES | RTL_REGISTRY_OPTIONAL, nowhere, required + 1, NULL, NULL),
        STATUS_SUCCESS);
    assert_int_equal(number, 77);
    assert_status(RtlCheckRegistryKey(RTL_REGISTRY_CONTROL, (PWSTR)u"Session Manager\\Memory Management"),
                  STATUS_SUCCESS);
    assert_status(RtlCheckRegistryKey(RTL_REGISTRY_CONTROL, (PWSTR)u"Nowhere"), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void test_a_machine_boots_with_a_file_or_says_what_is_wrong(void **state)
{
    static const char *const after[] = {"Rdr\\Parameters\\UseWriteBehind=dword:1", NULL};
    static const char *const wrong[] = {"Rdr\\Parameters\\UseWriteBehind=dword:2", NULL};
    EMU_MACHINE_OPTIONS options = {.Registry = wrong};
    char error[256];
    ULONG value;

    boot(after,
         write_file("[Rdr\\Parameters]\n\"FailedConnectTimeout\"=dword:00000080\n\"UseWriteBehind\"=dword:00000000\n"));
    unlink(file_name);
    assert_status(EmuQueryParameter("FailedConnectTimeout", &value), STATUS_SUCCESS);
    assert_int_equal(value, 128);
    assert_status(EmuQueryParameter("UseWriteBehind", &value), STATUS_SUCCESS);
    assert_int_equal(value, 1);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    boot(NULL, NULL); /* and the next machine knows nothing of it */
    assert_status(EmuQueryParameter("FailedConnectTimeout", &value), STATUS_SUCCESS);
    assert_int_equal(value, 45);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_INVALID_PARAMETER);
    assert_non_null(strstr(error, "UseWriteBehind is from 0 to 1"));
}

#define MEMORY "HKLM\\System\\CurrentControlSet\\Control\\Session Manager\\Memory Management\\"

static void test_the_pool_is_as_the_registry_says_unless_an_option_does(void **state)
{
    static const char *const settings[] = {MEMORY "PoolTag=dword:0x2A", MEMORY "PoolTagOverruns=dword:0",
                                           MEMORY "PagedPoolSize=dword:8388608", NULL};
    EMU_VERIFIER_OPTIONS verifier = {.PoolTag = 0x20, .PoolTagOverruns = 1}, now;
    EMU_MACHINE_OPTIONS options = {.Registry = settings, .Verifier = &verifier, .PagedPoolLimit = 16 << 20};
    EMU_POOL_COUNTS paged, nonpaged;
    char error[256], *p;

    boot(settings, NULL);
    EmuPoolCounts(&paged, &nonpaged);
    assert_int_equal(paged.LimitPages, 2048);
    EmuVerifierQuery(&now, NULL);
    assert_int_equal(now.PoolTag, '*');
    p = ExAllocatePoolWithTag(PagedPool, 40, TAG_VALUE);
    assert_int_equal((ULONG_PTR)p % PAGE_SIZE, 0); /* special pool, at the start of its page */
    ExFreePoolWithTag(p, TAG_VALUE);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
    assert_status(EmuMachineBoot(&options, error, sizeof error), STATUS_SUCCESS);
    EmuPoolCounts(&paged, &nonpaged);
    assert_int_equal(paged.LimitPages, 4096);
    EmuVerifierQuery(&now, NULL);
    assert_int_equal(now.PoolTag, 0x20);
    assert_status(EmuMachineShutdown(NULL), STATUS_SUCCESS);
}

static void test_a_key_that_is_left_open_is_told(void **state)
{
    EMU_MACHINE_AUDIT audit;
    HANDLE key;

    boot(NULL, NULL);
    assert_status(open_key(NULL, PARAMETERS, &key), STATUS_SUCCESS);
    assert_status(EmuMachineShutdown(&audit), STATUS_HANDLES_CLOSED);
    assert_int_equal(audit.Handles, 1);
    assert_int_equal(audit.Objects, 0);
    EmuPoolFreeSnapshot(&audit.Pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, boot_with_settings, shut_down)
        cmocka_unit_test(test_settings_in_each_way_to_write_a_key),
        cmocka_unit_test(test_nonsense_is_refused_and_says_why),
        cmocka_unit_test(test_a_file_as_regedit_writes_it),
        cmocka_unit_test(test_a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(test_the_table_is_in_order_and_agrees_with_itself),
        TEST(test_a_parameter_is_what_was_set_or_its_default),
        TEST(test_keys_are_opened_by_full_and_by_relative_name),
        TEST(test_values_by_name_and_by_number),
        TEST(test_a_table_of_direct_values_with_defaults),
        TEST(test_a_table_of_routines_walks_keys),
        TEST(test_what_is_required_and_what_is_refused),
        cmocka_unit_test(test_a_machine_boots_with_a_file_or_says_what_is_wrong),
        cmocka_unit_test(test_the_pool_is_as_the_registry_says_unless_an_option_does),
        cmocka_unit_test(test_a_key_that_is_left_open_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
