/* SPDX-License-Identifier: MIT */
/*
 * decode.h - glyphs back to raw bytes: one loop, an explicit stack, all bounded.
 *
 * Pure. A decoder keeps codec contexts; one per thread. Input may be hostile.
 */
#ifndef CODEC_DECODE_H
#define CODEC_DECODE_H

#include "base/bytes.h"

struct decoder;

/* -ENOMEM. */
int decoder_new(struct decoder **ret);
void decoder_free(struct decoder *d);

/*
 * Decodes `glyphs` into exactly `raw_len` bytes at `dst`. -EUCLEAN: damage.
 * -EOPNOTSUPP: a glyph of a newer format. After a failure `dst` holds
 * anything.
 */
int decode_frame(struct decoder *d, struct span glyphs, uint8_t *dst,
		 size_t raw_len);

#endif
