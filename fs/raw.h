/* SPDX-License-Identifier: MIT */
/*
 * raw.h - requests that libfuse 3.14 does not know: STATX (times of birth) and
 * TMPFILE (files without a name). They are read and answered here, byte by byte.
 */
#ifndef FS_RAW_H
#define FS_RAW_H

#include "base/bytes.h"

struct bridge;

/* Serves the request, header and all, if it is one of those; false: it is
 * libfuse's to serve. Threads: any. */
bool raw_serve(struct bridge *bridge, struct span request);

#endif
