/* SPDX-License-Identifier: MIT */
/* bed.c - files, facts, users, processes. */
#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 200 };

/* ---- making and removing -------------------------------------------------- */

/* NOLINTNEXTLINE(misc-no-recursion): as deep as DEPTH_MAX */
static void remove_at(int dir, const char *name, unsigned depth)
{
	struct dirent *entry;
	DIR *list;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || depth > DEPTH_MAX)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	list = fd >= 0 ? fdopendir(fd) : NULL;
	while (list && (entry = readdir(list))) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			remove_at(fd, entry->d_name, depth + 1);
	}
	if (list)
		(void)closedir(list);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

void remove_tree(const char *path)
{
	remove_at(AT_FDCWD, path, 0);
}

int open_file(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC, 0644);
}

void make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	tap_need(path, fd);
	NEED(fchmod(fd, mode));
	NEED(close(fd));
}

void make_file_of(const char *path, uid_t owner, gid_t group, mode_t mode)
{
	make_file(path, mode);
	NEED(chown(path, owner, group));
	NEED(chmod(path, mode));
}

void make_file_with(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t len = strlen(text);

	tap_need(path, fd);
	tap_need(path, write(fd, text, len) == (ssize_t)len ? 0 : -1);
	NEED(close(fd));
}

void make_dir(const char *path, mode_t mode)
{
	tap_need(path, mkdir(path, 0700));
	NEED(chmod(path, mode));
}

void make_dir_of(const char *path, uid_t owner, gid_t group, mode_t mode)
{
	make_dir(path, mode);
	NEED(chown(path, owner, group));
	NEED(chmod(path, mode));
}

char *repeat(char c, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		abort();
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

void fill_bytes(uint8_t *buf, size_t len, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;
	size_t i;

	for (i = 0; i < len; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		buf[i] = (uint8_t)state;
	}
}

/* ---- facts ---------------------------------------------------------------- */

/* -1 and zeros when there is nothing. */
static int look(const char *path, struct stat *st)
{
	*st = (struct stat){ 0 };
	return lstat(path, st);
}

bool is_there(const char *path)
{
	struct stat st;

	return look(path, &st) == 0;
}

long long mode_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)(st.st_mode & 07777);
}

long long type_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)(st.st_mode & S_IFMT);
}

long long size_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_size;
}

long long links_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_nlink;
}

long long ino_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_ino;
}

long long owner_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_uid;
}

long long group_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_gid;
}

long long blocks_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : (long long)st.st_blocks;
}

long long fd_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -1 : (long long)st.st_size;
}

bool reads_as(const char *path, const char *text)
{
	size_t len = strlen(text);
	char *buf = repeat(0, len + 1);
	int fd = open_file(path, O_RDONLY);
	bool same = fd >= 0 && read(fd, buf, len + 1) == (ssize_t)len &&
		    memcmp(buf, text, len) == 0;

	if (fd >= 0)
		(void)close(fd);
	free(buf);
	return same;
}

long long entries_of(const char *path)
{
	DIR *list = opendir(path);
	long long n = -2;

	if (!list)
		return -1;
	while (readdir(list))
		n++;
	(void)closedir(list);
	return n;
}

static long long ns_of(struct timespec t)
{
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

long long atime_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : ns_of(st.st_atim);
}

long long mtime_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : ns_of(st.st_mtim);
}

long long ctime_of(const char *path)
{
	struct stat st;

	return look(path, &st) < 0 ? -1 : ns_of(st.st_ctim);
}

long long btime_of(const char *path)
{
	struct statx stx = { 0 };

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) < 0 ||
	    !(stx.stx_mask & STATX_BTIME))
		return -1;
	return (long long)stx.stx_btime.tv_sec * 1000000000 +
	       stx.stx_btime.tv_nsec;
}

void next_tick(void)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct timespec start;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &start);
	do {
		(void)nanosleep(&pause, NULL);
		(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (ns_of(now) <= ns_of(start));
}

/* ---- users and processes -------------------------------------------------- */

void as_root(void)
{
	NEED(seteuid(0));
	NEED(setegid(0));
	NEED(setgroups(0, NULL));
}

void as_user(uid_t uid, gid_t gid)
{
	as_root();
	NEED(setegid(gid));
	NEED(seteuid(uid));
}

void as_member(uid_t uid, gid_t gid, gid_t other)
{
	as_root();
	NEED(setgroups(1, &other));
	NEED(setegid(gid));
	NEED(seteuid(uid));
}

pid_t start_child(void (*fn)(void *ctx), void *ctx)
{
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	tap_need("fork", pid);
	if (pid > 0)
		return pid;
	fn(ctx);
	(void)fflush(stdout);
	_exit(0);
}

int end_child(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}
