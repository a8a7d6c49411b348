/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes CODEBOOK records, exported files, and what is decoded with
 * a hostile codebook.
 *
 * Input: a byte for the mode, then for mode % 4
 *     0: a record's payload, opened, and used both ways
 *     1: an exported file
 *     2: three bytes, raw length; the rest is a tree to decode with a good
 *        codebook
 *     3: a dictionary, used both ways
 */
#include "fuzz/codec.h"
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "codec/train.h"
#include "lib/books.h"
#include "lib/records.h"
#include "stream/codebook_record.h"

enum {
	HEAD_LEN = 4,
	RAW_MASK = 0x3ffff,
	SAMPLE_LEN = 3000,
	BOOK_ID = 5,
};

static struct codebook *good;
static struct buffer payload;
static uint8_t sample[SAMPLE_LEN];

static int find(void *ctx, uint64_t id, const struct codebook **ret)
{
	if (id != BOOK_ID)
		return -EUCLEAN;
	*ret = ctx;
	return 0;
}

/* A codebook like any other, and its payload. */
static void learn(void)
{
	static uint8_t dictionary[TRAIN_DICTIONARY_MAX];
	const struct codebook_head head = { BOOK_ID, 1, CONTENT_TEXT };
	struct span bytes = span_of(dictionary, books_train(1, dictionary));

	must(codebook_new(&head, bytes, &good) == 0);
	must(codebook_record_put(fuzz_codec()->encoder, &head, bytes,
				 &payload) == 0);
}

static void set_up(void)
{
	if (good)
		return;
	buffer_init(&payload, CODEBOOK_FILE_MAX);
	records_fill(1, 1000, sample, SAMPLE_LEN);
	learn();
}

/* What a codebook encodes it decodes, whatever it is. */
static void use(struct codebook *b)
{
	const struct decode_source source = { b, NULL, find };
	const struct encode_book with = { 4, b };
	uint8_t glyph[SAMPLE_LEN + 64];
	uint8_t out[SAMPLE_LEN];
	ssize_t n = encode_codebook(fuzz_codec()->encoder, &with,
				    span_of(sample, SAMPLE_LEN), glyph,
				    sizeof(glyph));
	int rc;

	if (n <= 0 || codebook_head(b)->id != BOOK_ID)
		return;
	rc = decode_frame(fuzz_codec()->decoder, span_of(glyph, (size_t)n),
			  &source, out, SAMPLE_LEN);
	must(rc == 0 && memcmp(out, sample, SAMPLE_LEN) == 0);
}

static void check_payload(struct span bytes)
{
	struct codebook *b = NULL;
	int rc = codebook_record_open(fuzz_codec()->decoder, bytes, &b);

	must(rc == 0 || rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP ||
	     rc == -ENOMEM);
	if (rc == 0)
		use(b);
	codebook_put(b);
}

static void check_file(struct span bytes)
{
	struct span inside;

	if (codebook_file_payload(bytes, &inside) == 0)
		check_payload(inside);
}

static void check_dictionary(struct span bytes)
{
	const struct codebook_head head = { BOOK_ID, 1, CONTENT_TEXT };
	struct codebook *b = NULL;
	int rc = codebook_new(&head, bytes, &b);

	must(rc == 0 || rc == -EUCLEAN || rc == -ENOMEM);
	if (rc == 0)
		use(b);
	codebook_put(b);
}

static void check_tree(struct span glyphs, size_t raw_len)
{
	const struct decode_source source = { good, NULL, find };
	uint8_t *out = fuzz_decode(glyphs, &source, raw_len);
	uint64_t id = 0;

	/* Who decodes it finds what the walk finds. */
	if (out)
		must(decode_find_codebook(glyphs, &id) == 0 &&
		     (id == 0 || id == BOOK_ID));
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	set_up();
	if (size <= HEAD_LEN)
		return 0;
	switch (data[0] % 4) {
	case 0:
		check_payload(span_of(data + 1, size - 1));
		break;
	case 1:
		check_file(span_of(data + 1, size - 1));
		break;
	case 2:
		check_tree(span_of(data + HEAD_LEN, size - HEAD_LEN),
			   get_le32(data) >> 8 & RAW_MASK);
		break;
	default:
		check_dictionary(span_of(data + 1, size - 1));
		break;
	}
	return 0;
}

static int put_tree(uint8_t *buf, size_t cap)
{
	const struct encode_book with = { 4, good };
	ssize_t n = encode_codebook(fuzz_codec()->encoder, &with,
				    span_of(sample, SAMPLE_LEN), buf + HEAD_LEN,
				    cap - HEAD_LEN);

	must(n > 0);
	put_le32(buf, (uint32_t)SAMPLE_LEN << 8 | 2);
	return (int)(HEAD_LEN + n);
}

/* Seeds: a payload, a file, a tree, a dictionary. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	struct buffer file;

	set_up();
	must(cap >= FUZZ_SEED_MAX && payload.len + 1 < cap);
	if (i == 0) {
		buf[0] = 0;
		memcpy(buf + 1, payload.data, payload.len);
		return (int)(1 + payload.len);
	}
	if (i == 1) {
		buf[0] = 1;
		buffer_init(&file, CODEBOOK_FILE_MAX);
		must(codebook_file_put(fuzz_codec()->encoder,
				       codebook_head(good),
				       codebook_bytes(good), &file) == 0);
		must(1 + file.len < cap);
		memcpy(buf + 1, file.data, file.len);
		i = (unsigned)file.len;
		buffer_release(&file);
		return (int)(1 + i);
	}
	if (i == 2)
		return put_tree(buf, cap);
	if (i > 3)
		return -1;
	buf[0] = 3;
	memcpy(buf + 1, codebook_bytes(good).ptr, codebook_bytes(good).len);
	return (int)(1 + codebook_bytes(good).len);
}
