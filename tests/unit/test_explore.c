/* test_explore.c - the checker on sagas that are right: bounds, ends, what is seen. */
#include "orchestrator/check/explore.h"
#include "tests/lib/build.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"

static struct explore_options options_of(const char *bounds)
{
	struct explore_options options = {.bounds = explore_bounds_default};
	struct diag diag;

	ck_assert_msg(explore_bounds_parse(slice_of(bounds), &options.bounds, &diag) == OK,
		      "%s", diag.text);
	return options;
}

static struct explore_report explored(const struct definition *definition,
				      const struct explore_options *options)
{
	struct explore_report report;
	struct diag diag = {.text = ""};

	ck_assert_msg(explore(definition, options, &report, &diag) == OK, "%s", diag.text);
	return report;
}

/* --- sagas that are right -------------------------------------------------------------- */

/* Arguments that can fail, and name the output of the first step with a guard. */
static const struct reference guarded[] = {{.step = 0, .guarded = true}};
static const struct expression fragile_expression = {
	.types = TYPE_ANY, .can_fail = true, .references = guarded, .n_references = 1};
static const struct template fragile = {.kind = TEMPLATE_EXPRESSION,
					.expression = &fragile_expression};

static void make_fragile(struct definition *definition)
{
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		struct step_definition *step = (struct step_definition *)&definition->steps[i];

		if (step->form == FORM_CALL || step->form == FORM_SAGA)
			step->call.with = &fragile;
		if (step->has_undo)
			step->undo.with = &fragile;
		if (step->form == FORM_AWAIT)
			step->event = SLICE_LITERAL("the-same");
	}
}

static const struct whole_row {
	const char *name;
	const char *line;
	const char *bounds;
} whole_rows[] = {
	{"one step", "a", "attempts=4,cancel=2,operator=3,prune=2"},
	{"a sequence", "a b c", "operator=2"},
	{"an undo alone", "n:nothing a", "operator=2"},
	{"an order: an undo alone, a pivot, steps after it",
	 "n:nothing a p:pivot r:retriable m:retriable,ignore", "operator=2"},
	{"branches that join", "both{a | b} c", ""},
	{"a diamond", "a both{b | c d} e:readonly", ""},
	{"branches with an undo alone", "o{n:nothing a | b} p:pivot", ""},
	{"branches under a condition", "o:when{a | b} c", ""},
	{"branches after the pivot", "a p:pivot all{r:retriable | s:retriable} q:readonly", ""},
	{"a failure that is ignored", "a:ignore b", "operator=2"},
	{"a reading that may fail", "a:readonly,ignore b", "operator=2"},
	{"a condition", "w:when,undo x", "operator=2"},
	{"conditions everywhere", "n:nothing,when a:when p:pivot,when r:retriable,when", ""},
	{"an undo that is skipped when it is exhausted", "a:skip b", "operator=2"},
	{"an await", "a s:await,for=1000 b", "operator=2"},
	{"an await as long as it takes", "a s:await b:readonly", "operator=2"},
	{"an await that goes on", "c:await,for=100,continue a", "operator=2"},
	{"two awaits side by side", "q{s:await | t:await,for=10,continue} a", "signals=2"},
	{"awaits before and after the pivot",
	 "b{a | c} s:await,for=10 p:pivot t:await,for=1000 u:await,for=10,continue", ""},
	{"sleeps", "t:sleep,for=1000 a u:until b", ""},
	{"a network that loses but neither repeats nor delays", "a b p:pivot r:retriable",
	 "dup=0,crash=0"},
	{"an each", "a lines:each{b} p:pivot", "prune=0"},
	{"an each of two steps", "lines:each{b c:readonly} d", "prune=0,operator=0"},
	{"an each of up to three elements", "lines:each{b}", "elements=3,prune=0,operator=0"},
	{"an each of at most one element", "lines:each,max=1{b} c", ""},
	{"an each under a condition", "lines:each,when{b:when} c", "prune=0,operator=0"},
	{"an each after the pivot", "p:pivot lines:each{r:retriable} q:readonly", "prune=0"},
	{"two lists side by side", "both{l:each{a} | m:each{b:readonly}}",
	 "prune=0,operator=0,attempts=1"},
	{"a child saga", "a k:child b", "operator=2,prune=2"},
	{"a child with a key", "k:child,key,when b", "operator=2"},
	{"a child with a pivot, and one after it", "a p:child,pivot r:child,retriable",
	 "operator=2"},
	{"a child for every element", "lines:each{k:child} p:pivot", ""},
	{"nobody does anything", "a b p:pivot r:retriable", "cancel=0,operator=0,prune=0"},
};

