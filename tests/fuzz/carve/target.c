/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes src/store/carve.c: an image that holds anything.
 *
 * Input: the image. The checksums of what looks like headers are made right
 * first, or no length of theirs is ever looked at.
 */
#include "fuzz/fuzz.h"

#include "base/hash.h"
#include "base/io.h"
#include "base/report.h"
#include "store/carve.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SECRET UINT64_C(0x5ec2e7)

static const struct carve_key keys[] = {
	{ .epoch = 1, .first_seq = 1, .secret = SECRET },
	{ .epoch = 1, .first_seq = 100, .secret = SECRET + 1 },
	{ .epoch = 3, .first_seq = 5, .secret = SECRET },
};

static void seal_record(uint8_t *at)
{
	put_le64(at + REC_HEADER_HASH_OFF,
		 hash64(span_of(at, REC_HEADER_HASH_OFF), SECRET));
}

static void seal_segment(uint8_t *at)
{
	put_le64(at + SEG_HASH_OFF, hash64(span_of(at, SEG_HASH_OFF), 0));
}

static void seal_all(uint8_t *bytes, size_t len)
{
	size_t i;

	for (i = 0; i + RECORD_HEADER_LEN <= len; i++) {
		if (get_le32(bytes + i) == RECORD_MAGIC)
			seal_record(bytes + i);
		if (i + SEGMENT_HEADER_LEN <= len &&
		    memcmp(bytes + i, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN) == 0)
			seal_segment(bytes + i);
	}
}

static void check_records(int fd, uint64_t len)
{
	uint64_t behind = 0;
	struct carved r;
	struct carve c;
	int rc;

	carve_init(&c, fd, len);
	c.keys = keys;
	c.n_keys = ARRAY_LEN(keys);
	while ((rc = carve_next(&c, &r)) == 1) {
		/* Always onwards, never behind the end, and proved. */
		must(r.off >= behind && r.off + RECORD_HEADER_LEN <= len);
		must(r.key < ARRAY_LEN(keys));
		must(r.head.payload_len <= RECORD_PAYLOAD_MAX);
		must(c.off >= r.off + RECORD_HEADER_LEN);
		behind = r.off + RECORD_HEADER_LEN;
		if (!r.whole)
			continue;
		must(r.payload.len == r.head.payload_len);
		must(record_verify(&r.head, r.payload, keys[r.key].secret) ==
		     0);
		behind += r.payload.len;
	}
	must(rc == 0);
	carve_release(&c);
}

static void check_heads(int fd, uint64_t len)
{
	struct segment_header h;
	uint64_t behind = 0;
	uint64_t off = 0;
	struct carve c;
	bool mended;
	int rc;

	carve_init(&c, fd, len);
	while ((rc = carve_next_head(&c, &h, &off)) == 1) {
		must(off >= behind && off + SEGMENT_HEADER_LEN <= len);
		behind = off + SEGMENT_HEADER_LEN;
	}
	must(rc == 0);
	rc = carve_front_head(&c, &h, &mended);
	must(rc == 0 || rc == 1);
	carve_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	int fd = memfd_create("image", MFD_CLOEXEC);

	report_silence(true);
	must(copy != NULL && fd >= 0);
	if (size > 0)
		memcpy(copy, data, size);
	check_heads(fd, 0);
	seal_all(copy, size);
	must(io_pwrite(fd, copy, size, 0) == 0);
	check_heads(fd, size);
	check_records(fd, size);
	(void)io_close(fd);
	free(copy);
	return 0;
}

static size_t put_record(uint8_t *at, uint64_t seq, size_t len)
{
	struct record rec = {
		.type = RECORD_OPS,
		.payload_len = (uint32_t)len,
		.epoch = 1,
		.seq = seq,
	};

	memset(at + RECORD_HEADER_LEN, (int)seq, len);
	rec.payload_hash = record_payload_hash(
		span_of(at + RECORD_HEADER_LEN, len), SECRET);
	record_build_header(&rec, SECRET, at);
	return record_len(len);
}

/* Seeds: a segment, and one at an odd place with a record that is cut off. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	const struct segment_header h = {
		.number = 7,
		.epoch = 1,
		.secret = SECRET,
		.first_seq = 1,
	};
	size_t len = i == 0 ? 0 : 13;
	uint64_t seq;

	must(cap >= FUZZ_SEED_MAX);
	if (i > 1)
		return -1;
	memset(buf, 0x55, 2048);
	segment_header_put(&h, buf + len);
	len += SEGMENT_HEADER_LEN;
	for (seq = 1; seq < 4; seq++)
		len += put_record(buf + len, seq, (size_t)seq * 50);
	return (int)(i == 0 ? len : len - 20);
}
