/* SPDX-License-Identifier: MIT */
/* append.c - log first, bank then; an index commit waits for both. */
#include "store/append.h"

#include "store/state.h"

static int append(struct store *s, const struct append *a,
		  struct bank_frame *frame)
{
	const struct log_entry entry = {
		.type = RECORD_FRAME,
		.flags = a->flags,
		.payload = a->payload,
	};
	struct log_place place;
	int rc = log_append(s->log, &entry, &place);

	if (rc < 0)
		return rc;
	frame->place = (struct frame_place){
		.frame = place.seq,
		.segment = place.segment,
		.off = place.off,
		.payload_len = (uint32_t)a->payload.len,
	};
	return bank_add(s->bank, frame);
}

int append_frame(struct store *s, const struct append *a,
		 struct frame_place *ret)
{
	struct bank_frame frame = {
		.raw_len = (uint32_t)a->raw_len,
		.glyphs = a->glyphs,
		.chunks = a->chunks,
		.n_chunks = a->n_chunks,
		.known_below = a->known_below,
	};
	int rc;

	bank_expect(s->bank);
	rc = append(s, a, &frame);
	bank_expected(s->bank);
	if (rc < 0)
		store_fail(s, rc, "writing data to the log");
	else
		*ret = frame.place;
	return rc;
}
