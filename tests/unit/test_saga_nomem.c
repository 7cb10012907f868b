/* test_saga_nomem.c - the arena gives no memory, at every place where it is asked:
 * nothing happened then, and with enough memory the same call works. */
#include "tests/lib/fail_malloc.h"
#include "tests/lib/saga_values.h"
#include "tests/lib/suite.h"
#include "tests/lib/transcript.h"

#include <stdlib.h>

/* They need more than anything else of their event does. */
static const char long_reason[1000] = "because";
#define NINE_SIGNALS                                                                        \
	"signal w 1", "signal w 2", "signal w 3", "signal w 4", "signal w 5", "signal w 6", \
		"signal w 7", "signal w 8", "signal w 9"

static const struct row {
	const char *definition;
	struct script_answer answer;
	const char *before[12];
	struct event event;
} rows[] = {
	{.definition = "a b",
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a b",
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1, .outcome = OUTCOME_FAILED}},
	{.definition = "a b",
	 .before = {"start"},
	 .event = {.type = EVENT_TIMEOUT, .attempt = 1}},
	{.definition = "a b",
	 .before = {"start", "a do failed"},
	 .event = {.type = EVENT_DUE, .attempt = 1}},
	{.definition = "a b",
	 .before = {"start", "a do ok"},
	 .event = {.type = EVENT_REPLY, .step = 1, .attempt = 1, .outcome = OUTCOME_REFUSED}},
	{.definition = "a b",
	 .answer = {"a", PURPOSE_UNDO, NULL},
	 .before = {"start", "a do ok"},
	 .event = {.type = EVENT_REPLY, .step = 1, .attempt = 1, .outcome = OUTCOME_REFUSED}},
	{.definition = "a b",
	 .answer = {"b", PURPOSE_WITH, NULL},
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a x{b c|d e:when}",
	 .before = {"start", "a do ok", "b do ok", "d do ok"},
	 .event = {.type = EVENT_CANCEL, .actor = SLICE_LITERAL("ann")}},
	{.definition = "a b",
	 .before = {"start", "a do ok"},
	 .event = {.type = EVENT_DEADLINE}},
	{.definition = "a w:await b",
	 .before = {"start"},
	 .event = {.type = EVENT_SIGNAL, .name = SLICE_LITERAL("w"), .id = SLICE_LITERAL("1")}},
	{.definition = "a w:await b",
	 .before = {"start", "signal w one"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a w:await b",
	 .before = {"start", NINE_SIGNALS},
	 .event = {.type = EVENT_SIGNAL,
		   .name = SLICE_LITERAL("w"),
		   .id = SLICE_LITERAL("10")}},
	{.definition = "a w:await b",
	 .before = {"start", NINE_SIGNALS},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a",
	 .before = {"start"},
	 .event = {.type = EVENT_KILL, .reason = {long_reason, sizeof long_reason}}},
	{.definition = "w:await,for=5", .before = {"start"}, .event = {.type = EVENT_DUE}},
	{.definition = "s:until a", .before = {"start"}, .event = {.type = EVENT_KILL}},
	{.definition = "a b",
	 .before = {"start", "a do ok", "b do ok"},
	 .event = {.type = EVENT_UNDO}},
	{.definition = "a b",
	 .before = {"start", "a do ok", "b do refused", "a undo refused"},
	 .event = {.type = EVENT_RETRY}},
	{.definition = "a b",
	 .before = {"start", "a do ok", "b do refused", "a undo refused"},
	 .event = {.type = EVENT_SKIP}},
	{.definition = "p:pivot r:retriable",
	 .before = {"start"},
	 .event = {.type = EVENT_CANCEL}},
	{.definition = "p:pivot r:retriable",
	 .before = {"start", "cancel"},
	 .event = {.type = EVENT_REPLY, .verb = VERB_REVOKE, .attempt = 1}},
	{.definition = "a b",
	 .before = {"start", "pause", "a do ok"},
	 .event = {.type = EVENT_RESUME}},
	{.definition = "a x{b|lines:each{pick pack}}",
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a x{one:each{pick}|other:each{pack}}",
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "a lines:each,max=1{pick}",
	 .before = {"start"},
	 .event = {.type = EVENT_REPLY, .attempt = 1}},
	{.definition = "lines:each{a} b",
	 .before = {"start", "a#0 do ok", "a#1 do ok"},
	 .event = {.type = EVENT_CANCEL}},
};

enum { ENOUGH = 12 * 1024, BLOCK = 16 * 1024, UNIT = 16 };

/* An arena that has `left` bytes to give and can get no more. */
static struct arena short_arena(size_t left)
{
	struct arena arena = {0};

	if (!arena_alloc(&arena, BLOCK - left))
		abort();
	arena.max = arena.used;
	return arena;
}

static void expect_same_effects(const struct effects *a, const struct effects *b)
{
	ck_assert_uint_eq(a->n_commands, b->n_commands);
	ck_assert_uint_eq(a->n_entries, b->n_entries);
	for (uint32_t n = 0; n < a->n_commands; n++) {
		ck_assert(slice_equal(a->commands[n].args, b->commands[n].args));
		ck_assert_uint_eq(a->commands[n].attempt, b->commands[n].attempt);
	}
	for (uint32_t n = 0; n < a->n_entries; n++)
		ck_assert(slice_equal(a->entries[n].detail, b->entries[n].detail));
}

