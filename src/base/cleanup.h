/* SPDX-License-Identifier: MIT */
/*
 * cleanup.h - locals that release themselves, and handing them over.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* A heap pointer, freed at the end of its scope. Initialise it. */
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))

/* A file descriptor, closed at the end of its scope. Initialise it to -1. */
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))

/* Takes the value out of an AUTO_FREE pointer, which becomes NULL. */
/* clang-format off */
#define steal_ptr(p)                    \
	({                              \
		__auto_type stolen_ = *(p); \
		*(p) = NULL;            \
		stolen_;                \
	})
/* clang-format on */

/* Takes the value out of an AUTO_CLOSE descriptor, which becomes -1. */
static inline int steal_fd(int *fd)
{
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

#endif
