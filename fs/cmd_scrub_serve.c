/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub_serve.c - one thread for the job; who serves only looks at what it
 * told.
 *
 * The job's own copy of the state is shared, under the lock, after each step, and
 * written to the store's directory every ten seconds and when it stops.
 */
#include "cmd_scrub.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/report.h"
#include "base/sync.h"
#include "base/workers.h"
#include "cmd_scrub_state.h"
#include "json.h"
#include "volume/volume.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S    UINT64_C(1000000000)
#define PATIENCE_NS (10 * NS_PER_S)
#define SAVE_NS     (10 * NS_PER_S)
#define NAP_NS      (NS_PER_S / 10)

struct scrubber {
	struct work work; /* the job; first, it is cast */
	struct volume *volume;
	struct workers *thread;
	atomic_bool stop;       /* atomic: set by anybody */
	uint64_t rate;          /* the job's, as the next four */
	struct scrub_state now; /* what it works on */
	uint64_t saved_ns;
	uint64_t begin_ns;
	uint64_t begin_bytes; /* of the pass, when the job began */

	struct sync_mutex lock; /* LEAF; all below */
	bool running;
	int rc; /* of the last one */
	uint64_t asked_ns;
	struct scrub_state shown;
};

int scrubber_new(struct volume *volume, struct scrubber **ret)
{
	struct scrubber *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->volume = volume;
	sync_mutex_init(&s->lock, RANK_LEAF);
	/* Without it, or with a damaged one, the next pass begins anew. */
	(void)scrub_state_load(store_dir_fd(volume_store(volume)), &s->now);
	s->shown = s->now;
	rc = workers_new("scrub", 1, 1, &s->thread);
	if (rc < 0)
		scrubber_free(s);
	else
		*ret = s;
	return rc;
}

void scrubber_free(struct scrubber *s)
{
	if (!s)
		return;
	atomic_store(&s->stop, true);
	workers_free(s->thread);
	sync_mutex_release(&s->lock);
	free(s);
}

/* ---- the job -------------------------------------------------------------- */

static uint64_t now_seconds(void)
{
	return (uint64_t)time(NULL);
}

/* What others see. */
static void share(struct scrubber *s)
{
	sync_lock(&s->lock);
	s->shown = s->now;
	if (clock_mono_ns() - s->asked_ns > PATIENCE_NS)
		atomic_store(&s->stop, true);
	sync_unlock(&s->lock);
}

/* Where nothing may be written there is nothing to go on from. The last failure
 * is said. */
static void save(struct scrubber *s, bool last)
{
	struct store *store = volume_store(s->volume);
	int rc = 0;

	s->saved_ns = clock_mono_ns();
	if (store_writable(store) == 0)
		rc = scrub_state_save(store_dir_fd(store), &s->now);
	if (rc < 0 && last)
		report_warn("how far the scrub is cannot be kept: %s, ignoring",
			    error_text(rc));
}

static int is_stopped(void *ctx)
{
	struct scrubber *s = ctx;

	share(s);
	return atomic_load(&s->stop);
}

/* Sleeps while it is ahead of its rate. */
static void throttle(struct scrubber *s)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	double due;

	if (s->rate == 0)
		return;
	due = (double)(s->now.pass.n_bytes - s->begin_bytes) *
	      (double)NS_PER_S / (double)s->rate;
	while (!is_stopped(s) && (double)(clock_mono_ns() - s->begin_ns) < due)
		(void)nanosleep(&nap, NULL);
}

static int step(void *ctx, const struct scrub_pass *pass)
{
	struct scrubber *s = ctx;

	(void)pass; /* it is that of s->now */
	if (clock_mono_ns() - s->saved_ns > SAVE_NS)
		save(s, false);
	throttle(s);
	return is_stopped(s) ? -ECANCELED : 0;
}

static void found(void *ctx, const struct scrub_damage *damage)
{
	struct scrubber *s = ctx;

	scrub_state_add(&s->now, damage);
	report_error("scrub: segment %llu @%llu: frame %llu is damaged: %s",
		     (unsigned long long)damage->segment,
		     (unsigned long long)damage->off,
		     (unsigned long long)damage->frame, error_text(damage->rc));
}

static int scrub_all(struct scrubber *s)
{
	const struct scrub_watch watch = { s, step, found };
	int rc = scrub_run(volume_store(s->volume), &s->now.pass, &watch);

	if (rc == 0)
		rc = scrub_where(s->volume, is_stopped, s, &s->now);
	if (rc == 0)
		s->now.ended = now_seconds();
	save(s, true);
	return rc;
}

static void job_run(struct work *work, unsigned worker)
{
	struct scrubber *s = (struct scrubber *)work;
	int rc;

	(void)worker;
	workers_step_back();
	rc = scrub_all(s);
	sync_lock(&s->lock);
	s->shown = s->now;
	s->rc = rc;
	s->running = false;
	sync_unlock(&s->lock);
}

/* ---- requests ------------------------------------------------------------- */

/* All of the text is one number. */
static int parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

static int start(struct scrubber *s, const char *rate_text)
{
	uint64_t rate = 0;
	int rc = parse_number(rate_text, &rate);

	if (rc < 0)
		return rc;
	sync_lock(&s->lock);
	rc = s->running ? -EBUSY : 0;
	s->running = true;
	s->asked_ns = clock_mono_ns();
	sync_unlock(&s->lock);
	if (rc < 0)
		return rc;
	atomic_store(&s->stop, false);
	if (s->now.begun == 0 || s->now.ended != 0)
		s->now = (struct scrub_state){ .begun = now_seconds() };
	s->rate = rate;
	s->begin_ns = clock_mono_ns();
	s->saved_ns = s->begin_ns;
	s->begin_bytes = s->now.pass.n_bytes;
	s->work.run = job_run;
	workers_submit(s->thread, &s->work);
	return 0;
}

void scrubber_tell(struct scrubber *s, struct json *reply)
{
	sync_lock(&s->lock);
	scrub_state_put(&s->shown, reply);
	sync_unlock(&s->lock);
}

static int poll_job(struct scrubber *s, struct json *reply)
{
	sync_lock(&s->lock);
	s->asked_ns = clock_mono_ns();
	json_bool(reply, "running", s->running);
	if (!s->running) {
		json_u64(reply, "result", (uint64_t)-s->rc);
		if (s->rc < 0)
			json_text(reply, "problem", error_text(s->rc));
	}
	scrub_state_put(&s->shown, reply);
	sync_unlock(&s->lock);
	return 0;
}

static int tell_entry(struct scrubber *s, const char *text, struct json *reply)
{
	uint64_t n = 0;
	int rc = parse_number(text, &n);

	if (rc < 0)
		return rc;
	sync_lock(&s->lock);
	if (n < s->shown.n_entries)
		scrub_entry_put(&s->shown.entries[n], reply);
	else
		rc = -ENODATA;
	sync_unlock(&s->lock);
	return rc;
}

int scrubber_serve(struct scrubber *s, const char *arguments,
		   struct json *reply)
{
	static const char start_word[] = "start ";
	static const char found_word[] = "found ";

	if (strncmp(arguments, start_word, sizeof(start_word) - 1) == 0)
		return start(s, arguments + sizeof(start_word) - 1);
	if (strncmp(arguments, found_word, sizeof(found_word) - 1) == 0)
		return tell_entry(s, arguments + sizeof(found_word) - 1, reply);
	if (strcmp(arguments, "poll") == 0)
		return poll_job(s, reply);
	if (strcmp(arguments, "stop") != 0)
		return -EINVAL;
	atomic_store(&s->stop, true);
	return 0;
}
