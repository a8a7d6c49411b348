/* SPDX-License-Identifier: MIT */
/*
 * tap.c - runs cases, each in a process of its own, and counts.
 */
#include "tap.h"

#include "bed.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASE_SECONDS = 600 };

/* Shared by the processes of a case, of which one at a time asserts. */
static struct counts {
	unsigned n_told;
	unsigned n_failed;
} * counts;

/* "family.case" of this process. */
static char running[128];
static char subject[256];

void about(const char *fmt, ...)
{
	va_list ap;

	if (!fmt) {
		subject[0] = '\0';
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(subject, sizeof(subject) - 2, fmt, ap);
	va_end(ap);
	(void)strncat(subject, ": ", sizeof(subject) - strlen(subject) - 1);
}

/* Line breaks of the source become blanks. */
static void print_text(const char *text)
{
	bool blank = false;

	for (; *text; text++) {
		if (*text == '\n' || *text == '\t' || *text == ' ') {
			blank = true;
			continue;
		}
		if (blank)
			(void)putchar(' ');
		blank = false;
		(void)putchar(*text);
	}
}

static bool tell(const char *text, bool holds)
{
	counts->n_told++;
	counts->n_failed += !holds;
	(void)printf("%s %u - %s: %s", holds ? "ok" : "not ok", counts->n_told,
		     running, subject);
	print_text(text);
	(void)putchar('\n');
	return holds;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "an unknown error";
}

bool tap_works(const char *text, long long rc)
{
	int error = errno;

	if (tell(text, rc >= 0))
		return true;
	(void)printf("# it fails with %s\n", error_name(error));
	return false;
}

bool tap_fails(const char *text, long long rc, int error)
{
	int got = errno;

	if (tell(text, rc < 0 && got == error))
		return true;
	if (rc >= 0)
		(void)printf("# it returns %lld\n", rc);
	else
		(void)printf("# it fails with %s\n", error_name(got));
	return false;
}

bool tap_equal(const char *text, long long got, long long wanted)
{
	if (tell(text, got == wanted))
		return true;
	(void)printf("# it is %lld, wanted %lld\n", got, wanted);
	return false;
}

bool tap_holds(const char *text, bool holds)
{
	return tell(text, holds);
}

void tap_need(const char *text, long long rc)
{
	if (rc >= 0)
		return;
	(void)tap_works(text, rc);
	(void)fflush(stdout);
	_exit(0);
}

/* ---- cases ---------------------------------------------------------------- */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(2);
}

static void run_child(const struct tap_case *c)
{
	(void)alarm(CASE_SECONDS);
	(void)umask(022);
	c->run();
	(void)fflush(stdout);
	_exit(0);
}

static void run_case(const struct tap_case *c)
{
	unsigned before = counts->n_told;
	int status;
	pid_t pid;

	must(mkdir(running, 0755) == 0, running);
	(void)fflush(stdout);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		must(chdir(running) == 0, running);
		run_child(c);
	}
	must(waitpid(pid, &status, 0) == pid, "wait");
	subject[0] = '\0';
	if (status != 0)
		(void)tell("it runs to its end", false);
	if (counts->n_told == before)
		(void)tell("it asserts something", false);
	remove_tree(running);
}

static bool is_wanted(const char *wanted)
{
	return strncmp(running, wanted, strlen(wanted)) == 0;
}

unsigned tap_run(const struct tap_family *families, const char *wanted)
{
	const struct tap_family *f;
	const struct tap_case *c;

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(counts != MAP_FAILED, "mmap");
	(void)printf("TAP version 13\n");
	for (f = families; f->name; f++) {
		for (c = f->cases; c->name; c++) {
			(void)snprintf(running, sizeof(running), "%s.%s",
				       f->name, c->name);
			if (is_wanted(wanted))
				run_case(c);
		}
	}
	(void)printf("1..%u\n%u passed, %u failed\n", counts->n_told,
		     counts->n_told - counts->n_failed, counts->n_failed);
	(void)fflush(stdout);
	return counts->n_failed;
}
