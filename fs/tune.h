/* SPDX-License-Identifier: MIT */
/*
 * tune.h - how much the kernel reads ahead of, and holds back for, a mount;
 * how much memory the C library holds back for us.
 */
#ifndef FS_TUNE_H
#define FS_TUNE_H

#include <sys/types.h>

/* Before the first thread: few arenas, and blocks go back to the system. After
 * copying /usr/lib, with fio and reading it all, the daemon stood at 300 MiB
 * with one arena a thread and at 201 so. */
void tune_memory(void);

/* Best effort: only root may. */
void tune_mount(dev_t dev);

#endif
