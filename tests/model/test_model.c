/* SPDX-License-Identifier: MIT */
/*
 * test_model.c - long random lives of a volume beside the model.
 *
 * SEED=n runs that seed only, STEPS=n that many steps of it, TRACE=1 prints
 * them. ROUNDS=n: crashes. CK_RUN_SUITE=model/lives (or killed, threads).
 */
#include "model/drive.h"
#include "model/observe.h"
#include "model/teach.h"
#include "model/tidy.h"
#include "model/verify.h"

#include "base/bytes.h"
#include "base/report.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static const char *store_path(const struct tmpdir *t)
{
	static char path[300];

	(void)snprintf(path, sizeof(path), "%s/store", t->path);
	return path;
}

/* Small caches now and then, so that things are evicted. */
static struct volume_options some_options(uint64_t seed)
{
	struct rng rng = rng_of(seed * 77);
	struct volume_options o = { 0 };

	o.store.n_workers = 1 + (unsigned)rng_below(&rng, 3);
	o.store.effort = (enum encode_effort)rng_below(&rng, ENCODE_N_EFFORTS);
	if (rng_below(&rng, 2))
		o.store.cache_len = (4 + rng_below(&rng, 8)) * MIB;
	if (rng_below(&rng, 2))
		o.dirty_len = (1 + rng_below(&rng, 8)) * MIB;
	if (rng_below(&rng, 2))
		o.n_inodes = 4 + (unsigned)rng_below(&rng, 30);
	o.store.commit_seconds = 1 + (unsigned)rng_below(&rng, 5);
	if (rng_below(&rng, 2)) {
		o.store.segment_len = (1 + rng_below(&rng, 4)) * MIB;
		o.store.checkpoint_len = 1 + rng_below(&rng, 30000);
	}
	return o;
}

#define drive_ok(d, expr, seed) \
 ck_assert_msg((expr), "SEED=%llu: %s", (unsigned long long)(seed), (d)->why)

/* ---- one thread, one long life ------------------------------------------------- */

/* The index is lost: everything is in the log. */
static void lose_index(const char *store)
{
	static const char *const names[] = { "index.db", "index.db-wal" };
	char path[400];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", store, names[i]);
		ck_assert(unlink(path) == 0 || errno == ENOENT);
	}
}

/* Checkpoints are written between the steps, and while nobody steps, and segments
 * removed. */
static bool run_with_checkpoints(struct drive *d, struct rng *rng,
				 uint64_t steps, uint64_t *n_removed)
{
	uint64_t slice = steps / 5 + 1;
	struct clean_result cleaned;

	for (uint64_t done = 0; done < steps; done += slice) {
		if (!drive_run(d, rng, done, min_u64(slice, steps - done)))
			return false;
		ck_ok(teach_store(volume_store(d->v)));
		ck_ok(checkpoint_write(volume_store(d->v)));
		ck_ok(tidy_store(volume_store(d->v), &cleaned));
		*n_removed += cleaned.n_removed;
	}
	return true;
}

/* Frames of deltas in the store. */
static uint64_t n_deltas(const struct drive *d)
{
	struct store_stats st;

	ck_ok(store_stat(volume_store(d->v), &st));
	return st.totals[TOTAL_KIND_FIRST + ENCODE_DELTA];
}

/* What came to be of several lives. */
struct lived {
	uint64_t n_deltas;  /* frames of them */
	uint64_t n_removed; /* segments */
};

