/* SPDX-License-Identifier: MIT */
/*
 * capture.h - what the code under test says on stderr.
 */
#ifndef TESTS_UNIT_BASE_CAPTURE_H
#define TESTS_UNIT_BASE_CAPTURE_H

#include <stddef.h>

struct capture {
	int saved_fd;
	int file_fd;
	char text[16384]; /* what was said, after capture_end() */
};

/* From here on stderr goes to a file without a name. */
void capture_begin(struct capture *c);

/* Gives stderr back and fills `text`. */
void capture_end(struct capture *c);

/* How often `needle` occurs in `text`. */
size_t capture_count(const struct capture *c, const char *needle);

#endif
