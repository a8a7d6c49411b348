/* SPDX-License-Identifier: MIT */
/*
 * fixture.c - makes and removes the toy store's directory.
 */
#include "unit/store/fixture.h"

#include "lib/suite.h"

#include <stdio.h>
#include <unistd.h>

/* Instead of workers_step_back(): the linker puts it there. */
void __wrap_workers_step_back(void);

void __wrap_workers_step_back(void)
{
}

void fixture_name(struct fixture *f)
{
	tmpdir_init(&f->tmp);
	(void)snprintf(f->dir, sizeof(f->dir), "%s/store", f->tmp.path);
	(void)snprintf(f->other, sizeof(f->other), "%s/other", f->tmp.path);
}

void fixture_begin(struct fixture *f)
{
	fixture_name(f);
	toy_make(&f->toy, f->dir);
}

void fixture_end(struct fixture *f)
{
	ck_ok(toy_close(&f->toy));
	tmpdir_release(&f->tmp);
}

void fixture_reopen(struct fixture *f)
{
	ck_ok(toy_close(&f->toy));
	ck_ok(toy_open(&f->toy, f->dir));
}

void fixture_sync(struct fixture *f)
{
	ck_ok(commit_sync(f->toy.store, txn_mark(f->toy.store)));
}

void fixture_crash(struct fixture *f)
{
	toy_crash(&f->toy, f->dir, f->other);
	ck_ok(toy_open(&f->toy, f->other));
}

void file_remove(const char *dir, const char *name)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_msg(unlink(path) == 0, "%s", path);
}

bool file_exists(const char *dir, const char *name)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

void expect_value(struct toy *t, uint64_t key, uint64_t value)
{
	struct toy_row row;

	ck_assert_int_eq(toy_get(t, key, &row), 1);
	ck_assert_uint_eq(row.value, value);
}
