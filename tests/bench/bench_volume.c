/* SPDX-License-Identifier: MIT */
/*
 * bench_volume.c - a file written and read through `volume`, without FUSE.
 *
 *     bench_volume STORE FILE
 *
 * Makes STORE (which must not exist), writes FILE into it in requests of 1 MiB,
 * syncs, reopens, reads it back and compares. One JSON line a step: megabytes
 * (10^6) a second of wall time and CPU seconds of the process.
 */
#include "base/clock.h"
#include "volume/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 1 << 20 };

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct lap {
	uint64_t wall_ns;
	double cpu;
};

static struct lap lap_begin(void)
{
	return (struct lap){ clock_mono_ns(), cpu_seconds() };
}

static void lap_end(const struct lap *from, const char *step, size_t len)
{
	double wall = (double)(clock_mono_ns() - from->wall_ns) / 1e9;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("{\"step\":\"%s\",\"mb_s\":%.1f,\"wall_s\":%.3f,\"cpu_s\":%.3f,"
	       "\"peak_kib\":%ld}\n",
	       step, (double)len / 1e6 / wall, wall, cpu_seconds() - from->cpu,
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

static void write_all(struct volume *v, uint64_t ino, struct span in)
{
	struct lap lap = lap_begin();

	for (size_t off = 0; off < in.len; off += REQUEST)
		must(file_write(v, ino, off,
				span_of(in.ptr + off,
					min_u64(REQUEST, in.len - off)),
				0),
		     "write");
	must(file_fsync(v, ino), "fsync");
	lap_end(&lap, "write+fsync", in.len);
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

int main(int argc, char **argv)
{
	const struct volume_new file = { .mode = S_IFREG | 0644 };
	const struct volume_options options = {
		.store = { .effort = EFFORT_BALANCED },
	};
	struct volume_attr attr;
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
	must(volume_make(v, VOLUME_ROOT, span_of("file", 4), &file, &attr),
	     "make");
	write_all(v, attr.ino, in);
	lap = lap_begin();
	must(volume_close(v), "close");
	lap_end(&lap, "close", 0);
	must(volume_open(argv[1], &options, &v), "open");
	read_all(v, attr.ino, in, "read");
	must(volume_close(v), "close");
	return 0;
}
