/* SPDX-License-Identifier: MIT */
/*
 * hostile_log.h - a log with one frame and one batch, whatever that holds, and
 * batches that make sense. Aborts when it cannot.
 */
#ifndef TESTS_FUZZ_OPERATION_HOSTILE_LOG_H
#define TESTS_FUZZ_OPERATION_HOSTILE_LOG_H

#include "base/buffer.h"
#include "store/bank.h"
#include "store/superblock.h"

enum {
	HOSTILE_CHUNKS = 3, /* ids 1..3 */
	HOSTILE_SEEDS = 4,
};

/* Makes the frame; before anything else. */
void hostile_log_init(void);

/* The frame as replay tells it to the bank. Static. */
const struct bank_frame *hostile_frame(void);

/* Writes superblock and first segment below `path`, which has a folder log/. */
void hostile_log_write(const char *path, const struct superblock *sb,
		       struct span batch);

/* Appends the operations of seed `i`, 0..HOSTILE_SEEDS - 1. */
void hostile_seed(unsigned i, struct buffer *batch);

#endif
