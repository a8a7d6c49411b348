/* SPDX-License-Identifier: MIT */
/*
 * tape.h - records what is done to the files of a store, and builds what a
 * loss of power might have left.
 *
 * One tape in a program. What a file's sync covers is on disk; of the rest of
 * the writes any 512-byte sectors are. Names are on disk when their directory
 * was synced; of the rest a beginning, in order, directory by directory.
 * Threads: recording any; the rest the owner.
 */
#ifndef TESTS_LIB_TAPE_H
#define TESTS_LIB_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A disk that lies, to see that a test finds out. */
enum tape_lie {
	TAPE_HONEST,
	TAPE_NO_SYNC,     /* a log's sync does nothing */
	TAPE_COMMIT_ONLY, /* it covers the end of the newest write: a commit
			   * is there before its data */
};

/* Records what happens below the directory `path` from now on, which is empty
 * or absent. Forgets what was recorded before. */
void tape_begin(const char *path, enum tape_lie how);
void tape_pause(void);
void tape_free(void);

/* Operation `n` begins, or was answered. */
void tape_begun(uint64_t n);
void tape_answered(uint64_t n);

/* Events so far. */
size_t tape_here(void);

/* The first event at or after `at` that tells of an answer; `at` for none. */
size_t tape_next_answer(size_t at);

struct tape_cut {
	size_t at;        /* events before the loss */
	unsigned percent; /* of the unsynced sectors that are there */
	bool by_file;     /* none or all of them, file by file */
	bool in_order;    /* of the unsynced writes a beginning is there */
	uint64_t seed;
};

/* Makes the directory `to` with what is left. The operations that were begun
 * and answered by then go to the last two. */
void tape_restore(const struct tape_cut *cut, const char *to,
		  uint64_t *ret_begun, uint64_t *ret_answered);

/* ---- for fault.c and fault_vfs.c -------------------------------------------- */

void tape_opened_fd(int fd, bool may_create);
void tape_wrote_fd(int fd, const void *buf, size_t len, uint64_t off);
void tape_cut_fd(int fd, uint64_t len);
void tape_synced_fd(int fd, size_t upto);
void tape_made_dir(int dirfd, const char *name);
void tape_unlinked(int dirfd, const char *name);
void tape_renamed(int dirfd, const char *from, const char *to);

/* The same by path. `with_name`: the directory is synced too. */
void tape_opened(const char *path);
void tape_wrote(const char *path, const void *buf, size_t len, uint64_t off);
void tape_cut(const char *path, uint64_t len);
void tape_synced(const char *path, size_t upto, bool with_name);
void tape_unlinked_path(const char *path);

#endif
