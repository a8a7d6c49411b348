/* SPDX-License-Identifier: MIT */
/*
 * recover_tree.c - down and up the directories, with a bounded number of them
 * open; then what no name leads to.
 *
 * Each directory is made under the first name that leads to it and never
 * again, so that it ends, whatever the tables say.
 */
#include "recover.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	BATCH = 64,            /* entries at a time */
	OPEN_LEVELS = 64,      /* directories open at a time */
	COOKIE_NAMES = 2,      /* behind "." and ".." */
	PATH_LIMIT = 64 << 20, /* bytes */
	LOST_TRIES = 100,
};

struct entry {
	uint64_t ino;
	uint64_t next;
	char name[NAME_MAX + 1];
};

/* A directory that is being filled. */
struct level {
	struct salvage_node node;
	uint64_t cookie; /* of the last entry that was dealt with */
	size_t path_len; /* of the path without it */
	int fd;          /* -1: closed; ".." of the level below leads to it */
	dev_t dev;
	ino_t ino;
};

struct walk {
	struct recover *r;
	struct level *levels; /* owned */
	size_t n_levels;
	size_t cap_levels;
	struct entry batch[BATCH];
	size_t n_batch;
};

/* ---- levels --------------------------------------------------------------------- */

/* Takes ownership of `fd`, also on failure. */
static int push(struct walk *w, const struct salvage_node *node, int fd,
		size_t path_len)
{
	struct level level = {
		.node = *node,
		.cookie = COOKIE_NAMES,
		.path_len = path_len,
		.fd = fd,
	};
	struct stat st;

	if (fstat(fd, &st) < 0) {
		(void)io_close(fd);
		return -errno;
	}
	level.dev = st.st_dev;
	level.ino = st.st_ino;
	if (w->n_levels == w->cap_levels) {
		size_t cap = w->cap_levels ? 2 * w->cap_levels : 64;
		struct level *levels =
			realloc(w->levels, cap * sizeof(*levels));

		if (!levels) {
			(void)io_close(fd);
			return -ENOMEM;
		}
		w->levels = levels;
		w->cap_levels = cap;
	}
	w->levels[w->n_levels++] = level;
	if (w->n_levels > OPEN_LEVELS) {
		struct level *far = &w->levels[w->n_levels - 1 - OPEN_LEVELS];

		(void)io_close(far->fd);
		far->fd = -1;
	}
	return 0;
}

/* The directory above, which was closed, is opened again if it is the same one:
 * somebody else may have moved ours. */
static int reopen(struct level *level, int below)
{
	AUTO_CLOSE int fd = io_open(below, "..", O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != level->dev || st.st_ino != level->ino)
		return -EXDEV;
	level->fd = steal_fd(&fd);
	return 0;
}

/* All that is in it is there: now its times stay. */
static int pop(struct walk *w)
{
	struct level *level = &w->levels[w->n_levels - 1];
	struct restore_name none = { .dir_fd = -1 };
	int rc = recover_attrs(w->r, &level->node, &none, level->fd);

	w->n_levels--;
	if (rc == 0 && w->n_levels > 0 && level[-1].fd < 0)
		rc = reopen(&level[-1], level->fd);
	w->r->path.len = level->path_len;
	(void)io_close(level->fd);
	return rc;
}

static void release(struct walk *w)
{
	size_t i;

	for (i = 0; i < w->n_levels; i++) {
		if (w->levels[i].fd >= 0)
			(void)io_close(w->levels[i].fd);
	}
	free(w->levels);
}

/* ---- entries -------------------------------------------------------------------- */

struct making {
	int fd;
};

static int make_dir(void *ctx, const struct restore_name *name)
{
	struct making *m = ctx;

	m->fd = restore_mkdir(name);
	return m->fd < 0 ? m->fd : 0;
}

/* Makes the directory of an inode, for good. r->path has its name. */
static int make_level(struct recover *r, const struct salvage_node *node,
		      struct restore_name *name, struct making *ret)
{
	int rc;

	if (node->made)
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_ATTRS_LOST });
	rc = salvage_place(r->volume, node->attr.ino, span_of(NULL, 0));
	if (rc == 0)
		rc = recover_make(r, node->attr.ino, name, make_dir, ret);
	if (rc < 0)
		return rc;
	r->counts.n_dirs++;
	r->n_done++;
	return 0;
}

/* The same, and goes down into it. */
static int enter(struct walk *w, const struct salvage_node *node,
		 struct restore_name *name, size_t path_len)
{
	struct making m = { -1 };
	int rc = make_level(w->r, node, name, &m);

	return rc < 0 ? rc : push(w, node, m.fd, path_len);
}

/* Deals with one entry of the topmost level. 1: a level was added. */
static int put_entry(struct walk *w, const struct entry *e, int dir_fd)
{
	struct recover *r = w->r;
	struct restore_name name = { .dir_fd = dir_fd };
	struct salvage_node node = { .n_names = 0 };
	size_t len = 0;
	int rc = recover_check_stop(r);

	if (rc == 0)
		rc = recover_push(r, e->name, &len);
	if (rc < 0)
		return rc;
	memcpy(name.text, e->name, sizeof(name.text));
	rc = salvage_get(r->volume, e->ino, &node);
	if (rc == 0 && !S_ISDIR(node.attr.mode)) {
		rc = recover_put(r, &node, &name);
	} else if (rc == 0 && node.placed) {
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_NAME_DROPPED });
	} else if (rc == 0) {
		rc = enter(w, &node, &name, len);
		if (rc == 0)
			return 1;
	}
	if (rc < 0 && !recover_is_fatal(rc)) {
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_NOT_MADE, .rc = rc });
		rc = 0;
	}
	r->path.len = len;
	return rc;
}

