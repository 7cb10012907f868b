/* test_saga_play.c - every sequence of events, for small sagas.
 *
 * The player lets everything happen that can: participants work off any command
 * that was ever sent, as often as they like and as late as they like, and every
 * answer may come, come again, come late or never. It keeps the participants'
 * books, and says after every event whether saga and books belong together. What
 * one call of saga_step() must keep to is in laws.h.
 *
 * Time stands still, so that the same state is met again and need not be played
 * twice.
 */
#include "orchestrator/core/codec.h"
#include "tests/lib/build.h"
#include "tests/lib/laws.h"
#include "tests/lib/suite.h"

#include <assert.h>
#include <stdlib.h>

enum {
	NOW_MS = 1000000,
	PLAY_STEPS_MAX = 8,
	ROUNDS = 3,
	REVOKES_MAX = 2, /* a revoke has no bound of its own */
	KEY_SIZE = 16,
};

/* --- the books ------------------------------------------------------------------------ */

enum effect { EFFECT_NONE, EFFECT_DONE, EFFECT_UNDONE };

/* What the participant has on record for a step, and what it said: answers that
 * were given may still be on their way. */
struct book {
	uint8_t effect;
	uint8_t times; /* that the do took effect */
	bool barred;   /* undone or revoked: the do is refused for good */
	uint8_t sent[VERB_REVOKE + 1][ROUNDS];
	uint8_t said[VERB_REVOKE + 1][ROUNDS]; /* a bit per outcome */
};

struct world {
	struct book books[PLAY_STEPS_MAX];
	uint8_t cancels, operations, signals, undos; /* that may still come */
};

struct player {
	const char *line;
	struct definition *definition;
	struct script script;
	struct world world; /* at the beginning */

	unsigned char (*seen)[KEY_SIZE];
	size_t n_seen, capacity;
	bool reached[PHASE_KILLED + 1];
};

static void judge(const struct player *player, bool right, const char *what, uint32_t step)
{
	ck_assert_msg(right, "%s: %s (%s)", player->line, what,
		      step == NO_STEP ? "the saga" : player->definition->steps[step].name.at);
}

/* --- states that were met ---------------------------------------------------------------- */

static bool insert(unsigned char (*seen)[KEY_SIZE], size_t capacity, const unsigned char *key)
{
	static const unsigned char empty[KEY_SIZE];
	size_t at;

	memcpy(&at, key, sizeof at);
	for (at &= capacity - 1; memcmp(seen[at], empty, KEY_SIZE) != 0;
	     at = (at + 1) & (capacity - 1))
		if (memcmp(seen[at], key, KEY_SIZE) == 0)
			return false;
	memcpy(seen[at], key, KEY_SIZE);
	return true;
}

static void grow(struct player *player)
{
	size_t capacity = player->capacity ? player->capacity * 2 : 1024;
	unsigned char(*seen)[KEY_SIZE] = calloc(capacity, KEY_SIZE);

	assert(seen);
	for (size_t n = 0; n < player->capacity; n++)
		insert(seen, capacity, player->seen[n]);
	free(player->seen);
	player->seen = seen;
	player->capacity = capacity;
}

/* Whether this is the first time. What has no influence on what comes does not
 * count: the number of events before, and the words for what went wrong. */
static bool is_new(struct player *player, const struct saga *saga, const struct world *world,
		   struct arena *arena)
{
	static const uint8_t no_hash[SHA256_SIZE];
	struct bytes text = BYTES(SAGA_BYTES_MAX, arena);
	struct saga *copy = saga_copy(saga, arena);
	uint8_t hash[SHA256_SIZE];

	assert(copy);
	copy->revision = 1;
	copy->failure = NULL;
	for (uint32_t i = 0; i < copy->n_steps; i++)
		copy->steps[i].error = NULL;
	if (saga_encode(copy, no_hash, &text))
		abort();
	bytes_append(&text, (struct slice){(const char *)world, sizeof *world});
	assert(!text.err);
	sha256(bytes_slice(&text), hash);
	if (player->n_seen * 2 >= player->capacity)
		grow(player);
	if (!insert(player->seen, player->capacity, hash))
		return false;
	player->n_seen++;
	return true;
}

/* --- what must be true -------------------------------------------------------------------- */

/* The list that contains a, or what contains a, goes on to b. */
static bool is_before(const struct definition *definition, uint32_t a, uint32_t b)
{
	for (; a != NO_STEP; a = definition->steps[a].parent)
		for (uint32_t n = definition->steps[a].next; n != NO_STEP;
		     n = definition->steps[n].next)
			if (n <= b && b < definition->steps[n].end)
				return true;
	return false;
}

