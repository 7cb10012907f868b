#include "orchestrator/store/store_sqlite.h"

#include "base/fault_point.h"
#include "orchestrator/store/folder_lock.h"
#include "orchestrator/store/sqlite_dead.h"
#include "orchestrator/store/sqlite_file.h"
#include "orchestrator/store/sqlite_statements.h"
#include "orchestrator/store/unsent.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Sagas that one transaction of prune removes. */
enum { PRUNE_BATCH = 1000 };

struct store_sqlite {
	struct store base; /* first, so that the two pointers are one */
	struct folder_lock lock;
	struct sqlite_file file;
	sqlite3_stmt *statements[N_STATEMENTS];
	int64_t last_number; /* the largest that was given to a row */
	bool counts_known;
	struct store_counts counts;
	struct store_batch batch; /* the newest */
	struct unsent unsent;     /* of batches behind batch.sent */
	struct bytes unsent_bytes;
};

/* --- statements ----------------------------------------------------------------------- */

static struct store_sqlite *store_of(struct store *base)
{
	return (struct store_sqlite *)base;
}

static enum err failed(struct store_sqlite *store, bool writing)
{
	return sqlite_file_failed(&store->file, writing, &store->base.trouble);
}

/* What was read cannot have been written by us. */
static enum err damaged(struct store_sqlite *store, const char *what)
{
	return sqlite_file_damaged(&store->file, what, &store->base.trouble);
}

/* Nothing is kept of what is bound: it is there until the statement has run. */
static void bind_text(sqlite3_stmt *statement, int parameter, struct slice text)
{
	if (text.len)
		sqlite3_bind_text64(statement, parameter, text.at, text.len, SQLITE_STATIC,
				    SQLITE_UTF8);
	else
		sqlite3_bind_null(statement, parameter);
}

static void bind_bytes(sqlite3_stmt *statement, int parameter, const void *at, size_t len)
{
	sqlite3_bind_blob64(statement, parameter, at, len, SQLITE_STATIC);
}

/* Of text and of bytes; valid until the statement goes on. */
static struct slice column(sqlite3_stmt *statement, int i)
{
	struct slice bytes = {sqlite3_column_blob(statement, i), 0};

	if (bytes.at)
		bytes.len = (size_t)sqlite3_column_bytes(statement, i);
	return bytes;
}

/* Run a statement that gives no rows. */
static enum err run(struct store_sqlite *store, enum statement which)
{
	sqlite3_stmt *statement = store->statements[which];
	enum err err = OK;

	errno = 0; /* so that it is not an older one that a message tells of */
	if (sqlite3_step(statement) != SQLITE_DONE)
		err = failed(store, true);
	sqlite3_reset(statement);
	return err;
}

/* Whether the statement gives another row; where that fails it does not, and *err
 * says why. */
static bool next(struct store_sqlite *store, enum statement which, enum err *err)
{
	int result = sqlite3_step(store->statements[which]);

	if (result != SQLITE_ROW && result != SQLITE_DONE)
		*err = failed(store, false);
	return result == SQLITE_ROW;
}

/* Nothing of the transaction stays; returns the error that it ended with. */
static enum err roll_back(struct store_sqlite *store, enum err err)
{
	/* Some errors have done it already. */
	if (!sqlite3_get_autocommit(store->file.handle)) {
		sqlite3_step(store->statements[ROLLBACK]);
		sqlite3_reset(store->statements[ROLLBACK]);
	}
	store->counts_known = false;
	return err;
}

/* --- writing -------------------------------------------------------------------------- */

static int64_t number_of(int64_t started_ms)
{
	const int64_t last_ms = INT64_MAX >> SQLITE_FILE_NUMBER_BITS;

	if (started_ms < 0)
		return 0;
	return (started_ms < last_ms ? started_ms : last_ms) << SQLITE_FILE_NUMBER_BITS;
}

/* The number of a saga that starts now: behind all that started in the same
 * millisecond, which is nearly always behind all that there are. */
static enum err give_number(struct store_sqlite *store, int64_t started_ms, int64_t *out)
{
	const int64_t in_one_ms = INT64_C(1) << SQLITE_FILE_NUMBER_BITS;
	sqlite3_stmt *statement = store->statements[LAST_NUMBER];
	int64_t number = number_of(started_ms);
	enum err err = OK;

