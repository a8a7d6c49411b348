/* SPDX-License-Identifier: MIT */
/*
 * salvage.c - makes a tree of what is left, and reads its files.
 *
 * Owns table `salvage_inode`: every inode that is to be copied, how many names it
 * has, whether its row was made up here, and where it has gone.
 */
#include "volume/salvage.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "store/chunk.h"
#include "store/db.h"
#include "volume/dirent.h"
#include "volume/filemap.h"
#include "volume/inode_row.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <stdlib.h>
#include <sys/stat.h>

struct salvage_rows {
	struct db_stmt *add;
	struct db_stmt *add_name;
	struct db_stmt *add_made;
	struct db_stmt *get;
	struct db_stmt *place;
	struct db_stmt *next;
	struct db_stmt *next_nameless;
	struct db_stmt *count;
};

static const char schema[] =
	"DROP TABLE IF EXISTS salvage_inode;"
	"CREATE TABLE salvage_inode(ino INTEGER PRIMARY KEY, names INTEGER NOT "
	"NULL, made INTEGER NOT NULL, path BLOB);";

int salvage_rows_new(struct salvage_rows **ret)
{
	struct salvage_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	*ret = rows;
	return 0;
}

void salvage_rows_free(struct salvage_rows *rows)
{
	free(rows);
}

int salvage_rows_attach(struct salvage_rows *rows, struct db *db)
{
	const struct {
		struct db_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &rows->add, "INSERT OR IGNORE INTO salvage_inode"
			      " VALUES(?1, 0, 0, NULL)" },
		{ &rows->add_name,
		  "INSERT INTO salvage_inode VALUES(?1, 1, 0, NULL)"
		  " ON CONFLICT(ino) DO UPDATE SET names = names + 1" },
		{ &rows->add_made,
		  "INSERT INTO salvage_inode VALUES(?1, 0, 1, NULL)"
		  " ON CONFLICT(ino) DO UPDATE SET made = 1" },
		{ &rows->get, "SELECT names, made, path IS NOT NULL, path"
			      " FROM salvage_inode WHERE ino=?1" },
		{ &rows->place,
		  "UPDATE salvage_inode SET path=?2 WHERE ino=?1" },
		{ &rows->next, "SELECT ino FROM salvage_inode WHERE ino>?1"
			       " AND path IS NULL ORDER BY ino LIMIT 1" },
		{ &rows->next_nameless,
		  "SELECT ino FROM salvage_inode WHERE ino>?1"
		  " AND path IS NULL AND names=0 ORDER BY ino LIMIT 1" },
		{ &rows->count, "SELECT count(*) FROM salvage_inode" },
	};
	int rc = db_exec(db, schema);

	for (size_t i = 0; i < ARRAY_LEN(list) && !rc; i++)
		rc = db_prepare(db, list[i].sql, list[i].stmt);
	return rc;
}

static int run_for(struct volume *v, struct db_stmt *stmt, uint64_t ino)
{
	int rc;

	db_bind_u64(stmt, 0, ino);
	rc = db_run(stmt);
	return rc ? rc : salvage_save(v->store, 1);
}

/* INDEX is held. */
static int load_row(struct volume *v, uint64_t ino, struct salvage_node *ret)
{
	struct db_stmt *get = v->salvage->get;
	int rc;

	db_bind_u64(get, 0, ino);
	rc = db_step(get);
	if (rc == 1) {
		ret->n_names = db_column_u64(get, 0);
		ret->made = db_column_u64(get, 1) != 0;
		ret->placed = db_column_u64(get, 2) != 0;
	}
	db_reset(get);
	return rc == 0 ? -ENOENT : rc < 0 ? rc : 0;
}

/* ---- making up for what is lost ------------------------------------------------ */

/* An inode of which nothing is known but its type and size. */
static int make_inode(struct volume *v, uint64_t ino, uint32_t type,
		      uint64_t size)
{
	struct inode_image image = {
		.attr = { .mode = type | (type == S_IFDIR ? 0700 : 0600),
			  .nlink = type == S_IFDIR ? 2 : 1,
			  .size = size },
		.flags = INODE_HAS_XATTRS,
		.parent = type == S_IFDIR ? VOLUME_ROOT : 0,
	};
	uint8_t body[OP_INODE_MAX];
	int rc = inode_row_apply(
		v, span_of(body, op_inode_put(ino, &image, body)));

	return rc ? rc : run_for(v, v->salvage->add_made, ino);
}

/* 1: the row is there and makes sense. 0: there is none, any more. */
static int has_inode(struct volume *v, uint64_t ino, struct inode_image *ret)
{
	int rc = inode_row_load(v, ino, ret);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EUCLEAN)
		return inode_row_forget(v, ino);
	return rc < 0 ? rc : 1;
}

