/* SPDX-License-Identifier: MIT */
/*
 * sources.c - files, the headers in them, and which records are whose.
 */
#include "store/sources.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

void sources_init(struct sources *s)
{
	*s = (struct sources){ .n_files = 0 };
	idmap_init(&s->by_piece);
}

void sources_release(struct sources *s)
{
	size_t i;

	for (i = 0; i < s->n_files; i++)
		free(s->files[i].path);
	free(s->files);
	free(s->heads);
	free(s->keys);
	free(s->pieces);
	idmap_release(&s->by_piece);
	sources_init(s);
}

/* Room for one more item of `size` bytes. */
static int grow(void **items, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? 2 * *cap : 64;
	void *wider;

	if (n < *cap)
		return 0;
	if (n >= SOURCES_MAX)
		return -EFBIG;
	wider = realloc(*items, want * size);
	if (!wider)
		return -ENOMEM;
	*items = wider;
	*cap = want;
	return 0;
}

/* ---- files ------------------------------------------------------------------ */

int sources_open_file(const struct sources *s, size_t file)
{
	return io_open(AT_FDCWD, s->files[file].path, O_RDONLY, 0);
}

/* Only what can be read here and there has records at places. */
static int measure(const char *path, uint64_t *ret)
{
	AUTO_CLOSE int fd = io_open(AT_FDCWD, path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return -ESPIPE;
	return io_size(fd, ret);
}

int sources_add(struct sources *s, const char *path, bool is_segment)
{
	struct source_file file = { .is_segment = is_segment };
	void *files = s->files;
	int rc;

	file.path = realpath(path, NULL);
	if (!file.path)
		return -errno;
	rc = measure(file.path, &file.size);
	if (rc == 0)
		rc = grow(&files, &s->cap_files, s->n_files, sizeof(*s->files));
	s->files = files;
	if (rc < 0) {
		free(file.path);
		return rc;
	}
	s->files[s->n_files++] = file;
	return 0;
}

struct listing {
	struct sources *s;
	const char *dir;
};

static int add_named(void *ctx, const char *name)
{
	const struct listing *l = ctx;
	AUTO_FREE char *path = NULL;
	size_t len = strlen(name);
	int rc;

	if (len < 4 || strcmp(name + len - 4, ".seg") != 0)
		return 0;
	if (asprintf(&path, "%s/%s", l->dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	rc = sources_add(l->s, path, true);
	/* What is no file is no segment. */
	return rc == -EISDIR || rc == -ESPIPE || rc == -EUCLEAN ? 0 : rc;
}

int sources_add_dir(struct sources *s, const char *dir)
{
	AUTO_FREE char *log = NULL;
	AUTO_CLOSE int fd = -1;
	struct listing l = { s, dir };

	if (asprintf(&log, "%s/log", dir) < 0) {
		log = NULL;
		return -ENOMEM;
	}
	fd = io_open(AT_FDCWD, log, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0)
		l.dir = log;
	else
		fd = io_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? fd : io_list(fd, add_named, &l);
}

/* ---- headers ---------------------------------------------------------------- */

static int add_head(struct sources *s, size_t file,
		    const struct segment_header *h)
{
	void *heads = s->heads;
	int rc = grow(&heads, &s->cap_heads, s->n_heads, sizeof(*s->heads));

	s->heads = heads;
	if (rc == 0)
		s->heads[s->n_heads++] =
			(struct source_head){ *h, (uint32_t)file };
	return rc;
}

/* Everything that is told of bytes read. */
struct finding {
	sources_progress *progress;
	void *ctx;
	uint64_t done;
	uint64_t total;
};

static void tell(const struct finding *f, uint64_t more)
{
	if (f->progress)
		f->progress(f->ctx, f->done + more, f->total);
}

static int find_front(struct sources *s, size_t file, struct carve *c)
{
	struct segment_header header;
	bool mended;
	int rc = carve_front_head(c, &header, &mended);

	if (rc < 1)
		return rc;
	s->files[file].has_head = true;
	s->files[file].mended = mended;
	return add_head(s, file, &header);
}

static int find_all(struct sources *s, size_t file, struct carve *c,
		    const struct finding *f)
{
	struct segment_header header;
	uint64_t off;
	int rc;

	while ((rc = carve_next_head(c, &header, &off)) == 1) {
		rc = add_head(s, file, &header);
		if (rc < 0)
			break;
		tell(f, off);
	}
	return rc;
}

static int find_in(struct sources *s, size_t file, struct finding *f)
{
	struct source_file *src = &s->files[file];
	AUTO_CLOSE int fd = sources_open_file(s, file);
	struct carve c;
	int rc;

	if (fd < 0)
		return fd;
	carve_init(&c, fd, src->size);
	rc = src->is_segment ? find_front(s, file, &c)
			     : find_all(s, file, &c, f);
	carve_release(&c);
	f->done += src->size;
	tell(f, 0);
	return rc;
}

static int by_uuid(const void *a, const void *b)
{
	const struct source_head *left = a;
	const struct source_head *right = b;

	return memcmp(left->header.uuid, right->header.uuid, SEGMENT_UUID_LEN);
}

static int by_first(const void *a, const void *b)
{
	const struct segment_header *l =
		&((const struct source_head *)a)->header;
	const struct segment_header *r =
		&((const struct source_head *)b)->header;

	if (l->epoch != r->epoch)
		return l->epoch < r->epoch ? -1 : 1;
	if (l->first_seq != r->first_seq)
		return l->first_seq < r->first_seq ? -1 : 1;
	return (l->number > r->number) - (l->number < r->number);
}

/* Keeps the heads of the store that most are of. */
static void choose_store(struct sources *s)
{
	size_t best = 0;
	size_t best_n = 0;
	size_t begin = 0;
	size_t i;

	qsort(s->heads, s->n_heads, sizeof(*s->heads), by_uuid);
	for (i = 1; i <= s->n_heads; i++) {
		if (i < s->n_heads &&
		    by_uuid(&s->heads[begin], &s->heads[i]) == 0)
			continue;
		if (i - begin > best_n) {
			best = begin;
			best_n = i - begin;
		}
		begin = i;
	}
	memcpy(s->uuid, s->heads[best].header.uuid, SEGMENT_UUID_LEN);
	memmove(s->heads, s->heads + best, best_n * sizeof(*s->heads));
	s->n_foreign = s->n_heads - best_n;
	s->n_heads = best_n;
}

static int make_keys(struct sources *s)
{
	size_t i;

	qsort(s->heads, s->n_heads, sizeof(*s->heads), by_first);
	s->keys = calloc(s->n_heads, sizeof(*s->keys));
	if (!s->keys)
		return -ENOMEM;
	for (i = 0; i < s->n_heads; i++) {
		const struct segment_header *h = &s->heads[i].header;

		s->keys[i] =
			(struct carve_key){ h->epoch, h->first_seq, h->secret };
	}
	return 0;
}

int sources_find(struct sources *s, sources_progress *progress, void *ctx)
{
	struct finding f = { progress, ctx, 0, 0 };
	size_t i;
	int rc = 0;

	for (i = 0; i < s->n_files; i++)
		f.total += s->files[i].size;
	for (i = 0; rc == 0 && i < s->n_files; i++)
		rc = find_in(s, i, &f);
	if (rc < 0)
		return rc;
	if (s->n_heads == 0)
		return -ENOENT;
	choose_store(s);
	return make_keys(s);
}

/* ---- pieces ----------------------------------------------------------------- */

int sources_piece(struct sources *s, size_t file, const struct carved *r,
		  uint64_t *ret)
{
	uint64_t base = r->off % RECORD_ALIGN;
	uint64_t key = (file * SOURCES_MAX + r->key) * RECORD_ALIGN + base + 1;
	const uint64_t *there = idmap_find(&s->by_piece, key);
	void *pieces = s->pieces;
	int rc;

	if (there) {
		*ret = *there;
		return 0;
	}
	rc = grow(&pieces, &s->cap_pieces, s->n_pieces, sizeof(*s->pieces));
	s->pieces = pieces;
	if (rc == 0)
		rc = idmap_set(&s->by_piece, key, s->n_pieces + 1);
	if (rc < 0)
		return rc;
	s->pieces[s->n_pieces++] =
		(struct source_piece){ (uint32_t)file, (uint32_t)r->key, base };
	*ret = s->n_pieces;
	return 0;
}

int sources_open(void *ctx, uint64_t number, struct segment *ret)
{
	const struct sources *s = ctx;
	const struct source_piece *piece;

	if (number == 0 || number > s->n_pieces)
		return -ENOENT;
	piece = &s->pieces[number - 1];
	ret->fd = sources_open_file(s, piece->file);
	if (ret->fd < 0)
		return ret->fd;
	ret->header = s->heads[piece->head].header;
	ret->header.number = number;
	ret->base = piece->base;
	return 0;
}
