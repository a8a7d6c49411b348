/* SPDX-License-Identifier: MIT */
/*
 * fuse_file.c - operations on the content of files.
 *
 * OPEN is refused with ENOSYS: the kernel then opens files without asking,
 * keeps its cache across opens, and sends no RELEASE. FLUSH is not served at
 * all; what a close has to write, the kernel has written before it.
 */
#include "bridge.h"

#include "base/workers.h"
#include "refusals.h"
#include "volume/file.h"

#include <errno.h>
#include <stdlib.h>

static void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	answer_status(req, -ENOSYS);
}

/* Not sent while opens are free; kernels that do send it mean well. */
static void file_end(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if ((fi->flags & O_ACCMODE) != O_RDONLY)
		file_release(volume_of(req), ino);
	answer_status(req, 0);
}

static void file_get(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct file_read read;
	int rc = file_read(volume_of(req), ino, (uint64_t)off, size, &read);

	(void)fi;
	if (rc < 0) {
		answer_inode_status(req, rc);
		return;
	}
	/* Before the answer, after which the program may look at it. */
	if (!wire_no_access())
		(void)volume_accessed(volume_of(req), ino);
	(void)fuse_reply_iov(req, read.iov, read.n_iov);
	file_read_done(&read);
}

/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void file_put(fuse_req_t req, fuse_ino_t ino, const char *buf,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	struct bridge *bridge = bridge_of(req);
	unsigned flags = 0;
	int rc;

	if (fi->writepage)
		flags |= FILE_WRITE_CACHED;
	if (wire_kill_priv())
		flags |= FILE_WRITE_KILL_PRIV;
	rc = file_write(bridge->volume, ino, (uint64_t)off, span_of(buf, size),
			flags);
	if (rc < 0)
		answer_inode_status(req, rc);
	else
		(void)fuse_reply_write(req, size);
	/* Not before the answer: what forgets may wait for it. */
	if (rc < 0 && (flags & FILE_WRITE_CACHED))
		refusals_note(bridge->refusals, ino, rc);
}

/*
 * After it the number of blocks is known, and the kernel, which takes its own
 * for good as long as the file is open, has to ask for it again. Attributes alone
 * are forgotten without any lock that a request holds.
 */
static void file_sync(fuse_req_t req, fuse_ino_t ino, int datasync,
		      struct fuse_file_info *fi)
{
	int rc = file_fsync(volume_of(req), ino);

	(void)datasync;
	(void)fi;
	if (rc == 0)
		(void)fuse_lowlevel_notify_inval_inode(bridge_of(req)->se, ino,
						       -1, 0);
	answer_inode_status(req, rc);
}

/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void file_reserve(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
			 off_t len, struct fuse_file_info *fi)
{
	(void)fi;
	answer_inode_status(req, file_allocate(volume_of(req), ino, mode,
					       (uint64_t)off, (uint64_t)len));
}

/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void file_clone(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
		       struct fuse_file_info *fi_in, fuse_ino_t ino_out,
		       off_t off_out, struct fuse_file_info *fi_out, size_t len,
		       int flags)
{
	/* The answer has 32 bits for the length; whoever wants more asks
	 * again. */
	const size_t most = (size_t)1 << 30;
	const struct file_range from = { ino_in, (uint64_t)off_in };
	const struct file_range to = { ino_out, (uint64_t)off_out };
	ssize_t n = -EINVAL;

	(void)fi_in;
	(void)fi_out;
	if (flags == 0)
		n = file_copy(volume_of(req), &from, &to,
			      len < most ? len : most);
	/* Of this read the kernel knows nothing, and keeps the old time. */
	if (n > 0 && volume_accessed(volume_of(req), ino_in))
		(void)fuse_lowlevel_notify_inval_inode(bridge_of(req)->se,
						       ino_in, -1, 0);
	if (n < 0)
		answer_inode_status(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

/* NOLINTNEXTLINE(readability-function-size): as libfuse calls it */
static void file_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg,
		       struct fuse_file_info *fi, unsigned flags,
		       const void *in_buf, size_t in_len, size_t out_len)
{
	(void)ino;
	(void)cmd;
	(void)arg;
	(void)fi;
	(void)flags;
	(void)in_buf;
	(void)in_len;
	(void)out_len;
	answer_status(req, -ENOTTY);
}

/* ---- data and holes ------------------------------------------------------- */

/* A LSEEK that waits for its thread. */
struct seek {
	struct work work;
	fuse_req_t req;
	fuse_ino_t ino;
	off_t off;
	int whence;
};

/*
 * The kernel may hold data of this file that we have not seen: it would be
 * taken for a hole. Dropping the file's pages makes the kernel write the dirty
 * ones first, with requests that the other threads serve.
 */
static void seek_run(struct work *work, unsigned worker)
{
	struct seek *s = (struct seek *)work;
	struct bridge *bridge = bridge_of(s->req);
	uint64_t found;
	int rc;

	(void)worker;
	if (!bridge->read_only)
		(void)fuse_lowlevel_notify_inval_inode(bridge->se, s->ino, 0,
						       0);
	rc = file_seek(bridge->volume, s->ino, (uint64_t)s->off, s->whence,
		       &found);
	if (rc < 0)
		answer_inode_status(s->req, rc);
	else
		(void)fuse_reply_lseek(s->req, (off_t)found);
	free(s);
}

static void file_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
		       struct fuse_file_info *fi)
{
	struct seek *s = calloc(1, sizeof(*s));

	(void)fi;
	if (!s) {
		answer_status(req, -ENOMEM);
		return;
	}
	s->work.run = seek_run;
	s->req = req;
	s->ino = ino;
	s->off = off;
	s->whence = whence;
	/* Never waits: this thread may be needed to write what the seeks
	 * before this one are waiting for. */
	if (!workers_try_submit(bridge_of(req)->seekers, &s->work)) {
		answer_status(req, -EAGAIN);
		free(s);
	}
}

void file_ops(struct fuse_lowlevel_ops *ops)
{
	ops->open = file_open;
	ops->release = file_end;
	ops->read = file_get;
	ops->write = file_put;
	ops->fsync = file_sync;
	ops->fallocate = file_reserve;
	ops->copy_file_range = file_clone;
	ops->ioctl = file_ioctl;
	ops->lseek = file_lseek;
}
