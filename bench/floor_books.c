#include "bench/floor_books.h"
#include "bench/floor_db.h"
#include "bench/floor_orchestrator.h"

#include <stdlib.h>
#include <string.h>

/* A saga and all that belongs to it; a barrier is the outcome that it keeps.
 * Steps and verbs are the numbers of floor_frame.h. */
static const char sagas_sql[] =
	"SELECT s.id, s.status, s.ended_us IS NOT NULL AS ended, s.data,"
	" r.state AS reservation, r.quantity, c.state AS charge, c.cents,"
	" (SELECT outcome FROM inventory.barrier WHERE saga = s.id AND step = 0 AND verb = 0)"
	" AS reserve_barrier,"
	" (SELECT outcome FROM payment.barrier WHERE saga = s.id AND step = 1 AND verb = 0)"
	" AS charge_barrier,"
	" (SELECT outcome FROM inventory.barrier WHERE saga = s.id AND step = 2 AND verb = 0)"
	" AS confirm_barrier,"
	" (SELECT outcome FROM inventory.barrier WHERE saga = s.id AND step = 0 AND verb = 1)"
	" AS release_barrier"
	" FROM saga s LEFT JOIN inventory.reservation r ON r.saga = s.id"
	" LEFT JOIN payment.charge c ON c.saga = s.id ORDER BY s.id";

/* Where that has them. */
enum {
	SAGA_ID,
	SAGA_STATUS,
	SAGA_ENDED,
	SAGA_DATA,
	RESERVATION_STATE,
	RESERVATION_QUANTITY,
	CHARGE_STATE,
	CHARGE_CENTS,
	RESERVE_BARRIER,
	CHARGE_BARRIER,
	CONFIRM_BARRIER,
	RELEASE_BARRIER,
};

enum { NO_ROW = -1 };

static int64_t number_at(sqlite3_stmt *row, int column)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return NO_ROW;
	return sqlite3_column_int64(row, column);
}

/* How the row of a saga must look: what is not here is the same for all. */
static void expect(struct floor_order order, int64_t expected[RELEASE_BARRIER + 1])
{
	expected[SAGA_STATUS] = order.decline ? FLOOR_COMPENSATED : FLOOR_COMPLETED;
	expected[SAGA_ENDED] = 1;
	expected[RESERVATION_STATE] = order.decline ? FLOOR_RELEASED : FLOOR_CONFIRMED;
	expected[RESERVATION_QUANTITY] = order.quantity;
	expected[CHARGE_STATE] = order.decline ? FLOOR_DECLINED : FLOOR_CHARGED;
	expected[CHARGE_CENTS] = order.amount_cents;
	expected[RESERVE_BARRIER] = FLOOR_OK;
	expected[CHARGE_BARRIER] = order.decline ? FLOOR_REFUSED : FLOOR_OK;
	expected[CONFIRM_BARRIER] = order.decline ? NO_ROW : FLOOR_OK;
	expected[RELEASE_BARRIER] = order.decline ? FLOOR_OK : NO_ROW;
}

static enum err check_data(sqlite3_stmt *row, uint64_t id, struct floor_order order,
			   struct diag *diag)
{
	struct floor_saga saga;
	const void *data = sqlite3_column_blob(row, SAGA_DATA);

	if (!data || sqlite3_column_bytes(row, SAGA_DATA) != sizeof saga)
		return diag_set(diag, ERR_CORRUPT, "saga %llu: its row has no data",
				(unsigned long long)id);
	memcpy(&saga, data, sizeof saga);
	if (saga.id != id || memcmp(&saga.order, &order, sizeof order) != 0 ||
	    saga.revision != FLOOR_WRITES_PER_SAGA)
		return diag_set(
			diag, ERR_CORRUPT,
			"saga %llu: its data is of saga %llu, written %u times instead of "
			"%d",
			(unsigned long long)id, (unsigned long long)saga.id, saga.revision,
			FLOOR_WRITES_PER_SAGA);
	return OK;
}

