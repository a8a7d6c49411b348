/* SPDX-License-Identifier: MIT */
/*
 * verify.c - whether what a crash left is what the operations allow.
 *
 * The operations are repeated on the model three times: to find k by the hash
 * of all names, to learn since when each file's data must be there, and to
 * compare the bytes that were found with all that were ever written since.
 */
#include "model/verify.h"

#include "base/bytes.h"

#include <fcntl.h>
#include <stdlib.h>

#ifndef RENAME_EXCHANGE
# define RENAME_EXCHANGE 2
#endif

/* One walk through the operations. */
struct replay {
	const struct crash *c;
	struct model *m;
	struct rng rng;
	struct op op;      /* the newest one */
	uint32_t replaced; /* it renamed this file over another, or NONE */
};

static void replay_begin(struct replay *r, const struct crash *c)
{
	*r = (struct replay){
		.c = c,
		.m = model_clone(c->base),
		.rng = rng_of(c->seed),
	};
	r->m->step = 0;
	for (uint32_t id = 0; id < r->m->n_nodes; id++)
		if (model_get(r->m, id))
			model_get(r->m, id)->name_step =
				model_get(r->m, id)->data_step = 0;
}

static void replay_end(struct replay *r)
{
	model_free(r->m);
	r->m = NULL;
}

static void replay_step(struct replay *r)
{
	uint32_t id = MODEL_NONE;
	uint32_t over = MODEL_NONE;

	r->m->step++;
	op_next(&r->rng, r->m, r->c->mix, &r->op);
	if (r->op.kind == OP_RENAME && !(r->op.flags & RENAME_EXCHANGE)) {
		over = model_find(r->m, r->op.b, r->op.to_name);
		id = model_find(r->m, r->op.a, r->op.name);
	}
	r->replaced = over != id ? id : MODEL_NONE;
	if (op_apply(r->m, &r->op, &id) < 0 || over == MODEL_NONE)
		r->replaced = MODEL_NONE;
}

struct model *crash_replay(const struct crash *c, uint64_t n)
{
	struct replay r;

	replay_begin(&r, c);
	while (r.m->step < n)
		replay_step(&r);
	return r.m;
}

/* ---- names -------------------------------------------------------------------- */

/* Whether the newest operation made everything durable. */
static bool synced_all(const struct replay *r)
{
	uint64_t step = r->m->step;

	if (step > 0 && step == r->c->n_synced)
		return true;
	return step <= r->c->n_answered &&
	       (r->op.kind == OP_SYNC || r->op.kind == OP_REOPEN);
}

/* The newest operation whose effect on names was promised to stay. */
static uint64_t promise_of(const struct replay *r)
{
	uint64_t step = r->m->step;

	if (synced_all(r))
		return step;
	if (step <= r->c->n_answered && r->op.kind == OP_FSYNC)
		return model_get(r->m, r->op.a)->name_step;
	return 0;
}

static bool no_such_tree(const struct crash *c, const struct model *seen,
			 uint64_t durable, char *why)
{
	char first[VERIFY_WHY / 4] = "nothing";
	char last[VERIFY_WHY / 4] = "nothing";
	struct model *m = crash_replay(c, durable);

	(void)model_diff(m, seen, first, sizeof(first));
	model_free(m);
	m = crash_replay(c, c->n_answered);
	(void)model_diff(m, seen, last, sizeof(last));
	model_free(m);
	(void)snprintf(why, VERIFY_WHY,
		       "the tree is none of steps %llu..%llu; to the first it "
		       "differs by: %s; to the last by: %s",
		       (unsigned long long)durable,
		       (unsigned long long)c->n_begun, first, last);
	return false;
}

/* Finds the newest step whose names are those seen. */
static bool find_step(const struct crash *c, const struct model *seen,
		      uint64_t *ret_k, char *why)
{
	uint64_t want = model_hash(seen);
	uint64_t durable = 0;
	uint64_t k = 0;
	bool found;
	struct replay r;

	replay_begin(&r, c);
	found = model_hash(r.m) == want;
	while (r.m->step < c->n_begun) {
		replay_step(&r);
		durable = max_u64(durable, promise_of(&r));
		if (model_hash(r.m) == want) {
			found = true;
			k = r.m->step;
		}
	}
	replay_end(&r);
	if (!found || k < durable)
		return no_such_tree(c, seen, durable, why);
	*ret_k = k;
	return true;
}

/* ---- content -------------------------------------------------------------------- */

/* What is known of one file of the model. */
struct account {
	const struct model_node *seen; /* NULL: not there at step k */
	uint64_t since; /* step from which on its data was durable */
	uint64_t min_size, max_size;
	uint8_t *got;  /* the bytes seen */
	uint8_t *fine; /* for each: some step had it */
};

struct accounts {
	struct account *list; /* by node */
	uint32_t n;
	uint8_t *buf; /* of the longest file seen */
};

/* Pairs the files of two trees with the same names. */
static void pair(struct accounts *a, const struct model *m, uint32_t id,
		 const struct model *seen, uint32_t seen_id)
{
	const struct model_node *node = model_get(m, id);
	const struct model_node *other = model_get(seen, seen_id);

	if (model_is_file(node))
		a->list[id].seen = other;
	for (size_t i = 0; i < node->n_entries; i++)
		pair(a, m, node->entries[i].id, seen, other->entries[i].id);
}

