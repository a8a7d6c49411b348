/* SPDX-License-Identifier: MIT */
/*
 * wire.c - read and writev for libfuse, with an eye on the headers.
 *
 * A request is served by the thread that read it, so what its header said may
 * wait in a variable of that thread.
 */
#include "wire.h"

#include "base/bytes.h"
#include "bridge.h"
#include "loop.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

/* Flags of INIT that libfuse swallows. */
#define WANTED (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2)

enum {
	WRITE_FLAGS_OFF = sizeof(struct fuse_in_header) +
			  offsetof(struct fuse_write_in, write_flags),
	SETATTR_VALID_OFF = sizeof(struct fuse_in_header) +
			    offsetof(struct fuse_setattr_in, valid),
	READ_FLAGS_OFF = sizeof(struct fuse_in_header) +
			 offsetof(struct fuse_read_in, flags),
	INIT_FLAGS_OFF = sizeof(struct fuse_in_header) +
			 offsetof(struct fuse_init_in, flags),
	INIT_REPLY_MIN =
		offsetof(struct fuse_init_out, flags) + sizeof(uint32_t),
};

/* Of the request that this thread serves. */
static _Thread_local bool kill_priv;
static _Thread_local bool no_access;

bool wire_kill_priv(void)
{
	return kill_priv;
}

bool wire_no_access(void)
{
	return no_access;
}

/* A field of the request, in the byte order of this machine; 0 behind its end.
 */
static uint32_t field_at(struct span request, size_t off)
{
	uint32_t value = 0;

	if (off + sizeof(value) <= request.len)
		memcpy(&value, request.ptr + off, sizeof(value));
	return value;
}

/* By the flags of open(2). */
static bool opened_for_none(uint32_t flags)
{
	return (flags & O_NOATIME) || (flags & O_ACCMODE) == O_WRONLY;
}

void wire_note(struct wire *wire, const void *bytes, size_t len)
{
	struct span request = span_of(bytes, len);
	struct fuse_in_header header;

	if (len < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	kill_priv = false;
	no_access = false;
	if (header.opcode == FUSE_WRITE) {
		kill_priv = field_at(request, WRITE_FLAGS_OFF) &
			    FUSE_WRITE_KILL_SUIDGID;
	} else if (header.opcode == FUSE_SETATTR) {
		kill_priv = field_at(request, SETATTR_VALID_OFF) &
			    FATTR_KILL_SUIDGID;
	} else if (header.opcode == FUSE_READ ||
		   header.opcode == FUSE_READDIR ||
		   header.opcode == FUSE_READDIRPLUS) {
		no_access = opened_for_none(field_at(request, READ_FLAGS_OFF));
	} else if (header.opcode == FUSE_INIT) {
		wire->init_unique = header.unique;
		wire->offered = field_at(request, INIT_FLAGS_OFF);
	}
}

bool wire_is_use(const void *bytes, size_t len)
{
	struct fuse_in_header header;

	if (len < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	return header.opcode != FUSE_FORGET &&
	       header.opcode != FUSE_BATCH_FORGET &&
	       header.opcode != FUSE_INTERRUPT && header.opcode != FUSE_STATFS;
}

static ssize_t wire_read(int fd, void *buf, size_t len, void *userdata)
{
	struct bridge *bridge = userdata;
	ssize_t n = read(fd, buf, len);

	if (n <= 0)
		return n;
	wire_note(&bridge->wire, buf, (size_t)n);
	if (wire_is_use(buf, (size_t)n))
		store_use(volume_store(bridge->volume));
	return n;
}

bool wire_patch(const struct wire *wire, const struct iovec *iov, int count)
{
	struct fuse_out_header header;
	struct fuse_init_out out = { 0 };

	if (wire->init_unique == 0 || count != 2 ||
	    iov[0].iov_len != sizeof(header) ||
	    iov[1].iov_len < INIT_REPLY_MIN || iov[1].iov_len > sizeof(out))
		return false;
	memcpy(&header, iov[0].iov_base, sizeof(header));
	if (header.unique != wire->init_unique || header.error != 0)
		return false;
	memcpy(&out, iov[1].iov_base, iov[1].iov_len);
	out.flags |= wire->offered & WANTED;
	memcpy(iov[1].iov_base, &out, iov[1].iov_len);
	return true;
}

/* Not a message that nobody asked for. */
static bool is_answer(const struct iovec *iov, int count)
{
	struct fuse_out_header header = { 0 };

	if (count > 0 && iov[0].iov_len >= sizeof(header))
		memcpy(&header, iov[0].iov_base, sizeof(header));
	return header.unique != 0;
}

static ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct bridge *bridge = userdata;
	struct wire *wire = &bridge->wire;
	bool is_init = wire_patch(wire, iov, count);
	ssize_t n;

	if (is_answer(iov, count))
		loop_answering();
	n = writev(fd, iov, count);
	if (is_init) {
		wire->init_unique = 0;
		if (n > 0)
			wire->ready(wire->ctx);
	}
	return n;
}

int wire_install(struct fuse_session *se)
{
	static const struct fuse_custom_io io = {
		.read = wire_read,
		.writev = wire_writev,
	};

	return fuse_session_custom_io(se, &io, fuse_session_fd(se));
}
