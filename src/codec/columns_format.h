/* SPDX-License-Identifier: MIT */
/*
 * columns_format.h - input of the columns kernel; mirror of FORMAT.md 4.
 */
#ifndef CODEC_COLUMNS_FORMAT_H
#define CODEC_COLUMNS_FORMAT_H

enum column_type {
	COLUMN_TEXT = 0,   /* fields end in a newline */
	COLUMN_FIXED = 1,  /* all of one length */
	COLUMN_WORD = 2,   /* one byte: which of the column's words */
	COLUMN_HEX = 3,    /* bytes, shown as lower-case hexadecimal */
	COLUMN_NUMBER = 4, /* shown in decimal, with leading zeros */
};

enum {
	COLUMN_TEXT_END = '\n',
	COLUMN_WIDTH_MAX = 64,  /* FIXED, HEX: bytes of the stream a field */
	COLUMN_DIGITS_MAX = 18, /* NUMBER */
	COLUMN_DELTA = 0x80,    /* NUMBER: with the bytes of a value */
	COLUMN_WORDS_MAX = 256,
	COLUMN_WORD_LEN_MAX = 65535,
	COLUMNS_MAX = 256,
	COLUMNS_ENTRIES_MAX = 256,
	COLUMNS_LITERAL_MAX = 255,
	COLUMNS_WORDS_MAX = 4096, /* of all columns */
};

#endif
