/* SPDX-License-Identifier: MIT */
/*
 * lesson.c - samples out of frames, and unseen frames as a whole.
 */
#include "store/lesson.h"

#include "base/workers.h"
#include "codec/codebook.h"
#include "store/cache.h"
#include "store/chunk.h"
#include "store/library.h"
#include "store/state.h"

#include <errno.h>
#include <stdlib.h>

enum {
	UNSEEN_EVERY = 4, /* one of so many frames is to judge by */
	UNSEEN_PHASE = 1,
	SAMPLES_MAX = 1 << 14,
	/* A few more than are needed: pieces do not fill it to the last byte. */
	ROOM_PER_BYTE = TRAIN_SAMPLES_PER_BYTE + 2,
	UNSEEN_SHORT_MAX = 1 << 20,
	UNSEEN_LONG_MAX = 4 << 20,
};

void lesson_init(struct lesson *l, size_t len_max)
{
	*l = (struct lesson){ .len_max = len_max };
	buffer_init(&l->samples, len_max * ROOM_PER_BYTE);
	buffer_init(&l->frames, len_max > TRAIN_DICTIONARY_MAX
					? UNSEEN_LONG_MAX
					: UNSEEN_SHORT_MAX);
}

void lesson_release(struct lesson *l)
{
	codebook_put(l->current);
	buffer_release(&l->samples);
	buffer_release(&l->frames);
	free(l->lens);
	free(l->dictionary);
	lesson_init(l, l->len_max);
}

int lesson_take_current(struct lesson *l, struct store *s,
			enum content_class class)
{
	uint64_t id = codebooks_newest(s->codebooks, class);

	return id == 0 ? 0 : library_get(s, id, &l->current);
}

bool lesson_take_sample(struct lesson *l, struct span piece)
{
	if (!l->lens)
		l->lens = calloc(SAMPLES_MAX, sizeof(*l->lens));
	if (!l->lens)
		return false;
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
			    !lesson_take_sample(
				    l, span_of(frame->raw + c->off + off, len)))
				return;
		}
	}
}

void lesson_take_unseen(struct lesson *l, struct span frame)
{
	frame.len = min_u64(frame.len, LESSON_UNSEEN_LEN);
	if (l->n_frames < LESSON_FRAMES_MAX &&
	    buffer_append(&l->frames, frame) == 0)
		l->frame_lens[l->n_frames++] = frame.len;
}

void lesson_gather(struct store *s, const struct frame_place *places, size_t n,
		   struct lesson *l)
{
	size_t n_taken = min_u64(n, LESSON_FRAMES_MAX);
	struct cached *frame = NULL;
	size_t i;

	l->budget = l->samples.limit / (n_taken > 0 ? n_taken : 1);
	for (i = 0; i < n_taken; i++) {
		if (chunk_get_frame(s, &places[i * n / n_taken], &frame) < 0)
			continue;
		if (i % UNSEEN_EVERY == UNSEEN_PHASE)
			lesson_take_unseen(l,
					   span_of(frame->raw, frame->raw_len));
		else
			take_samples(l, frame);
		cache_put(frame);
	}
}

/* ---- learning -------------------------------------------------------------- */

static void learn(struct lesson *l, int level, const atomic_bool *stop)
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
		.len_max = l->len_max,
	};
	const uint8_t *at = l->frames.data;
	size_t i;

	for (i = 0; i < l->n_frames; i++) {
		unseen[i] = span_of(at, l->frame_lens[i]);
		at += l->frame_lens[i];
	}
	l->dictionary = malloc(l->len_max);
	l->len = l->dictionary
			 ? train_codebook(&request, l->dictionary, &l->result)
			 : -ENOMEM;
}

/* One lesson, learned by another thread. */
struct task {
	struct work work; /* first: it is cast */
	struct lesson *lesson;
	int level;
	const atomic_bool *stop;
	struct sync_mutex lock; /* LEAF */
	struct sync_cond ended;
	bool over GUARDED_BY(lock);
};

static void task_run(struct work *w, unsigned worker)
{
	struct task *t = (struct task *)w;

	(void)worker;
	workers_step_back();
	learn(t->lesson, t->level, t->stop);
	sync_lock(&t->lock);
	t->over = true;
	sync_signal(&t->ended);
	sync_unlock(&t->lock);
}

static void learn_idly(struct lesson *l, int level, const atomic_bool *stop,
		       struct workers *idle)
{
	struct task t = {
		.work.run = task_run,
		.lesson = l,
		.level = level,
		.stop = stop,
	};

	sync_mutex_init(&t.lock, RANK_LEAF);
	sync_cond_init(&t.ended);
	workers_submit(idle, &t.work);
	sync_lock(&t.lock);
	while (!t.over)
		sync_wait(&t.ended, &t.lock);
	sync_unlock(&t.lock);
	sync_cond_release(&t.ended);
	sync_mutex_release(&t.lock);
}

void lesson_learn(struct lesson *l, int level, const atomic_bool *stop,
		  struct workers *idle)
{
	if (idle)
		learn_idly(l, level, stop, idle);
	else
		learn(l, level, stop);
}
