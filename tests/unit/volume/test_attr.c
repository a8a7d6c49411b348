/* SPDX-License-Identifier: MIT */
/* test_attr.c - the inode image: round trips, what is left out, broken fields. */
#include "unit/volume/suites.h"

#include "base/varint.h"
#include "lib/rng.h"
#include "lib/suite.h"
#include "volume/attr.h"

#include <sys/stat.h>

enum { N_NUMBERS = 20 };

static void numbers_of(const struct inode_image *image, uint64_t *dst)
{
	const struct volume_attr *a = &image->attr;
	const uint64_t numbers[N_NUMBERS] = {
		a->mode,
		a->nlink,
		a->uid,
		a->gid,
		a->size,
		a->allocated,
		a->rdev,
		a->generation,
		(uint64_t)a->mtime.sec,
		a->mtime.nsec,
		(uint64_t)a->ctime.sec,
		a->ctime.nsec,
		(uint64_t)a->atime.sec,
		a->atime.nsec,
		(uint64_t)a->btime.sec,
		a->btime.nsec,
		image->flags,
		image->parent,
		image->project,
		image->policy,
	};

	memcpy(dst, numbers, sizeof(numbers));
}

static void expect_same(const struct inode_image *a,
			const struct inode_image *b)
{
	uint64_t of_a[N_NUMBERS];
	uint64_t of_b[N_NUMBERS];

	numbers_of(a, of_a);
	numbers_of(b, of_b);
	for (size_t i = 0; i < N_NUMBERS; i++)
		ck_assert_uint_eq(of_a[i], of_b[i]);
	ck_assert_uint_eq(a->tail_len, b->tail_len);
	ck_assert(memcmp(a->tail, b->tail, a->tail_len) == 0);
}

static size_t round_trip(const struct inode_image *image)
{
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image back;
	size_t len = inode_image_put(image, buf);

	ck_assert_uint_le(len, sizeof(buf));
	ck_ok(inode_image_get(span_of(buf, len), &back));
	expect_same(image, &back);
	return len;
}

static struct volume_time random_time(struct rng *r)
{
	return (struct volume_time){ .sec = (int64_t)rng_u64(r),
				     .nsec = (uint32_t)rng_below(r,
								 1000000000) };
}

static struct inode_image random_image(struct rng *r)
{
	static const uint32_t types[] = { S_IFREG, S_IFDIR,  S_IFLNK, S_IFIFO,
					  S_IFCHR, S_IFSOCK, S_IFBLK };
	struct inode_image image = { 0 };
	struct volume_attr *a = &image.attr;

	a->mode = types[rng_below(r, ARRAY_LEN(types))] |
		  (uint32_t)rng_below(r, 010000);
	a->nlink = (uint32_t)rng_u64(r);
	a->uid = (uint32_t)rng_u64(r);
	a->gid = (uint32_t)rng_u64(r);
	a->size = rng_u64(r) >> (1 + rng_below(r, 63));
	a->allocated = rng_u64(r) >> (1 + rng_below(r, 63));
	a->rdev = rng_u64(r);
	a->generation = rng_u64(r);
	a->mtime = random_time(r);
	a->ctime = random_time(r);
	a->atime = random_time(r);
	a->btime = random_time(r);
	image.flags = rng_u64(r);
	image.parent = rng_u64(r) >> 1;
	image.project = rng_u64(r);
	image.policy = rng_below(r, 2) ? rng_u64(r) : 0;
	return image;
}

START_TEST(random_images)
{
	struct rng r = rng_of(1);

	for (int i = 0; i < 2000; i++) {
		struct inode_image image = random_image(&r);

		(void)round_trip(&image);
	}
}
END_TEST

START_TEST(what_is_as_expected_takes_no_room)
{
	struct inode_image image = { .attr = { .mode = S_IFREG | 0644,
					       .nlink = 1 } };
	struct volume_time now = { .sec = 1700000000, .nsec = 123456789 };
	size_t len;

	ck_assert_uint_eq(round_trip(&image), 1);
	image.attr.mtime = now;
	image.attr.ctime = now;
	image.attr.atime = now;
	image.attr.btime = now;
	image.attr.uid = 1000;
	image.attr.gid = 1000;
	len = round_trip(&image);
	ck_assert_uint_eq(len, 2 + 5 + 4 + 2);
	image.policy = 1;
	ck_assert_uint_eq(round_trip(&image), len + 2);
	/* Unpacked: made, then given an old time. */
	image = (struct inode_image){ .attr = { .mode = S_IFREG | 0644,
						.nlink = 1,
						.size = 7872,
						.allocated = 7872 } };
	image.attr.btime = now;
	image.attr.atime = now;
	image.attr.ctime = now;
	image.attr.ctime.nsec += 2000000;
	image.attr.mtime.sec = now.sec - 1000000;
	ck_assert_uint_le(round_trip(&image), 1 + 2 + 5 + 3 + 5 + 4);
}
END_TEST

