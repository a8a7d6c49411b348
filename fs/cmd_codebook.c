/* SPDX-License-Identifier: MIT */
/*
 * cmd_codebook.c - sigmafs codebook: what was learned, out of a store and in.
 *
 * A mounted store is asked through its daemon, another one is opened.
 */
#include "cmd_codebook.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "cmd.h"
#include "control.h"
#include "explain.h"
#include "json.h"
#include "volume/volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct option longs[] = {
	{ "class", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "raw", no_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* One run of the command. */
struct asked {
	char store[PATH_MAX];
	char arguments[CONTROL_REQUEST_MAX - 64]; /* of codebook_serve() */
	char reply[CONTROL_REPLY_MAX];
	bool reads; /* nothing in the store is changed */
	bool json;
	bool raw;
	const char *class; /* NULL: not said */
};

/* ---- asking --------------------------------------------------------------- */

static int serve(void *ctx, const struct control_request *request,
		 struct json *reply)
{
	return codebook_serve(ctx, request->arguments, reply);
}

static int open_and_serve(struct asked *a,
			  const struct control_request *request)
{
	const struct volume_options options = {
		.store.read_only = a->reads,
		.store.effort = EFFORT_BALANCED,
	};
	struct volume *volume;
	int close_rc;
	int rc = volume_open(a->store, &options, &volume);

	if (rc < 0)
		return rc;
	rc = control_serve_here(serve, volume_store(volume), request, a->reply);
	close_rc = volume_close(volume);
	return rc < 0 ? rc : close_rc;
}

static int ask(struct asked *a)
{
	const struct control_request request = { CONTROL_CODEBOOK,
						 a->arguments };
	int rc = control_ask(a->store, &request, a->reply);

	return control_is_absent(rc) ? open_and_serve(a, &request) : rc;
}

/* ---- telling -------------------------------------------------------------- */

static uint64_t number(const char *object, const char *key)
{
	uint64_t value = 0;

	(void)json_get_u64(object, key, &value);
	return value;
}

static const char *word(const char *object, const char *key, char buf[64])
{
	if (json_get_text(object, key, buf, 64) < 0)
		(void)snprintf(buf, 64, "?");
	report_blank(buf);
	return buf;
}

static bool flag(const char *object, const char *key)
{
	bool value = false;

	return json_get_bool(object, key, &value) == 0 && value;
}

/* The objects of an array, which have no braces of their own: the first one,
 * and the one behind. NULL: none. */
static const char *first_object(const char *reply, const char *array)
{
	char pattern[32];
	const char *at;

	(void)snprintf(pattern, sizeof(pattern), "\"%s\":[{", array);
	at = strstr(reply, pattern);
	return at ? at + strlen(pattern) - 1 : NULL;
}

static const char *next_object(const char *object)
{
	const char *end = strchr(object, '}');

	return end && end[1] == ',' ? end + 2 : NULL;
}

static void tell_list(const char *reply)
{
	const char *o = first_object(reply, "codebooks");
	char class[64];
	char size[CMD_BYTES_MAX];

	if (!o)
		(void)printf("no codebooks\n");
	else
		(void)printf("%6s %-8s %7s %10s %12s\n", "number", "class",
			     "version", "frames", "takes");
	for (; o; o = next_object(o))
		(void)printf("%6" PRIu64 " %-8s %7" PRIu64 " %10" PRIu64
			     " %12s%s\n",
			     number(o, "id"), word(o, "class", class),
			     number(o, "version"), number(o, "frames"),
			     cmd_bytes(number(o, "stored_bytes"), size),
			     flag(o, "newest") ? "  newest" : "");
}

static void tell_show(const char *o)
{
	char class[64];
	char size[CMD_BYTES_MAX];

	(void)printf("%-12s %" PRIu64 "\n", "codebook", number(o, "id"));
	(void)printf("%-12s %s, version %" PRIu64 "%s\n", "class",
		     word(o, "class", class), number(o, "version"),
		     flag(o, "newest") ? " (the newest)" : "");
	(void)printf("%-12s %" PRIu64 " use it\n", "frames",
		     number(o, "frames"));
	(void)printf("%-12s %s", "dictionary",
		     cmd_bytes(number(o, "dictionary_bytes"), size));
	(void)printf(", %s stored, zstd's id %" PRIu64 "\n",
		     cmd_bytes(number(o, "stored_bytes"), size),
		     number(o, "dictionary_id"));
}

static void tell_trained(const char *reply)
{
	const char *o = first_object(reply, "trained");
	char class[64];

	if (!o)
		(void)printf("nothing to learn from\n");
	for (; o; o = next_object(o)) {
		uint64_t before = number(o, "judged_before_bytes");
		uint64_t after = number(o, "judged_after_bytes");
		double saved =
			before == 0 ? 0
				    : 100.0 * ((double)before - (double)after) /
					      (double)before;

		(void)printf("%s: %" PRIu64 " frames, ",
			     word(o, "class", class), number(o, "frames"));
		if (before == 0)
			(void)printf("too few to learn from\n");
		else if (number(o, "id") == 0)
			(void)printf("%.1f %% to gain, nothing published\n",
				     saved);
		else
			(void)printf("codebook %" PRIu64 " saves %.1f %%\n",
				     number(o, "id"), saved);
	}
}

static void tell(const struct asked *a)
{
	if (a->json)
		(void)puts(a->reply);
	else if (strncmp(a->arguments, "list", 4) == 0)
		tell_list(a->reply);
	else if (strncmp(a->arguments, "show", 4) == 0)
		tell_show(a->reply);
	else if (strncmp(a->arguments, "train", 5) == 0)
		tell_trained(a->reply);
	else if (strncmp(a->arguments, "import", 6) == 0)
		(void)printf("imported as codebook %" PRIu64 "\n",
			     number(a->reply, "id"));
}

static int fail(const struct asked *a, int rc)
{
	char text[EXPLAIN_MAX];

	if (json_get_text(a->reply, "problem", text, sizeof(text)) < 0)
		explain_open(a->store, rc, text);
	report_error("%s", text);
	return STATUS_FAILED;
}

/* ---- the whole ------------------------------------------------------------ */

/* The path as the daemon has to know it. */
static int put_path(struct asked *a, const char *path)
{
	AUTO_FREE char *here = path[0] == '/' ? NULL : realpath(".", NULL);
	size_t len = strlen(a->arguments);
	size_t cap = sizeof(a->arguments) - len;
	int n;

	if (path[0] == '/')
		n = snprintf(a->arguments + len, cap, "%s", path);
	else if (here)
		n = snprintf(a->arguments + len, cap, "%s/%s", here, path);
	else
		return -errno;
	return (size_t)n < cap && !strchr(a->arguments, '\n') ? 0
							      : -ENAMETOOLONG;
}

/* What is behind ACTION and STORE becomes arguments. A status. */
static int put_rest(struct asked *a, const char *action, char *const *rest)
{
	size_t cap = sizeof(a->arguments);
	int rc = 0;

	if (strcmp(action, "show") == 0) {
		(void)snprintf(a->arguments, cap, "show %s", rest[0]);
	} else if (strcmp(action, "export") == 0) {
		(void)snprintf(a->arguments, cap, "export%s %.24s ",
			       a->raw ? "-raw" : "", rest[0]);
		rc = put_path(a, rest[1]);
	} else if (strcmp(action, "import") == 0) {
		(void)snprintf(a->arguments, cap, "import %.64s ",
			       a->class ? a->class : "-");
		rc = put_path(a, rest[0]);
	} else {
		(void)snprintf(a->arguments, cap, "%s", action);
	}
	if (rc == 0)
		return STATUS_OK;
	report_error("the name of the file cannot be used: %s", error_text(rc));
	return STATUS_FAILED;
}

static const struct action {
	const char *name;
	int n_rest; /* arguments behind STORE */
	bool reads;
} actions[] = {
	{ "list", 0, true },   { "show", 1, true },    { "train", 0, false },
	{ "export", 2, true }, { "import", 1, false },
};

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	}
	return NULL;
}

