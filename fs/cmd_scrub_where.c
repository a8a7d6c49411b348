/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub_where.c - from damaged frames to the files that they cost.
 *
 * Nothing leads from a chunk to a file, so all files are asked; only when
 * something was found. What cannot be read is passed over: it is another
 * damage.
 */
#include "cmd_scrub.h"

#include "base/buffer.h"
#include "cmd_scrub_state.h"
#include "store/chunk.h"
#include "store/place.h"
#include "view.h"
#include "volume/file_chunks.h"

#include <limits.h>
#include <sys/stat.h>

enum { SLICE = 64, DEPTH_MAX = 4096, PATHS_MAX = 1 << 20 };

/* A directory on the way down. */
struct level {
	uint64_t ino;
	uint64_t cookie;
	size_t path_len;
};

struct search {
	struct volume *v;
	struct scrub_state *state;
	int (*stop)(void *ctx);
	void *ctx;
	size_t n_frames; /* of the entries: one for each damaged frame */
	struct buffer path;
	struct level *levels; /* owned; DEPTH_MAX */
	size_t n_levels;
};

/* The entry of the frame; NULL: it is sound. */
static const struct scrub_entry *find_damage(const struct search *w,
					     uint64_t frame)
{
	size_t i;

	for (i = 0; i < w->n_frames; i++) {
		if (w->state->entries[i].damage.frame == frame)
			return &w->state->entries[i];
	}
	return NULL;
}

static void look_up_range(struct search *w, const struct file_chunks *chunks,
			  uint64_t chunk)
{
	const struct scrub_entry *damaged;
	struct file_chunks_range at;
	struct frame_place place;
	struct scrub_entry range;

	if (chunk_locate(volume_store(w->v), chunk, &place) < 0)
		return;
	damaged = find_damage(w, place.frame);
	if (!damaged)
		return;
	file_chunks_range(chunks, &at);
	range = (struct scrub_entry){
		.damage = damaged->damage,
		.ino = at.ino,
		.file_off = at.off,
		.len = at.len,
	};
	scrub_state_place(w->state, &range, (const char *)w->path.data);
}

static int search_file(struct search *w, uint64_t ino)
{
	struct file_chunks *chunks = NULL;
	uint64_t chunk;
	unsigned turn;
	int rc = file_chunks_new(w->v, &ino, 1, &chunks);

	if (rc == 0)
		rc = buffer_append_u8(&w->path, 0);
	while (rc == 0) {
		turn = store_enter(volume_store(w->v));
		rc = file_chunks_next(chunks, &chunk);
		if (rc == 1)
			look_up_range(w, chunks, chunk);
		store_leave(volume_store(w->v), turn);
		if (rc != 1)
			break;
		rc = w->stop(w->ctx) ? -ECANCELED : 0;
	}
	file_chunks_free(chunks);
	return rc == -ENOMEM || rc == -ECANCELED ? rc : 0;
}

static void descend(struct search *w, uint64_t ino)
{
	const uint64_t parent = w->levels[w->n_levels - 1].ino;

	if (w->n_levels == DEPTH_MAX || view_check_child(w->v, parent, ino) < 0)
		return;
	w->levels[w->n_levels++] =
		(struct level){ .ino = ino, .path_len = w->path.len };
}

/* 1: it is a directory, and the next one to look at. */
static int visit(struct search *w, const struct view_entry *e, const char *name)
{
	struct level *dir = &w->levels[w->n_levels - 1];
	const size_t before = w->n_levels;
	int rc;

	dir->cookie = e->next;
	if (e->rc < 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	w->path.len = dir->path_len;
	rc = buffer_append_u8(&w->path, '/');
	if (rc == 0)
		rc = buffer_append(&w->path, span_of(name, strlen(name)));
	if (rc == 0 && S_ISREG(e->attr.mode))
		rc = search_file(w, e->attr.ino);
	if (rc == 0 && S_ISDIR(e->attr.mode))
		descend(w, e->attr.ino);
	/* A path beyond all measure is passed over. */
	if (rc == -EFBIG)
		rc = 0;
	return rc < 0 ? rc : w->n_levels > before;
}

static int visit_slice(struct search *w, struct view_list *list)
{
	const struct level *dir = &w->levels[w->n_levels - 1];
	int more = view_list_read(list, w->v, dir->ino, dir->cookie);
	size_t i;
	int rc = w->stop(w->ctx) ? -ECANCELED : 0;

	for (i = 0; rc == 0 && i < list->n; i++)
		rc = visit(w, &list->entries[i],
			   view_name(list, &list->entries[i]));
	if (rc == 0 && more != 1)
		w->n_levels--;
	return rc < 0 ? rc : 0;
}

static int search_all(struct search *w)
{
	struct view_list list;
	int rc = 0;

	w->levels[w->n_levels++] = (struct level){ .ino = VOLUME_ROOT };
	view_list_init(&list, SLICE);
	while (rc == 0 && w->n_levels > 0)
		rc = visit_slice(w, &list);
	view_list_release(&list);
	return rc;
}

int scrub_where(struct volume *v, int (*stop)(void *ctx), void *ctx,
		struct scrub_state *state)
{
	struct search w = {
		.v = v,
		.state = state,
		.stop = stop,
		.ctx = ctx,
	};
	int rc = -ENOMEM;

	if (state->n_entries == 0)
		return 0;
	scrub_state_unplace(state);
	w.n_frames = state->n_entries;
	buffer_init(&w.path, PATHS_MAX);
	w.levels = calloc(DEPTH_MAX, sizeof(*w.levels));
	if (w.levels)
		rc = search_all(&w);
	free(w.levels);
	buffer_release(&w.path);
	return rc;
}
