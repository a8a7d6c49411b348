/* SPDX-License-Identifier: MIT */
/*
 * observe.c - a whole volume read into a model.
 */
#include "model/observe.h"

#include "volume/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { OBSERVE_MAX = 64 << 20, OBSERVE_BUF = 1 << 20 };

struct observer {
	struct volume *v;
	struct model *m;
	char *why;
	size_t cap;
	uint8_t *buf;
};

struct names {
	char (*list)[VOLUME_NAME_MAX + 1]; /* owned */
	size_t n;
};

static int failed(struct observer *o, const char *what, int rc)
{
	(void)snprintf(o->why, o->cap, "observing: %s says %d", what, rc);
	return rc;
}

static bool take_name(void *ctx, struct span name,
		      const struct volume_attr *attr, uint64_t next)
{
	struct names *names = ctx;

	(void)attr;
	(void)next;
	if (name.ptr[0] == '.' &&
	    (name.len == 1 || (name.len == 2 && name.ptr[1] == '.')))
		return true;
	names->list =
		realloc(names->list, (names->n + 1) * sizeof(*names->list));
	if (!names->list)
		abort();
	memcpy(names->list[names->n], name.ptr, name.len);
	names->list[names->n++][name.len] = '\0';
	return true;
}

static void set_attr(struct model_node *node, const struct volume_attr *attr)
{
	node->ino = attr->ino;
	node->generation = attr->generation;
	node->mode = attr->mode;
	node->uid = attr->uid;
	node->gid = attr->gid;
	node->rdev = attr->rdev;
	node->btime = (struct timespec){ .tv_sec = attr->btime.sec,
					 .tv_nsec = attr->btime.nsec };
	node->reserved = true;
}

static int observe_content(struct observer *o, uint32_t id, uint64_t size)
{
	uint64_t ino = model_get(o->m, id)->ino;
	uint64_t off = 0;

	if (size > OBSERVE_MAX)
		return failed(o, "a file of unbelievable size", -EFBIG);
	while (off < size) {
		struct file_read r;
		int rc = file_read(o->v, ino, off, OBSERVE_BUF, &r);

		if (rc)
			return failed(o, "read", rc);
		for (int i = 0; i < r.n_iov; i++) {
			(void)model_write(o->m, id, off, r.iov[i].iov_base,
					  r.iov[i].iov_len);
			off += r.iov[i].iov_len;
		}
		file_read_done(&r);
		if (r.len == 0)
			return failed(o, "read before the end", -EIO);
	}
	return model_resize(o->m, id, size);
}

static int observe_xattrs(struct observer *o, uint32_t id)
{
	uint64_t ino = model_get(o->m, id)->ino;
	char names[16384];
	ssize_t len = volume_listxattr(o->v, ino, names, sizeof(names));

	if (len < 0)
		return failed(o, "listxattr", (int)len);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n = volume_getxattr(
			o->v, ino, span_of(names + at, strlen(names + at)),
			o->buf, OBSERVE_BUF);

		if (n < 0)
			return failed(o, "getxattr", (int)n);
		(void)model_setxattr(o->m, id, names + at,
				     (struct model_value){ .bytes = o->buf,
							   .len = (size_t)n },
				     0);
	}
	return 0;
}

static int observe_inside(struct observer *o, uint32_t id,
			  const struct volume_attr *attr);

/* A name of `dir`: a new node, or one more name of one that is there. */
static int observe_name(struct observer *o, uint32_t dir, const char *name)
{
	struct model_new_node what = { 0 };
	struct volume_attr attr;
	char target[VOLUME_SYMLINK_MAX + 1];
	uint32_t id;
	int rc = volume_lookup(o->v, model_get(o->m, dir)->ino,
			       span_of(name, strlen(name)), &attr);

	if (rc)
		return failed(o, "lookup of a listed name", rc);
	volume_forget(o->v, attr.ino, 1);
	for (id = 0; id < o->m->n_nodes; id++)
		if (model_get(o->m, id)->ino == attr.ino)
			return model_link(o->m, id, dir, name)
				       ? failed(o, "a second directory entry",
						-EUCLEAN)
				       : 0;
	what.mode = attr.mode;
	if (S_ISLNK(attr.mode)) {
		ssize_t n = volume_readlink(o->v, attr.ino, target,
					    VOLUME_SYMLINK_MAX);

		if (n < 0)
			return failed(o, "readlink", (int)n);
		target[n] = '\0';
		what.target = target;
	}
	rc = model_make(o->m, dir, name, &what, &id);
	if (rc)
		return failed(o, "a name that is told twice", rc);
	set_attr(model_get(o->m, id), &attr);
	return observe_inside(o, id, &attr);
}

static int observe_inside(struct observer *o, uint32_t id,
			  const struct volume_attr *attr)
{
	struct names names = { 0 };
	int rc = observe_xattrs(o, id);

	if (!rc && S_ISREG(attr->mode))
		rc = observe_content(o, id, attr->size);
	if (rc || !S_ISDIR(attr->mode))
		return rc;
	rc = volume_readdir(
		o->v, attr->ino, 0,
		&(struct volume_lister){ false, take_name, &names });
	if (rc)
		rc = failed(o, "readdir", rc);
	for (size_t i = 0; i < names.n && !rc; i++)
		rc = observe_name(o, id, names.list[i]);
	free(names.list);
	return rc;
}

/* The counts of links that the volume tells, against those of the names. */
static int check_links(struct observer *o)
{
	struct volume_attr attr;

	for (uint32_t id = 0; id < o->m->n_nodes; id++) {
		const struct model_node *node = model_get(o->m, id);
		int rc = volume_getattr(o->v, node->ino, &attr);

		if (rc)
			return failed(o, "getattr", rc);
		if (attr.nlink == node->nlink)
			continue;
		(void)snprintf(
			o->why, o->cap, "inode %llu has nlink %u and %u names",
			(unsigned long long)attr.ino, attr.nlink, node->nlink);
		return -EUCLEAN;
	}
	return 0;
}

struct model *observe_volume(struct volume *v, char *why, size_t cap)
{
	struct observer o = {
		.v = v, .m = model_new(), .cap = cap, .buf = malloc(OBSERVE_BUF)
	};
	struct volume_attr attr;
	int rc = volume_getattr(v, VOLUME_ROOT, &attr);

	o.why = why;
	if (!o.buf)
		abort();
	if (rc) {
		(void)failed(&o, "getattr of the root", rc);
	} else {
		set_attr(model_get(o.m, MODEL_ROOT), &attr);
		rc = observe_inside(&o, MODEL_ROOT, &attr);
	}
	if (!rc)
		rc = check_links(&o);
	free(o.buf);
	if (rc) {
		model_free(o.m);
		return NULL;
	}
	return o.m;
}
