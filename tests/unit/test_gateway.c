/* test_gateway.c - the HTTP side as its clients see it: real requests to a real
 * engine, all in one process. Starting is in test_gateway_start.c, streams are in
 * test_gateway_watch.c. */
#include "base/json.h"
#include "tests/lib/lobby.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define HAS(answer, text)                                                                 \
	ck_assert_msg(strstr((answer).body.at, text) != NULL, "no `%s` in %ld: %s", text, \
		      (answer).status, (answer).body.at)

/* --- one request after the other -------------------------------------------------- */

#define INPUT "\"input\":{\"no\":\"9\"}"

/* The world has order-1, which waits at the desk, and done-1, which is completed. */
static const struct row {
	const char *name;
	const char *method;
	const char *path;
	const char *body;
	long status;
	const char *has;
	const char *never;
} rows[] = {
	/* starting */
	{"a start is answered with the whole answer", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"id\":\"v9\"," INPUT "}", 201,
	 "{\"id\":\"v9\",\"saga\":\"visit\",\"version\":\"1.0.0\",\"key\":\"9\","
	 "\"status\":\"running\",\"created\":true}\n",
	 NULL},
	{"an id is made where none is given", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\"," INPUT "}", 201, "\"id\":\"", "\"id\":\"\""},
	{"a version may be given", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"version\":\"1.0.0\"," INPUT "}", 201, "\"created\":true", NULL},
	{"a key may be given", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"key\":\"mine\"," INPUT "}", 201, "\"key\":\"mine\"", NULL},
	{"null is as good as nothing", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"id\":null,\"key\":null," INPUT "}", 201, "\"key\":\"9\"", NULL},
	{"an unknown saga is not found", "POST", "/v1/sagas", "{\"saga\":\"visti\"}", 404,
	 "\"code\":\"unknown-definition\"", NULL},
	{"an unknown version is not found", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"version\":\"2.0.0\"," INPUT "}", 404,
	 "\"code\":\"unknown-definition\"", NULL},
	{"an input that the schema does not allow is refused with its place", "POST",
	 "/v1/sagas", "{\"saga\":\"visit\",\"input\":{\"no\":7}}", 400,
	 "\"code\":\"bad-input\"", NULL},
	{"an input that is missing counts as {}", "POST", "/v1/sagas", "{\"saga\":\"visit\"}",
	 400, "\"code\":\"bad-input\"", NULL},
	{"a bad id is refused", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"id\":\"a/b\"," INPUT "}", 400, "\"code\":\"bad-id\"", NULL},
	{"the same id with another input is a conflict", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"id\":\"order-1\"," INPUT "}", 409, "\"code\":\"key-taken\"",
	 NULL},
	{"JSON that is none has line and column", "POST", "/v1/sagas", "{\"saga\":\n  visit}",
	 400, "the body is no JSON: 2:3: ", NULL},
	{"a body that is no object", "POST", "/v1/sagas", "[]", 400,
	 "this has to be an object, not a list", NULL},
	{"a member that is missing", "POST", "/v1/sagas", "", 400, "`saga` is missing", NULL},
	{"a member of the wrong type", "POST", "/v1/sagas", "{\"saga\":1}", 400,
	 "`saga` has to be a text, not a number", NULL},
	{"an unknown member, and the one that was meant", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"inptu\":{}}", 400,
	 "unknown member `inptu`; did you mean `input`?", NULL},
	{"an unknown member that is like none", "POST", "/v1/sagas",
	 "{\"saga\":\"visit\",\"frobnicate\":{}}", 400,
	 "unknown member `frobnicate`; leave it out", NULL},

	/* looking */
	{"a saga that is not there", "GET", "/v1/sagas/nobody", NULL, 404,
	 "{\"code\":\"unknown-saga\",\"title\":\"Not Found\",\"detail\":\"there is no saga "
	 "`nobody`; those that ended are removed after a while\",\"status\":404}\n",
	 NULL},
	{"an id that cannot be one", "GET", "/v1/sagas/no%20body", NULL, 404, "unknown-saga",
	 NULL},
	{"a list by name", "GET", "/v1/sagas?saga=visit", NULL, 200, "\"id\":\"order-1\"",
	 NULL},
	{"a list by another name", "GET", "/v1/sagas?saga=other", NULL, 200,
	 "{\"sagas\":[],\"next\":null}\n", NULL},
	{"a list by status", "GET", "/v1/sagas?status=completed", NULL, 200,
	 "\"id\":\"done-1\"", "order-1"},
	{"a list by several", "GET", "/v1/sagas?status=completed,running", NULL, 200,
	 "\"id\":\"order-1\"", NULL},
	{"a list by key", "GET", "/v1/sagas?key=no%201", NULL, 200, "\"id\":\"order-1\"",
	 "done-1"},
	{"a list by step", "GET", "/v1/sagas?step=book", NULL, 200, "\"id\":\"order-1\"",
	 "done-1"},
	{"a list since some time ago", "GET", "/v1/sagas?since=1h", NULL, 200, "order-1", NULL},
	{"a list of older ones", "GET", "/v1/sagas?older=1h", NULL, 200, "\"sagas\":[]", NULL},
	{"a list since a time", "GET", "/v1/sagas?since=2030-01-01T00:00:00Z", NULL, 200,
	 "\"sagas\":[]", NULL},
	{"a list up to a time", "GET", "/v1/sagas?older=2030-01-01T00:00:00Z", NULL, 200,
	 "order-1", NULL},
	{"a time that is none", "GET", "/v1/sagas?since=yesterday", NULL, 400,
	 "since=yesterday is neither a time span", NULL},
	{"a status that is none, and the one that was meant", "GET",
	 "/v1/sagas?status=complete", NULL, 400,
	 "there is no status `complete` (did you mean `completed`?)", NULL},
	{"a limit that is none", "GET", "/v1/sagas?limit=ten", NULL, 400, "from 1 to 1000",
	 NULL},
	{"a limit that is too small", "GET", "/v1/sagas?limit=0", NULL, 400, "from 1 to 1000",
	 NULL},
	{"a limit that is too large", "GET", "/v1/sagas?limit=1001", NULL, 400,
	 "from 1 to 1000", NULL},
	{"a limit that no number holds", "GET",
	 "/v1/sagas?limit=99999999999999999999999999999999", NULL, 400, "from 1 to 1000", NULL},
	{"a cursor that is none", "GET", "/v1/sagas?cursor=%2F", NULL, 400, "no cursor", NULL},
	{"a cursor whose saga is gone", "GET", "/v1/sagas?cursor=nobody", NULL, 410,
	 "\"code\":\"cursor-gone\"", NULL},
	{"an unknown parameter, and the one that was meant", "GET", "/v1/sagas?stauts=parked",
	 NULL, 400, "unknown parameter `stauts`; did you mean `status`?", NULL},
	{"a parameter where there are none", "GET", "/v1/stats?x=1", NULL, 400,
	 "unknown parameter `x`; leave it out", NULL},

	/* explaining */
	{"what a saga waits for", "GET", "/v1/sagas/order-1/explain", NULL, 200,
	 "\"waits\":[{\"for\":\"answer\",\"step\":\"book\",\"elements\":null,\"child\":null,"
	 "\"look\":null,\"participant\":\"desk\","
	 "\"command\":\"book\",\"connected\":1,\"verb\":\"do\",\"attempt\":1,"
	 "\"attempts_max\":5,\"held\":null,\"event\":null,\"since\":\"2023-11-14T22:13:20."
	 "000Z\","
	 "\"until\":\"2023-11-14T22:13:25.000Z\",\"text\":\"the answer of desk to the do of "
	 "`book`, attempt 1 of 5; 1 command waits for room at desk\",\"next\":\"`talk`\"}]",
	 "4111"},
	{"what happens if nothing comes", "GET", "/v1/sagas/order-1/explain", NULL, 200,
	 "\"silence\":[{\"at\":\"2023-11-14T22:13:25.000Z\",\"text\":\"book: do got no answer "
	 "in time (attempt 1)\"},",
	 NULL},
	{"attempts are counted, and the end is told", "GET", "/v1/sagas/order-1/explain", NULL,
	 200, "\"text\":\"... 6 more attempts and timeouts\"},{\"at\":\"", NULL},
	{"what can be done", "GET", "/v1/sagas/order-1/explain", NULL, 200,
	 "\"actions\":[{\"operation\":\"skip\",\"step\":\"book\",\"elements\":null,\"command\":"
	 "\"skald skip "
	 "order-1 book\",\"text\":\"",
	 "skald retry"},
	{"a kill to be pasted has a reason", "GET", "/v1/sagas/order-1/explain", NULL, 200,
	 "{\"operation\":\"kill\",\"step\":null,\"elements\":null,\"command\":\"skald kill "
	 "order-1 --reason 'say "
	 "why'\",",
	 NULL},
	{"a saga that has ended waits for nothing", "GET", "/v1/sagas/done-1/explain", NULL,
	 200,
	 "\"waits\":[],\"progress\":[],\"silence\":[],\"actions\":[],\"no_cancel\":\"the saga "
	 "passed its pivot",
	 NULL},
	{"an explanation of nothing", "GET", "/v1/sagas/nobody/explain", NULL, 404,
	 "unknown-saga", NULL},
	{"a plan of undos", "GET", "/v1/sagas/order-1/undo-plan", NULL, 200,
	 "\"operation\":\"cancel\",\"refused\":null,\"turning\":false,\"plan\":"
	 "["
	 "{\"wave\":1,\"what\":\"answer\",\"step\":\"book\",\"element\":null,\"participant\":"
	 "\"desk\","
	 "\"command\":\"book\",\"round\":0,\"sent\":true,\"args\":null,\"args_open\":false,"
	 "\"child\":null},"
	 "{\"wave\":2,\"what\":\"undo\",\"step\":\"book\",\"element\":null,\"participant\":"
	 "\"desk\","
	 "\"command\":\"unbook\",\"round\":0,\"sent\":false,\"args\":{\"no\":\"no 1\"},"
	 "\"args_open\":false,\"child\":null}],\"left\":[{\"step\":\"talk\",\"element\":null,"
	 "\"why\":\"it was not started\"},",
	 NULL},
	{"a plan where there is no way back", "GET", "/v1/sagas/done-1/undo-plan", NULL, 200,
	 "\"operation\":\"undo\",\"refused\":\"the saga passed its pivot", NULL},
	{"a plan with the reason of the cancel", "GET",
	 "/v1/sagas/order-1/undo-plan?reason=no%20more", NULL, 200, "\"plan\":[{", NULL},
	{"a plan for nothing", "GET", "/v1/sagas/nobody/undo-plan", NULL, 404, "unknown-saga",
	 NULL},

	/* operating */
	{"a cancel of what is there", "POST", "/v1/sagas/order-1/cancel",
	 "{\"reason\":\"no more\"}", 200,
	 "{\"id\":\"order-1\",\"saga\":\"visit\",\"version\":\"1.0.0\",\"key\":\"no 1\","
	 "\"status\":\"compensating\"}\n",
	 NULL},
	{"a cancel without a body", "POST", "/v1/sagas/order-1/cancel", "", 200,
	 "\"status\":\"compensating\"", NULL},
	{"a cancel of what ended is refused", "POST", "/v1/sagas/done-1/cancel", "", 409,
	 "\"code\":\"refused\"", NULL},
	{"a cancel of nothing", "POST", "/v1/sagas/nobody/cancel", "", 404, "unknown-saga",
	 NULL},
	{"an undo past the pivot is refused", "POST", "/v1/sagas/done-1/undo", "", 409,
	 "\"code\":\"refused\"", NULL},
	{"a pause", "POST", "/v1/sagas/order-1/pause", "", 200, "\"status\":\"running\"", NULL},
	{"a resume of what is not paused changes nothing", "POST", "/v1/sagas/order-1/resume",
	 "", 200, "\"status\":\"running\"", NULL},
	{"a retry of a step that there is not", "POST", "/v1/sagas/order-1/retry",
	 "{\"step\":\"boko\"}", 404, "\"code\":\"unknown-step\"", NULL},
	{"a skip without its step", "POST", "/v1/sagas/order-1/skip", "{}", 400,
	 "skip needs the `step`", NULL},
	{"a skip of what is not parked is refused", "POST", "/v1/sagas/order-1/skip",
	 "{\"step\":\"pay\"}", 409, "\"code\":\"refused\"", NULL},
	{"a cancel of a step", "POST", "/v1/sagas/order-1/cancel", "{\"step\":\"book\"}", 400,
	 "cancel takes no `step`", NULL},
	{"a retry with an output", "POST", "/v1/sagas/order-1/retry",
	 "{\"step\":\"book\",\"output\":{}}", 400, "retry takes no `output`", NULL},
	{"a kill without a reason", "POST", "/v1/sagas/order-1/kill", "{}", 400,
	 "kill needs a `reason`", NULL},
	{"a kill with one", "POST", "/v1/sagas/order-1/kill", "{\"reason\":\"lost\"}", 200,
	 "\"status\":\"killed\"", NULL},
	{"a signal", "POST", "/v1/sagas/order-1/signals/talked",
	 "{\"id\":\"s1\",\"payload\":{\"who\":\"ann\"}}", 200, "\"status\":\"running\"", NULL},
	{"a signal without a body", "POST", "/v1/sagas/order-1/signals/talked", "", 200,
	 "\"status\":\"running\"", NULL},
	{"a signal that cannot have a name like this", "POST",
	 "/v1/sagas/order-1/signals/Talked", "", 400, "\"code\":\"bad-event\"", NULL},
	{"a signal for nobody", "POST", "/v1/sagas/nobody/signals/talked", "", 404,
	 "unknown-saga", NULL},

	/* definitions */
	{"the definitions", "GET", "/v1/definitions", NULL, 200,
	 "{\"definitions\":[{\"saga\":\"visit\",\"version\":\"1.0.0\",\"hash\":\"", NULL},
	{"more about each", "GET", "/v1/definitions", NULL, 200,
	 "\"newest\":true,\"deployed_at\":\"2023-11-14T22:13:20.000Z\",\"steps\":4,"
	 "\"description\":\"Somebody comes, talks and pays.\"}",
	 NULL},
	{"a definition that is there already", "POST", "/v1/definitions", lobby_definition, 200,
	 "\"newest\":true,\"created\":false}", NULL},
	{"a new definition", "POST", "/v1/definitions",
	 "saga: least\nversion: 1.0.0\nsteps: [ { a: { kind: readonly, call: a.b } } ]\n", 201,
	 "\"created\":true", NULL},
	{"a definition that changed without a new version", "POST", "/v1/definitions",
	 "saga: visit\nversion: 1.0.0\nsteps: [ { a: { kind: readonly, call: a.b } } ]\n", 409,
	 "\"code\":\"version-taken\"", NULL},
	{"all mistakes of a definition", "POST", "/v1/definitions",
	 "saga: visit\nversion: 1.0.0\nsteps: [ { a: { kind: readonly, cal: a.b } } ]\nkye: "
	 "1\n",
	 422, "\"code\":\"bad-definition\",\"title\":\"Unprocessable Content\",\"detail\":\"",
	 NULL},
	{"each with its place", "POST", "/v1/definitions",
	 "saga: visit\nversion: 1.0.0\nsteps: [ { a: { kind: readonly, cal: a.b } } ]\nkye: "
	 "1\n",
	 422, "\"line\":4,\"column\":1,\"severity\":\"error\",\"code\":\"unknown-key\"", NULL},
	{"a definition that is no text", "POST", "/v1/definitions", "\xff\xfe", 422,
	 "bad-definition", NULL},
	{"a hash that there is not", "GET",
	 "/v1/definitions/0000000000000000000000000000000000000000000000000000000000000000",
	 NULL, 404, "\"code\":\"unknown-definition\"", NULL},
	{"a hash that is none", "GET", "/v1/definitions/visit", NULL, 404,
	 "\"code\":\"unknown-definition\"", NULL},

	/* the server */
	{"the counts", "GET", "/v1/stats", NULL, 200,
	 "{\"sagas\":{\"running\":1,\"compensating\":0,\"completed\":1,\"compensated\":0,"
	 "\"parked\":0,\"killed\":0},\"participants\":{\"desk\":{\"connected\":1,",
	 NULL},
	{"the counts of the engine", "GET", "/v1/stats", NULL, 200,
	 "\"engine\":{\"live\":1,\"started\":2,", NULL},
	{"health", "GET", "/healthz", NULL, 200, "{\"status\":\"ok\"}\n", NULL},
	{"readiness", "GET", "/readyz", NULL, 200, "{\"status\":\"ready\"}\n", NULL},
	{"metrics by status", "GET", "/metrics", NULL, 200,
	 "# TYPE skald_sagas gauge\nskald_sagas{status=\"running\"} 1\n", NULL},
	{"metrics of participants", "GET", "/metrics", NULL, 200,
	 "\nskald_participant_inflight{participant=\"desk\"} ", NULL},
	{"metrics of the engine", "GET", "/metrics", NULL, 200, "\nskald_starts_total 2\n",
	 NULL},
	{"metrics of ends", "GET", "/metrics", NULL, 200,
	 "\nskald_ends_total{status=\"completed\"} 1\n",
	 "skald_ends_total{status=\"running\"}"},
	{"metrics of requests", "GET", "/metrics", NULL, 200,
	 "\nskald_http_answers_total{class=\"2xx\"} ", NULL},
	{"the description", "GET", "/openapi.json", NULL, 200, "\"openapi\": \"3.1.0\"", NULL},

	/* routes */
	{"nothing there", "GET", "/v1/saga", NULL, 404, "\"code\":\"unknown-route\"", NULL},
	{"nothing below", "GET", "/v1/sagas/order-1/steps", NULL, 404, "unknown-route", NULL},
	{"nothing without its id", "GET", "/v1/sagas//events", NULL, 404, "unknown-route",
	 NULL},
	{"a slash at the end says nothing", "GET", "/v1/sagas/", NULL, 200, "\"sagas\":[",
	 NULL},
	{"another method", "DELETE", "/v1/sagas/order-1", NULL, 405,
	 "/v1/sagas/order-1 knows no DELETE; it has GET", NULL},
	{"another method of two", "PUT", "/v1/definitions", NULL, 405, "it has GET, POST",
	 NULL},
	{"a body where there is none", "GET", "/v1/stats", "{}", 400, "takes no body", NULL},
};

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct lobby lobby;
	struct lobby_answer answer;

	lobby_open(&lobby);
	lobby_start(&lobby, "done-1", "no 2");
	lobby_complete(&lobby, "done-1");
	lobby_start(&lobby, "order-1", "no 1");
	answer = lobby_ask(&lobby, row->method, row->path, row->body);
	ck_assert_msg(answer.status == row->status, "%s: %ld: %s", row->name, answer.status,
		      answer.body.at);
	ck_assert_msg(strstr(answer.body.at, row->has) != NULL, "%s: no `%s` in %s", row->name,
		      row->has, answer.body.at);
	ck_assert_msg(!row->never || !strstr(answer.body.at, row->never), "%s: `%s` in %s",
		      row->name, row->never, answer.body.at);
	ck_assert_msg(row->status < 400 ||
			      strstr(answer.head.at, "Content-Type: application/problem+json"),
		      "%s: %s", row->name, answer.head.at);
	lobby_close(&lobby);
}
END_TEST

