/* test_engine_children.c - child sagas in an engine: what becomes of parent and child,
 * whoever refuses, whatever an operator does, and wherever the process dies. */
#include "orchestrator/load/load.h"
#include "tests/lib/desk.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/office.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP(name, at)                                   \
	"  - " name ": { call: " at ".take, timeout: 1s" \
	", undo: { call: " at ".back, timeout: 1s } }\n"

static const char kid[] = "saga: kid\nversion: 1.0.0\nsteps:\n" STEP("x", "shelf")
	STEP("y", "shelf") "output: { y: =y.out }\n";
static const char waiter[] = "saga: waiter\nversion: 1.0.0\nsteps:\n" STEP(
	"x", "shelf") "  - w: { await: { event: go, timeout: 2h } }\n";
static const char payer[] = "saga: payer\nversion: 1.0.0\nsteps:\n" STEP(
	"x", "shelf") "  - w: { await: { event: go, timeout: 2h } }\n"
		      "  - y: { kind: pivot, call: shelf.pay, timeout: 1s }\n"
		      "  - v: { await: { event: go, timeout: 2h, then: continue } }\n";
static const char parent[] = "saga: parent\nversion: 1.0.0\nsteps:\n" STEP(
	"a",
	"desk") "  - ship: { saga: kid, with: { n: =a.out } }\n" STEP("b",
								      "desk") "output: { ship: "
									      "=ship.out }\n";
static const char pivoted[] = "saga: pivoted\nversion: 1.0.0\nsteps:\n" STEP(
	"a", "desk") "  - pay: { saga: payer, kind: pivot }\n"
		     "  - b: { kind: retriable, call: desk.take, timeout: 1s }\n";
static const char waiting[] = "saga: waiting\nversion: 1.0.0\nsteps:\n" STEP(
	"a", "desk") "  - ship: { saga: waiter }\n";
static const char late[] = "saga: late\nversion: 1.0.0\nsteps:\n" STEP(
	"a", "desk") "  - w: { await: { event: go, timeout: 2h } }\n  - ship: { saga: kid }\n";
static const char keyed[] =
	"saga: keyed\nversion: 1.0.0\nkey: =input.k.z\nsteps:\n" STEP("x", "shelf");
static const char lost[] = "saga: lost\nversion: 1.0.0\nsteps:\n" STEP(
	"a",
	"desk") "  - w: { await: { event: go, timeout: 2h } }\n  - ship: { saga: nowhere }\n";
static const char late_pivot[] = "saga: late-pivot\nversion: 1.0.0\nsteps:\n" STEP(
	"a", "desk") "  - w: { await: { event: go, timeout: 2h } }\n"
		     "  - ship: { saga: payer, kind: pivot }\n";
static const char held[] = "saga: held\nversion: 1.0.0\nsteps:\n  - ship: { saga: kid }\n"
			   "  - w: { await: { event: go, timeout: 2h } }\n";
static const char many[] =
	"saga: many\nversion: 1.0.0\nsteps:\n"
	"  - lines: { each: { in: =input.lines, as: line, max: 50, steps: [ { ship: { saga: "
	"kid, with: { n: =line } } } ] } }\n" STEP("b", "desk") "output: { all: =ship.out }\n";

/* --- a world ------------------------------------------------------------------------- */

enum { COMMANDS_MAX = 400 };

struct world {
	struct office office;
	const char *refused; /* commands whose id holds this are refused */
	const char *output;  /* of the others */
	char done[COMMANDS_MAX][COMMAND_ID_MAX];
	int n_done;
};

static void open_world(struct world *world)
{
	static const char *const texts[] = {kid,  waiter, payer, parent, pivoted, waiting,
					    many, late,   held,  keyed,  lost,    late_pivot};

	*world = (struct world){.output = "[1]"};
	office_open(&world->office);
	for (int i = 0; i < ROWS(texts); i++)
		ck_assert_int_eq(desk_deploy_text(world->office.engine, texts[i]), OK);
}

