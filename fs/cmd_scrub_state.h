/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub_state.h - how far a scrub is, and what it has found; kept in the store's
 * directory, in the file `scrub`, so that another mount goes on with it.
 *
 * Not part of what the store holds: a file that is lost or damaged means that
 * the next scrub begins anew. Owner thread only.
 */
#ifndef FS_CMD_SCRUB_STATE_H
#define FS_CMD_SCRUB_STATE_H

#include "store/scrub.h"

#include <stdbool.h>
#include <stddef.h>

struct json;

#define SCRUB_STATE_NAME "scrub"

enum { SCRUB_ENTRIES_MAX = 64, SCRUB_PATH_MAX = 256 };

/* A damaged frame and a range of a file that it costs. */
struct scrub_entry {
	struct scrub_damage damage;
	uint64_t ino; /* 0: no file is known to need it */
	uint64_t file_off;
	uint64_t len;
	char path[SCRUB_PATH_MAX]; /* from the root, for people: '?' for what is
				    * no text; its end, if it is too long */
};

struct scrub_state {
	uint64_t begun; /* seconds since 1970; 0: never */
	uint64_t ended; /* 0: it has not */
	struct scrub_pass pass;
	size_t n_entries; /* what is beyond SCRUB_ENTRIES_MAX is only counted */
	struct scrub_entry entries[SCRUB_ENTRIES_MAX];
};

/* -ENOENT: there is none. -EUCLEAN: nothing that we wrote. */
int scrub_state_load(int dir_fd, struct scrub_state *ret);

/* Replaces the file; not durable at once. */
int scrub_state_save(int dir_fd, const struct scrub_state *state);

/* Counts and `n_entries`, from what scrub_state_put() has written; the entries
 * themselves are not in it. -EUCLEAN. */
int scrub_state_get(const char *text, struct scrub_state *ret);

/* Keeps it for telling. */
void scrub_state_add(struct scrub_state *state,
		     const struct scrub_damage *damage);

/* Forgets which files they cost: each frame has one entry again. */
void scrub_state_unplace(struct scrub_state *state);

/* A range of a file that a damaged frame costs. `path` is any bytes. */
void scrub_state_place(struct scrub_state *state,
		       const struct scrub_entry *range, const char *path);

/* Members of an open object: the counts; one entry. */
void scrub_state_put(const struct scrub_state *state, struct json *json);
void scrub_entry_put(const struct scrub_entry *entry, struct json *json);

/* From what scrub_entry_put() has written. -EUCLEAN. */
int scrub_entry_get(const char *text, struct scrub_entry *ret);

/* One line for people, of at most SCRUB_LINE_MAX bytes with its NUL. */
enum { SCRUB_LINE_MAX = SCRUB_PATH_MAX + 256 };
void scrub_entry_line(const struct scrub_entry *entry, char *ret);

#endif
