/* SPDX-License-Identifier: MIT */
/*
 * test_pipeline.c - tests of src/stream/pipeline.c.
 */
#include "unit/stream/suites.h"

#include "lib/suite.h"
#include "stream/pipeline.h"

#include <stdatomic.h>
#include <time.h>

enum { BUF_LEN = 64, N_JOBS = 500 };

struct line {
	atomic_int n_worked;
	uint64_t n_written;
	uint64_t work_fails_at; /* raw_off, UINT64_MAX: never */
	uint64_t write_fails_at;
	bool uneven; /* some jobs take longer */
};

static int work(void *ctx, unsigned worker, struct parcel *p, uint8_t *out)
{
	struct line *l = ctx;
	const struct timespec nap = { .tv_nsec = 1000000 };
	size_t i;

	ck_assert_uint_lt(worker, 4);
	if (l->uneven && p->raw_off % 7 == 0)
		(void)nanosleep(&nap, NULL);
	for (i = 0; i < p->len; i++)
		out[i] = p->buf[i] ^ 0xff;
	atomic_fetch_add(&l->n_worked, 1);
	return p->raw_off == l->work_fails_at ? -ENOMEM : 0;
}

static int write(void *ctx, const struct parcel *p)
{
	struct line *l = ctx;
	size_t n_wrong = 0;
	size_t i;

	if (p->rc < 0)
		return p->rc;
	ck_assert_uint_eq(p->raw_off, l->n_written);
	ck_assert_uint_eq(p->len, p->raw_off % BUF_LEN + 1);
	for (i = 0; i < p->len; i++)
		n_wrong += p->buf[i] != ((uint8_t)(p->raw_off + i) ^ 0xff);
	ck_assert_uint_eq(n_wrong, 0);
	l->n_written++;
	return p->raw_off == l->write_fails_at ? -ENOSPC : 0;
}

static struct pipeline *start(struct line *l, unsigned n_workers)
{
	const struct pipeline_options options = {
		.n_workers = n_workers,
		.buf_len = BUF_LEN,
		.ctx = l,
		.work = work,
		.write = write,
	};
	struct pipeline *p;

	ck_ok(pipeline_new(&options, &p));
	return p;
}

/* Submits until it fails. */
static int feed(struct pipeline *p, uint64_t n)
{
	struct parcel *parcel;
	uint64_t i;
	size_t k;
	int rc;

	for (i = 0; i < n; i++) {
		rc = pipeline_get(p, &parcel);
		if (rc < 0)
			return rc;
		parcel->raw_off = i;
		parcel->len = i % BUF_LEN + 1;
		for (k = 0; k < parcel->len; k++)
			parcel->buf[k] = (uint8_t)(i + k);
		pipeline_submit(p, parcel);
	}
	return pipeline_drain(p);
}

START_TEST(order_is_kept)
{
	unsigned n_workers;

	for (n_workers = 1; n_workers <= 4; n_workers++) {
		struct line l = { .work_fails_at = UINT64_MAX,
				  .write_fails_at = UINT64_MAX,
				  .uneven = true };
		struct pipeline *p = start(&l, n_workers);

		ck_ok(feed(p, N_JOBS));
		ck_assert_uint_eq(l.n_written, N_JOBS);
		/* And once more with the same one. */
		l.n_written = 0;
		ck_ok(feed(p, 3));
		ck_assert_uint_eq(l.n_written, 3);
		pipeline_free(p);
	}
}
END_TEST

static void check_bad_work(uint64_t at)
{
	struct line l = { .work_fails_at = at, .write_fails_at = UINT64_MAX };
	struct pipeline *p = start(&l, 2);

	ck_rc(feed(p, N_JOBS), -ENOMEM);
	ck_rc(feed(p, 1), -ENOMEM);
	ck_rc(pipeline_drain(p), -ENOMEM);
	ck_assert_uint_eq(l.n_written, at);
	pipeline_free(p);
}

static void check_bad_write(uint64_t at)
{
	struct line l = { .work_fails_at = UINT64_MAX, .write_fails_at = at };
	struct pipeline *p = start(&l, 2);

	ck_rc(feed(p, N_JOBS), -ENOSPC);
	ck_assert_uint_eq(l.n_written, at + 1);
	ck_assert_int_lt(atomic_load(&l.n_worked), 20);
	pipeline_free(p);
}

START_TEST(failures_stick)
{
	uint64_t at;

	for (at = 0; at < 10; at++) {
		check_bad_work(at);
		check_bad_write(at);
	}
}
END_TEST

START_TEST(freed_in_the_middle)
{
	struct line l = { .work_fails_at = UINT64_MAX,
			  .write_fails_at = UINT64_MAX };
	struct pipeline *p = start(&l, 2);
	struct parcel *parcel;

	ck_ok(pipeline_get(p, &parcel));
	parcel->raw_off = 0;
	parcel->len = 1;
	parcel->buf[0] = 0;
	pipeline_submit(p, parcel);
	ck_ok(pipeline_get(p, &parcel));
	pipeline_put(p, parcel);
	ck_ok(pipeline_get(p, &parcel)); /* kept */
	pipeline_free(p);
	ck_assert_uint_le(l.n_written, 1);
	pipeline_free(NULL);
}
END_TEST

START_TEST(memory_is_what_the_parcels_are)
{
	ck_assert_uint_eq(pipeline_n_parcels(1), 3);
	ck_assert_uint_eq(pipeline_memory(1, 100), 400);
	ck_assert_uint_eq(pipeline_memory(2, 100), 700);
}
END_TEST

Suite *suite_pipeline(void)
{
	const TTest *const tests[] = {
		order_is_kept,
		failures_stick,
		freed_in_the_middle,
		memory_is_what_the_parcels_are,
	};

	return suite_of("stream/pipeline", tests, ARRAY_LEN(tests), 60);
}
