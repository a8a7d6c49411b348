/* SPDX-License-Identifier: MIT */
/* policy.c - words and bits of a policy. */
#include "codec/policy.h"

#include <stdio.h>

/* In the 64 bits; each field holds 0 for "not said". */
enum {
	EFFORT_SHIFT = 0, /* 4 bits: effort + 1 */
	DELTA_SHIFT = 4,  /* 2 bits: enum policy_switch */
	LEVEL_SHIFT = 6,  /* 5 bits */
	EFFORT_MASK = 0xf,
	DELTA_MASK = 0x3,
	LEVEL_MASK = 0x1f,
};

static const char *const switches[] = {
	[POLICY_DEFAULT] = NULL,
	[POLICY_ON] = "on",
	[POLICY_OFF] = "off",
};

static bool is(struct span word, const char *text)
{
	return text && word.len == strlen(text) &&
	       memcmp(word.ptr, text, word.len) == 0;
}

/* The index of the word in a list, or -1. */
static int find(const char *const *list, size_t n, struct span word)
{
	for (size_t i = 0; i < n; i++)
		if (is(word, list[i]))
			return (int)i;
	return -1;
}

static int parse_effort(struct span value, struct policy *p)
{
	if (p->has_effort)
		return -EINVAL;
	p->has_effort = true;
	return encode_effort_parse(value, &p->effort);
}

static int parse_delta(struct span value, struct policy *p)
{
	int i = find(switches, ARRAY_LEN(switches), value);

	if (i < 0 || p->delta != POLICY_DEFAULT)
		return -EINVAL;
	p->delta = (enum policy_switch)i;
	return 0;
}

static int parse_level(struct span value, struct policy *p)
{
	unsigned level = 0;

	if (value.len == 0 || value.len > 2 || value.ptr[0] == '0' ||
	    p->level != 0)
		return -EINVAL;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return -EINVAL;
		level = 10 * level + (unsigned)(value.ptr[i] - '0');
	}
	if (level > POLICY_LEVEL_MAX)
		return -EINVAL;
	p->level = level;
	return 0;
}

static const struct key {
	const char *name;
	int (*parse)(struct span value, struct policy *p);
} keys[] = {
	{ "effort", parse_effort },
	{ "level", parse_level },
	{ "delta", parse_delta },
};

/* The bytes before the first `mark`, taken off `text` together with it. */
static struct span cut_at(struct span *text, char mark)
{
	const uint8_t *end =
		text->len ? memchr(text->ptr, mark, text->len) : NULL;
	size_t len = end ? (size_t)(end - text->ptr) : text->len;
	struct span head = span_of(text->ptr, len);
	size_t used = len + (end != NULL);

	*text = span_of(text->ptr + used, text->len - used);
	return head;
}

static int parse_word(struct span word, struct policy *p)
{
	struct span name = cut_at(&word, '=');

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (is(name, keys[i].name))
			return keys[i].parse(word, p);
	return -EINVAL;
}

int policy_parse(struct span text, struct policy *ret)
{
	struct policy p = { 0 };

	if (text.len == 0 || text.ptr[text.len - 1] == ',')
		return -EINVAL;
	while (text.len > 0) {
		int rc = parse_word(cut_at(&text, ','), &p);

		if (rc)
			return rc;
	}
	*ret = p;
	return 0;
}

size_t policy_print(const struct policy *p, char *dst)
{
	char text[POLICY_TEXT_MAX] = "";
	size_t len = 0;

	if (p->has_effort)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					",effort=%s",
					encode_effort_name(p->effort));
	if (p->level)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					",level=%u", p->level);
	if (p->delta != POLICY_DEFAULT)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					",delta=%s", switches[p->delta]);
	if (len == 0)
		return 0;
	memcpy(dst, text + 1, len - 1);
	return len - 1;
}

uint64_t policy_pack(const struct policy *p)
{
	uint64_t effort = p->has_effort ? (uint64_t)p->effort + 1 : 0;

	return effort << EFFORT_SHIFT | (uint64_t)p->delta << DELTA_SHIFT |
	       (uint64_t)p->level << LEVEL_SHIFT;
}

void policy_unpack(uint64_t bits, struct policy *ret)
{
	uint64_t effort = bits >> EFFORT_SHIFT & EFFORT_MASK;
	uint64_t delta = bits >> DELTA_SHIFT & DELTA_MASK;
	uint64_t level = bits >> LEVEL_SHIFT & LEVEL_MASK;

	*ret = (struct policy){ 0 };
	if (effort > 0 && effort <= ENCODE_N_EFFORTS) {
		ret->has_effort = true;
		ret->effort = (enum encode_effort)(effort - 1);
	}
	if (delta < ARRAY_LEN(switches))
		ret->delta = (enum policy_switch)delta;
	if (level <= POLICY_LEVEL_MAX)
		ret->level = (unsigned)level;
}
