#include "orchestrator/explain/sentences.h"

enum { SENTENCE_MAX = 8 * 1024 };

struct explaining {
	const struct definition *definition;
	const struct evaluator *evaluator;
	const struct saga *saga;
	const struct circumstances *circumstances;
	struct arena *arena;
	int64_t *since_ms; /* by step */
	int64_t *begin_ms; /* by step: when what is held is handed over; 0: at once */
	struct explanation *out;
	enum err err;
};

/* --- what it waits for ------------------------------------------------------------------ */

/* When each step came to be as it is: its newest entry. */
static void find_since(const struct explaining *e)
{
	struct timeline_each each = timeline_each(e->circumstances->timeline);

	while (timeline_next(&each))
		if (each.entry.step < e->saga->n_steps)
			e->since_ms[each.entry.step] = each.entry.at_ms;
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
	if (definition->form == FORM_SAGA)
		return NULL;
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
		       : definition->form == FORM_SAGA  ? WAIT_CHILD
							: WAIT_ANSWER;
		return !form_is_block(definition->form);
	case STEP_UNDOING:
		*out = definition->form == FORM_SAGA ? WAIT_CHILD : WAIT_ANSWER;
		return !form_is_block(definition->form);
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
	case WAIT_CHILD: /* it takes as long as it takes */
	case WAIT_PERSON:
	case WAIT_RESUME: break;
	}
	return 0;
}

/* When what is held goes, and what a person can do about it. */
static const char *advice_on(const char *by)
{
	static const struct {
		const char *by, *advice;
	} rows[] = {
		{"window", "it goes once one of the commands that are under way is answered; "
			   "how many may "
			   "be is set in skald.yaml, which SIGHUP reads again"},
		{"rate", "it goes by itself in its turn; the rate is set in skald.yaml, which "
			 "SIGHUP reads again"},
		{"breaker", "the service failed several times in a row: look what is wrong "
			    "with it; after the pause one command goes as a probe, and the "
			    "others once that works"},
		{"probe", "the service failed several times in a row; if the probe works the "
			  "others go, and if not they wait for another pause"},
		{"silence", "the service has not answered for long: look whether it runs and "
			    "answers; until it does it is asked fifty times a second"},
		{"bus",
		 "the service has not taken what it was sent before: look whether it runs "
		 "and answers; it is given more once it does"},
		{"pause", "it goes once the saga is resumed"},
	};

	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++)
		if (strcmp(rows[n].by, by) == 0)
			return rows[n].advice;
	return "it goes by itself";
}

static struct wait make_wait(const struct explaining *e, uint32_t i, enum wait_kind kind)
{
	const struct circumstances *circumstances = e->circumstances;
	const struct step_definition *definition =
		saga_step_definition(e->definition, e->saga, i);
	const struct step *step = &e->saga->steps[i];
	struct wait wait = {.kind = kind,
			    .step = i,
			    .to = call_of(definition, step),
			    .verb = (enum verb)step->verb,
			    .attempt = step->attempt,
			    .since_ms = e->since_ms[i],
			    .until_ms = find_until(e, kind, i)};

	/* A revoke is retried by a policy of its own, which only time limits. */
	if (wait.to && wait.verb != VERB_REVOKE && wait.to->retry.attempts)
		wait.attempts_max = step->base + wait.to->retry.attempts;
	if (wait.to)
		wait.presence =
			circumstances->find(circumstances->context, wait.to->participant);
	if (kind == WAIT_ANSWER)
		wait.hold = circumstances->find_hold(circumstances->context, i);
	if (wait.hold.by)
		wait.advice = advice_on(wait.hold.by);
	return wait;
}

/* In the arena, since several waits have one. */
static void find_child(struct explaining *e, struct wait *wait)
{
	struct instance at = saga_instance(e->definition, e->saga, wait->step);
	char id[SAGA_ID_MAX];

	if (e->definition->steps[at.step].form != FORM_SAGA || !wait->attempt)
		return;
	if (!arena_copy(e->arena,
			child_id(e->definition, e->saga->id, at,
				 e->saga->steps[wait->step].do_round, id),
			&wait->child)) {
		e->err = ERR_NOMEM;
		return;
	}
	wait->kinship = e->circumstances->find_child(e->circumstances->context, wait->child);
}

static bool same_error(const struct error *a, const struct error *b)
{
	if (!a || !b)
		return a == b;
	return slice_equal(a->code, b->code) && slice_equal(a->message, b->message);
}

