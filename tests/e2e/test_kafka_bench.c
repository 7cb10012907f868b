/* test_kafka_bench.c - skald bench over Kafka, and the floor that it is held against: both
 * end with exact books, and leave nothing behind, neither files nor topics. */
#include "base/json.h"
#include "tests/lib/folder.h"
#include "tests/lib/kafka_broker.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ADMIN_MS = 15000, N_PROGRAMS = 3 };

static const char *const programs[N_PROGRAMS] = {"skald", "skald-inventory", "skald-payment"};
static char paths[N_PROGRAMS][4096], floor_kafka[4096];
static const char *kafka; /* HOST:PORT; NULL: there is none */
static char bus[160], variable[192];
static struct arena arena;

static void enter(void)
{
	folder_enter();
	snprintf(bus, sizeof bus, "kafka:%s", kafka);
	snprintf(variable, sizeof variable, "SKALD_BUS=%s", bus);
	ck_assert_int_eq(mkdir("tmp", 0700), 0);
}

/* Topics of the broker whose names begin so. */
static int count_topics(const char *prefix)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *metadata = NULL;
	char why[256];
	rd_kafka_t *rk;
	int n = 0;

	rd_kafka_conf_set(conf, "bootstrap.servers", kafka, why, sizeof why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	ck_assert(rk && !rd_kafka_metadata(rk, 1, NULL, &metadata, ADMIN_MS));
	for (int i = 0; i < metadata->topic_cnt; i++)
		n += strncmp(metadata->topics[i].topic, prefix, strlen(prefix)) == 0;
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_destroy(rk);
	return n;
}

/* Nothing stays where the temporary folder was: it can be removed. */
static void leave(void)
{
	ck_assert_msg(rmdir("tmp") == 0, "something was left behind: %s", strerror(errno));
	ck_assert_int_eq(count_topics("skald-bench-"), 0);
	ck_assert_int_eq(count_topics("floor-"), 0);
	folder_leave();
	arena_release(&arena);
}

static struct json figures_of(const struct process_result *result)
{
	struct json figures = {{0}};

	ck_assert_msg(result->exit_code == 0, "exit %d: %s", result->exit_code,
		      result->errs.at);
	ck_assert_int_eq(json_parse(result->out, 65536, &arena, &figures, NULL), OK);
	return figures;
}

static int64_t number(struct json figures, const char *name)
{
	struct json value;

	ck_assert_msg(json_get(figures, slice_of(name), &value), "no %s", name);
	return strtoll(value.text.at, NULL, 10);
}

static const struct row {
	const char *name;
	const char *args[8]; /* --bus comes with them */
	bool address;        /* in the flag; else in SKALD_BUS */
	int64_t sagas;
	bool compensated; /* some are */
} rows[] = {
	{"all complete", {"--sagas", "500", "--inflight", "100"}, true, 500, false},
	{"some are declined", {"--sagas", "300", "--decline", "30%"}, true, 300, true},
	{"one at a time", {"--sagas", "20", "--inflight", "1"}, true, 20, false},
	{"a broker that the environment names", {"--sagas", "20"}, false, 20, false},
};

START_TEST(test_bench)
{
	const struct row *row = &rows[_i];
	struct process_setup setup = {.argv = {paths[0], "bench", "--json", "--bus"},
				      .env = {"TMPDIR=tmp", variable}};
	struct process_result result;
	struct json figures, books;

	enter();
	setup.argv[4] = row->address ? bus : "kafka";
	for (size_t i = 0; row->args[i]; i++)
		setup.argv[5 + i] = row->args[i];
	result = process_run(&setup, &arena);
	figures = figures_of(&result);
	ck_assert_int_eq(number(figures, "sagas"), row->sagas);
	ck_assert_int_eq(number(figures, "completed") + number(figures, "compensated"),
			 row->sagas);
	ck_assert((number(figures, "compensated") > 0) == row->compensated);
	ck_assert_int_eq(number(figures, "events"), 4 * row->sagas);
	ck_assert_int_eq(number(figures, "lost"), 0);
	ck_assert(json_get(figures, SLICE_LITERAL("books"), &books));
	ck_assert_msg(slice_is(books.text, "\"agree\""), "%.*s", SLICE_ARG(books.text));
	leave();
}
END_TEST

START_TEST(test_nobody_answers)
{
	const struct process_setup setup = {
		.argv = {paths[0], "bench", "--bus", "kafka:127.0.0.1:1"},
		.env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "see whether the brokers run") != NULL, "%s",
		      result.errs.at);
	leave();
}
END_TEST

/* Programs that lie elsewhere, as those that were installed do. */
START_TEST(test_no_broker_is_known)
{
	char path[sizeof paths[0] + 16];
	struct process_setup setup = {.argv = {path, "bench", "--bus", "kafka"},
				      .env = {"TMPDIR=tmp"}};
	struct process_result result;

	enter();
	for (int i = 0; i < N_PROGRAMS; i++) {
		const struct process_setup copy = {.argv = {"/bin/cp", paths[i], programs[i]}};

		ck_assert_int_eq(process_run(&copy, &arena).exit_code, 0);
	}
	ck_assert(getcwd(path, sizeof paths[0]) != NULL);
	memcpy(path + strlen(path), "/skald", sizeof "/skald");
	result = process_run(&setup, &arena);
	ck_assert_int_eq(result.exit_code, 1);
	ck_assert_msg(strstr(result.errs.at, "which broker? write --bus kafka:HOST:PORT") !=
			      NULL,
		      "%s", result.errs.at);
	leave();
}
END_TEST

/* In the tree of the source. */
START_TEST(test_a_broker_is_started)
{
	const char *home = getenv("HOME"), *engines = getenv("SKALD_ENGINES");
	char where[4096], cache[4096];
	const struct process_setup setup = {
		.argv = {paths[0], "bench", "--bus", "kafka", "--sagas", "20", "--json"},
		.env = {"TMPDIR=tmp", where, engines ? cache : NULL}};
	struct process_result result;

	enter();
	snprintf(where, sizeof where, "HOME=%s", home ? home : "/");
	snprintf(cache, sizeof cache, "SKALD_ENGINES=%s", engines ? engines : "");
	result = process_run(&setup, &arena);
	ck_assert_int_eq(number(figures_of(&result), "completed"), 20);
	leave();
}
END_TEST

START_TEST(test_floor)
{
	static const char *const inflight[] = {"1", "300"};
	const struct process_setup setup = {.argv = {floor_kafka, "--kafka", kafka, "--json",
						     "--sagas", "200", "--inflight",
						     inflight[_i]}};
	struct process_result result;
	struct json figures;

	enter();
	result = process_run(&setup, &arena);
	figures = figures_of(&result);
	ck_assert_int_eq(number(figures, "sagas"), 200);
	ck_assert_int_gt(number(figures, "sagas_per_s"), 0);
	ck_assert(number(figures, "p99_ms") >= number(figures, "p50_ms"));
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
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == wrong->exit_code, "%s: exit %d: %s", wrong->name,
		      result.exit_code, result.errs.at);
	ck_assert_msg(strstr(result.errs.at, wrong->errs) != NULL, "%s: %s", wrong->name,
		      result.errs.at);
	arena_release(&arena);
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
	for (int i = 0; i < N_PROGRAMS; i++)
		process_find(argv[0], programs[i], paths[i], sizeof paths[i]);
	process_find(argv[0], "bench/floor_kafka", floor_kafka, sizeof floor_kafka);
	kafka = kafka_broker_find();
	return kafka ? suite_run("kafka_bench", add) : EXIT_SUCCESS;
}
