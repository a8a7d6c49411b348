/* SPDX-License-Identifier: MIT */
/*
 * main.c - finds the command: by name, by the name of the program, or as
 * mount.fuse3(8) calls us.
 */
#include "cmd.h"

#include "base/bytes.h"
#include "base/report.h"

#include <fcntl.h>
#include <stdio.h>

static const struct command *const commands[] = {
	&cmd_mkfs,     &cmd_mount,    &cmd_umount,  &cmd_sync,   &cmd_stat,
	&cmd_check,    &cmd_policy,   &cmd_explain, &cmd_encode, &cmd_decode,
	&cmd_codebook, &cmd_optimize, &cmd_gc,      &cmd_ls,     &cmd_cat,
	&cmd_recover,  &cmd_rebuild,  &cmd_inspect, &cmd_export, &cmd_import,
	&cmd_scrub,    &cmd_du,
};

/* Names under which others look for us. */
static const struct {
	const char *program;
	const struct command *command;
} aliases[] = {
	{ "mkfs.sigmafs", &cmd_mkfs },
	{ "fsck.sigmafs", &cmd_check },
	{ "mount.sigmafs", &cmd_mount },
	{ "mount.fuse.sigmafs", &cmd_mount },
	{ "umount.sigmafs", &cmd_umount },
	{ "umount.fuse.sigmafs", &cmd_umount },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	}
	return NULL;
}

static const struct command *find_alias(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash ? slash + 1 : argv0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(aliases); i++) {
		if (strcmp(name, aliases[i].program) == 0)
			return aliases[i].command;
	}
	return NULL;
}

static void print_usage(FILE *to)
{
	size_t i;

	(void)fprintf(to, "Usage: sigmafs COMMAND ...\n"
			  "\n"
			  "A filesystem that stores what you write small.\n"
			  "\n");
	for (i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(to, "  %-8s %-29s %s\n", commands[i]->name,
			      commands[i]->synopsis, commands[i]->summary);
	(void)fprintf(to,
		      "  %-8s %-29s %s\n"
		      "\n"
		      "sigmafs --version tells the version. "
		      "The manual: sigmafs(1), sigmafs(7).\n",
		      "help", "[COMMAND]", "Tells more about a command");
}

static int unknown(const char *what, const char *name)
{
	report_error("unknown %s '%s'; 'sigmafs help' lists the commands", what,
		     name);
	return STATUS_USAGE;
}

static int run_help(int argc, char **argv)
{
	const struct command *c;

	if (argc < 3) {
		print_usage(stdout);
		return STATUS_OK;
	}
	c = find_command(argv[2]);
	if (!c)
		return unknown("command", argv[2]);
	cmd_help(c);
	return STATUS_OK;
}

/* mount.fuse3(8) runs `sigmafs STORE DIR -o OPTIONS`. */
static bool is_mount(int argc, char **argv)
{
	return argc >= 3 && (strchr(argv[1], '/') || strchr(argv[2], '/'));
}

static int run_main(int argc, char **argv)
{
	const struct command *c = find_alias(argv[0]);

	if (c)
		return c->run(argc, argv);
	if (argc < 2) {
		print_usage(stderr);
		return STATUS_USAGE;
	}
	c = find_command(argv[1]);
	if (c) {
		argv[1] = argv[0];
		return c->run(argc - 1, argv + 1);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		(void)printf("sigmafs %s\n", PACKAGE_VERSION);
		return STATUS_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return run_help(argc, argv);
	if (argv[1][0] == '-')
		return unknown("option", argv[1]);
	if (is_mount(argc, argv))
		return cmd_mount.run(argc, argv);
	return unknown("command", argv[1]);
}

/*
 * A standard stream that is closed would be the next file that we open, and what
 * is written to it would go there. In its place comes one that fails just as
 * well.
 */
static bool fill_streams(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };

	for (int fd = 0; fd < (int)ARRAY_LEN(modes); fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", modes[fd]) != fd)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	int status;

	if (argc == 0 || !fill_streams())
		return STATUS_USAGE;
	status = run_main(argc, argv);
	/* What we had to say may not have been written. */
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		report_error("cannot write to the standard output");
		return status != 0 ? status : STATUS_FAILED;
	}
	return status;
}
