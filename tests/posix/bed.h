/* SPDX-License-Identifier: MIT */
/*
 * bed.h - what the cases are made with: files, facts about them, users,
 * processes.
 *
 * What makes something ends the case when it cannot. Facts of a path are those
 * of the name itself: links are not followed. A fact that cannot be had is -1.
 */
#ifndef POSIX_BED_H
#define POSIX_BED_H

#include "tap.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum {
	NAME_LEN_MAX = 255,
	PATH_LEN_MAX = 4096, /* with the NUL */
	/* Ordinary users, and a group of neither. */
	USER = 65534,
	OTHER = 65533,
	GROUP = 65532,
};

/* Removes `path` and what lies below it. */
void remove_tree(const char *path);

/* open(2) with close-on-exec and mode 0644. */
int open_file(const char *path, int flags);

void make_file(const char *path, mode_t mode);
void make_file_of(const char *path, uid_t owner, gid_t group, mode_t mode);
void make_file_with(const char *path, const char *text);
void make_dir(const char *path, mode_t mode);
void make_dir_of(const char *path, uid_t owner, gid_t group, mode_t mode);

/* `len` times `c`, and a NUL. */
char *repeat(char c, size_t len);

/* The same bytes for the same seed. */
void fill_bytes(uint8_t *buf, size_t len, uint32_t seed);

bool is_there(const char *path);
long long mode_of(const char *path); /* of permissions, 07777 */
long long type_of(const char *path); /* S_IF... */
long long size_of(const char *path);
long long links_of(const char *path);
long long ino_of(const char *path);
long long owner_of(const char *path);
long long group_of(const char *path);
long long blocks_of(const char *path);
long long fd_size(int fd);

/* Whether the file has this text, no more and no less. */
bool reads_as(const char *path, const char *text);

/* Entries of a directory, without "." and "..". */
long long entries_of(const char *path);

/* Times, in ns since 1970. */
long long atime_of(const char *path);
long long mtime_of(const char *path);
long long ctime_of(const char *path);
long long btime_of(const char *path);

/* Waits until files are stamped later than with any time up to now: some are by
 * the clock of ticks, which is behind. */
void next_tick(void);

/* Becomes another user, without any other group, or root again. */
void as_user(uid_t uid, gid_t gid);
void as_member(uid_t uid, gid_t gid, gid_t other);
void as_root(void);

/* A process that runs `fn` and ends. */
pid_t start_child(void (*fn)(void *ctx), void *ctx);

/* Its status; 0 when it has run to the end. */
int end_child(pid_t pid);

#endif
