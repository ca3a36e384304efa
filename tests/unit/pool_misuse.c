/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Misuses a pool block, or does not, for a memory checker to see: pool_misuse.sh.
 * usage: pool_misuse none|after-free|overrun|stale BYTES
 */
#include <ntemu/machine.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG POOL_TAG('M', 'i', 's', 'u')

static void misuse(const char *how, SIZE_T bytes)
{
    volatile UCHAR *block = ExAllocatePoolWithTag(PagedPool, bytes, TAG), *next;

    if (!block)
        abort();
    memset((void *)block, 1, bytes);
    if (!strcmp(how, "overrun"))
        block[bytes] = 1;
    ExFreePoolWithTag((void *)block, TAG);
    if (!strcmp(how, "after-free"))
        block[bytes / 2] = 1;
    next = ExAllocatePoolWithTag(PagedPool, bytes, TAG); /* most likely the same memory */
    if (!next)
        abort();
    if (!strcmp(how, "stale") && next[bytes / 2] == 1) /* what was there before is nobody's to read */
        puts("as before");
    memset((void *)next, 2, bytes);
    ExFreePoolWithTag((void *)next, TAG);
}

int main(int argc, char **argv)
{
    char error[256];

    if (argc != 3 || EmuMachineBoot(NULL, error, sizeof error) != STATUS_SUCCESS)
        return 2;
    misuse(argv[1], strtoul(argv[2], NULL, 10));
    return EmuMachineShutdown(NULL) == STATUS_SUCCESS ? 0 : 3;
}
