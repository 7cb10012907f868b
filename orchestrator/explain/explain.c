#include "orchestrator/explain/sentences.h"

enum { SENTENCE_MAX = 8 * 1024 };

struct explaining {
	const struct definition *definition;
	const struct evaluator *evaluator;
	const struct saga *saga;
	const struct circumstances *circumstances;
	struct arena *arena;
	struct explanation *out;
	enum err err;
};

/* --- what it waits for ------------------------------------------------------------------ */

/* When the step came to be as it is: its newest entry. */
static int64_t find_since(const struct explaining *e, uint32_t step)
{
	struct timeline_each each = timeline_each(e->circumstances->timeline);
	int64_t since_ms = 0;

	while (timeline_next(&each))
		if (each.entry.step == step)
			since_ms = each.entry.at_ms;
	return since_ms;
}

/* Since when the saga is paused: the newest pause. */
static int64_t find_pause(const struct explaining *e)
{
	struct timeline_each each = timeline_each(e->circumstances->timeline);
	struct slice pause = SLICE_LITERAL("pause");
	int64_t since_ms = 0;

	while (timeline_next(&each))
		if (each.entry.type == ENTRY_OPERATION && each.entry.detail.len >= pause.len &&
		    memcmp(each.entry.detail.at, pause.at, pause.len) == 0)
			since_ms = each.entry.at_ms;
	return since_ms;
}

static const struct call *call_of(const struct step_definition *definition,
				  const struct step *step)
{
	if (step->verb == VERB_UNDO)
		return definition->has_undo ? &definition->undo : NULL;
	return definition->form == FORM_CALL ? &definition->call : NULL;
}

/* False: the step waits for nothing of its own. */
static bool find_kind(const struct step_definition *definition, const struct step *step,
		      enum wait_kind *out)
{
	switch ((enum step_state)step->state) {
	case STEP_RUNNING:
		*out = definition->form == FORM_AWAIT   ? WAIT_EVENT
		       : definition->form == FORM_SLEEP ? WAIT_SLEEP
							: WAIT_ANSWER;
		return definition->form != FORM_PARALLEL;
	case STEP_UNDOING: *out = WAIT_ANSWER; return definition->form != FORM_PARALLEL;
	case STEP_BACKOFF:
	case STEP_UNDO_BACKOFF: *out = WAIT_ATTEMPT; return true;
	case STEP_PARKED: *out = WAIT_PERSON; return true;
	case STEP_WAITING:
	case STEP_DONE:
	case STEP_REFUSED:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
	case STEP_UNDONE:
	case STEP_NEVER: break;
	}
	return false;
}

static int64_t find_until(const struct explaining *e, enum wait_kind kind, uint32_t i)
{
	switch (kind) {
	case WAIT_ANSWER: return e->circumstances->due_ms[i];
	case WAIT_ATTEMPT: /* no timer runs while it is paused */
		return e->saga->flags & SAGA_PAUSED ? 0 : e->saga->steps[i].due_ms;
	case WAIT_SLEEP:
	case WAIT_EVENT: return e->saga->steps[i].due_ms;
	case WAIT_PERSON:
	case WAIT_RESUME: break;
	}
	return 0;
}

static void say(struct explaining *e, struct wait *wait)
{
	struct bytes text = BYTES(SENTENCE_MAX, e->arena), next = BYTES(SENTENCE_MAX, e->arena);

	say_wait(e->definition, e->saga, wait, &text);
	if (wait->kind != WAIT_PERSON)
		say_next(e->definition, e->saga, wait, &next);
	wait->text = bytes_slice(&text);
	wait->next = bytes_slice(&next);
	if (text.err || next.err)
		e->err = ERR_NOMEM;
}

static void add_wait(struct explaining *e, uint32_t i, enum wait_kind kind)
{
	struct wait *wait = &e->out->waits[e->out->n_waits++];
	const struct step *step = &e->saga->steps[i];
	const struct circumstances *circumstances = e->circumstances;

	*wait = (struct wait){.kind = kind,
			      .step = i,
			      .to = call_of(&e->definition->steps[i], step),
			      .verb = (enum verb)step->verb,
			      .attempt = step->attempt,
			      .since_ms = find_since(e, i),
			      .until_ms = find_until(e, kind, i)};
	/* A revoke is retried by a policy of its own, which only time limits. */
	if (wait->to && wait->verb != VERB_REVOKE && wait->to->retry.attempts)
		wait->attempts_max = step->base + wait->to->retry.attempts;
	if (wait->to)
		wait->presence =
			circumstances->find(circumstances->context, wait->to->participant);
	say(e, wait);
}

static void add_waits(struct explaining *e)
{
	const struct saga *saga = e->saga;
	enum wait_kind kind;

	if (saga_ended(saga))
		return;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (find_kind(&e->definition->steps[i], &saga->steps[i], &kind))
			add_wait(e, i, kind);
	if (saga->flags & SAGA_PAUSED) {
		struct wait *wait = &e->out->waits[e->out->n_waits++];

		*wait = (struct wait){
			.kind = WAIT_RESUME, .step = NO_STEP, .since_ms = find_pause(e)};
		say(e, wait);
	}
}

/* --- what can be done -------------------------------------------------------------------- */

/* Whether it would be taken now; otherwise *refusal says why not, or is NULL where it
 * is so already. */
