/* test_gateway_shared.c - two gateways before two engines that share a store: what the
 * engines know of the owners, the gateways act on. */
#include "tests/lib/desk.h"
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>

enum { SHARDS = 8, HALF = SHARDS / 2 };

static struct lobby lobbies[2];
static char ids[2][32]; /* of sagas of either */

/* An id whose shard is in that half. */
static void find_id(unsigned half, char id[32])
{
	for (unsigned i = 0;; i++) {
		snprintf(id, 32, "order-%u", i);
		if (shard_of(slice_of(id), SHARDS) / HALF == half)
			return;
	}
}

static void enter(void)
{
	lobby_open_shared(&lobbies[0], NULL);
	lobby_open_shared(&lobbies[1], lobbies[0].vault);
	lobbies[0].beside = &lobbies[1];
	lobbies[1].beside = &lobbies[0];
	for (unsigned i = 0; i < 2; i++) {
		lobby_own(&lobbies[i], SHARDS, i * HALF, HALF);
		find_id(i, ids[i]);
	}
}

static void leave(void)
{
	lobby_close(&lobbies[1]);
	lobby_close(&lobbies[0]);
}

static void pass(int64_t ms)
{
	clock_sim_advance(&lobbies[1].clock, ms);
	lobby_advance(&lobbies[0], ms);
}

/* What waits for an owner tries again as time passes. */
static struct lobby_answer ask(unsigned whom, const char *method, const char *path,
			       const char *body)
{
	const struct lobby_request request = {method, path, slice_of(body), {NULL}};
	struct visitor visitor;
	struct lobby_answer answer = {0};

	visitor_begin(&visitor, &lobbies[whom], &request);
	while (!visitor.done)
		lobby_pass(&lobbies[0], 20);
	answer.status = visitor.status;
	arena_copy(&lobbies[0].arena, bytes_slice(&visitor.body), &answer.body);
	visitor_end(&visitor);
	return answer;
}

static struct lobby_answer start(unsigned whom, const char *id)
{
	char body[256];

	snprintf(body, sizeof body,
		 "{\"saga\":\"visit\",\"id\":\"%s\",\"input\":{\"no\":\"%s\"}}", id, id);
	return ask(whom, "POST", "/v1/sagas", body);
}

static struct lobby_answer operate(unsigned whom, const char *id, const char *what)
{
	char path[128];

	snprintf(path, sizeof path, "/v1/sagas/%s/%s", id, what);
	return ask(whom, "POST", path, "{}");
}

static void check(struct lobby_answer answer, long wanted, const char *text)
{
	ck_assert_msg(answer.status == wanted && strstr(answer.body.at, text), "%ld: %s",
		      answer.status, answer.body.at);
}

START_TEST(test_either_starts_and_cancels_what_the_other_has)
{
	for (unsigned i = 0; i < 2; i++) {
		check(start(!i, ids[i]), 201, "\"created\":true");
		ck_assert_uint_eq(desk_live(lobbies[i].engine), 1);
		check(operate(!i, ids[i], "cancel"), 200, "compensating");
	}
}
END_TEST

START_TEST(test_all_are_listed_with_their_shards_and_since_when)
{
	char text[512];

	clock_sim_advance(&lobbies[1].clock, 90000);
	lobby_own(&lobbies[1], SHARDS, HALF - 1, HALF + 1);
	snprintf(text, sizeof text,
		 "\"orchestrators\":[{\"url\":\"%s\",\"shards\":3,"
		 "\"since\":\"2023-11-14T22:13:20.000Z\",\"here\":false},"
		 "{\"url\":\"%s\",\"shards\":5,"
		 "\"since\":\"2023-11-14T22:14:50.000Z\",\"here\":true}]",
		 lobbies[0].url, lobbies[1].url);
	check(ask(1, "GET", "/v1/stats", NULL), 200, text);
}
END_TEST

START_TEST(test_a_shard_that_went_over_is_found)
{
	check(start(0, ids[0]), 201, "");
	lobby_own(&lobbies[0], SHARDS, 0, 0);
	lobby_own(&lobbies[1], SHARDS, 0, SHARDS);
	check(operate(0, ids[0], "cancel"), 200, "compensating");
	ck_assert_uint_eq(desk_live(lobbies[0].engine), 0);
	ck_assert_uint_eq(desk_live(lobbies[1].engine), 1);
	/* It has none, and begins a saga nevertheless. */
	check(ask(0, "POST", "/v1/sagas", "{\"saga\":\"visit\",\"input\":{\"no\":\"x\"}}"), 201,
	      "\"created\":true");
	ck_assert_uint_eq(desk_live(lobbies[1].engine), 2);
}
END_TEST

/* The second one takes all of them, and the first one hears of it only by what it
 * tries to store. */
START_TEST(test_a_start_whose_shard_goes_while_it_waits_is_begun_there)
{
	struct lobby_answer answer;

	lobby_own(&lobbies[1], SHARDS, 0, SHARDS);
	answer = start(0, ids[0]);
	/* It may have been written in time. */
	ck_assert_msg(answer.status == 201 || answer.status == 200, "%s", answer.body.at);
	ck_assert_uint_eq(desk_live(lobbies[0].engine), 0);
	ck_assert_uint_eq(desk_live(lobbies[1].engine), 1);
}
END_TEST

