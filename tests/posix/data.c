/* SPDX-License-Identifier: MIT */
/* data.c - reading, writing, sizes: compared with a copy in memory. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MODEL_LEN = 2 << 20 };

/* What a file should hold. */
struct model {
	uint8_t *bytes; /* MODEL_LEN of them, zeros behind `size` */
	size_t size;
};

static struct model model_new(void)
{
	struct model m = { .bytes = calloc(1, MODEL_LEN) };

	if (!m.bytes)
		abort();
	return m;
}

static void model_write(struct model *m, size_t off, size_t len, uint32_t seed)
{
	fill_bytes(m->bytes + off, len, seed);
	if (off + len > m->size)
		m->size = off + len;
}

static void model_resize(struct model *m, size_t size)
{
	if (size > MODEL_LEN)
		abort();
	if (size < m->size)
		memset(m->bytes + size, 0, m->size - size);
	m->size = size;
}

/* Whether all of the file is as it should be, read in one go. */
static bool same_as(int fd, const struct model *m)
{
	uint8_t *buf = malloc(MODEL_LEN);
	bool same;

	if (!buf)
		abort();
	same = pread(fd, buf, MODEL_LEN, 0) == (ssize_t)m->size &&
	       memcmp(buf, m->bytes, m->size) == 0;
	free(buf);
	return same;
}

/* ---- writes at all places ------------------------------------------------- */

static void places(void)
{
	static const size_t offs[] = {
		0,     1,     511,    512,    4095,   4096,    4097,   8192,
		65535, 65536, 100000, 131071, 131072, 1048575, 1048577
	};
	static const size_t lens[] = { 1, 2, 511, 4096, 4097, 70000 };
	struct model m = model_new();
	uint32_t seed = 0;
	size_t i;
	size_t j;
	int fd;

	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	for (i = 0; i < ARRAY_LEN(offs); i++) {
		for (j = 0; j < ARRAY_LEN(lens); j++) {
			about("%zu bytes at %zu", lens[j], offs[i]);
			model_write(&m, offs[i], lens[j], ++seed);
			EQUAL(pwrite(fd, m.bytes + offs[i], lens[j],
				     (off_t)offs[i]),
			      (long long)lens[j]);
			HOLDS(same_as(fd, &m));
		}
	}
	about(NULL);
	EQUAL(fd_size(fd), (long long)m.size);
	WORKS(fsync(fd));
	WORKS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	HOLDS(same_as(fd, &m));
	free(m.bytes);
}

/* Down and up: what was cut off never comes back. */
static void truncations(void)
{
	static const size_t sizes[] = { 0,      1,     4095,   4096,   4097,
					100000, 50000, 131072, 65536,  1000000,
					999999, 3,     8191,   200000, 70001 };
	struct model m = model_new();
	size_t i;
	int fd;

	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	for (i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		size_t size = sizes[i % ARRAY_LEN(sizes)];

		about("%zu: to %zu", i, size);
		model_write(&m, 0, 150000, (uint32_t)i);
		NEED(pwrite(fd, m.bytes, 150000, 0));
		if (i >= ARRAY_LEN(sizes))
			NEED(fsync(fd));
		model_resize(&m, size);
		WORKS(ftruncate(fd, (off_t)size));
		EQUAL(fd_size(fd), (long long)size);
		model_resize(&m, size + 5000);
		WORKS(truncate("file", (off_t)size + 5000));
		HOLDS(same_as(fd, &m));
	}
	free(m.bytes);
}

static void end_of_file(void)
{
	char buf[16];
	int fd;

	make_file_with("file", "0123456789");
	NEED(fd = open_file("file", O_RDWR));
	EQUAL(pread(fd, buf, 16, 0), 10);
	EQUAL(pread(fd, buf, 16, 9), 1);
	EQUAL(pread(fd, buf, 16, 10), 0);
	EQUAL(pread(fd, buf, 16, 1000000), 0);
	EQUAL(pread(fd, buf, 0, 0), 0);
	EQUAL(pread(fd, buf, 16, LLONG_MAX - 16), 0);
	FAILS(pread(fd, buf, 16, LLONG_MAX), EINVAL);
	EQUAL(pwrite(fd, "x", 1, 5000), 1);
	EQUAL(fd_size(fd), 5001);
	EQUAL(pread(fd, buf, 4, 10), 4);
	HOLDS(memcmp(buf, "\0\0\0\0", 4) == 0);
	EQUAL(pread(fd, buf, 16, 4999), 2);
	HOLDS(memcmp(buf, "\0x", 2) == 0);
	EQUAL(pwrite(fd, "x", 0, 9000), 0);
	EQUAL(fd_size(fd), 5001);
}