static void close_world(struct world *world)
{
	office_close(&world->office);
}

static bool was_done(const struct world *world, const char *id)
{
	for (int i = 0; i < world->n_done; i++)
		if (!strcmp(world->done[i], id))
			return true;
	return false;
}

/* Answer what was asked; the same command gets the same answer. */
static bool serve(struct world *world, enum office_place place)
{
	char id[COMMAND_ID_MAX + 16];
	char *attempt;
	bool refuse;

	snprintf(id, sizeof id, "%s", office_asked(&world->office, place));
	if (!*id)
		return false;
	attempt = strrchr(id, '#');
	*attempt++ = '\0';
	refuse = world->refused && strstr(id, world->refused);
	if (!refuse && !was_done(world, id)) {
		ck_assert_int_lt(world->n_done, COMMANDS_MAX);
		memcpy(world->done[world->n_done++], id, strlen(id) + 1);
	}
	office_answer(&world->office, place, id, (uint32_t)strtoul(attempt, NULL, 10),
		      refuse ? MESSAGE_REFUSED : MESSAGE_OK, world->output);
	return true;
}

/* Until nothing happens any more, or the process died. */
static void run(struct world *world)
{
	bool busy = true;

	for (int turns = 0; busy && turns < 500 && !world->office.wire.fired; turns++) {
		size_t n = 0;
		enum err err = engine_turn(world->office.engine, &n);

		ck_assert(!err || world->office.wire.fired);
		busy = n > 0 || engine_wake_ms(world->office.engine) == 0;
		if (world->office.wire.fired)
			break;
		for (int place = 0; place < OFFICE_PLACES; place++)
			busy |= serve(world, (enum office_place)place);
	}
	ck_assert(!busy || world->office.wire.fired);
}

static void start(struct world *world, const char *saga, const char *input)
{
	ck_assert_int_eq(desk_start(world->office.engine, saga, "p", input, NULL), OK);
}

/* The child's id as the parent's show tells it. */
static const char *child_of(struct world *world, const char *saga, const char *step,
			    uint32_t element, uint16_t round)
{
	static char id[SAGA_ID_MAX + 1];
	const struct definition *definition =
		engine_definition(world->office.engine, slice_of(saga), (struct slice){0});
	struct instance at = {definition_find(definition, slice_of(step)), element};
	char room[SAGA_ID_MAX];
	struct slice child = child_id(definition, SLICE_LITERAL("p"), at, round, room);

	snprintf(id, sizeof id, "%.*s", SLICE_ARG(child));
	return id;
}

static const char *phase(struct world *world, const char *id)
{
	const struct saga *saga = office_stored(&world->office, id);

	return saga ? phase_text((enum phase)saga->phase) : "nothing";
}

static void operate(struct world *world, const char *id, enum event_type type,
		    enum err expected)
{
	struct event event = {.type = type, .step = NO_STEP, .reason = SLICE_LITERAL("test")};

	ck_assert_int_eq(desk_operate(world->office.engine, slice_of(id), (struct slice){0},
				      &event, NULL),
			 expected);
}

static void signal_go(struct world *world, const char *id, const char *signal)
{
	ck_assert_int_eq(office_signal(&world->office, id, signal, "1"), OK);
}

static void no_answer(void *context, const struct answer *answer)
{
	ck_assert_msg(!answer->err, "%s", answer->text);
}

/* --- what becomes of them ------------------------------------------------------------- */

START_TEST(test_a_child_is_completed_and_its_output_is_the_steps)
{
	struct world world;
	const struct saga *child;

	open_world(&world);
	start(&world, "parent", "{}");
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "completed");
	child = office_stored(&world.office, child_of(&world, "parent", "ship", 0, 0));
	ck_assert_int_eq(child->phase, PHASE_COMPLETED);
	ck_assert(slice_is(child->parent, "p"));
	ck_assert(slice_is(child->input, "{\"n\":[1]}"));
	ck_assert(
		slice_is(office_stored(&world.office, "p")->output, "{\"ship\":{\"y\":[1]}}"));
	ck_assert_uint_eq(desk_live(world.office.engine), 0);
	close_world(&world);
}
END_TEST

