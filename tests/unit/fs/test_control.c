/* SPDX-License-Identifier: MIT */
/*
 * test_control.c - tests of fs/control.c.
 */
#include "control.h"
#include "unit/fs/suites.h"

#include "json.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool has_arguments(enum control_verb verb)
{
	return verb == CONTROL_EXPLAIN || verb == CONTROL_CODEBOOK ||
	       verb == CONTROL_OPTIMIZE || verb == CONTROL_GC ||
	       verb == CONTROL_SCRUB || verb == CONTROL_ATIME;
}

START_TEST(parses_requests)
{
	static const struct {
		const char *line;
		int rc;
	} bad[] = {
		{ "", -EINVAL },
		{ "sigmafs", -EINVAL },
		{ "sigmafs ", -EINVAL },
		{ "sigmafs 1", -EINVAL },
		{ "sigmafs 1 ", -EINVAL },
		{ "sigmafs 1 statx", -EINVAL },
		{ "sigmafs 1 stat more", -EINVAL },
		{ "sigmafs 1 codebook", -EINVAL },
		{ "sigmafs 1 explain", -EINVAL },
		{ "sigmafs 1 explainer 1", -EINVAL },
		{ "sigmafs -1 stat", -EINVAL },
		{ "other 1 stat", -EINVAL },
		{ "sigmafs 2 stat", -EOPNOTSUPP },
		{ "sigmafs 99999999999999999999 stat", -EOPNOTSUPP },
	};
	struct control_request request;
	unsigned i;
	char line[CONTROL_REQUEST_MAX];

	for (i = 0; i < CONTROL_N_VERBS; i++) {
		const char *arguments =
			has_arguments((enum control_verb)i) ? "12 0" : "";

		(void)snprintf(line, sizeof(line), "sigmafs 1 %s%s%s",
			       control_verb_name((enum control_verb)i),
			       *arguments ? " " : "", arguments);
		ck_ok(control_parse(line, &request));
		ck_assert_uint_eq(request.verb, i);
		ck_assert_str_eq(request.arguments, arguments);
	}
	ck_ok(control_parse("sigmafs 1 codebook show 1", &request));
	ck_assert_uint_eq(request.verb, CONTROL_CODEBOOK);
	ck_assert_str_eq(request.arguments, "show 1");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_rc(control_parse(bad[i].line, &request), bad[i].rc);
}
END_TEST

/* What the server below is to answer. */
struct script {
	int rc;
	unsigned n_calls;
	size_t n_more; /* numbers in the answer */
};

static int serve(void *ctx, const struct control_request *request,
		 struct json *reply)
{
	struct script *script = ctx;

	script->n_calls++;
	json_u64(reply, "verb", request->verb);
	for (size_t i = 0; i < script->n_more; i++)
		json_u64(reply, "more", i);
	return script->rc;
}

START_TEST(asks_and_answers)
{
	struct script script = { 0 };
	struct control *control;
	struct tmpdir tmp;
	struct stat st;
	uint64_t verb;
	char reply[CONTROL_REPLY_MAX];

	tmpdir_init(&tmp);
	ck_rc(control_ask_verb(tmp.path, CONTROL_STAT, reply), -ENOENT);
	ck_ok(control_start(tmp.fd, serve, &script, &control));
	ck_ok(fstatat(tmp.fd, CONTROL_NAME, &st, 0));
	ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0600);
	ck_ok(control_ask_verb(tmp.path, CONTROL_STAT, reply));
	ck_ok(json_get_u64(reply, "verb", &verb));
	ck_assert_uint_eq(verb, CONTROL_STAT);
	script.rc = -EIO;
	ck_rc(control_ask_verb(tmp.path, CONTROL_SYNC, reply), -EIO);
	ck_rc(control_ask_verb(tmp.path, CONTROL_UNMOUNT, reply), -EIO);
	/* An answer that cannot be sent is one all the same. */
	script = (struct script){ .n_calls = 3,
				  .n_more = CONTROL_REPLY_MAX / 8 };
	ck_rc(control_ask_verb(tmp.path, CONTROL_STAT, reply), -EFBIG);
	ck_assert_uint_eq(script.n_calls, 4);
	control_stop(control);
	ck_rc(control_ask_verb(tmp.path, CONTROL_STAT, reply), -ENOENT);
	control_finish(control, 0);
	tmpdir_release(&tmp);
}
END_TEST

