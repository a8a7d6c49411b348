/* SPDX-License-Identifier: MIT */
/*
 * test_cover.c - what many samples have is chosen, once; what one repeats is not.
 */
#include "unit/codec/suites.h"

#include "codec/cover.h"
#include "lib/rng.h"
#include "lib/suite.h"

#include <errno.h>

enum {
	N = 48,
	LEN = 4096,
	CAP = 24 << 10,
	COMMON_AT = 1000, /* in every third sample */
	REPEATED = 7,     /* the sample that says the same again and again */
};

static uint8_t samples[N * LEN];
static size_t lens[N];
static uint8_t common[COVER_PIECE_LEN];
static uint8_t out[CAP + 1];
static struct cover_request q;

static void set_up(void)
{
	struct rng rng = rng_of(5);
	size_t i;

	rng_fill(&rng, common, sizeof(common));
	rng_fill(&rng, samples, sizeof(samples));
	for (i = 0; i < N; i++) {
		lens[i] = LEN;
		if (i % 3 == 0)
			memcpy(samples + i * LEN + COMMON_AT, common,
			       sizeof(common));
	}
	for (i = 64; i < LEN; i += 64)
		memcpy(samples + REPEATED * LEN + i, samples + REPEATED * LEN,
		       64);
	out[CAP] = 0xA5;
	q = (struct cover_request){
		.samples = samples,
		.lens = lens,
		.n_samples = N,
	};
}

static size_t count(const uint8_t *piece, size_t len, const uint8_t *end,
		    size_t n)
{
	const uint8_t *at = end - n;
	size_t found = 0;

	while ((at = memmem(at, (size_t)(end - at), piece, len)) != NULL) {
		found++;
		at++;
	}
	return found;
}

START_TEST(what_samples_share_is_chosen_once)
{
	ssize_t n;

	set_up();
	n = cover_choose(&q, CAP, out);
	ck_assert_int_ge(n, COVER_PIECE_LEN);
	ck_assert_int_le(n, CAP);
	ck_assert_int_eq(n % COVER_PIECE_LEN, 0);
	ck_assert_uint_eq(out[CAP], 0xA5);
	/* Strings at the ends of a piece may not be counted. */
	ck_assert_uint_eq(
		count(common + 64, sizeof(common) - 128, out + CAP, (size_t)n),
		1);
	ck_assert_uint_eq(
		count(samples + REPEATED * LEN, 64, out + CAP, (size_t)n), 0);
}
END_TEST

START_TEST(one_sample_shares_nothing)
{
	set_up();
	lens[0] = sizeof(samples);
	q.n_samples = 1;
	ck_assert_int_eq(cover_choose(&q, CAP, out), 0);
}
END_TEST

START_TEST(too_little_to_choose_from)
{
	set_up();
	q.n_samples = 2;
	ck_assert_int_eq(cover_choose(&q, 2 * LEN + 1, out), 0);
	ck_assert_int_eq(cover_choose(&q, COVER_PIECE_LEN - 1, out), 0);
	q.n_samples = 0;
	ck_assert_int_eq(cover_choose(&q, COVER_PIECE_LEN, out), 0);
}
END_TEST

START_TEST(it_can_be_stopped)
{
	static atomic_bool stop = true;

	set_up();
	q.stop = &stop;
	ck_assert_int_eq(cover_choose(&q, CAP, out), -ECANCELED);
}
END_TEST

/* Parts of no whole number of bytes, samples shorter than a string. */
START_TEST(odd_lengths)
{
	size_t i;
	size_t at = 0;

	set_up();
	for (i = 0; i < N; i++) {
		lens[i] = i % 5 == 0 ? i % 4 : LEN - i;
		at += lens[i];
	}
	ck_assert_uint_gt(at, CAP);
	ck_assert_int_ge(cover_choose(&q, CAP - 3, out + 3), 0);
	ck_assert_uint_eq(out[CAP], 0xA5);
}
END_TEST

Suite *suite_cover(void)
{
	const TTest *const tests[] = {
		what_samples_share_is_chosen_once,
		one_sample_shares_nothing,
		too_little_to_choose_from,
		it_can_be_stopped,
		odd_lengths,
	};

	return suite_of("cover", tests, ARRAY_LEN(tests), 60);
}
