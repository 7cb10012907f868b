#include "tests/lib/stage.h"

#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const char errand[] =
	"saga: errand\n"
	"version: 1.0.0\n"
	"steps:\n"
	"  - fetch:\n"
	"      kind: compensatable\n"
	"      call: shop.fetch\n"
	"      timeout: 1s\n"
	"      retry: { first: 100ms, factor: 2, max: 1s, jitter: none, attempts: 2 }\n"
	"      undo: { call: shop.bring, timeout: 1s }\n"
	"  - word: { await: { event: go, timeout: 2h, then: compensate } }\n";

static const char order[] = "saga: order\n"
			    "version: 1.0.0\n"
			    "key: =input.order_id\n"
			    "steps:\n"
			    "  - pay: { kind: pivot, call: shop.pay, timeout: 1s }\n";

/* A message on its way, with its texts. */
struct letter {
	struct letter *next;
	struct inbox_message message;
	size_t used;
	char texts[512];
};

/* --- writing down ------------------------------------------------------------------- */

static void say(struct stage *stage, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct stage *stage, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (stage->deaf)
		return;
	if (stage->said.len)
		bytes_text(&stage->said, "; ");
	bytes_text(&stage->said, text);
	assert(!stage->said.err);
}

const char *stage_said(struct stage *stage)
{
	bytes_add(&stage->said, '\0');
	assert(!stage->said.err);
	stage->said.len = 0;
	return stage->said.at;
}

static void keep_line(void *sink, enum log_level level, struct slice line)
{
	struct stage *stage = sink;

	snprintf(stage->logged, sizeof stage->logged, "%.*s", SLICE_ARG(line));
}

static void told(void *context, const struct answer *answer)
{
	struct stage_caller *caller = context;

	caller->n_answers++;
	caller->last = *answer;
	if (answer->err)
		say(caller->stage, "told %d %s%s%.*s", caller->number, answer->code,
		    answer->saga_id.len ? " " : "", SLICE_ARG(answer->saga_id));
	else
		say(caller->stage, "told %d %s %.*s %s", caller->number,
		    answer->created ? "created" : "ok", SLICE_ARG(answer->saga_id),
		    status_text(answer->status));
}

static void observe(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	((struct stage *)context)->n_entries += n_entries;
}

/* --- the store ---------------------------------------------------------------------- */

static struct stage *stage_of_store(struct store *base)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return (struct stage *)((char *)wrapper - offsetof(struct stage, store_wire));
}

static enum err get(struct store *base, struct slice id, struct arena *arena,
		    struct saga_row *row, struct slice *record)
{
	struct stage *stage = stage_of_store(base);

	return stage->damaged ? ERR_CORRUPT
			      : stage->tripwire_ops->get(base, id, arena, row, record);
}

static enum err commit(struct store *base, const struct store_batch *batch,
		       struct saga_write *writes, size_t n, const struct audit_entry *audit,
		       size_t n_audit)
{
	struct stage *stage = stage_of_store(base);
	enum err err = OK;

	for (size_t i = 0; i < n && stage->blind; i++)
		writes[i].result = OK;
	if (!stage->blind)
		err = stage->tripwire_ops->commit(base, batch, writes, n, audit, n_audit);

	if (err)
		say(stage, "commit fails");
	else
		say(stage, "commit %zu", n);
	return err;
}

/* --- the bus ------------------------------------------------------------------------ */

static struct stage *stage_of(struct bus *bus)
{
	return (struct stage *)((char *)bus - offsetof(struct stage, bus));
}

static enum err stage_send(struct bus *bus, const struct command_message *command)
{
	struct stage *stage = stage_of(bus);

	if (stage->busy) {
		stage->busy--;
		return ERR_BUSY;
	}
	say(stage, "send %.*s %u", SLICE_ARG(command->id), (unsigned int)command->attempt);
	return OK;
}

static bool stage_poll(struct bus *bus, struct inbox_message *out)
{
	struct stage *stage = stage_of(bus);
	struct letter *letter = *stage->unread;

	if (!letter)
		return false;
	*out = letter->message;
	stage->unread = &letter->next;
	return true;
}

