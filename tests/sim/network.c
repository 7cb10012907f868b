#include "tests/sim/network.h"

#include "orchestrator/store/mongo/document.h"
#include "orchestrator/store/mongo/store_mongo.h"
#include "tests/lib/tripwire.h"
#include "tests/sim/judge.h"
#include "tests/sim/mongo/mongod.h"
#include "tests/sim/orchestrator.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	JUDGE = 0,           /* his calls are no part of the run */
	FAULTS_MAX = 200,    /* in a run */
	SOON_MS = 3000,      /* of half of what comes late, at most */
	LATE_MS = 60000,     /* of the rest */
	SLOW_MS = 3000,      /* how long an answer takes, at most, */
	PAUSED_MS = 60000,   /* where whoever waits is not there for a while, */
	PAUSED_PERCENT = 50, /* which so many are */
	SAGAS = 5            /* so many times as often where sagas are written */
};

/* A write that is still on its way. */
struct late_request {
	struct late_request *next;
	uint64_t number;
	struct request request;
};

struct network {
	struct world *world;
	struct mongod_user user;
	struct mongod *mongod;
	struct late_request *late;
	uint64_t n_late;
	uint32_t n_faults;
	bool answer_is_slow;
};

/* --- what arrives later --------------------------------------------------------------- */

static void arrive(void *context, uint64_t argument)
{
	struct network *network = context;
	struct late_request **link = &network->late, *late;

	while ((*link)->number != argument)
		link = &(*link)->next;
	late = *link;
	*link = late->next;
	diary_write(&network->world->diary, "a write to %s arrives", late->request.collection);
	mongod_perform(network->mongod, &late->request);
	request_release(&late->request);
	free(late);
}

static void put_off(struct network *network, const struct request *request)
{
	struct world *world = network->world;
	struct late_request *late = calloc(1, sizeof *late);
	uint32_t at_most_ms = random_percent(&world->random, 50) ? SOON_MS : LATE_MS;

	assert(late);
	late->number = ++network->n_late;
	late->next = network->late;
	network->late = late;
	request_copy(request, &late->request);
	world->tally.late_writes++;
	agenda_add(&world->agenda, world_soon_ms(world, at_most_ms), arrive, network,
		   late->number);
}

/* --- calls ---------------------------------------------------------------------------- */

enum passage {
	PASSAGE_GOOD,
	PASSAGE_LOST,       /* it never arrives */
	PASSAGE_TORN,       /* some of it does, or does later; no answer */
	PASSAGE_UNANSWERED, /* all of it does; no answer */
};

/* So many of a thousand, in the first part of the run. */
static bool happens(struct network *network, enum chance_kind kind, uint32_t permille)
{
	struct world *world = network->world;

	if (world->part != PART_TROUBLE || network->n_faults >= FAULTS_MAX ||
	    random_below(&world->random, 1000) >= permille ||
	    !chance_take(&world->chance, kind, 100))
		return false;
	network->n_faults++;
	return true;
}

static enum passage any_fault(struct network *network)
{
	return PASSAGE_LOST + random_below(&network->world->random, 3);
}

/* What becomes of it: it is a call of its process, which may die of it. */
static enum passage pass(struct network *network, uint32_t client, uint32_t times)
{
	const struct plan *plan = &network->world->plan;
	struct tripwire *wire = orchestrator_wire(network->world, client);
	bool was_dead = wire && wire->fired;

	if (client == JUDGE)
		return PASSAGE_GOOD;
	if (!wire)
		return PASSAGE_LOST;
	if (!tripwire_pull(wire))
		return happens(network, CHANCE_NET, times * plan->net_permille)
			       ? any_fault(network)
			       : PASSAGE_GOOD;
	switch (wire->effect) {
	case TRIPWIRE_DIES: return was_dead ? PASSAGE_LOST : any_fault(network);
	case TRIPWIRE_FAILS: return PASSAGE_LOST;
	case TRIPWIRE_NO_ANSWER: return PASSAGE_UNANSWERED;
	}
	return PASSAGE_GOOD;
}

static bool is_slow(struct network *network, uint32_t client, uint32_t times)
{
	return client != JUDGE &&
	       happens(network, CHANCE_SLOW, times * network->world->plan.slow_permille);
}

/* No answer comes at once, or never while somebody waits for it: one that is dead does not. */
static bool times_out(struct network *network, uint32_t client)
{
	const struct world *world = network->world;
	const struct tripwire *wire = orchestrator_wire(network->world, client);

	return client != JUDGE && world->part == PART_TROUBLE && wire && !wire->fired &&
	       random_percent(&network->world->random, 50);
}

/* Whoever waits for it does nothing; all others do. */
static void dawdle(struct network *network, uint32_t client)
{
	struct world *world = network->world;
	bool paused = random_percent(&world->random, PAUSED_PERCENT);

	world->tally.slow_calls++;
	orchestrator_wait(world, client, world_soon_ms(world, paused ? PAUSED_MS : SLOW_MS));
}

