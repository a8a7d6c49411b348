/* SPDX-License-Identifier: MIT */
/*
 * drive.c - operations on a volume, beside the model.
 */
#include "model/drive.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void drive_init(struct drive *d, const char *path, const struct op_mix *mix,
		uint64_t seed)
{
	*d = (struct drive){
		.m = model_new(),
		.mix = mix,
		.path = path,
		.root = VOLUME_ROOT,
		.rng = rng_of(~seed),
		.buf = malloc(DRIVE_BUF),
		.want = malloc(DRIVE_BUF),
	};
	if (!d->buf || !d->want)
		abort();
	d->m->nodes[MODEL_ROOT]->uid = getuid();
	d->m->nodes[MODEL_ROOT]->gid = getgid();
	d->m->nodes[MODEL_ROOT]->ino = VOLUME_ROOT;
}

void drive_release(struct drive *d)
{
	model_free(d->m);
	free(d->buf);
	free(d->want);
	*d = (struct drive){ 0 };
}

void drive_complain(struct drive *d, const char *fmt, ...)
{
	va_list args;

	if (d->bad)
		return;
	d->bad = true;
	va_start(args, fmt);
	(void)vsnprintf(d->why, sizeof(d->why), fmt, args);
	va_end(args);
}

static struct span text_span(const char *text)
{
	return span_of(text, strlen(text));
}

int drive_open(struct drive *d)
{
	return volume_open(d->path, &d->options, &d->v);
}

int drive_close(struct drive *d)
{
	int rc = volume_close(d->v);

	d->v = NULL;
	for (uint32_t id = 0; id < d->m->n_nodes; id++) {
		struct model_node *node = model_get(d->m, id);

		if (!node)
			continue;
		node->refs = 0;
		if (!model_is_linked(node))
			model_drop(d->m, id);
	}
	return rc;
}

/* ---- references ----------------------------------------------------------------- */

static void forget(struct drive *d, uint32_t id)
{
	struct model_node *node = model_get(d->m, id);

	if (id == MODEL_ROOT)
		return;
	if (node->refs > 0)
		volume_forget(d->v, node->ino, node->refs);
	node->refs = 0;
	if (!model_is_linked(node))
		model_drop(d->m, id);
}

int drive_need(struct drive *d, uint32_t id)
{
	struct model_node *node = model_get(d->m, id);
	struct volume_attr attr;
	const char *name = NULL;
	uint32_t dir = 0;
	int rc;

	if (id == MODEL_ROOT || node->refs > 0)
		return 0;
	if (!model_where(d->m, id, &dir, &name))
		abort(); /* an orphan always has references */
	rc = drive_need(d, dir);
	if (!rc)
		rc = volume_lookup(d->v, model_get(d->m, dir)->ino,
				   text_span(name), &attr);
	if (rc)
		return rc;
	node->refs++;
	drive_check_attr(d, id, &attr);
	return 0;
}

static uint64_t ino_of(struct drive *d, uint32_t id)
{
	return model_get(d->m, id)->ino;
}

/* ---- one operation each ---------------------------------------------------------- */

/* What the model is told after the volume has answered. */
static struct volume_attr *pending_attr(struct drive *d)
{
	static _Thread_local struct volume_attr attr;

	(void)d;
	return &attr;
}

static int exec_make(struct drive *d, const struct op *op)
{
	struct volume_new what = {
		.mode = op->mode,
		.uid = op->uid,
		.gid = op->gid,
		.rdev = op->rdev,
		.target = text_span(op->to_name),
	};

	return volume_make(d->v, ino_of(d, op->a), text_span(op->name), &what,
			   pending_attr(d));
}

static int exec_rename(struct drive *d, const struct op *op)
{
	struct volume_place from = { .parent = ino_of(d, op->a),
				     .name = text_span(op->name) };
	struct volume_place to = { .parent = ino_of(d, op->b),
				   .name = text_span(op->to_name) };

	return volume_rename(d->v, &from, &to, (unsigned)op->flags, NULL);
}

