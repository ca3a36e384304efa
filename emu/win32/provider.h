/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.h - whether this copy of the DLL is at work, and where it lies. Set once, in DllMain.
 */
#ifndef RDRLAB_PROVIDER_H
#define RDRLAB_PROVIDER_H

#include <stdbool.h>

#include "services.h"

/* provider_available - a machine is named and the services are hooked, by this copy. */
bool provider_available(void);

/* provider_other_copy - the copy of this DLL that hooked them earlier, NULL if none did. */
HMODULE provider_other_copy(void);

/* provider_path - this DLL's own file name. */
const WCHAR *provider_path(void);

#endif
