/* SPDX-License-Identifier: MIT */
/*
 * model.c - the names and attributes of the model.
 */
#include "lib/model.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "lib/model_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#ifndef RENAME_NOREPLACE
# define RENAME_NOREPLACE 1
# define RENAME_EXCHANGE  2
#endif

void *model_alloc(void *old, size_t len)
{
	void *p = realloc(old, len ? len : 1);

	if (!p)
		abort();
	return p;
}

static char *copy_text(const char *text)
{
	size_t len = strlen(text) + 1;

	return memcpy(model_alloc(NULL, len), text, len);
}

/* ---- nodes ------------------------------------------------------------------ */

static uint32_t add_node(struct model *m)
{
	struct model_node *node = model_alloc(NULL, sizeof(*node));

	memset(node, 0, sizeof(*node));
	node->name_step = node->data_step = m->step;
	m->nodes = model_alloc(m->nodes,
			       (m->n_nodes + (size_t)1) * sizeof(void *));
	m->nodes[m->n_nodes] = node;
	return m->n_nodes++;
}

static void free_node(struct model_node *node)
{
	size_t i;

	if (!node)
		return;
	for (i = 0; i < node->n_pages; i++)
		free(node->pages[i].bytes);
	for (i = 0; i < node->n_entries; i++)
		free(node->entries[i].name);
	for (i = 0; i < node->n_xattrs; i++) {
		free(node->xattrs[i].name);
		free(node->xattrs[i].value);
	}
	free(node->pages);
	free(node->entries);
	free(node->xattrs);
	free(node->target);
	free(node);
}

struct model *model_new(void)
{
	struct model *m = model_alloc(NULL, sizeof(*m));
	struct model_node *root;

	*m = (struct model){ 0 };
	(void)add_node(m);
	root = m->nodes[MODEL_ROOT];
	root->mode = S_IFDIR | 0755;
	root->nlink = 2;
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->n_nodes; i++)
		free_node(m->nodes[i]);
	free(m->nodes);
	free(m);
}

static struct model_node *clone_node(const struct model_node *from)
{
	struct model_node *node = model_alloc(NULL, sizeof(*node));
	size_t i;

	*node = *from;
	node->pages = model_alloc(NULL, from->n_pages * sizeof(*node->pages));
	for (i = 0; i < from->n_pages; i++) {
		node->pages[i].no = from->pages[i].no;
		node->pages[i].bytes = memcpy(model_alloc(NULL, MODEL_PAGE),
					      from->pages[i].bytes, MODEL_PAGE);
	}
	node->entries =
		model_alloc(NULL, from->n_entries * sizeof(*node->entries));
	for (i = 0; i < from->n_entries; i++) {
		node->entries[i].id = from->entries[i].id;
		node->entries[i].name = copy_text(from->entries[i].name);
	}
	node->xattrs =
		model_alloc(NULL, from->n_xattrs * sizeof(*node->xattrs));
	for (i = 0; i < from->n_xattrs; i++) {
		const struct model_xattr *x = &from->xattrs[i];

		node->xattrs[i].name = copy_text(x->name);
		node->xattrs[i].len = x->len;
		node->xattrs[i].value =
			memcpy(model_alloc(NULL, x->len), x->value, x->len);
	}
	if (from->target)
		node->target = copy_text(from->target);
	return node;
}

struct model *model_clone(const struct model *from)
{
	struct model *m = model_alloc(NULL, sizeof(*m));

	*m = *from;
	m->nodes = model_alloc(NULL, from->n_nodes * sizeof(void *));
	for (uint32_t i = 0; i < m->n_nodes; i++)
		m->nodes[i] =
			from->nodes[i] ? clone_node(from->nodes[i]) : NULL;
	return m;
}

struct model_node *model_get(const struct model *m, uint32_t id)
{
	return id < m->n_nodes ? m->nodes[id] : NULL;
}

bool model_is_dir(const struct model_node *node)
{
	return S_ISDIR(node->mode);
}

bool model_is_file(const struct model_node *node)
{
	return S_ISREG(node->mode);
}

bool model_is_linked(const struct model_node *node)
{
	return node->nlink > 0;
}

void model_drop(struct model *m, uint32_t id)
{
	free_node(m->nodes[id]);
	m->nodes[id] = NULL;
}

/* ---- entries ------------------------------------------------------------------ */

