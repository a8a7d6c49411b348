/* SPDX-License-Identifier: MIT */
/*
 * test_faults.c - one call to the disk fails, each in its turn.
 *
 * The same life is lived again and again; the n-th call of a kind fails, once
 * or for good. The error has to reach the caller, nothing may crash or hang,
 * and what was durable before has to be there when the disk is well again.
 * FAULTS=n: at most so many of each kind (default: all). KIND=n: only that
 * kind. SEED=n: another life.
 */
#include "lib/fault.h"
#include "lib/suite.h"
#include "lib/tape.h"
#include "lib/tmpdir.h"
#include "model/drive.h"
#include "model/observe.h"
#include "model/tidy.h"
#include "model/verify.h"
#include "store/checkpoint.h"

#include "base/bytes.h"
#include "base/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STEPS = 90,
	CHECKPOINT_AT = 40,
	CLEAN_AT = 75,
	REOPEN_AT = 60,
	HANG_S = 60
};

struct attempt {
	struct tmpdir t;
	char path[300];
	struct drive d;
	struct rng rng;
	uint64_t seed;
	struct crash crash; /* what has to hold in the end */
	enum fault_call call;
	uint64_t nth;
	int err;
	bool for_good;
	bool told; /* by what is not an operation */
};

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void attempt_init(struct attempt *a, uint64_t seed)
{
	*a = (struct attempt){ .seed = seed, .rng = rng_of(seed) };
	tmpdir_init(&a->t);
	(void)snprintf(a->path, sizeof(a->path), "%s/store", a->t.path);
	drive_init(&a->d, a->path, &op_mix_small, seed);
	a->d.options.store.n_workers = 1;
	a->d.options.store.effort = EFFORT_BALANCED;
	a->d.options.store.cache_len = MIB; /* so that reads read */
	a->crash.mix = &op_mix_small;
	a->crash.seed = seed;
	fault_reset();
	ck_ok(volume_create(a->path, &(struct store_create_options){ 0 }));
}

static void attempt_release(struct attempt *a)
{
	drive_release(&a->d);
	tmpdir_release(&a->t);
}

#define attempt_ok(a, expr, what)                                       \
 ck_assert_msg((expr), "SEED=%llu, %s number %llu%s fails with %d: %s", \
	       (unsigned long long)(a)->seed, fault_name((a)->call),    \
	       (unsigned long long)(a)->nth,                            \
	       (a)->for_good ? " and later" : "", (a)->err, (what))

/* ---- one life -------------------------------------------------------------------- */

/* False: the disk's failure has reached us, or an answer is wrong. */
static bool live_step(struct attempt *a)
{
	struct drive *d = &a->d;
	struct model *twin;
	uint32_t id = 0;
	struct op op;
	int64_t got, want;

	op_next(&a->rng, d->m, d->mix, &op);
	a->crash.n_begun++;
	d->m->step = a->crash.n_begun;
	got = drive_exec(d, &op);
	attempt_ok(a, !d->bad, d->why);
	twin = model_clone(d->m);
	want = op_apply(twin, &op, &id);
	model_free(twin);
	if (!drive_same(&op, got, want)) {
		attempt_ok(a, fault_fired() && got < 0, "a wrong answer");
		return false;
	}
	(void)drive_settle(d, &op);
	attempt_ok(a, !d->bad, d->why);
	a->crash.n_answered++;
	return true;
}

static void write_checkpoint(struct attempt *a)
{
	int rc = checkpoint_write(volume_store(a->d.v));

	attempt_ok(a, rc == 0 || fault_fired(), "a checkpoint fails by itself");
}

static void clean(struct attempt *a)
{
	int rc = tidy_store(volume_store(a->d.v), NULL);

	attempt_ok(a, rc == 0 || fault_fired(), "cleaning fails by itself");
	a->told |= rc < 0;
}

/* The volume may be closed afterwards (d->v is NULL). */
static void live(struct attempt *a)
{
	struct drive *d = &a->d;
	int rc = drive_open(d);

	while (!rc && a->crash.n_begun < STEPS) {
		if (!live_step(a))
			return;
		if (a->crash.n_begun == CHECKPOINT_AT)
			write_checkpoint(a);
		if (a->crash.n_begun == CLEAN_AT)
			clean(a);
		if (a->crash.n_begun != REOPEN_AT)
			continue;
		rc = drive_close(d);
		if (rc)
			break;
		a->crash.n_synced = a->crash.n_answered;
		rc = drive_open(d);
		if (rc)
			d->v = NULL;
	}
	if (rc)
		d->v = NULL;
	attempt_ok(a, !rc || fault_fired(), "open or close fails by itself");
}

/* Whether a volume whose log is in doubt takes nothing new. */
static void check_read_only(struct attempt *a)
{
	struct volume_new what = { .mode = S_IFREG | 0600 };
	struct volume_attr attr;
	int rc = volume_make(a->d.v, VOLUME_ROOT, span_of("late", 4), &what,
			     &attr);

	attempt_ok(a, rc == -EROFS || rc == -EIO,
		   "not read-only after a failed sync");
}

/* After the failure: what is said to be durable now, is promised. */
static void settle(struct attempt *a, bool stopped)
{
	struct drive *d = &a->d;
	int rc;

	if (!d->v)
		return;
	rc = volume_sync(d->v);
	if (rc == 0)
		a->crash.n_synced = a->crash.n_answered;
	attempt_ok(a, rc == 0 || fault_fired(), "sync fails by itself");
	if (stopped && a->call == CALL_FDATASYNC && rc)
		check_read_only(a);
	if (drive_close(d) == 0)
		a->crash.n_synced = a->crash.n_answered;
	else
		stopped = true;
	/* A sync that failed in silence is a promise that was not kept. */
	if (fault_fired() &&
	    (a->call == CALL_FDATASYNC || a->call == CALL_FSYNC))
		attempt_ok(a, stopped || rc || a->told, "nobody was told");
}

