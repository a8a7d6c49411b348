/* SPDX-License-Identifier: MIT */
/*
 * idmap.h - hash map from a non-zero u64 to a u64.
 *
 * Open addressing, 16 bytes a slot, at most 3/4 full; shrinks again. Values
 * may carry pointers (idmap_ptr). The caller locks. Errors: -ENOMEM.
 */
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap_slot {
	uint64_t key; /* 0: empty */
	uint64_t value;
};

struct idmap {
	struct idmap_slot *slots; /* owned; NULL while empty */
	size_t n_slots;           /* power of two, or 0 */
	size_t n_used;
};

void idmap_init(struct idmap *m);
void idmap_release(struct idmap *m);

/* The slot's value, to read or change in place; NULL when absent. Valid until
 * the next change of the map. */
uint64_t *idmap_find(const struct idmap *m, uint64_t key);

/* Inserts or replaces. */
int idmap_set(struct idmap *m, uint64_t key, uint64_t value);

/* Returns whether it was there. Never fails. */
bool idmap_del(struct idmap *m, uint64_t key);

void idmap_clear(struct idmap *m);

/*
 * Walks all entries in no order: start with *cursor = 0; false at the end.
 * The map must not change meanwhile.
 */
bool idmap_next(const struct idmap *m, size_t *cursor, struct idmap_slot *ret);

static inline void *idmap_ptr(const struct idmap *m, uint64_t key)
{
	uint64_t *v = idmap_find(m, key);

	return v ? (void *)(uintptr_t)*v : NULL;
}

#endif
