/* SPDX-License-Identifier: MIT */
/*
 * options.c - the table of mount options, and parsers of their values.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

enum {
	VALUE_MAX = 256,
	WORKERS_MAX = 256,
	COMMIT_MAX = 3600,
	COLD_SECONDS = 600,
	COLD_MAX = 10000000,
};

#define CACHE_MIN MIB
#define CACHE_MAX (MIB << 20)

/* Sets what it stands for. -EINVAL: not such a value. */
typedef int value_fn(struct mount_options *o, const char *value);

/* An option of ours: name=value. */
struct value_def {
	const char *name;
	value_fn *parse;
	const char *expects; /* for the message */
};

/* An option of mount(2). */
struct flag_def {
	const char *name;
	unsigned long set;
	unsigned long clear;
};

/* ---- values --------------------------------------------------------------- */

int options_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	const char *unit;
	char *end;
	uint64_t value;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0)
		return -EINVAL;
	if (*end != '\0') {
		/* Upper and lower case differ in this bit. */
		unit = strchr(units, *end | 0x20);
		if (!unit || end[1] != '\0')
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -EINVAL;
	*ret = value << shift;
	return 0;
}

static int parse_memory(const char *text, size_t *ret)
{
	uint64_t value;
	int rc = options_parse_size(text, &value);

	if (rc < 0)
		return rc;
	if (value < CACHE_MIN || value > CACHE_MAX)
		return -EINVAL;
	*ret = (size_t)value;
	return 0;
}

static int parse_number(const char *text, unsigned max, unsigned *ret)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || value < 1 || value > max)
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int set_cache(struct mount_options *o, const char *value)
{
	return parse_memory(value, &o->volume.store.cache_len);
}

static int set_dirty(struct mount_options *o, const char *value)
{
	return parse_memory(value, &o->volume.dirty_len);
}

static int set_workers(struct mount_options *o, const char *value)
{
	return parse_number(value, WORKERS_MAX, &o->volume.store.n_workers);
}

static int set_commit(struct mount_options *o, const char *value)
{
	return parse_number(value, COMMIT_MAX, &o->volume.store.commit_seconds);
}

static int set_optimize(struct mount_options *o, const char *value)
{
	unsigned *seconds = &o->volume.store.cold_seconds;

	if (strcmp(value, "off") == 0) {
		*seconds = 0;
		return 0;
	}
	return parse_number(value, COLD_MAX, seconds);
}

static int set_effort(struct mount_options *o, const char *value)
{
	return encode_effort_parse(
		span_of((const uint8_t *)value, strlen(value)),
		&o->volume.store.effort);
}

/* ---- the table ------------------------------------------------------------ */

#define A_MEMORY "a size of 1M to 1T, for example 64M or 1g"

/* clang-format off */
static const struct value_def value_defs[] = {
	{ "cache", set_cache, A_MEMORY },
	{ "cachesize", set_cache, A_MEMORY },
	{ "dirty", set_dirty, A_MEMORY },
	{ "workers", set_workers, "a number of 1 to 256" },
	{ "commit", set_commit, "seconds, 1 to 3600" },
	{ "effort", set_effort, "off, fastest, fast, balanced or small" },
	{ "optimize", set_optimize, "off, or seconds, 1 to 10000000" },
};

static const struct flag_def flag_defs[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "suid", 0, MS_NOSUID },
	{ "nosuid", MS_NOSUID, 0 },
	{ "dev", 0, MS_NODEV },
	{ "nodev", MS_NODEV, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noexec", MS_NOEXEC, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME },
	{ "atime", 0, MS_NOATIME },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "remount", MS_REMOUNT, 0 },
};

/* For libfuse. Not allow_root, which it checks in requests: the kernel asks us
 * too little for that. */
static const char *const passed[] = {
	"allow_other", "auto_unmount", "default_permissions",
};

/* Without effect here, with a value or without. */
static const char *const ignored[] = {
	/* Times of access are always written late. */
	"lazytime", "nolazytime",
	/* For mount(8), fstab(5) and systemd. */
	"defaults", "auto", "noauto", "nofail", "user", "nouser", "users",
	"owner", "group", "_netdev", "comment", "nonempty", "silent", "loud",
	/* What the kernel shows of a mount. */
	"fsname", "subtype", "user_id", "group_id",
};
/* clang-format on */

static bool is_listed(const char *const *list, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(name, list[i]) == 0)
			return true;
	}
	return false;
}

static bool is_ignored(const char *name)
{
	return strncmp(name, "x-", 2) == 0 || strncmp(name, "X-", 2) == 0 ||
	       is_listed(ignored, ARRAY_LEN(ignored), name);
}

static const struct value_def *find_value(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(value_defs); i++) {
		if (strcmp(name, value_defs[i].name) == 0)
			return &value_defs[i];
	}
	return NULL;
}

