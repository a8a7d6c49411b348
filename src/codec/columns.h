/* SPDX-License-Identifier: MIT */
/*
 * columns.h - takes text apart: what repeats in each line, and its fields.
 *
 * A scanner of the style asked for finds the fields of the text; columns.c
 * sorts them by what stands before them, types each column, and writes the
 * input of the columns kernel. Pure; what depends on the length of the text
 * lies in memory that the caller lends.
 */
#ifndef CODEC_COLUMNS_H
#define CODEC_COLUMNS_H

#include "base/bytes.h"

#include <sys/types.h>

struct columns;

/* How fields are found. */
enum columns_style {
	COLUMNS_NONE,
	COLUMNS_CELLS, /* lines of cells between one delimiter: CSV, TSV */
	COLUMNS_WORDS, /* lines of words: logs, tables */
	COLUMNS_KEYS,  /* lines `key: value` */
	COLUMNS_JSON,
};

/* What is best done with a part of the input. */
enum columns_part_kind {
	COLUMNS_PART_TEXT,  /* matches and letters */
	COLUMNS_PART_BYTES, /* small numbers, few kinds of byte */
	COLUMNS_PART_NOISE, /* random */
};

enum { COLUMNS_PARTS_MAX = 64 };

struct columns_form {
	enum columns_style style;
	uint8_t delimiter; /* COLUMNS_CELLS */
};

struct columns_part {
	enum columns_part_kind kind;
	size_t len;
};

struct columns_view {
	struct span input; /* in the scratch */
	uint8_t *spare;    /* so much of the scratch as the text is long holds
			    * nothing any more */
	size_t n_parts;
	struct columns_part parts[COLUMNS_PARTS_MAX]; /* they make the input */
};

/* -ENOMEM. */
int columns_new(struct columns **ret);
void columns_free(struct columns *c);

/* Bytes that it takes, and those of scratch that a text of `raw_len` needs. */
size_t columns_memory(void);
size_t columns_scratch_len(size_t raw_len);

/*
 * `scratch` has columns_scratch_len() bytes, aligned as malloc() does. False:
 * this text has no such form, or more than GLYPH_OUTPUT_MAX bytes.
 */
bool columns_split(struct columns *c, struct span raw,
		   const struct columns_form *form, uint8_t *scratch,
		   struct columns_view *ret);

#endif
