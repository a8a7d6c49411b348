/* SPDX-License-Identifier: MIT */
/*
 * drive.h - the same operations on a volume and on the model, compared.
 *
 * A drive belongs to one thread; several may share a volume, each below a
 * directory of its own.
 */
#ifndef TESTS_MODEL_DRIVE_H
#define TESTS_MODEL_DRIVE_H

#include "model/ops.h"
#include "volume/file.h"

enum { DRIVE_BUF = 4 << 20, DRIVE_WHY = 600 };

struct drive {
	struct volume *v; /* owned, unless `shared` */
	struct model *m;  /* owned */
	const struct op_mix *mix;
	struct volume_options options;
	const char *path; /* of the store */
	uint64_t root;    /* inode of the model's root */
	bool shared;      /* volume and root belong to others as well */
	struct rng rng;   /* for choices that no operation tells */
	bool bad;         /* an answer was wrong: `why` says which */
	char why[DRIVE_WHY];
	uint8_t *buf, *want; /* owned; DRIVE_BUF bytes */
};

/* An empty model; the volume is to be opened. */
void drive_init(struct drive *d, const char *path, const struct op_mix *mix,
		uint64_t seed);

/* Frees what it owns; the volume must be closed. */
void drive_release(struct drive *d);

/* 0 or the negative errno of volume_open() and volume_close(). */
int drive_open(struct drive *d);
int drive_close(struct drive *d);

/* Says that an answer was wrong. Only the first time counts. */
void drive_complain(struct drive *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Does `op` on the volume and returns what that says: a count or a negative
 * errno. What is read is compared with the model, which does not change; the
 * step that follows is drive_settle().
 */
int64_t drive_exec(struct drive *d, const struct op *op);

/* Applies `op`, which the volume has done, to the model. Returns what the
 * model makes of it. */
int64_t drive_settle(struct drive *d, const struct op *op);

/* Whether the two answers agree; of two errors either may come first. */
bool drive_same(const struct op *op, int64_t got, int64_t want);

/* Both, and compares the two answers. False: see `why`. */
bool drive_step(struct drive *d, const struct op *op);

/* `n` random steps; false as soon as an answer is wrong. `why` then begins
 * with the step. `steps_done` steps came before. */
bool drive_run(struct drive *d, struct rng *rng, uint64_t steps_done,
	       uint64_t n);

/* Makes sure that the volume's inode of `id` is known and referenced. */
int drive_need(struct drive *d, uint32_t id);

/* ---- compare.c --------------------------------------------------------------- */

/* Everything: names, attributes, content. False: see `why`. */
bool drive_compare(struct drive *d);

void drive_check_attr(struct drive *d, uint32_t id,
		      const struct volume_attr *attr);

/* Reads [off, off + len) and compares. Returns the volume's errno or 0. */
int drive_check_read(struct drive *d, uint32_t id, uint64_t off, size_t len);

/* Walks a directory while it changes; every entry that stays is told once. */
int drive_walk_dir(struct drive *d, const struct op *op);

/* Makes every file longer: only zeros may come to light. False: see `why`. */
bool drive_grow_all(struct drive *d);

/* Why the volume is read-only; NULL: it is not. */
const char *drive_read_only(const struct drive *d);

/* Runs volume_check(); false with `why` on findings. */
bool drive_check(struct drive *d);

#endif
