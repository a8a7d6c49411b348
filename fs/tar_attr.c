/* SPDX-License-Identifier: MIT */
/*
 * tar_attr.c - attributes of a member.
 */
#include "tar_import.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "tar_acl.h"
#include "volume/acl.h"
#include "volume/policy_xattr.h"
#include "xattr_name.h"

#include <stdlib.h>
#include <sys/stat.h>

/* An attribute of the member as the archive has it; false: there is none. */
static bool find_xattr(const struct importing *m, const char *wanted,
		       struct span *ret)
{
	const char *name;
	const void *value;
	size_t len;

	m->lib.archive_entry_xattr_reset(m->entry);
	while (m->lib.archive_entry_xattr_next(m->entry, &name, &value, &len) ==
	       ARCHIVE_OK) {
		*ret = span_of(value, len);
		if (strcmp(name, wanted) == 0)
			return true;
	}
	return false;
}

/* When the mode is right: it follows them, and they follow it. */
static int put_acl(struct importing *m, uint64_t ino, const char *name)
{
	AUTO_FREE uint8_t *list = malloc(TAR_ACL_LEN);
	struct span value = { NULL, 0 };
	ssize_t n = list ? 0 : -ENOMEM;

	/* GNU tar has it also, or only, as the attribute that it is. */
	if (n == 0 && !find_xattr(m, name, &value)) {
		n = tar_acl_get(&m->lib, m->entry, name, list);
		value = span_of(list, n > 0 ? (size_t)n : 0);
	}
	if (n >= 0 && value.len > 0)
		n = volume_setxattr(m->v, ino, span_of(name, strlen(name)),
				    value, 0);
	if (n == -ENXIO)
		(void)tar_problem(m, "its ACL names somebody who is not known "
				     "here: left out");
	else if (n == -EINVAL || n == -EFBIG || n == -EUCLEAN)
		(void)tar_problem(m, "an ACL that makes no sense: left out");
	else if (n < 0)
		return tar_fail(m, (int)n);
	return 0;
}

/* What was inherited, or was there, is not the archive's. */
static int drop_acl(struct importing *m, uint64_t ino, const char *name)
{
	const struct span text = span_of(name, strlen(name));
	int rc = 0;

	if (volume_getxattr(m->v, ino, text, NULL, 0) > 0)
		rc = volume_removexattr(m->v, ino, text);
	return rc < 0 ? tar_fail(m, rc) : 0;
}

static int put_xattr(struct importing *m, uint64_t ino, const char *said,
		     struct span value)
{
	AUTO_FREE char *name = NULL;
	int rc = -ENOMEM;

	/* put_acl()'s. */
	if (xattr_name_is_acl(said))
		return 0;
	name = strdup(said);
	if (name) {
		tar_decode_xattr(name);
		rc = xattr_name_check(name);
		if (rc == 0)
			rc = volume_setxattr(m->v, ino,
					     span_of(name, strlen(name)), value,
					     0);
	}
	if (rc == 0 || rc == -ENOMEM || rc == -EROFS || rc == -EIO)
		return rc < 0 ? tar_fail(m, rc) : 0;
	m->job->n_problems++;
	report_error("'%s': attribute '%s': %s", m->said, said, error_text(rc));
	return 0;
}

/* An archive that has given the directory a policy has given its members theirs,
 * or none; elsewhere they inherit one, as what is new does. */
static int settle_policy(struct importing *m, uint64_t ino)
{
	static const char name[] = POLICY_XATTR;
	struct span value;
	int rc = 0;

	if (find_xattr(m, name, &value))
		rc = idmap_set(&m->policies, ino, 1);
	else if (idmap_find(&m->policies, m->dir))
		rc = volume_removexattr(m->v, ino,
					span_of(name, sizeof(name) - 1));
	return rc < 0 && rc != -ENODATA ? tar_fail(m, rc) : 0;
}

int tar_put_xattrs(struct importing *m, uint64_t ino)
{
	const char *name;
	const void *value;
	size_t len;
	int rc = 0;

	m->lib.archive_entry_xattr_reset(m->entry);
	while (rc == 0 && m->lib.archive_entry_xattr_next(
				  m->entry, &name, &value, &len) == ARCHIVE_OK)
		rc = put_xattr(m, ino, name, span_of(value, len));
	if (rc == 0)
		rc = settle_policy(m, ino);
	return rc;
}

/* What of the archive's times is there; now where there is none. */
static unsigned take_times(const struct importing *m, struct volume_attr *ret)
{
	struct archive_entry *e = m->entry;
	unsigned mask = 0;

	if (m->lib.archive_entry_mtime_is_set(e)) {
		ret->mtime.sec = m->lib.archive_entry_mtime(e);
		ret->mtime.nsec = (uint32_t)m->lib.archive_entry_mtime_nsec(e);
		mask |= SET_MTIME;
	} else {
		mask |= SET_MTIME | SET_MTIME_NOW;
	}
	if (m->lib.archive_entry_atime_is_set(e)) {
		ret->atime.sec = m->lib.archive_entry_atime(e);
		ret->atime.nsec = (uint32_t)m->lib.archive_entry_atime_nsec(e);
		mask |= SET_ATIME;
	} else {
		mask |= SET_ATIME | SET_ATIME_NOW;
	}
	return mask;
}

int tar_put_attr(struct importing *m, uint64_t ino)
{
	struct volume_attr attr = {
		.mode = m->lib.archive_entry_perm(m->entry),
		.uid = (uint32_t)m->lib.archive_entry_uid(m->entry),
		.gid = (uint32_t)m->lib.archive_entry_gid(m->entry),
	};
	const bool is_dir = m->lib.archive_entry_filetype(m->entry) == AE_IFDIR;
	unsigned mask = SET_MODE | SET_UID | SET_GID | take_times(m, &attr);
	int rc = drop_acl(m, ino, ACL_ACCESS);

	if (rc == 0 && is_dir)
		rc = drop_acl(m, ino, ACL_DEFAULT);
	if (rc != 0)
		return rc;
	rc = volume_setattr(m->v, ino, mask, &attr, &attr);
	if (rc < 0)
		return tar_fail(m, rc);
	if (S_ISLNK(attr.mode))
		return 0;
	rc = put_acl(m, ino, ACL_ACCESS);
	return rc == 0 && is_dir ? put_acl(m, ino, ACL_DEFAULT) : rc;
}

int tar_put_late(struct importing *m, uint64_t ino)
{
	struct volume_attr attr = { .ino = ino };
	unsigned mask = take_times(m, &attr);

	if (m->n_late == m->late_cap) {
		size_t cap = m->late_cap > 0 ? m->late_cap * 2 : 64;
		struct late *late = reallocarray(m->late, cap, sizeof(*late));

		if (!late)
			return tar_fail(m, -ENOMEM);
		m->late = late;
		m->late_cap = cap;
	}
	m->late[m->n_late++] =
		(struct late){ ino, mask, attr.atime, attr.mtime };
	return 0;
}

int tar_set_late(struct importing *m)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < m->n_late; i++) {
		struct volume_attr attr = { .atime = m->late[i].atime,
					    .mtime = m->late[i].mtime };

		rc = volume_setattr(m->v, m->late[i].ino, m->late[i].mask,
				    &attr, &attr);
		/* The archive has put something else there since. */
		if (rc == -ENOENT)
			rc = 0;
	}
	if (rc < 0)
		report_error("times of directories: %s", error_text(rc));
	return rc;
}
