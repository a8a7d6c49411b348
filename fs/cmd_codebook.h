/* SPDX-License-Identifier: MIT */
/*
 * cmd_codebook.h - what `sigmafs codebook` asks of an open store.
 *
 * Asked in the daemon when the store is mounted, else in the command itself.
 */
#ifndef FS_CMD_CODEBOOK_H
#define FS_CMD_CODEBOOK_H

struct json;
struct store;

/*
 * Does one action: "list", "train", "show ID", "export ID PATH", "export-raw ID
 * PATH", "import CLASS PATH" (CLASS "-": as the file says). Paths are absolute.
 * Adds what there is to say to `reply`, an open object; after a failure
 * "problem", in words. Blocks, "train" for seconds. Errors other than those of
 * control_ask().
 */
int codebook_serve(struct store *s, const char *arguments, struct json *reply);

#endif
