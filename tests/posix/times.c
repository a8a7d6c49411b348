/* SPDX-License-Identifier: MIT */
/*
 * times.c - times that are set, told and born.
 */
#include "families.h"

#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the time of access --------------------------------------------------- */

/* With relatime it moves when it is not later than the last change. */
static void access_time(void)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 },
					 { .tv_sec = 1000000000 } };
	char buf[16];
	long long before;

	make_file_with("file", "text");
	make_dir("dir", 0755);
	NEED(symlink("file", "link"));
	NEED(utimensat(AT_FDCWD, "file", old, 0));
	NEED(utimensat(AT_FDCWD, "dir", old, 0));
	NEED(utimensat(AT_FDCWD, "link", old, AT_SYMLINK_NOFOLLOW));
	next_tick();
	HOLDS(reads_as("file", "text"));
	HOLDS(atime_of("file") > mtime_of("file"));
	EQUAL(entries_of("dir"), 0);
	HOLDS(atime_of("dir") > mtime_of("dir"));
	EQUAL(readlink("link", buf, sizeof(buf)), 4);
	HOLDS(atime_of("link") > mtime_of("link"));
	/* Only once. */
	before = atime_of("file");
	next_tick();
	HOLDS(reads_as("file", "text"));
	EQUAL(atime_of("file"), before);
}

/* What a program looks at is not in memory, but has to be read. */
static void drop_cache(int fd)
{
	NEED(fsync(fd));
	NEED(-posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static void make_old(const char *path)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 },
					 { .tv_sec = 1000000000 } };

	NEED(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW));
	next_tick();
}

/* Whether a read of a byte of the file `fd` moves the time of access. */
static bool moves(int fd, const char *path)
{
	long long before = atime_of(path);
	char c;

	next_tick();
	NEED(pread(fd, &c, 1, 0) - 1);
	return atime_of(path) > before;
}

static void access_from_disk(void)
{
	long long changed;
	int fd;

	make_file_with("file", "text");
	NEED(fd = open_file("file", O_RDWR));
	drop_cache(fd);
	make_old("file");
	changed = ctime_of("file");
	HOLDS(moves(fd, "file"));
	EQUAL(ctime_of("file"), changed);
	EQUAL(mtime_of("file"), 1000000000000000000);
	about("once more");
	drop_cache(fd);
	HOLDS(!moves(fd, "file"));
	about("changed since");
	next_tick();
	NEED(fchmod(fd, 0600));
	drop_cache(fd);
	HOLDS(moves(fd, "file"));
	next_tick();
	NEED(pwrite(fd, "other", 5, 0));
	drop_cache(fd);
	HOLDS(moves(fd, "file"));
	about("read as another one");
	make_file("copy", 0644);
	drop_cache(fd);
	make_old("file");
	changed = ctime_of("file");
	EQUAL(copy_file_range(fd, &(off_t){ 0 }, open_file("copy", O_WRONLY),
			      NULL, 5, 0),
	      5);
	HOLDS(atime_of("file") >= changed);
}

static void no_access(void)
{
	const long long long_ago = 1000000000000000000;
	DIR *dir;
	int fd;
	int other;

	make_file_with("file", "text");
	make_dir("dir", 0755);
	NEED(fd = open_file("file", O_RDWR));
	drop_cache(fd);
	make_old("file");
	about("O_NOATIME");
	NEED(other = open_file("file", O_RDONLY | O_NOATIME));
	HOLDS(!moves(other, "file"));
	make_old("dir");
	NEED(other = open_file("dir", O_RDONLY | O_NOATIME | O_DIRECTORY));
	dir = fdopendir(other);
	HOLDS(dir && readdir(dir));
	if (dir)
		NEED(closedir(dir));
	EQUAL(atime_of("dir"), long_ago);
	about("a write into a page");
	drop_cache(fd);
	NEED(other = open_file("file", O_WRONLY));
	NEED(pwrite(other, "x", 1, 1));
	NEED(fsync(other));
	EQUAL(atime_of("file"), long_ago);
	about("a look at the attributes");
	EQUAL(size_of("file"), 4);
	EQUAL(entries_of("."), 2);
	EQUAL(atime_of("file"), long_ago);
}

/* ---- setting -------------------------------------------------------------- */

