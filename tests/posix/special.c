/* SPDX-License-Identifier: MIT */
/* special.c - what is neither file nor directory, and the rarer calls. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static void devices(void)
{
	static const struct {
		unsigned major, minor;
	} numbers[] = { { 0, 0 },     { 1, 3 },          { 1, 5 },
			{ 255, 255 }, { 4095, 1048575 }, { 300, 70000 } };
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		dev_t dev = makedev(numbers[i].major, numbers[i].minor);

		about("device %u:%u", numbers[i].major, numbers[i].minor);
		WORKS(mknod("char", S_IFCHR | 0600, dev));
		WORKS(mknod("block", S_IFBLK | 0600, dev));
		WORKS(lstat("char", &st));
		EQUAL(st.st_rdev, dev);
		EQUAL(st.st_mode, S_IFCHR | 0600);
		WORKS(lstat("block", &st));
		EQUAL(st.st_rdev, dev);
		EQUAL(st.st_mode, S_IFBLK | 0600);
		NEED(unlink("char"));
		NEED(unlink("block"));
	}
}

static void made_by_mknod(void)
{
	static const mode_t types[] = { 0, S_IFREG, S_IFIFO, S_IFSOCK };
	size_t i;

	NEED(chmod(".", 0777));
	for (i = 0; i < ARRAY_LEN(types); i++) {
		about("type %o", types[i]);
		WORKS(mknod("node", types[i] | 0640, 0));
		EQUAL(type_of("node"), types[i] ? types[i] : S_IFREG);
		EQUAL(mode_of("node"), 0640);
		EQUAL(links_of("node"), 1);
		EQUAL(size_of("node"), 0);
		FAILS(mknod("node", types[i] | 0640, 0), EEXIST);
		NEED(unlink("node"));
	}
	about(NULL);
	FAILS(mknod("node", S_IFDIR | 0755, 0), EPERM);
	FAILS(mknod("node", S_IFLNK | 0755, 0), EINVAL);
	as_user(USER, USER);
	FAILS(mknod("node", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	FAILS(mknod("node", S_IFBLK | 0600, makedev(7, 0)), EPERM);
	WORKS(mknod("node", S_IFREG | 0600, 0));
	WORKS(mkfifo("fifo", 0600));
	EQUAL(owner_of("fifo"), USER);
}

static void write_fifo(void *ctx)
{
	int fd = open_file("fifo", O_WRONLY);

	(void)ctx;
	NEED(write(fd, "through", 7));
}

static void fifo(void)
{
	char buf[16];
	pid_t pid;
	int fd;

	NEED(mkfifo("fifo", 0600));
	pid = start_child(write_fifo, NULL);
	NEED(fd = open_file("fifo", O_RDONLY));
	EQUAL(read(fd, buf, sizeof(buf)), 7);
	HOLDS(memcmp(buf, "through", 7) == 0);
	EQUAL(read(fd, buf, sizeof(buf)), 0);
	EQUAL(end_child(pid), 0);
	FAILS(lseek(fd, 0, SEEK_SET), ESPIPE);
	FAILS(pread(fd, buf, 1, 0), ESPIPE);
	EQUAL(size_of("fifo"), 0);
	WORKS(rename("fifo", "moved"));
	EQUAL(type_of("moved"), S_IFIFO);
}

static void sockets(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX,
				    .sun_path = "socket" };
	int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int server;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	WORKS(bind(first, (struct sockaddr *)&addr, sizeof(addr)));
	EQUAL(type_of("socket"), S_IFSOCK);
	EQUAL(mode_of("socket"), 0755);
	WORKS(listen(first, 1));
	WORKS(connect(client, (struct sockaddr *)&addr, sizeof(addr)));
	EQUAL(write(client, "x", 1), 1);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FAILS(bind(server, (struct sockaddr *)&addr, sizeof(addr)), EADDRINUSE);
	WORKS(rename("socket", "moved"));
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "moved");
	WORKS(close(client));
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	WORKS(connect(client, (struct sockaddr *)&addr, sizeof(addr)));
	WORKS(unlink("moved"));
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FAILS(connect(client, (struct sockaddr *)&addr, sizeof(addr)), ENOENT);
}

/* A file is always ready, and cannot be waited for. */
static void polled(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd p[2];
	int epoll;
	int dir;
	int fd;

	make_file("file", 0644);
	NEED(fd = open_file("file", O_RDWR));
	NEED(dir = open_file(".", O_RDONLY));
	p[0] = (struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT };
	p[1] = (struct pollfd){ .fd = dir, .events = POLLIN };
	EQUAL(poll(p, 2, 0), 2);
	EQUAL(p[0].revents, POLLIN | POLLOUT);
	EQUAL(p[1].revents, POLLIN);
	NEED(epoll = epoll_create1(EPOLL_CLOEXEC));
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), EPERM);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, dir, &event), EPERM);
}

