/* SPDX-License-Identifier: MIT */
/*
 * control.c - the daemon's side of the control socket.
 */
#include "control.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/io.h"
#include "base/workers.h"
#include "json.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define NS_PER_S UINT64_C(1000000000)

enum { WAITERS_MAX = 16, BACKLOG = 16, PATIENCE_SECONDS = 2 };

struct control {
	struct work work; /* the thread's only job */
	struct workers *thread;
	control_fn *serve;
	void *ctx;
	int dir_fd; /* owned */
	int listen_fd;
	int stop_fd; /* readable: end */

	/* Connections that wait for the end. Control thread, then whoever
	 * calls control_finish(). */
	int waiters[WAITERS_MAX];
	unsigned n_waiters;
};

static const struct {
	const char *name;
	bool has_arguments;
} verbs[CONTROL_N_VERBS] = {
	[CONTROL_STATUS] = { "status", false },
	[CONTROL_STAT] = { "stat", false },
	[CONTROL_SYNC] = { "sync", false },
	[CONTROL_CODEBOOK] = { "codebook", true },
	[CONTROL_OPTIMIZE] = { "optimize", true },
	[CONTROL_GC] = { "gc", true },
	[CONTROL_SCRUB] = { "scrub", true },
	[CONTROL_EXPLAIN] = { "explain", true },
	[CONTROL_ATIME] = { "atime", true },
	[CONTROL_UNMOUNT] = { "umount", false },
};

const char *control_verb_name(enum control_verb verb)
{
	return verbs[verb].name;
}

/* "VERB" or "VERB ARGUMENTS", as the verb wants it. */
static int parse_verb(const char *text, struct control_request *ret)
{
	unsigned i;

	for (i = 0; i < CONTROL_N_VERBS; i++) {
		size_t len = strlen(verbs[i].name);
		bool more;

		if (strncmp(text, verbs[i].name, len) != 0)
			continue;
		more = text[len] == ' ';
		if (text[len] != '\0' && !more)
			continue;
		if (more != verbs[i].has_arguments)
			return -EINVAL;
		*ret = (struct control_request){
			.verb = (enum control_verb)i,
			.arguments = text + len + more,
		};
		return 0;
	}
	return -EINVAL;
}

int control_parse(const char *line, struct control_request *ret)
{
	static const char prefix[] = "sigmafs ";
	const char *at = line + sizeof(prefix) - 1;
	char *end;
	unsigned long version;

	if (strncmp(line, prefix, sizeof(prefix) - 1) != 0 || *at < '0' ||
	    *at > '9')
		return -EINVAL;
	version = strtoul(at, &end, 10);
	if (*end != ' ')
		return -EINVAL;
	if (version != CONTROL_VERSION)
		return -EOPNOTSUPP;
	return parse_verb(end + 1, ret);
}

/* ---- one request ---------------------------------------------------------- */

/* Sends all of it, or gives up: the client's loss. */
static void send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void begin_reply(struct json *reply)
{
	json_init(reply, CONTROL_REPLY_MAX - 2);
	json_open(reply, NULL, '{');
	json_u64(reply, "version", CONTROL_VERSION);
}

/* `*ret_text` lives as long as the reply. An error: it has become too long. */
static int end_reply(struct json *reply, int rc, const char **ret_text)
{
	json_bool(reply, "ok", rc == 0);
	if (rc < 0) {
		json_u64(reply, "errno", (uint64_t)-rc);
		json_text(reply, "error", error_text(rc));
	}
	json_close(reply, '}');
	return json_end(reply, ret_text);
}

int control_serve_here(control_fn *serve, void *ctx,
		       const struct control_request *request, char *ret_reply)
{
	const char *text = "";
	struct json reply;
	int end_rc;
	int rc;

	begin_reply(&reply);
	rc = serve(ctx, request, &reply);
	end_rc = end_reply(&reply, rc, &text);
	(void)snprintf(ret_reply, CONTROL_REPLY_MAX, "%s",
		       end_rc == 0 ? text : "");
	json_release(&reply);
	return rc < 0 ? rc : end_rc;
}

/* An error: nothing was sent. */
static int send_reply(int fd, struct json *reply, int rc)
{
	const char *text;

	rc = end_reply(reply, rc, &text);
	if (rc == 0) {
		send_all(fd, text, reply->out.len);
		send_all(fd, "\n", 1);
	}
	return rc;
}

