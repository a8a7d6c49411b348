/* SPDX-License-Identifier: MIT */
/*
 * test_powercut.c - what a loss of power may leave, opened and verified.
 *
 * A life of a volume is recorded, call by call. Then many states of the disk
 * are made of it: cut off anywhere, with any part of what was not synced.
 * STATES=n: so many (default 240). SEED=n: other lives.
 */
#include "lib/fault.h"
#include "lib/suite.h"
#include "lib/tape.h"
#include "lib/tmpdir.h"
#include "model/drive.h"
#include "model/observe.h"
#include "model/teach.h"
#include "model/tidy.h"
#include "model/verify.h"
#include "store/checkpoint.h"

#include "base/bytes.h"
#include "base/report.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	CHECKPOINT_EVERY = 17,
	CLEAN_EVERY = 23,
	LIVES = 12,
	WHY = VERIFY_WHY + 200
};

struct life {
	struct tmpdir t;
	char top[PATH_MAX]; /* of `t`, without links */
	char store[PATH_MAX + 8];
	char state[PATH_MAX + 8];
	struct op_mix mix;
	uint64_t seed;
	uint64_t n_steps;
	uint64_t pause_ms; /* between operations, so that time goes by */
	enum tape_lie lie;
	bool drop_rename; /* the volume never hears of one */
	bool cleans;      /* and segments go */
	uint64_t n_removed;
	uint64_t n_deltas; /* frames of deltas, at the end */
	size_t made_at;    /* event at which the store was there */
	size_t end;
};

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void life_init(struct life *l, uint64_t seed)
{
	*l = (struct life){ .seed = seed, .mix = op_mix_small, .n_steps = 120 };
	l->mix.weights[OP_REOPEN] = 2;
	l->cleans = seed % 2 == 1;
	tmpdir_init(&l->t);
	ck_assert_ptr_nonnull(realpath(l->t.path, l->top));
	(void)snprintf(l->store, sizeof(l->store), "%s/store", l->top);
	(void)snprintf(l->state, sizeof(l->state), "%s/state", l->top);
}

static void life_release(struct life *l)
{
	tape_free();
	tmpdir_release(&l->t);
}

/* ---- recording ---------------------------------------------------------------- */

/* One that succeeds, so that its loss shows. */
static bool is_rename(const struct drive *d, const struct op *op)
{
	struct model *m;
	uint64_t before;
	bool changes;
	uint32_t id = 0;

	if (op->kind != OP_RENAME)
		return false;
	m = model_clone(d->m);
	before = model_hash(m);
	(void)op_apply(m, op, &id);
	changes = model_hash(m) != before;
	model_free(m);
	return changes;
}

static void pause_ms(uint64_t ms)
{
	struct timespec t = { .tv_nsec = (long)ms * 1000000 };

	if (ms > 0)
		(void)nanosleep(&t, NULL);
}

static void record_step(struct life *l, struct drive *d, struct rng *rng,
			bool *dropped)
{
	struct op op;

	op_next(rng, d->m, d->mix, &op);
	if (l->drop_rename && !*dropped && d->m->step > l->n_steps / 3 &&
	    is_rename(d, &op))
		*dropped = true;
	else if (!*dropped)
		ck_assert_msg(drive_step(d, &op), "SEED=%llu step %llu: %s",
			      (unsigned long long)l->seed,
			      (unsigned long long)d->m->step, d->why);
	else
		(void)drive_exec(d, &op);
	if (*dropped)
		(void)drive_settle(d, &op);
}

static void clean(struct life *l, struct drive *d)
{
	struct clean_result r;

	ck_ok(tidy_store(volume_store(d->v), &r));
	l->n_removed += r.n_removed;
}

