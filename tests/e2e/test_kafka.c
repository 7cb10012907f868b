/* test_kafka.c - the order saga over Apache Kafka, and what others put into its topics */
#include "bus/kafka/kafka.h"
#include "proto/wire.h"
#include "tests/e2e/fleet.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *kafka;  /* HOST:PORT; NULL: there is none */
static const char *python; /* that can run the example; NULL: there is none */
static char example[4200];

static void enter(void)
{
	fleet_enter(kafka, "sqlite");
}

/* --- tests ------------------------------------------------------------------------- */

START_TEST(test_orders_complete_or_turn_back)
{
	enum { N = 20 };

	enter();
	fleet_start(1, 1);
	fleet_start_sagas(0, N);
	fleet_await(N);
	fleet_check_books(N);
	fleet_leave();
}
END_TEST

/* As a service does that has a client of Kafka and nothing else. */
static void put_start(rd_kafka_t *producer, const char *saga, const char *id)
{
	const struct frame frame = {
		.type = FRAME_START,
		.start = {.saga = slice_of(saga),
			  .id = slice_of(id),
			  .input =
				  SLICE_LITERAL("{\"order_id\":\"from-kafka\",\"sku\":\"book\","
						"\"qty\":1,\"total\":19.99,\"email\":"
						"\"ann@example.com\",\"card\":\"4111\"}")}};
	struct bytes bytes = BYTES(1 << 20, &fleet_arena);
	char topic[KAFKA_PREFIX_SIZE + 16];

	snprintf(topic, sizeof topic, "%s.inbox", fleet.prefix);
	ck_assert_int_eq(wire_write(&frame, &bytes, NULL), OK);
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY((void *)id, strlen(id)),
		RD_KAFKA_V_VALUE(&bytes.at[WIRE_LENGTH_SIZE], bytes.len - WIRE_LENGTH_SIZE),
		RD_KAFKA_V_END));
	ck_assert(!rd_kafka_flush(producer, SAGAS_MS));
}

static rd_kafka_t *new_producer(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	rd_kafka_conf_set(conf, "bootstrap.servers", kafka, why, sizeof why);
	rd_kafka_conf_set(conf, "message.max.bytes", "4000000", why, sizeof why);
	return rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
}

START_TEST(test_a_service_starts_a_saga)
{
	rd_kafka_t *producer;
	struct slice log;

	enter();
	fleet_start(1, 1);
	producer = new_producer();
	put_start(producer, "no-such-saga", "s-1"); /* and it is in nobody's way */
	put_start(producer, "order", "s-2");
	put_start(producer, "order", "s-2");
	fleet_await(1);
	ck_assert_int_eq(fleet_number(fleet_books(INVENTORY), "confirmed"), 1);
	ck_assert_ptr_nonnull(
		strstr(FLEET_ASK("show", "s-2", "--json").out.at, "\"completed\""));
	log = background_until(&fleet.servers[0].process, "event=dead-letter", &fleet_arena);
	ck_assert_ptr_nonnull(strstr(log.at, "no-such-saga"));
	rd_kafka_destroy(producer);
	fleet_leave();
}
END_TEST

static void put(rd_kafka_t *producer, const char *topic, int32_t partition, struct slice value)
{
	char name[KAFKA_PREFIX_SIZE + 32];

	snprintf(name, sizeof name, "%s.%s", fleet.prefix, topic);
	ck_assert(!rd_kafka_producev(
		producer, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY("k", 1),
		RD_KAFKA_V_HEADER("from", "a test", 6),
		RD_KAFKA_V_VALUE((void *)value.at, value.len), RD_KAFKA_V_END));
}

static void put_frame(rd_kafka_t *producer, const char *topic, int32_t partition,
		      const struct frame *frame)
{
	struct bytes bytes = BYTES(1 << 20, &fleet_arena);

	ck_assert_int_eq(wire_write(frame, &bytes, NULL), OK);
	put(producer, topic, partition,
	    (struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE});
}

enum { PARTITIONS = 12, INQUIRY_PARTITIONS = 3, TOO_MANY = 2100000 };

