/* SPDX-License-Identifier: MIT */
/*
 * volume.c - making, opening and closing a volume; what it does for its store.
 *
 * The parts exist before the store is opened, since replay applies operations
 * while it opens.
 */
#include "volume/volume.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "volume/atime.h"
#include "volume/data.h"
#include "volume/dirent.h"
#include "volume/filemap.h"
#include "volume/inode_row.h"
#include "volume/inodes.h"
#include "volume/salvage.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SECOND INT64_C(1000000000)

struct volume_time volume_time_at(int64_t ns)
{
	int64_t nsec = ns % SECOND;

	if (nsec < 0)
		nsec += SECOND;
	return (struct volume_time){ .sec = (ns - nsec) / SECOND,
				     .nsec = (uint32_t)nsec };
}

int64_t volume_time_ns(struct volume_time t)
{
	return t.sec * SECOND + t.nsec;
}

struct volume_time volume_now(void)
{
	return volume_time_at(clock_stamp_ns());
}

/* ---- for the store ---------------------------------------------------------------- */

static int attach(void *ctx, struct db *db)
{
	struct volume *v = ctx;
	int rc = inode_rows_attach(v->inode_rows, db);

	if (!rc)
		rc = dirents_attach(v->dirents, db);
	if (!rc)
		rc = xattrs_attach(v->xattrs, db);
	if (!rc)
		rc = filemap_attach(v->filemap, db);
	if (!rc && v->salvage)
		rc = salvage_rows_attach(v->salvage, db);
	return rc;
}

static int apply(void *ctx, uint8_t type, struct span body)
{
	struct volume *v = ctx;

	switch (type) {
	case OP_INODE:
		return inode_row_apply(v, body);
	case OP_INODE_DEL:
		return inode_row_apply_del(v, body);
	case OP_DIRENT:
		return dirent_apply(v, body);
	case OP_DIRENT_DEL:
		return dirent_apply_del(v, body);
	case OP_MAP:
		return filemap_apply(v, body);
	case OP_XATTR:
		return xattr_apply(v, body);
	case OP_XATTR_DEL:
		return xattr_apply_del(v, body);
	default:
		return -EOPNOTSUPP;
	}
}

/* One table after the other; all zero is where each begins. */
static int dump(void *ctx, struct dump_cursor *c, struct buffer *ops)
{
	static int (*const tables[])(struct volume * v, struct dump_cursor * c,
				     struct buffer * ops) = {
		inode_rows_dump,
		dirents_dump,
		xattrs_dump,
		filemap_dump,
	};
	int rc = tables[c->table](ctx, c, ops);

	if (rc != 0)
		return rc;
	*c = (struct dump_cursor){ .table = c->table + 1 };
	return c->table < ARRAY_LEN(tables);
}

static int before_batch(void *ctx)
{
	return inodes_log_changed(ctx);
}

static void tick(void *ctx)
{
	struct volume *v = ctx;

	inodes_reap(v);
	(void)atimes_log(v, true);
	/* What fails is told to whoever syncs the file. */
	(void)flusher_run(v, false);
}

/* ---- opening ------------------------------------------------------------------------ */

static void free_volume(struct volume *v)
{
	if (!v)
		return;
	inodes_free(v->inodes);
	atimes_free(v->atimes);
	inode_rows_free(v->inode_rows);
	dirents_free(v->dirents);
	xattrs_free(v->xattrs);
	filemap_free(v->filemap);
	flusher_free(v->flusher);
	leaf_ring_release(&v->leaf_ring);
	salvage_rows_free(v->salvage);
	free(v->schema);
	free(v);
}

/* One text of several; NULL: no memory. */
static char *join(const char *const *parts, size_t n)
{
	size_t len = 0;
	char *text;

	for (size_t i = 0; i < n; i++)
		len += strlen(parts[i]);
	text = malloc(len + 1);
	if (!text)
		return NULL;
	len = 0;
	for (size_t i = 0; i < n; i++) {
		size_t part_len = strlen(parts[i]);

		memcpy(text + len, parts[i], part_len);
		len += part_len;
	}
	text[len] = '\0';
	return text;
}

