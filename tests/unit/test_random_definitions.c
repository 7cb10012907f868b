/* test_random_definitions.c - definitions that nobody thought of: the loader takes
 * them, their normal form means the same, and the checker finds no way in which
 * they go wrong. With one rule broken, the loader says which.
 *
 * A failure prints the definition and its seed; SEED=n in the environment tries
 * that seed alone.
 */
#include "orchestrator/check/explore.h"
#include "orchestrator/load/load.h"
#include "tests/lib/definition_random.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

/* Under sanitizers exploring takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { EXPLORED = 100 };
#else
enum { EXPLORED = 400 };
#endif
enum { SEEDS = 400, MANY_SEEDS = 2000, BROKEN_SEEDS = 25, TEXT_MAX = 64 * 1024 };

struct seeds {
	int first;
	int end;
};

/* The one that the environment asks for, or the first n. */
static struct seeds seeds_of(int n)
{
	const char *text = getenv("SEED");
	int seed = text ? (int)strtol(text, NULL, 10) : 0;

	return text ? (struct seeds){seed, seed + 1} : (struct seeds){0, n};
}

struct sample {
	struct bytes text;
	struct arena arena;
	struct problems problems;
	struct definition *definition; /* NULL: the loader refused it */
};

static void load_sample(struct sample *sample)
{
	enum err err;

	ck_assert_int_eq(sample->text.err, OK);
	sample->problems = (struct problems){.arena = &sample->arena};
	err = load_text("random.yaml", bytes_slice(&sample->text), NULL, &sample->problems,
			&sample->definition);
	ck_assert_int_eq(err, sample->problems.n_errors ? ERR_INVALID : OK);
}

static void release_sample(struct sample *sample)
{
	definition_free(sample->definition);
	arena_release(&sample->arena);
	bytes_release(&sample->text);
}

/* All that is needed to see it again, before the assertion that fails. */
static void show(const struct sample *sample, int seed)
{
	fprintf(stderr, "%.*s", SLICE_ARG(bytes_slice(&sample->text)));
	for (size_t n = 0; n < sample->problems.n; n++)
		fprintf(stderr, "random.yaml:%u:%u: %s [%s]\n",
			(unsigned)sample->problems.list[n].place.line,
			(unsigned)sample->problems.list[n].place.column,
			sample->problems.list[n].text, sample->problems.list[n].code);
	fprintf(stderr, "again: SEED=%d make test T=random_definitions\n", seed);
}

static void begin_right(struct sample *sample, int seed)
{
	bool right;

	*sample = (struct sample){.text = BYTES(TEXT_MAX, NULL)};
	definition_random((uint64_t)seed, &sample->text);
	load_sample(sample);
	right = sample->definition != NULL;
	for (size_t n = 0; n < sample->problems.n; n++)
		right &= !strcmp(sample->problems.list[n].code, "await-without-timeout");
	if (!right)
		show(sample, seed);
	ck_assert_msg(right, "seed %d: the loader complains of a right definition", seed);
}

/* --- the normal form ------------------------------------------------------------- */

START_TEST(test_normal_form)
{
	struct sample sample, again = {.text = BYTES(DEFINITION_TEXT_MAX, NULL)};
	bool same;

	begin_right(&sample, _i);
	bytes_append(&again.text, sample.definition->normal);
	load_sample(&again);
	same = again.definition &&
	       slice_equal(again.definition->normal, sample.definition->normal) &&
	       !memcmp(again.definition->hash, sample.definition->hash, SHA256_SIZE);
	if (!same) {
		show(&sample, _i);
		show(&again, _i);
	}
	ck_assert_msg(same, "seed %d: the normal form is not the same definition", _i);
	release_sample(&again);
	release_sample(&sample);
}
END_TEST

/* --- every way that it can go ------------------------------------------------------ */

/* One is narrow enough to come to an end in most sagas, one is wide. */
static const char *const bounds[] = {"attempts=1,prune=0,states=8000",
				     "operator=2,signals=2,states=4000"};

static void show_way(const struct explore_report *report)
{
	for (size_t n = 0; n < report->n_lines; n++)
		fprintf(stderr, "%3zu  %s\n", n + 1, report->lines[n]);
	fprintf(stderr, "violates %s: %s\n", report->invariant->name, report->what);
}

