#include "orchestrator/core/decide.h"

#include <assert.h>

enum { MILLION = 1000000 };

__extension__ typedef __int128 wide;

/* What a decision can note at most is a few entries per step; the array grows
 * by doubling and is the caller's with the effects. */
void note(struct decision *d, enum entry_type type, uint32_t step, struct slice detail)
{
	struct effects *effects = d->effects;
	const struct step *about = step == NO_STEP ? NULL : step_of(d, step);
	struct entry *grown;

	if (effects->n_entries == d->entries_capacity) {
		uint32_t capacity = d->entries_capacity ? d->entries_capacity * 2 : 8;

		grown = arena_array(d->arena, capacity, sizeof *grown);
		if (!grown) {
			d->nomem = true;
			return;
		}
		if (effects->n_entries)
			memcpy(grown, effects->entries, effects->n_entries * sizeof *grown);
		effects->entries = grown;
		d->entries_capacity = capacity;
	}
	effects->entries[effects->n_entries++] = (struct entry){
		.at_ms = d->at_ms,
		.type = type,
		.step = step,
		.verb = about ? (enum verb)about->verb : VERB_DO,
		.attempt = about ? about->attempt : 0,
		.detail = detail,
		.actor = d->actor,
	};
}

const struct error *make_error(struct decision *d, struct slice code, struct slice message)
{
	struct error *error = arena_alloc(d->arena, sizeof *error);

	if (!error) {
		d->nomem = true;
		return NULL;
	}
	*error = (struct error){code, message};
	return error;
}

const struct retry *retry_policy(const struct step_definition *definition, enum verb verb)
{
	switch (verb) {
	case VERB_DO: return &definition->call.retry;
	case VERB_UNDO: return &definition->undo.retry;
	case VERB_REVOKE: return &retry_default_undo;
	}
	assert(!"verb");
	return NULL;
}

void begin_command(struct decision *d, uint32_t i, enum verb verb)
{
	struct step *step = step_of(d, i);

	step->verb = (uint8_t)verb;
	step->attempt = 0;
	step->base = 0;
	step->budget_ms = 0;
	send_attempt(d, i);
}

void send_attempt(struct decision *d, uint32_t i)
{
	struct step *step = step_of(d, i);
	bool undo = step->verb == VERB_UNDO;

	step->why = WHY_NOTHING;
	if (d->saga->flags & SAGA_PAUSED) {
		/* Nothing else begins then. */
		assert(step->verb == VERB_REVOKE);
		step->state = STEP_BACKOFF;
		step->due_ms = d->at_ms + 1;
		return;
	}
	step->state = undo ? STEP_UNDOING : STEP_RUNNING;
	step->attempt++;
	step->due_ms = 0;
	if (!step->started_ms)
		step->started_ms = d->at_ms;
	if (step->verb == VERB_DO)
		step->flags |= FLAG_TOUCHED;
	note(d, ENTRY_SENT, i, (struct slice){0});
}

bool back_off(struct decision *d, uint32_t i, int64_t sent_ms)
{
	struct step *step = step_of(d, i);
	const struct retry *retry = retry_policy(definition_of(d, i), (enum verb)step->verb);
	uint32_t failures = step->attempt - step->base;
	char id[COMMAND_ID_MAX];
	uint64_t seed = step->attempt;
	int64_t delay_ms;
	size_t len;

	if (!step->budget_ms)
		step->budget_ms = sent_ms ? sent_ms : d->at_ms;
	len = command_id(d->definition, d->saga->id, saga_instance(d->definition, d->saga, i),
			 present_round(step), (enum verb)step->verb, id);
	for (size_t n = 0; n < len; n++) /* FNV-1a: every command has a jitter of its own */
		seed = (seed ^ (unsigned char)id[n]) * 1099511628211u;
	delay_ms = retry_delay_ms(retry, failures, seed);
	if (step->attempt >= ATTEMPTS_MAX || (retry->attempts && failures >= retry->attempts) ||
	    (retry->budget_ms && d->at_ms - step->budget_ms + delay_ms >= retry->budget_ms))
		return false;
	step->state = step->verb == VERB_UNDO ? STEP_UNDO_BACKOFF : STEP_BACKOFF;
	step->due_ms = d->at_ms + delay_ms;
	return true;
}