static bool was_sent(const struct book *book, enum verb verb)
{
	return book->sent[verb][0] > 0;
}

/* The effect does not stand and never will. */
static bool is_out(const struct book *book)
{
	bool refused =
		book->said[VERB_DO][0] & 1u << OUTCOME_REFUSED && !book->sent[VERB_DO][1];

	return book->effect != EFFECT_DONE &&
	       (!was_sent(book, VERB_DO) || book->barred || refused);
}

static void judge_command(const struct player *player, const struct saga *saga,
			  const struct world *world, const struct command *command)
{
	const struct definition *definition = player->definition;
	uint32_t pivot = definition->pivot;

	for (uint32_t i = 0; i < definition->n_steps; i++) {
		const struct step_definition *other = &definition->steps[i];
		const struct step *step = &saga->steps[i];

		if (command->verb == VERB_DO && is_before(definition, i, command->step))
			judge(player, step->state == STEP_DONE || step->state == STEP_SKIPPED,
			      "a step is done only when all before it are done or skipped", i);
		if (command->verb == VERB_UNDO && is_before(definition, command->step, i))
			judge(player,
			      !other->has_undo || step->flags & FLAG_WAIVED ||
				      is_out(&world->books[i]),
			      "an undo waits until all that depends on the step is undone", i);
	}
	if (pivot == NO_STEP || command->verb != VERB_UNDO)
		return;
	judge(player, saga->steps[pivot].state != STEP_SKIPPED && is_out(&world->books[pivot]),
	      "nothing is undone once the pivot is done or may still be", pivot);
}

static void judge_end(const struct player *player, const struct saga *saga,
		      const struct world *world)
{
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		const struct step_definition *definition = &player->definition->steps[i];
		const struct step *step = &saga->steps[i];
		const struct book *book = &world->books[i];
		bool must_go = definition->has_undo || definition->kind == KIND_PIVOT;

		if (saga->phase == PHASE_COMPLETED) {
			judge(player, step->state == STEP_DONE || step->state == STEP_SKIPPED,
			      "completed means that all is done or skipped", i);
			judge(player,
			      definition->form != FORM_CALL || step->state != STEP_DONE ||
				      book->effect == EFFECT_DONE,
			      "what is done took effect", i);
		}
		if (saga->phase == PHASE_COMPENSATED) {
			judge(player, !must_go || step->flags & FLAG_WAIVED || is_out(book),
			      "compensated means that nothing stands", i);
			judge(player, !definition->after_pivot || !was_sent(book, VERB_DO),
			      "what stands behind the pivot was never begun", i);
		}
	}
}

static void judge_state(struct player *player, const struct saga *saga,
			const struct world *world)
{
	player->reached[saga->phase] = true;
	for (uint32_t i = 0; i < saga->n_steps; i++)
		judge(player, world->books[i].times <= 1, "a do takes effect once", i);
	if (saga_ended(saga))
		judge_end(player, saga, world);
}

/* --- playing --------------------------------------------------------------------------------
 */

static void play(struct player *player, const struct saga *saga, const struct world *world);

static void send(struct player *player, const struct saga *saga, struct world *world,
		 const struct effects *effects)
{
	for (uint32_t n = 0; n < effects->n_commands; n++) {
		const struct command *command = &effects->commands[n];
		uint8_t *sent =
			&world->books[command->step].sent[command->verb][command->round];

		assert(command->round < ROUNDS);
		judge(player, command->attempt > *sent, "attempts never start again",
		      command->step);
		judge_command(player, saga, world, command);
		*sent = (uint8_t)command->attempt;
	}
}

/* The event happens in the world as it is given, and everything goes on from there. */
static void happen(struct player *player, const struct saga *saga, struct world world,
		   struct event event)
{
	struct arena arena = {0};
	struct effects effects;
	struct saga after;

	event.at_ms = NOW_MS;
	if (event.type >= EVENT_CANCEL)
		event.actor = SLICE_LITERAL("ann");
	if (lawful_step(player->definition, &player->script.base, saga, &event, &arena, &after,
			&effects) == VERDICT_TAKEN) {
		send(player, &after, &world, &effects);
		play(player, &after, &world);
	}
	arena_release(&arena);
}

/* Every answer that was given comes; of an earlier attempt, too. */
static void play_answers(struct player *player, const struct saga *saga,
			 const struct world *world, uint32_t i, enum verb verb, uint16_t round)
{
	const struct book *book = &world->books[i];
	struct event event = {.type = EVENT_REPLY, .step = i, .verb = verb, .round = round};

	for (int outcome = OUTCOME_OK; outcome <= OUTCOME_REFUSED; outcome++) {
		if (!(book->said[verb][round] & 1u << outcome))
			continue;
		event.outcome = (enum outcome)outcome;
		event.attempt = book->sent[verb][round];
		happen(player, saga, *world, event);
		if (event.attempt > 1) {
			event.attempt = 1;
			happen(player, saga, *world, event);
		}
	}
}

