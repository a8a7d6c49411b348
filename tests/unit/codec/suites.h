/* SPDX-License-Identifier: MIT */
/*
 * suites.h - the suites of src/codec.
 */
#ifndef TESTS_UNIT_CODEC_SUITES_H
#define TESTS_UNIT_CODEC_SUITES_H

#include <check.h>

Suite *suite_codebook(void);
Suite *suite_columns(void);
Suite *suite_cover(void);
Suite *suite_decode(void);
Suite *suite_delta(void);
Suite *suite_describe(void);
Suite *suite_encode(void);
Suite *suite_glyph(void);
Suite *suite_policy(void);
Suite *suite_primitive(void);
Suite *suite_probe(void);
Suite *suite_sketch(void);
Suite *suite_sniff(void);
Suite *suite_transform(void);
Suite *suite_train(void);

#endif
