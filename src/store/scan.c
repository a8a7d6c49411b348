/* SPDX-License-Identifier: MIT */
/*
 * scan.c - a sliding window over a segment file.
 */
#include "store/scan.h"

#include "base/io.h"

enum {
	WINDOW_LEN = 1 << 20,
	WINDOW_MAX = RECORD_PAYLOAD_MAX + RECORD_HEADER_LEN + RECORD_ALIGN,
};

int scan_init(struct scan *s, struct segment *segment, uint64_t off)
{
	int rc;

	*s = (struct scan){ .segment = segment, .off = off };
	buffer_init(&s->window, WINDOW_MAX);
	rc = io_size(segment->fd, &s->size);
	if (rc == 0)
		s->size -= min_u64(s->size, segment->base);
	return rc;
}

void scan_release(struct scan *s)
{
	buffer_release(&s->window);
}

/* The bytes at `off`; fewer than `len` only at the end of the file. */
static int view(struct scan *s, uint64_t off, size_t len, struct span *ret)
{
	size_t want;
	ssize_t n;
	int rc;

	if (off < s->window_off || off + len > s->window_off + s->window.len) {
		want = len > WINDOW_LEN ? len : WINDOW_LEN;
		buffer_clear(&s->window);
		rc = buffer_reserve(&s->window, want);
		if (rc < 0)
			return rc;
		n = io_pread(s->segment->fd, s->window.data, want,
			     s->segment->base + off);
		if (n < 0)
			return (int)n;
		s->window.len = (size_t)n;
		s->window_off = off;
	}
	*ret = span_of(s->window.data + (off - s->window_off),
		       min_u64(len, s->window_off + s->window.len - off));
	return 0;
}

static int read_at(struct scan *s, uint64_t off, struct scan_record *ret)
{
	uint64_t secret = s->segment->header.secret;
	struct scan_record r = { .off = off };
	struct span bytes;
	int rc = view(s, off, RECORD_HEADER_LEN, &bytes);

	if (rc == 0)
		rc = record_parse_header(bytes, secret, &r.head);
	if (rc < 0)
		return rc;
	if (r.head.payload_len > RECORD_PAYLOAD_MAX)
		return -EUCLEAN;
	rc = view(s, off, RECORD_HEADER_LEN + r.head.payload_len, &bytes);
	if (rc < 0)
		return rc;
	if (bytes.len < RECORD_HEADER_LEN + r.head.payload_len)
		return -EUCLEAN;
	r.payload = span_of(bytes.ptr + RECORD_HEADER_LEN, r.head.payload_len);
	rc = record_verify(&r.head, r.payload, secret);
	if (rc < 0)
		return rc;
	*ret = r;
	return 0;
}

int scan_next(struct scan *s, struct scan_record *ret)
{
	int rc;

	if (s->off >= s->size)
		return 0;
	rc = read_at(s, s->off, ret);
	if (rc < 0)
		return rc;
	s->off += record_len(ret->head.payload_len);
	return 1;
}

bool scan_is_bad(int rc)
{
	return rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP;
}

/* The place of the next good header from `off` on, or the file's size. */
static int find_header(struct scan *s, uint64_t *off)
{
	uint64_t secret = s->segment->header.secret;
	struct record head;
	struct span bytes;
	ssize_t at;
	int rc;

	while (*off < s->size) {
		rc = view(s, *off, WINDOW_LEN, &bytes);
		if (rc < 0)
			return rc;
		at = record_find(bytes, secret, &head);
		if (at >= 0) {
			*off += (uint64_t)at;
			return 0;
		}
		if (bytes.len < WINDOW_LEN)
			break;
		/* A header may lie across the window's end. */
		*off += WINDOW_LEN - RECORD_HEADER_LEN;
	}
	*off = s->size;
	return 0;
}

int scan_resync(struct scan *s, struct scan_record *ret)
{
	uint64_t off = s->off + RECORD_ALIGN;
	int rc;

	for (;;) {
		rc = find_header(s, &off);
		if (rc < 0)
			return rc;
		if (off >= s->size)
			return 0;
		rc = read_at(s, off, ret);
		if (rc == 0)
			break;
		if (!scan_is_bad(rc))
			return rc;
		off += RECORD_ALIGN;
	}
	s->off = off + record_len(ret->head.payload_len);
	return 1;
}
