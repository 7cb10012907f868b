#include "tests/lib/saga_values.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT(literal)                              \
	{                                          \
		"" literal "", sizeof(literal) - 1 \
	}

/* --- two that are written down --------------------------------------------------- */

static const struct error declined = {TEXT("card_declined"), TEXT("no money \xe2\x82\xac")};
static const struct error timed_out = {TEXT("timeout"), TEXT("no answer within 10 s")};

static struct step rich_steps[] = {
	{
		.state = STEP_UNDO_BACKOFF,
		.verb = VERB_UNDO,
		.why = WHY_NOTHING,
		.flags = FLAG_TOUCHED | FLAG_UNANSWERED | FLAG_OUTPUT,
		.do_round = 1,
		.undo_round = 300,
		.attempt = 70000,
		.base = 5,
		.started_ms = 1763712000001,
		.ended_ms = 1763712000250,
		.due_ms = 1763712900000,
		.budget_ms = 1763712000300,
		.output = TEXT("{\"reservation\":\"r-17\"}"),
		.error = &timed_out,
	},
	{
		.state = STEP_REFUSED,
		.why = WHY_REFUSED,
		.attempt = 1,
		.started_ms = 1763712000251,
		.ended_ms = 1763712000260,
		.error = &declined,
	},
	{
		.state = STEP_PARKED,
		.verb = VERB_REVOKE,
		.why = WHY_EXPIRED,
		.flags = FLAG_TOUCHED,
		.attempt = 4294967295u,
		.started_ms = -1,
	},
	{
		.state = STEP_IN_DOUBT,
		.why = WHY_TIMEOUT,
		.flags = FLAG_TOUCHED | FLAG_LATE | FLAG_WAIVED,
		.attempt = 127,
		.started_ms = 1763712000000,
		.output = TEXT("null"),
	},
	{.state = STEP_NEVER},
};

static const struct signal rich_signals[] = {
	{TEXT("sig-1"), TEXT("approved"), {NULL, 0}, true},
	{TEXT("sig-2"), TEXT("approved"), TEXT("{\"by\":\"alice\"}"), false},
};

const struct saga rich_saga = {
	.id = TEXT("order-17"),
	.key = TEXT("A/17#\xc3\xa9"),
	.phase = PHASE_BACK,
	.flags = SAGA_PAUSED | SAGA_TURNING | SAGA_OVERDUE | SAGA_REVERSED,
	.revision = 300,
	.started_ms = 1763712000000,
	.updated_ms = 1763712000400,
	.ended_ms = 1763798400000,
	.deadline_ms = 1763711999999,
	.input = TEXT("{\"sku\":\"a\",\"qty\":2,\"total\":19.99}"),
	.output = TEXT("{\"ok\":true}"),
	.failure_step = 1,
	.failure = &declined,
	.steps = rich_steps,
	.n_steps = sizeof rich_steps / sizeof *rich_steps,
	.signals = rich_signals,
	.n_signals = sizeof rich_signals / sizeof *rich_signals,
};

const uint8_t rich_hash[SHA256_SIZE] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
	0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5,
	0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
};

#define FINISHED(from, to)                                                             \
	{                                                                              \
		.state = STEP_DONE, .flags = FLAG_TOUCHED, .attempt = 1,               \
		.started_ms = 1763712000000 + (from), .ended_ms = 1763712000000 + (to) \
	}

static struct step order_steps[] = {
	FINISHED(0, 40),    FINISHED(41, 350),    FINISHED(351, 400),
	FINISHED(401, 512), FINISHED(513, 20000),
};

const struct saga order_saga = {
	.id = TEXT("01JD7Q6ZK3F8V4T9M2X5R7W1BC"),
	.key = TEXT("order-20251121-000017"),
	.phase = PHASE_COMPLETED,
	.revision = 11,
	.started_ms = 1763712000000,
	.updated_ms = 1763712020000,
	.ended_ms = 1763712020000,
	.deadline_ms = 1763712900000,
	.failure_step = NO_STEP,
	.steps = order_steps,
	.n_steps = sizeof order_steps / sizeof *order_steps,
};

