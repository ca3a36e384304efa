/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared regions, and the bus error that a client can cause in them. */
#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

#define PLACES      (2 * HOST_PEERS_MAX)
#define NO_PLACE    PLACES
#define REGION_SIZE sizeof(struct wire_region)

/* Read by the signal handler, hence no lock. base is 0 for a free place, 1 for one that is being filled. */
static struct {
    atomic_uintptr_t base;
    atomic_bool broken;
} places[PLACES];

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr, base;
    int saved = errno;

    for (unsigned i = 0; i < PLACES; i++) {
        base = atomic_load(&places[i].base);
        if (base <= 1 || address - base >= REGION_SIZE)
            continue;
        atomic_store(&places[i].broken, true);
        if (syscall(SYS_mmap, base, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                    0) != -1) {
            errno = saved;
            return;
        }
    }
    signal(number, SIG_DFL); /* not ours: happens again on return, and ends the process */
}

void region_prepare_process(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigaction(SIGBUS, &action, NULL);
}

static bool take_place(struct region *region)
{
    for (unsigned i = 0; i < PLACES; i++) {
        uintptr_t none = 0;
        if (atomic_compare_exchange_strong(&places[i].base, &none, 1)) {
            atomic_store(&places[i].broken, false);
            region->place = i;
            return true;
        }
    }
    errno = EUSERS;
    return false;
}

static bool map(struct region *region)
{
    region->place = NO_PLACE;
    region->map = NULL;
    if (region->fd < 0)
        return false;
    if (ftruncate(region->fd, REGION_SIZE) == 0 && take_place(region)) {
        void *address = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
        region->map = address == MAP_FAILED ? NULL : address;
    }
    if (!region->map) {
        int error = errno;
        region_destroy(region);
        errno = error;
        return false;
    }
    atomic_store(&places[region->place].base, (uintptr_t)region->map);
    region->map->magic = WIRE_MAGIC;
    region->map->version = WIRE_VERSION;
    region->map->slot_count = WIRE_SLOT_COUNT;
    return true;
}

bool region_create(struct region *region)
{
    region->fd = memfd_create("rdrlab-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (!map(region))
        return false;
    if (fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        int error = errno;
        region_destroy(region);
        errno = error;
        return false;
    }
    return true;
}

bool region_create_file(struct region *region, int folder, const char *name)
{
    region->fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return map(region);
}

void region_destroy(struct region *region)
{
    if (region->map)
        munmap(region->map, REGION_SIZE);
    if (region->place != NO_PLACE)
        atomic_store(&places[region->place].base, 0);
    if (region->fd >= 0)
        close(region->fd);
    *region = (struct region){.fd = -1, .place = NO_PLACE};
}

bool region_broken(const struct region *region)
{
    return region->place != NO_PLACE && atomic_load(&places[region->place].broken);
}