static enum err check_saga(sqlite3_stmt *row, uint64_t id, struct floor_order order,
			   struct diag *diag)
{
	int64_t expected[RELEASE_BARRIER + 1] = {[SAGA_ID] = (int64_t)id};

	expect(order, expected);
	for (int i = 0; i <= RELEASE_BARRIER; i++) {
		if (i != SAGA_DATA && number_at(row, i) != expected[i])
			return diag_set(diag, ERR_CORRUPT,
					"saga %llu: %s is %lld in the books and should be %lld "
					"(-1: no row)",
					(unsigned long long)id, sqlite3_column_name(row, i),
					(long long)number_at(row, i), (long long)expected[i]);
	}
	return check_data(row, id, order, diag);
}

static enum err check_sagas(const struct floor_books *books, struct floor_db *db,
			    struct floor_outcomes *outcomes, struct diag *diag)
{
	sqlite3_stmt *row = NULL;
	enum err err = OK;
	uint64_t id = 0;
	int result;

	if (sqlite3_prepare_v2(db->handle, sagas_sql, -1, &row, NULL) != SQLITE_OK)
		return floor_db_failed(db, "read the books", diag);
	while (!err && (result = sqlite3_step(row)) == SQLITE_ROW) {
		struct floor_order order = floor_order_of(++id, books->decline_percent);

		err = check_saga(row, id, order, diag);
		outcomes->n_compensated += order.decline;
		outcomes->n_completed += !order.decline;
	}
	if (!err && result != SQLITE_DONE)
		err = floor_db_failed(db, "read the books", diag);
	if (!err && id != books->n_sagas)
		err = diag_set(diag, ERR_CORRUPT, "%llu sagas are in the books instead of %u",
			       (unsigned long long)id, books->n_sagas);
	sqlite3_finalize(row);
	return err;
}

/* Rows that belong to no saga, or to a command that it never took. */
static enum err check_count(struct floor_db *db, const char *sql, uint32_t expected,
			    struct diag *diag)
{
	sqlite3_stmt *row = NULL;
	int64_t n;

	if (sqlite3_prepare_v2(db->handle, sql, -1, &row, NULL) != SQLITE_OK ||
	    sqlite3_step(row) != SQLITE_ROW) {
		sqlite3_finalize(row);
		return floor_db_failed(db, sql, diag);
	}
	n = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	if (n != expected)
		return diag_set(diag, ERR_CORRUPT, "%s gives %lld instead of %u", sql,
				(long long)n, expected);
	return OK;
}

static enum err attach(struct floor_db *db, const char *path, const char *name,
		       struct diag *diag)
{
	char *sql = sqlite3_mprintf("ATTACH %Q AS %Q", path, name);
	enum err err = sql ? floor_db_script(db, sql, diag)
			   : diag_set(diag, ERR_NOMEM, "out of memory for the books");

	sqlite3_free(sql);
	return err;
}

enum err floor_books_check(const struct floor_books *books, struct floor_outcomes *outcomes,
			   struct diag *diag)
{
	uint32_t n = books->n_sagas;
	struct floor_db db = {0};
	enum err err;

	*outcomes = (struct floor_outcomes){0};
	err = floor_db_open(&db, books->orchestrator, diag);
	err = err ? err : attach(&db, books->inventory, "inventory", diag);
	err = err ? err : attach(&db, books->payment, "payment", diag);
	err = err ? err : check_sagas(books, &db, outcomes, diag);
	err = err ? err : check_count(&db, "SELECT count(*) FROM reservation", n, diag);
	err = err ? err : check_count(&db, "SELECT count(*) FROM charge", n, diag);
	err = err ? err
		  : check_count(&db, "SELECT count(*) FROM inventory.barrier", 2 * n, diag);
	err = err ? err : check_count(&db, "SELECT count(*) FROM payment.barrier", n, diag);
	floor_db_release(&db);
	return err;
}
