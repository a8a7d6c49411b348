/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the wrapped functions.
 *
 * A shadow of each watched file holds what was there at its last sync.
 */
#include "unit/store/fault.h"

#include "base/io.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 64, SECTOR = 512 };

struct shadow {
	ino_t ino;
	bool durable; /* its name is */
	uint8_t *bytes;
	size_t len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint armed_kinds;
static unsigned countdown;
static int fault_err;
static bool fault_lasting;
static atomic_bool fault_hit;

static atomic_bool watching;
static char watched[512];
static ino_t watched_ino;
static struct shadow shadows[FILES_MAX];
static size_t n_shadows;

int __real_io_open(int dirfd, const char *name, int flags, unsigned mode);
ssize_t __real_io_pread(int fd, void *buf, size_t len, uint64_t off);
int __real_io_pread_full(int fd, void *buf, size_t len, uint64_t off);
int __real_io_pwrite(int fd, const void *buf, size_t len, uint64_t off);
int __real_io_fdatasync(int fd);
int __real_io_fsync(int fd);
int __real_io_ftruncate(int fd, uint64_t len);
int __real_io_allocate(int fd, uint64_t off, uint64_t len);
int __real_io_mkdir(int dirfd, const char *name, unsigned mode);
int __real_io_unlink(int dirfd, const char *name);
int __real_io_rename(int dirfd, const char *from, const char *to);

int __wrap_io_open(int dirfd, const char *name, int flags, unsigned mode);
ssize_t __wrap_io_pread(int fd, void *buf, size_t len, uint64_t off);
int __wrap_io_pread_full(int fd, void *buf, size_t len, uint64_t off);
int __wrap_io_pwrite(int fd, const void *buf, size_t len, uint64_t off);
int __wrap_io_fdatasync(int fd);
int __wrap_io_fsync(int fd);
int __wrap_io_ftruncate(int fd, uint64_t len);
int __wrap_io_allocate(int fd, uint64_t off, uint64_t len);
int __wrap_io_mkdir(int dirfd, const char *name, unsigned mode);
int __wrap_io_unlink(int dirfd, const char *name);
int __wrap_io_rename(int dirfd, const char *from, const char *to);

/* ---- failing ------------------------------------------------------------- */

void fault_arm(unsigned kinds, unsigned n, int err, bool lasting)
{
	pthread_mutex_lock(&lock);
	countdown = n;
	fault_err = err;
	fault_lasting = lasting;
	atomic_store(&fault_hit, false);
	atomic_store(&armed_kinds, kinds);
	pthread_mutex_unlock(&lock);
}

bool fault_disarm(void)
{
	atomic_store(&armed_kinds, 0);
	return atomic_load(&fault_hit);
}

/* The error to fail with, or 0. */
static int fault(unsigned kind)
{
	int err = 0;

	if (!(atomic_load(&armed_kinds) & kind))
		return 0;
	pthread_mutex_lock(&lock);
	if (countdown > 0)
		countdown--;
	if (countdown == 0 && (!atomic_load(&fault_hit) || fault_lasting)) {
		atomic_store(&fault_hit, true);
		err = fault_err;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* ---- what is durable ----------------------------------------------------- */

void power_watch(const char *log_dir)
{
	struct stat st;

	ck_assert_int_eq(stat(log_dir, &st), 0);
	(void)snprintf(watched, sizeof(watched), "%s", log_dir);
	watched_ino = st.st_ino;
	n_shadows = 0;
	atomic_store(&watching, true);
}

void power_unwatch(void)
{
	atomic_store(&watching, false);
	while (n_shadows > 0)
		free(shadows[--n_shadows].bytes);
}

static struct shadow *shadow_of(ino_t ino)
{
	size_t i;

	for (i = 0; i < n_shadows; i++) {
		if (shadows[i].ino == ino)
			return &shadows[i];
	}
	ck_assert_uint_lt(n_shadows, FILES_MAX);
	shadows[n_shadows] = (struct shadow){ .ino = ino };
	return &shadows[n_shadows++];
}

static void load(int fd, size_t len, uint8_t **ret)
{
	*ret = realloc(*ret, len ? len : 1);
	ck_assert_int_eq(__real_io_pread(fd, *ret, len, 0), (ssize_t)len);
}

/* Runs `each` on the names of the watched directory. */
static void for_names(void (*each)(const char *name, ino_t ino, void *ctx),
		      void *ctx)
{
	struct dirent *entry;
	DIR *dir = opendir(watched);

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			each(entry->d_name, entry->d_ino, ctx);
	}
	(void)closedir(dir);
}

static void name_is_durable(const char *name, ino_t ino, void *ctx)
{
	(void)name;
	(void)ctx;
	shadow_of(ino)->durable = true;
}

/* After a sync of `fd`: what is there now is durable. */
static void synced(int fd)
{
	struct stat st;

	if (!atomic_load(&watching) || fstat(fd, &st) < 0)
		return;
	pthread_mutex_lock(&lock);
	if (S_ISDIR(st.st_mode) && st.st_ino == watched_ino) {
		for_names(name_is_durable, NULL);
	} else if (S_ISREG(st.st_mode)) {
		struct shadow *s = shadow_of(st.st_ino);

		s->len = (size_t)st.st_size;
		load(fd, s->len, &s->bytes);
	}
	pthread_mutex_unlock(&lock);
}

struct cut {
	struct rng *rng;
	unsigned percent;
	const char *to;
};

static bool lands(struct cut *c)
{
	return rng_below(c->rng, 100) < c->percent;
}

/* Mixes the file of now with its shadow, sector by sector. */
static size_t mix(struct cut *c, const struct shadow *s, uint8_t *now,
		  size_t len)
{
	size_t result = s->len;
	size_t at;

	for (at = 0; at < len; at += SECTOR) {
		size_t n = len - at < SECTOR ? len - at : SECTOR;
		size_t old = at >= s->len      ? 0
			     : s->len - at < n ? s->len - at
					       : n;
		bool changed =
			old < n || memcmp(now + at, s->bytes + at, n) != 0;

		if (changed && lands(c)) {
			result = at + n > result ? at + n : result;
			continue;
		}
		memset(now + at, 0, n);
		if (old > 0)
			memcpy(now + at, s->bytes + at, old);
	}
	return result < len ? result : len;
}

static void cut_file(const char *name, ino_t ino, void *ctx)
{
	struct cut *c = ctx;
	struct shadow *s = shadow_of(ino);
	uint8_t *now = NULL;
	char path[600];
	struct stat st;
	size_t len;
	FILE *out;
	int fd;

	if (!s->durable && !lands(c))
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", watched, name);
	fd = __real_io_open(AT_FDCWD, path, O_RDONLY, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	load(fd, (size_t)st.st_size, &now);
	len = mix(c, s, now, (size_t)st.st_size);
	(void)io_close(fd);
	(void)snprintf(path, sizeof(path), "%s/%s", c->to, name);
	out = fopen(path, "wbe");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(now, 1, len, out), len);
	ck_assert_int_eq(fclose(out), 0);
	free(now);
}

void power_cut(struct rng *rng, unsigned percent, const char *to)
{
	struct cut c = { rng, percent, to };

	pthread_mutex_lock(&lock);
	for_names(cut_file, &c);
	pthread_mutex_unlock(&lock);
}

/* ---- the wrapped functions ----------------------------------------------- */

int __wrap_io_open(int dirfd, const char *name, int flags, unsigned mode)
{
	int err = fault(FAULT_OPEN);

	return err ? err : __real_io_open(dirfd, name, flags, mode);
}

ssize_t __wrap_io_pread(int fd, void *buf, size_t len, uint64_t off)
{
	int err = fault(FAULT_READ);

	return err ? err : __real_io_pread(fd, buf, len, off);
}

int __wrap_io_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	int err = fault(FAULT_READ);

	return err ? err : __real_io_pread_full(fd, buf, len, off);
}

int __wrap_io_pwrite(int fd, const void *buf, size_t len, uint64_t off)
{
	int err = fault(FAULT_WRITE);

	if (!err)
		return __real_io_pwrite(fd, buf, len, off);
	(void)__real_io_pwrite(fd, buf, len / 2, off);
	return err;
}

int __wrap_io_fdatasync(int fd)
{
	int rc = fault(FAULT_SYNC);

	if (rc == 0)
		rc = __real_io_fdatasync(fd);
	if (rc == 0)
		synced(fd);
	return rc;
}

int __wrap_io_fsync(int fd)
{
	int rc = fault(FAULT_SYNC);

	if (rc == 0)
		rc = __real_io_fsync(fd);
	if (rc == 0)
		synced(fd);
	return rc;
}

int __wrap_io_ftruncate(int fd, uint64_t len)
{
	int err = fault(FAULT_CUT);

	return err ? err : __real_io_ftruncate(fd, len);
}

int __wrap_io_allocate(int fd, uint64_t off, uint64_t len)
{
	int err = fault(FAULT_WRITE);

	return err ? err : __real_io_allocate(fd, off, len);
}

int __wrap_io_mkdir(int dirfd, const char *name, unsigned mode)
{
	int err = fault(FAULT_NAME);

	return err ? err : __real_io_mkdir(dirfd, name, mode);
}

int __wrap_io_unlink(int dirfd, const char *name)
{
	int err = fault(FAULT_NAME);

	return err ? err : __real_io_unlink(dirfd, name);
}

int __wrap_io_rename(int dirfd, const char *from, const char *to)
{
	int err = fault(FAULT_NAME);

	return err ? err : __real_io_rename(dirfd, from, to);
}
