/* SPDX-License-Identifier: MIT */
/* test_extent.c - tests of src/volume/extent.c. */
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "stream/frame.h"
#include "volume/extent.h"

#include <stdlib.h>

enum { LIST_MAX = 64 };

#define LIMIT MAP_END_MAX

struct list {
	uint64_t off; /* where the list begins */
	size_t n;
	struct extent e[LIST_MAX];
};

struct coded {
	size_t len;
	size_t ends[LIST_MAX + 1]; /* after that many extents */
	uint8_t bytes[LIST_MAX * EXTENT_LEN_MAX];
};

static void encode(const struct list *list, struct coded *ret)
{
	struct extent_cursor c = { .end = list->off };

	ret->len = 0;
	ret->ends[0] = 0;
	for (size_t i = 0; i < list->n; i++) {
		size_t n = extent_put(&c, &list->e[i], ret->bytes + ret->len);

		ck_assert(n <= EXTENT_LEN_MAX);
		ret->len += n;
		ret->ends[i + 1] = ret->len;
	}
}

/* Asked often, and each ck_assert() is a system call. */
static bool is_sane(const struct extent *e, uint64_t off, uint64_t limit)
{
	if (e->off < off || e->len < 1 || e->len > limit ||
	    e->off > limit - e->len)
		return false;
	return e->kind == EXTENT_UNWRITTEN ||
	       (e->chunk != 0 && e->chunk_off + e->len <= FRAME_CHUNK_LEN_MAX);
}

/* Reads up to the end or the first that is damaged; what was read makes sense
 * in any case. */
static int decode(uint64_t off, uint64_t limit, struct span bytes,
		  struct list *ret)
{
	/* A copy, so that a sanitizer sees each byte too far. */
	uint8_t *copy = malloc(bytes.len + !bytes.len);
	struct extent_cursor c = { .end = off };
	uint64_t end = off;
	struct reader r;
	bool sane = true;
	int rc = 0;

	if (!copy)
		ck_abort_msg("no memory");
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	r = reader_of(span_of(copy, bytes.len));
	ret->off = off;
	ret->n = 0;
	while (reader_left(&r) > 0 && ret->n < LIST_MAX) {
		struct extent *e = &ret->e[ret->n];

		rc = extent_get(&c, &r, limit, e);
		if (rc)
			break;
		sane = sane && is_sane(e, end, limit);
		end = extent_end(e);
		ret->n++;
	}
	free(copy);
	if (!sane)
		ck_abort_msg("an extent that makes no sense");
	return rc;
}

static void same(const struct extent *a, const struct extent *b)
{
	ck_assert_uint_eq(a->off, b->off);
	ck_assert_uint_eq(a->len, b->len);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->chunk, b->chunk);
	ck_assert_uint_eq(a->chunk_off, b->chunk_off);
}

static uint64_t some(struct rng *r, uint64_t max)
{
	return rng_u64(r) >> rng_below(r, 64) & (max - 1); /* max: 2^n */
}

static void random_list(struct rng *r, struct list *ret)
{
	uint64_t end = some(r, (uint64_t)1 << 61);

	*ret = (struct list){ .off = end };
	for (size_t i = 0; i < LIST_MAX; i++) {
		struct extent *e = &ret->e[i];

		e->off = end + some(r, (uint64_t)1 << 50);
		e->kind =
			rng_below(r, 3) == 0 ? EXTENT_UNWRITTEN : EXTENT_CHUNK;
		e->len = 1 + some(r, e->kind == EXTENT_CHUNK
					     ? FRAME_CHUNK_LEN_MAX / 2
					     : (uint64_t)1 << 50);
		if (e->kind == EXTENT_CHUNK) {
			e->chunk = rng_u64(r) >> rng_below(r, 64) | 1;
			e->chunk_off =
				(uint32_t)some(r, FRAME_CHUNK_LEN_MAX / 2);
		}
		end = extent_end(e);
	}
	ret->n = LIST_MAX;
}

