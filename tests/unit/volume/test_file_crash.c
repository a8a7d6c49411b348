/* SPDX-License-Identifier: MIT */
/* test_file_crash.c - data of files, after a crash and in a failed store. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "base/cleanup.h"
#include "lib/rng.h"
#include "store/ingest.h"
#include "volume/file.h"
#include "volume/flusher.h"
#include "volume/volume_impl.h"

#include <stdlib.h>

static void write_and_fsync(struct fixture *f)
{
	uint64_t ino = make_file(f, VOLUME_ROOT, "f");

	ck_ok(file_write(f->v, ino, 0, span_of("old bytes", 9), 0));
	file_release(f->v, ino);
	ck_ok(file_write(f->v, ino, 4, span_of("BYTES and more", 14), 0));
	ck_ok(file_fsync(f->v, ino));
	ck_ok(file_write(f->v, ino, 0, span_of("lost", 4), 0));
}

START_TEST(fsync_outlives_a_crash)
{
	struct fixture f;
	struct file_read r;
	uint8_t got[18] = { 0 };
	size_t done = 0;

	fixture_init_closed(&f);
	fixture_crash(&f, write_and_fsync, false);
	ck_ok(file_read(f.v, ino_of(&f, VOLUME_ROOT, "f"), 0, 100, &r));
	ck_assert_uint_eq(r.len, sizeof(got));
	for (int i = 0; i < r.n_iov; i++) {
		memcpy(got + done, r.iov[i].iov_base, r.iov[i].iov_len);
		done += r.iov[i].iov_len;
	}
	ck_assert_mem_eq(got, "old BYTES and more", sizeof(got));
	file_read_done(&r);
	fixture_release(&f);
}
END_TEST

/* The end of a file lands before its beginning, and then all ends. */
static void land_the_end(struct fixture *f)
{
	uint64_t ino = make_file(f, VOLUME_ROOT, "f");
	AUTO_FREE uint8_t *bytes = malloc(PARCEL_RAW_MAX);
	struct parcel *held;
	struct inode *inode;
	struct rng r = rng_of(1);

	ck_assert_ptr_nonnull(bytes);
	rng_fill(&r, bytes, PARCEL_RAW_MAX);
	ck_ok(file_write(f->v, ino, 0, span_of("begin", 5), 0));
	file_release(f->v, ino);
	sync_lock(&f->v->flusher->pack_lock);
	held = f->v->flusher->packed;
	f->v->flusher->packed = NULL;
	sync_unlock(&f->v->flusher->pack_lock);
	ck_assert_ptr_nonnull(held);
	ck_ok(file_write(f->v, ino, 100000, span_of(bytes, PARCEL_RAW_MAX), 0));
	ck_ok(inode_get(f->v, ino, &inode));
	ck_ok(flush_inode(f->v, inode, FLUSH_SYNC));
	ingest_drain(f->v->store);
	ck_ok(commit_sync(f->v->store, txn_mark(f->v->store)));
}

START_TEST(what_lies_beyond_the_size_stays_hidden)
{
	struct volume_attr attr = { .size = 1 << 20 };
	struct fixture f;
	struct file_read r;
	uint64_t ino;

	fixture_init_closed(&f);
	fixture_crash(&f, land_the_end, false);
	ino = ino_of(&f, VOLUME_ROOT, "f");
	ck_assert_uint_eq(attr_of(&f, ino).size, 0);
	ck_assert_uint_gt(attr_of(&f, ino).allocated, 0);
	ck_ok(file_write(f.v, ino, 600000, span_of("x", 1), 0));
	ck_ok(volume_setattr(f.v, ino, SET_SIZE, &attr, &attr));
	ck_ok(file_read(f.v, ino, 0, 600000, &r));
	ck_assert_uint_eq(r.len, 600000);
	for (size_t i = 0; i < r.len; i++)
		if (((uint8_t *)r.iov[0].iov_base)[i] != 0)
			ck_abort_msg("byte %zu came back", i);
	file_read_done(&r);
	ck_ok(file_fsync(f.v, ino));
	ck_assert_uint_eq(attr_of(&f, ino).allocated, 1);
	fixture_release(&f);
}
END_TEST

START_TEST(failed_store_loses_and_tells)
{
	struct fixture f;
	struct file_read r;
	uint64_t packed;
	uint64_t ino;

	fixture_init(&f);
	packed = make_file(&f, VOLUME_ROOT, "packed");
	ino = make_file(&f, VOLUME_ROOT, "f");
	ck_ok(file_write(f.v, ino, 0, span_of("kept", 4), 0));
	ck_ok(file_fsync(f.v, ino));
	ck_ok(file_write(f.v, packed, 0, span_of("packed", 6), 0));
	file_release(f.v, packed);
	ck_ok(file_write(f.v, ino, 2, span_of("dirty", 5), 0));
	store_fail(f.v->store, -EIO, "a test");
	ck_rc(file_write(f.v, ino, 2, span_of("more", 4), 0), -EROFS);
	ck_ok(file_read(f.v, ino, 0, 10, &r));
	ck_assert_uint_eq(r.len, 7);
	ck_assert_mem_eq(r.iov[0].iov_base, "kedirty", 7);
	file_read_done(&r);
	ck_assert_int_lt(file_fsync(f.v, ino), 0);
	ck_assert_int_lt(volume_sync(f.v), 0);
	ck_assert_int_lt(file_fsync(f.v, packed), 0);
	ck_assert_int_lt(volume_close(f.v), 0);
	fixture_open(&f);
	ck_ok(file_read(f.v, ino, 0, 10, &r));
	ck_assert_uint_eq(r.len, 4);
	ck_assert_mem_eq(r.iov[0].iov_base, "kept", 4);
	file_read_done(&r);
	fixture_release(&f);
}
END_TEST

Suite *suite_file_crash(void)
{
	const TTest *const tests[] = {
		fsync_outlives_a_crash,
		what_lies_beyond_the_size_stays_hidden,
		failed_store_loses_and_tells,
	};

	return suite_of("volume/file_crash", tests, ARRAY_LEN(tests), 120);
}
