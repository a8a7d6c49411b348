/* SPDX-License-Identifier: MIT */
/* copy.c - copies that the kernel makes: copy_file_range, sendfile, splice. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { LEN = 300000 };

static uint8_t bytes[LEN];
static uint8_t seen[LEN + 1];

static int open_source(void)
{
	int fd = open_file("from", O_RDWR | O_CREAT);

	NEED(fd);
	fill_bytes(bytes, LEN, 11);
	NEED(write(fd, bytes, LEN) == LEN ? 0 : -1);
	NEED(lseek(fd, 0, SEEK_SET));
	return fd;
}

/* A copy of some bytes to some place, of data that may still be dirty. */
static void copy_one(int from, off_t in_off, off_t out_off, size_t len)
{
	off_t in = in_off;
	off_t out = out_off;
	ssize_t wanted =
		(size_t)(LEN - in_off) < len ? LEN - in_off : (ssize_t)len;
	ssize_t total = 0;
	ssize_t n;
	int to;

	about("%zu bytes from %lld to %lld", len, (long long)in_off,
	      (long long)out_off);
	NEED(to = open_file("to", O_RDWR | O_CREAT | O_TRUNC));
	do {
		n = copy_file_range(from, &in, to, &out, len - (size_t)total,
				    0);
		total += n > 0 ? n : 0;
	} while (n > 0 && total < wanted);
	EQUAL(total, wanted);
	EQUAL(in, in_off + wanted);
	EQUAL(out, out_off + wanted);
	EQUAL(fd_size(to), wanted > 0 ? out_off + wanted : 0);
	EQUAL(pread(to, seen, (size_t)wanted, out_off), wanted);
	HOLDS(memcmp(seen, bytes + in_off, (size_t)wanted) == 0);
	NEED(close(to));
}

static void ranges(void)
{
	static const off_t in_offs[] = { 0, 1, 4096, 65537, LEN - 1 };
	static const off_t out_offs[] = { 0, 5, 8192 };
	static const size_t lens[] = { 1, 4096, 100001, LEN + 5 };
	int from = open_source();
	size_t i;
	size_t j;
	size_t k;

	for (i = 0; i < ARRAY_LEN(in_offs); i++)
		for (j = 0; j < ARRAY_LEN(out_offs); j++)
			for (k = 0; k < ARRAY_LEN(lens); k++)
				copy_one(from, in_offs[i], out_offs[j],
					 lens[k]);
}

/* The copy is one: later changes of the one are not those of the other. */
static void apart(void)
{
	int from = open_source();
	int to;

	NEED(to = open_file("to", O_RDWR | O_CREAT));
	EQUAL(copy_file_range(from, NULL, to, NULL, LEN, 0), LEN);
	EQUAL(lseek(from, 0, SEEK_CUR), LEN);
	EQUAL(lseek(to, 0, SEEK_CUR), LEN);
	EQUAL(pwrite(from, "changed", 7, 1000), 7);
	EQUAL(pread(to, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen, bytes, LEN) == 0);
	EQUAL(pwrite(to, "other", 5, 2000), 5);
	EQUAL(pread(from, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen + 2000, bytes + 2000, 5) == 0);
	HOLDS(memcmp(seen + 1000, "changed", 7) == 0);
	WORKS(ftruncate(from, 0));
	WORKS(unlink("from"));
	EQUAL(pread(to, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen + 2000, "other", 5) == 0);
	HOLDS(memcmp(seen + 10000, bytes + 10000, LEN - 10000) == 0);
}

