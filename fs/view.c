/* SPDX-License-Identifier: MIT */
/*
 * view.c - the store opened to read, its paths and its directories.
 */
#include "view.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "cmd.h"
#include "explain.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40, NAMES_MAX = INT_MAX, FIRST_ENTRIES = 64 };

int view_open(const char *path, struct volume **ret)
{
	const struct volume_options options = { .store.read_only = true };
	AUTO_FREE char *store = malloc(PATH_MAX);
	char text[EXPLAIN_MAX];
	int rc = -ENOMEM;

	if (store) {
		cmd_find_store(path, store);
		rc = volume_open(store, &options, ret);
	}
	if (rc < 0) {
		explain_open(store ? store : path, rc, text);
		report_error("%s", text);
	}
	return rc;
}

int view_close(const char *path, struct volume *v)
{
	int rc = volume_close(v);

	if (rc < 0)
		report_error("'%s': %s", path, error_text(rc));
	return rc;
}

/* ---- paths ---------------------------------------------------------------- */

int view_readlink(struct volume *v, uint64_t ino, char *ret)
{
	ssize_t n = volume_readlink(v, ino, ret, VOLUME_SYMLINK_MAX);

	if (n < 0)
		return (int)n;
	ret[n] = '\0';
	return 0;
}

struct finding {
	struct volume *v;
	char *text; /* owned; what is left of the path lies in it */
	const char *rest;
	uint64_t dir;
	struct volume_attr attr; /* of what was found so far */
	unsigned n_links;
	bool follow; /* the last one */
};

/* The link's target takes the place of its name. */
static int follow_link(struct finding *f)
{
	char target[VOLUME_SYMLINK_MAX + 1];
	char *text = NULL;
	int rc = -ELOOP;

	if (f->n_links++ < LINKS_MAX)
		rc = view_readlink(f->v, f->attr.ino, target);
	if (rc == 0 && asprintf(&text, "%s%s", target, f->rest) < 0)
		rc = -ENOMEM;
	if (rc < 0)
		return rc;
	free(f->text);
	f->text = text;
	f->rest = text;
	if (target[0] == '/')
		f->dir = VOLUME_ROOT;
	return volume_getattr(f->v, f->dir, &f->attr);
}

static int find_next(struct finding *f)
{
	size_t len = strcspn(f->rest, "/");
	struct volume_attr attr;
	int rc = volume_lookup(f->v, f->dir, span_of(f->rest, len), &attr);

	if (rc < 0)
		return rc;
	volume_forget(f->v, attr.ino, 1);
	f->attr = attr;
	f->rest += len;
	if (S_ISLNK(attr.mode) && (f->follow || *f->rest == '/'))
		return follow_link(f);
	f->dir = attr.ino;
	return 0;
}

int view_find(struct volume *v, const char *path, bool follow,
	      struct volume_attr *ret)
{
	struct finding f = { .v = v, .dir = VOLUME_ROOT, .follow = follow };
	int rc = volume_getattr(v, VOLUME_ROOT, &f.attr);

	f.text = strdup(path);
	f.rest = f.text;
	if (!f.text)
		rc = -ENOMEM;
	while (rc == 0) {
		bool slash = *f.rest == '/';

		f.rest += strspn(f.rest, "/");
		if (*f.rest == '\0') {
			if (slash && !S_ISDIR(f.attr.mode))
				rc = -ENOTDIR;
			break;
		}
		rc = find_next(&f);
	}
	free(f.text);
	if (rc == 0)
		*ret = f.attr;
	return rc;
}

/* ---- directories ---------------------------------------------------------- */

void view_list_init(struct view_list *l, size_t max)
{
	*l = (struct view_list){ .max = max };
	buffer_init(&l->names, NAMES_MAX);
}

void view_list_release(struct view_list *l)
{
	free(l->entries);
	buffer_release(&l->names);
	*l = (struct view_list){ 0 };
}

static int grow(struct view_list *l)
{
	size_t cap = l->cap > 0 ? l->cap * 2 : FIRST_ENTRIES;
	struct view_entry *entries =
		reallocarray(l->entries, cap, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	l->entries = entries;
	l->cap = cap;
	return 0;
}

static bool take_entry(void *ctx, struct span name,
		       const struct volume_attr *attr, uint64_t next)
{
	struct view_list *l = ctx;
	size_t off = l->names.len;

	if (l->max > 0 && l->n == l->max)
		return false;
	if (l->n == l->cap)
		l->rc = grow(l);
	if (l->rc == 0)
		l->rc = buffer_append(&l->names, name);
	if (l->rc == 0)
		l->rc = buffer_append_u8(&l->names, 0);
	if (l->rc < 0)
		return false;
	l->entries[l->n++] = (struct view_entry){ .attr = *attr,
						  .next = next,
						  .name_off = off };
	return true;
}

int view_list_read(struct view_list *l, struct volume *v, uint64_t dir,
		   uint64_t cookie)
{
	const struct volume_lister lister = { .fn = take_entry, .ctx = l };
	size_t i;
	int rc;

	l->n = 0;
	l->rc = 0;
	buffer_clear(&l->names);
	rc = volume_readdir(v, dir, cookie, &lister);
	if (rc == 0)
		rc = l->rc;
	/* One at a time: what is damaged is only what is damaged. */
	for (i = 0; i < l->n; i++) {
		struct view_entry *e = &l->entries[i];
		struct volume_attr attr;

		e->rc = volume_getattr(v, e->attr.ino, &attr);
		if (e->rc == 0)
			e->attr = attr;
	}
	return rc < 0 ? rc : l->max > 0 && l->n == l->max;
}

int view_check_child(struct volume *v, uint64_t parent, uint64_t child)
{
	struct volume_attr attr;
	int rc = volume_lookup(v, child, span_of("..", 2), &attr);

	if (rc < 0)
		return rc;
	volume_forget(v, attr.ino, 1);
	if (attr.ino == parent && child != VOLUME_ROOT)
		return 0;
	return corrupt("directory %llu has a name in directory %llu, which is "
		       "not its parent",
		       (unsigned long long)child, (unsigned long long)parent);
}

const char *view_type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	default:
		return "unknown";
	}
}
