/* SPDX-License-Identifier: MIT */
/*
 * codebooks.c - rows, a short list of codebooks in memory, and what is known
 * of their use.
 */
#include "store/codebooks.h"

#include "base/error.h"
#include "base/sync.h"
#include "base/varint.h"
#include "codec/decode.h"
#include "store/dump.h"
#include "store/ops.h"
#include "stream/codebook_record.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)CODEBOOK_CLASS_NAME_MAX == CODEBOOK_CLASS_LEN_MAX + 1,
	      "NUL");

enum {
	SLOTS_MAX = 16,
	ROW_MAX = 128, /* of a checkpoint */
	LENGTHS = 24,  /* powers of two of a frame's length */
	STREAK_MAX = 5,
	PAUSE = 4, /* frames to the next comparison, doubled by each win or
		    * loss in a row: 128 at most */
};

/* What is known of frames of one class and about one length. */
struct experience {
	uint8_t streak; /* comparisons that ended alike, in a row */
	uint8_t pause;  /* frames to the next one */
	bool won;
};

struct class_state {
	uint64_t newest; /* 0: none */
	uint64_t version;
	struct experience lengths[LENGTHS];
};

struct slot {
	struct codebook *book; /* NULL: free */
	uint64_t used;         /* when; by `clock` */
};

struct codebooks {
	/* INDEX */
	struct db *db;
	struct decoder *decoder; /* made when it is needed */
	struct db_stmt *get;
	struct db_stmt *set;
	struct db_stmt *del;
	struct db_stmt *ref;
	struct db_stmt *all;
	struct db_stmt *next;
	struct db_stmt *idle;
	struct db_stmt *page;

	struct sync_mutex lock; /* LEAF */
	struct class_state classes[CONTENT_N_CLASSES] GUARDED_BY(lock);
	struct slot slots[SLOTS_MAX] GUARDED_BY(lock);
	uint64_t clock GUARDED_BY(lock);
};

int codebooks_new(struct codebooks **ret)
{
	struct codebooks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	sync_mutex_init(&c->lock, RANK_LEAF);
	*ret = c;
	return 0;
}

void codebooks_free(struct codebooks *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < SLOTS_MAX; i++)
		codebook_put(c->slots[i].book);
	decoder_free(c->decoder);
	sync_mutex_release(&c->lock);
	free(c);
}

/* ---- in memory ------------------------------------------------------------ */

static void forget(struct codebooks *c)
{
	struct codebook *dropped[SLOTS_MAX];
	size_t i;

	sync_lock(&c->lock);
	memset(c->classes, 0, sizeof(c->classes));
	for (i = 0; i < SLOTS_MAX; i++) {
		dropped[i] = c->slots[i].book;
		c->slots[i].book = NULL;
	}
	sync_unlock(&c->lock);
	for (i = 0; i < SLOTS_MAX; i++)
		codebook_put(dropped[i]);
}

static struct slot *slot_of(struct codebooks *c, uint64_t id) REQUIRES(c->lock)
{
	size_t i;

	for (i = 0; i < SLOTS_MAX; i++) {
		if (c->slots[i].book &&
		    codebook_head(c->slots[i].book)->id == id)
			return &c->slots[i];
	}
	return NULL;
}

struct codebook *codebooks_find(struct codebooks *c, uint64_t id)
{
	struct codebook *b = NULL;
	struct slot *slot;

	sync_lock(&c->lock);
	slot = slot_of(c, id);
	if (slot) {
		slot->used = ++c->clock;
		b = codebook_get(slot->book);
	}
	sync_unlock(&c->lock);
	return b;
}

/* Keeps it in memory, in place of the one that was not used for longest. */
static void keep(struct codebooks *c, struct codebook *b)
{
	struct codebook *dropped;
	struct slot *slot = &c->slots[0];
	size_t i;

	sync_lock(&c->lock);
	for (i = 0; i < SLOTS_MAX && slot->book; i++) {
		if (!c->slots[i].book || c->slots[i].used < slot->used)
			slot = &c->slots[i];
	}
	dropped = slot->book;
	*slot = (struct slot){ codebook_get(b), ++c->clock };
	sync_unlock(&c->lock);
	codebook_put(dropped);
}

