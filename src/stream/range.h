/* SPDX-License-Identifier: MIT */
/*
 * range.h - part of a stream that lies in a file, by its seek tables.
 *
 * Reads the header, the FOOTER, the tables on the way, and the frames that the
 * range touches; nothing else. Owner thread only; about the sink see thaw.h.
 */
#ifndef STREAM_RANGE_H
#define STREAM_RANGE_H

#include "stream/thaw.h"

struct range;

/*
 * `fd` is borrowed and has to be a file. -EINVAL: no stream begins there.
 * -EUCLEAN: damage, also a stream without its end. -EOPNOTSUPP: a newer format.
 * -ENOMEM, and failures of reading.
 */
int range_open(int fd, struct range **ret);

/* NULL is fine. */
void range_close(struct range *r);

/* Of all raw bytes. */
uint64_t range_raw_len(const struct range *r);

/* Bytes and frames of the stream that were read so far. */
uint64_t range_read_len(const struct range *r);
uint64_t range_n_frames(const struct range *r);

/* Decodes the raw bytes from how->from to how->to, or to the end of the stream.
 * `head` and `lenient` are of no meaning. Errors as of range_open(), and what
 * the sink returns. */
int range_read(struct range *r, const struct thaw_options *how);

#endif
