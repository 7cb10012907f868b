#include "orchestrator/explain/undo_plan.h"

#include "orchestrator/explain/masked.h"
#include "orchestrator/explain/walk.h"

enum { PLACES = PLANNED_HELD + 1 }; /* that a step may have in a plan: one of each kind */

struct planning {
	struct walk walk;
	struct masked_undos shown;
	struct arena *arena;
	struct undo_plan *plan;
	uint8_t *places;   /* by step: the kinds that it has in the plan, as bits */
	size_t args_bytes; /* of all arguments in the plan */
	int64_t now_ms;
	enum err err;
};

/* --- leading the copy on ----------------------------------------------------------- */

static enum verdict let_happen(struct planning *p, const struct event *event,
			       const char **refusal)
{
	struct effects effects;
	enum verdict verdict = walk_step(&p->walk, event, &effects);

	switch (verdict) {
	case VERDICT_TAKEN:
	case VERDICT_IGNORED: break;
	case VERDICT_REFUSED: *refusal = effects.refusal; break;
	case VERDICT_NOMEM: p->err = ERR_NOMEM; break;
	}
	return verdict;
}

static struct event about(const struct planning *p, enum event_type type, uint32_t i)
{
	const struct step *step = &p->walk.saga.steps[i];

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
	const struct step *step = &p->walk.saga.steps[i];

	return step_in_flight(walk_definition(&p->walk, i), step) || waits_for_attempt(step);
}

