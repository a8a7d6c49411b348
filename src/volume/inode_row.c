/* SPDX-License-Identifier: MIT */
/* inode_row.c - tables `inode` and `orphan`, and the totals that follow. */
#include "volume/inode_row.h"

#include "base/error.h"
#include "store/db.h"
#include "store/dump.h"
#include "store/ops.h"
#include "volume/data.h"
#include "volume/ops.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <stdlib.h>
#include <sys/stat.h>

struct inode_rows {
	struct db_stmt *load;
	struct db_stmt *put;
	struct db_stmt *del;
	struct db_stmt *orphan_put;
	struct db_stmt *orphan_del;
	struct db_stmt *orphan_next;
	struct db_stmt *all;
	struct db_stmt *page;
};

const char inode_row_schema[] =
	"CREATE TABLE inode(ino INTEGER PRIMARY KEY, image BLOB NOT NULL);"
	"CREATE TABLE orphan(ino INTEGER PRIMARY KEY);";

const char inode_row_clear[] = "DELETE FROM inode;DELETE FROM orphan;";

int inode_rows_new(struct inode_rows **ret)
{
	struct inode_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	*ret = rows;
	return 0;
}

void inode_rows_free(struct inode_rows *rows)
{
	free(rows);
}

int inode_rows_attach(struct inode_rows *rows, struct db *db)
{
	const struct {
		struct db_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &rows->load, "SELECT image FROM inode WHERE ino=?1" },
		{ &rows->put, "REPLACE INTO inode(ino, image) VALUES(?1, ?2)" },
		{ &rows->del, "DELETE FROM inode WHERE ino=?1" },
		{ &rows->orphan_put,
		  "INSERT OR IGNORE INTO orphan(ino) VALUES(?1)" },
		{ &rows->orphan_del, "DELETE FROM orphan WHERE ino=?1" },
		{ &rows->orphan_next, "SELECT ino FROM orphan WHERE ino>?1"
				      " ORDER BY ino LIMIT 1" },
		{ &rows->all, "SELECT ino, image FROM inode ORDER BY ino" },
		{ &rows->page, "SELECT ino, image FROM inode WHERE ino>?1"
			       " ORDER BY ino" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		int rc = db_prepare(db, list[i].sql, list[i].stmt);

		if (rc)
			return rc;
	}
	return 0;
}

