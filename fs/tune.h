/* SPDX-License-Identifier: MIT */
/*
 * tune.h - how much the kernel reads ahead of, and holds back for, a mount;
 * how much memory the C library holds back for us.
 */
#ifndef FS_TUNE_H
#define FS_TUNE_H

#include <sys/types.h>

/* Before the first thread: few arenas, and large blocks go back to the system.
 * With an arena a thread, as is the default, a daemon of many threads keeps a
 * third more than it uses. */
void tune_memory(void);

/* Best effort: only root may. */
void tune_mount(dev_t dev);

#endif
