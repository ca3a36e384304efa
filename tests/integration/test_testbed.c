/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test_testbed.c - the script that brings everything: which packages it finds missing, which programs it finds too old,
 * and that installing packages starts and enables no service. With fake programs in PATH and a folder that plays the
 * part of /, so that it needs no root and changes nothing.
 */
#include "command.h"
#include "files.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TESTBED SOURCE_ROOT "/testbed"
#define INSTALL SOURCE_ROOT "/.ci/install-packages"

static struct command command;

struct world {
    char root[64]; /* plays the part of / for install-packages; bin/ stands first in PATH */
    char path[128], sysroot[96], build[96], release[112];
    const char *environment[8];
};

static void put(const struct world *world, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    assert_int_equal(file_write(path, text), 0);
    if (strncmp(name, "bin/", 4) == 0)
        chmod(path, 0755);
}

static void make_dir(const struct world *world, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    for (char *slash = path + strlen(world->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static bool exists(const struct world *world, const char *name)
{
    struct stat info;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    return lstat(path, &info) == 0;
}

static void link_to(const struct world *world, const char *target, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    assert_int_equal(symlink(target, path), 0);
}

/* Every package but those named is installed. */
static void put_packages(const struct world *world, const char *missing)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "#!/bin/sh\nshift 2\nfor p; do case \" %s \" in *\" $p \"*) ;; *) echo \"ii  $p\" ;; esac; done\n",
             missing);
    put(world, "bin/dpkg-query", text);
}

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    make_folder(world->root);
    make_dir(world, "bin");
    make_dir(world, "usr/sbin");
    make_dir(world, "etc/systemd/system/multi-user.target.wants");
    make_dir(world, "etc/rc2.d");
    snprintf(world->path, sizeof(world->path), "PATH=%s/bin:/usr/bin:/bin", world->root);
    snprintf(world->sysroot, sizeof(world->sysroot), "RDRLAB_SYSROOT=%s", world->root);
    snprintf(world->build, sizeof(world->build), "RDRLAB_BUILD_DIR=%s/build", world->root);
    snprintf(world->release, sizeof(world->release), "RDRLAB_OS_RELEASE=%s/os-release", world->root);
    world->environment[0] = world->path;
    world->environment[1] = world->sysroot;
    world->environment[2] = world->build;
    world->environment[3] = world->release;
    put(world, "os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n");
    put_packages(world, "");
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    tree_remove(world->root);
    free(world);
    return 0;
}

static void testbed(const struct world *world, const char *first, const char *second)
{
    const char *argv[] = {TESTBED, first, second, NULL};

    run_command(&command, argv, world->environment, 60);
}

/* ---- what is missing ---- */

static void test_no_install_lists_what_is_missing_and_touches_nothing(void **state)
{
    struct world *world = *state;

    put_packages(world, "meson libwine-dev wine64");
    testbed(world, "repro", "--no-install");
    assert_int_equal(command.status, 2);
    assert_string_equal(command.out, "meson\nlibwine-dev\nwine64\n");
    assert_string_equal(command.err, "");
    assert_false(exists(world, "build"));
}

static void test_no_install_with_nothing_missing_is_success(void **state)
{
    struct world *world = *state;

    testbed(world, "check", "--no-install");
    assert_int_equal(command.status, 0);
    assert_string_equal(command.out, "no package is missing\n");
    assert_false(exists(world, "build"));
}

