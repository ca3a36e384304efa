/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - a client of either server. See client.h. */
#include "client.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

void client_connect(struct client *client, const struct smb_fixture *fixture, const char *share)
{
    struct smb_target target = fixture->target;
    struct nt_client_target direct = {.port = target.port,
                                      .share = share,
                                      .user = target.user,
                                      .password = target.password,
                                      .dialect = target.dialect};

    memset(client, 0, sizeof *client);
    target.share = share;
    if (fixture->mem)
        assert_int_equal(smb_connect(fixture->mem, &target, &client->mem), STATUS_SUCCESS);
    else
        assert_int_equal(nt_client_connect(&direct, &client->smbd), STATUS_SUCCESS);
}

void client_disconnect(struct client *client)
{
    smb_disconnect(client->mem);
    nt_client_disconnect(client->smbd);
    memset(client, 0, sizeof *client);
}

static NTSTATUS create_in_memory(struct client *client, const UNICODE_STRING *path, const struct nt_create *create,
                                 struct client_file *file)
{
    struct smb_request request = {.op = SMB_CREATE, .path = *path}, query = {.op = SMB_QUERY_FILE};
    NTSTATUS status;

    request.in.create.access = create->access;
    request.in.create.share_access = create->share;
    request.in.create.disposition = create->disposition;
    request.in.create.options = create->options;
    request.in.create.attributes = create->attributes;
    status = smb_perform(client->mem, &request);
    if (!NT_SUCCESS(status))
        return status;
    query.file = file->mem = request.out.create.file;
    file->action = request.out.create.action;
    assert_int_equal(smb_perform(client->mem, &query), STATUS_SUCCESS);
    file->attributes = query.out.info.attributes;
    file->size = query.out.info.end_of_file;
    return status;
}

NTSTATUS client_create(struct client *client, const UNICODE_STRING *path, const struct nt_create *create,
                       struct client_file *file)
{
    struct nt_opened opened;
    NTSTATUS status;

    if (client->mem)
        return create_in_memory(client, path, create, file);
    status = nt_client_create(client->smbd, path, create, &opened);
    if (NT_SUCCESS(status)) {
        file->smbd = opened.file;
        file->action = opened.action;
        file->attributes = opened.attributes;
        file->size = opened.end_of_file;
    }
    return status;
}

void client_close(struct client *client, const struct client_file *file)
{
    if (client->mem)
        smb_do_close(client->mem, file->mem);
    else
        nt_client_close(client->smbd, &file->smbd);
}

NTSTATUS client_delete(struct client *client, const struct client_file *file, const UNICODE_STRING *path)
{
    struct smb_request request = {.op = SMB_DELETE, .path = *path};

    if (!client->mem)
        return nt_client_set_disposition(client->smbd, &file->smbd, TRUE);
    request.in.remove.directory = (file->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    return smb_perform(client->mem, &request);
}
