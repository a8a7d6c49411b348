/* SPDX-License-Identifier: MIT */
/*
 * tar_library.c - the addresses of libarchive's functions.
 */
#include "tar_library.h"

#include "base/bytes.h"
#include "base/report.h"

#include <dlfcn.h>

/* Of all of libarchive 3. */
#define LIBRARY_NAME "libarchive.so.13"

static const struct {
	const char *name;
	size_t at;
} functions[] = {
#define FUNCTION(name) { #name, offsetof(struct tar_library, name) },
	TAR_LIBRARY_FUNCTIONS(FUNCTION)
};

static int fail(void)
{
	const char *why = dlerror();

	report_error("libarchive is needed for this: %s", why ? why : "?");
	return -ENOENT;
}

int tar_library_open(struct tar_library *ret)
{
	void *library = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL);
	size_t i;

	*ret = (struct tar_library){ 0 };
	if (!library)
		return fail();
	for (i = 0; i < ARRAY_LEN(functions); i++) {
		void *address = dlsym(library, functions[i].name);

		if (!address)
			return fail();
		(void)memcpy((char *)ret + functions[i].at, &address,
			     sizeof(address));
	}
	return 0;
}

#ifdef __has_feature
# if __has_feature(address_sanitizer)
/* libarchive 3.6 loses the buffer of an archive that it could not write whole. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libarchive.so";
}
# endif
#endif
