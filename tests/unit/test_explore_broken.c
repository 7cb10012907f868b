/* test_explore_broken.c - the checker on sagas that are wrong: it must say so.
 *
 * Each row puts a step function in the place of saga_step() that breaks one rule,
 * or a definition that no loader would accept, and names the invariant that
 * notices. The transcripts at the end are what a person then reads.
 */
#include "orchestrator/check/explore.h"
#include "tests/lib/build.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

/* --- step functions, each with one fault ------------------------------------------- */

#define STEP_PARAMETERS                                                                    \
	const struct definition *definition, const struct evaluator *evaluator,            \
		const struct saga *before, const struct event *event, struct arena *arena, \
		struct saga *after, struct effects *effects
#define STEP_ARGUMENTS definition, evaluator, before, event, arena, after, effects

/* The saga before as the broken function wants to see it. */
static struct saga changeable(const struct saga *saga, struct arena *arena)
{
	struct saga copy = *saga;

	copy.steps = arena_array(arena, saga->n_steps, sizeof *copy.steps);
	ck_assert_ptr_nonnull(copy.steps);
	memcpy(copy.steps, saga->steps, saga->n_steps * sizeof *copy.steps);
	return copy;
}

/* Steps of one state pass for those of another. */
static void pass_for(struct saga *saga, enum step_state state, enum step_state other)
{
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (saga->steps[i].state == state)
			saga->steps[i].state = (uint8_t)other;
}

static enum verdict forget_doubt(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN)
		pass_for(after, STEP_IN_DOUBT, STEP_NEVER);
	return verdict;
}

static enum verdict parked_is_undone(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && event->type == EVENT_TIMEOUT)
		pass_for(after, STEP_PARKED, STEP_UNDONE);
	return verdict;
}

static enum verdict undo_what_was_refused(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && after->phase == PHASE_BACK)
		pass_for(after, STEP_REFUSED, STEP_IN_DOUBT);
	return verdict;
}

/* What is done and not undone yet does not hold back the undos before it. */
static enum verdict undo_out_of_order(STEP_PARAMETERS)
{
	uint32_t last = before->n_steps - 1;
	struct saga hidden = changeable(before, arena);
	enum verdict verdict;

	if (before->phase != PHASE_BACK || event->step == last ||
	    hidden.steps[last].state != STEP_UNDO_BACKOFF)
		return saga_step(STEP_ARGUMENTS);
	hidden.steps[last].state = STEP_UNDONE;
	verdict = saga_step(definition, evaluator, &hidden, event, arena, after, effects);
	if (verdict == VERDICT_TAKEN) {
		after->steps[last].state = STEP_UNDO_BACKOFF;
		if (after->phase == PHASE_COMPENSATED)
			after->phase = PHASE_BACK;
	}
	return verdict;
}

static enum verdict pivot_is_no_pivot(STEP_PARAMETERS)
{
	struct definition without = *definition;

	without.pivot = NO_STEP;
	return saga_step(&without, evaluator, before, event, arena, after, effects);
}

static enum verdict start_early(STEP_PARAMETERS)
{
	struct saga hidden = changeable(before, arena);
	enum verdict verdict;

	if (before->phase != PHASE_FORWARD || hidden.steps[0].state != STEP_BACKOFF ||
	    event->type != EVENT_PAUSE)
		return saga_step(STEP_ARGUMENTS);
	hidden.steps[0].state = STEP_DONE;
	hidden.flags |= SAGA_PAUSED;
	verdict = saga_step(definition, evaluator, &hidden,
			    &(struct event){.type = EVENT_RESUME, .at_ms = 1}, arena, after,
			    effects);
	after->steps[0].state = STEP_BACKOFF;
	return verdict;
}

static enum verdict complete_early(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && after->steps[0].state == STEP_DONE) {
		after->phase = PHASE_COMPLETED;
		effects->n_commands = 0;
	}
	return verdict;
}

static enum verdict kill_by_cancel(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && event->type == EVENT_CANCEL) {
		after->phase = PHASE_KILLED;
		effects->n_commands = 0;
	}
	return verdict;
}

static enum verdict lose_timers(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	for (uint32_t i = 0; verdict == VERDICT_TAKEN && i < after->n_steps; i++)
		if (after->steps[i].state == STEP_BACKOFF)
			after->steps[i].due_ms = 0;
	return verdict;
}

