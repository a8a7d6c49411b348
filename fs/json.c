/* SPDX-License-Identifier: MIT */
/*
 * json.c - a JSON writer and a reader for what it wrote.
 *
 * Inside a text a quote always follows a backslash, so `"key":` occurs only
 * where a key is: the reader may simply search for it.
 */
#include "json.h"

#include "names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 64, NUMBER_MAX = 48, ESCAPED_LEN = 4 };

static const char bad_byte[] = "\\ufffd";

void json_init(struct json *j, size_t limit)
{
	*j = (struct json){ 0 };
	buffer_init(&j->out, limit);
}

void json_release(struct json *j)
{
	buffer_release(&j->out);
}

static void put(struct json *j, const char *bytes, size_t len)
{
	if (j->rc == 0)
		j->rc = buffer_append(&j->out, span_of(bytes, len));
}

static void put_str(struct json *j, const char *text)
{
	put(j, text, strlen(text));
}

/* Writes what stands at `s`; returns the bytes it took from there. */
static size_t put_char(struct json *j, const char *s)
{
	const unsigned char c = (unsigned char)*s;
	char escaped[NUMBER_MAX];
	size_t len;

	if (c >= 0x80) {
		len = names_utf8_len(s);
		if (len == 0)
			put_str(j, bad_byte);
		else
			put(j, s, len);
		return len == 0 ? 1 : len;
	}
	if (c < 0x20 || c == 0x7f) {
		(void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
		put_str(j, escaped);
		return 1;
	}
	if (c == '"' || c == '\\')
		put(j, "\\", 1);
	put(j, s, 1);
	return 1;
}

static void put_text(struct json *j, const char *text)
{
	put(j, "\"", 1);
	while (*text)
		text += put_char(j, text);
	put(j, "\"", 1);
}

static void put_key(struct json *j, const char *key)
{
	if (j->need_comma)
		put(j, ",", 1);
	j->need_comma = true;
	if (!key)
		return;
	put_text(j, key);
	put(j, ":", 1);
}

void json_open(struct json *j, const char *key, char bracket)
{
	put_key(j, key);
	put(j, &bracket, 1);
	j->need_comma = false;
}

void json_close(struct json *j, char bracket)
{
	put(j, &bracket, 1);
	j->need_comma = true;
}

void json_text(struct json *j, const char *key, const char *text)
{
	put_key(j, key);
	put_text(j, text);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char digits[NUMBER_MAX];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, value);
	put_key(j, key);
	put_str(j, digits);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	char digits[NUMBER_MAX];

	(void)snprintf(digits, sizeof(digits), "%" PRId64, value);
	put_key(j, key);
	put_str(j, digits);
}

void json_bool(struct json *j, const char *key, bool value)
{
	put_key(j, key);
	put_str(j, value ? "true" : "false");
}

void json_ratio(struct json *j, const char *key, uint64_t num, uint64_t den)
{
	char digits[NUMBER_MAX];

	(void)snprintf(digits, sizeof(digits), "%.3f",
		       den == 0 ? 0.0 : (double)num / (double)den);
	put_key(j, key);
	put_str(j, digits);
}

int json_end(struct json *j, const char **ret)
{
	if (j->rc == 0)
		j->rc = buffer_reserve(&j->out, 1);
	if (j->rc < 0)
		return j->rc;
	j->out.data[j->out.len] = '\0';
	*ret = (const char *)j->out.data;
	return 0;
}

/* ---- reading -------------------------------------------------------------- */

/* Where the value of `key` begins; NULL when there is no such key. */
static const char *value_of(const char *text, const char *key)
{
	char pattern[KEY_MAX];
	const char *at;

	(void)snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(text, pattern);
	return at ? at + strlen(pattern) : NULL;
}

int json_get_u64(const char *text, const char *key, uint64_t *ret)
{
	const char *at = value_of(text, key);
	char *end;
	uint64_t value;

	if (!at)
		return -ENOENT;
	if (*at < '0' || *at > '9')
		return -EUCLEAN;
	errno = 0;
	value = strtoull(at, &end, 10);
	if (errno != 0 || (*end != ',' && *end != '}'))
		return -EUCLEAN;
	*ret = value;
	return 0;
}

int json_get_bool(const char *text, const char *key, bool *ret)
{
	const char *at = value_of(text, key);

	if (!at)
		return -ENOENT;
	if (strncmp(at, "true", 4) == 0)
		*ret = true;
	else if (strncmp(at, "false", 5) == 0)
		*ret = false;
	else
		return -EUCLEAN;
	return 0;
}

/* The character that "\uXXXX" stands for: those that we escape have one byte,
 * and all others show as '?'. */
static int escaped_char(const char *hex)
{
	char digits[ESCAPED_LEN + 1] = { 0 };
	char *end;
	unsigned long c;

	memcpy(digits, hex, strnlen(hex, ESCAPED_LEN));
	c = strtoul(digits, &end, 16);
	if (end != digits + ESCAPED_LEN)
		return -EUCLEAN;
	return c < 0x80 ? (int)c : '?';
}

int json_get_text(const char *text, const char *key, char *buf, size_t cap)
{
	const char *at = value_of(text, key);
	size_t len = 0;
	int c;

	if (!at)
		return -ENOENT;
	if (*at++ != '"')
		return -EUCLEAN;
	while (*at != '"') {
		c = (unsigned char)*at++;
		if (c == '\\' && *at == 'u') {
			c = escaped_char(at + 1);
			at += c < 0 ? 0 : 1 + ESCAPED_LEN;
		} else if (c == '\\') {
			c = (unsigned char)*at++;
		}
		if (c <= 0 || len + 1 >= cap)
			return -EUCLEAN;
		buf[len++] = (char)c;
	}
	buf[len] = '\0';
	return 0;
}
