/* test_describe.c - what log, command line and transcripts say. */
#include "orchestrator/core/describe.h"
#include "tests/lib/suite.h"

enum { MAX = 1 << 20 };

/* --- the definition that they are about --------------------------------------------- */

enum { RESERVE, SHIP, APPROVE, COOL, CHARGE, CONFIRM, N_STEPS };

#define CALLS(to, what)                                                          \
	{                                                                        \
		.participant = SLICE_LITERAL(to), .command = SLICE_LITERAL(what) \
	}

static const struct step_definition steps[N_STEPS] = {
	[RESERVE] = {.name = SLICE_LITERAL("reserve"),
		     .form = FORM_CALL,
		     .call = CALLS("inventory", "reserve"),
		     .has_undo = true,
		     .undo = CALLS("inventory", "release")},
	[SHIP] = {.name = SLICE_LITERAL("ship"), .form = FORM_PARALLEL, .kind = KIND_NONE},
	[APPROVE] = {.name = SLICE_LITERAL("approve"),
		     .form = FORM_AWAIT,
		     .kind = KIND_NONE,
		     .event = SLICE_LITERAL("approved")},
	[COOL] = {.name = SLICE_LITERAL("cool"), .form = FORM_SLEEP, .kind = KIND_NONE},
	[CHARGE] = {.name = SLICE_LITERAL("charge"),
		    .form = FORM_CALL,
		    .kind = KIND_PIVOT,
		    .call = CALLS("payment", "charge")},
	[CONFIRM] = {.name = SLICE_LITERAL("confirm"),
		     .form = FORM_CALL,
		     .kind = KIND_RETRIABLE,
		     .call = CALLS("notification", "confirm")},
};

static const struct definition order = {
	.name = SLICE_LITERAL("order"),
	.steps = steps,
	.n_steps = N_STEPS,
	.pivot = CHARGE,
};

static void assert_line(const char *name, struct bytes *bytes, const char *expected)
{
	ck_assert_int_eq(bytes->err, OK);
	bytes_add(bytes, '\0');
	ck_assert_msg(strcmp(bytes->at, expected) == 0, "%s:\n  is:        %s\n  should be: %s",
		      name, bytes->at, expected);
	bytes_release(bytes);
}

/* --- sagas --------------------------------------------------------------------------- */

static const struct error declined = {SLICE_LITERAL("card_declined"),
				      SLICE_LITERAL("no money")};
static const struct error cancelled = {SLICE_LITERAL("cancelled"),
				       SLICE_LITERAL("the customer called")};

