/* SPDX-License-Identifier: MIT */
/*
 * fuse_xattr.c - extended attributes.
 *
 * What is not kept (xattr_name.h), as SELinux labels, is refused with EOPNOTSUPP,
 * on which the kernel stops asking for it.
 */
#include "bridge.h"

#include "base/cleanup.h"
#include "volume/acl.h"
#include "volume/file_stored.h"
#include "xattr_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define TRUSTED "trusted."

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether who asks is in the group of the file, or may do as if: the kernel has
 * no word for it that libfuse passes on. Who has more groups than fit is not. */
static bool is_member(fuse_req_t req, fuse_ino_t ino)
{
	enum { GROUPS_MAX = 1024 };
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct volume_attr attr;
	gid_t groups[GROUPS_MAX];
	int n;

	if (ctx->uid == 0)
		return true;
	if (volume_getattr(volume_of(req), ino, &attr) < 0)
		return false;
	if (attr.gid == ctx->gid)
		return true;
	n = fuse_req_getgroups(req, GROUPS_MAX, groups);
	for (int i = 0; i < n && n <= GROUPS_MAX; i++) {
		if (groups[i] == attr.gid)
			return true;
	}
	return false;
}

/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void xattr_set(fuse_req_t req, fuse_ino_t ino, const char *name,
		      const char *value, size_t size, int flags)
{
	int rc = xattr_name_check(name);

	if (rc == 0 && strcmp(name, ACL_ACCESS) == 0 && !is_member(req, ino))
		flags |= VOLUME_XATTR_KILL_SGID;
	if (rc == 0)
		rc = volume_setxattr(volume_of(req), ino, name_of(name),
				     span_of(value, size), flags);
	answer_inode_status(req, rc);
}

/* Answers a value, or its length to whom gave no room. */
static void answer_value(fuse_req_t req, ssize_t len, const char *buf,
			 size_t size)
{
	if (len < 0)
		answer_inode_status(req, (int)len);
	else if (size == 0)
		(void)fuse_reply_xattr(req, (size_t)len);
	else
		(void)fuse_reply_buf(req, buf, (size_t)len);
}

/* Who gives up is not kept waiting by a long file. */
static int weigh(fuse_req_t req, fuse_ino_t ino, struct file_stored *s)
{
	int rc;

	do
		rc = file_stored(volume_of(req), ino, s);
	while (rc == 1 && !fuse_req_interrupted(req));
	return rc == 1 ? -EINTR : rc;
}

/* What the file takes in the store, in decimal. To whom gives no room the
 * longest is told, without adding it up. */
static void get_stored(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct file_stored s = { .off = 0 };
	struct volume_attr attr;
	char text[24] = "18446744073709551615";
	int rc = volume_getattr(volume_of(req), ino, &attr);

	if (rc == 0 && !S_ISREG(attr.mode))
		rc = -ENODATA;
	if (rc == 0 && size > 0) {
		rc = weigh(req, ino, &s);
		(void)snprintf(text, sizeof(text), "%" PRIu64,
			       file_stored_bytes(&s));
	}
	if (rc == 0 && size > 0 && strlen(text) > size)
		rc = -ERANGE;
	answer_value(req, rc < 0 ? rc : (ssize_t)strlen(text), text, size);
}

static void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name,
		      size_t size)
{
	AUTO_FREE char *buf = size > 0 ? malloc(size) : NULL;
	ssize_t len = xattr_name_check(name);

	if (stored_xattr_is(name_of(name))) {
		get_stored(req, ino, size);
		return;
	}
	if (len == 0 && size > 0 && !buf)
		len = -ENOMEM;
	if (len == 0)
		len = volume_getxattr(volume_of(req), ino, name_of(name), buf,
				      size);
	/* Where nobody is checked, `ls -l` is to ask once, not for each file. */
	if (len == -ENODATA && xattr_name_is_acl(name) &&
	    !bridge_of(req)->checked)
		len = -EOPNOTSUPP;
	answer_value(req, len, buf, size);
}

/* Drops the names that only root may see; returns the length of the rest. */
static ssize_t drop_trusted(char *buf, ssize_t len)
{
	ssize_t kept = 0;
	ssize_t at;
	ssize_t step;

	for (at = 0; at < len; at += step) {
		step = (ssize_t)strlen(buf + at) + 1;
		if (has_prefix(buf + at, TRUSTED))
			continue;
		memmove(buf + kept, buf + at, (size_t)step);
		kept += step;
	}
	return kept;
}

/* The names that an ordinary user may see. Those that come while it looks may be
 * too many for `size`, which is then told. */
static void list_visible(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	ssize_t len = volume_listxattr(volume_of(req), ino, NULL, 0);
	AUTO_FREE char *buf = len > 0 ? malloc((size_t)len) : NULL;

	if (len > 0)
		len = buf ? volume_listxattr(volume_of(req), ino, buf,
					     (size_t)len)
			  : -ENOMEM;
	if (len > 0)
		len = drop_trusted(buf, len);
	if (len > 0 && size > 0 && (size_t)len > size)
		len = -ERANGE;
	answer_value(req, len, buf, size);
}

static void list_all(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	AUTO_FREE char *buf = size > 0 ? malloc(size) : NULL;
	ssize_t len = -ENOMEM;

	if (size == 0 || buf)
		len = volume_listxattr(volume_of(req), ino, buf, size);
	answer_value(req, len, buf, size);
}

static void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (fuse_req_ctx(req)->uid == 0)
		list_all(req, ino, size);
	else
		list_visible(req, ino, size);
}

static void xattr_remove(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	int rc = xattr_name_check(name);

	if (rc == 0)
		rc = volume_removexattr(volume_of(req), ino, name_of(name));
	answer_inode_status(req, rc);
}

void xattr_ops(struct fuse_lowlevel_ops *ops)
{
	ops->setxattr = xattr_set;
	ops->getxattr = xattr_get;
	ops->listxattr = xattr_list;
	ops->removexattr = xattr_remove;
}
