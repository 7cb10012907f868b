/* test_undo_plan.c - what a cancel would undo: small sagas word for word, and the
 * shipped ones in every state that they come to, each plan against what a cancel then
 * really sends. */
#include "orchestrator/core/codec.h"
#include "orchestrator/explain/undo_plan.h"
#include "orchestrator/load/load.h"
#include "tests/lib/fail_malloc.h"
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <stdio.h>
#include <stdlib.h>

/* --- word for word ---------------------------------------------------------------- */

/* Waves have | between them; + is what was sent before. */
static const struct row {
	const char *name;
	const char *definition;
	const char *before[10];
	const char *plan;
	const char *left;
	struct script_answer answer;
	bool by_parent;
} rows[] = {
	{"what is done is undone, the newest first", "a b c",
	 .before = {"start", "a do ok", "b do ok"}, "answer c+ | undo c | undo b | undo a", ""},
	{"what waits for its next attempt may have happened", "a b",
	 .before = {"start", "a do ok", "b do failed"}, "undo b | undo a", ""},
	{"side by side is undone side by side", "a x{b|c d} e",
	 .before = {"start", "a do ok", "b do ok", "c do ok", "d do ok", "e do failed"},
	 "undo e | undo b, undo d | undo c | undo a", ""},
	{"what is under way holds back only what it depends on", "a x{b|c d}",
	 .before = {"start", "a do ok", "b do ok"}, "undo b, answer c+ | undo c | undo a",
	 "d: it was not started"},
	{"what changes nothing is left", "a:readonly b",
	 .before = {"start", "a do ok", "b do failed"}, "undo b", "a: it changes nothing"},
	{"a step with nothing but an undo", "a:nothing b", .before = {"start", "b do failed"},
	 "undo b | undo a", ""},
	{"a compensated saga", "a b", .before = {"start", "a do refused"}, "refused: ended",
	 NULL},
	{"a completed saga without a pivot is undone", "a b",
	 .before = {"start", "a do ok", "b do ok"}, "undo b | undo a", ""},
	{"a pivot under way is revoked, and waited for", "a p:pivot b:retriable",
	 .before = {"start", "a do ok"}, "revoke p | undo a", "b: it was not started"},
	{"behind the pivot nothing turns back", "a p:pivot b:retriable",
	 .before = {"start", "a do ok", "p do ok"}, "refused: point of no return", NULL},
	{"a completed saga with a pivot", "a p:pivot",
	 .before = {"start", "a do ok", "p do ok"}, "refused: point of no return", NULL},
	{"a killed saga", "a", .before = {"start", "kill"}, "refused: ended", NULL},
	{"the rest of a saga that turns back",
	 "a b c",
	 .before = {"start", "a do ok", "b do ok", "cancel", "c do timeout"},
	 "undo c+ | undo b | undo a",
	 "",
	 {0}},
	{"less is left the further it is", "a b",
	 .before = {"start", "a do ok", "b do refused"}, "undo a+",
	 "b: it was refused: nothing was done"},
	{"an undo in back-off is sent again", "a b",
	 .before = {"start", "a do ok", "b do refused", "a undo failed"}, "undo a+",
	 "b: it was refused: nothing was done"},
	{"a revoke that was sent", "a p:pivot", .before = {"start", "a do ok", "cancel"},
	 "revoke p+ | undo a", ""},
	{"a pivot that was revoked stays so", "a p:pivot",
	 .before = {"start", "a do ok", "cancel", "p revoke ok"}, "undo a+",
	 "p: it is barred: it can never happen"},
	{"a parked undo holds back what it depends on, and nothing else", "a x{b|c} d",
	 .before = {"start", "a do ok", "b do ok", "c do ok", "d do refused", "b undo refused"},
	 "person b+, undo c+ | held a", "d: it was refused: nothing was done"},
	{"an undo in a later round", "a b",
	 .before = {"start", "a do ok", "b do refused", "a undo refused", "retry a"},
	 "undo a/1+", "b: it was refused: nothing was done"},
	{"an undo whose arguments cannot be made",
	 "a b",
	 .before = {"start", "a do ok", "b do failed"},
	 "undo b | person a",
	 "",
	 {"a", PURPOSE_UNDO, NULL}},
	{"an undo that was given up", "a b c",
	 .before = {"start", "a do ok", "b do ok", "c do refused", "skip b"}, "undo a+",
	 "b: its undo was given up; c: it was refused: nothing was done"},
	{"what was skipped and not sent",
	 "a b:when c",
	 .before = {"start", "a do ok"},
	 "answer c+ | undo c | undo a",
	 "b: it was skipped",
	 {"b", PURPOSE_WHEN, "false"}},
	{"what was sent and then skipped may have happened", "a b",
	 .before = {"start", "skip a"}, "answer b+ | undo b | undo a", ""},
	{"an await and a sleep have nothing to undo", "a:sleep b:await",
	 .before = {"start", "a due"}, "",
	 "a: it has nothing to be undone; b: it was not started"},
	{"a paused saga as if it went on", "a b",
	 .before = {"start", "a do ok", "b do failed", "pause"}, "paused: undo b | undo a", ""},
	{"elements are undone side by side, each from its newest step",
	 "a lines:each{pick pack} pay",
	 .before = {"start", "a do ok", "pick#0 do ok", "pick#1 do ok", "pack#1 do ok",
		    "pack#0 do failed"},
	 "undo pack#0, undo pack#1 | undo pick#0, undo pick#1 | undo a",
	 "pay: it was not started"},
	{"an element under way holds back what stands before all of them",
	 "a lines:each{pick} pay", .before = {"start", "a do ok", "pick#0 do ok"},
	 "undo pick#0, answer pick#1+ | undo pick#1 | undo a", "pay: it was not started"},
	{"a list without elements",
	 "lines:each{pick} pay",
	 .before = {"start"},
	 "answer pay+ | undo pay",
	 "pick: the list has no element for it",
	 {"lines", PURPOSE_IN, "[]"}},
	{"an `each` that did not begin", "a lines:each{pick}", .before = {"start"},
	 "answer a+ | undo a", "pick: it was not started"},
	{"an element that is parked holds back what stands before all of them",
	 "a lines:each{pick} pay",
	 .before = {"start", "a do ok", "pick#0 do ok", "pick#1 do ok", "pay do refused",
		    "pick#1 undo refused"},
	 "undo pick#0+, person pick#1+ | held a", "pay: it was refused: nothing was done"},
	{"a child saga under way is turned back at once", "a ship:child",
	 .before = {"start", "a do ok"}, "undo ship | undo a", ""},
	{"a child saga that is completed", "a ship:child b",
	 .before = {"start", "a do ok", "ship do ok", "b do failed"},
	 "undo b | undo ship | undo a", ""},
	{"a child saga with a pivot is asked whether it can turn back", "a ship:child,pivot",
	 .before = {"start", "a do ok"}, "revoke ship | undo a", ""},
	{"a child saga that was killed may have done something", "a ship:child",
	 .before = {"start", "a do ok", "ship do killed"}, "undo ship | undo a", ""},
	{"a child saga as its parent turns it back", "a b",
	 .before = {"start", "a do ok", "b do ok"}, "undo b | undo a", "", .by_parent = true},
	{"a paused pivot", "a p:pivot", .before = {"start", "a do ok", "pause"},
	 "paused: revoke p | undo a", ""},
};