/* Whether elements of one `each` wait alike, so that one sentence tells of both. */
static bool alike(const struct explaining *e, const struct wait *a, const struct wait *b)
{
	const struct step *x = &e->saga->steps[a->step], *y = &e->saga->steps[b->step];

	return saga_instance(e->definition, e->saga, a->step).step ==
		       saga_instance(e->definition, e->saga, b->step).step &&
	       x->state == y->state && x->verb == y->verb && x->why == y->why &&
	       x->attempt == y->attempt && x->base == y->base &&
	       same_error(x->error, y->error) && a->kinship.known == b->kinship.known &&
	       a->kinship.status == b->kinship.status &&
	       a->kinship.paused == b->kinship.paused && a->advice == b->advice &&
	       slice_equal(a->kinship.reason, b->kinship.reason);
}

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return !a_ms || (b_ms && b_ms < a_ms) ? b_ms : a_ms;
}

/* Returns the one that it is: a new one, or that of an element before. */
static uint32_t add_wait(struct explaining *e, uint32_t i, enum wait_kind kind)
{
	struct wait wait = make_wait(e, i, kind);
	struct instance at = saga_instance(e->definition, e->saga, i);
	struct explanation *out = e->out;
	uint32_t n = 0;

	e->begin_ms[i] = wait.hold.until_ms;
	find_child(e, &wait);
	while (n < out->n_waits && !alike(e, &out->waits[n], &wait))
		n++;
	if (n == out->n_waits)
		out->waits[out->n_waits++] = wait;
	out->waits[n].n_elements += e->definition->steps[at.step].each != NO_STEP;
	out->waits[n].since_ms = sooner(out->waits[n].since_ms, wait.since_ms);
	out->waits[n].until_ms = sooner(out->waits[n].until_ms, wait.until_ms);
	return n;
}

