#include "orchestrator/reconcile/reconcile.h"

#include "orchestrator/reconcile/parts.h"

#include <stdlib.h>

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 800 };

void reconcile_fail(struct reconcile *reconcile, enum err err)
{
	const char *trouble = reconcile->setup.store->trouble.text;

	reconcile->why = err != ERR_NOMEM && trouble[0] ? trouble : err_text(err);
	reconcile->phase = OVER;
}

static void begin_window(struct reconcile *reconcile, enum phase_of_reconcile behind)
{
	arena_reset(&reconcile->window);
	reconcile->n_looks = reconcile->next_look = reconcile->n_again = 0;
	reconcile->n_rounds = 0;
	reconcile->behind = behind;
}

/* --- the first walk: what the record holds settled ------------------------------------ */

static enum err add_saga(void *context, const struct saga_row *row)
{
	struct reconcile *reconcile = context;
	struct slice *id = &reconcile->sagas[reconcile->n_sagas];

	reconcile->last_started_ms = row->started_ms;
	if (!arena_copy(&reconcile->page, row->id, id))
		return ERR_NOMEM;
	reconcile->n_sagas++;
	return OK;
}

/* The page's last saga may be removed before the next page is asked for: that one then
 * begins with those that started in the same millisecond. */
static void list(struct reconcile *reconcile)
{
	struct saga_filter filter = {.saga = slice_of(reconcile->saga),
				     .since_ms = reconcile->setup.since_ms,
				     .until_ms = reconcile->until_ms};
	struct slice after = slice_of(reconcile->cursor), last;
	enum err err;

	reconcile->n_sagas = reconcile->next_saga = 0;
	arena_reset(&reconcile->page);
	err = store_list(reconcile->setup.store, &filter, after, SAGAS_PAGE, add_saga,
			 reconcile);
	reconcile->work += SAGAS_PAGE / 4;
	if (err == ERR_NOT_FOUND) {
		reconcile->until_ms = reconcile->last_started_ms + 1;
		reconcile->cursor[0] = '\0';
		return;
	}
	if (err) {
		reconcile_fail(reconcile, err);
		return;
	}
	reconcile->cursor[0] = '\0';
	reconcile->listed = !reconcile->n_sagas;
	reconcile->phase = reconcile->listed ? ASKING : READING;
	if (reconcile->listed)
		return;
	last = reconcile->sagas[reconcile->n_sagas - 1];
	memcpy(reconcile->cursor, last.at, last.len);
	reconcile->cursor[last.len] = '\0';
}

/* False: no memory. */
static bool add_commands(struct reconcile *reconcile)
{
	const struct saga *saga = &reconcile->saga_read;
	char id[COMMAND_ID_MAX];
	struct slice participant;
	struct address address;
	enum verb verb;
	uint16_t round;

	for (uint32_t i = 0; i < saga->n_steps; i++) {
		struct instance at = saga_instance(reconcile->definition, saga, i);
		struct slice text = {id, 0};
		struct look *look;
		uint32_t witness;

		if (!expected_command(reconcile->definition, saga, i, &verb, &round,
				      &participant))
			continue;
		text.len = command_id(reconcile->definition, saga->id, at, round, verb, id);
		witness = witness_of(reconcile, participant);
		if (witness == WITNESSES_MAX)
			return false;
		look = look_add(reconcile, text, witness);
		if (!look || !address_parse(look->id, &address))
			return false;
		look->expected =
			expected_of(reconcile->definition, saga, &address, participant);
		look->revision = reconcile->row.revision;
		reconcile->counts.commands++;
	}
	return true;
}

