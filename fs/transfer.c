/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - reading an input, and telling of it.
 */
#include "transfer.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cmd.h"
#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NS_PER_S UINT64_C(1000000000)

static const uint64_t show_every_ns = NS_PER_S / 5;

enum { WORKERS_MAX = 64 };

/* ---- the input ------------------------------------------------------------ */

int transfer_open(struct transfer *t, const char *path)
{
	*t = (struct transfer){ .fd = STDIN_FILENO,
				.begin_ns = clock_mono_ns() };
	t->name = path && strcmp(path, "-") != 0 ? path : NULL;
	if (t->name) {
		/* Not io_open(): a link to a file is as good as the file. */
		t->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (t->fd < 0)
			return -errno;
	} else {
		t->name = "the standard input";
	}
	if (fstat(t->fd, &t->st) < 0)
		return -errno;
	return S_ISDIR(t->st.st_mode) ? -EISDIR : 0;
}

void transfer_close(struct transfer *t)
{
	int fd = steal_fd(&t->fd);

	if (fd > STDIN_FILENO)
		(void)io_close(fd);
}

bool transfer_is_file(const struct transfer *t)
{
	return S_ISREG(t->st.st_mode);
}

bool transfer_is_same(const struct transfer *t, int fd)
{
	struct stat st;

	return S_ISREG(t->st.st_mode) && fstat(fd, &st) == 0 &&
	       st.st_dev == t->st.st_dev && st.st_ino == t->st.st_ino;
}

/* ---- progress ------------------------------------------------------------- */

static double per_second(const struct transfer *t, uint64_t now)
{
	uint64_t ns = now - t->begin_ns;

	return ns > 0 ? (double)t->read_len * 1e3 / (double)ns : 0;
}

static void show(const struct transfer *t, uint64_t now)
{
	uint64_t total = transfer_is_file(t) ? (uint64_t)t->st.st_size : 0;
	char done[CMD_BYTES_MAX];

	(void)fprintf(stderr, "\r%s: %s", t->verb,
		      cmd_bytes(t->read_len, done));
	if (total > 0)
		(void)fprintf(
			stderr, " (%" PRIu64 " %%)",
			(uint64_t)((double)t->read_len * 100 / (double)total));
	(void)fprintf(stderr, ", %.0f MB/s   ", per_second(t, now));
	(void)fflush(stderr);
}

ssize_t transfer_read(struct transfer *t, void *buf, size_t len)
{
	ssize_t n = io_read(t->fd, buf, len);
	uint64_t now;

	if (n < 0) {
		t->rc = (int)n;
		return n;
	}
	t->read_len += (uint64_t)n;
	if (!t->verb)
		return n;
	now = clock_mono_ns();
	if (now - t->shown_ns >= show_every_ns) {
		t->shown_ns = now;
		show(t, now);
	}
	return n;
}

void transfer_done(struct transfer *t)
{
	if (!t->verb)
		return;
	show(t, clock_mono_ns());
	(void)fputc('\n', stderr);
	t->verb = NULL;
}

/* ---- what it took --------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		return 0;
	return ((uint64_t)used.ru_utime.tv_sec +
		(uint64_t)used.ru_stime.tv_sec) *
		       NS_PER_S +
	       ((uint64_t)used.ru_utime.tv_usec +
		(uint64_t)used.ru_stime.tv_usec) *
		       1000;
}

/* Not that of getrusage(2), which counts what our parent had, too. */
uint64_t transfer_peak_memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	static const char key[] = "VmHWM:";
	char line[256];
	uint64_t kib = 0;

	if (!file)
		return 0;
	while (kib == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			kib = strtoull(line + sizeof(key) - 1, NULL, 10);
	(void)fclose(file);
	return kib * KIB;
}

void transfer_put(const struct transfer *t, uint64_t raw_len, struct json *json)
{
	uint64_t wall = clock_mono_ns() - t->begin_ns;
	uint64_t cpu = cpu_ns();

	json_ratio(json, "wall_seconds", wall, NS_PER_S);
	json_ratio(json, "cpu_seconds", cpu, NS_PER_S);
	json_ratio(json, "mb_per_second", raw_len, wall / 1000);
	json_ratio(json, "mb_per_cpu_second", raw_len, cpu / 1000);
	json_u64(json, "peak_memory_bytes", transfer_peak_memory());
}

int transfer_parse_workers(const char *text, unsigned *ret)
{
	unsigned long n;
	long n_cpus;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || n > WORKERS_MAX)
		return -EINVAL;
	if (n == 0) {
		n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
		n = (unsigned long)min_u64(n_cpus > 0 ? (uint64_t)n_cpus : 1,
					   WORKERS_MAX);
	}
	*ret = (unsigned)n;
	return 0;
}