static void live(uint64_t seed, uint64_t steps, struct lived *ret)
{
	struct rng rng = rng_of(seed);
	struct tmpdir t;
	struct drive d;

	tmpdir_init(&t);
	drive_init(&d, store_path(&t), &op_mix_all, seed);
	d.options = some_options(seed);
	ck_ok(volume_create(d.path, &(struct store_create_options){ 0 }));
	ck_ok(drive_open(&d));
	drive_ok(&d, run_with_checkpoints(&d, &rng, steps, &ret->n_removed),
		 seed);
	drive_ok(&d, drive_compare(&d), seed);
	ck_ok(drive_close(&d));
	ck_ok(drive_open(&d));
	drive_ok(&d, drive_compare(&d), seed);
	drive_ok(&d, drive_check(&d), seed);
	ck_ok(drive_close(&d));
	lose_index(d.path);
	ck_ok(drive_open(&d));
	ck_assert(store_opened(volume_store(d.v))->from_checkpoint);
	drive_ok(&d, drive_compare(&d), seed);
	drive_ok(&d, drive_check(&d), seed);
	ret->n_deltas += n_deltas(&d);
	ck_ok(drive_close(&d));
	drive_release(&d);
	tmpdir_release(&t);
}

START_TEST(random_lives)
{
	uint64_t steps = number_of("STEPS", 700);
	uint64_t seed = number_of("SEED", 0);

	struct lived all = { 0 };

	if (seed) {
		live(seed, steps, &all);
		return;
	}
	for (seed = 1; seed <= number_of("SEEDS", 6); seed++)
		live(seed, steps, &all);
	ck_assert_uint_gt(all.n_deltas, 0);
	ck_assert_uint_gt(all.n_removed, 0);
}
END_TEST

/* ---- killed at random moments ---------------------------------------------------- */

/* What the child needs, and the parent after it. */
struct round {
	uint64_t seed;
	uint64_t n_steps;
	uint64_t kill_after;  /* answered operations */
	uint64_t pause_ns;    /* then */
	uint64_t clean_every; /* steps; 0: never */
	int to_parent[2];
};

/* The child: one byte for each operation answered. Never returns. */
static void work_until_killed(struct drive *d, const struct round *r)
{
	struct rng rng = rng_of(r->seed);
	uint8_t byte = 'a';

	if (drive_open(d))
		_exit(3);
	for (uint64_t i = 0; i < r->n_steps; i++) {
		if (!drive_run(d, &rng, i, 1)) {
			(void)fprintf(stderr, "child: %s\n", d->why);
			_exit(4);
		}
		if (write(r->to_parent[1], &byte, 1) != 1)
			_exit(5);
		if (r->clean_every != 0 && i % r->clean_every == 0)
			(void)tidy_store(volume_store(d->v), NULL);
	}
	(void)pause();
	_exit(6);
}

/* Kills the child after some operations; returns how many it answered. */
static uint64_t watch(pid_t child, const struct round *r)
{
	struct timespec pause = { .tv_nsec = (long)r->pause_ns };
	uint64_t n = 0;
	uint8_t byte;
	int status = 0;

	(void)close(r->to_parent[1]);
	while (n < r->kill_after && read(r->to_parent[0], &byte, 1) == 1)
		n++;
	(void)nanosleep(&pause, NULL);
	(void)kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	while (read(r->to_parent[0], &byte, 1) == 1)
		n++;
	(void)close(r->to_parent[0]);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
		      "SEED=%llu: the child ended by itself, status %#x",
		      (unsigned long long)r->seed, (unsigned)status);
	return n;
}

/* What the crash left becomes the base of the next round. */
static void look_after_crash(struct drive *d, const struct round *r, uint64_t n)
{
	struct crash crash = {
		.base = d->m,
		.mix = d->mix,
		.seed = r->seed,
		.n_answered = n,
		.n_begun = n < r->n_steps ? n + 1 : n,
	};
	char why[VERIFY_WHY];
	struct model *seen;

	ck_ok(drive_open(d));
	ck_assert_msg(!drive_read_only(d), "SEED=%llu: read-only: %s",
		      (unsigned long long)r->seed, drive_read_only(d));
	seen = observe_volume(d->v, why, sizeof(why));
	ck_assert_msg(seen && crash_verify(&crash, seen, why),
		      "SEED=%llu, %llu steps answered: %s",
		      (unsigned long long)r->seed, (unsigned long long)n, why);
	model_free(d->m);
	d->m = seen;
	drive_ok(d, drive_compare(d), r->seed);
	drive_ok(d, drive_check(d), r->seed);
	if (r->seed % 4 == 0)
		drive_ok(d, drive_grow_all(d), r->seed);
	ck_ok(drive_close(d));
}

