/* SPDX-License-Identifier: MIT */
/* xattr.c - table `xattr`: attributes by name, targets of symbolic links. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "volume/xattr.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "store/db.h"
#include "store/dump.h"
#include "store/ops.h"
#include "volume/acl_xattr.h"
#include "volume/file_stored.h"
#include "volume/inodes.h"
#include "volume/policy_xattr.h"
#include "volume/volume_impl.h"

#include <sys/stat.h>
#include <sys/xattr.h>

enum { LIST_MAX = 64 << 10 /* bytes of all names, as Linux allows */ };

struct xattrs {
	struct db_stmt *find;
	struct db_stmt *put;
	struct db_stmt *del;
	struct db_stmt *del_all;
	struct db_stmt *names;
	struct db_stmt *all;
	struct db_stmt *page;
};

const char xattr_schema[] =
	"CREATE TABLE xattr(ino INTEGER NOT NULL, name BLOB NOT NULL,"
	" value BLOB NOT NULL, PRIMARY KEY(ino, name)) WITHOUT ROWID;";

const char xattr_clear[] = "DELETE FROM xattr;";

int xattrs_new(struct xattrs **ret)
{
	struct xattrs *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	*ret = x;
	return 0;
}

void xattrs_free(struct xattrs *x)
{
	free(x);
}

int xattrs_attach(struct xattrs *x, struct db *db)
{
	const struct {
		struct db_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &x->find,
		  "SELECT value FROM xattr WHERE ino=?1 AND name=?2" },
		{ &x->put, "REPLACE INTO xattr(ino, name, value)"
			   " VALUES(?1, ?2, ?3)" },
		{ &x->del, "DELETE FROM xattr WHERE ino=?1 AND name=?2" },
		{ &x->del_all, "DELETE FROM xattr WHERE ino=?1" },
		{ &x->names, "SELECT name FROM xattr WHERE ino=?1"
			     " ORDER BY name" },
		{ &x->all, "SELECT ino, name, value FROM xattr"
			   " ORDER BY ino, name" },
		{ &x->page, "SELECT ino, name, value FROM xattr"
			    " WHERE (ino, name) > (?1, ?2)"
			    " ORDER BY ino, name" },
	};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		int rc = db_prepare(db, list[i].sql, list[i].stmt);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- rows ------------------------------------------------------------------------ */

static void bind_key(struct db_stmt *stmt, uint64_t ino, struct span name)
{
	db_bind_u64(stmt, 0, ino);
	db_bind_blob(stmt, 1, name);
}

/* Copies the value if `cap` is not 0; returns its length, or -ENODATA or
 * -ERANGE. */
static ssize_t get_value(struct volume *v, uint64_t ino, struct span name,
			 void *buf, size_t cap)
{
	struct db_stmt *find = v->xattrs->find;
	ssize_t n;
	int rc;

	bind_key(find, ino, name);
	rc = db_step(find);
	n = rc < 0 ? rc : -ENODATA;
	if (rc == 1) {
		struct span value = db_column_blob(find, 0);

		n = (ssize_t)value.len;
		if (cap > 0 && value.len > cap)
			n = -ERANGE;
		else if (cap > 0 && value.len > 0)
			memcpy(buf, value.ptr, value.len);
	}
	db_reset(find);
	return n;
}

/* Copies all names but the empty one, each with a NUL, as far as `cap` goes;
 * returns the length of all. */
static ssize_t get_names(struct volume *v, uint64_t ino, char *buf, size_t cap)
{
	struct db_stmt *names = v->xattrs->names;
	size_t len = 0;
	int rc;

	db_bind_u64(names, 0, ino);
	while ((rc = db_step(names)) == 1) {
		struct span name = db_column_blob(names, 0);

		if (name.len == 0)
			continue;
		if (len + name.len < cap) {
			memcpy(buf + len, name.ptr, name.len);
			buf[len + name.len] = '\0';
		}
		len += name.len + 1;
	}
	db_reset(names);
	return rc < 0 ? rc : (ssize_t)len;
}

int xattr_apply(struct volume *v, struct span body)
{
	struct db_stmt *put = v->xattrs->put;
	struct op_xattr op;

	if (op_xattr_get(body, &op))
		return corrupt("XATTR operation is damaged");
	bind_key(put, op.ino, op.name);
	db_bind_blob(put, 2, op.value);
	return db_run(put);
}

int xattr_apply_del(struct volume *v, struct span body)
{
	struct db_stmt *del = v->xattrs->del;
	struct op_xattr op;

	if (op_xattr_del_get(body, &op))
		return corrupt("XATTR_DEL operation is damaged");
	bind_key(del, op.ino, op.name);
	return db_run(del);
}

int xattr_delete_all(struct volume *v, uint64_t ino)
{
	struct db_stmt *del_all = v->xattrs->del_all;

	db_bind_u64(del_all, 0, ino);
	return db_run(del_all);
}

