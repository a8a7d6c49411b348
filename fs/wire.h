/* SPDX-License-Identifier: MIT */
/*
 * wire.h - what libfuse 3.14 does not pass on between the kernel and us.
 *
 * Reads and writes /dev/fuse for libfuse. Turns on capabilities in the answer
 * to INIT (parallel lookups in one directory; writes that clear suid bits
 * without asking for capabilities first), and keeps the flags of a request
 * that say so, or what the file was opened for. It sees only headers.
 */
#ifndef FS_WIRE_H
#define FS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct fuse_session;

/* The conversation at its start; only the thread that serves INIT uses it. */
struct wire {
	uint64_t init_unique; /* number of the INIT request; 0: none open */
	uint32_t offered;     /* flags of the kernel */

	/* Called once, when the kernel has our answer to INIT. */
	void (*ready)(void *ctx);
	void *ctx;
};

/* Call after fuse_session_mount(). The session's user data is a struct bridge.
 */
int wire_install(struct fuse_session *se);

/* Takes from the `len` bytes of a request what its header says. */
void wire_note(struct wire *wire, const void *bytes, size_t len);

/* Whether the `len` bytes of a request say that somebody uses the mount: not those
 * by which the kernel forgets inodes, or a desktop asks how full it is. */
bool wire_is_use(const void *bytes, size_t len);

/* Whether this is the answer to INIT, and a good one; adds our flags to it. */
bool wire_patch(const struct wire *wire, const struct iovec *iov, int count);

/* Whether the SETATTR or WRITE that this thread serves has to clear suid and
 * sgid. */
bool wire_kill_priv(void);

/* Whether the READ or READDIR that this thread serves is no access: it fills a
 * page that a program is about to write to, or the file was opened with
 * O_NOATIME. */
bool wire_no_access(void);

#endif
