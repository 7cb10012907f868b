#include "participants/service/audit.h"

#include <stdio.h>
#include <stdlib.h>

/* The rows of problems that are printed; the rest is counted. */
enum { PROBLEMS_MAX = 20, QUOTED_MAX = 4096 };

struct audit {
	const struct service_kind *kind;
	sqlite3 *db;
	bool json;
	long n_problems;
};

static void print_text(const char *text)
{
	static char quoted[QUOTED_MAX];

	printf("%s",
	       skald_json_quote(text ? text : "", quoted, sizeof quoted) ? quoted : "\"?\"");
}

/* The columns of a row, as members of an object. */
static void print_members(sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++) {
		printf("%s\"%s\":", i ? "," : "", sqlite3_column_name(row, i));
		if (sqlite3_column_type(row, i) == SQLITE_TEXT)
			print_text((const char *)sqlite3_column_text(row, i));
		else
			printf("%lld", (long long)sqlite3_column_int64(row, i));
	}
}

/* For people: "held 3  confirmed 12". */
static void print_words(sqlite3_stmt *row)
{
	for (int i = 0; i < sqlite3_column_count(row); i++)
		printf("%s%s %s", i ? "  " : "", sqlite3_column_name(row, i),
		       (const char *)sqlite3_column_text(row, i));
}

/* Call for every row; the first failure is told. */
static bool each(struct audit *audit, const char *sql,
		 void (*visit)(struct audit *audit, sqlite3_stmt *row), skald_error *error)
{
	sqlite3_stmt *row = NULL;
	int result = sqlite3_prepare_v2(audit->db, sql, -1, &row, NULL);

	while (!result && (result = sqlite3_step(row)) == SQLITE_ROW) {
		visit(audit, row);
		result = SQLITE_OK;
	}
	if (result != SQLITE_DONE)
		snprintf(error->text, sizeof error->text, "cannot read the books: %s",
			 sqlite3_errmsg(audit->db));
	sqlite3_finalize(row);
	return result == SQLITE_DONE;
}

static void print_problem(struct audit *audit, sqlite3_stmt *row)
{
	if (audit->n_problems++ >= PROBLEMS_MAX)
		return;
	if (audit->json) {
		printf("%s", audit->n_problems > 1 ? "," : "");
		print_text((const char *)sqlite3_column_text(row, 0));
	} else {
		printf("  wrong: %s\n", (const char *)sqlite3_column_text(row, 0));
	}
}

static void print_totals(struct audit *audit, sqlite3_stmt *row)
{
	if (audit->json) {
		printf("{\"participant\":\"%s\",", audit->kind->name);
		print_members(row);
	} else {
		printf("%s: ", audit->kind->name);
		print_words(row);
		printf("\n");
	}
}

static void print_saga(struct audit *audit, sqlite3_stmt *row)
{
	printf(audit->json ? "{" : "  ");
	if (audit->json)
		print_members(row);
	else
		print_words(row);
	printf(audit->json ? "}\n" : "\n");
}

static bool print_all(struct audit *audit, bool sagas, skald_error *error)
{
	if (!each(audit, audit->kind->totals, print_totals, error))
		return false;
	if (audit->json)
		printf(",\"problems\":[");
	if (!each(audit, audit->kind->problems, print_problem, error))
		return false;
	if (audit->json)
		printf("],\"consistent\":%s}\n", audit->n_problems ? "false" : "true");
	else if (audit->n_problems)
		printf("  the books do NOT agree: %ld things are wrong\n", audit->n_problems);
	else
		printf("  the books agree\n");
	return !sagas || each(audit, audit->kind->sagas, print_saga, error);
}

static bool open_file(sqlite3 **db, const char *path, skald_error *error)
{
	if (sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	    sqlite3_busy_timeout(*db, 5000) == SQLITE_OK &&
	    sqlite3_exec(*db, "PRAGMA query_only = 1; BEGIN", NULL, NULL, NULL) == SQLITE_OK)
		return true;
	snprintf(error->text, sizeof error->text,
		 "%.300s: %.80s; --data has to be the folder that the service runs with", path,
		 *db ? sqlite3_errmsg(*db) : "out of memory");
	return false;
}

/* The books of another store, in memory: the queries are the same. */
static bool open_copy(sqlite3 **db, const struct service_kind *kind, const char *address,
		      skald_error *error)
{
	static const char more[] =
		"CREATE TABLE refusal (id INTEGER PRIMARY KEY, command TEXT);"
		"CREATE TABLE skald_barrier (id TEXT PRIMARY KEY,"
		" state INTEGER); BEGIN";

	if (sqlite3_open(":memory:", db) == SQLITE_OK &&
	    sqlite3_exec(*db, kind->schema, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(*db, more, NULL, NULL, NULL) == SQLITE_OK)
		return kind->store->copy(address, *db, error);
	snprintf(error->text, sizeof error->text, "out of memory for the books");
	return false;
}

bool audit_print(const struct service_kind *kind, const struct audit_wish *wish,
		 skald_error *error)
{
	struct audit audit = {.kind = kind, .json = wish->json};
	bool ok = wish->address ? open_copy(&audit.db, kind, wish->address, error)
				: open_file(&audit.db, wish->path, error);

	if (ok)
		ok = print_all(&audit, wish->sagas, error);
	sqlite3_close(audit.db);
	return ok && !audit.n_problems;
}