static void set_both(const char *path, long long a_sec, long a_nsec,
		     long long m_sec, long m_nsec)
{
	const struct timespec times[2] = {
		{ .tv_sec = a_sec, .tv_nsec = a_nsec },
		{ .tv_sec = m_sec, .tv_nsec = m_nsec },
	};

	(void)tap_works("utimensat",
			utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static void setting(void)
{
	static const struct {
		long long sec;
		long nsec;
	} values[] = {
		{ 0, 0 },
		{ 1, 999999999 },
		{ 1234567890, 123456789 },
		{ 2147483647, 1 },
		{ 2147483648, 2 },
		{ 4294967296, 3 },
		{ 9000000000, 999999999 },
		{ -1, 500000000 },
		{ -2147483648LL, 0 }, /* the first of ext4 */
	};
	static const char *const names[] = { "file", "dir", "link", "fifo" };
	size_t i;
	size_t j;

	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("none", "link"));
	NEED(mkfifo("fifo", 0644));
	for (i = 0; i < ARRAY_LEN(values); i++) {
		for (j = 0; j < ARRAY_LEN(names); j++) {
			long long ns =
				values[i].sec * 1000000000 + values[i].nsec;

			about("%s at %lld.%09ld", names[j], values[i].sec,
			      values[i].nsec);
			set_both(names[j], values[i].sec, values[i].nsec,
				 values[i].sec, values[i].nsec);
			EQUAL(atime_of(names[j]), ns);
			EQUAL(mtime_of(names[j]), ns);
		}
	}
}

static void now_and_omit(void)
{
	const long long second = 1000000000;
	long long before;
	long long changed;

	make_file("file", 0644);
	set_both("file", 100, 0, 200, 0);
	EQUAL(atime_of("file"), 100 * second);
	EQUAL(mtime_of("file"), 200 * second);
	before = ctime_of("file");
	next_tick();
	about("UTIME_OMIT for both");
	set_both("file", 0, UTIME_OMIT, 0, UTIME_OMIT);
	EQUAL(atime_of("file"), 100 * second);
	EQUAL(mtime_of("file"), 200 * second);
	EQUAL(ctime_of("file"), before);
	about("UTIME_OMIT for access");
	set_both("file", 0, UTIME_OMIT, 300, 5);
	EQUAL(atime_of("file"), 100 * second);
	EQUAL(mtime_of("file"), 300 * second + 5);
	HOLDS(ctime_of("file") > before);
	about("UTIME_OMIT for modification");
	set_both("file", 400, 6, 0, UTIME_OMIT);
	EQUAL(atime_of("file"), 400 * second + 6);
	EQUAL(mtime_of("file"), 300 * second + 5);
	changed = ctime_of("file");
	next_tick();
	about("UTIME_NOW for access");
	set_both("file", 0, UTIME_NOW, 0, UTIME_OMIT);
	HOLDS(atime_of("file") > changed);
	EQUAL(mtime_of("file"), 300 * second + 5);
	about("UTIME_NOW for modification");
	set_both("file", 1, 0, 0, UTIME_NOW);
	EQUAL(atime_of("file"), second);
	HOLDS(mtime_of("file") > changed);
	about("UTIME_NOW for both");
	set_both("file", 0, UTIME_NOW, 0, UTIME_NOW);
	EQUAL(atime_of("file"), mtime_of("file"));
	about("no times");
	next_tick();
	WORKS(utimensat(AT_FDCWD, "file", NULL, 0));
	EQUAL(atime_of("file"), mtime_of("file"));
	HOLDS(ctime_of("file") >= mtime_of("file"));
}

static int set_times(const char *path, long a_nsec, long m_nsec)
{
	const struct timespec times[2] = { { 1000, a_nsec }, { 1000, m_nsec } };

	return utimensat(AT_FDCWD, path, times, 0);
}

static void who_may_set(void)
{
	NEED(chmod(".", 0777));
	make_file_of("mine", USER, USER, 0400);
	make_file_of("writable", OTHER, OTHER, 0666);
	make_file_of("readable", OTHER, OTHER, 0644);
	FAILS(set_times("mine", 1000000000, 0), EINVAL);
	FAILS(set_times("mine", 0, -1), EINVAL);
	FAILS(set_times("none", 0, 0), ENOENT);
	as_user(USER, USER);
	WORKS(set_times("mine", 0, 0));
	WORKS(set_times("mine", UTIME_NOW, UTIME_NOW));
	WORKS(utimensat(AT_FDCWD, "mine", NULL, 0));
	WORKS(utimensat(AT_FDCWD, "writable", NULL, 0));
	WORKS(set_times("writable", UTIME_NOW, UTIME_NOW));
	FAILS(set_times("writable", 0, 0), EPERM);
	FAILS(set_times("writable", UTIME_NOW, 0), EPERM);
	FAILS(set_times("writable", UTIME_NOW, UTIME_OMIT), EPERM);
	FAILS(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	FAILS(set_times("readable", UTIME_NOW, UTIME_NOW), EACCES);
	FAILS(set_times("readable", 0, 0), EPERM);
	WORKS(set_times("readable", UTIME_OMIT, UTIME_OMIT));
}

/* ---- new files ------------------------------------------------------------ */

static void of_the_new(void)
{
	static const char *const names[] = { "file", "dir", "link", "fifo" };
	struct timespec t;
	long long start;
	size_t i;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &t);
	start = (long long)t.tv_sec * 1000000000 + t.tv_nsec;
	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("x", "link"));
	NEED(mkfifo("fifo", 0644));
	(void)clock_gettime(CLOCK_REALTIME, &t);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		const char *name = names[i];

		about("%s", name);
		HOLDS(mtime_of(name) >= start);
		HOLDS(atime_of(name) >= start);
		HOLDS(ctime_of(name) >= mtime_of(name));
		HOLDS(ctime_of(name) <=
		      (long long)t.tv_sec * 1000000000 + t.tv_nsec);
		HOLDS(btime_of(name) >= start);
		HOLDS(btime_of(name) <= ctime_of(name));
	}
}