static enum verdict lose_last_timer(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && after->steps[after->n_steps - 1].attempt == 2)
		after->steps[after->n_steps - 1].due_ms = 0;
	return verdict;
}

static enum verdict lose_commands(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (effects->n_commands)
		effects->n_commands--;
	return verdict;
}

static enum verdict send_more(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);
	struct command *commands;

	if (verdict != VERDICT_TAKEN || after->steps[0].state != STEP_BACKOFF)
		return verdict;
	commands = arena_array(arena, effects->n_commands + 1, sizeof *commands);
	ck_assert_ptr_nonnull(commands);
	if (effects->n_commands)
		memcpy(commands, effects->commands, effects->n_commands * sizeof *commands);
	commands[effects->n_commands++] = (struct command){.attempt = 1, .first_ms = 1};
	effects->commands = commands;
	return verdict;
}

static enum verdict retry_once_more(STEP_PARAMETERS)
{
	struct definition patient = *definition;
	struct step_definition *steps = arena_array(arena, definition->n_steps, sizeof *steps);

	ck_assert_ptr_nonnull(steps);
	memcpy(steps, definition->steps, definition->n_steps * sizeof *steps);
	for (uint32_t i = 0; i < definition->n_steps; i++)
		steps[i].call.retry.attempts++;
	patient.steps = steps;
	return saga_step(&patient, evaluator, before, event, arena, after, effects);
}

static enum verdict time_stands_still(STEP_PARAMETERS)
{
	struct event early = *event;

	early.at_ms = 1;
	return saga_step(definition, evaluator, before, &early, arena, after, effects);
}

static enum verdict take_stale(STEP_PARAMETERS)
{
	struct event current = *event;

	if (event->type == EVENT_REPLY && event->outcome == OUTCOME_FAILED)
		current.attempt = before->steps[event->step].attempt;
	return saga_step(definition, evaluator, before, &current, arena, after, effects);
}

static enum verdict drop_late_ok(STEP_PARAMETERS)
{
	if (event->type == EVENT_REPLY && event->verb == VERB_DO &&
	    event->outcome == OUTCOME_OK && before->phase == PHASE_BACK)
		return VERDICT_IGNORED;
	return saga_step(STEP_ARGUMENTS);
}

static enum verdict refuse_skip(STEP_PARAMETERS)
{
	if (event->type == EVENT_SKIP) {
		effects->refusal = "no";
		return VERDICT_REFUSED;
	}
	return saga_step(STEP_ARGUMENTS);
}

static enum verdict waive_for_free(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && event->type == EVENT_SKIP)
		after->steps[event->step].flags |= FLAG_WAIVED;
	return verdict;
}

/* A new round whether or not the old one was refused. */
static enum verdict always_new_round(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict != VERDICT_TAKEN || event->type != EVENT_RETRY)
		return verdict;
	for (uint32_t n = 0; n < effects->n_commands; n++) {
		struct command *command = &effects->commands[n];
		const struct step *was = &before->steps[command->step];

		if (was->state != STEP_PARKED || was->verb != VERB_DO ||
		    was->why != WHY_EXHAUSTED)
			continue;
		after->steps[command->step].do_round++;
		command->round++;
		command->do_round++;
	}
	return verdict;
}

static enum verdict send_when_paused(STEP_PARAMETERS)
{
	struct saga awake = *before;
	enum verdict verdict;

	if (event->type == EVENT_RESUME)
		return saga_step(STEP_ARGUMENTS);
	awake.flags &= (uint8_t)~SAGA_PAUSED;
	verdict = saga_step(definition, evaluator, &awake, event, arena, after, effects);
	after->flags |= before->flags & SAGA_PAUSED;
	return verdict;
}

static enum verdict change_before(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	before->steps[0].attempt += event->type == EVENT_TIMEOUT;
	return verdict;
}

static enum verdict count_wrongly(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	after->revision += event->type == EVENT_CANCEL;
	return verdict;
}

static enum verdict decide_by_mood(STEP_PARAMETERS)
{
	static unsigned mood;
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict == VERDICT_TAKEN && ++mood % 2 && after->steps[2].state == STEP_WAITING)
		after->steps[2].flags ^= FLAG_OUTPUT;
	return verdict;
}

