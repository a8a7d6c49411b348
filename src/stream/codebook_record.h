/* SPDX-License-Identifier: MIT */
/*
 * codebook_record.h - payload of a CODEBOOK record, and of exported files.
 *
 * FORMAT.md section 4. Pure.
 */
#ifndef STREAM_CODEBOOK_RECORD_H
#define STREAM_CODEBOOK_RECORD_H

#include "base/buffer.h"
#include "codec/codebook.h"
#include "codec/decode.h"
#include "codec/encode.h"

enum { CODEBOOK_CLASS_LEN_MAX = 32 };

struct codebook_record {
	uint64_t id; /* never 0 */
	uint64_t version;
	struct span class; /* its name, maybe of a newer version */
	uint64_t hash;     /* of the dictionary, seed 0 */
	size_t len;        /* of the dictionary */
	struct span glyphs;
};

/* Appends a payload. The class has a name. Takes 0.1 s for a dictionary of 441 KB,
 * 0.4 s for the longest. -ENOMEM. */
int codebook_record_put(struct encoder *e, const struct codebook_head *head,
			struct span dictionary, struct buffer *out);

/* The same of what a record says already, under another name: cheap. */
int codebook_record_put_as(const struct codebook_head *head,
			   const struct codebook_record *r, struct buffer *out);

/* -EUCLEAN: damage. Looks at all but the glyphs. */
int codebook_record_parse(struct span payload, struct codebook_record *ret);

/*
 * The codebook itself. A class without a name here becomes CONTENT_BINARY.
 * -EUCLEAN, -EBADMSG (the hash), -EOPNOTSUPP, -ENOMEM.
 */
int codebook_record_open(struct decoder *d, struct span payload,
			 struct codebook **ret);

/* ---- files that hold one --------------------------------------------------- */

#define CODEBOOK_FILE_MAGIC "SIGMABK1"

enum {
	CODEBOOK_FILE_HEAD_LEN = 12, /* magic, length of the payload */
	CODEBOOK_FILE_TAIL_LEN = 8,  /* its hash */
	CODEBOOK_FILE_MAX = CODEBOOK_LEN_MAX + 4096,
};

/* Appends a whole file. -ENOMEM. */
int codebook_file_put(struct encoder *e, const struct codebook_head *head,
		      struct span dictionary, struct buffer *out);

/* The payload in a file. -EINVAL: not such a file. -EUCLEAN: cut off, or
 * longer; -EBADMSG: damaged. */
int codebook_file_payload(struct span file, struct span *ret);

#endif
