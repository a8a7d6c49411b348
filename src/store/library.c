/* SPDX-License-Identifier: MIT */
/*
 * library.c - codebooks between log, index and memory.
 *
 * A codebook is appended to the log and entered into the index under INDEX, and
 * can be picked only then: so its record stands before every frame that names
 * it, and a COMMIT that covers one of them covers it.
 */
#include "store/library.h"

#include "base/varint.h"
#include "store/ops.h"
#include "store/scan.h"
#include "store/state.h"
#include "stream/codebook_record.h"

/* INDEX held. */
static int append(struct store *s, struct span payload)
{
	const struct log_entry entry = {
		.type = RECORD_CODEBOOK,
		.payload = payload,
	};
	struct log_place at;
	uint64_t id = 0;
	int rc = log_append(s->log, &entry, &at);

	if (rc == 0) {
		const struct codebook_place place = { at.segment, at.off };

		rc = codebooks_add(s->codebooks, &place, payload, &id);
	}
	if (rc < 0) {
		store_fail(s, rc, "writing a codebook to the log");
		return rc;
	}
	atomic_fetch_add(&s->mark, 1);
	atomic_fetch_add(&s->n_ops, 1);
	return 0;
}

/* The version behind the newest of a class. -EFBIG: there are too many. INDEX
 * held. */
static int next_version(struct store *s, const char *class, uint64_t *ret)
{
	struct codebook_row row = { .id = 0 };
	uint64_t newest = 0;
	unsigned n = 0;
	int rc;

	while ((rc = codebooks_next(s->codebooks, row.id, &row)) == 1) {
		if (++n == LIBRARY_MAX)
			return -EFBIG;
		if (strcmp(row.class, class) == 0)
			newest = max_u64(newest, row.version);
	}
	if (rc == 0)
		*ret = newest + 1;
	return rc;
}

/* Whether it is a dictionary. */
static int try_out(const struct codebook_head *head, struct span dictionary)
{
	struct codebook *b = NULL;
	int rc = codebook_new(head, dictionary, &b);

	codebook_put(b);
	return rc;
}

/* A record of it under a name that is not its own: encoding takes too long for
 * INDEX to be held. */
static int make_draft(enum content_class class, struct span dictionary,
		      struct buffer *ret)
{
	const struct codebook_head head = { 1, 1, class };
	struct encoder *e = NULL;
	int rc = encoder_new(&e);

	if (rc == 0)
		rc = codebook_record_put(e, &head, dictionary, ret);
	encoder_free(e);
	return rc;
}

/* Sets id and version. INDEX held. */
static int publish(struct store *s, struct codebook_head *head,
		   const struct codebook_record *body)
{
	struct buffer payload;
	int rc = next_version(s, codebook_class_name(head->class),
			      &head->version);

	if (rc < 0)
		return rc;
	head->id = store_next_id(s, STORE_ID_CODEBOOK);
	buffer_init(&payload, RECORD_PAYLOAD_MAX);
	rc = codebook_record_put_as(head, body, &payload);
	if (rc == 0)
		rc = append(s, buffer_span(&payload));
	buffer_release(&payload);
	return rc;
}

int library_publish(struct store *s, enum content_class class,
		    struct span dictionary, uint64_t *ret_id)
{
	struct codebook_head head = { .class = class };
	const char *name = codebook_class_name(class);
	struct codebook_record body = { .id = 0 };
	struct buffer draft;
	int rc;

	if (!name)
		return -EINVAL;
	rc = store_writable(s);
	if (rc == 0)
		rc = try_out(&head, dictionary);
	if (rc < 0)
		return rc;
	buffer_init(&draft, RECORD_PAYLOAD_MAX);
	rc = make_draft(class, dictionary, &draft);
	if (rc == 0)
		rc = codebook_record_parse(buffer_span(&draft), &body);
	/* In the log, and in the index. */
	if (rc == 0 && !space_has(s, 2 * draft.len, false))
		rc = -ENOSPC;
	if (rc == 0)
		rc = txn_begin(s);
	if (rc == 0) {
		rc = publish(s, &head, &body);
		txn_end(s);
	}
	buffer_release(&draft);
	if (rc == 0)
		*ret_id = head.id;
	return rc;
}

/* What the record in the log at a row's place says. */
static int load_record(struct store *s, const struct codebook_row *row,
		       struct segment *segment, struct codebook **ret)
{
	struct scan_record rec = { .off = 0 };
	struct scan scan;
	int rc = scan_init(&scan, segment, row->place.off);

	if (rc == 0)
		rc = scan_next(&scan, &rec);
	if (rc == 0 || (rc == 1 && rec.head.type != RECORD_CODEBOOK))
		rc = -EUCLEAN;
	if (rc == 1) {
		index_lock(s);
		rc = codebooks_load_record(s->codebooks, row->id, rec.payload,
					   ret);
		index_unlock(s);
	}
	scan_release(&scan);
	return rc;
}

