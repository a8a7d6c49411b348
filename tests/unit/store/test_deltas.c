/* SPDX-License-Identifier: MIT */
/*
 * test_deltas.c - similar chunks in a store: written, read, counted, and what
 * a hostile store may make of them. (similar.c, intake.c, bases.c, chunk.c,
 * check.c)
 */
#include "unit/store/suites.h"

#include "base/hash.h"
#include "base/report.h"
#include "codec/decode.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "store/bank.h"
#include "store/chunk.h"
#include "store/ingest.h"
#include "store/state.h"
#include "stream/frame.h"
#include "unit/store/fixture.h"

#include <pthread.h>
#include <stdlib.h>

enum { LEN = 60000, BASE_KEY = 1 };

static struct fixture f;
static uint8_t base[LEN];

/* The base with `n` bytes changed, differently for each seed. */
static struct span edited(uint64_t seed, unsigned n)
{
	static uint8_t bytes[LEN];
	struct rng rng = rng_of(seed);

	memcpy(bytes, base, LEN);
	while (n-- > 0)
		bytes[rng_below(&rng, LEN)] ^= 0x55;
	return span_of(bytes, LEN);
}

static void begin(void)
{
	struct rng rng = rng_of(99);

	fixture_begin(&f);
	rng_fill(&rng, base, LEN);
	ck_ok(toy_put(&f.toy, BASE_KEY, span_of(base, LEN)));
}

static uint64_t n_of(enum encode_kind kind)
{
	struct store_stats st;

	ck_ok(store_stat(f.toy.store, &st));
	return st.totals[TOTAL_KIND_FIRST + (int)kind];
}

static uint64_t chunk_of(uint64_t key)
{
	struct toy_row row;

	ck_assert_int_eq(toy_get(&f.toy, key, &row), 1);
	return row.chunk;
}

static uint64_t refs_of(uint64_t chunk)
{
	uint64_t refs = 0;

	index_lock(f.toy.store);
	ck_ok(bank_refs(f.toy.store->bank, chunk, &refs));
	index_unlock(f.toy.store);
	return refs;
}

/* Keys 10.. are deltas of the base. */
static void put_deltas(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		ck_ok(toy_put(&f.toy, 10 + i, edited(i, 10)));
}

static void expect_all(unsigned n)
{
	unsigned i;

	toy_expect(&f.toy, BASE_KEY, span_of(base, LEN));
	for (i = 0; i < n; i++)
		toy_expect(&f.toy, 10 + i, edited(i, 10));
	ck_assert_uint_eq(refs_of(chunk_of(BASE_KEY)), 1 + n);
	ck_assert_uint_eq(n_of(ENCODE_DELTA), n);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
}

START_TEST(similar_chunks_become_deltas)
{
	struct store_stats st;

	begin();
	put_deltas(5);
	expect_all(5);
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_lt(st.totals[TOTAL_FRAME_STORED], LEN + LEN / 20);
	/* From disk. */
	fixture_reopen(&f);
	expect_all(5);
	fixture_end(&f);
}
END_TEST

START_TEST(base_lives_as_long_as_its_deltas)
{
	uint64_t chunk;

	begin();
	put_deltas(2);
	chunk = chunk_of(BASE_KEY);
	ck_ok(toy_del(&f.toy, BASE_KEY));
	ck_assert_uint_eq(refs_of(chunk), 2);
	fixture_reopen(&f);
	ck_assert_uint_eq(refs_of(chunk), 2);
	toy_expect(&f.toy, 10, edited(0, 10));
	toy_expect(&f.toy, 11, edited(1, 10));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(crash_counts_each_delta_once)
{
	begin();
	put_deltas(3);
	/* The index has some of them, the log all. */
	ck_ok(index_commit(f.toy.store));
	ck_ok(toy_put(&f.toy, 13, edited(3, 10)));
	fixture_sync(&f);
	fixture_crash(&f);
	expect_all(4);
	fixture_end(&f);
}
END_TEST

START_TEST(replay_needs_no_sketches)
{
	begin();
	put_deltas(3);
	ck_ok(toy_close(&f.toy));
	file_remove(f.dir, "index.db");
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert(store_opened(f.toy.store)->rebuilt);
	expect_all(3);
	/* Nothing is known of what the base looks like ... */
	ck_ok(toy_put(&f.toy, 50, edited(50, 10)));
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 3);
	/* ... but of what came since. */
	ck_ok(toy_put(&f.toy, 51, edited(51, 10)));
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 4);
	toy_expect(&f.toy, 51, edited(51, 10));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(sketches_outlive_a_mount)
{
	begin();
	fixture_reopen(&f);
	put_deltas(1);
	expect_all(1);
	fixture_end(&f);
}
END_TEST

