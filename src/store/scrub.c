/* SPDX-License-Identifier: MIT */
/*
 * scrub.c - frame after frame, by the rows of the index.
 *
 * So what is damaged is told once, and what nobody needs not at all. A frame
 * may move while it is looked at: a failure counts only if it is still where it
 * was.
 */
#include "store/scrub.h"

#include "store/chunk.h"
#include "store/scan.h"
#include "store/state.h"
#include "store/verify.h"
#include "stream/frame.h"

/* Frames that come later are not of this pass. */
static int begin(struct store *s, struct scrub_pass *pass)
{
	struct store_stats st;
	int rc = store_stat(s, &st);

	if (rc == 0 && store_writable(s) == 0)
		rc = index_commit(s);
	if (rc < 0)
		return rc;
	*pass = (struct scrub_pass){ .total_len =
					     st.totals[TOTAL_FRAME_STORED] };
	index_lock(s);
	pass->last = s->position.seq;
	index_unlock(s);
	return 0;
}

/* 1: the next frame of the pass that somebody needs. */
static int next_frame(struct store *s, struct scrub_pass *pass,
		      struct bank_frame_row *ret)
{
	int rc;

	do {
		index_lock(s);
		rc = bank_next_frame(s->bank, pass->after, ret);
		index_unlock(s);
		if (rc == 1 && ret->live_len == 0)
			pass->after = ret->place.frame;
	} while (rc == 1 && ret->live_len == 0 && pass->after < pass->last);
	if (rc == 1 && ret->live_len == 0)
		return 0;
	return rc == 1 && ret->place.frame > pass->last ? 0 : rc;
}

static bool is_still_there(struct store *s, const struct frame_place *place)
{
	struct bank_frame_row row;
	int rc;

	index_lock(s);
	rc = bank_frame_row(s->bank, place->frame, &row);
	index_unlock(s);
	return rc == 0 && row.place.segment == place->segment &&
	       row.place.off == place->off;
}

/* Whether it is about what stands there. */
static bool is_damage(int rc)
{
	return scan_is_bad(rc) || rc == -EIO || rc == -ENOENT;
}

static int look_at(struct store *s, struct context *x,
		   const struct frame_place *place, int *ret_damage)
{
	struct frame_view view;
	int rc = chunk_read_frame(s, x, place, &view);

	if (rc == 0)
		rc = verify_frame(s, x, &view);
	*ret_damage = 0;
	if (!is_damage(rc))
		return rc;
	if (is_still_there(s, place))
		*ret_damage = rc;
	return 0;
}

static int scrub_frame(struct store *s, struct context *x,
		       const struct frame_place *place, struct scrub_pass *pass,
		       const struct scrub_watch *watch)
{
	struct scrub_damage damage = { place->frame, place->segment, place->off,
				       0 };
	/* Its bases must not be dropped meanwhile. */
	unsigned turn = store_enter(s);
	int rc = look_at(s, x, place, &damage.rc);

	store_leave(s, turn);
	if (rc < 0)
		return rc;
	pass->after = place->frame;
	pass->n_frames++;
	pass->n_bytes += place->payload_len;
	if (damage.rc != 0) {
		pass->n_damaged++;
		watch->found(watch->ctx, &damage);
	}
	return watch->step(watch->ctx, pass);
}

int scrub_run(struct store *s, struct scrub_pass *pass,
	      const struct scrub_watch *watch)
{
	struct context *x = context_get(s->contexts);
	struct bank_frame_row row;
	int rc = x ? 0 : -ENOMEM;

	if (rc == 0 && pass->last == 0)
		rc = begin(s, pass);
	while (rc == 0 && (rc = next_frame(s, pass, &row)) == 1)
		rc = scrub_frame(s, x, &row.place, pass, watch);
	if (x)
		context_put(s->contexts, x);
	return rc;
}
