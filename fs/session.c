/* SPDX-License-Identifier: MIT */
/*
 * session.c - a mount's life.
 *
 *     open the store -> mount -> control socket, helpers -> serve
 *     unmounted -> end the helpers -> make all durable -> tell who waits
 *
 * Whoever wants it to end (a signal, `sigmafs umount`) flushes and unmounts
 * while the session still serves. The kernel then ends the conversation, and
 * only that ends the loop: no dirty page is ever left behind.
 */
#include "session.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "base/workers.h"
#include "bridge.h"
#include "cmd_codebook.h"
#include "cmd_gc.h"
#include "cmd_optimize.h"
#include "cmd_scrub.h"
#include "control.h"
#include "daemon.h"
#include "ending.h"
#include "explain.h"
#include "json.h"
#include "loop.h"
#include "pieces.h"
#include "raw.h"
#include "refusals.h"
#include "stats.h"
#include "tune.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>

enum {
	THREADS_BEYOND_CPUS = 10, /* may wait for a disk, or for room */
	SEEK_THREADS = 2,
	SEEK_QUEUE = 1 << 20,
};

struct session {
	const struct session_config *config;
	struct bridge bridge;
	struct ending ending;
	struct control *control;
	struct optimizer *optimizer;
	struct scrubber *scrubber;
	bool mounted;
};

/* ---- the store ------------------------------------------------------------ */

static void describe(struct session *s, const char *what)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "process %d, %s '%.400s'",
		       (int)getpid(), what, s->config->dir);
	(void)store_describe(volume_store(s->bridge.volume), text);
}

static void tell_opened(const struct session *s, const struct store_opened *o)
{
	const char *store = s->config->store;

	if (o->rebuilt)
		report_warn("'%s': the index was missing or damaged and has "
			    "been made again from the log",
			    store);
	if (o->replayed)
		report_info("'%s': recovered from the log after an unclean end",
			    store);
	if (o->read_only && !s->config->options->volume.store.read_only)
		report_warn("'%s': read-only, because %s", store, o->read_only);
}

static int open_volume(struct session *s)
{
	char text[EXPLAIN_MAX];
	const struct store_opened *opened;
	int rc = volume_open(s->config->store, &s->config->options->volume,
			     &s->bridge.volume);

	if (rc < 0) {
		s->bridge.volume = NULL;
		explain_open(s->config->store, rc, text);
		report_error("%s", text);
		return rc;
	}
	opened = store_opened(volume_store(s->bridge.volume));
	tell_opened(s, opened);
	s->bridge.read_only = opened->read_only != NULL;
	describe(s, "mounted on");
	return 0;
}

/* The error of the whole session: that data may be missing outweighs others. */
static int close_volume(struct session *s, int rc)
{
	int close_rc;

	if (!s->bridge.volume)
		return rc;
	describe(s, "writing what is left of");
	close_rc = volume_close(s->bridge.volume);
	if (close_rc < 0)
		report_error("'%s': not all data could be made durable: %s",
			     s->config->store, error_text(close_rc));
	return close_rc < 0 ? close_rc : rc;
}

/* ---- the kernel ----------------------------------------------------------- */

static void node_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct bridge *bridge = userdata;
	const unsigned wanted =
		FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_READDIRPLUS |
		FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_CACHE_SYMLINKS |
		FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_ASYNC_DIO |
		FUSE_CAP_ASYNC_READ | FUSE_CAP_DONT_MASK;
	const unsigned unwanted = FUSE_CAP_ATOMIC_O_TRUNC |
				  FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_POSIX_LOCKS |
				  FUSE_CAP_FLOCK_LOCKS;

	conn->want |= wanted & conn->capable;
	/* With it the kernel checks modes, too, whatever the options are. */
	if (bridge->checked)
		conn->want |= FUSE_CAP_POSIX_ACL & conn->capable;
	conn->want &= ~unwanted;
	conn->time_gran = 1;
}

