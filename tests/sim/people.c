#include "tests/sim/people.h"

#include "tests/sim/judge.h"
#include "tests/sim/orchestrator.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	REQUESTS_MAX = PLAN_CASES_MAX * 12 + CASES_MAX * 8,
	NAMES_MAX = 32,
	ASK_AGAIN_MS = 3000,   /* and twice as long each time */
	ASK_DOUBLINGS = 8,     /* up to 13 minutes */
	ROUND_MS = 10 * 60000, /* until the operator comes round again */
	RETRIES = 2,           /* of a parked saga, before something else is tried */
	HELPS_MAX = 100,       /* visits to one saga; then nobody can help it */
};

enum request_type {
	REQUEST_START,
	REQUEST_START_OTHER, /* the same id or key, another input */
	REQUEST_START_WRONG, /* what no schema allows */
	REQUEST_SIGNAL,
	REQUEST_OPERATE,
};

/* What somebody wants, until it is known what became of it. */
struct request {
	struct world *world;
	struct sim_case *sim_case;
	uint32_t number;
	enum request_type type;
	bool over_bus;
	bool satisfied;
	bool asked_early; /* before anybody knew that the saga is there */
	uint32_t asked;   /* so often */
	uint32_t tried;   /* likewise, also where nobody was there to be asked */

	uint32_t which_id;                /* start */
	char id[NAMES_MAX];               /* signal */
	char event[NAMES_MAX];            /* signal */
	const char *payload;              /* signal */
	enum event_type operation;        /* operate */
	char step[INSTANCE_NAME_MAX + 1]; /* operate; empty: none */
};

struct people {
	struct world *world;
	struct request requests[REQUESTS_MAX];
	uint32_t n;
};

static void ask(void *context, uint64_t argument);

/* --- what they are told ------------------------------------------------------------- */

/* Whoever is told so asks again. */
static bool is_for_now(const char *code)
{
	static const char *const codes[] = {"busy", "store-unavailable", "out-of-memory",
					    "changed-meanwhile", "moved"};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (!strcmp(code, codes[i]))
			return true;
	return false;
}

static void unexpected(struct request *request, const char *code, const char *text)
{
	diary_fault(&request->world->diary, "P2: request %u for %s is told %s (%s)",
		    (unsigned)request->number,
		    *request->sim_case->id ? request->sim_case->id : request->sim_case->key,
		    *code ? code : "ok", text);
}

static void told_of_start(struct request *request, const char *code, const char *text,
			  struct slice saga_id)
{
	struct sim_case *sim_case = request->sim_case;

	request->satisfied = true;
	switch (request->type) {
	case REQUEST_START:
		if (!*code)
			judge_started(request->world, sim_case, saga_id);
		else if (sim_case->was_damaged)
			request->satisfied = false; /* it is there, and cannot be read */
		else
			unexpected(request, code, text);
		return;
	case REQUEST_START_OTHER:
		if (strcmp(code, "key-taken") != 0)
			unexpected(request, code, text);
		return;
	default:
		if (strcmp(code, "bad-input") != 0)
			unexpected(request, code, text);
	}
}

static void told_of_operation(struct request *request, bool done)
{
	struct sim_case *sim_case = request->sim_case;

	request->satisfied = true;
	if (!done)
		return;
	sim_case->cancelled |= request->operation == EVENT_CANCEL;
	sim_case->killed |= request->operation == EVENT_KILL;
}

/* An empty code: it is done. */
static void told(struct request *request, const char *code, const char *text,
		 struct slice saga_id)
{
	struct sim_case *sim_case = request->sim_case;

	diary_write(&request->world->diary, "request %u is told: %s", (unsigned)request->number,
		    *code ? code : "ok");
	if (request->satisfied || is_for_now(code))
		return;
	if (request->type < REQUEST_SIGNAL) {
		told_of_start(request, code, text, saga_id);
		return;
	}
	if (!strcmp(code, "unknown-saga") || !strcmp(code, "unreadable")) {
		/* Too early; or nobody can read it. */
		if (!request->asked_early && !sim_case->was_damaged)
			unexpected(request, code, text);
		return;
	}
	if (request->type == REQUEST_OPERATE) {
		told_of_operation(request, !*code);
		return;
	}
	request->satisfied = true;
	if (!*code)
		judge_signalled(request->world, sim_case, request->id);
	else if (strcmp(code, "refused") != 0)
		unexpected(request, code, text);
}

