/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of a reply, for whoever gives one. */
#include "service.h"

#include <string.h>

size_t service_reply_header(unsigned char *reply, uint16_t op, NTSTATUS status, size_t body)
{
    struct wire_header header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .op = op};

    header.length = (uint32_t)(sizeof(header) + body);
    header.status = (uint32_t)status;
    memcpy(reply, &header, sizeof(header));
    return header.length;
}
