#include "orchestrator/check/state.h"

/* --- the definition, cut down ---------------------------------------------------- */

/* A budget is spent or not, whatever its length. Without a number of attempts
 * the model forgoes those beyond the bound: by then the budget is spent. */
static struct retry cut_retry(struct retry retry, uint32_t attempts)
{
	if (!retry.attempts || retry.attempts > attempts)
		retry.attempts = attempts;
	if (retry.budget_ms)
		retry.budget_ms = BUDGET_MS;
	return retry;
}

static bool cut_definition(struct model *model, const struct definition *definition)
{
	struct step_definition *steps =
		arena_array(&model->arena, definition->n_steps, sizeof *steps);

	model->definition = *definition;
	if (!steps)
		return false;
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		uint32_t attempts = model->bounds.attempts;

		steps[i] = definition->steps[i];
		steps[i].call.retry = cut_retry(steps[i].call.retry, attempts);
		steps[i].undo.retry = cut_retry(steps[i].undo.retry, attempts);
	}
	model->definition.steps = steps;
	return true;
}

/* --- who depends on whom --------------------------------------------------------- */

static uint32_t list_head(const struct definition *definition, uint32_t i)
{
	while (definition->steps[i].previous != NO_STEP)
		i = definition->steps[i].previous;
	return i;
}

/* Both are lifted to the list that they share. Where that list is one of a step
 * that contains both they meet in this step, and neither waits for the other. */
static bool runs_after(const struct definition *definition, uint32_t a, uint32_t b)
{
	for (uint32_t above = a; above != NO_STEP; above = definition->steps[above].parent)
		for (uint32_t of_b = b; of_b != NO_STEP; of_b = definition->steps[of_b].parent)
			if (list_head(definition, above) == list_head(definition, of_b))
				return above < of_b;
	return false;
}

static bool find_dependents(struct model *model)
{
	uint32_t n = model->definition.n_steps;

	model->dependents = arena_array(&model->arena, n, sizeof *model->dependents);
	if (!model->dependents)
		return false;
	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = 0; b < n; b++)
			if (runs_after(&model->definition, a, b))
				step_set_add(&model->dependents[a], b);
	return true;
}

/* --- what is read ---------------------------------------------------------------- */

static void note_read(void *context, const struct expression *expression)
{
	struct step_set *read = context;

	for (size_t n = 0; n < expression->n_references; n++)
		if (!expression->references[n].guarded)
			step_set_add(read, expression->references[n].step);
}

static void find_read(struct model *model)
{
	const struct definition *definition = &model->definition;

	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];

		if (step->when)
			note_read(&model->read, step->when);
		if (step->until)
			note_read(&model->read, step->until);
		if (step->form == FORM_CALL)
			template_each(step->call.with, note_read, &model->read);
		if (step->has_undo)
			template_each(step->undo.with, note_read, &model->read);
	}
	if (definition->output)
		template_each(definition->output, note_read, &model->read);
}

/* --- what is awaited ------------------------------------------------------------- */

static uint32_t find_event(const struct model *model, struct slice event)
{
	uint32_t n = 0;

	while (n < model->n_events && !slice_equal(model->events[n], event))
		n++;
	return n;
}

static bool name_signals(struct model *model, uint32_t n)
{
	for (uint32_t k = 0; k < model->event_limits[n]; k++) {
		struct bytes id = BYTES(NAME_MAX_BYTES + 8, &model->arena);

		bytes_append(&id, model->events[n]);
		bytes_format(&id, ".%u", k + 1);
		if (id.err)
			return false;
		model->ids[n][k] = bytes_slice(&id);
	}
	return true;
}

static bool find_events(struct model *model)
{
	uint32_t n_steps = model->definition.n_steps;

	model->events = arena_array(&model->arena, n_steps, sizeof *model->events);
	model->event_limits = arena_array(&model->arena, n_steps, sizeof *model->event_limits);
	if (!model->events || !model->event_limits)
		return false;
	for (uint32_t i = 0; i < n_steps; i++) {
		const struct step_definition *step = &model->definition.steps[i];
		uint32_t n;

		if (step->form != FORM_AWAIT)
			continue;
		n = find_event(model, step->event);
		if (n == model->n_events)
			model->events[model->n_events++] = step->event;
		model->event_limits[n] += model->bounds.signals;
		if (model->event_limits[n] > COUNT_MAX)
			model->event_limits[n] = COUNT_MAX;
	}
	model->ids = arena_array(&model->arena, model->n_events + 1, sizeof *model->ids);
	if (!model->ids)
		return false;
	for (uint32_t n = 0; n < model->n_events; n++)
		if (!name_signals(model, n))
			return false;
	return true;
}

/* --- the model ------------------------------------------------------------------- */

enum err model_make(struct model *model, const struct definition *definition,
		    const struct explore_options *options)
{
	*model = (struct model){.bounds = options->bounds,
				.step = options->step ? options->step : saga_step};
	if (!cut_definition(model, definition) || !find_dependents(model) ||
	    !find_events(model))
		return ERR_NOMEM;
	find_read(model);
	model->record_size = state_size(model);
	return OK;
}

void model_release(struct model *model)
{
	arena_release(&model->arena);
}

bool command_in_flight(const struct step_definition *definition, const struct step *step)
{
	if (step->state == STEP_RUNNING)
		return definition->form == FORM_CALL;
	return step->state == STEP_UNDOING && definition->form != FORM_PARALLEL;
}

const struct retry *retry_of(const struct model *model, uint32_t step, enum verb verb)
{
	const struct step_definition *definition = &model->definition.steps[step];

	switch (verb) {
	case VERB_DO: return &definition->call.retry;
	case VERB_UNDO: return &definition->undo.retry;
	case VERB_REVOKE: break;
	}
	return &retry_default_undo;
}

bool attempts_used(const struct model *model, uint32_t step, const struct step *state)
{
	const struct retry *retry = retry_of(model, step, (enum verb)state->verb);
	uint32_t used = state->attempt - state->base;

	return retry->attempts && used >= retry->attempts;
}