static void offsets(void)
{
	char buf[8];
	int fd;

	make_file_with("file", "0123456789");
	NEED(fd = open_file("file", O_RDWR));
	EQUAL(lseek(fd, 4, SEEK_SET), 4);
	EQUAL(read(fd, buf, 2), 2);
	HOLDS(memcmp(buf, "45", 2) == 0);
	EQUAL(lseek(fd, 0, SEEK_CUR), 6);
	EQUAL(lseek(fd, -2, SEEK_END), 8);
	EQUAL(lseek(fd, 100, SEEK_END), 110);
	EQUAL(fd_size(fd), 10);
	EQUAL(write(fd, "x", 1), 1);
	EQUAL(fd_size(fd), 111);
	EQUAL(pread(fd, buf, 2, 0), 2);
	EQUAL(lseek(fd, 0, SEEK_CUR), 111);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, -1000, SEEK_CUR), EINVAL);
	FAILS(lseek(fd, 0, 99), EINVAL);
	FAILS(pread(fd, buf, 1, -1), EINVAL);
	FAILS(pwrite(fd, buf, 1, -1), EINVAL);
	FAILS(ftruncate(fd, -1), EINVAL);
	FAILS(truncate("file", -1), EINVAL);
	EQUAL(lseek(fd, 0, SEEK_CUR), 111);
}

static void vectors(void)
{
	static const struct iovec many[IOV_MAX + 1];
	char a[4] = "abc";
	char b[8] = "defgh";
	struct iovec out[3] = { { a, 3 }, { b, 0 }, { b, 5 } };
	char c[2];
	char d[6];
	struct iovec in[2] = { { c, 2 }, { d, 6 } };
	int fd;

	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	EQUAL(writev(fd, out, 3), 8);
	HOLDS(reads_as("file", "abcdefgh"));
	EQUAL(preadv(fd, in, 2, 1), 7);
	HOLDS(memcmp(c, "bc", 2) == 0 && memcmp(d, "defgh", 5) == 0);
	EQUAL(pwritev(fd, out, 1, 6), 3);
	HOLDS(reads_as("file", "abcdefabc"));
	EQUAL(lseek(fd, 0, SEEK_CUR), 8);
	EQUAL(readv(fd, in, 2), 1);
	FAILS(writev(fd, many, IOV_MAX + 1), EINVAL);
	FAILS(readv(fd, many, IOV_MAX + 1), EINVAL);
	EQUAL(writev(fd, many, IOV_MAX), 0);
	EQUAL(writev(fd, out, 0), 0);
	EQUAL(pwritev2(fd, out, 1, -1, RWF_APPEND), 3);
	HOLDS(reads_as("file", "abcdefabcabc"));
	EQUAL(pwritev2(fd, out, 1, 0, RWF_DSYNC), 3);
}

/* ---- appending ------------------------------------------------------------ */

static void appending(void)
{
	int other;
	int fd;

	make_file_with("file", "one");
	NEED(fd = open_file("file", O_RDWR | O_APPEND));
	NEED(other = open_file("file", O_RDWR));
	EQUAL(write(fd, "two", 3), 3);
	EQUAL(lseek(fd, 0, SEEK_CUR), 6);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(write(fd, "three", 5), 5);
	HOLDS(reads_as("file", "onetwothree"));
	EQUAL(pwrite(other, "FOUR", 4, 11), 4);
	EQUAL(write(fd, "five", 4), 4);
	HOLDS(reads_as("file", "onetwothreeFOURfive"));
	/* Linux appends whatever the offset is. */
	EQUAL(pwrite(fd, "six", 3, 0), 3);
	HOLDS(reads_as("file", "onetwothreeFOURfivesix"));
	WORKS(ftruncate(other, 3));
	EQUAL(write(fd, "!", 1), 1);
	HOLDS(reads_as("file", "one!"));
	EQUAL(fcntl(fd, F_SETFL, 0), 0);
	EQUAL(pwrite(fd, "O", 1, 0), 1);
	HOLDS(reads_as("file", "One!"));
}

enum { WRITERS = 4, LINES = 400, LINE_LEN = 24 };

static void append_lines(void *ctx)
{
	const unsigned *writer = ctx;
	char line[LINE_LEN + 1];
	unsigned i;
	int fd = open_file("file", O_WRONLY | O_APPEND);

	for (i = 0; i < LINES; i++) {
		(void)snprintf(line, sizeof(line), "writer %4u line %6u\n",
			       *writer, i);
		NEED(write(fd, line, LINE_LEN) == LINE_LEN ? 0 : -1);
	}
}

