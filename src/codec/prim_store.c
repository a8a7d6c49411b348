/* SPDX-License-Identifier: MIT */
/*
 * prim_store.c - bytes as they are.
 */
#include "base/error.h"
#include "codec/primitive.h"

int prim_store_decode(const struct decode_tools *tools, struct span payload,
		      uint8_t *dst, size_t len)
{
	(void)tools;
	if (payload.len != len)
		return corrupt("store: %zu bytes for %zu", payload.len, len);
	memcpy(dst, payload.ptr, len);
	return 0;
}
