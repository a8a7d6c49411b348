/* SPDX-License-Identifier: MIT */
/*
 * repack.c - pieces of a layout go round in a ring of jobs.
 *
 * Our own thread gathers the bytes of a piece and moves what has been encoded;
 * those of the pool only encode, because a thread that hardly runs must hold
 * nothing that others wait for. Jobs are settled in the order in which they
 * were begun. A piece that turns out too slow to decode because its chunks are
 * alike, and whoever wants one has to decode them all, is tried again in halves.
 */
#include "store/repack.h"

#include "base/hash.h"
#include "store/chunk.h"
#include "store/library.h"
#include "store/move.h"
#include "store/recode.h"
#include "store/state.h"
#include "stream/frame.h"
#include "stream/record_format.h"

#include <stdlib.h>

enum {
	JOBS_PER_THREAD = 2,
	SAVES_SHIFT = 6, /* a move must save 1/64 of what it frees */
	HALVES_MAX = 64, /* that wait; more than a frame can be cut into */
};

/* Chunks that are to be one frame: a part of the layout's order. */
struct piece {
	size_t first;
	size_t n;
	size_t n_alike;
};

struct job {
	struct work work; /* first: it is cast */
	struct repacker *rp;
	struct piece piece;
	struct frame_chunk *table; /* owned; FRAME_CHUNKS_MAX */
	uint32_t *chunks;          /* owned; of the window, as the table */
	size_t n;                  /* those that could be read */
	struct buffer raw;
	struct buffer glyphs;
	struct recode_request request;
	bool compare; /* the codebook: tell how it went */
	/* The pool's, until it is done: */
	struct recoded recoded;
	int rc;
	bool done; /* under the repacker's lock */
};

/* A thread of the pool. */
struct hand {
	struct recoder *recoder; /* made at its first job of a window */
};

struct repacker {
	struct store *s;
	struct repack_options options;
	struct workers *pool;
	struct hand *hands; /* owned; one for each thread */
	struct job *jobs;   /* owned; a ring */
	size_t n_jobs;
	size_t first; /* the oldest one under way */
	size_t n_under_way;
	struct piece halves[HALVES_MAX];
	size_t n_halves;
	struct sync_mutex lock; /* LEAF */
	struct sync_cond done;
};

/* One call of repack(). */
struct pass {
	struct repacker *rp;
	struct window *w;
	const struct layout *l;
	size_t next; /* frame of the layout */
	struct repacked *sum;
};

/* ---- the pool's side ------------------------------------------------------ */

static int encode(struct job *j, struct hand *hand)
{
	int rc = hand->recoder ? 0 : recoder_new(&hand->recoder);

	if (rc == 0)
		rc = recode(hand->recoder, &j->request, &j->recoded);
	if (rc != 1)
		return rc;
	/* The recoder is for the next job. */
	buffer_clear(&j->glyphs);
	rc = buffer_append(&j->glyphs, j->recoded.glyphs);
	j->recoded.glyphs = buffer_span(&j->glyphs);
	return rc < 0 ? rc : 1;
}

static void job_run(struct work *work, unsigned worker)
{
	struct job *j = (struct job *)work;
	struct repacker *rp = j->rp;

	if (rp->options.idle && !rp->hands[worker].recoder)
		workers_step_back();
	j->rc = encode(j, &rp->hands[worker]);
	sync_lock(&rp->lock);
	j->done = true;
	sync_signal(&rp->done);
	sync_unlock(&rp->lock);
}

/* ---- filling a job -------------------------------------------------------- */

/* Adds a chunk's bytes, if they can be read: whoever wants them is told. */
static int gather_chunk(struct pass *p, struct job *j, uint32_t i)
{
	uint64_t id = p->w->chunks[i].id;
	struct chunk_view v = { .cached = NULL };
	int rc = chunk_get(p->rp->s, id, &v);

	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	rc = buffer_append(&j->raw, v.bytes);
	if (rc == 0) {
		j->chunks[j->n] = i;
		j->table[j->n++] = (struct frame_chunk){
			.id = id,
			.hash = hash64(v.bytes, 0),
			.len = (uint32_t)v.bytes.len,
		};
	}
	chunk_put(&v);
	return rc;
}

static int gather(struct pass *p, struct job *j)
{
	size_t i;
	int rc = 0;

	buffer_clear(&j->raw);
	j->n = 0;
	for (i = 0; rc == 0 && i < j->piece.n; i++)
		rc = gather_chunk(p, j, p->l->order[j->piece.first + i]);
	return rc;
}

/* The longest codebook of the classes that a frame of text may be of as well: by
 * its first bytes a header of C is text or source code. NULL: none. */
static struct codebook *pick_other(struct store *s, enum content_class class)
{
	static const enum content_class kin[] = { CONTENT_TEXT, CONTENT_SOURCE,
						  CONTENT_MARKUP };
	struct codebook *longest = NULL;
	bool is_kin = false;
	size_t i;