static const struct flag_def *find_flag(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(flag_defs); i++) {
		if (strcmp(name, flag_defs[i].name) == 0)
			return &flag_defs[i];
	}
	return NULL;
}

/* ---- parsing -------------------------------------------------------------- */

static int fail(char *error, const char *name, const char *text)
{
	(void)snprintf(error, OPTIONS_ERROR_MAX,
		       "mount option '%.100s': %.100s", name, text);
	return -EINVAL;
}

static int pass(struct mount_options *o, const char *name, char *error)
{
	size_t len = strlen(o->passed);
	int n = snprintf(o->passed + len, sizeof(o->passed) - len, ",%s", name);

	if (n < 0 || (size_t)n >= sizeof(o->passed) - len)
		return fail(error, name, "one option too many");
	return 0;
}

static int apply_value(struct mount_options *o, const struct value_def *def,
		       const char *value, char *error)
{
	char text[VALUE_MAX];

	if (value && def->parse(o, value) == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "needs %s", def->expects);
	return fail(error, def->name, text);
}

/* As mount(2) takes them; relatime is what there is without any. */
static unsigned atime_rule(unsigned long flags)
{
	unsigned dirs = flags & MS_NODIRATIME ? VOLUME_ATIME_NOT_DIRS : 0;

	if (flags & (MS_NOATIME | MS_RDONLY))
		return 0;
	if (flags & MS_STRICTATIME)
		return VOLUME_ATIME_STRICT | dirs;
	return VOLUME_ATIME_RELATIVE | dirs;
}

static int apply_flag(struct mount_options *o, const struct flag_def *def)
{
	o->flags = (o->flags | def->set) & ~def->clear;
	o->volume.store.read_only = (o->flags & MS_RDONLY) != 0;
	o->volume.atime = atime_rule(o->flags);
	o->remount = (o->flags & MS_REMOUNT) != 0;
	return 0;
}

/* `value` is NULL when there is no '='. */
static int apply(struct mount_options *o, const char *name, const char *value,
		 char *error)
{
	const struct value_def *value_def = find_value(name);
	const struct flag_def *flag_def = find_flag(name);
	bool pass_on = is_listed(passed, ARRAY_LEN(passed), name);

	if (is_ignored(name))
		return 0;
	if (value_def)
		return apply_value(o, value_def, value, error);
	if (!flag_def && !pass_on)
		return fail(error, name, "unknown");
	if (value)
		return fail(error, name, "takes no value");
	return flag_def ? apply_flag(o, flag_def) : pass(o, name, error);
}

void options_init(struct mount_options *o)
{
	*o = (struct mount_options){ 0 };
	o->volume.store.effort = EFFORT_BALANCED;
	o->volume.store.cold_seconds = COLD_SECONDS;
	o->volume.kernel_times = true;
	o->volume.atime = atime_rule(0);
}

int options_parse(struct mount_options *o, const char *list, char *error)
{
	char one[VALUE_MAX];
	size_t len;
	char *value;
	int rc = 0;

	while (rc == 0 && *list) {
		len = strcspn(list, ",");
		if (len >= sizeof(one)) {
			(void)snprintf(one, sizeof(one), "%.40s...", list);
			return fail(error, one, "too long");
		}
		memcpy(one, list, len);
		one[len] = '\0';
		list += len + (list[len] == ',');
		value = strchr(one, '=');
		if (value)
			*value++ = '\0';
		if (len > 0)
			rc = apply(o, one, value, error);
	}
	return rc;
}

/*
 * Where only root may enter, permission bits decide nothing, and asking the
 * kernel to look at them costs a GETATTR of the directory after every change in
 * it: then they are checked only on request.
 */
bool options_checked(const struct mount_options *o, bool is_root)
{
	return !is_root || strstr(o->passed, "allow_other") ||
	       strstr(o->passed, "default_permissions");
}

/* Whether libfuse has to be told so. */
static bool needs_checks(const struct mount_options *o, bool is_root)
{
	return options_checked(o, is_root) &&
	       !strstr(o->passed, "default_permissions");
}

void options_for_kernel(const struct mount_options *o, bool is_root,
			char *ret_list)
{
	unsigned long f = o->flags;

	/* The names are shorter than the room for one text. */
	(void)snprintf(ret_list, (size_t)2 * OPTIONS_TEXT_MAX,
		       "%s%s%s%s%s%s%s%s%s",
		       needs_checks(o, is_root) ? "default_permissions," : "",
		       f & MS_RDONLY ? "ro" : "rw",
		       f & MS_NOSUID ? ",nosuid"
		       : is_root     ? ",suid"
				     : "",
		       f & MS_NODEV ? ",nodev"
		       : is_root    ? ",dev"
				    : "",
		       f & MS_NOEXEC ? ",noexec" : "",
		       f & MS_SYNCHRONOUS ? ",sync" : "",
		       f & MS_DIRSYNC ? ",dirsync" : "",
		       f & MS_NOATIME ? ",noatime" : "", o->passed);
}
