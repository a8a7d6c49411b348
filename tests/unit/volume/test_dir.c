/* SPDX-License-Identifier: MIT */
/* test_dir.c - looking up, making, linking and removing names. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "volume/file.h"
#include "volume/inode.h"
#include "volume/volume_impl.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOT VOLUME_ROOT

static const uint32_t all_types[] = { S_IFREG,  S_IFDIR, S_IFIFO,
				      S_IFSOCK, S_IFCHR, S_IFBLK };

static void make_type(struct fixture *f, size_t i)
{
	struct volume_new what = {
		.mode = all_types[i] | 0640, .uid = 7, .gid = 8, .rdev = 0x1234
	};
	bool device = S_ISCHR(what.mode) || S_ISBLK(what.mode);
	struct volume_attr attr;
	char name[8];

	(void)snprintf(name, sizeof(name), "n%zu", i);
	ck_ok(volume_make(f->v, ROOT, name_of(name), &what, &attr));
	ck_assert_uint_eq(attr.mode, all_types[i] | 0640);
	ck_assert_uint_eq(attr.uid, 7);
	ck_assert_uint_eq(attr.gid, 8);
	ck_assert_uint_eq(attr.nlink, S_ISDIR(what.mode) ? 2 : 1);
	ck_assert_uint_eq(attr.rdev, device ? 0x1234 : 0);
	ck_assert(is_same(attr.mtime, attr.btime));
	volume_forget(f->v, attr.ino, 1);
}

static void expect_type(struct fixture *f, size_t i)
{
	struct volume_attr attr;
	char name[8];

	(void)snprintf(name, sizeof(name), "n%zu", i);
	attr = attr_of(f, ino_of(f, ROOT, name));
	ck_assert_uint_eq(attr.mode, all_types[i] | 0640);
	ck_assert_uint_eq(attr.gid, 8);
}

START_TEST(every_type_is_made_and_found_again)
{
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
		make_type(&f, i);
	fixture_reopen(&f);
	for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
		expect_type(&f, i);
	ck_assert_uint_eq(links_of(&f, ROOT), 3);
	fixture_release(&f);
}
END_TEST

START_TEST(names_that_are_refused)
{
	struct fixture f;
	char longest[257];
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	ck_rc(try_make(&f, ROOT, longest, S_IFREG), -ENAMETOOLONG);
	ck_rc(try_lookup(&f, ROOT, longest), -ENAMETOOLONG);
	ck_rc(try_unlink(&f, ROOT, longest), -ENAMETOOLONG);
	ck_rc(try_rmdir(&f, ROOT, longest), -ENAMETOOLONG);
	ck_rc(try_link(&f, file, ROOT, longest), -ENAMETOOLONG);
	longest[255] = '\0';
	ck_ok(try_make(&f, ROOT, longest, S_IFREG));
	ck_ok(try_lookup(&f, ROOT, longest));
	ck_rc(try_make(&f, ROOT, "", S_IFREG), -ENOENT);
	ck_rc(try_lookup(&f, ROOT, ""), -ENOENT);
	ck_rc(try_make(&f, ROOT, "a/b", S_IFREG), -EINVAL);
	ck_rc(volume_unlink(f.v, ROOT, span_of("a\0b", 3)), -EINVAL);
	ck_rc(try_make(&f, ROOT, ".", S_IFDIR), -EEXIST);
	ck_rc(try_make(&f, ROOT, "..", S_IFREG), -EEXIST);
	ck_rc(try_link(&f, file, ROOT, ".."), -EEXIST);
	ck_rc(try_unlink(&f, ROOT, "."), -EISDIR);
	ck_rc(try_unlink(&f, ROOT, ".."), -EISDIR);
	ck_rc(try_rmdir(&f, ROOT, "."), -EINVAL);
	ck_rc(try_rmdir(&f, ROOT, ".."), -ENOTEMPTY);
	ck_ok(try_make(&f, ROOT, "...", S_IFREG));
	ck_ok(try_make(&f, ROOT, "\xff\xfe\x01 \n", S_IFREG));
	fixture_release(&f);
}
END_TEST

START_TEST(errors_of_making)
{
	struct fixture f;
	uint64_t dir;
	uint64_t file;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	file = make_file(&f, ROOT, "file");
	ck_rc(try_make(&f, ROOT, "dir", S_IFREG), -EEXIST);
	ck_rc(try_make(&f, ROOT, "file", S_IFDIR), -EEXIST);
	ck_rc(try_make(&f, file, "a", S_IFREG), -ENOTDIR);
	ck_rc(try_lookup(&f, file, "a"), -ENOTDIR);
	ck_rc(try_lookup(&f, file, ".."), -ENOTDIR);
	ck_rc(try_make(&f, 999, "a", S_IFREG), -ENOENT);
	ck_rc(try_lookup(&f, 999, "a"), -ENOENT);
	ck_rc(try_make(&f, ROOT, "a", 0170000), -EINVAL);
	/* As by its number, when a handle is opened. */
	ck_assert_uint_eq(ino_of(&f, file, "."), file);
	ck_assert_uint_eq(ino_of(&f, dir, ".."), ROOT);
	/* mknod(2) without a type makes a file. */
	ck_ok(try_make(&f, dir, "plain", 0600));
	ck_assert(S_ISREG(attr_of(&f, ino_of(&f, dir, "plain")).mode));
	fixture_release(&f);
}
END_TEST