/* The next attempt is due for ever. */
static enum verdict put_off(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	if (verdict != VERDICT_TAKEN || event->type != EVENT_DUE)
		return verdict;
	*after = *before;
	after->revision++;
	effects->n_commands = 0;
	return verdict;
}

/* What came to this is not sent. */
static void take_commands_back(struct effects *effects, uint32_t step)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < effects->n_commands; n++)
		if (effects->commands[n].step != step)
			effects->commands[kept++] = effects->commands[n];
	effects->n_commands = kept;
}

static enum verdict forget_second_element(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	for (uint32_t i = definition->n_steps; verdict == VERDICT_TAKEN && i < after->n_steps;
	     i++)
		if (after->steps[i].state == STEP_UNDOING) {
			after->steps[i].state = STEP_UNDONE;
			take_commands_back(effects, i);
		}
	return verdict;
}

static enum verdict skip_all_elements(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	for (uint32_t i = definition->n_steps; verdict == VERDICT_TAKEN && i < after->n_steps;
	     i++)
		if (after->steps[i].state == STEP_RUNNING) {
			after->steps[i] = (struct step){.state = STEP_SKIPPED};
			take_commands_back(effects, i);
		}
	return verdict;
}

static enum verdict leave_the_child(STEP_PARAMETERS)
{
	enum verdict verdict = saga_step(STEP_ARGUMENTS);

	for (uint32_t i = 0;
	     verdict == VERDICT_TAKEN && event->type == EVENT_CANCEL && i < after->n_steps; i++)
		if (after->steps[i].state == STEP_UNDOING &&
		    definition->steps[i].form == FORM_SAGA) {
			after->steps[i].state = STEP_NEVER;
			take_commands_back(effects, i);
			after->phase = PHASE_COMPENSATED;
		}
	return verdict;
}

static enum verdict killed_counts_as_refused(STEP_PARAMETERS)
{
	struct event other = *event;

	if (event->type == EVENT_REPLY && event->outcome == OUTCOME_KILLED)
		other.outcome = OUTCOME_REFUSED;
	event = &other;
	return saga_step(STEP_ARGUMENTS);
}

/* --- rows ---------------------------------------------------------------------------- */

static const struct broken_row {
	const char *name;
	const char *line;
	const char *bounds;
	explore_step *step;
	const char *invariant;
	size_t moves; /* of the shortest way there */
} broken_rows[] = {
	{"a step in doubt is forgotten", "a", "", forget_doubt, "kept", 3},
	{"parked counts as undone", "both{a | b}", "", parked_is_undone, "kept", 0},
	{"what was refused is undone", "a b", "", undo_what_was_refused, "not-refused", 4},
	{"undos come in the wrong order", "a both{b | c} d", "", undo_out_of_order,
	 "undo-order", 7},
	{"a pivot is given up without a revoke", "a p:pivot", "", pivot_is_no_pivot,
	 "no-return", 3},
	{"a step starts before the one before it is done", "a b", "", start_early, "order", 3},
	{"a saga completes early", "a b", "", complete_early, "completed", 2},
	{"a cancel kills", "a b", "", kill_by_cancel, "ends", 2},
	{"a back-off has no timer", "a", "", lose_timers, "alive", 2},
	{"a command is not sent", "a b", "", lose_commands, "resumable", 2},
	{"a command is sent that the state does not tell", "a b", "", send_more, "resumable",
	 2},
	{"there is one attempt too many", "a", "", retry_once_more, "retries", 4},
	{"a budget is never spent", "a", "", time_stands_still, "retries", 2},
	{"a stale failure counts", "a", "", take_stale, "answers", 4},
	{"a late ok is dropped", "a", "", drop_late_ok, "answers", 3},
	{"an operator may not skip", "a", "", refuse_skip, "operations", 2},
	{"a skipped step is not undone", "a b", "", waive_for_free, "kept", 2},
	{"a do in doubt is done anew in another round", "p:pivot r:retriable", "",
	 always_new_round, "once", 4},
	{"a paused saga sends", "a b", "", send_when_paused, "paused", 3},
	{"the saga before is changed", "a", "", change_before, "pure", 2},
	{"the revision is wrong", "a", "", count_wrongly, "pure", 2},
	{"the decision depends on more than its input", "a b c", "", decide_by_mood, "pure", 0},
	{"a second element is not undone", "lines:each{a} b", "", forget_second_element, "kept",
	 0},
	{"a second element is never done", "a lines:each{b}", "", skip_all_elements, "order",
	 2},
	{"a child goes on while its parent turns back", "k:child", "", leave_the_child, "kept",
	 2},
	{"a killed child counts as refused", "k:child", "", killed_counts_as_refused, "kept",
	 2},
	{"a back-off has no end", "a", "cancel=0,operator=0", put_off, "end-reachable", 2},
};

