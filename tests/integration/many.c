/* SPDX-License-Identifier: MIT */
/*
 * many.c - several processes at once in the current directory.
 *
 * many listing N PASSES      readdir while other names come and go
 * many renames PROCESSES N   renames of all kinds between directories
 * many appends PROCESSES N   lines appended to one file
 *
 * Ends with 0 when all was as it has to be, else says what was not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	N_COMERS = 200, /* names of one who makes and removes */
	N_DIRS = 6,
	N_NAMES = 10, /* of a directory, of each type */
	LINE_LEN = 40,
	NAME_LEN = 64,
};

static void need(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "many: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void wrong(const char *what, const char *name)
{
	(void)fprintf(stderr, "many: %s: '%s'\n", what, name);
	exit(1);
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	need(fd >= 0, name);
	need(close(fd) == 0, name);
}

static unsigned below(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

/* All children have ended well. */
static void need_children(void)
{
	int status;

	while (wait(&status) > 0)
		if (status != 0)
			wrong("a process failed", "");
}

/* ---- listing -------------------------------------------------------------- */

static void come_and_go(unsigned who)
{
	unsigned seed = who;
	char from[NAME_LEN];
	char to[NAME_LEN];

	for (;;) {
		(void)snprintf(from, sizeof(from), "c%u-%u", who,
			       below(&seed, N_COMERS));
		(void)snprintf(to, sizeof(to), "a-longer-name-%u-%u", who,
			       below(&seed, N_COMERS));
		touch(from);
		need(rename(from, to) == 0, "rename");
		touch(from);
		need(unlink(below(&seed, 2) ? from : to) == 0, "unlink");
	}
}

/* The number of the next name that stays; -1: the end. */
static long next_stayer(DIR *dir)
{
	const struct dirent *e;

	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] == 's')
			return strtol(e->d_name + 1, NULL, 10);
	return -1;
}

/* Each name that stays is there once. */
static void list_all(unsigned char *seen, long n)
{
	DIR *dir = opendir(".");
	long left = n;
	long i;

	need(dir != NULL, "opendir");
	memset(seen, 0, (size_t)n);
	while ((i = next_stayer(dir)) >= 0) {
		if (i >= n || seen[i])
			wrong("a name is listed twice", "");
		seen[i] = 1;
		left--;
	}
	need(closedir(dir) == 0, "closedir");
	if (left > 0)
		wrong("names that stay were skipped", "");
}

/* From a place where it was, a listing goes on with the same names. */
static void list_from_middle(long n, unsigned *seed)
{
	long n_before = (long)below(seed, (unsigned)n / 2);
	DIR *dir = opendir(".");
	long place;
	long next;

	need(dir != NULL, "opendir");
	while (n_before-- > 0)
		(void)next_stayer(dir);
	place = telldir(dir);
	next = next_stayer(dir);
	for (long i = 0; i < n / 3; i++)
		(void)next_stayer(dir);
	seekdir(dir, place);
	if (next_stayer(dir) != next)
		wrong("seekdir goes elsewhere", "");
	need(closedir(dir) == 0, "closedir");
}

/* listing N PASSES */
static void run_listing(long n, long n_passes)
{
	unsigned char *seen = malloc((size_t)n);
	char name[NAME_LEN];
	unsigned seed = 1;
	pid_t pids[2];

	need(seen != NULL, "memory");
	for (long i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "s%ld", i);
		touch(name);
	}
	for (unsigned i = 0; i < 2; i++) {
		pids[i] = fork();
		need(pids[i] >= 0, "fork");
		if (pids[i] == 0)
			come_and_go(i);
	}
	for (long i = 0; i < n_passes; i++) {
		list_all(seen, n);
		list_from_middle(n, &seed);
	}
	for (unsigned i = 0; i < 2; i++) {
		int status;

		need(kill(pids[i], SIGKILL) == 0, "kill");
		need(waitpid(pids[i], &status, 0) == pids[i], "wait");
		if (!WIFSIGNALED(status))
			wrong("a process failed", "");
	}
	free(seen);
}

/* ---- renames -------------------------------------------------------------- */

