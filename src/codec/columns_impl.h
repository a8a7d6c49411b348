/* SPDX-License-Identifier: MIT */
/*
 * columns_impl.h - what columns.c, columns_type.c and columns_write.c share.
 *
 * A field belongs to the entry that its literal, its context and its kind
 * make. Entries with too few fields, or beyond the table, are the rest: their
 * literals and fields are text of the first column, which is shared.
 */
#ifndef CODEC_COLUMNS_IMPL_H
#define CODEC_COLUMNS_IMPL_H

#include "codec/columns.h"
#include "codec/columns_format.h"

enum {
	ENTRY_REST = 0, /* no literal */
	ENTRY_LINE = 1, /* a newline */
	ENTRY_FIRST = 2,

	N_ENTRY_SLOTS = 1024, /* powers of two */
	N_WORD_SLOTS = 1024,
};

enum field_kind { FIELD_TEXT, FIELD_DIGITS, FIELD_HEX };

struct field {
	uint32_t off; /* in the text */
	uint32_t len;
};

struct column_entry {
	uint32_t literal_off;
	uint16_t literal_len;
	uint16_t width;   /* of FIELD_DIGITS and FIELD_HEX: of all fields */
	uint32_t context; /* these make it the entry that it is */
	enum field_kind kind;

	uint32_t n;     /* fields */
	uint32_t len;   /* their bytes */
	uint32_t first; /* of them in `order` */
	uint8_t next;   /* the entry that came after it the last time */

	bool own;        /* has a step of its own, else its fields are rest */
	uint16_t column; /* 0: the shared one */
	enum column_type type;
	uint16_t n_words; /* COLUMN_WORD */
	uint16_t first_word;
	uint8_t size; /* COLUMN_NUMBER: bytes of a value */
	bool delta;
};

struct columns {
	struct span raw;
	const uint8_t *behind; /* the last field */
	uint8_t last;          /* its entry */
	size_t rest_len;

	size_t n_entries;
	struct column_entry entries[COLUMNS_ENTRIES_MAX];
	uint8_t entry_slots[N_ENTRY_SLOTS]; /* an entry; 0: free */

	size_t n_columns;
	uint8_t by_column[COLUMNS_MAX]; /* entries; not of the shared one */
	size_t n_words;
	struct field words[COLUMNS_WORDS_MAX];
	uint16_t word_slots[N_WORD_SLOTS]; /* a word + 1; 0: free */

	/* In the scratch, room for `fields_max` fields: */
	size_t fields_max;
	size_t n_fields;
	struct field *fields; /* in the order of the text */
	uint32_t *order;      /* fields sorted by entry */
	uint8_t *steps;       /* their entries, in the order of the text */
	uint8_t *ids;         /* in that of `order`: words of COLUMN_WORD */
	uint8_t *out;         /* columns_out_max() bytes */
};

/* Field `i` of an entry. */
static inline const struct field *columns_nth(const struct columns *c,
					      const struct column_entry *e,
					      uint32_t i)
{
	return &c->fields[c->order[e->first + i]];
}

uint64_t columns_number(const struct columns *c, const struct field *f);

/* Spreads bytes; for tables of a power of two. */
uint32_t columns_hash(const uint8_t *p, size_t len, uint64_t seed);

/* Chooses how the column of an entry is kept. */
void columns_choose(struct columns *c, struct column_entry *e);

/* Room that columns_write() may need for a text with so many fields. */
size_t columns_out_max(size_t raw_len, size_t n_fields);

/* Writes head, steps and streams of what is sorted and typed: input and parts
 * of the view. */
void columns_write(struct columns *c, struct columns_view *ret);

#endif
