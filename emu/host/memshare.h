/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memshare.h - what --backend mem serves: \\mem\lab with probe.txt and the folder dir. */
#ifndef RDRLAB_HOST_MEMSHARE_H
#define RDRLAB_HOST_MEMSHARE_H

struct smb_backend;

/* With user NULL any credentials will do. NULL: out of memory. Owned by the caller: smb_backend_free. */
struct smb_backend *memshare_backend(const char *user, const char *password);

#endif
