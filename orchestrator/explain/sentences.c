#include "orchestrator/explain/sentences.h"

#include "orchestrator/core/describe.h"

#include <inttypes.h>

enum { RANGES_MAX = 12 }; /* of elements that a sentence lists */

/* What the sentences are about. */
struct saying {
	const struct definition *definition;
	const struct saga *saga;
	const struct wait *wait; /* NULL: the saga as a whole */
	struct bytes *out;
};

/* --- words ---------------------------------------------------------------------------- */

/* " (card_declined: no money)" */
static void put_error(struct bytes *out, const struct error *error)
{
	if (!error)
		return;
	bytes_text(out, " (");
	describe_said(error->code, out);
	if (error->message.len) {
		bytes_text(out, ": ");
		describe_said(error->message, out);
	}
	bytes_add(out, ')');
}

static void put_name(const struct saying *say, uint32_t step)
{
	char room[INSTANCE_NAME_MAX];

	bytes_add(say->out, '`');
	bytes_append(say->out, saga_step_name(say->definition, say->saga, step, room));
	bytes_add(say->out, '`');
}

/* "#0-#2, #7" */
static void put_elements(struct bytes *out, const struct wait *wait)
{
	uint32_t n_ranges = 0;

	for (uint32_t n = 0; n < wait->n_elements; n_ranges++) {
		uint32_t first = n;

		if (n_ranges == RANGES_MAX) {
			bytes_format(out, " and others, %" PRIu32 " in all", wait->n_elements);
			return;
		}
		while (n + 1 < wait->n_elements &&
		       wait->elements[n + 1] == wait->elements[n] + 1)
			n++;
		bytes_format(out, "%s#%" PRIu32, first ? ", " : "", wait->elements[first]);
		if (n > first)
			bytes_format(out, "-#%" PRIu32, wait->elements[n]);
		n++;
	}
}

static const struct step_definition *step_of(const struct saying *say)
{
	return saga_step_definition(say->definition, say->saga, say->wait->step);
}

/* What waits: "`reserve`", "`pack#3`", "`pack` #0-#2, #7". */
static void put_waiting(const struct saying *say)
{
	if (say->wait->n_elements < 2) {
		put_name(say, say->wait->step);
		return;
	}
	bytes_add(say->out, '`');
	bytes_append(say->out, step_of(say)->name);
	bytes_text(say->out, "` ");
	put_elements(say->out, say->wait);
}

/* "the undo of `reserve`" */
static void put_command(const struct saying *say)
{
	bytes_format(say->out, "the %s of ", verb_text(say->wait->verb));
	put_waiting(say);
}

/* Who answers: "inventory", "its child saga order-17.ship.2a". */
static void put_answerer(const struct saying *say)
{
	const struct wait *wait = say->wait;

	if (wait->to) {
		bytes_append(say->out, wait->to->participant);
		return;
	}
	bytes_text(say->out, wait->n_elements > 1 ? "their child sagas, the first of them "
						  : "its child saga ");
	bytes_append(say->out, wait->child);
}

static void put_attempt(struct bytes *out, uint32_t attempt, uint32_t most)
{
	bytes_format(out, "attempt %" PRIu32, attempt);
	if (most)
		bytes_format(out, " of %" PRIu32, most);
}

/* --- the cause ------------------------------------------------------------------------ */

/* The newest operation by its beginning: "kill: lost". */
static struct slice find_operation(const struct timeline *timeline, const char *name)
{
	struct timeline_each each = timeline_each(timeline);
	struct slice found = {0};

	while (timeline_next(&each))
		if (each.entry.type == ENTRY_OPERATION &&
		    each.entry.detail.len >= strlen(name) &&
		    memcmp(each.entry.detail.at, name, strlen(name)) == 0)
			found = each.entry.detail;
	return found;
}

static void say_failure(const struct saying *say)
{
	if (say->saga->failure_step != NO_STEP) {
		bytes_text(say->out, " because of ");
		put_name(say, say->saga->failure_step);
	}
	put_error(say->out, say->saga->failure);
}

