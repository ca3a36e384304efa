/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.h - puts our replacements in front of ntdll's service stubs, in this process only.
 *
 * In the stubs themselves and not in import tables: ntdll calls its own services (SetCurrentDirectory,
 * LoadLibrary), and programs look them up at run time.
 */
#ifndef RDRLAB_HOOK_H
#define RDRLAB_HOOK_H

#include "services.h"

#define HOOK_STUB_SIZE 32

/*
 * hook_verify_stub - whether these bytes are the x86_64 service stub of Wine 8.0 to 10.0. It is position
 * independent, so a copy of it is a trampoline; that is all the disassembling there is.
 *   stub     in. HOOK_STUB_SIZE bytes.
 */
bool hook_verify_stub(const unsigned char *stub);

/*
 * hook_resolve - fills `wine` with ntdll's exports. Before anything else here.
 *   Returns  false if a service that is not optional is missing; reported.
 */
bool hook_resolve(void);

enum hook_result { HOOK_DONE, HOOK_REFUSED, HOOK_OTHER_COPY };

/*
 * hook_install - verifies every stub, and only then changes the first one.
 *   ret_other  out, with HOOK_OTHER_COPY: the module that stands there already and is a copy of this one.
 *   Returns    HOOK_REFUSED after a report naming the service, the bytes found and the Wine version; nothing has
 *              been changed then.
 */
enum hook_result hook_install(HMODULE *ret_other);

/*
 * hook_stub - the same for one stub of another module's, which may come later than ntdll.
 *   ret_original  out: what calls it, before anybody gets to the replacement. Not changed on failure.
 *   Returns       false: it is no such stub (hook_verify_stub), or cannot be changed; nothing has been.
 */
bool hook_stub(void *stub, void *replacement, void **ret_original);

/*
 * hook_replace - has a function of another module's, of at least 16 bytes, be ours from now on; nothing of it is called
 * any more. Does nothing if that is so already.
 */
void hook_replace(void *function, void *replacement);

#endif
