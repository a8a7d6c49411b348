/* SPDX-License-Identifier: MIT */
/*
 * replay.c - runs a fuzz target without libFuzzer, the same way every time:
 * over its seeds, over its corpus, and over mutations of both.
 *
 *     replay_TARGET [-n MUTATIONS] [-k FILE] [-w DIR] [FILE...]
 *
 * -n  random mutations of each input (default 300)
 * -k  write each input to FILE before it runs: after a crash, that is the one
 * -w  only write the seeds into DIR, as a start for libFuzzer
 *
 * Without FILE: the seeds and $srcdir/tests/fuzz/TARGET/corpus.
 */
#include "fuzz/fuzz.h"
#include "lib/rng.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	N_MUTATIONS = 300,
	N_CUTS = 512,   /* of these many lengths at the start of an input */
	N_FLIPS = 1024, /* bits at the start, each of which is flipped once */
	N_EDITS = 6,
	SECONDS = 30, /* no input may take longer */
	LEN_MAX = FUZZ_SEED_MAX + 4096,
};

struct replay {
	const char *keep_path;
	unsigned long n_mutations;
	unsigned long n_inputs; /* seeds and files */
	unsigned long n_runs;
	struct rng rng;
	uint8_t work[LEN_MAX];
	size_t work_len;
};

static void fail(const char *what, const char *name)
{
	(void)fprintf(stderr, "replay " FUZZ_TARGET ": %s '%s'\n", what, name);
	exit(EXIT_FAILURE);
}

static void write_file(const char *path, const uint8_t *data, size_t len)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(data, 1, len, file) != len || fclose(file) != 0)
		fail("cannot write", path);
}

/* On a copy of exactly that length, so that a sanitizer sees each overrun. */
static void run_one(struct replay *r, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (!copy)
		fail("no memory for", "an input");
	memcpy(copy, data, len);
	if (r->keep_path)
		write_file(r->keep_path, copy, len);
	(void)alarm(SECONDS);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	r->n_runs++;
}

static void run_cuts(struct replay *r, const uint8_t *data, size_t len)
{
	size_t cut;

	for (cut = 0; cut < len && cut < N_CUTS; cut++)
		run_one(r, data, cut);
	if (len > N_CUTS)
		run_one(r, data, len - 1);
}

static void run_flips(struct replay *r, const uint8_t *data, size_t len)
{
	size_t bit;

	memcpy(r->work, data, len);
	for (bit = 0; bit < len * 8 && bit < N_FLIPS; bit++) {
		r->work[bit / 8] ^= (uint8_t)(1U << bit % 8);
		run_one(r, r->work, len);
		r->work[bit / 8] = data[bit / 8];
	}
}

/* Overwrites one field with a value that formats trip over. */
static void edit_field(struct replay *r, size_t at)
{
	static const uint64_t edges[] = {
		0, 1, 0x7f, 0x80, 0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX,
	};
	uint64_t v = edges[rng_below(&r->rng, sizeof(edges) / sizeof(*edges))];
	size_t len = (size_t)1 << rng_below(&r->rng, 4);

	for (; len > 0 && at < r->work_len; len--, at++, v >>= 8)
		r->work[at] = (uint8_t)v;
}

/* Moves the tail behind `at` by up to 32 bytes, to or fro. */
static void edit_length(struct replay *r, size_t at, bool grow)
{
	size_t n = 1 + rng_below(&r->rng, 32);

	if (grow && r->work_len + n <= LEN_MAX) {
		memmove(r->work + at + n, r->work + at, r->work_len - at);
		rng_fill(&r->rng, r->work + at, n);
		r->work_len += n;
	} else if (!grow && at + n <= r->work_len) {
		memmove(r->work + at, r->work + at + n, r->work_len - at - n);
		r->work_len -= n;
	}
}