struct settling {
	struct volume *v;
	uint64_t parent; /* that was looked at last */
	uint64_t ino;    /* of the extents at hand; 0: none */
	uint64_t end;    /* of the last one */
	uint64_t n_made;
};

/* A file or link without a row, or with one that was made up. */
static int settle_data(struct settling *s, uint64_t ino, uint32_t type,
		       uint64_t size)
{
	struct salvage_node node = { .n_names = 0 };
	struct inode_image image;
	int rc = has_inode(s->v, ino, &image);

	if (rc < 0)
		return rc;
	if (rc == 1) {
		rc = load_row(s->v, ino, &node);
		if (rc == -ENOENT || (rc == 0 && !node.made))
			return 0;
		if (rc < 0 || (image.attr.mode & S_IFMT) != type)
			return rc;
	}
	return make_inode(s->v, ino, type, size);
}

static int add_row(void *ctx, uint64_t ino, const struct inode_image *image)
{
	struct settling *s = ctx;

	/* What has no links was deleted. */
	return image && image->attr.nlink > 0
		       ? run_for(s->v, s->v->salvage->add, ino)
		       : 0;
}

static int settle_parent(struct settling *s, uint64_t ino)
{
	struct inode_image image;
	int rc;

	if (ino == s->parent)
		return 0;
	s->parent = ino;
	rc = has_inode(s->v, ino, &image);
	if (rc == 0) {
		s->n_made++;
		rc = make_inode(s->v, ino, S_IFDIR, 0);
	}
	return rc < 0 ? rc : 0;
}

static int settle_name(void *ctx, const struct op_dirent *e)
{
	struct settling *s = ctx;
	struct inode_image image;
	int rc = settle_parent(s, e->parent);

	if (!rc)
		rc = has_inode(s->v, e->ino, &image);
	if (rc == 0) {
		s->n_made++;
		rc = make_inode(s->v, e->ino, (uint32_t)e->type << 12, 0);
	}
	return rc < 0 ? rc : run_for(s->v, s->v->salvage->add_name, e->ino);
}

static int settle_file(struct settling *s)
{
	return s->ino == 0 ? 0 : settle_data(s, s->ino, S_IFREG, s->end);
}

static int see_extent(void *ctx, uint64_t ino, const struct extent *e)
{
	struct settling *s = ctx;
	int rc = 0;

	if (ino != s->ino) {
		rc = settle_file(s);
		s->ino = ino;
		s->end = 0;
	}
	s->end = max_u64(s->end, extent_end(e));
	return rc;
}

static int see_xattr(void *ctx, const struct op_xattr *row)
{
	return row->name.len == 0
		       ? settle_data(ctx, row->ino, S_IFLNK, row->value.len)
		       : 0;
}

static int settle_root(struct volume *v)
{
	struct inode_image image;
	int rc = has_inode(v, VOLUME_ROOT, &image);

	if (rc == 0 || (rc == 1 && !S_ISDIR(image.attr.mode)))
		rc = make_inode(v, VOLUME_ROOT, S_IFDIR, 0);
	return rc < 0 ? rc : run_for(v, v->salvage->add_name, VOLUME_ROOT);
}

/* INDEX is held. */
static int settle_all(struct settling *s)
{
	struct volume *v = s->v;
	int rc = inode_rows_each(v, add_row, s);

	if (!rc)
		rc = settle_root(v);
	if (!rc)
		rc = dirents_each(v, settle_name, s);
	if (rc || (s->n_made == 0 && salvage_is_whole(v->store)))
		return rc;
	rc = filemap_each(v, see_extent, s);
	/* A row of the index that makes no sense ends it. */
	if (!rc || rc == -EUCLEAN)
		rc = settle_file(s);
	return rc ? rc : xattrs_each(v, see_xattr, s);
}

int salvage_settle(struct volume *v, uint64_t *ret_n)
{
	struct settling s = { .v = v };
	struct db_stmt *count = v->salvage->count;
	int rc;

	index_lock(v->store);
	rc = settle_all(&s);
	if (!rc && (rc = db_step(count)) == 1) {
		*ret_n = db_column_u64(count, 0);
		db_reset(count);
		rc = 0;
	}
	index_unlock(v->store);
	return rc;
}

/* ---- inodes ---------------------------------------------------------------------- */

static int load_node(struct volume *v, uint64_t ino, struct salvage_node *ret)
{
	struct inode_image image;
	int rc = load_row(v, ino, ret);

	if (!rc)
		rc = inode_row_load(v, ino, &image);
	if (rc)
		return rc;
	ret->attr = image.attr;
	ret->behind = image.flags & INODE_SIZE_BEHIND;
	return 0;
}

