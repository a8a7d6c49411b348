/* SPDX-License-Identifier: MIT */
/*
 * clean.c - the next step by what a survey says; clean.h says why so.
 *
 * To look at all frames takes a second for some million of them, and a run has
 * many steps: a survey serves until it knows of nothing to do, and the one that
 * ends the run is new.
 */
#include "store/clean.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/report.h"
#include "store/checkpoint.h"
#include "store/drop.h"
#include "store/evacuate.h"
#include "store/library.h"
#include "store/maintain.h"
#include "store/scan.h"
#include "store/state.h"
#include "store/survey.h"

#include <assert.h>
#include <stdlib.h>

#define NS_PER_S ((uint64_t)1000000000)
#define TURN_NS  NS_PER_S /* between two steps, in which others may begin */

enum {
	BATCH_SEGMENTS = 8,   /* emptied in one step, */
	BATCH_LEN = 32 << 20, /* with so much to move, unless it is one */
	REMOVE_MAX = 1024,    /* removed in one step */
	HAND_PERCENT = 85,    /* so much may live, by hand or in need */
	IDLE_PERCENT = 50,
	REST = 3,         /* times as long as it works */
	TURN_LEN = 4096,  /* of the active segment, to be of interest */
	DUE_PERCENT = 25, /* dead, of all payloads */
	LOW_LEN = 256 << 10,
	LOW_SECONDS = 5,
	AGAIN_SECONDS = 60,
	IDLE_SECONDS = 600, /* when nothing has changed since */
	WORTH_LEN = 256 << 10,
	WORTH_PART = 8,
};

static_assert((int)BATCH_SEGMENTS <= (int)BANK_CONDEMNED_MAX, "all of a batch");

/* How hard to try. */
struct effort {
	unsigned percent; /* of a segment may live */
	unsigned rest;
	unsigned rounds_gain; /* a checkpoint must free so many times what it
			       * costs */
};

/* ---- emptying ----------------------------------------------------------------- */

static bool is_bad(const struct clean_memory *m, uint64_t number)
{
	unsigned i;

	for (i = 0; i < m->n_bad; i++) {
		if (m->bad[i] == number)
			return true;
	}
	return false;
}

static bool is_worthwhile(const struct store *s, const struct survey *v,
			  const struct effort *e, const struct segment_use *u)
{
	return u->needed && u->number < v->active &&
	       s->clean.n_bad < CLEAN_BAD_MAX &&
	       !is_bad(&s->clean, u->number) &&
	       u->live * 100 <= u->len * e->percent;
}

/* Those in which least lives. Returns the number. */
static size_t pick(const struct store *s, const struct survey *v,
		   const struct effort *e, uint64_t *picked)
{
	const struct segment_use *best;
	uint64_t len = 0;
	size_t n = 0;
	size_t i;
	size_t k;

	do {
		best = NULL;
		for (i = 0; i < v->n; i++) {
			const struct segment_use *u = &v->list[i];

			for (k = 0; k < n && picked[k] != u->number; k++)
				;
			if (k == n && is_worthwhile(s, v, e, u) &&
			    (!best || u->live < best->live))
				best = u;
		}
		if (!best || (n > 0 && len + best->live > BATCH_LEN))
			break;
		len += best->live;
		picked[n++] = best->number;
	} while (n < BATCH_SEGMENTS);
	return n;
}

/* A segment that cannot be emptied is left alone until the next mount, or run by
 * hand. */
static void give_up(struct store *s, uint64_t segment, int why)
{
	struct clean_memory *m = &s->clean;

	if (why < 0)
		report_warn("segment %llu cannot be cleaned: %s",
			    (unsigned long long)segment, error_text(why));
	if (m->n_bad < CLEAN_BAD_MAX)
		m->bad[m->n_bad++] = segment;
}

/* Whether the segment is to blame, and others may do better. */
static bool is_its_own(int rc)
{
	return scan_is_bad(rc) || rc == -ENOENT;
}

typedef int evacuate_fn(struct store *s, struct evacuation *e);