/* The disk is well again. */
static void look(struct attempt *a)
{
	char why[VERIFY_WHY] = "";
	struct model *base = model_new();
	struct drive *d = &a->d;
	struct model *seen;
	int rc;

	base->nodes[MODEL_ROOT]->uid = getuid();
	base->nodes[MODEL_ROOT]->gid = getgid();
	a->crash.base = base;
	fault_reset();
	rc = drive_open(d);
	(void)snprintf(why, sizeof(why), "it does not open again: %d", rc);
	attempt_ok(a, rc == 0, why);
	attempt_ok(a, !drive_read_only(d), drive_read_only(d));
	seen = observe_volume(d->v, why, sizeof(why));
	attempt_ok(a, seen && crash_verify(&a->crash, seen, why), why);
	attempt_ok(a, drive_check(d), d->why);
	rc = drive_close(d);
	attempt_ok(a, rc == 0, "it does not close");
	model_free(seen);
	model_free(base);
}

static void attempt(uint64_t seed, const struct attempt *plan)
{
	struct attempt a;
	bool stopped;

	(void)alarm(HANG_S);
	attempt_init(&a, seed);
	a.call = plan->call;
	a.nth = plan->nth;
	a.err = plan->err;
	a.for_good = plan->for_good;
	report_silence(true);
	fault_arm(FAULT(a.call), a.nth, a.err, a.for_good);
	live(&a);
	stopped = !a.d.v || a.crash.n_begun > a.crash.n_answered;
	settle(&a, stopped);
	look(&a);
	report_silence(false);
	attempt_release(&a);
	(void)alarm(0);
}

/* ---- all of them ------------------------------------------------------------------- */

/* How often each kind is called when nothing fails. */
static void count_calls(uint64_t seed, uint64_t *counts)
{
	struct attempt a;

	attempt_init(&a, seed);
	fault_reset();
	live(&a);
	settle(&a, false);
	for (int i = 0; i < FAULT_CALLS; i++)
		counts[i] = fault_count((enum fault_call)i);
	attempt_release(&a);
}

static int errors_of(enum fault_call call, int *errs)
{
	errs[0] = -EIO;
	errs[1] = -ENOSPC;
	return call == CALL_PWRITE || call == CALL_ALLOCATE ||
			       call == CALL_OPEN || call == CALL_DB_WRITE
		       ? 2
		       : 1;
}

static void fail_all(uint64_t seed, enum fault_call call, uint64_t count)
{
	uint64_t most = number_of("FAULTS", 0);
	uint64_t step = most && count > most ? (count + most - 1) / most : 1;
	int errs[2];
	int n_errs = errors_of(call, errs);

	for (uint64_t n = 1 + seed % step; n <= count; n += step)
		for (int i = 0; i < 2 * n_errs; i++) {
			struct attempt plan = { .call = call,
						.nth = n,
						.err = errs[i / 2],
						.for_good = i % 2 };

			attempt(seed, &plan);
		}
}

START_TEST(each_call_fails)
{
	uint64_t seed = number_of("SEED", 7);
	uint64_t only = number_of("KIND", FAULT_CALLS);
	uint64_t counts[FAULT_CALLS];

	count_calls(seed, counts);
	ck_assert_uint_gt(counts[CALL_PWRITE], 0);
	ck_assert_uint_gt(counts[CALL_FDATASYNC], 0);
	ck_assert_uint_gt(counts[CALL_DB_WRITE], 0);
	for (int i = 0; i < FAULT_CALLS; i++) {
		if (only != FAULT_CALLS && only != (uint64_t)i)
			continue;
		if (getenv("TRACE"))
			(void)fprintf(stderr, "%s: %llu calls\n",
				      fault_name((enum fault_call)i),
				      (unsigned long long)counts[i]);
		fail_all(seed, (enum fault_call)i, counts[i]);
	}
}
END_TEST

/* A store that could not be made leaves nothing, and can be made then. */
START_TEST(each_call_fails_while_a_store_is_made)
{
	struct store_create_options options = { 0 };

	for (int call = 0; call < FAULT_CALLS; call++)
		for (uint64_t n = 1; n < 12; n++) {
			struct tmpdir t;
			char path[300];
			int rc;

			tmpdir_init(&t);
			(void)snprintf(path, sizeof(path), "%s/s", t.path);
			fault_reset();
			fault_arm(FAULT(call), n, -EIO, false);
			rc = volume_create(path, &options);
			ck_assert_msg(rc == 0 || fault_fired(), "rc %d", rc);
			if (!fault_fired())
				n = 12;
			fault_reset();
			if (rc) {
				rc = volume_create(path, &options);
				ck_assert_msg(rc == 0, "%s %llu: again: %d",
					      fault_name((enum fault_call)call),
					      (unsigned long long)n, rc);
			}
			tmpdir_release(&t);
		}
}
END_TEST

static Suite *suite_faults(void)
{
	const TTest *const tests[] = {
		each_call_fails_while_a_store_is_made,
		each_call_fails,
	};

	return suite_of("crash/faults", tests, ARRAY_LEN(tests),
			(double)number_of("TIMEOUT", 900));
}

int main(void)
{
	static const suite_maker suites[] = { suite_faults, NULL };

	report_level_set(REPORT_ERROR);
	fault_vfs_install();
	fault_skip_syncs(true);
	return suite_run(suites);
}
