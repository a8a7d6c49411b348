/* SPDX-License-Identifier: MIT */
/*
 * names.h - names of files, which are bytes, for people and for JSON.
 *
 * Threads: any; nothing here has state.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The length of the UTF-8 sequence that makes one character beyond ASCII at
 * `s`, which ends in NUL; 0: there is none. */
size_t names_utf8_len(const char *s);

/* Whether all of `name` is UTF-8. */
bool names_are_utf8(const char *name);

/* The bytes as two digits each, and a NUL behind them. */
void names_put_hex(char *dst, const void *bytes, size_t n);

/* Writes `name`; with `escape` as `ls -b` shows it: no control character and no
 * byte that is not UTF-8 gets through. */
void names_print(FILE *to, const char *name, bool escape);

#endif
