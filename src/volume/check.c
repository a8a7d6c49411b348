/* SPDX-License-Identifier: MIT */
/*
 * check.c - all tables of a volume, compared with each other.
 *
 * First the inodes are read into a sorted array, then the other tables are walked
 * once each, noting in the array what they say of an inode; at last each entry of
 * the array is judged.
 */
#include "volume/check.h"

#include "base/idmap.h"
#include "volume/data.h"
#include "volume/dirent.h"
#include "volume/filemap.h"
#include "volume/inode_row.h"
#include "volume/inodes.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <stdlib.h>
#include <sys/stat.h>

enum reach { REACH_UNKNOWN, REACH_WALKING, REACH_GOOD, REACH_BAD };

/* What is known of an inode. */
struct item {
	uint64_t ino;
	uint64_t parent;   /* by its image */
	uint64_t named_in; /* the directory of its last name; 0: none */
	uint64_t size;
	uint64_t allocated; /* by its image */
	uint64_t mapped;    /* bytes that extents cover */
	uint64_t target_len;
	uint32_t mode;
	uint32_t nlink;
	uint32_t n_names;
	uint32_t n_subdirs;
	bool flag_xattrs;
	bool flag_behind;
	bool has_xattrs;
	bool has_target;
	bool orphan; /* by the table of orphans */
	enum reach reach;
};

struct checking {
	struct volume *v;
	struct check_report *report;
	struct item *items; /* sorted by ino */
	size_t n_items;
	size_t cap_items;
	struct idmap refs; /* extents for each chunk */
	uint64_t n_inodes;
	uint64_t file_len;
	uint64_t last_ino; /* of the extent before */
	uint64_t last_end;
};

#define finding(c, ...) check_finding((c)->report, __VA_ARGS__)

typedef unsigned long long ull;

/* ---- reading ------------------------------------------------------------------------ */