static void put_name(const struct transcript *t, uint32_t step, struct bytes *out)
{
	char room[INSTANCE_NAME_MAX];

	bytes_append(out, saga_step_name(t->definition, &t->saga, step, room));
}

static void put_plan(const struct transcript *t, const struct undo_plan *plan,
		     struct bytes *out)
{
	if (plan->refusal) {
		bytes_format(out, "refused: %s", plan->refusal);
		return;
	}
	if (plan->paused)
		bytes_text(out, "paused: ");
	for (uint32_t n = 0; n < plan->n; n++) {
		const struct planned *planned = &plan->list[n];

		if (n)
			bytes_text(out, planned->wave == plan->list[n - 1].wave ? ", " : " | ");
		bytes_format(out, "%s ", planned_text(planned->kind));
		put_name(t, planned->step, out);
		if (planned->round)
			bytes_format(out, "/%u", planned->round);
		bytes_text(out, planned->sent ? "+" : "");
	}
}

static void put_left(const struct transcript *t, const struct undo_plan *plan,
		     struct bytes *out)
{
	for (uint32_t n = 0; n < plan->n_left; n++) {
		bytes_text(out, n ? "; " : "");
		put_name(t, plan->left[n].step, out);
		bytes_format(out, ": %s", plan->left[n].why);
	}
}