/* `wait_of` says by step which wait it has part in. */
static void list_elements(struct explaining *e, const uint32_t *wait_of)
{
	struct explanation *out = e->out;

	for (uint32_t n = 0; n < out->n_waits; n++) {
		struct wait *wait = &out->waits[n];

		wait->elements = arena_array(e->arena, wait->n_elements, sizeof(uint32_t));
		if (!wait->elements) {
			e->err = ERR_NOMEM;
			return;
		}
		wait->n_elements = 0;
	}
	for (uint32_t i = 0; i < e->saga->n_steps; i++) {
		struct instance at = saga_instance(e->definition, e->saga, i);
		struct wait *wait = &out->waits[wait_of[i]];

		if (wait_of[i] != NO_WAIT && e->definition->steps[at.step].each != NO_STEP)
			wait->elements[wait->n_elements++] = at.element;
	}
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

static void add_waits(struct explaining *e)
{
	uint32_t *wait_of = arena_array(e->arena, e->saga->n_steps, sizeof *wait_of);
	enum wait_kind kind;

	if (saga_ended(e->saga))
		return;
	if (!wait_of) {
		e->err = ERR_NOMEM;
		return;
	}
	for (uint32_t i = 0; i < e->saga->n_steps && !e->err; i++)
		wait_of[i] = find_kind(saga_step_definition(e->definition, e->saga, i),
				       &e->saga->steps[i], &kind)
				     ? add_wait(e, i, kind)
				     : NO_WAIT;
	list_elements(e, wait_of);
	if (e->saga->flags & SAGA_PAUSED)
		e->out->waits[e->out->n_waits++] = (struct wait){
			.kind = WAIT_RESUME, .step = NO_STEP, .since_ms = find_pause(e)};
	for (uint32_t n = 0; n < e->out->n_waits && !e->err; n++)
		say(e, &e->out->waits[n]);
}

/* --- how far the elements are --------------------------------------------------------------
 */

/* Nothing more is to come of the step as long as the saga goes the way it goes. */
static bool is_settled(const struct explaining *e, uint32_t i)
{
	const struct step *step = &e->saga->steps[i];

	switch ((enum step_state)step->state) {
	case STEP_DONE:
	case STEP_SKIPPED:
	case STEP_IN_DOUBT:
		return e->saga->phase == PHASE_FORWARD ||
		       !step_needs_undo(saga_step_definition(e->definition, e->saga, i), step);
	case STEP_REFUSED:
	case STEP_UNDONE:
	case STEP_NEVER: return true;
	case STEP_WAITING:
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: break;
	}
	return false;
}

static void add_progress(struct explaining *e, const struct expansion *expansion)
{
	struct progress *progress = &e->out->progress[e->out->n_progress++];
	uint32_t first = expansion->step + 1, end = e->definition->steps[expansion->step].end;

	*progress = (struct progress){.step = expansion->step, .n = expansion->n};
	for (uint32_t n = 0; n < expansion->n; n++) {
		uint32_t shift = expansion_shift(e->definition, expansion, n);
		bool settled = true, parked = false;

		for (uint32_t i = first + shift; i < end + shift; i++) {
			settled &= is_settled(e, i);
			parked |= e->saga->steps[i].state == STEP_PARKED;
		}
		progress->n_settled += settled;
		progress->n_parked += parked;
	}
}

static void add_all_progress(struct explaining *e)
{
	for (uint32_t n = 0; n < e->saga->n_expansions; n++) {
		const struct step *each = &e->saga->steps[e->saga->expansions[n].step];

		if (!saga_ended(e->saga) &&
		    (each->state == STEP_RUNNING || each->state == STEP_UNDOING))
			add_progress(e, &e->saga->expansions[n]);
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

static void offer(struct explaining *e, struct event event, uint32_t wait, const char *text)
{
	const char *refusal;

	if (would_be_taken(e, &event, &refusal))
		e->out->actions[e->out->n_actions++] =
			(struct action){event.type, event.step, wait, text};
}

static const char *retry_text_of(const struct wait *wait, const struct step *step)
{
	if (step->state != STEP_PARKED)
		return "sends the next attempt at once";
	if (step->why == WHY_REFUSED && wait->child.len)
		return step->verb == VERB_UNDO ? "asks the child saga anew, in a new round"
					       : "starts a new child saga, in a new round";
	if (step->why == WHY_REFUSED)
		return "asks anew, in a new round, so that the service decides again";
	if (step->why == WHY_EXPRESSION)
		return "evaluates its arguments again, and sends it if that succeeds";
	if (step->why == WHY_TIMEOUT)
		return "waits for the event again, as long as before";
	return "tries again, with as many attempts as before";
}

static const char *skip_text_of(const struct explaining *e, const struct wait *wait,
				const struct step *step)
{
	if (e->saga->phase == PHASE_BACK)
		return "gives its undo up: what it did stays done";
	if (wait->kind == WAIT_CHILD)
		return "goes on without the end of the child saga, which goes on by itself; "
		       "--output JSON is what later steps read of it";
	if (step->state == STEP_PARKED)
		return "goes on without it; --output JSON is what later steps read of it";
	return "goes on without its answer; --output JSON is what later steps read of it";
}

/* What holds for the first element of a wait holds for all of them. */
static void offer_for_wait(struct explaining *e, uint32_t n)
{
	const struct wait *wait = &e->out->waits[n];
	const struct step *step = &e->saga->steps[wait->step];
	const struct step_definition *definition =
		saga_step_definition(e->definition, e->saga, wait->step);

	if (definition->form == FORM_AWAIT)
		offer(e,
		      (struct event){.type = EVENT_SIGNAL,
				     .step = wait->step,
				     .name = definition->event,
				     .id = SLICE_LITERAL("?"),
				     .payload = SLICE_LITERAL("null")},
		      n, "tells it that the event has happened; --payload JSON is its output");
	offer(e, (struct event){.type = EVENT_RETRY, .step = wait->step}, n,
	      retry_text_of(wait, step));
	offer(e, (struct event){.type = EVENT_SKIP, .step = wait->step}, n,
	      skip_text_of(e, wait, step));
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
		offer(e, (struct event){.type = operations[n].type, .step = NO_STEP}, NO_WAIT,
		      operations[n].text);
	would_be_taken(e, &back, &e->out->no_cancel);
}

/* --- all of it --------------------------------------------------------------------------- */

static enum err make_room(struct explaining *e)
{
	enum { PER_STEP = 3, PER_SAGA = 5 };
	size_t n = e->saga->n_steps;

	e->since_ms = arena_array(e->arena, n, sizeof *e->since_ms);
	e->begin_ms = arena_array(e->arena, n, sizeof *e->begin_ms);
	e->out->waits = arena_array(e->arena, n + 1, sizeof *e->out->waits);
	e->out->progress =
		arena_array(e->arena, e->saga->n_expansions + 1, sizeof *e->out->progress);
	e->out->actions =
		arena_array(e->arena, PER_STEP * n + PER_SAGA, sizeof *e->out->actions);
	return e->since_ms && e->begin_ms && e->out->waits && e->out->progress &&
			       e->out->actions
		       ? OK
		       : ERR_NOMEM;
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
	find_since(&e);
	add_waits(&e);
	add_all_progress(&e);
	for (uint32_t n = 0; n < out->n_waits && !e.err; n++)
		if (out->waits[n].step != NO_STEP)
			offer_for_wait(&e, n);
	offer_for_saga(&e);
	if (e.err || cause.err)
		return ERR_NOMEM;
	return forecast(definition, evaluator, saga,
			&(struct attempts){circumstances->due_ms, e.begin_ms},
			circumstances->now_ms, arena, &out->silence);
}

const char *wait_text(enum wait_kind kind)
{
	switch (kind) {
	case WAIT_ANSWER: return "answer";
	case WAIT_ATTEMPT: return "attempt";
	case WAIT_SLEEP: return "sleep";
	case WAIT_EVENT: return "event";
	case WAIT_CHILD: return "child";
	case WAIT_PERSON: return "person";
	case WAIT_RESUME: return "resume";
	}
	return "?";
}
