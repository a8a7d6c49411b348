/* SPDX-License-Identifier: MIT */
/*
 * io.h - every system call that touches files of a store.
 *
 * Restarted on EINTR, complete or failed, no symbolic link followed in the
 * last component, close-on-exec. Fault tests wrap these functions
 * (-Wl,--wrap=io_pwrite …), so nobody calls open/pread/… elsewhere.
 * Errors: negative errno of the system call. Threads: any.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/bytes.h"

#include <sys/types.h>

/* openat(2) with O_CLOEXEC|O_NOFOLLOW added. `dirfd` may be AT_FDCWD. Waits for
 * nobody at the other end of a pipe: one is -EUCLEAN. */
int io_open(int dirfd, const char *name, int flags, unsigned mode);
int io_close(int fd);

/* Reads up to `len` bytes; fewer only at the end of the file. Returns the
 * count. */
ssize_t io_pread(int fd, void *buf, size_t len, uint64_t file_off);

/* As io_pread(), but a short read is -EUCLEAN. */
int io_pread_full(int fd, void *buf, size_t len, uint64_t file_off);

/* Writes all of it or fails (part of it may then be in the file). */
int io_pwrite(int fd, const void *buf, size_t len, uint64_t file_off);

/*
 * For pipes, and for files read or written from one end to the other. Both wait
 * where the descriptor does not (O_NONBLOCK). io_read() returns what there is,
 * 1..len bytes, and 0 at the end; io_write() writes all of it or fails.
 */
ssize_t io_read(int fd, void *buf, size_t len);
int io_write(int fd, const void *buf, size_t len);

int io_fdatasync(int fd);
int io_fsync(int fd);
int io_ftruncate(int fd, uint64_t len);

/* Allocates blocks (mode 0 of fallocate(2)). */
int io_allocate(int fd, uint64_t off, uint64_t len);

/* Hints that cannot fail: have this range read ahead; read just what is asked
 * for. */
void io_will_need(int fd, uint64_t off, uint64_t len);
void io_random_reads(int fd);

/*
 * Reads past the system's memory, with a descriptor that was opened with O_DIRECT:
 * `buf`, `len` and `off` are multiples of IO_PAGE_LEN. Fewer bytes: the end of the
 * file, or a reason to read them in the common way.
 */
enum { IO_PAGE_LEN = 4096 };
ssize_t io_pread_direct(int fd, void *buf, size_t len, uint64_t off);

static inline uint64_t io_page_down(uint64_t off)
{
	return off & ~(uint64_t)(IO_PAGE_LEN - 1);
}

static inline uint64_t io_page_up(uint64_t off)
{
	return io_page_down(off + IO_PAGE_LEN - 1);
}

/* Whether the system has more than half of these bytes in memory, or cannot tell. */
bool io_is_cached(int fd, uint64_t off, uint64_t len);

/* A hint that cannot fail: begins to write the whole pages of this range to the
 * disk. Makes nothing durable. May wait for a busy disk's queue. */
void io_write_behind(int fd, uint64_t off, uint64_t len);

/* Of a file or a disk. */
int io_size(int fd, uint64_t *ret);
int io_mkdir(int dirfd, const char *name, unsigned mode);
int io_unlink(int dirfd, const char *name);
int io_rmdir(int dirfd, const char *name);
int io_rename(int dirfd, const char *from, const char *to);

/* The same, but -EEXIST rather than replacing anything. */
int io_rename_new(int dirfd, const char *from, const char *to);

/* Calls `fn` with the name of each entry of the directory `dirfd`, but "." and
 * "..". Ends early when it returns non-zero, which is then returned. */
int io_list(int dirfd, int (*fn)(void *ctx, const char *name), void *ctx);

/* Copies what is in a file into a new one, `to`, mode 0600. No descriptor of
 * either stays open. */
int io_copy(const char *from, const char *to);

/* Makes a directory that nobody else knows for files that are needed for a
 * while, in $TMPDIR, /var/tmp or /tmp. `ret` is the caller's to free(). */
int io_temp_dir(char **ret);

/* An exclusive flock(2) without waiting. -EWOULDBLOCK: somebody has it. */
int io_lock(int fd);

/* Bytes free for us and total bytes of the filesystem that holds `fd`. */
int io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);

/* Fills `buf` with unpredictable bytes. */
int io_random(void *buf, size_t len);

#endif
