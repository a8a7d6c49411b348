/* SPDX-License-Identifier: MIT */
/* mmap.c - mappings, and how they agree with read and write. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, N_PAGES = 64, LEN = PAGE * N_PAGES };

static int new_file(void)
{
	static uint8_t bytes[LEN];
	int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);

	NEED(fd);
	fill_bytes(bytes, LEN, 21);
	NEED(write(fd, bytes, LEN) == LEN ? 0 : -1);
	return fd;
}

static uint8_t *map_of(int fd, size_t len, int prot, int flags)
{
	uint8_t *map = mmap(NULL, len, prot, flags, fd, 0);

	NEED(map == MAP_FAILED ? -1 : 0);
	return map;
}

static uint8_t *shared(int fd)
{
	return map_of(fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int byte_at(int fd, off_t off)
{
	uint8_t c = 0;

	return pread(fd, &c, 1, off) == 1 ? c : -1;
}

static void reads(void)
{
	static uint8_t wanted[LEN];
	int fd = new_file();
	uint8_t *map = shared(fd);

	fill_bytes(wanted, LEN, 21);
	HOLDS(memcmp(map, wanted, LEN) == 0);
	NEED(fsync(fd));
	NEED(munmap(map, LEN));
	NEED(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	map = shared(fd);
	HOLDS(memcmp(map, wanted, LEN) == 0);
	WORKS(mprotect(map, PAGE, PROT_READ));
	WORKS(madvise(map, LEN, MADV_DONTNEED));
	HOLDS(memcmp(map, wanted, LEN) == 0);
	WORKS(munmap(map, LEN));
}

/* What is written here is read there, at once, in every page. */
static void coherent(void)
{
	int fd = new_file();
	int other;
	uint8_t *map = shared(fd);
	uint8_t *second;
	uint8_t c;
	unsigned i;

	NEED(other = open_file("file", O_RDWR));
	second = shared(other);
	for (i = 0; i < N_PAGES; i += 7) {
		off_t off = (off_t)i * PAGE + 5;

		about("page %u", i);
		map[off] = (uint8_t)i;
		EQUAL(byte_at(other, off), i);
		EQUAL(second[off], i);
		c = (uint8_t)(i + 100);
		EQUAL(pwrite(other, &c, 1, off), 1);
		EQUAL(map[off], i + 100);
		second[off] = (uint8_t)(i + 50);
		EQUAL(byte_at(fd, off), i + 50);
	}
	about(NULL);
	WORKS(msync(map, LEN, MS_SYNC));
	WORKS(msync(map, LEN, MS_ASYNC));
	WORKS(munmap(map, LEN));
	EQUAL(byte_at(fd, 5), 50);
}

/* It outlives the descriptor, and the name. */
static void outlives(void)
{
	int fd = new_file();
	uint8_t *map = shared(fd);

	WORKS(close(fd));
	map[100] = 'x';
	NEED(fd = open_file("file", O_RDONLY));
	EQUAL(byte_at(fd, 100), 'x');
	WORKS(unlink("file"));
	map[101] = 'y';
	EQUAL(map[101], 'y');
	EQUAL(byte_at(fd, 101), 'y');
	WORKS(msync(map, LEN, MS_SYNC));
	WORKS(munmap(map, LEN));
	EQUAL(byte_at(fd, 101), 'y');
}

