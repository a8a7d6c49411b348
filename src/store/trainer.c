/* SPDX-License-Identifier: MIT */
/*
 * trainer.c - when lessons are held, and what becomes of them.
 *
 * A lesson goes: gather (this thread, takes locks), learn (the thread of lowest
 * priority, takes none: a thread that hardly runs must not hold what others
 * wait for), publish.
 */
#include "store/trainer.h"

#include "store/chunk.h"
#include "store/ingest.h"
#include "store/lesson.h"
#include "store/library.h"
#include "store/sampler.h"
#include "store/state.h"

#include <stdlib.h>

enum {
	/* Of a class, before the first lesson. */
	FIRST_LEN = 512 << 10,
	STORED_SHIFT = 1, /* a dictionary is stored in half of its length */
	WALK_FRAMES = 1024,
};

struct task {
	struct work work; /* first: it is cast */
	struct trainer *t;
	enum content_class class;
	atomic_bool due;  /* atomic: set by anybody, cleared by the tick */
	atomic_bool busy; /* atomic: set by the tick, cleared at the end */
};

struct trainer {
	struct store *s;
	struct sampler *sampler;
	struct workers *thread; /* NULL: not begun. Housekeeping's */
	struct workers *idle;
	atomic_bool stop;
	atomic_bool any_due; /* atomic: a hint that saves a look at all */
	struct task tasks[CONTENT_N_CLASSES];
};

/* ---- a lesson -------------------------------------------------------------- */

/* Whether what it saves of as much as came so far is more than it takes. */
static bool pays(const struct lesson *l, uint64_t seen)
{
	const struct train_result *r = &l->result;
	double share = (double)(r->before - r->after) / (double)r->raw;

	return share * (double)seen > (double)(l->len >> STORED_SHIFT);
}

/* `places` are frames of the class. With `t` NULL it is done here, and it is
 * not asked whether it pays. */
static int hold_lesson(struct store *s, struct trainer *t,
		       const struct frame_place *places, struct trained *told)
{
	const struct encode_request request = {
		/* Frames with less effort use no codebook. */
		.effort = s->options.effort == EFFORT_SMALL ? EFFORT_SMALL
							    : EFFORT_BALANCED,
	};
	int level = encode_codebook_level(&request);
	struct lesson l;
	int rc;

	lesson_init(&l, TRAIN_DICTIONARY_MAX);
	rc = lesson_take_current(&l, s, told->class);
	if (rc == 0) {
		lesson_gather(s, places, told->n_frames, &l);
		lesson_learn(&l, level, t ? &t->stop : NULL,
			     t ? t->idle : NULL);
		rc = l.len < 0 ? (int)l.len : 0;
	}
	if (rc == 0) {
		told->raw = l.result.raw;
		told->before = l.result.before;
		told->after = l.result.after;
		told->len = (size_t)l.len;
	}
	if (rc == 0 && l.len > 0 &&
	    (!t || pays(&l, sampler_seen(t->sampler, told->class))))
		rc = library_publish(s, told->class,
				     span_of(l.dictionary, (size_t)l.len),
				     &told->codebook);
	lesson_release(&l);
	return rc;
}

/* Nobody is told of a failure: there will be another time. */
static void task_run(struct work *w, unsigned worker)
{
	struct task *task = (struct task *)w;
	struct trainer *t = task->t;
	struct trained told = { .class = task->class };
	struct frame_place *places =
		calloc(SAMPLER_FRAMES_MAX, sizeof(*places));

	(void)worker;
	if (places && !atomic_load(&t->stop)) {
		told.n_frames = sampler_take(t->sampler, task->class, places);
		(void)hold_lesson(t->s, t, places, &told);
	}
	free(places);
	atomic_store(&task->busy, false);
}

/* ---- life ------------------------------------------------------------------ */