	for (i = 0; i < ARRAY_LEN(kin); i++)
		is_kin = is_kin || kin[i] == class;
	for (i = 0; is_kin && i < ARRAY_LEN(kin); i++) {
		uint64_t id = codebooks_newest(s->codebooks, kin[i]);
		struct codebook *b = NULL;

		if (kin[i] == class || id == 0 || library_get(s, id, &b) < 0)
			continue;
		if (longest &&
		    codebook_bytes(longest).len >= codebook_bytes(b).len) {
			codebook_put(b);
			continue;
		}
		codebook_put(longest);
		longest = b;
	}
	return longest;
}

/* What the pool is asked. Codebooks are looked up here: that takes locks. */
static void ask(struct pass *p, struct job *j)
{
	struct span raw = buffer_span(&j->raw);

	j->request = (struct recode_request){
		.raw = raw,
		.class = sniff_class(raw),
		.useful_len = raw.len / j->piece.n_alike,
		.min_speed = p->rp->options.min_speed,
		.stop = p->rp->options.stop,
	};
	j->compare = false;
	j->request.codebook =
		library_pick(p->rp->s, j->request.class, raw.len, &j->compare);
	j->request.other = pick_other(p->rp->s, j->request.class);
}

static int begin_job(struct pass *p, const struct piece *piece)
{
	struct repacker *rp = p->rp;
	struct job *j = &rp->jobs[(rp->first + rp->n_under_way) % rp->n_jobs];
	int rc;

	j->piece = *piece;
	rc = gather(p, j);
	if (rc < 0 || j->n == 0)
		return rc;
	ask(p, j);
	j->done = false;
	rp->n_under_way++;
	workers_submit(rp->pool, &j->work);
	return 0;
}

/* ---- settling it ---------------------------------------------------------- */

/* Bytes of the log that the job's chunks take now. */
static uint64_t cost_of(const struct pass *p, const struct job *j)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < j->n; i++)
		sum += window_share(p->w, j->chunks[i]);
	return sum;
}

/* Those that a frame of them takes, or a few more. */
static uint64_t cost_to_be(const struct job *j)
{
	return window_record_len(frame_table_bound(j->n) + j->glyphs.len);
}

static void stay(struct pass *p, const struct job *j)
{
	size_t i;

	for (i = 0; i < j->n; i++)
		window_stays(p->w, j->chunks[i]);
}

static void account(struct pass *p, const struct job *j, uint64_t new_len)
{
	size_t i;

	p->sum->moved_len += j->raw.len;
	p->sum->old_len += cost_of(p, j);
	p->sum->new_len += new_len;
	p->sum->n_frames++;
	for (i = 0; i < j->n; i++)
		p->sum->freed_len += window_moved(p->w, j->chunks[i]);
}

/* Encoded, and fast enough. */
static int move(struct pass *p, const struct job *j)
{
	const struct move m = {
		.chunks = j->table,
		.n = j->n,
		.glyphs = j->recoded.glyphs,
	};
	uint64_t new_len = cost_to_be(j);
	uint64_t cost = cost_of(p, j);
	struct frame_place place = { .payload_len = 0 };
	int rc;

	if (new_len + (cost >> SAVES_SHIFT) >= cost) {
		stay(p, j);
		return 0;
	}
	if (!p->rp->options.dry) {
		rc = move_frame(p->rp->s, &m, &place);
		if (rc < 0)
			return rc;
		new_len = window_record_len(place.payload_len);
	}
	account(p, j, new_len);
	return 0;
}

/* Too slow. Chunks that are alike are tried in halves: true. */
static bool halve(struct pass *p, const struct piece *piece)
{
	struct repacker *rp = p->rp;
	size_t n = piece->n / 2;
	size_t n_alike = (piece->n_alike + 1) / 2;

	p->sum->n_slow++;
	if (piece->n_alike < 2 || n == 0 || rp->n_halves + 2 > HALVES_MAX)
		return false;
	rp->halves[rp->n_halves++] =
		(struct piece){ piece->first + n, piece->n - n, n_alike };
	rp->halves[rp->n_halves++] = (struct piece){ piece->first, n, n_alike };
	return true;
}

/* What the pool has made of a job. */
static int settle(struct pass *p, struct job *j)
{
	if (j->rc < 0)
		return j->rc;
	if (j->rc == 0 && halve(p, &j->piece))
		return 0;
	p->sum->raw_len += j->raw.len;
	p->sum->cost_len += cost_of(p, j);
	if (j->rc == 0) {
		stay(p, j);
		return 0;
	}
	if (j->compare)
		codebooks_tell(p->rp->s->codebooks, j->request.class,
			       j->raw.len, j->recoded.has_codebook);
	return move(p, j);
}

