/* SPDX-License-Identifier: MIT */
/*
 * test_recover.c - copying out of stores whose log says strange things.
 */
#include "unit/fs/suites.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "recover.h"
#include "volume/file.h"
#include "volume/ops.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct bed {
	struct tmpdir tmp;
	char store[300];
	char out[300];
	struct volume *v;
	unsigned n_found[RECOVER_N];
	struct recover_counts counts;
};

static void bed_begin(struct bed *b)
{
	const struct store_create_options none = { .label = NULL };
	const struct volume_options options = { .n_inodes = 0 };

	*b = (struct bed){ .v = NULL };
	tmpdir_init(&b->tmp);
	(void)snprintf(b->store, sizeof(b->store), "%s/store", b->tmp.path);
	(void)snprintf(b->out, sizeof(b->out), "%s/out", b->tmp.path);
	ck_ok(volume_create(b->store, &none));
	ck_ok(volume_open(b->store, &options, &b->v));
}

static void take_finding(void *ctx, const struct recover_finding *f)
{
	struct bed *b = ctx;

	b->n_found[f->what]++;
}

static void take_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	ck_assert_uint_le(done, total);
}

/* Closes the volume and copies all of it. */
static void copy(struct bed *b)
{
	const struct salvage_options options = { .store = b->store };
	struct recover r = {
		.ctx = b,
		.finding = take_finding,
		.progress = take_progress,
	};

	ck_ok(volume_close(b->v));
	ck_ok(volume_salvage(&options, &r.volume));
	ck_ok(restore_check(b->out, b->store));
	r.root_fd = restore_open(b->out);
	ck_assert_int_ge(r.root_fd, 0);
	ck_ok(recover_all(&r));
	ck_ok(restore_sync(r.root_fd));
	b->counts = r.counts;
	ck_ok(io_close(r.root_fd));
	ck_ok(volume_close(r.volume));
}

static void bed_end(struct bed *b)
{
	tmpdir_release(&b->tmp);
}

/* The mode of something that was copied; 0: it is not there. */
static mode_t mode_of(const struct bed *b, const char *name)
{
	AUTO_FREE char *path = NULL;
	struct stat st;

	ck_assert_int_gt(asprintf(&path, "%s/%s", b->out, name), 0);
	return lstat(path, &st) == 0 ? st.st_mode : 0;
}

static uint64_t make(struct bed *b, uint64_t parent, const char *name,
		     uint32_t mode)
{
	const struct volume_new new = { .mode = mode,
					.uid = geteuid(),
					.gid = getegid() };
	struct volume_attr attr;

	ck_ok(volume_make(b->v, parent, span_of(name, strlen(name)), &new,
			  &attr));
	volume_forget(b->v, attr.ino, 1);
	return attr.ino;
}

/* An operation as it comes out of the log, whatever it means. */
static void log_op(struct bed *b, uint8_t type, const uint8_t *body, size_t len)
{
	struct store *s = volume_store(b->v);

	ck_ok(txn_begin(s));
	ck_ok(txn_op(s, type, span_of(body, len)));
	txn_end(s);
}

static void log_name(struct bed *b, uint64_t parent, const char *name,
		     uint64_t ino, uint32_t mode)
{
	struct op_dirent op = {
		.parent = parent,
		.ino = ino,
		.type = (uint8_t)(mode >> 12),
		.name = span_of(name, strlen(name)),
	};
	uint8_t body[OP_DIRENT_MAX];

	log_op(b, OP_DIRENT, body, op_dirent_put(&op, body));
}

static void log_inode(struct bed *b, uint64_t ino, uint32_t mode)
{
	struct inode_image image = { .attr = { .mode = mode, .nlink = 1 },
				     .parent = S_ISDIR(mode) };
	uint8_t body[OP_INODE_MAX];

	log_op(b, OP_INODE, body, op_inode_put(ino, &image, body));
}

