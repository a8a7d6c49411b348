/* SPDX-License-Identifier: MIT */
/*
 * tar_export.c - walks a volume and writes an archive.
 *
 *     directory -> its entry -> a slice of its names -> each of them, and so on
 *
 * Of a directory under way only the place in it is kept: after one of its
 * subdirectories its listing goes on behind that name.
 */
#include "tar.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/idmap.h"
#include "base/io.h"
#include "base/report.h"
#include "tar_acl.h"
#include "view.h"
#include "volume/file.h"
#include "xattr_name.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
	SLICE = 64,
	PIECE_LEN = 1 << 20,
	RETRY_LEN = 64 << 10, /* around damage */
	RANGES_MAX = 65536,   /* of a file with holes */
	ZEROS_LEN = 1 << 30,
	PATHS_MAX = INT_MAX,
};

/* A directory on the way down. */
struct level {
	uint64_t ino;
	uint64_t cookie;
	size_t path_len;
};

struct exporting {
	struct tar_job *job;
	struct volume *v;
	struct tar_library lib;
	struct archive *archive;
	const uint8_t *zeros; /* ZEROS_LEN of them, which take no memory */
	struct buffer path;   /* of what is at hand, without a NUL */
	struct level *levels; /* owned */
	size_t n_levels;
	size_t levels_cap;
	struct idmap linked; /* inode -> 1 + place of its first name */
	struct buffer names; /* of those, each with a NUL */
	int write_rc;        /* of the descriptor */
};

/* ---- telling -------------------------------------------------------------- */

/* The path with a NUL, until it changes; NULL: no memory. */
static const char *path_text(struct exporting *x)
{
	if (buffer_reserve(&x->path, 1) < 0)
		return NULL;
	x->path.data[x->path.len] = '\0';
	return (const char *)x->path.data;
}

static void problem(struct exporting *x, int rc)
{
	const char *path = path_text(x);

	x->job->n_problems++;
	report_error("'%s': %s", path ? path : "?", error_text(rc));
}

/* What libarchive says of the archive as a whole. */
static int archive_rc(struct exporting *x)
{
	int rc = x->lib.archive_errno(x->archive);

	if (x->write_rc < 0)
		rc = x->write_rc;
	else
		rc = rc > 0 && rc < 4096 ? -rc : -EIO;
	report_error("the archive cannot be written: %s",
		     x->write_rc < 0 ? error_text(rc)
				     : x->lib.archive_error_string(x->archive));
	return rc;
}

static la_ssize_t write_out(struct archive *a, void *ctx, const void *bytes,
			    size_t len)
{
	struct exporting *x = ctx;

	x->write_rc = io_write(x->job->fd, bytes, len);
	if (x->write_rc == 0)
		return (la_ssize_t)len;
	x->lib.archive_set_error(a, -x->write_rc, "%s",
				 error_text(x->write_rc));
	return -1;
}

/* ---- content -------------------------------------------------------------- */