	if (number <= store->last_number && store->last_number < number + in_one_ms - 1) {
		number = store->last_number + 1;
	} else if (number <= store->last_number) {
		int64_t last = 0;

		/* The clock went back; or a million started in one millisecond, and
		 * the next one takes what is too many. */
		for (;; number += in_one_ms) {
			sqlite3_bind_int64(statement, 1, number + in_one_ms);
			if (next(store, LAST_NUMBER, &err))
				last = sqlite3_column_int64(statement, 0);
			sqlite3_reset(statement);
			if (err || last < number + in_one_ms - 1)
				break;
		}
		if (last >= number)
			number = last + 1;
	}
	if (number > store->last_number)
		store->last_number = number;
	*out = number;
	return err;
}

static void bind_row(sqlite3_stmt *statement, const struct saga_write *write, int64_t number)
{
	const struct saga_row *row = &write->row;

	sqlite3_bind_int(statement, 1, (int)row->status);
	if (row->ended_ms)
		sqlite3_bind_int64(statement, 2, row->ended_ms);
	else
		sqlite3_bind_null(statement, 2);
	sqlite3_bind_int(statement, 3, row->paused);
	sqlite3_bind_int64(statement, 4, (int64_t)row->revision);
	sqlite3_bind_int64(statement, 5, row->updated_ms);
	bind_text(statement, 6, row->step);
	bind_text(statement, 7, row->reason);
	bind_bytes(statement, 8, write->record.at, write->record.len);
	sqlite3_bind_int64(statement, 9, number);
}

/* Whether a saga of that name has the key. */
static bool taken(struct store_sqlite *store, enum statement which, const struct saga_row *row,
		  enum err *err)
{
	sqlite3_stmt *statement = store->statements[which];
	bool there;

	bind_text(statement, 1, row->key);
	bind_text(statement, 2, row->saga);
	there = next(store, which, err);
	sqlite3_reset(statement);
	return there;
}

static enum err insert(struct store_sqlite *store, struct saga_write *write, int64_t *number)
{
	sqlite3_stmt *statement = store->statements[INSERT];
	const struct saga_row *row = &write->row;
	bool key_is_id = slice_equal(row->key, row->id);
	enum err err = OK;

	write->result = ERR_CONFLICT;
	/* The index sees to it that the id is new, also where it is a key. */
	if (taken(store, TAKEN_KEY, row, &err) || err ||
	    (!key_is_id && taken(store, TAKEN_ID, row, &err)) || err)
		return err;
	err = give_number(store, row->started_ms, number);
	if (err)
		return err;
	bind_row(statement, write, *number);
	bind_text(statement, 10, row->id);
	bind_text(statement, 11, key_is_id ? (struct slice){0} : row->key);
	bind_text(statement, 12, row->saga);
	bind_text(statement, 13, row->version);
	err = run(store, INSERT);
	if (!err && sqlite3_changes(store->file.handle) == 1)
		write->result = OK;
	return err;
}

static enum err update(struct store_sqlite *store, struct saga_write *write, int64_t *number)
{
	sqlite3_stmt *look_up = store->statements[LOOK_UP];
	enum statement which = UPDATE_STATUS;
	enum err err = OK;
	int status = 0;

	write->result = ERR_CONFLICT;
	bind_text(look_up, 1, write->row.id);
	if (next(store, LOOK_UP, &err)) {
		*number = sqlite3_column_int64(look_up, 0);
		status = sqlite3_column_int(look_up, 2);
		if ((uint64_t)sqlite3_column_int64(look_up, 1) == write->before)
			write->result = OK;
	}
	sqlite3_reset(look_up);
	if (err || write->result)
		return err;
	if (status < 0 || status >= STATUSES)
		return damaged(store, "a saga's status is none");
	/* What has ended may end anew, later. */
	if (status == (int)write->row.status && !write->row.ended_ms)
		which = UPDATE;
	bind_row(store->statements[which], write, *number);
	store->counts.by_status[status]--;
	return run(store, which);
}

/* A conflict is in write->result, and is no error here. */
static enum err write_saga(struct store_sqlite *store, struct saga_write *write,
			   int64_t *number)
{
	enum err err =
		write->before ? update(store, write, number) : insert(store, write, number);

	if (!write->result)
		store->counts.by_status[write->row.status]++;
	return err;
}

