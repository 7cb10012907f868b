/* skald-inventory - a stock, and what is reserved of it.
 *
 * A reservation is held until it is confirmed, and then gone for good, or released.
 * So at any time: initial stock = free + held + confirmed.
 */
#include "participants/service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKU_SIZE = 65 };

#define QTY_MAX   1000000000
#define STOCK_MAX 1000000000000

static const char schema[] = "CREATE TABLE IF NOT EXISTS stock ("
			     " sku TEXT PRIMARY KEY,"
			     " initial INTEGER NOT NULL,"
			     " held INTEGER NOT NULL DEFAULT 0,"
			     " confirmed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
			     "CREATE TABLE IF NOT EXISTS reservation ("
			     " id INTEGER PRIMARY KEY,"
			     " command TEXT NOT NULL," /* the id of the one that made it */
			     " sku TEXT NOT NULL,"
			     " qty INTEGER NOT NULL,"
			     " confirmed INTEGER NOT NULL DEFAULT 0,"
			     " released INTEGER NOT NULL DEFAULT 0)";

enum { HOLD, ADD_STOCK, SET_STOCK, RESERVE, RELEASE, CONFIRM, MOVE, LOOK };

/* What an unknown article begins with. */
static int64_t default_stock = STOCK_MAX;

/* --- the stock ----------------------------------------------------------------------- */

/* SERVICE_ROW: there is not so much. */
static enum service_result hold(struct service *service, const char *sku, int64_t qty)
{
	sqlite3_stmt *hold = service_statement(service, HOLD);

	sqlite3_bind_text(hold, 1, sku, -1, SQLITE_STATIC);
	sqlite3_bind_int64(hold, 2, qty);
	if (service_step(hold) == SERVICE_FAILED)
		return SERVICE_FAILED;
	return sqlite3_changes(service->db) ? SERVICE_DONE : SERVICE_ROW;
}

/* SERVICE_ROW: it is there already. */
static enum service_result add_stock(struct service *service, const char *sku)
{
	sqlite3_stmt *add = service_statement(service, ADD_STOCK);

	sqlite3_bind_text(add, 1, sku, -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 2, default_stock);
	if (service_step(add) == SERVICE_FAILED)
		return SERVICE_FAILED;
	return sqlite3_changes(service->db) ? SERVICE_DONE : SERVICE_ROW;
}

static bool move(struct service *service, const char *sku, int64_t held, int64_t confirmed)
{
	sqlite3_stmt *move = service_statement(service, MOVE);

	sqlite3_bind_text(move, 1, sku, -1, SQLITE_STATIC);
	sqlite3_bind_int64(move, 2, held);
	sqlite3_bind_int64(move, 3, confirmed);
	return service_step(move) == SERVICE_DONE;
}

/* --- reserve --------------------------------------------------------------------------- */

static skald_outcome reserve(struct service *service, const skald_command *command,
			     skald_reply *reply)
{
	const char *args = skald_command_args(command);
	sqlite3_stmt *add = service_statement(service, RESERVE);
	enum service_result result;
	skald_json_result found;
	char sku[SKU_SIZE], output[40];
	int64_t qty;

	found = skald_json_text(args, "sku", sku, sizeof sku);
	if (found || !*sku)
		return service_bad_argument(reply, "sku", found);
	found = skald_json_integer(args, "qty", &qty);
	if (found || qty < 1 || qty > QTY_MAX)
		return service_bad_argument(reply, "qty", found);

	result = hold(service, sku, qty);
	if (result == SERVICE_ROW && add_stock(service, sku) == SERVICE_DONE)
		result = hold(service, sku, qty);
	if (result == SERVICE_ROW)
		return skald_reply_refuse(reply, "out_of_stock", "there are not so many left");
	if (result == SERVICE_FAILED)
		return service_failed(service, reply);

	sqlite3_bind_text(add, 1, skald_command_id(command), -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 2, sku, -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 3, qty);
	if (service_step(add) != SERVICE_DONE)
		return service_failed(service, reply);
	snprintf(output, sizeof output, "{\"id\":%lld}",
		 (long long)sqlite3_last_insert_rowid(service->db));
	return skald_reply_ok(reply, output);
}

/* --- release and confirm ------------------------------------------------------------------ */

/* A reservation that was changed. */
struct reservation {
	char sku[SKU_SIZE];
	int64_t qty;
	bool confirmed;
};

/* SERVICE_ROW: it could not be changed. */
static enum service_result change(struct service *service, int statement, int64_t id,
				  struct reservation *out)
{
	sqlite3_stmt *change = service_statement(service, statement);
	enum service_result result;