static const struct saga_row {
	const char *name;
	uint8_t phase;
	uint8_t flags;
	uint32_t failure_step;
	const struct error *failure;
	struct step steps[N_STEPS];
	const char *line;
} saga_rows[] = {
	{"a running saga",
	 PHASE_FORWARD,
	 0,
	 NO_STEP,
	 NULL,
	 {{.state = STEP_DONE, .attempt = 1},
	  {.state = STEP_DONE},
	  {.state = STEP_DONE},
	  {.state = STEP_DONE},
	  {.state = STEP_RUNNING, .attempt = 1},
	  {.state = STEP_WAITING}},
	 "running: reserve done, ship done, approve done, cool done, "
	 "charge running (do, attempt 1), confirm waiting"},
	{"what is no call has no attempt",
	 PHASE_FORWARD,
	 0,
	 NO_STEP,
	 NULL,
	 {{.state = STEP_BACKOFF, .attempt = 12, .do_round = 1},
	  {.state = STEP_RUNNING},
	  {.state = STEP_RUNNING},
	  {.state = STEP_RUNNING},
	  {.state = STEP_WAITING},
	  {.state = STEP_WAITING}},
	 "running: reserve backoff (do, attempt 12, round 1), ship running, approve running, "
	 "cool running, charge waiting, confirm waiting"},
	{"every reason",
	 PHASE_FORWARD,
	 SAGA_PAUSED | SAGA_TURNING | SAGA_OVERDUE,
	 NO_STEP,
	 NULL,
	 {{.state = STEP_SKIPPED, .why = WHY_OPERATOR},
	  {.state = STEP_SKIPPED, .why = WHY_CONDITION},
	  {.state = STEP_REFUSED, .why = WHY_TIMEOUT},
	  {.state = STEP_SKIPPED, .why = WHY_EXPRESSION},
	  {.state = STEP_RUNNING, .verb = VERB_REVOKE, .attempt = 6},
	  {.state = STEP_WAITING}},
	 "running, paused, wants to turn back, overdue: reserve skipped (operator), "
	 "ship skipped (condition), approve refused (timeout), cool skipped (expression), "
	 "charge running (revoke, attempt 6), confirm waiting"},
	{"a compensating saga and the step that failed",
	 PHASE_BACK,
	 0,
	 CHARGE,
	 &declined,
	 {{.state = STEP_UNDO_BACKOFF,
	   .verb = VERB_UNDO,
	   .attempt = 2,
	   .undo_round = 3,
	   .do_round = 1},
	  {.state = STEP_UNDOING},
	  {.state = STEP_UNDONE},
	  {.state = STEP_UNDONE},
	  {.state = STEP_REFUSED, .why = WHY_REFUSED, .attempt = 1},
	  {.state = STEP_NEVER}},
	 "compensating: reserve undo-backoff (undo, attempt 2, round 3), ship undoing, "
	 "approve undone, cool undone, charge refused, confirm never; because of charge: "
	 "card_declined: no money"},
	{"parked on the way back, after a cancel",
	 PHASE_BACK,
	 0,
	 NO_STEP,
	 &cancelled,
	 {{.state = STEP_PARKED, .verb = VERB_UNDO, .why = WHY_EXHAUSTED, .attempt = 9},
	  {.state = STEP_UNDONE},
	  {.state = STEP_UNDONE},
	  {.state = STEP_UNDONE},
	  {.state = STEP_IN_DOUBT, .why = WHY_EXHAUSTED, .attempt = 5},
	  {.state = STEP_NEVER}},
	 "parked, compensating: reserve parked (undo, attempt 9, exhausted), ship undone, "
	 "approve undone, cool undone, charge in doubt (exhausted), confirm never; because: "
	 "cancelled: the customer called"},
	{"parked on the way forward before anything was sent",
	 PHASE_FORWARD,
	 0,
	 NO_STEP,
	 NULL,
	 {{.state = STEP_DONE},
	  {.state = STEP_DONE},
	  {.state = STEP_DONE},
	  {.state = STEP_DONE},
	  {.state = STEP_DONE, .attempt = 1},
	  {.state = STEP_PARKED, .why = WHY_EXPRESSION}},
	 "parked: reserve done, ship done, approve done, cool done, charge done, "
	 "confirm parked (expression)"},
	{"a killed saga says nothing of what it was about to do",
	 PHASE_KILLED,
	 SAGA_PAUSED | SAGA_TURNING,
	 NO_STEP,
	 NULL,
	 {{.state = STEP_DONE}},
	 "killed: reserve done, ship waiting, approve waiting, cool waiting, charge waiting, "
	 "confirm waiting"},
};

START_TEST(test_saga)
{
	const struct saga_row *row = &saga_rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);
	struct step copy[N_STEPS];
	struct saga saga = {.id = SLICE_LITERAL("a"),
			    .phase = row->phase,
			    .flags = row->flags,
			    .revision = 1,
			    .failure_step = row->failure_step,
			    .failure = row->failure,
			    .steps = copy,
			    .n_steps = N_STEPS};

	memcpy(copy, row->steps, sizeof copy);
	describe_saga(&order, &saga, &bytes);
	assert_line(row->name, &bytes, row->line);
}
END_TEST

/* --- events -------------------------------------------------------------------------- */

