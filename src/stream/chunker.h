/* SPDX-License-Identifier: MIT */
/*
 * chunker.h - cuts a stream into chunks by its content.
 *
 * Gear rolling hash with normalised cutting (FastCDC; Xia et al., USENIX ATC
 * 2016): boundaries depend on the bytes near them, so shifted data is found
 * again. No allocation.
 */
#ifndef STREAM_CHUNKER_H
#define STREAM_CHUNKER_H

#include "base/bytes.h"

enum {
	CHUNK_MIN = 16 << 10,
	CHUNK_AVG = 64 << 10,
	CHUNK_MAX = 256 << 10,
};

/* A chunk whose bytes come in pieces; zero at its beginning. */
struct chunker {
	size_t len;    /* bytes seen, below CHUNK_MAX */
	uint64_t hash; /* of the last of them */
};

/* More bytes of the chunk: how many of them end it, or 0 when it goes on
 * behind them all. Once it has ended, `c` is of no further use. */
size_t chunker_feed(struct chunker *c, struct span bytes);

/*
 * Length of the first chunk of `bytes`. 0 when more bytes are needed to know
 * (never when `bytes.len` >= CHUNK_MAX). With `final` what is left is the last
 * chunk, and the result is 0 for no bytes only.
 */
size_t chunker_cut(struct span bytes, bool final);

#endif
