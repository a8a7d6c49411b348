/* SPDX-License-Identifier: MIT */
/*
 * sketch.h - a few numbers by which similar bytes are found.
 *
 * Samples are taken at places that the content itself chooses; the largest
 * hash among those that fall into a bin is a feature, two features make a
 * super-feature. Chunks that share most of their bytes most likely have a
 * super-feature in common. (A. Broder, On the resemblance and containment of
 * documents, 1997; P. Li et al., One permutation hashing, 2012, for the bins;
 * P. Shilane et al., WAN optimized replication of backup datasets using
 * stream-informed delta compression, 2012, for super-features; X. Zou et al.,
 * Odess: speeding up resemblance detection for redundancy elimination by fast
 * content-defined sampling, 2021.)
 *
 * Pure, no allocation. A hint: nothing may depend on its being right. Not in
 * the format: another version may make other sketches of the same bytes.
 */
#ifndef CODEC_SKETCH_H
#define CODEC_SKETCH_H

#include "base/bytes.h"

enum {
	SKETCH_N = 6, /* super-features */
	SKETCH_LEN_MIN = 4 << 10,
};

struct sketch {
	uint32_t supers[SKETCH_N]; /* 0: none; matches nothing */
};

/* False: too short, or too uniform, to say anything. */
bool sketch_make(struct span bytes, struct sketch *ret);

/* The same, without what only some CPUs can; for tests. */
bool sketch_make_plain(struct span bytes, struct sketch *ret);

/* Equal super-features: 0..SKETCH_N. */
unsigned sketch_matches(const struct sketch *a, const struct sketch *b);

#endif
