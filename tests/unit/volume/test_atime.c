/* SPDX-License-Identifier: MIT */
/* test_atime.c - which reads move a time of access, and where it waits. */
#include "store/state.h"
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"
#include "volume/atime.h"

#include <stdio.h>

#define ROOT VOLUME_ROOT

enum { MANY = 4096 };

static const struct volume_time old = { .sec = 1000000000 };

/* Both times long ago. */
static void age(struct fixture *f, uint64_t ino)
{
	const struct volume_attr to = { .atime = old, .mtime = old };
	struct volume_attr attr;

	ck_ok(volume_setattr(f->v, ino, SET_ATIME | SET_MTIME, &to, &attr));
}

static uint64_t aged_file(struct fixture *f, const char *name)
{
	uint64_t ino = make_file(f, ROOT, name);

	age(f, ino);
	return ino;
}

/* More inodes than there is room for. */
static void make_others(struct fixture *f)
{
	char name[16];

	for (unsigned i = 0; i < 2 * f->n_inodes; i++) {
		(void)snprintf(name, sizeof(name), "other%u", i);
		(void)make_file(f, ROOT, name);
	}
	ck_ok(volume_sync(f->v));
}

/* They are used: no other one stays. */
static void evict(struct fixture *f)
{
	char name[16];

	for (unsigned i = 0; i < 2 * f->n_inodes; i++) {
		(void)snprintf(name, sizeof(name), "other%u", i);
		(void)attr_of(f, ino_of(f, ROOT, name));
	}
}

