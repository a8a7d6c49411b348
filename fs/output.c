/* SPDX-License-Identifier: MIT */
/*
 * output.c - temporary names, holes, and signals.
 */
#include "output.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	BLOCK_LEN = 4096,     /* that becomes a hole */
	ZEROS_LEN = 64 << 10, /* at a time, where there are no holes */
	NAME_PART_MAX = 200,  /* of a name, in the temporary one */
};

static const mode_t permissions = S_IRWXU | S_IRWXG | S_IRWXO;

/* ---- signals -------------------------------------------------------------- */

/* What a signal has to remove. A handler has no other way to know. */
static const struct output *volatile unfinished;

static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU };

static void remove_and_end(int signal_number)
{
	const struct output *o = unfinished;

	if (o)
		(void)unlinkat(o->dir_fd, o->temporary, 0);
	(void)signal(signal_number, SIG_DFL);
	(void)raise(signal_number);
}

/* What was ignored (nohup) stays ignored. */
static void watch(const struct output *o)
{
	struct sigaction action;
	size_t i;

	unfinished = o;
	for (i = 0; i < ARRAY_LEN(ending); i++) {
		if (sigaction(ending[i], NULL, &action) < 0 ||
		    action.sa_handler == SIG_IGN)
			continue;
		action.sa_handler = o ? remove_and_end : SIG_DFL;
		(void)sigaction(ending[i], &action, NULL);
	}
}

/* ---- opening -------------------------------------------------------------- */

/* Makes a file that nobody has, and has signals remove it. */
static int make_and_watch(struct output *o)
{
	uint32_t chance;
	int rc;

	do {
		rc = io_random(&chance, sizeof(chance));
		if (rc < 0)
			return rc;
		(void)snprintf(o->temporary, sizeof(o->temporary), ".%.*s.%08x",
			       NAME_PART_MAX, o->name, chance);
		rc = io_open(o->dir_fd, o->temporary,
			     O_WRONLY | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
	} while (rc == -EEXIST);
	if (rc < 0)
		return rc;
	o->fd = rc;
	watch(o);
	return 0;
}

/* No signal comes between the two. */
static int make_temporary(struct output *o)
{
	sigset_t all;
	sigset_t old;
	int rc;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &old);
	rc = make_and_watch(o);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* `path` names a regular file, or nothing. */
static int open_file(struct output *o, const char *path)
{
	AUTO_FREE char *dir = strdup(path);
	char *slash;
	const char *name;
	int rc;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	name = slash ? path + (slash - dir) + 1 : path;
	if (*name == '\0')
		return -EISDIR;
	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	(void)snprintf(o->name, sizeof(o->name), "%s", name);
	if (slash)
		slash[slash == dir] = '\0';
	rc = open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rc < 0)
		return -errno;
	o->dir_fd = rc;
	rc = make_temporary(o);
	if (rc < 0) {
		(void)io_close(o->dir_fd);
		o->dir_fd = -1;
	}
	return rc;
}

static int open_special(struct output *o, const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	o->fd = fd;
	return 0;
}

int output_open(struct output *o, const char *path, bool replace)
{
	AUTO_FREE char *real = NULL;
	struct stat st;

	*o = (struct output){ .fd = -1, .dir_fd = -1, .replace = replace };
	if (strcmp(path, "-") == 0) {
		o->fd = STDOUT_FILENO;
		o->is_stdout = true;
		return 0;
	}
	real = realpath(path, NULL);
	if (real && stat(real, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return -EISDIR;
		if (!S_ISREG(st.st_mode))
			return open_special(o, real);
		return replace ? open_file(o, real) : -EEXIST;
	}
	/* A link that leads nowhere is a name that is taken. */
	if (!replace && lstat(path, &st) == 0)
		return -EEXIST;
	return open_file(o, path);
}

/* ---- writing -------------------------------------------------------------- */

static bool has_holes(const struct output *o)
{
	return o->dir_fd >= 0;
}

static bool is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, BLOCK_LEN - 1) == 0;
}

