/* SPDX-License-Identifier: MIT */
/*
 * toy.c - the toy volume: table toy, operations SET and DEL.
 */
#include "unit/store/toy.h"

#include "base/idmap.h"
#include "base/varint.h"
#include "store/check.h"
#include "store/chunk.h"
#include "store/db.h"
#include "store/dump.h"
#include "store/ingest.h"
#include "store/ops.h"
#include "store/state.h"

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	OP_SET = 64,
	OP_DEL = 65,
	NOISY_KEY = 100000,
	KEYS_MAX = 1024, /* keys with a chunk are below */
};

static const char SCHEMA[] = "CREATE TABLE toy(key INTEGER PRIMARY KEY, "
			     "value INTEGER, chunk INTEGER)";

static int attach(void *ctx, struct db *db)
{
	struct toy *t = ctx;
	int rc;

	t->n_attached++;
	rc = db_prepare(db, "SELECT value, chunk FROM toy WHERE key = ?",
			&t->get);
	if (rc == 0)
		rc = db_prepare(db, "INSERT OR REPLACE INTO toy VALUES(?,?,?)",
				&t->set);
	if (rc == 0)
		rc = db_prepare(db, "DELETE FROM toy WHERE key = ?", &t->del);
	if (rc == 0)
		rc = db_prepare(db, "SELECT count(*) FROM toy", &t->count);
	if (rc == 0)
		rc = db_prepare(db,
				"SELECT key, value, chunk FROM toy WHERE "
				"key >= ? ORDER BY key",
				&t->page);
	return rc;
}

/* INDEX held. */
static int row_get(struct toy *t, uint64_t key, struct toy_row *ret)
{
	int rc;

	db_bind_u64(t->get, 0, key);
	rc = db_step(t->get);
	if (rc == 1) {
		ret->value = db_column_u64(t->get, 0);
		ret->chunk = db_column_u64(t->get, 1);
	}
	db_reset(t->get);
	return rc;
}

static int row_set(struct toy *t, uint64_t key, const struct toy_row *row)
{
	db_bind_u64(t->set, 0, key);
	db_bind_u64(t->set, 1, row->value);
	db_bind_u64(t->set, 2, row->chunk);
	return db_run(t->set);
}

static int apply_set(struct toy *t, struct reader *r, uint64_t key)
{
	struct toy_row old = { 0, 0 };
	struct toy_row row;
	int rc = varint_get(r, &row.value);

	if (rc == 0)
		rc = varint_get(r, &row.chunk);
	if (rc < 0)
		return rc;
	rc = row_get(t, key, &old);
	if (rc == 0)
		store_total_add(t->store, TOTAL_INODES, 1);
	if (rc >= 0 && row.chunk != old.chunk) {
		rc = row.chunk ? chunk_ref(t->store, row.chunk, 1) : 0;
		if (rc == 0 && old.chunk)
			rc = chunk_ref(t->store, old.chunk, -1);
	}
	store_saw_id(t->store, STORE_ID_INODE, key);
	return rc < 0 ? rc : row_set(t, key, &row);
}

static int apply_del(struct toy *t, uint64_t key)
{
	struct toy_row old = { 0, 0 };
	int rc = row_get(t, key, &old);

	if (rc != 1)
		return rc;
	store_total_add(t->store, TOTAL_INODES, -1);
	if (old.chunk)
		rc = chunk_ref(t->store, old.chunk, -1);
	if (rc < 0)
		return rc;
	db_bind_u64(t->del, 0, key);
	return db_run(t->del);
}

static int apply(void *ctx, uint8_t type, struct span body)
{
	struct toy *t = ctx;
	struct reader r = reader_of(body);
	uint64_t key;
	int rc = varint_get(&r, &key);

	if (rc < 0)
		return rc;
	if (key == t->bad_key && key != 0)
		return -EUCLEAN;
	if (key == t->end_key && key != 0)
		_exit(TOY_ENDED);
	if (type == OP_SET)
		return apply_set(t, &r, key);
	return type == OP_DEL ? apply_del(t, key) : -EOPNOTSUPP;
}

/* INDEX held. */
static int log_set(struct toy *t, uint64_t key, const struct toy_row *row)
{
	uint8_t body[3 * VARINT_MAX];
	size_t n = varint_put(body, key);

	n += varint_put(body + n, row->value);
	n += varint_put(body + n, row->chunk);
	return txn_op(t->store, OP_SET, span_of(body, n));
}

