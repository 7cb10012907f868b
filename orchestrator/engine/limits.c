#include "orchestrator/engine/limits.h"

#include "base/duration.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* --- what is set -------------------------------------------------------------------- */

const struct limit_settings *limits_of(const struct limits *limits, struct slice participant)
{
	for (size_t i = 0; i < limits->n; i++)
		if (slice_is(participant, limits->named[i].name))
			return &limits->named[i].settings;
	return &limits->others;
}

void limit_rate_format(const struct limit_settings *settings, char text[LIMIT_RATE_TEXT])
{
	char unit = settings->rate_ms == 1000 ? 's' : settings->rate_ms == 60000 ? 'm' : 'h';

	snprintf(text, LIMIT_RATE_TEXT, "%" PRIu32 "/%c", settings->rate, unit);
}

static void add_count(struct bytes *out, const char *name, uint32_t count)
{
	if (count)
		bytes_format(out, "%s: %" PRIu32, name, count);
	else
		bytes_format(out, "%s: none", name);
}

void limit_settings_format(const struct limit_settings *settings, struct bytes *out)
{
	char rate[LIMIT_RATE_TEXT], pause[DURATION_TEXT_MAX];

	add_count(out, "{ window", settings->window);
	limit_rate_format(settings, rate);
	bytes_format(out, ", rate: %s", settings->rate ? rate : "none");
	if (settings->rate)
		bytes_format(out, ", burst: %" PRIu32, settings->burst);
	if (settings->failures) {
		duration_format(settings->pause_ms, pause);
		add_count(out, ", breaker: { failures", settings->failures);
		bytes_format(out, ", pause: %s } }", pause);
	} else {
		bytes_text(out, ", breaker: none }");
	}
}

/* --- the bucket --------------------------------------------------------------------- */

static int64_t full(const struct limit_settings *settings)
{
	return (int64_t)settings->burst * settings->rate_ms;
}

/* What is in it now. A clock that was set back fills it: better a burst too much than
 * a wait until it is as late again. */
static int64_t level_at(const struct limit *limit, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - limit->filled_ms, most = full(&limit->settings);

	if (!limit->filled_ms || elapsed_ms < 0 ||
	    elapsed_ms > (most - limit->level) / limit->settings.rate)
		return most;
	return limit->level + elapsed_ms * limit->settings.rate;
}

/* How long until there is a token; 0: there is one. */
static int64_t token_wait_ms(const struct limit *limit, int64_t now_ms)
{
	int64_t missing = limit->settings.rate_ms - level_at(limit, now_ms);

	return missing <= 0 ? 0 : (missing + limit->settings.rate - 1) / limit->settings.rate;
}

/* --- the breaker -------------------------------------------------------------------- */

/* When the pause is over; where the clock went backwards, not later than a whole one. */
static int64_t pause_end_ms(const struct limit *limit, int64_t now_ms)
{
	int64_t from_ms = limit->opened_ms < now_ms ? limit->opened_ms : now_ms;

	return from_ms + limit->settings.pause_ms;
}

static void open_breaker(struct limit *limit, int64_t now_ms)
{
	limit->breaker = BREAKER_OPEN;
	limit->opened_ms = now_ms;
	limit->n_opened++;
}

static void close_breaker(struct limit *limit)
{
	limit->breaker = BREAKER_CLOSED;
	limit->n_failures = 0;
	limit->probing = false;
}

enum breaker limit_breaker(const struct limit *limit, int64_t now_ms)
{
	if (limit->breaker == BREAKER_OPEN && pause_end_ms(limit, now_ms) <= now_ms)
		return BREAKER_HALF_OPEN;
	return limit->breaker;
}

const char *breaker_text(enum breaker breaker)
{
	switch (breaker) {
	case BREAKER_CLOSED: return "closed";
	case BREAKER_OPEN: return "open";
	case BREAKER_HALF_OPEN: return "half-open";
	}
	return "";
}