static enum err set_batch(struct store_sqlite *store, const struct store_batch *batch,
			  const struct unsent *unsent)
{
	sqlite3_stmt *statement = store->statements[SET_BATCH];
	struct bytes *bytes = &store->unsent_bytes;

	bytes_clear(bytes);
	unsent_write(unsent, bytes);
	if (bytes->err)
		return bytes->err;
	sqlite3_bind_int64(statement, 1, (int64_t)batch->number);
	sqlite3_bind_int64(statement, 2, (int64_t)batch->sent);
	bind_bytes(statement, 3, bytes->at, bytes->len);
	return run(store, SET_BATCH);
}

static enum err add_audit(struct store_sqlite *store, const struct audit_entry *entry)
{
	sqlite3_stmt *statement = store->statements[ADD_AUDIT];

	sqlite3_bind_int64(statement, 1, entry->at_ms);
	bind_text(statement, 2, entry->saga_id);
	bind_text(statement, 3, entry->operation);
	bind_text(statement, 4, entry->actor);
	bind_text(statement, 5, entry->reason);
	return run(store, ADD_AUDIT);
}

static enum err write_sagas(struct store_sqlite *store, uint64_t batch,
			    struct saga_write *writes, size_t n, struct unsent *unsent)
{
	enum err err = OK;

	for (size_t i = 0; !err && i < n; i++) {
		struct unsent_saga saga = {.batch = batch, .n_news = writes[i].n_news};

		err = write_saga(store, &writes[i], &saga.number);
		if (!err && !writes[i].result)
			unsent_add(unsent, saga);
	}
	return err;
}

static enum err write_batch(struct store_sqlite *store, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit,
			    struct unsent *unsent)
{
	struct store_batch newest = store->batch;
	enum err err = run(store, BEGIN);

	if (err)
		return err;
	store_batch_advance(&newest, batch);
	err = write_sagas(store, batch->number, writes, n, unsent);
	FAULT_POINT("store.written");
	for (size_t i = 0; !err && i < n_audit; i++)
		err = add_audit(store, &audit[i]);
	if (!err)
		err = set_batch(store, &newest, unsent);
	if (!err)
		err = run(store, COMMIT);
	return err ? roll_back(store, err) : OK;
}

static enum err sqlite_commit(struct store *base, const struct store_batch *batch,
			      struct saga_write *writes, size_t n,
			      const struct audit_entry *audit, size_t n_audit)
{
	struct store_sqlite *store = store_of(base);
	struct unsent unsent;
	enum err err = unsent_begin(&unsent, &store->unsent, batch->sent, n);

	if (!err)
		err = write_batch(store, batch, writes, n, audit, n_audit, &unsent);
	if (err) {
		unsent_release(&unsent);
		return err;
	}
	unsent_release(&store->unsent);
	store->unsent = unsent;
	store_batch_advance(&store->batch, batch);
	return OK;
}

static enum err remove_some(struct store_sqlite *store, int64_t ended_before_ms, size_t limit,
			    size_t *n)
{
	sqlite3_stmt *ended = store->statements[ENDED_BEFORE];
	sqlite3_stmt *statement = store->statements[REMOVE];
	int64_t numbers[PRUNE_BATCH], last_ms = 0;
	enum err err = OK;

	assert(limit <= PRUNE_BATCH);
	sqlite3_bind_int64(ended, 1, ended_before_ms);
	sqlite3_bind_int64(ended, 2, (int64_t)limit);
	for (*n = 0; !err && *n < limit && next(store, ENDED_BEFORE, &err); ++*n) {
		int status = sqlite3_column_int(ended, 1);

		numbers[*n] = sqlite3_column_int64(ended, 0);
		last_ms = sqlite3_column_int64(ended, 2); /* in this order */
		if (status < 0 || status >= STATUSES)
			err = damaged(store, "a saga's status is none");
		else
			store->counts.by_status[status]--;
	}
	sqlite3_reset(ended);
	for (size_t i = 0; !err && i < *n; i++) {
		sqlite3_bind_int64(statement, 1, numbers[i]);
		err = run(store, REMOVE);
		FAULT_POINT("store.removed");
	}
	if (!err && *n) {
		sqlite3_bind_int64(store->statements[SET_REMOVED], 1, last_ms);
		err = run(store, SET_REMOVED);
	}
	return err;
}