static bool take_entry(void *ctx, struct span name,
		       const struct volume_attr *attr, uint64_t next)
{
	struct walk *w = ctx;
	struct entry *e;

	if (w->n_batch == BATCH)
		return false;
	e = &w->batch[w->n_batch++];
	e->ino = attr->ino;
	e->next = next;
	memcpy(e->name, name.ptr, name.len);
	e->name[name.len] = '\0';
	return true;
}

/* Some entries of the topmost level, up to a directory, which becomes the topmost
 * one. 1: there may be more. */
static int step(struct walk *w)
{
	const struct volume_lister lister = { false, take_entry, w };
	size_t top = w->n_levels - 1;
	size_t i;
	int rc;

	w->n_batch = 0;
	rc = volume_readdir(w->r->volume, w->levels[top].node.attr.ino,
			    w->levels[top].cookie, &lister);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0 && w->n_batch == 0)
		recover_tell(w->r,
			     (struct recover_finding){ .what = RECOVER_NOT_MADE,
						       .rc = rc });
	for (i = 0; i < w->n_batch; i++) {
		w->levels[top].cookie = w->batch[i].next;
		rc = put_entry(w, &w->batch[i], w->levels[top].fd);
		if (rc != 0)
			return rc;
	}
	return w->n_batch > 0;
}

/* Fills the directory `fd`, which stays the caller's. */
static int walk_tree(struct recover *r, const struct salvage_node *node, int fd,
		     size_t path_len)
{
	struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	w->r = r;
	rc = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (rc >= 0)
		rc = push(w, node, rc, path_len);
	else
		rc = -errno;
	while (rc >= 0 && w->n_levels > 0) {
		rc = step(w);
		if (rc == 0)
			rc = pop(w);
		r->progress(r->ctx, r->n_done, r->n_total);
	}
	release(w);
	free(w);
	return rc < 0 ? rc : 0;
}

/* ---- what no name leads to -------------------------------------------------------- */

static int put_lost(struct recover *r, uint64_t ino, int lost_fd)
{
	struct restore_name name = { .dir_fd = lost_fd };
	struct making m = { -1 };
	struct salvage_node node = { .n_names = 0 };
	size_t len = r->path.len;
	int rc;

	(void)snprintf(name.text, sizeof(name.text), "#%llu",
		       (unsigned long long)ino);
	rc = recover_check_stop(r);
	if (rc == 0)
		rc = recover_push(r, name.text, &len);
	if (rc == 0)
		rc = salvage_get(r->volume, ino, &node);
	if (rc < 0) {
		r->path.len = len;
		return recover_is_fatal(rc) ? rc : 0;
	}
	r->counts.n_lost_names++;
	recover_tell(r, (struct recover_finding){ .what = RECOVER_NAME_LOST });
	if (!S_ISDIR(node.attr.mode)) {
		rc = recover_put(r, &node, &name);
		r->path.len = len;
		return rc;
	}
	rc = make_level(r, &node, &name, &m);
	if (rc == 0) {
		rc = walk_tree(r, &node, m.fd, len);
		(void)io_close(m.fd);
	} else if (!recover_is_fatal(rc)) {
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_NOT_MADE, .rc = rc });
		rc = 0;
	}
	r->path.len = len;
	return rc;
}

/* The directory for it, once something needs it. */
static int open_lost(struct recover *r, int *fd)
{
	struct restore_name name = { r->root_fd, RECOVER_LOST };
	struct making m = { -1 };
	size_t len;
	int rc;

	if (*fd >= 0)
		return 0;
	rc = recover_push(r, name.text, &len);
	if (rc == 0)
		rc = recover_make(r, VOLUME_ROOT, &name, make_dir, &m);
	*fd = m.fd;
	return rc;
}

/* First what has no name, so that what lies in a directory without a name keeps
 * its own. */
static int walk_lost(struct recover *r, bool nameless, int *fd)
{
	uint64_t ino = 0;
	int rc;

	for (;;) {
		rc = salvage_next(r->volume, ino, nameless, &ino);
		if (rc < 0 || ino == 0)
			return rc;
		rc = open_lost(r, fd);
		if (rc == 0)
			rc = put_lost(r, ino, *fd);
		if (rc < 0)
			return rc;
	}
}

static int walk_all(struct recover *r)
{
	AUTO_CLOSE int lost_fd = -1;
	struct salvage_node root = { .n_names = 0 };
	int rc = salvage_get(r->volume, VOLUME_ROOT, &root);

	if (rc == 0)
		rc = salvage_place(r->volume, VOLUME_ROOT, span_of(NULL, 0));
	if (rc < 0)
		return rc;
	r->n_done++;
	r->counts.n_dirs++;
	if (root.made)
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_ATTRS_LOST });
	rc = walk_tree(r, &root, r->root_fd, 0);
	if (rc == 0)
		rc = walk_lost(r, true, &lost_fd);
	return rc == 0 ? walk_lost(r, false, &lost_fd) : rc;
}

int recover_all(struct recover *r)
{
	int rc = salvage_settle(r->volume, &r->n_total);

	if (rc < 0)
		return rc;
	buffer_init(&r->path, PATH_LIMIT);
	buffer_init(&r->value, VOLUME_XATTR_MAX);
	rc = walk_all(r);
	buffer_release(&r->path);
	buffer_release(&r->value);
	return rc;
}
