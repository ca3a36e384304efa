/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h - what the fuzz targets share. A target is one LLVMFuzzerTestOneInput; with -Dfuzz=enabled libFuzzer calls it,
 * otherwise replay.c, with the inputs that are kept in the target's folder.
 */
#ifndef RDRLAB_TESTS_FUZZ_H
#define RDRLAB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <ntemu/machine.h>
#include <ntemu/ntifs.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken property ends the process, as a sanitizer's finding does: that is how libFuzzer notices. */
#define fuzz_require(property)                                                                                         \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* The next byte of an input, 0 behind its end. */
static inline uint8_t fuzz_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0)
        return 0;
    --*size;
    return *(*data)++;
}

/* A copy of at most `bytes` bytes of the input, which it consumes, in a block of just that size; Buffer is to be freed.
 */
UNICODE_STRING fuzz_string(const uint8_t **data, size_t *size, size_t bytes);

/* A machine with \\mem\lab as X:, holding f.txt and dir\; and its end, which requires that nothing is left. */
void fuzz_boot(void);
void fuzz_shut_down(void);

#endif
