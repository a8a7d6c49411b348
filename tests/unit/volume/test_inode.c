/* SPDX-License-Identifier: MIT */
/* test_inode.c - inodes in memory: eviction, lookup counts, deletion. */
#include "unit/volume/digest.h"
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "store/state.h"
#include "volume/file.h"
#include "volume/filemap.h"
#include "volume/inodes.h"
#include "volume/volume_impl.h"

#include <pthread.h>
#include <stdio.h>

#define ROOT VOLUME_ROOT

static size_t n_in_memory(struct fixture *f)
{
	struct inodes *t = f->v->inodes;
	size_t n;

	sync_lock(&t->lock);
	n = t->by_ino.n_used;
	sync_unlock(&t->lock);
	return n;
}

static size_t n_counted(struct fixture *f)
{
	struct inodes *t = f->v->inodes;
	size_t n;

	sync_lock(&t->lock);
	n = t->lookups.n_used;
	sync_unlock(&t->lock);
	return n;
}

static uint64_t n_inodes(struct fixture *f)
{
	struct volume_stat stat;

	ck_ok(volume_statfs(f->v, &stat));
	return stat.n_inodes;
}

/* All changed inodes get their rows. */
static void log_changed(struct fixture *f)
{
	ck_ok(volume_sync(f->v));
}

static bool exists(struct fixture *f, uint64_t ino)
{
	struct volume_attr attr;

	return volume_getattr(f->v, ino, &attr) == 0;
}

START_TEST(memory_is_bounded)
{
	struct fixture f;
	uint64_t inos[1000];
	char name[16];

	fixture_init_closed(&f);
	f.n_inodes = 50;
	fixture_open(&f);
	for (unsigned i = 0; i < 1000; i++) {
		struct volume_attr attr = { .mode = 0600 + i % 8 };

		(void)snprintf(name, sizeof(name), "n%u", i);
		inos[i] = make_file(&f, ROOT, name);
		ck_ok(volume_setattr(f.v, inos[i], SET_MODE, &attr, &attr));
	}
	log_changed(&f);
	ck_assert_uint_le(n_in_memory(&f), 50);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_uint_eq(attr_of(&f, inos[i]).mode,
				  S_IFREG | (0600 + i % 8));
	ck_assert_uint_le(n_in_memory(&f), 51);
	ck_assert_uint_eq(n_inodes(&f), 1001);
	fixture_release(&f);
}
END_TEST

START_TEST(changed_inodes_are_bounded)
{
	struct fixture f;
	char name[16];

	fixture_init_closed(&f);
	f.n_inodes = 50;
	fixture_open(&f);
	for (unsigned i = 0; i < 12000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		(void)make_file(&f, ROOT, name);
		ck_assert_uint_le(n_in_memory(&f), 4096 + 60);
	}
	ck_assert_uint_eq(n_inodes(&f), 12001);
	fixture_release(&f);
}
END_TEST

START_TEST(counts_keep_what_has_no_name)
{
	struct fixture f;
	struct volume_attr attr;
	struct volume_new what = { .mode = S_IFREG | 0600 };

	fixture_init(&f);
	ck_ok(volume_make(f.v, ROOT, name_of("a"), &what, &attr));
	ck_ok(volume_lookup(f.v, ROOT, name_of("a"), &attr));
	ck_ok(volume_link(f.v, attr.ino, ROOT, name_of("b"), &attr));
	ck_ok(try_unlink(&f, ROOT, "a"));
	ck_ok(try_unlink(&f, ROOT, "b"));
	ck_assert_uint_eq(links_of(&f, attr.ino), 0);
	ck_rc(try_link(&f, attr.ino, ROOT, "c"), -ENOENT);
	ck_ok(file_write(f.v, attr.ino, 0, name_of("data"), 0));
	ck_assert_uint_eq(attr_of(&f, attr.ino).size, 4);
	volume_forget(f.v, attr.ino, 2);
	ck_assert(exists(&f, attr.ino));
	volume_forget(f.v, attr.ino, 1);
	ck_ok(volume_sync(f.v));
	ck_assert(!exists(&f, attr.ino));
	ck_assert_uint_eq(n_counted(&f), 0);
	ck_assert_uint_eq(n_inodes(&f), 1);
	/* More than there is, and of what never was. */
	volume_forget(f.v, attr.ino, 5);
	volume_forget(f.v, 12345, 1);
	volume_forget(f.v, 0, 1);
	fixture_release(&f);
}
END_TEST

