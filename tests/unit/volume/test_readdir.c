/* SPDX-License-Identifier: MIT */
/* test_readdir.c - listings: complete, in pieces, while names come and go. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "lib/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOT VOLUME_ROOT

enum { NAMES_MAX = 200000 };

/* Takes entries named "." and ".." or "n" and a number; counts each. */
struct listing {
	unsigned room;   /* entries to take */
	uint64_t cookie; /* of the last one taken */
	unsigned n_dots;
	unsigned n_others;
	uint8_t *seen; /* by number */
	struct volume_attr last;
};

static bool take(void *ctx, struct span name, const struct volume_attr *attr,
		 uint64_t next)
{
	struct listing *l = ctx;
	char text[256];

	if (l->room == 0)
		return false;
	l->room--;
	ck_assert_uint_gt(next, l->cookie);
	l->cookie = next;
	l->last = *attr;
	ck_assert_uint_ne(attr->ino, 0);
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	if (text[0] == '.') {
		l->n_dots++;
	} else if (text[0] == 'n') {
		unsigned long number = strtoul(text + 1, NULL, 10);

		ck_assert_uint_lt(number, NAMES_MAX);
		ck_assert_uint_lt(l->seen[number], 255);
		l->seen[number]++;
	} else {
		l->n_others++;
	}
	return true;
}

/* Lists all, `piece` entries a call. */
static void list_all(struct fixture *f, uint64_t dir, unsigned piece,
		     struct listing *l)
{
	do {
		l->room = piece;
		ck_ok(volume_readdir(
			f->v, dir, l->cookie,
			&(struct volume_lister){ false, take, l }));
	} while (l->room == 0);
}

static void make_names(struct fixture *f, uint64_t dir, unsigned from,
		       unsigned to)
{
	char name[16];

	for (unsigned i = from; i < to; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		(void)make_file(f, dir, name);
	}
}

/* Ten names, `piece` entries a call. */
static void expect_ten(struct fixture *f, uint64_t dir, unsigned piece)
{
	uint8_t seen[10] = { 0 };
	static const uint8_t once[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct listing l = { .seen = seen };

	list_all(f, dir, piece, &l);
	ck_assert_uint_eq(l.n_dots, 2);
	ck_assert_mem_eq(seen, once, sizeof(seen));
}

START_TEST(small)
{
	struct fixture f;
	uint64_t dir;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	make_names(&f, dir, 0, 10);
	for (unsigned piece = 1; piece < 15; piece++)
		expect_ten(&f, dir, piece);
	fixture_release(&f);
}
END_TEST

START_TEST(empty_and_errors)
{
	struct fixture f;
	struct listing l = { 0 };
	uint64_t file;
	uint64_t dir;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	file = make_file(&f, ROOT, "file");
	list_all(&f, dir, 100, &l);
	ck_assert_uint_eq(l.n_dots, 2);
	ck_rc(volume_readdir(f.v, file, 0,
			     &(struct volume_lister){ false, take, &l }),
	      -ENOTDIR);
	ck_rc(volume_readdir(f.v, 999, 0,
			     &(struct volume_lister){ false, take, &l }),
	      -ENOENT);
	/* From beyond every cookie, and from none that is. */
	l.room = 1;
	ck_ok(volume_readdir(f.v, ROOT, UINT64_C(1) << 48,
			     &(struct volume_lister){ false, take, &l }));
	ck_assert_uint_eq(l.room, 1);
	ck_rc(volume_readdir(f.v, ROOT, UINT64_MAX,
			     &(struct volume_lister){ false, take, &l }),
	      -EINVAL);
	fixture_release(&f);
}
END_TEST

START_TEST(dots_tell_where)
{
	struct fixture f;
	struct listing l = { .room = 1 };
	uint64_t dir;

	fixture_init(&f);
	dir = make_dir(&f, make_dir(&f, ROOT, "a"), "b");
	ck_ok(volume_readdir(f.v, dir, 0,
			     &(struct volume_lister){ true, take, &l }));
	ck_assert_uint_eq(l.last.ino, dir);
	ck_assert_uint_eq(l.last.mode, S_IFDIR);
	l.room = 1;
	ck_ok(volume_readdir(f.v, dir, l.cookie,
			     &(struct volume_lister){ true, take, &l }));
	ck_assert_uint_eq(l.last.ino, ino_of(&f, ROOT, "a"));
	l = (struct listing){ .room = 2 };
	ck_ok(volume_readdir(f.v, ROOT, 0,
			     &(struct volume_lister){ true, take, &l }));
	ck_assert_uint_eq(l.last.ino, ROOT);
	fixture_release(&f);
}
END_TEST

static void expect_last(struct fixture *f, const struct volume_attr *want)
{
	struct listing l = { .room = 3 };

	ck_ok(volume_readdir(f->v, ROOT, 0,
			     &(struct volume_lister){ true, take, &l }));
	ck_assert_uint_eq(l.last.ino, want->ino);
	ck_assert_uint_eq(l.last.mode, want->mode);
	ck_assert_uint_eq(l.last.nlink, 1);
	ck_assert(is_same(l.last.mtime, want->mtime));
}

START_TEST(types_and_attributes)
{
	struct fixture f;
	struct volume_attr fifo;
	struct listing l = { 0 };

	fixture_init(&f);
	(void)make(&f, ROOT, "fifo", S_IFIFO | 0600);
	fifo = attr_of(&f, ino_of(&f, ROOT, "fifo"));
	list_all(&f, ROOT, 10, &l);
	ck_assert_uint_eq(l.last.ino, fifo.ino);
	ck_assert_uint_eq(l.last.mode, S_IFIFO);
	expect_last(&f, &fifo);
	fixture_reopen(&f);
	expect_last(&f, &fifo);
	/* It was counted: its inode outlives its name. */
	ck_ok(try_unlink(&f, ROOT, "fifo"));
	ck_assert_uint_eq(links_of(&f, fifo.ino), 0);
	volume_forget(f.v, fifo.ino, 1);
	ck_rc(volume_getattr(f.v, fifo.ino, &fifo), -ENOENT);
	fixture_release(&f);
}
END_TEST

START_TEST(what_is_refused_does_not_count)
{
	struct fixture f;
	struct listing l = { .room = 2 };
	struct volume_attr attr;
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "x");
	ck_ok(volume_readdir(f.v, ROOT, 0,
			     &(struct volume_lister){ true, take, &l }));
	ck_ok(try_unlink(&f, ROOT, "x"));
	ck_rc(volume_getattr(f.v, ino, &attr), -ENOENT);
	fixture_release(&f);
}
END_TEST