void people_told(struct world *world, uint32_t number, const struct result_message *result)
{
	struct request *request = &world->people->requests[number - 1];
	char code[NAMES_MAX], text[DIARY_FAULT_SIZE];

	snprintf(code, sizeof code, "%.*s", SLICE_ARG(result->code));
	snprintf(text, sizeof text, "%.*s", SLICE_ARG(result->text));
	told(request, code, text, result->saga_id);
}

static void answer_request(void *context, const struct answer *answer)
{
	told(context, answer->err ? answer->code : "", answer->err ? answer->text : "",
	     answer->saga_id);
}

/* --- asking ------------------------------------------------------------------------- */

static bool ask_start(struct request *request)
{
	struct world *world = request->world;
	const struct sim_case *sim_case = request->sim_case;
	struct engine *engine =
		orchestrator_engine(world, slice_of(sim_case->ids[request->which_id]));
	struct start_message start = {
		.saga = sim_case->definition->name,
		.id = slice_of(sim_case->ids[request->which_id]),
		.key = slice_of(sim_case->names_key ? sim_case->key : ""),
		.input = slice_of(sim_case->input),
		.actor = SLICE_LITERAL("client"),
	};

	if (request->type == REQUEST_START_OTHER) {
		start.input = slice_of(sim_case->other_input);
	} else if (request->type == REQUEST_START_WRONG) {
		start.id = SLICE_LITERAL("wrong");
		start.input = SLICE_LITERAL("[17]");
	}
	if (request->over_bus)
		return world->transport->ops->start(world->transport, request->number, &start);
	if (!engine)
		return false;
	engine_forget(engine, request);
	engine_start(engine, &start, answer_request, request);
	orchestrators_hurry(world);
	return true;
}

static struct slice id_to_ask_for(const struct sim_case *sim_case)
{
	return slice_of(*sim_case->id ? sim_case->id : sim_case->ids[0]);
}

static bool ask_signal(struct request *request)
{
	struct world *world = request->world;
	struct engine *engine = orchestrator_engine(world, id_to_ask_for(request->sim_case));
	struct signal_message signal = {.saga_id = id_to_ask_for(request->sim_case),
					.event = slice_of(request->event),
					.id = slice_of(request->id),
					.payload = slice_of(request->payload),
					.actor = SLICE_LITERAL("client")};

	if (!signal.saga_id.len)
		return false;
	if (request->over_bus)
		return world->transport->ops->signal(world->transport, request->number,
						     &signal);
	if (!engine)
		return false;
	engine_forget(engine, request);
	engine_signal(engine, &signal, answer_request, request);
	orchestrators_hurry(world);
	return true;
}

/* A step of that name, and what it contains, of one element or of all. */
static void announce_skip(struct sim_case *sim_case, const char *name)
{
	const struct definition *definition = sim_case->definition;
	size_t len = strcspn(name, "#");
	uint32_t first = definition_find(definition, (struct slice){name, len});

	if (first == NO_STEP)
		return;
	for (uint32_t i = first; i < definition->steps[first].end; i++)
		for (uint32_t e = 0; e < ELEMENTS_MAX; e++)
			if (!name[len] || (uint32_t)(name[len + 1] - '0') == e)
				case_book(sim_case, (struct instance){i, e})->skip_asked = true;
}

/* What the judge has to know before it can happen. */
static void announce(struct sim_case *sim_case, enum event_type type, const char *step)
{
	sim_case->kill_asked |= type == EVENT_KILL;
	sim_case->undo_asked |= type == EVENT_UNDO;
	if (type == EVENT_SKIP)
		announce_skip(sim_case, step);
}

