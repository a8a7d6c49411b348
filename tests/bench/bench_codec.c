/* SPDX-License-Identifier: MIT */
/*
 * bench_codec.c - ratio and speed of the encoder and decoder on given files.
 *
 * bench_codec FILE…: cuts the files into frames of 128 and 256 KiB (the last of
 * a file is shorter) and prints one JSON line for each frame length and effort,
 * and one for the chunker. Speeds are 10^6 raw bytes per second of CPU time on
 * one thread, the median of some repeats. Every frame is decoded and compared.
 */
#include "base/bytes.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "stream/chunker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	REPEATS = 3,
	NS_PER_S = 1000000000,
};

struct input {
	uint8_t *data;
	size_t len;
	size_t *ends; /* of each file in `data` */
	size_t n_files;
};

struct tally {
	size_t encoded_len;
	size_t n_kinds[ENCODE_N_KINDS];
	uint64_t encode_ns[REPEATS];
	uint64_t decode_ns[REPEATS];
};

struct tools {
	struct encoder *encoder;
	struct decoder *decoder;
	uint8_t *glyphs; /* encode_bound() of a frame */
	uint8_t *raw;
};

static const char *const effort_names[] = {
	[EFFORT_STORE] = "store", [EFFORT_FASTEST] = "fastest",
	[EFFORT_FAST] = "fast",   [EFFORT_BALANCED] = "balanced",
	[EFFORT_SMALL] = "small",
};

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* 10^6 bytes per second, of the median. */
static double speed(size_t len, uint64_t *ns)
{
	uint64_t median;

	qsort(ns, REPEATS, sizeof(*ns), compare_u64);
	median = ns[REPEATS / 2];
	return median == 0 ? 0 : (double)len * 1e3 / (double)median;
}

static void load_file(struct input *in, const char *path)
{
	FILE *file = fopen(path, "rbe");
	size_t cap = in->len;
	size_t n;

	if (!file)
		die(path);
	do {
		if (in->len == cap) {
			cap = cap < MIB ? 2 * MIB : cap * 2;
			in->data = realloc(in->data, cap);
			if (!in->data)
				die("memory");
		}
		n = fread(in->data + in->len, 1, cap - in->len, file);
		in->len += n;
	} while (n > 0);
	if (ferror(file))
		die(path);
	(void)fclose(file);
	in->ends[in->n_files++] = in->len;
}

/* Encodes and decodes one frame and adds to the tally of round `round`. */
static void run_frame(const struct tools *t, enum encode_effort effort,
		      struct span raw, size_t round, struct tally *tally)
{
	enum encode_kind kind = ENCODE_STORE;
	uint64_t start = cpu_ns();
	uint64_t middle;
	ssize_t n;

	n = encode_frame(t->encoder, effort, raw, t->glyphs, &kind);
	middle = cpu_ns();
	if (n < 0 || decode_frame(t->decoder, span_of(t->glyphs, (size_t)n),
				  t->raw, raw.len) < 0)
		die("codec");
	tally->decode_ns[round] += cpu_ns() - middle;
	tally->encode_ns[round] += middle - start;
	if (memcmp(t->raw, raw.ptr, raw.len) != 0)
		die("round trip");
	if (round == 0) {
		tally->encoded_len += (size_t)n;
		tally->n_kinds[kind]++;
	}
}

static void run_effort(const struct input *in, const struct tools *t,
		       enum encode_effort effort, size_t frame_len)
{
	struct tally tally = { .encoded_len = 0 };
	size_t round, i, pos, len;

	for (round = 0; round < REPEATS; round++)
		for (i = 0, pos = 0; i < in->n_files; i++)
			for (; pos < in->ends[i]; pos += len) {
				len = (size_t)min_u64(frame_len,
						      in->ends[i] - pos);
				run_frame(t, effort,
					  span_of(in->data + pos, len), round,
					  &tally);
			}
	printf("{\"bench\":\"codec\",\"effort\":\"%s\",\"frame\":%zu,"
	       "\"raw\":%zu,\"encoded\":%zu,\"ratio\":%.4f,"
	       "\"encode_mb_s\":%.0f,\"decode_mb_s\":%.0f,\"fill\":%zu,"
	       "\"store\":%zu,\"lz4\":%zu,\"zstd\":%zu,\"mixed\":%zu}\n",
	       effort_names[effort], frame_len, in->len, tally.encoded_len,
	       (double)in->len / (double)tally.encoded_len,
	       speed(in->len, tally.encode_ns), speed(in->len, tally.decode_ns),
	       tally.n_kinds[ENCODE_FILL], tally.n_kinds[ENCODE_STORE],
	       tally.n_kinds[ENCODE_LZ4], tally.n_kinds[ENCODE_ZSTD],
	       tally.n_kinds[ENCODE_MIXED]);
	(void)fflush(stdout);
}

static void run_chunker(const struct input *in)
{
	uint64_t ns[REPEATS];
	size_t n_chunks = 0;
	size_t round, i, pos, len;
	uint64_t start;

	for (round = 0; round < REPEATS; round++) {
		n_chunks = 0;
		start = cpu_ns();
		for (i = 0, pos = 0; i < in->n_files; i++)
			for (; pos < in->ends[i]; pos += len, n_chunks++)
				len = chunker_cut(span_of(in->data + pos,
							  in->ends[i] - pos),
						  true);
		ns[round] = cpu_ns() - start;
	}
	printf("{\"bench\":\"chunker\",\"raw\":%zu,\"chunks\":%zu,"
	       "\"mean\":%zu,\"mb_s\":%.0f}\n",
	       in->len, n_chunks, n_chunks == 0 ? 0 : in->len / n_chunks,
	       speed(in->len, ns));
}

int main(int argc, char **argv)
{
	static const size_t frame_lens[] = { 128 * KIB, 256 * KIB };
	struct input in = { .len = 0 };
	struct tools t = { .encoder = NULL };
	size_t i;
	int effort;
	int arg;

	in.ends = calloc((size_t)argc, sizeof(*in.ends));
	t.glyphs = malloc(encode_bound(256 * KIB));
	t.raw = malloc(256 * KIB);
	if (!in.ends || !t.glyphs || !t.raw || encoder_new(&t.encoder) < 0 ||
	    decoder_new(&t.decoder) < 0)
		die("memory");
	for (arg = 1; arg < argc; arg++)
		load_file(&in, argv[arg]);
	for (i = 0; in.len > 0 && i < ARRAY_LEN(frame_lens); i++)
		for (effort = EFFORT_STORE; effort <= EFFORT_SMALL; effort++)
			run_effort(&in, &t, (enum encode_effort)effort,
				   frame_lens[i]);
	if (in.len > 0)
		run_chunker(&in);
	encoder_free(t.encoder);
	decoder_free(t.decoder);
	free(t.glyphs);
	free(t.raw);
	free(in.ends);
	free(in.data);
	return EXIT_SUCCESS;
}
