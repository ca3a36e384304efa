/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* catalogue.h - the cases of tests/cases (README.md there), as they were when this program was built. */
#ifndef RDRLAB_CATALOGUE_H
#define RDRLAB_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;

/* NULL-terminated, by number: case.json of each, checked, with "twins" filled in and "switches" added. */
extern const char *const catalogue_texts[];

size_t catalogue_count(void);

/* The case's object, for as long as the program runs. */
struct json_object *catalogue_at(size_t index);

/* NULL: there is no such case. */
struct json_object *catalogue_find(const char *number);

/* Whether a text is an article's number, of the catalogue or not. */
bool catalogue_is_number(const char *text);

/* A member by its path, "oracle.detector"; NULL without one. Its text: "" without one. */
struct json_object *catalogue_member(struct json_object *object, const char *path);
const char *catalogue_text(struct json_object *object, const char *path);

/* "nt4-sp2..sp5 tse-sp4 tse-sp5" of the builds with the defect; "by number" if no build decides. */
void catalogue_builds(struct json_object *a_case, char *text, size_t size);

#endif
