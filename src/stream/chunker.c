/* SPDX-License-Identifier: MIT */
/*
 * chunker.c - gear hash with two thresholds.
 *
 * After each byte the hash is shifted by one, so it is a function of the last
 * 64 bytes and of nothing else; a chunk may end where it falls below a
 * threshold, a higher one from CHUNK_NORMAL on. That keeps lengths near the
 * average (normalised cutting) without giving up that equal bytes cut equally.
 * Bytes that are too early for a cut are skipped unseen, but for the 64 that
 * the first hash needs.
 */
#include "stream/chunker.h"

enum {
	WINDOW = 64, /* bytes that the hash remembers */
	CHUNK_NORMAL = 52 << 10,
	/* One hash alone has to wait for itself; four go 1.3 times as fast. */
	N_LANES = 4,
	LANE_LEN = 256,
	BLOCK_LEN = N_LANES * LANE_LEN,
};

/*
 * One byte in 2^18 ends a chunk before CHUNK_NORMAL, one in 2^14 after it.
 * Both tar archives and random bytes then make chunks of 66,000 bytes on
 * average.
 */
#define THRESHOLD_EARLY ((uint64_t)1 << (64 - 18))
#define THRESHOLD_LATE  ((uint64_t)1 << (64 - 14))

/*
 * Frozen: with another table nothing old is found again. The first 256 numbers
 * of splitmix64 from the seed 0x5349474d41465331 ("SIGMAFS1"); the tests make
 * it again.
 */
