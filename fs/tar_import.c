/* SPDX-License-Identifier: MIT */
/*
 * tar_import.c - reads an archive and makes what it says.
 *
 *     member -> its directory -> what has the name goes -> make -> attributes,
 *     content -> owner, mode, times        at the end: times of directories
 *
 * No name leads out of the volume, and no symbolic link in it is followed: what
 * an archive says is where things come to lie. A member that cannot be made is
 * said and passed over. An archive that ends in the middle of a file takes that
 * file with it.
 */
#include "tar_import.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "base/report.h"
#include "volume/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
	READ_LEN = 256 << 10,
	BLOCK_LEN = 512,
	MAJOR_MAX = 0xfff, /* as the kernel has them */
	MINOR_MAX = 0xfffff,
};

/* ---- telling -------------------------------------------------------------- */

int tar_problem(struct importing *m, const char *what)
{
	m->job->n_problems++;
	report_error("'%s': %s", m->said, what);
	return TAR_SKIP;
}

int tar_fail(struct importing *m, int rc)
{
	switch (-rc) {
	case ENOTDIR:
	case EISDIR:
	case EEXIST:
	case ENOTEMPTY:
	case ENAMETOOLONG:
	case EINVAL:
	case EFBIG:
	case EMLINK:
	case EPERM:
		return tar_problem(m, error_text(rc));
	default:
		report_error("'%s': %s; nothing behind it was imported",
			     m->said, error_text(rc));
		return rc;
	}
}

/* ---- the input ------------------------------------------------------------ */

static void count_zeros(struct importing *m, size_t len)
{
	size_t n = 0;

	while (n < len && m->input[len - 1 - n] == 0)
		n++;
	m->n_zeros = n < len ? n : m->n_zeros + n;
}

static la_ssize_t read_in(struct archive *a, void *ctx, const void **ret)
{
	struct importing *m = ctx;
	ssize_t n = io_read(m->job->fd, m->input, READ_LEN);

	if (n < 0) {
		m->read_rc = (int)n;
		m->lib.archive_set_error(a, (int)-n, "%s", error_text((int)n));
		return -1;
	}
	m->n_read += (uint64_t)n;
	count_zeros(m, (size_t)n);
	*ret = m->input;
	return n;
}

/* What libarchive says of the archive as a whole. */
static int archive_rc(struct importing *m)
{
	const char *text = m->lib.archive_error_string(m->archive);

	if (m->n_read == 0 && m->read_rc == 0)
		report_error("there is no archive: the input is empty");
	else if (m->said)
		report_error("the archive cannot be read behind '%s': %s",
			     m->said, text ? text : "?");
	else
		report_error("not a tar archive that can be read: %s",
			     text ? text : "?");
	return m->read_rc < 0 ? m->read_rc : -EUCLEAN;
}

/* ---- names ---------------------------------------------------------------- */

static int lookup(struct importing *m, uint64_t dir, struct span name,
		  struct volume_attr *ret)
{
	int rc = volume_lookup(m->v, dir, name, ret);

	if (rc == 0)
		volume_forget(m->v, ret->ino, 1);
	return rc;
}

/* A directory that the archive puts something into without naming it. */
static int make_missing(struct importing *m, uint64_t dir, struct span name,
			struct volume_attr *ret)
{
	const struct volume_new new = {
		.mode = S_IFDIR | 0755,
		.uid = geteuid(),
		.gid = getegid(),
	};
	int rc = volume_make(m->v, dir, name, &new, ret);

	if (rc == 0)
		volume_forget(m->v, ret->ino, 1);
	return rc;
}

/* The directory that `path` lies in, and its last name. With `make`, what is
 * missing on the way is made. */
static int find_dir(struct importing *m, const char *path, bool make,
		    struct volume_place *ret)
{
	uint64_t dir = VOLUME_ROOT;
	const char *slash;
	int rc = 0;

	while (rc == 0 && (slash = strchr(path, '/')) != NULL) {
		struct span name = span_of(path, (size_t)(slash - path));
		struct volume_attr attr;

		rc = lookup(m, dir, name, &attr);
		if (rc == -ENOENT && make)
			rc = make_missing(m, dir, name, &attr);
		if (rc == 0 && !S_ISDIR(attr.mode))
			rc = -ENOTDIR;
		if (rc == 0)
			dir = attr.ino;
		path = slash + 1;
	}
	ret->parent = dir;
	ret->name = span_of(path, strlen(path));
	return rc;
}

