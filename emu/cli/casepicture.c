/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* casepicture.c - pictures of what was measured: the pool over calls, and the virtual time of steps. */
#include "casereport.h"
#include "catalogue.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#define WIDTH     640
#define HEIGHT    240
#define LEFT      80
#define RIGHT     24
#define TIME_LEFT 150 /* names of builds stand there */
#define TOP       34
#define BOTTOM    40

/* Colours that differ for every kind of colour vision (Okabe and Ito). */
#define DEFECT_COLOUR "#D55E00"
#define FIXED_COLOUR  "#0072B2"

static const char *colour_of(const struct case_side *side)
{
    return side->defect ? DEFECT_COLOUR : FIXED_COLOUR;
}

static void begin(FILE *file, int height, int left, const char *title)
{
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<text x=\"%d\" y=\"18\" font-weight=\"bold\">",
            WIDTH, height, left);
    case_print_escaped(file, title);
    fputs("</text>\n", file);
}

/* ---- the pool over calls ---- */

/* The step that is kept of on the side with the defect, by its place; -1: none. */
static int leaking_step(const struct case_result *result)
{
    struct json_object *kept = catalogue_member(result->a_case, "oracle.defect.kept"), *entry;

    for (size_t i = 0; kept != NULL && i < result->sides[0].step_count; i++) {
        if (json_object_object_get_ex(kept, result->sides[0].steps[i].id, &entry) &&
            result->sides[0].steps[i].sample_count > 1)
            return (int)i;
    }
    return -1;
}

static double growth(const struct case_step *step, size_t i)
{
    return (double)step->samples[i].paged_bytes - (double)step->samples[0].paged_bytes;
}

static void print_line(FILE *file, const struct case_side *side, const struct case_step *step, double calls, double top)
{
    fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" points=\"", colour_of(side));
    for (size_t i = 0; i < step->sample_count; i++)
        fprintf(file, "%.1f,%.1f ", LEFT + (double)step->samples[i].calls / calls * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - growth(step, i) / top * (HEIGHT - TOP - BOTTOM));
    fputs("\"/>\n", file);
}

static void print_axes(FILE *file, double calls, double top)
{
    const char *unit = top >= 1 << 20 ? "MB" : "KB";
    double scale = top >= 1 << 20 ? 1 << 20 : 1 << 10;

    for (int i = 0; i <= 4; i++) {
        double x = LEFT + i * (WIDTH - LEFT - RIGHT) / 4.0, y = HEIGHT - BOTTOM - i * (HEIGHT - TOP - BOTTOM) / 4.0;
        fprintf(file,
                "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>"
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
                LEFT, y, WIDTH - RIGHT, LEFT - 6, y + 4, top * i / 4 / scale, x, HEIGHT - BOTTOM + 16, calls * i / 4);
    }
    fprintf(file,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">calls</text><text x=\"14\" y=\"%d\" "
            "transform=\"rotate(-90 14 %d)\" text-anchor=\"middle\">%s</text>\n",
            (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 6, (HEIGHT - BOTTOM + TOP) / 2, (HEIGHT - BOTTOM + TOP) / 2, unit);
}

static void print_key(FILE *file, const struct case_result *result)
{
    int x = WIDTH - RIGHT;

    for (size_t i = result->side_count; i-- > 0;) {
        fprintf(file, "<text x=\"%d\" y=\"18\" text-anchor=\"end\" fill=\"%s\">", x, colour_of(&result->sides[i]));
        case_print_escaped(file, result->sides[i].build);
        fputs("</text>\n", file);
        x -= 9 * (int)strlen(result->sides[i].build);
    }
}

static void pool_picture(FILE *file, const struct case_result *result, int index)
{
    double calls = (double)result->sides[0].steps[index].times, top = 1024;
    char title[128];

    for (size_t i = 0; i < result->side_count; i++) {
        const struct case_step *step = &result->sides[i].steps[index];
        if (step->sample_count > 0)
            top = fmax(top, growth(step, step->sample_count - 1));
    }
    snprintf(title, sizeof(title), "Paged pool beyond the first call, \"%s\"", result->sides[0].steps[index].id);
    begin(file, HEIGHT, LEFT, title);
    print_axes(file, calls, top);
    for (size_t i = 0; i < result->side_count; i++)
        print_line(file, &result->sides[i], &result->sides[i].steps[index], calls, top);
    print_key(file, result);
    fputs("</svg>\n", file);
}

/* ---- virtual time ---- */

static bool is_timed(const struct case_result *result, const char *id)
{
    struct json_object *entry, *seconds = catalogue_member(result->a_case, "oracle.defect.seconds");

    return seconds != NULL && id[0] != '\0' && json_object_object_get_ex(seconds, id, &entry);
}

static double longest(const struct case_result *result, size_t *rows)
{
    double most = 0;

    *rows = 0;
    for (size_t i = 0; i < result->side_count; i++) {
        for (size_t j = 0; j < result->sides[i].step_count; j++) {
            if (!is_timed(result, result->sides[i].steps[j].id))
                continue;
            most = fmax(most, result->sides[i].steps[j].seconds);
            ++*rows;
        }
    }
    return most;
}

static void time_picture(FILE *file, const struct case_result *result, double most, size_t rows)
{
    int y = TOP, height = TOP + (int)rows * 30 + BOTTOM;

    begin(file, height, TIME_LEFT, "Seconds of the machine's clock, divided by the connections tried");
    for (size_t i = 0; i < result->side_count; i++) {
        for (size_t j = 0; j < result->sides[i].step_count; j++) {
            const struct case_step *step = &result->sides[i].steps[j];
            double width = step->seconds / most * (WIDTH - TIME_LEFT - RIGHT - 130);
            if (!is_timed(result, step->id))
                continue;
            fprintf(file,
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" "
                    "height=\"20\" fill=\"%s\"/>",
                    TIME_LEFT - 6, y + 15, result->sides[i].build, TIME_LEFT, y, fmax(width, 1),
                    colour_of(&result->sides[i]));
            for (int64_t k = 1; k < step->connects && step->connects <= 200; k++)
                fprintf(file, "<path d=\"M%.1f %dv20\" stroke=\"#fff\"/>",
                        TIME_LEFT + width * (double)k / (double)step->connects, y);
            fprintf(file, "<text x=\"%.1f\" y=\"%d\">%.4g s, %" PRId64 " connection%s</text>\n",
                    TIME_LEFT + fmax(width, 1) + 6, y + 15, step->seconds, step->connects,
                    step->connects == 1 ? "" : "s");
            y += 30;
        }
    }
    fputs("</svg>\n", file);
}

void case_picture(FILE *file, const struct case_result *result)
{
    size_t rows;
    double most = longest(result, &rows);
    int leaking = leaking_step(result);

    if (leaking >= 0)
        pool_picture(file, result, leaking);
    if (most > 0)
        time_picture(file, result, most, rows);
}
