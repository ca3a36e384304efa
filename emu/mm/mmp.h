/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mmp.h - memory management's own. */
#ifndef NTEMU_MM_MMP_H
#define NTEMU_MM_MMP_H

#include "ob/obp.h"

#define MMP_TAG_SECTION POOL_TAG('S', 'e', 'c', 't')
#define MMP_TAG_CONTROL POOL_TAG('M', 'm', 'C', 'a')

extern OBJECT_TYPE MmpSectionType;

/* At boot, before anybody can make a section. */
void MmpInitializeSections(void);

#endif