static int exec_write(struct drive *d, const struct op *op)
{
	unsigned flags = (op->append ? FILE_WRITE_APPEND : 0) |
			 (op->kill_priv ? FILE_WRITE_KILL_PRIV : 0);

	fill_bytes(op->fill, op->seed, d->buf, op->len);
	return file_write(d->v, ino_of(d, op->a), op->off,
			  span_of(d->buf, op->len), flags);
}

static int exec_resize(struct drive *d, const struct op *op)
{
	struct volume_attr attr = { .size = op->size };

	return volume_setattr(d->v, ino_of(d, op->a), SET_SIZE, &attr,
			      pending_attr(d));
}

static struct volume_time volume_time_of(const struct timespec *t)
{
	return (struct volume_time){ .sec = t->tv_sec,
				     .nsec = (uint32_t)t->tv_nsec };
}

static int exec_setattr(struct drive *d, const struct op *op)
{
	struct volume_attr attr = { .mode = op->mode,
				    .uid = op->uid,
				    .gid = op->gid,
				    .mtime = volume_time_of(&op->mtime),
				    .atime = volume_time_of(&op->atime) };
	unsigned mask = 0;

	if (op->flags & OP_SET_MODE)
		mask |= SET_MODE;
	if (op->flags & OP_SET_OWNER)
		mask |= SET_UID | SET_GID;
	if (op->flags & OP_SET_TIMES)
		mask |= SET_MTIME | SET_ATIME;
	return volume_setattr(d->v, ino_of(d, op->a), mask, &attr,
			      pending_attr(d));
}

static ssize_t exec_copy(struct drive *d, const struct op *op)
{
	struct file_range from = { .ino = ino_of(d, op->a), .off = op->off };
	struct file_range to = { .ino = ino_of(d, op->b), .off = op->to_off };

	return file_copy(d->v, &from, &to, op->len);
}

/* The model decides: 0, or the errno that it has to be. */
static int exec_lookup(struct drive *d, const struct op *op)
{
	struct model_node *dir = model_get(d->m, op->a);
	struct volume_attr attr;
	uint32_t id = model_find(d->m, op->a, op->name);
	int want = 0;
	int rc = volume_lookup(d->v, dir->ino, text_span(op->name), &attr);

	if (strlen(op->name) > VOLUME_NAME_MAX)
		want = -ENAMETOOLONG;
	else if (id == MODEL_NONE)
		want = -ENOENT;
	if (rc == -EIO)
		return rc;
	if (rc != want) {
		drive_complain(d, "lookup says %d, not %d", rc, want);
	} else if (rc == 0) {
		model_get(d->m, id)->refs++;
		drive_check_attr(d, id, &attr);
	}
	return rc == want ? 0 : rc;
}

static int exec_read(struct drive *d, const struct op *op)
{
	const struct model_node *node = model_get(d->m, op->a);
	struct file_read r;
	int want, rc;

	if (model_is_file(node))
		return drive_check_read(d, op->a, op->off, op->len);
	want = model_is_dir(node) ? -EISDIR : -EINVAL;
	rc = file_read(d->v, node->ino, op->off, op->len, &r);
	if (rc != want)
		drive_complain(d, "read of no file says %d, not %d", rc, want);
	return 0;
}

/* What lies between data and hole is the filesystem's choice, but nothing that
 * is not zero may be in a hole. */
