/* rules.c - what may stand before and after the pivot.
 *
 * Along every path: (compensatable | readonly)* (pivot (retriable | readonly)*)?
 * The pivot stands in no parallel block and no each, so that "after the pivot" is a matter
 * of the outermost list: the same for all that a step of it contains. */
#include "orchestrator/load/loader.h"

#include <assert.h>

bool step_contains(const struct loader *loader, uint32_t outer, uint32_t inner)
{
	return inner > outer && inner < loader->drafts[outer].step.end;
}

static bool is_pivot(const struct draft *draft)
{
	return !draft->broken && form_commands(draft->step.form) && draft->kind_known &&
	       draft->step.kind == KIND_PIVOT;
}

static uint32_t outermost(const struct loader *loader, uint32_t index)
{
	while (loader->drafts[index].step.parent != NO_STEP)
		index = loader->drafts[index].step.parent;
	return index;
}

static void find_pivot(struct loader *loader)
{
	loader->pivot = NO_STEP;
	for (uint32_t i = 0; i < loader->n_steps; i++) {
		const struct draft *draft = &loader->drafts[i];

		if (!is_pivot(draft))
			continue;
		if (draft->step.parent != NO_STEP)
			report(loader->problems, draft->kind_place, CODE_PIVOT_IN_PARALLEL,
			       "a pivot cannot stand in %s, since the steps beside "
			       "it could neither be undone nor be certain; put it after "
			       "the block",
			       draft->step.each == NO_STEP ? "a parallel block" : "an `each`");
		if (loader->pivot == NO_STEP)
			loader->pivot = i;
		else
			report(loader->problems, draft->kind_place, CODE_SECOND_PIVOT,
			       "the pivot is step `%s` in line %u already, and there is no "
			       "point "
			       "of no return after the first; make this one retriable",
			       loader->drafts[loader->pivot].step.name.at,
			       (unsigned)loader->drafts[loader->pivot].step.place.line);
	}
}

static void mark_after_pivot(struct loader *loader)
{
	uint32_t pivot;

	if (loader->pivot == NO_STEP)
		return;
	pivot = outermost(loader, loader->pivot);
	for (uint32_t i = loader->drafts[pivot].step.end; i < loader->n_steps; i++)
		loader->drafts[i].step.after_pivot = true;
}

static void report_undo_after_pivot(struct loader *loader, const struct draft *draft)
{
	report(loader->problems, draft->undo_place, CODE_UNDO_AFTER_PIVOT,
	       "nothing is undone after the pivot `%s`; remove this undo%s, or put the step "
	       "before the pivot",
	       loader->drafts[loader->pivot].step.name.at,
	       draft->step.kind == KIND_RETRIABLE || draft->step.form == FORM_NOTHING
		       ? ""
		       : " and make the step retriable");
}

static void check_compensatable(struct loader *loader, const struct draft *draft)
{
	if (draft->step.after_pivot && draft->kind_given)
		report(loader->problems, draft->kind_place, CODE_COMPENSATABLE_AFTER_PIVOT,
		       "nothing is undone after the pivot `%s`; make this step retriable, or "
		       "put "
		       "it before the pivot",
		       loader->drafts[loader->pivot].step.name.at);
	else if (draft->step.after_pivot)
		report_undo_after_pivot(loader, draft);
	else if (!draft->step.has_undo)
		report(loader->problems, draft->kind_place, CODE_MISSING_UNDO,
		       "a compensatable step needs to say how it is undone; add `undo`, or "
		       "make "
		       "it readonly if it changes nothing");
}

static void check_retriable(struct loader *loader, const struct draft *draft)
{
	if (draft->step.after_pivot) {
		if (draft->step.has_undo)
			report_undo_after_pivot(loader, draft);
		return;
	}
	if (loader->pivot == NO_STEP)
		report(loader->problems, draft->kind_place, CODE_RETRIABLE_BEFORE_PIVOT,
		       "a retriable step needs a pivot before it, and this saga has none; make "
		       "the step compensatable with an `undo`, or one before it the pivot");
	else
		report(loader->problems, draft->kind_place, CODE_RETRIABLE_BEFORE_PIVOT,
		       "a retriable step must come after the pivot, but `%s` comes later; make "
		       "this "
		       "step compensatable with an `undo`, or put it after the pivot",
		       loader->drafts[loader->pivot].step.name.at);
}

static void check_kind(struct loader *loader, const struct draft *draft)
{
	switch (draft->step.kind) {
	case KIND_COMPENSATABLE: check_compensatable(loader, draft); return;
	case KIND_RETRIABLE: check_retriable(loader, draft); return;
	case KIND_READONLY:
		if (draft->step.has_undo)
			report(loader->problems, draft->undo_place, CODE_UNDO_ON_READONLY,
			       "a readonly step changes nothing, so there is nothing to undo; "
			       "remove this undo, or the `kind`");
		return;
	case KIND_PIVOT:
		if (draft->step.has_undo)
			report(loader->problems, draft->undo_place, CODE_UNDO_ON_PIVOT,
			       "the pivot is the point of no return and is never undone; "
			       "remove "
			       "this undo, or make the step compensatable");
		return;
	case KIND_NONE: break;
	}
	assert(!"a call without a kind");
}

