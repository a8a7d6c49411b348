/* SPDX-License-Identifier: MIT */
/* test_ops.c - bodies of operations: round trips and broken fields. */
#include "unit/volume/suites.h"

#include "lib/rng.h"
#include "lib/suite.h"
#include "volume/ops.h"

#include <sys/stat.h>

static const struct op_dirent sample = {
	.parent = 5,
	.cookie = 1234567,
	.ino = 77,
	.type = 8,
	.name = { (const uint8_t *)"a name", 6 },
};

START_TEST(inode_both_ways)
{
	struct inode_image image = { .attr = { .mode = S_IFDIR, .nlink = 2 },
				     .parent = 1 };
	uint8_t buf[OP_INODE_MAX];
	size_t len = op_inode_put(OP_INO_MAX, &image, buf);
	struct op_inode op;

	ck_ok(op_inode_get(span_of(buf, len), &op));
	ck_assert_uint_eq(op.ino, OP_INO_MAX);
	ck_assert_uint_eq(op.image.attr.ino, OP_INO_MAX);
	ck_assert_uint_eq(op.image.attr.nlink, 2);
	len = op_inode_put(0, &image, buf);
	ck_rc(op_inode_get(span_of(buf, len), &op), -EUCLEAN);
	len = op_inode_put(OP_INO_MAX + 1, &image, buf);
	ck_rc(op_inode_get(span_of(buf, len), &op), -EUCLEAN);
	ck_rc(op_inode_get(span_of(buf, 0), &op), -EUCLEAN);
}
END_TEST

START_TEST(inode_del_both_ways)
{
	uint8_t buf[VARINT_MAX + 1];
	uint64_t ino = 0;
	size_t len = op_inode_del_put(9, buf);

	buf[len] = 0xff; /* of a newer writer */
	ck_ok(op_inode_del_get(span_of(buf, len + 1), &ino));
	ck_assert_uint_eq(ino, 9);
	len = op_inode_del_put(0, buf);
	ck_rc(op_inode_del_get(span_of(buf, len), &ino), -EUCLEAN);
}
END_TEST

START_TEST(dirent_both_ways)
{
	uint8_t buf[OP_DIRENT_MAX];
	size_t len = op_dirent_put(&sample, buf);
	struct op_dirent op;

	ck_ok(op_dirent_get(span_of(buf, len), &op));
	ck_assert_uint_eq(op.parent, 5);
	ck_assert_uint_eq(op.cookie, 1234567);
	ck_assert_uint_eq(op.ino, 77);
	ck_assert_uint_eq(op.type, 8);
	ck_assert_uint_eq(op.name.len, 6);
	ck_assert_mem_eq(op.name.ptr, "a name", 6);
	len = op_dirent_del_put(&sample, buf);
	ck_ok(op_dirent_del_get(span_of(buf, len), &op));
	ck_assert_uint_eq(op.parent, 5);
	ck_assert_uint_eq(op.cookie, 1234567);
	ck_rc(op_dirent_del_get(span_of(buf, len - 1), &op), -EUCLEAN);
	/* Nothing follows from a name here. */
	op.cookie = OP_COOKIE_MIN - 1;
	len = op_dirent_del_put(&op, buf);
	ck_rc(op_dirent_del_get(span_of(buf, len), &op), -EUCLEAN);
}
END_TEST

START_TEST(dirent_cut_off)
{
	uint8_t buf[OP_DIRENT_MAX];
	size_t len = op_dirent_put(&sample, buf);
	struct op_dirent op;

	/* All cuts that leave no name. */
	for (size_t cut = 0; cut <= len - 6; cut++)
		ck_rc(op_dirent_get(span_of(buf, cut), &op), -EUCLEAN);
}
END_TEST

static int get_changed(struct op_dirent op)
{
	uint8_t buf[OP_DIRENT_MAX + 100];
	size_t len = op_dirent_put(&op, buf);

	return op_dirent_get(span_of(buf, len), &op);
}

