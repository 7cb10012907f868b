/* skald-payment - cards are charged, and the money is in books that balance.
 *
 * Every charge and every refund is two entries of the ledger, one for the account
 * that gives and one for the account that takes: all entries together are zero.
 * Amounts are whole cents; what is not is refused, never rounded.
 */
#include "participants/payment/payment.h"

#include <stdio.h>

/* Ten billion. */
#define CENTS_MAX INT64_C(1000000000000)

static const char schema[] = "CREATE TABLE IF NOT EXISTS charge ("
			     " receipt INTEGER PRIMARY KEY,"
			     " command TEXT NOT NULL," /* the id of the one that made it */
			     " cents INTEGER NOT NULL,"
			     " refunded_cents INTEGER NOT NULL DEFAULT 0);"
			     "CREATE TABLE IF NOT EXISTS refund ("
			     " id INTEGER PRIMARY KEY,"
			     " command TEXT NOT NULL,"
			     " receipt INTEGER NOT NULL,"
			     " cents INTEGER NOT NULL);"
			     "CREATE TABLE IF NOT EXISTS entry ("
			     " id INTEGER PRIMARY KEY,"
			     " receipt INTEGER NOT NULL,"
			     " account TEXT NOT NULL," /* bank, sales */
			     " cents INTEGER NOT NULL)";

enum { CHARGE, ENTER, LOOK, MARK_REFUNDED, REFUND };

/* --- the ledger ------------------------------------------------------------------------ */

static bool enter(struct service *service, int64_t receipt, const char *account, int64_t cents)
{
	sqlite3_stmt *enter = service_statement(service, ENTER);

	sqlite3_bind_int64(enter, 1, receipt);
	sqlite3_bind_text(enter, 2, account, -1, SQLITE_STATIC);
	sqlite3_bind_int64(enter, 3, cents);
	return service_step(enter) == SERVICE_DONE;
}

/* What the bank has more, sales has less: an income is a debt to the owner. */
static bool book(struct service *service, int64_t receipt, int64_t cents)
{
	return enter(service, receipt, "bank", cents) &&
	       enter(service, receipt, "sales", -cents);
}

static skald_outcome answer_receipt(skald_reply *reply, int64_t receipt)
{
	char output[40];

	snprintf(output, sizeof output, "{\"receipt\":%lld}", (long long)receipt);
	return skald_reply_ok(reply, output);
}

/* --- charge ------------------------------------------------------------------------------- */

skald_outcome payment_read_charge(const skald_command *command, skald_reply *reply,
				  int64_t *cents)
{
	const char *args = skald_command_args(command);
	skald_json_result found;
	bool declined = false;

	found = skald_json_decimal(args, "amount", 2, cents);
	if (found || *cents < 0 || *cents > CENTS_MAX)
		return service_bad_argument(reply, "amount", found);
	found = skald_json_bool(args, "decline", &declined);
	if (found && found != SKALD_JSON_MISSING)
		return service_bad_argument(reply, "decline", found);
	if (declined)
		return skald_reply_refuse(reply, PAYMENT_DECLINED, "the bank said no");
	return SKALD_OK;
}

static skald_outcome charge(struct service *service, const skald_command *command,
			    skald_reply *reply)
{
	sqlite3_stmt *add = service_statement(service, CHARGE);
	int64_t cents, receipt;
	skald_outcome outcome = payment_read_charge(command, reply, &cents);

	if (outcome != SKALD_OK)
		return outcome;
	sqlite3_bind_text(add, 1, skald_command_id(command), -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 2, cents);
	if (service_step(add) != SERVICE_DONE)
		return service_failed(service, reply);
	receipt = sqlite3_last_insert_rowid(service->db);
	if (!book(service, receipt, cents))
		return service_failed(service, reply);
	return answer_receipt(reply, receipt);
}

/* --- refund ---------------------------------------------------------------------------------
 */

/* SERVICE_DONE: there is no such charge. */
static enum service_result look(struct service *service, int64_t receipt, int64_t *left_cents)
{
	sqlite3_stmt *look = service_statement(service, LOOK);
	enum service_result result;

	sqlite3_bind_int64(look, 1, receipt);
	result = service_step(look);
	if (result == SERVICE_ROW) {
		*left_cents = sqlite3_column_int64(look, 0);
		service_reset(look);
	}
	return result;
}

static bool write_refund(struct service *service, const skald_command *command, int64_t receipt,
			 int64_t cents)
{
	sqlite3_stmt *mark = service_statement(service, MARK_REFUNDED);
	sqlite3_stmt *add = service_statement(service, REFUND);

	sqlite3_bind_int64(mark, 1, receipt);
	sqlite3_bind_int64(mark, 2, cents);
	sqlite3_bind_text(add, 1, skald_command_id(command), -1, SQLITE_STATIC);
	sqlite3_bind_int64(add, 2, receipt);
	sqlite3_bind_int64(add, 3, cents);
	return service_step(mark) == SERVICE_DONE && service_step(add) == SERVICE_DONE &&
	       book(service, receipt, -cents);
}

/* As an undo it is told what charge answered, and gives back all; otherwise receipt
 * and perhaps an amount are arguments. */
