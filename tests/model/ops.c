/* SPDX-License-Identifier: MIT */
/*
 * ops.c - choosing random operations.
 */
#include "model/ops.h"

#include "base/bytes.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
# define RENAME_NOREPLACE 1
# define RENAME_EXCHANGE  2
#endif

const struct op_mix op_mix_all = {
	.weights = { [OP_MAKE] = 24,   [OP_LINK] = 6,      [OP_UNLINK] = 8,
		     [OP_RMDIR] = 4,   [OP_RENAME] = 14,   [OP_WRITE] = 60,
		     [OP_RESIZE] = 12, [OP_ALLOCATE] = 12, [OP_COPY] = 8,
		     [OP_SETATTR] = 8, [OP_SETXATTR] = 8,  [OP_REMOVEXATTR] = 3,
		     [OP_READ] = 50,   [OP_SEEK] = 12,     [OP_LOOKUP] = 8,
		     [OP_FORGET] = 10, [OP_READDIR] = 6,   [OP_RELEASE] = 10,
		     [OP_FSYNC] = 6,   [OP_SYNC] = 1,      [OP_REOPEN] = 1,
		     [OP_COMPARE] = 1 },
	.max_nodes = 120,
	.max_write = 3 * MIB / 2,
	.max_size = 4 * MIB,
	.far = true,
	.orphans = true,
	.odd = true,
};

const struct op_mix op_mix_crash = {
	.weights = { [OP_MAKE] = 20,
		     [OP_LINK] = 5,
		     [OP_UNLINK] = 8,
		     [OP_RMDIR] = 3,
		     [OP_RENAME] = 14,
		     [OP_WRITE] = 50,
		     [OP_RESIZE] = 10,
		     [OP_ALLOCATE] = 8,
		     [OP_COPY] = 6,
		     [OP_SETATTR] = 6,
		     [OP_SETXATTR] = 5,
		     [OP_REMOVEXATTR] = 2,
		     [OP_READ] = 10,
		     [OP_LOOKUP] = 4,
		     [OP_FORGET] = 6,
		     [OP_RELEASE] = 8,
		     [OP_FSYNC] = 12,
		     [OP_SYNC] = 2 },
	.max_nodes = 60,
	.max_write = 300 * KIB,
	.max_size = 2 * MIB,
};

const struct op_mix op_mix_small = {
	.weights = { [OP_MAKE] = 20,
		     [OP_LINK] = 5,
		     [OP_UNLINK] = 8,
		     [OP_RMDIR] = 3,
		     [OP_RENAME] = 14,
		     [OP_WRITE] = 40,
		     [OP_RESIZE] = 8,
		     [OP_ALLOCATE] = 6,
		     [OP_COPY] = 5,
		     [OP_SETATTR] = 4,
		     [OP_SETXATTR] = 4,
		     [OP_REMOVEXATTR] = 1,
		     [OP_READ] = 4,
		     [OP_RELEASE] = 6,
		     [OP_FSYNC] = 14,
		     [OP_SYNC] = 2 },
	.max_nodes = 24,
	.max_write = 40 * KIB,
	.max_size = 160 * KIB,
};

const struct op_mix op_mix_mount = {
	.weights = { [OP_MAKE] = 20,
		     [OP_LINK] = 5,
		     [OP_UNLINK] = 8,
		     [OP_RMDIR] = 3,
		     [OP_RENAME] = 14,
		     [OP_WRITE] = 50,
		     [OP_RESIZE] = 10,
		     [OP_ALLOCATE] = 8,
		     [OP_COPY] = 6,
		     [OP_SETATTR] = 6,
		     [OP_SETXATTR] = 5,
		     [OP_REMOVEXATTR] = 2,
		     [OP_READ] = 10,
		     [OP_FSYNC] = 12 },
	.max_nodes = 100,
	.max_write = 600 * KIB,
	.max_size = 4 * MIB,
	.plain = true,
};

/* ---- choosing ---------------------------------------------------------------- */

typedef bool node_filter(const struct model_node *node);

static bool any_node(const struct model_node *node)
{
	(void)node;
	return true;
}

static bool full_dir(const struct model_node *node)
{
	return model_is_dir(node) && node->n_entries > 0;
}

/* What the choosing functions need. */
struct chooser {
	struct rng *rng;
	const struct model *m;
	const struct op_mix *mix;
	uint32_t n_alive;
};

static bool one_in(const struct chooser *c, uint64_t n)
{
	return rng_below(c->rng, n) == 0;
}