START_TEST(dirent_fields)
{
	struct op_dirent op = sample;

	op.parent = 0;
	ck_rc(get_changed(op), -EUCLEAN);
	op = sample;
	op.cookie = OP_COOKIE_MIN;
	ck_ok(get_changed(op));
	op.cookie = 0;
	ck_ok(get_changed(op));
	op.cookie = OP_COOKIE_MAX;
	ck_ok(get_changed(op));
	op.cookie = OP_COOKIE_MAX + 1;
	ck_rc(get_changed(op), -EUCLEAN);
	op = sample;
	op.ino = 0;
	ck_rc(get_changed(op), -EUCLEAN);
	op = sample;
	op.type = 16;
	ck_rc(get_changed(op), -EUCLEAN);
}
END_TEST

static int get_named(const char *name, size_t len)
{
	struct op_dirent op = sample;

	op.name = span_of(name, len);
	return get_changed(op);
}

START_TEST(dirent_names)
{
	char name[256];

	memset(name, 'n', sizeof(name));
	ck_ok(get_named(name, 255));
	ck_rc(get_named(name, 256), -EUCLEAN);
	ck_rc(get_named(name, 0), -EUCLEAN);
	ck_rc(get_named(".", 1), -EUCLEAN);
	ck_rc(get_named("..", 2), -EUCLEAN);
	ck_ok(get_named("...", 3));
	ck_rc(get_named("a/b", 3), -EUCLEAN);
	ck_rc(get_named("a\0b", 3), -EUCLEAN);
	ck_ok(get_named("\xff\x01", 2));
}
END_TEST

START_TEST(xattr_both_ways)
{
	static uint8_t buf[OP_XATTR_HEAD_MAX + VOLUME_XATTR_MAX + 1];
	static uint8_t value[VOLUME_XATTR_MAX + 1];
	struct op_xattr op = { .ino = 3,
			       .name = span_of("user.x", 6),
			       .value = span_of(value, VOLUME_XATTR_MAX) };
	struct op_xattr back;
	size_t len = op_xattr_put(&op, buf);

	ck_ok(op_xattr_get(span_of(buf, len), &back));
	ck_assert_uint_eq(back.ino, 3);
	ck_assert_uint_eq(back.name.len, 6);
	ck_assert_uint_eq(back.value.len, VOLUME_XATTR_MAX);
	ck_rc(op_xattr_get(span_of(buf, 7), &back), -EUCLEAN);
	op.value.len++;
	len = op_xattr_put(&op, buf);
	ck_rc(op_xattr_get(span_of(buf, len), &back), -EUCLEAN);
	op = (struct op_xattr){ .ino = 3 };
	len = op_xattr_put(&op, buf);
	ck_ok(op_xattr_get(span_of(buf, len), &back));
	ck_assert_uint_eq(back.name.len, 0);
	ck_assert_uint_eq(back.value.len, 0);
	op.name = span_of(value, 255);
	len = op_xattr_del_put(&op, buf);
	ck_ok(op_xattr_del_get(span_of(buf, len), &back));
	ck_assert_uint_eq(back.name.len, 255);
	ck_rc(op_xattr_del_get(span_of(buf, len + 1), &back), -EUCLEAN);
}
END_TEST

START_TEST(garbage_never_crashes)
{
	struct rng r = rng_of(3);
	uint8_t buf[300];

	for (int i = 0; i < 20000; i++) {
		size_t len = rng_below(&r, sizeof(buf));
		struct span body = span_of(buf, len);
		struct op_inode inode;
		struct op_dirent dirent;
		struct op_xattr xattr;
		uint64_t ino;

		rng_fill(&r, buf, len);
		for (size_t k = 0; k < len && k < 8; k++)
			buf[k] &= 0x7f;
		(void)op_inode_get(body, &inode);
		(void)op_inode_del_get(body, &ino);
		(void)op_dirent_get(body, &dirent);
		(void)op_dirent_del_get(body, &dirent);
		(void)op_xattr_get(body, &xattr);
		(void)op_xattr_del_get(body, &xattr);
	}
}
END_TEST

Suite *suite_ops(void)
{
	const TTest *const tests[] = {
		inode_both_ways, inode_del_both_ways,   dirent_both_ways,
		dirent_cut_off,  dirent_fields,         dirent_names,
		xattr_both_ways, garbage_never_crashes,
	};

	return suite_of("volume/ops", tests, ARRAY_LEN(tests), 20);
}