START_TEST(test_only_its_parent_undoes_a_completed_child)
{
	struct world world;

	open_world(&world);
	start(&world, "parent", "{}");
	run(&world);
	operate(&world, child_of(&world, "parent", "ship", 0, 0), EVENT_UNDO, ERR_CONFLICT);
	operate(&world, "p", EVENT_UNDO, OK);
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	ck_assert_str_eq(phase(&world, child_of(&world, "parent", "ship", 0, 0)),
			 "compensated");
	ck_assert_int_eq(world.n_done, 8); /* a, x, y, b and their undos */
	close_world(&world);
}
END_TEST

START_TEST(test_a_killed_child_parks_its_parent)
{
	struct world world;

	open_world(&world);
	start(&world, "waiting", "{}");
	run(&world);
	operate(&world, child_of(&world, "waiting", "ship", 0, 0), EVENT_KILL, OK);
	run(&world);
	ck_assert_int_eq(saga_status(office_stored(&world.office, "p")), STATUS_PARKED);
	operate(&world, "p", EVENT_RETRY, ERR_CONFLICT);
	operate(&world, "p", EVENT_KILL, OK);
	close_world(&world);
}
END_TEST

/* Another server, which has taken this one for dead, ends the child and dies: the parent
 * learns of it when this one finds out. */
START_TEST(test_a_child_that_another_server_ended_is_told)
{
	struct world world;
	struct rival rival;
	const char *child;
	size_t n;

	open_world(&world);
	start(&world, "waiting", "{}");
	run(&world);
	child = child_of(&world, "waiting", "ship", 0, 0);
	rival_open(&rival, &world.office);
	engine_operate(rival.engine,
		       &(struct operation){.saga_id = slice_of(child),
					   .type = EVENT_KILL,
					   .reason = SLICE_LITERAL("test")},
		       no_answer, NULL);
	ck_assert_int_eq(engine_turn(rival.engine, &n), OK);
	rival_close(&rival);
	ck_assert_int_eq(saga_status(office_stored(&world.office, "p")), STATUS_RUNNING);
	operate(&world, child, EVENT_PAUSE, ERR_BUSY);
	run(&world);
	ck_assert_int_eq(saga_status(office_stored(&world.office, "p")), STATUS_PARKED);
	close_world(&world);
}
END_TEST

/* Another server brings parent and child back from their end, and dies. */
START_TEST(test_a_child_that_another_server_took_out_of_its_end_goes_on)
{
	struct world world;
	struct rival rival;
	const char *child;
	size_t n;

	open_world(&world);
	start(&world, "held", "{}");
	run(&world);
	signal_go(&world, "p", "s");
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "completed");
	child = child_of(&world, "held", "ship", 0, 0);
	rival_open(&rival, &world.office);
	engine_operate(rival.engine,
		       &(struct operation){.saga_id = SLICE_LITERAL("p"), .type = EVENT_UNDO},
		       no_answer, NULL);
	for (int turn = 0; turn < 3; turn++)
		ck_assert_int_eq(engine_turn(rival.engine, &n), OK);
	rival_close(&rival);
	ck_assert_int_eq(office_stored(&world.office, child)->phase, PHASE_BACK);
	operate(&world, "p", EVENT_PAUSE, OK);
	operate(&world, "p", EVENT_RESUME, OK);
	run(&world);
	ck_assert_str_eq(phase(&world, child), "compensated");
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	ck_assert_uint_eq(desk_live(world.office.engine), 0);
	close_world(&world);
}
END_TEST

START_TEST(test_a_cancelled_child_turns_its_parent_back)
{
	struct world world;

	open_world(&world);
	start(&world, "waiting", "{}");
	run(&world);
	operate(&world, child_of(&world, "waiting", "ship", 0, 0), EVENT_CANCEL, OK);
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	close_world(&world);
}
END_TEST

