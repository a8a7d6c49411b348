/* SPDX-License-Identifier: MIT */
/*
 * compare.c - a volume's tree against the model's.
 */
#include "model/drive.h"

#include "base/bytes.h"
#include "volume/check.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { READ_WHOLE = 16 << 20 /* larger files are read in parts */ };

static bool same_time(const struct timespec *a, const struct volume_time *b)
{
	return a->tv_sec == b->sec && a->tv_nsec == (long)b->nsec;
}

static void check_number(struct drive *d, const char *what, uint64_t got,
			 uint64_t want)
{
	if (got != want)
		drive_complain(d, "%s is %llu (%#llo), not %llu (%#llo)", what,
			       (unsigned long long)got, (unsigned long long)got,
			       (unsigned long long)want,
			       (unsigned long long)want);
}

void drive_check_attr(struct drive *d, uint32_t id,
		      const struct volume_attr *attr)
{
	struct model_node *node = model_get(d->m, id);

	if (id == MODEL_ROOT && d->shared)
		return;
	if (node->ino == 0) { /* after a crash: from now on it stays */
		node->ino = attr->ino;
		node->generation = attr->generation;
		node->btime.tv_sec = attr->btime.sec;
		node->btime.tv_nsec = attr->btime.nsec;
	}
	check_number(d, "inode", attr->ino, node->ino);
	check_number(d, "mode", attr->mode, node->mode);
	check_number(d, "nlink", attr->nlink, node->nlink);
	check_number(d, "uid", attr->uid, node->uid);
	check_number(d, "gid", attr->gid, node->gid);
	check_number(d, "rdev", attr->rdev, node->rdev);
	if (id != MODEL_ROOT) {
		check_number(d, "generation", attr->generation,
			     node->generation);
		if (!same_time(&node->btime, &attr->btime))
			drive_complain(d, "the birth time changed");
	}
	if (node->mtime_known && !same_time(&node->mtime, &attr->mtime))
		drive_complain(d, "mtime %lld.%09u is not what was set",
			       (long long)attr->mtime.sec, attr->mtime.nsec);
	if (node->atime_known && !same_time(&node->atime, &attr->atime))
		drive_complain(d, "atime %lld.%09u is not what was set",
			       (long long)attr->atime.sec, attr->atime.nsec);
	if (node->target)
		check_number(d, "size", attr->size, strlen(node->target));
	if (!model_is_file(node))
		return;
	check_number(d, "size", attr->size, node->size);
	if (!node->reserved && attr->allocated > attr->size)
		drive_complain(d, "%llu bytes allocated of %llu",
			       (unsigned long long)attr->allocated,
			       (unsigned long long)attr->size);
}

/* ---- content ------------------------------------------------------------------- */

static void check_bytes(struct drive *d, const struct file_read *r,
			uint64_t off)
{
	size_t done = 0;

	for (int i = 0; i < r->n_iov; i++) {
		const uint8_t *got = r->iov[i].iov_base;
		size_t n = r->iov[i].iov_len;

		if (n > r->len - done) {
			drive_complain(d, "a read's parts are too long");
			return;
		}
		for (size_t k = 0; k < n && !d->bad; k++) {
			unsigned long long at = off + done + k;

			if (got[k] == d->want[done + k])
				continue;
			drive_complain(d,
				       "byte %llu is %#x, not %#x (read of "
				       "%zu at %llu)",
				       at, got[k], d->want[done + k], r->len,
				       (unsigned long long)off);
		}
		done += n;
	}
	if (done != r->len)
		drive_complain(d, "a read's parts have %zu of %zu bytes", done,
			       r->len);
}

/*
 * A read of many extents may be short only by the limit of its parts: the
 * caller goes on where it stopped. Zero bytes before the end are wrong.
 */
int drive_check_read(struct drive *d, uint32_t id, uint64_t off, size_t len)
{
	const struct model_node *node = model_get(d->m, id);
	size_t want = model_read(node, off, d->want, len);
	struct file_read r;
	int rc = file_read(d->v, node->ino, off, len, &r);

	if (rc)
		return rc;
	if (r.len != want)
		drive_complain(d, "read %zu bytes of %zu at %llu, not %zu",
			       r.len, len, (unsigned long long)off, want);
	else
		check_bytes(d, &r, off);
	file_read_done(&r);
	return 0;
}

static int check_range(struct drive *d, uint32_t id, uint64_t from, uint64_t to)
{
	int rc = 0;

	while (from < to && !rc && !d->bad) {
		size_t len =
			min_u64(to - from, 1 + rng_below(&d->rng, 3 * MIB / 2));

		rc = drive_check_read(d, id, from, len);
		from += len;
	}
	return rc;
}

