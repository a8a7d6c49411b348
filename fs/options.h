/* SPDX-License-Identifier: MIT */
/*
 * options.h - what `-o` means to a mount.
 *
 * Pure: parses text, mounts nothing. Errors: -EINVAL, with one line that names
 * the option.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "volume/volume.h"

enum { OPTIONS_TEXT_MAX = 512, OPTIONS_ERROR_MAX = 256 };

struct mount_options {
	struct volume_options volume;  /* volume.store.read_only is `ro` */
	bool remount;                  /* change a mount that there is */
	unsigned long flags;           /* of mount(2), as far as asked for */
	char passed[OPTIONS_TEXT_MAX]; /* others for libfuse: ",one,two" */
};

/* Nothing asked for. */
void options_init(struct mount_options *o);

/* Adds a comma separated list. Later ones win. `error` has room for
 * OPTIONS_ERROR_MAX bytes and is written on failure. */
int options_parse(struct mount_options *o, const char *list, char *error);

/* Whether the kernel checks permissions, by modes and access control lists. */
bool options_checked(const struct mount_options *o, bool is_root);

/* The list for libfuse, with room for 2 * OPTIONS_TEXT_MAX bytes. Root gets
 * devices and suid programs unless told otherwise; nobody else may. */
void options_for_kernel(const struct mount_options *o, bool is_root,
			char *ret_list);

/* "64M", "1g", "4096": bytes. -EINVAL: not a size. */
int options_parse_size(const char *text, uint64_t *ret);

#endif
