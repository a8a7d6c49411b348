/* SPDX-License-Identifier: MIT */
/*
 * cmd_inspect.c - sigmafs inspect: what lies in a store, for people who debug one.
 */
#include "cmd_inspect.h"
#include "cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "names.h"
#include "store/chunk.h"
#include "store/superblock.h"
#include "volume/file_explain.h"
#include "volume/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct option longs[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

enum {
	LINE_MAX_LEN = 64 << 10,
	BYTES_SHOWN = 512,
	PIECES = 64, /* of a file at a time */
	NOT_ASKED = 1,
};

/* ---- lines ------------------------------------------------------------------------ */

void tell_begin(struct telling *t, const char *what)
{
	json_init(&t->json, LINE_MAX_LEN);
	json_open(&t->json, NULL, '{');
	if (t->as_json)
		json_text(&t->json, "what", what);
	else
		(void)printf("%s", what);
}

void tell_u64(struct telling *t, const char *key, uint64_t value)
{
	if (t->as_json)
		json_u64(&t->json, key, value);
	else
		(void)printf(" %s=%" PRIu64, key, value);
}

void tell_text(struct telling *t, const char *key, const char *text)
{
	AUTO_FREE char *copy = NULL;

	if (t->as_json) {
		json_text(&t->json, key, text);
		return;
	}
	copy = strdup(text);
	if (copy)
		report_blank(copy);
	(void)printf(" %s='%s'", key, copy ? copy : "?");
}

void tell_bytes(struct telling *t, const char *key, struct span bytes)
{
	char text[BYTES_SHOWN + 1];
	size_t len = min_u64(bytes.len, BYTES_SHOWN);
	size_t i;

	if (len > 0)
		memcpy(text, bytes.ptr, len);
	text[len] = '\0';
	for (i = strlen(text); i < len; i += strlen(text + i))
		text[i] = '?';
	tell_text(t, key, text);
}

void tell_error(struct telling *t, int rc)
{
	if (rc == 0)
		return;
	t->damage = true;
	tell_text(t, "error", error_text(rc));
}

void tell_end(struct telling *t)
{
	const char *text;
	int rc;

	json_close(&t->json, '}');
	rc = json_end(&t->json, &text);
	if (!t->as_json)
		(void)putchar('\n');
	else if (rc == 0)
		(void)puts(text);
	if (rc == 0 && ferror(stdout))
		rc = -EIO;
	if (rc < 0 && t->rc == 0)
		t->rc = rc;
	json_release(&t->json);
}

/* ---- the superblock ---------------------------------------------------------------- */

static int read_superblock(const char *path, struct superblock *ret)
{
	/* The path is the user's: it may be a link. */
	AUTO_CLOSE int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir_fd < 0 ? -errno : superblock_read(dir_fd, ret);
}

static int inspect_superblock(struct telling *t, const char *path)
{
	char uuid[2 * SUPERBLOCK_UUID_LEN + 1];
	struct superblock sb = { 0 };
	int rc = read_superblock(path, &sb);

	if (rc == -ENOMEM)
		return rc;
	tell_begin(t, "superblock");
	if (rc == 0) {
		names_put_hex(uuid, sb.uuid, SUPERBLOCK_UUID_LEN);
		tell_text(t, "uuid", uuid);
		tell_text(t, "label", sb.label);
		tell_u64(t, "created", (uint64_t)sb.created);
		tell_u64(t, "compat", sb.compat);
		tell_u64(t, "ro_compat", sb.ro_compat);
		tell_u64(t, "incompat", sb.incompat);
	}
	tell_error(t, rc);
	tell_end(t);
	return 0;
}

/* ---- chunks and files --------------------------------------------------------------- */

static void put_place(struct telling *t, struct volume *v,
		      const struct chunk_description *d)
{
	uint64_t base = 0;
	const char *path = salvage_source(volume_store(v), d->segment, &base);

	tell_u64(t, "frame", d->frame);
	tell_u64(t, "offset", base + d->seg_off);
	if (path)
		tell_text(t, "file", path);
}

