/* SPDX-License-Identifier: MIT */
/* digest.c - walks a volume and hashes what it finds; stirs it up. */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include "unit/volume/digest.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 4096 };

/* ---- hashing ---------------------------------------------------------------- */

struct entries {
	uint64_t hash;
	uint64_t inos[ENTRIES_MAX];
	size_t n;
};

static bool collect(void *ctx, struct span name, const struct volume_attr *attr,
		    uint64_t next)
{
	struct entries *e = ctx;

	e->hash = hash64(name, e->hash);
	e->hash = hash64_mix(e->hash, attr->ino);
	e->hash = hash64_mix(e->hash, attr->mode);
	e->hash = hash64_mix(e->hash, next);
	if (next > 2) {
		ck_assert_uint_lt(e->n, ENTRIES_MAX);
		e->inos[e->n++] = attr->ino;
	}
	return true;
}

static uint64_t mix_time(uint64_t hash, struct volume_time t)
{
	return hash64_mix(hash64_mix(hash, (uint64_t)t.sec), t.nsec);
}

static uint64_t mix_attr(uint64_t hash, const struct volume_attr *a)
{
	const uint64_t fields[] = { a->ino, a->generation, a->mode, a->nlink,
				    a->uid, a->gid,        a->size, a->rdev };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		hash = hash64_mix(hash, fields[i]);
	hash = mix_time(hash, a->atime);
	hash = mix_time(hash, a->mtime);
	hash = mix_time(hash, a->ctime);
	return mix_time(hash, a->btime);
}

static uint64_t mix_xattrs(struct fixture *f, uint64_t hash, uint64_t ino)
{
	char names[1000];
	char value[1000];
	ssize_t len = volume_listxattr(f->v, ino, names, sizeof(names));

	ck_assert_int_ge(len, 0);
	for (const char *name = names; name < names + len;
	     name += strlen(name) + 1) {
		ssize_t n = volume_getxattr(f->v, ino, name_of(name), value,
					    sizeof(value));

		ck_assert_int_ge(n, 0);
		hash = hash64(name_of(name), hash);
		hash = hash64(span_of(value, (size_t)n), hash);
	}
	return hash;
}

static uint64_t mix_target(struct fixture *f, uint64_t hash, uint64_t ino)
{
	char target[100];
	ssize_t n = volume_readlink(f->v, ino, target, sizeof(target));

	ck_assert_int_ge(n, 0);
	return hash64(span_of(target, (size_t)n), hash);
}

static uint64_t visit(struct fixture *f, uint64_t hash, struct entries *e)
{
	struct volume_attr attr = attr_of(f, e->inos[--e->n]);

	hash = mix_attr(hash, &attr);
	hash = mix_xattrs(f, hash, attr.ino);
	if (S_ISLNK(attr.mode))
		hash = mix_target(f, hash, attr.ino);
	if (S_ISDIR(attr.mode))
		ck_ok(volume_readdir(
			f->v, attr.ino, 0,
			&(struct volume_lister){ false, collect, e }));
	return hash;
}

/* A stack of inodes that are still to be visited, instead of recursion. */
uint64_t digest(struct fixture *f)
{
	struct entries *e = calloc(1, sizeof(*e));
	uint64_t hash = 0;

	ck_assert_ptr_nonnull(e);
	e->inos[e->n++] = VOLUME_ROOT;
	while (e->n > 0)
		hash = visit(f, hash, e);
	hash = hash64_mix(hash, e->hash);
	free(e);
	return hash;
}

/* ---- stirring ------------------------------------------------------------------ */

struct picked {
	uint64_t dir;
	char name[8];
};

static bool pick_one(void *ctx, struct span name,
		     const struct volume_attr *attr, uint64_t next)
{
	uint64_t *ino = ctx;

	(void)name;
	if (next > 2 && S_ISDIR(attr->mode))
		*ino = attr->ino;
	return next <= 2 || !S_ISDIR(attr->mode);
}

/* A directory some levels down, and a name that may be in it. */
static struct picked pick(struct fixture *f, struct rng *r)
{
	struct picked p = { .dir = VOLUME_ROOT };

	for (uint64_t depth = rng_below(r, 4); depth > 0; depth--) {
		uint64_t from = rng_u64(r) >> 17;

		(void)volume_readdir(
			f->v, p.dir, from,
			&(struct volume_lister){ false, pick_one, &p.dir });
	}
	(void)snprintf(p.name, sizeof(p.name), "n%u",
		       (unsigned)rng_below(r, 12));
	return p;
}

static void churn_attr(struct fixture *f, struct rng *r, uint64_t ino)
{
	struct volume_attr attr = { .mode = (uint32_t)rng_below(r, 010000),
				    .uid = (uint32_t)rng_below(r, 1000),
				    .mtime = { (int64_t)rng_below(r, 1000),
					       5 } };
	char name[8];

	if (ino == 0)
		return;
	(void)snprintf(name, sizeof(name), "x%u", (unsigned)rng_below(r, 4));
	switch (rng_below(r, 3)) {
	case 0:
		(void)volume_setattr(f->v, ino, SET_MODE | SET_UID | SET_MTIME,
				     &attr, &attr);
		break;
	case 1:
		(void)volume_setxattr(f->v, ino, name_of(name),
				      name_of("value"), 0);
		break;
	default:
		(void)volume_removexattr(f->v, ino, name_of(name));
		break;
	}
}

static void churn_once(struct fixture *f, struct rng *r)
{
	static const uint32_t types[] = { S_IFREG, S_IFREG, S_IFDIR,
					  S_IFDIR, S_IFLNK, S_IFIFO };
	static const unsigned flags[] = { 0, 0, 0, RENAME_NOREPLACE,
					  RENAME_EXCHANGE };
	struct picked a = pick(f, r);
	struct picked b = pick(f, r);

	switch (rng_below(r, 9)) {
	case 0:
	case 1:
	case 2:
		(void)try_make(f, a.dir, a.name,
			       types[rng_below(r, ARRAY_LEN(types))] | 0644);
		break;
	case 3:
		(void)try_unlink(f, a.dir, a.name);
		break;
	case 4:
		(void)try_rmdir(f, a.dir, a.name);
		break;
	case 5:
		if (ino_of(f, a.dir, a.name) != 0)
			(void)try_link(f, ino_of(f, a.dir, a.name), b.dir,
				       b.name);
		break;
	case 6:
	case 7:
		(void)try_rename(f, at(a.dir, a.name), at(b.dir, b.name),
				 flags[rng_below(r, ARRAY_LEN(flags))]);
		break;
	default:
		churn_attr(f, r, ino_of(f, a.dir, a.name));
		break;
	}
}

void churn(struct fixture *f, struct rng *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		churn_once(f, r);
}
