/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - a volume in a directory of its own, and short words for what the
 * tests do with it. What should not fail ends the test when it does.
 */
#ifndef TESTS_UNIT_VOLUME_FIXTURE_H
#define TESTS_UNIT_VOLUME_FIXTURE_H

#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "volume/volume.h"

#include <sys/stat.h>

struct fixture {
	struct tmpdir dir;
	char path[300]; /* of the store */
	struct volume *v;
	unsigned n_inodes; /* option of volume_open() */
};

/* A new volume, open. */
void fixture_init(struct fixture *f);

/* A new volume, not open. */
void fixture_init_closed(struct fixture *f);

/* Checks, reopens, checks, closes, removes. */
void fixture_release(struct fixture *f);

/* Closes and removes. */
void fixture_drop(struct fixture *f);

void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_reopen(struct fixture *f);

/* Runs `work` in another process, which then dies without closing the volume,
 * with everything (sync) or perhaps not all in the log; opens the volume. */
void fixture_crash(struct fixture *f, void (*work)(struct fixture *f),
		   bool sync);

/* What volume_check() finds. The volume is open. `text` (may be NULL) gets the
 * findings, one per line. */
uint64_t fixture_findings(struct fixture *f, char *text, size_t cap);

/* Damages the index of the open volume. */
void fixture_sql(struct fixture *f, const char *sql);

/* ---- words ---------------------------------------------------------------- */

struct span name_of(const char *text);
struct volume_place at(uint64_t parent, const char *name);

/* Makes what `mode` says; returns its number, without a lookup count. */
uint64_t make(struct fixture *f, uint64_t parent, const char *name,
	      uint32_t mode);
uint64_t make_file(struct fixture *f, uint64_t parent, const char *name);
uint64_t make_dir(struct fixture *f, uint64_t parent, const char *name);
uint64_t make_symlink(struct fixture *f, uint64_t parent, const char *name,
		      const char *target);

/* What a call gives: 0 or -errno. No lookup count stays. */
int try_make(struct fixture *f, uint64_t parent, const char *name,
	     uint32_t mode);
int try_link(struct fixture *f, uint64_t ino, uint64_t parent,
	     const char *name);
int try_unlink(struct fixture *f, uint64_t parent, const char *name);
int try_rmdir(struct fixture *f, uint64_t parent, const char *name);
int try_rename(struct fixture *f, struct volume_place from,
	       struct volume_place to, unsigned flags);
int try_lookup(struct fixture *f, uint64_t parent, const char *name);

/* The inode of a name, or 0. */
uint64_t ino_of(struct fixture *f, uint64_t parent, const char *name);

struct volume_attr attr_of(struct fixture *f, uint64_t ino);
uint32_t links_of(struct fixture *f, uint64_t ino);

/* Waits until the clock that stamps times has moved. */
void tick_clock(void);

/* Whether a is after b. */
bool is_after(struct volume_time a, struct volume_time b);
bool is_same(struct volume_time a, struct volume_time b);

#endif
