/* SPDX-License-Identifier: MIT */
/*
 * explain.h - why a store cannot be opened, in one line that names it.
 */
#ifndef FS_EXPLAIN_H
#define FS_EXPLAIN_H

#include <stddef.h>

enum { EXPLAIN_MAX = 1024 };

/* `rc` is what opening the store at `path` returned. `ret_text` has room for
 * EXPLAIN_MAX bytes. */
void explain_open(const char *path, int rc, char *ret_text);

/* The same for making one. */
void explain_create(const char *path, int rc, char *ret_text);

#endif