static int try_symlink(struct fixture *f, const char *target, size_t len)
{
	struct volume_new what = { .mode = S_IFLNK | 0777,
				   .target = span_of(target, len) };
	struct volume_attr attr;
	int rc = volume_make(f->v, ROOT, name_of("l"), &what, &attr);

	if (!rc)
		volume_forget(f->v, attr.ino, 1);
	return rc;
}

static void expect_targets(struct fixture *f, uint64_t short_one,
			   uint64_t long_one)
{
	char buf[VOLUME_SYMLINK_MAX + 2];

	ck_assert_int_eq(volume_readlink(f->v, short_one, buf, sizeof(buf)), 4);
	ck_assert_mem_eq(buf, "../x", 4);
	ck_assert_int_eq(volume_readlink(f->v, short_one, buf, 2), 2);
	ck_assert_int_eq(volume_readlink(f->v, long_one, buf, sizeof(buf)),
			 VOLUME_SYMLINK_MAX);
	ck_assert_int_eq(volume_listxattr(f->v, short_one, NULL, 0), 0);
	ck_rc(volume_getxattr(f->v, short_one, name_of("x"), NULL, 0),
	      -ENODATA);
}

START_TEST(symlinks)
{
	struct fixture f;
	char target[VOLUME_SYMLINK_MAX + 1];
	char buf[10];
	uint64_t long_one;
	uint64_t ino;

	fixture_init(&f);
	memset(target, 't', sizeof(target));
	ck_rc(try_symlink(&f, target, VOLUME_SYMLINK_MAX + 1), -ENAMETOOLONG);
	ck_rc(try_symlink(&f, target, 0), -ENOENT);
	ck_rc(try_symlink(&f, "a\0b", 3), -EINVAL);
	ck_ok(try_symlink(&f, target, VOLUME_SYMLINK_MAX));
	long_one = ino_of(&f, ROOT, "l");
	ck_assert_uint_eq(attr_of(&f, long_one).size, VOLUME_SYMLINK_MAX);
	ino = make_symlink(&f, ROOT, "short", "../x");
	expect_targets(&f, ino, long_one);
	fixture_reopen(&f);
	expect_targets(&f, ino, long_one);
	ck_rc(volume_readlink(f.v, ROOT, buf, sizeof(buf)), -EINVAL);
	ck_rc(volume_readlink(f.v, 999, buf, sizeof(buf)), -ENOENT);
	ck_ok(try_unlink(&f, ROOT, "short"));
	fixture_release(&f);
}
END_TEST

START_TEST(setgid_directories_hand_down)
{
	struct fixture f;
	struct volume_new what = { .mode = S_IFDIR | S_ISGID | 0755,
				   .gid = 50 };
	struct volume_attr dir;
	struct volume_attr attr;

	fixture_init(&f);
	ck_ok(volume_make(f.v, ROOT, name_of("dir"), &what, &dir));
	what = (struct volume_new){ .mode = S_IFREG | 0644, .gid = 60 };
	ck_ok(volume_make(f.v, dir.ino, name_of("file"), &what, &attr));
	ck_assert_uint_eq(attr.gid, 50);
	ck_assert_uint_eq(attr.mode, S_IFREG | 0644);
	what.mode = S_IFDIR | 0700;
	ck_ok(volume_make(f.v, dir.ino, name_of("sub"), &what, &attr));
	ck_assert_uint_eq(attr.gid, 50);
	ck_assert_uint_eq(attr.mode, S_IFDIR | S_ISGID | 0700);
	ck_ok(volume_make(f.v, ROOT, name_of("other"), &what, &attr));
	ck_assert_uint_eq(attr.gid, 60);
	ck_assert_uint_eq(attr.mode, S_IFDIR | 0700);
	fixture_release(&f);
}
END_TEST

