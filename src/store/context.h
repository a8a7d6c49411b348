/* SPDX-License-Identifier: MIT */
/*
 * context.h - codecs and scratch memory, lent to one thread at a time.
 *
 * There are as many as threads at work; a few idle ones are kept.
 */
#ifndef STORE_CONTEXT_H
#define STORE_CONTEXT_H

#include "base/buffer.h"
#include "codec/decode.h"
#include "codec/encode.h"

struct contexts;

struct context {
	struct encoder *encoder; /* context_encoder() makes it */
	struct decoder *decoder; /* context_decoder() makes it */
	struct buffer payload;   /* of a record */
	struct buffer raw;
	struct buffer deltas; /* glyphs */
	struct buffer spare;  /* glyphs that lost, or won, a comparison */
	struct context *next; /* the list's */
};

int contexts_new(struct contexts **ret);

/* All are back. NULL is fine. */
void contexts_free(struct contexts *c);

/* NULL: no memory. */
struct context *context_get(struct contexts *c);
void context_put(struct contexts *c, struct context *x);

/* Makes the codec at its first use. -ENOMEM. */
int context_encoder(struct context *x);
int context_decoder(struct context *x);

#endif
