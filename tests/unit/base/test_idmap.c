/* SPDX-License-Identifier: MIT */
/*
 * test_idmap.c - tests of src/base/idmap.c.
 */
#include "unit/base/suites.h"

#include "base/bytes.h"
#include "base/idmap.h"
#include "lib/rng.h"
#include "lib/suite.h"

#include <stdlib.h>

START_TEST(empty_map)
{
	struct idmap_slot slot;
	size_t cursor = 0;
	struct idmap m;

	idmap_init(&m);
	ck_assert_ptr_null(idmap_find(&m, 1));
	ck_assert_ptr_null(idmap_find(&m, 0));
	ck_assert(!idmap_del(&m, 1));
	ck_assert(!idmap_del(&m, 0));
	ck_assert(!idmap_next(&m, &cursor, &slot));
	ck_assert_ptr_null(idmap_ptr(&m, 1));
	idmap_clear(&m);
	idmap_release(&m);
}
END_TEST

START_TEST(set_replaces)
{
	struct idmap m;

	idmap_init(&m);
	ck_ok(idmap_set(&m, UINT64_MAX, 1));
	ck_ok(idmap_set(&m, UINT64_MAX, 2));
	ck_assert_uint_eq(m.n_used, 1);
	ck_assert_uint_eq(*idmap_find(&m, UINT64_MAX), 2);
	*idmap_find(&m, UINT64_MAX) = 3;
	ck_assert_uint_eq(*idmap_find(&m, UINT64_MAX), 3);
	ck_assert_ptr_null(idmap_find(&m, 0));
	ck_assert(idmap_del(&m, UINT64_MAX));
	ck_assert(!idmap_del(&m, UINT64_MAX));
	idmap_release(&m);
}
END_TEST

START_TEST(value_may_be_a_pointer)
{
	struct idmap m;
	int thing;

	idmap_init(&m);
	ck_ok(idmap_set(&m, 5, (uint64_t)(uintptr_t)&thing));
	ck_assert_ptr_eq(idmap_ptr(&m, 5), &thing);
	idmap_release(&m);
}
END_TEST

START_TEST(walk_sees_each_once)
{
	struct idmap_slot slot;
	bool seen[1001] = { false };
	size_t cursor = 0;
	size_t n = 0;
	struct idmap m;
	uint64_t i;

	idmap_init(&m);
	for (i = 1; i <= 1000; i++)
		ck_ok(idmap_set(&m, i, i * 3));
	while (idmap_next(&m, &cursor, &slot)) {
		ck_assert_uint_eq(slot.value, slot.key * 3);
		ck_assert(!seen[slot.key]);
		seen[slot.key] = true;
		n++;
	}
	ck_assert_uint_eq(n, 1000);
	idmap_clear(&m);
	ck_assert_uint_eq(m.n_used, 0);
	ck_assert_ptr_null(idmap_find(&m, 1));
	ck_ok(idmap_set(&m, 1, 1));
	idmap_release(&m);
}
END_TEST

START_TEST(grows_and_shrinks)
{
	struct idmap m;
	size_t most;
	uint64_t i;

	idmap_init(&m);
	for (i = 1; i <= 100000; i++) {
		ck_ok(idmap_set(&m, i, i));
		ck_assert_uint_le(m.n_used * 4, m.n_slots * 3);
	}
	most = m.n_slots;
	for (i = 1; i <= 100000; i++)
		ck_assert(idmap_del(&m, i));
	ck_assert_uint_eq(m.n_used, 0);
	ck_assert_uint_lt(m.n_slots, most / 1000);
	idmap_release(&m);
}
END_TEST

enum { MODEL_KEYS = 512 };

/* One random change, to the map and to a plain array. */
static void change_both(struct idmap *m, uint64_t *model, struct rng *rng,
			uint64_t stride)
{
	uint64_t i = rng_below(rng, MODEL_KEYS);
	uint64_t key = (i + 1) * stride;

	if (rng_below(rng, 2) == 0) {
		ck_assert_int_eq(idmap_del(m, key), model[i] != 0);
		model[i] = 0;
		return;
	}
	model[i] = rng_u64(rng) | 1;
	ck_ok(idmap_set(m, key, model[i]));
}

/* Strides that put keys into the same or into neighbouring slots. */
START_TEST(agrees_with_a_model)
{
	static const uint64_t strides[] = {
		1, 2, UINT64_C(1) << 20, UINT64_C(1) << 32, UINT64_C(1) << 54,
	};
	struct rng rng = rng_of(3);
	size_t s;
	size_t i;

	for (s = 0; s < ARRAY_LEN(strides); s++) {
		uint64_t model[MODEL_KEYS] = { 0 };
		struct idmap m;

		idmap_init(&m);
		for (i = 0; i < 20000; i++)
			change_both(&m, model, &rng, strides[s]);
		for (i = 0; i < MODEL_KEYS; i++) {
			uint64_t *v = idmap_find(&m, (i + 1) * strides[s]);

			ck_assert_uint_eq(v ? *v : 0, model[i]);
		}
		idmap_release(&m);
	}
}
END_TEST

Suite *suite_idmap(void)
{
	const TTest *const tests[] = {
		empty_map,           set_replaces,      value_may_be_a_pointer,
		walk_sees_each_once, grows_and_shrinks, agrees_with_a_model,
	};

	return suite_of("base/idmap", tests, ARRAY_LEN(tests), 20);
}
