/* SPDX-License-Identifier: MIT */
/*
 * trainer.h - makes codebooks of what is stored, while the store is used.
 *
 * Two threads, begun when there is first something to do: one reads frames and
 * publishes, the other one computes, with the lowest priority and no lock that
 * anybody waits for. A codebook is published only if it saves 2 % of frames
 * that it was not made from, against the one in use, and pays for itself.
 */
#ifndef STORE_TRAINER_H
#define STORE_TRAINER_H

#include "codec/sniff.h"
#include "store/pending.h"

struct store;
struct trainer;

int trainer_new(struct store *s, struct trainer **ret);

/* Ends the threads; what is being computed is given up. NULL is fine. */
void trainer_free(struct trainer *t);

/* A frame is in the log. Cheap; any thread. */
void trainer_see(struct trainer *t, enum content_class class,
		 const struct frame_place *place, size_t raw_len);

/* Begins lessons that are due, unless ingest is pressed: they would take the
 * processors that writers wait for. Housekeeping's thread only. */
void trainer_tick(struct trainer *t);

/* How a lesson ended. */
struct trained {
	enum content_class class;
	uint64_t codebook; /* published; 0: none */
	size_t len;        /* of its dictionary */
	size_t n_frames;   /* that were read */
	uint64_t raw;      /* bytes of the frames to judge by, */
	uint64_t before;   /* encoded as it was, */
	uint64_t after;    /* and with what was learned */
};

/*
 * Learns now, on this thread, from frames all over the store; a class without
 * frames is left out. `told` is called for each of the others. Blocks for
 * seconds. -EROFS, -ENOMEM.
 */
int trainer_run(struct store *s,
		void (*told)(void *ctx, const struct trained *), void *ctx);

#endif