static bool would_be_taken(struct explaining *e, struct event *event, const char **refusal)
{
	struct arena arena = {0};
	struct effects effects;
	struct saga after;
	enum verdict verdict;

	event->at_ms = e->circumstances->now_ms;
	event->reason = SLICE_LITERAL("?");
	verdict = saga_step(e->definition, e->evaluator, e->saga, event, &arena, &after,
			    &effects);
	*refusal = verdict == VERDICT_REFUSED ? effects.refusal : NULL;
	if (verdict == VERDICT_NOMEM)
		e->err = ERR_NOMEM;
	arena_release(&arena);
	return verdict == VERDICT_TAKEN;
}

static void offer(struct explaining *e, struct event event, const char *text)
{
	const char *refusal;

	if (would_be_taken(e, &event, &refusal))
		e->out->actions[e->out->n_actions++] =
			(struct action){event.type, event.step, text};
}

static const char *retry_text_of(const struct step *step)
{
	if (step->state != STEP_PARKED)
		return "sends the next attempt at once";
	if (step->why == WHY_REFUSED)
		return "asks anew, in a new round, so that the service decides again";
	if (step->why == WHY_EXPRESSION)
		return "evaluates its arguments again, and sends it if that succeeds";
	if (step->why == WHY_TIMEOUT)
		return "waits for the event again, as long as before";
	return "tries again, with as many attempts as before";
}

static const char *skip_text_of(const struct explaining *e, const struct step *step)
{
	if (e->saga->phase == PHASE_BACK)
		return "gives its undo up: what it did stays done";
	if (step->state == STEP_PARKED)
		return "goes on without it; --output JSON is what later steps read of it";
	return "goes on without its answer; --output JSON is what later steps read of it";
}

static void offer_for_steps(struct explaining *e)
{
	enum wait_kind kind;

	for (uint32_t i = 0; i < e->saga->n_steps; i++) {
		const struct step *step = &e->saga->steps[i];
		const struct step_definition *definition = &e->definition->steps[i];

		if (!find_kind(definition, step, &kind))
			continue;
		if (definition->form == FORM_AWAIT)
			offer(e,
			      (struct event){.type = EVENT_SIGNAL,
					     .step = i,
					     .name = definition->event,
					     .id = SLICE_LITERAL("?"),
					     .payload = SLICE_LITERAL("null")},
			      "tells it that the event has happened; --payload JSON is its "
			      "output");
		offer(e, (struct event){.type = EVENT_RETRY, .step = i}, retry_text_of(step));
		offer(e, (struct event){.type = EVENT_SKIP, .step = i}, skip_text_of(e, step));
	}
}

static void offer_for_saga(struct explaining *e)
{
	static const struct {
		enum event_type type;
		const char *text;
	} operations[] = {
		{EVENT_RESUME, "lets it go on"},
		{EVENT_CANCEL, "turns it back; `skald undo-plan` shows what that undoes"},
		{EVENT_UNDO, "undoes what it did; `skald undo-plan` shows what that is"},
		{EVENT_PAUSE, "keeps it from sending anything new"},
		{EVENT_KILL, "ends it as it is: nothing is undone"},
	};
	struct event back = {.type = e->saga->phase == PHASE_COMPLETED ? EVENT_UNDO
								       : EVENT_CANCEL,
			     .step = NO_STEP};

	for (size_t n = 0; n < sizeof operations / sizeof *operations; n++)
		offer(e, (struct event){.type = operations[n].type, .step = NO_STEP},
		      operations[n].text);
	would_be_taken(e, &back, &e->out->no_cancel);
}

/* --- all of it --------------------------------------------------------------------------- */

static enum err make_room(struct explaining *e)
{
	enum { PER_STEP = 3, PER_SAGA = 5 };
	size_t n = e->saga->n_steps;

	e->out->waits = arena_array(e->arena, n + 1, sizeof *e->out->waits);
	e->out->actions =
		arena_array(e->arena, PER_STEP * n + PER_SAGA, sizeof *e->out->actions);
	return e->out->waits && e->out->actions ? OK : ERR_NOMEM;
}

enum err explain(const struct definition *definition, const struct evaluator *evaluator,
		 const struct saga *saga, const struct circumstances *circumstances,
		 struct arena *arena, struct explanation *out)
{
	struct explaining e = {.definition = definition,
			       .evaluator = evaluator,
			       .saga = saga,
			       .circumstances = circumstances,
			       .arena = arena,
			       .out = out};
	struct bytes cause = BYTES(SENTENCE_MAX, arena);

	*out = (struct explanation){0};
	e.err = make_room(&e);
	if (e.err)
		return e.err;
	say_cause(definition, saga, circumstances, &cause);
	out->cause = bytes_slice(&cause);
	add_waits(&e);
	offer_for_steps(&e);
	offer_for_saga(&e);
	if (e.err || cause.err)
		return ERR_NOMEM;
	return forecast(definition, evaluator, saga, circumstances->due_ms,
			circumstances->now_ms, arena, &out->silence);
}

const char *wait_text(enum wait_kind kind)
{
	switch (kind) {
	case WAIT_ANSWER: return "answer";
	case WAIT_ATTEMPT: return "attempt";
	case WAIT_SLEEP: return "sleep";
	case WAIT_EVENT: return "event";
	case WAIT_PERSON: return "person";
	case WAIT_RESUME: return "resume";
	}
	return "?";
}
