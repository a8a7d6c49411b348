/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes src/stream: record headers, the search for them, the
 * bodies of COMMIT and FRAME.
 *
 * Input: a byte that says which of them, then their bytes. Checksums of headers
 * are made right before they are parsed, or nothing behind them is reached.
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/report.h"
#include "stream/frame.h"
#include "stream/record.h"

#include <stdlib.h>

#define SECRET UINT64_C(0x5ec2e7)

enum mode { MODE_HEADER, MODE_FIND, MODE_COMMIT, MODE_FRAME };

enum { VERIFY_MAX = 64 << 10 };

static void seal(uint8_t *header)
{
	put_le64(header + REC_HEADER_HASH_OFF,
		 hash64(span_of(header, REC_HEADER_HASH_OFF), SECRET));
}

/* A header that parses is the one that its fields build. */
static void check_record(const struct record *rec, const uint8_t *header)
{
	uint8_t back[RECORD_HEADER_LEN];
	struct record copy = *rec;

	must(rec->payload_len <= RECORD_PAYLOAD_MAX);
	record_build_header(&copy, SECRET, back);
	must(memcmp(back, header, sizeof(back)) == 0);
	must(copy.header_hash == rec->header_hash);
}

static void check_header(struct span bytes)
{
	uint8_t header[RECORD_HEADER_LEN];
	struct record rec;
	int rc = record_parse_header(bytes, SECRET, &rec);

	must(rc == 0 || rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP);
	if (bytes.len < sizeof(header))
		return;
	memcpy(header, bytes.ptr, sizeof(header));
	put_le32(header + REC_MAGIC_OFF, RECORD_MAGIC);
	seal(header);
	rc = record_parse_header(span_of(header, sizeof(header)), SECRET, &rec);
	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
	if (rc < 0)
		return;
	check_record(&rec, header);
	rc = record_verify(
		&rec,
		span_of(bytes.ptr + sizeof(header), bytes.len - sizeof(header)),
		SECRET);
	must(rc == 0 || rc == -EBADMSG);
}

/* All places with a magic become headers with a right checksum. */
static void check_find(struct span bytes)
{
	uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	struct record rec;
	size_t start = 0;
	size_t pos;
	ssize_t n;

	must(copy != NULL);
	memcpy(copy, bytes.ptr, bytes.len);
	for (pos = 0; pos + RECORD_HEADER_LEN <= bytes.len; pos += RECORD_ALIGN)
		if (get_le32(copy + pos) == RECORD_MAGIC)
			seal(copy + pos);
	while (start <= bytes.len) {
		n = record_find(span_of(copy + start, bytes.len - start),
				SECRET, &rec);
		if (n < 0) {
			must(n == -ENOENT);
			break;
		}
		must((size_t)n % RECORD_ALIGN == 0);
		must(bytes.len - start - (size_t)n >= RECORD_HEADER_LEN);
		check_record(&rec, copy + start + n);
		start += (size_t)n + RECORD_ALIGN;
	}
	free(copy);
}

static void check_commit(struct span bytes)
{
	uint8_t back[COMMIT_LEN];
	struct commit_body body;
	int rc = commit_body_get(bytes, &body);

	must(rc == (bytes.len < COMMIT_LEN ? -EUCLEAN : 0));
	if (rc < 0)
		return;
	commit_body_put(&body, back);
	must(memcmp(back, bytes.ptr, sizeof(back)) == 0);
}

static void check_chunks(const struct frame_view *f)
{
	struct frame_chunk *chunks = calloc(f->n_chunks, sizeof(*chunks));
	uint8_t *back = malloc(frame_table_bound(f->n_chunks));
	struct frame_cursor cursor;
	size_t raw_len = 0;
	size_t n, len;

	must(chunks && back);
	frame_walk(f, &cursor);
	for (n = 0; n < f->n_chunks; n++) {
		must(frame_next(&cursor, &chunks[n]));
		raw_len += chunks[n].len;
	}
	must(!frame_next(&cursor, &chunks[0]));
	must(raw_len == f->raw_len);
	/* There is one way only to write a table. */
	frame_walk(f, &cursor);
	(void)frame_next(&cursor, &chunks[0]);
	len = frame_table_put(chunks, f->n_chunks, back);
	must(len > f->table.len);
	must(memcmp(back + len - f->table.len, f->table.ptr, f->table.len) ==
	     0);
	free(chunks);
	free(back);
}