static int check_content(struct drive *d, uint32_t id)
{
	const struct model_node *node = model_get(d->m, id);
	uint64_t at;
	int rc = 0;

	if (node->size <= READ_WHOLE)
		return check_range(d, id, 0, node->size + 1);
	for (size_t i = 0; i < node->n_pages && !rc && !d->bad; i++) {
		at = node->pages[i].no * MODEL_PAGE;
		rc = check_range(d, id, at, at + MODEL_PAGE + 1000);
	}
	for (unsigned i = 0; i < 4 && !rc && !d->bad; i++) {
		at = rng_below(&d->rng, node->size);
		rc = check_range(d, id, at, at + 100000);
	}
	return rc;
}

/* ---- xattrs, targets ---------------------------------------------------------------- */

static void check_xattrs(struct drive *d, uint32_t id)
{
	const struct model_node *node = model_get(d->m, id);
	char *names = (char *)d->want;
	ssize_t len = volume_listxattr(d->v, node->ino, NULL, 0);
	ssize_t again;
	size_t n = 0;

	again = volume_listxattr(d->v, node->ino, names, DRIVE_BUF);
	if (len < 0 || len != again) {
		drive_complain(d, "listxattr says %zd, then %zd", len, again);
		return;
	}
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		const struct model_xattr *x =
			model_xattr_find(node, names + at);
		struct span name = span_of(names + at, strlen(names + at));
		ssize_t got = volume_getxattr(d->v, node->ino, name, d->buf,
					      VOLUME_XATTR_MAX);

		if (!x || got != (ssize_t)x->len ||
		    memcmp(x->value, d->buf, x->len) != 0)
			drive_complain(d, "xattr '%s' has %zd bytes, not %zd",
				       names + at, got,
				       x ? (ssize_t)x->len : -1);
		n++;
	}
	check_number(d, "number of xattrs", n, node->n_xattrs);
}

static void check_target(struct drive *d, const struct model_node *node)
{
	ssize_t n = volume_readlink(d->v, node->ino, (char *)d->buf,
				    VOLUME_SYMLINK_MAX);

	if (n != (ssize_t)strlen(node->target) ||
	    memcmp(node->target, d->buf, (size_t)n) != 0)
		drive_complain(d, "a target has %zd bytes, not %zu", n,
			       strlen(node->target));
}

/* ---- directories --------------------------------------------------------------------- */

struct told {
	char name[VOLUME_NAME_MAX + 1];
	struct volume_attr attr;
	uint64_t next;
};

struct listing {
	struct told *list; /* owned */
	size_t n, cap;
	size_t limit; /* stop at so many */
};

static bool take_entry(void *ctx, struct span name,
		       const struct volume_attr *attr, uint64_t next)
{
	struct listing *l = ctx;
	struct told *t;

	if (l->n == l->limit)
		return false;
	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 16;
		l->list = realloc(l->list, l->cap * sizeof(*l->list));
		if (!l->list)
			abort();
	}
	t = &l->list[l->n++];
	memcpy(t->name, name.ptr, name.len);
	t->name[name.len] = '\0';
	t->attr = *attr;
	t->next = next;
	return true;
}

static void check_entry(struct drive *d, uint32_t dir, const struct told *t,
			bool with_attr)
{
	const struct model_node *node = model_get(d->m, dir);
	uint32_t id;

	if (strcmp(t->name, ".") == 0) {
		check_number(d, "inode of '.'", t->attr.ino, node->ino);
		return;
	}
	if (strcmp(t->name, "..") == 0) {
		if (!d->shared || dir != MODEL_ROOT)
			check_number(d, "inode of '..'", t->attr.ino,
				     model_get(d->m, node->parent)->ino);
		return;
	}
	id = model_find(d->m, dir, t->name);
	if (id == MODEL_NONE) {
		drive_complain(d, "'%.60s' should not be there", t->name);
		return;
	}
	node = model_get(d->m, id);
	check_number(d, "type", t->attr.mode & S_IFMT, node->mode & S_IFMT);
	if (node->ino)
		check_number(d, "inode", t->attr.ino, node->ino);
	if (with_attr) {
		model_get(d->m, id)->refs++;
		drive_check_attr(d, id, &t->attr);
	}
}

/* The next entries of `dir`, at most l->limit in all. */
static int more(struct drive *d, uint32_t dir, struct listing *l,
		bool with_attr)
{
	size_t first = l->n;
	uint64_t cookie = first > 0 ? l->list[first - 1].next : 0;
	int rc = volume_readdir(
		d->v, model_get(d->m, dir)->ino, cookie,
		&(struct volume_lister){ with_attr, take_entry, l });

	for (size_t i = first; i < l->n && !rc && !d->bad; i++)
		check_entry(d, dir, &l->list[i], with_attr);
	return rc;
}

static size_t n_told(const struct listing *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += strcmp(l->list[i].name, name) == 0;
	return n;
}

/* Of `staying`, forgets what `dir` no longer has. */
static void keep_staying(const struct model *m, uint32_t dir,
			 struct model_entry *staying, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (staying[i].id != MODEL_NONE &&
		    model_find(m, dir, staying[i].name) != staying[i].id)
			staying[i].id = MODEL_NONE;
}

