/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chart.c - paged pool over opens. See chart.h. */
#include "chart.h"
#include "process.h"
#include "rdrlab.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE 4096

/* Colours that differ for every kind of colour vision (Okabe and Ito), most contrasting first. */
static const char *const colours[] = {"#D55E00", "#0072B2", "#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#000000"};

/* Inside single quotes gnuplot takes everything as it is but the quote itself. */
static void print_quoted(FILE *script, const char *text)
{
    fputc('\'', script);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputc('\'', script);
        fputc((unsigned char)*text >= 32 ? *text : '?', script);
    }
    fputc('\'', script);
}

/* Index of the first run with the same shape as run i. */
static size_t first_with_shape(const struct results *results, size_t i)
{
    size_t first = 0;

    while (strcmp(results->runs[first].shape, results->runs[i].shape) != 0)
        first++;
    return first;
}

static size_t count_shapes(const struct results *results)
{
    size_t count = 0;

    for (size_t i = 0; i < results->run_count; i++)
        count += first_with_shape(results, i) == i;
    return count;
}

/* The largest value, for the unit of the axis. */
static uint64_t most_pages(const struct results *results)
{
    uint64_t most = 0;

    for (size_t i = 0; i < results->run_count; i++) {
        for (size_t j = 0; j < results->runs[i].sample_count; j++) {
            if (results->runs[i].samples[j].pages > most)
                most = results->runs[i].samples[j].pages;
        }
        if (results->runs[i].pages_after > most)
            most = results->runs[i].pages_after;
    }
    return most;
}

static uint64_t most_opens(const struct results *results)
{
    uint64_t most = 0;

    for (size_t i = 0; i < results->run_count; i++) {
        if (results->runs[i].opens > most)
            most = results->runs[i].opens;
    }
    return most;
}

/* The axes' units: large enough for numbers of a few digits. */
struct units {
    uint64_t bytes, opens;
};

static void print_data(FILE *script, const struct results *results, const struct units *units)
{
    for (size_t i = 0; i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];

        fprintf(script, "$run%zu << EOD\n", i);
        for (size_t j = 0; j < run->sample_count; j++)
            fprintf(script, "%.9g %.9g\n", (double)run->samples[j].opens / (double)units->opens,
                    (double)run->samples[j].pages * PAGE_SIZE / (double)units->bytes);
        /* What the program read last: a run that stopped early has no sample there. */
        fprintf(script, "%.9g %.9g\nEOD\n", (double)run->opens / (double)units->opens,
                (double)run->pages_after * PAGE_SIZE / (double)units->bytes);
    }
}

/* One panel: the runs of a shape. Lines that lie on each other differ in width, so that both are seen. */
static void print_panel(FILE *script, const struct results *results, size_t first)
{
    char title[CALL_SIZE];
    size_t of_shape = 0, drawn = 0;

    for (size_t i = first; i < results->run_count; i++)
        of_shape += first_with_shape(results, i) == first;
    fputs("set title ", script);
    print_quoted(script, results_call(&results->runs[first], title));
    fputs("\nplot ", script);
    for (size_t i = first; i < results->run_count; i++) {
        if (first_with_shape(results, i) != first)
            continue;
        fprintf(script, "%s$run%zu using 1:2 with lines linewidth %.1f linecolor rgb \"%s\" title ",
                drawn > 0 ? ", " : "", i, 2.0 + 2.5 * (double)(of_shape - 1 - drawn) / (double)of_shape,
                colours[drawn % (sizeof(colours) / sizeof(colours[0]))]);
        print_quoted(script, results->runs[i].build);
        drawn++;
    }
    fprintf(script, "\n");
}