/* How many bytes, from a place in the file that is `pos`, are no block of
 * zeros. */
static size_t solid_len(struct span bytes, uint64_t pos)
{
	size_t at = (size_t)(-pos % BLOCK_LEN);

	while (at + BLOCK_LEN <= bytes.len && !is_zero(bytes.ptr + at))
		at += BLOCK_LEN;
	return at + BLOCK_LEN <= bytes.len ? at : bytes.len;
}

static int write_with_holes(struct output *o, struct span bytes)
{
	size_t len;
	int rc;

	while (bytes.len > 0) {
		len = solid_len(bytes, o->pos);
		if (len > 0) {
			rc = io_pwrite(o->fd, bytes.ptr, len, o->pos);
			if (rc < 0)
				return rc;
		} else {
			len = BLOCK_LEN;
		}
		o->pos += len;
		bytes = span_of(bytes.ptr + len, bytes.len - len);
	}
	return 0;
}

int output_write(struct output *o, struct span bytes)
{
	int rc;

	if (o->rc < 0)
		return o->rc;
	if (has_holes(o)) {
		rc = write_with_holes(o, bytes);
	} else {
		rc = io_write(o->fd, bytes.ptr, bytes.len);
		o->pos += bytes.len;
	}
	o->rc = rc;
	return rc;
}

int output_zeros(struct output *o, uint64_t len)
{
	static const uint8_t zeros[ZEROS_LEN];
	int rc = o->rc;
	size_t n;

	if (has_holes(o) && rc == 0) {
		o->pos += len;
		return 0;
	}
	for (; len > 0 && rc == 0; len -= n) {
		n = (size_t)min_u64(len, sizeof(zeros));
		rc = output_write(o, span_of(zeros, n));
	}
	return rc;
}

/* ---- the end -------------------------------------------------------------- */

static int set_attributes(const struct output *o, const struct stat *like)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	mode_t mask;

	if (!like) {
		mask = umask(0);
		(void)umask(mask);
		return fchmod(o->fd, (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP |
				      S_IROTH | S_IWOTH) &
					     ~mask) < 0
			       ? -errno
			       : 0;
	}
	times[1] = like->st_mtim;
	return fchmod(o->fd, like->st_mode & permissions) < 0 ||
			       futimens(o->fd, times) < 0
		       ? -errno
		       : 0;
}

static int close_file(struct output *o)
{
	int fd = steal_fd(&o->fd);

	return o->is_stdout || fd < 0 ? 0 : io_close(fd);
}

static int finish_file(struct output *o, const struct stat *like)
{
	/* There may be a hole at the end. */
	int rc = io_ftruncate(o->fd, o->pos);

	if (rc == 0)
		rc = set_attributes(o, like);
	if (rc == 0)
		rc = close_file(o);
	if (rc == 0)
		rc = o->replace
			     ? io_rename(o->dir_fd, o->temporary, o->name)
			     : io_rename_new(o->dir_fd, o->temporary, o->name);
	return rc;
}

int output_finish(struct output *o, const struct stat *like)
{
	int rc = o->rc;

	if (rc == 0 && has_holes(o))
		rc = finish_file(o, like);
	if (rc < 0) {
		o->rc = rc;
		output_abandon(o);
		return rc;
	}
	if (has_holes(o)) {
		watch(NULL);
		(void)io_close(o->dir_fd);
		o->dir_fd = -1;
		return 0;
	}
	o->rc = close_file(o);
	return o->rc;
}

void output_abandon(struct output *o)
{
	(void)close_file(o);
	if (!has_holes(o))
		return;
	(void)io_unlink(o->dir_fd, o->temporary);
	watch(NULL);
	(void)io_close(o->dir_fd);
	o->dir_fd = -1;
}
