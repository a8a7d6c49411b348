/* SPDX-License-Identifier: MIT */
/* acl.c - POSIX access control lists: access, default, inherited. */
#include "families.h"

#include "bed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

enum { ACL_VERSION = 2, ACL_LEN_MAX = 512 };

/* As <linux/posix_acl.h> numbers them. */
enum {
	OWNER = 0x01,
	NAMED_USER = 0x02,
	OWN_GROUP = 0x04,
	NAMED_GROUP = 0x08,
	MASK = 0x10,
	OTHERS = 0x20,
};

#define NOBODY ((uint32_t)-1)

struct entry {
	uint16_t tag;
	uint16_t bits;
	uint32_t id;
};

/* The form in which the kernel takes it; its length. */
static size_t acl_put(const struct entry *entries, size_t n, uint8_t *dst)
{
	const uint32_t version = ACL_VERSION;
	size_t i;

	memcpy(dst, &version, sizeof(version));
	for (i = 0; i < n; i++)
		memcpy(dst + 4 + 8 * i, &entries[i], 8);
	return 4 + 8 * n;
}

static int set_acl(const char *path, const char *name,
		   const struct entry *entries, size_t n)
{
	uint8_t buf[ACL_LEN_MAX];
	size_t len = acl_put(entries, n, buf);

	return setxattr(path, name, buf, len, 0);
}

/* Whether the list is exactly this one. */
static bool acl_is(const char *path, const char *name,
		   const struct entry *entries, size_t n)
{
	uint8_t wanted[ACL_LEN_MAX];
	uint8_t got[ACL_LEN_MAX];
	size_t len = acl_put(entries, n, wanted);

	return getxattr(path, name, got, sizeof(got)) == (ssize_t)len &&
	       memcmp(got, wanted, len) == 0;
}

#define SET_ACL(path, name, list) set_acl(path, name, list, ARRAY_LEN(list))
#define ACL_IS(path, name, list)  acl_is(path, name, list, ARRAY_LEN(list))

static int try_open(const char *path, int flags)
{
	int fd = open_file(path, flags);

	return fd < 0 ? -1 : close(fd);
}

/* ---- access --------------------------------------------------------------- */

static void named_user(void)
{
	static const struct entry list[] = {
		{ OWNER, 6, NOBODY },     { NAMED_USER, 6, USER },
		{ OWN_GROUP, 0, NOBODY }, { MASK, 6, NOBODY },
		{ OTHERS, 0, NOBODY },
	};

	make_file("file", 0600);
	FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
	WORKS(SET_ACL("file", ACCESS, list));
	HOLDS(ACL_IS("file", ACCESS, list));
	/* The group's bits of the mode are the mask. */
	EQUAL(mode_of("file"), 0660);
	as_user(USER, USER);
	WORKS(try_open("file", O_RDWR));
	as_user(OTHER, OTHER);
	FAILS(try_open("file", O_RDONLY), EACCES);
	as_user(OTHER, 0);
	FAILS(try_open("file", O_RDONLY), EACCES);
	as_root();
	NEED(rename("file", "moved"));
	NEED(link("moved", "linked"));
	HOLDS(ACL_IS("linked", ACCESS, list));
}

static void named_group(void)
{
	static const struct entry list[] = {
		{ OWNER, 0, NOBODY },     { NAMED_USER, 0, USER },
		{ OWN_GROUP, 4, NOBODY }, { NAMED_GROUP, 6, GROUP },
		{ MASK, 6, NOBODY },      { OTHERS, 4, NOBODY },
	};

	make_file_of("file", OTHER, OTHER, 0600);
	WORKS(SET_ACL("file", ACCESS, list));
	EQUAL(mode_of("file"), 0064);
	as_user(OTHER, GROUP);
	FAILS(try_open("file", O_RDONLY), EACCES);
	as_member(USER, USER, GROUP);
	FAILS(try_open("file", O_RDONLY), EACCES);
	as_member(1234, 1234, GROUP);
	WORKS(try_open("file", O_RDWR));
	as_user(1234, OTHER);
	WORKS(try_open("file", O_RDONLY));
	FAILS(try_open("file", O_WRONLY), EACCES);
	as_user(1234, 1234);
	WORKS(try_open("file", O_RDONLY));
	FAILS(try_open("file", O_WRONLY), EACCES);
}

