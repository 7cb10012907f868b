#include "orchestrator/explain/undo_plan.h"

#include "orchestrator/explain/masked.h"

#include <assert.h>

enum { PLACES = PLANNED_HELD + 1 }; /* that a step may have in a plan: one of each kind */

struct planning {
	const struct definition *definition;
	const struct evaluator *evaluator;
	const struct definition *shown; /* undos without what is masked */
	struct slice shown_input;
	struct arena *arena;
	struct undo_plan *plan;
	struct saga saga; /* as it is by now */
	int64_t now_ms;
	enum err err;
};

/* --- leading the copy on ----------------------------------------------------------- */

static enum verdict let_happen(struct planning *p, const struct event *event,
			       const char **refusal)
{
	struct effects effects;
	struct saga after;
	enum verdict verdict = saga_step(p->definition, p->evaluator, &p->saga, event, p->arena,
					 &after, &effects);

	switch (verdict) {
	case VERDICT_TAKEN: p->saga = after; break;
	case VERDICT_IGNORED: break;
	case VERDICT_REFUSED: *refusal = effects.refusal; break;
	case VERDICT_NOMEM: p->err = ERR_NOMEM; break;
	}
	return verdict;
}

static struct event about(const struct planning *p, enum event_type type, uint32_t i)
{
	const struct step *step = &p->saga.steps[i];

	return (struct event){
		.type = type,
		.at_ms = p->now_ms,
		.step = i,
		.verb = (enum verb)step->verb,
		.round = step->verb == VERB_UNDO ? step->undo_round : step->do_round,
		.attempt = step->attempt,
		.outcome = OUTCOME_OK,
	};
}

static bool waits_for_attempt(const struct step *step)
{
	return step->state == STEP_UNDO_BACKOFF ||
	       (step->state == STEP_BACKOFF && step->verb == VERB_REVOKE);
}

static bool is_under_way(const struct planning *p, uint32_t i)
{
	const struct step *step = &p->saga.steps[i];

	return step_in_flight(&p->definition->steps[i], step) || waits_for_attempt(step);
}

/* It succeeds. What a do would answer is not known: it is without an output. */
static void settle(struct planning *p, uint32_t i)
{
	const char *refusal;
	struct event event;

	if (waits_for_attempt(&p->saga.steps[i])) {
		event = about(p, EVENT_DUE, i);
		let_happen(p, &event, &refusal);
	}
	event = about(p, EVENT_REPLY, i);
	if (!p->err)
		let_happen(p, &event, &refusal);
}

/* --- writing down what is under way -------------------------------------------------- */

static bool reads_own_output(const struct expression *expression, uint32_t i)
{
	for (size_t n = 0; n < expression->n_references; n++)
		if (expression->references[n].step == i)
			return true;
	return false;
}

struct own_output {
	uint32_t step;
	bool found;
};

static void look_for_own(void *context, const struct expression *expression)
{
	struct own_output *own = context;

	own->found |= reads_own_output(expression, own->step);
}

static void plan_args(struct planning *p, struct planned *planned)
{
	struct own_output own = {.step = planned->step};
	struct saga shown = p->saga;
	struct failure_text failure;
	struct json args = {{0}};
	enum err err;

	/* Of the steps before it as much as the saga knows; what it knows of its own it
	 * has only where the do has answered. */
	shown.input = p->shown_input;
	err = p->evaluator->evaluate(p->evaluator, p->shown, &shown, planned->step,
				     PURPOSE_UNDO, p->arena, &args, &failure);
	if (err == ERR_NOMEM)
		p->err = err;
	planned->args = args.text;
	template_each(p->definition->steps[planned->step].undo.with, look_for_own, &own);
	for (uint32_t n = 0; n < p->plan->n; n++)
		if (p->plan->list[n].step == planned->step &&
		    p->plan->list[n].kind == PLANNED_ANSWER)
			planned->args_open = own.found;
}

/* Once for each kind: a person that is needed is needed until the end. */
static void add(struct planning *p, enum planned_kind kind, uint32_t wave, uint32_t i,
		const struct saga *before)
{
	struct planned *planned = &p->plan->list[p->plan->n];
	const struct step *step = &p->saga.steps[i], *was = &before->steps[i];

	for (uint32_t n = 0; n < p->plan->n; n++)
		if (p->plan->list[n].step == i && p->plan->list[n].kind == kind)
			return;
	assert(p->plan->n < PLACES * p->definition->n_steps);
	*planned = (struct planned){
		.kind = kind,
		.wave = wave,
		.step = i,
		.round = step->verb == VERB_UNDO ? step->undo_round : step->do_round,
		.sent = kind != PLANNED_HELD && was->verb == step->verb && was->attempt > 0 &&
			was->do_round == step->do_round && was->undo_round == step->undo_round,
	};
	if (kind == PLANNED_UNDO)
		plan_args(p, planned);
	p->plan->n++;
}

static enum planned_kind kind_of(const struct step *step)
{
	switch ((enum verb)step->verb) {
	case VERB_DO: break;
	case VERB_UNDO: return PLANNED_UNDO;
	case VERB_REVOKE: return PLANNED_REVOKE;
	}
	return PLANNED_ANSWER;
}

