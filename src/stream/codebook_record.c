/* SPDX-License-Identifier: MIT */
/*
 * codebook_record.c - who a codebook is, then its bytes as glyphs.
 */
#include "stream/codebook_record.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/varint.h"

#include <assert.h>
#include <errno.h>

enum { LEVEL = 19 }; /* of zstd: written once, kept in two places */

/* What stands before the glyphs. */
static int put_head(const struct codebook_head *head, uint64_t hash, size_t len,
		    struct buffer *out)
{
	const char *name = codebook_class_name(head->class);
	int rc = buffer_append_varint(out, head->id);

	assert(name && head->id != 0);
	if (rc == 0)
		rc = buffer_append_varint(out, head->version);
	if (rc == 0)
		rc = buffer_append_u8(out, (uint8_t)strlen(name));
	if (rc == 0)
		rc = buffer_append(out, span_of(name, strlen(name)));
	if (rc == 0)
		rc = buffer_append_le64(out, hash);
	if (rc == 0)
		rc = buffer_append_varint(out, len);
	return rc;
}

int codebook_record_put(struct encoder *e, const struct codebook_head *head,
			struct span dictionary, struct buffer *out)
{
	const struct encode_request request = {
		.effort = EFFORT_SMALL,
		.level = LEVEL,
		.classified = true,
		.class = CONTENT_BINARY,
	};
	size_t before = out->len;
	ssize_t n = 0;
	int rc = put_head(head, hash64(dictionary, 0), dictionary.len, out);

	if (rc == 0)
		rc = buffer_reserve(out, encode_bound(dictionary.len));
	if (rc == 0)
		n = encode_frame(e, &request, dictionary, out->data + out->len);
	if (rc < 0 || n < 0) {
		out->len = before;
		return rc < 0 ? rc : (int)n;
	}
	out->len += (size_t)n;
	return 0;
}

int codebook_record_put_as(const struct codebook_head *head,
			   const struct codebook_record *r, struct buffer *out)
{
	size_t before = out->len;
	int rc = put_head(head, r->hash, r->len, out);

	if (rc == 0)
		rc = buffer_append(out, r->glyphs);
	if (rc < 0)
		out->len = before;
	return rc;
}

int codebook_record_parse(struct span payload, struct codebook_record *ret)
{
	struct reader in = reader_of(payload);
	struct codebook_record r = { .id = 0 };
	uint64_t len = 0;
	uint8_t class_len = 0;

	if (varint_get(&in, &r.id) < 0 || r.id == 0 ||
	    varint_get(&in, &r.version) < 0 || r.version == 0)
		return corrupt("codebook record: bad id or version");
	if (reader_u8(&in, &class_len) < 0 || class_len == 0 ||
	    class_len > CODEBOOK_CLASS_LEN_MAX ||
	    reader_bytes(&in, class_len, &r.class) < 0)
		return corrupt("codebook record: bad class");
	if (reader_le64(&in, &r.hash) < 0 ||
	    varint_get_max(&in, CODEBOOK_LEN_MAX, &len) < 0 ||
	    len < CODEBOOK_LEN_MIN)
		return corrupt("codebook record: bad length");
	r.len = (size_t)len;
	r.glyphs = span_of(in.pos, reader_left(&in));
	*ret = r;
	return 0;
}

int codebook_record_open(struct decoder *d, struct span payload,
			 struct codebook **ret)
{
	struct codebook_record r = { .id = 0 };
	struct codebook_head head = { .id = 0 };
	AUTO_FREE uint8_t *bytes = NULL;
	int rc = codebook_record_parse(payload, &r);

	if (rc < 0)
		return rc;
	assert(r.len > 0);
	bytes = malloc(r.len);
	if (!bytes)
		return -ENOMEM;
	rc = decode_frame(d, r.glyphs, NULL, bytes, r.len);
	if (rc == 0 && hash64(span_of(bytes, r.len), 0) != r.hash)
		rc = -EBADMSG;
	if (rc < 0)
		return rc;
	head.id = r.id;
	head.version = r.version;
	if (codebook_class_find(r.class, &head.class) < 0)
		head.class = CONTENT_BINARY;
	return codebook_new(&head, span_of(bytes, r.len), ret);
}

int codebook_file_put(struct encoder *e, const struct codebook_head *head,
		      struct span dictionary, struct buffer *out)
{
	static const char magic[] = CODEBOOK_FILE_MAGIC;
	size_t start;
	int rc = buffer_append(out, span_of(magic, sizeof(magic) - 1));

	if (rc == 0)
		rc = buffer_append_le32(out, 0);
	start = out->len;
	if (rc == 0)
		rc = codebook_record_put(e, head, dictionary, out);
	if (rc < 0)
		return rc;
	put_le32(out->data + start - 4, (uint32_t)(out->len - start));
	return buffer_append_le64(
		out, hash64(span_of(out->data + start, out->len - start), 0));
}

int codebook_file_payload(struct span file, struct span *ret)
{
	struct span payload;

	if (file.len < sizeof(CODEBOOK_FILE_MAGIC) - 1 ||
	    memcmp(file.ptr, CODEBOOK_FILE_MAGIC,
		   sizeof(CODEBOOK_FILE_MAGIC) - 1) != 0)
		return -EINVAL;
	if (file.len < CODEBOOK_FILE_HEAD_LEN + CODEBOOK_FILE_TAIL_LEN)
		return -EUCLEAN;
	payload = span_of(file.ptr + CODEBOOK_FILE_HEAD_LEN,
			  file.len - CODEBOOK_FILE_HEAD_LEN -
				  CODEBOOK_FILE_TAIL_LEN);
	if (get_le32(payload.ptr - 4) != payload.len)
		return -EUCLEAN;
	if (hash64(payload, 0) != get_le64(payload.ptr + payload.len))
		return -EBADMSG;
	*ret = payload;
	return 0;
}