	sqlite3_bind_int64(change, 1, id);
	result = service_step(change);
	if (result != SERVICE_ROW)
		return result == SERVICE_DONE ? SERVICE_ROW : SERVICE_FAILED;
	snprintf(out->sku, sizeof out->sku, "%s", (const char *)sqlite3_column_text(change, 0));
	out->qty = sqlite3_column_int64(change, 1);
	out->confirmed = sqlite3_column_int(change, 2) != 0;
	service_reset(change);
	return SERVICE_DONE;
}

static skald_outcome refuse(struct service *service, skald_reply *reply, int64_t id)
{
	sqlite3_stmt *look = service_statement(service, LOOK);
	enum service_result result;
	bool released;

	sqlite3_bind_int64(look, 1, id);
	result = service_step(look);
	if (result == SERVICE_DONE)
		return skald_reply_refuse(reply, "no_such_reservation",
					  "there is no reservation with this number");
	if (result == SERVICE_FAILED)
		return service_failed(service, reply);
	released = sqlite3_column_int(look, 0) != 0;
	service_reset(look);
	return released ? skald_reply_refuse(reply, "released", "it was released before")
			: skald_reply_refuse(reply, "confirmed", "it was confirmed before");
}

/* As an undo it is told what reserve answered; otherwise the number is an argument. */
static skald_outcome release(struct service *service, const skald_command *command,
			     skald_reply *reply)
{
	const char *output = skald_command_output(command);
	struct reservation reservation;
	enum service_result result;
	skald_json_result found;
	int64_t id;

	found = output ? skald_json_integer(output, "id", &id)
		       : skald_json_integer(skald_command_args(command), "reservation", &id);
	if (found)
		return service_bad_argument(reply, "reservation", found);
	result = change(service, RELEASE, id, &reservation);
	if (result == SERVICE_ROW)
		return refuse(service, reply, id);
	if (result == SERVICE_FAILED ||
	    !move(service, reservation.sku, reservation.confirmed ? 0 : -reservation.qty,
		  reservation.confirmed ? -reservation.qty : 0))
		return service_failed(service, reply);
	return skald_reply_ok(reply, "{}");
}

static skald_outcome confirm(struct service *service, const skald_command *command,
			     skald_reply *reply)
{
	struct reservation reservation;
	enum service_result result;
	skald_json_result found;
	int64_t id;

	found = skald_json_integer(skald_command_args(command), "reservation", &id);
	if (found)
		return service_bad_argument(reply, "reservation", found);
	result = change(service, CONFIRM, id, &reservation);
	if (result == SERVICE_ROW)
		return refuse(service, reply, id);
	if (result == SERVICE_FAILED ||
	    !move(service, reservation.sku, -reservation.qty, reservation.qty))
		return service_failed(service, reply);
	return skald_reply_ok(reply, "{}");
}

/* --- the command line ------------------------------------------------------------------------
 */