static enum err sqlite_prune(struct store *base, int64_t ended_before_ms, size_t limit,
			     size_t *n)
{
	struct store_sqlite *store = store_of(base);

	while (*n < limit) {
		size_t wanted = limit - *n < PRUNE_BATCH ? limit - *n : PRUNE_BATCH, removed;
		enum err err = run(store, BEGIN);

		if (err)
			return err;
		err = remove_some(store, ended_before_ms, wanted, &removed);
		if (!err)
			err = run(store, COMMIT);
		if (err)
			return roll_back(store, err);
		FAULT_POINT("store.pruned");
		*n += removed;
		if (removed < wanted)
			break;
	}
	return OK;
}

static enum err sqlite_removed(struct store *base, int64_t *ended_ms)
{
	struct store_sqlite *store = store_of(base);
	enum err err = OK;

	*ended_ms = 0;
	if (next(store, GET_REMOVED, &err))
		*ended_ms = sqlite3_column_int64(store->statements[GET_REMOVED], 0);
	sqlite3_reset(store->statements[GET_REMOVED]);
	return err;
}

/* --- reading -------------------------------------------------------------------------- */

/* The columns COLUMNS; valid until the statement goes on. */
static enum err read_row(struct store_sqlite *store, sqlite3_stmt *statement,
			 struct saga_row *out)
{
	int status = sqlite3_column_int(statement, 5);

	*out = (struct saga_row){
		.id = column(statement, 1),
		.key = column(statement, 2),
		.saga = column(statement, 3),
		.version = column(statement, 4),
		.status = (enum status)status,
		.paused = sqlite3_column_int(statement, 6),
		.step = column(statement, 10),
		.reason = column(statement, 11),
		.started_ms = sqlite3_column_int64(statement, 0) >> SQLITE_FILE_NUMBER_BITS,
		.updated_ms = sqlite3_column_int64(statement, 8),
		.ended_ms = sqlite3_column_int64(statement, 9),
		.revision = (uint64_t)sqlite3_column_int64(statement, 7),
	};
	if (!out->id.len || !out->key.len || !out->saga.len || status < 0 || status >= STATUSES)
		return damaged(store, "a saga's columns are wrong");
	return OK;
}

static enum err sqlite_get(struct store *base, struct slice id, struct arena *arena,
			   struct saga_row *row, struct slice *record)
{
	struct store_sqlite *store = store_of(base);
	sqlite3_stmt *statement = store->statements[GET];
	struct saga_row read;
	enum err err = OK;

	bind_text(statement, 1, id);
	if (next(store, GET, &err))
		err = read_row(store, statement, &read);
	else if (!err)
		err = ERR_NOT_FOUND;
	if (!err && row && !saga_row_copy(arena, &read, row))
		err = ERR_NOMEM;
	if (!err && !column(statement, 12).len)
		err = damaged(store, "a saga's record is missing");
	if (!err && !arena_copy(arena, column(statement, 12), record))
		err = ERR_NOMEM;
	sqlite3_reset(statement);
	return err;
}

static enum err sqlite_find(struct store *base, struct slice saga, struct slice key,
			    struct arena *arena, struct slice *id)
{
	struct store_sqlite *store = store_of(base);
	sqlite3_stmt *statement = store->statements[FIND];
	enum err err = OK;

	bind_text(statement, 1, key);
	bind_text(statement, 2, saga);
	if (next(store, FIND, &err))
		err = arena_copy(arena, column(statement, 0), id) ? OK : ERR_NOMEM;
	else if (!err)
		err = ERR_NOT_FOUND;
	sqlite3_reset(statement);
	return err;
}

typedef enum err visit_loaded(void *context, const struct loaded_saga *saga);

static enum err visit_saga(struct store_sqlite *store, struct slice record,
			   const struct unsent_saga *unsent, visit_loaded *visit, void *context)
{
	struct loaded_saga saga = {record, !unsent, unsent ? unsent->n_news : 0};

	return record.len ? visit(context, &saga)
			  : damaged(store, "a saga's record is missing");
}

static enum err load_unfinished(struct store_sqlite *store, const struct unsent *unsent,
				visit_loaded *visit, void *context)
{
	sqlite3_stmt *statement = store->statements[LOAD];
	enum err err = OK;

	while (!err && next(store, LOAD, &err))
		err = visit_saga(store, column(statement, 1),
				 unsent_find(unsent, sqlite3_column_int64(statement, 0)), visit,
				 context);
	sqlite3_reset(statement);
	return err;
}

