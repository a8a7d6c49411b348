/* SPDX-License-Identifier: MIT */
/*
 * carve.c - a window that slides over a file, and what is looked for in it.
 *
 * Time is bounded by the file's length: a good record is passed over as a whole,
 * and behind a header with a bad payload the search goes on within that payload
 * only as long as not too much was wasted on such headers.
 */
#include "store/carve.h"

#include "base/hash.h"
#include "base/io.h"

enum {
	WINDOW_LEN = 4 << 20,
	SEARCH_LEN = 64 << 10, /* of it, at a time */
	WINDOW_MAX = RECORD_PAYLOAD_MAX + RECORD_HEADER_LEN + RECORD_ALIGN,
	BLOCK_LEN = 4096,      /* read alone where reading fails */
	KEYS_TRIED = 8,        /* of one epoch: copies have the same */
	WASTE_FREE = 64 << 20, /* beyond the length of the file */
	MENDS_MAX = 10000,     /* in one file, some 0.5 ms each */
};

void carve_init(struct carve *c, int fd, uint64_t size)
{
	*c = (struct carve){ .fd = fd, .size = size };
	buffer_init(&c->window, WINDOW_MAX);
}

void carve_release(struct carve *c)
{
	buffer_release(&c->window);
}

/* ---- reading --------------------------------------------------------------- */

/* Block by block; those that fail are zeros. */
static int read_blocks(struct carve *c, uint8_t *dst, size_t len, uint64_t off)
{
	size_t done = 0;
	size_t part;
	ssize_t n;

	while (done < len) {
		part = BLOCK_LEN - (off + done) % BLOCK_LEN;
		part = min_u64(part, len - done);
		n = io_pread(c->fd, dst + done, part, off + done);
		if (n < 0 && n != -EIO)
			return (int)n;
		if (n < 0) {
			memset(dst + done, 0, part);
			c->n_unreadable += part;
			n = (ssize_t)part;
		}
		if (n == 0)
			break;
		done += (size_t)n;
	}
	c->window.len = done;
	return 0;
}

/* Fills the window with `len` bytes from `off` on, or what there is. */
static int fill(struct carve *c, uint64_t off, size_t len)
{
	ssize_t n;
	int rc;

	buffer_clear(&c->window);
	rc = buffer_reserve(&c->window, len);
	if (rc < 0)
		return rc;
	c->window_off = off;
	n = io_pread(c->fd, c->window.data, len, off);
	if (n == -EIO)
		return read_blocks(c, c->window.data, len, off);
	if (n < 0)
		return (int)n;
	c->window.len = (size_t)n;
	return 0;
}

/* The bytes at `off`; fewer than `len` only at the end of the file. */
static int view(struct carve *c, uint64_t off, size_t len, struct span *ret)
{
	uint64_t left = off < c->size ? c->size - off : 0;
	size_t there;
	int rc;

	len = min_u64(len, left);
	*ret = span_of(NULL, 0);
	if (len == 0)
		return 0;
	if (off < c->window_off || off + len > c->window_off + c->window.len) {
		rc = fill(c, off, min_u64(max_u64(len, WINDOW_LEN), left));
		if (rc < 0)
			return rc;
	}
	there = (size_t)(c->window_off + c->window.len - off);
	*ret = span_of(c->window.data + (off - c->window_off),
		       min_u64(len, there));
	return 0;
}

/* The next place from c->off on with these bytes: 1, c->off is there; 0. */
static int find_bytes(struct carve *c, const void *what, size_t len)
{
	struct span bytes;
	const uint8_t *at;
	int rc;

	while (c->off < c->size) {
		rc = view(c, c->off, SEARCH_LEN, &bytes);
		if (rc < 0)
			return rc;
		at = bytes.len < len ? NULL
				     : memmem(bytes.ptr, bytes.len, what, len);
		if (at) {
			c->off += (uint64_t)(at - bytes.ptr);
			return 1;
		}
		if (bytes.len < SEARCH_LEN)
			break;
		/* They may lie across the window's end. */
		c->off += bytes.len - (len - 1);
	}
	c->off = c->size;
	return 0;
}

/* ---- headers of segments --------------------------------------------------- */

/* What is the same in all headers. */
static void set_known(uint8_t *h)
{
	memcpy(h + SEG_MAGIC_OFF, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN);
	put_le16(h + SEG_VERSION_OFF, SEGMENT_VERSION);
	put_le16(h + SEG_HEADER_LEN_OFF, SEGMENT_HEADER_LEN);
	put_le32(h + SEG_FLAGS_OFF, 0);
	memset(h + SEG_ZERO_OFF, 0, SEG_HASH_OFF - SEG_ZERO_OFF);
}

/* Tries all values of one byte; true: the checksum is right with one. */
static bool mend_byte(uint8_t *h, size_t i, uint64_t want)
{
	uint8_t old = h[i];
	unsigned v;

	for (v = 0; v < 256; v++) {
		h[i] = (uint8_t)v;
		if (hash64(span_of(h, SEG_HASH_OFF), 0) == want)
			return true;
	}
	h[i] = old;
	return false;
}

/* A header with one wrong byte in what differs from segment to segment, and any
 * number in what does not. */
