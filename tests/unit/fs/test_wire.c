/* SPDX-License-Identifier: MIT */
/*
 * test_wire.c - tests of fs/wire.c.
 */
#include "unit/fs/suites.h"
#include "wire.h"

#include "lib/suite.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

struct request {
	struct fuse_in_header header;
	union {
		struct fuse_init_in init;
		struct fuse_read_in read;
		struct fuse_write_in write;
		struct fuse_setattr_in setattr;
	} body;
};

static struct request request_of(uint32_t opcode)
{
	struct request r;

	memset(&r, 0, sizeof(r));
	r.header.opcode = opcode;
	r.header.unique = 42;
	return r;
}

START_TEST(sees_who_has_to_lose_suid)
{
	struct wire wire = { 0 };
	struct request r = request_of(FUSE_WRITE);

	r.body.write.write_flags = FUSE_WRITE_KILL_SUIDGID;
	wire_note(&wire, &r, sizeof(r));
	ck_assert(wire_kill_priv());
	/* It says so of this request only. */
	r = request_of(FUSE_READ);
	wire_note(&wire, &r, sizeof(r));
	ck_assert(!wire_kill_priv());
	r = request_of(FUSE_SETATTR);
	r.body.setattr.valid = FATTR_KILL_SUIDGID | FATTR_SIZE;
	wire_note(&wire, &r, sizeof(r));
	ck_assert(wire_kill_priv());
	r.body.setattr.valid = FATTR_SIZE;
	wire_note(&wire, &r, sizeof(r));
	ck_assert(!wire_kill_priv());
	/* A header without its body. */
	r = request_of(FUSE_WRITE);
	wire_note(&wire, &r, sizeof(r.header));
	ck_assert(!wire_kill_priv());
	wire_note(&wire, &r, 3);
}
END_TEST

START_TEST(sees_who_reads_for_nobody)
{
	static const uint32_t reads[] = { FUSE_READ, FUSE_READDIR,
					  FUSE_READDIRPLUS };
	struct wire wire = { 0 };
	struct request r;
	size_t i;

	for (i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		r = request_of(reads[i]);
		r.body.read.flags = O_NOATIME;
		wire_note(&wire, &r, sizeof(r));
		ck_assert(wire_no_access());
		r.body.read.flags = O_WRONLY;
		wire_note(&wire, &r, sizeof(r));
		ck_assert(wire_no_access());
		r.body.read.flags = O_RDWR | O_DIRECT;
		wire_note(&wire, &r, sizeof(r));
		ck_assert(!wire_no_access());
		r.body.read.flags = O_NOATIME;
		wire_note(&wire, &r, sizeof(r));
		/* It says so of this request only. */
		r.header.opcode = FUSE_READLINK;
		wire_note(&wire, &r, sizeof(r));
		ck_assert(!wire_no_access());
	}
	/* A header without its body. */
	r = request_of(FUSE_READ);
	wire_note(&wire, &r, sizeof(r.header));
	ck_assert(!wire_no_access());
}
END_TEST

/* What comes by itself, or from who looks at all mounts, is no use. */
START_TEST(tells_use_from_looks)
{
	static const uint32_t looks[] = { FUSE_FORGET, FUSE_BATCH_FORGET,
					  FUSE_INTERRUPT, FUSE_STATFS };
	struct request r = request_of(FUSE_READ);
	size_t i;

	ck_assert(wire_is_use(&r, sizeof(r)));
	ck_assert(wire_is_use(&r, sizeof(r.header)));
	ck_assert(!wire_is_use(&r, sizeof(r.header) - 1));
	r = request_of(FUSE_LOOKUP);
	ck_assert(wire_is_use(&r, sizeof(r)));
	for (i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		r = request_of(looks[i]);
		ck_assert(!wire_is_use(&r, sizeof(r)));
	}
}
END_TEST

/* An answer to the request 42, patched if it is the one to patch. */
static bool patched(const struct wire *wire, int32_t error,
		    struct fuse_init_out *out)
{
	struct fuse_out_header header = { .unique = 42, .error = error };
	struct iovec iov[] = {
		{ .iov_base = &header, .iov_len = sizeof(header) },
		{ .iov_base = out, .iov_len = sizeof(*out) },
	};

	return wire_patch(wire, iov, 2);
}

START_TEST(adds_what_is_offered)
{
	struct wire wire = { 0 };
	struct request r = request_of(FUSE_INIT);
	struct fuse_init_out out = { .flags = FUSE_BIG_WRITES };

	/* Before INIT nothing is touched. */
	ck_assert(!patched(&wire, 0, &out));
	r.body.init.flags = FUSE_PARALLEL_DIROPS | FUSE_ASYNC_READ;
	wire_note(&wire, &r, sizeof(r));
	ck_assert(!patched(&wire, -71, &out));
	ck_assert_uint_eq(out.flags, FUSE_BIG_WRITES);
	ck_assert(patched(&wire, 0, &out));
	ck_assert_uint_eq(out.flags, FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS);
	r.body.init.flags |= FUSE_HANDLE_KILLPRIV_V2;
	r.header.unique = 43;
	wire_note(&wire, &r, sizeof(r));
	/* The answer to another request. */
	ck_assert(!patched(&wire, 0, &out));
	wire.init_unique = 42;
	ck_assert(patched(&wire, 0, &out));
	ck_assert_uint_eq(out.flags, FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS |
					     FUSE_HANDLE_KILLPRIV_V2);
}
END_TEST

Suite *suite_wire(void)
{
	const TTest *const tests[] = {
		sees_who_has_to_lose_suid,
		sees_who_reads_for_nobody,
		tells_use_from_looks,
		adds_what_is_offered,
	};

	return suite_of("fs/wire", tests, sizeof(tests) / sizeof(tests[0]), 10);
}