/* Waits for the oldest job. */
static int end_job(struct pass *p)
{
	struct repacker *rp = p->rp;
	struct job *j = &rp->jobs[rp->first];
	int rc;

	sync_lock(&rp->lock);
	while (!j->done)
		sync_wait(&rp->done, &rp->lock);
	sync_unlock(&rp->lock);
	rp->first = (rp->first + 1) % rp->n_jobs;
	rp->n_under_way--;
	rc = settle(p, j);
	codebook_put(j->request.codebook);
	codebook_put(j->request.other);
	j->request.codebook = NULL;
	j->request.other = NULL;
	if (rp->options.tell)
		rp->options.tell(rp->options.ctx, p->sum);
	return rc;
}

/* ---- the whole ------------------------------------------------------------ */

static bool next_piece(struct pass *p, struct piece *ret)
{
	struct repacker *rp = p->rp;
	const struct layout_frame *f;

	if (rp->n_halves > 0) {
		*ret = rp->halves[--rp->n_halves];
		return true;
	}
	if (p->next == p->l->n_frames)
		return false;
	f = &p->l->frames[p->next++];
	*ret = (struct piece){ f->first, f->n, f->n_alike };
	return true;
}

static int work(struct pass *p)
{
	struct repacker *rp = p->rp;
	struct piece piece;
	int rc = 0;

	while (rc == 0) {
		if (rp->options.stop && atomic_load(rp->options.stop))
			return -ECANCELED;
		if (rp->n_under_way < rp->n_jobs && next_piece(p, &piece))
			rc = begin_job(p, &piece);
		else if (rp->n_under_way > 0)
			rc = end_job(p);
		else
			break;
	}
	return rc;
}

/* Codecs and scratch memory, tens of MiB for each thread. None of them has a
 * job. */
static void free_recoders(struct repacker *rp)
{
	size_t i;

	for (i = 0; rp->hands && i < rp->options.n_threads; i++) {
		recoder_free(rp->hands[i].recoder);
		rp->hands[i].recoder = NULL;
	}
}

int repack(struct repacker *rp, struct window *w, const struct layout *l,
	   struct repacked *sum)
{
	struct pass p = { .rp = rp, .w = w, .l = l, .sum = sum };
	int rc = work(&p);

	/* What is still under way is as good as any, but halves are not begun. */
	while (rp->n_under_way > 0)
		(void)end_job(&p);
	rp->n_halves = 0;
	/* What is done between two windows needs memory as well. */
	free_recoders(rp);
	return rc;
}

/* ---- begin and end -------------------------------------------------------- */

static int make_jobs(struct repacker *rp)
{
	size_t i;

	rp->jobs = calloc(rp->n_jobs, sizeof(*rp->jobs));
	if (!rp->jobs)
		return -ENOMEM;
	for (i = 0; i < rp->n_jobs; i++) {
		struct job *j = &rp->jobs[i];

		j->work.run = job_run;
		j->rp = rp;
		buffer_init(&j->raw, FRAME_RAW_MAX);
		buffer_init(&j->glyphs, RECORD_PAYLOAD_MAX);
		j->table = calloc(FRAME_CHUNKS_MAX, sizeof(*j->table));
		j->chunks = calloc(FRAME_CHUNKS_MAX, sizeof(*j->chunks));
		if (!j->table || !j->chunks)
			return -ENOMEM;
	}
	return 0;
}

int repacker_new(struct store *s, const struct repack_options *options,
		 struct repacker **ret)
{
	struct repacker *rp = calloc(1, sizeof(*rp));
	int rc = -ENOMEM;

	if (!rp)
		return rc;
	rp->s = s;
	rp->options = *options;
	rp->n_jobs = (size_t)JOBS_PER_THREAD * options->n_threads;
	sync_mutex_init(&rp->lock, RANK_LEAF);
	sync_cond_init(&rp->done);
	rp->hands = calloc(options->n_threads, sizeof(*rp->hands));
	if (rp->hands)
		rc = make_jobs(rp);
	if (rc == 0)
		rc = workers_new("optimize", options->n_threads, rp->n_jobs,
				 &rp->pool);
	if (rc < 0)
		repacker_free(rp);
	else
		*ret = rp;
	return rc;
}

void repacker_free(struct repacker *rp)
{
	size_t i;

	workers_free(rp->pool);
	for (i = 0; rp->jobs && i < rp->n_jobs; i++) {
		buffer_release(&rp->jobs[i].raw);
		buffer_release(&rp->jobs[i].glyphs);
		free(rp->jobs[i].table);
		free(rp->jobs[i].chunks);
	}
	free_recoders(rp);
	free(rp->jobs);
	free(rp->hands);
	sync_cond_release(&rp->done);
	sync_mutex_release(&rp->lock);
	free(rp);
}
