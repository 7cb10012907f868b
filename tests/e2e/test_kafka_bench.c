/* test_kafka_bench.c - skald bench over Kafka, and the floor that it is held against: both
 * end with exact books, and leave nothing behind, neither files nor topics. */
#include "tests/e2e/bench_run.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { ADMIN_MS = 15000 };

static char floor_kafka[4096];
static const char *brokers; /* HOST:PORT; NULL: there is none */
static char place[160];
static const struct bench_engine kafka = {"--bus", "kafka", "SKALD_BUS", place};

static void enter(void)
{
	snprintf(place, sizeof place, "kafka:%s", brokers);
	bench_enter();
}

/* Topics of the broker whose names begin so. */
static int count_topics(const char *prefix)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *metadata = NULL;
	char why[256];
	rd_kafka_t *rk;
	int n = 0;

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert(rk && !rd_kafka_metadata(rk, 1, NULL, &metadata, ADMIN_MS));
	for (int i = 0; i < metadata->topic_cnt; i++)
		n += strncmp(metadata->topics[i].topic, prefix, strlen(prefix)) == 0;
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_destroy(rk);
	return n;
}

static void leave(void)
{
	ck_assert_int_eq(count_topics("skald-bench-"), 0);
	ck_assert_int_eq(count_topics("floor-"), 0);
	bench_leave();
}

static const struct bench_row rows[] = {
	{"all complete", {"--sagas", "500", "--inflight", "100"}, true, 500, false},
	{"some are declined", {"--sagas", "300", "--decline", "30%"}, true, 300, true},
	{"one at a time", {"--sagas", "20", "--inflight", "1"}, true, 20, false},
	{"a broker that the environment names", {"--sagas", "20"}, false, 20, false},
};

START_TEST(test_bench)
{
	enter();
	bench_check_row(&kafka, &rows[_i]);
	leave();
}
END_TEST

START_TEST(test_nobody_answers)
{
	const struct process_setup setup = {
		.argv = {bench_program(), "bench", "--bus", "kafka:127.0.0.1:1"},
		.env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	result = process_run(&setup, &bench_arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "see whether the brokers run") != NULL, "%s",
		      result.errs.at);
	leave();
}
END_TEST

START_TEST(test_no_broker_is_known)
{
	struct process_result result;

	enter();
	result = bench_elsewhere(&kafka);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "which broker? write --bus kafka:HOST:PORT") !=
			      NULL,
		      "%s", result.errs.at);
	leave();
}
END_TEST

START_TEST(test_a_broker_is_started)
{
	enter();
	bench_check_in_tree(&kafka);
	leave();
}
END_TEST

START_TEST(test_floor)
{
	static const char *const inflight[] = {"1", "300"};
	const struct process_setup setup = {.argv = {floor_kafka, "--kafka", brokers, "--json",
						     "--sagas", "200", "--inflight",
						     inflight[_i]}};
	struct process_result result;
	struct json figures;

	enter();
	result = process_run(&setup, &bench_arena);
	figures = bench_figures(&result);
	ck_assert_int_eq(bench_figure(figures, "sagas"), 200);
	ck_assert_int_gt(bench_figure(figures, "sagas_per_s"), 0);
	ck_assert(bench_figure(figures, "p99_ms") >= bench_figure(figures, "p50_ms"));
	leave();
}
END_TEST

static const struct wrong {
	const char *name;
	const char *args[4];
	int exit_code;
	const char *errs;
} wrongs[] = {
	{"no broker", {"--json"}, 2, "which broker? give --kafka HOST:PORT"},
	{"no port", {"--kafka", "here"}, 1, "names no broker"},
	{"nobody there", {"--kafka", "127.0.0.1:1"}, 1, "floor_kafka: "},
	{"none in flight", {"--inflight", "0"}, 2, "--inflight"},
};

START_TEST(test_floor_that_is_asked_wrongly)
{
	const struct wrong *wrong = &wrongs[_i];
	struct process_setup setup = {.argv = {floor_kafka}};
	struct process_result result;

	for (size_t i = 0; wrong->args[i]; i++)
		setup.argv[1 + i] = wrong->args[i];
	result = process_run(&setup, &bench_arena);
	ck_assert_msg(result.exit_code == wrong->exit_code, "%s: exit %d: %s", wrong->name,
		      result.exit_code, result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrong->errs) != NULL, "%s: %s", wrong->name,
		      result.errs.at);
	arena_release(&bench_arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_bench, 0, ROWS(rows));
	tcase_add_test(tcase, test_nobody_answers);
	tcase_add_test(tcase, test_no_broker_is_known);
	if (!getenv("SKALD_TEST_KAFKA")) /* or there may be nothing to start one with */
		tcase_add_test(tcase, test_a_broker_is_started);
	tcase_add_loop_test(tcase, test_floor, 0, 2);
	tcase_add_loop_test(tcase, test_floor_that_is_asked_wrongly, 0, ROWS(wrongs));
}

int main(int argc, char **argv)
{
	bench_find(argv[0]);
	process_find(argv[0], "bench/floor_kafka", floor_kafka, sizeof floor_kafka);
	brokers = kafka_broker_find();
	return brokers ? suite_run("kafka_bench", add) : EXIT_SUCCESS;
}
