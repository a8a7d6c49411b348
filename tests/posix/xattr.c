/* SPDX-License-Identifier: MIT */
/* xattr.c - extended attributes. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { VALUE_MAX = 65536, XATTR_NAME_LEN_MAX = 255 };

static ssize_t get(const char *path, const char *name, void *buf, size_t cap)
{
	return getxattr(path, name, buf, cap);
}

static int set(const char *path, const char *name, const char *value)
{
	return setxattr(path, name, value, strlen(value), 0);
}

static bool value_is(const char *path, const char *name, const char *value)
{
	char buf[64];
	ssize_t n = lgetxattr(path, name, buf, sizeof(buf));

	return n == (ssize_t)strlen(value) &&
	       memcmp(buf, value, (size_t)n) == 0;
}

static void sizes(void)
{
	static const size_t lens[] = { 0,     1,     2,     100,   255,  256,
				       1000,  3000,  3900,  4096,  5000, 8192,
				       16384, 32768, 65000, 65535, 65536 };
	uint8_t *value = malloc(VALUE_MAX + 1);
	uint8_t *back = malloc(VALUE_MAX);
	size_t i;

	if (!value || !back)
		abort();
	make_file("file", 0644);
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		about("value of %zu bytes", lens[i]);
		fill_bytes(value, lens[i], (uint32_t)i);
		WORKS(setxattr("file", "user.a", value, lens[i], 0));
		EQUAL(get("file", "user.a", NULL, 0), (long long)lens[i]);
		EQUAL(get("file", "user.a", back, VALUE_MAX),
		      (long long)lens[i]);
		HOLDS(memcmp(value, back, lens[i]) == 0);
		if (lens[i] > 1)
			FAILS(get("file", "user.a", back, lens[i] - 1), ERANGE);
	}
	about(NULL);
	FAILS(setxattr("file", "user.b", value, VALUE_MAX + 1, 0), E2BIG);
	FAILS(get("file", "user.b", NULL, 0), ENODATA);
	EQUAL(get("file", "user.a", NULL, 0), VALUE_MAX);
	free(value);
	free(back);
}

/* "user." and as many letters as make `len`. */
static char *long_name(size_t len)
{
	static const char prefix[] = { 'u', 's', 'e', 'r', '.' };
	char *name = repeat('n', len);

	memcpy(name, prefix, sizeof(prefix));
	return name;
}

static void names(void)
{
	static const size_t lens[] = { 6, 7, 32, 100, 200, 253, 254, 255 };
	char list[512];
	size_t i;

	make_file("file", 0644);
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		char *name = long_name(lens[i]);

		about("name of %zu bytes", lens[i]);
		WORKS(set("file", name, "value"));
		HOLDS(value_is("file", name, "value"));
		EQUAL(listxattr("file", list, sizeof(list)),
		      (long long)lens[i] + 1);
		HOLDS(memcmp(list, name, lens[i] + 1) == 0);
		WORKS(removexattr("file", name));
		EQUAL(listxattr("file", list, sizeof(list)), 0);
		free(name);
	}
}

static void bad_names(void)
{
	char *name = long_name(XATTR_NAME_LEN_MAX + 1);
	char buf[8];

	make_file("file", 0644);
	FAILS(set("file", name, "v"), ERANGE);
	FAILS(get("file", name, buf, sizeof(buf)), ERANGE);
	FAILS(removexattr("file", name), ERANGE);
	FAILS(set("file", "", "v"), ERANGE);
	FAILS(get("file", "", buf, sizeof(buf)), ERANGE);
	FAILS(set("file", "user.", "v"), EINVAL);
	FAILS(get("file", "user.", buf, sizeof(buf)), EINVAL);
	FAILS(set("file", "user", "v"), EOPNOTSUPP);
	FAILS(set("file", "name", "v"), EOPNOTSUPP);
	FAILS(set("file", "users.a", "v"), EOPNOTSUPP);
	FAILS(get("file", "other.a", buf, sizeof(buf)), EOPNOTSUPP);
	FAILS(removexattr("file", "other.a"), EOPNOTSUPP);
	FAILS(set("file", "system.other", "v"), EOPNOTSUPP);
	FAILS(set("file", "User.a", "v"), EOPNOTSUPP);
	EQUAL(listxattr("file", NULL, 0), 0);
	free(name);
}