/* clang-format off */
static const uint64_t gear[256] = {
	0x420e888d7f5d7364, 0xd3c47c083bfab7e7, 0x81f261d03e32f6c1, 0x2acfaafbead8c927,
	0x9e4db9774a5e417d, 0xc784fc3b2173d4ff, 0xdd2c811e94da1e6b, 0x3958541a96ce5430,
	0x8ba324dd3bafd7a5, 0x9fcdf7c1ab063884, 0x5a0e152d0b5f7169, 0x733153230590e14e,
	0x979ef335cdb06fd9, 0x82b343d76a142fe9, 0xf5391e3b98e0e9db, 0xe5dd8d4d2e1d9c00,
	0x7a2ba9f0eb9a0368, 0xbbb8f89bbf81b9f1, 0xa731f7939658fae7, 0xae760a49380bb117,
	0x494455135f79690f, 0xcad6a286975c9922, 0x2c587bdf55951913, 0x9e735410f0ffdb26,
	0xb4c5a9a7fc886c0b, 0x0eb7a32ab983e7fb, 0x77707bd2f22757ee, 0x35031d1f5d47dcd4,
	0x269d3157077e6c77, 0xcf47e2e43c6211c3, 0x5720925a6f7b85c0, 0xd36e28f241c2ba7b,
	0xb1f7cec10d5dfb32, 0x5e01f2d66358d5a7, 0x4f72b256c8018733, 0xb2e1e2a449fb7241,
	0xe2a68934380f26d2, 0xe4123b1a9179ad7a, 0xa85e710bdc3f9869, 0x1d5b1bf9d7c8e4e0,
	0x85c41e560112efd8, 0x25559f0a283e044d, 0x93bcf7e5be52ee5a, 0x92f258ab8339464b,
	0x1f16dc3ec77f83ab, 0x24be791b9d991fdf, 0x18cc1fc4b4d4d021, 0x2e172abea1c33177,
	0x33e40d6a47f89680, 0x8a19624f0295581e, 0x6d5b67b1cf5e0e50, 0x9a94c6eeaa23f748,
	0x2cfd777e3e1308f8, 0x621c614e1dbfdb7d, 0x6bd8aea757b6a497, 0x7835f8bcf520b697,
	0x1ea879f80cd85e55, 0xcfbd99de08c49a96, 0xc1dbd57da2c60f10, 0x86b62297d410f795,
	0x897825e9978a62bd, 0xd18183a982295d9e, 0x78f0f13d9208a03d, 0x887a7e5252f0873f,
	0xce149097e163deb8, 0x311222531a03a451, 0x0b85142d927cbc2f, 0x3f3553aae0270b98,
	0x377295e9f834e326, 0xc7d87983eefad6f2, 0x342e7e30c3bc89cb, 0xd0b811d21e0c139c,
	0x1adc5d97e731dbf0, 0x9a465ee57edc8337, 0x6fb4f3f1ae425602, 0x57add3c03bac9f9d,
	0x411d99ce469d0e0a, 0x19bce808f4b517ae, 0x5d5ca178a13c0aaa, 0x6c60f8506b329920,
	0x0a0639deb80e65a5, 0xf2374432c855e175, 0xbbfe0d3a78beba41, 0x7017280c6e994cf5,
	0xdf044babd4294947, 0x7b98c7ee0a08bbad, 0x40111a47fa47fbee, 0x9f715009e2722345,
	0xefe295d34b2bace8, 0xe35fbe4c66872c8f, 0xc515a095ffe098d3, 0x25db572e3e2c0705,
	0x6a93e644d83684f3, 0x2ceca5f67db3364f, 0x3aaed911958ccc52, 0x9add5a54f32eec88,
	0x15547209a94ba1fd, 0x6d0005712a1a7e56, 0x22c76cec58f11f2b, 0xf07b7215fa89ba19,
	0x4de85bcb83e1a31f, 0x0c1265f3969f69da, 0xb92676d3e843df3b, 0x65c65776252f7893,
	0xaf7018d34eca7426, 0x3f69e80aea4e1ed7, 0x43519913376c17cb, 0xb65e2ea4916a9133,
	0x010799c4e8498403, 0x25b861f4e6513844, 0x16de0a50ea320568, 0x24806caaef2c418e,
	0x794786645a91fc6d, 0xd9ca2f815b755469, 0xd696bcc2addf12db, 0x9fe1379f96f5b383,
	0x9bcceaeb80fd3ccc, 0x90c0762ce45721ad, 0xa1013e7d4a44e558, 0x18a19e0aa2d59695,
	0x59239be9512bdb70, 0x7b7178fcaf9b6807, 0x45bf1381ea479924, 0x1ec77a8893f52c7f,
	0xacdf37647b8ce41d, 0x3c7839188301186c, 0xbe0408e85c9d3ec6, 0x05f33f9125c914cd,
	0xc8d505c0cb80a3f0, 0x062adcb1537b7534, 0x215edc3f6a608ee3, 0x13e8dd1782194822,
	0x668b2505b9dbf18d, 0x2572490a43194502, 0x9129a224e4a20502, 0x2aae6f9a4b147624,
	0x481768c46bfc4915, 0x47bca6fc9f79fda5, 0x6c325e0c035430b8, 0x9bc7ce9286887852,
	0x4cb73e4a55835b4d, 0xea63e29725489a1f, 0xfbe694d558777bb4, 0x5f3ee8607c8698a8,
	0xda7e9ee91a28d578, 0xc80ccea5b6bb96bb, 0x106e55dc060ccdfc, 0x7fdc2408f20422a3,
	0x8e83c585733e5201, 0xa6346e818bcf48d5, 0xceb6731c911e224d, 0x99b81f5e3ae0eca1,
	0xe88611d97db9da3a, 0x1da07c1259bc0a60, 0xb83861dec75a83c4, 0x14506178b64993bd,
	0xe359334a6c085569, 0xc6170fdc48ebc4d7, 0x2917c3170fff67be, 0x4979bc464e9dcb51,
	0x760a824c7e9b2f65, 0xd6573d5723aca32b, 0x37c05d1cf461c52b, 0xde0a3e8c5746fce9,
	0x53728309e279fba1, 0x2e817836f24918e1, 0x9dcee04c34cd6e32, 0x179254820e79e969,
	0x09a489c2c801cb01, 0x834f7a21da69a796, 0xd654ce117cc8540d, 0x7fea0a46ecf5ddb5,
	0x8cde5a6dc4353e73, 0x79c7dbb0538dcf86, 0x69c76c739d71e624, 0xb482f291bee4770d,
	0xe471758debf9810a, 0x4b9faafdd42800fe, 0x872a7fb05e12be7d, 0xd4cd314f4d5bb343,
	0x6b5e10d6561b8d4e, 0x2c9a4025e6ec3e2f, 0xb174cad8b82854a8, 0xaab1fe7d9cb33e22,
	0x3742f2c1bd2d9bb2, 0xfd73fb18440fd6bb, 0x74ba3c61a7ee3347, 0x053b71bacdae60cd,
	0xb17331a93cb280a7, 0xcc9ae4e74d45941e, 0x9ff71fdc78664d3d, 0x708b4c1f731ac074,
	0xdd18d846c3e327ec, 0x515eb66059632bb3, 0x71aa5bd4b11353c7, 0xb6b4df7e3c1a5cfc,
	0x8bb3bf5daee29869, 0x1607ce71c5caeed8, 0x4f2ee9f60dd4b15f, 0x98ebde1deed9b0dd,
	0x68eee58c03d09ebf, 0xd7a274c42e3944d6, 0x92f942e0802f478e, 0x382a82c904e2eca8,
	0xcc182177bdc010be, 0x44d7840245ef0d78, 0x88599971793a53f3, 0x5811211ccbaa741f,
	0xe337b42ba8ada6ab, 0xc1c39a491c28de84, 0xa0e067b414f78ceb, 0x2c2d7cb81acab348,
	0x93566c112832e217, 0xb26b00773296b0d6, 0x17e2e4de0fe19480, 0xc60be36dd04c42b4,
	0x3da6634b8af5ef11, 0x2829a5ab9ebf02f9, 0xa6175f691d626f98, 0x45220e30533f2047,
	0x9626f843917dd285, 0xf33b4db5e84385a4, 0xb50611b48055b867, 0x5361a0b4f1c3811c,
	0x0d758d5e36172548, 0xa7e51025a1d86bc8, 0x4064b6d053d34d1d, 0x8a82e69ddc91e0fe,
	0xf5180f569cc471d2, 0x096567aa29799bcb, 0x3ddc1fcc27a36627, 0x46affb11bcd90882,
	0x8408429e20e9a101, 0xd30afe67584bdab6, 0x051930591a62a520, 0x113c8eea8df73d92,
	0x3032daaeacc45aa3, 0xe379c43103f7bb95, 0x216617784f373d39, 0xaf71989684f83cf1,
	0x901a3d83aa526af1, 0x7fede79ea763adbe, 0x8b30ba465dac44a1, 0x1fa80c8869e12589,
	0x3e817c7bffd52ab5, 0x9944ef8bf4007926, 0xb74cfe98b9876d55, 0x676618c4b0473758,
	0x2b8efe4c279328ef, 0xbfb088b92f33645b, 0x8063ef58e01efc10, 0x6a4ba1ab2cf06100,
	0x9fc34dfa45c53fc1, 0xc90ac7acc71766ed, 0xe6963cf71719ae2e, 0xa2991c12496d1e0a,
};
/* clang-format on */

