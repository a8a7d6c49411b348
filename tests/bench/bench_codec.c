/* SPDX-License-Identifier: MIT */
/*
 * bench_codec.c - ratio, speed and memory of encoder and decoder on given files.
 *
 *     bench_codec [-c NAME] [-e EFFORT] [-f KIB] [-n REPEATS] [-a] FILE…
 *
 * Cuts the files into frames as the filesystem does (text 240 KiB, the rest
 * 40 KiB; -f: all of one length) and prints one JSON line for each effort, or
 * for the one of -e. -a: then without each step of the plan, one after the
 * other. Speeds are 10^6 raw bytes per second of CPU time on one thread: the
 * median of the repeats, and an interval that holds the true one with 95 % if
 * there are six or more. Every frame is decoded and compared. `table` beside
 * this file makes a table of the lines.
 */
#include "base/bytes.h"
#include "codec/decode.h"
#include "codec/encode.h"
#include "stream/chunker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	REPEATS = 7,
	REPEATS_MAX = 101,
	NS_PER_S = 1000000000,
	TEXT_LEN = 240 << 10,
	BINARY_LEN = 40 << 10,
};

struct input {
	uint8_t *data;
	size_t len;
	size_t *ends; /* of each file in `data` */
	size_t n_files;
};

struct options {
	const char *corpus;
	int effort; /* -1: all */
	size_t frame_len;
	size_t n_repeats;
	bool ablate;
};

struct tally {
	size_t round;
	size_t encoded_len;
	size_t n_frames;
	size_t n_kinds[ENCODE_N_KINDS];
	size_t n_classes[CONTENT_N_CLASSES];
	uint64_t encode_ns[REPEATS_MAX];
	uint64_t decode_ns[REPEATS_MAX];
};

struct tools {
	struct encoder *encoder;
	struct decoder *decoder;
	uint8_t *glyphs; /* encode_bound() of a frame */
	uint8_t *raw;
};

/* One measurement: what is asked of the encoder. */
struct mode {
	const char *without;
	struct encode_request request;
};

static const char *const kind_names[] = {
	[ENCODE_FILL] = "fill",         [ENCODE_STORE] = "store",
	[ENCODE_LZ4] = "lz4",           [ENCODE_ZSTD] = "zstd",
	[ENCODE_MIXED] = "mixed",       [ENCODE_DELTA] = "delta",
	[ENCODE_CODEBOOK] = "codebook", [ENCODE_COLUMNS] = "columns",
	[ENCODE_CODE] = "code",         [ENCODE_NUMBERS] = "numbers",
};