static void stage_answer(struct bus *bus, uint64_t origin, const struct result_message *result)
{
	struct stage *stage = stage_of(bus);

	if (origin < STAGE_CALLERS)
		stage->callers[origin].n_answers++;
	if (result->code.len)
		say(stage, "answer %d %.*s%s%.*s", (int)origin, SLICE_ARG(result->code),
		    result->saga_id.len ? " " : "", SLICE_ARG(result->saga_id));
	else
		say(stage, "answer %d %s %.*s %.*s", (int)origin,
		    result->created ? "created" : "ok", SLICE_ARG(result->saga_id),
		    SLICE_ARG(result->status));
}

static void stage_ended(struct bus *bus, uint64_t origin, struct slice saga_id,
			struct slice status)
{
	say(stage_of(bus), "ended %d %.*s %.*s", (int)origin, SLICE_ARG(saga_id),
	    SLICE_ARG(status));
}

static void stage_acknowledge(struct bus *bus)
{
	struct stage *stage = stage_of(bus);

	if (stage->unread == &stage->letters)
		return;
	say(stage, "ack");
	while (stage->unread != &stage->letters) {
		struct letter *letter = stage->letters;

		stage->letters = letter->next;
		if (stage->unread == &letter->next)
			stage->unread = &stage->letters;
		if (stage->letters_end == &letter->next)
			stage->letters_end = &stage->letters;
		free(letter);
	}
}

static const struct bus_ops bus_ops = {
	.send = stage_send,
	.poll = stage_poll,
	.answer = stage_answer,
	.ended = stage_ended,
	.acknowledge = stage_acknowledge,
};

/* --- opening ------------------------------------------------------------------------ */

static void boot(struct stage *stage)
{
	struct engine_parts parts = {.bus = &stage->bus,
				     .clock = &stage->clock.base,
				     .log = &stage->log,
				     .live_max = stage->live_max};
	enum err err;

	stage->store = store_memory_open(stage->vault);
	parts.store = store_tripwire_init(&stage->store_wire, stage->store, &stage->wire);
	stage->tripwire_ops = stage->store_wire.base.ops;
	stage->store_ops = *stage->tripwire_ops;
	stage->store_ops.commit = commit;
	stage->store_ops.get = get;
	stage->store_wire.base.ops = &stage->store_ops;
	stage->unread = &stage->letters;
	err = desk_open(&parts, &stage->engine, NULL);
	if (!err)
		err = desk_deploy_text(stage->engine, errand);
	if (!err)
		err = desk_deploy_text(stage->engine, order);
	assert(!err);
	engine_observe(stage->engine, observe, stage);
}

void stage_open(struct stage *stage)
{
	*stage = (struct stage){
		.wire.calls_left = -1, .bus.ops = &bus_ops, .said = BYTES(1 << 20, NULL)};
	clock_sim_init(&stage->clock, 1700000000000);
	stage->log = (struct log){LOG_LEVEL_DEBUG, keep_line, stage};
	stage->letters_end = &stage->letters;
	for (int i = 0; i < STAGE_CALLERS; i++)
		stage->callers[i] = (struct stage_caller){.stage = stage, .number = i};
	stage->vault = vault_new();
	boot(stage);
}

static void shut(struct stage *stage)
{
	engine_close(stage->engine);
	store_close(stage->store);
}

void stage_close(struct stage *stage)
{
	shut(stage);
	vault_free(stage->vault);
	while (stage->letters) {
		struct letter *letter = stage->letters;

		stage->letters = letter->next;
		free(letter);
	}
	bytes_release(&stage->said);
	arena_release(&stage->arena);
}

void stage_restart(struct stage *stage)
{
	shut(stage);
	stage->wire = (struct tripwire){.calls_left = -1};
	boot(stage);
}

/* --- turns -------------------------------------------------------------------------- */

enum err stage_turn(struct stage *stage)
{
	size_t n;

	return engine_turn(stage->engine, &n);
}

void stage_turns(struct stage *stage)
{
	enum err err;
	size_t n;

	do {
		err = engine_turn(stage->engine, &n);
		assert(!err);
	} while (n || !engine_wake_ms(stage->engine));
}

void stage_advance(struct stage *stage, int64_t ms)
{
	clock_sim_advance(&stage->clock, ms);
}

void stage_trip(struct stage *stage, enum tripwire_effect effect, long n)
{
	stage->wire = (struct tripwire){.effect = effect, .calls_left = n};
}

/* --- messages ----------------------------------------------------------------------- */

