/* SPDX-License-Identifier: MIT */
/*
 * test_ingest.c - a queue that fills up, and what waits until it is empty.
 * (ingest.c, trainer.c)
 */
#include "unit/store/suites.h"

#include "lib/records.h"
#include "lib/suite.h"
#include "store/codebooks.h"
#include "store/ingest.h"
#include "store/intake.h"
#include "store/state.h"
#include "store/trainer.h"
#include "unit/store/fixture.h"

#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
	LEN = 3000, /* of a chunk */
	LONG_LEN = 64 << 10,
	N_LESSON = 200,
	LESSON_US = 400000, /* more than one takes */
	/* One that runs, one that is taken next, and half of the queue. */
	N_MANY = 34,
};

static struct fixture f;

/* Where the only worker waits with parcels that it has stored. */
static struct {
	struct sync_mutex lock; /* LEAF */
	struct sync_cond moved;
	unsigned n_came GUARDED_BY(lock);
	unsigned n_may GUARDED_BY(lock); /* pass */
} gate;

static void begin(void)
{
	fixture_begin(&f);
	f.toy.options.effort = EFFORT_BALANCED;
	f.toy.options.n_workers = 1;
	f.toy.options.train_after = (size_t)N_LESSON * LEN / 2;
	fixture_reopen(&f);
	sync_mutex_init(&gate.lock, RANK_LEAF);
	sync_cond_init(&gate.moved);
	gate.n_came = 0;
	gate.n_may = 0;
}

static void end(void)
{
	fixture_end(&f);
	sync_cond_release(&gate.moved);
	sync_mutex_release(&gate.lock);
}

static void pass_gate(struct parcel *p, int rc)
{
	unsigned turn;

	(void)p;
	ck_assert_int_eq(rc, 0);
	sync_lock(&gate.lock);
	turn = ++gate.n_came;
	sync_broadcast(&gate.moved);
	while (gate.n_may < turn)
		sync_wait(&gate.moved, &gate.lock);
	sync_unlock(&gate.lock);
}

static void let_pass(unsigned n_may)
{
	sync_lock(&gate.lock);
	gate.n_may = n_may;
	sync_broadcast(&gate.moved);
	sync_unlock(&gate.lock);
}

static void wait_came(unsigned n)
{
	sync_lock(&gate.lock);
	while (gate.n_came < n)
		sync_wait(&gate.moved, &gate.lock);
	sync_unlock(&gate.lock);
}

static void submit(uint64_t seed)
{
	struct parcel *p;

	ck_ok(parcel_get(f.toy.store, true, &p));
	records_fill(2, seed, p->raw, LEN);
	p->raw_len = LEN;
	p->n_chunks = 1;
	p->chunks[0] = (struct parcel_chunk){ .len = LEN };
	p->done = pass_gate;
	ingest_submit(p);
}

/* The worker is at a parcel that it took when half of the queue was full. */
static void press(void)
{
	unsigned i;

	for (i = 0; i < N_MANY; i++)
		submit(i);
	wait_came(1);
	let_pass(1);
	wait_came(2);
}

static void relieve(void)
{
	let_pass(UINT_MAX);
	ingest_drain(f.toy.store);
}

START_TEST(pressed_until_the_queue_is_empty)
{
	begin();
	ck_assert(!ingest_pressed(f.toy.store));
	submit(N_MANY);
	let_pass(UINT_MAX);
	ingest_drain(f.toy.store);
	ck_assert(!ingest_pressed(f.toy.store));
	gate.n_came = 0;
	let_pass(0);
	press();
	ck_assert(ingest_pressed(f.toy.store));
	let_pass(10);
	wait_came(11);
	ck_assert(ingest_pressed(f.toy.store));
	relieve();
	ck_assert(!ingest_pressed(f.toy.store));
	end();
}
END_TEST

static atomic_bool enough; /* atomic: no more parcels are wanted */
static atomic_uint n_chained;

/* A parcel that submits the next one before it has landed: there is always one in
 * flight. */
static void submit_next(struct parcel *p, int rc)
{
	struct parcel *next;

	ck_assert_int_eq(rc, 0);
	atomic_fetch_add(&n_chained, 1);
	if (atomic_load(&enough))
		return;
	ck_ok(parcel_get(p->store, true, &next));
	memcpy(next->raw, p->raw, p->raw_len);
	next->raw_len = p->raw_len;
	next->n_chunks = 1;
	next->chunks[0] = (struct parcel_chunk){ .len = LEN };
	next->done = submit_next;
	ingest_submit(next);
}