static struct step elements_steps[] = {
	{.state = STEP_RUNNING, .started_ms = 1763712000010},
	FINISHED(11, 12),
	{.state = STEP_SKIPPED, .why = WHY_NO_ELEMENT, .ended_ms = 1763712000010},
	{.state = STEP_PARKED,
	 .verb = VERB_UNDO,
	 .why = WHY_KILLED,
	 .flags = FLAG_TOUCHED,
	 .attempt = 1,
	 .started_ms = 1763712000010},
	FINISHED(11, 13),
};

static const struct slice elements_items[] = {TEXT("{\"sku\":\"a\"}"), TEXT("2")};

static const struct expansion elements_expansions[] = {
	{.step = 0, .first = 4, .n = 2, .items = elements_items}};

const struct saga elements_saga = {
	.id = TEXT("order-17.ship.0123456789abcdef"),
	.key = TEXT("order-17.ship.0123456789abcdef"),
	.parent = TEXT("order-17"),
	.phase = PHASE_FORWARD,
	.revision = 3,
	.started_ms = 1763712000000,
	.updated_ms = 1763712000013,
	.input = TEXT("[{\"sku\":\"a\"},2]"),
	.failure_step = NO_STEP,
	.steps = elements_steps,
	.n_steps = sizeof elements_steps / sizeof *elements_steps,
	.expansions = elements_expansions,
	.n_expansions = 1,
};

/* --- any number of others -------------------------------------------------------- */

uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct source {
	uint64_t state;
	struct arena *arena;
};

static void *give(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static uint64_t below(struct source *source, uint64_t n)
{
	return next_random(&source->state) % n;
}

/* Zero in half of all cases, of any magnitude in the others. */
static uint64_t number(struct source *source, uint64_t max)
{
	uint64_t n = next_random(&source->state) >> below(source, 64);

	if (below(source, 2))
		return 0;
	return max == UINT64_MAX ? n : n % (max + 1);
}

static int64_t time_near(struct source *source, int64_t origin_ms)
{
	switch (below(source, 8)) {
	case 0: return 0;
	case 1: return INT64_MIN;
	case 2: return INT64_MAX;
	case 3: return (int64_t)(number(source, INT64_MAX));
	default: break;
	}
	return origin_ms > INT64_MAX - 1000000 ? origin_ms
					       : origin_ms + (int64_t)below(source, 1000000);
}

static struct slice text(struct source *source, size_t max)
{
	size_t len = (size_t)number(source, below(source, 20) ? 20 : max);
	char *bytes;

	if (len == 0)
		return (struct slice){0};
	bytes = give(arena_alloc(source->arena, len));
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)next_random(&source->state);
	return (struct slice){bytes, len};
}

static const struct error *error(struct source *source)
{
	struct error *made;

	if (below(source, 3))
		return NULL;
	made = give(arena_alloc(source->arena, sizeof *made));
	*made = (struct error){text(source, 300), text(source, 3000)};
	return made;
}

static struct step step(struct source *source, int64_t origin_ms, bool more)
{
	if (below(source, 5) == 0)
		return (struct step){0};
	return (struct step){
		.state = (uint8_t)below(source, STEP_STATES),
		.verb = (uint8_t)below(source, VERB_REVOKE + 1),
		.why = (uint8_t)below(source, (more ? WHY_KILLED : WHY_TIMEOUT) + 1),
		.flags = (uint8_t)below(source, FLAG_WAIVED << 1),
		.do_round = (uint16_t)number(source, ROUNDS_MAX),
		.undo_round = (uint16_t)number(source, ROUNDS_MAX),
		.attempt = (uint32_t)number(source, UINT32_MAX),
		.base = (uint32_t)number(source, UINT32_MAX),
		.started_ms = time_near(source, origin_ms),
		.ended_ms = time_near(source, origin_ms),
		.due_ms = time_near(source, origin_ms),
		.budget_ms = time_near(source, origin_ms),
		.output = text(source, 5000),
		.error = error(source),
	};
}

