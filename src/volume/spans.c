/* SPDX-License-Identifier: MIT */
/* spans.c - bytes written to a file and not yet handed to ingest. */
#include "volume/spans.h"

#include <stdlib.h>

enum {
	SPAN_MALLOC_MAX = 32 << 10, /* larger pieces are blocks of the pool */
	SPAN_MALLOC_MIN = 512,
	SPANS_MIN = 4,
};

size_t spans_search(const struct spans *spans, uint64_t off)
{
	size_t low = 0;
	size_t high = spans->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (span_end(&spans->list[mid]) <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint64_t spans_mark(struct spans *spans)
{
	return spans->stamp++;
}

size_t spans_search_marked(const struct spans *spans, uint64_t off,
			   uint64_t stamp)
{
	size_t i = spans_search(spans, off);

	while (i < spans->n && spans->list[i].stamp > stamp)
		i++;
	return i;
}

static void mem_free(struct pool *pool, uint8_t *mem, uint32_t cap)
{
	if (cap == SPAN_MAX)
		pool_put(pool, mem);
	else
		free(mem);
}

/* Memory for `len` (at most SPAN_MAX) bytes and some growth. */
static uint8_t *mem_new(struct pool *pool, size_t len, uint32_t *ret_cap)
{
	uint32_t cap = SPAN_MALLOC_MIN;

	if (len > SPAN_MALLOC_MAX) {
		*ret_cap = SPAN_MAX;
		return pool_get(pool);
	}
	while (cap < len)
		cap *= 2;
	*ret_cap = cap;
	return malloc(cap);
}

/* Makes room for one more piece at index `i`. */
static int open_slot(struct spans *spans, size_t i)
{
	if (!spans->list || spans->n == spans->cap) {
		size_t cap = spans->cap ? 2 * spans->cap : SPANS_MIN;
		struct dirty_span *list =
			realloc(spans->list, cap * sizeof(*list));

		if (!list)
			return -ENOMEM;
		spans->list = list;
		spans->cap = cap;
	}
	memmove(spans->list + i + 1, spans->list + i,
		(spans->n - i) * sizeof(*spans->list));
	spans->n++;
	return 0;
}

static void close_slots(struct spans *spans, size_t from, size_t to)
{
	if (to < spans->n)
		memmove(spans->list + from, spans->list + to,
			(spans->n - to) * sizeof(*spans->list));
	spans->n -= to - from;
}

static int insert(struct spans *spans, struct pool *pool, size_t i,
		  uint64_t off, struct span bytes)
{
	struct dirty_span s = { .off = off,
				.len = (uint32_t)bytes.len,
				.stamp = spans->stamp };
	int rc;

	s.mem = mem_new(pool, bytes.len, &s.cap);
	if (!s.mem)
		return -ENOMEM;
	rc = open_slot(spans, i);
	if (rc) {
		mem_free(pool, s.mem, s.cap);
		return rc;
	}
	memcpy(s.mem, bytes.ptr, bytes.len);
	spans->list[i] = s;
	spans->len += bytes.len;
	return 0;
}

/* Adds `bytes` at the end of `s`, which must not grow over SPAN_MAX. */
static int grow(struct spans *spans, struct pool *pool, struct dirty_span *s,
		struct span bytes)
{
	size_t len = s->len + bytes.len;

	if (s->skip + len > s->cap) {
		uint32_t cap;
		uint8_t *mem = mem_new(pool, len, &cap);

		if (!mem)
			return -ENOMEM;
		memcpy(mem, span_bytes(s), s->len);
		mem_free(pool, s->mem, s->cap);
		s->mem = mem;
		s->cap = cap;
		s->skip = 0;
	}
	memcpy(s->mem + s->skip + s->len, bytes.ptr, bytes.len);
	s->len = (uint32_t)len;
	spans->len += bytes.len;
	return 0;
}

/* Puts bytes where no piece is, before index `i`. Returns 1 when a piece was
 * inserted, 0 when the one before grew. */
static int fill_gap(struct spans *spans, struct pool *pool, size_t i,
		    uint64_t off, struct span bytes)
{
	struct dirty_span *prev = i > 0 ? &spans->list[i - 1] : NULL;
	int rc;

	if (prev && span_end(prev) == off && prev->stamp == spans->stamp &&
	    prev->len + bytes.len <= SPAN_MAX)
		return grow(spans, pool, prev, bytes);
	rc = insert(spans, pool, i, off, bytes);
	return rc ? rc : 1;
}

int spans_write(struct spans *spans, struct pool *pool, uint64_t off,
		struct span bytes)
{
	size_t i = spans_search(spans, off);

	while (bytes.len > 0) {
		struct dirty_span *s = i < spans->n ? &spans->list[i] : NULL;
		size_t part;

		if (s && s->off <= off) {
			part = min_u64(bytes.len, span_end(s) - off);
			spans->changes++;
			memcpy(s->mem + s->skip + (off - s->off), bytes.ptr,
			       part);
			i++;
		} else {
			uint64_t gap = s ? s->off - off : bytes.len;
			int rc;

			part = min_u64(min_u64(bytes.len, gap), SPAN_MAX);
			rc = fill_gap(spans, pool, i, off,
				      span_of(bytes.ptr, part));
			if (rc < 0)
				return rc;
			i += (size_t)rc;
		}
		off += part;
		bytes.ptr += part;
		bytes.len -= part;
	}
	return 0;
}

/* Cuts the hole [from, to) out of the middle of piece `i`. */
static int split(struct spans *spans, struct pool *pool, size_t i,
		 uint64_t from, uint64_t to)
{
	struct dirty_span *s = &spans->list[i];
	struct span right = span_of(span_bytes(s) + (to - s->off),
				    (size_t)(span_end(s) - to));
	int rc = insert(spans, pool, i + 1, to, right);

	if (rc)
		return rc;
	s = &spans->list[i];
	spans->list[i + 1].stamp = s->stamp;
	spans->len -= span_end(s) - from;
	s->len = (uint32_t)(from - s->off);
	return 0;
}

int spans_drop(struct spans *spans, struct pool *pool, uint64_t from,
	       uint64_t to)
{
	size_t i = spans_search(spans, from);
	size_t first;

	if (from >= to)
		return 0;
	spans->changes++;
	if (i < spans->n && spans->list[i].off < from) {
		struct dirty_span *s = &spans->list[i];

		if (span_end(s) > to)
			return split(spans, pool, i, from, to);
		spans->len -= span_end(s) - from;
		s->len = (uint32_t)(from - s->off);
		i++;
	}
	first = i;
	while (i < spans->n && span_end(&spans->list[i]) <= to) {
		spans->len -= spans->list[i].len;
		mem_free(pool, spans->list[i].mem, spans->list[i].cap);
		i++;
	}
	close_slots(spans, first, i);
	if (first < spans->n && spans->list[first].off < to) {
		struct dirty_span *s = &spans->list[first];
		uint32_t cut = (uint32_t)(to - s->off);

		s->off += cut;
		s->skip += cut;
		s->len -= cut;
		spans->len -= cut;
	}
	if (spans->n == 0)
		spans_release(spans, pool);
	return 0;
}

void spans_release(struct spans *spans, struct pool *pool)
{
	for (size_t i = 0; i < spans->n; i++)
		mem_free(pool, spans->list[i].mem, spans->list[i].cap);
	free(spans->list);
	*spans = (struct spans){ .changes = spans->changes + 1,
				 .stamp = spans->stamp };
}

size_t spans_copy(const struct spans *spans, uint64_t off, uint8_t *dst,
		  size_t cap)
{
	size_t done = 0;

	for (size_t i = spans_search(spans, off); i < spans->n && done < cap;
	     i++) {
		const struct dirty_span *s = &spans->list[i];
		size_t part;

		if (s->off > off)
			break;
		part = min_u64(cap - done, span_end(s) - off);
		memcpy(dst + done, span_bytes(s) + (off - s->off), part);
		done += part;
		off += part;
	}
	return done;
}

uint64_t spans_run_end(const struct spans *spans, uint64_t off, uint64_t stamp)
{
	for (size_t i = spans_search(spans, off); i < spans->n; i++) {
		if (spans->list[i].off > off || spans->list[i].stamp > stamp)
			break;
		off = span_end(&spans->list[i]);
	}
	return off;
}
