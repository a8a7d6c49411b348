/* SPDX-License-Identifier: MIT */
/* hostile_log.c - one segment: FRAME, OPS, COMMIT. */
#include "fuzz/operation/hostile_log.h"

#include "base/hash.h"
#include "codec/encode.h"
#include "fuzz/fuzz.h"
#include "lib/rng.h"
#include "store/log.h"
#include "store/ops.h"
#include "store/segment.h"
#include "stream/record.h"
#include "volume/extent.h"
#include "volume/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SECRET UINT64_C(0x5ec2e7)

static const uint32_t chunk_lens[HOSTILE_CHUNKS] = { 5000, 100000, 1 };
enum { RAW_LEN = 105001, PAYLOAD_MAX = RAW_LEN + 4096 };

static struct frame_chunk chunks[HOSTILE_CHUNKS];
static uint8_t payload[PAYLOAD_MAX];
static struct bank_frame frame = {
	.place = { 1, 1, SEGMENT_HEADER_LEN, 0 },
	.raw_len = RAW_LEN,
	.chunks = chunks,
	.n_chunks = HOSTILE_CHUNKS,
};

void hostile_log_init(void)
{
	struct rng rng = rng_of(5);
	struct encoder *encoder;
	uint8_t *raw = calloc(1, RAW_LEN);
	size_t off = 0;
	size_t i;
	ssize_t n;

	must(raw && encoder_new(&encoder) == 0);
	rng_fill(&rng, raw, RAW_LEN / 2);
	for (i = 0; i < HOSTILE_CHUNKS; i++) {
		chunks[i].id = i + 1;
		chunks[i].len = chunk_lens[i];
		chunks[i].hash = hash64(span_of(raw + off, chunk_lens[i]), 0);
		off += chunk_lens[i];
	}
	must(off == RAW_LEN);
	off = frame_table_put(chunks, HOSTILE_CHUNKS, payload);
	must(off + encode_bound(RAW_LEN) <= sizeof(payload));
	n = encode_frame(encoder,
			 &(struct encode_request){ .effort = EFFORT_FAST },
			 span_of(raw, RAW_LEN), payload + off);
	must(n > 0);
	frame.glyphs = span_of(payload + off, (size_t)n);
	frame.place.payload_len = (uint32_t)(off + (size_t)n);
	encoder_free(encoder);
	free(raw);
}

const struct bank_frame *hostile_frame(void)
{
	return &frame;
}

/* ---- the log ---------------------------------------------------------------- */

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "we");

	must(f && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
}

/* Returns the hash of the header. */
static uint64_t put_record(struct buffer *b, struct record *rec,
			   struct span body)
{
	static const uint8_t zeros[RECORD_ALIGN];
	uint8_t header[RECORD_HEADER_LEN];
	size_t pad = record_len(body.len) - RECORD_HEADER_LEN - body.len;

	rec->epoch = 1;
	rec->payload_len = (uint32_t)body.len;
	rec->payload_hash = record_payload_hash(body, SECRET);
	record_build_header(rec, SECRET, header);
	must(buffer_append(b, span_of(header, sizeof(header))) == 0);
	must(buffer_append(b, body) == 0);
	must(buffer_append(b, span_of(zeros, pad)) == 0);
	return rec->header_hash;
}

static void put_log(const struct superblock *sb, struct span batch,
		    struct buffer *b)
{
	struct segment_header h = {
		.number = 1, .epoch = 1, .secret = SECRET, .first_seq = 1
	};
	struct record rec = { .type = RECORD_FRAME, .seq = 1 };
	struct commit_body commit = { .first_seq = 1, .n_records = 2 };
	uint8_t bytes[SEGMENT_HEADER_LEN];
	uint8_t body[COMMIT_LEN];

	memcpy(h.uuid, sb->uuid, sizeof(h.uuid));
	segment_header_put(&h, bytes);
	must(buffer_append(b, span_of(bytes, sizeof(bytes))) == 0);
	commit.hash = log_group_hash(
		0,
		put_record(b, &rec, span_of(payload, frame.place.payload_len)));
	rec = (struct record){ .type = RECORD_OPS, .seq = 2 };
	commit.hash = log_group_hash(commit.hash, put_record(b, &rec, batch));
	commit_body_put(&commit, body);
	rec = (struct record){ .type = RECORD_COMMIT, .seq = 3 };
	(void)put_record(b, &rec, span_of(body, sizeof(body)));
}

void hostile_log_write(const char *path, const struct superblock *sb,
		       struct span batch)
{
	char text[SUPERBLOCK_LEN_MAX];
	char name[400];
	struct buffer log;

	(void)snprintf(name, sizeof(name), "%s/" SUPERBLOCK_NAME, path);
	write_file(name, text, superblock_put(sb, text));
	buffer_init(&log, 1 << 20);
	put_log(sb, batch, &log);
	(void)snprintf(name, sizeof(name), "%s/log/0000000001.seg", path);
	write_file(name, log.data, log.len);
	buffer_release(&log);
}

/* ---- seeds ------------------------------------------------------------------ */

static void put(struct buffer *b, enum volume_op type, const uint8_t *body,
		size_t len)
{
	must(ops_put(b, (uint8_t)type, span_of(body, len)) == 0);
}

