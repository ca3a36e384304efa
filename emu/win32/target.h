/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * target.h - whether a service call by name is the machine's, and the call's name as the machine takes it.
 */
#ifndef RDRLAB_TARGET_H
#define RDRLAB_TARGET_H

#include "client.h"
#include "services.h"

struct target {
    uint64_t root_token; /* of RootDirectory; 0: an absolute name */
    ULONG object_flags;
    UNICODE_STRING name; /* Buffer is the program's memory: guarded_copy */
};

/*
 * target_redirected - reads OBJECT_ATTRIBUTES.
 *   Returns  true for \??\X:... with X: redirected, for \??\UNC\..., and for names relative to a redirected directory.
 *            False for all others, broken ones included: they are Wine's to judge.
 *
 * Every UNC name is the machine's, as every one is its redirector's on NT: what is wrong with server or share is then
 * said by who connects, and not by Wine, which looks for a folder of that name. \??\UNC\ with nothing behind it, pipes
 * (\??\PIPE\...) and Linux paths (\??\unix\...) stay Wine's.
 */
bool target_redirected(const OBJECT_ATTRIBUTES *attributes, struct target *ret_target);

/* target_name_redirected - the same for an absolute name alone, in the program's memory. */
bool target_name_redirected(const WCHAR *name, size_t bytes);

/*
 * target_copy_name - puts the name behind a request's fixed part.
 *   Returns  STATUS_SUCCESS, STATUS_ACCESS_VIOLATION, STATUS_NAME_TOO_LONG.
 */
NTSTATUS target_copy_name(const struct target *target, unsigned char *to);

#endif
