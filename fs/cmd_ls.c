/* SPDX-License-Identifier: MIT */
/*
 * cmd_ls.c - sigmafs ls: names in a store that is not mounted.
 *
 * In memory are one directory, and the paths of those that -R still has to show.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "json.h"
#include "names.h"
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { OPT_JSON = 256, JSON_LIMIT = 16 << 20, TIME_TEXT_MAX = 64 };

static const struct option longs[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "recursive", no_argument, NULL, 'R' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* A directory that is still to be shown. */
struct pending {
	struct pending *next;
	uint64_t ino;
	char path[];
};

struct listing {
	struct volume *volume;
	bool all;
	bool lengthy;
	bool recursive;
	bool json;
	bool escape;
	bool shown; /* something, so a blank line parts it from the next */
	int status;
	struct pending *pending;   /* the next one first; owned */
	struct pending **followed; /* where those of this directory go */
	int widths[4];             /* of nlink, uid, gid, size */
};

static void fail(struct listing *l, const char *path, int rc)
{
	report_error("'%s': %s", path, error_text(rc));
	l->status = STATUS_FAILED;
}

/* ---- one entry ------------------------------------------------------------ */

static const char *mode_text(uint32_t mode, char *ret)
{
	static const char bits[] = "rwxrwxrwx";
	static const struct {
		uint32_t bit;
		int at;
		char with_x;
		char without;
	} special[] = {
		{ S_ISUID, 3, 's', 'S' },
		{ S_ISGID, 6, 's', 'S' },
		{ S_ISVTX, 9, 't', 'T' },
	};
	static const char types[] = "?pc?d?b?-?l?s???";
	size_t i;

	ret[0] = types[(mode & S_IFMT) >> 12];
	for (i = 0; i < 9; i++) {
		ret[i + 1] = '-';
		if (mode & (0400u >> i))
			ret[i + 1] = bits[i];
	}
	ret[10] = '\0';
	for (i = 0; i < ARRAY_LEN(special); i++) {
		char *x = &ret[special[i].at];

		if (!(mode & special[i].bit))
			continue;
		if (*x == '-')
			*x = special[i].without;
		else
			*x = special[i].with_x;
	}
	return ret;
}