static void check_frame(struct span bytes)
{
	struct frame_view f;
	uint8_t *raw;
	int rc = frame_parse(bytes, &f);

	must(rc == 0 || rc == -EUCLEAN);
	if (rc < 0)
		return;
	must(f.n_chunks > 0 && f.n_chunks <= FRAME_CHUNKS_MAX);
	must(f.raw_len > 0 && f.raw_len <= FRAME_RAW_MAX);
	must(f.glyphs.ptr + f.glyphs.len == bytes.ptr + bytes.len);
	check_chunks(&f);
	if (f.raw_len > VERIFY_MAX)
		return;
	raw = calloc(1, f.raw_len);
	must(raw != NULL);
	rc = frame_verify(&f, span_of(raw, f.raw_len));
	must(rc == 0 || rc == -EBADMSG);
	free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct span bytes) = {
		[MODE_HEADER] = check_header,
		[MODE_FIND] = check_find,
		[MODE_COMMIT] = check_commit,
		[MODE_FRAME] = check_frame,
	};

	report_silence(true);
	if (size > 0)
		checks[data[0] % ARRAY_LEN(checks)](
			span_of(data + 1, size - 1));
	return 0;
}

/* A whole record of type `type` at `dst`; returns its length. */
static size_t put_record(enum record_type type, uint64_t seq, uint8_t *dst)
{
	static const char payload[] = "the payload of a record";
	struct span bytes = span_of(payload, sizeof(payload));
	struct record rec = {
		.type = type,
		.payload_len = sizeof(payload),
		.epoch = 3,
		.seq = seq,
		.payload_hash = record_payload_hash(bytes, SECRET),
	};

	if (type == RECORD_OPS)
		rec.flags = RECORD_PACKED;
	else if (type == RECORD_FRAME)
		rec.flags = RECORD_INTENT;
	memset(dst, 0, record_len(sizeof(payload)));
	record_build_header(&rec, SECRET, dst);
	memcpy(dst + RECORD_HEADER_LEN, payload, sizeof(payload));
	return record_len(sizeof(payload));
}

static size_t put_frame(size_t n, uint8_t *dst)
{
	static struct frame_chunk chunks[1000];
	size_t i;

	must(n <= ARRAY_LEN(chunks));
	for (i = 0; i < n; i++)
		chunks[i] = (struct frame_chunk){
			.id = 5000 + i * 3,
			.hash = hash64(span_of("", 0), i),
			.len = (uint32_t)(i % 50 + 1),
		};
	return frame_table_put(chunks, n, dst);
}

/* Seeds: a record of each type, a log of all, a commit, frames. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	static const struct commit_body commit = { 1, 2, 3, 4 };
	static const size_t n_chunks[] = { 1, 2, 40, 1000 };
	size_t len = 1;
	unsigned type;

	must(cap >= FUZZ_SEED_MAX);
	if (i < RECORD_FOOTER) {
		buf[0] = MODE_HEADER;
		len += put_record((enum record_type)(i + 1), i, buf + len);
	} else if (i == RECORD_FOOTER) {
		buf[0] = MODE_FIND;
		for (type = RECORD_FRAME; type <= RECORD_FOOTER; type++)
			len += put_record((enum record_type)type, type,
					  buf + len);
	} else if (i == RECORD_FOOTER + 1) {
		buf[0] = MODE_COMMIT;
		commit_body_put(&commit, buf + 1);
		len += COMMIT_LEN;
	} else if (i < RECORD_FOOTER + 2 + ARRAY_LEN(n_chunks)) {
		buf[0] = MODE_FRAME;
		len += put_frame(n_chunks[i - RECORD_FOOTER - 2], buf + len);
	} else {
		return -1;
	}
	return (int)len;
}
