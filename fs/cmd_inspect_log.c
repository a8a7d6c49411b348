/* SPDX-License-Identifier: MIT */
/*
 * cmd_inspect_log.c - what lies in the log, record by record.
 *
 * Takes no lock: of a store that is mounted it shows what is in the files.
 */
#include "cmd.h"
#include "cmd_inspect.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "codec/describe.h"
#include "store/ops.h"
#include "store/rounds.h"
#include "store/sources.h"
#include "stream/codebook_record.h"
#include "stream/frame.h"
#include "volume/ops.h"

#include <stdio.h>

/* The log as it is gone through. */
struct log_reading {
	struct telling *t;
	enum inspect_what what;
	struct sources sources;
	struct decoder *decoder;
	struct buffer room; /* of unpacked operations */
	uint64_t number;    /* of the segment at hand */
	const char *path;   /* of its file */
	uint64_t off;       /* of the record at hand */
};

static const char *type_name(enum record_type type)
{
	static const char *const names[] = {
		[RECORD_FRAME] = "frame",
		[RECORD_CODEBOOK] = "codebook",
		[RECORD_OPS] = "operations",
		[RECORD_COMMIT] = "commit",
		[RECORD_FOOTER] = "footer",
		[RECORD_SEEK] = "seek",
		[RECORD_CHECKPOINT] = "checkpoint",
	};

	return (size_t)type < ARRAY_LEN(names) && names[type] ? names[type]
							      : "?";
}

/* Begins a line with the place of the record. */
static void begin(const struct log_reading *l, const char *what)
{
	tell_begin(l->t, what);
	tell_u64(l->t, "segment", l->number);
	tell_u64(l->t, "offset", l->off);
}

/* ---- records --------------------------------------------------------------------- */

static void tell_frame(struct log_reading *l, struct span payload)
{
	struct description how = { .stored_len = 0 };
	struct frame_view view = { .n_chunks = 0 };
	struct frame_cursor cursor;
	struct frame_chunk first = { .id = 0 };
	int rc = frame_parse(payload, &view);

	if (rc == 0) {
		frame_walk(&view, &cursor);
		(void)frame_next(&cursor, &first);
		tell_u64(l->t, "chunks", view.n_chunks);
		tell_u64(l->t, "first_chunk", first.id);
		tell_u64(l->t, "raw", view.raw_len);
		rc = describe_glyphs(view.glyphs, 0, &how);
	}
	if (rc == 0) {
		tell_text(l->t, "nodes", how.text);
		if (how.base)
			tell_u64(l->t, "base", how.base);
		if (how.codebook)
			tell_u64(l->t, "codebook", how.codebook);
	}
	tell_error(l->t, rc);
}

static void tell_commit(struct log_reading *l, struct span payload)
{
	struct commit_body body;
	int rc = commit_body_get(payload, &body);

	if (rc == 0) {
		tell_u64(l->t, "first", body.first_seq);
		tell_u64(l->t, "records", body.n_records);
		tell_u64(l->t, "durable", body.durable);
	}
	tell_error(l->t, rc);
}

static void tell_codebook(struct log_reading *l, struct span payload)
{
	struct codebook_record r = { .id = 0 };
	int rc = codebook_record_parse(payload, &r);

	if (rc == 0) {
		tell_u64(l->t, "codebook", r.id);
		tell_bytes(l->t, "class", r.class);
		tell_u64(l->t, "version", r.version);
		tell_u64(l->t, "dictionary", r.len);
	}
	tell_error(l->t, rc);
}

static void tell_record(struct log_reading *l, const struct carved *r)
{
	begin(l, "record");
	tell_text(l->t, "type", type_name(r->head.type));
	tell_u64(l->t, "sequence", r->head.seq);
	tell_u64(l->t, "epoch", r->head.epoch);
	tell_u64(l->t, "payload", r->head.payload_len);
	if (r->head.flags & RECORD_PACKED)
		tell_text(l->t, "flags", "packed");
	else if (r->head.flags & RECORD_INTENT)
		tell_text(l->t, "flags", "intent");
	if (!r->whole)
		tell_error(l->t, -EBADMSG);
	else if (r->head.type == RECORD_FRAME)
		tell_frame(l, r->payload);
	else if (r->head.type == RECORD_COMMIT)
		tell_commit(l, r->payload);
	else if (r->head.type == RECORD_CODEBOOK)
		tell_codebook(l, r->payload);
	tell_end(l->t);
}

/* ---- operations ------------------------------------------------------------------ */

static int tell_inode(struct telling *t, struct span body)
{
	struct op_inode op;
	int rc = op_inode_get(body, &op);
	char mode[16];

	if (rc < 0)
		return rc;
	(void)snprintf(mode, sizeof(mode), "%06o", op.image.attr.mode);
	tell_u64(t, "inode", op.ino);
	tell_text(t, "mode", mode);
	tell_u64(t, "links", op.image.attr.nlink);
	tell_u64(t, "uid", op.image.attr.uid);
	tell_u64(t, "gid", op.image.attr.gid);
	tell_u64(t, "size", op.image.attr.size);
	tell_u64(t, "allocated", op.image.attr.allocated);
	return 0;
}

