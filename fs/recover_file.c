/* SPDX-License-Identifier: MIT */
/*
 * recover_file.c - one inode: its data, attributes, further names.
 */
#include "recover.h"

#include "base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	TRIES_MAX = 100,       /* names, when one is taken */
	SUFFIX_MAX = 32,       /* bytes */
	XATTRS_MAX = 64 << 10, /* bytes of names, as Linux has it */
	PATH_LIMIT = 64 << 20,
};

/* How salvage_path() begins: whether what was placed is partial. */
enum { PLACED_WHOLE = 'w', PLACED_PARTIAL = 'p' };

bool recover_is_fatal(int rc)
{
	return rc == -ENOMEM || rc == -ENOSPC || rc == -EDQUOT ||
	       rc == -EROFS || rc == -EIO || rc == -EMFILE || rc == -ENFILE ||
	       rc == -ECANCELED;
}

int recover_check_stop(const struct recover *r)
{
	return r->stop && *r->stop ? -ECANCELED : 0;
}

void recover_tell(struct recover *r, struct recover_finding f)
{
	/* A path without its end is better than none. */
	bool ended = buffer_append_u8(&r->path, 0) == 0;

	f.path = ended ? (const char *)r->path.data : "";
	r->finding(r->ctx, &f);
	if (ended)
		r->path.len--;
}

int recover_push(struct recover *r, const char *name, size_t *ret_len)
{
	size_t len = r->path.len;
	int rc = len > 0 ? buffer_append_u8(&r->path, '/') : 0;

	if (rc == 0)
		rc = buffer_append(&r->path, span_of(name, strlen(name)));
	if (rc < 0)
		r->path.len = len;
	else
		*ret_len = len;
	return rc;
}

/* r->path ends with `old`: with `new` from now on. */
static int swap_name(struct recover *r, const char *old, const char *new)
{
	r->path.len -= strlen(old);
	return buffer_append(&r->path, span_of(new, strlen(new)));
}

/* ---- names ------------------------------------------------------------------- */

/* `name` with something behind it, cut to what a name may have. */
static void add_suffix(char name[NAME_MAX + 1], const char *suffix)
{
	size_t len = strlen(name);
	size_t room = NAME_MAX - strlen(suffix);

	if (len > room)
		len = room;
	(void)snprintf(name + len, NAME_MAX + 1 - len, "%s", suffix);
}

static void next_name(char name[NAME_MAX + 1], const char *wanted, unsigned n)
{
	char suffix[SUFFIX_MAX];

	(void)snprintf(name, NAME_MAX + 1, "%s", wanted);
	(void)snprintf(suffix, sizeof(suffix), "~%u", n);
	add_suffix(name, suffix);
}

int recover_make(struct recover *r, uint64_t ino, struct restore_name *name,
		 recover_maker *make, void *ctx)
{
	char wanted[NAME_MAX + 1];
	char first[NAME_MAX + 1];
	unsigned n;
	int rc = make(ctx, name);

	memcpy(first, name->text, sizeof(first));
	memcpy(wanted, name->text, sizeof(wanted));
	/* Not every filesystem takes all names that ours takes. */
	if (rc == -EINVAL || rc == -EILSEQ || rc == -ENAMETOOLONG) {
		(void)snprintf(wanted, sizeof(wanted), "#%llu",
			       (unsigned long long)ino);
		memcpy(name->text, wanted, sizeof(wanted));
		rc = make(ctx, name);
	}
	for (n = 2; rc == -EEXIST && n <= TRIES_MAX; n++) {
		next_name(name->text, wanted, n);
		rc = make(ctx, name);
	}
	if (rc < 0 || strcmp(first, name->text) == 0)
		return rc;
	if (swap_name(r, first, name->text) < 0)
		return -ENOMEM;
	recover_tell(r, (struct recover_finding){ .what = RECOVER_RENAMED });
	return rc;
}

/* ---- attributes ---------------------------------------------------------------- */

static int copy_xattr(struct recover *r, uint64_t ino,
		      const struct restore_name *name, int fd, const char *key)
{
	struct span k = span_of(key, strlen(key));
	ssize_t n;
	int rc;

	buffer_clear(&r->value);
	rc = buffer_reserve(&r->value, VOLUME_XATTR_MAX);
	if (rc < 0)
		return rc;
	n = volume_getxattr(r->volume, ino, k, r->value.data, VOLUME_XATTR_MAX);
	rc = n < 0 ? (int)n
		   : restore_xattr(name, fd, key,
				   span_of(r->value.data, (size_t)n));
	if (rc < 0 && rc != -ENOSPC)
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_XATTR_NOT_SET,
					.key = key,
					.rc = rc });
	return recover_is_fatal(rc) ? rc : 0;
}

