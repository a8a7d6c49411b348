/* SPDX-License-Identifier: MIT */
/*
 * target.c - fuzzes src/store/superblock.c and segment headers and names.
 *
 * Input: a byte for the mode, then for
 *     0  the text of a superblock, as it is
 *     1  such a text without its last line: a right checksum is put behind it
 *     2  a segment's header: its checksum is made right
 *     3  the name of a file in log/
 */
#include "fuzz/fuzz.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/report.h"
#include "store/segment.h"
#include "store/superblock.h"

#include <stdio.h>
#include <stdlib.h>

enum mode { MODE_TEXT, MODE_BODY, MODE_SEGMENT, MODE_NAME, N_MODES };

enum { CHECKSUM_LINE_LEN = 27 };

static bool same(const struct superblock *a, const struct superblock *b)
{
	return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 &&
	       a->compat == b->compat && a->ro_compat == b->ro_compat &&
	       a->incompat == b->incompat && a->created == b->created &&
	       strcmp(a->label, b->label) == 0;
}

/* What parses can be written, and parses again to the same. */
static void check_text(struct span text)
{
	char again[SUPERBLOCK_LEN_MAX];
	struct superblock sb;
	struct superblock back;
	int rc = superblock_parse(text, &sb);

	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
	if (rc < 0)
		return;
	must(superblock_check_label(sb.label) == 0);
	must(superblock_parse(span_of(again, superblock_put(&sb, again)),
			      &back) == 0);
	must(same(&sb, &back));
}

static void check_body(struct span body)
{
	size_t cap = body.len + CHECKSUM_LINE_LEN + 1;
	char *text = malloc(cap);
	int n;

	must(text != NULL);
	if (body.len > 0)
		memcpy(text, body.ptr, body.len);
	n = snprintf(text + body.len, cap - body.len, "checksum: %016llx\n",
		     (unsigned long long)hash64(body, 0));
	must(n == CHECKSUM_LINE_LEN);
	check_text(span_of(text, body.len + (size_t)n));
	free(text);
}

static void check_segment(struct span bytes)
{
	uint8_t header[SEGMENT_HEADER_LEN];
	struct segment_header h;
	struct segment_header back;
	int rc = segment_header_get(bytes, &h);

	must(rc == 0 || rc == -EUCLEAN || rc == -EBADMSG || rc == -EOPNOTSUPP);
	if (bytes.len < sizeof(header))
		return;
	memcpy(header, bytes.ptr, sizeof(header));
	memcpy(header, SEGMENT_MAGIC, SEGMENT_MAGIC_LEN);
	put_le64(header + SEG_HASH_OFF,
		 hash64(span_of(header, SEG_HASH_OFF), 0));
	rc = segment_header_get(span_of(header, sizeof(header)), &h);
	must(rc == 0 || rc == -EOPNOTSUPP);
	if (rc < 0)
		return;
	segment_header_put(&h, header);
	must(segment_header_get(span_of(header, sizeof(header)), &back) == 0);
	must(memcmp(&h, &back, sizeof(h)) == 0);
}

static void check_name(struct span name)
{
	char *text = malloc(name.len + 1);
	char again[SEGMENT_NAME_LEN + 1];
	uint64_t number;

	must(text != NULL);
	if (name.len > 0)
		memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	number = segment_number(text);
	if (number != 0) {
		segment_name(number, again);
		must(strcmp(again, text) == 0);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest;

	report_silence(true);
	if (size == 0)
		return 0;
	rest = span_of(data + 1, size - 1);
	switch ((enum mode)(data[0] % N_MODES)) {
	case MODE_TEXT:
		check_text(rest);
		break;
	case MODE_BODY:
		check_body(rest);
		break;
	case MODE_SEGMENT:
		check_segment(rest);
		break;
	case MODE_NAME:
		check_name(rest);
		break;
	case N_MODES:
		break;
	}
	return 0;
}

static size_t put_text(const char *label, uint8_t *dst)
{
	struct superblock sb = {
		.uuid = { 0xca, 0xfe, 1, 2, 3 },
		.compat = 1,
		.ro_compat = UINT64_MAX,
		.created = 1700000000,
	};

	memcpy(sb.label, label, strlen(label) + 1);
	return superblock_put(&sb, (char *)dst);
}

static size_t put_segment(uint8_t *dst)
{
	const struct segment_header h = {
		.number = 7,
		.epoch = 3,
		.uuid = { 0xca, 0xfe, 1, 2, 3 },
		.secret = 0x5ec2e7,
		.first_seq = 1000,
		.previous_commit = 999,
	};

	segment_header_put(&h, dst);
	return SEGMENT_HEADER_LEN;
}

/* Seeds: texts without and with a label, whole and without the last line; a
 * segment's header; a name. */
int fuzz_seed(unsigned i, uint8_t *buf, size_t cap)
{
	static const char *const labels[] = { "", "my store: Größe 1" };
	size_t len;

	must(cap >= FUZZ_SEED_MAX);
	if (i < 2 * ARRAY_LEN(labels)) {
		buf[0] = (uint8_t)(i < ARRAY_LEN(labels) ? MODE_TEXT
							 : MODE_BODY);
		len = put_text(labels[i % ARRAY_LEN(labels)], buf + 1);
		if (buf[0] == MODE_BODY)
			len -= CHECKSUM_LINE_LEN;
	} else if (i == 2 * ARRAY_LEN(labels)) {
		buf[0] = MODE_SEGMENT;
		len = put_segment(buf + 1);
	} else if (i == 2 * ARRAY_LEN(labels) + 1) {
		char name[SEGMENT_NAME_LEN + 1];

		buf[0] = MODE_NAME;
		segment_name(1234567890, name);
		len = SEGMENT_NAME_LEN;
		memcpy(buf + 1, name, len);
	} else {
		return -1;
	}
	return (int)(len + 1);
}
