/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.h - the folders, smb.conf and password file of a private smbd. Internal to smbserver/. */
#ifndef SMBSERVER_CONFIG_H
#define SMBSERVER_CONFIG_H

#include "smbserver.h"

/* Longest state folder: smbd makes sockets such as DIR/private/msg.sock/1234567 in it, and sun_path holds 107 bytes. */
#define SMBSERVER_DIR_MAX 64

/*
 * smbserver_check_options - refuse what smb.conf or smbd could not take, in words.
 *   Returns  0, -EINVAL, or -ENOENT for a folder that does not exist; error is written on failure only.
 */
int smbserver_check_options(const struct smbserver_options *options, char *error, size_t size);

/*
 * smbserver_write_config - make the state folders, DIR/smb.conf and DIR/password (mode 0600).
 *   Returns  0 or a negative errno; error is written on failure only.
 */
int smbserver_write_config(const struct smbserver_options *options, uint16_t port, const char *user,
                           const char *password, char *error, size_t size);

#endif