static int exec_seek(struct drive *d, const struct op *op)
{
	const struct model_node *node = model_get(d->m, op->a);
	uint64_t nonzero = model_nonzero(node, op->off);
	uint64_t at = 0;
	uint64_t next = 0;
	uint8_t byte = 0;
	int rc;

	if (!model_is_file(node))
		return 0;
	rc = file_seek(d->v, node->ino, op->off, op->flags, &at);
	if (op->off >= node->size) {
		if (rc != -ENXIO)
			drive_complain(d, "seek beyond the end says %d", rc);
		return 0;
	}
	if (op->flags == SEEK_DATA) {
		if (rc == -ENXIO && nonzero == node->size)
			return 0;
		if (!rc && (at < op->off || at > nonzero || at >= node->size))
			drive_complain(d, "data at %llu, not zero at %llu",
				       (unsigned long long)at,
				       (unsigned long long)nonzero);
		return rc;
	}
	if (rc)
		return rc;
	if (at < op->off || at > node->size)
		drive_complain(d, "hole at %llu", (unsigned long long)at);
	if (at >= node->size)
		return 0;
	(void)model_read(node, at, &byte, 1);
	rc = file_seek(d->v, node->ino, at, SEEK_DATA, &next);
	if (byte != 0 || (!rc && next == at))
		drive_complain(d, "no hole at %llu", (unsigned long long)at);
	return rc == -ENXIO ? 0 : rc;
}

static int exec_setxattr(struct drive *d, const struct op *op)
{
	fill_bytes(op->fill, op->seed, d->buf, op->len);
	return volume_setxattr(d->v, ino_of(d, op->a), text_span(op->name),
			       span_of(d->buf, op->len), op->flags);
}

static int reopen(struct drive *d)
{
	int rc = 0;

	if (d->shared)
		return volume_sync(d->v);
	if (!drive_check(d))
		return 0;
	rc = drive_close(d);
	return rc ? rc : drive_open(d);
}

static int64_t exec_other(struct drive *d, const struct op *op)
{
	int rc;

	switch ((int)op->kind) {
	case OP_READ:
		return exec_read(d, op);
	case OP_SEEK:
		return exec_seek(d, op);
	case OP_LOOKUP:
		return exec_lookup(d, op);
	case OP_READDIR:
		return drive_walk_dir(d, op);
	case OP_RELEASE:
		file_release(d->v, ino_of(d, op->a));
		return 0;
	case OP_FSYNC:
		rc = file_fsync(d->v, ino_of(d, op->a));
		return rc == -EINVAL && !model_is_file(model_get(d->m, op->a))
			       ? 0
			       : rc;
	case OP_SYNC:
		return volume_sync(d->v);
	case OP_REOPEN:
		return reopen(d);
	case OP_COMPARE:
		(void)drive_compare(d);
		return 0;
	default:
		return 0; /* OP_FORGET: drive_settle() */
	}
}

int64_t drive_exec(struct drive *d, const struct op *op)
{
	int rc = drive_need(d, op->a);

	if (!rc && (op->kind == OP_LINK || op->kind == OP_RENAME ||
		    op->kind == OP_COPY))
		rc = drive_need(d, op->b);
	if (rc)
		return rc;
	switch ((int)op->kind) {
	case OP_MAKE:
		return exec_make(d, op);
	case OP_LINK:
		return volume_link(d->v, ino_of(d, op->b), ino_of(d, op->a),
				   text_span(op->name), pending_attr(d));
	case OP_UNLINK:
		return volume_unlink(d->v, ino_of(d, op->a),
				     text_span(op->name));
	case OP_RMDIR:
		return volume_rmdir(d->v, ino_of(d, op->a),
				    text_span(op->name));
	case OP_RENAME:
		return exec_rename(d, op);
	case OP_WRITE:
		return exec_write(d, op);
	case OP_RESIZE:
		return exec_resize(d, op);
	case OP_ALLOCATE:
		return file_allocate(d->v, ino_of(d, op->a), op->flags, op->off,
				     op->len);
	case OP_COPY:
		return exec_copy(d, op);
	case OP_SETATTR:
		return exec_setattr(d, op);
	case OP_SETXATTR:
		return exec_setxattr(d, op);
	case OP_REMOVEXATTR:
		return volume_removexattr(d->v, ino_of(d, op->a),
					  text_span(op->name));
	default:
		return exec_other(d, op);
	}
}

/* ---- the model's half ------------------------------------------------------------- */