static int copy_xattrs(struct recover *r, uint64_t ino,
		       const struct restore_name *name, int fd)
{
	char *keys = malloc(XATTRS_MAX);
	ssize_t n;
	ssize_t at = 0;
	int rc = 0;

	if (!keys)
		return -ENOMEM;
	n = volume_listxattr(r->volume, ino, keys, XATTRS_MAX);
	if (n < 0)
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_XATTR_NOT_SET,
					.key = "",
					.rc = (int)n });
	while (rc == 0 && at < n) {
		rc = copy_xattr(r, ino, name, fd, keys + at);
		at += (ssize_t)strlen(keys + at) + 1;
	}
	free(keys);
	return rc;
}

int recover_attrs(struct recover *r, const struct salvage_node *node,
		  const struct restore_name *name, int fd)
{
	bool owner = node->made;
	int rc;

	/* It comes first: a new owner costs a file its capabilities. */
	if (!node->made) {
		owner = restore_owner(name, fd, &node->attr);
		r->counts.n_owners += !owner;
	}
	rc = copy_xattrs(r, node->attr.ino, name, fd);
	if (rc < 0 || node->made)
		return rc;
	rc = restore_attrs(name, fd, &node->attr, owner);
	if (rc < 0)
		recover_tell(r,
			     (struct recover_finding){
				     .what = RECOVER_ATTRS_NOT_SET, .rc = rc });
	return recover_is_fatal(rc) ? rc : 0;
}

/* ---- files ----------------------------------------------------------------------- */

/* A file that is being written. */
struct copying {
	struct recover *r;
	int fd;
	uint64_t lost_from; /* a range that is lost so far */
	uint64_t lost_to;
	bool partial;
};

static void end_lost(struct copying *c)
{
	if (c->lost_from == c->lost_to)
		return;
	c->partial = true;
	c->r->counts.n_lost += c->lost_to - c->lost_from;
	recover_tell(c->r, (struct recover_finding){ .what = RECOVER_RANGE_LOST,
						     .from = c->lost_from,
						     .to = c->lost_to });
	c->lost_from = c->lost_to;
}

static int copy_part(void *ctx, const struct salvage_part *part)
{
	struct copying *c = ctx;

	if (!part->bytes && part->off == c->lost_to) {
		c->lost_to += part->len;
		return 0;
	}
	end_lost(c);
	if (!part->bytes) {
		c->lost_from = part->off;
		c->lost_to = part->off + part->len;
		return 0;
	}
	if (recover_check_stop(c->r) < 0)
		return -ECANCELED;
	c->r->counts.n_bytes += part->len;
	return io_pwrite(c->fd, part->bytes, (size_t)part->len, part->off);
}

static int copy_data(struct copying *c, const struct salvage_node *node)
{
	uint64_t unsure = 0;
	int rc = salvage_read(c->r->volume, node, copy_part, c, &unsure);

	end_lost(c);
	if (rc == 0 && unsure > 0) {
		c->partial = true;
		recover_tell(c->r, (struct recover_finding){
					   .what = RECOVER_HOLES_UNSURE,
					   .from = unsure });
	}
	if (rc == 0)
		rc = io_ftruncate(c->fd, node->attr.size);
	if (rc == 0 || recover_is_fatal(rc))
		return rc;
	/* It is too long for where it goes. */
	c->partial = true;
	recover_tell(c->r, (struct recover_finding){ .what = RECOVER_NOT_MADE,
						     .rc = rc });
	return 0;
}

/* Gives it a name that tells that it is not all there. */
struct marking {
	const char *old;
};

static int mark(void *ctx, const struct restore_name *name)
{
	const struct marking *m = ctx;

	return restore_rename(name, m->old);
}

static int mark_partial(struct recover *r, const struct salvage_node *node,
			struct restore_name *name)
{
	struct restore_name marked = *name;
	const struct marking m = { name->text };
	int rc;

	add_suffix(marked.text, RECOVER_PARTIAL);
	rc = swap_name(r, name->text, marked.text);
	if (rc == 0)
		rc = recover_make(r, node->attr.ino, &marked, mark,
				  (void *)(uintptr_t)&m);
	if (rc == 0)
		*name = marked;
	return rc;
}

