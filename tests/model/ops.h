/* SPDX-License-Identifier: MIT */
/*
 * ops.h - random operations on a filesystem, and what the model makes of them.
 *
 * The next operation depends on the seed and on the model alone: whoever knows
 * the seed can repeat what another process did.
 */
#ifndef TESTS_MODEL_OPS_H
#define TESTS_MODEL_OPS_H

#include "lib/model.h"
#include "lib/rng.h"

#include <stdio.h>

/* What changes names comes first, then data, attributes, and what only looks
 * or makes durable. */
enum op_kind {
	OP_MAKE,
	OP_LINK,
	OP_UNLINK,
	OP_RMDIR,
	OP_RENAME,
	OP_WRITE,
	OP_RESIZE,
	OP_ALLOCATE,
	OP_COPY,
	OP_SETATTR,
	OP_SETXATTR,
	OP_REMOVEXATTR,
	OP_READ,
	OP_SEEK,
	OP_LOOKUP,
	OP_FORGET,
	OP_READDIR,
	OP_RELEASE,
	OP_FSYNC,
	OP_SYNC,
	OP_REOPEN,
	OP_COMPARE,
	OP_KINDS
};

enum fill_kind {
	FILL_ZERO,
	FILL_CONSTANT,
	FILL_RANDOM,
	FILL_TEXT,
	FILL_PERIOD,
	FILL_EDITED,  /* one of a few, with some bytes changed */
	FILL_RECORDS, /* teach.h */
	FILL_KINDS
};

enum op_set { OP_SET_MODE = 1, OP_SET_OWNER = 2, OP_SET_TIMES = 4 };

/* Which members count depends on the kind. */
struct op {
	enum op_kind kind;
	uint32_t a; /* the node, or the first directory */
	uint32_t b; /* the second one */
	char name[MODEL_NAME_MAX + 2];
	char to_name[MODEL_NAME_MAX + 2]; /* or the target of a symlink */
	uint64_t off, to_off;
	size_t len;
	uint64_t size;
	int flags; /* of rename, fallocate, setxattr, seek; enum op_set */
	uint32_t mode, uid, gid;
	uint64_t rdev;
	struct timespec mtime, atime;
	enum fill_kind fill;
	uint64_t seed; /* of the bytes */
	bool append, kill_priv;
};

struct op_mix {
	uint8_t weights[OP_KINDS];
	uint32_t max_nodes;
	size_t max_write;  /* bytes of one write */
	uint64_t max_size; /* writes end before, but for rare ones */
	bool far;          /* now and then offsets up to 2^63 */
	bool orphans;      /* go on with nodes that lost their names */
	bool odd;          /* calls that a kernel would not let through */
	bool hard;         /* long writes of what no encoder makes shorter */
	bool plain;        /* one system call each, own files only */
};

extern const struct op_mix op_mix_all;   /* one long life */
extern const struct op_mix op_mix_crash; /* many short ones */
extern const struct op_mix op_mix_small; /* the same with little data */
extern const struct op_mix op_mix_mount; /* by system calls */

void op_next(struct rng *rng, const struct model *m, const struct op_mix *mix,
	     struct op *ret);

/* What the filesystem has to answer; copies and reads: a count. `ret_new`
 * gets the node that OP_MAKE made. */
int64_t op_apply(struct model *m, const struct op *op, uint32_t *ret_new);

/* One line. */
void op_text(const struct op *op, char *text, size_t cap);

/* The bytes that a write writes. */
void fill_bytes(enum fill_kind kind, uint64_t seed, uint8_t *buf, size_t len);

#endif
