/* SPDX-License-Identifier: MIT */
/*
 * file_explain.h - how the content of a file is stored, piece by piece.
 */
#ifndef VOLUME_FILE_EXPLAIN_H
#define VOLUME_FILE_EXPLAIN_H

#include "store/chunk.h"
#include "volume/volume.h"

enum piece_kind { PIECE_HOLE, PIECE_UNWRITTEN, PIECE_CHUNK };

struct file_piece {
	uint64_t off; /* in the file */
	uint64_t len;
	enum piece_kind kind;
	/* PIECE_CHUNK: */
	int rc; /* not 0: the chunk cannot be read */
	uint64_t chunk;
	uint64_t chunk_off; /* in the chunk */
	struct chunk_description how;
};

/*
 * The pieces from `off` on, at most `n`; returns how many, 0 at the end. What is
 * not encoded yet is, first. -EISDIR, -EINVAL: not a regular file.
 */
int file_explain(struct volume *v, uint64_t ino, uint64_t off,
		 struct file_piece *pieces, size_t n);

#endif