static char *join_schemas(void)
{
	const char *const parts[] = { inode_row_schema, dirent_schema,
				      xattr_schema, filemap_schema };

	return join(parts, ARRAY_LEN(parts));
}

static char *join_clears(void)
{
	const char *const parts[] = { inode_row_clear, dirent_clear,
				      xattr_clear, filemap_clear };

	return join(parts, ARRAY_LEN(parts));
}

static int new_volume(const struct volume_options *options, struct volume **ret)
{
	struct volume *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	leaf_ring_init(&v->leaf_ring);
	v->kernel_times = options->kernel_times;
	v->schema = join_schemas();
	rc = v->schema ? 0 : -ENOMEM;
	if (!rc)
		rc = inodes_new(options->n_inodes, &v->inodes);
	if (!rc)
		rc = atimes_new(options->atime, &v->atimes);
	if (!rc)
		rc = inode_rows_new(&v->inode_rows);
	if (!rc)
		rc = dirents_new(&v->dirents);
	if (!rc)
		rc = xattrs_new(&v->xattrs);
	if (!rc)
		rc = filemap_new(v, &v->filemap);
	if (!rc)
		rc = flusher_new(options->dirty_len, &v->flusher);
	if (rc)
		free_volume(v);
	else
		*ret = v;
	return rc;
}

static int open_store(const char *path, const struct volume_options *options,
		      struct volume **ret)
{
	struct store_handlers handlers = { .attach = attach,
					   .apply = apply,
					   .dump = dump,
					   .before_batch = before_batch,
					   .tick = tick };
	struct volume *v;
	int rc = new_volume(options, &v);

	if (rc)
		return rc;
	handlers.ctx = v;
	handlers.schema = v->schema;
	rc = store_open(path, &options->store, &handlers, &v->store);
	if (rc)
		free_volume(v);
	else
		*ret = v;
	return rc;
}

int volume_salvage(const struct salvage_options *options, struct volume **ret)
{
	const struct volume_options plain = { .n_inodes = 0 };
	struct store_handlers handlers = { .attach = attach, .apply = apply };
	AUTO_FREE char *clear = join_clears();
	struct volume *v;
	int rc = new_volume(&plain, &v);

	if (rc)
		return rc;
	handlers.ctx = v;
	handlers.schema = v->schema;
	handlers.clear = clear;
	rc = clear ? salvage_rows_new(&v->salvage) : -ENOMEM;
	if (!rc)
		rc = salvage_open(options, &handlers, &v->store);
	if (rc)
		free_volume(v);
	else
		*ret = v;
	return rc;
}

/* Deletes what is left of an orphan that has no row. INDEX is held. */
static int sweep(struct volume *v, uint64_t ino)
{
	uint8_t body[VARINT_MAX];

	return txn_op(v->store, OP_INODE_DEL,
		      span_of(body, op_inode_del_put(ino, body)));
}

/* Pins the first orphan after `*ino`, which becomes its number, or 0 at the
 * end. NULL: it cannot be deleted, or need not. */
static int next_orphan(struct volume *v, uint64_t *ino, struct inode **ret)
{
	struct inode *inode = NULL;
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	rc = inode_row_orphan(v, *ino, ino);
	if (!rc && *ino != 0) {
		rc = inode_get_indexed(v, *ino, &inode);
		if (rc == -ENOENT)
			rc = sweep(v, *ino);
		/* A damaged one stays; that was told. */
		if (rc == -EUCLEAN)
			rc = 0;
	}
	txn_end(v->store);
	if (!rc)
		*ret = inode;
	return rc;
}

/* Deletes all inodes without links that nobody uses. No lock held. */
static int purge(struct volume *v)
{
	struct inode *inode = NULL;
	uint64_t ino = 0;
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	rc = inodes_log_changed(v);
	txn_end(v->store);
	while (!rc) {
		rc = next_orphan(v, &ino, &inode);
		if (rc || ino == 0)
			break;
		inode_drop(v, inode);
	}
	return rc;
}

