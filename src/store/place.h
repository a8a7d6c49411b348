/* SPDX-License-Identifier: MIT */
/*
 * place.h - a bounded memory of chunk -> frame, so that reads need no SQL.
 *
 * Part of the bank, which locks. Direct mapped: ids come in sequence.
 */
#ifndef STORE_PLACE_H
#define STORE_PLACE_H

#include "store/pending.h"

#include <errno.h>
#include <stdlib.h>

enum { PLACES_LEN = 1 << 15 };

struct place_slot {
	uint64_t chunk; /* 0: empty */
	struct frame_place place;
};

struct places {
	struct place_slot *slots; /* owned; PLACES_LEN */
};

/* -ENOMEM. */
static inline int places_init(struct places *p)
{
	p->slots = calloc(PLACES_LEN, sizeof(*p->slots));
	return p->slots ? 0 : -ENOMEM;
}

static inline void places_release(struct places *p)
{
	free(p->slots);
	p->slots = NULL;
}

static inline void places_clear(struct places *p)
{
	memset(p->slots, 0, PLACES_LEN * sizeof(*p->slots));
}

static inline void places_set(struct places *p, uint64_t chunk,
			      const struct frame_place *place)
{
	p->slots[chunk % PLACES_LEN] = (struct place_slot){ chunk, *place };
}

static inline void places_drop(struct places *p, uint64_t chunk)
{
	struct place_slot *slot = &p->slots[chunk % PLACES_LEN];

	if (slot->chunk == chunk)
		slot->chunk = 0;
}

static inline bool places_get(const struct places *p, uint64_t chunk,
			      struct frame_place *ret)
{
	const struct place_slot *slot = &p->slots[chunk % PLACES_LEN];

	if (slot->chunk != chunk)
		return false;
	*ret = slot->place;
	return true;
}

#endif