START_TEST(test_a_child_past_its_pivot_takes_its_parent_along)
{
	struct world world;
	const char *child;

	open_world(&world);
	start(&world, "pivoted", "{}");
	run(&world);
	child = child_of(&world, "pivoted", "pay", 0, 0);
	signal_go(&world, child, "s1");
	run(&world);
	operate(&world, "p", EVENT_CANCEL, OK);
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "forward");
	signal_go(&world, child, "s2");
	run(&world);
	ck_assert_str_eq(phase(&world, child), "completed");
	ck_assert_str_eq(phase(&world, "p"), "completed");
	close_world(&world);
}
END_TEST

START_TEST(test_a_child_before_its_pivot_turns_back_with_its_parent)
{
	struct world world;

	open_world(&world);
	start(&world, "pivoted", "{}");
	run(&world);
	operate(&world, "p", EVENT_CANCEL, OK);
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	ck_assert_str_eq(phase(&world, child_of(&world, "pivoted", "pay", 0, 0)),
			 "compensated");
	close_world(&world);
}
END_TEST

static const char *failure_code(struct world *world)
{
	static char code[64];
	const struct error *failure = office_stored(&world->office, "p")->failure;

	snprintf(code, sizeof code, "%.*s", failure ? (int)failure->code.len : 0,
		 failure ? failure->code.at : "");
	return code;
}

static const struct cannot_row {
	const char *name;
	const char *text;
	const char *code;
} cannot_rows[] = {
	{"a saga that is not there",
	 "saga: one\nversion: 1.0.0\nsteps: [ { s: { saga: nowhere } } ]\n",
	 "unknown-definition"},
	{"a version that is not there",
	 "saga: one\nversion: 1.0.0\nsteps: [ { s: { saga: kid@9.0.0 } } ]\n",
	 "unknown-definition"},
	{"an input that its schema does not allow",
	 "saga: one\nversion: 1.0.0\nsteps: [ { s: { saga: line, with: { n: many } } } ]\n",
	 "bad-input"},
	{"a key that its own definition cannot make",
	 "saga: one\nversion: 1.0.0\nsteps: [ { s: { saga: keyed } } ]\n", "bad-key"},
	{"a key that another saga has",
	 "saga: one\nversion: 1.0.0\nsteps: [ { s: { saga: line, key: =input.key } } ]\n",
	 "key-taken"},
};

START_TEST(test_what_cannot_begin_is_refused)
{
	const struct cannot_row *row = &cannot_rows[_i];
	struct world world;

	open_world(&world);
	ck_assert_int_eq(desk_deploy_text(world.office.engine, row->text), OK);
	ck_assert_int_eq(desk_start(world.office.engine, "line", "taken", "{}", NULL), OK);
	start(&world, "one", "{\"key\":\"taken\"}");
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	ck_assert_msg(!strcmp(failure_code(&world), row->code), "%s: %s", row->name,
		      failure_code(&world));
	close_world(&world);
}
END_TEST

START_TEST(test_one_child_for_every_element)
{
	struct world world;
	const struct saga *saga;

	open_world(&world);
	start(&world, "many", "{\"lines\":[1,2,3,4,5,6,7,8,9,10]}");
	run(&world);
	saga = office_stored(&world.office, "p");
	ck_assert_str_eq(failure_code(&world), "");
	ck_assert_int_eq(saga->phase, PHASE_COMPLETED);
	ck_assert_uint_eq(saga->n_steps, 3 + 9);
	ck_assert(slice_is(
		office_stored(&world.office, child_of(&world, "many", "ship", 9, 0))->input,
		"{\"n\":10}"));
	ck_assert_int_eq(world.n_done, 21);
	close_world(&world);
}
END_TEST

