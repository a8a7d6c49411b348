/* SPDX-License-Identifier: MIT */
/*
 * tune.c - settings in /sys/class/bdi, and of malloc.
 *
 * The kernel trusts a FUSE daemon with 1 % of the dirty pages and reads 128 KiB
 * ahead. Both are far too little for one that encodes on all processors.
 */
#include "tune.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const struct {
	const char *name;
	const char *value;
} settings[] = {
	{ "read_ahead_kb", "1024" }, /* one request of the largest size */
	{ "strict_limit", "0" },
	{ "max_ratio", "100" },
};

enum {
	ARENAS = 2,
	LARGE_BLOCK = 192 << 10, /* bytes that are worth their own mapping */
};

void tune_memory(void)
{
	(void)mallopt(M_ARENA_MAX, ARENAS);
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	(void)mallopt(M_TRIM_THRESHOLD, 4 * LARGE_BLOCK);
}

static void set(dev_t dev, const char *name, const char *value)
{
	AUTO_CLOSE int fd = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/%s",
		       major(dev), minor(dev), name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		return; /* The kernel's defaults work, only slower. */
}

void tune_mount(dev_t dev)
{
	size_t i;

	if (dev == 0)
		return;
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		set(dev, settings[i].name, settings[i].value);
}
