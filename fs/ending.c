/* SPDX-License-Identifier: MIT */
/*
 * ending.c - signals, flushing and unmounting of our own mount.
 *
 * The mount is found by its device: it may have been moved since.
 */
#include "ending.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "mountinfo.h"
#include "unmount.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

int ending_init(struct ending *e, const char *store)
{
	sigset_t signals;

	e->store = store;
	e->signal_fd = -1;
	e->stop_fd = -1;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	e->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	e->stop_fd = eventfd(0, EFD_CLOEXEC);
	return e->signal_fd < 0 || e->stop_fd < 0 ? -errno : 0;
}

dev_t ending_mounted(struct ending *e, const char *dir)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));

	if (!entry || mountinfo_find(dir, entry) < 0)
		return 0;
	atomic_store(&e->dev, entry->dev);
	return entry->dev;
}

/* Where it is mounted now. Once it is not, the number of its device may be
 * anybody's. */
static int find_mount(struct ending *e, struct mount_entry *ret)
{
	dev_t dev = atomic_load(&e->dev);
	int rc = dev == 0 ? -ENOENT : mountinfo_find_dev(dev, ret);

	if (rc == 0 && (strcmp(ret->type, MOUNTINFO_TYPE) != 0 ||
			strcmp(ret->source, e->store) != 0))
		rc = -ENOENT;
	return rc;
}

int ending_flush(struct ending *e)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	int rc = entry ? find_mount(e, entry) : -ENOMEM;

	return rc < 0 ? rc : unmount_flush(entry->dir);
}

static int unmount_one(const char *dir, bool force)
{
	int rc = unmount_path(dir, false);

	if (rc != -EBUSY || !force)
		return rc;
	report_warn("'%s' is in use: it leaves the tree now, and ends with its "
		    "last user",
		    dir);
	return unmount_path(dir, true);
}

int ending_unmount(struct ending *e, bool force)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	int rc = entry ? find_mount(e, entry) : -ENOMEM;

	if (rc < 0)
		return rc;
	/* What cannot be flushed is told to whoever wrote it. */
	(void)unmount_flush(entry->dir);
	do
		rc = unmount_one(entry->dir, force);
	while (rc == 0 && find_mount(e, entry) == 0);
	return rc;
}

static void handle_signal(struct ending *e)
{
	struct signalfd_siginfo info;
	int rc;

	if (read(e->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	rc = ending_unmount(e, true);
	if (rc < 0)
		report_error("signal %u: cannot unmount: %s", info.ssi_signo,
			     error_text(rc));
}

static void ending_run(struct work *work, unsigned worker)
{
	struct ending *e = (struct ending *)work;
	struct pollfd fds[] = {
		{ .fd = e->stop_fd, .events = POLLIN },
		{ .fd = e->signal_fd, .events = POLLIN },
	};

	(void)worker;
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents != 0)
			return;
		if (fds[1].revents != 0)
			handle_signal(e);
	}
}

int ending_watch(struct ending *e)
{
	int rc = workers_new("sigmafs-signals", 1, 1, &e->thread);

	if (rc < 0)
		return rc;
	e->work.run = ending_run;
	workers_submit(e->thread, &e->work);
	return 0;
}

void ending_release(struct ending *e)
{
	if (e->thread)
		(void)eventfd_write(e->stop_fd, 1);
	workers_free(e->thread);
	e->thread = NULL;
	if (e->signal_fd >= 0)
		(void)close(e->signal_fd);
	if (e->stop_fd >= 0)
		(void)close(e->stop_fd);
	e->signal_fd = -1;
	e->stop_fd = -1;
}
