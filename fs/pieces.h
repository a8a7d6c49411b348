/* SPDX-License-Identifier: MIT */
/*
 * pieces.h - how a file is stored, over the control socket.
 *
 * The answer has `pieces`, an array of flat objects in the order of their
 * `offset`, and `next`, where to ask on; none at the end of the file.
 */
#ifndef FS_PIECES_H
#define FS_PIECES_H

#include "volume/file_explain.h"

struct json;
struct volume;

enum {
	PIECES_MAX = 96, /* in one answer */

	/* The longest one: its names, its 14 numbers, its text, and a comma. */
	PIECE_JSON_MAX = sizeof("{'offset':,'length':,'kind':'chunk','chunk':,"
				"'chunk_offset':,'chunk_length':,'nodes':'',"
				"'nodes_stored':,'base':,'codebook':,'frame':,"
				"'frame_chunks':,'frame_raw':,'frame_stored':,"
				"'segment':,'segment_offset':},") -
			 1 + 14 * (sizeof("18446744073709551615") - 1) +
			 DESCRIBE_TEXT_MAX - 1,
};

/* One of them. */
void pieces_put(struct json *j, const struct file_piece *p);

/* `arguments`: "INODE OFFSET". -EINVAL, and those of file_explain(). */
int pieces_tell(struct volume *v, const char *arguments, struct json *reply);

#endif