START_TEST(a_tree_as_it_is)
{
	struct bed b;
	uint64_t dir;

	bed_begin(&b);
	dir = make(&b, VOLUME_ROOT, "dir", S_IFDIR | 0751);
	(void)make(&b, dir, "file", S_IFREG | 0640);
	(void)make(&b, dir, "pipe", S_IFIFO | 0604);
	copy(&b);
	ck_assert_uint_eq(mode_of(&b, "dir"), S_IFDIR | 0751);
	ck_assert_uint_eq(mode_of(&b, "dir/file"), S_IFREG | 0640);
	ck_assert_uint_eq(mode_of(&b, "dir/pipe"), S_IFIFO | 0604);
	ck_assert_uint_eq(b.counts.n_files, 1);
	ck_assert_uint_eq(b.counts.n_dirs, 2);
	ck_assert_uint_eq(b.counts.n_others, 1);
	bed_end(&b);
}
END_TEST

/* More levels than directories may be open, twice, and a way back. */
START_TEST(deep_directories)
{
	enum { DEPTH = 300 };
	struct bed b;
	uint64_t dir = VOLUME_ROOT;
	int i;

	bed_begin(&b);
	for (i = 0; i < DEPTH; i++) {
		(void)make(&b, dir, "z", S_IFREG | 0600);
		(void)make(&b, dir, "b", S_IFREG | 0600);
		dir = make(&b, dir, "m", S_IFDIR | 0700);
	}
	copy(&b);
	ck_assert_uint_eq(b.counts.n_dirs, DEPTH + 1);
	ck_assert_uint_eq(b.counts.n_files, 2 * DEPTH);
	bed_end(&b);
}
END_TEST

START_TEST(directories_in_a_circle)
{
	struct bed b;
	uint64_t one;

	bed_begin(&b);
	one = make(&b, VOLUME_ROOT, "one", S_IFDIR | 0700);
	/* Two that hold each other, one that holds the root and itself. */
	log_inode(&b, 1000, S_IFDIR | 0700);
	log_inode(&b, 1001, S_IFDIR | 0700);
	log_name(&b, 1000, "to1001", 1001, S_IFDIR);
	log_name(&b, 1001, "to1000", 1000, S_IFDIR);
	log_name(&b, one, "root", VOLUME_ROOT, S_IFDIR);
	log_name(&b, one, "self", one, S_IFDIR);
	copy(&b);
	ck_assert_uint_eq(b.counts.n_dirs, 4);
	ck_assert_uint_eq(b.n_found[RECOVER_NAME_DROPPED], 3);
	ck_assert_uint_eq(b.counts.n_lost_names, 1);
	ck_assert(S_ISDIR(mode_of(&b, "lost+found/#1000/to1001")));
	bed_end(&b);
}
END_TEST

START_TEST(halves_of_a_name)
{
	struct bed b;

	bed_begin(&b);
	/* Names without inodes, in a directory that has none either. */
	log_name(&b, 2000, "file", 2001, S_IFREG);
	log_name(&b, 2000, "dir", 2002, S_IFDIR);
	log_name(&b, 2002, "more", 2003, S_IFREG);
	/* An inode without a name; and one whose data only is there. */
	log_inode(&b, 2010, S_IFREG | 0644);
	copy(&b);
	ck_assert(S_ISREG(mode_of(&b, "lost+found/#2000/file.partial")));
	ck_assert(S_ISREG(mode_of(&b, "lost+found/#2000/dir/more.partial")));
	ck_assert_uint_eq(mode_of(&b, "lost+found/#2010"), S_IFREG | 0644);
	ck_assert_uint_eq(b.n_found[RECOVER_ATTRS_LOST], 4);
	ck_assert_uint_eq(b.n_found[RECOVER_NAME_LOST], 2);
	bed_end(&b);
}
END_TEST

