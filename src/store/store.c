/* SPDX-License-Identifier: MIT */
/*
 * store.c - opens and closes stores.
 *
 * Opening, in this order: directory, superblock, lock, segments, memory,
 * index, replay, log, workers. Closing goes the other way. A store that is
 * half open is closed by the same function.
 */
#include "store/store.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/report.h"
#include "store/ingest.h"
#include "store/library.h"
#include "store/maintain.h"
#include "store/replay.h"
#include "store/rounds.h"
#include "store/state.h"
#include "store/trainer.h"

#include <fcntl.h>
#include <stdio.h>

enum {
	COMMIT_SECONDS = 5,
	CACHE_LEN = 64 << 20,
	PREFETCH_THREADS = 4, /* some of them wait for the disk */
	PREFETCH_QUEUE = 256,
};

/* ---- failing ------------------------------------------------------------- */

void store_fail(struct store *s, int err, const char *what)
{
	if (err == -EROFS || atomic_exchange(&s->failed, true))
		return;
	atomic_store(&s->read_only, true);
	report_error("%s: %s; the store is read-only from now on", what,
		     error_text(err));
}

int store_writable(const struct store *s)
{
	return atomic_load(&s->read_only) ? -EROFS : 0;
}

unsigned store_enter(struct store *s)
{
	return grace_enter(&s->grace);
}

void store_leave(struct store *s, unsigned turn)
{
	grace_leave(&s->grace, turn);
}

/* ---- the lock ------------------------------------------------------------ */

/* Nothing in the directory may be changed but the lock's text. */
static bool only_look(const struct store *s)
{
	return s->options.read_only || s->superblock.ro_compat != 0;
}

static int take_lock(struct store *s)
{
	int rc;

	s->lock_fd =
		io_open(s->dir_fd, STORE_LOCK_NAME, O_RDWR | O_CREAT, 0600);
	if (only_look(s) && (s->lock_fd == -EROFS || s->lock_fd == -EACCES))
		s->lock_fd = io_open(s->dir_fd, STORE_LOCK_NAME, O_RDONLY, 0);
	if (s->lock_fd < 0)
		return s->lock_fd;
	rc = io_lock(s->lock_fd);
	return rc == -EAGAIN ? -EWOULDBLOCK : rc;
}

int store_holder(const char *path, char *text, size_t cap)
{
	AUTO_FREE char *name = NULL;
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int rc;

	if (asprintf(&name, "%s/" STORE_LOCK_NAME, path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = io_open(AT_FDCWD, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	rc = io_lock(fd);
	if (rc != -EWOULDBLOCK)
		return rc < 0 ? rc : -ENOENT;
	n = io_pread(fd, text, cap - 1, 0);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	/* Whoever made the store may have put anything there. */
	report_blank(text);
	return 0;
}

int store_describe(struct store *s, const char *text)
{
	int rc = io_ftruncate(s->lock_fd, 0);

	if (rc < 0)
		return rc;
	return io_pwrite(s->lock_fd, text, strlen(text), 0);
}

/* A disk that is full, or read-only, is no reason not to open. */
static void describe_self(struct store *s)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "pid %d", (int)getpid());
	(void)store_describe(s, text);
}

/* ---- opening ------------------------------------------------------------- */

struct store *store_alloc(const struct store_options *options,
			  const struct store_handlers *handlers)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dir_fd = -1;
	s->log_fd = -1;
	s->lock_fd = -1;
	s->options = *options;
	if (s->options.commit_seconds == 0)
		s->options.commit_seconds = COMMIT_SECONDS;
	if (s->options.cache_len == 0)
		s->options.cache_len = CACHE_LEN;
	if (s->options.segment_len == 0)
		s->options.segment_len = SEGMENT_LEN;
	s->handlers = *handlers;
	sync_mutex_init(&s->index_mutex, RANK_INDEX);
	sync_mutex_init(&s->upkeep.lock, RANK_LEAF);
	sync_cond_init(&s->upkeep.free);
	grace_init(&s->grace);
	commit_init(s);
	space_init(s);
	return s;
}

static int read_superblock(struct store *s)
{
	int rc = superblock_read(s->dir_fd, &s->superblock);

	if (rc == 0 && s->superblock.incompat != 0)
		rc = -EOPNOTSUPP;
	return rc;
}

static int open_dir(struct store *s, const char *path)
{
	int rc;

	s->path = realpath(path, NULL);
	if (!s->path)
		return errno == ENOMEM ? -ENOMEM : -ENOENT;
	s->dir_fd = io_open(AT_FDCWD, s->path, O_RDONLY | O_DIRECTORY, 0);
	if (s->dir_fd < 0)
		return s->dir_fd == -ENOTDIR ? -ENOENT : s->dir_fd;
	rc = read_superblock(s);
	if (rc == 0)
		rc = take_lock(s);
	if (rc < 0)
		return rc;
	s->log_fd =
		io_open(s->dir_fd, STORE_LOG_DIR, O_RDONLY | O_DIRECTORY, 0);
	if (s->log_fd == -ENOENT)
		return corrupt("'%s/" STORE_LOG_DIR "' is missing", s->path);
	if (s->log_fd < 0)
		return s->log_fd;
	describe_self(s);
	return 0;
}

