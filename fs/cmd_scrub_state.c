/* SPDX-License-Identifier: MIT */
/*
 * cmd_scrub_state.c - JSON on a line for the state, and one for each entry; the last
 * line is the hash of what is before it.
 */
#include "cmd_scrub_state.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/report.h"
#include "json.h"
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NEW_NAME SCRUB_STATE_NAME ".new"

enum {
	FILE_MAX = 128 << 10,
	HASH_LEN = 17, /* with its newline */
};

/* ---- numbers -------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t at;
} numbers[] = {
	{ "scrub_begun", offsetof(struct scrub_state, begun) },
	{ "scrub_ended", offsetof(struct scrub_state, ended) },
	{ "scrub_frames", offsetof(struct scrub_state, pass.n_frames) },
	{ "scrub_bytes", offsetof(struct scrub_state, pass.n_bytes) },
	{ "scrub_total_bytes", offsetof(struct scrub_state, pass.total_len) },
	{ "scrub_damaged", offsetof(struct scrub_state, pass.n_damaged) },
};

static uint64_t number_at(const void *object, size_t at)
{
	uint64_t value;

	(void)memcpy(&value, (const char *)object + at, sizeof(value));
	return value;
}

void scrub_state_put(const struct scrub_state *state, struct json *json)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(numbers); i++)
		json_u64(json, numbers[i].name,
			 number_at(state, numbers[i].at));
	json_u64(json, "scrub_entries", state->n_entries);
}

static int get_number(const char *text, const char *name, void *ret)
{
	uint64_t value;
	int rc = json_get_u64(text, name, &value);

	if (rc == 0)
		(void)memcpy(ret, &value, sizeof(value));
	return rc < 0 ? -EUCLEAN : 0;
}

/* All that are in both. */
static int get_counts(const char *text, struct scrub_state *ret)
{
	int rc = 0;
	size_t i;

	for (i = 0; rc == 0 && i < ARRAY_LEN(numbers); i++)
		rc = get_number(text, numbers[i].name,
				(char *)ret + numbers[i].at);
	return rc;
}

int scrub_state_get(const char *text, struct scrub_state *ret)
{
	uint64_t n = 0;
	int rc = get_counts(text, ret);

	if (rc == 0)
		rc = get_number(text, "scrub_entries", &n);
	if (rc == 0 && n > SCRUB_ENTRIES_MAX)
		rc = -EUCLEAN;
	ret->n_entries = (size_t)n;
	return rc;
}

static int get_state(const char *text, struct scrub_state *ret)
{
	int rc = get_counts(text, ret);

	if (rc == 0)
		rc = get_number(text, "after", &ret->pass.after);
	if (rc == 0)
		rc = get_number(text, "last", &ret->pass.last);
	return rc;
}

/* ---- entries -------------------------------------------------------------- */

void scrub_entry_put(const struct scrub_entry *e, struct json *json)
{
	json_u64(json, "segment", e->damage.segment);
	json_u64(json, "segment_offset", e->damage.off);
	json_u64(json, "frame", e->damage.frame);
	json_u64(json, "errno", (uint64_t)-e->damage.rc);
	json_text(json, "error", error_text(e->damage.rc));
	json_u64(json, "inode", e->ino);
	json_u64(json, "offset", e->file_off);
	json_u64(json, "length", e->len);
	json_text(json, "path", e->path);
}

int scrub_entry_get(const char *text, struct scrub_entry *ret)
{
	struct scrub_entry e = { .ino = 0 };
	uint64_t number = 0;
	int rc = get_number(text, "segment", &e.damage.segment);

	if (rc == 0)
		rc = get_number(text, "segment_offset", &e.damage.off);
	if (rc == 0)
		rc = get_number(text, "frame", &e.damage.frame);
	if (rc == 0)
		rc = get_number(text, "errno", &number);
	if (rc == 0)
		rc = get_number(text, "inode", &e.ino);
	if (rc == 0)
		rc = get_number(text, "offset", &e.file_off);
	if (rc == 0)
		rc = get_number(text, "length", &e.len);
	if (rc == 0)
		rc = json_get_text(text, "path", e.path, sizeof(e.path));
	if (rc < 0 || number == 0 || number > 4095)
		return -EUCLEAN;
	e.damage.rc = -(int)number;
	/* Anybody may have written it. */
	report_blank(e.path);
	*ret = e;
	return 0;
}

void scrub_entry_line(const struct scrub_entry *e, char *ret)
{
	const uint64_t last = e->file_off + (e->len > 0 ? e->len - 1 : 0);

	if (e->ino != 0)
		(void)snprintf(ret, SCRUB_LINE_MAX,
			       "'%s' bytes %" PRIu64 " to %" PRIu64
			       ": segment %" PRIu64 " @%" PRIu64
			       ", frame %" PRIu64 ": %s",
			       e->path, e->file_off, last, e->damage.segment,
			       e->damage.off, e->damage.frame,
			       error_text(e->damage.rc));
	else
		(void)snprintf(ret, SCRUB_LINE_MAX,
			       "of no file: segment %" PRIu64 " @%" PRIu64
			       ", frame %" PRIu64 ": %s",
			       e->damage.segment, e->damage.off,
			       e->damage.frame, error_text(e->damage.rc));
}

void scrub_state_add(struct scrub_state *state,
		     const struct scrub_damage *damage)
{
	if (state->n_entries < SCRUB_ENTRIES_MAX)
		state->entries[state->n_entries++] =
			(struct scrub_entry){ .damage = *damage };
}

