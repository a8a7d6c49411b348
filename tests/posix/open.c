/* SPDX-License-Identifier: MIT */
/* open.c - the flags of open(2). */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void modes(void)
{
	static const mode_t masks[] = { 0, 022, 027, 077, 0777 };
	static const mode_t wanted[] = { 0,    0777,  0666,  0640,
					 0421, 04755, 02755, 01644 };
	char name[32];
	size_t i;
	size_t j;

	for (i = 0; i < ARRAY_LEN(masks); i++) {
		for (j = 0; j < ARRAY_LEN(wanted); j++) {
			int fd;

			about("mode %o, umask %o", wanted[j], masks[i]);
			(void)snprintf(name, sizeof(name), "%zu-%zu", i, j);
			(void)umask(masks[i]);
			NEED(fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC,
				       wanted[j]));
			EQUAL(mode_of(name), wanted[j] & ~masks[i]);
			EQUAL(write(fd, "x", 1), 1);
			NEED(close(fd));
		}
	}
}

/* What a descriptor may be used for. */
static void access_modes(void)
{
	char buf[8];
	int fd;

	make_file_with("file", "0123456789");
	about("O_RDONLY");
	NEED(fd = open_file("file", O_RDONLY));
	EQUAL(read(fd, buf, 4), 4);
	FAILS(write(fd, "x", 1), EBADF);
	FAILS(ftruncate(fd, 0), EINVAL);
	FAILS(fallocate(fd, 0, 0, 10), EBADF);
	WORKS(fsync(fd));
	WORKS(fchmod(fd, 0600));
	about("O_WRONLY");
	NEED(fd = open_file("file", O_WRONLY));
	FAILS(read(fd, buf, 4), EBADF);
	FAILS(pread(fd, buf, 4, 0), EBADF);
	EQUAL(write(fd, "x", 1), 1);
	WORKS(ftruncate(fd, 5));
	about("O_RDWR");
	NEED(fd = open_file("file", O_RDWR));
	EQUAL(read(fd, buf, 8), 5);
	EQUAL(write(fd, "x", 1), 1);
	EQUAL(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	EQUAL(fd_size(fd), 6);
}

static void creating(void)
{
	int fd;

	FAILS(open_file("file", O_RDWR), ENOENT);
	NEED(fd = open_file("file", O_RDWR | O_CREAT));
	EQUAL(fd_size(fd), 0);
	EQUAL(type_of("file"), S_IFREG);
	EQUAL(links_of("file"), 1);
	EQUAL(write(fd, "text", 4), 4);
	WORKS(open_file("file", O_RDWR | O_CREAT));
	HOLDS(reads_as("file", "text"));
	FAILS(open_file("file", O_RDWR | O_CREAT | O_EXCL), EEXIST);
	HOLDS(reads_as("file", "text"));
	NEED(chmod("file", 0600));
	WORKS(open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0777));
	EQUAL(mode_of("file"), 0600);
	WORKS(open_file("new", O_RDONLY | O_CREAT | O_EXCL));
	EQUAL(size_of("new"), 0);
	/* The mode does not bind who made it. */
	as_root();
	NEED(chmod(".", 0777));
	as_user(USER, USER);
	NEED(fd = open("closed", O_RDWR | O_CREAT | O_CLOEXEC, 0));
	EQUAL(write(fd, "x", 1), 1);
	FAILS(open_file("closed", O_RDONLY), EACCES);
	EQUAL(owner_of("closed"), USER);
}

static void truncating(void)
{
	int fd;

	make_file_with("file", "0123456789");
	NEED(fd = open_file("file", O_RDONLY));
	EQUAL(fd_size(fd), 10);
	WORKS(open_file("file", O_WRONLY | O_TRUNC));
	EQUAL(fd_size(fd), 0);
	EQUAL(size_of("file"), 0);
	make_file_with("file", "0123456789");
	WORKS(open_file("file", O_RDWR | O_TRUNC));
	EQUAL(size_of("file"), 0);
	make_file_with("file", "0123456789");
	WORKS(open_file("file", O_RDWR | O_CREAT | O_TRUNC));
	EQUAL(size_of("file"), 0);
	make_file_with("file", "0123456789");
	FAILS(open_file("file", O_RDWR | O_CREAT | O_EXCL | O_TRUNC), EEXIST);
	EQUAL(size_of("file"), 10);
	NEED(chmod(".", 0777));
	NEED(chmod("file", 0444));
	as_user(USER, USER);
	FAILS(open_file("file", O_WRONLY | O_TRUNC), EACCES);
	FAILS(open_file("file", O_RDONLY | O_TRUNC), EACCES);
	EQUAL(size_of("file"), 10);
}