static const char *time_text(const struct volume_time *t, char *ret)
{
	const time_t seconds = (time_t)t->sec;
	struct tm tm;

	if (!localtime_r(&seconds, &tm) ||
	    strftime(ret, TIME_TEXT_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(ret, TIME_TEXT_MAX, "%" PRId64, t->sec);
	return ret;
}

static bool is_device(uint32_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

/* The size; of a device its number. */
static const char *size_text(const struct volume_attr *a, char *ret)
{
	if (is_device(a->mode))
		(void)snprintf(ret, CMD_BYTES_MAX, "%u, %u", major(a->rdev),
			       minor(a->rdev));
	else
		(void)snprintf(ret, CMD_BYTES_MAX, "%" PRIu64, a->size);
	return ret;
}

static void print_long(const struct listing *l, const struct volume_attr *a)
{
	char mode[12];
	char size[CMD_BYTES_MAX];
	char when[TIME_TEXT_MAX];

	(void)printf("%s %*u %*u %*u %*s %s ", mode_text(a->mode, mode),
		     l->widths[0], a->nlink, l->widths[1], a->uid, l->widths[2],
		     a->gid, l->widths[3], size_text(a, size),
		     time_text(&a->mtime, when));
}

static void widen(int *width, int n)
{
	if (n > *width)
		*width = n;
}

static void measure(struct listing *l, const struct volume_attr *a)
{
	char text[CMD_BYTES_MAX];

	widen(&l->widths[0], snprintf(text, sizeof(text), "%u", a->nlink));
	widen(&l->widths[1], snprintf(text, sizeof(text), "%u", a->uid));
	widen(&l->widths[2], snprintf(text, sizeof(text), "%u", a->gid));
	widen(&l->widths[3], (int)strlen(size_text(a, text)));
}

static void print_text(struct listing *l, const char *name,
		       const struct view_entry *e)
{
	char target[VOLUME_SYMLINK_MAX + 1];

	if (l->lengthy && e->rc == 0)
		print_long(l, &e->attr);
	names_print(stdout, name, l->escape);
	if (l->lengthy && S_ISLNK(e->attr.mode) &&
	    view_readlink(l->volume, e->attr.ino, target) == 0) {
		(void)fputs(" -> ", stdout);
		names_print(stdout, target, l->escape);
	}
	(void)putchar('\n');
}

/* Bytes that JSON has no text for. */
static void put_hex(struct json *j, const char *key, const char *bytes)
{
	size_t len = strlen(bytes);
	AUTO_FREE char *hex = malloc(2 * len + 1);

	if (!hex)
		return;
	names_put_hex(hex, bytes, len);
	json_text(j, key, hex);
}

static void put_name(struct json *j, const char *key, const char *name)
{
	char hex_key[16];

	json_text(j, key, name);
	(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	if (!names_are_utf8(name))
		put_hex(j, hex_key, name);
}

static void put_attr(struct json *j, const struct volume_attr *a)
{
	char mode[8];

	(void)snprintf(mode, sizeof(mode), "%04o", a->mode & 07777);
	json_text(j, "mode", mode);
	json_u64(j, "links", a->nlink);
	json_u64(j, "uid", a->uid);
	json_u64(j, "gid", a->gid);
	json_u64(j, "size", a->size);
	json_u64(j, "allocated", a->allocated);
	if (is_device(a->mode)) {
		json_u64(j, "major", major(a->rdev));
		json_u64(j, "minor", minor(a->rdev));
	}
	json_i64(j, "mtime", a->mtime.sec);
	json_u64(j, "mtime_ns", a->mtime.nsec);
}

static void print_json(struct listing *l, const char *path,
		       const struct view_entry *e)
{
	char target[VOLUME_SYMLINK_MAX + 1];
	struct json j;
	const char *text;
	int rc;

	json_init(&j, JSON_LIMIT);
	json_open(&j, NULL, '{');
	put_name(&j, "path", path);
	json_text(&j, "type", view_type_name(e->attr.mode));
	json_u64(&j, "inode", e->attr.ino);
	if (e->rc == 0)
		put_attr(&j, &e->attr);
	else
		json_text(&j, "error", error_text(e->rc));
	if (S_ISLNK(e->attr.mode) &&
	    view_readlink(l->volume, e->attr.ino, target) == 0)
		put_name(&j, "target", target);
	json_close(&j, '}');
	rc = json_end(&j, &text);
	if (rc == 0)
		(void)puts(text);
	else
		fail(l, path, rc);
	json_release(&j);
}

/* ---- one directory -------------------------------------------------------- */

/* "path/name"; no second '/' behind the root. */
static char *join(const char *path, const char *name)
{
	size_t len = strlen(path);
	char *ret;

	if (asprintf(&ret, "%s%s%s", path,
		     len > 0 && path[len - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return ret;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int by_name(const void *a, const void *b, void *names)
{
	const struct view_list *l = names;

	return strcmp(view_name(l, a), view_name(l, b));
}

/* For -R: shown after the directories of the same one that came before. */
static int follow_up(struct listing *l, const char *path, uint64_t ino)
{
	struct pending *p = malloc(sizeof(*p) + strlen(path) + 1);

	if (!p)
		return -ENOMEM;
	p->ino = ino;
	(void)memcpy(p->path, path, strlen(path) + 1);
	p->next = *l->followed;
	*l->followed = p;
	l->followed = &p->next;
	return 0;
}

static void show_entry(struct listing *l, const struct pending *dir,
		       const char *name, const struct view_entry *e)
{
	AUTO_FREE char *path = join(dir->path, name);
	int rc = path ? e->rc : -ENOMEM;

	if (rc < 0)
		fail(l, path ? path : name, rc);
	if (!path)
		return;
	if (l->json)
		print_json(l, path, e);
	else
		print_text(l, name, e);
	if (!l->recursive || !S_ISDIR(e->attr.mode) || is_dots(name))
		return;
	rc = view_check_child(l->volume, dir->ino, e->attr.ino);
	if (rc == 0)
		rc = follow_up(l, path, e->attr.ino);
	if (rc < 0)
		fail(l, path, rc);
}

static bool is_wanted(const struct listing *l, const char *name)
{
	return l->all || name[0] != '.';
}

static void show_entries(struct listing *l, const struct pending *dir,
			 struct view_list *list)
{
	size_t i;

	qsort_r(list->entries, list->n, sizeof(*list->entries), by_name, list);
	(void)memset(l->widths, 0, sizeof(l->widths));
	for (i = 0; l->lengthy && i < list->n; i++) {
		if (is_wanted(l, view_name(list, &list->entries[i])))
			measure(l, &list->entries[i].attr);
	}
	for (i = 0; i < list->n; i++) {
		const char *name = view_name(list, &list->entries[i]);

		if (is_wanted(l, name))
			show_entry(l, dir, name, &list->entries[i]);
	}
}

static void show_directory(struct listing *l, const struct pending *dir)
{
	struct view_list list;
	int rc;

	if (l->recursive && !l->json) {
		(void)fputs(l->shown ? "\n" : "", stdout);
		names_print(stdout, dir->path, l->escape);
		(void)fputs(":\n", stdout);
		l->shown = true;
	}
	view_list_init(&list, 0);
	rc = view_list_read(&list, l->volume, dir->ino, 0);
	if (list.n > 0)
		show_entries(l, dir, &list);
	if (rc < 0)
		fail(l, dir->path, rc);
	view_list_release(&list);
}

/* ---- the whole ------------------------------------------------------------ */

static void show(struct listing *l, const char *path)
{
	struct view_entry found = { .rc = 0 };
	int rc = view_find(l->volume, path, !l->lengthy, &found.attr);

	if (rc == 0 && S_ISDIR(found.attr.mode)) {
		l->followed = &l->pending;
		rc = follow_up(l, path, found.attr.ino);
	} else if (rc == 0 && l->json) {
		print_json(l, path, &found);
	} else if (rc == 0) {
		measure(l, &found.attr);
		print_text(l, path, &found);
	}
	if (rc < 0)
		fail(l, path, rc);
	while (l->pending) {
		struct pending *dir = l->pending;

		l->pending = dir->next;
		l->followed = &l->pending;
		show_directory(l, dir);
		free(dir);
	}
}

static int take_options(struct listing *l, int argc, char **argv)
{
	const struct cmd_options options = { ":alRh", longs };
	int opt;

	while ((opt = cmd_getopt(&cmd_ls, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_ls.usage_status;
		l->all = l->all || opt == 'a';
		l->lengthy = l->lengthy || opt == 'l';
		l->recursive = l->recursive || opt == 'R';
		l->json = l->json || opt == OPT_JSON;
	}
	return cmd_arguments(&cmd_ls, argc, argv, argc - optind > 1 ? 2 : 1);
}

static int run(int argc, char **argv)
{
	struct listing l = { .escape = isatty(STDOUT_FILENO) != 0 };
	int status = take_options(&l, argc, argv);
	const char *store;

	if (status != STATUS_OK)
		return status;
	store = argv[optind];
	if (view_open(store, &l.volume) < 0)
		return STATUS_FAILED;
	show(&l, argc - optind > 1 ? argv[optind + 1] : "/");
	return view_close(store, l.volume) < 0 ? STATUS_FAILED : l.status;
}

const struct command cmd_ls = {
	.name = "ls",
	.synopsis = "[-alR] [--json] STORE [PATH]",
	.summary = "Lists what is in a store that is not mounted",
	.help = "  -a, --all         names that begin with '.', too\n"
		"  -l                type and mode, links, owner and group by "
		"number, size\n"
		"                    (of a device its number), time of "
		"modification, name\n"
		"  -R, --recursive   what is below, too\n"
		"  --json            one JSON object a line\n"
		"\n"
		"PATH begins at the root of the store, which is shown without "
		"it. One name a\n"
		"line, sorted by its bytes; on a terminal control characters "
		"are shown as\n"
		"ls -b shows them. Nothing in the store is changed.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
