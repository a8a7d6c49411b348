/* SPDX-License-Identifier: MIT */
/*
 * io.c - the system calls on files, restarted on EINTR.
 */
#include "base/io.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The value of a system call: itself, or the negative errno. */
static int result_of(int rc)
{
	return rc < 0 ? -errno : rc;
}

int io_open(int dirfd, const char *name, int flags, unsigned mode)
{
	int rc;

	do {
		rc = result_of(openat(dirfd, name,
				      flags | O_CLOEXEC | O_NOFOLLOW,
				      (mode_t)mode));
	} while (rc == -EINTR);
	return rc;
}

/* Linux has given the descriptor back even when it says EINTR. */
int io_close(int fd)
{
	int rc = result_of(close(fd));

	return rc == -EINTR ? 0 : rc;
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

int io_rename(int dirfd, const char *from, const char *to)
{
	return result_of(renameat(dirfd, from, dirfd, to));
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
