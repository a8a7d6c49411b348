/* SPDX-License-Identifier: MIT */
/*
 * codec.c - one encoder, one decoder, and the promise of decode_frame().
 */
#include "fuzz/codec.h"

#include "base/report.h"
#include "fuzz/fuzz.h"

const struct fuzz_codec *fuzz_codec(void)
{
	static struct fuzz_codec codec;

	if (codec.encoder)
		return &codec;
	report_silence(true);
	must(encoder_new(&codec.encoder) == 0);
	must(decoder_new(&codec.decoder) == 0);
	return &codec;
}

/*
 * Any part of what decodes is the same as in the whole. Block by block libzstd is
 * stricter, though: no block may be longer than the window.
 */
static void check_part(struct span glyphs, const struct decode_source *source,
		       const uint8_t *whole, size_t raw_len)
{
	uint8_t *out = malloc(raw_len + 1);
	const struct decode_part part = {
		.dst = out,
		.raw_len = raw_len,
		.from = raw_len / 3,
		.to = raw_len / 2 + 1,
	};
	int rc;

	must(out);
	rc = decode_part(fuzz_codec()->decoder, glyphs, source, &part);
	must(rc == 0 || rc == -EUCLEAN);
	must(rc < 0 || memcmp(out + part.from, whole + part.from,
			      part.to - part.from) == 0);
	free(out);
}

/*
 * What decodes once gives the same bytes again, if it decodes. A dictionary that
 * the context has just met is decoded with by another loop of libzstd, which lets
 * pass what the usual one refuses: bits left over behind the last sequence.
 */
static bool is_same_end(const struct decode_source *source, int first,
			int again)
{
	if (source && source->codebook && (first == 0 || again == 0))
		return (first == 0 || first == -EUCLEAN) &&
		       (again == 0 || again == -EUCLEAN);
	return first == again;
}

uint8_t *fuzz_decode(struct span glyphs, const struct decode_source *source,
		     size_t raw_len)
{
	struct decoder *decoder = fuzz_codec()->decoder;
	int rc_again;
	uint8_t *out = malloc(raw_len > 0 ? raw_len : 1);
	uint8_t *again = malloc(raw_len + 1);
	int rc;

	must(out && again);
	memset(out, 0, raw_len);
	rc = decode_frame(decoder, glyphs, source, out, raw_len);
	must(rc == 0 || rc == -EUCLEAN || rc == -EOPNOTSUPP);
	memset(again, 0xff, raw_len + 1);
	rc_again = decode_frame(decoder, glyphs, source, again, raw_len);
	must(is_same_end(source, rc, rc_again));
	must(again[raw_len] == 0xff);
	must(rc < 0 || rc_again < 0 || memcmp(out, again, raw_len) == 0);
	free(again);
	if (rc < 0) {
		free(out);
		return NULL;
	}
	check_part(glyphs, source, out, raw_len);
	return out;
}
