#include "tests/lib/rehearsal.h"

#include "orchestrator/load/load.h"

#include <check.h>

static void check_loaded(enum err err, const struct problems *problems)
{
	ck_assert_msg(!err, "%u:%u: %s",
		      problems->n ? (unsigned)problems->list[0].place.line : 0,
		      problems->n ? (unsigned)problems->list[0].place.column : 0,
		      problems->n ? problems->list[0].text : err_text(err));
}

static void add(struct rehearsal *rehearsal, struct definition *definition)
{
	ck_assert_uint_lt(rehearsal->setup.family.n, REHEARSAL_FAMILY_MAX);
	rehearsal->definitions[rehearsal->setup.family.n++] = definition;
	rehearsal->setup.family.list = (const struct definition *const *)rehearsal->definitions;
}

void rehearsal_file(struct rehearsal *rehearsal, const char *path)
{
	struct problems problems = {.arena = &rehearsal->arena};
	struct definition *definition = NULL;
	enum err err = load_file(path, &problems, &definition);

	check_loaded(err, &problems);
	add(rehearsal, definition);
}

void rehearsal_text(struct rehearsal *rehearsal, const char *text)
{
	struct problems problems = {.arena = &rehearsal->arena};
	struct definition *definition = NULL;
	enum err err = load_text("test.yaml", slice_of(text), NULL, &problems, &definition);

	check_loaded(err, &problems);
	add(rehearsal, definition);
}

void rehearsal_plan(struct rehearsal *rehearsal, const char *text)
{
	struct problems problems = {.arena = &rehearsal->arena};
	enum err err = plan_load("plan.yaml", slice_of(text), &rehearsal->setup.family,
				 &problems, &rehearsal->plan);

	check_loaded(err, &problems);
	rehearsal->setup.plan = rehearsal->plan;
}

void rehearsal_faults(struct rehearsal *rehearsal, const char *text)
{
	struct diag diag = {""};
	enum err err = faults_parse(slice_of(text), &rehearsal->setup.faults, &diag);

	ck_assert_msg(!err, "%s", diag.text);
}

void rehearsal_open(struct rehearsal *rehearsal)
{
	ck_assert_int_eq(simulation_open(&rehearsal->setup, &rehearsal->simulation), OK);
}

/* Ends the run before. */
const struct run *rehearsal_run(struct rehearsal *rehearsal, uint64_t seed)
{
	struct diag diag = {""};
	enum err err;

	run_release(&rehearsal->run);
	err = simulation_run(rehearsal->simulation, seed, true, &rehearsal->run, &diag);
	ck_assert_msg(!err, "seed %u: %s: %s", (unsigned)seed, err_text(err), diag.text);
	return &rehearsal->run;
}

void rehearsal_close(struct rehearsal *rehearsal)
{
	run_release(&rehearsal->run);
	simulation_close(rehearsal->simulation);
	plan_free(rehearsal->plan);
	while (rehearsal->setup.family.n)
		definition_free(rehearsal->definitions[--rehearsal->setup.family.n]);
	arena_release(&rehearsal->arena);
}

bool rehearsal_tells(const struct run *run, const char *words)
{
	for (size_t i = 0; i < run->n_notes; i++)
		if (strstr(run->notes[i].text.at, words))
			return true;
	return false;
}