/* It bounds all but the owner and the others. */
static void mask(void)
{
	static const struct entry list[] = {
		{ OWNER, 6, NOBODY },     { NAMED_USER, 6, USER },
		{ OWN_GROUP, 6, NOBODY }, { MASK, 4, NOBODY },
		{ OTHERS, 6, NOBODY },
	};
	static const struct entry after[] = {
		{ OWNER, 7, NOBODY },     { NAMED_USER, 6, USER },
		{ OWN_GROUP, 6, NOBODY }, { MASK, 2, NOBODY },
		{ OTHERS, 1, NOBODY },
	};

	make_file_of("file", OTHER, GROUP, 0600);
	WORKS(SET_ACL("file", ACCESS, list));
	EQUAL(mode_of("file"), 0646);
	as_user(USER, USER);
	WORKS(try_open("file", O_RDONLY));
	FAILS(try_open("file", O_WRONLY), EACCES);
	as_user(1234, 1234);
	WORKS(try_open("file", O_RDWR));
	/* chmod(2) changes the mask, not the group. */
	as_root();
	WORKS(chmod("file", 0721));
	EQUAL(mode_of("file"), 0721);
	HOLDS(ACL_IS("file", ACCESS, after));
	as_user(USER, USER);
	FAILS(try_open("file", O_RDONLY), EACCES);
	WORKS(try_open("file", O_WRONLY));
}

/* A list that says no more than a mode is a mode. */
static void minimal(void)
{
	static const struct entry list[] = {
		{ OWNER, 6, NOBODY },
		{ OWN_GROUP, 5, NOBODY },
		{ OTHERS, 1, NOBODY },
	};
	static const struct entry full[] = {
		{ OWNER, 6, NOBODY },     { NAMED_USER, 7, USER },
		{ OWN_GROUP, 4, NOBODY }, { MASK, 7, NOBODY },
		{ OTHERS, 0, NOBODY },
	};

	make_file("file", 0600);
	WORKS(SET_ACL("file", ACCESS, list));
	EQUAL(mode_of("file"), 0651);
	FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
	EQUAL(listxattr("file", NULL, 0), 0);
	WORKS(SET_ACL("file", ACCESS, full));
	EQUAL(mode_of("file"), 0670);
	EQUAL(listxattr("file", NULL, 0), (long long)sizeof(ACCESS));
	WORKS(removexattr("file", ACCESS));
	EQUAL(mode_of("file"), 0670);
	FAILS(getxattr("file", ACCESS, NULL, 0), ENODATA);
}

/* ---- default -------------------------------------------------------------- */

static const struct entry handed_down[] = {
	{ OWNER, 7, NOBODY }, { NAMED_USER, 6, USER }, { OWN_GROUP, 5, NOBODY },
	{ MASK, 7, NOBODY },  { OTHERS, 1, NOBODY },
};

/* What is made in a directory with a default list has it as its list, as far as
 * the mode asks for; the umask counts for nothing. */
