/* test_gateway_elements.c - what is shown of elements and of child sagas. */
#include "tests/lib/desk.h"
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>

static const char parcels[] =
	"saga: parcels\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - lines:\n"
	"      each:\n"
	"        in: =input.lines\n"
	"        as: line\n"
	"        max: 9\n"
	"        steps:\n"
	"          - pick: { call: desk.pick, with: { n: =line }, undo: { call: desk.put } }\n"
	"          - wrap: { kind: readonly, call: desk.wrap }\n"
	"  - send: { saga: sending }\n";
static const char sending[] = "saga: sending\nversion: 1.0.0\nsteps:\n"
			      "  - post: { call: desk.post, undo: { call: desk.fetch } }\n";

static void open_lobby(struct lobby *lobby, const char *input)
{
	enum err err;

	lobby_open(lobby);
	err = desk_deploy_text(lobby->engine, parcels);
	if (!err)
		err = desk_deploy_text(lobby->engine, sending);
	if (!err)
		err = desk_start(lobby->engine, "parcels", "p1", input, NULL);
	ck_assert_int_eq(err, OK);
	lobby_turn(lobby);
}

static bool shows(const struct lobby_answer *answer, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0; at + len <= answer->body.len; at++)
		if (!memcmp(answer->body.at + at, text, len))
			return true;
	return false;
}

static void must_show(struct lobby *lobby, const char *id, const char *text)
{
	struct lobby_answer answer = lobby_ask(lobby, "GET", id, NULL);

	ck_assert_int_eq(answer.status, 200);
	ck_assert_msg(shows(&answer, text), "no %s in %.*s", text, SLICE_ARG(answer.body));
}

/* The names of the steps, in the order in which they are shown. */
static const char *names_of(struct lobby *lobby, const char *path)
{
	static char names[512];
	struct lobby_answer answer = lobby_ask(lobby, "GET", path, NULL);
	struct bytes out = {.at = names, .capacity = sizeof names, .max = sizeof names};
	struct json saga, steps, name;
	struct json_each each;

	ck_assert_int_eq(json_parse(answer.body, SIZE_MAX / 2, &lobby->arena, &saga, NULL), OK);
	ck_assert(json_get(saga, SLICE_LITERAL("steps"), &steps));
	for (each = json_each(steps); json_next(&each);) {
		ck_assert(json_get(each.value, SLICE_LITERAL("name"), &name));
		bytes_append(&out, (struct slice){name.text.at + 1, name.text.len - 2});
		bytes_add(&out, ' ');
	}
	bytes_add(&out, '\0');
	ck_assert_int_eq(out.err, OK);
	return names;
}

START_TEST(test_steps_of_an_element_follow_those_of_the_one_before)
{
	struct lobby lobby;

	open_lobby(&lobby, "{\"lines\":[7,8,9]}");
	ck_assert_str_eq(names_of(&lobby, "/v1/sagas/p1"),
			 "lines pick#0 wrap#0 pick#1 wrap#1 pick#2 wrap#2 send ");
	must_show(&lobby, "/v1/sagas/p1", "{\"name\":\"pick#2\",\"element\":2,\"kind\":");
	must_show(&lobby, "/v1/sagas/p1", "\"text\":\"pick#1: do sent (attempt 1)\"");
	must_show(&lobby, "/v1/sagas/p1", "{\"name\":\"lines\",\"kind\":\"each\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_an_empty_list_shows_the_steps_that_were_not_needed)
{
	struct lobby lobby;

	open_lobby(&lobby, "{\"lines\":[]}");
	ck_assert_str_eq(names_of(&lobby, "/v1/sagas/p1"), "lines pick wrap send ");
	must_show(&lobby, "/v1/sagas/p1", "\"state\":\"skipped\",\"why\":\"no element\"");
	lobby_close(&lobby);
}
END_TEST

/* The child that `send` starts. */
static const char *child_of_p1(struct lobby *lobby)
{
	static char id[SAGA_ID_MAX + 1];
	char room[SAGA_ID_MAX];
	struct slice child = child_id(
		engine_definition(lobby->engine, SLICE_LITERAL("parcels"), (struct slice){0}),
		SLICE_LITERAL("p1"), (struct instance){3, 0}, 0, room);

	snprintf(id, sizeof id, "%.*s", SLICE_ARG(child));
	return id;
}

/* "%s" in it is the id; valid until the next one. */
static const char *text_of(const char *text_with, const char *id)
{
	static char text[512];
	const char *mark = strstr(text_with, "%s");

	snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - text_with), text_with, id,
		 mark + 2);
	return text;
}

START_TEST(test_parent_and_child_name_each_other)
{
	struct lobby lobby;
	const char *child;

	open_lobby(&lobby, "{\"lines\":[]}");
	child = child_of_p1(&lobby);
	must_show(&lobby, "/v1/sagas/p1",
		  text_of("\"command\":null,\"child_saga\":\"sending\",\"child\":\"%s\","
			  "\"state\":\"running\"",
			  child));
	must_show(&lobby, text_of("/v1/sagas/%s", child), "\"parent\":\"p1\"");
	lobby_close(&lobby);
}
END_TEST

/* --- explaining ------------------------------------------------------------------- */