/* The row is damaged, but for its place. */
static int load_from_log(struct store *s, uint64_t id, struct codebook **ret)
{
	struct codebook_row row = { .id = 0 };
	struct segment *segment = NULL;
	int rc = library_next(s, id - 1, &row);

	if (rc < 0)
		return rc;
	if (rc == 0 || row.id != id)
		return -ENOENT;
	rc = segments_get(s->segments, row.place.segment, &segment);
	if (rc < 0)
		return rc == -ENOENT ? -EUCLEAN : rc;
	rc = load_record(s, &row, segment, ret);
	segments_put(s->segments, segment);
	return rc;
}

int library_get(struct store *s, uint64_t id, struct codebook **ret)
{
	struct codebook *b = codebooks_find(s->codebooks, id);
	int rc = 0;

	if (!b) {
		index_lock(s);
		rc = codebooks_load(s->codebooks, id, &b);
		index_unlock(s);
		if (scan_is_bad(rc))
			rc = load_from_log(s, id, &b);
	}
	if (rc == 0)
		*ret = b;
	return rc;
}

struct codebook *library_pick(struct store *s, enum content_class class,
			      size_t raw_len, bool *ret_compare)
{
	enum codebook_advice advice =
		codebooks_advise(s->codebooks, class, raw_len);
	struct codebook *b = NULL;
	uint64_t id;

	if (advice == CODEBOOK_SKIP)
		return NULL;
	id = codebooks_newest(s->codebooks, class);
	/* One that cannot be read is told when somebody has to. */
	if (id == 0 || library_get(s, id, &b) < 0)
		return NULL;
	*ret_compare = advice == CODEBOOK_COMPARE;
	return b;
}

int library_next(struct store *s, uint64_t after, struct codebook_row *ret)
{
	int rc;

	index_lock(s);
	rc = codebooks_next(s->codebooks, after, ret);
	index_unlock(s);
	return rc;
}

/* The payload of the record in the log at a row's place. */
static int read_record(const struct codebook_row *row, struct segment *segment,
		       struct buffer *ret)
{
	struct codebook_record r = { .id = 0 };
	struct scan_record rec = { .off = 0 };
	struct scan scan;
	int rc = scan_init(&scan, segment, row->place.off);

	if (rc == 0)
		rc = scan_next(&scan, &rec);
	if (rc == 0 || (rc == 1 && rec.head.type != RECORD_CODEBOOK))
		rc = -EUCLEAN;
	if (rc == 1)
		rc = codebook_record_parse(rec.payload, &r);
	if (rc == 0 && r.id != row->id)
		rc = -EUCLEAN;
	if (rc == 0)
		rc = buffer_append(ret, rec.payload);
	scan_release(&scan);
	return rc;
}

int library_load_row(struct store *s, struct span body)
{
	struct codebook_row row = { .id = 0 };
	struct segment *segment = NULL;
	struct buffer payload;
	int rc = codebooks_row_get(body, &row.id, &row.place);

	if (rc < 0)
		return rc;
	buffer_init(&payload, RECORD_PAYLOAD_MAX);
	rc = segments_get(s->segments, row.place.segment, &segment);
	if (rc == 0) {
		rc = read_record(&row, segment, &payload);
		segments_put(s->segments, segment);
	}
	/* Its segment may have been cleaned since: then a newer record follows.
	 * If it is damaged, what does without it can still be read. */
	if (rc != -ENOMEM)
		rc = codebooks_load_row(s->codebooks, body,
					buffer_span(&payload));
	buffer_release(&payload);
	return rc;
}

int library_rewrite(struct store *s, const struct codebook_row *row)
{
	struct segment *segment = NULL;
	struct buffer payload;
	int rc = segments_get(s->segments, row->place.segment, &segment);

	if (rc < 0)
		return rc;
	buffer_init(&payload, RECORD_PAYLOAD_MAX);
	rc = read_record(row, segment, &payload);
	segments_put(s->segments, segment);
	if (rc == 0)
		rc = txn_begin(s);
	if (rc == 0) {
		rc = append(s, buffer_span(&payload));
		txn_end(s);
	}
	buffer_release(&payload);
	return rc;
}

/* INDEX held, in a transaction. */
static int retire_all(struct store *s)
{
	uint8_t body[VARINT_MAX];
	uint64_t id = 0;
	int n = 0;
	int rc;

	for (;;) {
		rc = codebooks_find_idle(s->codebooks, id, &id);
		if (rc < 0 || id == 0)
			return rc < 0 ? rc : n;
		rc = txn_op(s, OP_CODEBOOK_DEL,
			    span_of(body, varint_put(body, id)));
		if (rc < 0)
			return rc;
		n++;
	}
}

int library_retire(struct store *s)
{
	int rc = txn_begin(s);

	if (rc < 0)
		return rc;
	rc = retire_all(s);
	txn_end(s);
	return rc;
}
