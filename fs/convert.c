/* SPDX-License-Identifier: MIT */
/*
 * convert.c - one command line, one input, one output.
 */
#include "convert.h"

#include "base/error.h"
#include "base/report.h"
#include "cmd.h"

#include <signal.h>
#include <string.h>

/* ---- command line --------------------------------------------------------- */

void convert_init(struct convert *c, const struct command *command)
{
	*c = (struct convert){
		.command = command,
		.out_path = "-",
		.n_workers = 1,
		.in.fd = -1,
		.out.fd = -1,
		.out.dir_fd = -1,
	};
}

int convert_option(struct convert *c, int opt)
{
	switch (opt) {
	case 'o':
		c->out_path = optarg;
		return 0;
	case 'j':
		if (transfer_parse_workers(optarg, &c->n_workers) < 0)
			return cmd_usage(c->command, "option '-j' needs a "
						     "number up to 64");
		return 0;
	case 'f':
		c->force = true;
		return 0;
	case CONVERT_PROGRESS:
		c->progress = true;
		return 0;
	case CONVERT_STATS:
		c->stats = true;
		return 0;
	case CONVERT_JSON:
		c->json = true;
		return 0;
	default:
		return c->command->usage_status;
	}
}

int convert_file(struct convert *c, int argc, char **argv)
{
	if (argc - optind > 1)
		return cmd_usage(c->command, "one argument too many: '%s'",
				 argv[optind + 1]);
	if (optind < argc && strcmp(argv[optind], "-") != 0)
		c->in_path = argv[optind];
	return 0;
}

/* ---- ends ----------------------------------------------------------------- */

int convert_open_input(struct convert *c)
{
	int rc = transfer_open(&c->in, c->in_path);

	if (rc == 0)
		return STATUS_OK;
	report_error("%s: cannot read '%s': %s", c->command->name, c->in.name,
		     error_text(rc));
	return STATUS_FAILED;
}

int convert_open_output(struct convert *c)
{
	const char *name = c->command->name;
	int rc = output_open(&c->out, c->out_path, c->force);

	if (rc == -EEXIST) {
		report_error("%s: '%s' exists; -f replaces it", name,
			     c->out_path);
		return STATUS_FAILED;
	}
	if (rc < 0) {
		report_error("%s: cannot write '%s': %s", name, c->out_path,
			     error_text(rc));
		return STATUS_FAILED;
	}
	if (transfer_is_same(&c->in, c->out.fd)) {
		report_error("%s: '%s' is input and output", name, c->in.name);
		return STATUS_FAILED;
	}
	/* A reader that has gone is an error like any other. */
	(void)signal(SIGPIPE, SIG_IGN);
	return STATUS_OK;
}

bool convert_tell_ends(const struct convert *c, int rc)
{
	if (c->in.rc < 0)
		report_error("%s: cannot read '%s': %s", c->command->name,
			     c->in.name, error_text(rc));
	else if (c->out.rc < 0)
		report_error("%s: cannot write '%s': %s", c->command->name,
			     c->out_path, error_text(rc));
	return c->in.rc < 0 || c->out.rc < 0;
}

const struct stat *convert_like(const struct convert *c)
{
	return c->in_path && transfer_is_file(&c->in) ? &c->in.st : NULL;
}

FILE *convert_telling(const struct convert *c)
{
	return c->out.is_stdout ? stderr : stdout;
}

void convert_close(struct convert *c)
{
	output_abandon(&c->out);
	transfer_close(&c->in);
}
