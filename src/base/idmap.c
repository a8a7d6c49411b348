/* SPDX-License-Identifier: MIT */
/*
 * idmap.c - linear probing; a deletion closes its gap, so there are no
 * tombstones and a lookup always ends at the first empty slot.
 */
#include "base/idmap.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { SLOTS_MIN = 16 };

/* The slot where the search for `key` begins. */
static size_t home_of(const struct idmap *m, uint64_t key)
{
	key ^= key >> 32;
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(key >> 32) & (m->n_slots - 1);
}

/* The slot of `key`, or the empty one where it belongs. */
static size_t slot_of(const struct idmap *m, uint64_t key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->n_slots - 1);
	return i;
}

static int resize(struct idmap *m, size_t n_slots)
{
	struct idmap wider = { .n_slots = n_slots, .n_used = m->n_used };
	size_t i;

	wider.slots = calloc(n_slots, sizeof(*wider.slots));
	if (!wider.slots)
		return -ENOMEM;
	for (i = 0; i < m->n_slots; i++) {
		if (m->slots[i].key != 0)
			wider.slots[slot_of(&wider, m->slots[i].key)] =
				m->slots[i];
	}
	free(m->slots);
	*m = wider;
	return 0;
}

void idmap_init(struct idmap *m)
{
	*m = (struct idmap){ 0 };
}

void idmap_release(struct idmap *m)
{
	free(m->slots);
	idmap_init(m);
}

uint64_t *idmap_find(const struct idmap *m, uint64_t key)
{
	size_t i;

	if (m->n_used == 0 || key == 0)
		return NULL;
	i = slot_of(m, key);
	return m->slots[i].key == key ? &m->slots[i].value : NULL;
}

int idmap_set(struct idmap *m, uint64_t key, uint64_t value)
{
	uint64_t *old = idmap_find(m, key);
	int rc;

	assert(key != 0);
	if (old) {
		*old = value;
		return 0;
	}
	if ((m->n_used + 1) * 4 > m->n_slots * 3) {
		rc = resize(m, m->n_slots ? m->n_slots * 2 : SLOTS_MIN);
		if (rc < 0)
			return rc;
	}
	m->slots[slot_of(m, key)] = (struct idmap_slot){ key, value };
	m->n_used++;
	return 0;
}

/* Moves back what probed over slot `gap`, so that the gap ends up where no
 * search passes. */
static void close_gap(struct idmap *m, size_t gap)
{
	size_t mask = m->n_slots - 1;
	size_t i = gap;
	size_t home;

	for (;;) {
		i = (i + 1) & mask;
		if (m->slots[i].key == 0)
			break;
		home = home_of(m, m->slots[i].key);
		/* Its search starts behind the gap: it may stay. */
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		m->slots[gap] = m->slots[i];
		gap = i;
	}
	m->slots[gap] = (struct idmap_slot){ 0 };
}

bool idmap_del(struct idmap *m, uint64_t key)
{
	if (!idmap_find(m, key))
		return false;
	close_gap(m, slot_of(m, key));
	m->n_used--;
	/* Without memory for a smaller table the larger one serves on. */
	if (m->n_slots > SLOTS_MIN && m->n_used * 8 < m->n_slots)
		(void)resize(m, m->n_slots / 2);
	return true;
}

void idmap_clear(struct idmap *m)
{
	idmap_release(m);
}

bool idmap_next(const struct idmap *m, size_t *cursor, struct idmap_slot *ret)
{
	while (*cursor < m->n_slots) {
		const struct idmap_slot *slot = &m->slots[(*cursor)++];

		if (slot->key != 0) {
			*ret = *slot;
			return true;
		}
	}
	return false;
}