int store_make_parts(struct store *s)
{
	int rc = segments_new(s->log_fd, s->superblock.uuid, &s->segments);

	if (rc == 0)
		rc = contexts_new(&s->contexts);
	if (rc == 0)
		rc = cache_new(s->options.cache_len, &s->cache);
	if (rc == 0)
		rc = codebooks_new(&s->codebooks);
	if (rc == 0)
		rc = bank_new(s->codebooks, &s->bank);
	if (rc == 0)
		rc = sketches_new(&s->sketches);
	if (rc == 0)
		rc = txn_init(s);
	return rc;
}

/* Prepares all statements and begins the transaction. */
int store_attach(struct store *s)
{
	struct db *db = s->index.db;
	int rc = bank_attach(s->bank, db);

	if (rc == 0)
		rc = sketches_attach(s->sketches, db);
	if (rc == 0)
		rc = codebooks_attach(s->codebooks, db);
	if (rc == 0 && s->handlers.attach)
		rc = s->handlers.attach(s->handlers.ctx, db);
	return rc == 0 ? db_begin(db) : rc;
}

/* A new index file, ready for a replay. */
static int replace_index(struct store *s)
{
	int rc;

	bank_reset(s->bank);
	rc = index_replace(&s->index, s->handlers.schema);
	return rc == 0 ? store_attach(s) : rc;
}

/*
 * Replays, with `from` into an empty index. Where the log says what cannot be
 * applied the index goes back to its last save; so it is replayed once more, up to
 * there, and shows all that comes before.
 */
static int replay(struct store *s, bool cut, const struct round *from,
		  struct replayed *ret)
{
	struct replay_request request = { .cut = cut, .from = from };
	struct replayed before;
	int rc = replay_run(s, &request, ret);

	/* Without the whole round it is of no use anyway. */
	if (rc < 0 || ret->refused == 0 || ret->unfinished)
		return rc;
	before = *ret;
	request.before = &before;
	if (from)
		rc = replace_index(s);
	return rc == 0 ? replay_run(s, &request, ret) : rc;
}

/* From the newest checkpoint that is whole, else from the first segment. */
static int rebuild(struct store *s, bool cut, struct replayed *ret)
{
	struct round round = { .seq = 0 };
	struct context *x = context_get(s->contexts);
	uint64_t limit = UINT64_MAX;
	int rc;

	if (!x)
		return -ENOMEM;
	while ((rc = rounds_find(s->segments, x, limit, &round)) == 1) {
		rc = replay(s, cut, &round, ret);
		if (rc < 0 || !ret->unfinished)
			break;
		limit = round.end_seq;
		rc = replace_index(s);
		if (rc < 0)
			break;
	}
	s->opened.from_checkpoint = round.seq != 0 && !ret->unfinished;
	if (rc == 0 && !s->opened.from_checkpoint)
		rc = replay(s, cut, NULL, ret);
	context_put(s->contexts, x);
	return rc;
}

/* The log goes on behind an index that is only looked at. */
static int replay_on_copy(struct store *s, struct replayed *ret)
{
	int rc;

	bank_reset(s->bank);
	rc = index_thaw(&s->index);
	if (rc == 0)
		rc = store_attach(s);
	return rc == 0 ? replay(s, false, NULL, ret) : rc;
}

/* Whether a rebuild that was cut short has left the index: it may not even have
 * come to its first save. */
static int is_half_made(struct store *s, const struct index_meta *m, bool *ret)
{
	struct round round = { .seq = 0 };
	struct context *x;
	int rc;

	*ret = m->rebuilding != 0;
	if (*ret || m->segment != 0)
		return 0;
	x = context_get(s->contexts);
	if (!x)
		return -ENOMEM;
	rc = rounds_find(s->segments, x, UINT64_MAX, &round);
	context_put(s->contexts, x);
	*ret = rc == 1;
	return rc < 0 ? rc : 0;
}

/* Replays; an index that turns out damaged, or not of this log, is replaced,
 * once. */
static int catch_up(struct store *s, bool new, struct replayed *ret)
{
	bool cut = !only_look(s);
	bool useless = s->options.rebuild; /* whatever is in it */
	struct index_meta m;
	int rc = store_attach(s);

	if (rc == 0)
		rc = index_load(&s->index, &m);
	if (rc == 0 && !useless)
		rc = is_half_made(s, &m, &useless);
	if (rc == 0 && !new && !useless) {
		rc = replay(s, cut, NULL, ret);
		if (rc == -EROFS && s->index.frozen)
			rc = replay_on_copy(s, ret);
		if (!ret->foreign &&
		    (rc != -EUCLEAN || !db_damaged(s->index.db)))
			return rc;
		rc = 0;
	}
	/* Replacing it also forgets what an earlier attempt has left. */
	if (rc == 0 && !new) {
		rc = replace_index(s);
		s->opened.rebuilt = true;
	}
	return rc == 0 ? rebuild(s, cut, ret) : rc;
}