static void answer(int fd, int rc)
{
	struct json reply;

	begin_reply(&reply);
	(void)send_reply(fd, &reply, rc);
	json_release(&reply);
}

/* Reads up to the newline, which becomes the NUL. Others wait meanwhile. */
static int receive_line(int fd, char *line)
{
	const uint64_t end = clock_mono_ns() + PATIENCE_SECONDS * NS_PER_S;
	size_t len = 0;
	ssize_t n;

	while (len < CONTROL_REQUEST_MAX) {
		if (clock_mono_ns() > end)
			return -ETIMEDOUT;
		n = recv(fd, line + len, 1, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && line[len] == '\n') {
			line[len] = '\0';
			return 0;
		}
		len += n > 0;
	}
	return -EMSGSIZE;
}

static int check_peer(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static void set_patience(int fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			 sizeof(patience));
}

static void serve_client(struct control *c)
{
	char line[CONTROL_REQUEST_MAX + 1];
	AUTO_CLOSE int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct control_request request = { .verb = CONTROL_STATUS };
	struct json reply;
	int rc;

	if (fd < 0)
		return;
	set_patience(fd);
	rc = check_peer(fd);
	if (rc == 0)
		rc = receive_line(fd, line);
	if (rc == 0)
		rc = control_parse(line, &request);
	if (rc < 0) {
		answer(fd, rc);
		return;
	}
	if (request.verb == CONTROL_UNMOUNT && c->n_waiters == WAITERS_MAX) {
		answer(fd, -EBUSY);
		return;
	}
	begin_reply(&reply);
	rc = c->serve(c->ctx, &request, &reply);
	if (rc == 0 && request.verb == CONTROL_UNMOUNT)
		c->waiters[c->n_waiters++] = steal_fd(&fd);
	else
		rc = send_reply(fd, &reply, rc);
	json_release(&reply);
	if (rc < 0 && fd >= 0)
		answer(fd, rc);
}

static void control_run(struct work *work, unsigned worker)
{
	struct control *c = (struct control *)work;
	struct pollfd fds[] = {
		{ .fd = c->stop_fd, .events = POLLIN },
		{ .fd = c->listen_fd, .events = POLLIN },
	};

	(void)worker;
	for (;;) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents != 0)
			return;
		if (fds[1].revents != 0)
			serve_client(c);
	}
}

/* ---- start and end -------------------------------------------------------- */

/* The address may be longer than sun_path: it goes by the descriptor of its
 * directory. */
static int listen_at(int dir_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/proc/self/fd/%d/" CONTROL_NAME, dir_fd);
	/* The mode that bind() gives to the name. */
	(void)fchmod(fd, 0600);
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;
	return steal_fd(&fd);
}

static void control_free(struct control *c)
{
	if (c->dir_fd >= 0)
		(void)close(c->dir_fd);
	if (c->listen_fd >= 0)
		(void)close(c->listen_fd);
	if (c->stop_fd >= 0)
		(void)close(c->stop_fd);
	free(c);
}

int control_start(int dir_fd, control_fn *serve, void *ctx,
		  struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->work.run = control_run;
	c->serve = serve;
	c->ctx = ctx;
	c->listen_fd = -1;
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	c->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	rc = c->stop_fd < 0 || c->dir_fd < 0 ? -errno : 0;
	if (rc == 0) {
		(void)io_unlink(c->dir_fd, CONTROL_NAME);
		c->listen_fd = listen_at(c->dir_fd);
		rc = c->listen_fd < 0 ? c->listen_fd : 0;
	}
	if (rc == 0)
		rc = workers_new("sigmafs-control", 1, 1, &c->thread);
	if (rc < 0) {
		control_free(c);
		return rc;
	}
	workers_submit(c->thread, &c->work);
	*ret = c;
	return 0;
}

void control_stop(struct control *c)
{
	if (!c)
		return;
	(void)io_unlink(c->dir_fd, CONTROL_NAME);
	(void)eventfd_write(c->stop_fd, 1);
	workers_free(c->thread);
	c->thread = NULL;
}

void control_finish(struct control *c, int rc)
{
	unsigned i;

	if (!c)
		return;
	for (i = 0; i < c->n_waiters; i++) {
		answer(c->waiters[i], rc);
		(void)close(c->waiters[i]);
	}
	control_free(c);
}
