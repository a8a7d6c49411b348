/* SPDX-License-Identifier: MIT */
/* attr.c - the inode image: a mask, then those fields that are not as expected. */
#include "volume/attr.h"

#include "base/varint.h"

#include <sys/stat.h>

enum {
	NS_PER_S = 1000000000,
	USUAL_MODE = S_IFREG | 0644,
	USUAL_NLINK = 1,
};

/*
 * Fields of an image, in the order in which they lie in it; their bits in the
 * mask as well: of a file that was unpacked or copied it takes one byte. Each
 * is 0 when it is as expected, and then left out.
 */
enum image_field {
	FIELD_SIZE,
	FIELD_MTIME_SEC,
	FIELD_CTIME_SEC,  /* minus mtime */
	FIELD_CTIME_NSEC, /* minus mtime */
	FIELD_BTIME_NSEC, /* minus ctime */
	FIELD_MODE,       /* xor USUAL_MODE */
	FIELD_MTIME_NSEC,
	FIELD_NLINK, /* xor USUAL_NLINK */
	FIELD_UID,
	FIELD_GID,       /* xor uid */
	FIELD_ALLOCATED, /* minus size */
	FIELD_PARENT,
	FIELD_ATIME_SEC,  /* minus btime */
	FIELD_ATIME_NSEC, /* minus btime */
	FIELD_BTIME_SEC,  /* minus ctime */
	FIELD_FLAGS,
	FIELD_GENERATION,
	FIELD_RDEV,
	FIELD_PROJECT,
	FIELD_POLICY,
	N_FIELDS
};

enum {
	FIELDS_LEN_MAX = (1 + N_FIELDS) * VARINT_MAX,
	TAIL_LEN_MAX = sizeof(((struct inode_image *)NULL)->tail),
};

_Static_assert(FIELDS_LEN_MAX + TAIL_LEN_MAX <= INODE_IMAGE_MAX,
	       "INODE_IMAGE_MAX is too small");

#define NSEC_DIFF_MAX (2 * (uint64_t)(NS_PER_S - 1)) /* zigzag */

/* Largest value of each field, as it is written. */
static const uint64_t field_max[N_FIELDS] = {
	[FIELD_SIZE] = VOLUME_SIZE_MAX,     [FIELD_MTIME_SEC] = UINT64_MAX,
	[FIELD_CTIME_SEC] = UINT64_MAX,     [FIELD_CTIME_NSEC] = NSEC_DIFF_MAX,
	[FIELD_BTIME_NSEC] = NSEC_DIFF_MAX, [FIELD_MODE] = S_IFMT | 07777,
	[FIELD_MTIME_NSEC] = NS_PER_S - 1,  [FIELD_NLINK] = UINT32_MAX,
	[FIELD_UID] = UINT32_MAX,           [FIELD_GID] = UINT32_MAX,
	[FIELD_ALLOCATED] = UINT64_MAX,     [FIELD_PARENT] = INT64_MAX,
	[FIELD_ATIME_SEC] = UINT64_MAX,     [FIELD_ATIME_NSEC] = NSEC_DIFF_MAX,
	[FIELD_BTIME_SEC] = UINT64_MAX,     [FIELD_FLAGS] = UINT64_MAX,
	[FIELD_GENERATION] = UINT64_MAX,    [FIELD_RDEV] = UINT64_MAX,
	[FIELD_PROJECT] = UINT64_MAX,       [FIELD_POLICY] = UINT64_MAX,
};

/* Differences wrap around, so that every pair has one. */
static uint64_t minus(uint64_t a, uint64_t b)
{
	return zigzag((int64_t)(a - b));
}

static uint64_t plus(uint64_t base, uint64_t diff)
{
	return base + (uint64_t)unzigzag(diff);
}