static void note_opened(struct store *s, const struct replayed *r, bool new)
{
	s->opened.rebuilt = (s->opened.rebuilt || new) && r->any;
	s->opened.replayed = r->applied && !s->opened.rebuilt;
	s->opened.damage = r->damage;
	if (r->damage)
		s->opened.read_only = r->damage;
	else if (s->superblock.ro_compat != 0)
		s->opened.read_only = "it has features that only a newer "
				      "version may write";
	else if (s->options.read_only)
		s->opened.read_only = "it was asked for";
	atomic_store(&s->read_only, s->opened.read_only != NULL);
}

static int open_log(struct store *s, const struct replayed *r)
{
	struct log_start start = {
		.epoch = r->epoch + 1,
		.next_seq = r->last_seq + 1,
		.next_segment = r->last_segment + 1,
		.last_commit = r->last_commit,
		.checkpoint = s->kept.end,
		.segment_len = s->options.segment_len,
		.make_room = space_make_room,
		.ctx = s,
	};

	if (s->opened.read_only)
		return 0;
	memcpy(start.uuid, s->superblock.uuid, sizeof(start.uuid));
	s->epoch = start.epoch;
	space_make_reserve(s);
	return log_new(s->segments, &start, &s->log);
}

static int open_index(struct store *s)
{
	struct replayed r = { .damage = NULL };
	bool new = false;
	int rc;

	index_lock(s);
	rc = only_look(s)
		     ? index_view(&s->index, s->path, s->handlers.schema, &new)
		     : index_open(&s->index, s->path, s->handlers.schema, &new);
	if (rc == 0)
		rc = catch_up(s, new, &r);
	if (rc == 0) {
		note_opened(s, &r, new);
		atomic_store(&s->index_len, db_file_len(s->index.db) +
						    db_wal_len(s->index.db));
		rc = open_log(s, &r);
	}
	index_unlock(s);
	return rc;
}

static int open_all(struct store *s, const char *path)
{
	int rc = open_dir(s, path);

	if (rc == 0)
		rc = store_make_parts(s);
	if (rc == 0)
		rc = open_index(s);
	if (rc == 0 && s->log)
		rc = trainer_new(s, &s->trainer);
	if (rc == 0)
		rc = ingest_start(s);
	if (rc == 0)
		rc = workers_new("readahead", PREFETCH_THREADS, PREFETCH_QUEUE,
				 &s->prefetchers);
	return rc;
}

/* ---- closing ------------------------------------------------------------- */

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)io_close(fd);
}

void store_free(struct store *s)
{
	ingest_end(s);
	trainer_free(s->trainer);
	workers_free(s->prefetchers);
	housekeeping_free(s);
	index_close(&s->index);
	log_free(s->log);
	cache_free(s->cache);
	bank_free(s->bank);
	sketches_free(s->sketches);
	codebooks_free(s->codebooks);
	txn_release(s);
	contexts_free(s->contexts);
	segments_free(s->segments);
	salvage_free(s->salvage);
	space_release(s);
	commit_release(s);
	grace_release(&s->grace);
	sync_cond_release(&s->upkeep.free);
	sync_mutex_release(&s->upkeep.lock);
	sync_mutex_release(&s->index_mutex);
	close_fd(s->log_fd);
	close_fd(s->lock_fd);
	close_fd(s->dir_fd);
	free(s->path);
	free(s);
}

int store_open(const char *path, const struct store_options *options,
	       const struct store_handlers *handlers, struct store **ret)
{
	struct store *s = store_alloc(options, handlers);
	int rc;

	*ret = s;
	if (!s)
		return -ENOMEM;
	rc = open_all(s, path);
	if (rc < 0) {
		store_free(s);
		*ret = NULL;
	}
	return rc;
}

const struct store_opened *store_opened(const struct store *s)
{
	return &s->opened;
}

int store_dir_fd(const struct store *s)
{
	return s->dir_fd;
}

uint64_t store_seed(const struct store *s)
{
	return hash64(span_of(s->superblock.uuid, SUPERBLOCK_UUID_LEN), 0);
}

/* Everything into log and index; the log's last segment sealed. */
static int settle(struct store *s)
{
	int rc;

	if (atomic_load(&s->failed))
		return -EIO;
	if (!s->log)
		return 0;
	rc = index_commit(s);
	if (rc == 0)
		rc = library_retire(s);
	if (rc > 0)
		rc = index_commit(s);
	if (rc == 0)
		rc = log_seal(s->log);
	if (rc < 0)
		return rc;
	index_lock(s);
	rc = index_end(s);
	index_unlock(s);
	if (rc == 0)
		space_drop_reserve(s);
	return rc;
}

int store_close(struct store *s)
{
	int rc;

	/* First those who give work to the others. */
	maintain_end(s);
	clean_end(s);
	housekeeping_end(s);
	ingest_drain(s);
	trainer_free(s->trainer);
	s->trainer = NULL;
	workers_free(s->prefetchers);
	s->prefetchers = NULL;
	rc = settle(s);
	store_free(s);
	return rc;
}