START_TEST(test_a_batch_whose_shards_go_while_it_waits_is_begun_there)
{
	char body[512];
	struct lobby_answer answer;

	snprintf(body, sizeof body,
		 "{\"saga\":\"visit\",\"id\":\"%s\",\"input\":{\"no\":\"1\"}}\n"
		 "{\"saga\":\"visit\",\"id\":\"%s\",\"input\":{\"no\":\"2\"}}\n",
		 ids[0], ids[1]);
	lobby_own(&lobbies[1], SHARDS, 0, SHARDS);
	answer = ask(0, "POST", "/v1/sagas:batch", body);
	check(answer, 200, ids[0]);
	check(answer, 200, ids[1]);
	ck_assert_ptr_null(strstr(answer.body.at, "\"code\""));
	ck_assert_uint_eq(desk_live(lobbies[1].engine), 2);
}
END_TEST

/* Whoever was sent here by another one is sent nowhere, and hears so. */
START_TEST(test_a_batch_that_can_go_nowhere_ends)
{
	char body[256];
	struct lobby_request batch = {
		"POST", "/v1/sagas:batch", {body, 0}, {"Skald-Forwarded: 1"}};
	struct visitor visitor;

	batch.body.len = (size_t)snprintf(
		body, sizeof body,
		"{\"saga\":\"visit\",\"id\":\"%s\",\"input\":{\"no\":\"1\"}}\n", ids[0]);
	lobby_own(&lobbies[1], SHARDS, 0, SHARDS);
	visitor_begin(&visitor, &lobbies[0], &batch);
	visitor_finish(&visitor);
	ck_assert_int_eq(visitor.status, 200);
	ck_assert(visitor_has(&visitor, "{\"line\":1,\"code\":\"busy\""));
	visitor_end(&visitor);
}
END_TEST

/* Nobody knows whether the other one saw it: whoever asked decides. */
START_TEST(test_an_operation_whose_shard_goes_while_it_waits_is_not_made_twice)
{
	struct lobby_answer answer;

	check(start(0, ids[0]), 201, "");
	lobby_own(&lobbies[1], SHARDS, 0, SHARDS);
	answer = operate(0, ids[0], "cancel");
	check(answer, 503, "\"code\":\"moved\"");
	check(operate(0, ids[0], "cancel"), 200, "compensating");
}
END_TEST

START_TEST(test_the_same_key_at_both_at_once_is_one_saga)
{
	static const char body[] = "{\"saga\":\"visit\",\"input\":{\"no\":\"1\"}}";
	const struct lobby_request request = {
		"POST", "/v1/sagas", {body, sizeof body - 1}, {NULL}};
	struct visitor visitors[2];

	for (size_t i = 0; i < 2; i++)
		visitor_begin(&visitors[i], &lobbies[i], &request);
	for (size_t i = 0; i < 2; i++)
		visitor_finish(&visitors[i]);
	ck_assert_int_eq(visitors[0].status + visitors[1].status, 201 + 200);
	for (size_t i = 0; i < 2; i++)
		visitor_end(&visitors[i]);
	ck_assert_uint_eq(desk_live(lobbies[0].engine) + desk_live(lobbies[1].engine), 1);
}
END_TEST

/* Its orchestrator was not told, as by one that died before it could. */
START_TEST(test_a_definition_that_nobody_told_of_is_found)
{
	enum err err = desk_deploy_text(lobbies[0].engine,
					"saga: other\nversion: 1.0.0\nsteps:\n"
					"  - book: { call: desk.book, undo: { call: "
					"desk.unbook } }\n");
	char path[64];

	ck_assert(!err);
	pass(1000);
	check(ask(1, "GET", "/v1/definitions", NULL), 200,
	      "\"newest\":true,\"deployed_at\":\"2023-11-14T22:13:20.000Z\",\"steps\":1");
	check(ask(1, "POST", "/v1/sagas", "{\"saga\":\"other\",\"key\":\"k\"}"), 201, "");
	err = desk_deploy_text(lobbies[0].engine,
			       "saga: third\nversion: 1.0.0\nsteps:\n"
			       "  - book: { call: desk.book, undo: { call: desk.unbook } }\n");
	ck_assert(!err);
	err = desk_start(lobbies[0].engine, "third", ids[0], "{}", NULL);
	ck_assert(!err);
	pass(1000);
	/* What the store has of it is told with the names of its steps. */
	lobby_own(&lobbies[0], SHARDS, 0, 0);
	snprintf(path, sizeof path, "/v1/sagas/%s", ids[0]);
	check(ask(1, "GET", path, NULL), 200, "\"name\":\"book\"");
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, test_either_starts_and_cancels_what_the_other_has);
	tcase_add_test(tests, test_all_are_listed_with_their_shards_and_since_when);
	tcase_add_test(tests, test_a_shard_that_went_over_is_found);
	tcase_add_test(tests, test_a_start_whose_shard_goes_while_it_waits_is_begun_there);
	tcase_add_test(tests, test_a_batch_whose_shards_go_while_it_waits_is_begun_there);
	tcase_add_test(tests, test_a_batch_that_can_go_nowhere_ends);
	tcase_add_test(tests,
		       test_an_operation_whose_shard_goes_while_it_waits_is_not_made_twice);
	tcase_add_test(tests, test_the_same_key_at_both_at_once_is_one_saga);
	tcase_add_test(tests, test_a_definition_that_nobody_told_of_is_found);
}

int main(void)
{
	return suite_run("gateway-shared", add);
}
