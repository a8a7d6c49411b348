/* SPDX-License-Identifier: MIT */
/*
 * dir.h - what the operations on names share. Private to the volume room.
 */
#ifndef VOLUME_DIR_H
#define VOLUME_DIR_H

#include "volume/dirent.h"
#include "volume/inodes.h"

enum { DIR_ADD_LEN = 512 /* what a name and an inode take in log and index */ };

/* The same for something new in `parent`, which inherits its default list. Takes
 * INDEX if that has attributes. */
size_t dir_new_len(struct volume *v, uint64_t parent);

/* 0, -ENOENT (empty), -ENAMETOOLONG, -EINVAL ('/' or NUL). "." and ".." pass. */
int dir_check_name(struct span name);

bool dir_name_is(struct span name, const char *text);

/* "." or "..". */
bool dir_name_is_dots(struct span name);

/* Pins a directory in which names may be looked up. INDEX is held. -ENOENT,
 * -ENOTDIR. */
int dir_get(struct volume *v, uint64_t ino, struct inode **ret);

/* As dir_get(), and -ENOENT if the directory was removed. */
int dir_get_live(struct volume *v, uint64_t ino, struct inode **ret);

/* The directory's own parent; the root is its own. Takes its lock. */
uint64_t dir_parent(struct inode *dir);

/* Pins the inode that an entry of `dir` names. INDEX is held. -EUCLEAN: there is
 * none. */
int dir_get_child(struct volume *v, uint64_t dir, uint64_t ino,
		  struct inode **ret);

/* In a transaction: makes the inode `ino` for a name in `dir`, and pins it.
 * -ENOMEM. */
int dir_new_inode(struct volume *v, struct inode *dir, uint64_t ino,
		  const struct volume_new *what, struct inode **ret);

/* In a transaction: an entry of `dir` came or went, and `links` of its
 * subdirectories. */
void dir_touch(struct volume *v, struct inode *dir, int links);

/* In a transaction: gives the inode `delta` more links, and a new ctime. */
void dir_relink(struct volume *v, struct inode *inode, int delta);

/* In a transaction: takes the link of an inode whose name went; all of a
 * directory's. Deletes it if nobody uses it. */
int dir_unlinked(struct volume *v, struct inode *inode);

#endif