/* What JSON and a terminal take as it is; of a long path the end. */
static void take_path(const char *path, char *ret)
{
	size_t len = strlen(path);
	char *at = ret;

	if (len >= SCRUB_PATH_MAX)
		path += len - SCRUB_PATH_MAX + 1;
	(void)snprintf(ret, SCRUB_PATH_MAX, "%s", path);
	while (*at) {
		size_t n = (unsigned char)*at < 0x80 ? 1 : names_utf8_len(at);

		if (n == 0 || *at == '"' || *at == '\\')
			*at = '?';
		at += n == 0 ? 1 : n;
	}
	report_blank(ret);
}

void scrub_state_unplace(struct scrub_state *state)
{
	size_t n = 0;
	size_t i;
	size_t j;

	for (i = 0; i < state->n_entries; i++) {
		const struct scrub_damage damage = state->entries[i].damage;

		for (j = 0; j < n; j++) {
			if (state->entries[j].damage.frame == damage.frame)
				break;
		}
		if (j == n)
			state->entries[n++] =
				(struct scrub_entry){ .damage = damage };
	}
	state->n_entries = n;
}

/* Another name of the file, or it was met again. */
static bool is_in(const struct scrub_entry *e, const struct scrub_entry *range)
{
	return e->damage.frame == range->damage.frame && e->ino == range->ino &&
	       range->file_off >= e->file_off &&
	       range->file_off - e->file_off < e->len;
}

/* Pieces of a file that follow each other are one. */
static bool is_more_of(const struct scrub_entry *e,
		       const struct scrub_entry *range)
{
	return e->damage.frame == range->damage.frame && e->ino == range->ino &&
	       e->file_off + e->len == range->file_off;
}

void scrub_state_place(struct scrub_state *state,
		       const struct scrub_entry *range, const char *path)
{
	struct scrub_entry *to = NULL;
	size_t i;

	for (i = 0; i < state->n_entries; i++) {
		struct scrub_entry *e = &state->entries[i];

		if (is_in(e, range))
			return;
		if (is_more_of(e, range)) {
			e->len += range->len;
			return;
		}
		if (e->damage.frame == range->damage.frame && e->ino == 0)
			to = e;
	}
	if (!to && state->n_entries < SCRUB_ENTRIES_MAX)
		to = &state->entries[state->n_entries++];
	if (!to)
		return;
	*to = *range;
	take_path(path, to->path);
}

/* ---- the file ------------------------------------------------------------- */

static int append_line(struct buffer *to, struct json *json)
{
	const char *text = "";
	int rc = json_end(json, &text);

	if (rc == 0)
		rc = buffer_append(to, span_of(text, strlen(text)));
	if (rc == 0)
		rc = buffer_append_u8(to, '\n');
	json_release(json);
	return rc;
}

static int append_all(struct buffer *to, const struct scrub_state *state)
{
	struct json json;
	char hash[HASH_LEN + 1];
	size_t i;
	int rc;

	json_init(&json, FILE_MAX);
	json_open(&json, NULL, '{');
	scrub_state_put(state, &json);
	json_u64(&json, "after", state->pass.after);
	json_u64(&json, "last", state->pass.last);
	json_close(&json, '}');
	rc = append_line(to, &json);
	for (i = 0; rc == 0 && i < state->n_entries; i++) {
		json_init(&json, FILE_MAX);
		json_open(&json, NULL, '{');
		scrub_entry_put(&state->entries[i], &json);
		json_close(&json, '}');
		rc = append_line(to, &json);
	}
	if (rc < 0)
		return rc;
	(void)snprintf(hash, sizeof(hash), "%016" PRIx64 "\n",
		       hash64(buffer_span(to), 0));
	return buffer_append(to, span_of(hash, HASH_LEN));
}

int scrub_state_save(int dir_fd, const struct scrub_state *state)
{
	AUTO_CLOSE int fd = -1;
	struct buffer text;
	int rc;

	buffer_init(&text, FILE_MAX);
	rc = append_all(&text, state);
	if (rc == 0) {
		fd = io_open(dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC,
			     0600);
		rc = fd < 0 ? fd : io_pwrite(fd, text.data, text.len, 0);
	}
	if (rc == 0)
		rc = io_rename(dir_fd, NEW_NAME, SCRUB_STATE_NAME);
	buffer_release(&text);
	return rc;
}

/* `text` ends in the hash, and is changed. */
static int parse(char *text, size_t len, struct scrub_state *ret)
{
	char *line = text;
	char *end;
	int rc = 0;
	bool first = true;

	if (len < HASH_LEN || text[len - 1] != '\n' ||
	    strtoull(text + len - HASH_LEN, NULL, 16) !=
		    hash64(span_of(text, len - HASH_LEN), 0))
		return -EUCLEAN;
	text[len - HASH_LEN] = '\0';
	while (rc == 0 && (end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (first)
			rc = get_state(line, ret);
		else if (ret->n_entries == SCRUB_ENTRIES_MAX)
			rc = -EUCLEAN;
		else
			rc = scrub_entry_get(line,
					     &ret->entries[ret->n_entries++]);
		first = false;
		line = end + 1;
	}
	return rc < 0 || first ? -EUCLEAN : 0;
}

int scrub_state_load(int dir_fd, struct scrub_state *ret)
{
	AUTO_CLOSE int fd = io_open(dir_fd, SCRUB_STATE_NAME, O_RDONLY, 0);
	AUTO_FREE struct scrub_state *state = calloc(1, sizeof(*state));
	AUTO_FREE char *text = malloc(FILE_MAX + 1);
	ssize_t len;
	int rc;

	if (fd < 0)
		return fd;
	if (!state || !text)
		return -ENOMEM;
	len = io_pread(fd, text, FILE_MAX, 0);
	if (len < 0)
		return (int)len;
	text[len] = '\0';
	rc = parse(text, (size_t)len, state);
	if (rc == 0)
		*ret = *state;
	return rc;
}