static skald_outcome refund(struct service *service, const skald_command *command,
			    skald_reply *reply)
{
	const char *args = skald_command_args(command), *output = skald_command_output(command);
	skald_json_result found;
	enum service_result result;
	int64_t receipt, left_cents = 0, cents;

	found = skald_json_integer(output ? output : args, "receipt", &receipt);
	if (found)
		return service_bad_argument(reply, "receipt", found);
	result = look(service, receipt, &left_cents);
	if (result == SERVICE_FAILED)
		return service_failed(service, reply);
	if (result == SERVICE_DONE)
		return skald_reply_refuse(reply, "no_such_receipt",
					  "there is no charge with this number");
	cents = left_cents;
	found = output ? SKALD_JSON_MISSING : skald_json_decimal(args, "amount", 2, &cents);
	if ((found && found != SKALD_JSON_MISSING) || cents < 0)
		return service_bad_argument(reply, "amount", found);
	if (cents > left_cents)
		return skald_reply_refuse(reply, "over_refunded",
					  "less than that is left of the charge");
	if (!write_refund(service, command, receipt, cents))
		return service_failed(service, reply);
	return answer_receipt(reply, receipt);
}

/* --- the books
 * -------------------------------------------------------------------------------- */

static const struct service_command commands[] = {
	{"charge", PAYMENT_CHARGE_HELP, charge, PAYMENT_DECLINED},
	{"refund", "the undo of charge, or {receipt, amount?} -> {receipt}", refund, NULL},
	{0},
};

static const char totals[] =
	"SELECT c.n + r.n + f.n AS commands, c.n AS done, r.n AS undone, f.n AS refused,"
	" c.cents AS charged_cents, r.cents AS refunded_cents, e.cents AS balance_cents"
	" FROM (SELECT count(*) AS n, coalesce(sum(cents), 0) AS cents FROM charge) AS c,"
	" (SELECT count(*) AS n, coalesce(sum(cents), 0) AS cents FROM refund) AS r,"
	" (SELECT coalesce(sum(cents), 0) AS cents FROM entry) AS e,"
	" (SELECT count(*) AS n FROM refusal) AS f";

static const char sagas[] =
	"SELECT substr(command, 1, instr(command, '/') - 1) AS saga,"
	" sum(done + undone + refused) AS commands, sum(done) AS done,"
	" sum(undone) AS undone, sum(refused) AS refused,"
	" sum(charged) AS charged_cents, sum(refunded) AS refunded_cents"
	" FROM (SELECT command, 1 AS done, 0 AS undone, 0 AS refused, cents AS charged,"
	"  0 AS refunded FROM charge"
	"  UNION ALL SELECT command, 0, 1, 0, 0, cents FROM refund"
	"  UNION ALL SELECT command, 0, 0, 1, 0, 0 FROM refusal)"
	" GROUP BY saga ORDER BY saga";

static const char problems[] =
	"SELECT 'the ledger sums to ' || sum(cents) || ' cents instead of 0' FROM entry"
	"  HAVING sum(cents) <> 0"
	" UNION ALL SELECT 'receipt ' || receipt || ': ' || (cents - refunded_cents) ||"
	"  ' cents were paid, but the ledger says ' || coalesce(bank, 0) || ' and ' ||"
	"  coalesce(sales, 0)"
	"  FROM charge LEFT JOIN (SELECT receipt, sum(cents * (account = 'bank')) AS bank,"
	"   sum(cents * (account = 'sales')) AS sales FROM entry GROUP BY receipt)"
	"   USING (receipt)"
	"  WHERE coalesce(bank, 0) <> cents - refunded_cents"
	"   OR coalesce(sales, 0) <> refunded_cents - cents"
	" UNION ALL SELECT 'receipt ' || receipt || ': refunds of ' || refunded_cents ||"
	"  ' cents, but ' || coalesce(total, 0) || ' are in the list'"
	"  FROM charge LEFT JOIN (SELECT receipt, sum(cents) AS total FROM refund"
	"   GROUP BY receipt) USING (receipt)"
	"  WHERE coalesce(total, 0) <> refunded_cents OR refunded_cents > cents"
	" UNION ALL SELECT 'entry ' || id || ' is of no charge' FROM entry"
	"  WHERE receipt NOT IN (SELECT receipt FROM charge)"
	" UNION ALL SELECT 'command ' || command || ' took effect ' || count(*) || ' times'"
	"  FROM (SELECT command FROM charge UNION ALL SELECT command FROM refund"
	"   UNION ALL SELECT command FROM refusal) GROUP BY command HAVING count(*) > 1"
	" UNION ALL SELECT 'receipt ' || c.receipt || ' is not what the record of ' ||"
	"  c.command || ' says'"
	"  FROM charge AS c JOIN skald_barrier AS b ON b.id = c.command"
	"  WHERE b.state NOT IN (1, 4) OR (b.state = 4 AND c.refunded_cents <> c.cents)";

int main(int argc, char **argv)
{
	static const struct service_kind kind = {
		.name = "payment",
		.summary = "An example service: charges and refunds, in a double-entry ledger.",
		.schema = schema,
		.statements =
			{
				[CHARGE] =
					"INSERT INTO charge (command, cents) VALUES (?1, ?2)",
				[ENTER] = "INSERT INTO entry (receipt, account, cents)"
					  " VALUES (?1, ?2, ?3)",
				[LOOK] = "SELECT cents - refunded_cents FROM charge"
					 " WHERE receipt = ?1",
				[MARK_REFUNDED] =
					"UPDATE charge SET refunded_cents = refunded_cents + ?2"
					" WHERE receipt = ?1",
				[REFUND] = "INSERT INTO refund (command, receipt, cents)"
					   " VALUES (?1, ?2, ?3)",
			},
		.commands = commands,
		.store = &payment_mongo,
		.totals = totals,
		.sagas = sagas,
		.problems = problems,
	};

	payment_hide_counters();
	return service_main(&kind, argc, argv);
}
