/* test_describe.c - what timelines say. */
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
	{"line breaks and control characters become blanks",
	 ENTRY(OPERATION, NO_STEP, ACTOR("a\r\nb\x1b[31m"),
	       DETAIL("x\0y\x7fz\xc2\x9b|\xc2\xa9")),
	 "operation by a  b [31m: x y z |\xc2\xa9"},
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

/* A euro sign lies across the limit: it is left out whole. */
START_TEST(test_long_texts_are_cut)
{
	struct bytes bytes = BYTES(MAX, NULL);
	char expected[256] = "operation: ";
	char reason[300];

	memset(reason, 'r', sizeof reason);
	memcpy(reason + 199, "\xe2\x82\xac", 3);
	memset(expected + 11, 'r', 199);
	memcpy(expected + 11 + 199, "...", 4);
	describe_entry(&order, NULL,
		       &(struct entry){.type = ENTRY_OPERATION,
				       .step = NO_STEP,
				       .detail = {reason, sizeof reason}},
		       &bytes);
	assert_line("cut", &bytes, expected);
	describe_entry(&order, NULL,
		       &(struct entry){.type = ENTRY_OPERATION,
				       .step = NO_STEP,
				       .detail = SLICE_LITERAL("rrr")},
		       &bytes);
	assert_line("not cut", &bytes, "operation: rrr");
}
END_TEST

/* A new type must not go by without a line of its own. */
START_TEST(test_every_type_says_something)
{
	struct bytes bytes = BYTES(MAX, NULL);

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

	describe_entry(&order, NULL, &entry_rows[0].entry, &bytes);
	ck_assert_int_eq(bytes.err, ERR_TOO_LARGE);
	bytes_release(&bytes);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_entry, 0, ROWS(entry_rows));
	tcase_add_test(tcase, test_long_texts_are_cut);
	tcase_add_test(tcase, test_every_type_says_something);
	tcase_add_test(tcase, test_a_full_buffer_says_so);
}

int main(void)
{
	return suite_run("describe", add);
}