static void read_page(struct reconcile *reconcile)
{
	while (reconcile->next_saga < reconcile->n_sagas && reconcile->work < WORK_MAX &&
	       reconcile->n_looks < RECONCILE_WINDOW) {
		enum err err = look_read(reconcile, reconcile->sagas[reconcile->next_saga]);

		if (!err && reconcile->readable && !add_commands(reconcile))
			err = ERR_NOMEM;
		if (err) {
			reconcile_fail(reconcile, err);
			return;
		}
		reconcile->counts.sagas += reconcile->known;
		if (reconcile->known && !reconcile->readable)
			look_tell(reconcile, MISMATCH_UNREADABLE, (struct slice){0}, NULL, "",
				  "");
		reconcile->next_saga++;
	}
	if (reconcile->n_looks >= RECONCILE_WINDOW)
		reconcile->phase = ASKING;
	else if (reconcile->next_saga == reconcile->n_sagas)
		reconcile->phase = LISTING;
}

/* --- the second: what no saga accounts for --------------------------------------------- */

static void add_participant(void *context, const struct bus_participant *participant)
{
	(void)witness_of(context, participant->name);
}

static void turn_over(struct reconcile *reconcile)
{
	if (reconcile->cursor[0] == '\0') {
		/* The first, or the next participant; some may have come meanwhile. */
		if (reconcile->page_came)
			reconcile->witness++;
		if (reconcile->witness == reconcile->n_witnesses)
			bus_participants(reconcile->setup.bus, add_participant, reconcile);
		if (reconcile->witness == reconcile->n_witnesses) {
			reconcile->phase = OVER;
			return;
		}
	}
	reconcile->page_came = false;
	reconcile->phase = AWAITING;
}

static void take_page(struct reconcile *reconcile)
{
	if (reconcile->page_came) {
		begin_window(reconcile, SORTING);
		reconcile->phase = SORTING;
		return;
	}
	/* It could not be asked: so much for it. */
	reconcile->cursor[0] = '\0';
	reconcile->page_came = true;
	reconcile->phase = TURNING;
}

static bool in_scope(const struct reconcile *reconcile)
{
	if (!reconcile->known)
		return !reconcile->saga[0];
	return reconcile->row.started_ms >= reconcile->setup.since_ms &&
	       (!reconcile->saga[0] || slice_is(reconcile->row.saga, reconcile->saga));
}

/* A record of something that stands, and that the first walk has not asked for. */
static enum err sort_record(struct reconcile *reconcile, const struct record_message *record)
{
	const struct witness *witness = &reconcile->witnesses[reconcile->witness];
	struct slice saga_id = record->id;
	struct expected expected;
	enum mismatch difference;
	struct address address;
	struct look *look;
	enum err err = OK;
	bool parsed = address_parse(record->id, &address);

	if (record->state != RECORD_OK || (parsed && address.verb == VERB_REVOKE))
		return OK;
	if (parsed)
		saga_id = address.saga_id;
	if (!reconcile->known || !slice_equal(reconcile->row.id, saga_id))
		err = look_read(reconcile, saga_id);
	/* Whether it is the undo of a do, only the saga could tell. */
	if (err || !in_scope(reconcile) ||
	    (!reconcile->known && parsed && address.verb == VERB_UNDO))
		return err;
	difference = look_compare(reconcile, record->id, witness, record->state,
				  record->first_ms, reconcile->records.kept_ms, &expected);
	if (!reconcile->known && difference == MISMATCH_FORGOTTEN)
		reconcile->counts.removed++;
	if (expected.asked || difference == MISMATCH_NONE || difference == MISMATCH_FORGOTTEN)
		return OK;
	look = look_add(reconcile, record->id, reconcile->witness);
	if (!look)
		return ERR_NOMEM;
	look->difference = difference;
	look->revision = reconcile->known ? reconcile->row.revision : 0;
	return OK;
}

static void sort_page(struct reconcile *reconcile)
{
	const struct records_message *records = &reconcile->records;

	while (reconcile->next_record < records->n && reconcile->work < WORK_MAX) {
		enum err err =
			sort_record(reconcile, &records->records[reconcile->next_record]);

		if (err) {
			reconcile_fail(reconcile, err);
			return;
		}
		reconcile->next_record++;
		reconcile->counts.records++;
	}
	if (reconcile->next_record < records->n)
		return;
	reconcile->n_rounds = 1; /* the page was the first look */
	reconcile->phase = reconcile->n_looks ? PAUSING : TURNING;
}