static void put_chunk(struct telling *t, struct volume *v,
		      const struct chunk_description *d)
{
	tell_u64(t, "chunk_length", d->len);
	tell_text(t, "nodes", d->how.text);
	tell_u64(t, "nodes_stored", d->how.stored_len);
	if (d->how.base)
		tell_u64(t, "base", d->how.base);
	if (d->how.codebook)
		tell_u64(t, "codebook", d->how.codebook);
	tell_u64(t, "frame_chunks", d->frame_chunks);
	tell_u64(t, "frame_raw", d->frame_raw_len);
	tell_u64(t, "frame_stored", d->frame_stored_len);
	put_place(t, v, d);
}

/* How it is stored, and whether its bytes can be had. */
static int inspect_chunk(struct telling *t, struct volume *v, uint64_t id)
{
	struct chunk_description d = { .frame = 0 };
	struct chunk_view view = { .cached = NULL };
	int rc = chunk_describe(volume_store(v), id, &d);

	if (rc == -ENOMEM)
		return rc;
	tell_begin(t, "chunk");
	tell_u64(t, "chunk", id);
	if (rc == 0) {
		put_chunk(t, v, &d);
		rc = chunk_get(volume_store(v), id, &view);
		chunk_put(&view);
	}
	tell_error(t, rc);
	tell_end(t);
	return rc == -ENOMEM ? rc : 0;
}

static void put_piece(struct telling *t, struct volume *v,
		      const struct file_piece *p)
{
	static const char *const names[] = {
		[PIECE_HOLE] = "hole",
		[PIECE_UNWRITTEN] = "unwritten",
		[PIECE_CHUNK] = "chunk",
	};

	tell_begin(t, names[p->kind]);
	tell_u64(t, "file_offset", p->off);
	tell_u64(t, "length", p->len);
	if (p->kind == PIECE_CHUNK) {
		tell_u64(t, "chunk", p->chunk);
		tell_u64(t, "chunk_offset", p->chunk_off);
		if (p->rc == 0)
			put_chunk(t, v, &p->how);
		tell_error(t, p->rc);
	}
	tell_end(t);
}

static int inspect_pieces(struct telling *t, struct volume *v, uint64_t ino)
{
	AUTO_FREE struct file_piece *pieces = calloc(PIECES, sizeof(*pieces));
	uint64_t off = 0;
	int n;
	int i;

	if (!pieces)
		return -ENOMEM;
	while ((n = file_explain(v, ino, off, pieces, PIECES)) > 0) {
		for (i = 0; i < n; i++)
			put_piece(t, v, &pieces[i]);
		off = pieces[n - 1].off + pieces[n - 1].len;
	}
	return n;
}

/* What `path` names, from the root on; links are not followed. */
static int find_path(struct volume *v, const char *path,
		     struct volume_attr *ret)
{
	size_t len;
	int rc = volume_getattr(v, VOLUME_ROOT, ret);

	for (; rc == 0 && *path; path += len) {
		uint64_t parent = ret->ino;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0)
			break;
		rc = volume_lookup(v, parent, span_of(path, len), ret);
		if (rc == 0)
			volume_forget(v, ret->ino, 1);
	}
	return rc;
}

static int inspect_file(struct telling *t, struct volume *v, const char *path)
{
	struct volume_attr attr;
	char mode[16];
	int rc = find_path(v, path, &attr);

	if (rc < 0)
		return rc;
	(void)snprintf(mode, sizeof(mode), "%06o", attr.mode);
	tell_begin(t, "inode");
	tell_u64(t, "inode", attr.ino);
	tell_text(t, "mode", mode);
	tell_u64(t, "links", attr.nlink);
	tell_u64(t, "uid", attr.uid);
	tell_u64(t, "gid", attr.gid);
	tell_u64(t, "size", attr.size);
	tell_u64(t, "allocated", attr.allocated);
	tell_end(t);
	return S_ISREG(attr.mode) ? inspect_pieces(t, v, attr.ino) : 0;
}