static void crash_once(struct drive *d, uint64_t seed)
{
	struct rng rng = rng_of(seed ^ 0x5eed);
	struct round r = { .seed = seed, .n_steps = 400 };
	pid_t child;

	r.kill_after = rng_below(&rng, 300);
	r.pause_ns = rng_below(&rng, 3) ? rng_below(&rng, 20000000)
					: rng_below(&rng, 500000);
	r.clean_every = rng_below(&rng, 3) ? 10 + rng_below(&rng, 40) : 0;
	d->options = some_options(seed);
	ck_ok(pipe2(r.to_parent, O_CLOEXEC));
	(void)fflush(NULL);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		(void)close(r.to_parent[0]);
		work_until_killed(d, &r);
	}
	look_after_crash(d, &r, watch(child, &r));
}

START_TEST(killed_and_reopened)
{
	uint64_t seed = number_of("SEED", 1000);
	uint64_t n = number_of("ROUNDS", 25);
	struct tmpdir t;
	struct drive d;

	tmpdir_init(&t);
	drive_init(&d, store_path(&t), &op_mix_crash, seed);
	ck_ok(volume_create(d.path, &(struct store_create_options){ 0 }));
	for (uint64_t i = 0; i < n; i++)
		crash_once(&d, seed + i);
	drive_release(&d);
	tmpdir_release(&t);
}
END_TEST

/* ---- several threads -------------------------------------------------------------- */

enum { THREADS = 4, REGION = 96 << 10 /* of the shared file, to each */ };

struct member {
	struct drive d;
	pthread_t thread;
	uint64_t seed;
	unsigned index;
	uint64_t shared_ino;
	uint64_t steps;
};

/* Bytes of our own region of the file that all write to. */
static void share(struct member *me, struct rng *rng)
{
	uint64_t off = (uint64_t)me->index * REGION;
	size_t len = REGION / 2 + rng_below(rng, REGION / 2);
	struct file_read r;
	size_t done = 0;

	fill_bytes(FILL_TEXT, rng_u64(rng), me->d.want, len);
	if (file_write(me->d.v, me->shared_ino, off, span_of(me->d.want, len),
		       0) ||
	    (rng_below(rng, 4) == 0 && file_fsync(me->d.v, me->shared_ino)) ||
	    file_read(me->d.v, me->shared_ino, off, len, &r)) {
		drive_complain(&me->d, "the shared file fails");
		return;
	}
	for (int i = 0; i < r.n_iov; i++) {
		if (memcmp(r.iov[i].iov_base, me->d.want + done,
			   r.iov[i].iov_len) != 0)
			drive_complain(&me->d, "the shared file is wrong");
		done += r.iov[i].iov_len;
	}
	if (done != len)
		drive_complain(&me->d, "the shared file is short");
	file_read_done(&r);
}

static void *member_run(void *arg)
{
	struct member *me = arg;
	struct rng rng = rng_of(me->seed);

	for (uint64_t i = 0; i < me->steps && !me->d.bad; i += 10) {
		if (!drive_run(&me->d, &rng, i, 10))
			break;
		share(me, &rng);
	}
	return NULL;
}

static uint64_t make_node(struct volume *v, const char *name, uint32_t mode)
{
	struct volume_new what = { .mode = mode };
	struct volume_attr attr;

	ck_ok(volume_make(v, VOLUME_ROOT, span_of(name, strlen(name)), &what,
			  &attr));
	return attr.ino;
}

