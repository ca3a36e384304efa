/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

/*
 * gcc has no __try for x64, so the one function that may fault is written with its unwind information by hand.
 * The handler runs for faults between the prologue and the end only, and resumes at the failing exit.
 */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl guarded_copy\n"
        ".def guarded_copy; .scl 2; .type 32; .endef\n"
        ".seh_proc guarded_copy\n"
        "guarded_copy:\n"
        "    pushq %rsi\n"
        "    .seh_pushreg %rsi\n"
        "    pushq %rdi\n"
        "    .seh_pushreg %rdi\n"
        "    .seh_endprologue\n"
        "    movq %rcx, %rdi\n"
        "    movq %rdx, %rsi\n"
        "    movq %r8, %rcx\n"
        "    rep movsb\n"
        "    movl $1, %eax\n"
        "guarded_copy_exit:\n"
        "    popq %rdi\n"
        "    popq %rsi\n"
        "    ret\n"
        ".globl guarded_copy_failed\n"
        "guarded_copy_failed:\n"
        "    xorl %eax, %eax\n"
        "    jmp guarded_copy_exit\n"
        "    .seh_handler guarded_copy_handler, @except\n"
        "    .seh_endproc\n");

/* The same for a store of eight bytes, that nobody sees a part of. */
bool guarded_store(uint64_t *to, uint64_t value);
__asm__(".text\n"
        ".p2align 4\n"
        ".globl guarded_store\n"
        ".def guarded_store; .scl 2; .type 32; .endef\n"
        ".seh_proc guarded_store\n"
        "guarded_store:\n"
        "    .seh_endprologue\n"
        "    movq %rdx, (%rcx)\n"
        "    movl $1, %eax\n"
        "    ret\n"
        ".globl guarded_store_failed\n"
        "guarded_store_failed:\n"
        "    xorl %eax, %eax\n"
        "    ret\n"
        "    .seh_handler guarded_store_handler, @except\n"
        "    .seh_endproc\n");

extern char guarded_copy_failed[], guarded_store_failed[];

EXCEPTION_DISPOSITION NTAPI guarded_copy_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                 void *dispatcher);
EXCEPTION_DISPOSITION NTAPI guarded_store_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                  void *dispatcher);

static EXCEPTION_DISPOSITION resume_at(char *place, const EXCEPTION_RECORD *record, CONTEXT *context)
{
    switch (record->ExceptionCode) {
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_IN_PAGE_ERROR:
    case EXCEPTION_GUARD_PAGE:
        context->Rip = (DWORD64)(ULONG_PTR)place;
        return ExceptionContinueExecution;
    default:
        return ExceptionContinueSearch;
    }
}

EXCEPTION_DISPOSITION NTAPI guarded_copy_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                 void *dispatcher)
{
    return resume_at(guarded_copy_failed, record, context);
}

EXCEPTION_DISPOSITION NTAPI guarded_store_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                  void *dispatcher)
{
    return resume_at(guarded_store_failed, record, context);
}

NTSTATUS guarded_status(PIO_STATUS_BLOCK io, NTSTATUS status, ULONG_PTR information)
{
    IO_STATUS_BLOCK block;

    if (!io)
        return status;
    block.Pointer = NULL;
    block.Status = status;
    return guarded_store(&io->Information, information) &&
                   guarded_store((uint64_t *)(void *)&io->Pointer, (ULONG_PTR)block.Pointer)
               ? status
               : STATUS_ACCESS_VIOLATION;
}
