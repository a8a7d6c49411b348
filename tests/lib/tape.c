/* SPDX-License-Identifier: MIT */
/*
 * tape.c - records what is done to the files of a store.
 *
 * Files are known by a number that stays when a name changes. A write is
 * recorded when it has ended, so a sync covers what was on the tape when it
 * began.
 */
#include "lib/tape.h"

#include "lib/tape_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FDS = 4096,
	COMMIT_LEN = 80, /* of the record: header and payload */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tape tape;
static bool recording;
static enum tape_lie lie;
static char root[TAPE_PATH];

/* What is open, and under what names files are known. */
static int fd_files[FDS];                     /* number + 1; 0: not ours */
static char fd_dirs[FDS][TAPE_PATH / 4];      /* path below the root + "/" */
static char names[TAPE_FILES][TAPE_PATH / 4]; /* "": no name */

const struct tape *tape_get(void)
{
	return &tape;
}

void tape_free(void)
{
	for (size_t i = 0; i < tape.n; i++)
		free(tape.events[i].bytes);
	free(tape.events);
	tape = (struct tape){ 0 };
	recording = false;
}

void tape_begin(const char *path, enum tape_lie how)
{
	tape_free();
	memset(fd_files, 0, sizeof(fd_files));
	memset(fd_dirs, 0, sizeof(fd_dirs));
	memset(names, 0, sizeof(names));
	(void)snprintf(root, sizeof(root), "%s", path);
	lie = how;
	recording = true;
}

void tape_pause(void)
{
	recording = false;
}

static struct tape_event *add(enum tape_kind kind)
{
	struct tape_event *e;

	if (tape.n == tape.cap) {
		tape.cap = tape.cap * 2 + 64;
		tape.events =
			realloc(tape.events, tape.cap * sizeof(*tape.events));
		if (!tape.events)
			abort();
	}
	e = &tape.events[tape.n++];
	*e = (struct tape_event){ .kind = kind, .file = -1 };
	return e;
}