START_TEST(an_evicted_orphan_is_deleted_too)
{
	struct fixture f;
	struct volume_attr attr;
	struct volume_new what = { .mode = S_IFREG | 0600 };
	char name[16];

	fixture_init_closed(&f);
	f.n_inodes = 10;
	fixture_open(&f);
	ck_ok(volume_make(f.v, ROOT, name_of("a"), &what, &attr));
	ck_ok(try_unlink(&f, ROOT, "a"));
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		(void)make_file(&f, ROOT, name);
	}
	log_changed(&f);
	ck_assert_ptr_null(idmap_ptr(&f.v->inodes->by_ino, attr.ino));
	ck_assert_uint_eq(n_inodes(&f), 102);
	volume_forget(f.v, attr.ino, 1);
	ck_assert_uint_eq(n_inodes(&f), 101);
	ck_assert(!exists(&f, attr.ino));
	fixture_release(&f);
}
END_TEST

START_TEST(made_and_deleted_in_one_batch)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	(void)make_file(&f, ROOT, "a");
	ck_assert_uint_eq(n_inodes(&f), 2);
	ck_ok(try_unlink(&f, ROOT, "a"));
	ck_assert_uint_eq(n_inodes(&f), 1);
	(void)make_symlink(&f, ROOT, "l", "target");
	ck_ok(try_unlink(&f, ROOT, "l"));
	ino = make_file(&f, ROOT, "b");
	ck_ok(volume_setxattr(f.v, ino, name_of("user.a"), name_of("1"), 0));
	ck_ok(try_unlink(&f, ROOT, "b"));
	ino = make_file(&f, ROOT, "c");
	ck_ok(file_write(f.v, ino, 0, name_of("data"), 0));
	ck_ok(try_unlink(&f, ROOT, "c"));
	ck_ok(volume_sync(f.v));
	ck_assert_uint_eq(n_inodes(&f), 1);
	ck_assert(!exists(&f, ino));
	fixture_release(&f);
}
END_TEST

/* The map of a file in many leaves goes in several transactions. */
static void map_much(struct fixture *f, uint64_t ino)
{
	static struct extent list[MAP_EXTENTS_MAX];
	struct inode *inode;
	int64_t allocated = 0;

	ck_ok(inode_get(f->v, ino, &inode));
	for (uint64_t k = 0; k < 40; k++) {
		struct map_range range = { ino, k << 31, (uint64_t)1 << 31 };

		for (uint64_t i = 0; i < MAP_EXTENTS_MAX; i++)
			list[i] = (struct extent){
				.off = range.off + (i << 21),
				.len = 1 << 20,
				.kind = EXTENT_UNWRITTEN,
			};
		ck_ok(txn_begin(f->v->store));
		ck_ok(filemap_assign(f->v, &range, list, MAP_EXTENTS_MAX,
				     &allocated));
		sync_lock(&inode->lock);
		inode->image.attr.allocated += (uint64_t)allocated;
		inode->image.attr.size = range.off + range.len;
		inode_changed(f->v, inode);
		sync_unlock(&inode->lock);
		txn_end(f->v->store);
	}
	inode_put(f->v, inode);
}

START_TEST(a_long_file_is_deleted_in_steps)
{
	struct fixture f;
	uint64_t before;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "long");
	map_much(&f, ino);
	ck_ok(volume_sync(f.v));
	before = atomic_load(&f.v->store->n_ops);
	ck_ok(try_unlink(&f, ROOT, "long"));
	/* 160 leaves, 64 at a time. */
	ck_assert_uint_ge(atomic_load(&f.v->store->n_ops) - before, 2);
	ck_assert_uint_eq(n_inodes(&f), 1);
	ino = make_file(&f, ROOT, "long");
	map_much(&f, ino);
	fixture_reopen(&f);
	ck_ok(try_unlink(&f, ROOT, "long"));
	fixture_release(&f);
}
END_TEST

START_TEST(the_last_pin_under_index)
{
	struct fixture f;
	struct inode *inode;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "a");
	ck_ok(inode_get(f.v, ino, &inode));
	ck_ok(try_unlink(&f, ROOT, "a"));
	ck_assert_uint_eq(n_inodes(&f), 2);
	index_lock(volume_store(f.v));
	inode_put_indexed(f.v, inode);
	index_unlock(volume_store(f.v));
	/* Deleted behind the next change. */
	ck_assert_uint_eq(n_inodes(&f), 2);
	ck_ok(try_make(&f, ROOT, "b", S_IFREG));
	ck_assert_uint_eq(n_inodes(&f), 2);
	ck_assert(!exists(&f, ino));
	fixture_release(&f);
}
END_TEST

