/* SPDX-License-Identifier: MIT */
/* space.c - holes: st_blocks, SEEK_DATA and SEEK_HOLE, fallocate. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { BLOCK = 4096, SECTOR = 512 };

static long long fd_blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -1 : (long long)st.st_blocks;
}

static int new_file(void)
{
	int fd = open_file("file", O_RDWR | O_CREAT | O_TRUNC);

	NEED(fd);
	return fd;
}

/* One block of letters at the number of a block. */
static void put_block(int fd, unsigned where)
{
	char block[BLOCK];

	memset(block, 'a' + (int)(where % 26), sizeof(block));
	NEED(pwrite(fd, block, BLOCK, (off_t)where * BLOCK));
}

static bool block_is(int fd, unsigned where, char c)
{
	char block[BLOCK];
	char wanted[BLOCK];

	memset(wanted, c, sizeof(wanted));
	return pread(fd, block, BLOCK, (off_t)where * BLOCK) == BLOCK &&
	       memcmp(block, wanted, BLOCK) == 0;
}

/* ---- st_blocks ------------------------------------------------------------ */

static void blocks(void)
{
	struct stat st;
	int fd = new_file();
	unsigned i;

	WORKS(fsync(fd));
	for (i = 0; i < 64; i++)
		put_block(fd, i);
	WORKS(fsync(fd));
	EQUAL(fd_blocks(fd), 64 * BLOCK / SECTOR);
	WORKS(ftruncate(fd, 1 << 30));
	EQUAL(fd_blocks(fd), 64 * BLOCK / SECTOR);
	put_block(fd, 100000);
	WORKS(fsync(fd));
	EQUAL(fd_blocks(fd), 65 * BLOCK / SECTOR);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			16 * BLOCK));
	EQUAL(fd_blocks(fd), 49 * BLOCK / SECTOR);
	WORKS(ftruncate(fd, 32 * BLOCK));
	EQUAL(fd_blocks(fd), 16 * BLOCK / SECTOR);
	WORKS(ftruncate(fd, 0));
	WORKS(fsync(fd));
	WORKS(fstat(fd, &st));
	HOLDS(st.st_blksize >= 512 && st.st_blksize <= 1 << 20);
	HOLDS((st.st_blksize & (st.st_blksize - 1)) == 0);
}

/* Programs take a file for sparse when its blocks are fewer than its bytes. */
static void dense_while_dirty(void)
{
	int fd = new_file();
	unsigned i;

	for (i = 0; i < 64; i++)
		put_block(fd, i);
	HOLDS(fd_blocks(fd) > 0);
	WORKS(close(fd));
	HOLDS(blocks_of("file") * SECTOR >= size_of("file"));
}

static void nothing(void)
{
	int fd = new_file();

	WORKS(ftruncate(fd, 1 << 30));
	EQUAL(fd_blocks(fd), 0);
	NEED(mkfifo("fifo", 0644));
	EQUAL(blocks_of("fifo"), 0);
	EQUAL(size_of("fifo"), 0);
}

/* ---- SEEK_DATA and SEEK_HOLE ---------------------------------------------- */

/* Data in blocks 2, 3 and 10 of 16. */
static int make_holes(bool synced)
{
	int fd = new_file();

	NEED(ftruncate(fd, 16 * BLOCK));
	put_block(fd, 2);
	put_block(fd, 3);
	put_block(fd, 10);
	if (synced)
		NEED(fsync(fd));
	return fd;
}

static void seek_all(bool synced)
{
	int fd = make_holes(synced);

	EQUAL(lseek(fd, 0, SEEK_DATA), 2 * BLOCK);
	EQUAL(lseek(fd, 0, SEEK_HOLE), 0);
	EQUAL(lseek(fd, BLOCK - 1, SEEK_HOLE), BLOCK - 1);
	EQUAL(lseek(fd, 2 * BLOCK - 1, SEEK_DATA), 2 * BLOCK);
	EQUAL(lseek(fd, 2 * BLOCK, SEEK_DATA), 2 * BLOCK);
	EQUAL(lseek(fd, 2 * BLOCK + 1, SEEK_DATA), 2 * BLOCK + 1);
	EQUAL(lseek(fd, 2 * BLOCK, SEEK_HOLE), 4 * BLOCK);
	EQUAL(lseek(fd, 4 * BLOCK - 1, SEEK_HOLE), 4 * BLOCK);
	EQUAL(lseek(fd, 4 * BLOCK, SEEK_DATA), 10 * BLOCK);
	EQUAL(lseek(fd, 10 * BLOCK, SEEK_HOLE), 11 * BLOCK);
	FAILS(lseek(fd, 11 * BLOCK, SEEK_DATA), ENXIO);
	EQUAL(lseek(fd, 11 * BLOCK, SEEK_HOLE), 11 * BLOCK);
	EQUAL(lseek(fd, 16 * BLOCK - 1, SEEK_HOLE), 16 * BLOCK - 1);
	FAILS(lseek(fd, 16 * BLOCK, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 16 * BLOCK, SEEK_HOLE), ENXIO);
	FAILS(lseek(fd, 1 << 30, SEEK_HOLE), ENXIO);
	FAILS(lseek(fd, -1, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, -1, SEEK_HOLE), ENXIO);
	EQUAL(lseek(fd, 0, SEEK_CUR), 16 * BLOCK - 1);
}