static void explore_sample(const struct sample *sample, int seed, const char *text)
{
	struct explore_options options = {.bounds = explore_bounds_default};
	struct explore_report report;
	struct diag diag = {""};
	enum explore_end end;

	ck_assert_int_eq(explore_bounds_parse(slice_of(text), &options.bounds, &diag), OK);
	ck_assert_msg(!explore(sample->definition, &options, &report, &diag), "%s", diag.text);
	end = report.end;
	if (end != EXPLORE_WHOLE && end != EXPLORE_STATES) {
		show(sample, seed);
		fprintf(stderr, "with --bounds %s\n", text);
	}
	if (end == EXPLORE_VIOLATION)
		show_way(&report);
	ck_assert_msg(end == EXPLORE_WHOLE || end == EXPLORE_STATES, "seed %d: %s", seed,
		      explore_end_text(end));
	explore_report_release(&report);
}

START_TEST(test_explored)
{
	struct sample sample;

	begin_right(&sample, _i);
	for (int n = 0; n < ROWS(bounds); n++)
		explore_sample(&sample, _i, bounds[n]);
	release_sample(&sample);
}
END_TEST

/* --- with one rule broken ------------------------------------------------------------ */

START_TEST(test_broken)
{
	struct seeds seeds = seeds_of(BROKEN_SEEDS);

	for (int seed = seeds.first; seed < seeds.end; seed++) {
		struct sample sample = {.text = BYTES(TEXT_MAX, NULL)};
		struct definition_fault fault =
			definition_broken((uint64_t)seed, (size_t)_i, &sample.text);
		bool found;

		load_sample(&sample);
		found = sample.problems.n == 1 &&
			!strcmp(sample.problems.list[0].code, fault.code);
		if (!found)
			show(&sample, seed);
		ck_assert_msg(found, "seed %d: %s: not just %s", seed, fault.name, fault.code);
		release_sample(&sample);
	}
}
END_TEST

/* --- that everything comes up --------------------------------------------------------- */

/* Spellings, some of which make no difference in the definition. */
static const char *const spellings[] = {
	"description: ",
	"key: =",
	"deadline: { after: 1h }",
	"deadline: { after: 30d, then: compensate }",
	"schema: {",
	"mask: [",
	"use:",
	"retry: std",
	"retry: { attempts: 2 }",
	"retry: { attempts: 1, budget: ",
	"retry: { budget: ",
	"retry: { first: ",
	"kind: compensatable",
	"on_failure: ignore",
	"on_failure: compensate",
	"on_failure: park",
	"exhausted: park",
	"exhausted: skip",
	"event: approved }",
	"timeout: 24h }",
	"timeout: 24h, then: compensate }",
	"timeout: 24h, then: continue }",
	"sleep: 24h",
	"sleep: { until: =input.at }",
	"with: { }",
	"with: { k0: ",
	"with: =input",
	"when: =has(",
	"when: \"=!has(",
	".out.v) && ",
	"=if(has(",
	"=saga.failure.code",
	"saga: part",
	"saga: part@1.2.3",
	"key: =saga.id",
	"kind: pivot\n      saga: ",
	"in: =input.names",
	"as: it",
	": =item-2",
	".out[0].v",
	"output: { }",
	"output: { k0: ",
};

static bool contains(struct slice text, const char *part)
{
	size_t len = strlen(part);

	for (size_t at = 0; at + len <= text.len; at++)
		if (!memcmp(text.at + at, part, len))
			return true;
	return false;
}

typedef bool has_feature(const struct definition *definition,
			 const struct step_definition *step);

static bool is_alone(const struct definition *definition, const struct step_definition *step)
{
	return definition->n_steps == 1;
}

static bool has_no_pivot(const struct definition *definition,
			 const struct step_definition *step)
{
	return definition->pivot == NO_STEP;
}

static bool is_conditional_pivot(const struct definition *definition,
				 const struct step_definition *step)
{
	return step->kind == KIND_PIVOT && step->when;
}

static bool has_three_branches(const struct definition *definition,
			       const struct step_definition *step)
{
	return step->n_branches == 3;
}

static bool is_ignored_reading(const struct definition *definition,
			       const struct step_definition *step)
{
	return step->kind == KIND_READONLY && step->ignore_failure;
}

static bool is_ignored_do(const struct definition *definition,
			  const struct step_definition *step)
{
	return step->has_undo && step->ignore_failure;
}

static bool is_ignored_late(const struct definition *definition,
			    const struct step_definition *step)
{
	return step->kind == KIND_RETRIABLE && step->ignore_failure;
}

static bool is_late_reading(const struct definition *definition,
			    const struct step_definition *step)
{
	return step->kind == KIND_READONLY && step->after_pivot;
}

static bool undoes_with_do(const struct definition *definition,
			   const struct step_definition *step)
{
	return step->form == FORM_CALL && step->has_undo && !step->undo_with_given &&
	       template_can_fail(step->undo.with);
}

struct search {
	const struct definition *definition;
	uint32_t own;
	bool own_found;
	bool vouched_found;
};

