#include "orchestrator/store/sqlite_dead.h"

#include "orchestrator/store/sqlite_statements.h"

static void bind(sqlite3_stmt *statement, int parameter, struct slice text)
{
	if (text.len)
		sqlite3_bind_text64(statement, parameter, text.at, text.len, SQLITE_STATIC,
				    SQLITE_UTF8);
}

static void bind_bytes(sqlite3_stmt *statement, int parameter, struct slice bytes)
{
	if (bytes.len)
		sqlite3_bind_blob64(statement, parameter, bytes.at, bytes.len, SQLITE_STATIC);
}

static struct slice column(sqlite3_stmt *statement, int i)
{
	struct slice bytes = {sqlite3_column_blob(statement, i), 0};

	if (bytes.at)
		bytes.len = (size_t)sqlite3_column_bytes(statement, i);
	return bytes;
}

/* The end of a statement, which forgets what was bound to it. */
static enum err done(sqlite3_stmt *statement, int result)
{
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return result == SQLITE_DONE || result == SQLITE_ROW ? OK : ERR_IO;
}

/* --- writing -------------------------------------------------------------------------- */

static enum err put(sqlite3_stmt *statement, const struct dead_letter *letter)
{
	bind(statement, 1, letter->id);
	sqlite3_bind_int64(statement, 2, letter->at_ms);
	bind(statement, 3, letter->reason);
	bind(statement, 4, letter->text);
	bind(statement, 5, letter->source);
	sqlite3_bind_int(statement, 6, letter->partition);
	sqlite3_bind_int64(statement, 7, letter->offset);
	sqlite3_bind_int64(statement, 8, (int64_t)letter->size);
	sqlite3_bind_int64(
		statement, 9,
		(int64_t)(letter->key.len + letter->headers.len + letter->value.len));
	bind_bytes(statement, 10, letter->key);
	bind_bytes(statement, 11, letter->headers);
	bind_bytes(statement, 12, letter->value);
	return done(statement, sqlite3_step(statement));
}

static enum err too_many(sqlite3_stmt *statement, bool *out)
{
	int result = sqlite3_step(statement);

	*out = result == SQLITE_ROW &&
	       (sqlite3_column_int64(statement, 0) > STORE_DEAD_MAX ||
		sqlite3_column_int64(statement, 1) > STORE_DEAD_BYTES_MAX);
	return done(statement, result);
}

enum err sqlite_dead_put(sqlite3_stmt *const *statements, const struct dead_letter *letters,
			 size_t n, size_t *n_dropped)
{
	bool full = false;
	enum err err = OK;

	for (size_t i = 0; !err && i < n; i++)
		err = put(statements[PUT_DEAD], &letters[i]);
	while (!err && !(err = too_many(statements[DEAD_TOTALS], &full)) && full) {
		err = done(statements[DROP_DEAD], sqlite3_step(statements[DROP_DEAD]));
		++*n_dropped;
	}
	return err;
}

enum err sqlite_dead_remove(sqlite3_stmt *const *statements, sqlite3 *file, struct slice id)
{
	sqlite3_stmt *statement = statements[REMOVE_DEAD];
	enum err err;

	bind(statement, 1, id);
	err = done(statement, sqlite3_step(statement));
	return err || sqlite3_changes(file) ? err : ERR_NOT_FOUND;
}

/* --- reading -------------------------------------------------------------------------- */

static struct dead_letter read_columns(sqlite3_stmt *statement)
{
	return (struct dead_letter){
		.id = column(statement, 0),
		.at_ms = sqlite3_column_int64(statement, 1),
		.reason = column(statement, 2),
		.text = column(statement, 3),
		.source = column(statement, 4),
		.partition = sqlite3_column_int(statement, 5),
		.offset = sqlite3_column_int64(statement, 6),
		.size = (uint64_t)sqlite3_column_int64(statement, 7),
	};
}

static enum err number_of(sqlite3_stmt *statement, struct slice id, int64_t *out)
{
	enum err err;
	int result;

	bind(statement, 1, id);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	err = done(statement, result);
	return !err && result == SQLITE_DONE ? ERR_NOT_FOUND : err;
}

enum err sqlite_dead_list(sqlite3_stmt *const *statements, struct slice after, size_t limit,
			  enum err (*visit)(void *context, const struct dead_letter *letter),
			  void *context)
{
	sqlite3_stmt *statement = statements[LIST_DEAD];
	int64_t before = INT64_MAX;
	enum err err = after.len ? number_of(statements[DEAD_NUMBER], after, &before) : OK;
	int result = SQLITE_DONE;

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, before);
	sqlite3_bind_int64(statement, 2, limit < INT32_MAX ? (int64_t)limit : INT32_MAX);
	while (!err && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct dead_letter letter = read_columns(statement);

		err = visit(context, &letter);
	}
	if (err)
		(void)done(statement, result);
	else
		err = done(statement, result);
	return err;
}

enum err sqlite_dead_get(sqlite3_stmt *const *statements, struct slice id, struct arena *arena,
			 struct dead_letter *out)
{
	sqlite3_stmt *statement = statements[GET_DEAD];
	struct dead_letter letter;
	bool copied = true;
	enum err err;
	int result;

	bind(statement, 1, id);
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		letter = read_columns(statement);
		letter.key = column(statement, 8);
		letter.headers = column(statement, 9);
		letter.value = column(statement, 10);
		copied = dead_letter_copy(arena, &letter, out);
	}
	err = done(statement, result);
	if (!err && result == SQLITE_DONE)
		return ERR_NOT_FOUND;
	return !err && !copied ? ERR_NOMEM : err;
}
