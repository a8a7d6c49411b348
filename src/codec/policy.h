/* SPDX-License-Identifier: MIT */
/*
 * policy.h - what the user wants for the encoding of a file.
 *
 * Words of the form KEY=VALUE, between commas, and 64 bits for an inode.
 * Pure.
 */
#ifndef CODEC_POLICY_H
#define CODEC_POLICY_H

#include "codec/encode.h"

enum {
	POLICY_TEXT_MAX = 128, /* bytes that policy_print() never exceeds */
	POLICY_LEVEL_MAX = 19,
};

enum policy_switch { POLICY_DEFAULT, POLICY_ON, POLICY_OFF };

/* All zero: as if there were none. */
struct policy {
	bool has_effort;
	enum encode_effort effort;
	unsigned level; /* of zstd, 1..POLICY_LEVEL_MAX; 0: the effort's */
	enum policy_switch delta;
};

/*
 * Reads "effort=small,level=12,delta=off": each key at most once, in any order,
 * at least one. Efforts: off, fastest, fast, balanced, small. -EINVAL.
 */
int policy_parse(struct span text, struct policy *ret);

/* The same words, without an end; returns their length, 0 for no policy. */
size_t policy_print(const struct policy *p, char *dst);

/* FORMAT.md section 6. 0 is no policy; bits of a newer version are left out. */
uint64_t policy_pack(const struct policy *p);
void policy_unpack(uint64_t bits, struct policy *ret);

#endif
