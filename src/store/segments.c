/* SPDX-License-Identifier: MIT */
/*
 * segments.c - a table of open segment files under a leaf lock.
 *
 * Files are opened outside the lock; of two threads that open the same one,
 * the later throws its descriptor away.
 */
#include "store/segments.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/idmap.h"
#include "base/io.h"
#include "base/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

enum {
	OPEN_MAX_SEGMENTS = 128,
	SPARE_FILES = 8, /* descriptors for others: the control socket, ... */
};

/* In the place of a descriptor. */
enum { DIRECT_UNTRIED = -1, DIRECT_REFUSED = -2 };

struct segments {
	struct sync_mutex lock;
	struct idmap open GUARDED_BY(lock); /* number -> struct segment * */
	uint64_t clock GUARDED_BY(lock);
	uint64_t n_removed GUARDED_BY(lock); /* files, ever */
	int log_fd;                          /* immutable */
	uint8_t uuid[SEGMENT_UUID_LEN];      /* immutable */
	rlim_t n_files;                      /* immutable; RLIMIT_NOFILE */
	segments_opener *opener;             /* immutable; NULL: open_named() */
	void *opener_ctx;
};

int segments_new(int log_fd, const uint8_t uuid[SEGMENT_UUID_LEN],
		 struct segments **ret)
{
	struct segments *t = calloc(1, sizeof(*t));
	struct rlimit limit;

	if (!t)
		return -ENOMEM;
	sync_mutex_init(&t->lock, RANK_SEGMENTS);
	idmap_init(&t->open);
	t->log_fd = log_fd;
	memcpy(t->uuid, uuid, SEGMENT_UUID_LEN);
	t->n_files = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur
							   : RLIM_INFINITY;
	*ret = t;
	return 0;
}

void segments_open_by(struct segments *t, segments_opener *open, void *ctx)
{
	t->opener = open;
	t->opener_ctx = ctx;
}

static void segment_free(struct segment *s)
{
	int direct_fd = atomic_load(&s->direct_fd);

	if (direct_fd >= 0)
		(void)io_close(direct_fd);
	(void)io_close(s->fd);
	free(s);
}

void segments_free(struct segments *t)
{
	struct idmap_slot slot;
	size_t cursor = 0;

	if (!t)
		return;
	while (idmap_next(&t->open, &cursor, &slot))
		segment_free((struct segment *)(uintptr_t)slot.value);
	idmap_release(&t->open);
	sync_mutex_release(&t->lock);
	free(t);
}

/* Closes the one that was unused for longest; false: all are in use. */
static bool evict_locked(struct segments *t) REQUIRES(t->lock)
{
	struct segment *oldest = NULL;
	struct idmap_slot slot;
	size_t cursor = 0;

	while (idmap_next(&t->open, &cursor, &slot)) {
		struct segment *s = (struct segment *)(uintptr_t)slot.value;

		if (s->n_refs == 0 && (!oldest || s->used < oldest->used))
			oldest = s;
	}
	if (!oldest)
		return false;
	(void)idmap_del(&t->open, oldest->header.number);
	segment_free(oldest);
	return true;
}

static bool evict(struct segments *t)
{
	bool done;

	sync_lock(&t->lock);
	done = evict_locked(t);
	sync_unlock(&t->lock);
	return done;
}

/* A file of the log. When the process or the system has no descriptor left, or few,
 * segments that nobody uses give theirs. */
static int open_file(struct segments *t, const char *name, int flags)
{
	int fd;

	do
		fd = io_open(t->log_fd, name, flags, 0600);
	while ((fd == -EMFILE || fd == -ENFILE) && evict(t));
	/* The lowest free number is given out first. */
	if (fd >= 0 && (rlim_t)fd + SPARE_FILES >= t->n_files)
		(void)evict(t);
	return fd;
}

static struct segment *find_locked(struct segments *t, uint64_t number)
	REQUIRES(t->lock)
{
	struct segment *s = idmap_ptr(&t->open, number);

	if (s) {
		s->n_refs++;
		s->used = ++t->clock;
	}
	return s;
}