START_TEST(test_one_element_that_is_refused_turns_all_back)
{
	struct world world;

	open_world(&world);
	start(&world, "many", "{\"lines\":[1,2,3]}");
	world.refused = strrchr(child_of(&world, "many", "ship", 1, 0), '.');
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	for (uint32_t n = 0; n < 3; n++)
		ck_assert_str_eq(phase(&world, child_of(&world, "many", "ship", n, 0)),
				 "compensated");
	close_world(&world);
}
END_TEST

/* The step begins and is turned back before anything is stored: the undo, or the revoke,
 * comes first, and the child is there to say so, if there can be one. */
static const struct barred_row {
	const char *saga;
	bool child;
} barred_rows[] = {{"late", true}, {"late-pivot", true}, {"lost", false}};

static void ask_go(struct world *world, const char *id)
{
	engine_signal(world->office.engine,
		      &(struct signal_message){.saga_id = slice_of(id),
					       .event = SLICE_LITERAL("go"),
					       .id = SLICE_LITERAL("s"),
					       .payload = SLICE_LITERAL("1")},
		      no_answer, NULL);
}

static void ask_cancel(struct world *world, const char *id)
{
	engine_operate(world->office.engine,
		       &(struct operation){.saga_id = slice_of(id), .type = EVENT_CANCEL},
		       no_answer, NULL);
}

START_TEST(test_a_child_that_is_undone_before_it_begins_never_does)
{
	const struct barred_row *row = &barred_rows[_i];
	struct world world;
	const struct saga *child;

	open_world(&world);
	start(&world, row->saga, "{}");
	run(&world);
	ask_go(&world, "p");
	ask_cancel(&world, "p");
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	child = office_stored(&world.office, child_of(&world, row->saga, "ship", 0, 0));
	ck_assert_int_eq(child != NULL, row->child);
	if (child) {
		ck_assert_int_eq(child->phase, PHASE_COMPENSATED);
		ck_assert(slice_is(child->failure->code, "barred"));
	}
	ck_assert_int_eq(world.n_done, 2); /* a and its undo */
	close_world(&world);
}
END_TEST

/* What the parent wants of it is done when the child's own change is stored. */
START_TEST(test_parent_and_child_are_cancelled_at_once)
{
	struct world world;

	open_world(&world);
	start(&world, "waiting", "{}");
	run(&world);
	ask_cancel(&world, child_of(&world, "waiting", "ship", 0, 0));
	ask_cancel(&world, "p");
	run(&world);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	ck_assert_str_eq(phase(&world, child_of(&world, "waiting", "ship", 0, 0)),
			 "compensated");
	ck_assert_int_eq(world.n_done, 4);
	close_world(&world);
}
END_TEST

/* An id of a child is none that anybody gives. */
START_TEST(test_nobody_can_take_the_id_of_a_child)
{
	struct world world;
	const char *id;

	open_world(&world);
	id = child_of(&world, "held", "ship", 0, 0);
	ck_assert_int_eq(desk_start(world.office.engine, "waiter", id, "{}", NULL),
			 ERR_INVALID);
	start(&world, "held", "{}");
	run(&world);
	ck_assert_str_eq(phase(&world, id), "completed");
	close_world(&world);
}
END_TEST

/* Somebody writes this over its record. */
static void overwrite(struct world *world, const char *id, const char *record)
{
	const struct store_batch sent = {.number = 1, .sent = 1};
	struct saga_write write = {.record = slice_of(record)};

	ck_assert_int_eq(store_get(world->office.store, slice_of(id), &world->office.arena,
				   &write.row, &(struct slice){0}),
			 OK);
	write.before = write.row.revision++;
	ck_assert_int_eq(store_commit(world->office.store, &sent, &write, 1, NULL, 0), OK);
	ck_assert_int_eq(write.result, OK);
}

