/* SPDX-License-Identifier: MIT */
/*
 * fault.h - calls of base/io.h and of SQLite's files that fail when told to.
 *
 * The program is linked with WRAP_FLAGS (tests/module.am), which puts
 * these functions between the rooms and base/io.c. Threads: any, except that
 * arming and counting wait for a quiet moment.
 */
#ifndef TESTS_LIB_FAULT_H
#define TESTS_LIB_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_call {
	CALL_OPEN,
	CALL_READ,
	CALL_WRITE,
	CALL_PREAD,
	CALL_PWRITE,
	CALL_FDATASYNC,
	CALL_FSYNC,
	CALL_FTRUNCATE,
	CALL_ALLOCATE,
	CALL_MKDIR,
	CALL_UNLINK,
	CALL_RENAME,
	CALL_DB_OPEN,
	CALL_DB_READ,
	CALL_DB_WRITE,
	CALL_DB_SYNC,
	CALL_DB_TRUNCATE,
	FAULT_CALLS
};

/* A set of calls. */
#define FAULT(call) (1u << (call))
#define FAULT_WRITES \
 (FAULT(CALL_WRITE) | FAULT(CALL_PWRITE) | FAULT(CALL_ALLOCATE))
#define FAULT_SYNCS (FAULT(CALL_FDATASYNC) | FAULT(CALL_FSYNC))
#define FAULT_NAMES \
 (FAULT(CALL_MKDIR) | FAULT(CALL_UNLINK) | FAULT(CALL_RENAME))
#define FAULT_IO (FAULT(CALL_DB_OPEN) - 1) /* all of base/io.h */

const char *fault_name(enum fault_call call);

/* Counts from 0 again; nothing fails. */
void fault_reset(void);

/* Calls of the kind since fault_reset(). */
uint64_t fault_count(enum fault_call call);

/*
 * The `nth` call of the set from now on (from 1) fails with `err` (negative);
 * with `for_good` all later ones of the set too. A write that fails writes half.
 */
void fault_arm(unsigned set, uint64_t nth, int err, bool for_good);

/* Nothing fails any more. Whether the armed call came. */
bool fault_disarm(void);

/* Whether the armed call came. */
bool fault_fired(void);

/* For the wrappers: counts a call; its negative errno, or 0. */
int fault_strike(enum fault_call call);

/* SQLite's files go through us from now on. Once, before any store opens. */
void fault_vfs_install(void);

/* Nothing waits for the disk: syncs do nothing. For speed; a tape still
 * records them. */
void fault_skip_syncs(bool skip);
bool fault_syncs_skipped(void);

#endif
