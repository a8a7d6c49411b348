/* SPDX-License-Identifier: MIT */
/*
 * tap.h - assertions of the conformance suite, told as TAP.
 *
 * A case is a function that runs in a process and an empty directory of its
 * own, as root, with umask 022 and a time limit. Each assertion is one line:
 * "ok N - CASE: TEXT" or "not ok N - CASE: TEXT", the text being the source of
 * what is asserted, behind the subject that about() has set. A failed one is
 * explained on the next line, and the case goes on.
 */
#ifndef POSIX_TAP_H
#define POSIX_TAP_H

#include <errno.h>
#include <stdbool.h>

struct tap_case {
	const char *name;
	void (*run)(void);
};

/* Cases of one file; a name of NULL ends them. */
struct tap_family {
	const char *name;
	const struct tap_case *cases;
};

/*
 * Runs the cases of the families (up to one without a name) whose "family" or
 * "family.case" begins with `wanted`, in the current directory. Prints the plan
 * and "N passed, M failed" at the end; returns the number of failures.
 */
unsigned tap_run(const struct tap_family *families, const char *wanted);

/* What the assertions that follow are about, until the next call; NULL: no
 * more than the case. */
void about(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Each returns whether it holds. Results below zero say to look at errno. */
bool tap_works(const char *text, long long rc);
bool tap_fails(const char *text, long long rc, int error);
bool tap_equal(const char *text, long long got, long long wanted);
bool tap_holds(const char *text, bool holds);

/* What a case cannot go on without: it ends here when `rc` is below zero. */
void tap_need(const char *text, long long rc);

/* Their arguments are told as they stand in the source. */
#define WORKS(call) ((void)tap_works(#call, (errno = 0, (long long)(call))))
#define FAILS(call, error)                                                \
 ((void)tap_fails(#call " gives " #error, (errno = 0, (long long)(call)), \
		  error))
#define EQUAL(got, wanted) \
 ((void)tap_equal(#got " is " #wanted, (long long)(got), (long long)(wanted)))
#define HOLDS(condition) ((void)tap_holds(#condition, (condition)))
#define NEED(call)       tap_need(#call, (errno = 0, (long long)(call)))

#endif
