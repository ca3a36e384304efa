/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolmon_screen.c - the window. See poolmon_screen.h. */
#include "poolmon_screen.h"
#include "process.h"
#include "rdrlab.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEY_ESCAPE  27
#define LIST_AT     5   /* lines above the list */
#define WIDE        112 /* columns from which numbers have room for more digits */
#define CHANGED     COLOR_PAIR(1) | A_BOLD
#define LINE_ROOM   512
#define PAGE_KBYTES 4

enum level { LEVEL_TAGS, LEVEL_SITES, LEVEL_STACKS };

/* A list longer than the window. */
struct list {
    size_t count, selected, first;
};

struct screen {
    struct wire_client *client;
    struct pool_view view;
    struct pool_model model;
    enum level level;
    bool help, ended, interrupted;
    struct list lists[3]; /* by level */
    /* What is selected, whatever becomes of the order. */
    struct pool_row tag;       /* tag and paged count */
    struct wire_pool_key site; /* of that tag */
    const struct wire_pool_site **sites;
    struct wire_pool_stack *stacks;
    size_t stack_count;
    char error[256]; /* why the machine does not answer */
    int error_status;
    int events, signals; /* epoll, signalfd */
};

/* ---- lines ---- */

static void put(int y, attr_t attributes, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* One line of the window, as much as fits, attributes over its whole width. */
static void put(int y, attr_t attributes, const char *format, ...)
{
    char text[LINE_ROOM];
    va_list arguments;

    if (y < 0 || y >= LINES)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    move(y, 0);
    clrtoeol();
    attrset(attributes);
    if (attributes & (A_REVERSE | A_UNDERLINE))
        mvhline(y, 0, (chtype)' ' | attributes, COLS);
    mvaddnstr(y, 0, text, COLS);
    attrset(A_NORMAL);
}

static int list_height(const struct screen *screen)
{
    int totals = screen->view.show == POOL_SHOW_BOTH ? 2 : 1;
    int height = LINES - LIST_AT - 1 - (screen->view.totals && screen->level == LEVEL_TAGS ? totals : 0);

    return height > 0 ? height : 1;
}

static struct list *list_of(struct screen *screen)
{
    return &screen->lists[screen->level];
}

/* Bring the selection into the list and the list's window over the selection. */
static void list_fit(struct list *list, int height)
{
    size_t lines = (size_t)height;

    if (list->selected >= list->count)
        list->selected = list->count > 0 ? list->count - 1 : 0;
    if (list->first > list->selected)
        list->first = list->selected;
    if (list->selected - list->first >= lines)
        list->first = list->selected - lines + 1;
    if (list->first > 0 && list->first + lines > list->count)
        list->first = list->count > lines ? list->count - lines : 0;
}

static void list_move(struct list *list, long lines)
{
    if (lines < 0 && (size_t)-lines > list->selected)
        list->selected = 0;
    else
        list->selected += (size_t)lines;
    if (list->selected >= list->count)
        list->selected = list->count > 0 ? list->count - 1 : 0;
}

/* ---- what is listed ---- */

static void list_tags(struct screen *screen)
{
    struct list *list = &screen->lists[LEVEL_TAGS];

    pool_model_arrange(&screen->model, &screen->view);
    list->count = screen->model.shown_count;
    for (size_t i = 0; i < list->count; i++) {
        const struct pool_row *row = screen->model.shown[i];

        if (memcmp(row->tag, screen->tag.tag, sizeof(row->tag)) == 0 && row->paged == screen->tag.paged)
            list->selected = i;
    }
}

static void list_sites(struct screen *screen)
{
    struct list *list = &screen->lists[LEVEL_SITES];
    const struct inspection *look = &screen->model.look;

    free(screen->sites);
    screen->sites = calloc(look->site_count + 1, sizeof(const struct wire_pool_site *));
    if (screen->sites == NULL)
        abort();
    list->count = 0;
    for (size_t i = 0; i < look->site_count; i++) {
        const struct wire_pool_site *site = &look->sites[i];

        if (memcmp(site->key.tag, screen->tag.tag, sizeof(site->key.tag)) != 0 || site->key.paged != screen->tag.paged)
            continue;
        if (memcmp(&site->key, &screen->site, sizeof(site->key)) == 0)
            list->selected = list->count;
        screen->sites[list->count++] = site;
    }
}

static void list_stacks(struct screen *screen)
{
    struct list *list = &screen->lists[LEVEL_STACKS];

    free(screen->stacks);
    screen->stacks = NULL;
    screen->stack_count = 0;
    screen->error_status = inspect_stacks(screen->client, &screen->site, &screen->stacks, &screen->stack_count,
                                          screen->error, sizeof(screen->error));
    list->count = 0;
    for (size_t i = 0; i < screen->stack_count; i++) {
        if (screen->stacks[i].depth > WIRE_STACK_FRAMES)
            screen->stacks[i].depth = WIRE_STACK_FRAMES;
        list->count += 1 + screen->stacks[i].depth;
    }
}

/* The lists on the way down to where one is. */
static void list_all(struct screen *screen)
{
    list_tags(screen);
    if (screen->level >= LEVEL_SITES)
        list_sites(screen);
    if (screen->level >= LEVEL_STACKS)
        list_stacks(screen);
}

/* Another look. Afterwards error_status says whether there was one. */
static void look_again(struct screen *screen)
{
    struct inspection look;

    screen->error_status = inspect_quietly(screen->client, &look, screen->error, sizeof(screen->error));
    if (screen->error_status != 0)
        return;
    pool_model_update(&screen->model, &look);
    list_all(screen);
}

/* ---- drawing ---- */

static void draw_head(const struct screen *screen)
{
    const struct wire_machine *machine = &screen->model.look.machine;
    char line[LINE_ROOM], clock[16] = "";
    time_t now = time(NULL);
    struct tm parts;
    int room = COLS - 10;

    if (localtime_r(&now, &parts) != NULL)
        strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
    snprintf(line, sizeof(line), " %.32s  Clients: %u  Open files: %u  %.96s", machine->build, machine->clients,
             machine->open_tokens, machine->transport);
    if (room > 0 && room < LINE_ROOM)
        put(0, A_NORMAL, "%-*.*s %s", room, room, line, clock);
    for (int paged = 0; paged < 2; paged++) {
        const struct wire_pool_counts *pool = paged ? &machine->paged : &machine->nonpaged;

        put(1 + paged, A_NORMAL,
            " Pool %c:%8" PRIu64 "K Peak:%8" PRIu64 "K Limit:%8" PRIu64 "K Bytes:%10" PRIu64 " Refused:%6" PRIu64,
            paged ? 'P' : 'N', pool->pages * PAGE_KBYTES, pool->peak_pages * PAGE_KBYTES,
            pool->limit_pages * PAGE_KBYTES, pool->live_bytes, pool->failures);
    }
    if (machine->stopped != 0)
        put(3, A_REVERSE, " STOPPED by bug check 0x%08X", machine->stopped);
}

static void describe_view(const struct pool_view *view, char *text, size_t size)
{
    static const char *const shows[] = {"", "  nonpaged", "  paged"};
    static const char *const sorts[] = {"tag", "allocs", "frees", "diff", "bytes", "per alloc"};
    size_t length = (size_t)snprintf(text, size, "  by %s%s%s", sorts[view->sort], view->by_change ? ", change" : "",
                                     shows[view->show]);

    for (size_t i = 0; i < view->only_count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "  +%s", view->only[i]);
    for (size_t i = 0; i < view->never_count && length < size; i++)
        length += (size_t)snprintf(text + length, size - length, "  -%s", view->never[i]);
}

static void format_row(const struct pool_row *row, const char *tag, char *text, size_t size)
{
    const bool wide = COLS >= WIDE;
    const int number = wide ? 11 : 7, change = wide ? 7 : 4, diff = wide ? 10 : 6;
    const int bytes = wide ? 13 : 8, bytes_change = wide ? 9 : 5;
    char allocs[32], more_allocs[32], frees[32], more_frees[32], blocks[32], live[32], more[32], each[32],
        top[128] = "";

    if (row->top != NULL)
        snprintf(top, sizeof(top), "%.80s:%u", row->top->file, row->top->line);
    snprintf(text, size, "%s%-4s %-5s %*s (%*s) %*s (%*s) %*s %*s (%*s) %9s %5u%s%s", wide ? " " : "", tag,
             row->paged ? "Paged" : "Nonp", number, pool_number((int64_t)row->use.allocations, number, allocs), change,
             pool_number(row->change.allocations, change, more_allocs), number,
             pool_number((int64_t)row->use.frees, number, frees), change,
             pool_number(row->change.frees, change, more_frees), diff,
             pool_number((int64_t)row->use.live_blocks, diff, blocks), bytes,
             pool_number((int64_t)row->use.live_bytes, bytes, live), bytes_change,
             pool_number(row->change.bytes, bytes_change, more), pool_number((int64_t)pool_each(&row->use), 9, each),
             row->sites, wide ? "  " : "", wide ? top : "");
}

static void draw_tags_head(const struct screen *screen)
{
    char text[LINE_ROOM];

    describe_view(&screen->view, text, sizeof(text));
    if (screen->model.look.machine.stopped == 0)
        put(3, A_NORMAL, " System pool information%s", text);
    if (COLS >= WIDE)
        put(4, A_UNDERLINE, " %-4s %-5s %11s %9s %11s %9s %10s %13s %11s %9s %5s  %s", "Tag", "Type", "Allocs", "",
            "Frees", "", "Diff", "Bytes", "", "Per Alloc", "Sites", "Largest site");
    else
        put(4, A_UNDERLINE, "%-4s %-5s %7s %6s %7s %6s %6s %8s %7s %9s %5s", "Tag", "Type", "Allocs", "", "Frees", "",
            "Diff", "Bytes", "", "Per Alloc", "Sites");
}

static bool has_changed(const struct pool_change *change)
{
    return change->allocations != 0 || change->frees != 0;
}

static attr_t attributes_of(const struct screen *screen, const struct list *list, size_t index, bool changed)
{
    return (index == list->selected ? A_REVERSE : A_NORMAL) | (screen->view.highlight && changed ? CHANGED : A_NORMAL);
}

static void draw_tags(struct screen *screen)
{
    const struct list *list = list_of(screen);
    const int height = list_height(screen);
    char text[LINE_ROOM], tag[5];

    draw_tags_head(screen);
    for (int i = 0; i < height && list->first + (size_t)i < list->count; i++) {
        const struct pool_row *row = screen->model.shown[list->first + (size_t)i];

        inspect_tag(row->tag, tag);
        format_row(row, tag, text, sizeof(text));
        put(LIST_AT + i, attributes_of(screen, list, list->first + (size_t)i, has_changed(&row->change)), "%s", text);
    }
    for (uint32_t paged = 0, line = 0; paged < 2 && screen->view.totals; paged++) {
        struct pool_row total = pool_model_total(&screen->model, paged);

        if (!pool_view_has_pool(&screen->view, paged))
            continue;
        format_row(&total, "all", text, sizeof(text));
        put(LIST_AT + height + (int)line++, A_BOLD, "%s", text);
    }
}

static void draw_sites(struct screen *screen)
{
    const bool wide = COLS >= WIDE;
    const int number = wide ? 11 : 7, diff = wide ? 10 : 6, bytes = wide ? 13 : 8;
    const struct list *list = list_of(screen);
    const int height = list_height(screen);
    char tag[5], allocs[32], frees[32], blocks[32], live[32], taken[32], peak[32];

    inspect_tag(screen->tag.tag, tag);
    put(3, A_NORMAL, " Call sites of tag %s, %s pool: %zu", tag, screen->tag.paged ? "paged" : "nonpaged", list->count);
    put(4, A_UNDERLINE, "%*s %*s %*s %*s %*s %*s  %s", number, "Allocs", number, "Frees", diff, "Live", bytes, "Bytes",
        bytes, "Blocks", bytes, "Peak", "Site");
    for (int i = 0; i < height && list->first + (size_t)i < list->count; i++) {
        const struct wire_pool_site *site = screen->sites[list->first + (size_t)i];
        const struct pool_change *change = &screen->model.site_changes[site - screen->model.look.sites];

        put(LIST_AT + i, attributes_of(screen, list, list->first + (size_t)i, has_changed(change)),
            "%*s %*s %*s %*s %*s %*s  %.96s:%u %.64s", number,
            pool_number((int64_t)site->use.allocations, number, allocs), number,
            pool_number((int64_t)site->use.frees, number, frees), diff,
            pool_number((int64_t)site->use.live_blocks, diff, blocks), bytes,
            pool_number((int64_t)site->use.live_bytes, bytes, live), bytes,
            pool_number((int64_t)site->use.block_bytes, bytes, taken), bytes,
            pool_number((int64_t)site->use.peak_bytes, bytes, peak), site->file, site->line, site->function);
    }
}

static void draw_stack_line(const struct screen *screen, int y, attr_t attributes, size_t index)
{
    for (size_t i = 0; i < screen->stack_count; i++) {
        const struct wire_pool_stack *stack = &screen->stacks[i];

        if (index == 0) {
            put(y, attributes | A_BOLD,
                " Stack %zu of %zu: %" PRIu64 " allocs  %" PRIu64 " frees  %" PRIu64 " live  %" PRIu64 " bytes", i + 1,
                screen->stack_count, stack->use.allocations, stack->use.frees, stack->use.live_blocks,
                stack->use.live_bytes);
            return;
        }
        if (index <= stack->depth) {
            put(y, attributes, "   %.120s", stack->frames[index - 1].text);
            return;
        }
        index -= 1 + stack->depth;
    }
}

static void draw_stacks(struct screen *screen)
{
    const struct list *list = list_of(screen);
    const struct wire_pool_site *site = NULL;
    char tag[5];

    for (size_t i = 0; i < screen->lists[LEVEL_SITES].count; i++) {
        if (memcmp(&screen->sites[i]->key, &screen->site, sizeof(screen->site)) == 0)
            site = screen->sites[i];
    }
    inspect_tag(screen->tag.tag, tag);
    if (site != NULL)
        put(3, A_NORMAL, " Stacks of tag %s at %.96s:%u %.64s", tag, site->file, site->line, site->function);
    if (list->count == 0)
        put(LIST_AT, A_NORMAL, " No stacks are kept for it. A machine started with --stacks keeps them.");
    for (int i = 0; i < list_height(screen) && list->first + (size_t)i < list->count; i++)
        draw_stack_line(screen, LIST_AT + i, attributes_of(screen, list, list->first + (size_t)i, false),
                        list->first + (size_t)i);
}

static void draw_help(void)
{
    static const char *const lines[] = {
        " p            both pools, nonpaged, paged",
        " t a f d b m  sort by Tag, Allocs, Frees, Diff, Bytes, Per Alloc",
        " ( or )       sort by the change of Allocs, Frees or Bytes, or by value again",
        " e            totals on and off",
        " l            highlight of what changed since the look before, on and off",
        " arrows, Page Up, Page Down, Home, End   move",
        " Enter, right    the tag's call sites; the call site's stacks",
        " Backspace, left, ESC   back",
        " space        look now",
        " h or ?       this help",
        " q, or ESC in the list of tags   quit",
        "",
        " (n) is the change since the look before; Diff is Allocs less Frees.",
        " Bytes are those asked for, Blocks what they take; Pool N, P are pages granted.",
        " A number too long for its column is cut to K (1024), M, G.",
    };

    put(3, A_BOLD, " Keys");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        put(LIST_AT - 1 + (int)i, A_NORMAL, "%s", lines[i]);
}

static void draw(struct screen *screen)
{
    static const char *const hints[] = {" Enter: call sites   h: help   q: quit",
                                        " Enter: stacks   Backspace: tags   h: help   q: quit",
                                        " Backspace: call sites   h: help   q: quit"};

    erase();
    draw_head(screen);
    list_fit(list_of(screen), list_height(screen));
    if (screen->help)
        draw_help();
    else if (screen->level == LEVEL_TAGS)
        draw_tags(screen);
    else if (screen->level == LEVEL_SITES)
        draw_sites(screen);
    else
        draw_stacks(screen);
    if (screen->error_status != 0)
        put(LINES - 1, A_REVERSE, " %s. Any key ends poolmon.", screen->error);
    else
        put(LINES - 1, A_NORMAL, "%s", screen->help ? " Any key: back" : hints[screen->level]);
    move(LINES - 1, 0);
    refresh();
}

/* ---- keys ---- */

static void note_selection(struct screen *screen)
{
    const struct list *list = list_of(screen);

    if (list->count == 0)
        return;
    if (screen->level == LEVEL_TAGS)
        screen->tag = *screen->model.shown[list->selected];
    else if (screen->level == LEVEL_SITES)
        screen->site = screen->sites[list->selected]->key;
}

static void go_down(struct screen *screen)
{
    if (screen->level == LEVEL_STACKS || list_of(screen)->count == 0)
        return;
    note_selection(screen);
    screen->level++;
    *list_of(screen) = (struct list){0};
    if (screen->level == LEVEL_SITES)
        screen->site = (struct wire_pool_key){0};
    list_all(screen);
}

static void go_up(struct screen *screen)
{
    if (screen->level != LEVEL_TAGS)
        screen->level--;
}

/* Returns false if the key is not one of the keys that move. */
static bool move_by(struct screen *screen, int key)
{
    struct list *list = list_of(screen);
    const long page = list_height(screen), all = (long)list->count;

    switch (key) {
    case KEY_UP:
        list_move(list, -1);
        break;
    case KEY_DOWN:
        list_move(list, 1);
        break;
    case KEY_PPAGE:
        list_move(list, -page);
        break;
    case KEY_NPAGE:
        list_move(list, page);
        break;
    case KEY_HOME:
        list_move(list, -all);
        break;
    case KEY_END:
        list_move(list, all);
        break;
    default:
        return false;
    }
    note_selection(screen);
    return true;
}

static void take_key(struct screen *screen, int key)
{
    if (screen->help && key != 'q' && key != KEY_RESIZE) {
        screen->help = false;
        return;
    }
    switch (key) {
    case 'q':
    case 'Q':
        screen->ended = true;
        return;
    case KEY_ESCAPE:
        screen->ended = screen->level == LEVEL_TAGS;
        go_up(screen);
        return;
    case KEY_LEFT:
    case KEY_BACKSPACE:
    case '\b':
    case 127:
        go_up(screen);
        return;
    case KEY_RIGHT:
    case KEY_ENTER:
    case '\r':
    case '\n':
        go_down(screen);
        return;
    case 'h':
    case 'H':
    case '?':
        screen->help = true;
        return;
    case ' ':
        look_again(screen);
        return;
    default:
        break;
    }
    /* The other letters say what the list of tags shows; l counts for call sites as well. */
    if (!move_by(screen, key) && key > 0 && key < 127 && (screen->level == LEVEL_TAGS || key == 'l') &&
        pool_view_key(&screen->view, tolower(key)))
        list_tags(screen);
}

/* ---- waiting ---- */

static int watch(int events, int fd, uint32_t what)
{
    struct epoll_event event = {.events = what, .data = {.fd = fd}};

    return epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
}

/*
 * One descriptor for whatever ends a wait: keys, the window's size, the machine's end. SIGQUIT besides, which would
 * leave the terminal as it is.
 */
static int open_events(struct screen *screen)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGWINCH);
    sigaddset(&signals, SIGQUIT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    screen->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    screen->events = epoll_create1(EPOLL_CLOEXEC);
    if (screen->signals < 0 || screen->events < 0 || watch(screen->events, STDIN_FILENO, EPOLLIN) != 0 ||
        watch(screen->events, screen->signals, EPOLLIN) != 0 ||
        watch(screen->events, wire_socket_of(screen->client), EPOLLRDHUP) != 0)
        return complain(EXIT_ENVIRONMENT, "poolmon: the terminal cannot be watched: %s", strerror(errno));
    return 0;
}