static void add_expansions(struct source *source, struct saga *saga)
{
	struct expansion *expansions;

	saga->n_expansions = saga->n_steps ? (uint32_t)below(source, 3) : 0;
	if (!saga->n_expansions)
		return;
	expansions = give(arena_array(source->arena, saga->n_expansions, sizeof *expansions));
	for (uint32_t i = 0; i < saga->n_expansions; i++) {
		uint32_t n = 1 + (uint32_t)number(source, below(source, 10) ? 3 : EACH_MAX - 1);
		struct slice *items = give(arena_array(source->arena, n, sizeof *items));

		for (uint32_t k = 0; k < n; k++)
			do
				items[k] = text(source, 100);
			while (!items[k].len);
		expansions[i] = (struct expansion){(uint32_t)below(source, saga->n_steps),
						   (uint32_t)below(source, saga->n_steps + 1),
						   n, items};
	}
	saga->expansions = expansions;
}

static struct slice saga_id(struct source *source)
{
	static const char alphabet[] = "abcxyzABCXYZ0189-_.";
	size_t name = 1 + below(source, SAGA_NAME_MAX);
	size_t child = below(source, 2) ? 0 : 2 + below(source, CHILD_STEP_MAX + CHILD_DIGITS);
	char *id = give(arena_alloc(source->arena, name + child));

	for (size_t i = 0; i < name + child; i++)
		id[i] = i == name ? ':' : alphabet[below(source, sizeof alphabet - 1)];
	return (struct slice){id, name + child};
}

struct saga *seeded_saga(uint64_t seed, struct arena *arena)
{
	struct source source = {seed, arena};
	struct saga *saga = give(arena_alloc(arena, sizeof *saga));
	struct signal *signals;
	bool more;

	saga->id = saga_id(&source);
	saga->key = text(&source, KEY_MAX);
	saga->phase = (uint8_t)below(&source, PHASE_KILLED + 1);
	saga->flags = (uint8_t)below(&source, SAGA_REVERSED << 1);
	saga->revision = 1 + number(&source, UINT64_MAX - 1);
	saga->started_ms = time_near(&source, 1763712000000);
	saga->updated_ms = time_near(&source, saga->started_ms);
	saga->ended_ms = time_near(&source, saga->started_ms);
	saga->deadline_ms = time_near(&source, saga->started_ms);
	saga->input = text(&source, 5000);
	saga->output = text(&source, 5000);
	more = below(&source, 2) != 0;
	saga->n_steps = (uint32_t)below(
		&source, below(&source, 10) ? 12 : (more ? INSTANCES_MAX : STEPS_MAX) + 1);
	if (saga->n_steps)
		saga->steps = give(arena_array(arena, saga->n_steps, sizeof(struct step)));
	for (uint32_t i = 0; i < saga->n_steps; i++)
		saga->steps[i] = step(&source, saga->started_ms, more);
	if (more) { /* of format 2 */
		saga->parent = saga_id(&source);
		add_expansions(&source, saga);
	}
	saga->failure_step = NO_STEP;
	if (saga->n_steps && below(&source, 2))
		saga->failure_step = (uint32_t)below(&source, saga->n_steps);
	saga->failure = error(&source);
	saga->n_signals = (uint32_t)number(&source, below(&source, 10) ? 4 : SIGNALS_MAX);
	if (saga->n_signals == 0)
		return saga;
	signals = give(arena_array(arena, saga->n_signals, sizeof *signals));
	for (uint32_t i = 0; i < saga->n_signals; i++)
		signals[i] = (struct signal){text(&source, 100), text(&source, 100),
					     text(&source, 1000), below(&source, 2) != 0};
	saga->signals = signals;
	return saga;
}

