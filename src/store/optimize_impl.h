/* SPDX-License-Identifier: MIT */
/*
 * optimize_impl.h - what optimising and the estimate of it share.
 */
#ifndef STORE_OPTIMIZE_IMPL_H
#define STORE_OPTIMIZE_IMPL_H

#include "store/optimize.h"

/* Raw bytes of a window at most: room for many versions of the same files. */
#define OPTIMIZE_WINDOW_LEN (UINT64_C(1) << 30)

/* So many bytes of frames that hold nothing are worth a run of the cleaner. */
#define OPTIMIZE_DEAD_LEN (UINT64_C(512) << 20)

/* The options with all defaults filled in, and what follows from them. */
struct optimize_plan {
	struct optimize_options options;
	struct layout_limits layout;
	struct window_limits limits;
	struct repack_options repack; /* without `tell` */
};

/* The index is committed, so that all chunks of now are found. -EROFS, -EIO. */
int optimize_prepare(struct store *s, const struct optimize_options *options,
		     struct optimize_plan *ret);

/* A walk over chunks that somebody needs, up to the last one of its start. */
struct optimize_walk {
	struct store *s;
	const atomic_bool *stop; /* NULL: never */
	uint64_t after;
	uint64_t last;
};

void optimize_walk_all(struct store *s, const struct optimize_options *options,
		       struct optimize_walk *ret);

/* A window_source; `ctx` is the walk. -ECANCELED. */
int optimize_walk_next(void *ctx, uint64_t *ret);

/* One window of who does not do all at once, and may be stopped at each. */
struct optimize_turn {
	struct optimize_walk walk;
	uint64_t len;    /* raw bytes of the window, about */
	size_t n_chunks; /* about, at most */
	/* Of a window that was begun before: */
	struct idmap vain; /* frames that do not gain */
	bool studied;      /* nothing is to be learned from it any more */
};

/*
 * Works on a window, and moves the walk on. 1: there is more; 0: that was the
 * last one; then and after 1 `vain` and `studied` are of no use any more. What has
 * been freed is left to the cleaner. The caller has maintain_enter(). Errors as
 * optimize().
 */
int optimize_window(const struct optimize_options *options,
		    struct optimize_turn *turn, struct optimized *ret);

#endif
