/* SPDX-License-Identifier: MIT */
/*
 * test_options.c - tests of fs/options.c.
 */
#include "options.h"
#include "unit/fs/suites.h"

#include "lib/suite.h"

#include <sys/mount.h>

static char error[OPTIONS_ERROR_MAX];

static struct mount_options parsed(const char *list)
{
	struct mount_options o;

	options_init(&o);
	ck_assert_msg(options_parse(&o, list, error) == 0, "%s: %s", list,
		      error);
	return o;
}

static void refused(const char *list, const char *wanted)
{
	struct mount_options o;

	options_init(&o);
	ck_rc(options_parse(&o, list, error), -EINVAL);
	ck_assert_msg(strstr(error, wanted) != NULL, "%s: %s", list, error);
}

START_TEST(has_defaults)
{
	struct mount_options o = parsed("");

	ck_assert(!o.volume.store.read_only);
	ck_assert(o.volume.kernel_times);
	ck_assert_uint_eq(o.volume.store.cache_len, 0);
	ck_assert_int_eq(o.volume.store.effort, EFFORT_BALANCED);
	ck_assert_uint_eq(o.volume.store.cold_seconds, 600);
	ck_assert_str_eq(o.passed, "");
}
END_TEST

START_TEST(takes_our_own)
{
	struct mount_options o = parsed("cache=64M,dirty=1g,workers=3,commit=9,"
					"effort=small,optimize=30");

	ck_assert_uint_eq(o.volume.store.cache_len, 64 * MIB);
	ck_assert_uint_eq(o.volume.dirty_len, 1024 * MIB);
	ck_assert_uint_eq(o.volume.store.n_workers, 3);
	ck_assert_uint_eq(o.volume.store.commit_seconds, 9);
	ck_assert_int_eq(o.volume.store.effort, EFFORT_SMALL);
	ck_assert_uint_eq(o.volume.store.cold_seconds, 30);
	o = parsed("effort=off,cachesize=2097152,cache=3M,optimize=off");
	ck_assert_uint_eq(o.volume.store.cold_seconds, 0);
	ck_assert_int_eq(o.volume.store.effort, EFFORT_STORE);
	ck_assert_uint_eq(o.volume.store.cache_len, 3 * MIB);
}
END_TEST

START_TEST(takes_those_of_the_kernel)
{
	char list[2 * OPTIONS_TEXT_MAX];
	struct mount_options o =
		parsed("ro,noexec,nosuid,dev,sync,allow_other");

	ck_assert(o.volume.store.read_only);
	ck_assert_uint_eq(o.flags,
			  MS_RDONLY | MS_NOEXEC | MS_NOSUID | MS_SYNCHRONOUS);
	options_for_kernel(&o, true, list);
	ck_assert_str_eq(list, "default_permissions,ro,nosuid,dev,noexec,sync,"
			       "allow_other");
	o = parsed("ro,rw");
	ck_assert(!o.volume.store.read_only);
	ck_assert(options_checked(&o, false) && !options_checked(&o, true));
	options_for_kernel(&o, false, list);
	ck_assert_str_eq(list, "default_permissions,rw");
	options_for_kernel(&o, true, list);
	ck_assert_str_eq(list, "rw,suid,dev");
	o = parsed("default_permissions");
	ck_assert(options_checked(&o, true));
	options_for_kernel(&o, true, list);
	ck_assert_str_eq(list, "rw,suid,dev,default_permissions");
	o = parsed("remount,ro");
	ck_assert(o.remount);
	ck_assert_str_eq(o.passed, "");
}
END_TEST

