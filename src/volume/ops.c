/* SPDX-License-Identifier: MIT */
/* ops.c - bodies of operations: fields to bytes and, with suspicion, back. */
#include "volume/ops.h"

static size_t put_bytes(uint8_t *dst, struct span s)
{
	if (s.len > 0)
		memcpy(dst, s.ptr, s.len);
	return s.len;
}

static int get_ino(struct reader *r, uint64_t *ret)
{
	uint64_t ino;

	if (varint_get_max(r, OP_INO_MAX, &ino) || ino == 0)
		return -EUCLEAN;
	*ret = ino;
	return 0;
}

static struct span rest_of(const struct reader *r)
{
	return span_of(r->pos, reader_left(r));
}

/* ---- inodes ----------------------------------------------------------------- */

size_t op_inode_put(uint64_t ino, const struct inode_image *image, uint8_t *dst)
{
	size_t len = varint_put(dst, ino);

	return len + inode_image_put(image, dst + len);
}

int op_inode_get(struct span body, struct op_inode *ret)
{
	struct reader r = reader_of(body);
	struct inode_image image;
	uint64_t ino;

	if (get_ino(&r, &ino) || inode_image_get(rest_of(&r), &image))
		return -EUCLEAN;
	ret->ino = ino;
	ret->image = image;
	ret->image.attr.ino = ino;
	return 0;
}

size_t op_inode_del_put(uint64_t ino, uint8_t *dst)
{
	return varint_put(dst, ino);
}

int op_inode_del_get(struct span body, uint64_t *ret_ino)
{
	struct reader r = reader_of(body);

	return get_ino(&r, ret_ino);
}

/* ---- names -------------------------------------------------------------------- */

bool op_name_valid(struct span name)
{
	if (name.len == 0 || name.len > VOLUME_NAME_MAX)
		return false;
	if (name.ptr[0] == '.' &&
	    (name.len == 1 || (name.len == 2 && name.ptr[1] == '.')))
		return false;
	return !memchr(name.ptr, '/', name.len) &&
	       !memchr(name.ptr, '\0', name.len);
}

static int get_place(struct reader *r, struct op_dirent *op)
{
	if (get_ino(r, &op->parent) ||
	    varint_get_max(r, OP_COOKIE_MAX, &op->cookie))
		return -EUCLEAN;
	return 0;
}

size_t op_dirent_put(const struct op_dirent *op, uint8_t *dst)
{
	size_t len = op_dirent_del_put(op, dst);

	len += varint_put(dst + len, op->ino);
	dst[len++] = op->type;
	return len + put_bytes(dst + len, op->name);
}

int op_dirent_get(struct span body, struct op_dirent *ret)
{
	struct reader r = reader_of(body);
	struct op_dirent op;

	if (get_place(&r, &op) || get_ino(&r, &op.ino) ||
	    reader_u8(&r, &op.type) || op.type > 15)
		return -EUCLEAN;
	op.name = rest_of(&r);
	if (!op_name_valid(op.name))
		return -EUCLEAN;
	*ret = op;
	return 0;
}

size_t op_dirent_del_put(const struct op_dirent *op, uint8_t *dst)
{
	size_t len = varint_put(dst, op->parent);

	return len + varint_put(dst + len, op->cookie);
}

int op_dirent_del_get(struct span body, struct op_dirent *ret)
{
	struct reader r = reader_of(body);
	struct op_dirent op = { 0 };

	if (get_place(&r, &op) || op.cookie < OP_COOKIE_MIN)
		return -EUCLEAN;
	*ret = op;
	return 0;
}

/* ---- extended attributes --------------------------------------------------------- */

size_t op_xattr_put(const struct op_xattr *op, uint8_t *dst)
{
	size_t len = varint_put(dst, op->ino);

	dst[len++] = (uint8_t)op->name.len;
	len += put_bytes(dst + len, op->name);
	return len + put_bytes(dst + len, op->value);
}

int op_xattr_get(struct span body, struct op_xattr *ret)
{
	struct reader r = reader_of(body);
	struct op_xattr op;
	uint8_t name_len;

	if (get_ino(&r, &op.ino) || reader_u8(&r, &name_len) ||
	    reader_bytes(&r, name_len, &op.name))
		return -EUCLEAN;
	op.value = rest_of(&r);
	if (op.value.len > VOLUME_XATTR_MAX)
		return -EUCLEAN;
	*ret = op;
	return 0;
}

size_t op_xattr_del_put(const struct op_xattr *op, uint8_t *dst)
{
	size_t len = varint_put(dst, op->ino);

	return len + put_bytes(dst + len, op->name);
}

int op_xattr_del_get(struct span body, struct op_xattr *ret)
{
	struct reader r = reader_of(body);
	struct op_xattr op = { 0 };

	if (get_ino(&r, &op.ino) || reader_left(&r) > VOLUME_NAME_MAX)
		return -EUCLEAN;
	op.name = rest_of(&r);
	*ret = op;
	return 0;
}
