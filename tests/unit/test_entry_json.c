/* test_entry_json.c - each kind of entry of a timeline as JSON: `skald show --json`, the
 * streams of the gateway and the events of the bus have it so. */
#include "orchestrator/core/timeline.h"
#include "orchestrator/explain/entry_json.h"
#include "tests/lib/suite.h"

enum { RESERVE, APPROVE, CHARGE, N_STEPS };

#define CALLS(to, what)                                                          \
	{                                                                        \
		.participant = SLICE_LITERAL(to), .command = SLICE_LITERAL(what) \
	}

static const struct step_definition steps[N_STEPS] = {
	[RESERVE] = {.name = SLICE_LITERAL("reserve"),
		     .form = FORM_CALL,
		     .each = NO_STEP,
		     .call = CALLS("inventory", "reserve"),
		     .has_undo = true,
		     .undo = CALLS("inventory", "release")},
	[APPROVE] = {.name = SLICE_LITERAL("approve"),
		     .form = FORM_AWAIT,
		     .each = NO_STEP,
		     .kind = KIND_NONE,
		     .event = SLICE_LITERAL("approved")},
	[CHARGE] = {.name = SLICE_LITERAL("charge"),
		    .form = FORM_CALL,
		    .each = NO_STEP,
		    .kind = KIND_PIVOT,
		    .call = CALLS("payment", "charge")},
};

static const struct definition order = {
	.name = SLICE_LITERAL("order"),
	.steps = steps,
	.n_steps = N_STEPS,
	.pivot = CHARGE,
};

static const struct saga saga = {.n_steps = N_STEPS};

#define TEXT SLICE_LITERAL
#define WHEN 1763715600250
#define AT   "{\"at\":\"2025-11-21T09:00:00.250Z\",\"what\":"

