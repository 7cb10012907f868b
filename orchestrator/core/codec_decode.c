#include "base/crc32c.h"
#include "base/pack.h"
#include "orchestrator/core/codec.h"
#include "orchestrator/core/codec_format.h"

#include <inttypes.h>

struct decoder {
	struct unpack in;
	struct arena *arena;
	int64_t origin_ms;
	bool no_memory;
	int format;
};

static const char out_of_range[] = "is out of range";

/* A number that is there because it is not zero. */
static uint64_t get_nonzero(struct decoder *decoder, uint64_t max, const char *what)
{
	size_t where = decoder->in.at;
	uint64_t number = unpack_number(&decoder->in, max, what);

	if (number == 0)
		unpack_reject(&decoder->in, where, what, "is zero");
	return number;
}

static int64_t get_time(struct decoder *decoder, const char *what)
{
	return unpack_time(&decoder->in, decoder->origin_ms, what);
}

static int64_t get_nonzero_time(struct decoder *decoder, const char *what)
{
	size_t where = decoder->in.at;
	int64_t time_ms = get_time(decoder, what);

	if (time_ms == 0)
		unpack_reject(&decoder->in, where, what, "is zero");
	return time_ms;
}

static struct slice get_payload(struct decoder *decoder, const char *what)
{
	size_t where = decoder->in.at;
	struct slice payload = unpack_slice(&decoder->in, TEXT_LIMIT, what);

	if (payload.len == 0)
		unpack_reject(&decoder->in, where, what, "is empty");
	return payload;
}

static void *get_memory(struct decoder *decoder, size_t n, size_t size)
{
	void *memory = n ? arena_array(decoder->arena, n, size) : NULL;

	if (n && !memory) {
		decoder->no_memory = true;
		unpack_reject(&decoder->in, decoder->in.at, "it", "needs more memory");
	}
	return memory;
}

static const struct error *get_error(struct decoder *decoder)
{
	struct error *error = get_memory(decoder, 1, sizeof *error);

	if (error) {
		error->code = unpack_slice(&decoder->in, TEXT_LIMIT, "the code of an error");
		error->message =
			unpack_slice(&decoder->in, TEXT_LIMIT, "the message of an error");
	}
	return error;
}

static unsigned field(uint64_t head, unsigned shift, unsigned n_bits)
{
	return (unsigned)(head >> shift & ((1u << n_bits) - 1));
}

static uint64_t get_step_head(struct decoder *decoder, struct step *step)
{
	static const char what[] = "the head of a step";
	size_t where = decoder->in.at;
	uint64_t head = unpack_number(&decoder->in, STEP_HEAD_MAX, what);
	unsigned state = field(head, STEP_HEAD_STATE, STEP_HEAD_STATE_BITS);
	unsigned flags = field(head, STEP_HEAD_FLAGS, STEP_HEAD_FLAGS_BITS);
	unsigned verb = field(head, STEP_HEAD_VERB, STEP_HEAD_VERB_BITS);
	unsigned why = field(head, STEP_HEAD_WHY, STEP_HEAD_WHY_BITS);

	if (state >= STEP_STATES || (flags & ~(unsigned)STEP_FLAGS) || verb > VERB_REVOKE ||
	    why > (decoder->format == 1 ? (unsigned)WHY_TIMEOUT : (unsigned)WHY_KILLED)) {
		unpack_reject(&decoder->in, where, what, out_of_range);
		return 0;
	}
	step->state = (uint8_t)state;
	step->flags = (uint8_t)flags;
	step->verb = (uint8_t)verb;
	step->why = (uint8_t)why;
	return head;
}

static void get_step(struct decoder *decoder, struct step *step)
{
	uint64_t head = get_step_head(decoder, step);

	if (head & STEP_HEAD_STARTED)
		step->started_ms = get_nonzero_time(decoder, "the start of a step");
	if (head & STEP_HEAD_ENDED)
		step->ended_ms = get_nonzero_time(decoder, "the end of a step");
	if (head & STEP_HEAD_ATTEMPT)
		step->attempt = (uint32_t)get_nonzero(decoder, UINT32_MAX, "an attempt");
	if (head & STEP_HEAD_OUTPUT)
		step->output = get_payload(decoder, "the output of a step");
	if (head & STEP_HEAD_DUE)
		step->due_ms = get_nonzero_time(decoder, "the timer of a step");
	if (head & STEP_HEAD_BUDGET)
		step->budget_ms = get_nonzero_time(decoder, "the budget of a step");
	if (head & STEP_HEAD_ERROR)
		step->error = get_error(decoder);
	if (head & STEP_HEAD_DO_ROUND)
		step->do_round = (uint16_t)get_nonzero(decoder, ROUNDS_MAX, "a round");
	if (head & STEP_HEAD_UNDO_ROUND)
		step->undo_round = (uint16_t)get_nonzero(decoder, ROUNDS_MAX, "a round");
	if (head & STEP_HEAD_BASE)
		step->base = (uint32_t)get_nonzero(decoder, UINT32_MAX, "attempts before");
}