static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	uint8_t body[3 * VARINT_MAX];
	uint64_t key = db_column_u64(row, 0);
	size_t n = varint_put(body, key);

	c->keys[0] = key + 1; /* there is a key 0 */
	n += varint_put(body + n, db_column_u64(row, 1));
	n += varint_put(body + n, db_column_u64(row, 2));
	return ops_put(ops, OP_SET, span_of(body, n));
}

static int dump(void *ctx, struct dump_cursor *c, struct buffer *ops)
{
	struct toy *t = ctx;

	db_bind_u64(t->page, 0, c->keys[0]);
	if (t->on_dump)
		t->on_dump(t);
	return dump_page(t->page, dump_row, c, ops);
}

static int before_batch(void *ctx)
{
	struct toy *t = ctx;
	struct toy_row row = { t->held_value, 0 };
	uint64_t key = t->held_key;

	t->held_key = 0;
	if (t->noisy && key == 0)
		key = NOISY_KEY;
	return key ? log_set(t, key, &row) : 0;
}

static void tick(void *ctx)
{
	struct toy *t = ctx;

	atomic_fetch_add(&t->n_ticks, 1);
	if (t->on_tick)
		t->on_tick(t);
}

/* The replay inside store_open() needs the store before it is returned: the
 * handlers find it through the statements' owner. */
int toy_open(struct toy *t, const char *dir)
{
	struct store_handlers handlers = {
		.ctx = t,
		.schema = SCHEMA,
		.attach = attach,
		.apply = apply,
		.dump = dump,
		.before_batch = before_batch,
		.tick = tick,
	};

	t->held_key = 0;
	return store_open(dir, &t->options, &handlers, &t->store);
}

void toy_make(struct toy *t, const char *dir)
{
	struct store_create_options create = { .label = "toy" };

	memset(t, 0, sizeof(*t));
	t->options.n_workers = 2;
	t->options.effort = EFFORT_FAST;
	ck_assert_int_eq(store_create(dir, &create), 0);
	ck_assert_int_eq(toy_open(t, dir), 0);
}

int toy_close(struct toy *t)
{
	int rc = t->store ? store_close(t->store) : 0;

	t->store = NULL;
	return rc;
}

void toy_crash(struct toy *t, const char *dir, const char *to)
{
	/* Nobody may write while it is copied. */
	housekeeping_end(t->store);
	copy_tree(dir, to);
	(void)toy_close(t);
}

int toy_set(struct toy *t, uint64_t key, uint64_t value)
{
	struct toy_row row = { value, 0 };
	int rc = txn_begin(t->store);

	if (rc < 0)
		return rc;
	rc = log_set(t, key, &row);
	txn_end(t->store);
	return rc;
}

int toy_del(struct toy *t, uint64_t key)
{
	uint8_t body[VARINT_MAX];
	size_t n = varint_put(body, key);
	int rc = txn_begin(t->store);

	if (rc < 0)
		return rc;
	rc = txn_op(t->store, OP_DEL, span_of(body, n));
	txn_end(t->store);
	return rc;
}

void toy_hold(struct toy *t, uint64_t key, uint64_t value)
{
	index_lock(t->store);
	t->held_key = key;
	t->held_value = value;
	txn_touch(t->store);
	index_unlock(t->store);
}

/* ---- chunks -------------------------------------------------------------- */

struct put {
	struct toy *toy;
	uint64_t key;
	struct sync_mutex lock;
	struct sync_cond done;
	bool is_done;
	int rc;
};

static int map_chunk(struct put *put, uint64_t chunk)
{
	struct toy_row row = { 0, chunk };
	int rc = txn_begin(put->toy->store);

	if (rc < 0)
		return rc;
	rc = log_set(put->toy, put->key, &row);
	txn_end(put->toy->store);
	return rc;
}

static void put_done(struct parcel *p, int rc)
{
	struct put *put = p->chunks[0].owner;

	if (rc == 0)
		rc = map_chunk(put, p->chunks[0].id);
	sync_lock(&put->lock);
	put->rc = rc;
	put->is_done = true;
	sync_signal(&put->done);
	sync_unlock(&put->lock);
}

static int put_with(struct toy *t, uint64_t key, struct span bytes,
		    void (*run)(struct parcel *p))
{
	struct put put = { .toy = t, .key = key };
	struct parcel *p;
	int rc = parcel_get(t->store, true, &p);

	if (rc < 0)
		return rc;
	sync_mutex_init(&put.lock, RANK_LEAF);
	sync_cond_init(&put.done);
	memcpy(p->raw, bytes.ptr, bytes.len);
	p->raw_len = bytes.len;
	p->n_chunks = 1;
	p->chunks[0] = (struct parcel_chunk){
		.len = (uint32_t)bytes.len,
		.owner = &put,
	};
	p->done = put_done;
	run(p);
	sync_lock(&put.lock);
	while (!put.is_done)
		sync_wait(&put.done, &put.lock);
	sync_unlock(&put.lock);
	sync_cond_release(&put.done);
	sync_mutex_release(&put.lock);
	return put.rc;
}