static void close_events(struct screen *screen)
{
    if (screen->signals >= 0)
        close(screen->signals);
    if (screen->events >= 0)
        close(screen->events);
}

static void take_signals(struct screen *screen)
{
    struct signalfd_siginfo info;
    struct winsize size;

    while (read(screen->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGQUIT)
            screen->interrupted = true;
        else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
            resizeterm(size.ws_row, size.ws_col);
    }
}

/* Waits for an event or until due. Returns whether the machine hung up or the time is over: look again. */
static bool await(struct screen *screen, uint64_t due)
{
    uint64_t now = process_now_ms();
    int timeout = screen->error_status != 0 ? -1 : now < due ? (int)(due - now) : 0;
    int rc = process_wait_readable(screen->events, timeout);
    struct epoll_event event;

    if (rc == -ETIMEDOUT)
        return true;
    if (rc != 0 || epoll_wait(screen->events, &event, 1, 0) != 1) {
        screen->interrupted = rc != 0;
        return false;
    }
    if (event.data.fd == screen->signals)
        take_signals(screen);
    else if (event.data.fd == STDIN_FILENO && (event.events & (EPOLLHUP | EPOLLERR)) != 0)
        screen->interrupted = true;
    return event.data.fd == wire_socket_of(screen->client);
}

static void take_keys(struct screen *screen)
{
    int key;

    while (!screen->ended && (key = getch()) != ERR) {
        if (screen->error_status != 0 && key != KEY_RESIZE)
            screen->ended = true;
        else
            take_key(screen, key);
    }
}

