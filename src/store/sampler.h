/* SPDX-License-Identifier: MIT */
/*
 * sampler.h - which frames a codebook of their class may be learned from.
 *
 * Remembers for each class a few hundred frames, evenly spread over all that
 * came, by their place: the bytes are read again when they are needed.
 * Classes without codebooks take no memory.
 * Threads: any.
 */
#ifndef STORE_SAMPLER_H
#define STORE_SAMPLER_H

#include "codec/sniff.h"
#include "store/pending.h"

#include <stdbool.h>

struct sampler;

enum { SAMPLER_FRAMES_MAX = 256 };

/* `first_len`: raw bytes of a class before it is due for the first time. */
int sampler_new(uint64_t first_len, struct sampler **ret);
void sampler_free(struct sampler *s);

/*
 * A frame is in the log. Returns whether the class is due: so much has come
 * that it may be worthwhile to learn anew. It is told once; then four times as
 * much has to come, 1 GiB at most.
 */
bool sampler_see(struct sampler *s, enum content_class class,
		 const struct frame_place *place, size_t raw_len);

/* Copies what is remembered. Returns the number. */
size_t sampler_take(struct sampler *s, enum content_class class,
		    struct frame_place places[SAMPLER_FRAMES_MAX]);

/* Bytes of the class that have come. */
uint64_t sampler_seen(struct sampler *s, enum content_class class);

#endif
