/* SPDX-License-Identifier: MIT */
/* test_acl.c - lists by themselves, and those of inodes. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"
#include "volume/acl.h"

#include "lib/rng.h"

#include <stdlib.h>
#include <sys/stat.h>

#define ROOT VOLUME_ROOT

enum { LIST_MAX = 128 };

struct list {
	uint8_t bytes[LIST_MAX];
	size_t len;
};

static struct span span_of_list(const struct list *l)
{
	return span_of(l->bytes, l->len);
}

/* From text: a letter for the kind (o owner, u user, g group, n named group, m
 * mask, x others) and a digit for the permissions each. */
static struct list list_of(const char *text)
{
	static const char kinds[] = "ougnmx";
	struct list l = { .bytes = { 2 }, .len = 4 };

	for (; *text; text += 2) {
		uint8_t *entry = l.bytes + l.len;

		entry[0] = (uint8_t)(1 << (strchr(kinds, text[0]) - kinds));
		entry[2] = (uint8_t)(text[1] - '0');
		memset(entry + 4, text[0] == 'u' || text[0] == 'n' ? 5 : 0xff,
		       4);
		l.len += 8;
	}
	return l;
}

static bool is_same_list(const struct list *l, const char *text)
{
	struct list wanted = list_of(text);

	return l->len == wanted.len &&
	       memcmp(l->bytes, wanted.bytes, l->len) == 0;
}

START_TEST(good_and_bad)
{
	static const char *const good[] = {
		"o7g7x7",       "o0g0x0",         "o6u6g4m6x0", "o6g4n5m7x0",
		"o6u1u2g4m6x1", "o6u1g4n2n3m6x1", "o6g4m6x0",
	};
	static const char *const bad[] = {
		"",           "o6",           "o6g4",       "g4x0",
		"o6x0",       "o6o6g4x0",     "o6g4g4x0",   "o6g4x0x0",
		"o6u6g4x0",   "o6g4n4x0",     "u6o6g4m6x0", "o6g4u6m6x0",
		"o6m6g4x0",   "o6u6g4m6m6x0", "o8g4x0",     "o6g4x9",
		"o6n6g4m6x0",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct list l = list_of(good[i]);

		ck_rc(acl_check(span_of_list(&l)), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct list l = list_of(bad[i]);

		ck_rc(acl_check(span_of_list(&l)), -EINVAL);
	}
}
END_TEST

/* No prefix of a list is one, and no bytes are read that are not there. */
START_TEST(cut_off)
{
	struct list l = list_of("o6u6g4n5m6x0");
	struct rng rng = rng_of(7);

	for (size_t len = 0; len < l.len; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, l.bytes, len);
		ck_rc(acl_check(span_of(exact, len)), -EINVAL);
		free(exact);
	}
	l.bytes[0] = 3;
	ck_rc(acl_check(span_of_list(&l)), -EOPNOTSUPP);
	for (unsigned i = 0; i < 20000; i++) {
		struct list odd = list_of("o6u6g4n5m6x0");

		odd.bytes[rng_below(&rng, odd.len)] = (uint8_t)rng_u64(&rng);
		if (acl_check(span_of_list(&odd)) == 0)
			ck_assert_uint_le(acl_mode(span_of_list(&odd)), 0777);
	}
}
END_TEST

START_TEST(modes)
{
	struct list l = list_of("o6g4x1");

	ck_assert(acl_is_mode(span_of_list(&l)));
	ck_assert_uint_eq(acl_mode(span_of_list(&l)), 0641);
	acl_chmod(l.bytes, l.len, S_IFREG | 07520);
	ck_assert(is_same_list(&l, "o5g2x0"));
	l = list_of("o6u7g4m2x1");
	ck_assert(!acl_is_mode(span_of_list(&l)));
	ck_assert_uint_eq(acl_mode(span_of_list(&l)), 0621);
	acl_chmod(l.bytes, l.len, 0754);
	ck_assert(is_same_list(&l, "o7u7g4m5x4"));
	l = list_of("o6u7g7m7x5");
	ck_assert_uint_eq(acl_create(l.bytes, l.len, S_IFDIR | 02750),
			  S_IFDIR | 02650);
	ck_assert(is_same_list(&l, "o6u7g7m5x0"));
	l = list_of("o7g5x5");
	ck_assert_uint_eq(acl_create(l.bytes, l.len, S_IFREG | 0666),
			  S_IFREG | 0644);
	ck_assert(is_same_list(&l, "o6g4x4"));
}
END_TEST

/* ---- of inodes ---------------------------------------------------------------- */

static int set_list(struct fixture *f, uint64_t ino, const char *name,
		    const char *text, int flags)
{
	struct list l = list_of(text);

	return volume_setxattr(f->v, ino, name_of(name), span_of_list(&l),
			       flags);
}

