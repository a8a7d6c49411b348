/* SPDX-License-Identifier: MIT */
/*
 * layout.c - clusters by super-features, then frames filled in order.
 *
 * A chunk joins the cluster of the newest chunk that shares enough
 * super-features with it: so a cluster follows a file through its versions.
 * Clusters and single chunks are units, in the order of their first chunk;
 * frames are filled with units of one kind, one after the other. A cluster is
 * not cut but where it is too long: its parts each have to tell anew what they
 * have in common.
 */
#include "store/layout.h"

#include "base/idmap.h"
#include "stream/frame.h"

#include <assert.h>
#include <stdlib.h>

enum {
	/* One alone is an accident too often. */
	MATCHES_MIN = 2,
	SHORT_LEN = 4 << 10, /* a chunk so short says little of its kind */
	KEY_SHIFT = 3,
	KIND_WIDTH_SHIFT = 4, /* above the class: numbers of one width */
};

static_assert(CONTENT_N_CLASSES <= 1 << KIND_WIDTH_SHIFT, "kinds");

#define NOBODY UINT32_MAX

/* What is being worked out. */
struct making {
	const struct layout_chunk *chunks;
	size_t n;
	const struct layout_limits *limits;
	struct idmap newest; /* super-feature and its number -> chunk */
	uint32_t *heads;     /* of each chunk's cluster; itself if alone */
	uint32_t *next;      /* in the cluster, or NOBODY */
	uint32_t *last;      /* of the cluster of a head */
	size_t *lens;        /* raw, of the cluster of a head */
	struct layout out;
};

uint16_t layout_kind(struct span bytes)
{
	struct sniffed sniffed;
	bool is_short = bytes.len < SHORT_LEN;

	sniff(bytes, &sniffed);
	switch (sniffed.class) {
	case CONTENT_JSON:
	case CONTENT_CELLS:
	case CONTENT_KEYS:
	case CONTENT_LOG:
		return (uint16_t)(is_short ? CONTENT_TEXT : sniffed.class);
	case CONTENT_TEXT:
	case CONTENT_SOURCE:
	case CONTENT_MARKUP:
		return CONTENT_TEXT;
	case CONTENT_NUMBERS:
		return (uint16_t)(is_short
					  ? CONTENT_BINARY
					  : sniffed.class |
						    sniffed.width
							    << KIND_WIDTH_SHIFT);
	case CONTENT_BINARY:
	case CONTENT_PACKED:
	case CONTENT_X86:
	case CONTENT_ARM64:
	case CONTENT_PAGES:
	case CONTENT_MEDIA:
	case CONTENT_N_CLASSES:
		break;
	}
	return (uint16_t)(is_short ? CONTENT_BINARY : sniffed.class);
}

/* ---- clusters ------------------------------------------------------------- */

static uint64_t key_of(const struct sketch *sketch, unsigned number)
{
	return (uint64_t)sketch->supers[number] << KEY_SHIFT | (number + 1);
}

/* The chunk before `i` that is most like it. */
static uint32_t find_similar(const struct making *m, size_t i)
{
	const struct layout_chunk *c = &m->chunks[i];
	unsigned most = MATCHES_MIN - 1;
	uint32_t best = NOBODY;
	unsigned k;

	for (k = 0; k < SKETCH_N; k++) {
		const uint64_t *at =
			c->sketch.supers[k] == 0
				? NULL
				: idmap_find(&m->newest, key_of(&c->sketch, k));
		unsigned matches;

		if (!at || m->chunks[*at].kind != c->kind)
			continue;
		matches = sketch_matches(&m->chunks[*at].sketch, &c->sketch);
		if (matches > most) {
			most = matches;
			best = (uint32_t)*at;
		}
	}
	return best;
}

static void join(struct making *m, size_t i, uint32_t head)
{
	m->heads[i] = head;
	m->next[m->last[head]] = (uint32_t)i;
	m->last[head] = (uint32_t)i;
	m->lens[head] += m->chunks[i].len;
}

static int remember(struct making *m, size_t i)
{
	const struct sketch *sketch = &m->chunks[i].sketch;
	unsigned k;
	int rc = 0;

	for (k = 0; rc == 0 && k < SKETCH_N; k++) {
		if (sketch->supers[k] != 0)
			rc = idmap_set(&m->newest, key_of(sketch, k), i);
	}
	return rc;
}

static int make_clusters(struct making *m)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < m->n; i++) {
		uint32_t similar;

		m->heads[i] = (uint32_t)i;
		m->last[i] = (uint32_t)i;
		m->next[i] = NOBODY;
		m->lens[i] = m->chunks[i].len;
		if (!m->chunks[i].has_sketch)
			continue;
		similar = find_similar(m, i);
		if (similar != NOBODY) {
			join(m, i, m->heads[similar]);
			m->out.n_clusters +=
				m->next[m->heads[similar]] == (uint32_t)i;
		}
		rc = remember(m, i);
	}
	return rc;
}