static void edit(struct replay *r)
{
	size_t at;

	if (r->work_len == 0)
		return;
	at = rng_below(&r->rng, r->work_len);
	/* Formats have their lengths and counts at the front. */
	if (rng_below(&r->rng, 2) == 0)
		at %= 64;
	switch (rng_below(&r->rng, 5)) {
	case 0:
		r->work[at] ^= (uint8_t)(1U << rng_below(&r->rng, 8));
		break;
	case 1:
		r->work[at] = (uint8_t)rng_u64(&r->rng);
		break;
	case 2:
		edit_field(r, at);
		break;
	case 3:
		edit_length(r, at, true);
		break;
	default:
		edit_length(r, at, false);
		break;
	}
}

static void run_mutations(struct replay *r, const uint8_t *data, size_t len)
{
	unsigned long i;
	unsigned n;

	for (i = 0; i < r->n_mutations; i++) {
		memcpy(r->work, data, len);
		r->work_len = len;
		for (n = 1 + (unsigned)rng_below(&r->rng, N_EDITS); n > 0; n--)
			edit(r);
		run_one(r, r->work, r->work_len);
	}
}

static void run_input(struct replay *r, const uint8_t *data, size_t len)
{
	r->n_inputs++;
	run_one(r, data, len);
	run_cuts(r, data, len);
	run_flips(r, data, len);
	run_mutations(r, data, len);
}

static void run_file(struct replay *r, const char *path)
{
	static uint8_t data[FUZZ_SEED_MAX];
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		fail("cannot open", path);
	len = fread(data, 1, sizeof(data), file);
	if (ferror(file))
		fail("cannot read", path);
	(void)fclose(file);
	run_input(r, data, len);
}

static int is_no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of names, so that runs are alike. A target needs no corpus. */
static void run_corpus(struct replay *r, const char *srcdir)
{
	struct dirent **names;
	char path[4096];
	int n;
	int i;

	(void)snprintf(path, sizeof(path),
		       "%s/tests/fuzz/" FUZZ_TARGET "/corpus",
		       srcdir ? srcdir : ".");
	n = scandir(path, &names, is_no_dot, alphasort);
	if (n < 0)
		return;
	for (i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path),
			       "%s/tests/fuzz/" FUZZ_TARGET "/corpus/%s",
			       srcdir ? srcdir : ".", names[i]->d_name);
		run_file(r, path);
		free(names[i]);
	}
	free(names);
}

/* Runs the seeds, or writes them into `dir`. */
static void each_seed(struct replay *r, const char *dir)
{
	static uint8_t data[FUZZ_SEED_MAX];
	char path[4096];
	unsigned i;
	int len;

	for (i = 0; (len = fuzz_seed(i, data, sizeof(data))) >= 0; i++) {
		if (!dir) {
			run_input(r, data, (size_t)len);
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/seed-%03u", dir, i);
		write_file(path, data, (size_t)len);
	}
}

int main(int argc, char **argv)
{
	static struct replay r = { .n_mutations = N_MUTATIONS };
	const char *seed_dir = NULL;
	int opt;

	r.rng = rng_of(1);
	while ((opt = getopt(argc, argv, "n:k:w:")) != -1) {
		if (opt == 'n')
			r.n_mutations = strtoul(optarg, NULL, 10);
		else if (opt == 'k')
			r.keep_path = optarg;
		else if (opt == 'w')
			seed_dir = optarg;
		else
			return EXIT_FAILURE;
	}
	if (seed_dir) {
		each_seed(&r, seed_dir);
		return EXIT_SUCCESS;
	}
	for (opt = optind; opt < argc; opt++)
		run_file(&r, argv[opt]);
	if (optind == argc) {
		each_seed(&r, NULL);
		run_corpus(&r, getenv("srcdir"));
	}
	if (r.n_inputs == 0)
		fail("no input for", FUZZ_TARGET);
	(void)printf("replay %s: %lu inputs, %lu runs\n", FUZZ_TARGET,
		     r.n_inputs, r.n_runs);
	(void)printf("100%%: Checks: %lu, Failures: 0, Errors: 0\n",
		     r.n_inputs);
	return EXIT_SUCCESS;
}
