/* SPDX-License-Identifier: MIT */
/*
 * mountinfo.c - parsing and searching /proc/self/mountinfo (proc(5)).
 *
 *     36 35 98:0 /root /mnt rw,noatime shared:1 - fuse.sigmafs /store rw,...
 */
#include "mountinfo.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MOUNTINFO "/proc/self/mountinfo"

/* Copies a field up to `end`, turning \040 back into a blank and so on. */
static int unescape(const char *at, const char *end, char *dst, size_t cap)
{
	size_t len = 0;

	while (at < end) {
		char c = *at++;

		if (c == '\\' && end - at >= 3) {
			c = (char)((at[0] - '0') << 6 | (at[1] - '0') << 3 |
				   (at[2] - '0'));
			at += 3;
		}
		if (len + 1 >= cap)
			return -ENAMETOOLONG;
		dst[len++] = c;
	}
	dst[len] = '\0';
	return 0;
}

/* The field at *at, whose end is returned; *at moves on to the next one. NULL:
 * there is none. */
static const char *next_field(const char **at, const char **ret_start)
{
	const char *start = *at + strspn(*at, " \n");
	const char *end = start + strcspn(start, " \n");

	if (end == start)
		return NULL;
	*ret_start = start;
	*at = end;
	return end;
}

static int copy_field(const char **at, char *dst, size_t cap)
{
	const char *start;
	const char *end = next_field(at, &start);

	return end ? unescape(start, end, dst, cap) : -EINVAL;
}

/* Whether the list of options at *at begins with "ro". */
static int take_ro(const char **at, bool *ret)
{
	const char *start;
	const char *end = next_field(at, &start);

	if (!end)
		return -EINVAL;
	if (end - start >= 2 && memcmp(start, "ro", 2) == 0)
		*ret = *ret || start + 2 == end || start[2] == ',';
	return 0;
}

/* Skips the optional fields, up to behind the lone hyphen. */
static int skip_optional(const char **at)
{
	const char *start;
	const char *end;

	do {
		end = next_field(at, &start);
		if (!end)
			return -EINVAL;
	} while (end - start != 1 || *start != '-');
	return 0;
}

/* The third field, "MAJOR:MINOR". */
static int take_dev(const char **at, dev_t *ret)
{
	const char *start;
	char *end;
	unsigned long major;
	unsigned long minor;

	if (!next_field(at, &start) || *start < '0' || *start > '9')
		return -EINVAL;
	major = strtoul(start, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	minor = strtoul(end + 1, &end, 10);
	if (end != *at)
		return -EINVAL;
	*ret = makedev((unsigned)major, (unsigned)minor);
	return 0;
}

static int skip_fields(const char **at, unsigned n)
{
	const char *start;

	while (n-- > 0) {
		if (!next_field(at, &start))
			return -EINVAL;
	}
	return 0;
}

int mountinfo_parse(const char *line, struct mount_entry *ret)
{
	int rc = skip_fields(&line, 2);

	ret->read_only = false;
	if (rc == 0)
		rc = take_dev(&line, &ret->dev);
	if (rc == 0)
		rc = skip_fields(&line, 1);
	if (rc == 0)
		rc = copy_field(&line, ret->dir, sizeof(ret->dir));
	if (rc == 0)
		rc = take_ro(&line, &ret->read_only);
	if (rc == 0)
		rc = skip_optional(&line);
	if (rc == 0)
		rc = copy_field(&line, ret->type, sizeof(ret->type));
	if (rc == 0)
		rc = copy_field(&line, ret->source, sizeof(ret->source));
	if (rc == 0)
		rc = take_ro(&line, &ret->read_only);
	return rc;
}

typedef bool match_fn(const struct mount_entry *e, const void *wanted);

/* The last match is the topmost mount. */
static int search(match_fn *matches, const void *wanted,
		  struct mount_entry *ret)
{
	AUTO_FREE char *line = NULL;
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	FILE *file = entry ? fopen(MOUNTINFO, "re") : NULL;
	size_t cap = 0;
	int rc = -ENOENT;

	if (!file)
		return entry ? -errno : -ENOMEM;
	while (getline(&line, &cap, file) >= 0) {
		if (mountinfo_parse(line, entry) == 0 &&
		    matches(entry, wanted)) {
			*ret = *entry;
			rc = 0;
		}
	}
	(void)fclose(file);
	return rc;
}

static bool is_at(const struct mount_entry *e, const void *wanted)
{
	return strcmp(e->dir, wanted) == 0;
}

static bool is_dev(const struct mount_entry *e, const void *wanted)
{
	return e->dev == *(const dev_t *)wanted;
}

static bool is_twin(const struct mount_entry *e, const void *wanted)
{
	const struct mount_entry *other = wanted;

	return e->dev == other->dev && strcmp(e->dir, other->dir) != 0;
}

int mountinfo_find(const char *dir, struct mount_entry *ret)
{
	return search(is_at, dir, ret);
}

int mountinfo_find_dev(dev_t dev, struct mount_entry *ret)
{
	return search(is_dev, &dev, ret);
}

int mountinfo_find_twin(const struct mount_entry *e, struct mount_entry *ret)
{
	return search(is_twin, e, ret);
}

int mountinfo_find_store(const char *path, struct mount_entry *ret)
{
	char dir[PATH_MAX];
	struct stat st;
	int rc = mountinfo_resolve(path, dir);

	if (rc == 0)
		rc = mountinfo_find(dir, ret);
	if (rc == -ENOENT && stat(path, &st) == 0)
		rc = mountinfo_find_dev(st.st_dev, ret);
	if (rc == 0 && strcmp(ret->type, MOUNTINFO_TYPE) != 0)
		rc = -ENOENT;
	return rc;
}

/* Whether the last component has to be followed to know what it means. */
static bool ends_in_dots(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static int resolve_whole(const char *path, char *ret)
{
	return realpath(path, ret) ? 0 : -errno;
}

/* The parent's real path, and the last component as it is. */
static int resolve_parent(char *path, char *ret)
{
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len;
	int n;

	if (slash)
		*slash = '\0';
	if (!realpath(!slash ? "." : slash == path ? "/" : path, ret))
		return -errno;
	len = strcmp(ret, "/") == 0 ? 0 : strlen(ret);
	n = snprintf(ret + len, PATH_MAX - len, "/%s", name);
	return n < 0 || (size_t)n >= PATH_MAX - len ? -ENAMETOOLONG : 0;
}

int mountinfo_resolve(const char *path, char *ret)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return -ENOENT;
	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, len);
	copy[len] = '\0';
	if (ends_in_dots(copy) ||
	    (lstat(copy, &st) == 0 && S_ISLNK(st.st_mode)))
		return resolve_whole(copy, ret);
	return resolve_parent(copy, ret);
}