START_TEST(test_step)
{
	const struct row *row = &rows[_i];
	struct event event = row->event;
	enum verdict verdict = VERDICT_NOMEM;
	struct effects whole_effects, effects;
	struct saga whole, after;
	struct transcript t;
	size_t left;

	transcript_begin(&t, row->definition, &row->answer, row->answer.step != NULL);
	t.definition->deadline_ms = 60000;
	for (int n = 0; row->before[n]; n++)
		transcript_play(&t, row->before[n]);
	event.at_ms = t.now_ms;
	verdict = saga_step(t.definition, &t.script.base, &t.saga, &event, &t.arena, &whole,
			    &whole_effects);
	ck_assert_int_eq(verdict, VERDICT_TAKEN);
	for (left = 0, verdict = VERDICT_NOMEM; verdict == VERDICT_NOMEM; left += UNIT) {
		struct arena arena = short_arena(left);

		ck_assert_uint_lt(left, ENOUGH);
		verdict = saga_step(t.definition, &t.script.base, &t.saga, &event, &arena,
				    &after, &effects);
		if (verdict == VERDICT_TAKEN) {
			ck_assert_ptr_null(saga_difference(&after, &whole));
			expect_same_effects(&effects, &whole_effects);
		}
		arena_release(&arena);
	}
	ck_assert_int_eq(verdict, VERDICT_TAKEN);
	ck_assert_uint_gt(left, 4 * UNIT);

	/* One time there is no memory, and then there is again. */
	for (size_t n = 0; n < left; n += UNIT) {
		struct arena arena = short_arena(n);
		bool fired;

		arena.max = 0;
		fail_malloc_at(0);
		verdict = saga_step(t.definition, &t.script.base, &t.saga, &event, &arena,
				    &after, &effects);
		fired = fail_malloc_off();
		ck_assert_int_eq(verdict, fired ? VERDICT_NOMEM : VERDICT_TAKEN);
		arena_release(&arena);
	}
	transcript_end(&t);
}
END_TEST

START_TEST(test_begin)
{
	struct start start = {.id = SLICE_LITERAL("saga-1"), .at_ms = 1};
	enum verdict verdict = VERDICT_NOMEM;
	struct definition *definition = build("n:nothing x{a|b:when} c");
	struct script script;
	struct effects effects;
	struct saga saga;
	size_t left;

	script_init(&script, NULL, 0);
	for (left = 0; verdict == VERDICT_NOMEM; left += UNIT) {
		struct arena arena = short_arena(left);

		ck_assert_uint_lt(left, ENOUGH);
		verdict = saga_begin(definition, &script.base, &start, &arena, &saga, &effects);
		arena_release(&arena);
	}
	ck_assert_int_eq(verdict, VERDICT_TAKEN);
	ck_assert_uint_gt(left, 4 * UNIT);
	definition_free(definition);
}
END_TEST

START_TEST(test_resume)
{
	enum verdict verdict = VERDICT_NOMEM;
	struct effects effects;
	struct transcript t;
	size_t left;

	transcript_begin(&t, "x{a|b|c}", NULL, 0);
	transcript_play(&t, "start");
	for (left = 0; verdict == VERDICT_NOMEM; left += UNIT) {
		struct arena arena = short_arena(left);

		ck_assert_uint_lt(left, ENOUGH);
		verdict = saga_resume(t.definition, &t.script.base, &t.saga, &arena, &effects);
		ck_assert(verdict != VERDICT_TAKEN || effects.n_commands == 3);
		arena_release(&arena);
	}
	ck_assert_int_eq(verdict, VERDICT_TAKEN);
	transcript_end(&t);
}
END_TEST

/* One command of a saga that goes on: a call, and a child with its key. */
START_TEST(test_resume_step)
{
	static const struct script_answer fails[] = {{"c", PURPOSE_KEY, NULL}};
	enum { X, A, C };
	enum verdict verdict;
	struct command command;
	struct transcript t;

	transcript_begin(&t, "x{a|c:child,key}", NULL, 0);
	transcript_play(&t, "start");
	for (uint32_t step = A; step <= C; step++) {
		verdict = VERDICT_NOMEM;
		for (size_t left = 0; verdict == VERDICT_NOMEM; left += UNIT) {
			struct arena arena = short_arena(left);

			ck_assert_uint_lt(left, ENOUGH);
			command = (struct command){0};
			verdict = saga_resume_step(t.definition, &t.script.base, &t.saga, step,
						   &arena, &command);
			ck_assert((verdict == VERDICT_TAKEN) == (command.args.len > 0));
			arena_release(&arena);
		}
		ck_assert_int_eq(verdict, VERDICT_TAKEN);
		ck_assert_uint_eq(command.step, step);
		ck_assert_uint_eq(command.key.len > 0, step == C);
	}
	script_init(&t.script, fails, 1);
	ck_assert_int_eq(
		saga_resume_step(t.definition, &t.script.base, &t.saga, C, &t.arena, &command),
		VERDICT_NOMEM);
	transcript_end(&t);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_step, 0, ROWS(rows));
	tcase_add_test(tcase, test_begin);
	tcase_add_test(tcase, test_resume);
	tcase_add_test(tcase, test_resume_step);
}

int main(void)
{
	return suite_run("saga_nomem", add);
}
