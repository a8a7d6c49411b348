/* SPDX-License-Identifier: MIT */
/*
 * columns_type.c - how a column is kept: guesses what each way would cost.
 */
#include "codec/columns_impl.h"

#include "base/varint.h"
#include "codec/probe.h"

enum {
	SAMPLE_MAX = 4096, /* fields that the guess is made of */
	REPEATS = 4,       /* a word occurs so often, on average */
	SPREAD_MIN = 5,    /* digits from which on planes of bytes are better */
};

/* Bytes that hold `v`. */
static unsigned size_of(uint64_t v)
{
	return v == 0 ? 1 : (71 - (unsigned)__builtin_clzll(v)) / 8;
}

/* ---- words --------------------------------------------------------------- */

/* Number of the field's word in the column; -1: too many words. */
static int word_of(struct columns *c, struct column_entry *e,
		   const struct field *f, uint32_t max)
{
	const uint8_t *p = c->raw.ptr + f->off;
	uint32_t slot = columns_hash(p, f->len, 0) % N_WORD_SLOTS;
	const struct field *w;

	for (; c->word_slots[slot]; slot = (slot + 1) % N_WORD_SLOTS) {
		w = &c->words[c->word_slots[slot] - 1];
		if (w->len == f->len &&
		    memcmp(c->raw.ptr + w->off, p, f->len) == 0)
			return c->word_slots[slot] - 1 - e->first_word;
	}
	if (e->n_words == max || c->n_words == COLUMNS_WORDS_MAX ||
	    f->len > COLUMN_WORD_LEN_MAX)
		return -1;
	c->words[c->n_words++] = *f;
	c->word_slots[slot] = (uint16_t)c->n_words;
	return e->n_words++;
}

/* Whether the column has few different fields; numbers them in `ids`. */
static bool find_words(struct columns *c, struct column_entry *e)
{
	uint32_t max = e->n / REPEATS + 1;
	uint32_t i;
	int id;

	memset(c->word_slots, 0, sizeof(c->word_slots));
	e->first_word = (uint16_t)c->n_words;
	e->n_words = 0;
	if (max > COLUMN_WORDS_MAX)
		max = COLUMN_WORDS_MAX;
	for (i = 0; i < e->n; i++) {
		id = word_of(c, e, columns_nth(c, e, i), max);
		if (id < 0) {
			c->n_words = e->first_word;
			return false;
		}
		c->ids[e->first + i] = (uint8_t)id;
	}
	return true;
}

/* ---- numbers ------------------------------------------------------------- */

/* How often each byte occurs in each plane of some numbers. */
struct planes {
	uint32_t counts[8][256];
	uint64_t all; /* the numbers' bits */
};

static void count_planes(struct planes *p, uint64_t v)
{
	unsigned i;

	p->all |= v;
	for (i = 0; i < size_of(v); i++)
		p->counts[i][v >> 8 * i & 0xff]++;
}

/* Bits of `n` numbers if each plane has a code of its own. */
static uint64_t cost_of(struct planes *p, uint32_t n)
{
	unsigned size = size_of(p->all);
	uint64_t cost = 0;
	uint32_t seen;
	unsigned i, j;

	for (i = 0; i < size; i++) {
		for (seen = 0, j = 0; j < 256; j++)
			seen += p->counts[i][j];
		p->counts[i][0] += n - seen; /* of shorter numbers */
		cost += probe_cost(p->counts[i], n);
	}
	return cost;
}

/* Numbers, or their differences? Returns what the better one costs, in bits
 * of the sample. */
static uint64_t choose_number(const struct columns *c, struct column_entry *e)
{
	struct planes values = { .all = 0 };
	struct planes deltas = { .all = 0 };
	uint64_t last = 0;
	uint64_t v, d, cost, delta_cost;
	uint32_t n = e->n < SAMPLE_MAX ? e->n : SAMPLE_MAX;
	uint32_t i;

	for (i = 0; i < e->n; i++) {
		v = columns_number(c, columns_nth(c, e, i));
		d = zigzag((int64_t)(v - last));
		last = v;
		if (i < n) {
			count_planes(&values, v);
			count_planes(&deltas, d);
		} else {
			values.all |= v;
			deltas.all |= d;
		}
	}
	cost = cost_of(&values, n);
	delta_cost = cost_of(&deltas, n);
	e->delta = delta_cost < cost;
	e->size = (uint8_t)size_of(e->delta ? deltas.all : values.all);
	return e->delta ? delta_cost : cost;
}

/* Bits of the sample's words. */
static uint64_t cost_of_words(const struct columns *c,
			      const struct column_entry *e)
{
	uint32_t counts[COLUMN_WORDS_MAX] = { 0 };
	uint32_t n = e->n < SAMPLE_MAX ? e->n : SAMPLE_MAX;
	uint32_t i;

	for (i = 0; i < n; i++)
		counts[c->ids[e->first + i]]++;
	return probe_cost(counts, n);
}

static enum column_type choose_digits(struct columns *c, struct column_entry *e,
				      bool few)
{
	uint64_t cost = choose_number(c, e);

	if (few && cost_of_words(c, e) <= cost)
		return COLUMN_WORD;
	if (!e->delta && e->width < SPREAD_MIN)
		return COLUMN_FIXED;
	return COLUMN_NUMBER;
}

void columns_choose(struct columns *c, struct column_entry *e)
{
	bool few;

	if (e->kind == FIELD_HEX) {
		e->type = COLUMN_HEX;
		return;
	}
	few = find_words(c, e);
	if (e->kind == FIELD_DIGITS)
		e->type = choose_digits(c, e, few);
	else
		e->type = few ? COLUMN_WORD : COLUMN_TEXT;
	if (few && e->type != COLUMN_WORD)
		c->n_words = e->first_word;
}
