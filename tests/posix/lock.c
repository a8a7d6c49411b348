/* SPDX-License-Identifier: MIT */
/* lock.c - flock, locks of processes, locks of open file descriptions. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int range(int fd, int command, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = start,
			      .l_len = len };

	return fcntl(fd, command, &lock);
}

/* Who would be in the way of a lock on [start, start + len): F_UNLCK: nobody. */
static int in_the_way(int fd, int command, short type, off_t start, off_t len)
{
	struct flock lock = { .l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = start,
			      .l_len = len };

	return fcntl(fd, command, &lock) < 0 ? -1 : lock.l_type;
}

static int open_it(void)
{
	int fd = open_file("file", O_RDWR | O_CREAT);

	NEED(fd);
	return fd;
}

/* ---- flock ---------------------------------------------------------------- */

static void whole(void)
{
	int one = open_it();
	int two = open_it();
	int same;

	WORKS(flock(one, LOCK_EX | LOCK_NB));
	FAILS(flock(two, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	FAILS(flock(two, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	WORKS(flock(one, LOCK_EX | LOCK_NB));
	WORKS(flock(one, LOCK_SH | LOCK_NB));
	WORKS(flock(two, LOCK_SH | LOCK_NB));
	FAILS(flock(one, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	WORKS(flock(two, LOCK_UN));
	WORKS(flock(one, LOCK_EX | LOCK_NB));
	/* It belongs to the description: a copy has it, too. */
	NEED(same = fcntl(one, F_DUPFD_CLOEXEC, 0));
	WORKS(flock(same, LOCK_EX | LOCK_NB));
	WORKS(close(one));
	FAILS(flock(two, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	WORKS(close(same));
	WORKS(flock(two, LOCK_EX | LOCK_NB));
	FAILS(flock(two, 16), EINVAL);
	FAILS(flock(-1, LOCK_SH), EBADF);
	NEED(one = open_file(".", O_RDONLY));
	WORKS(flock(one, LOCK_EX | LOCK_NB));
}

static void try_whole(void *ctx)
{
	int fd = open_it();

	(void)ctx;
	FAILS(flock(fd, LOCK_SH | LOCK_NB), EWOULDBLOCK);
}

static void whole_between_processes(void)
{
	int fd = open_it();

	WORKS(flock(fd, LOCK_EX));
	EQUAL(end_child(start_child(try_whole, NULL)), 0);
	/* The two kinds do not see each other. */
	WORKS(range(fd, F_SETLK, F_WRLCK, 0, 0));
}

/* ---- of processes --------------------------------------------------------- */

/* The parent holds: write [100, 200), read [300, 400), write [1000, end). */
static void try_ranges(void *ctx)
{
	int fd = open_it();

	(void)ctx;
	FAILS(range(fd, F_SETLK, F_WRLCK, 150, 10), EAGAIN);
	FAILS(range(fd, F_SETLK, F_RDLCK, 199, 1), EAGAIN);
	WORKS(range(fd, F_SETLK, F_WRLCK, 200, 100));
	WORKS(range(fd, F_SETLK, F_WRLCK, 0, 100));
	FAILS(range(fd, F_SETLK, F_WRLCK, 0, 101), EAGAIN);
	WORKS(range(fd, F_SETLK, F_RDLCK, 300, 100));
	FAILS(range(fd, F_SETLK, F_WRLCK, 399, 1), EAGAIN);
	FAILS(range(fd, F_SETLK, F_RDLCK, 1 << 20, 1), EAGAIN);
	EQUAL(in_the_way(fd, F_GETLK, F_RDLCK, 0, 100), F_UNLCK);
	EQUAL(in_the_way(fd, F_GETLK, F_RDLCK, 150, 1), F_WRLCK);
	EQUAL(in_the_way(fd, F_GETLK, F_WRLCK, 350, 1), F_RDLCK);
	EQUAL(in_the_way(fd, F_GETLK, F_RDLCK, 350, 1), F_UNLCK);
	EQUAL(in_the_way(fd, F_GETLK, F_WRLCK, 5000, 1), F_WRLCK);
}

static void try_free(void *ctx)
{
	int fd = open_it();

	(void)ctx;
	WORKS(range(fd, F_SETLK, F_WRLCK, 0, 0));
}

static void ranges(void)
{
	int fd = open_it();
	int other;

	WORKS(range(fd, F_SETLK, F_WRLCK, 100, 100));
	WORKS(range(fd, F_SETLK, F_RDLCK, 300, 100));
	WORKS(range(fd, F_SETLK, F_WRLCK, 1000, 0));
	EQUAL(end_child(start_child(try_ranges, NULL)), 0);
	WORKS(range(fd, F_SETLK, F_UNLCK, 0, 0));
	EQUAL(end_child(start_child(try_free, NULL)), 0);
	/* Any close of the file gives up what the process holds. */
	WORKS(range(fd, F_SETLK, F_WRLCK, 0, 0));
	other = open_it();
	WORKS(close(other));
	EQUAL(end_child(start_child(try_free, NULL)), 0);
	WORKS(range(fd, F_SETLK, F_WRLCK, 0, 0));
	WORKS(range(fd, F_SETLK, F_UNLCK, 100, 100));
	WORKS(range(fd, F_SETLK, F_RDLCK, 50, 10));
	FAILS(range(fd, F_SETLK, F_WRLCK, -1, 10), EINVAL);
	NEED(other = open_file("file", O_RDONLY));
	FAILS(range(other, F_SETLK, F_WRLCK, 0, 1), EBADF);
	WORKS(range(other, F_SETLK, F_RDLCK, 0, 1));
}

/* ---- of descriptions ------------------------------------------------------ */

static void try_description(void *ctx)
{
	int fd = open_it();

	(void)ctx;
	FAILS(range(fd, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
	FAILS(range(fd, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
	WORKS(range(fd, F_OFD_SETLK, F_WRLCK, 10, 1));
}

static void descriptions(void)
{
	int one = open_it();
	int two = open_it();
	int third;

	WORKS(range(one, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(range(two, F_OFD_SETLK, F_WRLCK, 5, 10), EAGAIN);
	FAILS(range(two, F_OFD_SETLK, F_RDLCK, 9, 1), EAGAIN);
	WORKS(range(two, F_OFD_SETLK, F_WRLCK, 11, 10));
	EQUAL(in_the_way(two, F_OFD_GETLK, F_RDLCK, 0, 1), F_WRLCK);
	EQUAL(in_the_way(one, F_OFD_GETLK, F_RDLCK, 0, 1), F_UNLCK);
	WORKS(range(two, F_OFD_SETLK, F_UNLCK, 0, 0));
	EQUAL(end_child(start_child(try_description, NULL)), 0);
	/* Another descriptor's end is not its end. */
	third = open_it();
	WORKS(close(third));
	EQUAL(end_child(start_child(try_description, NULL)), 0);
	WORKS(close(one));
	WORKS(range(two, F_OFD_SETLK, F_WRLCK, 0, 0));
}

/* ---- waiting -------------------------------------------------------------- */

struct waiting {
	int told; /* gets a byte when the lock is held */
	int go;   /* a byte: give it up */
};

static void hold_it(void *ctx)
{
	const struct waiting *w = ctx;
	int fd = open_it();
	char byte = 'x';

	NEED(range(fd, F_SETLKW, F_WRLCK, 0, 0));
	NEED(write(w->told, &byte, 1));
	NEED(read(w->go, &byte, 1));
	NEED(pwrite(fd, "held", 4, 0));
}

static void waited_for(void)
{
	int told[2];
	int go[2];
	struct waiting w;
	char byte;
	pid_t pid;
	int fd = open_it();

	NEED(pipe2(told, O_CLOEXEC));
	NEED(pipe2(go, O_CLOEXEC));
	w = (struct waiting){ .told = told[1], .go = go[0] };
	pid = start_child(hold_it, &w);
	EQUAL(read(told[0], &byte, 1), 1);
	FAILS(range(fd, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
	NEED(write(go[1], &byte, 1));
	WORKS(range(fd, F_SETLKW, F_WRLCK, 0, 0));
	HOLDS(reads_as("file", "held"));
	EQUAL(end_child(pid), 0);
}

const struct tap_case lock_cases[] = {
	{ "whole", whole },
	{ "whole_between_processes", whole_between_processes },
	{ "ranges", ranges },
	{ "descriptions", descriptions },
	{ "waited_for", waited_for },
	{ NULL, NULL },
};