/* One half of the work on all that were picked. What was given up is 0. */
static int evacuate_all(struct store *s, uint64_t *picked, size_t n,
			evacuate_fn *fn, struct evacuation *e)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc >= 0 && i < n; i++) {
		if (picked[i] == 0)
			continue;
		e->segment = picked[i];
		rc = fn(s, e);
		if (rc != 1 && !is_its_own(rc))
			continue;
		give_up(s, picked[i], rc);
		picked[i] = 0;
		rc = 0;
	}
	return rc;
}

/* Where there is no more room, what moved first still counts: those that have not
 * been emptied are left out. */
static int move_all(struct store *s, uint64_t *picked, size_t n,
		    struct evacuation *e)
{
	size_t i = 0;
	int rc = evacuate_all(s, picked, n, evacuate_live, e);

	if (rc != -ENOSPC)
		return rc;
	while (i < n && picked[i] != e->segment)
		i++;
	if (i == 0)
		return rc;
	memset(picked + i, 0, (n - i) * sizeof(*picked));
	return 0;
}

/* The segments are condemned. */
static int empty_condemned(struct store *s, uint64_t *picked, size_t n,
			   struct evacuation *e)
{
	int rc;

	grace_wait(&s->grace);
	rc = move_all(s, picked, n, e);
	if (rc == 0)
		rc = index_commit(s);
	if (rc < 0)
		return rc;
	grace_wait(&s->grace);
	return evacuate_all(s, picked, n, evacuate_dead, e);
}

static int empty(struct store *s, uint64_t *picked, size_t n,
		 const struct effort *effort, struct clean_result *ret)
{
	struct evacuation e = { .rest = effort->rest };
	size_t i;
	int rc;

	bank_condemn(s->bank, picked, n);
	rc = empty_condemned(s, picked, n, &e);
	bank_condemn(s->bank, NULL, 0);
	ret->n_moved += e.n_moved;
	ret->moved += e.moved;
	for (i = 0; rc == 0 && i < n; i++)
		survey_emptied(&s->clean.survey, picked[i]);
	return rc;
}

/* ---- dead deltas ----------------------------------------------------------------- */

/* The segments are condemned. What nobody refers to stays so from the first wait
 * on, and the index says which that is. */
static int release_condemned(struct store *s, const uint64_t *segments,
			     size_t n, struct noted_frames *noted)
{
	size_t i;
	int rc;

	grace_wait(&s->grace);
	rc = index_commit(s);
	for (i = 0; rc == 0 && i < n; i++)
		rc = evacuate_note(s, segments[i], noted);
	if (rc < 0)
		return rc;
	grace_wait(&s->grace);
	return evacuate_noted(s, noted);
}

/* A segment whose dead deltas cannot be dropped keeps nobody from the others. */
static int release_from(struct store *s, const uint64_t *segments, size_t n,
			size_t *ret_n)
{
	struct noted_frames *noted = calloc(1, sizeof(*noted));
	size_t i;
	int rc = noted ? 0 : -ENOMEM;

	if (rc == 0) {
		bank_condemn(s->bank, segments, n);
		rc = release_condemned(s, segments, n, noted);
		bank_condemn(s->bank, NULL, 0);
		*ret_n = noted->n;
	}
	free(noted);
	for (i = 0; is_its_own(rc) && i < n; i++)
		give_up(s, segments[i], i == 0 ? rc : 0);
	return is_its_own(rc) ? 0 : rc;
}

/* Dead deltas let go of their bases. 1: some did. */
static int release(struct store *s, struct survey *v)
{
	uint64_t segments[BATCH_SEGMENTS];
	size_t n_noted = 0;
	size_t n = 0;
	size_t i;
	int rc;

	for (i = 0; i < v->n && n < BATCH_SEGMENTS; i++) {
		const struct segment_use *u = &v->list[i];

		if (u->deltas && u->number < v->active &&
		    s->clean.n_bad < CLEAN_BAD_MAX &&
		    !is_bad(&s->clean, u->number))
			segments[n++] = u->number;
	}
	if (n == 0)
		return 0;
	rc = release_from(s, segments, n, &n_noted);
	if (rc == 0 && n_noted < EVACUATE_NOTED_MAX)
		survey_released(v, segments, n);
	return rc < 0 ? rc : n_noted > 0;
}