/* On every partition of every topic that somebody reads. */
static void poison_all(rd_kafka_t *producer)
{
	static const struct frame stray_reply = {
		.type = FRAME_REPLY,
		.reply = {.id = SLICE_LITERAL("no-such/reserve#0/0/do"), .attempt = 1}};
	static const struct frame stray_command = {
		.type = FRAME_COMMAND,
		.command = {.id = SLICE_LITERAL("s/a#0/0/do"),
			    .participant = SLICE_LITERAL("nobody"),
			    .command = SLICE_LITERAL("take"),
			    .saga_id = SLICE_LITERAL("s"),
			    .saga = SLICE_LITERAL("order"),
			    .attempt = 1}};
	static char large[TOO_MANY];

	for (int32_t i = 0; i < PARTITIONS; i++) {
		put(producer, "inbox", i, SLICE_LITERAL("\xff"));
		put_frame(producer, "inbox", i, &stray_reply);
		put(producer, "cmd.inventory", i, SLICE_LITERAL("\xff"));
		put_frame(producer, "cmd.payment", i, &stray_command);
		put(producer, "cmd.notification", i, (struct slice){large, 0});
	}
	put(producer, "inbox", 0, (struct slice){large, sizeof large});
	put(producer, "dead", 0, SLICE_LITERAL("a stranger's"));
	/* What is no question and no answer is passed over. */
	for (int32_t i = 0; i < INQUIRY_PARTITIONS; i++) {
		put(producer, "inquiry.inventory", i, SLICE_LITERAL("\xff"));
		put_frame(producer, "inquiry.payment", i, &stray_command);
		put_frame(producer, "records", 0, &stray_reply);
		put(producer, "records", 0, SLICE_LITERAL("\xff"));
	}
	ck_assert(!rd_kafka_flush(producer, SAGAS_MS));
}

static long n_dead(const char *reason)
{
	struct slice list = FLEET_ASK("dead", "ls", "--json").out;
	char wanted[64];
	long n = 0;

	snprintf(wanted, sizeof wanted, "\"reason\":\"%s\"", reason);
	for (const char *at = list.at; (at = strstr(at, wanted)); at++)
		n++;
	return n;
}

static void wait_for_dead(const char *reason, long n)
{
	const struct timespec turn = {0, TURN_MS * 1000000};

	for (int ms = 0; n_dead(reason) < n && ms < SAGAS_MS; ms += TURN_MS)
		nanosleep(&turn, NULL);
	ck_assert_msg(n_dead(reason) == n, "%s: %ld instead of %ld", reason, n_dead(reason), n);
}

static const struct letter_row {
	const char *topic, *reason;
} letter_rows[] = {
	{"inbox", "unreadable"},
	{"cmd.inventory", "unreadable"},
	{"cmd.payment", "unknown-participant"},
	{"cmd.notification", "unreadable"},
};

/* The id of such a letter that was found in that partition; NULL: there is none. */
static const char *letter_of(const struct letter_row *row, int partition)
{
	static char id[KAFKA_PREFIX_SIZE + 64];
	char start[KAFKA_PREFIX_SIZE + 64], reason[64];
	const char *at = FLEET_ASK("dead", "ls", "--json").out.at;

	snprintf(start, sizeof start, "\"id\":\"%s.%s-%d-", fleet.prefix, row->topic,
		 partition);
	snprintf(reason, sizeof reason, "\"reason\":\"%s\"", row->reason);
	while ((at = strstr(at, start))) {
		const char *found = strstr(at, reason);

		at += strlen("\"id\":\"");
		if (!found || found > at + strcspn(at, "\n"))
			continue;
		snprintf(id, sizeof id, "%.*s", (int)strcspn(at, "\""), at);
		return id;
	}
	return NULL;
}

static bool listed(const char *id)
{
	char text[KAFKA_PREFIX_SIZE + 80];

	snprintf(text, sizeof text, "\"id\":\"%s\"", id);
	return strstr(FLEET_ASK("dead", "ls", "--json").out.at, text) != NULL;
}

/* It has its reason, place, key and headers; what is sent again, to where its key belongs,
 * dies again, with the same headers; and it can be dropped. */
