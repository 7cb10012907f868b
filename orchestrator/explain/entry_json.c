#include "orchestrator/explain/entry_json.h"

#include "base/json_line.h"
#include "orchestrator/core/describe.h"

#include <inttypes.h>

static void text_member(struct bytes *out, const struct definition *definition,
			const struct saga *saga, const struct entry *entry)
{
	size_t at = json_begin_text(out, "text");

	describe_entry(definition, saga, entry, out);
	json_end_text(out, at);
}

static void step_member(struct bytes *out, const struct definition *definition,
			const struct saga *saga, uint32_t step)
{
	char room[INSTANCE_NAME_MAX];

	if (step == NO_STEP) {
		json_add_null(out, "step");
	} else if (definition && step < saga->n_steps) {
		json_add_text(out, "step", saga_step_name(definition, saga, step, room));
	} else {
		json_add_name(out, "step");
		bytes_format(out, "\"#%" PRIu32 "\"", step);
	}
}

/* Whether the entry is about a command, so that verb and attempt say something. */
static bool has_verb(enum entry_type type)
{
	switch (type) {
	case ENTRY_SENT:
	case ENTRY_OK:
	case ENTRY_REFUSED:
	case ENTRY_FAILED:
	case ENTRY_EXPIRED:
	case ENTRY_KILLED:
	case ENTRY_TIMEOUT:
	case ENTRY_LATE_OK:
	case ENTRY_IN_DOUBT:
	case ENTRY_PARKED: return true;
	case ENTRY_STARTED:
	case ENTRY_ENTERED:
	case ENTRY_LEFT:
	case ENTRY_SKIPPED:
	case ENTRY_ERROR:
	case ENTRY_TURNED:
	case ENTRY_WENT_ON:
	case ENTRY_DEADLINE:
	case ENTRY_SIGNAL:
	case ENTRY_OPERATION:
	case ENTRY_ENDED: return false;
	}
	return false;
}

void entry_members(struct bytes *out, const struct definition *definition,
		   const struct saga *saga, const struct entry *entry)
{
	json_add_time(out, "at", entry->at_ms);
	json_add_text(out, "what", slice_of(entry_text(entry->type)));
	step_member(out, definition, saga, entry->step);
	if (has_verb(entry->type))
		json_add_text(out, "verb", slice_of(verb_text(entry->verb)));
	else
		json_add_null(out, "verb");
	if (entry->attempt)
		json_add_number(out, "attempt", entry->attempt);
	else
		json_add_null(out, "attempt");
	json_add_optional(out, "detail", entry->detail);
	json_add_optional(out, "actor", entry->actor);
	if (definition)
		text_member(out, definition, saga, entry);
	else
		json_add_text(out, "text", slice_of(entry_text(entry->type)));
}

void entry_json(struct bytes *out, const struct definition *definition, const struct saga *saga,
		const struct entry *entry)
{
	json_begin(out);
	entry_members(out, definition, saga, entry);
	json_end(out);
}
