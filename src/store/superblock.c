/* SPDX-License-Identifier: MIT */
/*
 * superblock.c - writes and parses the superblock's lines.
 *
 * The checksum is looked at before anything else means something.
 */
#include "store/superblock.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>

#define FIRST_LINE   "sigmafs store\n"
#define CHECKSUM_KEY "checksum: "

enum { CHECKSUM_LINE_LEN = 10 + 16 + 1 };

/* The keys, in the order of the file. */
enum key {
	KEY_VERSION,
	KEY_UUID,
	KEY_COMPAT,
	KEY_RO_COMPAT,
	KEY_INCOMPAT,
	KEY_LABEL,
	KEY_CREATED,
	N_KEYS
};

static const char *const key_names[N_KEYS] = {
	"version", "uuid", "compat", "ro-compat", "incompat", "label", "created"
};

static bool label_char_ok(char c)
{
	return (unsigned char)c >= 0x20 && c != 0x7f;
}

int superblock_check_label(const char *label)
{
	size_t i;

	for (i = 0; label[i] != '\0'; i++) {
		if (i == SUPERBLOCK_LABEL_MAX || !label_char_ok(label[i]))
			return -EINVAL;
	}
	return 0;
}

static void uuid_text(const uint8_t *uuid, char ret[37])
{
	size_t at = 0;
	size_t i;

	for (i = 0; i < SUPERBLOCK_UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		(void)snprintf(ret + at, 3, "%02x", uuid[i]);
		at += 2;
	}
}

size_t superblock_put(const struct superblock *sb, char *dst)
{
	char uuid[37];
	size_t len;
	int n;

	uuid_text(sb->uuid, uuid);
	n = snprintf(dst, SUPERBLOCK_LEN_MAX,
		     FIRST_LINE "version: %d\nuuid: %s\ncompat: %llx\n"
				"ro-compat: %llx\nincompat: %llx\n",
		     SUPERBLOCK_VERSION, uuid, (unsigned long long)sb->compat,
		     (unsigned long long)sb->ro_compat,
		     (unsigned long long)sb->incompat);
	len = (size_t)n;
	if (sb->label[0] != '\0') {
		n = snprintf(dst + len, SUPERBLOCK_LEN_MAX - len, "label: %s\n",
			     sb->label);
		len += (size_t)n;
	}
	n = snprintf(dst + len, SUPERBLOCK_LEN_MAX - len, "created: %lld\n",
		     (long long)sb->created);
	len += (size_t)n;
	n = snprintf(dst + len, SUPERBLOCK_LEN_MAX - len,
		     CHECKSUM_KEY "%016llx\n",
		     (unsigned long long)hash64(span_of(dst, len), 0));
	return len + (size_t)n;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int parse_hex(struct span text, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (text.len < 1 || text.len > 16)
		return -EUCLEAN;
	for (i = 0; i < text.len; i++) {
		int digit = hex_digit(text.ptr[i]);

		if (digit < 0)
			return -EUCLEAN;
		v = v << 4 | (uint64_t)digit;
	}
	*ret = v;
	return 0;
}

static int parse_decimal(struct span text, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	if (text.len < 1 || text.len > 18)
		return -EUCLEAN;
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return -EUCLEAN;
		v = v * 10 + (uint64_t)(text.ptr[i] - '0');
	}
	*ret = v;
	return 0;
}

