/* test_forward.c - several orchestrators on Kafka and MongoDB, of which any is asked for
 * anything: what another one has, and what nobody has because its owner was killed. */
#include "tests/e2e/fleet.h"
#include "tests/e2e/http.h"
#include "tests/lib/engines.h"
#include "tests/lib/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAGAS = 24, STEP_MS = 100 };

static const char *kafka;
static char database[MONGO_URI_SIZE], store[MONGO_URI_SIZE + 8];

static const char talk[] =
	"saga: talk\nversion: 1.0.0\nsteps:\n"
	"  - talk: { await: { event: talked, timeout: 1h, then: compensate } }\n";

static void enter(void)
{
	mongo_database(database);
	snprintf(store, sizeof store, "mongo:%s", database);
	fleet_enter(kafka, store);
	fleet_start(2, 1);
}

static void leave(void)
{
	fleet_leave();
	mongo_drop(database);
}

static struct http_answer ask(int server, const char *body, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static struct http_answer ask(int server, const char *body, const char *format, ...)
{
	char path[128];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof path, format, args);
	va_end(args);
	return http_ask(fleet.servers[server].url, path, slice_of(body), &fleet_arena);
}

static bool has(struct http_answer answer, long status, const char *text)
{
	return answer.status == status && strstr(answer.text.at, text) != NULL;
}

static void check(struct http_answer answer, long status, const char *text)
{
	ck_assert_msg(has(answer, status, text), "%ld: %s", answer.status,
		      answer.status ? answer.text.at : "no answer");
}

static void sleep_step(void)
{
	const struct timespec step = {0, STEP_MS * 1000000L};

	nanosleep(&step, NULL);
}

/* Until the server knows so many orchestrators, which have all the shards. */
static void await_orchestrators(int server, int wanted)
{
	for (int ms = 0; ms < SAGAS_MS; ms += STEP_MS) {
		struct http_answer answer = ask(server, NULL, "/v1/stats");
		int n = 0, shards = 0;

		for (const char *at = answer.status == 200 ? answer.text.at : "";
		     (at = strstr(at, "\"shards\":")) != NULL; n++)
			shards += (int)strtol(at += strlen("\"shards\":"), NULL, 10);
		if (n == wanted && shards == FLEET_SHARDS)
			return;
		sleep_step();
	}
	ck_abort_msg("server %d does not know %d orchestrators", server, wanted);
}

/* Deployed at one, and begun by the other. */
static void start_talks(int first, int n)
{
	char body[128];

	for (int i = first; i < first + n; i++) {
		snprintf(body, sizeof body, "{\"saga\":\"talk\",\"id\":\"talk-%d\"}", i);
		check(ask(1, body, "/v1/sagas"), 201, "\"created\":true");
	}
}

START_TEST(test_either_answers_for_the_other)
{
	unsigned long forwarded;
	const char *figure;

	enter();
	await_orchestrators(0, 2);
	await_orchestrators(1, 2);
	check(ask(0, talk, "/v1/definitions"), 201, "\"untold\":[]");
	start_talks(0, SAGAS);
	for (int i = 0; i < SAGAS; i++) {
		const char *id = i % 2 ? "{}" : "{\"id\":\"once\"}";

		check(ask(i % 2, NULL, "/v1/sagas/talk-%d/explain", i), 200,
		      "\"for\":\"event\"");
		if (i % 3)
			check(ask(0, id, "/v1/sagas/talk-%d/signals/talked", i), 200,
			      "\"status\":\"completed\"");
		else
			check(ask(0, "{}", "/v1/sagas/talk-%d/cancel", i), 200,
			      "\"status\":\"compensated\"");
		check(ask(1, NULL, "/v1/sagas/talk-%d", i), 200,
		      i % 3 ? "\"status\":\"completed\"" : "\"status\":\"compensated\"");
	}
	ck_assert_ptr_nonnull(strstr(FLEET_ASK("stats").out.at, "asked here"));
	figure = strstr(ask(0, NULL, "/metrics").text.at, "\nskald_forwarded_total ");
	ck_assert_ptr_nonnull(figure);
	forwarded = strtoul(figure + strlen("\nskald_forwarded_total "), NULL, 10);
	ck_assert_uint_gt(forwarded, 0);
	leave();
}
END_TEST

/* Neither knows of the other's saga before it is stored. */
START_TEST(test_the_same_orders_at_both_at_once_are_one_saga_each)
{
	enum { ORDERS = 100 };
	struct background other;
	struct process_setup setup = {.argv = {fleet_program(), "start", "order",
					       "--input-lines", "orders", "--server"}};

	enter();
	await_orchestrators(0, 2);
	fleet_write_orders(0, ORDERS);
	setup.argv[6] = fleet.servers[1].url;
	background_start(&other, &setup, "other.log");
	FLEET_ASK("start", "order", "--input-lines", "orders");
	ck_assert_int_eq(background_wait(&other), 0);
	fleet_await(ORDERS);
	fleet_check_books(ORDERS);
	leave();
}
END_TEST

START_TEST(test_what_a_dead_one_had_is_soon_somebodys)
{
	int n_incomplete = 0;

	enter();
	await_orchestrators(0, 2);
	await_orchestrators(1, 2);
	check(ask(0, talk, "/v1/definitions"), 201, "\"untold\":[]");
	start_talks(0, SAGAS);
	fleet_kill_server(1);
	/* All can be shown at once, if not all of it. */
	for (int i = 0; i < SAGAS; i++) {
		struct http_answer answer = ask(0, NULL, "/v1/sagas/talk-%d", i);

		check(answer, 200, "\"status\":\"running\"");
		n_incomplete += strstr(answer.text.at, "\"incomplete\":") != NULL;
	}
	ck_assert_int_gt(n_incomplete, 0);
	ck_assert_int_lt(n_incomplete, SAGAS);
	for (int i = 0; i < SAGAS; i++) {
		struct http_answer answer = {0};

		for (int tries = 0; tries < 20 && answer.status != 200; tries++) {
			answer = ask(0, "{\"id\":\"once\"}", "/v1/sagas/talk-%d/signals/talked",
				     i);
		}
		check(answer, 200, "\"status\":\"completed\"");
	}
	await_orchestrators(0, 1);
	leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 180);
	tcase_add_test(tcase, test_either_answers_for_the_other);
	tcase_add_test(tcase, test_the_same_orders_at_both_at_once_are_one_saga_each);
	tcase_add_test(tcase, test_what_a_dead_one_had_is_soon_somebodys);
}

int main(int argc, char **argv)
{
	kafka = kafka_broker_find();
	if (!kafka || !mongo_find("mongo"))
		return EXIT_SUCCESS;
	return fleet_find(argv[0]) ? suite_run("forward", add) : EXIT_FAILURE;
}
