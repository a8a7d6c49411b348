/* SPDX-License-Identifier: MIT */
/*
 * tmpdir.c - mkdtemp(3) and a walk that removes.
 */
#include "lib/tmpdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void tmpdir_init(struct tmpdir *t)
{
	const char *base = getenv("TMPDIR");
	int n = snprintf(t->path, sizeof(t->path), "%s/sigmafs-test-XXXXXX",
			 base && *base ? base : "/tmp");

	must(n > 0 && (size_t)n < sizeof(t->path), "TMPDIR is too long");
	must(mkdtemp(t->path) != NULL, t->path);
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(t->fd >= 0, t->path);
}

size_t tmpdir_n_files(const struct tmpdir *t)
{
	DIR *d = opendir(t->path);
	size_t n = 0;

	must(d != NULL, t->path);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2; /* . and .. */
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tmpdir_release(struct tmpdir *t)
{
	(void)close(t->fd);
	t->fd = -1;
	must(nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, t->path);
}
