/* SPDX-License-Identifier: MIT */
/*
 * rounds.c - parts and ends of checkpoint rounds.
 *
 * The newest END is in the newest segment, or in the one that the header of
 * the newest segment names. Where headers are damaged, the search goes back
 * from segment to segment.
 */
#include "store/rounds.h"

#include "base/hash.h"
#include "base/varint.h"
#include "store/context.h"
#include "store/ops.h"
#include "store/scan.h"

int round_part_put(struct buffer *b, uint64_t round, uint64_t number)
{
	int rc = buffer_append_varint(b, round);

	return rc == 0 ? buffer_append_varint(b, number) : rc;
}

int round_part_get(struct span payload, struct round_part *ret)
{
	struct reader r = reader_of(payload);
	struct round_part part;
	int rc = varint_get(&r, &part.round);

	if (rc == 0)
		rc = varint_get(&r, &part.number);
	if (rc < 0)
		return rc;
	part.rest = span_of(r.pos, reader_left(&r));
	*ret = part;
	return 0;
}

uint64_t round_hash(uint64_t hash, struct span part)
{
	return hash64(part, hash);
}

int round_end_put(struct buffer *b, const struct round_end *end)
{
	const uint64_t fields[] = {
		end->n_parts,
		end->segment,
		end->off,
		end->len,
		end->earlier,
		end->next_ids[STORE_ID_CHUNK],
		end->next_ids[STORE_ID_INODE],
		end->next_ids[STORE_ID_CODEBOOK],
		end->n_duplicates,
		end->duplicate_len,
	};
	size_t i;
	int rc = buffer_append_le64(b, end->hash);

	for (i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
		rc = buffer_append_varint(b, fields[i]);
	return rc;
}

int round_end_get(struct span rest, struct round_end *ret)
{
	struct reader r = reader_of(rest);
	struct round_end end = { .n_parts = 0 };
	uint64_t *const fields[] = {
		&end.n_parts,
		&end.segment,
		&end.off,
		&end.len,
		&end.earlier,
		&end.next_ids[STORE_ID_CHUNK],
		&end.next_ids[STORE_ID_INODE],
		&end.next_ids[STORE_ID_CODEBOOK],
		&end.n_duplicates,
		&end.duplicate_len,
	};
	struct span hash = { NULL, 0 };
	size_t i;
	int rc = reader_bytes(&r, 8, &hash);

	if (rc == 0)
		end.hash = get_le64(hash.ptr);
	for (i = 0; rc == 0 && i < ARRAY_LEN(fields); i++)
		rc = varint_get(&r, fields[i]);
	if (rc < 0)
		return rc;
	if (end.segment == 0 || end.off < SEGMENT_HEADER_LEN)
		return -EUCLEAN;
	*ret = end;
	return 0;
}

/* ---- finding --------------------------------------------------------------- */

struct search {
	struct segments *segments;
	struct context *x;
	uint64_t limit;
	struct round seen;  /* END without its COMMIT; seq 0: none */
	struct round found; /* the newest so far; seq 0: none */
};

/* A CHECKPOINT record: is it an END? What makes no sense is none. */
static int look_at(struct search *s, const struct scan_record *rec,
		   uint64_t segment)
{
	struct round round = { .end_seq = rec->head.seq,
			       .end_segment = segment };
	struct round_part part;
	struct span payload;
	int rc = context_decoder(s->x);

	if (rc < 0)
		return rc;
	rc = ops_unpack(s->x->decoder, rec->head.flags, rec->payload,
			&s->x->raw, &payload);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0 || round_part_get(payload, &part) < 0 || part.number != 0 ||
	    round_end_get(part.rest, &round.end) < 0)
		return 0;
	round.seq = part.round;
	if (round.seq > 0 && round.seq < round.end_seq)
		s->seen = round;
	return 0;
}

/* The newest END of a segment. A bad place ends it. */
static int search_segment(struct search *s, struct segment *segment)
{
	struct scan_record rec = { .off = 0 };
	struct scan scan;
	int rc = scan_init(&scan, segment, SEGMENT_HEADER_LEN);

	s->seen.seq = 0;
	while (rc >= 0 && (rc = scan_next(&scan, &rec)) == 1) {
		if (rec.head.seq >= s->limit)
			break;
		if (rec.head.type == RECORD_CHECKPOINT)
			rc = look_at(s, &rec, segment->header.number);
		else if (rec.head.type == RECORD_COMMIT && s->seen.seq != 0)
			s->found = s->seen;
	}
	scan_release(&scan);
	return rc < 0 && !scan_is_bad(rc) ? rc : 0;
}

/* Searches segment `number`. `*ret_hint`: where its header says, or the one
 * before a gap; 0: nowhere, or it cannot be read. */
static int search_number(struct search *s, uint64_t number, uint64_t *ret_hint)
{
	struct segment *segment = NULL;
	int rc = segments_get(s->segments, number, &segment);

	*ret_hint = 0;
	/* However wide the gap is. */
	if (rc == -ENOENT)
		return segments_before(s->segments, number, ret_hint);
	if (scan_is_bad(rc))
		return 0;
	if (rc < 0)
		return rc;
	*ret_hint = segment->header.checkpoint;
	rc = search_segment(s, segment);
	segments_put(s->segments, segment);
	return rc;
}

/* Its start may be gone with its segment. */
static bool starts_there(struct search *s, const struct round *round)
{
	struct segment *segment = NULL;

	if (segments_get(s->segments, round->end.segment, &segment) < 0)
		return false;
	segments_put(s->segments, segment);
	return true;
}

int rounds_find(struct segments *t, struct context *x, uint64_t limit,
		struct round *ret)
{
	struct search s = { .segments = t, .x = x, .limit = limit };
	uint64_t first = 0;
	uint64_t number = 0;
	uint64_t hint;
	int rc = segments_range(t, &first, &number);

	while (rc == 0 && number > 0 && number >= first) {
		rc = search_number(&s, number, &hint);
		if (rc == 0 && s.found.seq != 0 && starts_there(&s, &s.found)) {
			*ret = s.found;
			return 1;
		}
		s.found.seq = 0;
		number = hint > 0 && hint < number ? hint : number - 1;
	}
	return rc;
}
