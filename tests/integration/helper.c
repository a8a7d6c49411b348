/* SPDX-License-Identifier: MIT */
/*
 * helper.c - system calls that no shell has a command for.
 *
 * helper COMMAND ARGUMENT...: prints what came out, or the name of the error,
 * and ends with 0 unless the command line is wrong or something that has to
 * work did not.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "helper: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	need(fd >= 0, path);
	return fd;
}

static void print_result(long long rc)
{
	if (rc < 0)
		(void)printf("%s\n", strerrorname_np(errno));
	else
		(void)printf("%lld\n", rc);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* bytes COUNT SEED */
static int run_bytes(char **argv)
{
	uint64_t left = strtoull(argv[0], NULL, 10);
	uint64_t state = strtoull(argv[1], NULL, 10) * 2654435761u + 1;

	for (; left > 0; left -= left < 8 ? left : 8) {
		uint64_t word = next_random(&state);

		need(fwrite(&word, left < 8 ? left : 8, 1, stdout) == 1,
		     "write");
	}
	return 0;
}

/* rename FLAGS FROM TO */
static int run_rename(char **argv)
{
	unsigned flags = (unsigned)strtoul(argv[0], NULL, 0);

	print_result(renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], flags));
	return 0;
}

/* seek FILE data|hole OFFSET */
static int run_seek(char **argv)
{
	int fd = open_file(argv[0], O_RDONLY);
	int whence = strcmp(argv[1], "data") == 0 ? SEEK_DATA : SEEK_HOLE;

	print_result(lseek(fd, strtoll(argv[2], NULL, 0), whence));
	return 0;
}

/* mmap FILE OFFSET TEXT: writes it through a shared mapping */
static int run_mmap(char **argv)
{
	int fd = open_file(argv[0], O_RDWR);
	size_t off = strtoull(argv[1], NULL, 0);
	struct stat st;
	char *map;

	need(fstat(fd, &st) == 0, "fstat");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	need(map != MAP_FAILED, "mmap");
	memcpy(map + off, argv[2], strlen(argv[2]));
	need(msync(map, (size_t)st.st_size, MS_SYNC) == 0, "msync");
	need(munmap(map, (size_t)st.st_size) == 0, "munmap");
	return 0;
}

/* orphan FILE: makes it, unlinks it, and goes on using it */
static int run_orphan(char **argv)
{
	enum { LEN = 300000 };
	char *out = malloc(LEN);
	char *in = calloc(1, LEN);
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_EXCL);
	uint64_t state = 7;
	struct stat st;
	size_t i;

	need(out && in, "memory");
	for (i = 0; i < LEN; i++)
		out[i] = (char)next_random(&state);
	need(pwrite(fd, out, LEN / 2, 0) == LEN / 2, "write");
	need(unlink(argv[0]) == 0, "unlink");
	need(pwrite(fd, out + LEN / 2, LEN / 2, LEN / 2) == LEN / 2, "write");
	need(fsync(fd) == 0, "fsync");
	need(fchmod(fd, 0600) == 0, "fchmod");
	need(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
	need(pread(fd, in, LEN, 0) == LEN, "read");
	need(fstat(fd, &st) == 0, "fstat");
	(void)printf("%d %lld %s\n", (int)st.st_nlink, (long long)st.st_size,
		     memcmp(in, out, LEN) == 0 ? "same" : "different");
	return 0;
}

/*
 * A process that will run `command`, made before a file is opened: a child made
 * later would have that file, too, and its close would flush it.
 */
struct runner {
	pid_t pid;
	int go_fd; /* closed: run it */
};

static struct runner runner_make(const char *command)
{
	struct runner r;
	int ends[2];
	char byte;

	need(pipe2(ends, O_CLOEXEC) == 0, "pipe");
	r.pid = fork();
	need(r.pid >= 0, "fork");
	if (r.pid == 0) {
		(void)close(ends[1]);
		(void)!read(ends[0], &byte, 1);
		(void)execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	(void)close(ends[0]);
	r.go_fd = ends[1];
	return r;
}

/* Its status has to be 0. */
static void runner_run(const struct runner *r)
{
	int status;

	(void)close(r->go_fd);
	need(waitpid(r->pid, &status, 0) == r->pid, "wait");
	errno = 0;
	need(status == 0, "the command");
}

/* dirty FILE COMMAND: writes data, a hole, data; runs COMMAND while all that is
 * still in the kernel's cache only */
static int run_dirty(char **argv)
{
	struct runner runner = runner_make(argv[1]);
	char block[4096];
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_TRUNC);