/* --- comparing ------------------------------------------------------------------- */

static bool same_error(const struct error *a, const struct error *b)
{
	if (!a || !b)
		return a == b;
	return slice_equal(a->code, b->code) && slice_equal(a->message, b->message);
}

static const char *step_difference(const struct step *a, const struct step *b)
{
	if (a->state != b->state)
		return "state";
	if (a->verb != b->verb)
		return "verb";
	if (a->why != b->why)
		return "why";
	if (a->flags != b->flags)
		return "flags";
	if (a->do_round != b->do_round)
		return "do_round";
	if (a->undo_round != b->undo_round)
		return "undo_round";
	if (a->attempt != b->attempt)
		return "attempt";
	if (a->base != b->base)
		return "base";
	if (a->started_ms != b->started_ms)
		return "started_ms";
	if (a->ended_ms != b->ended_ms)
		return "ended_ms";
	if (a->due_ms != b->due_ms)
		return "due_ms";
	if (a->budget_ms != b->budget_ms)
		return "budget_ms";
	if (!slice_equal(a->output, b->output))
		return "output";
	return same_error(a->error, b->error) ? NULL : "error";
}

static bool same_signal(const struct signal *a, const struct signal *b)
{
	return slice_equal(a->id, b->id) && slice_equal(a->event, b->event) &&
	       slice_equal(a->payload, b->payload) && a->used == b->used;
}

static bool same_expansion(const struct expansion *a, const struct expansion *b)
{
	if (a->step != b->step || a->first != b->first || a->n != b->n)
		return false;
	for (uint32_t n = 0; n < a->n; n++)
		if (!slice_equal(a->items[n], b->items[n]))
			return false;
	return true;
}

static const char *header_difference(const struct saga *a, const struct saga *b)
{
	if (!slice_equal(a->id, b->id))
		return "id";
	if (!slice_equal(a->key, b->key))
		return "key";
	if (a->phase != b->phase)
		return "phase";
	if (a->flags != b->flags)
		return "flags";
	if (a->revision != b->revision)
		return "revision";
	if (a->started_ms != b->started_ms)
		return "started_ms";
	if (a->updated_ms != b->updated_ms)
		return "updated_ms";
	if (a->ended_ms != b->ended_ms)
		return "ended_ms";
	if (a->deadline_ms != b->deadline_ms)
		return "deadline_ms";
	if (!slice_equal(a->input, b->input))
		return "input";
	if (!slice_equal(a->output, b->output))
		return "output";
	if (a->failure_step != b->failure_step)
		return "failure_step";
	if (!same_error(a->failure, b->failure))
		return "failure";
	if (!slice_equal(a->parent, b->parent))
		return "parent";
	if (a->n_expansions != b->n_expansions)
		return "n_expansions";
	if (a->n_steps != b->n_steps)
		return "n_steps";
	return a->n_signals != b->n_signals ? "n_signals" : NULL;
}

const char *saga_difference(const struct saga *a, const struct saga *b)
{
	static char place[64];
	const char *field = header_difference(a, b);

	if (field)
		return field;
	for (uint32_t i = 0; i < a->n_steps; i++) {
		field = step_difference(&a->steps[i], &b->steps[i]);
		if (!field)
			continue;
		snprintf(place, sizeof place, "steps[%u].%s", (unsigned)i, field);
		return place;
	}
	for (uint32_t i = 0; i < a->n_expansions; i++) {
		if (same_expansion(&a->expansions[i], &b->expansions[i]))
			continue;
		snprintf(place, sizeof place, "expansions[%u]", (unsigned)i);
		return place;
	}
	for (uint32_t i = 0; i < a->n_signals; i++) {
		if (same_signal(&a->signals[i], &b->signals[i]))
			continue;
		snprintf(place, sizeof place, "signals[%u]", (unsigned)i);
		return place;
	}
	return NULL;
}
