/* SPDX-License-Identifier: MIT */
/*
 * test_view.c - tests of fs/view.c.
 */
#include "unit/fs/suites.h"
#include "view.h"

#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct tmpdir tmp;
static struct volume *volume;

static void begin(void)
{
	const struct volume_options options = {
		.store.effort = EFFORT_BALANCED,
	};
	char path[600];

	tmpdir_init(&tmp);
	(void)snprintf(path, sizeof(path), "%s/store", tmp.path);
	ck_ok(volume_create(path, &(struct store_create_options){ 0 }));
	ck_ok(volume_open(path, &options, &volume));
}

static void end(void)
{
	ck_ok(volume_close(volume));
	tmpdir_release(&tmp);
}

static uint64_t make(uint64_t dir, const char *name, uint32_t mode,
		     const char *target)
{
	const struct volume_new new = {
		.mode = mode,
		.target = span_of(target, target ? strlen(target) : 0),
	};
	struct volume_attr attr;

	ck_ok(volume_make(volume, dir, span_of(name, strlen(name)), &new,
			  &attr));
	volume_forget(volume, attr.ino, 1);
	return attr.ino;
}

static int find(const char *path, bool follow, uint64_t *ret)
{
	struct volume_attr attr;
	int rc = view_find(volume, path, follow, &attr);

	*ret = rc == 0 ? attr.ino : 0;
	return rc;
}

static void finds(const char *path, bool follow, uint64_t wanted)
{
	uint64_t ino;

	ck_ok(find(path, follow, &ino));
	ck_assert_uint_eq(ino, wanted);
}

START_TEST(finds_paths)
{
	uint64_t a, b, f, link, ino;

	begin();
	a = make(VOLUME_ROOT, "a", S_IFDIR | 0755, NULL);
	b = make(a, "b", S_IFDIR | 0755, NULL);
	f = make(b, "f", S_IFREG | 0644, NULL);
	link = make(a, "link", S_IFLNK | 0777, "b/../b");
	(void)make(b, "abs", S_IFLNK | 0777, "//a/link/./f");
	(void)make(b, "loop", S_IFLNK | 0777, "loop");
	(void)make(b, "gone", S_IFLNK | 0777, "nowhere");
	finds("", true, VOLUME_ROOT);
	finds("//", true, VOLUME_ROOT);
	finds("..", true, VOLUME_ROOT);
	finds("/a/./b//f", true, f);
	finds("a/b/../..", true, VOLUME_ROOT);
	finds("a/link", false, link);
	finds("a/link", true, b);
	finds("a/link/", false, b);
	finds("a/link/f", false, f);
	finds("a/link/abs", true, f);
	ck_rc(find("a/b/f/", true, &ino), -ENOTDIR);
	ck_rc(find("a/b/f/x", true, &ino), -ENOTDIR);
	ck_rc(find("a/b/loop", true, &ino), -ELOOP);
	ck_rc(find("a/b/gone", true, &ino), -ENOENT);
	ck_rc(find("a/none", true, &ino), -ENOENT);
	end();
}
END_TEST

/* Whatever the size of its slices, a listing has all names once. */
START_TEST(lists_in_slices)
{
	struct view_list list;
	uint64_t cookie = 0;
	unsigned n = 0;
	unsigned seen[300] = { 0 };
	int rc;

	begin();
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "n%u", i);
		(void)make(VOLUME_ROOT, name, S_IFIFO | 0600, NULL);
	}
	view_list_init(&list, 7);
	do {
		rc = view_list_read(&list, volume, VOLUME_ROOT, cookie);
		ck_assert_int_ge(rc, 0);
		ck_assert_uint_le(list.n, 7);
		for (size_t i = 0; i < list.n; i++) {
			const char *name = view_name(&list, &list.entries[i]);

			ck_ok(list.entries[i].rc);
			cookie = list.entries[i].next;
			n++;
			if (name[0] == 'n')
				seen[strtoul(name + 1, NULL, 10)]++;
		}
	} while (rc == 1);
	view_list_release(&list);
	ck_assert_uint_eq(n, ARRAY_LEN(seen) + 2);
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++)
		ck_assert_uint_eq(seen[i], 1);
	end();
}
END_TEST

START_TEST(knows_its_own_children)
{
	uint64_t a, b;

	begin();
	a = make(VOLUME_ROOT, "a", S_IFDIR | 0755, NULL);
	b = make(a, "b", S_IFDIR | 0755, NULL);
	ck_ok(view_check_child(volume, VOLUME_ROOT, a));
	ck_ok(view_check_child(volume, a, b));
	ck_rc(view_check_child(volume, VOLUME_ROOT, b), -EUCLEAN);
	ck_rc(view_check_child(volume, b, a), -EUCLEAN);
	ck_rc(view_check_child(volume, VOLUME_ROOT, VOLUME_ROOT), -EUCLEAN);
	end();
}
END_TEST

Suite *suite_view(void)
{
	const TTest *const tests[] = {
		finds_paths,
		lists_in_slices,
		knows_its_own_children,
	};

	return suite_of("fs/view", tests, ARRAY_LEN(tests), 60);
}