static void drop(struct codebooks *c, uint64_t id)
{
	struct codebook *dropped = NULL;
	struct slot *slot;

	sync_lock(&c->lock);
	slot = slot_of(c, id);
	if (slot) {
		dropped = slot->book;
		slot->book = NULL;
	}
	sync_unlock(&c->lock);
	codebook_put(dropped);
}

void codebooks_trim(struct codebooks *c)
{
	struct codebook *dropped[SLOTS_MAX] = { NULL };
	size_t i;

	sync_lock(&c->lock);
	for (i = 0; i < SLOTS_MAX; i++) {
		/* Who wants one more must ask us. */
		if (c->slots[i].book && codebook_is_last(c->slots[i].book)) {
			dropped[i] = c->slots[i].book;
			c->slots[i].book = NULL;
		}
	}
	sync_unlock(&c->lock);
	for (i = 0; i < SLOTS_MAX; i++)
		codebook_put(dropped[i]);
}

size_t codebooks_memory(struct codebooks *c)
{
	size_t sum = 0;
	size_t i;

	sync_lock(&c->lock);
	for (i = 0; i < SLOTS_MAX; i++) {
		if (c->slots[i].book)
			sum += codebook_memory(c->slots[i].book);
	}
	sync_unlock(&c->lock);
	return sum;
}

/* ---- the newest ----------------------------------------------------------- */

uint64_t codebooks_newest(struct codebooks *c, enum content_class class)
{
	uint64_t id;

	sync_lock(&c->lock);
	id = c->classes[class].newest;
	sync_unlock(&c->lock);
	return id;
}

/* One is there. The form for encoding of an older one is of no more use. */
static void note(struct codebooks *c, struct span name, uint64_t id,
		 uint64_t version)
{
	enum content_class class;
	struct class_state *state;
	uint64_t old = 0;

	if (codebook_class_find(name, &class) < 0)
		return;
	sync_lock(&c->lock);
	state = &c->classes[class];
	if (version > state->version) {
		old = state->newest;
		*state = (struct class_state){ .newest = id,
					       .version = version };
	}
	sync_unlock(&c->lock);
	if (old != 0)
		drop(c, old);
}

/* ---- advice --------------------------------------------------------------- */

static struct experience *experience_of(struct codebooks *c,
					enum content_class class,
					size_t raw_len) REQUIRES(c->lock)
{
	unsigned log = 0;

	while (raw_len >>= 1)
		log++;
	return &c->classes[class].lengths[min_u64(log, LENGTHS - 1)];
}

enum codebook_advice codebooks_advise(struct codebooks *c,
				      enum content_class class, size_t raw_len)
{
	enum codebook_advice advice = CODEBOOK_COMPARE;
	struct experience *e;

	sync_lock(&c->lock);
	e = experience_of(c, class, raw_len);
	if (c->classes[class].newest == 0) {
		advice = CODEBOOK_SKIP;
	} else if (e->pause > 0) {
		e->pause--;
		advice = e->won ? CODEBOOK_USE : CODEBOOK_SKIP;
	}
	sync_unlock(&c->lock);
	return advice;
}

void codebooks_tell(struct codebooks *c, enum content_class class,
		    size_t raw_len, bool won)
{
	struct experience *e;

	sync_lock(&c->lock);
	e = experience_of(c, class, raw_len);
	e->streak = e->won != won            ? 0
		    : e->streak < STREAK_MAX ? (uint8_t)(e->streak + 1)
					     : STREAK_MAX;
	e->won = won;
	e->pause = (uint8_t)(PAUSE << e->streak);
	sync_unlock(&c->lock);
}

/* ---- rows ----------------------------------------------------------------- */

/* Which is the newest of each class. */
static int learn(struct codebooks *c)
{
	int rc;

	forget(c);
	while ((rc = db_step(c->all)) == 1)
		note(c, db_column_blob(c->all, 1), db_column_u64(c->all, 0),
		     db_column_u64(c->all, 2));
	db_reset(c->all);
	return rc;
}

