/* SPDX-License-Identifier: MIT */
/* policy_xattr.c - a policy as an extended attribute. */
#include "volume/policy_xattr.h"

#include "codec/policy.h"
#include "volume/volume_impl.h"

#include <sys/stat.h>
#include <sys/xattr.h>

bool policy_xattr_is(struct span name)
{
	return name.len == sizeof(POLICY_XATTR) - 1 &&
	       memcmp(name.ptr, POLICY_XATTR, name.len) == 0;
}

static uint64_t bits_of(struct inode *inode)
{
	uint64_t bits;

	sync_lock(&inode->lock);
	bits = inode->image.policy;
	sync_unlock(&inode->lock);
	return bits;
}

static void change(struct volume *v, struct inode *inode, uint64_t bits)
{
	sync_lock(&inode->lock);
	inode->image.policy = bits;
	inode->image.attr.ctime = volume_now();
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
}

int policy_xattr_set(struct volume *v, struct inode *inode, struct span value,
		     int flags)
{
	struct volume_attr attr;
	struct policy policy;
	uint64_t old = bits_of(inode);
	int rc = policy_parse(value, &policy);

	inode_attr(inode, &attr);
	if (!S_ISREG(attr.mode) && !S_ISDIR(attr.mode))
		return -EPERM;
	if (rc)
		return rc;
	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && flags & XATTR_REPLACE)
		return -ENODATA;
	change(v, inode, policy_pack(&policy));
	return 0;
}

int policy_xattr_remove(struct volume *v, struct inode *inode)
{
	if (!bits_of(inode))
		return -ENODATA;
	change(v, inode, 0);
	return 0;
}

ssize_t policy_xattr_get(struct inode *inode, void *buf, size_t cap)
{
	char text[POLICY_TEXT_MAX];
	struct policy policy;
	size_t len;

	policy_unpack(bits_of(inode), &policy);
	len = policy_print(&policy, text);
	if (len == 0)
		return -ENODATA;
	if (cap > 0 && len > cap)
		return -ERANGE;
	if (cap > 0)
		memcpy(buf, text, len);
	return (ssize_t)len;
}

uint64_t policy_xattr_inherited(struct inode *dir, uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) ? bits_of(dir) : 0;
}
