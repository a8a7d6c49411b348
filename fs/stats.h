/* SPDX-License-Identifier: MIT */
/*
 * stats.h - what a store holds, as `sigmafs stat` tells it.
 *
 * Travels as members of a JSON object.
 */
#ifndef FS_STATS_H
#define FS_STATS_H

#include <stdint.h>

struct json;
struct volume;

enum stats_value {
	STATS_RAW,    /* bytes: sizes of all files */
	STATS_STORED, /* bytes that the store takes on its disk */
	STATS_DEAD,   /* of these: encoded data that nobody refers to */
	STATS_LIVE,   /* and those that somebody does */
	STATS_FILES,  /* inodes of every type */
	STATS_CHUNKS,
	STATS_CHUNK_BYTES, /* raw */
	STATS_DUPLICATES,  /* chunks that were there already */
	STATS_DUPLICATE_BYTES,
	STATS_FRAMES,
	STATS_FRAME_RAW,
	STATS_FRAME_STORED,
	STATS_FRAMES_FILL,
	STATS_FRAMES_STORE,
	STATS_FRAMES_LZ4,
	STATS_FRAMES_ZSTD,
	STATS_FRAMES_MIXED,
	STATS_FRAMES_DELTA,
	STATS_FRAMES_CODEBOOK,
	STATS_FRAMES_COLUMNS,
	STATS_FRAMES_CODE,
	STATS_FRAMES_NUMBERS,
	STATS_SEGMENTS,
	STATS_CACHE,
	STATS_CACHE_HITS,
	STATS_CACHE_MISSES,
	STATS_IDLE, /* bytes, raw: optimised by itself since it was mounted, */
	STATS_IDLE_OLD,  /* what they took before, */
	STATS_IDLE_NEW,  /* and take now; */
	STATS_IDLE_WHEN, /* seconds since 1970; 0: never */
	STATS_FREE,
	STATS_TOTAL,
	STATS_N_VALUES
};

struct stats {
	uint64_t values[STATS_N_VALUES];
};

int stats_read(struct volume *volume, struct stats *ret);

/* Adds them, and the ratio, to an open object. */
void stats_put(const struct stats *stats, struct json *json);

/* Takes them from an object. -EUCLEAN: one is missing. */
int stats_get(const char *text, struct stats *ret);

#endif
