/* letters.c - the bus of a run: messages get lost, arrive twice and late, as the
 * faults say. What the orchestrator did not acknowledge comes again to the next one. */
#include "orchestrator/simulate/world.h"

#include "proto/message_copy.h"

#include <stdio.h>
#include <stdlib.h>

enum { DIRECTIONS = 2 };

/* --- letters --------------------------------------------------------------------------- */

static struct letter *letter_new(struct world *world)
{
	struct letter *letter = calloc(1, sizeof *letter);

	if (!letter) {
		world_fail(world, ERR_NOMEM);
		return NULL;
	}
	letter->world = world;
	letter->next = world->letters;
	letter->link = &world->letters;
	if (letter->next)
		letter->next->link = &letter->next;
	world->letters = letter;
	return letter;
}

void letter_free(struct letter *letter)
{
	*letter->link = letter->next;
	if (letter->next)
		letter->next->link = letter->link;
	free(letter->command);
	free(letter->reply);
	free(letter);
}

static void queue_add(struct queue *queue, struct letter *letter)
{
	if (!queue->first)
		queue->end = &queue->first;
	letter->queued = NULL;
	*queue->end = letter;
	queue->end = &letter->queued;
}

static struct letter *queue_take(struct queue *queue)
{
	struct letter *letter = queue->first;

	if (letter)
		queue->first = letter->queued;
	return letter;
}

void letters_return(struct world *world)
{
	struct queue all = {0};
	struct letter *letter;

	while ((letter = queue_take(&world->polled)))
		queue_add(&all, letter);
	while ((letter = queue_take(&world->inbox)))
		queue_add(&all, letter);
	while ((letter = queue_take(&all)))
		queue_add(&world->inbox, letter);
}

void letters_release(struct world *world)
{
	while (world->letters)
		letter_free(world->letters);
}

/* --- what becomes of a message --------------------------------------------------------- */

struct fate {
	bool lost;
	uint32_t copies;
	int64_t late_ms; /* of the last copy */
};

/* The same for the same attempt, but for one that the next orchestrator sends again. */
static struct fate fate_of(struct world *world, bool reply, struct slice id, uint64_t number)
{
	struct fate fate = {.copies = 1};
	uint64_t n = ((world->lives << 32) + number) * DIRECTIONS + reply;

	world->run->messages++;
	fate.lost = world_fault(world, FAULT_DROP, id, n, NULL);
	fate.copies += world_fault(world, FAULT_DUP, id, n, NULL);
	if (!world_fault(world, FAULT_DELAY, id, n, &fate.late_ms))
		fate.late_ms = 0;
	if (fate.copies > 1 && !fate.late_ms)
		fate.late_ms = TRANSIT_MS;
	return fate;
}

static void note_fate(struct world *world, uint32_t from, uint32_t to, const struct fate *fate,
		      const char *text)
{
	char late[DIAG_MAX];

	time_text(fate->late_ms, late);
	if (fate->lost)
		tell_lost(world, from, to, "%s (lost)", text);
	else if (fate->copies > 1)
		tell(world, from, to, "%s (twice, %s apart)", text, late);
	else if (fate->late_ms)
		tell(world, from, to, "%s (%s late)", text, late);
	else
		tell(world, from, to, "%s", text);
}

/* --- commands -------------------------------------------------------------------------- */

static void post_command(struct world *world, struct service *service,
			 const struct command_message *command, uint32_t copy, int64_t late_ms)
{
	struct letter *letter = letter_new(world);

	if (!letter)
		return;
	letter->service = service;
	letter->copy = copy;
	letter->command = command_message_copy(command);
	if (!letter->command)
		world_fail(world, ERR_NOMEM);
	agenda_add(&world->agenda, world_now_ms(world) + TRANSIT_MS + late_ms, service_arrive,
		   letter, 0);
}

static void note_command(struct world *world, const struct service *service,
			 const struct command_message *command, const struct fate *fate)
{
	char text[DIAG_MAX];
	struct address at;

	if (!world->transcript || !address_parse(command->id, &at))
		return;
	(void)snprintf(text, sizeof text, "%s %.*s%s%.*s, attempt %u", verb_text(at.verb),
		       SLICE_ARG(at.step), command->command.len ? ": " : "",
		       SLICE_ARG(command->command), (unsigned)command->attempt);
	note_fate(world, ACTOR_SKALD, service->actor, fate, text);
}

static enum err send_command(struct bus *base, const struct command_message *command)
{
	struct world *world = ((struct sim_bus *)base)->world;
	struct service *service;
	struct fate fate;