START_TEST(links)
{
	struct fixture f;
	uint64_t dir;
	uint64_t file;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	file = make_file(&f, ROOT, "file");
	ck_ok(try_link(&f, file, dir, "again"));
	ck_assert_uint_eq(links_of(&f, file), 2);
	ck_assert_uint_eq(ino_of(&f, dir, "again"), file);
	ck_rc(try_link(&f, file, dir, "again"), -EEXIST);
	ck_rc(try_link(&f, dir, ROOT, "d"), -EPERM);
	ck_rc(try_link(&f, 999, ROOT, "d"), -ENOENT);
	ck_rc(try_link(&f, file, 999, "d"), -ENOENT);
	ck_rc(try_link(&f, file, file, "d"), -ENOTDIR);
	ck_assert_uint_eq(links_of(&f, dir), 2);
	fixture_reopen(&f);
	ck_assert_uint_eq(links_of(&f, file), 2);
	ck_ok(try_unlink(&f, ROOT, "file"));
	ck_assert_uint_eq(links_of(&f, file), 1);
	ck_assert_uint_eq(ino_of(&f, dir, "again"), file);
	ck_ok(try_unlink(&f, dir, "again"));
	ck_rc(try_lookup(&f, dir, "again"), -ENOENT);
	fixture_release(&f);
}
END_TEST

START_TEST(too_many_links)
{
	struct fixture f;
	uint64_t file;
	char name[16];

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	for (unsigned i = 1; i < VOLUME_LINK_MAX; i++) {
		(void)snprintf(name, sizeof(name), "l%u", i);
		ck_ok(try_link(&f, file, ROOT, name));
	}
	ck_rc(try_link(&f, file, ROOT, "more"), -EMLINK);
	ck_assert_uint_eq(links_of(&f, file), VOLUME_LINK_MAX);
	ck_ok(try_unlink(&f, ROOT, "l5"));
	ck_ok(try_link(&f, file, ROOT, "more"));
	fixture_release(&f);
}
END_TEST

/* Of more than can be made here. */
static void set_links(struct fixture *f, uint64_t dir, uint32_t n_links)
{
	struct inode *inode;

	ck_ok(inode_get(f->v, dir, &inode));
	sync_lock(&inode->lock);
	inode->image.attr.nlink = n_links;
	sync_unlock(&inode->lock);
	inode_put(f->v, inode);
}

START_TEST(too_many_subdirectories)
{
	struct fixture f;
	uint64_t dir;
	uint64_t other;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	other = make_dir(&f, ROOT, "other");
	(void)make_dir(&f, dir, "d9");
	set_links(&f, dir, VOLUME_DIR_LINK_MAX);
	ck_rc(try_make(&f, dir, "more", S_IFDIR), -EMLINK);
	ck_ok(try_make(&f, dir, "file", S_IFREG));
	(void)make_dir(&f, other, "sub");
	ck_rc(try_rename(&f, at(other, "sub"), at(dir, "sub"), 0), -EMLINK);
	/* Takes the place of another one, or stays in the directory. */
	ck_ok(try_rename(&f, at(other, "sub"), at(dir, "d9"), 0));
	ck_ok(try_rename(&f, at(dir, "d9"), at(dir, "x9"), 0));
	set_links(&f, dir, 3);
	fixture_release(&f);
}
END_TEST

/* As many as there may be files, and more than a file may have names. */
START_TEST(many_subdirectories)
{
	struct fixture f;
	uint64_t dir;
	char name[16];

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	for (unsigned i = 0; i < VOLUME_LINK_MAX; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		(void)make_dir(&f, dir, name);
	}
	ck_assert_uint_eq(links_of(&f, dir), VOLUME_LINK_MAX + 2);
	fixture_reopen(&f);
	ck_assert_uint_eq(links_of(&f, dir), VOLUME_LINK_MAX + 2);
	fixture_release(&f);
}
END_TEST

