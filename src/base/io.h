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

/* openat(2) with O_CLOEXEC|O_NOFOLLOW added. `dirfd` may be AT_FDCWD. */
int io_open(int dirfd, const char *name, int flags, unsigned mode);
int io_close(int fd);

/* Reads up to `len` bytes; fewer only at the end of the file. Returns the
 * count. */
ssize_t io_pread(int fd, void *buf, size_t len, uint64_t file_off);

/* As io_pread(), but a short read is -EUCLEAN. */
int io_pread_full(int fd, void *buf, size_t len, uint64_t file_off);

/* Writes all of it or fails (part of it may then be in the file). */
int io_pwrite(int fd, const void *buf, size_t len, uint64_t file_off);

int io_fdatasync(int fd);
int io_fsync(int fd);
int io_ftruncate(int fd, uint64_t len);

/* Allocates blocks (mode 0 of fallocate(2)). */
int io_allocate(int fd, uint64_t off, uint64_t len);

/* Hints that cannot fail: have this range read ahead; read just what is asked
 * for. */
void io_will_need(int fd, uint64_t off, uint64_t len);
void io_random_reads(int fd);

int io_size(int fd, uint64_t *ret);
int io_mkdir(int dirfd, const char *name, unsigned mode);
int io_unlink(int dirfd, const char *name);
int io_rename(int dirfd, const char *from, const char *to);

/* An exclusive flock(2) without waiting. -EWOULDBLOCK: somebody has it. */
int io_lock(int fd);

/* Bytes free for us and total bytes of the filesystem that holds `fd`. */
int io_space(int fd, uint64_t *ret_free, uint64_t *ret_total);

/* Fills `buf` with unpredictable bytes. */
int io_random(void *buf, size_t len);

#endif