static bool has_list(struct fixture *f, uint64_t ino, const char *name,
		     const char *text)
{
	struct list l;
	ssize_t n = volume_getxattr(f->v, ino, name_of(name), l.bytes,
				    sizeof(l.bytes));

	l.len = n > 0 ? (size_t)n : 0;
	return is_same_list(&l, text);
}

static bool has_none(struct fixture *f, uint64_t ino, const char *name)
{
	return volume_getxattr(f->v, ino, name_of(name), NULL, 0) == -ENODATA;
}

START_TEST(mode_and_list_agree)
{
	struct fixture f;
	struct volume_attr attr = { .mode = 0750 };
	uint64_t ino;

	fixture_init(&f);
	ino = make_file(&f, ROOT, "file");
	ck_ok(set_list(&f, ino, ACL_ACCESS, "o6u6g0m4x1", 0));
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0641);
	ck_ok(volume_setattr(f.v, ino, SET_MODE, &attr, &attr));
	fixture_reopen(&f);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0750);
	ck_assert(has_list(&f, ino, ACL_ACCESS, "o7u6g0m5x0"));
	/* One that is a mode takes the place of the other. */
	ck_ok(set_list(&f, ino, ACL_ACCESS, "o6g4x4", 0));
	ck_assert(has_none(&f, ino, ACL_ACCESS));
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0644);
	ck_ok(volume_removexattr(f.v, ino, name_of(ACL_ACCESS)));
	/* Setgid stays, unless it must not. */
	attr.mode = 02755;
	ck_ok(volume_setattr(f.v, ino, SET_MODE, &attr, &attr));
	ck_ok(set_list(&f, ino, ACL_ACCESS, "o6u6g4m4x4", 0));
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 02644);
	ck_ok(set_list(&f, ino, ACL_ACCESS, "o6u6g4m4x4",
		       VOLUME_XATTR_KILL_SGID));
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0644);
	fixture_release(&f);
}
END_TEST

START_TEST(what_is_refused)
{
	struct fixture f;
	uint64_t file;
	uint64_t link;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	link = make_symlink(&f, ROOT, "link", "target");
	ck_rc(set_list(&f, file, ACL_ACCESS, "o6u6g4x4", 0), -EINVAL);
	ck_rc(set_list(&f, file, ACL_DEFAULT, "o6g4x4", 0), -EACCES);
	ck_rc(set_list(&f, link, ACL_ACCESS, "o6g4x4", 0), -EOPNOTSUPP);
	ck_rc(set_list(&f, file, ACL_ACCESS, "o6g4x4", 1 << 17), -EINVAL);
	ck_assert(has_none(&f, file, ACL_ACCESS));
	ck_assert(has_none(&f, file, ACL_DEFAULT));
	fixture_release(&f);
}
END_TEST

static uint64_t make_with(struct fixture *f, uint64_t dir, const char *name,
			  uint32_t mode)
{
	const struct volume_new what = { .mode = mode,
					 .umask = 077,
					 .target = name_of("target") };
	struct volume_attr attr;

	ck_ok(volume_make(f->v, dir, name_of(name), &what, &attr));
	volume_forget(f->v, attr.ino, 1);
	return attr.ino;
}

START_TEST(handed_down)
{
	struct fixture f;
	uint64_t dir;
	uint64_t ino;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	ino = make_with(&f, dir, "before", S_IFREG | 0666);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0600);
	ck_ok(set_list(&f, dir, ACL_DEFAULT, "o7u6g5m7x1", 0));
	ino = make_with(&f, dir, "sub", S_IFDIR | 0777);
	fixture_reopen(&f);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFDIR | 0771);
	ck_assert(has_list(&f, ino, ACL_ACCESS, "o7u6g5m7x1"));
	ck_assert(has_list(&f, ino, ACL_DEFAULT, "o7u6g5m7x1"));
	ino = make_with(&f, ino, "file", S_IFREG | 0660);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFREG | 0660);
	ck_assert(has_list(&f, ino, ACL_ACCESS, "o6u6g5m6x0"));
	ck_assert(has_none(&f, ino, ACL_DEFAULT));
	ino = make_with(&f, dir, "link", S_IFLNK | 0777);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFLNK | 0777);
	ck_assert(has_none(&f, ino, ACL_ACCESS));
	/* A default list that is a mode bounds the mode, and is handed down. */
	ck_ok(set_list(&f, dir, ACL_DEFAULT, "o7g5x0", 0));
	ino = make_with(&f, dir, "plain", S_IFDIR | 0777);
	ck_assert_uint_eq(attr_of(&f, ino).mode, S_IFDIR | 0750);
	ck_assert(has_none(&f, ino, ACL_ACCESS));
	ck_assert(has_list(&f, ino, ACL_DEFAULT, "o7g5x0"));
	fixture_release(&f);
}
END_TEST

Suite *suite_acl(void)
{
	const TTest *const tests[] = {
		good_and_bad,        cut_off,         modes,
		mode_and_list_agree, what_is_refused, handed_down,
	};

	return suite_of("volume/acl", tests, ARRAY_LEN(tests), 30);
}
