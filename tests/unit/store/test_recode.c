/* SPDX-License-Identifier: MIT */
/*
 * test_recode.c - small, right, and never slower than asked for.
 */
#include "unit/store/suites.h"

#include "codec/codebook.h"
#include "codec/decode.h"
#include "codec/train.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/recode.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEN = 600 << 10, PIECE = 4 << 10, N_PIECES = 300 };

static uint8_t raw[LEN];
static uint8_t out[LEN];

/* Lines that have much in common, and numbers. */
static void make_text(uint64_t seed, uint8_t *dst, size_t len)
{
	static const char *const words[] = { "static ", "int ",   "return ",
					     "struct ", "rc < 0", ";\n",
					     "\tif (",  ")\n",    "const " };
	struct rng rng = rng_of(seed);
	size_t at = 0;

	while (at < len) {
		char word[32];
		int n = snprintf(word, sizeof(word), "%s%u",
				 words[rng_below(&rng, 9)],
				 (unsigned)rng_below(&rng, 50));

		n = n < (int)(len - at) ? n : (int)(len - at);
		memcpy(dst + at, word, (size_t)n);
		at += (size_t)n;
	}
}

static struct recode_request request_of(struct span bytes)
{
	return (struct recode_request){
		.raw = bytes,
		.class = sniff_class(bytes),
		.useful_len = bytes.len,
	};
}

static int no_base(void *ctx, uint64_t chunk, struct span *ret)
{
	(void)ctx;
	(void)chunk;
	(void)ret;
	return -EUCLEAN;
}

static int lend(void *ctx, uint64_t id, const struct codebook **ret)
{
	(void)id;
	*ret = ctx;
	return 0;
}

static void expect_raw(struct span glyphs, struct codebook *book, size_t len)
{
	const struct decode_source source = { book, no_base, lend };
	struct decoder *d = NULL;

	ck_ok(decoder_new(&d));
	ck_ok(decode_frame(d, glyphs, &source, out, len));
	ck_assert_mem_eq(out, raw, len);
	decoder_free(d);
}

START_TEST(smaller_than_when_it_was_written)
{
	const struct encode_request online = { .effort = EFFORT_BALANCED };
	struct recode_request request = request_of(span_of(raw, LEN));
	uint8_t *glyphs = malloc(encode_bound(LEN));
	struct encoder *e = NULL;
	struct recoder *r = NULL;
	struct recoded got;
	ssize_t n;

	make_text(1, raw, LEN);
	ck_ok(recoder_new(&r));
	ck_ok(encoder_new(&e));
	n = encode_frame(e, &online, span_of(raw, LEN), glyphs);
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert_int_lt((ssize_t)got.glyphs.len, n);
	ck_assert_uint_gt(got.speed, 0);
	expect_raw(got.glyphs, NULL, LEN);
	encoder_free(e);
	recoder_free(r);
	free(glyphs);
}
END_TEST

START_TEST(nothing_is_fast_enough)
{
	struct recode_request request = request_of(span_of(raw, LEN));
	struct recoder *r = NULL;
	struct recoded got;

	make_text(1, raw, LEN);
	request.min_speed = UINT64_MAX;
	ck_ok(recoder_new(&r));
	ck_assert_int_eq(recode(r, &request, &got), 0);
	/* The same bytes, if only a part of them is of use. */
	request.min_speed = 1000;
	request.useful_len = 0;
	ck_assert_int_eq(recode(r, &request, &got), 0);
	request.useful_len = LEN;
	ck_assert_int_eq(recode(r, &request, &got), 1);
	recoder_free(r);
}
END_TEST

START_TEST(any_bytes)
{
	struct rng rng = rng_of(3);
	struct recoder *r = NULL;
	unsigned i;

	ck_ok(recoder_new(&r));
	for (i = 0; i < 20; i++) {
		size_t len = 1 + rng_below(&rng, i < 10 ? 100 : 40000);
		struct recode_request request;
		struct recoded got;

		rng_fill(&rng, raw, len);
		if (i % 2 == 0)
			memset(raw, 'a', len);
		request = request_of(span_of(raw, len));
		ck_assert_int_eq(recode(r, &request, &got), 1);
		ck_assert_uint_le(got.glyphs.len, encode_bound(len));
		expect_raw(got.glyphs, NULL, len);
	}
	recoder_free(r);
}
END_TEST