START_TEST(drained_beside_a_submitter_who_never_stops)
{
	struct parcel *p;

	begin();
	atomic_store(&enough, false);
	atomic_store(&n_chained, 0);
	ck_ok(parcel_get(f.toy.store, true, &p));
	records_fill(2, 1, p->raw, LEN);
	p->raw_len = LEN;
	p->n_chunks = 1;
	p->chunks[0] = (struct parcel_chunk){ .len = LEN };
	p->done = submit_next;
	ingest_submit(p);
	ingest_drain(f.toy.store);
	ck_assert_uint_ge(atomic_load(&n_chained), 1);
	atomic_store(&enough, true);
	end();
}
END_TEST

static uint64_t newest(void)
{
	return codebooks_newest(f.toy.store->codebooks, CONTENT_JSON);
}

/* Of a parcel with text at `file_off`. */
static size_t goal_at(uint64_t file_off)
{
	struct parcel *p;
	size_t goal;

	ck_ok(parcel_get(f.toy.store, true, &p));
	records_fill(2, 1, p->raw, LEN);
	p->raw_len = LEN;
	p->n_chunks = 1;
	p->chunks[0] =
		(struct parcel_chunk){ .len = LEN, .file_off = file_off };
	goal = parcel_goal(p);
	parcel_put(p);
	return goal;
}

START_TEST(shorter_frames_when_long_files_press)
{
	const uint64_t far = 64 << 20;
	size_t goal;

	begin();
	goal = goal_at(0);
	ck_assert_uint_eq(goal_at(far), goal);
	press();
	ck_assert_uint_eq(goal_at(0), goal);
	ck_assert_uint_lt(goal_at(far), goal);
	relieve();
	ck_assert_uint_eq(goal_at(far), goal);
	end();
}
END_TEST

static void check_stored(struct parcel *p, int rc)
{
	(void)p;
	ck_assert_int_eq(rc, 0);
}

/* What a parcel's frame takes in the log. */
static uint32_t stored_len(uint64_t seed, enum pressure pressure)
{
	struct frame_place place;
	struct parcel *p;

	ck_ok(parcel_get(f.toy.store, true, &p));
	records_fill(2, seed, p->raw, LONG_LEN);
	p->raw_len = LONG_LEN;
	p->n_chunks = 1;
	p->chunks[0] = (struct parcel_chunk){ .len = LONG_LEN };
	p->policy.delta = POLICY_OFF;
	p->done = check_stored;
	intake_run(p, pressure);
	ck_assert(bank_locate(f.toy.store->bank, p->chunks[0].id, &place));
	parcel_put(p);
	return place.payload_len;
}

START_TEST(one_long_file_is_encoded_fastest)
{
	uint32_t pressed;

	begin();
	pressed = stored_len(1, PRESSURE_LONG);
	ck_assert_uint_gt(stored_len(2, PRESSURE_BULK), pressed + pressed / 50);
	end();
}
END_TEST

START_TEST(lessons_wait_for_the_end_of_a_burst)
{
	uint8_t bytes[LEN];
	unsigned i;

	begin();
	for (i = 1; i <= N_LESSON; i++) {
		records_fill(1, i, bytes, LEN);
		ck_ok(toy_put(&f.toy, i, span_of(bytes, LEN)));
	}
	press();
	trainer_tick(f.toy.store->trainer);
	(void)usleep(LESSON_US);
	ck_assert_uint_eq(newest(), 0);
	relieve();
	/* It was not forgotten. */
	for (i = 0; i < 3000 && newest() == 0; i++) {
		trainer_tick(f.toy.store->trainer);
		(void)usleep(20000);
	}
	ck_assert_uint_ne(newest(), 0);
	end();
}
END_TEST

Suite *suite_ingest(void)
{
	const TTest *const tests[] = {
		pressed_until_the_queue_is_empty,
		drained_beside_a_submitter_who_never_stops,
		shorter_frames_when_long_files_press,
		one_long_file_is_encoded_fastest,
		lessons_wait_for_the_end_of_a_burst,
	};

	return suite_of("store/ingest", tests, ARRAY_LEN(tests), 120);
}
