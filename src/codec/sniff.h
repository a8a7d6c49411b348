/* SPDX-License-Identifier: MIT */
/*
 * sniff.h - what kind of content some bytes are.
 *
 * Pure, no allocation; looks at a few hundred bytes.
 */
#ifndef CODEC_SNIFF_H
#define CODEC_SNIFF_H

#include "base/bytes.h"

enum content_class {
	CONTENT_BINARY, /* or unknown */
	CONTENT_TEXT, /* in an encoding that keeps ASCII: source, JSON, logs */
	CONTENT_N_CLASSES
};

enum content_class sniff_class(struct span bytes);

#endif