static void accounts_init(struct accounts *a, const struct crash *c, uint64_t k,
			  const struct model *seen)
{
	struct model *m = crash_replay(c, k);
	size_t longest = 1;

	a->n = m->n_nodes + (uint32_t)(c->n_begun - k) + 1;
	a->list = calloc(a->n, sizeof(*a->list));
	if (!a->list)
		abort();
	pair(a, m, MODEL_ROOT, seen, MODEL_ROOT);
	model_free(m);
	for (uint32_t id = 0; id < a->n; id++) {
		struct account *file = &a->list[id];

		if (!file->seen)
			continue;
		file->min_size = UINT64_MAX;
		file->got = malloc(file->seen->size + 1);
		file->fine = calloc(1, file->seen->size + 1);
		if (!file->got || !file->fine)
			abort();
		(void)model_read(file->seen, 0, file->got, file->seen->size);
		longest = max_u64(longest, file->seen->size);
	}
	a->buf = malloc(longest);
	if (!a->buf)
		abort();
}

static void accounts_release(struct accounts *a)
{
	for (uint32_t id = 0; id < a->n; id++) {
		free(a->list[id].got);
		free(a->list[id].fine);
	}
	free(a->list);
	free(a->buf);
}

/* Since when the data of each file has to be there. */
static void learn_since(struct accounts *a, const struct crash *c, uint64_t k)
{
	struct replay r;

	replay_begin(&r, c);
	while (r.m->step < c->n_begun) {
		uint64_t step;

		replay_step(&r);
		step = r.m->step;
		if (r.replaced != MODEL_NONE && step <= k)
			a->list[r.replaced].since = step;
		if (step <= c->n_answered && r.op.kind == OP_FSYNC)
			a->list[r.op.a].since = step;
		for (uint32_t id = 0; synced_all(&r) && id < a->n; id++)
			a->list[id].since = step;
	}
	replay_end(&r);
}

/* The file may have been found as it is in the model now. */
static void account(struct accounts *a, struct account *file,
		    const struct model_node *node)
{
	size_t n = model_read(node, 0, a->buf, file->seen->size);

	file->min_size = min_u64(file->min_size, node->size);
	file->max_size = max_u64(file->max_size, node->size);
	for (size_t i = 0; i < n; i++)
		file->fine[i] |= a->buf[i] == file->got[i];
}

static void account_all(struct accounts *a, const struct crash *c, uint64_t k)
{
	struct replay r;

	replay_begin(&r, c);
	for (;;) {
		uint64_t step = r.m->step;

		for (uint32_t id = 0; id < r.m->n_nodes && id < a->n; id++) {
			const struct model_node *node = model_get(r.m, id);
			struct account *file = &a->list[id];

			if (!file->seen || !node || step < file->since)
				continue;
			if (step == file->since ||
			    (step <= k && node->data_step == step))
				account(a, file, node);
		}
		if (step >= c->n_begun)
			break;
		replay_step(&r);
	}
	replay_end(&r);
}

static bool judge(const struct crash *c, const struct account *file,
		  uint32_t id, char *why)
{
	uint64_t size = file->seen->size;
	uint64_t i = 0;

	if (size < file->min_size || size > file->max_size) {
		(void)snprintf(why, VERIFY_WHY,
			       "file #%u, data durable since step %llu, has "
			       "%llu bytes, not %llu..%llu",
			       id, (unsigned long long)file->since,
			       (unsigned long long)size,
			       (unsigned long long)file->min_size,
			       (unsigned long long)file->max_size);
		return false;
	}
	while (i < size &&
	       (file->fine[i] ||
		(c->page_cache && file->got[i] == 0 && i >= file->min_size)))
		i++;
	if (i < size)
		(void)snprintf(why, VERIFY_WHY,
			       "file #%u, data durable since step %llu, has "
			       "%#x at byte %llu of %llu, which never was",
			       id, (unsigned long long)file->since,
			       file->got[i], (unsigned long long)i,
			       (unsigned long long)size);
	return i == size;
}

/* With TRACE=1: what was done. */
static void trace(const struct crash *c)
{
	char text[VERIFY_WHY / 2];
	struct replay r;

	if (!getenv("TRACE"))
		return;
	replay_begin(&r, c);
	while (r.m->step < c->n_begun) {
		replay_step(&r);
		op_text(&r.op, text, sizeof(text));
		(void)fprintf(stderr, "%llu %s%s\n",
			      (unsigned long long)r.m->step, text,
			      r.replaced != MODEL_NONE ? " replaces" : "");
	}
	replay_end(&r);
}

bool crash_verify(const struct crash *c, const struct model *seen, char *why)
{
	struct accounts a = { 0 };
	const char *name = "";
	bool fine = true;
	uint32_t dir = 0;
	uint64_t k = 0;
	size_t used;

	if (!find_step(c, seen, &k, why)) {
		trace(c);
		return false;
	}
	accounts_init(&a, c, k, seen);
	learn_since(&a, c, k);
	account_all(&a, c, k);
	for (uint32_t id = 0; id < a.n && fine; id++) {
		struct model *m;

		if (!a.list[id].seen || judge(c, &a.list[id], id, why))
			continue;
		fine = false;
		trace(c);
		m = crash_replay(c, k);
		(void)model_where(m, id, &dir, &name);
		used = strlen(why);
		(void)snprintf(why + used, VERIFY_WHY - used,
			       " ('%.60s' in #%u; names of step %llu, %llu "
			       "answered, %llu begun)",
			       name, dir, (unsigned long long)k,
			       (unsigned long long)c->n_answered,
			       (unsigned long long)c->n_begun);
		model_free(m);
	}
	accounts_release(&a);
	return fine;
}
