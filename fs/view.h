/* SPDX-License-Identifier: MIT */
/*
 * view.h - looking into a store that is not mounted: its names, and what they
 * name.
 *
 * Owner thread only. Errors: those of volume.h.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include "base/buffer.h"
#include "volume/volume.h"

/*
 * Opens the store that `path` means, a store or a directory of a mount, to read:
 * nothing in it is changed, and what its index lacks is replayed in memory or in
 * a file that is gone with us. An error has been said; of a mounted store it
 * names who has it, and where.
 */
int view_open(const char *path, struct volume **ret);

/* Says so, naming `path`, if what volume_close() gives is an error. */
int view_close(const char *path, struct volume *v);

/*
 * What `path` names, from the root of the store. Symbolic links on the way are
 * followed, and with `follow`, or a '/' behind it, the last one, too; absolute
 * ones begin at the root of the store. -ELOOP: more than 40 of them.
 */
int view_find(struct volume *v, const char *path, bool follow,
	      struct volume_attr *ret);

/* One name in a directory. */
struct view_entry {
	struct volume_attr attr; /* ino and type only when rc is not 0 */
	int rc;                  /* of asking for the attributes */
	uint64_t next;           /* the cookie behind it */
	size_t name_off;
};

struct view_list {
	struct view_entry *entries; /* owned */
	size_t n;
	size_t cap;
	size_t max;          /* 0: no limit */
	struct buffer names; /* each with a NUL behind it */
	int rc;
};

void view_list_init(struct view_list *l, size_t max);
void view_list_release(struct view_list *l);

/*
 * The entries of `dir` behind `cookie` (0: the first ones are "." and ".."), at
 * most `max`. 1: there may be more; 0: these were all; an error: these came
 * before what is damaged.
 */
int view_list_read(struct view_list *l, struct volume *v, uint64_t dir,
		   uint64_t cookie);

static inline const char *view_name(const struct view_list *l,
				    const struct view_entry *e)
{
	return (const char *)l->names.data + e->name_off;
}

/* Whether the directory `child` is one of `parent`'s. -EUCLEAN: a damaged store
 * says so, and who went there might never come to an end. */
int view_check_child(struct volume *v, uint64_t parent, uint64_t child);

/* "file", "directory" … */
const char *view_type_name(uint32_t mode);

/* The target of a symbolic link, with a NUL; `ret` has room for
 * VOLUME_SYMLINK_MAX + 1. */
int view_readlink(struct volume *v, uint64_t ino, char *ret);

#endif
