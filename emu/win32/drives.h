/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RDRLAB_DRIVES_H
#define RDRLAB_DRIVES_H

/*
 * drives_show - gives Wine's \DosDevices a link for each letter that the machine redirects, and takes away those of
 * letters that it does not any more, so that GetLogicalDrives and QueryDosDevice tell of them. Does nothing if nothing
 * has changed. From any thread.
 */
void drives_show(void);

#endif
