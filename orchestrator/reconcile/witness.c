/* witness.c - asking participants, who may be away, busy, slow or too old. */
#include "orchestrator/reconcile/parts.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	ANSWER_MS = 3000, /* then the same is asked again, perhaps of another process */
	RETRY_MS = 100,
};

void witness_release(struct reconcile *reconcile)
{
	for (size_t i = 0; i < reconcile->n_witnesses; i++)
		if (reconcile->witnesses[i].request)
			bus_forget(reconcile->setup.bus, reconcile->witnesses[i].request);
	free(reconcile->witnesses);
}

uint32_t witness_of(struct reconcile *reconcile, struct slice name)
{
	size_t n = reconcile->n_witnesses;
	struct witness *witnesses;

	for (size_t i = 0; i < n; i++)
		if (slice_is(name, reconcile->witnesses[i].name))
			return (uint32_t)i;
	if (n == WITNESSES_MAX || name.len > NAME_MAX_BYTES)
		return WITNESSES_MAX;
	if ((n & (n - 1)) == 0) { /* a power of two: as many again */
		witnesses = realloc(reconcile->witnesses, (n ? 2 * n : 1) * sizeof *witnesses);
		if (!witnesses)
			return WITNESSES_MAX;
		reconcile->witnesses = witnesses;
	}
	reconcile->witnesses[n] = (struct witness){0};
	memcpy(reconcile->witnesses[n].name, name.at, name.len);
	reconcile->counts.participants++;
	return (uint32_t)reconcile->n_witnesses++;
}

/* --- when it does not go well --------------------------------------------------------- */

static void fail(struct reconcile *reconcile, struct witness *witness, const char *why)
{
	if (witness->request)
		bus_forget(reconcile->setup.bus, witness->request);
	witness->request = 0;
	witness->failed = true;
	reconcile->counts.participants_unasked++;
	reconcile->setup.unasked(reconcile->setup.context, slice_of(witness->name), why);
}

/* What keeps it from answering, after all the patience. */
static void fail_late(struct reconcile *reconcile, struct witness *witness, const char *what)
{
	char why[512];

	snprintf(why, sizeof why, "%s (waited %d s)",
		 witness->trouble[0] ? witness->trouble : what, RECONCILE_PATIENCE_MS / 1000);
	fail(reconcile, witness, why);
}

static const char *obstacle(enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND: return "it is not connected";
	case ERR_BUSY: return "it is asked too much already";
	case ERR_INVALID: return "its library is too old: it speaks version 1 of the protocol";
	case ERR_UNAVAILABLE: return "the bus that it is on does not carry the question";
	default: return "the orchestrator has no memory to ask it";
	}
}

static void wait_until(struct reconcile *reconcile, int64_t ms)
{
	if (ms < reconcile->wake_ms)
		reconcile->wake_ms = ms;
}

/* Ask, if it is time. */
static void ask(struct reconcile *reconcile, struct witness *witness,
		struct inquiry_message *inquiry, int64_t now_ms)
{
	struct diag diag = {""};
	enum err err =
		bus_inquire(reconcile->setup.bus, slice_of(witness->name), inquiry, &diag);
	const char *why = diag.text[0] ? diag.text : obstacle(err);

	if (err == ERR_INVALID || err == ERR_UNAVAILABLE) {
		fail(reconcile, witness, why);
		return;
	}
	snprintf(witness->trouble, sizeof witness->trouble, "%.255s", err ? why : "");
	if (err && now_ms - witness->since_ms >= RECONCILE_PATIENCE_MS) {
		fail_late(reconcile, witness, why);
		return;
	}
	if (err) {
		witness->retry_ms = now_ms + RETRY_MS;
		wait_until(reconcile, witness->retry_ms);
		return;
	}
	witness->request = inquiry->request;
	witness->asked_ms = now_ms;
	wait_until(reconcile, now_ms + ANSWER_MS);
}

/* Whether it is to be asked now; if not, when it is looked after again. */
static bool may_ask(struct reconcile *reconcile, struct witness *witness, int64_t now_ms)
{
	if (!witness->owing) {
		witness->owing = true;
		witness->since_ms = now_ms;
	}
	if (witness->request && now_ms - witness->asked_ms >= ANSWER_MS) {
		bus_forget(reconcile->setup.bus, witness->request);
		witness->request = 0;
	}
	if (!witness->request && now_ms - witness->since_ms >= RECONCILE_PATIENCE_MS &&
	    witness->asked_ms >= witness->since_ms) {
		fail_late(reconcile, witness, "it has not answered");
		return false;
	}
	if (witness->request)
		wait_until(reconcile, witness->asked_ms + ANSWER_MS);
	else if (now_ms < witness->retry_ms)
		wait_until(reconcile, witness->retry_ms);
	else
		return true;
	return false;
}