static int put_bytes(struct exporting *x, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		la_ssize_t n = x->lib.archive_write_data(x->archive, at, len);

		if (n <= 0)
			return archive_rc(x);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put_zeros(struct exporting *x, uint64_t len)
{
	int rc = 0;

	while (rc == 0 && len > 0) {
		uint64_t n = min_u64(len, ZEROS_LEN);

		rc = put_bytes(x, x->zeros, (size_t)n);
		len -= n;
	}
	return rc;
}

static int put_read(struct exporting *x, struct file_read *r)
{
	int rc = 0;
	int i;

	for (i = 0; rc == 0 && i < r->n_iov; i++)
		rc = put_bytes(x, r->iov[i].iov_base, r->iov[i].iov_len);
	x->job->n_bytes += r->len;
	file_read_done(r);
	return rc;
}

static void say_unreadable(struct exporting *x, uint64_t off, uint64_t len,
			   int rc)
{
	const char *path = path_text(x);

	x->job->n_problems++;
	report_error("'%s': bytes %llu to %llu cannot be read: %s; the archive "
		     "has zeros there",
		     path ? path : "?", (unsigned long long)off,
		     (unsigned long long)(off + len - 1), error_text(rc));
}

/* The range holds data. As little as possible is lost with what is damaged. */
static int put_range(struct exporting *x, uint64_t ino, uint64_t off,
		     uint64_t end)
{
	uint64_t careful_to = 0;
	int rc = 0;

	while (rc == 0 && off < end) {
		uint64_t len = min_u64(end - off, off < careful_to ? RETRY_LEN
								   : PIECE_LEN);
		struct file_read r;
		int read_rc = file_read(x->v, ino, off, (size_t)len, &r);

		if (read_rc == 0 && r.len == len) {
			rc = put_read(x, &r);
		} else if (read_rc == 0) {
			file_read_done(&r);
			read_rc = -EUCLEAN; /* it has become shorter */
		}
		if (read_rc < 0 && len > RETRY_LEN) {
			careful_to = off + len;
			continue;
		}
		if (read_rc < 0) {
			say_unreadable(x, off, len, read_rc);
			rc = put_zeros(x, len);
		}
		off += len;
		if (x->job->progress)
			x->job->progress(x->job->ctx, x->job);
	}
	return rc;
}

struct range {
	uint64_t from;
	uint64_t to;
};

/* The next data at `off` or behind it; false: there is none. When the map cannot
 * be read, all is data: who reads it will be told. */
static bool next_range(struct exporting *x, const struct volume_attr *a,
		       uint64_t off, struct range *ret)
{
	uint64_t from = off;
	uint64_t to = a->size;
	int rc = file_seek(x->v, a->ino, off, SEEK_DATA, &from);

	if (rc == -ENXIO || off >= a->size)
		return false;
	if (rc < 0)
		from = off;
	else if (file_seek(x->v, a->ino, from, SEEK_HOLE, &to) < 0)
		to = a->size;
	ret->from = from;
	ret->to = min_u64(to, a->size);
	return from < ret->to;
}

static int put_content(struct exporting *x, const struct volume_attr *a)
{
	struct range range;
	uint64_t off = 0;
	int rc = 0;

	while (rc == 0 && next_range(x, a, off, &range)) {
		rc = put_zeros(x, range.from - off);
		if (rc == 0)
			rc = put_range(x, a->ino, range.from, range.to);
		off = range.to;
	}
	return rc < 0 ? rc : put_zeros(x, a->size - off);
}

/*
 * Where the data is, when there are holes. libarchive keeps the list; of a file
 * with more ranges than we have patience for, what follows counts as one.
 */
static void put_ranges(struct exporting *x, struct archive_entry *e,
		       const struct volume_attr *a)
{
	struct range range;
	uint64_t off = 0;
	unsigned n = 0;

	while (next_range(x, a, off, &range)) {
		if (n == 0 && range.from == 0 && range.to == a->size)
			return;
		if (++n == RANGES_MAX)
			range.to = a->size;
		x->lib.archive_entry_sparse_add_entry(
			e, (la_int64_t)range.from,
			(la_int64_t)(range.to - range.from));
		off = range.to;
	}
	if (n == 0 && a->size > 0)
		x->lib.archive_entry_sparse_add_entry(e, 0, 0);
}

/* ---- attributes ----------------------------------------------------------- */

static int put_xattr(struct exporting *x, struct archive_entry *e, uint64_t ino,
		     const char *name)
{
	AUTO_FREE uint8_t *value = malloc(VOLUME_XATTR_MAX);
	ssize_t n = -ENOMEM;

	if (value)
		n = volume_getxattr(x->v, ino, span_of(name, strlen(name)),
				    value, VOLUME_XATTR_MAX);
	if (n >= 0 && xattr_name_is_acl(name))
		return tar_acl_put(&x->lib, e, name, span_of(value, (size_t)n));
	if (n >= 0)
		x->lib.archive_entry_xattr_add_entry(e, name, value, (size_t)n);
	return n < 0 ? (int)n : 0;
}

static int put_xattrs(struct exporting *x, struct archive_entry *e,
		      uint64_t ino)
{
	ssize_t len = volume_listxattr(x->v, ino, NULL, 0);
	AUTO_FREE char *names = len > 0 ? malloc((size_t)len) : NULL;
	const char *at = names;
	int rc = 0;

	if (len <= 0)
		return (int)len;
	if (!names)
		return -ENOMEM;
	len = volume_listxattr(x->v, ino, names, (size_t)len);
	while (rc == 0 && at < names + len) {
		rc = put_xattr(x, e, ino, at);
		at += strlen(at) + 1;
	}
	return len < 0 ? (int)len : rc;
}

/* Before 1970 there are but seconds: what a fraction of a negative number means,
 * readers do not agree on. */
static long nsec_of(const struct volume_time *t)
{
	return t->sec < 0 ? 0 : (long)t->nsec;
}

static void put_attr(const struct exporting *x, struct archive_entry *e,
		     const struct volume_attr *a)
{
	x->lib.archive_entry_set_mode(e, a->mode);
	x->lib.archive_entry_set_uid(e, a->uid);
	x->lib.archive_entry_set_gid(e, a->gid);
	x->lib.archive_entry_set_mtime(e, a->mtime.sec, nsec_of(&a->mtime));
	x->lib.archive_entry_set_atime(e, a->atime.sec, nsec_of(&a->atime));
	x->lib.archive_entry_set_ctime(e, a->ctime.sec, nsec_of(&a->ctime));
	x->lib.archive_entry_set_size(e, S_ISREG(a->mode) ? (la_int64_t)a->size
							  : 0);
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode)) {
		x->lib.archive_entry_set_rdevmajor(e, major(a->rdev));
		x->lib.archive_entry_set_rdevminor(e, minor(a->rdev));
	}
}

