/* SPDX-License-Identifier: MIT */
/*
 * capture.c - stderr in a memory file.
 */
#include "unit/base/capture.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void capture_begin(struct capture *c)
{
	c->text[0] = '\0';
	c->file_fd = memfd_create("stderr", MFD_CLOEXEC);
	ck_assert_int_ge(c->file_fd, 0);
	(void)fflush(stderr);
	c->saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ck_assert_int_ge(c->saved_fd, 0);
	ck_assert_int_eq(dup2(c->file_fd, STDERR_FILENO), STDERR_FILENO);
}

void capture_end(struct capture *c)
{
	ssize_t n;

	(void)fflush(stderr);
	ck_assert_int_eq(dup2(c->saved_fd, STDERR_FILENO), STDERR_FILENO);
	(void)close(c->saved_fd);
	n = pread(c->file_fd, c->text, sizeof(c->text) - 1, 0);
	ck_assert_int_ge(n, 0);
	c->text[n] = '\0';
	(void)close(c->file_fd);
}

size_t capture_count(const struct capture *c, const char *needle)
{
	const char *p = c->text;
	size_t n = 0;

	while ((p = strstr(p, needle)) != NULL) {
		n++;
		p += strlen(needle);
	}
	return n;
}