/* Index of `name`, or of where it would stand. */
static size_t entry_index(const struct model_node *dir, const char *name)
{
	size_t lo = 0;
	size_t hi = dir->n_entries;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(dir->entries[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t model_find(const struct model *m, uint32_t dir, const char *name)
{
	const struct model_node *d = m->nodes[dir];
	size_t i = entry_index(d, name);

	if (i == d->n_entries || strcmp(d->entries[i].name, name) != 0)
		return MODEL_NONE;
	return d->entries[i].id;
}

bool model_where(const struct model *m, uint32_t id, uint32_t *ret_dir,
		 const char **ret_name)
{
	for (uint32_t d = 0; d < m->n_nodes; d++) {
		const struct model_node *dir = m->nodes[d];

		for (size_t i = 0; dir && i < dir->n_entries; i++) {
			if (dir->entries[i].id != id)
				continue;
			*ret_dir = d;
			*ret_name = dir->entries[i].name;
			return true;
		}
	}
	return false;
}

void model_touched(struct model *m, uint32_t id)
{
	m->nodes[id]->name_step = m->step;
}

static void dir_changed(struct model *m, uint32_t dir)
{
	m->nodes[dir]->mtime_known = false;
	model_touched(m, dir);
}

static void add_entry(struct model *m, uint32_t dir, const char *name,
		      uint32_t id)
{
	struct model_node *d = m->nodes[dir];
	size_t i = entry_index(d, name);

	d->entries = model_alloc(d->entries,
				 (d->n_entries + 1) * sizeof(*d->entries));
	memmove(d->entries + i + 1, d->entries + i,
		(d->n_entries - i) * sizeof(*d->entries));
	d->entries[i] =
		(struct model_entry){ .name = copy_text(name), .id = id };
	d->n_entries++;
	if (model_is_dir(m->nodes[id])) {
		m->nodes[id]->parent = dir;
		d->nlink++;
	}
	dir_changed(m, dir);
	model_touched(m, id);
}

static void del_entry(struct model *m, uint32_t dir, const char *name)
{
	struct model_node *d = m->nodes[dir];
	size_t i = entry_index(d, name);

	if (model_is_dir(m->nodes[d->entries[i].id]))
		d->nlink--;
	model_touched(m, d->entries[i].id);
	free(d->entries[i].name);
	d->n_entries--;
	memmove(d->entries + i, d->entries + i + 1,
		(d->n_entries - i) * sizeof(*d->entries));
	dir_changed(m, dir);
}

/* 0, or why no name can be in `dir`. */
static int dir_usable(const struct model *m, uint32_t dir, const char *name)
{
	const struct model_node *d = m->nodes[dir];

	if (!model_is_dir(d))
		return -ENOTDIR;
	if (strlen(name) > MODEL_NAME_MAX)
		return -ENAMETOOLONG;
	return model_is_linked(d) ? 0 : -ENOENT;
}

int model_make(struct model *m, uint32_t dir, const char *name,
	       const struct model_new_node *what, uint32_t *ret_id)
{
	int rc = dir_usable(m, dir, name);
	struct model_node *node;
	uint32_t id;

	if (rc)
		return rc;
	if (model_find(m, dir, name) != MODEL_NONE)
		return -EEXIST;
	id = add_node(m);
	node = m->nodes[id];
	node->mode = what->mode;
	node->uid = what->uid;
	node->gid = what->gid;
	node->rdev = what->rdev;
	if (m->nodes[dir]->mode & S_ISGID) {
		node->gid = m->nodes[dir]->gid;
		if (model_is_dir(node))
			node->mode |= S_ISGID;
	}
	node->nlink = model_is_dir(node) ? 2 : 1;
	if (what->target)
		node->target = copy_text(what->target);
	add_entry(m, dir, name, id);
	*ret_id = id;
	return 0;
}

int model_link(struct model *m, uint32_t id, uint32_t dir, const char *name)
{
	int rc = dir_usable(m, dir, name);

	if (rc)
		return rc;
	if (model_find(m, dir, name) != MODEL_NONE)
		return -EEXIST;
	if (model_is_dir(m->nodes[id]))
		return -EPERM;
	if (!model_is_linked(m->nodes[id]))
		return -ENOENT;
	m->nodes[id]->nlink++;
	add_entry(m, dir, name, id);
	return 0;
}

/* Takes a link from `id`, which a name stands for no longer. */
static void unlinked(struct model *m, uint32_t id)
{
	struct model_node *node = m->nodes[id];

	if (model_is_dir(node))
		node->nlink = 0;
	else
		node->nlink--;
	model_touched(m, id);
}

int model_unlink(struct model *m, uint32_t dir, const char *name)
{
	int rc = dir_usable(m, dir, name);
	uint32_t id;

	if (rc)
		return rc;
	id = model_find(m, dir, name);
	if (id == MODEL_NONE)
		return -ENOENT;
	if (model_is_dir(m->nodes[id]))
		return -EISDIR;
	del_entry(m, dir, name);
	unlinked(m, id);
	return 0;
}

int model_rmdir(struct model *m, uint32_t dir, const char *name)
{
	int rc = dir_usable(m, dir, name);
	uint32_t id;

	if (rc)
		return rc;
	id = model_find(m, dir, name);
	if (id == MODEL_NONE)
		return -ENOENT;
	if (!model_is_dir(m->nodes[id]))
		return -ENOTDIR;
	if (m->nodes[id]->n_entries > 0)
		return -ENOTEMPTY;
	del_entry(m, dir, name);
	unlinked(m, id);
	return 0;
}

/* Whether `id` is `dir` or above it. */
static bool is_above(const struct model *m, uint32_t id, uint32_t dir)
{
	while (dir != id && dir != MODEL_ROOT)
		dir = m->nodes[dir]->parent;
	return dir == id;
}

/* The order of the questions is that of Linux' do_renameat2(). */
static int rename_allowed(const struct model *m, const struct model_place *from,
			  const struct model_place *to, unsigned flags)
{
	uint32_t src = model_find(m, from->dir, from->name);
	uint32_t dst = model_find(m, to->dir, to->name);
	bool src_dir, dst_dir;

	if (src == MODEL_NONE)
		return -ENOENT;
	if ((flags & RENAME_NOREPLACE) && dst != MODEL_NONE)
		return -EEXIST;
	if ((flags & RENAME_EXCHANGE) && dst == MODEL_NONE)
		return -ENOENT;
	src_dir = model_is_dir(m->nodes[src]);
	if (src_dir && is_above(m, src, to->dir))
		return -EINVAL;
	if (dst == MODEL_NONE)
		return 0;
	dst_dir = model_is_dir(m->nodes[dst]);
	if (dst_dir && is_above(m, dst, from->dir))
		return flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (src == dst || (flags & RENAME_EXCHANGE))
		return 0;
	if (src_dir != dst_dir)
		return src_dir ? -ENOTDIR : -EISDIR;
	return dst_dir && m->nodes[dst]->n_entries > 0 ? -ENOTEMPTY : 0;
}

int model_rename(struct model *m, const struct model_place *from,
		 const struct model_place *to, unsigned flags)
{
	uint32_t src, dst;
	int rc;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	rc = dir_usable(m, from->dir, from->name);
	if (!rc)
		rc = dir_usable(m, to->dir, to->name);
	if (!rc)
		rc = rename_allowed(m, from, to, flags);
	if (rc)
		return rc;
	src = model_find(m, from->dir, from->name);
	dst = model_find(m, to->dir, to->name);
	if (src == dst)
		return 0;
	if (dst != MODEL_NONE)
		del_entry(m, to->dir, to->name);
	del_entry(m, from->dir, from->name);
	add_entry(m, to->dir, to->name, src);
	if (flags & RENAME_EXCHANGE)
		add_entry(m, from->dir, from->name, dst);
	else if (dst != MODEL_NONE)
		unlinked(m, dst);
	return 0;
}

/* ---- xattrs ------------------------------------------------------------------- */

static size_t xattr_index(const struct model_node *node, const char *name)
{
	size_t i = 0;

	while (i < node->n_xattrs && strcmp(node->xattrs[i].name, name) < 0)
		i++;
	return i;
}

const struct model_xattr *model_xattr_find(const struct model_node *node,
					   const char *name)
{
	size_t i = xattr_index(node, name);

	if (i == node->n_xattrs || strcmp(node->xattrs[i].name, name) != 0)
		return NULL;
	return &node->xattrs[i];
}

int model_setxattr(struct model *m, uint32_t id, const char *name,
		   struct model_value value, int flags)
{
	struct model_node *node = m->nodes[id];
	bool there = model_xattr_find(node, name) != NULL;
	size_t i = xattr_index(node, name);

	if (there && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!there && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (!there) {
		node->xattrs = model_alloc(node->xattrs,
					   (node->n_xattrs + 1) *
						   sizeof(*node->xattrs));
		memmove(node->xattrs + i + 1, node->xattrs + i,
			(node->n_xattrs - i) * sizeof(*node->xattrs));
		node->xattrs[i] =
			(struct model_xattr){ .name = copy_text(name) };
		node->n_xattrs++;
	}
	node->xattrs[i].value = model_alloc(node->xattrs[i].value, value.len);
	node->xattrs[i].len = value.len;
	if (value.len > 0)
		memcpy(node->xattrs[i].value, value.bytes, value.len);
	model_touched(m, id);
	return 0;
}

int model_removexattr(struct model *m, uint32_t id, const char *name)
{
	struct model_node *node = m->nodes[id];
	size_t i = xattr_index(node, name);

	if (!model_xattr_find(node, name))
		return -ENODATA;
	free(node->xattrs[i].name);
	free(node->xattrs[i].value);
	node->n_xattrs--;
	memmove(node->xattrs + i, node->xattrs + i + 1,
		(node->n_xattrs - i) * sizeof(*node->xattrs));
	model_touched(m, id);
	return 0;
}

/* ---- comparing ------------------------------------------------------------------ */

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
	return hash64(span_of(bytes, len), h + len);
}

static uint64_t hash_text(uint64_t h, const char *text)
{
	return hash_bytes(h, text, strlen(text));
}

/* `seen[id]` is the place of a node in the walk, so that two names of one file
 * differ from two files. */
struct walk {
	const struct model *m;
	uint32_t *seen;
	uint32_t n_seen;
};

static uint64_t hash_node(struct walk *w, uint32_t id, uint64_t h)
{
	const struct model_node *node = w->m->nodes[id];
	size_t i;

	if (w->seen[id])
		return hash64_mix(h, w->seen[id]);
	w->seen[id] = ++w->n_seen;
	h = hash64_mix(h, w->seen[id]);
	h = hash64_mix(h, node->mode);
	h = hash64_mix(h, (uint64_t)node->uid << 32 | node->gid);
	h = hash64_mix(h, node->nlink);
	h = hash64_mix(h, node->rdev);
	if (node->target)
		h = hash_text(h, node->target);
	for (i = 0; i < node->n_xattrs; i++) {
		h = hash_text(h, node->xattrs[i].name);
		h = hash_bytes(h, node->xattrs[i].value, node->xattrs[i].len);
	}
	for (i = 0; i < node->n_entries; i++) {
		h = hash_text(h, node->entries[i].name);
		h = hash_node(w, node->entries[i].id, h);
	}
	return h;
}

uint64_t model_hash(const struct model *m)
{
	struct walk w = { .m = m };
	uint64_t h;

	w.seen = calloc(m->n_nodes, sizeof(*w.seen));
	if (!w.seen)
		abort();
	h = hash_node(&w, MODEL_ROOT, 0);
	free(w.seen);
	return h;
}

struct diff {
	const struct model *a, *b;
	char *text;
	size_t cap;
};

static bool differ(const struct diff *d, const char *name, const char *what,
		   uint64_t a, uint64_t b)
{
	if (a == b)
		return false;
	(void)snprintf(d->text, d->cap, "'%s': %s is %llo and %llo (octal)",
		       name, what, (unsigned long long)a,
		       (unsigned long long)b);
	return true;
}

static bool diff_xattrs(const struct diff *d, const char *name,
			const struct model_node *a, const struct model_node *b)
{
	size_t i;

	if (differ(d, name, "number of xattrs", a->n_xattrs, b->n_xattrs))
		return true;
	for (i = 0; i < a->n_xattrs; i++) {
		const struct model_xattr *x = &a->xattrs[i];
		const struct model_xattr *y = model_xattr_find(b, x->name);

		if (y && x->len == y->len &&
		    memcmp(x->value, y->value, x->len) == 0)
			continue;
		(void)snprintf(d->text, d->cap, "'%s': xattr '%s' differs",
			       name, x->name);
		return true;
	}
	return false;
}

static bool diff_node(const struct diff *d, const char *name, uint32_t ia,
		      uint32_t ib)
{
	const struct model_node *a = d->a->nodes[ia];
	const struct model_node *b = d->b->nodes[ib];
	size_t i;

	if (differ(d, name, "mode", a->mode, b->mode) ||
	    differ(d, name, "owner", a->uid, b->uid) ||
	    differ(d, name, "group", a->gid, b->gid) ||
	    differ(d, name, "nlink", a->nlink, b->nlink) ||
	    differ(d, name, "rdev", a->rdev, b->rdev) ||
	    diff_xattrs(d, name, a, b))
		return true;
	if (a->target && strcmp(a->target, b->target ? b->target : "") != 0) {
		(void)snprintf(d->text, d->cap, "'%s': target differs", name);
		return true;
	}
	for (i = 0; i < a->n_entries || i < b->n_entries; i++) {
		const char *x = i < a->n_entries ? a->entries[i].name : "\xff";
		const char *y = i < b->n_entries ? b->entries[i].name : "\xff";
		int order = strcmp(x, y);

		if (order != 0) {
			(void)snprintf(d->text, d->cap,
				       "'%.40s' in '%.40s' is only in the %s",
				       order < 0 ? x : y, name,
				       order < 0 ? "first" : "second");
			return true;
		}
		if (diff_node(d, x, a->entries[i].id, b->entries[i].id))
			return true;
	}
	return false;
}

bool model_diff(const struct model *a, const struct model *b, char *text,
		size_t cap)
{
	struct diff d = { .a = a, .b = b, .cap = cap };

	d.text = text;
	return diff_node(&d, "/", MODEL_ROOT, MODEL_ROOT);
}
