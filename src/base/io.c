/* SPDX-License-Identifier: MIT */
/*
 * io.c - the system calls on files, restarted on EINTR.
 */
#include "base/io.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The value of a system call: itself, or the negative errno. */
static int result_of(int rc)
{
	return rc < 0 ? -errno : rc;
}

/* Linux has given the descriptor back even when it says EINTR. */
int io_close(int fd)
{
	int rc = result_of(close(fd));

	return rc == -EINTR ? 0 : rc;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* O_NONBLOCK means nothing for a file. */
int io_open(int dirfd, const char *name, int flags, unsigned mode)
{
	const int more = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int rc;

	do {
		rc = result_of(openat(dirfd, name, flags | more, (mode_t)mode));
	} while (rc == -EINTR);
	if (rc >= 0 && is_pipe(rc)) {
		(void)close(rc);
		return corrupt("'%s' is a pipe", name);
	}
	return rc;
}

ssize_t io_pread(int fd, void *buf, size_t len, uint64_t file_off)
{
	uint8_t *dst = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, dst + done, len - done, (off_t)(file_off + done));
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}

int io_pread_full(int fd, void *buf, size_t len, uint64_t file_off)
{
	ssize_t n = io_pread(fd, buf, len, file_off);

	if (n < 0)
		return (int)n;
	if ((size_t)n < len)
		return corrupt("a file ends after %zd of %zu bytes at %llu", n,
			       len, (unsigned long long)file_off);
	return 0;
}

int io_pwrite(int fd, const void *buf, size_t len, uint64_t file_off)
{
	const uint8_t *src = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, src + done, len - done,
			   (off_t)(file_off + done));
		if (n == 0)
			return -EIO;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Whether to try a call again after `err`; waits until it makes sense. */
static bool try_again(int fd, short events, int err)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (err == EINTR)
		return true;
	if (err != EAGAIN)
		return false;
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

ssize_t io_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, buf, len);
	} while (n < 0 && try_again(fd, POLLIN, errno));
	return n < 0 ? -errno : n;
}

int io_write(int fd, const void *buf, size_t len)
{
	const uint8_t *src = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, src + done, len - done);
		if (n == 0)
			return -EIO;
		if (n > 0)
			done += (size_t)n;
		else if (!try_again(fd, POLLOUT, errno))
			return -errno;
	}
	return 0;
}

/* Only an interrupted wait is begun again. Any other failure is final: the
 * kernel may have dropped the pages, and a second try would lie. */
int io_fdatasync(int fd)
{
	int rc;

	do {
		rc = result_of(fdatasync(fd));
	} while (rc == -EINTR);
	return rc;
}

int io_fsync(int fd)
{
	int rc;

	do {
		rc = result_of(fsync(fd));
	} while (rc == -EINTR);
	return rc;
}

int io_ftruncate(int fd, uint64_t len)
{
	int rc;

	do {
		rc = result_of(ftruncate(fd, (off_t)len));
	} while (rc == -EINTR);
	return rc;
}

int io_allocate(int fd, uint64_t off, uint64_t len)
{
	int rc;

	do {
		rc = result_of(fallocate(fd, 0, (off_t)off, (off_t)len));
	} while (rc == -EINTR);
	return rc;
}

void io_will_need(int fd, uint64_t off, uint64_t len)
{
	(void)posix_fadvise(fd, (off_t)off, (off_t)len, POSIX_FADV_WILLNEED);
}

