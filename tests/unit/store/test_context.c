/* SPDX-License-Identifier: MIT */
/* test_context.c - contexts come back for the next user, but not without end. */
#include "unit/store/suites.h"

#include "base/bytes.h"
#include "lib/suite.h"
#include "store/context.h"

enum { N = 40, KEPT_MAX = 8 };

START_TEST(few_idle_ones_are_kept)
{
	struct context *list[N];
	struct contexts *c;
	unsigned n_kept = 0;
	unsigned i;

	ck_ok(contexts_new(&c));
	for (i = 0; i < N; i++) {
		list[i] = context_get(c);
		ck_assert_ptr_nonnull(list[i]);
		ck_ok(context_decoder(list[i]));
	}
	for (i = 0; i < N; i++)
		context_put(c, list[i]);
	for (i = 0; i < N; i++) {
		list[i] = context_get(c);
		n_kept += list[i]->decoder != NULL;
	}
	ck_assert_uint_eq(n_kept, KEPT_MAX);
	for (i = 0; i < N; i++)
		context_put(c, list[i]);
	contexts_free(c);
}
END_TEST

START_TEST(the_newest_comes_first)
{
	struct contexts *c;
	struct context *x;

	ck_ok(contexts_new(&c));
	x = context_get(c);
	ck_ok(context_encoder(x));
	ck_ok(buffer_reserve(&x->payload, 100));
	x->payload.len = 100;
	context_put(c, x);
	ck_assert_ptr_eq(context_get(c), x);
	ck_assert_ptr_nonnull(x->encoder);
	ck_assert_uint_eq(x->payload.len, 0);
	context_put(c, x);
	contexts_free(c);
}
END_TEST

Suite *suite_context(void)
{
	const TTest *const tests[] = {
		few_idle_ones_are_kept,
		the_newest_comes_first,
	};

	return suite_of("store/context", tests, ARRAY_LEN(tests), 60);
}