int salvage_get(struct volume *v, uint64_t ino, struct salvage_node *ret)
{
	int rc;

	*ret = (struct salvage_node){ .n_names = 0 };
	index_lock(v->store);
	rc = load_node(v, ino, ret);
	index_unlock(v->store);
	return rc;
}

int salvage_place(struct volume *v, uint64_t ino, struct span path)
{
	struct db_stmt *place = v->salvage->place;
	int rc;

	index_lock(v->store);
	db_bind_u64(place, 0, ino);
	/* A blob without a pointer would be NULL. */
	db_bind_blob(place, 1, path.len > 0 ? path : span_of("", 0));
	rc = db_run(place);
	if (!rc)
		rc = salvage_save(v->store, 1);
	index_unlock(v->store);
	return rc;
}

int salvage_path(struct volume *v, uint64_t ino, struct buffer *path)
{
	struct db_stmt *get = v->salvage->get;
	int rc;

	index_lock(v->store);
	db_bind_u64(get, 0, ino);
	rc = db_step(get);
	if (rc == 1)
		rc = buffer_append(path, db_column_blob(get, 3));
	else if (rc == 0)
		rc = -ENOENT;
	db_reset(get);
	index_unlock(v->store);
	return rc;
}

int salvage_next(struct volume *v, uint64_t after, bool nameless, uint64_t *ret)
{
	struct db_stmt *next =
		nameless ? v->salvage->next_nameless : v->salvage->next;
	uint64_t ino = 0;
	int rc;

	index_lock(v->store);
	db_bind_u64(next, 0, after);
	rc = db_step(next);
	if (rc == 1)
		ino = db_column_u64(next, 0);
	db_reset(next);
	index_unlock(v->store);
	if (rc < 0)
		return rc;
	/* In a table that is damaged the way could be a circle. */
	*ret = ino > after ? ino : 0;
	return 0;
}

/* ---- files --------------------------------------------------------------------------- */

struct file_reading {
	struct volume *v;
	uint64_t size;
	uint64_t mapped;
	salvage_fn *fn;
	void *ctx;
};

/* What follows from lost memory, or a lost reader, is no loss of the store. */
static bool is_ours(int rc)
{
	return rc == -ENOMEM;
}

static int read_extent(struct file_reading *r, const struct extent *e)
{
	struct salvage_part part = { .off = e->off };
	struct chunk_view view = { .cached = NULL };
	int rc;

	part.len = min_u64(e->len, r->size - e->off);
	r->mapped += e->len;
	if (e->kind != EXTENT_CHUNK)
		return 0;
	rc = chunk_get(r->v->store, e->chunk, &view);
	if (is_ours(rc))
		return rc;
	if (rc == 0 && e->chunk_off < view.bytes.len &&
	    part.len <= view.bytes.len - e->chunk_off)
		part.bytes = view.bytes.ptr + e->chunk_off;
	rc = r->fn(r->ctx, &part);
	chunk_put(&view);
	return rc;
}

/* The extents of the leaf from `off` on; none twice, whatever it says. */
static int read_leaf(struct file_reading *r, const struct leaf *leaf,
		     uint64_t off)
{
	int rc = 0;

	for (size_t i = 0; i < leaf->n && !rc; i++) {
		const struct extent *e = &leaf->extents[i];

		if (e->off < off)
			continue;
		if (e->off >= r->size)
			break;
		rc = read_extent(r, e);
		off = extent_end(e);
	}
	return rc;
}

static int lose_rest(struct file_reading *r, uint64_t off)
{
	const struct salvage_part part = { .off = off, .len = r->size - off };

	return r->fn(r->ctx, &part);
}

int salvage_read(struct volume *v, const struct salvage_node *node,
		 salvage_fn *fn, void *ctx, uint64_t *ret_unsure)
{
	struct file_reading r = {
		.v = v,
		.size = node->attr.size,
		.fn = fn,
		.ctx = ctx,
	};
	uint64_t allocated = node->attr.allocated;
	uint64_t off = 0;
	int rc = 0;

	while (off < r.size && !rc) {
		struct leaf *leaf = NULL;

		index_lock(v->store);
		rc = filemap_leaf(v, node->attr.ino, off, &leaf);
		index_unlock(v->store);
		if (is_ours(rc))
			return rc;
		if (rc)
			return lose_rest(&r, off);
		rc = read_leaf(&r, leaf, off);
		off = leaf->to;
		leaf_put(leaf);
	}
	*ret_unsure = 0;
	if (!rc && !node->made && !node->behind)
		*ret_unsure = r.mapped > allocated ? r.mapped - allocated
						   : allocated - r.mapped;
	return rc;
}