static void fuse_message(enum fuse_log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void fuse_message(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char text[512];
	size_t len;

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	report(level <= FUSE_LOG_ERR ? REPORT_ERROR : REPORT_DEBUG, "%s", text);
}

/* The kernel has our answer to INIT: now the mount is there to be used. */
static void session_ready(void *ctx)
{
	struct session *s = ctx;

	tune_mount(ending_mounted(&s->ending, s->config->dir));
	daemon_ready(s->config->daemon);
}

/* "-o ...", with what may stand in a path escaped. */
static int make_args(const struct session *s, struct fuse_args *args)
{
	AUTO_FREE char *options = NULL;
	AUTO_FREE char *fsname = NULL;
	char list[2 * OPTIONS_TEXT_MAX];
	struct mount_options o = *s->config->options;

	if (s->bridge.read_only)
		o.flags |= MS_RDONLY;
	options_for_kernel(&o, geteuid() == 0, list);
	if (asprintf(&fsname, "fsname=%s", s->config->store) < 0) {
		fsname = NULL;
		return -ENOMEM;
	}
	if (fuse_opt_add_opt_escaped(&options, fsname) < 0 ||
	    fuse_opt_add_opt(&options, "subtype=sigmafs") < 0 ||
	    fuse_opt_add_opt(&options, list) < 0 ||
	    fuse_opt_add_arg(args, "sigmafs") < 0 ||
	    fuse_opt_add_arg(args, "-o") < 0 ||
	    fuse_opt_add_arg(args, options) < 0)
		return -ENOMEM;
	return 0;
}

static int new_session(struct session *s)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops = { .init = node_init };
	int rc = make_args(s, &args);

	s->bridge.checked = options_checked(s->config->options, geteuid() == 0);
	node_ops(&ops);
	dir_ops(&ops);
	file_ops(&ops);
	xattr_ops(&ops);
	if (rc == 0) {
		s->bridge.se =
			fuse_session_new(&args, &ops, sizeof(ops), &s->bridge);
		rc = s->bridge.se ? 0 : -EINVAL;
	}
	fuse_opt_free_args(&args);
	return rc;
}

/* libfuse and fusermount3 have said why when mounting fails. */
static int mount_it(struct session *s)
{
	int rc;

	fuse_set_log_func(fuse_message);
	rc = new_session(s);
	if (rc == 0 && fuse_session_mount(s->bridge.se, s->config->dir) != 0)
		rc = -EIO;
	if (rc < 0) {
		report_error("cannot mount on '%s'", s->config->dir);
		return rc;
	}
	s->mounted = true;
	s->bridge.wire.ready = session_ready;
	s->bridge.wire.ctx = s;
	return wire_install(s->bridge.se);
}

static void serve_request(void *ctx, struct fuse_session *se,
			  const struct fuse_buf *request)
{
	if (!raw_serve(ctx, span_of(request->mem, request->size)))
		fuse_session_process_buf(se, request);
}

static int serve(struct session *s)
{
	long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n_threads =
		(unsigned)(n_cpus > 0 ? n_cpus : 1) + THREADS_BEYOND_CPUS;

	return loop_run(s->bridge.se, n_threads, serve_request, &s->bridge);
}

/* ---- requests to the daemon ----------------------------------------------- */

static int tell_status(const struct session *s, struct json *reply)
{
	json_u64(reply, "pid", (uint64_t)getpid());
	json_text(reply, "store", s->config->store);
	json_text(reply, "mounted_on", s->config->dir);
	json_bool(reply, "read_only", s->bridge.read_only);
	return 0;
}

static int tell_stats(const struct session *s, struct json *reply)
{
	struct stats stats;
	int rc = stats_read(s->bridge.volume, &stats);

	if (rc == 0)
		rc = tell_status(s, reply);
	if (rc == 0)
		stats_put(&stats, reply);
	if (rc == 0)
		scrubber_tell(s->scrubber, reply);
	return rc;
}

static int sync_all(struct session *s)
{
	int rc = s->bridge.read_only ? 0 : ending_flush(&s->ending);
	int sync_rc = volume_sync(s->bridge.volume);

	return sync_rc < 0 ? sync_rc : rc;
}

