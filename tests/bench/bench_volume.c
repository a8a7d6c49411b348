/* SPDX-License-Identifier: MIT */
/*
 * bench_volume.c - a file written and read through `volume`, without FUSE.
 *
 *     bench_volume STORE FILE
 *
 * Makes STORE (which must not exist), writes FILE into it in requests of 1 MiB,
 * syncs, reopens, reads it back and compares. One JSON line a step: megabytes
 * (10^6) a second of wall time and CPU seconds of the process.
 *
 * Then the first 32 MiB, which the cache holds, are read again and again, by one
 * thread and by two at once, in the same file and in a copy each, in turns: with
 * the bytes copied, as the kernel does with an answer, and only looked up. For
 * each: nanoseconds of CPU a KiB, the median of the rounds, how much that is of
 * what one thread takes, and how often a thread went to sleep, which it does for a
 * lock that another one has.
 */
#include "base/clock.h"
#include "volume/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	REQUEST = 1 << 20,
	CACHED_REQUEST = 128 << 10,
	CACHED_MAX = 32 << 20,
	N_ROUNDS = 9,
	N_PASSES = 20, /* of a round */
	READERS_MAX = 2,
};

static double cpu_seconds(clockid_t of)
{
	struct timespec t;

	clock_gettime(of, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct lap {
	uint64_t wall_ns;
	double cpu;
};

static struct lap lap_begin(void)
{
	return (struct lap){ clock_mono_ns(),
			     cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) };
}

static void lap_end(const struct lap *from, const char *step, size_t len)
{
	double wall = (double)(clock_mono_ns() - from->wall_ns) / 1e9;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"step\":\"%s\",\"mb_s\":%.1f,\"wall_s\":%.3f,\"cpu_s\":%.3f,"
	       "\"peak_kib\":%ld}\n",
	       step, (double)len / 1e6 / wall, wall,
	       cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - from->cpu,
	       usage.ru_maxrss);
}

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench_volume: %s: %d\n", what, rc);
	exit(1);
}

static struct span map_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	must(fd, path);
	must(fstat(fd, &st), path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ,
		 MAP_PRIVATE | MAP_POPULATE, fd, 0);
	must(p == MAP_FAILED ? -1 : 0, path);
	(void)close(fd);
	return span_of(p, (size_t)st.st_size);
}

static uint64_t write_new(struct volume *v, const char *name, struct span in,
			  const char *step)
{
	const struct volume_new file = { .mode = S_IFREG | 0644 };
	struct volume_attr attr;
	struct lap lap;

	must(volume_make(v, VOLUME_ROOT, span_of(name, strlen(name)), &file,
			 &attr),
	     "make");
	lap = lap_begin();

	for (size_t off = 0; off < in.len; off += REQUEST)
		must(file_write(v, attr.ino, off,
				span_of(in.ptr + off,
					min_u64(REQUEST, in.len - off)),
				0),
		     "write");
	must(file_fsync(v, attr.ino), "fsync");
	lap_end(&lap, step, in.len);
	return attr.ino;
}

static void read_all(struct volume *v, uint64_t ino, struct span in,
		     const char *step)
{
	struct lap lap = lap_begin();
	bool same = true;

	for (size_t off = 0; off < in.len; off += REQUEST) {
		struct file_read r;
		size_t at = off;

		must(file_read(v, ino, off, REQUEST, &r), "read");
		for (int i = 0; i < r.n_iov; i++) {
			same = same && memcmp(in.ptr + at, r.iov[i].iov_base,
					      r.iov[i].iov_len) == 0;
			at += r.iov[i].iov_len;
		}
		file_read_done(&r);
	}
	lap_end(&lap, step, in.len);
	must(same ? 0 : -1, "what was read is not what was written");
}

struct cached_reader {
	struct volume *v;
	uint64_t ino;
	size_t len;
	bool copy;
	double cpu;
	long n_sleeps;
	pthread_t thread;
};

static void copy_out(const struct file_read *r, uint8_t *to)
{
	for (int i = 0; i < r->n_iov; to += r->iov[i++].iov_len)
		memcpy(to, r->iov[i].iov_base, r->iov[i].iov_len);
}