static int make_root(struct volume *v)
{
	struct inode_image image = {
		.attr = { .mode = S_IFDIR | 0755,
			  .nlink = 2,
			  .uid = geteuid(),
			  .gid = getegid(),
			  .size = 4096,
			  .btime = volume_now() },
		.parent = VOLUME_ROOT,
	};
	struct inode *root;
	int rc = txn_begin(v->store);

	if (rc)
		return rc;
	image.attr.atime = image.attr.btime;
	image.attr.mtime = image.attr.btime;
	image.attr.ctime = image.attr.btime;
	rc = inode_new(v, VOLUME_ROOT, &image, &root);
	if (!rc)
		rc = inodes_log_changed(v);
	txn_end(v->store);
	if (!rc)
		inode_put(v, root);
	return rc;
}

/* Making a store may have been cut short before it had a root: then it has
 * nothing else either. */
static int check_root(struct volume *v)
{
	struct volume_attr attr;
	struct volume_stat stat;
	int rc = volume_getattr(v, VOLUME_ROOT, &attr);

	if (rc == -ENOENT && volume_statfs(v, &stat) == 0 && stat.n_inodes == 0)
		return make_root(v);
	if (rc == -ENOENT || (!rc && !S_ISDIR(attr.mode)))
		return corrupt("the store has no root directory");
	return rc;
}

int volume_open(const char *path, const struct volume_options *options,
		struct volume **ret)
{
	struct volume *v;
	int rc = open_store(path, options, &v);

	if (rc)
		return rc;
	rc = check_root(v);
	/* The log has lost it. */
	if (rc == -EROFS && store_opened(v->store)->damage)
		rc = -EUCLEAN;
	if (!rc && store_writable(v->store) == 0) {
		rc = purge(v);
		if (!rc)
			rc = store_start(v->store);
	}
	if (rc) {
		(void)store_close(v->store);
		free_volume(v);
		return rc;
	}
	*ret = v;
	return 0;
}

/* ---- making -------------------------------------------------------------------------- */

int volume_create(const char *path, const struct store_create_options *options)
{
	struct volume_options plain = { 0 };
	struct volume *v;
	int rc = store_create(path, options);

	/* The store is whole; without its root so far, but whoever opens it
	 * makes that. So a failure to do it now is none of ours. */
	if (!rc && open_store(path, &plain, &v) == 0) {
		(void)check_root(v);
		(void)store_close(v->store);
		free_volume(v);
	}
	return rc;
}

/* ---- the whole --------------------------------------------------------------------------- */

int volume_close(struct volume *v)
{
	int rc = 0;
	int closed;

	if (!v)
		return 0;
	if (store_writable(v->store) == 0) {
		inodes_closing(v);
		rc = purge(v);
		if (!rc)
			rc = atimes_log(v, false);
		if (!rc)
			rc = flusher_run(v, true);
	}
	inodes_discard(v);
	closed = store_close(v->store);
	free_volume(v);
	return rc ? rc : closed;
}

struct store *volume_store(struct volume *v)
{
	return v->store;
}

int volume_sync(struct volume *v)
{
	int logged = atimes_log(v, false);
	int rc = flusher_run(v, true);
	int synced = commit_sync(v->store, txn_mark(v->store));

	rc = rc ? rc : logged;
	return rc ? rc : synced;
}

int volume_statfs(struct volume *v, struct volume_stat *ret)
{
	struct store_stats stats;
	uint64_t n_new;
	int rc = store_stat(v->store, &stats);

	if (rc)
		return rc;
	index_lock(v->store);
	n_new = inodes_n_new(v);
	index_unlock(v->store);
	*ret = (struct volume_stat){
		.total_len = stats.total_len,
		.free_len = stats.free_len,
		.n_inodes = stats.totals[TOTAL_INODES] + n_new,
	};
	return 0;
}
