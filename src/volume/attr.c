/* SPDX-License-Identifier: MIT */
/* attr.c - the inode image as varints; trailing zeros are left out. */
#include "volume/attr.h"

#include "base/varint.h"

#include <sys/stat.h>

/* Fields of an image, in the order in which they lie in it. */
enum image_field {
	FIELD_MODE,
	FIELD_NLINK,
	FIELD_UID,
	FIELD_GID,
	FIELD_SIZE,
	FIELD_ALLOCATED,
	FIELD_RDEV,
	FIELD_FLAGS,
	FIELD_GENERATION,
	FIELD_PARENT,
	FIELD_MTIME_SEC,
	FIELD_MTIME_NSEC,
	FIELD_CTIME_SEC, /* minus mtime */
	FIELD_CTIME_NSEC,
	FIELD_ATIME_SEC, /* minus ctime */
	FIELD_ATIME_NSEC,
	FIELD_BTIME_SEC, /* minus ctime */
	FIELD_BTIME_NSEC,
	FIELD_PROJECT,
	FIELD_POLICY,
	N_FIELDS
};

enum {
	FIELDS_LEN_MAX = N_FIELDS * VARINT_MAX,
	TAIL_LEN_MAX = sizeof(((struct inode_image *)NULL)->tail),
};

_Static_assert(FIELDS_LEN_MAX + TAIL_LEN_MAX <= INODE_IMAGE_MAX,
	       "INODE_IMAGE_MAX is too small");

/* Largest value of each field. */
static const uint64_t field_max[N_FIELDS] = {
	[FIELD_MODE] = S_IFMT | 07777,   [FIELD_NLINK] = UINT32_MAX,
	[FIELD_UID] = UINT32_MAX,        [FIELD_GID] = UINT32_MAX,
	[FIELD_SIZE] = VOLUME_SIZE_MAX,  [FIELD_ALLOCATED] = VOLUME_SIZE_MAX,
	[FIELD_RDEV] = UINT64_MAX,       [FIELD_FLAGS] = UINT64_MAX,
	[FIELD_GENERATION] = UINT64_MAX, [FIELD_PARENT] = INT64_MAX,
	[FIELD_MTIME_SEC] = UINT64_MAX,  [FIELD_MTIME_NSEC] = 999999999,
	[FIELD_CTIME_SEC] = UINT64_MAX,  [FIELD_CTIME_NSEC] = 999999999,
	[FIELD_ATIME_SEC] = UINT64_MAX,  [FIELD_ATIME_NSEC] = 999999999,
	[FIELD_BTIME_SEC] = UINT64_MAX,  [FIELD_BTIME_NSEC] = 999999999,
	[FIELD_PROJECT] = UINT64_MAX,    [FIELD_POLICY] = UINT64_MAX,
};

/* Differences wrap around, so that every pair of times has one. */
static uint64_t sec_minus(int64_t a, int64_t b)
{
	return zigzag((int64_t)((uint64_t)a - (uint64_t)b));
}

static int64_t sec_plus(int64_t base, uint64_t diff)
{
	return (int64_t)((uint64_t)base + (uint64_t)unzigzag(diff));
}

size_t inode_image_put(const struct inode_image *image, uint8_t *dst)
{
	const struct volume_attr *a = &image->attr;
	const uint64_t fields[N_FIELDS] = {
		[FIELD_MODE] = a->mode,
		[FIELD_NLINK] = a->nlink,
		[FIELD_UID] = a->uid,
		[FIELD_GID] = a->gid,
		[FIELD_SIZE] = a->size,
		[FIELD_ALLOCATED] = a->allocated,
		[FIELD_RDEV] = a->rdev,
		[FIELD_FLAGS] = image->flags,
		[FIELD_GENERATION] = a->generation,
		[FIELD_PARENT] = image->parent,
		[FIELD_MTIME_SEC] = zigzag(a->mtime.sec),
		[FIELD_MTIME_NSEC] = a->mtime.nsec,
		[FIELD_CTIME_SEC] = sec_minus(a->ctime.sec, a->mtime.sec),
		[FIELD_CTIME_NSEC] = a->ctime.nsec,
		[FIELD_ATIME_SEC] = sec_minus(a->atime.sec, a->ctime.sec),
		[FIELD_ATIME_NSEC] = a->atime.nsec,
		[FIELD_BTIME_SEC] = sec_minus(a->btime.sec, a->ctime.sec),
		[FIELD_BTIME_NSEC] = a->btime.nsec,
		[FIELD_PROJECT] = image->project,
		[FIELD_POLICY] = image->policy,
	};
	size_t len = 0;

	for (size_t i = 0; i < N_FIELDS; i++)
		len += varint_put(dst + len, fields[i]);
	memcpy(dst + len, image->tail, image->tail_len);
	len += image->tail_len;
	/* A canonical varint ends in 0 only when it is 0. The unknown tail may
	 * be something else. */
	if (image->tail_len == 0)
		while (len > 0 && dst[len - 1] == 0)
			len--;
	return len;
}

static bool type_known(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return true;
	default:
		return false;
	}
}

static void take_fields(const uint64_t *fields, struct inode_image *image)
{
	struct volume_attr *a = &image->attr;

	a->mode = (uint32_t)fields[FIELD_MODE];
	a->nlink = (uint32_t)fields[FIELD_NLINK];
	a->uid = (uint32_t)fields[FIELD_UID];
	a->gid = (uint32_t)fields[FIELD_GID];
	a->size = fields[FIELD_SIZE];
	a->allocated = fields[FIELD_ALLOCATED];
	a->rdev = fields[FIELD_RDEV];
	image->flags = fields[FIELD_FLAGS];
	a->generation = fields[FIELD_GENERATION];
	image->parent = fields[FIELD_PARENT];
	a->mtime.sec = unzigzag(fields[FIELD_MTIME_SEC]);
	a->mtime.nsec = (uint32_t)fields[FIELD_MTIME_NSEC];
	a->ctime.sec = sec_plus(a->mtime.sec, fields[FIELD_CTIME_SEC]);
	a->ctime.nsec = (uint32_t)fields[FIELD_CTIME_NSEC];
	a->atime.sec = sec_plus(a->ctime.sec, fields[FIELD_ATIME_SEC]);
	a->atime.nsec = (uint32_t)fields[FIELD_ATIME_NSEC];
	a->btime.sec = sec_plus(a->ctime.sec, fields[FIELD_BTIME_SEC]);
	a->btime.nsec = (uint32_t)fields[FIELD_BTIME_NSEC];
	image->project = fields[FIELD_PROJECT];
	image->policy = fields[FIELD_POLICY];
}

int inode_image_get(struct span bytes, struct inode_image *ret)
{
	struct reader r = reader_of(bytes);
	uint64_t fields[N_FIELDS] = { 0 };
	struct inode_image image = { 0 };

	for (size_t i = 0; i < N_FIELDS && reader_left(&r) > 0; i++)
		if (varint_get_max(&r, field_max[i], &fields[i]))
			return -EUCLEAN;
	take_fields(fields, &image);
	if (!type_known(image.attr.mode) || reader_left(&r) > TAIL_LEN_MAX)
		return -EUCLEAN;
	/* ".." is told as an entry, and 0 is no inode. */
	if (S_ISDIR(image.attr.mode) && image.parent == 0)
		return -EUCLEAN;
	image.tail_len = (uint8_t)reader_left(&r);
	if (image.tail_len > 0)
		memcpy(image.tail, r.pos, image.tail_len);
	*ret = image;
	return 0;
}
