/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* together.c - a meeting is a number; who has come has a file of that number and its name. See together.h. */
#include "together.h"
#include "files.h"
#include "process.h"
#include "rdrlab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longer than any step takes that lies between two meetings. */
#define MEETING_MS 120000
#define LOOK_MS    20

#define SAID_MAX 4096

static unsigned meeting; /* scandir's filter takes no context */

static int of_this_meeting(const struct dirent *entry)
{
    char prefix[16];

    snprintf(prefix, sizeof(prefix), "%u.", meeting);
    return strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
}

/* Under its final name once it is whole. */
static int leave_word(const struct together *together, const char *said)
{
    char path[PATH_MAX], part[PATH_MAX];
    int rc;

    snprintf(path, sizeof(path), "%s/%u.%s", together->dir, together->meetings, together->name);
    snprintf(part, sizeof(part), "%s/part.%s", together->dir, together->name);
    rc = file_write(part, said != NULL ? said : "");
    if (rc == 0 && rename(part, path) != 0)
        rc = -errno;
    return rc == 0 ? 0 : complain(EXIT_ENVIRONMENT, "%s: %s", path, strerror(-rc));
}

static void free_list(struct dirent **list, int count)
{
    for (int i = 0; i < count; i++)
        free(list[i]); // NOLINT(clang-analyzer-core.NullDereference): without a list there is no entry
    free(list);
}

static int await_all(const struct together *together, struct dirent ***ret_list)
{
    uint64_t deadline = process_now_ms() + MEETING_MS;
    struct dirent **list = NULL;
    int count;

    for (;;) {
        count = scandir(together->dir, &list, of_this_meeting, alphasort);
        if (count < 0)
            return complain(EXIT_ENVIRONMENT, "%s: %s", together->dir, strerror(errno));
        if (count == (int)together->count) {
            *ret_list = list;
            return 0;
        }
        free_list(list, count);
        if (count > (int)together->count)
            return complain(EXIT_ENVIRONMENT, "%s: %d have come, and %u were to", together->dir, count,
                            together->count);
        if (process_now_ms() >= deadline)
            return complain(EXIT_ENVIRONMENT, "%s: only %d of %u have come within %d s", together->dir, count,
                            together->count, MEETING_MS / 1000);
        if (process_pause(LOOK_MS) != 0)
            return EXIT_INTERRUPTED;
    }
}

static void hear(const struct together *together, const char *file, together_listener *listener, void *context)
{
    char path[PATH_MAX], said[SAID_MAX] = "";
    int fd;

    snprintf(path, sizeof(path), "%s/%s", together->dir, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t length = read(fd, said, sizeof(said) - 1);
        said[length > 0 ? length : 0] = '\0';
        close(fd);
    }
    listener(strchr(file, '.') + 1, said, context);
}

int together_meet(struct together *together, const char *said, together_listener *listener, void *context)
{
    struct dirent **list = NULL;
    int rc;

    if (together->dir == NULL)
        return 0;
    meeting = together->meetings;
    rc = leave_word(together, said);
    if (rc == 0)
        rc = await_all(together, &list);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < together->count && listener != NULL && list != NULL; i++)
        hear(together, list[i]->d_name, listener, context);
    free_list(list, (int)together->count);
    together->meetings++;
    return 0;
}

struct place {
    const char *own;
    unsigned next, found;
};

static void find_place(const char *name, const char *said, void *context)
{
    struct place *place = context;

    if (strcmp(name, place->own) == 0)
        place->found = place->next;
    place->next++;
}

int together_begin(struct together *together, const char *dir, unsigned count, unsigned *ret_index)
{
    struct place place = {.own = together->name};
    char host[64] = "";
    int rc;

    gethostname(host, sizeof(host) - 1);
    *together = (struct together){.dir = dir, .count = count};
    snprintf(together->name, sizeof(together->name), "%.48s.%d", host, (int)getpid());
    rc = together_meet(together, NULL, find_place, &place);
    if (rc == 0)
        *ret_index = place.found;
    return rc;
}
