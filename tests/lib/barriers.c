#include "tests/lib/barriers.h"

#include "participants/lib/barrier_memory.h"
#include "skald/sqlite.h"
#include "tests/lib/host.h"

#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>

/* Of the barrier that was opened last. Nothing here asserts with Check, which
 * allocates: opening is done while allocations fail. */
static sqlite3 *db;
static struct host *host;

static struct barrier *open_sqlite(void)
{
	sqlite3_close(db);
	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		abort();
	return barrier_of(skald_sqlite_barrier(db, NULL));
}

static struct barrier *open_host(bool marks)
{
	if (host)
		host_free(host);
	host = host_new();
	return host ? barrier_of(host_barrier(host, marks)) : NULL;
}

static struct barrier *open_callbacks(void)
{
	return open_host(true);
}

static struct barrier *open_callbacks_without_marks(void)
{
	return open_host(false);
}

const struct barrier_kind barriers[N_BARRIERS] = {
	{"memory", barrier_memory_new},
	{"SQLite", open_sqlite},
	{"callbacks", open_callbacks},
	{"callbacks without marks", open_callbacks_without_marks},
};

void keep_record(struct barrier *barrier, const char *id, enum barrier_state state,
		 const char *output, const char *code, const char *text)
{
	struct barrier_record record = {.state = state,
					.output = slice_of(output),
					.code = slice_of(code),
					.text = slice_of(text),
					.first_ms = 17};

	ck_assert_int_eq(barrier->ops->keep(barrier, slice_of(id), &record), OK);
}

void check_record(struct barrier *barrier, const char *id, enum barrier_state state,
		  const char *output, const char *code, const char *text)
{
	struct arena arena = {0};
	struct barrier_record record;

	ck_assert_int_eq(barrier->ops->find(barrier, slice_of(id), &arena, &record), OK);
	ck_assert_msg(record.state == state, "%s is in state %d", id, (int)record.state);
	ck_assert(slice_is(record.output, output) && slice_is(record.code, code) &&
		  slice_is(record.text, text));
	arena_release(&arena);
}
