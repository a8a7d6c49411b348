/* SPDX-License-Identifier: MIT */
/*
 * report.h - messages to the person who runs the program.
 *
 * One line each, prefixed "sigmafs: ", control characters shown as '?', to
 * stderr, or to syslog once the daemon has left its terminal. Threads: any. Never blocks on anything but the sink.
 */
#ifndef BASE_REPORT_H
#define BASE_REPORT_H

#include <stdbool.h>

enum report_level { REPORT_ERROR, REPORT_WARN, REPORT_INFO, REPORT_DEBUG };

/* Messages above `level` are dropped. Default: REPORT_INFO. */
void report_level_set(enum report_level level);

/* From now on to syslog (daemon facility) instead of stderr. */
void report_to_syslog(void);

/* From now on nowhere; for fuzzers and fault tests. */
void report_silence(bool silent);

/* Puts '?' for each control character: what others have written is for a
 * terminal now. */
void report_blank(char *text);

void report(enum report_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define report_error(...) report(REPORT_ERROR, __VA_ARGS__)
#define report_warn(...)  report(REPORT_WARN, __VA_ARGS__)
#define report_info(...)  report(REPORT_INFO, __VA_ARGS__)
#define report_debug(...) report(REPORT_DEBUG, __VA_ARGS__)

#endif