/* Takes ownership of the descriptor also on failure. */
static struct segment *segment_new(const struct segment *like)
{
	struct segment *s = malloc(sizeof(*s));

	if (!s) {
		(void)io_close(like->fd);
		return NULL;
	}
	*s = *like;
	s->n_refs = 1;
	atomic_init(&s->direct_fd, DIRECT_UNTRIED);
	return s;
}

/* Enters one that nobody else has entered. */
static int enter_locked(struct segments *t, struct segment *s) REQUIRES(t->lock)
{
	if (t->open.n_used >= OPEN_MAX_SEGMENTS)
		(void)evict_locked(t);
	s->used = ++t->clock;
	return idmap_set(&t->open, s->header.number, (uintptr_t)s);
}

/* Takes ownership of the descriptor also on failure. -EAGAIN: files have been removed
 * since `n_removed` were gone, maybe this one. */
static int adopt(struct segments *t, const struct segment *like,
		 uint64_t n_removed, struct segment **ret)
{
	struct segment *s = segment_new(like);
	struct segment *old;
	int rc = 0;

	if (!s)
		return -ENOMEM;
	sync_lock(&t->lock);
	old = find_locked(t, like->header.number);
	if (!old)
		rc = t->n_removed == n_removed ? enter_locked(t, s) : -EAGAIN;
	sync_unlock(&t->lock);
	if (rc == 0)
		*ret = old ? old : s;
	if (rc < 0 || old)
		segment_free(s);
	return rc;
}

/* Nobody finds it any more; the last who holds it closes it. NULL: there is one,
 * or there is nothing to close. */
static struct segment *expel_locked(struct segments *t, uint64_t number)
	REQUIRES(t->lock)
{
	struct segment *s = idmap_ptr(&t->open, number);

	if (!s)
		return NULL;
	(void)idmap_del(&t->open, number);
	s->removed = true;
	return s->n_refs == 0 ? s : NULL;
}

/* As adopt(), for a file that was just made: who was quick to open it, to read,
 * has one of his own. */
static int adopt_new(struct segments *t, int fd, const struct segment_header *h,
		     struct segment **ret)
{
	struct segment *s =
		segment_new(&(struct segment){ .header = *h, .fd = fd });
	struct segment *old;
	int rc;

	if (!s)
		return -ENOMEM;
	sync_lock(&t->lock);
	old = expel_locked(t, h->number);
	rc = enter_locked(t, s);
	sync_unlock(&t->lock);
	if (old)
		segment_free(old);
	if (rc < 0)
		segment_free(s);
	else
		*ret = s;
	return rc;
}

static int read_header(struct segments *t, int fd, uint64_t number,
		       struct segment_header *ret)
{
	uint8_t bytes[SEGMENT_HEADER_LEN];
	ssize_t n = io_pread(fd, bytes, sizeof(bytes), 0);
	int rc;

	if (n < 0)
		return (int)n;
	rc = segment_header_get(span_of(bytes, (size_t)n), ret);
	if (rc < 0)
		return rc;
	if (ret->number != number ||
	    memcmp(ret->uuid, t->uuid, SEGMENT_UUID_LEN) != 0)
		return corrupt("segment %llu: it belongs elsewhere",
			       (unsigned long long)number);
	return 0;
}

static int open_named(struct segments *t, uint64_t number, struct segment *ret)
{
	char name[SEGMENT_NAME_LEN + 1];
	AUTO_CLOSE int fd = -1;
	int rc;

	segment_name(number, name);
	fd = open_file(t, name, O_RDONLY);
	if (fd < 0)
		return fd;
	rc = read_header(t, fd, number, &ret->header);
	if (rc == 0)
		ret->fd = steal_fd(&fd);
	return rc;
}

static int open_segment(struct segments *t, uint64_t number,
			struct segment **ret)
{
	struct segment new = { .base = 0 };
	uint64_t n_removed;
	struct segment *s;
	int rc;

	sync_lock(&t->lock);
	s = find_locked(t, number);
	n_removed = t->n_removed;
	sync_unlock(&t->lock);
	if (s) {
		*ret = s;
		return 0;
	}
	rc = t->opener ? t->opener(t->opener_ctx, number, &new)
		       : open_named(t, number, &new);
	if (rc < 0)
		return rc;
	/* Frames lie here and there, and ahead.c reads whole runs. */
	io_random_reads(new.fd);
	return adopt(t, &new, n_removed, ret);
}

