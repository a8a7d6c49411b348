/* SPDX-License-Identifier: MIT */
/*
 * describe.h - what a tree of glyphs is made of, for people to read.
 *
 * Pure; decodes nothing.
 */
#ifndef CODEC_DESCRIBE_H
#define CODEC_DESCRIBE_H

#include "base/bytes.h"

enum { DESCRIBE_TEXT_MAX = 128 };

struct description {
	/* "zstd", "x86(zstd)", "columns(zstd store zstd)": nodes with their
	 * children, cut off with "..." where there are too many. */
	char text[DESCRIBE_TEXT_MAX];
	size_t stored_len; /* bytes of these nodes */
	uint64_t base;     /* chunk that a delta among them refers to; or 0 */
	uint64_t codebook; /* that one of them refers to; or 0 */
};

/*
 * Describes the nodes that make the byte at `raw_off` of a frame: the child of
 * a root that only joins its children, or else the whole tree. -EUCLEAN,
 * -EOPNOTSUPP: as decode_frame().
 */
int describe_glyphs(struct span glyphs, size_t raw_off,
		    struct description *ret);

#endif