static void flags(void)
{
	make_file("file", 0644);
	FAILS(setxattr("file", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
	WORKS(setxattr("file", "user.a", "1", 1, XATTR_CREATE));
	FAILS(setxattr("file", "user.a", "2", 1, XATTR_CREATE), EEXIST);
	HOLDS(value_is("file", "user.a", "1"));
	WORKS(setxattr("file", "user.a", "3", 1, XATTR_REPLACE));
	HOLDS(value_is("file", "user.a", "3"));
	WORKS(setxattr("file", "user.a", "4", 1, 0));
	HOLDS(value_is("file", "user.a", "4"));
	FAILS(setxattr("file", "user.a", "5", 1, 4), EINVAL);
	FAILS(setxattr("file", "user.b", "", 0, XATTR_REPLACE), ENODATA);
	WORKS(setxattr("file", "user.b", "", 0, XATTR_CREATE));
	EQUAL(getxattr("file", "user.b", NULL, 0), 0);
	WORKS(removexattr("file", "user.a"));
	FAILS(removexattr("file", "user.a"), ENODATA);
	FAILS(getxattr("file", "user.a", NULL, 0), ENODATA);
	FAILS(setxattr("file", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
}

static void many(void)
{
	enum { COUNT = 60 };
	char list[4096];
	char name[32];
	char value[16];
	ssize_t len;
	unsigned i;

	make_file("file", 0644);
	for (i = 0; i < COUNT; i++) {
		(void)snprintf(name, sizeof(name), "user.number%u", i);
		(void)snprintf(value, sizeof(value), "value %u", i);
		NEED(set("file", name, value));
	}
	len = listxattr("file", list, sizeof(list));
	EQUAL(len, listxattr("file", NULL, 0));
	FAILS(listxattr("file", list, (size_t)len - 1), ERANGE);
	EQUAL(listxattr("file", list, (size_t)len), len);
	for (i = 0; i < COUNT; i++) {
		about("attribute %u", i);
		(void)snprintf(name, sizeof(name), "user.number%u", i);
		(void)snprintf(value, sizeof(value), "value %u", i);
		HOLDS(value_is("file", name, value));
		HOLDS(memmem(list, (size_t)len, name, strlen(name) + 1));
	}
	for (i = 0; i < COUNT; i += 2) {
		(void)snprintf(name, sizeof(name), "user.number%u", i);
		NEED(removexattr("file", name));
	}
	about(NULL);
	HOLDS(value_is("file", "user.number1", "value 1"));
	FAILS(getxattr("file", "user.number2", NULL, 0), ENODATA);
	HOLDS(listxattr("file", NULL, 0) < len);
}

/* "user." is for files and directories; the others are for all kinds. */
static void kinds(void)
{
	make_file("file", 0644);
	make_dir("dir", 0755);
	NEED(symlink("file", "link"));
	NEED(mkfifo("fifo", 0644));
	NEED(mknod("null", S_IFCHR | 0666, 1 << 8 | 3));
	WORKS(set("dir", "user.a", "dir"));
	HOLDS(value_is("dir", "user.a", "dir"));
	WORKS(set("link", "user.a", "through"));
	HOLDS(value_is("file", "user.a", "through"));
	FAILS(lsetxattr("link", "user.a", "v", 1, 0), EPERM);
	FAILS(lgetxattr("link", "user.a", NULL, 0), ENODATA);
	FAILS(set("fifo", "user.a", "v"), EPERM);
	FAILS(get("fifo", "user.a", NULL, 0), ENODATA);
	FAILS(set("null", "user.a", "v"), EPERM);
	WORKS(lsetxattr("link", "trusted.a", "link", 4, 0));
	HOLDS(value_is("link", "trusted.a", "link"));
	FAILS(getxattr("file", "trusted.a", NULL, 0), ENODATA);
	WORKS(lsetxattr("link", "security.a", "safe", 4, 0));
	HOLDS(value_is("link", "security.a", "safe"));
	WORKS(set("fifo", "trusted.a", "fifo"));
	HOLDS(value_is("fifo", "trusted.a", "fifo"));
	EQUAL(llistxattr("link", NULL, 0), 21);
	WORKS(lremovexattr("link", "trusted.a"));
	EQUAL(llistxattr("link", NULL, 0), 11);
}

static void who_may(void)
{
	char list[64];

	NEED(chmod(".", 0777));
	make_file_of("mine", USER, USER, 0600);
	make_file_of("readable", OTHER, OTHER, 0644);
	make_file_of("writable", OTHER, OTHER, 0666);
	make_file_of("closed", OTHER, OTHER, 0600);
	make_dir_of("sticky", OTHER, OTHER, 01777);
	NEED(set("closed", "user.a", "v"));
	NEED(set("readable", "user.a", "v"));
	NEED(set("mine", "trusted.a", "v"));
	NEED(set("mine", "security.a", "v"));
	as_user(USER, USER);
	WORKS(set("mine", "user.a", "v"));
	WORKS(set("writable", "user.a", "v"));
	FAILS(set("readable", "user.a", "v"), EACCES);
	FAILS(removexattr("readable", "user.a"), EACCES);
	HOLDS(value_is("readable", "user.a", "v"));
	FAILS(get("closed", "user.a", NULL, 0), EACCES);
	EQUAL(listxattr("closed", list, sizeof(list)), 7);
	FAILS(set("sticky", "user.a", "v"), EPERM);
	FAILS(set("mine", "trusted.b", "v"), EPERM);
	FAILS(get("mine", "trusted.a", NULL, 0), ENODATA);
	FAILS(removexattr("mine", "trusted.a"), EPERM);
	FAILS(set("mine", "security.b", "v"), EPERM);
	FAILS(removexattr("mine", "security.a"), EPERM);
	WORKS(get("mine", "security.a", NULL, 0));
	/* "trusted." is not even listed. */
	EQUAL(listxattr("mine", NULL, 0), 18);
	EQUAL(listxattr("mine", list, sizeof(list)), 18);
	as_root();
	EQUAL(listxattr("mine", list, sizeof(list)), 28);
}

static void live_on(void)
{
	int fd;

	make_file_with("file", "text");
	NEED(set("file", "user.a", "kept"));
	NEED(rename("file", "moved"));
	HOLDS(value_is("moved", "user.a", "kept"));
	NEED(link("moved", "linked"));
	HOLDS(value_is("linked", "user.a", "kept"));
	NEED(chmod("moved", 0600));
	NEED(truncate("moved", 0));
	HOLDS(value_is("moved", "user.a", "kept"));
	NEED(fd = open_file("moved", O_RDWR));
	NEED(unlink("moved"));
	NEED(unlink("linked"));
	EQUAL(fgetxattr(fd, "user.a", NULL, 0), 4);
	WORKS(fsetxattr(fd, "user.b", "late", 4, 0));
	EQUAL(flistxattr(fd, NULL, 0), 14);
	WORKS(fremovexattr(fd, "user.a"));
	FAILS(fgetxattr(fd, "user.a", NULL, 0), ENODATA);
	make_file("moved", 0644);
	EQUAL(listxattr("moved", NULL, 0), 0);
}

/* A program's capabilities: checked when set, gone when it changes. */
static void capability(void)
{
	/* vfs_cap_data, revision 2, effective: cap_net_raw */
	static const uint8_t cap[20] = { 1, 0, 0, 2, 0, 0x20 };
	int fd;

	make_file_of("file", OTHER, OTHER, 0777);
	FAILS(setxattr("file", "security.capability", "bad", 3, 0), EINVAL);
	WORKS(setxattr("file", "security.capability", cap, sizeof(cap), 0));
	EQUAL(getxattr("file", "security.capability", NULL, 0), 20);
	NEED(fd = open_file("file", O_WRONLY));
	NEED(write(fd, "x", 1));
	NEED(close(fd));
	FAILS(getxattr("file", "security.capability", NULL, 0), ENODATA);
	NEED(setxattr("file", "security.capability", cap, sizeof(cap), 0));
	NEED(truncate("file", 10));
	FAILS(getxattr("file", "security.capability", NULL, 0), ENODATA);
	NEED(setxattr("file", "security.capability", cap, sizeof(cap), 0));
	NEED(chown("file", USER, USER));
	FAILS(getxattr("file", "security.capability", NULL, 0), ENODATA);
	NEED(setxattr("file", "security.capability", cap, sizeof(cap), 0));
	NEED(chmod("file", 0755));
	EQUAL(getxattr("file", "security.capability", NULL, 0), 20);
}

const struct tap_case xattr_cases[] = {
	{ "sizes", sizes },
	{ "names", names },
	{ "bad_names", bad_names },
	{ "flags", flags },
	{ "many", many },
	{ "kinds", kinds },
	{ "who_may", who_may },
	{ "live_on", live_on },
	{ "capability", capability },
	{ NULL, NULL },
};