/* A dictionary of pieces like those to encode. */
static struct codebook *learn(void)
{
	static uint8_t samples[N_PIECES * PIECE];
	static uint8_t dictionary[TRAIN_DICTIONARY_MAX];
	static size_t lens[N_PIECES];
	const struct codebook_head head = { 7, 1, CONTENT_SOURCE };
	struct span unseen =
		span_of(samples + sizeof(samples) - 20 * PIECE, 20 * PIECE);
	const struct train_request request = {
		.samples = samples,
		.lens = lens,
		.n_samples = N_PIECES - 20,
		.unseen = &unseen,
		.n_unseen = 1,
		.level = 4,
	};
	struct train_result result;
	struct codebook *book = NULL;
	ssize_t n;
	size_t i;

	for (i = 0; i < N_PIECES; i++)
		lens[i] = PIECE;
	make_text(2, samples, sizeof(samples));
	n = train_codebook(&request, dictionary, &result);
	ck_assert_int_gt(n, 0);
	ck_ok(codebook_new(&head, span_of(dictionary, (size_t)n), &book));
	return book;
}

START_TEST(codebook_where_it_is_shorter)
{
	struct recode_request request = request_of(span_of(raw, PIECE));
	struct codebook *book = learn();
	struct recoder *r = NULL;
	struct recoded got;

	request.codebook = book;
	ck_ok(recoder_new(&r));
	make_text(4, raw, PIECE);
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert(got.has_codebook);
	expect_raw(got.glyphs, book, PIECE);
	/* And one frame beyond what forms are made for. */
	make_text(4, raw, LEN);
	request.raw = span_of(raw, LEN);
	request.useful_len = LEN;
	ck_assert_int_eq(recode(r, &request, &got), 1);
	expect_raw(got.glyphs, book, LEN);
	/* It says nothing of noise. */
	struct rng rng = rng_of(9);

	rng_fill(&rng, raw, PIECE);
	request.raw = span_of(raw, PIECE);
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert(!got.has_codebook);
	expect_raw(got.glyphs, NULL, PIECE);
	recoder_free(r);
	codebook_put(book);
}
END_TEST

/* A dictionary of noise, which helps nobody. */
static struct codebook *noise_of(uint64_t id)
{
	static uint8_t noise[PIECE];
	const struct codebook_head head = { id, 1, CONTENT_TEXT };
	struct rng rng = rng_of(id);
	struct codebook *book = NULL;
	static uint8_t dictionary[TRAIN_DICTIONARY_MAX];
	struct codebook *good = learn();
	struct span bytes = codebook_bytes(good);

	/* The tables stay, the content goes. */
	ck_assert_uint_gt(bytes.len, 2 * sizeof(noise));
	memcpy(dictionary, bytes.ptr, bytes.len);
	for (size_t at = bytes.len / 4; at < bytes.len; at += sizeof(noise)) {
		rng_fill(&rng, noise, sizeof(noise));
		memcpy(dictionary + at, noise,
		       min_u64(sizeof(noise), bytes.len - at));
	}
	ck_ok(codebook_new(&head, span_of(dictionary, bytes.len), &book));
	codebook_put(good);
	return book;
}

START_TEST(the_better_of_two_codebooks)
{
	struct recode_request request = request_of(span_of(raw, PIECE));
	struct codebook *good = learn();
	struct codebook *bad = noise_of(8);
	struct recoder *r = NULL;
	struct recoded got;

	ck_ok(recoder_new(&r));
	make_text(4, raw, PIECE);
	request.codebook = bad;
	request.other = good;
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert(got.has_codebook);
	expect_raw(got.glyphs, good, PIECE);
	request.codebook = good;
	request.other = bad;
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert(got.has_codebook);
	expect_raw(got.glyphs, good, PIECE);
	request.codebook = NULL;
	request.other = good;
	ck_assert_int_eq(recode(r, &request, &got), 1);
	ck_assert(got.has_codebook);
	expect_raw(got.glyphs, good, PIECE);
	recoder_free(r);
	codebook_put(good);
	codebook_put(bad);
}
END_TEST

Suite *suite_recode(void)
{
	Suite *s = suite_create("recode");
	TCase *c = tcase_create("recode");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, smaller_than_when_it_was_written);
	tcase_add_test(c, nothing_is_fast_enough);
	tcase_add_test(c, any_bytes);
	tcase_add_test(c, codebook_where_it_is_shorter);
	tcase_add_test(c, the_better_of_two_codebooks);
	suite_add_tcase(s, c);
	return s;
}