START_TEST(delta_is_no_base)
{
	struct chunk_view v;

	begin();
	/* Then a little off that: more like the delta than like the base. */
	ck_ok(toy_put(&f.toy, 10, edited(1, 60)));
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 1);
	report_silence(true);
	ck_rc(chunk_get_base(f.toy.store, chunk_of(10), &v), -EUCLEAN);
	fixture_reopen(&f);
	ck_rc(chunk_get_base(f.toy.store, chunk_of(10), &v), -EUCLEAN);
	report_silence(false);
	ck_ok(toy_put(&f.toy, 11, edited(1, 61)));
	ck_assert_uint_eq(refs_of(chunk_of(10)), 1);
	toy_expect(&f.toy, 10, edited(1, 60));
	toy_expect(&f.toy, 11, edited(1, 61));
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

START_TEST(effort_decides)
{
	begin();
	f.toy.options.effort = EFFORT_FASTEST;
	fixture_reopen(&f);
	put_deltas(2);
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 0);
	fixture_end(&f);
}
END_TEST

/* ---- one parcel ----------------------------------------------------------- */

static uint64_t parcel_ids[6];

static void note_ids(struct parcel *p, int rc)
{
	size_t i;

	ck_ok(rc);
	for (i = 0; i < p->n_chunks; i++)
		parcel_ids[i] = p->chunks[i].id;
}

static void add_to(struct parcel *p, struct span bytes)
{
	memcpy(p->raw + p->raw_len, bytes.ptr, bytes.len);
	p->chunks[p->n_chunks++] = (struct parcel_chunk){
		.raw_off = (uint32_t)p->raw_len,
		.len = (uint32_t)bytes.len,
	};
	p->raw_len += bytes.len;
}

/* Two deltas, what the store has, one twice, and something new. */
static void fill_parcel(struct parcel *p, struct span fresh)
{
	add_to(p, edited(1, 10));
	add_to(p, fresh);
	add_to(p, span_of(base, LEN));
	add_to(p, edited(2, 10));
	add_to(p, fresh);
	add_to(p, span_of("tiny", 4));
}

static void expect_chunk(uint64_t chunk, struct span bytes)
{
	struct chunk_view v;

	ck_ok(chunk_get(f.toy.store, chunk, &v));
	ck_assert_uint_eq(v.bytes.len, bytes.len);
	ck_assert_mem_eq(v.bytes.ptr, bytes.ptr, bytes.len);
	chunk_put(&v);
}

START_TEST(parcel_makes_two_frames)
{
	static uint8_t fresh[20000];
	struct rng rng = rng_of(3);
	struct store_stats st;
	struct parcel *p;
	unsigned round;

	begin();
	rng_fill(&rng, fresh, sizeof(fresh));
	ck_ok(parcel_get(f.toy.store, true, &p));
	fill_parcel(p, span_of(fresh, sizeof(fresh)));
	p->done = note_ids;
	ingest_run(p);
	ck_ok(store_stat(f.toy.store, &st));
	ck_assert_uint_eq(st.totals[TOTAL_FRAMES], 3);
	ck_assert_uint_eq(st.totals[TOTAL_CHUNKS], 5);
	ck_assert_uint_eq(st.totals[TOTAL_DUPLICATES], 2);
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 1);
	ck_assert_uint_eq(parcel_ids[2], chunk_of(BASE_KEY));
	ck_assert_uint_eq(parcel_ids[4], parcel_ids[1]);
	ck_assert_uint_eq(refs_of(parcel_ids[2]), 3);
	for (round = 0; round < 2; round++) {
		expect_chunk(parcel_ids[0], edited(1, 10));
		expect_chunk(parcel_ids[1], span_of(fresh, sizeof(fresh)));
		expect_chunk(parcel_ids[3], edited(2, 10));
		expect_chunk(parcel_ids[5], span_of("tiny", 4));
		fixture_reopen(&f);
	}
	fixture_end(&f);
}
END_TEST

