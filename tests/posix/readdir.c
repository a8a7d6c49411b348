/* SPDX-License-Identifier: MIT */
/* readdir.c - listing directories, also while they change. */
#include "families.h"

#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 1000 };

static const char *name_of(char *buf, const char *prefix, unsigned i)
{
	(void)snprintf(buf, 32, "%s%u", prefix, i);
	return buf;
}

static DIR *open_list(const char *path)
{
	DIR *list = opendir(path);

	tap_need(path, list ? 0 : -1);
	return list;
}

/* A directory with files prefix0 … */
static void make_many(const char *dir, const char *prefix, unsigned n)
{
	char name[32];
	unsigned i;

	NEED(chdir(dir));
	for (i = 0; i < n; i++)
		make_file(name_of(name, prefix, i), 0644);
	NEED(chdir(".."));
}

/* How often each "kept<i>" was listed. */
struct seen {
	unsigned times[MANY];
	unsigned n_others;
};

static void note(struct seen *s, const char *name)
{
	unsigned long i;

	if (strncmp(name, "kept", 4) != 0) {
		s->n_others++;
		return;
	}
	i = strtoul(name + 4, NULL, 10);
	if (i < MANY)
		s->times[i]++;
}

/* How many of the `n` were not listed exactly once. */
static unsigned n_wrong(const struct seen *s, unsigned n)
{
	unsigned wrong = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		wrong += s->times[i] != 1;
	return wrong;
}

static void kinds(void)
{
	static const struct {
		const char *name;
		unsigned char type;
	} wanted[] = {
		{ ".", DT_DIR },      { "..", DT_DIR },   { "file", DT_REG },
		{ "dir", DT_DIR },    { "link", DT_LNK }, { "fifo", DT_FIFO },
		{ "null", DT_CHR },   { "loop", DT_BLK }, { "socket", DT_SOCK },
		{ "linked", DT_REG },
	};
	struct dirent *entry;
	unsigned n_seen = 0;
	size_t i;
	DIR *list;

	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("dir", "link"));
	NEED(mkfifo("fifo", 0644));
	NEED(mknod("null", S_IFCHR | 0644, 1 << 8 | 3));
	NEED(mknod("loop", S_IFBLK | 0644, 7 << 8));
	NEED(mknod("socket", S_IFSOCK | 0644, 0));
	NEED(link("file", "linked"));
	list = open_list(".");
	while ((entry = readdir(list))) {
		for (i = 0; i < ARRAY_LEN(wanted); i++) {
			if (strcmp(entry->d_name, wanted[i].name) != 0)
				continue;
			about("%s", wanted[i].name);
			EQUAL(entry->d_type, wanted[i].type);
			EQUAL(entry->d_ino, ino_of(entry->d_name));
			n_seen++;
		}
	}
	about(NULL);
	EQUAL(n_seen, ARRAY_LEN(wanted));
	WORKS(closedir(list));
}

static void all_once(void)
{
	struct seen seen = { 0 };
	struct dirent *entry;
	DIR *list;

	make_dir("dir", 0755);
	make_many("dir", "kept", MANY);
	list = open_list("dir");
	while ((entry = readdir(list)))
		note(&seen, entry->d_name);
	EQUAL(n_wrong(&seen, MANY), 0);
	EQUAL(seen.n_others, 2);
	/* The end stays the end, and the beginning is there again. */
	HOLDS(readdir(list) == NULL);
	rewinddir(list);
	memset(&seen, 0, sizeof(seen));
	while ((entry = readdir(list)))
		note(&seen, entry->d_name);
	EQUAL(n_wrong(&seen, MANY), 0);
	WORKS(closedir(list));
}

/* Files come and go while the list is read: those that stay are seen once. */
static void while_changing(void)
{
	struct seen seen = { 0 };
	struct dirent *entry;
	char name[32];
	unsigned i = 0;
	DIR *list;

	make_dir("dir", 0755);
	make_many("dir", "gone", MANY);
	make_many("dir", "kept", MANY);
	list = open_list("dir");
	NEED(chdir("dir"));
	while ((entry = readdir(list))) {
		note(&seen, entry->d_name);
		if (i < MANY) {
			NEED(unlink(name_of(name, "gone", i)));
			make_file(name_of(name, "new", i), 0644);
		}
		i++;
	}
	EQUAL(n_wrong(&seen, MANY), 0);
	WORKS(closedir(list));
	EQUAL(entries_of("."), 2 * MANY);
}