static void test_each_distribution_has_its_list(void **state)
{
    static const struct {
        const char *release;
        int status;
        const char *says; /* on standard error */
    } rows[] = {
        {"ID=debian\nVERSION_ID=12\n", 0, ""},
        {"ID=debian\nVERSION_ID=\"13\"\n", 0, ""},
        {"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n", 0, ""},
        {"ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nPRETTY_NAME=Mint\n", 0, "Mint is not among the tried systems"},
        {"ID=debian\nPRETTY_NAME=Sid\n", 0, "Sid is not among the tried systems"},
        {"ID=fedora\nPRETTY_NAME=Fedora\n", 3, "Fedora is not supported: Debian 12, Debian 13 and Ubuntu 24.04 are"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put(world, "os-release", rows[i].release);
        testbed(world, "--no-install", NULL);
        if (command.status != rows[i].status || strstr(command.err, rows[i].says) == NULL ||
            (rows[i].says[0] == '\0' && command.err[0] != '\0'))
            fail_msg("row %zu: status %d, %s", i, command.status, command.err);
    }
}

static void test_without_root_and_sudo_it_says_what_is_missing(void **state)
{
    struct world *world = *state;

    put_packages(world, "meson");
    put(world, "bin/id", "#!/bin/sh\n[ \"$1\" = -u ] && echo 1000 || echo tester\n");
    put(world, "bin/sudo", "#!/bin/sh\nexit 1\n"); /* wants a password, and there is no terminal */
    testbed(world, "setup", NULL);
    assert_int_equal(command.status, 3);
    assert_non_null(strstr(command.err, "sudo wants a password, which needs a terminal: meson"));
}

static void test_wrong_usage_is_one_line(void **state)
{
    struct world *world = *state;

    testbed(world, "fly", NULL);
    assert_int_equal(command.status, 2);
    assert_string_equal(command.err, "testbed: no command \"fly\"; there are repro, check, run, setup, packages, clean "
                                     "and help\n");
    testbed(world, "setup", "now");
    assert_int_equal(command.status, 2);
    testbed(world, "help", NULL);
    assert_int_equal(command.status, 0);
    assert_non_null(strstr(command.out, "usage: testbed COMMAND"));
}

static void test_wine_that_is_too_old_is_refused_by_its_version(void **state)
{
    static const struct {
        const char *wine;
        const char *says;
    } rows[] = {
        {"echo wine-6.0.3 '(Debian 6.0.3~repack-1)'",
         "/bin/wine is wine-6.0.3 (Debian 6.0.3~repack-1); Wine 8.0 or newer"},
        {"echo wine-7.22", "Wine 8.0 or newer is needed"},
        {"echo nonsense", "Wine 8.0 or newer is needed"},
        {"exit 1", "Wine does not run"},
    };
    struct world *world = *state;
    char script[256];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", rows[i].wine);
        put(world, "bin/wine", script);
        testbed(world, "setup", NULL);
        if (command.status != 3 || strstr(command.err, rows[i].says) == NULL)
            fail_msg("row %zu: status %d, %s", i, command.status, command.err);
        assert_false(exists(world, "build/native"));
    }
}

static void test_old_wine_among_the_packages_is_refused_before_anything_is_installed(void **state)
{
    static const struct {
        const char *policy; /* what apt-cache says */
        const char *says;
    } rows[] = {
        {"echo '  Candidate: 6.0.3~repack-1'", "the Wine of this system's packages is 6.0.3; Wine 8.0 or newer"},
        {"echo '  Candidate: 1:5.0-3ubuntu1'", "the Wine of this system's packages is 5.0; Wine 8.0 or newer"},
        {"echo '  Candidate: 8.0~repack-4'", "apt-get was asked"},
        {"echo '  Candidate: (none)'", "apt-get was asked"},
        {"exit 100", "apt-get was asked"},
    };
    struct world *world = *state;
    char script[256];

    put_packages(world, "wine wine64");
    put(world, "bin/id", "#!/bin/sh\necho 0\n");
    put(world, "bin/apt-get", "#!/bin/sh\necho apt-get was asked >&2\nexit 100\n");
    put(world, "bin/dpkg", "#!/bin/sh\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(script, sizeof(script), "#!/bin/sh\n%s\n", rows[i].policy);
        put(world, "bin/apt-cache", script);
        testbed(world, "setup", NULL);
        if (command.status != 3 || strstr(command.err, rows[i].says) == NULL)
            fail_msg("row %zu: status %d, %s", i, command.status, command.err);
    }
}

static void test_without_wine_nothing_of_it_is_wanted(void **state)
{
    struct world *world = *state;
    const char *repro[] = {TESTBED, "repro", "--no-wine", NULL};

    put_packages(world, "wine wine64 gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-i686-win32 meson");
    testbed(world, "--no-install", "--no-wine");
    assert_int_equal(command.status, 2);
    assert_string_equal(command.out, "meson\n");
    run_command(&command, repro, world->environment, 60);
    assert_int_equal(command.status, 2);
    assert_string_equal(command.err, "testbed: repro needs Wine\n");
}