static struct explore_report explored(struct definition *definition, const char *bounds,
				      explore_step *step)
{
	struct explore_options options = {.bounds = explore_bounds_default, .step = step};
	struct explore_report report;
	struct diag diag;

	ck_assert_int_eq(explore_bounds_parse(slice_of(bounds), &options.bounds, &diag), OK);
	ck_assert_int_eq(explore(definition, &options, &report, &diag), OK);
	return report;
}

START_TEST(test_broken)
{
	const struct broken_row *row = &broken_rows[_i];
	struct definition *definition = build(row->line);
	struct explore_report report = explored(definition, row->bounds, row->step);

	ck_assert_msg(report.end == EXPLORE_VIOLATION, "%s: %s", row->name,
		      explore_end_text(report.end));
	ck_assert_msg(strcmp(report.invariant->name, row->invariant) == 0, "%s: %s: %s",
		      row->name, report.invariant->name, report.what);
	ck_assert_msg(!row->moves || report.n_lines == row->moves, "%s: %zu moves", row->name,
		      report.n_lines);
	ck_assert_uint_gt(strlen(report.what), 10);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

/* --- expressions that read what is not there ------------------------------------------ */

enum { UNDO_OF_FIRST, DO_OF_LAST, CONDITION_OF_LAST, RESULT };

static const struct reading_row {
	const char *name;
	const char *line;
	const char *bounds;
	int where;
	struct reference reference;
	const char *what; /* NULL: it is right */
} reading_rows[] = {
	{"an undo reads the output of its own do, which is in doubt",
	 "a b",
	 "",
	 UNDO_OF_FIRST,
	 {0, false, false},
	 "an argument of the undo of a reads the output of a, which is not there"},
	{"an undo asks whether there is an output",
	 "a b",
	 "",
	 UNDO_OF_FIRST,
	 {0, true, false},
	 NULL},
	{"an undo reads a later step",
	 "a b",
	 "",
	 UNDO_OF_FIRST,
	 {1, false, false},
	 "an argument of the undo of a reads the output of b, which is not there"},
	{"a do reads a step before it", "a b", "", DO_OF_LAST, {0, false, false}, NULL},
	{"a do reads a step that a condition can skip",
	 "a:when b",
	 "",
	 DO_OF_LAST,
	 {0, false, false},
	 "an argument of b reads the output of a, which is not there"},
	{"a do reads a step whose failure is ignored",
	 "a:ignore b",
	 "",
	 DO_OF_LAST,
	 {0, false, false},
	 "an argument of b reads the output of a, which is not there"},
	{"a condition reads a step beside it",
	 "both{a | b:when}",
	 "",
	 CONDITION_OF_LAST,
	 {1, false, false},
	 "the condition of b reads the output of a, which is not there"},
	{"the result reads a step before the end", "a b", "", RESULT, {1, false, false}, NULL},
	{"the result reads a step that can be skipped",
	 "a b:when",
	 "",
	 RESULT,
	 {1, false, false},
	 "the result of test reads the output of b, which is not there"},
};

START_TEST(test_reading)
{
	const struct reading_row *row = &reading_rows[_i];
	struct definition *definition = build(row->line);
	struct step_definition *first = (struct step_definition *)&definition->steps[0];
	struct step_definition *last =
		(struct step_definition *)&definition->steps[definition->n_steps - 1];
	struct expression expression = {
		.types = TYPE_ANY, .references = &row->reference, .n_references = 1};
	struct template reads = {.kind = TEMPLATE_EXPRESSION, .expression = &expression};
	struct explore_report report;

	definition->name = SLICE_LITERAL("test");
	if (row->where == UNDO_OF_FIRST)
		first->undo.with = &reads;
	else if (row->where == DO_OF_LAST)
		last->call.with = &reads;
	else if (row->where == CONDITION_OF_LAST)
		last->when = &expression;
	else
		definition->output = &reads;
	report = explored(definition, row->bounds, NULL);
	if (row->what) {
		ck_assert_msg(report.end == EXPLORE_VIOLATION, "%s: %s", row->name,
			      explore_end_text(report.end));
		ck_assert_str_eq(report.invariant->name, "arguments");
		ck_assert_str_eq(report.what, row->what);
	} else {
		ck_assert_msg(report.end == EXPLORE_WHOLE, "%s: %s", row->name, report.what);
	}
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

/* --- what a person reads ------------------------------------------------------------------ */

static const struct transcript_row {
	const char *name;
	const char *line;
	const char *bounds;
	explore_step *step;
	const char *what;
	const char *lines[10];
} transcript_rows[] = {
	{
		"a pivot that is not revoked",
		"n:nothing a p:pivot",
		"operator=0",
		pivot_is_no_pivot,
		"a is undone although the pivot p took effect or still may",
		{
			"the saga starts: n is done, a is running; sent: do of a",
			"the answer ok to the do of a arrives: a is done, p is running; sent: "
			"do of p",
			"the do of p gets no answer in time, and the retry budget is spent: "
			"the saga turns back, a is being undone, p is in doubt; sent: undo of "
			"a",
		},
	},
	{
		"undos out of order",
		"a both{b | c} d",
		"",
		undo_out_of_order,
		"b is undone while d, which depends on it, is in effect or still may be",
		{
			"the saga starts: a is running; sent: do of a",
			"the answer ok to the do of a arrives: a is done, both is running, b "
			"is running, c is running; sent: do of b, do of c",
			"the answer ok to the do of b arrives: b is done",
			"an operator skips c: both is done, c is skipped, d is running; sent: "
			"do of d",
			"the do of d gets no answer in time, and the retry budget is spent: "
			"the saga turns back, both is being undone, d is being undone; sent: "
			"undo of d",
			"the undo of d gets no answer in time: d waits for the next attempt of "
			"its undo",
			"the answer ok to the do of c arrives: b is being undone, c is being "
			"undone; sent: undo of b, undo of c",
		},
	},
	{
		"what a condition and a time come to",
		"w:await,for=10,continue u:sleep,for=10 x:when,ignore y:attempts=3",
		"attempts=3,cancel=0,operator=0,signals=0",
		lose_last_timer,
		"y waits for its next attempt (backoff), and no timer runs",
		{
			"the saga starts: w is running",
			"what w awaits does not come in time: w is done, u is running",
			"the time of u is over: u is done, x is skipped, y is running; sent: "
			"do of y",
			"the do of y gets no answer in time: y waits for its next attempt",
			"the next attempt of y is due: y is running; sent: do of y (attempt 2)",
			"the do of y, attempt 2, gets no answer in time: y waits for its next "
			"attempt",
		},
	},
};

START_TEST(test_transcript)
{
	const struct transcript_row *row = &transcript_rows[_i];
	struct definition *definition = build(row->line);
	struct explore_report report = explored(definition, row->bounds, row->step);

	ck_assert_int_eq(report.end, EXPLORE_VIOLATION);
	ck_assert_str_eq(report.what, row->what);
	for (size_t n = 0; n < report.n_lines; n++) {
		ck_assert_msg(row->lines[n] != NULL, "%s: one line more: %s", row->name,
			      report.lines[n]);
		ck_assert_str_eq(report.lines[n], row->lines[n]);
	}
	ck_assert_ptr_null(row->lines[report.n_lines]);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	struct explore_options options = {.bounds = explore_bounds_default,
					  .step = forget_doubt};
	struct definition *definition = build("a both{b | c}");
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct explore_report report;
		enum err err;

		fail_malloc_at(n);
		err = explore(definition, &options, &report, NULL);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		if (err)
			continue;
		ck_assert_int_eq(report.end, EXPLORE_VIOLATION);
		explore_report_release(&report);
	}
	definition_free(definition);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_broken, 0, ROWS(broken_rows));
	tcase_add_loop_test(tcase, test_reading, 0, ROWS(reading_rows));
	tcase_add_loop_test(tcase, test_transcript, 0, ROWS(transcript_rows));
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
}

int main(void)
{
	return suite_run("explore-broken", add);
}
