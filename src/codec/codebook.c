/* SPDX-License-Identifier: MIT */
/*
 * codebook.c - dictionary bytes and their digested forms, shared and counted.
 *
 * Forms for encoding are made without a lock: two threads may make the same
 * one, and the slower throws his away.
 */
#define ZSTD_STATIC_LINKING_ONLY  /* forms that refer to our bytes */
#define ZDICT_STATIC_LINKING_ONLY /* whether it is a dictionary */

#include "codec/codebook.h"

#include "base/error.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <zdict.h>
#include <zstd.h>

/*
 * The parameters of a form are chosen for sources of so many bytes, not for
 * the few hundred that libzstd expects behind a dictionary: in frames of 240
 * KiB at level 4, source code gains 3.0 % then, and loses 5.5 % otherwise; in
 * frames of 4 KiB it gains 15.0 % instead of 10.4 %.
 */
static const unsigned long long SOURCE_LEN = 250000;

struct codebook {
	struct codebook_head head; /* immutable */
	uint8_t *bytes;            /* owned, immutable */
	size_t len;                /* immutable */
	ZSTD_DDict *decoding;      /* owned, immutable */
	/* atomic: from NULL to what it stays; what it points to is whole
	 * before. */
	_Atomic(ZSTD_CDict *) encoding[CODEBOOK_LEVEL_MAX + 1];
	atomic_uint n_refs; /* atomic: a count; the last one frees */
};

static const char *const class_names[CONTENT_N_CLASSES] = {
	[CONTENT_TEXT] = "text",     [CONTENT_SOURCE] = "source",
	[CONTENT_MARKUP] = "markup", [CONTENT_JSON] = "json",
	[CONTENT_CELLS] = "cells",   [CONTENT_KEYS] = "keys",
	[CONTENT_LOG] = "log",
};

const char *codebook_class_name(enum content_class class)
{
	return (unsigned)class < CONTENT_N_CLASSES ? class_names[class] : NULL;
}

int codebook_class_find(struct span name, enum content_class *ret)
{
	unsigned i;

	for (i = 0; i < CONTENT_N_CLASSES; i++) {
		if (class_names[i] && strlen(class_names[i]) == name.len &&
		    memcmp(class_names[i], name.ptr, name.len) == 0) {
			*ret = (enum content_class)i;
			return 0;
		}
	}
	return -ENOENT;
}

static int digest(struct codebook *b)
{
	/* Says what is wrong; the next function would not. */
	if (ZDICT_isError(ZDICT_getDictHeaderSize(b->bytes, b->len)))
		return corrupt("codebook %llu: no dictionary",
			       (unsigned long long)b->head.id);
	b->decoding =
		ZSTD_createDDict_advanced(b->bytes, b->len, ZSTD_dlm_byRef,
					  ZSTD_dct_fullDict, ZSTD_defaultCMem);
	return b->decoding ? 0 : -ENOMEM;
}

int codebook_new(const struct codebook_head *head, struct span bytes,
		 struct codebook **ret)
{
	struct codebook *b;
	int rc;

	if (bytes.len < CODEBOOK_LEN_MIN || bytes.len > CODEBOOK_LEN_MAX)
		return corrupt("codebook %llu: of %zu bytes",
			       (unsigned long long)head->id, bytes.len);
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->head = *head;
	b->len = bytes.len;
	b->bytes = malloc(bytes.len);
	atomic_init(&b->n_refs, 1);
	rc = b->bytes ? 0 : -ENOMEM;
	if (rc == 0) {
		memcpy(b->bytes, bytes.ptr, bytes.len);
		rc = digest(b);
	}
	if (rc < 0) {
		codebook_put(b);
		return rc;
	}
	*ret = b;
	return 0;
}

struct codebook *codebook_get(struct codebook *b)
{
	atomic_fetch_add_explicit(&b->n_refs, 1, memory_order_relaxed);
	return b;
}

void codebook_put(struct codebook *b)
{
	size_t i;

	if (!b || atomic_fetch_sub(&b->n_refs, 1) > 1)
		return;
	for (i = 0; i < ARRAY_LEN(b->encoding); i++)
		(void)ZSTD_freeCDict(atomic_load(&b->encoding[i]));
	(void)ZSTD_freeDDict(b->decoding);
	free(b->bytes);
	free(b);
}

bool codebook_is_last(const struct codebook *b)
{
	return atomic_load(&b->n_refs) == 1;
}

const struct codebook_head *codebook_head(const struct codebook *b)
{
	return &b->head;
}

struct span codebook_bytes(const struct codebook *b)
{
	return span_of(b->bytes, b->len);
}

size_t codebook_memory(const struct codebook *b)
{
	size_t sum = sizeof(*b) + b->len + ZSTD_sizeof_DDict(b->decoding);
	size_t i;

	for (i = 0; i < ARRAY_LEN(b->encoding); i++)
		sum += ZSTD_sizeof_CDict(atomic_load(&b->encoding[i]));
	return sum;
}

const struct ZSTD_DDict_s *codebook_decoding(const struct codebook *b)
{
	return b->decoding;
}

const struct ZSTD_CDict_s *codebook_encoding(struct codebook *b, int level)
{
	ZSTD_CDict *known;
	ZSTD_CDict *made;

	if (level < 1 || level > CODEBOOK_LEVEL_MAX)
		return NULL;
	known = atomic_load(&b->encoding[level]);
	if (known)
		return known;
	made = ZSTD_createCDict_advanced(
		b->bytes, b->len, ZSTD_dlm_byRef, ZSTD_dct_fullDict,
		ZSTD_getCParams(level, SOURCE_LEN, 0), ZSTD_defaultCMem);
	if (!made)
		return NULL;
	if (atomic_compare_exchange_strong(&b->encoding[level], &known, made))
		return made;
	(void)ZSTD_freeCDict(made);
	return known;
}
