/* SPDX-License-Identifier: MIT */
/*
 * columns.h - takes text apart: what repeats in each line, and its fields.
 *
 * A scanner of the style asked for finds the fields of the text; columns.c
 * sorts them by what stands before them, types each column, and writes the
 * input of the columns kernel. Pure; owns scratch memory that grows to what
 * the longest text needed.
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
	struct span input; /* valid until the next call */
	size_t n_parts;
	struct columns_part parts[COLUMNS_PARTS_MAX]; /* they make the input */
};

/* -ENOMEM. */
int columns_new(struct columns **ret);
void columns_free(struct columns *c);

/* Bytes that it takes at most for texts of up to `raw_len` bytes. */
size_t columns_memory(size_t raw_len);

/*
 * 1: done. 0: this text has no such form, or more than GLYPH_OUTPUT_MAX bytes.
 * -ENOMEM.
 */
int columns_split(struct columns *c, struct span raw,
		  const struct columns_form *form, struct columns_view *ret);

#endif