/* ---- removing ----------------------------------------------------------------- */

static int log_removal(struct store *s, const uint64_t *numbers, size_t n)
{
	size_t i;
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	for (i = 0; rc == 0 && i < n; i++)
		rc = drop_segment(s, numbers[i]);
	txn_end(s);
	return rc;
}

/* In the log first, and the index durably without them; so nobody asks for them
 * after whatever end. */
static int remove_files(struct store *s, const uint64_t *numbers, size_t n)
{
	int rc = log_removal(s, numbers, n);

	if (rc == 0)
		rc = index_sync(s);
	if (rc == 0)
		rc = segments_remove_all(s->segments, numbers, n);
	return rc == 0 ? space_recount(s) : rc;
}

/* The segment where the older checkpoint starts; 0: there is none. */
static uint64_t earlier_round(struct store *s)
{
	uint64_t segment;

	index_lock(s);
	segment = s->kept.earlier;
	index_unlock(s);
	return segment;
}

/* 1: some were removed. */
static int remove_some(struct store *s, struct survey *v,
		       struct clean_result *ret)
{
	uint64_t *numbers = calloc(REMOVE_MAX, sizeof(*numbers));
	uint64_t earlier = earlier_round(s);
	uint64_t len = 0;
	size_t n = 0;
	size_t i;
	int rc = 0;

	if (!numbers)
		return -ENOMEM;
	for (i = 0; i < v->n && n < REMOVE_MAX; i++) {
		if (!survey_is_empty(v, &v->list[i]) ||
		    v->list[i].number >= earlier)
			continue;
		numbers[n++] = v->list[i].number;
		len += v->list[i].len;
	}
	if (n > 0)
		rc = remove_files(s, numbers, n);
	for (i = 0; rc == 0 && i < n; i++)
		survey_removed(v, numbers[i]);
	free(numbers);
	if (rc < 0 || n == 0)
		return rc;
	ret->n_removed += n;
	ret->removed += len;
	return 1;
}

/* Whether enough waits for a checkpoint to be removed. */
static bool is_round_due(struct store *s, const struct survey *v,
			 const struct effort *e)
{
	uint64_t len = 0;
	size_t i;

	for (i = 0; i < v->n; i++)
		len += survey_is_empty(v, &v->list[i]) ? v->list[i].len : 0;
	return s->clean.n_rounds > 0 &&
	       len > 2 * checkpoint_cost(s) * e->rounds_gain;
}

/* ---- steps ---------------------------------------------------------------------- */

/* What is removed first makes room for what is moved. */
static int step_with(struct store *s, struct survey *v, const struct effort *e,
		     struct clean_result *ret)
{
	uint64_t picked[BATCH_SEGMENTS];
	size_t n;
	int full = 0;
	int rc = remove_some(s, v, ret);

	if (rc == 0)
		rc = release(s, v);
	if (rc != 0)
		return rc;
	n = pick(s, v, e, picked);
	if (n > 0) {
		rc = empty(s, picked, n, e, ret);
		if (rc != -ENOSPC)
			return rc < 0 ? rc : 1;
		full = rc;
	}
	if (!is_round_due(s, v, e))
		return full;
	s->clean.n_rounds--;
	rc = checkpoint_write_held(s);
	return rc < 0 ? rc : 1;
}

static int step_anew(struct store *s, const struct effort *e,
		     struct clean_result *ret)
{
	struct survey *v = &s->clean.survey;
	int rc;

	survey_release(v);
	rc = survey_make(s, v);
	return rc < 0 ? rc : step_with(s, v, e, ret);
}

static int step(struct store *s, const struct effort *e,
		struct clean_result *ret)
{
	struct survey *v = &s->clean.survey;
	int rc = index_commit(s);