int trainer_new(struct store *s, struct trainer **ret)
{
	struct trainer *t = calloc(1, sizeof(*t));
	uint64_t first =
		s->options.train_after ? s->options.train_after : FIRST_LEN;
	size_t i;
	int rc;

	if (!t)
		return -ENOMEM;
	t->s = s;
	for (i = 0; i < CONTENT_N_CLASSES; i++) {
		t->tasks[i].work.run = task_run;
		t->tasks[i].t = t;
		t->tasks[i].class = (enum content_class)i;
	}
	rc = sampler_new(first, &t->sampler);
	if (rc < 0) {
		free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

void trainer_free(struct trainer *t)
{
	if (!t)
		return;
	atomic_store(&t->stop, true);
	/* This one may wait for the other. */
	workers_free(t->thread);
	workers_free(t->idle);
	sampler_free(t->sampler);
	free(t);
}

void trainer_see(struct trainer *t, enum content_class class,
		 const struct frame_place *place, size_t raw_len)
{
	if (!sampler_see(t->sampler, class, place, raw_len))
		return;
	atomic_store(&t->tasks[class].due, true);
	atomic_store(&t->any_due, true);
}

static int begin_threads(struct trainer *t)
{
	int rc = 0;

	if (!t->idle)
		rc = workers_new("learn", 1, 1, &t->idle);
	if (rc == 0 && !t->thread)
		rc = workers_new("train", 1, CONTENT_N_CLASSES, &t->thread);
	return rc;
}

void trainer_tick(struct trainer *t)
{
	size_t i;

	/* In a burst all would wait for the processors that a lesson takes, and
	 * what is encoded in a hurry uses no codebook. */
	if (ingest_pressed(t->s))
		return;
	if (!atomic_exchange(&t->any_due, false) || begin_threads(t) < 0)
		return;
	for (i = 0; i < CONTENT_N_CLASSES; i++) {
		struct task *task = &t->tasks[i];

		if (!atomic_load(&task->due))
			continue;
		if (atomic_exchange(&task->busy, true)) {
			/* Later. */
			atomic_store(&t->any_due, true);
			continue;
		}
		atomic_store(&task->due, false);
		workers_submit(t->thread, &task->work);
	}
}

/* ---- at once, from all of the store ----------------------------------------- */

struct walk {
	struct frame_place places[CONTENT_N_CLASSES][SAMPLER_FRAMES_MAX];
	size_t n[CONTENT_N_CLASSES];
};

static void sort_in(struct store *s, struct walk *w,
		    const struct frame_place *place)
{
	struct cached *frame = NULL;
	enum content_class class;

	/* What cannot be read teaches nothing. */
	if (chunk_get_frame(s, place, &frame) < 0)
		return;
	class = sniff_class(span_of(frame->raw, frame->raw_len));
	cache_put(frame);
	if (codebook_class_name(class) && w->n[class] < SAMPLER_FRAMES_MAX)
		w->places[class][w->n[class]++] = *place;
}

/* A frame row behind `after`. */
static int next_frame(struct store *s, uint64_t after, struct frame_place *ret)
{
	struct bank_frame_row row;
	int rc;

	index_lock(s);
	rc = bank_next_frame(s->bank, after, &row);
	index_unlock(s);
	if (rc == 1)
		*ret = row.place;
	return rc;
}

/* Frames from the first to the last, evenly by their sequence. */
static int walk_frames(struct store *s, struct walk *w)
{
	uint64_t last = log_last_seq(s->log);
	uint64_t step = last / WALK_FRAMES;
	struct frame_place place = { .frame = 0 };
	uint64_t after = 0;
	int rc;

	while ((rc = next_frame(s, after, &place)) == 1) {
		sort_in(s, w, &place);
		after = max_u64(place.frame, after + step);
	}
	return rc;
}

int trainer_run(struct store *s,
		void (*told)(void *ctx, const struct trained *), void *ctx)
{
	struct walk *w;
	size_t i;
	int rc = store_writable(s);

	if (rc == 0)
		rc = index_commit(s);
	if (rc < 0)
		return rc;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	rc = walk_frames(s, w);
	for (i = 0; rc == 0 && i < CONTENT_N_CLASSES; i++) {
		struct trained t = { .class = (enum content_class)i,
				     .n_frames = w->n[i] };

		if (t.n_frames == 0)
			continue;
		rc = hold_lesson(s, NULL, w->places[i], &t);
		if (rc == 0)
			told(ctx, &t);
	}
	free(w);
	return rc;
}
