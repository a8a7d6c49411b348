/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes the operations of the volume: hostile batches.
 *
 * Input: a byte for the mode, then a batch as in the payload of OPS.
 *
 *     0  applied to an open index, where chunks 1..3 are known, and taken back.
 *        What was applied reads back, counts are those of the extents, and the
 *        last operation once more changes nothing.
 *     1  as the only batch of a log, behind a frame with the same chunks: the
 *        volume is opened, read, changed, checked, closed and opened again.
 *
 * Nothing waits for the disk: see fsync() below.
 */
#include "fuzz/fuzz.h"

#include "base/hash.h"
#include "base/report.h"
#include "fuzz/operation/hostile_log.h"
#include "lib/tmpdir.h"
#include "store/bank.h"
#include "store/ops.h"
#include "store/state.h"
#include "volume/check.h"
#include "volume/data.h"
#include "volume/dirent.h"
#include "volume/extent.h"
#include "volume/file.h"
#include "volume/inode_row.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum mode { MODE_APPLY, MODE_MOUNT, N_MODES };

enum { INO_TRIED = 8, READ_LEN = 4096 };

static struct tmpdir dir;
static char base_path[300];  /* a store for MODE_APPLY */
static char mount_path[300]; /* made anew for each input of MODE_MOUNT */
static struct volume *base;

/* Ours come before those of the C library, for SQLite, too. */
int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fildes)
{
	(void)fildes;
	return 0;
}

static void clean_up(void)
{
	(void)volume_close(base);
	tmpdir_release(&dir);
}

static void set_up(void)
{
	const struct volume_options options = { .store.n_workers = 1 };
	const struct store_create_options create = { .label = NULL };

	if (base)
		return;
	report_silence(true);
	tmpdir_init(&dir);
	(void)snprintf(base_path, sizeof(base_path), "%s/base", dir.path);
	(void)snprintf(mount_path, sizeof(mount_path), "%s/store", dir.path);
	must(volume_create(base_path, &create) == 0);
	must(volume_open(base_path, &options, &base) == 0);
	hostile_log_init();
	(void)atexit(clean_up);
}

/* ---- applying --------------------------------------------------------------- */

/* What the tables hold, and how often each chunk is referred to. */
struct digest {
	uint64_t hash;
	uint64_t refs[HOSTILE_CHUNKS + 1];
};

static void mix(struct digest *d, struct span bytes)
{
	d->hash = hash64(bytes, d->hash + bytes.len);
}

static int mix_inode(void *ctx, uint64_t ino, const struct inode_image *image)
{
	uint8_t blob[INODE_IMAGE_MAX];

	must(image != NULL && ino != 0);
	mix(ctx, span_of(&ino, sizeof(ino)));
	mix(ctx, span_of(blob, inode_image_put(image, blob)));
	return 0;
}

static int mix_name(void *ctx, const struct op_dirent *entry)
{
	uint8_t bytes[OP_DIRENT_MAX];

	must(op_name_valid(entry->name));
	mix(ctx, span_of(bytes, op_dirent_put(entry, bytes)));
	return 0;
}

static int mix_xattr(void *ctx, const struct op_xattr *row)
{
	must(row->value.len <= VOLUME_XATTR_MAX);
	mix(ctx, span_of(&row->ino, sizeof(row->ino)));
	mix(ctx, row->name);
	mix(ctx, row->value);
	return 0;
}

static int mix_extent(void *ctx, uint64_t ino, const struct extent *e)
{
	struct extent_cursor c = { .end = 0 };
	struct digest *d = ctx;
	uint8_t bytes[EXTENT_LEN_MAX];

	must(e->len > 0 && extent_end(e) <= MAP_END_MAX);
	mix(d, span_of(&ino, sizeof(ino)));
	mix(d, span_of(bytes, extent_put(&c, e, bytes)));
	if (e->kind == EXTENT_CHUNK) {
		must(e->chunk >= 1 && e->chunk <= HOSTILE_CHUNKS);
		d->refs[e->chunk]++;
	}
	return 0;
}

/* All that apply accepted is there and makes sense. */
static struct digest read_tables(struct volume *v)
{
	struct digest d = { .hash = 0 };
	uint64_t chunk;
	uint64_t refs;

	must(inode_rows_each(v, mix_inode, &d) == 0);
	must(dirents_each(v, mix_name, &d) == 0);
	must(xattrs_each(v, mix_xattr, &d) == 0);
	must(filemap_each(v, mix_extent, &d) == 0);
	for (chunk = 1; chunk <= HOSTILE_CHUNKS; chunk++) {
		must(bank_refs(v->store->bank, chunk, &refs) == 0);
		must(refs == d.refs[chunk]);
	}
	return d;
}

static void check_codes(int rc)
{
	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
}

static void apply_all(struct volume *v, struct span batch)
{
	struct reader r = reader_of(batch);
	struct op op = { .type = 0 };
	struct op last = { .type = 0 };
	struct digest once;
	struct digest twice;
	int rc;

	while ((rc = ops_next(&r, &op)) == 1) {
		rc = txn_apply(v->store, op.type, op.body);
		if (rc < 0)
			break;
		last = op;
	}
	check_codes(rc);
	/* A group with a bad operation in it is taken back as a whole. */
	if (rc < 0 || last.type == 0)
		return;
	once = read_tables(v);
	must(txn_apply(v->store, last.type, last.body) == 0);
	twice = read_tables(v);
	must(memcmp(&once, &twice, sizeof(once)) == 0);
}

