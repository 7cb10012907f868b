#include "orchestrator/store/record.h"

#include "base/pack.h"

#include <assert.h>

void record_write(struct bytes *out, const struct saga *saga, const uint8_t hash[SHA256_SIZE],
		  struct slice timeline)
{
	char room[PACK_NUMBER_MAX];
	struct bytes front = {.at = room, .capacity = sizeof room, .max = sizeof room};
	size_t begin = out->len, len;
	struct pack pack;

	if (saga_encode(saga, hash, out))
		return;
	len = out->len - begin;
	pack_begin(&pack, &front);
	pack_number(&pack, len);
	pack_end(&pack);
	/* How long the saga is, is known only now that it is there: it makes way. */
	bytes_append(out, bytes_slice(&front));
	if (!out->err) {
		memmove(out->at + begin + front.len, out->at + begin, len);
		memcpy(out->at + begin, front.at, front.len);
	}
	bytes_append(out, timeline);
}

enum err record_split(struct slice record, struct slice *saga, struct slice *timeline)
{
	struct unpack in = unpack_begin(record);
	struct slice bytes = unpack_slice(&in, SAGA_BYTES_MAX, "the saga");

	if (in.what || bytes.len == 0)
		return ERR_CORRUPT;
	*saga = bytes;
	*timeline = (struct slice){record.at + in.at, record.len - in.at};
	return OK;
}

/* --- the row ------------------------------------------------------------------------ */

static bool settled(const struct definition *definition, const struct saga *saga, uint32_t i)
{
	const struct step_definition *of = saga_step_definition(definition, saga, i);
	const struct step *step = &saga->steps[i];

	switch ((enum step_state)step->state) {
	case STEP_RUNNING:
	case STEP_BACKOFF:
	case STEP_UNDOING:
	case STEP_UNDO_BACKOFF:
	case STEP_PARKED: return false;
	case STEP_WAITING: return saga->phase == PHASE_BACK;
	case STEP_DONE:
	case STEP_IN_DOUBT:
	case STEP_SKIPPED: return saga->phase != PHASE_BACK || !step_needs_undo(of, step);
	case STEP_REFUSED:
	case STEP_UNDONE:
	case STEP_NEVER: break;
	}
	return true;
}

static bool is_busy(const struct step *step)
{
	return step->state == STEP_RUNNING || step->state == STEP_BACKOFF ||
	       step->state == STEP_UNDOING || step->state == STEP_UNDO_BACKOFF;
}

/* In the direction in which the saga goes; a block is not where it is. */
static uint32_t first_unsettled(const struct definition *definition, const struct saga *saga,
				bool busy)
{
	for (uint32_t k = 0; k < saga->n_steps; k++) {
		uint32_t i = saga->phase == PHASE_BACK ? saga->n_steps - 1 - k : k;

		if (!form_is_block(saga_step_definition(definition, saga, i)->form) &&
		    !settled(definition, saga, i) && (!busy || is_busy(&saga->steps[i])))
			return i;
	}
	return NO_STEP;
}

/* The step at which the saga is: the parked one; else, in the direction in which
 * it goes, the first that is not settled. A block is not where it is, but a step
 * in it. NO_STEP: it has ended. */
static uint32_t present_step(const struct definition *definition, const struct saga *saga)
{
	uint32_t busy = NO_STEP;

	if (saga_ended(saga))
		return NO_STEP;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		if (saga->steps[i].state == STEP_PARKED)
			return i;
	if (saga->n_expansions) /* later elements stand behind the steps that follow */
		busy = first_unsettled(definition, saga, true);
	return busy == NO_STEP ? first_unsettled(definition, saga, false) : busy;
}

static struct slice error_text(const struct error *error)
{
	return error->message.len ? error->message : error->code;
}

/* Only the timeline has it. */
static struct slice kill_reason(struct slice bytes)
{
	static const char prefix[] = "kill: ";
	struct slice reason = {0};
	struct timeline timeline;

	if (timeline_read(bytes, &timeline, NULL))
		return reason;
	for (struct timeline_each each = timeline_each(&timeline); timeline_next(&each);) {
		struct slice detail = each.entry.detail;

		if (each.entry.type == ENTRY_OPERATION && detail.len > sizeof prefix - 1 &&
		    !memcmp(detail.at, prefix, sizeof prefix - 1))
			reason = (struct slice){detail.at + sizeof prefix - 1,
						detail.len - (sizeof prefix - 1)};
	}
	return reason;
}

static struct slice reason(const struct saga *saga, enum status status, uint32_t step,
			   struct slice timeline)
{
	struct slice none = {0};

	switch (status) {
	case STATUS_PARKED:
		if (saga->steps[step].error)
			return error_text(saga->steps[step].error);
		return slice_of(why_text((enum why)saga->steps[step].why));
	case STATUS_KILLED: return kill_reason(timeline);
	case STATUS_COMPLETED: return none;
	case STATUS_RUNNING: /* it may want to turn back */
	case STATUS_COMPENSATING:
	case STATUS_COMPENSATED: break;
	}
	return saga->failure ? error_text(saga->failure) : none;
}

struct saga_row record_row(const struct definition *definition, const struct saga *saga,
			   struct slice timeline)
{
	enum status status = saga_status(saga);
	uint32_t step = present_step(definition, saga);

	assert(saga_fits(definition, saga));
	return (struct saga_row){
		.id = saga->id,
		.key = saga->key,
		.saga = definition->name,
		.version = definition->version,
		.status = status,
		.paused = saga->flags & SAGA_PAUSED && !status_ended(status),
		.step = step == NO_STEP ? (struct slice){0}
					: saga_step_definition(definition, saga, step)->name,
		.reason = reason(saga, status, step, timeline),
		.started_ms = saga->started_ms,
		.updated_ms = saga->updated_ms,
		.ended_ms = saga->ended_ms,
		.revision = saga->revision,
	};
}
