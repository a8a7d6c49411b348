/* SPDX-License-Identifier: MIT */
/*
 * test_gc.c - what the daemon answers to `sigmafs gc`. (cmd_gc.c)
 */
#include "cmd_gc.h"
#include "control.h"
#include "unit/fs/suites.h"

#include "json.h"
#include "lib/suite.h"
#include "lib/tmpdir.h"
#include "store/maintain.h"
#include "volume/volume.h"

#include <errno.h>
#include <stdio.h>

static struct tmpdir tmp;
static struct volume *volume;
static char reply[CONTROL_REPLY_MAX];

static void begin(void)
{
	const struct volume_options options = {
		.store.effort = EFFORT_BALANCED,
	};
	char path[600];

	tmpdir_init(&tmp);
	(void)snprintf(path, sizeof(path), "%s/store", tmp.path);
	ck_ok(volume_create(path, &(struct store_create_options){ 0 }));
	ck_ok(volume_open(path, &options, &volume));
}

static void end(void)
{
	ck_ok(volume_close(volume));
	tmpdir_release(&tmp);
}

static int serve(const char *arguments)
{
	const char *text = NULL;
	struct json json;
	int rc;

	json_init(&json, sizeof(reply) - 1);
	json_open(&json, NULL, '{');
	rc = gc_serve(volume_store(volume), arguments, &json);
	json_close(&json, '}');
	ck_ok(json_end(&json, &text));
	(void)snprintf(reply, sizeof(reply), "%s", text);
	json_release(&json);
	return rc;
}

START_TEST(steps_until_there_is_no_more)
{
	bool more = true;
	unsigned n;

	begin();
	ck_ok(serve("begin"));
	for (n = 0; more; n++) {
		ck_assert_uint_lt(n, 100);
		ck_ok(serve("step"));
		ck_ok(json_get_bool(reply, "more", &more));
	}
	ck_rc(serve("jump"), -EINVAL);
	end();
}
END_TEST

/* Other requests would wait as long as this one. */
START_TEST(does_not_wait_for_long_work)
{
	bool busy = false;
	bool more = false;

	begin();
	maintain_enter(volume_store(volume));
	ck_ok(serve("begin"));
	ck_ok(json_get_bool(reply, "busy", &busy));
	ck_assert(busy);
	ck_ok(serve("step"));
	ck_assert_int_lt(json_get_bool(reply, "more", &more), 0);
	maintain_leave(volume_store(volume));
	ck_ok(serve("begin"));
	ck_assert_int_lt(json_get_bool(reply, "busy", &busy), 0);
	end();
}
END_TEST

Suite *suite_gc(void)
{
	const TTest *const tests[] = {
		steps_until_there_is_no_more,
		does_not_wait_for_long_work,
	};

	return suite_of("gc", tests, ARRAY_LEN(tests), 60);
}
