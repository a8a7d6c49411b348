/* SPDX-License-Identifier: MIT */
/*
 * verify.h - whether a frame that was read gives the bytes that were written.
 */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

struct context;
struct frame_view;
struct store;

/*
 * Decodes the frame into x->raw and compares its chunks' hashes. No lock may be
 * held; bases are taken from the cache or loaded into it. -EUCLEAN, -EBADMSG,
 * -EOPNOTSUPP: it does not.
 */
int verify_frame(struct store *s, struct context *x,
		 const struct frame_view *view);

#endif
