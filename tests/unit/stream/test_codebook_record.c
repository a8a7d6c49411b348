/* SPDX-License-Identifier: MIT */
/*
 * test_codebook_record.c - each field, and each field broken.
 */
#include "unit/stream/suites.h"

#include "base/varint.h"
#include "codec/train.h"
#include "lib/records.h"
#include "lib/suite.h"
#include "stream/codebook_record.h"

#include <stdlib.h>

enum { N_SAMPLES = 300, SAMPLE_LEN = 1000, FRAME_LEN = 4096 };

/* Offsets of the fields of the record below. */
enum {
	ID_OFF = 0,
	VERSION_OFF = 2,
	CLASS_LEN_OFF = 3,
	CLASS_OFF = 4,
	HASH_OFF = 8,
	LEN_OFF = 16,
};

struct made {
	uint8_t dictionary[TRAIN_DICTIONARY_MAX];
	size_t len;
	struct encoder *e;
	struct decoder *d;
	struct buffer payload;
};

static const struct codebook_head head = { 300, 7, CONTENT_TEXT };

static void learn(struct made *m)
{
	static uint8_t samples[N_SAMPLES * SAMPLE_LEN];
	static uint8_t frame[FRAME_LEN];
	const struct span unseen = span_of(frame, FRAME_LEN);
	size_t lens[N_SAMPLES];
	struct train_request q = { .samples = samples,
				   .lens = lens,
				   .n_samples = N_SAMPLES,
				   .unseen = &unseen,
				   .n_unseen = 1,
				   .level = 4 };
	struct train_result result;
	ssize_t n;
	size_t i;

	for (i = 0; i < N_SAMPLES; i++) {
		lens[i] = SAMPLE_LEN;
		records_fill(1, i, samples + i * SAMPLE_LEN, SAMPLE_LEN);
	}
	records_fill(1, N_SAMPLES, frame, FRAME_LEN);
	n = train_codebook(&q, m->dictionary, &result);
	ck_assert_int_gt(n, 0);
	m->len = (size_t)n;
}

static void begin(struct made *m)
{
	learn(m);
	ck_ok(encoder_new(&m->e));
	ck_ok(decoder_new(&m->d));
	buffer_init(&m->payload, CODEBOOK_LEN_MAX * 2);
	ck_ok(codebook_record_put(m->e, &head, span_of(m->dictionary, m->len),
				  &m->payload));
}

static void end(struct made *m)
{
	buffer_release(&m->payload);
	encoder_free(m->e);
	decoder_free(m->d);
}

static struct made made;

START_TEST(what_is_put_is_there)
{
	struct made *m = &made;
	struct codebook_record r;
	struct codebook *b = NULL;

	begin(m);
	ck_ok(codebook_record_parse(buffer_span(&m->payload), &r));
	ck_assert_uint_eq(r.id, 300);
	ck_assert_uint_eq(r.version, 7);
	ck_assert_uint_eq(r.class.len, 4);
	ck_assert_mem_eq(r.class.ptr, "text", 4);
	ck_assert_uint_eq(r.len, m->len);
	ck_ok(codebook_record_open(m->d, buffer_span(&m->payload), &b));
	ck_assert_uint_eq(codebook_head(b)->id, 300);
	ck_assert_uint_eq(codebook_head(b)->version, 7);
	ck_assert_int_eq(codebook_head(b)->class, CONTENT_TEXT);
	ck_assert_uint_eq(codebook_bytes(b).len, m->len);
	ck_assert_mem_eq(codebook_bytes(b).ptr, m->dictionary, m->len);
	codebook_put(b);
	end(m);
}
END_TEST

static int parse_changed(const struct made *m, size_t off, unsigned byte)
{
	struct codebook_record r;
	uint8_t was = m->payload.data[off];
	int rc;

	m->payload.data[off] = (uint8_t)byte;
	rc = codebook_record_parse(buffer_span(&m->payload), &r);
	m->payload.data[off] = was;
	return rc;
}