static const struct {
	const char *name;
	unsigned step;
} steps[] = {
	{ "columns", STEP_COLUMNS },
	{ "code", STEP_CODE },
	{ "numbers", STEP_NUMBERS },
	{ "all", STEP_COLUMNS | STEP_CODE | STEP_NUMBERS },
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

/* 10^6 bytes per second. */
static double speed(size_t len, uint64_t ns)
{
	return ns == 0 ? 0 : (double)len * 1e3 / (double)ns;
}

/* How many of `n` sorted times are below the interval, and as many above: each
 * is on either side of the median like a coin. */
static size_t rank_of(size_t n)
{
	size_t rank = 0;

	while ((n - 2 * rank) * (n - 2 * rank) > 4 * n && 2 * rank < n)
		rank++;
	return rank > 0 ? rank - 1 : 0;
}

static void print_speed(const char *name, size_t len, uint64_t *ns, size_t n)
{
	size_t rank = rank_of(n);

	qsort(ns, n, sizeof(*ns), compare_u64);
	printf(",\"%s_mb_s\":%.0f,\"%s_low\":%.0f,\"%s_high\":%.0f", name,
	       speed(len, ns[n / 2]), name, speed(len, ns[n - 1 - rank]), name,
	       speed(len, ns[rank]));
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
static void run_frame(const struct tools *t, const struct mode *mode,
		      struct span raw, struct tally *tally)
{
	size_t round = tally->round;
	uint64_t start = cpu_ns();
	uint64_t middle;
	ssize_t n;

	n = encode_frame(t->encoder, &mode->request, raw, t->glyphs);
	middle = cpu_ns();
	if (n < 0 || decode_frame(t->decoder, span_of(t->glyphs, (size_t)n),
				  NULL, t->raw, raw.len) < 0)
		die("codec");
	tally->decode_ns[round] += cpu_ns() - middle;
	tally->encode_ns[round] += middle - start;
	if (memcmp(t->raw, raw.ptr, raw.len) != 0)
		die("round trip");
	if (round > 0)
		return;
	tally->encoded_len += (size_t)n;
	tally->n_frames++;
	tally->n_kinds[encode_kind_of(span_of(t->glyphs, (size_t)n))]++;
	tally->n_classes[sniff_class(raw)]++;
}

static size_t frame_len_at(const struct options *o, struct span rest)
{
	struct span head = span_of(rest.ptr, min_u64(rest.len, BINARY_LEN));
	size_t len = o->frame_len;

	if (len == 0)
		len = sniff_is_text(head) ? TEXT_LEN : BINARY_LEN;
	return (size_t)min_u64(len, rest.len);
}

static void run_round(const struct input *in, const struct options *o,
		      const struct tools *t, const struct mode *mode,
		      struct tally *tally)
{
	size_t pos = 0;
	size_t i, len;

	for (i = 0; i < in->n_files; i++)
		for (; pos < in->ends[i]; pos += len) {
			len = frame_len_at(
				o, span_of(in->data + pos, in->ends[i] - pos));
			run_frame(t, mode, span_of(in->data + pos, len), tally);
		}
}

static void print_counts(const char *name, const char *const *names,
			 const size_t *counts, size_t n)
{
	const char *comma = "";
	size_t i;

	printf(",\"%s\":{", name);
	for (i = 0; i < n; i++)
		if (counts[i] > 0) {
			printf("%s\"%s\":%zu", comma, names[i], counts[i]);
			comma = ",";
		}
	printf("}");
}

static void forget_peak(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "we");

	if (!file || fputs("5", file) == EOF || fclose(file) != 0)
		die("/proc/self/clear_refs");
}

/* The most memory that was resident since forget_peak(). */
static long peak_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	if (!file)
		die("/proc/self/status");
	while (kib == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	(void)fclose(file);
	return kib;
}

static void print_mode(const struct input *in, const struct options *o,
		       const struct mode *mode, struct tally *tally)
{
	const char *classes[CONTENT_N_CLASSES];
	size_t i;

	for (i = 0; i < CONTENT_N_CLASSES; i++)
		classes[i] = content_name((enum content_class)i);
	printf("{\"bench\":\"codec\",\"corpus\":\"%s\",\"effort\":\"%s\","
	       "\"without\":\"%s\",\"raw\":%zu,\"encoded\":%zu,"
	       "\"frames\":%zu,\"ratio\":%.4f",
	       o->corpus, encode_effort_name(mode->request.effort),
	       mode->without, in->len, tally->encoded_len, tally->n_frames,
	       (double)in->len / (double)tally->encoded_len);
	print_speed("encode", in->len, tally->encode_ns, o->n_repeats);
	print_speed("decode", in->len, tally->decode_ns, o->n_repeats);
	/* Besides the input itself: encoder, decoder, and the program. */
	printf(",\"peak_kib\":%ld", peak_kib() - (long)(in->len / KIB));
	print_counts("kinds", kind_names, tally->n_kinds, ENCODE_N_KINDS);
	print_counts("classes", classes, tally->n_classes, CONTENT_N_CLASSES);
	printf("}\n");
	(void)fflush(stdout);
}

/* With an encoder and a decoder of its own, for what they take grows. */
static void run_mode(const struct input *in, const struct options *o,
		     const struct mode *mode)
{
	size_t frame_max = o->frame_len ? o->frame_len : TEXT_LEN;
	struct tools t = { .glyphs = malloc(encode_bound(frame_max)),
			   .raw = malloc(frame_max) };
	struct tally tally = { .encoded_len = 0 };

	forget_peak();
	if (!t.glyphs || !t.raw || encoder_new(&t.encoder) < 0 ||
	    decoder_new(&t.decoder) < 0)
		die("memory");
	for (; tally.round < o->n_repeats; tally.round++)
		run_round(in, o, &t, mode, &tally);
	print_mode(in, o, mode, &tally);
	encoder_free(t.encoder);
	decoder_free(t.decoder);
	free(t.glyphs);
	free(t.raw);
}

static void run_effort(const struct input *in, const struct options *o,
		       enum encode_effort effort)
{
	struct mode mode = { .without = "", .request = { .effort = effort } };
	size_t i;

	run_mode(in, o, &mode);
	for (i = 0; o->ablate && i < ARRAY_LEN(steps); i++) {
		mode.without = steps[i].name;
		mode.request.without = steps[i].step;
		run_mode(in, o, &mode);
	}
}

static void run_chunker(const struct input *in, const struct options *o)
{
	uint64_t ns[REPEATS_MAX];
	size_t n_chunks = 0;
	size_t round, i, pos, len;
	uint64_t start;

	for (round = 0; round < o->n_repeats; round++) {
		n_chunks = 0;
		start = cpu_ns();
		for (i = 0, pos = 0; i < in->n_files; i++)
			for (; pos < in->ends[i]; pos += len, n_chunks++)
				len = chunker_cut(span_of(in->data + pos,
							  in->ends[i] - pos),
						  true);
		ns[round] = cpu_ns() - start;
	}
	printf("{\"bench\":\"chunker\",\"corpus\":\"%s\",\"raw\":%zu,"
	       "\"chunks\":%zu,\"mean\":%zu",
	       o->corpus, in->len, n_chunks,
	       n_chunks == 0 ? 0 : in->len / n_chunks);
	print_speed("cut", in->len, ns, o->n_repeats);
	printf("}\n");
}

static int effort_of(const char *name)
{
	enum encode_effort effort;

	if (encode_effort_parse(span_of(name, strlen(name)), &effort) == 0)
		return (int)effort;
	(void)fprintf(stderr, "no such effort: '%s'\n", name);
	exit(EXIT_FAILURE);
}

static void parse(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:e:f:n:a")) != -1) {
		if (opt == 'c')
			o->corpus = optarg;
		else if (opt == 'e')
			o->effort = effort_of(optarg);
		else if (opt == 'f')
			o->frame_len = strtoul(optarg, NULL, 10) * KIB;
		else if (opt == 'n')
			o->n_repeats = strtoul(optarg, NULL, 10);
		else if (opt == 'a')
			o->ablate = true;
		else
			exit(EXIT_FAILURE);
	}
	if (o->n_repeats == 0 || o->n_repeats > REPEATS_MAX)
		o->n_repeats = REPEATS;
}

int main(int argc, char **argv)
{
	struct options o = { .corpus = "", .effort = -1 };
	struct input in = { .len = 0 };
	int effort;
	int arg;

	parse(argc, argv, &o);
	in.ends = calloc((size_t)argc, sizeof(*in.ends));
	if (!in.ends)
		die("memory");
	for (arg = optind; arg < argc; arg++)
		load_file(&in, argv[arg]);
	for (effort = 0; in.len > 0 && effort < ENCODE_N_EFFORTS; effort++)
		if (o.effort < 0 || o.effort == effort)
			run_effort(&in, &o, (enum encode_effort)effort);
	if (in.len > 0)
		run_chunker(&in, &o);
	free(in.ends);
	free(in.data);
	return EXIT_SUCCESS;
}