static const struct event_row {
	const char *name;
	struct event event;
	const char *line;
} event_rows[] = {
	{"an ok",
	 {.type = EVENT_REPLY, .step = RESERVE, .attempt = 2, .payload = SLICE_LITERAL("{}")},
	 "reserve: do answered ok (attempt 2)"},
	{"a refusal with its reason",
	 {.type = EVENT_REPLY,
	  .step = CHARGE,
	  .attempt = 1,
	  .outcome = OUTCOME_REFUSED,
	  .error = {SLICE_LITERAL("card_declined"), SLICE_LITERAL("no money")}},
	 "charge: do answered refused (attempt 1): card_declined: no money"},
	{"a failure with a message alone, in a later round",
	 {.type = EVENT_REPLY,
	  .step = RESERVE,
	  .verb = VERB_UNDO,
	  .round = 2,
	  .attempt = 7,
	  .outcome = OUTCOME_FAILED,
	  .error = {.message = SLICE_LITERAL("database is down")}},
	 "reserve: undo answered failed (attempt 7, round 2): database is down"},
	{"expired",
	 {.type = EVENT_REPLY,
	  .step = CHARGE,
	  .verb = VERB_REVOKE,
	  .attempt = 3,
	  .outcome = OUTCOME_EXPIRED},
	 "charge: revoke answered expired (attempt 3)"},
	{"a reply about a step that there is not",
	 {.type = EVENT_REPLY, .step = N_STEPS, .attempt = 1},
	 "step 6: do answered ok (attempt 1)"},
	{"a timeout",
	 {.type = EVENT_TIMEOUT, .step = CHARGE, .attempt = 4},
	 "charge: do got no answer in time (attempt 4)"},
	{"the end of a back-off",
	 {.type = EVENT_DUE, .step = RESERVE, .verb = VERB_UNDO, .attempt = 4},
	 "reserve: undo can be tried again (attempt 4)"},
	{"the end of a sleep", {.type = EVENT_DUE, .step = COOL}, "cool: the sleep is over"},
	{"the end of an await",
	 {.type = EVENT_DUE, .step = APPROVE},
	 "approve: approved did not come in time"},
	{"the deadline", {.type = EVENT_DEADLINE}, "the saga's deadline passed"},
	{"a signal",
	 {.type = EVENT_SIGNAL,
	  .name = SLICE_LITERAL("approved"),
	  .id = SLICE_LITERAL("sig-1"),
	  .actor = SLICE_LITERAL("alice"),
	  .payload = SLICE_LITERAL("{\"secret\":1}")},
	 "signal approved (sig-1) by alice"},
	{"a cancel",
	 {.type = EVENT_CANCEL,
	  .actor = SLICE_LITERAL("alice"),
	  .reason = SLICE_LITERAL("the customer called")},
	 "cancel by alice: the customer called"},
	{"a cancel by nobody", {.type = EVENT_CANCEL}, "cancel"},
	{"an undo", {.type = EVENT_UNDO, .actor = SLICE_LITERAL("bob")}, "undo by bob"},
	{"a pause", {.type = EVENT_PAUSE, .reason = SLICE_LITERAL("lunch")}, "pause: lunch"},
	{"a resume", {.type = EVENT_RESUME}, "resume"},
	{"a retry of all", {.type = EVENT_RETRY, .step = NO_STEP}, "retry"},
	{"a retry of one step",
	 {.type = EVENT_RETRY, .step = CHARGE, .actor = SLICE_LITERAL("bob")},
	 "retry of charge by bob"},
	{"a skip",
	 {.type = EVENT_SKIP, .step = CONFIRM, .actor = SLICE_LITERAL("bob")},
	 "skip of confirm by bob"},
	{"a skip with an output, which is not shown",
	 {.type = EVENT_SKIP, .step = CONFIRM, .payload = SLICE_LITERAL("{\"secret\":1}")},
	 "skip of confirm with an output"},
	{"a kill",
	 {.type = EVENT_KILL,
	  .actor = SLICE_LITERAL("carol"),
	  .reason = SLICE_LITERAL("written off")},
	 "kill by carol: written off"},
	{"line breaks and control characters become blanks",
	 {.type = EVENT_KILL,
	  .actor = SLICE_LITERAL("a\r\nb\x1b[31m"),
	  .reason = SLICE_LITERAL("x\0y\x7fz\xc2\x9b|\xc2\xa9")},
	 "kill by a  b [31m: x y z |\xc2\xa9"},
};

START_TEST(test_event)
{
	const struct event_row *row = &event_rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);

	describe_event(&order, NULL, &row->event, &bytes);
	assert_line(row->name, &bytes, row->line);
}
END_TEST

