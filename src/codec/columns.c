/* SPDX-License-Identifier: MIT */
/*
 * columns.c - sorts the fields of a text by what stands before them.
 *
 * Happy path: the scanner hands over each field; in regular text its entry is
 * the one that followed the last time, so one comparison finds it. Then fields
 * are sorted by entry, each entry of some weight gets a column of its own, and
 * columns_write.c lays everything out. Text that is not regular soon has more
 * entries than the table holds, and is given up.
 */
#include "codec/columns.h"

#include "codec/columns_impl.h"
#include "codec/columns_scan.h"

#include <assert.h>
#include <stdlib.h>

enum {
	HEX_LEN_MIN = 16,
	RARE = 3,        /* fields that an entry of its own needs */
	SHARED_LEN = 96, /* bytes of text that a column of its own needs */
	RAW_SHARE = 3,   /* a field in so many bytes at most */
	FIELDS_SPARE = 64,
	RAW_LEN_MAX = 4 << 20,
};

/* The text fits where its fields were. */
static_assert(sizeof(struct field) >= RAW_SHARE, "spare");

int columns_new(struct columns **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void columns_free(struct columns *c)
{
	free(c);
}

size_t columns_memory(void)
{
	return sizeof(struct columns);
}

/* Fields that a text may have. */
static size_t fields_max(size_t raw_len)
{
	return raw_len / RAW_SHARE + FIELDS_SPARE;
}

size_t columns_scratch_len(size_t raw_len)
{
	const struct columns *c = NULL;
	size_t n = fields_max(raw_len);
	size_t field_len = sizeof(*c->fields) + sizeof(*c->order) +
			   sizeof(*c->steps) + sizeof(*c->ids);

	return n * field_len + columns_out_max(raw_len, n);
}

/* What needs to be aligned comes first. */
static void lay_out(struct columns *c, size_t raw_len, uint8_t *scratch)
{
	size_t n = fields_max(raw_len);

	c->fields_max = n;
	c->fields = (struct field *)(void *)scratch;
	c->order = (uint32_t *)(c->fields + n);
	c->steps = (uint8_t *)(c->order + n);
	c->ids = c->steps + n;
	c->out = c->ids + n;
}

/* ---- fields -------------------------------------------------------------- */

static size_t count_digits(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

static bool is_hex(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len &&
	       ((p[n] >= '0' && p[n] <= '9') || (p[n] >= 'a' && p[n] <= 'f')))
		n++;
	return n == len;
}

static enum field_kind kind_of(const uint8_t *p, size_t len)
{
	size_t n;

	if (len == 0 || len > (size_t)2 * COLUMN_WIDTH_MAX)
		return FIELD_TEXT;
	n = count_digits(p, len);
	if (n == len && len <= COLUMN_DIGITS_MAX)
		return FIELD_DIGITS;
	if (len >= HEX_LEN_MIN && len % 2 == 0 && is_hex(p + n, len - n))
		return FIELD_HEX;
	return FIELD_TEXT;
}

uint32_t columns_hash(const uint8_t *p, size_t len, uint64_t seed)
{
	const uint64_t factor = 0x9e3779b97f4a7c15U;
	uint64_t h = (seed + len) * factor;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		h = (h ^ get_le64(p + i)) * factor;
	for (; i < len; i++)
		h = (h ^ p[i]) * factor;
	return (uint32_t)(h >> 32);
}

static bool same_entry(const struct columns *c, const struct column_entry *a,
		       const struct column_entry *b)
{
	return a->literal_len == b->literal_len && a->context == b->context &&
	       a->kind == b->kind && a->width == b->width &&
	       memcmp(c->raw.ptr + a->literal_off, c->raw.ptr + b->literal_off,
		      a->literal_len) == 0;
}

/* ENTRY_REST: the table is full. */
static uint8_t find_entry(struct columns *c, const struct column_entry *key)
{
	uint8_t guess = c->entries[c->last].next;
	uint32_t slot;

	if (guess && same_entry(c, &c->entries[guess], key))
		return guess;
	slot = columns_hash(c->raw.ptr + key->literal_off, key->literal_len,
			    (uint64_t)key->context << 32 | key->kind << 16 |
				    key->width) %
	       N_ENTRY_SLOTS;
	for (; c->entry_slots[slot]; slot = (slot + 1) % N_ENTRY_SLOTS)
		if (same_entry(c, &c->entries[c->entry_slots[slot]], key))
			return c->entry_slots[slot];
	if (c->n_entries == COLUMNS_ENTRIES_MAX)
		return ENTRY_REST;
	c->entries[c->n_entries] = *key;
	c->entry_slots[slot] = (uint8_t)c->n_entries;
	return (uint8_t)c->n_entries++;
}

bool columns_field(struct columns *c, const uint8_t *pos, size_t len,
		   uint32_t context)
{
	size_t literal_len = (size_t)(pos - c->behind);
	struct column_entry key = {
		.literal_off = (uint32_t)(c->behind - c->raw.ptr),
		.literal_len = (uint16_t)literal_len,
		.context = context,
	};
	uint8_t entry = ENTRY_REST;

	if (c->n_fields == c->fields_max)
		return false;
	if (literal_len <= COLUMNS_LITERAL_MAX) {
		key.kind = kind_of(pos, len);
		key.width = key.kind == FIELD_TEXT ? 0 : (uint16_t)len;
		entry = find_entry(c, &key);
	}
	if (entry == ENTRY_REST) {
		c->rest_len += literal_len + len;
		if (c->rest_len > c->raw.len / 2)
			return false;
	}
	c->entries[c->last].next = entry;
	c->last = entry;
	c->entries[entry].n++;
	c->entries[entry].len += (uint32_t)len;
	c->fields[c->n_fields] =
		(struct field){ (uint32_t)(pos - c->raw.ptr), (uint32_t)len };
	c->steps[c->n_fields++] = entry;
	c->behind = pos + len;
	return true;
}

uint64_t columns_number(const struct columns *c, const struct field *f)
{
	const uint8_t *p = c->raw.ptr + f->off;
	uint64_t v = 0;
	uint32_t i;

	for (i = 0; i < f->len; i++)
		v = v * 10 + (uint64_t)(p[i] - '0');
	return v;
}

/* ---- columns ------------------------------------------------------------- */

static void sort_fields(struct columns *c)
{
	uint32_t next[COLUMNS_ENTRIES_MAX];
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < c->n_entries; i++) {
		next[i] = sum;
		c->entries[i].first = sum;
		sum += c->entries[i].n;
	}
	for (i = 0; i < c->n_fields; i++)
		c->order[next[c->steps[i]]++] = (uint32_t)i;
}