static void say(struct player *player, const struct saga *saga, struct world world, uint32_t i,
		enum verb verb, uint16_t round, enum outcome outcome)
{
	uint8_t *said = &world.books[i].said[verb][round];

	*said = (uint8_t)(*said | 1u << outcome);
	play(player, saga, &world);
}

/* The participant works a command off: its barrier first, then its own mind. */
static void play_participant(struct player *player, const struct saga *saga,
			     const struct world *world, uint32_t i, enum verb verb,
			     uint16_t round)
{
	struct world next = *world;
	struct book *book = &next.books[i];
	uint8_t said = book->said[verb][round];

	if (verb == VERB_DO) {
		if (book->barred || said & 1u << OUTCOME_REFUSED) {
			say(player, saga, next, i, verb, round, OUTCOME_REFUSED);
		} else if (!said) {
			say(player, saga, next, i, verb, round, OUTCOME_REFUSED);
			book->effect = EFFECT_DONE;
			book->times++;
			say(player, saga, next, i, verb, round, OUTCOME_OK);
		}
	} else if (verb == VERB_UNDO) {
		if (!book->barred)
			say(player, saga, next, i, verb, round, OUTCOME_REFUSED);
		book->barred = true;
		book->effect = EFFECT_UNDONE;
		say(player, saga, next, i, verb, round, OUTCOME_OK);
	} else if (book->effect == EFFECT_DONE) {
		say(player, saga, next, i, verb, round, OUTCOME_REFUSED);
	} else {
		book->barred = true;
		say(player, saga, next, i, verb, round, OUTCOME_OK);
	}
}

/* Failures and silence: of the attempt under way they count, of any other not. */
static void play_failures(struct player *player, const struct saga *saga,
			  const struct world *world, uint32_t i)
{
	static const enum outcome outcomes[] = {OUTCOME_FAILED, OUTCOME_EXPIRED};
	const struct step *step = &saga->steps[i];
	struct event event = {.step = i,
			      .verb = (enum verb)step->verb,
			      .round = step->verb == VERB_UNDO ? step->undo_round
							       : step->do_round,
			      .attempt = step->attempt};

	if (step->verb == VERB_REVOKE && step->attempt >= REVOKES_MAX)
		return;
	event.type = EVENT_TIMEOUT;
	happen(player, saga, *world, event);
	event.type = EVENT_REPLY;
	for (size_t n = 0; n < sizeof outcomes / sizeof *outcomes; n++) {
		event.outcome = outcomes[n];
		if (event.outcome == OUTCOME_EXPIRED &&
		    world->books[i].said[event.verb][event.round])
			continue; /* it has a record, which it does not forget */
		happen(player, saga, *world, event);
	}
}

static void play_step(struct player *player, const struct saga *saga, const struct world *world,
		      uint32_t i)
{
	for (int verb = VERB_DO; verb <= VERB_REVOKE; verb++) {
		for (uint16_t round = 0; round < ROUNDS; round++) {
			if (!world->books[i].sent[verb][round])
				continue;
			play_participant(player, saga, world, i, (enum verb)verb, round);
			play_answers(player, saga, world, i, (enum verb)verb, round);
		}
	}
	if (saga->steps[i].attempt)
		play_failures(player, saga, world, i);
}

static void play_timers(struct player *player, const struct saga *saga,
			const struct world *world)
{
	struct timer timer;

	for (uint32_t n = 0; saga_timer(player->definition, saga, n, &timer); n++)
		happen(player, saga, *world,
		       (struct event){.type = timer.type,
				      .step = timer.step,
				      .verb = timer.verb,
				      .round = timer.round,
				      .attempt = timer.attempt});
}

static void play_operator(struct player *player, const struct saga *saga, struct world world)
{
	static const enum event_type types[] = {EVENT_PAUSE, EVENT_RETRY, EVENT_SKIP};

	if (saga->flags & SAGA_PAUSED)
		happen(player, saga, world, (struct event){.type = EVENT_RESUME});
	if (!world.operations)
		return;
	world.operations--;
	for (size_t n = 0; n < sizeof types / sizeof *types; n++)
		for (uint32_t i = 0; i < saga->n_steps; i++)
			happen(player, saga, world,
			       (struct event){.type = types[n], .step = i});
}

