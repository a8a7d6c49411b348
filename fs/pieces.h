/* SPDX-License-Identifier: MIT */
/*
 * pieces.h - how a file is stored, over the control socket.
 *
 * The answer has `pieces`, an array of flat objects in the order of their
 * `offset`, and `next`, where to ask on; none at the end of the file.
 */
#ifndef FS_PIECES_H
#define FS_PIECES_H

struct json;
struct volume;

/* `arguments`: "INODE OFFSET". -EINVAL, and those of file_explain(). */
int pieces_tell(struct volume *v, const char *arguments, struct json *reply);

#endif