static void choose_types(struct columns *c)
{
	struct column_entry *e = &c->entries[ENTRY_FIRST];

	for (; e < c->entries + c->n_entries; e++) {
		e->own = e->n >= RARE;
		e->type = COLUMN_TEXT;
		if (e->own)
			columns_choose(c, e);
	}
}

/* Numbers the columns so that neighbours are alike. */
static void number_columns(struct columns *c)
{
	static const enum column_type order[] = {
		COLUMN_TEXT,   COLUMN_WORD, COLUMN_FIXED,
		COLUMN_NUMBER, COLUMN_HEX,
	};
	size_t t, i;

	c->n_columns = 1;
	for (t = 0; t < ARRAY_LEN(order); t++)
		for (i = ENTRY_FIRST; i < c->n_entries; i++) {
			struct column_entry *e = &c->entries[i];

			if (!e->own || e->type != order[t] ||
			    (e->type == COLUMN_TEXT && e->len < SHARED_LEN))
				continue;
			c->by_column[c->n_columns] = (uint8_t)i;
			e->column = (uint16_t)c->n_columns++;
		}
}

static void begin(struct columns *c, struct span raw)
{
	c->raw = raw;
	c->behind = raw.ptr;
	c->last = ENTRY_REST;
	c->rest_len = 0;
	c->n_fields = 0;
	c->n_words = 0;
	c->n_entries = ENTRY_FIRST;
	memset(c->entry_slots, 0, sizeof(c->entry_slots));
	memset(c->entries, 0, ENTRY_FIRST * sizeof(*c->entries));
}

bool columns_split(struct columns *c, struct span raw,
		   const struct columns_form *form, uint8_t *scratch,
		   struct columns_view *ret)
{
	const uint8_t *end = raw.ptr + raw.len;

	if (raw.len > RAW_LEN_MAX)
		return false;
	lay_out(c, raw.len, scratch);
	begin(c, raw);
	if (!columns_scan(c, raw, form))
		return false;
	/* The end of the text is the literal of an empty field. */
	if (c->behind < end && !columns_field(c, end, 0, 0))
		return false;
	sort_fields(c);
	choose_types(c);
	number_columns(c);
	columns_write(c, ret);
	/* All that is known of the fields is longer than their text. */
	ret->spare = scratch;
	return true;
}