int inode_row_load(struct volume *v, uint64_t ino, struct inode_image *ret)
{
	struct db_stmt *load = v->inode_rows->load;
	int rc;

	db_bind_u64(load, 0, ino);
	rc = db_step(load);
	if (rc == 1) {
		rc = inode_image_get(db_column_blob(load, 0), ret);
		if (rc)
			rc = corrupt("row of inode %llu is damaged",
				     (unsigned long long)ino);
		else
			ret->attr.ino = ino;
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	db_reset(load);
	return rc;
}

/* ---- applying ----------------------------------------------------------------- */

/* What a row adds to the totals. */
struct share {
	int64_t n;
	int64_t len;
	bool orphan;
};

static struct share share_of(const struct inode_image *image)
{
	bool file = S_ISREG(image->attr.mode);

	return (struct share){
		.n = 1,
		.len = file ? (int64_t)image->attr.size : 0,
		.orphan = image->attr.nlink == 0,
	};
}

/* The share of the row as it is now; none when there is no row. */
static int share_now(struct volume *v, uint64_t ino, struct share *ret)
{
	struct inode_image image;
	int rc = inode_row_load(v, ino, &image);

	if (rc && rc != -ENOENT)
		return rc;
	*ret = rc ? (struct share){ 0 } : share_of(&image);
	return 0;
}

static void move_totals(struct volume *v, const struct share *old,
			const struct share *new)
{
	if (new->n != old->n)
		store_total_add(v->store, TOTAL_INODES, new->n - old->n);
	if (new->len != old->len)
		store_total_add(v->store, TOTAL_FILE_LEN, new->len - old->len);
}

static int run_for(struct db_stmt *stmt, uint64_t ino)
{
	db_bind_u64(stmt, 0, ino);
	return db_run(stmt);
}

int inode_row_apply(struct volume *v, struct span body)
{
	struct inode_rows *rows = v->inode_rows;
	struct op_inode op;
	struct share old;
	struct share new;
	uint8_t blob[INODE_IMAGE_MAX];
	int rc = op_inode_get(body, &op);

	if (rc)
		return corrupt("INODE operation is damaged");
	rc = share_now(v, op.ino, &old);
	if (rc)
		return rc;
	new = share_of(&op.image);
	db_bind_u64(rows->put, 0, op.ino);
	db_bind_blob(rows->put, 1,
		     span_of(blob, inode_image_put(&op.image, blob)));
	rc = db_run(rows->put);
	if (!rc && new.orphan != old.orphan)
		rc = run_for(new.orphan ? rows->orphan_put : rows->orphan_del,
			     op.ino);
	if (rc)
		return rc;
	move_totals(v, &old, &new);
	store_saw_id(v->store, STORE_ID_INODE, op.ino);
	return 0;
}

/* The row may be older than the inode was, or missing: so everything that
 * could belong to it is looked for. */
int inode_row_apply_del(struct volume *v, struct span body)
{
	struct inode_rows *rows = v->inode_rows;
	struct share old;
	uint64_t ino;
	int rc = op_inode_del_get(body, &ino);

	if (rc)
		return corrupt("INODE_DEL operation is damaged");
	rc = share_now(v, ino, &old);
	if (!rc)
		rc = filemap_delete(v, ino);
	if (!rc)
		rc = xattr_delete_all(v, ino);
	if (!rc && (old.orphan || old.n == 0))
		rc = run_for(rows->orphan_del, ino);
	if (!rc && old.n > 0)
		rc = run_for(rows->del, ino);
	if (rc)
		return rc;
	move_totals(v, &old, &(struct share){ 0 });
	store_saw_id(v->store, STORE_ID_INODE, ino);
	return 0;
}

int inode_row_forget(struct volume *v, uint64_t ino)
{
	return run_for(v->inode_rows->del, ino);
}

/* ---- walking -------------------------------------------------------------------- */

int inode_row_orphan(struct volume *v, uint64_t after, uint64_t *ret_ino)
{
	struct db_stmt *next = v->inode_rows->orphan_next;
	uint64_t ino = 0;
	int rc;

	db_bind_u64(next, 0, after);
	rc = db_step(next);
	if (rc == 1) {
		ino = db_column_u64(next, 0);
		rc = dump_check_order("orphans", after, ino);
	}
	db_reset(next);
	if (rc < 0)
		return rc;
	*ret_ino = ino;
	return 0;
}

int inode_rows_each(struct volume *v, inode_row_fn *fn, void *ctx)
{
	struct db_stmt *all = v->inode_rows->all;
	struct inode_image image;
	int rc;

	while ((rc = db_step(all)) == 1) {
		uint64_t ino = db_column_u64(all, 0);
		int bad = inode_image_get(db_column_blob(all, 1), &image);

		image.attr.ino = ino;
		rc = fn(ctx, ino, bad ? NULL : &image);
		if (rc)
			break;
	}
	db_reset(all);
	return rc;
}

static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	struct span image = db_column_blob(row, 1);
	uint8_t body[OP_INODE_MAX];
	size_t len;

	c->keys[0] = db_column_u64(row, 0);
	len = varint_put(body, c->keys[0]);
	if (image.len == 0 || image.len > INODE_IMAGE_MAX)
		return corrupt("row of inode %llu is damaged",
			       (unsigned long long)c->keys[0]);
	memcpy(body + len, image.ptr, image.len);
	return ops_put(ops, OP_INODE, span_of(body, len + image.len));
}

int inode_rows_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops)
{
	struct db_stmt *page = v->inode_rows->page;

	db_bind_u64(page, 0, c->keys[0]);
	return dump_page(page, dump_row, c, ops);
}
