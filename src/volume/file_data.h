/* SPDX-License-Identifier: MIT */
/*
 * file_data.h - a regular file's data in memory: dirty, in flight, leaves.
 *
 * Everything here is guarded by the lock of the inode that owns it, except
 * where another is named. Bytes go from `dirty` into a parcel, where they are
 * `in flight` until the parcel is mapped. The newest bytes of a range are in
 * `dirty`, older ones in flight, the oldest in the extents.
 */
#ifndef VOLUME_FILE_DATA_H
#define VOLUME_FILE_DATA_H

#include "stream/chunker.h"
#include "volume/filemap.h"
#include "volume/spans.h"

struct parcel;

/* Bytes in a parcel that is on its way into the log. */
struct flight {
	uint64_t off;
	size_t len;
	const uint8_t *bytes; /* in parcel->raw */
	const struct parcel *parcel;
	uint64_t serial; /* grows from 1 for each inode; flights_add() */
};

/* How far the chunk that begins at `off` has been looked at. */
struct chunk_scan {
	uint64_t off;
	uint64_t len; /* of dirty bytes, none of them changed since */
	bool ended;   /* they are the chunk */
	struct chunker chunker;
};

/* When all flights up to `serial` have landed, all data below `size` (0: no
 * goal) is mapped, though maybe dirty again. */
struct size_goal {
	uint64_t size;
	uint64_t serial;
};

/* One thread's walk through what is dirty: see file_data_begin_pass(). */
struct flush_pass {
	uint64_t stamp; /* of spans: what came later is not taken */
	uint64_t size;  /* the file's at the beginning, or what it was cut to */
	struct flush_pass *next;
};

struct file_data {
	struct sync_mutex take_lock; /* TAKER: one thread fills parcels */
	struct spans dirty;
	struct chunk_scan scan;
	struct flight *flights; /* sorted by offset, disjoint; owned */
	size_t n_flights;
	size_t cap_flights;
	uint64_t last_serial;     /* of the newest flight */
	struct sync_cond settled; /* flights became fewer */

	/* One that is not reached yet stays, or none ever would be; what is
	 * wanted meanwhile is the next one. */
	struct size_goal goal, next_goal;
	struct flush_pass *passes; /* those that have begun */

	/* Sorted by offset, a reference each; owned. What they tell is true;
	 * their ranges may overlap. */
	struct leaf **leaves;
	size_t n_leaves;
	size_t cap_leaves;

	uint64_t hot_end;   /* where the newest write ended */
	uint64_t read_end;  /* where the newest read ended */
	uint64_t run_from;  /* where it began to read in sequence */
	uint64_t ahead_end; /* up to where frames were prefetched */
	int error;          /* a write was lost; told to the next fsync */

	uint64_t dirty_since_ns; /* clock_mono_ns() of the oldest dirty byte */
	bool listed;             /* GUARDED_BY(DIRTY) */
	struct inode *older, *newer; /* GUARDED_BY(DIRTY) */
};

/* The inode's data, made when there is none. -ENOMEM. Its lock is held. */
int file_data_of(struct inode *inode, struct file_data **ret);

/* Forgets the leaves that tell of [from, to). NULL is fine. */
void file_data_drop_leaves(struct file_data *d, uint64_t from, uint64_t to);

/* The leaf in memory that covers `file_off`, with a reference, or NULL. */
struct leaf *file_data_leaf(const struct file_data *d, uint64_t file_off);

/* Keeps `leaf` (takes its own reference), if there is memory and room for it.
 * file_data_leaves_kept() has to follow. */
void file_data_keep_leaf(struct volume *v, struct inode *inode,
			 struct leaf *leaf);

/* After leaves were kept, no lock held: if there are too many of them, those that
 * came first are given up. */
void file_data_leaves_kept(struct volume *v);

/* Index of the first flight that ends after `off`; n_flights for none. */
size_t flights_search(const struct file_data *d, uint64_t off);

/* Gives `f` its serial. -ENOMEM. */
int flights_add(struct file_data *d, const struct flight *f);

/* Forgets the flight that begins at `off` in `parcel`. */
void flights_del(struct file_data *d, const struct parcel *parcel,
		 uint64_t off);

/* Whether a flight up to `serial` overlaps [from, to). */
bool flights_overlap(const struct file_data *d, uint64_t from, uint64_t to,
		     uint64_t serial);

struct dirty_run {
	uint64_t off;
	uint64_t end;
};

/* The first run of dirty bytes at or after `from`, no younger than `stamp`, that
 * is not in flight. */
bool file_data_next_run(const struct file_data *d, uint64_t from,
			uint64_t stamp, struct dirty_run *ret);

/*
 * A pass takes off what is dirty when it begins, once, from the beginning of the
 * file to its end: so it ends, however much is written meanwhile. `pass` has to
 * stay where it is until it has ended. With `taken` it went through: each byte
 * that was dirty when it began is mapped, or is, or was, in flight.
 */
void file_data_begin_pass(struct inode *inode, struct flush_pass *pass);
void file_data_end_pass(struct inode *inode, struct flush_pass *pass,
			bool taken);

/* Whether file_data_advance() would reach the goal. */
bool file_data_goal_reached(const struct file_data *d);

/* Moves the logged size (see inode.h) as far as it may go. INDEX is held. */
void file_data_advance(struct inode *inode);

/* The file ends at `size`, below its old one: dirty data, goal and leaves.
 * Nothing beyond is in flight. INDEX is held until the map is cut, too. */
void file_data_cut(struct volume *v, struct inode *inode, uint64_t size);

/*
 * Before the size or the map grows: forgets what lies beyond the size since a
 * crash, so that it does not come up again. Takes INDEX when there is
 * something. -EROFS.
 */
int file_mend(struct volume *v, struct inode *inode);

#endif
