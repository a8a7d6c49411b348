/* SPDX-License-Identifier: MIT */
/*
 * intake.h - the work on one parcel; ingest.c decides who does it, and when.
 */
#ifndef STORE_INTAKE_H
#define STORE_INTAKE_H

#include <stdbool.h>

struct parcel;

/*
 * Stores what is new in the parcel and calls its `done`, on this thread. With
 * `hurry` less is tried. Returns whether the cache took the parcel's block.
 */
bool intake_run(struct parcel *p, bool hurry);

#endif
