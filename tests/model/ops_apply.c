/* SPDX-License-Identifier: MIT */
/*
 * ops_apply.c - what an operation writes, does to the model, and is in words.
 */
#include "model/ops.h"

#include "base/bytes.h"
#include "lib/records.h"

#include <stdlib.h>
#include <sys/stat.h>

/* ---- bytes ------------------------------------------------------------------ */

static void fill_text(struct rng *rng, uint8_t *buf, size_t len)
{
	static const char *const words[] = {
		"static ", "int ",    "return ", "the ",  "struct ",  "volume ",
		"\n\t",    "(void)",  "node->",  "size ", "0x7fff, ", "if (",
		");\n",    "{\n\t\t", "}\n",     "else ",
	};
	size_t done = 0;

	while (done < len) {
		const char *word = words[rng_below(rng, ARRAY_LEN(words))];

		while (*word && done < len)
			buf[done++] = (uint8_t)*word++;
	}
}

static void fill_random(struct rng *rng, uint8_t *buf, size_t len)
{
	while (len > 0) {
		uint64_t v = rng_u64(rng);
		size_t n = min_u64(len, sizeof(v));

		memcpy(buf, &v, n);
		buf += n;
		len -= n;
	}
}

void fill_bytes(enum fill_kind kind, uint64_t seed, uint8_t *buf, size_t len)
{
	struct rng rng = rng_of(seed);
	struct rng base;
	size_t period;

	switch (kind) {
	case FILL_CONSTANT:
		memset(buf, (int)(1 + seed % 255), len);
		break;
	case FILL_RANDOM:
		fill_random(&rng, buf, len);
		break;
	case FILL_TEXT:
		fill_text(&rng, buf, len);
		break;
	case FILL_PERIOD:
		period = 2 + seed % 300;
		fill_random(&rng, buf, min_u64(period, len));
		for (size_t i = period; i < len; i++)
			buf[i] = buf[i - period];
		break;
	case FILL_EDITED:
		base = rng_of(seed % 3);
		fill_random(&base, buf, len);
		for (size_t i = 0; i < len; i += 1 + rng_below(&rng, 8192))
			buf[i] = (uint8_t)seed;
		break;
	case FILL_RECORDS:
		records_fill(1, seed, buf, len);
		break;
	case FILL_ZERO:
	case FILL_KINDS:
		memset(buf, 0, len);
		break;
	}
}

/* ---- applying ----------------------------------------------------------------- */

static int64_t apply_write(struct model *m, const struct op *op)
{
	struct model_node *node = model_get(m, op->a);
	uint64_t off = op->append && model_is_file(node) ? node->size : op->off;
	uint8_t *bytes = malloc(op->len);
	int rc;

	if (!bytes)
		abort();
	fill_bytes(op->fill, op->seed, bytes, op->len);
	rc = model_write(m, op->a, off, bytes, op->len);
	free(bytes);
	if (!rc && op->kill_priv && (node->mode & (S_ISUID | S_ISGID))) {
		node->mode &= ~(uint32_t)S_ISUID;
		if (node->mode & S_IXGRP)
			node->mode &= ~(uint32_t)S_ISGID;
		model_touched(m, op->a);
	}
	return rc;
}

static int apply_setattr(struct model *m, const struct op *op)
{
	struct model_node *node = model_get(m, op->a);

	if (op->flags & OP_SET_MODE)
		node->mode = op->mode;
	if (op->flags & OP_SET_OWNER) {
		node->uid = op->uid;
		node->gid = op->gid;
	}
	if (op->flags & OP_SET_TIMES) {
		node->mtime = op->mtime;
		node->atime = op->atime;
		node->mtime_known = node->atime_known = true;
	}
	model_touched(m, op->a);
	return 0;
}

static int apply_setxattr(struct model *m, const struct op *op)
{
	uint8_t *value = malloc(op->len + 1);
	int rc;

	if (!value)
		abort();
	fill_bytes(op->fill, op->seed, value, op->len);
	rc = model_setxattr(
		m, op->a, op->name,
		(struct model_value){ .bytes = value, .len = op->len },
		op->flags);
	free(value);
	return rc;
}

static int apply_names(struct model *m, const struct op *op, uint32_t *ret_new)
{
	struct model_new_node what = {
		.mode = op->mode,
		.uid = op->uid,
		.gid = op->gid,
		.rdev = op->rdev,
		.target = op->to_name[0] ? op->to_name : NULL,
	};
	struct model_place from = { .dir = op->a, .name = op->name };
	struct model_place to = { .dir = op->b, .name = op->to_name };

	switch ((int)op->kind) {
	case OP_MAKE:
		return model_make(m, op->a, op->name, &what, ret_new);
	case OP_LINK:
		return model_link(m, op->b, op->a, op->name);
	case OP_UNLINK:
		return model_unlink(m, op->a, op->name);
	case OP_RMDIR:
		return model_rmdir(m, op->a, op->name);
	default:
		return model_rename(m, &from, &to, (unsigned)op->flags);
	}
}

int64_t op_apply(struct model *m, const struct op *op, uint32_t *ret_new)
{
	struct model_range from = { .id = op->a, .off = op->off };
	struct model_range to = { .id = op->b, .off = op->to_off };

	switch ((int)op->kind) {
	case OP_MAKE:
	case OP_LINK:
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_RENAME:
		return apply_names(m, op, ret_new);
	case OP_WRITE:
		return apply_write(m, op);
	case OP_RESIZE:
		return model_resize(m, op->a, op->size);
	case OP_ALLOCATE:
		return model_allocate(m, op->a, op->flags, op->off, op->len);
	case OP_COPY:
		return model_copy(m, &from, &to, op->len);
	case OP_SETATTR:
		return apply_setattr(m, op);
	case OP_SETXATTR:
		return apply_setxattr(m, op);
	case OP_REMOVEXATTR:
		return model_removexattr(m, op->a, op->name);
	default:
		return 0;
	}
}

void op_text(const struct op *op, char *text, size_t cap)
{
	static const char *const names[OP_KINDS] = {
		"make",     "link",        "unlink",   "rmdir", "rename",
		"write",    "resize",      "allocate", "copy",  "setattr",
		"setxattr", "removexattr", "read",     "seek",  "lookup",
		"forget",   "readdir",     "release",  "fsync", "sync",
		"reopen",   "compare",
	};

	(void)snprintf(text, cap,
		       "%s #%u '%.40s' #%u '%.40s' off %llu to %llu len %zu "
		       "size %llu flags %#x mode %#o fill %d%s%s",
		       names[op->kind], op->a, op->name, op->b, op->to_name,
		       (unsigned long long)op->off,
		       (unsigned long long)op->to_off, op->len,
		       (unsigned long long)op->size, (unsigned)op->flags,
		       op->mode, (int)op->fill, op->append ? " append" : "",
		       op->kill_priv ? " kill-priv" : "");
}