static struct item *find_item(struct checking *c, uint64_t ino)
{
	size_t low = 0;
	size_t high = c->n_items;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->items[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low < c->n_items && c->items[low].ino == ino ? &c->items[low]
							    : NULL;
}

static int add_item(struct checking *c, const struct item *item)
{
	if (c->n_items == c->cap_items) {
		size_t cap = c->cap_items ? 2 * c->cap_items : 1024;
		struct item *items = realloc(c->items, cap * sizeof(*items));

		if (!items)
			return -ENOMEM;
		c->items = items;
		c->cap_items = cap;
	}
	c->items[c->n_items++] = *item;
	return 0;
}

static int read_inode(void *ctx, uint64_t ino, const struct inode_image *image)
{
	struct checking *c = ctx;
	struct item item = { .ino = ino };

	if (!image) {
		finding(c, "inode %llu: the row is damaged", (ull)ino);
		return 0;
	}
	item.parent = image->parent;
	item.size = image->attr.size;
	item.allocated = image->attr.allocated;
	item.mode = image->attr.mode;
	item.nlink = image->attr.nlink;
	item.flag_xattrs = image->flags & INODE_HAS_XATTRS;
	item.flag_behind = image->flags & INODE_SIZE_BEHIND;
	c->n_inodes++;
	if (S_ISREG(item.mode))
		c->file_len += item.size;
	return add_item(c, &item);
}

static int read_orphans(struct checking *c)
{
	uint64_t ino = 0;

	for (;;) {
		struct item *item;
		int rc = inode_row_orphan(c->v, ino, &ino);

		if (rc || ino == 0)
			return rc;
		item = find_item(c, ino);
		if (item)
			item->orphan = true;
		else
			finding(c, "orphan %llu: there is no such inode",
				(ull)ino);
	}
}

/* The place of a name: found where it is looked for, and only there. */
static int check_place(struct checking *c, const struct op_dirent *e)
{
	struct dirent_place place;
	int rc;

	if (!op_name_valid(e->name)) {
		finding(c, "directory %llu: entry %llu has a bad name",
			(ull)e->parent, (ull)e->cookie);
		return 0;
	}
	rc = dirent_find(c->v, e->parent, e->name, &place);
	if (!rc && (place.ino == 0 || place.cookie != e->cookie))
		finding(c,
			"directory %llu: entry %llu cannot be found by its name",
			(ull)e->parent, (ull)e->cookie);
	return rc;
}

static int read_name(void *ctx, const struct op_dirent *e)
{
	struct checking *c = ctx;
	struct item *dir = find_item(c, e->parent);
	struct item *item = find_item(c, e->ino);

	if (!dir || !S_ISDIR(dir->mode))
		finding(c, "entry %llu lies in %llu, which is no directory",
			(ull)e->cookie, (ull)e->parent);
	if (!item) {
		finding(c,
			"directory %llu: entry %llu names inode %llu, "
			"which is not there",
			(ull)e->parent, (ull)e->cookie, (ull)e->ino);
		return check_place(c, e);
	}
	item->n_names++;
	item->named_in = e->parent;
	if (dir && S_ISDIR(item->mode))
		dir->n_subdirs++;
	if (e->type != item->mode >> 12)
		finding(c,
			"directory %llu: entry %llu has type %u, "
			"inode %llu has %u",
			(ull)e->parent, (ull)e->cookie, e->type, (ull)e->ino,
			item->mode >> 12);
	return check_place(c, e);
}

static int read_xattr(void *ctx, const struct op_xattr *row)
{
	struct checking *c = ctx;
	struct item *item = find_item(c, row->ino);

	if (!item) {
		finding(c, "an attribute of inode %llu, which is not there",
			(ull)row->ino);
	} else if (row->name.len > 0) {
		item->has_xattrs = true;
	} else {
		item->has_target = true;
		item->target_len = row->value.len;
	}
	return 0;
}

static int count_ref(struct checking *c, uint64_t chunk)
{
	uint64_t *n = idmap_find(&c->refs, chunk);

	if (!n)
		return idmap_set(&c->refs, chunk, 1);
	(*n)++;
	return 0;
}

static int read_extent(void *ctx, uint64_t ino, const struct extent *e)
{
	struct checking *c = ctx;
	struct item *item = find_item(c, ino);

	if (ino == c->last_ino && e->off < c->last_end)
		finding(c, "inode %llu: extents overlap at %llu", (ull)ino,
			(ull)e->off);
	c->last_ino = ino;
	c->last_end = extent_end(e);
	if (!item || !S_ISREG(item->mode)) {
		finding(c, "extent at %llu of inode %llu, which is no file",
			(ull)e->off, (ull)ino);
	} else {
		item->mapped += e->len;
		if (e->kind == EXTENT_CHUNK && extent_end(e) > item->size &&
		    !item->flag_behind)
			finding(c, "inode %llu: data up to %llu, size %llu",
				(ull)ino, (ull)extent_end(e), (ull)item->size);
	}
	return e->kind == EXTENT_CHUNK ? count_ref(c, e->chunk) : 0;
}

/* ---- judging ------------------------------------------------------------------------ */

static bool is_root(const struct item *item)
{
	return item->ino == VOLUME_ROOT;
}

static void judge_dir(struct checking *c, const struct item *item)
{
	uint32_t want = item->nlink == 0 ? 0 : 2 + item->n_subdirs;

	if (item->nlink != want)
		finding(c, "directory %llu: %u links, should be %u",
			(ull)item->ino, item->nlink, want);
	if (item->nlink == 0 && item->n_subdirs > 0)
		finding(c, "directory %llu: removed, but not empty",
			(ull)item->ino);
	if (item->n_names > 1 || (is_root(item) && item->n_names > 0))
		finding(c, "directory %llu has %u names", (ull)item->ino,
			item->n_names);
	if (!is_root(item) && item->n_names > 0 &&
	    item->parent != item->named_in)
		finding(c, "directory %llu: parent %llu, but it lies in %llu",
			(ull)item->ino, (ull)item->parent, (ull)item->named_in);
}

static void judge_links(struct checking *c, const struct item *item)
{
	if (S_ISDIR(item->mode))
		judge_dir(c, item);
	else if (item->nlink != item->n_names)
		finding(c, "inode %llu: %u links, %u names", (ull)item->ino,
			item->nlink, item->n_names);
	if (item->nlink > 0 && item->n_names == 0 && !is_root(item))
		finding(c, "inode %llu has no name", (ull)item->ino);
	if (item->orphan != (item->nlink == 0))
		finding(c, "inode %llu: %u links, but %s orphans",
			(ull)item->ino, item->nlink,
			item->orphan ? "among the" : "not among the");
}

static void judge_content(struct checking *c, const struct item *item)
{
	if (item->mapped != item->allocated)
		finding(c, "inode %llu: %llu bytes are mapped, %llu allocated",
			(ull)item->ino, (ull)item->mapped,
			(ull)item->allocated);
	if (item->flag_xattrs != item->has_xattrs)
		finding(c, "inode %llu: has %s attributes, but says otherwise",
			(ull)item->ino, item->has_xattrs ? "" : "no");
	if (item->has_target != S_ISLNK(item->mode))
		finding(c, "inode %llu: %s target of a symbolic link",
			(ull)item->ino, item->has_target ? "a" : "no");
	else if (item->has_target && item->target_len != item->size)
		finding(c, "symbolic link %llu: size %llu, target %llu",
			(ull)item->ino, (ull)item->size, (ull)item->target_len);
}

/* Walks up from a directory until something is known, marking the way. Returns
 * what is true for all of it. */
static enum reach walk_up(struct checking *c, struct item *item)
{
	while (item && item->reach == REACH_UNKNOWN) {
		if (is_root(item))
			return REACH_GOOD;
		item->reach = REACH_WALKING;
		item = item->named_in ? find_item(c, item->named_in) : NULL;
	}
	return item && item->reach == REACH_GOOD ? REACH_GOOD : REACH_BAD;
}

static void settle_way(struct checking *c, struct item *item, enum reach reach)
{
	while (item && item->reach == REACH_WALKING) {
		item->reach = reach;
		item = find_item(c, item->named_in);
	}
}

static void judge_reach(struct checking *c, struct item *item)
{
	if (item->reach == REACH_UNKNOWN)
		settle_way(c, item, walk_up(c, item));
	/* What has no name at all was told already. */
	if (item->reach == REACH_BAD && item->named_in != 0)
		finding(c, "directory %llu cannot be reached from the root",
			(ull)item->ino);
}

static void judge(struct checking *c)
{
	struct item *root = find_item(c, VOLUME_ROOT);

	if (!root || !S_ISDIR(root->mode))
		finding(c, "there is no root directory");
	for (size_t i = 0; i < c->n_items; i++) {
		struct item *item = &c->items[i];

		judge_links(c, item);
		judge_content(c, item);
		if (S_ISDIR(item->mode) && !is_root(item))
			judge_reach(c, item);
	}
}

static int judge_totals(struct checking *c)
{
	struct store_stats stats;
	int rc = store_stat(c->v->store, &stats);

	if (rc)
		return rc;
	if (stats.totals[TOTAL_INODES] != c->n_inodes)
		finding(c, "%llu inodes, the total says %llu", (ull)c->n_inodes,
			(ull)stats.totals[TOTAL_INODES]);
	if (stats.totals[TOTAL_FILE_LEN] != c->file_len)
		finding(c, "%llu bytes in files, the total says %llu",
			(ull)c->file_len, (ull)stats.totals[TOTAL_FILE_LEN]);
	return 0;
}

/* ---- all ------------------------------------------------------------------------------ */

static int walk_tables(struct checking *c)
{
	int rc = inode_rows_each(c->v, read_inode, c);

	if (!rc)
		rc = read_orphans(c);
	if (!rc)
		rc = dirents_each(c->v, read_name, c);
	if (!rc)
		rc = xattrs_each(c->v, read_xattr, c);
	if (!rc)
		rc = filemap_each(c->v, read_extent, c);
	return rc;
}

/* Brings what is in memory into the tables. */
static int settle_rows(struct volume *v)
{
	int rc;

	if (store_writable(v->store))
		return 0;
	rc = flusher_run(v, true);
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = inodes_log_changed(v);
	txn_end(v->store);
	return rc;
}

int volume_check(struct volume *v, struct check_report *report)
{
	struct checking c = { .v = v, .report = report };
	int rc = settle_rows(v);

	if (rc)
		return rc;
	idmap_init(&c.refs);
	index_lock(v->store);
	rc = walk_tables(&c);
	index_unlock(v->store);
	if (!rc) {
		judge(&c);
		rc = judge_totals(&c);
	}
	free(c.items);
	if (!rc)
		rc = store_check(v->store, &c.refs, report);
	idmap_release(&c.refs);
	return rc;
}