static void within_one_file(void)
{
	off_t in = 0;
	off_t out = 200000;
	int fd = open_source();

	EQUAL(copy_file_range(fd, &in, fd, &out, 100000, 0), 100000);
	EQUAL(pread(fd, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen, bytes, 200000) == 0);
	HOLDS(memcmp(seen + 200000, bytes, 100000) == 0);
	in = 0;
	out = 50000;
	FAILS(copy_file_range(fd, &in, fd, &out, 100000, 0), EINVAL);
	in = 50000;
	out = 0;
	FAILS(copy_file_range(fd, &in, fd, &out, 100000, 0), EINVAL);
	in = LEN;
	out = 0;
	EQUAL(copy_file_range(fd, &in, fd, &out, 100, 0), 0);
	in = 0;
	out = LEN + 1000;
	EQUAL(copy_file_range(fd, &in, fd, &out, 100, 0), 100);
	EQUAL(fd_size(fd), LEN + 1100);
}

/* A hole is copied as zeros. */
static void holes(void)
{
	off_t in = 0;
	off_t out = 0;
	int from;
	int to;

	NEED(from = open_file("from", O_RDWR | O_CREAT));
	NEED(to = open_file("to", O_RDWR | O_CREAT));
	fill_bytes(bytes, LEN, 3);
	NEED(pwrite(to, bytes, LEN, 0));
	NEED(pwrite(from, "begin", 5, 0));
	NEED(ftruncate(from, LEN));
	EQUAL(copy_file_range(from, &in, to, &out, LEN, 0), LEN);
	memset(bytes, 0, LEN);
	memcpy(bytes, "begin", 5);
	EQUAL(pread(to, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen, bytes, LEN) == 0);
	EQUAL(fd_size(to), LEN);
}

static void refused(void)
{
	off_t in = 0;
	off_t out = 0;
	int from = open_source();
	int append;
	int reader;
	int dir;

	make_file("to", 0644);
	NEED(append = open_file("to", O_WRONLY | O_APPEND));
	NEED(reader = open_file("to", O_RDONLY));
	NEED(dir = open_file(".", O_RDONLY));
	FAILS(copy_file_range(from, NULL, append, NULL, 10, 0), EBADF);
	FAILS(copy_file_range(from, NULL, reader, NULL, 10, 0), EBADF);
	FAILS(copy_file_range(append, NULL, from, NULL, 10, 0), EBADF);
	FAILS(copy_file_range(dir, NULL, from, NULL, 10, 0), EISDIR);
	FAILS(copy_file_range(from, NULL, -1, NULL, 10, 0), EBADF);
	FAILS(copy_file_range(from, &in, from, &out, 10, 1), EINVAL);
	EQUAL(copy_file_range(from, NULL, from, NULL, 0, 0), 0);
	EQUAL(size_of("to"), 0);
}

static void through_pipes(void)
{
	int from = open_source();
	off_t off = 100;
	int ends[2];
	int to;

	NEED(to = open_file("to", O_RDWR | O_CREAT));
	EQUAL(sendfile(to, from, NULL, LEN), LEN);
	EQUAL(lseek(from, 0, SEEK_CUR), LEN);
	EQUAL(pread(to, seen, LEN, 0), LEN);
	HOLDS(memcmp(seen, bytes, LEN) == 0);
	EQUAL(sendfile(to, from, &off, 1000), 1000);
	EQUAL(off, 1100);
	EQUAL(pread(to, seen, 1000, LEN), 1000);
	HOLDS(memcmp(seen, bytes + 100, 1000) == 0);
	NEED(pipe2(ends, O_CLOEXEC));
	off = 5000;
	EQUAL(splice(from, &off, ends[1], NULL, 4096, 0), 4096);
	off = 0;
	EQUAL(splice(ends[0], NULL, to, &off, 4096, 0), 4096);
	EQUAL(pread(to, seen, 4096, 0), 4096);
	HOLDS(memcmp(seen, bytes + 5000, 4096) == 0);
}

const struct tap_case copy_cases[] = {
	{ "ranges", ranges },
	{ "apart", apart },
	{ "within_one_file", within_one_file },
	{ "holes", holes },
	{ "refused", refused },
	{ "through_pipes", through_pipes },
	{ NULL, NULL },
};
