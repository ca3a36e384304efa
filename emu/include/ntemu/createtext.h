/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * createtext.h - parameters of a create as text, and back: the names of the WDK, without FILE_ where that is a flag's
 * own beginning ("NON_DIRECTORY_FILE|SYNCHRONOUS_IO_NONALERT"; the dispositions are "OPEN", "OVERWRITE_IF", ...).
 */
#ifndef NTEMU_CREATETEXT_H
#define NTEMU_CREATETEXT_H

#include <ntemu/nt.h>

typedef enum _EMU_CREATE_FIELD {
    EmuCreateAccess,
    EmuCreateShare,
    EmuCreateDisposition,
    EmuCreateOptions,
    EmuCreateAttributes, /* of the file */
    EmuCreateObject      /* OBJ_* of OBJECT_ATTRIBUTES */
} EMU_CREATE_FIELD;

#define EMU_CREATE_TEXT 400 /* bytes that are enough for any value, with the terminator */

/* EmuCreateText - bits without a name follow as a number; "none" for 0. Returns Text. */
const char *EmuCreateText(EMU_CREATE_FIELD Field, ULONG Value, char Text[EMU_CREATE_TEXT]);

/*
 * EmuCreateParse - the reverse, any case, with or without FILE_, and numbers as C writes them.
 *   Returns  FALSE: a part of Text is neither; *Value is as it was.
 */
BOOLEAN EmuCreateParse(EMU_CREATE_FIELD Field, const char *Text, ULONG *Value);

/* The names there are, in one line, for a message. Returns Text. */
const char *EmuCreateNames(EMU_CREATE_FIELD Field, char *Text, SIZE_T Size);

#endif