START_TEST(removing)
{
	struct fixture f;
	uint64_t dir;
	uint64_t sub;

	fixture_init(&f);
	dir = make_dir(&f, ROOT, "dir");
	sub = make_dir(&f, dir, "sub");
	(void)make_file(&f, dir, "file");
	ck_assert_uint_eq(links_of(&f, dir), 3);
	ck_rc(try_rmdir(&f, ROOT, "dir"), -ENOTEMPTY);
	ck_rc(try_unlink(&f, ROOT, "dir"), -EISDIR);
	ck_rc(try_rmdir(&f, dir, "file"), -ENOTDIR);
	ck_rc(try_rmdir(&f, dir, "none"), -ENOENT);
	ck_rc(try_unlink(&f, dir, "none"), -ENOENT);
	ck_rc(try_unlink(&f, sub, "none"), -ENOENT);
	ck_ok(try_rmdir(&f, dir, "sub"));
	ck_assert_uint_eq(links_of(&f, dir), 2);
	ck_rc(try_rmdir(&f, ROOT, "dir"), -ENOTEMPTY);
	ck_ok(try_unlink(&f, dir, "file"));
	ck_ok(try_rmdir(&f, ROOT, "dir"));
	ck_assert_uint_eq(links_of(&f, ROOT), 2);
	ck_rc(try_lookup(&f, ROOT, "dir"), -ENOENT);
	ck_rc(try_make(&f, dir, "file", S_IFREG), -ENOENT);
	fixture_release(&f);
}
END_TEST

START_TEST(a_removed_directory_takes_nothing)
{
	struct fixture f;
	struct volume_attr attr;
	uint64_t file;

	fixture_init(&f);
	file = make_file(&f, ROOT, "file");
	ck_ok(try_make(&f, ROOT, "dir", S_IFDIR));
	ck_ok(volume_lookup(f.v, ROOT, name_of("dir"), &attr));
	ck_ok(try_rmdir(&f, ROOT, "dir"));
	ck_assert_uint_eq(links_of(&f, attr.ino), 0);
	ck_rc(try_make(&f, attr.ino, "a", S_IFREG), -ENOENT);
	ck_rc(try_link(&f, file, attr.ino, "a"), -ENOENT);
	ck_rc(try_rename(&f, at(ROOT, "file"), at(attr.ino, "a"), 0), -ENOENT);
	/* By a file handle it is not to be had again. */
	ck_rc(try_lookup(&f, attr.ino, "."), -ENOENT);
	volume_forget(f.v, attr.ino, 1);
	ck_rc(volume_getattr(f.v, attr.ino, &attr), -ENOENT);
	fixture_release(&f);
}
END_TEST

/* Of the manner of the directory, and in none until it is linked. */
START_TEST(without_a_name)
{
	struct volume_new what = { .mode = S_IFREG | 0640, .uid = 7, .gid = 8 };
	struct volume_attr dir = { .mode = 02755, .gid = 50 };
	struct fixture f;
	struct volume_attr attr;
	uint64_t ino;

	fixture_init(&f);
	ino = make_dir(&f, ROOT, "dir");
	ck_ok(volume_setattr(f.v, ino, SET_MODE | SET_GID, &dir, &dir));
	what.mode = S_IFDIR | 0755;
	ck_rc(volume_make_unnamed(f.v, ino, &what, &attr), -EINVAL);
	what.mode = S_IFREG | 0640;
	ck_rc(volume_make_unnamed(f.v, 999, &what, &attr), -ENOENT);
	ck_ok(volume_make_unnamed(f.v, ino, &what, &attr));
	ck_assert_uint_eq(attr.nlink, 0);
	ck_assert_uint_eq(attr.mode, S_IFREG | 0640);
	ck_assert_uint_eq(attr.uid, 7);
	ck_assert_uint_eq(attr.gid, 50);
	ck_ok(try_rmdir(&f, ROOT, "dir"));
	ck_ok(file_write(f.v, attr.ino, 0, name_of("text"), 0));
	ck_ok(volume_sync(f.v));
	ck_ok(try_link(&f, attr.ino, ROOT, "named"));
	/* It has had a name: the last one that goes is the end. */
	ck_ok(try_unlink(&f, ROOT, "named"));
	ck_rc(try_link(&f, attr.ino, ROOT, "again"), -ENOENT);
	volume_forget(f.v, attr.ino, 1);
	ck_ok(volume_make_unnamed(f.v, ROOT, &what, &attr));
	ck_ok(file_write(f.v, attr.ino, 0, name_of("text"), 0));
	ck_ok(try_link(&f, attr.ino, ROOT, "named"));
	volume_forget(f.v, attr.ino, 1);
	fixture_reopen(&f);
	ck_assert_uint_eq(ino_of(&f, ROOT, "named"), attr.ino);
	ck_assert_uint_eq(links_of(&f, attr.ino), 1);
	ck_assert_uint_eq(attr_of(&f, attr.ino).size, 4);
	/* Never linked: gone with its reference, or with the mount. */
	ck_ok(volume_make_unnamed(f.v, ROOT, &what, &attr));
	volume_forget(f.v, attr.ino, 1);
	ck_rc(volume_getattr(f.v, attr.ino, &attr), -ENOENT);
	ck_ok(volume_make_unnamed(f.v, ROOT, &what, &attr));
	ck_ok(file_write(f.v, attr.ino, 0, name_of("text"), 0));
	fixture_reopen(&f);
	ck_rc(volume_getattr(f.v, attr.ino, &attr), -ENOENT);
	fixture_release(&f);
}
END_TEST

