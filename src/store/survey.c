/* SPDX-License-Identifier: MIT */
/* survey.c - all frames and codebooks, page by page. */
#include "store/survey.h"

#include "store/library.h"
#include "store/state.h"

#include <stdlib.h>

enum { PAGE_ROWS = 512 }; /* frames looked at under one INDEX */

static int list_segments(struct store *s, struct survey *v)
{
	struct segment_file *files = NULL;
	size_t i;
	int rc = segments_list(s->segments, &files, &v->n);

	if (rc < 0)
		return rc;
	v->list = calloc(v->n + 1, sizeof(*v->list));
	for (i = 0; v->list && i < v->n; i++)
		v->list[i] = (struct segment_use){ .number = files[i].number,
						   .len = files[i].len };
	free(files);
	return v->list ? 0 : -ENOMEM;
}

/* NULL: there is no such file. */
static struct segment_use *use_of(const struct survey *v, uint64_t number)
{
	size_t low = 0;
	size_t high = v->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->list[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n && v->list[low].number == number ? &v->list[low]
							   : NULL;
}

/* A page of frames behind `after`. 1: there are more. */
static int count_page(struct store *s, struct survey *v, uint64_t *after)
{
	struct bank_frame_row row;
	struct segment_use *u;
	unsigned n;
	int rc = 1;

	index_lock(s);
	for (n = 0; rc == 1 && n < PAGE_ROWS; n++) {
		rc = bank_next_frame(s->bank, *after, &row);
		if (rc != 1)
			break;
		*after = row.place.frame;
		u = use_of(v, row.place.segment);
		if (!u)
			continue;
		u->live += bank_live_stored(&row);
		u->needed = true;
		u->deltas |= row.kind == ENCODE_DELTA && row.live_len == 0;
	}
	index_unlock(s);
	return rc;
}

static int count_codebooks(struct store *s, const struct survey *v)
{
	struct codebook_row row = { .id = 0 };
	struct segment_use *u;
	int rc;

	while ((rc = library_next(s, row.id, &row)) == 1) {
		u = use_of(v, row.place.segment);
		if (!u)
			continue;
		u->live += row.payload_len;
		u->needed = true;
	}
	return rc;
}

static int count_all(struct store *s, struct survey *v)
{
	uint64_t after = 0;
	int rc = list_segments(s, v);

	if (rc < 0)
		return rc;
	index_lock(s);
	v->applied = s->position.segment;
	index_unlock(s);
	v->active = log_active(s->log);
	do {
		rc = count_page(s, v, &after);
	} while (rc == 1);
	return rc < 0 ? rc : count_codebooks(s, v);
}

int survey_make(struct store *s, struct survey *ret)
{
	int rc;

	*ret = (struct survey){ .n = 0 };
	rc = count_all(s, ret);
	if (rc < 0)
		survey_release(ret);
	return rc;
}

void survey_release(struct survey *v)
{
	free(v->list);
	*v = (struct survey){ .n = 0 };
}

void survey_emptied(struct survey *v, uint64_t segment)
{
	struct segment_use *u = use_of(v, segment);

	if (u)
		*u = (struct segment_use){ .number = u->number, .len = u->len };
}

void survey_removed(struct survey *v, uint64_t segment)
{
	struct segment_use *u = use_of(v, segment);
	size_t i;

	if (!u)
		return;
	i = (size_t)(u - v->list);
	memmove(u, u + 1, (v->n - i - 1) * sizeof(*u));
	v->n--;
}

void survey_released(struct survey *v, const uint64_t *segments, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct segment_use *u = use_of(v, segments[i]);

		if (u)
			u->deltas = false;
	}
}

bool survey_is_empty(const struct survey *v, const struct segment_use *u)
{
	return !u->needed && u->number < v->applied && u->number < v->active;
}
