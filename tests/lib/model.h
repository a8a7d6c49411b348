/* SPDX-License-Identifier: MIT */
/*
 * model.h - a POSIX filesystem in memory, simple enough to be believed.
 *
 * Nodes are numbered in the order in which they were made, and a number is
 * never used again, so that the same operations give the same numbers. Content
 * is kept in pages; a page that is absent is zeros. Functions return 0 or the
 * negative errno that Linux gives on ext4. Out of memory ends the test.
 * Owner thread only.
 */
#ifndef TESTS_LIB_MODEL_H
#define TESTS_LIB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { MODEL_ROOT = 0, MODEL_NAME_MAX = 255, MODEL_PAGE = 64 << 10 };

#define MODEL_NONE     UINT32_MAX
#define MODEL_SIZE_MAX ((uint64_t)INT64_MAX)

struct model_page {
	uint64_t no;
	uint8_t *bytes; /* MODEL_PAGE of them */
};

struct model_entry {
	char *name;
	uint32_t id;
};

struct model_xattr {
	char *name;
	uint8_t *value;
	size_t len;
};

struct model_node {
	uint32_t mode, uid, gid, nlink;
	uint64_t rdev;
	uint64_t size;            /* regular files */
	struct model_page *pages; /* sorted */
	size_t n_pages;
	char *target;
	struct model_entry *entries; /* sorted by name */
	size_t n_entries;
	uint32_t parent;            /* directories */
	struct model_xattr *xattrs; /* sorted by name */
	size_t n_xattrs;

	bool mtime_known, atime_known; /* set by hand, not changed since */
	struct timespec mtime, atime;
	bool reserved;      /* fallocate() may have taken room beyond the end */
	uint64_t name_step; /* of the newest change, data apart */
	uint64_t data_step; /* of the newest change of its data */

	/* For whoever drives a filesystem beside the model. */
	uint64_t ino, generation, refs;
	struct timespec btime;
};

struct model {
	struct model_node **nodes; /* by number; NULL: gone */
	uint32_t n_nodes;
	uint64_t step; /* stamped on what changes; set by the owner */
};

struct model *model_new(void);
struct model *model_clone(const struct model *m);
void model_free(struct model *m);

/* NULL: gone, or never there. */
struct model_node *model_get(const struct model *m, uint32_t id);

/* MODEL_NONE when there is no such name. */
uint32_t model_find(const struct model *m, uint32_t dir, const char *name);

bool model_is_dir(const struct model_node *node);
bool model_is_file(const struct model_node *node);

/* Whether the node has a name; a directory: is not removed. */
bool model_is_linked(const struct model_node *node);

/* A directory that names `id`, and its entry. The root has none: false. */
bool model_where(const struct model *m, uint32_t id, uint32_t *ret_dir,
		 const char **ret_name);

/* ---- names ---------------------------------------------------------------- */

struct model_new_node {
	uint32_t mode, uid, gid;
	uint64_t rdev;
	const char *target;
};

int model_make(struct model *m, uint32_t dir, const char *name,
	       const struct model_new_node *what, uint32_t *ret_id);
int model_link(struct model *m, uint32_t id, uint32_t dir, const char *name);
int model_unlink(struct model *m, uint32_t dir, const char *name);
int model_rmdir(struct model *m, uint32_t dir, const char *name);

struct model_place {
	uint32_t dir;
	const char *name;
};
int model_rename(struct model *m, const struct model_place *from,
		 const struct model_place *to, unsigned flags);

/* Frees a node without a name. */
void model_drop(struct model *m, uint32_t id);

/* ---- content -------------------------------------------------------------- */

int model_write(struct model *m, uint32_t id, uint64_t off, const void *bytes,
		size_t len);
int model_resize(struct model *m, uint32_t id, uint64_t size);

/* Bytes read; less than `len` only at the end. */
size_t model_read(const struct model_node *node, uint64_t off, void *buf,
		  size_t len);

/* fallocate(2). */
int model_allocate(struct model *m, uint32_t id, int mode, uint64_t off,
		   uint64_t len);

struct model_range {
	uint32_t id;
	uint64_t off;
};

/* copy_file_range(2): the bytes copied. */
int64_t model_copy(struct model *m, const struct model_range *from,
		   const struct model_range *to, size_t len);

/* Offset of the first byte that is not zero at or after `off`; the size when
 * there is none. */
uint64_t model_nonzero(const struct model_node *node, uint64_t off);

/* ---- attributes ------------------------------------------------------------ */

/* The owner changed mode, owner or times of `id` by hand. */
void model_touched(struct model *m, uint32_t id);

const struct model_xattr *model_xattr_find(const struct model_node *node,
					   const char *name);

struct model_value {
	const void *bytes;
	size_t len;
};
int model_setxattr(struct model *m, uint32_t id, const char *name,
		   struct model_value value, int flags);
int model_removexattr(struct model *m, uint32_t id, const char *name);

/* ---- comparing -------------------------------------------------------------- */

/*
 * Of all names, types, permissions, owners, links, targets and xattrs: all
 * that is not content or time. Node numbers do not matter.
 */
uint64_t model_hash(const struct model *m);

/* The first such difference in words; false when there is none. */
bool model_diff(const struct model *a, const struct model *b, char *text,
		size_t cap);

#endif
