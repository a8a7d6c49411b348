/* SPDX-License-Identifier: MIT */
/*
 * fault.c - the functions of base/io.h, wrapped.
 */
#include "lib/fault.h"

#include "base/io.h"
#include "lib/tape.h"

#include <fcntl.h>
#include <stdatomic.h>

int __real_io_open(int dirfd, const char *name, int flags, unsigned mode);
ssize_t __real_io_read(int fd, void *buf, size_t len);
int __real_io_write(int fd, const void *buf, size_t len);
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
int __real_io_rename_new(int dirfd, const char *from, const char *to);

int __wrap_io_open(int dirfd, const char *name, int flags, unsigned mode);
ssize_t __wrap_io_read(int fd, void *buf, size_t len);
int __wrap_io_write(int fd, const void *buf, size_t len);
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
int __wrap_io_rename_new(int dirfd, const char *from, const char *to);

/* atomic: counters; the order among threads is nobody's promise */
static atomic_ullong counts[FAULT_CALLS];
static atomic_uint armed_set; /* 0: nothing fails */
static atomic_ullong armed_at;
static atomic_ullong n_struck; /* calls of the set since it was armed */
static atomic_int armed_err;
static atomic_bool armed_for_good;
static atomic_bool fired;
static atomic_bool no_syncs;

const char *fault_name(enum fault_call call)
{
	static const char *const names[FAULT_CALLS] = {
		"open",      "read",        "write",     "pread",    "pwrite",
		"fdatasync", "fsync",       "ftruncate", "allocate", "mkdir",
		"unlink",    "rename",      "db open",   "db read",  "db write",
		"db sync",   "db truncate",
	};

	return names[call];
}

void fault_reset(void)
{
	(void)fault_disarm();
	atomic_store(&fired, false);
	for (int i = 0; i < FAULT_CALLS; i++)
		atomic_store(&counts[i], 0);
}

uint64_t fault_count(enum fault_call call)
{
	return atomic_load(&counts[call]);
}

void fault_arm(unsigned set, uint64_t nth, int err, bool for_good)
{
	atomic_store(&fired, false);
	atomic_store(&n_struck, 0);
	atomic_store(&armed_at, nth);
	atomic_store(&armed_err, err);
	atomic_store(&armed_for_good, for_good);
	atomic_store(&armed_set, set);
}

bool fault_disarm(void)
{
	atomic_store(&armed_set, 0);
	return fault_fired();
}

bool fault_fired(void)
{
	return atomic_load(&fired);
}

int fault_strike(enum fault_call call)
{
	uint64_t at = atomic_load(&armed_at);
	uint64_t n;

	atomic_fetch_add(&counts[call], 1);
	if (!(atomic_load(&armed_set) & FAULT(call)))
		return 0;
	n = atomic_fetch_add(&n_struck, 1) + 1;
	if (n != at && !(n > at && atomic_load(&armed_for_good)))
		return 0;
	atomic_store(&fired, true);
	return atomic_load(&armed_err);
}

void fault_skip_syncs(bool skip)
{
	atomic_store(&no_syncs, skip);
}

bool fault_syncs_skipped(void)
{
	return atomic_load(&no_syncs);
}

int __wrap_io_open(int dirfd, const char *name, int flags, unsigned mode)
{
	int rc = fault_strike(CALL_OPEN);

	if (!rc)
		rc = __real_io_open(dirfd, name, flags, mode);
	if (rc >= 0)
		tape_opened_fd(rc, (flags & O_CREAT) != 0);
	return rc;
}

ssize_t __wrap_io_read(int fd, void *buf, size_t len)
{
	int rc = fault_strike(CALL_READ);

	return rc ? rc : __real_io_read(fd, buf, len);
}

int __wrap_io_write(int fd, const void *buf, size_t len)
{
	int rc = fault_strike(CALL_WRITE);
	int done = __real_io_write(fd, buf, rc ? len / 2 : len);

	return rc ? rc : done;
}

ssize_t __wrap_io_pread(int fd, void *buf, size_t len, uint64_t off)
{
	int rc = fault_strike(CALL_PREAD);

	return rc ? rc : __real_io_pread(fd, buf, len, off);
}

int __wrap_io_pread_full(int fd, void *buf, size_t len, uint64_t off)
{
	int rc = fault_strike(CALL_PREAD);

	return rc ? rc : __real_io_pread_full(fd, buf, len, off);
}

int __wrap_io_pwrite(int fd, const void *buf, size_t len, uint64_t off)
{
	int rc = fault_strike(CALL_PWRITE);
	int done;

	if (rc)
		len /= 2;
	done = __real_io_pwrite(fd, buf, len, off);
	if (!done && len > 0)
		tape_wrote_fd(fd, buf, len, off);
	return rc ? rc : done;
}

static int sync_it(enum fault_call call, int fd, int (*sync)(int fd))
{
	size_t upto = tape_here();
	int rc = fault_strike(call);

	if (!rc && !fault_syncs_skipped())
		rc = sync(fd);
	if (!rc)
		tape_synced_fd(fd, upto);
	return rc;
}

int __wrap_io_fdatasync(int fd)
{
	return sync_it(CALL_FDATASYNC, fd, __real_io_fdatasync);
}

int __wrap_io_fsync(int fd)
{
	return sync_it(CALL_FSYNC, fd, __real_io_fsync);
}

int __wrap_io_ftruncate(int fd, uint64_t len)
{
	int rc = fault_strike(CALL_FTRUNCATE);

	if (!rc)
		rc = __real_io_ftruncate(fd, len);
	if (!rc)
		tape_cut_fd(fd, len);
	return rc;
}

int __wrap_io_allocate(int fd, uint64_t off, uint64_t len)
{
	int rc = fault_strike(CALL_ALLOCATE);
	uint64_t size = 0;

	if (!rc)
		rc = __real_io_allocate(fd, off, len);
	if (!rc && io_size(fd, &size) == 0)
		tape_cut_fd(fd, size);
	return rc;
}

int __wrap_io_mkdir(int dirfd, const char *name, unsigned mode)
{
	int rc = fault_strike(CALL_MKDIR);

	if (!rc)
		rc = __real_io_mkdir(dirfd, name, mode);
	if (!rc)
		tape_made_dir(dirfd, name);
	return rc;
}

int __wrap_io_unlink(int dirfd, const char *name)
{
	int rc = fault_strike(CALL_UNLINK);

	if (!rc)
		rc = __real_io_unlink(dirfd, name);
	if (!rc)
		tape_unlinked(dirfd, name);
	return rc;
}

int __wrap_io_rename(int dirfd, const char *from, const char *to)
{
	int rc = fault_strike(CALL_RENAME);

	if (!rc)
		rc = __real_io_rename(dirfd, from, to);
	if (!rc)
		tape_renamed(dirfd, from, to);
	return rc;
}

int __wrap_io_rename_new(int dirfd, const char *from, const char *to)
{
	int rc = fault_strike(CALL_RENAME);

	if (!rc)
		rc = __real_io_rename_new(dirfd, from, to);
	if (!rc)
		tape_renamed(dirfd, from, to);
	return rc;
}