	if (rc == 0)
		rc = space_recount(s);
	if (rc == 0 && v->list)
		rc = step_with(s, v, e, ret);
	if (rc == 0)
		rc = step_anew(s, e, ret);
	if (rc <= 0)
		survey_release(v);
	return rc;
}

/* Ends the active segment. */
static int turn(struct store *s)
{
	uint64_t off;
	int rc = index_commit(s);

	if (rc < 0)
		return rc;
	index_lock(s);
	off = s->position.off;
	index_unlock(s);
	if (off < TURN_LEN)
		return 0;
	rc = log_turn(s->log);
	if (rc < 0)
		store_fail(s, rc, "going on to a new segment");
	return rc;
}

int clean_begin(struct store *s)
{
	int rc = store_writable(s);

	if (rc < 0)
		return rc;
	clean_end(s);
	s->clean.n_bad = 0;
	s->clean.n_rounds = 2;
	return turn(s);
}

void clean_end(struct store *s)
{
	survey_release(&s->clean.survey);
}

int clean_step(struct store *s, struct clean_result *ret)
{
	static const struct effort by_hand = {
		.percent = HAND_PERCENT,
		.rounds_gain = 1,
	};
	int rc = store_writable(s);

	return rc < 0 ? rc : step(s, &by_hand, ret);
}

/* ---- by itself ------------------------------------------------------------------ */

static uint64_t dead_len(struct store *s, uint64_t *ret_all)
{
	int64_t all = atomic_load(&s->totals[TOTAL_FRAME_STORED]);
	int64_t live = atomic_load(&s->totals[TOTAL_LIVE_STORED]);

	*ret_all = all > 0 ? (uint64_t)all : 0;
	return all > live ? (uint64_t)(all - live) : 0;
}

/* Only the thread that cleans by itself asks: it wrote what is compared. */
bool clean_due(struct store *s)
{
	const struct clean_memory *m = &s->clean;
	uint64_t all;
	uint64_t dead = dead_len(s, &all);
	uint64_t seconds = (clock_mono_ns() - m->looked_ns) / NS_PER_S;
	bool changed = dead > m->looked_len + m->looked_len / 10;

	if (m->looked_ns == 0)
		seconds = IDLE_SECONDS;
	if (space_is_low(s))
		return dead >= LOW_LEN &&
		       seconds >= (changed ? LOW_SECONDS : AGAIN_SECONDS);
	return dead >= s->options.segment_len &&
	       dead * 100 >= all * DUE_PERCENT &&
	       seconds >= (changed ? AGAIN_SECONDS : IDLE_SECONDS);
}

bool clean_is_worthwhile(struct store *s)
{
	int64_t frames = atomic_load(&s->totals[TOTAL_FRAME_STORED]);
	uint64_t len = 0;
	uint64_t n = 0;
	uint64_t unused;

	log_extent(s->log, &len, &n);
	len += atomic_load(&s->old_len);
	unused = len - min_u64(len, (uint64_t)frames);
	return unused >= WORTH_LEN && unused >= len / WORTH_PART;
}

static int run(struct store *s, bool low, bool after_moves)
{
	const struct effort effort = {
		.percent = low ? HAND_PERCENT : IDLE_PERCENT,
		.rest = low ? 0 : REST,
		.rounds_gain = low || after_moves ? 1 : 4,
	};
	struct clean_result result = { 0 };
	int rc = low || after_moves ? turn(s) : 0;

	clean_end(s);
	s->clean.n_rounds = 2;
	while (rc == 0) {
		rc = step(s, &effort, &result);
		if (rc != 1)
			break;
		maintain_leave(s);
		rc = maintain_pause(s, low ? 0 : TURN_NS) ? 0 : -ECANCELED;
		maintain_enter(s);
	}
	return rc;
}

int clean_run(struct store *s, bool after_moves)
{
	uint64_t all;
	int rc;

	maintain_enter(s);
	rc = run(s, space_is_low(s), after_moves);
	s->clean.looked_ns = clock_mono_ns();
	s->clean.looked_len = dead_len(s, &all);
	maintain_leave(s);
	return rc;
}
