/* SPDX-License-Identifier: MIT */
/*
 * cmd_gc.h - what `sigmafs gc` asks of an open store.
 *
 * Asked in the daemon when the store is mounted, else in the command itself; step
 * by step, so that the daemon can answer others in between.
 */
#ifndef FS_CMD_GC_H
#define FS_CMD_GC_H

struct json;
struct store;

/*
 * "begin", then "step" as long as the reply says "more". Adds what the step did
 * to `reply`, an open object; after a failure "problem", in words. While others do
 * long work nothing is done but to say "busy": ask again. Blocks, for seconds.
 * Errors other than those of control_ask().
 */
int gc_serve(struct store *s, const char *arguments, struct json *reply);

#endif
