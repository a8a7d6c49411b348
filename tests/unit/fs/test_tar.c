/* SPDX-License-Identifier: MIT */
/*
 * test_tar.c - tests of fs/tar_export.c, tar_import.c and tar_name.c.
 */
#include "tar.h"
#include "unit/fs/suites.h"

#include "base/io.h"
#include "base/report.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "volume/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { NOISE_LEN = 5000, ARCHIVE_MAX = 1 << 16, LONG_LEN = 150 };

static struct tmpdir tmp;
static struct volume *volume;
static uint8_t archive[ARCHIVE_MAX];
static size_t archive_len;

static void begin(void)
{
	const struct volume_options options = {
		.store.effort = EFFORT_FASTEST,
		.store.n_workers = 1,
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

/* ---- names ---------------------------------------------------------------- */

static void cleans(const char *name, const char *wanted)
{
	char got[64];

	ck_ok(tar_clean_name(name, got));
	ck_assert_str_eq(got, wanted);
}

START_TEST(cleans_names)
{
	char name[600];
	char got[600];

	cleans("", "");
	cleans("./", "");
	cleans("//", "");
	cleans("a", "a");
	cleans("./a//b/./c/", "a/b/c");
	cleans("/etc/passwd", "etc/passwd");
	cleans("a/.../..b/.c", "a/.../..b/.c");
	ck_rc(tar_clean_name("..", got), -EXDEV);
	ck_rc(tar_clean_name("a/../b", got), -EXDEV);
	ck_rc(tar_clean_name("a/..", got), -EXDEV);
	(void)memset(name, 'n', 256);
	name[256] = '\0';
	ck_rc(tar_clean_name(name, got), -ENAMETOOLONG);
	name[255] = '\0';
	ck_ok(tar_clean_name(name, got));
}
END_TEST

static void decodes(const char *said, const char *wanted)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s", said);
	tar_decode_xattr(name);
	ck_assert_str_eq(name, wanted);
}

START_TEST(decodes_attribute_names)
{
	decodes("user.plain", "user.plain");
	decodes("user.a%3Db%25c%20", "user.a=b%c ");
	decodes("user.%ff%FF", "user.\xff\xff");
	decodes("user.%", "user.%");
	decodes("user.%2", "user.%2");
	decodes("user.%zz%00", "user.%zz%00");
}
END_TEST

/* ---- archives ------------------------------------------------------------- */

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

/* One of each kind, in an archive. */
static void make_archive(void)
{
	struct tar_job job = { 0 };
	char name[LONG_LEN + 1];
	uint8_t noise[NOISE_LEN];
	struct rng rng = rng_of(7);
	struct volume_attr attr;
	uint64_t dir, file;
	uint64_t len;

	rng_fill(&rng, noise, sizeof(noise));
	(void)memset(name, 'n', LONG_LEN);
	name[LONG_LEN] = '\0';
	begin();
	dir = make(VOLUME_ROOT, name, S_IFDIR | 0750, NULL);
	file = make(dir, "noise\xff", S_IFREG | 0600, NULL);
	ck_ok(file_write(volume, file, 0, span_of(noise, NOISE_LEN), 0));
	ck_ok(file_write(volume, file, 1000000, span_of(noise, 100), 0));
	ck_ok(volume_setxattr(volume, file, span_of("user.a=", 7),
			      span_of("\0v", 2), 0));
	ck_ok(volume_link(volume, file, VOLUME_ROOT, span_of("linked", 6),
			  &attr));
	volume_forget(volume, file, 1);
	(void)make(VOLUME_ROOT, "symlink", S_IFLNK | 0777, "../../etc");
	(void)make(VOLUME_ROOT, "fifo", S_IFIFO | 0600, NULL);
	job.volume = volume;
	job.fd = memfd_create("archive", MFD_CLOEXEC);
	ck_assert_int_ge(job.fd, 0);
	ck_ok(tar_export(&job, "/"));
	ck_assert_uint_eq(job.n_problems, 0);
	ck_assert_uint_eq(job.n_entries, 6);
	ck_ok(io_size(job.fd, &len));
	ck_assert_uint_le(len, ARCHIVE_MAX);
	archive_len = (size_t)len;
	ck_ok(io_pread_full(job.fd, archive, archive_len, 0));
	ck_ok(io_close(job.fd));
	end();
}

/* The first `len` bytes of the archive into an empty volume. */
static int import(size_t len, struct tar_job *job)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);
	int rc;

	ck_assert_int_ge(fd, 0);
	ck_ok(io_pwrite(fd, archive, len, 0));
	*job = (struct tar_job){ .volume = volume, .fd = fd };
	rc = tar_import(job);
	ck_ok(io_close(fd));
	return rc;
}