static void say_forward(const struct saying *say)
{
	uint32_t pivot = say->definition->pivot;
	struct bytes *out = say->out;

	if (say->saga->flags & SAGA_TURNING) {
		bytes_text(out, "it is to turn back");
		say_failure(say);
		bytes_text(out, ", but its pivot ");
		put_name(say, pivot);
		bytes_text(out, " may have happened: a revoke decides that");
		return;
	}
	bytes_text(out, "it goes forward");
	if (saga_passed_pivot(say->definition, say->saga)) {
		bytes_text(out, ", and has passed its pivot ");
		put_name(say, pivot);
		bytes_text(out, ": nothing turns back any more");
	}
	if (say->saga->flags & SAGA_OVERDUE)
		bytes_text(out, "; its deadline has passed, which is noted and no more");
}

void say_cause(const struct definition *definition, const struct saga *saga,
	       const struct circumstances *circumstances, struct bytes *out)
{
	const struct saying say = {definition, saga, NULL, out};
	struct slice operation;

	switch ((enum phase)saga->phase) {
	case PHASE_FORWARD: say_forward(&say); break;
	case PHASE_BACK:
		bytes_text(out, "it turns back");
		say_failure(&say);
		break;
	case PHASE_COMPLETED:
		bytes_text(out, "it has ended: every step is done or skipped");
		break;
	case PHASE_COMPENSATED:
		bytes_text(out, "it has ended: what it did is undone; it turned back");
		say_failure(&say);
		break;
	case PHASE_KILLED:
		bytes_text(out, "somebody ended it, and nothing was undone");
		operation = find_operation(circumstances->timeline, "kill");
		if (operation.len) {
			bytes_text(out, " (");
			describe_said(operation, out);
			bytes_add(out, ')');
		}
		break;
	}
}

/* --- parked --------------------------------------------------------------------------- */

/* The stored refusal answers the same round for ever. */
static void say_refused(const struct saying *say)
{
	struct bytes *out = say->out;

	put_command(say);
	bytes_text(out, " was refused by ");
	put_answerer(say);
	put_error(out, say->saga->steps[say->wait->step].error);
	if (say->saga->phase == PHASE_FORWARD)
		bytes_text(out, ", and behind the pivot nothing turns back");
	bytes_text(out,
		   "; asked again in the same round it would answer the same, so that only "
		   "a retry in a new round (which is what `retry` does), a skip or a kill "
		   "helps");
}

static void say_exhausted(const struct saying *say)
{
	const struct wait *wait = say->wait;
	struct bytes *out = say->out;

	put_command(say);
	bytes_format(out, " failed %" PRIu32 " time%s", wait->attempt,
		     wait->attempt == 1 ? "" : "s");
	put_error(out, say->saga->steps[wait->step].error);
	bytes_text(out, ", and its attempts are used up");
	if (wait->verb == VERB_REVOKE)
		bytes_text(out, "; until it is answered nobody knows whether to go forward or "
				"back");
}

static void say_skip_or_kill(const struct saying *say)
{
	if (say->wait->verb == VERB_DO)
		bytes_text(say->out, ", with --output if it was done");
	if (say->wait->verb == VERB_REVOKE)
		bytes_text(say->out, ", which goes forward, or kill the saga");
}

/* Of a child saga: its record is not there, or cannot be read. */
static void say_expired(const struct saying *say)
{
	struct bytes *out = say->out;

	if (say->wait->to) {
		bytes_append(out, say->wait->to->participant);
		bytes_text(out, " no longer knows whether ");
		put_command(say);
		bytes_text(out, " happened");
	} else {
		put_answerer(say);
		bytes_text(out, " cannot answer ");
		put_command(say);
		put_error(out, say->saga->steps[say->wait->step].error);
	}
	bytes_text(out, ", so that a retry could do it twice: find out, and then skip it");
	say_skip_or_kill(say);
}