/* --- writes --------------------------------------------------------------------------- */

static void carry_some(struct network *network, struct request *requests, size_t n)
{
	network->world->tally.torn_writes++;
	for (size_t i = 0; i < n; i++) {
		uint32_t kind = random_below(&network->world->random, 3);

		if (kind == 0)
			mongod_perform(network->mongod, &requests[i]);
		else if (kind == 1)
			put_off(network, &requests[i]);
	}
}

static bool carry(void *context, uint32_t client, struct request *requests, size_t n)
{
	struct network *network = context;
	uint32_t times = strcmp(requests->collection, "sagas") ? 1 : SAGAS;
	enum passage passage = pass(network, client, times);
	bool slow = (passage == PASSAGE_GOOD && is_slow(network, client, times)) ||
		    (passage != PASSAGE_GOOD && times_out(network, client));
	bool before = slow && random_percent(&network->world->random, 50);

	if (passage != PASSAGE_GOOD)
		diary_write(&network->world->diary, "orchestrator %u: no answer to %u %s of %s",
			    (unsigned)client, (unsigned)n, n > 1 ? "writes" : "write",
			    requests->collection);
	if (before)
		dawdle(network, client);
	if (passage == PASSAGE_TORN)
		carry_some(network, requests, n);
	for (size_t i = 0; i < n && (passage == PASSAGE_GOOD || passage == PASSAGE_UNANSWERED);
	     i++)
		mongod_perform(network->mongod, &requests[i]);
	if (slow && !before)
		dawdle(network, client);
	return passage == PASSAGE_GOOD;
}

/* --- questions ------------------------------------------------------------------------ */

static bool ask(void *context, uint32_t client)
{
	struct network *network = context;
	bool slow;

	if (pass(network, client, 1) != PASSAGE_GOOD)
		return false;
	slow = is_slow(network, client, 1);
	network->answer_is_slow = slow && random_percent(&network->world->random, 50);
	if (slow && !network->answer_is_slow)
		dawdle(network, client);
	return true;
}

static bool answer(void *context, uint32_t client)
{
	struct network *network = context;
	bool slow = network->answer_is_slow;

	network->answer_is_slow = false;
	if (slow)
		dawdle(network, client);
	return true;
}

/* --- what the servers have ------------------------------------------------------------ */

static const bson_t *find_owner(const struct network *network, struct slice id)
{
	const bson_t *division =
		mongod_get(network->mongod, "owners", SLICE_LITERAL("division"));
	int64_t n = division ? document_number(division, "n") : 0;

	return n ? mongod_get_number(network->mongod, "owners", shard_of(id, (uint32_t)n))
		 : NULL;
}

bool network_owns(const struct network *network, const char *url, struct slice id)
{
	const bson_t *owner = find_owner(network, id);

	return owner && slice_is(document_text(owner, "url"), url);
}

/* Whether it is of whoever has the shard, and of this time that he has it. */
static bool is_of_owner(const struct network *network, const bson_t *saga, struct slice id)
{
	const bson_t *owner = find_owner(network, id);

	return owner && document_number(owner, "epoch") == document_number(saga, "epoch");
}

static void written(void *context, const char *collection, const bson_t *before,
		    const bson_t *after)
{
	struct network *network = context;
	struct saga_write write = {.before = 0};

	if (strcmp(collection, "sagas") != 0 || !after)
		return;
	if (document_row(after, &write.row))
		assert(!"a saga");
	write.record = document_bytes(after, "record");
	if (before)
		write.before = (uint64_t)document_number(before, "revision");
	if (!before || write.before != write.row.revision)
		judge_stored(network->world, &write, is_of_owner(network, after, write.row.id));
}

/* --- opening -------------------------------------------------------------------------- */

struct network *network_new(struct world *world)
{
	struct network *network = calloc(1, sizeof *network);

	assert(network);
	network->world = world;
	network->user = (struct mongod_user){network, carry, ask, answer, written};
	network->mongod = mongod_new(&network->user);
	return network;
}

void network_free(struct network *network)
{
	if (!network)
		return;
	while (network->late) {
		struct late_request *late = network->late;

		network->late = late->next;
		request_release(&late->request);
		free(late);
	}
	mongod_free(network->mongod);
	free(network);
}

struct store *network_open(struct network *network, uint32_t number, const char *url)
{
	char uri[64];
	const struct store_mongo_setup setup = {
		.uri = uri, .url = url, .instance = url, .clock = &network->world->clock.base};
	struct store *store = NULL;
	struct diag diag = {{0}};

	snprintf(uri, sizeof uri, "mongodb://client-%u/skald", (unsigned)number);
	if (store_mongo_open(&setup, &store, &diag))
		diary_write(&network->world->diary, "no store: %s", diag.text);
	return store;
}
