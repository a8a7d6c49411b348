/* SPDX-License-Identifier: MIT */
/*
 * learned.h - encodes frames with what was learned, where that is shorter.
 */
#ifndef STORE_LEARNED_H
#define STORE_LEARNED_H

#include "codec/encode.h"

struct context;
struct store;

/*
 * As encode_frame(), and with the newest codebook of the class (which the
 * request tells) for an effort of EFFORT_BALANCED or more. Some frames are
 * encoded both ways; how that went decides for the next ones. May take INDEX.
 */
ssize_t learned_encode(struct store *s, struct context *x,
		       const struct encode_request *request, struct span raw,
		       uint8_t *dst);

#endif
