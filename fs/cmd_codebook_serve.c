/* SPDX-License-Identifier: MIT */
/*
 * cmd_codebook_serve.c - the actions of `sigmafs codebook`, where the store is
 * open.
 */
#include "cmd_codebook.h"

#include "base/bytes.h"
#include "base/error.h"
#include "control.h"
#include "json.h"
#include "store/library.h"
#include "store/trainer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBLEM_MAX = 640 };

struct service {
	struct store *s;
	const char *rest; /* of the arguments, behind the action */
	struct json *reply;
	char problem[PROBLEM_MAX]; /* empty: the error says it all */
};

/* A word of `rest`, cut at `cap`, which is then behind the space after it. */
static void take_word(struct service *v, char *word, size_t cap)
{
	size_t n = strcspn(v->rest, " ");

	(void)snprintf(word, cap, "%.*s", (int)n, v->rest);
	v->rest += n + (v->rest[n] == ' ');
}

/* A number above 0. */
static int take_id(struct service *v, uint64_t *ret)
{
	char word[24];
	char *end;

	take_word(v, word, sizeof(word));
	errno = 0;
	*ret = strtoull(word, &end, 10);
	if (word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0 &&
	    *ret != 0)
		return 0;
	(void)snprintf(v->problem, PROBLEM_MAX, "'%s' is no codebook's number",
		       word);
	return -EINVAL;
}

static int no_such(struct service *v, uint64_t id)
{
	(void)snprintf(v->problem, PROBLEM_MAX, "there is no codebook %" PRIu64,
		       id);
	return -ENODATA;
}

static void put_row(struct service *v, const struct codebook_row *row)
{
	json_u64(v->reply, "id", row->id);
	json_text(v->reply, "class", row->class);
	json_u64(v->reply, "version", row->version);
	json_bool(v->reply, "newest", row->newest);
	json_u64(v->reply, "frames", row->refs);
	json_u64(v->reply, "stored_bytes", row->payload_len);
}

static int serve_list(struct service *v)
{
	struct codebook_row row = { .id = 0 };
	int rc;

	json_open(v->reply, "codebooks", '[');
	while ((rc = library_next(v->s, row.id, &row)) == 1) {
		json_open(v->reply, NULL, '{');
		put_row(v, &row);
		json_close(v->reply, '}');
	}
	json_close(v->reply, ']');
	return rc;
}

static int serve_show(struct service *v)
{
	struct codebook_row row = { .id = 0 };
	struct codebook *b = NULL;
	uint64_t id;
	int rc = take_id(v, &id);

	if (rc < 0)
		return rc;
	if (v->rest[0] != '\0')
		return -EINVAL;
	rc = library_next(v->s, id - 1, &row);
	if (rc < 0)
		return rc;
	if (rc == 0 || row.id != id)
		return no_such(v, id);
	rc = library_get(v->s, id, &b);
	if (rc < 0)
		return rc;
	put_row(v, &row);
	json_u64(v->reply, "dictionary_bytes", codebook_bytes(b).len);
	/* Behind the magic. */
	json_u64(v->reply, "dictionary_id",
		 get_le32(codebook_bytes(b).ptr + 4));
	json_u64(v->reply, "memory_bytes", codebook_memory(b));
	codebook_put(b);
	return 0;
}

static void put_trained(void *ctx, const struct trained *t)
{
	struct json *reply = ctx;

	json_open(reply, NULL, '{');
	json_text(reply, "class", codebook_class_name(t->class));
	json_u64(reply, "id", t->codebook);
	json_u64(reply, "frames", t->n_frames);
	json_u64(reply, "judged_raw_bytes", t->raw);
	json_u64(reply, "judged_before_bytes", t->before);
	json_u64(reply, "judged_after_bytes", t->after);
	json_u64(reply, "dictionary_bytes", t->len);
	json_close(reply, '}');
}

static int serve_train(struct service *v)
{
	int rc;

	json_open(v->reply, "trained", '[');
	rc = trainer_run(v->s, put_trained, v->reply);
	json_close(v->reply, ']');
	return rc;
}

static void blame_path(struct service *v, const char *verb, int rc)
{
	(void)snprintf(v->problem, PROBLEM_MAX, "cannot %s '%.512s': %s", verb,
		       v->rest, error_text(rc));
}

static int serve_export(struct service *v, bool raw)
{
	uint64_t id;
	int rc = take_id(v, &id);

	if (rc < 0)
		return rc;
	rc = library_export(v->s, id, raw, v->rest);
	if (rc == -ENODATA)
		return no_such(v, id);
	if (rc == -EOPNOTSUPP)
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "codebook %" PRIu64
			       " is of a newer version's class; it can be "
			       "exported raw",
			       id);
	else if (rc < 0)
		blame_path(v, "write", rc);
	else
		json_u64(v->reply, "id", id);
	return rc;
}

static int serve_import(struct service *v)
{
	char class[CODEBOOK_CLASS_NAME_MAX];
	enum content_class known;
	uint64_t id = 0;
	int rc;

	take_word(v, class, sizeof(class));
	if (strcmp(class, "-") != 0 &&
	    codebook_class_find(span_of(class, strlen(class)), &known) < 0) {
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "'%s' is no class that has codebooks", class);
		return -EINVAL;
	}
	rc = library_import(v->s, v->rest,
			    strcmp(class, "-") == 0 ? NULL : class, &id);
	if (rc == -EINVAL)
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "'%.512s' is neither a codebook nor a "
			       "dictionary of zstd",
			       v->rest);
	else if (rc == -EUCLEAN || rc == -EBADMSG)
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "the codebook in '%.512s' is damaged", v->rest);
	else if (rc == -EFBIG)
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "the store has %d codebooks, and cannot have "
			       "more",
			       LIBRARY_MAX);
	else if (rc == -EROFS)
		(void)snprintf(v->problem, PROBLEM_MAX,
			       "the store is read-only");
	else if (rc < 0)
		blame_path(v, "import", rc);
	else
		json_u64(v->reply, "id", id);
	return rc;
}

static int serve(struct service *v, const char *action)
{
	if (strcmp(action, "list") == 0)
		return serve_list(v);
	if (strcmp(action, "show") == 0)
		return serve_show(v);
	if (strcmp(action, "train") == 0)
		return serve_train(v);
	if (strcmp(action, "export") == 0)
		return serve_export(v, false);
	if (strcmp(action, "export-raw") == 0)
		return serve_export(v, true);
	if (strcmp(action, "import") == 0)
		return serve_import(v);
	return -EOPNOTSUPP;
}

int codebook_serve(struct store *s, const char *arguments, struct json *reply)
{
	struct service v = { .s = s, .rest = arguments, .reply = reply };
	char action[16];
	int rc;

	take_word(&v, action, sizeof(action));
	rc = serve(&v, action);
	if (rc >= 0)
		return 0;
	json_text(reply, "problem", v.problem[0] ? v.problem : error_text(rc));
	/* Not to be taken for those of a socket that is not there. */
	return control_is_absent(rc) ? -EINVAL : rc;
}