static void look_at(void *context, const struct expression *expression)
{
	struct search *search = context;
	bool asks = contains(expression->text, "has(");

	for (size_t n = 0; n < expression->n_references; n++) {
		uint32_t step = expression->references[n].step;

		search->own_found |= step == search->own;
		search->vouched_found |= !asks && search->definition->steps[step].when;
	}
}

static struct search look(const struct definition *definition,
			  const struct step_definition *step, const struct template *with)
{
	struct search search = {.definition = definition,
				.own = (uint32_t)(step - definition->steps)};

	template_each(with, look_at, &search);
	return search;
}

static bool undoes_with_output(const struct definition *definition,
			       const struct step_definition *step)
{
	return step->has_undo && look(definition, step, step->undo.with).own_found;
}

/* Next to it, since what stands in a block with a condition needs no other. */
static bool relies_on_condition(const struct definition *definition,
				const struct step_definition *step)
{
	return step->form == FORM_CALL && step->when &&
	       look(definition, step, step->call.with).vouched_found;
}

static const struct {
	const char *name;
	has_feature *has;
} features[] = {
	{"a saga of one step", is_alone},
	{"a saga without a pivot", has_no_pivot},
	{"a pivot with a condition", is_conditional_pivot},
	{"a block of three branches", has_three_branches},
	{"a readonly step that may fail", is_ignored_reading},
	{"a step with an undo that may fail", is_ignored_do},
	{"a retriable step that may fail", is_ignored_late},
	{"a readonly step after the pivot", is_late_reading},
	{"an undo with the arguments of its do", undoes_with_do},
	{"an undo with the output of its do", undoes_with_output},
	{"arguments for which the step's condition vouches", relies_on_condition},
};

enum { DEPTHS = 3 };

static struct {
	bool spellings[sizeof spellings / sizeof *spellings];
	bool features[sizeof features / sizeof *features];
	bool forms[FORM_SAGA + 1][DEPTHS][2]; /* after the pivot */
	bool conditions[FORM_SAGA + 1][DEPTHS];
} seen;

static uint32_t depth_of(const struct definition *definition, uint32_t i)
{
	uint32_t depth = 0;

	while ((i = definition->steps[i].parent) != NO_STEP)
		depth++;
	return depth;
}

static void look_for_all(const struct sample *sample)
{
	const struct definition *definition = sample->definition;

	for (int n = 0; n < ROWS(spellings); n++)
		seen.spellings[n] |= contains(bytes_slice(&sample->text), spellings[n]);
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];
		uint32_t depth = depth_of(definition, i);

		seen.forms[step->form][depth][step->after_pivot] = true;
		seen.conditions[step->form][depth] |= step->when != NULL;
		for (int n = 0; n < ROWS(features); n++)
			seen.features[n] |= features[n].has(definition, step);
	}
}

static void check_form(enum form form, int depth)
{
	bool none_late = form == FORM_NOTHING; /* nothing is undone after the pivot */

	if (form_is_block(form) && depth == DEPTHS - 1)
		return;
	ck_assert_msg(seen.forms[form][depth][false], "never before a pivot: %s in %d blocks",
		      form_text(form), depth);
	ck_assert_msg(seen.forms[form][depth][true] != none_late,
		      "after the pivot: %s in %d blocks", form_text(form), depth);
	ck_assert_msg(seen.conditions[form][depth], "never with `when`: %s in %d blocks",
		      form_text(form), depth);
}

START_TEST(test_everything_comes_up)
{
	for (int seed = 0; seed < MANY_SEEDS; seed++) {
		struct sample sample;

		begin_right(&sample, seed);
		look_for_all(&sample);
		release_sample(&sample);
	}
	for (int n = 0; n < ROWS(spellings); n++)
		ck_assert_msg(seen.spellings[n], "never written: %s", spellings[n]);
	for (int n = 0; n < ROWS(features); n++)
		ck_assert_msg(seen.features[n], "never there: %s", features[n].name);
	for (int n = 0; n < (FORM_SAGA + 1) * DEPTHS; n++)
		check_form((enum form)(n / DEPTHS), n % DEPTHS);
}
END_TEST

static void add(TCase *tcase)
{
	struct seeds seeds = seeds_of(SEEDS), explored = seeds_of(EXPLORED);

	tcase_add_loop_test(tcase, test_normal_form, seeds.first, seeds.end);
	tcase_add_loop_test(tcase, test_explored, explored.first, explored.end);
	tcase_add_loop_test(tcase, test_broken, 0, (int)definition_n_faults);
	tcase_add_test(tcase, test_everything_comes_up);
}

int main(void)
{
	return suite_run("random_definitions", add);
}
