/* SPDX-License-Identifier: MIT */
/*
 * chunker.h - cuts a stream into chunks by its content.
 *
 * Gear rolling hash with normalised cutting (FastCDC; Xia et al., USENIX ATC
 * 2016): boundaries depend on the bytes near them, so shifted data is found
 * again. No state, no allocation.
 */
#ifndef STREAM_CHUNKER_H
#define STREAM_CHUNKER_H

#include "base/bytes.h"

enum {
	CHUNK_MIN = 16 << 10,
	CHUNK_AVG = 64 << 10,
	CHUNK_MAX = 256 << 10,
};

/*
 * Length of the first chunk of `bytes`. 0 when more bytes are needed to know
 * (never when `bytes.len` >= CHUNK_MAX). With `final` what is left is the last
 * chunk, and the result is 0 for no bytes only.
 */
size_t chunker_cut(struct span bytes, bool final);

#endif
