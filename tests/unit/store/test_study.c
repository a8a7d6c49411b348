/* SPDX-License-Identifier: MIT */
/*
 * test_study.c - much text has a long codebook made of it, and nothing else has.
 */
#include "unit/store/suites.h"

#include "codec/train.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/library.h"
#include "store/maintain.h"
#include "store/optimize_impl.h"
#include "store/state.h"
#include "store/study.h"
#include "unit/store/fixture.h"

#include <stdio.h>

enum {
	LEN = 32 << 10, /* of a chunk */
	N_KEYS = 96,
	FRAME_LEN = 64 << 10,
	N_LINES = 3000, /* of which text is made: more than 112 KiB */
	PER_BYTE = 16,
};

static struct fixture f;

/* Lines of some 60 bytes, one of `n_lines`. */
static struct span text(uint64_t seed, unsigned n_lines)
{
	static const char *const heads[] = {
		"\tint value = ", "static void f(long a)\n{\n\t",
		"\t\treturn x + ", "}\n\n/* as in ", "#define N(M) (M | "
	};
	static uint8_t bytes[LEN + 128];
	struct rng rng = rng_of(seed + 1);
	size_t at = 0;

	while (at < LEN) {
		uint64_t which = rng_below(&rng, n_lines);
		struct rng line = rng_of(which + 77);
		unsigned words[4];
		int n;

		for (n = 0; n < 4; n++)
			words[n] = (unsigned)rng_below(&line, 1 << 30);
		n = snprintf((char *)bytes + at, 128,
			     "%sv%x + call_%x(&n%x, a[%u]);\n",
			     heads[which % ARRAY_LEN(heads)], words[0],
			     words[1], words[2], words[3]);
		at += (size_t)n;
	}
	return span_of(bytes, LEN);
}

static void begin(unsigned n_lines)
{
	uint64_t i;

	fixture_begin(&f);
	f.toy.options.effort = EFFORT_BALANCED;
	fixture_reopen(&f);
	for (i = 0; i < N_KEYS; i++)
		ck_ok(toy_put(&f.toy, i, text(i, n_lines)));
	ck_ok(index_commit(f.toy.store));
}

/* Studies all of the store. */
static int study(size_t text_per_byte, const atomic_bool *stop)
{
	const struct optimize_options options = { .stop = NULL };
	const struct layout_limits lens = { FRAME_LEN, FRAME_LEN / 2 };
	const struct window_limits limits = {
		.live_len = OPTIMIZE_WINDOW_LEN,
		.last_frame = log_last_seq(f.toy.store->log),
		.done_len = LEN * N_KEYS,
	};
	struct optimize_walk walk;
	struct layout l;
	struct window w;
	struct study q = {
		.s = f.toy.store,
		.window = &w,
		.layout = &l,
		.text_per_byte = text_per_byte,
		.idle = true,
		.stop = stop,
	};
	int rc;

	optimize_walk_all(f.toy.store, &options, &walk);
	window_init(&w);
	maintain_enter(f.toy.store);
	ck_ok(window_fill(&w, f.toy.store, &limits, optimize_walk_next, &walk));
	ck_assert_uint_eq(w.n_chunks, N_KEYS);
	ck_ok(layout_make(w.chunks, w.n_chunks, &lens, &l));
	rc = study_window(&q);
	maintain_leave(f.toy.store);
	layout_release(&l);
	window_release(&w);
	return rc;
}

static uint64_t newest(void)
{
	enum content_class class = sniff_class(text(1, N_LINES));

	ck_assert(class == CONTENT_SOURCE || class == CONTENT_TEXT);
	return codebooks_newest(f.toy.store->codebooks, class);
}

START_TEST(much_text_has_a_long_one)
{
	struct codebook *b = NULL;
	uint64_t id;

	begin(N_LINES);
	ck_ok(study(PER_BYTE, NULL));
	id = newest();
	ck_assert_uint_ne(id, 0);
	ck_ok(library_get(f.toy.store, id, &b));
	ck_assert_uint_gt(codebook_bytes(b).len, TRAIN_DICTIONARY_MAX);
	ck_assert_uint_le(codebook_bytes(b).len, LEN * N_KEYS / PER_BYTE);
	codebook_put(b);
	/* Another one would be no better. */
	ck_ok(study(PER_BYTE, NULL));
	ck_assert_uint_eq(newest(), id);
	fixture_reopen(&f);
	ck_assert_uint_eq(newest(), id);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

static uint64_t n_with_codebook(void)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st.totals[TOTAL_KIND_FIRST + ENCODE_CODEBOOK];
}

/* By new text, and by what is optimised. */
START_TEST(it_is_used)
{
	const struct optimize_options options = {
		.frame_len = OPTIMIZE_FRAME_MIN,
		.min_speed = 1,
		.n_threads = 1,
	};
	struct optimized got;
	uint64_t i;

	begin(N_LINES);
	ck_ok(study(PER_BYTE, NULL));
	for (i = N_KEYS; i < N_KEYS + 10; i++)
		ck_ok(toy_put(&f.toy, i, text(i, N_LINES)));
	ck_assert_uint_ge(n_with_codebook(), 10);
	ck_ok(optimize(f.toy.store, &options, &got));
	ck_assert_uint_ge(got.work.n_frames, LEN * N_KEYS / OPTIMIZE_FRAME_MIN);
	ck_assert_uint_lt(got.work.new_len, got.work.old_len / 2);
	fixture_reopen(&f);
	for (i = 0; i < N_KEYS + 10; i++)
		toy_expect(&f.toy, i, text(i, N_LINES));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(little_text_has_none)
{
	begin(N_LINES);
	/* As little as is not worth one. */
	ck_ok(study(0, NULL));
	ck_assert_uint_eq(newest(), 0);
	fixture_end(&f);
}
END_TEST

/* Lines that hardly ever come twice. */
START_TEST(nothing_in_common_teaches_nothing)
{
	begin(1 << 30);
	ck_ok(study(PER_BYTE, NULL));
	ck_assert_uint_eq(newest(), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(ends_when_told)
{
	atomic_bool stop = true;

	begin(N_LINES);
	ck_rc(study(PER_BYTE, &stop), -ECANCELED);
	ck_assert_uint_eq(newest(), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(leaves_room_for_those_of_new_text)
{
	static const char fill[] =
		"WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM "
		"n WHERE i < 1200) INSERT INTO codebook SELECT i, 'other', i, 1, "
		"1, 16, x'00' FROM n";

	begin(N_LINES);
	index_lock(f.toy.store);
	ck_ok(db_exec(f.toy.store->index.db, fill));
	index_unlock(f.toy.store);
	ck_ok(study(PER_BYTE, NULL));
	ck_assert_uint_eq(newest(), 0);
	fixture_end(&f);
}
END_TEST

Suite *suite_study(void)
{
	const TTest *const tests[] = {
		much_text_has_a_long_one, it_is_used,
		little_text_has_none,     nothing_in_common_teaches_nothing,
		ends_when_told,           leaves_room_for_those_of_new_text,
	};

	return suite_of("store/study", tests, ARRAY_LEN(tests), 120);
}