static inline uint64_t roll(uint64_t hash, uint8_t byte)
{
	return (hash << 1) + gear[byte];
}

/* Hashes `len` bytes on; returns the first count after which the hash is below
 * the threshold, or 0. */
static size_t scan_bytes(const uint8_t *bytes, size_t len, uint64_t threshold,
			 uint64_t *hash)
{
	uint64_t h = *hash;

	for (size_t i = 0; i < len; i++) {
		h = roll(h, bytes[i]);
		if (h < threshold)
			return i + 1;
	}
	*hash = h;
	return 0;
}

/* The hash before `next`, which has a window before it. */
static uint64_t hash_before(const uint8_t *next)
{
	uint64_t h = 0;

	for (size_t i = WINDOW; i > 0; i--)
		h = roll(h, *(next - i));
	return h;
}

/* Hashes a block on, in lanes that begin where their windows say; returns the
 * least of all hashes. */
static uint64_t scan_block(const uint8_t *bytes, uint64_t *hash)
{
	const uint8_t *b = bytes + LANE_LEN;
	const uint8_t *c = b + LANE_LEN;
	const uint8_t *d = c + LANE_LEN;
	uint64_t hash_a = *hash;
	uint64_t hash_b = hash_before(b);
	uint64_t hash_c = hash_before(c);
	uint64_t hash_d = hash_before(d);
	uint64_t least_ab = UINT64_MAX;
	uint64_t least_cd = UINT64_MAX;

	for (size_t i = 0; i < LANE_LEN; i++) {
		hash_a = roll(hash_a, bytes[i]);
		hash_b = roll(hash_b, b[i]);
		hash_c = roll(hash_c, c[i]);
		hash_d = roll(hash_d, d[i]);
		least_ab = min_u64(least_ab, min_u64(hash_a, hash_b));
		least_cd = min_u64(least_cd, min_u64(hash_c, hash_d));
	}
	*hash = hash_d;
	return min_u64(least_ab, least_cd);
}

/* As scan_bytes(): block by block, up to the one with a cut in it. */
static size_t scan(const uint8_t *bytes, size_t len, uint64_t threshold,
		   uint64_t *hash)
{
	uint64_t h = *hash;
	size_t pos = 0;
	size_t cut;

	while (len - pos >= BLOCK_LEN &&
	       scan_block(bytes + pos, &h) >= threshold) {
		pos += BLOCK_LEN;
		*hash = h;
	}
	cut = scan_bytes(bytes + pos, len - pos, threshold, hash);
	return cut > 0 ? pos + cut : 0;
}

/* What a chunk's bytes are looked at for, by how many came before. */
static const struct stage {
	size_t end;
	bool hashed;
	uint64_t threshold;
} stages[] = {
	{ CHUNK_MIN - WINDOW, false, 0 },
	{ CHUNK_MIN - 1, true, 0 },
	{ CHUNK_NORMAL, true, THRESHOLD_EARLY },
	{ CHUNK_MAX, true, THRESHOLD_LATE },
};

size_t chunker_feed(struct chunker *c, struct span bytes)
{
	size_t pos = 0;

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		const struct stage *s = &stages[i];
		size_t n = c->len < s->end ? s->end - c->len : 0;
		size_t cut = 0;

		if (n > bytes.len - pos)
			n = bytes.len - pos;
		/* Nothing may be added to a NULL pointer, not even 0. */
		if (s->hashed && n > 0)
			cut = scan(bytes.ptr + pos, n, s->threshold, &c->hash);
		if (cut > 0)
			return pos + cut;
		pos += n;
		c->len += n;
	}
	return c->len == CHUNK_MAX ? pos : 0;
}

size_t chunker_cut(struct span bytes, bool final)
{
	struct chunker c = { 0 };
	size_t cut = chunker_feed(&c, bytes);

	return cut == 0 && final ? bytes.len : cut;
}
