/* SPDX-License-Identifier: MIT */
/*
 * tar_name.c - names as archives write them.
 */
#include "tar.h"

#include "volume/volume.h"

int tar_clean_name(const char *name, char *ret)
{
	char *to = ret;

	for (;;) {
		size_t len;

		name += strspn(name, "/");
		len = strcspn(name, "/");
		if (len == 0)
			break;
		if (len == 2 && memcmp(name, "..", 2) == 0)
			return -EXDEV;
		if (len > VOLUME_NAME_MAX)
			return -ENAMETOOLONG;
		if (len > 1 || *name != '.') {
			if (to > ret)
				*to++ = '/';
			(void)memcpy(to, name, len);
			to += len;
		}
		name += len;
	}
	*to = '\0';
	return 0;
}

/* -1: no hexadecimal digit. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void tar_decode_xattr(char *name)
{
	char *to = name;

	while (*name) {
		int high = *name == '%' ? digit_of(name[1]) : -1;
		int low = high >= 0 ? digit_of(name[2]) : -1;

		/* A NUL would end the name. */
		if (low >= 0 && high + low > 0) {
			*to++ = (char)(high << 4 | low);
			name += 3;
		} else {
			*to++ = *name++;
		}
	}
	*to = '\0';
}