/* Answers to what was asked before it opened change nothing: the probe decides. */
static void note_end(struct limit *limit, int64_t now_ms, enum limit_end end, bool probe)
{
	if (probe && limit->probing) {
		limit->probing = false;
		if (end == LIMIT_WORKS)
			close_breaker(limit);
		else if (end != LIMIT_UNKNOWN)
			open_breaker(limit, now_ms);
		else
			limit->breaker = BREAKER_OPEN; /* its pause is over: another one */
	}
	if (probe || limit->breaker != BREAKER_CLOSED || end == LIMIT_UNKNOWN)
		return;
	limit->n_failures = end == LIMIT_WORKS ? 0 : limit->n_failures + 1;
	if (limit->n_failures >= limit->settings.failures)
		open_breaker(limit, now_ms);
}

/* --- all of them -------------------------------------------------------------------- */

void limit_set(struct limit *limit, const struct limit_settings *settings, int64_t now_ms)
{
	const struct limit_settings was = limit->settings;
	int64_t tokens = 0, part = 0;

	if (was.rate) {
		tokens = level_at(limit, now_ms) / was.rate_ms;
		part = level_at(limit, now_ms) % was.rate_ms;
	}
	limit->settings = *settings;
	if (settings->rate && was.rate && limit->filled_ms) {
		limit->level =
			tokens * settings->rate_ms + part * settings->rate_ms / was.rate_ms;
		if (limit->level > full(settings))
			limit->level = full(settings);
		limit->filled_ms = now_ms;
	} else {
		limit->filled_ms = 0;
	}
	if (!settings->failures)
		close_breaker(limit);
}

bool limit_silent(const struct limit *limit)
{
	return limit->n_silent >= LIMIT_SILENT_AFTER;
}

struct limit_hold limit_ask(const struct limit *limit, int64_t now_ms)
{
	const struct limit_settings *settings = &limit->settings;
	int64_t wait_ms;

	if (limit->breaker == BREAKER_HALF_OPEN)
		return (struct limit_hold){LIMIT_PROBE, INT64_MAX};
	if (limit->breaker == BREAKER_OPEN && pause_end_ms(limit, now_ms) > now_ms)
		return (struct limit_hold){LIMIT_BREAKER, pause_end_ms(limit, now_ms)};
	if (settings->window && limit->inflight >= settings->window)
		return (struct limit_hold){LIMIT_WINDOW, INT64_MAX};
	wait_ms = now_ms - limit->taken_ms;
	if (limit_silent(limit) && wait_ms >= 0 && wait_ms < LIMIT_SILENT_MS)
		return (struct limit_hold){LIMIT_SILENCE, limit->taken_ms + LIMIT_SILENT_MS};
	wait_ms = settings->rate ? token_wait_ms(limit, now_ms) : 0;
	if (wait_ms)
		return (struct limit_hold){LIMIT_RATE, now_ms + wait_ms};
	return (struct limit_hold){LIMIT_FREE, now_ms};
}

const char *limit_why_text(enum limit_why why)
{
	switch (why) {
	case LIMIT_FREE: return "";
	case LIMIT_WINDOW: return "window";
	case LIMIT_RATE: return "rate";
	case LIMIT_BREAKER: return "breaker";
	case LIMIT_PROBE: return "probe";
	case LIMIT_SILENCE: return "silence";
	case LIMIT_BUS: return "bus";
	}
	return "";
}

bool limit_take(struct limit *limit, int64_t now_ms)
{
	assert(limit_ask(limit, now_ms).why == LIMIT_FREE);
	limit->inflight++;
	limit->taken_ms = now_ms;
	if (limit->settings.rate) {
		limit->level = level_at(limit, now_ms) - limit->settings.rate_ms;
		limit->filled_ms = now_ms;
	}
	if (limit->breaker == BREAKER_CLOSED)
		return false;
	limit->breaker = BREAKER_HALF_OPEN;
	limit->probing = true;
	return true;
}

void limit_settle(struct limit *limit, int64_t now_ms, enum limit_end end, bool probe)
{
	assert(limit->inflight);
	limit->inflight--;
	if (end == LIMIT_SILENT)
		limit->n_silent += !limit_silent(limit);
	else if (end != LIMIT_UNKNOWN)
		limit->n_silent = 0;
	if (limit->settings.failures)
		note_end(limit, now_ms, end, probe);
}

bool limit_idle(const struct limit *limit, int64_t now_ms)
{
	return !limit->inflight && limit->breaker == BREAKER_CLOSED && !limit_silent(limit) &&
	       (!limit->settings.rate || level_at(limit, now_ms) == full(&limit->settings));
}
