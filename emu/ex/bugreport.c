/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bug check as text. */
#include <ntemu/ntifs.h>

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *at;
    SIZE_T left; /* the terminator included; 0: no room for even that */
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int n;

    if (!text->left)
        return;
    va_start(arguments, format);
    n = vsnprintf(text->at, text->left, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    if ((SIZE_T)n >= text->left)
        n = (int)text->left - 1;
    text->at += n;
    text->left -= (SIZE_T)n;
}

const char *EmuBugCheckName(ULONG Code)
{
    static const struct {
        ULONG code;
        const char *name;
    } names[] = {
#define NAME(code) {code, #code}
        NAME(IRQL_NOT_LESS_OR_EQUAL),
        NAME(REFERENCE_BY_POINTER),
        NAME(BAD_POOL_HEADER),
        NAME(MEMORY_MANAGEMENT),
        NAME(KMODE_EXCEPTION_NOT_HANDLED),
        NAME(NO_MORE_IRP_STACK_LOCATIONS),
        NAME(MUST_SUCCEED_POOL_EMPTY),
        NAME(MULTIPLE_IRP_COMPLETE_REQUESTS),
        NAME(PAGE_FAULT_IN_NONPAGED_AREA),
        NAME(SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION),
        NAME(BAD_POOL_CALLER),
        NAME(DRIVER_VERIFIER_DETECTED_VIOLATION),
        NAME(PAGE_FAULT_IN_FREED_SPECIAL_POOL),
        NAME(PAGE_FAULT_BEYOND_END_OF_ALLOCATION),
        NAME(MANUALLY_INITIATED_CRASH),
#undef NAME
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == Code)
            return names[i].name;
    return "";
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* A static function has no dynamic symbol: its neighbour's name would mislead, so the place in the file is told. */
static void add_frame(struct text *text, PVOID frame, BOOLEAN is_return_address)
{
    char *looked_up = (char *)frame - (is_return_address ? 1 : 0); /* a call may be a function's last instruction */
    const ElfW(Sym) *symbol = NULL;
    Dl_info info;

    add(text, "   %p ", frame);
    if (!dladdr1(looked_up, &info, (void **)&symbol, RTLD_DL_SYMENT) || !info.dli_fname) {
        add(text, " ?\n");
        return;
    }
    if (info.dli_sname && symbol && looked_up < (char *)info.dli_saddr + symbol->st_size)
        add(text, " %s!%s+0x%lx\n", last_part(info.dli_fname), info.dli_sname,
            (unsigned long)((char *)frame - (char *)info.dli_saddr));
    else
        add(text, " %s+0x%lx\n", last_part(info.dli_fname), (unsigned long)((char *)frame - (char *)info.dli_fbase));
}

/* Only the stack of a fault begins with the instruction itself; looking one byte before it does no harm. */
static void add_stack(struct text *text, const char *title, const EMU_CALL_STACK *stack)
{
    if (!stack->Depth)
        return;
    add(text, "\n%s\n", title);
    for (ULONG i = 0; i < stack->Depth; i++)
        add_frame(text, stack->Frames[i], TRUE);
}

static void add_tag(struct text *text, ULONG tag)
{
    for (int i = 0; i < 4; i++) {
        UCHAR c = (UCHAR)(tag >> 8 * i);
        add(text, "%c", c >= ' ' && c <= '~' ? c : '.');
    }
}

static void add_block(struct text *text, const EMU_BUG_CHECK *bug_check)
{
    if (!bug_check->Block)
        return;
    add(text, "\nblock %p  %lu bytes  tag \"", bug_check->Block, (unsigned long)bug_check->NumberOfBytes);
    add_tag(text, bug_check->Tag);
    add(text, "\"  %s pool  %s\n", bug_check->Paged ? "paged" : "nonpaged", bug_check->Freed ? "freed" : "allocated");
    if (bug_check->Site)
        add(text, "   allocated at %s:%u %s\n", EmuPoolSiteFile(bug_check->Site), bug_check->Site->Line,
            bug_check->Site->Function ? bug_check->Site->Function : "");
}

void EmuFormatBugCheck(const EMU_BUG_CHECK *BugCheck, char *Text, SIZE_T Size)
{
    struct text text = {Text, Size};
    const ULONG_PTR *p = BugCheck->Parameters;

    if (Size)
        *Text = 0;
    add(&text, "\n*** STOP: 0x%08X (0x%016lX,0x%016lX,0x%016lX,0x%016lX)\n%s\n\n", BugCheck->Code, (unsigned long)p[0],
        (unsigned long)p[1], (unsigned long)p[2], (unsigned long)p[3], EmuBugCheckName(BugCheck->Code));
    add(&text, "build %s  irql %u%s%s\n", BugCheck->Build[0] ? BugCheck->Build : "(no machine)", BugCheck->Irql,
        BugCheck->Driver[0] ? "  driver " : "", BugCheck->Driver);
    add_block(&text, BugCheck);
    add_stack(&text, "stack", &BugCheck->Stack);
    add_stack(&text, "the block's allocation", &BugCheck->Allocated);
    add_stack(&text, "the block's free", &BugCheck->FreedBy);
    add(&text, "\n");
}
