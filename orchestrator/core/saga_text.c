/* saga_text.c - the words for what a saga is in, one per idea, everywhere. */
#include "orchestrator/core/saga.h"

#include <assert.h>

const char *status_text(enum status status)
{
	switch (status) {
	case STATUS_RUNNING: return "running";
	case STATUS_COMPENSATING: return "compensating";
	case STATUS_COMPLETED: return "completed";
	case STATUS_COMPENSATED: return "compensated";
	case STATUS_PARKED: return "parked";
	case STATUS_KILLED: return "killed";
	}
	return "?";
}

const char *phase_text(enum phase phase)
{
	switch (phase) {
	case PHASE_FORWARD: return "forward";
	case PHASE_BACK: return "back";
	case PHASE_COMPLETED: return "completed";
	case PHASE_COMPENSATED: return "compensated";
	case PHASE_KILLED: return "killed";
	}
	return "?";
}

const char *step_state_text(enum step_state state)
{
	switch (state) {
	case STEP_WAITING: return "waiting";
	case STEP_RUNNING: return "running";
	case STEP_BACKOFF: return "backoff";
	case STEP_DONE: return "done";
	case STEP_REFUSED: return "refused";
	case STEP_SKIPPED: return "skipped";
	case STEP_IN_DOUBT: return "in doubt";
	case STEP_UNDOING: return "undoing";
	case STEP_UNDO_BACKOFF: return "undo-backoff";
	case STEP_UNDONE: return "undone";
	case STEP_PARKED: return "parked";
	case STEP_NEVER: return "never";
	}
	return "?";
}

const char *verb_text(enum verb verb)
{
	switch (verb) {
	case VERB_DO: return "do";
	case VERB_UNDO: return "undo";
	case VERB_REVOKE: return "revoke";
	}
	return "?";
}

const char *outcome_text(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK: return "ok";
	case OUTCOME_REFUSED: return "refused";
	case OUTCOME_FAILED: return "failed";
	case OUTCOME_EXPIRED: return "expired";
	case OUTCOME_KILLED: return "killed";
	}
	return "?";
}

const char *event_text(enum event_type type)
{
	switch (type) {
	case EVENT_REPLY: return "reply";
	case EVENT_TIMEOUT: return "timeout";
	case EVENT_DUE: return "due";
	case EVENT_DEADLINE: return "deadline";
	case EVENT_SIGNAL: return "signal";
	case EVENT_CANCEL: return "cancel";
	case EVENT_UNDO: return "undo";
	case EVENT_PAUSE: return "pause";
	case EVENT_RESUME: return "resume";
	case EVENT_RETRY: return "retry";
	case EVENT_SKIP: return "skip";
	case EVENT_KILL: return "kill";
	}
	return "?";
}

const char *entry_text(enum entry_type type)
{
	switch (type) {
	case ENTRY_STARTED: return "started";
	case ENTRY_SENT: return "sent";
	case ENTRY_OK: return "ok";
	case ENTRY_REFUSED: return "refused";
	case ENTRY_FAILED: return "failed";
	case ENTRY_EXPIRED: return "expired";
	case ENTRY_TIMEOUT: return "timeout";
	case ENTRY_LATE_OK: return "late ok";
	case ENTRY_ENTERED: return "entered";
	case ENTRY_LEFT: return "left";
	case ENTRY_SKIPPED: return "skipped";
	case ENTRY_IN_DOUBT: return "in doubt";
	case ENTRY_PARKED: return "parked";
	case ENTRY_ERROR: return "error";
	case ENTRY_TURNED: return "turned back";
	case ENTRY_WENT_ON: return "went on";
	case ENTRY_DEADLINE: return "deadline";
	case ENTRY_SIGNAL: return "signal";
	case ENTRY_OPERATION: return "operation";
	case ENTRY_ENDED: return "ended";
	case ENTRY_KILLED: return "killed";
	}
	return "?";
}

const char *why_text(enum why why)
{
	switch (why) {
	case WHY_NOTHING: return "";
	case WHY_REFUSED: return "refused";
	case WHY_EXHAUSTED: return "exhausted";
	case WHY_EXPIRED: return "expired";
	case WHY_EXPRESSION: return "expression";
	case WHY_CONDITION: return "condition";
	case WHY_OPERATOR: return "operator";
	case WHY_TIMEOUT: return "timeout";
	case WHY_NO_ELEMENT: return "no element";
	case WHY_KILLED: return "killed";
	}
	return "?";
}

/* Without separators, and not empty. */
static bool is_part(struct slice text, size_t max)
{
	if (text.len == 0 || text.len > max)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

bool saga_name_valid(struct slice id)
{
	return is_part(id, SAGA_NAME_MAX);
}

bool saga_id_valid(struct slice id)
{
	struct slice key = shard_key(id), rest;

	if (!saga_name_valid(key))
		return false;
	if (key.len == id.len)
		return true;
	rest = (struct slice){id.at + key.len + 1, id.len - key.len - 1};
	return id.at[key.len] == ':' && is_part(rest, SAGA_ID_MAX - SAGA_NAME_MAX - 1);
}

static char *put(char *at, struct slice text)
{
	memcpy(at, text.at, text.len);
	return at + text.len;
}

static char *put_number(char *at, uint32_t number)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (n)
		*at++ = digits[--n];
	return at;
}

size_t command_id(const struct definition *definition, struct slice saga_id, struct instance at,
		  uint16_t round, enum verb verb, char out[COMMAND_ID_MAX])
{
	char *to = out;

	assert(saga_id.len <= SAGA_ID_MAX && at.step < definition->n_steps);
	to = put(to, saga_id);
	*to++ = '/';
	to = put(to, definition->steps[at.step].name);
	*to++ = '#';
	to = put_number(to, at.element);
	*to++ = '/';
	to = put_number(to, round);
	*to++ = '/';
	to = put(to, slice_of(verb_text(verb)));
	return (size_t)(to - out);
}

/* "order-17:ship.5f0c8e1b2a9d4c37": the saga that everything began with, for people the
 * step, as far as there is room, and for all a digest of the command that starts it. */
struct slice child_id(const struct definition *definition, struct slice saga_id,
		      struct instance at, uint16_t round, char out[SAGA_ID_MAX])
{
	static const char digits[] = "0123456789abcdef";
	struct slice step = definition->steps[at.step].name;
	uint8_t digest[SHA256_SIZE];
	char id[COMMAND_ID_MAX];
	char *to = out;

	sha256((struct slice){id, command_id(definition, saga_id, at, round, VERB_DO, id)},
	       digest);
	if (step.len > CHILD_STEP_MAX)
		step.len = CHILD_STEP_MAX;
	to = put(to, shard_key(saga_id));
	*to++ = ':';
	to = put(to, step);
	*to++ = '.';
	for (int i = 0; i < CHILD_DIGITS / 2; i++) {
		*to++ = digits[digest[i] >> 4];
		*to++ = digits[digest[i] & 15];
	}
	return (struct slice){out, (size_t)(to - out)};
}