static void members_init(struct member *members, struct volume *v,
			 const char *path)
{
	uint64_t shared = make_node(v, "shared", S_IFREG | 0644);
	uint64_t seed = number_of("SEED", 50);
	char name[16];

	for (unsigned i = 0; i < THREADS; i++) {
		struct member *me = &members[i];

		*me = (struct member){ .seed = seed + i,
				       .index = i,
				       .shared_ino = shared,
				       .steps = number_of("STEPS", 1000) };
		drive_init(&me->d, path, &op_mix_all, me->seed);
		(void)snprintf(name, sizeof(name), "dir%u", i);
		me->d.root = make_node(v, name, S_IFDIR | 0755);
		me->d.m->nodes[MODEL_ROOT]->ino = me->d.root;
		me->d.shared = true;
		me->d.v = v;
	}
}

/* Cleans all the time. */
struct cleaner {
	struct store *s;
	atomic_bool end;
	pthread_t thread;
};

static void *clean_always(void *arg)
{
	struct cleaner *c = arg;

	while (!atomic_load(&c->end))
		ck_ok(tidy_store(c->s, NULL));
	return NULL;
}

static void run_members(struct member *members)
{
	struct cleaner cleaner = { .s = volume_store(members[0].d.v) };

	ck_ok(pthread_create(&cleaner.thread, NULL, clean_always, &cleaner));
	for (unsigned i = 0; i < THREADS; i++)
		ck_ok(pthread_create(&members[i].thread, NULL, member_run,
				     &members[i]));
	for (unsigned i = 0; i < THREADS; i++)
		ck_ok(pthread_join(members[i].thread, NULL));
	atomic_store(&cleaner.end, true);
	ck_ok(pthread_join(cleaner.thread, NULL));
	for (unsigned i = 0; i < THREADS; i++) {
		struct member *me = &members[i];

		drive_ok(&me->d, !me->d.bad && drive_compare(&me->d), me->seed);
	}
}

/* After a reopening: orphans are gone, references too. */
static void look_again(struct member *me, struct volume *v)
{
	struct model *m = me->d.m;

	me->d.v = v;
	for (uint32_t id = 0; id < m->n_nodes; id++) {
		struct model_node *node = model_get(m, id);

		if (node && !model_is_linked(node))
			model_drop(m, id);
		else if (node)
			node->refs = 0;
	}
	drive_ok(&me->d, drive_compare(&me->d), me->seed);
}

START_TEST(threads_in_their_own_directories)
{
	struct volume_options options = { .n_inodes = 100,
					  .dirty_len = 8 * MIB,
					  .store.segment_len = 2 * MIB };
	struct member members[THREADS];
	struct volume *v = NULL;
	struct drive all = { 0 };
	struct tmpdir t;

	tmpdir_init(&t);
	ck_ok(volume_create(store_path(&t),
			    &(struct store_create_options){ 0 }));
	ck_ok(volume_open(store_path(&t), &options, &v));
	members_init(members, v, store_path(&t));
	run_members(members);
	ck_ok(volume_close(v));
	ck_ok(volume_open(store_path(&t), &options, &v));
	for (unsigned i = 0; i < THREADS; i++) {
		look_again(&members[i], v);
		drive_release(&members[i].d);
	}
	all.v = v;
	drive_ok(&all, drive_check(&all), 0);
	ck_ok(volume_close(v));
	tmpdir_release(&t);
}
END_TEST

static double limit_s(void)
{
	return (double)number_of("TIMEOUT", 600);
}

static Suite *suite_lives(void)
{
	const TTest *const tests[] = { random_lives };

	return suite_of("model/lives", tests, ARRAY_LEN(tests), limit_s());
}

static Suite *suite_killed(void)
{
	const TTest *const tests[] = { killed_and_reopened };

	return suite_of("model/killed", tests, ARRAY_LEN(tests), limit_s());
}

static Suite *suite_threads(void)
{
	const TTest *const tests[] = { threads_in_their_own_directories };

	return suite_of("model/threads", tests, ARRAY_LEN(tests), limit_s());
}

int main(void)
{
	static const suite_maker suites[] = { suite_lives, suite_killed,
					      suite_threads, NULL };

	report_level_set(REPORT_WARN);
	return suite_run(suites);
}
