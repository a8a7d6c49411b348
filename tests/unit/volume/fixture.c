/* SPDX-License-Identifier: MIT */
/* fixture.c - making, crashing and checking the volumes of tests. */
#include "unit/volume/fixture.h"

#include "base/clock.h"
#include "base/report.h"
#include "store/db.h"
#include "store/state.h"
#include "volume/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void fixture_init_closed(struct fixture *f)
{
	struct store_create_options options = { 0 };

	f->v = NULL;
	f->n_inodes = 0;
	report_silence(true);
	tmpdir_init(&f->dir);
	(void)snprintf(f->path, sizeof(f->path), "%s/store", f->dir.path);
	ck_ok(volume_create(f->path, &options));
}

void fixture_init(struct fixture *f)
{
	fixture_init_closed(f);
	fixture_open(f);
}

void fixture_open(struct fixture *f)
{
	struct volume_options options = { .n_inodes = f->n_inodes };

	options.store.n_workers = 1;
	ck_ok(volume_open(f->path, &options, &f->v));
}

void fixture_close(struct fixture *f)
{
	struct volume *v = f->v;

	f->v = NULL;
	ck_ok(volume_close(v));
}

void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

void fixture_release(struct fixture *f)
{
	char text[2000] = "";

	if (!f->v)
		fixture_open(f);
	ck_assert_msg(fixture_findings(f, text, sizeof(text)) == 0, "%s", text);
	fixture_reopen(f);
	ck_assert_msg(fixture_findings(f, text, sizeof(text)) == 0,
		      "reopened: %s", text);
	fixture_drop(f);
}

void fixture_drop(struct fixture *f)
{
	fixture_close(f);
	tmpdir_release(&f->dir);
}

void fixture_crash(struct fixture *f, void (*work)(struct fixture *f),
		   bool sync)
{
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fixture_open(f);
		work(f);
		_exit(sync && volume_sync(f->v) ? 1 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	fixture_open(f);
}

struct findings {
	char *text;
	size_t cap;
};

static void note(void *ctx, const char *text)
{
	struct findings *found = ctx;
	size_t len;

	if (!found->text)
		return;
	len = strlen(found->text);
	(void)snprintf(found->text + len, found->cap - len, "%s\n", text);
}

uint64_t fixture_findings(struct fixture *f, char *text, size_t cap)
{
	struct findings found = { .text = text, .cap = cap };
	struct check_report report = { .ctx = &found, .finding = note };

	if (text)
		text[0] = '\0';
	ck_ok(volume_check(f->v, &report));
	return report.n_findings;
}

void fixture_sql(struct fixture *f, const char *sql)
{
	struct store *s = volume_store(f->v);

	index_lock(s);
	ck_ok(db_exec(s->index.db, sql));
	index_unlock(s);
}

/* ---- words ---------------------------------------------------------------- */

struct span name_of(const char *text)
{
	return span_of(text, strlen(text));
}

struct volume_place at(uint64_t parent, const char *name)
{
	return (struct volume_place){ .parent = parent, .name = name_of(name) };
}

int try_make(struct fixture *f, uint64_t parent, const char *name,
	     uint32_t mode)
{
	struct volume_new what = { .mode = mode, .target = name_of("target") };
	struct volume_attr attr;
	int rc = volume_make(f->v, parent, name_of(name), &what, &attr);

	if (!rc)
		volume_forget(f->v, attr.ino, 1);
	return rc;
}

uint64_t make(struct fixture *f, uint64_t parent, const char *name,
	      uint32_t mode)
{
	struct volume_new what = { .mode = mode, .target = name_of("target") };
	struct volume_attr attr;

	ck_ok(volume_make(f->v, parent, name_of(name), &what, &attr));
	volume_forget(f->v, attr.ino, 1);
	return attr.ino;
}

uint64_t make_file(struct fixture *f, uint64_t parent, const char *name)
{
	return make(f, parent, name, S_IFREG | 0644);
}

uint64_t make_dir(struct fixture *f, uint64_t parent, const char *name)
{
	return make(f, parent, name, S_IFDIR | 0755);
}

uint64_t make_symlink(struct fixture *f, uint64_t parent, const char *name,
		      const char *target)
{
	struct volume_new what = { .mode = S_IFLNK | 0777,
				   .target = name_of(target) };
	struct volume_attr attr;

	ck_ok(volume_make(f->v, parent, name_of(name), &what, &attr));
	volume_forget(f->v, attr.ino, 1);
	return attr.ino;
}

int try_link(struct fixture *f, uint64_t ino, uint64_t parent, const char *name)
{
	struct volume_attr attr;
	int rc = volume_link(f->v, ino, parent, name_of(name), &attr);

	if (!rc)
		volume_forget(f->v, attr.ino, 1);
	return rc;
}

int try_unlink(struct fixture *f, uint64_t parent, const char *name)
{
	return volume_unlink(f->v, parent, name_of(name));
}

int try_rmdir(struct fixture *f, uint64_t parent, const char *name)
{
	return volume_rmdir(f->v, parent, name_of(name));
}

int try_rename(struct fixture *f, struct volume_place from,
	       struct volume_place to, unsigned flags)
{
	return volume_rename(f->v, &from, &to, flags, NULL);
}

int try_lookup(struct fixture *f, uint64_t parent, const char *name)
{
	struct volume_attr attr;
	int rc = volume_lookup(f->v, parent, name_of(name), &attr);

	if (!rc)
		volume_forget(f->v, attr.ino, 1);
	return rc;
}

uint64_t ino_of(struct fixture *f, uint64_t parent, const char *name)
{
	struct volume_attr attr;

	if (volume_lookup(f->v, parent, name_of(name), &attr))
		return 0;
	volume_forget(f->v, attr.ino, 1);
	return attr.ino;
}

struct volume_attr attr_of(struct fixture *f, uint64_t ino)
{
	struct volume_attr attr;

	ck_ok(volume_getattr(f->v, ino, &attr));
	return attr;
}

uint32_t links_of(struct fixture *f, uint64_t ino)
{
	return attr_of(f, ino).nlink;
}

void tick_clock(void)
{
	int64_t start = clock_stamp_ns();

	while (clock_stamp_ns() <= start)
		;
}

bool is_same(struct volume_time a, struct volume_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec;
}

bool is_after(struct volume_time a, struct volume_time b)
{
	return a.sec > b.sec || (a.sec == b.sec && a.nsec > b.nsec);
}