START_TEST(test_whole)
{
	const struct whole_row *row = &whole_rows[_i / 4];
	struct explore_options options = options_of(row->bounds);
	struct definition *definition = build(row->line);
	struct explore_report report;

	if (_i & 1)
		make_fragile(definition);
	if (_i & 2)
		definition->deadline_ms = 1000;
	report = explored(definition, &options);
	ck_assert_msg(report.end == EXPLORE_WHOLE, "%s: %s: %s: after %zu moves, %s", row->name,
		      explore_end_text(report.end), report.what ? report.what : "",
		      report.n_lines, report.n_lines ? report.lines[report.n_lines - 1] : "");
	ck_assert_uint_gt(report.states, 20);
	ck_assert_uint_gt(report.transitions, report.states);
	ck_assert_uint_gt(report.depth, 3);
	ck_assert_uint_gt(report.memory, report.states);
	ck_assert(!report.invariant && !report.lines);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

/* --- that it sees everything -------------------------------------------------------------- */

/* By event and verdict, by phase and status, by step state, by what is sent. */
static struct {
	uint32_t verdicts[EVENT_TYPES][4];
	uint32_t statuses[STATUS_KILLED + 1];
	uint32_t states[STEP_STATES];
	uint32_t verbs[VERB_REVOKE + 1];
	uint32_t whys[WHY_KILLED + 1];
	uint8_t step_flags;
	uint8_t saga_flags;
} seen;

static enum verdict watch(const struct definition *definition,
			  const struct evaluator *evaluator, const struct saga *before,
			  const struct event *event, struct arena *arena, struct saga *after,
			  struct effects *effects)
{
	enum verdict verdict =
		saga_step(definition, evaluator, before, event, arena, after, effects);

	seen.verdicts[event->type][verdict]++;
	if (verdict != VERDICT_TAKEN)
		return verdict;
	seen.statuses[saga_status(after)]++;
	seen.saga_flags |= after->flags;
	for (uint32_t n = 0; n < effects->n_commands; n++)
		seen.verbs[effects->commands[n].verb]++;
	for (uint32_t i = 0; i < after->n_steps; i++) {
		seen.states[after->steps[i].state]++;
		seen.whys[after->steps[i].why]++;
		seen.step_flags |= after->steps[i].flags;
	}
	return verdict;
}

START_TEST(test_everything_is_seen)
{
	static const char *const lines[] = {"a:skip w:await,for=10", "b a:when p:pivot",
					    "a lines:each,max=1{k:child}"};
	struct explore_options options = options_of("operator=2");

	options.step = watch;
	for (size_t n = 0; n < sizeof lines / sizeof *lines; n++) {
		struct definition *definition = build(lines[n]);
		struct explore_report report;

		make_fragile(definition);
		definition->deadline_ms = 1000;
		report = explored(definition, &options);
		ck_assert_int_eq(report.end, EXPLORE_WHOLE);
		explore_report_release(&report);
		definition_free(definition);
	}
	for (int type = 0; type < EVENT_TYPES; type++)
		ck_assert_msg(seen.verdicts[type][VERDICT_TAKEN] > 0, "%s is never taken",
			      event_text((enum event_type)type));
	ck_assert_uint_gt(seen.verdicts[EVENT_REPLY][VERDICT_IGNORED], 0);
	ck_assert_uint_gt(seen.verdicts[EVENT_TIMEOUT][VERDICT_IGNORED], 0);
	ck_assert_uint_gt(seen.verdicts[EVENT_DUE][VERDICT_IGNORED], 0);
	ck_assert_uint_gt(seen.verdicts[EVENT_SIGNAL][VERDICT_IGNORED], 0);
	ck_assert_uint_gt(seen.verdicts[EVENT_CANCEL][VERDICT_REFUSED], 0);
	ck_assert_uint_gt(seen.verdicts[EVENT_UNDO][VERDICT_REFUSED], 0);
	for (int status = 0; status <= STATUS_KILLED; status++)
		ck_assert_msg(seen.statuses[status] > 0, "no saga is %s",
			      status_text((enum status)status));
	for (int state = 0; state < STEP_STATES; state++)
		ck_assert_msg(seen.states[state] > 0, "no step is %s",
			      step_state_text((enum step_state)state));
	for (int why = 0; why <= WHY_KILLED; why++)
		ck_assert_msg(seen.whys[why] > 0, "no step is %s", why_text((enum why)why));
	for (int verb = 0; verb <= VERB_REVOKE; verb++)
		ck_assert_uint_gt(seen.verbs[verb], 0);
	ck_assert_uint_eq(seen.step_flags, FLAG_TOUCHED | FLAG_UNANSWERED | FLAG_OUTPUT |
						   FLAG_LATE | FLAG_WAIVED);
	ck_assert_uint_eq(seen.saga_flags,
			  SAGA_PAUSED | SAGA_TURNING | SAGA_OVERDUE | SAGA_REVERSED);
}
END_TEST

START_TEST(test_wider_bounds_see_more)
{
	static const char *const bounds[] = {
		"attempts=1,cancel=0,operator=0,prune=0,dup=0",
		"attempts=2,cancel=0,operator=0,prune=0,dup=0",
		"attempts=2,cancel=1,operator=0,prune=0,dup=0",
		"attempts=2,cancel=1,operator=1,prune=0,dup=0",
		"attempts=2,cancel=1,operator=1,prune=1,elements=2,dup=0",
		"attempts=2,cancel=1,operator=1,prune=1,elements=2,dup=1",
		"attempts=3,cancel=1,operator=1,prune=1,elements=2,dup=1",
	};
	struct definition *definition = build("a:attempts=5 b");
	uint64_t states = 0;

	for (size_t n = 0; n < sizeof bounds / sizeof *bounds; n++) {
		struct explore_options options = options_of(bounds[n]);
		struct explore_report report = explored(definition, &options);

		ck_assert_int_eq(report.end, EXPLORE_WHOLE);
		ck_assert_msg(report.states > states, "%s adds nothing", bounds[n]);
		states = report.states;
		explore_report_release(&report);
	}
	definition_free(definition);
}
END_TEST

/* --- how it stops ------------------------------------------------------------------------- */

START_TEST(test_bound_on_states)
{
	struct explore_options options = options_of("states=500");
	struct definition *definition = build("a b c");
	struct explore_report report = explored(definition, &options);

	ck_assert_int_eq(report.end, EXPLORE_STATES);
	ck_assert_uint_eq(report.states, 500);
	ck_assert_uint_eq(report.bounds.states, 500);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

START_TEST(test_bound_on_memory)
{
	struct explore_options options = options_of("memory=16,operator=3");
	struct definition *definition = build("a both{b | c} d");
	struct explore_report report = explored(definition, &options);

	ck_assert_int_eq(report.end, EXPLORE_MEMORY);
	ck_assert_uint_gt(report.states, 1000);
	ck_assert_uint_lt(report.memory, 18 << 20);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

START_TEST(test_conditions_beyond_number)
{
	struct explore_options options = options_of("");
	struct definition *definition =
		build("all{one{a:when | b:when | c:when | d:when | e:when | f:when} | "
		      "two{g:when | h:when | i:when | j:when | k:when | l:when} | "
		      "three{m:when | n:when | o:when | p:when | q:when | r:when}}");
	struct explore_report report = explored(definition, &options);

	ck_assert_int_eq(report.end, EXPLORE_CHOICES);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

static bool count_down(void *context, uint64_t states, uint64_t transitions, uint32_t depth)
{
	int *left = context;

	ck_assert_uint_gt(states, 0);
	ck_assert_uint_gt(transitions, 0);
	ck_assert_uint_lt(depth, 100);
	return --*left > 0;
}

START_TEST(test_caller_stops_it)
{
	struct explore_options options = options_of("");
	struct definition *definition = build("a both{b | c} d");
	struct explore_report report;
	int left = 2;

	options.progress = count_down;
	options.context = &left;
	report = explored(definition, &options);
	ck_assert_int_eq(report.end, EXPLORE_STOPPED);
	ck_assert_int_eq(left, 0);
	explore_report_release(&report);
	definition_free(definition);
}
END_TEST

START_TEST(test_every_allocation_fails_in_turn)
{
	struct explore_options options = options_of("operator=0");
	struct definition *definition = build("a:when s:await b");
	bool fired = true;

	for (size_t n = 0; fired; n++) {
		struct explore_report report;
		enum err err;

		fail_malloc_at(n);
		err = explore(definition, &options, &report, NULL);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		if (!err)
			explore_report_release(&report);
	}
	definition_free(definition);
}
END_TEST

/* --- bounds as text ----------------------------------------------------------------------- */

static const struct bounds_row {
	const char *name;
	const char *text;
	const char *written; /* or the words that the diag must have */
	bool right;
} bounds_rows[] = {
	{"nothing changes nothing", "",
	 "attempts=2,cancel=1,operator=1,signals=1,prune=1,elements=2,dup=1,crash=1,states="
	 "4000000,"
	 "memory=2048",
	 true},
	{"each one can be set",
	 "memory=99,states=8,crash=0,dup=0,elements=1,prune=3,signals=2,operator=3,cancel=4,"
	 "attempts=7",
	 "attempts=7,cancel=4,operator=3,signals=2,prune=3,elements=1,dup=0,crash=0,states=8,"
	 "memory=99",
	 true},
	{"the last one counts", "dup=0,dup=3",
	 "attempts=2,cancel=1,operator=1,signals=1,prune=1,elements=2,dup=3,crash=1,states="
	 "4000000,"
	 "memory=2048",
	 true},
	{"an unknown name", "cancel=1,retries=2",
	 "`retries`; use one of attempts, cancel, operator", false},
	{"a name without a number", "cancel", "`cancel` is not possible; write cancel=N",
	 false},
	{"an empty number", "cancel=", "from 0 to 15", false},
	{"no number", "states=many", "`states=many`", false},
	{"a negative number", "cancel=-1", "`cancel=-1`", false},
	{"too large a number", "operator=4", "from 0 to 3", false},
	{"far too large a number", "states=99999999999999999999", "from 1 to 1000000000",
	 false},
	{"too small a number", "attempts=0", "from 1 to 100", false},
	{"a blank", "dup=1, crash=1", "` crash`", false},
	{"two commas", "dup=1,,crash=1", "called ``", false},
	{"a comma at the end", "dup=1,", "last comma", false},
};

START_TEST(test_bounds)
{
	const struct bounds_row *row = &bounds_rows[_i];
	struct explore_bounds bounds = explore_bounds_default;
	struct bytes written = BYTES(1000, NULL);
	struct diag diag = {.text = ""};
	enum err err = explore_bounds_parse(slice_of(row->text), &bounds, &diag);

	ck_assert_msg(err == (row->right ? OK : ERR_INVALID), "%s: %s", row->name, diag.text);
	explore_bounds_write(&written, row->right ? &bounds : &explore_bounds_default);
	bytes_add(&written, '\0');
	ck_assert(!written.err);
	if (row->right)
		ck_assert_str_eq(written.at, row->written);
	else
		ck_assert_msg(strstr(diag.text, row->written) != NULL, "%s: %s", row->name,
			      diag.text);
	if (!row->right)
		ck_assert(memcmp(&bounds, &explore_bounds_default, sizeof bounds) == 0);
	bytes_release(&written);
}
END_TEST

START_TEST(test_bounds_beyond_counting)
{
	struct explore_options options = {.bounds = explore_bounds_default};
	struct definition *definition = build("a");
	struct explore_report report;
	struct diag diag;

	options.bounds.operations = 4;
	ck_assert_int_eq(explore(definition, &options, &report, &diag), ERR_TOO_LARGE);
	ck_assert(strstr(diag.text, "bounds") != NULL);
	definition_free(definition);
}
END_TEST

START_TEST(test_texts)
{
	for (size_t n = 0; n < explore_n_invariants; n++) {
		ck_assert_ptr_nonnull(explore_invariants[n].name);
		ck_assert_ptr_nonnull(explore_invariants[n].sentence);
		ck_assert(!strstr(explore_invariants[n].sentence, "prove"));
	}
	for (int end = EXPLORE_WHOLE; end <= EXPLORE_VIOLATION; end++)
		ck_assert_uint_gt(strlen(explore_end_text((enum explore_end)end)), 5);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_whole, 0, 4 * ROWS(whole_rows));
	tcase_add_test(tcase, test_everything_is_seen);
	tcase_add_test(tcase, test_wider_bounds_see_more);
	tcase_add_test(tcase, test_bound_on_states);
	tcase_add_test(tcase, test_bound_on_memory);
	tcase_add_test(tcase, test_conditions_beyond_number);
	tcase_add_test(tcase, test_caller_stops_it);
	tcase_add_test(tcase, test_every_allocation_fails_in_turn);
	tcase_add_loop_test(tcase, test_bounds, 0, ROWS(bounds_rows));
	tcase_add_test(tcase, test_bounds_beyond_counting);
	tcase_add_test(tcase, test_texts);
}

int main(void)
{
	return suite_run("explore", add);
}