/* It is kept whatever happens to the rest. */
static void birth(void)
{
	long long born;

	make_file_with("file", "text");
	born = btime_of("file");
	HOLDS(born > 0);
	next_tick();
	make_file_with("file", "other");
	EQUAL(btime_of("file"), born);
	set_both("file", 1, 0, 1, 0);
	EQUAL(btime_of("file"), born);
	NEED(chmod("file", 0600));
	NEED(rename("file", "moved"));
	EQUAL(btime_of("moved"), born);
	NEED(link("moved", "linked"));
	EQUAL(btime_of("linked"), born);
}

/* The clock of the daemon and that of the kernel are the same to a program. */
static void never_back(void)
{
	long long last = 0;
	unsigned n_back = 0;
	unsigned i;

	make_file("file", 0644);
	for (i = 0; i < 60; i++) {
		long long now;
		int fd = open_file("file", O_WRONLY);

		if (i % 3 == 0)
			NEED(write(fd, "x", 1));
		else if (i % 3 == 1)
			NEED(fchmod(fd, 0600 + i % 8));
		else
			NEED(ftruncate(fd, i));
		NEED(close(fd));
		now = ctime_of("file");
		n_back += now < last;
		last = now;
	}
	EQUAL(n_back, 0);
	for (i = 0; i < 20; i++) {
		make_file_with("new", "text");
		n_back += mtime_of("new") < btime_of("new");
		n_back += ctime_of("new") < mtime_of("new");
		NEED(unlink("new"));
	}
	EQUAL(n_back, 0);
}

/* What the kernel alone knows for now, and what all others are told. */
static void while_open(void)
{
	long long first;
	int fd;

	make_file("file", 0644);
	first = mtime_of("file");
	next_tick();
	NEED(fd = open_file("file", O_WRONLY));
	NEED(write(fd, "x", 1));
	HOLDS(mtime_of("file") > first);
	EQUAL(mtime_of("file"), ctime_of("file"));
	first = mtime_of("file");
	WORKS(fsync(fd));
	EQUAL(mtime_of("file"), first);
	next_tick();
	WORKS(close(fd));
	EQUAL(mtime_of("file"), first);
	EQUAL(ctime_of("file"), first);
	/* A time that was set stays, though data is written back later. */
	NEED(fd = open_file("file", O_WRONLY));
	NEED(write(fd, "y", 1));
	set_both("file", 1000, 1, 2000, 2);
	WORKS(close(fd));
	EQUAL(mtime_of("file"), 2000000000002);
	EQUAL(atime_of("file"), 1000000000001);
}

const struct tap_case time_cases[] = {
	{ "access_time", access_time },
	{ "access_from_disk", access_from_disk },
	{ "no_access", no_access },
	{ "setting", setting },
	{ "now_and_omit", now_and_omit },
	{ "who_may_set", who_may_set },
	{ "of_the_new", of_the_new },
	{ "birth", birth },
	{ "never_back", never_back },
	{ "while_open", while_open },
	{ NULL, NULL },
};