START_TEST(rules)
{
	static const struct volume_time now = { 2000000, 5 };
	static const struct {
		struct volume_time atime, mtime, ctime;
		bool relative;
	} cases[] = {
		{ { 2000000, 4 }, { 1, 0 }, { 2, 0 }, false },
		{ { 1999999, 0 }, { 1999999, 0 }, { 1, 0 }, true },
		{ { 1999999, 1 }, { 1999999, 0 }, { 1, 0 }, false },
		{ { 1999999, 0 }, { 1, 0 }, { 1999999, 0 }, true },
		{ { 1999999, 0 }, { 1, 0 }, { 1999999, 1 }, true },
		{ { 2000000 - 86399, 0 }, { 1, 0 }, { 1, 0 }, false },
		{ { 2000000 - 86400, 999999999 }, { 1, 0 }, { 1, 0 }, true },
		/* Of a clock that was put back, or of a program's mind. */
		{ { 3000000, 0 }, { 1, 0 }, { 1, 0 }, false },
		{ { INT64_MIN, 0 }, { INT64_MIN, 1 }, { 1, 0 }, true },
		{ { INT64_MIN + 1, 0 },
		  { INT64_MIN, 0 },
		  { INT64_MIN, 0 },
		  true },
		{ { INT64_MAX, 0 }, { 1, 0 }, { 1, 0 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct volume_attr a = { .mode = S_IFREG | 0644,
					 .atime = cases[i].atime,
					 .mtime = cases[i].mtime,
					 .ctime = cases[i].ctime };
		const unsigned relative = VOLUME_ATIME_RELATIVE;
		const unsigned strict = VOLUME_ATIME_STRICT;
		const unsigned not_dirs = VOLUME_ATIME_NOT_DIRS;

		ck_assert_msg(atime_moves(&a, relative, now) ==
				      cases[i].relative,
			      "case %zu", i);
		ck_assert(atime_moves(&a, strict, now));
		ck_assert(atime_moves(&a, strict | not_dirs, now));
		ck_assert(!atime_moves(&a, 0, now));
		ck_assert(!atime_moves(&a, not_dirs, now));
		a.mode = S_IFDIR | 0755;
		ck_assert(atime_moves(&a, strict, now));
		ck_assert(!atime_moves(&a, strict | not_dirs, now));
		ck_assert(!atime_moves(&a, relative | not_dirs, now));
		a.atime = now;
		ck_assert(!atime_moves(&a, strict, now));
	}
}
END_TEST

/* Nothing that a commit would have to wait for. */
START_TEST(reading_writes_nothing)
{
	struct fixture f;
	uint64_t ino;
	uint64_t mark;
	struct volume_attr before;
	struct volume_attr now;

	fixture_init(&f);
	ino = aged_file(&f, "file");
	ck_ok(volume_sync(f.v));
	mark = txn_mark(volume_store(f.v));
	before = attr_of(&f, ino);
	tick_clock();
	/* Without a rule. */
	ck_assert(!volume_accessed(f.v, ino));
	volume_set_atime(f.v, VOLUME_ATIME_RELATIVE);
	ck_assert(volume_accessed(f.v, ino));
	now = attr_of(&f, ino);
	ck_assert(is_after(now.atime, before.ctime));
	ck_assert(is_same(now.mtime, before.mtime));
	ck_assert(is_same(now.ctime, before.ctime));
	tick_clock();
	ck_assert(!volume_accessed(f.v, ino));
	ck_assert(is_same(attr_of(&f, ino).atime, now.atime));
	ck_assert(!volume_accessed(f.v, 999));
	ck_ok(atimes_log(f.v, true));
	ck_assert_uint_eq(txn_mark(volume_store(f.v)), mark);
	/* By request it is logged, once. */
	ck_ok(volume_sync(f.v));
	ck_assert_uint_eq(txn_mark(volume_store(f.v)), mark + 1);
	ck_ok(volume_sync(f.v));
	ck_assert_uint_eq(txn_mark(volume_store(f.v)), mark + 1);
	fixture_reopen(&f);
	ck_assert(is_same(attr_of(&f, ino).atime, now.atime));
	fixture_release(&f);
}
END_TEST

struct seen {
	uint64_t ino;
	struct volume_attr attr;
	uint64_t counted[256];
	size_t n_counted;
};

static bool see(void *ctx, struct span name, const struct volume_attr *attr,
		uint64_t next)
{
	struct seen *s = ctx;

	(void)next;
	if (attr->ino == s->ino)
		s->attr = *attr;
	if (name.ptr[0] != '.')
		s->counted[s->n_counted++] = attr->ino;
	return s->n_counted < ARRAY_LEN(s->counted);
}

static struct volume_time listed_atime(struct fixture *f, uint64_t ino)
{
	struct seen s = { .ino = ino };
	const struct volume_lister to = { true, see, &s };

	ck_ok(volume_readdir(f->v, ROOT, 0, &to));
	for (size_t i = 0; i < s.n_counted; i++)
		volume_forget(f->v, s.counted[i], 1);
	return s.attr.atime;
}

START_TEST(waits_for_an_evicted_inode)
{
	struct fixture f;
	struct volume_time at;
	uint64_t ino;

	fixture_init_closed(&f);
	f.n_inodes = 8;
	fixture_open(&f);
	ino = aged_file(&f, "file");
	make_others(&f);
	volume_set_atime(f.v, VOLUME_ATIME_STRICT);
	ck_assert(volume_accessed(f.v, ino));
	at = attr_of(&f, ino).atime;
	ck_assert(is_after(at, old));
	evict(&f);
	ck_assert(is_same(listed_atime(&f, ino), at));
	ck_assert(is_same(attr_of(&f, ino).atime, at));
	fixture_reopen(&f);
	ck_assert(is_same(attr_of(&f, ino).atime, at));
	fixture_release(&f);
}
END_TEST

/* What a program sets afterwards is not overwritten by what waited. */
START_TEST(a_time_that_is_set_wins)
{
	struct fixture f;
	uint64_t ino;

	fixture_init_closed(&f);
	f.n_inodes = 8;
	fixture_open(&f);
	ino = aged_file(&f, "file");
	volume_set_atime(f.v, VOLUME_ATIME_STRICT);
	ck_assert(volume_accessed(f.v, ino));
	age(&f, ino);
	make_others(&f);
	evict(&f);
	ck_assert(is_same(attr_of(&f, ino).atime, old));
	fixture_reopen(&f);
	ck_assert(is_same(attr_of(&f, ino).atime, old));
	fixture_release(&f);
}
END_TEST

static void read_it(struct fixture *f)
{
	volume_set_atime(f->v, VOLUME_ATIME_RELATIVE);
	ck_assert(volume_accessed(f->v, ino_of(f, ROOT, "file")));
}

START_TEST(a_crash_takes_what_waits)
{
	struct fixture f;
	uint64_t ino;

	fixture_init(&f);
	ino = aged_file(&f, "file");
	fixture_close(&f);
	fixture_crash(&f, read_it, false);
	ck_assert(is_same(attr_of(&f, ino).atime, old));
	fixture_close(&f);
	fixture_crash(&f, read_it, true);
	ck_assert(is_after(attr_of(&f, ino).atime, old));
	fixture_release(&f);
}
END_TEST

START_TEST(of_the_deleted_nothing_waits)
{
	struct fixture f;
	uint64_t mark;

	fixture_init(&f);
	volume_set_atime(f.v, VOLUME_ATIME_STRICT);
	tick_clock();
	ck_assert(volume_accessed(f.v, aged_file(&f, "file")));
	ck_ok(try_unlink(&f, ROOT, "file"));
	ck_ok(atimes_log(f.v, false));
	ck_ok(volume_sync(f.v));
	mark = txn_mark(volume_store(f.v));
	ck_ok(atimes_log(f.v, false));
	ck_assert_uint_eq(txn_mark(volume_store(f.v)), mark);
	fixture_release(&f);
}
END_TEST

START_TEST(many_are_logged)
{
	struct fixture f;
	char name[16];
	uint64_t first = 0;
	uint64_t mark;

	fixture_init(&f);
	for (unsigned i = 0; i < MANY; i++) {
		uint64_t ino;

		(void)snprintf(name, sizeof(name), "%u", i);
		ino = make_file(&f, ROOT, name);
		first = i == 0 ? ino : first;
	}
	ck_ok(volume_sync(f.v));
	volume_set_atime(f.v, VOLUME_ATIME_STRICT);
	tick_clock();
	mark = txn_mark(volume_store(f.v));
	for (unsigned i = 0; i < MANY - 1; i++)
		ck_assert(volume_accessed(f.v, first + i));
	ck_ok(atimes_log(f.v, true));
	ck_assert_uint_eq(txn_mark(volume_store(f.v)), mark);
	ck_assert(volume_accessed(f.v, first + MANY - 1));
	ck_ok(atimes_log(f.v, true));
	/* The second's tick may be doing the same. */
	ck_assert_uint_ge(txn_mark(volume_store(f.v)), mark + MANY);
	fixture_release(&f);
}
END_TEST

START_TEST(nothing_moves_in_a_read_only_store)
{
	struct volume_options options = { .atime = VOLUME_ATIME_STRICT,
					  .store.read_only = true };
	struct fixture f;
	struct volume *v;
	struct volume_attr attr;
	uint64_t ino;

	fixture_init(&f);
	ino = aged_file(&f, "file");
	fixture_close(&f);
	ck_ok(volume_open(f.path, &options, &v));
	ck_assert(!volume_accessed(v, ino));
	ck_ok(volume_getattr(v, ino, &attr));
	ck_assert(is_same(attr.atime, old));
	ck_ok(volume_close(v));
	fixture_open(&f);
	fixture_release(&f);
}
END_TEST

Suite *suite_atime(void)
{
	const TTest *const tests[] = {
		rules,
		reading_writes_nothing,
		waits_for_an_evicted_inode,
		a_time_that_is_set_wins,
		a_crash_takes_what_waits,
		of_the_deleted_nothing_waits,
		many_are_logged,
		nothing_moves_in_a_read_only_store,
	};

	return suite_of("volume/atime", tests, ARRAY_LEN(tests), 60);
}
