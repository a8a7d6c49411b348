/* SPDX-License-Identifier: MIT */
/*
 * percent.c - a line that is written again and again.
 */
#include "percent.h"

#include "cmd.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char farewell[64];
static volatile sig_atomic_t ask_first;
static volatile sig_atomic_t asked;

static void cancel(int signal_number)
{
	ssize_t n;

	if (ask_first && !asked) {
		asked = 1;
		return;
	}
	n = write(STDERR_FILENO, farewell, strnlen(farewell, sizeof(farewell)));
	(void)n;
	(void)signal_number;
	_exit(CHECK_CANCELLED);
}

void percent_begin(struct percent *p, const char *command, const char *verb)
{
	*p = (struct percent){ .verb = verb, .last = -1 };
	(void)snprintf(farewell, sizeof(farewell), "\nsigmafs: %s: cancelled\n",
		       command);
	(void)signal(SIGINT, cancel);
	(void)signal(SIGTERM, cancel);
}

const volatile sig_atomic_t *percent_ask_first(void)
{
	ask_first = 1;
	return &asked;
}

void percent_tell(struct percent *p, uint64_t done, uint64_t total)
{
	int now = total > 0 ? (int)((double)done * 100 / (double)total) : 0;

	if (now == p->last || !isatty(STDERR_FILENO))
		return;
	p->last = now;
	(void)fprintf(stderr, "\r%s: %3d %%", p->verb, now);
	(void)fflush(stderr);
}

void percent_clear(struct percent *p)
{
	if (p->last >= 0)
		(void)fprintf(stderr, "\r%20s\r", "");
	p->last = -1;
}