static void seek_synced(void)
{
	seek_all(true);
}

static void seek_dirty(void)
{
	seek_all(false);
}

static void seek_dense(void)
{
	int fd = new_file();

	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 0, SEEK_HOLE), ENXIO);
	EQUAL(pwrite(fd, "abc", 3, 0), 3);
	EQUAL(lseek(fd, 0, SEEK_DATA), 0);
	EQUAL(lseek(fd, 0, SEEK_HOLE), 3);
	EQUAL(lseek(fd, 2, SEEK_DATA), 2);
	EQUAL(lseek(fd, 2, SEEK_HOLE), 3);
	FAILS(lseek(fd, 3, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, 3, SEEK_HOLE), ENXIO);
	WORKS(ftruncate(fd, 0));
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	WORKS(ftruncate(fd, 1 << 20));
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	EQUAL(lseek(fd, 0, SEEK_HOLE), 0);
	put_block(fd, 5);
	WORKS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			5 * BLOCK, BLOCK));
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	EQUAL(fd_size(fd), 1 << 20);
}

/* ---- fallocate ------------------------------------------------------------ */

static void allocate(void)
{
	int fd = new_file();

	WORKS(fallocate(fd, 0, 0, 10 * BLOCK));
	EQUAL(fd_size(fd), 10 * BLOCK);
	EQUAL(fd_blocks(fd), 10 * BLOCK / SECTOR);
	HOLDS(block_is(fd, 9, 0));
	put_block(fd, 3);
	WORKS(fallocate(fd, 0, 0, 10 * BLOCK));
	HOLDS(block_is(fd, 3, 'd'));
	WORKS(fallocate(fd, 0, 5 * BLOCK, BLOCK));
	EQUAL(fd_size(fd), 10 * BLOCK);
	WORKS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 10 * BLOCK, 10 * BLOCK));
	EQUAL(fd_size(fd), 10 * BLOCK);
	EQUAL(fd_blocks(fd), 20 * BLOCK / SECTOR);
	WORKS(ftruncate(fd, 15 * BLOCK));
	HOLDS(block_is(fd, 14, 0));
	WORKS(posix_fallocate(fd, 0, 16 * BLOCK));
	EQUAL(fd_size(fd), 16 * BLOCK);
	WORKS(fallocate(fd, 0, 100, 1));
	EQUAL(fd_size(fd), 16 * BLOCK);
}

static void punch(void)
{
	enum { PUNCH = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
	int fd = new_file();
	char buf[8];
	unsigned i;

	for (i = 0; i < 8; i++)
		put_block(fd, i);
	WORKS(fallocate(fd, PUNCH, 2 * BLOCK, 2 * BLOCK));
	HOLDS(block_is(fd, 1, 'b'));
	HOLDS(block_is(fd, 2, 0));
	HOLDS(block_is(fd, 3, 0));
	HOLDS(block_is(fd, 4, 'e'));
	EQUAL(lseek(fd, 0, SEEK_HOLE), 2 * BLOCK);
	EQUAL(lseek(fd, 2 * BLOCK, SEEK_DATA), 4 * BLOCK);
	/* Parts of blocks become zeros. */
	WORKS(fallocate(fd, PUNCH, 5 * BLOCK + 10, 20));
	EQUAL(pread(fd, buf, 8, 5 * BLOCK + 8), 8);
	HOLDS(memcmp(buf, "ff\0\0\0\0\0\0", 8) == 0);
	EQUAL(pread(fd, buf, 8, 5 * BLOCK + 26), 8);
	HOLDS(memcmp(buf, "\0\0\0\0ffff", 8) == 0);
	WORKS(fallocate(fd, PUNCH, 7 * BLOCK, 100 * BLOCK));
	EQUAL(fd_size(fd), 8 * BLOCK);
	HOLDS(block_is(fd, 7, 0));
	WORKS(fallocate(fd, PUNCH, 0, 1LL << 40));
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, BLOCK), EOPNOTSUPP);
}

