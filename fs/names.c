/* SPDX-License-Identifier: MIT */
/*
 * names.c - what of a name is a character, and what must not reach a terminal.
 */
#include "names.h"

#include <string.h>

size_t names_utf8_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len = u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	size_t i;

	if (u[0] > 0xf4 || len == 0)
		return 0;
	for (i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than needed, a surrogate, or beyond U+10FFFF. */
	if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
	    (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
		return 0;
	return len;
}

void names_put_hex(char *dst, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	size_t i;

	*dst = '\0';
	for (i = 0; i < n; i++)
		(void)snprintf(dst + 2 * i, 3, "%02x", from[i]);
}

bool names_are_utf8(const char *name)
{
	while (*name) {
		size_t len =
			(unsigned char)*name < 0x80 ? 1 : names_utf8_len(name);

		if (len == 0)
			return false;
		name += len;
	}
	return true;
}

/* How many bytes at `s` may be shown as they are. U+0080 to U+009F are control
 * characters, too. */
static size_t harmless_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;
	size_t len;

	if (u[0] < 0x80)
		return u[0] >= 0x20 && u[0] != 0x7f && u[0] != '\\';
	len = names_utf8_len(s);
	return len == 2 && u[0] == 0xc2 && u[1] < 0xa0 ? 0 : len;
}

static void print_escaped(FILE *to, char c)
{
	static const char letters[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
	size_t i;

	for (i = 0; letters[i]; i += 2) {
		if (letters[i + 1] == c) {
			(void)fprintf(to, "\\%c", letters[i]);
			return;
		}
	}
	(void)fprintf(to, "\\%03o", (unsigned)(unsigned char)c);
}

void names_print(FILE *to, const char *name, bool escape)
{
	if (!escape) {
		(void)fputs(name, to);
		return;
	}
	while (*name) {
		size_t len = harmless_len(name);

		if (len == 0)
			print_escaped(to, *name);
		else
			(void)fwrite(name, 1, len, to);
		name += len == 0 ? 1 : len;
	}
}
