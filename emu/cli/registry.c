/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry.c - "rdrlab registry": the documented parameters of a machine, and what a file of settings says. */
#include "arguments.h"
#include "rdrlab.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ntemu/registry.h>

static const char help[] =
    "usage: rdrlab registry [FILE]\n\n"
    "The documented registry parameters of a machine: default, unit, range, where documented. With FILE, the settings\n"
    "in it (docs/registry.md), checked, beside their defaults; machines take it with --registry FILE.\n";

static const EMU_REGISTRY_PARAMETER *parameter_of(const EMU_REGISTRY_SETTING *setting)
{
    for (const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters(); p->Name != NULL; p++) {
        if (strcasecmp(p->Key, setting->Key) == 0 && strcasecmp(p->Name, setting->Name) == 0)
            return p;
    }
    return NULL;
}

/* 4294967295 is what nobody recognizes. */
static void print_number(char *text, size_t size, ULONG number)
{
    snprintf(text, size, number == 0xffffffffu ? "0xffffffff" : "%u", (unsigned)number);
}

static void print_default(char *text, size_t size, const EMU_REGISTRY_PARAMETER *p)
{
    if (p->Type != REG_DWORD) {
        snprintf(text, size, "none");
        return;
    }
    print_number(text, size, p->Default);
    if (p->Guessed)
        strncat(text, " (guess)", size - strlen(text) - 1);
}

static void print_range(char *text, size_t size, const EMU_REGISTRY_PARAMETER *p)
{
    char least[16], most[16];

    print_number(least, sizeof(least), p->Minimum);
    print_number(most, sizeof(most), p->Maximum);
    if (p->Type == REG_DWORD && p->Maximum != 0xffffffffu)
        snprintf(text, size, "%s to %s", least, most);
    else
        snprintf(text, size, "any");
}

static void print_parameters(void)
{
    static const char *const head[] = {"  Value", "Default", "Unit", "Range", "Source", "Meaning"};
    struct table table = {.columns = 6};
    const char *key = "";

    for (const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters(); p->Name != NULL; p++) {
        char name[EMU_REGISTRY_NAME + 2], value[32], range[40];
        if (strcmp(key, p->Key) != 0) {
            if (*key != '\0') {
                table_print(&table, stdout);
                putchar('\n');
            }
            key = p->Key;
            printf("HKLM\\%s\n", key);
            table = (struct table){.columns = 6};
            table_row(&table, head);
        }
        snprintf(name, sizeof(name), "  %s", p->Name);
        print_default(value, sizeof(value), p);
        print_range(range, sizeof(range), p);
        table_row(&table, (const char *const[]){name, value, p->Unit, range, p->Source, p->Meaning});
    }
    table_print(&table, stdout);
}

static void print_settings(const EMU_REGISTRY_SETTING *settings, ULONG count)
{
    struct table table = {.columns = 5};

    table_row(&table, (const char *const[]){"Key", "Value", "Set to", "Default", "Unit"});
    for (ULONG i = 0; i < count; i++) {
        const EMU_REGISTRY_PARAMETER *p = parameter_of(&settings[i]);
        char value[16], usual[32] = "";
        print_number(value, sizeof(value), settings[i].Number);
        if (p != NULL)
            print_default(usual, sizeof(usual), p);
        table_row(&table, (const char *const[]){settings[i].Key, settings[i].Name,
                                                settings[i].Type == REG_DWORD ? value : settings[i].Text, usual,
                                                p != NULL ? p->Unit : ""});
    }
    table_print(&table, stdout);
}

int argument_registry(const char *path)
{
    EMU_REGISTRY_SETTING *settings;
    char error[512];
    ULONG count;

    if (!EmuRegistryReadFile(path, &settings, &count, error, sizeof(error)))
        return complain(EXIT_USAGE, "--registry %s", error);
    free(settings);
    return 0;
}

int command_registry(int argc, char **argv)
{
    static const struct option names[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    EMU_REGISTRY_SETTING *settings;
    char error[512];
    ULONG count;
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, ":h", names, NULL)) != -1) {
        if (found == 'h')
            return fputs(help, stdout), 0;
        return argument_refuse("registry", found, argv);
    }
    if (optind + 1 < argc)
        return complain(EXIT_USAGE, "registry takes no argument %s", argv[optind + 1]);
    if (optind == argc) {
        print_parameters();
        return 0;
    }
    if (!EmuRegistryReadFile(argv[optind], &settings, &count, error, sizeof(error)))
        return complain(EXIT_USAGE, "%s", error);
    print_settings(settings, count);
    free(settings);
    return 0;
}