START_TEST(test_row)
{
	const struct row *row = &rows[_i];
	struct transcript t;
	struct bytes plan_text = BYTES(4096, NULL), left_text = BYTES(4096, NULL);
	struct undo_plan plan;

	transcript_begin(&t, row->definition, &row->answer, row->answer.step != NULL);
	for (size_t n = 0; row->before[n]; n++)
		transcript_play(&t, row->before[n]);
	ck_assert_int_eq(
		undo_plan(t.definition, &t.script.base, &t.saga,
			  &(struct undo_wish){.by_parent = row->by_parent, .at_ms = t.now_ms},
			  &t.arena, &plan),
		OK);
	put_plan(&t, &plan, &plan_text);
	put_left(&t, &plan, &left_text);
	bytes_add(&plan_text, '\0');
	bytes_add(&left_text, '\0');
	if (plan.refusal)
		ck_assert_msg(strncmp(row->plan, "refused: ", 9) == 0 &&
				      strstr(plan.refusal, row->plan + 9),
			      "%s: %s", row->name, plan_text.at);
	else
		ck_assert_msg(strcmp(plan_text.at, row->plan) == 0 &&
				      strcmp(left_text.at, row->left) == 0,
			      "%s: %s (%s)", row->name, plan_text.at, left_text.at);
	bytes_release(&plan_text);
	bytes_release(&left_text);
	transcript_end(&t);
}
END_TEST

/* --- what was not handed over ------------------------------------------------------- */

static bool is_held(const void *context, uint32_t step)
{
	return *(const uint32_t *)context == step;
}

/* As the engine does it: nobody waits for a do that did not go. */
START_TEST(test_a_do_that_is_held_is_taken_back)
{
	struct bytes text = BYTES(4096, NULL);
	struct undo_plan plan;
	struct transcript t;
	uint32_t held;

	transcript_begin(&t, "a x{b|c}", NULL, 0);
	transcript_play(&t, "start");
	transcript_play(&t, "a do ok");
	held = definition_find(t.definition, SLICE_LITERAL("b"));
	ck_assert_int_eq(undo_plan(t.definition, &t.script.base, &t.saga,
				   &(struct undo_wish){.at_ms = t.now_ms,
						       .is_held = is_held,
						       .context = &held},
				   &t.arena, &plan),
			 OK);
	put_plan(&t, &plan, &text);
	bytes_add(&text, '\0');
	ck_assert_str_eq(text.at, "undo b, answer c+ | undo c | undo a");
	bytes_release(&text);
	transcript_end(&t);
}
END_TEST

/* --- arguments -------------------------------------------------------------------- */

