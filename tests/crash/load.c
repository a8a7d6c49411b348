/* SPDX-License-Identifier: MIT */
/*
 * load.c - random work in a directory, with a journal outside of it.
 *
 *   load work DIR JOURNAL SEED STEPS
 *   load verify DIR JOURNAL SEED STEPS
 *
 * Works in DIR, which is empty at first, by system calls that SEED chooses,
 * and adds a byte to JOURNAL after each one that was answered. Ends with 0
 * when the filesystem is gone or the work is done; with 1 and a line when an
 * answer was wrong. `verify` repeats the work in memory and looks whether DIR
 * holds what a crash after the last byte may have left.
 */
#include "model/observe.h"
#include "model/verify.h"

#include "base/bytes.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { BUF_LEN = 8 << 20 };

struct load {
	const char *dir;
	struct model *m;
	uint8_t *buf;
	uint8_t *want;
	bool wrong; /* bytes that were read */
};

/* The path of a node, or of a name in it. */
static void path_of(const struct load *l, uint32_t id, const char *name,
		    char *path)
{
	char below[2 * PATH_MAX] = "";
	const char *part = NULL;
	uint32_t dir = 0;

	while (id != MODEL_ROOT && model_where(l->m, id, &dir, &part)) {
		char longer[2 * PATH_MAX];

		(void)snprintf(longer, sizeof(longer), "/%s%.4000s", part,
			       below);
		memcpy(below, longer, strlen(longer) + 1);
		id = dir;
	}
	(void)snprintf(path, PATH_MAX, "%.200s%.3400s%s%s", l->dir, below,
		       name ? "/" : "", name ? name : "");
}

/* 0 or a negative errno. */
static int result(int rc)
{
	return rc < 0 ? -errno : 0;
}

/* ---- names --------------------------------------------------------------------- */

static int do_make(struct load *l, const struct op *op)
{
	char path[PATH_MAX];
	int fd;

	path_of(l, op->a, op->name, path);
	switch (op->mode & S_IFMT) {
	case S_IFDIR:
		return result(mkdir(path, op->mode & 07777));
	case S_IFLNK:
		return result(symlink(op->to_name, path));
	case S_IFREG:
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  op->mode & 07777);
		return fd < 0 ? -errno : result(close(fd));
	default:
		return result(mknod(path, op->mode, op->rdev));
	}
}

static int do_rename(struct load *l, const struct op *op)
{
	char from[PATH_MAX];
	char to[PATH_MAX];

	path_of(l, op->a, op->name, from);
	path_of(l, op->b, op->to_name, to);
	return result(
		renameat2(AT_FDCWD, from, AT_FDCWD, to, (unsigned)op->flags));
}