static uint64_t *lost; /* shared with the process that dies */

static void leave_unnamed(struct fixture *f)
{
	const struct volume_new what = { .mode = S_IFREG | 0600 };
	struct volume_attr attr;

	ck_ok(volume_make_unnamed(f->v, ROOT, &what, &attr));
	ck_ok(file_write(f->v, attr.ino, 0, name_of("text"), 0));
	lost[0] = attr.ino;
	ck_ok(volume_make_unnamed(f->v, ROOT, &what, &attr));
	ck_ok(try_link(f, attr.ino, ROOT, "named"));
	lost[1] = attr.ino;
}

START_TEST(without_a_name_after_a_crash)
{
	struct fixture f;
	struct volume_attr attr;

	lost = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(lost, MAP_FAILED);
	fixture_init_closed(&f);
	fixture_crash(&f, leave_unnamed, true);
	ck_rc(volume_getattr(f.v, lost[0], &attr), -ENOENT);
	ck_assert_uint_eq(ino_of(&f, ROOT, "named"), lost[1]);
	ck_assert_uint_eq(links_of(&f, lost[1]), 1);
	fixture_release(&f);
	(void)munmap(lost, 4096);
}
END_TEST

START_TEST(times)
{
	struct fixture f;
	struct volume_attr dir;
	struct volume_attr file;
	struct volume_attr now;
	uint64_t d;
	uint64_t i;

	fixture_init(&f);
	d = make_dir(&f, ROOT, "dir");
	i = make_file(&f, ROOT, "file");
	dir = attr_of(&f, d);
	file = attr_of(&f, i);
	tick_clock();
	ck_ok(try_link(&f, i, d, "link"));
	now = attr_of(&f, d);
	ck_assert(is_after(now.mtime, dir.mtime));
	ck_assert(is_after(now.ctime, dir.ctime));
	ck_assert(is_same(now.atime, dir.atime));
	dir = now;
	now = attr_of(&f, i);
	ck_assert(is_after(now.ctime, file.ctime));
	ck_assert(is_same(now.mtime, file.mtime));
	file = now;
	tick_clock();
	ck_ok(try_unlink(&f, d, "link"));
	ck_assert(is_after(attr_of(&f, d).mtime, dir.mtime));
	ck_assert(is_after(attr_of(&f, i).ctime, file.ctime));
	dir = attr_of(&f, d);
	tick_clock();
	ck_ok(try_make(&f, d, "sub", S_IFDIR));
	ck_assert(is_after(attr_of(&f, d).mtime, dir.mtime));
	dir = attr_of(&f, d);
	tick_clock();
	ck_rc(try_make(&f, d, "sub", S_IFDIR), -EEXIST);
	ck_rc(try_lookup(&f, d, "none"), -ENOENT);
	ck_assert(is_same(attr_of(&f, d).mtime, dir.mtime));
	ck_ok(try_rmdir(&f, d, "sub"));
	ck_assert(is_after(attr_of(&f, d).mtime, dir.mtime));
	dir = attr_of(&f, d);
	fixture_reopen(&f);
	now = attr_of(&f, d);
	ck_assert(is_same(now.mtime, dir.mtime));
	ck_assert(is_same(now.ctime, dir.ctime));
	ck_assert(is_same(now.btime, dir.btime));
	fixture_release(&f);
}
END_TEST

Suite *suite_dir(void)
{
	const TTest *const tests[] = {
		every_type_is_made_and_found_again,
		names_that_are_refused,
		errors_of_making,
		symlinks,
		setgid_directories_hand_down,
		links,
		too_many_links,
		too_many_subdirectories,
		many_subdirectories,
		removing,
		a_removed_directory_takes_nothing,
		without_a_name,
		without_a_name_after_a_crash,
		times,
	};

	return suite_of("volume/dir", tests, ARRAY_LEN(tests), 120);
}
