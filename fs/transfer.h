/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - what encoding and decoding a file have in common: the input, the
 * progress, what it took.
 */
#ifndef FS_TRANSFER_H
#define FS_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct json;

struct transfer {
	const char *name; /* for messages; borrowed */
	int fd;
	struct stat st; /* of the input */
	int rc;         /* the first failure of reading */
	uint64_t read_len;
	const char *verb; /* for the progress; borrowed. NULL: not shown */
	uint64_t shown_ns;
	uint64_t begin_ns;
};

/* `path` "-" or NULL is the standard input. -EISDIR. */
int transfer_open(struct transfer *t, const char *path);

void transfer_close(struct transfer *t);

bool transfer_is_file(const struct transfer *t);

/* Whether `fd` is the very file that is read. */
bool transfer_is_same(const struct transfer *t, int fd);

/* As io_read(); shows the progress. */
ssize_t transfer_read(struct transfer *t, void *buf, size_t len);

/* The progress a last time, if it is shown; ends its line. */
void transfer_done(struct transfer *t);

/* What it took since it was opened: members of the object that is open. The
 * speed is that of `raw_len` bytes. */
void transfer_put(const struct transfer *t, uint64_t raw_len,
		  struct json *json);

/* The most memory that was resident at a time, in bytes, 0: not known. */
uint64_t transfer_peak_memory(void);

/* "4", for `-j`: 0 means one for each processor. -EINVAL: no number of workers
 * (1..64). */
int transfer_parse_workers(const char *text, unsigned *ret);

#endif
