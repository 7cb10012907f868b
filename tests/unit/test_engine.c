/* test_engine.c - the loop around the core, when something goes wrong on every side */
#include "orchestrator/engine/engine.h"

#include "orchestrator/core/codec.h"
#include "orchestrator/engine/address.h"
#include "tests/lib/desk.h"
#include "tests/lib/office.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define A_DO   "line-1/a#0/0/do"
#define B_DO   "line-1/b#0/0/do"
#define C_DO   "line-1/c#0/0/do"
#define A_UNDO "line-1/a#0/0/undo"

/* --- which command an id means ------------------------------------------------------ */

static const struct address_row {
	const char *name;
	const char *id;
	const char *saga_id; /* NULL: it is no such id */
	const char *step;
	unsigned int round;
	enum verb verb;
	unsigned int element;
} address_rows[] = {
	{"a do", "order-17/reserve#0/0/do", "order-17", "reserve", 0, VERB_DO, 0},
	{"an undo", "order-17/reserve#0/3/undo", "order-17", "reserve", 3, VERB_UNDO, 0},
	{"a revoke", "a/b#0/0/revoke", "a", "b", 0, VERB_REVOKE, 0},
	{"the last round", "a/b#0/65535/do", "a", "b", 65535, VERB_DO, 0},
	{"a saga's id with every kind of character", "A-z_9.x/b#0/0/do", "A-z_9.x", "b", 0,
	 VERB_DO, 0},
	{"a round too many", "a/b#0/65536/do", NULL, NULL, 0, VERB_DO, 0},
	{"a round of six digits", "a/b#0/000001/do", NULL, NULL, 0, VERB_DO, 0},
	{"a round with a zero before it", "a/b#0/01/do", NULL, NULL, 0, VERB_DO, 0},
	{"a round that is none", "a/b#0/x/do", NULL, NULL, 0, VERB_DO, 0},
	{"a round below zero", "a/b#0/-1/do", NULL, NULL, 0, VERB_DO, 0},
	{"no round", "a/b#0//do", NULL, NULL, 0, VERB_DO, 0},
	{"an element of a list", "a/b#17/0/do", "a", "b", 0, VERB_DO, 17},
	{"the last element", "a/b#999/0/do", "a", "b", 0, VERB_DO, 999},
	{"an element too many", "a/b#1000/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"an element with a zero before it", "a/b#01/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"no element", "a/b#/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"no verb", "a/b#0/0/", NULL, NULL, 0, VERB_DO, 0},
	{"another verb", "a/b#0/0/redo", NULL, NULL, 0, VERB_DO, 0},
	{"something after the verb", "a/b#0/0/do/", NULL, NULL, 0, VERB_DO, 0},
	{"no saga", "/b#0/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"a saga's id that is none", "a b/b#0/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"no step", "a/#0/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"a step's name that is none", "a/B#0/0/do", NULL, NULL, 0, VERB_DO, 0},
	{"no separator", "order-17", NULL, NULL, 0, VERB_DO, 0},
	{"only the first part", "order-17/", NULL, NULL, 0, VERB_DO, 0},
	{"nothing", "", NULL, NULL, 0, VERB_DO, 0},
};

START_TEST(test_address)
{
	const struct address_row *row = &address_rows[_i];
	struct address address;
	bool good = address_parse(slice_of(row->id), &address);

	ck_assert_msg(good == (row->saga_id != NULL), "%s", row->name);
	if (good)
		ck_assert_msg(slice_is(address.saga_id, row->saga_id) &&
				      slice_is(address.step, row->step) &&
				      address.round == row->round &&
				      address.verb == row->verb &&
				      address.element == row->element,
			      "%s", row->name);
}
END_TEST

/* What the core writes is read. */
START_TEST(test_address_of_a_command)
{
	struct office office;
	struct address address;
	char id[COMMAND_ID_MAX];
	size_t len;

	office_open(&office);
	len = command_id(office.line, SLICE_LITERAL("line-1"), (struct instance){3, 0}, 7,
			 VERB_UNDO, id);
	ck_assert(address_parse((struct slice){id, len}, &address));
	ck_assert(slice_is(address.saga_id, "line-1") && slice_is(address.step, "b") &&
		  address.round == 7 && address.verb == VERB_UNDO);
	office_close(&office);
}
END_TEST

/* --- starting ----------------------------------------------------------------------- */

static const struct start_row {
	const char *name;
	const char *saga;
	const char *id;
	const char *input;
	enum err err;
	const char *diag;
	size_t live; /* besides line-1 */
} start_rows[] = {
	{"a start", "line", "line-2", " {} ", OK, "", 1},
	{"a start whose id the engine makes", "line", "", "{}", OK, "", 1},
	{"a saga that there is not", "lime", "line-2", "{}", ERR_NOT_FOUND,
	 "no saga is called lime", 0},
	{"an id that is none", "line", "line 2", "{}", ERR_INVALID, "an id is 1 to 64", 0},
	{"an input that is no JSON", "line", "line-2", "{", ERR_INVALID, "1:2:", 0},
	{"an input that the schema does not allow", "line", "line-2", "{\"n\":\"x\"}",
	 ERR_INVALID, "n", 0},
	{"the same saga again", "line", "line-1", "{ }", OK, "", 0},
	{"the same saga again, which has ended", "line", "line-0", "{}", OK, "", 0},
	{"an id that another saga has", "line", "line-1", "{\"n\":1}", ERR_CONFLICT,
	 "is there already, with another input", 0},
	{"an id that a saga had which has ended", "line", "line-0", "{\"n\":1}", ERR_CONFLICT,
	 "is there already, with another input", 0},
};

START_TEST(test_start)
{
	const struct start_row *row = &start_rows[_i];
	struct diag diag = {{0}};
	struct office office;
	enum err err;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-0"), OK);
	ck_assert_int_eq(office_kill(&office, "line-0"), OK);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	err = desk_start(office.engine, row->saga, row->id, row->input, &diag);
	ck_assert_msg(err == row->err && strstr(diag.text, row->diag), "%s: %s: %s", row->name,
		      err_text(err), diag.text);
	ck_assert_msg(desk_live(office.engine) == 1 + row->live, "%s", row->name);
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "running");
	office_close(&office);
}
END_TEST

START_TEST(test_an_input_over_its_limit)
{
	static char input[PAYLOAD_MAX + 16];
	struct office office;

	memset(input, 'a', sizeof input);
	input[0] = input[sizeof input - 2] = '"';
	input[sizeof input - 1] = '\0';
	office_open(&office);
	ck_assert_int_eq(desk_start(office.engine, "line", "line-1", input, NULL),
			 ERR_TOO_LARGE);
	ck_assert_uint_eq(desk_live(office.engine), 0);
	office_close(&office);
}
END_TEST

/* --- replies that mean nothing ------------------------------------------------------ */

static const struct reply_row {
	const char *name;
	const char *id;
	uint32_t attempt;
	const char *dead; /* what it is kept for; NULL: it is not */
} reply_rows[] = {
	{"an id that is none", "hello", 1, "unknown-command"},
	{"a saga that there is not", "line-2/a#0/0/do", 1, "unknown-saga"},
	{"a saga that has ended", "line-0/a#0/0/do", 1, NULL},
	{"a step that there is not", "line-1/z#0/0/do", 1, "unknown-step"},
	{"an element that there is not", "line-1/a#7/0/do", 1, "unknown-step"},
	{"a step that is no command", "line-1/w#0/0/do", 1, NULL},
	{"a step that has not begun", "line-1/b#0/0/do", 1, NULL},
	{"an attempt that was not made", "line-1/a#0/0/do", 2, NULL},
	{"a round that there was not", "line-1/a#0/1/do", 1, NULL},
	{"a verb that was not said", "line-1/a#0/0/undo", 1, NULL},
};

static enum err note_dead(void *context, const struct dead_letter *letter)
{
	snprintf(context, 32, "%.*s", SLICE_ARG(letter->reason));
	return OK;
}

START_TEST(test_a_reply_that_means_nothing)
{
	const struct reply_row *row = &reply_rows[_i];
	struct office office;
	char dead[32] = "";

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-0"), OK);
	ck_assert_int_eq(office_kill(&office, "line-0"), OK);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_answer(&office, DESK, row->id, row->attempt, MESSAGE_OK, "[1]");
	ck_assert_uint_eq(office_turn(&office), 1);
	ck_assert_int_eq(store_list_dead(office.store, (struct slice){0}, 10, note_dead, dead),
			 OK);
	ck_assert_msg(!strcmp(dead, row->dead ? row->dead : ""), "%s: %s", row->name, dead);
	ck_assert_msg(office_stored(&office, "line-1")->revision == 1, "%s", row->name);
	/* It is gone for good. */
	office_restart(&office);
	ck_assert_uint_eq(office_turn(&office), 0);
	office_close(&office);
}
END_TEST

START_TEST(test_output_that_is_no_json_is_a_failure)
{
	const struct saga *saga;
	struct office office;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "{1}");
	office_turn(&office);
	saga = office_stored(&office, "line-1");
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "backoff");
	ck_assert(slice_is(saga->steps[0].error->code, "bad-output"));
	ck_assert(slice_is(saga->steps[0].error->message,
			   "the output of the reply is no JSON or is larger than 256 KiB"));
	office_close(&office);
}
END_TEST