START_TEST(test_elements_that_wait_alike_are_explained_together)
{
	struct lobby lobby;

	open_lobby(&lobby, "{\"lines\":[7,8,9]}");
	must_show(&lobby, "/v1/sagas/p1/explain",
		  "\"waits\":[{\"for\":\"answer\",\"step\":\"pick#0\",\"elements\":[0,1,2],");
	must_show(&lobby, "/v1/sagas/p1/explain",
		  "the answer of desk to the do of `pick` #0-#2, attempt 1 of 5");
	must_show(&lobby, "/v1/sagas/p1/explain",
		  "\"progress\":[{\"step\":\"lines\",\"elements\":3,\"settled\":0,\"parked\":0}"
		  "]");
	must_show(&lobby, "/v1/sagas/p1/explain",
		  "{\"operation\":\"skip\",\"step\":\"pick#0\",\"elements\":[0,1,2],"
		  "\"command\":\"skald skip p1 pick#0\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_parent_and_its_child_are_explained_by_each_other)
{
	struct lobby lobby;
	const char *child;

	open_lobby(&lobby, "{\"lines\":[]}");
	child = child_of_p1(&lobby);
	must_show(&lobby, "/v1/sagas/p1/explain",
		  "\"waits\":[{\"for\":\"child\",\"step\":\"send\"");
	must_show(&lobby, "/v1/sagas/p1/explain", text_of("\"child\":\"%s\"", child));
	must_show(&lobby, "/v1/sagas/p1/explain",
		  text_of("\"look\":\"skald explain %s\"", child));
	must_show(
		&lobby, "/v1/sagas/p1/explain",
		text_of("the end of its child saga %s (sending), for `send`, which is running",
			child));
	must_show(&lobby, text_of("/v1/sagas/%s/explain", child),
		  "\"parent\":\"p1\",\"parent_look\":\"skald explain p1\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_plan_holds_that_of_the_child_that_is_turned_back)
{
	struct lobby lobby;
	const char *child;

	open_lobby(&lobby, "{\"lines\":[]}");
	child = child_of_p1(&lobby);
	must_show(&lobby, "/v1/sagas/p1/undo-plan",
		  "{\"wave\":1,\"what\":\"undo\",\"step\":\"send\",\"element\":null,"
		  "\"participant\":null,\"command\":null,");
	must_show(&lobby, "/v1/sagas/p1/undo-plan",
		  text_of("\"child\":{\"id\":\"%s\",\"saga\":\"sending\"", child));
	must_show(&lobby, "/v1/sagas/p1/undo-plan",
		  "{\"wave\":2,\"what\":\"undo\",\"step\":\"post\",\"element\":null,"
		  "\"participant\":\"desk\",\"command\":\"fetch\"");
	lobby_close(&lobby);
}
END_TEST

/* What a killed child did nobody undoes, so that its parent parks. */
START_TEST(test_a_plan_says_that_it_parks_at_a_child_that_was_killed)
{
	struct lobby lobby;
	struct lobby_answer answer;

	open_lobby(&lobby, "{\"lines\":[]}");
	answer = lobby_ask(&lobby, "POST", text_of("/v1/sagas/%s/kill", child_of_p1(&lobby)),
			   "{\"reason\":\"lost\"}");
	ck_assert_int_eq(answer.status, 200);
	lobby_turn(&lobby);
	must_show(&lobby, "/v1/sagas/p1/explain", "was killed: what it did stands");
	must_show(&lobby, "/v1/sagas/p1/undo-plan", "\"parks\":true}\n");
	lobby_close(&lobby);
}
END_TEST

/* One element is named by its number; the name alone is not clear. */
START_TEST(test_an_operator_names_one_element)
{
	static const struct {
		const char *step;
		long status;
	} rows[] = {{"pick#2", 200}, {"pick", 404}, {"pick#3", 404}, {"pick#x", 404}};
	struct lobby lobby;

	open_lobby(&lobby, "{\"lines\":[7,8,9]}");
	for (int i = 0; i < ROWS(rows); i++) {
		struct bytes body = BYTES(100, NULL);
		struct lobby_answer answer;

		bytes_format(&body, "{\"step\":\"%s\"}", rows[i].step);
		bytes_add(&body, '\0');
		answer = lobby_ask(&lobby, "POST", "/v1/sagas/p1/skip", body.at);
		ck_assert_msg(answer.status == rows[i].status, "%s: %ld", rows[i].step,
			      answer.status);
		bytes_release(&body);
	}
	must_show(&lobby, "/v1/sagas/p1",
		  "{\"name\":\"pick#2\",\"element\":2,\"kind\":\"compensatable\","
		  "\"participant\":\"desk\",\"command\":\"pick\",\"state\":\"skipped\"");
	lobby_close(&lobby);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_steps_of_an_element_follow_those_of_the_one_before);
	tcase_add_test(tcase, test_an_empty_list_shows_the_steps_that_were_not_needed);
	tcase_add_test(tcase, test_parent_and_child_name_each_other);
	tcase_add_test(tcase, test_elements_that_wait_alike_are_explained_together);
	tcase_add_test(tcase, test_a_parent_and_its_child_are_explained_by_each_other);
	tcase_add_test(tcase, test_a_plan_holds_that_of_the_child_that_is_turned_back);
	tcase_add_test(tcase, test_a_plan_says_that_it_parks_at_a_child_that_was_killed);
	tcase_add_test(tcase, test_an_operator_names_one_element);
}

int main(void)
{
	return suite_run("gateway_elements", add);
}
