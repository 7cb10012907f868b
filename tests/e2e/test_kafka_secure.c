/* test_kafka_secure.c - Kafka with TLS and passwords: orders go through, and who comes
 * with the wrong password, authority or protocol is told so, soon and in words that help */
#include "tests/e2e/orders.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include "base/bytes.h"
#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_ORDERS = 100, TOLD_MS = 20000, SECONDS = 120, PATH_SIZE = 4200 };

static const char *broker;
static struct arena arena;
static char bus[160], prefix[KAFKA_PREFIX_SIZE], password[64];

static const char *secret(const char *name)
{
	static char path[2][PATH_SIZE];
	static int turn;

	turn = !turn;
	snprintf(path[turn], PATH_SIZE, "%.4000s/%s", kafka_tls_folder(), name);
	return path[turn];
}

/* skald.yaml and user.properties, which say the same. */
static void enter(void)
{
	struct slice properties = folder_read(secret("user.properties"), &arena);
	struct bytes settings = BYTES(1 << 16, &arena);
	const char *line = properties.at;

	works_enter();
	kafka_prefix(prefix);
	snprintf(bus, sizeof bus, "kafka:%s", broker);
	bytes_text(&settings, "kafka:\n");
	for (size_t len; *line; line += len + 1) {
		const char *equals = strchr(line, '=');

		len = strcspn(line, "\n");
		bytes_format(&settings, "  %.*s: \"%.*s\"\n", (int)(equals - line), line,
			     (int)(len - (size_t)(equals - line) - 1), equals + 1);
	}
	bytes_add(&settings, '\0');
	folder_write("skald.yaml", settings.at);
	folder_write("user.properties", properties.at);
	line = strstr(properties.at, "sasl.password=") + strlen("sasl.password=");
	snprintf(password, sizeof password, "%.*s", (int)strcspn(line, "\n"), line);
	ck_assert_uint_gt(strlen(password), 8);
}

static void leave(void)
{
	folder_leave();
	arena_release(&arena);
}

static void check_secret(const char *name)
{
	const char *log = folder_read(name, &arena).at;

	ck_assert_msg(!strstr(log, password), "%s has the password: %s", name, log);
}

/* --- it works ------------------------------------------------------------------------- */

static const struct mechanism {
	const char *name;
	const char *property;
} mechanisms[] = {
	{"a password in the clear, within TLS", "sasl.mechanism=PLAIN"},
	{"SCRAM", "sasl.mechanism=SCRAM-SHA-512"},
};

/* With all that librdkafka has to say, which is no secret. */
START_TEST(test_orders_go_through)
{
	const char *mechanism = mechanisms[_i].property;
	struct works works = {
		.args = {[SERVER] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
				     mechanism, "--log-level", "debug"},
			 [INVENTORY] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
					"@user.properties", "--kafka", mechanism, "--stock",
					ORDER_SOLD_OUT},
			 [PAYMENT] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
				      "@user.properties", "--kafka", mechanism},
			 [NOTIFICATION] = {"--bus", bus, "--kafka-prefix", prefix, "--kafka",
					   "@user.properties", "--kafka", mechanism}}};
	struct orders orders;

	enter();
	works_start(&works);
	orders_init(&orders, 17, N_ORDERS);
	orders_begin(&orders, works.server.url);
	orders_await(&orders);
	works_wait_idle(&works);
	works_check_reconciled(&works);
	orders_check(&orders, &works, ORDER_AS_IT_IS);
	works_stop(&works);
	check_secret("server.log");
	for (enum work work = INVENTORY; work < N_WORKS; work++)
		check_secret(work_names[work]);
	leave();
}
END_TEST

/* --- it does not ---------------------------------------------------------------------- */

static const struct mistake {
	const char *name;
	const char *property; /* that is wrong */
	bool stranger;        /* or this: the authority */
	const char *why, *advice;
} mistakes[] = {
	{"a wrong password", "sasl.password=wrong", false, "Authentication failed",
	 "check kafka.sasl.username and kafka.sasl.password"},
	{"a user that there is not", "sasl.username=nobody", false, "Authentication failed",
	 "check kafka.sasl.username and kafka.sasl.password"},
	{"a mechanism that the brokers have not", "sasl.mechanism=SCRAM-SHA-256", false,
	 "PLAIN,SCRAM-SHA-512", "set kafka.sasl.mechanism to one of those"},
	{"another authority", NULL, true, "certificate verify failed",
	 "set kafka.ssl.ca.location to the file of the authority"},
	{"plain text to a port with TLS", "security.protocol=plaintext", false,
	 "connecting to a SSL listener?", "set kafka.security.protocol to ssl or sasl_ssl"},
	{"no password where one is asked for", "security.protocol=ssl", false,
	 "might require SASL", "set kafka.security.protocol to sasl_ssl"},
};

