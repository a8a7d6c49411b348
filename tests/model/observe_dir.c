/* SPDX-License-Identifier: MIT */
/*
 * observe_dir.c - a directory of a mounted filesystem read into a model.
 */
#include "model/observe.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { OBSERVE_MAX = 64 << 20, OBSERVE_BUF = 1 << 20 };

struct observer {
	struct model *m;
	char *why;
	size_t cap;
	uint8_t *buf;
};

static int failed(struct observer *o, const char *what, const char *path)
{
	int rc = errno ? -errno : -EIO;

	(void)snprintf(o->why, o->cap, "observing '%.300s': %s: %s", path, what,
		       strerror(-rc));
	return rc;
}

static void set_attr(struct model_node *node, const struct stat *st)
{
	node->ino = st->st_ino;
	node->mode = st->st_mode;
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->rdev = st->st_rdev;
}

static int observe_content(struct observer *o, uint32_t id, const char *path,
			   uint64_t size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t off = 0;

	if (fd < 0 || size > OBSERVE_MAX)
		return failed(o, "open", path);
	while (off < size) {
		ssize_t n = pread(fd, o->buf, OBSERVE_BUF, (off_t)off);

		if (n <= 0)
			return failed(o, "read", path);
		(void)model_write(o->m, id, off, o->buf, (size_t)n);
		off += (uint64_t)n;
	}
	return model_resize(o->m, id, size);
}

static int observe_xattrs(struct observer *o, uint32_t id, const char *path)
{
	char names[16384];
	ssize_t len = llistxattr(path, names, sizeof(names));

	if (len < 0)
		return failed(o, "listxattr", path);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n = lgetxattr(path, names + at, o->buf, OBSERVE_BUF);

		if (n < 0)
			return failed(o, "getxattr", path);
		(void)model_setxattr(o->m, id, names + at,
				     (struct model_value){ .bytes = o->buf,
							   .len = (size_t)n },
				     0);
	}
	return 0;
}

static int observe_inside(struct observer *o, uint32_t id, const char *path,
			  const struct stat *st);

/* Files with one name are not looked for again. */
static uint32_t known(const struct observer *o, const struct stat *st)
{
	uint32_t id = 0;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return MODEL_NONE;
	while (id < o->m->n_nodes && model_get(o->m, id)->ino != st->st_ino)
		id++;
	return id < o->m->n_nodes ? id : MODEL_NONE;
}

static int observe_name(struct observer *o, uint32_t dir, const char *name,
			const char *path)
{
	struct model_new_node what = { 0 };
	char target[PATH_MAX];
	struct stat st;
	uint32_t id;

	if (lstat(path, &st))
		return failed(o, "lstat", path);
	id = known(o, &st);
	if (id != MODEL_NONE)
		return model_link(o->m, id, dir, name);
	what.mode = st.st_mode;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		if (n < 0)
			return failed(o, "readlink", path);
		target[n] = '\0';
		what.target = target;
	}
	if (model_make(o->m, dir, name, &what, &id)) {
		errno = EEXIST;
		return failed(o, "told twice", path);
	}
	set_attr(model_get(o->m, id), &st);
	return observe_inside(o, id, path, &st);
}

static int observe_entries(struct observer *o, uint32_t id, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return failed(o, "opendir", path);
	for (errno = 0; !rc && (e = readdir(dir)) != NULL; errno = 0) {
		AUTO_FREE char *below = NULL;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (asprintf(&below, "%s/%s", path, e->d_name) < 0)
			abort();
		rc = observe_name(o, id, e->d_name, below);
	}
	if (!rc && errno != 0)
		rc = failed(o, "readdir", path);
	(void)closedir(dir);
	return rc;
}

static int observe_inside(struct observer *o, uint32_t id, const char *path,
			  const struct stat *st)
{
	int rc = 0;

	if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
		rc = observe_xattrs(o, id, path);
	if (!rc && S_ISREG(st->st_mode))
		rc = observe_content(o, id, path, (uint64_t)st->st_size);
	if (!rc && S_ISDIR(st->st_mode))
		rc = observe_entries(o, id, path);
	if (rc || model_get(o->m, id)->nlink == st->st_nlink)
		return rc;
	/* More names of a file may come; a directory is complete. */
	errno = EUCLEAN;
	return S_ISDIR(st->st_mode) ? failed(o, "count of links", path) : 0;
}

struct model *observe_dir(const char *path, char *why, size_t cap)
{
	struct observer o = { .m = model_new(),
			      .cap = cap,
			      .buf = malloc(OBSERVE_BUF) };
	struct stat st;
	int rc;

	o.why = why;
	if (!o.buf)
		abort();
	if (lstat(path, &st)) {
		rc = failed(&o, "lstat", path);
	} else {
		set_attr(model_get(o.m, MODEL_ROOT), &st);
		rc = observe_inside(&o, MODEL_ROOT, path, &st);
	}
	free(o.buf);
	if (rc) {
		model_free(o.m);
		return NULL;
	}
	return o.m;
}
