/* SPDX-License-Identifier: MIT */
/* verify.c - a frame, decoded and compared. */
#include "store/verify.h"

#include "store/bases.h"
#include "store/state.h"
#include "stream/frame.h"

int verify_frame(struct store *s, struct context *x,
		 const struct frame_view *view)
{
	struct buffer *raw = &x->raw;
	struct bases bases;
	int rc = context_decoder(x);

	buffer_clear(raw);
	if (rc == 0)
		rc = buffer_reserve(raw, view->raw_len);
	if (rc < 0)
		return rc;
	bases_init(&bases, s, false);
	rc = decode_frame(x->decoder, view->glyphs, &bases.source, raw->data,
			  view->raw_len);
	bases_release(&bases);
	return rc < 0 ? rc
		      : frame_verify(view, span_of(raw->data, view->raw_len));
}
