/* SPDX-License-Identifier: MIT */
/* bases.c - asks the store, and gives the base before back. */
#include "store/bases.h"

#include "base/error.h"
#include "store/library.h"

static void let_go(struct bases *b)
{
	if (b->view.cached)
		chunk_put(&b->view);
}

static int find(void *ctx, uint64_t chunk, struct span *ret)
{
	struct bases *b = ctx;
	int rc;

	b->asked = true;
	let_go(b);
	rc = chunk_get_base(b->store, chunk, &b->view);
	if (rc == 0)
		*ret = b->view.bytes;
	return rc;
}

static int find_codebook(void *ctx, uint64_t id, const struct codebook **ret)
{
	struct bases *b = ctx;
	int rc = 0;

	/* A frame has one at most. */
	if (!b->codebook)
		rc = library_get(b->store, id, &b->codebook);
	if (rc == -ENOENT)
		return corrupt("there is no codebook %llu",
			       (unsigned long long)id);
	if (rc == 0)
		*ret = b->codebook;
	return rc;
}

void bases_init(struct bases *b, struct store *s, bool leaf)
{
	*b = (struct bases){ .store = s };
	b->source.ctx = b;
	b->source.base = leaf ? NULL : find;
	b->source.codebook = find_codebook;
}

void bases_release(struct bases *b)
{
	let_go(b);
	codebook_put(b->codebook);
	b->codebook = NULL;
}
