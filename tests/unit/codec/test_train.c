/* SPDX-License-Identifier: MIT */
/*
 * test_train.c - learns where there is something to learn, and only there.
 */
#include "unit/codec/suites.h"

#include "codec/codebook.h"
#include "codec/train.h"
#include "lib/records.h"
#include "lib/suite.h"
#include "unit/codec/trees.h"

#include <stdlib.h>

enum { N_SAMPLES = 400, SAMPLE_LEN = 1000, N_UNSEEN = 20, FRAME_LEN = 4096 };

struct lesson {
	uint8_t samples[N_SAMPLES * SAMPLE_LEN];
	uint8_t frames[N_UNSEEN][FRAME_LEN];
	size_t lens[N_SAMPLES];
	struct span unseen[N_UNSEEN];
	struct train_request q;
	struct train_result result;
	uint8_t out[TRAIN_DICTIONARY_MAX];
};

static struct lesson lesson;

static void set_up(struct lesson *l, unsigned kind)
{
	size_t i;

	for (i = 0; i < N_SAMPLES; i++) {
		l->lens[i] = SAMPLE_LEN;
		records_fill(kind, i, l->samples + i * SAMPLE_LEN, SAMPLE_LEN);
	}
	for (i = 0; i < N_UNSEEN; i++) {
		l->unseen[i] = span_of(l->frames[i], FRAME_LEN);
		records_fill(kind, 10000 + i, l->frames[i], FRAME_LEN);
	}
	l->q = (struct train_request){
		.samples = l->samples,
		.lens = l->lens,
		.n_samples = N_SAMPLES,
		.unseen = l->unseen,
		.n_unseen = N_UNSEEN,
		.level = 4,
	};
}

static ssize_t run(struct lesson *l)
{
	return train_codebook(&l->q, l->out, &l->result);
}

START_TEST(records_are_learned)
{
	struct lesson *l = &lesson;
	ssize_t n;

	set_up(l, 1);
	n = run(l);
	ck_assert_int_ge(n, CODEBOOK_LEN_MIN);
	ck_assert_int_le(n, max_u64(16 << 10, N_SAMPLES * SAMPLE_LEN / 16));
	ck_assert_uint_eq(l->result.raw, N_UNSEEN * FRAME_LEN);
	ck_assert_uint_lt(l->result.before, l->result.raw);
	ck_assert_uint_lt(l->result.after, l->result.before * 8 / 10);
}
END_TEST

/* As long as it may be, if there are samples enough. */
START_TEST(long_ones_are_learned)
{
	enum { N = 5000 };
	struct lesson *l = &lesson;
	uint8_t *samples = calloc(N, SAMPLE_LEN);
	size_t *lens = calloc(N, sizeof(*lens));
	uint8_t *out = malloc(2 * TRAIN_DICTIONARY_MAX);
	ssize_t n;
	size_t i;

	ck_assert(samples && lens && out);
	set_up(l, 1);
	for (i = 0; i < N; i++) {
		lens[i] = SAMPLE_LEN;
		records_fill(1, i, samples + i * SAMPLE_LEN, SAMPLE_LEN);
	}
	l->q.samples = samples;
	l->q.lens = lens;
	l->q.n_samples = N;
	l->q.len_max = 2 * TRAIN_DICTIONARY_MAX;
	n = train_codebook(&l->q, out, &l->result);
	ck_assert_int_gt(n, TRAIN_DICTIONARY_MAX);
	ck_assert_int_le(n, 2 * TRAIN_DICTIONARY_MAX);
	ck_assert_uint_lt(l->result.after, l->result.before * 8 / 10);
	/* Nor longer than that, however much there is. */
	l->q.len_max = 0;
	n = train_codebook(&l->q, out, &l->result);
	ck_assert_int_gt(n, 0);
	ck_assert_int_le(n, TRAIN_DICTIONARY_MAX);
	free(out);
	free(lens);
	free(samples);
}
END_TEST

START_TEST(noise_is_not_learned)
{
	struct lesson *l = &lesson;
	size_t i;

	set_up(l, 1);
	sample_fill(SAMPLE_RANDOM, 1, l->samples, sizeof(l->samples));
	for (i = 0; i < N_UNSEEN; i++)
		sample_fill(SAMPLE_RANDOM, 2 + i, l->frames[i], FRAME_LEN);
	ck_ok(run(l));
	ck_assert_uint_eq(l->result.before, l->result.raw);
}
END_TEST

/* What helps the samples does not help the frames. */
START_TEST(only_unseen_frames_count)
{
	struct lesson *l = &lesson;
	size_t i;

	set_up(l, 1);
	for (i = 0; i < N_UNSEEN; i++)
		sample_fill(SAMPLE_NUMBERS, i, l->frames[i], FRAME_LEN);
	ck_ok(run(l));
	ck_assert_uint_eq(l->result.raw, N_UNSEEN * FRAME_LEN);
}
END_TEST

START_TEST(too_little_teaches_nothing)
{
	struct lesson *l = &lesson;

	set_up(l, 1);
	l->q.n_samples = TRAIN_BYTES_MIN / SAMPLE_LEN;
	ck_ok(run(l));
	l->q.n_samples = N_SAMPLES;
	l->q.n_unseen = 0;
	ck_ok(run(l));
	l->q.n_unseen = N_UNSEEN;
	l->q.n_samples = 0;
	ck_ok(run(l));
}
END_TEST

/* What is as good as what is there is no reason for another one. */
START_TEST(current_must_be_beaten)
{
	const struct codebook_head head = { 1, 1, CONTENT_TEXT };
	struct lesson *l = &lesson;
	struct codebook *b = NULL;
	uint64_t learned;
	ssize_t n;

	set_up(l, 1);
	n = run(l);
	ck_assert_int_gt(n, 0);
	learned = l->result.after;
	ck_ok(codebook_new(&head, span_of(l->out, (size_t)n), &b));
	l->q.current = b;
	ck_ok(run(l));
	ck_assert_uint_eq(l->result.before, learned);
	/* The data has become another. */
	set_up(l, 2);
	l->q.current = b;
	ck_assert_int_gt(run(l), 0);
	codebook_put(b);
}
END_TEST

START_TEST(stops_when_told)
{
	struct lesson *l = &lesson;
	static atomic_bool stop;

	atomic_store(&stop, true);
	set_up(l, 1);
	l->q.stop = &stop;
	ck_rc(run(l), -ECANCELED);
}
END_TEST

Suite *suite_train(void)
{
	const TTest *const tests[] = {
		records_are_learned,
		long_ones_are_learned,
		noise_is_not_learned,
		only_unseen_frames_count,
		too_little_teaches_nothing,
		current_must_be_beaten,
		stops_when_told,
	};

	return suite_of("train", tests, ARRAY_LEN(tests), 60);
}