static bool ask_operation(struct request *request)
{
	struct slice id = id_to_ask_for(request->sim_case);
	struct engine *engine = orchestrator_engine(request->world, id);
	struct operation operation = {.saga_id = id,
				      .type = request->operation,
				      .step = slice_of(request->step),
				      .actor = SLICE_LITERAL("ann"),
				      .reason = SLICE_LITERAL("she felt like it")};

	if (!engine || !operation.saga_id.len)
		return false;
	announce(request->sim_case, request->operation, request->step);
	if (request->operation == EVENT_SKIP && request->number % 2)
		operation.output = SLICE_LITERAL("{\"id\":\"by hand\"}");
	engine_forget(engine, request);
	engine_operate(engine, &operation, answer_request, request);
	orchestrators_hurry(request->world);
	return true;
}

/* Another input is only wrong where the right one was first. */
static bool is_too_early(const struct request *request)
{
	return request->type == REQUEST_START_OTHER && !request->sim_case->acknowledged;
}

static bool gives_up(const struct request *request)
{
	return request->type == REQUEST_OPERATE || request->type == REQUEST_START_OTHER
		       ? request->asked >= 3
		       : false;
}

static void ask(void *context, uint64_t argument)
{
	static const char *const types[] = {"to start", "to start with another input",
					    "to start with a wrong input", "to signal", "to"};
	struct request *request = context;
	struct world *world = request->world;
	int64_t wait_ms;
	bool asked = false;

	if (request->satisfied)
		return;
	request->asked_early |= !request->sim_case->acknowledged;
	if (!is_too_early(request)) {
		diary_write(&world->diary, "request %u: %s %s %s%s%s",
			    (unsigned)request->number, types[request->type],
			    request->type == REQUEST_OPERATE ? event_text(request->operation)
							     : "",
			    *request->sim_case->id ? request->sim_case->id
						   : request->sim_case->ids[request->which_id],
			    *request->step ? " at " : "", request->step);
		switch (request->type) {
		case REQUEST_START:
		case REQUEST_START_OTHER:
		case REQUEST_START_WRONG: asked = ask_start(request); break;
		case REQUEST_SIGNAL: asked = ask_signal(request); break;
		case REQUEST_OPERATE: asked = ask_operation(request); break;
		}
	}
	request->asked += asked || request->type == REQUEST_OPERATE;
	wait_ms = (int64_t)ASK_AGAIN_MS << request->tried;
	request->tried += request->tried < ASK_DOUBLINGS;
	if (gives_up(request))
		request->satisfied = true;
	else
		agenda_add(&world->agenda, world_now_ms(world) + wait_ms, ask, request, 0);
}

/* --- who asks for what -------------------------------------------------------------- */

/* One that is left out has its place all the same, so that the others keep theirs. */
static struct request *add(struct people *people, struct sim_case *sim_case,
			   enum request_type type, enum chance_kind kind, int64_t at_ms)
{
	struct world *world = people->world;
	struct request *request = &people->requests[people->n++];
	bool over_bus = random_percent(&world->random, 50);

	assert(people->n <= REQUESTS_MAX);
	*request = (struct request){.world = world,
				    .sim_case = sim_case,
				    .number = people->n,
				    .type = type,
				    .over_bus = type != REQUEST_OPERATE && over_bus};
	request->satisfied = !chance_take(&world->chance, kind, 100);
	sim_case->wanted |= type == REQUEST_START && !request->satisfied;
	if (!request->satisfied)
		agenda_add(&world->agenda, at_ms, ask, request, 0);
	return request;
}

static int64_t pick_time_ms(struct world *world)
{
	int64_t left_ms = world->plan.trouble_ms - world_now_ms(world);
	uint32_t most = left_ms > INT32_MAX ? INT32_MAX : left_ms > 0 ? (uint32_t)left_ms : 1;

	return world_soon_ms(world, random_percent(&world->random, 60) ? most / 10 : most);
}

