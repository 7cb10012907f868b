#include "orchestrator/engine/inside.h"

#include "base/duration.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/store/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* --- limits ------------------------------------------------------------------------- */

void engine_set_limits(struct engine *engine, const struct limits *limits)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	struct lanes *lanes = &engine->lanes;

	lanes->limits = *limits;
	for (size_t i = 1; i < lanes->n; i++) {
		struct lane *lane = &lanes->list[i];
		enum breaker was = lane->limit.breaker;

		limit_set(&lane->limit, limits_of(limits, slice_of(lane->name)), now_ms);
		log_breaker(engine, lane, was);
	}
}

static const char *why_open(const struct limit *limit, int64_t now_ms, enum breaker was)
{
	if (was == BREAKER_CLOSED)
		return "as many failures in a row as its settings say";
	if (limit_breaker(limit, now_ms) == BREAKER_HALF_OPEN)
		return "nobody waits for the probe any more; the next command is one";
	return "the probe failed";
}

void log_breaker(const struct engine *engine, const struct lane *lane, enum breaker was)
{
	static const char *const events[] = {"breaker-closed", "breaker-open",
					     "breaker-half-open"};
	const struct limit *limit = &lane->limit;
	bool open = limit->breaker == BREAKER_OPEN;
	struct log_line line;
	int64_t now_ms;

	if (limit->breaker == was)
		return;
	now_ms = clock_now_ms(engine->parts.clock);
	log_begin(&line, engine->parts.log, open ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		  events[limit->breaker]);
	log_text(&line, "participant", slice_of(lane->name));
	if (open) {
		log_number(&line, "pause_ms", limit->settings.pause_ms);
		log_text(&line, "why", slice_of(why_open(limit, now_ms, was)));
	}
	log_number(&line, "held", (int64_t)lane->n_held);
	log_end(&line);
}

void log_silence(const struct engine *engine, const struct lane *lane, bool was)
{
	bool silent = limit_silent(&lane->limit);
	struct log_line line;

	if (silent == was)
		return;
	log_begin(&line, engine->parts.log, silent ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
		  silent ? "participant-silent" : "participant-answers");
	log_text(&line, "participant", slice_of(lane->name));
	if (silent)
		log_number(&line, "unanswered", LIMIT_SILENT_AFTER);
	log_number(&line, "held", (int64_t)lane->n_held);
	log_end(&line);
}

/* --- letting go --------------------------------------------------------------------- */

/* The saga as it is stored; nothing of it is decided and not stored now. ERR_NOMEM. */
static enum err read_stored(struct arena *arena, const struct live *live, struct saga *out)
{
	uint8_t hash[SHA256_SIZE];
	struct slice bytes, timeline;
	enum err err;

	assert(!live->change);
	err = record_split(live->record, &bytes, &timeline);
	if (!err)
		err = saga_decode(bytes, arena, out, hash, NULL);
	assert(!err || err == ERR_NOMEM);
	return err;
}

/* Where the bus has no room it keeps its place. What else goes wrong with a command is
 * no reason for the others to wait. */
static enum err release_one(struct engine *engine, struct held *held, const struct saga *saga,
			    int64_t now_ms, size_t *n)
{
	struct live *live = held->live;
	struct command command;
	enum err err;

	if (saga_resume_step(live->definition, &evaluator_values, saga, held->step,
			     &engine->scratch, &command) != VERDICT_TAKEN)
		return ERR_NOMEM;
	err = send_now(engine, live, &command, held->lane, now_ms);
	if (err == ERR_BUSY)
		return OK;
	lanes_drop(&engine->lanes, held);
	if (err)
		offer_again(live, now_ms);
	++*n;
	return OK;
}

/* The saga whose turn it is: one command, and more where it is alone in line. */
static enum err release_saga(struct engine *engine, const struct lane *lane, int64_t now_ms,
			     size_t *n)
{
	struct held *held = lane_first(lane);
	struct live *live = held->live;
	struct saga saga;
	enum err err;

	arena_reset(&engine->scratch);
	err = read_stored(&engine->scratch, live, &saga);
	if (err)
		return err;
	while (!err && *n < ENGINE_BATCH_MAX && held && held->live == live &&
	       lane_ask(lane, now_ms).why == LIMIT_FREE) {
		err = release_one(engine, held, &saga, now_ms, n);
		held = lane_first(lane);
	}
	live_rewake(&engine->table, live, &saga);
	return err;
}

/* At most so many are let go in one turn, of one participant after the other. */
enum err release_held(struct engine *engine, int64_t now_ms, size_t *n)
{
	struct lanes *lanes = &engine->lanes;
	size_t released = 0;
	enum err err = OK;