static int tell_dirent(struct telling *t, struct span body)
{
	struct op_dirent op;
	int rc = op_dirent_get(body, &op);

	if (rc < 0)
		return rc;
	tell_u64(t, "parent", op.parent);
	tell_u64(t, "inode", op.ino);
	tell_bytes(t, "name", op.name);
	return 0;
}

static int tell_dirent_del(struct telling *t, struct span body)
{
	struct op_dirent op;
	int rc = op_dirent_del_get(body, &op);

	if (rc < 0)
		return rc;
	tell_u64(t, "parent", op.parent);
	tell_u64(t, "cookie", op.cookie);
	return 0;
}

static int tell_xattr(struct telling *t, struct span body)
{
	struct op_xattr op;
	int rc = op_xattr_get(body, &op);

	if (rc < 0)
		return rc;
	tell_u64(t, "inode", op.ino);
	tell_bytes(t, op.name.len > 0 ? "name" : "target",
		   op.name.len > 0 ? op.name : op.value);
	tell_u64(t, "length", op.value.len);
	return 0;
}

static int tell_xattr_del(struct telling *t, struct span body)
{
	struct op_xattr op;
	int rc = op_xattr_del_get(body, &op);

	if (rc < 0)
		return rc;
	tell_u64(t, "inode", op.ino);
	tell_bytes(t, "name", op.name);
	return 0;
}

/* The first numbers of a body. */
static int tell_numbers(struct telling *t, struct span body,
			const char *const *keys)
{
	struct reader r = reader_of(body);
	uint64_t value = 0;
	int rc = 0;

	for (; *keys && rc == 0; keys++) {
		rc = varint_get(&r, &value);
		if (rc == 0)
			tell_u64(t, *keys, value);
	}
	return rc;
}

static const struct {
	uint8_t type;
	const char *name;
	int (*tell)(struct telling *t, struct span body); /* else `keys` */
	const char *keys[5];
} kinds[] = {
	{ OP_CODEBOOK_DEL, "CODEBOOK_DEL", NULL, { "codebook" } },
	{ OP_FRAME_ROWS, "FRAME_ROWS", NULL, { NULL } },
	{ OP_CHUNK_ROWS, "CHUNK_ROWS", NULL, { NULL } },
	{ OP_CONTENT_ROWS, "CONTENT_ROWS", NULL, { NULL } },
	{ OP_BASE_ROWS, "BASE_ROWS", NULL, { NULL } },
	{ OP_CODEBOOK_ROW, "CODEBOOK_ROW", NULL, { "codebook" } },
	{ OP_FRAME_DEL, "FRAME_DEL", NULL, { "frame" } },
	{ OP_SEGMENT_DEL, "SEGMENT_DEL", NULL, { "number" } },
	{ OP_INODE, "INODE", tell_inode, { NULL } },
	{ OP_INODE_DEL, "INODE_DEL", NULL, { "inode" } },
	{ OP_DIRENT, "DIRENT", tell_dirent, { NULL } },
	{ OP_DIRENT_DEL, "DIRENT_DEL", tell_dirent_del, { NULL } },
	{ OP_MAP,
	  "MAP",
	  NULL,
	  { "inode", "file_offset", "length", "extents" } },
	{ OP_XATTR, "XATTR", tell_xattr, { NULL } },
	{ OP_XATTR_DEL, "XATTR_DEL", tell_xattr_del, { NULL } },
};

static void tell_op(struct log_reading *l, uint64_t seq, const struct op *op)
{
	size_t i = 0;

	while (i < ARRAY_LEN(kinds) && kinds[i].type != op->type)
		i++;
	begin(l, "operation");
	tell_u64(l->t, "sequence", seq);
	if (i == ARRAY_LEN(kinds)) {
		tell_u64(l->t, "type", op->type);
		tell_error(l->t, -EOPNOTSUPP);
	} else {
		tell_text(l->t, "type", kinds[i].name);
		tell_u64(l->t, "bytes", op->body.len);
		tell_error(l->t, kinds[i].tell ? kinds[i].tell(l->t, op->body)
					       : tell_numbers(l->t, op->body,
							      kinds[i].keys));
	}
	tell_end(l->t);
}

static void tell_bad_ops(struct log_reading *l, const struct carved *r, int rc)
{
	begin(l, type_name(r->head.type));
	tell_u64(l->t, "sequence", r->head.seq);
	tell_error(l->t, rc);
	tell_end(l->t);
}

/* The head of a part, or an END. */
static int tell_part(struct log_reading *l, uint64_t seq, struct span payload,
		     struct span *ret_ops)
{
	struct round_part part;
	int rc = round_part_get(payload, &part);