START_TEST(nobody_waits_for_deltas)
{
	struct parcel *p;

	begin();
	ck_ok(parcel_get(f.toy.store, true, &p));
	add_to(p, edited(1, 10));
	p->done = note_ids;
	p->intent = true;
	ingest_run(p);
	ck_assert_uint_eq(n_of(ENCODE_DELTA), 0);
	expect_chunk(parcel_ids[0], edited(1, 10));
	fixture_end(&f);
}
END_TEST

/* ---- check ---------------------------------------------------------------- */

static void miscount(uint64_t chunk, int64_t delta)
{
	index_lock(f.toy.store);
	ck_ok(bank_ref(f.toy.store->bank, chunk, delta));
	index_unlock(f.toy.store);
}

START_TEST(check_counts_deltas)
{
	begin();
	put_deltas(2);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	miscount(chunk_of(BASE_KEY), 1);
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	miscount(chunk_of(BASE_KEY), -2);
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	miscount(chunk_of(BASE_KEY), 1);
	ck_assert_uint_eq(toy_check(&f.toy), 0);
	fixture_end(&f);
}
END_TEST

/* ---- a hostile store ------------------------------------------------------ */

/* A FRAME record of one chunk, as if somebody had written it: a delta of
 * `raw` against `against`, which claims to be the chunk `base_id`. */
static void forge(uint64_t id, struct span raw, uint64_t base_id,
		  struct span against)
{
	struct frame_chunk chunk = { id, hash64(raw, 0), (uint32_t)raw.len };
	struct encode_base b = { EFFORT_FAST, base_id, against };
	struct bank_frame frame = {
		.raw_len = (uint32_t)raw.len,
		.chunks = &chunk,
		.n_chunks = 1,
	};
	struct log_entry entry = { .type = RECORD_FRAME };
	uint8_t *payload = malloc(raw.len + 100);
	struct encoder *e = NULL;
	struct log_place place;
	size_t table_len;
	ssize_t n;

	ck_assert_ptr_nonnull(payload);
	ck_ok(encoder_new(&e));
	table_len = frame_table_put(&chunk, 1, payload);
	n = encode_delta(e, &b, raw, payload + table_len, raw.len);
	ck_assert_int_gt(n, 0);
	frame.glyphs = span_of(payload + table_len, (size_t)n);
	entry.payload = span_of(payload, table_len + (size_t)n);
	ck_ok(log_append(f.toy.store->log, &entry, &place));
	frame.place = (struct frame_place){ place.seq, place.segment, place.off,
					    (uint32_t)entry.payload.len };
	ck_ok(bank_add(f.toy.store->bank, &frame));
	encoder_free(e);
	free(payload);
}

static uint64_t next_id(void)
{
	return store_next_id(f.toy.store, STORE_ID_CHUNK);
}

static int try_get(uint64_t chunk)
{
	struct chunk_view v;
	int rc = chunk_get(f.toy.store, chunk, &v);

	if (rc == 0)
		chunk_put(&v);
	return rc;
}

START_TEST(base_must_be_right)
{
	uint64_t other, good, wrong;
	uint8_t noise[LEN];
	struct rng rng = rng_of(5);

	begin();
	report_silence(true);
	rng_fill(&rng, noise, LEN);
	ck_ok(toy_put(&f.toy, 2, span_of(noise, LEN)));
	other = chunk_of(2);
	good = next_id();
	forge(good, edited(1, 5), chunk_of(BASE_KEY), span_of(base, LEN));
	ck_ok(try_get(good));
	expect_chunk(good, edited(1, 5));
	/* Other bytes of the right length: found by the chunk's hash. */
	wrong = next_id();
	forge(wrong, edited(1, 5), other, span_of(base, LEN));
	ck_rc(try_get(wrong), -EBADMSG);
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	report_silence(false);
	fixture_end(&f);
}
END_TEST