/* ---- installing without starting anything ---- */

/* What a package with a service does: asks policy-rc.d before it starts, and enables itself. */
static const char apt_get[] =
    "#!/bin/sh\n"
    "case \"$*\" in *' -s '* | *' update'*) exit 0 ;; esac\n"
    "[ ! -e \"$RDRLAB_SYSROOT/apt-fails\" ] || exit 100\n"
    "r=$RDRLAB_SYSROOT/etc\n"
    "\"$RDRLAB_SYSROOT/usr/sbin/policy-rc.d\" smbd start; echo $? >\"$RDRLAB_SYSROOT/policy\"\n"
    "readlink $r/systemd/system/smbd.service >\"$RDRLAB_SYSROOT/masked\"\n"
    "ln -s /lib/systemd/system/smbd.service $r/systemd/system/multi-user.target.wants/smbd.service\n"
    "mkdir -p $r/systemd/system/new.target.wants\n"
    "ln -s /lib/systemd/system/nmbd.service $r/systemd/system/new.target.wants/nmbd.service\n"
    "ln -s ../init.d/smbd $r/rc2.d/S01smbd\n"
    "if [ -e \"$RDRLAB_SYSROOT/apt-waits\" ]; then echo waiting; exec sleep 60; fi\n";

static void install(const struct world *world)
{
    const char *argv[] = {INSTALL, "samba", NULL};

    run_command(&command, argv, world->environment, 60);
}

static void prepare_install(const struct world *world)
{
    put(world, "bin/apt-get", apt_get);
    put(world, "bin/dpkg", "#!/bin/sh\n");
    /* what was there before: a service of the user's own */
    link_to(world, "/lib/systemd/system/cron.service", "etc/systemd/system/multi-user.target.wants/cron.service");
    link_to(world, "../init.d/cron", "etc/rc2.d/S01cron");
}

static void check_nothing_is_left(const struct world *world)
{
    assert_false(exists(world, "etc/systemd/system/smbd.service"));
    assert_false(exists(world, "etc/systemd/system/nmbd.service"));
    assert_false(exists(world, "etc/systemd/system/multi-user.target.wants/smbd.service"));
    assert_false(exists(world, "etc/systemd/system/new.target.wants/nmbd.service"));
    assert_false(exists(world, "etc/rc2.d/S01smbd"));
    assert_false(exists(world, "run/rdrlab-install"));
    assert_false(exists(world, "usr/sbin/policy-rc.d.before-rdrlab"));
    assert_true(exists(world, "etc/systemd/system/multi-user.target.wants/cron.service"));
    assert_true(exists(world, "etc/rc2.d/S01cron"));
}