	if (rc < 0)
		return rc;
	begin(l, part.number > 0 ? "part" : "end");
	tell_u64(l->t, "sequence", seq);
	tell_u64(l->t, "round", part.round);
	if (part.number > 0)
		tell_u64(l->t, "part", part.number);
	tell_end(l->t);
	*ret_ops = part.number > 0 ? part.rest : span_of(NULL, 0);
	return 0;
}

static int tell_ops(struct log_reading *l, const struct carved *r)
{
	struct op op = { .type = 0 };
	struct span ops = { NULL, 0 };
	struct reader reader;
	int rc = r->whole ? ops_unpack(l->decoder, r->head.flags, r->payload,
				       &l->room, &ops)
			  : -EBADMSG;

	if (rc == 0 && r->head.type == RECORD_CHECKPOINT)
		rc = tell_part(l, r->head.seq, ops, &ops);
	reader = reader_of(ops);
	while (rc == 0 && (rc = ops_next(&reader, &op)) == 1) {
		tell_op(l, r->head.seq, &op);
		rc = 0;
	}
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		tell_bad_ops(l, r, rc);
	return 0;
}

/* ---- files ----------------------------------------------------------------------- */

static int tell_carved(struct log_reading *l, const struct carved *r)
{
	enum record_type type = r->head.type;

	l->off = r->off;
	if (l->what == INSPECT_OPERATIONS)
		return type == RECORD_OPS || type == RECORD_CHECKPOINT
			       ? tell_ops(l, r)
			       : 0;
	if (l->what == INSPECT_RECORDS ||
	    (l->what == INSPECT_COMMITS && type == RECORD_COMMIT) ||
	    (l->what == INSPECT_CODEBOOKS && type == RECORD_CODEBOOK))
		tell_record(l, r);
	return 0;
}

/* Bytes between records that are good. */
static void tell_gap(struct log_reading *l, uint64_t from, uint64_t to)
{
	if (l->what != INSPECT_RECORDS || from >= to)
		return;
	l->off = from;
	begin(l, "gap");
	tell_u64(l->t, "bytes", to - from);
	tell_error(l->t, -EUCLEAN);
	tell_end(l->t);
}

static int read_segment(struct log_reading *l, size_t file)
{
	AUTO_CLOSE int fd = sources_open_file(&l->sources, file);
	uint64_t end = SEGMENT_HEADER_LEN;
	struct carved r;
	struct carve c;
	int rc;

	if (fd < 0)
		return fd;
	carve_init(&c, fd, l->sources.files[file].size);
	c.off = SEGMENT_HEADER_LEN;
	c.keys = l->sources.keys;
	c.n_keys = l->sources.n_heads;
	while ((rc = carve_next(&c, &r)) == 1) {
		if (r.whole) {
			tell_gap(l, end, r.off);
			end = r.off + record_len(r.head.payload_len);
		}
		rc = tell_carved(l, &r);
		if (rc < 0 || l->t->rc < 0)
			break;
	}
	if (rc == 0 && (rc = carve_is_zero(&c, end)) == 0)
		tell_gap(l, end, c.size);
	carve_release(&c);
	return rc < 0 ? rc : 0;
}

static void tell_segment(struct log_reading *l, size_t file,
			 const struct segment_header *h)
{
	const struct source_file *src = &l->sources.files[file];

	tell_begin(l->t, "segment");
	if (h) {
		tell_u64(l->t, "number", h->number);
		tell_u64(l->t, "epoch", h->epoch);
		tell_u64(l->t, "first", h->first_seq);
		tell_u64(l->t, "previous_commit", h->previous_commit);
		tell_u64(l->t, "checkpoint", h->checkpoint);
	}
	tell_u64(l->t, "bytes", src->size);
	tell_text(l->t, "file", src->path);
	if (!h || src->mended)
		tell_error(l->t, h ? -EBADMSG : -EUCLEAN);
	tell_end(l->t);
}

/* Files in the order of the log: those with a header first. */
static int read_all(struct log_reading *l)
{
	const struct sources *s = &l->sources;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < s->n_heads; i++) {
		const struct segment_header *h = &s->heads[i].header;

		l->number = h->number;
		if (l->what == INSPECT_SEGMENTS)
			tell_segment(l, s->heads[i].file, h);
		else
			rc = read_segment(l, s->heads[i].file);
	}
	for (i = 0; rc == 0 && i < s->n_files; i++) {
		if (l->what == INSPECT_SEGMENTS && !s->files[i].has_head)
			tell_segment(l, i, NULL);
	}
	return rc;
}

int inspect_log(struct telling *t, const char *path, enum inspect_what what)
{
	struct log_reading l = { .t = t, .what = what };
	int rc = decoder_new(&l.decoder);

	buffer_init(&l.room, RECORD_PAYLOAD_MAX);
	sources_init(&l.sources);
	if (rc == 0)
		rc = sources_add_dir(&l.sources, path);
	if (rc == 0)
		rc = sources_find(&l.sources, NULL, NULL);
	if (rc == 0)
		rc = read_all(&l);
	sources_release(&l.sources);
	buffer_release(&l.room);
	decoder_free(l.decoder);
	return rc;
}