START_TEST(unknown_fields_are_kept)
{
	struct inode_image image = { .attr.mode = S_IFIFO, .tail_len = 64 };
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image back;
	size_t len;

	memset(image.tail, 0, sizeof(image.tail));
	(void)round_trip(&image);
	image.tail_len = 1;
	len = round_trip(&image);
	memset(image.tail, 7, sizeof(image.tail));
	image.tail_len = 64;
	ck_assert_uint_eq(round_trip(&image), len + 63);
	/* One more than can be kept. */
	len = inode_image_put(&image, buf);
	buf[len] = 1;
	ck_rc(inode_image_get(span_of(buf, len + 1), &back), -EUCLEAN);
}
END_TEST

/* An image with one field. */
static size_t image_with(size_t field, uint64_t value, uint8_t *dst)
{
	size_t len = varint_put(dst, (uint64_t)1 << field);

	return len + varint_put(dst + len, value);
}

static int get_with(size_t field, uint64_t value)
{
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image image;

	return inode_image_get(span_of(buf, image_with(field, value, buf)),
			       &image);
}

START_TEST(fields_out_of_range)
{
	static const struct {
		size_t field;
		uint64_t value; /* the smallest bad one */
	} bad[] = {
		{ 0, (uint64_t)INT64_MAX + 1 },
		{ 3, 1999999999 },
		{ 4, 1999999999 },
		{ 6, 1000000000 },
		{ 7, (uint64_t)UINT32_MAX + 1 },
		{ 8, (uint64_t)UINT32_MAX + 1 },
		{ 9, (uint64_t)UINT32_MAX + 1 },
		{ 11, (uint64_t)INT64_MAX + 1 },
		{ 13, 1999999999 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_rc(get_with(bad[i].field, bad[i].value), -EUCLEAN);
		ck_ok(get_with(bad[i].field, bad[i].value - 1));
	}
	ck_rc(get_with(5, 0200000), -EUCLEAN);
	/* Less than the beginning of the second, and than nothing. */
	ck_rc(get_with(3, 1), -EUCLEAN);
	ck_rc(get_with(4, 1), -EUCLEAN);
	ck_rc(get_with(13, 1), -EUCLEAN);
	ck_rc(get_with(10, 1), -EUCLEAN);
	ck_ok(get_with(10, 2));
}
END_TEST

START_TEST(masks_that_make_no_sense)
{
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image image;
	size_t field;

	for (field = 0; field < N_NUMBERS; field++)
		ck_rc(get_with(field, 0), -EUCLEAN);
	ck_rc(get_with(N_NUMBERS, 1), -EUCLEAN);
	ck_rc(inode_image_get(span_of(buf, varint_put(buf, 1)), &image),
	      -EUCLEAN);
}
END_TEST

START_TEST(types_that_are_none)
{
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image image;

	ck_rc(inode_image_get(span_of(NULL, 0), &image), -EUCLEAN);
	for (uint32_t type = 0; type < 16; type++) {
		struct inode_image of_type = { .attr.mode = type << 12 };
		size_t len = inode_image_put(&of_type, buf);
		int rc = inode_image_get(span_of(buf, len), &image);
		/* 4 is a directory, which has a parent. */
		bool known = type == 1 || type == 2 || type == 6 || type == 8 ||
			     type == 10 || type == 12;

		ck_rc(rc, known ? 0 : -EUCLEAN);
	}
}
END_TEST

START_TEST(directory_without_parent)
{
	struct inode_image image = { .attr.mode = S_IFDIR, .parent = 1 };
	uint8_t buf[INODE_IMAGE_MAX];
	struct inode_image back;

	(void)round_trip(&image);
	image.parent = 0;
	ck_rc(inode_image_get(span_of(buf, inode_image_put(&image, buf)),
			      &back),
	      -EUCLEAN);
}
END_TEST

START_TEST(cut_off_within_a_field)
{
	struct inode_image image = { .attr = { .mode = S_IFREG,
					       .size = 1000 } };
	uint8_t buf[INODE_IMAGE_MAX];
	size_t len = inode_image_put(&image, buf);

	ck_rc(inode_image_get(span_of(buf, len - 1), &image), -EUCLEAN);
}
END_TEST

START_TEST(garbage_never_crashes)
{
	struct rng r = rng_of(2);
	struct inode_image image;
	uint8_t buf[200];

	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&r, sizeof(buf));
		int rc;

		rng_fill(&r, buf, len);
		/* Small numbers get farther. */
		for (size_t k = 0; k < len; k++)
			if (rng_below(&r, 4))
				buf[k] &= 0x7f;
		rc = inode_image_get(span_of(buf, len), &image);
		ck_assert(rc == 0 || rc == -EUCLEAN);
		if (rc == 0)
			(void)round_trip(&image);
	}
}
END_TEST

Suite *suite_attr(void)
{
	const TTest *const tests[] = {
		random_images,
		what_is_as_expected_takes_no_room,
		unknown_fields_are_kept,
		fields_out_of_range,
		masks_that_make_no_sense,
		types_that_are_none,
		directory_without_parent,
		cut_off_within_a_field,
		garbage_never_crashes,
	};

	return suite_of("volume/attr", tests, ARRAY_LEN(tests), 20);
}