START_TEST(test_a_child_that_cannot_be_read_parks_its_undo)
{
	const struct saga *saga;
	struct world world;

	open_world(&world);
	start(&world, "held", "{}");
	run(&world);
	overwrite(&world, child_of(&world, "held", "ship", 0, 0), "garbage");
	operate(&world, "p", EVENT_CANCEL, OK);
	run(&world);
	saga = office_stored(&world.office, "p");
	ck_assert_int_eq(saga_status(saga), STATUS_PARKED);
	ck_assert(slice_is(saga->steps[0].error->code, "unreadable"));
	close_world(&world);
}
END_TEST

/* The child's output is the step's, and the parent has no room for it. */
START_TEST(test_an_output_that_has_no_room_is_for_a_person)
{
	enum { LINES = 18, BYTES_EACH = 240 * 1000 };
	struct world world;
	const struct saga *saga;
	char *output = malloc(BYTES_EACH + 1);

	ck_assert_ptr_nonnull(output);
	memset(output, 'x', BYTES_EACH);
	output[0] = output[BYTES_EACH - 1] = '"';
	output[BYTES_EACH] = '\0';
	open_world(&world);
	world.output = output;
	start(&world, "many", "{\"lines\":[1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9]}");
	run(&world);
	saga = office_stored(&world.office, "p");
	ck_assert_int_eq(saga_status(saga), STATUS_PARKED);
	for (uint32_t n = 0; n < LINES; n++)
		ck_assert_str_eq(phase(&world, child_of(&world, "many", "ship", n, 0)),
				 "completed");
	close_world(&world);
	free(output);
}
END_TEST

/* It was done, and nobody can undo it any more: that is for a person to settle. */
START_TEST(test_a_completed_child_that_the_store_forgot_parks_its_undo)
{
	const struct saga *saga;
	struct world world;
	size_t n = 0;

	open_world(&world);
	start(&world, "held", "{}");
	run(&world);
	ck_assert_int_eq(store_prune(world.office.store, INT64_MAX, 10, &n), OK);
	ck_assert_uint_eq(n, 1);
	operate(&world, "p", EVENT_CANCEL, OK);
	run(&world);
	saga = office_stored(&world.office, "p");
	ck_assert_int_eq(saga_status(saga), STATUS_PARKED);
	ck_assert_int_eq(saga->steps[0].why, WHY_EXPIRED);
	ck_assert_str_eq(phase(&world, child_of(&world, "held", "ship", 0, 0)), "nothing");
	close_world(&world);
}
END_TEST

/* --- what may be deployed ------------------------------------------------------------- */

static const struct family_row {
	const char *name;
	const char *texts[3];
	const char *what; /* NULL: it is right */
} family_rows[] = {
	{"a child that comes later",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: b1 } } ]\n",
	  "saga: b1\nversion: 1.0.0\nsteps: [ { s: { kind: readonly, call: d.c } } ]\n"},
	 NULL},
	{"two that start each other",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: b1 } } ]\n",
	  "saga: b1\nversion: 1.0.0\nsteps: [ { s: { saga: a1 } } ]\n"},
	 "start it again"},
	{"a circle of three",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: b1 } } ]\n",
	  "saga: c1\nversion: 1.0.0\nsteps: [ { s: { saga: a1@1.0.0 } } ]\n",
	  "saga: b1\nversion: 1.0.0\nsteps: [ { s: { saga: c1 } } ]\n"},
	 "start it again"},
	{"a child with a pivot where it would be undone",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: payer } } ]\n"},
	 "has a pivot"},
	{"a child that gets a pivot",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: b1 } } ]\n",
	  "saga: b1\nversion: 1.0.0\nsteps: [ { s: { kind: pivot, call: d.c } } ]\n"},
	 "has a pivot"},
	{"a parent that keeps to the version without one",
	 {"saga: a1\nversion: 1.0.0\nsteps: [ { s: { saga: b1@0.9.0 } } ]\n",
	  "saga: b1\nversion: 1.0.0\nsteps: [ { s: { kind: pivot, call: d.c } } ]\n"},
	 NULL},
};

static struct definition *read_text(struct office *office, const char *text)
{
	struct problems problems = {.arena = &office->arena};
	struct definition *definition;

