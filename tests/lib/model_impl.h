/* SPDX-License-Identifier: MIT */
/*
 * model_impl.h - what the two files of the model share.
 */
#ifndef TESTS_LIB_MODEL_IMPL_H
#define TESTS_LIB_MODEL_IMPL_H

#include <stddef.h>

/* realloc(3) that does not fail. */
void *model_alloc(void *old, size_t len);

#endif
