/* SPDX-License-Identifier: MIT */
/*
 * stats.c - from the store's totals to names, and back.
 */
#include "stats.h"

#include "json.h"
#include "volume/volume.h"

static const char *const names[STATS_N_VALUES] = {
	[STATS_RAW] = "raw_bytes",
	[STATS_STORED] = "stored_bytes",
	[STATS_DEAD] = "dead_bytes",
	[STATS_LIVE] = "live_bytes",
	[STATS_FILES] = "files",
	[STATS_CHUNKS] = "chunks",
	[STATS_CHUNK_BYTES] = "chunk_bytes",
	[STATS_DUPLICATES] = "duplicates",
	[STATS_DUPLICATE_BYTES] = "duplicate_bytes",
	[STATS_FRAMES] = "frames",
	[STATS_FRAME_RAW] = "frame_raw_bytes",
	[STATS_FRAME_STORED] = "frame_stored_bytes",
	[STATS_FRAMES_FILL] = "frames_fill",
	[STATS_FRAMES_STORE] = "frames_store",
	[STATS_FRAMES_LZ4] = "frames_lz4",
	[STATS_FRAMES_ZSTD] = "frames_zstd",
	[STATS_FRAMES_MIXED] = "frames_mixed",
	[STATS_FRAMES_DELTA] = "frames_delta",
	[STATS_FRAMES_CODEBOOK] = "frames_codebook",
	[STATS_FRAMES_COLUMNS] = "frames_columns",
	[STATS_FRAMES_CODE] = "frames_code",
	[STATS_FRAMES_NUMBERS] = "frames_numbers",
	[STATS_SEGMENTS] = "segments",
	[STATS_CACHE] = "cache_bytes",
	[STATS_CACHE_HITS] = "cache_hits",
	[STATS_CACHE_MISSES] = "cache_misses",
	[STATS_IDLE] = "idle_optimized_bytes",
	[STATS_IDLE_OLD] = "idle_before_bytes",
	[STATS_IDLE_NEW] = "idle_after_bytes",
	[STATS_IDLE_WHEN] = "idle_optimized_at",
	[STATS_FREE] = "free_bytes",
	[STATS_TOTAL] = "total_bytes",
};

/* Those that are totals of the store. */
static const struct {
	enum stats_value value;
	int total;
} totals[] = {
	{ STATS_RAW, TOTAL_FILE_LEN },
	{ STATS_FILES, TOTAL_INODES },
	{ STATS_LIVE, TOTAL_LIVE_STORED },
	{ STATS_CHUNKS, TOTAL_CHUNKS },
	{ STATS_CHUNK_BYTES, TOTAL_CHUNK_LEN },
	{ STATS_DUPLICATES, TOTAL_DUPLICATES },
	{ STATS_DUPLICATE_BYTES, TOTAL_DUPLICATE_LEN },
	{ STATS_FRAMES, TOTAL_FRAMES },
	{ STATS_FRAME_RAW, TOTAL_FRAME_RAW },
	{ STATS_FRAME_STORED, TOTAL_FRAME_STORED },
	{ STATS_FRAMES_FILL, TOTAL_KIND_FIRST + (int)ENCODE_FILL },
	{ STATS_FRAMES_STORE, TOTAL_KIND_FIRST + (int)ENCODE_STORE },
	{ STATS_FRAMES_LZ4, TOTAL_KIND_FIRST + (int)ENCODE_LZ4 },
	{ STATS_FRAMES_ZSTD, TOTAL_KIND_FIRST + (int)ENCODE_ZSTD },
	{ STATS_FRAMES_MIXED, TOTAL_KIND_FIRST + (int)ENCODE_MIXED },
	{ STATS_FRAMES_DELTA, TOTAL_KIND_FIRST + (int)ENCODE_DELTA },
	{ STATS_FRAMES_CODEBOOK, TOTAL_KIND_FIRST + (int)ENCODE_CODEBOOK },
	{ STATS_FRAMES_COLUMNS, TOTAL_KIND_FIRST + (int)ENCODE_COLUMNS },
	{ STATS_FRAMES_CODE, TOTAL_KIND_FIRST + (int)ENCODE_CODE },
	{ STATS_FRAMES_NUMBERS, TOTAL_KIND_FIRST + (int)ENCODE_NUMBERS },
};

int stats_read(struct volume *volume, struct stats *ret)
{
	struct store_stats s;
	size_t i;
	int rc = store_stat(volume_store(volume), &s);

	if (rc < 0)
		return rc;
	*ret = (struct stats){
		.values = {
			[STATS_STORED] = s.stored_len,
			[STATS_DEAD] = s.dead_len,
			[STATS_SEGMENTS] = s.n_segments,
			[STATS_CACHE] = s.cache_len,
			[STATS_CACHE_HITS] = s.cache_hits,
			[STATS_CACHE_MISSES] = s.cache_misses,
			[STATS_IDLE] = s.idle_len,
			[STATS_IDLE_OLD] = s.idle_old_len,
			[STATS_IDLE_NEW] = s.idle_new_len,
			[STATS_IDLE_WHEN] = s.idle_when,
			[STATS_FREE] = s.free_len,
			[STATS_TOTAL] = s.total_len,
		},
	};
	for (i = 0; i < ARRAY_LEN(totals); i++)
		ret->values[totals[i].value] = s.totals[totals[i].total];
	return 0;
}

void stats_put(const struct stats *stats, struct json *json)
{
	size_t i;

	for (i = 0; i < STATS_N_VALUES; i++)
		json_u64(json, names[i], stats->values[i]);
	json_ratio(json, "ratio", stats->values[STATS_RAW],
		   stats->values[STATS_STORED]);
}

int stats_get(const char *text, struct stats *ret)
{
	struct stats stats;
	size_t i;

	for (i = 0; i < STATS_N_VALUES; i++) {
		if (json_get_u64(text, names[i], &stats.values[i]) < 0)
			return -EUCLEAN;
	}
	*ret = stats;
	return 0;
}
