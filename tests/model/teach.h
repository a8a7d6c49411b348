/* SPDX-License-Identifier: MIT */
/*
 * teach.h - a codebook for the bytes of FILL_RECORDS.
 */
#ifndef TESTS_MODEL_TEACH_H
#define TESTS_MODEL_TEACH_H

struct store;

/* Publishes one, as the trainer would. What library_publish() says. */
int teach_store(struct store *s);

#endif
