/* SPDX-License-Identifier: MIT */
/*
 * train.c - a dictionary, which stays if it is good on unseen frames.
 */
#define ZDICT_STATIC_LINKING_ONLY /* fastCover with our parameters */

#include "codec/train.h"

#include "codec/codebook.h"
#include "codec/cover.h"
#include "codec/primitive.h"

#include <errno.h>
#include <stdlib.h>
#include <zdict.h>
#include <zstd_errors.h>

enum {
	AFTER_PERCENT = 98, /* of `before`: the most that is a gain */
	DICTIONARY_MIN = 16 << 10,
	MATCH_LEN = 8,
	CODES_PART = 8, /* one of so many samples of a long dictionary */
};

static size_t sum_of(const struct train_request *q)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < q->n_samples; i++)
		sum += q->lens[i];
	return sum;
}

static bool stopped(const struct train_request *q)
{
	return q->stop && atomic_load(q->stop);
}

/*
 * Short segments suit small records, by a few per cent; where samples are longer
 * both do within 0.5 %. A dictionary is learned from half of what its samples hold,
 * which is as good.
 */
static ZDICT_fastCover_params_t search_of(const struct train_request *q)
{
	enum { RECORD = 2 << 10, SHORT = 128, LONG = 1024 };
	bool small = q->n_samples > 0 && sum_of(q) / q->n_samples < RECORD;

	return (ZDICT_fastCover_params_t){
		.k = small ? SHORT : LONG,
		.d = MATCH_LEN,
		.accel = 2,
		.zParams.compressionLevel = q->level,
	};
}

/* Its codes are learned from some of the samples: those are encoded for that.
 * Returns as ZDICT, and the length of what was chosen in `*ret_len`, or why nothing
 * was. */
static size_t learn_long(const struct train_request *q, size_t cap,
			 uint8_t *dst, ssize_t *ret_len)
{
	const ZDICT_params_t params = { .compressionLevel = q->level };
	const struct cover_request cover = {
		.samples = q->samples,
		.lens = q->lens,
		.n_samples = q->n_samples,
		.stop = q->stop,
	};
	ssize_t len = cover_choose(&cover, cap, dst);

	*ret_len = len;
	if (len <= 0)
		return 0;
	return ZDICT_finalizeDictionary(dst, cap, dst + cap - len, (size_t)len,
					q->samples, q->lens,
					q->n_samples / CODES_PART + 1, params);
}

/* A length, 0: nothing to learn. */
static ssize_t learn(const struct train_request *q, size_t cap, uint8_t *dst)
{
	ssize_t len = 1;
	size_t n = cap > TRAIN_DICTIONARY_MAX
			   ? learn_long(q, cap, dst, &len)
			   : ZDICT_trainFromBuffer_fastCover(
				     dst, cap, q->samples, q->lens,
				     q->n_samples, search_of(q));

	if (len <= 0)
		return len;
	if (!ZDICT_isError(n))
		return n < CODEBOOK_LEN_MIN ? 0 : (ssize_t)n;
	return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? -ENOMEM
								    : 0;
}

/* ---- judging ------------------------------------------------------------- */

struct judge {
	const struct train_request *q;
	struct ZSTD_CCtx_s *zstd; /* owned */
	uint8_t *room;            /* owned; for the longest of unseen */
	size_t room_len;
	size_t *alone; /* owned; the lengths of all unseen without a codebook */
};

static void judge_release(struct judge *j)
{
	prim_zstd_cctx_free(j->zstd);
	free(j->room);
	free(j->alone);
}

/* What does not fit stays as it is. */
static ssize_t shorter(ssize_t n, size_t than)
{
	return n == 0 || (n > 0 && (size_t)n > than) ? (ssize_t)than : n;
}

static int judge_init(struct judge *j, const struct train_request *q)
{
	ssize_t n = 0;
	size_t i;

	*j = (struct judge){ .q = q };
	for (i = 0; i < q->n_unseen; i++)
		j->room_len = max_u64(j->room_len, q->unseen[i].len);
	j->zstd = prim_zstd_cctx_new();
	j->room = malloc(j->room_len + 1);
	j->alone = calloc(q->n_unseen + 1, sizeof(*j->alone));
	if (!j->zstd || !j->room || !j->alone)
		return -ENOMEM;
	for (i = 0; i < q->n_unseen && n >= 0; i++) {
		n = prim_zstd_encode(j->zstd, q->level, q->unseen[i], j->room,
				     j->room_len);
		n = shorter(n, q->unseen[i].len);
		j->alone[i] = (size_t)n;
	}
	return n < 0 ? (int)n : 0;
}

/* Sum over the frames, each alone or with `book`. */
static int judge_sum(struct judge *j, struct codebook *book, uint64_t *ret)
{
	const struct zstd_codebook with = { j->q->level, book };
	uint64_t sum = 0;
	ssize_t n;
	size_t i;

	for (i = 0; i < j->q->n_unseen; i++) {
		if (stopped(j->q))
			return -ECANCELED;
		n = 0;
		if (book)
			n = prim_zstd_codebook_encode(j->zstd, &with,
						      j->q->unseen[i], j->room,
						      j->room_len);
		n = shorter(n, j->alone[i]);
		if (n < 0)
			return (int)n;
		sum += (uint64_t)n;
	}
	*ret = sum;
	return 0;
}

/* The same for a dictionary that is no codebook yet. */
static int judge_bytes(struct judge *j, struct span bytes, uint64_t *ret)
{
	const struct codebook_head head = { .id = 1, .version = 1 };
	struct codebook *book = NULL;
	int rc = codebook_new(&head, bytes, &book);

	if (rc == 0)
		rc = judge_sum(j, book, ret);
	codebook_put(book);
	return rc;
}

/* ---- the whole ----------------------------------------------------------- */

ssize_t train_codebook(const struct train_request *request, uint8_t *dst,
		       struct train_result *ret)
{
	size_t len = sum_of(request);
	size_t cap = max_u64(DICTIONARY_MIN, len / TRAIN_SAMPLES_PER_BYTE);
	size_t len_max =
		request->len_max ? request->len_max : TRAIN_DICTIONARY_MAX;
	struct train_result r = { .raw = 0 };
	struct judge j;
	ssize_t n;
	size_t i;
	int rc = 0;

	for (i = 0; i < request->n_unseen; i++)
		r.raw += request->unseen[i].len;
	*ret = r;
	if (len < TRAIN_BYTES_MIN || r.raw == 0)
		return 0;
	n = judge_init(&j, request);
	if (n == 0)
		n = judge_sum(&j, request->current, &r.before);
	r.after = r.before;
	if (n == 0)
		n = stopped(request)
			    ? -ECANCELED
			    : learn(request, min_u64(cap, len_max), dst);
	if (n > 0)
		rc = judge_bytes(&j, span_of(dst, (size_t)n), &r.after);
	judge_release(&j);
	if (n < 0 || rc < 0)
		return n < 0 ? n : rc;
	*ret = r;
	return r.after * 100 <= r.before * AFTER_PERCENT ? n : 0;
}
