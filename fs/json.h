/* SPDX-License-Identifier: MIT */
/*
 * json.h - writes JSON on one line, and reads back flat objects of our own.
 *
 * Text that is no UTF-8 (names are bytes) shows U+FFFD for each bad byte.
 * Owner thread only. Errors stick: json_end() tells of the first one.
 */
#ifndef FS_JSON_H
#define FS_JSON_H

#include "base/buffer.h"

struct json {
	struct buffer out;
	bool need_comma;
	int rc; /* the first error: -ENOMEM, -EFBIG */
};

/* `limit`: bytes that the text never exceeds. */
void json_init(struct json *j, size_t limit);
void json_release(struct json *j);

/* `key` is NULL inside an array and at the top. */
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                 /* '}' or ']' */
void json_text(struct json *j, const char *key, const char *text);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);

/* Three digits behind the point; 0 when there is nothing to divide by. */
void json_ratio(struct json *j, const char *key, uint64_t num, uint64_t den);

/* Ends the text with a NUL, which does not count. The text lives as long as
 * `j`. */
int json_end(struct json *j, const char **ret);

/* Values of a flat object that json_* wrote. -ENOENT: no such key. -EUCLEAN:
 * not a value of that type, or too long for `cap`. */
int json_get_u64(const char *text, const char *key, uint64_t *ret);
int json_get_bool(const char *text, const char *key, bool *ret);
int json_get_text(const char *text, const char *key, char *buf, size_t cap);

#endif
