/* SPDX-License-Identifier: MIT */
/*
 * tidy.h - cleans a store, as `sigmafs gc` does.
 */
#ifndef TESTS_MODEL_TIDY_H
#define TESTS_MODEL_TIDY_H

#include "store/clean.h"

/* What clean_step() says in the end. `ret` may be NULL. */
int tidy_store(struct store *s, struct clean_result *ret);

#endif
