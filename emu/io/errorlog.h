/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef NTEMU_IO_ERRORLOG_H
#define NTEMU_IO_ERRORLOG_H

/* A new machine begins with an empty log. */
void IopClearEventLog(void);

#endif
