/* bench_many.c - a store with many sagas, to be looked at.
 *
 *	build/release/bench/bench_many FOLDER [SAGAS]
 *
 * Fills the SQLite store in FOLDER with 1,000,000 sagas and 10,000 more that have not
 * ended, through the store's seam. Each is one of sagas/order.yaml or sagas/trial.yaml
 * as the core makes it, with its own id, key, input and timeline; they began one after
 * the other over the last 20 hours. many.py looks at them, and README.md has figures.
 */
#include "base/clock.h"
#include "orchestrator/load/load.h"
#include "orchestrator/store/record.h"
#include "orchestrator/store/store_sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SAGAS = 1000000,
	UNFINISHED_EVERY = 100, /* of them, one more */
	BATCH_MAX = 1000,
	EVENTS_MAX = 40, /* of one saga */
	ID_SIZE = 32,
	INPUT_SIZE = 256,
};
static const int64_t span_ms = 20 * 60 * 60 * 1000;

/* How a saga fares. */
enum life { COMPLETED, COMPENSATED, KILLED, PARKED, PAUSED, AWAITING };

static struct definition *order, *trial;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_many: cannot %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static struct definition *load(const char *path)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition;

	if (load_file(path, &problems, &definition))
		fail(path, problems.n ? problems.list[0].text : "is it there?");
	arena_release(&arena);
	return definition;
}

/* --- one saga --------------------------------------------------------------------- */

struct story {
	const struct definition *definition;
	enum life life;
	struct arena *arena;
	struct saga saga;
	struct bytes timeline;
	int64_t now_ms;
};

static void take(struct story *story, const struct effects *effects)
{
	for (uint32_t n = 0; n < effects->n_entries; n++)
		timeline_append(&story->timeline, story->saga.started_ms, &effects->entries[n]);
}

static void happen(struct story *story, struct event event)
{
	struct effects effects;
	struct saga after;

	event.at_ms = ++story->now_ms;
	if (saga_step(story->definition, &evaluator_values, &story->saga, &event, story->arena,
		      &after, &effects) != VERDICT_TAKEN)
		fail("lead a saga on", "an event was not taken");
	story->saga = after;
	take(story, &effects);
}

static void operate(struct story *story, enum event_type type)
{
	happen(story, (struct event){.type = type,
				     .step = NO_STEP,
				     .actor = SLICE_LITERAL("ada"),
				     .reason = SLICE_LITERAL("the customer called")});
}

/* What the service says to the step, by how the saga is to fare. */
static enum outcome answer_of(const struct story *story, const struct step_definition *step,
			      enum verb verb)
{
	bool declined = story->life == COMPENSATED || story->life == PAUSED;

	if (verb == VERB_DO && step->kind == KIND_PIVOT && declined)
		return OUTCOME_REFUSED;
	return verb == VERB_DO && step->kind == KIND_RETRIABLE && story->life == PARKED
		       ? OUTCOME_REFUSED
		       : OUTCOME_OK;
}

static void answer(struct story *story, uint32_t i)
{
	const struct step_definition *definition = &story->definition->steps[i];
	const struct step *step = &story->saga.steps[i];
	enum verb verb = (enum verb)step->verb;
	enum outcome outcome = answer_of(story, definition, verb);
	struct event event = {.type = EVENT_REPLY,
			      .step = i,
			      .verb = verb,
			      .attempt = step->attempt,
			      .outcome = outcome};

	if (outcome == OUTCOME_OK)
		event.payload = SLICE_LITERAL("{\"id\":\"r-17\",\"receipt\":\"c-4711\"}");
	else
		event.error = (struct error){SLICE_LITERAL("declined"),
					     SLICE_LITERAL("the service said no")};
	happen(story, event);
}

/* The first step whose command is under way; NO_STEP: there is none. */
static uint32_t under_way(const struct story *story)
{
	for (uint32_t i = 0; i < story->saga.n_steps && !saga_ended(&story->saga); i++)
		if (step_in_flight(&story->definition->steps[i], &story->saga.steps[i]))
			return i;
	return NO_STEP;
}

/* As far as it is to come. */
static void lead_on(struct story *story)
{
	for (int n = 0; n < EVENTS_MAX && under_way(story) != NO_STEP; n++) {
		answer(story, under_way(story));
		if (n == 0 && story->life == PAUSED)
			operate(story, EVENT_PAUSE);
		if (n == 0 && story->life == KILLED)
			operate(story, EVENT_KILL);
	}
}

