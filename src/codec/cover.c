/* SPDX-License-Identifier: MIT */
/*
 * cover.c - one piece out of each part of the samples.
 *
 * Strings of 8 bytes are counted by their hash, one in four of them: two that share
 * a slot are taken for one, which makes a piece look a little better than it is.
 * What has been chosen is worth nothing any more, so nothing is chosen twice.
 */
#include "codec/cover.h"

#include <errno.h>
#include <stdlib.h>

enum {
	STRING_LEN = 8,
	SLOT_BITS = 22,
	PICK_BITS = 2, /* of the hash; all 0: the string is counted */
};

struct cover {
	const struct cover_request *q;
	size_t len;       /* of all samples */
	uint16_t *counts; /* owned; by slot: samples that have the string */
	uint16_t *marks;  /* owned; by slot: the last sample that had it, then
			   * how often it is in the piece that is looked at */
};

/* False: the string is not counted. */
static bool slot_of(const uint8_t *p, size_t *ret)
{
	uint64_t bits = (get_le64(p) * UINT64_C(0x9E3779B185EBCA87)) >>
			(64 - SLOT_BITS - PICK_BITS);

	*ret = (size_t)(bits >> PICK_BITS);
	return (bits & ((1 << PICK_BITS) - 1)) == 0;
}

static bool stopped(const struct cover *c)
{
	return c->q->stop && atomic_load(c->q->stop);
}

/* A string of one sample helps no other. */
static unsigned worth(const struct cover *c, size_t slot)
{
	return c->counts[slot] > 1 ? c->counts[slot] - 1U : 0;
}

static int count(struct cover *c)
{
	const uint8_t *p = c->q->samples;
	size_t slot;
	size_t k;
	unsigned i;

	for (i = 0; i < c->q->n_samples; p += c->q->lens[i++]) {
		/* Never 0; one that comes again is long gone. */
		uint16_t mark = (uint16_t)(i % UINT16_MAX + 1);

		if (stopped(c))
			return -ECANCELED;
		for (k = 0; k + STRING_LEN <= c->q->lens[i]; k++) {
			if (!slot_of(p + k, &slot) || c->marks[slot] == mark)
				continue;
			c->marks[slot] = mark;
			if (c->counts[slot] < UINT16_MAX)
				c->counts[slot]++;
		}
	}
	memset(c->marks, 0, sizeof(*c->marks) << SLOT_BITS);
	return 0;
}

/* Where the best piece of a part begins, in which each string counts once. Returns
 * what it is worth. The part is as long as a piece, or longer. */
static uint64_t find_best(struct cover *c, struct span part, size_t *ret_off)
{
	const size_t n = COVER_PIECE_LEN - STRING_LEN + 1; /* its strings */
	uint64_t sum = 0;
	uint64_t best = 0;
	size_t slot;
	size_t i;

	for (i = 0; i + STRING_LEN <= part.len; i++) {
		if (slot_of(part.ptr + i, &slot) && c->marks[slot]++ == 0)
			sum += worth(c, slot);
		if (i >= n && slot_of(part.ptr + i - n, &slot) &&
		    --c->marks[slot] == 0)
			sum -= worth(c, slot);
		if (i + 1 >= n && sum > best) {
			best = sum;
			*ret_off = i + 1 - n;
		}
	}
	for (i = 0; i + STRING_LEN <= part.len; i++) {
		if (slot_of(part.ptr + i, &slot))
			c->marks[slot] = 0;
	}
	return best;
}

static void take(struct cover *c, const uint8_t *piece, uint8_t *dst)
{
	size_t slot;
	size_t i;

	for (i = 0; i + STRING_LEN <= COVER_PIECE_LEN; i++) {
		if (slot_of(piece + i, &slot))
			c->counts[slot] = 0;
	}
	memcpy(dst, piece, COVER_PIECE_LEN);
}

static ssize_t choose(struct cover *c, size_t cap, uint8_t *dst)
{
	size_t n_parts = cap / COVER_PIECE_LEN;
	size_t part_len = c->len / n_parts;
	size_t left = cap;
	size_t i;

	for (i = 0; i < n_parts; i++) {
		struct span part =
			span_of(c->q->samples + i * part_len, part_len);
		size_t off = 0;

		if (stopped(c))
			return -ECANCELED;
		if (find_best(c, part, &off) == 0)
			continue;
		left -= COVER_PIECE_LEN;
		take(c, part.ptr + off, dst + left);
	}
	return (ssize_t)(cap - left);
}

ssize_t cover_choose(const struct cover_request *request, size_t cap,
		     uint8_t *dst)
{
	struct cover c = { .q = request };
	ssize_t n;
	unsigned i;

	for (i = 0; i < request->n_samples; i++)
		c.len += request->lens[i];
	if (cap < COVER_PIECE_LEN || c.len < cap)
		return 0;
	c.counts = calloc((size_t)1 << SLOT_BITS, sizeof(*c.counts));
	c.marks = calloc((size_t)1 << SLOT_BITS, sizeof(*c.marks));
	n = c.counts && c.marks ? count(&c) : -ENOMEM;
	if (n == 0)
		n = choose(&c, cap, dst);
	free(c.counts);
	free(c.marks);
	return n;
}