/* Makes and removes names other than those listed. */
static void stir(struct fixture *f, uint64_t dir, struct rng *r)
{
	char name[16];

	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "t%u",
			       (unsigned)rng_below(r, 5000));
		if (try_make(f, dir, name, S_IFREG) == -EEXIST)
			ck_ok(try_unlink(f, dir, name));
	}
}

START_TEST(a_hundred_thousand_while_names_come_and_go)
{
	const unsigned n = 100000;
	struct fixture f;
	struct rng r = rng_of(5);
	struct listing l = { .seen = calloc(NAMES_MAX, 1) };
	char name[16];
	uint64_t dir;

	ck_assert_ptr_nonnull(l.seen);
	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	make_names(&f, dir, 0, n);
	do {
		l.room = 300;
		ck_ok(volume_readdir(
			f.v, dir, l.cookie,
			&(struct volume_lister){ false, take, &l }));
		stir(&f, dir, &r);
		/* Of those that stay not, the even ones go, listed or not. */
		(void)snprintf(name, sizeof(name), "n%u",
			       2 * (unsigned)rng_below(&r, n / 2));
		(void)try_unlink(&f, dir, name);
	} while (l.room == 0);
	for (unsigned i = 1; i < n; i += 2)
		ck_assert_uint_eq(l.seen[i], 1);
	for (unsigned i = 0; i < n; i += 2)
		ck_assert_uint_le(l.seen[i], 1);
	ck_assert_uint_eq(l.n_dots, 2);
	free(l.seen);
	fixture_release(&f);
}
END_TEST

/* Removes each entry that a listing told, as rm -r does. */
START_TEST(removing_while_listing)
{
	struct fixture f;
	struct listing l = { .seen = calloc(NAMES_MAX, 1) };
	char name[16];
	uint64_t dir;

	ck_assert_ptr_nonnull(l.seen);
	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	make_names(&f, dir, 0, 3000);
	do {
		l.room = 100;
		ck_ok(volume_readdir(
			f.v, dir, l.cookie,
			&(struct volume_lister){ false, take, &l }));
		for (unsigned i = 0; i < 3000; i++) {
			if (l.seen[i] != 1)
				continue;
			(void)snprintf(name, sizeof(name), "n%u", i);
			ck_ok(try_unlink(&f, dir, name));
			l.seen[i] = 2;
		}
	} while (l.room == 0);
	ck_ok(try_rmdir(&f, ROOT, "dir"));
	free(l.seen);
	fixture_release(&f);
}
END_TEST

Suite *suite_readdir(void)
{
	const TTest *const tests[] = {
		empty_and_errors,
		small,
		dots_tell_where,
		types_and_attributes,
		what_is_refused_does_not_count,
		a_hundred_thousand_while_names_come_and_go,
		removing_while_listing,
	};

	return suite_of("volume/readdir", tests, ARRAY_LEN(tests), 180);
}