int xattrs_each(struct volume *v, xattr_fn *fn, void *ctx)
{
	struct db_stmt *all = v->xattrs->all;
	int rc;

	while ((rc = db_step(all)) == 1) {
		struct op_xattr row = {
			.ino = db_column_u64(all, 0),
			.name = db_column_blob(all, 1),
			.value = db_column_blob(all, 2),
		};

		rc = fn(ctx, &row);
		if (rc)
			break;
	}
	db_reset(all);
	return rc;
}

static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	struct op_xattr op = {
		.ino = db_column_u64(row, 0),
		.name = db_column_blob(row, 1),
		.value = db_column_blob(row, 2),
	};
	uint8_t *body;
	int rc;

	if (op.name.len > sizeof(c->name) || op.value.len > VOLUME_XATTR_MAX)
		return corrupt("attribute of inode %llu is damaged",
			       (unsigned long long)op.ino);
	body = malloc(OP_XATTR_HEAD_MAX + op.value.len);
	if (!body)
		return -ENOMEM;
	rc = ops_put(ops, OP_XATTR, span_of(body, op_xattr_put(&op, body)));
	free(body);
	c->keys[0] = op.ino;
	c->name_len = op.name.len;
	if (op.name.len > 0)
		memcpy(c->name, op.name.ptr, op.name.len);
	return rc;
}

int xattrs_dump(struct volume *v, struct dump_cursor *c, struct buffer *ops)
{
	struct db_stmt *page = v->xattrs->page;
	/* The statement goes on to read it while rows change the cursor. */
	struct dump_cursor from = *c;

	bind_key(page, from.keys[0], span_of(from.name, from.name_len));
	return dump_page(page, dump_row, c, ops);
}

/* ---- changing -------------------------------------------------------------------- */

static int log_put(struct volume *v, const struct op_xattr *op)
{
	AUTO_FREE uint8_t *body = malloc(OP_XATTR_HEAD_MAX + op->value.len);

	if (!body)
		return -ENOMEM;
	return txn_op(v->store, OP_XATTR,
		      span_of(body, op_xattr_put(op, body)));
}

static int log_del(struct volume *v, uint64_t ino, struct span name)
{
	struct op_xattr op = { .ino = ino, .name = name };
	uint8_t body[OP_XATTR_HEAD_MAX];

	return txn_op(v->store, OP_XATTR_DEL,
		      span_of(body, op_xattr_del_put(&op, body)));
}

int xattr_put_target(struct volume *v, uint64_t ino, struct span target)
{
	struct op_xattr op = { .ino = ino, .value = target };

	return log_put(v, &op);
}

static bool has_any(struct inode *inode)
{
	bool any;

	sync_lock(&inode->lock);
	any = inode->image.flags & INODE_HAS_XATTRS;
	sync_unlock(&inode->lock);
	return any;
}

static void changed(struct volume *v, struct inode *inode, bool any)
{
	sync_lock(&inode->lock);
	if (any)
		inode->image.flags |= INODE_HAS_XATTRS;
	else
		inode->image.flags &= ~(uint64_t)INODE_HAS_XATTRS;
	inode->image.attr.ctime = volume_now();
	inode_changed(v, inode);
	sync_unlock(&inode->lock);
}

int xattr_remove(struct volume *v, struct inode *inode, struct span name)
{
	ssize_t n = -ENODATA;
	int rc;

	if (has_any(inode))
		n = get_value(v, inode->ino, name, NULL, 0);
	if (n < 0)
		return n == -ENODATA ? 0 : (int)n;
	rc = log_del(v, inode->ino, name);
	if (rc)
		return rc;
	n = get_names(v, inode->ino, NULL, 0);
	if (n < 0)
		return (int)n;
	changed(v, inode, n > 0);
	return 1;
}

static int check_set(struct volume *v, struct inode *inode, struct span name,
		     int flags)
{
	ssize_t n = -ENODATA;

	if (has_any(inode))
		n = get_value(v, inode->ino, name, NULL, 0);
	if (n < 0 && n != -ENODATA)
		return (int)n;
	if (n >= 0)
		return flags & XATTR_CREATE ? -EEXIST : 0;
	if (flags & XATTR_REPLACE)
		return -ENODATA;
	n = has_any(inode) ? get_names(v, inode->ino, NULL, 0) : 0;
	if (n < 0)
		return (int)n;
	return (size_t)n + name.len + 1 > LIST_MAX ? -ENOSPC : 0;
}

ssize_t xattr_find(struct volume *v, struct inode *inode, struct span name,
		   void *buf, size_t cap)
{
	return has_any(inode) ? get_value(v, inode->ino, name, buf, cap)
			      : -ENODATA;
}

int xattr_set(struct volume *v, struct inode *inode, const struct op_xattr *op,
	      int flags)
{
	int rc = check_set(v, inode, op->name, flags);

	if (!rc)
		rc = log_put(v, op);
	if (!rc)
		changed(v, inode, true);
	return rc;
}

