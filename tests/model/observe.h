/* SPDX-License-Identifier: MIT */
/*
 * observe.h - what a volume or a directory holds, as a model.
 */
#ifndef TESTS_MODEL_OBSERVE_H
#define TESTS_MODEL_OBSERVE_H

#include "lib/model.h"

struct volume;

/* Reads everything. NULL: `why` (`cap` bytes) says what could not be read.
 * Files of more than 64 MiB are refused. */
struct model *observe_volume(struct volume *v, char *why, size_t cap);

/* The same below a directory of any filesystem, which is not on its root. */
struct model *observe_dir(const char *path, char *why, size_t cap);

#endif
