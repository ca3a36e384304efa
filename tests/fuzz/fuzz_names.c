/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The redirector's names. Input: a byte whose lowest bit is FILE_NON_DIRECTORY_FILE, and the name. */
#include "fuzz.h"

#include <string.h>

#include "rdr/rdr.h"

static void require_within(const UNICODE_STRING *part, const UNICODE_STRING *whole)
{
    if (part->Length == 0)
        return;
    fuzz_require(part->Buffer >= whole->Buffer);
    fuzz_require(part->Buffer + part->Length / sizeof(WCHAR) <= whole->Buffer + whole->Length / sizeof(WCHAR));
}

/* What rdr.h promises of a path that is passed on to a server. */
static void require_good_path(const UNICODE_STRING *path)
{
    ULONG length = path->Length / sizeof(WCHAR), component = 0;

    for (ULONG i = 0; i <= length && length != 0; i++) {
        WCHAR c = i < length ? path->Buffer[i] : '\\';
        if (c == '\\') {
            fuzz_require(component > 0 && component <= 255);
            component = 0;
            continue;
        }
        fuzz_require(c >= 32 && (c >= 128 || strchr("\"*/<>?|", (char)c) == NULL));
        component++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ULONG options = fuzz_byte(&data, &size) & 1 ? FILE_NON_DIRECTORY_FILE : 0;
    UNICODE_STRING full = fuzz_string(&data, &size, size), first, rest = full;
    RDR_NAME name;

    if (NT_SUCCESS(RdrParseName(&full, options, &name))) {
        fuzz_require(name.Letter == 0 || (name.Letter >= 'A' && name.Letter <= 'Z'));
        fuzz_require(name.Server.Length != 0 && name.Share.Length != 0);
        fuzz_require(!(options && name.TrailingBackslash));
        require_within(&name.Server, &full);
        require_within(&name.Share, &full);
        require_within(&name.Path, &full);
        require_good_path(&name.Path);
    }
    while (rest.Length != 0) {
        USHORT before = rest.Length;
        FsRtlDissectName(rest, &first, &rest);
        require_within(&first, &full);
        require_within(&rest, &full);
        fuzz_require(rest.Length < before);
    }
    free(full.Buffer);
    return 0;
}
