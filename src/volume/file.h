/* SPDX-License-Identifier: MIT */
/*
 * file.h - content of regular files: read, write, holes, durability.
 *
 * Threads: any. A read sees each earlier write of the same inode whole.
 * Errors: as volume.h; -EINVAL for anything but a regular file (-EISDIR for
 * a directory).
 */
#ifndef VOLUME_FILE_H
#define VOLUME_FILE_H

#include "volume/volume.h"

enum { READ_IOV_MAX = 64 };

/* Pins what a read answers with, until file_read_done(). */
struct file_read {
	struct iovec iov[READ_IOV_MAX];
	int n_iov;
	size_t len;                 /* sum; less than asked only at the end */
	struct file_read_pin *pins; /* private */
	uint8_t *bounce;            /* private */
};

/* -EIO, -EBADMSG, -EUCLEAN: the data is damaged. */
int file_read(struct volume *v, uint64_t ino, uint64_t file_off, size_t len,
	      struct file_read *ret);
void file_read_done(struct file_read *r);

enum file_write_flags {
	FILE_WRITE_KILL_PRIV = 1 << 0, /* clear suid and sgid */
	FILE_WRITE_CACHED =
		1 << 1, /* from the kernel's page cache: it keeps the times */
	FILE_WRITE_APPEND = 1 << 2, /* at the end, whatever `file_off` says */
};

/* All of it or an error. May block: backpressure. -ENOSPC, -EFBIG. */
int file_write(struct volume *v, uint64_t ino, uint64_t file_off,
	       struct span bytes, unsigned flags);

/* The last close of a handle that may have written: a hint to encode now. */
void file_release(struct volume *v, uint64_t ino);

/* Data, size, times and name of `ino` are durable on return. */
int file_fsync(struct volume *v, uint64_t ino);

/* SEEK_DATA or SEEK_HOLE. -ENXIO at or beyond the end. */
int file_seek(struct volume *v, uint64_t ino, uint64_t file_off, int whence,
	      uint64_t *ret);

/* `mode` as fallocate(2): 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE with
 * or without KEEP_SIZE. -EOPNOTSUPP for others. */
int file_allocate(struct volume *v, uint64_t ino, int mode, uint64_t file_off,
		  uint64_t len);

struct file_range {
	uint64_t ino;
	uint64_t off;
};

/* Shares chunks. Returns the bytes copied, fewer at the source's end. */
ssize_t file_copy(struct volume *v, const struct file_range *from,
		  const struct file_range *to, size_t len);

#endif
