/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes the readers of streams: sieve, unpack, range, seek tables.
 *
 * Input: a byte that says how (strict or lenient, with checksums made right or
 * as they are), a byte for the length of the pieces, then a stream. Where
 * checksums are made right, records are followed from the header on, each
 * sealed before the next is looked at.
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/report.h"
#include "stream/pack.h"
#include "stream/range.h"
#include "stream/record.h"
#include "stream/seek.h"
#include "stream/sieve.h"
#include "stream/unpack.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	HOW_LENIENT = 1,
	HOW_SEAL = 2,
	HOW_RANGE = 4,
	HOW_TABLE = 8,  /* the input is a seek table's payload */
	HOW_SIEVE = 16, /* only the parser: no threads, so many more runs */
};

#define FRAME_LEN ((size_t)PACK_FRAME_MIN)

/* Gaps of a hostile stream are not written, only counted. */
struct told {
	uint64_t len;
	uint64_t missing_len;
	uint64_t hash;
};

static int take_bytes(void *ctx, struct span bytes)
{
	struct told *t = ctx;

	must(bytes.len > 0);
	t->len += bytes.len;
	t->hash = hash64_mix(t->hash, hash64(bytes, 0));
	return 0;
}

static int take_zeros(void *ctx, uint64_t len)
{
	struct told *t = ctx;

	t->len += len;
	return 0;
}

static void take_missing(void *ctx, uint64_t raw_off, uint64_t len)
{
	struct told *t = ctx;

	must(raw_off == t->len && len > 0);
	t->missing_len += len;
}

static struct thaw_sink sink_of(struct told *t)
{
	return (struct thaw_sink){
		.ctx = t,
		.write = take_bytes,
		.zeros = take_zeros,
		.missing = take_missing,
	};
}

static bool is_known(int rc)
{
	return rc == 0 || rc == -EINVAL || rc == -EUCLEAN || rc == -EBADMSG ||
	       rc == -EOPNOTSUPP;
}

/* ---- checksums ------------------------------------------------------------ */

static void seal_record(uint8_t *h, size_t len, uint64_t secret)
{
	size_t payload_len = get_le32(h + REC_PAYLOAD_LEN_OFF);

	if (payload_len <= len - RECORD_HEADER_LEN)
		put_le64(h + REC_PAYLOAD_HASH_OFF,
			 record_payload_hash(
				 span_of(h + RECORD_HEADER_LEN, payload_len),
				 secret));
	put_le64(h + REC_HEADER_HASH_OFF,
		 hash64(span_of(h, REC_HEADER_HASH_OFF), secret));
}

static void seal(uint8_t *stream, size_t len)
{
	size_t off = STREAM_HEAD_LEN;
	uint64_t secret;

	if (len < STREAM_HEAD_LEN)
		return;
	put_le64(stream + HEAD_HASH_OFF,
		 hash64(span_of(stream, HEAD_HASH_OFF), 0));
	secret = get_le64(stream + HEAD_EPOCH_OFF);
	while (off + RECORD_HEADER_LEN <= len) {
		seal_record(stream + off, len - off, secret);
		off += record_len(get_le32(stream + off + REC_PAYLOAD_LEN_OFF));
	}
}

/* ---- the readers ---------------------------------------------------------- */

static void run_unpack(struct span stream, bool lenient, size_t piece)
{
	struct told told = { .len = 0 };
	const struct unpack_options options = {
		.n_workers = 1,
		.lenient = lenient,
		.sink = sink_of(&told),
	};
	struct unpack_totals totals;
	struct unpack *u;
	int rc = 0;

	must(unpack_new(&options, &u) == 0);
	while (stream.len > 0 && rc == 0) {
		size_t len = (size_t)min_u64(piece, stream.len);

		rc = unpack_feed(u, span_of(stream.ptr, len));
		stream = span_of(stream.ptr + len, stream.len - len);
	}
	if (rc == 0)
		rc = unpack_finish(u, &totals);
	unpack_free(u);
	must(is_known(rc));
	must(!lenient || rc == 0 || rc == -EINVAL);
	if (rc < 0)
		return;
	must(totals.raw_len == told.len);
	must(totals.missing_len == told.missing_len);
	must(lenient || (totals.end_known && told.missing_len == 0));
}

static int sift(struct sieve *s, uint64_t *last_off, uint64_t *hash)
{
	struct sieve_record rec;
	int rc;

	while ((rc = sieve_next(s, &rec)) == 1) {
		must(rec.off >= *last_off);
		must(rec.payload.len <= stream_payload_max(&s->head));
		*last_off = rec.off + RECORD_HEADER_LEN + rec.payload.len;
		*hash = hash64_mix(*hash, rec.off);
		*hash = hash64_mix(*hash, hash64(rec.payload, 0));
	}
	return rc;
}

/* A hash of what came out, and of the error that ended it. */
static uint64_t run_sieve(struct span stream, bool lenient, size_t piece)
{
	uint64_t last_off = 0;
	uint64_t hash = 0;
	struct sieve s;
	uint8_t *room;
	int rc = 0;

	must(sieve_init(&s, lenient) == 0);
	while (stream.len > 0 && rc == 0) {
		size_t len = sieve_room(&s, &room);

		must(len > 0);
		len = (size_t)min_u64(min_u64(len, piece), stream.len);
		memcpy(room, stream.ptr, len);
		sieve_filled(&s, len);
		stream = span_of(stream.ptr + len, stream.len - len);
		rc = sift(&s, &last_off, &hash);
	}
	if (rc == 0) {
		sieve_end(&s);
		rc = sift(&s, &last_off, &hash);
	}
	sieve_release(&s);
	must(is_known(rc) && (rc == 0 || !lenient));
	return hash64_mix(hash, (uint64_t)-rc);
}