static void check_letter(const struct letter_row *row)
{
	const int partition = kafka_partition_of(SLICE_LITERAL("k"), PARTITIONS);
	const struct timespec turn = {0, TURN_MS * 1000000};
	char id[KAFKA_PREFIX_SIZE + 64], wanted[KAFKA_PREFIX_SIZE + 64];
	const char *again = NULL;
	struct slice shown;

	snprintf(id, sizeof id, "%s", letter_of(row, partition));
	for (int turns = 0; turns < 2; turns++) {
		shown = FLEET_ASK("dead", "show", id, "--json").out;
		snprintf(wanted, sizeof wanted, "\"source\":\"%s.%s\",\"partition\":%d,",
			 fleet.prefix, row->topic, partition);
		ck_assert_msg(strstr(shown.at, wanted) && strstr(shown.at, row->reason) &&
				      strstr(shown.at, "\"key\":\"k\"") &&
				      strstr(shown.at, "\"headers\":[{\"name\":\"from\","
						       "\"value\":\"a test\"}]"),
			      "%s: %s", id, shown.at);
		if (turns)
			break;
		FLEET_ASK("dead", "replay", id);
		for (int ms = 0; ms < SAGAS_MS; ms += TURN_MS) {
			again = letter_of(row, partition);
			if (again && !listed(id))
				break;
			nanosleep(&turn, NULL);
		}
		ck_assert_msg(again != NULL, "%s did not come back", id);
		snprintf(id, sizeof id, "%s", again);
	}
	FLEET_ASK("dead", "drop", id);
	ck_assert(!listed(id));
}

/* Nobody is held up by it, and all of it is on the list, once. */
START_TEST(test_poison_on_every_topic)
{
	enum { N = 20 };
	rd_kafka_t *producer;
	struct slice shown;
	char id[KAFKA_PREFIX_SIZE + 32];

	enter();
	fleet_start(1, 1);
	fleet_start_sagas(0, 1); /* now all topics are there */
	fleet_await(1);
	FLEET_ASK("reconcile");
	producer = new_producer();
	poison_all(producer);
	fleet_start_sagas(1, N - 1);
	fleet_await(N);
	fleet_check_books(N);
	FLEET_ASK("reconcile");
	wait_for_dead("unreadable", 3 * PARTITIONS);
	wait_for_dead("unknown-saga", PARTITIONS);
	wait_for_dead("unknown-participant", PARTITIONS);
	wait_for_dead("too-large", 1);
	wait_for_dead("unknown", 1);
	background_stop(&fleet.servers[0].process, SIGKILL);
	fleet_start_server(0);
	wait_for_dead("unreadable", 3 * PARTITIONS);
	snprintf(id, sizeof id, "%s.dead-0-", fleet.prefix);
	shown = FLEET_ASK("dead", "ls", "--json").out;
	ck_assert_ptr_nonnull(strstr(shown.at, id));
	for (int i = 0; i < ROWS(letter_rows); i++)
		check_letter(&letter_rows[i]);
	rd_kafka_destroy(producer);
	fleet_leave();
}
END_TEST

/* What was refused is sent again once there is something to begin. */
START_TEST(test_a_start_is_replayed)
{
	rd_kafka_t *producer;
	struct slice shown;
	char id[KAFKA_PREFIX_SIZE + 64], late[] = "late.yaml";
	const char *at, *end;

	enter();
	fleet_start(1, 1);
	producer = new_producer();
	put_start(producer, "late", "s-1");
	wait_for_dead("unknown-definition", 1);
	shown = FLEET_ASK("dead", "ls", "--json").out;
	at = strstr(shown.at, "\"id\":\"") + strlen("\"id\":\"");
	end = strchr(at, '"');
	snprintf(id, sizeof id, "%.*s", (int)(end - at), at);
	shown = FLEET_ASK("dead", "show", id, "--json").out;
	ck_assert_ptr_nonnull(strstr(shown.at, "\"saga\":\"late\""));
	FLEET_ASK("dead", "replay", id); /* too soon: it is back, from another place */
	wait_for_dead("unknown-definition", 1);
	ck_assert_ptr_null(strstr(FLEET_ASK("dead", "ls", "--json").out.at, id));
	folder_write(late, "saga: late\nversion: 1.0.0\nsteps:\n"
			   "  - mail: { kind: readonly, call: notification.send,"
			   " with: { to: =input.email } }\n");
	FLEET_ASK("deploy", late);
	shown = FLEET_ASK("dead", "ls", "--json").out;
	at = strstr(shown.at, "\"id\":\"") + strlen("\"id\":\"");
	end = strchr(at, '"');
	snprintf(id, sizeof id, "%.*s", (int)(end - at), at);
	FLEET_ASK("dead", "replay", id);
	fleet_await(1);
	wait_for_dead("unknown-definition", 0);
	rd_kafka_destroy(producer);
	fleet_leave();
}
END_TEST

