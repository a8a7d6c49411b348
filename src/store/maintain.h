/* SPDX-License-Identifier: MIT */
/*
 * maintain.h - the thread that does long work in the background: checkpoints,
 * cleaning, and optimising while nobody uses the store.
 *
 * Apart from housekeeping, which must come round every second.
 */
#ifndef STORE_MAINTAIN_H
#define STORE_MAINTAIN_H

#include <stdbool.h>
#include <stdint.h>

struct store;

int maintain_start(struct store *s);

/* Asks what is under way to stop, and waits for that. Once, before the end. */
void maintain_end(struct store *s);

/* Waits until nobody else does long work, and keeps others from it. What is done
 * at leisure ends soon then. */
void maintain_enter(struct store *s);

/* The same for who must not wait, which may be minutes: false, somebody is at it. */
bool maintain_try_enter(struct store *s);
void maintain_leave(struct store *s);

/* Sleeps, unless the store is being closed: then false. */
bool maintain_pause(struct store *s, uint64_t ns);

#endif
