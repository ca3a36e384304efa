/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h - the files that rows of the table of creates are about: the tree that is always there, and what the words of
 * the column "state" say of t (README.md).
 */
#ifndef RDRLAB_TESTS_CREATE_FILES_H
#define RDRLAB_TESTS_CREATE_FILES_H

#include "client.h"

#define FILES_TEXT "twelve bytes"

/* Makes the tree; with smbd, whose share stays, after everything else is removed. Nothing may be open. */
void files_reset(struct smb_fixture *fixture);

/* Makes what a word says. FALSE: the word is about no file. Fails the test if it cannot be made. */
bool files_make(const struct smb_fixture *fixture, struct client *client, const char *word);

/* "RW/rd": the access and share access of a file that is open before. */
void files_access_and_share(const char *text, ACCESS_MASK *access, ULONG *share);

/* Whether t is what the column "then" says. */
bool files_are(struct client *client, const char *then);

#endif