START_TEST(a_pin_outlives_deletion)
{
	struct fixture f;
	struct inode *inode;
	struct volume_attr attr;

	fixture_init(&f);
	ck_ok(try_make(&f, ROOT, "a", S_IFREG));
	ck_ok(inode_get(f.v, ino_of(&f, ROOT, "a"), &inode));
	ck_ok(try_unlink(&f, ROOT, "a"));
	/* As if two had dropped the last use at the same time. */
	inode_delete(f.v, inode_pin(inode));
	inode_attr(inode, &attr);
	ck_assert_uint_eq(attr.nlink, 0);
	ck_assert(!exists(&f, inode->ino));
	ck_ok(txn_begin(volume_store(f.v)));
	sync_lock(&inode->lock);
	inode_changed(f.v, inode);
	sync_unlock(&inode->lock);
	inodes_txn_end(f.v);
	inode_put(f.v, inode);
	ck_ok(volume_sync(f.v));
	ck_assert_uint_eq(n_inodes(&f), 1);
	fixture_release(&f);
}
END_TEST

START_TEST(closing_deletes_what_has_no_name)
{
	struct fixture f;
	struct volume_attr attr;
	struct volume_new what = { .mode = S_IFREG | 0600 };

	fixture_init(&f);
	ck_ok(volume_make(f.v, ROOT, name_of("a"), &what, &attr));
	ck_ok(file_write(f.v, attr.ino, 0, name_of("data"), 0));
	ck_ok(try_unlink(&f, ROOT, "a"));
	fixture_reopen(&f);
	ck_assert_uint_eq(n_inodes(&f), 1);
	fixture_release(&f);
}
END_TEST

static void leave_orphans(struct fixture *f)
{
	struct volume_new what = { .mode = S_IFREG | 0600 };
	struct volume_attr attr;
	char name[16];

	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		ck_ok(volume_make(f->v, ROOT, name_of(name), &what, &attr));
		if (i % 3 == 0)
			ck_ok(file_write(f->v, attr.ino, 0, name_of("data"),
					 0));
		if (i % 2 == 0)
			ck_ok(volume_sync(f->v));
		ck_ok(try_unlink(f, ROOT, name));
	}
}

START_TEST(opening_deletes_orphans)
{
	struct fixture f;

	fixture_init_closed(&f);
	fixture_crash(&f, leave_orphans, true);
	ck_assert_uint_eq(n_inodes(&f), 1);
	fixture_release(&f);
}
END_TEST

START_TEST(numbers_are_never_used_again)
{
	struct fixture f;
	uint64_t last = ROOT;

	fixture_init(&f);
	for (int i = 0; i < 20; i++) {
		uint64_t ino = make_file(&f, ROOT, "a");

		ck_assert_uint_gt(ino, last);
		last = ino;
		ck_ok(try_unlink(&f, ROOT, "a"));
		if (i % 5 == 0)
			fixture_reopen(&f);
	}
	fixture_release(&f);
}
END_TEST

/* ---- several threads ---------------------------------------------------------- */

enum { N_THREADS = 4, N_ROUNDS = 400 };

struct thread {
	pthread_t id;
	struct fixture *f;
	uint64_t dir;
	unsigned number;
};

/* One step of a random mixture, on names that all threads share. */
static void step(struct thread *t, struct rng *r)
{
	struct volume *v = t->f->v;
	struct volume_new what = { .mode = S_IFREG | 0600 };
	struct volume_attr attr;
	struct volume_place from = { .parent = t->dir };
	struct volume_place to = { .parent = t->dir };
	char name[2][8];

	for (int i = 0; i < 2; i++)
		(void)snprintf(name[i], sizeof(name[i]), "n%u",
			       (unsigned)rng_below(r, 20));
	from.name = name_of(name[0]);
	to.name = name_of(name[1]);
	switch (rng_below(r, 8)) {
	case 0:
	case 1:
		if (volume_make(v, t->dir, from.name, &what, &attr) == 0) {
			(void)file_write(v, attr.ino, 0, name_of("abc"), 0);
			volume_forget(v, attr.ino, 1);
		}
		break;
	case 2:
	case 3:
		(void)volume_unlink(v, t->dir, from.name);
		break;
	case 4:
		(void)volume_rename(v, &from, &to, 0, NULL);
		break;
	case 5:
		if (volume_lookup(v, t->dir, from.name, &attr) == 0) {
			(void)volume_setxattr(v, attr.ino, name_of("user.a"),
					      name_of("1"), 0);
			(void)file_write(v, attr.ino, 1, name_of("abc"), 0);
			volume_forget(v, attr.ino, 1);
		}
		break;
	case 6:
		if (volume_lookup(v, t->dir, from.name, &attr) == 0) {
			uint64_t ino = attr.ino;

			if (volume_link(v, ino, t->dir, to.name, &attr) == 0)
				volume_forget(v, ino, 1);
			volume_forget(v, ino, 1);
		}
		break;
	default:
		(void)volume_sync(v);
		break;
	}
}

