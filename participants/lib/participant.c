#include "participants/lib/participant.h"

#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>

/* Replies are payloads: see the limits of the wire. */
enum { OUTPUT_MAX = 256 * 1024, CODE_MAX = 64, TEXT_MAX = 1024 };

struct registration {
	struct registration *next;
	char *command;
	skald_handler *handler;
	void *context;
};

struct skald_participant {
	struct port *port;
	struct barrier *barrier;
	const struct clock *clock;
	int64_t horizon_ms;
	struct registration *handlers;
	struct arena arena;             /* of one command */
	struct command_message command; /* the newest one that was polled */
	bool holds_command;             /* the barrier could not answer it yet */
};

struct skald_command {
	struct slice id, saga_id, args, output; /* terminated */
	uint32_t attempt;
};

struct skald_reply {
	struct arena *arena;
	struct reply_message *message;
	bool nomem;
};

/* --- what a handler sees ------------------------------------------------------- */

const char *skald_command_args(const skald_command *command)
{
	return command->args.at;
}

const char *skald_command_output(const skald_command *command)
{
	return command->output.len ? command->output.at : NULL;
}

const char *skald_command_id(const skald_command *command)
{
	return command->id.at;
}

const char *skald_command_saga_id(const skald_command *command)
{
	return command->saga_id.at;
}

uint32_t skald_command_attempt(const skald_command *command)
{
	return command->attempt;
}

static void set_error(skald_reply *reply, const char *code, const char *text)
{
	if (!arena_copy(reply->arena, utf8_cut(slice_of(code), CODE_MAX),
			&reply->message->code) ||
	    !arena_copy(reply->arena, utf8_cut(slice_of(text), TEXT_MAX),
			&reply->message->text))
		reply->nomem = true;
}

skald_outcome skald_reply_ok(skald_reply *reply, const char *output)
{
	struct json json = {0};
	struct diag diag = {{0}};

	if (output && json_parse(slice_of(output), OUTPUT_MAX, reply->arena, &json, &diag))
		return skald_reply_fail(reply, "bad-output", diag.text);
	reply->message->output = json.text;
	return SKALD_OK;
}

skald_outcome skald_reply_refuse(skald_reply *reply, const char *code, const char *text)
{
	set_error(reply, code, text);
	return SKALD_REFUSED;
}

skald_outcome skald_reply_fail(skald_reply *reply, const char *code, const char *text)
{
	set_error(reply, code, text);
	return SKALD_FAILED;
}

/* --- running --------------------------------------------------------------------- */

static const struct registration *find_handler(const skald_participant *participant,
					       struct slice command)
{
	const struct registration *handler = participant->handlers;

	while (handler && !slice_is(command, handler->command))
		handler = handler->next;
	return handler;
}

/* What the handler returned decides; what else it said that does not belong to
 * this outcome is dropped. */
static void conclude(struct reply_message *reply, skald_outcome outcome)
{
	switch (outcome) {
	case SKALD_OK:
		reply->outcome = MESSAGE_OK;
		reply->code = reply->text = (struct slice){0};
		return;
	case SKALD_REFUSED: reply->outcome = MESSAGE_REFUSED; break;
	case SKALD_FAILED: reply->outcome = MESSAGE_FAILED; break;
	default: /* the handler's own mistake */
		reply->outcome = MESSAGE_FAILED;
		reply->code = SLICE_LITERAL("bad-outcome");
		reply->text = SLICE_LITERAL("the handler returned none of the outcomes");
	}
	reply->output = (struct slice){0};
}

static void run_handler(void *context, const struct command_message *message,
			struct arena *arena, struct reply_message *reply_message)
{
	const struct registration *handler = find_handler(context, message->command);
	struct skald_reply reply = {.arena = arena, .message = reply_message};
	struct skald_command command = {.attempt = message->attempt};
	skald_outcome outcome = SKALD_FAILED;

	if (!handler)
		outcome = skald_reply_fail(&reply, "unknown-command",
					   "this participant has no handler for the command");
	else if (!arena_copy(arena, message->id, &command.id) ||
		 !arena_copy(arena, message->saga_id, &command.saga_id) ||
		 !arena_copy(arena, message->args, &command.args) ||
		 !arena_copy(arena, message->output, &command.output))
		reply.nomem = true;
	else
		outcome = handler->handler(&command, &reply, handler->context);
	if (reply.nomem)
		outcome = SKALD_FAILED;
	conclude(reply_message, outcome);
}

size_t skald_participant_poll(skald_participant *participant)
{
	struct reply_message reply;
	size_t n = 0;

	while (participant->holds_command ||
	       port_poll(participant->port, &participant->command)) {
		arena_reset(&participant->arena);
		participant->holds_command =
			barrier_answer(participant->barrier, &participant->command,
				       clock_now_ms(participant->clock),
				       participant->horizon_ms, run_handler, participant,
				       &participant->arena, &reply) != OK;
		if (participant->holds_command)
			break;
		/* What cannot be answered now comes again. */
		n += port_reply(participant->port, &reply) == OK;
	}
	return n;
}

bool skald_participant_on(skald_participant *participant, const char *command,
			  skald_handler *handler, void *context)
{
	struct registration *registration;

	if (find_handler(participant, slice_of(command)))
		return false;
	registration = malloc(sizeof *registration);
	if (!registration)
		return false;
	*registration =
		(struct registration){participant->handlers, strdup(command), handler, context};
	if (!registration->command) {
		free(registration);
		return false;
	}
	participant->handlers = registration;
	return true;
}

skald_participant *participant_open(struct port *port, struct barrier *barrier,
				    const struct clock *clock, int64_t horizon_ms)
{
	skald_participant *participant = calloc(1, sizeof *participant);

	if (!participant)
		return NULL;
	participant->port = port;
	participant->barrier = barrier;
	participant->clock = clock;
	participant->horizon_ms = horizon_ms;
	return participant;
}

void skald_participant_free(skald_participant *participant)
{
	if (!participant)
		return;
	while (participant->handlers) {
		struct registration *registration = participant->handlers;

		participant->handlers = registration->next;
		free(registration->command);
		free(registration);
	}
	arena_release(&participant->arena);
	free(participant);
}