static bool begins(struct slice text, const char *beginning)
{
	return text.len >= strlen(beginning) &&
	       memcmp(text.at, beginning, strlen(beginning)) == 0;
}

/* --- looking ---------------------------------------------------------------------- */

static struct json parse(struct lobby *lobby, struct lobby_answer answer)
{
	struct json json;
	struct diag diag = {""};
	enum err err = json_parse(answer.body, SIZE_MAX / 4, &lobby->arena, &json, &diag);

	ck_assert_msg(!err, "%s: %s", diag.text, answer.body.at);
	return json;
}

static struct json member(struct json object, const char *name)
{
	struct json value = {{0}};

	ck_assert_msg(json_get(object, slice_of(name), &value), "no `%s` in %.*s", name,
		      SLICE_ARG(object.text));
	return value;
}

/* "a b c" */
static void check_names(struct json object, const char *names)
{
	struct bytes found = BYTES(4096, NULL);
	struct json_each each = json_each(object);

	while (json_next(&each)) {
		if (found.len)
			bytes_add(&found, ' ');
		bytes_append(&found,
			     (struct slice){each.name.text.at + 1, each.name.text.len - 2});
	}
	ck_assert_msg(slice_is(bytes_slice(&found), names), "%.*s\nnot %s",
		      SLICE_ARG(bytes_slice(&found)), names);
	bytes_release(&found);
}