static void change_names(struct drive *d, const struct model *frame,
			 uint32_t dir, struct model_entry *staying)
{
	static const struct op_mix names = {
		.weights = { [OP_MAKE] = 3, [OP_UNLINK] = 2, [OP_RENAME] = 3 },
		.max_nodes = 200,
	};
	size_t n = model_get(frame, dir)->n_entries;

	for (uint64_t i = rng_below(&d->rng, 4); i > 0 && !d->bad; i--) {
		struct op op;

		op_next(&d->rng, d->m, &names, &op);
		(void)drive_step(d, &op);
		keep_staying(d->m, dir, staying, n);
	}
}

static bool is_there(struct drive *d, uint32_t dir)
{
	const struct model_node *node = model_get(d->m, dir);

	return node && model_is_linked(node);
}

int drive_walk_dir(struct drive *d, const struct op *op)
{
	struct model *frame = NULL;
	struct listing l = { 0 };
	struct model_entry *staying;
	bool with_attr = op->seed & 1;
	size_t before;
	size_t n;
	int rc;

	if (!model_is_linked(model_get(d->m, op->a)))
		return 0;
	frame = model_clone(d->m);
	staying = model_get(frame, op->a)->entries;
	n = model_get(frame, op->a)->n_entries;
	do {
		before = l.n;
		l.limit = l.n + (op->len ? op->len * 2 : 1000);
		rc = more(d, op->a, &l, with_attr);
		if (!rc && !d->bad && op->len > 0)
			change_names(d, frame, op->a, staying);
	} while (!rc && !d->bad && l.n > before && is_there(d, op->a));
	if (!rc && !d->bad && is_there(d, op->a) &&
	    (n_told(&l, ".") != 1 || n_told(&l, "..") != 1))
		drive_complain(d, "'.' or '..' is not told once");
	for (size_t i = 0; i < n && !rc && !d->bad; i++)
		if (staying[i].id != MODEL_NONE &&
		    n_told(&l, staying[i].name) != 1)
			drive_complain(d, "'%.60s' was told %zu times",
				       staying[i].name,
				       n_told(&l, staying[i].name));
	free(l.list);
	model_free(frame);
	return rc;
}

/* ---- everything ------------------------------------------------------------------------ */

static int compare_dir(struct drive *d, uint32_t dir)
{
	struct listing l = { .limit = SIZE_MAX };
	const struct model_node *node = model_get(d->m, dir);
	int rc = more(d, dir, &l, rng_below(&d->rng, 2));

	if (!rc && l.n != node->n_entries + 2)
		drive_complain(d, "directory #%u has %zu entries, not %zu", dir,
			       l.n, node->n_entries + 2);
	for (size_t i = 0; i < node->n_entries && !rc && !d->bad; i++)
		if (n_told(&l, node->entries[i].name) != 1)
			drive_complain(d, "'%.60s' is told %zu times",
				       node->entries[i].name,
				       n_told(&l, node->entries[i].name));
	free(l.list);
	return rc;
}

static int compare_node(struct drive *d, uint32_t id)
{
	const struct model_node *node = model_get(d->m, id);
	struct volume_attr attr;
	int rc = drive_need(d, id);

	if (!rc)
		rc = volume_getattr(d->v, node->ino, &attr);
	if (rc)
		return rc;
	drive_check_attr(d, id, &attr);
	if (model_is_dir(node) && model_is_linked(node))
		rc = compare_dir(d, id);
	else if (model_is_file(node))
		rc = check_content(d, id);
	else if (node->target)
		check_target(d, node);
	if (!rc && !d->bad)
		check_xattrs(d, id);
	return rc;
}

bool drive_compare(struct drive *d)
{
	char why[DRIVE_WHY];
	int rc;

	for (uint32_t id = 0; id < d->m->n_nodes && !d->bad; id++) {
		if (!model_get(d->m, id))
			continue;
		rc = compare_node(d, id);
		if (rc)
			drive_complain(d, "errno %d", -rc);
		if (!d->bad)
			continue;
		memcpy(why, d->why, sizeof(why));
		(void)snprintf(d->why, sizeof(d->why),
			       "comparing all: node #%u: %.500s", id, why);
	}
	return !d->bad;
}

/* ---- the volume's own check -------------------------------------------------------------- */

static void on_finding(void *ctx, const char *text)
{
	drive_complain(ctx, "check: %s", text);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)done;
	(void)total;
}

const char *drive_read_only(const struct drive *d)
{
	return store_opened(volume_store(d->v))->read_only;
}

bool drive_check(struct drive *d)
{
	struct check_report report = { .ctx = d,
				       .finding = on_finding,
				       .progress = on_progress };
	int rc = volume_check(d->v, &report);

	if (rc)
		drive_complain(d, "check ends with %d", rc);
	else if (report.n_findings > 0)
		drive_complain(d, "check has findings");
	return !d->bad;
}
