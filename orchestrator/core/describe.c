#include "orchestrator/core/describe.h"

#include <inttypes.h>

enum { TEXT_SHOWN_MAX = 200 };

/* --- parts ----------------------------------------------------------------------- */

void describe_said(struct slice text, struct bytes *out)
{
	bool cut = text.len > TEXT_SHOWN_MAX;

	if (cut) {
		text.len = TEXT_SHOWN_MAX;
		while (text.len > 0 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
			text.len--;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];
		unsigned char next = i + 1 < text.len ? (unsigned char)text.at[i + 1] : 0;

		if (c == 0xc2 && next >= 0x80 && next < 0xa0) { /* U+0080 to U+009F */
			bytes_add(out, ' ');
			i++;
		} else {
			bytes_add(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
		}
	}
	if (cut)
		bytes_text(out, "...");
}

/* The same behind a colon, where there is any. */
static void put_more(struct bytes *out, struct slice text)
{
	if (!text.len)
		return;
	bytes_text(out, ": ");
	describe_said(text, out);
}

static void put_in_brackets(struct bytes *out, struct slice text)
{
	if (!text.len)
		return;
	bytes_text(out, " (");
	describe_said(text, out);
	bytes_add(out, ')');
}

static void put_actor(struct bytes *out, struct slice actor)
{
	if (!actor.len)
		return;
	bytes_text(out, " by ");
	describe_said(actor, out);
}

static void put_error(struct bytes *out, const struct error *error)
{
	put_more(out, error->code);
	put_more(out, error->message);
}

/* What the words are about; the saga may be NULL: see describe.h. */
struct about {
	const struct definition *definition;
	const struct saga *saga;
};

static bool is_known(const struct about *about, uint32_t step)
{
	return step < (about->saga ? about->saga->n_steps : about->definition->n_steps);
}

static const struct step_definition *find(const struct about *about, uint32_t step)
{
	return is_known(about, step)
		       ? saga_step_definition(about->definition, about->saga, step)
		       : NULL;
}

static void put_step(struct bytes *out, const struct about *about, uint32_t step)
{
	char room[INSTANCE_NAME_MAX];

	if (is_known(about, step))
		bytes_append(out, saga_step_name(about->definition, about->saga, step, room));
	else
		bytes_format(out, "step %" PRIu32, step);
}

/* "reserve: ", and nothing for the saga as a whole. */
static void put_subject(struct bytes *out, const struct about *about, uint32_t step)
{
	if (step == NO_STEP)
		return;
	put_step(out, about, step);
	bytes_text(out, ": ");
}

static void put_attempt(struct bytes *out, uint32_t attempt, uint16_t round)
{
	if (round)
		bytes_format(out, " (attempt %" PRIu32 ", round %u)", attempt, round);
	else
		bytes_format(out, " (attempt %" PRIu32 ")", attempt);
}

/* --- a saga ---------------------------------------------------------------------- */

/* The present command where the step is busy with one, and why it is where it
 * is: " (do, attempt 5, exhausted)". */
static void put_step_detail(struct bytes *out, const struct step *step)
{
	bool busy = step->state == STEP_RUNNING || step->state == STEP_BACKOFF ||
		    step->state == STEP_UNDOING || step->state == STEP_UNDO_BACKOFF ||
		    step->state == STEP_PARKED;
	bool reason = step->why != WHY_NOTHING &&
		      !(step->state == STEP_REFUSED && step->why == WHY_REFUSED);
	uint16_t round = step->verb == VERB_UNDO ? step->undo_round : step->do_round;
	const char *separator = " (";

	if (busy && step->attempt) {
		bytes_format(out, "%s%s, attempt %" PRIu32, separator,
			     verb_text((enum verb)step->verb), step->attempt);
		if (round)
			bytes_format(out, ", round %u", round);
		separator = ", ";
	}
	if (reason) {
		bytes_format(out, "%s%s", separator, why_text((enum why)step->why));
		separator = ", ";
	}
	if (separator[0] == ',')
		bytes_add(out, ')');
}

static void put_status(struct bytes *out, const struct saga *saga)
{
	enum status status = saga_status(saga);

	bytes_text(out, status_text(status));
	if (status == STATUS_PARKED && saga->phase == PHASE_BACK)
		bytes_text(out, ", compensating");
	if (saga_ended(saga))
		return;
	if (saga->flags & SAGA_PAUSED)
		bytes_text(out, ", paused");
	if (saga->flags & SAGA_TURNING)
		bytes_text(out, ", wants to turn back");
	if (saga->flags & SAGA_OVERDUE)
		bytes_text(out, ", overdue");
}

void describe_saga(const struct definition *definition, const struct saga *saga,
		   struct bytes *out)
{
	const struct about *about = &(struct about){definition, saga};

	put_status(out, saga);
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		bytes_text(out, i ? ", " : ": ");
		put_step(out, about, i);
		bytes_add(out, ' ');
		bytes_text(out, step_state_text((enum step_state)saga->steps[i].state));
		put_step_detail(out, &saga->steps[i]);
	}
	if (!saga->failure)
		return;
	bytes_text(out, "; because");
	if (saga->failure_step != NO_STEP) {
		bytes_text(out, " of ");
		put_step(out, about, saga->failure_step);
	}
	put_error(out, saga->failure);
}