/* ---- frames --------------------------------------------------------------- */

static struct layout_frame *current(struct making *m)
{
	return &m->out.frames[m->out.n_frames - 1];
}

static void begin_frame(struct making *m)
{
	m->out.frames[m->out.n_frames++] =
		(struct layout_frame){ .first = m->out.n_chunks };
}

static bool has_room(struct making *m, size_t len, size_t n)
{
	const struct layout_frame *f = current(m);

	return f->n == 0 || (f->raw_len + len <= m->limits->frame_len &&
			     f->n + n <= FRAME_CHUNKS_MAX);
}

/* `n_alike`: chunks of its cluster in this frame, it included. */
static void put_chunk(struct making *m, uint32_t i, size_t n_alike)
{
	struct layout_frame *f = current(m);

	m->out.order[m->out.n_chunks++] = i;
	f->n++;
	f->raw_len += m->chunks[i].len;
	f->n_alike = (size_t)max_u64(f->n_alike, n_alike);
}

static size_t count(const struct making *m, uint32_t head)
{
	size_t n = 0;
	uint32_t i;

	for (i = head; i != NOBODY; i = m->next[i])
		n++;
	return n;
}

/* A cluster, in as few parts of nearly the same length as the limit allows. */
static void put_unit(struct making *m, uint32_t head)
{
	size_t limit =
		(size_t)min_u64(m->limits->cluster_len, m->limits->frame_len);
	size_t n_parts = (m->lens[head] + limit - 1) / limit;
	size_t goal = m->lens[head] / n_parts;
	size_t part = 0; /* bytes of the one that is being put */
	size_t n_alike = 0;
	uint32_t i;

	if (!has_room(m, goal, n_parts == 1 ? count(m, head) : 1))
		begin_frame(m);
	for (i = head; i != NOBODY; i = m->next[i]) {
		size_t len = m->chunks[i].len;

		if (part > 0 && n_parts > 1 && part + len / 2 > goal) {
			begin_frame(m);
			part = 0;
			n_alike = 0;
		} else if (!has_room(m, len, 1)) {
			begin_frame(m);
			n_alike = 0;
		}
		put_chunk(m, i, ++n_alike);
		part += len;
	}
}

struct unit {
	uint32_t head;
	uint16_t kind;
};

static int compare_units(const void *a, const void *b)
{
	const struct unit *x = a;
	const struct unit *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->head < y->head ? -1 : x->head > y->head;
}

static int fill_frames(struct making *m)
{
	struct unit *units = calloc(m->n, sizeof(*units));
	size_t n_units = 0;
	size_t i;

	if (!units)
		return -ENOMEM;
	for (i = 0; i < m->n; i++) {
		if (m->heads[i] == i)
			units[n_units++] =
				(struct unit){ (uint32_t)i, m->chunks[i].kind };
	}
	qsort(units, n_units, sizeof(*units), compare_units);
	for (i = 0; i < n_units; i++) {
		if (i == 0 || units[i].kind != units[i - 1].kind)
			begin_frame(m);
		put_unit(m, units[i].head);
	}
	free(units);
	return 0;
}

/* ---- the whole ------------------------------------------------------------ */

static int make(struct making *m)
{
	int rc;

	m->heads = calloc(m->n, sizeof(*m->heads));
	m->next = calloc(m->n, sizeof(*m->next));
	m->last = calloc(m->n, sizeof(*m->last));
	m->lens = calloc(m->n, sizeof(*m->lens));
	m->out.order = calloc(m->n, sizeof(*m->out.order));
	/* No frame is empty. */
	m->out.frames = calloc(m->n, sizeof(*m->out.frames));
	if (!m->heads || !m->next || !m->last || !m->lens || !m->out.order ||
	    !m->out.frames)
		return -ENOMEM;
	rc = make_clusters(m);
	return rc == 0 ? fill_frames(m) : rc;
}

int layout_make(const struct layout_chunk *chunks, size_t n,
		const struct layout_limits *limits, struct layout *ret)
{
	struct making m = { .chunks = chunks, .n = n, .limits = limits };
	int rc = 0;

	idmap_init(&m.newest);
	if (n > 0)
		rc = make(&m);
	idmap_release(&m.newest);
	free(m.heads);
	free(m.next);
	free(m.last);
	free(m.lens);
	if (rc < 0)
		layout_release(&m.out);
	*ret = m.out;
	return rc;
}

void layout_release(struct layout *l)
{
	free(l->order);
	free(l->frames);
	*l = (struct layout){ .order = NULL };
}
