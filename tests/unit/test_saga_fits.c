/* test_saga_fits.c - which sagas of a store are none of their definition. */
#include "orchestrator/core/saga.h"
#include "orchestrator/load/load.h"
#include "tests/lib/suite.h"

static const char text[] =
	"saga: line\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - tell: { undo: { call: desk.tell } }\n"
	"  - take: { call: desk.take, undo: { call: desk.back } }\n"
	"  - both: { parallel: { one: [ { look: { kind: readonly, call: desk.look } } ] } }\n"
	"  - pay: { kind: pivot, call: desk.pay }\n";

enum { TELL, TAKE, BOTH, LOOK, PAY, STEPS };

static struct definition *load(struct arena *arena)
{
	struct problems problems = {.arena = arena};
	struct definition *definition = NULL;

	ck_assert_int_eq(load_text("line.yaml", slice_of(text), NULL, &problems, &definition),
			 OK);
	ck_assert_uint_eq(definition->n_steps, STEPS);
	return definition;
}

static const struct row {
	const char *name;
	uint32_t step;
	enum step_state state;
	enum verb verb;
	uint32_t attempt;
	bool fits;
} rows[] = {
	{"a do in flight fits", TAKE, STEP_RUNNING, VERB_DO, 1, true},
	{"a do in flight that was never sent does not", TAKE, STEP_RUNNING, VERB_DO, 0, false},
	{"a do in flight cannot be an undo", TAKE, STEP_RUNNING, VERB_UNDO, 1, false},
	{"a step that only has an undo never runs", TELL, STEP_RUNNING, VERB_DO, 1, false},
	{"a block runs without an attempt", BOTH, STEP_RUNNING, VERB_DO, 0, true},
	{"a back-off may come before the first attempt", PAY, STEP_BACKOFF, VERB_REVOKE, 0,
	 true},
	{"a do that waits cannot be an undo", TAKE, STEP_BACKOFF, VERB_UNDO, 1, false},
	{"a block has no back-off", BOTH, STEP_BACKOFF, VERB_DO, 1, false},
	{"a pivot's revoke fits", PAY, STEP_BACKOFF, VERB_REVOKE, 2, true},
	{"an undo in flight fits", TELL, STEP_UNDOING, VERB_UNDO, 1, true},
	{"an undo in flight that was never sent does not", TELL, STEP_UNDOING, VERB_UNDO, 0,
	 false},
	{"a step without an undo is not being undone", LOOK, STEP_UNDOING, VERB_UNDO, 1, false},
	{"a block is undone without an attempt", BOTH, STEP_UNDOING, VERB_DO, 0, true},
	{"an undo waits for its next attempt", TAKE, STEP_UNDO_BACKOFF, VERB_UNDO, 1, true},
	{"a do does not", TAKE, STEP_UNDO_BACKOFF, VERB_DO, 1, false},
	{"an undo may be parked", TAKE, STEP_PARKED, VERB_UNDO, 1, true},
	{"one that is not there may not", PAY, STEP_PARKED, VERB_UNDO, 1, false},
	{"no state is beyond the last one", TAKE, (enum step_state)STEP_STATES, VERB_DO, 1,
	 false},
};

START_TEST(test_step)
{
	const struct row *row = &rows[_i];
	struct arena arena = {0};
	struct definition *definition = load(&arena);
	struct step steps[STEPS] = {0};
	const struct saga saga = {.id = SLICE_LITERAL("s"),
				  .key = SLICE_LITERAL("s"),
				  .revision = 1,
				  .n_steps = STEPS,
				  .steps = steps};

	ck_assert(saga_fits(definition, &saga));
	steps[row->step] = (struct step){.state = (uint8_t)row->state,
					 .verb = (uint8_t)row->verb,
					 .attempt = row->attempt};
	ck_assert_msg(saga_fits(definition, &saga) == row->fits, "%s", row->name);
	definition_free(definition);
	arena_release(&arena);
}
END_TEST

static const struct whole {
	const char *name;
	struct saga saga;
	bool fits;
} wholes[] = {
	{"one that runs", {.revision = 1, .n_steps = STEPS}, true},
	{"a step too few", {.revision = 1, .n_steps = STEPS - 1}, false},
	{"one that was never stored", {.revision = 0, .n_steps = STEPS}, false},
	{"an end without its time",
	 {.revision = 1, .n_steps = STEPS, .phase = PHASE_COMPLETED},
	 false},
	{"an end",
	 {.revision = 1, .n_steps = STEPS, .phase = PHASE_COMPLETED, .ended_ms = 5},
	 true},
	{"the time of an end that is none",
	 {.revision = 1, .n_steps = STEPS, .ended_ms = 5},
	 false},
	{"a start before 1970", {.revision = 1, .n_steps = STEPS, .started_ms = -1}, false},
};

START_TEST(test_whole)
{
	const struct whole *row = &wholes[_i];
	struct arena arena = {0};
	struct definition *definition = load(&arena);
	struct step steps[STEPS] = {0};
	struct saga saga = row->saga;

	saga.key = SLICE_LITERAL("s");
	saga.steps = steps;
	ck_assert_msg(saga_fits(definition, &saga) == row->fits, "%s", row->name);
	saga.key.len = 0;
	ck_assert_msg(!saga_fits(definition, &saga), "a saga without a key");
	definition_free(definition);
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_step, 0, ROWS(rows));
	tcase_add_loop_test(tcase, test_whole, 0, ROWS(wholes));
}

int main(void)
{
	return suite_run("saga_fits", add);
}
