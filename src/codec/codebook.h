/* SPDX-License-Identifier: MIT */
/*
 * codebook.h - a learned dictionary: what the bytes of one class have in
 * common. Never changes.
 *
 * Holds the bytes and what libzstd makes of them: one form to decode, made at
 * once, and one for each level that encodes, made when it is first asked for.
 * Threads: any; a reference is counted.
 */
#ifndef CODEC_CODEBOOK_H
#define CODEC_CODEBOOK_H

#include "base/bytes.h"
#include "codec/sniff.h"

struct ZSTD_CDict_s;
struct ZSTD_DDict_s;
struct codebook;

enum {
	CODEBOOK_LEN_MIN = 256,
	CODEBOOK_LEN_MAX = 1 << 20,
};

struct codebook_head {
	uint64_t id;      /* never 0, never reused */
	uint64_t version; /* grows within a class, from 1 */
	enum content_class class;
};

/*
 * Copies `bytes`, a dictionary in zstd's format. -EUCLEAN: it is none, or not
 * of CODEBOOK_LEN_MIN..CODEBOOK_LEN_MAX bytes. -ENOMEM.
 */
int codebook_new(const struct codebook_head *head, struct span bytes,
		 struct codebook **ret);

/* One more reference, and one less; NULL is fine for the latter. */
struct codebook *codebook_get(struct codebook *b);
void codebook_put(struct codebook *b);

/* Whether nobody else has a reference. Only of use to whoever can hand out
 * more of them, and does not meanwhile. */
bool codebook_is_last(const struct codebook *b);

const struct codebook_head *codebook_head(const struct codebook *b);
struct span codebook_bytes(const struct codebook *b);

/* Memory that it takes now, in bytes. */
size_t codebook_memory(const struct codebook *b);

const struct ZSTD_DDict_s *codebook_decoding(const struct codebook *b);

/* The form for a level of 1..CODEBOOK_LEVEL_MAX; lives as long as `b`. NULL: no
 * memory. */
enum { CODEBOOK_LEVEL_MAX = 19 };
const struct ZSTD_CDict_s *codebook_encoding(struct codebook *b, int level);

/*
 * The classes that may have one, by the name under which FORMAT.md knows them.
 * Others never gained: binaries have little in common, and mixtures lose.
 * NULL: not that class.
 */
const char *codebook_class_name(enum content_class class);

/* -ENOENT: no such class, or a newer one. */
int codebook_class_find(struct span name, enum content_class *ret);

#endif