/* As mount(2) takes them, the later one of two first. */
START_TEST(knows_when_reading_counts)
{
	static const struct {
		const char *list;
		unsigned rule;
	} cases[] = {
		{ "", VOLUME_ATIME_RELATIVE },
		{ "relatime", VOLUME_ATIME_RELATIVE },
		{ "norelatime", VOLUME_ATIME_RELATIVE },
		{ "lazytime", VOLUME_ATIME_RELATIVE },
		{ "noatime", 0 },
		{ "noatime,atime", VOLUME_ATIME_RELATIVE },
		{ "noatime,relatime", VOLUME_ATIME_RELATIVE },
		{ "noatime,strictatime", VOLUME_ATIME_STRICT },
		{ "strictatime", VOLUME_ATIME_STRICT },
		{ "strictatime,noatime", 0 },
		{ "strictatime,relatime", VOLUME_ATIME_RELATIVE },
		{ "strictatime,nostrictatime", VOLUME_ATIME_RELATIVE },
		{ "strictatime,nodiratime",
		  VOLUME_ATIME_STRICT | VOLUME_ATIME_NOT_DIRS },
		{ "nodiratime", VOLUME_ATIME_RELATIVE | VOLUME_ATIME_NOT_DIRS },
		{ "nodiratime,diratime", VOLUME_ATIME_RELATIVE },
		{ "ro,strictatime", 0 },
		{ "ro,strictatime,rw", VOLUME_ATIME_STRICT },
	};
	struct mount_options o;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		o = parsed(cases[i].list);
		ck_assert_msg(o.volume.atime == cases[i].rule, "%s: %u",
			      cases[i].list, o.volume.atime);
	}
	/* remount hands them on to mount(2). */
	o = parsed("strictatime,nodiratime");
	ck_assert_uint_eq(o.flags, MS_STRICTATIME | MS_NODIRATIME);
}
END_TEST

START_TEST(tolerates_those_of_others)
{
	struct mount_options o =
		parsed("defaults,auto,noauto,nofail,user,users,owner,group,"
		       "_netdev,comment=a b,x-systemd.automount,"
		       "x-gvfs-name=X,X-mount.mkdir,lazytime,"
		       "fsname=other,subtype=x,"
		       "user_id=0,group_id=0,,");

	ck_assert_str_eq(o.passed, "");
	ck_assert_uint_eq(o.flags, 0);
}
END_TEST

START_TEST(names_what_it_refuses)
{
	char list[600];

	refused("nonsense", "'nonsense': unknown");
	refused("allow_root", "'allow_root': unknown");
	refused("ro,nonsense=4", "'nonsense': unknown");
	refused("cache", "'cache': needs a size");
	refused("cache=", "'cache': needs a size");
	refused("cache=1023k", "'cache': needs a size");
	refused("cache=2T", "'cache': needs a size");
	refused("workers=0", "'workers': needs a number");
	refused("workers=257", "'workers'");
	refused("workers=-1", "'workers'");
	refused("workers=1x", "'workers'");
	refused("commit=0", "'commit': needs seconds");
	refused("commit=3601", "'commit'");
	refused("effort=most", "'effort': needs off, fastest");
	refused("optimize=0", "'optimize': needs off, or seconds");
	refused("optimize=on", "'optimize'");
	refused("optimize", "'optimize'");
	refused("ro=1", "'ro': takes no value");
	refused("allow_other=1", "'allow_other': takes no value");
	refused("=", "");
	memset(list, 'x', sizeof(list) - 1);
	list[sizeof(list) - 1] = '\0';
	refused(list, "too long");
}
END_TEST

START_TEST(bounds_what_it_passes)
{
	struct mount_options o;
	int rc = 0;
	int i;

	options_init(&o);
	for (i = 0; i < 1000 && rc == 0; i++)
		rc = options_parse(&o, "allow_other", error);
	ck_rc(rc, -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "too many"));
}
END_TEST

START_TEST(parses_sizes)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "1k", 1024 },
		{ "2K", 2048 },
		{ "3m", 3 * MIB },
		{ "4M", 4 * MIB },
		{ "1g", 1024 * MIB },
		{ "1T", MIB * MIB },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"",
		"k",
		"-1",
		"+1",
		" 1",
		"1kb",
		"1 k",
		"1.5",
		"0x10",
		"1p",
		"18446744073709551616",
		"16777216T",
	};
	uint64_t value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		ck_ok(options_parse_size(good[i].text, &value));
		ck_assert_uint_eq(value, good[i].value);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ck_rc(options_parse_size(bad[i], &value), -EINVAL);
}
END_TEST

Suite *suite_options(void)
{
	const TTest *const tests[] = {
		has_defaults,
		takes_our_own,
		takes_those_of_the_kernel,
		knows_when_reading_counts,
		tolerates_those_of_others,
		names_what_it_refuses,
		bounds_what_it_passes,
		parses_sizes,
	};

	return suite_of("fs/options", tests, sizeof(tests) / sizeof(tests[0]),
			10);
}
