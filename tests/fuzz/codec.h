/* SPDX-License-Identifier: MIT */
/*
 * codec.h - what the targets of src/codec share.
 */
#ifndef TESTS_FUZZ_CODEC_H
#define TESTS_FUZZ_CODEC_H

#include "codec/decode.h"
#include "codec/encode.h"

struct fuzz_codec {
	struct encoder *encoder;
	struct decoder *decoder;
};

/* Made by the first call, which silences messages, and kept. */
const struct fuzz_codec *fuzz_codec(void);

/*
 * Decodes a tree twice over different old contents, for what decodes makes
 * every byte; then a part of it. The sanitizer watches the ends. `source` may
 * be NULL. Returns the bytes for the caller to free, or NULL: they do not
 * decode.
 */
uint8_t *fuzz_decode(struct span glyphs, const struct decode_source *source,
		     size_t raw_len);

#endif
