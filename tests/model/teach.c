/* SPDX-License-Identifier: MIT */
/*
 * teach.c - learned once, from records that no operation writes.
 */
#include "model/teach.h"

#include "codec/train.h"
#include "lib/records.h"
#include "store/library.h"

#include <stdlib.h>

enum { N_SAMPLES = 150, SAMPLE_LEN = 1000, FRAME_LEN = 4000 };

static uint8_t dictionary[TRAIN_DICTIONARY_MAX];

static size_t learn(void)
{
	static uint8_t samples[N_SAMPLES * SAMPLE_LEN];
	static uint8_t frame[FRAME_LEN];
	const struct span unseen = span_of(frame, FRAME_LEN);
	struct train_result result;
	size_t lens[N_SAMPLES];
	const struct train_request q = { .samples = samples,
					 .lens = lens,
					 .n_samples = N_SAMPLES,
					 .unseen = &unseen,
					 .n_unseen = 1,
					 .level = 4 };
	ssize_t n;
	size_t i;

	for (i = 0; i < N_SAMPLES; i++) {
		lens[i] = SAMPLE_LEN;
		records_fill(1, ~(uint64_t)i, samples + i * SAMPLE_LEN,
			     SAMPLE_LEN);
	}
	records_fill(1, ~(uint64_t)i, frame, FRAME_LEN);
	n = train_codebook(&q, dictionary, &result);
	if (n <= 0)
		abort(); /* there is a lot to learn in them */
	return (size_t)n;
}

int teach_store(struct store *s)
{
	static size_t len;
	uint64_t id;

	if (len == 0)
		len = learn();
	return library_publish(s, CONTENT_TEXT, span_of(dictionary, len), &id);
}