#define ROW_NAMES                                                                       \
	"id saga version key status paused step reason started_at updated_at ended_at " \
	"revision"

START_TEST(test_the_shapes_of_what_is_shown)
{
	struct json saga, list, step, entry;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_serve(&lobby, MESSAGE_REFUSED);
	saga = parse(&lobby, lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL));
	check_names(saga, ROW_NAMES " hash shard deadline_at input output absent steps "
				    "timeline_folded timeline");
	ck_assert(json_at(member(saga, "steps"), 0, &step));
	check_names(step, "name kind participant command state why verb attempt attempts_max "
			  "started_at ended_at due_at held output error");
	check_names(member(step, "error"), "code message");
	ck_assert(json_at(member(saga, "timeline"), 1, &entry));
	check_names(entry, "at what step verb attempt detail actor text");
	ck_assert_uint_eq(json_size(member(saga, "steps")), 4);
	ck_assert(slice_is(member(saga, "status").text, "\"compensated\""));
	ck_assert(slice_is(member(step, "state").text, "\"refused\""));
	ck_assert(slice_is(member(entry, "text").text, "\"book: do sent (attempt 1)\""));
	list = parse(&lobby, lobby_ask(&lobby, "GET", "/v1/sagas", NULL));
	check_names(list, "sagas next");
	ck_assert(json_at(member(list, "sagas"), 0, &saga));
	check_names(saga, ROW_NAMES);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_step_tells_of_its_present_command)
{
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	lobby_serve(&lobby, MESSAGE_OK);
	answer = lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL);
	HAS(answer,
	    "{\"name\":\"book\",\"kind\":\"compensatable\",\"participant\":\"desk\","
	    "\"command\":\"book\",\"state\":\"done\",\"why\":null,\"verb\":\"do\","
	    "\"attempt\":1,\"attempts_max\":5,\"started_at\":\"2023-11-14T22:13:20.000Z\","
	    "\"ended_at\":\"2023-11-14T22:13:20.000Z\",\"due_at\":null,"
	    "\"held\":null,\"output\":{\"seat\":\"v1\"},\"error\":null}");
	HAS(answer, "{\"name\":\"talk\",\"kind\":\"await\",\"participant\":null,"
		    "\"command\":null,\"state\":\"running\"");
	HAS(answer, "\"due_at\":\"2023-11-14T23:13:20.000Z\"");
	lobby_ask(&lobby, "POST", "/v1/sagas/v1/cancel", "{\"reason\":\"no\"}");
	answer = lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL);
	HAS(answer,
	    "\"command\":\"unbook\",\"state\":\"undoing\",\"why\":null,\"verb\":\"undo\"");
	HAS(answer, "\"what\":\"operation\",\"step\":null,\"verb\":null,\"attempt\":null,"
		    "\"detail\":\"cancel: no\",\"actor\":\"anonymous\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_what_limits_hold_back_is_shown)
{
	static const struct limits limits = {.others = {.window = 1,
							.rate = 5,
							.rate_ms = 1000,
							.burst = 4,
							.failures = 1,
							.pause_ms = 12000}};
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	engine_set_limits(lobby.engine, &limits);
	lobby_start(&lobby, "v1", "1");
	lobby_start(&lobby, "v2", "2");
	HAS(lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL), "\"held\":null");
	HAS(lobby_ask(&lobby, "GET", "/v1/sagas/v2", NULL),
	    "\"held\":{\"by\":\"window\",\"until\":null,\"text\":\"window of 1 full\"}");
	answer = lobby_ask(&lobby, "GET", "/v1/stats", NULL);
	HAS(answer, "\"held\":2,\"limited\":1,\"breaker\":\"closed\",\"limits\":{"
		    "\"window\":1,\"rate\":\"5/s\",\"burst\":4,\"failures\":1,"
		    "\"pause_ms\":12000},");
	lobby_serve(&lobby, MESSAGE_FAILED);
	HAS(lobby_ask(&lobby, "GET", "/v1/sagas/v2", NULL),
	    "\"held\":{\"by\":\"breaker\",\"until\":\"2023-11-14T22:13:32.000Z\","
	    "\"text\":\"breaker open, next probe in 12s\"}");
	answer = lobby_ask(&lobby, "GET", "/metrics", NULL);
	HAS(answer, "\nskald_participant_limited{participant=\"desk\"} 1\n");
	HAS(answer, "\nskald_participant_breaker{participant=\"desk\"} 2\n");
	HAS(answer, "\nskald_participant_breaker_opened_total{participant=\"desk\"} 1\n");
	lobby_advance(&lobby, 12000);
	HAS(lobby_ask(&lobby, "GET", "/v1/stats", NULL), "\"breaker\":\"half-open\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_what_is_masked_is_shown_nowhere)
{
	static const char body[] =
		"{\"saga\":\"visit\",\"id\":\"v1\",\"input\":{\"no\":\"1\",\"card\":{"
		"\"number\":"
		"\"4111\",\"name\":\"Ann\"},\"guests\":[{\"name\":\"Bob\",\"pin\":\"4111\"},"
		"{\"pin\":\"4111\"}]}}";
	struct lobby_answer answer;
	struct visitor visitor;
	struct lobby lobby;
	const struct lobby_request watch = {"GET", "/v1/sagas/v1/events", {0}, {NULL}};

	lobby_open(&lobby);
	ck_assert_int_eq(lobby_ask(&lobby, "POST", "/v1/sagas", body).status, 201);
	answer = lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL);
	HAS(answer, "\"input\":{\"no\":\"1\",\"card\":{\"number\":\"***\",\"name\":\"Ann\"},"
		    "\"guests\":[{\"name\":\"Bob\",\"pin\":\"***\"},{\"pin\":\"***\"}]}");
	ck_assert_ptr_null(strstr(answer.body.at, "4111"));
	visitor_begin(&visitor, &lobby, &watch);
	visitor_until(&visitor, "event: saga");
	lobby_complete(&lobby, "v1");
	visitor_finish(&visitor);
	ck_assert(!visitor_has(&visitor, "4111"));
	visitor_end(&visitor);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_what_is_masked_is_in_no_output)
{
	static const char definition[] =
		"saga: told\nversion: 1.0.0\ninput: { mask: [pin, cards.number] }\n"
		"steps: [ { a: { undo: { call: desk.free } } } ]\n"
		"output: { pin: =input.pin, said: [ \"='pin ' + input.pin\", =input.no, it ],\n"
		"  all: =input, cards: { them: =input.cards, one: \"=input.cards[0]\" } }\n";
	static const char body[] =
		"{\"saga\":\"told\",\"id\":\"t1\",\"input\":{\"pin\":\"4111\",\"no\":7,"
		"\"cards\":[{\"number\":\"4111\",\"name\":\"Ann\"}]}}";
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	ck_assert_int_eq(lobby_ask(&lobby, "POST", "/v1/definitions", definition).status, 201);
	ck_assert_int_eq(lobby_ask(&lobby, "POST", "/v1/sagas", body).status, 201);
	answer = lobby_ask(&lobby, "GET", "/v1/sagas/t1", NULL);
	HAS(answer, "\"output\":{\"pin\":\"***\",\"said\":[\"***\",7,\"it\"],\"all\":{\"pin\":"
		    "\"***\",\"no\":7,\"cards\":[{\"number\":\"***\",\"name\":\"Ann\"}]},"
		    "\"cards\":{\"them\":[{\"number\":\"***\",\"name\":\"Ann\"}],"
		    "\"one\":{\"number\":\"***\",\"name\":\"Ann\"}}}");
	ck_assert_ptr_null(strstr(answer.body.at, "4111"));
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_pages_have_every_saga_once)
{
	enum { N = 25, PAGE = 10 };
	char seen[N] = {0}, path[128] = "/v1/sagas?limit=10";
	struct lobby lobby;
	size_t n = 0, pages = 0;

	lobby_open(&lobby);
	for (int i = 0; i < N; i++) {
		char id[16], no[16];

		snprintf(id, sizeof id, "v-%d", i);
		snprintf(no, sizeof no, "%d", i);
		lobby_start(&lobby, id, no);
		clock_sim_advance(&lobby.clock, i % 3);
	}
	for (bool more = true; more; pages++) {
		struct json list = parse(&lobby, lobby_ask(&lobby, "GET", path, NULL));
		struct json_each each = json_each(member(list, "sagas"));
		struct json next = member(list, "next");

		ck_assert(json_size(member(list, "sagas")) <= PAGE);
		while (json_next(&each)) {
			struct slice id = member(each.value, "id").text;
			long number = strtol(id.at + 3, NULL, 10);

			ck_assert(number >= 0 && number < N && !seen[number]);
			seen[number] = 1;
			n++;
		}
		more = json_type(next) == JSON_TEXT;
		snprintf(path, sizeof path, "/v1/sagas?limit=10&cursor=%.*s",
			 (int)next.text.len - 2, next.text.at + 1);
	}
	ck_assert_uint_eq(n, N);
	ck_assert_uint_eq(pages, 3);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_a_definition_comes_back_in_its_normal_form)
{
	struct lobby_answer answer;
	struct json list, definition;
	char path[128];
	struct slice hash;
	struct lobby lobby;

	lobby_open(&lobby);
	list = parse(&lobby, lobby_ask(&lobby, "GET", "/v1/definitions", NULL));
	ck_assert(json_at(member(list, "definitions"), 0, &definition));
	hash = member(definition, "hash").text;
	snprintf(path, sizeof path, "/v1/definitions/%.*s", (int)hash.len - 2, hash.at + 1);
	answer = lobby_ask(&lobby, "GET", path, NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert(begins(answer.body, "saga: visit\n"));
	ck_assert_ptr_nonnull(strstr(answer.head.at, "Content-Type: application/yaml"));
	/* It is the same definition: deploying it changes nothing. */
	answer = lobby_ask(&lobby, "POST", "/v1/definitions", answer.body.at);
	ck_assert_int_eq(answer.status, 200);
	HAS(answer, "\"created\":false");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_the_newest_version_is_started)
{
	char text[4096];
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	snprintf(text, sizeof text, "saga: visit\nversion: 1.1.0%s",
		 strchr(strchr(lobby_definition, '\n') + 1, '\n'));
	ck_assert_int_eq(lobby_ask(&lobby, "POST", "/v1/definitions", text).status, 201);
	answer = lobby_ask(&lobby, "POST", "/v1/sagas", "{\"saga\":\"visit\"," INPUT "}");
	HAS(answer, "\"version\":\"1.1.0\"");
	answer = lobby_ask(&lobby, "GET", "/v1/definitions", NULL);
	HAS(answer, "\"newest\":false");
	lobby_close(&lobby);
}
END_TEST

/* --- who asks --------------------------------------------------------------------- */

START_TEST(test_the_actor_stands_in_the_timeline)
{
	const struct lobby_request request = {
		"POST", "/v1/sagas/v1/pause", {0}, {"Skald-Actor: alice"}};
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	lobby_start(&lobby, "v1", "1");
	ck_assert_int_eq(lobby_ask_with(&lobby, &request).status, 200);
	answer = lobby_ask(&lobby, "GET", "/v1/sagas/v1", NULL);
	HAS(answer, "\"text\":\"operation by alice: pause\"");
	HAS(answer, "\"text\":\"the saga starts by anonymous\"");
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_pages_of_another_place_are_turned_away)
{
	struct lobby_request request = {"POST",
					"/v1/sagas",
					SLICE_LITERAL("{\"saga\":\"visit\"," INPUT "}"),
					{"Origin: http://evil.example"}};
	char own[128];
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	answer = lobby_ask_with(&lobby, &request);
	ck_assert_int_eq(answer.status, 403);
	HAS(answer, "\"code\":\"other-origin\"");
	snprintf(own, sizeof own, "Origin: %s", lobby.url);
	request.headers[0] = own;
	ck_assert_int_eq(lobby_ask_with(&lobby, &request).status, 201);
	lobby_close(&lobby);
}
END_TEST

/* --- the server ------------------------------------------------------------------- */

START_TEST(test_not_ready_says_why)
{
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	gateway_set_trouble(lobby.gateway, "the disk is full");
	answer = lobby_ask(&lobby, "GET", "/readyz", NULL);
	ck_assert_int_eq(answer.status, 503);
	HAS(answer, "\"detail\":\"the disk is full\"");
	gateway_set_trouble(lobby.gateway, NULL);
	ck_assert_int_eq(lobby_ask(&lobby, "GET", "/readyz", NULL).status, 200);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_head_has_no_body)
{
	struct lobby_answer answer;
	struct lobby lobby;

	lobby_open(&lobby);
	answer = lobby_ask(&lobby, "HEAD", "/v1/stats", NULL);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_uint_eq(answer.body.len, 0);
	lobby_close(&lobby);
}
END_TEST

START_TEST(test_many_clients_at_once)
{
	enum { N = 60 };
	struct visitor visitors[N];
	char bodies[N][96];
	struct lobby lobby;

	lobby_open(&lobby);
	for (int i = 0; i < N; i++) {
		struct lobby_request request = {"POST", "/v1/sagas", {0}, {NULL}};

		/* Three ask for the same. */
		snprintf(bodies[i], sizeof bodies[i],
			 "{\"saga\":\"visit\",\"input\":{\"no\":\"%d\"}}", i / 3);
		request.body = slice_of(bodies[i]);
		visitor_begin(&visitors[i], &lobby, &request);
	}
	for (int i = 0; i < N; i++)
		visitor_finish(&visitors[i]);
	for (int i = 0; i < N; i += 3) {
		int created = 0;

		for (int j = i; j < i + 3; j++) {
			ck_assert(visitors[j].status == 200 || visitors[j].status == 201);
			created += visitors[j].status == 201;
			ck_assert_int_eq(memcmp(visitors[j].body.at, visitors[i].body.at, 33),
					 0);
		}
		ck_assert_int_eq(created, 1);
	}
	for (int i = 0; i < N; i++)
		visitor_end(&visitors[i]);
	lobby_close(&lobby);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_the_shapes_of_what_is_shown);
	tcase_add_test(tcase, test_a_step_tells_of_its_present_command);
	tcase_add_test(tcase, test_what_limits_hold_back_is_shown);
	tcase_add_test(tcase, test_what_is_masked_is_shown_nowhere);
	tcase_add_test(tcase, test_what_is_masked_is_in_no_output);
	tcase_add_test(tcase, test_pages_have_every_saga_once);
	tcase_add_test(tcase, test_a_definition_comes_back_in_its_normal_form);
	tcase_add_test(tcase, test_the_newest_version_is_started);
	tcase_add_test(tcase, test_the_actor_stands_in_the_timeline);
	tcase_add_test(tcase, test_pages_of_another_place_are_turned_away);
	tcase_add_test(tcase, test_not_ready_says_why);
	tcase_add_test(tcase, test_head_has_no_body);
	tcase_add_test(tcase, test_many_clients_at_once);
}

int main(void)
{
	return suite_run("gateway", add);
}