/* --- the window ----------------------------------------------------------------------- */

/* What this participant has not answered, as much as goes. */
static size_t collect(struct reconcile *reconcile, uint32_t witness,
		      struct slice ids[RECORDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < reconcile->n_looks; i++) {
		struct look *look = &reconcile->looks[i];

		if (look->witness != witness)
			continue;
		look->asked = !look->answered && n < RECORDS_MAX;
		if (look->asked)
			ids[n++] = look->id;
	}
	return n;
}

static bool owes(const struct reconcile *reconcile, uint32_t witness)
{
	for (size_t i = 0; i < reconcile->n_looks; i++)
		if (reconcile->looks[i].witness == witness && !reconcile->looks[i].answered)
			return true;
	return false;
}

bool witness_ask_window(struct reconcile *reconcile, int64_t now_ms)
{
	struct slice ids[RECORDS_MAX];
	bool all = true;

	reconcile->wake_ms = INT64_MAX;
	for (uint32_t i = 0; i < reconcile->n_witnesses; i++) {
		struct witness *witness = &reconcile->witnesses[i];
		struct inquiry_message inquiry = {.ids = ids};

		if (witness->failed || !owes(reconcile, i))
			continue;
		if (may_ask(reconcile, witness, now_ms)) {
			inquiry.n_ids = collect(reconcile, i, ids);
			ask(reconcile, witness, &inquiry, now_ms);
		}
		all = all && witness->failed;
	}
	return all;
}

/* Each record to the command that was asked for; false: they are not those. */
static bool take_window(struct reconcile *reconcile, uint32_t witness,
			const struct records_message *records)
{
	size_t n = 0;

	for (size_t i = 0; i < reconcile->n_looks; i++) {
		struct look *look = &reconcile->looks[i];

		if (look->witness != witness || !look->asked || look->answered)
			continue;
		if (n == records->n || !slice_equal(records->records[n].id, look->id))
			return false;
		look->state = records->records[n].state;
		look->record_ms = records->records[n++].first_ms;
		look->kept_ms = records->kept_ms;
		look->asked = false;
		look->answered = true;
	}
	return true;
}

/* --- pages ---------------------------------------------------------------------------- */

bool witness_ask_page(struct reconcile *reconcile, int64_t now_ms)
{
	struct witness *witness = &reconcile->witnesses[reconcile->witness];
	struct inquiry_message inquiry = {.after = slice_of(reconcile->cursor),
					  .since_ms = reconcile->setup.since_ms,
					  .limit = RECORDS_MAX};

	reconcile->wake_ms = INT64_MAX;
	if (!witness->failed && !reconcile->page_came && may_ask(reconcile, witness, now_ms))
		ask(reconcile, witness, &inquiry, now_ms);
	return witness->failed || reconcile->page_came;
}

static bool take_page(struct reconcile *reconcile, const struct records_message *records)
{
	struct record_message *list;

	arena_reset(&reconcile->page);
	list = arena_array(&reconcile->page, records->n, sizeof *list);
	if (!list || records->next.len > CURSOR_MAX)
		return false;
	for (size_t i = 0; i < records->n; i++) {
		list[i] = records->records[i];
		if (!arena_copy(&reconcile->page, records->records[i].id, &list[i].id))
			return false;
	}
	reconcile->records = *records;
	reconcile->records.records = list;
	memcpy(reconcile->cursor, records->next.len ? records->next.at : "", records->next.len);
	reconcile->cursor[records->next.len] = '\0';
	reconcile->page_came = true;
	reconcile->next_record = 0;
	return true;
}

/* --- answers -------------------------------------------------------------------------- */

bool reconcile_answer(struct reconcile *reconcile, const struct inquired *inquired)
{
	const struct records_message *records = &inquired->records;
	struct witness *witness = NULL;
	uint32_t number = 0;
	bool taken = false;

	for (; number < reconcile->n_witnesses && !witness; number++)
		if (reconcile->witnesses[number].request == inquired->request)
			witness = &reconcile->witnesses[number];
	if (!witness)
		return false;
	number--;
	witness->request = 0;
	reconcile->wake_ms = 0;
	if (!inquired->lost && !records->trouble.len)
		taken = reconcile->phase == AWAITING ? take_page(reconcile, records)
						     : take_window(reconcile, number, records);
	if (taken) {
		witness->owing = false;
		witness->trouble[0] = '\0';
		return true;
	}
	witness->retry_ms = clock_monotonic_ms(reconcile->setup.clock) + RETRY_MS;
	snprintf(witness->trouble, sizeof witness->trouble, "%.*s",
		 SLICE_ARG(records->trouble));
	return true;
}
