/* skald-notification - an outbox of messages to customers.
 *
 * To send a message is to put it into the outbox; somebody else carries it away.
 * What was sent cannot be taken back, so there is no undo. It can be the undo of
 * something else, or of nothing: a message that says that an order was cancelled.
 */
#include "participants/service/service.h"

#include <stdio.h>

enum { ADDRESS_SIZE = 255, TEMPLATE_SIZE = 65 };

static const char schema[] = "CREATE TABLE IF NOT EXISTS message ("
			     " id INTEGER PRIMARY KEY,"
			     " command TEXT NOT NULL," /* the id of the one that made it */
			     " recipient TEXT NOT NULL,"
			     " template TEXT NOT NULL,"
			     " arguments TEXT NOT NULL)"; /* all of the command's, as JSON */

enum { SEND };

static skald_outcome send(struct service *service, const skald_command *command,
			  skald_reply *reply)
{
	const char *args = skald_command_args(command);
	sqlite3_stmt *add = service_statement(service, SEND);
	char to[ADDRESS_SIZE], template[TEMPLATE_SIZE] = "", output[40];
	skald_json_result found;

	found = skald_json_text(args, "to", to, sizeof to);
	if (found || !*to)
		return service_bad_argument(reply, "to", found);
	found = skald_json_text(args, "template", template, sizeof template);
	if (found && found != SKALD_JSON_MISSING)
		return service_bad_argument(reply, "template", found);

	sqlite3_bind_text(add, 1, skald_command_id(command), -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 2, to, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 3, template, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 4, args, -1, SQLITE_STATIC);
	if (service_step(add) != SERVICE_DONE)
		return service_failed(service, reply);
	snprintf(output, sizeof output, "{\"message\":%lld}",
		 (long long)sqlite3_last_insert_rowid(service->db));
	return skald_reply_ok(reply, output);
}

static const struct service_command commands[] = {
	{"send", "{to, template?, ...} -> {message}", send, "address_rejected"},
	{0},
};

static const char totals[] =
	"SELECT m.n + f.n AS commands, m.n AS done, 0 AS undone, f.n AS refused, m.n AS sent"
	" FROM (SELECT count(*) AS n FROM message) AS m,"
	" (SELECT count(*) AS n FROM refusal) AS f";

static const char sagas[] =
	"SELECT substr(command, 1, instr(command, '/') - 1) AS saga,"
	" sum(done + refused) AS commands, sum(done) AS done, 0 AS undone,"
	" sum(refused) AS refused, sum(done) AS sent"
	" FROM (SELECT command, 1 AS done, 0 AS refused FROM message"
	"  UNION ALL SELECT command, 0, 1 FROM refusal) GROUP BY saga ORDER BY saga";

static const char problems[] =
	"SELECT 'command ' || command || ' took effect ' || count(*) || ' times'"
	" FROM (SELECT command FROM message UNION ALL SELECT command FROM refusal)"
	" GROUP BY command HAVING count(*) > 1"
	" UNION ALL SELECT 'message ' || m.id || ' is not what the record of ' || m.command ||"
	"  ' says' FROM message AS m JOIN skald_barrier AS b ON b.id = m.command"
	"  WHERE b.state NOT IN (1, 4)";

int main(int argc, char **argv)
{
	static const struct service_kind kind = {
		.name = "notification",
		.summary = "An example service: an outbox of messages to customers.",
		.schema = schema,
		.statements = {[SEND] = "INSERT INTO message (command, recipient, template,"
					" arguments) VALUES (?1, ?2, ?3, ?4)"},
		.commands = commands,
		.totals = totals,
		.sagas = sagas,
		.problems = problems,
	};

	return service_main(&kind, argc, argv);
}
