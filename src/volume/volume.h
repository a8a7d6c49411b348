/* SPDX-License-Identifier: MIT */
/*
 * volume.h - a filesystem without a mount: the face shown to fs/ and tests.
 *
 * POSIX meaning only; knows no FUSE. Permission checks are the caller's (the
 * kernel's, by default_permissions). Names are bytes: 1..255, no '/' or NUL.
 * Threads: any. Errors: the negative errno that ext4 gives; -EROFS when the
 * store is read-only.
 *
 * Life of an inode: every call marked "counts" adds one reference, as a FUSE
 * lookup does; volume_forget() takes them back. An inode without links lives
 * until its references are gone.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include "store/store.h"

#include <sys/uio.h>

struct volume;

enum {
	VOLUME_ROOT = 1, /* inode of the root directory */
	VOLUME_NAME_MAX = 255,
	VOLUME_LINK_MAX = 65000, /* names of a file */
	/* Of a directory: two, and one for each directory in it. */
	VOLUME_DIR_LINK_MAX = INT32_MAX,
	VOLUME_XATTR_MAX = 64 << 10, /* bytes of a value */
	VOLUME_SYMLINK_MAX = 4095,
};

/* Largest size of a file: 8 EiB - 1. */
#define VOLUME_SIZE_MAX ((uint64_t)INT64_MAX)

struct volume_time {
	int64_t sec;
	uint32_t nsec; /* 0..999999999 */
};

struct volume_attr {
	uint64_t ino;
	uint64_t generation;
	uint32_t mode; /* type and permissions, as st_mode */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	uint64_t allocated; /* bytes not in holes; st_blocks is this / 512 */
	uint64_t rdev;
	struct volume_time atime, mtime, ctime, btime;
};

/* When volume_accessed() moves the time of access. */
enum volume_atime {
	/* if it is not later than the last change, or a day old */
	VOLUME_ATIME_RELATIVE = 1 << 0,
	VOLUME_ATIME_STRICT = 1 << 1,   /* always */
	VOLUME_ATIME_NOT_DIRS = 1 << 2, /* but never of directories */
	VOLUME_ATIME_ALL = (1 << 3) - 1,
};

struct volume_options {
	struct store_options store;
	size_t dirty_len;  /* bytes not yet encoded, at most; 0: default */
	unsigned n_inodes; /* cached inodes; 0: default */
	bool kernel_times; /* the caller sends mtime/ctime of writes itself */
	unsigned atime;    /* VOLUME_ATIME_...; 0: reads move nothing */
};

/* Makes a store with an empty root directory owned by the caller (mode 0755).
 * Errors as store_create(). */
int volume_create(const char *path, const struct store_create_options *options);

/* Errors as store_open(). Orphans of an earlier mount are removed. */
int volume_open(const char *path, const struct volume_options *options,
		struct volume **ret);

/* Everything is durable and the store closed when this returns, also on
 * failure, which says that something was not. */
int volume_close(struct volume *v);

/* For statistics, check and control. */
struct store *volume_store(struct volume *v);

/* Everything received so far is durable on return. */
int volume_sync(struct volume *v);

struct volume_stat {
	uint64_t total_len, free_len; /* bytes of the store's disk */
	uint64_t n_inodes;
};
int volume_statfs(struct volume *v, struct volume_stat *ret);

/* ---- names ---------------------------------------------------------------- */

/* Counts. "." and ".." are understood. -ENOENT, -ENOTDIR. */
int volume_lookup(struct volume *v, uint64_t parent, struct span name,
		  struct volume_attr *ret);
void volume_forget(struct volume *v, uint64_t ino, uint64_t n);

struct volume_new {
	uint32_t mode;  /* type and permissions */
	uint32_t umask; /* counts unless `parent` has a default list */
	uint32_t uid;
	uint32_t gid; /* ignored below a setgid directory */
	uint64_t rdev;
	struct span target; /* symbolic links */
};

/* Makes a file, directory, symlink, fifo, socket or device. Counts. */
int volume_make(struct volume *v, uint64_t parent, struct span name,
		const struct volume_new *what, struct volume_attr *ret);

/* Makes a regular file that no name means, in the manner of `parent`. It goes
 * with the last reference unless it is linked before. Counts. */