static int do_setattr(struct load *l, const struct op *op)
{
	struct timespec times[2] = { op->atime, op->mtime };
	char path[PATH_MAX];

	path_of(l, op->a, NULL, path);
	if (op->flags & OP_SET_MODE)
		return result(chmod(path, op->mode & 07777));
	if (op->flags & OP_SET_OWNER)
		return result(lchown(path, op->uid, op->gid));
	return result(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static int do_names(struct load *l, const struct op *op)
{
	char path[PATH_MAX];
	char other[PATH_MAX];

	path_of(l, op->a, op->name, path);
	switch ((int)op->kind) {
	case OP_MAKE:
		return do_make(l, op);
	case OP_RENAME:
		return do_rename(l, op);
	case OP_LINK:
		path_of(l, op->b, NULL, other);
		return result(link(other, path));
	case OP_UNLINK:
		return result(unlink(path));
	default:
		return result(rmdir(path));
	}
}

/* ---- content --------------------------------------------------------------------- */

static int write_all(int fd, const uint8_t *bytes, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, bytes, len, (off_t)off);

		if (n < 0)
			return -errno;
		bytes += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int64_t copy_all(struct load *l, const struct op *op, int from)
{
	char path[PATH_MAX];
	AUTO_CLOSE int to = -1;
	off_t in = (off_t)op->off;
	off_t out = (off_t)op->to_off;
	uint64_t size = model_get(l->m, op->a)->size;
	size_t len = op->off < size ? min_u64(op->len, size - op->off) : 0;
	size_t done = 0;

	path_of(l, op->b, NULL, path);
	to = open(path, O_RDWR | O_CLOEXEC);
	if (to < 0)
		return -errno;
	/* Not beyond the end of before: a copy may make its source longer. */
	do {
		ssize_t n =
			copy_file_range(from, &in, to, &out,
					done < len ? len - done : op->len, 0);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	} while (done < len);
	return (int64_t)done;
}

static int read_some(struct load *l, const struct op *op, int fd)
{
	const struct model_node *node = model_get(l->m, op->a);
	size_t want = model_read(node, op->off, l->want, op->len);
	size_t done = 0;

	while (done < want) {
		ssize_t n = pread(fd, l->buf + done, want - done,
				  (off_t)(op->off + done));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	l->wrong = done != want || memcmp(l->buf, l->want, want) != 0;
	return 0;
}

static int64_t do_content(struct load *l, const struct op *op)
{
	const struct model_node *node = model_get(l->m, op->a);
	bool looks = op->kind == OP_READ || op->kind == OP_FSYNC;
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	int64_t rc;

	path_of(l, op->a, NULL, path);
	fd = open(path, (looks ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	switch ((int)op->kind) {
	case OP_WRITE:
		fill_bytes(op->fill, op->seed, l->buf, op->len);
		rc = write_all(fd, l->buf, op->len,
			       op->append ? node->size : op->off);
		break;
	case OP_ALLOCATE:
		rc = result(fallocate(fd, op->flags, (off_t)op->off,
				      (off_t)op->len));
		break;
	case OP_COPY:
		rc = copy_all(l, op, fd);
		break;
	case OP_READ:
		rc = read_some(l, op, fd);
		break;
	case OP_RESIZE:
		rc = result(ftruncate(fd, (off_t)op->size));
		break;
	default:
		return result(fsync(fd));
	}
	if (rc >= 0 && close(steal_fd(&fd)))
		rc = -errno; /* a write that was promised is lost */
	return rc;
}

static int64_t do_op(struct load *l, const struct op *op)
{
	char path[PATH_MAX];

	switch ((int)op->kind) {
	case OP_MAKE:
	case OP_LINK:
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_RENAME:
		return do_names(l, op);
	case OP_SETATTR:
		return do_setattr(l, op);
	case OP_SETXATTR:
		path_of(l, op->a, NULL, path);
		fill_bytes(op->fill, op->seed, l->buf, op->len);
		return result(
			setxattr(path, op->name, l->buf, op->len, op->flags));
	case OP_REMOVEXATTR:
		path_of(l, op->a, NULL, path);
		return result(removexattr(path, op->name));
	default:
		return do_content(l, op);
	}
}

/* ---- the two commands --------------------------------------------------------------- */

static struct model *empty_model(void)
{
	struct model *m = model_new();

	m->nodes[MODEL_ROOT]->uid = getuid();
	m->nodes[MODEL_ROOT]->gid = getgid();
	return m;
}

/* Whether the filesystem has died under us: no cache answers statvfs(3). */
static bool is_gone(const char *dir, int64_t rc)
{
	struct statvfs st;

	return rc < 0 && statvfs(dir, &st) != 0;
}

static int complain(const struct load *l, const struct op *op, int64_t got,
		    int64_t want)
{
	char text[VERIFY_WHY];

	op_text(op, text, sizeof(text));
	(void)fprintf(stderr, "load: step %llu: %s: %s says %lld, not %lld%s\n",
		      (unsigned long long)l->m->step, text, l->dir,
		      (long long)got, (long long)want,
		      l->wrong ? ", and the bytes are wrong" : "");
	return 1;
}

static int work(struct load *l, int journal, uint64_t seed, uint64_t steps)
{
	struct rng rng = rng_of(seed);
	uint32_t id = 0;

	for (uint64_t i = 1; i <= steps; i++) {
		struct op op;
		int64_t got, want;

		l->m->step = i;
		op_next(&rng, l->m, &op_mix_mount, &op);
		got = do_op(l, &op);
		if (is_gone(l->dir, got))
			return 0;
		want = op_apply(l->m, &op, &id);
		if (got != want || l->wrong)
			return complain(l, &op, got, want);
		if (write(journal, "+", 1) != 1)
			return 1;
	}
	return 0;
}

static int verify(struct load *l, uint64_t n_answered, uint64_t seed,
		  uint64_t steps)
{
	struct crash crash = {
		.base = l->m,
		.mix = &op_mix_mount,
		.seed = seed,
		.n_answered = n_answered,
		.n_begun = n_answered < steps ? n_answered + 1 : n_answered,
		.page_cache = true,
	};
	char why[VERIFY_WHY];
	struct model *seen = observe_dir(l->dir, why, sizeof(why));
	bool fine = seen && crash_verify(&crash, seen, why);

	if (!fine)
		(void)fprintf(stderr,
			      "load: %s, seed %llu, %llu answered: %s\n",
			      l->dir, (unsigned long long)seed,
			      (unsigned long long)n_answered, why);
	else
		(void)printf("%s: %llu operations, as it should be\n", l->dir,
			     (unsigned long long)n_answered);
	model_free(seen);
	return fine ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct load l = { 0 };
	struct stat st;
	int journal;
	int rc;

	if (argc != 6) {
		(void)fprintf(stderr, "usage: load work|verify DIR JOURNAL "
				      "SEED STEPS\n");
		return 2;
	}
	(void)umask(0);
	l.dir = argv[2];
	l.m = empty_model();
	l.buf = malloc(BUF_LEN);
	l.want = malloc(BUF_LEN);
	journal = open(argv[3], O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (!l.buf || !l.want || journal < 0 || fstat(journal, &st)) {
		perror(argv[3]);
		return 2;
	}
	if (strcmp(argv[1], "work") == 0)
		rc = work(&l, journal, strtoull(argv[4], NULL, 0),
			  strtoull(argv[5], NULL, 0));
	else
		rc = verify(&l, (uint64_t)st.st_size,
			    strtoull(argv[4], NULL, 0),
			    strtoull(argv[5], NULL, 0));
	model_free(l.m);
	free(l.buf);
	free(l.want);
	return rc;
}