/* It succeeds. What a do would answer is not known: it is without an output. */
static void settle(struct planning *p, uint32_t i)
{
	const char *refusal;
	struct event event;

	if (waits_for_attempt(&p->walk.saga.steps[i])) {
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

static bool has_place(const struct planning *p, uint32_t step, enum planned_kind kind)
{
	return p->places[step] >> kind & 1;
}

/* Of the steps before it as much as the saga knows; what it knows of its own it has only
 * where the do has answered. */
static void evaluate_shown(struct planning *p, struct planned *planned)
{
	struct saga shown = p->walk.saga;
	struct arena arena = {0};
	struct failure_text failure;
	struct json args = {{0}};
	enum err err;

	shown.input = p->shown.input;
	shown.expansions = p->shown.expansions;
	err = p->walk.evaluator->evaluate(p->walk.evaluator, p->shown.definition, &shown,
					  planned->step, PURPOSE_UNDO, &arena, &args, &failure);
	p->args_bytes += args.text.len;
	if (err == ERR_NOMEM || (args.text.len && p->args_bytes <= UNDO_PLAN_ARGS_MAX &&
				 !arena_copy(p->arena, args.text, &planned->args)))
		p->err = ERR_NOMEM;
	arena_release(&arena);
}

static void plan_args(struct planning *p, struct planned *planned)
{
	struct own_output own = {
		.step = saga_instance(p->walk.definition, &p->walk.saga, planned->step).step};
	const struct step_definition *step = walk_definition(&p->walk, planned->step);

	if (step->form == FORM_SAGA || p->args_bytes > UNDO_PLAN_ARGS_MAX)
		return;
	evaluate_shown(p, planned);
	template_each(step->undo.with, look_for_own, &own);
	planned->args_open = own.found && has_place(p, planned->step, PLANNED_ANSWER);
}

/* Once for each kind: a person that is needed is needed until the end. */
static void add(struct planning *p, enum planned_kind kind, uint32_t wave, uint32_t i,
		const struct saga *before)
{
	struct planned *planned = &p->plan->list[p->plan->n];
	const struct step *step = &p->walk.saga.steps[i], *was = &before->steps[i];

	if (has_place(p, i, kind))
		return;
	p->places[i] |= (uint8_t)(1 << kind);
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

	for (uint32_t i = 0; i < p->walk.saga.n_steps; i++) {
		const struct step *step = &p->walk.saga.steps[i];

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
	bool *pending = arena_array(p->arena, p->walk.saga.n_steps, sizeof *pending);
	uint64_t revision = 0;
	uint32_t wave = 1;

	if (!pending) {
		p->err = ERR_NOMEM;
		return;
	}
	/* What is answered moves on; a saga that would not must not keep us here. */
	for (; revision != p->walk.saga.revision && add_wave(p, wave, before, pending);
	     wave++) {
		revision = p->walk.saga.revision;
		for (uint32_t i = 0; i < p->walk.saga.n_steps && !p->err; i++)
			if (pending[i])
				settle(p, i);
		if (p->err)
			return;
	}
	p->plan->parks = saga_status(&p->walk.saga) == STATUS_PARKED;
	for (uint32_t i = 0; i < p->walk.saga.n_steps && !p->err; i++)
		if (p->plan->parks &&
		    step_needs_undo(walk_definition(&p->walk, i), &p->walk.saga.steps[i]))
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
	case STEP_SKIPPED:
		return step->why == WHY_NO_ELEMENT ? "the list has no element for it"
						   : "it was skipped";
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

static void add_left(struct planning *p)
{
	struct undo_plan *plan = p->plan;

	for (uint32_t i = 0; i < p->walk.saga.n_steps; i++) {
		const struct step_definition *definition = walk_definition(&p->walk, i);

		if (!form_is_block(definition->form) &&
		    !(p->places[i] & ~(1 << PLANNED_ANSWER)))
			plan->left[plan->n_left++] =
				(struct left){i, why_left(definition, &p->walk.saga.steps[i])};
	}
}

/* --- the plan ------------------------------------------------------------------------ */

/* Dos that were not handed over are not waited for. */
static void withdraw(struct planning *p, const struct undo_wish *wish)
{
	const char *ignored;

	for (uint32_t i = 0; i < p->walk.saga.n_steps && wish->is_held && !p->err; i++) {
		const struct step *step = &p->walk.saga.steps[i];
		struct event event = about(p, EVENT_TIMEOUT, i);

		if (p->walk.saga.phase == PHASE_BACK && step->state == STEP_RUNNING &&
		    step->verb == VERB_DO && wish->is_held(wish->context, i))
			let_happen(p, &event, &ignored);
	}
}

/* Whether the copy turns back. */
static bool turn(struct planning *p, const struct undo_wish *wish)
{
	struct undo_plan *plan = p->plan;
	struct event event = {.type = plan->operation,
			      .at_ms = p->now_ms,
			      .step = NO_STEP,
			      .reason = wish->reason,
			      .by_parent = wish->by_parent};
	const char *ignored;

	switch (let_happen(p, &event, &plan->refusal)) {
	case VERDICT_TAKEN: break;
	case VERDICT_IGNORED: plan->turning = true; break;
	case VERDICT_REFUSED:
	case VERDICT_NOMEM: return false;
	}
	withdraw(p, wish);
	plan->paused = p->walk.saga.flags & SAGA_PAUSED;
	event = (struct event){.type = EVENT_RESUME, .at_ms = p->now_ms, .step = NO_STEP};
	if (plan->paused)
		let_happen(p, &event, &ignored);
	return !p->err;
}

static enum err make_room(struct planning *p)
{
	uint32_t n = p->walk.saga.n_steps;

	p->plan->list = arena_array(p->arena, (size_t)PLACES * n, sizeof *p->plan->list);
	p->plan->left = arena_array(p->arena, n, sizeof *p->plan->left);
	p->places = arena_array(p->arena, n, sizeof *p->places);
	return p->plan->list && p->plan->left && p->places ? OK : ERR_NOMEM;
}

enum err undo_plan(const struct definition *definition, const struct evaluator *evaluator,
		   const struct saga *saga, const struct undo_wish *wish, struct arena *arena,
		   struct undo_plan *out)
{
	struct planning p = {.walk = {definition, evaluator, .saga = *saga},
			     .arena = arena,
			     .plan = out,
			     .now_ms = wish->at_ms};

	*out = (struct undo_plan){.operation = saga->phase == PHASE_COMPLETED ? EVENT_UNDO
									      : EVENT_CANCEL};
	p.err = make_room(&p);
	if (!p.err)
		p.err = masked_undos(definition, saga, arena, &p.shown);
	if (!p.err && turn(&p, wish)) {
		lead_to_the_end(&p, saga);
		add_left(&p);
	}
	walk_end(&p.walk);
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
