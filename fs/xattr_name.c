/* SPDX-License-Identifier: MIT */
/*
 * xattr_name.c - names of extended attributes.
 */
#include "xattr_name.h"

#include "base/bytes.h"
#include "volume/acl.h"

bool xattr_name_is_acl(const char *name)
{
	return strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

int xattr_name_check(const char *name)
{
	static const char *const kept[] = { "user.", "trusted.", "security." };
	size_t i;

	if (strcmp(name, "security.selinux") == 0)
		return -EOPNOTSUPP;
	if (xattr_name_is_acl(name))
		return 0;
	for (i = 0; i < ARRAY_LEN(kept); i++) {
		size_t len = strlen(kept[i]);

		if (strncmp(name, kept[i], len) == 0)
			return name[len] == '\0' ? -EINVAL : 0;
	}
	return -EOPNOTSUPP;
}