static void show(struct screen *screen, int interval_ms)
{
    uint64_t due = process_now_ms() + (uint64_t)interval_ms;

    while (!screen->ended && !screen->interrupted) {
        draw(screen);
        if (await(screen, due)) {
            look_again(screen);
            /* What has been said of a machine that is gone is not said again and again. */
            if (screen->error_status != 0)
                epoll_ctl(screen->events, EPOLL_CTL_DEL, wire_socket_of(screen->client), NULL);
            due = process_now_ms() + (uint64_t)interval_ms;
        }
        take_keys(screen);
    }
}

/* ---- the terminal ---- */

static SCREEN *open_terminal(void)
{
    SCREEN *terminal;

    setlocale(LC_CTYPE, "");
    terminal = newterm(NULL, stdout, stdin);
    if (terminal == NULL)
        return NULL;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(1, COLOR_YELLOW, -1);
    }
    return terminal;
}

/* A machine that is stuck must not keep the window from ending. */
static void limit_patience(const struct wire_client *client)
{
    const struct timeval patience = {.tv_sec = 10};

    setsockopt(wire_socket_of(client), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

int poolmon_screen(struct wire_client *client, const struct pool_view *view, int interval_ms)
{
    struct screen screen = {.client = client, .view = *view, .events = -1, .signals = -1};
    SCREEN *terminal;
    int rc = open_events(&screen);

    limit_patience(client);
    /* The first look before the window: a machine that refuses is one line on standard error. */
    if (rc == 0) {
        look_again(&screen);
        rc = screen.error_status != 0 ? complain(screen.error_status, "%s", screen.error) : 0;
    }
    if (rc == 0) {
        terminal = open_terminal();
        if (terminal != NULL) {
            show(&screen, interval_ms);
            /* A terminal without a second screen keeps the picture; what follows goes below it. */
            move(LINES - 1, 0);
            clrtoeol();
            refresh();
            endwin();
            delscreen(terminal);
            rc = screen.interrupted         ? EXIT_INTERRUPTED
                 : screen.error_status != 0 ? complain(screen.error_status, "%s", screen.error)
                                            : 0;
        } else {
            rc = complain(EXIT_ENVIRONMENT, "poolmon: the terminal, TERM=%s, is unknown here; --once needs none",
                          getenv("TERM") != NULL ? getenv("TERM") : "");
        }
    }
    pool_model_free(&screen.model);
    free(screen.sites);
    free(screen.stacks);
    close_events(&screen);
    return rc;
}