int segments_get(struct segments *t, uint64_t number, struct segment **ret)
{
	int rc;

	do {
		rc = open_segment(t, number, ret);
	} while (rc == -EAGAIN);
	return rc;
}

void segments_put(struct segments *t, struct segment *s)
{
	bool last;

	if (!s)
		return;
	sync_lock(&t->lock);
	last = --s->n_refs == 0 && s->removed;
	sync_unlock(&t->lock);
	if (last)
		segment_free(s);
}

void segments_ref(struct segments *t, struct segment *s)
{
	sync_lock(&t->lock);
	s->n_refs++;
	sync_unlock(&t->lock);
}

/* The descriptor, opened at the first use; of two threads that do so, the later
 * throws its own away. */
static int direct_fd_of(struct segments *t, struct segment *s)
{
	char name[SEGMENT_NAME_LEN + 1];
	int fd = atomic_load(&s->direct_fd);
	int opened;

	if (fd != DIRECT_UNTRIED)
		return fd;
	segment_name(s->header.number, name);
	opened = open_file(t, name, O_RDONLY | O_DIRECT);
	if (opened < 0)
		opened = DIRECT_REFUSED;
	if (atomic_compare_exchange_strong(&s->direct_fd, &fd, opened))
		return opened;
	if (opened >= 0)
		(void)io_close(opened);
	return fd;
}

ssize_t segments_read_past(struct segments *t, struct segment *s, void *dst,
			   size_t len, uint64_t off)
{
	int fd = direct_fd_of(t, s);

	return fd >= 0 ? io_pread_direct(fd, dst, len, off) : -EINVAL;
}

static int write_header(struct segments *t, int fd,
			const struct segment_header *h)
{
	uint8_t bytes[SEGMENT_HEADER_LEN];
	int rc;

	segment_header_put(h, bytes);
	rc = io_pwrite(fd, bytes, sizeof(bytes), 0);
	if (rc == 0)
		rc = io_fsync(fd);
	if (rc == 0)
		rc = io_fsync(t->log_fd);
	return rc;
}

int segments_create(struct segments *t, const struct segment_header *h,
		    struct segment **ret)
{
	char name[SEGMENT_NAME_LEN + 1];
	AUTO_CLOSE int fd = -1;
	int rc;

	segment_name(h->number, name);
	fd = open_file(t, name, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	rc = write_header(t, fd, h);
	if (rc < 0) {
		(void)io_unlink(t->log_fd, name);
		return rc;
	}
	return adopt_new(t, steal_fd(&fd), h, ret);
}

int segments_cut(struct segments *t, uint64_t number, uint64_t len)
{
	char name[SEGMENT_NAME_LEN + 1];
	AUTO_CLOSE int fd = -1;
	int rc;

	segment_name(number, name);
	fd = open_file(t, name, O_RDWR);
	if (fd < 0)
		return fd;
	rc = io_ftruncate(fd, len);
	return rc < 0 ? rc : io_fsync(fd);
}

static void forget(struct segments *t, uint64_t number)
{
	struct segment *s;

	sync_lock(&t->lock);
	t->n_removed++;
	s = expel_locked(t, number);
	sync_unlock(&t->lock);
	if (s)
		segment_free(s);
}

int segments_remove_all(struct segments *t, const uint64_t *numbers, size_t n)
{
	char name[SEGMENT_NAME_LEN + 1];
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		segment_name(numbers[i], name);
		rc = io_unlink(t->log_fd, name);
		if (rc == -ENOENT)
			rc = 0;
		if (rc == 0)
			forget(t, numbers[i]);
	}
	return rc < 0 || n == 0 ? rc : io_fsync(t->log_fd);
}

int segments_remove(struct segments *t, uint64_t number)
{
	return segments_remove_all(t, &number, 1);
}

int segments_size(struct segments *t, uint64_t number, uint64_t *ret)
{
	char name[SEGMENT_NAME_LEN + 1];
	AUTO_CLOSE int fd = -1;

	segment_name(number, name);
	fd = open_file(t, name, O_RDONLY);
	return fd < 0 ? fd : io_size(fd, ret);
}

