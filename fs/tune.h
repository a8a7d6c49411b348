/* SPDX-License-Identifier: MIT */
/*
 * tune.h - how much the kernel reads ahead of, and holds back for, a mount.
 */
#ifndef FS_TUNE_H
#define FS_TUNE_H

#include <sys/types.h>

/* Best effort: only root may. */
void tune_mount(dev_t dev);

#endif
