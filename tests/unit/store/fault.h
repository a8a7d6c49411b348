/* SPDX-License-Identifier: MIT */
/*
 * fault.h - makes the n-th call of base/io.h fail, and keeps what a power cut
 * would leave of the log.
 *
 * The linker puts us between the store and io.c (-Wl,--wrap). SQLite's own
 * files do not pass here.
 */
#ifndef TESTS_UNIT_STORE_FAULT_H
#define TESTS_UNIT_STORE_FAULT_H

#include "lib/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* Kinds of calls, for fault_arm(). */
enum {
	FAULT_WRITE = 1 << 0, /* pwrite, after half of it was written */
	FAULT_SYNC = 1 << 1,  /* fdatasync, fsync */
	FAULT_OPEN = 1 << 2,
	FAULT_CUT = 1 << 3, /* ftruncate */
	FAULT_READ = 1 << 4,
	FAULT_NAME = 1 << 5, /* rename, unlink, mkdir */
	FAULT_ALL = (1 << 6) - 1,
};

/* The n-th call (from 1) of these kinds fails with `err`; with `lasting` all
 * after it, too. */
void fault_arm(unsigned kinds, unsigned n, int err, bool lasting);

/* No more; returns whether one was made to fail. */
bool fault_disarm(void);

/* From now on keeps what of the files in `log_dir` is durable. */
void power_watch(const char *log_dir);
void power_unwatch(void);

/* Writes the log as a power cut now would leave it into the directory `to`:
 * of what was written since the last sync, each 512 bytes are there or not. */
void power_cut(struct rng *rng, unsigned percent, const char *to);

#endif
