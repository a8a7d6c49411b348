/* SPDX-License-Identifier: MIT */
/*
 * daemon.c - fork, a pipe that says "ready", and leaving the terminal.
 */
#include "daemon.h"

#include "base/cleanup.h"
#include "base/report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child has ended without a word on the pipe: it has told why on stderr. */
static int status_of_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	if (WIFSIGNALED(status)) {
		report_error("the daemon was killed by signal %d",
			     WTERMSIG(status));
		return 128 + WTERMSIG(status);
	}
	return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
}

static int wait_for_child(pid_t pid, int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : status_of_child(pid);
}

static void close_others(int ready_fd)
{
	const unsigned first = STDERR_FILENO + 1;
	unsigned ready = (unsigned)ready_fd;

	if (ready > first)
		(void)close_range(first, ready - 1, 0);
	(void)close_range(ready + 1 > first ? ready + 1 : first, UINT_MAX, 0);
}

bool daemon_fork(struct daemon *d, int *ret_status)
{
	int ends[2];
	pid_t pid;

	d->ready_fd = -1;
	if (pipe2(ends, O_CLOEXEC) < 0) {
		*ret_status = DAEMON_NO_FORK;
		return false;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		(void)setsid();
		close_others(ends[1]);
		d->ready_fd = ends[1];
		return true;
	}
	(void)close(ends[1]);
	*ret_status = pid < 0 ? DAEMON_NO_FORK : wait_for_child(pid, ends[0]);
	(void)close(ends[0]);
	return false;
}

void daemon_stay(struct daemon *d)
{
	d->ready_fd = -1;
}

/* Holds on to no directory and to no terminal. */
static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	int rc = chdir("/");

	(void)rc;
	if (fd < 0)
		return;
	(void)dup2(fd, STDIN_FILENO);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

void daemon_ready(struct daemon *d)
{
	ssize_t n;

	if (d->ready_fd < 0)
		return;
	report_to_syslog();
	leave_terminal();
	do {
		n = write(d->ready_fd, "", 1);
	} while (n < 0 && errno == EINTR);
	(void)close(d->ready_fd);
	d->ready_fd = -1;
}