START_TEST(test_what_a_participant_says_is_cut)
{
	static char long_text[5000];
	struct reply_message reply = {.id = SLICE_LITERAL(A_DO),
				      .attempt = 1,
				      .outcome = MESSAGE_REFUSED,
				      .code = {long_text, 4999},
				      .text = {long_text, 4999}};
	const struct saga *saga;
	struct office office;

	memset(long_text, 'a', sizeof long_text);
	long_text[100] = '\xff'; /* from here on it is no UTF-8 */
	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_int_eq(port_reply(office.ports[DESK], &reply), OK);
	office_turn(&office);
	saga = office_stored(&office, "line-1");
	ck_assert_uint_eq(saga->failure->code.len, 64);
	ck_assert_uint_eq(saga->failure->message.len, 100);
	office_close(&office);
}
END_TEST

/* --- time --------------------------------------------------------------------------- */

START_TEST(test_an_attempt_times_out_and_is_made_again)
{
	struct office office;
	int64_t now_ms;

	office_open(&office);
	now_ms = office.clock.now_ms;
	ck_assert_int_eq(engine_wake_ms(office.engine), INT64_MAX);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_str_eq(office_asked(&office, DESK), A_DO "#1");
	ck_assert_int_eq(engine_wake_ms(office.engine), now_ms + 1000);
	office_advance(&office, 999);
	ck_assert_uint_eq(office_turn(&office), 0);
	office_advance(&office, 1);
	ck_assert_uint_eq(office_turn(&office), 1);
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "backoff");
	ck_assert_int_eq(engine_wake_ms(office.engine), now_ms + 1100);
	office_advance(&office, 100);
	ck_assert_uint_eq(office_turn(&office), 1);
	ck_assert_str_eq(office_asked(&office, DESK), A_DO "#2");
	office_answer(&office, DESK, A_DO, 2, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "w"), "running");
	office_close(&office);
}
END_TEST