START_TEST(each_field_is_checked)
{
	struct made *m = &made;
	struct codebook_record r;
	struct codebook *b = NULL;

	begin(m);
	ck_rc(parse_changed(m, ID_OFF, 0), -EUCLEAN);
	ck_rc(parse_changed(m, ID_OFF + 1, 0), -EUCLEAN); /* not canonical */
	ck_rc(parse_changed(m, VERSION_OFF, 0), -EUCLEAN);
	ck_rc(parse_changed(m, CLASS_LEN_OFF, 0), -EUCLEAN);
	ck_rc(parse_changed(m, CLASS_LEN_OFF, CODEBOOK_CLASS_LEN_MAX + 1),
	      -EUCLEAN);
	/* A length of one byte, or of 2 MiB and more. */
	ck_rc(parse_changed(m, LEN_OFF, 1), -EUCLEAN);
	ck_rc(parse_changed(m, LEN_OFF + 2, 0xff), -EUCLEAN);
	m->payload.data[HASH_OFF] ^= 1;
	ck_rc(codebook_record_open(m->d, buffer_span(&m->payload), &b),
	      -EBADMSG);
	m->payload.data[HASH_OFF] ^= 1;
	/* One byte less than the glyphs make. */
	m->payload.data[LEN_OFF] ^= 1;
	ck_ok(codebook_record_parse(buffer_span(&m->payload), &r));
	ck_assert_int_lt(
		codebook_record_open(m->d, buffer_span(&m->payload), &b), 0);
	m->payload.data[LEN_OFF] ^= 1;
	/* A class that we do not know. */
	m->payload.data[CLASS_OFF] = 'X';
	ck_ok(codebook_record_open(m->d, buffer_span(&m->payload), &b));
	ck_assert_int_eq(codebook_head(b)->class, CONTENT_BINARY);
	codebook_put(b);
	end(m);
}
END_TEST

START_TEST(damage_anywhere_is_found)
{
	struct made *m = &made;
	struct codebook *b = NULL;
	size_t cut;
	size_t i;

	begin(m);
	for (cut = 0; cut < m->payload.len; cut++)
		ck_assert_int_lt(
			codebook_record_open(m->d,
					     span_of(m->payload.data, cut), &b),
			0);
	ck_assert_ptr_null(b);
	for (i = HASH_OFF * 8; i < m->payload.len * 8; i += 13) {
		m->payload.data[i / 8] ^= (uint8_t)(1 << i % 8);
		/* The right bytes, or an error. */
		if (codebook_record_open(m->d, buffer_span(&m->payload), &b) ==
		    0) {
			ck_assert_uint_gt(i / 8, LEN_OFF);
			ck_assert_mem_eq(codebook_bytes(b).ptr, m->dictionary,
					 m->len);
			codebook_put(b);
		}
		m->payload.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	end(m);
}
END_TEST

START_TEST(file_holds_one)
{
	struct made *m = &made;
	struct span payload;
	struct buffer file;
	size_t i;

	begin(m);
	buffer_init(&file, CODEBOOK_FILE_MAX);
	ck_ok(codebook_file_put(m->e, &head, span_of(m->dictionary, m->len),
				&file));
	ck_ok(codebook_file_payload(buffer_span(&file), &payload));
	ck_assert_uint_eq(payload.len, m->payload.len);
	ck_assert_mem_eq(payload.ptr, m->payload.data, payload.len);
	for (i = 0; i < file.len; i++)
		ck_assert_int_lt(
			codebook_file_payload(span_of(file.data, i), &payload),
			0);
	for (i = 0; i < 8; i++) {
		file.data[i] ^= 1;
		ck_rc(codebook_file_payload(buffer_span(&file), &payload),
		      -EINVAL);
		file.data[i] ^= 1;
	}
	file.data[8] ^= 1; /* the length */
	ck_rc(codebook_file_payload(buffer_span(&file), &payload), -EUCLEAN);
	file.data[8] ^= 1;
	file.data[file.len / 2] ^= 1;
	ck_rc(codebook_file_payload(buffer_span(&file), &payload), -EBADMSG);
	file.data[file.len / 2] ^= 1;
	file.data[file.len - 1] ^= 1; /* the hash */
	ck_rc(codebook_file_payload(buffer_span(&file), &payload), -EBADMSG);
	buffer_release(&file);
	end(m);
}
END_TEST

Suite *suite_codebook_record(void)
{
	const TTest *const tests[] = {
		what_is_put_is_there,
		each_field_is_checked,
		damage_anywhere_is_found,
		file_holds_one,
	};

	return suite_of("codebook_record", tests, ARRAY_LEN(tests), 60);
}