static int check_name(struct span name)
{
	if (name.len == 0 || name.len > VOLUME_NAME_MAX)
		return -ERANGE;
	return memchr(name.ptr, '\0', name.len) ? -EINVAL : 0;
}

int volume_setxattr(struct volume *v, uint64_t ino, struct span name,
		    struct span value, int flags)
{
	struct op_xattr op = { .ino = ino, .name = name, .value = value };
	struct inode *inode;
	const int known = XATTR_CREATE | XATTR_REPLACE | VOLUME_XATTR_KILL_SGID;
	int rc = check_name(name);

	if (!rc && (flags & ~known))
		rc = -EINVAL;
	if (!rc && stored_xattr_is(name))
		rc = -EPERM;
	if (!rc && value.len > VOLUME_XATTR_MAX)
		rc = -ENOSPC;
	if (!rc)
		rc = store_reserve(v->store, OP_XATTR_HEAD_MAX + value.len);
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = inode_get_indexed(v, ino, &inode);
	if (!rc) {
		rc = policy_xattr_is(name)
			     ? policy_xattr_set(v, inode, value, flags)
		     : acl_xattr_is(name) ? acl_xattr_set(v, inode, &op, flags)
					  : xattr_set(v, inode, &op, flags);
		inode_put_indexed(v, inode);
	}
	inodes_txn_end(v);
	return rc;
}

static int remove_indexed(struct volume *v, struct inode *inode,
			  struct span name)
{
	int rc;

	if (policy_xattr_is(name))
		return policy_xattr_remove(v, inode);
	rc = xattr_remove(v, inode, name);
	/* A list that is not there is removed, as ext4 has it. */
	if (rc == 0 && !acl_xattr_is(name))
		rc = -ENODATA;
	return rc < 0 ? rc : 0;
}

int volume_removexattr(struct volume *v, uint64_t ino, struct span name)
{
	struct inode *inode;
	int rc = check_name(name);

	if (!rc && stored_xattr_is(name))
		rc = -EPERM;
	if (!rc)
		rc = txn_begin(v->store);
	if (rc)
		return rc;
	rc = inode_get_indexed(v, ino, &inode);
	if (!rc) {
		rc = remove_indexed(v, inode, name);
		inode_put_indexed(v, inode);
	}
	inodes_txn_end(v);
	return rc;
}

/* ---- reading ----------------------------------------------------------------------- */

ssize_t volume_getxattr(struct volume *v, uint64_t ino, struct span name,
			void *buf, size_t cap)
{
	struct inode *inode;
	ssize_t n = check_name(name);

	if (!n)
		n = inode_get(v, ino, &inode);
	if (n)
		return n;
	n = -ENODATA;
	if (policy_xattr_is(name)) {
		n = policy_xattr_get(inode, buf, cap);
	} else if (has_any(inode)) {
		index_lock(v->store);
		n = get_value(v, ino, name, buf, cap);
		index_unlock(v->store);
	}
	inode_put(v, inode);
	return n;
}

ssize_t volume_listxattr(struct volume *v, uint64_t ino, char *buf, size_t cap)
{
	struct inode *inode;
	ssize_t n = inode_get(v, ino, &inode);

	if (n)
		return n;
	if (has_any(inode)) {
		index_lock(v->store);
		n = get_names(v, ino, buf, cap);
		index_unlock(v->store);
	}
	if (n >= 0 && policy_xattr_get(inode, NULL, 0) > 0) {
		if ((size_t)n + sizeof(POLICY_XATTR) <= cap)
			memcpy(buf + n, POLICY_XATTR, sizeof(POLICY_XATTR));
		n += (ssize_t)sizeof(POLICY_XATTR);
	}
	inode_put(v, inode);
	return cap > 0 && n > (ssize_t)cap ? -ERANGE : n;
}

/* Copies what fits. */
static ssize_t get_target(struct volume *v, uint64_t ino, char *buf, size_t cap)
{
	struct db_stmt *find = v->xattrs->find;
	ssize_t n;
	int rc;

	bind_key(find, ino, span_of(NULL, 0));
	rc = db_step(find);
	if (rc == 1) {
		struct span target = db_column_blob(find, 0);

		n = (ssize_t)min_u64(target.len, cap);
		if (n > 0)
			memcpy(buf, target.ptr, (size_t)n);
	} else if (rc == 0) {
		n = corrupt("symbolic link %llu has no target",
			    (unsigned long long)ino);
	} else {
		n = rc;
	}
	db_reset(find);
	return n;
}

ssize_t volume_readlink(struct volume *v, uint64_t ino, char *buf, size_t cap)
{
	struct volume_attr attr;
	struct inode *inode;
	ssize_t n = inode_get(v, ino, &inode);

	if (n)
		return n;
	inode_attr(inode, &attr);
	if (!S_ISLNK(attr.mode)) {
		inode_put(v, inode);
		return -EINVAL;
	}
	index_lock(v->store);
	n = get_target(v, ino, buf, cap);
	index_unlock(v->store);
	inode_put(v, inode);
	return n;
}