static void put_inode(struct buffer *b, uint64_t ino, uint32_t mode,
		      uint32_t nlink, uint64_t size)
{
	const struct inode_image image = {
		.attr = {
			.mode = mode,
			.nlink = nlink,
			.size = size,
			.mtime = { 1700000000, 5 },
			.ctime = { 1700000001, 999999999 },
			.atime = { -1, 0 },
		},
		.parent = S_ISDIR(mode) ? 1 : 0,
		.flags = ino == 2 ? INODE_HAS_XATTRS : 0,
	};
	uint8_t body[OP_INODE_MAX];

	put(b, OP_INODE, body, op_inode_put(ino, &image, body));
}

static void put_name(struct buffer *b, uint64_t cookie, uint64_t ino,
		     uint8_t type, const char *name)
{
	const struct op_dirent op = { 1, cookie, ino, type,
				      span_of(name, strlen(name)) };
	uint8_t body[OP_DIRENT_MAX];

	put(b, OP_DIRENT, body, op_dirent_put(&op, body));
}

static void put_xattr(struct buffer *b, uint64_t ino, const char *name,
		      const char *value)
{
	const struct op_xattr op = { ino, span_of(name, strlen(name)),
				     span_of(value, strlen(value)) };
	uint8_t body[OP_XATTR_HEAD_MAX + 100];

	put(b, OP_XATTR, body, op_xattr_put(&op, body));
}

/* `n` extents of `len` bytes, each behind a gap of the same length. */
static void put_map(struct buffer *b, uint64_t ino, uint64_t off, uint64_t len,
		    size_t n)
{
	uint8_t body[40 + 1000 * EXTENT_LEN_MAX];
	struct extent_cursor c = { .end = off };
	size_t size = varint_put(body, ino);
	size_t i;

	size += varint_put(body + size, off);
	size += varint_put(body + size, 2 * len * n + 1);
	size += varint_put(body + size, n);
	for (i = 0; i < n; i++) {
		const struct extent e = {
			.off = off + 2 * i * len,
			.len = len,
			.chunk = i % 3 + 1,
			.chunk_off = (uint32_t)i,
			.kind = i % 5 == 4 ? EXTENT_UNWRITTEN : EXTENT_CHUNK,
		};

		size += extent_put(&c, &e, body + size);
	}
	put(b, OP_MAP, body, size);
}

/* A bit of everything. */
static void seed_tree(struct buffer *b)
{
	struct op_dirent gone = { .parent = 1, .cookie = 20 };
	uint8_t body[OP_DIRENT_MAX];

	put_inode(b, 1, S_IFDIR | 0755, 3, 4096);
	put_inode(b, 2, S_IFREG | 0644, 1, 20000);
	put_inode(b, 3, S_IFDIR | 0700, 2, 4096);
	put_inode(b, 4, S_IFLNK | 0777, 1, 6);
	put_inode(b, 5, S_IFREG | 0600, 0, 100);
	put_name(b, 0, 2, S_IFREG >> 12, "a");
	put_name(b, 0, 3, S_IFDIR >> 12, "d");
	put_name(b, 20, 2, S_IFREG >> 12, "gone");
	put_name(b, 21, 4, S_IFLNK >> 12, "link");
	put(b, OP_DIRENT_DEL, body, op_dirent_del_put(&gone, body));
	put_xattr(b, 4, "", "target");
	put_xattr(b, 2, "user.a", "value");
	put_map(b, 2, 0, 1000, 10);
	put_map(b, 5, 0, 50, 1);
}

/* Leaves that split, and ranges that cut into them. */
static void seed_leaves(struct buffer *b)
{
	put_inode(b, 2, S_IFREG | 0644, 1, 1 << 20);
	put_map(b, 2, 4096, 1, 600);
	put_map(b, 2, 4500, 1, 300);
	put_map(b, 2, 5000, 500, 0);
	put_map(b, 2, 0, 3000, 0);
	put_map(b, 2, 0, 10, 20);
}

static void seed_end_of_file(struct buffer *b)
{
	put_inode(b, 2, S_IFREG | 0644, 1, INT64_MAX);
	put_map(b, 2, MAP_END_MAX - 2001, 1000, 1);
	put_map(b, 2, MAP_END_MAX - 1001, 500, 1);
	put_map(b, 2, 0, (MAP_END_MAX - 1) / 2, 0);
}

static void seed_deletion(struct buffer *b)
{
	uint8_t body[OP_XATTR_HEAD_MAX];
	struct op_xattr gone = { 2, span_of("user.a", 6), { NULL, 0 } };

	put_inode(b, 2, S_IFREG | 0644, 0, 1000);
	put_xattr(b, 2, "user.a", "value");
	put_xattr(b, 2, "user.b", "");
	put_map(b, 2, 0, 1000, 300);
	put(b, OP_XATTR_DEL, body, op_xattr_del_put(&gone, body));
	put(b, OP_INODE_DEL, body, op_inode_del_put(2, body));
}

void hostile_seed(unsigned i, struct buffer *batch)
{
	static void (*const seeds[HOSTILE_SEEDS])(struct buffer *) = {
		seed_tree, seed_leaves, seed_end_of_file, seed_deletion
	};

	seeds[i](batch);
}
