/* SPDX-License-Identifier: MIT */
/*
 * sources.h - the files that a store is recovered from.
 *
 * Segment files, whatever they are called, or images that hold segments
 * somewhere. What is found is told by a *piece*: the records of one segment in
 * one file; the store's tables have the piece's number where a healthy store has
 * that of the segment. Opened read-only. One thread, but for sources_open().
 * Errors: -ENOENT (no segment at all), -EFBIG (too many of something), -EIO,
 * -ENOMEM.
 */
#ifndef STORE_SOURCES_H
#define STORE_SOURCES_H

#include "base/idmap.h"
#include "store/carve.h"
#include "store/segments.h"

enum { SOURCES_MAX = 1 << 20 /* files, heads, pieces */ };

struct source_file {
	char *path; /* owned, resolved */
	uint64_t size;
	uint64_t unreadable; /* bytes */
	bool is_segment;     /* else an image */
	bool has_head;       /* a segment with its own header */
	bool mended;         /* it had wrong bytes */
};

/* A header that was found. */
struct source_head {
	struct segment_header header;
	uint32_t file;
};

struct source_piece {
	uint32_t file;
	uint32_t head;
	uint64_t base; /* 0..7: records lie at multiples of 8 from there */
};

struct sources {
	struct source_file *files;
	size_t n_files, cap_files;
	struct source_head *heads; /* by epoch, then first sequence */
	size_t n_heads, cap_heads;
	struct carve_key *keys; /* of `heads`, in the same order */
	struct source_piece *pieces;
	size_t n_pieces, cap_pieces;
	struct idmap by_piece; /* which piece is there, + 1 */
	uint8_t uuid[SEGMENT_UUID_LEN];
	size_t n_foreign; /* heads of other stores, which were left out */
};

void sources_init(struct sources *s);
void sources_release(struct sources *s);

/* Adds a file. -ENOENT, -EISDIR … */
int sources_add(struct sources *s, const char *path, bool is_segment);

/* Adds the segments in STORE/log, or in `dir` if there is no such directory. */
int sources_add_dir(struct sources *s, const char *dir);

/*
 * Looks for headers in all files. With several stores' the one counts that most
 * are of. `progress` (may be NULL) is told how many bytes of how many.
 */
typedef void sources_progress(void *ctx, uint64_t done, uint64_t total);
int sources_find(struct sources *s, sources_progress *progress, void *ctx);

/* The descriptor of a file, which is the caller's to close. */
int sources_open_file(const struct sources *s, size_t file);

/* The number of the piece that a record belongs to, from 1. */
int sources_piece(struct sources *s, size_t file, const struct carved *r,
		  uint64_t *ret);

/* A piece as segments_open_by() wants it. `ctx` is the struct sources. */
int sources_open(void *ctx, uint64_t number, struct segment *ret);

#endif
