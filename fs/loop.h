/* SPDX-License-Identifier: MIT */
/*
 * loop.h - threads that take requests from the kernel and have them served.
 *
 * Leader and followers (Schmidt et al., 2000): one thread at a time reads from
 * the kernel, serves the request itself and goes on reading. If another one
 * comes while it is at one that may take long, another thread takes over. While
 * requests come in quick succession the leader looks for the next one without
 * sleeping: on a machine with few processors a wake-up costs several times what a
 * short request does.
 */
#ifndef FS_LOOP_H
#define FS_LOOP_H

struct fuse_buf;
struct fuse_session;

/* Serves one request. */
typedef void loop_serve_fn(void *ctx, struct fuse_session *se,
			   const struct fuse_buf *request);

/*
 * Has requests served by `fn` on `n_threads` (at least 2) threads, this one
 * included, until the session has ended and all requests under way are answered.
 * -EAGAIN: no thread could be started, or no descriptor was free; -EIO: the device
 * failed.
 */
int loop_run(struct fuse_session *se, unsigned n_threads, loop_serve_fn *fn,
	     void *ctx);

/* The calling thread is about to answer the request that it serves: what is left
 * to do for it is short. */
void loop_answering(void);

#endif
