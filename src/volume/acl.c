/* SPDX-License-Identifier: MIT */
/* acl.c - lists of who may do what, without knowing of any file. */
#include "volume/acl.h"

#include <errno.h>
#include <sys/stat.h>

enum {
	ACL_VERSION = 2,
	HEAD_LEN = 4,
	ENTRY_LEN = 8,
	TAG_OFF = 0,
	BITS_OFF = 2,
	BITS_MAX = 7,
};

/* Kinds of entries, in the order in which they come. */
enum {
	TAG_OWNER = 0x01,
	TAG_USER = 0x02,
	TAG_GROUP = 0x04,
	TAG_NAMED_GROUP = 0x08,
	TAG_MASK = 0x10,
	TAG_OTHERS = 0x20,
};

static size_t n_entries(size_t len)
{
	return (len - HEAD_LEN) / ENTRY_LEN;
}

static size_t entry_off(size_t i)
{
	return HEAD_LEN + i * ENTRY_LEN;
}

static uint32_t tag_at(struct span acl, size_t i)
{
	return get_le16(acl.ptr + entry_off(i) + TAG_OFF);
}

static uint32_t bits_at(struct span acl, size_t i)
{
	return get_le16(acl.ptr + entry_off(i) + BITS_OFF);
}

/* ---- checking ------------------------------------------------------------------- */

/* Whether an entry of kind `tag` may come after one of kind `last`. */
static bool may_follow(uint32_t last, uint32_t tag)
{
	switch (tag) {
	case TAG_OWNER:
		return last == 0;
	case TAG_USER:
	case TAG_GROUP:
		return last == TAG_OWNER || last == TAG_USER;
	case TAG_NAMED_GROUP:
	case TAG_MASK:
		return last == TAG_GROUP || last == TAG_NAMED_GROUP;
	case TAG_OTHERS:
		return last == TAG_GROUP || last == TAG_MASK;
	default:
		return false;
	}
}

int acl_check(struct span acl)
{
	uint32_t last = 0;
	bool named = false;
	bool masked = false;

	if (acl.len < HEAD_LEN)
		return -EINVAL;
	if (get_le32(acl.ptr) != ACL_VERSION)
		return -EOPNOTSUPP;
	if ((acl.len - HEAD_LEN) % ENTRY_LEN != 0)
		return -EINVAL;
	for (size_t i = 0; i < n_entries(acl.len); i++) {
		uint32_t tag = tag_at(acl, i);

		if (!may_follow(last, tag) || bits_at(acl, i) > BITS_MAX)
			return -EINVAL;
		named |= tag == TAG_USER || tag == TAG_NAMED_GROUP;
		masked |= tag == TAG_MASK;
		last = tag;
	}
	return last == TAG_OTHERS && (masked || !named) ? 0 : -EINVAL;
}

/* ---- modes ---------------------------------------------------------------------- */

bool acl_is_mode(struct span acl)
{
	return n_entries(acl.len) == 3;
}

/* The shift in a mode of what the entry shows there, or -1. With a mask that is
 * what stands for the group. */
static int shift_of(struct span acl, size_t i)
{
	switch (tag_at(acl, i)) {
	case TAG_OWNER:
		return 6;
	case TAG_GROUP:
		return tag_at(acl, n_entries(acl.len) - 2) == TAG_MASK ? -1 : 3;
	case TAG_MASK:
		return 3;
	case TAG_OTHERS:
		return 0;
	default:
		return -1;
	}
}

uint32_t acl_mode(struct span acl)
{
	uint32_t mode = 0;

	for (size_t i = 0; i < n_entries(acl.len); i++) {
		int shift = shift_of(acl, i);

		if (shift >= 0)
			mode |= bits_at(acl, i) << shift;
	}
	return mode;
}

void acl_chmod(uint8_t *acl, size_t len, uint32_t mode)
{
	for (size_t i = 0; i < n_entries(len); i++) {
		int shift = shift_of(span_of(acl, len), i);

		if (shift >= 0)
			put_le16(acl + entry_off(i) + BITS_OFF,
				 (uint16_t)(mode >> shift & BITS_MAX));
	}
}

uint32_t acl_create(uint8_t *acl, size_t len, uint32_t mode)
{
	uint32_t given = acl_mode(span_of(acl, len)) & mode;

	acl_chmod(acl, len, given);
	return (mode & ~(uint32_t)ACCESSPERMS) | given;
}
