/* SPDX-License-Identifier: MIT */
/*
 * study.c - which classes have much text, and a lesson for each of them.
 *
 * The class of a frame is known when its bytes are there, so some frames of the
 * layout are looked at, evenly; those of a class are read again for its lesson.
 * Four of them are to judge by: level 19 takes half a second for each, three
 * times (alone, with the codebook that is there, and with the new one).
 */
#include "store/study.h"

#include "base/workers.h"
#include "store/chunk.h"
#include "store/lesson.h"
#include "store/library.h"
#include "store/recode.h"
#include "store/state.h"
#include "stream/frame.h"

#include <stdlib.h>

enum {
	LOOKED_MAX = 256, /* frames that are looked at */
	UNSEEN = 4,
	LOOKED_MIN = 2 * UNSEEN, /* of a class */
	STORED_PERCENT = 70,     /* of its length, in log and index, about */
	LIBRARY_ENOUGH = LIBRARY_MAX / 2,
};

/* What was seen of a window. */
struct seen {
	const struct study *q;
	struct buffer raw; /* of one frame */
	size_t n;
	size_t frames[LOOKED_MAX]; /* of the layout */
	enum content_class classes[LOOKED_MAX];
	uint64_t looked_len;                /* raw, of all of these, */
	uint64_t lens[CONTENT_N_CLASSES];   /* of those of a class, */
	size_t n_frames[CONTENT_N_CLASSES]; /* and their number */
	uint64_t text_len;                  /* raw, of all frames of text */
};

static size_t per_byte(const struct seen *seen)
{
	return seen->q->text_per_byte ? seen->q->text_per_byte
				      : STUDY_TEXT_PER_BYTE;
}

/* Whether a frame may gain. Columns do better than codebooks where there are
 * any, and what is no text has none. */
static bool is_text(const struct seen *seen, const struct layout_frame *f)
{
	uint32_t first = seen->q->layout->order[f->first];

	return seen->q->window->chunks[first].kind == CONTENT_TEXT;
}

/* The bytes of a frame to be, in seen->raw. What cannot be read is left out. */
static int read_frame(struct seen *seen, size_t frame)
{
	const struct layout *l = seen->q->layout;
	const struct layout_frame *f = &l->frames[frame];
	size_t i;
	int rc = 0;

	buffer_clear(&seen->raw);
	for (i = 0; rc == 0 && i < f->n; i++) {
		uint32_t chunk = l->order[f->first + i];
		struct chunk_view v = { .cached = NULL };

		if (seen->q->stop && atomic_load(seen->q->stop))
			return -ECANCELED;
		rc = chunk_get(seen->q->s, seen->q->window->chunks[chunk].id,
			       &v);
		if (rc == 0) {
			rc = buffer_append(&seen->raw, v.bytes);
			chunk_put(&v);
		} else if (rc != -ENOMEM) {
			rc = 0;
		}
	}
	return rc;
}

static int look_at(struct seen *seen, size_t frame)
{
	enum content_class class;
	int rc = read_frame(seen, frame);

	if (rc < 0 || seen->raw.len == 0)
		return rc;
	class = sniff_class(buffer_span(&seen->raw));
	seen->frames[seen->n] = frame;
	seen->classes[seen->n++] = class;
	seen->looked_len += seen->raw.len;
	seen->lens[class] += seen->raw.len;
	seen->n_frames[class]++;
	return 0;
}

/* Looks at frames of text, evenly. */
static int look_around(struct seen *seen)
{
	const struct layout *l = seen->q->layout;
	size_t n_text = 0;
	size_t at = 0;
	size_t i;
	int rc = 0;

	for (i = 0; i < l->n_frames; i++) {
		if (is_text(seen, &l->frames[i])) {
			seen->text_len += l->frames[i].raw_len;
			n_text++;
		}
	}
	if (seen->text_len / per_byte(seen) <= TRAIN_DICTIONARY_MAX)
		return 0;
	for (i = 0; rc == 0 && i < l->n_frames; i++) {
		if (!is_text(seen, &l->frames[i]))
			continue;
		if (n_text <= LOOKED_MAX ||
		    at * LOOKED_MAX / n_text != (at + 1) * LOOKED_MAX / n_text)
			rc = look_at(seen, i);
		at++;
	}
	return rc;
}

/* ---- the lesson of a class ------------------------------------------------- */