static const struct args_row {
	const char *name;
	const char *mask;
	const char *with; /* of the undo */
	const char *args;
	bool open;      /* while the do is under way */
	const char *in; /* of an `each` around it; NULL: there is none */
} args_rows[] = {
	{"nothing is masked", "", "{ a: =input.card.no, b: 7 }", "{\"a\":\"4111\",\"b\":7}",
	 false, NULL},
	{"what is masked", "card.no", "{ a: =input.card.no, b: =input.n }",
	 "{\"a\":\"***\",\"b\":3}", false, NULL},
	{"what is in what is masked", "card", "{ a: =input.card.no }", "{\"a\":\"***\"}", false,
	 NULL},
	{"what contains it shows the rest", "card.no", "{ a: =input.card }",
	 "{\"a\":{\"no\":\"***\",\"name\":\"Ann\"}}", false, NULL},
	{"the whole input", "card.no", "=input",
	 "{\"n\":3,\"card\":{\"no\":\"***\",\"name\":\"Ann\"},\"list\":[{\"pin\":1,\"tag\":"
	 "\"t\"}]}",
	 false, NULL},
	{"what is worked out of it", "card.no", "{ a: =upper(input.card.no) }",
	 "{\"a\":\"***\"}", false, NULL},
	{"what depends on it", "card.no", "{ a: \"=if(input.card.no == '4111', 1, 2)\" }",
	 "{\"a\":\"***\"}", false, NULL},
	{"what depends on what contains it", "card.no", "{ a: =size(input.card) }",
	 "{\"a\":\"***\"}", false, NULL},
	{"an element of a list", "list.pin", "{ a: [ \"=input.list[0].pin\", =input.n ] }",
	 "{\"a\":[\"***\",3]}", false, NULL},
	{"a neighbour whose name begins alike", "n", "{ a: =input.card.name, b: =-input.n }",
	 "{\"a\":\"Ann\",\"b\":\"***\"}", false, NULL},
	{"what the do answers", "", "{ a: \"=if(has(hold.out), hold.out.id, 'none')\" }",
	 "{\"a\":\"none\"}", true, NULL},
	{"why it turns back", "", "{ a: =saga.failure.message }", "{\"a\":\"no stock\"}", false,
	 NULL},
	{"an element where other things are masked", "n", "{ a: =item.pin }", "{\"a\":1}",
	 false, "=input.list"},
	{"what is masked in an element", "list.pin", "{ a: =item.pin, b: =item.tag }",
	 "{\"a\":\"***\",\"b\":\"t\"}", false, "=input.list"},
	{"an element with something masked in it", "list.pin", "=item",
	 "{\"pin\":\"***\",\"tag\":\"t\"}", false, "=input.list"},
	{"what is worked out of an element's", "list.pin", "{ a: =item.pin + 1 }",
	 "{\"a\":\"***\"}", false, "=input.list"},
	{"an element of what is masked", "list", "{ a: =item.tag, b: =input.n }",
	 "{\"a\":\"***\",\"b\":3}", false, "=input.list"},
	{"an element of a list that depends on what is masked", "n", "{ a: =item.tag }",
	 "{\"a\":\"***\"}", false, "=if(input.n > 1, input.list, input.list)"},
};

static struct definition *load_args(const struct args_row *row)
{
	struct problems problems = {0};
	struct arena arena = {0};
	struct definition *definition = NULL;
	char text[2048];

	problems.arena = &arena;
	snprintf(text, sizeof text,
		 "saga: s\nversion: 1.0.0\n"
		 "input: { schema: { type: object, required: [n, card, list], properties: {\n"
		 "  n: { type: number },\n"
		 "  card: { type: object, required: [no, name], properties: {\n"
		 "    no: { type: string }, name: { type: string } } },\n"
		 "  list: { type: array, items: { type: object, properties: {\n"
		 "    pin: { type: number }, tag: { type: string } } } } } }, mask: [%s] }\n"
		 "steps:\n%s%s%s"
		 "    %s hold: { call: a.hold, undo: { call: a.release, with: %s } }%s\n",
		 row->mask, row->in ? "  - all: { each: { as: item, max: 9, in: \"" : "",
		 row->in ? row->in : "", row->in ? "\", steps: [\n" : "", row->in ? "" : "-",
		 row->with, row->in ? "] } }" : "");
	ck_assert_msg(!load_text("test", slice_of(text), NULL, &problems, &definition),
		      "%s: %s", row->name, problems.n ? problems.list[0].text : "?");
	arena_release(&arena);
	return definition;
}