START_TEST(delta_of_a_delta_is_damage)
{
	uint64_t one, two;
	uint8_t first[LEN];

	begin();
	report_silence(true);
	memcpy(first, edited(1, 5).ptr, LEN);
	one = next_id();
	two = next_id();
	forge(one, span_of(first, LEN), chunk_of(BASE_KEY), span_of(base, LEN));
	forge(two, edited(2, 5), one, span_of(first, LEN));
	/* Whether the one in the middle is decoded already or not. */
	ck_rc(try_get(two), -EUCLEAN);
	ck_ok(try_get(one));
	ck_rc(try_get(two), -EUCLEAN);
	ck_assert_uint_eq(toy_check(&f.toy), 1);
	report_silence(false);
	fixture_end(&f);
}
END_TEST

static uint64_t circle[3];

static void *read_circle(void *arg)
{
	unsigned start = (unsigned)(uintptr_t)arg;
	unsigned i;

	for (i = 0; i < 300; i++) {
		if (try_get(circle[(start + i) % 3]) != -EUCLEAN)
			return NULL;
	}
	return circle;
}

/* Two that are each other's base, and one that is its own. */
START_TEST(circles_are_damage)
{
	pthread_t threads[4];
	void *ret;
	size_t i;

	begin();
	report_silence(true);
	for (i = 0; i < 3; i++)
		circle[i] = next_id();
	forge(circle[0], edited(1, 5), circle[1], span_of(base, LEN));
	forge(circle[1], edited(2, 5), circle[0], span_of(base, LEN));
	forge(circle[2], edited(3, 5), circle[2], span_of(base, LEN));
	for (i = 0; i < ARRAY_LEN(threads); i++)
		ck_ok(pthread_create(&threads[i], NULL, read_circle,
				     (void *)(uintptr_t)i));
	for (i = 0; i < ARRAY_LEN(threads); i++) {
		ck_ok(pthread_join(threads[i], &ret));
		ck_assert_ptr_nonnull(ret);
	}
	ck_assert_uint_eq(toy_check(&f.toy), 3);
	toy_expect(&f.toy, BASE_KEY, span_of(base, LEN));
	report_silence(false);
	fixture_end(&f);
}
END_TEST

/* The count cannot be kept: the store says so, and opens read-only with what
 * came before. */
START_TEST(missing_base_is_damage)
{
	uint64_t id;

	begin();
	ck_ok(index_commit(f.toy.store));
	report_silence(true);
	id = next_id();
	forge(id, edited(1, 5), id + 1000, span_of(base, LEN));
	ck_ok(toy_set(&f.toy, 5, 5));
	ck_rc(try_get(id), -EUCLEAN);
	ck_assert_int_lt(toy_close(&f.toy), 0);
	ck_ok(toy_open(&f.toy, f.dir));
	ck_assert_ptr_nonnull(store_opened(f.toy.store)->read_only);
	toy_expect(&f.toy, BASE_KEY, span_of(base, LEN));
	report_silence(false);
	fixture_end(&f);
}
END_TEST

Suite *suite_deltas(void)
{
	const TTest *const tests[] = {
		similar_chunks_become_deltas,
		base_lives_as_long_as_its_deltas,
		crash_counts_each_delta_once,
		replay_needs_no_sketches,
		sketches_outlive_a_mount,
		delta_is_no_base,
		effort_decides,
		parcel_makes_two_frames,
		nobody_waits_for_deltas,
		check_counts_deltas,
		base_must_be_right,
		delta_of_a_delta_is_damage,
		circles_are_damage,
		missing_base_is_damage,
	};

	return suite_of("store/deltas", tests, ARRAY_LEN(tests), 60);
}
