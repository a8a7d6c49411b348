/* SPDX-License-Identifier: MIT */
/*
 * idle.c - quiet, cold, enough.
 *
 * What keeps it from wearing a disk or a battery down: each chunk has one turn,
 * after a turn it rests for the time in which what it wrote may be written, and
 * who is stopped before anything was done for good waits longer the next time.
 */
#include "store/idle.h"

#include "base/bytes.h"

#define NS_PER_S UINT64_C(1000000000)

static const uint64_t PATIENCE_NS = 5 * NS_PER_S;
static const uint64_t PATIENCE_MAX_NS = 320 * NS_PER_S;
static const uint64_t FAILED_REST_NS = 3600 * NS_PER_S;

enum {
	WRITE_SPEED = 512 << 10, /* bytes a second that it may write */
	ENOUGH_MIN = 1 << 20,
	ENOUGH_MAX = 64 << 20,
	ENOUGH_SHIFT = 4, /* a 16th of all */
};

/* Who wants things to be cold at once does not want to wait. */
static uint64_t patience(const struct idle *i)
{
	return min_u64(PATIENCE_NS, i->cold_ns);
}

void idle_init(struct idle *i, uint64_t cold_ns, uint64_t now_ns,
	       uint64_t last_chunk)
{
	*i = (struct idle){
		.cold_ns = cold_ns,
		.quiet_ns = now_ns,
		.young = last_chunk,
		.young_ns = now_ns,
	};
	i->patience_ns = patience(i);
}

/* All of them have had their turn. */
static void set_done(struct idle *i, uint64_t chunk)
{
	i->done = chunk;
	i->counted = chunk;
	i->counted_len = 0;
}

void idle_look(struct idle *i, uint64_t now_ns, const struct idle_view *view)
{
	if (view->used)
		i->quiet_ns = now_ns;
	if (view->done > i->done)
		set_done(i, view->done);
	if (now_ns - i->young_ns < i->cold_ns)
		return;
	i->cold = i->young;
	i->young = view->last_chunk;
	i->young_ns = now_ns;
}

bool idle_is_time(const struct idle *i, uint64_t now_ns)
{
	return i->cold_ns > 0 && now_ns >= i->rest_ns &&
	       now_ns - i->quiet_ns >= i->patience_ns;
}

bool idle_is_enough(const struct idle *i, uint64_t live_len)
{
	uint64_t enough = max_u64(live_len >> ENOUGH_SHIFT, ENOUGH_MIN);

	return i->counted_len >= min_u64(enough, ENOUGH_MAX);
}

void idle_ended(struct idle *i, uint64_t now_ns, const struct idle_turn *turn)
{
	i->rest_ns = now_ns + turn->new_len / WRITE_SPEED * NS_PER_S;
	if (turn->failed)
		i->rest_ns += FAILED_REST_NS;
	if (turn->got_on || turn->whole)
		i->patience_ns = patience(i);
	else
		i->patience_ns = min_u64(2 * i->patience_ns, PATIENCE_MAX_NS);
	if (turn->whole)
		set_done(i, turn->done);
}
