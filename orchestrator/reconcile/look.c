#include "orchestrator/reconcile/parts.h"

#include "orchestrator/store/record.h"

#include <stdio.h>

/* A saga counts as one piece of work for each so many bytes of its record. */
enum { WORK_BYTES = 16 * 1024 };

/* --- the record --------------------------------------------------------------------- */

enum err look_read(struct reconcile *reconcile, struct slice id)
{
	uint8_t hash[SHA256_SIZE];
	struct slice record, bytes, entries;
	struct diag diag = {""};
	enum err err;

	arena_reset(&reconcile->scratch);
	reconcile->known = reconcile->readable = false;
	reconcile->work++;
	err = store_get(reconcile->setup.store, id, &reconcile->scratch, &reconcile->row,
			&record);
	if (err)
		return err == ERR_NOT_FOUND ? OK : err;
	reconcile->known = true;
	reconcile->work += record.len / WORK_BYTES;
	err = record_split(record, &bytes, &entries);
	if (!err)
		err = saga_decode(bytes, &reconcile->scratch, &reconcile->saga_read, hash,
				  &diag);
	if (err)
		return err == ERR_NOMEM ? err : OK;
	reconcile->definition = engine_definition_by_hash(reconcile->setup.engine, hash);
	reconcile->readable = reconcile->definition &&
			      saga_fits(reconcile->definition, &reconcile->saga_read);
	return OK;
}

enum mismatch look_compare(const struct reconcile *reconcile, struct slice id,
			   const struct witness *witness, enum record_state state,
			   int64_t record_ms, int64_t kept_ms, struct expected *expected)
{
	struct address address;

	*expected = (struct expected){.said = SAID_NOTHING, .state = ""};
	if (!address_parse(id, &address) || !reconcile->known) {
		if (state != RECORD_OK)
			return MISMATCH_NONE;
		return record_ms <= reconcile->removed_ms ? MISMATCH_FORGOTTEN
							  : MISMATCH_NO_SAGA;
	}
	if (!reconcile->readable)
		return MISMATCH_NONE; /* it is told as a whole */
	*expected = expected_of(reconcile->definition, &reconcile->saga_read, &address,
				slice_of(witness->name));
	return compare(expected, state, kept_ms);
}

/* --- telling ------------------------------------------------------------------------ */

/* "reserve", or "reserve#2" of the third element. */
static struct slice step_of(const struct reconcile *reconcile, const struct address *address,
			    char room[INSTANCE_NAME_MAX])
{
	uint32_t at = NO_STEP;
	bool each = address->element > 0;

	if (reconcile->known && reconcile->readable)
		at = definition_find(reconcile->definition, address->step);
	if (at != NO_STEP && reconcile->definition->steps[at].each != NO_STEP)
		each = true;
	if (!each)
		return address->step;
	snprintf(room, INSTANCE_NAME_MAX, "%.*s#%u", SLICE_ARG(address->step),
		 (unsigned int)address->element);
	return slice_of(room);
}

void look_tell(struct reconcile *reconcile, enum mismatch difference, struct slice command,
	       const struct witness *witness, const char *record, const char *barrier)
{
	struct finding finding = {
		.difference = difference,
		.command = command,
		.saga_id = reconcile->known ? reconcile->row.id : command,
		.saga = reconcile->known ? reconcile->row.saga : (struct slice){0},
		.participant = witness ? slice_of(witness->name) : (struct slice){0},
		.record = record,
		.barrier = barrier,
	};
	char room[INSTANCE_NAME_MAX];
	struct address address;

	if (command.len && address_parse(command, &address)) {
		finding.saga_id = address.saga_id;
		finding.step = step_of(reconcile, &address, room);
	}
	reconcile->counts.differences++;
	reconcile->setup.found(reconcile->setup.context, &finding);
}

/* --- looks -------------------------------------------------------------------------- */

struct look *look_add(struct reconcile *reconcile, struct slice id, uint32_t witness)
{
	struct look *look = &reconcile->looks[reconcile->n_looks];

	if (reconcile->n_looks == RECONCILE_LOOKS_MAX)
		return NULL;
	*look = (struct look){.witness = witness};
	if (!arena_copy(&reconcile->window, id, &look->id))
		return NULL;
	reconcile->n_looks++;
	return look;
}

/* The first look is held against the record as it was read before it was asked. */
static enum mismatch judge_first(struct look *look)
{
	return compare(&look->expected, look->state, look->kept_ms);
}

/* A later one against the record as it is now. */
static enum err judge_again(struct reconcile *reconcile, struct look *look, enum mismatch *out)
{
	struct address address;
	struct slice saga_id = look->id;
	uint64_t revision;
	enum err err = OK;

	if (address_parse(look->id, &address))
		saga_id = address.saga_id;
	if (!reconcile->known || !slice_equal(reconcile->row.id, saga_id))
		err = look_read(reconcile, saga_id);
	if (err)
		return err;
	revision = reconcile->known ? reconcile->row.revision : 0;
	*out = look_compare(reconcile, look->id, &reconcile->witnesses[look->witness],
			    look->state, look->record_ms, look->kept_ms, &look->expected);
	if (*out == look->difference && revision == look->revision)
		look->agreed++;
	else
		look->agreed = 0;
	look->revision = revision;
	return OK;
}

/* Whether it has to be looked at again. */
static bool settle(struct reconcile *reconcile, struct look *look, enum mismatch difference)
{
	const struct witness *witness = &reconcile->witnesses[look->witness];

	look->difference = difference;
	if (difference == MISMATCH_NONE)
		return false;
	if (difference == MISMATCH_FORGOTTEN) {
		if (reconcile->known || reconcile->n_rounds == 0)
			reconcile->counts.forgotten++;
		else
			reconcile->counts.removed++;
		return false;
	}
	if (look->agreed >= LOOKS_AGREE) {
		look_tell(reconcile, difference, look->id, witness, look->expected.state,
			  record_state_text(look->state));
		return false;
	}
	if (reconcile->n_rounds < ROUNDS_AGAIN)
		return true;
	reconcile->counts.moving++;
	return false;
}

static enum err judge(struct reconcile *reconcile, struct look *look, bool *again)
{
	enum mismatch difference;
	enum err err;

	*again = false;
	if (!look->answered) {
		reconcile->counts.unasked++;
		return OK;
	}
	if (reconcile->n_rounds == 0) {
		*again = settle(reconcile, look, judge_first(look));
		return OK;
	}
	err = judge_again(reconcile, look, &difference);
	if (!err)
		*again = settle(reconcile, look, difference);
	return err;
}

/* Those that stay move to the front, where nothing is that was not judged yet. */
bool look_judge(struct reconcile *reconcile)
{
	enum err removed = store_removed(reconcile->setup.store, &reconcile->removed_ms);

	if (removed) {
		reconcile_fail(reconcile, removed);
		return true;
	}
	while (reconcile->next_look < reconcile->n_looks) {
		struct look *look = &reconcile->looks[reconcile->next_look];
		bool again;
		enum err err;

		if (reconcile->work >= WORK_MAX)
			return false;
		err = judge(reconcile, look, &again);
		if (err) {
			reconcile_fail(reconcile, err);
			return true;
		}
		reconcile->next_look++;
		look->answered = false;
		if (again)
			reconcile->looks[reconcile->n_again++] = *look;
	}
	reconcile->n_looks = reconcile->n_again;
	reconcile->next_look = reconcile->n_again = 0;
	reconcile->n_rounds++;
	return true;
}