/* --- an event -------------------------------------------------------------------- */

static void put_reply(struct bytes *out, const struct event *event)
{
	bytes_format(out, "%s answered %s", verb_text(event->verb),
		     outcome_text(event->outcome));
	put_attempt(out, event->attempt, event->round);
	if (event->outcome != OUTCOME_OK)
		put_error(out, &event->error);
}

static void put_due(struct bytes *out, const struct step_definition *step,
		    const struct event *event)
{
	if (step && step->form == FORM_SLEEP) {
		bytes_text(out, "the sleep is over");
	} else if (step && step->form == FORM_AWAIT) {
		bytes_append(out, step->event);
		bytes_text(out, " did not come in time");
	} else {
		bytes_format(out, "%s can be tried again", verb_text(event->verb));
		put_attempt(out, event->attempt, event->round);
	}
}

/* "retry of charge by alice: the bank is back" */
static void put_operation(struct bytes *out, const struct about *about,
			  const struct event *event)
{
	bool of_step = event->type == EVENT_RETRY || event->type == EVENT_SKIP;

	bytes_text(out, event_text(event->type));
	if (of_step && event->step != NO_STEP) {
		bytes_text(out, " of ");
		put_step(out, about, event->step);
	}
	if (event->type == EVENT_SKIP && event->payload.len)
		bytes_text(out, " with an output");
	put_actor(out, event->actor);
	put_more(out, event->reason);
}

void describe_event(const struct definition *definition, const struct saga *saga,
		    const struct event *event, struct bytes *out)
{
	const struct about *about = &(struct about){definition, saga};
	switch (event->type) {
	case EVENT_REPLY:
		put_subject(out, about, event->step);
		put_reply(out, event);
		break;
	case EVENT_TIMEOUT:
		put_subject(out, about, event->step);
		bytes_format(out, "%s got no answer in time", verb_text(event->verb));
		put_attempt(out, event->attempt, event->round);
		break;
	case EVENT_DUE:
		put_subject(out, about, event->step);
		put_due(out, find(about, event->step), event);
		break;
	case EVENT_DEADLINE: bytes_text(out, "the saga's deadline passed"); break;
	case EVENT_SIGNAL:
		bytes_text(out, "signal ");
		describe_said(event->name, out);
		put_in_brackets(out, event->id);
		put_actor(out, event->actor);
		break;
	case EVENT_CANCEL:
	case EVENT_UNDO:
	case EVENT_PAUSE:
	case EVENT_RESUME:
	case EVENT_RETRY:
	case EVENT_SKIP:
	case EVENT_KILL: put_operation(out, about, event); break;
	}
}

/* --- a command ------------------------------------------------------------------- */

void describe_command(const struct definition *definition, const struct saga *saga,
		      const struct command *command, struct bytes *out)
{
	const struct about *about = &(struct about){definition, saga};
	const struct step_definition *step = find(about, command->step);

	bytes_format(out, "send %s of ", verb_text(command->verb));
	put_step(out, about, command->step);
	if (step && step->form == FORM_SAGA) {
		bytes_text(out, " to its child saga ");
		bytes_append(out, step->child);
	} else if (step) {
		const struct call *call =
			command->verb == VERB_UNDO ? &step->undo : &step->call;

		bytes_text(out, " to ");
		bytes_append(out, call->participant);
		bytes_add(out, '.');
		bytes_append(out, call->command);
	}
	put_attempt(out, command->attempt, command->round);
}

/* --- an entry of the timeline ---------------------------------------------------- */

static void put_answer(struct bytes *out, const struct entry *entry, const char *answer)
{
	bytes_format(out, "%s %s", verb_text(entry->verb), answer);
	if (entry->attempt)
		put_attempt(out, entry->attempt, 0);
	put_more(out, entry->detail);
}

