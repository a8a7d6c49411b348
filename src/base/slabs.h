/* SPDX-License-Identifier: MIT */
/*
 * slabs.h - memory for large blocks of any length, in huge pages.
 *
 * Blocks are whole pages of slabs of 2 MiB, which the system is asked to back with
 * one huge page each: that spares faults, and entries of the TLB. A slab in which
 * nothing is used is given back, but for one.
 * Threads: any.
 */
#ifndef BASE_SLABS_H
#define BASE_SLABS_H

#include <stddef.h>

struct slabs;

enum {
	SLABS_PAGE_LEN = 4096,
	SLABS_BLOCK_MAX = (2 << 20) - SLABS_PAGE_LEN,
};

/* -ENOMEM. */
int slabs_new(struct slabs **ret);

/* All blocks must be back. NULL is fine. */
void slabs_free(struct slabs *s);

/* A block of 1..SLABS_BLOCK_MAX bytes, page aligned and not cleared. NULL: no
 * memory. */
void *slabs_get(struct slabs *s, size_t len);

/* Gives back a block of `len` bytes. NULL is fine. */
void slabs_put(struct slabs *s, void *block, size_t len);

#endif
