/* SPDX-License-Identifier: MIT */
/*
 * intake.h - the work on one parcel; ingest.c decides who does it, and when.
 */
#ifndef STORE_INTAKE_H
#define STORE_INTAKE_H

struct parcel;

/* How long writers have waited for encoders. */
enum pressure {
	PRESSURE_NONE,
	PRESSURE_LONG, /* longer than for a burst */
	PRESSURE_BULK, /* and what they write is one long file */
};

/* Stores what is new in the parcel and calls its `done`, on this thread. Under
 * pressure less is tried. */
void intake_run(struct parcel *p, enum pressure pressure);

#endif
