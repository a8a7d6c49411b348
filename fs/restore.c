/* SPDX-License-Identifier: MIT */
/*
 * restore.c - openat(2) and its kin, one component at a time.
 */
#include "restore.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int result_of(int rc)
{
	return rc < 0 ? -errno : 0;
}

static int refuse_entry(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return -ENOTEMPTY;
}

int restore_open(const char *path)
{
	AUTO_CLOSE int fd = -1;
	int rc = io_mkdir(AT_FDCWD, path, 0700);

	if (rc < 0 && rc != -EEXIST)
		return rc;
	fd = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	rc = io_list(fd, refuse_entry, NULL);
	return rc < 0 ? rc : steal_fd(&fd);
}

/* The directory that `path` lies in, or will; resolved, the caller's to free(). */
static int parent_of(const char *path, char **ret)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	*ret = realpath(dirname(copy), NULL);
	return *ret ? 0 : -errno;
}

/* Whether the directory `path`, which is resolved, is `dir` or lies in it. */
static bool lies_in(const char *path, const char *dir)
{
	AUTO_FREE char *top = realpath(dir, NULL);
	size_t len = top ? strlen(top) : 0;

	return top && strncmp(path, top, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

int restore_check(const char *path, const char *store)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *parent = NULL;
	int rc = parent_of(path, &parent);

	if (rc < 0)
		return rc;
	if (store && lies_in(parent, store))
		return -EBUSY;
	fd = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT)
		return 0;
	return fd < 0 ? fd : io_list(fd, refuse_entry, NULL);
}

int restore_mkdir(const struct restore_name *name)
{
	int rc = io_mkdir(name->dir_fd, name->text, 0700);

	return rc < 0 ? rc
		      : io_open(name->dir_fd, name->text,
				O_RDONLY | O_DIRECTORY, 0);
}

int restore_create(const struct restore_name *name)
{
	return io_open(name->dir_fd, name->text, O_WRONLY | O_CREAT | O_EXCL,
		       0600);
}

int restore_sync(int dir_fd)
{
	return result_of(syncfs(dir_fd));
}

int restore_node(const struct restore_name *name,
		 const struct volume_attr *attr, const char *target)
{
	mode_t type = attr->mode & S_IFMT;

	if (type == S_IFLNK)
		return result_of(symlinkat(target, name->dir_fd, name->text));
	if (type != S_IFIFO && type != S_IFSOCK && type != S_IFBLK &&
	    type != S_IFCHR)
		return -EOPNOTSUPP;
	return result_of(mknodat(name->dir_fd, name->text, type | 0600,
				 (dev_t)attr->rdev));
}

/* The directory that holds the last component of `path`, which is put in `ret`. */
static int open_parent(int root_fd, const char *path, struct restore_name *ret)
{
	AUTO_CLOSE int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
	const char *slash;
	int next;

	if (fd < 0)
		return -errno;
	while ((slash = strchr(path, '/')) != NULL) {
		if (slash - path > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(ret->text, path, (size_t)(slash - path));
		ret->text[slash - path] = '\0';
		next = io_open(fd, ret->text, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		(void)io_close(fd);
		fd = next;
		path = slash + 1;
	}
	if (strlen(path) > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(ret->text, path, strlen(path) + 1);
	ret->dir_fd = steal_fd(&fd);
	return 0;
}

int restore_link(int root_fd, const char *path, const struct restore_name *name)
{
	struct restore_name old = { .dir_fd = -1 };
	int rc = open_parent(root_fd, path, &old);

	if (rc < 0)
		return rc;
	rc = result_of(
		linkat(old.dir_fd, old.text, name->dir_fd, name->text, 0));
	(void)io_close(old.dir_fd);
	return rc;
}

int restore_rename(const struct restore_name *name, const char *old)
{
	int rc = io_rename_new(name->dir_fd, old, name->text);
	struct stat st;

	/* Not all filesystems can do that, and nobody else is at work here. */
	if (rc != -EINVAL && rc != -ENOSYS)
		return rc;
	if (fstatat(name->dir_fd, name->text, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return io_rename(name->dir_fd, old, name->text);
}

/* ---- attributes ---------------------------------------------------------------- */

bool restore_owner(const struct restore_name *name, int fd,
		   const struct volume_attr *attr)
{
	int rc = fd >= 0 ? fchown(fd, attr->uid, attr->gid)
			 : fchownat(name->dir_fd, name->text, attr->uid,
				    attr->gid, AT_SYMLINK_NOFOLLOW);

	return rc == 0;
}

/* Of a link nobody asks for them. What is not open was made by us, and is no
 * link, unless somebody else may write to the directory. */
static int set_mode(const struct restore_name *name, int fd,
		    const struct volume_attr *attr, bool owner)
{
	mode_t mode = attr->mode & (owner ? 07777 : 01777);

	if (S_ISLNK(attr->mode))
		return 0;
	return result_of(fd >= 0 ? fchmod(fd, mode)
				 : fchmodat(name->dir_fd, name->text, mode,
					    AT_SYMLINK_NOFOLLOW));
}

static int set_times(const struct restore_name *name, int fd,
		     const struct volume_attr *attr)
{
	const struct timespec times[2] = {
		{ attr->atime.sec, attr->atime.nsec },
		{ attr->mtime.sec, attr->mtime.nsec },
	};

	return result_of(fd >= 0 ? futimens(fd, times)
				 : utimensat(name->dir_fd, name->text, times,
					     AT_SYMLINK_NOFOLLOW));
}

int restore_attrs(const struct restore_name *name, int fd,
		  const struct volume_attr *attr, bool owner)
{
	int rc = set_mode(name, fd, attr, owner);

	return rc < 0 ? rc : set_times(name, fd, attr);
}

int restore_xattr(const struct restore_name *name, int fd, const char *key,
		  struct span value)
{
	char path[sizeof("/proc/self/fd/2147483647/") + NAME_MAX];

	if (fd >= 0)
		return result_of(fsetxattr(fd, key, value.ptr, value.len, 0));
	/* There is no lsetxattrat(2). */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", name->dir_fd,
		       name->text);
	return result_of(lsetxattr(path, key, value.ptr, value.len, 0));
}