int codebooks_attach(struct codebooks *c, struct db *db)
{
	const struct {
		const char *sql;
		struct db_stmt **ret;
	} all[] = {
		{ "SELECT payload FROM codebook WHERE id = ?", &c->get },
		{ "INSERT INTO codebook VALUES(?, ?, ?, 0, ?, ?, ?) ON "
		  "CONFLICT(id) DO UPDATE SET segment = excluded.segment, off8 "
		  "= excluded.off8, payload = excluded.payload",
		  &c->set },
		{ "DELETE FROM codebook WHERE id = ?", &c->del },
		{ "UPDATE codebook SET refs = refs + ?1 WHERE id = ?2 AND refs "
		  "+ ?1 >= 0",
		  &c->ref },
		{ "SELECT id, class, version FROM codebook ORDER BY id",
		  &c->all },
		{ "SELECT id, class, version, refs, segment, off8, "
		  "length(payload) FROM codebook WHERE id > ? ORDER BY id LIMIT "
		  "1",
		  &c->next },
		{ "SELECT id, class, version FROM codebook WHERE id > ? AND refs "
		  "= 0 ORDER BY id",
		  &c->idle },
		{ "SELECT id, segment, off8, version, class FROM codebook WHERE id > ? "
		  "ORDER BY id",
		  &c->page },
	};
	size_t i;
	int rc = 0;

	c->db = db;
	for (i = 0; rc == 0 && i < ARRAY_LEN(all); i++)
		rc = db_prepare(db, all[i].sql, all[i].ret);
	return rc == 0 ? learn(c) : rc;
}

int codebooks_reset(struct codebooks *c)
{
	return learn(c);
}

/* Of the record, id, version and class are looked at. */
static int put_row(struct codebooks *c, const struct codebook_record *r,
		   const struct codebook_place *place, struct span payload)
{
	int rc;

	db_bind_u64(c->set, 0, r->id);
	db_bind_blob(c->set, 1, r->class);
	db_bind_u64(c->set, 2, r->version);
	db_bind_u64(c->set, 3, place->segment);
	db_bind_u64(c->set, 4, place->off / 8);
	db_bind_blob(c->set, 5, payload);
	rc = db_run(c->set);
	if (rc == 0)
		note(c, r->class, r->id, r->version);
	return rc;
}

int codebooks_add(struct codebooks *c, const struct codebook_place *place,
		  struct span payload, uint64_t *ret_id)
{
	struct codebook_record r = { .id = 0 };
	int rc = codebook_record_parse(payload, &r);

	if (rc == 0)
		rc = put_row(c, &r, place, payload);
	if (rc == 0)
		*ret_id = r.id;
	return rc;
}

int codebooks_remove(struct codebooks *c, uint64_t id)
{
	int rc;

	db_bind_u64(c->del, 0, id);
	rc = db_run(c->del);
	if (rc == 0)
		drop(c, id);
	return rc;
}

int codebooks_ref(struct codebooks *c, uint64_t id, int64_t delta)
{
	int rc;

	db_bind_i64(c->ref, 0, delta);
	db_bind_u64(c->ref, 1, id);
	rc = db_run(c->ref);
	if (rc == 0 && db_n_changed(c->db) != 1)
		return corrupt("codebook %llu is referred to, and not there",
			       (unsigned long long)id);
	return rc;
}

int codebooks_load_record(struct codebooks *c, uint64_t id, struct span payload,
			  struct codebook **ret)
{
	struct codebook *b = NULL;
	int rc = c->decoder ? 0 : decoder_new(&c->decoder);

	if (rc == 0)
		rc = codebook_record_open(c->decoder, payload, &b);
	if (rc < 0)
		return rc;
	if (codebook_head(b)->id != id) {
		codebook_put(b);
		return corrupt("codebook %llu is another one",
			       (unsigned long long)id);
	}
	keep(c, b);
	*ret = b;
	return 0;
}

int codebooks_load(struct codebooks *c, uint64_t id, struct codebook **ret)
{
	struct codebook *b = codebooks_find(c, id);
	int rc;

	if (b) {
		*ret = b;
		return 0;
	}
	db_bind_u64(c->get, 0, id);
	rc = db_step(c->get);
	if (rc == 0)
		rc = -ENOENT;
	else if (rc == 1)
		rc = codebooks_load_record(c, id, db_column_blob(c->get, 0),
					   ret);
	db_reset(c->get);
	return rc;
}

int codebooks_hold(struct codebooks *c, uint64_t id, struct span payload)
{
	struct span row;
	int rc;

	db_bind_u64(c->get, 0, id);
	rc = db_step(c->get);
	if (rc == 1) {
		row = db_column_blob(c->get, 0);
		rc = row.len == payload.len &&
		     memcmp(row.ptr, payload.ptr, row.len) == 0;
	}
	db_reset(c->get);
	return rc;
}

