/* SPDX-License-Identifier: MIT */
/* dirent.c - table `dirent`: hashed places of names, walks in their order. */
#include "volume/dirent.h"

#include "base/error.h"
#include "base/hash.h"
#include "store/db.h"
#include "store/dump.h"
#include "store/ops.h"
#include "store/store.h"
#include "volume/volume_impl.h"

#include <stdlib.h>

struct dirents {
	struct db_stmt *find;
	struct db_stmt *put;
	struct db_stmt *del;
	struct db_stmt *any;
	struct db_stmt *walk;
	struct db_stmt *all;
	struct db_stmt *page;
};

const char dirent_schema[] =
	"CREATE TABLE dirent(parent INTEGER NOT NULL, cookie INTEGER NOT NULL,"
	" name BLOB NOT NULL, ino INTEGER NOT NULL, type INTEGER NOT NULL,"
	" PRIMARY KEY(parent, cookie)) WITHOUT ROWID;";

const char dirent_clear[] = "DELETE FROM dirent;";

int dirents_new(struct dirents **ret)
{
	struct dirents *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*ret = d;
	return 0;
}

void dirents_free(struct dirents *d)
{
	free(d);
}

int dirents_attach(struct dirents *d, struct db *db)
{
	const struct {
		struct db_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &d->find, "SELECT cookie, ino, type, name FROM dirent"
			    " WHERE parent=?1 AND cookie>=?2 AND cookie<?3"
			    " ORDER BY cookie" },
		{ &d->put,
		  "REPLACE INTO dirent(parent, cookie, name, ino, type)"
		  " VALUES(?1, ?2, ?3, ?4, ?5)" },
		{ &d->del, "DELETE FROM dirent WHERE parent=?1 AND cookie=?2" },
		{ &d->any, "SELECT 1 FROM dirent WHERE parent=?1 LIMIT 1" },
		{ &d->walk, "SELECT parent, cookie, ino, type, name FROM dirent"
			    " WHERE parent=?1 AND cookie>?2 ORDER BY cookie" },
		{ &d->all, "SELECT parent, cookie, ino, type, name FROM dirent"
			   " ORDER BY parent, cookie" },
		{ &d->page, "SELECT parent, cookie, ino, type, name FROM dirent"
			    " WHERE (parent, cookie) > (?1, ?2)"
			    " ORDER BY parent, cookie" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		int rc = db_prepare(db, list[i].sql, list[i].stmt);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- finding ------------------------------------------------------------------ */

uint64_t dirent_cookie(const struct volume *v, struct span name)
{
	uint64_t n_places = OP_COOKIE_MAX - OP_COOKIE_MIN - DIRENT_PROBE_MAX;

	return OP_COOKIE_MIN + hash64(name, store_seed(v->store)) % n_places;
}

static bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

int dirent_find(struct volume *v, uint64_t parent, struct span name,
		struct dirent_place *ret)
{
	struct db_stmt *find = v->dirents->find;
	uint64_t cookie = dirent_cookie(v, name);
	uint64_t end = cookie + DIRENT_PROBE_MAX;
	uint64_t free_cookie = cookie;
	struct dirent_place place = { 0 };
	int rc;

	db_bind_u64(find, 0, parent);
	db_bind_u64(find, 1, cookie);
	db_bind_u64(find, 2, end);
	while ((rc = db_step(find)) == 1) {
		uint64_t at = db_column_u64(find, 0);

		if (span_equal(db_column_blob(find, 3), name)) {
			place.cookie = at;
			place.ino = db_column_u64(find, 1);
			place.type = (uint8_t)db_column_u64(find, 2);
			break;
		}
		if (at == free_cookie)
			free_cookie++;
	}
	db_reset(find);
	if (rc < 0)
		return rc;
	if (place.ino == 0)
		place.cookie = free_cookie < end ? free_cookie : 0;
	*ret = place;
	return 0;
}

int dirent_is_empty(struct volume *v, uint64_t parent)
{
	struct db_stmt *any = v->dirents->any;
	int rc;

	db_bind_u64(any, 0, parent);
	rc = db_step(any);
	db_reset(any);
	return rc < 0 ? rc : rc == 0;
}

/* ---- changing ------------------------------------------------------------------- */

/* Its operation, in `body`. The cookie itself, which does not compress, is told
 * only where it does not follow from the name. */
static struct span encode(const struct volume *v, const struct op_dirent *entry,
			  uint8_t body[OP_DIRENT_MAX])
{
	struct op_dirent op = *entry;
	uint64_t first = dirent_cookie(v, op.name);

	if (op.cookie >= first && op.cookie - first < DIRENT_PROBE_MAX)
		op.cookie -= first;
	return span_of(body, op_dirent_put(&op, body));
}

static int decode(const struct volume *v, struct span body,
		  struct op_dirent *ret)
{
	int rc = op_dirent_get(body, ret);

	if (rc == 0 && ret->cookie < DIRENT_PROBE_MAX)
		ret->cookie += dirent_cookie(v, ret->name);
	return rc;
}

int dirent_put(struct volume *v, const struct op_dirent *entry)
{
	uint8_t body[OP_DIRENT_MAX];

	return txn_op(v->store, OP_DIRENT, encode(v, entry, body));
}

int dirent_del(struct volume *v, uint64_t parent, uint64_t cookie)
{
	struct op_dirent op = { .parent = parent, .cookie = cookie };
	uint8_t body[2 * VARINT_MAX];

	return txn_op(v->store, OP_DIRENT_DEL,
		      span_of(body, op_dirent_del_put(&op, body)));
}

int dirent_apply(struct volume *v, struct span body)
{
	struct db_stmt *put = v->dirents->put;
	struct op_dirent op;

	if (decode(v, body, &op))
		return corrupt("DIRENT operation is damaged");
	db_bind_u64(put, 0, op.parent);
	db_bind_u64(put, 1, op.cookie);
	db_bind_blob(put, 2, op.name);
	db_bind_u64(put, 3, op.ino);
	db_bind_u64(put, 4, op.type);
	return db_run(put);
}

int dirent_apply_del(struct volume *v, struct span body)
{
	struct db_stmt *del = v->dirents->del;
	struct op_dirent op;

	if (op_dirent_del_get(body, &op))
		return corrupt("DIRENT_DEL operation is damaged");
	db_bind_u64(del, 0, op.parent);
	db_bind_u64(del, 1, op.cookie);
	return db_run(del);
}

/* ---- walking --------------------------------------------------------------------- */

static struct op_dirent entry_of(struct db_stmt *row)
{
	return (struct op_dirent){
		.parent = db_column_u64(row, 0),
		.cookie = db_column_u64(row, 1),
		.ino = db_column_u64(row, 2),
		.type = (uint8_t)db_column_u64(row, 3),
		.name = db_column_blob(row, 4),
	};
}

static int walk(struct db_stmt *stmt, dirent_fn *fn, void *ctx)
{
	int rc;

	while ((rc = db_step(stmt)) == 1) {
		struct op_dirent entry = entry_of(stmt);

		rc = fn(ctx, &entry);
		if (rc)
			break;
	}
	db_reset(stmt);
	return rc;
}

int dirents_walk(struct volume *v, uint64_t parent, uint64_t cookie,
		 dirent_fn *fn, void *ctx)
{
	struct db_stmt *stmt = v->dirents->walk;

	db_bind_u64(stmt, 0, parent);
	db_bind_u64(stmt, 1, cookie);
	return walk(stmt, fn, ctx);
}

int dirents_each(struct volume *v, dirent_fn *fn, void *ctx)
{
	return walk(v->dirents->all, fn, ctx);
}

static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	const struct volume *v = c->ctx;
	struct op_dirent entry = entry_of(row);
	uint8_t body[OP_DIRENT_MAX];

	c->keys[0] = entry.parent;
	c->keys[1] = entry.cookie;
	if (!op_name_valid(entry.name))
		return corrupt("directory %llu: entry %llu is damaged",
			       (unsigned long long)entry.parent,
			       (unsigned long long)entry.cookie);
	return ops_put(ops, OP_DIRENT, encode(v, &entry, body));
}

int dirents_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops)
{
	struct db_stmt *page = v->dirents->page;

	db_bind_u64(page, 0, c->keys[0]);
	db_bind_u64(page, 1, c->keys[1]);
	c->ctx = v;
	return dump_page(page, dump_row, c, ops);
}
