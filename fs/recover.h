/* SPDX-License-Identifier: MIT */
/*
 * recover.h - copies a salvaged filesystem into a directory.
 *
 * recover_tree.c goes through the tree; recover_file.c copies one inode;
 * cmd_recover.c tells how it goes.
 */
#ifndef FS_RECOVER_H
#define FS_RECOVER_H

#include "base/buffer.h"
#include "restore.h"
#include "volume/salvage.h"

#include <signal.h>

/* What a partial file's name ends with. */
#define RECOVER_PARTIAL ".partial"
#define RECOVER_LOST    "lost+found"

/* What was found out about something that is copied. */
enum recover_what {
	RECOVER_RANGE_LOST,    /* from, to: bytes that hold zeros now */
	RECOVER_HOLES_UNSURE,  /* from: bytes that may be missing */
	RECOVER_ATTRS_LOST,    /* type, size and owner are a guess */
	RECOVER_NAME_LOST,     /* it is in RECOVER_LOST */
	RECOVER_RENAMED,       /* the name was taken; `path` is the new one */
	RECOVER_NOT_MADE,      /* rc: why */
	RECOVER_NAME_DROPPED,  /* a second name of a directory */
	RECOVER_XATTR_NOT_SET, /* `key`, rc: why */
	RECOVER_ATTRS_NOT_SET, /* rc: why */
	RECOVER_N
};

struct recover_finding {
	enum recover_what what;
	const char *path; /* below the directory that all goes to */
	uint64_t from;
	uint64_t to;
	const char *key;
	int rc;
};

struct recover_counts {
	uint64_t n_files;
	uint64_t n_dirs;
	uint64_t n_others; /* links, pipes, devices … */
	uint64_t n_links;  /* further names */
	uint64_t n_partial;
	uint64_t n_lost_names;
	uint64_t n_owners; /* that could not be set */
	uint64_t n_bytes;
	uint64_t n_lost; /* bytes */
};

struct recover {
	struct volume *volume;
	int root_fd;
	void *ctx;
	void (*finding)(void *ctx, const struct recover_finding *f);
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	/* Set by a signal: -ECANCELED. NULL: never. */
	const volatile sig_atomic_t *stop;
	struct recover_counts counts;
	uint64_t n_done;     /* inodes */
	uint64_t n_total;    /* inodes */
	struct buffer path;  /* of what is at hand, below the root; no NUL */
	struct buffer value; /* scratch */
};

/*
 * All of it. Errors are those that end it: no room, no memory. Calls
 * salvage_settle().
 */
int recover_all(struct recover *r);

/* ---- between its files -------------------------------------------------------- */

/* Adds a name to r->path; the length to go back to is the result. */
int recover_push(struct recover *r, const char *name, size_t *ret_len);

void recover_tell(struct recover *r, struct recover_finding f);

/* -ECANCELED: it was stopped. */
int recover_check_stop(const struct recover *r);

/* Errors that leave no sense in going on. */
bool recover_is_fatal(int rc);

/*
 * Makes something under this name in `name->dir_fd`, or a similar one if that
 * cannot be: which one is told and put in `name`. r->path has it at its end.
 */
typedef int recover_maker(void *ctx, const struct restore_name *name);
int recover_make(struct recover *r, uint64_t ino, struct restore_name *name,
		 recover_maker *make, void *ctx);

/* Copies what is no directory, or makes a further name of it. */
int recover_put(struct recover *r, const struct salvage_node *node,
		struct restore_name *name);

/* The attributes of what is complete, `fd` as in restore_attrs(). */
int recover_attrs(struct recover *r, const struct salvage_node *node,
		  const struct restore_name *name, int fd);

#endif
