/* SPDX-License-Identifier: MIT */
/*
 * output.h - a file that is there whole or not at all.
 *
 * It is written under a temporary name in its own directory and gets its name
 * when it is complete; a failure, or a signal that ends the program, removes
 * it. Blocks of zeros become holes. The standard output, devices and pipes are
 * written as they are. One at a time in a process. Errors: negative errno; the
 * first failure of writing sticks.
 */
#ifndef FS_OUTPUT_H
#define FS_OUTPUT_H

#include "base/bytes.h"

#include <limits.h>

struct stat;

struct output {
	int fd;
	int dir_fd;     /* of a temporary file, else -1 */
	bool replace;   /* a file that is there */
	bool is_stdout; /* not ours to close */
	uint64_t pos;   /* bytes written, holes included */
	int rc;         /* the first failure of writing */
	char name[NAME_MAX + 1];
	char temporary[NAME_MAX + 1];
};

/*
 * `path` "-" is the standard output. -EEXIST: there is a file, and `replace` is
 * not set. -EISDIR. A symbolic link to a file stays one.
 */
int output_open(struct output *o, const char *path, bool replace);

int output_write(struct output *o, struct span bytes);

/* The same for `len` zeros, without writing them where a hole does. */
int output_zeros(struct output *o, uint64_t len);

/* Complete: gives the file its name. With `like` it gets that file's permission
 * bits and time of modification. On failure nothing is left. */
int output_finish(struct output *o, const struct stat *like);

/* Removes what is not finished. */
void output_abandon(struct output *o);

#endif
