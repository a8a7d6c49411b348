/* SPDX-License-Identifier: MIT */
/*
 * check.h - verifies a volume: names, links, sizes, maps, then its store.
 */
#ifndef VOLUME_CHECK_H
#define VOLUME_CHECK_H

#include "store/check.h"

struct volume;

/*
 * Walks all tables and compares them with each other: every name has an inode
 * and every inode its names; links, types, parents, orphans; maps against
 * sizes; attributes; totals. Then store_check() with the references that the
 * maps hold. Findings are told; returns -errno only when it could not go on.
 * Takes some 80 bytes of memory for each inode and 32 for each chunk. Nothing
 * may change the volume meanwhile.
 */
int volume_check(struct volume *v, struct check_report *report);

#endif