	ck_assert_int_eq(load_text("text", slice_of(text), NULL, &problems, &definition), OK);
	return definition;
}

START_TEST(test_what_may_be_deployed)
{
	const struct family_row *row = &family_rows[_i];
	struct diag diag = {""};
	struct world world;
	enum err err = OK;

	open_world(&world);
	for (int i = 0; i < 3 && row->texts[i] && !err; i++) {
		struct definition *definition = read_text(&world.office, row->texts[i]);
		bool last = i == 2 || !row->texts[i + 1];

		err = engine_deploy(world.office.engine, &definition, &diag);
		ck_assert(!definition);
		ck_assert_msg(!err || last, "%s: %s", row->name, diag.text);
	}
	ck_assert_msg(err == (row->what ? ERR_INVALID : OK), "%s: %s", row->name, diag.text);
	ck_assert_msg(!row->what || strstr(diag.text, row->what), "%s: %s", row->name,
		      diag.text);
	close_world(&world);
}
END_TEST

/* --- wherever the process dies --------------------------------------------------------- */

static const struct crash_row {
	const char *name;
	const char *saga;
	const char *step; /* that has the child */
	const char *refused;
	bool undo; /* the completed parent */
	bool cancel;
	const char *parent, *child;
	int n_done; /* commands that took effect */
} crash_rows[] = {
	{"all goes well", "parent", "ship", NULL, false, false, "completed", "completed", 4},
	{"the child refuses", "parent", "ship", "/y#", false, false, "compensated",
	 "compensated", 4},
	{"what follows refuses", "parent", "ship", "p/b#", false, false, "compensated",
	 "compensated", 6},
	{"the whole is undone", "parent", "ship", NULL, true, false, "compensated",
	 "compensated", 8},
	{"it is cancelled while the child runs", "waiting", "ship", NULL, false, true,
	 "compensated", "compensated", 4},
	{"a child with a pivot is cancelled", "pivoted", "pay", NULL, false, true,
	 "compensated", "compensated", 4},
};

static void go_on(struct world *world)
{
	run(world);
	if (world->office.wire.fired) {
		office_restart(&world->office);
		run(world);
	}
}

static enum err ask(struct world *world, enum event_type type)
{
	struct event event = {.type = type, .step = NO_STEP};

	return desk_operate(world->office.engine, SLICE_LITERAL("p"), (struct slice){0}, &event,
			    NULL);
}

/* Somebody who gets no answer asks again. */
static void insist(struct world *world, enum event_type type)
{
	if (ask(world, type) && world->office.wire.fired) {
		office_restart(&world->office);
		ck_assert_int_eq(ask(world, type), OK);
	}
}

/* False: it did not die any more. */
static bool die_at(const struct crash_row *row, long calls, struct world *world)
{
	bool fired;

	open_world(world);
	world->refused = row->refused;
	start(world, row->saga, "{}");
	world->office.wire = (struct tripwire){.calls_left = calls};
	run(world);
	fired = world->office.wire.fired;
	go_on(world);
	if (row->undo || row->cancel)
		insist(world, row->undo ? EVENT_UNDO : EVENT_CANCEL);
	fired |= world->office.wire.fired;
	run(world);
	fired |= world->office.wire.fired;
	if (world->office.wire.fired) {
		office_restart(&world->office);
		run(world);
	}
	return fired || world->office.wire.calls_left < 0;
}

