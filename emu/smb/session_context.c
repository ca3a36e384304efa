/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * session_context.c - a context of libsmbclient's with a session's settings.
 */
#include "session_private.h"

#include <dlfcn.h>
#include <stdio.h>

static void on_log(void *context, int level, const char *message)
{
    (void)level;
    smb_log_read(context, message);
}

static void on_auth(SMBCCTX *context, const char *server, const char *share, char *domain, int domain_size, char *user,
                    int user_size, char *password, int password_size)
{
    const struct session *session = smbc_getOptionUserData(context);

    (void)server;
    (void)share;
    if (session->hello.domain[0] != '\0')
        snprintf(domain, (size_t)domain_size, "%s", session->hello.domain);
    snprintf(user, (size_t)user_size, "%s", session->hello.user);
    snprintf(password, (size_t)password_size, "%s", session->hello.password);
}

/*
 * libsmbclient makes an event context for every call, which with epoll is six system calls more than with poll, a
 * tenth of an open. tevent's public way to choose is not among libsmbclient's headers, but is there, as it needs
 * tevent.
 */
static void choose_poll(void)
{
    void (*set_default_backend)(const char *name) =
        (void (*)(const char *))dlsym(RTLD_DEFAULT, "tevent_set_default_backend");

    if (set_default_backend != NULL)
        set_default_backend("poll");
}

SMBCCTX *session_new_context(struct session *session)
{
    const struct ring_hello *hello = &session->hello;
    SMBCCTX *context;

    choose_poll();
    context = smbc_new_context();
    if (context == NULL)
        return NULL;
    smbc_setOptionUserData(context, session);
    smbc_setLogCallback(context, &session->log, on_log);
    smbc_setOptionDebugToStderr(context, 0);
    smbc_setDebug(context, SMB_LOG_LEVEL_CALLS);
    smbc_setFunctionAuthDataWithContext(context, on_auth);
    smbc_setUser(context, hello->user);
    if (hello->domain[0] != '\0')
        smbc_setWorkgroup(context, hello->domain);
    smbc_setTimeout(context, (int)hello->timeout_ms);
    smbc_setOptionUseKerberos(context, 0);
    smbc_setOptionFullTimeNames(context, 1);
    /* Otherwise a wrong password would be tried again as nobody, and succeed on a guest share. */
    smbc_setOptionNoAutoAnonymousLogin(context, hello->user[0] != '\0');
    if (smbc_setOptionProtocols(context, hello->dialect[0] != '\0' ? hello->dialect : "NT1",
                                hello->dialect[0] != '\0' ? hello->dialect : "SMB3_11") &&
        smbc_init_context(context) != NULL)
        return context;
    smbc_free_context(context, 1);
    return NULL;
}