START_TEST(round_trip)
{
	static struct list list;
	static struct list back;
	static struct coded coded;
	struct rng r = rng_of(1);

	for (int i = 0; i < 300; i++) {
		random_list(&r, &list);
		encode(&list, &coded);
		ck_ok(decode(list.off, LIMIT, span_of(coded.bytes, coded.len),
			     &back));
		ck_assert_uint_eq(back.n, list.n);
		for (size_t k = 0; k < list.n; k++)
			same(&list.e[k], &back.e[k]);
	}
}
END_TEST

START_TEST(every_truncation)
{
	static struct list list;
	static struct list back;
	static struct coded coded;
	struct rng r = rng_of(2);

	random_list(&r, &list);
	encode(&list, &coded);
	for (size_t len = 0; len < coded.len; len++) {
		int rc = decode(list.off, LIMIT, span_of(coded.bytes, len),
				&back);

		for (size_t k = 0; k < back.n; k++)
			same(&list.e[k], &back.e[k]);
		ck_assert(coded.ends[back.n] <= len);
		ck_assert_int_eq(rc, coded.ends[back.n] == len ? 0 : -EUCLEAN);
	}
}
END_TEST

START_TEST(every_byte_changed)
{
	static struct list list;
	static struct list back;
	static struct coded coded;
	struct rng r = rng_of(3);

	random_list(&r, &list);
	encode(&list, &coded);
	for (size_t i = 0; i < coded.len; i++) {
		for (unsigned change = 1; change < 256; change++) {
			coded.bytes[i] ^= (uint8_t)change;
			/* decode() looks at what comes out. */
			(void)decode(list.off, LIMIT,
				     span_of(coded.bytes, coded.len), &back);
			coded.bytes[i] ^= (uint8_t)change;
		}
	}
}
END_TEST

/* What extent_get() says to one extent read with a limit. */
static int try(const struct extent *e, uint64_t off, uint64_t limit)
{
	static struct coded coded;
	static struct list back;
	struct list list = { .off = off, .n = 1 };

	list.e[0] = *e;
	encode(&list, &coded);
	return decode(off, limit, span_of(coded.bytes, coded.len), &back);
}

START_TEST(limits)
{
	struct extent e = { .off = LIMIT - 1, .len = 1, .chunk = UINT64_MAX };
	struct extent hole = { .len = LIMIT - 1, .kind = EXTENT_UNWRITTEN };

	ck_ok(try(&e, 0, LIMIT));
	ck_ok(try(&e, LIMIT - 1, LIMIT));
	ck_rc(try(&e, 0, LIMIT - 1), -EUCLEAN);
	e.len = 2;
	ck_rc(try(&e, 0, LIMIT), -EUCLEAN);
	e = (struct extent){ .len = FRAME_CHUNK_LEN_MAX, .chunk = 1 };
	ck_ok(try(&e, 0, LIMIT));
	ck_ok(try(&e, 0, FRAME_CHUNK_LEN_MAX));
	ck_rc(try(&e, 0, FRAME_CHUNK_LEN_MAX - 1), -EUCLEAN);
	e.chunk_off = 1;
	ck_rc(try(&e, 0, LIMIT), -EUCLEAN);
	e.len--;
	ck_ok(try(&e, 0, LIMIT));
	e.chunk = 0;
	ck_rc(try(&e, 0, LIMIT), -EUCLEAN);
	e = (struct extent){ .len = 0, .chunk = 1 };
	ck_rc(try(&e, 0, LIMIT), -EUCLEAN);
	ck_ok(try(&hole, 0, LIMIT));
	ck_rc(try(&hole, 0, LIMIT - 2), -EUCLEAN);
	hole.len = 0;
	ck_rc(try(&hole, 0, LIMIT), -EUCLEAN);
}
END_TEST

START_TEST(cursor_beyond_the_limit)
{
	uint8_t bytes[] = { 0, 3 };
	struct extent_cursor c = { .end = 11 };
	struct reader r = reader_of(span_of(bytes, sizeof(bytes)));
	struct extent e;

	ck_rc(extent_get(&c, &r, 10, &e), -EUCLEAN);
}
END_TEST

Suite *suite_extent(void)
{
	const TTest *const tests[] = {
		round_trip, every_truncation,        every_byte_changed,
		limits,     cursor_beyond_the_limit,
	};

	return suite_of("volume/extent", tests, ARRAY_LEN(tests), 60);
}
