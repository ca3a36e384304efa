/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings as text: one in a line of a command or of a test, or a file of them. Needs nothing of a machine. */
#include <ntemu/registry.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SERVICES "System\\CurrentControlSet\\Services\\"

static BOOLEAN refuse(char *error, SIZE_T size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static BOOLEAN refuse(char *error, SIZE_T size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return FALSE;
}

/* ---- what is documented ---- */

static const EMU_REGISTRY_PARAMETER *documented(const EMU_REGISTRY_SETTING *setting, BOOLEAN *is_known_key)
{
    *is_known_key = FALSE;
    for (const EMU_REGISTRY_PARAMETER *p = EmuRegistryParameters(); p->Name; p++) {
        if (strcasecmp(p->Key, setting->Key) != 0)
            continue;
        *is_known_key = TRUE;
        if (strcasecmp(p->Name, setting->Name) == 0)
            return p;
    }
    return NULL;
}

static BOOLEAN check(const EMU_REGISTRY_SETTING *s, char *error, SIZE_T size)
{
    BOOLEAN is_known_key;
    const EMU_REGISTRY_PARAMETER *p = documented(s, &is_known_key);

    if (!p)
        return !is_known_key ||
               refuse(error, size, "no parameter \"%s\" is documented for %s; \"rdrlab registry\" lists them", s->Name,
                      s->Key);
    if (p->Type != s->Type)
        return refuse(error, size, "%s is a %s", p->Name, p->Type == REG_DWORD ? "number (dword)" : "text (sz)");
    if (s->Type == REG_DWORD && (s->Number < p->Minimum || s->Number > p->Maximum))
        return refuse(error, size, "%s is from %u to %u %s (%s), not %u", p->Name, (unsigned)p->Minimum,
                      (unsigned)p->Maximum, p->Unit, p->Source, (unsigned)s->Number);
    return TRUE;
}

/* ---- names ---- */

static BOOLEAN is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
            return FALSE;
    return TRUE;
}

/* Whether the path begins with the name of a root and a backslash; if so it is shortened by both. */
static BOOLEAN skip_root(const char **path, size_t *length)
{
    static const char *const roots[] = {"HKLM\\", "HKEY_LOCAL_MACHINE\\", "\\Registry\\Machine\\"};

    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        size_t root = strlen(roots[i]);
        if (*length > root && strncasecmp(*path, roots[i], root) == 0) {
            *path += root;
            *length -= root;
            return TRUE;
        }
    }
    return FALSE;
}

static BOOLEAN is_path(const char *path, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (path[i] == '\\' && (i == 0 || i + 1 == length || path[i + 1] == '\\'))
            return FALSE;
    return length > 0;
}

static BOOLEAN set_key(EMU_REGISTRY_SETTING *setting, const char *path, size_t length, char *error, SIZE_T size)
{
    const char *written = path;
    size_t written_length = length;
    const char *prefix = skip_root(&path, &length) ? "" : SERVICES;

    if (!is_plain(written, written_length))
        return refuse(error, size, "a key's name is printable ASCII here");
    if (!is_path(path, length))
        return refuse(error, size, "\"%.*s\" is no key; write HKLM\\System\\..., or one below Services",
                      (int)written_length, written);
    if (strncasecmp(path, "HKEY_", 5) == 0)
        return refuse(error, size, "%.*s: there is only HKEY_LOCAL_MACHINE here", (int)written_length, written);
    if (strlen(prefix) + length >= sizeof(setting->Key))
        return refuse(error, size, "a key's name of more than %d characters", EMU_REGISTRY_KEY - 1);
    snprintf(setting->Key, sizeof(setting->Key), "%s%.*s", prefix, (int)length, path);
    return TRUE;
}

static BOOLEAN set_name(EMU_REGISTRY_SETTING *setting, const char *name, size_t length, char *error, SIZE_T size)
{
    if (!length || length >= sizeof(setting->Name) || !is_plain(name, length))
        return refuse(error, size, "a value's name has 1 to %d printable ASCII characters", EMU_REGISTRY_NAME - 1);
    snprintf(setting->Name, sizeof(setting->Name), "%.*s", (int)length, name);
    return TRUE;
}

