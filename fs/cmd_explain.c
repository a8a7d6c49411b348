/* SPDX-License-Identifier: MIT */
/*
 * cmd_explain.c - sigmafs explain: how a file of a mount is stored.
 */
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "control.h"
#include "json.h"
#include "mountinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* ---- one piece ------------------------------------------------------------ */

/* A number of the piece, 0 where it has none. */
static uint64_t number(const char *piece, const char *key)
{
	uint64_t value;

	return json_get_u64(piece, key, &value) == 0 ? value : 0;
}

static void print_references(const char *piece)
{
	uint64_t base = number(piece, "base");
	uint64_t codebook = number(piece, "codebook");

	if (base)
		(void)printf(", base %" PRIu64, base);
	if (codebook)
		(void)printf(", codebook %" PRIu64, codebook);
}

static void print_chunk(const char *piece)
{
	uint64_t n_chunks = number(piece, "frame_chunks");
	char text[256] = "";

	(void)printf("chunk %" PRIu64 " +%" PRIu64 ": ", number(piece, "chunk"),
		     number(piece, "chunk_offset"));
	if (json_get_text(piece, "error", text, sizeof(text)) == 0) {
		report_blank(text);
		(void)printf("%s\n", text);
		return;
	}
	(void)json_get_text(piece, "nodes", text, sizeof(text));
	report_blank(text);
	(void)printf("%s, %" PRIu64 " bytes", text,
		     number(piece, "nodes_stored"));
	print_references(piece);
	(void)printf("; frame %" PRIu64 ", %" PRIu64 " to %" PRIu64
		     " bytes, %" PRIu64 " chunk%s, segment %" PRIu64
		     " @%" PRIu64 "\n",
		     number(piece, "frame"), number(piece, "frame_raw"),
		     number(piece, "frame_stored"), n_chunks,
		     n_chunks == 1 ? "" : "s", number(piece, "segment"),
		     number(piece, "segment_offset"));
}

static void print_piece(const char *piece)
{
	char kind[32] = "";

	(void)json_get_text(piece, "kind", kind, sizeof(kind));
	(void)printf("%12" PRIu64 " %10" PRIu64 "  ", number(piece, "offset"),
		     number(piece, "length"));
	if (strcmp(kind, "chunk") == 0)
		print_chunk(piece);
	else
		(void)printf("%s\n", kind);
}

/* ---- answers -------------------------------------------------------------- */

/* Calls `print` for each object of the array `pieces`; its objects hold neither
 * objects nor, in their texts, braces. Returns how many. */
static unsigned for_pieces(char *reply, void (*print)(const char *piece))
{
	char *at = strstr(reply, "\"pieces\":[");
	unsigned n = 0;

	while (at && (at = strchr(at, '{')) != NULL) {
		char *end = strchr(at, '}');
		char kept;

		if (!end)
			break;
		kept = end[1];
		end[1] = '\0';
		print(at);
		n++;
		end[1] = kept;
		at = kept == ',' ? end + 1 : NULL;
	}
	return n;
}

/* For --json: one object a line, as it came. */
static void print_json(const char *piece)
{
	(void)printf("%s\n", piece);
}

static int ask(const char *store, ino_t ino, uint64_t off, char *reply)
{
	char arguments[64];
	const struct control_request request = { CONTROL_EXPLAIN, arguments };

	(void)snprintf(arguments, sizeof(arguments), "%ju %" PRIu64,
		       (uintmax_t)ino, off);
	return control_ask(store, &request, reply);
}

static int explain(const char *store, ino_t ino, bool json)
{
	AUTO_FREE char *reply = malloc(CONTROL_REPLY_MAX);
	uint64_t off = 0;
	unsigned n = 1;

	if (!reply)
		return -ENOMEM;
	while (n > 0) {
		uint64_t next;
		int rc = ask(store, ino, off, reply);

		if (rc < 0)
			return rc;
		rc = json_get_u64(reply, "next", &next);
		n = for_pieces(reply, json ? print_json : print_piece);
		if (rc < 0 || next <= off)
			break;
		off = next;
	}
	return 0;
}

static int explain_path(const char *path, bool json)
{
	AUTO_FREE struct mount_entry *entry = malloc(sizeof(*entry));
	struct stat st;
	int rc = entry ? 0 : -ENOMEM;

	if (rc == 0 && stat(path, &st) < 0)
		rc = -errno;
	if (rc == 0 && !S_ISREG(st.st_mode)) {
		report_error("'%s' is not a regular file", path);
		return STATUS_FAILED;
	}
	if (rc == 0 && cmd_find_mount(path, entry) < 0)
		return STATUS_FAILED;
	if (rc == 0)
		rc = explain(entry->source, st.st_ino, json);
	if (rc < 0)
		report_error("'%s': %s", path, error_text(rc));
	return rc < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	bool json = false;
	int status;
	int opt;

	while ((opt = cmd_getopt(&cmd_explain, argc, argv, &options)) != -1) {
		if (opt != 'j')
			return cmd_explain.usage_status;
		json = true;
	}
	status = cmd_arguments(&cmd_explain, argc, argv, 1);
	return status == 0 ? explain_path(argv[optind], json) : status;
}

const struct command cmd_explain = {
	.name = "explain",
	.synopsis = "[--json] FILE",
	.summary = "Tells how a file of a mount is stored",
	.help = "One line for each piece: its offset in FILE, its length, and "
		"what it is: a hole,\n"
		"unwritten (allocated) or a range of a chunk. Of a chunk: how "
		"it is encoded,\n"
		"in how many bytes, with which base or codebook, and the frame "
		"it lies in.\n"
		"Where nodes make other chunks of the frame as well, the bytes "
		"are of all.\n"
		"\n"
		"  --json   one JSON object a line\n"
		"\n"
		"Exit status: 0, 1 failure, 2 usage.\n",
	.usage_status = STATUS_USAGE,
	.run = run,
};
