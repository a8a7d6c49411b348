/* SPDX-License-Identifier: MIT */
/*
 * cmd_inspect.h - between cmd_inspect.c and cmd_inspect_log.c: lines that are
 * told as words or as JSON.
 */
#ifndef FS_CMD_INSPECT_H
#define FS_CMD_INSPECT_H

#include "base/bytes.h"
#include "json.h"

/* One line at a time: begun, given fields, ended. */
struct telling {
	bool as_json;
	bool damage;      /* some was seen */
	int rc;           /* the first failure to tell */
	struct json json; /* the line at hand */
};

/* `what` is the line's kind. */
void tell_begin(struct telling *t, const char *what);
void tell_u64(struct telling *t, const char *key, uint64_t value);
void tell_text(struct telling *t, const char *key, const char *text);

/* Bytes that may hold anything, a NUL as well; cut where they are long. */
void tell_bytes(struct telling *t, const char *key, struct span bytes);

/* What is wrong with what the line is about. 0: nothing, and nothing is told. */
void tell_error(struct telling *t, int rc);
void tell_end(struct telling *t);

/* What of the log is wanted. */
enum inspect_what {
	INSPECT_SEGMENTS,
	INSPECT_RECORDS,
	INSPECT_OPERATIONS,
	INSPECT_COMMITS,
	INSPECT_CODEBOOKS,
};

/* Reads the segments of the store, or the directory of segments, at `path`. Errors
 * are those of sources.h. */
int inspect_log(struct telling *t, const char *path, enum inspect_what what);

#endif