static void get_steps(struct decoder *decoder, struct saga *saga)
{
	struct unpack *in = &decoder->in;
	uint32_t max = decoder->format == 1 ? STEPS_MAX : INSTANCES_MAX;
	uint32_t n = (uint32_t)unpack_number(in, max, "the number of steps");

	saga->steps = get_memory(decoder, n, sizeof *saga->steps);
	for (uint32_t i = 0; i < n && !in->what; i++)
		get_step(decoder, &saga->steps[i]);
	saga->n_steps = n;
}

static void get_signals(struct decoder *decoder, struct saga *saga)
{
	struct unpack *in = &decoder->in;
	uint32_t n = (uint32_t)unpack_number(in, SIGNALS_MAX, "the number of signals");
	struct signal *signals = get_memory(decoder, n, sizeof *signals);

	for (uint32_t i = 0; i < n && !in->what; i++) {
		uint64_t head;

		signals[i].id = unpack_slice(in, TEXT_LIMIT, "the id of a signal");
		signals[i].event = unpack_slice(in, TEXT_LIMIT, "the event of a signal");
		head = unpack_number(in, SIGNAL_HEAD_MAX, "the head of a signal");
		signals[i].used = head & SIGNAL_HEAD_USED;
		if (head & SIGNAL_HEAD_PAYLOAD)
			signals[i].payload = get_payload(decoder, "the payload of a signal");
	}
	saga->signals = signals;
	saga->n_signals = n;
}

static void get_expansion(struct decoder *decoder, struct expansion *expansion,
			  uint32_t n_steps)
{
	struct unpack *in = &decoder->in;
	size_t where = in->at;
	struct slice *items;

	expansion->step = (uint32_t)unpack_number(in, n_steps, "the step of a list");
	expansion->first = (uint32_t)unpack_number(in, n_steps, "the place of elements");
	expansion->n = (uint32_t)get_nonzero(decoder, EACH_MAX, "the number of elements");
	if (expansion->step == n_steps)
		unpack_reject(in, where, "the step of a list", out_of_range);
	items = get_memory(decoder, in->what ? 0 : expansion->n, sizeof *items);
	for (uint32_t n = 0; items && n < expansion->n && !in->what; n++)
		items[n] = get_payload(decoder, "an element");
	expansion->items = items;
}

/* What format 2 has more. */
static void get_more(struct decoder *decoder, struct saga *saga)
{
	static const char parent[] = "the saga's parent";
	struct unpack *in = &decoder->in;
	size_t where = in->at;
	struct expansion *expansions;
	uint32_t n;

	saga->parent = unpack_slice(in, SAGA_ID_MAX, parent);
	if (!in->what && saga->parent.len && !saga_id_valid(saga->parent))
		unpack_reject(in, where, parent, "is no id that a saga can have");
	n = (uint32_t)unpack_number(in, STEPS_MAX, "the number of lists");
	expansions = get_memory(decoder, n, sizeof *expansions);
	for (uint32_t i = 0; i < n && !in->what; i++)
		get_expansion(decoder, &expansions[i], saga->n_steps);
	saga->expansions = expansions;
	saga->n_expansions = n;
	if (!in->what && saga_format(saga) != decoder->format)
		unpack_reject(in, 0, "the format", "is newer than what it holds");
}

static void get_failure(struct decoder *decoder, uint64_t head, struct saga *saga)
{
	static const char what[] = "the step that failed";
	size_t where = decoder->in.at;

	saga->failure_step = NO_STEP;
	if (head & SAGA_HEAD_FAILURE_STEP) {
		saga->failure_step = (uint32_t)unpack_number(&decoder->in, INSTANCES_MAX, what);
		if (saga->failure_step >= saga->n_steps)
			unpack_reject(&decoder->in, where, what, out_of_range);
	}
	if (head & SAGA_HEAD_FAILURE)
		saga->failure = get_error(decoder);
}