/* --- the window ------------------------------------------------------------------------- */

/* Each look at what differs comes later than the one before. */
static void pause_before(struct reconcile *reconcile, int64_t now_ms)
{
	int64_t pause_ms = (int64_t)PAUSE_MIN_MS << reconcile->n_rounds;

	if (!reconcile->due_ms)
		reconcile->due_ms =
			now_ms + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
	reconcile->wake_ms = reconcile->due_ms;
	if (now_ms < reconcile->due_ms)
		return;
	reconcile->due_ms = 0;
	reconcile->phase = ASKING;
}

static void end_round(struct reconcile *reconcile)
{
	if (reconcile->phase == OVER)
		return;
	if (reconcile->n_looks) {
		reconcile->phase = PAUSING;
		return;
	}
	if (reconcile->behind == SORTING || reconcile->listed) {
		reconcile->phase = TURNING;
		return;
	}
	begin_window(reconcile, READING);
	reconcile->phase = READING;
}

/* --- turns ------------------------------------------------------------------------------ */

/* False: there is nothing to do but wait. */
static bool step(struct reconcile *reconcile, int64_t now_ms)
{
	switch (reconcile->phase) {
	case LISTING: list(reconcile); return true;
	case READING: read_page(reconcile); return true;
	case ASKING:
		if (!witness_ask_window(reconcile, now_ms))
			return false;
		reconcile->phase = JUDGING;
		return true;
	case JUDGING:
		if (look_judge(reconcile))
			end_round(reconcile);
		return true;
	case PAUSING: pause_before(reconcile, now_ms); return reconcile->phase != PAUSING;
	case TURNING: turn_over(reconcile); return true;
	case AWAITING:
		if (!witness_ask_page(reconcile, now_ms))
			return false;
		take_page(reconcile);
		return true;
	case SORTING: sort_page(reconcile); return true;
	case OVER: return false;
	}
	return false;
}

bool reconcile_turn(struct reconcile *reconcile)
{
	int64_t now_ms = clock_monotonic_ms(reconcile->setup.clock);

	reconcile->work = 0;
	reconcile->wake_ms = INT64_MAX;
	reconcile->known = false; /* it may have moved since */
	while (reconcile->work < WORK_MAX)
		if (!step(reconcile, now_ms))
			return false;
	return true;
}

int64_t reconcile_wake_ms(const struct reconcile *reconcile)
{
	return reconcile->wake_ms;
}

bool reconcile_over(const struct reconcile *reconcile, const char **why)
{
	*why = reconcile->why;
	return reconcile->phase == OVER;
}

const struct reconcile_counts *reconcile_counts(const struct reconcile *reconcile)
{
	return &reconcile->counts;
}

/* --- making one ------------------------------------------------------------------------- */

struct reconcile *reconcile_new(const struct reconcile_setup *setup)
{
	struct reconcile *reconcile = calloc(1, sizeof *reconcile);
	enum err err;

	if (!reconcile)
		return NULL;
	reconcile->setup = *setup;
	reconcile->behind = READING;
	memcpy(reconcile->saga, setup->saga.len ? setup->saga.at : "", setup->saga.len);
	reconcile->looks = calloc(RECONCILE_LOOKS_MAX, sizeof *reconcile->looks);
	if (!reconcile->looks) {
		free(reconcile);
		return NULL;
	}
	err = store_removed(setup->store, &reconcile->removed_ms);
	if (err)
		reconcile_fail(reconcile, err);
	return reconcile;
}

void reconcile_free(struct reconcile *reconcile)
{
	if (!reconcile)
		return;
	witness_release(reconcile);
	arena_release(&reconcile->page);
	arena_release(&reconcile->window);
	arena_release(&reconcile->scratch);
	free(reconcile->looks);
	free(reconcile);
}
