/* SPDX-License-Identifier: MIT */
/*
 * sniff.h - what kind of content some bytes are.
 *
 * Pure, no allocation; looks at a few kilobytes at most. The bytes may be from
 * the middle of a file, so signatures are only half of it. A guess: whoever
 * acts on it measures.
 */
#ifndef CODEC_SNIFF_H
#define CODEC_SNIFF_H

#include "base/bytes.h"

enum content_class {
	CONTENT_BINARY,  /* unknown, and no text */
	CONTENT_PACKED,  /* compressed already */
	CONTENT_X86,     /* x86-64 code */
	CONTENT_ARM64,   /* AArch64 code */
	CONTENT_PAGES,   /* of a database */
	CONTENT_MEDIA,   /* images and sound, not compressed */
	CONTENT_NUMBERS, /* records of one length */

	/* In an encoding that keeps ASCII: */
	CONTENT_TEXT,
	CONTENT_SOURCE,
	CONTENT_MARKUP, /* XML, HTML */
	CONTENT_JSON,
	CONTENT_CELLS, /* CSV, TSV */
	CONTENT_KEYS,  /* lines `key: value` */
	CONTENT_LOG,   /* lines that begin alike */
	CONTENT_N_CLASSES
};

/* What else was seen. */
struct sniffed {
	enum content_class class;
	uint8_t delimiter; /* CONTENT_CELLS */
	uint8_t phase;     /* CONTENT_ARM64: where the first instruction is */
	uint16_t width;    /* CONTENT_NUMBERS: of a record */
};

void sniff(struct span bytes, struct sniffed *ret);
enum content_class sniff_class(struct span bytes);
const char *content_name(enum content_class class);

static inline bool content_is_text(enum content_class class)
{
	return class >= CONTENT_TEXT;
}

/* Whether sniff() would say text; cheaper. */
bool sniff_is_text(struct span bytes);

#endif