static void print_script(FILE *script, const char *basename, const struct results *results)
{
    size_t shapes = count_shapes(results), columns = (size_t)ceil(sqrt((double)shapes));
    size_t rows = (shapes + columns - 1) / columns;
    struct units units = {.bytes = most_pages(results) * PAGE_SIZE >= 1 << 20 ? 1 << 20 : 1 << 10,
                          .opens = most_opens(results) >= 100000 ? 1000 : 1};
    /* One for all panels: the second shape starts on the machine where the first has left off. */
    double top = (double)(most_pages(results) + 1) * PAGE_SIZE / (double)units.bytes;

    print_data(script, results, &units);
    for (int png = 0; png < 2; png++) {
        fprintf(script,
                png ? "set terminal pngcairo size %zu,%zu font \"sans,12\" noenhanced\n"
                    : "set terminal svg size %zu,%zu dynamic font \"sans-serif,14\" background \"white\" noenhanced\n",
                columns * 640 + 40, rows * 440 + 60);
        fprintf(script, "set output \"%s.%s\"\n", basename, png ? "png" : "svg");
        fprintf(script,
                "set multiplot layout %zu,%zu title \"Q235425: paged pool as the program reads it "
                "(GetPerformanceInfo)\"\n",
                rows, columns);
        fprintf(script,
                "set key left top\nset grid\nset xlabel \"CreateFile calls%s\"\nset ylabel \"paged pool, %s\"\n"
                "set yrange [%.9g:%.9g]\nset rmargin 5\n",
                units.opens > 1 ? ", thousands" : "", units.bytes > 1024 ? "MB" : "KB", -0.03 * top, 1.08 * top);
        for (size_t i = 0; i < results->run_count; i++) {
            if (first_with_shape(results, i) == i)
                print_panel(script, results, i);
        }
        fprintf(script, "unset multiplot\nset output\n");
    }
}

static int run_gnuplot(const char *program, const char *script, size_t length, const char *basename)
{
    /* -d: whatever the user has in ~/.gnuplot stays out. */
    char *argv[] = {(char *)program, "-d", "-", NULL};
    struct process_spec spec = {.argv = argv, .out = -1, .err = 2, .keep = -1};
    int status = 0, rc;

    spec.in = memfd_create("chart", MFD_CLOEXEC);
    if (spec.in < 0 || write(spec.in, script, length) != (ssize_t)length || lseek(spec.in, 0, SEEK_SET) != 0) {
        rc = complain(EXIT_ENVIRONMENT, "the chart's script cannot be kept: %s", strerror(errno));
        goto exit;
    }
    rc = process_run(&spec, 60000, &status);
    if (rc == -EINTR)
        rc = EXIT_INTERRUPTED;
    else if (rc != 0 || status != 0)
        rc = complain(EXIT_ENVIRONMENT, "%s cannot draw %s.svg (exit status %d)", program, basename,
                      rc != 0 ? rc : status);
exit:
    if (spec.in >= 0)
        close(spec.in);
    return rc;
}

int chart_draw(const char *basename, const struct results *results)
{
    char program[PATH_MAX], folder[PATH_MAX], *script = NULL;
    size_t length = 0;
    FILE *file;
    int rc;

    snprintf(folder, sizeof(folder), "%s", basename);
    if (strrchr(folder, '/') == NULL)
        snprintf(folder, sizeof(folder), ".");
    else
        strrchr(folder, '/')[1] = '\0';
    if (access(folder, W_OK | X_OK) != 0)
        return complain(EXIT_ENVIRONMENT, "the chart cannot be written to %s: %s", folder, strerror(errno));
    if (strpbrk(basename, "\"\\\n`") != NULL)
        return complain(EXIT_USAGE, "--chart %s: a name without quotes and backslashes, please", basename);
    if (process_find_program("gnuplot", program, sizeof(program)) != 0)
        return complain(EXIT_ENVIRONMENT, "there is no gnuplot in PATH to draw the chart with");
    file = open_memstream(&script, &length);
    if (file == NULL)
        return complain(EXIT_ENVIRONMENT, "out of memory");
    print_script(file, basename, results);
    fclose(file);
    rc = run_gnuplot(program, script, length, basename);
    free(script);
    return rc;
}