START_TEST(test_args)
{
	const struct args_row *row = &args_rows[_i];
	struct definition *definition = load_args(row);
	struct arena arena = {0};
	struct start start = {
		.id = SLICE_LITERAL("s-1"),
		.input = SLICE_LITERAL("{\"n\":3,\"card\":{\"no\":\"4111\",\"name\":\"Ann\"},"
				       "\"list\":[{\"pin\":1,\"tag\":\"t\"}]}"),
		.at_ms = 1000};
	struct effects effects;
	struct undo_plan plan;
	struct saga saga;

	ck_assert_int_eq(
		saga_begin(definition, &evaluator_values, &start, &arena, &saga, &effects),
		VERDICT_TAKEN);
	ck_assert_int_eq(undo_plan(definition, &evaluator_values, &saga,
				   &(struct undo_wish){.reason = SLICE_LITERAL("no stock"),
						       .at_ms = 2000},
				   &arena, &plan),
			 OK);
	ck_assert_uint_eq(plan.n, 2); /* the list has one element */
	ck_assert_int_eq(plan.list[1].kind, PLANNED_UNDO);
	ck_assert_msg(slice_is(plan.list[1].args, row->args), "%s: %.*s", row->name,
		      SLICE_ARG(plan.list[1].args));
	ck_assert_msg(plan.list[1].args_open == row->open, "%s", row->name);
	definition_free(definition);
	arena_release(&arena);
}
END_TEST

START_TEST(test_no_memory)
{
	struct definition *definition = load_args(&args_rows[_i]);
	struct arena kept = {0};
	struct start start = {
		.id = SLICE_LITERAL("s-1"),
		.input = SLICE_LITERAL("{\"n\":3,\"card\":{\"no\":\"4111\",\"name\":\"Ann\"},"
				       "\"list\":[{\"pin\":1,\"tag\":\"t\"}]}"),
		.at_ms = 1000};
	struct effects effects;
	struct saga saga;
	bool fired = true;

	ck_assert_int_eq(
		saga_begin(definition, &evaluator_values, &start, &kept, &saga, &effects),
		VERDICT_TAKEN);
	for (size_t n = 0; fired; n++) {
		struct arena arena = {0};
		struct undo_plan plan;
		enum err err;

		fail_malloc_at(n);
		err = undo_plan(definition, &evaluator_values, &saga,
				&(struct undo_wish){.at_ms = 2000}, &arena, &plan);
		fired = fail_malloc_off();
		ck_assert_int_eq(err, fired ? ERR_NOMEM : OK);
		arena_release(&arena);
	}
	definition_free(definition);
	arena_release(&kept);
}
END_TEST

/* --- against what is really sent --------------------------------------------------- */

enum { STATES_MAX = 4000, SENT_MAX = 64, NOW_MS = 1000000 };

static const struct shipped {
	const char *path;
	const char *input;
	uint32_t states_min; /* that are met */
	const char *secret;  /* what it masks; NULL: nothing */
} shipped[] = {
	{"sagas/order.yaml",
	 "{\"order_id\":\"1\",\"sku\":\"b\",\"qty\":1,\"total\":9,\"email\":\"a@b.c\","
	 "\"card\":\"4111\"}",
	 50, "4111"},
	{"sagas/order-bench.yaml", "{\"sku\":\"b\",\"qty\":1,\"total\":9}", 30, NULL},
	{"sagas/travel.yaml",
	 "{\"trip_id\":\"1\",\"traveller\":{\"name\":\"A\",\"email\":\"a@b.c\","
	 "\"passport\":\"P1\"},\"flight\":\"f\",\"hotel\":\"h\",\"car\":\"c\",\"limit\":5,"
	 "\"card\":\"4111\"}",
	 1000, "P1"},
	{"sagas/transfer.yaml",
	 "{\"transfer_id\":\"1\",\"from\":\"CH9300762011623852957\","
	 "\"to\":\"DE89370400440532013000\",\"amount\":5,\"currency\":\"EUR\"}",
	 50, "CH93"},
	{"sagas/fulfilment.yaml",
	 "{\"order_id\":\"1\",\"lines\":[{\"sku\":\"b\",\"qty\":1},{\"sku\":\"c\",\"qty\":2}],"
	 "\"total\":9,\"email\":\"a@b.c\",\"card\":\"4111\"}",
	 500, "4111"},
	{"sagas/subscription.yaml",
	 "{\"subscription_id\":\"1\",\"sku\":\"b\",\"price\":9,\"email\":\"a@b.c\","
	 "\"card\":\"4111\"}",
	 50, "4111"},
	{"sagas/trial.yaml", "{\"email\":\"a@b.c\",\"plan\":\"team\"}", 50, NULL},
};

