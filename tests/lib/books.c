/* SPDX-License-Identifier: MIT */
/*
 * books.c - some hundred records, and one unseen to judge by.
 */
#include "lib/books.h"

#include "codec/codebook.h"
#include "codec/train.h"
#include "lib/records.h"

#include <stdlib.h>

enum {
	N_SAMPLES = 200,
	SAMPLE_LEN = 1500,
	UNSEEN_LEN = 4096,
	UNSEEN_SEED = 5000,
};

size_t books_train(unsigned kind, uint8_t *dst)
{
	static uint8_t samples[N_SAMPLES * SAMPLE_LEN];
	static uint8_t frame[UNSEEN_LEN];
	const struct span unseen = span_of(frame, sizeof(frame));
	struct train_result result;
	size_t lens[N_SAMPLES];
	const struct train_request request = {
		.samples = samples,
		.lens = lens,
		.n_samples = N_SAMPLES,
		.unseen = &unseen,
		.n_unseen = 1,
		.level = 4,
	};
	ssize_t n;
	size_t i;

	for (i = 0; i < N_SAMPLES; i++) {
		lens[i] = SAMPLE_LEN;
		records_fill(kind, i, samples + i * SAMPLE_LEN, SAMPLE_LEN);
	}
	records_fill(kind, UNSEEN_SEED, frame, sizeof(frame));
	n = train_codebook(&request, dst, &result);
	if (n <= CODEBOOK_LEN_MIN)
		abort();
	return (size_t)n;
}
