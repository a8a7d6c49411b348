/* SPDX-License-Identifier: MIT */
/*
 * tape_restore.c - what a loss of power might have left.
 */
#include "lib/tape.h"
#include "lib/tape_impl.h"

#include "lib/rng.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, DIRS = 16 };

/* A name that is there in the end. */
struct kept {
	char path[TAPE_PATH / 4];
	int file; /* -1: a directory */
};

struct restorer {
	const struct tape *tape;
	const struct tape_cut *cut;
	struct rng rng;
	const char *to;
	struct kept *kept;
	size_t n_kept;
	size_t order_end[TAPE_FILES]; /* in_order: events before it are there */
	unsigned percent;             /* for the file in hand */
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

/* ---- which events are certain --------------------------------------------------- */

static bool synced(const struct restorer *r, size_t at)
{
	const struct tape_event *e = &r->tape->events[at];

	for (size_t i = at + 1; i < r->cut->at; i++) {
		const struct tape_event *s = &r->tape->events[i];

		if (s->kind == TAPE_SYNC && s->file == e->file &&
		    at >= s->from && at < s->off)
			return true;
	}
	return false;
}

static void dir_of(const char *path, char *dir)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(dir, path, len);
	memcpy(dir + len, "/", 2);
}

static bool is_name_event(const struct tape_event *e)
{
	return e->kind == TAPE_CREATE || e->kind == TAPE_MKDIR ||
	       e->kind == TAPE_RENAME || e->kind == TAPE_UNLINK;
}

/* Events of the directory `dir` before this one are certain. */
static size_t dir_synced(const struct restorer *r, const char *dir)
{
	size_t upto = 0;

	for (size_t i = 0; i < r->cut->at; i++) {
		const struct tape_event *e = &r->tape->events[i];

		if (e->kind == TAPE_SYNC_DIR && strcmp(e->path, dir) == 0 &&
		    e->off > upto)
			upto = e->off;
	}
	return upto;
}

/* Before which event the names of `dir` are there: all certain ones, and some
 * more. */
static size_t names_until(struct restorer *r, const char *dir)
{
	size_t sure = dir_synced(r, dir);
	size_t n = 0;
	size_t take, i;
	char its[TAPE_PATH];

	for (i = sure; i < r->cut->at; i++) {
		dir_of(r->tape->events[i].path, its);
		n += is_name_event(&r->tape->events[i]) &&
		     strcmp(its, dir) == 0;
	}
	take = rng_below(&r->rng, 3) == 0 ? rng_below(&r->rng, n + 1) : n;
	if (r->cut->percent == 0)
		take = 0;
	for (i = sure; i < r->cut->at && take > 0; i++) {
		dir_of(r->tape->events[i].path, its);
		take -= is_name_event(&r->tape->events[i]) &&
			strcmp(its, dir) == 0;
	}
	return i;
}

/* ---- names ------------------------------------------------------------------------ */

static struct kept *find(struct restorer *r, const char *path)
{
	for (size_t i = 0; i < r->n_kept; i++)
		if (strcmp(r->kept[i].path, path) == 0)
			return &r->kept[i];
	return NULL;
}

static void keep(struct restorer *r, const char *path, int file)
{
	struct kept *k = find(r, path);

	if (!k) {
		r->kept = realloc(r->kept, (r->n_kept + 1) * sizeof(*r->kept));
		must(r->kept != NULL, "memory");
		k = &r->kept[r->n_kept++];
		memcpy(k->path, path, strlen(path) + 1);
	}
	k->file = file;
}

static void drop(struct restorer *r, const char *path)
{
	struct kept *k = find(r, path);

	if (k)
		*k = r->kept[--r->n_kept];
}

static void name_event(struct restorer *r, const struct tape_event *e)
{
	switch ((int)e->kind) {
	case TAPE_CREATE:
		keep(r, e->path, e->file);
		break;
	case TAPE_MKDIR:
		keep(r, e->path, -1);
		break;
	case TAPE_RENAME:
		drop(r, e->path);
		keep(r, e->to, e->file);
		break;
	default:
		drop(r, e->path);
		break;
	}
}