static void *read_cached(void *arg)
{
	struct cached_reader *r = arg;
	double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
	struct rusage usage;
	uint8_t *room = malloc(CACHED_REQUEST);
	struct file_read one;

	must(room ? 0 : -1, "memory");
	for (int i = 0; i < N_PASSES; i++) {
		for (size_t off = 0; off < r->len; off += CACHED_REQUEST) {
			must(file_read(r->v, r->ino, off, CACHED_REQUEST, &one),
			     "read");
			if (r->copy)
				copy_out(&one, room);
			file_read_done(&one);
		}
	}
	free(room);
	r->cpu = cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
	must(getrusage(RUSAGE_THREAD, &usage), "getrusage");
	r->n_sleeps = usage.ru_nvcsw;
	return NULL;
}

struct round {
	double ns_per_kib;
	long n_sleeps;
};

/* A way to read. */
struct way {
	const char *step;
	size_t n_readers;
	uint64_t inos[READERS_MAX]; /* the file of each */
};

static struct round read_round(struct volume *v, const struct way *way,
			       size_t len, bool copy)
{
	struct cached_reader readers[READERS_MAX];
	struct round sum = { 0 };
	size_t i;

	for (i = 0; i < way->n_readers; i++) {
		readers[i] = (struct cached_reader){
			.v = v, .ino = way->inos[i], .len = len, .copy = copy
		};
		must(-pthread_create(&readers[i].thread, NULL, read_cached,
				     &readers[i]),
		     "thread");
	}
	for (i = 0; i < way->n_readers; i++) {
		must(-pthread_join(readers[i].thread, NULL), "join");
		sum.ns_per_kib += readers[i].cpu;
		sum.n_sleeps += readers[i].n_sleeps;
	}
	sum.ns_per_kib *=
		1e9 * 1024 / N_PASSES / (double)len / (double)way->n_readers;
	return sum;
}

static int by_cost(const void *a, const void *b)
{
	double x = ((const struct round *)a)->ns_per_kib;
	double y = ((const struct round *)b)->ns_per_kib;

	return (x > y) - (x < y);
}

static void read_scaling(struct volume *v, const uint64_t inos[2], size_t len,
			 bool copy)
{
	const struct way ways[] = {
		{ "1 reader", 1, { inos[0] } },
		{ "2 readers of a file", 2, { inos[0], inos[0] } },
		{ "2 readers of two files", 2, { inos[0], inos[1] } },
	};
	struct round rounds[ARRAY_LEN(ways)][N_ROUNDS];
	const struct round *median;
	double alone = 0;

	len = min_u64(len, CACHED_MAX);
	for (int i = 0; i < N_ROUNDS; i++) {
		for (size_t k = 0; k < ARRAY_LEN(ways); k++)
			rounds[k][i] = read_round(v, &ways[k], len, copy);
	}
	for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
		qsort(rounds[k], N_ROUNDS, sizeof(rounds[k][0]), by_cost);
		median = &rounds[k][N_ROUNDS / 2];
		if (k == 0)
			alone = median->ns_per_kib;
		printf("{\"step\":\"cached, %s, %s\",\"cpu_ns_kib\":%.2f,"
		       "\"ratio\":%.3f,\"sleeps\":%ld}\n",
		       ways[k].step, copy ? "copied" : "looked up",
		       median->ns_per_kib, median->ns_per_kib / alone,
		       median->n_sleeps);
	}
}

int main(int argc, char **argv)
{
	const struct volume_options options = {
		.store = { .effort = EFFORT_BALANCED },
	};
	uint64_t inos[2];
	struct volume *v;
	struct span in;
	struct lap lap;

	if (argc != 3) {
		fprintf(stderr, "usage: bench_volume STORE FILE\n");
		return 2;
	}
	in = map_file(argv[2]);
	must(volume_create(argv[1], &(struct store_create_options){ 0 }),
	     "create");
	must(volume_open(argv[1], &options, &v), "open");
	inos[0] = write_new(v, "file", in, "write+fsync");
	inos[1] = write_new(v, "copy", in, "write+fsync of a copy");
	lap = lap_begin();
	must(volume_close(v), "close");
	lap_end(&lap, "close", 0);
	must(volume_open(argv[1], &options, &v), "open");
	read_all(v, inos[0], in, "read");
	read_scaling(v, inos, in.len, true);
	read_scaling(v, inos, in.len, false);
	must(volume_close(v), "close");
	return 0;
}