/* The node that loses a name by `op`, or MODEL_NONE. */
static uint32_t victim_of(struct drive *d, const struct op *op)
{
	if ((op->kind == OP_UNLINK || op->kind == OP_RMDIR) &&
	    model_is_dir(model_get(d->m, op->a)))
		return model_find(d->m, op->a, op->name);
	if (op->kind == OP_RENAME && model_is_dir(model_get(d->m, op->b)))
		return model_find(d->m, op->b, op->to_name);
	return MODEL_NONE;
}

static void settle_new(struct drive *d, uint32_t id)
{
	struct model_node *node = model_get(d->m, id);
	const struct volume_attr *attr = pending_attr(d);

	node->ino = attr->ino;
	node->generation = attr->generation;
	node->btime = (struct timespec){ .tv_sec = attr->btime.sec,
					 .tv_nsec = attr->btime.nsec };
	node->refs = 1;
	drive_check_attr(d, id, attr);
}

int64_t drive_settle(struct drive *d, const struct op *op)
{
	uint32_t victim = victim_of(d, op);
	uint32_t id = MODEL_NONE;
	int64_t rc = op_apply(d->m, op, &id);

	if (rc < 0)
		return rc;
	switch ((int)op->kind) {
	case OP_MAKE:
		settle_new(d, id);
		break;
	case OP_LINK:
		model_get(d->m, op->b)->refs++;
		drive_check_attr(d, op->b, pending_attr(d));
		break;
	case OP_RESIZE:
	case OP_SETATTR:
		drive_check_attr(d, op->a, pending_attr(d));
		break;
	case OP_FORGET:
		forget(d, op->a);
		break;
	default:
		break;
	}
	if (victim == MODEL_NONE || model_is_linked(model_get(d->m, victim)))
		return rc;
	if (!d->mix->orphans || model_get(d->m, victim)->refs == 0)
		forget(d, victim);
	return rc;
}

bool drive_same(const struct op *op, int64_t got, int64_t want)
{
	if (got == want)
		return true;
	if (got == -ENAMETOOLONG && want < 0)
		return true;
	return op->kind == OP_LINK && got == -EPERM && want == -EEXIST;
}

bool drive_step(struct drive *d, const struct op *op)
{
	int64_t got = drive_exec(d, op);
	int64_t want;

	if (d->bad)
		return false;
	/* A volume that did what the model forbids leaves nothing to compare. */
	want = drive_settle(d, op);
	if (!drive_same(op, got, want))
		drive_complain(d, "the volume says %lld, the model %lld",
			       (long long)got, (long long)want);
	return !d->bad;
}

bool drive_run(struct drive *d, struct rng *rng, uint64_t steps_done,
	       uint64_t n)
{
	char text[DRIVE_WHY / 2];
	char why[DRIVE_WHY];
	struct op op;

	for (uint64_t i = 1; i <= n; i++) {
		d->m->step = steps_done + i;
		op_next(rng, d->m, d->mix, &op);
		if (getenv("TRACE")) {
			op_text(&op, text, sizeof(text));
			(void)fprintf(stderr, "%llu %s\n",
				      (unsigned long long)d->m->step, text);
		}
		if (drive_step(d, &op))
			continue;
		op_text(&op, text, sizeof(text));
		(void)snprintf(why, sizeof(why), "step %llu: %s: %.250s",
			       (unsigned long long)d->m->step, text, d->why);
		memcpy(d->why, why, sizeof(why));
		return false;
	}
	return true;
}

bool drive_grow_all(struct drive *d)
{
	char why[DRIVE_WHY];

	for (uint32_t id = 0; id < d->m->n_nodes; id++) {
		const struct model_node *node = model_get(d->m, id);
		struct op op = { .kind = OP_RESIZE, .a = id };

		if (!node || !model_is_file(node))
			continue;
		op.size = node->size + MIB;
		if (drive_step(d, &op) &&
		    drive_check_read(d, id, op.size - MIB, MIB) == 0 && !d->bad)
			continue;
		memcpy(why, d->why, sizeof(why));
		(void)snprintf(d->why, sizeof(d->why),
			       "file #%u made longer than %llu: %.400s", id,
			       (unsigned long long)(op.size - MIB), why);
		return false;
	}
	return true;
}
