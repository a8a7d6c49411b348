/* SPDX-License-Identifier: MIT */
/*
 * tape_impl.h - the events of a tape, for tape.c and tape_restore.c.
 */
#ifndef TESTS_LIB_TAPE_IMPL_H
#define TESTS_LIB_TAPE_IMPL_H

#include <stddef.h>
#include <stdint.h>

enum { TAPE_PATH = 512, TAPE_FILES = 512 };

enum tape_kind {
	TAPE_CREATE,   /* path, file */
	TAPE_MKDIR,    /* path */
	TAPE_RENAME,   /* path, to, file */
	TAPE_UNLINK,   /* path */
	TAPE_WRITE,    /* file, off, len, bytes (NULL: zeros) */
	TAPE_CUT,      /* file, off: its length */
	TAPE_SYNC,     /* file; covers events from..off */
	TAPE_SYNC_DIR, /* path + "/"; covers events before off */
	TAPE_BEGUN,    /* off: the operation */
	TAPE_ANSWERED,
};

struct tape_event {
	enum tape_kind kind;
	int file;
	uint64_t off;
	uint64_t from;
	size_t len;
	uint8_t *bytes; /* owned */
	char path[TAPE_PATH / 4];
	char to[TAPE_PATH / 4];
};

struct tape {
	struct tape_event *events;
	size_t n, cap;
	int n_files;
};

const struct tape *tape_get(void);

#endif