static void play_people(struct player *player, const struct saga *saga,
			const struct world *world)
{
	struct world next = *world;

	if (world->cancels) {
		next.cancels--;
		happen(player, saga, next, (struct event){.type = EVENT_CANCEL});
		next = *world;
	}
	if (world->undos) {
		next.undos--;
		happen(player, saga, next, (struct event){.type = EVENT_UNDO});
		next = *world;
	}
	if (world->signals) {
		next.signals--;
		happen(player, saga, next,
		       (struct event){.type = EVENT_SIGNAL,
				      .name = SLICE_LITERAL("w"),
				      .id = SLICE_LITERAL("one")});
	}
	play_operator(player, saga, *world);
}

static void play(struct player *player, const struct saga *saga, const struct world *world)
{
	struct arena arena = {0};
	bool first = is_new(player, saga, world, &arena);

	arena_release(&arena);
	if (!first)
		return;
	judge_state(player, saga, world);
	for (uint32_t i = 0; i < saga->n_steps; i++)
		play_step(player, saga, world, i);
	play_timers(player, saga, world);
	play_people(player, saga, world);
}

/* --- what is played
 * ---------------------------------------------------------------------------- */

static const struct row {
	const char *line;
	int64_t deadline_ms;
	struct script_answer answer;
	uint8_t cancels, operations, signals, undos;
	bool never_completes;
} rows[] = {
	{.line = "a", .cancels = 1, .operations = 1, .undos = 1},
	{.line = "a:undos=1 b:undos=1"},
	{.line = "a:attempts=1 b:attempts=1,undos=1", .cancels = 1, .undos = 1},
	{.line = "a:attempts=1,undos=1 b:attempts=1,undos=1", .operations = 1},
	{.line = "x{a:attempts=1,undos=1|b:attempts=1,undos=1}"},
	{.line = "x{a:readonly,attempts=1|b:attempts=1,undos=1}",
	 .cancels = 1,
	 .operations = 1},
	{.line = "x{a:attempts=1,undos=1 b:readonly,attempts=1|c:attempts=1,undos=1}"},
	{.line = "a:attempts=1,undos=1 b:ignore,attempts=1,undos=1,skip c:readonly,attempts=1"},
	{.line = "n:nothing,undos=1 a:attempts=1,undos=1 b:when,attempts=1",
	 .answer = {"b", PURPOSE_WHEN, NULL},
	 .never_completes = true},
	{.line = "a:attempts=1 w:await,for=5 b:attempts=1,undos=1", .signals = 1, .cancels = 1},
	{.line = "w:await,for=5,continue s:sleep,for=7 a:attempts=1",
	 .signals = 1,
	 .cancels = 1,
	 .operations = 1},
	{.line = "p:pivot", .deadline_ms = 9, .cancels = 1, .operations = 1},
	{.line = "a:attempts=1,undos=1 p:pivot,attempts=1", .cancels = 1, .operations = 1},
	{.line = "a:attempts=1,undos=1 p:pivot,attempts=1 r:retriable,attempts=1",
	 .cancels = 1,
	 .undos = 1},
	{.line = "p:pivot,attempts=1 r:retriable", .operations = 2},
	{.line = "p:pivot,attempts=1 w:await,for=5 r:readonly,attempts=1",
	 .signals = 1,
	 .operations = 1},
	{.line = "a:attempts=1,undos=1 p:pivot,when,attempts=1 r:retriable,ignore,attempts=1",
	 .answer = {"p", PURPOSE_WHEN, "false"},
	 .cancels = 1},
};

START_TEST(test_play)
{
	const struct row *row = &rows[_i];
	struct player player = {.line = row->line, .definition = build(row->line)};
	struct start start = {.id = SLICE_LITERAL("saga-1"),
			      .key = SLICE_LITERAL("key-1"),
			      .input = SLICE_LITERAL("{}"),
			      .at_ms = NOW_MS};
	struct world world = {.cancels = row->cancels,
			      .operations = row->operations,
			      .signals = row->signals,
			      .undos = row->undos};
	struct arena arena = {0};
	struct effects effects;
	struct saga saga;

	ck_assert_uint_le(player.definition->n_steps, PLAY_STEPS_MAX);
	player.definition->deadline_ms = row->deadline_ms;
	script_init(&player.script, &row->answer, row->answer.step != NULL);
	lawful_begin(player.definition, &player.script.base, &start, &arena, &saga, &effects);
	send(&player, &saga, &world, &effects);
	play(&player, &saga, &world);
	ck_assert(player.reached[PHASE_COMPLETED] == !row->never_completes);
	ck_assert(player.reached[PHASE_COMPENSATED]);
	free(player.seen);
	arena_release(&arena);
	definition_free(player.definition);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_play, 0, ROWS(rows));
}

int main(void)
{
	return suite_run("saga_play", add);
}