/* Everything that was listed is removed while listing, as rm -r does. */
static void removing(void)
{
	struct dirent *entry;
	unsigned n_failed = 0;
	DIR *list;

	make_dir("dir", 0755);
	make_many("dir", "kept", MANY);
	list = open_list("dir");
	NEED(chdir("dir"));
	while ((entry = readdir(list))) {
		if (entry->d_name[0] != '.')
			n_failed += unlink(entry->d_name) != 0;
	}
	EQUAL(n_failed, 0);
	EQUAL(entries_of("."), 0);
	WORKS(closedir(list));
	WORKS(rmdir("../dir"));
}

/* A place that was told is valid, whatever came and went. */
static void places(void)
{
	enum { N = 300 };
	long place[N + 2];
	static char names[N + 2][NAME_LEN_MAX + 1];
	char name[32];
	struct dirent *entry;
	unsigned n = 0;
	unsigned wrong = 0;
	unsigned i;
	DIR *list;

	make_dir("dir", 0755);
	make_many("dir", "kept", N);
	list = open_list("dir");
	while (n < N + 2) {
		place[n] = telldir(list);
		entry = readdir(list);
		if (!entry)
			break;
		(void)snprintf(names[n++], sizeof(names[0]), "%s",
			       entry->d_name);
	}
	EQUAL(n, N + 2);
	for (i = 0; i < n; i++) {
		seekdir(list, place[n - 1 - i]);
		entry = readdir(list);
		wrong += !entry || strcmp(entry->d_name, names[n - 1 - i]) != 0;
	}
	EQUAL(wrong, 0);
	/* Every other name is gone: the rest follows from where it was, but for
	 * new ones. */
	NEED(chdir("dir"));
	for (i = 0; i < n; i += 2) {
		if (names[i][0] != '.')
			NEED(unlink(names[i]));
		make_file(name_of(name, "new", i), 0644);
	}
	for (i = 1; i < n; i += 2) {
		seekdir(list, place[i]);
		do
			entry = readdir(list);
		while (entry && strncmp(entry->d_name, "new", 3) == 0);
		wrong += !entry || strcmp(entry->d_name, names[i]) != 0;
	}
	EQUAL(wrong, 0);
	WORKS(closedir(list));
}

/* A list that was opened before sees, after rewinddir, what is there now. */
static void rewound(void)
{
	DIR *list;
	struct dirent *entry;
	unsigned n = 0;

	make_dir("dir", 0755);
	list = open_list("dir");
	while (readdir(list))
		n++;
	EQUAL(n, 2);
	make_file("dir/new", 0644);
	rewinddir(list);
	n = 0;
	while ((entry = readdir(list)))
		n += strcmp(entry->d_name, "new") == 0;
	EQUAL(n, 1);
	NEED(rename("dir/new", "dir/other"));
	rewinddir(list);
	n = 0;
	while ((entry = readdir(list)))
		n += strcmp(entry->d_name, "other") == 0 ? 1
		     : strcmp(entry->d_name, "new") == 0 ? 100
							 : 0;
	EQUAL(n, 1);
	NEED(unlink("dir/other"));
	NEED(rmdir("dir"));
	rewinddir(list);
	HOLDS(readdir(list) == NULL);
	WORKS(closedir(list));
}

static void refused(void)
{
	struct stat st;
	int fd;

	make_file("file", 0644);
	HOLDS(!opendir("file") && errno == ENOTDIR);
	HOLDS(!opendir("none") && errno == ENOENT);
	NEED(fd = open_file("file", O_RDONLY));
	HOLDS(!fdopendir(fd) && errno == ENOTDIR);
	NEED(fd = open_file(".", O_RDONLY));
	WORKS(fstat(fd, &st));
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
}

/* Names at both ends of what a name may be, and many of them in one call. */
static void long_names(void)
{
	char *name = repeat('n', NAME_LEN_MAX);
	struct dirent *entry;
	unsigned n = 0;
	unsigned i;
	DIR *list;

	make_dir("dir", 0755);
	NEED(chdir("dir"));
	for (i = 0; i < 300; i++) {
		(void)snprintf(name, 4, "%03u", i);
		name[3] = 'n';
		make_file(name, 0644);
	}
	list = open_list(".");
	while ((entry = readdir(list)))
		n += strlen(entry->d_name) == NAME_LEN_MAX;
	EQUAL(n, 300);
	WORKS(closedir(list));
	free(name);
}

const struct tap_case readdir_cases[] = {
	{ "kinds", kinds },
	{ "all_once", all_once },
	{ "while_changing", while_changing },
	{ "removing", removing },
	{ "places", places },
	{ "rewound", rewound },
	{ "refused", refused },
	{ "long_names", long_names },
	{ NULL, NULL },
};