static uint64_t get_saga_head(struct decoder *decoder, struct saga *saga)
{
	static const char what[] = "the head of the saga";
	size_t where = decoder->in.at;
	uint64_t head = unpack_number(&decoder->in, SAGA_HEAD_MAX, what);
	unsigned phase = field(head, SAGA_HEAD_PHASE, SAGA_HEAD_PHASE_BITS);
	unsigned flags = field(head, SAGA_HEAD_FLAGS, SAGA_HEAD_FLAGS_BITS);

	if (phase > PHASE_KILLED || (flags & ~(unsigned)SAGA_FLAGS)) {
		unpack_reject(&decoder->in, where, what, out_of_range);
		return 0;
	}
	saga->phase = (uint8_t)phase;
	saga->flags = (uint8_t)flags;
	return head;
}

static void get_saga(struct decoder *decoder, struct saga *saga)
{
	static const char id[] = "the saga's id";
	struct unpack *in = &decoder->in;
	size_t where = in->at;
	uint64_t head;

	saga->id = unpack_slice(in, SAGA_ID_MAX, id);
	if (!in->what && !saga_id_valid(saga->id))
		unpack_reject(in, where, id, "is none that a saga can have");
	head = get_saga_head(decoder, saga);
	saga->key = unpack_slice(in, KEY_MAX, "the saga's key");
	saga->revision = get_nonzero(decoder, UINT64_MAX, "the revision");
	saga->started_ms = unpack_signed(in, "the saga's start");
	decoder->origin_ms = saga->started_ms;
	saga->updated_ms = get_time(decoder, "the saga's last change");
	if (head & SAGA_HEAD_ENDED)
		saga->ended_ms = get_nonzero_time(decoder, "the saga's end");
	if (head & SAGA_HEAD_DEADLINE)
		saga->deadline_ms = get_nonzero_time(decoder, "the deadline");
	saga->input = unpack_slice(in, TEXT_LIMIT, "the input");
	saga->output = unpack_slice(in, TEXT_LIMIT, "the saga's output");
	get_steps(decoder, saga);
	get_failure(decoder, head, saga);
	get_signals(decoder, saga);
	if (decoder->format > 1)
		get_more(decoder, saga);
	if (!unpack_done(in))
		unpack_reject(in, in->at, "the end", "is followed by more bytes");
}

/* Whether these are whole bytes of a format that is known; *body is then what
 * lies between the version and the checksum. */
static enum err open_bytes(struct slice bytes, struct slice *body, struct diag *diag)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	uint32_t stored = 0;
	uint32_t checksum;

	/* Before all else: another format may have another checksum. */
	if (bytes.len > 0 && at[0] > SAGA_FORMAT)
		return diag_set(diag, ERR_INVALID,
				"the saga is in format %u, of a newer skald; this one reads "
				"formats up to %d: run the newer one",
				at[0], SAGA_FORMAT);
	if (bytes.len < 1 + SHA256_SIZE + CHECKSUM_SIZE || bytes.len > SAGA_BYTES_MAX ||
	    at[0] == 0)
		return diag_set(diag, ERR_CORRUPT,
				"the saga's %zu bytes are not a saga: restore them from a "
				"backup",
				bytes.len);
	bytes.len -= CHECKSUM_SIZE;
	for (int i = 0; i < CHECKSUM_SIZE; i++)
		stored |= (uint32_t)at[bytes.len + (size_t)i] << (8 * i);
	checksum = crc32c(bytes);
	if (stored != checksum)
		return diag_set(diag, ERR_CORRUPT,
				"the saga's bytes are damaged (checksum %08" PRIx32
				" instead of %08" PRIx32 "): restore them from a backup",
				checksum, stored);
	*body = (struct slice){bytes.at + 1, bytes.len - 1};
	return OK;
}

enum err saga_decode(struct slice bytes, struct arena *arena, struct saga *out,
		     uint8_t hash[SHA256_SIZE], struct diag *diag)
{
	struct decoder decoder = {.arena = arena};
	struct slice body = {0};
	struct slice definition;
	struct saga saga = {0};
	enum err err;

	err = open_bytes(bytes, &body, diag);
	if (err)
		return err;
	decoder.format = (unsigned char)bytes.at[0];
	decoder.in = unpack_begin(body);
	definition = unpack_raw(&decoder.in, SHA256_SIZE, "the hash");
	get_saga(&decoder, &saga);
	if (decoder.no_memory)
		return diag_set(diag, ERR_NOMEM, "out of memory for a saga of %zu bytes",
				bytes.len);
	if (decoder.in.what)
		return diag_set(diag, ERR_CORRUPT,
				"the saga's bytes are damaged at byte %zu (%s %s): restore "
				"them from a backup",
				decoder.in.where + 1, decoder.in.what, decoder.in.how);
	memcpy(hash, definition.at, SHA256_SIZE);
	*out = saga;
	return OK;
}
