/* SPDX-License-Identifier: MIT */
/*
 * records.c - objects of a dozen fields, cut off at the length wanted.
 */
#include "lib/records.h"

#include "lib/rng.h"

#include <stdio.h>
#include <string.h>

enum { FIELD_MAX = 160, N_FIELDS = 12, N_KEYS = 40 };

/* A long key that is made up from its number. */
static void key_name(unsigned kind, unsigned n, char key[64])
{
	struct rng rng = rng_of((uint64_t)kind * 1000 + n);
	size_t len = 12 + rng_below(&rng, 20);
	size_t i;

	for (i = 0; i < len; i++)
		key[i] = (char)('a' + rng_below(&rng, 26));
	key[len] = '\0';
}

static size_t put_field(struct rng *rng, unsigned kind, char *dst)
{
	char key[64];
	int n;

	key_name(kind, (unsigned)rng_below(rng, N_KEYS), key);
	n = snprintf(dst, FIELD_MAX, "  \"%s\": \"%llu-%llx\",\n", key,
		     (unsigned long long)rng_below(rng, 1000),
		     (unsigned long long)rng_below(rng, 1 << 20));
	return (size_t)n;
}

void records_fill(unsigned kind, uint64_t seed, uint8_t *dst, size_t len)
{
	struct rng rng = rng_of(seed * 7919 + kind);
	char field[FIELD_MAX];
	size_t pos = 0;
	size_t n;
	unsigned i;

	for (i = 0; pos < len; i++, pos += n) {
		n = put_field(&rng, kind, field);
		if (i % N_FIELDS == 0) {
			field[0] = '{';
			field[1] = '\n';
		}
		if (n > len - pos)
			n = len - pos;
		memcpy(dst + pos, field, n);
	}
}