ssize_t io_pread_direct(int fd, void *buf, size_t len, uint64_t off)
{
	ssize_t n;

	do {
		n = pread(fd, buf, len, (off_t)off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* cachestat(2), which Linux has since 6.5; what libc may not know of it. */
#ifndef SYS_cachestat
# define SYS_cachestat 451
#endif

struct cachestat_range {
	uint64_t off;
	uint64_t len;
};

struct cachestat {
	uint64_t n_cached;
	uint64_t n_dirty;
	uint64_t n_writeback;
	uint64_t n_evicted;
	uint64_t n_recently_evicted;
};

bool io_is_cached(int fd, uint64_t off, uint64_t len)
{
	struct cachestat_range range = { off, len };
	struct cachestat found;

	if (syscall(SYS_cachestat, fd, &range, &found, 0U) < 0)
		return true;
	return found.n_cached > len / IO_PAGE_LEN / 2;
}

void io_write_behind(int fd, uint64_t off, uint64_t len)
{
	const uint64_t page = 4096;
	uint64_t end = (off + len) / page * page;

	off = off / page * page;
	if (off < end)
		(void)sync_file_range(fd, (off_t)off, (off_t)(end - off),
				      SYNC_FILE_RANGE_WRITE);
}

void io_random_reads(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
}

int io_size(int fd, uint64_t *ret)
{
	struct stat st;
	int rc = result_of(fstat(fd, &st));

	if (rc < 0)
		return rc;
	*ret = (uint64_t)st.st_size;
	/* A disk has no size that fstat(2) would tell. */
	if (S_ISBLK(st.st_mode)) {
		off_t end = lseek(fd, 0, SEEK_END);

		if (end < 0)
			return -errno;
		*ret = (uint64_t)end;
	}
	return 0;
}

int io_mkdir(int dirfd, const char *name, unsigned mode)
{
	return result_of(mkdirat(dirfd, name, (mode_t)mode));
}

int io_unlink(int dirfd, const char *name)
{
	return result_of(unlinkat(dirfd, name, 0));
}

int io_rmdir(int dirfd, const char *name)
{
	return result_of(unlinkat(dirfd, name, AT_REMOVEDIR));
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

int io_list(int dirfd, int (*fn)(void *ctx, const char *name), void *ctx)
{
	int fd = io_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		rc = -errno;
		(void)io_close(fd);
		return rc;
	}
	do {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			rc = -errno;
		else if (!is_dots(entry->d_name))
			rc = fn(ctx, entry->d_name);
	} while (entry && rc == 0);
	(void)closedir(dir);
	return rc;
}

int io_rename(int dirfd, const char *from, const char *to)
{
	return result_of(renameat(dirfd, from, dirfd, to));
}

/* Where the filesystem cannot do it in one step, a second name is as good, if
 * it can have one; the last resort looks first. */
int io_rename_new(int dirfd, const char *from, const char *to)
{
	struct stat st;
	int rc = result_of(renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE));

	if (rc != -EINVAL && rc != -ENOSYS)
		return rc;
	rc = result_of(linkat(dirfd, from, dirfd, to, 0));
	if (rc == 0)
		return io_unlink(dirfd, from);
	if (rc == -EEXIST)
		return rc;
	if (result_of(fstatat(dirfd, to, &st, AT_SYMLINK_NOFOLLOW)) == 0)
		return -EEXIST;
	return io_rename(dirfd, from, to);
}

static int copy_bytes(int from, int to)
{
	enum { PIECE = 256 << 10 };
	AUTO_FREE uint8_t *piece = malloc(PIECE);
	uint64_t off = 0;
	ssize_t n;
	int rc;

	if (!piece)
		return -ENOMEM;
	while ((n = io_pread(from, piece, PIECE, off)) > 0) {
		rc = io_pwrite(to, piece, (size_t)n, off);
		if (rc < 0)
			return rc;
		off += (uint64_t)n;
	}
	return (int)n;
}

int io_copy(const char *from, const char *to)
{
	AUTO_CLOSE int source = io_open(AT_FDCWD, from, O_RDONLY, 0);
	AUTO_CLOSE int target = -1;

	if (source < 0)
		return source;
	target = io_open(AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return target < 0 ? target : copy_bytes(source, target);
}

/* In `place`, if that is a path that means the same everywhere. */
static int make_temp_dir(const char *place, char **ret)
{
	AUTO_FREE char *path = NULL;

	if (!place || place[0] != '/')
		return -ENOENT;
	if (asprintf(&path, "%s/sigmafs-XXXXXX", place) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(path))
		return -errno;
	*ret = steal_ptr(&path);
	return 0;
}

int io_temp_dir(char **ret)
{
	const char *const places[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };
	int rc = -ENOENT;
	size_t i;

	for (i = 0; rc < 0 && rc != -ENOMEM && i < ARRAY_LEN(places); i++)
		rc = make_temp_dir(places[i], ret);
	return rc;
}

int io_lock(int fd)
{
	int rc;

	do {
		rc = result_of(flock(fd, LOCK_EX | LOCK_NB));
	} while (rc == -EINTR);
	return rc;
}

int io_space(int fd, uint64_t *ret_free, uint64_t *ret_total)
{
	struct statvfs vfs;
	int rc;

	do {
		rc = result_of(fstatvfs(fd, &vfs));
	} while (rc == -EINTR);
	if (rc < 0)
		return rc;
	*ret_free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	*ret_total = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	return 0;
}

int io_random(void *buf, size_t len)
{
	uint8_t *dst = buf;
	ssize_t n;

	while (len > 0) {
		n = getrandom(dst, len, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			dst += n;
			len -= (size_t)n;
		}
	}
	return 0;
}