START_TEST(test_the_deadline_turns_back)
{
	struct office office;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_int_eq(engine_wake_ms(office.engine), office.clock.now_ms + 3600000);
	office_advance(&office, 3600000);
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "undoing");
	ck_assert_uint_eq(desk_live(office.engine), 1);
	office_answer(&office, DESK, A_UNDO, 1, MESSAGE_OK, NULL);
	office_turn(&office);
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_COMPENSATED);
	ck_assert_uint_eq(desk_live(office.engine), 0);
	ck_assert_int_eq(engine_wake_ms(office.engine), INT64_MAX);
	office_close(&office);
}
END_TEST

/* --- a bus that is full ------------------------------------------------------------- */

static void fill(struct office *office, enum office_place place)
{
	static const char *const names[] = {"desk", "shelf"};
	struct command_message command = {.id = SLICE_LITERAL("filler"),
					  .participant = slice_of(names[place]),
					  .attempt = 1};

	while (!bus_send(office->bus, &command))
		;
}

/* The oldest filler goes, and with it comes room for one command. */
static void make_room(struct office *office, enum office_place place)
{
	ck_assert_str_eq(office_asked(office, place), "filler#1");
	office_answer(office, place, "filler", 1, MESSAGE_OK, NULL);
}

START_TEST(test_a_full_bus_is_offered_the_command_again)
{
	struct office office;
	int64_t now_ms;

	office_open(&office);
	now_ms = office.clock.now_ms;
	fill(&office, DESK);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_int_eq(engine_wake_ms(office.engine), now_ms + 100);
	/* And again, after twice as long each time: 200, 400 ... 3,200 ms. */
	for (int64_t wait_ms = 100, at_ms = now_ms; wait_ms <= 6400; wait_ms *= 2) {
		at_ms += wait_ms < 3200 ? wait_ms : 3200;
		ck_assert_int_eq(engine_wake_ms(office.engine), at_ms);
		office.clock.now_ms = at_ms;
		office_turn(&office);
	}
	now_ms = office.clock.now_ms;
	make_room(&office, DESK);
	office_advance(&office, 5000);
	office_turn(&office);
	/* The attempt begins only now, and none was used up. */
	ck_assert_int_eq(engine_wake_ms(office.engine), now_ms + 5000 + 1000);
	ck_assert_uint_eq(office_stored(&office, "line-1")->steps[0].attempt, 1);
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "running");
	office_close(&office);
}
END_TEST

