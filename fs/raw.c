/* SPDX-License-Identifier: MIT */
/*
 * raw.c - STATX and TMPFILE, between the kernel and the volume.
 *
 * Layouts are those of the kernel's protocol, version 7.39. A request that is
 * shorter than it has to be gets EINVAL, which is what libfuse would do.
 */
#include "raw.h"

#include "bridge.h"
#include "loop.h"
#include "refusals.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	RAW_TMPFILE = 51,
	RAW_STATX = 52,
};

/* What STATX asks. */
struct statx_request {
	uint32_t getattr_flags; /* FUSE_GETATTR_FH: of an open file */
	uint32_t reserved;
	uint64_t fh;
	uint32_t flags;
	uint32_t mask;
};

struct statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct statx_reply {
	uint64_t valid; /* seconds that it may be trusted */
	uint32_t valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare_mode;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct statx_time atime;
	struct statx_time btime;
	struct statx_time ctime;
	struct statx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare_end[14];
};

struct tmpfile_reply {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

_Static_assert(sizeof(struct statx_request) == 24, "STATX's request");
_Static_assert(sizeof(struct statx_reply) == 288, "STATX's reply");
_Static_assert(sizeof(struct tmpfile_reply) == 144, "TMPFILE's reply");

/* 0, or a negative errno: the kernel has not got it. */
static int reply(struct bridge *bridge, uint64_t unique, int rc,
		 const void *body, size_t len)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof(header) + (rc == 0 ? len : 0)),
		.error = rc == 0 ? 0 : -bridge_inode_error(rc),
		.unique = unique,
	};
	struct iovec iov[2] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = len },
	};

	loop_answering();
	if (writev(fuse_session_fd(bridge->se), iov, rc == 0 ? 2 : 1) < 0)
		return -errno;
	return 0;
}

/* ---- STATX ---------------------------------------------------------------- */

static struct statx_time statx_time_of(struct timespec t)
{
	return (struct statx_time){
		.sec = t.tv_sec,
		.nsec = (uint32_t)t.tv_nsec,
	};
}

static void fill_statx(const struct volume_attr *attr, struct statx_reply *ret)
{
	struct fuse_entry_param entry;
	const struct stat *st = &entry.attr;

	bridge_entry(attr, &entry);
	*ret = (struct statx_reply){
		.valid = (uint64_t)entry.attr_timeout,
		.mask = STATX_BASIC_STATS | STATX_BTIME,
		.blksize = (uint32_t)st->st_blksize,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mode = (uint16_t)st->st_mode,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = statx_time_of(st->st_atim),
		.btime = { .sec = attr->btime.sec, .nsec = attr->btime.nsec },
		.ctime = statx_time_of(st->st_ctim),
		.mtime = statx_time_of(st->st_mtim),
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
	};
}

static void serve_statx(struct bridge *bridge,
			const struct fuse_in_header *header, struct span body)
{
	struct statx_request in;
	struct statx_reply out = { 0 };
	struct volume_attr attr;
	int rc = body.len < sizeof(in) ? -EINVAL : 0;

	if (rc == 0) {
		memcpy(&in, body.ptr, sizeof(in));
		/* As GETATTR does for an open file. */
		if (in.getattr_flags & FUSE_GETATTR_FH)
			rc = refusals_take(bridge->refusals, header->nodeid);
	}
	if (rc == 0)
		rc = volume_getattr(bridge->volume, header->nodeid, &attr);
	if (rc == 0)
		fill_statx(&attr, &out);
	(void)reply(bridge, header->unique, rc, &out, sizeof(out));
}

/* ---- TMPFILE -------------------------------------------------------------- */

static void fill_entry(const struct volume_attr *attr,
		       struct fuse_entry_out *ret)
{
	struct fuse_entry_param entry;
	const struct stat *st = &entry.attr;

	bridge_entry(attr, &entry);
	*ret = (struct fuse_entry_out){
		.nodeid = entry.ino,
		.generation = entry.generation,
		.entry_valid = (uint64_t)entry.entry_timeout,
		.attr_valid = (uint64_t)entry.attr_timeout,
		.attr = {
			.ino = st->st_ino,
			.size = (uint64_t)st->st_size,
			.blocks = (uint64_t)st->st_blocks,
			.atime = (uint64_t)st->st_atim.tv_sec,
			.mtime = (uint64_t)st->st_mtim.tv_sec,
			.ctime = (uint64_t)st->st_ctim.tv_sec,
			.atimensec = (uint32_t)st->st_atim.tv_nsec,
			.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
			.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
			.mode = st->st_mode,
			.nlink = (uint32_t)st->st_nlink,
			.uid = st->st_uid,
			.gid = st->st_gid,
			.blksize = (uint32_t)st->st_blksize,
		},
	};
}

static void serve_tmpfile(struct bridge *bridge,
			  const struct fuse_in_header *header, struct span body)
{
	struct volume_new what = { .uid = header->uid, .gid = header->gid };
	struct tmpfile_reply out = { 0 };
	struct fuse_create_in in;
	struct volume_attr attr;
	int rc = body.len < sizeof(in) ? -EINVAL : 0;

	if (rc == 0) {
		memcpy(&in, body.ptr, sizeof(in));
		what.mode = (in.mode & ~(uint32_t)S_IFMT) | S_IFREG;
		what.umask = in.umask;
		rc = volume_make_unnamed(bridge->volume, header->nodeid, &what,
					 &attr);
	}
	if (rc == 0) {
		fill_entry(&attr, &out.entry);
		out.open.open_flags = FOPEN_KEEP_CACHE;
	}
	/* What the kernel never learns of, it will not forget. */
	if (reply(bridge, header->unique, rc, &out, sizeof(out)) < 0 && rc == 0)
		volume_forget(bridge->volume, attr.ino, 1);
}

bool raw_serve(struct bridge *bridge, struct span request)
{
	struct fuse_in_header header;
	struct span body;

	if (request.len < sizeof(header))
		return false;
	memcpy(&header, request.ptr, sizeof(header));
	body = span_of(request.ptr + sizeof(header),
		       request.len - sizeof(header));
	switch (header.opcode) {
	case RAW_STATX:
		serve_statx(bridge, &header, body);
		return true;
	case RAW_TMPFILE:
		serve_tmpfile(bridge, &header, body);
		return true;
	default:
		return false;
	}
}