/* A child saga is undone by the engine, where anything is. */
static void check_child(struct loader *loader, struct draft *draft)
{
	if (!draft->kind_given && draft->step.after_pivot)
		draft->step.kind = KIND_RETRIABLE;
	draft->step.has_undo = draft->step.kind == KIND_COMPENSATABLE;
	if (draft->kind_given && draft->kind_known)
		check_kind(loader, draft);
}

static void check_on_failure(struct loader *loader, const struct draft *draft)
{
	bool pivot = is_pivot(draft);

	if (draft->on_failure == FAILURE_COMPENSATE && draft->step.after_pivot)
		report(loader->problems, draft->on_failure_place, CODE_COMPENSATE_AFTER_PIVOT,
		       "after the pivot nothing turns back, so a failure parks the step; "
		       "remove "
		       "`on_failure`, or write `ignore`");
	if (draft->on_failure == FAILURE_IGNORE && pivot)
		report(loader->problems, draft->on_failure_place, CODE_IGNORE_ON_PIVOT,
		       "a pivot cannot be ignored, since what follows relies on it; remove "
		       "`on_failure`, or make the step readonly or compensatable");
	if (draft->on_failure == FAILURE_PARK && !draft->step.after_pivot)
		report(loader->problems, draft->on_failure_place, CODE_PARK_BEFORE_PIVOT,
		       "only a step after the pivot parks when it fails, since until then the "
		       "saga can turn back; write `compensate`%s",
		       pivot ? "" : " or `ignore`");
}

static void check_await(struct loader *loader, struct draft *draft)
{
	struct step_definition *step = &draft->step;

	if (step->after_pivot && draft->then == THEN_COMPENSATE)
		report(loader->problems, draft->then_place, CODE_COMPENSATE_AFTER_PIVOT,
		       "after the pivot nothing turns back; write `then: continue`, or put "
		       "the "
		       "step before the pivot");
	if (step->after_pivot && draft->timeout_given && draft->then == THEN_DEFAULT)
		report(loader->problems, step->place, CODE_MISSING_KEY,
		       "`then` is missing in this `await`; after the pivot nothing turns "
		       "back, "
		       "so write `then: continue`");
	if (!draft->timeout_given && (step->after_pivot || !loader->deadline_given))
		report(loader->problems, step->place, CODE_AWAIT_WITHOUT_TIMEOUT,
		       "if the event never comes, this step waits for ever; add `timeout` and "
		       "`then`%s",
		       step->after_pivot ? "" : ", or give the saga a deadline");
	step->await_continue = draft->then == THEN_CONTINUE;
}

/* Their names, and how many instances of their steps there may be. */
static void check_eaches(struct loader *loader)
{
	uint64_t n = loader->n_steps;

	for (uint32_t i = 0; i < loader->n_steps; i++) {
		const struct draft *draft = &loader->drafts[i];
		uint32_t same;

		if (draft->broken || draft->step.form != FORM_EACH)
			continue;
		same = draft->step.as.len ? loader_find(loader, draft->step.as) : NO_STEP;
		if (same != NO_STEP)
			report(loader->problems, draft->as_place, CODE_BAD_NAME,
			       "`%s` is the step in line %u; give the element another name",
			       draft->step.as.at,
			       (unsigned)loader->drafts[same].step.place.line);
		if (!draft->step.max)
			continue;
		n += (uint64_t)(draft->step.max - 1) * (draft->step.end - i - 1);
		if (n <= INSTANCES_MAX)
			continue;
		report(loader->problems, draft->max_place, CODE_TOO_MANY_INSTANCES,
		       "with so many elements the saga could have more than %d steps to run; "
		       "lower `max`, or make the steps a child saga",
		       INSTANCES_MAX);
		return;
	}
}

void check_rules(struct loader *loader)
{
	find_pivot(loader);
	mark_after_pivot(loader);
	check_eaches(loader);
	for (uint32_t i = 0; i < loader->n_steps; i++) {
		struct draft *draft = &loader->drafts[i];

		if (draft->broken)
			continue;
		if (draft->step.form == FORM_CALL) {
			if (draft->kind_known)
				check_kind(loader, draft);
			check_on_failure(loader, draft);
		} else if (draft->step.form == FORM_NOTHING && draft->step.after_pivot) {
			report_undo_after_pivot(loader, draft);
		} else if (draft->step.form == FORM_AWAIT) {
			check_await(loader, draft);
		} else if (draft->step.form == FORM_SAGA) {
			check_child(loader, draft);
		}
	}
}
