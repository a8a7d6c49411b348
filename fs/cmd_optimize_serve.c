/* SPDX-License-Identifier: MIT */
/*
 * cmd_optimize_serve.c - one thread for the job; who serves only looks at what it told.
 */
#include "cmd_optimize.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/sync.h"
#include "base/workers.h"
#include "json.h"
#include "store/optimize.h"
#include "volume/file_chunks.h"
#include "volume/volume.h"

#include <stdlib.h>

enum { INODES_MAX = 512, THREADS_MAX = 64, SAMPLE_LEN = 64 << 20 };

#define PATIENCE_NS UINT64_C(10000000000)

/* What was asked for. The job's own while it runs, but for `estimate`. */
struct wanted {
	struct optimize_options options;
	bool estimate;
	uint64_t inodes[INODES_MAX];
	size_t n_inodes;
};

struct optimizer {
	struct work work; /* the job; first, it is cast */
	struct volume *volume;
	struct workers *thread;
	struct wanted wanted;
	atomic_bool stop;           /* atomic: set by anybody */
	struct file_chunks *chunks; /* the job's */

	struct sync_mutex lock; /* LEAF; all below */
	bool begun;             /* there has been a job */
	bool running;
	int rc; /* of the last one */
	uint64_t asked_ns;
	uint64_t total_len; /* raw bytes to look at; 0: not known */
	uint64_t stored_before;
	uint64_t stored_after;
	struct optimized sum;
	struct optimize_estimate estimate;
};

int optimizer_new(struct volume *volume, struct optimizer **ret)
{
	struct optimizer *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return -ENOMEM;
	o->volume = volume;
	sync_mutex_init(&o->lock, RANK_LEAF);
	rc = workers_new("optimizer", 1, 1, &o->thread);
	if (rc < 0)
		optimizer_free(o);
	else
		*ret = o;
	return rc;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	atomic_store(&o->stop, true);
	workers_free(o->thread);
	sync_mutex_release(&o->lock);
	free(o);
}

/* ---- the job -------------------------------------------------------------- */

static void look_whether_wanted(struct optimizer *o)
{
	bool gone;

	sync_lock(&o->lock);
	gone = clock_mono_ns() - o->asked_ns > PATIENCE_NS;
	sync_unlock(&o->lock);
	if (gone)
		atomic_store(&o->stop, true);
}

static void told(void *ctx, const struct optimized *so_far)
{
	struct optimizer *o = ctx;

	sync_lock(&o->lock);
	o->sum = *so_far;
	sync_unlock(&o->lock);
	look_whether_wanted(o);
}

static int next_chunk(void *ctx, uint64_t *ret)
{
	struct optimizer *o = ctx;

	look_whether_wanted(o);
	if (atomic_load(&o->stop))
		return -ECANCELED;
	return file_chunks_next(o->chunks, ret);
}

static int optimize_files(struct optimizer *o, struct optimized *sum)
{
	struct wanted *w = &o->wanted;
	int rc = file_chunks_new(o->volume, w->inodes, w->n_inodes, &o->chunks);

	if (rc < 0)
		return rc;
	w->options.next = next_chunk;
	w->options.source = o;
	rc = optimize(volume_store(o->volume), &w->options, sum);
	file_chunks_free(o->chunks);
	o->chunks = NULL;
	return rc;
}

static uint64_t stored_now(struct optimizer *o)
{
	struct store_stats stats;

	return store_stat(volume_store(o->volume), &stats) == 0
		       ? stats.stored_len
		       : 0;
}

static void job_run(struct work *work, unsigned worker)
{
	struct optimizer *o = (struct optimizer *)work;
	struct store *s = volume_store(o->volume);
	struct optimized sum = { .looked_len = 0 };
	struct optimize_estimate estimate = { .sampled_len = 0 };
	uint64_t stored;
	int rc;

	(void)worker;
	if (o->wanted.estimate)
		rc = optimize_estimate(s, &o->wanted.options, SAMPLE_LEN,
				       &estimate);
	else if (o->wanted.n_inodes > 0)
		rc = optimize_files(o, &sum);
	else
		rc = optimize(s, &o->wanted.options, &sum);
	stored = stored_now(o);
	sync_lock(&o->lock);
	o->sum = sum;
	o->estimate = estimate;
	o->stored_after = stored;
	o->rc = rc;
	o->running = false;
	sync_unlock(&o->lock);
}

/* ---- requests ------------------------------------------------------------- */

/* The next number of the arguments. -EINVAL: there is none, or it is more than
 * `max`. */
