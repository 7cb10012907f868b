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

/* --- the steps of elements ------------------------------------------------------- */

static void copy_step(struct model *model, uint32_t of, uint32_t shift)
{
	struct step_definition *step = &model->steps[of + shift];
	uint32_t each = model->definition.steps[of].each;

	*step = model->definition.steps[of];
	if (step->parent != NO_STEP && step->parent != each)
		step->parent += shift;
	if (step->previous != NO_STEP)
		step->previous += shift;
	if (step->next != NO_STEP)
		step->next += shift;
	step->end += shift;
}

static uint32_t elements_of(const struct model *model, uint32_t each)
{
	uint32_t max = model->definition.steps[each].max;

	return max < model->bounds.elements ? max : model->bounds.elements;
}

static void find_expansions(struct model *model)
{
	static const struct slice no_values[ELEMENTS_MAX];
	const struct definition *definition = &model->definition;

	model->n_steps = definition->n_steps;
	for (uint32_t i = 0; i < definition->n_steps; i++) {
		struct expansion *expansion = &model->expansions[model->n_expansions];

		if (definition->steps[i].form != FORM_EACH)
			continue;
		*expansion = (struct expansion){.step = i,
						.first = model->n_steps,
						.n = elements_of(model, i),
						.items = no_values};
		model->n_expansions++;
		model->n_steps += expansion_added(definition, expansion);
	}
}

static enum err make_steps(struct model *model)
{
	const struct definition *definition = &model->definition;

	model->expansions =
		arena_array(&model->arena, definition->n_steps, sizeof *model->expansions);
	if (!model->expansions)
		return ERR_NOMEM;
	find_expansions(model);
	if (model->n_steps > STEPS_MAX)
		return ERR_TOO_LARGE;
	model->steps = arena_array(&model->arena, model->n_steps, sizeof *model->steps);
	if (!model->steps)
		return ERR_NOMEM;
	for (uint32_t i = 0; i < definition->n_steps; i++)
		copy_step(model, i, 0);
	for (uint32_t e = 0; e < model->n_expansions; e++) {
		const struct expansion *expansion = &model->expansions[e];
		uint32_t each = expansion->step;

		for (uint32_t n = 1; n < expansion->n; n++)
			for (uint32_t i = each + 1; i < definition->steps[each].end; i++)
				copy_step(model, i, expansion_shift(definition, expansion, n));
	}
	return OK;
}

bool model_inside(const struct model *model, uint32_t outer, uint32_t inner)
{
	while (inner != NO_STEP && inner != outer)
		inner = model->steps[inner].parent;
	return inner != NO_STEP;
}

uint32_t model_read(const struct model *model, uint32_t step, struct reference reference)
{
	const struct saga saga = {.n_steps = model->n_steps,
				  .expansions = model->expansions,
				  .n_expansions = model->n_expansions};
	uint32_t each = model->definition.steps[reference.step].each;
	struct instance at;

	if (reference.all)
		return each;
	if (each == NO_STEP)
		return reference.step;
	at = saga_instance(&model->definition, &saga, step);
	at.step = reference.step;
	return saga_instance_at(&model->definition, &saga, at);
}

/* --- who depends on whom --------------------------------------------------------- */

static uint32_t list_head(const struct model *model, uint32_t i)
{
	while (model->steps[i].previous != NO_STEP)
		i = model->steps[i].previous;
	return i;
}

/* Both are lifted to the list that they share. Where that list is one of a step
 * that contains both they meet in this step, and neither waits for the other. */
static bool runs_after(const struct model *model, uint32_t a, uint32_t b)
{
	for (uint32_t above = a; above != NO_STEP; above = model->steps[above].parent)
		for (uint32_t of_b = b; of_b != NO_STEP; of_b = model->steps[of_b].parent)
			if (list_head(model, above) == list_head(model, of_b))
				return above < of_b;
	return false;
}

static bool find_dependents(struct model *model)
{
	uint32_t n = model->n_steps;

	model->dependents = arena_array(&model->arena, n, sizeof *model->dependents);
	if (!model->dependents)
		return false;
	for (uint32_t a = 0; a < n; a++)
		for (uint32_t b = 0; b < n; b++)
			if (runs_after(model, a, b))
				step_set_add(&model->dependents[a], b);
	return true;
}

/* --- what is read ---------------------------------------------------------------- */

struct reading {
	struct model *model;
	uint32_t step;
};

static void note_read(void *context, const struct expression *expression)
{
	const struct reading *reading = context;

	for (size_t n = 0; n < expression->n_references; n++)
		if (!expression->references[n].guarded)
			step_set_add(&reading->model->read,
				     model_read(reading->model, reading->step,
						expression->references[n]));
}

static void find_read(struct model *model)
{
	struct reading reading = {.model = model};

	for (uint32_t i = 0; i < model->n_steps; i++) {
		const struct step_definition *step = &model->steps[i];
		const struct expression *const expressions[] = {step->when, step->until,
								step->in, step->child_key};

		reading.step = i;
		for (size_t n = 0; n < sizeof expressions / sizeof *expressions; n++)
			if (expressions[n])
				note_read(&reading, expressions[n]);
		if (form_commands(step->form))
			template_each(step->call.with, note_read, &reading);
		if (step->has_undo)
			template_each(step->undo.with, note_read, &reading);
	}
	reading.step = NO_STEP;
	if (model->definition.output)
		template_each(model->definition.output, note_read, &reading);
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
	uint32_t n_steps = model->n_steps;

	model->events = arena_array(&model->arena, n_steps, sizeof *model->events);
	model->event_limits = arena_array(&model->arena, n_steps, sizeof *model->event_limits);
	if (!model->events || !model->event_limits)
		return false;
	for (uint32_t i = 0; i < n_steps; i++) {
		const struct step_definition *step = &model->steps[i];
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
	enum err err;

	*model = (struct model){.bounds = options->bounds,
				.step = options->step ? options->step : saga_step};
	if (!cut_definition(model, definition))
		return ERR_NOMEM;
	err = make_steps(model);
	if (err)
		return err;
	if (!find_dependents(model) || !find_events(model))
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
		return form_commands(definition->form);
	return step->state == STEP_UNDOING && !form_is_block(definition->form);
}

const struct retry *retry_of(const struct model *model, uint32_t step, enum verb verb)
{
	const struct step_definition *definition = &model->steps[step];

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
