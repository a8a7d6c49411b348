/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.h - writes the index into the log, so that a rebuild need not
 * read what came before.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Whether the operations since the newest round outweigh it. */
bool checkpoint_due(struct store *s);

/*
 * Writes a round, durably. Takes INDEX for some ms at a time, with pauses; costs
 * as much as the index is long. Waits for other long work. -ECANCELED: the store is being
 * closed. -ENOSPC: the disk has no room for it; nothing is lost.
 */
int checkpoint_write(struct store *s);

/* The same for who has maintain_enter(). */
int checkpoint_write_held(struct store *s);

/* About how many bytes of the log a round takes. */
uint64_t checkpoint_cost(struct store *s);

#endif
