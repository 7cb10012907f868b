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

/* --- an entry of the timeline ---------------------------------------------------- */

static void put_answer(struct bytes *out, const struct entry *entry, const char *answer)
{
	bytes_format(out, "%s %s", verb_text(entry->verb), answer);
	if (entry->attempt)
		bytes_format(out, " (attempt %" PRIu32 ")", entry->attempt);
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