static void record(struct life *l)
{
	struct rng rng = rng_of(l->seed);
	bool dropped = false;
	struct store_stats st;
	struct drive d;

	drive_init(&d, l->store, &l->mix, l->seed);
	d.options.store.n_workers = 1 + (unsigned)(l->seed % 2);
	d.options.store.commit_seconds = 1;
	if (l->cleans)
		d.options.store.segment_len = 1 << 20;
	d.options.store.effort = l->seed % 3 ? EFFORT_BALANCED : EFFORT_STORE;
	tape_begin(l->store, l->lie);
	ck_ok(volume_create(l->store, &(struct store_create_options){ 0 }));
	l->made_at = tape_here();
	ck_ok(drive_open(&d));
	for (uint64_t i = 1; i <= l->n_steps; i++) {
		d.m->step = i;
		tape_begun(i);
		record_step(l, &d, &rng, &dropped);
		if (i % CHECKPOINT_EVERY == 0)
			(void)checkpoint_write(volume_store(d.v));
		if (i % CHECKPOINT_EVERY == CHECKPOINT_EVERY / 2)
			(void)teach_store(volume_store(d.v));
		if (l->cleans && i % CLEAN_EVERY == 0)
			clean(l, &d);
		tape_answered(i);
		pause_ms(l->pause_ms);
	}
	ck_ok(store_stat(volume_store(d.v), &st));
	l->n_deltas = st.totals[TOTAL_KIND_FIRST + ENCODE_DELTA];
	ck_ok(drive_close(&d));
	l->end = tape_here();
	tape_pause();
	drive_release(&d);
}

/* ---- what is left ---------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct tape_cut some_cut(const struct life *l, struct rng *rng)
{
	static const unsigned percents[] = { 0, 0, 5, 50, 90, 100 };
	struct tape_cut cut = { .seed = rng_u64(rng) };

	cut.at = rng_below(rng, l->end + 1);
	if (rng_below(rng, 2)) /* right after an answer: it must hold */
		cut.at = tape_next_answer(cut.at);
	cut.percent = percents[rng_below(rng, ARRAY_LEN(percents))];
	cut.in_order = rng_below(rng, 5) == 0;
	cut.by_file = !cut.in_order && rng_below(rng, 3) == 0;
	return cut;
}

/* Verifies what was found; then lets the volume live on. */
static bool judge(struct drive *d, const struct crash *crash, char *why)
{
	struct model *seen = observe_volume(d->v, why, VERIFY_WHY);
	bool fine = seen && crash_verify(crash, seen, why);

	if (!fine) {
		model_free(seen);
		return false;
	}
	if (drive_read_only(d)) {
		drive_complain(d, "read-only: %s", drive_read_only(d));
		fine = false;
	}
	model_free(d->m);
	d->m = seen;
	fine = fine && drive_check(d) && drive_grow_all(d);
	if (!fine)
		(void)snprintf(why, WHY, "%s", d->why);
	return fine;
}

/* Opens the state and looks; false with `why`. */
static bool look(const struct life *l, struct crash *crash, char *why)
{
	struct model *base = NULL;
	struct drive d;
	bool fine = false;
	int rc;

	drive_init(&d, l->state, &l->mix, l->seed);
	d.options.store.n_workers = 1;
	base = model_clone(d.m);
	crash->base = base;
	rc = drive_open(&d);
	if (rc) {
		(void)snprintf(why, WHY, "it does not open: %d", rc);
	} else {
		fine = judge(&d, crash, why);
		rc = drive_close(&d);
		if (fine && rc)
			(void)snprintf(why, WHY, "it does not close: %d", rc);
		fine = fine && !rc;
	}
	model_free(base);
	drive_release(&d);
	return fine;
}

/* All that it holds is in the log as well. */
static void lose_index(const struct life *l)
{
	static const char *const names[] = { "index.db", "index.db-wal" };
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", l->state, names[i]);
		ck_assert(unlink(path) == 0 || errno == ENOENT);
	}
}

/* A store that was not yet made need not open. */
static bool try_cut(const struct life *l, const struct tape_cut *cut, char *why)
{
	struct crash crash = { .mix = &l->mix, .seed = l->seed };
	char what[WHY];
	bool fine;

	tape_restore(cut, l->state, &crash.n_begun, &crash.n_answered);
	if (cut->seed % 3 == 0)
		lose_index(l);
	fine = look(l, &crash, what) || cut->at < l->made_at;
	if (!fine)
		(void)snprintf(why, (size_t)2 * WHY,
			       "life %llu cut at event %zu of %zu, %u%% %s, "
			       "seed %#llx: %s",
			       (unsigned long long)l->seed, cut->at, l->end,
			       cut->percent,
			       cut->in_order  ? "in order"
			       : cut->by_file ? "by file"
					      : "",
			       (unsigned long long)cut->seed, what);
	/* KEEP=1 leaves the state where it is. */
	if (fine || !getenv("KEEP"))
		ck_assert_int_eq(
			nftw(l->state, remove_one, 16, FTW_DEPTH | FTW_PHYS),
			0);
	return fine;
}