int toy_put(struct toy *t, uint64_t key, struct span bytes)
{
	return put_with(t, key, bytes, ingest_run);
}

int toy_put_worker(struct toy *t, uint64_t key, struct span bytes)
{
	return put_with(t, key, bytes, ingest_submit);
}

int toy_get(struct toy *t, uint64_t key, struct toy_row *ret)
{
	int rc;

	index_lock(t->store);
	rc = row_get(t, key, ret);
	index_unlock(t->store);
	return rc;
}

uint64_t toy_count(struct toy *t)
{
	uint64_t n = 0;

	index_lock(t->store);
	ck_assert_int_eq(db_step(t->count), 1);
	n = db_column_u64(t->count, 0);
	db_reset(t->count);
	index_unlock(t->store);
	return n;
}

bool toy_holds(struct toy *t, uint64_t key, struct span bytes)
{
	struct chunk_view v;
	struct toy_row row;
	bool same;

	if (toy_get(t, key, &row) != 1 || row.chunk == 0 ||
	    chunk_get(t->store, row.chunk, &v) < 0)
		return false;
	same = v.bytes.len == bytes.len &&
	       memcmp(v.bytes.ptr, bytes.ptr, bytes.len) == 0;
	chunk_put(&v);
	return same;
}

void toy_expect(struct toy *t, uint64_t key, struct span bytes)
{
	ck_assert_msg(toy_holds(t, key, bytes), "key %llu",
		      (unsigned long long)key);
}

/* ---- check --------------------------------------------------------------- */

static void tell(void *ctx, const char *text)
{
	(void)ctx;
	if (getenv("TOY_VERBOSE"))
		(void)fprintf(stderr, "finding: %s\n", text);
}

uint64_t toy_check(struct toy *t)
{
	struct check_report report = { .finding = tell };
	struct idmap refs;
	uint64_t key;

	idmap_init(&refs);
	for (key = 0; key < KEYS_MAX; key++) {
		struct toy_row row;
		uint64_t *n;

		if (toy_get(t, key, &row) != 1 || row.chunk == 0)
			continue;
		n = idmap_find(&refs, row.chunk);
		ck_assert_int_eq(idmap_set(&refs, row.chunk, n ? *n + 1 : 1),
				 0);
	}
	ck_assert_int_eq(store_check(t->store, &refs, &report), 0);
	idmap_release(&refs);
	return report.n_findings;
}

/* ---- files --------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	static uint8_t block[1 << 16];
	FILE *in = fopen(from, "rbe");
	FILE *out = fopen(to, "wbe");
	size_t n;

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		ck_assert_uint_eq(fwrite(block, 1, n, out), n);
	ck_assert_int_eq(fclose(in), 0);
	ck_assert_int_eq(fclose(out), 0);
}

void copy_tree(const char *from, const char *to)
{
	char a[512];
	char b[512];
	struct dirent *entry;
	struct stat st;
	DIR *dir = opendir(from);

	ck_assert_ptr_nonnull(dir);
	ck_assert_int_eq(mkdir(to, 0700), 0);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
		(void)snprintf(b, sizeof(b), "%s/%s", to, entry->d_name);
		ck_assert_int_eq(lstat(a, &st), 0);
		if (S_ISDIR(st.st_mode))
			copy_tree(a, b);
		else
			copy_file(a, b);
	}
	(void)closedir(dir);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static FILE *open_in(const char *dir, const char *name, const char *mode)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	ck_assert_msg(f != NULL, "%s", path);
	return f;
}

size_t file_read(const char *dir, const char *name, uint8_t *dst, size_t cap)
{
	FILE *f = open_in(dir, name, "rbe");
	size_t n = fread(dst, 1, cap, f);

	(void)fclose(f);
	return n;
}

void file_write(const char *dir, const char *name, struct span bytes)
{
	FILE *f = open_in(dir, name, "wbe");

	ck_assert_uint_eq(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
	(void)fclose(f);
}

size_t file_len(const char *dir, const char *name)
{
	FILE *f = open_in(dir, name, "rbe");
	long len;

	(void)fseek(f, 0, SEEK_END);
	len = ftell(f);
	(void)fclose(f);
	return (size_t)len;
}