START_TEST(test_dying_anywhere_loses_nothing_and_starts_nothing_twice)
{
	const struct crash_row *row = &crash_rows[_i];
	struct world world;
	bool died = true;
	long calls = 0;

	for (; died && calls < 2000; calls++) {
		died = die_at(row, calls, &world);
		ck_assert_msg(!strcmp(phase(&world, "p"), row->parent), "%s, call %ld: %s",
			      row->name, calls, phase(&world, "p"));
		ck_assert_msg(
			!strcmp(phase(&world, child_of(&world, row->saga, row->step, 0, 0)),
				row->child),
			"%s, call %ld: the child", row->name, calls);
		ck_assert_msg(world.n_done == row->n_done, "%s, call %ld: %d commands",
			      row->name, calls, world.n_done);
		ck_assert_uint_eq(desk_live(world.office.engine), 0);
		close_world(&world);
	}
	ck_assert_int_gt(calls, 20);
	ck_assert_int_lt(calls, 2000);
}
END_TEST

/* --- wherever memory fails ------------------------------------------------------------- */

/* A parent whose last step is refused, so that its children are begun and undone, while
 * one allocation of the orchestrator fails. False: so many are not made. */
static bool run_without_memory(size_t n)
{
	bool fired = false, good = true;
	struct world world;

	open_world(&world);
	world.refused = "p/b#";
	start(&world, "many", "{\"lines\":[1,2,3]}");
	for (int turns = 0; turns < 200 && desk_live(world.office.engine); turns++) {
		size_t taken = 0;
		enum err err;

		fail_malloc_at(n);
		err = engine_turn(world.office.engine, &taken);
		n -= n < fail_malloc_count() ? n : fail_malloc_count();
		if (fail_malloc_off()) {
			fired = true;
			n = SIZE_MAX;
		}
		good &= !err || err == ERR_NOMEM || err == ERR_UNAVAILABLE;
		for (int place = 0; place < OFFICE_PLACES; place++)
			while (serve(&world, (enum office_place)place))
				;
		office_advance(&world.office, 100);
	}
	ck_assert(good);
	ck_assert_str_eq(phase(&world, "p"), "compensated");
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_str_eq(phase(&world, child_of(&world, "many", "ship", i, 0)),
				 "compensated");
	ck_assert_int_eq(world.n_done, 12); /* x and y of three, and their undos */
	close_world(&world);
	return fired;
}

START_TEST(test_every_allocation_fails_in_turn)
{
	size_t n = 0;

	while (run_without_memory(n))
		n++;
	ck_assert_uint_gt(n, 10);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_a_child_is_completed_and_its_output_is_the_steps);
	tcase_add_test(tcase, test_only_its_parent_undoes_a_completed_child);
	tcase_add_test(tcase, test_a_killed_child_parks_its_parent);
	tcase_add_test(tcase, test_a_child_that_another_server_ended_is_told);
	tcase_add_test(tcase, test_a_child_that_another_server_took_out_of_its_end_goes_on);
	tcase_add_test(tcase, test_a_cancelled_child_turns_its_parent_back);
	tcase_add_test(tcase, test_a_child_past_its_pivot_takes_its_parent_along);
	tcase_add_test(tcase, test_a_child_before_its_pivot_turns_back_with_its_parent);
	tcase_add_loop_test(tcase, test_what_cannot_begin_is_refused, 0, ROWS(cannot_rows));
	tcase_add_test(tcase, test_one_child_for_every_element);
	tcase_add_test(tcase, test_one_element_that_is_refused_turns_all_back);
	tcase_add_loop_test(tcase, test_a_child_that_is_undone_before_it_begins_never_does, 0,
			    ROWS(barred_rows));
	tcase_add_test(tcase, test_parent_and_child_are_cancelled_at_once);
	tcase_add_test(tcase, test_nobody_can_take_the_id_of_a_child);
	tcase_add_test(tcase, test_a_child_that_cannot_be_read_parks_its_undo);
	tcase_add_test(tcase, test_an_output_that_has_no_room_is_for_a_person);
	tcase_add_test(tcase, test_a_completed_child_that_the_store_forgot_parks_its_undo);
	tcase_add_loop_test(tcase, test_what_may_be_deployed, 0, ROWS(family_rows));
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_dying_anywhere_loses_nothing_and_starts_nothing_twice,
			    0, ROWS(crash_rows));
}

int main(void)
{
	return suite_run("engine_children", add);
}