static void begin(struct story *story, uint64_t number, char id[ID_SIZE])
{
	char input[INPUT_SIZE];
	struct start start = {.at_ms = story->now_ms, .actor = SLICE_LITERAL("web")};
	struct failure_text failure;
	struct effects effects;

	if (story->definition == order)
		snprintf(input, sizeof input,
			 "{\"order_id\":\"%" PRIu64 "\",\"sku\":\"WINE-BX-6\",\"qty\":2,"
			 "\"total\":119.8,\"email\":\"ada@example.org\",\"card\":\"4111\"}",
			 number);
	else
		snprintf(input, sizeof input,
			 "{\"email\":\"ada+%" PRIu64 "@example.org\",\"plan\":\"team\"}",
			 number);
	snprintf(id, ID_SIZE, "%s-%" PRIu64, story->definition == order ? "order" : "trial",
		 number);
	if (!arena_copy(story->arena, slice_of(input), &start.input) ||
	    !arena_copy(story->arena, slice_of(id), &start.id) ||
	    saga_key(story->definition, start.id, start.input, story->arena, &start.key,
		     &failure) ||
	    saga_begin(story->definition, &evaluator_values, &start, story->arena, &story->saga,
		       &effects) != VERDICT_TAKEN)
		fail("begin a saga", "out of memory, or its definition changed");
	timeline_begin(&story->timeline, story->saga.started_ms);
	take(story, &effects);
}

static enum life life_of(uint64_t number)
{
	static const enum life unfinished[] = {PARKED, PAUSED, AWAITING, AWAITING};

	if (number % (UNFINISHED_EVERY + 1) == UNFINISHED_EVERY)
		return unfinished[number / (UNFINISHED_EVERY + 1) % 4];
	if (number % 10000 == 7)
		return KILLED;
	return number % 10 == 3 ? COMPENSATED : COMPLETED;
}

static void tell(struct story *story, uint64_t number, struct saga_write *write)
{
	static char ids[BATCH_MAX][ID_SIZE];
	struct bytes record = BYTES(RECORD_BYTES_MAX, story->arena);
	struct slice timeline;

	begin(story, number, ids[number % BATCH_MAX]);
	lead_on(story);
	timeline = bytes_slice(&story->timeline);
	record_write(&record, &story->saga, story->definition->hash, timeline);
	if (story->timeline.err || record.err)
		fail("write a saga down", "out of memory");
	*write = (struct saga_write){
		.row = record_row(story->definition, &story->saga, timeline),
		.record = bytes_slice(&record)};
}

/* --- all of them ------------------------------------------------------------------ */

static void put_definition(struct store *store, const struct definition *definition)
{
	struct stored_definition stored = {.name = definition->name,
					   .version = definition->version,
					   .normal = definition->normal,
					   .deployed_ms = 1};

	memcpy(stored.hash, definition->hash, sizeof stored.hash);
	if (store_put_definition(store, &stored))
		fail("put a definition", store->trouble.text);
}

static void commit(struct store *store, struct saga_write *writes, size_t n)
{
	static struct store_batch batch;

	batch.sent = batch.number++;
	if (store_commit(store, &batch, writes, n, NULL, 0))
		fail("commit", store->trouble.text);
	for (size_t i = 0; i < n; i++)
		if (writes[i].result)
			fail("write a saga", "it is there already; give an empty folder");
}

static void fill(struct store *store, uint64_t n)
{
	static struct saga_write writes[BATCH_MAX];
	uint64_t all = n + n / UNFINISHED_EVERY;
	int64_t began_ms = clock_now_ms(clock_system()) - span_ms;
	struct arena arena = {0};

	for (uint64_t i = 0; i < all; i++) {
		enum life life = life_of(i);
		struct story story = {.definition = life == AWAITING ? trial : order,
				      .life = life,
				      .arena = &arena,
				      .timeline = BYTES(TIMELINE_BYTES_MAX, &arena),
				      .now_ms = began_ms + (int64_t)((double)span_ms *
								     (double)i / (double)all)};

		tell(&story, i, &writes[i % BATCH_MAX]);
		if ((i + 1) % BATCH_MAX == 0 || i + 1 == all) {
			commit(store, writes, i % BATCH_MAX + 1);
			arena_reset(&arena);
		}
	}
	arena_release(&arena);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : SAGAS;
	struct diag diag = {""};
	struct store *store;

	if (argc < 2 || argc > 3 || !n) {
		fputs("usage: bench_many FOLDER [SAGAS]\n", stderr);
		return 2;
	}
	order = load("sagas/order.yaml");
	trial = load("sagas/trial.yaml");
	if (store_sqlite_open(argv[1], &store, &diag))
		fail("open the store", diag.text);
	put_definition(store, order);
	put_definition(store, trial);
	fill(store, n);
	store_close(store);
	definition_free(order);
	definition_free(trial);
	return 0;
}
