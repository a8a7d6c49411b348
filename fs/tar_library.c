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

static int fail(struct tar_library *l)
{
	const char *why = dlerror();

	report_error("libarchive is needed for this: %s", why ? why : "?");
	tar_library_close(l);
	return -ENOENT;
}

int tar_library_open(struct tar_library *ret)
{
	size_t i;

	*ret = (struct tar_library){ .handle = dlopen(LIBRARY_NAME,
						      RTLD_NOW | RTLD_LOCAL) };
	if (!ret->handle)
		return fail(ret);
	for (i = 0; i < ARRAY_LEN(functions); i++) {
		void *address = dlsym(ret->handle, functions[i].name);

		if (!address)
			return fail(ret);
		(void)memcpy((char *)ret + functions[i].at, &address,
			     sizeof(address));
	}
	return 0;
}

void tar_library_close(struct tar_library *l)
{
	if (l->handle)
		(void)dlclose(l->handle);
	l->handle = NULL;
}