static void run_range(struct span stream, uint64_t from)
{
	struct told told = { .len = 0 };
	struct thaw_options how = {
		.n_workers = 1,
		.sink = sink_of(&told),
		.from = from,
		.to = from + 5000,
	};
	struct range *r;
	int fd = memfd_create("stream", MFD_CLOEXEC);
	int rc;

	must(fd >= 0);
	must(write(fd, stream.ptr, stream.len) == (ssize_t)stream.len);
	rc = range_open(fd, &r);
	must(is_known(rc));
	if (rc == 0) {
		rc = range_read(r, &how);
		must(is_known(rc));
		must(rc < 0 || from >= range_raw_len(r) ||
		     told.len == min_u64(5000, range_raw_len(r) - from));
		range_close(r);
	}
	(void)close(fd);
}

static void run_table(struct span payload)
{
	static struct seek_table t;
	uint64_t before;
	size_t i;

	if (seek_get(payload, &t) < 0)
		return;
	must(t.n > 0 && t.n <= SEEK_ENTRIES_MAX);
	must(t.raw_len >= t.n);
	i = seek_find(&t, 0, &before);
	must(i == 0 && before == 0);
	i = seek_find(&t, t.raw_len - 1, &before);
	must(i == t.n - 1 && before + t.entries[i].raw_len == t.raw_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	struct span stream;

	report_silence(true);
	if (size < 2)
		return 0;
	stream = span_of(data + 2, size - 2);
	if (data[0] & HOW_TABLE) {
		run_table(stream);
		return 0;
	}
	copy = malloc(stream.len > 0 ? stream.len : 1);
	must(copy != NULL);
	memcpy(copy, stream.ptr, stream.len);
	if (data[0] & HOW_SEAL)
		seal(copy, stream.len);
	stream.ptr = copy;
	if (data[0] & HOW_SIEVE)
		/* How the bytes are cut makes no difference. */
		must(run_sieve(stream, data[0] & HOW_LENIENT, 1 + data[1]) ==
		     run_sieve(stream, data[0] & HOW_LENIENT, SIZE_MAX));
	else if (data[0] & HOW_RANGE)
		run_range(stream, (uint64_t)data[1] * 100);
	else
		run_unpack(stream, data[0] & HOW_LENIENT,
			   1 + (size_t)data[1] * 16);
	free(copy);
	return 0;
}

/* ---- seeds ---------------------------------------------------------------- */

struct seed {
	uint8_t *dst;
	size_t len;
	size_t cap;
};

static int put_bytes(void *ctx, struct span bytes)
{
	struct seed *s = ctx;

	must(bytes.len <= s->cap - s->len);
	memcpy(s->dst + s->len, bytes.ptr, bytes.len);
	s->len += bytes.len;
	return 0;
}

static void put_stream(struct seed *s, size_t raw_len)
{
	static uint8_t raw[300 * FRAME_LEN];
	const struct pack_options options = {
		.n_workers = 1,
		.effort = EFFORT_FAST,
		.frame_len = FRAME_LEN,
		.ctx = s,
		.write = put_bytes,
	};
	struct pack_totals totals;
	struct pack *p;
	size_t i;

	must(raw_len <= sizeof(raw));
	for (i = 0; i < raw_len; i++)
		raw[i] = (uint8_t)(i / FRAME_LEN == 1 ? i / 7 : 'a');
	must(pack_new(&options, &p) == 0);
	must(pack_feed(p, span_of(raw, raw_len)) == 0);
	must(pack_finish(p, &totals) == 0);
	pack_free(p);
}

static size_t put_table(uint8_t *dst)
{
	struct seek_builder *b = calloc(1, sizeof(*b));
	size_t len;
	size_t i;

	must(b != NULL);
	for (i = 0; i < 40; i++) {
		const struct seek_entry e = {
			.raw_len = FRAME_LEN,
			.off = STREAM_HEAD_LEN + i * 1000,
			.len = 900,
		};

		must(seek_add(b, &e) == 0);
	}
	len = seek_put(b, 1, dst);
	free(b);
	return len;
}

/* Seeds: streams of some lengths, read in each way; a seek table. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	static const size_t lens[] = { 0, 1, 3 * FRAME_LEN };
	static const uint8_t hows[] = { 0,
					HOW_SEAL,
					HOW_LENIENT,
					HOW_LENIENT | HOW_SEAL,
					HOW_RANGE,
					HOW_RANGE | HOW_SEAL,
					HOW_SIEVE | HOW_SEAL,
					HOW_SIEVE | HOW_LENIENT };
	struct seed s = { .dst = buf, .len = 2, .cap = cap };
	size_t n = ARRAY_LEN(lens) * ARRAY_LEN(hows);

	must(cap >= FUZZ_SEED_MAX);
	if (i > n + 1)
		return -1;
	buf[1] = 20;
	if (i == n) {
		buf[0] = HOW_TABLE;
		s.len += put_table(buf + s.len);
	} else if (i > n) {
		/* With two levels of tables. */
		buf[0] = HOW_RANGE | HOW_SEAL;
		put_stream(&s, 260 * FRAME_LEN);
	} else {
		buf[0] = hows[i % ARRAY_LEN(hows)];
		put_stream(&s, lens[i / ARRAY_LEN(hows)]);
	}
	return (int)s.len;
}