	if (world->dead)
		return ERR_BUSY;
	service = service_find(world, command->participant);
	if (!service)
		return ERR_NOMEM;
	fate = fate_of(world, false, command->id, command->attempt);
	note_command(world, service, command, &fate);
	for (uint32_t copy = 0; copy < fate.copies && !fate.lost; copy++)
		post_command(world, service, command, copy,
			     copy + 1 == fate.copies ? fate.late_ms : 0);
	return OK;
}

/* --- what comes to the orchestrator ---------------------------------------------------- */

static void arrive(void *context, uint64_t argument)
{
	struct letter *letter = context;

	queue_add(&letter->world->inbox, letter);
}

void letters_submit(struct world *world, const struct inbox_message *message)
{
	struct letter *letter = letter_new(world);

	if (!letter)
		return;
	letter->message = *message;
	agenda_add(&world->agenda, world_now_ms(world) + TRANSIT_MS, arrive, letter, 0);
}

static void post_reply(struct world *world, const struct reply_message *reply, int64_t late_ms)
{
	struct letter *letter = letter_new(world);

	if (!letter)
		return;
	letter->reply = reply_message_copy(reply);
	if (!letter->reply) {
		world_fail(world, ERR_NOMEM);
		return;
	}
	letter->message.type = INBOX_REPLY;
	letter->message.reply = *letter->reply;
	agenda_add(&world->agenda, world_now_ms(world) + TRANSIT_MS + late_ms, arrive, letter,
		   0);
}

static const char *outcome_word(enum message_outcome outcome)
{
	switch (outcome) {
	case MESSAGE_OK: return "ok";
	case MESSAGE_REFUSED: return "refused";
	case MESSAGE_FAILED: return "failed";
	case MESSAGE_EXPIRED: return "expired";
	}
	return "";
}

static void note_reply(struct letter *letter, const struct reply_message *reply,
		       const struct fate *fate)
{
	enum { OUTPUT_SHOWN = 80 };
	struct world *world = letter->world;
	char text[DIAG_MAX];
	struct address at;

	if (!world->transcript || !address_parse(reply->id, &at))
		return;
	(void)snprintf(text, sizeof text, "%s %.*s%s%.*s%s%.*s%s", outcome_word(reply->outcome),
		       SLICE_ARG(at.step), reply->code.len ? ": " : "", SLICE_ARG(reply->code),
		       reply->output.len ? " " : "",
		       reply->output.len <= OUTPUT_SHOWN ? (int)reply->output.len : 0,
		       reply->output.at ? reply->output.at : "",
		       letter->service->ran ? "" : " (nothing was done)");
	note_fate(world, letter->service->actor, ACTOR_SKALD, fate, text);
}

void letters_reply(struct letter *letter, const struct reply_message *reply)
{
	struct world *world = letter->world;
	struct fate fate = fate_of(world, true, reply->id,
				   reply->attempt + ((uint64_t)letter->copy << 24));

	note_reply(letter, reply, &fate);
	for (uint32_t copy = 0; copy < fate.copies && !fate.lost; copy++)
		post_reply(world, reply, copy + 1 == fate.copies ? fate.late_ms : 0);
	letter_free(letter);
}

/* --- the bus --------------------------------------------------------------------------- */

static bool poll_letter(struct bus *base, struct inbox_message *out)
{
	struct world *world = ((struct sim_bus *)base)->world;
	struct letter *letter = world->dead ? NULL : queue_take(&world->inbox);

	if (!letter)
		return false;
	queue_add(&world->polled, letter);
	*out = letter->message;
	return true;
}

static void answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	struct world *world = ((struct sim_bus *)base)->world;

	if (origin && !world->dead)
		crowd_told(world, result);
}

static void ended(struct bus *base, uint64_t origin, struct slice saga_id, struct slice status)
{
}

static void acknowledge(struct bus *base)
{
	struct world *world = ((struct sim_bus *)base)->world;
	struct letter *letter;

	while (!world->dead && (letter = queue_take(&world->polled)))
		letter_free(letter);
}

static void pump(struct bus *base)
{
}

static int no_fd(struct bus *base)
{
	return -1;
}

static void participants(struct bus *base,
			 void (*visit)(void *context,
				       const struct bus_participant *participant),
			 void *context)
{
}

static void close_bus(struct bus *base)
{
}

struct bus *letters_bus(struct world *world)
{
	static const struct bus_ops ops = {
		.send = send_command,
		.poll = poll_letter,
		.answer = answer,
		.ended = ended,
		.acknowledge = acknowledge,
		.pump = pump,
		.fd = no_fd,
		.participants = participants,
		.close = close_bus,
	};

	world->bus = (struct sim_bus){{&ops}, world};
	return &world->bus.base;
}