static void directories(void)
{
	char buf[8];
	int fd;

	make_dir("dir", 0755);
	make_file("file", 0644);
	NEED(symlink("dir", "link"));
	NEED(fd = open_file("dir", O_RDONLY));
	FAILS(read(fd, buf, sizeof(buf)), EISDIR);
	FAILS(pread(fd, buf, sizeof(buf), 0), EISDIR);
	FAILS(write(fd, "x", 1), EBADF);
	FAILS(ftruncate(fd, 0), EINVAL);
	WORKS(fsync(fd));
	WORKS(fdatasync(fd));
	WORKS(syncfs(fd));
	FAILS(open_file("dir", O_WRONLY), EISDIR);
	FAILS(open_file("dir", O_RDWR), EISDIR);
	FAILS(open_file("dir", O_RDONLY | O_CREAT), EISDIR);
	FAILS(open_file("dir", O_RDONLY | O_TRUNC), EISDIR);
	FAILS(open_file("dir", O_RDWR | O_CREAT | O_EXCL), EEXIST);
	FAILS(truncate("dir", 0), EISDIR);
	WORKS(open_file("dir", O_RDONLY | O_DIRECTORY));
	WORKS(open_file("link", O_RDONLY | O_DIRECTORY));
	FAILS(open_file("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(open_file("file/", O_RDONLY), ENOTDIR);
	FAILS(open_file("none", O_RDONLY | O_DIRECTORY), ENOENT);
	FAILS(open_file("new", O_RDONLY | O_DIRECTORY | O_CREAT), EINVAL);
	HOLDS(!is_there("new"));
}

static void o_path(void)
{
	char buf[8];
	struct stat st;
	int fd;

	make_file_with("file", "text");
	NEED(symlink("file", "link"));
	make_dir("dir", 0755);
	NEED(fd = open_file("file", O_PATH));
	FAILS(read(fd, buf, sizeof(buf)), EBADF);
	FAILS(write(fd, "x", 1), EBADF);
	FAILS(fchmod(fd, 0600), EBADF);
	FAILS(fchown(fd, 0, 0), EBADF);
	FAILS(ftruncate(fd, 0), EBADF);
	FAILS(fsync(fd), EBADF);
	WORKS(fstat(fd, &st));
	EQUAL(st.st_size, 4);
	NEED(fd = open_file("link", O_PATH | O_NOFOLLOW));
	WORKS(fstat(fd, &st));
	EQUAL(st.st_mode & S_IFMT, S_IFLNK);
	EQUAL(readlinkat(fd, "", buf, sizeof(buf)), 4);
	NEED(fd = open_file("dir", O_PATH));
	WORKS(fchdir(fd));
	WORKS(mkdirat(fd, "sub", 0755));
	HOLDS(is_there("sub"));
	WORKS(chdir(".."));
	NEED(chmod("file", 0));
	as_user(USER, USER);
	WORKS(open_file("file", O_PATH));
	FAILS(open_file("file", O_RDONLY), EACCES);
}

/* A file without a name, that may get one. */
static void tmpfile_named(void)
{
	char path[64];
	struct stat st = { 0 };
	int fd = open(".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0640);

	(void)tap_works("open O_TMPFILE", fd);
	EQUAL(entries_of("."), 0);
	EQUAL(write(fd, "text", 4), 4);
	WORKS(fstat(fd, &st));
	EQUAL(st.st_nlink, 0);
	EQUAL(st.st_size, 4);
	EQUAL(st.st_mode, S_IFREG | 0640);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	WORKS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	EQUAL(links_of("named"), 1);
	EQUAL(ino_of("named"), st.st_ino);
	HOLDS(reads_as("named", "text"));
	EQUAL(write(fd, "more", 4), 4);
	HOLDS(reads_as("named", "textmore"));
	WORKS(unlink("named"));
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "again", AT_SYMLINK_FOLLOW),
	      ENOENT);
}

static void tmpfile_unnamed(void)
{
	char path[64];
	char buf[8];
	int fd = open(".", O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);

	(void)tap_works("open O_TMPFILE | O_EXCL", fd);
	EQUAL(write(fd, "text", 4), 4);
	EQUAL(pread(fd, buf, sizeof(buf), 0), 4);
	WORKS(fsync(fd));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FAILS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW),
	      ENOENT);
	WORKS(close(fd));
	FAILS(open(".", O_RDONLY | O_TMPFILE | O_CLOEXEC, 0600), EINVAL);
	make_file("file", 0644);
	FAILS(open("file", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), ENOTDIR);
	FAILS(open("none", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), ENOENT);
	EQUAL(entries_of("."), 1);
}