static void note_damage(void *ctx, const struct salvage_finding *f)
{
	struct telling *t = ctx;

	t->damage = t->damage || salvage_is_loss(f->what);
}

/* Opens what is left of the store, which takes as long as reading its log. */
static int inspect_inside(struct telling *t, const char *store,
			  const char *path, uint64_t chunk)
{
	const struct salvage_options options = { .store = store,
						 .ctx = t,
						 .finding = note_damage };
	struct volume *v;
	int rc = volume_salvage(&options, &v);

	if (rc < 0)
		return rc;
	rc = path ? inspect_file(t, v, path) : inspect_chunk(t, v, chunk);
	(void)volume_close(v);
	return rc;
}

/* ---- the command --------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum inspect_what what;
} lists[] = {
	{ "segments", INSPECT_SEGMENTS },     { "records", INSPECT_RECORDS },
	{ "operations", INSPECT_OPERATIONS }, { "commits", INSPECT_COMMITS },
	{ "codebooks", INSPECT_CODEBOOKS },
};

/* -EINVAL: no chunk's number. */
static int parse_id(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno ? -EINVAL : 0;
}

/* NOT_ASKED: the words mean nothing. */
static int inspect(struct telling *t, int n, char **words)
{
	uint64_t id;
	size_t i;
	int rc;

	if (n == 1) {
		rc = inspect_superblock(t, words[0]);
		return rc < 0 ? rc : inspect_log(t, words[0], INSPECT_SEGMENTS);
	}
	if (n == 2 && strcmp(words[1], "superblock") == 0)
		return inspect_superblock(t, words[0]);
	for (i = 0; n == 2 && i < ARRAY_LEN(lists); i++) {
		if (strcmp(words[1], lists[i].name) == 0)
			return inspect_log(t, words[0], lists[i].what);
	}
	if (n == 3 && strcmp(words[1], "file") == 0)
		return inspect_inside(t, words[0], words[2], 0);
	if (n == 3 && strcmp(words[1], "chunk") == 0 &&
	    parse_id(words[2], &id) == 0)
		return inspect_inside(t, words[0], NULL, id);
	return NOT_ASKED;
}

static int run(int argc, char **argv)
{
	const struct cmd_options options = { ":h", longs };
	struct telling t = { .rc = 0 };
	int opt;
	int n;
	int rc;

	while ((opt = cmd_getopt(&cmd_inspect, argc, argv, &options)) != -1) {
		if (opt == '?')
			return cmd_inspect.usage_status;
		t.as_json = true;
	}
	n = argc - optind;
	rc = n < 1 ? NOT_ASKED : inspect(&t, n, argv + optind);
	if (rc == NOT_ASKED)
		return cmd_usage(&cmd_inspect, "%s is needed",
				 cmd_inspect.synopsis);
	if (rc == 0)
		rc = t.rc;
	if (rc < 0)
		report_error("'%s': %s", argv[optind],
			     rc == -EWOULDBLOCK ? "it is in use"
						: error_text(rc));
	return (rc < 0 ? CHECK_ERROR : 0) | (t.damage ? CHECK_UNCORRECTED : 0);
}

const struct command cmd_inspect = {
	.name = "inspect",
	.synopsis = "[--json] STORE [WHAT]",
	.summary = "Shows what lies in a store, for who debugs one",
	.help = "WHAT is one of\n"
		"\n"
		"  superblock | segments     these two if nothing is said\n"
		"  records | operations | commits | codebooks\n"
		"                            of the log, a line each\n"
		"  chunk NUMBER | file PATH  how it is stored; reads all of the "
		"log\n"
		"\n"
		"STORE may be damaged, or just a directory of segments. Nothing "
		"is changed.\n"
		"\n"
		"  --json   one JSON object a line\n"
		"\n"
		"Exit status: a sum: 0, 4 damage was seen, 8 could not be done, "
		"16 usage.\n",
	.usage_status = CHECK_USAGE,
	.run = run,
};