static BOOLEAN set_text(EMU_REGISTRY_SETTING *setting, const char *text, size_t length, char *error, SIZE_T size)
{
    if (length >= sizeof(setting->Text) || !is_plain(text, length))
        return refuse(error, size, "a text has at most %d printable ASCII characters", EMU_REGISTRY_TEXT - 1);
    setting->Type = REG_SZ;
    snprintf(setting->Text, sizeof(setting->Text), "%.*s", (int)length, text);
    return TRUE;
}

static BOOLEAN set_number(EMU_REGISTRY_SETTING *setting, const char *text, int base, char *error, SIZE_T size)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(text, &end, base);
    if (!isxdigit((unsigned char)*text) || *end || errno || number > 0xffffffffu)
        return refuse(error, size, "\"%s\" is no number of 32 bits", text);
    setting->Type = REG_DWORD;
    setting->Number = (ULONG)number;
    return TRUE;
}

/* ---- one setting ---- */

static BOOLEAN set_data(EMU_REGISTRY_SETTING *setting, const char *data, char *error, SIZE_T size)
{
    if (strncasecmp(data, "sz:", 3) == 0)
        return set_text(setting, data + 3, strlen(data + 3), error, size);
    if (strncasecmp(data, "dword:", 6) == 0)
        return set_number(setting, data + 6, strncasecmp(data + 6, "0x", 2) == 0 ? 16 : 10, error, size);
    return refuse(error, size, "write =dword:NUMBER or =sz:TEXT, not \"=%s\"", data);
}

BOOLEAN EmuRegistryParse(const char *Text, EMU_REGISTRY_SETTING *Setting, char *Error, SIZE_T ErrorSize)
{
    const char *equals = strchr(Text, '='), *name;
    EMU_REGISTRY_SETTING setting = {.Number = 0};

    name = equals ? memrchr(Text, '\\', (size_t)(equals - Text)) : NULL;
    if (!name)
        return refuse(Error, ErrorSize, "\"%s\": write KEY\\VALUE=dword:NUMBER or KEY\\VALUE=sz:TEXT", Text);
    if (!set_key(&setting, Text, (size_t)(name - Text), Error, ErrorSize) ||
        !set_name(&setting, name + 1, (size_t)(equals - name - 1), Error, ErrorSize) ||
        !set_data(&setting, equals + 1, Error, ErrorSize) || !check(&setting, Error, ErrorSize))
        return FALSE;
    *Setting = setting;
    return TRUE;
}

/* ---- a file ---- */

struct reader {
    char key[EMU_REGISTRY_KEY]; /* of the section; "": none yet */
    EMU_REGISTRY_SETTING *settings;
    ULONG count;
    char *error;
    SIZE_T size;
};

/* From the quote to the one that ends the text, \\ and \" undone. Returns what follows, or NULL. */
static const char *unquote(const char *text, char *buffer, size_t size)
{
    size_t used = 0;

    for (text++; *text != '"'; text++) {
        if (*text == '\\')
            text++;
        if (!*text || used + 1 >= size)
            return NULL;
        buffer[used++] = *text;
    }
    buffer[used] = '\0';
    return text + 1;
}

static BOOLEAN read_file_data(struct reader *r, EMU_REGISTRY_SETTING *setting, const char *data)
{
    char text[EMU_REGISTRY_TEXT];
    const char *digits;

    if (*data == '"') {
        const char *end = unquote(data, text, sizeof(text));
        return end && !*end ? set_text(setting, text, strlen(text), r->error, r->size)
                            : refuse(r->error, r->size, "a text ends with a quote, and has at most %d characters",
                                     EMU_REGISTRY_TEXT - 1);
    }
    if (strncasecmp(data, "dword:", 6) != 0)
        return refuse(r->error, r->size, "write \"name\"=dword:0000002d or \"name\"=\"text\", not =%s", data);
    digits = data + 6;
    if (strncasecmp(digits, "0x", 2) != 0 && (strlen(digits) != 8 || strspn(digits, "0123456789abcdefABCDEF") != 8))
        return refuse(r->error, r->size, "dword:%s: write 8 hexadecimal digits, or 0x and as many as there are",
                      digits);
    return set_number(setting, digits, 16, r->error, r->size);
}