static uint32_t pick(const struct chooser *c, node_filter *filter)
{
	uint32_t found = MODEL_NONE;
	uint64_t n = 0;

	for (uint32_t id = 0; id < c->m->n_nodes; id++) {
		const struct model_node *node = model_get(c->m, id);

		if (!node || !filter(node) ||
		    (!c->mix->orphans && !model_is_linked(node)))
			continue;
		n++;
		if (rng_below(c->rng, n) == 0)
			found = id;
	}
	return found;
}

/* A directory; rarely something that only pretends to be one. */
static uint32_t pick_dir(const struct chooser *c)
{
	uint32_t id = MODEL_NONE;

	if (c->mix->odd && one_in(c, 60))
		id = pick(c, any_node);
	if (id == MODEL_NONE)
		id = pick(c, model_is_dir);
	return id;
}

static uint32_t pick_file(const struct chooser *c)
{
	uint32_t id = MODEL_NONE;

	if (c->mix->odd && one_in(c, 60))
		id = pick(c, any_node);
	if (id == MODEL_NONE)
		id = pick(c, model_is_file);
	return id;
}

static void new_name(const struct chooser *c, char *name)
{
	size_t len;

	if (!one_in(c, 12)) {
		(void)snprintf(name, MODEL_NAME_MAX, "n%u",
			       (unsigned)rng_below(c->rng, 40));
		return;
	}
	len = one_in(c, 2) ? MODEL_NAME_MAX : 1 + rng_below(c->rng, 60);
	if (c->mix->odd && one_in(c, 8))
		len = MODEL_NAME_MAX + 1;
	for (size_t i = 0; i < len; i++) {
		unsigned b = 1 + (unsigned)rng_below(c->rng, 255);

		name[i] = (char)(b == '/' || b == '.' ? 0xc3 : b);
	}
	name[len] = '\0';
}

/* Mostly a name that is there. */
static void old_name(const struct chooser *c, uint32_t dir, char *name)
{
	const struct model_node *d = model_get(c->m, dir);

	if (d->n_entries == 0 || one_in(c, 25))
		new_name(c, name);
	else
		(void)snprintf(
			name, MODEL_NAME_MAX + 1, "%s",
			d->entries[rng_below(c->rng, d->n_entries)].name);
}

static uint64_t some_len(const struct chooser *c, uint64_t max)
{
	switch (rng_below(c->rng, 8)) {
	case 0:
		return 1 + rng_below(c->rng, 16);
	case 1:
		return 1 + rng_below(c->rng, max);
	case 2:
		return 4096 * (1 + rng_below(c->rng, 8));
	default:
		return 1 + rng_below(c->rng, min_u64(max, 40 * KIB));
	}
}

static uint64_t some_off(const struct chooser *c, uint32_t file)
{
	const struct model_node *node = model_get(c->m, file);
	uint64_t size = min_u64(node->size, c->mix->max_size);

	if (c->mix->far && one_in(c, 80))
		return rng_u64(c->rng) >> (1 + rng_below(c->rng, 40));
	switch (rng_below(c->rng, 6)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return size; /* sequential */
	case 3:
		return rng_below(c->rng, size + 1) & ~(uint64_t)4095;
	case 4:
		return size + rng_below(c->rng, 100 * KIB);
	default:
		return rng_below(c->rng, size + 1);
	}
}