enum { N_MISTAKES = ROWS(mistakes) };

/* Those who make it. */
static struct wrong {
	char property[PATH_SIZE + 32];
	char folders[2][32], logs[2][32];
	struct background server, payment;
} wrong[N_MISTAKES];

static void start_wrong(int i)
{
	struct wrong *who = &wrong[i];
	const struct process_setup serve = {.argv = {works_program(SERVER), "serve", "--data",
						     who->folders[0], "--listen", "127.0.0.1:0",
						     "--bus", bus, "--kafka-prefix", prefix,
						     "--kafka", who->property}};
	const struct process_setup pay = {
		.argv = {works_program(PAYMENT), "--data", who->folders[1], "--bus", bus,
			 "--kafka-prefix", prefix, "--kafka", "@user.properties", "--kafka",
			 who->property}};

	snprintf(who->folders[0], sizeof who->folders[0], "server-%d", i);
	snprintf(who->folders[1], sizeof who->folders[1], "payment-%d", i);
	if (mistakes[i].stranger)
		snprintf(who->property, sizeof who->property, "ssl.ca.location=%s",
			 secret("stranger.pem"));
	else
		snprintf(who->property, sizeof who->property, "%s", mistakes[i].property);
	snprintf(who->logs[0], sizeof who->logs[0], "server-%d.log", i);
	snprintf(who->logs[1], sizeof who->logs[1], "payment-%d.log", i);
	background_start(&who->server, &serve, who->logs[0]);
	background_start(&who->payment, &pay, who->logs[1]);
}

static void check_told(const struct mistake *row, const char *log)
{
	const char *said = folder_read(log, &arena).at;

	ck_assert_msg(strstr(said, row->why) && strstr(said, row->advice), "%s: %s: %s",
		      row->name, log, said);
	check_secret(log);
}

/* The server ends, and a service goes on trying. */
START_TEST(test_mistakes_are_told)
{
	int64_t begin_ms = clock_monotonic_ms(clock_system());

	enter();
	for (int i = 0; i < N_MISTAKES; i++)
		start_wrong(i);
	for (int i = 0; i < N_MISTAKES; i++) {
		ck_assert_int_eq(background_wait(&wrong[i].server), 1);
		check_told(&mistakes[i], wrong[i].server.log);
		background_until(&wrong[i].payment, mistakes[i].advice, &arena);
		check_told(&mistakes[i], wrong[i].payment.log);
	}
	ck_assert_int_lt(clock_monotonic_ms(clock_system()) - begin_ms, TOLD_MS);
	for (int i = 0; i < N_MISTAKES; i++)
		background_stop(&wrong[i].payment, SIGKILL);
	leave();
}
END_TEST

/* And the other way round: TLS to a port that speaks none. */
START_TEST(test_a_port_without_tls)
{
	struct slice settings = folder_read(secret("server.properties"), &arena);
	const char *port = strstr(settings.at, "PLAINTEXT://127.0.0.1:");
	struct process_setup serve = {.argv = {works_program(SERVER), "serve", "--listen",
					       "127.0.0.1:0", "--bus", bus, "--kafka-prefix",
					       prefix}};
	struct process_result result;

	enter();
	snprintf(bus, sizeof bus, "kafka:127.0.0.1:%ld",
		 strtol(port + strlen("PLAINTEXT://127.0.0.1:"), NULL, 10));
	result = process_run(&serve, &arena);
	ck_assert_msg(result.exit_code == 1 &&
			      strstr(result.errs.at, "perhaps this port speaks no TLS"),
		      "exit %d: %s", result.exit_code, result.errs.at);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, SECONDS);
	tcase_add_loop_test(tcase, test_orders_go_through, 0, ROWS(mechanisms));
	tcase_add_test(tcase, test_mistakes_are_told);
	tcase_add_test(tcase, test_a_port_without_tls);
}

int main(int argc, char **argv)
{
	works_find(argv[0]);
	broker = kafka_tls_find();
	return broker ? suite_run("kafka_secure", add) : EXIT_SUCCESS;
}