static void *run_thread(void *arg)
{
	struct thread *t = arg;
	struct rng r = rng_of(t->number);

	for (int i = 0; i < N_ROUNDS; i++)
		step(t, &r);
	return NULL;
}

static void run_threads(void *(*run)(void *))
{
	struct fixture f;
	struct thread threads[N_THREADS];
	uint64_t dir;

	fixture_init_closed(&f);
	f.n_inodes = 4;
	fixture_open(&f);
	dir = make_dir(&f, ROOT, "dir");
	for (unsigned i = 0; i < N_THREADS; i++) {
		threads[i] =
			(struct thread){ .f = &f, .dir = dir, .number = i };
		ck_ok(pthread_create(&threads[i].id, NULL, run, &threads[i]));
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		ck_ok(pthread_join(threads[i].id, NULL));
	ck_assert_uint_eq(n_counted(&f), 0);
	fixture_release(&f);
}

START_TEST(threads_on_the_same_files)
{
	run_threads(run_thread);
}
END_TEST

static void *run_churn(void *arg)
{
	struct thread *t = arg;
	struct rng r = rng_of(t->number);

	churn(t->f, &r, 10 * N_ROUNDS);
	return NULL;
}

START_TEST(threads_on_the_same_tree)
{
	run_threads(run_churn);
}
END_TEST

/* ---- a store that fails --------------------------------------------------------- */

START_TEST(nothing_is_lost_in_memory_when_the_store_fails)
{
	struct fixture f;
	struct volume_new what = { .mode = S_IFREG | 0600 };
	struct volume_attr attr;
	struct volume *v;
	uint64_t synced;

	fixture_init(&f);
	synced = make_file(&f, ROOT, "synced");
	ck_ok(volume_sync(f.v));
	ck_ok(volume_make(f.v, ROOT, name_of("a"), &what, &attr));
	ck_ok(file_write(f.v, attr.ino, 0, name_of("data"), 0));
	ck_ok(try_unlink(&f, ROOT, "a"));
	(void)make_file(&f, ROOT, "b");
	ck_ok(file_write(f.v, synced, 0, name_of("data"), 0));
	store_fail(volume_store(f.v), -EIO, "test");
	ck_assert_uint_eq(attr_of(&f, synced).size, 4);
	ck_assert_uint_ne(ino_of(&f, ROOT, "b"), 0);
	ck_rc(try_unlink(&f, ROOT, "b"), -EROFS);
	ck_rc(try_make(&f, ROOT, "c", S_IFREG), -EROFS);
	volume_forget(f.v, attr.ino, 1);
	v = f.v;
	f.v = NULL;
	ck_assert_int_lt(volume_close(v), 0);
	fixture_open(&f);
	ck_assert_uint_eq(ino_of(&f, ROOT, "synced"), synced);
	fixture_release(&f);
}
END_TEST

Suite *suite_inode(void)
{
	const TTest *const tests[] = {
		memory_is_bounded,
		changed_inodes_are_bounded,
		counts_keep_what_has_no_name,
		an_evicted_orphan_is_deleted_too,
		made_and_deleted_in_one_batch,
		a_long_file_is_deleted_in_steps,
		the_last_pin_under_index,
		a_pin_outlives_deletion,
		closing_deletes_what_has_no_name,
		opening_deletes_orphans,
		numbers_are_never_used_again,
		threads_on_the_same_files,
		threads_on_the_same_tree,
		nothing_is_lost_in_memory_when_the_store_fails,
	};

	return suite_of("volume/inode", tests, ARRAY_LEN(tests), 120);
}