static int put_target(struct exporting *x, struct archive_entry *e,
		      uint64_t ino)
{
	char target[VOLUME_SYMLINK_MAX + 1];
	int rc = view_readlink(x->v, ino, target);

	if (rc == 0)
		x->lib.archive_entry_copy_symlink(e, target);
	return rc;
}

/* ---- one member ----------------------------------------------------------- */

/* The first name of an inode with several, once that is in the archive. */
static const char *first_name(const struct exporting *x, uint64_t ino)
{
	const uint64_t *at = idmap_find(&x->linked, ino);

	return at ? (const char *)x->names.data + *at - 1 : NULL;
}

static int keep_name(struct exporting *x, uint64_t ino)
{
	size_t at = x->names.len;
	int rc = buffer_append(&x->names, buffer_span(&x->path));

	if (rc == 0)
		rc = buffer_append_u8(&x->names, 0);
	return rc < 0 ? rc : idmap_set(&x->linked, ino, 1 + at);
}

/* Fills all but the name. 1: a further name of what is there already. */
static int fill_entry(struct exporting *x, struct archive_entry *e,
		      const struct volume_attr *a)
{
	const char *first = first_name(x, a->ino);
	int rc;

	put_attr(x, e, a);
	if (first) {
		x->lib.archive_entry_set_size(e, 0);
		x->lib.archive_entry_copy_hardlink(e, first);
		return 1;
	}
	if (S_ISREG(a->mode))
		put_ranges(x, e, a);
	rc = S_ISLNK(a->mode) ? put_target(x, e, a->ino) : 0;
	if (rc < 0)
		return rc;
	rc = put_xattrs(x, e, a->ino);
	if (rc < 0)
		problem(x, rc);
	return 0;
}

/* A name that is not UTF-8 gets through as it is; libarchive says that it is
 * none. */
static int put_header(struct exporting *x, struct archive_entry *e)
{
	static const char translate[] = "Can't translate";
	int rc = x->lib.archive_write_header(x->archive, e);
	const char *text = x->lib.archive_error_string(x->archive);

	if (rc == ARCHIVE_FATAL)
		return archive_rc(x);
	if (rc == ARCHIVE_OK ||
	    (text && strncmp(text, translate, sizeof(translate) - 1) == 0))
		return 0;
	x->job->n_problems++;
	report_error("'%s': %s", x->lib.archive_entry_pathname(e), text);
	return rc == ARCHIVE_WARN ? 0 : 1;
}

/* 1: it is not in the archive, which has been said. */
static int put_filled(struct exporting *x, struct archive_entry *e,
		      const struct volume_attr *a)
{
	int kind = fill_entry(x, e, a);
	int rc;

	if (kind < 0) {
		problem(x, kind);
		return 1;
	}
	rc = put_header(x, e);
	if (rc != 0)
		return rc;
	if (kind == 0 && a->nlink > 1 && !S_ISDIR(a->mode))
		rc = keep_name(x, a->ino);
	if (rc < 0)
		problem(x, rc);
	else if (kind == 0 && S_ISREG(a->mode))
		rc = put_content(x, a);
	return rc;
}

static int put_member(struct exporting *x, const struct volume_attr *a)
{
	const char *path = path_text(x);
	struct archive_entry *e = x->lib.archive_entry_new();
	int rc = -ENOMEM;

	if (S_ISSOCK(a->mode)) {
		report_warn("'%s': a socket, left out", path ? path : "?");
		rc = 0;
	} else if (path && e) {
		x->lib.archive_entry_copy_pathname(e, path);
		rc = put_filled(x, e, a);
		x->job->n_entries += rc == 0;
		if (x->job->progress)
			x->job->progress(x->job->ctx, x->job);
	} else {
		problem(x, rc);
	}
	x->lib.archive_entry_free(e);
	return rc;
}

/* ---- the walk ------------------------------------------------------------- */

