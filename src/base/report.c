/* SPDX-License-Identifier: MIT */
/*
 * report.c - messages to stderr or syslog, one line each.
 */
#include "base/report.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <syslog.h>

enum { LINE_MAX_LEN = 1024 };

/* atomic: each is a setting of its own, set by the thread that starts up. */
static atomic_int max_level = REPORT_INFO;
static atomic_bool use_syslog;
static atomic_bool silenced;

void report_level_set(enum report_level level)
{
	atomic_store(&max_level, (int)level);
}

void report_to_syslog(void)
{
	openlog("sigmafs", LOG_PID, LOG_DAEMON);
	atomic_store(&use_syslog, true);
}

void report_silence(bool silent)
{
	atomic_store(&silenced, silent);
}

static int syslog_priority(enum report_level level)
{
	switch (level) {
	case REPORT_ERROR:
		return LOG_ERR;
	case REPORT_WARN:
		return LOG_WARNING;
	case REPORT_INFO:
		return LOG_INFO;
	case REPORT_DEBUG:
		break;
	}
	return LOG_DEBUG;
}

/* Names of files come from anybody: none may forge a line of its own or speak
 * to the terminal. */
void report_blank(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

void report(enum report_level level, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;

	if ((int)level > atomic_load(&max_level) || atomic_load(&silenced))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	report_blank(line);
	if (atomic_load(&use_syslog))
		syslog(syslog_priority(level), "%s", line);
	else
		(void)fprintf(stderr, "sigmafs: %s\n", line);
}