static BOOLEAN keep(struct reader *r, const EMU_REGISTRY_SETTING *setting)
{
    EMU_REGISTRY_SETTING *more = realloc(r->settings, (r->count + 1) * sizeof(*more));

    if (!more)
        return refuse(r->error, r->size, "out of memory");
    r->settings = more;
    r->settings[r->count++] = *setting;
    return TRUE;
}

static BOOLEAN read_value(struct reader *r, const char *line)
{
    EMU_REGISTRY_SETTING setting = {.Number = 0};
    char name[EMU_REGISTRY_NAME];
    const char *rest = unquote(line, name, sizeof(name));

    if (!rest || *rest != '=')
        return refuse(r->error, r->size, "write \"name\"=dword:0000002d or \"name\"=\"text\"");
    if (!r->key[0])
        return refuse(r->error, r->size, "a value before the first [key]");
    memcpy(setting.Key, r->key, sizeof(r->key));
    return set_name(&setting, name, strlen(name), r->error, r->size) && read_file_data(r, &setting, rest + 1) &&
           check(&setting, r->error, r->size) && keep(r, &setting);
}

static BOOLEAN read_key(struct reader *r, const char *line, size_t length)
{
    EMU_REGISTRY_SETTING section;

    if (line[length - 1] != ']')
        return refuse(r->error, r->size, "a key ends with ]");
    if (line[1] == '-')
        return refuse(r->error, r->size, "there is nothing to delete here");
    if (!set_key(&section, line + 1, length - 2, r->error, r->size))
        return FALSE;
    memcpy(r->key, section.Key, sizeof(r->key));
    return TRUE;
}

static BOOLEAN read_line(struct reader *r, const char *line, size_t length, ULONG number)
{
    if (!length || *line == ';' || (number == 1 && strcasecmp(line, "REGEDIT4") == 0))
        return TRUE;
    if (*line == '[')
        return read_key(r, line, length);
    if (*line == '"')
        return read_value(r, line);
    return refuse(r->error, r->size, "\"%.40s\" is no [key], no \"name\"=..., no ; comment", line);
}

static BOOLEAN read_lines(struct reader *r, FILE *file, const char *path)
{
    char *line = NULL, what[256];
    size_t size = 0;
    BOOLEAN good = TRUE;
    ssize_t length;

    for (ULONG number = 1; good && (length = getline(&line, &size, file)) >= 0; number++) {
        const char *begin = line + strspn(line, " \t");
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            line[--length] = '\0';
        if (begin > line + length)
            begin = line + length;
        good = read_line(r, begin, strlen(begin), number);
        if (good)
            continue;
        snprintf(what, sizeof(what), "%s", r->error);
        refuse(r->error, r->size, "%s:%u: %s", path, (unsigned)number, what);
    }
    if (good && ferror(file))
        good = refuse(r->error, r->size, "%s: %s", path, strerror(errno));
    free(line);
    return good;
}

BOOLEAN EmuRegistryReadFile(const char *Path, EMU_REGISTRY_SETTING **Settings, ULONG *Count, char *Error,
                            SIZE_T ErrorSize)
{
    struct reader reader = {.error = Error, .size = ErrorSize};
    FILE *file = fopen(Path, "re");
    BOOLEAN good;

    if (!file)
        return refuse(Error, ErrorSize, "%s: %s", Path, strerror(errno));
    good = read_lines(&reader, file, Path);
    fclose(file);
    if (!good) {
        free(reader.settings);
        return FALSE;
    }
    *Settings = reader.settings;
    *Count = reader.count;
    return TRUE;
}
