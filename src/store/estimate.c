/* SPDX-License-Identifier: MIT */
/*
 * estimate.c - what optimising would gain, from some frames of its layout.
 *
 * The windows are as they would be, so similar chunks are found; of the frames of
 * their layouts only some are encoded, evenly. A long store is looked at in a
 * few shorter windows. What is optimised already, or does not compress, stays:
 * that is known, not estimated.
 */
#include "store/optimize.h"

#include "store/maintain.h"
#include "store/optimize_impl.h"
#include "store/state.h"

#include <stdlib.h>

enum {
	N_STRETCHES = 8, /* of a long store */
	FRAMES_MAX = 4096,
};

struct estimating {
	struct store *s;
	struct optimize_plan plan;
	struct repacker *repacker;
	uint64_t sample_len; /* raw, of a window */
	struct repacked last;
	struct repacked sum;
	/* Of each frame that was tried: what its chunks take, and would. */
	double before[FRAMES_MAX];
	double after[FRAMES_MAX];
	size_t n;
	uint64_t stored_len; /* of frames that would be tried, */
	uint64_t kept_len;   /* and of those that would not */
};

/* One frame has been tried. */
static void take_frame(void *ctx, const struct repacked *so_far)
{
	struct estimating *e = ctx;
	uint64_t cost = so_far->cost_len - e->last.cost_len;
	uint64_t old = so_far->old_len - e->last.old_len;
	uint64_t new = so_far->new_len - e->last.new_len;

	if (cost > 0 && e->n < FRAMES_MAX) {
		e->before[e->n] = (double)cost;
		e->after[e->n++] = (double)(cost - old + new);
	}
	e->last = *so_far;
}

/* Leaves some of the frames, evenly. */
static void thin_out(struct layout *l, uint64_t live_len, uint64_t sample_len)
{
	size_t n = 0;
	size_t i;

	if (live_len <= sample_len)
		return;
	for (i = 0; i < l->n_frames; i++) {
		double share = (double)sample_len / (double)live_len;

		if ((uint64_t)((double)i * share) !=
		    (uint64_t)((double)(i + 1) * share))
			l->frames[n++] = l->frames[i];
	}
	l->n_frames = n;
}

static int try_window(struct estimating *e, struct window *w)
{
	struct layout l;
	int rc = layout_make(w->chunks, w->n_chunks, &e->plan.layout, &l);

	if (rc < 0)
		return rc;
	e->stored_len += w->stored_len;
	e->kept_len += w->passed_stored_len;
	thin_out(&l, w->live_len, e->sample_len);
	rc = repack(e->repacker, w, &l, &e->sum);
	layout_release(&l);
	return rc;
}

/* ---- the whole ------------------------------------------------------------ */

/* By Newton's method; more exact than any estimate is. */
static double square_root(double x)
{
	double root = x > 1 ? x : 1;
	unsigned i;

	for (i = 0; i < 64; i++)
		root = (root + x / root) / 2;
	return root;
}

/* The ratio of two sums, and its error, which follows from the rests that it
 * leaves in the frames. */
static void judge(const struct estimating *e, struct optimize_estimate *ret)
{
	double before = 0, after = 0, squares = 0, error = 0;
	double total = (double)(e->stored_len + e->kept_len);
	double tried = (double)e->stored_len;
	double ratio;
	size_t i;

	for (i = 0; i < e->n; i++) {
		before += e->before[i];
		after += e->after[i];
	}
	ratio = before > 0 ? after / before : 1;
	for (i = 0; i < e->n; i++) {
		double rest = e->after[i] - ratio * e->before[i];

		squares += rest * rest;
	}
	/* Nothing is left to chance where all was tried. */
	if (e->n > 1 && before < tried * 0.99)
		error = 2 *
			square_root(squares * (double)e->n /
				    (double)(e->n - 1)) /
			before;
	ret->before_len = e->stored_len + e->kept_len;
	ret->after_len = e->kept_len + (uint64_t)(tried * ratio);
	if (total == 0)
		return;
	ret->low = ((double)e->kept_len +
		    tried * (ratio > error ? ratio - error : 0)) /
		   total;
	ret->high = ((double)e->kept_len + tried * (ratio + error)) / total;
}

static int estimate(struct estimating *e)
{
	uint64_t total = (uint64_t)atomic_load(&e->s->totals[TOTAL_CHUNK_LEN]);
	size_t n = total <= OPTIMIZE_WINDOW_LEN ? 1 : N_STRETCHES;
	struct optimize_walk walk;
	size_t i;
	int rc = 0;

	e->plan.limits.live_len = OPTIMIZE_WINDOW_LEN / n;
	e->sample_len /= n;
	optimize_walk_all(e->s, &e->plan.options, &walk);
	for (i = 0; rc >= 0 && i < n; i++) {
		struct window w;

		walk.after = max_u64(walk.after, walk.last / n * i);
		window_init(&w);
		maintain_enter(e->s);
		rc = window_fill(&w, e->s, &e->plan.limits, optimize_walk_next,
				 &walk);
		if (rc >= 0)
			rc = try_window(e, &w);
		maintain_leave(e->s);
		window_release(&w);
	}
	return rc < 0 ? rc : 0;
}

int optimize_estimate(struct store *s, const struct optimize_options *options,
		      uint64_t sample_len, struct optimize_estimate *ret)
{
	struct estimating *e = calloc(1, sizeof(*e));
	int rc = e ? 0 : -ENOMEM;

	*ret = (struct optimize_estimate){ .sampled_len = 0 };
	if (rc < 0)
		return rc;
	e->s = s;
	e->sample_len = sample_len;
	rc = optimize_prepare(s, options, &e->plan);
	e->plan.repack.dry = true;
	e->plan.repack.tell = take_frame;
	e->plan.repack.ctx = e;
	if (rc == 0)
		rc = repacker_new(s, &e->plan.repack, &e->repacker);
	if (rc == 0) {
		rc = estimate(e);
		repacker_free(e->repacker);
	}
	if (rc == 0) {
		ret->sampled_len = e->sum.raw_len;
		judge(e, ret);
	}
	free(e);
	return rc;
}