static void choose_make(const struct chooser *c, struct op *op)
{
	static const uint32_t types[] = { S_IFREG, S_IFREG,  S_IFREG, S_IFREG,
					  S_IFREG, S_IFDIR,  S_IFDIR, S_IFLNK,
					  S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	uint32_t type = types[rng_below(c->rng, ARRAY_LEN(types))];

	op->a = pick_dir(c);
	new_name(c, op->name);
	op->mode = type | (uint32_t)rng_below(c->rng, 01000);
	if (type == S_IFDIR)
		op->mode |=
			0700 | (!c->mix->plain && one_in(c, 6) ? S_ISGID : 0);
	if (type == S_IFLNK) {
		op->mode = S_IFLNK | 0777;
		fill_bytes(FILL_TEXT, rng_u64(c->rng), (uint8_t *)op->to_name,
			   1 + rng_below(c->rng, MODEL_NAME_MAX));
	}
	op->uid = c->mix->plain ? getuid()
				: (uint32_t)rng_below(c->rng, 3) * 1000;
	op->gid = c->mix->plain ? getgid()
				: (uint32_t)rng_below(c->rng, 3) * 1000;
	if (type == S_IFCHR || type == S_IFBLK)
		op->rdev = 0x103 + rng_below(c->rng, 5);
}

static void choose_rename(const struct chooser *c, struct op *op)
{
	static const int flags[] = {
		0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE
	};

	op->a = pick(c, full_dir);
	if (op->a == MODEL_NONE)
		op->a = MODEL_ROOT;
	op->b = one_in(c, 2) ? op->a : pick_dir(c);
	old_name(c, op->a, op->name);
	if (one_in(c, 2))
		old_name(c, op->b, op->to_name);
	else
		new_name(c, op->to_name);
	op->flags = flags[rng_below(c->rng, ARRAY_LEN(flags))];
	if (c->mix->odd && one_in(c, 100))
		op->flags = RENAME_NOREPLACE | RENAME_EXCHANGE;
}

static void choose_write(const struct chooser *c, struct op *op)
{
	static const enum fill_kind fills[] = {
		FILL_ZERO,    FILL_CONSTANT, FILL_RANDOM, FILL_RANDOM,
		FILL_TEXT,    FILL_EDITED,   FILL_EDITED, FILL_PERIOD,
		FILL_RECORDS, FILL_RECORDS,
	};

	op->a = pick_file(c);
	if (op->a == MODEL_NONE)
		return;
	op->len = some_len(c, c->mix->max_write);
	op->off = some_off(c, op->a);
	op->append = one_in(c, 8);
	if (op->append && model_get(c->m, op->a)->size > c->mix->max_size)
		op->append = false;
	op->kill_priv = one_in(c, 20);
	op->fill = fills[rng_below(c->rng, ARRAY_LEN(fills))];
	/* Few seeds: the same bytes come again, elsewhere. */
	op->seed = one_in(c, 2) ? rng_below(c->rng, 6) : rng_u64(c->rng);
	if (c->mix->hard && !one_in(c, 4)) {
		op->len = c->mix->max_write / 2 +
			  rng_below(c->rng, c->mix->max_write / 2);
		op->fill = one_in(c, 4) ? FILL_EDITED : FILL_RANDOM;
		op->seed = rng_u64(c->rng);
	}
}

static void choose_resize(const struct chooser *c, struct op *op)
{
	op->a = pick_file(c);
	if (op->a == MODEL_NONE)
		return;
	op->size = rng_below(c->rng, c->mix->max_size);
	if (one_in(c, 3))
		op->size = rng_below(c->rng, model_get(c->m, op->a)->size + 1);
	if (one_in(c, 8))
		op->size = 0;
	if (c->mix->far && one_in(c, 60))
		op->size = one_in(c, 2) ? MODEL_SIZE_MAX : rng_u64(c->rng) >> 1;
}

static void choose_allocate(const struct chooser *c, struct op *op)
{
	static const int modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};

	op->a = pick_file(c);
	if (op->a == MODEL_NONE)
		return;
	op->off = some_off(c, op->a);
	op->len = some_len(c, MIB);
	op->flags = modes[rng_below(c->rng, ARRAY_LEN(modes))];
	if (c->mix->odd && one_in(c, 60))
		op->flags = FALLOC_FL_COLLAPSE_RANGE;
	if (c->mix->odd && one_in(c, 60))
		op->len = 0;
}

static void choose_copy(const struct chooser *c, struct op *op)
{
	op->a = pick_file(c);
	op->b = one_in(c, 3) ? op->a : pick_file(c);
	if (op->a == MODEL_NONE || op->b == MODEL_NONE)
		return;
	op->off = rng_below(
		c->rng,
		min_u64(model_get(c->m, op->a)->size, c->mix->max_size) + 1);
	if (one_in(c, 2))
		op->off &= ~(uint64_t)4095;
	op->to_off = min_u64(some_off(c, op->b), c->mix->max_size);
	op->len = some_len(c, c->mix->max_write);
}

static void choose_setattr(const struct chooser *c, struct op *op)
{
	const struct model_node *node;

	op->a = pick(c, any_node);
	node = model_get(c->m, op->a);
	op->flags = c->mix->plain ? 1 << rng_below(c->rng, 3)
				  : 1 + (int)rng_below(c->rng, 7);
	if ((node->mode & S_IFMT) == S_IFLNK)
		op->flags &= ~OP_SET_MODE;
	op->mode = (node->mode & S_IFMT) | (uint32_t)rng_below(c->rng, 01000);
	if (model_is_dir(node))
		op->mode |= 0700 | (node->mode & S_ISGID);
	else if (c->mix->odd && one_in(c, 4))
		op->mode |= S_ISUID | S_ISGID;
	op->uid = (uint32_t)rng_below(c->rng, 3) * 1000;
	op->gid = (uint32_t)rng_below(c->rng, 3) * 1000;
	op->mtime.tv_sec = (int64_t)rng_below(c->rng, 1ULL << 33) - (1LL << 31);
	op->mtime.tv_nsec = (long)rng_below(c->rng, 1000000000);
	op->atime.tv_sec = (int64_t)rng_below(c->rng, 1ULL << 31);
	op->atime.tv_nsec = (long)rng_below(c->rng, 1000000000);
}