static void private(void)
{
	int fd = new_file();
	int before = byte_at(fd, 100);
	uint8_t *map = map_of(fd, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	EQUAL(map[100], before);
	map[100] = (uint8_t)(before + 1);
	EQUAL(map[100], (uint8_t)(before + 1));
	EQUAL(byte_at(fd, 100), before);
	WORKS(msync(map, LEN, MS_SYNC));
	EQUAL(byte_at(fd, 100), before);
}

static sigjmp_buf back;

static void on_bus(int number)
{
	siglongjmp(back, number);
}

/* Whether reading the byte ends in SIGBUS. */
static bool is_bus(const volatile uint8_t *p)
{
	(void)signal(SIGBUS, on_bus);
	if (sigsetjmp(back, 1) != 0)
		return true;
	(void)*p;
	return false;
}

static void the_end(void)
{
	int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
	uint8_t *map;

	NEED(fd);
	NEED(pwrite(fd, "end", 3, PAGE));
	map = map_of(fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	HOLDS(memcmp(map + PAGE, "end\0\0", 5) == 0);
	HOLDS(is_bus(map + 2 * PAGE));
	/* Behind the end, and in its page: not part of the file. */
	map[PAGE + 10] = 'x';
	WORKS(msync(map, PAGE, MS_SYNC));
	EQUAL(fd_size(fd), PAGE + 3);
	WORKS(ftruncate(fd, 3 * PAGE));
	EQUAL(byte_at(fd, PAGE + 10), 0);
	HOLDS(!is_bus(map + 2 * PAGE));
	EQUAL(map[2 * PAGE], 0);
	map[2 * PAGE] = 'y';
	EQUAL(byte_at(fd, 2 * PAGE), 'y');
	WORKS(ftruncate(fd, PAGE));
	HOLDS(is_bus(map + PAGE));
	WORKS(ftruncate(fd, 3 * PAGE));
	EQUAL(map[2 * PAGE], 0);
	EQUAL(map[PAGE], 0);
}

static void sparse(void)
{
	int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);
	uint8_t *map;

	NEED(fd);
	NEED(ftruncate(fd, LEN));
	map = shared(fd);
	EQUAL(map[PAGE], 0);
	map[10 * PAGE] = 'x';
	WORKS(msync(map, LEN, MS_SYNC));
	EQUAL(lseek(fd, 0, SEEK_DATA), 10 * PAGE);
	EQUAL(lseek(fd, 10 * PAGE, SEEK_HOLE), 11 * PAGE);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			LEN));
	EQUAL(map[10 * PAGE], 0);
	EQUAL(byte_at(fd, 10 * PAGE), 0);
}

static void *try_map(int fd, int prot, int flags, off_t off)
{
	return mmap(NULL, PAGE, prot, flags, fd, off);
}

/* 0, or -1 and errno. */
static int maps(int fd, int prot, int flags, off_t off)
{
	void *map = try_map(fd, prot, flags, off);

	return map == MAP_FAILED ? -1 : munmap(map, PAGE);
}

static void refused(void)
{
	int fd = new_file();
	int reader;
	int writer;
	int dir;

	NEED(reader = open_file("file", O_RDONLY));
	NEED(writer = open_file("file", O_WRONLY));
	NEED(dir = open_file(".", O_RDONLY));
	WORKS(maps(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	WORKS(maps(fd, PROT_READ | PROT_EXEC, MAP_PRIVATE, PAGE));
	WORKS(maps(reader, PROT_READ, MAP_SHARED, 0));
	WORKS(maps(reader, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0));
	FAILS(maps(reader, PROT_READ | PROT_WRITE, MAP_SHARED, 0), EACCES);
	FAILS(maps(writer, PROT_READ, MAP_SHARED, 0), EACCES);
	FAILS(maps(writer, PROT_WRITE, MAP_PRIVATE, 0), EACCES);
	FAILS(maps(dir, PROT_READ, MAP_SHARED, 0), ENODEV);
	FAILS(maps(fd, PROT_READ, MAP_SHARED, 100), EINVAL);
	FAILS(maps(-1, PROT_READ, MAP_SHARED, 0), EBADF);
}

/* Two processes, one mapping each. */
static void write_there(void *ctx)
{
	int fd = open_file("file", O_RDWR);
	uint8_t *map = shared(fd);

	(void)ctx;
	map[3 * PAGE] = 'c';
	map[4 * PAGE] = (uint8_t)(map[4 * PAGE] + 1);
}

static void between_processes(void)
{
	int fd = new_file();
	uint8_t *map = shared(fd);

	map[4 * PAGE] = 7;
	EQUAL(end_child(start_child(write_there, NULL)), 0);
	EQUAL(map[3 * PAGE], 'c');
	EQUAL(map[4 * PAGE], 8);
	EQUAL(byte_at(fd, 3 * PAGE), 'c');
}

const struct tap_case mmap_cases[] = {
	{ "reads", reads },       { "coherent", coherent },
	{ "outlives", outlives }, { "private", private },
	{ "the_end", the_end },   { "sparse", sparse },
	{ "refused", refused },   { "between_processes", between_processes },
	{ NULL, NULL },
};
