/* SPDX-License-Identifier: MIT */
/* pieces.c - pieces of a file as JSON. */
#include "pieces.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "control.h"
#include "json.h"

#include <assert.h>
#include <stdlib.h>

/* What an answer has besides is short. */
static_assert(PIECES_MAX * PIECE_JSON_MAX < CONTROL_REPLY_MAX - 256, "fits");

static const char *const kinds[] = {
	[PIECE_HOLE] = "hole",
	[PIECE_UNWRITTEN] = "unwritten",
	[PIECE_CHUNK] = "chunk",
};

static void put_chunk(struct json *j, const struct file_piece *p)
{
	const struct chunk_description *d = &p->how;

	json_u64(j, "chunk", p->chunk);
	json_u64(j, "chunk_offset", p->chunk_off);
	if (p->rc) {
		json_text(j, "error", error_text(p->rc));
		return;
	}
	json_u64(j, "chunk_length", d->len);
	json_text(j, "nodes", d->how.text);
	json_u64(j, "nodes_stored", d->how.stored_len);
	if (d->how.base)
		json_u64(j, "base", d->how.base);
	if (d->how.codebook)
		json_u64(j, "codebook", d->how.codebook);
	json_u64(j, "frame", d->frame);
	json_u64(j, "frame_chunks", d->frame_chunks);
	json_u64(j, "frame_raw", d->frame_raw_len);
	json_u64(j, "frame_stored", d->frame_stored_len);
	json_u64(j, "segment", d->segment);
	json_u64(j, "segment_offset", d->seg_off);
}

void pieces_put(struct json *j, const struct file_piece *p)
{
	json_open(j, NULL, '{');
	json_u64(j, "offset", p->off);
	json_u64(j, "length", p->len);
	json_text(j, "kind", kinds[p->kind]);
	if (p->kind == PIECE_CHUNK)
		put_chunk(j, p);
	json_close(j, '}');
}

/* Two decimal numbers and nothing else. */
static int parse(const char *text, uint64_t *ret_ino, uint64_t *ret_off)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret_ino = strtoull(text, &end, 10);
	if (*end != ' ' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	*ret_off = strtoull(end + 1, &end, 10);
	return *end != '\0' || errno ? -EINVAL : 0;
}

int pieces_tell(struct volume *v, const char *arguments, struct json *reply)
{
	AUTO_FREE struct file_piece *pieces =
		calloc(PIECES_MAX, sizeof(*pieces));
	uint64_t ino, off;
	int n = parse(arguments, &ino, &off);

	if (!pieces)
		return -ENOMEM;
	if (n == 0)
		n = file_explain(v, ino, off, pieces, PIECES_MAX);
	if (n < 0)
		return n;
	json_open(reply, "pieces", '[');
	for (int i = 0; i < n; i++)
		pieces_put(reply, &pieces[i]);
	json_close(reply, ']');
	if (n > 0)
		json_u64(reply, "next", pieces[n - 1].off + pieces[n - 1].len);
	return 0;
}