static bool xattr_holder(const struct model_node *node)
{
	return model_is_dir(node) || model_is_file(node);
}

static void choose_xattr(const struct chooser *c, struct op *op)
{
	static const int flags[] = { 0, 0, 0, XATTR_CREATE, XATTR_REPLACE };

	op->a = pick(c, xattr_holder);
	(void)snprintf(op->name, sizeof(op->name), "user.%s%u",
		       one_in(c, 4) ? "a-rather-long-name-of-an-attribute."
				    : "",
		       (unsigned)rng_below(c->rng, 6));
	op->flags = flags[rng_below(c->rng, ARRAY_LEN(flags))];
	op->len = one_in(c, 40) ? rng_below(c->rng, 60 * KIB)
				: rng_below(c->rng, 200);
	op->fill = FILL_TEXT;
	op->seed = rng_u64(c->rng);
}

static void choose_nodes(const struct chooser *c, struct op *op)
{
	switch ((int)op->kind) {
	case OP_LINK:
		op->b = c->mix->odd && one_in(c, 10) ? pick(c, any_node)
						     : pick_file(c);
		op->a = pick_dir(c);
		new_name(c, op->name);
		break;
	case OP_UNLINK:
	case OP_LOOKUP:
		op->a = pick(c, full_dir);
		if (op->a != MODEL_NONE)
			old_name(c, op->a, op->name);
		break;
	case OP_RMDIR:
		op->a = pick(c, full_dir);
		for (unsigned i = 0; i < 8 && op->a != MODEL_NONE; i++) {
			uint32_t id;

			old_name(c, op->a, op->name);
			id = model_find(c->m, op->a, op->name);
			if (id != MODEL_NONE &&
			    model_is_dir(model_get(c->m, id)))
				break;
		}
		break;
	case OP_READDIR:
		op->a = pick(c, model_is_dir);
		op->len = rng_below(c->rng, 4);
		op->seed = rng_u64(c->rng);
		break;
	case OP_FSYNC:
		op->a = one_in(c, 5) ? pick(c, model_is_dir) : pick_file(c);
		break;
	case OP_READ:
	case OP_SEEK:
		op->a = pick_file(c);
		if (op->a == MODEL_NONE)
			break;
		op->off = some_off(c, op->a);
		op->len = some_len(c, 2 * MIB);
		op->flags = one_in(c, 2) ? SEEK_DATA : SEEK_HOLE;
		break;
	default:
		op->a = pick(c, any_node);
		break;
	}
}

static void choose(const struct chooser *c, struct op *op)
{
	switch ((int)op->kind) {
	case OP_MAKE:
		choose_make(c, op);
		break;
	case OP_RENAME:
		choose_rename(c, op);
		break;
	case OP_WRITE:
		choose_write(c, op);
		break;
	case OP_RESIZE:
		choose_resize(c, op);
		break;
	case OP_ALLOCATE:
		choose_allocate(c, op);
		break;
	case OP_COPY:
		choose_copy(c, op);
		break;
	case OP_SETATTR:
		choose_setattr(c, op);
		break;
	case OP_SETXATTR:
	case OP_REMOVEXATTR:
		choose_xattr(c, op);
		break;
	default:
		choose_nodes(c, op);
		break;
	}
}

static enum op_kind choose_kind(const struct chooser *c)
{
	uint64_t sum = 0;
	uint64_t at;
	int kind = 0;

	for (int k = 0; k < OP_KINDS; k++)
		sum += c->mix->weights[k];
	at = rng_below(c->rng, sum);
	while (at >= c->mix->weights[kind])
		at -= c->mix->weights[kind++];
	if (kind == OP_MAKE && c->n_alive >= c->mix->max_nodes)
		kind = one_in(c, 3) ? OP_RMDIR : OP_UNLINK;
	return (enum op_kind)kind;
}

void op_next(struct rng *rng, const struct model *m, const struct op_mix *mix,
	     struct op *ret)
{
	struct chooser c = { .rng = rng, .m = m, .mix = mix };

	for (uint32_t id = 0; id < m->n_nodes; id++) {
		const struct model_node *node = model_get(m, id);

		c.n_alive += node && model_is_linked(node);
	}
	do {
		memset(ret, 0, sizeof(*ret));
		ret->kind = choose_kind(&c);
		choose(&c, ret);
	} while (ret->a == MODEL_NONE || ret->b == MODEL_NONE);
}