static void own(struct letter *letter, struct slice *text)
{
	char *copy = letter->texts + letter->used;

	assert(letter->used + text->len <= sizeof letter->texts);
	if (text->len)
		memcpy(copy, text->at, text->len);
	text->at = copy;
	letter->used += text->len;
}

static void own_start(struct letter *letter, struct start_message *start)
{
	own(letter, &start->saga);
	own(letter, &start->version);
	own(letter, &start->id);
	own(letter, &start->key);
	own(letter, &start->input);
	own(letter, &start->actor);
}

static void own_signal(struct letter *letter, struct signal_message *signal)
{
	own(letter, &signal->saga_id);
	own(letter, &signal->event);
	own(letter, &signal->id);
	own(letter, &signal->payload);
	own(letter, &signal->actor);
}

static struct letter *post(struct stage *stage, enum inbox_type type, uint64_t origin)
{
	struct letter *letter = calloc(1, sizeof *letter);

	assert(letter);
	letter->message = (struct inbox_message){.type = type, .origin = origin};
	*stage->letters_end = letter;
	stage->letters_end = &letter->next;
	return letter;
}

void stage_mail_start(struct stage *stage, uint64_t origin, bool watch,
		      struct start_message start)
{
	struct letter *letter = post(stage, INBOX_START, origin);

	letter->message.watch = watch;
	letter->message.start = start;
	own_start(letter, &letter->message.start);
}

void stage_mail_signal(struct stage *stage, uint64_t origin, struct signal_message signal)
{
	struct letter *letter = post(stage, INBOX_SIGNAL, origin);

	letter->message.signal = signal;
	own_signal(letter, &letter->message.signal);
}

void stage_mail_reply(struct stage *stage, const char *command, enum message_outcome outcome,
		      const char *output)
{
	struct letter *letter = post(stage, INBOX_REPLY, 0);

	letter->message.reply = (struct reply_message){.id = slice_of(command),
						       .attempt = 1,
						       .outcome = outcome,
						       .output = slice_of(output)};
	own(letter, &letter->message.reply.id);
	own(letter, &letter->message.reply.output);
}

/* --- calls -------------------------------------------------------------------------- */

/* The texts are those of a letter that is torn up after the call. */
static struct letter *draft(struct letter *letter)
{
	memset(letter, 0, sizeof *letter);
	return letter;
}

static void tear_up(struct letter *letter)
{
	memset(letter, '?', sizeof *letter);
}

void stage_start(struct stage *stage, int caller, struct start_message start)
{
	struct letter letter;

	own_start(draft(&letter), &start);
	engine_start(stage->engine, &start, told, &stage->callers[caller]);
	tear_up(&letter);
}

void stage_signal(struct stage *stage, int caller, struct signal_message signal)
{
	struct letter letter;

	own_signal(draft(&letter), &signal);
	engine_signal(stage->engine, &signal, told, &stage->callers[caller]);
	tear_up(&letter);
}

void stage_operate(struct stage *stage, int caller, struct operation operation)
{
	struct letter letter;

	draft(&letter);
	own(&letter, &operation.saga_id);
	own(&letter, &operation.step);
	own(&letter, &operation.output);
	own(&letter, &operation.actor);
	own(&letter, &operation.reason);
	engine_operate(stage->engine, &operation, told, &stage->callers[caller]);
	tear_up(&letter);
}

struct start_message stage_errand(const char *id, const char *input)
{
	return (struct start_message){
		.saga = SLICE_LITERAL("errand"), .id = slice_of(id), .input = slice_of(input)};
}

struct start_message stage_order(const char *id, const char *input)
{
	return (struct start_message){
		.saga = SLICE_LITERAL("order"), .id = slice_of(id), .input = slice_of(input)};
}

struct signal_message stage_go(const char *saga_id, const char *signal_id)
{
	return (struct signal_message){.saga_id = slice_of(saga_id),
				       .event = SLICE_LITERAL("go"),
				       .id = slice_of(signal_id)};
}

bool stage_stored(struct stage *stage, const char *id, struct saga_row *row,
		  struct timeline *timeline)
{
	struct slice record, bytes, entries;
	enum err err;

	arena_reset(&stage->arena);
	err = store_get(stage->store, slice_of(id), &stage->arena, row, &record);
	if (err)
		return false;
	err = record_split(record, &bytes, &entries);
	if (!err)
		err = timeline_read(entries, timeline, NULL);
	assert(!err);
	return true;
}