static const struct row {
	struct entry entry; /* in the order of enum entry_type */
	const char *json;
} rows[] = {
	{{.at_ms = WHEN, .type = ENTRY_STARTED, .step = NO_STEP, .actor = TEXT("shop")},
	 AT "\"started\",\"step\":null,\"verb\":null,\"attempt\":null,\"detail\":null,"
	    "\"actor\":\"shop\",\"text\":\"the saga starts by shop\"}"},
	{{.at_ms = WHEN, .type = ENTRY_SENT, .step = CHARGE, .attempt = 1},
	 AT "\"sent\",\"step\":\"charge\",\"verb\":\"do\",\"attempt\":1,\"detail\":null,"
	    "\"actor\":null,\"text\":\"charge: do sent (attempt 1)\"}"},
	{{.at_ms = WHEN, .type = ENTRY_OK, .step = CHARGE, .attempt = 2},
	 AT "\"ok\",\"step\":\"charge\",\"verb\":\"do\",\"attempt\":2,\"detail\":null,"
	    "\"actor\":null,\"text\":\"charge: do answered ok (attempt 2)\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_REFUSED,
	  .step = CHARGE,
	  .attempt = 1,
	  .detail = TEXT("card_declined: \"no\" money")},
	 AT "\"refused\",\"step\":\"charge\",\"verb\":\"do\",\"attempt\":1,\"detail\":\"card_"
	    "declined: \\\"no\\\" money\",\"actor\":null,\"text\":\"charge: do answered "
	    "refused (attempt 1): card_declined: \\\"no\\\" money\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_FAILED,
	  .step = RESERVE,
	  .verb = VERB_UNDO,
	  .attempt = 3,
	  .detail = TEXT("db: is away")},
	 AT "\"failed\",\"step\":\"reserve\",\"verb\":\"undo\",\"attempt\":3,\"detail\":\"db: "
	    "is away\",\"actor\":null,\"text\":\"reserve: undo answered failed (attempt 3): "
	    "db: is away\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_EXPIRED,
	  .step = RESERVE,
	  .verb = VERB_UNDO,
	  .attempt = 1},
	 AT "\"expired\",\"step\":\"reserve\",\"verb\":\"undo\",\"attempt\":1,\"detail\":null,"
	    "\"actor\":null,\"text\":\"reserve: undo answered expired (attempt 1)\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_TIMEOUT,
	  .step = CHARGE,
	  .verb = VERB_REVOKE,
	  .attempt = 2},
	 AT "\"timeout\",\"step\":\"charge\",\"verb\":\"revoke\",\"attempt\":2,\"detail\":null,"
	    "\"actor\":null,\"text\":\"charge: revoke got no answer in time (attempt 2)\"}"},
	{{.at_ms = WHEN, .type = ENTRY_LATE_OK, .step = RESERVE, .attempt = 1},
	 AT "\"late "
	    "ok\",\"step\":\"reserve\",\"verb\":\"do\",\"attempt\":1,\"detail\":null,\"actor\":"
	    "null,\"text\":\"reserve: do answered ok, too late\"}"},
	{{.at_ms = WHEN, .type = ENTRY_ENTERED, .step = APPROVE, .detail = TEXT("approved")},
	 AT "\"entered\",\"step\":\"approve\",\"verb\":null,\"attempt\":null,\"detail\":"
	    "\"approved\",\"actor\":null,\"text\":\"approve: awaits approved\"}"},
	{{.at_ms = WHEN, .type = ENTRY_LEFT, .step = APPROVE, .detail = TEXT("approved")},
	 AT "\"left\",\"step\":\"approve\",\"verb\":null,\"attempt\":null,\"detail\":"
	    "\"approved\",\"actor\":null,\"text\":\"approve: approved came\"}"},
	{{.at_ms = WHEN, .type = ENTRY_SKIPPED, .step = APPROVE, .detail = TEXT("condition")},
	 AT "\"skipped\",\"step\":\"approve\",\"verb\":null,\"attempt\":null,\"detail\":"
	    "\"condition\",\"actor\":null,\"text\":\"approve: skipped (condition)\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_IN_DOUBT,
	  .step = RESERVE,
	  .attempt = 6,
	  .detail = TEXT("exhausted")},
	 AT
	 "\"in "
	 "doubt\",\"step\":\"reserve\",\"verb\":\"do\",\"attempt\":6,\"detail\":\"exhausted\","
	 "\"actor\":null,\"text\":\"reserve: in doubt, it may have happened (exhausted)\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_PARKED,
	  .step = RESERVE,
	  .verb = VERB_UNDO,
	  .attempt = 9,
	  .detail = TEXT("exhausted")},
	 AT "\"parked\",\"step\":\"reserve\",\"verb\":\"undo\",\"attempt\":9,\"detail\":"
	    "\"exhausted\",\"actor\":null,\"text\":\"reserve: undo parked (exhausted)\"}"},
	{{.at_ms = WHEN, .type = ENTRY_ERROR, .step = RESERVE, .detail = TEXT("with: 1 / 0")},
	 AT "\"error\",\"step\":\"reserve\",\"verb\":null,\"attempt\":null,\"detail\":\"with: "
	    "1 / 0\",\"actor\":null,\"text\":\"reserve: an expression failed: with: 1 / 0\"}"},
	{{.at_ms = WHEN, .type = ENTRY_TURNED, .step = CHARGE, .detail = TEXT("card_declined")},
	 AT "\"turned "
	    "back\",\"step\":\"charge\",\"verb\":null,\"attempt\":null,\"detail\":\"card_"
	    "declined\",\"actor\":null,\"text\":\"the saga turns back because of charge: "
	    "card_declined\"}"},
	{{.at_ms = WHEN, .type = ENTRY_WENT_ON, .step = CHARGE},
	 AT "\"went "
	    "on\",\"step\":\"charge\",\"verb\":null,\"attempt\":null,\"detail\":null,\"actor\":"
	    "null,\"text\":\"the saga goes on: it has passed charge\"}"},
	{{.at_ms = WHEN, .type = ENTRY_DEADLINE, .step = NO_STEP},
	 AT "\"deadline\",\"step\":null,\"verb\":null,\"attempt\":null,\"detail\":null,"
	    "\"actor\":null,\"text\":\"the saga's deadline passed\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_SIGNAL,
	  .step = NO_STEP,
	  .detail = TEXT("approved"),
	  .actor = TEXT("ann")},
	 AT "\"signal\",\"step\":null,\"verb\":null,\"attempt\":null,\"detail\":\"approved\","
	    "\"actor\":\"ann\",\"text\":\"signal approved by ann\"}"},
	{{.at_ms = WHEN,
	  .type = ENTRY_OPERATION,
	  .step = NO_STEP,
	  .detail = TEXT("kill: the customer called"),
	  .actor = TEXT("bob")},
	 AT "\"operation\",\"step\":null,\"verb\":null,\"attempt\":null,\"detail\":\"kill: the "
	    "customer called\",\"actor\":\"bob\",\"text\":\"operation by bob: kill: the "
	    "customer called\"}"},
	{{.at_ms = WHEN, .type = ENTRY_ENDED, .step = NO_STEP, .detail = TEXT("compensated")},
	 AT "\"ended\",\"step\":null,\"verb\":null,\"attempt\":null,\"detail\":\"compensated\","
	    "\"actor\":null,\"text\":\"the saga ended: compensated\"}"},
	{{.at_ms = WHEN, .type = ENTRY_KILLED, .step = CHARGE, .attempt = 1},
	 AT "\"killed\",\"step\":\"charge\",\"verb\":\"do\",\"attempt\":1,\"detail\":null,"
	    "\"actor\":null,\"text\":\"charge: do cannot end, the child saga was killed "
	    "(attempt 1)\"}"},
};

START_TEST(test_entry)
{
	const struct row *row = &rows[_i];
	struct bytes out = BYTES(1 << 16, NULL);

	ck_assert_int_eq(row->entry.type, _i);
	entry_json(&out, &order, &saga, &row->entry);
	ck_assert_int_eq(out.err, OK);
	ck_assert_msg(slice_is(bytes_slice(&out), row->json), "%.*s", (int)out.len, out.at);
	bytes_release(&out);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_entry, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("entry_json", add);
}