/* Names that are taken already by what recovery makes. */
START_TEST(names_that_are_taken)
{
	struct bed b;
	char name[VOLUME_NAME_MAX + 1];

	bed_begin(&b);
	memset(name, 'x', VOLUME_NAME_MAX);
	name[VOLUME_NAME_MAX] = '\0';
	log_name(&b, VOLUME_ROOT, name, 2001, S_IFREG);
	name[VOLUME_NAME_MAX - strlen(RECOVER_PARTIAL)] = '\0';
	(void)strncat(name, RECOVER_PARTIAL, strlen(RECOVER_PARTIAL));
	(void)make(&b, VOLUME_ROOT, name, S_IFREG | 0644);
	(void)make(&b, VOLUME_ROOT, RECOVER_LOST, S_IFREG | 0644);
	log_inode(&b, 2010, S_IFREG | 0644);
	copy(&b);
	ck_assert_uint_eq(b.counts.n_files, 4);
	ck_assert_uint_eq(b.counts.n_partial, 1);
	ck_assert_uint_eq(b.n_found[RECOVER_RENAMED], 2);
	ck_assert(S_ISREG(mode_of(&b, RECOVER_LOST)));
	ck_assert(S_ISREG(mode_of(&b, RECOVER_LOST "~2/#2010")));
	bed_end(&b);
}
END_TEST

/* A link that leads out of the directory, and a file below its name. */
START_TEST(links_are_not_followed)
{
	struct volume_new new = { .mode = S_IFLNK | 0777,
				  .uid = geteuid(),
				  .gid = getegid() };
	struct volume_attr attr;
	struct bed b;

	bed_begin(&b);
	new.target = span_of(b.tmp.path, strlen(b.tmp.path));
	ck_ok(volume_make(b.v, VOLUME_ROOT, span_of("a", 1), &new, &attr));
	volume_forget(b.v, attr.ino, 1);
	/* Something lies in the link, as if it were a directory. */
	log_name(&b, attr.ino, "escaped", 2001, S_IFREG);
	/* And a directory has the link's name at another cookie. */
	log_inode(&b, 2002, S_IFDIR | 0700);
	log_name(&b, 2002, "escaped", 2003, S_IFREG);
	copy(&b);
	ck_assert(S_ISLNK(mode_of(&b, "a")));
	ck_assert_uint_eq(mode_of(&b, "../escaped"), 0);
	ck_assert_uint_eq(mode_of(&b, "../escaped.partial"), 0);
	ck_assert(S_ISREG(mode_of(&b, "lost+found/#2002/escaped.partial")));
	bed_end(&b);
}
END_TEST

START_TEST(where_it_may_go)
{
	struct bed b;
	char path[400];

	bed_begin(&b);
	ck_ok(volume_close(b.v));
	(void)snprintf(path, sizeof(path), "%s/log/new", b.store);
	ck_rc(restore_check(path, b.store), -EBUSY);
	ck_rc(restore_check(b.store, NULL), -ENOTEMPTY);
	(void)snprintf(path, sizeof(path), "%s/no/where", b.tmp.path);
	ck_rc(restore_check(path, b.store), -ENOENT);
	ck_rc(restore_check("/dev/null", b.store), -ENOTDIR);
	ck_ok(restore_check(b.out, b.store));
	bed_end(&b);
}
END_TEST

/* Somebody puts a link where a pipe was made. */
START_TEST(no_link_is_followed_for_attributes)
{
	const struct volume_attr attr = { .mode = S_IFIFO | 0666 };
	struct restore_name name = { .text = "link" };
	struct tmpdir tmp;
	struct stat st;

	tmpdir_init(&tmp);
	ck_ok(mknodat(tmp.fd, "other", S_IFREG | 0600, 0));
	ck_ok(symlinkat("other", tmp.fd, "link"));
	name.dir_fd = tmp.fd;
	ck_assert_int_lt(restore_attrs(&name, -1, &attr, true), 0);
	ck_ok(fstatat(tmp.fd, "other", &st, 0));
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	tmpdir_release(&tmp);
}
END_TEST

Suite *suite_recover(void)
{
	const TTest *const tests[] = {
		a_tree_as_it_is,
		deep_directories,
		directories_in_a_circle,
		halves_of_a_name,
		names_that_are_taken,
		links_are_not_followed,
		no_link_is_followed_for_attributes,
		where_it_may_go,
	};

	return suite_of("fs/recover", tests, sizeof(tests) / sizeof(tests[0]),
			60);
}