/* A program that runs is not written to, what is open for writing not run. */
static void text_busy(void)
{
	char sleep[] = "sleep";
	char long_time[] = "100";
	char *const args[] = { sleep, long_time, NULL };
	int ends[2];
	int status;
	pid_t pid;
	int fd;

	NEED(system("cp /bin/sleep program && chmod 755 program"));
	NEED(fd = open_file("program", O_WRONLY));
	FAILS(execv("program", args), ETXTBSY);
	WORKS(close(fd));
	NEED(pipe2(ends, O_CLOEXEC));
	NEED(pid = fork());
	if (pid == 0) {
		(void)execv("program", args);
		_exit(1);
	}
	/* Closed by exec: it runs. */
	(void)close(ends[1]);
	EQUAL(read(ends[0], &status, 1), 0);
	FAILS(open_file("program", O_WRONLY), ETXTBSY);
	FAILS(open_file("program", O_RDWR), ETXTBSY);
	FAILS(truncate("program", 0), ETXTBSY);
	WORKS(open_file("program", O_RDONLY));
	WORKS(rename("program", "moved"));
	WORKS(unlink("moved"));
	WORKS(kill(pid, SIGKILL));
	EQUAL(waitpid(pid, &status, 0), pid);
}

static void specials(void)
{
	int fd;

	NEED(mkfifo("fifo", 0644));
	NEED(mknod("socket", S_IFSOCK | 0644, 0));
	NEED(mknod("null", S_IFCHR | 0666, 1 << 8 | 3));
	FAILS(open_file("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	WORKS(open_file("fifo", O_RDONLY | O_NONBLOCK));
	WORKS(open_file("fifo", O_WRONLY | O_NONBLOCK));
	FAILS(open_file("socket", O_RDONLY), ENXIO);
	NEED(fd = open_file("null", O_RDWR));
	EQUAL(write(fd, "text", 4), 4);
	EQUAL(size_of("null"), 0);
	FAILS(open_file("fifo", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(truncate("fifo", 0), EINVAL);
}

static void others(void)
{
	int fd;

	make_file_of("file", OTHER, OTHER, 0666);
	FAILS(open_file("file",
			O_RDWR | O_TRUNC | O_NOFOLLOW | O_EXCL | O_CREAT),
	      EEXIST);
	NEED(fd = open_file("file", O_RDWR | O_SYNC));
	EQUAL(write(fd, "x", 1), 1);
	EQUAL(fcntl(fd, F_GETFL) & O_SYNC, O_SYNC);
	NEED(fd = open_file("file", O_RDWR | O_DSYNC));
	EQUAL(write(fd, "x", 1), 1);
	WORKS(open_file("file", O_RDONLY | O_NOATIME));
	WORKS(open_file("file", O_RDONLY | O_NONBLOCK | O_NOCTTY));
	as_user(USER, USER);
	FAILS(open_file("file", O_RDONLY | O_NOATIME), EPERM);
	WORKS(open_file("file", O_RDWR));
}

const struct tap_case open_cases[] = {
	{ "modes", modes },
	{ "access_modes", access_modes },
	{ "creating", creating },
	{ "truncating", truncating },
	{ "directories", directories },
	{ "o_path", o_path },
	{ "tmpfile_named", tmpfile_named },
	{ "tmpfile_unnamed", tmpfile_unnamed },
	{ "text_busy", text_busy },
	{ "specials", specials },
	{ "others", others },
	{ NULL, NULL },
};