/* What every participant answers: all that any step reads of another. */
static const char output[] = "{\"id\":\"i\",\"price\":4,\"total\":9,\"booking\":\"b\","
			     "\"receipt\":\"r\",\"method\":\"m\",\"score\":1}";

struct tour {
	const struct shipped *shipped;
	struct definition *definition;
	struct arena arena; /* of the states that wait for their turn */
	struct saga *queue[STATES_MAX];
	uint8_t seen[STATES_MAX][SHA256_SIZE];
	uint32_t n, at;
};

static void visit(struct tour *tour, const struct saga *saga)
{
	static const uint8_t no_hash[SHA256_SIZE];
	struct bytes bytes = BYTES(SAGA_BYTES_MAX, NULL);
	uint8_t hash[SHA256_SIZE];
	struct saga *copy;

	if (tour->n == STATES_MAX)
		return;
	copy = saga_copy(saga, &tour->arena);
	copy->revision = 1;
	ck_assert_int_eq(saga_encode(copy, no_hash, &bytes), OK);
	sha256(bytes_slice(&bytes), hash);
	bytes_release(&bytes);
	for (uint32_t n = 0; n < tour->n; n++)
		if (memcmp(tour->seen[n], hash, sizeof hash) == 0)
			return;
	memcpy(tour->seen[tour->n], hash, sizeof hash);
	tour->queue[tour->n++] = copy;
}

static enum verdict let_happen(const struct tour *tour, struct saga *saga, struct event event,
			       struct arena *arena, struct effects *effects)
{
	struct saga after;
	enum verdict verdict;

	event.at_ms = NOW_MS;
	verdict = saga_step(tour->definition, &evaluator_values, saga, &event, arena, &after,
			    effects);
	if (verdict == VERDICT_TAKEN)
		*saga = after;
	return verdict;
}

static struct event about(const struct saga *saga, enum event_type type, uint32_t i)
{
	const struct step *step = &saga->steps[i];

	return (struct event){.type = type,
			      .step = i,
			      .verb = (enum verb)step->verb,
			      .round = step->verb == VERB_UNDO ? step->undo_round
							       : step->do_round,
			      .attempt = step->attempt,
			      .payload = slice_of(output)};
}

static void go(struct tour *tour, const struct saga *from, struct event event)
{
	struct arena arena = {0};
	struct saga saga = *from;
	struct effects effects;

	if (let_happen(tour, &saga, event, &arena, &effects) == VERDICT_TAKEN)
		visit(tour, &saga);
	arena_release(&arena);
}

/* Everything that may come next, but no third attempt. */
static void go_on(struct tour *tour, const struct saga *saga)
{
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step_definition *definition =
			saga_step_definition(tour->definition, saga, i);
		struct event reply = about(saga, EVENT_REPLY, i);

		for (int outcome = OUTCOME_OK; outcome <= OUTCOME_KILLED; outcome++) {
			reply.outcome = (enum outcome)outcome;
			if (outcome != OUTCOME_FAILED || saga->steps[i].attempt < 2)
				go(tour, saga, reply);
		}
		if (saga->steps[i].attempt < 2)
			go(tour, saga, about(saga, EVENT_TIMEOUT, i));
		go(tour, saga, about(saga, EVENT_DUE, i));
		if (definition->form == FORM_AWAIT)
			go(tour, saga,
			   (struct event){.type = EVENT_SIGNAL,
					  .name = definition->event,
					  .id = SLICE_LITERAL("s"),
					  .payload = slice_of(output)});
		go(tour, saga, (struct event){.type = EVENT_SKIP, .step = i});
	}
	go(tour, saga, (struct event){.type = EVENT_PAUSE, .step = NO_STEP});
	go(tour, saga, (struct event){.type = EVENT_CANCEL, .step = NO_STEP});
}