/* One that is not there any more was pruned. */
static enum err load_ended(struct store_sqlite *store, const struct unsent *unsent,
			   visit_loaded *visit, void *context)
{
	sqlite3_stmt *statement = store->statements[LOAD_ENDED];
	enum err err = OK;

	for (size_t i = 0; !err && i < unsent->n; i++) {
		sqlite3_bind_int64(statement, 1, unsent->sagas[i].number);
		if (next(store, LOAD_ENDED, &err))
			err = visit_saga(store, column(statement, 0), &unsent->sagas[i], visit,
					 context);
		sqlite3_reset(statement);
	}
	return err;
}

static enum err sqlite_load(struct store *base, const struct shards *which,
			    struct store_batch *newest, visit_loaded *visit, void *context)
{
	struct store_sqlite *store = store_of(base);
	struct unsent unsent;
	enum err err;

	*newest = store->batch;
	err = unsent_begin(&unsent, &store->unsent, store->batch.sent, 0);
	if (err)
		return err;
	unsent_sort(&unsent);
	err = load_unfinished(store, &unsent, visit, context);
	if (!err)
		err = load_ended(store, &unsent, visit, context);
	unsent_release(&unsent);
	return err;
}

/* Those that are wanted; a parameter that is NULL fits none. */
static void bind_statuses(sqlite3_stmt *statement, const struct saga_filter *filter)
{
	enum { FIRST = 5 };

	for (int status = 0; status < STATUSES; status++) {
		if (filter->n_statuses)
			sqlite3_bind_null(statement, FIRST + status);
		else
			sqlite3_bind_int(statement, FIRST + status, status);
	}
	for (size_t i = 0; i < filter->n_statuses; i++)
		sqlite3_bind_int(statement, FIRST + (int)filter->statuses[i],
				 (int)filter->statuses[i]);
}

/* The statement that looks at the least, with all that is bound for it. */
static enum statement choose_list(struct store_sqlite *store, const struct saga_filter *filter,
				  int64_t upper)
{
	enum statement which = filter->key.len      ? LIST_KEY
			       : filter->step.len   ? LIST_STEP
			       : filter->saga.len   ? LIST_SAGA
			       : filter->n_statuses ? LIST_STATUS
						    : LIST;
	sqlite3_stmt *statement = store->statements[which];

	sqlite3_bind_int64(statement, 1, filter->since_ms ? number_of(filter->since_ms) : 0);
	sqlite3_bind_int64(statement, 2, upper);
	bind_text(statement, 3, filter->saga);
	bind_text(statement, 4, filter->step);
	if (which == LIST_KEY)
		bind_text(statement, 5, filter->key);
	else if (which != LIST)
		bind_statuses(statement, filter);
	return which;
}

/* The first number that is not listed any more. */
static enum err list_bound(struct store_sqlite *store, const struct saga_filter *filter,
			   struct slice after, int64_t *out)
{
	sqlite3_stmt *look_up = store->statements[LOOK_UP];
	int64_t number = 0;
	enum err err = OK;

	*out = filter->until_ms ? number_of(filter->until_ms) : INT64_MAX;
	if (!after.len)
		return OK;
	bind_text(look_up, 1, after);
	if (next(store, LOOK_UP, &err))
		number = sqlite3_column_int64(look_up, 0);
	else if (!err)
		err = ERR_NOT_FOUND;
	sqlite3_reset(look_up);
	if (number < *out)
		*out = number;
	return err;
}

static enum err sqlite_list(struct store *base, const struct saga_filter *filter,
			    struct slice after, size_t limit,
			    enum err (*visit)(void *context, const struct saga_row *row),
			    void *context)
{
	struct store_sqlite *store = store_of(base);
	enum statement which;
	struct saga_row row;
	int64_t upper;
	enum err err = list_bound(store, filter, after, &upper);

	if (err)
		return err;
	which = choose_list(store, filter, upper);
	while (!err && limit > 0 && next(store, which, &err)) {
		err = read_row(store, store->statements[which], &row);
		if (!err && saga_filter_fits(filter, &row)) {
			err = visit(context, &row);
			limit--;
		}
	}
	sqlite3_reset(store->statements[which]);
	return err;
}

static enum err count_all(struct store_sqlite *store)
{
	sqlite3_stmt *statement = store->statements[COUNT];
	enum err err = OK;

