/* SPDX-License-Identifier: MIT */
/*
 * space.c - the reserve, and whether the disk will hold what is accepted.
 *
 * Data is refused early (store_reserve), so that metadata always fits: the
 * margin is for log and index. If a write of the log meets a full disk all the
 * same, the reserve file is given up once.
 *
 * What was accepted and not yet written is not known exactly: data may be
 * overwritten or dropped before it reaches the log. So accepted bytes count
 * until ingest has settled them, but for four seconds at most: by then the
 * user's tick has handed them on.
 */
#include "store/state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#include <fcntl.h>

#define RESERVE_NAME "reserve"

static const uint64_t RESERVE_LEN = 256 << 10;
static const uint64_t MARGIN_MAX = 64 << 20;
static const uint64_t ASK_NS = 50000000;
static const uint64_t ASK_LEN = 8 << 20;
static const uint64_t LOW_PART = 20; /* of the disk is little */

void space_init(struct store *s)
{
	sync_mutex_init(&s->space.lock, RANK_LEAF);
}

void space_release(struct store *s)
{
	sync_mutex_release(&s->space.lock);
}

/* On a small disk the reserve is small. */
static uint64_t reserve_len(uint64_t total)
{
	return min_u64(RESERVE_LEN, total / 32);
}

void space_make_reserve(struct store *s)
{
	AUTO_CLOSE int fd = -1;
	uint64_t free_len = 0;
	uint64_t total = 0;
	uint64_t size = 0;
	uint64_t want;
	int rc;

	if (io_space(s->dir_fd, &free_len, &total) < 0)
		return;
	want = reserve_len(total);
	fd = io_open(s->dir_fd, RESERVE_NAME, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return;
	rc = io_size(fd, &size);
	if (rc == 0 && size < want && free_len > 4 * want)
		rc = io_allocate(fd, 0, want);
	else if (size < want)
		rc = -ENOSPC;
	if (rc < 0 && size < want)
		(void)io_unlink(s->dir_fd, RESERVE_NAME);
	sync_lock(&s->space.lock);
	s->space.reserve_there = rc == 0;
	sync_unlock(&s->space.lock);
}

void space_drop_reserve(struct store *s)
{
	if (!space_is_low(s))
		(void)space_make_room(s);
}

bool space_make_room(void *store)
{
	struct store *s = store;
	bool there;

	sync_lock(&s->space.lock);
	there = s->space.reserve_there;
	s->space.reserve_there = false;
	s->space.asked_ns = 0;
	sync_unlock(&s->space.lock);
	return there && io_unlink(s->dir_fd, RESERVE_NAME) == 0;
}

void space_settle(struct store *s, size_t len)
{
	sync_lock(&s->space.lock);
	s->space.settled += len;
	sync_unlock(&s->space.lock);
}

void space_tick(struct store *s)
{
	struct space *p = &s->space;
	size_t n = ARRAY_LEN(p->aged);

	sync_lock(&p->lock);
	/* What is older than all of the ring is settled, one way or other. */
	p->settled = max_u64(p->settled, p->aged[n - 1]);
	memmove(p->aged + 1, p->aged, (n - 1) * sizeof(p->aged[0]));
	p->aged[0] = p->accepted;
	p->settled = min_u64(p->settled, p->accepted);
	sync_unlock(&p->lock);
}

/* Asks the disk, unless the last answer is fresh. */
static void ask(struct store *s)
{
	uint64_t now = clock_mono_ns();
	uint64_t free_len;
	uint64_t total;
	bool fresh;

	sync_lock(&s->space.lock);
	fresh = s->space.asked_ns != 0 && now - s->space.asked_ns < ASK_NS &&
		s->space.accepted - s->space.asked_at < ASK_LEN;
	sync_unlock(&s->space.lock);
	if (fresh || io_space(s->dir_fd, &free_len, &total) < 0)
		return;
	sync_lock(&s->space.lock);
	s->space.free_len = free_len;
	s->space.total_len = total;
	s->space.asked_ns = now;
	s->space.asked_at = s->space.accepted;
	sync_unlock(&s->space.lock);
}

/* Bytes that new data may take. */
static uint64_t room_locked(const struct space *p)
{
	uint64_t margin = min_u64(MARGIN_MAX, p->total_len / 8);
	uint64_t waiting =
		p->accepted > p->settled ? p->accepted - p->settled : 0;

	return p->free_len > margin + waiting ? p->free_len - margin - waiting
					      : 0;
}

int store_reserve(struct store *s, size_t len)
{
	struct space *p = &s->space;
	int rc = 0;

	ask(s);
	sync_lock(&s->space.lock);
	if (len > room_locked(p))
		rc = -ENOSPC;
	else
		p->accepted += len;
	sync_unlock(&s->space.lock);
	return rc;
}

bool space_has(struct store *s, uint64_t len, bool cleaning)
{
	struct space *p = &s->space;
	uint64_t margin;
	bool has;

	sync_lock(&p->lock);
	p->asked_ns = 0; /* what is moved was never accepted */
	sync_unlock(&p->lock);
	ask(s);
	sync_lock(&p->lock);
	margin = min_u64(MARGIN_MAX, p->total_len / 8);
	if (cleaning)
		has = p->free_len >=
		      margin / 4 + 2 * (uint64_t)LOG_BUFFER_LEN + len;
	else
		has = len <= room_locked(p);
	sync_unlock(&p->lock);
	return has;
}

bool space_is_low(struct store *s)
{
	struct space *p = &s->space;
	bool low;

	ask(s);
	sync_lock(&p->lock);
	low = room_locked(p) < p->total_len / LOW_PART;
	sync_unlock(&p->lock);
	return low;
}

static void recount(struct store *s, uint64_t n, uint64_t len)
{
	atomic_fetch_sub(&s->old_len, s->position_before - len);
	atomic_fetch_sub(&s->old_n, s->n_before - n);
	s->position_before = len;
	s->n_before = n;
	s->recount = false;
}

int space_recount(struct store *s)
{
	uint64_t segment = s->position.segment;
	uint64_t n = 0;
	uint64_t len = 0;
	int rc;

	if (s->log) {
		index_lock(s);
		segment = s->position.segment;
		index_unlock(s);
	}
	rc = segments_below(s->segments, segment, &n, &len);
	if (rc < 0)
		return rc;
	if (s->log)
		index_lock(s);
	/* Else somebody has gone on to another segment, and will be counted
	 * the next time. */
	if (s->position.segment == segment)
		recount(s, n, len);
	if (s->log)
		index_unlock(s);
	return 0;
}

static void stat_log(struct store *s, struct store_stats *ret)
{
	uint64_t len = 0;
	uint64_t n = 0;

	if (s->log)
		log_extent(s->log, &len, &n);
	ret->n_segments = atomic_load(&s->old_n) + n;
	ret->stored_len =
		atomic_load(&s->old_len) + len + atomic_load(&s->index_len);
}

int store_stat(struct store *s, struct store_stats *ret)
{
	struct store_stats st = { .stored_len = 0 };
	struct cache_stats cache;
	size_t i;

	for (i = 0; i < STORE_N_TOTALS; i++)
		st.totals[i] = (uint64_t)atomic_load(&s->totals[i]);
	/* The two are not of one moment. */
	if (st.totals[TOTAL_FRAME_STORED] > st.totals[TOTAL_LIVE_STORED])
		st.dead_len = st.totals[TOTAL_FRAME_STORED] -
			      st.totals[TOTAL_LIVE_STORED];
	bank_pending_totals(s->bank, st.totals);
	stat_log(s, &st);
	cache_stat(s->cache, &cache);
	st.cache_len = cache.len;
	st.cache_hits = cache.hits;
	st.cache_misses = cache.misses;
	leisure_stat(s, &st);
	ask(s);
	sync_lock(&s->space.lock);
	st.free_len = room_locked(&s->space);
	st.total_len = s->space.total_len;
	sync_unlock(&s->space.lock);
	*ret = st;
	return 0;
}