/* Undos and revokes in the order in which they are sent. */
struct sent {
	struct command list[SENT_MAX];
	uint32_t n;
};

static void keep(struct sent *sent, const struct effects *effects)
{
	for (uint32_t n = 0; n < effects->n_commands; n++) {
		ck_assert_uint_lt(sent->n, SENT_MAX);
		if (effects->commands[n].verb != VERB_DO)
			sent->list[sent->n++] = effects->commands[n];
	}
}

/* Every command under way is answered ok, those that were sent first at first. */
static void answer_all(const struct tour *tour, struct saga *saga, struct arena *arena,
		       struct sent *sent)
{
	bool any = true;

	while (any) {
		bool pending[INSTANCES_MAX];
		struct effects effects;

		any = false;
		for (uint32_t i = 0; i < saga->n_steps; i++)
			pending[i] =
				step_in_flight(saga_step_definition(tour->definition, saga, i),
					       &saga->steps[i]) ||
				saga->steps[i].state == STEP_UNDO_BACKOFF ||
				(saga->steps[i].state == STEP_BACKOFF &&
				 saga->steps[i].verb == VERB_REVOKE);
		for (uint32_t i = 0; i < saga->n_steps; i++) {
			if (pending[i] && let_happen(tour, saga, about(saga, EVENT_DUE, i),
						     arena, &effects) == VERDICT_TAKEN)
				keep(sent, &effects);
		}
		for (uint32_t i = 0; i < saga->n_steps; i++) {
			if (!pending[i])
				continue;
			any = true;
			let_happen(tour, saga, about(saga, EVENT_REPLY, i), arena, &effects);
			keep(sent, &effects);
		}
	}
}

static const struct planned *find_planned(const struct undo_plan *plan,
					  const struct command *command)
{
	enum planned_kind kind = command->verb == VERB_UNDO ? PLANNED_UNDO : PLANNED_REVOKE;

	for (uint32_t n = 0; n < plan->n; n++)
		if (plan->list[n].kind == kind && plan->list[n].step == command->step &&
		    plan->list[n].round == command->round)
			return &plan->list[n];
	return NULL;
}

static bool holds(struct slice args, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + len <= args.len; i++)
		if (memcmp(args.at + i, text, len) == 0)
			return true;
	return false;
}

static void compare(const struct tour *tour, const struct undo_plan *plan,
		    const struct sent *sent, const char *state)
{
	uint32_t wave = 0, n_planned = 0;

	for (uint32_t n = 0; n < sent->n; n++) {
		const struct planned *planned = find_planned(plan, &sent->list[n]);

		ck_assert_msg(planned != NULL, "%s: %s of %u is not planned", state,
			      verb_text(sent->list[n].verb), sent->list[n].step);
		ck_assert_msg(planned->wave >= wave, "%s: step %u comes later than planned",
			      state, sent->list[n].step);
		wave = planned->wave;
		if (planned->kind == PLANNED_UNDO && !planned->args_open &&
		    !holds(planned->args, "\"***\""))
			ck_assert_msg(slice_equal(planned->args, sent->list[n].args),
				      "%s: step %u: %.*s", state, sent->list[n].step,
				      SLICE_ARG(planned->args));
	}
	for (uint32_t n = 0; n < plan->n && tour->shipped->secret; n++)
		ck_assert_msg(!holds(plan->list[n].args, tour->shipped->secret),
			      "%s: step %u tells", state, plan->list[n].step);
	for (uint32_t n = 0; n < plan->n; n++)
		n_planned += plan->list[n].kind == PLANNED_UNDO ||
			     plan->list[n].kind == PLANNED_REVOKE;
	ck_assert_msg(n_planned == sent->n, "%s: %u are planned, and %u sent", state, n_planned,
		      sent->n);
}

/* An attempt is not another command. */
static void drop_repeated(struct sent *sent)
{
	uint32_t kept = 0;

	for (uint32_t n = 0; n < sent->n; n++) {
		bool again = false;

		for (uint32_t k = 0; k < kept; k++)
			again |= sent->list[k].step == sent->list[n].step &&
				 sent->list[k].verb == sent->list[n].verb;
		if (!again)
			sent->list[kept++] = sent->list[n];
	}
	sent->n = kept;
}

