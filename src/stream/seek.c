/* SPDX-License-Identifier: MIT */
/*
 * seek.c - the tables, level by level.
 */
#include "stream/seek.h"

#include "base/varint.h"

#include <assert.h>

static const uint64_t raw_len_max = UINT64_C(1) << STREAM_RAW_BITS;

/* ---- making --------------------------------------------------------------- */

static int add_to(struct seek_builder *b, unsigned level,
		  const struct seek_entry *entry)
{
	struct seek_level *l;

	if (level > SEEK_LEVEL_MAX)
		return -EFBIG;
	l = &b->levels[level - 1];
	assert(l->n < SEEK_ENTRIES_MAX);
	l->entries[l->n++] = *entry;
	return 0;
}

int seek_add(struct seek_builder *b, const struct seek_entry *frame)
{
	assert(!b->closing && seek_due(b, false) == 0);
	return add_to(b, 1, frame);
}

/* The lowest level that holds anything, 0: none. */
static unsigned lowest(const struct seek_builder *b)
{
	unsigned level;

	for (level = 1; level <= SEEK_LEVEL_MAX; level++)
		if (b->levels[level - 1].n > 0)
			return level;
	return 0;
}

/* A level above the first with one entry, and nothing else: that is the root. */
static bool is_complete(const struct seek_builder *b, unsigned level)
{
	unsigned above;

	if (level == 1 || b->levels[level - 1].n > 1)
		return false;
	for (above = level + 1; above <= SEEK_LEVEL_MAX; above++)
		if (b->levels[above - 1].n > 0)
			return false;
	return true;
}

unsigned seek_due(const struct seek_builder *b, bool final)
{
	unsigned level;

	for (level = 1; level <= SEEK_LEVEL_MAX; level++)
		if (b->levels[level - 1].n == SEEK_ENTRIES_MAX)
			return level;
	if (!final && !b->closing)
		return 0;
	level = lowest(b);
	return level == 0 || is_complete(b, level) ? 0 : level;
}

size_t seek_put(const struct seek_builder *b, unsigned level, uint8_t *dst)
{
	const struct seek_level *l = &b->levels[level - 1];
	uint8_t *pos = dst;
	uint64_t last_off = 0;
	size_t i;

	*pos++ = (uint8_t)level;
	pos += varint_put(pos, l->n);
	for (i = 0; i < l->n; i++) {
		const struct seek_entry *e = &l->entries[i];

		pos += varint_put(pos, e->raw_len);
		pos += varint_put(pos, (e->off - last_off) / RECORD_ALIGN);
		pos += varint_put(pos, e->len);
		last_off = e->off;
	}
	return (size_t)(pos - dst);
}

int seek_wrote(struct seek_builder *b, unsigned level, uint64_t off, size_t len)
{
	struct seek_level *l = &b->levels[level - 1];
	struct seek_entry entry = { .off = off, .len = (uint32_t)len };
	size_t i;

	b->closing = b->closing || l->n < SEEK_ENTRIES_MAX;
	for (i = 0; i < l->n; i++)
		entry.raw_len += l->entries[i].raw_len;
	l->n = 0;
	b->root = entry;
	b->root_level = (uint8_t)level;
	return add_to(b, level + 1, &entry);
}

/* ---- reading -------------------------------------------------------------- */

static int get_entry(struct reader *in, uint64_t last_off,
		     struct seek_entry *ret)
{
	uint64_t raw_len, step, len;

	if (varint_get_max(in, raw_len_max, &raw_len) < 0 || raw_len == 0 ||
	    varint_get_max(in, raw_len_max / RECORD_ALIGN, &step) < 0 ||
	    step == 0 || varint_get_max(in, RECORD_PAYLOAD_MAX, &len) < 0 ||
	    len == 0)
		return -EUCLEAN;
	*ret = (struct seek_entry){
		.raw_len = raw_len,
		.off = last_off + step * RECORD_ALIGN,
		.len = (uint32_t)len,
	};
	return ret->off > raw_len_max ? -EUCLEAN : 0;
}

int seek_get(struct span payload, struct seek_table *ret)
{
	struct reader in = reader_of(payload);
	uint64_t last_off = 0;
	uint8_t level;
	uint64_t n;
	size_t i;
	int rc;

	if (reader_u8(&in, &level) < 0 || level < 1 || level > SEEK_LEVEL_MAX ||
	    varint_get_max(&in, SEEK_ENTRIES_MAX, &n) < 0 || n == 0)
		return -EUCLEAN;
	ret->level = level;
	ret->n = (size_t)n;
	ret->raw_len = 0;
	for (i = 0; i < n; i++) {
		rc = get_entry(&in, last_off, &ret->entries[i]);
		if (rc < 0)
			return rc;
		last_off = ret->entries[i].off;
		ret->raw_len += ret->entries[i].raw_len;
		if (ret->raw_len > raw_len_max)
			return -EUCLEAN;
	}
	return reader_left(&in) == 0 ? 0 : -EUCLEAN;
}

size_t seek_find(const struct seek_table *t, uint64_t off, uint64_t *ret_before)
{
	uint64_t before = 0;
	size_t i = 0;

	assert(off < t->raw_len);
	while (off - before >= t->entries[i].raw_len)
		before += t->entries[i++].raw_len;
	*ret_before = before;
	return i;
}
