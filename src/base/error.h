/* SPDX-License-Identifier: MIT */
/*
 * error.h - the errno dialect of the whole program.
 *
 * Functions return 0 or a count on success and a negative errno on failure.
 * -EUCLEAN: a structure is broken. -EBADMSG: a checksum is wrong.
 * -EOPNOTSUPP: a newer format. -EFBIG: one of our limits. -EROFS: the store
 * turned read-only. The rest means what POSIX says.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdint.h>

/*
 * Says once, at the place where damage is found, what is broken (a rate limit
 * keeps a bad disk from flooding the log), counts it, and returns -EUCLEAN.
 * Each text occurs once in the tree.
 */
int corrupt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often corrupt() was called since the program started. */
uint64_t corrupt_count(void);

/* A person's words for a negative (or positive) errno. Static storage. */
const char *error_text(int err);

#endif
