#include "tests/sim/talk.h"

#include "orchestrator/engine/address.h"
#include "proto/message_copy.h"
#include "tests/sim/judge.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { LATE_MS = 3 * 3600000, ID_SIZE = COMMAND_ID_MAX + 16 };

/* In the order in which they were polled. The texts are the real port's, which has not
 * seen an answer. */
struct polled_command {
	struct polled_command *next;
	struct command_message command;
	bool answered; /* by the reply that is sent now */
	bool again;    /* there was no room for its answer: it comes once more */
};

/* A reply that is sent once more. */
struct echo {
	struct echo *next;
	struct talk *talk;
	uint32_t life;
	struct reply_message *reply;
};

static struct talk *talk_of(struct port *base)
{
	return (struct talk *)base;
}

/* --- what was polled ---------------------------------------------------------------- */

static void keep_polled(struct talk *talk, const struct command_message *command)
{
	struct polled_command *polled = calloc(1, sizeof *polled), **end = &talk->polled;

	assert(polled);
	polled->command = *command;
	while (*end)
		end = &(*end)->next;
	*end = polled;
}

/* What the real port forgets with the reply: earlier attempts, too, that were polled before;
 * each copy of an attempt has a reply of its own. */
static void mark_answered(struct talk *talk, const struct reply_message *reply)
{
	bool found = false;

	for (struct polled_command *polled = talk->polled; polled; polled = polled->next) {
		polled->answered = !found && slice_equal(polled->command.id, reply->id) &&
				   polled->command.attempt <= reply->attempt;
		found |= polled->answered && polled->command.attempt == reply->attempt;
	}
}

static void drop_answered(struct talk *talk)
{
	struct polled_command **link = &talk->polled;

	while (*link) {
		struct polled_command *polled = *link;

		if (!polled->answered) {
			link = &polled->next;
			continue;
		}
		*link = polled->next;
		free(polled);
	}
}

/* Somebody works on it: whoever answers it takes it away from there. */
static bool is_held(const struct talk *talk, struct slice id)
{
	const struct polled_command *held = talk->polled;

	while (held && !slice_equal(held->command.id, id))
		held = held->next;
	return held != NULL;
}

/* --- nonsense ----------------------------------------------------------------------- */

/* The id of a command that nobody has sent, made of one that somebody has; false: it is
 * another kind of nonsense. */
static bool write_wrong_id(struct address address, uint32_t kind, char out[ID_SIZE])
{
	const char *more = "";

	switch (kind) {
	case 0: address.step = SLICE_LITERAL("nothing"); break;
	case 1: more = "-0"; break;
	case 2: more = "/x"; break;
	case 3: more = "#"; break;
	case 4: address.element += 900; break;
	case 5: address.round += 1000; break;
	default: return false;
	}
	snprintf(out, ID_SIZE, "%.*s%s/%.*s#%u/%u/%s", SLICE_ARG(address.saga_id), more,
		 SLICE_ARG(address.step), (unsigned)address.element, (unsigned)address.round,
		 verb_text(address.verb));
	return true;
}

static void talk_nonsense(struct talk *talk, const struct reply_message *reply)
{
	struct world *world = talk->world;
	struct reply_message nonsense = *reply;
	uint32_t kind = random_below(&world->random, 9);
	struct address address;
	char id[ID_SIZE];

	if (!address_parse(reply->id, &address))
		return;
	if (write_wrong_id(address, kind, id)) {
		nonsense.id = slice_of(id);
		nonsense.outcome = MESSAGE_OK;
	} else if (kind < 8) { /* an attempt that is long over, or that never was */
		nonsense.attempt = kind == 6 && reply->attempt > 1 ? 1 : reply->attempt + 1000;
		nonsense.outcome = MESSAGE_FAILED;
		nonsense.code = SLICE_LITERAL("\xff\xfe");
	} else {
		nonsense.output = SLICE_LITERAL("{]");
	}
	if (is_held(talk, nonsense.id))
		return;
	diary_write(&world->diary, "%s answers nonsense: attempt %u of %.*s", talk->name,
		    (unsigned)nonsense.attempt, SLICE_ARG(nonsense.id));
	if (port_reply(talk->real, &nonsense))
		diary_write(&world->diary, "  which its port does not take");
}

/* --- the same once more ------------------------------------------------------------- */

static void send_echo(void *context, uint64_t argument)
{
	struct echo *echo = context;
	struct talk *talk = echo->talk;

	if (echo->life == talk->life && talk->real && talk->world->part == PART_TROUBLE &&
	    !is_held(talk, echo->reply->id)) {
		diary_write(&talk->world->diary, "%s answers once more: attempt %u of %.*s",
			    talk->name, (unsigned)echo->reply->attempt,
			    SLICE_ARG(echo->reply->id));
		if (port_reply(talk->real, echo->reply))
			diary_write(&talk->world->diary, "  for which there is no room");
	}
	free(echo->reply);
	echo->reply = NULL;
}

