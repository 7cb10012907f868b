#include "orchestrator/check/state.h"

#include "orchestrator/check/forget.h"

enum { HEADER_SIZE = 3, STEP_SIZE = 12 };

size_t state_size(const struct model *model)
{
	return HEADER_SIZE + model->n_events + model->n_steps * (size_t)STEP_SIZE;
}

/* --- one step -------------------------------------------------------------------- */

static bool pack_step(const struct step *step, const struct books *books, uint8_t *out)
{
	if (step->attempt > UINT8_MAX || step->do_round >= ROUNDS || step->undo_round >= ROUNDS)
		return false;
	out[0] = (uint8_t)(step->state | step->verb << 4 | (step->started_ms != 0) << 6 |
			   (step->due_ms != 0) << 7);
	out[1] = (uint8_t)(step->flags | (step->why & 7) << 5);
	out[2] = (uint8_t)(step->do_round | step->undo_round << 2 | step->base << 4);
	out[3] = (uint8_t)step->attempt;
	out[4] = (uint8_t)(books->sent_do | books->sent_revoke << 4);
	out[5] = (uint8_t)(books->sent_undo | books->may_refuse << 4);
	out[6] = (uint8_t)(books->undo_of[0] | books->undo_of[1] << 2 | books->undo_of[2] << 4 |
			   books->undo_of[3] << 6);
	memcpy(out + 7, books->records, ROUNDS);
	out[7 + ROUNDS] = (uint8_t)(books->flags | (step->why & 8) << 1);
	return true;
}

static void unpack_step(const uint8_t *in, struct step *step, struct books *books)
{
	uint8_t flags = in[1] & 0x1f;
	bool output = flags & (FLAG_OUTPUT | FLAG_LATE);

	*step = (struct step){
		.state = in[0] & 0xf,
		.verb = in[0] >> 4 & 3,
		.why = (uint8_t)(in[1] >> 5 | (in[7 + ROUNDS] >> 1 & 8)),
		.flags = flags,
		.do_round = in[2] & 3,
		.undo_round = in[2] >> 2 & 3,
		.attempt = in[3],
		.base = in[2] >> 4 & 1,
		.started_ms = in[0] >> 6 & 1 ? NOW_MS : 0,
		.due_ms = in[0] >> 7 ? NOW_MS : 0,
		.output = output ? SLICE_LITERAL("{}") : (struct slice){0},
	};
	*books = (struct books){
		.sent_do = in[4] & 0xf,
		.sent_revoke = in[4] >> 4,
		.sent_undo = in[5] & 0xf,
		.may_refuse = in[5] >> 4,
		.undo_of = {in[6] & 3, in[6] >> 2 & 3, in[6] >> 4 & 3, in[6] >> 6},
		.flags = in[7 + ROUNDS] & 0xf,
	};
	memcpy(books->records, in + 7, ROUNDS);
}

/* --- signals: how many of each event, and how many of these are used ------------- */

static bool pack_signals(const struct model *model, const struct saga *saga, uint8_t *out)
{
	for (uint32_t n = 0; n < model->n_events; n++) {
		uint32_t came = 0, used = 0;

		for (uint32_t k = 0; k < saga->n_signals; k++) {
			if (!slice_equal(saga->signals[k].event, model->events[n]))
				continue;
			came++;
			used += saga->signals[k].used;
		}
		if (came > COUNT_MAX)
			return false;
		if (past_await(model, saga, model->events[n]))
			came = used = 0;
		out[n] = (uint8_t)(came | used << 4);
	}
	return true;
}

static void unpack_signals(const struct model *model, const uint8_t *in, struct saga *saga)
{
	struct signal *signals = (struct signal *)saga->signals;

	saga->n_signals = 0;
	for (uint32_t n = 0; n < model->n_events; n++)
		for (uint32_t k = 0; k < (in[n] & 0xfu); k++)
			signals[saga->n_signals++] =
				(struct signal){.id = model->ids[n][k],
						.event = model->events[n],
						.payload = SLICE_LITERAL("{}"),
						.used = k < in[n] >> 4};
}

/* --- all of it ------------------------------------------------------------------- */

bool state_pack(const struct model *model, const struct state *state, uint8_t *out)
{
	const struct saga *saga = &state->saga;
	const struct world *world = &state->world;
	bool decided = past_cancel(model, saga);
	uint8_t cancels = decided ? (uint8_t)model->bounds.cancel : world->cancels;
	uint8_t flags = decided ? saga->flags & (uint8_t)~SAGA_OVERDUE : saga->flags;

	out[0] = (uint8_t)(saga->phase | flags << 4);
	out[1] = (uint8_t)(cancels | world->operations << 4);
	out[2] = (uint8_t)(world->prunes | (world->wanted_back && !decided) << 4);
	if (!pack_signals(model, saga, out + HEADER_SIZE))
		return false;
	out += HEADER_SIZE + model->n_events;
	for (uint32_t i = 0; i < saga->n_steps; i++, out += STEP_SIZE) {
		struct step step = saga->steps[i];
		struct books books = world->books[i];

		forget_step(model, saga, i, &step, &books);
		if (!pack_step(&step, &books, out))
			return false;
	}
	return true;
}

bool state_make(const struct model *model, struct arena *arena, struct state *state)
{
	uint32_t n = model->n_steps;

	*state = (struct state){.saga = {.n_steps = n}};
	state->saga.steps = arena_array(arena, n, sizeof *state->saga.steps);
	state->saga.signals =
		arena_array(arena, (model->n_events + 1) * COUNT_MAX, sizeof(struct signal));
	state->world.books = arena_array(arena, n, sizeof *state->world.books);
	return state->saga.steps && state->saga.signals && state->world.books;
}

void state_unpack(const struct model *model, const uint8_t *packed, struct state *state)
{
	struct saga *saga = &state->saga;
	struct step *steps = saga->steps;
	const struct signal *signals = saga->signals;

	*saga = (struct saga){
		.id = SLICE_LITERAL("saga"),
		.key = SLICE_LITERAL("saga"),
		.phase = packed[0] & 0xf,
		.flags = packed[0] >> 4,
		.revision = 1,
		.started_ms = NOW_MS,
		.updated_ms = NOW_MS,
		.deadline_ms = model->definition.deadline_ms ? NOW_MS : 0,
		.input = SLICE_LITERAL("{}"),
		.failure_step = NO_STEP,
		.steps = steps,
		.n_steps = model->n_steps,
		.signals = signals,
		.expansions = model->expansions,
		.n_expansions = model->n_expansions,
	};
	saga->ended_ms = saga_ended(saga) ? NOW_MS : 0;
	state->world.cancels = packed[1] & 0xf;
	state->world.operations = packed[1] >> 4;
	state->world.prunes = packed[2] & 0xf;
	state->world.wanted_back = packed[2] >> 4;
	unpack_signals(model, packed + HEADER_SIZE, saga);
	packed += HEADER_SIZE + model->n_events;
	for (uint32_t i = 0; i < saga->n_steps; i++, packed += STEP_SIZE)
		unpack_step(packed, &steps[i], &state->world.books[i]);
}