static int parse_uuid(struct span text, uint8_t *ret)
{
	char again[37];
	uint8_t uuid[SUPERBLOCK_UUID_LEN] = { 0 };
	size_t n = 0;
	size_t i;

	if (text.len != sizeof(again) - 1)
		return -EUCLEAN;
	for (i = 0; i < text.len; i++) {
		int digit = hex_digit(text.ptr[i]);

		if (digit < 0)
			continue;
		if (n == sizeof(uuid) * 2)
			return -EUCLEAN;
		uuid[n / 2] = (uint8_t)(uuid[n / 2] << 4 | digit);
		n++;
	}
	/* The hyphens are where they belong when it prints the same. */
	uuid_text(uuid, again);
	if (memcmp(again, text.ptr, text.len) != 0)
		return -EUCLEAN;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

static int parse_label(struct span text, char *ret)
{
	size_t i;

	if (text.len < 1 || text.len > SUPERBLOCK_LABEL_MAX)
		return -EUCLEAN;
	for (i = 0; i < text.len; i++) {
		if (!label_char_ok((char)text.ptr[i]))
			return -EUCLEAN;
	}
	memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
	return 0;
}

static int parse_version(struct span text)
{
	uint64_t version;
	int rc = parse_decimal(text, &version);

	if (rc < 0 || version < 1)
		return -EUCLEAN;
	return version > SUPERBLOCK_VERSION ? -EOPNOTSUPP : 0;
}

static int parse_value(enum key key, struct span text, struct superblock *sb)
{
	uint64_t v;
	int rc;

	switch (key) {
	case KEY_VERSION:
		return parse_version(text);
	case KEY_UUID:
		return parse_uuid(text, sb->uuid);
	case KEY_COMPAT:
		return parse_hex(text, &sb->compat);
	case KEY_RO_COMPAT:
		return parse_hex(text, &sb->ro_compat);
	case KEY_INCOMPAT:
		return parse_hex(text, &sb->incompat);
	case KEY_LABEL:
		return parse_label(text, sb->label);
	case KEY_CREATED:
		rc = parse_decimal(text, &v);
		sb->created = rc < 0 ? 0 : (int64_t)v;
		return rc;
	case N_KEYS:
		break;
	}
	return -EUCLEAN;
}

/* N_KEYS: an unknown one. */
static enum key key_of(struct span name)
{
	unsigned i;

	for (i = 0; i < N_KEYS; i++) {
		if (strlen(key_names[i]) == name.len &&
		    memcmp(key_names[i], name.ptr, name.len) == 0)
			break;
	}
	return (enum key)i;
}

/* One line, without its LF. `*next`: the first key that may still come. */
static int parse_line(struct span line, unsigned *next, struct superblock *sb)
{
	const uint8_t *colon = memchr(line.ptr, ':', line.len);
	size_t name_len;
	enum key key;

	if (!colon)
		return -EUCLEAN;
	name_len = (size_t)(colon - line.ptr);
	if (name_len == 0 || name_len + 2 > line.len || colon[1] != ' ')
		return -EUCLEAN;
	key = key_of(span_of(line.ptr, name_len));
	if (key == N_KEYS)
		return 0;
	/* The label alone may be left out. */
	if (key != *next && !(*next == KEY_LABEL && key == KEY_CREATED))
		return -EUCLEAN;
	*next = key + 1U;
	return parse_value(key, span_of(colon + 2, line.len - name_len - 2),
			   sb);
}

static int verify(struct span text, struct span *ret_body)
{
	struct span line;
	uint64_t sum;

	if (text.len < sizeof(FIRST_LINE) - 1 + CHECKSUM_LINE_LEN ||
	    text.len > SUPERBLOCK_LEN_MAX ||
	    memcmp(text.ptr, FIRST_LINE, sizeof(FIRST_LINE) - 1) != 0)
		return -EUCLEAN;
	line = span_of(text.ptr + text.len - CHECKSUM_LINE_LEN,
		       CHECKSUM_LINE_LEN);
	if (memcmp(line.ptr, CHECKSUM_KEY, sizeof(CHECKSUM_KEY) - 1) != 0 ||
	    line.ptr[line.len - 1] != '\n' ||
	    parse_hex(span_of(line.ptr + sizeof(CHECKSUM_KEY) - 1, 16), &sum) <
		    0)
		return -EUCLEAN;
	*ret_body = span_of(text.ptr, text.len - CHECKSUM_LINE_LEN);
	return hash64(*ret_body, 0) == sum ? 0 : -EUCLEAN;
}

static int parse_body(struct span body, struct superblock *sb)
{
	const uint8_t *pos = body.ptr + sizeof(FIRST_LINE) - 1;
	const uint8_t *end = body.ptr + body.len;
	unsigned next = 0;
	int rc;

	while (pos < end) {
		const uint8_t *lf = memchr(pos, '\n', (size_t)(end - pos));

		if (!lf)
			return -EUCLEAN;
		rc = parse_line(span_of(pos, (size_t)(lf - pos)), &next, sb);
		if (rc < 0)
			return rc;
		pos = lf + 1;
	}
	return next == N_KEYS ? 0 : -EUCLEAN;
}

int superblock_parse(struct span text, struct superblock *ret)
{
	struct superblock sb = { .created = 0 };
	struct span body;
	int rc = verify(text, &body);

	if (rc == 0)
		rc = parse_body(body, &sb);
	if (rc == -EUCLEAN)
		return -EUCLEAN; /* whoever opens the store says so */
	if (rc == 0)
		*ret = sb;
	return rc;
}

int superblock_read(int dir_fd, struct superblock *ret)
{
	uint8_t text[SUPERBLOCK_LEN_MAX + 1];
	AUTO_CLOSE int fd = io_open(dir_fd, SUPERBLOCK_NAME, O_RDONLY, 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = io_pread(fd, text, sizeof(text), 0);
	return n < 0 ? (int)n : superblock_parse(span_of(text, (size_t)n), ret);
}

int superblock_write(int dir_fd, const struct superblock *sb)
{
	char text[SUPERBLOCK_LEN_MAX];
	size_t len = superblock_put(sb, text);
	AUTO_CLOSE int fd = io_open(dir_fd, SUPERBLOCK_NEW_NAME,
				    O_WRONLY | O_CREAT | O_EXCL, 0600);
	int rc;

	if (fd < 0)
		return fd;
	rc = io_pwrite(fd, text, len, 0);
	if (rc == 0)
		rc = io_fsync(fd);
	if (rc == 0)
		rc = io_rename(dir_fd, SUPERBLOCK_NEW_NAME, SUPERBLOCK_NAME);
	if (rc < 0)
		(void)io_unlink(dir_fd, SUPERBLOCK_NEW_NAME);
	return rc;
}