/* Arguments from `optind` on. A status. */
static int take_arguments(struct asked *a, int argc, char **argv)
{
	const struct action *action;
	int rc;

	if (optind == argc)
		return cmd_usage(&cmd_codebook,
				 "list, show, train, export or import is "
				 "missing");
	action = find_action(argv[optind]);
	if (!action)
		return cmd_usage(&cmd_codebook, "unknown action '%s'",
				 argv[optind]);
	rc = cmd_arguments(&cmd_codebook, argc, argv, 2 + action->n_rest);
	if (rc != 0)
		return rc;
	if (a->class && strcmp(action->name, "import") != 0)
		return cmd_usage(&cmd_codebook,
				 "option '--class' is for import");
	if (a->raw && strcmp(action->name, "export") != 0)
		return cmd_usage(&cmd_codebook, "option '--raw' is for export");
	a->reads = action->reads;
	cmd_find_store(argv[optind + 1], a->store);
	return put_rest(a, action->name, argv + optind + 2);
}

static int take_option(struct asked *a, int opt)
{
	switch (opt) {
	case 'c':
		a->class = optarg;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case 'r':
		a->raw = true;
		return 0;
	default:
		return cmd_codebook.usage_status;
	}
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	AUTO_FREE struct asked *a = calloc(1, sizeof(*a));
	int status = a ? STATUS_OK : STATUS_FAILED;
	int opt;
	int rc;

	while (status == STATUS_OK &&
	       (opt = cmd_getopt(&cmd_codebook, argc, argv, &options)) != -1)
		status = take_option(a, opt);
	if (status == STATUS_OK)
		status = take_arguments(a, argc, argv);
	if (status != STATUS_OK)
		return status;
	rc = ask(a);
	if (rc < 0)
		return fail(a, rc);
	tell(a);
	return STATUS_OK;
}

const struct command cmd_codebook = {
	.name = "codebook",
	.synopsis = "ACTION STORE|DIR ...",
	.summary = "Shows and makes dictionaries for text",
	.help = "  list STORE                 all of them\n"
		"  show STORE NUMBER          one\n"
		"  train STORE                learns now from what is stored\n"
		"  export STORE NUMBER FILE   writes one to a new file\n"
		"  import STORE FILE          publishes an exported one, or a "
		"dictionary of zstd\n"
		"\n"
		"  --class=CLASS   import: for this class (default: the file's, "
		"or text)\n"
		"  --raw           export: as zstd knows it\n"
		"  --json          one JSON object on one line\n"
		"\n"
		"Codebooks are learned while the store is used, and published "
		"if they save 2 %.\n"
		"New text is stored with the newest one of its class where "
		"that is shorter.\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
