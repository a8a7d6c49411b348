/* SPDX-License-Identifier: MIT */
/*
 * prim_arm64.c - AArch64 code: calls and page addresses by place in the node
 * instead of by distance.
 *
 * Instructions are four bytes, so a phase says where the first one begins.
 */
#include "base/error.h"
#include "codec/primitive.h"

enum {
	INSN_LEN = 4,
	PAGE_SHIFT = 12,
	ADRP_LOW_SHIFT = 29, /* two low bits of the distance */
	ADRP_HIGH_SHIFT = 5,
};

#define BL_MASK     0xfc000000U
#define BL          0x94000000U
#define BL_DISTANCE 0x03ffffffU
#define ADRP_MASK   0x9f000000U
#define ADRP        0x90000000U
#define ADRP_KEEP   0x9f00001fU

static uint32_t move_page(uint32_t insn, uint32_t by)
{
	uint32_t v = (insn >> ADRP_LOW_SHIFT & 3) |
		     (insn >> (ADRP_HIGH_SHIFT - 2) & 0x1ffffc);

	v = (v + by) & 0x1fffff;
	return (insn & ADRP_KEEP) | (v & 3) << ADRP_LOW_SHIFT |
	       (v & 0x1ffffc) << (ADRP_HIGH_SHIFT - 2);
}

static void convert(uint8_t *bytes, size_t len, size_t phase, uint32_t sign)
{
	size_t pos;

	for (pos = phase; pos + INSN_LEN <= len; pos += INSN_LEN) {
		uint32_t insn = get_le32(bytes + pos);

		if ((insn & BL_MASK) == BL)
			put_le32(bytes + pos,
				 BL | ((insn + sign * (uint32_t)(pos / 4)) &
				       BL_DISTANCE));
		else if ((insn & ADRP_MASK) == ADRP)
			put_le32(bytes + pos,
				 move_page(
					 insn,
					 sign * (uint32_t)(pos >> PAGE_SHIFT)));
	}
}

/* A call of less than 8 MiB or a page of less than 16. */
static bool is_near(uint32_t insn)
{
	uint32_t high = insn >> 21 & 0x1f;

	if ((insn & BL_MASK) == BL)
		return high == 0 || high == 0x1f;
	high = insn >> 15 & 0x1ff;
	return (insn & ADRP_MASK) == ADRP && (high == 0 || high == 0x1ff);
}

/* Both have bits 7 and 4 of their last byte set: seen in eight at a time. */
void prim_arm64_count(struct span code, size_t *ret_n)
{
	static const uint64_t high = 0x8080808080808080U;
	const size_t gulp = sizeof(high);
	size_t pos;

	for (pos = 0; pos + INSN_LEN - 1 + gulp <= code.len; pos += gulp) {
		uint64_t v = get_le64(code.ptr + pos + INSN_LEN - 1);
		uint64_t found = v & v << 3 & high;

		for (; found; found &= found - 1) {
			size_t at = pos + (size_t)__builtin_ctzll(found) / 8;

			ret_n[at % PRIM_ARM64_PHASES] +=
				is_near(get_le32(code.ptr + at));
		}
	}
	for (; pos + INSN_LEN <= code.len; pos++)
		ret_n[pos % PRIM_ARM64_PHASES] +=
			is_near(get_le32(code.ptr + pos));
}

void prim_arm64_do(unsigned phase, uint8_t *bytes, size_t len)
{
	convert(bytes, len, phase, 1);
}

int prim_arm64_undo(const struct decode_tools *tools, struct span params,
		    struct span input, uint8_t *dst, size_t len)
{
	(void)tools;
	(void)input;
	if (params.len != 1 || params.ptr[0] >= INSN_LEN)
		return corrupt("arm64: bad phase");
	convert(dst, len, params.ptr[0], (uint32_t)-1);
	return 0;
}