/* The name of a directory, one to three deep; `leaf`: of something in it. */
static void pick(unsigned *seed, int leaf, char *ret)
{
	unsigned depth = below(seed, 3);
	char *to = ret;

	to += snprintf(to, NAME_LEN, "d%u", below(seed, N_DIRS));
	while (depth-- > 0)
		to += snprintf(to, NAME_LEN, "/d%u", below(seed, N_DIRS));
	if (leaf)
		(void)snprintf(to, NAME_LEN / 2, "/%c%u", "fd"[below(seed, 2)],
			       below(seed, N_NAMES));
}

static int make_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ssize_t len = (ssize_t)strlen(name);

	if (fd < 0)
		return -1;
	need(write(fd, name, (size_t)len) == len, "write");
	return close(fd);
}

static int change(unsigned *seed)
{
	char from[2 * NAME_LEN];
	char to[2 * NAME_LEN];

	pick(seed, 1, from);
	pick(seed, 1, to);
	switch (below(seed, 12)) {
	case 0:
	case 1:
		return mkdir(from, 0755);
	case 2:
		return make_file(from);
	case 3:
		return unlink(from);
	case 4:
		return rmdir(from);
	case 5:
		return link(from, to);
	case 6:
		return renameat2(AT_FDCWD, from, AT_FDCWD, to,
				 RENAME_NOREPLACE);
	case 7:
	case 8:
		return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
	default:
		return rename(from, to);
	}
}

static int may_happen(int error)
{
	return error == ENOENT || error == EEXIST || error == ENOTEMPTY ||
	       error == EINVAL || error == ENOTDIR || error == EISDIR ||
	       error == EPERM;
}

/* renames PROCESSES N */
static void run_renames(long n_processes, long n)
{
	char name[NAME_LEN];

	for (unsigned i = 0; i < N_DIRS; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		need(mkdir(name, 0755) == 0, name);
	}
	for (unsigned i = 0; i < n_processes; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		for (long k = 0; pid == 0 && k < n; k++)
			need(change(&i) == 0 || may_happen(errno), "a change");
		if (pid == 0)
			_exit(0);
	}
	need_children();
}

/* ---- appends -------------------------------------------------------------- */

static void append(long who, long n)
{
	int fd = open("log", O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0644);
	char line[2 * LINE_LEN]; /* more than is written */

	need(fd >= 0, "open");
	for (long i = 0; i < n; i++) {
		(void)snprintf(line, sizeof(line), "%09ld %09ld %*s\n", who, i,
			       LINE_LEN - 21, "end");
		need(write(fd, line, LINE_LEN) == LINE_LEN, "write");
	}
	_exit(0);
}

/* appends PROCESSES N: all lines are there whole, those of one in order. */
static void run_appends(long n_processes, long n)
{
	long *next = calloc((size_t)n_processes, sizeof(*next));
	char line[2 * LINE_LEN];
	long n_lines = 0;
	FILE *log;

	need(next != NULL, "memory");
	for (long i = 0; i < n_processes; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid == 0)
			append(i, n);
	}
	need_children();
	log = fopen("log", "re");
	need(log != NULL, "log");
	for (; fgets(line, sizeof(line), log); n_lines++) {
		long who = strtol(line, NULL, 10);

		if (strlen(line) != LINE_LEN || who >= n_processes ||
		    strtol(line + 10, NULL, 10) != next[who]++)
			wrong("a line is broken, or not in order", line);
	}
	if (n_lines != n_processes * n)
		wrong("lines are missing", "log");
	need(fclose(log) == 0, "log");
	free(next);
}

static const struct {
	const char *name;
	void (*run)(long a, long b);
} commands[] = {
	{ "listing", run_listing },
	{ "renames", run_renames },
	{ "appends", run_appends },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc == 4 && strcmp(argv[1], commands[i].name) == 0) {
			commands[i].run(strtol(argv[2], NULL, 10),
					strtol(argv[3], NULL, 10));
			return 0;
		}
	}
	(void)fprintf(stderr, "many: no such command\n");
	return 2;
}
