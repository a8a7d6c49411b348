/* SPDX-License-Identifier: MIT */
/*
 * lesson.c - samples out of frames, and unseen frames as a whole.
 */
#include "store/lesson.h"

#include "codec/codebook.h"
#include "store/cache.h"
#include "store/chunk.h"

#include <errno.h>
#include <stdlib.h>

enum {
	UNSEEN_EVERY = 4, /* one of so many frames is to judge by */
	UNSEEN_PHASE = 1,
	SAMPLES_MAX = 1 << 14,
};

void lesson_init(struct lesson *l)
{
	*l = (struct lesson){ .current = NULL };
	buffer_init(&l->samples, TRAIN_BYTES_MAX);
	buffer_init(&l->frames, TRAIN_UNSEEN_MAX);
}

void lesson_release(struct lesson *l)
{
	codebook_put(l->current);
	buffer_release(&l->samples);
	buffer_release(&l->frames);
	free(l->lens);
	free(l->dictionary);
	lesson_init(l);
}

/* One sample; false: there is no room for more. */
static bool add_sample(struct lesson *l, struct span piece)
{
	if (l->n_samples == SAMPLES_MAX ||
	    buffer_append(&l->samples, piece) < 0)
		return false;
	l->lens[l->n_samples++] = piece.len;
	return true;
}

/* Pieces of all chunks: every one, or as many as the budget has room for. */
static void take_samples(struct lesson *l, const struct cached *frame)
{
	size_t every = (frame->raw_len + l->budget - 1) / l->budget;
	size_t n = 0;
	size_t i;

	for (i = 0; i < frame->n_chunks; i++) {
		const struct cached_chunk *c = &frame->chunks[i];
		size_t off;

		for (off = 0; off < c->len; off += TRAIN_PIECE_MAX) {
			size_t len = min_u64(c->len - off, TRAIN_PIECE_MAX);

			if (n++ % every == 0 &&
			    !add_sample(
				    l, span_of(frame->raw + c->off + off, len)))
				return;
		}
	}
}

static void take_unseen(struct lesson *l, const struct cached *frame)
{
	if (l->n_frames < LESSON_FRAMES_MAX &&
	    buffer_append(&l->frames, span_of(frame->raw, frame->raw_len)) == 0)
		l->frame_lens[l->n_frames++] = frame->raw_len;
}

int lesson_gather(struct store *s, const struct frame_place *places, size_t n,
		  struct lesson *l)
{
	size_t n_taken = min_u64(n, LESSON_FRAMES_MAX);
	struct cached *frame = NULL;
	size_t i;

	l->lens = calloc(SAMPLES_MAX, sizeof(*l->lens));
	if (!l->lens)
		return -ENOMEM;
	l->budget = TRAIN_BYTES_MAX / (n_taken > 0 ? n_taken : 1);
	for (i = 0; i < n_taken; i++) {
		if (chunk_get_frame(s, &places[i * n / n_taken], &frame) < 0)
			continue;
		if (i % UNSEEN_EVERY == UNSEEN_PHASE)
			take_unseen(l, frame);
		else
			take_samples(l, frame);
		cache_put(frame);
	}
	return 0;
}

void lesson_learn(struct lesson *l, int level, atomic_bool *stop)
{
	struct span unseen[LESSON_FRAMES_MAX];
	const struct train_request request = {
		.samples = l->samples.data,
		.lens = l->lens,
		.n_samples = l->n_samples,
		.unseen = unseen,
		.n_unseen = l->n_frames,
		.current = l->current,
		.level = level,
		.stop = stop,
	};
	const uint8_t *at = l->frames.data;
	size_t i;

	for (i = 0; i < l->n_frames; i++) {
		unseen[i] = span_of(at, l->frame_lens[i]);
		at += l->frame_lens[i];
	}
	l->dictionary = malloc(TRAIN_DICTIONARY_MAX);
	l->len = l->dictionary
			 ? train_codebook(&request, l->dictionary, &l->result)
			 : -ENOMEM;
}