static void add_starts(struct people *people, struct sim_case *sim_case)
{
	struct random *random = &people->world->random;
	struct request *request;

	sim_case->asked_ms = pick_time_ms(people->world);
	request = add(people, sim_case, REQUEST_START, CHANCE_SAGA, sim_case->asked_ms);
	request->which_id = random_below(random, 2);
	people->world->tally.starts++;
	if (random_percent(random, 40)) {
		request = add(people, sim_case, REQUEST_START, CHANCE_AGAIN,
			      pick_time_ms(people->world));
		request->which_id = random_below(random, 2);
		people->world->tally.starts++;
	}
	if (random_percent(random, 15))
		add(people, sim_case, REQUEST_START_OTHER, CHANCE_AGAIN,
		    pick_time_ms(people->world));
	if (sim_case->definition->has_input_schema && random_percent(random, 5))
		add(people, sim_case, REQUEST_START_WRONG, CHANCE_AGAIN,
		    pick_time_ms(people->world));
}

/* Early, in time, late or never; the same one twice. */
static void add_signals(struct people *people, struct sim_case *sim_case, uint32_t step)
{
	static const char *const payloads[] = {"{\"method\":\"pm-17\"}", "{}", ""};
	struct random *random = &people->world->random;
	uint32_t n = random_below(random, 4);

	for (uint32_t i = 0; i < n; i++) {
		struct request *request = add(people, sim_case, REQUEST_SIGNAL, CHANCE_SIGNAL,
					      pick_time_ms(people->world));

		snprintf(request->id, sizeof request->id, "sig-%u",
			 (unsigned)random_below(random, 2));
		snprintf(request->event, sizeof request->event, "%.*s",
			 SLICE_ARG(sim_case->definition->steps[step].event));
		request->payload =
			payloads[random_percent(random, 70) ? 0 : 1 + random_below(random, 2)];
		people->world->tally.signals++;
	}
}

static enum event_type pick_operation(struct random *random)
{
	static const enum event_type types[] = {
		EVENT_CANCEL, EVENT_CANCEL, EVENT_PAUSE, EVENT_PAUSE, EVENT_RESUME,
		EVENT_RETRY,  EVENT_RETRY,  EVENT_SKIP,  EVENT_UNDO,  EVENT_KILL,
	};

	return types[random_below(random, sizeof types / sizeof *types)];
}

static void name_step(const struct sim_case *sim_case, uint32_t step, struct random *random,
		      char out[INSTANCE_NAME_MAX + 1])
{
	struct slice name = sim_case->definition->steps[step].name;
	uint32_t n = case_elements(sim_case, step);

	snprintf(out, INSTANCE_NAME_MAX + 1, "%.*s", SLICE_ARG(name));
	if (sim_case->definition->steps[step].each != NO_STEP)
		snprintf(out, INSTANCE_NAME_MAX + 1, "%.*s#%u", SLICE_ARG(name),
			 (unsigned)random_below(random, n));
}

static void add_operations(struct people *people, struct sim_case *sim_case)
{
	struct world *world = people->world;
	const struct definition *definition = sim_case->definition;
	uint32_t n = 1 + random_below(&world->random, 4);

	if (!random_percent(&world->random, world->plan.operations_percent))
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct request *request = add(people, sim_case, REQUEST_OPERATE,
					      CHANCE_OPERATION, pick_time_ms(world));
		uint32_t step = random_below(&world->random, definition->n_steps);

		request->operation = pick_operation(&world->random);
		if (request->operation == EVENT_SKIP ||
		    (request->operation == EVENT_RETRY && random_percent(&world->random, 50)))
			name_step(sim_case, step, &world->random, request->step);
		world->tally.operations++;
	}
}

/* Those that need a saga to be there. */
static void add_wishes(struct people *people, struct sim_case *sim_case)
{
	const struct definition *definition = sim_case->definition;

	for (uint32_t step = 0; step < definition->n_steps; step++)
		if (definition->steps[step].form == FORM_AWAIT)
			add_signals(people, sim_case, step);
	add_operations(people, sim_case);
}

struct people *people_new(struct world *world)
{
	struct people *people = calloc(1, sizeof *people);

	assert(people);
	people->world = world;
	for (uint32_t i = 0; i < world->plan.n_cases; i++) {
		struct sim_case *sim_case = &world->cases[i];

		chance_reseed(&world->chance, i, 2);
		add_starts(people, sim_case);
		add_wishes(people, sim_case);
	}
	return people;
}