START_TEST(replaces_a_stale_socket)
{
	struct script script = { 0 };
	struct control *control;
	struct tmpdir tmp;
	char reply[CONTROL_REPLY_MAX];

	tmpdir_init(&tmp);
	ck_ok(mknodat(tmp.fd, CONTROL_NAME, S_IFREG | 0644, 0));
	ck_rc(control_ask_verb(tmp.path, CONTROL_STAT, reply), -ECONNREFUSED);
	ck_ok(control_start(tmp.fd, serve, &script, &control));
	ck_ok(control_ask_verb(tmp.path, CONTROL_STATUS, reply));
	control_stop(control);
	control_finish(control, 0);
	control_finish(NULL, 0);
	control_stop(NULL);
	tmpdir_release(&tmp);
}
END_TEST

/* A byte now and then keeps nobody else waiting for long. */
START_TEST(slow_client_is_left)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct script script = { 0 };
	struct control *control;
	struct tmpdir tmp;
	unsigned n = 0;
	int fd;

	tmpdir_init(&tmp);
	ck_ok(control_start(tmp.fd, serve, &script, &control));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/proc/self/fd/%d/" CONTROL_NAME, tmp.fd);
	ck_ok(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)));
	while (send(fd, "s", 1, MSG_NOSIGNAL) == 1) {
		ck_assert_uint_lt(++n, 50);
		(void)usleep(200000);
	}
	ck_assert_uint_eq(script.n_calls, 0);
	(void)close(fd);
	control_stop(control);
	control_finish(control, 0);
	tmpdir_release(&tmp);
}
END_TEST

/* A daemon that has no answer. */
struct mute {
	int listen_fd;
	bool takes; /* the request; else it closes before */
};

static void *be_mute(void *arg)
{
	struct mute *m = arg;
	struct pollfd p = { .fd = m->listen_fd, .events = POLLIN };
	char line[CONTROL_REQUEST_MAX];
	int fd;

	(void)poll(&p, 1, -1);
	if (m->takes) {
		fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		(void)recv(fd, line, sizeof(line), 0);
		(void)close(fd);
	}
	(void)close(m->listen_fd);
	return NULL;
}

static int ask_mute(const struct tmpdir *tmp, bool takes)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct mute mute = { .takes = takes };
	char reply[CONTROL_REPLY_MAX];
	pthread_t thread;
	int rc;

	(void)unlinkat(tmp->fd, CONTROL_NAME, 0);
	mute.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/proc/self/fd/%d/" CONTROL_NAME, tmp->fd);
	ck_ok(bind(mute.listen_fd, (const struct sockaddr *)&addr,
		   sizeof(addr)));
	ck_ok(listen(mute.listen_fd, 1));
	ck_ok(pthread_create(&thread, NULL, be_mute, &mute));
	rc = control_ask_verb(tmp->path, CONTROL_UNMOUNT, reply);
	(void)pthread_join(thread, NULL);
	return rc;
}

START_TEST(tells_ended_from_died)
{
	char reply[CONTROL_REPLY_MAX];
	struct tmpdir tmp;

	tmpdir_init(&tmp);
	ck_rc(ask_mute(&tmp, false), -ECONNRESET);
	ck_rc(ask_mute(&tmp, true), -EPIPE);
	/* For who asks again and again it is all the same. */
	ck_assert(control_is_gone(ask_mute(&tmp, false)));
	ck_assert(control_is_gone(ask_mute(&tmp, true)));
	ck_assert(control_is_gone(
		control_ask_verb(tmp.path, CONTROL_STATUS, reply)));
	ck_assert(!control_is_gone(0));
	ck_assert(!control_is_gone(-EIO));
	tmpdir_release(&tmp);
}
END_TEST

Suite *suite_control(void)
{
	const TTest *const tests[] = {
		parses_requests,         asks_and_answers,
		replaces_a_stale_socket, slow_client_is_left,
		tells_ended_from_died,
	};

	return suite_of("fs/control", tests, sizeof(tests) / sizeof(tests[0]),
			20);
}
