#include "base/crc32c.h"
#include "base/pack.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/core/codec_format.h"

#include <assert.h>

struct encoder {
	struct pack pack;
	int64_t origin_ms;
};

static void put_text(struct encoder *encoder, struct slice text, size_t max)
{
	struct bytes *out = encoder->pack.out;

	if (text.len <= max)
		pack_slice(&encoder->pack, text);
	else if (!out->err)
		out->err = ERR_TOO_LARGE;
}

static void put_time(struct encoder *encoder, int64_t time_ms)
{
	pack_time(&encoder->pack, time_ms, encoder->origin_ms);
}

static void put_error(struct encoder *encoder, const struct error *error)
{
	put_text(encoder, error->code, TEXT_LIMIT);
	put_text(encoder, error->message, TEXT_LIMIT);
}

static uint32_t step_head(const struct step *step)
{
	uint32_t head = (uint32_t)step->state << STEP_HEAD_STATE |
			(uint32_t)step->flags << STEP_HEAD_FLAGS |
			(uint32_t)step->verb << STEP_HEAD_VERB |
			(uint32_t)step->why << STEP_HEAD_WHY;

	head |= step->started_ms ? STEP_HEAD_STARTED : 0;
	head |= step->ended_ms ? STEP_HEAD_ENDED : 0;
	head |= step->attempt ? STEP_HEAD_ATTEMPT : 0;
	head |= step->output.len ? STEP_HEAD_OUTPUT : 0;
	head |= step->due_ms ? STEP_HEAD_DUE : 0;
	head |= step->budget_ms ? STEP_HEAD_BUDGET : 0;
	head |= step->error ? STEP_HEAD_ERROR : 0;
	head |= step->do_round ? STEP_HEAD_DO_ROUND : 0;
	head |= step->undo_round ? STEP_HEAD_UNDO_ROUND : 0;
	head |= step->base ? STEP_HEAD_BASE : 0;
	return head;
}

static void put_step(struct encoder *encoder, const struct step *step)
{
	struct pack *pack = &encoder->pack;

	assert(step->state < STEP_STATES && step->verb <= VERB_REVOKE);
	assert(step->why <= WHY_KILLED && (step->flags & ~STEP_FLAGS) == 0);
	pack_number(pack, step_head(step));
	if (step->started_ms)
		put_time(encoder, step->started_ms);
	if (step->ended_ms)
		put_time(encoder, step->ended_ms);
	if (step->attempt)
		pack_number(pack, step->attempt);
	if (step->output.len)
		put_text(encoder, step->output, TEXT_LIMIT);
	if (step->due_ms)
		put_time(encoder, step->due_ms);
	if (step->budget_ms)
		put_time(encoder, step->budget_ms);
	if (step->error)
		put_error(encoder, step->error);
	if (step->do_round)
		pack_number(pack, step->do_round);
	if (step->undo_round)
		pack_number(pack, step->undo_round);
	if (step->base)
		pack_number(pack, step->base);
}

static void put_signals(struct encoder *encoder, const struct saga *saga)
{
	pack_number(&encoder->pack, saga->n_signals);
	for (uint32_t i = 0; i < saga->n_signals; i++) {
		const struct signal *signal = &saga->signals[i];
		uint32_t head = 0;

		head |= signal->used ? SIGNAL_HEAD_USED : 0;
		head |= signal->payload.len ? SIGNAL_HEAD_PAYLOAD : 0;
		put_text(encoder, signal->id, TEXT_LIMIT);
		put_text(encoder, signal->event, TEXT_LIMIT);
		pack_number(&encoder->pack, head);
		if (signal->payload.len)
			put_text(encoder, signal->payload, TEXT_LIMIT);
	}
}

static void put_expansions(struct encoder *encoder, const struct saga *saga)
{
	struct pack *pack = &encoder->pack;

	pack_number(pack, saga->n_expansions);
	for (uint32_t i = 0; i < saga->n_expansions; i++) {
		const struct expansion *expansion = &saga->expansions[i];

		pack_number(pack, expansion->step);
		pack_number(pack, expansion->first);
		pack_number(pack, expansion->n);
		for (uint32_t n = 0; n < expansion->n; n++)
			put_text(encoder, expansion->items[n], TEXT_LIMIT);
	}
}

static void put_saga(struct encoder *encoder, const struct saga *saga, int format)
{
	struct pack *pack = &encoder->pack;
	uint32_t head = (uint32_t)saga->phase << SAGA_HEAD_PHASE | (uint32_t)saga->flags
									   << SAGA_HEAD_FLAGS;

	head |= saga->ended_ms ? SAGA_HEAD_ENDED : 0;
	head |= saga->deadline_ms ? SAGA_HEAD_DEADLINE : 0;
	head |= saga->failure_step != NO_STEP ? SAGA_HEAD_FAILURE_STEP : 0;
	head |= saga->failure ? SAGA_HEAD_FAILURE : 0;
	put_text(encoder, saga->id, SAGA_ID_MAX);
	pack_number(pack, head);
	put_text(encoder, saga->key, KEY_MAX);
	pack_number(pack, saga->revision);
	pack_signed(pack, saga->started_ms);
	put_time(encoder, saga->updated_ms);
	if (saga->ended_ms)
		put_time(encoder, saga->ended_ms);
	if (saga->deadline_ms)
		put_time(encoder, saga->deadline_ms);
	put_text(encoder, saga->input, TEXT_LIMIT);
	put_text(encoder, saga->output, TEXT_LIMIT);
	pack_number(pack, saga->n_steps);
	for (uint32_t i = 0; i < saga->n_steps; i++)
		put_step(encoder, &saga->steps[i]);
	if (saga->failure_step != NO_STEP)
		pack_number(pack, saga->failure_step);
	if (saga->failure)
		put_error(encoder, saga->failure);
	put_signals(encoder, saga);
	if (format == 1)
		return;
	put_text(encoder, saga->parent, SAGA_ID_MAX);
	put_expansions(encoder, saga);
}

enum err saga_encode(const struct saga *saga, const uint8_t hash[SHA256_SIZE],
		     struct bytes *out)
{
	struct encoder encoder;
	int format = saga_format(saga);
	size_t begin = out->len;
	char sum_bytes[CHECKSUM_SIZE];
	uint32_t checksum;

	assert(saga_id_valid(saga->id) && saga->revision >= 1);
	assert(saga->phase <= PHASE_KILLED && (saga->flags & ~SAGA_FLAGS) == 0);
	assert(saga->n_steps <= (format == 1 ? STEPS_MAX : INSTANCES_MAX) &&
	       saga->n_signals <= SIGNALS_MAX);
	assert(saga->failure_step == NO_STEP || saga->failure_step < saga->n_steps);
	pack_begin(&encoder.pack, out);
	encoder.origin_ms = saga->started_ms;
	pack_number(&encoder.pack, (uint64_t)format);
	pack_raw(&encoder.pack, (struct slice){(const char *)hash, SHA256_SIZE});
	put_saga(&encoder, saga, format);
	pack_end(&encoder.pack);
	if (out->err)
		return out->err;

	checksum = crc32c((struct slice){out->at + begin, out->len - begin});
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		sum_bytes[i] = (char)(checksum >> (8 * i) & 255);
	bytes_append(out, (struct slice){sum_bytes, sizeof sum_bytes});
	if (!out->err && out->len - begin > SAGA_BYTES_MAX)
		out->err = ERR_TOO_LARGE;
	return out->err;
}