static void plan_echo(struct talk *talk, const struct reply_message *reply, uint32_t late_ms)
{
	struct echo *echo = malloc(sizeof *echo);

	assert(echo);
	*echo = (struct echo){talk->echoes, talk, talk->life, reply_message_copy(reply)};
	assert(echo->reply);
	talk->echoes = echo;
	agenda_add(&talk->world->agenda, world_soon_ms(talk->world, late_ms), send_echo, echo,
		   0);
}

/* --- replies ------------------------------------------------------------------------ */

static enum err refuse_room(struct talk *talk, const struct reply_message *reply)
{
	diary_write(&talk->world->diary, "%s has no room for its answer to %.*s", talk->name,
		    SLICE_ARG(reply->id));
	talk->may_again = false;
	mark_answered(talk, reply);
	for (struct polled_command *polled = talk->polled; polled; polled = polled->next)
		polled->again |= polled->answered;
	return ERR_BUSY;
}

static bool now_and_then(struct world *world, enum chance_kind kind, uint32_t percent)
{
	return world->part == PART_TROUBLE && chance_take(&world->chance, kind, percent);
}

static enum err talk_reply(struct port *base, const struct reply_message *reply)
{
	static const char *const outcomes[] = {"ok", "refused", "failed", "expired"};
	struct talk *talk = talk_of(base);
	struct world *world = talk->world;
	struct reply_message *copy;
	enum err err;

	if (now_and_then(world, CHANCE_BUSY, world->plan.busy_percent))
		return refuse_room(talk, reply);
	diary_write(&world->diary, "%s answers attempt %u of %.*s: %s %.*s", talk->name,
		    (unsigned)reply->attempt, SLICE_ARG(reply->id), outcomes[reply->outcome],
		    SLICE_ARG(reply->code));
	judge_reply(world, reply);
	copy = reply_message_copy(reply); /* its texts may be the command's */
	assert(copy);
	mark_answered(talk, reply);
	err = port_reply(talk->real, reply);
	if (!err)
		drop_answered(talk);
	if (!err && now_and_then(world, CHANCE_ECHO, world->plan.echo_percent))
		plan_echo(talk, copy, random_percent(&world->random, 50) ? 10 : LATE_MS);
	if (!err && now_and_then(world, CHANCE_NONSENSE, world->plan.nonsense_percent))
		talk_nonsense(talk, copy);
	free(copy);
	return err;
}

/* --- commands ---------------------------------------------------------------------- */

/* A revoke that is answered, and nobody has looked. */
static bool answers_blindly(struct talk *talk, const struct command_message *command)
{
	struct reply_message reply = {.id = command->id, .attempt = command->attempt};

	if (talk->world->sabotage != SABOTAGE_BLIND_REVOKES || command->verb != MESSAGE_REVOKE)
		return false;
	(void)talk_reply(&talk->base, &reply);
	return true;
}

/* A later attempt is being worked on, with whose answer this one is forgotten. */
static bool is_overtaken(const struct polled_command *polled)
{
	const struct polled_command *later = polled->next;

	while (later && (later->again || later->command.attempt < polled->command.attempt ||
			 !slice_equal(later->command.id, polled->command.id)))
		later = later->next;
	return later != NULL;
}

static bool talk_poll(struct port *base, struct command_message *out)
{
	struct talk *talk = talk_of(base);
	struct polled_command *again = talk->polled;

	while (again && (!again->again || is_overtaken(again)))
		again = again->next;
	if (again && talk->may_again) {
		again->again = false;
		*out = again->command;
		return true;
	}
	while (port_poll(talk->real, out)) {
		keep_polled(talk, out);
		if (!answers_blindly(talk, out))
			return true;
	}
	talk->may_again = true;
	return false;
}

/* --- all of it ---------------------------------------------------------------------- */

static void talk_pump(struct port *base, int timeout_ms)
{
	port_pump(talk_of(base)->real, timeout_ms);
}

static void talk_close_port(struct port *base)
{
}

struct port *talk_open(struct talk *talk, struct world *world, struct port *real,
		       const char *name)
{
	static const struct port_ops ops = {
		.poll = talk_poll,
		.reply = talk_reply,
		.pump = talk_pump,
		.close = talk_close_port,
	};

	*talk = (struct talk){.base = {&ops},
			      .real = real,
			      .world = world,
			      .name = name,
			      .echoes = talk->echoes,
			      .life = talk->life + 1};
	return &talk->base;
}

void talk_close(struct talk *talk)
{
	while (talk->polled) {
		struct polled_command *polled = talk->polled;

		talk->polled = polled->next;
		free(polled);
	}
	port_close(talk->real);
	talk->real = NULL;
}

void talk_release(struct talk *talk)
{
	while (talk->echoes) {
		struct echo *echo = talk->echoes;

		talk->echoes = echo->next;
		free(echo->reply);
		free(echo);
	}
}