/* How many of `n` states are wrong; stops at the first when `why` is given. */
static uint64_t try_cuts(const struct life *l, uint64_t n, char *why)
{
	struct rng rng = rng_of(l->seed ^ 0xc0ffee);
	char ignored[2 * WHY];
	uint64_t n_bad = 0;

	for (uint64_t i = 0; i < n && !(why && n_bad > 0); i++) {
		struct tape_cut cut = some_cut(l, &rng);

		n_bad += !try_cut(l, &cut, why ? why : ignored);
	}
	return n_bad;
}

START_TEST(every_state_is_allowed)
{
	uint64_t seed = number_of("SEED", 1);
	uint64_t n = number_of("STATES", 240);
	char why[2 * WHY] = "";

	for (uint64_t i = 0; i < LIVES; i++) {
		struct life l;

		life_init(&l, seed + i);
		l.pause_ms = i % 4 == 3 ? 20 : 0;
		record(&l);
		ck_assert_msg(try_cuts(&l, n / LIVES, why) == 0, "%s", why);
		life_release(&l);
	}
}
END_TEST

/* So much that a mount begins several segments. */
START_TEST(every_state_of_much_data_is_allowed)
{
	uint64_t seed = number_of("SEED", 1);
	char why[2 * WHY] = "";
	struct life l;

	life_init(&l, seed);
	l.n_steps = 160;
	l.mix.weights[OP_WRITE] = 120;
	l.mix.weights[OP_REOPEN] = 0;
	l.mix.max_write = 3 * MIB;
	l.mix.max_size = 16 * MIB;
	l.mix.hard = true;
	record(&l);
	ck_assert_uint_gt(l.n_deltas, 0);
	ck_assert_uint_gt(l.n_removed, 0);
	ck_assert_msg(try_cuts(&l, number_of("STATES", 240) / 16, why) == 0,
		      "%s", why);
	life_release(&l);
}
END_TEST

/* ---- it can fail ------------------------------------------------------------------- */

/* Each of several lives gives it away. */
static void must_be_found(enum tape_lie lie, bool drop_rename)
{
	for (uint64_t seed = 300; seed < 303; seed++) {
		struct life l;

		life_init(&l, seed);
		l.lie = lie;
		l.drop_rename = drop_rename;
		record(&l);
		report_silence(true);
		ck_assert_uint_gt(try_cuts(&l, 60, NULL), 0);
		report_silence(false);
		life_release(&l);
	}
}

START_TEST(a_sync_that_does_nothing_is_found)
{
	must_be_found(TAPE_NO_SYNC, false);
}
END_TEST

START_TEST(a_commit_before_its_data_is_found)
{
	must_be_found(TAPE_COMMIT_ONLY, false);
}
END_TEST

START_TEST(a_dropped_rename_is_found)
{
	must_be_found(TAPE_HONEST, true);
}
END_TEST

static Suite *suite_powercut(void)
{
	const TTest *const tests[] = {
		every_state_is_allowed,
		every_state_of_much_data_is_allowed,
	};

	return suite_of("crash/powercut", tests, ARRAY_LEN(tests),
			(double)number_of("TIMEOUT", 600));
}

static Suite *suite_planted(void)
{
	const TTest *const tests[] = {
		a_sync_that_does_nothing_is_found,
		a_commit_before_its_data_is_found,
		a_dropped_rename_is_found,
	};

	return suite_of("crash/planted", tests, ARRAY_LEN(tests), 300);
}

int main(void)
{
	static const suite_maker suites[] = { suite_powercut, suite_planted,
					      NULL };

	report_level_set(REPORT_ERROR);
	fault_vfs_install();
	fault_skip_syncs(true);
	return suite_run(suites);
}
