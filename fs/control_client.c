/* SPDX-License-Identifier: MIT */
/*
 * control_client.c - a command's side of the control socket.
 */
#include "control.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "json.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	AUTO_CLOSE int dir_fd = -1;
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	dir_fd = io_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
	if (dir_fd < 0)
		return dir_fd;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		       "/proc/self/fd/%d/" CONTROL_NAME, dir_fd);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int send_request(int fd, const struct control_request *request)
{
	const char *arguments = request->arguments;
	char line[CONTROL_REQUEST_MAX];
	int len = snprintf(line, sizeof(line), "sigmafs %d %s%s%s\n",
			   CONTROL_VERSION, control_verb_name(request->verb),
			   *arguments ? " " : "", arguments);

	if (len >= (int)sizeof(line) || strchr(arguments, '\n'))
		return -EINVAL;
	if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		return -ECONNRESET;
	return 0;
}

/* Up to the newline, which becomes the NUL. */
static int receive_reply(int fd, char *reply)
{
	size_t len = 0;
	ssize_t n;

	while (len < CONTROL_REPLY_MAX) {
		n = recv(fd, reply + len, CONTROL_REPLY_MAX - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -ECONNRESET : -EPIPE;
		len += (size_t)n;
		if (reply[len - 1] == '\n') {
			reply[len - 1] = '\0';
			return 0;
		}
	}
	return -EMSGSIZE;
}

/* The daemon's own verdict. */
static int verdict(const char *reply)
{
	uint64_t number;
	bool ok;
	int rc = json_get_bool(reply, "ok", &ok);

	if (rc < 0)
		return -EPROTO;
	if (ok)
		return 0;
	rc = json_get_u64(reply, "errno", &number);
	return rc < 0 || number == 0 || number > 4095 ? -EPROTO : -(int)number;
}

int control_ask_verb(const char *path, enum control_verb verb, char *ret_reply)
{
	const struct control_request request = { verb, "" };

	return control_ask(path, &request, ret_reply);
}

bool control_is_absent(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ECONNREFUSED;
}

bool control_is_gone(int rc)
{
	return control_is_absent(rc) || rc == -EPIPE || rc == -ECONNRESET;
}

int control_ask(const char *path, const struct control_request *request,
		char *ret_reply)
{
	AUTO_CLOSE int fd = connect_to(path);
	int rc = fd < 0 ? fd : send_request(fd, request);

	if (rc == 0)
		rc = receive_reply(fd, ret_reply);
	if (rc == 0)
		return verdict(ret_reply);
	ret_reply[0] = '\0';
	return rc;
}