typedef int number_fn(struct segments *t, void *ctx, uint64_t number);

struct walk {
	struct segments *t;
	number_fn *fn;
	void *ctx;
};

static int take_name(void *ctx, const char *name)
{
	uint64_t number = segment_number(name);
	struct walk *w = ctx;

	return number != 0 ? w->fn(w->t, w->ctx, number) : 0;
}

/* Calls `fn` for every segment file, in no order. */
static int each_number(struct segments *t, number_fn *fn, void *ctx)
{
	struct walk w = { t, fn, ctx };

	return io_list(t->log_fd, take_name, &w);
}

struct range {
	uint64_t first;
	uint64_t last;
};

static int widen(struct segments *t, void *ctx, uint64_t number)
{
	struct range *r = ctx;

	(void)t;
	if (r->first == 0 || number < r->first)
		r->first = number;
	r->last = max_u64(r->last, number);
	return 0;
}

int segments_range(struct segments *t, uint64_t *ret_first, uint64_t *ret_last)
{
	struct range r = { 0, 0 };
	int rc = each_number(t, widen, &r);

	if (rc < 0)
		return rc;
	*ret_first = r.first;
	*ret_last = r.last;
	return 0;
}

struct list {
	struct segment_file *files; /* owned */
	size_t n;
	size_t cap;
};

static int add_file(struct segments *t, void *ctx, uint64_t number)
{
	struct list *l = ctx;
	uint64_t len = 0;
	int rc = segments_size(t, number, &len);

	/* It has just been removed. */
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct segment_file *files =
			realloc(l->files, cap * sizeof(*files));

		if (!files)
			return -ENOMEM;
		l->files = files;
		l->cap = cap;
	}
	l->files[l->n++] = (struct segment_file){ number, len };
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct segment_file *left = a;
	const struct segment_file *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

int segments_list(struct segments *t, struct segment_file **ret, size_t *ret_n)
{
	struct list l = { NULL, 0, 0 };
	int rc = each_number(t, add_file, &l);

	if (rc < 0) {
		free(l.files);
		return rc;
	}
	if (l.n > 0)
		qsort(l.files, l.n, sizeof(*l.files), by_number);
	*ret = l.files;
	*ret_n = l.n;
	return 0;
}

struct below {
	uint64_t number;
	uint64_t n;
	uint64_t len;
};

static int add_below(struct segments *t, void *ctx, uint64_t number)
{
	struct below *b = ctx;
	uint64_t len = 0;
	int rc = 0;

	if (number >= b->number)
		return 0;
	rc = segments_size(t, number, &len);
	if (rc == -ENOENT) /* it has just been removed */
		return 0;
	b->n++;
	b->len += len;
	return rc;
}

int segments_below(struct segments *t, uint64_t number, uint64_t *ret_n,
		   uint64_t *ret_len)
{
	struct below b = { .number = number };
	int rc = each_number(t, add_below, &b);

	if (rc < 0)
		return rc;
	*ret_n = b.n;
	*ret_len = b.len;
	return 0;
}

struct search {
	uint64_t than;
	bool above;
	uint64_t found;
};

static int search_one(struct segments *t, void *ctx, uint64_t number)
{
	struct search *s = ctx;
	bool closer = s->above ? number > s->than &&
					 (s->found == 0 || number < s->found)
			       : number < s->than && number > s->found;

	(void)t;
	if (closer)
		s->found = number;
	return 0;
}

/* The closest number above or below; 0: none. */
static int find_closest(struct segments *t, uint64_t than, bool above,
			uint64_t *ret)
{
	struct search s = { than, above, 0 };
	int rc = each_number(t, search_one, &s);

	if (rc < 0)
		return rc;
	*ret = s.found;
	return 0;
}

int segments_next(struct segments *t, uint64_t after, uint64_t *ret)
{
	return find_closest(t, after, true, ret);
}

int segments_before(struct segments *t, uint64_t number, uint64_t *ret)
{
	return find_closest(t, number, false, ret);
}
