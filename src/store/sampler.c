/* SPDX-License-Identifier: MIT */
/*
 * sampler.c - every n-th frame; when there are too many, every second of those
 * goes and n doubles.
 */
#include "store/sampler.h"

#include "base/sync.h"
#include "codec/codebook.h"

#include <errno.h>
#include <stdlib.h>

/* Growth between two lessons, and the most that is waited for. */
enum { GROWTH = 4 };
static const uint64_t WAIT_MAX = (uint64_t)1 << 30;

struct class_samples {
	struct frame_place *places; /* owned; NULL: none came */
	size_t n;
	uint64_t n_frames; /* that came */
	uint64_t step;     /* one of so many is remembered */
	uint64_t seen;     /* bytes */
	uint64_t due;      /* when `seen` is so much */
};

struct sampler {
	struct sync_mutex lock; /* LEAF */
	struct class_samples classes[CONTENT_N_CLASSES] GUARDED_BY(lock);
};

int sampler_new(uint64_t first_len, struct sampler **ret)
{
	struct sampler *s = calloc(1, sizeof(*s));
	size_t i;

	if (!s)
		return -ENOMEM;
	sync_mutex_init(&s->lock, RANK_LEAF);
	for (i = 0; i < CONTENT_N_CLASSES; i++) {
		s->classes[i].step = 1;
		s->classes[i].due = first_len;
	}
	*ret = s;
	return 0;
}

void sampler_free(struct sampler *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < CONTENT_N_CLASSES; i++)
		free(s->classes[i].places);
	sync_mutex_release(&s->lock);
	free(s);
}

/* Keeps every second one. */
static void thin(struct class_samples *c)
{
	size_t i;

	for (i = 0; 2 * i < c->n; i++)
		c->places[i] = c->places[2 * i];
	c->n = i;
	c->step *= 2;
}

static void remember(struct class_samples *c, const struct frame_place *place)
{
	if (!c->places)
		c->places = calloc(SAMPLER_FRAMES_MAX, sizeof(*c->places));
	if (!c->places || c->n_frames++ % c->step != 0)
		return;
	if (c->n == SAMPLER_FRAMES_MAX)
		thin(c);
	c->places[c->n++] = *place;
}

bool sampler_see(struct sampler *s, enum content_class class,
		 const struct frame_place *place, size_t raw_len)
{
	struct class_samples *c = &s->classes[class];
	bool due;

	if (!codebook_class_name(class))
		return false;
	sync_lock(&s->lock);
	remember(c, place);
	c->seen += raw_len;
	due = c->seen >= c->due;
	if (due)
		c->due = c->seen + min_u64(c->seen * (GROWTH - 1), WAIT_MAX);
	sync_unlock(&s->lock);
	return due;
}

size_t sampler_take(struct sampler *s, enum content_class class,
		    struct frame_place places[SAMPLER_FRAMES_MAX])
{
	struct class_samples *c = &s->classes[class];
	size_t n;

	sync_lock(&s->lock);
	n = c->n;
	if (n > 0)
		memcpy(places, c->places, n * sizeof(*places));
	sync_unlock(&s->lock);
	return n;
}

uint64_t sampler_seen(struct sampler *s, enum content_class class)
{
	uint64_t seen;

	sync_lock(&s->lock);
	seen = s->classes[class].seen;
	sync_unlock(&s->lock);
	return seen;
}