/* How many are under way. */
static uint32_t add_wave(struct planning *p, uint32_t wave, const struct saga *before,
			 bool *pending)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->saga.n_steps; i++) {
		const struct step *step = &p->saga.steps[i];

		pending[i] = is_under_way(p, i);
		n += pending[i];
		if (pending[i]) {
			add(p, kind_of(step), wave, i, before);
		} else if (step->state == STEP_PARKED) {
			add(p, PLANNED_PERSON, wave, i, before);
		}
	}
	return n;
}

static void lead_to_the_end(struct planning *p, const struct saga *before)
{
	bool *pending = arena_array(p->arena, p->saga.n_steps, sizeof *pending);
	uint64_t revision = 0;
	uint32_t wave = 1;

	if (!pending) {
		p->err = ERR_NOMEM;
		return;
	}
	/* What is answered moves on; a saga that would not must not keep us here. */
	for (; revision != p->saga.revision && add_wave(p, wave, before, pending); wave++) {
		revision = p->saga.revision;
		for (uint32_t i = 0; i < p->saga.n_steps && !p->err; i++)
			if (pending[i])
				settle(p, i);
		if (p->err)
			return;
	}
	p->plan->parks = saga_status(&p->saga) == STATUS_PARKED;
	for (uint32_t i = 0; i < p->saga.n_steps && !p->err; i++)
		if (p->plan->parks &&
		    step_needs_undo(&p->definition->steps[i], &p->saga.steps[i]))
			add(p, PLANNED_HELD, wave, i, before);
}

/* --- what is left as it is ------------------------------------------------------------ */

static const char *why_left(const struct step_definition *definition, const struct step *step)
{
	if (step->flags & FLAG_WAIVED)
		return "its undo was given up";
	switch ((enum step_state)step->state) {
	case STEP_WAITING:
	case STEP_NEVER: return "it was not started";
	case STEP_REFUSED: return "it was refused: nothing was done";
	case STEP_UNDONE:
		return definition->kind == KIND_PIVOT ? "it is barred: it can never happen"
						      : "it is undone already";
	case STEP_SKIPPED: return "it was skipped";
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_DONE:
	case STEP_IN_DOUBT:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: break;
	}
	return definition->kind == KIND_READONLY ? "it changes nothing"
						 : "it has nothing to be undone";
}

static bool is_planned(const struct undo_plan *plan, uint32_t step)
{
	for (uint32_t n = 0; n < plan->n; n++)
		if (plan->list[n].step == step && plan->list[n].kind != PLANNED_ANSWER)
			return true;
	return false;
}

static void add_left(struct planning *p)
{
	struct undo_plan *plan = p->plan;

	for (uint32_t i = 0; i < p->saga.n_steps; i++) {
		const struct step_definition *definition = &p->definition->steps[i];

		if (definition->form != FORM_PARALLEL && !is_planned(plan, i))
			plan->left[plan->n_left++] =
				(struct left){i, why_left(definition, &p->saga.steps[i])};
	}
}

/* --- the plan ------------------------------------------------------------------------ */

/* Whether the copy turns back. */
static bool turn(struct planning *p, struct slice reason)
{
	struct undo_plan *plan = p->plan;
	struct event event = {
		.type = plan->operation, .at_ms = p->now_ms, .step = NO_STEP, .reason = reason};
	const char *ignored;

	switch (let_happen(p, &event, &plan->refusal)) {
	case VERDICT_TAKEN: break;
	case VERDICT_IGNORED: plan->turning = true; break;
	case VERDICT_REFUSED:
	case VERDICT_NOMEM: return false;
	}
	plan->paused = p->saga.flags & SAGA_PAUSED;
	event = (struct event){.type = EVENT_RESUME, .at_ms = p->now_ms, .step = NO_STEP};
	if (plan->paused)
		let_happen(p, &event, &ignored);
	return !p->err;
}

static enum err make_room(struct planning *p)
{
	uint32_t n = p->definition->n_steps;
	struct bytes input = BYTES(SAGA_BYTES_MAX, p->arena);

	p->plan->list = arena_array(p->arena, (size_t)PLACES * n, sizeof *p->plan->list);
	p->plan->left = arena_array(p->arena, n, sizeof *p->plan->left);
	p->shown = masked_undos(p->definition, p->arena);
	p->shown_input = p->saga.input;
	if (p->definition->n_mask) {
		masked_json(&input, p->definition, (struct json){p->saga.input});
		p->shown_input = bytes_slice(&input);
	}
	return p->plan->list && p->plan->left && p->shown && !input.err ? OK : ERR_NOMEM;
}

enum err undo_plan(const struct definition *definition, const struct evaluator *evaluator,
		   const struct saga *saga, struct slice reason, int64_t now_ms,
		   struct arena *arena, struct undo_plan *out)
{
	struct planning p = {.definition = definition,
			     .evaluator = evaluator,
			     .arena = arena,
			     .plan = out,
			     .saga = *saga,
			     .now_ms = now_ms};

	*out = (struct undo_plan){.operation = saga->phase == PHASE_COMPLETED ? EVENT_UNDO
									      : EVENT_CANCEL};
	p.err = make_room(&p);
	if (!p.err && turn(&p, reason)) {
		lead_to_the_end(&p, saga);
		add_left(&p);
	}
	return p.err;
}

const char *planned_text(enum planned_kind kind)
{
	switch (kind) {
	case PLANNED_ANSWER: return "answer";
	case PLANNED_REVOKE: return "revoke";
	case PLANNED_UNDO: return "undo";
	case PLANNED_PERSON: return "person";
	case PLANNED_HELD: return "held";
	}
	return "?";
}