static void zero_range(void)
{
	int fd = new_file();
	unsigned i;

	for (i = 0; i < 8; i++)
		put_block(fd, i);
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 2 * BLOCK, 2 * BLOCK));
	HOLDS(block_is(fd, 1, 'b'));
	HOLDS(block_is(fd, 2, 0));
	HOLDS(block_is(fd, 4, 'e'));
	WORKS(fsync(fd));
	EQUAL(fd_blocks(fd), 8 * BLOCK / SECTOR);
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE, 7 * BLOCK, 3 * BLOCK));
	EQUAL(fd_size(fd), 10 * BLOCK);
	HOLDS(block_is(fd, 7, 0));
	HOLDS(block_is(fd, 9, 0));
	WORKS(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
			9 * BLOCK, 3 * BLOCK));
	EQUAL(fd_size(fd), 10 * BLOCK);
	HOLDS(block_is(fd, 6, 'g'));
}

static void moving(void)
{
	int fd = new_file();
	unsigned i;

	for (i = 0; i < 8; i++)
		put_block(fd, i);
	WORKS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 2 * BLOCK, BLOCK));
	EQUAL(fd_size(fd), 7 * BLOCK);
	HOLDS(block_is(fd, 2, 'd'));
	WORKS(fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * BLOCK, BLOCK));
	EQUAL(fd_size(fd), 8 * BLOCK);
	HOLDS(block_is(fd, 2, 0));
	HOLDS(block_is(fd, 3, 'd'));
}

static void refused(void)
{
	int fd = new_file();
	int reader;
	int dir;
	int ends[2];

	NEED(reader = open_file("file", O_RDONLY));
	NEED(dir = open_file(".", O_RDONLY));
	NEED(pipe2(ends, O_CLOEXEC));
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fallocate(fd, 0, -1, 10), EINVAL);
	FAILS(fallocate(fd, 0, 0, -1), EINVAL);
	FAILS(fallocate(fd, 0, LLONG_MAX, 1), EFBIG);
	FAILS(fallocate(fd, 0x4000, 0, 10), EOPNOTSUPP);
	FAILS(fallocate(fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
				FALLOC_FL_KEEP_SIZE,
			0, 10),
	      EOPNOTSUPP);
	FAILS(fallocate(reader, 0, 0, 10), EBADF);
	FAILS(fallocate(dir, 0, 0, 10), EBADF);
	FAILS(fallocate(ends[1], 0, 0, 10), ESPIPE);
	FAILS(fallocate(-1, 0, 0, 10), EBADF);
	EQUAL(fd_size(fd), 0);
}

/* Freshly written, then cut: zeros behind the end, whatever was there. */
static void stale_tail(void)
{
	char buf[16];
	int fd = new_file();

	put_block(fd, 0);
	put_block(fd, 1);
	NEED(fsync(fd));
	WORKS(ftruncate(fd, 10));
	WORKS(ftruncate(fd, 2 * BLOCK));
	EQUAL(pread(fd, buf, 16, 4), 16);
	HOLDS(memcmp(buf, "aaaaaa\0\0\0\0\0\0\0\0\0\0", 16) == 0);
	HOLDS(block_is(fd, 1, 0));
	WORKS(ftruncate(fd, 10));
	EQUAL(pwrite(fd, "z", 1, 100), 1);
	EQUAL(pread(fd, buf, 16, 90), 11);
	HOLDS(memcmp(buf, "\0\0\0\0\0\0\0\0\0\0z", 11) == 0);
}

/* ---- statfs --------------------------------------------------------------- */

static void truthful(void)
{
	struct statvfs st;

	WORKS(statvfs(".", &st));
	HOLDS(st.f_bsize >= 512);
	HOLDS(st.f_frsize >= 512);
	HOLDS(st.f_blocks > 0);
	HOLDS(st.f_bfree <= st.f_blocks);
	HOLDS(st.f_bavail <= st.f_bfree);
	HOLDS(st.f_files > 0);
	HOLDS(st.f_ffree < st.f_files);
	EQUAL(st.f_namemax, NAME_LEN_MAX);
	HOLDS(!(st.f_flag & ST_RDONLY));
}

const struct tap_case space_cases[] = {
	{ "blocks", blocks },
	{ "dense_while_dirty", dense_while_dirty },
	{ "nothing", nothing },
	{ "seek_synced", seek_synced },
	{ "seek_dirty", seek_dirty },
	{ "seek_dense", seek_dense },
	{ "allocate", allocate },
	{ "punch", punch },
	{ "zero_range", zero_range },
	{ "moving", moving },
	{ "refused", refused },
	{ "stale_tail", stale_tail },
	{ "truthful", truthful },
	{ NULL, NULL },
};