/* Of a mount whose options have changed. */
static int set_atime(const struct session *s, const char *rule)
{
	char *end;
	unsigned long value;

	if (*rule < '0' || *rule > '9')
		return -EINVAL;
	value = strtoul(rule, &end, 10);
	if (*end != '\0' || value > VOLUME_ATIME_ALL)
		return -EINVAL;
	volume_set_atime(s->bridge.volume, (unsigned)value);
	return 0;
}

static int serve_control(void *ctx, const struct control_request *request,
			 struct json *reply)
{
	struct session *s = ctx;

	/* Who only looks how it is going is no reason to stop. */
	if (request->verb != CONTROL_STATUS && request->verb != CONTROL_STAT)
		store_use(volume_store(s->bridge.volume));
	switch (request->verb) {
	case CONTROL_STATUS:
		return tell_status(s, reply);
	case CONTROL_STAT:
		return tell_stats(s, reply);
	case CONTROL_SYNC:
		return sync_all(s);
	case CONTROL_CODEBOOK:
		return codebook_serve(volume_store(s->bridge.volume),
				      request->arguments, reply);
	case CONTROL_OPTIMIZE:
		return optimizer_serve(s->optimizer, request->arguments, reply);
	case CONTROL_GC:
		return gc_serve(volume_store(s->bridge.volume),
				request->arguments, reply);
	case CONTROL_SCRUB:
		return scrubber_serve(s->scrubber, request->arguments, reply);
	case CONTROL_EXPLAIN:
		return pieces_tell(s->bridge.volume, request->arguments, reply);
	case CONTROL_ATIME:
		return set_atime(s, request->arguments);
	case CONTROL_UNMOUNT:
		return ending_unmount(&s->ending, false);
	case CONTROL_N_VERBS:
		break;
	}
	return -EINVAL;
}

/* ---- the whole ------------------------------------------------------------ */

/* Without a socket it works all the same: the store may be on a disk that is
 * read-only. */
static void start_control(struct session *s)
{
	int rc = control_start(store_dir_fd(volume_store(s->bridge.volume)),
			       serve_control, s, &s->control);

	if (rc < 0 && rc != -EROFS)
		report_warn("'%s': no control socket: %s, ignoring",
			    s->config->store, error_text(rc));
	if (rc < 0)
		s->control = NULL;
}

static void forget_attributes(void *ctx, uint64_t ino)
{
	const struct bridge *bridge = ctx;

	(void)fuse_lowlevel_notify_inval_inode(bridge->se, ino, -1, 0);
}

static int start_helpers(struct session *s)
{
	int rc = workers_new("sigmafs-seek", SEEK_THREADS, SEEK_QUEUE,
			     &s->bridge.seekers);

	if (rc == 0)
		rc = refusals_new(forget_attributes, &s->bridge,
				  &s->bridge.refusals);
	if (rc == 0)
		rc = optimizer_new(s->bridge.volume, &s->optimizer);
	if (rc == 0)
		rc = scrubber_new(s->bridge.volume, &s->scrubber);
	if (rc == 0)
		rc = ending_watch(&s->ending);
	if (rc < 0)
		report_error("cannot start threads: %s", error_text(rc));
	else
		start_control(s);
	return rc;
}

static int end_session(struct session *s, int rc)
{
	if (s->mounted)
		fuse_session_unmount(s->bridge.se);
	control_stop(s->control);
	optimizer_free(s->optimizer);
	scrubber_free(s->scrubber);
	ending_release(&s->ending);
	workers_free(s->bridge.seekers);
	refusals_free(s->bridge.refusals);
	if (s->bridge.se)
		fuse_session_destroy(s->bridge.se);
	rc = close_volume(s, rc);
	control_finish(s->control, rc);
	return rc;
}

int session_run(const struct session_config *config)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->config = config;
	tune_memory();
	rc = ending_init(&s->ending, config->store);
	if (rc == 0)
		rc = open_volume(s);
	if (rc == 0)
		rc = mount_it(s);
	if (rc == 0)
		rc = start_helpers(s);
	if (rc == 0)
		rc = serve(s);
	rc = end_session(s, rc);
	free(s);
	return rc;
}
