/* SPDX-License-Identifier: MIT */
/* acl_xattr.c - lists of inodes: set, inherited, changed with the mode. */
#include "volume/acl_xattr.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "volume/acl.h"
#include "volume/volume_impl.h"
#include "volume/xattr.h"

#include <sys/stat.h>

static const struct span access_name = { (const uint8_t *)ACL_ACCESS,
					 sizeof(ACL_ACCESS) - 1 };
static const struct span default_name = { (const uint8_t *)ACL_DEFAULT,
					  sizeof(ACL_DEFAULT) - 1 };

static bool is_named(struct span name, struct span wanted)
{
	return name.len == wanted.len &&
	       memcmp(name.ptr, wanted.ptr, name.len) == 0;
}

bool acl_xattr_is(struct span name)
{
	return is_named(name, access_name) || is_named(name, default_name);
}

/* A copy of a list that the inode has, owned by the caller; NULL: it has none. */
static int read_list(struct volume *v, struct inode *inode, struct span name,
		     uint8_t **ret, size_t *ret_len)
{
	ssize_t len = xattr_find(v, inode, name, NULL, 0);
	AUTO_FREE uint8_t *list = NULL;

	*ret = NULL;
	*ret_len = 0;
	if (len == -ENODATA)
		return 0;
	if (len <= 0)
		return len < 0 ? (int)len
			       : corrupt("access control list of inode %llu"
					 " is empty",
					 (unsigned long long)inode->ino);
	list = malloc((size_t)len);
	if (!list)
		return -ENOMEM;
	len = xattr_find(v, inode, name, list, (size_t)len);
	if (len < 0)
		return (int)len;
	if (acl_check(span_of(list, (size_t)len)))
		return corrupt("access control list of inode %llu is damaged",
			       (unsigned long long)inode->ino);
	*ret = steal_ptr(&list);
	*ret_len = (size_t)len;
	return 0;
}

static int put_list(struct volume *v, struct inode *inode, struct span name,
		    struct span list)
{
	const struct op_xattr op = { .ino = inode->ino,
				     .name = name,
				     .value = list };

	return xattr_set(v, inode, &op, 0);
}

static void show_mode(struct volume *v, struct inode *inode, uint32_t bits,
		      bool kill_sgid)
{
	struct volume_attr *attr = &inode->image.attr;

	sync_lock(&inode->lock);
	attr->mode = (attr->mode & ~(uint32_t)ACCESSPERMS) | bits;
	if (kill_sgid)
		attr->mode &= ~(uint32_t)S_ISGID;
	attr->ctime = volume_now();
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
}

int acl_xattr_set(struct volume *v, struct inode *inode,
		  const struct op_xattr *op, int flags)
{
	bool is_access = is_named(op->name, access_name);
	struct volume_attr attr;
	int rc = acl_check(op->value);

	inode_attr(inode, &attr);
	if (S_ISLNK(attr.mode))
		rc = -EOPNOTSUPP;
	else if (!rc && !is_access && !S_ISDIR(attr.mode))
		rc = -EACCES;
	if (rc)
		return rc;
	if (is_access && acl_is_mode(op->value))
		rc = xattr_remove(v, inode, op->name);
	else
		rc = xattr_set(v, inode, op, 0);
	if (rc >= 0 && is_access)
		show_mode(v, inode, acl_mode(op->value),
			  flags & VOLUME_XATTR_KILL_SGID);
	return rc < 0 ? rc : 0;
}

int acl_xattr_chmod(struct volume *v, struct inode *inode, uint32_t mode)
{
	uint8_t *list;
	size_t len;
	int rc = read_list(v, inode, access_name, &list, &len);

	if (rc || !list)
		return rc;
	acl_chmod(list, len, mode);
	rc = put_list(v, inode, access_name, span_of(list, len));
	free(list);
	return rc;
}

/* ---- inheriting ----------------------------------------------------------------- */

int acl_xattr_inherit(struct volume *v, struct inode *dir, uint32_t umask,
		      struct inode_image *image, struct acl_inherited *ret)
{
	struct volume_attr *attr = &image->attr;
	AUTO_FREE uint8_t *list = NULL;
	AUTO_FREE uint8_t *access = NULL;
	size_t len;
	int rc;

	*ret = (struct acl_inherited){ 0 };
	if (S_ISLNK(attr->mode))
		return 0;
	rc = read_list(v, dir, default_name, &list, &len);
	if (rc)
		return rc;
	if (!list) {
		attr->mode &= ~(umask & ACCESSPERMS);
		return 0;
	}
	access = malloc(len);
	if (!access)
		return -ENOMEM;
	memcpy(access, list, len);
	attr->mode = acl_create(access, len, attr->mode);
	ret->len = len;
	if (!acl_is_mode(span_of(access, len)))
		ret->access = steal_ptr(&access);
	if (S_ISDIR(attr->mode))
		ret->handed_down = steal_ptr(&list);
	return 0;
}

int acl_xattr_give(struct volume *v, struct inode *inode,
		   const struct acl_inherited *lists)
{
	int rc = 0;

	if (lists->access)
		rc = put_list(v, inode, access_name,
			      span_of(lists->access, lists->len));
	if (!rc && lists->handed_down)
		rc = put_list(v, inode, default_name,
			      span_of(lists->handed_down, lists->len));
	return rc;
}

void acl_inherited_release(struct acl_inherited *lists)
{
	free(lists->access);
	free(lists->handed_down);
}