static void say_killed(const struct saying *say)
{
	put_answerer(say);
	bytes_text(say->out, " was killed: what it did stands, and nobody undoes it; settle "
			     "that by hand, and then skip ");
	put_waiting(say);
	say_skip_or_kill(say);
}

static void say_parked(const struct saying *say)
{
	const struct step *step = &say->saga->steps[say->wait->step];
	struct bytes *out = say->out;

	switch ((enum why)step->why) {
	case WHY_REFUSED: say_refused(say); return;
	case WHY_EXHAUSTED: say_exhausted(say); return;
	case WHY_EXPIRED: say_expired(say); return;
	case WHY_KILLED: say_killed(say); return;
	case WHY_EXPRESSION:
		put_command(say);
		bytes_text(out, " was not sent: an expression failed");
		put_error(out, step->error);
		bytes_text(out, "; a retry evaluates it again, over the same values");
		return;
	case WHY_TIMEOUT:
		bytes_text(out, "the event `");
		bytes_append(out, step_of(say)->event);
		bytes_text(out, "` did not come in time");
		if (say->wait->n_elements) {
			bytes_text(out, " for ");
			put_waiting(say);
		}
		bytes_text(out, "; it is still taken");
		return;
	case WHY_NOTHING:
	case WHY_CONDITION:
	case WHY_OPERATOR:
	case WHY_NO_ELEMENT: break;
	}
	put_waiting(say);
	bytes_text(out, " is parked");
}

/* --- waits ---------------------------------------------------------------------------- */

static void say_presence(const struct wait *wait, struct bytes *out)
{
	const struct presence *presence = &wait->presence;

	if (!presence->processes) {
		bytes_text(out, "; nothing of ");
		bytes_append(out, wait->to->participant);
		bytes_text(out, " is connected: start it, or look why it stopped");
	} else if (presence->held && !wait->hold.by) {
		bytes_format(out, "; %" PRIu32 " command%s for room at ", presence->held,
			     presence->held == 1 ? " waits" : "s wait");
		bytes_append(out, wait->to->participant);
	}
}

static void say_answer(const struct saying *say)
{
	const struct wait *wait = say->wait;

	bytes_text(say->out, "the answer of ");
	bytes_append(say->out, wait->to->participant);
	bytes_text(say->out, " to ");
	put_command(say);
	bytes_text(say->out, ", ");
	put_attempt(say->out, wait->attempt, wait->attempts_max);
	if (wait->hold.by) {
		bytes_text(say->out, ", which is held: ");
		bytes_append(say->out, wait->hold.text);
	}
	say_presence(wait, say->out);
}

/* While it is paused no timer brings the attempt. */
static void say_attempt(const struct saying *say)
{
	const struct wait *wait = say->wait;
	bool paused = say->saga->flags & SAGA_PAUSED;

	put_attempt(say->out, wait->attempt + 1, wait->attempts_max);
	bytes_text(say->out, " of ");
	put_command(say);
	bytes_text(say->out, paused ? ", once the saga is resumed" : ", after a back-off");
	put_error(say->out, say->saga->steps[wait->step].error);
}

/* What the child is to come to. */
static const char *end_of_child(const struct wait *wait)
{
	switch (wait->verb) {
	case VERB_DO: return "the end of ";
	case VERB_UNDO: return "the undoing of ";
	case VERB_REVOKE: return "an answer whether it can turn back from ";
	}
	return "";
}

/* "its child saga order-17.ship.2a (shipping), for `ship`" */
static void put_children(const struct saying *say)
{
	bool many = say->wait->n_elements > 1;

	bytes_text(say->out, many ? "the child sagas " : "its child saga ");
	if (!many) {
		bytes_append(say->out, say->wait->child);
		bytes_add(say->out, ' ');
	}
	bytes_add(say->out, '(');
	bytes_append(say->out, step_of(say)->child);
	bytes_text(say->out, "), for ");
	put_waiting(say);
}