/* Up to `budget` bytes of samples out of a frame, evenly. */
static void take_samples(struct seen *seen, struct lesson *l, size_t budget)
{
	struct span raw = buffer_span(&seen->raw);
	size_t step = (size_t)max_u64(raw.len / (budget / TRAIN_PIECE_MAX + 1),
				      TRAIN_PIECE_MAX);
	size_t off;

	for (off = 0; off < raw.len; off += step) {
		size_t len = (size_t)min_u64(raw.len - off, TRAIN_PIECE_MAX);

		if (!lesson_take_sample(l, span_of(raw.ptr + off, len)))
			return;
	}
}

/* Reads the frames of the class that were looked at. */
static int gather(struct seen *seen, enum content_class class, struct lesson *l)
{
	size_t n = seen->n_frames[class];
	size_t budget = l->len_max * TRAIN_SAMPLES_PER_BYTE / (n - UNSEEN);
	size_t at = 0;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < seen->n; i++) {
		if (seen->classes[i] != class)
			continue;
		rc = read_frame(seen, seen->frames[i]);
		if (rc == 0 && at * UNSEEN / n != (at + 1) * UNSEEN / n)
			lesson_take_unseen(l, buffer_span(&seen->raw));
		else if (rc == 0)
			take_samples(seen, l, budget);
		at++;
	}
	return rc;
}

/* Whether it saves more of `len` bytes of the class than it takes. */
static bool pays(const struct lesson *l, uint64_t len)
{
	const struct train_result *r = &l->result;
	double share = (double)(r->before - r->after) / (double)r->raw;

	return share * (double)len * 100 > (double)l->len * STORED_PERCENT;
}

/* On a thread of its own if it is to be idle: ours has locks to take later, and
 * others wait for it. */
static int learn(const struct study *q, struct lesson *l)
{
	struct workers *idle = NULL;
	int rc = q->idle ? workers_new("learn", 1, 1, &idle) : 0;

	if (rc < 0)
		return rc;
	lesson_learn(l, RECODE_LEVEL, q->stop, idle);
	workers_free(idle);
	return l->len < 0 ? (int)l->len : 0;
}

static int publish(const struct study *q, enum content_class class,
		   const struct lesson *l)
{
	uint64_t id = 0;
	int rc = library_publish(q->s, class,
				 span_of(l->dictionary, (size_t)l->len), &id);

	return rc == -ENOSPC || rc == -EFBIG ? 0 : rc;
}

/* `len`: raw bytes of the class in the window, about. */
static int teach(struct seen *seen, enum content_class class, uint64_t len)
{
	size_t len_max =
		(size_t)min_u64(len / per_byte(seen), CODEBOOK_LEN_MAX);
	struct lesson l;
	int rc;

	if (len_max <= TRAIN_DICTIONARY_MAX ||
	    seen->n_frames[class] < LOOKED_MIN)
		return 0;
	lesson_init(&l, len_max);
	rc = lesson_take_current(&l, seen->q->s, class);
	if (rc == 0)
		rc = gather(seen, class, &l);
	if (rc == 0)
		rc = learn(seen->q, &l);
	if (rc == 0 && l.len > 0 && pays(&l, len))
		rc = publish(seen->q, class, &l);
	lesson_release(&l);
	return rc;
}

/* ---- the whole ------------------------------------------------------------- */

/* Whether the store has so many codebooks that new text should have the rest. */
static int has_enough(struct store *s)
{
	struct codebook_row row = { .id = 0 };
	unsigned n = 0;
	int rc;

	while ((rc = library_next(s, row.id, &row)) == 1) {
		if (++n == LIBRARY_ENOUGH)
			return 1;
	}
	return rc;
}

static int study_classes(struct seen *seen)
{
	size_t i;
	int rc = look_around(seen);

	for (i = 0; rc == 0 && i < CONTENT_N_CLASSES; i++) {
		double share = seen->looked_len > 0
				       ? (double)seen->lens[i] /
						 (double)seen->looked_len
				       : 0;

		if (codebook_class_name((enum content_class)i))
			rc = teach(seen, (enum content_class)i,
				   (uint64_t)(share * (double)seen->text_len));
	}
	return rc;
}

int study_window(const struct study *study)
{
	struct seen *seen;
	int rc = has_enough(study->s);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	seen = calloc(1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	seen->q = study;
	buffer_init(&seen->raw, FRAME_RAW_MAX);
	rc = study_classes(seen);
	buffer_release(&seen->raw);
	free(seen);
	return rc;
}
