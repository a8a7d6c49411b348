/* SPDX-License-Identifier: MIT */
/*
 * optimize.c - window by window, to the last chunk that was there at the start.
 *
 * After the frames of a window's layout come the frames that have lost some
 * chunks and not all: the rest of them moves as well, because as long as one
 * live chunk is left they take as much as before.
 */
#include "store/optimize.h"

#include "store/clean.h"
#include "store/ingest.h"
#include "store/maintain.h"
#include "store/optimize_impl.h"
#include "store/state.h"
#include "store/study.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	CLUSTER_SHIFT = 1, /* similar chunks: at most half a frame */
	DONE_SHIFT = 2,    /* optimised frames are a quarter as long or more */
	VAIN_MAX = 1 << 16,
};

/* ---- shared with the estimate --------------------------------------------- */

int optimize_prepare(struct store *s, const struct optimize_options *options,
		     struct optimize_plan *ret)
{
	struct optimize_options o = *options;
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int rc = store_writable(s);

	if (rc == 0)
		rc = index_commit(s);
	if (rc < 0)
		return rc;
	if (o.frame_len == 0)
		o.frame_len = OPTIMIZE_FRAME_LEN;
	if (o.min_speed == 0)
		o.min_speed = OPTIMIZE_SPEED;
	if (o.n_threads == 0)
		o.n_threads = n_cpus > 0 ? (unsigned)n_cpus : 1;
	*ret = (struct optimize_plan){
		.options = o,
		.layout = { o.frame_len, o.frame_len >> CLUSTER_SHIFT },
		.limits = {
			.live_len = OPTIMIZE_WINDOW_LEN,
			.last_frame = log_last_seq(s->log),
			.done_len = (uint32_t)max_u64(PARCEL_RAW_MAX,
					o.frame_len >> DONE_SHIFT),
		},
		.repack = {
			.n_threads = o.n_threads,
			.idle = o.idle,
			.min_speed = o.min_speed,
			.stop = o.stop,
		},
	};
	return 0;
}

void optimize_walk_all(struct store *s, const struct optimize_options *options,
		       struct optimize_walk *ret)
{
	*ret = (struct optimize_walk){
		.s = s,
		.stop = options->stop,
		.last = atomic_load(&s->next_ids[STORE_ID_CHUNK]) - 1,
	};
}

int optimize_walk_next(void *ctx, uint64_t *ret)
{
	struct optimize_walk *walk = ctx;
	struct bank_chunk chunk = { .id = 0 };
	int rc;

	do {
		if (walk->stop && atomic_load(walk->stop))
			return -ECANCELED;
		index_lock(walk->s);
		rc = bank_next_chunk(walk->s->bank, walk->after, &chunk);
		index_unlock(walk->s);
		walk->after = chunk.id;
	} while (rc == 1 && chunk.refs == 0 && chunk.id <= walk->last);
	*ret = chunk.id;
	return rc == 1 && chunk.id > walk->last ? 0 : rc;
}

/* ---- a window ------------------------------------------------------------- */

struct run {
	struct store *s;
	struct optimize_plan plan;
	struct repacker *repacker;
	struct optimize_turn *turn; /* NULL: all at once */
	uint64_t cleaned_len; /* of work.freed_len, when the cleaner ran */
	int64_t passed_len;   /* raw bytes that repacking does not count, less
			     * those that it counts twice */
	struct optimized sum;
};

static void tell(void *ctx, const struct repacked *so_far)
{
	struct run *r = ctx;
	const struct optimize_options *o = &r->plan.options;

	r->sum.looked_len =
		(uint64_t)((int64_t)so_far->raw_len + r->passed_len);
	if (o->tell)
		o->tell(o->ctx, &r->sum);
}

static int lay_out_and_repack(struct run *r, struct window *w)
{
	struct layout l;
	const struct study study = {
		.s = r->s,
		.window = w,
		.layout = &l,
		.idle = r->plan.options.idle,
		.stop = r->plan.options.stop,
	};
	int rc = layout_make(w->chunks, w->n_chunks, &r->plan.layout, &l);

	if (rc < 0)
		return rc;
	if (!r->turn || !r->turn->studied)
		rc = study_window(&study);
	if (rc == 0 && r->turn)
		r->turn->studied = true;
	if (rc == 0)
		rc = repack(r->repacker, w, &l, &r->sum.work);
	layout_release(&l);
	return rc;
}