/* A euro sign lies across the limit: it is left out whole. */
START_TEST(test_long_texts_are_cut)
{
	struct bytes bytes = BYTES(MAX, NULL);
	char expected[256] = "cancel: ";
	char reason[300];

	memset(reason, 'r', sizeof reason);
	memcpy(reason + 199, "\xe2\x82\xac", 3);
	memset(expected + 8, 'r', 199);
	memcpy(expected + 8 + 199, "...", 4);
	describe_event(&order, NULL,
		       &(struct event){.type = EVENT_CANCEL, .reason = {reason, sizeof reason}},
		       &bytes);
	assert_line("cut", &bytes, expected);
	describe_event(&order, NULL,
		       &(struct event){.type = EVENT_CANCEL, .reason = {"rrr", 3}}, &bytes);
	assert_line("not cut", &bytes, "cancel: rrr");
}
END_TEST

/* --- commands ------------------------------------------------------------------------ */

static const struct command_row {
	const char *name;
	struct command command;
	const char *line;
} command_rows[] = {
	{"a do",
	 {.step = RESERVE, .attempt = 1, .args = SLICE_LITERAL("{\"secret\":1}")},
	 "send do of reserve to inventory.reserve (attempt 1)"},
	{"an undo goes to the undo's command",
	 {.step = RESERVE, .verb = VERB_UNDO, .attempt = 2, .round = 1},
	 "send undo of reserve to inventory.release (attempt 2, round 1)"},
	{"a revoke goes where the do went",
	 {.step = CHARGE, .verb = VERB_REVOKE, .attempt = 6},
	 "send revoke of charge to payment.charge (attempt 6)"},
	{"a step that there is not",
	 {.step = 99, .attempt = 1},
	 "send do of step 99 (attempt 1)"},
};

START_TEST(test_command)
{
	const struct command_row *row = &command_rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);

	describe_command(&order, NULL, &row->command, &bytes);
	assert_line(row->name, &bytes, row->line);
}
END_TEST

/* --- entries ------------------------------------------------------------------------- */

#define ENTRY(of, about, ...)                                    \
	{                                                        \
		.type = ENTRY_##of, .step = (about), __VA_ARGS__ \
	}
#define DETAIL(text) .detail = SLICE_LITERAL(text)
#define ACTOR(text)  .actor = SLICE_LITERAL(text)