static int take_number(const char **at, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	while (**at == ' ')
		(*at)++;
	if (**at < '0' || **at > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(*at, &end, 10);
	if (errno != 0 || value > max || (*end != ' ' && *end != '\0'))
		return -EINVAL;
	*at = end;
	*ret = value;
	return 0;
}

static int parse(const char *at, struct wanted *ret)
{
	uint64_t frame = 0, speed = 0, threads = 0, idle = 0;

	if (take_number(&at, OPTIMIZE_FRAME_MAX, &frame) < 0 ||
	    (frame != 0 && frame < OPTIMIZE_FRAME_MIN) ||
	    take_number(&at, UINT64_MAX, &speed) < 0 ||
	    take_number(&at, THREADS_MAX, &threads) < 0 ||
	    take_number(&at, 1, &idle) < 0)
		return -EINVAL;
	ret->options = (struct optimize_options){
		.frame_len = frame,
		.min_speed = speed,
		.n_threads = (unsigned)threads,
		.idle = idle == 1,
	};
	while (*at != '\0') {
		if (ret->n_inodes == INODES_MAX || ret->estimate ||
		    take_number(&at, UINT64_MAX,
				&ret->inodes[ret->n_inodes++]) < 0)
			return -EINVAL;
	}
	return 0;
}

static int claim(struct optimizer *o)
{
	int rc = 0;

	sync_lock(&o->lock);
	if (o->running)
		rc = -EBUSY;
	else
		o->running = true;
	sync_unlock(&o->lock);
	return rc;
}

static void begin(struct optimizer *o, const struct wanted *wanted)
{
	struct store_stats stats = { .stored_len = 0 };

	(void)store_stat(volume_store(o->volume), &stats);
	atomic_store(&o->stop, false);
	sync_lock(&o->lock);
	o->wanted = *wanted;
	o->wanted.options.stop = &o->stop;
	o->wanted.options.tell = told;
	o->wanted.options.ctx = o;
	o->begun = true;
	o->rc = 0;
	o->asked_ns = clock_mono_ns();
	o->total_len = wanted->n_inodes > 0 ? 0 : stats.totals[TOTAL_CHUNK_LEN];
	o->stored_before = stats.stored_len;
	o->sum = (struct optimized){ .looked_len = 0 };
	sync_unlock(&o->lock);
	o->work.run = job_run;
	workers_submit(o->thread, &o->work);
}

static int start(struct optimizer *o, const char *arguments, bool estimate)
{
	struct wanted *wanted = calloc(1, sizeof(*wanted));
	int rc = wanted ? store_writable(volume_store(o->volume)) : -ENOMEM;

	if (rc == 0) {
		wanted->estimate = estimate;
		rc = parse(arguments, wanted);
	}
	if (rc == 0)
		rc = claim(o);
	if (rc == 0)
		begin(o, wanted);
	free(wanted);
	return rc;
}

static void put_estimate(const struct optimize_estimate *e, struct json *reply)
{
	json_u64(reply, "sampled_bytes", e->sampled_len);
	json_u64(reply, "before_bytes", e->before_len);
	json_u64(reply, "after_bytes", e->after_len);
	json_u64(reply, "low_permille", (uint64_t)(e->low * 1000));
	json_u64(reply, "high_permille", (uint64_t)(e->high * 1000));
}

static void put_sum(const struct optimizer *o, struct json *reply)
{
	const struct repacked *work = &o->sum.work;

	json_u64(reply, "total_bytes", o->total_len);
	json_u64(reply, "looked_bytes", o->sum.looked_len);
	json_u64(reply, "moved_bytes", work->moved_len);
	json_u64(reply, "freed_bytes", work->freed_len);
	json_u64(reply, "new_bytes", work->new_len);
	json_u64(reply, "frames", work->n_frames);
	json_u64(reply, "slow_frames", work->n_slow);
	json_u64(reply, "stored_before_bytes", o->stored_before);
	if (!o->running)
		json_u64(reply, "stored_after_bytes", o->stored_after);
}

static int poll_job(struct optimizer *o, struct json *reply)
{
	sync_lock(&o->lock);
	if (!o->begun) {
		sync_unlock(&o->lock);
		return -ENODATA;
	}
	o->asked_ns = clock_mono_ns();
	json_bool(reply, "running", o->running);
	if (!o->running) {
		json_u64(reply, "result", (uint64_t)-o->rc);
		if (o->rc < 0)
			json_text(reply, "problem", error_text(o->rc));
	}
	if (!o->wanted.estimate)
		put_sum(o, reply);
	else if (!o->running && o->rc == 0)
		put_estimate(&o->estimate, reply);
	sync_unlock(&o->lock);
	return 0;
}

int optimizer_serve(struct optimizer *o, const char *arguments,
		    struct json *reply)
{
	static const char start_word[] = "start ";
	static const char estimate_word[] = "estimate ";

	if (strncmp(arguments, start_word, sizeof(start_word) - 1) == 0)
		return start(o, arguments + sizeof(start_word) - 1, false);
	if (strncmp(arguments, estimate_word, sizeof(estimate_word) - 1) == 0)
		return start(o, arguments + sizeof(estimate_word) - 1, true);
	if (strcmp(arguments, "poll") == 0)
		return poll_job(o, reply);
	if (strcmp(arguments, "stop") != 0)
		return -EINVAL;
	atomic_store(&o->stop, true);
	return 0;
}
