/* SPDX-License-Identifier: MIT */
/*
 * segments.h - the files in log/: open descriptors, a bounded number of them.
 *
 * Threads: any. Knows headers, not records.
 * Errors: -ENOENT (no such segment), -EUCLEAN, -EBADMSG, -EOPNOTSUPP (its
 * header), -EIO, -ENOSPC, -ENOMEM.
 */
#ifndef STORE_SEGMENTS_H
#define STORE_SEGMENTS_H

#include "store/segment.h"

#include <stdatomic.h>
#include <sys/types.h>

struct segments;

/* An open segment file; pinned while somebody holds it. */
struct segment {
	struct segment_header header; /* immutable */
	int fd;                       /* immutable */
	uint64_t base;        /* immutable; of its first byte in the file */
	atomic_int direct_fd; /* the table's; to read past the cache */
	unsigned n_refs;      /* the table's */
	bool removed;         /* the table's: nobody finds it */
	uint64_t used;        /* the table's */
};

/* `log_fd`: the directory log/, borrowed. */
int segments_new(int log_fd, const uint8_t uuid[SEGMENT_UUID_LEN],
		 struct segments **ret);
void segments_free(struct segments *t);

/*
 * From now on segments are opened by somebody else, who sets fd, base and header
 * (its number is the one asked for). Before the first one is opened; nothing may
 * be made or removed then.
 */
typedef int segments_opener(void *ctx, uint64_t number, struct segment *ret);
void segments_open_by(struct segments *t, segments_opener *open, void *ctx);

/* Opens it for reading, unless it is open already. */
int segments_get(struct segments *t, uint64_t number, struct segment **ret);
void segments_put(struct segments *t, struct segment *s);

/* Reads whole pages of a segment that the caller holds past the system's memory, as
 * io_pread_direct() does. -EINVAL: the filesystem does not. */
ssize_t segments_read_past(struct segments *t, struct segment *s, void *dst,
			   size_t len, uint64_t off);

/* One more reference on a segment that the caller holds. */
void segments_ref(struct segments *t, struct segment *s);

/*
 * Makes a new file with this header, open for writing; file and directory
 * entry are durable on return. -EEXIST. Leaves no file behind on failure.
 */
int segments_create(struct segments *t, const struct segment_header *h,
		    struct segment **ret);

/* Cuts the file of a segment that is not being written to `len`, durably. */
int segments_cut(struct segments *t, uint64_t number, uint64_t len);

/* Removes a segment's file, durably; its bytes are free when the last one who
 * holds it has given it back. */
int segments_remove(struct segments *t, uint64_t number);

/* The same for several in one go. One that is not there is no failure. */
int segments_remove_all(struct segments *t, const uint64_t *numbers, size_t n);

int segments_size(struct segments *t, uint64_t number, uint64_t *ret);

/* Reads the directory: all segments, in the order of their numbers; the caller
 * frees the list. */
struct segment_file {
	uint64_t number;
	uint64_t len;
};
int segments_list(struct segments *t, struct segment_file **ret, size_t *ret_n);

/* Reads the directory: number and bytes of the segments below `number`. */
int segments_below(struct segments *t, uint64_t number, uint64_t *ret_n,
		   uint64_t *ret_len);

/* Reads the directory: lowest and highest number; both 0 when there is none. */
int segments_range(struct segments *t, uint64_t *ret_first, uint64_t *ret_last);

/* Reads the directory: the lowest number above `after`, or 0. */
int segments_next(struct segments *t, uint64_t after, uint64_t *ret);

/* The highest number below `number`, or 0. */
int segments_before(struct segments *t, uint64_t number, uint64_t *ret);

#endif