/* Members of a directory mostly follow each other. */
static int find_member_dir(struct importing *m)
{
	struct volume_place place;
	const char *slash = strrchr(m->path, '/');
	size_t len = slash ? (size_t)(slash - m->path) : 0;
	int rc;

	if (m->dir_path && strlen(m->dir_path) == len &&
	    memcmp(m->dir_path, m->path, len) == 0) {
		const char *name = slash ? slash + 1 : m->path;

		m->name = span_of(name, strlen(name));
		return 0;
	}
	free(steal_ptr(&m->dir_path));
	rc = find_dir(m, m->path, true, &place);
	if (rc == -ENOTDIR)
		return tar_problem(m, "what should be its directory is none");
	if (rc < 0)
		return tar_fail(m, rc);
	m->dir_path = strndup(m->path, len);
	m->dir = place.parent;
	m->name = place.name;
	return 0;
}

static int take_name(struct importing *m)
{
	const char *said = m->lib.archive_entry_pathname(m->entry);
	int rc = -ENOMEM;

	free(steal_ptr(&m->path));
	free(steal_ptr(&m->said));
	m->said = strdup(said ? said : "?");
	if (!m->said) {
		report_error("cannot import: %s", error_text(rc));
		return rc;
	}
	if (!said)
		return tar_problem(m, "a name that cannot be read");
	m->path = malloc(strlen(said) + 1);
	if (m->path)
		rc = tar_clean_name(said, m->path);
	if (rc == -EXDEV)
		return tar_problem(m, "its name has '..' in it: left out");
	if (rc < 0)
		return tar_fail(m, rc);
	if (*said == '/' && !m->said_absolute) {
		report_warn("'%s': names that begin with '/' begin at the root "
			    "of the store",
			    said);
		m->said_absolute = true;
	}
	return find_member_dir(m);
}

/* Takes away what has the member's name. `*ret` is what stays: a directory where
 * a directory is to be; 0: nothing. */
static int clear_place(struct importing *m, bool want_dir, uint64_t *ret)
{
	struct volume_attr attr = { .ino = VOLUME_ROOT, .mode = S_IFDIR };
	int rc = 0;

	if (m->name.len > 0)
		rc = lookup(m, m->dir, m->name, &attr);
	*ret = 0;
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return tar_fail(m, rc);
	if (S_ISDIR(attr.mode) && want_dir) {
		*ret = attr.ino;
		return 0;
	}
	if (m->name.len == 0)
		return tar_problem(m, "the root of the store is a directory");
	if (!S_ISDIR(attr.mode))
		rc = volume_unlink(m->v, m->dir, m->name);
	else
		rc = volume_rmdir(m->v, m->dir, m->name);
	if (rc == -ENOTEMPTY)
		return tar_problem(m,
				   "there is a directory of this name, and it "
				   "is not empty");
	return rc < 0 ? tar_fail(m, rc) : 0;
}

/* ---- kinds of members ----------------------------------------------------- */

static int make(struct importing *m, struct span target, uint64_t *ret)
{
	const struct volume_new new = {
		.mode = m->lib.archive_entry_mode(m->entry),
		.uid = (uint32_t)m->lib.archive_entry_uid(m->entry),
		.gid = (uint32_t)m->lib.archive_entry_gid(m->entry),
		.rdev = makedev(
			(unsigned)m->lib.archive_entry_rdevmajor(m->entry),
			(unsigned)m->lib.archive_entry_rdevminor(m->entry)),
		.target = target,
	};
	struct volume_attr attr;
	uint64_t there;
	int rc = clear_place(m, false, &there);

	if (rc != 0)
		return rc;
	rc = volume_make(m->v, m->dir, m->name, &new, &attr);
	if (rc < 0)
		return tar_fail(m, rc);
	volume_forget(m->v, attr.ino, 1);
	*ret = attr.ino;
	return 0;
}

/* TAR_STOP: that was all. An error has been said. */
static int next_block(struct importing *m, uint64_t *ret_off, struct span *ret)
{
	const void *bytes = NULL;
	size_t len = 0;
	la_int64_t off = 0;
	int rc = m->lib.archive_read_data_block(m->archive, &bytes, &len, &off);

	if (rc == ARCHIVE_EOF)
		return TAR_STOP;
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
		report_error("'%s': the archive ends, or is damaged, in the "
			     "middle of it: %s; it was not imported",
			     m->said, m->lib.archive_error_string(m->archive));
		return m->read_rc < 0 ? m->read_rc : -EUCLEAN;
	}
	*ret_off = (uint64_t)off;
	*ret = span_of(bytes, len);
	return 0;
}

