/* SPDX-License-Identifier: MIT */
/*
 * cmd.c - command lines, and words that several commands use.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/report.h"
#include "mountinfo.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void cmd_help(const struct command *c)
{
	(void)printf("Usage: sigmafs %s %s\n\n%s.\n\n%s", c->name, c->synopsis,
		     c->summary, c->help);
}

int cmd_usage(const struct command *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	report_error("%s: %s; see 'sigmafs help %s'", c->name, text, c->name);
	return c->usage_status;
}

/* Short options know their letter, long ones the whole word. */
static void say_bad_option(const struct command *c, char **argv, bool missing)
{
	const char *what = missing ? "needs a value" : "unknown option";
	const char *word = argv[optind - 1];
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *name = optopt != 0 && word[1] != '-' ? letter : word;

	if (missing)
		(void)cmd_usage(c, "option '%s' %s", name, what);
	else
		(void)cmd_usage(c, "%s '%s'", what, name);
}

int cmd_getopt(const struct command *c, int argc, char **argv,
	       const struct cmd_options *options)
{
	int opt;

	opterr = 0;
	opt = getopt_long(argc, argv, options->shorts, options->longs, NULL);
	if (opt == 'h') {
		cmd_help(c);
		exit(STATUS_OK);
	}
	if (opt == '?' || opt == ':') {
		say_bad_option(c, argv, opt == ':');
		return '?';
	}
	return opt;
}

int cmd_arguments(const struct command *c, int argc, char **argv, int n)
{
	if (argc - optind < n)
		return cmd_usage(c, "too few arguments: %s is needed",
				 c->synopsis);
	if (argc - optind > n)
		return cmd_usage(c, "one argument too many: '%s'",
				 argv[optind + n]);
	return 0;
}

void cmd_find_store(const char *path, char *ret)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));

	if (entry && mountinfo_find_store(path, entry) == 0)
		path = entry->source;
	/* The control socket is not looked for behind a symbolic link. */
	if (!realpath(path, ret))
		(void)snprintf(ret, PATH_MAX, "%s", path);
}

void cmd_say_unmounted(const char *path)
{
	report_error("'%s' is not in a mounted store", path);
}

int cmd_find_mount(const char *path, struct mount_entry *ret)
{
	int rc = mountinfo_find_store(path, ret);

	if (rc < 0)
		cmd_say_unmounted(path);
	return rc;
}

const char *cmd_bytes(uint64_t n, char *buf)
{
	static const char *const units[] = { "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double value = (double)n / 1024;
	size_t i = 0;

	if (n < 1024) {
		(void)snprintf(buf, CMD_BYTES_MAX, "%" PRIu64 " bytes", n);
		return buf;
	}
	while (value >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		i++;
	}
	(void)snprintf(buf, CMD_BYTES_MAX, "%.1f %s", value, units[i]);
	return buf;
}