static void restore_names(struct restorer *r)
{
	char dirs[DIRS][TAPE_PATH / 4];
	size_t until[DIRS];
	size_t n_dirs = 0;

	for (size_t i = 0; i < r->cut->at; i++) {
		const struct tape_event *e = &r->tape->events[i];
		char dir[TAPE_PATH];
		size_t d = 0;

		if (!is_name_event(e))
			continue;
		dir_of(e->path, dir);
		while (d < n_dirs && strcmp(dirs[d], dir) != 0)
			d++;
		if (d == n_dirs) {
			must(n_dirs < DIRS, "too many directories");
			memcpy(dirs[d], dir, strlen(dir) + 1);
			until[d] = names_until(r, dir);
			n_dirs++;
		}
		if (i < until[d])
			name_event(r, e);
	}
}

/* ---- content ----------------------------------------------------------------------- */

static void put(int fd, const struct tape_event *e, size_t from, size_t len)
{
	static const uint8_t zeros[SECTOR];
	struct stat st;

	if (e->bytes) {
		must(pwrite(fd, e->bytes + from, len, (off_t)(e->off + from)) ==
			     (ssize_t)len,
		     "pwrite");
		return;
	}
	/* A hole is as good, where nothing was. */
	must(fstat(fd, &st) == 0, "fstat");
	if ((uint64_t)st.st_size <= e->off + from) {
		must(ftruncate(fd, (off_t)(e->off + from + len)) == 0,
		     "ftruncate");
		return;
	}
	while (len > 0) {
		size_t n = len < SECTOR ? len : SECTOR;

		must(pwrite(fd, zeros, n, (off_t)(e->off + from)) == (ssize_t)n,
		     "pwrite");
		from += n;
		len -= n;
	}
}

/* Sectors of the file, not of the write. */
static void put_some(struct restorer *r, int fd, const struct tape_event *e)
{
	size_t from = 0;

	while (from < e->len) {
		size_t n = SECTOR - (e->off + from) % SECTOR;

		if (n > e->len - from)
			n = e->len - from;
		if (rng_below(&r->rng, 100) < r->percent)
			put(fd, e, from, n);
		from += n;
	}
}

static void file_event(struct restorer *r, int fd, size_t at)
{
	const struct tape_event *e = &r->tape->events[at];
	bool there = synced(r, at);

	if (r->cut->in_order && !there) {
		if (at >= r->order_end[e->file])
			return;
		there = true;
	}
	if (e->kind == TAPE_CUT) {
		if (there || rng_below(&r->rng, 100) < r->percent)
			must(ftruncate(fd, (off_t)e->off) == 0, "ftruncate");
	} else if (there || r->percent == 100) {
		put(fd, e, 0, e->len);
	} else {
		put_some(r, fd, e);
	}
}

static void restore_file(struct restorer *r, const struct kept *k)
{
	char path[TAPE_PATH];
	int fd;

	(void)snprintf(path, sizeof(path), "%.300s/%s", r->to, k->path);
	if (k->file < 0) {
		must(mkdir(path, 0700) == 0, path);
		return;
	}
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	/* Its directory is not there: it is lost with it. */
	if (fd < 0 && strchr(k->path, '/'))
		return;
	must(fd >= 0, path);
	r->order_end[k->file] = rng_below(&r->rng, r->cut->at + 1);
	r->percent = r->cut->percent;
	if (r->cut->by_file)
		r->percent = rng_below(&r->rng, 2) ? 100 : 0;
	for (size_t i = 0; i < r->cut->at; i++) {
		const struct tape_event *e = &r->tape->events[i];

		if (e->file == k->file &&
		    (e->kind == TAPE_WRITE || e->kind == TAPE_CUT))
			file_event(r, fd, i);
	}
	(void)close(fd);
}

void tape_restore(const struct tape_cut *cut, const char *to,
		  uint64_t *ret_begun, uint64_t *ret_answered)
{
	struct restorer r = { .tape = tape_get(),
			      .cut = cut,
			      .rng = rng_of(cut->seed),
			      .to = to };

	*ret_begun = *ret_answered = 0;
	for (size_t i = 0; i < cut->at; i++) {
		if (r.tape->events[i].kind == TAPE_BEGUN)
			*ret_begun = r.tape->events[i].off;
		else if (r.tape->events[i].kind == TAPE_ANSWERED)
			*ret_answered = r.tape->events[i].off;
	}
	must(mkdir(to, 0700) == 0, to);
	restore_names(&r);
	for (size_t i = 0; i < r.n_kept; i++)
		if (r.kept[i].file < 0)
			restore_file(&r, &r.kept[i]);
	for (size_t i = 0; i < r.n_kept; i++)
		if (r.kept[i].file >= 0)
			restore_file(&r, &r.kept[i]);
	free(r.kept);
}