static void put_entered(struct bytes *out, const struct step_definition *step,
			const struct entry *entry)
{
	if (step && step->form == FORM_AWAIT) {
		bytes_text(out, "awaits ");
		bytes_append(out, step->event);
	} else if (step && step->form == FORM_SLEEP) {
		bytes_text(out, "sleeps");
	} else {
		bytes_text(out, step && step->form == FORM_EACH ? "its elements begin"
								: "its branches begin");
		put_more(out, entry->detail);
	}
}

static void put_left(struct bytes *out, const struct step_definition *step,
		     const struct entry *entry)
{
	if (step && step->form == FORM_AWAIT) {
		bytes_append(out, step->event);
		bytes_text(out, entry->detail.len ? " came"
						  : " did not come in time, the saga goes on");
	} else if (step && step->form == FORM_SLEEP) {
		bytes_text(out, "the sleep is over");
	} else {
		bytes_text(out, step && step->form == FORM_EACH ? "its elements are through"
								: "its branches are through");
		put_more(out, entry->detail);
	}
}

static void put_timeout(struct bytes *out, const struct step_definition *step,
			const struct entry *entry)
{
	if (step && step->form == FORM_AWAIT) {
		bytes_append(out, step->event);
		bytes_text(out, " did not come in time");
	} else {
		put_answer(out, entry, "got no answer in time");
	}
}

static void put_turned(struct bytes *out, const struct about *about, const struct entry *entry)
{
	bytes_text(out, "the saga turns back");
	if (entry->step != NO_STEP) {
		bytes_text(out, " because of ");
		put_step(out, about, entry->step);
	}
	put_more(out, entry->detail);
}

void describe_entry(const struct definition *definition, const struct saga *saga,
		    const struct entry *entry, struct bytes *out)
{
	const struct about *about = &(struct about){definition, saga};
	const struct step_definition *step = find(about, entry->step);

	/* These two name a step, but are of the saga. */
	if (entry->type != ENTRY_TURNED && entry->type != ENTRY_WENT_ON)
		put_subject(out, about, entry->step);
	switch (entry->type) {
	case ENTRY_STARTED:
		bytes_text(out, "the saga starts");
		put_actor(out, entry->actor);
		break;
	case ENTRY_SENT: put_answer(out, entry, "sent"); break;
	case ENTRY_OK: put_answer(out, entry, "answered ok"); break;
	case ENTRY_REFUSED: put_answer(out, entry, "answered refused"); break;
	case ENTRY_FAILED: put_answer(out, entry, "answered failed"); break;
	case ENTRY_EXPIRED: put_answer(out, entry, "answered expired"); break;
	case ENTRY_KILLED:
		put_answer(out, entry, "cannot end, the child saga was killed");
		break;
	case ENTRY_TIMEOUT: put_timeout(out, step, entry); break;
	case ENTRY_LATE_OK: bytes_text(out, "do answered ok, too late"); break;
	case ENTRY_ENTERED: put_entered(out, step, entry); break;
	case ENTRY_LEFT: put_left(out, step, entry); break;
	case ENTRY_SKIPPED:
		bytes_text(out, "skipped");
		put_in_brackets(out, entry->detail);
		break;
	case ENTRY_IN_DOUBT:
		bytes_text(out, "in doubt, it may have happened");
		put_in_brackets(out, entry->detail);
		break;
	case ENTRY_PARKED:
		bytes_format(out, "%s parked", verb_text(entry->verb));
		put_in_brackets(out, entry->detail);
		break;
	case ENTRY_ERROR:
		bytes_text(out, "an expression failed");
		put_more(out, entry->detail);
		break;
	case ENTRY_TURNED: put_turned(out, about, entry); break;
	case ENTRY_WENT_ON:
		bytes_text(out, "the saga goes on: it has passed ");
		put_step(out, about, entry->step);
		break;
	case ENTRY_DEADLINE: bytes_text(out, "the saga's deadline passed"); break;
	case ENTRY_SIGNAL:
		bytes_text(out, "signal ");
		describe_said(entry->detail, out);
		put_actor(out, entry->actor);
		break;
	case ENTRY_OPERATION:
		bytes_text(out, "operation");
		put_actor(out, entry->actor);
		put_more(out, entry->detail);
		break;
	case ENTRY_ENDED:
		bytes_text(out, "the saga ended");
		put_more(out, entry->detail);
		break;
	}
}