/* Under INDEX from beginning to end: the volume sees nothing of it. */
static void check_apply(struct span batch)
{
	struct store *s = base->store;
	int64_t totals[STORE_N_TOTALS];
	size_t i;

	index_lock(s);
	for (i = 0; i < STORE_N_TOTALS; i++)
		totals[i] = atomic_load(&s->totals[i]);
	must(bank_add(s->bank, hostile_frame()) == 0);
	apply_all(base, batch);
	must(db_rollback(s->index.db) == 0);
	must(db_begin(s->index.db) == 0);
	bank_reset(s->bank);
	for (i = 0; i < STORE_N_TOTALS; i++)
		atomic_store(&s->totals[i], totals[i]);
	index_unlock(s);
}

/* ---- mounting --------------------------------------------------------------- */

static void finding(void *ctx, const char *text)
{
	(void)text;
	++*(unsigned *)ctx;
}

static bool see_entry(void *ctx, struct span name,
		      const struct volume_attr *attr, uint64_t next)
{
	unsigned *n = ctx;

	must(name.len > 0 && name.len <= VOLUME_NAME_MAX && attr->ino != 0);
	(void)next;
	return ++*n < 1000;
}

static void read_inode(struct volume *v, uint64_t ino)
{
	static char buf[VOLUME_XATTR_MAX];
	struct volume_lister lister = { .fn = see_entry };
	struct volume_attr attr;
	struct file_read r;
	uint64_t off;
	unsigned n = 0;
	int whence;

	lister.ctx = &n;
	if (volume_getattr(v, ino, &attr) < 0)
		return;
	must(attr.ino == ino);
	(void)volume_readdir(v, ino, 0, &lister);
	(void)volume_readlink(v, ino, buf, sizeof(buf));
	(void)volume_listxattr(v, ino, buf, sizeof(buf));
	(void)volume_getxattr(v, ino, span_of("user.a", 6), buf, sizeof(buf));
	for (off = 0; off < 3; off++) {
		uint64_t at = off == 0 ? 0 : attr.size / 2 * off;

		if (file_read(v, ino, at, READ_LEN, &r) == 0)
			file_read_done(&r);
		for (whence = SEEK_DATA; whence <= SEEK_HOLE; whence++)
			(void)file_seek(v, ino, at, whence, &at);
	}
}

static void change_inode(struct volume *v, uint64_t ino)
{
	const struct volume_attr shorter = { .size = 5000 };
	struct volume_attr attr;

	(void)file_write(v, ino, 100, span_of("new bytes", 9), 0);
	(void)volume_setattr(v, ino, SET_SIZE, &shorter, &attr);
	(void)file_fsync(v, ino);
	if (volume_link(v, ino, VOLUME_ROOT, span_of("again", 5), &attr) == 0)
		volume_forget(v, ino, 1);
	(void)volume_unlink(v, VOLUME_ROOT, span_of("a", 1));
	(void)volume_rmdir(v, VOLUME_ROOT, span_of("d", 1));
}

static void use_volume(bool change)
{
	const struct volume_options options = { .store.n_workers = 1 };
	unsigned n_findings = 0;
	struct check_report report = { .ctx = &n_findings, .finding = finding };
	struct volume *v;
	uint64_t ino;

	if (volume_open(mount_path, &options, &v) < 0)
		return;
	for (ino = 1; ino <= INO_TRIED; ino++)
		read_inode(v, ino);
	(void)volume_check(v, &report);
	for (ino = 2; change && ino <= INO_TRIED; ino++)
		change_inode(v, ino);
	(void)volume_sync(v);
	(void)volume_close(v);
}

static void remove_files(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;

	must(d != NULL);
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	(void)closedir(d);
}

static void check_mount(struct span batch)
{
	char log_path[310];

	(void)snprintf(log_path, sizeof(log_path), "%s/log", mount_path);
	(void)mkdir(mount_path, 0700);
	(void)mkdir(log_path, 0700);
	remove_files(mount_path);
	remove_files(log_path);
	hostile_log_write(mount_path, &base->store->superblock, batch);
	use_volume(true);
	use_volume(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span batch;

	set_up();
	if (size == 0)
		return 0;
	batch = span_of(data + 1, size - 1);
	if (data[0] % N_MODES == MODE_MOUNT)
		check_mount(batch);
	else
		check_apply(batch);
	return 0;
}

/* ---- seeds ------------------------------------------------------------------ */

int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	struct buffer batch;
	size_t len;

	must(cap >= FUZZ_SEED_MAX);
	if (i >= HOSTILE_SEEDS + 1)
		return -1;
	buffer_init(&batch, FUZZ_SEED_MAX - 1);
	/* The first one is mounted, too. */
	hostile_seed(i == HOSTILE_SEEDS ? 0 : i, &batch);
	buf[0] = i == HOSTILE_SEEDS ? MODE_MOUNT : MODE_APPLY;
	len = batch.len;
	memcpy(buf + 1, batch.data, len);
	buffer_release(&batch);
	return (int)(len + 1);
}
