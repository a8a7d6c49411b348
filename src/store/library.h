/* SPDX-License-Identifier: MIT */
/*
 * library.h - the codebooks of an open store: published, lent, retired.
 *
 * Threads: any. No lock may be held above INDEX: all of it may take INDEX.
 * Errors: -ENOENT (no such codebook), -EROFS, -EUCLEAN, -EBADMSG, -EIO,
 * -ENOMEM.
 */
#ifndef STORE_LIBRARY_H
#define STORE_LIBRARY_H

#include "store/codebooks.h"

struct store;

/* Codebooks that a store may have; more can only come from another program. */
enum { LIBRARY_MAX = 256 };

/*
 * Makes a dictionary the newest codebook of a class: into the log and the
 * index. From then on new frames use it. Durable with the next commit, before
 * any frame that uses it. -EUCLEAN: no dictionary. -EINVAL: no such class.
 * -EFBIG: there are LIBRARY_MAX. -ENOSPC: there is no room, nothing was done.
 * Computes for 0.1 s (a dictionary of 441 KB) to 0.4 s (1 MiB).
 */
int library_publish(struct store *s, enum content_class class,
		    struct span dictionary, uint64_t *ret_id);

/* One by its id, with a reference for the caller. */
int library_get(struct store *s, uint64_t id, struct codebook **ret);

/* The newest of the class if frames of such a length should be encoded with
 * it, with a reference; `ret_compare`: tell codebooks_tell() which was
 * shorter. NULL: none. */
struct codebook *library_pick(struct store *s, enum content_class class,
			      size_t raw_len, bool *ret_compare);

/* The first row behind `after`. 1; 0: none. */
int library_next(struct store *s, uint64_t after, struct codebook_row *ret);

/* Writes the record of one anew, from the log, so that the old one is not needed
 * any more. One that is retired meanwhile comes back, and is retired again. */
int library_rewrite(struct store *s, const struct codebook_row *row);

/* A CODEBOOK_ROW of the checkpoint that the index is made from. INDEX held; reads
 * the record. -EUCLEAN: a bad row. */
int library_load_row(struct store *s, struct span body);

/* Retires all that can go. Nothing is being encoded, and the index is
 * committed. Returns how many. */
int library_retire(struct store *s);

/* ---- files: library_file.c -------------------------------------------------- */

/* Writes one to a new file: as a codebook, or with `raw` as zstd's dictionary.
 * -ENODATA: no such codebook. -EEXIST: there is a file already. */
int library_export(struct store *s, uint64_t id, bool raw, const char *path);

/*
 * Publishes what a file holds: a codebook, or a dictionary of zstd. `class` is
 * the name of one, or NULL: as the file says, or `text`. -EINVAL: it is neither,
 * or no such class. -EUCLEAN, -EBADMSG: a damaged one. -ENOENT: no file.
 */
int library_import(struct store *s, const char *path, const char *class,
		   uint64_t *ret_id);

#endif