/* The saga that waits for room changes in the turn in which it is tried again. */
START_TEST(test_a_full_bus_and_a_reply_at_once)
{
	struct office office;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, "[1]");
	office_turn(&office);
	fill(&office, SHELF);
	ck_assert_int_eq(office_signal(&office, "line-1", "s-1", "[2]"), OK);
	office_answer(&office, DESK, B_DO, 1, MESSAGE_OK, "[3]");
	office_advance(&office, 100);
	make_room(&office, SHELF);
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "b"), "done");
	ck_assert_int_eq(engine_wake_ms(office.engine), office.clock.now_ms + 1000);
	office_answer(&office, SHELF, C_DO, 1, MESSAGE_OK, "[3]");
	office_turn(&office);
	ck_assert_int_eq(saga_status(office_stored(&office, "line-1")), STATUS_COMPLETED);
	office_close(&office);
}
END_TEST

/* --- room in a saga ----------------------------------------------------------------- */

static const char *large_text(struct office *office)
{
	char *text = arena_alloc(&office->arena, PAYLOAD_MAX + 1);

	ck_assert(text);
	memset(text, 'a', PAYLOAD_MAX);
	text[0] = text[PAYLOAD_MAX - 1] = '"';
	return text;
}

START_TEST(test_a_saga_that_is_full_goes_on)
{
	struct office office;
	const char *large;
	enum err err = OK;
	char id[16];
	int n;

	office_open(&office);
	large = large_text(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	for (n = 0; !err; n++) {
		snprintf(id, sizeof id, "s-%d", n);
		err = office_signal(&office, "line-1", id, large);
	}
	ck_assert_int_eq(err, ERR_TOO_LARGE);
	ck_assert_int_gt(n, 10);
	ck_assert_int_eq(office_cancel(&office, "line-2", "no such saga"), ERR_NOT_FOUND);
	/* Another saga is stored with it all the same. */
	office_answer(&office, DESK, A_DO, 1, MESSAGE_OK, large);
	ck_assert_int_eq(office_start(&office, "line-2"), OK);
	office_turn(&office);
	ck_assert(
		slice_is(office_stored(&office, "line-1")->steps[0].error->code, "bad-output"));
	office_advance(&office, 100);
	office_turn(&office);
	office_answer(&office, DESK, A_DO, 2, MESSAGE_OK, "[1]");
	office_turn(&office);
	ck_assert_str_eq(office_step(&office, "line-1", "b"), "running");
	office_close(&office);
}
END_TEST

static const struct text_row {
	const char *name;
	struct event event;
	enum err err;
} text_rows[] = {
	{"a payload that is no JSON",
	 {.type = EVENT_SIGNAL,
	  .name = SLICE_LITERAL("go"),
	  .id = SLICE_LITERAL("s"),
	  .payload = SLICE_LITERAL("{")},
	 ERR_INVALID},
	{"an event that nobody awaits",
	 {.type = EVENT_SIGNAL, .name = SLICE_LITERAL("stop"), .id = SLICE_LITERAL("s")},
	 ERR_CONFLICT},
	{"an operation that is not possible", {.type = EVENT_UNDO}, ERR_CONFLICT},
	{"an operation that changes nothing", {.type = EVENT_RESUME}, OK},
	{"a pause", {.type = EVENT_PAUSE}, OK},
};

START_TEST(test_operations)
{
	const struct text_row *row = &text_rows[_i];
	struct diag diag = {{0}};
	struct office office;
	enum err err;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	err = desk_operate(office.engine, SLICE_LITERAL("line-1"), (struct slice){0},
			   &row->event, &diag);
	ck_assert_msg(err == row->err && (diag.text[0] != '\0') == (err != OK), "%s: %s: %s",
		      row->name, err_text(err), diag.text);
	office_close(&office);
}
END_TEST

START_TEST(test_operations_on_a_step)
{
	struct event skip = {.type = EVENT_SKIP, .payload = SLICE_LITERAL(" [7] ")};
	struct office office;

	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_int_eq(desk_operate(office.engine, SLICE_LITERAL("line-1"),
				      SLICE_LITERAL("z"), &skip, NULL),
			 ERR_NOT_FOUND);
	ck_assert_int_eq(desk_operate(office.engine, SLICE_LITERAL("line-1"),
				      SLICE_LITERAL("a"), &skip, NULL),
			 OK);
	ck_assert_str_eq(office_step(&office, "line-1", "a"), "skipped");
	ck_assert(slice_is(office_stored(&office, "line-1")->steps[0].output, "[7]"));
	office_close(&office);
}
END_TEST

START_TEST(test_texts_of_operations_have_limits)
{
	static char text[2000];
	struct event cancel = {.type = EVENT_CANCEL, .reason = {text, 1001}};
	struct event signal = {
		.type = EVENT_SIGNAL, .name = SLICE_LITERAL("go"), .id = {text, KEY_MAX + 1}};
	struct event kill = {.type = EVENT_KILL};
	struct slice id = SLICE_LITERAL("line-1");
	struct office office;

	memset(text, 'a', sizeof text);
	office_open(&office);
	ck_assert_int_eq(office_start(&office, "line-1"), OK);
	ck_assert_int_eq(desk_operate(office.engine, id, (struct slice){0}, &signal, NULL),
			 ERR_INVALID);
	ck_assert_int_eq(desk_operate(office.engine, id, (struct slice){0}, &cancel, NULL),
			 ERR_INVALID);
	ck_assert_int_eq(desk_operate(office.engine, id, (struct slice){0}, &kill, NULL),
			 ERR_INVALID);
	signal.id.len--;
	cancel.reason.len--;
	ck_assert_int_eq(desk_operate(office.engine, id, (struct slice){0}, &signal, NULL), OK);
	ck_assert_int_eq(desk_operate(office.engine, id, (struct slice){0}, &cancel, NULL), OK);
	office_close(&office);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_address, 0, ROWS(address_rows));
	tcase_add_test(tcase, test_address_of_a_command);
	tcase_add_loop_test(tcase, test_start, 0, ROWS(start_rows));
	tcase_add_test(tcase, test_an_input_over_its_limit);
	tcase_add_loop_test(tcase, test_a_reply_that_means_nothing, 0, ROWS(reply_rows));
	tcase_add_test(tcase, test_output_that_is_no_json_is_a_failure);
	tcase_add_test(tcase, test_what_a_participant_says_is_cut);
	tcase_add_test(tcase, test_an_attempt_times_out_and_is_made_again);
	tcase_add_test(tcase, test_the_deadline_turns_back);
	tcase_add_test(tcase, test_a_full_bus_is_offered_the_command_again);
	tcase_add_test(tcase, test_a_full_bus_and_a_reply_at_once);
	tcase_add_test(tcase, test_a_saga_that_is_full_goes_on);
	tcase_add_loop_test(tcase, test_operations, 0, ROWS(text_rows));
	tcase_add_test(tcase, test_operations_on_a_step);
	tcase_add_test(tcase, test_texts_of_operations_have_limits);
}

int main(void)
{
	return suite_run("engine", add);
}
