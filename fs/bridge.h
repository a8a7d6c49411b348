/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - what the FUSE operations work with, and how they answer.
 *
 * The kernel on one side, a volume on the other. Inode numbers are node ids.
 * Nothing here depends on OPEN, FLUSH or RELEASE, which need not come.
 * Threads: any.
 */
#ifndef FS_BRIDGE_H
#define FS_BRIDGE_H

#ifndef FUSE_USE_VERSION
# define FUSE_USE_VERSION 314
#endif

#include "volume/volume.h"
#include "wire.h"

#include <fuse_lowlevel.h>

struct refusals;
struct workers;

/* How long the kernel may trust names and attributes: nobody but it changes
 * them. */
#define BRIDGE_FOREVER 1e9
#define BRIDGE_MOMENT  1.0

struct bridge {
	struct volume *volume;     /* immutable */
	struct fuse_session *se;   /* immutable */
	struct workers *seekers;   /* immutable; for LSEEK */
	struct refusals *refusals; /* immutable */
	bool read_only;            /* immutable */
	bool checked; /* immutable; the kernel checks permissions */
	struct wire wire;
};

/* Each fills its part of the table of operations. */
void node_ops(struct fuse_lowlevel_ops *ops);
void dir_ops(struct fuse_lowlevel_ops *ops);
void file_ops(struct fuse_lowlevel_ops *ops);
void xattr_ops(struct fuse_lowlevel_ops *ops);

static inline struct bridge *bridge_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct volume *volume_of(fuse_req_t req)
{
	return bridge_of(req)->volume;
}

static inline struct span name_of(const char *name)
{
	return span_of(name, strlen(name));
}

/* Answers 0 or an error of an operation on names. */
void answer_status(fuse_req_t req, int rc);

/* The same for an operation on an inode: one that is gone is stale. */
void answer_inode_status(fuse_req_t req, int rc);

/* The errno that such an answer has for the error `rc`; 0 for 0. */
int bridge_inode_error(int rc);

void answer_attr(fuse_req_t req, const struct volume_attr *attr);

/* An inode that the volume has counted for the kernel. */
void answer_entry(fuse_req_t req, const struct volume_attr *attr);
void answer_create(fuse_req_t req, const struct volume_attr *attr,
		   const struct fuse_file_info *fi);

/* The kernel's form of an inode with its attributes. */
void bridge_entry(const struct volume_attr *attr, struct fuse_entry_param *ret);

#endif
