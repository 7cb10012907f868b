#include "orchestrator/explain/sentences.h"

#include <inttypes.h>

enum { SAID_MAX = 300 }; /* bytes of what somebody else wrote */

/* --- words ---------------------------------------------------------------------------- */

/* What somebody else wrote, on one line. */
static void put_said(struct bytes *out, struct slice text)
{
	bool cut = text.len > SAID_MAX;

	text = utf8_cut(text, SAID_MAX);
	for (size_t i = 0; i < text.len; i++)
		bytes_add(out, (unsigned char)text.at[i] < ' ' ? ' ' : text.at[i]);
	if (cut)
		bytes_text(out, "...");
}

/* " (card_declined: no money)" */
static void put_error(struct bytes *out, const struct error *error)
{
	if (!error)
		return;
	bytes_text(out, " (");
	put_said(out, error->code);
	if (error->message.len) {
		bytes_text(out, ": ");
		put_said(out, error->message);
	}
	bytes_add(out, ')');
}

static void put_name(struct bytes *out, const struct definition *definition, uint32_t step)
{
	bytes_add(out, '`');
	bytes_append(out, definition->steps[step].name);
	bytes_add(out, '`');
}

/* "the undo of `reserve`" */
static void put_command(struct bytes *out, const struct definition *definition,
			const struct wait *wait)
{
	bytes_format(out, "the %s of ", verb_text(wait->verb));
	put_name(out, definition, wait->step);
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

static void say_failure(const struct definition *definition, const struct saga *saga,
			struct bytes *out)
{
	if (saga->failure_step != NO_STEP) {
		bytes_text(out, " because of ");
		put_name(out, definition, saga->failure_step);
	}
	put_error(out, saga->failure);
}

static void say_forward(const struct definition *definition, const struct saga *saga,
			struct bytes *out)
{
	uint32_t pivot = definition->pivot;

	if (saga->flags & SAGA_TURNING) {
		bytes_text(out, "it is to turn back");
		say_failure(definition, saga, out);
		bytes_text(out, ", but its pivot ");
		put_name(out, definition, pivot);
		bytes_text(out, " may have happened: a revoke decides that");
		return;
	}
	bytes_text(out, "it goes forward");
	if (saga_passed_pivot(definition, saga)) {
		bytes_text(out, ", and has passed its pivot ");
		put_name(out, definition, pivot);
		bytes_text(out, ": nothing turns back any more");
	}
	if (saga->flags & SAGA_OVERDUE)
		bytes_text(out, "; its deadline has passed, which is noted and no more");
}

void say_cause(const struct definition *definition, const struct saga *saga,
	       const struct circumstances *circumstances, struct bytes *out)
{
	struct slice operation;

	switch ((enum phase)saga->phase) {
	case PHASE_FORWARD: say_forward(definition, saga, out); break;
	case PHASE_BACK:
		bytes_text(out, "it turns back");
		say_failure(definition, saga, out);
		break;
	case PHASE_COMPLETED:
		bytes_text(out, "it has ended: every step is done or skipped");
		break;
	case PHASE_COMPENSATED:
		bytes_text(out, "it has ended: what it did is undone; it turned back");
		say_failure(definition, saga, out);
		break;
	case PHASE_KILLED:
		bytes_text(out, "somebody ended it, and nothing was undone");
		operation = find_operation(circumstances->timeline, "kill");
		if (operation.len) {
			bytes_text(out, " (");
			put_said(out, operation);
			bytes_add(out, ')');
		}
		break;
	}
}

/* --- parked --------------------------------------------------------------------------- */

/* The stored refusal answers the same round for ever. */
static void say_refused(const struct definition *definition, const struct saga *saga,
			const struct wait *wait, struct bytes *out)
{
	put_command(out, definition, wait);
	bytes_text(out, " was refused by ");
	bytes_append(out, wait->to->participant);
	put_error(out, saga->steps[wait->step].error);
	if (saga->phase == PHASE_FORWARD)
		bytes_text(out, ", and behind the pivot nothing turns back");
	bytes_text(out,
		   "; asked again in the same round it would answer the same, so that only "
		   "a retry in a new round (which is what `retry` does), a skip or a kill "
		   "helps");
}

static void say_exhausted(const struct definition *definition, const struct saga *saga,
			  const struct wait *wait, struct bytes *out)
{
	put_command(out, definition, wait);
	bytes_format(out, " failed %" PRIu32 " time%s", wait->attempt,
		     wait->attempt == 1 ? "" : "s");
	put_error(out, saga->steps[wait->step].error);
	bytes_text(out, ", and its attempts are used up");
	if (wait->verb == VERB_REVOKE)
		bytes_text(out, "; until it is answered nobody knows whether to go forward or "
				"back");
}

static void say_expired(const struct definition *definition, const struct wait *wait,
			struct bytes *out)
{
	bytes_append(out, wait->to->participant);
	bytes_text(out, " no longer knows whether ");
	put_command(out, definition, wait);
	bytes_text(out,
		   " happened, so that a retry could do it twice: find out, and then skip it");
	if (wait->verb == VERB_DO)
		bytes_text(out, ", with --output if it was done");
	if (wait->verb == VERB_REVOKE)
		bytes_text(out, ", which goes forward, or kill the saga");
}

static void say_parked(const struct definition *definition, const struct saga *saga,
		       const struct wait *wait, struct bytes *out)
{
	const struct step *step = &saga->steps[wait->step];

	switch ((enum why)step->why) {
	case WHY_REFUSED: say_refused(definition, saga, wait, out); return;
	case WHY_EXHAUSTED: say_exhausted(definition, saga, wait, out); return;
	case WHY_EXPIRED: say_expired(definition, wait, out); return;
	case WHY_EXPRESSION:
		put_command(out, definition, wait);
		bytes_text(out, " was not sent: an expression failed");
		put_error(out, step->error);
		bytes_text(out, "; a retry evaluates it again, over the same values");
		return;
	case WHY_TIMEOUT:
		bytes_text(out, "the event `");
		bytes_append(out, definition->steps[wait->step].event);
		bytes_text(out, "` did not come in time; it is still taken");
		return;
	case WHY_NOTHING:
	case WHY_CONDITION:
	case WHY_OPERATOR: break;
	}
	put_name(out, definition, wait->step);
	bytes_text(out, " is parked");
}

/* --- waits ---------------------------------------------------------------------------- */

static void say_presence(const struct wait *wait, struct bytes *out)
{
	const struct presence *presence = &wait->presence;

	if (!presence->known || !presence->processes) {
		bytes_text(out, "; nothing of ");
		bytes_append(out, wait->to->participant);
		bytes_text(out, presence->known ? " is connected now" : " ever connected here");
	} else if (presence->held) {
		bytes_format(out, "; %" PRIu32 " command%s for room at ", presence->held,
			     presence->held == 1 ? " waits" : "s wait");
		bytes_append(out, wait->to->participant);
	}
}

static void say_answer(const struct definition *definition, const struct wait *wait,
		       struct bytes *out)
{
	bytes_text(out, "the answer of ");
	bytes_append(out, wait->to->participant);
	bytes_text(out, " to ");
	put_command(out, definition, wait);
	bytes_text(out, ", ");
	put_attempt(out, wait->attempt, wait->attempts_max);
	say_presence(wait, out);
}

void say_wait(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out)
{
	switch (wait->kind) {
	case WAIT_ANSWER: say_answer(definition, wait, out); break;
	case WAIT_ATTEMPT:
		put_attempt(out, wait->attempt + 1, wait->attempts_max);
		bytes_text(out, " of ");
		put_command(out, definition, wait);
		bytes_text(out, ", after a back-off");
		put_error(out, saga->steps[wait->step].error);
		break;
	case WAIT_SLEEP:
		bytes_text(out, "the end of ");
		put_name(out, definition, wait->step);
		break;
	case WAIT_EVENT:
		bytes_text(out, "the event `");
		bytes_append(out, definition->steps[wait->step].event);
		bytes_text(out, "`, for ");
		put_name(out, definition, wait->step);
		break;
	case WAIT_PERSON: say_parked(definition, saga, wait, out); break;
	case WAIT_RESUME:
		bytes_text(out, "somebody to resume it: it is paused, and nothing new is sent");
		break;
	}
}

/* --- what comes then ------------------------------------------------------------------ */

/* The step behind this one, on its level or further out. */
static void say_behind(const struct definition *definition, uint32_t i, struct bytes *out)
{
	const struct step_definition *step = &definition->steps[i];

	for (; step->next == NO_STEP; step = &definition->steps[step->parent]) {
		if (step->parent == NO_STEP) {
			bytes_text(out, "the saga is completed");
			return;
		}
		bytes_text(out, "once all branches of ");
		put_name(out, definition, step->parent);
		bytes_text(out, " are through, ");
	}
	put_name(out, definition, step->next);
	bytes_text(out, definition->steps[step->next].when ? ", if its condition holds" : "");
}

static void say_before(const struct definition *definition, const struct saga *saga,
		       struct bytes *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < saga->n_steps; i++)
		n += step_needs_undo(&definition->steps[i], &saga->steps[i]);
	if (n)
		bytes_text(out, "what it depended on is undone");
	else
		bytes_text(out,
			   "once all that is under way is undone, the saga is compensated");
}

void say_next(const struct definition *definition, const struct saga *saga,
	      const struct wait *wait, struct bytes *out)
{
	const struct step *step = wait->step == NO_STEP ? NULL : &saga->steps[wait->step];

	if (!step)
		bytes_text(out, "what was held back is sent");
	else if (wait->kind == WAIT_ATTEMPT)
		bytes_text(out, "it is sent again");
	else if (wait->verb == VERB_REVOKE)
		bytes_text(out, "ok bars the pivot for good, and the saga turns back; refused "
				"means that it was done, and the saga goes forward");
	else if (wait->verb == VERB_UNDO)
		say_before(definition, saga, out);
	else if (saga->phase == PHASE_BACK)
		bytes_text(out, definition->steps[wait->step].has_undo
					? "unless it is refused, it is undone"
					: "what it depended on is undone");
	else
		say_behind(definition, wait->step, out);
}