size_t inode_image_put(const struct inode_image *image, uint8_t *dst)
{
	const struct volume_attr *a = &image->attr;
	const uint64_t fields[N_FIELDS] = {
		[FIELD_SIZE] = a->size,
		[FIELD_MTIME_SEC] = zigzag(a->mtime.sec),
		[FIELD_CTIME_SEC] =
			minus((uint64_t)a->ctime.sec, (uint64_t)a->mtime.sec),
		[FIELD_CTIME_NSEC] = minus(a->ctime.nsec, a->mtime.nsec),
		[FIELD_BTIME_NSEC] = minus(a->btime.nsec, a->ctime.nsec),
		[FIELD_MODE] = a->mode ^ USUAL_MODE,
		[FIELD_MTIME_NSEC] = a->mtime.nsec,
		[FIELD_NLINK] = a->nlink ^ USUAL_NLINK,
		[FIELD_UID] = a->uid,
		[FIELD_GID] = a->gid ^ a->uid,
		[FIELD_ALLOCATED] = minus(a->allocated, a->size),
		[FIELD_PARENT] = image->parent,
		[FIELD_ATIME_SEC] =
			minus((uint64_t)a->atime.sec, (uint64_t)a->btime.sec),
		[FIELD_ATIME_NSEC] = minus(a->atime.nsec, a->btime.nsec),
		[FIELD_BTIME_SEC] =
			minus((uint64_t)a->btime.sec, (uint64_t)a->ctime.sec),
		[FIELD_FLAGS] = image->flags,
		[FIELD_GENERATION] = a->generation,
		[FIELD_RDEV] = a->rdev,
		[FIELD_PROJECT] = image->project,
		[FIELD_POLICY] = image->policy,
	};
	uint64_t mask = 0;
	size_t len;

	for (size_t i = 0; i < N_FIELDS; i++)
		mask |= (uint64_t)(fields[i] != 0) << i;
	len = varint_put(dst, mask);
	for (size_t i = 0; i < N_FIELDS; i++)
		if (fields[i] != 0)
			len += varint_put(dst + len, fields[i]);
	memcpy(dst + len, image->tail, image->tail_len);
	return len + image->tail_len;
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

/* -EUCLEAN: a time out of its second, or a size out of its range. */
static int take_times(const uint64_t *fields, struct volume_attr *a)
{
	uint64_t c_nsec;
	uint64_t b_nsec;
	uint64_t a_nsec;

	a->mtime.sec = unzigzag(fields[FIELD_MTIME_SEC]);
	a->mtime.nsec = (uint32_t)fields[FIELD_MTIME_NSEC];
	a->ctime.sec =
		(int64_t)plus((uint64_t)a->mtime.sec, fields[FIELD_CTIME_SEC]);
	a->btime.sec =
		(int64_t)plus((uint64_t)a->ctime.sec, fields[FIELD_BTIME_SEC]);
	a->atime.sec =
		(int64_t)plus((uint64_t)a->btime.sec, fields[FIELD_ATIME_SEC]);
	c_nsec = plus(a->mtime.nsec, fields[FIELD_CTIME_NSEC]);
	b_nsec = plus(c_nsec, fields[FIELD_BTIME_NSEC]);
	a_nsec = plus(b_nsec, fields[FIELD_ATIME_NSEC]);
	if (c_nsec >= NS_PER_S || b_nsec >= NS_PER_S || a_nsec >= NS_PER_S)
		return -EUCLEAN;
	a->ctime.nsec = (uint32_t)c_nsec;
	a->btime.nsec = (uint32_t)b_nsec;
	a->atime.nsec = (uint32_t)a_nsec;
	return 0;
}

static int take_fields(const uint64_t *fields, struct inode_image *image)
{
	struct volume_attr *a = &image->attr;

	a->mode = (uint32_t)fields[FIELD_MODE] ^ USUAL_MODE;
	a->nlink = (uint32_t)fields[FIELD_NLINK] ^ USUAL_NLINK;
	a->uid = (uint32_t)fields[FIELD_UID];
	a->gid = (uint32_t)fields[FIELD_GID] ^ a->uid;
	a->size = fields[FIELD_SIZE];
	a->allocated = plus(a->size, fields[FIELD_ALLOCATED]);
	a->rdev = fields[FIELD_RDEV];
	image->flags = fields[FIELD_FLAGS];
	a->generation = fields[FIELD_GENERATION];
	image->parent = fields[FIELD_PARENT];
	image->project = fields[FIELD_PROJECT];
	image->policy = fields[FIELD_POLICY];
	if (a->allocated > VOLUME_SIZE_MAX)
		return -EUCLEAN;
	return take_times(fields, a);
}

/* Fields that the mask names; each is there because it is not 0. */
static int get_fields(struct reader *r, uint64_t *fields)
{
	uint64_t mask;

	if (varint_get_max(r, ((uint64_t)1 << N_FIELDS) - 1, &mask))
		return -EUCLEAN;
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!(mask >> i & 1))
			continue;
		if (varint_get_max(r, field_max[i], &fields[i]) ||
		    fields[i] == 0)
			return -EUCLEAN;
	}
	return 0;
}

int inode_image_get(struct span bytes, struct inode_image *ret)
{
	struct reader r = reader_of(bytes);
	uint64_t fields[N_FIELDS] = { 0 };
	struct inode_image image = { 0 };

	if (get_fields(&r, fields) || take_fields(fields, &image))
		return -EUCLEAN;
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
