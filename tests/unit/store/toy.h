/* SPDX-License-Identifier: MIT */
/*
 * toy.h - a small user of the store: keys with a value and maybe a chunk.
 *
 * Stands where the volume stands, with one table and two operations, so that
 * the store is tested without inodes.
 */
#ifndef TESTS_UNIT_STORE_TOY_H
#define TESTS_UNIT_STORE_TOY_H

#include "base/sync.h"
#include "store/store.h"

#include <stdatomic.h>

enum { TOY_ENDED = 77 /* exit status at end_key */ };

struct toy {
	struct store *store; /* NULL: closed */
	struct store_options options;
	struct db_stmt *get;
	struct db_stmt *set;
	struct db_stmt *del;
	struct db_stmt *count;
	struct db_stmt *page;
	void (*on_dump)(struct toy *t); /* before each page; INDEX held */
	void (*on_tick)(struct toy *t);
	uint64_t held_key; /* logged by before_batch; 0: none. INDEX */
	uint64_t held_value;
	bool noisy;       /* before_batch always logs something */
	uint64_t bad_key; /* cannot be applied; 0: all can */
	uint64_t end_key; /* when it is applied the process ends; 0: never */
	atomic_uint n_ticks;
	unsigned n_attached;
};

/* What a key has. */
struct toy_row {
	uint64_t value;
	uint64_t chunk; /* 0: none */
};

/* store_open(). */
int toy_open(struct toy *t, const char *dir);

/* Makes a store at `dir` and opens it; fails the test if that fails. */
void toy_make(struct toy *t, const char *dir);

/* store_close(), if it is open. */
int toy_close(struct toy *t);

/* Ends without committing, as a process that dies: what was written to files
 * so far is copied from `dir` to the new directory `to`, then it is closed. */
void toy_crash(struct toy *t, const char *dir, const char *to);

/* One transaction each. */
int toy_set(struct toy *t, uint64_t key, uint64_t value);
int toy_del(struct toy *t, uint64_t key);

/* Stores the bytes as one chunk, on this thread, and points the key to it. */
int toy_put(struct toy *t, uint64_t key, struct span bytes);

/* The same through a worker; ends when it is done. */
int toy_put_worker(struct toy *t, uint64_t key, struct span bytes);

/* The value is told to before_batch only. */
void toy_hold(struct toy *t, uint64_t key, uint64_t value);

/* 1: there; 0: not. */
int toy_get(struct toy *t, uint64_t key, struct toy_row *ret);

/* Number of keys. */
uint64_t toy_count(struct toy *t);

/* Fails the test unless the key has these bytes. */
void toy_expect(struct toy *t, uint64_t key, struct span bytes);

/* Whether it has. */
bool toy_holds(struct toy *t, uint64_t key, struct span bytes);

/* Runs store_check() with the right counts; returns the findings. */
uint64_t toy_check(struct toy *t);

/* Copies a directory and what is in it. */
void copy_tree(const char *from, const char *to);

/* Removes it with all that is in it. */
void remove_tree(const char *path);

/* A file's content; the length is returned. `cap` bytes at most. */
size_t file_read(const char *dir, const char *name, uint8_t *dst, size_t cap);
void file_write(const char *dir, const char *name, struct span bytes);
size_t file_len(const char *dir, const char *name);

#endif
