/* SPDX-License-Identifier: MIT */
/*
 * tar_acl.c - version 2 of the kernel's form: u32 version, then u16 tag, u16
 * permissions and u32 id of each entry, by tag and id.
 */
#include "tar_acl.h"

#include "volume/acl.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

enum { FORM_VERSION = 2, HEAD_LEN = 4, ENTRY_LEN = 8 };

/* In the order that a list has them. */
static const struct {
	uint16_t tag;
	int kind; /* libarchive's */
	bool named;
} tags[] = {
	{ 0x01, ARCHIVE_ENTRY_ACL_USER_OBJ, false },
	{ 0x02, ARCHIVE_ENTRY_ACL_USER, true },
	{ 0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ, false },
	{ 0x08, ARCHIVE_ENTRY_ACL_GROUP, true },
	{ 0x10, ARCHIVE_ENTRY_ACL_MASK, false },
	{ 0x20, ARCHIVE_ENTRY_ACL_OTHER, false },
};

struct entry {
	uint16_t tag;
	uint16_t permissions;
	uint32_t id;
};

static int type_of(const char *name)
{
	return strcmp(name, ACL_DEFAULT) == 0 ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT
					      : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
}

static int put_entry(const struct tar_library *lib, struct archive_entry *e,
		     int type, const uint8_t *from)
{
	const uint16_t tag = get_le16(from);
	size_t i;

	for (i = 0; i < ARRAY_LEN(tags); i++) {
		int id;

		if (tags[i].tag != tag)
			continue;
		id = tags[i].named ? (int)get_le32(from + 4) : -1;
		return lib->archive_entry_acl_add_entry(
			       e, type, get_le16(from + 2) & 7, tags[i].kind,
			       id, NULL) == ARCHIVE_OK
			       ? 0
			       : -EUCLEAN;
	}
	return -EUCLEAN;
}

int tar_acl_put(const struct tar_library *lib, struct archive_entry *e,
		const char *name, struct span value)
{
	size_t at;
	int rc = acl_check(value);

	for (at = HEAD_LEN; rc == 0 && at + ENTRY_LEN <= value.len;
	     at += ENTRY_LEN)
		rc = put_entry(lib, e, type_of(name), value.ptr + at);
	return rc;
}

/* A person or group that the archive names without a number. */
static int find_id(int kind, const char *name, uint32_t *ret)
{
	const struct passwd *user;
	const struct group *group;

	if (!name)
		return -ENXIO;
	if (kind == ARCHIVE_ENTRY_ACL_USER) {
		user = getpwnam(name);
		*ret = user ? user->pw_uid : 0;
		return user ? 0 : -ENXIO;
	}
	group = getgrnam(name);
	*ret = group ? group->gr_gid : 0;
	return group ? 0 : -ENXIO;
}

static int by_tag_and_id(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* What the library has told of one entry. */
struct told {
	int type, permissions, kind, id;
	const char *name;
};

static int take_entry(const struct told *t, struct entry *ret)
{
	size_t i = 0;

	while (i < ARRAY_LEN(tags) && tags[i].kind != t->kind)
		i++;
	if (i == ARRAY_LEN(tags))
		return -EUCLEAN;
	*ret = (struct entry){ tags[i].tag, (uint16_t)(t->permissions & 7),
			       UINT32_MAX };
	if (!tags[i].named)
		return 0;
	ret->id = (uint32_t)t->id;
	return t->id >= 0 ? 0 : find_id(t->kind, t->name, &ret->id);
}

static int take_all(const struct tar_library *lib, struct archive_entry *e,
		    int type, struct entry *entries, size_t *ret_n)
{
	struct told t = { 0 };
	int rc = 0;

	*ret_n = 0;
	while (rc == 0 && lib->archive_entry_acl_next(
				  e, type, &t.type, &t.permissions, &t.kind,
				  &t.id, &t.name) == ARCHIVE_OK) {
		if (*ret_n == TAR_ACL_ENTRIES_MAX)
			return -EFBIG;
		rc = take_entry(&t, &entries[(*ret_n)++]);
	}
	return rc;
}

ssize_t tar_acl_get(const struct tar_library *lib, struct archive_entry *e,
		    const char *name, uint8_t *ret)
{
	const int type = type_of(name);
	struct entry *entries;
	size_t n;
	size_t i;
	int rc;

	if (lib->archive_entry_acl_reset(e, type) == 0)
		return 0;
	entries = calloc(TAR_ACL_ENTRIES_MAX, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	rc = take_all(lib, e, type, entries, &n);
	qsort(entries, n, sizeof(*entries), by_tag_and_id);
	put_le32(ret, FORM_VERSION);
	for (i = 0; rc == 0 && i < n; i++) {
		uint8_t *to = ret + HEAD_LEN + i * ENTRY_LEN;

		put_le16(to, entries[i].tag);
		put_le16(to + 2, entries[i].permissions);
		put_le32(to + 4, entries[i].id);
	}
	free(entries);
	if (rc < 0 || n == 0)
		return rc;
	return (ssize_t)(HEAD_LEN + n * ENTRY_LEN);
}
