/* SPDX-License-Identifier: MIT */
/*
 * unpack.c - a sieve, what its records have to say, and a thaw for the frames.
 *
 * What follows from the frames (the place of each seek table and its content,
 * the totals) is made again and compared, so a strict unpacker has nothing to
 * believe.
 */
#include "stream/unpack.h"

#include "base/error.h"
#include "stream/seek.h"
#include "stream/sieve.h"

#include <stdlib.h>

struct unpack {
	struct unpack_options options; /* immutable */
	struct sieve sieve;
	struct thaw *thaw;         /* owned; NULL before the first frame */
	struct seek_builder *seek; /* owned; what the tables must say */
	uint64_t raw_len;          /* of the frames seen, and of gaps */
	uint64_t last_seq;         /* of the last frame that was used */
	uint64_t n_frames;
	uint64_t stored_len;
	struct stream_end end;
	bool has_end;
};

int unpack_new(const struct unpack_options *options, struct unpack **ret)
{
	struct unpack *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->options = *options;
	u->seek = calloc(1, sizeof(*u->seek));
	rc = u->seek ? sieve_init(&u->sieve, options->lenient) : -ENOMEM;
	if (rc < 0) {
		unpack_free(u);
		return rc;
	}
	*ret = u;
	return 0;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	thaw_free(u->thaw);
	sieve_release(&u->sieve);
	free(u->seek);
	free(u);
}

static int need_thaw(struct unpack *u)
{
	const struct thaw_options options = {
		.n_workers = u->options.n_workers,
		.head = u->sieve.head,
		.sink = u->options.sink,
		.lenient = u->options.lenient,
		.to = UINT64_MAX,
	};

	return u->thaw ? 0 : thaw_new(&options, &u->thaw);
}

/* ---- strict --------------------------------------------------------------- */

static int out_of_order(const struct sieve_record *rec)
{
	return corrupt("stream: the record at byte %llu is out of order",
		       (unsigned long long)rec->off);
}

static int take_frame(struct unpack *u, const struct sieve_record *rec)
{
	struct seek_entry entry = {
		.off = rec->off,
		.len = rec->head.payload_len,
	};
	struct thaw_place place;
	int rc;

	if (u->seek->closing || seek_due(u->seek, false) > 0)
		return out_of_order(rec);
	rc = thaw_place_of(&u->sieve.head, rec->payload, &place);
	if (rc < 0)
		return rc;
	if (place.raw_off != u->raw_len)
		return out_of_order(rec);
	entry.raw_len = place.raw_len;
	rc = seek_add(u->seek, &entry);
	if (rc == 0)
		rc = need_thaw(u);
	if (rc < 0)
		return rc;
	u->raw_len += place.raw_len;
	u->n_frames++;
	return thaw_frame(u->thaw, &place, rec->payload);
}

static int take_table(struct unpack *u, const struct sieve_record *rec)
{
	uint8_t want[SEEK_PAYLOAD_MAX];
	unsigned level = seek_due(u->seek, true);
	size_t len;

	if (level == 0)
		return out_of_order(rec);
	len = seek_put(u->seek, level, want);
	if (rec->payload.len != len || memcmp(rec->payload.ptr, want, len) != 0)
		return corrupt("stream: the seek table at byte %llu is wrong",
			       (unsigned long long)rec->off);
	return seek_wrote(u->seek, level, rec->off, len);
}

static int take_end(struct unpack *u, const struct sieve_record *rec)
{
	const struct stream_end *end = &u->end;
	int rc = stream_end_get(rec->payload, &u->end);

	if (rc < 0 || seek_due(u->seek, true) > 0 ||
	    end->raw_len != u->raw_len || end->n_frames != u->n_frames ||
	    end->root_off != u->seek->root.off ||
	    end->root_len != u->seek->root.len ||
	    end->root_level != u->seek->root_level)
		return corrupt("stream: the end does not fit to the rest");
	u->has_end = true;
	return 0;
}

static int take_strict(struct unpack *u, const struct sieve_record *rec)
{
	if (rec->head.type == RECORD_FRAME)
		return take_frame(u, rec);
	if (rec->head.type == RECORD_SEEK)
		return take_table(u, rec);
	return take_end(u, rec);
}

/* ---- lenient -------------------------------------------------------------- */

/*
 * Whether raw byte `raw_off` may come next in the record `seq`: what was left
 * out has had sequence numbers, so a gap has a bound.
 */
static bool is_plausible(const struct unpack *u, uint64_t raw_off, uint64_t seq)
{
	return seq > u->last_seq && raw_off >= u->raw_len &&
	       (raw_off - u->raw_len) / u->sieve.head.frame_max <
		       seq - u->last_seq;
}

static void take_good_end(struct unpack *u, const struct sieve_record *rec)
{
	u->has_end = stream_end_get(rec->payload, &u->end) == 0 &&
		     is_plausible(u, u->end.raw_len, rec->head.seq);
}

static int take_what_is_good(struct unpack *u, const struct sieve_record *rec)
{
	struct thaw_place place;
	int rc;

	if (rec->head.type == RECORD_FOOTER)
		take_good_end(u, rec);
	if (rec->head.type != RECORD_FRAME ||
	    thaw_place_of(&u->sieve.head, rec->payload, &place) < 0 ||
	    !is_plausible(u, place.raw_off, rec->head.seq))
		return 0;
	rc = need_thaw(u);
	if (rc < 0)
		return rc;
	u->raw_len = place.raw_off + place.raw_len;
	u->last_seq = rec->head.seq;
	u->n_frames++;
	return thaw_frame(u->thaw, &place, rec->payload);
}

/* ---- the whole ------------------------------------------------------------ */

static int take_all(struct unpack *u)
{
	struct sieve_record rec;
	int rc;

	while ((rc = sieve_next(&u->sieve, &rec)) == 1) {
		rc = u->options.lenient ? take_what_is_good(u, &rec)
					: take_strict(u, &rec);
		if (rc < 0)
			break;
	}
	return rc;
}

size_t unpack_room(struct unpack *u, uint8_t **ret)
{
	return sieve_room(&u->sieve, ret);
}

int unpack_filled(struct unpack *u, size_t len)
{
	sieve_filled(&u->sieve, len);
	u->stored_len += len;
	return take_all(u);
}

int unpack_feed(struct unpack *u, struct span bytes)
{
	uint8_t *room;
	size_t len;
	int rc = 0;

	while (bytes.len > 0 && rc == 0) {
		len = unpack_room(u, &room);
		len = (size_t)min_u64(len, bytes.len);
		memcpy(room, bytes.ptr, len);
		bytes = span_of(bytes.ptr + len, bytes.len - len);
		rc = unpack_filled(u, len);
	}
	return rc;
}

int unpack_finish(struct unpack *u, struct unpack_totals *ret)
{
	struct thaw_totals told = { .pos = 0 };
	int rc;

	sieve_end(&u->sieve);
	rc = take_all(u);
	if (rc == 0 && u->options.lenient && u->n_frames == 0 && !u->has_end)
		return -EINVAL;
	if (rc == 0)
		rc = need_thaw(u);
	if (rc == 0)
		rc = thaw_finish(u->thaw, u->has_end ? u->end.raw_len : 0,
				 &told);
	if (rc < 0)
		return rc;
	*ret = (struct unpack_totals){
		.raw_len = told.pos,
		.stored_len = u->stored_len,
		.n_frames = told.n_frames,
		.missing_len = told.missing_len,
		.n_missing = told.n_missing,
		.end_known = u->has_end,
	};
	return 0;
}