/* Nothing is lost and nothing torn, and each writer's lines are in order. */
static void append_together(void)
{
	pid_t pids[WRITERS];
	unsigned next[WRITERS] = { 0 };
	unsigned numbers[WRITERS];
	char line[LINE_LEN + 1] = "";
	unsigned n_wrong = 0;
	unsigned i;
	int fd;

	make_file("file", 0644);
	for (i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		pids[i] = start_child(append_lines, &numbers[i]);
	}
	for (i = 0; i < WRITERS; i++)
		EQUAL(end_child(pids[i]), 0);
	EQUAL(size_of("file"), (long long)WRITERS * LINES * LINE_LEN);
	NEED(fd = open_file("file", O_RDONLY));
	while (read(fd, line, LINE_LEN) == LINE_LEN) {
		unsigned long writer = strtoul(line + 7, NULL, 10);

		if (line[LINE_LEN - 1] != '\n' || writer >= WRITERS ||
		    strtoul(line + 17, NULL, 10) != next[writer]++)
			n_wrong++;
	}
	EQUAL(n_wrong, 0);
}

/* ---- limits --------------------------------------------------------------- */

static void too_far(void)
{
	struct rlimit limit = { 100000, 100000 };
	int fd;

	(void)signal(SIGXFSZ, SIG_IGN);
	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	FAILS(pwrite(fd, "x", 1, LLONG_MAX), EINVAL);
	FAILS(pwrite(fd, "xx", 2, LLONG_MAX - 1), EINVAL);
	EQUAL(fd_size(fd), 0);
	NEED(setrlimit(RLIMIT_FSIZE, &limit));
	EQUAL(pwrite(fd, "x", 1, 99999), 1);
	EQUAL(pwrite(fd, "xxxx", 4, 99998), 2);
	FAILS(pwrite(fd, "x", 1, 100000), EFBIG);
	FAILS(ftruncate(fd, 100001), EFBIG);
	FAILS(fallocate(fd, 0, 0, 100001), EFBIG);
	EQUAL(fd_size(fd), 100000);
	WORKS(ftruncate(fd, 100000));
}

/* A file may have as many bytes as an off_t can count. */
static void largest(void)
{
	char buf[4];
	int fd;

	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	WORKS(ftruncate(fd, LLONG_MAX));
	EQUAL(fd_size(fd), LLONG_MAX);
	EQUAL(pread(fd, buf, 4, LLONG_MAX - 4), 4);
	EQUAL(pread(fd, buf, 1, LLONG_MAX - 1), 1);
	EQUAL(pwrite(fd, "end", 3, LLONG_MAX - 3), 3);
	EQUAL(pread(fd, buf, 3, LLONG_MAX - 3), 3);
	HOLDS(memcmp(buf, "end", 3) == 0);
	EQUAL(lseek(fd, 0, SEEK_END), LLONG_MAX);
	WORKS(fsync(fd));
	WORKS(ftruncate(fd, 0));
	EQUAL(fd_size(fd), 0);
}

/* ---- O_DIRECT ------------------------------------------------------------- */

static void direct(void)
{
	enum { LEN = 1 << 20 };
	uint8_t *out = aligned_alloc(4096, LEN);
	uint8_t *in = aligned_alloc(4096, LEN);
	int plain;
	int fd;

	if (!out || !in)
		abort();
	fill_bytes(out, LEN, 5);
	NEED(fd = open_file("file", O_RDWR | O_CREAT | O_DIRECT));
	NEED(plain = open_file("file", O_RDWR));
	EQUAL(pwrite(fd, out, LEN, 0), LEN);
	EQUAL(pread(plain, in, LEN, 0), LEN);
	HOLDS(memcmp(in, out, LEN) == 0);
	/* What is cached is seen by direct reads, and the other way round. */
	fill_bytes(out + 8192, 4096, 6);
	EQUAL(pwrite(plain, out + 8192, 4096, 8192), 4096);
	EQUAL(pread(fd, in, LEN, 0), LEN);
	HOLDS(memcmp(in, out, LEN) == 0);
	fill_bytes(out + 65536, 4096, 7);
	EQUAL(pwrite(fd, out + 65536, 4096, 65536), 4096);
	EQUAL(pread(plain, in, LEN, 0), LEN);
	HOLDS(memcmp(in, out, LEN) == 0);
	EQUAL(pread(fd, in, LEN, LEN - 4096), 4096);
	EQUAL(pread(fd, in, LEN, LEN), 0);
	EQUAL(pwrite(fd, out, 4096, LEN + 4096), 4096);
	EQUAL(fd_size(plain), LEN + 8192);
	EQUAL(pread(plain, in, 4096, LEN), 4096);
	memset(out, 0, 4096);
	HOLDS(memcmp(in, out, 4096) == 0);
	free(out);
	free(in);
}

const struct tap_case data_cases[] = {
	{ "places", places },
	{ "truncations", truncations },
	{ "end_of_file", end_of_file },
	{ "offsets", offsets },
	{ "vectors", vectors },
	{ "appending", appending },
	{ "append_together", append_together },
	{ "too_far", too_far },
	{ "largest", largest },
	{ "direct", direct },
	{ NULL, NULL },
};