static void check_file(const struct world *world, const char *name, const char *expected)
{
    char path[256], text[256];

    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    file_last_line(path, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_installing_starts_and_enables_no_service(void **state)
{
    struct world *world = *state;

    prepare_install(world);
    install(world);
    assert_int_equal(command.status, 0);
    check_file(world, "policy", "101");
    check_file(world, "masked", "/dev/null");
    check_nothing_is_left(world);
    assert_false(exists(world, "usr/sbin/policy-rc.d"));
    assert_true(exists(world, "etc/rc2.d/K01smbd"));
}

static void test_policy_and_masks_of_others_are_put_back(void **state)
{
    struct world *world = *state;

    prepare_install(world);
    put(world, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 42\n");
    link_to(world, "/dev/null", "etc/systemd/system/winbind.service");
    install(world);
    assert_int_equal(command.status, 0);
    check_file(world, "policy", "101");
    check_nothing_is_left(world);
    check_file(world, "usr/sbin/policy-rc.d", "exit 42");
    assert_true(exists(world, "etc/systemd/system/winbind.service"));
}

static void test_service_that_was_installed_before_is_not_masked(void **state)
{
    struct world *world = *state;

    prepare_install(world);
    make_dir(world, "lib/systemd/system");
    put(world, "lib/systemd/system/smbd.service", "[Unit]\n");
    install(world);
    assert_int_equal(command.status, 0);
    check_file(world, "masked", "");
    check_nothing_is_left(world);
}

static void test_failed_installation_leaves_no_guard(void **state)
{
    struct world *world = *state;

    prepare_install(world);
    put(world, "apt-fails", "");
    install(world);
    assert_int_equal(command.status, 100);
    check_nothing_is_left(world);
    assert_false(exists(world, "usr/sbin/policy-rc.d"));
}

static void test_interrupted_installation_leaves_no_guard(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    struct world *world = *state;

    prepare_install(world);
    put(world, "apt-waits", "");
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        const char *argv[] = {INSTALL, "samba", NULL};
        FILE *out = tmpfile(), *err = tmpfile();
        char text[64] = "";
        pid_t pid;

        assert_true(out != NULL && err != NULL);
        pid = start_command(argv, world->environment, fileno(out), fileno(err));
        for (int wait = 0; wait < 2000 && strstr(text, "waiting") == NULL; wait++) {
            usleep(10000);
            text[pread(fileno(out), text, sizeof(text) - 1, 0)] = '\0';
        }
        assert_non_null(strstr(text, "waiting"));
        kill(-pid, signals[i]); /* as a terminal does: its group */
        finish_command(&command, pid, fileno(out), fileno(err), 30);
        fclose(out);
        fclose(err);
        if (command.status == 0)
            fail_msg("row %zu: status 0", i);
        check_nothing_is_left(world);
        assert_false(exists(world, "usr/sbin/policy-rc.d"));
        unlink("etc/rc2.d/K01smbd");
    }
}

static void test_guards_of_a_killed_run_are_taken_away_by_the_next(void **state)
{
    struct world *world = *state;
    const char *argv[] = {INSTALL, "samba", NULL};
    FILE *out = tmpfile(), *err = tmpfile();
    char text[64] = "";
    pid_t pid;

    prepare_install(world);
    put(world, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 42\n");
    put(world, "apt-waits", "");
    assert_true(out != NULL && err != NULL);
    pid = start_command(argv, world->environment, fileno(out), fileno(err));
    for (int wait = 0; wait < 2000 && strstr(text, "waiting") == NULL; wait++) {
        usleep(10000);
        text[pread(fileno(out), text, sizeof(text) - 1, 0)] = '\0';
    }
    kill(-pid, SIGKILL);
    finish_command(&command, pid, fileno(out), fileno(err), 30);
    fclose(out);
    fclose(err);
    assert_true(exists(world, "run/rdrlab-install"));
    assert_true(exists(world, "etc/systemd/system/smbd.service"));
    assert_int_equal(command.status, 128 + SIGKILL);

    put(world, "bin/apt-get", "#!/bin/sh\n");
    install(world);
    assert_int_equal(command.status, 0);
    check_nothing_is_left(world);
    check_file(world, "usr/sbin/policy-rc.d", "exit 42");
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(test_no_install_lists_what_is_missing_and_touches_nothing),
        IN_A_WORLD(test_no_install_with_nothing_missing_is_success),
        IN_A_WORLD(test_each_distribution_has_its_list),
        IN_A_WORLD(test_without_root_and_sudo_it_says_what_is_missing),
        IN_A_WORLD(test_wrong_usage_is_one_line),
        IN_A_WORLD(test_wine_that_is_too_old_is_refused_by_its_version),
        IN_A_WORLD(test_old_wine_among_the_packages_is_refused_before_anything_is_installed),
        IN_A_WORLD(test_without_wine_nothing_of_it_is_wanted),
        IN_A_WORLD(test_installing_starts_and_enables_no_service),
        IN_A_WORLD(test_policy_and_masks_of_others_are_put_back),
        IN_A_WORLD(test_service_that_was_installed_before_is_not_masked),
        IN_A_WORLD(test_failed_installation_leaves_no_guard),
        IN_A_WORLD(test_interrupted_installation_leaves_no_guard),
        IN_A_WORLD(test_guards_of_a_killed_run_are_taken_away_by_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