int volume_make_unnamed(struct volume *v, uint64_t parent,
			const struct volume_new *what, struct volume_attr *ret);

/* A hard link. Counts. -EPERM on directories, -EMLINK, -ENOENT of what has lost
 * its last name. */
int volume_link(struct volume *v, uint64_t ino, uint64_t parent,
		struct span name, struct volume_attr *ret);
int volume_unlink(struct volume *v, uint64_t parent, struct span name);
int volume_rmdir(struct volume *v, uint64_t parent, struct span name);

struct volume_place {
	uint64_t parent;
	struct span name;
};

/* `flags`: RENAME_NOREPLACE, RENAME_EXCHANGE, and RENAME_WHITEOUT, which makes
 * `whiteout` in place of the old name; others -EINVAL. `whiteout` may be NULL
 * without that flag. */
int volume_rename(struct volume *v, const struct volume_place *from,
		  const struct volume_place *to, unsigned flags,
		  const struct volume_new *whiteout);

/* Copies the target, without NUL; returns its length, at most `cap`. */
ssize_t volume_readlink(struct volume *v, uint64_t ino, char *buf, size_t cap);

/*
 * One entry. `next` is the cookie from which to go on after it. `attr` has
 * ino and mode's type only, unless attributes were asked for. Returns false
 * when it does not want this entry (no room): the walk ends before it.
 */
typedef bool volume_entry_fn(void *ctx, struct span name,
			     const struct volume_attr *attr, uint64_t next);

/* Who is told the entries, and whether with attributes. */
struct volume_lister {
	bool with_attr;
	volume_entry_fn *fn;
	void *ctx;
};

/*
 * Walks the entries after `cookie` (0: from the start; "." and ".." come
 * first). An entry that stays is told exactly once, whatever comes or goes.
 * With `with_attr` each entry other than "." and ".." that the callback takes counts.
 * The callback must not call the volume.
 */
int volume_readdir(struct volume *v, uint64_t ino, uint64_t cookie,
		   const struct volume_lister *to);

/* ---- attributes ------------------------------------------------------------ */

int volume_getattr(struct volume *v, uint64_t ino, struct volume_attr *ret);

enum volume_set {
	SET_MODE = 1 << 0,
	SET_UID = 1 << 1,
	SET_GID = 1 << 2,
	SET_SIZE = 1 << 3,
	SET_ATIME = 1 << 4,
	SET_MTIME = 1 << 5,
	SET_CTIME = 1 << 6,
	SET_ATIME_NOW = 1 << 7,
	SET_MTIME_NOW = 1 << 8,
	SET_KILL_PRIV =
		1 << 9, /* clear suid, sgid of executables, capabilities */
};

/* Sets what `mask` names from `attr`; ctime becomes now. With SET_CTIME, now is
 * attr's ctime. */
int volume_setattr(struct volume *v, uint64_t ino, unsigned mask,
		   const struct volume_attr *attr, struct volume_attr *ret);

/*
 * A program has read the file, directory or symbolic link: moves its time of
 * access, if the rule says so, in memory alone: see atime.h. Returns whether it
 * was moved; never in a store that is read-only. Takes INDEX only when the inode
 * is not in memory.
 */
bool volume_accessed(struct volume *v, uint64_t ino);

/* Another rule from now on. */
void volume_set_atime(struct volume *v, unsigned rule);

/* Returns the length; `cap` 0 asks for it. -ENODATA, -ERANGE. */
ssize_t volume_getxattr(struct volume *v, uint64_t ino, struct span name,
			void *buf, size_t cap);
ssize_t volume_listxattr(struct volume *v, uint64_t ino, char *buf, size_t cap);

/* Beside the flags of setxattr(2): who sets an access control list is not in the
 * group of the file, which then loses setgid. */
#define VOLUME_XATTR_KILL_SGID (1 << 16)

/* `flags`: XATTR_CREATE, XATTR_REPLACE, VOLUME_XATTR_KILL_SGID. The lists of
 * system.posix_acl_access and _default are checked, and the mode follows the
 * first one, which follows the mode. */
int volume_setxattr(struct volume *v, uint64_t ino, struct span name,
		    struct span value, int flags);
int volume_removexattr(struct volume *v, uint64_t ino, struct span name);

/* ---- data: file.h ------------------------------------------------------------ */

#endif
