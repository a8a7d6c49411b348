/* SPDX-License-Identifier: MIT */
/*
 * leisure.c - looks whether it is time, counts what there is, does one window.
 *
 * How far it is stands in the index (`optimized`). What is lost of that in a crash is
 * done again: frames that were made are longer than others, and passed over.
 */
#include "store/leisure.h"

#include "base/clock.h"
#include "store/clean.h"
#include "store/maintain.h"
#include "store/state.h"

#define NS_PER_S UINT64_C(1000000000)

/* So much at a time: what is stopped is read once more, and memory is shared with
 * those who come. */
static const uint64_t WINDOW_LEN = UINT64_C(256) << 20;

enum { WINDOW_CHUNKS = 1 << 16 }; /* 8 MiB of memory, or twice that */

void store_use(struct store *s)
{
	/* Requests of all threads read the flag, few of them write it. */
	if (!atomic_load_explicit(&s->used, memory_order_relaxed))
		atomic_store(&s->used, true);
}

static uint64_t last_chunk(struct store *s)
{
	return atomic_load(&s->next_ids[STORE_ID_CHUNK]) - 1;
}

static uint64_t optimized(struct store *s)
{
	uint64_t chunk;

	index_lock(s);
	chunk = s->optimized;
	index_unlock(s);
	return chunk;
}

void leisure_begin(struct store *s)
{
	struct leisure *l = &s->leisure;

	idmap_init(&l->turn.vain);
	idle_init(&l->idle, s->options.cold_seconds * NS_PER_S, clock_mono_ns(),
		  last_chunk(s));
}

void leisure_end(struct store *s)
{
	idmap_release(&s->leisure.turn.vain);
}

/* Counts what is cold and was not counted yet, as far as it takes. 1: it is
 * worthwhile. */
static int count(struct store *s)
{
	struct idle *i = &s->leisure.idle;
	int64_t live = atomic_load(&s->totals[TOTAL_LIVE_LEN]);
	uint64_t live_len = live > 0 ? (uint64_t)live : 0;
	struct bank_chunk chunk = { .id = i->counted };
	/* What is cold may be in memory only, if it need not be old for that. */
	int rc = i->counted < i->cold ? index_commit(s) : 0;

	if (rc < 0)
		return rc;
	rc = 1;
	while (rc == 1 && i->counted < i->cold &&
	       !idle_is_enough(i, live_len) && !atomic_load(&s->used)) {
		index_lock(s);
		rc = bank_next_chunk(s->bank, i->counted, &chunk);
		index_unlock(s);
		if (rc == 1 && chunk.id <= i->cold && chunk.refs > 0)
			i->counted_len += chunk.len;
		if (rc >= 0)
			i->counted =
				rc == 1 ? min_u64(chunk.id, i->cold) : i->cold;
	}
	return rc < 0 ? rc : idle_is_enough(i, live_len);
}

/* How far the window is. */
static void told(void *ctx, const struct optimized *so_far)
{
	struct leisure *l = ctx;
	const struct repacked *work = &so_far->work;

	atomic_store(&l->len, l->before.moved_len + work->moved_len);
	atomic_store(&l->old_len, l->before.old_len + work->old_len);
	atomic_store(&l->new_len, l->before.new_len + work->new_len);
	atomic_store(&l->when, (uint64_t)clock_real_ns() / NS_PER_S);
}

/* The window is over. */
static void note(struct leisure *l, const struct repacked *work)
{
	l->before.moved_len += work->moved_len;
	l->before.old_len += work->old_len;
	l->before.new_len += work->new_len;
	l->freed_len += work->freed_len;
}

/* The window's chunks need not be looked at again, by a later mount either. */
static int end_window(struct store *s, uint64_t chunk)
{
	struct optimize_turn *turn = &s->leisure.turn;

	idmap_clear(&turn->vain);
	turn->studied = false;
	index_lock(s);
	s->optimized = max_u64(s->optimized, chunk);
	index_unlock(s);
	return index_commit(s);
}

static int do_window(struct store *s)
{
	struct leisure *l = &s->leisure;
	const struct optimize_options options = {
		.n_threads = 1,
		.idle = true,
		.stop = &s->used,
		.tell = told,
		.ctx = l,
	};
	bool studied = l->turn.studied;
	struct optimized sum;
	struct idle_turn ended;
	int rc;

	l->turn.len = WINDOW_LEN;
	l->turn.n_chunks = WINDOW_CHUNKS;
	l->turn.walk = (struct optimize_walk){
		.s = s,
		.stop = &s->used,
		.after = l->idle.done,
		.last = l->idle.cold,
	};
	rc = optimize_window(&options, &l->turn, &sum);
	note(l, &sum.work);
	ended = (struct idle_turn){
		.failed = rc < 0 && rc != -ECANCELED,
		.got_on = sum.work.raw_len > 0 || l->turn.studied != studied,
		.whole = rc >= 0,
		.done = rc == 0 ? l->idle.cold : l->turn.walk.after,
		.new_len = sum.work.new_len,
	};
	idle_ended(&l->idle, clock_mono_ns(), &ended);
	return rc < 0 ? rc : end_window(s, ended.done);
}

static int give_back(struct store *s)
{
	s->leisure.freed_len = 0;
	s->leisure.cleaned = true;
	return clean_run(s, true);
}

/* Whether there is something to give back, if there is nothing else to do. What
 * an earlier mount may have left has to be cold, too. */
static bool is_worth_giving(struct store *s)
{
	const struct leisure *l = &s->leisure;

	return l->idle.cold > 0 && (l->freed_len > 0 || !l->cleaned) &&
	       clean_is_worthwhile(s);
}

static int work(struct store *s)
{
	int rc;

	if (s->leisure.freed_len >= OPTIMIZE_DEAD_LEN)
		return give_back(s);
	rc = count(s);
	if (atomic_load(&s->used))
		return 0;
	if (rc == 0)
		return is_worth_giving(s) ? give_back(s) : 0;
	if (rc < 0 || !maintain_try_enter(s))
		return rc < 0 ? rc : 0;
	rc = do_window(s);
	maintain_leave(s);
	return rc;
}

int leisure_work(struct store *s)
{
	struct idle *i = &s->leisure.idle;
	uint64_t now = clock_mono_ns();
	struct idle_view view = {
		.used = atomic_exchange(&s->used, false),
		.last_chunk = last_chunk(s),
	};

	if (i->cold_ns == 0)
		return 0;
	view.done = optimized(s);
	idle_look(i, now, &view);
	/* Who closes the store sets the flag after he has said so. */
	if (!idle_is_time(i, now) || !maintain_pause(s, 0) || space_is_low(s))
		return 0;
	return work(s);
}

void leisure_stat(const struct store *s, struct store_stats *ret)
{
	const struct leisure *l = &s->leisure;

	ret->idle_len = atomic_load(&l->len);
	ret->idle_old_len = atomic_load(&l->old_len);
	ret->idle_new_len = atomic_load(&l->new_len);
	ret->idle_when = atomic_load(&l->when);
}