	for (size_t looked = 1; lanes->n_queued && looked < lanes->n; looked++) {
		uint16_t at = (uint16_t)(lanes->turn % (lanes->n - 1) + 1);
		const struct lane *lane = &lanes->list[at];

		lanes->turn = at;
		while (!err && released < ENGINE_BATCH_MAX && lane_first(lane) &&
		       lane_ask(lane, now_ms).why == LIMIT_FREE)
			err = release_saga(engine, lane, now_ms, &released);
		if (err || released >= ENGINE_BATCH_MAX)
			break;
	}
	*n += released;
	return err;
}

/* --- looking ------------------------------------------------------------------------ */

struct pace_report engine_pace(const struct engine *engine)
{
	return pace_report(&engine->pace, clock_now_ms(engine->parts.clock));
}

static struct engine_participant participant_of(const struct lane *lane, int64_t now_ms)
{
	struct engine_participant out = {
		.name = slice_of(lane->name),
		.settings = lane->limit.settings,
		.inflight = lane->limit.inflight,
		.held = lane->n_held,
		.breaker = limit_breaker(&lane->limit, now_ms),
		.breaker_opened = lane->limit.n_opened,
		.pace = pace_report(&lane->pace, now_ms),
	};

	return out;
}

void engine_each_participant(const struct engine *engine,
			     void (*visit)(void *context,
					   const struct engine_participant *participant),
			     void *context)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);

	for (size_t i = 1; i < engine->lanes.n; i++) {
		struct engine_participant participant =
			participant_of(&engine->lanes.list[i], now_ms);

		visit(context, &participant);
	}
}

bool engine_participant(const struct engine *engine, struct slice name,
			struct engine_participant *out)
{
	const struct lane *lane = lanes_look(&engine->lanes, name);

	if (lane)
		*out = participant_of(lane, clock_now_ms(engine->parts.clock));
	return lane != NULL;
}

static void describe(const struct limit *limit, struct limit_hold hold, int64_t now_ms,
		     char text[ENGINE_HOLD_TEXT])
{
	int64_t wait_ms = hold.until_ms - now_ms;
	char span[DURATION_TEXT_MAX] = "", rate[LIMIT_RATE_TEXT];

	if (wait_ms >= 1000) /* to the second: whoever reads it looks again */
		wait_ms = (wait_ms + 999) / 1000 * 1000;
	if (hold.until_ms != INT64_MAX)
		duration_format(wait_ms, span);
	switch (hold.why) {
	case LIMIT_FREE: snprintf(text, ENGINE_HOLD_TEXT, "its turn is next"); break;
	case LIMIT_WINDOW:
		snprintf(text, ENGINE_HOLD_TEXT, "window of %" PRIu32 " full",
			 limit->settings.window);
		break;
	case LIMIT_RATE:
		limit_rate_format(&limit->settings, rate);
		snprintf(text, ENGINE_HOLD_TEXT, "rate of %s, next one in %s", rate, span);
		break;
	case LIMIT_BREAKER:
		snprintf(text, ENGINE_HOLD_TEXT, "breaker open, next probe in %s", span);
		break;
	case LIMIT_PROBE:
		snprintf(text, ENGINE_HOLD_TEXT, "breaker half-open, its probe is on its way");
		break;
	case LIMIT_SILENCE:
		snprintf(text, ENGINE_HOLD_TEXT,
			 "no answer to %d attempts in a row, next one in %s",
			 LIMIT_SILENT_AFTER, span);
		break;
	case LIMIT_BUS:
		snprintf(text, ENGINE_HOLD_TEXT,
			 "too much waits for the participant already, next try in %s", span);
		break;
	}
}

bool engine_hold(const struct engine *engine, struct slice saga_id, uint32_t step,
		 struct engine_hold *out)
{
	int64_t now_ms = clock_now_ms(engine->parts.clock);
	const struct live *live = live_find(&engine->table, saga_id);
	const struct held *held = live ? live_held(live, step) : NULL;
	const struct lane *lane;
	struct limit_hold hold;

	if (!held)
		return false;
	lane = &engine->lanes.list[held->lane];
	hold = lane_ask(lane, now_ms);
	*out = (struct engine_hold){.by = limit_why_text(hold.why),
				    .until_ms =
					    hold.why == LIMIT_FREE || hold.until_ms == INT64_MAX
						    ? 0
						    : hold.until_ms};
	if (held->queue == QUEUE_ASIDE) {
		*out = (struct engine_hold){.by = "pause"};
		snprintf(out->text, sizeof out->text, "the saga is paused");
	} else {
		describe(&lane->limit, hold, now_ms, out->text);
	}
	return true;
}
