/* SPDX-License-Identifier: MIT */
/* families.c - the table of the suite. */
#include "families.h"

#include <stddef.h>

const struct tap_family families[] = {
	{ "path", path_cases },
	{ "name", name_cases },
	{ "dir", dir_cases },
	{ "link", link_cases },
	{ "symlink", symlink_cases },
	{ "rename", rename_cases },
	{ NULL, NULL },
};