static void look(const char *name, uint64_t dir, struct volume_attr *ret)
{
	ck_ok(volume_lookup(volume, dir, span_of(name, strlen(name)), ret));
	volume_forget(volume, ret->ino, 1);
}

START_TEST(comes_back_as_it_was)
{
	struct volume_attr attr, linked;
	struct tar_job job;
	char name[LONG_LEN + 1];
	char value[8];
	uint64_t off;

	make_archive();
	(void)memset(name, 'n', LONG_LEN);
	name[LONG_LEN] = '\0';
	begin();
	/* Twice: the second time all is replaced by what it was. */
	for (int i = 0; i < 2; i++) {
		ck_ok(import(archive_len, &job));
		ck_assert_uint_eq(job.n_problems, 0);
		ck_assert_uint_eq(job.n_entries, 6);
		look(name, VOLUME_ROOT, &attr);
		ck_assert_uint_eq(attr.mode, S_IFDIR | 0750);
		look("noise\xff", attr.ino, &attr);
		ck_assert_uint_eq(attr.size, 1000100);
		ck_assert_uint_eq(attr.nlink, 2);
		look("linked", VOLUME_ROOT, &linked);
		ck_assert_uint_eq(linked.ino, attr.ino);
		ck_assert_int_eq(volume_getxattr(volume, attr.ino,
						 span_of("user.a=", 7), value,
						 sizeof(value)),
				 2);
		ck_assert_mem_eq(value, "\0v", 2);
		ck_ok(file_seek(volume, attr.ino, 0, SEEK_HOLE, &off));
		ck_assert_uint_lt(off, 1000000);
		look("fifo", VOLUME_ROOT, &attr);
		ck_assert_uint_eq(attr.mode, S_IFIFO | 0600);
		look("symlink", VOLUME_ROOT, &attr);
		ck_assert_int_eq(
			volume_readlink(volume, attr.ino, value, sizeof(value)),
			8);
	}
	end();
}
END_TEST

/* Wherever an archive is cut off, somebody says so; only what pads it may go. */
START_TEST(tells_of_every_cut)
{
	size_t used;
	size_t len;

	make_archive();
	for (used = archive_len; archive[used - 1] == 0; used--)
		;
	report_silence(true);
	begin();
	for (len = 0; len < archive_len; len += len < used ? 211 : 512) {
		struct tar_job job;
		int rc = import(len, &job);

		if (len <= used)
			ck_assert(rc < 0 || job.n_problems > 0);
	}
	end();
	report_silence(false);
}
END_TEST

/* Whatever it says, it is read to an end, and the volume stays sound. */
START_TEST(survives_damage)
{
	struct rng rng = rng_of(11);
	uint8_t good[ARCHIVE_MAX];
	unsigned round;

	make_archive();
	(void)memcpy(good, archive, archive_len);
	report_silence(true);
	begin();
	for (round = 0; round < 300; round++) {
		struct volume_attr attr;
		struct tar_job job;

		for (unsigned i = 0; i < 1 + round % 8; i++)
			archive[rng_below(&rng, archive_len)] =
				(uint8_t)rng_u64(&rng);
		(void)import(archive_len, &job);
		ck_ok(volume_getattr(volume, VOLUME_ROOT, &attr));
		(void)memcpy(archive, good, archive_len);
	}
	end();
	report_silence(false);
}
END_TEST

Suite *suite_tar(void)
{
	const TTest *const tests[] = {
		cleans_names,         decodes_attribute_names,
		comes_back_as_it_was, tells_of_every_cut,
		survives_damage,
	};

	return suite_of("fs/tar", tests, ARRAY_LEN(tests), 120);
}
