/* SPDX-License-Identifier: MIT */
/*
 * rank.h - the order in which locks are taken, over the whole program.
 *
 * A thread may take a lock only when its rank is higher than the rank of every
 * lock that it holds. ARCHITECTURE.md says what each one protects.
 */
#ifndef BASE_RANK_H
#define BASE_RANK_H

enum rank {
	RANK_SYNC = 10,
	RANK_INDEX = 20,
	RANK_INODES = 30,
	RANK_TAKER = 35,
	RANK_INODE = 40,
	RANK_DIRTY = 45,
	RANK_PACKER = 50,
	RANK_BANK = 60,
	RANK_CACHE = 70,
	RANK_FLUSH = 78,
	RANK_LOG = 80,
	RANK_SEGMENTS = 90,
	RANK_QUEUE = 100,
	RANK_LEAF = 110,
};

#endif