/* All that the ledger of the Python service has, as one number. */
static long ledger(const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db;
	long number;

	ck_assert_int_eq(sqlite3_open("payment-python.db", &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	number = (long)sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

static void forge(const char *sql)
{
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open("payment-python.db", &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_gt(sqlite3_changes(db), 0);
	sqlite3_close(db);
}

static struct slice ask_for_differences(void)
{
	const struct process_setup setup = {.argv = {fleet_program(), "reconcile", "--json"},
					    .env = {fleet.servers[0].env}};
	struct process_result result = process_run(&setup, &fleet_arena);

	ck_assert_msg(result.exit_code == 1, "%s%s", result.out.at, result.errs.at);
	return result.out;
}

/* Written from docs/protocol.md, without a line of ours. */
START_TEST(test_a_participant_in_python_stands_in)
{
	enum { N = 40, DECLINED = N / DECLINE_EVERY };
	const struct process_setup setup = {.argv = {python, example, "--brokers", kafka,
						     "--prefix", fleet.prefix, "--data",
						     "payment-python.db"}};
	struct background payment;
	struct slice compared;

	enter();
	fleet_start_server(0);
	fleet_start_service(INVENTORY, 0);
	fleet_start_service(NOTIFICATION, 0);
	background_start(&payment, &setup, "payment-python");
	background_until(&payment, "payment: ready: ", &fleet_arena);
	fleet_start_sagas(0, N);
	fleet_await(N / 4);
	background_stop(&payment, SIGKILL);
	background_start(&payment, &setup, "payment-python");
	background_until(&payment, "payment: ready: ", &fleet_arena);
	fleet_await(N);
	ck_assert_int_eq(ledger("SELECT sum(cents) FROM ledger"), (N - DECLINED) * 1999);
	ck_assert_int_eq(ledger("SELECT count(*) FROM ledger"), N - DECLINED);
	ck_assert_int_eq(fleet_number(fleet_books(INVENTORY), "confirmed"), N - DECLINED);
	ck_assert_int_eq(fleet_number(fleet_books(INVENTORY), "released"), DECLINED);
	compared = FLEET_ASK("reconcile", "--json").out;
	ck_assert_int_eq(fleet_number(compared, "participants"), N_SERVICES);
	ck_assert_int_eq(fleet_number(compared, "forgotten"), 0);
	forge("UPDATE record SET state = 'undone' WHERE id LIKE '%/charge#0/0/do' AND"
	      " state = 'ok'");
	compared = ask_for_differences();
	ck_assert_int_eq(fleet_number(compared, "differences"), N - DECLINED);
	ck_assert_ptr_nonnull(strstr(compared.at, "\"difference\":\"done-but-undone\""));
	ck_assert_int_eq(background_stop(&payment, SIGTERM), 0);
	fleet_leave();
}
END_TEST

/* The sagas of one are not in the store of the other. */
START_TEST(test_a_second_orchestrator_is_turned_away)
{
	struct process_setup setup = {.argv = {fleet_program(), "serve", "--data", "other",
					       "--listen", "127.0.0.1:0", "--bus", fleet.bus,
					       "--kafka-prefix", fleet.prefix}};
	struct process_result result;

	enter();
	fleet_start_server(0);
	result = process_run(&setup, &fleet_arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "another orchestrator reads ") != NULL, "%s",
		      result.errs.at);
	for (enum work service = INVENTORY; service < N_WORKS; service++)
		fleet_start_service(service, 0);
	fleet_start_sagas(0, 10); /* and the first goes on */
	fleet_await(10);
	fleet_check_books(10);
	fleet_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, test_orders_complete_or_turn_back);
	tcase_add_test(tcase, test_a_service_starts_a_saga);
	tcase_add_test(tcase, test_poison_on_every_topic);
	tcase_add_test(tcase, test_a_start_is_replayed);
	if (python)
		tcase_add_test(tcase, test_a_participant_in_python_stands_in);
	tcase_add_test(tcase, test_a_second_orchestrator_is_turned_away);
}

int main(int argc, char **argv)
{
	char root[4096];

	kafka = kafka_broker_find();
	if (!kafka || !fleet_find(argv[0]) || !getcwd(root, sizeof root))
		return kafka ? EXIT_FAILURE : EXIT_SUCCESS;
	snprintf(example, sizeof example, "%s/examples/python/payment.py", root);
	python = kafka_python();
	return suite_run("kafka", add);
}