static bool is_left(const struct undo_plan *plan, uint32_t step)
{
	for (uint32_t n = 0; n < plan->n_left; n++)
		if (plan->left[n].step == step)
			return true;
	return false;
}

static void judge(const struct tour *tour, const struct saga *before)
{
	struct arena arena = {0};
	struct bytes state = BYTES(4096, &arena);
	struct saga saga = *before;
	struct event event = {.type = saga.phase == PHASE_COMPLETED ? EVENT_UNDO : EVENT_CANCEL,
			      .step = NO_STEP,
			      .reason = SLICE_LITERAL("why")};
	struct effects effects;
	struct sent sent = {.n = 0};
	struct undo_plan plan;
	enum verdict verdict;

	bytes_format(&state, "%s %u: paused %d, phase %d", tour->shipped->path, tour->at,
		     saga.flags & SAGA_PAUSED, saga.phase);
	bytes_add(&state, '\0');
	ck_assert_int_eq(undo_plan(tour->definition, &evaluator_values, before,
				   &(struct undo_wish){.reason = event.reason, .at_ms = NOW_MS},
				   &arena, &plan),
			 OK);
	ck_assert_int_eq(
		saga_resume(tour->definition, &evaluator_values, &saga, &arena, &effects),
		VERDICT_TAKEN);
	keep(&sent, &effects);
	verdict = let_happen(tour, &saga, event, &arena, &effects);
	ck_assert_msg((verdict == VERDICT_REFUSED) == (plan.refusal != NULL), "%s", state.at);
	if (verdict != VERDICT_REFUSED) {
		keep(&sent, &effects);
		if (let_happen(tour, &saga, (struct event){.type = EVENT_RESUME}, &arena,
			       &effects) == VERDICT_TAKEN)
			keep(&sent, &effects);
		answer_all(tour, &saga, &arena, &sent);
		drop_repeated(&sent);
		compare(tour, &plan, &sent, state.at);
		ck_assert_msg(plan.parks == (saga_status(&saga) == STATUS_PARKED), "%s",
			      state.at);
		for (uint32_t i = 0; i < saga.n_steps; i++)
			ck_assert_msg(!is_left(&plan, i) ||
					      saga.steps[i].state != STEP_UNDONE ||
					      before->steps[i].state == STEP_UNDONE,
				      "%s: step %u is not left", state.at, i);
	}
	arena_release(&arena);
}

START_TEST(test_every_state_of_a_shipped_saga)
{
	static struct tour tour;
	struct problems problems = {.arena = &tour.arena};
	struct start start = {.id = SLICE_LITERAL("s-1"), .at_ms = NOW_MS};
	struct effects effects;
	struct saga saga;

	tour.shipped = &shipped[_i];
	start.input = slice_of(tour.shipped->input);
	ck_assert_int_eq(load_file(tour.shipped->path, &problems, &tour.definition), OK);
	ck_assert_int_eq(saga_begin(tour.definition, &evaluator_values, &start, &tour.arena,
				    &saga, &effects),
			 VERDICT_TAKEN);
	visit(&tour, &saga);
	for (; tour.at < tour.n; tour.at++) {
		judge(&tour, tour.queue[tour.at]);
		go_on(&tour, tour.queue[tour.at]);
	}
	ck_assert_msg(tour.n >= tour.shipped->states_min, "%s: %u states", tour.shipped->path,
		      tour.n);
	definition_free(tour.definition);
	arena_release(&tour.arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_row, 0, ROWS(rows));
	tcase_add_test(tcase, test_a_do_that_is_held_is_taken_back);
	tcase_add_loop_test(tcase, test_args, 0, ROWS(args_rows));
	tcase_add_loop_test(tcase, test_no_memory, 0, ROWS(args_rows));
	tcase_add_loop_test(tcase, test_every_state_of_a_shipped_saga, 0, ROWS(shipped));
}

int main(void)
{
	return suite_run("undo_plan", add);
}