static int work_on(struct run *r, struct window *w)
{
	int rc;

	r->passed_len += (int64_t)w->passed_len;
	rc = lay_out_and_repack(r, w);
	if (rc == 0 && window_leave_rest(w)) {
		/* These have been looked at. */
		r->passed_len -= (int64_t)w->live_len;
		rc = lay_out_and_repack(r, w);
	}
	if (rc < 0 && r->turn)
		(void)window_note_vain(w, VAIN_MAX, &r->turn->vain);
	tell(r, &r->sum.work);
	return rc;
}

/* 1: there is more. Frames must not go while we look at them: the caller has
 * maintain_enter(). */
static int next_window(struct run *r, window_source *next, void *ctx)
{
	struct window w;
	int more;
	int rc = 0;

	window_init(&w);
	more = window_fill(&w, r->s, &r->plan.limits, next, ctx);
	if (more >= 0)
		rc = work_on(r, &w);
	window_release(&w);
	return rc < 0 ? rc : more;
}

/* What has been freed becomes free on the disk. */
static int clean(struct run *r)
{
	const atomic_bool *stop = r->plan.options.stop;
	struct clean_result result = { .n_removed = 0 };
	int rc;

	maintain_enter(r->s);
	rc = clean_begin(r->s);
	maintain_leave(r->s);
	if (rc == 0)
		rc = 1;
	while (rc == 1 && !(stop && atomic_load(stop))) {
		maintain_enter(r->s);
		rc = clean_step(r->s, &result);
		maintain_leave(r->s);
	}
	r->cleaned_len = r->sum.work.freed_len;
	tell(r, &r->sum.work);
	return rc < 0 ? rc : 0;
}

/* After a window, with what came of it: at the end, if the disk is full, or if
 * enough has come together. */
static int clean_at_times(struct run *r, int rc)
{
	uint64_t dead_len = r->sum.work.freed_len - r->cleaned_len;
	int clean_rc;

	if (dead_len == 0 || (rc == 1 && dead_len < OPTIMIZE_DEAD_LEN) ||
	    (rc < 0 && rc != -ENOSPC))
		return rc;
	clean_rc = clean(r);
	return clean_rc < 0 && rc >= 0 ? clean_rc : rc;
}

static int run_windows(struct run *r, struct optimize_walk *walk)
{
	const struct optimize_options *o = &r->plan.options;
	int rc;

	do {
		maintain_enter(r->s);
		rc = o->next ? next_window(r, o->next, o->source)
			     : next_window(r, optimize_walk_next, walk);
		maintain_leave(r->s);
		rc = clean_at_times(r, rc);
	} while (rc == 1);
	return rc;
}

/* The store need not look at these chunks by itself. */
static void note_done(struct store *s, const struct optimize_walk *walk)
{
	index_lock(s);
	s->optimized = max_u64(s->optimized, walk->last);
	index_unlock(s);
}

static int begin(struct run *r, const struct optimize_options *options)
{
	int rc = optimize_prepare(r->s, options, &r->plan);

	if (rc < 0)
		return rc;
	r->plan.repack.tell = tell;
	r->plan.repack.ctx = r;
	return repacker_new(r->s, &r->plan.repack, &r->repacker);
}

int optimize(struct store *s, const struct optimize_options *options,
	     struct optimized *ret)
{
	struct run r = { .s = s };
	struct optimize_walk walk;
	int rc = begin(&r, options);

	*ret = (struct optimized){ .looked_len = 0 };
	if (rc < 0)
		return rc;
	optimize_walk_all(s, options, &walk);
	rc = run_windows(&r, &walk);
	repacker_free(r.repacker);
	if (rc == 0 && !options->next)
		note_done(s, &walk);
	*ret = r.sum;
	return rc;
}

int optimize_window(const struct optimize_options *options,
		    struct optimize_turn *turn, struct optimized *ret)
{
	struct run r = { .s = turn->walk.s, .turn = turn };
	int rc = begin(&r, options);

	*ret = (struct optimized){ .looked_len = 0 };
	if (rc < 0)
		return rc;
	r.plan.limits.live_len = turn->len;
	r.plan.limits.n_chunks = turn->n_chunks;
	r.plan.limits.vain = &turn->vain;
	rc = next_window(&r, optimize_walk_next, &turn->walk);
	repacker_free(r.repacker);
	*ret = r.sum;
	return rc;
}