void people_meet(struct people *people, struct sim_case *child)
{
	if (people->world->part == PART_TROUBLE && people->n < REQUESTS_MAX - 8)
		add_wishes(people, child);
}

void people_free(struct people *people)
{
	free(people);
}

/* --- helping ------------------------------------------------------------------------ */

/* The next round shows whether it has helped. */
static void ignore_answer(void *context, const struct answer *answer)
{
}

static void operate(struct world *world, struct sim_case *sim_case, enum event_type type,
		    struct slice step)
{
	struct operation operation = {.saga_id = slice_of(sim_case->id),
				      .type = type,
				      .step = step,
				      .actor = SLICE_LITERAL("bob"),
				      .reason = SLICE_LITERAL("helping")};
	struct engine *engine = orchestrator_engine(world, operation.saga_id);
	char name[INSTANCE_NAME_MAX + 1];

	if (!engine)
		return;
	snprintf(name, sizeof name, "%.*s", SLICE_ARG(step));
	diary_write(&world->diary, "bob comes to %s: %s %s", sim_case->id, event_text(type),
		    name);
	announce(sim_case, type, name);
	if (type == EVENT_SKIP)
		operation.output = SLICE_LITERAL(
			"{\"id\":\"by hand\",\"receipt\":\"r\",\"price\":1,\"total\":2,"
			"\"booking\":\"b\",\"entry\":3}");
	engine_operate(engine, &operation, ignore_answer, sim_case);
	orchestrators_hurry(world);
}

void people_bulk(struct people *people)
{
	static const enum event_type types[] = {EVENT_CANCEL, EVENT_PAUSE, EVENT_RESUME,
						EVENT_RETRY,  EVENT_UNDO,  EVENT_KILL};
	struct world *world = people->world;
	enum event_type type = types[random_below(&world->random, 6)];

	for (uint32_t i = 0; i < world->n_cases; i++)
		if (*world->cases[i].id)
			operate(world, &world->cases[i], type, (struct slice){0});
}

/* The saga is parked: try again, and where that does not help do it by hand. */
static void help_parked(struct world *world, struct sim_case *sim_case)
{
	char names[PARKED_MAX][INSTANCE_NAME_MAX + 1];
	uint32_t n;

	if (sim_case == world->damaged) /* he may well come in vain, for days */
		sim_case->helps %= RETRIES + 1;
	sim_case->helps++;
	world->tally.helps++;
	if (sim_case->helps > HELPS_MAX) {
		diary_fault(&world->diary, "P2: %s is parked, and nobody can help it",
			    sim_case->id);
	} else if (sim_case->helps % (RETRIES + 1)) {
		operate(world, sim_case, EVENT_RETRY, (struct slice){0});
	} else {
		n = judge_parked(world, sim_case, names);
		for (uint32_t i = 0; i < n; i++)
			operate(world, sim_case, EVENT_SKIP, slice_of(names[i]));
	}
}

static void go_round(void *context, uint64_t argument)
{
	struct people *people = context;
	struct world *world = people->world;

	for (uint32_t i = 0; i < world->n_cases; i++) {
		struct sim_case *sim_case = &world->cases[i];

		if (!*sim_case->id || sim_case->ended ||
		    !orchestrator_engine(world, slice_of(sim_case->id)))
			continue;
		if (sim_case->paused)
			operate(world, sim_case, EVENT_RESUME, (struct slice){0});
		else if (sim_case->status == STATUS_PARKED)
			help_parked(world, sim_case);
	}
	agenda_add(&world->agenda, world_now_ms(world) + ROUND_MS, go_round, people, 0);
}

void people_help(struct people *people)
{
	go_round(people, 0);
}

/* Nobody waits for what cannot come: the answer of a saga that is damaged, or for which
 * nobody asks. */
bool people_satisfied(const struct people *people)
{
	for (uint32_t i = 0; i < people->n; i++) {
		const struct request *request = &people->requests[i];

		if (!request->satisfied && request->sim_case != people->world->damaged &&
		    request->sim_case->wanted)
			return false;
	}
	return true;
}
