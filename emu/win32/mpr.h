/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_MPR_H
#define RDRLAB_MPR_H

/* mpr_complete - has a loaded mpr.dll answer what it would ask its provider on Windows. Again and again: it may have
 * been unloaded and loaded anew. */
void mpr_complete(void);

#endif