static int put_content(struct importing *m, uint64_t ino)
{
	struct volume_attr attr = {
		.size = (uint64_t)m->lib.archive_entry_size(m->entry),
	};
	struct span bytes;
	uint64_t off;
	int rc;

	while ((rc = next_block(m, &off, &bytes)) == 0) {
		if (bytes.len > 0)
			rc = file_write(m->v, ino, off, bytes, 0);
		if (rc < 0)
			return tar_fail(m, rc);
		m->job->n_bytes += bytes.len;
		if (m->job->progress)
			m->job->progress(m->job->ctx, m->job);
	}
	if (rc < 0)
		return rc;
	/* There may be a hole at its end. */
	rc = volume_setattr(m->v, ino, SET_SIZE, &attr, &attr);
	file_release(m->v, ino);
	return rc < 0 ? tar_fail(m, rc) : 0;
}

static int import_file(struct importing *m)
{
	uint64_t ino = 0;
	int rc = make(m, span_of(NULL, 0), &ino);

	if (rc != 0)
		return rc;
	rc = tar_put_xattrs(m, ino);
	if (rc == 0)
		rc = put_content(m, ino);
	if (rc == 0)
		return tar_put_attr(m, ino);
	/* Part of a file is worse than none. */
	(void)volume_unlink(m->v, m->dir, m->name);
	return rc;
}

static int import_dir(struct importing *m)
{
	uint64_t ino = 0;
	int rc = clear_place(m, true, &ino);

	if (rc == 0 && ino == 0)
		rc = make(m, span_of(NULL, 0), &ino);
	if (rc == 0)
		rc = tar_put_xattrs(m, ino);
	if (rc == 0)
		rc = tar_put_attr(m, ino);
	return rc == 0 ? tar_put_late(m, ino) : rc;
}

static int import_plain(struct importing *m, struct span target)
{
	uint64_t ino = 0;
	int rc = make(m, target, &ino);

	if (rc == 0)
		rc = tar_put_xattrs(m, ino);
	return rc == 0 ? tar_put_attr(m, ino) : rc;
}

static int import_symlink(struct importing *m)
{
	const char *target = m->lib.archive_entry_symlink(m->entry);
	size_t len = target ? strlen(target) : 0;

	if (len == 0 || len > VOLUME_SYMLINK_MAX)
		return tar_problem(m,
				   "a symbolic link without a target, or with "
				   "one that is too long");
	return import_plain(m, span_of(target, len));
}

/* What a hard link is a further name of. */
static int find_linked(struct importing *m, const char *said,
		       struct volume_attr *ret)
{
	AUTO_FREE char *path = malloc(strlen(said) + 1);
	struct volume_place place;
	int rc;

	if (!path)
		return -ENOMEM;
	rc = tar_clean_name(said, path);
	if (rc < 0)
		return rc;
	if (*path == '\0')
		return -EISDIR;
	rc = find_dir(m, path, false, &place);
	return rc < 0 ? rc : lookup(m, place.parent, place.name, ret);
}

static int import_link(struct importing *m, const char *said)
{
	struct volume_attr linked;
	struct volume_attr there;
	uint64_t stays;
	int rc = find_linked(m, said, &linked);

	if (rc == -EXDEV || rc == -ENOENT || rc == -ENOTDIR ||
	    rc == -ENAMETOOLONG) {
		m->job->n_problems++;
		report_error("'%s': a link to '%s', which is not in the store",
			     m->said, said);
		return TAR_SKIP;
	}
	if (rc == 0 && S_ISDIR(linked.mode))
		rc = -EISDIR;
	if (rc < 0)
		return tar_fail(m, rc);
	if (m->name.len > 0 && lookup(m, m->dir, m->name, &there) == 0 &&
	    there.ino == linked.ino)
		return 0;
	rc = clear_place(m, false, &stays);
	if (rc != 0)
		return rc;
	rc = volume_link(m->v, linked.ino, m->dir, m->name, &linked);
	if (rc < 0)
		return tar_fail(m, rc);
	volume_forget(m->v, linked.ino, 1);
	return 0;
}