static bool mend(uint8_t h[SEGMENT_HEADER_LEN])
{
	uint64_t want = get_le64(h + SEG_HASH_OFF);
	uint64_t wrong;
	size_t i;

	set_known(h);
	wrong = hash64(span_of(h, SEG_HASH_OFF), 0) ^ want;
	/* It may be a byte of the checksum itself. */
	for (i = 0; i < 8; i++) {
		if ((wrong & ~(UINT64_C(0xff) << 8 * i)) == 0) {
			put_le64(h + SEG_HASH_OFF, want ^ wrong);
			return true;
		}
	}
	for (i = SEG_NUMBER_OFF; i < SEG_ZERO_OFF; i++) {
		if (mend_byte(h, i, want))
			return true;
	}
	return false;
}

/* A header at c->off: 1; 0: none. */
static int take_head(struct carve *c, struct segment_header *ret,
		     bool *ret_mended)
{
	uint8_t copy[SEGMENT_HEADER_LEN];
	struct span bytes;
	int rc = view(c, c->off, SEGMENT_HEADER_LEN, &bytes);

	if (rc < 0)
		return rc;
	*ret_mended = false;
	if (bytes.len < SEGMENT_HEADER_LEN)
		return 0;
	if (segment_header_get(bytes, ret) == 0)
		return 1;
	if (c->n_mends >= MENDS_MAX)
		return 0;
	c->n_mends++;
	memcpy(copy, bytes.ptr, sizeof(copy));
	*ret_mended = true;
	return mend(copy) &&
	       segment_header_get(span_of(copy, sizeof(copy)), ret) == 0;
}

int carve_front_head(struct carve *c, struct segment_header *ret,
		     bool *ret_mended)
{
	c->off = 0;
	return take_head(c, ret, ret_mended);
}

int carve_next_head(struct carve *c, struct segment_header *ret,
		    uint64_t *ret_off)
{
	bool mended;
	int rc;

	while ((rc = find_bytes(c, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN)) == 1) {
		rc = take_head(c, ret, &mended);
		if (rc == 1) {
			*ret_off = c->off;
			c->off += SEGMENT_HEADER_LEN;
		} else {
			c->off++;
		}
		if (rc != 0)
			break;
	}
	return rc;
}

/* ---- records --------------------------------------------------------------- */

/* How many keys are not behind (epoch, seq). */
static size_t keys_up_to(const struct carve *c, uint64_t epoch, uint64_t seq)
{
	size_t low = 0;
	size_t high = c->n_keys;
	size_t mid;

	while (low < high) {
		const struct carve_key *k;

		mid = low + (high - low) / 2;
		k = &c->keys[mid];
		if (k->epoch < epoch ||
		    (k->epoch == epoch && k->first_seq <= seq))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Whether the bytes are a header by one of the keys. */
static bool prove(const struct carve *c, struct span bytes, struct carved *ret)
{
	uint64_t epoch = get_le64(bytes.ptr + REC_EPOCH_OFF);
	uint64_t seq = get_le64(bytes.ptr + REC_SEQ_OFF);
	size_t end = keys_up_to(c, epoch, seq);
	size_t i;

	for (i = 0; i < KEYS_TRIED && i < end; i++) {
		const struct carve_key *k = &c->keys[end - 1 - i];

		if (k->epoch != epoch)
			return false;
		if (record_parse_header(bytes, k->secret, &ret->head) == 0) {
			ret->key = end - 1 - i;
			return true;
		}
	}
	return false;
}

/* Where the search goes on behind a header whose payload is bad. */
static void pass_bad(struct carve *c, const struct carved *r)
{
	size_t len = record_len(r->head.payload_len);

	c->n_wasted += len;
	c->off += c->n_wasted <= c->size + WASTE_FREE ? RECORD_HEADER_LEN : len;
}

/* What stands at c->off: 1: a record; 0: none. */
static int take_record(struct carve *c, struct carved *ret)
{
	struct span bytes;
	int rc = view(c, c->off, RECORD_HEADER_LEN, &bytes);

	if (rc < 0)
		return rc;
	*ret = (struct carved){ .off = c->off };
	if (bytes.len < RECORD_HEADER_LEN || !prove(c, bytes, ret))
		return 0;
	rc = view(c, c->off, RECORD_HEADER_LEN + ret->head.payload_len, &bytes);
	if (rc < 0)
		return rc;
	ret->payload = span_of(bytes.ptr + RECORD_HEADER_LEN,
			       bytes.len - RECORD_HEADER_LEN);
	ret->whole = record_verify(&ret->head, ret->payload,
				   c->keys[ret->key].secret) == 0;
	if (ret->whole)
		c->off += record_len(ret->head.payload_len);
	else
		pass_bad(c, ret);
	return 1;
}

int carve_next(struct carve *c, struct carved *ret)
{
	uint8_t magic[4];
	int rc;

	put_le32(magic, RECORD_MAGIC);
	while ((rc = find_bytes(c, magic, sizeof(magic))) == 1) {
		rc = take_record(c, ret);
		if (rc != 0)
			break;
		c->off++;
	}
	return rc;
}

int carve_is_zero(struct carve *c, uint64_t off)
{
	struct span bytes;
	size_t i;
	int rc;

	while (off < c->size) {
		rc = view(c, off, SEARCH_LEN, &bytes);
		if (rc < 0)
			return rc;
		if (bytes.len == 0)
			break;
		for (i = 0; i < bytes.len; i++) {
			if (bytes.ptr[i] != 0)
				return 0;
		}
		off += bytes.len;
	}
	return 1;
}