static void ioctls(void)
{
	int value = 0;
	int dir;
	int fd;

	make_file_with("file", "0123456789");
	NEED(fd = open_file("file", O_RDWR));
	NEED(dir = open_file(".", O_RDONLY));
	FAILS(ioctl(fd, _IO('x', 99)), ENOTTY);
	FAILS(ioctl(dir, _IO('x', 99)), ENOTTY);
	FAILS(ioctl(fd, TCGETS, &value), ENOTTY);
	HOLDS(!isatty(fd));
	WORKS(ioctl(fd, FIONREAD, &value));
	EQUAL(value, 10);
	WORKS(ioctl(fd, FIGETBSZ, &value));
	HOLDS(value >= 512);
	FAILS(ioctl(fd, FICLONE, fd), EOPNOTSUPP);
}

/* chattr(1)'s flags. */
static void file_flags(void)
{
	long flags = -1;
	int fd;

	make_file("file", 0644);
	NEED(fd = open_file("file", O_RDWR));
	WORKS(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = FS_APPEND_FL;
	WORKS(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	FAILS(truncate("file", 0), EPERM);
	FAILS(unlink("file"), EPERM);
	flags = 0;
	WORKS(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	WORKS(unlink("file"));
}

static void syncing(void)
{
	int ends[2];
	int dir;
	int fd;

	make_file_with("file", "text");
	NEED(fd = open_file("file", O_RDWR));
	NEED(dir = open_file(".", O_RDONLY));
	NEED(pipe2(ends, O_CLOEXEC));
	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	EQUAL(write(fd, "x", 1), 1);
	WORKS(fdatasync(fd));
	WORKS(fsync(dir));
	WORKS(fdatasync(dir));
	WORKS(syncfs(fd));
	WORKS(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	FAILS(fsync(ends[0]), EINVAL);
	FAILS(fsync(-1), EBADF);
	WORKS(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
	WORKS(readahead(fd, 0, 4096));
	EQUAL(posix_fadvise(fd, 0, 0, 99), EINVAL);
}

/* A directory that something is mounted on can be neither moved nor removed. */
static void busy(void)
{
	make_dir("dir", 0755);
	make_dir("other", 0755);
	NEED(mount("none", "dir", "tmpfs", 0, "size=64k"));
	FAILS(rmdir("dir"), EBUSY);
	FAILS(rename("dir", "moved"), EBUSY);
	FAILS(rename("other", "dir"), EBUSY);
	FAILS(renameat2(AT_FDCWD, "other", AT_FDCWD, "dir", RENAME_EXCHANGE),
	      EBUSY);
	make_file("dir/inside", 0644);
	FAILS(rename("dir/inside", "outside"), EXDEV);
	FAILS(link("dir/inside", "outside"), EXDEV);
	FAILS(rename("other", "dir/other"), EXDEV);
	NEED(umount("dir"));
	HOLDS(!is_there("dir/inside"));
	WORKS(rename("dir", "moved"));
	WORKS(rmdir("moved"));
}

/* Reads what has happened; returns the masks of all of it. */
static uint32_t events_of(int fd)
{
	union {
		struct inotify_event head;
		char bytes[4096];
	} buf;
	struct inotify_event event;
	uint32_t mask = 0;
	ssize_t at;
	ssize_t n = read(fd, &buf, sizeof(buf));

	for (at = 0; at < n; at += (ssize_t)sizeof(event) + event.len) {
		memcpy(&event, buf.bytes + at, sizeof(event));
		mask |= event.mask;
	}
	return mask;
}

static void watched(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	NEED(fd);
	make_dir("dir", 0755);
	NEED(inotify_add_watch(fd, "dir", IN_ALL_EVENTS));
	make_file_with("dir/file", "text");
	HOLDS(events_of(fd) & IN_CREATE);
	make_file_with("dir/file", "more");
	HOLDS((events_of(fd) & (IN_MODIFY | IN_CLOSE_WRITE)) ==
	      (IN_MODIFY | IN_CLOSE_WRITE));
	NEED(chmod("dir/file", 0600));
	HOLDS(events_of(fd) & IN_ATTRIB);
	NEED(rename("dir/file", "dir/moved"));
	HOLDS((events_of(fd) & IN_MOVE) == IN_MOVE);
	NEED(unlink("dir/moved"));
	HOLDS(events_of(fd) & IN_DELETE);
	NEED(rmdir("dir"));
	HOLDS(events_of(fd) & IN_DELETE_SELF);
}

const struct tap_case special_cases[] = {
	{ "devices", devices },
	{ "made_by_mknod", made_by_mknod },
	{ "fifo", fifo },
	{ "sockets", sockets },
	{ "polled", polled },
	{ "ioctls", ioctls },
	{ "file_flags", file_flags },
	{ "syncing", syncing },
	{ "busy", busy },
	{ "watched", watched },
	{ NULL, NULL },
};