static void say_child(const struct saying *say)
{
	const struct kinship *child = &say->wait->kinship;
	bool many = say->wait->n_elements > 1;
	struct bytes *out = say->out;

	bytes_text(out, end_of_child(say->wait));
	put_children(say);
	if (child->known)
		bytes_format(out, ", which %s %s%s", many ? "are" : "is",
			     status_text(child->status), child->paused ? " and paused" : "");
	else
		bytes_text(out, many ? ", which have not begun" : ", which has not begun");
	if (child->status == STATUS_PARKED && child->reason.len) {
		bytes_text(out, ": ");
		describe_said(child->reason, out);
	}
	if (many) {
		bytes_text(out, "; the first of them is ");
		bytes_append(out, say->wait->child);
	}
}

void say_wait(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out)
{
	const struct saying say = {definition, saga, wait, out};

	switch (wait->kind) {
	case WAIT_ANSWER: say_answer(&say); break;
	case WAIT_ATTEMPT: say_attempt(&say); break;
	case WAIT_SLEEP:
		bytes_text(out, "the end of ");
		put_waiting(&say);
		break;
	case WAIT_EVENT:
		bytes_text(out, "the event `");
		bytes_append(out, step_of(&say)->event);
		bytes_text(out, "`, for ");
		put_waiting(&say);
		break;
	case WAIT_CHILD: say_child(&say); break;
	case WAIT_PERSON: say_parked(&say); break;
	case WAIT_RESUME:
		bytes_text(out, "somebody to resume it: it is paused, and nothing new is sent");
		break;
	}
}

/* --- what comes then ------------------------------------------------------------------ */

/* The step behind this one, on its level or further out. */
static void say_behind(const struct saying *say)
{
	struct instance at = saga_instance(say->definition, say->saga, say->wait->step);
	const struct step_definition *steps = say->definition->steps;
	uint32_t shift = say->wait->step - at.step, i = at.step;
	bool many = say->wait->n_elements > 1;

	while (steps[i].next == NO_STEP) {
		i = steps[i].parent;
		if (i == NO_STEP) {
			bytes_text(say->out, "the saga is completed");
			return;
		}
		if (steps[i].form == FORM_EACH) { /* it has no element of its own */
			shift = 0;
			many = false;
		}
		bytes_format(say->out, "once all %s of ",
			     steps[i].form == FORM_EACH ? "elements" : "branches");
		put_name(say, i + shift);
		bytes_text(say->out, " are through, ");
	}
	put_name(say, steps[i].next + shift);
	bytes_text(say->out, many ? ", and so on for each of them" : "");
	bytes_text(say->out, steps[steps[i].next].when ? ", if its condition holds" : "");
}

static void say_before(const struct saying *say)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < say->saga->n_steps; i++)
		n += step_needs_undo(saga_step_definition(say->definition, say->saga, i),
				     &say->saga->steps[i]);
	if (n)
		bytes_text(say->out, "what it depended on is undone");
	else
		bytes_text(say->out,
			   "once all that is under way is undone, the saga is compensated");
}

static void say_revoked(const struct saying *say)
{
	if (say->wait->child.len)
		bytes_text(say->out, "if the child saga turns back, so does this one; if it "
				     "is past its own pivot, both go forward");
	else
		bytes_text(say->out, "ok bars the pivot for good, and the saga turns back; "
				     "refused means that it was done, and the saga goes "
				     "forward");
}

void say_next(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out)
{
	const struct saying say = {definition, saga, wait, out};

	if (wait->step == NO_STEP)
		bytes_text(out, "what was held back is sent");
	else if (wait->kind == WAIT_ATTEMPT)
		bytes_text(out, wait->attempt ? "it is sent again" : "it is sent");
	else if (wait->verb == VERB_REVOKE)
		say_revoked(&say);
	else if (wait->verb == VERB_UNDO)
		say_before(&say);
	else if (saga->phase == PHASE_BACK)
		bytes_text(out, step_of(&say)->has_undo ? "unless it is refused, it is undone"
							: "what it depended on is undone");
	else
		say_behind(&say);
}