/* Copies a class's name, cut off where it is too long. */
static void take_name(struct span name, char *ret)
{
	size_t n = min_u64(name.len, CODEBOOK_CLASS_NAME_MAX - 1);

	memcpy(ret, name.ptr, n);
	ret[n] = '\0';
}

static bool is_newest(struct codebooks *c, struct span name, uint64_t id)
{
	enum content_class class;

	return codebook_class_find(name, &class) == 0 &&
	       codebooks_newest(c, class) == id;
}

int codebooks_next(struct codebooks *c, uint64_t after,
		   struct codebook_row *ret)
{
	struct db_stmt *s = c->next;
	int rc;

	db_bind_u64(s, 0, after);
	rc = db_step(s);
	if (rc == 1) {
		*ret = (struct codebook_row){
			.id = db_column_u64(s, 0),
			.version = db_column_u64(s, 2),
			.refs = db_column_u64(s, 3),
			.place = { db_column_u64(s, 4),
				   db_column_u64(s, 5) * 8 },
			.payload_len = db_column_u64(s, 6),
		};
		take_name(db_column_blob(s, 1), ret->class);
		ret->newest = is_newest(c, db_column_blob(s, 1), ret->id);
		rc = dump_check_order("codebooks", after, ret->id);
	}
	db_reset(s);
	return rc;
}

int codebooks_find_idle(struct codebooks *c, uint64_t after, uint64_t *ret)
{
	uint64_t found = 0;
	int rc = 0;

	db_bind_u64(c->idle, 0, after);
	while (found == 0 && (rc = db_step(c->idle)) == 1) {
		uint64_t id = db_column_u64(c->idle, 0);

		/* In a damaged table it may stand where it does not belong. */
		if (id > after && !is_newest(c, db_column_blob(c->idle, 1), id))
			found = id;
	}
	db_reset(c->idle);
	if (found == 0 && rc < 0)
		return rc;
	*ret = found;
	return 0;
}

/* ---- checkpoints ---------------------------------------------------------- */

static int dump_row(struct db_stmt *row, struct dump_cursor *c,
		    struct buffer *ops)
{
	struct buffer body;
	int i;
	int rc;

	c->keys[0] = db_column_u64(row, 0);
	buffer_init(&body, ROW_MAX);
	rc = buffer_append_varint(&body, c->keys[0]);
	for (i = 1; rc == 0 && i <= 3; i++)
		rc = buffer_append_varint(&body, db_column_u64(row, i));
	if (rc == 0)
		rc = buffer_append(&body, db_column_blob(row, 4));
	if (rc == 0)
		rc = ops_put(ops, OP_CODEBOOK_ROW, buffer_span(&body));
	buffer_release(&body);
	return rc;
}

int codebooks_dump(struct codebooks *c, struct dump_cursor *cursor,
		   struct buffer *ops)
{
	db_bind_u64(c->page, 0, cursor->keys[0]);
	return dump_page(c->page, dump_row, cursor, ops);
}

static int parse_row(struct span body, struct codebook_record *ret,
		     struct codebook_place *ret_place)
{
	struct codebook_record r = { .id = 0 };
	struct codebook_place place = { .off = 0 };
	struct reader in = reader_of(body);

	if (varint_get(&in, &r.id) < 0 || r.id == 0 ||
	    varint_get(&in, &place.segment) < 0 ||
	    varint_get_max(&in, UINT64_MAX / 8, &place.off) < 0 ||
	    varint_get(&in, &r.version) < 0 || r.version == 0)
		return corrupt("row of a codebook: bad number");
	r.class = span_of(in.pos, reader_left(&in));
	if (r.class.len == 0 || r.class.len > CODEBOOK_CLASS_LEN_MAX)
		return corrupt("row of a codebook: bad class");
	place.off *= 8;
	*ret = r;
	*ret_place = place;
	return 0;
}

int codebooks_row_get(struct span body, uint64_t *ret_id,
		      struct codebook_place *ret)
{
	struct codebook_record r = { .id = 0 };
	int rc = parse_row(body, &r, ret);

	if (rc == 0)
		*ret_id = r.id;
	return rc;
}

int codebooks_load_row(struct codebooks *c, struct span body,
		       struct span payload)
{
	struct codebook_record r = { .id = 0 };
	struct codebook_place place = { .off = 0 };
	int rc = parse_row(body, &r, &place);

	return rc == 0 ? put_row(c, &r, &place, payload) : rc;
}
