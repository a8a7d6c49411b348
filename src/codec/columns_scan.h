/* SPDX-License-Identifier: MIT */
/*
 * columns_scan.h - between the scanners and columns.c.
 */
#ifndef CODEC_COLUMNS_SCAN_H
#define CODEC_COLUMNS_SCAN_H

#include "codec/columns.h"

/*
 * Takes the next field: `len` bytes at `pos`, behind all fields before. What
 * lies between is its literal. `context` tells fields with equal literals
 * apart. No field has a newline in it. False: enough of this text.
 */
bool columns_field(struct columns *c, const uint8_t *pos, size_t len,
		   uint32_t context);

/* Hands every field over. False: columns_field() had enough. */
bool columns_scan(struct columns *c, struct span raw,
		  const struct columns_form *form);

#endif