	store->counts = (struct store_counts){{0}};
	while (!err && next(store, COUNT, &err)) {
		int status = sqlite3_column_int(statement, 0);

		if (status < 0 || status >= STATUSES)
			err = damaged(store, "a saga's status is none");
		else
			store->counts.by_status[status] =
				(uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	store->counts_known = !err;
	return err;
}

static enum err sqlite_counts(struct store *base, struct store_counts *out)
{
	struct store_sqlite *store = store_of(base);
	enum err err = store->counts_known ? OK : count_all(store);

	if (!err)
		*out = store->counts;
	return err;
}

static enum err sqlite_audit(struct store *base, struct slice saga_id, size_t limit,
			     enum err (*visit)(void *context, const struct audit_entry *entry),
			     void *context)
{
	struct store_sqlite *store = store_of(base);
	enum statement which = saga_id.len ? AUDIT_OF : AUDIT;
	sqlite3_stmt *statement = store->statements[which];
	enum err err = OK;

	sqlite3_bind_int64(statement, 1, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
	if (saga_id.len)
		bind_text(statement, 2, saga_id);
	while (!err && next(store, which, &err)) {
		struct audit_entry entry = {.at_ms = sqlite3_column_int64(statement, 0),
					    .saga_id = column(statement, 1),
					    .operation = column(statement, 2),
					    .actor = column(statement, 3),
					    .reason = column(statement, 4)};

		err = visit(context, &entry);
	}
	sqlite3_reset(statement);
	return err;
}

/* --- definitions ---------------------------------------------------------------------- */

static enum err sqlite_put_definition(struct store *base,
				      const struct stored_definition *definition)
{
	struct store_sqlite *store = store_of(base);
	sqlite3_stmt *same = store->statements[SAME_DEFINITION];
	sqlite3_stmt *statement = store->statements[PUT_DEFINITION];
	struct slice hash = {(const char *)definition->hash, sizeof definition->hash};
	enum err err = OK;
	bool there;

	bind_bytes(same, 1, hash.at, hash.len);
	bind_text(same, 2, definition->name);
	bind_text(same, 3, definition->version);
	there = next(store, SAME_DEFINITION, &err);
	if (there && !slice_equal(column(same, 0), hash))
		err = ERR_CONFLICT;
	sqlite3_reset(same);
	if (err || there)
		return err;
	bind_bytes(statement, 1, hash.at, hash.len);
	bind_text(statement, 2, definition->name);
	bind_text(statement, 3, definition->version);
	bind_text(statement, 4, definition->normal);
	sqlite3_bind_int64(statement, 5, definition->deployed_ms);
	return run(store, PUT_DEFINITION);
}

static enum err sqlite_definitions(
	struct store *base,
	enum err (*visit)(void *context, const struct stored_definition *definition),
	void *context)
{
	struct store_sqlite *store = store_of(base);
	sqlite3_stmt *statement = store->statements[DEFINITIONS];
	enum err err = OK;

	while (!err && next(store, DEFINITIONS, &err)) {
		struct stored_definition definition = {
			.name = column(statement, 1),
			.version = column(statement, 2),
			.normal = column(statement, 3),
			.deployed_ms = sqlite3_column_int64(statement, 4)};
		struct slice hash = column(statement, 0);

		if (hash.len != sizeof definition.hash) {
			err = damaged(store, "the hash of a definition is wrong");
			break;
		}
		memcpy(definition.hash, hash.at, hash.len);
		err = visit(context, &definition);
	}
	sqlite3_reset(statement);
	return err;
}

/* --- dead letters --------------------------------------------------------------------- */

static enum err outcome(struct store_sqlite *store, enum err err, bool writing)
{
	return err == ERR_IO ? failed(store, writing) : err;
}

static enum err sqlite_put_dead(struct store *base, const struct dead_letter *letters, size_t n,
				size_t *n_dropped)
{
	struct store_sqlite *store = store_of(base);
	enum err err = run(store, BEGIN);

	if (err)
		return err;
	err = outcome(store, sqlite_dead_put(store->statements, letters, n, n_dropped), true);
	if (!err)
		err = run(store, COMMIT);
	return err ? roll_back(store, err) : OK;
}

static enum err sqlite_list_dead(struct store *base, struct slice after, size_t limit,
				 enum err (*visit)(void *context,
						   const struct dead_letter *letter),
				 void *context)
{
	struct store_sqlite *store = store_of(base);

	return outcome(store, sqlite_dead_list(store->statements, after, limit, visit, context),
		       false);
}

static enum err sqlite_get_dead(struct store *base, struct slice id, struct arena *arena,
				struct dead_letter *out)
{
	struct store_sqlite *store = store_of(base);

	return outcome(store, sqlite_dead_get(store->statements, id, arena, out), false);
}

static enum err sqlite_remove_dead(struct store *base, struct slice id)
{
	struct store_sqlite *store = store_of(base);

	return outcome(store, sqlite_dead_remove(store->statements, store->file.handle, id),
		       true);
}

/* --- opening -------------------------------------------------------------------------- */

static enum err sqlite_backup(struct store *base, const char *path, struct diag *diag)
{
	return store_sqlite_copy(store_of(base)->file.path, path, diag);
}

static void sqlite_close(struct store *base)
{
	struct store_sqlite *store = store_of(base);

	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	unsent_release(&store->unsent);
	bytes_release(&store->unsent_bytes);
	sqlite_file_close(&store->file);
	folder_lock_drop(&store->lock);
	free(store);
}

static const struct store_ops ops = {
	.commit = sqlite_commit,
	.get = sqlite_get,
	.find = sqlite_find,
	.load = sqlite_load,
	.list = sqlite_list,
	.counts = sqlite_counts,
	.audit = sqlite_audit,
	.put_definition = sqlite_put_definition,
	.definitions = sqlite_definitions,
	.put_dead = sqlite_put_dead,
	.list_dead = sqlite_list_dead,
	.get_dead = sqlite_get_dead,
	.remove_dead = sqlite_remove_dead,
	.prune = sqlite_prune,
	.removed = sqlite_removed,
	.backup = sqlite_backup,
	.close = sqlite_close,
};

static enum err read_last_number(struct store_sqlite *store)
{
	sqlite3_stmt *last = store->statements[LAST_NUMBER];
	enum err err = OK;

	sqlite3_bind_int64(last, 1, INT64_MAX);
	if (next(store, LAST_NUMBER, &err))
		store->last_number = sqlite3_column_int64(last, 0);
	sqlite3_reset(last);
	return err;
}

static enum err read_batch(struct store_sqlite *store)
{
	sqlite3_stmt *statement = store->statements[GET_BATCH];
	enum err err = OK;

	if (next(store, GET_BATCH, &err)) {
		int64_t number = sqlite3_column_int64(statement, 0);
		int64_t sent = sqlite3_column_int64(statement, 1);

		store->batch = (struct store_batch){(uint64_t)number, (uint64_t)sent};
		err = unsent_read(column(statement, 2), &store->unsent);
		if (err == ERR_CORRUPT || sent < 0 || sent > number || number == INT64_MAX)
			err = damaged(store, "what it says of batches is wrong");
		else if (err)
			err = diag_set(&store->base.trouble, err,
				       "out of memory; give the process more");
	} else if (!err) {
		err = damaged(store, "what it says of batches is missing");
	}
	sqlite3_reset(statement);
	return err;
}

static enum err prepare(struct store_sqlite *store, struct diag *diag)
{
	enum err err = OK;

	for (int i = 0; !err && i < N_STATEMENTS; i++)
		err = sqlite_file_prepare(&store->file, statement_texts[i],
					  &store->statements[i], diag);
	if (err)
		return err;
	err = read_last_number(store);
	if (!err)
		err = read_batch(store);
	if (err && diag)
		*diag = store->base.trouble;
	return err;
}

enum err store_sqlite_open(const char *folder, struct store **out, struct diag *diag)
{
	struct store_sqlite *store = calloc(1, sizeof *store);
	enum err err;

	if (!store)
		return diag_set(diag, ERR_NOMEM, "out of memory; give the process more");
	store->base.ops = &ops;
	store->unsent_bytes = BYTES(SIZE_MAX / 2, NULL);
	err = folder_lock_take(&store->lock, folder, diag);
	if (err) {
		free(store);
		return err;
	}
	err = sqlite_file_open(&store->file, folder, diag);
	if (!err)
		err = prepare(store, diag);
	if (err)
		sqlite_close(&store->base);
	else
		*out = &store->base;
	return err;
}