void park(struct decision *d, uint32_t i, enum why why)
{
	struct step *step = step_of(d, i);

	step->state = STEP_PARKED;
	step->why = (uint8_t)why;
	step->due_ms = 0;
	note(d, ENTRY_PARKED, i, slice_of(why_text(why)));
}

enum err evaluate(struct decision *d, uint32_t i, enum purpose purpose, struct json *out)
{
	struct failure_text failure = {.text = ""};
	struct slice text;
	enum err err;

	err = d->evaluator->evaluate(d->evaluator, d->definition, d->saga, i, purpose, d->arena,
				     out, &failure);
	switch (err) {
	case OK: return OK;
	case ERR_INVALID:
		if (!failure_tell(&failure, d->arena, &text)) {
			d->nomem = true;
			return ERR_NOMEM;
		}
		if (i != NO_STEP)
			step_of(d, i)->error = make_error(d, SLICE_LITERAL("expression"), text);
		note(d, ENTRY_ERROR, i, text);
		return ERR_INVALID;
	default: d->nomem = true; return ERR_NOMEM;
	}
}

/* The saga may have more steps than when the first arguments were kept. */
static bool make_room_for_args(struct decision *d)
{
	struct slice *args;

	if (d->args && d->n_args == d->saga->n_steps)
		return true;
	args = arena_array(d->arena, d->saga->n_steps, sizeof *args);
	if (!args) {
		d->nomem = true;
		return false;
	}
	if (d->args)
		memcpy(args, d->args, d->n_args * sizeof *args);
	d->args = args;
	d->n_args = d->saga->n_steps;
	return true;
}

enum err evaluate_args(struct decision *d, uint32_t i, enum purpose purpose)
{
	struct json args = {0}, key;
	enum err err;

	if (!make_room_for_args(d))
		return ERR_NOMEM;
	err = evaluate(d, i, purpose, &args);
	d->args[i] = args.text;
	if (!err && purpose == PURPOSE_WITH && definition_of(d, i)->child_key)
		err = evaluate(d, i, PURPOSE_KEY, &key);
	return err;
}

static int64_t saturated(wide value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int64_t scaled(int64_t value, int64_t millionths)
{
	return saturated((wide)value * millionths / MILLION);
}

/* first * factor^(failures - 1), at most max; a power of fixed point, so that it is
 * the same everywhere and cannot overflow. */
static int64_t grown_delay_ms(const struct retry *retry, uint32_t failures)
{
	wide millionths = retry->factor.coefficient;
	int64_t factor, power = MILLION;
	int64_t delay_ms = retry->first_ms > 0 ? retry->first_ms : 1;

	for (unsigned scale = retry->factor.scale; scale > 6; scale--)
		millionths /= 10;
	for (unsigned scale = retry->factor.scale; scale < 6; scale++)
		millionths *= 10;
	factor = saturated(millionths);
	for (uint32_t n = failures - 1; n; n >>= 1) {
		if (n & 1)
			power = scaled(power, factor);
		factor = scaled(factor, factor);
	}
	delay_ms = scaled(delay_ms, power);
	if (delay_ms > retry->max_ms)
		delay_ms = retry->max_ms;
	return delay_ms > 0 ? delay_ms : 1;
}

int64_t retry_delay_ms(const struct retry *retry, uint32_t failures, uint64_t seed)
{
	int64_t delay_ms = grown_delay_ms(retry, failures);

	if (!retry->full_jitter)
		return delay_ms;
	/* splitmix64: neighbouring seeds give unrelated delays. */
	seed += 0x9e3779b97f4a7c15u;
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
	seed = (seed ^ seed >> 27) * 0x94d049bb133111ebu;
	seed ^= seed >> 31;
	return 1 + (int64_t)(seed % (uint64_t)delay_ms);
}