static const struct entry_row {
	const char *name;
	struct entry entry;
	const char *line;
} entry_rows[] = {
	{"a start", ENTRY(STARTED, NO_STEP, .attempt = 0), "the saga starts"},
	{"a start by somebody", ENTRY(STARTED, NO_STEP, ACTOR("alice")),
	 "the saga starts by alice"},
	{"sent", ENTRY(SENT, RESERVE, .attempt = 2), "reserve: do sent (attempt 2)"},
	{"an undo of the last step", ENTRY(SENT, CONFIRM, .verb = VERB_UNDO, .attempt = 1),
	 "confirm: undo sent (attempt 1)"},
	{"the one who caused it is not repeated",
	 ENTRY(SENT, RESERVE, .attempt = 2, ACTOR("alice")), "reserve: do sent (attempt 2)"},
	{"ok", ENTRY(OK, RESERVE, .attempt = 1), "reserve: do answered ok (attempt 1)"},
	{"refused", ENTRY(REFUSED, CHARGE, .attempt = 1, DETAIL("card_declined")),
	 "charge: do answered refused (attempt 1): card_declined"},
	{"failed", ENTRY(FAILED, CHARGE, .attempt = 1, DETAIL("io")),
	 "charge: do answered failed (attempt 1): io"},
	{"expired", ENTRY(EXPIRED, CHARGE, .verb = VERB_REVOKE, .attempt = 1),
	 "charge: revoke answered expired (attempt 1)"},
	{"no answer", ENTRY(TIMEOUT, CHARGE, .attempt = 3),
	 "charge: do got no answer in time (attempt 3)"},
	{"no event", ENTRY(TIMEOUT, APPROVE, DETAIL("approved")),
	 "approve: approved did not come in time"},
	{"too late", ENTRY(LATE_OK, RESERVE, .verb = VERB_UNDO, .attempt = 1),
	 "reserve: do answered ok, too late"},
	{"an await begins", ENTRY(ENTERED, APPROVE, DETAIL("approved")),
	 "approve: awaits approved"},
	{"an await ends", ENTRY(LEFT, APPROVE, DETAIL("approved")), "approve: approved came"},
	{"an await goes on", ENTRY(LEFT, APPROVE, .attempt = 0),
	 "approve: approved did not come in time, the saga goes on"},
	{"a sleep begins", ENTRY(ENTERED, COOL, .attempt = 0), "cool: sleeps"},
	{"a sleep ends", ENTRY(LEFT, COOL, .attempt = 0), "cool: the sleep is over"},
	{"branches begin", ENTRY(ENTERED, SHIP, .attempt = 0), "ship: its branches begin"},
	{"branches end", ENTRY(LEFT, SHIP, .attempt = 0), "ship: its branches are through"},
	{"skipped", ENTRY(SKIPPED, CONFIRM, DETAIL("condition")),
	 "confirm: skipped (condition)"},
	{"in doubt", ENTRY(IN_DOUBT, CHARGE, .attempt = 5),
	 "charge: in doubt, it may have happened"},
	{"parked", ENTRY(PARKED, RESERVE, .verb = VERB_UNDO, DETAIL("exhausted")),
	 "reserve: undo parked (exhausted)"},
	{"an expression failed", ENTRY(ERROR, CHARGE, DETAIL("12:3: division by zero")),
	 "charge: an expression failed: 12:3: division by zero"},
	{"it turns back because of a step", ENTRY(TURNED, CHARGE, DETAIL("card_declined")),
	 "the saga turns back because of charge: card_declined"},
	{"it turns back because of a cancel", ENTRY(TURNED, NO_STEP, DETAIL("cancelled")),
	 "the saga turns back: cancelled"},
	{"it goes on", ENTRY(WENT_ON, CHARGE, .attempt = 0),
	 "the saga goes on: it has passed charge"},
	{"the deadline", ENTRY(DEADLINE, NO_STEP, .attempt = 0), "the saga's deadline passed"},
	{"a signal", ENTRY(SIGNAL, NO_STEP, DETAIL("approved"), ACTOR("bob")),
	 "signal approved by bob"},
	{"an operation on the saga", ENTRY(OPERATION, NO_STEP, DETAIL("cancel"), ACTOR("bob")),
	 "operation by bob: cancel"},
	{"an operation on a step", ENTRY(OPERATION, CHARGE, DETAIL("retry")),
	 "charge: operation: retry"},
	{"the end", ENTRY(ENDED, NO_STEP, DETAIL("compensated")),
	 "the saga ended: compensated"},
	{"a step that there is not", ENTRY(SENT, 99, .attempt = 1),
	 "step 99: do sent (attempt 1)"},
	{"an await of a step that there is not", ENTRY(ENTERED, 99, .attempt = 0),
	 "step 99: its branches begin"},
};

START_TEST(test_entry)
{
	const struct entry_row *row = &entry_rows[_i];
	struct bytes bytes = BYTES(MAX, NULL);

	describe_entry(&order, NULL, &row->entry, &bytes);
	assert_line(row->name, &bytes, row->line);
}
END_TEST

/* A new type must not go by without a line of its own. */
START_TEST(test_every_type_says_something)
{
	struct bytes bytes = BYTES(MAX, NULL);

	for (unsigned type = 0; type < EVENT_TYPES; type++) {
		bytes_clear(&bytes);
		describe_event(&order, NULL, &(struct event){.type = (enum event_type)type},
			       &bytes);
		ck_assert_uint_gt(bytes.len, 0);
	}
	for (unsigned type = ENTRY_STARTED; type <= ENTRY_ENDED; type++) {
		bytes_clear(&bytes);
		describe_entry(&order, NULL,
			       &(struct entry){.type = (enum entry_type)type, .step = NO_STEP},
			       &bytes);
		ck_assert_uint_gt(bytes.len, 0);
	}
	bytes_release(&bytes);
}
END_TEST

START_TEST(test_a_full_buffer_says_so)
{
	struct bytes bytes = BYTES(10, NULL);

	describe_command(&order, NULL, &command_rows[0].command, &bytes);
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	bytes_release(&bytes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_saga, 0, ROWS(saga_rows));
	tcase_add_loop_test(tcase, test_event, 0, ROWS(event_rows));
	tcase_add_test(tcase, test_long_texts_are_cut);
	tcase_add_loop_test(tcase, test_command, 0, ROWS(command_rows));
	tcase_add_loop_test(tcase, test_entry, 0, ROWS(entry_rows));
	tcase_add_test(tcase, test_every_type_says_something);
	tcase_add_test(tcase, test_a_full_buffer_says_so);
}

int main(void)
{
	return suite_run("describe", add);
}