size_t tape_here(void)
{
	size_t n;

	(void)pthread_mutex_lock(&lock);
	n = tape.n;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

size_t tape_next_answer(size_t at)
{
	for (size_t i = at; i < tape.n; i++)
		if (tape.events[i].kind == TAPE_ANSWERED)
			return i + 1;
	return at;
}

static void mark(enum tape_kind kind, uint64_t n)
{
	(void)pthread_mutex_lock(&lock);
	if (recording)
		add(kind)->off = n;
	(void)pthread_mutex_unlock(&lock);
}

void tape_begun(uint64_t n)
{
	mark(TAPE_BEGUN, n);
}

void tape_answered(uint64_t n)
{
	mark(TAPE_ANSWERED, n);
}

/* ---- names -------------------------------------------------------------------- */

/* The part of `path` below the root; NULL when it is elsewhere. */
static const char *below(const char *path)
{
	size_t len = strlen(root);

	if (!recording || strncmp(path, root, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return "";
	return path[len] == '/' ? path + len + 1 : NULL;
}

static bool path_of_fd(int fd, char *path)
{
	char link[40];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, TAPE_PATH - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return true;
}

static void path_at(int dirfd, const char *name, char *path)
{
	char dir[TAPE_PATH];

	if (name[0] == '/' || dirfd == AT_FDCWD || !path_of_fd(dirfd, dir))
		(void)snprintf(path, TAPE_PATH, "%s", name);
	else
		(void)snprintf(path, TAPE_PATH, "%.250s/%.250s", dir, name);
}

static int find(const char *name)
{
	for (int i = 0; i < tape.n_files; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static void put_path(char *dst, const char *path)
{
	if (strlen(path) >= TAPE_PATH / 4)
		abort();
	memcpy(dst, path, strlen(path) + 1);
}

/* The file of a name, made when it is new. */
static int file_of(const char *name)
{
	int file = find(name);

	if (file >= 0)
		return file;
	if (tape.n_files == TAPE_FILES)
		abort();
	file = tape.n_files++;
	put_path(names[file], name);
	put_path(add(TAPE_CREATE)->path, name);
	tape.events[tape.n - 1].file = file;
	return file;
}

static bool is_log(int file)
{
	return strncmp(names[file], "log/", 4) == 0;
}

/* ---- recording, the lock held ---------------------------------------------------- */

static void add_write(int file, const void *buf, size_t len, uint64_t off)
{
	struct tape_event *e = add(TAPE_WRITE);
	const uint8_t *p = buf;
	size_t i = 0;

	e->file = file;
	e->off = off;
	e->len = len;
	while (i < len && p[i] == 0)
		i++;
	if (i == len)
		return; /* zeros need no memory */
	e->bytes = malloc(len);
	if (!e->bytes)
		abort();
	memcpy(e->bytes, buf, len);
}

/* Where a disk that lies cuts a write: before the COMMIT at its end. */
static void record_write(int file, const void *buf, size_t len, uint64_t off)
{
	size_t head = 0;

	if (lie == TAPE_COMMIT_ONLY && is_log(file) && len > COMMIT_LEN)
		head = len - COMMIT_LEN;
	if (head > 0)
		add_write(file, buf, head, off);
	add_write(file, (const uint8_t *)buf + head, len - head, off + head);
}

/* The newest write to `file` before event `upto`, zeros apart. */
static size_t newest_write(int file, size_t upto)
{
	for (size_t i = upto; i > 0; i--) {
		const struct tape_event *e = &tape.events[i - 1];

		if (e->kind == TAPE_WRITE && e->file == file && e->bytes)
			return i - 1;
	}
	return 0;
}

static void record_sync(int file, size_t upto)
{
	struct tape_event *e;
	uint64_t from = 0;

	if (lie == TAPE_NO_SYNC && is_log(file))
		return;
	if (lie == TAPE_COMMIT_ONLY && is_log(file))
		from = newest_write(file, upto);
	e = add(TAPE_SYNC);
	e->file = file;
	e->off = upto;
	e->from = from;
}

static void record_cut(int file, uint64_t len)
{
	struct tape_event *e = add(TAPE_CUT);

	e->file = file;
	e->off = len;
}

static void record_unlink(const char *name)
{
	int file = find(name);

	if (file < 0)
		return;
	put_path(add(TAPE_UNLINK)->path, name);
	names[file][0] = '\0';
}

/* ---- by descriptor ----------------------------------------------------------------- */

static int file_of_fd(int fd)
{
	return fd >= 0 && fd < FDS ? fd_files[fd] - 1 : -1;
}

void tape_opened_fd(int fd, bool may_create)
{
	char path[TAPE_PATH];
	const char *name;
	int flags;

	(void)pthread_mutex_lock(&lock);
	if (recording && fd < FDS && path_of_fd(fd, path)) {
		fd_files[fd] = 0;
		fd_dirs[fd][0] = '\0';
		name = below(path);
		flags = fcntl(fd, F_GETFL);
		if (name && (flags & O_DIRECTORY))
			(void)snprintf(fd_dirs[fd], sizeof(fd_dirs[fd]),
				       "%.60s/", name);
		else if (name && (may_create || find(name) >= 0))
			fd_files[fd] = file_of(name) + 1;
	}
	(void)pthread_mutex_unlock(&lock);
}

void tape_wrote_fd(int fd, const void *buf, size_t len, uint64_t off)
{
	(void)pthread_mutex_lock(&lock);
	if (recording && file_of_fd(fd) >= 0)
		record_write(file_of_fd(fd), buf, len, off);
	(void)pthread_mutex_unlock(&lock);
}

void tape_cut_fd(int fd, uint64_t len)
{
	(void)pthread_mutex_lock(&lock);
	if (recording && file_of_fd(fd) >= 0)
		record_cut(file_of_fd(fd), len);
	(void)pthread_mutex_unlock(&lock);
}

void tape_synced_fd(int fd, size_t upto)
{
	struct tape_event *e;

	(void)pthread_mutex_lock(&lock);
	if (recording && file_of_fd(fd) >= 0) {
		record_sync(file_of_fd(fd), upto);
	} else if (recording && fd < FDS && fd_dirs[fd][0]) {
		e = add(TAPE_SYNC_DIR);
		e->off = upto;
		put_path(e->path, fd_dirs[fd]);
	}
	(void)pthread_mutex_unlock(&lock);
}

void tape_made_dir(int dirfd, const char *name)
{
	char path[TAPE_PATH];

	path_at(dirfd, name, path);
	(void)pthread_mutex_lock(&lock);
	if (below(path) && *below(path))
		put_path(add(TAPE_MKDIR)->path, below(path));
	(void)pthread_mutex_unlock(&lock);
}

void tape_unlinked(int dirfd, const char *name)
{
	char path[TAPE_PATH];

	path_at(dirfd, name, path);
	tape_unlinked_path(path);
}

void tape_renamed(int dirfd, const char *from, const char *to)
{
	char path[TAPE_PATH];
	char to_path[TAPE_PATH];
	struct tape_event *e;
	int file;

	path_at(dirfd, from, path);
	path_at(dirfd, to, to_path);
	(void)pthread_mutex_lock(&lock);
	if (below(path) && below(to_path) && find(below(path)) >= 0) {
		file = find(below(to_path));
		if (file >= 0)
			names[file][0] = '\0';
		file = find(below(path));
		e = add(TAPE_RENAME);
		e->file = file;
		put_path(e->path, below(path));
		put_path(e->to, below(to_path));
		put_path(names[file], below(to_path));
	}
	(void)pthread_mutex_unlock(&lock);
}

/* ---- by path ------------------------------------------------------------------------- */

void tape_opened(const char *path)
{
	(void)pthread_mutex_lock(&lock);
	if (below(path))
		(void)file_of(below(path));
	(void)pthread_mutex_unlock(&lock);
}

void tape_wrote(const char *path, const void *buf, size_t len, uint64_t off)
{
	(void)pthread_mutex_lock(&lock);
	if (below(path))
		record_write(file_of(below(path)), buf, len, off);
	(void)pthread_mutex_unlock(&lock);
}

void tape_cut(const char *path, uint64_t len)
{
	(void)pthread_mutex_lock(&lock);
	if (below(path))
		record_cut(file_of(below(path)), len);
	(void)pthread_mutex_unlock(&lock);
}

void tape_synced(const char *path, size_t upto, bool with_name)
{
	struct tape_event *e;

	(void)pthread_mutex_lock(&lock);
	if (below(path)) {
		record_sync(file_of(below(path)), upto);
		if (with_name) {
			e = add(TAPE_SYNC_DIR);
			e->off = upto;
			put_path(e->path, "/"); /* the root */
		}
	}
	(void)pthread_mutex_unlock(&lock);
}

void tape_unlinked_path(const char *path)
{
	(void)pthread_mutex_lock(&lock);
	if (below(path))
		record_unlink(below(path));
	(void)pthread_mutex_unlock(&lock);
}