static bool read_stock(const char *text, int64_t *out)
{
	size_t len = strlen(text);

	if (!len || len > 12 || strspn(text, "0123456789") != len)
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

/* The stock that there was before anything happened: what is held and confirmed of
 * it already stays so. */
static bool set_stock(struct service *service, const char *value, skald_error *error)
{
	sqlite3_stmt *set = service_statement(service, SET_STOCK);
	const char *equals = strrchr(value, '=');
	char sku[SKU_SIZE];
	int64_t initial;

	if (!equals || equals == value || equals - value >= SKU_SIZE ||
	    !read_stock(equals + 1, &initial)) {
		snprintf(error->text, sizeof error->text,
			 "--stock: \"%.100s\" is no stock; write SKU=N, such as book=100",
			 value);
		return false;
	}
	snprintf(sku, sizeof sku, "%.*s", (int)(equals - value), value);
	sqlite3_bind_text(set, 1, sku, -1, SQLITE_STATIC);
	sqlite3_bind_int64(set, 2, initial);
	if (service_step(set) != SERVICE_DONE || !sqlite3_changes(service->db)) {
		snprintf(error->text, sizeof error->text,
			 "--stock %.100s: more than that is reserved already", value);
		return false;
	}
	return true;
}

static bool set_default_stock(struct service *service, const char *value, skald_error *error)
{
	if (read_stock(value, &default_stock))
		return true;
	snprintf(error->text, sizeof error->text, "--default-stock: \"%.100s\" is no number",
		 value);
	return false;
}

static const struct service_command commands[] = {
	{"reserve", "{sku, qty} -> {id}; refused with out_of_stock beyond the stock", reserve,
	 "out_of_stock"},
	{"release", "the undo of reserve, or {reservation}", release, NULL},
	{"confirm", "{reservation}: it leaves the stock for good", confirm, NULL},
	{0},
};

static const struct service_option options[] = {
	{"stock", "SKU=N", "the stock of an article at the beginning; may be repeated",
	 set_stock},
	{"default-stock", "N", "that of any other article (default: as good as unlimited)",
	 set_default_stock},
	{0},
};

/* What is held and confirmed is counted in units, not in reservations. */
static const char totals[] =
	"SELECT r.n + r.n_confirmed + r.n_released + f.n AS commands,"
	" r.n + r.n_confirmed AS done, r.n_released AS undone, f.n AS refused,"
	" r.n AS reservations, r.held AS held, r.confirmed AS confirmed,"
	" r.released AS released"
	" FROM (SELECT count(*) AS n, coalesce(sum(confirmed), 0) AS n_confirmed,"
	"  coalesce(sum(released), 0) AS n_released,"
	"  coalesce(sum(qty * (NOT confirmed AND NOT released)), 0) AS held,"
	"  coalesce(sum(qty * (confirmed AND NOT released)), 0) AS confirmed,"
	"  coalesce(sum(qty * released), 0) AS released FROM reservation) AS r,"
	" (SELECT count(*) AS n FROM refusal) AS f";

static const char sagas[] =
	"SELECT substr(command, 1, instr(command, '/') - 1) AS saga,"
	" sum(done + undone + refused) AS commands, sum(done) AS done,"
	" sum(undone) AS undone, sum(refused) AS refused, sum(held) AS held,"
	" sum(confirmed) AS confirmed, sum(released) AS released"
	" FROM (SELECT command, 1 + confirmed AS done, released AS undone, 0 AS refused,"
	"  qty * (NOT confirmed AND NOT released) AS held,"
	"  qty * (confirmed AND NOT released) AS confirmed, qty * released AS released"
	"  FROM reservation"
	"  UNION ALL SELECT command, 0, 0, 1, 0, 0, 0 FROM refusal)"
	" GROUP BY saga ORDER BY saga";

static const char problems[] =
	"SELECT 'article ' || sku || ': ' || held || ' held and ' || confirmed ||"
	"  ' confirmed, but the reservations say ' || coalesce(h, 0) || ' and ' ||"
	"  coalesce(c, 0)"
	" FROM stock LEFT JOIN (SELECT sku, sum(qty * (NOT confirmed AND NOT released)) AS h,"
	"  sum(qty * (confirmed AND NOT released)) AS c FROM reservation GROUP BY sku)"
	"  USING (sku) WHERE held <> coalesce(h, 0) OR confirmed <> coalesce(c, 0)"
	" UNION ALL SELECT 'article ' || sku || ': less than nothing is left'"
	"  FROM stock WHERE initial - held - confirmed < 0 OR held < 0 OR confirmed < 0"
	" UNION ALL SELECT 'reservation ' || id || ': its article ' || sku || ' is unknown'"
	"  FROM reservation WHERE sku NOT IN (SELECT sku FROM stock)"
	" UNION ALL SELECT 'command ' || command || ' took effect ' || count(*) || ' times'"
	"  FROM (SELECT command FROM reservation UNION ALL SELECT command FROM refusal)"
	"  GROUP BY command HAVING count(*) > 1"
	" UNION ALL SELECT 'reservation ' || r.id || ' is not what the record of ' ||"
	"  r.command || ' says'"
	"  FROM reservation AS r JOIN skald_barrier AS b ON b.id = r.command"
	"  WHERE b.state NOT IN (1, 4) OR (b.state = 4 AND NOT r.released)";

int main(int argc, char **argv)
{
	static const struct service_kind kind = {
		.name = "inventory",
		.summary = "An example service: a stock of articles, with reservations.",
		.schema = schema,
		.statements =
			{
				[HOLD] = "UPDATE stock SET held = held + ?2 WHERE sku = ?1"
					 " AND initial - held - confirmed >= ?2",
				[ADD_STOCK] = "INSERT INTO stock (sku, initial) VALUES (?1, ?2)"
					      " ON CONFLICT DO NOTHING",
				[SET_STOCK] = "INSERT INTO stock (sku, initial) VALUES (?1, ?2)"
					      " ON CONFLICT DO UPDATE SET initial = ?2"
					      " WHERE held + confirmed <= ?2",
				[RESERVE] = "INSERT INTO reservation (command, sku, qty)"
					    " VALUES (?1, ?2, ?3)",
				[RELEASE] = "UPDATE reservation SET released = 1 WHERE id = ?1"
					    " AND NOT released"
					    " RETURNING sku, qty, confirmed",
				[CONFIRM] = "UPDATE reservation SET confirmed = 1 WHERE id = ?1"
					    " AND NOT confirmed AND NOT released"
					    " RETURNING sku, qty, confirmed",
				[MOVE] = "UPDATE stock SET held = held + ?2,"
					 " confirmed = confirmed + ?3 WHERE sku = ?1",
				[LOOK] = "SELECT released FROM reservation WHERE id = ?1",
			},
		.commands = commands,
		.options = options,
		.totals = totals,
		.sagas = sagas,
		.problems = problems,
	};

	return service_main(&kind, argc, argv);
}