/* -1 says "as it is" to those who take a number. */
static bool is_owner(la_int64_t id)
{
	return id >= 0 && id < (la_int64_t)UINT32_MAX;
}

static int import_member(struct importing *m)
{
	const char *linked = m->lib.archive_entry_hardlink(m->entry);
	int rc = take_name(m);

	if (rc != 0)
		return rc;
	if (!is_owner(m->lib.archive_entry_uid(m->entry)) ||
	    !is_owner(m->lib.archive_entry_gid(m->entry)))
		return tar_problem(m,
				   "an owner that no file can have: left out");
	if (linked)
		return import_link(m, linked);
	if (m->lib.archive_entry_rdevmajor(m->entry) > MAJOR_MAX ||
	    m->lib.archive_entry_rdevminor(m->entry) > MINOR_MAX)
		return tar_problem(
			m, "a device number that is too large: left out");
	switch (m->lib.archive_entry_filetype(m->entry)) {
	case AE_IFREG:
		return import_file(m);
	case AE_IFDIR:
		return import_dir(m);
	case AE_IFLNK:
		return import_symlink(m);
	case AE_IFIFO:
	case AE_IFCHR:
	case AE_IFBLK:
		return import_plain(m, span_of(NULL, 0));
	default:
		return tar_problem(m, "of a kind that is not known: left out");
	}
}

/* ---- the whole ------------------------------------------------------------ */

/* An archive ends in two blocks of zeros. One that was cut off between two
 * members has everything else. */
static int check_end(struct importing *m)
{
	const uint64_t used =
		(uint64_t)m->lib.archive_filter_bytes(m->archive, -1);

	if (used < m->n_read || m->n_zeros >= BLOCK_LEN)
		return 0;
	report_error(
		"the archive has no end mark behind '%s': it may have been "
		"cut off there",
		m->said ? m->said : "?");
	m->job->n_problems++;
	return 0;
}

/* TAR_STOP: that was the last one. Names that are not UTF-8 are as good as others. */
static int next_member(struct importing *m)
{
	static const char converted[] = "can't be converted";
	int rc = m->lib.archive_read_next_header(m->archive, &m->entry);
	const char *text;

	if (rc == ARCHIVE_EOF && m->n_read > 0) {
		rc = check_end(m);
		return rc < 0 ? rc : TAR_STOP;
	}
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return archive_rc(m);
	text = m->lib.archive_error_string(m->archive);
	if (rc == ARCHIVE_WARN && text && !strstr(text, converted)) {
		report_error("'%s': %s",
			     m->lib.archive_entry_pathname(m->entry), text);
		m->job->n_problems++;
	}
	return 0;
}

static int import_all(struct importing *m)
{
	int rc;

	while ((rc = next_member(m)) == 0) {
		rc = import_member(m);
		if (rc < 0)
			return rc;
		m->job->n_entries += rc == 0;
		if (m->job->progress)
			m->job->progress(m->job->ctx, m->job);
	}
	return rc < 0 ? rc : 0;
}

/* Who writes the archive may not be through with what pads it. */
static void drain(struct importing *m)
{
	ssize_t n;

	do {
		n = io_read(m->job->fd, m->input, READ_LEN);
	} while (n > 0);
}

static int open_archive(struct importing *m)
{
	int rc = tar_library_open(&m->lib);

	if (rc < 0)
		return rc;
	m->input = malloc(READ_LEN);
	m->archive = m->lib.archive_read_new();
	if (!m->input || !m->archive) {
		report_error("cannot import: %s", error_text(-ENOMEM));
		return -ENOMEM;
	}
	if (m->lib.archive_read_support_format_tar(m->archive) != ARCHIVE_OK ||
	    m->lib.archive_read_open(m->archive, m, NULL, read_in, NULL) !=
		    ARCHIVE_OK)
		return archive_rc(m);
	return 0;
}

int tar_import(struct tar_job *job)
{
	struct importing m = { .job = job, .v = job->volume };
	int late_rc;
	int rc;

	idmap_init(&m.policies);
	rc = open_archive(&m);
	if (rc == 0)
		rc = import_all(&m);
	if (rc == 0)
		drain(&m);
	late_rc = tar_set_late(&m);
	if (m.archive)
		(void)m.lib.archive_read_free(m.archive);
	idmap_release(&m.policies);
	free(m.input);
	free(m.late);
	free(m.path);
	free(m.dir_path);
	free(m.said);
	return rc < 0 ? rc : late_rc;
}
