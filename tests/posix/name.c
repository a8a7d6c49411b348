/* SPDX-License-Identifier: MIT */
/* name.c - which names a file may have, and that they come back as given. */
#include "families.h"

#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often a directory lists this name. */
static unsigned listed(const char *dir, const char *name)
{
	DIR *list = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;

	while (list && (entry = readdir(list)))
		n += strcmp(entry->d_name, name) == 0;
	if (list)
		(void)closedir(list);
	return n;
}

static void lengths(void)
{
	size_t len;

	for (len = 1; len <= NAME_LEN_MAX; len += len < 250 ? 31 : 1) {
		char *name = repeat('x', len);

		about("name of %zu bytes", len);
		make_file(name, 0644);
		EQUAL(listed(".", name), 1);
		EQUAL(links_of(name), 1);
		WORKS(unlink(name));
		HOLDS(!is_there(name));
		free(name);
	}
}

static void every_byte(void)
{
	char name[4] = "";
	unsigned c;

	make_dir("dir", 0755);
	NEED(chdir("dir"));
	for (c = 1; c < 256; c++) {
		if (c == '/')
			continue;
		about("byte %u", c);
		(void)snprintf(name, sizeof(name), "%c-", (char)c);
		WORKS(mkdir(name, 0755));
		if (c % 8 == 1)
			EQUAL(listed(".", name), 1);
	}
	about(NULL);
	EQUAL(entries_of("."), 254);
	FAILS(mkdir("\x80-", 0755), EEXIST);
	FAILS(mkdir("\xff-", 0755), EEXIST);
	WORKS(rmdir("\xff-"));
	EQUAL(entries_of("."), 253);
}

/* Bytes, not characters: nothing is folded, composed or refused. */
static void are_bytes(void)
{
	static const char *const names[] = {
		"a",
		"A",
		"\xc3\xa4",
		"a\xcc\x88",
		"\xc3\x84",
		"\xff\xfe",
		"\xc3",
		"\xed\xa0\x80",
		" ",
		"  ",
		"a ",
		" a",
		"a.",
		"...",
		"..a",
		".a",
		"-",
		"--",
		"*",
		"?",
		"\\",
		"a\\b",
		"\"",
		"'",
		"\n",
		"\t",
		"\r",
		"\x7f",
		"con",
		"NUL",
		"a:b",
		"~",
		"$(true)",
		"%s%n",
		"\x1b[1m",
		"lost+found",
		".sigmafs",
		"index.db",
		"a~1",
		"\xef\xbb\xbf",
		"\xe2\x80\xae",
		"\xf0\x9f\x98\x80",
	};
	char text[16];
	size_t i;

	make_dir("dir", 0755);
	NEED(chdir("dir"));
	for (i = 0; i < ARRAY_LEN(names); i++) {
		about("name %zu", i);
		(void)snprintf(text, sizeof(text), "%zu", i);
		make_file_with(names[i], text);
		EQUAL(listed(".", names[i]), 1);
	}
	about(NULL);
	EQUAL(entries_of("."), (long long)ARRAY_LEN(names));
	for (i = 0; i < ARRAY_LEN(names); i++) {
		about("name %zu", i);
		(void)snprintf(text, sizeof(text), "%zu", i);
		HOLDS(reads_as(names[i], text));
	}
}

/* Names of 255 bytes that differ at their ends only. */
static void long_and_alike(void)
{
	char *name = repeat('l', NAME_LEN_MAX);
	char *other = repeat('l', NAME_LEN_MAX);
	unsigned i;

	make_dir("dir", 0755);
	NEED(chdir("dir"));
	for (i = 0; i < 40; i++) {
		name[NAME_LEN_MAX - 1] = (char)('A' + i);
		make_file(name, 0644);
	}
	EQUAL(entries_of("."), 40);
	for (i = 0; i < 40; i++) {
		about("ending %u", i);
		name[NAME_LEN_MAX - 1] = (char)('A' + i);
		EQUAL(listed(".", name), 1);
	}
	about(NULL);
	other[0] = 'o';
	WORKS(rename(name, other));
	WORKS(link(other, name));
	EQUAL(ino_of(other), ino_of(name));
	WORKS(symlink(name, "link"));
	EQUAL(size_of("link"), NAME_LEN_MAX);
	WORKS(access("link", F_OK));
	free(name);
	free(other);
}

/* A path of more than PATH_MAX bytes is reached in steps. */
static void deep(void)
{
	enum { LEVELS = 20 };
	char *name = repeat('d', NAME_LEN_MAX);
	char cwd[PATH_LEN_MAX];
	unsigned i;

	for (i = 0; i < LEVELS; i++) {
		NEED(mkdir(name, 0755));
		NEED(chdir(name));
	}
	HOLDS(!getcwd(cwd, sizeof(cwd)) && errno == ERANGE);
	make_file_with("file", "deep");
	HOLDS(reads_as("file", "deep"));
	EQUAL(entries_of("."), 1);
	WORKS(rename("file", "../file"));
	HOLDS(reads_as("../file", "deep"));
	for (i = 0; i < LEVELS; i++) {
		NEED(chdir(".."));
		if (i == 0)
			WORKS(unlink("file"));
		about("level %u", i);
		WORKS(rmdir(name));
	}
	free(name);
}

static void pathconf_says(void)
{
	make_file("file", 0644);
	EQUAL(pathconf(".", _PC_NAME_MAX), NAME_LEN_MAX);
	EQUAL(pathconf("file", _PC_NAME_MAX), NAME_LEN_MAX);
	EQUAL(pathconf(".", _PC_PATH_MAX), PATH_LEN_MAX);
	EQUAL(pathconf(".", _PC_NO_TRUNC), 1);
	EQUAL(pathconf(".", _PC_CHOWN_RESTRICTED), 1);
	EQUAL(pathconf(".", _PC_PIPE_BUF), 4096);
}

const struct tap_case name_cases[] = {
	{ "lengths", lengths },
	{ "every_byte", every_byte },
	{ "are_bytes", are_bytes },
	{ "long_and_alike", long_and_alike },
	{ "deep", deep },
	{ "pathconf_says", pathconf_says },
	{ NULL, NULL },
};
