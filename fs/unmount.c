/* SPDX-License-Identifier: MIT */
/*
 * unmount.c - umount2(2), or fusermount3 for an ordinary user.
 */
#include "unmount.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/* Our threads block all signals, and the child would inherit that. */
static int spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t none;
	int rc = posix_spawnattr_init(attr);

	if (rc != 0)
		return -rc;
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(attr, &none);
	(void)posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK);
	return 0;
}

static int spawn(char *const *argv, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc = spawn_attributes(&attr);

	if (rc < 0)
		return rc;
	rc = -posix_spawn_file_actions_init(&files);
	if (rc == 0) {
		rc = -posix_spawn_file_actions_addopen(
			&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
		if (rc == 0)
			rc = -posix_spawnp(ret, argv[0], &files, &attr, argv,
					   environ);
		(void)posix_spawn_file_actions_destroy(&files);
	}
	(void)posix_spawnattr_destroy(&attr);
	return rc;
}

/* fusermount3 says in words why it failed, so the usual reason is assumed. */
static int run_fusermount(const char *dir, bool lazy)
{
	char program[] = "fusermount3";
	char off[] = "-u";
	char off_lazily[] = "-uz";
	char *name = strdup(dir);
	char *argv[] = { program, lazy ? off_lazily : off, name, NULL };
	pid_t pid = 0;
	int status = 0;
	int rc = name ? spawn(argv, &pid) : -ENOMEM;

	free(name);
	if (rc < 0)
		return rc == -ENOENT ? -EPERM : rc;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

int unmount_path(const char *dir, bool lazy)
{
	int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);

	if (umount2(dir, flags) == 0)
		return 0;
	return errno == EPERM ? run_fusermount(dir, lazy) : -errno;
}

int unmount_flush(const char *dir)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return syncfs(fd) < 0 ? -errno : 0;
}

bool unmount_is_dead(const char *dir)
{
	struct statvfs vfs;

	/* ECONNABORTED: it died while we asked. */
	return statvfs(dir, &vfs) < 0 &&
	       (errno == ENOTCONN || errno == ECONNABORTED);
}