/* It has been copied, under r->path. */
static int place(struct recover *r, const struct salvage_node *node,
		 bool partial)
{
	struct buffer path;
	int rc = 0;

	r->n_done++;
	r->progress(r->ctx, r->n_done, r->n_total);
	buffer_init(&path, PATH_LIMIT);
	if (node->n_names > 1) {
		rc = buffer_append_u8(&path,
				      partial ? PLACED_PARTIAL : PLACED_WHOLE);
		if (rc == 0)
			rc = buffer_append(&path, buffer_span(&r->path));
	}
	if (rc == 0)
		rc = salvage_place(r->volume, node->attr.ino,
				   buffer_span(&path));
	buffer_release(&path);
	return rc;
}

static int make_file(void *ctx, const struct restore_name *name)
{
	int *fd = ctx;

	*fd = restore_create(name);
	return *fd < 0 ? *fd : 0;
}

static int put_file(struct recover *r, const struct salvage_node *node,
		    struct restore_name *name)
{
	struct copying c = { .r = r, .fd = -1, .partial = node->made };
	int rc = recover_make(r, node->attr.ino, name, make_file, &c.fd);
	int later_rc;

	if (rc < 0)
		return rc;
	rc = copy_data(&c, node);
	if (rc == 0)
		rc = recover_attrs(r, node, name, c.fd);
	/* Some filesystems say only here that there was no room. */
	later_rc = io_close(c.fd);
	rc = rc < 0 ? rc : later_rc;
	/* What ends all in the middle of a file leaves that. */
	c.partial = c.partial || rc < 0;
	if (c.partial) {
		later_rc = mark_partial(r, node, name);
		rc = rc < 0 ? rc : later_rc;
	}
	r->counts.n_files++;
	r->counts.n_partial += c.partial;
	return rc == 0 ? place(r, node, c.partial) : rc;
}

/* ---- the rest -------------------------------------------------------------------- */

struct making {
	const struct salvage_node *node;
	const char *target;
};

static int make_node(void *ctx, const struct restore_name *name)
{
	const struct making *m = ctx;

	return restore_node(name, &m->node->attr, m->target);
}

static int put_node(struct recover *r, const struct salvage_node *node,
		    struct restore_name *name)
{
	char target[VOLUME_SYMLINK_MAX + 1] = "";
	const struct making m = { node, target };
	ssize_t n;
	int rc;

	if (S_ISLNK(node->attr.mode)) {
		n = volume_readlink(r->volume, node->attr.ino, target,
				    sizeof(target) - 1);
		if (n < 0)
			return (int)n;
		target[n] = '\0';
	}
	rc = recover_make(r, node->attr.ino, name, make_node,
			  (void *)(uintptr_t)&m);
	if (rc == 0)
		rc = recover_attrs(r, node, name, -1);
	r->counts.n_others += rc == 0;
	return rc == 0 ? place(r, node, false) : rc;
}

struct linking {
	int root_fd;
	const char *path;
};

static int make_link(void *ctx, const struct restore_name *name)
{
	const struct linking *l = ctx;

	return restore_link(l->root_fd, l->path, name);
}

/* One more name of what is there already. */
static int put_link(struct recover *r, const struct salvage_node *node,
		    struct restore_name *name)
{
	char old[NAME_MAX + 1];
	struct linking l = { .root_fd = r->root_fd };
	struct buffer path;
	int rc;

	memcpy(old, name->text, sizeof(old));
	buffer_init(&path, PATH_LIMIT);
	rc = salvage_path(r->volume, node->attr.ino, &path);
	if (rc == 0 && path.len == 0)
		rc = -ENOENT;
	if (rc == 0)
		rc = buffer_append_u8(&path, 0);
	if (rc == 0) {
		l.path = (const char *)path.data + 1;
		if (path.data[0] == PLACED_PARTIAL) {
			add_suffix(name->text, RECOVER_PARTIAL);
			rc = swap_name(r, old, name->text);
		}
		if (rc == 0)
			rc = recover_make(r, node->attr.ino, name, make_link,
					  &l);
	}
	buffer_release(&path);
	r->counts.n_links += rc == 0;
	return rc;
}

static int put(struct recover *r, const struct salvage_node *node,
	       struct restore_name *name)
{
	if (node->placed)
		return put_link(r, node, name);
	return S_ISREG(node->attr.mode) ? put_file(r, node, name)
					: put_node(r, node, name);
}

int recover_put(struct recover *r, const struct salvage_node *node,
		struct restore_name *name)
{
	int rc;

	if (node->made && !node->placed)
		recover_tell(r, (struct recover_finding){
					.what = RECOVER_ATTRS_LOST });
	rc = put(r, node, name);
	if (rc == 0 || recover_is_fatal(rc))
		return rc;
	recover_tell(r, (struct recover_finding){ .what = RECOVER_NOT_MADE,
						  .rc = rc });
	/* It is not to be tried again. */
	return node->placed ? 0 : place(r, node, true);
}