	memset(block, 'a', sizeof(block));
	need(pwrite(fd, block, sizeof(block), 0) == sizeof(block), "write");
	memset(block, 'b', sizeof(block));
	need(pwrite(fd, block, sizeof(block), 1 << 20) == sizeof(block),
	     "write");
	runner_run(&runner);
	need(close(fd) == 0, "close");
	return 0;
}

/* hold FILE TEXT COMMAND: appends TEXT, and keeps FILE open over COMMAND */
static int run_hold(char **argv)
{
	struct runner runner = runner_make(argv[2]);
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_APPEND);
	ssize_t len = (ssize_t)strlen(argv[1]);

	need(write(fd, argv[1], (size_t)len) == len, "write");
	runner_run(&runner);
	need(close(fd) == 0, "close");
	return 0;
}

/* clone FROM TO: by copy_file_range(2), bytes copied */
static int run_clone(char **argv)
{
	int from = open_file(argv[0], O_RDONLY);
	int to = open_file(argv[1], O_WRONLY | O_CREAT | O_TRUNC);
	long long total = 0;
	ssize_t n;

	do {
		n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
		total += n > 0 ? n : 0;
	} while (n > 0);
	print_result(n < 0 ? n : total);
	return 0;
}

/* fallocate FILE MODE OFFSET LENGTH */
static int run_fallocate(char **argv)
{
	int fd = open_file(argv[0], O_RDWR);

	print_result(fallocate(fd, (int)strtol(argv[1], NULL, 0),
			       strtoll(argv[2], NULL, 0),
			       strtoll(argv[3], NULL, 0)));
	return 0;
}

/* socket PATH */
static int run_socket(char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(fd >= 0, "socket");
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[0]);
	print_result(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	return 0;
}

/* say PATH TEXT: to a unix socket; prints what comes back */
static int run_say(char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char buf[4096];
	ssize_t n;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[0]);
	need(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, argv[0]);
	need(write(fd, argv[1], strlen(argv[1])) >= 0, "write");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		need(fwrite(buf, (size_t)n, 1, stdout) == 1, "write");
	return 0;
}

/* direct FILE COUNT: writes and reads back through O_DIRECT */
static int run_direct(char **argv)
{
	size_t len = strtoull(argv[1], NULL, 0);
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_DIRECT);
	uint64_t state = 99;
	char *out = aligned_alloc(4096, len);
	char *in = aligned_alloc(4096, len);
	size_t i;

	need(out && in, "memory");
	for (i = 0; i < len; i++)
		out[i] = (char)next_random(&state);
	need(pwrite(fd, out, len, 0) == (ssize_t)len, "write");
	need(pread(fd, in, len, 0) == (ssize_t)len, "read");
	(void)printf("%s\n", memcmp(in, out, len) == 0 ? "same" : "different");
	return 0;
}

/* Fills the file's first `len` bytes with one value after the other, until it is
 * killed. */
static void write_whole(const char *path, size_t len, int value)
{
	int fd = open_file(path, O_WRONLY | O_DIRECT);
	char *bytes = aligned_alloc(4096, len);

	need(bytes != NULL, "memory");
	for (;; value = (value + 2) % 250) {
		memset(bytes, value, len);
		need(pwrite(fd, bytes, len, 0) == (ssize_t)len, "write");
	}
}

/* whole FILE LENGTH COUNT: two processes overwrite the same bytes with O_DIRECT;
 * prints how many of COUNT reads, or a few more, saw bytes of two writes. */
static int run_whole(char **argv)
{
	size_t len = strtoull(argv[1], NULL, 0);
	unsigned left = (unsigned)strtoul(argv[2], NULL, 0);
	int fd = open_file(argv[0], O_RDWR | O_CREAT | O_DIRECT);
	char *bytes = aligned_alloc(4096, len);
	unsigned n_torn = 0, n_new = 0;
	pid_t pids[2];
	int i, last = -1;

	need(bytes != NULL, "memory");
	memset(bytes, 0, len);
	need(pwrite(fd, bytes, len, 0) == (ssize_t)len, "write");
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		need(pids[i] >= 0, "fork");
		if (pids[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			write_whole(argv[0], len, i + 1);
		}
	}
	/* Until there was something to see. */
	for (; left > 0 || n_new<2; left -= left> 0) {
		need(pread(fd, bytes, len, 0) == (ssize_t)len, "read");
		n_torn += memcmp(bytes, bytes + 1, len - 1) != 0;
		n_new += (unsigned char)bytes[0] != last;
		last = (unsigned char)bytes[0];
	}
	for (i = 0; i < 2; i++) {
		int status;

		need(kill(pids[i], SIGKILL) == 0, "kill");
		need(waitpid(pids[i], &status, 0) == pids[i], "wait");
		need(WIFSIGNALED(status), "a writer failed");
	}
	(void)printf("%u\n", n_torn);
	return 0;
}

