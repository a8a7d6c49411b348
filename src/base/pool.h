/* SPDX-License-Identifier: MIT */
/*
 * pool.h - blocks of one size, kept for the next user.
 *
 * Threads: any. Blocks come page aligned and not cleared.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool;

/* Keeps at most `n_keep` unused blocks of `block_len` bytes. -ENOMEM. */
int pool_new(size_t block_len, size_t n_keep, struct pool **ret);

/* All blocks must be back. NULL is fine. */
void pool_free(struct pool *p);

/* NULL: no memory. */
void *pool_get(struct pool *p);

/* NULL is fine. */
void pool_put(struct pool *p, void *block);

size_t pool_block_len(const struct pool *p);

#endif
