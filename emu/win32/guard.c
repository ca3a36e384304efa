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

extern char guarded_copy_failed[];

EXCEPTION_DISPOSITION NTAPI guarded_copy_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                 void *dispatcher);

EXCEPTION_DISPOSITION NTAPI guarded_copy_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context,
                                                 void *dispatcher)
{
    switch (record->ExceptionCode) {
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_IN_PAGE_ERROR:
    case EXCEPTION_GUARD_PAGE:
        context->Rip = (DWORD64)(ULONG_PTR)guarded_copy_failed;
        return ExceptionContinueExecution;
    default:
        return ExceptionContinueSearch;
    }
}

NTSTATUS guarded_status(PIO_STATUS_BLOCK io, NTSTATUS status, ULONG_PTR information)
{
    IO_STATUS_BLOCK block;

    if (!io)
        return status;
    block.Pointer = NULL;
    block.Status = status;
    block.Information = information;
    return guarded_copy(io, &block, sizeof(block)) ? status : STATUS_ACCESS_VIOLATION;
}