/* open COUNT DIRECTORY: has so many files open at once, writes to each and reads it
 * back; prints what the first open(2) that fails gives, or how many there were. */
static int run_open(char **argv)
{
	int n_files = (int)strtol(argv[0], NULL, 0);
	int *fds = calloc((size_t)n_files, sizeof(*fds));
	char path[300];
	int i, back;

	need(fds != NULL, "memory");
	for (i = 0; i < n_files; i++) {
		(void)snprintf(path, sizeof(path), "%s/%d", argv[1], i);
		fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (fds[i] < 0) {
			print_result(-1);
			return 0;
		}
	}
	for (i = 0; i < n_files; i++)
		need(write(fds[i], &i, sizeof(i)) == sizeof(i), "write");
	for (i = 0; i < n_files; i++) {
		if (i % 100 == 0)
			need(fsync(fds[i]) == 0, "fsync");
		need(pread(fds[i], &back, sizeof(back), 0) == sizeof(back) &&
			     back == i,
		     "read");
	}
	print_result(n_files);
	return 0;
}

/* The line VmHWM of a process that is about to end, in KiB. */
static unsigned long peak_of(pid_t pid)
{
	unsigned long peak = 0;
	char line[256];
	FILE *file;

	(void)snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
	file = fopen(line, "re");
	need(file != NULL, line);
	while (peak == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", 6) == 0)
			peak = strtoul(line + 6, NULL, 10);
	(void)fclose(file);
	return peak;
}

/* Lets a traced process run until its first thread ends. Others of its threads
 * are not traced. */
static void run_to_exit(pid_t pid)
{
	int status;
	int signal_number;

	for (;;) {
		need(waitpid(pid, &status, 0) == pid, "wait");
		if (!WIFSTOPPED(status))
			exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			return;
		signal_number = WSTOPSIG(status);
		if (signal_number == SIGTRAP)
			signal_number = 0;
		need(ptrace(PTRACE_CONT, pid, 0, signal_number) == 0, "cont");
	}
}

/* peak FILE COMMAND...: the command's VmHWM, in KiB, into FILE; its status. */
static int run_peak(char **argv)
{
	int status;
	FILE *file;
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0) {
		need(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0, "trace");
		(void)execvp(argv[1], argv + 1);
		need(0, argv[1]);
	}
	need(waitpid(pid, &status, 0) == pid, "wait");
	need(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT) == 0,
	     "options");
	need(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "cont");
	run_to_exit(pid);
	file = fopen(argv[0], "we");
	need(file != NULL, argv[0]);
	(void)fprintf(file, "%lu\n", peak_of(pid));
	need(fclose(file) == 0, argv[0]);
	need(ptrace(PTRACE_CONT, pid, 0, 0) == 0, "cont");
	need(waitpid(pid, &status, 0) == pid, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static const struct {
	const char *name;
	int n_arguments;
	int (*run)(char **argv);
} commands[] = {
	{ "bytes", 2, run_bytes },   { "rename", 3, run_rename },
	{ "seek", 3, run_seek },     { "mmap", 3, run_mmap },
	{ "orphan", 1, run_orphan }, { "dirty", 2, run_dirty },
	{ "hold", 3, run_hold },     { "clone", 2, run_clone },
	{ "socket", 1, run_socket }, { "fallocate", 4, run_fallocate },
	{ "say", 2, run_say },       { "direct", 2, run_direct },
	{ "whole", 3, run_whole },   { "open", 2, run_open },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc >= 4 && strcmp(argv[1], "peak") == 0)
		return run_peak(argv + 2);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (argc >= 2 && strcmp(argv[1], commands[i].name) == 0 &&
		    argc - 2 == commands[i].n_arguments)
			return commands[i].run(argv + 2);
	}
	(void)fprintf(stderr, "helper: no such command\n");
	return 2;
}
