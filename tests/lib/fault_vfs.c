/* SPDX-License-Identifier: MIT */
/*
 * fault_vfs.c - a VFS for SQLite that counts, fails and records.
 *
 * It stands before the system's own one. Version 1 of the file methods only:
 * no shared memory and no mapping, which an exclusive WAL does not need.
 */
#include "lib/fault.h"
#include "lib/tape.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shim_file {
	sqlite3_file base;
	char path[512];
	bool sync_dir;      /* SQLite syncs the directory of a new WAL once */
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->real;
}

static const char *path_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->path;
}

static int code_of(int err, int otherwise)
{
	return err == -28 /* ENOSPC */ ? SQLITE_FULL : otherwise;
}

static int shim_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *buf, int len, sqlite3_int64 off)
{
	int err = fault_strike(CALL_DB_READ);

	if (err)
		return SQLITE_IOERR_READ;
	return real_of(f)->pMethods->xRead(real_of(f), buf, len, off);
}

static int shim_write(sqlite3_file *f, const void *buf, int len,
		      sqlite3_int64 off)
{
	int err = fault_strike(CALL_DB_WRITE);
	int rc;

	if (err)
		return code_of(err, SQLITE_IOERR_WRITE);
	rc = real_of(f)->pMethods->xWrite(real_of(f), buf, len, off);
	if (rc == SQLITE_OK)
		tape_wrote(path_of(f), buf, (size_t)len, (uint64_t)off);
	return rc;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 len)
{
	int err = fault_strike(CALL_DB_TRUNCATE);
	int rc;

	if (err)
		return SQLITE_IOERR_TRUNCATE;
	rc = real_of(f)->pMethods->xTruncate(real_of(f), len);
	if (rc == SQLITE_OK)
		tape_cut(path_of(f), (uint64_t)len);
	return rc;
}

static int shim_sync(sqlite3_file *f, int flags)
{
	struct shim_file *shim = (struct shim_file *)f;
	size_t upto = tape_here();
	int rc = SQLITE_OK;

	if (fault_strike(CALL_DB_SYNC))
		return SQLITE_IOERR_FSYNC;
	if (!fault_syncs_skipped())
		rc = real_of(f)->pMethods->xSync(real_of(f), flags);
	if (rc != SQLITE_OK)
		return rc;
	tape_synced(shim->path, upto, shim->sync_dir);
	shim->sync_dir = false;
	return SQLITE_OK;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), ret);
}

static int shim_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_check_lock(sqlite3_file *f, int *ret)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static const sqlite3_io_methods shim_methods = {
	.iVersion = 1,
	.xClose = shim_close,
	.xRead = shim_read,
	.xWrite = shim_write,
	.xTruncate = shim_truncate,
	.xSync = shim_sync,
	.xFileSize = shim_size,
	.xLock = shim_lock,
	.xUnlock = shim_unlock,
	.xCheckReservedLock = shim_check_lock,
	.xFileControl = shim_control,
	.xSectorSize = shim_sector,
	.xDeviceCharacteristics = shim_device,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		     int flags, int *ret_flags)
{
	struct shim_file *shim = (struct shim_file *)f;
	int rc = fault_strike(CALL_DB_OPEN) ? SQLITE_CANTOPEN : SQLITE_OK;
	int there = 0;

	(void)vfs;
	if (name)
		(void)real_vfs->xAccess(real_vfs, name, SQLITE_ACCESS_EXISTS,
					&there);
	memset(shim, 0, sizeof(*shim));
	shim->real = (sqlite3_file *)(void *)(shim + 1);
	if (rc == SQLITE_OK)
		rc = real_vfs->xOpen(real_vfs, name, shim->real, flags,
				     ret_flags);
	if (rc != SQLITE_OK)
		return rc;
	shim->base.pMethods = &shim_methods;
	(void)snprintf(shim->path, sizeof(shim->path), "%s", name ? name : "");
	shim->sync_dir = (flags & SQLITE_OPEN_WAL) && !there;
	if (name)
		tape_opened(name);
	return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	int rc = real_vfs->xDelete(real_vfs, name, sync_dir);

	(void)vfs;
	if (rc == SQLITE_OK)
		tape_unlinked_path(name);
	return rc;
}

static int shim_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)vfs;
	return real_vfs->xAccess(real_vfs, name, flags, ret);
}

static int shim_full_path(sqlite3_vfs *vfs, const char *name, int len,
			  char *ret)
{
	(void)vfs;
	return real_vfs->xFullPathname(real_vfs, name, len, ret);
}

static int shim_random(sqlite3_vfs *vfs, int len, char *ret)
{
	(void)vfs;
	return real_vfs->xRandomness(real_vfs, len, ret);
}

static int shim_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return real_vfs->xSleep(real_vfs, us);
}

static int shim_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	return real_vfs->xCurrentTime(real_vfs, ret);
}

static int shim_error(sqlite3_vfs *vfs, int len, char *ret)
{
	(void)vfs;
	return real_vfs->xGetLastError(real_vfs, len, ret);
}

void fault_vfs_install(void)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.zName = "fault",
		.xOpen = shim_open,
		.xDelete = shim_delete,
		.xAccess = shim_access,
		.xFullPathname = shim_full_path,
		.xRandomness = shim_random,
		.xSleep = shim_sleep,
		.xCurrentTime = shim_time,
		.xGetLastError = shim_error,
	};

	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	if (!real_vfs)
		abort();
	vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
	vfs.mxPathname = real_vfs->mxPathname;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
