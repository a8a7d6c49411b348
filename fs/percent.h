/* SPDX-License-Identifier: MIT */
/*
 * percent.h - how far work is that may be ended at any time.
 *
 * One at a time in a process. Shown on a terminal only.
 */
#ifndef FS_PERCENT_H
#define FS_PERCENT_H

#include <signal.h>
#include <stdint.h>

struct percent {
	const char *verb; /* "checking" */
	int last;         /* shown; -1: none */
};

/*
 * From now on SIGINT and SIGTERM end the process at once, with CHECK_CANCELLED, and
 * "`command`: cancelled". `verb` and `command` live as long as the process.
 */
void percent_begin(struct percent *p, const char *command, const char *verb);

/* From now on the first of the signals only asks for an end: what is returned
 * is not 0 then. The next one ends the process. */
const volatile sig_atomic_t *percent_ask_first(void);

void percent_tell(struct percent *p, uint64_t done, uint64_t total);

/* Makes room for other lines. */
void percent_clear(struct percent *p);

#endif