static void inherited(void)
{
	static const struct entry of_file[] = {
		{ OWNER, 6, NOBODY },     { NAMED_USER, 6, USER },
		{ OWN_GROUP, 5, NOBODY }, { MASK, 6, NOBODY },
		{ OTHERS, 0, NOBODY },
	};
	int fd;

	make_dir("dir", 0755);
	FAILS(getxattr("dir", DEFAULT, NULL, 0), ENODATA);
	WORKS(SET_ACL("dir", DEFAULT, handed_down));
	HOLDS(ACL_IS("dir", DEFAULT, handed_down));
	EQUAL(mode_of("dir"), 0755);
	FAILS(getxattr("dir", ACCESS, NULL, 0), ENODATA);
	(void)umask(077);
	NEED(fd = open("dir/file", O_RDWR | O_CREAT | O_CLOEXEC, 0660));
	EQUAL(mode_of("dir/file"), 0660);
	HOLDS(ACL_IS("dir/file", ACCESS, of_file));
	FAILS(getxattr("dir/file", DEFAULT, NULL, 0), ENODATA);
	NEED(mkdir("dir/sub", 0777));
	EQUAL(mode_of("dir/sub"), 0771);
	HOLDS(ACL_IS("dir/sub", ACCESS, handed_down));
	HOLDS(ACL_IS("dir/sub", DEFAULT, handed_down));
	NEED(mkfifo("dir/sub/fifo", 0660));
	HOLDS(ACL_IS("dir/sub/fifo", ACCESS, of_file));
	NEED(symlink("x", "dir/link"));
	EQUAL(mode_of("dir/link"), 0777);
	as_user(USER, USER);
	WORKS(try_open("dir/file", O_RDWR));
	as_root();
	WORKS(removexattr("dir", DEFAULT));
	NEED(open("dir/plain", O_RDWR | O_CREAT | O_CLOEXEC, 0666));
	EQUAL(mode_of("dir/plain"), 0600);
	FAILS(getxattr("dir/plain", ACCESS, NULL, 0), ENODATA);
	(void)fd;
}

/* ---- what is refused ------------------------------------------------------ */

static void refused(void)
{
	static const struct entry no_mask[] = {
		{ OWNER, 6, NOBODY },
		{ NAMED_USER, 6, USER },
		{ OWN_GROUP, 0, NOBODY },
		{ OTHERS, 0, NOBODY },
	};
	static const struct entry no_others[] = {
		{ OWNER, 6, NOBODY },
		{ OWN_GROUP, 0, NOBODY },
	};
	static const struct entry two_owners[] = {
		{ OWNER, 6, NOBODY },
		{ OWNER, 6, NOBODY },
		{ OWN_GROUP, 0, NOBODY },
		{ OTHERS, 0, NOBODY },
	};
	static const struct entry odd_bits[] = {
		{ OWNER, 8, NOBODY },
		{ OWN_GROUP, 0, NOBODY },
		{ OTHERS, 0, NOBODY },
	};
	static const struct entry odd_tag[] = {
		{ OWNER, 6, NOBODY },
		{ OWN_GROUP, 0, NOBODY },
		{ OTHERS, 0, NOBODY },
		{ 0x40, 0, NOBODY },
	};

	make_file("file", 0600);
	make_dir("dir", 0700);
	FAILS(SET_ACL("file", ACCESS, no_mask), EINVAL);
	FAILS(SET_ACL("file", ACCESS, no_others), EINVAL);
	FAILS(SET_ACL("file", ACCESS, two_owners), EINVAL);
	FAILS(SET_ACL("file", ACCESS, odd_bits), EINVAL);
	FAILS(SET_ACL("file", ACCESS, odd_tag), EINVAL);
	FAILS(SET_ACL("dir", DEFAULT, no_mask), EINVAL);
	FAILS(setxattr("file", ACCESS, "bad", 3, 0), EINVAL);
	FAILS(setxattr("file", ACCESS, "\3\0\0\0", 4, 0), EOPNOTSUPP);
	FAILS(SET_ACL("file", DEFAULT, handed_down), EACCES);
	FAILS(getxattr("file", DEFAULT, NULL, 0), ENODATA);
	EQUAL(mode_of("file"), 0600);
	as_user(USER, USER);
	FAILS(SET_ACL("file", ACCESS, handed_down), EPERM);
	FAILS(SET_ACL("dir", DEFAULT, handed_down), EPERM);
	FAILS(removexattr("file", ACCESS), EPERM);
}

const struct tap_case acl_cases[] = {
	{ "named_user", named_user },
	{ "named_group", named_group },
	{ "mask", mask },
	{ "minimal", minimal },
	{ "inherited", inherited },
	{ "refused", refused },
	{ NULL, NULL },
};
