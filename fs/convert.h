/* SPDX-License-Identifier: MIT */
/*
 * convert.h - what the commands encode and decode share: the options, the two
 * ends, and how they speak of them.
 */
#ifndef FS_CONVERT_H
#define FS_CONVERT_H

#include "output.h"
#include "transfer.h"

#include <stdio.h>

struct command;

struct convert {
	const struct command *command;
	const char *in_path; /* NULL: the standard input */
	const char *out_path;
	unsigned n_workers;
	bool force;
	bool progress;
	bool stats;
	bool json;
	struct transfer in;
	struct output out;
};

/* Options of getopt(3) that both have, and the first number for those that only
 * one has. */
enum {
	CONVERT_PROGRESS = 256,
	CONVERT_STATS,
	CONVERT_JSON,
	CONVERT_OWN,
};

#define CONVERT_SHORTS ":o:j:fh"

/* clang-format off */
#define CONVERT_LONGS \
	{ "output", required_argument, NULL, 'o' }, \
	{ "jobs", required_argument, NULL, 'j' }, \
	{ "force", no_argument, NULL, 'f' }, \
	{ "progress", no_argument, NULL, CONVERT_PROGRESS }, \
	{ "stats", no_argument, NULL, CONVERT_STATS }, \
	{ "json", no_argument, NULL, CONVERT_JSON }, \
	{ "help", no_argument, NULL, 'h' }
/* clang-format on */

/* From the standard input to the standard output, with one worker. */
void convert_init(struct convert *c, const struct command *command);

/* Takes an option that both have. 0, or an exit status after saying why. */
int convert_option(struct convert *c, int opt);

/* Takes what stands behind the options: a FILE at most. As above. */
int convert_file(struct convert *c, int argc, char **argv);

/* Both as above, but for what they did not open STATUS_FAILED. */
int convert_open_input(struct convert *c);
int convert_open_output(struct convert *c);

/* Says why it failed, if it was reading or writing that did. */
bool convert_tell_ends(const struct convert *c, int rc);

/* The input's status, for the output to be like it; NULL if it has none that
 * says something of the output. */
const struct stat *convert_like(const struct convert *c);

/* Where to tell: the standard output, unless the bytes go there. */
FILE *convert_telling(const struct convert *c);

/* Closes the input; removes an output that is not finished. */
void convert_close(struct convert *c);

#endif
