#include "orchestrator/engine/inside.h"

#include <stdlib.h>

static const struct call *call_of(const struct live *live, const struct command *command)
{
	const struct step_definition *step = &live->definition->steps[command->at.step];

	return command->verb == VERB_UNDO ? &step->undo : &step->call;
}

static enum err send_command(struct engine *engine, const struct live *live,
			     const struct command *command)
{
	const struct call *call = call_of(live, command);
	char id[COMMAND_ID_MAX], do_id[COMMAND_ID_MAX];
	struct slice saga_id = live_id(live);
	struct command_message message = {
		.id = {id, command_id(live->definition, saga_id, command->at, command->round,
				      command->verb, id)},
		.participant = call->participant,
		.command = command->verb == VERB_REVOKE ? (struct slice){0} : call->command,
		.verb = command->alone ? MESSAGE_DO : (enum message_verb)command->verb,
		.saga_id = saga_id,
		.saga = live->definition->name,
		.attempt = command->attempt,
		.first_ms = command->first_ms,
		.timeout_ms = command->timeout_ms,
		.args = command->args,
		.output = command->output,
	};

	if (message.verb != MESSAGE_DO)
		message.do_id =
			(struct slice){do_id, command_id(live->definition, saga_id, command->at,
							 command->do_round, VERB_DO, do_id)};
	return bus_send(engine->parts.bus, &message);
}

void offer_again(struct live *live, int64_t now_ms)
{
	live->retry_ms = send_retry_ms(now_ms, &live->n_retries);
}

/* The clock of an attempt starts when the bus has it. One that was sent and could
 * not be noted is sent twice, which participants are used to. */
enum err send_now(struct engine *engine, struct live *live, const struct command *command,
		  uint16_t lane, int64_t now_ms)
{
	const struct handed handed = {.step = command->step,
				      .lane = lane,
				      .sent_ms = now_ms,
				      .due_ms = now_ms + command->timeout_ms};
	struct lane *at = &engine->lanes.list[lane];
	enum breaker was = at->limit.breaker;
	enum err err = send_command(engine, live, command);

	if (err == ERR_BUSY)
		lane_bus_full(at, now_ms);
	if (err)
		return err;
	lane_bus_takes(at);
	engine->stats.commands++;
	pace_begin(&at->pace, now_ms);
	err = live_hand(live, &handed);
	if (err)
		return err;
	live_handed(live, command->step)->probe = limit_take(&at->limit, now_ms);
	log_breaker(engine, at, was);
	return OK;
}

/* Send it, or put it in line: what the bus has no room for, too, so that it is offered
 * one command again and not one of every saga that waits. */
static enum err send_or_hold(struct engine *engine, struct live *live,
			     const struct command *command, bool paused, int64_t now_ms)
{
	const struct call *call = call_of(live, command);
	bool undo = command->verb != VERB_DO;
	uint16_t lane = lanes_find(&engine->lanes, call->participant, now_ms);
	const struct lane *at;
	enum err err = ERR_BUSY;

	if (!lane)
		return err;
	at = &engine->lanes.list[lane];
	if (!paused && !lane_waits(at, undo) && lane_ask(at, now_ms).why == LIMIT_FREE)
		err = send_now(engine, live, command, lane, now_ms);
	if (err != ERR_BUSY)
		return err;
	return lanes_hold(&engine->lanes, lane, live, command->step, undo, paused) ? OK
										   : ERR_NOMEM;
}

void hand_over(struct engine *engine, struct live *live, const struct saga *saga,
	       const struct command *commands, uint32_t n)
{
	int64_t now_ms = n ? clock_now_ms(engine->parts.clock) : 0;
	bool all = true, asked = false, paused = saga->flags & SAGA_PAUSED;

	lanes_pause(&engine->lanes, live, paused);

	for (uint32_t i = 0; i < n; i++) {
		if (live_handed(live, commands[i].step) || live_held(live, commands[i].step))
			continue;
		if (live->definition->steps[commands[i].at.step].form == FORM_SAGA) {
			asked = asked || ask_children(engine, live);
			all &= asked;
			continue;
		}
		if (send_or_hold(engine, live, &commands[i], paused, now_ms))
			all = false;
	}
	live->retry_ms = 0;
	if (all)
		live->n_retries = 0;
	else
		offer_again(live, now_ms);
}

void send_outstanding(struct engine *engine, struct live *live, const struct saga *saga,
		      struct arena *arena)
{
	struct effects effects;

	if (saga_resume(live->definition, &evaluator_values, saga, arena, &effects) ==
	    VERDICT_TAKEN)
		hand_over(engine, live, saga, effects.commands, effects.n_commands);
	else
		offer_again(live, clock_now_ms(engine->parts.clock));
}

void settle_handed(struct engine *engine, struct live *live, uint32_t step, enum limit_end end)
{
	const struct handed handed = *live_handed(live, step);
	struct lane *lane;
	enum breaker was;
	int64_t now_ms;
	bool silent;

	live_forget_handed(live, step);
	if (!handed.lane) /* a child saga */
		return;
	lane = &engine->lanes.list[handed.lane];
	was = lane->limit.breaker;
	silent = limit_silent(&lane->limit);
	lane_bus_takes(lane);
	now_ms = clock_now_ms(engine->parts.clock);
	limit_settle(&lane->limit, now_ms, end, handed.probe);
	if (end == LIMIT_WORKS || end == LIMIT_FAILS)
		pace_end(&lane->pace, now_ms, now_ms - handed.sent_ms);
	log_breaker(engine, lane, was);
	log_silence(engine, lane, silent);
}

void forget_sent(struct engine *engine, struct live *live)
{
	while (live->n_handed)
		settle_handed(engine, live, live->handed[0].step, LIMIT_UNKNOWN);
	while (live->held)
		lanes_drop(&engine->lanes, live->held);
}

bool status_final(enum status status)
{
	return status != STATUS_RUNNING && status != STATUS_COMPENSATING;
}

void tell_watchers(struct engine *engine, struct live *live, enum status status)
{
	while (status_final(status) && live->watchers) {
		struct watcher *watcher = live->watchers;

		bus_ended(engine->parts.bus, watcher->origin, live_id(live),
			  slice_of(status_text(status)));
		live->watchers = watcher->next;
		free(watcher);
	}
}
