/* command.h - what a handler sees and says, and how it is run. */
#ifndef SKALD_PARTICIPANTS_COMMAND_H
#define SKALD_PARTICIPANTS_COMMAND_H

#include "base/arena.h"
#include "participants/lib/later.h"
#include "proto/message.h"
#include "skald/participant.h"

/* Payloads, and what goes over the wire with them. */
enum { COMMAND_PAYLOAD_MAX = 256 * 1024, COMMAND_CODE_MAX = 64, COMMAND_TEXT_MAX = 1024 };

struct skald_command {
	struct slice id, saga_id, name, args, output; /* terminated */
	uint32_t attempt;
	struct later_box *box;
	skald_deferred **deferred; /* what the handler made of it */
};

/* Run a handler. The reply's texts are in the arena. Returns what was deferred,
 * which the caller keeps, or NULL: then the reply is whole. */
skald_deferred *command_run(const struct command_message *message, skald_handler *handler,
			    void *context, struct later_box *box, struct arena *arena,
			    struct reply_message *reply);

/* A reply without a handler. */
void command_fail(struct reply_message *reply, struct slice code, struct slice text);

#endif
