/* SPDX-License-Identifier: MIT */
/*
 * context.c - a stack of idle contexts, bounded.
 */
#include "store/context.h"

#include "base/sync.h"

#include <stdlib.h>

enum {
	ROOM_MAX = 10 << 20,
	ROOM_KEEP = 1 << 20, /* larger ones are not kept */
	IDLE_MAX = 8,        /* after a burst the rest goes */
};

struct contexts {
	struct sync_mutex lock;
	struct context *idle GUARDED_BY(lock);
	unsigned n_idle GUARDED_BY(lock);
};

int contexts_new(struct contexts **ret)
{
	struct contexts *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	sync_mutex_init(&c->lock, RANK_LEAF);
	*ret = c;
	return 0;
}

static void context_free(struct context *x)
{
	encoder_free(x->encoder);
	decoder_free(x->decoder);
	buffer_release(&x->payload);
	buffer_release(&x->raw);
	buffer_release(&x->deltas);
	buffer_release(&x->spare);
	free(x);
}

void contexts_free(struct contexts *c)
{
	if (!c)
		return;
	while (c->idle) {
		struct context *x = c->idle;

		c->idle = x->next;
		context_free(x);
	}
	sync_mutex_release(&c->lock);
	free(c);
}

struct context *context_get(struct contexts *c)
{
	struct context *x;

	sync_lock(&c->lock);
	x = c->idle;
	if (x) {
		c->idle = x->next;
		c->n_idle--;
	}
	sync_unlock(&c->lock);
	if (x)
		return x;
	x = calloc(1, sizeof(*x));
	if (x) {
		buffer_init(&x->payload, ROOM_MAX);
		buffer_init(&x->raw, ROOM_MAX);
		buffer_init(&x->deltas, ROOM_MAX);
		buffer_init(&x->spare, ROOM_MAX);
	}
	return x;
}

static void trim(struct buffer *b)
{
	buffer_clear(b);
	if (b->cap > ROOM_KEEP)
		buffer_release(b);
}

void context_put(struct contexts *c, struct context *x)
{
	trim(&x->payload);
	trim(&x->raw);
	trim(&x->deltas);
	trim(&x->spare);
	sync_lock(&c->lock);
	if (c->n_idle < IDLE_MAX) {
		x->next = c->idle;
		c->idle = x;
		c->n_idle++;
		x = NULL;
	}
	sync_unlock(&c->lock);
	if (x)
		context_free(x);
}

int context_encoder(struct context *x)
{
	return x->encoder ? 0 : encoder_new(&x->encoder);
}

int context_decoder(struct context *x)
{
	return x->decoder ? 0 : decoder_new(&x->decoder);
}