/* Goes into the directory that the path names now. */
static int descend(struct exporting *x, uint64_t ino)
{
	if (x->n_levels == x->levels_cap) {
		size_t cap = x->levels_cap > 0 ? x->levels_cap * 2 : SLICE;
		struct level *levels =
			reallocarray(x->levels, cap, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		x->levels = levels;
		x->levels_cap = cap;
	}
	x->levels[x->n_levels++] =
		(struct level){ .ino = ino, .path_len = x->path.len };
	return 0;
}

/* 1: it is a directory, and the next one to look at. */
static int visit(struct exporting *x, const struct view_entry *e,
		 const char *name)
{
	struct level *dir = &x->levels[x->n_levels - 1];
	int rc;

	dir->cookie = e->next;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	x->path.len = dir->path_len;
	rc = buffer_append_u8(&x->path, '/');
	if (rc == 0)
		rc = buffer_append(&x->path, span_of(name, strlen(name)));
	if (rc == 0)
		rc = e->rc;
	if (rc == 0 && S_ISDIR(e->attr.mode))
		rc = view_check_child(x->v, dir->ino, e->attr.ino);
	if (rc < 0) {
		problem(x, rc);
		return rc == -ENOMEM ? rc : 0;
	}
	rc = put_member(x, &e->attr);
	if (rc != 0 || !S_ISDIR(e->attr.mode))
		return rc < 0 ? rc : 0;
	rc = descend(x, e->attr.ino);
	if (rc < 0)
		problem(x, rc);
	return rc < 0 ? rc : 1;
}

/* Some names of the innermost directory. */
static int visit_slice(struct exporting *x, struct view_list *list)
{
	struct level *dir = &x->levels[x->n_levels - 1];
	const size_t path_len = dir->path_len;
	int more = view_list_read(list, x->v, dir->ino, dir->cookie);
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < list->n; i++)
		rc = visit(x, &list->entries[i],
			   view_name(list, &list->entries[i]));
	if (rc != 0 || more == 1)
		return rc < 0 ? rc : 0;
	if (more < 0) {
		x->path.len = path_len;
		problem(x, more);
	}
	x->n_levels--;
	return 0;
}

static int walk(struct exporting *x, const char *path)
{
	struct volume_attr attr;
	struct view_list list;
	int rc = view_find(x->v, path, false, &attr);

	if (rc < 0) {
		problem(x, rc);
		return rc;
	}
	rc = put_member(x, &attr);
	if (rc == 0 && S_ISDIR(attr.mode))
		rc = descend(x, attr.ino);
	view_list_init(&list, SLICE);
	while (rc == 0 && x->n_levels > 0)
		rc = visit_slice(x, &list);
	view_list_release(&list);
	return rc < 0 ? rc : 0;
}

/* ---- the whole ------------------------------------------------------------ */

/* What the path is called in the archive. */
static int name_members(struct exporting *x, const char *path)
{
	AUTO_FREE char *clean = malloc(strlen(path) + 1);
	int rc = clean ? tar_clean_name(path, clean) : -ENOMEM;

	if (rc == 0 && *clean == '\0')
		rc = buffer_append_u8(&x->path, '.');
	else if (rc == 0)
		rc = buffer_append(&x->path, span_of(clean, strlen(clean)));
	if (rc == -EXDEV)
		report_error("'%s': a path to export has no '..'", path);
	else if (rc < 0)
		report_error("'%s': %s", path, error_text(rc));
	return rc;
}

/* Names are UTF-8 in such an archive, or said not to be. */
static int open_archive(struct exporting *x)
{
	void *zeros = mmap(NULL, ZEROS_LEN, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (zeros == MAP_FAILED) {
		report_error("cannot export: %s", error_text(-ENOMEM));
		return -ENOMEM;
	}
	x->zeros = zeros;
	x->archive = x->lib.archive_write_new();
	if (!x->archive) {
		report_error("cannot export: %s", error_text(-ENOMEM));
		return -ENOMEM;
	}
	if (x->lib.archive_write_set_format_pax(x->archive) != ARCHIVE_OK ||
	    x->lib.archive_write_set_options(
		    x->archive, "xattrheader=SCHILY") != ARCHIVE_OK ||
	    x->lib.archive_write_open(x->archive, x, NULL, write_out, NULL) !=
		    ARCHIVE_OK)
		return archive_rc(x);
	return 0;
}

static int export_all(struct exporting *x, const char *path)
{
	int rc = name_members(x, path);

	if (rc == 0)
		rc = tar_library_open(&x->lib);
	if (rc == 0)
		rc = open_archive(x);
	if (rc == 0)
		rc = walk(x, path);
	if (rc == 0 && x->lib.archive_write_close(x->archive) != ARCHIVE_OK)
		rc = archive_rc(x);
	return rc;
}

int tar_export(struct tar_job *job, const char *path)
{
	struct exporting x = { .job = job, .v = job->volume };
	int rc;

	buffer_init(&x.path, PATHS_MAX);
	buffer_init(&x.names, PATHS_MAX);
	idmap_init(&x.linked);
	rc = export_all(&x, path);
	/* Its end is not written when it is not complete. */
	if (x.archive && rc < 0)
		(void)x.lib.archive_write_fail(x.archive);
	if (x.archive)
		(void)x.lib.archive_write_free(x.archive);
	if (x.zeros)
		(void)munmap((void *)(uintptr_t)x.zeros, ZEROS_LEN);
	idmap_release(&x.linked);
	buffer_release(&x.names);
	buffer_release(&x.path);
	free(x.levels);
	return rc;
}
