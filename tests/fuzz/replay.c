/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzz target once with each file of a folder: what fuzzing found stays found, without clang. */
#include "fuzz.h"

#include <dirent.h>

static void run(const char *folder, const char *name)
{
    static uint8_t data[1 << 20];
    char path[4096];
    size_t size;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    printf("%s\n", name);
    fflush(stdout);
    file = fopen(path, "rb");
    fuzz_require(file != NULL);
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **inputs;
    int count;

    fuzz_require(argc == 2);
    count = scandir(argv[1], &inputs, is_input, alphasort);
    fuzz_require(count > 0);
    for (int i = 0; i < count; i++) {
        run(argv[1], inputs[i]->d_name);
        free(inputs[i]);
    }
    free(inputs);
    return 0;
}
